# %% [markdown]
# # Overfitting, and data that never repeats
#
# A network is right on every set it was trained on, and no better than chance, almost, on the
# next one. Where does the difference come from, what makes it vanish, and how much of it does
# symmetry remove? And how can a test read *more* than the best possible accuracy?
#
# You will learn to read the two curves of a training run, what early stopping repairs and what it
# does not, and the one rule that keeps an evaluation honest.

# %%
import copy

import numpy as np
import torch
from matplotlib import pyplot as plt
from scipy.stats import binom
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    bayes_accuracy,
    bayes_loss,
    build_model,
)
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit, least_loss = bayes_accuracy(n, d, v1, v2), bayes_loss(n, d, v1, v2)

# %% [markdown]
# ## What a training accuracy measures
#
# Let $R(\theta) = \mathbb E\, \ell(f_\theta(x), y)$ be the risk of the weights $\theta$: their expected
# loss on a new set. A batch $B$ gives an estimate of it,
# $\hat R_B(\theta) = \frac1{|B|} \sum_{(x, y) \in B} \ell(f_\theta(x), y)$.
#
# !!! abstract "Proposition"
#     If the batch $B$ is independent of the weights $\theta_t$ with which it is met, then
#     $\mathbb E \bigl[ \hat R_B(\theta_t) \mid \theta_t \bigr] = R(\theta_t)$. If instead $\hat\theta$
#     minimizes the loss over a fixed sample $S$, then
#     $\mathbb E\, \hat R_S(\hat\theta) \le \min_\theta R(\theta) \le \mathbb E\, R(\hat\theta)$.
#
# *Proof.* Given $\theta_t$, every summand has mean $R(\theta_t)$, because $B$ is independent of
# $\theta_t$. For the second part let $\theta^*$ minimize $R$. By the choice of $\hat\theta$,
# $\hat R_S(\hat\theta) \le \hat R_S(\theta^*)$, and the right side has mean $R(\theta^*)$, since
# $\theta^*$ does not depend on $S$. And $R(\theta^*) \le R(\hat\theta)$ always. $\blacksquare$
#
# So two quantities go by one name. On *static* data the batch has been seen before, the weights
# remember it, and the training loss is too low: not by accident, but in the mean. On *dynamic*
# data, drawn anew at each access, no batch has been seen before; then the training curve is itself
# a test curve, one step behind. The second part says nothing about *how* far the two sides lie
# apart; that depends on how well the network can remember.
#
# ## A network that remembers everything
#
# The plain [MLP][invariant_nets.mlp] has several thousand weights, and the static
# training data are 800 sets. All evaluations use 20,000 fresh sets, which no choice has touched.

# %%
epochs = 25


def sets(count: int, static: bool, seed: int) -> GaussianDataset:
    return GaussianDataset(count, (n, d), v1, v2, static=static, seed=seed)


x_fresh, y_fresh = next(iter(DataLoader(sets(20_000, True, seed=1000), 20_000)))


def evaluate(model) -> tuple[float, float]:
    """Return the accuracy and the loss on the fresh sets."""
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(x) for x in x_fresh.split(500)])
    loss = nn.functional.binary_cross_entropy_with_logits(logits, y_fresh)
    return ((logits > 0) == (y_fresh > 0.5)).double().mean().item(), loss.item()


def train(name, data, test, epochs=epochs, **options):
    torch.manual_seed(0)
    model = build_model(name, n, d)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    test = DataLoader(test, batch_size=500)
    return model, trainer.fit(DataLoader(data, 32), test, epochs, **options)


memorizer, static_history = train("mlp", sets(800, True, 0), sets(500, True, 1))
weights = sum(p.numel() for p in memorizer.parameters())
accuracy, loss = evaluate(memorizer)
print(
    f"{weights:,} weights, accuracy on its training sets {static_history.train_acc[-1]:.3f}"
)
print(
    f"fresh sets: accuracy {accuracy:.3f}, loss {loss:.3f}; guessing costs {np.log(2):.3f}"
)

# %% alt="The plain network on static data. Left: the training loss falls to zero while the test loss rises far above the dashed least possible loss. Right: the training accuracy goes to one, the test accuracy stays near one half."
static_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The training loss falls far *below* the least possible loss, which nobody can do on new sets,
# and the test loss climbs past what guessing would cost: the network is wrong and sure of it. It
# has learned by heart which sets bear which label. The same network shows how little the labels
# need to mean: shuffle them, so that there is nothing to learn, and it learns that just as well.

# %%
x, y = next(iter(DataLoader(sets(800, True, 0), 800)))
shuffled = y[torch.randperm(800, generator=torch.Generator().manual_seed(0))]
_, nonsense = train("mlp", TensorDataset(x, shuffled), sets(500, True, 1))
print(
    f"shuffled labels: accuracy on the training sets {nonsense.train_acc[-1]:.3f}"
)

