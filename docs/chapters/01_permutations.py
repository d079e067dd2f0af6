# %% [markdown]
# # Sets, permutations, actions
#
# The data of this book are sets: the points of a scan, the members of a group, ten measurements
# that arrived in no order. A computer stores such a set as a matrix, and a matrix has a first row.
# The order of its rows means nothing, yet every network can see it. What exactly should a network
# ignore, how is that said in formulas, and how much is there to ignore?
#
# The answers are a hundred and more years old: permutations, groups, orbits. Here is as much of
# them as the book needs, each theorem with its proof and a cell that tries it.

# %%
import math
import time
from itertools import combinations

import numpy as np
import torch
from matplotlib import pyplot as plt

from invariant_nets import (
    Permutation,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    symmetric_group,
)
from invariant_nets.figures import INK, table, use_book_style

use_book_style()

# %% [markdown]
# ## A permutation is an index
#
# A *permutation* of $n$ points is a one-to-one map $\sigma$ of $\{0, \dots, n-1\}$ to itself.
# [`Permutation`][invariant_nets.Permutation] stores its images
# $(\sigma(0), \dots, \sigma(n-1))$ and acts on the rows of $x \in \mathbb R^{n \times d}$ as an
# index does, `x[sigma]`:
#
# $$ (\sigma \cdot x)_i = x_{\sigma(i)} . $$
#
# Follow a point, $i \to \sigma(i) \to \sigma(\sigma(i)) \to \dots$, and you must come back to where
# you started, because no two points have the same image. So a permutation falls apart into
# *cycles*, and writing them down describes it: $(0\ 2\ 4)$ sends 0 to 2, 2 to 4, 4 to 0.
# Points that stay are left out.

# %%
sigma = Permutation([2, 5, 4, 3, 0, 1])
letters = np.array(list("abcdef"))
print("cycles   ", sigma, "  order", sigma.order())
print(
    "inverse  ",
    sigma.inverse(),
    "  as index",
    sigma.inverse().index_tensor.tolist(),
)
print("σ · x    ", "".join(letters[sigma.index_tensor]))

# %% alt="Left: six letters above, the permuted letters below, joined by lines. Right: the same permutation as arrows between six points on a circle: a triangle, a pair and a point that stays." caption="The same permutation as an index (left) and as cycles (right), one color a cycle."
color = {
    point: f"C{c}" for c, cycle in enumerate(sigma.cycles()) for point in cycle
}
angle = np.pi / 2 - 2 * np.pi * np.arange(6) / 6
place = np.stack((np.cos(angle), np.sin(angle)), -1)
fig, (left, right) = plt.subplots(1, 2, figsize=(6, 2.9), width_ratios=(1.5, 1))
for i, source in enumerate(sigma.index_tensor.tolist()):
    shade = color.get(i, "C2")
    arrow = {"arrowstyle": "-|>", "color": shade, "shrinkA": 12, "shrinkB": 12}
    left.annotate("", (i, 0), (source, 1), arrowprops=arrow)
    left.text(i, 1, f"${letters[i]}$", ha="center", va="center", size=14)
    left.text(i, 0, f"${letters[source]}$", ha="center", va="center", size=14)
    left.text(i, 1.28, i, ha="center", va="center")
    if source != i:
        bent = arrow | {"connectionstyle": "arc3,rad=0.15"}
        right.annotate("", place[source], place[i], arrowprops=bent)
    right.text(*place[i], i, ha="center", va="center", color=shade, size=14)
left.text(-0.8, 1.28, "place", ha="right", va="center")
left.text(-0.8, 1, "$x$", ha="right", va="center", size=14)
left.text(-0.8, 0, r"$\sigma \cdot x$", ha="right", va="center", size=14)
left.set(xlim=(-2, 5.4), ylim=(-0.25, 1.45))
right.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
for ax in (left, right):
    ax.axis("off")
plt.show()

