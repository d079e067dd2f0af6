# %% [markdown]
# # Canonicalization
#
# The shortest way to ignore the order of a set is to put it in order. Sort the rows first, and any
# network behind the sort is invariant, exactly, for the price of a sort. Is there a catch? There
# are two. A sort tears: sets that lie close together can be sorted into sets that lie far apart.
# And being invariant is not the same as having learned well. This chapter proves the first
# statement, finds sorts for other groups than $S_n$, shows the tear and how to mend it with several
# sorts at once, and measures what all this is worth.

# %%
import itertools

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    GaussianDataset,
    bayes_accuracy,
    build_model,
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
)
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

# %% [markdown]
# ## One representative of each orbit
#
# All the orders in which a set can be stored form its *orbit*,
# $\{\sigma \cdot x : \sigma \in S_n\}$. A *canonicalization* $c$ chooses one matrix of each orbit,
# and the same one wherever in the orbit we start:
#
# $$ c(x) \in S_n\, x, \qquad c(\sigma \cdot x) = c(x) \quad \text{for all } \sigma . $$
#
# !!! abstract "Theorem (canonicalization)"
#     For every function $f$ whatever, $\bar f = f \circ c$ is invariant. Every invariant function is
#     of this form, and if $f$ is invariant already, then $\bar f = f$.
#
# *Proof.* $\bar f(\sigma x) = f(c(\sigma x)) = f(c(x)) = \bar f(x)$. If $f$ is invariant, then
# $f(c(x)) = f(x)$, because $c(x)$ lies in the orbit of $x$; so $f = \bar f$. $\blacksquare$
#
# Nothing is asked of $f$ and nothing is lost. In the [one equation](../index.md) of this book
# $\mu(x)$ is a single permutation, the one that sorts $x$.
#
# For rows the natural choice is the order of a dictionary: by the first feature, ties by the second,
# and so on. [`lexicographic_sort`][invariant_nets.lexicographic_sort] does it for a
# batch, and [`CanonicalModel`][invariant_nets.CanonicalModel] puts it before a
# model. Two rows that tie in every feature are equal, so it does not matter which comes first.

# %%
torch.manual_seed(0)
sets = torch.randn(128, n, d)
model = CanonicalModel(mlp(n, d))
print(test_invariant(model, sets))

# %% [markdown]
# The error is not small, it is zero: the network receives the same numbers in the same places.
#
# ### Outputs that move with the rows
#
# For an *equivariant* output the sort must be undone at the end. If $c(x) = \sigma \cdot x$, then
#
# $$ \bar f(x) = \sigma^{-1} f(\sigma \cdot x) . $$
#
# Now ties matter. With two equal rows there are two such $\sigma$, and they give two answers: a
# network whose rows are told apart by their position treats equal members differently, and the
# choice between them is not in the data. The cure is the mean over all choices.
#
# !!! abstract "Theorem (equal rows share their output)"
#     Let $G_x = \{h \in G : h \cdot x = x\}$. The mean of $\sigma^{-1} f(\sigma \cdot x)$ over all
#     $\sigma \in G$ with $\sigma \cdot x = c(x)$ is equivariant to $G$. It is got from any one of
#     them by replacing the outputs on each orbit of $G_x$ by their mean; for $G = S_n$, those of
#     equal rows.
#
# *Proof.* If $\sigma$ is one choice, all choices are $\sigma h$ with $h \in G_x$, and
# $(\sigma h)^{-1} f(c(x)) = h^{-1} \bigl( \sigma^{-1} f(c(x)) \bigr)$. The mean of $h^{-1} y$ over a group
# takes each entry of $y$ to the mean over its orbit, since an orbit's points are reached
# equally often. For $\tau x$ the choices are $\sigma\tau^{-1}$, whence
# $\bar f(\tau x) = \tau \bar f(x)$. $\blacksquare$
#
# Below, a function of the position is sorted and unsorted again, once plainly and once by
# `CanonicalModel` with `equivariant=True`, which takes the mean. On rows in general position both
# are equivariant; on a set with two equal rows only the second one is.


