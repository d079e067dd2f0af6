# %% [markdown]
# # All models compared
#
# !!! abstract "What you will be able to do"
#     - compare models fairly: one budget, a learning rate that validation sets choose for each model, test sets that
#       choose nothing, several seeds, and an error for every difference;
#     - lay a comparison out as a grid of groups and routes, so that one thing changes at a time;
#     - find the control run that would refute an explanation, and run it;
#     - measure what a symmetry is worth in labeled sets, and audit which symmetries a model has.
#
# A list of models, sorted by accuracy, invites explanations. Two of them sound right: "the larger the group, the
# better the model", and "a sort fails because it jumps". For each there is a run that could refute it. What does it give?

# %%
import itertools
import math
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import DataLoader

import invariant_nets as nets
from invariant_nets import MODELS, CanonicalModel, ModelSpec, SymmetryModel, mlp
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, PALETTE, table, use_book_style

use_book_style()
n, d = 10, 5

# %% [markdown]
# ## The rules
#
# - **Budget.** Each model sees 3 epochs of 2,880 [dynamic sets](10_overfitting.py), so no set comes twice: 144 steps of
#   Adam with 60 sets each, while the learning rate falls to 0 along a cosine. So small a budget favors fast learners.
# - **Learning rate.** Each model takes one of three. It is trained once with each, from a seed of its own, and the
#   loss on 1,000 validation sets chooses.
# - **Test.** 20,000 fresh sets, the same for all models, choose nothing. There are three **seeds**, of data and weights.
#
# All models have the same seeds and test sets, so we take differences in pairs. Let $D_{kb}$ be 1 if, with seed $k$,
# model one is right on test set $b$ and model two is wrong, $-1$ in the opposite case, and 0 otherwise. What is luck
# for both models cancels. With $v_{\mathrm{seeds}}$, the variance of the $K$ means over sets, and
# $v_{\mathrm{sets}}$, the variance of the $N$ means over seeds,
#
# $$ \bar D = \frac1{KN} \sum_{k,b} D_{kb}, \qquad
#    \mathrm{error} = \sqrt{\frac{v_{\mathrm{seeds}}}{K} + \frac{v_{\mathrm{sets}}}{N}} . $$


# %%
def paired(one, two):
    """Return the mean of one − two, both (seeds, sets), and its standard error."""
    apart = one - two
    seeds, sets = apart.shape
    variance = apart.mean(1).var() / seeds + apart.mean(0).var() / sets
    return apart.mean().item(), variance.sqrt().item()


# %% [markdown]
# ## A grid of groups and routes
#
# The explanations name a *group* and a *route*. So we vary one and keep the other.
#
# - **Layers:** networks of equivariant layers for $S_n$, $S_n \times S_d$ and $S_{nd}$, each with two hidden layers of
#   width 16.
# - **Perceptron:** one and the same [`mlp`][invariant_nets.mlp]. It sees the set as it is; or after a sort of the rows
#   ($S_n$), of rows and columns ($S_n \times S_d$), or of all entries ($S_{nd}$); or it is averaged over the cyclic
#   shifts of the rows ($C_n$), or of rows and columns ($C_n \times C_d$).
# - **Logistic regression** on the 50 entries; on the 50 squares $x_{ij}^2 - 1$, which know no group but hold the
#   feature that [the posterior needs](02_task.py#one-number-holds-all-the-information); and on their sum $T - nd$,
#   which is invariant to $O(nd)$.
#
# The package's [`compare`][invariant_nets.compare] trains them all by our rules.


# %%
class CenteredSquares(nn.Module):
    def forward(self, x):
        return x.flatten(1).square() - 1


def regression(inputs, n, d):
    return nn.Sequential(inputs(), nn.Linear(n * d, 1))


def sorted_mlp(sort, n, d):
    return CanonicalModel(mlp(n, d), sort)


def averaged_mlp(group, n, d):
    return SymmetryModel(mlp(n, d), group)


def sorted_entries(x):
    return x.flatten(1).sort(1).values.view_as(x)


