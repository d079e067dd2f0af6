# %% [markdown]
# # Symmetrization, exact and sampled
#
# !!! abstract "What you will be able to do"
#     - prove that an average over a group is invariant, and say by how much it lowers a loss;
#     - write a super-batch, and a backward pass whose memory does not grow with the group;
#     - choose between all elements of a small group and random elements of a large one;
#     - decide with a control whether an average has to be part of the training.
#
# Take any network, apply it to a set in *every* order, and average the outputs. The result cannot depend on the
# order. This route works for every network, but ten members have 3,628,800 orders. In practice one averages over a
# smaller group, or over a random sample of the orders. What does each of them give? And when does the average matter:
# in training, or only at test time?

# %%
import math
import time
import weakref

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader

from invariant_nets import (
    MODELS,
    GaussianDataset,
    Permutation,
    SymmetryModel,
    bayes_accuracy,
    create_all_permutations,
    create_permutations_from_generators,
    cyclic_group,
    mlp,
    symmetric_group,
    test_equivariant,
    test_invariant,
    transformer,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

# %% [markdown]
# ## The average over a group
#
# For a function $f$ and a finite group $G$ of permutations let
#
# $$ (\mathcal R f)(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G} f(\sigma x) . $$
#
# $\mathcal R$ is called the *Reynolds operator*.
#
# !!! abstract "Theorem (group averaging)"
#     1. $\mathcal R f$ is invariant to $G$.
#     2. $\mathcal R f = f$ if and only if $f$ is invariant to $G$. So $\mathcal R$ is a projection: $\mathcal R
#        \mathcal R = \mathcal R$.
#     3. (Jensen) Let $\sigma x$ have the same joint distribution with $y$ as $x$, for all $\sigma \in G$. If the loss
#        $\ell$ is convex in its first argument, then $\mathbb E\, \ell(\mathcal R f(x), y) \le \mathbb E\, \ell(f(x),
#        y)$.
#     4. (Elesedy and Zaidi) For the squared loss the difference is known: $\mathbb E\, (f(x) - y)^2 - \mathbb E\,
#        (\mathcal R f(x) - y)^2 = \mathbb E\, (f(x) - \mathcal R f(x))^2$.
#
# *Proof.* (1) If $\tau x$ replaces $x$, the sum over $\sigma$ becomes the sum over $\sigma\tau$, which runs through
# the same group. (2) If $f$ is invariant, all terms equal $f(x)$; the converse is (1). (3) For every $(x, y)$
# Jensen's inequality gives $\ell(\mathcal R f(x), y) \le \frac1{|G|} \sum_\sigma \ell(f(\sigma x), y)$. Each term on
# the right has the expectation of $\ell(f(x), y)$, since $\sigma x$ is distributed as $x$. (4) A mean square is the
# square of the mean plus the variance:
#
# $$ \frac1{|G|} \sum_\sigma (f(\sigma x) - y)^2 = (\mathcal R f(x) - y)^2
#    + \frac1{|G|} \sum_\sigma (f(\sigma x) - \mathcal R f(x))^2 . $$
#
# Write $\mathcal R f(\sigma x)$ for $\mathcal R f(x)$ in the last sum and take expectations: again all terms of a sum
# have the same expectation. $\blacksquare$
#
# The average on the page, for the 24 orders of four members, and the package's
# [`SymmetryModel`][invariant_nets.SymmetryModel]:

# %%
torch.manual_seed(0)
network, four = mlp(4, d), torch.randn(64, 4, d)
small = SymmetryModel(network, symmetric_group(4))
with torch.no_grad():
    mean = sum(network(sigma(four)) for sigma in create_all_permutations(4)) / 24
    assert torch.allclose(mean, small(four), atol=1e-6)
print(test_invariant(small, four))

# %% [markdown]
# Any list of permutations that is a group will do. Say what generates it: `create_permutations_from_generators`
# multiplies until nothing new appears. The shift and the reversal of ten members generate 20 permutations, the
# dihedral group. Invariance to the generators is invariance to the group, and to nothing more:

# %%
shift = Permutation([*range(1, n), 0])
reversal = Permutation([*range(n)][::-1])
dihedral = create_permutations_from_generators([shift, reversal])
ring = SymmetryModel(mlp(n, d), lambda: dihedral)
sets = torch.randn(256, n, d)
for_group = test_invariant(ring, sets, [shift, reversal])
for_all = test_invariant(ring, sets)
print(f"{len(dihedral)} elements\n{for_group}\n{for_all}")

# %% [markdown]
# The error of the second report is small in absolute terms, because everything that an untrained network says is
# small. The report divides by the spread of the outputs, and there it is large ([chapter
# 3](03_measuring_invariance.py)).
#
# ### Equivariant outputs
#
# Some functions give an output for each member. Permuting the members should permute the outputs. The same average
# does it, once each output is put back to its member:
#
# $$ (\mathcal R_\rho f)(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G}
#    \sigma^{-1} f(\sigma x), \qquad
#    (\mathcal R_\rho f)(\tau x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G}
#    \tau\, (\sigma\tau)^{-1} f(\sigma\tau x) = \tau\, (\mathcal R_\rho f)(x) . $$

# %%
torch.manual_seed(0)
each = (nn.Flatten(), nn.Linear(4 * d, 32), nn.ReLU(), nn.Linear(32, 4))
scores = nn.Sequential(*each, nn.Unflatten(1, (4, 1)))
equivariant = SymmetryModel(scores, symmetric_group(4), equivariant=True)
print(test_equivariant(equivariant, four))

# %% [markdown]
# ## Super-batches
#
# A call of a network has an overhead, whatever the size of its batch. So many permuted copies of a batch should go
# through the network in one call, as a *super-batch*. All of them at once would need memory for all, so they go in
# chunks. `x[:, chunk]` is all that it takes to copy:


# %%
def average(f, x, orders, chunksize):
    """Return the mean of f over the orders (k, n), `chunksize` of them in each call."""
    total = 0
    for chunk in orders.split(chunksize):
        copies = x[:, chunk]  # (batch, chunk, n, d)
        outputs = f(copies.flatten(0, 1)).unflatten(0, copies.shape[:2])
        total = total + outputs.sum(1)
    return total / len(orders)


torch.manual_seed(0)
six, batch = mlp(6, d), torch.randn(64, 6, d)
orders = torch.stack([p.index_tensor for p in create_all_permutations(6)])
with torch.no_grad():
    ours = average(six, batch, orders, 60)
    theirs = SymmetryModel(six, symmetric_group(6), chunksize=60)(batch)
assert torch.allclose(ours, theirs, atol=1e-6)

# %% [markdown]
# In training, chunks do not bound the memory. Autograd keeps the activations of every chunk until the backward pass.
# But the average is a *sum* over chunks, so the gradient is one too:
#
# $$ \frac{\partial L}{\partial \theta} = \sum_{\text{chunks}} \frac{\partial L}{\partial \bar f}
#    \cdot \frac{\partial}{\partial \theta} \frac1{|G|} \sum_{\sigma \in \text{chunk}}
#    f_\theta(\sigma x) . $$
#
# Run the average without a graph, compute $\partial L / \partial \bar f$, and then run each chunk again, take its
# share of the gradient, and forget it:


# %%
def backward(f, x, orders, chunksize, gradient):
    """Add to the weights' gradients those of a loss whose gradient at the mean is given."""
    for chunk in orders.split(chunksize):
        share = average(f, x, chunk, chunksize) * len(chunk) / len(orders)
        share.backward(gradient)


def gradients(run):
    six.zero_grad()
    run()
    return torch.cat([p.grad.flatten() for p in six.parameters()])


def package(chunksize, recompute):
    group = symmetric_group(6)
    model = SymmetryModel(six, group, chunksize=chunksize, recompute=recompute)
    return model(batch).square().sum()


twice = 2 * ours  # the gradient of the sum of squares
by_hand = gradients(lambda: backward(six, batch, orders, 60, twice))
plain = gradients(lambda: package(60, False).backward())
again = gradients(lambda: package(60, True).backward())
assert torch.allclose(by_hand, plain, atol=1e-5)
assert torch.allclose(by_hand, again, atol=1e-5)

# %% [markdown]
# The package's `recompute=True` is this. It costs one forward pass more. To measure the memory, we count the bytes of
# every tensor that an operation creates, for as long as it lives. The count is the same on every machine; the time is
# not.


# %%
class PeakBytes(TorchDispatchMode):
    """Count the bytes that live at once, of all tensors that operations create."""

    now = peak = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        tensors = [
            [t.untyped_storage() for t in tree_leaves(tree) if torch.is_tensor(t)]
            for tree in ((args, kwargs), result)
        ]
        old = {storage.data_ptr() for storage in tensors[0]}
        for storage in tensors[1]:
            if storage.data_ptr() not in old:  # no view of an input
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.free, storage.nbytes())
        return result

    def free(self, size):
        self.now -= size