# %%
def unsorted_position(x: torch.Tensor) -> torch.Tensor:
    """Give every row its position in the sorted order: sort, number, undo the sort."""
    order = x[..., 0].argsort(dim=1, stable=True)
    return order.argsort(dim=1)[..., None].to(x.dtype)


def position(x: torch.Tensor) -> torch.Tensor:
    return torch.arange(float(n))[:, None].expand(len(x), n, 1)


shared_position = CanonicalModel(position, equivariant=True)
tied = sets.clone()
tied[:, 1] = tied[:, 0]
table(
    [
        {
            "set": name,
            "plainly undone": str(test_equivariant(unsorted_position, x).holds),
            "equal rows share": str(test_equivariant(shared_position, x).holds),
        }
        for name, x in (("distinct rows", sets), ("two equal rows", tied))
    ],
    caption="equivariant?",
)

# %% [markdown]
# ## Other groups
#
# A canonicalization exists for every finite group: of all the $g \cdot x$ take the first in the
# dictionary. To find it without trying all of them is another matter, and each group asks for an
# idea of its own.
#
# **The cyclic group.** If the rows are a necklace, only their rotations mean the same. The least of
# the $n$ rotations is found by ranks of windows that double in length: when $r_i$ is the rank of the
# $w$ rows from row $i$ on, the pairs $(r_i, r_{i+w})$ rank those of $2w$ rows. After
# $\lceil \log_2 n \rceil$ sorts the whole rotations are ranked, ties and periods or not.
# [`least_rotation`][invariant_nets.least_rotation] does it for a batch.
#
# **Rows and columns.** If columns may be permuted too, sorting the rows and then the columns does
# not help: the second sort undoes the first. What helps is to order the rows by something that does
# not depend on the order of the columns, such as their own sorted entries, and the columns likewise:
# [`row_column_sort`][invariant_nets.row_column_sort]. It fails where such keys tie:
# where two different rows hold the same entries, and two different columns do as well.
#
# In the next table each sort is held to four groups, and `row_column_sort` also to matrices of
# whole numbers, which tie often.


# %%
def rows_then_columns(x: torch.Tensor) -> torch.Tensor:
    return lexicographic_sort(lexicographic_sort(x).mT).mT


matrix_group = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
source = torch.Generator().manual_seed(8)
whole = torch.randint(0, 2, (128, n, d), generator=source).float()
backbone = mlp(n, d)
held = {}
for sort, x in (
    (lexicographic_sort, sets),
    (least_rotation, sets),
    (rows_then_columns, sets),
    (row_column_sort, sets),
    (row_column_sort, whole),
):
    kind = "random 0-1" if x is whole else "normal"
    held[sort.__name__, kind] = {
        "$C_n$": test_invariant(CanonicalModel(backbone, sort), x, cyclic_group(n)),
        "$S_n$": test_invariant(CanonicalModel(backbone, sort), x),
        "$S_n \\times S_d$": test_invariant(
            CanonicalModel(backbone, sort), x, matrix_group
        ),
    }
table(
    [
        {"sort": name, "entries": kind}
        | {group: "yes" if report else "no" for group, report in reports.items()}
        for (name, kind), reports in held.items()
    ],
    caption="invariant?",
)

# %% [markdown]
# The failure on ties is no lack of cleverness. A canonical form of 0-1 matrices under
# $S_n \times S_d$ would tell whether two bipartite graphs are the same, for which no polynomial
# algorithm is known.

# %% [markdown]
# ## The tear
#
# For $d = 1$ sorting is continuous: no entry of the sorted list moves farther than the entry of the
# list that moved most. For $d > 1$ it is not. Move one row past another in the first feature; at
# the moment when they tie they change places, *with all their other features*. What stands behind
# the sort sees a jump, though the set itself moved smoothly.

# %% alt="Output of a sorted network as one entry of a set moves by one unit. With the lexicographic sort it jumps wherever the moving row passes another one; with every column sorted by itself it is continuous."
torch.manual_seed(3)
path_backbone = mlp(n, d)
path = torch.randn(1, n, d).repeat(2001, 1, 1)
steps = torch.linspace(-1.5, 1.5, len(path))
path[:, 0, 0] = steps
outputs = {}
with torch.no_grad():
    for sort in (lexicographic_sort, columnwise_sort):
        outputs[sort.__name__] = CanonicalModel(path_backbone, sort)(path)[:, 0]
