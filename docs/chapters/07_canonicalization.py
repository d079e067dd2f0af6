# %% [markdown]
# # Canonicalization
#
# The shortest way to ignore the order of a set is to put it in order. Sort the rows first, and any
# network behind the sort is invariant, exactly, for the price of a sort. Is there a catch? There
# are two. A sort tears: sets that lie close together can be sorted into sets that lie far apart.
# And being invariant is not the same as having learned well. This chapter proves the first
# statement, shows the tear, and measures what sorting is worth.

# %%
import itertools

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    CanonicalModel,
    GaussianDataset,
    bayes_accuracy,
    build_model,
    columnwise_sort,
    lexicographic_sort,
    mlp,
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
# and so on. [`lexicographic_sort`][invariant_nets.canonicalization.lexicographic_sort] does it for a
# batch, and [`CanonicalModel`][invariant_nets.canonicalization.CanonicalModel] puts it before a
# model. Two rows that tie in every feature are equal, so it does not matter which comes first.

# %%
torch.manual_seed(0)
sets = torch.randn(128, n, d)
model = CanonicalModel(mlp(n, d))
print(test_invariant(model, sets))

# %% [markdown]
# The error is not small, it is zero: the network receives the same numbers in the same places.
#
# ### Ties
#
# Ties are harmless here, but not everywhere. For an *equivariant* output the sort must be undone
# at the end, and then it matters which of two equal rows was which: a network whose rows are told
# apart by their position treats equal members differently, and the choice between them is not in
# the data. Below, a function of the position is sorted and unsorted again. On rows in general
# position it is equivariant, on a set with two equal rows it is not.


# %%
def unsorted_position(x: torch.Tensor) -> torch.Tensor:
    """Give every row its position in the sorted order: sort, number, undo the sort."""
    order = x[..., 0].argsort(dim=1, stable=True)
    return order.argsort(dim=1)[..., None].to(x.dtype)


tied = sets.clone()
tied[:, 1] = tied[:, 0]
for name, x in (("distinct rows", sets), ("two equal rows", tied)):
    print(f"{name:15} equivariant: {test_equivariant(unsorted_position, x).holds}")

# %% [markdown]
# ## The tear
#
# For $d = 1$ sorting is continuous: no entry of the sorted list moves farther than the entry of the
# list that moved most. For $d > 1$ it is not. Move one row past another in the first feature; at
# the moment when they tie they change places, *with all their other features*. What stands behind
# the sort sees a jump, though the set itself moved smoothly.

