# %% [markdown] slide="question"
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
import numpy as np
import torch
from matplotlib import pyplot as plt
from scipy.stats import binom
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.utils.data import DataLoader

from invariant_nets import (
    GaussianDataset,
    bayes_accuracy,
    bayes_loss,
    intrinsic,
    mlp,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit, least_loss = bayes_accuracy(n, d, v1, v2), bayes_loss(n, d, v1, v2)

# %% [markdown] slide="theorem"
# ## What a training accuracy measures
#
# Let $R(\theta) = \mathbb E\, \ell(f_\theta(x), y)$ be the risk of the weights $\theta$: their expected loss on a new
# set. A batch $B$ estimates it by $\hat R_B(\theta) = \frac1{|B|} \sum_{(x, y) \in B} \ell(f_\theta(x), y)$.
#
# !!! theorem "Proposition (what a curve of losses estimates)"
#     If the batch $B$ is independent of the weights $\theta_t$ at which its loss is computed, then
#     $\mathbb E \bigl[ \hat R_B(\theta_t) \mid \theta_t \bigr] = R(\theta_t)$. If instead $\hat\theta$ minimizes the loss
#     over a fixed sample $S$, then $\mathbb E\, \hat R_S(\hat\theta) \le \min_\theta R(\theta) \le \mathbb E\, R(\hat\theta)$.
#
# *Proof.* Given $\theta_t$, every summand has mean $R(\theta_t)$, because $B$ is independent of $\theta_t$. For the
# second part let $\theta^*$ minimize $R$. By the choice of $\hat\theta$, $\hat R_S(\hat\theta) \le \hat R_S(\theta^*)$,
# and the right side has mean $R(\theta^*)$, since $\theta^*$ does not depend on $S$. And $R(\theta^*) \le R(\hat\theta)$
# always. $\blacksquare$
#
# So two quantities share one name. On *static* data the weights depend on the batch from the second epoch on, and
# the loss over the training sets is too low, in the mean. On *dynamic* data, drawn anew at each access, every batch
# is new, and the training curve is itself a test curve. The second part does not say *how* far the two sides lie
# apart; that depends on how well the network can remember.
#
# We train six seeds side by side, as in [chapter 9](09_augmentation.py): each with its own 800 static training
# sets, or with 800 new ones in each of 20 epochs. A *view* gives the orders of the rows over which the logits are
# averaged. The 10,000 fresh sets choose nothing.

# %%
SEEDS, SETS, BATCH, EPOCHS = 6, 800, 32, 20


def drawn(count, seed):
    data = GaussianDataset(count, (n, d), v1, v2, static=True, seed=seed)
    return next(iter(DataLoader(data, count)))


def logits_of(network, weights, x):
    """Return logits (seeds, sets, 1) of x (seeds, sets, orders, n, d)."""
    run = vmap(lambda one, x: functional_call(network, one, (x,)))
    return run(weights, x.flatten(1, 2)).unflatten(1, x.shape[1:3]).mean(2)


def measures(logits, y):
    """Return the loss and the hit of each set, (2, seeds, sets)."""
    losses = cross_entropy(logits, y.expand_as(logits), reduction="none")
    return torch.stack([losses, ((logits > 0) == (y > 0.5)).float()])[..., 0]


def train(build, lr, view, x, y):
    """Return training curve (epochs, 2, seeds), network, weights by epoch, and view."""
    models, seen, ends = [], [], []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(build(n, d))
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=lr, fused=True)
    for step in range(EPOCHS * SETS // BATCH):
        own = torch.arange(step * BATCH, (step + 1) * BATCH) % x.shape[1]
        found = measures(logits_of(models[0], weights, view(x[:, own])), y[:, own])
        optimizer.zero_grad()
        found[0].mean(1).sum().backward()  # for each seed the gradient of its loss
        optimizer.step()
        seen.append(found.detach().mean(2))
        if (step + 1) % (SETS // BATCH) == 0:
            ends.append({name: w.detach().clone() for name, w in weights.items()})
    by_epoch = {name: torch.stack([end[name] for end in ends]) for name in weights}
    curve = torch.stack(seen).unflatten(0, (EPOCHS, -1)).mean(1)
    return curve, models[0], by_epoch, view


@torch.no_grad()
def logits_on(x, run, epoch=-1):
    _, network, by_epoch, view = run
    weights = {name: w[epoch] for name, w in by_epoch.items()}
    parts = [view(part.expand(SEEDS, -1, -1, -1)) for part in x.split(1000, -3)]
    return torch.cat([logits_of(network, weights, part) for part in parts], 1)


def on_fresh(run, epoch=-1):
    return measures(logits_on(x_fresh, run, epoch), y_fresh)


def gain(a, b):
    """Return the mean of a - b, both (seeds, sets), and its standard error."""
    more = (a - b).double()
    error = more.mean(1).var() / len(more) + more.mean(0).var() / more.shape[1]
    return more.mean().item(), error.sqrt().item()


x_fresh, y_fresh = drawn(10_000, 1000)
all_seeds = [drawn(SETS * EPOCHS, seed) for seed in range(SEEDS)]
dynamic = [torch.stack(part) for part in zip(*all_seeds, strict=True)]
static = [part[:, :SETS] for part in dynamic]

# %% [markdown]
# ## A network that remembers everything
#
# The plain [MLP][invariant_nets.mlp] has several thousand weights, and there are 800 static training sets. Two
# controls: shuffled labels, which mean nothing, and a narrow perceptron, which has fewer weights than sets.


# %%
def as_it_is(x):
    return x[:, :, None]


def narrow(n, d):
    first, last = nn.Linear(n * d, 12), nn.Linear(12, 1)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), last)


