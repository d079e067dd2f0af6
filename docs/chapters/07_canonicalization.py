# %% [markdown] slide="question"
# # Canonicalization
#
# !!! abstract "What you will be able to do"
#     - Make any network exactly invariant by sorting its input, and undo the sort for equivariant outputs.
#     - Find a canonical form under any permutation group, such as that of Rubik's cube, and say what ties cost.
#     - Prove that no canonicalization of vectors is continuous, and mend it with weighted frames or sorted projections.
#     - Tell apart what a frame gains by averaging and what it gains by continuity.
#
# The shortest way to ignore the order of a set is to put the set in order. Sort the rows first, and every network
# behind the sort is invariant. What does this cost, and does the network learn better for it?

# %%
import itertools

import torch
from matplotlib import pyplot as plt
from torch.nn import Sequential

from invariant_nets import (
    CanonicalModel,
    DirectionFrame,
    GaussianTask,
    ModelSpec,
    SortPooling,
    canonical_form,
    compare,
    mlp,
    rubiks_cube_group,
    symmetric_group,
    test_invariant,
    transformer,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, K = 10, 5, 8

# %% [markdown] slide="theorem"
# ## One representative of each orbit
#
# A *canonicalization* $c$ takes all of an orbit $\{\sigma \cdot x : \sigma \in S_n\}$ to one and the same matrix of it:
#
# $$ c(x) \in S_n\, x, \qquad c(\sigma \cdot x) = c(x) \quad \text{for all } \sigma . $$
#
# !!! theorem "Theorem (canonicalization)"
#     For every $f$, the function $\bar f = f \circ c$ is invariant; and if $f$ is invariant already, $\bar f = f$.
#
# *Proof.* $\bar f(\sigma x) = f(c(\sigma x)) = f(c(x)) = \bar f(x)$. The point $c(x)$ lies in the orbit of $x$, so an
# invariant $f$ has $f(c(x)) = f(x)$. $\blacksquare$
#
# In the [one equation](../index.md) $\mu(x)$ is one permutation, which sorts $x$. We sort rows as a dictionary does: by
# the first feature, ties by the second, and so on. Stable sorts do this, last feature first. The package does the same:


# %%
def sorted_rows(x):
    for j in reversed(range(x.shape[2])):
        order = x[:, :, j].argsort(dim=1, stable=True)  # ties keep their order
        x = x.gather(1, order[..., None].expand_as(x))
    return x


torch.manual_seed(0)
sets, backbone = torch.randn(128, n, d), mlp(n, d)
assert torch.equal(backbone(sorted_rows(sets)), CanonicalModel(backbone)(sets))

# %% [markdown] slide="theorem"
# An *equivariant* output must undo the sort: if $c(x) = \sigma \cdot x$, then $\bar f(x) = \sigma^{-1} f(\sigma
# \cdot x)$. With two equal rows there are two such $\sigma$. [`CanonicalModel(…,
# equivariant=True)`][invariant_nets.CanonicalModel] takes the mean over all, so equal rows share their output (exercise 2).
#
# ## Any permutation group
#
# Every finite group $G$ has a canonicalization: of all $g \cdot x$ take the first in a dictionary. There are $4 \cdot
# 10^{19}$ of them for Rubik's cube, but a [chain of stabilizers](a_computing_groups.py) saves the search. In $G = G_0 >
# G_1 > \dots > \{e\}$ the group $G_{j+1}$ holds the elements of $G_j$ that leave a *base point* $b_j$ where it is. For
# each point $p$ to which $G_j$ can take $b_j$ we keep one element $u_p$ with $u_p(b_j) = p$. The *greedy descent*
# replaces $x$, level by level, by that $u_p \cdot x$ which has the least entry in place $b_j$.
#
# !!! theorem "Theorem (greedy canonical form)"
#     If no two entries of $x$ are equal, the greedy descent ends at the first element of the orbit $Gx$ in a dictionary
#     that reads the places $b_0, b_1, \dots$ So it is a canonicalization.
#
# *Proof.* The entry of $g \cdot x$ in place $b_0$ is $x_{g(b_0)}$, which is least for a single $p = g(b_0)$. All $g$ with
# $g(b_0) = p$ are $h u_p$ with $h \in G_1$, and $h u_p \cdot x = h \cdot (u_p \cdot x)$ has the same entry in place $b_0$
# for all $h$. The next level chooses $h$, and so on. This first element depends on the orbit alone. $\blacksquare$


# %%
def chain(group):
    levels = []
    while group.order > 1:
        orbit = min((o for o in group.orbits() if len(o) > 1), key=len)
        chosen = {orbit[0]: torch.arange(group.degree)}  # u_p for each p
        generators = [g.index_tensor for g in group.generators]
        while len(chosen) < len(orbit):
            for p, g in itertools.product(list(chosen), generators):
                chosen.setdefault(int(g[p]), g[chosen[p]])  # g takes p to g(p)
        levels.append((torch.tensor([*chosen]), torch.stack([*chosen.values()])))
        group = group.stabilizer(orbit[0])
    return levels


def greedy(x, levels):  # (batch, n)
    for points, elements in levels:
        best = x[:, points].argmin(1)  # the first one, if several are least
        x = x.gather(1, elements[best])
    return x


cube = rubiks_cube_group()
levels, turns = chain(cube), cube.sample(4096, torch.Generator().manual_seed(1))
stickers = torch.randn(4096, 48)
turned = stickers.gather(1, turns)
form = canonical_form(stickers[..., None], cube)[..., 0]
assert torch.equal(form, greedy(stickers, levels))
assert torch.equal(form, greedy(turned, levels))
print(f"{cube.order:.0e} elements, {sum(len(p) for p, _ in levels)} comparisons")

# %% [markdown]
# **Ties.** A real cube has eight stickers of each color, and then several $u_p$ bring the least entry. All of them must
# go on as candidates, but of two that an *automorphism* of $x$, an element of $G_x$, exchanges one is enough.
# [`canonical_form`][invariant_nets.canonical_form] finds automorphisms where greedy descents from two candidates end at
# the same set, and [`CanonicalModel(f, group=G)`][invariant_nets.CanonicalModel] puts the form before any network.
#
# How many results have 500 scrambled cubes? And all 64 graphs of four nodes, as matrices whose rows and columns $S_4$
# permutes together? Up to the order of nodes there are 11. And the cubes together with 500 on which one edge was flipped,
# which no turns can solve? The controls are the greedy descent and a plain sort of all entries.

# %%
solved = torch.arange(6.0).repeat_interleave(8).repeat(500, 1)
flipped = solved.clone()
flipped[:, [6, 17]] = solved[:, [17, 6]]  # the two stickers of one edge
scrambled, unsolvable = (x.gather(1, turns[:500]) for x in (solved, flipped))
graphs, (i, j) = torch.zeros(64, 4, 4), torch.triu_indices(4, 4, 1)
graphs[:, i, j] = graphs[:, j, i] = torch.cartesian_prod(*[torch.arange(2.0)] * 6)
named = {"cubes": (scrambled, cube)}
named["graphs"] = graphs.flatten(1), symmetric_group(4).on_tuples(2)
named["cubes of both kinds"] = torch.cat((scrambled, unsolvable)), cube
results = []
for name, (x, group) in named.items():
    exact, first = canonical_form(x[..., None], group), greedy(x, chain(group))
    forms = {"exact": exact, "greedy": first, "sort": x.sort(1).values}
    counts = {way: len(form.unique(dim=0)) for way, form in forms.items()}
    results.append({"of": name} | counts)
try:
    canonical_form(scrambled[..., None] > 2, cube, limit=2)  # cubes of two colors
except ValueError as error:
    print(refusal := str(error))
table(results)

# %% [markdown] slide="theorem"
# The greedy descent has too many results: at a tie, the order of arrival decides. A sort has too few: it leaves the orbit.
# The exact form tells whether a cube can be solved, or two graphs are the same. For the latter [no polynomial algorithm is
# known](../bibliography.md#mckay-2014). With more open candidates than `limit`, here for cubes of two colors, the
# package raises this error; graphs it hands on to igraph where that is installed (the extra `graphs`).
#
# ## The tear
#
# For $d = 1$ sorting is continuous (exercise 1). For $d > 1$ it is not: where two rows tie in the first feature, they
# change places *with all their other features*. The set moves smoothly, and the sorted set jumps; we call this a *tear*.
#
# !!! theorem "Theorem (Dym et al., 2024)"
#     For $d \ge 2$ and $n \ge 2$, no canonicalization of $\mathbb R^{n \times d}$ under $S_n$ is continuous.
#
# *Proof.* Let $c$ be continuous and $x$ have distinct rows. Then $c(x) = \sigma_x x$ for exactly one $\sigma_x$. The
# other $\sigma x$ are a positive distance away, so $\sigma_x$ cannot change under a small move of $x$. Sets with
# distinct rows are connected, because two rows agree only on a subspace of codimension $d \ge 2$, which a path can
# avoid. So $\sigma_x = \sigma$ is the same for all of them. But $c(\tau x) = c(x)$ then says $\sigma\tau x = \sigma
# x$, so $\tau$ is the identity. With $n \ge 2$ there is another $\tau$: a contradiction. $\blacksquare$
#
# **Try it.** Each row ends with its place in the sorted order. Swap rows: no model moves. Then pull an entry of column $a$
# past that of another row. The two numbers change places, and there `canonical-mlp` jumps, while `intrinsic` glides on.
#
# <div data-play="playground" data-needs="playground claims" data-models="canonical-mlp intrinsic" data-actions="swap shuffle edit"></div>
#
# ## Frames: several orders instead of one
#
# The way out is not to choose. A *frame* ([Puny et al., 2022](../bibliography.md#puny-2022)) assigns to each $x$ a
# nonempty finite set $\mathcal F(x)$ of group elements, with $\mathcal F(\tau x) = \mathcal F(x)\, \tau^{-1}$.
#
# !!! theorem "Theorem (frame averaging)"
#     The mean $\bar f(x)$ of $f(g \cdot x)$ over $g \in \mathcal F(x)$ is invariant, and $\bar f = f$ if $f$ is.
#
# *Proof.* The elements of $\mathcal F(\tau x)$ are $g\tau^{-1}$ with $g \in \mathcal F(x)$, and $f(g\tau^{-1} \cdot
# \tau x) = f(g \cdot x)$. If $f$ is invariant, all terms are $f(x)$. $\blacksquare$
#
# All of $S_n$ is a frame, whose mean is [symmetrization](08_symmetrization.py), and $\{g : g \cdot x = c(x)\}$ is another.
# Does averaging mend the tear? Sort the rows by their *height* $x_i \cdot a$ along each of $K$ directions $a_k$, and
# average: each sort still tears, only by a $K$-th as much. With equal weights no frame but $S_n$ mends it for all $f$:
# let $f$ be a bump around one point $\sigma x$ that vanishes at the rest of the orbit. Near $x$, $\bar f$ is about
# $1/\lvert\mathcal F\rvert$ if $\sigma \in \mathcal F$, and 0 if not. If it is continuous, $\mathcal F$ is locally constant,
# and, as above, constant where all rows differ. From $\mathcal F = \mathcal F\tau^{-1}$ follows $\mathcal F = S_n$.
#
# So we give the orders weights, with $w_{g\tau^{-1}}(\tau x) = w_g(x)$ and sum 1; the invariance proof stays the same.
# Weigh each order by its share of the sphere of directions that sort $x$ in this way. Then $\bar f$ is continuous if $f$
# is, by bounded convergence: along almost every $a$ different rows of $x$ have different heights, so near $x$ they keep
# their order, and rows that are equal in $x$ stay close to each other. In the plane the order changes at $n(n-1)$ angles
# only, and [`CircleFrame`][invariant_nets.CircleFrame] returns all orders. In more dimensions
# [`DirectionFrame`][invariant_nets.DirectionFrame] takes $K$ directions, and weights that fade where a sort may tear:
#
# $$ \bar f(x) = \sum_k w_k(x)\, f(x \text{ sorted along } a_k), \qquad
#    w_k(x) \propto \min_{x_i \ne x_j} \lvert a_k \cdot (x_i - x_j) \rvert . $$
#
# This is continuous where all rows differ and some direction tells them all apart: each sort is locally constant, or its
# weight is zero. It is *not* where two rows meet: all weights then tend to zero, and their ratios depend on the side. So
# a tear of codimension 1 (two heights tie) gives way to one of codimension $d$ (two rows meet), which a path can avoid.
#
# ## Sorted projections
#
# Sorting *every column by itself* is continuous, but blind to which entries stood in one row: it takes $\{(0, 0),
# (1, 1)\}$ and $\{(0, 1), (1, 0)\}$ to the same matrix. With the sum of both features as a third column they differ. So
# sort the columns of $xA$, the heights along many directions, the columns of $A \in \mathbb R^{d \times D}$:
#
# !!! theorem "Theorem (sorted projections)"
#     The map $x \mapsto \mathrm{sort}(xA)$ is invariant to $S_n$ and Lipschitz with constant $\lVert A \rVert$, the
#     largest singular value of $A$. If any $d$ directions are independent and $D \ge n(d-1) + 1$, it takes the same
#     value at $x$ and $y$ if and only if $y = \sigma x$ for some $\sigma$. For $d = 2$ one direction fewer is not enough.
#
# *Proof.* Sorting is the best matching of two lists, so it does not increase their distance; this gives the constant.
# Let the sorted columns agree. Along each direction some row of $y$ has the height of the row $x_i$. There are $n$ rows
# and more than $n(d-1)$ directions, so one row of $y$ has the height of $x_i$ along $d$ of them, a basis, and equals
# $x_i$. So $x$ and $y$ have the same rows, up to how often each occurs. Every other row ties with $x_i$ along at most
# $d-1$ directions, $(n-1)(d-1) < D$ in all. Along one that is left, the height of $x_i$ occurs as often as $x_i$ does,
# in $x$ and in $y$. For $d = 2$ take the even and the odd corners of a regular $2n$-gon: $n$ reflections exchange them,
# and each keeps all heights along its axis. $\blacksquare$
#
# [`SortPooling`][invariant_nets.SortPooling] is this map with learned directions; with one weight for each place and
# direction it is the pool of [Zhang et al. (2020)](../bibliography.md#zhang-2020). A frame calls $f$ on the set itself,
# $K$ times, and can undo its orders. Sorted projections need one call of $f$, and there is no order to undo.


# %%
def direction_average(f, x, a):
    heights, orders = (x @ a.T).mT.sort(dim=-1)  # (batch, K, n)
    gaps = heights.diff(dim=-1).amin(-1, keepdim=True)  # the smallest
    y = [f(x.gather(1, o[..., None].expand_as(x))) for o in orders.unbind(1)]
    return (gaps * torch.stack(y, 1)).sum(1) / gaps.sum(1)


by_gaps, pool = DirectionFrame(d, K), SortPooling(d, n)
with torch.no_grad():
    mine = direction_average(backbone, sets, by_gaps.directions)
    torch.testing.assert_close(mine, CanonicalModel(backbone, frame=by_gaps)(sets))
    torch.testing.assert_close((sets @ pool.directions).sort(1).values, pool(sets))

angles = torch.arange(2000, dtype=torch.float64) * torch.pi / 1000
around = torch.stack((angles.cos(), angles.sin()))  # 2,000 directions
corners = around[:, ::100].T  # of a polygon with 2n = 20 sides
even, odd = ((corners[k::2] @ around).sort(0).values for k in (0, 1))
apart = (even - odd).abs().amax(0)
axes = torch.arange(2000) % 100 == 50  # n of them, each in both senses

# %% alt="The largest difference between the sorted heights of the even and of the odd corners of the polygon, against the angle of the direction. It is zero at twenty angles, those of the ten axes, and positive between them." slide="picture"
fig, ax = plt.subplots(figsize=(8, 2.2))
ax.plot(angles, apart, "-", angles[axes], apart[axes], "o")
ax.set(xlabel="angle of the direction", ylabel="difference")
plt.show()

# %% [markdown]
# Now move one row past the others, along a line in the plane. With steps ten times as fine, the largest change between
# neighbors falls to a tenth if the function is continuous with a slope, and stays if it jumps.


# %%
def equally(orders):  # (batch, K, n)
    return orders, torch.full(orders.shape[:2], 1 / orders.shape[1])


torch.manual_seed(11)
flat, wide = mlp(n, 2).double(), mlp(n, n + 1)
gaps = DirectionFrame(2, K, seed=1)
in_plane = {
    "lexicographic sort": CanonicalModel(flat),
    "equal weights": CanonicalModel(flat, frame=lambda x: equally(gaps(x).orders)),
    "gap weights": CanonicalModel(flat, frame=gaps),
    "sorted projections": Sequential(SortPooling(2, n), wide).double(),
}
start = torch.randn(n, 2, dtype=torch.float64)
start[0] = torch.tensor([-2.0, 1.0])
end = torch.cat((-start[:1], start[1:]))
t = torch.linspace(0, 1, 5001, dtype=torch.float64)[:, None, None]
paths, changes = {}, []
for name, f in in_plane.items():
    with torch.no_grad():
        y = paths[name] = f(start + t * (end - start)).flatten()
    coarse, fine = (y[::k].diff().abs().max().item() for k in (10, 1))
    changes.append({"behind": name, "500 steps": coarse, "5,000 steps": fine})
table(changes, digits={"500 steps": 6, "5,000 steps": 6}, caption="largest change")

# %% moves="meeting" alt="Output of one network along a path on which one point moves past nine others. Behind the lexicographic sort it makes a few large jumps; behind eight directions with equal weights it makes more and smaller jumps; with gap weights it is a continuous curve with kinks." slide="picture"
fig, ax = plt.subplots(figsize=(8, 3.2))
for name in list(in_plane)[:3]:
    y = paths[name].clone()
    y[1:][paths[name].diff().abs() > 1e-3] = torch.nan  # lift the pen at a jump
    ax.plot(torch.linspace(0, 1, len(y)), y, lw=1.6, label=name)
ax.set(xlabel="position on the path", ylabel="output of the network")
ax.legend()
plt.show()

# %% [markdown]
# ## Training
#
# Which of these models learns well, and why? If continuity helped, equal weights, which jump, would fall behind gap
# weights. If the sorts helped, both would beat $K$ *fixed random orders*, which sort nothing and are not invariant.
# [`compare`][invariant_nets.compare] trains each model from four seeds on 144 batches of 60 fresh sets, at the one of
# two learning rates with the lower loss on validation sets; differences are paired over 8,000 test sets.

# %%
fixed = torch.rand(K, n, generator=torch.Generator().manual_seed(4)).argsort(1)
frames = {
    "gap weights": by_gaps,
    "equal weights": lambda x: equally(by_gaps(x).orders),
    "fixed orders": lambda x: equally(fixed.expand(len(x), K, n)),
}
builders = {
    "mlp": mlp,
    "one sort": lambda n, d: CanonicalModel(mlp(n, d)),
    "sorted projections": lambda n, d: Sequential(SortPooling(d, n, K), mlp(n, K)),
}
for name, frame in frames.items():
    builders[name] = lambda n, d, f=frame: CanonicalModel(mlp(n, d), frame=f)
specs = {name: ModelSpec(build, "", "", 7) for name, build in builders.items()}
task = GaussianTask(train_sets=2_880, validation_sets=500, test_sets=8_000)
budget = {"epochs": 3, "batch_size": 60, "schedule": "cosine", "seeds": 4}
comparison = compare(specs, task, lr=[3e-3, 1e-2], **budget)
rows, x = [], task.test_data().x[:100].double()
for name, result in ((name, comparison[name]) for name in builders):
    invariant = all(test_invariant(run.model.double(), x) for run in result.runs)
    gain = "{:+.3f} ± {:.3f}".format(*comparison["mlp"].behind(result))
    row = {"model": name, "accuracy": result.score, "over mlp": gain}
    rows.append(row | {"invariant": str(invariant)})
table(rows, caption=f"limit {task.bayes_accuracy:.3f}")

# %% [markdown]
# **Averaging makes the frame; neither its continuity nor its sorts do.** Equal weights, which jump, learn as well as gap
# weights, to within two points. So do fixed random orders, which sort nothing and are not invariant. What the three
# share is that they average eight readings of each set: their gain is that of [symmetrization](08_symmetrization.py).
# Sorted projections gain points too, and average nothing. **Continuity is for robustness:** on the path above one step
# of 5,000 moves the output behind one sort by more than half of its range, behind gap weights by several times less.
#
# ## Check the claims

# %%
# A model of the cube; orbits where entries tie; the refusal.
of_cube = CanonicalModel(mlp(48, 1), group=cube)
assert torch.equal(of_cube(turned[..., None]), of_cube(stickers[..., None]))
assert [row["exact"] for row in results] == [1, 11, 2]
assert [row["sort"] for row in results] == [1, 7, 1]
assert min(row["greedy"] for row in results) > 20
assert "more than limit=2 equally good candidates" in refusal

# Along n axes of the polygon the sorted heights agree, along every other direction not.
assert apart[axes].max() < 1e-14 < 1e-4 < apart[~axes].min()

# One sort and equal weights jump; the others do not.
coarse, fine = ([row[key] for row in changes] for key in list(changes[0])[1:])
ratio = [b / a for a, b in zip(coarse, fine, strict=True)]
assert min(ratio[:2]) > 0.9 > 0.3 > max(ratio[2:])
assert fine[0] > 1.5 * fine[1] > 3 * fine[2]
y = paths["lexicographic sort"]
assert fine[0] > max(0.5 * (y.max() - y.min()), 5 * fine[2])

# Averaging helps, with or without continuity, with or without a sort.
for name in [*frames, "sorted projections"]:
    for other in ("mlp", "one sort"):
        more, error = comparison[other].behind(comparison[name])
        assert more - 3 * error > 0.02, (name, other)
for name in ("equal weights", "fixed orders"):
    more, error = comparison["gap weights"].behind(comparison[name])
    assert more - 3 * error > -0.02, name
assert [row["invariant"] for row in rows] == ["False", *["True"] * 4, "False"]

# %% [markdown] slide="verdict"
# ## Summary
#
# - A canonicalization sorts first and makes every network exactly invariant. Equivariant outputs undo the sort.
# - A greedy descent of a stabilizer chain puts distinct entries in canonical form, under any group. Ties need a search.
# - For $d \ge 2$ no canonicalization of sets is continuous, and no frame with equal weights but all of $S_n$ mends it.
#   Weights that fade at a tear do. Of sorted projections, which are Lipschitz, $n(d-1)+1$ separate all orbits.
# - A frame gains by averaging: controls that jump, or do not sort, learn as well. Continuity prevents jumps.
#
# ## Where the field went
#
# The order can be learned: an equivariant network gives each row a key, and the rows are sorted by key, with or without
# noise ([chapter 15](15_learned_orders.py)). [Kaba et al. (2023)](../bibliography.md#kaba-2023) learn
# canonicalizations, [Mondal et al. (2023)](../bibliography.md#mondal-2023) put one before large pretrained models, and
# [Kim et al. (2023)](../bibliography.md#kim-2023) learn a distribution over group elements. [Lin et al.
# (2024)](../bibliography.md#lin-2024) construct minimal frames, [Ma et al. (2024)](../bibliography.md#ma-2024) relate
# them to canonical forms, and [Lin and Levie (2026)](../bibliography.md#lin-2026) choose the representative of which
# the network is most confident. [Balan et al. (2022)](../bibliography.md#balan-2022) show that sorted projections
# separate orbits, [Dym et al. (2026)](../bibliography.md#dym-2026) bound how they distort distances, and [Naderializadeh
# et al. (2021)](../bibliography.md#naderializadeh-2021) compare them with those of a reference set.
#
# ## Exercises
#
# **1.** For $d = 1$ sorting is continuous: if no entry of $x$ and $y$ differs by more than $\varepsilon$, no entry of the
# sorted lists does. Show it. For $x = (0.9, 0.1, 0.4, 0.6)$ and $y = (0.5, 0.45, 0.8, 0.15)$, what is the largest
# difference of two entries, before sorting and after?
#
# ??? success "Solution"
#     If $k$ entries of $x$ are at most $t$, then $k$ entries of $y$ are at most $t + \varepsilon$, and vice versa.

# %% exercise="1"
answer_1 = ...  # a pair: the largest difference before, and after

# %% solution="1"
u = torch.tensor([[0.9, 0.1, 0.4, 0.6], [0.5, 0.45, 0.8, 0.15]])
answer_1 = [(v[0] - v[1]).abs().max().item() for v in (u, u.sort(1).values)]

# %% check="1"
check_1 = AnswerCheck("07.1", digest="0b0e49f172305057", digits=2)
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(0.45, 0.45), (0.4, 0.1), (0.45, 0.05)])

