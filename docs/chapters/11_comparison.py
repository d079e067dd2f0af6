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


rows, columns = nets.cyclic_group(n), nets.cyclic_group(d)
shifts = nets.direct_product(rows, columns, on="grid")
layers_of_rows = partial(nets.intrinsic, hidden=(16, 16))
builders = {
    ("layers", "S_n"): layers_of_rows,
    ("layers", "S_n × S_d"): nets.exchangeable_matrix,
    ("layers", "S_{nd}"): nets.entrywise,
    ("as it is", "trivial"): mlp,
    ("sorted", "S_n"): partial(sorted_mlp, nets.lexicographic_sort),
    ("sorted", "S_n × S_d"): partial(sorted_mlp, nets.row_column_sort),
    ("sorted", "S_{nd}"): partial(sorted_mlp, sorted_entries),
    ("averaged", "C_n"): partial(averaged_mlp, rows),
    ("averaged", "C_n × C_d"): partial(averaged_mlp, shifts),
    ("entries", "trivial"): partial(regression, nn.Flatten),
    ("squares", "trivial"): partial(regression, CenteredSquares),
    ("squares", "O(nd)"): nets.radial,
}
specs = {", ".join(k): ModelSpec(build, *k, 11) for k, build in builders.items()}
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
# The same numbers as a grid, whose groups grow from left to right:

# %%
limit = task.bayes_accuracy
groups = ("trivial", "C_n", "C_n × C_d", "S_n", "S_n × S_d", "S_{nd}", "O(nd)")


def formula(group):
    return "none" if group == "trivial" else f"${group}$".replace("×", r"\times")


hits = {  # which test sets each model has right, (seeds, sets)
    key: torch.stack([run.by_set for run in comparison[", ".join(key)].runs])
    for key in builders
}
mean = {key: of_model.mean().item() for key, of_model in hits.items()}
routes = list(dict.fromkeys(route for route, _ in builders))
grid = []
for route in routes:
    cells = [mean.get((route, group)) for group in groups]
    shown = ["–" if cell is None else f"{cell:.3f}" for cell in cells]
    grid.append({"": route} | dict(zip(map(formula, groups), shown, strict=True)))
table(grid, caption=f"Accuracy by route and group; the limit is {limit:.3f}.")

# %% alt="Accuracy against the group, from none to O(nd), one line per route and one dot per seed. Layers and squares lie near the dashed limit for all of their groups. The averaged perceptron is a little below it. The sorted perceptron is far below for two groups, and near the limit for the third. The perceptron on sets as they are is as far below, and regression on entries is at one half."
fig, ax = plt.subplots(figsize=(8, 3.8))
for color, route in zip(PALETTE, routes, strict=False):
    own = [key for key in builders if key[0] == route]
    places = [groups.index(group) for _, group in own]
    ax.plot(places, [mean[key] for key in own], color=color, label=route)
    ax.plot(places, [hits[key].mean(1) for key in own], "o", color=color, ms=4)
ax.axhline(limit, color=INK, ls="--", lw=1)
ax.set_xticks(range(len(groups)), map(formula, groups))
ax.set(xlabel="group", ylabel="accuracy")
ax.legend(ncols=2, loc="center right")
plt.show()

# %% [markdown]
# Compare along a line of the grid, and then across lines. The last column shows the error that 200 test sets would leave.