# %% alt="Output of a sorted network as one entry of a set moves by one unit. With the lexicographic sort it jumps wherever the moving row passes another one; with every column sorted by itself it is continuous."
torch.manual_seed(3)
backbone = mlp(n, d)
path = torch.randn(1, n, d).repeat(2001, 1, 1)
steps = torch.linspace(-1.5, 1.5, len(path))
path[:, 0, 0] = steps
outputs = {}
with torch.no_grad():
    for sort in (lexicographic_sort, columnwise_sort):
        outputs[sort.__name__] = CanonicalModel(backbone, sort)(path)[:, 0]
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
# the same. What can be had instead is a *weighted* choice of several sorts, with weights that fade
# where a sort tears; the same paper builds such frames.
#
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
# Three models on the same task and budget, 800 sets drawn anew in each epoch: the multilayer
# perceptron and the transformer behind a lexicographic sort, and the perceptron behind sorted
# columns. Each accuracy is measured on the same fresh sets.

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
    model = build_model(name, n, d)
    train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=seed)
    test = GaussianDataset(200, (n, d), v1, v2, static=False, seed=seed + 100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    trainer.fit(DataLoader(train, 32), DataLoader(test, 200), num_epochs=EPOCHS)
    return model, accuracy_of(model)


names = ("mlp", "canonical-mlp", "canonical-transformer", "columnwise-mlp")
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

# %% alt="Accuracy of four models as dots on a line: plain perceptron, perceptron behind a lexicographic sort, transformer behind it, and perceptron behind sorted columns, which is the best; the dashed Bayes limit lies to the right of all."
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
# All three sorted models are invariant to the last bit. But look at what it buys them. The
# perceptron behind the lexicographic sort is only a little better than the plain one: after the sort, the
# first feature is in order, and the other four still stand in what is, seen from their side, a
# random order. The network must learn about each of their places separately. Sorted columns put
# *every* feature in order, so each place has a meaning, extremes at the ends and typical values in
# the middle, and the perceptron learns far faster. Invariance is a constraint on what a network can
# say; how easily it learns the right thing is another matter.
#
# !!! note "Sorting for $S_n \times S_d$"
#     If the columns may be permuted as well, sorting the rows and then the columns does not help:
#     the second sort undoes the first. Exercise 3 asks what does.
#
# ## Check the claims

# %%
# Sorted models are invariant exactly; the plain one is not.
assert reports["mlp"].relative_error > 0.1
for name in names[1:]:
    assert reports[name].max_error == 0.0, name

# Ties break equivariance of what is sorted and unsorted.
assert test_equivariant(unsorted_position, sets)
assert not test_equivariant(unsorted_position, tied)

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
assert same_columns
assert not same_rows

# Sorted columns win by far, the lexicographic sort helps the perceptron a little.
accuracies = {name: accuracy for name, (_, accuracy) in models.items()}
assert (
    accuracies["columnwise-mlp"]
    > max(accuracies[name] for name in names[:3]) + 0.02
)
assert -0.01 < accuracies["canonical-mlp"] - accuracies["mlp"] < 0.03
assert max(accuracies.values()) < limit + 4 * error

# %% [markdown]
# ## Exercises
#
# **1.** Show that for $d = 1$ sorting is continuous: if no entry of $x$ and $y$ differs by more
# than $\varepsilon$, no entry of the sorted lists does.
#
# ??? success "Solution"
#     The $k$-th smallest entry of $x$ is at most $t$ exactly if at least $k$ entries of $x$ are at
#     most $t$. If the $k$-th smallest of $x$ is $t$, then at least $k$ entries of $x$ are at most
#     $t$, so at least $k$ entries of $y$ are at most $t + \varepsilon$, and the $k$-th smallest of
#     $y$ is at most $t + \varepsilon$. Exchange $x$ and $y$ for the other bound.
#
# **2.** A canonicalization that sorts the rows by their norm $\lVert x_i \rVert$ looks rotation-proof.
# Is it continuous? Where does it fail to be a canonicalization at all?
#
# ??? success "Solution"
#     It jumps where two rows of different direction pass each other in norm, so it is not
#     continuous. Where two *different* rows have equal norms, the order depends on the order in
#     which they came, and $c(\sigma x) = c(x)$ fails; the ties must be broken by the entries.
#
# **3.** Sorting rows lexicographically and then columns lexicographically is not invariant to
# $S_n \times S_d$. Find a matrix that shows it, and a repair that works unless statistics tie.
#
# ??? success "Solution"
#     The cell below finds one by search. A repair: order the rows by a statistic that does not
#     depend on the order of the columns, such as the sum of squares of a row, and the columns by one
#     that does not depend on the order of the rows. Neither sort disturbs the other's statistic. It
#     fails where two rows or two columns tie in their statistics without being equal.


# %% fold="Solution of exercise 3, in code"
def rows_then_columns(x: torch.Tensor) -> torch.Tensor:
    return lexicographic_sort(lexicographic_sort(x).mT).mT


def by_statistics(x: torch.Tensor) -> torch.Tensor:
    rows = x.square().sum(-1).argsort(-1)
    x = x.gather(1, rows[..., None].expand_as(x))
    columns = x.square().sum(-2).argsort(-1)
    return x.gather(2, columns[:, None].expand_as(x))


matrices = torch.randint(
    0, 5, (200, 3, 3), generator=torch.Generator().manual_seed(0)
).double()
turned = matrices[:, [2, 0, 1]][:, :, [1, 2, 0]]
fails = (rows_then_columns(matrices) != rows_then_columns(turned)).flatten(1).any(1)
print(f"fails for {fails.double().mean():.0%} of random integer matrices, such as")
print(matrices[fails][0].int().tolist())
continuous = torch.randn(200, 3, 3, dtype=torch.float64)
again = continuous[:, [2, 0, 1]][:, :, [1, 2, 0]]
repaired = torch.equal(by_statistics(continuous), by_statistics(again))
print("the repair holds on matrices without ties:", repaired)
assert fails.any()
assert repaired

# %% [markdown]
# ## Sources
#
# - [Kaba et al. (2023)](../bibliography.md#kaba-2023), *Equivariance with Learned Canonicalization
#   Functions*: canonicalization as a route of its own, and learned ones.
# - [Dym et al. (2024)](../bibliography.md#dym-2024), *Equivariant Frames and the Impossibility of
#   Continuous Canonicalization*: the theorem on continuity, and weighted frames.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant
#   Network Design*: averages over a few choices instead of one.