def forward_only(chunksize):
    with torch.no_grad():
        package(chunksize, False)


passes = {
    "no gradients": forward_only,
    "gradients": lambda size: package(size, False).backward(),
    "gradients, recomputed": lambda size: package(size, True).backward(),
}
chunksizes = (2, 6, 20, 60, 240, 720)
megabytes, seconds = {}, {}
for name, run in passes.items():
    for size in chunksizes:
        times = []
        for _ in range(2):
            six.zero_grad()
            start = time.perf_counter()
            run(size)
            times.append(time.perf_counter() - start)
        seconds[name, size] = min(times)
        six.zero_grad()
        with PeakBytes() as count:
            run(size)
        megabytes[name, size] = count.peak / 1e6

# %% alt="Two panels against the number of permutations per super-batch, all axes logarithmic, three lines each: no gradients, gradients, and gradients with recomputation. Left, time: each line is highest at 2 permutations per call. Right, peak memory: without gradients and with recomputation it grows with the chunk; with plain gradients it is high throughout." measured="figure"
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for name in passes:
    for ax, values in zip(axes, (seconds, megabytes), strict=True):
        ax.loglog(
            chunksizes,
            [values[name, size] for size in chunksizes],
            "o-",
            label=name,
        )
for ax, what in zip(axes, ("seconds", "peak memory, MB"), strict=True):
    ax.set(xlabel="permutations per super-batch", ylabel=what)