# %%
steps_of = [
    (("layers", "S_n × S_d"), ("layers", "S_n")),
    (("layers", "S_{nd}"), ("layers", "S_n × S_d")),
    (("averaged", "C_n × C_d"), ("averaged", "C_n")),
    (("sorted", "S_n × S_d"), ("sorted", "S_n")),
    (("sorted", "S_{nd}"), ("sorted", "S_n × S_d")),
    (("squares", "O(nd)"), ("squares", "trivial")),
    (("layers", "S_n × S_d"), ("sorted", "S_n × S_d")),
    (("averaged", "C_n"), ("sorted", "S_n × S_d")),
    (("squares", "trivial"), ("layers", "S_n")),
    (("squares", "trivial"), ("entries", "trivial")),
]
gain = {(a, b): paired(hits[a], hits[b]) for a, b in steps_of}
few = {(a, b): paired(hits[a][:, :200], hits[b][:, :200]) for a, b in steps_of}
names = [[f"{route}, {formula(group)}" for route, group in pair] for pair in gain]
differences = [
    {"of": a, "over": b, "difference": gain[k][0], "error": gain[k][1]}
    for (a, b), k in zip(names, gain, strict=True)
]
table([r | {"on 200": few[k][1]} for r, k in zip(differences, gain, strict=True)])

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
wide, net = partial(nets.intrinsic, hidden=(32, 32)), nets.exchangeable_matrix
trained = {  # the network, and the model of the grid whose learning rate it takes
    "as it is": (mlp, "as it is, trivial"),
    "one sort": (mlp, "sorted, S_n"),
    "ten sorts": (mlp, "averaged, C_n"),
    "ten fixed orders": (mlp, "averaged, C_n"),
    "layers $S_n$": (layers_of_rows, "layers, S_n"),
    "layers $S_n$, wide": (wide, "layers, S_n"),
    r"layers $S_n \times S_d$": (net, "layers, S_n × S_d"),
    "layers $S_{nd}$": (nets.entrywise, "layers, S_{nd}"),
    "squares": (partial(regression, CenteredSquares), "squares, trivial"),
    "$T$": (nets.radial, "squares, O(nd)"),
}

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
for name, (build, model) in trained.items():
    view = views.get(name, views["as it is"])
    right[name] = dict(zip(sizes, learned(build, view, comparison[model].lr)))
