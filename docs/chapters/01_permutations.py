# %% [markdown] slide="question"
# # Sets, permutations, actions
#
# !!! abstract "What you will be able to do"
#     - Compute with permutations as indices, and multiply them in the right order.
#     - Describe a group by generators, and test a symmetry on these alone.
#     - Say what a set is to a network, an orbit, and count orbits.
#     - Tell invariant from equivariant functions, and make either kind by averaging.
#
# The data of this book are sets: the points of a scan, the members of a group, ten measurements that arrived in no
# order. A computer stores such a set as a matrix, and a matrix has a first row. The order of its rows means nothing, yet
# every network can see it. What exactly should a network ignore, how do formulas say so, and how much is there to
# ignore? (In this book a set may contain a member several times. Elsewhere this is called a *multiset*.)

# %%
import math
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
    symmetric_group,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, table, use_book_style

use_book_style()

# %% [markdown]
# ## A permutation is an index
#
# A *permutation* of $n$ points is a one-to-one map $\sigma$ of $\{0, \dots, n-1\}$ to itself.
# [`Permutation`][invariant_nets.Permutation] stores its images $(\sigma(0), \dots, \sigma(n-1))$ and acts on the rows of
# $x \in \mathbb R^{n \times d}$ as the index `x[sigma]` does:
#
# $$ (\sigma \cdot x)_i = x_{\sigma(i)} . $$
#
# Follow a point, $i \to \sigma(i) \to \sigma(\sigma(i)) \to \dots$, and you come back to where you started, because no
# two points have the same image. So a permutation falls apart into *cycles*, and these describe it: $(0\ 2\ 4)$ sends 0
# to 2, 2 to 4, and 4 to 0. Points that stay are left out.

# %%
images = [2, 5, 4, 3, 0, 1]
sigma = Permutation(images)
letters = np.array(list("abcdef"))
print("cycles ", sigma, " order", sigma.order())
print("inverse", sigma.inverse(), "as index", sigma.inverse().index_tensor.tolist())
print("σ · x  ", "".join(letters[images]))

# %% moves="permutation" alt="Six letters above, the permuted letters below, joined by arrows that rise from each place below to the place above that it reads from." caption="A permutation as an index: each place below reads from a place above." slide="picture"
fig, ax = plt.subplots(figsize=(4.5, 1.8))
for i, source in enumerate(images):
    arrow = {"arrowstyle": "-|>", "color": "C0", "shrinkA": 12, "shrinkB": 12}
    ax.annotate("", (source, 1), (i, 0), arrowprops=arrow)
    for height, letter in ((1, letters[i]), (0, letters[source])):
        ax.text(i, height, f"${letter}$", ha="center", va="center", size=14)
    ax.text(i, 1.35, i, ha="center", va="center")
for height, name in ((1.35, "place"), (1, "$x$"), (0, r"$\sigma \cdot x$")):
    ax.text(-0.8, height, name, ha="right", va="center")
ax.set(xlim=(-2, 5.4), ylim=(-0.25, 1.5))
ax.axis("off")
plt.show()

# %% [markdown]
# An arrow such as $0 \to 2$ says that place 0 *reads* from place 2. The letter therefore travels from 2 to 0: entries
# move against the arrows, and against the cycles.
#
# ## Which product?
#
# Permute by $q$, then by $p$. Which single permutation does both at once? Apply the definition twice, from the outside
# in:
#
# $$ (p \cdot (q \cdot x))_i = (q \cdot x)_{p(i)} = x_{q(p(i))} . $$
#
# So if we want a *left action*, $(p\,q) \cdot x = p \cdot (q \cdot x)$, there is no choice left:
#
# $$ (p\,q)(i) = q(p(i)) . $$
#
# In code, `p @ q` is the index `q[p]`. Many texts write products as composition of maps, $(p \circ q)(i) = p(q(i))$. They
# need $(\sigma \cdot x)_i = x_{\sigma^{-1}(i)}$ to go with it. Both pairs are right. Mixed, they are wrong: indexing with
# the product of maps gives $(p \circ q) \cdot x = q \cdot (p \cdot x)$, the two in the wrong order. Suppose a set is
# shuffled by $q$, sorted by $p$, and both are to be merged into one.