# %% [markdown]
# Compare the two sides. The arrow $0 \to 2$ on the right says that place 0 *reads* from place 2; on
# the left the letter therefore travels from 2 to 0. Entries move against the arrows of the cycles.
#
# ## Which product?
#
# Permute by $q$, then by $p$. Which single permutation does both at once? Apply the definition
# twice, from the outside in:
#
# $$ (p \cdot (q \cdot x))_i = (q \cdot x)_{p(i)} = x_{q(p(i))} . $$
#
# So if we want a *left action*, $(p\,q) \cdot x = p \cdot (q \cdot x)$, there is no choice left:
#
# $$ (p\,q)(i) = q(p(i)) . $$
#
# In code, `p @ q` is the index `q[p]`. Many texts write products as composition of maps,
# $(p \circ q)(i) = p(q(i))$; they need $(\sigma \cdot x)_i = x_{\sigma^{-1}(i)}$ to go with it. Both
# pairs are right. Mixed, they are wrong: indexing with the product of maps gives
# $(p \circ q) \cdot x = q \cdot (p \cdot x)$, the steps in the wrong order. Suppose a set is
# shuffled by $q$, sorted by $p$, and the two steps are to be merged into one.

# %%
x = torch.tensor([[3.0], [1.0], [4.0], [5.0], [2.0]])
q = Permutation([1, 2, 3, 0, 4])  # shuffle
p = Permutation(q(x).flatten().argsort())  # sort what came out
wrong = Permutation(p.index_tensor[q.index_tensor])  # p after q, as maps
print("p · (q · x)  ", p(q(x)).flatten().tolist())
print("(p q) · x    ", (p @ q)(x).flatten().tolist())
print("(p ∘ q) · x  ", wrong(x).flatten().tolist())

# %% [markdown]
# The error hides well. Both products agree where $p$ and $q$ commute, so we count the pairs that
# do.

# %%
agree = {}
for group in (cyclic_group(4), *map(symmetric_group, (3, 4, 5))):
    elements = torch.cat(list(group.elements()))
    of_maps = elements[:, elements]  # entry (p, q) is p(q(i))
    agree[group.name] = (of_maps == of_maps.transpose(0, 1)).all(-1).double().mean()
table(
    [
        {"group": f"${name}$", "pairs that agree": share.item()}
        for name, share in agree.items()
    ]
)

# %% [markdown]
# A test that tries only shifts never sees the mistake; with three members it passes half of the
# time. The tests of this package try the law on random permutations of many sizes.
#
# ## Groups, and how few permutations make one
#
# A *group* of permutations is a set $G$ that contains the identity $e$, with any two elements their
# product, and with each its inverse. All $n!$ permutations form the *symmetric group* $S_n$. A
# *subgroup* is a group inside another. The *generators* of $G$ are some elements whose products
# give all others; we write $G = \langle g_1, \dots, g_m \rangle$, and
# [`PermutationGroup`][invariant_nets.PermutationGroup] takes just these.
#
# !!! abstract "Theorem (two generators)"
#     $S_n$ is generated by the shift $s = (0\ 1\ \dots\ n{-}1)$ and one swap $t = (0\ 1)$.
#
# *Proof.* By our product, $s^{-k}\, t\, s^k$ maps $i$ first by $s^{-k}$, then by $t$, then by $s^k$: it
# swaps $k$ and $k + 1$ and nothing else. So all swaps of neighbors are there. They suffice: bubble
# sort brings the list $\sigma = (\sigma(0), \dots, \sigma(n-1))$ into order by swaps of neighbors,
# $t_m \cdots t_1\, \sigma = e$. A swap is its own inverse, hence $\sigma = t_1 \cdots t_m$.
# $\blacksquare$
#
# This makes symmetry checkable. If $f(g \cdot x) = f(x)$ for all $x$ and each generator $g$, then
# $f(g h \cdot x) = f(h \cdot x) = f(x)$, and so on for all products: two tests stand for $n!$.
# The picture shows $S_4$ as the list 0123 sees it. Every order can be reached by the two moves.

