# %% [markdown] slide="question"
# # Augmentation
#
# !!! abstract "What you will be able to do"
#     - Say which loss augmentation minimizes, and prove that its gradient is unbiased.
#     - Shuffle sets in training, and recognize three ways to get it wrong.
#     - Measure how much invariance a network has learned, and average away what is missing.
#     - Combine routes: let the layers keep one symmetry, and augment the other.
#
# Instead of building a network that ignores the order, we show it each set in a new order every time and let it learn.
# This route is the easiest to add: one line in the training loop, and no cost in evaluation. What does it promise,
# what does it deliver, and how does one get it wrong without noticing?

# %%
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from invariant_nets import (
    MODELS,
    Augmentation,
    bayes_accuracy,
    bayes_loss,
    intrinsic,
    mlp,
    test_invariant,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit, least_loss = bayes_accuracy(n, d, v1, v2), bayes_loss(n, d, v1, v2)

# %% [markdown] slide="theorem"
# ## One draw of the average
#
# In the [one equation](../index.md) of the book, augmentation draws a single uniform permutation in each pass of the
# training, and the identity in evaluation. It minimizes the *augmented loss*
#
# $$ L_{\mathrm{aug}}(\theta)
#    = \mathbb E_{(x, y)}\, \mathbb E_{\sigma \in S_n}\, \ell\bigl(f_\theta(\sigma x), y\bigr) . $$
#
# !!! theorem "Theorem (what augmentation minimizes)"
#     1. The gradient of $\ell(f_\theta(\sigma x), y)$ at one random $\sigma$ is an unbiased estimate of the gradient of
#        the augmented loss.
#     2. If $\ell$ is convex in its first argument, the averaged model $\bar f_\theta(x) = \mathbb E_\sigma
#        f_\theta(\sigma x)$ has a loss of at most $L_{\mathrm{aug}}(\theta)$.
#
# *Proof.* (1) $S_n$ is finite, so expectation and gradient can be interchanged. (2) is Jensen's inequality over
# $\sigma$, as in [chapter 8](08_symmetrization.py). $\blacksquare$
#
# So augmentation trains an upper bound of the loss of the *averaged* model, and the gap of the bound penalizes a
# dependence on the order. It is a pressure, not a constraint: what is learned holds approximately, on data like the
# training data.
#
# The code draws one permutation for each sample, and moves whole rows.
# [`Augmentation`][invariant_nets.Augmentation] does this around a model in training, and nothing in evaluation.


# %%
def shuffled_rows(x):
    order = torch.rand(x.shape[:2]).argsort(1)  # one uniform permutation a sample
    return x.gather(1, order[..., None].expand_as(x))


show = Augmentation(nn.Identity())
batch = torch.arange(6.0).view(1, 3, 2).repeat(2, 1, 1)  # (0, 1), (2, 3), (4, 5)
torch.manual_seed(0)
print("from the page", shuffled_rows(batch).int().tolist())
print("in training  ", show.train()(batch).int().tolist())
print("in evaluation", show.eval()(batch).int().tolist())

# %% [markdown]
# ## Three ways to get it wrong
#
# Each of these runs without an error, and the loss goes down.
#
# **The wrong axis.** Shuffling the last axis, in each row by itself, mixes the *features* of a member and leaves the
# order of the members as it is. On this book's task the labels survive that, since all entries are alike. On points in
# space it would exchange the coordinates of each point at random.
#
# **A symmetry that the model has already.** Shuffling rows around an invariant network changes nothing but the time.
#
# **In evaluation too.** The model becomes random: two calls on the same set disagree, and so do accuracies.


# %%
def shuffled_features(x):
    return x.gather(2, torch.rand_like(x).argsort(2))  # another order in every row


torch.manual_seed(0)
sets = torch.randn(128, n, d)
mixed = shuffled_features(sets)
always = mlp(n, d)
always_on = test_invariant(lambda x: always(shuffled_rows(x)), sets)
print(
    "rows keep their entries and places:", mixed.sort(2)[0].equal(sets.sort(2)[0])
)
print("rows stay as they were:            ", mixed.equal(sets))
print("always on: random:                 ", always_on.is_random)

# %% [markdown]
# ## What it buys
#
# We train perceptrons on 800 *static* sets, so that memorizing is possible: plain, with rows shuffled, and with
# features shuffled. Six seeds, each with data of its own, are trained side by side, at the learning rate of the
# registry. We measure accuracy and loss on fresh sets, and how much the output depends on the order: its deviation over
# orders, divided by that over sets and orders.

# %%
SEEDS, SETS, BATCH = 6, 800, 50


def drawn(count, source, seeds=SEEDS):
    y = torch.arange(count) % 2
    std = torch.where(y == 1, v2**0.5, v1**0.5)[:, None, None]
    return torch.randn(seeds, count, n, d, generator=source) * std, y.float()


def logits_of(network, weights, x):
    return vmap(partial(functional_call, network))(weights, (x,))[..., 0]


def trained(build, shuffle=None, epochs=80, static=True):
    """Train a network for each seed on its own sets, which `shuffle` reorders."""
    models = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(build(n, d))
    weights, _ = stack_module_state(models)
    lr = MODELS[build.__name__].lr
    optimizer = torch.optim.Adam(weights.values(), lr=lr, fused=True)
    source = torch.Generator().manual_seed(0)
    x, y = drawn(SETS, source)
    for _ in range(epochs):
        if not static:
            x, y = drawn(SETS, source)
        for rows in torch.randperm(SETS, generator=source).split(BATCH):
            seen = x[:, rows]
            if shuffle is not None:
                seen = shuffle(seen.flatten(0, 1)).view_as(seen)
            logits = logits_of(models[0], weights, seen)
            target = y[rows].expand(SEEDS, -1)
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(logits, target)
            (SEEDS * loss).backward()  # each seed the gradient of its own loss
            optimizer.step()
    known = logits_of(models[0], weights, x)
    memory = ((known > 0) == (y > 0.5)).double().mean().item()
    weights = {k: w.detach() for k, w in weights.items()}
    return partial(logits_of, models[0], weights), memory


x_fresh, y_fresh = drawn(10_000, torch.Generator().manual_seed(9), seeds=1)
x_fresh, y_fresh = x_fresh.expand(SEEDS, -1, -1, -1), y_fresh.expand(SEEDS, -1)
every = torch.rand(32, n, generator=torch.Generator().manual_seed(1)).argsort(1)


def scores(logits):
    """Return hits and losses, (seeds, sets)."""
    losses = F.binary_cross_entropy_with_logits(logits, y_fresh, reduction="none")
    return ((logits > 0) == (y_fresh > 0.5)).double(), losses.double()


def dependence(f):
    outputs = torch.stack([f(x_fresh[:, :1000, order]) for order in every])
    return (outputs.var(0).mean() / outputs.var()).sqrt().item()


def gain(a, b):
    """Return the mean of a − b and its error, paired by seeds and sets."""
    more = a - b
    error = more.mean(1).var() / SEEDS + more.mean(0).var() / more.shape[1]
    return more.mean().item(), error.sqrt().item()


def report(runs, first):
    """Train, and return models, scores and a table."""
    models, results, rows = {}, {}, []
    for name, options in runs.items():
        f, memory = trained(**options)
        models[name], results[name] = (
            torch.no_grad()(f),
            scores(f(x_fresh).detach()),
        )
        better, lower = (
            gain(*p) for p in zip(results[name], results[first], strict=True)
        )
        rows.append(
            {
                "shuffled": name,
                "training sets": memory,
                "fresh sets": results[name][0].mean().item(),
                "gain": "{:+.3f} ± {:.3f}".format(*better),
                "loss": results[name][1].mean().item(),
                "change": "{:+.3f} ± {:.3f}".format(*lower),
                "dependence": dependence(models[name]),
            }
        )
    return models, results, {row["shuffled"]: row for row in rows}


shuffles = {"nothing": None, "rows": shuffled_rows, "features": shuffled_features}
runs = {name: {"build": mlp, "shuffle": s} for name, s in shuffles.items()}
models, results, rows = report(runs, "nothing")
table(
    list(rows.values()), caption="Perceptrons on 800 static sets: accuracy and loss"
)

# %% [markdown]
# The plain perceptron knows its 800 sets by heart and little else. Shuffled rows take that away: the same set never
# comes in the same order, so it does not pay to memorize it. The wrong axis does much of the same, since here the
# entries of a row are exchangeable too. It gains nearly as much, and without the right one no mistake would show.
# The last column shows it. The network has learned far less about the order of the members.
#
# ### Learned invariance is approximate
#
# Even the augmented network still depends on the order. To average its logits over random orders at test time, as in
# [chapter 8](08_symmetrization.py), removes that. The theorem bounds the *loss*: that of an average is at most the mean
# of the losses. Accuracy is not convex: if $y = 1$ and three orders give logits $1, 1, -5$, two of three are right, and
# their mean is wrong.

# %%
counts = (1, 2, 4, 8, 16, 32)
averages = {}
for name in ("nothing", "rows"):
    outputs = torch.stack([models[name](x_fresh[:, :, order]) for order in every])
    averages[name] = [scores(outputs[:k].mean(0)) for k in counts]
    one_order = torch.stack([scores(logits)[1] for logits in outputs]).mean()
    averages[name].append(one_order.item())

# %% alt="Two panels: accuracy and loss on fresh sets against the number of random orders averaged at test time, from 1 to 32, a line for each of six seeds. For the plain perceptron accuracy rises and loss falls steeply; for the augmented one both change much less, and it stays ahead in both." slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
for part, (ax, label) in enumerate(zip(axes, ("accuracy", "loss"), strict=True)):
    for color, (name, found) in zip(("C0", "C1"), averages.items(), strict=True):
        curves = torch.stack([pair[part].mean(1) for pair in found[:-1]])
        ax.plot(counts, curves, "o-", color=color, ms=3, lw=1)
        ax.plot([], [], color=color, label=f"trained with {name} shuffled")
    ax.axhline(limit if part == 0 else least_loss, color="C2", ls="--")
    ax.set(xscale="log", xlabel="orders averaged at test time", ylabel=label)
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
axes[1].set(yscale="log")
axes[1].legend()
plt.show()

# %% [markdown]
# Averaging and augmentation are not rivals. Averaging lowers the loss of the plain network most, whose outputs scatter
# most over the orders, but does not bring it to the augmented one. Augmentation makes the scatter small, and
# averaging over enough orders removes the rest.
#
# ### When data never repeat
#
# With dynamic data no set comes twice, and the rows of a set are i.i.d., so $\sigma x$ has the distribution of $x$: with
# and without shuffling, training draws from one and the same distribution. Nothing can be gained, and the table agrees.

# %%
runs = {
    name: {"build": mlp, "shuffle": shuffles[name], "epochs": 40, "static": False}
    for name in ("nothing", "rows")
}
_, dynamic, dynamic_rows = report(runs, "nothing")
table(
    [
        {k: v for k, v in row.items() if k != "training sets"}
        for row in dynamic_rows.values()
    ],
    caption="Perceptrons on dynamic sets",
)

# %% [markdown]
# **Try it.** The models below were trained on sets that never repeat. Shuffle the rows a few times: `augmented-mlp`
# moves about as far as `mlp`, and neither claims anything. `intrinsic` stays, and needs no luck for it.
#
# <div data-play="playground" data-needs="playground claims" data-models="mlp augmented-mlp intrinsic" data-actions="swap shuffle new-1 new-2"></div>
#
# ## Routes compose: augment the symmetry that the layers do not have
#
# A network of [averaged layers](04_averaged_layer.py) is invariant to the order of the members, by construction. It
# does *not* know that in this task the features of a member may be exchanged too, in each row by itself. That is the
# "wrong axis" of above, and around this network it is the right one. The control shuffles rows, which the network
# knows already: its output does not change, so neither does its training, up to rounding.

# %%
runs = {
    name: {"build": intrinsic, "shuffle": s, "epochs": 40}
    for name, s in shuffles.items()
}
_, composed, composed_rows = report(runs, "nothing")
table(list(composed_rows.values()), caption="Averaged layers on 800 static sets")

# %% [markdown]
# What helps is not the shuffling but the symmetry behind it: one that holds in the task and that the network lacks.
# Layers keep one exactly, and augmentation adds the other at no cost in evaluation. Here one could also build it in
# ([chapter 6](06_rows_and_columns.py)). But a symmetry that no layer is at hand for can still be augmented.
#
# ## Check the claims

# %%
# Rows stay whole, nothing happens in evaluation; the traps are what they seem.
assert torch.equal(show.eval()(batch), batch)
for moved in (shuffled_rows(sets), show.train()(sets)):
    assert torch.equal(moved.sum(2).sort(1)[0], sets.sum(2).sort(1)[0])
assert mixed.sort(2)[0].equal(sets.sort(2)[0])
assert not mixed.equal(sets)
assert always_on.is_random

# Static data: the plain network memorizes; rows are better than nothing, by far.
assert rows["nothing"]["training sets"] > 0.97 > rows["rows"]["training sets"] + 0.1
plain, right, wrong = (results[name] for name in shuffles)
for part, sign in ((0, 1), (1, -1)):
    for better in (right, wrong):
        difference, error = gain(better[part], plain[part])
        assert sign * difference > 3 * error
apart = [rows[name]["dependence"] for name in shuffles]
assert 0.05 < apart[1] < 0.9 * apart[2] < 0.9 * apart[0]

difference, error = gain(right[1], wrong[1])
assert difference < -3 * error
assert gain(wrong[0], plain[0])[0] > 0.6 * gain(right[0], plain[0])[0]

# Averages: a loss below the mean of the losses; more for the plain one, yet behind.
fall = {}
for name, (*pairs, one_order) in averages.items():
    losses = [pair[1].mean().item() for pair in pairs]
    assert losses == sorted(losses, reverse=True)
    fall[name] = one_order - losses[-1]
    difference, error = gain(pairs[-1][0], pairs[0][0])
    assert difference > 3 * error
assert fall["nothing"] > 3 * fall["rows"] > 0
for k in range(len(counts)):
    difference, error = gain(averages["rows"][k][1], averages["nothing"][k][1])
    assert difference < -3 * error

# Dynamic data: nothing gained. Composition: features gain, rows change nothing.
difference, error = gain(dynamic["rows"][0], dynamic["nothing"][0])
assert abs(difference) < 3 * error
none, same, added = (composed[name] for name in shuffles)
assert abs(gain(same[0], none[0])[0]) < 0.004
for other in (none, same):
    for part, sign in ((0, 1), (1, -1)):
        difference, error = gain(added[part], other[part])
        assert sign * difference > 3 * error
assert max(row["dependence"] for row in composed_rows.values()) < 1e-4

# %% [markdown] slide="verdict"
# ## Summary
#
# - Augmentation minimizes the augmented loss with an unbiased gradient. This is an upper bound of the loss of the
#   averaged model, and the gap penalizes a dependence on the order.
# - Shuffle whole rows, one permutation a sample, in training only. Measure the dependence on the order: accuracy alone
#   hides the wrong axis.
# - What is learned is approximate; averaging at test time removes the rest. Convexity speaks of losses, not of accuracy.
# - On static sets augmentation gains much. On i.i.d. rows that never repeat it gains nothing.
# - Routes compose: around layers that keep one symmetry, augment another one that holds in the task.
#
# ## Where the field went
#
# [Chen et al. (2020)](../bibliography.md#chen-2020) describe augmentation as an average over orbits, and show how it
# reduces variance. [Lyle et al. (2020)](../bibliography.md#lyle-2020) compare augmentation with averaging: averaging
# lowers the error further for convex losses, and learned invariance can fail outside the distribution of the training
# data. [Gerken and Kessel (2024)](../bibliography.md#gerken-2024) show that the mean of a large ensemble of augmented
# networks becomes equivariant, in the limit of infinite width, though no member is.
# [Murphy et al. (2019)](../bibliography.md#murphy-2019) draw random orders in training as a tractable form of their
# pool over all permutations.
#
# Must one build a symmetry in at all, when data and machines are large? [Brehmer et al.
# (2025)](../bibliography.md#brehmer-2025) train equivariant and plain transformers at many sizes. With enough epochs
# augmentation closes the gap in data efficiency; at equal compute the equivariant networks stay ahead.
#
# ## Exercises
#
# **1.** To save time, someone draws one permutation for the whole batch instead of one for each sample. Is the
# gradient still unbiased? Is its variance the same? Answer with two truth values.
#
# ??? success "Solution"
#     Each sample still meets a uniform permutation, so the expectation is the same. But the permutations of a batch are
#     no longer independent, so the part of the variance that comes from $\sigma$ is not averaged over the batch.

# %% exercise="1"
answer_1 = ...  # a pair: unbiased, the same variance

# %% solution="1"
answer_1 = True, False

# %% check="1"
check_1 = AnswerCheck("09.1", digest="82170231563a3413")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(True, True), (False, False), (False, True)])