# %%
x = torch.tensor([[3.0], [1.0], [4.0], [5.0], [2.0]])
q = Permutation([1, 2, 3, 0, 4])  # shuffle
p = Permutation(q(x).flatten().argsort())  # sort what came out
right = Permutation(q.index_tensor[p.index_tensor])  # q[p]
wrong = Permutation(p.index_tensor[q.index_tensor])  # p after q, as maps
print("p · (q · x)  ", p(q(x)).flatten().tolist())
print("(p q) · x    ", right(x).flatten().tolist())
print("(p ∘ q) · x  ", wrong(x).flatten().tolist())

# %% [markdown]
# The error hides well. Both products agree where $p$ and $q$ commute, so we count the pairs that do.

# %%
agree = {}
for group in (cyclic_group(4), *map(symmetric_group, (3, 4, 5))):
    elements = torch.cat(list(group.elements()))
    of_maps = elements[:, elements]  # entry (p, q) is p(q(i))
    share = (of_maps == of_maps.transpose(0, 1)).all(-1).double().mean().item()
    agree[group.name] = share
    print(f"{group.name}: {share:.3f}")

# %% [markdown] slide="theorem"
# A test that tries only shifts never sees the mistake, and with three members a random test passes half of the time. The
# tests of this package try the rule on random permutations of many sizes.
#
# ## Groups, and how few permutations make one
#
# A *group* of permutations is a set $G$ that contains the identity $e$. With any two elements it contains their
# product, and with any element its inverse. All $n!$ permutations form the *symmetric group* $S_n$. A *subgroup* is a
# group inside another. The *generators* of $G$ are some elements whose products give all others. We write
# $G = \langle g_1, \dots, g_m \rangle$, and [`PermutationGroup`][invariant_nets.PermutationGroup] takes just these.
#
# !!! theorem "Theorem (two generators)"
#     $S_n$ is generated by the shift $s = (0\ 1\ \dots\ n{-}1)$ and one swap $t = (0\ 1)$.
#
# *Proof.* By our product, $s^{-k}\, t\, s^k$ maps $i$ first by $s^{-k}$, then by $t$, then by $s^k$: it swaps $k$ and
# $k + 1$ and nothing else. So all swaps of neighbors are there. They suffice: bubble sort brings the list
# $\sigma = (\sigma(0), \dots, \sigma(n-1))$ into order by swaps of neighbors, $t_m \cdots t_1\, \sigma = e$. A swap is
# its own inverse, hence $\sigma = t_1 \cdots t_m$. $\blacksquare$
#
# This makes symmetry checkable. If $f(g \cdot x) = f(x)$ for all $x$ and each generator $g$, then
# $f(g h \cdot x) = f(h \cdot x) = f(x)$, and so on for all products: two tests stand for $n!$.
#
# ## A set is an orbit
#
# The group *acts* on matrices: $e \cdot x = x$ and $(g h) \cdot x = g \cdot (h \cdot x)$. What can be reached from $x$ is
# its *orbit* $Gx = \{g \cdot x : g \in G\}$. The elements that fix $x$ form its *stabilizer*
# $G_x = \{g : g \cdot x = x\}$, a subgroup. Orbits either coincide or are disjoint. Two matrices have the same members,
# equally often, if and only if they lie in one orbit of $S_n$. So this is what a set *is* to a network: an orbit.
#
# !!! theorem "Theorem (orbit and stabilizer)"
#     For a finite group, $\lvert G \rvert = \lvert Gx \rvert \cdot \lvert G_x \rvert$.
#
# *Proof.* $g \cdot x = h \cdot x$ means $h^{-1} g \in G_x$, that is, $g \in h\,G_x$. So each point $h \cdot x$ of the
# orbit is reached by the elements of $h\,G_x$ and no others, and there are $\lvert G_x \rvert$ of them. $\blacksquare$
#
# Three members with one feature make it visible. Subtract the mean, which no permutation changes, and $\mathbb R^3$
# becomes a plane. The stabilizer is larger than $\{e\}$ if and only if two members are equal, which happens on the dashed
# mirrors, and there the orbit is smaller. The shaded sector contains one point of every orbit: the sorted one, which
# [canonicalization](07_canonicalization.py) picks.

