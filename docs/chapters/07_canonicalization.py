# %% [markdown]
# # Canonicalization
#
# !!! abstract "What you will be able to do"
#     - Make any network exactly invariant by sorting its input, and undo the sort for equivariant outputs.
#     - Define a frame, and prove that no canonicalization of vectors is continuous.
#     - Repair the jumps with weights, or with sorted projections.
#     - Tell apart what a frame gains by averaging and what it gains by continuity.
#
# The shortest way to ignore the order of a set is to put the set in order. Sort the rows first, and every network
# behind the sort is invariant. What does this cost, and does the network learn better for it?

# %%
import itertools

import torch
from matplotlib import pyplot as plt

from invariant_nets import (
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    GaussianTask,
    ModelSpec,
    columnwise_sort,
    compare,
    least_rotation,
    lexicographic_sort,
    mlp,
    row_column_sort,
    test_invariant,
    transformer,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d = 10, 5

# %% [markdown]
# ## One representative of each orbit
#
# All orders in which a set can be stored form its *orbit* $\{\sigma \cdot x : \sigma \in S_n\}$. A
# *canonicalization* $c$ chooses one matrix of each orbit, the same one wherever in the orbit we begin:
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
# An *equivariant* output must undo the sort: if $c(x) = \sigma \cdot x$, then $\bar f(x) = \sigma^{-1} f(\sigma
# \cdot x)$. Now ties matter. With two equal rows there are two such $\sigma$, and they give two answers, between which
# the data cannot choose. [`CanonicalModel(…, equivariant=True)`][invariant_nets.CanonicalModel] takes the mean over all
# of them, so equal rows share their output (exercise 2).
#
# **Other groups.** Every finite group has a canonicalization: of all $g \cdot x$ take the first in the dictionary. To
# find it without trying all of them, each group needs an idea of its own. For $C_n$ the least of the $n$ rotations
# follows from ranks of windows of rows that double in length, in $\lceil \log_2 n \rceil$ sorts
# ([`least_rotation`][invariant_nets.least_rotation]). For $S_n \times S_d$ order the rows by something that the order
# of the columns does not change, such as their own sorted entries, and the columns likewise
# ([`row_column_sort`][invariant_nets.row_column_sort]). This can fail only where two different rows hold the same
# entries, and two different columns do as well. Exercise 3 builds an exact form.
#
# ## The tear
#
# For $d = 1$ sorting is continuous (exercise 1). For $d > 1$ it is not. Where two rows tie in the first feature, they
# change places *with all their other features*. The set moves smoothly, and the sorted set jumps; we call such a
# discontinuity a *tear*. Is there a better choice of representative?
#
# !!! abstract "Theorem (Dym et al., 2024)"
#     For $d \ge 2$ and $n \ge 2$, no canonicalization of $\mathbb R^{n \times d}$ under $S_n$ is continuous.
#
# *Proof.* Let $c$ be continuous and $x$ have distinct rows. Then $c(x) = \sigma_x x$ for exactly one $\sigma_x$. The
# other $\sigma x$ are a positive distance away, so $\sigma_x$ cannot change under a small move of $x$. Sets with
# distinct rows are connected, because two rows agree only on a subspace of codimension $d \ge 2$, which a path can
# avoid. So $\sigma_x = \sigma$ is the same for all of them. But $c(\tau x) = c(x)$ then says $\sigma\tau x = \sigma
# x$, so $\tau$ is the identity. With $n \ge 2$ there is another $\tau$: a contradiction. $\blacksquare$
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
# So a frame loses nothing: what networks $f$ can approximate among invariant functions, averaged networks can
# approximate too. The whole group is a frame, and its mean is [symmetrization](08_symmetrization.py). A
# canonicalization is a frame as well, $\{g : g \cdot x = c(x)\}$.
#
# Does averaging over a frame mend the tear? Sort the rows by their *height* $x_i \cdot a$ along each of $K$
# directions $a_k$, and average: each sort still tears, only by a $K$-th as much. Equal weights cannot do better:
#
# !!! abstract "Theorem (why weights)"
#     Let $d \ge 2$. If averaging over $\mathcal F$ with equal weights turns every continuous $f$ into a continuous
#     $\bar f$, then $\mathcal F(x)$ is all of $S_n$ wherever the rows of $x$ are distinct.
#
# *Proof.* Let the rows of $x$ be distinct. Take $f$ to be a bump around one point $\sigma x$ that vanishes at the
# other points of the orbit. Near $x$, $\bar f$ is about $1/\lvert\mathcal F\rvert$ if $\sigma \in \mathcal F$, and 0
# if not. It is continuous, so $\mathcal F$ is locally constant, and, as above, constant on the connected set of all
# such $x$. From $\mathcal F = \mathcal F\tau^{-1}$ for all $\tau$ it follows that $\mathcal F = S_n$. $\blacksquare$
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
#
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
# [`columnwise_sort`][invariant_nets.columnwise_sort]. Its result is in general not in the orbit, and it is blind to
# which entries stood in one row: it takes the sets $\{(0, 0), (1, 1)\}$ and $\{(0, 1), (1, 0)\}$ to the same matrix.
# But with the sum of both features as a third column, they differ: $(0, 2)$ and $(1, 1)$. So project the rows on many
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
# ([Dym and Gortler, 2022](../bibliography.md#dym-2022)). Here are both repairs, the frame equal to the package's:


# %%
def direction_average(f, x, a):
    heights, orders = (x @ a.T).mT.sort(dim=-1)  # (batch, K, n)
    gaps = heights.diff(dim=-1).amin(-1)  # the smallest gap is between neighbors
    weights = gaps / gaps.sum(1, keepdim=True)
    views = x[torch.arange(len(x))[:, None, None], orders]  # (batch, K, n, d)
    return (weights * f(views.flatten(0, 1)).view_as(weights)).sum(1)


def projections(A):
    return lambda x: columnwise_sort(x @ A.to(x.dtype))


K = 8
by_gaps = DirectionFrame(d, K)
with torch.no_grad():
    mine = direction_average(backbone, sets, by_gaps.directions)
    package = CanonicalModel(backbone, frame=by_gaps)(sets)[:, 0]
torch.testing.assert_close(mine, package)

# %% [markdown]
# Now move one row past the others, along a line in the plane. A picture cannot tell a jump from a steep slope, but
# finer steps can: with ten times as many, the largest change between neighbors falls to a tenth if the function is
# continuous with a slope, and stays if it jumps. In the last column two rows meet from thirteen sides.


# %%
def equally(orders):  # (batch, K, n)
    return orders, torch.full(orders.shape[:2], 1 / orders.shape[1])


torch.manual_seed(11)
flat, wide = mlp(n, 2).double(), mlp(n, 2 + K).double()
gaps = DirectionFrame(2, K, seed=1)
A = torch.cat((torch.eye(2), gaps.directions.T), 1)
in_plane = {
    "lexicographic sort": CanonicalModel(flat),
    "equal weights": CanonicalModel(flat, frame=lambda x: equally(gaps(x).orders)),
    "gap weights": CanonicalModel(flat, frame=gaps),
    "circle": CanonicalModel(flat, frame=CircleFrame()),
    "sorted projections": CanonicalModel(wide, projections(A)),
}
start = torch.randn(n, 2, dtype=torch.float64)
start[0] = torch.tensor([-2.0, 1.0])
end = torch.cat((-start[:1], start[1:]))
angles = torch.linspace(0, 3, 13, dtype=torch.float64)
meeting = start.repeat(13, 1, 1)
meeting[:, 1] = meeting[:, 0] + 1e-8 * torch.stack((angles.cos(), angles.sin()), -1)
t = torch.linspace(0, 1, 5001, dtype=torch.float64)[:, None, None]
paths, continuity = {}, []
for name, f in in_plane.items():
    with torch.no_grad():
        y, sides = f(start + t * (end - start)).flatten(), f(meeting)
    paths[name], spread = y, sides.max() - sides.min()
    jumps = y[::10].diff().abs().max(), y.diff().abs().max(), spread
    continuity.append([jump.item() for jump in jumps])
heads = "behind", "500 steps", "5,000 steps", "where rows meet"
lines = zip(in_plane, *zip(*continuity, strict=True), strict=True)
rows = [dict(zip(heads, line, strict=True)) for line in lines]
table(rows, digits=dict.fromkeys(heads[1:], 6), caption="largest change")

# %% alt="Output of one network along a path on which one point moves past nine others. Behind the lexicographic sort it makes a few large jumps; behind eight directions with equal weights it makes more and smaller jumps; with gap weights it is a continuous curve with kinks."
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
# weights. If the sorts helped, both would beat $K$ *fixed random orders*, which sort nothing and are not invariant. So
# these stand in the table, as controls.
#
# [`compare`][invariant_nets.compare] trains each model from four seeds, on 144 batches of 60 sets, none of which comes
# twice. Of two learning rates each model takes the one with the lower loss on validation sets. All have the same seeds
# and 8,000 test sets, so differences are paired. The last columns add noise of size $\varepsilon$ to 1,000 sets: the
# largest change of the output, divided by the deviation of the outputs.

# %%
fixed = torch.rand(K, n, generator=torch.Generator().manual_seed(4)).argsort(1)
frames = {
    "gap weights": by_gaps,
    "equal weights": lambda x: equally(by_gaps(x).orders),
    "fixed orders": lambda x: equally(fixed.expand(len(x), K, n)),
}
builders = {"mlp": mlp, "transformer": transformer}
for name, build in list(builders.items()):
    builders[f"{name}, one sort"] = lambda n, d, b=build: CanonicalModel(b(n, d))
for name, frame in frames.items():
    builders[name] = lambda n, d, f=frame: CanonicalModel(mlp(n, d), frame=f)
specs = {name: ModelSpec(build, "", "", 7) for name, build in builders.items()}
task = GaussianTask(train_sets=2_880, validation_sets=500, test_sets=8_000)
budget = {"epochs": 3, "batch_size": 60, "schedule": "cosine", "seeds": 4}
comparison = compare(specs, task, lr=[3e-3, 1e-2], **budget)
gains = {
    (one, other): comparison[other].behind(comparison[one])
    for one, other in itertools.product(builders, builders)
}
x = task.test_data().x[:1000].double()
kick = torch.randn(x.shape, generator=torch.Generator().manual_seed(5)).double()
noise, invariant, rows = {}, {}, []
for name in builders:
    models = [run.model.double() for run in comparison[name].runs]
    invariant[name] = all(test_invariant(f, x[:100]) for f in models)
    row = {"model": name, "accuracy": comparison[name].score}
    row["over mlp"] = "{:+.3f} ± {:.3f}".format(*gains[name, "mlp"])
    row["invariant"] = str(invariant[name])
    for e in (1e-2, 1e-4):
        with torch.no_grad():
            pairs = [(f(x), f(x + e * kick)) for f in models]
        changes = [((b - a).abs().max() / a.std()).item() for a, b in pairs]
        row[f"ε = {e}"] = noise[name, e] = max(changes)
    rows.append(row)
table(rows, digits={"ε = 0.0001": 5}, caption=f"limit {task.bayes_accuracy:.3f}")

# %% [markdown]
# **Averaging makes the frame; neither its continuity nor its sorts do.** Gap weights gain points over one sort. But the
# same eight directions with equal weights, which jump, learn as well, to within two points. So do eight fixed random
# orders, which sort nothing and are not invariant. What the three share is that they average eight readings of each
# set. The gain is the one of [symmetrization](08_symmetrization.py).
#
# **Continuity is for robustness.** Behind one sort a noise of $10^{-4}$ can move the output by as much as outputs
# differ between sets. Behind gap weights a hundredth of the noise makes a small part of the change. But they are
# steep: a noise of $10^{-2}$ changes them far more than the plain perceptron.
#
# **One sort is not enough for attention either.** With or without it, the transformer stays behind the perceptrons that
# average by points. Nor does attention need a sort to be invariant. It treats all rows alike; only the positional code
# and the readout, which has a weight for each entry, tell them apart. Leave the code out and read the mean of the rows,
# and the network is invariant:

# %%
code, layer, norm, *readout = with_places = transformer(n, d)
models = with_places, lambda x: norm(layer(x)).mean(1)
attention = [test_invariant(f, sets).holds for f in models]
print(f"invariant: with places {attention[0]}, without {attention[1]}")

# %% [markdown]
# ## Check the claims

# %%
# Sorts for other groups, on orbits of random sets.
assert torch.equal(least_rotation(sets.roll(3, 1)), least_rotation(sets))
other = sets[:, torch.randperm(n)][..., torch.randperm(d)]
assert torch.equal(row_column_sort(other), row_column_sort(sets))

# One sort and equal weights jump; the others do not. Meeting rows: only gap weights.
coarse, fine, sides = zip(*continuity, strict=True)
ratio = [b / a for a, b in zip(coarse, fine, strict=True)]
assert min(ratio[:2]) > 0.9 > 0.3 > max(ratio[2:])
assert fine[0] > 1.5 * fine[1] > 3 * fine[2]
assert sides[2] > 1e-4 > 1e-7 > max(sides[:2] + sides[3:])
assert CircleFrame()(torch.randn(1, n, 2)).orders.shape[1] == n * (n - 1)

# Averaging helps, with or without continuity, with or without a sort.
for name in frames:
    for other in list(builders)[:4]:
        more, error = gains[name, other]
        assert more - 3 * error > 0.02, (name, other)
    more, error = gains[name, "gap weights"]
    assert more - 3 * error > -0.02, name
assert [*invariant.values()] == [False, False, True, True, True, True, False]

# The noise shows what jumps, what is steep and what is calm.
assert noise["mlp, one sort", 1e-4] > 0.4
assert noise["equal weights", 1e-4] > 0.05
for name in ("mlp", "gap weights", "fixed orders"):
    assert noise[name, 1e-4] < noise[name, 1e-2] / 20
assert noise["gap weights", 1e-2] > 5 * noise["mlp", 1e-2]
assert attention == [False, True]

# %% [markdown]
# ## Summary
#
# - A canonicalization sorts first and makes every network exactly invariant, for the price of a sort. An equivariant
#   output undoes the sort, and equal rows share their output.
# - For $d \ge 2$ no canonicalization of sets is continuous, and no frame with equal weights is, except all of $S_n$.
#   Weights that fade at a tear mend it.
# - Sorted projections are invariant and Lipschitz, and enough of them separate all orbits.
# - The gain of a frame in training is that of averaging: controls that jump, or that do not sort, learn as well.
#   Continuity keeps the change of the output small under small noise.
#
# ## Where the field went
#
# [Puny et al. (2022)](../bibliography.md#puny-2022) made frames a general tool, with frames from principal axes for
# rotations ([chapter 14](14_two_symmetries.py)). [Kaba et al. (2023)](../bibliography.md#kaba-2023) *learn* the
# canonicalization: an equivariant network puts out the group element, or the representative minimizes an energy.
# [Mondal et al. (2023)](../bibliography.md#mondal-2023) put such a canonicalization before large pretrained models.
# [Kim et al. (2023)](../bibliography.md#kim-2023) learn a distribution over group elements, our $\mu(x)$. [Lin et al.
# (2024)](../bibliography.md#lin-2024) construct minimal frames for many groups, and [Ma et al.
# (2024)](../bibliography.md#ma-2024) relate frames to canonical forms.
#
# [Dym et al. (2024)](../bibliography.md#dym-2024) showed that continuity needs weights. [Lin and Levie
# (2026)](../bibliography.md#lin-2026) take another way to it: the representative is the one of which the network is
# most confident. Sorting also lives on as a *pool*: [Zhang et al. (2020)](../bibliography.md#zhang-2020) sort each
# learned feature over the members, and [Naderializadeh et al. (2021)](../bibliography.md#naderializadeh-2021) sort
# projections and compare them with those of a reference set.
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
# **2.** Build the equivariant output of one set: apply $f$ to the sorted rows of $x$, undo the sort, and let equal rows
# share the mean of their outputs. Why is that the mean over all $\sigma$ with $\sigma \cdot x = c(x)$?
#
# ??? success "Solution"
#     If $\sigma$ is one of them, the others are $\sigma h$, where $h$ permutes equal rows, and $(\sigma h)^{-1} f(c(x))
#     = h^{-1} \bigl( \sigma^{-1} f(c(x)) \bigr)$. The mean over all $h$ is the mean over equal rows. For $\tau x$ the
#     choices are $\sigma\tau^{-1}$, so $\bar f(\tau x) = \tau \bar f(x)$.


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
    assert len(y.unique(dim=0)) == 5, "other rows should have other outputs"
    whole = sorted_rows(x[None])[0].cumsum(0).sum(0)
    assert torch.allclose(y.sum(0), whole), "f should see the rows in order"


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
# **3.** Build an exact canonical form for $S_n \times S_d$ with few columns: try all $d!$ orders of the columns, sort the
# rows for each, and keep the least matrix in the order of a dictionary. Why is it exact, and for which $d$ is it fast?
#
# ??? success "Solution"
#     Two matrices of one orbit have the same candidates, so they have the same least one. For fixed $d$ the cost is
#     polynomial in $n$. If both sides may grow, a canonical form of 0-1 matrices decides whether two bipartite graphs
#     are the same, and no polynomial algorithm is known for that.


# %% exercise="3"
def exact_form(x):
    """Return the least matrix of the orbit of each x, (batch, n, d), under S_n × S_d."""
    ...


# %% solution="3"
def exact_form(x):
    columns = torch.tensor(list(itertools.permutations(range(x.shape[2]))))
    tried = x[:, :, columns].transpose(1, 2)  # (batch, d!, n, d)
    forms = lexicographic_sort(tried.flatten(0, 1)).view(len(x), len(columns), -1)
    return lexicographic_sort(forms)[:, 0].view_as(x)


# %% check="3"
def law_3(exact_form):
    source = torch.Generator().manual_seed(3)
    x = torch.randint(0, 2, (64, 4, 4), generator=source).float()
    form, moved = exact_form(x), exact_form(x[:, [2, 0, 3, 1]][:, :, [3, 0, 2, 1]])
    assert torch.equal(form, moved), "one orbit should have one form"
    orders = list(itertools.permutations(range(4)))
    for a, b in zip(form.tolist(), x.tolist(), strict=True):
        orbit = [sorted([row[j] for j in order] for row in b) for order in orders]
        assert sorted(a) in orbit, "the form should be x in another order"


check_3 = CodeCheck("3", law_3)
check_3(exact_form)

# %% wrong="3"
check_3.holds(
    exact_form, wrong=[lexicographic_sort, row_column_sort, columnwise_sort]
)

# %% [markdown]
# **4.** How many generic directions does `DirectionFrame` need, so that for every set of ten different rows in
# $\mathbb R^5$ at least one of them tells all rows apart?
#
# ??? success "Solution"
#     Rows $x_i \ne x_j$ tie along $a$ if $a \perp x_i - x_j$. Of generic directions at most $d - 1$ are perpendicular
#     to one vector, so the $n(n-1)/2$ pairs spoil at most $(d-1)\,n(n-1)/2$ of them. One more is enough.

# %% exercise="4"
answer_4 = ...  # the number of directions

# %% solution="4"
answer_4 = (d - 1) * n * (n - 1) // 2 + 1

# %% check="4"
check_4 = AnswerCheck("07.4", digest="ae98f0815246dde2")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[180, 46, 226])

# %% [markdown]
# **5.** Someone sorts rows by their norm $\lVert x_i \rVert$ alone, because rotations do not change it. Is the sorted
# set a continuous function of $x$? Does $c(\sigma x) = c(x)$ hold for all sets? Answer with two truth values.
#
# ??? success "Solution"
#     It jumps where two rows of different direction pass each other in norm. And where two *different* rows have equal
#     norms, their order is the one in which they came, so $c(\sigma x) = c(x)$ fails: the entries must break ties.

# %% exercise="5"
answer_5 = ...  # a pair: continuous, invariant

# %% solution="5"
answer_5 = False, False

# %% check="5"
check_5 = AnswerCheck("07.5", digest="3654913f2032cb8c")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(True, True), (False, True), (True, False)])

# %% [markdown]
# ## Sources
#
# - [Dym et al. (2024)](../bibliography.md#dym-2024), *Equivariant Frames and the Impossibility of Continuous
#   Canonicalization*: the theorem on continuity, and weighted frames.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant Network Design*.
# - [Dym and Gortler (2022)](../bibliography.md#dym-2022), *Low Dimensional Invariant Embeddings for Universal Geometric
#   Learning*: how many sorted projections separate orbits.