# %% alt="The 24 orders of 0123 as a planar graph of six squares, joined by single lines: blue arrows shift the order around a square, orange lines swap its first two entries. All orders are connected." caption="The Cayley graph of $S_4$: arrows shift by $s$, lines swap by $t$."
s, t = symmetric_group(4).generators
e = Permutation.identity(4)
position, arm = {}, e
for k in range(4):  # arm = s^k, on the outer square; then inward
    spoke = np.exp(1j * (np.pi / 4 + np.pi / 2 * k))
    side = [t @ arm]
    while len(side) < 4:
        side.append(s @ side[-1])
    inner = t @ side[2]
    radii = (4.2, 3.2, 2.5 * np.exp(0.33j), 1.8, 2.5 * np.exp(-0.33j), 0.8)
    for g, radius in zip((arm, *side, inner), radii, strict=True):
        position[g] = radius * spoke
    arm = s @ arm
fig, ax = plt.subplots(figsize=(5.2, 5.2))
for g, z in position.items():
    for move, shade, style in ((s, "C0", "-|>"), (t, "C1", "-")):
        w = position[move @ g]
        arrow = {"arrowstyle": style, "color": shade, "shrinkA": 13, "shrinkB": 13}
        ax.annotate("", (w.real, w.imag), (z.real, z.imag), arrowprops=arrow)
    name = "".join(map(str, g.index_tensor.tolist()))
    ax.text(z.real, z.imag, name, ha="center", va="center", size=10)
ax.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal")
ax.axis("off")
plt.show()

# %% [markdown]
# ## A set is an orbit
#
# The group *acts* on matrices: $e \cdot x = x$ and $(g h) \cdot x = g \cdot (h \cdot x)$. What can be
# reached from $x$ is its *orbit* $Gx = \{g \cdot x : g \in G\}$; what does not move it is its
# *stabilizer* $G_x = \{g : g \cdot x = x\}$, a subgroup. Orbits either coincide or are disjoint. Two
# matrices hold the same members, equally often, if and only if they lie in one orbit of $S_n$. So
# this is what a set *is*, to a network: an orbit.
#
# !!! abstract "Theorem (orbit and stabilizer)"
#     For a finite group, $\lvert G \rvert = \lvert Gx \rvert \cdot \lvert G_x \rvert$.
#
# *Proof.* $g \cdot x = h \cdot x$ means $h^{-1} g \in G_x$, that is, $g \in h\,G_x$. So each point
# $h \cdot x$ of the orbit is reached by the elements of $h\,G_x$ and no others, and there are
# $\lvert G_x \rvert$ of them. $\blacksquare$
#
# Three members with one feature make it visible. Subtract the mean, which no permutation changes,
# and $\mathbb R^3$ becomes a plane. The stabilizer is larger than $\{e\}$ exactly on the dashed
# mirrors, where two members are equal, and there the orbit is smaller. The shaded sector
# contains one point of every orbit: the sorted one, which
# [canonicalization](07_canonicalization.py) picks.

# %% alt="The plane of three numbers with mean zero, cut by three dashed mirrors into six sectors. A set with distinct members has six orders, one a sector; three of them, filled, form the orbit under shifts. A set with a tie has three, on the mirrors." caption="Two orbits under $S_3$. Filled circles: the orbit under shifts alone."
plane = torch.tensor([[1.0, -1, 0], [1, 1, -2]]) / torch.tensor([[2.0], [6]]).sqrt()
distinct, tied = torch.tensor([0.2, 0.7, 2.0]), torch.tensor([0.0, 0.0, 2.6])
all_orders = torch.cat(list(symmetric_group(3).elements()))
shifts = torch.cat(list(cyclic_group(3).elements()))
fig, ax = plt.subplots(figsize=(5.2, 4.4))
ends = torch.tensor([[-2.0, 1, 1], [-1, -1, 2]])
corners = torch.cat((torch.zeros(1, 2), 1.1 * ends @ plane.T))
ax.fill(*corners.T, color="C2", alpha=0.2, lw=0)
for mirror in torch.tensor([[-2.0, 1, 1], [1, -2, 1], [1, 1, -2]]) @ plane.T:
    ax.plot(*torch.stack((-mirror, mirror)).T, "--", color=INK, lw=1)