x, y = static
shuffled = y[:, torch.randperm(SETS, generator=torch.Generator().manual_seed(0))]
memory = {
    "plain": train(mlp, 1e-3, as_it_is, x, y),
    "plain, labels shuffled": train(mlp, 1e-3, as_it_is, x, shuffled),
    "narrow": train(narrow, 1e-2, as_it_is, x, y),
}
size = {k: sum(w[0, 0].numel() for w in r[2].values()) for k, r in memory.items()}
heads = ("network", "weights", "loss", "accuracy", "fresh loss", "fresh accuracy")
rows = []
for name, run in memory.items():
    found = *run[0][-1].mean(1).tolist(), *on_fresh(run).mean((1, 2)).tolist()
    rows.append(dict(zip(heads, (name, size[name], *found), strict=True)))
table(rows, caption=f"{EPOCHS} epochs on {SETS} static sets; means over seeds")

# %% [markdown]
# The training loss falls far *below* the least possible loss of .559, which no one can reach on new sets, and the loss
# on fresh sets climbs past $\ln 2 = .693$, the cost of guessing: the network is wrong and sure of it. It remembers
# which sets have which label, whether or not the labels mean anything. And it takes fewer weights than sets.
#
# ## Data that never repeat
#
# Now the same MLP, with as many steps and the same initialization, but each access draws a new set.

# %%
runs = {("plain", "static"): memory["plain"]}
runs["plain", "dynamic"] = train(mlp, 1e-3, as_it_is, *dynamic)
after = {
    key: torch.stack([on_fresh(run, e)[0].mean(1) for e in range(EPOCHS)])
    for key, run in runs.items()
}

# %% alt="The loss of the plain network over 20 epochs, one line per seed. Left, static data: the training loss falls toward zero while the loss on fresh sets rises far above the dashed least possible loss. Right, dynamic data: the training loss and the loss on fresh sets fall together, slowly, toward the dashed limit, which they do not reach." slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
counts = np.arange(1, EPOCHS + 1)
for ax, (key, run) in zip(axes, runs.items(), strict=True):
    lines = ax.plot(counts, run[0][:, 0], color="C0", lw=1)
    lines += ax.plot(counts, after[key], color="C1", lw=1)
    ax.axhline(least_loss, color="C2", ls="--")
    ax.set(title=f"{key[1]} data", xlabel="epoch", ylabel="loss")