# %% [markdown]
# Is it the number of weights, then? The small
# [transformer][invariant_nets.transformer] has fewer weights than there are training
# sets. It cannot remember everything, but what it does learn is again mostly the sample:

# %%
small, small_history = train("transformer", sets(800, True, 0), sets(500, True, 1))
small_weights = sum(p.numel() for p in small.parameters())
small_fresh, _ = evaluate(small)
print(
    f"{small_weights} weights: training sets {small_history.train_acc[-1]:.3f}, "
    f"fresh sets {small_fresh:.3f}"
)

# %% [markdown]
# ## Data that never repeats
#
# Now the same MLP, the same number of steps, the same start, but each access draws a new set.

# %%
learner, dynamic_history = train("mlp", sets(800, False, 0), sets(500, False, 1))

# %% alt="The plain network on dynamic data: training and test curves run together, slowly toward the dashed limits, which they do not reach."
dynamic_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The two curves run together, as the proposition says they must. Nothing can be remembered with
# profit, so every step has to improve the risk itself. What remains is a different shortcoming:
# the curves creep toward the limits and stay far away.
# Nothing tells this network that the $n!$ orders of a set mean the same; that too it must learn from
# examples. The gap between training and test is gone; the gap to the Bayes limit is not. Keep the two apart: more data, or fresher, closes the
# first, and the right symmetry helps with the second.

# %% [markdown]
# ## Symmetry against overfitting
#
# A network that treats all orders of a set alike cannot remember the order. Five routes, each
# trained on static and on dynamic data, all with the same learning rate; the training accuracy is
# the mean over the last five epochs.

# %%
routes = ("mlp", "columnwise-mlp", "cyclic-mlp", "sampled-mlp", "intrinsic")
runs = {
    ("mlp", True): (memorizer, static_history),
    ("mlp", False): (learner, dynamic_history),
}
for name in routes[1:]:
    for static in (True, False):
        data, test = sets(800, static, 0), sets(32, static, 1)
        runs[name, static] = train(name, data, test)
results = {
    key: (np.mean(history.train_acc[-5:]), evaluate(model)[0])
    for key, (model, history) in runs.items()
}
table(
    [
        {
            "model": name,
            "static: training": results[name, True][0],
            "static: fresh": results[name, True][1],
            "dynamic: training": results[name, False][0],
            "dynamic: fresh": results[name, False][1],
        }
        for name in routes
    ]
)

# %% alt="For each of five routes, a line from its training accuracy to its accuracy on fresh sets. On static data the lines are long, longest for the plain network, and short for sampled averaging and the intrinsic network. On dynamic data all lines are short."
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
for ax, static in zip(axes, (True, False), strict=True):
    for height, name in enumerate(reversed(routes)):
        training, fresh = results[name, static]
        ax.plot([training, fresh], [height, height], color=INK, alpha=0.5)
        ax.plot(training, height, "o", color="C1", ms=7, mfc="none", mew=1.8)
        ax.plot(fresh, height, "o", color="C0", ms=7)
    ax.axvline(limit, color="C2", ls="--")
    ax.set(xlim=(0.5, 1.03), xlabel="accuracy", ylim=(-0.6, len(routes) - 0.4))
    ax.set_title("static data" if static else "dynamic data")
    ax.grid(axis="y", visible=False)
axes[0].set(yticks=range(len(routes)), yticklabels=reversed(routes))
handles = [
    plt.Line2D(
        [], [], marker="o", ls="", color="C1", mfc="none", label="training sets"
    ),
    plt.Line2D([], [], marker="o", ls="", color="C0", label="fresh sets"),
    plt.Line2D([], [], ls="--", color="C2", label="Bayes limit"),
]
axes[1].legend(handles=handles, loc="center right")
plt.show()

# %% [markdown]
# Left, the length of a line is what was learned by heart. It is longest without symmetry. Sorting
# and the cyclic average remove part of it: they show the network one, or ten, fixed arrangements of
# each set, and those can be remembered as well. Sampled symmetrization is in another class. At
# every pass it averages over ten permutations drawn anew, so during the whole training a set comes
# by in a few hundred arrangements out of millions, and hardly ever twice in the same. Its training
# data are dynamic in the order of the rows even where the sets are static. On fresh sets it does as well as
# the intrinsic net, which has no order to remember at all, and about a tenth of the weights.
#
# Right, with sets that never repeat, every line is short: the gap between training and test is not
# a property of the model but of the model *and* the data.