crossings = path[0, 1:, 0]
crossings = crossings[crossings.abs() < 1.5]

fig, ax = plt.subplots(figsize=(8, 3.2))
labels = {
    "lexicographic_sort": "rows, lexicographic",
    "columnwise_sort": "each column by itself",
}
for name, values in outputs.items():
    ax.plot(steps, values, ".", ms=2, label=labels[name], rasterized=True)
for crossing in crossings:
    ax.axvline(crossing, color=INK, lw=0.8, ls=":")
ax.set(xlabel="first feature of the moving row", ylabel="output of the network")
ax.legend(markerscale=5)
plt.show()

# %% [markdown]
# The dotted lines mark where the moving row ties with another. The jumps stand exactly there: a
# continuous network behind the sort inherits every one to which it is not blind. One might look for
# a better choice of representative. There is none:
#
# !!! abstract "Theorem (Dym et al., 2024)"
#     For $d \ge 2$ and $n \ge 2$ there is no continuous canonicalization of
#     $\mathbb R^{n \times d}$ under $S_n$.
#
# A picture of the reason, for two points in the plane: turn the pair $\{p, -p\}$ by half a circle.
# It returns to itself with its members exchanged. A continuous choice of who is first would follow
# them around and end with the other member first, yet it must end where it began, since the set is
# the same.
#
# ## Mending the tear: many sorts at once
#
# The way out is not to choose. Sort the rows by their *height* $x_i \cdot a$ along a direction $a$,
# apply $f$, and average over all directions of the sphere:
#
# $$ \bar f(x) = \mathbb E_a\, f(x \text{ sorted along } a). $$
#
# !!! abstract "Theorem (the average over directions is continuous)"
#     If $f$ is continuous, then $\bar f$ is invariant to $S_n$ and continuous everywhere.
#
# *Proof.* The heights of $\sigma x$ are those of $x$ in another order, so each sorted set is the same
# (where different rows tie, which happens for a set of directions of measure zero, it does not
# matter). Let $x^{(k)} \to x$. Along almost every $a$ all different rows of $x$ have different
# heights. For large $k$ they stand in the same order in $x^{(k)}$; only rows that are equal in $x$
# may be exchanged, and these converge to the same vector. So the sorted $x^{(k)}$ converge to the
# sorted $x$, and $f$ of them to $f$ of it. Everything stays bounded, so the means converge too.
# $\blacksquare$
#
# Where a single sort would jump, only the directions that are just about to exchange two
# rows do, and they have no weight. **In the plane the average is a finite sum**: as the direction
# turns once around, the order changes only where it is perpendicular to some $x_i - x_j$, at
# $n(n-1)$ angles, and the weight of each order is its arc's share of the circle.
# [`CircleFrame`][invariant_nets.CircleFrame] returns these orders and weights. Here are four
# points and the orders in which the directions around them see them.

# %% alt="Left: four points, numbered, inside a circle that is cut into twelve colored arcs; on each arc stands the order in which that direction sees the points. Right: the same after point 3 moved a little: the same orders stand around the circle, on longer and shorter arcs."
four = torch.tensor([[-0.4, 0.1], [0.45, 0.3], [0.1, -0.5], [0.0, 0.45]])
moved = four.clone()
moved[3] = torch.tensor([0.25, 0.42])
colors = {}
fig, axes = plt.subplots(1, 2, figsize=(8, 4))
for ax, points in zip(axes, (four, moved), strict=True):
    fine = torch.linspace(0, 2 * torch.pi, 1441)[:-1]
    heights = torch.stack((fine.cos(), fine.sin()), 1) @ points.T
    seen = heights.argsort(1)
    cuts = (seen != seen.roll(1, 0)).any(1).nonzero().flatten().tolist()
    for begin, end in itertools.pairwise([*cuts, cuts[0] + len(fine)]):
        middle = (begin + end) // 2
        label = "".join(map(str, seen[middle % len(fine)].tolist()))
        color = colors.setdefault(label, f"C{len(colors) % 4}")
        arc = (
            torch.linspace(float(begin), float(end), 60) * 2 * torch.pi / len(fine)
        )
        ax.plot(arc.cos(), arc.sin(), lw=7, color=color, solid_capstyle="butt")
        at = (
            1.2 * fine[middle % len(fine)].cos(),
            1.2 * fine[middle % len(fine)].sin(),
        )
        if end - begin > 40:
            ax.text(*at, label, ha="center", va="center", fontsize=8)
    ax.plot(*points.T, "o", color=INK, ms=4)
    for i, (u, v) in enumerate(points.tolist()):
        ax.text(u + 0.05, v + 0.05, f"{i}")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
    ax.axis("off")