for pair, spot in (("0", (-2.6, 1.2)), ("1", (2.6, 1.2)), ("2", (0, -2.75))):
    equal = {"0": "$x_1 = x_2$", "1": "$x_0 = x_2$", "2": "$x_0 = x_1$"}[pair]
    ax.text(*spot, equal, ha="center", va="center")
for order in all_orders:
    px, py = plane @ distinct[order]
    name = "".join(map(str, order.tolist()))
    ax.text(1.32 * px, 1.32 * py, name, ha="center", va="center", color="C0")
ax.plot(*(distinct[all_orders] @ plane.T).T, "o", mfc="none", ms=10, color="C0")
ax.plot(*(distinct[shifts] @ plane.T).T, "o", ms=10, color="C0")
ax.plot(*(tied[all_orders] @ plane.T).T, "s", ms=9, color="C1")
ax.set(xlim=(-3.4, 3.4), ylim=(-3, 3), aspect="equal")
ax.axis("off")
plt.show()

# %% [markdown]
# A group acts on its points as well: the orbit of point 0 is where its elements send 0. Here is the
# theorem on groups of quite different sizes. Orders and stabilizers come from the generators,
# without listing (appendix A says how); the orbits are found separately.

# %%
parts = direct_product(symmetric_group(3), symmetric_group(7))
grid = direct_product(symmetric_group(10), symmetric_group(5), on="grid")
groups = [cyclic_group(6), dihedral_group(6), alternating_group(6)]
groups += [symmetric_group(6), parts, mathieu_group(12), pocket_cube_group(), grid]
counts = [
    {
        "group": group.name
        if "cube" in group.name
        else f"${group.name}$".replace("×", r"\times"),
        "points": group.degree,
        "orbit of 0": len(group.orbits()[0]),
        "stabilizer": group.stabilizer(0).order,
        "order": group.order,
    }
    for group in groups
]
table(counts, caption="Orders: each is the product of the two columns before it")

# %% [markdown]
# ## What a group keeps
#
# To choose a group is to say what may be forgotten; the rest is kept. A function $f$ is *invariant*
# to $G$ if $f(g \cdot x) = f(x)$. Five functions of six numbers, five groups, and a check on the
# generators:

# %%
six = torch.randn(100, 6, 1, generator=torch.Generator().manual_seed(0)).double()
pairs = torch.tensor(list(combinations(range(6), 2))).T
halves = direct_product(symmetric_group(3), symmetric_group(3))
functions = {
    r"$\sum x_i^2$": lambda x: x.square().sum(1),
    r"$\prod_{i<j} (x_j - x_i)$": lambda x: (x[:, pairs[1]] - x[:, pairs[0]]).prod(
        1
    ),
    r"$\sum x_i x_{i+1}$": lambda x: (x * x.roll(-1, 1)).sum(1),
    r"$\sum x_i^2 x_{i+1}$": lambda x: (x.square() * x.roll(-1, 1)).sum(1),
    "$x_0 + x_1 + x_2$": lambda x: x[:, :3].sum(1),
}
subjects = [symmetric_group(6), alternating_group(6), dihedral_group(6)]
subjects += [cyclic_group(6), halves]
invariant = {
    f: [
        all(torch.allclose(u(g(six)), u(six)) for g in G.generators)
        for G in subjects
    ]
    for f, u in functions.items()
}
columns = [f"${G.name}$".replace("×", r"\times") for G in subjects]
table(
    [
        {"function": f}
        | {c: "yes" if h else "–" for c, h in zip(columns, row, strict=True)}
        for f, row in invariant.items()
    ]
)