# %% [markdown]
# ## Early stopping
#
# If data are scarce, one can stop in time.
# [`BinaryTrainer.fit`][invariant_nets.BinaryTrainer] with `early_stopping=10` ends
# after 10 epochs in a row without a lower *loss* on the held-out sets, and restores the weights of
# the epoch that had the lowest. Here it watches 200 held-out sets while the MLP averaged over cyclic
# shifts trains on static data, as above.

# %%
held_out = sets(200, True, seed=50)
stopped, stopped_history = train(
    "cyclic-mlp", sets(800, True, 0), held_out, early_stopping=10
)
print(
    f"stopped: {stopped_history.stopped}; restored: epoch {stopped_history.best_epoch}"
)
to_the_end, _ = runs["cyclic-mlp", True]
rows = []
for name, model in (
    ("early stopping", stopped),
    (f"all {epochs} epochs", to_the_end),
):
    accuracy, loss = evaluate(model)
    rows.append({"weights": name, "fresh accuracy": accuracy, "fresh loss": loss})
table(rows)

# %% alt="Training with early stopping. The training loss keeps falling; the loss on the held-out sets falls, turns within about ten epochs, and rises until training stops."
stopped_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The loss is much better for it. The accuracy is not: on this task the later weights decide as
# well or even better, they are merely far too sure. Early stopping chose by the loss and got what
# it chose by: probabilities that mean something. If only the decisions matter, that is not the
# same goal, and you should choose by what you need.
#
# Stopping against one's will is another matter. With `checkpoint="runs/first"` the fit keeps in that
# folder, after each epoch, all that the rest of it depends on; killed at any moment, the same call goes on
# and ends with the same weights, to the last bit
# ([`CheckpointFolder`][invariant_nets.CheckpointFolder] says how).

# %% [markdown]
# ## The best epoch is too good to be true
#
# One more trap, and it is not the model that falls into it. Test on 200 sets after each epoch, and
# report the best reading. Below, next to each reading, is the accuracy of the same weights on the
# 20,000 fresh sets.

# %%
torch.manual_seed(0)
model = build_model("columnwise-mlp", n, d)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
dl_train = DataLoader(sets(800, False, 0), 32)
dl_test = DataLoader(sets(200, False, 1), 200)
readings, honest, states = [], [], []
for _ in range(40):
    readings += trainer.fit(dl_train, dl_test, num_epochs=1).test_acc
    honest.append(evaluate(model)[0])
    states.append(copy.deepcopy(model.state_dict()))
chosen = int(np.argmax(readings))
model.load_state_dict(states[chosen])
x, y = next(iter(DataLoader(sets(100_000, True, 2000), 100_000)))
with torch.no_grad():
    truth = ((model(x) > 0) == (y > 0.5)).double().mean().item()
print(f"best reading on 200 sets: {readings[chosen]:.3f} (epoch {chosen + 1})")
print(f"the same weights on 100,000 sets: {truth:.3f}; the limit: {limit:.3f}")

# %% [markdown]
# The reading lies above the Bayes limit, so it is false. Nobody cheated: each single reading is
# unbiased. But the maximum of many unbiased readings is not. If $K$ models of accuracy $p$ are each
# tested on $m$ new sets, then the number of hits is binomial with distribution function $F$, and the
# largest of the $K$ exceeds $h$ with probability $1 - F(h)^K$, so its mean is
#
# $$ \mathbb E \max_{k \le K} \frac{H_k}m = \frac1m \sum_{h=0}^{m-1} \bigl( 1 - F(h)^K \bigr) . $$
#
# The picture lays this formula, for the accuracy that the run settles at, beside the run itself, which
# needs some epochs of training before the two can be compared.


# %% alt="Left: 40 readings on 200 sets scatter widely, many above the dashed Bayes limit, around the honest accuracies, which stay below it. Right: the expected best of K readings grows with K, through the limit almost at once; on 20,000 sets it hardly grows. The run's own running maximum follows the curve for 200."
def expected_best(K, m, p):
    return (1 - binom.cdf(np.arange(m), m, p) ** K).sum() / m


settled = float(np.mean(honest[-20:]))
counts = np.arange(1, 41)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
left.plot(counts, readings, ".", color="C0", label="on 200 sets")
left.plot(counts, honest, color="C1", label="on 20,000 sets")
left.plot(chosen + 1, readings[chosen], "o", color="C3", ms=9, mfc="none", mew=1.8)
right.step(
    counts, np.maximum.accumulate(readings), color=INK, lw=1, label="this run"
)
for m, color in ((200, "C0"), (20_000, "C1")):
    curve = [expected_best(K, m, settled) for K in counts]
    right.plot(counts, curve, color=color, label=f"expected, {m:,} sets")
for ax in (left, right):
    ax.axhline(limit, color="C2", ls="--")
