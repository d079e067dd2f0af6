# %% [markdown] slide="question"
# # All models compared
#
# !!! abstract "What you will be able to do"
#     - compare models fairly, with a learning rate for each and an error for every difference;
#     - lay a comparison out as a grid of groups and routes, and find the control that would refute an explanation;
#     - measure what a symmetry is worth in labeled sets, and audit which symmetries a model has.
#
# A list of models, sorted by accuracy, invites explanations. Two of them sound right: "the larger the group, the better
# the model", and "a sort fails because it jumps". For each there is a run that could refute it. We make it.

# %%
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import DataLoader

from invariant_nets import MODELS, CanonicalModel, ModelSpec, SymmetryModel, mlp
from invariant_nets.canonicalization import (
    columnwise_sort,
    lexicographic_sort,
    row_column_sort,
)
from invariant_nets.comparison import GaussianTask, compare, export_graphs
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, PALETTE, table, use_book_style
from invariant_nets.groups import cyclic_group, direct_product, symmetric_group
from invariant_nets.networks import FlattenMembers, entrywise, intrinsic

use_book_style()
n, d = 10, 5

# %% [markdown]
# ## The rules
#
# Each model makes 144 steps of Adam on 60 [dynamic sets](10_overfitting.py) each, so no set comes twice, while the
# learning rate falls to 0 along a cosine. The budget is small and favors fast learners. Of two learning rates each
# model takes the one whose loss on validation sets is lowest, in a training from a seed of its own. The 10,000 test
# sets choose nothing. There are three seeds, of data and weights.
#
# All models have the same seeds and test sets, so we take differences in pairs. Let $D_{kb}$ be 1 if, with seed $k$,
# model one is right on test set $b$ and model two is wrong, $-1$ in the opposite case, and 0 otherwise: what is luck
# for both cancels. With the variances $V_K$ of the $K$ means over sets and $V_N$ of the $N$ means over seeds,
#
# $$ \bar D = \frac1{KN} \sum_{k,b} D_{kb}, \qquad \mathrm{error} = \sqrt{\frac{V_K}{K} + \frac{V_N}{N}} . $$


# %%
def paired(one, two):
    """Return the mean of one − two, both (seeds, sets), and its standard error."""
    apart = one - two
    variance = apart.mean(1).var() / len(apart) + apart.mean(0).var() / len(apart.T)
    return apart.mean().item(), variance.sqrt().item()


# %% [markdown]
# ## A grid of groups and routes
#
# The explanations name a *group* and a *route*. We vary one, keep the other, and train all by our rules with [`compare`][invariant_nets.compare].
#
# - **Layers:** networks of equivariant layers for $S_n$, $S_n \times S_d$ and $S_{nd}$, all with two hidden layers of
#   width 16. For $S_n$ also [Deep Sets][invariant_nets.deep_sets]: an encoder of each row, a mean, and a decoder.
# - **Perceptron:** one [`mlp`][invariant_nets.mlp] on the set as it is; after a sort of its rows ($S_n$), rows and columns
#   ($S_n \times S_d$), or all entries ($S_{nd}$); averaged over shifts of rows ($C_n$) or both ($C_n \times C_d$).
# - **Logistic regression** on the 50 entries; on the 50 squares $x_{ij}^2 - 1$: no group, but the feature that [the
#   posterior needs](02_task.py#one-number-holds-all-the-information); on their sum, $T - nd$, invariant to $O(nd)$.


# %%
class Squares(nn.Module):
    def forward(self, x):
        return x.flatten(1).square() - 1


def sorted_entries(x):
    return x.flatten(1).sort(1).values.view_as(x)


