# %% [markdown]
# # Overfitting, and data that never repeats
#
# !!! abstract "What you will be able to do"
#     - read the two curves of a training run, and say which gap more data closes and which symmetry closes;
#     - tell from a proof when a training accuracy is biased, and when it only lags;
#     - use early stopping and temperature scaling, and say what each of them repairs;
#     - keep validation apart from testing, and compute how much the best of many readings exceeds the truth.
#
# A network is right on every set that it was trained on, and hardly better than chance on the next one. Where does
# the difference come from, what makes it vanish, and how much of it does symmetry remove? And how can a reading
# exceed the best possible accuracy?

# %%
import copy

import numpy as np
import torch
from matplotlib import pyplot as plt
from scipy.stats import binom
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from invariant_nets import (
    MODELS,
    BinaryTrainer,
    GaussianDataset,
    bayes_accuracy,
    bayes_loss,
    build_model,
    intrinsic,
    mlp,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
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
#     If the batch $B$ is independent of the weights $\theta_t$ at which its loss is computed, then
#     $\mathbb E \bigl[ \hat R_B(\theta_t) \mid \theta_t \bigr] = R(\theta_t)$. If instead $\hat\theta$
#     minimizes the loss over a fixed sample $S$, then
#     $\mathbb E\, \hat R_S(\hat\theta) \le \min_\theta R(\theta) \le \mathbb E\, R(\hat\theta)$.
#
# *Proof.* Given $\theta_t$, every summand has mean $R(\theta_t)$, because $B$ is independent of
# $\theta_t$. For the second part let $\theta^*$ minimize $R$. By the choice of $\hat\theta$,
# $\hat R_S(\hat\theta) \le \hat R_S(\theta^*)$, and the right side has mean $R(\theta^*)$, since
# $\theta^*$ does not depend on $S$. And $R(\theta^*) \le R(\hat\theta)$ always. $\blacksquare$
#
# So two quantities share one name. On *static* data the weights depend on the batch from the second epoch on, and
# the loss over the training sets is too low, in the mean. On *dynamic* data, drawn anew at each access, every batch
# is new, and the training curve is itself a test curve. The second part does not say *how* far the two sides lie
# apart; that depends on how well the network can remember.
#
# ## A network that remembers everything
#
# The plain [MLP][invariant_nets.mlp] has several thousand weights, and there are 800 static training sets. All
# evaluations use 20,000 fresh sets, which no choice has touched.

# %%
epochs = 25


def sets(count: int, static: bool, seed: int) -> GaussianDataset:
    return GaussianDataset(count, (n, d), v1, v2, static=static, seed=seed)


x_fresh, y_fresh = next(iter(DataLoader(sets(20_000, True, seed=1000), 20_000)))


def evaluate(model) -> tuple[float, float]:
    """Return the accuracy and the loss on the fresh sets."""
    if isinstance(model, nn.Module):
        model.eval()
    with torch.no_grad():
        logits = torch.cat([model(x) for x in x_fresh.split(500)])
    loss = nn.functional.binary_cross_entropy_with_logits(logits, y_fresh)
    return ((logits > 0) == (y_fresh > 0.5)).double().mean().item(), loss.item()


def train(name, data, valid, epochs=epochs, seed=0, **options):
    torch.manual_seed(seed)
    model = build_model(name, n, d)
    optimizer = torch.optim.Adam(model.parameters(), lr=MODELS[name].lr)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    valid = DataLoader(valid, batch_size=500)
    return model, trainer.fit(DataLoader(data, 32), valid, epochs, **options)


memorizer, static_history = train("mlp", sets(800, True, 0), sets(500, True, 1))
weights = sum(p.numel() for p in memorizer.parameters())
accuracy, loss = evaluate(memorizer)
print(
    f"{weights:,} weights, accuracy on its training sets {static_history.train_acc[-1]:.3f}"
)
print(
    f"fresh sets: accuracy {accuracy:.3f}, loss {loss:.3f}; guessing costs {np.log(2):.3f}"
)

# %% alt="The plain network on static data. Left: the training loss falls to zero while the loss on held-out sets rises far above the dashed least possible loss. Right: the training accuracy goes to one, the accuracy on held-out sets stays near one half."
static_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The training loss falls far *below* the least possible loss, which no one can reach on new sets, and the loss on
# held-out sets climbs past the cost of guessing: the network is wrong and sure of it. It remembers which sets have
# which label. The labels need not mean anything: shuffle them, so that there is nothing to learn, and the network
# fits them just as well.

# %%
x, y = next(iter(DataLoader(sets(800, True, 0), 800)))
shuffled = y[torch.randperm(800, generator=torch.Generator().manual_seed(0))]
_, nonsense = train("mlp", TensorDataset(x, shuffled), sets(500, True, 1))
print(
    f"shuffled labels: accuracy on the training sets {nonsense.train_acc[-1]:.3f}"
)

# %% [markdown]
# Does it take more weights than sets? The small [transformer][invariant_nets.transformer] has fewer. At its own learning
# rate, and with more epochs, its accuracy on the training sets climbs far above the Bayes limit, which only memory can
# explain:

# %%
small, small_history = train(
    "transformer", sets(800, True, 0), sets(500, True, 1), epochs=80
)
small_weights = sum(p.numel() for p in small.parameters())
small_fresh, small_loss = evaluate(small)
print(
    f"{small_weights} weights: training sets {small_history.train_acc[-1]:.3f}, "
    f"fresh sets {small_fresh:.3f}, loss {small_loss:.3f}"
)

# %% [markdown]
# ## Data that never repeats
#
# Now the same MLP, the same number of steps, the same initialization, but each access draws a new set.

# %%
learner, dynamic_history = train("mlp", sets(800, False, 0), sets(500, False, 1))

# %% alt="The plain network on dynamic data: the training curve and the curve of held-out sets run together, slowly toward the dashed limits, which they do not reach."
dynamic_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The two curves run together, as the proposition says. Every step improves the risk itself. Another gap remains: the
# curves creep toward the limits and stay far away. This network does not know that the $n!$ orders of a set mean the
# same; it must learn that from examples. Keep the two gaps apart. New data close the one between training and test.
# The right symmetry helps with the one to the Bayes limit.
#
# ## Symmetry against overfitting
#
# A network that treats all orders of a set alike cannot remember the order. Five routes, each on static and on dynamic
# data, with three seeds that train side by side ([chapter 8](08_symmetrization.py) trains in the same way).
#
# One detail first. A training accuracy is collected *while* the weights change. Over an epoch it belongs to the
# weights of half an epoch before the end, and the mean over the last five epochs to those of two and a half epochs
# before the end. So on dynamic data it lies *below* the accuracy of the final weights as long as the network
# improves. To compare like with like, the table has the accuracy on fresh sets also as a mean over the same five
# epochs.

# %%
SEEDS, SETS, BATCH, LAST = 3, 800, 32, 5
shifts = (torch.arange(n) + torch.arange(n)[:, None]) % n
draws = torch.Generator().manual_seed(0)


def ten_orders(x):
    return x[:, :, torch.rand(10, n, generator=draws).argsort(-1)]


# route: the network, its learning rate, the orders in which it gets (models, sets, n, d)
ROUTES = {
    "plain": (mlp, 1e-3, lambda x: x[:, :, None]),
    "columns sorted": (mlp, 1e-3, lambda x: x.sort(2).values[:, :, None]),
    "average over $C_{10}$": (mlp, 1e-3, lambda x: x[:, :, shifts]),
    "average of 10 orders": (mlp, 1e-3, ten_orders),
    "equivariant layers": (intrinsic, 3e-3, lambda x: x[:, :, None]),
}


def logits_of(network, weights, x):
    run = vmap(lambda one, x: functional_call(network, one, (x,)))
    return run(weights, x.flatten(1, 2)).unflatten(1, x.shape[1:3]).mean(2)


def right(logits, y):
    return ((logits > 0) == (y > 0.5)).double().mean((1, 2))


def accuracies(build, lr, view, static):
    """Return accuracies (seeds,): in training, on fresh sets meanwhile and at the end."""
    models = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(build(n, d))
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=lr)
    x, y = (part[:, : SETS * (1 if static else epochs)] for part in training_data)
    fresh, hits = [], []
    for step in range(steps := epochs * SETS // BATCH):
        own = torch.arange(step * BATCH, (step + 1) * BATCH) % x.shape[1]
        logits = logits_of(models[0], weights, view(x[:, own]))
        hits.append(right(logits.detach(), y[:, own]))
        optimizer.zero_grad()
        (SEEDS * cross_entropy(logits, y[:, own])).backward()
        optimizer.step()
        left, rest = divmod(steps - step - 1, SETS // BATCH)
        if not rest and left <= LAST:  # the ends of the last epochs
            with torch.no_grad():
                parts = [
                    x.expand(SEEDS, -1, -1, -1) for x in x_fresh[:8000].split(1000)
                ]
                z = [logits_of(models[0], weights, view(x)) for x in parts]
            fresh.append(right(torch.cat(z, 1), y_fresh[:8000]))
    meanwhile = (torch.stack(fresh[:-1]) + torch.stack(fresh[1:])).mean(0) / 2
    return torch.stack(hits)[-LAST * SETS // BATCH :].mean(0), meanwhile, fresh[-1]


loaders = [
    DataLoader(sets(SETS * epochs, True, seed), SETS * epochs)
    for seed in range(SEEDS)
]
training_data = [
    torch.stack(part)
    for part in zip(*(next(iter(a)) for a in loaders), strict=True)
]
results = {
    (name, static): accuracies(*route, static)
    for static in (True, False)
    for name, route in ROUTES.items()
}


def shown(values):
    return f"{values.mean():.3f} ± {values.std() / len(values) ** 0.5:.3f}"


table(
    [
        {"data": "static" if static else "dynamic", "route": name}
        | dict(
            zip(
                ("training", "fresh, meanwhile", "fresh, at the end"),
                map(shown, results[name, static]),
                strict=True,
            )
        )
        for static in (True, False)
        for name in ROUTES
    ],
    caption="three seeds, ± standard error over seeds; training over the last five epochs, 8,000 of the fresh sets",
)

# %% alt="For each of five routes, a line from its training accuracy to its accuracy on fresh sets. On static data the lines are long, longest for the plain network, and short for the average of ten orders and for equivariant layers. On dynamic data all lines are short."
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
for ax, static in zip(axes, (True, False), strict=True):
    for height, name in enumerate(reversed(ROUTES)):
        training, fresh, _ = (part.mean() for part in results[name, static])
        ax.plot([training, fresh], [height, height], color=INK, alpha=0.5)
        ax.plot(
            training, height, "o", color="C1", ms=7, mfc="none", label="training"
        )
        ax.plot(fresh, height, "o", color="C0", ms=7, label="fresh sets")
    ax.axvline(limit, color="C2", ls="--", label="Bayes limit")
    ax.set(xlim=(0.5, 1.03), xlabel="accuracy", ylim=(-0.6, len(ROUTES) - 0.4))
    ax.set_title("static data" if static else "dynamic data")
    ax.grid(axis="y", visible=False)
axes[0].set(yticks=range(len(ROUTES)), yticklabels=reversed(ROUTES))
handles, labels = axes[1].get_legend_handles_labels()
unique = dict(zip(labels, handles, strict=True))
axes[1].legend(unique.values(), unique.keys(), loc="center right")
plt.show()

# %% [markdown]
# Left, the length of a line is what was remembered. It is longest without symmetry. Sorting and the average over
# $C_{10}$ show the network one, or ten, fixed arrangements of each set, and it remembers those. The average of ten
# orders differs in one respect only: its ten arrangements are new in each pass. So the control is the average over
# $C_{10}$: ten *fixed* orders, and a long line. It is the newness that counts:
# the data are dynamic in the order of the rows even where the sets are static. On fresh sets the average of ten
# orders comes within three points of the equivariant layers, which have no order to remember.
#
# Right, with sets that never repeat, every line is short: the gap between training and test belongs to the model
# *and* the data.
#
# ## Early stopping
#
# If data are scarce, one can stop in time. [`BinaryTrainer.fit`][invariant_nets.BinaryTrainer] with
# `early_stopping=10` ends after 10 epochs in a row without a lower *loss* on held-out sets, and restores the weights
# of the epoch that had the lowest. Sets that make such a choice are called **validation** sets. Here 200 of them
# watch the MLP averaged over $C_{10}$ on static data.
#
# There is a rival. If the later weights decide well and are merely too sure of it, then divide their logits by a
# *temperature* $T$, chosen to minimize the loss on the same validation sets (Guo et al., 2017,
# [source](../bibliography.md#guo-2017)). The decisions stay the same.

# %%
temperatures = torch.logspace(-0.5, 1, 100)


def logits_and_labels(model, data):
    x, y = next(iter(DataLoader(data, len(data))))
    with torch.no_grad():
        return model.eval()(x), y


fresh_by, chosen_T, stops = {}, [], []
for seed in range(SEEDS):
    valid = sets(200, True, seed + 50)
    static = sets(800, True, seed)
    stopped, history = train(
        "cyclic-mlp", static, valid, seed=seed, early_stopping=10
    )
    stopped_history = history if seed == 0 else stopped_history
    stops.append(history.best_epoch)
    last, _ = train("cyclic-mlp", static, valid, seed=seed)
    z, y = logits_and_labels(last, valid)
    costs = torch.stack([cross_entropy(z / T, y) for T in temperatures])
    T = temperatures[costs.argmin()].item()
    chosen_T.append(T)
    cooled = evaluate(lambda x, f=last, T=T: f(x) / T)
    for name, found in (
        ("early stopping", evaluate(stopped)),
        (f"all {epochs} epochs", evaluate(last)),
        ("all epochs, with temperature", cooled),
    ):
        fresh_by.setdefault(name, []).append(found)
fresh_by = {name: torch.tensor(found) for name, found in fresh_by.items()}
print("restored epochs", stops, "temperatures", [round(T, 2) for T in chosen_T])
table(
    [
        {
            "weights": name,
            "fresh accuracy": shown(found[:, 0]),
            "fresh loss": shown(found[:, 1]),
        }
        for name, found in fresh_by.items()
    ],
    caption="three seeds, ± standard error over seeds",
)

# %% alt="Training with early stopping. The training loss keeps falling; the loss on the validation sets falls, turns, and rises until training stops."
stopped_history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# With all epochs the loss is above that of a guess; with early stopping it is below. But a temperature, from the same
# 200 sets, lowers it at least as far, and does not touch the decisions of the last weights. So what was wrong with
# these was their certainty: their decisions are no worse than those of the weights that early stopping chose. What
# early stopping saves is time, all the epochs that it does not run.
#
# Stopping against your will is another matter. With `checkpoint="runs/first"` the same call goes on where it was
# killed, and ends with the same weights to the last bit ([`CheckpointFolder`][invariant_nets.CheckpointFolder]).
#
# ## The best epoch is too good to be true
#
# One more trap catches people, not models. Read an accuracy on 200 sets after each epoch, and report the best reading.
# Below, next to each reading, is the accuracy of the same weights on the 20,000 fresh sets.

# %%
torch.manual_seed(0)
model = build_model("columnwise-mlp", n, d)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
dl_train = DataLoader(sets(800, False, 0), 32)
dl_read = DataLoader(sets(200, False, 1), 200)
readings, honest, states = [], [], []
for _ in range(40):
    readings += trainer.fit(dl_train, dl_read, num_epochs=1).test_acc
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
# The reading lies above the Bayes limit, so it must overestimate the accuracy. Each single reading is unbiased, but the
# maximum of many unbiased readings is not. If $K$ models of accuracy $p$ are each tested on $m$ new sets, then the
# number of hits is binomial with distribution function $F$, and the largest of the $K$ exceeds $h$ with probability
# $1 - F(h)^K$, so its mean is
#
# $$ \mathbb E \max_{k \le K} \frac{H_k}m = \frac1m \sum_{h=0}^{m-1} \bigl( 1 - F(h)^K \bigr) . $$


# %%
def expected_best(K, m, p):
    return (1 - binom.cdf(np.arange(m), m, p) ** K).sum() / m


settled = float(np.mean(honest[-20:]))  # the accuracy that the run settles at
counts = np.arange(1, 41)

# %% alt="Left: 40 readings on 200 sets scatter widely, many above the dashed Bayes limit, around the honest accuracies, which stay below it. Right: the expected best of K readings grows with K, through the limit almost at once; on 20,000 sets it hardly grows. The run's own running maximum follows the curve for 200."
fig, (early, late) = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
early.plot(counts, readings, ".", color="C0", label="on 200 sets")
early.plot(counts, honest, color="C1", label="on 20,000 sets")
early.plot(chosen + 1, readings[chosen], "o", color="C3", ms=9, mfc="none", mew=1.8)
late.step(
    counts, np.maximum.accumulate(readings), color=INK, lw=1, label="this run"
)
for m, color in ((200, "C0"), (20_000, "C1")):
    curve = [expected_best(K, m, settled) for K in counts]
    late.plot(counts, curve, color=color, label=f"expected, {m:,} sets")
for ax in (early, late):
    ax.axhline(limit, color="C2", ls="--")
early.set(xlabel="epoch", ylabel="accuracy", ylim=(0.55, 0.81))
late.set(xlabel="readings $K$ to choose from")
early.legend(loc="lower right")
late.legend(loc="lower right")
plt.show()

# %% [markdown]
# The rule: **data used for any choice cannot be used to test it.** Choose the epoch, the learning rate and the model on
# validation sets; then read the test sets once. Had all epochs been read on the *same* 200 sets, the readings would
# be correlated and the bias of the maximum smaller, but one lucky draw of sets would raise all of them.
#
# ## Check the claims

# %%
# The MLP remembers everything, shuffled labels too, and is wrong and sure of it.
static_acc, static_loss = evaluate(memorizer)
assert weights > 5 * 800
assert static_history.train_acc[-1] > 0.99
assert nonsense.train_acc[-1] > 0.99
assert static_history.train_loss[-1] < least_loss / 3
assert static_acc < 0.6
assert static_loss > 1.5 * np.log(2)
# The transformer has fewer weights than sets, and remembers as well.
assert small_weights < 800
assert small_history.train_acc[-1] > max(limit + 0.03, small_fresh + 0.15)
assert small_loss > np.log(2)
# Dynamic data: no gap, for any route; the gap to the limit stays; and the lag.
noise = 0.5 / (SEEDS * SETS * LAST) ** 0.5
for name in ROUTES:
    training, meanwhile, end = results[name, False]
    assert abs((training - meanwhile).mean()) < 4 * noise
lagging, end = (part.mean().item() for part in results["plain", False][1:])
assert end > lagging
assert static_acc + 0.04 < end < limit - 0.03
# Static data: what is remembered, most without symmetry, least with new orders or layers.
gaps = [(results[k, True][0] - results[k, True][1]).mean().item() for k in ROUTES]
ends = [results[k, True][2].mean().item() for k in ROUTES]
for part in (1, 2):
    assert gaps[0] > gaps[part] + 0.05
    assert gaps[part] > max(gaps[3:]) + 0.05
    assert ends[0] + 0.03 < ends[part] < ends[3] - 0.02
assert ends[3] > ends[4] - 0.03
# Early stopping repairs the loss; a temperature does at least as well, with the old decisions.
by_loss, last, cooled = fresh_by.values()
assert (by_loss[:, 1] < last[:, 1] - 0.05).all()
assert (last[:, 1] > np.log(2)).all()
assert (by_loss[:, 1] < np.log(2)).all()
assert cooled[:, 1].mean() < by_loss[:, 1].mean()
assert last[:, 0].mean() > by_loss[:, 0].mean() - 0.003
assert torch.equal(cooled[:, 0], last[:, 0])
assert min(chosen_T) > 1.5
# The best of many readings exceeds the limit; the truth does not; the formula says why.
assert readings[chosen] > limit + 0.005
assert truth < limit + 0.005
assert expected_best(40, 200, settled) > limit + 0.03
assert expected_best(40, 20_000, settled) < settled + 0.01
assert abs(readings[chosen] - expected_best(40, 200, settled)) < 0.06

# %% [markdown]
# ## Summary
#
# - A loss is unbiased on data that are independent of the weights. On static data it is too low from the second epoch
#   on; on dynamic data the training curve is a test curve that lags by half an epoch.
# - A network can remember its training sets with shuffled labels, and with fewer weights than sets.
# - New data close the gap between training and test; the right symmetry helps with the gap to the Bayes limit.
# - The average of ten orders regularizes when the orders are new; ten fixed ones do much less.
# - Overfitting ruins probabilities more than decisions. Early stopping and a temperature both repair them.
# - The best of many readings is biased. What chooses does not test.
#
# ## Where the field went
#
# [Nakkiran et al. (2021)](../bibliography.md#nakkiran-2021) compare the two kinds of training of this chapter for image
# networks: one on data that repeat, and an ideal one on data that never do. They split the test error into the error
# of the ideal run and the gap between both. They find that the gap can be small in realistic settings, where a good
# learner on fresh data is then a good one on repeated data. On our 800 sets it is large.
# [Muennighoff et al. (2023)](../bibliography.md#muennighoff-2023) ask what repeated text is worth to a language model:
# a few epochs are nearly as good as new text, and after many more the value of further training decays to zero.
#
# Temperature scaling is due to [Guo et al. (2017)](../bibliography.md#guo-2017), who found that modern networks are
# poorly calibrated and that this one number is a surprisingly good remedy. Another way not to depend on one epoch is
# to average the weights of many, *stochastic weight averaging*
# ([Izmailov et al., 2018](../bibliography.md#izmailov-2018)); PyTorch has it in `torch.optim.swa_utils`.
#
# ## Exercises
#
# **1.** How many readings on 200 sets does even the *ideal* classifier need until its best reading is expected to lie
# two points above its true accuracy?
#
# ??? success "Solution"
#     Two points are about two thirds of a standard error, and already the larger of two normal readings lies
#     $1/\sqrt\pi \approx 0.56$ standard errors above the mean in expectation, the largest of three $0.85$. So three
#     are enough; the cell evaluates the exact formula.

# %% exercise="1"
answer_1 = ...  # the number of readings

# %% solution="1"
excess = [expected_best(K, 200, limit) - limit for K in range(1, 10)]
answer_1 = next(K for K, value in enumerate(excess, 1) if value > 0.02)

# %% check="1"
check_1 = AnswerCheck("10.1", digest="d6e8a9c0bf83b29e", digits=2)
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[2, 4, 10])

# %% [markdown]
# **2.** Is the training loss biased in the first epoch on static data? In the second epoch on static data? In the second
# on dynamic data?
#
# ??? success "Solution"
#     In the first epoch each batch is met by weights that have seen only other batches; static and dynamic data do not
#     differ before the second epoch. That is why training on huge data for a single epoch needs no test set to find
#     overfitting. From the second epoch on the weights depend on static batches, and never on dynamic ones.

# %% exercise="2"
answer_2 = ...  # three truth values, such as (True, True, True)

# %% solution="2"
answer_2 = (False, True, False)

# %% check="2"
check_2 = AnswerCheck("10.2", digest="4dbaa45e4612d230")
check_2(answer_2)

# %% wrong="2"
wrong_2 = [(True, True, False), (True, True, True), (False, True, True)]
check_2.holds(answer_2, wrong=wrong_2)

# %% [markdown]
# **3.** Write early stopping: given the validation losses of all epochs and a patience, return the number of epochs
# that run and the epoch whose weights are restored, both counted from 1.
#
# ??? success "Solution"
#     Keep the best epoch so far, and end when the patience has passed since. A later, lower loss is never seen.


# %% exercise="3"
def early_stopping(losses, patience):
    """Return (epochs that run, best epoch)."""
    ...


# %% solution="3"
def early_stopping(losses, patience):
    """Return (epochs that run, best epoch)."""
    best = 1
    for epoch, loss in enumerate(losses, 1):
        if loss < losses[best - 1]:
            best = epoch
        if epoch - best == patience:
            break
    return epoch, best


# %% check="3"
def law_3(early_stopping):
    losses = [5.0, 4.0, 4.5, 4.2, 3.0, 3.5, 3.5, 3.5, 1.0]
    assert early_stopping(losses, 1) == (3, 2), (
        "patience 1 should end at the first rise"
    )
    assert early_stopping(losses, 3) == (8, 5), (
        "patience 3 should miss the last epoch"
    )
    assert early_stopping(losses, 9) == (9, 9), (
        "without a stop all epochs should run"
    )
    assert early_stopping([2.0, 2.0, 2.0], 2) == (3, 1), (
        "an equal loss is not lower"
    )


check_3 = CodeCheck("10.3", law_3)
check_3(early_stopping)

# %% wrong="3"
wrong_3 = [
    lambda losses, patience: (len(losses), int(np.argmin(losses)) + 1),
    lambda losses, patience: tuple(e - 1 for e in early_stopping(losses, patience)),
    lambda losses, patience: early_stopping(losses, patience + 1),
]
check_3.holds(early_stopping, wrong=wrong_3)

# %% [markdown]
# **4.** Write temperature scaling: the $T > 0$ that minimizes the mean cross-entropy of logits divided by $T$. The loss
# is convex in $1/T$. When does $T = 1$ come out?
#
# ??? success "Solution"
#     Bisect the derivative in $\beta = 1/T$, the mean of $z\,(p(\beta z) - y)$, which increases with $\beta$. $T = 1$
#     comes out if the mean of $z\,(p - y)$ is zero, in particular, in expectation, for calibrated probabilities.


# %% exercise="4"
def temperature(logits, labels):
    """Return the T > 0 that minimizes the cross-entropy of logits / T."""
    ...


# %% solution="4"
def temperature(logits, labels):
    """Return the T > 0 that minimizes the cross-entropy of logits / T."""
    low, high = 1e-3, 1e3  # of 1 / T
    for _ in range(60):
        beta = (low * high) ** 0.5
        slope = (logits * ((beta * logits).sigmoid() - labels)).mean()
        low, high = (low, beta) if slope > 0 else (beta, high)
    return 1 / beta


# %% check="4"
def law_4(temperature):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(20_000, generator=generator, dtype=torch.float64)
    y = (torch.rand(20_000, generator=generator) < z.sigmoid()).double()
    T = {factor: float(temperature(factor * z, y)) for factor in (1, 3, 0.5)}
    assert 0.9 < T[1] < 1.1, "calibrated logits should keep their temperature"
    assert abs(T[3] / T[1] - 3) < 0.02, "logits 3 times too large need T = 3"
    assert abs(T[0.5] / T[1] - 0.5) < 0.01, "logits half too small need T = 1/2"
    losses = [cross_entropy(3 * z / (T[3] * t), y) for t in (0.97, 1, 1.03)]
    assert losses[1] == min(losses), "T should minimize the cross-entropy"


check_4 = CodeCheck("10.4", law_4)
check_4(temperature)

# %% wrong="4"
wrong_4 = [
    lambda z, y: 1.0,
    lambda z, y: 1 / temperature(z, y),
    lambda z, y: z.std().item() + 0.2,
]
check_4.holds(temperature, wrong=wrong_4)

# %% [markdown]
# **5.** The average of ten orders shows each set in 250 random orders in 25 epochs. How many pairs of equal orders do
# you expect among the 250? Why does [augmentation](09_augmentation.py), one new order per set and pass, regularize as
# well?
#
# ??? success "Solution"
#     Each of the $250 \cdot 249 / 2$ pairs is equal with probability $1/10!$. Augmented sets hardly ever repeat in the
#     same order either, so no order can be remembered. But the network learns from one order at a time, where the
#     average takes ten per step.

# %% exercise="5"
answer_5 = ...  # the expected number of equal pairs, to two digits

# %% solution="5"
answer_5 = 250 * 249 / 2 / 3_628_800

# %% check="5"
check_5 = AnswerCheck("10.5", digest="2f8afd477c10d242", digits=2)
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[250 / 3_628_800, 250**2 / 3_628_800, 8.6])

# %% [markdown]
# ## Sources
#
# - [Zhang et al. (2017)](../bibliography.md#zhang-2017), *Understanding Deep Learning Requires Rethinking
#   Generalization*: networks that fit random labels.
# - [Prechelt (1998)](../bibliography.md#prechelt-1998), *Early Stopping – But When?*: when to stop, and what it costs.
# - [Cawley and Talbot (2010)](../bibliography.md#cawley-2010), *On Over-fitting in Model Selection and Subsequent
#   Selection Bias in Performance Evaluation*: the best of many readings is too good.