axes[1].legend(fontsize=9)
plt.show()

# %% [markdown]
# The example averages 64 sets over all 720 orders of six members. Right: without gradients, the memory is that of one
# chunk. With plain gradients it is that of all chunks, whatever the chunk size. Recomputation brings it back to one
# chunk, and its activations. Left: with small chunks the overhead of each call dominates. The default makes
# super-batches of about 8,000 sets.
#
# ## A random sample of a large group
#
# No chunk helps against $10!$ passes. Draw $k$ permutations of $S_n$, independent of each other and of the data, anew
# in each pass (one draw serves all sets of a batch), and average over them:
#
# $$ \hat f_k(x) = \frac1k \sum_{j=1}^k f(\sigma_j x), \qquad
#    \sigma_1, \dots, \sigma_k \sim \text{uniform on } S_n . $$
#
# !!! abstract "Theorem (sampled symmetrization)"
#     Let $s^2(x)$ be the variance of $f(\sigma x)$ over $\sigma$. Then $\hat f_k(x)$ has mean $\mathcal R f(x)$ for
#     $G = S_n$ and standard deviation $s(x) / \sqrt k$. Two passes on the same set differ by $s(x) \sqrt{2 / k}$, as
#     a root mean square.
#
# *Proof.* The $f(\sigma_j x)$ are independent, with mean $\mathcal R f(x)$ and variance $s^2(x)$. So their mean has
# variance $s^2(x) / k$, and the difference of two independent such means has twice that variance. $\blacksquare$
#
# So $\hat f_k$ is invariant in expectation only, and its error falls slowly. But a sampled model can say how sure it
# is: `estimate` returns the mean and its standard error, $s(x) / \sqrt k$ with $s(x)$ estimated from the same draws.

# %%
torch.manual_seed(0)
backbone, generator = mlp(n, d), torch.Generator().manual_seed(0)


def sampled(k: int) -> SymmetryModel:
    every = symmetric_group(n)
    return SymmetryModel(backbone, every, samples=k, generator=generator)


ks = (1, 4, 16, 64, 256)
with torch.no_grad():
    mean, error = sampled(400).estimate(sets)
    print(f"first set: {mean[0].item():.4f} ± {error[0].item():.4f}")
    s = error.square().mean().sqrt().item() * 400**0.5
    pairs = {k: [sampled(k)(sets) - sampled(k)(sets) for _ in range(8)] for k in ks}
measured = [
    torch.cat(pair).square().mean().sqrt().item() for pair in pairs.values()
]
predicted = [s * (2 / k) ** 0.5 for k in ks]
table(
    [
        {"draws": k, "two passes differ by": f"{m:.5f}", "theory": f"{p:.5f}"}
        for k, m, p in zip(ks, measured, predicted, strict=True)
    ]
)
slope = np.polyfit(np.log(ks), np.log(measured), 1)[0]
needed = 2 * (4 * s / 1e-3) ** 2
print(f"slope {slope:.2f}; {needed:,.0f} draws for four deviations below 1e-3")
report = test_invariant(sampled(10), sets)

# %% [markdown]
# ## In training, or only at test time?
#
# Part 3 of the theorem does not ask how $f$ was trained. One may train a plain network and average it afterwards,
# which is called **test-time augmentation**. So an averaged model that beats a plain one proves little: it may owe
# everything to the average at test time. The control is a table with both choices: trained without an average, over
# the ten shifts of $C_{10}$, or over ten random orders; and tested in all these ways. *Dynamic* training data are new
# in every epoch; *static* ones are the same 800 sets again and again. Three seeds train side by side, with stacked
# weights.

# %%
SEEDS, EPOCHS, SETS, BATCH = 3, 50, 800, 32
shifts = torch.stack([p.index_tensor for p in cyclic_group(n)])
draws = torch.Generator().manual_seed(0)
as_it_is = torch.arange(n)[None]
VIEWS = {
    "no": lambda: as_it_is,
    "$C_{10}$": lambda: shifts,
    "10 random": lambda: torch.rand(10, n, generator=draws).argsort(-1),
}