row_shifts, column_shifts = nets.cyclic_group(n), nets.cyclic_group(d)
both_shifts = nets.direct_product(row_shifts, column_shifts, on="grid")
builders = {
    "layers, S_n": partial(nets.intrinsic, hidden=(16, 16)),
    "layers, S_n × S_d": nets.exchangeable_matrix,
    "layers, S_{nd}": nets.entrywise,
    "perceptron, none": mlp,
    "sorted, S_n": partial(sorted_mlp, nets.lexicographic_sort),
    "sorted, S_n × S_d": partial(sorted_mlp, nets.row_column_sort),
    "sorted, S_{nd}": partial(sorted_mlp, sorted_entries),
    "averaged, C_n": partial(averaged_mlp, row_shifts),
    "averaged, C_n × C_d": partial(averaged_mlp, both_shifts),
    "entries, none": partial(regression, nn.Flatten),
    "squares, none": partial(regression, CenteredSquares),
    "squares, O(nd)": nets.radial,
}
keys = {name: name.split(", ") for name in builders}  # route and group
specs = {name: ModelSpec(builders[name], *key, 11) for name, key in keys.items()}
task = nets.GaussianTask(train_sets=2_880, validation_sets=1_000, test_sets=20_000)
budget = {"epochs": 3, "batch_size": 60, "schedule": "cosine"}
rates = [3e-3, 1e-2, 3e-2]
comparison = nets.compare(specs, task, **budget, seeds=3, lr=rates)
comparison.table(
    ["model", "score", "behind", "lr", "weights"],
    formulas=False,
    caption="± is the deviation over seeds; of “behind” it is the paired error.",
)

# %% [markdown]
# Here are the same numbers as a grid. The groups grow from left to right, and each line is a route.

# %%
limit = task.bayes_accuracy
groups = ("none", "C_n", "C_n × C_d", "S_n", "S_n × S_d", "S_{nd}", "O(nd)")
hits = {  # which test sets each model has right, (seeds, sets)
    name: torch.stack([run.by_set for run in comparison[name].runs])
    for name in keys
}


def formula(group):
    return (
        "none"
        if group in ("none", "trivial")
        else f"${group}$".replace("×", r"\times")
    )


# %% alt="Accuracy against the group, from none to O(nd), one line per route and one dot per seed. Layers and squares lie near the dashed limit for all of their groups. The averaged perceptron is a little below it. The sorted perceptron is far below for two groups, and near the limit for the third. The perceptron on sets as they are is as far below, and regression on entries is at one half."
fig, ax = plt.subplots(figsize=(8, 3.8))
for color, route in zip(PALETTE, dict(keys.values()), strict=False):
    own = {
        groups.index(key[1]): hits[k] for k, key in keys.items() if key[0] == route
    }
    ax.plot(own.keys(), [h.mean() for h in own.values()], color=color, label=route)
    ax.plot(own.keys(), [h.mean(1) for h in own.values()], "o", color=color, ms=4)
ax.axhline(limit, color=INK, ls="--", lw=1)
ax.set_xticks(range(len(groups)), map(formula, groups))
ax.set(xlabel="group", ylabel="accuracy")
ax.legend(ncols=2, loc="center right")
plt.show()

# %% [markdown]
# Compare along a line of the grid, and then across lines. The last column shows the error that 200 test sets would leave.

