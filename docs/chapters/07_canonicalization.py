# %% [markdown]
# # Canonicalization
#
# !!! abstract "What you will be able to do"
#     - Make any network exactly invariant by sorting its input, and undo the sort for equivariant outputs.
#     - Find a canonical form for $S_n$, $C_n$ and $S_n \times S_d$, and say what it costs.
#     - Define a frame, and prove that no canonicalization of vectors is continuous.
#     - Repair the jumps with weights, or with sorted projections.
#     - Tell apart what a frame gains by averaging and what it gains by continuity.
#
# The shortest way to ignore the order of a set is to put the set in order. Sort the rows first, and every network
# behind the sort is invariant. What does this cost, and does the network learn better for it?

# %%
import itertools
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from invariant_nets import (
    MODELS,
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    bayes_accuracy,
    columnwise_sort,
    cyclic_group,
    direct_product,
    least_rotation,
    lexicographic_sort,
    mlp,
    row_column_sort,
    symmetric_group,
    test_equivariant,
    test_invariant,
    transformer,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

# %% [markdown]
# ## One representative of each orbit
#
# All orders in which a set can be stored form its *orbit* $\{\sigma \cdot x : \sigma \in S_n\}$. A
# *canonicalization* $c$ chooses one matrix of each orbit, the same one wherever in the orbit we start:
#
# $$ c(x) \in S_n\, x, \qquad c(\sigma \cdot x) = c(x) \quad \text{for all } \sigma . $$
#
# !!! abstract "Theorem (canonicalization)"
#     For every function $f$, the function $\bar f = f \circ c$ is invariant. Every invariant function is of this
#     form: if $f$ is invariant already, then $\bar f = f$.
#
# *Proof.* $\bar f(\sigma x) = f(c(\sigma x)) = f(c(x)) = \bar f(x)$. If $f$ is invariant, then $f(c(x)) = f(x)$,
# because $c(x)$ lies in the orbit of $x$. $\blacksquare$
#
# In the [one equation](../index.md) of this book $\mu(x)$ is a single permutation, the one that sorts $x$. For rows
# we take the order of a dictionary: by the first feature, ties by the second, and so on. Stable sorts by the last
# feature, then by the one before it, produce it. The package does the same:


# %%
def sorted_rows(x):
    for j in reversed(range(x.shape[2])):
        order = x[:, :, j].argsort(dim=1, stable=True)  # ties keep their order
        x = x.gather(1, order[..., None].expand_as(x))
    return x


torch.manual_seed(0)
sets, backbone = torch.randn(128, n, d), mlp(n, d)
assert torch.equal(sorted_rows(sets), lexicographic_sort(sets))
assert torch.equal(backbone(sorted_rows(sets)), CanonicalModel(backbone)(sets))
print(test_invariant(CanonicalModel(backbone), sets))

# %% [markdown]
# The error is zero: the network receives the same numbers in the same places.
#
# ### Outputs that move with the rows
#
# An *equivariant* output must undo the sort. If $c(x) = \sigma \cdot x$, then
# $\bar f(x) = \sigma^{-1} f(\sigma \cdot x)$. Now ties matter. With two equal rows there are two such $\sigma$, and
# they give two answers, between which the data cannot choose. We take the mean.
#
# !!! abstract "Theorem (equal rows share their output)"
#     Let $G_x = \{h \in G : h \cdot x = x\}$. The mean of $\sigma^{-1} f(\sigma \cdot x)$ over all $\sigma \in G$
#     with $\sigma \cdot x = c(x)$ is equivariant to $G$. To compute it, take any one such $\sigma$ and average the
#     outputs over each orbit of $G_x$ (for $S_n$: over equal rows).
#
# *Proof.* If $\sigma$ is one choice, all choices are $\sigma h$ with $h \in G_x$, and
# $(\sigma h)^{-1} f(c(x)) = h^{-1} \bigl( \sigma^{-1} f(c(x)) \bigr)$. The mean of $h^{-1} y$ over a group replaces
# each entry of $y$ by the mean over its orbit, since it reaches all points of an orbit equally often. For $\tau x$
# the choices are $\sigma\tau^{-1}$, so $\bar f(\tau x) = \tau \bar f(x)$. $\blacksquare$
#
# Below, each row receives its position in the sorted order: once with the sort plainly undone, once with
# [`CanonicalModel(…, equivariant=True)`][invariant_nets.CanonicalModel], which takes the mean.


# %%
def unsorted_position(x):
    order = x[..., 0].argsort(dim=1, stable=True)
    return order.argsort(dim=1)[..., None].to(x.dtype)


def position(x):
    return torch.arange(float(n))[:, None].expand(len(x), n, 1)


functions = unsorted_position, CanonicalModel(position, equivariant=True)
tied = sets.clone()
tied[:, 1] = tied[:, 0]
moves = [[test_equivariant(f, x).holds for x in (sets, tied)] for f in functions]
print("equivariant on distinct rows, on two equal rows")
print(f"plainly undone {moves[0]}, equal rows share {moves[1]}")

# %% [markdown]
# ## Other groups
#
# Every finite group has a canonicalization: of all $g \cdot x$ take the first in the dictionary. To find it without
# trying all of them, each group needs an idea of its own.
#
# - **$C_n$.** The least of the $n$ rotations follows from ranks of windows that double in length: if $r_i$ ranks the
#   $w$ rows from row $i$ on, the pairs $(r_i, r_{i+w})$ rank windows of $2w$ rows.
#   [`least_rotation`][invariant_nets.least_rotation] needs $\lceil \log_2 n \rceil$ sorts.
# - **$S_n \times S_d$, fast.** Sorting rows and then columns fails: the second sort undoes the first. Instead, order
#   the rows by something that the order of the columns does not change, such as their own sorted entries, and the
#   columns likewise: [`row_column_sort`][invariant_nets.row_column_sort]. It can fail only where such keys tie: where
#   two different rows hold the same entries, and two different columns do as well.
# - **$S_n \times S_d$, exact.** Try all $d!$ orders of the columns, sort the rows for each, and keep the least result.
#   Two matrices of one orbit have the same candidates, so they have the same least one. For $d = 5$ that is 120 sorts.


# %%
def exact_form(x):
    columns = torch.tensor(list(itertools.permutations(range(x.shape[2]))))
    tried = x[:, :, columns].transpose(1, 2)  # (batch, d!, n, d)
    forms = lexicographic_sort(tried.flatten(0, 1)).view(len(x), len(columns), -1)
    return lexicographic_sort(forms)[:, 0].view_as(x)


def rows_then_columns(x):
    return lexicographic_sort(lexicographic_sort(x).mT).mT


source = torch.Generator().manual_seed(8)
whole = torch.randint(0, 2, (32, n, d), generator=source).float()
both = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
groups = {"C_n": cyclic_group(n), "S_n": symmetric_group(n), "S_n × S_d": both}
sorts = lexicographic_sort, least_rotation, rows_then_columns, row_column_sort
tried = [(sort, "normal", sets[:32]) for sort in sorts]
tried += [(sort, "random 0-1", whole) for sort in (row_column_sort, exact_form)]
found = []
for sort, kind, x in tried:
    reports = [
        test_invariant(CanonicalModel(backbone, sort), x, g)
        for g in groups.values()
    ]
    answers = dict(
        zip(groups, ("yes" if r else "no" for r in reports), strict=True)
    )
    found.append({"sort": sort.__name__, "entries": kind} | answers)
table(found, caption="invariant?")

# %% [markdown]
# For fixed $d$ the exact form is polynomial in $n$. If both sides may grow, a canonical form of 0-1 matrices would
# decide whether two bipartite graphs are the same, and no polynomial algorithm is known for that.
#
# ## The tear
#
# For $d = 1$ sorting is continuous (exercise 1). For $d > 1$ it is not. Move one row past another in the first
# feature. When they tie, they change places *with all their other features*. The set moves smoothly, and the sorted
# set jumps; we call such a discontinuity a *tear*. Is there a better choice of representative?
#
# !!! abstract "Theorem (Dym et al., 2024)"
#     For $d \ge 2$ and $n \ge 2$, no canonicalization of $\mathbb R^{n \times d}$ under $S_n$ is continuous.
#
# *Proof.* Let $c$ be continuous and $x$ have distinct rows. Then $c(x) = \sigma_x x$ for exactly one $\sigma_x$. The
# other $\sigma x$ are a positive distance away, so $\sigma_x$ cannot change under a small step. Sets with distinct
# rows are connected, because two rows agree only on a subspace of codimension $d \ge 2$, which a path can avoid. So
# $\sigma_x = \sigma$ is the same for all of them. But $c(\tau x) = c(x)$ then says $\sigma\tau x = \sigma x$, so
# $\tau$ is the identity. With $n \ge 2$ there is another $\tau$: a contradiction. $\blacksquare$
#
# ## Frames: several orders instead of one
#
# The way out is not to choose. A *frame* ([Puny et al., 2022](../bibliography.md#puny-2022)) assigns to each $x$ a
# nonempty finite set $\mathcal F(x)$ of group elements, and the assignment is equivariant:
# $\mathcal F(\tau x) = \mathcal F(x)\, \tau^{-1}$.
#
# !!! abstract "Theorem (frame averaging)"
#     The mean $\bar f(x)$ of $f(g \cdot x)$ over $g \in \mathcal F(x)$ is invariant, and $\bar f = f$ if $f$ is.
#
# *Proof.* The elements of $\mathcal F(\tau x)$ are $g\tau^{-1}$ with $g \in \mathcal F(x)$, and
# $f(g\tau^{-1} \cdot \tau x) = f(g \cdot x)$: both means have the same terms. If $f$ is invariant, all terms are
# $f(x)$. $\blacksquare$
#
# The second half is why a frame loses nothing: what networks $f$ can approximate among invariant functions, averaged
# networks can approximate too. The whole group is a frame, and its mean is [symmetrization](08_symmetrization.py). A
# canonicalization is a frame as well, $\{g : g \cdot x = c(x)\}$. No frame is smaller: for $h \in G_x$ the definition
# says $\mathcal F(x) = \mathcal F(hx) = \mathcal F(x)\, h^{-1}$, so $\mathcal F(x)$ consists of whole cosets $g\,G_x$,
# and all of a coset send $x$ to one point. A frame is therefore a finite set of canonical forms, $|G_x|$ elements for
# each.
#
# Does averaging over a frame mend the tear? Sort the rows by their *height* $x_i \cdot a$ along each of $K$
# directions $a_k$, and average: each sort still tears, only by a $K$-th as much. Equal weights cannot do better:
#
# !!! abstract "Theorem (why weights)"
#     Let $d \ge 2$. If averaging over $\mathcal F$ with equal weights turns every continuous $f$ into a continuous
#     $\bar f$, then $\mathcal F(x)$ is all of $S_n$ wherever the rows of $x$ are distinct.
#
# *Proof.* Let the rows of $x$ be distinct. Take $f$ to be a bump around one point $\sigma x$ that vanishes at the other
# points of the orbit. Near $x$, $\bar f$ is about $1/\lvert\mathcal F\rvert$ if $\sigma \in \mathcal F$, and 0 if not.
# It is continuous, so $\mathcal F$ is locally constant, and, as above, constant on the connected set of all such $x$.
# From $\mathcal F = \mathcal F\tau^{-1}$ for all $\tau$ it follows that $\mathcal F = S_n$. $\blacksquare$
#
# So we give the orders weights that depend on $x$, with $w_{g\tau^{-1}}(\tau x) = w_g(x)$ and sum 1. The invariance
# proof stays the same. The simplest example uses *all* directions: $\bar f(x) = \mathbb E_a\, f(x \text{ sorted along }
# a)$ for a uniform direction $a$, which weighs each order by its share of the sphere.
#
# !!! abstract "Theorem (the average over directions is continuous)"
#     If $f$ is continuous, then $\bar f$ is invariant to $S_n$ and continuous everywhere.
#
# *Proof.* The heights of $\sigma x$ are those of $x$ in another order, so each sorted set is the same (different rows
# tie only along directions of measure zero). Let $x^{(k)} \to x$. Along almost every $a$ all different rows of $x$
# have different heights. For large $k$ they stand in the same order in $x^{(k)}$; only rows that are equal in $x$ may
# be exchanged, and these converge to the same vector. So the sorted $x^{(k)}$ converge to the sorted $x$, and by
# bounded convergence so do the means of $f$. $\blacksquare$
#
# **In the plane this average is a finite sum.** As the direction turns once around, the order changes only where the
# direction is perpendicular to some $x_i - x_j$, at $n(n-1)$ angles, and an order's weight is its arc's share of the
# circle. [`CircleFrame`][invariant_nets.CircleFrame] returns these orders and weights.

# %% alt="Left: four points, numbered, inside a circle that is cut into twelve colored arcs; on the longer arcs stands the order in which that direction sees the points. Right: the same after point 3 moved a little: the labels stay where they were around the circle, on longer and shorter arcs."
four = torch.tensor([[-0.4, 0.1], [0.45, 0.3], [0.1, -0.5], [0.0, 0.45]])
moved = four.clone()
moved[3] = torch.tensor([0.25, 0.42])
colors, turn = {}, torch.linspace(0, 2 * torch.pi, 1441)[:-1]
fig, axes = plt.subplots(1, 2, figsize=(8, 4))
for ax, points in zip(axes, (four, moved), strict=True):
    seen = (torch.stack((turn.cos(), turn.sin()), 1) @ points.T).argsort(1)
    cuts = (seen != seen.roll(1, 0)).any(1).nonzero().flatten().tolist()
    for begin, end in itertools.pairwise([*cuts, cuts[0] + 1440]):
        label = "".join(map(str, seen[(begin + end) // 2 % 1440].tolist()))
        color = colors.setdefault(label, f"C{len(colors) % 4}")
        arc = torch.linspace(begin, end, 61) * torch.pi / 720
        ax.plot(arc.cos(), arc.sin(), lw=7, color=color, solid_capstyle="butt")
        if end - begin > 40:
            at = 1.2 * arc[30].cos(), 1.2 * arc[30].sin()
            ax.text(*at, label, ha="center", va="center", fontsize=8)
    ax.plot(*points.T, "o", color=INK, ms=4)
    for i, (u, v) in enumerate(points.tolist()):
        ax.text(u + 0.05, v + 0.05, f"{i}")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
    ax.axis("off")
plt.show()

# %% [markdown]
# In more dimensions there are far too many orders. [`DirectionFrame`][invariant_nets.DirectionFrame] takes finitely
# many directions $a_1, \dots, a_K$, and weights that fade where a sort is about to tear:
#
# $$ \bar f(x) = \sum_k w_k(x)\, f(x \text{ sorted along } a_k), \qquad
#    w_k(x) \propto \min_{x_i \ne x_j} \lvert a_k \cdot (x_i - x_j) \rvert . $$
#
# This is continuous wherever all rows differ and some direction tells them all apart: each sort is locally constant,
# or its weight is zero. It is *not* continuous where two rows meet: every weight then tends to zero, and after
# normalization their ratios depend on the direction of approach. So the frame trades a tear of codimension 1 (two
# heights tie, which every long path crosses) for one of codimension $d$ (two rows meet, which a path can avoid).
#
# ## Sorted projections
#
# There is a cheap continuous map that forgets the order: sort *every column by itself*,
# [`columnwise_sort`][invariant_nets.columnwise_sort]. It is no canonicalization, since its result is in general not in
# the orbit, and it is blind to which entries stood in one row. One matrix repairs that. Project the rows on many
# directions, the columns of $A \in \mathbb R^{d \times m}$, and sort the columns of $xA$.
#
# !!! abstract "Theorem (sorted projections)"
#     The map $x \mapsto \mathrm{sort}(xA)$ is invariant to $S_n$ and Lipschitz with constant $\lVert A \rVert$, the
#     largest singular value of $A$. If any $d$ columns of $A$ are independent and there are more than $(d-1)\,n!$ of
#     them, it takes the same value at $x$ and $y$ if and only if $y = \sigma x$ for some $\sigma$.
#
# *Proof.* Sorting is the best matching of two lists, so it does not increase their distance; this gives the constant.
# If the sorted columns agree, each column $a$ of $A$ has a $\sigma_a$ with $\sigma_a x a = y a$. There are only $n!$
# permutations, so $d$ columns share one $\sigma$, and $(\sigma x - y) a = 0$ on a basis. $\blacksquare$
#
# Far fewer suffice: $2nd + 1$ generic numbers of this kind separate all orbits
# ([Dym and Gortler, 2022](../bibliography.md#dym-2022)). In the next cell `view` functions return the matrices that a
# network sees of each set, and their weights. They are equal to the package's models.


# %%
def one(canonicalization):
    return lambda x: (canonicalization(x)[:, None], x.new_ones(len(x), 1))


def along(x, a):
    """Sort the rows along every direction; return the sets and the smallest gaps."""
    heights, orders = (x @ a.to(x.dtype).T).mT.sort(dim=-1)
    each = torch.arange(len(x))[:, None, None]
    return x[each, orders], heights.diff(dim=-1).amin(-1)


def gap_weights(x, a):
    views, gaps = along(x, a)
    return views, gaps / gaps.sum(1, keepdim=True)


def equal_weights(x, a):
    views, gaps = along(x, a)
    return views, torch.full_like(gaps, 1 / len(a))


def projections(x, A):
    return columnwise_sort(x @ A.to(x.dtype))


def averaged(network, view, x):
    views, weights = view(x)
    return (weights * network(views.flatten(0, 1)).view_as(weights)).sum(1)


K = 8
a = DirectionFrame(d, K).directions
A = torch.cat((torch.eye(d), a.T), 1)  # the features, and the same directions
with torch.no_grad():
    mine = averaged(backbone, partial(gap_weights, a=a), sets)
    package = CanonicalModel(backbone, frame=DirectionFrame(d, K))(sets)[:, 0]
torch.testing.assert_close(mine, package)

together = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])  # each member on the diagonal
apart = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])  # each member off the diagonal
plane = torch.tensor([[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]])
for name, m in (("columns", plane[:, :2]), ("with one more direction", plane)):
    distance = (projections(together, m) - projections(apart, m)).norm()
    print(f"two different sets, sorted {name}: distance {distance:.2f}")