def drawn(count, seed):
    data = GaussianDataset(count, (n, d), v1, v2, static=True, seed=seed)
    return next(iter(DataLoader(data, count)))


def all_logits(network, weights, x, orders):
    """Return the logits (models, sets, orders, 1) of sets (models, sets, n, d)."""
    run = vmap(lambda one, x: functional_call(network, one, (x,)))
    with sdpa_kernel(SDPBackend.MATH):  # the form of attention that vmap knows
        outputs = run(weights, x[:, :, orders].flatten(1, 2))
    return outputs.unflatten(1, (-1, len(orders)))


def train(build, lr, view, static, epochs=EPOCHS):
    """Return a network and the stacked weights of its trainings, one per seed."""
    models = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(build(n, d))
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=lr)
    x, y = (part[:, : SETS * (1 if static else epochs)] for part in training_data)
    for start in range(0, SETS * epochs, BATCH):
        own = torch.arange(start, start + BATCH) % x.shape[1]
        logits = all_logits(models[0], weights, x[:, own], view()).mean(2)
        optimizer.zero_grad()
        (SEEDS * cross_entropy(logits, y[:, own])).backward()
        optimizer.step()
    return models[0], {name: w.detach() for name, w in weights.items()}


# %%
both = [drawn(SETS * EPOCHS, seed) for seed in range(SEEDS)]
training_data = [torch.stack(part) for part in zip(*both, strict=True)]
x_fresh, y_fresh = drawn(10_000, 9)
one = torch.Generator().manual_seed(1)
TESTS = {"no": as_it_is, "$C_{10}$": shifts}
TESTS["32 random"] = torch.rand(32, n, generator=one).argsort(-1)


@torch.no_grad()
def fresh_logits(network, weights, orders, count=10_000):
    """Return the logits (models, sets, orders) of the fresh sets."""
    parts = [x.expand(SEEDS, -1, -1, -1) for x in x_fresh[:count].split(500)]
    logits = [all_logits(network, weights, x, orders) for x in parts]
    return torch.cat(logits, 1)[..., 0]


def hits(logits):
    return ((logits > 0) == (y_fresh[:, 0] > 0.5)).double()


def losses(logits):
    targets = (y_fresh[:, 0] if logits.ndim == 2 else y_fresh).expand_as(logits)
    return cross_entropy(logits, targets, reduction="none").double()


def difference(a, b):
    """Return the mean of a - b (models, sets), and its error over seeds and sets."""
    gap = a - b
    variance = gap.mean(1).var() / len(gap) + gap.mean(0).var() / gap.shape[1]
    return gap.mean().item(), variance.sqrt().item()


def shown(values):
    error = values.mean(1).std() / SEEDS**0.5
    return f"{values.mean():.3f} ± {error:.3f}"


logits, trainings, rows = {}, {}, []
for static in (False, True):
    for view in ("no", "10 random"):
        trained = train(mlp, MODELS["mlp"].lr, VIEWS[view], static)
        kind = "static" if static else "dynamic"
        trainings[kind, view] = trained
        row = {"data": kind, "averaged in training": view}
        for test, orders in TESTS.items():
            logits[kind, view, test] = fresh_logits(*trained, orders)
            row[f"test: {test}"] = shown(hits(logits[kind, view, test].mean(2)))
        rows.append(row | {"loss": shown(losses(logits[kind, view, test].mean(2)))})
table(rows, caption="accuracy, and loss with 32 orders at test time; ± over seeds")

# %%
PAIRS = {
    "averaged only at test time": (("no", "32 random"), ("no", "no")),
    "… and in training too": (("10 random", "32 random"), ("no", "32 random")),
    "in training but not at test": (("10 random", "no"), ("no", "no")),
}
effects = {
    (kind, name, what): difference(
        *(measure(logits[kind, *cell].mean(2)) for cell in cells)
    )
    for kind in ("dynamic", "static")
    for name, cells in PAIRS.items()
    for what, measure in (("accuracy", hits), ("loss", losses))
}
table(
    [
        {"data": kind, "change": name}
        | {
            what: "{:+.3f} ± {:.3f}".format(*effects[kind, name, what])
            for what in ("accuracy", "loss")
        }
        for kind in ("dynamic", "static")
        for name in PAIRS
    ],
    caption="paired differences over the same 10,000 sets and three seeds",
)