# %%
pairs = [
    ("layers, S_n × S_d", "layers, S_n"),
    ("layers, S_{nd}", "layers, S_n × S_d"),
    ("averaged, C_n × C_d", "averaged, C_n"),
    ("sorted, S_n × S_d", "sorted, S_n"),
    ("sorted, S_{nd}", "sorted, S_n × S_d"),
    ("squares, O(nd)", "squares, none"),
    ("layers, S_n × S_d", "sorted, S_n × S_d"),
    ("averaged, C_n", "sorted, S_n × S_d"),
    ("squares, none", "layers, S_n"),
    ("squares, none", "entries, none"),
]
gains = [paired(hits[a], hits[b]) for a, b in pairs]
few = [paired(hits[a][:, :200], hits[b][:, :200])[1] for a, b in pairs]
heads = ("of", "over", "difference", "error", "on 200")
lines = [(*p, *g, e) for p, g, e in zip(pairs, gains, few, strict=True)]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# **At the same route, a larger group that holds helps**: the layers by a point or two, from $S_n$ to $S_n \times S_d$,
# the average as much, the regression on squares by half a point. The next step of the layers, to $S_{nd}$, brings
# nothing that three seeds resolve. For the sort it depends: to sort columns besides rows hardly moves it, to sort all
# entries gains ten points.
#
# **Across routes, the group says little.** The perceptron after `row_column_sort` respects all of
# $S_n \times S_d$, which has more than $4 \cdot 10^8$ elements. It is far behind the average over the ten elements of
# $C_n$, and the layers for its own group are ten points ahead. Logistic regression on squares respects no group, and it beats the
# $S_n$ layers. The regression on entries is the control for that: it has as many weights but not the feature, and it
# guesses.
#
# So "the larger the group, the better" is false. On this task the feature and the route matter more than the group,
# and the group decides the last point or two. The best model has both: $T$ is the right feature and has the largest group.
#
# The differences of one or two points are smaller than two of the errors on 200 test sets.
# [Such a test ranks luck](02_task.py#why-200-test-sets-cannot-rank-models).
#
# ## What symmetry is worth
#
# In the grid every step saw new sets. Symmetry should matter most where labeled sets are scarce. So we now train on
# 100, 1,000 or 10,000 static sets, for 200 steps of 64 sets, with the learning rates chosen above. The perceptron gets
# four **views** of a set: one or several orders of its rows, over which its logits are averaged.
#
# | View | Invariant to $S_n$ | Jumps | Orders averaged |
# |---|---|---|---|
# | as it is | no | no | 1 |
# | one sort of the rows | yes | yes | 1 |
# | ten sorts, along ten random directions | yes | yes | 10 |
# | ten fixed random orders | no | no | 10 |
#
# If the jumps were to blame, ten sorts would fail as one does. If invariance to $S_n$ helped, ten fixed orders would fail.

# %%
sizes, seeds, steps, batch = (100, 1_000, 10_000), (0, 1, 2), 200, 64
source = torch.Generator().manual_seed(3)
directions = torch.randn(d, 10, generator=source)
fixed_orders = torch.rand(10, n, generator=source).argsort(1)


def ten_sorts(x):
    order = (x @ directions).argsort(1).mT
    return x[torch.arange(len(x))[:, None, None], order]


views = {  # from (sets, n, d) to (sets, orders, n, d)
    "as it is": lambda x: x[:, None],
    "one sort": lambda x: nets.lexicographic_sort(x)[:, None],
    "ten sorts": ten_sorts,
    "ten fixed orders": lambda x: x[:, fixed_orders],
}
rate_of = dict.fromkeys(views, "averaged, C_n")  # whose rate the view takes
rate_of |= {"as it is": "perceptron, none", "one sort": "sorted, S_n"}
wide = partial(nets.intrinsic, hidden=(32, 32))
trained = {view: (mlp, rate) for view, rate in rate_of.items()}
trained |= {"wide layers, S_n": (wide, "layers, S_n")}
trained |= {k: (builders[k], k) for k in keys if k[:6] in ("layers", "square")}

# %% [markdown]
# Three sizes times three seeds are nine trainings per row, and they run side by side: `stack_module_state` stacks the
# weights, and `vmap` runs one network with all nine. No weight belongs to two models, so the gradient of the summed
# loss holds the gradient of each.


# %%
def drawn(seed):
    data = nets.GaussianTask(static=True, train_sets=sizes[-1]).training_data(seed)
    return next(iter(DataLoader(data, len(data))))


x_train, y_train = map(torch.stack, zip(*map(drawn, seeds), strict=True))
test = task.test_data().select(range(5_000))
trainings = list(itertools.product(sizes, range(len(seeds))))


def logits_of(network, weights, x):
    """Return logits (models, sets, 1), averaged over the orders of each set."""
    run = vmap(lambda own, x: functional_call(network, own, (x,)))
    return run(weights, x.flatten(1, 2)).unflatten(1, x.shape[1:3]).mean(2)