plt.show()

# %% [markdown]
# In more dimensions there are far too many orders to sum over all, and finitely many directions
# $a_1, \dots, a_K$ with equal weights would tear $K$ times, a little each time. But the weights may
# depend on the set, and can fade out where a sort is about to tear.
# [`DirectionFrame`][invariant_nets.DirectionFrame] takes the smallest gap that a direction
# leaves between different rows:
#
# $$ \bar f(x) = \sum_k w_k(x)\, f(x \text{ sorted along } a_k), \qquad
#    w_k(x) \propto \min_{x_i \ne x_j} \lvert a_k \cdot (x_i - x_j) \rvert . $$
#
# This is continuous wherever all rows differ and at least one direction tells them all apart: a
# sort is locally constant, or its weight is zero. It is *not* continuous where two rows
# meet: their gap then rules all the weights, and how they share depends on the side from which the
# rows approach. The same path as before, on which one row moves past others:

# %% alt="Output of a network along the same path. Behind the lexicographic sort it jumps at the dotted lines; behind the frame of weighted directions it is a continuous curve with kinks."
mended = CanonicalModel(path_backbone, frame=DirectionFrame(d, 32))
with torch.no_grad():
    outputs["frame"] = torch.cat([mended(x)[:, 0] for x in path.split(500)])
fig, ax = plt.subplots(figsize=(8, 3.2))
for name, label in (
    ("lexicographic_sort", "rows, lexicographic"),
    ("frame", "32 weighted directions"),
):
    ax.plot(steps, outputs[name], ".", ms=2, label=label, rasterized=True)
for crossing in crossings:
    ax.axvline(crossing, color=INK, lw=0.8, ls=":")
ax.set(xlabel="first feature of the moving row", ylabel="output of the network")
ax.legend(markerscale=5)
plt.show()

# %% [markdown]
# A picture cannot tell a jump from a steep slope, but finer steps can: cut the path into ten times as
# many, and the largest change between neighbors falls to a tenth if the function is continuous (and
# has a slope), and stays if it jumps. The next cell does so in float64, in the plane, where both
# frames can be compared with the sort; and once more where two rows meet from different sides.