# %% [markdown]
# Now move one row past the others, along a line in the plane. A picture cannot tell a jump from a steep slope, but
# finer steps can: with ten times as many, the largest change between neighbors falls to a tenth if the function is
# continuous with a slope, and stays if it jumps. In the last column two rows meet from thirteen sides.

# %%
torch.manual_seed(11)
flat, wide = mlp(n, 2).double(), mlp(n, 2 + K).double()
start = torch.randn(n, 2, dtype=torch.float64)
end = torch.cat((-start[:1], start[1:]))
angles = torch.linspace(0, 3, 13, dtype=torch.float64)
meeting = start.repeat(13, 1, 1)
meeting[:, 1] = meeting[:, 0] + 1e-8 * torch.stack((angles.cos(), angles.sin()), -1)
b = DirectionFrame(2, K, seed=1).directions
wider = one(partial(projections, A=torch.cat((torch.eye(2), b.T), 1)))
in_plane = {
    "lexicographic sort": partial(averaged, flat, one(lexicographic_sort)),
    "equal weights": partial(averaged, flat, partial(equal_weights, a=b)),
    "gap weights": partial(averaged, flat, partial(gap_weights, a=b)),
    "circle": CanonicalModel(flat, frame=CircleFrame()),
    "sorted projections": partial(averaged, wide, wider),
}
paths, continuity = {}, []
for name, f in in_plane.items():
    row = {"behind": name}
    for count in (500, 5000):
        t = torch.linspace(0, 1, count + 1, dtype=torch.float64)[:, None, None]
        parts = (start + t * (end - start)).split(500)
        with torch.no_grad():
            paths[name] = torch.cat([f(part).flatten() for part in parts])
            sides = f(meeting)
        row[f"{count:,} steps"] = paths[name].diff().abs().max().item()
    row["where rows meet"] = (sides.max() - sides.min()).item()
    continuity.append(row)