# %%
plane = torch.tensor([[1.0, -1, 0], [1, 1, -2]]) / torch.tensor([[2.0], [6]]).sqrt()
distinct, tied = torch.tensor([0.2, 0.7, 2.0]), torch.tensor([0.0, 0.0, 2.6])
all_orders = torch.cat(list(symmetric_group(3).elements()))
shifts = torch.cat(list(cyclic_group(3).elements()))
ends = torch.tensor([[-2.0, 1, 1], [-1, -1, 2]])

# %% moves="orbit" alt="The plane of three numbers with mean zero, cut by three dashed mirrors into six sectors. A set with distinct members has six orders, one per sector; three of them, filled, form the orbit under shifts. A set with a tie has three, on the mirrors." caption="Two orbits under $S_3$. Filled circles: the orbit under shifts alone." slide="picture"
fig, ax = plt.subplots(figsize=(5.2, 4.4))
corners = torch.cat((torch.zeros(1, 2), 1.1 * ends @ plane.T))
ax.fill(*corners.T, color="C2", alpha=0.2, lw=0)
for mirror in torch.tensor([[-2.0, 1, 1], [1, -2, 1], [1, 1, -2]]) @ plane.T:
    ax.plot(*torch.stack((-mirror, mirror)).T, "--", color=INK, lw=1)
for pair, spot in (("12", (-2.6, 1.2)), ("02", (2.6, 1.2)), ("01", (0, -2.75))):
    ax.text(*spot, "$x_{} = x_{}$".format(*pair), ha="center", va="center")
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

# %%
fixed = {}
for name, members in (("distinct", distinct), ("tied", tied)):
    orders = members[all_orders]
    fixed[name] = len(orders.unique(dim=0)), (orders == members).all(1).sum().item()
    print(f"{name:8} orbit {fixed[name][0]}, stabilizer {fixed[name][1]}")

# %% [markdown]
# The theorem goes far: applied to one point after the other, it gives the orders of groups that nobody could list, such
# as that of Rubik's cube ([appendix A](a_computing_groups.py)).
#
# ## What a group keeps
#
# To choose a group is to say what may be forgotten, and the rest is kept. A function $f$ is *invariant* to $G$ if
# $f(g \cdot x) = f(x)$. Here are five functions of six numbers, five groups, and a check on the generators:

# %%
six = torch.randn(100, 6, 1, generator=torch.Generator().manual_seed(0)).double()
i, j = torch.tensor(list(combinations(range(6), 2))).T
halves = direct_product(symmetric_group(3), symmetric_group(3))
subjects = [symmetric_group(6), alternating_group(6), dihedral_group(6)]
subjects += [cyclic_group(6), halves]
columns = [f"${G.name}$".replace("×", r"\times") for G in subjects]
functions = {
    r"$\sum x_i^2$": lambda x: x.square().sum(1),
    r"$\prod_{i<j} (x_j - x_i)$": lambda x: (x[:, j] - x[:, i]).prod(1),
    r"$\sum x_i x_{i+1}$": lambda x: (x * x.roll(-1, 1)).sum(1),
    r"$\sum x_i^2 x_{i+1}$": lambda x: (x.square() * x.roll(-1, 1)).sum(1),
    "$x_0 + x_1 + x_2$": lambda x: x[:, :3].sum(1),
}


def holds(u, G):
    return all(torch.allclose(u(g(six)), u(six)) for g in G.generators)


invariant = {f: [holds(u, G) for G in subjects] for f, u in functions.items()}
table(
    [
        {"function": f}
        | {columns[k]: "yes" if h else "–" for k, h in enumerate(row)}
        for f, row in invariant.items()
    ]
)