# %% [markdown]
# **2.** Build the equivariant output of one set: apply $f$ to the sorted rows of $x$, undo the sort, and let equal rows
# share the mean of their outputs. Why is that the mean over all $\sigma$ with $\sigma \cdot x = c(x)$?
#
# ??? success "Solution"
#     The others are $\sigma h$, where $h$ permutes equal rows, and $(\sigma h)^{-1} f(c(x)) = h^{-1} (\sigma^{-1} f(c(x)))$.


# %% exercise="2"
def sorted_and_back(f, x):
    """Return f of the sorted rows of x (n, d), one row of output for each row of x."""
    ...


# %% solution="2"
def sorted_and_back(f, x):
    rows, places = x.unique(dim=0, return_inverse=True)  # unique rows are sorted
    y = f(x[places.argsort()])[places.argsort().argsort()]
    return torch.stack([y[places == i].mean(0) for i in range(len(rows))])[places]


# %% check="2"
def law_2(sorted_and_back):
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(2))
    x[4] = x[1]
    y, moved = (sorted_and_back(lambda z: z.cumsum(0), v) for v in (x, x.flip(0)))
    assert torch.allclose(y.flip(0), moved), "rows in another order: outputs too"
    assert torch.allclose(y[4], y[1]), "equal rows should have equal outputs"
    assert torch.allclose(y.sum(0), sorted_rows(x[None])[0].cumsum(0).sum(0))