caption = "largest change between neighbors on a path"
table(continuity, digits=dict.fromkeys(list(row)[1:], 6), caption=caption)

# %% alt="Output of one network along a path on which one point moves past nine others. Behind the lexicographic sort it makes a few large jumps; behind eight directions with equal weights it makes more and smaller jumps; with gap weights it is a continuous curve with kinks."
fig, ax = plt.subplots(figsize=(8, 3.4))
for name in list(in_plane)[:3]:
    y, steps = paths[name].clone(), paths[name].diff().abs()
    y[1:][steps > 20 * steps.median()] = torch.nan  # lift the pen at a jump
    ax.plot(torch.linspace(0, 1, len(y)), y, lw=1.6, label=name)
ax.set(xlabel="position on the path", ylabel="output of the network")
ax.legend()
plt.show()

# %% [markdown]
# ## Training
#
# Which of these models learns well, and why? If continuity helped, the frame with equal weights, which jumps, would
# fall behind. If the sorts helped, they would beat $K$ *fixed random orders*, which sort nothing and are not
# invariant. So both stand in the table, as controls. Three seeds are trained side by side: `vmap` runs one network
# with all their weights. Each model has the learning rate of [`MODELS`][invariant_nets.MODELS], data never repeat,
# and all models see the same data. For each trained perceptron we also add noise of size $\varepsilon$ to 2,500 sets
# and report the largest change of the output, divided by the deviation of the outputs.