# %% [markdown] slide="theorem"
# $S_n$ keeps the set. A permutation is *even* if it is a product of an even number of swaps; the even ones form the
# *alternating group* $A_n$, which also keeps the sign of the order. The *dihedral group* $D_n$ keeps who is next to
# whom on a ring, the *cyclic group* $C_n$ the direction too, and the *direct product* $S_3 \times S_3$ who belongs to
# which half. On a grid, $S_n \times S_d$ permutes the rows and the columns of a matrix. What is invariant to a group is
# invariant to every subgroup, so a smaller group keeps no less.
#
# ## Invariant, equivariant, and one equation
#
# Often the output should move with the input, as a label of each member does. Let $\rho(g)$ be how $g$ acts on outputs.
# Then $f$ is *equivariant* if $f(g \cdot x) = \rho(g) f(x)$. With trivial $\rho$ this is invariance. All routes of this
# book are one formula, an average over group elements that are drawn from a distribution $\mu(x)$:
#
# $$ \bar f(x) = \mathbb E_{g \sim \mu(x)}\, \rho(g)^{-1} f(g \cdot x) . $$
#
# !!! theorem "Theorem (averages)"
#     If $g h^{-1}$ follows $\mu(h \cdot x)$ whenever $g$ follows $\mu(x)$, for all $h \in G$, then $\bar f$ is equivariant
#     to $G$. The uniform distribution on $G$ is such a $\mu$.
#
# *Proof.* At $h \cdot x$ we may draw $g h^{-1}$ with $g \sim \mu(x)$. Its term is
# $\rho(g h^{-1})^{-1} f(g h^{-1} h \cdot x) = \rho(h)\, \rho(g)^{-1} f(g \cdot x)$, with mean $\rho(h) \bar f(x)$. If $g$
# is uniform on $G$, so is $g h^{-1}$. $\blacksquare$
#
# | route | $\mu(x)$ | $\bar f$ is equivariant |
# |---|---|---|
# | [by construction](04_averaged_layer.py) | any: all terms equal $f(x)$ already | exactly |
# | [canonicalization](07_canonicalization.py) | the one $g$ that sorts $x$ | exactly, if unique |
# | [symmetrization](08_symmetrization.py) | uniform on $G$; or $k$ draws | exactly; in expectation |
# | [augmentation](09_augmentation.py) | one draw in training, then $e$ | only as far as learned |
#
# The inverse in the formula is easy to forget. Without it the average over $S_4$ is not equivariant:

# %%
source = torch.Generator().manual_seed(1)
weight = torch.randn(8, 8, generator=source).double()
batch = torch.randn(50, 4, 2, generator=source).double()
S4 = symmetric_group(4)


def f(x):
    return torch.tanh(x.flatten(1) @ weight).view_as(x)


def error(F):
    return max(
        float((F(h(batch)) - h(F(batch))).abs().max()) for h in S4.generators
    )


errors = {
    "f": error(f),
    "average": error(lambda x: sum(g.inverse()(f(g(x))) for g in S4) / len(S4)),
    "no inverse": error(lambda x: sum(g(f(g(x))) for g in S4) / len(S4)),
}
print({name: f"{value:.1e}" for name, value in errors.items()})

# %% [markdown] slide="theorem"
# ## Counting orbits
#
# How many different sets are there, or, for any group, how many inputs that a network must tell apart?
#
# !!! theorem "Theorem (Burnside's lemma)"
#     The number of orbits is the mean number of fixed points,
#     $\frac1{\lvert G \rvert} \sum_{g \in G} \lvert \{x : g \cdot x = x\} \rvert$.
#
# *Proof.* Count the pairs $(g, x)$ with $g \cdot x = x$ in the other order. Each $x$ is in
# $\lvert G_x \rvert = \lvert G \rvert / \lvert Gx \rvert$ of them, so the members of one orbit have
# $\lvert G \rvert$ together. Hence there are $\lvert G \rvert$ pairs per orbit. $\blacksquare$
#
# Let the six members be bits. A string is fixed by $g$ if and only if it is constant on each cycle. So $g$ fixes
# $2^{c(g)}$ strings, where $c(g)$ is the number of cycles, and a point that stays counts as one. Beside the lemma we
# count by force: we name each string by the least number in its orbit, and count the names.