# %% [markdown]
# **2.** Which shuffles keep the label? Give a pair of truth values (rows, features in each row by itself) for each of
# three labels: whether $\sum_{ij} x_{ij}^2$ is large; whether $\max_i x_{i1}$ is; whether $x_{11}$ is.
#
# ??? success "Solution"
#     The sum keeps both. The maximum over members of one feature keeps the order of rows only, and a single entry
#     neither. Augmentation with a shuffle that changes the label teaches the wrong labels.

# %% exercise="2"
answer_2 = ...  # three pairs

# %% solution="2"
answer_2 = [(True, True), (True, False), (False, False)]

# %% check="2"
check_2 = AnswerCheck("09.2", digest="84eb7f1331fac911")
check_2(answer_2)

# %% wrong="2"
wrong_2 = [[(True, True)] * 3, [(True, True), (False, True), (False, False)]]
check_2.holds(
    answer_2, wrong=[*wrong_2, [(True, True), (True, False), (True, False)]]
)

# %% [markdown]
# **3.** Let $f(\sigma x)$ have mean $\bar f(x)$ and variance $s^2(x)$ over $\sigma$. Expand the logistic loss to second
# order to estimate the gap in Jensen's inequality. What is your estimate for a set with $\bar f = 1$ and $s = 0.6$?
#
# ??? success "Solution"
#     The second derivative of the logistic loss in the logit is $p (1 - p)$ with $p = \operatorname{sigmoid}(\bar f)$,
#     whatever the label. So the gap is about $\tfrac12\, p (1 - p)\, s^2$: augmentation penalizes the variance over
#     orders, most where the model is undecided.