# %%
SEEDS, STEPS, BATCH = 3, 800, 64
fixed = torch.rand(K, n, generator=torch.Generator().manual_seed(4)).argsort(1)
unsorted, lexicographic = one(lambda x: x), one(lexicographic_sort)


def three_columns(x):
    return torch.cat((columnwise_sort(x[..., :3]), x[..., 3:]), -1)


routes = {  # network, number of columns, what it sees
    "mlp": (mlp, d, unsorted),
    "mlp, sorted rows": (mlp, d, lexicographic),
    "transformer": (transformer, d, unsorted),
    "transformer, sorted rows": (transformer, d, lexicographic),
    "mlp, gap weights": (mlp, d, partial(gap_weights, a=a)),
    "mlp, equal weights": (mlp, d, partial(equal_weights, a=a)),
    "mlp, fixed orders": (
        mlp,
        d,
        lambda x: (x[:, fixed], x.new_full((1, K), 1 / K)),
    ),
    "mlp, 3 columns sorted": (mlp, d, one(three_columns)),
    "mlp, sorted columns": (mlp, d, one(columnwise_sort)),
    "mlp, sorted projections": (mlp, d + K, one(partial(projections, A=A))),
}


def drawn(count, source, seeds=SEEDS):
    y = torch.arange(count) % 2
    std = torch.where(y == 1, v2**0.5, v1**0.5)[:, None, None]
    return torch.randn(seeds, count, n, d, generator=source) * std, y.float()