axes[0].legend(lines[::SEEDS], ["training sets", "fresh sets"])
plt.show()

# %% [markdown]
# The curves run together, as the proposition says. Another gap remains: they creep toward the limit and stay far away.
# This network does not know that the $n!$ orders of a set mean the same; it must learn that from examples. Keep the two
# gaps apart. New data close the one between training and test. The right symmetry helps with the one to the limit.
#
# ## Symmetry against overfitting
#
# A network that treats all orders of a set alike cannot remember the order. We train five routes on static data, three
# also on dynamic. Two average over ten orders of the rows, and differ in one respect only: the same ten in every pass,
# or ten new ones.

# %%
draws = torch.Generator().manual_seed(0)


def ten_orders():
    return torch.rand(10, n, generator=draws).argsort(-1)


fixed = ten_orders()
# route: the network, its learning rate, its view of (seeds, sets, n, d)
ROUTES = {
    "plain": (mlp, 1e-3, as_it_is),
    "columns sorted": (mlp, 1e-3, lambda x: x.sort(2).values[:, :, None]),
    "ten fixed orders": (mlp, 1e-3, lambda x: x[:, :, fixed]),
    "ten new orders": (mlp, 1e-3, lambda x: x[:, :, ten_orders()]),
    "equivariant layers": (intrinsic, 3e-3, as_it_is),
}
for name in list(ROUTES)[1:]:
    runs[name, "static"] = train(*ROUTES[name], *static)
for name in ("ten fixed orders", "equivariant layers"):
    runs[name, "dynamic"] = train(*ROUTES[name], *dynamic)
fresh = {key: on_fresh(run)[1] for key, run in runs.items()}
training = {key: run[0][-5:, 1].mean(0) for key, run in runs.items()}
rows = []
for key in sorted(runs, key=lambda key: key[1], reverse=True):
    gaps = training[key] - fresh[key].mean(1)
    row = {"data": key[1], "route": key[0], "training": training[key].mean().item()}
    row["fresh sets"] = fresh[key].mean().item()
    row["gap"] = f"{gaps.mean():+.3f} ± {gaps.std() / SEEDS**0.5:.3f}"
    rows.append(row)
table(rows, caption="accuracy, in training over the last five epochs; ± over seeds")

# %% [markdown]
# On static data the gap is what was remembered. It is largest without symmetry. Sorting and the average over ten fixed
# orders show the network one, or ten, fixed arrangements of each set, and it remembers those. With new orders the gap
# is small. So it is the newness that counts, not the average: the data are dynamic in the order of the rows even where
# the sets are static. On fresh sets the ten new orders come within three points of the equivariant layers, which have
# no order to remember.
#
# On sets that never repeat every gap is small: it belongs to the model *and* the data. One detail remains. A training
# curve is collected *while* the weights change, so by the proposition it is, in the mean, the average risk of the
# weights of an epoch. As long as these improve steadily, it lags half an epoch behind.
#
# ## Early stopping
#
# If data are scarce, one can stop in time: keep the weights of the epoch with the lowest *loss* on held-out sets. Sets
# that make such a choice are called **validation** sets. Here each seed has 400 of them, which watch the average over
# ten fixed orders on static data.
#
# There is a rival. If the later weights decide well and are merely too sure of it, then divide their logits by a
# *temperature*, here called $T$, chosen to minimize the loss on the same validation sets (Guo et al., 2017,
# [source](../bibliography.md#guo-2017)). The decisions stay the same.