shifts = direct_product(*map(cyclic_group, (n, d)), on="grid")
builders = {
    "layers, S_n": partial(intrinsic, hidden=(16, 16)),
    "layers, S_n × S_d": MODELS["exchangeable"].build,
    "layers, S_{nd}": entrywise,
    "Deep Sets, S_n": MODELS["deep-sets"].build,
    "perceptron, none": mlp,
    "sorted, S_n": MODELS["canonical-mlp"].build,
    "sorted, S_n × S_d": lambda *nd: CanonicalModel(mlp(*nd), row_column_sort),
    "sorted, S_{nd}": lambda *nd: CanonicalModel(mlp(*nd), sorted_entries),
    "averaged, C_n": MODELS["cyclic-mlp"].build,
    "averaged, C_n × C_d": lambda *nd: SymmetryModel(mlp(*nd), shifts),
    "entries, none": lambda n, d: nn.Sequential(nn.Flatten(), nn.Linear(n * d, 1)),
    "squares, none": lambda n, d: nn.Sequential(Squares(), nn.Linear(n * d, 1)),
    "squares, O(nd)": MODELS["radial"].build,
}
keys = {name: name.split(", ") for name in builders}  # route and group
specs = {name: ModelSpec(builders[name], *key, 11) for name, key in keys.items()}
task = GaussianTask(train_sets=144 * 60, validation_sets=1_000, test_sets=10_000)
budget = {"epochs": 1, "schedule": "cosine"}
comparison = compare(specs, task, lr=[1e-2, 3e-2], batch_size=60, seeds=3, **budget)
comparison.table(["model", "score", "behind", "lr", "weights"], formulas=False)

# %% [markdown]
# The same numbers as a grid, smaller groups on the left, and below it, paired differences along lines and across them:

# %% slide="picture"
limit = task.bayes_accuracy
groups = ("none", "C_n", "C_n × C_d", "S_n", "S_n × S_d", "S_{nd}", "O(nd)")
# Which test sets each model has right, (seeds, sets).
hits = {k: torch.stack([run.by_set for run in comparison[k].runs]) for k in keys}
mean = {name: f"{of_model.mean():.3f}" for name, of_model in hits.items()}
grid = {r: [mean.get(f"{r}, {g}", "–") for g in groups] for r, _ in keys.values()}


def formula(group):
    text = f"${group}$".replace("×", r"\times")
    return "none" if group in ("none", "trivial") else text


heads = ("route", *map(formula, groups))
lines = [dict(zip(heads, (k, *of), strict=True)) for k, of in grid.items()]
table(lines, caption=f"Accuracy by route and group; the limit is {limit:.3f}.")

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
heads = ("of", "over", "difference", "error")
lines = [(*pair, *gain) for pair, gain in zip(pairs, gains, strict=True)]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# **At the same route, a larger group that holds helps**: the layers by a point or two, from $S_n$ to $S_n \times S_d$,
# and the average as much. The next step of the layers, to $S_{nd}$, brings nothing that three seeds resolve. For the
# sort it depends: to sort columns besides rows hardly moves it, to sort all entries gains ten points.
#
# **Across routes, the group says little.** The perceptron after `row_column_sort` respects all of $S_n \times S_d$,
# more than $4 \cdot 10^8$ elements. The average over the ten elements of $C_n$ is far ahead of it, and so are the
# layers for its own group. Logistic regression on squares respects no group and beats the $S_n$ layers. The regression
# on entries is the control: it has as many weights but not the feature, and it guesses.
#
# So "the larger the group, the better" is false. On this task the feature and the route matter more, and the group
# decides the last point or two. No model is ahead of $T$, which has both, the right feature and the largest group.
#
# ## What symmetry is worth
#
# In the grid every step saw new sets. Now we train on 100, 1,000 or 10,000 static sets, for 144 steps of 64 sets, with
# the learning rates chosen above. The perceptron gets four **views**, orders of the rows over which its logits are
# averaged: the set as it is; one sort, invariant and with jumps; ten sorts, along random directions, also invariant and
# with jumps; ten fixed random orders, not invariant and without jumps. If jumps were to blame, ten sorts would fail as
# one does. If invariance to $S_n$ were what helps, ten fixed orders would fail.

# %%
sizes, seeds, steps, batch = (100, 1_000, 10_000), (0, 1, 2), 144, 64
source = torch.Generator().manual_seed(3)
directions = torch.randn(d, 10, generator=source)
fixed_orders = torch.rand(10, n, generator=source).argsort(1)


def ten_sorts(x):
    order = (x @ directions).argsort(1).mT
    return x[torch.arange(len(x))[:, None, None], order]