def logits_of(network, weights, view, x):
    """Return the weighted mean of the logits for each seed and set."""
    views, shares = view(x.flatten(0, 1))
    views = views.flatten(0, 1).unflatten(0, (SEEDS, -1))
    with sdpa_kernel(SDPBackend.MATH):  # the attention that vmap knows
        out = vmap(partial(functional_call, network))(weights, (views,))
    out = out.view(SEEDS * x.shape[1], -1)
    return (out * shares).sum(-1).view(SEEDS, -1)


def trained(build, columns, view):
    models = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(build(n, columns))
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=MODELS[build.__name__].lr)
    source = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        x, y = drawn(BATCH, source)
        logits = logits_of(models[0], weights, view, x)
        loss = F.binary_cross_entropy_with_logits(logits, y.expand(SEEDS, -1))
        optimizer.zero_grad()
        (SEEDS * loss).backward()  # each seed the gradient of its own loss
        optimizer.step()
    return models[0], {k: w.detach() for k, w in weights.items()}


x_fresh, y_fresh = drawn(20_000, torch.Generator().manual_seed(99), seeds=1)
x_fresh = x_fresh.expand(SEEDS, -1, -1, -1)
kick = torch.randn(2500, n, d, generator=torch.Generator().manual_seed(5)).double()
hits, noise, order = {}, {}, {}
for name, (build, columns, view) in routes.items():
    network, weights = trained(build, columns, view)
    f = torch.no_grad()(partial(logits_of, network, weights, view))
    logits = torch.cat([f(part) for part in x_fresh.split(1000, 1)], 1)
    hits[name] = ((logits > 0) == (y_fresh > 0.5)).double()  # seeds, sets
    shuffled = torch.stack(
        [f(x_fresh[:, :1000, torch.randperm(n)]) for _ in range(9)]
    )
    order[name] = (shuffled.var(0).mean() / shuffled.var()).sqrt().item()
    network.double()
    weights = {k: w.double() for k, w in weights.items()}
    f = torch.no_grad()(partial(logits_of, network, weights, view))
    x = x_fresh[:, :2500].double()
    noise[name] = [
        ((f(x + size * kick) - f(x)).abs().amax() / logits.std()).item()
        for size in (1e-2, 1e-4)
    ]