def learned(build, view, lr):
    """Return which test sets each model has right, (sizes, seeds, sets)."""
    models = []
    for _, k in trainings:
        torch.manual_seed(seeds[k])
        models.append(build(n, d))
    network, weights = models[0], stack_module_state(models)[0]
    optimizer = torch.optim.Adam(weights.values(), lr=lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    own = torch.tensor([k for _, k in trainings])[:, None]
    x, source = view(x_train.flatten(0, 1)), torch.Generator().manual_seed(4)
    x = x.unflatten(0, x_train.shape[:2])
    for _ in range(steps):
        some = [torch.randint(m, (batch,), generator=source) for m, _ in trainings]
        chosen = own, torch.stack(some)
        logits = logits_of(network, weights, x[chosen])
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits, y_train[chosen]
        )
        optimizer.zero_grad()
        (len(models) * loss).backward()
        optimizer.step()
        cosine.step()
    with torch.no_grad():
        parts = [view(part).expand(9, -1, -1, -1, -1) for part in test.x.split(250)]
        logits = torch.cat([logits_of(network, weights, part) for part in parts], 1)
    right = ((logits > 0) == (test.y > 0.5)).squeeze(2).double()
    return right.unflatten(0, (len(sizes), len(seeds)))


right = {}
for name, (build, like) in trained.items():
    view = views.get(name, views["as it is"])
    found = learned(build, view, comparison[like].lr)
    right[name] = dict(zip(sizes, found, strict=True))
table(
    [
        {"model": name}
        | {
            f"{m:,}": f"{r.mean():.3f} ± {r.mean(1).std():.3f}"
            for m, r in of.items()
        }
        for name, of in right.items()
    ],
    caption="Accuracy by the number of training sets, ± the deviation over seeds.",
)

# %% alt="Accuracy against the number of training sets, 100 to 10,000, in two panels. Left, the perceptron: as it is and after one sort it stays far below; with ten sorts or ten fixed orders it rises together, far above. Right: T lies on the dashed limit from 100 sets on; the layers for larger groups begin just below it; the layers for rows and the squares begin lowest and rise."
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax, part in zip(axes, (list(right)[:4], list(right)[4:]), strict=True):
    for color, name in zip(PALETTE, part, strict=False):
        accuracies = [of_size.mean() for of_size in right[name].values()]
        ax.semilogx(sizes, accuracies, "o-", color=color, label=name)
    ax.axhline(limit, color=INK, ls="--", lw=1)
    ax.set(xlabel="training sets", ylim=(0.49, 0.72))
    ax.legend(fontsize="small")
axes[0].set_ylabel("accuracy on fresh sets")
plt.show()

# %%
of_T, of_layers = pairs[5], pairs[0]
contrasts = [(m, *of_T) for m in sizes] + [(m, *of_layers) for m in sizes]
contrasts += [(m, of_layers[0], "wide layers, S_n") for m in sizes[:2]]
contrasts += [(1_000, "one sort", "as it is"), (1_000, "ten sorts", "one sort")]
contrasts += [(1_000, "ten fixed orders", "as it is")]
contrasts += [(1_000, "ten sorts", "ten fixed orders")]
worth = [paired(right[a][m], right[b][m]) for m, a, b in contrasts]
heads = ("sets", "of", "over", "difference", "error")
lines = [(*c, *found) for c, found in zip(contrasts, worth, strict=True)]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# **Symmetry is worth most where sets are scarce.** The cleanest pair is $T$ over the squares. The feature is the same,
# but $T$ need not learn that all entries count alike. With 100 sets this knowledge is worth about nine points, with
# 10,000 about half of one. The layers show the same, and capacity is not the reason: the wide $S_n$ layers have three
# times the weights of the $S_n \times S_d$ layers and are still behind.
#
# **What helps is to average.** One sort gains a point at most. Ten sorts jump too, and gain about seven points more. Ten
# fixed orders never jump and are not invariant, and gain about as much over no sort. So neither jumps nor a lack of
# invariance explain why one sort fails. [Chapter 7](07_canonicalization.py) says what continuity is for.
#
# ## Do the models keep their promises?
#
# Each model claims a group. We audit the untrained models of the registry [`MODELS`][invariant_nets.MODELS], and
# those that are new in the grid, and try *every* group on each. Every group is a list of matrices that act on the 50
# entries: [generators](03_measuring_invariance.py#generators-are-enough), or two random elements where there are more
# than a few. In float64 no defect hides behind rounding.