# %% exercise="3"
answer_3 = ...

# %% solution="3"
p = torch.tensor(1.0).sigmoid()
answer_3 = p * (1 - p) * 0.6**2 / 2

# %% check="3"
check_3 = AnswerCheck("09.3", digest="92d5b5859b9622f3", digits=2)
check_3(answer_3)

# %% wrong="3"
check_3.holds(answer_3, wrong=[0.071, 0.18, 0.059, 0.045])

# %% [markdown]
# **4.** Build the average at test time: the mean of a model's logits over given orders of the rows.
#
# ??? success "Solution"
#     Over all $n!$ orders the result is invariant exactly, over a few of them only nearly.


# %% exercise="4"
def over_orders(model, x, orders):
    """Return the mean of model(x) over orders of the rows, index tensors (k, n)."""
    ...


# %% solution="4"
def over_orders(model, x, orders):
    """Return the mean of model(x) over orders of the rows, index tensors (k, n)."""
    return torch.stack([model(x[:, order]) for order in orders]).mean(0)


# %% check="4"
def law_4(over_orders):
    torch.manual_seed(4)
    x, model = torch.randn(6, 3, d), mlp(3, d)
    orders = torch.tensor(
        [[0, 1, 2], [1, 2, 0], [2, 0, 1], [1, 0, 2], [0, 2, 1], [2, 1, 0]]
    )
    one = over_orders(model, x, orders[1:2])
    assert torch.allclose(one, model(x[:, [1, 2, 0]])), "one order is that order"
    both = (model(x) + model(x[:, [1, 2, 0]])) / 2
    assert torch.allclose(over_orders(model, x, orders[:2]), both), "take the mean"
    moved = over_orders(model, x[:, [2, 0, 1]], orders)
    same = torch.allclose(over_orders(model, x, orders), moved, atol=1e-6)
    assert same, "over all orders it should be invariant"