# %% [markdown]
# $S_n$ keeps the set; the *alternating group* $A_n$ of the even permutations also the sign of the
# order; the *dihedral group* $D_n$ who is next to whom on a ring; the *cyclic group* $C_n$ the
# direction too; and the *direct product* $S_3 \times S_3$ who belongs to which half. On a grid,
# $S_n \times S_d$ permutes rows and columns of a matrix. The smaller the group, the more is kept:
# the first row is invariant to every subgroup of $S_6$.
#
# ## Invariant, equivariant, and one equation
#
# Often the output should move with the input, a label for each member, say. Let
# $\rho(g)$ be how $g$ acts on outputs; then $f$ is *equivariant* if
# $f(g \cdot x) = \rho(g) f(x)$. With trivial $\rho$ this is invariance. All routes of this book
# are one formula: an average over group elements, drawn from a law $\mu(x)$,
#
# $$ \bar f(x) = \mathbb E_{g \sim \mu(x)}\, \rho(g)^{-1} f(g \cdot x) . $$
#
# !!! abstract "Theorem (averages)"
#     If $g h^{-1}$ follows $\mu(h \cdot x)$ whenever $g$ follows $\mu(x)$, for all $h \in G$,
#     then $\bar f$ is equivariant to $G$. The uniform law on $G$ is such a $\mu$.
#
# *Proof.* At $h \cdot x$ we may draw $g h^{-1}$ with $g \sim \mu(x)$. Its term is
# $\rho(g h^{-1})^{-1} f(g h^{-1} h \cdot x) = \rho(h)\, \rho(g)^{-1} f(g \cdot x)$, with mean
# $\rho(h) \bar f(x)$. If $g$ is uniform on $G$, so is $g h^{-1}$. $\blacksquare$
#
# | route | $\mu(x)$ | $\bar f$ is equivariant |
# |---|---|---|
# | [by construction](04_averaged_layer.py) | any: all terms equal $f(x)$ already | exactly |
# | [canonicalization](07_canonicalization.py) | the one $g$ that sorts $x$ | exactly, if unique |
# | [symmetrization](08_symmetrization.py) | uniform on $G$; or $k$ draws | exactly; in expectation |
# | [augmentation](09_augmentation.py) | one draw in training, then $e$ | only as far as learned |
#
# The inverse in the formula is easy to forget. Without it nothing is gained:

# %%
source = torch.Generator().manual_seed(1)
weight = torch.randn(8, 8, generator=source).double()
batch = torch.randn(50, 4, 2, generator=source).double()
S4 = symmetric_group(4)


def f(x):
    return torch.tanh(x.flatten(1) @ weight).view_as(x)


def error(F) -> float:
    return max(
        (F(h(batch)) - h(F(batch))).abs().max().item() for h in S4.generators
    )


errors = {
    "f": error(f),
    "average": error(lambda x: sum(g.inverse()(f(g(x))) for g in S4) / len(S4)),
    "no inverse": error(lambda x: sum(g(f(g(x))) for g in S4) / len(S4)),
}
for name, value in errors.items():
    print(f"{name:12} {value:.1e}")

# %% [markdown]
# ## Counting orbits
#
# How many different sets are there, or necklaces, or inputs that a network must tell apart?
#
# !!! abstract "Theorem (Burnside's lemma)"
#     The number of orbits is the mean number of fixed points,
#     $\frac1{\lvert G \rvert} \sum_{g \in G} \lvert \{x : g \cdot x = x\} \rvert$.
#
# *Proof.* Count the pairs $(g, x)$ with $g \cdot x = x$ in the other order. Each $x$ is in
# $\lvert G_x \rvert = \lvert G \rvert / \lvert Gx \rvert$ of them; the members of one orbit have
# $\lvert G \rvert$ together. So there are $\lvert G \rvert$ pairs an orbit. $\blacksquare$
#
# Let the six members be bits. A string is fixed by $g$ if and only if it is constant on each cycle,
# so $g$ fixes $2^{c(g)}$ strings, $c(g)$ its number of cycles, points that stay included. Beside
# the lemma we count by force: name each string by the least number in its orbit, and count the
# names.