def gain(name, other):
    """Return by how much a model is better, and the error, paired by seeds and sets."""
    more = hits[name] - hits[other]
    error = more.mean(1).var() / SEEDS + more.mean(0).var() / more.shape[1]
    return more.mean().item(), error.sqrt().item()


table(
    [
        {
            "model": name,
            "accuracy": h.mean().item(),
            "over mlp": "{:+.3f} ± {:.3f}".format(*gain(name, "mlp")),
            "order": order[name],
            "ε = 0.01": noise[name][0],
            "ε = 0.0001": noise[name][1],
        }
        for name, h in hits.items()
    ],
    digits={"ε = 0.0001": 5},
    caption=f"Limit {limit:.3f}. Order: the deviation of the output over orders of a "
    "set, divided by that over sets and orders. Last columns: the largest change.",
)

# %% [markdown]
# **Averaging helps; neither continuity nor the sorts do.** The frame learns far better than a single sort. But the
# same eight directions with equal weights, which jump, learn no worse, and neither do eight fixed random orders, which
# sort nothing and are not invariant. What the three share is that they average eight readings of each set. The gain
# is the one of [symmetrization](08_symmetrization.py).
#
# **Continuity is for robustness.** Behind the sort a noise of $10^{-4}$ can move the output by as much as outputs
# differ between sets. Behind gap weights a hundredth of the noise makes about a hundredth of the change. Even so this
# frame is steep, because a small gap can rule its weights. Sorted projections, which have a Lipschitz bound, are as
# calm as the plain perceptron, are invariant, and learn as well as the frame.
#
# **A sort teaches what it puts in order.** Sorting the rows orders one column of five, and gains a little. With three
# columns sorted, each by itself, the gain is larger, and with all five it is largest. Sorted columns are blind to
# rows, which costs nothing *here*: given the label all $nd$ entries are independent. For the coordinates of points it
# would be fatal.
#
# ### Canonicalization and attention
#
# The transformer, at its own learning rate, beats the perceptron without any sort, and the sort adds nothing that
# three seeds resolve. The column "order" fits that: the plain transformer depends far less on the order of the rows
# than the plain perceptron. Its attention treats all rows alike; only the positional code and the readout, which has a
# weight for each entry, tell them apart. Leave the code out and read the mean of the rows, and the network is invariant
# without any sort:

# %%
code, layer, norm, *readout = with_places = transformer(n, d)
models = with_places, lambda x: norm(layer(x)).mean(1)
attention = [bool(test_invariant(f, sets)) for f in models]
print(f"invariant: with places {attention[0]}, without {attention[1]}")

# %% [markdown]
# ## Check the claims

# %%
# Each sort keeps its own group; ties break equivariance unless equal rows share.
assert moves == [[True, False], [True, True]]
answers = ["".join(row[group][0] for group in groups) for row in found]
assert answers == ["yyn", "ynn", "yyn", "yyy", "yyn", "yyy"]

# One sort and equal weights jump; the others do not. Meeting rows: only gap weights.
coarse, fine, sides = (
    dict(zip(in_plane, column, strict=True))
    for column in list(zip(*(row.values() for row in continuity), strict=True))[1:]
)
ratio = {name: fine[name] / coarse[name] for name in in_plane}
assert min(ratio["lexicographic sort"], ratio["equal weights"]) > 0.9
assert max(list(ratio.values())[2:]) < 0.3
assert fine["lexicographic sort"] > 1.5 * fine["equal weights"]
assert fine["equal weights"] > 2 * fine["gap weights"]
assert sides.pop("gap weights") > 1e-4
assert max(sides.values()) < 1e-7
assert CircleFrame()(torch.randn(1, n, 2)).orders.shape[1] == n * (n - 1)
assert torch.equal(columnwise_sort(together), columnwise_sort(apart))
assert distance > 0.5
noisy = sets + 0.1 * torch.randn_like(sets)
change = (projections(noisy, A) - projections(sets, A)).norm(dim=(1, 2))
bound = torch.linalg.matrix_norm(A, 2) * (noisy - sets).norm(dim=(1, 2))
assert (change <= bound).all()

# Averaging helps, with or without continuity, with or without a sort.
rows, gap, equal = "mlp, sorted rows", "mlp, gap weights", "mlp, equal weights"
orders, columns = "mlp, fixed orders", "mlp, sorted columns"
projected = "mlp, sorted projections"
for name in (gap, equal, orders):
    assert gain(name, rows)[0] > 0.01 + gain(name, rows)[1]