check_4 = CodeCheck("4", law_4)
check_4(over_orders)

# %% wrong="4"
check_4.holds(
    over_orders,
    wrong=[
        lambda model, x, orders: model(x),
        lambda model, x, orders: model(x[:, orders].mean(1)),
        lambda model, x, orders: over_orders(model, x, orders).sigmoid(),
        lambda model, x, orders: model(x[:, orders[0]]),
    ],
)

# %% [markdown]
# **5.** Build an augmentation for $S_n \times S_d$: in each sample one permutation of the rows, one of the columns.
#
# ??? success "Solution"
#     The columns of a sample move together, unlike in `shuffled_features`, whose group $(S_d)^n$ is larger.


# %% exercise="5"
def shuffled_both(x):
    """Permute rows and columns of every sample at random."""
    ...


# %% solution="5"
def shuffled_both(x):
    """Permute rows and columns of every sample at random."""
    return shuffled_rows(shuffled_rows(x).mT).mT


# %% check="5"
def law_5(shuffled_both):
    torch.manual_seed(5)
    rows, columns = 10 * torch.arange(4.0)[:, None], torch.arange(3.0)
    y = shuffled_both((rows + columns).repeat(600, 1, 1))
    tens, ones = y // 10, y % 10
    assert y.shape == (600, 4, 3), "the shape should stay"
    assert (tens == tens[:, :, :1]).all(), "rows should stay whole"
    assert (ones == ones[:, :1]).all(), "columns should stay whole"
    for places in (tens[:, :, 0], ones[:, 0]):
        share = (places == 0).double().mean(0) * places.shape[1]
        assert (share - 1).abs().max() < 0.4, "all orders should be equally likely"
    kinds = y.flatten(1).unique(dim=0)
    assert len(kinds) > 100, "every sample should have permutations of its own"


check_5 = CodeCheck("5", law_5)
check_5(shuffled_both)

# %% wrong="5"
check_5.holds(
    shuffled_both,
    wrong=[
        shuffled_rows,
        shuffled_features,
        lambda x: shuffled_features(shuffled_rows(x)),
        lambda x: x[:, torch.randperm(4)][:, :, torch.randperm(3)],
    ],
)

# %% [markdown]
# ## Sources
#
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020), *A Group-Theoretic Framework for Data Augmentation*.
# - [Lyle et al. (2020)](../bibliography.md#lyle-2020), *On the Benefits of Invariance in Neural Networks*.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit for Equivariant
#   Models*: what averaging gains.