# %%
entries = torch.arange(n * d).view(n, d)
of_rows = [entries.roll(1, 0), entries[[1, 0, *range(2, n)]]]  # a shift, a swap
of_columns = [entries.roll(1, 1), entries[:, [1, 0, *range(2, d)]]]
each = [
    torch.rand(n, d, generator=source).argsort(0) * d + entries[0] for _ in "ab"
]
acting = {
    "C_n": of_rows[:1],
    "C_n × C_d": of_rows[:1] + of_columns[:1],
    "S_n": of_rows,
    "S_n × C_d": of_rows + of_columns[:1],
    "S_n × S_d": of_rows + of_columns,
    "(S_n)^d": of_rows + each,  # each column by itself
    "S_{nd}": [torch.randperm(n * d, generator=source) for _ in "ab"],
}
eye = torch.eye(n * d, dtype=torch.float64)
acting = {name: [eye[g.flatten()] for g in of] for name, of in acting.items()}
turns = torch.randn(2, n * d, n * d, generator=source, dtype=torch.float64)
acting["O(nd)"] = torch.linalg.qr(turns)[0]
probe = torch.randn(32, n * d, generator=source, dtype=torch.float64)
audited = MODELS | {k: specs[k] for k in keys if k[:8] in ("averaged", "sorted, ")}
audit = {name: {} for name in audited}
for number, (name, spec) in enumerate(audited.items()):
    torch.manual_seed(number)
    model = spec.build(n, d).double().eval()
    with torch.no_grad():
        for group, of in acting.items():
            y, *moved = [model((probe @ g).view(-1, n, d)) for g in (eye, *of)]
            change = max((z - y).abs().max() for z in moved) / y.std()
            audit[name][group] = change.item()
table(
    [
        {"model": name, "claims": formula(audited[name].group)}
        | {formula(k): "0" if v < 1e-9 else f"{v:.1f}" for k, v in found.items()}
        for name, found in audit.items()
    ],
    caption="Largest change of the output, relative to its spread; 0 is rounding.",
)

# %% [markdown]
# Every model is invariant to the group that it claims and to the subgroups of it, and to no other group in the table.
# The sampled averages and augmentation claim nothing, and keep nothing exactly. Neither $S_n \times S_d$ nor
# $(S_n)^d$, which moves each column by itself, contains the other.
#
# ## What to choose
#
# - **First look for the feature.** A regression on features that say what the task asks for needs no group, and every
#   network should be compared with it.
# - **Then the route.** Layers are exact, need one pass and few weights, where they exist for your group. To average
#   an existing network costs one pass per element: 10 for $C_n$, 50 for $C_n \times C_d$. A sort costs one
#   pass; compare it with no sort before you trust it.
# - **Then the largest group that you believe.** It is worth most where labeled sets are few. A group that does
#   not hold [is an error that no training repairs](06_rows_and_columns.py#a-group-may-be-too-large).
#
# And measure, on your own sets: a table with one row per member, a column `set` that says to which set it belongs, a
# column `label`, and features. The command below compares models on them by the rules of this chapter, and writes a
# page with scores and a figure; `--help` says more. In a notebook, a [`SetsTask`][invariant_nets.SetsTask] takes the
# place of the Gaussian task.
#
# ```sh
# python -m invariant_nets compare --data sets.csv --epochs 100 --report sets.html
# ```
#
# ## Check the claims

# %%
# Our paired difference is the one of the package, with the opposite sign.
behind = comparison["layers, S_n"].behind(comparison["layers, S_n × S_d"])
assert torch.allclose(torch.tensor(gains[0]), torch.tensor(behind))
# At one route a larger group helps, but S_nd brings layers nothing that is resolved.
step = [gain for gain, _ in gains]
for k, most in ((0, 0.03), (2, 0.03), (5, 0.012)):
    assert 2 * gains[k][1] < step[k] < most