# %%
held_out = [drawn(400, seed + 50) for seed in range(SEEDS)]
x_valid, y_valid = (torch.stack(part) for part in zip(*held_out, strict=True))
run = runs["ten fixed orders", "static"]
z_valid = [logits_on(x_valid, run, epoch) for epoch in range(EPOCHS)]
best = torch.stack([measures(z, y_valid)[0].mean(1) for z in z_valid]).argmin(0)
temperatures = torch.logspace(-0.5, 1, 100)
costs = [measures(z_valid[-1] / T, y_valid)[0].mean(1) for T in temperatures]
T = temperatures[torch.stack(costs).argmin(0)]
z_fresh = logits_on(x_fresh, run)
outcomes = {
    "early stopping": on_fresh(run, (best, torch.arange(SEEDS))),
    f"all {EPOCHS} epochs": measures(z_fresh, y_fresh),
    "all epochs, with temperature": measures(z_fresh / T[:, None, None], y_fresh),
}
heads = ("weights", "fresh loss", "accuracy")
found = {name: of.mean((1, 2)).tolist() for name, of in outcomes.items()}
print("best epochs:", (best + 1).tolist(), "temperatures:", T.numpy().round(1))
table([dict(zip(heads, (k, *v), strict=True)) for k, v in found.items()])

# %% [markdown]
# With all epochs the loss is above that of a guess; with early stopping it is below. But a temperature, from the same
# 400 sets, lowers it further, and does not touch the decisions of the last weights. So what was wrong with these was
# their certainty: they decide at least as well as the weights that early stopping chose. What early stopping saves is
# time, all the epochs that it does not run.
#
# In [`BinaryTrainer.fit`][invariant_nets.BinaryTrainer], `early_stopping=10` ends after 10 epochs in a row without a
# lower loss, and restores the best weights; `checkpoint="runs/first"` continues a killed run to the same bits.
#
# ## The best epoch is too good to be true
#
# One more trap catches people, not models. Read an accuracy on 200 new sets after each epoch, and report the best. We
# do so for the equivariant layers on dynamic data, from the sixth epoch on, and read the fresh sets as well.

# %%
run = runs["equivariant layers", "dynamic"]
readings, late = [], range(5, EPOCHS)
for epoch in late:
    x_read, y_read = drawn(200 * SEEDS, 2000 + epoch)  # new sets for every reading
    logits = logits_on(x_read.view(SEEDS, 200, n, d), run, epoch)
    readings.append(measures(logits, y_read.view(SEEDS, 200, 1))[1].mean(1))
readings = torch.stack(readings, 1)  # (seeds, epochs)
honest = torch.stack([on_fresh(run, e)[1].mean(1) for e in late], 1)
best_reading, chosen = readings.max(1)
truth = honest.gather(1, chosen[:, None])[:, 0]
print("best readings:             ", best_reading.numpy().round(3))
print("same weights on fresh sets:", truth.numpy().round(3), f"limit: {limit:.3f}")

# %% [markdown]
# The best readings lie above the Bayes limit, so they overestimate the accuracy. Each single reading is unbiased, but
# the maximum of many is not. If $K$ models of accuracy $p$ are each tested on $m$ new sets, then the number of hits is
# binomial with distribution function $F$, and the largest of the $K$ exceeds $h$ with probability $1 - F(h)^K$, so
#
# $$ \mathbb E \max_{k \le K} \frac{H_k}m = \frac1m \sum_{h=0}^{m-1} \bigl( 1 - F(h)^K \bigr) . $$


# %%
def expected_best(K, m, p):
    return (1 - binom.cdf(np.arange(m), m, p) ** K).sum() / m


settled = honest.mean().item()  # the accuracy of these runs
counts = range(1, len(late) + 1)

# %% alt="Accuracy against the number K of readings so far. Fifteen readings of one seed on 200 sets scatter widely, some above the dashed Bayes limit, around the accuracies on fresh sets, which stay below it. The running maxima of the six seeds scatter around the expected best of K readings on 200 sets, which grows with K through the limit almost at once; on 10,000 sets it hardly grows." slide="picture"
fig, ax = plt.subplots(figsize=(7, 3.8))
ax.plot(counts, readings[0], ".", color="C0", label="one seed, 200 sets")
ax.plot(counts, honest[0], color="C1", label="one seed, fresh sets")
ax.plot(counts, readings.cummax(1).values.T, color=INK, lw=0.7, alpha=0.6)
ax.plot([], [], color=INK, lw=0.7, label="best so far, six seeds")
for m, color in ((200, "C3"), (10_000, "C4")):
    curve = [expected_best(K, m, settled) for K in counts]
    ax.plot(counts, curve, color=color, label=f"expected best, {m:,} sets")