assert min(gain(equal, gap)[0], gain(orders, gap)[0]) > -0.004
assert gain(projected, gap)[0] > -0.008
assert order["mlp"] > 0.5
assert order[orders] > 0.15
assert max(order[name] for name in (rows, gap, equal, columns, projected)) < 1e-5

# The noise shows what jumps, what is steep and what is calm.
assert noise[rows][1] > 0.4
assert noise[equal][1] > 0.05
calm = "mlp", columns, projected
assert all(noise[name][1] < noise[name][0] / 40 for name in (gap, *calm))
assert noise[gap][0] > 5 * noise[projected][0]
assert noise[projected][0] < 1.5 * noise["mlp"][0]

# The more columns are sorted, the better; attention needs no sort.
for less, more in itertools.pairwise(
    ["mlp", rows, "mlp, 3 columns sorted", columns]
):
    assert gain(more, less)[0] > 1.5 * gain(more, less)[1], (less, more)
assert gain("transformer", "mlp")[0] > 1.5 * gain("transformer", "mlp")[1]
added, error = gain("transformer, sorted rows", "transformer")
assert added < 2 * error
assert order["transformer"] < 0.7 * order["mlp"]
assert attention == [False, True]

# %% [markdown]
# ## Summary
#
# - A canonicalization sorts first and makes every network exactly invariant, for the price of a sort. An equivariant
#   output undoes the sort, and equal rows share their output.
# - Each group needs its own sort. For $S_n \times S_d$, trying all $d!$ orders of the columns is exact.
# - For $d \ge 2$ no canonicalization of sets is continuous, and no frame with equal weights is, except all of $S_n$.
#   Weights that fade at a tear are the remedy.
# - Sorted projections are invariant and Lipschitz, and enough of them separate all orbits.
# - The gain of a frame in training is that of averaging: controls that jump, or that do not sort, learn as well.
#   Continuity keeps the change of the output small under small noise.
# - Attention treats members alike already, and here sorting adds nothing to it that we could resolve.
#
# ## Where the field went
#
# [Puny et al. (2022)](../bibliography.md#puny-2022) made frames a general tool, with frames from principal axes for
# rotations ([chapter 15](15_two_symmetries.py)). [Kaba et al. (2023)](../bibliography.md#kaba-2023) *learn* the
# canonicalization: an equivariant network puts out the group element, or the representative minimizes an energy
# (exercise 3). [Mondal et al. (2023)](../bibliography.md#mondal-2023) put such a canonicalization before large
# pretrained models, with a prior that fits it to the data these were trained on.
# [Kim et al. (2023)](../bibliography.md#kim-2023) learn a distribution over group elements, the $\mu(x)$ of our one
# equation.
#
# How small can a frame be? [Lin et al. (2024)](../bibliography.md#lin-2024) construct minimal frames for many groups,
# and [Ma et al. (2024)](../bibliography.md#ma-2024) relate frames to canonical forms and compare them by that.
# [Dym et al. (2024)](../bibliography.md#dym-2024) showed that continuity needs weights, and built weighted frames for
# permutations and rotations. [Lin and Levie (2026)](../bibliography.md#lin-2026) take another way to continuity: the
# representative is the one of which the network is most confident, so that it depends on the network too.
#
# Sorting also lives on as a *pool*. [Zhang et al. (2020)](../bibliography.md#zhang-2020) sort each learned feature over
# the members and take a learned weighted sum: our sorted columns, with weights.
# [Naderializadeh et al. (2021)](../bibliography.md#naderializadeh-2021) sort projections, and compare them with those of
# a reference set by the sliced Wasserstein distance.
#
# ## Exercises
#
# **1.** Show that for $d = 1$ sorting is continuous: if no entry of $x$ and $y$ differs by more than $\varepsilon$, no
# entry of the sorted lists does. Then take $x = (0.9, 0.1, 0.4, 0.6)$ and $y = (0.5, 0.45, 0.8, 0.15)$. What is the
# largest difference of two entries, before sorting and after?
#
# ??? success "Solution"
#     If the $k$-th smallest entry of $x$ is $t$, then at least $k$ entries of $x$ are at most $t$, so at least $k$
#     entries of $y$ are at most $t + \varepsilon$, and the $k$-th smallest of $y$ is at most $t + \varepsilon$.
#     Exchange $x$ and $y$ for the other bound. In the example sorting brings the lists closer.

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
# **2.** Someone sorts rows by their norm $\lVert x_i \rVert$ alone, because rotations do not change it. Is the sorted
# set a continuous function of $x$? Does $c(\sigma x) = c(x)$ hold for all sets? Answer with two truth values.
#
# ??? success "Solution"
#     It jumps where two rows of different direction pass each other in norm. And where two *different* rows have equal
#     norms, their order is the one in which they came, so $c(\sigma x) = c(x)$ fails: the entries must break ties.

# %% exercise="2"
answer_2 = ...  # a pair: continuous, invariant

# %% solution="2"
answer_2 = False, False

# %% check="2"
check_2 = AnswerCheck("07.2", digest="d51bceb8e3ac1bb5")
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[(True, True), (False, True), (True, False)])