assert step[1] < max(0.003, 3 * gains[1][1])
assert abs(step[3]) < 0.025 < 0.08 < step[4]
# Across routes the group says little, and the feature more.
assert math.factorial(n) * math.factorial(d) > 4e8
assert min(step[6], step[7], step[9]) > 0.05
assert step[8] > 0.003
assert abs(hits["entries, none"].mean() - 0.5) < 0.015
assert comparison.ranking[0] == "squares, O(nd)"
assert all(step[k] < 2 * few[k] for k in (0, 1, 2, 5, 8))
# Symmetry is worth most where sets are scarce, and capacity is not the reason.
of_sets = [gain for gain, _ in worth]
assert 0.05 < of_sets[0] < 0.13
assert of_sets[0] > of_sets[1] + 0.02 > of_sets[2] + 0.03
assert -0.004 < of_sets[2] < 0.012
assert of_sets[3] > of_sets[5] + 0.02
assert min(of_sets[6:8]) > 0.003
wide_size = sum(p.numel() for p in wide(n, d).parameters())
assert wide_size > 3 * comparison["layers, S_n × S_d"].weights
# Averages, not jumps nor invariance.
assert of_sets[8] < 0.03 < 0.04 < min(of_sets[9:11])
assert abs(of_sets[11]) < 0.035
# The audit: own group and its subgroups, and nothing else.
inside = {"none": [], "trivial": [], "C_n": ["C_n"], "S_n": ["C_n", "S_n"]}
inside |= {"C_n × C_d": ["C_n", "C_n × C_d"], "(S_n)^d": ["C_n", "S_n", "(S_n)^d"]}
inside |= {"S_n × C_d": list(acting)[:4], "S_n × S_d": list(acting)[:5]}
inside |= {"S_{nd}": list(acting)[:7], "O(nd)": list(acting)}
for name, found in audit.items():
    kept = [group for group, change in found.items() if change < 1e-9]
    assert kept == inside[audited[name].group]
    assert all(change > 0.05 for k, change in found.items() if k not in kept)

# %% [markdown]
# ## Summary
#
# - A comparison is fair if each model has its own learning rate, chosen on validation sets, and the test sets choose
#   nothing. Differences are taken in pairs and carry an error.
# - "The larger the group, the better" is refuted by two runs: a regression on squares without any group, and a
#   perceptron behind a sort with a very large one.
# - At one route a larger group that holds is worth a point or two with plenty of sets, and nine points with a hundred.
# - "A sort fails because it jumps" is refuted by ten sorts and by ten fixed orders. Averages help.
# - Every model was tested under every group: it keeps what it claims, and no more.
#
# ## Where the field went
#
# How much a symmetry is worth now has theorems. [Tahmasebi and Jegelka (2023)](../bibliography.md#tahmasebi-2023) prove
# for kernel regression that invariance to a finite group acts as if the number of samples were multiplied by the size of
# the group. Our curves agree that the worth is paid in samples, but not that it grows with the size alone: a neural network is not such a
# kernel, and the route counts. Is symmetry still worth building in at scale? [Brehmer et al. (2024)](../bibliography.md#brehmer-2024)
# compare transformers with and without equivariance over compute budgets: augmentation closes the gap in data
# efficiency if epochs suffice, and at equal compute the equivariant ones stay ahead. On the rules themselves,
# [Bouthillier et al. (2021)](../bibliography.md#bouthillier-2021) measure how data, initialization and the choice of
# hyperparameters move benchmark results, and recommend to vary all of them.
#
# ## Exercises
#
# **1.** How many elements has the smallest group that contains both $(S_n)^d$ and $S_d$ on the columns, for $n = 3$ and
# $d = 2$?
#
# ??? success "Solution"
#     It is the wreath product $S_n \wr S_d$: permute inside each column, then permute the columns. Its order is
#     $(n!)^d \, d! = 6^2 \cdot 2 = 72$.

# %% exercise="1"
answer_1 = ...  # the order of the group

# %% solution="1"
answer_1 = nets.wreath_product(
    nets.symmetric_group(3), nets.symmetric_group(2)
).order

# %% check="1"
check_1 = AnswerCheck("11.1", digest="5e29606c5f5e6548")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[36, 12, 720])

# %% [markdown]
# **2.** Canonicalize sets for the group of exercise 1: write a function that gives all sets of one orbit the same representative.
#
# ??? success "Solution"
#     Sort each column by itself, then sort the columns lexicographically. The second sort moves whole columns, so it
#     does not disturb the first.


# %% exercise="2"
def canonical(x):
    """Return one set of each orbit; x is (batch, n, d)."""
    ...


# %% solution="2"
def canonical(x):
    """Return one set of each orbit; x is (batch, n, d)."""
    return nets.lexicographic_sort(nets.columnwise_sort(x).mT).mT


