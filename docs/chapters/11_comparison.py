# %% [markdown]
# # All models compared
#
# Every model of the book on one task, at one budget, against a limit that none can pass. Which
# route to invariance comes closest, what does it cost in weights, time and memory, and does each
# model keep the promise that its name makes?
#
# You will learn how to compare models so that the ranking survives a second look.
#
# ## The rules
#
# - **Budget.** Each model sees 18 epochs of 800 dynamic sets, in batches of 32. No set comes twice,
#   so [nothing can be learned by heart](10_overfitting.py). It is a small budget: it rewards whoever
#   learns fast, and the slow would catch up somewhat with more.
# - **Learning rate.** The better of $10^{-3}$ and $10^{-2}$ at this budget; for the networks of equivariant layers and
#   of sets the best of these and $3 \cdot 10^{-3}$. It was chosen with seeds that do not occur below, and the
#   registry [`MODELS`][invariant_nets.MODELS] holds it.
# - **Test.** 50,000 fresh sets that chose nothing, the same for all.
# - **Seeds.** Three, of data and weights together.
#
# These are the defaults of [`compare`][invariant_nets.compare], which trains and tests all
# models of the registry.

# %%
import numpy as np
import torch
from torch import nn

from invariant_nets import (
    MODELS,
    GaussianTask,
    SymmetryModel,
    compare,
    cyclic_group,
    direct_product,
    symmetric_group,
    test_invariant,
)
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
task = GaussianTask(n, d, v1, v2)
limit = task.bayes_accuracy

# %%
comparison = compare(MODELS, task, epochs=18, seeds=3)

ranking = comparison.ranking
mean = {name: comparison[name].score for name in MODELS}
models = {name: comparison[name].model for name in MODELS}  # of seed 0
fresh = task.test_data()
x_fresh, y_fresh = fresh.x, fresh.y


def logits_of(model, count):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(x) for x in x_fresh[:count].split(500)])


def accuracy(logits):
    return ((logits > 0) == (y_fresh[: len(logits)] > 0.5)).double().mean().item()


# %% [markdown]
# What training keeps in memory is what the forward pass stores for the backward pass. Autograd tells:
# every tensor that it saves passes through a hook. For one batch of 32 sets, the parameters not
# counted:


# %%
def kept_for_backward(model, x) -> int:
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def count(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = model(x).sum()  # alive until all is counted
    assert loss.requires_grad
    return sum(kept.values())


memory = {
    name: kept_for_backward(model, x_fresh[:32].clone())
    for name, model in models.items()
}

# %% [markdown]
# ## The result
#
# "±" behind an accuracy is the standard deviation over the seeds. The evaluation itself adds a
# standard error of 0.2 points. But all models are judged on the same sets, so what tells two of them
# apart is known better: "behind" is the difference to the first one and *its* standard error, taken
# in pairs of seeds and of sets. The time of an epoch is the median, its test included.

# %% measured="ms"
comparison.table(
    ["model", "claims", "score", "behind", "gap", "weights", "ms"],
    kB={name: kept / 1e3 for name, kept in memory.items()},
    caption="Gap to the Bayes limit; milliseconds an epoch; kilobytes kept for the backward pass.",
)

# %% alt="Accuracy of all models, sorted, as dots, one per seed: those of the larger groups and Deep Sets next to the dashed Bayes limit, then the other networks of equivariant layers and the averaged perceptrons, the perceptrons without symmetry far below. Hollow dots, the same models on 200 sets, scatter widely around their solid dots and would order the models differently."
comparison.plot(readings=True)

# %% [markdown]
# Read the solid dots first. **The larger the group, the closer to the limit.** In front are the
# networks that respect rows *and* columns, with few weights or with two. Of those that respect rows
# alone only Deep Sets keeps up with the last of them. Then come the other
# invariant networks and, with more weights, the perceptrons that are averaged; the perceptron on
# sorted columns keeps up with those. An average around a transformer does no better, and the table
# says at what cost. A perceptron without a route is at the end, and augmentation, which only *shows*
# it the symmetry, does not lift it in so short a training. Nobody passes the limit, except by the
# luck of the test sets.
#
# The last two columns are the price. An average over ten permutations keeps ten times what its
# backbone keeps, [unless it recomputes](08_symmetrization.py); a sort keeps no more.
#
# Now the hollow dots, of seed 0. Each is the last reading on 200 sets, with a standard error of
# [about three points](02_task.py#why-200-test-sets-cannot-rank-models); the best half of the models lie closer
# together than that. **Two hundred test points cannot rank these models: such a ranking is a ranking of luck.**
#
# ## Do they keep their promises?
#
# [`test_invariant`][invariant_nets.test_invariant] gives the largest change of the output under
# permutations, relative to the spread of the outputs over sets: 0 is invariance, 1 is a change as
# large as a typical difference between two sets. Each trained model is tested under the cyclic group,
# under all of $S_n$, and under $S_n \times S_d$, which permutes the columns besides.

# %%
torch.manual_seed(0)  # of the permutations that the sampled models draw
probe = x_fresh[:256]
rows_and_columns = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
groups = {
    "$C_n$": cyclic_group(n),
    "$S_n$": symmetric_group(n),
    r"$S_n \times S_d$": rows_and_columns,
}
defects = {
    name: {
        group: test_invariant(model, probe, members)
        for group, members in groups.items()
    }
    for name, model in models.items()
}
table(
    [
        {
            "model": name,
            "claims": comparison[name].claim(formula=True),
            **{group: report.relative_error for group, report in reports.items()},
            "random": "yes" if reports["$S_n$"].is_random else "no",
        }
        for name, reports in defects.items()
    ],
    digits=2,
    caption="Largest change among the permutations tried, relative to the spread.",
)

# %% [markdown]
# The exact claims hold to rounding, and only those. The cyclic average is exact for its ten
# permutations and clearly changes under the others: $C_n$ is not $S_n$. The sampled averages differ
# from call to call, so they are invariant to nothing, and augmentation promises nothing.
#
# But look across to the accuracies. Exact invariance to all of $S_n$ is not what decides: the perceptron on
# lexicographically sorted rows has it, and loses clearly to the cyclic average, which does not. The
# likely reason: sorting rows by one column leaves the others in disorder, and the arrangement jumps where
# two keys cross, so that the network meets the task anew in every region. The average shares what it
# learns about one arrangement with the others.
#
# And one model is better than its claim seems to allow: sorting every column by itself forgets which entries
# stood in one row, and yet it keeps up with the averages. It respects more than $S_n$, for every column
# may be permuted by a permutation of its own. On this task that is allowed, by the theorem of
# [chapter 6](06_rows_and_columns.py): the entries are alike and independent, so every permutation of
# them preserves both laws. Where columns mean height and weight, it would be an error.
#
# ## Averaging never hurts
#
# The theorem of [chapter 6](06_rows_and_columns.py) speaks of the best classifier, which loses nothing by
# being invariant. For *any* network there is a companion.
#
# !!! abstract "Theorem (averaging never raises the risk)"
#     Let both laws be preserved by the finite group $G$, and $\bar f(x) = \frac1{|G|} \sum_{g \in G} f(g \cdot x)$
#     average the logits. Then the expected cross-entropy of $\bar f$ is at most that of $f$.
#
# *Proof.* The cross-entropy $\ell(\cdot, y)$ is a convex function of the logit, so by Jensen's inequality
# $\ell(\bar f(x), y) \le \frac1{|G|} \sum_g \ell(f(g \cdot x), y)$. Take expectations: since $(g \cdot x, y)$
# has the law of $(x, y)$, each summand has the risk of $f$. $\blacksquare$
#
# No training is needed. Average those trained models that tell columns apart over the $d$ cyclic shifts of the
# *columns*, a group of which they know nothing. The routes compose: transpose, average over the rows of what is now
# there, and transpose back.


# %%
class Transpose(nn.Module):
    def forward(self, x):
        return x.mT


def averaged_over_columns(model):
    inner = nn.Sequential(Transpose(), model)
    return nn.Sequential(Transpose(), SymmetryModel(inner, cyclic_group(d)))


def losses(logits):
    truth = y_fresh[: len(logits)]
    return nn.functional.binary_cross_entropy_with_logits(
        logits, truth, reduction="none"
    )


before, after, gains = {}, {}, []
blind_to_columns = ("S_n × C_d", "S_n × S_d", "S_{nd}", "O(nd)")
improvable = [
    name
    for name in ranking
    if MODELS[name].group not in blind_to_columns
    and not name.endswith("-transformer")
    and not name.startswith("sampled")
]
improvable.remove("transformer")
for name in improvable:
    plain = logits_of(models[name], 20_000)
    averaged = logits_of(averaged_over_columns(models[name]), 20_000)
    before[name], after[name] = accuracy(plain), accuracy(averaged)
    change = losses(averaged) - losses(plain)
    gains.append(
        {
            "model": name,
            "change of the loss": change.mean().item(),
            "standard error": change.std().item() / len(change) ** 0.5,
            "accuracy before": before[name],
            "after": after[name],
        }
    )
table(gains, digits={"change of the loss": 4, "standard error": 4})

# %% [markdown]
# Every loss falls, by many standard errors. The theorem is about the loss, but the accuracies rise
# too, and most for the three networks that had learned least. What training did not teach them, the
# average supplies. Better than to average afterwards is to train with the group:
# [chapter 6](06_rows_and_columns.py) shows what that buys, from a hundred training sets to thirty thousand.
#
# ## What to choose
#
# - Know the group of your *data* first; it matters more than the route. A larger group that holds is
#   accuracy for free, one that does not hold is an error that no training repairs.
# - If layers for the group exist, the intrinsic net is the smallest and is exact.
# - If you have a network that must stay as it is, average it: over a small group exactly, over a large
#   one by samples, and remember that it is then random.
# - Sorting costs a single pass, where an average costs one for each permutation. It pays where the
#   sorted arrangement says something, as it does for the columns here, and little where it jumps.
#
# And then measure, on your own sets: a table with a row per member, a column `set` that says to which
# set it belongs, a column `label`, and features; or arrays in an `.npz`. Labels may be 0 and 1,
# classes or numbers. The command that follows makes this comparison on them. It keeps a share of the
# sets for the test and another one for validation, which chooses each model's learning rate, and
# writes a page with the scores and the figure; `--help` lists what else it can do. A
# [`SetsTask`][invariant_nets.SetsTask] in the place of the Gaussian one does the same in a
# notebook. No limit is known then, so look at the errors before you trust a ranking.
#
# ```sh
# python -m invariant_nets compare --data sets.csv --epochs 100 --report sets.html
# ```
#
# ## Check the claims


# %%
def of_groups(*groups):
    return [name for name, spec in MODELS.items() if spec.group in groups]


def average(names):
    return np.mean([mean[name] for name in names])


# The larger the group, the closer to the limit.
with_columns = of_groups("S_n × C_d", "S_n × S_d", "S_{nd}", "O(nd)")
intrinsic_rows = [m for m in of_groups("S_n") if MODELS[m].route == "intrinsic"]
averaged = ["cyclic-mlp", "sampled-mlp", "columnwise-mlp"]
behind = [mean[name] for name in intrinsic_rows if name != "deep-sets"]
assert min(mean[name] for name in with_columns) > max(behind) + 0.001
beside = average([name for name in with_columns if name != "radial"])
assert abs(mean["deep-sets"] - beside) < 0.006
assert average(with_columns) > average(intrinsic_rows) + 0.004
assert ranking[0] == "radial"
weights = {name: comparison[name].weights for name in MODELS}
assert max(weights[m] for m in (*with_columns, *intrinsic_rows)) < weights["mlp"]
assert weights["radial"] == 2
front = [*with_columns, *intrinsic_rows, *averaged]
assert set(ranking[: len(front)]) == set(front)
assert abs(mean["columnwise-mlp"] - average(["cyclic-mlp", "sampled-mlp"])) < 0.02
for route in ("cyclic", "sampled"):
    assert mean[f"{route}-transformer"] < mean[f"{route}-mlp"] + 0.005
assert set(ranking[-2:]) == {"mlp", "augmented-mlp"}
assert mean["mlp"] < min(mean[name] for name in front) - 0.04
assert abs(mean["mlp"] - mean["augmented-mlp"]) < 0.02
assert max(mean.values()) < limit + 0.006
assert mean[ranking[0]] - mean[ranking[2]] < 0.02  # as chapter 2 says
# What is kept: ten times as much for ten permutations, no more for a sort.
assert 8 < memory["cyclic-mlp"] / memory["mlp"] < 16
assert memory["canonical-mlp"] < 1.5 * memory["mlp"]
# Two hundred sets: a standard error larger than what separates the best half.
half = ranking[len(ranking) // 2 - 1]
assert mean[ranking[0]] - mean[half] < (limit * (1 - limit) / 200) ** 0.5
misread = [
    result.history.valid_score[-1] - result.scores[0]
    for result in comparison.results.values()
]
assert max(np.abs(misread)) > 0.02
# Promises: exact where claimed, and only there.
all_rows = {"S_n", "(S_n)^d", "S_n × C_d", "S_n × S_d", "S_{nd}", "O(nd)"}
invariant_to = {
    "$C_n$": all_rows | {"C_n"},
    "$S_n$": all_rows,
    r"$S_n \times S_d$": {"S_n × S_d", "S_{nd}", "O(nd)"},
}
for name, reports in defects.items():
    for group, report in reports.items():
        assert bool(report) == (MODELS[name].group in invariant_to[group])
        assert report or report.relative_error > 0.05
        assert report.is_random == name.startswith("sampled")
assert mean["canonical-mlp"] < mean["cyclic-mlp"] - 0.02
# Averaging over columns lowers every loss, the accuracies follow.
for gain in gains:
    assert gain["change of the loss"] < -4 * gain["standard error"]
rise = {gain["model"]: gain["after"] - gain["accuracy before"] for gain in gains}
had_learned_least = {"mlp", "augmented-mlp", "canonical-mlp"}
others = set(rise) - had_learned_least
assert max(mean[m] for m in had_learned_least) < min(mean[m] for m in others)
assert min(rise[m] for m in had_learned_least) > max(rise[m] for m in others) + 0.01
assert min(rise.values()) > 0

# %% [markdown]
# ## Exercises
#
# **1.** Train the networks of $S_n$ and of $S_n \times S_d$ layers with a tenth and with ten times their
# learning rate. What would the table have said about them, and what does that teach about
# comparisons?
#
# ??? success "Solution"
#     With a tenth the network of $S_n$ layers hardly moves within the budget. It would have stood
#     behind the plain perceptron, for a reason that has nothing to do with symmetry. Ten times as much
#     costs the two little. A comparison at one common learning rate compares learning rates.

# %% fold="Solution of exercise 1, in code"
by_rate = {}
for name in ("intrinsic", "exchangeable"):
    tenth, tenfold = (
        compare([name], task, lr=factor * MODELS[name].lr, seeds=1)[name].score
        for factor in (0.1, 10)
    )
    by_rate[name] = tenth, mean[name], tenfold
    assert tenth < mean[name] - 0.03
    assert abs(tenfold - mean[name]) < 0.03
assert by_rate["intrinsic"][0] < mean["mlp"]
table(
    [
        {"model": name, "learning rate": f"{MODELS[name].lr:g}"}
        | dict(zip(("a tenth", "as above", "ten times"), values, strict=True))
        for name, values in by_rate.items()
    ],
    caption="Accuracy; of one seed with a tenth and with ten times the rate.",
)

# %% [markdown]
# **2.** Show that $S_n \times S_d$ is smaller than $S_{nd}$ as soon as $n, d \ge 2$, and give a function
# that is invariant to the first and not to the second.
#
# ??? success "Solution"
#     Two entries of one row stay in one row under $\sigma x \tau$. A permutation of the entries that
#     swaps $x_{11}$ with $x_{22}$ and fixes all others separates $x_{11}$ from $x_{12}$, so it is not of
#     that form. The function $\sum_i \bigl( \sum_j x_{ij} \bigr)^2$ forgets the orders of rows and of
#     columns, but it knows which entries share a row.
#
# **3.** Which group do $(S_n)^d$, the group of the column-wise sort, and $S_d$ on the columns generate
# together? How would you canonicalize for it?
#
# ??? success "Solution"
#     The wreath product $S_n \wr S_d$, of order $(n!)^d \, d!$: permute within every column, and permute
#     the columns. Sort each column by itself, then sort the columns among themselves, say
#     lexicographically. Now no later step disturbs an earlier one, which is not so for
#     $S_n \times S_d$: there a column moves with its row order.
#
# ## Sources
#
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit
#   for Equivariant Models*: what averaging gains, exactly.
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020), *A Group-Theoretic Framework for Data
#   Augmentation*: invariance in law, and what orbit averages gain.
# - [Hartford et al. (2018)](../bibliography.md#hartford-2018), *Deep Models of Interactions Across
#   Sets*: the layers of $S_n \times S_d$.
# - [Lehmann and Romano (2005)](../bibliography.md#lehmann-2005), *Testing Statistical Hypotheses*,
#   chapter 6: invariance, orbits and maximal invariants in testing.