# %%
def largest_change(model: nn.Module, start, end, count: int) -> float:
    t = torch.linspace(0, 1, count, dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        y = torch.cat(
            [model(x) for x in torch.split(start + t * (end - start), 2000)]
        )
    return y.diff(dim=0).abs().max().item()


torch.manual_seed(11)
plane_backbone = mlp(n, 2).double()
start = torch.randn(n, 2, dtype=torch.float64)
end = start.clone()
end[0] = -start[0]
angles = torch.linspace(0, 3, 13, dtype=torch.float64)
meeting = start.repeat(len(angles), 1, 1)
meeting[:, 1] = meeting[:, 0] + 1e-8 * torch.stack((angles.cos(), angles.sin()), -1)
continuity = []
for name, options in {
    "lexicographic sort": {},
    "32 directions": {"frame": DirectionFrame(2, 32)},
    "circle": {"frame": CircleFrame()},
}.items():
    model = CanonicalModel(plane_backbone, **options)
    coarse, fine = (largest_change(model, start, end, m) for m in (501, 5001))
    with torch.no_grad():
        sides = model(meeting)
    continuity.append(
        {
            "behind": name,
            "500 steps": f"{coarse:.1e}",
            "5,000 steps": f"{fine:.1e}",
            "ratio": fine / coarse,
            "where rows meet": f"{(sides.max() - sides.min()).item():.1e}",
        }
    )
table(continuity, caption="largest change between neighbors on a path")

# %% [markdown]
# ## A sort that does not tear
#
# There is a cheap continuous map that forgets the order: sort *every column by itself*. It is no
# canonicalization in the sense above, because its result is in general not in the orbit. It is
# invariant to a larger group, $(S_n)^d$, one permutation for each column, and so it is blind to
# which entries stood in one row. These two sets are different, and no network behind it can know:

# %%
together = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])  # each member on the diagonal
apart = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])  # each member off the diagonal
same_columns = torch.equal(columnwise_sort(together), columnwise_sort(apart))
same_rows = torch.equal(lexicographic_sort(together), lexicographic_sort(apart))
print(
    f"equal after sorting each column: {same_columns}, after sorting rows: {same_rows}"
)

# %% [markdown]
# For this book's task the blindness is harmless. Given the label all $nd$ entries are independent,
# so the rows mean nothing, and the sufficient statistic $T = \sum_{ij} x_{ij}^2$ can be computed
# from the sorted columns. On data whose features belong together, such as the coordinates of a
# point, it would be fatal. A gain from the larger group is a gain from knowing the task.
#
# ## Training
#
# Five models on the same task and budget, 800 sets drawn anew in each epoch: the multilayer
# perceptron alone, it and the transformer behind a lexicographic sort, the perceptron behind sorted
# columns, and behind a frame of 16 directions. Each accuracy is measured on the same fresh sets.

# %%
EPOCHS = 80
fresh = GaussianDataset(50_000, (n, d), v1, v2, static=True, seed=9)


def accuracy_of(model: nn.Module) -> float:
    model.eval()
    with torch.no_grad():
        hits = [
            ((model(x) > 0) == (y > 0.5)).double().mean()
            for x, y in DataLoader(fresh, 5000)
        ]
    return torch.stack(hits).mean().item()