# %%
strings = torch.cartesian_prod(*[torch.arange(2)] * 6)


def orbit_names(group):
    elements = torch.cat(list(group.elements()))
    return (strings[:, elements] @ 2 ** torch.arange(6)).amin(1)


def burnside(group, symbols=2):
    moved = [sum(len(c) - 1 for c in g.cycles()) for g in group]
    return sum(symbols ** (group.degree - m) for m in moved) / group.order


orbits = {
    column: (burnside(G), len(orbit_names(G).unique()))
    for column, G in zip(columns, subjects, strict=True)
}
table(
    [
        {"group": c, "Burnside": lemma, "by force": force}
        for c, (lemma, force) in orbits.items()
    ],
    digits={"Burnside": 1},
    caption=f"Orbits of the {len(strings)} strings of six bits",
)

# %% [markdown]
# Under $S_6$ only the number of ones is left, seven sets in all. Under $C_6$ the strings are
# necklaces, and the picture shows every one; $D_6$, which may also turn a necklace over, unites just
# the two in orange, mirror images of each other.

# %% alt="All necklaces of six beads in two colors, each with the size of its orbit below. One pair, in orange, are mirror images of each other." caption="Below each necklace: the number of strings in its orbit under $C_6$."
necklaces, sizes = orbit_names(cyclic_group(6)).unique(return_counts=True)
turned = orbit_names(dihedral_group(6))
names = {}
for name in necklaces.tolist():
    index = (orbit_names(cyclic_group(6)) == name).nonzero()[0]
    names.setdefault(turned[index].item(), []).append(name)
united = {name for pair in names.values() if len(pair) > 1 for name in pair}
ring = np.exp(1j * (np.pi / 2 + np.pi / 3 * np.arange(6)))
fig, axes = plt.subplots(2, 7, figsize=(6, 2.4))
for ax, name, size in zip(
    axes.flat, necklaces.tolist(), sizes.tolist(), strict=True
):
    shade = "C1" if name in united else "C0"
    bits = (name >> np.arange(6)) & 1 == 1
    ax.plot(*np.stack((ring.real, ring.imag))[:, bits], "o", color=shade, ms=8)
    ax.plot(
        *np.stack((ring.real, ring.imag))[:, ~bits],
        "o",
        mfc="none",
        color=shade,
        ms=8,
    )
    ax.text(0, -2.1, size, ha="center", va="center")
    ax.set(xlim=(-1.6, 1.6), ylim=(-2.6, 1.6), aspect="equal")
    ax.axis("off")
plt.show()

# %% [markdown]
# ## Too many to list
#
# An exact average over $S_n$ has $n!$ terms. For ten members that can be done: the elements stream
# by in blocks, and memory stays constant. We count their fixed points on the way; Burnside's lemma,
# for the ten points themselves, says that the mean is the number of orbits, one.

# %% measured="s"
S10 = symmetric_group(10)
start = time.perf_counter()
seen = fixed = 0
for block in S10.elements():
    seen += len(block)
    fixed += int((block == torch.arange(10)).sum())
seconds = time.perf_counter() - start
print(
    f"{seen:,} elements in {seconds:.2f} s; {fixed / seen} fixed points on average"
)

# %% alt="Orders of four groups against n on a logarithmic axis. Cyclic and dihedral groups stay near the bottom. The symmetric group passes a billion at 13 and ten to the power of 80 before 60."
ns = np.arange(3, 61)
fig, ax = plt.subplots(figsize=(6.5, 3.4))
for name, make in (
    ("$S_n$", symmetric_group),
    ("$D_n$", dihedral_group),
    ("$C_n$", cyclic_group),
):
    ax.semilogy(ns, [float(make(int(n)).order) for n in ns], label=name)