ax.axhline(limit, color="C2", ls="--")
ax.set(xlabel="readings $K$ so far", ylabel="accuracy", ylim=(0.61, 0.79))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The rule: **data used for any choice cannot be used to test it.** Choose the epoch, the learning rate and the model on
# validation sets; then read the test sets once.
#
# ## Check the claims

# %%
# The MLP remembers everything, shuffled labels too, and is wrong and sure of it.
assert size["plain"] > 5 * SETS > SETS > size["narrow"]
for name, run in memory.items():
    assert run[0][-1, 1].min() > (0.9 if name == "narrow" else 0.96)
    assert run[0][-1, 0].mean() < least_loss / 2
    assert on_fresh(run)[0].mean(1).min() > 1.5 * np.log(2)
assert on_fresh(memory["plain"])[1].mean() < 0.58
# Dynamic data: small gaps, but one to the limit remains, which symmetry lowers.
gap = {key: (training[key] - fresh[key].mean(1)).mean().item() for key in runs}
assert max(abs(of) for (_, kind), of in gap.items() if kind == "dynamic") < 0.03
plain, layers = fresh["plain", "dynamic"], fresh["equivariant layers", "dynamic"]
assert 0.58 < plain.mean() < min(limit, layers.mean()) - 0.05
# Static data: most is remembered without symmetry, least with new orders or layers.
nothing, columns, fixed_ten, new_ten, by_layers = (gap[k, "static"] for k in ROUTES)
assert nothing - 0.05 > max(columns, fixed_ten)
assert min(columns, fixed_ten) - 0.05 > max(new_ten, by_layers)
fixed_ten, new_ten, by_layers = (fresh[k, "static"] for k in list(ROUTES)[2:])
more, error = gain(new_ten, fixed_ten)
assert more > 3 * error
behind, error = gain(by_layers, new_ten)
assert behind + 3 * error < 0.03
# Early stopping lowers the loss, a temperature more; the last decisions are no worse.
early, last, cooled = outcomes.values()
for more, error in (gain(last[0], early[0]), gain(early[0], cooled[0])):
    assert more > 3 * error
more, error = gain(last[1], early[1])
assert more - 3 * error > -0.01
assert early[0].mean() < np.log(2) < last[0].mean()
assert torch.equal(cooled[1], last[1])
assert T.min() > 1.5
# The best of many readings exceeds the limit; the truth does not; the formula says why.
expected = expected_best(len(late), 200, settled)
assert min(best_reading.mean(), expected) > limit + 0.01
assert (readings > limit).float().mean() > 0.05
assert max(truth.max(), honest[0].max()) < limit
assert expected_best(len(late), 10_000, settled) < settled + 0.015
assert abs(best_reading.mean() - expected) < 0.03