# %% check="2"
def law_2(canonical):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(8, 5, 3, generator=source)
    y = canonical(x)
    assert y is not None and y.shape == x.shape, "it should keep the shape"
    entries = x.gather(1, torch.rand(x.shape, generator=source).argsort(1))
    assert torch.equal(canonical(entries), y), "permute each column: no change"
    assert torch.equal(canonical(x[:, :, [2, 0, 1]]), y), (
        "permute columns: no change"
    )
    sums = (z.sum(1).sort(1).values for z in (x, y))
    assert torch.allclose(*sums, atol=1e-5), "each column should keep its entries"


check_2 = CodeCheck("2", law_2)
check_2(canonical)

# %% wrong="2"
check_2.holds(
    canonical,
    wrong=[
        nets.columnwise_sort,
        nets.row_column_sort,
        sorted_entries,
        torch.zeros_like,
    ],
)

# %% [markdown]
# **3.** Build a function of a set that is invariant to $S_n \times S_d$ and not to $S_{nd}$.
#
# ??? success "Solution"
#     $\sum_i \bigl( \sum_j x_{ij} \bigr)^2$ forgets the orders of rows and of columns, but knows which entries share a
#     row.


# %% exercise="3"
def knows_rows(x):
    """Return one number per set; x is (batch, n, d)."""
    ...


# %% solution="3"
def knows_rows(x):
    """Return one number per set; x is (batch, n, d)."""
    return x.sum(2).square().sum(1)


# %% check="3"
def law_3(f):
    x = torch.randn(8, 4, 3, generator=torch.Generator().manual_seed(0))
    y, moved = f(x), x.clone()
    assert y is not None and y.shape == (8,), "it should give one number per set"
    assert torch.allclose(f(x[:, [2, 0, 3, 1]]), y, atol=1e-4), "permute rows"
    assert torch.allclose(f(x[:, :, [2, 0, 1]]), y, atol=1e-4), "permute columns"
    moved[:, 0, 0], moved[:, 1, 1] = x[:, 1, 1], x[:, 0, 0]
    assert (f(moved) - y).abs().max() > 1e-2, "swap two entries: it should change"


check_3 = CodeCheck("3", law_3)
check_3(knows_rows)

# %% wrong="3"
sums = [lambda x: x.square().sum((1, 2)), lambda x: x[:, 0].sum(1)]
check_3.holds(knows_rows, wrong=[*sums, lambda x: x.sum(1)[:, 0] ** 2])

# %% [markdown]
# **4.** Which of these conclusions are sound? (a) A beats B, both with learning rate $10^{-3}$, so A is better. (b)
# A beats B, each with the rate that did best on the test sets, by one error. (c) A beats B by four paired errors,
# each with the rate that its validation loss chose, so on this task and budget A is better. (d) A has the larger group
# and ten times the weights and beats B, so the group helps.
#
# ??? success "Solution"
#     Only (c). In (a) the rate may suit A alone, in (b) the test sets chose, and one error is luck; in (d) two things
#     changed.

# %% exercise="4"
answer_4 = ...  # four truth values, such as [True, True, True, True]

# %% solution="4"
answer_4 = [False, False, True, False]

# %% check="4"
check_4 = AnswerCheck("11.4", digest="94eaa2ec3ed659f8")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[[True] * 4, [False] * 4, [False, False, True, True]])

# %% [markdown]
# **5.** Two models disagree on 13 % of the test sets, and one of them is right one point more often. How many test sets make
# the paired difference three errors large, for one seed? Two digits.
#
# ??? success "Solution"
#     $D_b^2 = 1$ on 13 % of the sets, so its variance is $0.13 - 0.01^2$, and
#     $N = 9 \,(0.13 - 0.01^2) / 0.01^2 \approx 12{,}000$.

# %% exercise="5"
answer_5 = ...  # the number of test sets

# %% solution="5"
answer_5 = 9 * (0.13 - 0.01**2) / 0.01**2

# %% check="5"
check_5 = AnswerCheck("11.5", digest="39dcf6608d648958", digits=2)
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[1300, 3900, 37_000, 200])

# %% [markdown]
# ## Sources
#
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit for Equivariant
#   Models*: what averaging gains, exactly, for linear models.
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020), *A Group-Theoretic Framework for Data Augmentation*:
#   what orbit averages gain.
# - [Hartford et al. (2018)](../bibliography.md#hartford-2018), *Deep Models of Interactions Across Sets*: the layers of
#   $S_n \times S_d$.