lifetime = 80 * 365.25 * 86_400 * 1e9
for level, what in ((1e9, "a second"), (lifetime, "a lifetime")):
    ax.axhline(level, color=INK, ls="--", lw=1)
    ax.text(60, level * 3, f"{what}, at a billion a second", ha="right")
ax.axhline(1e80, color=INK, ls="--", lw=1)
ax.text(3, 3e80, "about as many atoms as the universe shows")
ax.set(xlabel="members $n$", ylabel="order of the group", ylim=(1, 1e88))
ax.legend(loc="center left")
plt.show()
years = math.factorial(20) / 1e9 / (365.25 * 86_400)

# %% [markdown]
# With twenty members it is over: at a billion elements a second, the $20!$ orders would take about
# a lifetime. Sixty members have more orders than the visible universe has atoms (about $10^{80}$).
# So the route cannot be listing. Average over a small group or a sample, pick one order, or
# build a network to which all orders look the same: these are the chapters that follow.
#
# ## Check the claims

# %%
# Index, cycles, product, and the order in which the wrong product acts.
assert sigma.cycles() == ((0, 2, 4), (1, 5))
assert letters[sigma.index_tensor][0] == letters[2]
assert torch.equal((p @ q)(x), p(q(x)))
assert torch.equal(p(q(x)).flatten(), x.flatten().sort().values)
assert torch.equal(wrong(x), q(p(x)))
assert not torch.equal(wrong(x), p(q(x)))
assert agree["C_4"] == 1
assert agree["S_3"] == 0.5
assert agree["S_5"] < agree["S_4"] < 0.5

# Two generators: the conjugates are swaps of neighbors, and the picture has all 24 orders.
S7 = symmetric_group(7)
shift, swap = S7.generators
power = Permutation.identity(7)
for k in range(6):
    assert power.inverse() @ swap @ power == Permutation.from_cycles(7, (k, k + 1))
    power = power @ shift
assert set(position) == set(symmetric_group(4))

# Orbit and stabilizer, for points and for sets; a tie halves the orbit.
assert all(row["orbit of 0"] * row["stabilizer"] == row["order"] for row in counts)
assert len(distinct[all_orders].unique(dim=0)) == 6
assert len(distinct[shifts].unique(dim=0)) == 3
assert len(tied[all_orders].unique(dim=0)) == 3
assert parts.orbits() == ((0, 1, 2), (3, 4, 5, 6, 7, 8, 9))

# What each group keeps: S_6, A_6, D_6, C_6, S_3 x S_3.
assert list(invariant.values()) == [
    [True, True, True, True, True],
    [False, True, False, False, False],
    [False, False, True, True, False],
    [False, False, False, True, False],
    [False, False, False, False, True],
]

# The average with the inverse is equivariant, without it not at all.
assert errors["average"] < 1e-12
assert min(errors["f"], errors["no inverse"]) > 0.1

# Burnside; the two necklaces that are mirror images; ten factorial, streamed.
assert all(lemma == force for lemma, force in orbits.values())
assert orbits["$S_6$"][1] == strings.sum(1).unique().numel() == 7
assert len(necklaces) == orbits["$C_6$"][1] == orbits["$D_6$"][1] + 1
assert len(united) == 2
assert sizes.sum() == 64
assert seen == math.factorial(10) == fixed
assert 60 < years < 100
assert math.factorial(12) < 1e9 < math.factorial(13)
assert math.factorial(60) > 1e80

# %% [markdown]
# ## Exercises
#
# **1.** Let $p = (0\ 1\ 2)$ and $q = (0\ 1)$. Find $p\,q$ and $q\,p$ by hand.
#
# ??? success "Solution"
#     $p\,q$ maps by $p$ first: $0 \to 1 \to 0$, $1 \to 2 \to 2$, $2 \to 0 \to 1$, so $p\,q = (1\ 2)$.
#     And $q\,p$: $0 \to 1 \to 2$, $1 \to 0 \to 1$, $2 \to 2 \to 0$, so $q\,p = (0\ 2)$.