# %% [markdown]
# **3.** Build the canonicalization of least energy: for one set $x$ of shape $(n, d)$ with small $n$, return the order
# of its rows for which `energy` (a function of a batch, one number for each set) is least.
#
# ??? success "Solution"
#     Two sets of one orbit have the same $n!$ candidates, so they have the same least one, if it is unique. With a
#     network as `energy` this is a learned canonicalization.


# %% exercise="3"
def least_energy(x, energy):
    """Return the order of the rows of x with the least energy."""
    ...


# %% solution="3"
def least_energy(x, energy):
    """Return the order of the rows of x with the least energy."""
    tried = x[torch.tensor(list(itertools.permutations(range(len(x)))))]
    return tried[energy(tried).argmin()]


# %% check="3"
def law_3(least_energy):
    source = torch.Generator().manual_seed(3)
    x, place = torch.randn(2, 4, 2, generator=source)
    every = torch.stack([x[list(p)] for p in itertools.permutations(range(4))])

    def energy(sets):
        return (sets * place).sum((1, 2))

    result, moved = (least_energy(v, energy) for v in (x, x[[2, 0, 3, 1]]))
    among = (result == every).all(2).all(1).any()
    assert among, "the result should be x with its rows in some order"
    assert torch.equal(result, moved), "another order of x should give the same"
    least = energy(result[None]) <= energy(every).min() + 1e-6
    assert least, "no order should have less energy"


check_3 = CodeCheck("3", law_3)
check_3(least_energy)

# %% wrong="3"
check_3.holds(
    least_energy,
    wrong=[
        lambda x, energy: x,
        lambda x, energy: sorted_rows(x[None])[0],
        lambda x, energy: least_energy(x, lambda sets: -energy(sets)),
        lambda x, energy: min(x, x.flip(0), key=lambda v: energy(v[None])),
    ],
)

# %% [markdown]
# **4.** How many generic directions does `DirectionFrame` need, so that for every set of ten different rows in
# $\mathbb R^5$ at least one of them tells all rows apart?
#
# ??? success "Solution"
#     Rows $x_i \ne x_j$ tie along $a$ if $a \perp x_i - x_j$. Of generic directions at most $d - 1$ are perpendicular
#     to one vector, so each of the $n(n-1)/2$ pairs spoils at most $d - 1$ of them. With
#     $(d-1)\,\tfrac{n(n-1)}2 + 1$ directions one is left.

# %% exercise="4"
answer_4 = ...

# %% solution="4"
answer_4 = (d - 1) * n * (n - 1) // 2 + 1

# %% check="4"
check_4 = AnswerCheck("07.4", digest="ae98f0815246dde2")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[180, 46, 226])

# %% [markdown]
# **5.** Build the distance between two *sets*: the least norm of $\sigma x - y$ over all $\sigma$, for small $n$. Why
# are sorted projections at most $\lVert A \rVert$ times this distance apart?
#
# ??? success "Solution"
#     Sorted projections do not change when $x$ is replaced by $\sigma x$, so the Lipschitz bound holds for every
#     $\sigma$, also for the best one.


# %% exercise="5"
def set_distance(x, y):
    """Return the least norm of x, in any order of its rows, minus y."""
    ...


# %% solution="5"
def set_distance(x, y):
    """Return the least norm of x, in any order of its rows, minus y."""
    orders = torch.tensor(list(itertools.permutations(range(len(x)))))
    return (x[orders] - y).norm(dim=(1, 2)).min()


# %% check="5"
def law_5(set_distance):
    x, y = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(5))
    far, other = set_distance(x, y), set_distance(x[[3, 1, 4, 0, 2]], y)
    same = set_distance(x, x[[1, 4, 2, 0, 3]])
    assert same < 1e-6, "one set in two orders should have distance 0"
    assert torch.isclose(far, other), "the order of x should not matter"
    orders = itertools.permutations(range(5))
    best = min((x[list(p)] - y).norm() for p in orders)
    assert torch.isclose(far, best), "it should be the least norm"


check_5 = CodeCheck("5", law_5)
check_5(set_distance)

# %% wrong="5"
check_5.holds(
    set_distance,
    wrong=[
        lambda x, y: (x - y).norm(),
        lambda x, y: (x.sort(0).values - y.sort(0).values).norm(),
        lambda x, y: (sorted_rows(x[None]) - sorted_rows(y[None])).norm(),
        lambda x, y: torch.cdist(x, y).min(1).values.norm(),
    ],
)

# %% [markdown]
# ## Sources
#
# - [Dym et al. (2024)](../bibliography.md#dym-2024), *Equivariant Frames and the Impossibility of Continuous
#   Canonicalization*: the theorem on continuity, and weighted frames.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant Network Design*.
# - [Kaba et al. (2023)](../bibliography.md#kaba-2023), *Equivariance with Learned Canonicalization Functions*.
# - [Dym and Gortler (2022)](../bibliography.md#dym-2022), *Low Dimensional Invariant Embeddings for Universal Geometric
#   Learning*: how many sorted projections separate orbits.