def trained(name: str, seed: int = 0) -> tuple[nn.Module, float]:
    torch.manual_seed(seed)
    if name == "framed-mlp":
        model = CanonicalModel(mlp(n, d), frame=DirectionFrame(d, 16))
    else:
        model = build_model(name, n, d)
    train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=seed)
    test = GaussianDataset(200, (n, d), v1, v2, static=False, seed=seed + 100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    trainer.fit(DataLoader(train, 32), DataLoader(test, 200), num_epochs=EPOCHS)
    return model, accuracy_of(model)


names = ("mlp", "canonical-mlp", "canonical-transformer", "framed-mlp")
names += ("columnwise-mlp",)
models = {name: trained(name) for name in names}
error = (limit * (1 - limit) / len(fresh)) ** 0.5
reports = {name: test_invariant(model, sets) for name, (model, _) in models.items()}
table(
    [
        {
            "model": name,
            "accuracy": accuracy,
            "gap to the limit": limit - accuracy,
            "invariance error / spread": reports[name].relative_error,
        }
        for name, (_, accuracy) in models.items()
    ],
    caption=f"{EPOCHS} epochs; {len(fresh):,} fresh sets, standard error {error:.4f}",
)

# %% alt="Accuracy of five models as dots on a line: plain perceptron, perceptron behind a lexicographic sort, transformer behind it, and, well ahead of these, perceptron behind a frame and perceptron behind sorted columns; the dashed Bayes limit lies to the right of all."
fig, ax = plt.subplots(figsize=(8, 2.4))
for height, (_, accuracy) in enumerate(models.values()):
    ax.plot(accuracy, -height, "o", color="C0", ms=7)
ax.axvline(limit, color="C2", ls="--")
ax.text(limit - 0.002, 0.2, "Bayes limit", color="C2", ha="right")
ax.set(yticks=[-i for i in range(len(names))], yticklabels=names)
ax.set(
    xlabel="accuracy on fresh sets", xlim=(0.5, 0.72), ylim=(-len(names) + 0.5, 0.5)
)
ax.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# All sorted models are invariant to the last bit. But look at what it buys them. The
# perceptron behind the lexicographic sort is only a little better than the plain one: after the sort, the
# first feature is in order, and the other four still stand in what is, seen from their side, a
# random order. The network must learn about each of their places separately. Sorted columns put
# *every* feature in order, so each place has a meaning, extremes at the ends and typical values in
# the middle, and the perceptron learns far faster. The frame does as well without being blind to
# rows: it shows the network each set in 16 orders, and along each direction another mixture of the
# features is sorted; what the network must get right is their weighted mean, which is much like
# [symmetrization](08_symmetrization.py). Invariance is a constraint on what a network can say; how
# easily it learns the right thing is another matter.
#
# ## Check the claims

# %%
# Sorted models are invariant exactly; the plain one is not.
assert reports["mlp"].relative_error > 0.1
for name in names[1:]:
    assert reports[name].max_error == 0.0, name

# Ties break equivariance of what is sorted and unsorted, unless equal rows share.
assert test_equivariant(unsorted_position, sets)
assert not test_equivariant(unsorted_position, tied)
assert test_equivariant(shared_position, sets)
assert test_equivariant(shared_position, tied)

# Each sort keeps its own group: C_n, S_n, S_n × S_d.
invariant = {
    key: [bool(report) for report in r.values()] for key, r in held.items()
}
assert invariant["lexicographic_sort", "normal"] == [True, True, False]
assert invariant["least_rotation", "normal"] == [True, False, False]
assert invariant["rows_then_columns", "normal"][2] is False
assert invariant["row_column_sort", "normal"] == [True, True, True]
assert invariant["row_column_sort", "random 0-1"][2] is False

# The lexicographic sort jumps, and only at the ties; sorted columns do not jump.
jumps = {name: values.diff().abs() for name, values in outputs.items()}
at_tie = torch.tensor(
    [
        ((a < crossings) & (crossings <= b)).any()
        for a, b in itertools.pairwise(steps)
    ]
)
smooth = jumps["lexicographic_sort"][~at_tie].max()
assert (jumps["lexicographic_sort"][at_tie] > 5 * smooth).float().mean() > 0.5
assert jumps["columnwise_sort"].max() < 5 * smooth
assert jumps["frame"].max() < 0.3 * jumps["lexicographic_sort"].max()

# Finer steps tell a jump from a slope; where rows meet, only the circle is continuous too.
plain, directions, circle = continuity
assert plain["ratio"] > 0.9
assert max(directions["ratio"], circle["ratio"]) < 0.2
assert (
    float(circle["where rows meet"]) < 1e-6 < float(directions["where rows meet"])
)
assert CircleFrame()(torch.randn(1, n, 2)).orders.shape[1] == n * (n - 1)
assert same_columns
assert not same_rows

# Sorted columns and the frame win by far, the plain sort helps the perceptron a little.
accuracies = {name: accuracy for name, (_, accuracy) in models.items()}
plain_best = max(accuracies[name] for name in names[:3])
assert accuracies["columnwise-mlp"] > plain_best + 0.02
assert accuracies["framed-mlp"] > plain_best + 0.02
assert -0.01 < accuracies["canonical-mlp"] - accuracies["mlp"] < 0.03
assert max(accuracies.values()) < limit + 4 * error

# %% [markdown]
# ## Exercises
#
# **1.** Show that for $d = 1$ sorting is continuous: if no entry of $x$ and $y$ differs by more
# than $\varepsilon$, no entry of the sorted lists does.
#
# ??? success "Solution"
#     The $k$-th smallest entry of $x$ is at most $t$ if and only if at least $k$ entries of $x$ are
#     at most $t$. If the $k$-th smallest of $x$ is $t$, then at least $k$ entries of $x$ are at
#     most $t$, so at least $k$ entries of $y$ are at most $t + \varepsilon$, and the $k$-th
#     smallest of $y$ is at most $t + \varepsilon$. Exchange $x$ and $y$ for the other bound.
#
# **2.** A canonicalization that sorts the rows by their norm $\lVert x_i \rVert$ looks rotation-proof.
# Is it continuous? Where does it fail to be a canonicalization at all?
#
# ??? success "Solution"
#     It jumps where two rows of different direction pass each other in norm, so it is not
#     continuous. Where two *different* rows have equal norms, the order depends on the order in
#     which they came, and $c(\sigma x) = c(x)$ fails; the ties must be broken by the entries.
#
# **3.** Show that $(d-1)\,\tfrac{n(n-1)}2 + 1$ generic directions suffice for
# `DirectionFrame`: for every set of different rows at least one tells them all apart.
#
# ??? success "Solution"
#     Two rows $x_i \ne x_j$ tie along $a$ if $a \perp x_i - x_j$. The directions perpendicular to one
#     vector form a subspace of dimension $d - 1$, and of generic directions at most $d - 1$ lie
#     in one such subspace. So each of the $n(n-1)/2$ pairs spoils at most $d - 1$ of them, and one more
#     is left.
#
# **4.** Why does an average over $K$ fixed directions *with equal weights* still jump? By how much,
# compared with a single sort?
#
# ??? success "Solution"
#     Where two different rows tie along one $a_k$, that sort jumps, the other $K - 1$ do not, and
#     the mean jumps by a $K$-th of it. So there are about $K$ times as many jumps, each about $K$
#     times as small. The cell below counts them on the path of the figure.
#
# **5.** Find the smallest size of square 0-1 matrices for which `row_column_sort` fails, by search.
#
# ??? success "Solution"
#     The cell below tries all matrices of each size under all orders of rows and columns.


# %% fold="Solution of exercise 4, in code"
class EqualWeights(nn.Module):
    def __init__(self, frame: nn.Module):
        super().__init__()
        self.frame = frame

    def forward(self, x: torch.Tensor):
        orders, weights = self.frame(x)
        return orders, torch.full_like(weights, 1 / weights.shape[1])


counts = {}
for k in (1, 8, 64):
    model = CanonicalModel(
        plane_backbone, frame=EqualWeights(DirectionFrame(2, k, seed=1))
    )
    t = torch.linspace(0, 1, 5001, dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        y = torch.cat(
            [model(x) for x in torch.split(start + t * (end - start), 500)]
        )
    change = y.diff(dim=0).abs()
    counts[k] = ((change > 20 * change.median()).sum().item(), change.max().item())
assert counts[64][0] > counts[8][0] > counts[1][0]
assert counts[64][1] < counts[8][1] < counts[1][1]
table(
    [
        {"directions": k, "jumps": jumped, "largest jump": f"{largest:.1e}"}
        for k, (jumped, largest) in counts.items()
    ]
)

# %% fold="Solution of exercise 5, in code"


def fails(x: torch.Tensor, images: torch.Tensor) -> bool:
    forms = row_column_sort(x.flatten()[images].reshape(-1, *x.shape))
    return not bool((forms == forms[0]).all())


smallest = None
for size in (2, 3, 4):
    square = direct_product(symmetric_group(size), symmetric_group(size), on="grid")
    images = torch.cat(list(square.elements()))
    for bits in itertools.product((0, 1), repeat=size**2):
        candidate = torch.tensor(bits).reshape(size, size)
        if fails(candidate, images):
            smallest = candidate
            break
    if smallest is not None:
        break
print(f"every 0-1 matrix up to size {size - 1} is put in order; here one is not:")
print(smallest.tolist())
assert size == 4

# %% [markdown]
# ## Sources
#
# - [Kaba et al. (2023)](../bibliography.md#kaba-2023), *Equivariance with Learned Canonicalization
#   Functions*: canonicalization as a route of its own, and learned ones.
# - [Dym et al. (2024)](../bibliography.md#dym-2024), *Equivariant Frames and the Impossibility of
#   Continuous Canonicalization*: the theorem on continuity, and weighted frames.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant
#   Network Design*: averages over a few choices instead of one.