# %%
strings = torch.cartesian_prod(*[torch.arange(2)] * 6)
orbits = {}
for G in (symmetric_group(6), dihedral_group(6), cyclic_group(6)):
    elements = torch.cat(list(G.elements()))
    names = (strings[:, elements] @ 2 ** torch.arange(6)).amin(1).unique()
    fixed_strings = [2 ** (6 - sum(len(c) - 1 for c in g.cycles())) for g in G]
    orbits[G.name] = sum(fixed_strings) / G.order, len(names)
    print(G.name, "by the lemma {:.0f}, by force {}".format(*orbits[G.name]))

# %% [markdown]
# Under $S_6$ only the number of ones is left: seven sets in all. Under $C_6$ the strings are necklaces of six beads.
# $D_6$ can also turn a necklace over, and one fewer is left.
#
# ## Too many to list
#
# An exact average over $S_n$ has $n!$ terms. At a billion per second, the $20!$ orders of twenty members would take 77
# years. Sixty members have more orders than the observable universe has atoms (about $10^{80}$). So the route cannot be
# listing. Average over a small group or a sample, pick one order, or build a network to which all orders look the same:
# these are the chapters that follow.
#
# ## Check the claims

# %%
# Index, cycles, product, and the order in which the wrong product acts.
assert sigma.cycles() == ((0, 2, 4), (1, 5))
assert letters[images][0] == letters[2]
assert torch.equal(sigma(torch.arange(6)[:, None])[:, 0], torch.tensor(images))
assert right == p @ q
assert torch.equal(right(x), p(q(x)))
assert torch.equal(p(q(x)).flatten(), x.flatten().sort().values)
assert torch.equal(wrong(x), q(p(x)))
assert not torch.equal(wrong(x), p(q(x)))
assert (agree["C_4"], agree["S_3"]) == (1, 0.5)

# Two generators: the conjugates are swaps of neighbors.
S7 = symmetric_group(7)
shift, swap = S7.generators
power = Permutation.identity(7)
for k in range(6):
    assert power.inverse() @ swap @ power == Permutation.from_cycles(7, (k, k + 1))
    power = power @ shift

# Orbit and stabilizer, for points and for sets; a tie halves the orbit.
assert fixed == {"distinct": (6, 1), "tied": (3, 2)}
assert len(distinct[shifts].unique(dim=0)) == 3
assert (distinct[all_orders].diff() >= 0).all(1).sum() == 1
assert (ends.diff() >= 0).all()  # the edges of the shaded sector are sorted

# What each group keeps: S_6, A_6, D_6, C_6, S_3 x S_3.
marks = ["".join("-+"[held] for held in row) for row in invariant.values()]
assert marks == ["+++++", "-+---", "--++-", "---+-", "----+"]

# The average with the inverse is equivariant, without it it is not.
assert errors["average"] < 1e-12
assert min(errors["f"], errors["no inverse"]) > 0.1

# Burnside; D_6 has one necklace fewer; numbers of elements.
assert all(lemma == force for lemma, force in orbits.values())
assert orbits["S_6"][1] == strings.sum(1).unique().numel() == 7
assert orbits["C_6"][1] == orbits["D_6"][1] + 1
assert round(math.factorial(20) / 1e9 / (365.25 * 86_400)) == 77
assert math.factorial(60) > 1e80