# %% fold="Solution of exercise 1, in code"
p, q = Permutation([1, 2, 0]), Permutation([1, 0, 2])
print(p @ q, q @ p)
assert (str(p @ q), str(q @ p)) == ("(1 2)", "(0 2)")

# %% [markdown]
# **2.** Show that the share of pairs $(p, q)$ with $p\,q = q\,p$ is the number of conjugacy classes
# of $G$ divided by $\lvert G \rvert$. What is it for $S_4$?
#
# ??? success "Solution"
#     Let $G$ act on itself by $g \cdot h = g h g^{-1}$; the orbits are the conjugacy classes, and
#     $g$ fixes the $h$ that commute with it. By Burnside's lemma the number of classes is the number
#     of commuting pairs over $\lvert G \rvert$; divide by $\lvert G \rvert$ once more. In $S_n$ a class
#     is a choice of cycle lengths, a partition of $n$. As $4 = 3 + 1 = 2 + 2 = 2 + 1 + 1 = 1 + 1 + 1 + 1$
#     are five ways, the share is $5/24$.

# %% fold="Solution of exercise 2, in code"
classes = {tuple(sorted(map(len, g.cycles()))) for g in symmetric_group(4)}
print(f"{len(classes)} classes, share {len(classes) / 24:.3f}")
assert abs(len(classes) / 24 - agree["S_4"]) < 1e-12

# %% [markdown]
# **3.** Members are now letters of an alphabet of $a$. How many sets (with repetition) of $n$
# members are there? What does Burnside's lemma say about $\sum_g a^{c(g)}$?
#
# ??? success "Solution"
#     A set is told by how often each letter occurs: $n$ stars divided by $a - 1$ bars,
#     $\binom{n + a - 1}{n}$ ways. These are the orbits of $S_n$, and $g$ fixes $a^{c(g)}$ strings, so
#     $\sum_{g \in S_n} a^{c(g)} = n! \binom{n + a - 1}{n} = a (a + 1) \cdots (a + n - 1)$.

# %% fold="Solution of exercise 3, in code"
print([burnside(symmetric_group(6), a) for a in (2, 3, 4)])
assert all(
    burnside(symmetric_group(6), a) == math.comb(6 + a - 1, 6) for a in (2, 3, 4)
)

# %% [markdown]
# **4.** When is the orbit of $x$ under $A_n$ as large as that under $S_n$? What does this say about
# a network that should tell the two symmetries apart?
#
# ??? success "Solution"
#     $A_n$ has half the elements, so by the orbit–stabilizer theorem the orbits agree if and only
#     if its stabilizer is half of that in $S_n$, that is, if some odd permutation leaves $x$ where
#     it is. If two members are equal, their swap does. If all differ, the stabilizer is $\{e\}$,
#     and the orbit splits in two halves. So a network that is invariant to $A_n$ but not to $S_n$
#     can tell the two halves apart only where all members differ. On the way to a tie its two
#     outputs must become equal if it is continuous, as those of the product of all differences do:
#     both go to zero.

# %% [markdown]
# ## Sources
#
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*, chapter 1:
#   actions, orbits, stabilizers.
# - [Neumann (1979)](../bibliography.md#neumann-1979), *A Lemma That Is Not Burnside's*: it was known
#   to Cauchy and to Frobenius.
# - [Zaheer et al. (2017)](../bibliography.md#zaheer-2017), *Deep Sets*: networks on sets, invariant
#   and equivariant.
# - [Kim et al. (2023)](../bibliography.md#kim-2023), *Learning Probabilistic Symmetrization for
#   Architecture Agnostic Equivariance*: the one equation, with a law that depends on the input.