table(
    [
        {"route": name}
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
rows_and_columns, rows_only = r"layers $S_n \times S_d$", "layers $S_n$"
contrasts = [(m, "$T$", "squares") for m in sizes]
contrasts += [(m, rows_and_columns, rows_only) for m in sizes]
contrasts += [(m, rows_and_columns, "layers $S_n$, wide") for m in sizes[:2]]
contrasts += [(10_000, "layers $S_{nd}$", rows_and_columns)]
contrasts += [(1_000, "one sort", "as it is"), (1_000, "ten sorts", "one sort")]
contrasts += [(1_000, "ten fixed orders", "as it is")]
contrasts += [(1_000, "ten sorts", "ten fixed orders")]
worth = {(m, a, b): paired(right[a][m], right[b][m]) for m, a, b in contrasts}
heads = "sets", "of", "over", "difference", "error"
lines = [(f"{m:,}", a, b, *found) for (m, a, b), found in worth.items()]
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
# Each model claims a group. We now audit the models of the registry [`MODELS`][invariant_nets.MODELS] and those that
# are new in the grid, untrained, and try *every* group on each. A permutation group acts on the 50 entries of a set;
# [`test_invariant`][invariant_nets.test_invariant] tries its generators and a few more elements. Rotations of
# $\mathbb R^{nd}$ are no permutations, so we draw one.


# %%
def on_grid(a, b):
    return nets.direct_product(a, b, on="grid")


every, some, still = nets.symmetric_group(n), nets.symmetric_group(d), range(n * d)
per_column = []  # generators of (S_n)^d: each permutes one column, entries j, j + d, …
for j, cycles in itertools.product(range(d), [(range(n),), ((0, 1),)]):
    moved = [[i * d + j for i in points] for points in cycles]
    per_column.append(nets.Permutation.from_cycles(n * d, *moved))
acting = {
    "C_n": on_grid(rows, nets.trivial_group(d)),
    "C_n × C_d": shifts,
    "S_n": on_grid(every, nets.trivial_group(d)),
    "S_n × C_d": on_grid(every, columns),
    "S_n × S_d": on_grid(every, some),
    "(S_n)^d": nets.PermutationGroup(per_column),
    "S_{nd}": nets.symmetric_group(n * d),
}
probe = torch.randn(32, n, d, generator=torch.Generator().manual_seed(5))
rotation = torch.linalg.qr(torch.randn(n * d, n * d, generator=source))[0]


def changes(model):
    """Return the largest change of the output by group, relative to its spread."""
    found = {}
    for name, group in acting.items():
        flat = group.shape != (n, d)  # its points are numbered through
        x = probe.flatten(1)[..., None] if flat else probe
        report = nets.test_invariant(lambda x: model(x.reshape(-1, n, d)), x, group)
        found[name] = 0.0 if report else report.relative_error
    with torch.no_grad():
        y, turned = (
            model(probe),
            model((probe.flatten(1) @ rotation).view_as(probe)),
        )
    change = ((turned - y).abs().max() / y.std()).item()
    return found | {"O(nd)": 0.0 if change < 1e-4 else change}


new = (
    "averaged, C_n × C_d",
    "sorted, S_n × S_d",
    "sorted, S_{nd}",
    "squares, trivial",
)
audited, audit = MODELS | {name: specs[name] for name in new}, {}
for name, spec in audited.items():
    torch.manual_seed(len(audit))
    audit[name] = changes(spec.build(n, d).eval())
table(
    [
        {"model": name, "claims": formula(audited[name].group)}
        | {formula(k): "0" if v == 0 else f"{v:.1f}" for k, v in found.items()}
        for name, found in audit.items()
    ],
    caption="Largest relative change of the output; 0 is a change by rounding only.",
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
assert torch.allclose(torch.tensor(gain[steps_of[0]]), torch.tensor(behind))
# At one route a larger group helps, but S_nd brings layers nothing that is resolved.
layers, last, average, grid_sort, all_sort, squared = [
    gain[k] for k in steps_of[:6]
]
for found, least, most in ((layers, 5, 30), (average, 5, 30), (squared, 1, 12)):
    assert max(least / 1000, 2 * found[1]) < found[0] < most / 1000
assert last[0] < max(0.003, 3 * last[1])
assert abs(grid_sort[0]) < 0.025 < 0.08 < all_sort[0]
# Across routes the group says little, and the feature more.
same_group, tiny_group, no_group, feature = [gain[k] for k in steps_of[6:]]
assert on_grid(every, some).order > 4e8
assert min(same_group[0], tiny_group[0], feature[0]) > 0.05
assert no_group[0] > 0.003
assert abs(mean["entries", "trivial"] - 0.5) < 0.015
assert comparison.ranking[0] == "squares, O(nd)"
for k in (*steps_of[:3], steps_of[5], steps_of[8]):
    assert gain[k][0] < 2 * few[k][1]
# Symmetry is worth most where sets are scarce, and capacity is not the reason.
of_T, of_layers, of_wide = [
    [g[0] for g in worth.values()][i : i + 3] for i in (0, 3, 6)
]
assert 0.05 < of_T[0] < 0.13
assert of_T[0] > of_T[1] + 0.02 > of_T[2] + 0.03
assert -0.002 < of_T[2] < 0.012
assert of_layers[0] > of_layers[2] + 0.02
assert min(of_wide[:2]) > 0.003
count = {f: sum(p.numel() for p in f(n, d).parameters()) for f in (wide, net)}
assert count[wide] > 3 * count[net]
# Averages, not jumps nor invariance.
one, ten, fixed, apart = [g[0] for g in worth.values()][-4:]
assert one < 0.025 < 0.04 < min(ten, fixed)
assert abs(apart) < 0.03
# The audit: own group and its subgroups, and nothing else.
inside = {
    b: {a for a in acting if acting[a].is_subgroup(acting[b])} for b in acting
}
inside |= {"trivial": set(), "O(nd)": {*acting, "O(nd)"}}
for name, found in audit.items():
    assert {k for k, change in found.items() if change == 0} == inside[
        audited[name].group
    ]
    assert min([change for change in found.values() if change], default=1) > 0.1
assert not inside["S_n × S_d"] >= inside["(S_n)^d"]
assert not inside["(S_n)^d"] >= inside["S_n × S_d"]

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