# %% [markdown]
# The control decides. On dynamic data almost all of the accuracy comes from the average at test time: trained without
# any average and averaged afterwards, the perceptron gains points, and training with the average changes its accuracy
# by less than one point. What training with the average does improve is the loss. It also binds the network to its
# average: tested without it, its loss is *higher* than that of a plain network.
#
# On static data the training matters too. Ten new orders in each pass keep the network from memorizing its 800 sets,
# and that adds points which no average at test time recovers ([chapter 10](10_overfitting.py)). So: if you have a
# trained network and know a symmetry of your data, average it first. Train with the average if data are scarce, or if
# you need probabilities.
#
# ### More orders
#
# The mean over $k + 1$ draws is the mean, over the draw that one leaves out, of means over $k$. So by Jensen's
# inequality the expected loss falls with every further draw.

# %%
ks = (1, 2, 4, 8, 16, 32)
curves = {}
for kind in ("dynamic", "static"):
    for view in ("no", "10 random"):
        several = logits[kind, view, "32 random"]
        curves[kind, view] = [
            (hits(z).mean().item(), losses(z).mean().item())
            for z in (several[..., :k].mean(2) for k in ks)
        ]

# %% alt="Accuracy and loss against the number of random orders averaged at test time, from 1 to 32, four lines: dynamic and static data, trained without an average and with ten random orders. Accuracy rises and loss falls along every line. On dynamic data both trainings end at nearly the same accuracy; on static data the one with ten random orders stays ahead."
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
for (kind, view), values in curves.items():
    style = {"color": "C0" if kind == "dynamic" else "C1"}
    style["ls"] = ":" if view == "no" else "-"
    for ax, part in zip(axes, zip(*values, strict=True), strict=True):
        ax.plot(ks, part, "o", label=f"{kind}, {view}", **style)
axes[0].axhline(limit, color="C2", ls="--")
axes[0].set(ylabel="accuracy")
axes[1].set(ylabel="loss", yscale="log")
for ax in axes:
    ax.set_xscale("log", base=2)
    ax.set(xlabel="orders averaged at test time")
axes[1].legend(title="data, averaged in training", fontsize=9)
plt.show()

# %% [markdown]
# ### What convexity covers
#
# The cross-entropy is convex in the logit, and also in the probability, since $-\log p$ is convex. So the theorem
# holds whether logits or probabilities are averaged. It does **not** hold for the accuracy, since the 0-1 loss is not
# convex. Let $f$ have the logits 1, 1 and −5 in three orders of a set with label 1. It is right in two orders of
# three. Its average has the logit −1 and is never right. That the accuracies above rise is a measurement, not a
# theorem.

# %%
three, label = torch.tensor([1.0, 1.0, -5.0]), torch.ones(())
right = ((three > 0).double().mean().item(), (three.mean() > 0).item())
cost = [cross_entropy(z, label.expand_as(z)).item() for z in (three, three.mean())]
print(f"right: {right[0]:.2f} → {right[1]}; loss: {cost[0]:.2f} → {cost[1]:.2f}")
z = logits["static", "no", "32 random"]
p = z.sigmoid().mean(2)
means = {
    "one order": losses(z).mean().item(),
    "mean of logits": losses(z.mean(2)).mean().item(),
    "mean of probabilities": losses(p.logit()).mean().item(),
}
print("static:", {name: round(value, 3) for name, value in means.items()})

# %% [markdown]
# ## Symmetrization and attention
#
# The other backbone is a small [transformer][invariant_nets.transformer]: positions, one layer of attention, a
# readout. It trains at its own learning rate, ten times that of the perceptron. A copy without layer normalizations
# serves as a control.


# %%
def without_norms(n, d):
    model = transformer(n, d)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.LayerNorm):
                setattr(module, name, nn.Identity())
    return model


ATTENTION = {
    "transformer": (transformer, "no"),
    "transformer, $C_{10}$": (transformer, "$C_{10}$"),
    "without layer norms": (without_norms, "no"),
}
z_of = {"perceptron": [logits["dynamic", "no", test] for test in list(TESTS)[:2]]}
for name, (build, view) in ATTENTION.items():
    trained = train(build, MODELS["transformer"].lr, VIEWS[view], False, 15)
    z_of[name] = [fresh_logits(*trained, orders) for orders in (as_it_is, shifts)]


def squared(p):
    return (p - y_fresh[:, 0]).square().double()


attention = {}
for name, (single, several) in z_of.items():
    f, mean = single[..., 0].sigmoid(), several.sigmoid().mean(2)  # f and Rf
    projected = (f - mean).square().double().mean(1)
    gained = difference(squared(f), squared(mean))
    attention[name] = {
        "as it is": shown(hits(single[..., 0])),
        "averaged over $C_{10}$": shown(hits(several.mean(2))),
        "fall of squared loss": "{:.4f} ± {:.4f}".format(*gained),
        "$E(f - Rf)^2$": f"{projected.mean():.4f}",
    }
    attention[name]["numbers"] = (*gained, projected.mean().item())
table(
    [
        {"network": name} | {k: v for k, v in row.items() if k != "numbers"}
        for name, row in attention.items()
    ],
    caption="dynamic data; transformers 15 epochs, the perceptron 50",
)