views = {  # from (sets, n, d) to (sets, orders, n, d)
    "as it is": lambda x: x[:, None],
    "one sort": lambda x: lexicographic_sort(x)[:, None],
    "ten sorts": ten_sorts,
    "ten fixed orders": lambda x: x[:, fixed_orders],
}
rate_of = dict.fromkeys(views, "averaged, C_n")  # whose rate the view takes
rate_of |= {"as it is": "perceptron, none", "one sort": "sorted, S_n"}
wide = partial(intrinsic, hidden=(32, 32))
trained = {view: (mlp, rate) for view, rate in rate_of.items()}
trained |= {"wide layers, S_n": (wide, "layers, S_n")}
trained |= {k: (builders[k], k) for k in keys if k in (*pairs[0], *pairs[5])}

# %% [markdown]
# Three sizes times three seeds are nine trainings per row, side by side: `vmap` runs one network with nine stacked
# weights. No weight belongs to two models, so the gradient of the summed loss holds the gradient of each.


# %%
static = GaussianTask(static=True, train_sets=sizes[-1])
drawn = [next(iter(DataLoader(static.training_data(k), 10_000))) for k in seeds]
x_train, y_train = map(torch.stack, zip(*drawn, strict=True))
test = task.test_data().select(range(5_000))
trainings = [(size, seed) for size in sizes for seed in seeds]
bce = nn.functional.binary_cross_entropy_with_logits


def logits_of(network, weights, x):
    """Return logits (models, sets, 1), averaged over the orders of each set."""
    run = vmap(lambda own, x: functional_call(network, own, (x,)))
    return run(weights, x.flatten(1, 2)).unflatten(1, x.shape[1:3]).mean(2)