left.set(xlabel="epoch", ylabel="accuracy", ylim=(0.55, 0.81))
right.set(xlabel="readings $K$ to choose from")
left.legend(loc="lower right")
right.legend(loc="lower right")
plt.show()

# %% [markdown]
# The rule is old and simple: **sets that chose anything do not test.** Choose the epoch, the
# learning rate, the model on a validation set; then read a test set once. Had all epochs been
# tested on the *same* 200 sets, the readings would be correlated and the bias of choosing smaller,
# but a lucky test set would then flatter all of them. Early stopping above chose by its 200 held-out
# sets, which is their purpose; its accuracy was measured on others.
#
# ## Check the claims

# %%
# The MLP remembers everything, nonsense included, and is wrong and sure of it.
assert weights > 5 * 800
assert static_history.train_acc[-1] > 0.99
assert nonsense.train_acc[-1] > 0.99
assert static_history.train_loss[-1] < least_loss / 3
static_acc, static_loss = evaluate(memorizer)
assert static_acc < 0.6
assert static_loss > 1.5 * np.log(2)
assert small_weights < 800
assert small_history.train_acc[-1] > small_fresh + 0.05
# On dynamic data the gap is gone for every route, the gap to the limit is not.
for name in routes:
    assert abs(np.subtract(*results[name, False])) < 0.04
assert static_acc + 0.04 < results["mlp", False][1] < limit - 0.03
# Early stopping repairs the loss, not the accuracy.
by_loss, at_end = rows
assert by_loss["fresh loss"] < at_end["fresh loss"] - 0.05
assert by_loss["fresh accuracy"] < at_end["fresh accuracy"] + 0.01
# What was learned by heart, static: most without symmetry, least sampled or intrinsic.
gap = {name: np.subtract(*results[name, True]) for name in routes}
fresh = {name: results[name, True][1] for name in routes}
for part in ("columnwise-mlp", "cyclic-mlp"):
    assert gap["mlp"] > gap[part] + 0.05
    assert gap[part] > max(gap["sampled-mlp"], gap["intrinsic"]) + 0.05
    assert fresh["mlp"] + 0.03 < fresh[part] < fresh["sampled-mlp"]
assert abs(fresh["sampled-mlp"] - fresh["intrinsic"]) < 0.03
# The best of many readings exceeds the limit; the truth does not; the formula says why.
assert readings[chosen] > limit + 0.005
assert truth < limit + 0.005
assert expected_best(40, 200, settled) > limit + 0.03
assert expected_best(40, 20_000, settled) < settled + 0.01
assert abs(readings[chosen] - expected_best(40, 200, settled)) < 0.06

# %% [markdown]
# ## Exercises
#
# **1.** How many readings on 200 sets does even the *ideal* classifier need until its best reading is
# expected to lie two points above its true accuracy?
#
# ??? success "Solution"
#     Two points are about two thirds of a standard error, and already the larger of two normal
#     readings lies $1/\sqrt\pi \approx 0.56$ standard errors above the mean in expectation, the
#     largest of three $0.85$. So three are enough; the cell evaluates the exact formula.

# %% fold="Solution of exercise 1, in code"
excess = {K: expected_best(K, 200, limit) - limit for K in (1, 2, 3, 4)}
print({K: round(float(value), 4) for K, value in excess.items()})
assert excess[2] < 0.02 < excess[3]

# %% [markdown]
# **2.** The proposition needs that $B$ is independent of $\theta_t$. A dataset is static, but an epoch
# is the first one. Is the training loss of that epoch biased?
#
# ??? success "Solution"
#     No. In the first epoch each batch is met for the first time, by weights that have seen only other
#     batches; static and dynamic data do not differ before the second epoch. That is why training on
#     huge data for a single epoch needs no test set to find overfitting.
#
# **3.** [Augmentation](09_augmentation.py) draws one permutation for each set and pass. Why does it
# regularize as well, and why is the sampled average of ten better at the same number of passes?
#
# ??? success "Solution"
#     Augmented sets hardly ever repeat in the same order either, so the order cannot be remembered.
#     But the network must still *learn* to be right in every order, one order a time. The average
#     takes ten orders a step, which lowers the noise of the gradient, and at test time ten
#     permutations vote.
#
# ## Sources
#
# - [Zhang et al. (2017)](../bibliography.md#zhang-2017), *Understanding Deep Learning Requires
#   Rethinking Generalization*: networks that fit random labels.
# - [Prechelt (1998)](../bibliography.md#prechelt-1998), *Early Stopping – But When?*: when to stop, and
#   what it costs.
# - [Cawley and Talbot (2010)](../bibliography.md#cawley-2010), *On Over-fitting in Model Selection and
#   Subsequent Selection Bias in Performance Evaluation*: the best of many readings is too good.