# %% [markdown] slide="verdict"
# ## Summary
#
# - A permutation acts as an index, $(\sigma \cdot x)_i = x_{\sigma(i)}$, and then $p\,q$ is the index `q[p]`.
# - Two generators make $S_n$, and a symmetry that holds on the generators holds on the whole group.
# - A set is an orbit of $S_n$. The order of a group is the size of an orbit times that of a stabilizer.
# - A function that is invariant to a group is invariant to its subgroups: a smaller group keeps no less.
# - Averages over $\mu(x)$ make a network equivariant, if $\mu$ moves with $x$ and the formula has its inverse.
# - Burnside's lemma counts orbits. The $n!$ elements of $S_n$ are too many to list from about twenty members on.
#
# ## Where the field went
#
# [Cohen and Welling (2016)](../bibliography.md#cohen-2016) replaced the shifts of a convolutional network by a larger
# group, with rotations and reflections of the image, whose elements all share one set of weights. [Kondor and Trivedi
# (2018)](../bibliography.md#kondor-2018) proved that, under natural conditions, such a convolution is not only
# sufficient but also necessary for a layer that is equivariant to a compact group. [Bronstein et al.
# (2021)](../bibliography.md#bronstein-2021) turned this into a plan for the whole field: name the domain and its symmetry
# group, then stack equivariant layers. Convolutions, networks on graphs and on sets, and transformers are examples.
#
# The other branch keeps an ordinary network and averages. [Puny et al. (2022)](../bibliography.md#puny-2022) average
# over a few elements that depend on the input, and [Kim et al. (2023)](../bibliography.md#kim-2023) learn the
# distribution $\mu(x)$. How many invariants does it take to tell all orbits apart? [Dym and Gortler
# (2022)](../bibliography.md#dym-2022) answer for generic ones.
#
# ## Exercises
#
# **1.** Let $p = (0\ 1\ 2)$ and $q = (0\ 1)$ in $S_3$. Find $p\,q$ and $q\,p$ by hand, each as the list of its images.
#
# ??? success "Solution"
#     $p\,q$ maps by $p$ first: $0 \to 1 \to 0$, $1 \to 2 \to 2$, $2 \to 0 \to 1$, so $p\,q = (1\ 2)$.
#     And $q\,p$: $0 \to 1 \to 2$, $1 \to 0 \to 1$, $2 \to 2 \to 0$, so $q\,p = (0\ 2)$.

# %% exercise="1"
answer_1 = ...  # two lists: the images of p q, and those of q p

# %% solution="1"
p, q = Permutation([1, 2, 0]), Permutation([1, 0, 2])
answer_1 = [(p @ q).index_tensor.tolist(), (q @ p).index_tensor.tolist()]

# %% check="1"
check_1 = AnswerCheck("01.1", digest="64cafe1554ff3a5c")
check_1(answer_1)

# %% wrong="1"
wrong_1 = [answer_1[::-1], answer_1[:1] * 2, [[1, 2, 0], [1, 0, 2]]]
check_1.holds(answer_1, wrong=wrong_1)

# %% [markdown]
# **2.** Two elements $h$ and $g h g^{-1}$ are called *conjugate*; the conjugates of $h$ form its *class*. Show that the
# share of pairs with $p\,q = q\,p$ is the number of classes divided by $\lvert G \rvert$. What is it for $S_6$?
#
# ??? success "Solution"
#     Let $G$ act on itself by $g \cdot h = g h g^{-1}$. The orbits are the classes, and $g$ fixes the $h$ that commute
#     with it. By Burnside's lemma the number of classes is the number of commuting pairs over $\lvert G \rvert$; divide
#     by $\lvert G \rvert$ once more. In $S_n$ a class is a choice of cycle lengths, so it is a partition of $n$ into a
#     sum. There are 11 ways to write 6, and the share is $11 / 6!$.

# %% exercise="2"
answer_2 = ...  # the share, to three digits

# %% solution="2"
classes = {tuple(sorted(map(len, g.cycles()))) for g in symmetric_group(6)}
answer_2 = len(classes) / math.factorial(6)

# %% check="2"
check_2 = AnswerCheck("01.2", digest="d214d717a39ffc7e")
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[11, 6 / math.factorial(6), 11 / 36, agree["S_5"]])