def learned(build, view, lr):
    """Return which test sets each model has right, (sizes, seeds, sets)."""
    models = []
    for _, seed in trainings:
        torch.manual_seed(seed)
        models.append(build(n, d))
    network, weights = models[0], stack_module_state(models)[0]
    optimizer = torch.optim.Adam(weights.values(), lr=lr, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    own = torch.tensor([seed for _, seed in trainings])[:, None]
    x, source = view(x_train.flatten(0, 1)), torch.Generator().manual_seed(4)
    x = x.unflatten(0, x_train.shape[:2])
    for _ in range(steps):
        some = [torch.randint(m, (batch,), generator=source) for m, _ in trainings]
        chosen = own, torch.stack(some)
        loss = bce(logits_of(network, weights, x[chosen]), y_train[chosen])
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
scores = {
    k: {f"{m:,}": r.mean().item() for m, r in right[k].items()} for k in right
}
caption = "Accuracy by the number of training sets, mean over seeds."
table([{"model": name} | of for name, of in scores.items()], caption=caption)

# %% alt="Accuracy against the number of training sets, 100 to 10,000, in two panels. Left, the perceptron: as it is and after one sort it stays far below; with ten sorts or ten fixed orders it rises together, far above. Right: T lies on the dashed limit from 100 sets on; the layers for rows and columns begin just below it; the layers for rows, also the wide ones, and the squares begin lowest and rise." slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax, part in zip(axes, (list(right)[:4], list(right)[4:]), strict=True):
    for color, name in zip(PALETTE, part, strict=False):
        ax.semilogx(sizes, scores[name].values(), "o-", color=color, label=name)
    ax.axhline(limit, color=INK, ls="--", lw=1)
    ax.set(xlabel="training sets", ylabel="accuracy", ylim=(0.49, 0.72))
    ax.legend(fontsize="small")
plt.show()

# %%
of_T, of_layers = pairs[5], pairs[0]
contrasts = [(m, *of_T) for m in sizes] + [(m, *of_layers) for m in sizes]
contrasts += [(100, of_layers[0], "wide layers, S_n")]
contrasts += [(1_000, "one sort", "as it is"), (1_000, "ten sorts", "one sort")]
contrasts += [(1_000, "ten fixed orders", "as it is")]
contrasts += [(1_000, "ten sorts", "ten fixed orders")]
worth = [paired(right[a][m], right[b][m]) for m, a, b in contrasts]
heads = ("sets", "of", "over", "difference", "error")
lines = [(*c, *found) for c, found in zip(contrasts, worth, strict=True)]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# **Symmetry is worth most where sets are scarce.** The cleanest pair is $T$ over the squares. The feature is the same,
# but $T$ need not learn that all entries count alike. With 100 sets this knowledge is worth about ten points, with
# 10,000 about one. The layers show the same, and capacity is not the reason: the wide $S_n$ layers have three times
# the weights of the $S_n \times S_d$ layers, and with 100 sets are points behind them.
#
# **What helps is to average.** One sort gains little. Ten sorts jump too, and gain several points more. Ten fixed
# orders never jump and are not invariant, and gain about as much over no sort. So neither jumps nor a lack of
# invariance explain why one sort fails. [Chapter 7](07_canonicalization.py) says what continuity is for.
#
# ## Do the models keep their promises?
#
# Each model claims a group. We audit the untrained models of the registry [`MODELS`][invariant_nets.MODELS], and those
# that are new in the grid, and try *every* group on each. A group is a list of matrices that act on the 50 entries: its
# [generators](03_measuring_invariance.py#generators-are-enough), or two random elements.

# %%
entries = torch.arange(n * d).view(n, d)
of_rows = [entries.roll(1, 0), entries[[1, 0, *range(2, n)]]]  # a shift, a swap
of_columns = [entries.roll(1, 1), entries[:, [1, 0, *range(2, d)]]]
each = torch.rand(2, n, d, generator=source).argsort(1) * d + entries[0]
acting = {
    "C_n": of_rows[:1],
    "C_n × C_d": of_rows[:1] + of_columns[:1],
    "S_n": of_rows,
    "S_n × C_d": of_rows + of_columns[:1],
    "S_n × S_d": of_rows + of_columns,
    "(S_n)^d": [*of_rows, *each],  # each column by itself
    "S_{nd}": [torch.randperm(n * d, generator=source) for _ in "ab"],
}
eye = torch.eye(n * d, dtype=torch.float64)
acting = {name: [eye[g.flatten()] for g in of] for name, of in acting.items()}
turns = torch.randn(2, n * d, n * d, generator=source, dtype=torch.float64)
acting["O(nd)"] = torch.linalg.qr(turns)[0]
turn = torch.block_diag(*torch.linalg.qr(turns[0, :d, :d])[0].repeat(n, 1, 1))
acting["S_n × O(d)"] = [*acting["S_n"], turn]
probe = torch.randn(32, n * d, generator=source, dtype=torch.float64)
twin = {m: k for m, s in MODELS.items() for k in keys if specs[k].build is s.build}
audited = MODELS | {k: specs[k] for k in keys if k not in twin.values()}
audit = {name: {} for name in audited}
for number, (name, spec) in enumerate(audited.items()):
    torch.manual_seed(number)
    model = spec.build(n, d).double().eval()
    with torch.no_grad():
        for group, of in acting.items():
            y, *moved = [model((probe @ g).view(-1, n, d)) for g in (eye, *of)]
            change = max((z - y).abs().max() for z in moved) / y.std()
            audit[name][group] = change.item()
lines = [
    {formula(k): "0" if v < 1e-9 else f"{v:.1f}" for k, v in found.items()}
    for found in audit.values()
]
claims = [{"model": k, "claims": formula(audited[k].group)} for k in audit]
caption = "Largest change of the output, relative to its spread."
table([a | b for a, b in zip(claims, lines, strict=True)], caption=caption)

# %% [markdown]
# Every model is invariant to what it claims, and to no other group here. We train what the [playground](../playground.md) still lacks:

# %%
few = GaussianTask(train_sets=80 * 60, validation_sets=100, test_sets=100)
rest = compare(MODELS.keys() - twin, few, lr=1e-2, batch_size=60, seeds=1, **budget)
found = {m: comparison[twin[m]] for m in twin} | rest.results
played = {name: found[name].runs[0].model for name in MODELS}
played["sorted"] = CanonicalModel(FlattenMembers())  # the rows in canonical order
export_graphs("playground", played, n, d)

# %% [markdown]
# **Guess first**: tick that box, act on the set, and tick the models that you think moved, before you reveal the
# answers. What a model ignores stands beside its name, and is all you need. But what moves if you *draw again*?
#
# <div data-play="playground" data-needs="playground claims" data-actions="shift swap column-shift column-swap within spin again guess"></div>
#
# ## What to choose
#
# - **First look for the feature.** With the features that the task asks for, a regression needs no group. Compare with it.
# - **Then the route.** Layers are exact and take one pass and few weights, where they exist for your group. To average
#   an existing network takes one pass per element, 10 for $C_n$ and 50 for $C_n \times C_d$. Test any sort.
# - **Then the largest group that you believe.** It is worth most where labeled sets are few. A group that does not hold
#   [is an error that no training repairs](06_rows_and_columns.py#a-group-may-be-too-large).
#
# And measure, on your own sets: a table with one row per member, a column `set`, a column `label`, and features. In a
# notebook, a [`SetsTask`][invariant_nets.SetsTask] takes the place of the Gaussian task.
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
assert all(0.002 < step[k] < 0.035 for k in (0, 2))
assert step[1] < max(0.003, 3 * gains[1][1])
assert abs(step[3]) < 0.04 < 0.06 < step[4]
# Across routes the group says little, and the feature more.
assert symmetric_group(n).order * symmetric_group(d).order > 4e8
assert min(step[6], step[7], step[9]) > 0.04
assert step[8] > 0.002
assert abs(hits["entries, none"].mean() - 0.5) < 0.02
best = hits["squares, O(nd)"].mean()
assert max(of.mean() for of in hits.values()) < best + 0.003
# Symmetry is worth most where sets are scarce, and capacity is not the reason.
of_sets = [gain for gain, _ in worth]
assert 0.05 < of_sets[0] < 0.16
assert of_sets[0] > max(of_sets[1:3]) + 0.02
assert -0.004 < of_sets[2] < 0.025
assert abs(right["squares, O(nd)"][100].mean() - limit) < 0.01
assert of_sets[3] > of_sets[5] + 0.01
assert of_sets[6] > 0.02
wide_size = sum(p.numel() for p in wide(n, d).parameters())
assert wide_size > 3 * comparison["layers, S_n × S_d"].weights
# Averages, not jumps nor invariance.
one, ten, fixed, apart = of_sets[7:]
assert one < 0.03 < min(ten, fixed)
assert abs(apart) < 0.06
inside = {"none": [], "trivial": [], "C_n": ["C_n"], "S_n": ["C_n", "S_n"]}
inside |= {"C_n × C_d": ["C_n", "C_n × C_d"], "(S_n)^d": ["C_n", "S_n", "(S_n)^d"]}
inside |= {"S_n × C_d": list(acting)[:4], "S_n × S_d": list(acting)[:5]}
inside |= {"S_{nd}": list(acting)[:7], "O(nd)": list(acting)}
inside |= {"S_n × O(d)": [*inside["S_n × S_d"], "S_n × O(d)"]}
for name, found in audit.items():
    kept = [group for group, change in found.items() if change < 1e-9]
    assert kept == inside[audited[name].group]
    assert all(change > 0.05 for k, change in found.items() if k not in kept)

# %% [markdown] slide="verdict"
# ## Summary
#
# - A comparison is fair if validation sets choose each model's learning rate and the test sets choose nothing.
# - "The larger the group, the better" is refuted by a regression on squares without any group, and by a sort with a
#   very large one. At one route, a larger group that holds is worth a point or two, and several with a hundred sets.
# - "A sort fails because it jumps" is refuted by ten sorts and by ten fixed orders. Averages help.
# - Every model was tested under every group. It keeps what it claims, and no more.
#
# ## Where the field went
#
# How much a symmetry is worth now has theorems. [Tahmasebi and Jegelka (2023)](../bibliography.md#tahmasebi-2023) prove
# for kernel regression that invariance to a finite group acts as if the number of samples were multiplied by its size.
# The size of the group alone does not order our networks. [Bouthillier et al. (2021)](../bibliography.md#bouthillier-2021)
# measure how data, initialization and hyperparameters move benchmark results, and recommend to vary all of them.
#
# ## Exercises
#
# **1.** How large is the smallest group that contains $(S_n)^d$ and $S_d$ on the columns, for $n = 3$, $d = 2$?
#
# ??? success "Solution"
#     It is the wreath product $S_n \wr S_d$, of order $(n!)^d \, d! = 6^2 \cdot 2 = 72$.

# %% exercise="1"
answer_1 = ...  # the order of the group

# %% solution="1"
answer_1 = 6**2 * 2

# %% check="1"
check_1 = AnswerCheck("11.1", digest="5e29606c5f5e6548")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[36, 12, 720])