check_2 = CodeCheck("2", law_2)
check_2(sorted_and_back)

# %% wrong="2"
wrong_2 = [
    lambda f, x: f(x),
    lambda f, x: f(sorted_rows(x[None])[0]),  # not undone
    lambda f, x: f(x[(o := x[:, 0].argsort(stable=True))])[o.argsort()],  # no mean
]
check_2.holds(sorted_and_back, wrong=wrong_2)

# %% [markdown]
# **3.** Build a test whether two graphs are the same up to the order of their nodes.
#
# ??? success "Solution"
#     They are if and only if they have one canonical form under $S_n$ on pairs of nodes.


# %% exercise="3"
def isomorphic(a, b):
    """Return whether the nodes of a can be put in an order in which it is b, (n, n)."""
    ...


# %% solution="3"
def isomorphic(a, b):
    group = symmetric_group(len(a)).on_tuples(2)
    return torch.equal(*canonical_form(torch.stack((a, b)), group))


# %% check="3"
def law_3(isomorphic):
    three, six = (torch.ones(k, k).triu(1).tril(1) for k in (3, 6))
    three[0, 2] = six[0, 5] = 1
    six, triangles = six + six.T, torch.block_diag(*[three + three.T] * 2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert isomorphic(six, six[order][:, order]), "nodes may come in any order"
    assert not isomorphic(six, triangles), "two triangles are no hexagon"


check_3 = CodeCheck("3", law_3)
check_3(isomorphic)

# %% wrong="3"
wrong_3 = [
    torch.equal,
    lambda a, b: torch.equal(a.sum(0).sort().values, b.sum(0).sort().values),
    lambda a, b: torch.equal(*sorted_rows(torch.stack((a, b)))),
]
check_3.holds(isomorphic, wrong=wrong_3)

# %% [markdown]
# **4.** How many generic directions are enough for `DirectionFrame`, so that for every set of ten different rows in
# $\mathbb R^5$ one of them tells all rows apart? And how many for `SortPooling`, so that it separates all sets of ten?
#
# ??? success "Solution"
#     At most $d - 1$ of generic directions are perpendicular to $x_i - x_j$, so the $n(n-1)/2$ pairs spoil at most
#     $(d-1)\,n(n-1)/2$ of them. One more is enough. For the pool $n(d-1) + 1$ are: it may meet ties.

# %% exercise="4"
answer_4 = ...  # a pair of numbers

# %% solution="4"
answer_4 = (d - 1) * n * (n - 1) // 2 + 1, n * (d - 1) + 1

# %% check="4"
check_4 = AnswerCheck("07.4", digest="bb89f67a46c3a4a7")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[(180, 40), (46, 11), (181, 181)])

# %% [markdown]
# **5.** `code, layer, norm, *readout = transformer(n, d)` takes a transformer apart into a positional code, attention, a
# norm and a readout that has a weight for each entry. Is it invariant as it is? Without the code? Without the code, if
# the rows are averaged in place of the readout? Answer with three truth values.
#
# ??? success "Solution"
#     Attention treats all rows alike; only the code and the readout tell them apart.

# %% exercise="5"
answer_5 = ...  # as it is; without the code; without the code and the readout

# %% solution="5"
code, layer, norm, *readout = as_it_is = transformer(n, d)
models = as_it_is, as_it_is[1:], lambda x: norm(layer(x)).mean(1)
answer_5 = [test_invariant(f, sets).holds for f in models]

# %% check="5"
check_5 = AnswerCheck("07.5", digest="2c7c0c219291b466")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(True,) * 3, (False, True, True), (False,) * 3])

# %% [markdown]
# ## Sources
#
# [Dym et al. (2024)](../bibliography.md#dym-2024): the theorem on continuity, and weighted frames. [Puny et al.
# (2022)](../bibliography.md#puny-2022): frame averaging.