# %% [markdown]
# **3.** Write `neighbors(sigma)`: numbers $k_1, \dots, k_m$ such that $\sigma = t_1 \cdots t_m$, where $t_j$ swaps the
# points $k_j$ and $k_j + 1$.
#
# ??? success "Solution"
#     The proof of the theorem is the program: sort the images by swaps of neighbors, and note where.


# %% exercise="3"
def neighbors(sigma): ...


# %% solution="3"
def neighbors(sigma):
    images, swaps = sigma.index_tensor.tolist(), []
    for _ in images:
        for k in range(len(images) - 1):
            if images[k] > images[k + 1]:
                images[k], images[k + 1] = images[k + 1], images[k]
                swaps.append(k)
    return swaps


# %% check="3"
def law_3(neighbors):
    for n in (2, 3, 5):
        for sigma in symmetric_group(n):
            product = Permutation.identity(n)
            for k in neighbors(sigma):
                product = product @ Permutation.from_cycles(n, (k, k + 1))
            assert product == sigma, f"{sigma} has become {product}"


check_3 = CodeCheck("3", law_3)
check_3(neighbors)

# %% wrong="3"
check_3.holds(
    neighbors,
    wrong=[
        lambda sigma: neighbors(sigma)[::-1],
        lambda sigma: neighbors(sigma.inverse()),
        lambda sigma: [c[0] for c in sigma.cycles()],
    ],
)

# %% [markdown]
# **4.** Write `orbit(x, generators)` for a vector of $n$ integers: all its different orders under the group, one per row,
# found without listing the group.
#
# ??? success "Solution"
#     Apply every generator to every order found so far, until nothing new turns up. Inverses need no care: in a finite
#     group the inverse of a generator is one of its powers.


# %% exercise="4"
def orbit(x, generators): ...


# %% solution="4"
def orbit(x, generators):
    found, size = x[None], 0
    while len(found) > size:
        size = len(found)
        moved = [found[:, g.index_tensor] for g in generators]
        found = torch.cat([found, *moved]).unique(dim=0)
    return found


# %% check="4"
def law_4(orbit):
    for x in torch.tensor([[1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 0, 1]]):
        for group in (cyclic_group(6), dihedral_group(6), symmetric_group(6)):
            listed = x[torch.cat(list(group.elements()))].unique(dim=0)
            found = orbit(x, group.generators)
            assert len(found) == len(listed), f"{len(found)} orders"
            assert torch.equal(found.unique(dim=0), listed)


check_4 = CodeCheck("4", law_4)
check_4(orbit)

# %% wrong="4"
check_4.holds(
    orbit,
    wrong=[
        lambda x, generators: torch.stack([x[g.index_tensor] for g in generators]),
        lambda x, generators: orbit(x, generators[:1]),
        lambda x, generators: x[torch.cat(list(symmetric_group(6).elements()))],
    ],
)

# %% [markdown]
# **5.** Members are now letters of an alphabet of $a$. How many sets of $n$ members are there? What does Burnside's lemma
# say about $\sum_g a^{c(g)}$? Give the number of sets for $n = 10$ and $a = 5$.
#
# ??? success "Solution"
#     How often each letter occurs determines a set: $n$ stars divided by $a - 1$ bars, $\binom{n + a - 1}{n}$ ways.
#     These are the orbits of $S_n$, and $g$ fixes $a^{c(g)}$ strings, so
#     $\sum_{g \in S_n} a^{c(g)} = n! \binom{n + a - 1}{n} = a (a + 1) \cdots (a + n - 1)$.

# %% exercise="5"
answer_5 = ...

# %% solution="5"
answer_5 = math.comb(10 + 5 - 1, 10)

# %% check="5"
check_5 = AnswerCheck("01.5", digest="273561725f9ea256", digits=4)
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[5**10, math.comb(10, 5), math.comb(15, 5), 10**5])

# %% [markdown]
# ## Sources
#
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*, chapter 1: actions, orbits.
# - [Neumann (1979)](../bibliography.md#neumann-1979), *A Lemma That Is Not Burnside's*: Cauchy and Frobenius knew it.