# %% [markdown]
# **2.** Canonicalize for the group of exercise 1: give all sets of one orbit the same representative.
#
# ??? success "Solution"
#     Sort each column by itself, then the columns lexicographically. This moves whole columns, so they stay sorted.


# %% exercise="2"
def canonical(x): ...  # (batch, n, d) to the same shape


# %% solution="2"
def canonical(x):
    return lexicographic_sort(columnwise_sort(x).mT).mT


# %% check="2"
def law_2(canonical):
    x = torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(0))
    y, turned = canonical(x), x[:, :, [2, 0, 1]]
    assert y is not None, "it returns nothing"
    turned[:, :, 0] = turned[:, [4, 2, 0, 1, 3], 0]
    assert torch.equal(canonical(turned), y), "another set of the orbit: no change"
    columns = (z.sum(1).sort(1).values for z in (x, y))
    assert torch.allclose(*columns, atol=1e-5), "columns should keep their entries"


check_2 = CodeCheck("2", law_2)
check_2(canonical)

# %% wrong="2"
sorts = [columnwise_sort, row_column_sort, sorted_entries]
check_2.holds(canonical, wrong=[*sorts, torch.zeros_like])

# %% [markdown]
# **3.** Build a function of a set that is invariant to $S_n \times S_d$ and not to $S_{nd}$.
#
# ??? success "Solution"
#     $\sum_i \bigl( \sum_j x_{ij} \bigr)^2$ forgets both orders, but knows which entries share a row.