# %% [markdown] slide="verdict"
# ## Summary
#
# - A loss is unbiased on data that are independent of the weights. On static data it is too low from the second epoch
#   on; on dynamic data the training curve is a test curve, half an epoch late.
# - A network can remember its training sets with shuffled labels, and with fewer weights than sets.
# - New data close the gap between training and test; the right symmetry helps with the gap to the Bayes limit.
# - An average over ten orders regularizes when the orders are new; ten fixed ones do much less.
# - Overfitting ruins probabilities more than decisions. Early stopping repairs them, and a temperature does it better.
# - The best of many readings is biased. What chooses does not test.
#
# ## Where the field went
#
# [Nakkiran et al. (2021)](../bibliography.md#nakkiran-2021) compare the two kinds of training of this chapter for image
# networks, on data that repeat and on data that never do, and find that the gap between both can be small in realistic
# settings. On our 800 sets it is large. [Muennighoff et al. (2023)](../bibliography.md#muennighoff-2023) ask what
# repeated text is worth to a language model: a few epochs nearly as much as new text, and in the end nothing more.
#
# [Guo et al. (2017)](../bibliography.md#guo-2017), to whom temperature scaling is due, found that modern networks are
# poorly calibrated. Another way not to depend on one epoch is to average the weights of many, *stochastic weight
# averaging* ([Izmailov et al., 2018](../bibliography.md#izmailov-2018)); PyTorch has it in `torch.optim.swa_utils`.
#
# ## Exercises
#
# **1.** How many readings on 200 sets does even the *ideal* classifier need until its best reading is expected to lie
# two points above its true accuracy?
#
# ??? success "Solution"
#     Two points are two thirds of a standard error. The largest of two normal readings lies $1/\sqrt\pi \approx 0.56$
#     standard errors above the mean in expectation, the largest of three $0.85$. So three are enough.

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
# **2.** Is the training loss biased in the first epoch on static data? In the second? In the second on dynamic data?
#
# ??? success "Solution"
#     In the first epoch each batch is met by weights that have seen only other batches. From the second epoch on the
#     weights depend on static batches, and never on dynamic ones.

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
def early_stopping(losses, patience): ...  # (epochs that run, best epoch)


# %% solution="3"
def early_stopping(losses, patience):
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
    for patience, right in ((1, (3, 2)), (3, (8, 5)), (9, (9, 9))):
        found = early_stopping(losses, patience)
        assert found == right, f"patience {patience} should give {right}"
    assert early_stopping([2.0] * 3, 2) == (3, 1), "an equal loss is not lower"


check_3 = CodeCheck("10.3", law_3)
check_3(early_stopping)

# %% wrong="3"
wrong_3 = [lambda v, k: early_stopping(v, k + 1)]
wrong_3 += [lambda v, k: (len(v), int(np.argmin(v)) + 1)]
wrong_3 += [lambda v, k: tuple(epoch - 1 for epoch in early_stopping(v, k))]
check_3.holds(early_stopping, wrong=wrong_3)

# %% [markdown]
# **4.** Write temperature scaling: the $T > 0$ that minimizes the mean cross-entropy of logits divided by $T$. The loss
# is convex in $1/T$.
#
# ??? success "Solution"
#     Bisect the derivative in $\beta = 1/T$, the mean of $z\,(p(\beta z) - y)$, which increases with $\beta$.


# %% exercise="4"
def temperature(logits, labels): ...  # the best T


# %% solution="4"
def temperature(logits, labels):
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


check_4 = CodeCheck("10.4", law_4)
check_4(temperature)

# %% wrong="4"
wrong_4 = [lambda z, y: 1.0, lambda z, y: 1 / temperature(z, y)]
check_4.holds(temperature, wrong=[*wrong_4, lambda z, y: z.std().item() + 0.2])

# %% [markdown]
# **5.** The average of ten new orders shows each set in 200 random orders in 20 epochs. How many pairs of equal orders
# do you expect among the 200?
#
# ??? success "Solution"
#     Each of the $200 \cdot 199 / 2$ pairs is equal with probability $1/10!$, so no order can be remembered.
#     [Augmentation](09_augmentation.py), one new order per set and pass, regularizes for the same reason.

# %% exercise="5"
answer_5 = ...  # the expected number of equal pairs, to two digits

# %% solution="5"
answer_5 = 200 * 199 / 2 / 3_628_800

# %% check="5"
check_5 = AnswerCheck("10.5", digest="05e953a6da4d828a", digits=2)
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[200 / 3_628_800, 200**2 / 3_628_800, 5.5])

# %% [markdown]
# ## Sources
#
# - [Zhang et al. (2017)](../bibliography.md#zhang-2017): networks that fit random labels.
# - [Prechelt (1998)](../bibliography.md#prechelt-1998): when to stop, and what it costs.
# - [Cawley and Talbot (2010)](../bibliography.md#cawley-2010): the best of many readings is too good.