# %% [markdown]
# The last two columns are the two sides of part 4, with $f$ the probability: they agree. They also say why averaging
# at test time gives the transformer less than the perceptron: less of it is there to project away. The same weights
# serve every member, and only positions and readout depend on the order. What it lacks is something else. Its layer
# normalization divides each row of five features by the row's own standard deviation, on a task whose label *is* a
# variance. Without it, the same transformer at the same learning rate is better by points. An average removes the
# noise of the order; it cannot give back a signal that the backbone discards.
#
# ## First ask whether you need it
#
# The exact average over $S_{12}$ takes 479,001,600 passes of the network for each set. A thousand random
# orders take a thousand passes, and leave $1 / \sqrt{1000}$, three percent, of the standard deviation over
# orders. [Equivariant layers](04_averaged_layer.py) take one pass and are exactly invariant. So take
# the exact average where the group is small, or where *this* network must be *exactly* invariant.
#
# ## Check the claims

# %%
# All of S_4: invariant. A generated group: invariant to it, not to S_10.
assert test_invariant(small, four)
assert len(dihedral) == 20
assert for_group
assert not for_all
assert for_all.max_error < 0.1 < 0.3 < for_all.relative_error
assert test_equivariant(equivariant, four)
assert not test_equivariant(scores, four)

# Memory: of one chunk without gradients and recomputed, of all chunks with gradients.
none, kept, redone = ([megabytes[name, k] for k in chunksizes] for name in passes)
assert none == sorted(none)
assert none[-1] > 100 * none[0]
assert min(kept) > 0.5 * max(kept)
assert redone[3] < 0.2 * kept[3]
assert redone == sorted(redone)

# Sampled: random, with the predicted error and slope; a tight tolerance is out of reach.
assert report.is_random
assert not report
assert abs(slope + 0.5) < 0.05
assert np.allclose(measured, predicted, rtol=0.2)
assert needed > 1e4


def beyond(effect, least):
    """Whether a difference exceeds `least`, in its direction, by three errors."""
    mean, error = effect
    return (mean - 3 * error > least) if least >= 0 else (mean + 3 * error < least)


only, too, alone = PAIRS
# Dynamic: the test-time average gains points; training adds under a point, and lowers the loss.
assert beyond(effects["dynamic", only, "accuracy"], 0.03)
assert abs(effects["dynamic", too, "accuracy"][0]) < 0.01
assert beyond(effects["dynamic", too, "loss"], -0.005)
assert beyond(effects["dynamic", alone, "loss"], 0.02)
# Static: training with the average adds points that the test-time average does not recover.
assert beyond(effects["static", only, "accuracy"], 0.05)
assert beyond(effects["static", too, "accuracy"], 0.005)
# More orders: lower loss, for every network.
for values in curves.values():
    falling = [loss for _, loss in values]
    assert falling == sorted(falling, reverse=True)
    assert values[-1][0] > values[0][0] + 0.02
# Convexity: logits and probabilities gain, the 0-1 loss need not.
assert right == (2 / 3, False)
assert cost[1] < cost[0]
assert (
    max(means["mean of logits"], means["mean of probabilities"])
    < means["one order"]
)
# The identity of Elesedy and Zaidi, and the smaller gain of the transformer.
for row in attention.values():
    gain, error, projected = row["numbers"]
    assert abs(gain - projected) < 4 * error
assert (
    attention["transformer"]["numbers"][2]
    < attention["perceptron"]["numbers"][2] / 2
)
normed, bare = (z_of[name][0][..., 0] for name in list(ATTENTION)[::2])
assert beyond(difference(hits(bare), hits(normed)), 0)
assert math.factorial(12) == 479_001_600