# %% exercise="3"
def knows_rows(x): ...  # (batch, n, d) to (batch,)


# %% solution="3"
def knows_rows(x):
    return x.sum(2).square().sum(1)


# %% check="3"
def law_3(f):
    x = torch.randn(8, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    y, moved = f(x), x.clone()
    assert y is not None, "it returns nothing"
    permuted = x[:, [2, 0, 3, 1]][:, :, [2, 0, 1]]
    assert torch.allclose(f(permuted), y), "it should be invariant"
    moved[:, 0, 0], moved[:, 1, 1] = x[:, 1, 1], x[:, 0, 0]
    assert (f(moved) - y).abs().max() > 1e-2, "it should see two entries swapped"


check_3 = CodeCheck("3", law_3)
check_3(knows_rows)

# %% wrong="3"
blind = [lambda x: x.square().sum((1, 2)), lambda x: x[:, 0].sum(1)]
check_3.holds(knows_rows, wrong=[*blind, lambda x: x.sum(1)[:, 0] ** 2])

# %% [markdown]
# **4.** Which are sound? (a) A beats B, both with learning rate $10^{-3}$, so A is better. (b) The same, each with the
# rate that did best on the test sets. (c) The same by four paired errors, on this task and budget, each with the rate
# that validation chose. (d) A has the larger group and ten times the weights and beats B, so the group helps.
#
# ??? success "Solution"
#     Only (c). In (a) the rate may suit A alone, in (b) the test sets chose, in (d) two things changed.

# %% exercise="4"
answer_4 = ...  # four truth values, as in [True, True, True, True]

# %% solution="4"
answer_4 = [False, False, True, False]

# %% check="4"
check_4 = AnswerCheck("11.4", digest="94eaa2ec3ed659f8")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[[True] * 4, [False] * 4, [False, False, True, True]])

# %% [markdown]
# **5.** Two models disagree on 13 % of the test sets, and one is right one point more often. How many test sets make
# the paired difference three errors large, for one seed? Two digits.
#
# ??? success "Solution"
#     $D_b^2 = 1$ on 13 % of the sets, so $N = 9 \,(0.13 - 0.01^2) / 0.01^2 \approx 12{,}000$.

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
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021),
#   [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020): what averages over orbits gain.
# - [Hartford et al. (2018)](../bibliography.md#hartford-2018): the layers of $S_n \times S_d$.