# %% [markdown]
# ## Summary
#
# - The average over a group is invariant to it and is a projection. It never raises a convex loss; it lowers the
#   squared loss by $\mathbb E\,(f - \mathcal R f)^2$, the part that it removes.
# - Convexity matters: the accuracy has no such guarantee.
# - Super-batches of a few thousand sets run fast in the memory of one chunk. With gradients they need recomputation
#   for that.
# - $k$ random orders are invariant in expectation, with an error of $s / \sqrt k$.
# - Test-time augmentation is the control for every averaged model. Here it gives nearly all of the accuracy on data
#   that never repeat, and not on data that do.
# - An average cannot restore what its backbone discards.
#
# ## Where the field went
#
# [Lyle et al. (2020)](../bibliography.md#lyle-2020) compare the two routes of this chapter and the next: averaging
# outputs and augmenting data. They prove part 3 and tighter bounds for averages. [Elesedy and Zaidi
# (2021)](../bibliography.md#elesedy-2021) made the gain exact for linear models, and [Tahmasebi and Jegelka
# (2023)](../bibliography.md#tahmasebi-2023) for kernel regression, where a finite group multiplies the effective
# number of samples by its size.
#
# Averages came back with large pretrained networks, which nobody can rebuild from equivariant layers. [Basu et al.
# (2023)](../bibliography.md#basu-2023) average a pretrained network over a small group and then fine-tune it, the
# combination of our table. [Shanmugam et al. (2021)](../bibliography.md#shanmugam-2021) look at test-time
# augmentation in image classification and find that a plain mean turns many right answers into wrong ones, as in our
# three logits; they learn the weights of the mean. [Kim et al. (2023)](../bibliography.md#kim-2023) learn from which
# distribution the permutations are drawn. And [Gerken and Kessel (2024)](../bibliography.md#gerken-2024) show that an
# *ensemble* of infinitely wide networks trained with augmentation is equivariant although its members are not: the
# average over networks replaces the one over the group.
#
# ## Exercises
#
# **1.** Let $H$ be a subgroup of $G$. Show that averaging over $H$ first and over $G$ afterwards gives the average
# over $G$. A network has been averaged over $C_{10}$. Over how many further orders must you average, at least by this
# argument, to have the average over $S_{10}$?
#
# ??? success "Solution"
#     $\mathcal R_G \mathcal R_H f(x) = \frac1{|G||H|} \sum_{g, h} f(h g x)$. For each $h$ the product $hg$ runs
#     through $G$ once as $g$ does, so the sum is $|H|$ times the sum over $G$. All $g$ of one coset $Hg$ give the
#     same $\mathcal R_H f(g x)$, so one of each coset is enough: $10! / 10$ orders.

# %% exercise="1"
answer_1 = ...  # the number of orders

# %% solution="1"
answer_1 = math.factorial(10) // 10

# %% check="1"
check_1 = AnswerCheck("08.1", digest="bd63aab844500b02", digits=6)
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[3_628_800, 3_628_790, 10, 36_288])

# %% [markdown]
# **2.** In a trained model $f(\sigma x)$ has the standard deviation $s = 0.8$ over orders. How many draws do two
# passes need to differ by at most 0.01, as a root mean square? And how many does one pass need to be as close to the
# exact average?
#
# ??? success "Solution"
#     $s \sqrt{2/k} = 0.01$ gives $k = 2 (0.8 / 0.01)^2 = 12{,}800$. One pass has the error $s / \sqrt k$, so half as
#     many are enough.

# %% exercise="2"
answer_2 = ...  # two numbers: (draws for two passes, draws for one)

# %% solution="2"
answer_2 = (2 * (0.8 / 0.01) ** 2, (0.8 / 0.01) ** 2)

# %% check="2"
check_2 = AnswerCheck("08.2", digest="1d4ae74238b6ef6b", digits=3)
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[(6400, 3200), (6400, 12_800), (160, 80)])

# %% [markdown]
# **3.** Write the super-batch of an *equivariant* average: outputs $(\mathrm{batch}, n, \cdot)$, each put back to its
# member.
#
# ??? success "Solution"
#     Row $i$ of $f(\sigma x)$ belongs to member $\sigma(i)$. So the output of member $j$ is in row $\sigma^{-1}(j)$,
#     and `argsort` inverts a permutation.


# %% exercise="3"
def equivariant_average(f, x, orders):
    """Return the mean over the orders (k, n) of f(σx), moved back by σ."""
    ...


# %% solution="3"
def equivariant_average(f, x, orders):
    """Return the mean over the orders (k, n) of f(σx), moved back by σ."""
    outputs = f(x[:, orders].flatten(0, 1)).unflatten(0, (len(x), len(orders)))
    each = torch.arange(len(orders))[:, None]
    return outputs[:, each, orders.argsort(-1)].mean(1)


# %% check="3"
def law_3(equivariant_average):
    x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    x = x.double()
    orders = torch.stack([p.index_tensor for p in create_all_permutations(4)])
    y = equivariant_average(lambda x: x, x, orders[5:9])
    assert isinstance(y, torch.Tensor), "it should return a tensor"
    assert y.shape == x.shape, "the outputs should be (batch, n, features)"
    assert torch.allclose(y, x), "the identity should stay the identity"
    tau = orders[9]
    y, moved = (
        equivariant_average(lambda x: x.cumsum(1) ** 2, sets, orders)
        for sets in (x, x[:, tau])
    )
    assert torch.allclose(moved, y[:, tau]), "it should be equivariant"
    assert not torch.allclose(y, y[:, :1].expand_as(y)), "members should differ"


check_3 = CodeCheck("08.3", law_3)
check_3(equivariant_average)


# %% wrong="3"
def looped(back):
    def mean(f, x, orders):
        return torch.stack([back(f(x[:, p]), p) for p in orders]).mean(0)

    return mean


wrong_3 = [
    lambda y, p: y,
    lambda y, p: y[:, p],
    lambda y, p: y.mean(1, True) + 0 * y,
]
check_3.holds(equivariant_average, wrong=[looped(back) for back in wrong_3])

# %% [markdown]
# **4.** Random orders need not be independent. Draw $k$ random *cosets* $\sigma C_n$, that is $kn$ orders, such that
# an average over them is exactly invariant to $C_n$ and still has the mean $\mathcal R f$ for $S_n$. Does it leave
# less of the variance over orders than $kn$ independent draws?
#
# ??? success "Solution"
#     $(\sigma c) x = \sigma (c x)$: shift first. If $x$ is shifted, the terms $f(\sigma c x)$ change places within
#     their coset. Each single order is uniform on $S_n$, hence the mean. In one coset every member stands once in
#     each position, and that balances part of the noise: for the plain perceptron of this chapter one coset leaves
#     less than ten independent orders, which leave a tenth.


# %% exercise="4"
def random_cosets(n, k, generator):
    """Return the orders (k n, n) of k random cosets σ C_n, one coset after the other."""
    ...


# %% solution="4"
def random_cosets(n, k, generator):
    """Return the orders (k n, n) of k random cosets σ C_n, one coset after the other."""
    sigma = torch.rand(k, 1, n, generator=generator).argsort(-1)
    return ((sigma + torch.arange(n)[:, None]) % n).flatten(0, 1)


few, own = torch.Generator().manual_seed(2), trainings["dynamic", "no"]
cosets = fresh_logits(*own, random_cosets(n, 20, few), 1000).unflatten(2, (20, n))
independent = fresh_logits(
    *own, torch.rand(20 * n, n, generator=few).argsort(-1), 1000
)
left = [
    (z.mean(3).var(2).mean() / independent.var(2).mean()).item()
    for z in (cosets, independent.unflatten(2, (20, n)))
]
print(
    f"variance left: one coset {left[0]:.3f}, ten independent orders {left[1]:.3f}"
)
assert left[0] < 0.85 * left[1]
assert abs(left[1] - 0.1) < 0.01


# %% check="4"
def law_4(random_cosets):
    generator = torch.Generator().manual_seed(0)
    orders = random_cosets(7, 50, generator)
    assert isinstance(orders, torch.Tensor), "it should return a tensor"
    assert orders.shape == (350, 7), "there should be k n orders of n members"
    assert torch.equal(orders.sort(1).values, torch.arange(7).expand(350, 7)), (
        "each row should be a permutation"
    )
    blocks = [sorted(block) for block in orders.view(50, 7, 7).tolist()]
    shifted = [sorted(b) for b in ((orders + 1) % 7).view(50, 7, 7).tolist()]
    assert blocks == shifted, (
        "a shift of the set should permute the orders of a coset"
    )
    assert all(len(set(map(tuple, b))) == 7 for b in blocks), (
        "a coset has n elements"
    )
    assert len(set(map(str, blocks))) > 30, "the cosets should be random"


check_4 = CodeCheck("08.4", law_4)
check_4(random_cosets)


# %% wrong="4"
def independent_orders(n, k, generator):
    return torch.rand(n * k, n, generator=generator).argsort(-1)


def shifted_first(n, k, generator):  # C_n σ instead of σ C_n
    sigma = torch.rand(k, n, generator=generator).argsort(-1)
    return torch.stack([p.roll(-j) for p in sigma for j in range(n)])


def the_same(n, k, generator):
    return random_cosets(n, 1, generator).repeat(k, 1)


wrong_4 = [independent_orders, shifted_first, the_same]
check_4.holds(random_cosets, wrong=wrong_4)

# %% [markdown]
# **5.** A sampled model uses the *same* ten permutations, drawn once, for ever. Is its output unbiased over the
# choice of the ten? Is it random from pass to pass? Does a mean over many passes come closer to $\mathcal R f$?
#
# ??? success "Solution"
#     Unbiased over the choice, but the choice is made once: every pass gives the same output, and the mean of many
#     passes is that output. Its error stays $s / \sqrt{10}$.

# %% exercise="5"
answer_5 = ...  # three truth values, such as (True, True, True)

# %% solution="5"
answer_5 = (True, False, False)

# %% check="5"
check_5 = AnswerCheck("08.5", digest="4d1b2fe03d5986df")
check_5(answer_5)

# %% wrong="5"
check_5.holds(
    answer_5, wrong=[(True, True, True), (False, False, False), (True, True, False)]
)

# %% [markdown]
# ## Sources
#
# - [Murphy et al. (2019)](../bibliography.md#murphy-2019), *Janossy Pooling*: averages over permutations, exact,
#   restricted and sampled.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant Network
#   Design*: averages that depend on the input.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit for
#   Equivariant Models*: part 4 of the theorem.
