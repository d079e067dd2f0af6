# %% [markdown]
# # Symmetrization, exact and sampled
#
# !!! abstract "What you will be able to do"
#     - Prove that an average over a group is invariant, and say by how much it lowers a loss.
#     - Write a super-batch, and say what it costs in memory, with gradients and without.
#     - Choose between all elements of a small group and random elements of a large one.
#     - Decide with a control whether an average has to be part of the training.
#
# Take any network, apply it to a set in *every* order, and average the outputs. The result cannot depend on the order.
# But ten members have 3,628,800 orders. In practice one averages over a smaller group, or over a random sample of the
# orders. What does each of them give? And when does the average matter: in training, or only at test time?

# %%
import math
import time
import weakref
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from invariant_nets import (
    MODELS,
    Permutation,
    SymmetryModel,
    create_all_permutations,
    create_permutations_from_generators,
    mlp,
    symmetric_group,
    test_invariant,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8

# %% [markdown]
# ## The average over a group
#
# For a finite group $G$ of permutations the *Reynolds operator* $\mathcal R$ takes a function $f$ to its average
#
# $$ (\mathcal R f)(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G} f(\sigma x) . $$
#
# !!! abstract "Theorem (group averaging)"
#     1. $\mathcal R f$ is invariant to $G$.
#     2. $\mathcal R f = f$ if and only if $f$ is invariant to $G$. So $\mathcal R \mathcal R = \mathcal R$, a projection.
#     3. (Jensen) Let $\sigma x$ have the same joint distribution with $y$ as $x$, for all $\sigma \in G$. If the loss
#        $\ell$ is convex in its first argument, $\mathbb E\, \ell(\mathcal R f(x), y) \le \mathbb E\, \ell(f(x), y)$.
#     4. (Elesedy and Zaidi) For the squared loss the difference is known: $\mathbb E\, (f(x) - y)^2 - \mathbb E\,
#        (\mathcal R f(x) - y)^2 = \mathbb E\, (f(x) - \mathcal R f(x))^2$.
#
# *Proof.* (1) If $\tau x$ replaces $x$, the sum over $\sigma$ becomes the sum over $\sigma\tau$, which runs through
# the same group. (2) If $f$ is invariant, all terms equal $f(x)$; the converse is (1). (3) For every $(x, y)$
# Jensen's inequality gives $\ell(\mathcal R f(x), y) \le \frac1{|G|} \sum_\sigma \ell(f(\sigma x), y)$. Each term on
# the right has the expectation of $\ell(f(x), y)$, since $\sigma x$ is distributed as $x$. (4) Over $\sigma$, the mean
# square of $f(\sigma x) - y$ is the square of its mean, $\mathcal R f(x) - y$, plus its variance, the mean of $(f(\sigma
# x) - \mathcal R f(\sigma x))^2$. Take expectations: again all terms of a mean have the same. $\blacksquare$
#
# The cross-entropy is convex in the logit and in the probability, so (3) covers averages of either. It does *not*
# cover the accuracy: with the logits 1, 1 and −5 in three orders of a set with label 1, $f$ is right in two orders of
# three, and its average, −1, never.
#
# Any group will do. [`create_permutations_from_generators`][invariant_nets.create_permutations_from_generators]
# multiplies its generators until nothing new appears. The shift and the reversal of ten members generate 20
# permutations, the dihedral group. [`SymmetryModel`][invariant_nets.SymmetryModel] averages over them:

# %%
torch.manual_seed(0)
sets = torch.randn(256, n, d)
shift, reversal = Permutation([*range(1, n), 0]), Permutation([*range(n)][::-1])
dihedral = create_permutations_from_generators([shift, reversal])
ring = SymmetryModel(backbone := mlp(n, d), lambda: dihedral)
with torch.no_grad():
    mean = sum(backbone(sigma(sets)) for sigma in dihedral) / len(dihedral)
    assert torch.allclose(mean, ring(sets), atol=1e-6)
for_group = test_invariant(ring, sets, [shift, reversal])
for_all = test_invariant(ring, sets)
print(f"{len(dihedral)} elements\n{for_group}\n{for_all}")

# %% [markdown]
# It is invariant to the group, and not to all of $S_{10}$. If $f$ gives an output for each member, put each output back
# to its member, $\frac1{|G|} \sum_\sigma \sigma^{-1} f(\sigma x)$, and the average is *equivariant* (exercise 3).
#
# ## Super-batches
#
# Each call of a network has an overhead, so many permuted copies of a batch go through it in one call, a *super-batch*.
# All at once would need memory for all, so they go in chunks. `x[:, chunk]` is all that it takes to copy:


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
five, batch = mlp(5, d), torch.randn(64, 5, d)
orders = torch.stack([p.index_tensor for p in create_all_permutations(5)])
with torch.no_grad():
    ours = average(five, batch, orders, chunksize=12)
    exact = SymmetryModel(five, symmetric_group(5), chunksize=12)(batch)
assert torch.allclose(ours, exact, atol=1e-6)

# %% [markdown]
# In training, chunks do not bound the memory. Autograd keeps the activations of every chunk until the backward pass.
# But the average is a *sum* over chunks, so the gradient is one too:
#
# $$ \frac{\partial L}{\partial \theta} = \sum_{\text{chunks}} \frac{\partial L}{\partial \bar f} \cdot
#    \frac{\partial}{\partial \theta} \frac1{|G|} \sum_{\sigma \in \text{chunk}} f_\theta(\sigma x) . $$
#
# Run the average without a graph, compute $\partial L / \partial \bar f$, and then run each chunk again, take its share
# of the gradient, and forget it. `SymmetryModel(…, recompute=True)` does this, and exercise 4 builds it. To measure
# memory, we count the bytes of every tensor that an operation creates, for as long as it lives.


# %%
class PeakBytes(TorchDispatchMode):
    now = peak = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        old, new = (
            [t.untyped_storage() for t in tree_leaves(tree) if torch.is_tensor(t)]
            for tree in ((args, kwargs), result)
        )
        for storage in new:
            if storage.data_ptr() not in {s.data_ptr() for s in old}:  # no view
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.free, storage.nbytes())
        return result

    def free(self, size):
        self.now -= size


def pass_through(model, gradients):
    with torch.set_grad_enabled(gradients):
        loss = model(batch).square().sum()
    if gradients:
        loss.backward()


chunksizes, seconds, megabytes = (1, 4, 12, 40, 120), {}, {}
names = "no gradients", "gradients", "gradients, recomputed"
for name in names:
    seconds[name], megabytes[name] = [], []
    for size in chunksizes:
        options = {"chunksize": size, "recompute": name == names[2]}
        model = SymmetryModel(five, symmetric_group(5), **options)
        pass_through(model, name != names[0])  # allocates the gradients
        begin = time.perf_counter()
        pass_through(model, name != names[0])
        seconds[name].append(time.perf_counter() - begin)
        with PeakBytes() as count:
            pass_through(model, name != names[0])
        megabytes[name].append(count.peak / 1e6)

# %% alt="Two panels against the number of permutations per super-batch, all axes logarithmic, three lines each: no gradients, gradients, and gradients with recomputation. Left, time. Right, peak memory: without gradients and with recomputation it grows with the chunk; with plain gradients it is high throughout." measured="figure"
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4))
panels = {"seconds": seconds, "peak memory, MB": megabytes}
for ax, (label, values) in zip(axes, panels.items(), strict=True):
    for name in names:
        ax.loglog(chunksizes, values[name], "o-", label=name)
    ax.set(xlabel="permutations per super-batch", ylabel=label)
axes[1].legend(fontsize=9)
plt.show()

# %% [markdown]
# The example averages 64 sets over all 120 orders of five members, in 120 calls down to one. Without gradients, the
# memory is that of one chunk. With plain gradients it is that of all chunks, whatever the chunk size. Recomputation
# brings it back to one chunk, for one forward pass more. By default super-batches have about 8,000 sets.
#
# ## A random sample of a large group
#
# No chunk helps against $10!$ passes. Draw $k$ permutations of $S_n$, independent of each other and of the data, anew
# in each pass (one draw serves all sets of a batch), and average over them:
#
# $$ \hat f_k(x) = \frac1k \sum_{j=1}^k f(\sigma_j x), \qquad \sigma_1, \dots, \sigma_k \sim \text{uniform on } S_n . $$
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
every, source = symmetric_group(n), torch.Generator().manual_seed(0)
sampled = SymmetryModel(backbone, every, samples=100, generator=source)
with torch.no_grad():
    mean, error = sampled.estimate(sets)
    apart = torch.stack([sampled(sets) - sampled(sets) for _ in range(20)])
measured, theory = (v.square().mean().sqrt() for v in (apart, error * 2**0.5))
print(f"first set: {mean[0].item():.4f} ± {error[0].item():.4f}")
print(f"two passes differ by {measured:.4f}, in theory {theory:.4f}")

# %% [markdown]
# A thousand draws leave $1 / \sqrt{1000}$, three percent, of the standard deviation over orders.
#
# ## In training, or only at test time?
#
# Part 3 of the theorem does not ask how $f$ was trained. One may train a plain network and average it afterwards,
# which is called **test-time augmentation**. So an averaged model that beats a plain one proves little: it may owe
# everything to the average at test time. The control is a table with both choices. In training we average over ten
# random orders, new in each step, or not; at test time over the ten shifts of $C_{10}$, or not. *Dynamic* training data
# never repeat; *static* ones are the same 800 sets again and again. We average probabilities. Four seeds train side by
# side: `vmap` runs one network with the weights of all, at the learning rate of [`MODELS`][invariant_nets.MODELS].

# %%
SEEDS, STEPS, BATCH = 4, 800, 50


def drawn(count, seed, seeds=SEEDS):
    source, y = torch.Generator().manual_seed(seed), torch.arange(count) % 2
    std = torch.where(y == 1, v2**0.5, v1**0.5)[:, None, None]
    x = torch.randn(seeds, count, n, d, generator=source) * std
    return x, y.float().expand(SEEDS, -1)


def probabilities(network, weights, x, orders):
    def of_seed(own, x):
        f = partial(functional_call, network, own)
        return average(f, x, orders, len(orders))

    with sdpa_kernel(SDPBackend.MATH):  # the form of attention that vmap knows
        return vmap(of_seed)(weights, x)[..., 0]  # (seeds, sets)


def train(name, steps, sets, averaged):
    models = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        models.append(nn.Sequential(MODELS[name].model(n, d), nn.Sigmoid()))
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=MODELS[name].lr)
    for step in range(steps):
        rows = torch.arange(step * BATCH, (step + 1) * BATCH) % sets
        ten = torch.rand(10, n, generator=draws).argsort(1)
        views = ten if averaged == "yes" else single
        q = probabilities(models[0], weights, x_train[:, rows], views)
        optimizer.zero_grad()
        cost = F.binary_cross_entropy(q, y_train[:, rows])
        (SEEDS * cost).backward()  # each seed the gradient of its own loss
        optimizer.step()
    return models[0], {name: w.detach() for name, w in weights.items()}


def paired(a, b):
    """Return the mean of a − b, both (seeds, sets), and its error."""
    gap = (a - b).double()
    variance = gap.mean(1).var() / len(gap) + gap.mean(0).var() / gap.shape[1]
    return gap.mean().item(), variance.sqrt().item()


x_train, y_train = drawn(STEPS * BATCH, seed=0)
x_test, y_test = drawn(10_000, seed=99, seeds=1)
draws, single = torch.Generator().manual_seed(0), torch.arange(n)[None]
shifts = (single + single.T) % n
sets_of = {"dynamic": STEPS * BATCH, "static": 800}
runs = [("mlp", STEPS, data, own) for data in sets_of for own in ("no", "yes")]
runs += [("transformer", 300, "dynamic", "no")]
hits, loss, fall, part, rows, sides = {}, {}, {}, {}, [], []
for name, steps, data, averaged in runs:
    network, weights = train(name, steps, sets_of[data], averaged)
    rows.append({"network, data": f"{name}, {data}", "in training": averaged})
    sides.append(dict(rows[-1]))
    parts = x_test.expand(SEEDS, -1, -1, -1).split(500, 1)
    p, key = {}, (name, data, averaged)
    for test, views in (("no", single), ("yes", shifts)):
        with torch.no_grad():
            q = [probabilities(network, weights, x, views) for x in parts]
        p[test] = torch.cat(q, 1)
        hits[*key, test] = ((p[test] > 0.5) == (y_test > 0.5)).double()
        loss[*key, test] = F.binary_cross_entropy(p[test], y_test, reduction="none")
        heads = ("accuracy", "loss") if test == "no" else ("averaged", "its loss")
        for what, values in zip(heads, (hits, loss), strict=True):
            mean, error = paired(values[*key, test], 0)
            rows[-1][what] = f"{mean:.3f} ± {error:.3f}"
    fall[key] = (p["no"] - y_test).square() - (p["yes"] - y_test).square()
    part[key] = (p["no"] - p["yes"]).square()
    for head, values in (("fall of squared loss", fall), ("E(f − Rf)²", part)):
        sides[-1][head] = "{:.4f} ± {:.4f}".format(*paired(values[key], 0))
table(rows, caption="Averaged in training? Last columns: averaged at test time.")

# %% [markdown]
# The control decides; the errors are over seeds and test sets. On dynamic data the accuracy comes from the average at
# test time: a perceptron that was trained without any average and is averaged afterwards gains points, and to train it
# with the average as well moves the accuracy by less than two. What this does improve is the loss. It also binds the
# network to its average: tested without it, its loss is *higher* than that of a plain network.
#
# On static data the training matters too. The ten orders are new in each step, which keeps the network from memorizing
# its 800 sets ([chapter 10](10_overfitting.py)), and adds points that the average at test time does not recover. So if
# you have a trained network and know a symmetry of your data, average it first. Train with the average if data are
# scarce, or if you need probabilities.
#
# ### What attention gains, and why
#
# The other backbone is a small [transformer][invariant_nets.transformer], trained for 300 steps. For all five networks
# here are the two sides of part 4, with $f$ the probability and $G = C_{10}$:

# %%
table(sides, caption="± over seeds and test sets")

# %% [markdown]
# The two sides agree. They also say why the average gives the transformer less than the perceptron that was trained on
# the same data: there is less of it to project away. Attention treats the members alike, and only positions and readout
# [depend on the order](07_canonicalization.py#training).
#
# ## Check the claims

# %%
# A generated group: invariant to it, not to S_10.
assert len(dihedral) == 20
assert (bool(for_group), bool(for_all)) == (True, False)

# Memory: of one chunk without gradients and recomputed, of all chunks with gradients.
bare, kept, redone = megabytes.values()
assert bare == sorted(bare)
assert bare[-1] > 30 * bare[0]
assert min(kept) > 0.5 * max(kept)
assert redone == sorted(redone)
assert redone[0] < 0.1 * kept[0]

# Sampled: the predicted error.
assert 0.8 < measured / theory < 1.25


def beyond(a, b, least):  # by three errors
    mean, error = paired(a, b)
    return mean - 3 * error > least


# Dynamic: averaging at test time gains points; in training too, at most two, and loss.
none, late = ("mlp", "dynamic", "no", "no"), ("mlp", "dynamic", "no", "yes")
early, both = ("mlp", "dynamic", "yes", "no"), ("mlp", "dynamic", "yes", "yes")
assert beyond(hits[late], hits[none], 0.03)
assert beyond(hits[both], hits[late], -0.02)
assert beyond(hits[late], hits[both], -0.02)
assert beyond(loss[late], loss[both], 0.005)
assert beyond(loss[early], loss[none], 0.02)
# Static: averaging in training adds points, and lowers the loss.
late, both = ("mlp", "static", "no", "yes"), ("mlp", "static", "yes", "yes")
assert beyond(hits[both], hits[late], 0.02)
assert beyond(loss[late], loss[both], 0.02)

# The identity: the sides agree, and the transformer has less to gain.
for key in fall:
    gap, error = paired(fall[key], part[key])
    assert abs(gap) < 5 * error
for side in (fall, part):
    assert beyond(side[none[:3]], side["transformer", "dynamic", "no"], 0)

# %% [markdown]
# ## Summary
#
# - The average over a group is invariant to it and is a projection. It never raises a convex loss; it lowers the
#   squared loss by $\mathbb E\,(f - \mathcal R f)^2$, the part that it removes. The accuracy has no such guarantee.
# - Super-batches need the memory of one chunk. With gradients they need recomputation for that.
# - $k$ random orders are invariant in expectation, with an error of $s / \sqrt k$.
# - Test-time augmentation is the control for every averaged model. Here it gives the accuracy on data that never repeat,
#   and not on data that do.
#
# ## Where the field went
#
# [Lyle et al. (2020)](../bibliography.md#lyle-2020) compare averaging outputs and augmenting data; they prove part 3
# and tighter bounds for averages. [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021) made the gain exact for
# linear models, and [Tahmasebi and Jegelka (2023)](../bibliography.md#tahmasebi-2023) for kernel regression, where a
# finite group multiplies the effective number of samples by its size.
#
# Averages came back with large pretrained networks. [Basu et al. (2023)](../bibliography.md#basu-2023) average one over
# a small group and then fine-tune it. [Shanmugam et al. (2021)](../bibliography.md#shanmugam-2021) find that a plain
# mean at test time turns many right answers into wrong ones, as in our three logits, and learn the weights of the mean.
# [Kim et al. (2023)](../bibliography.md#kim-2023) learn from which distribution the permutations are drawn. [Gerken and
# Kessel (2024)](../bibliography.md#gerken-2024) show that an *ensemble* of infinitely wide networks trained with
# augmentation is equivariant although its members are not.
#
# ## Exercises
#
# **1.** Let $H$ be a subgroup of $G$. Show that averaging over $H$ and then over $G$ gives the average over $G$. A
# network has been averaged over $C_{10}$. How many orders does the average over $S_{10}$ still need, by this argument?
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
# **2.** In a trained model $f(\sigma x)$ has the standard deviation $s = 0.8$ over orders. How many draws do two passes
# need to differ by 0.01, as a root mean square? How many does one pass need to be as close to the exact average?
#
# ??? success "Solution"
#     $s \sqrt{2/k} = 0.01$ gives $k = 2 (0.8 / 0.01)^2$. One pass has the error $s / \sqrt k$, so half are enough.

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
# **3.** Build the *equivariant* average: outputs $(\mathrm{batch}, n, \cdot)$, each put back to its member.
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
    outputs = f(x[:, orders].flatten(0, 1)).unflatten(0, (len(x), len(orders)))
    each = torch.arange(len(orders))[:, None]
    return outputs[:, each, orders.argsort(-1)].mean(1)


# %% check="3"
def law_3(equivariant_average):
    x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    orders = torch.stack([p.index_tensor for p in create_all_permutations(4)])
    same = equivariant_average(lambda x: x, x, orders[5:9])
    assert torch.allclose(same, x), "the identity should stay the identity"
    both = [x, x[:, orders[9]]]
    y, moved = (equivariant_average(lambda x: x.cumsum(1), v, orders) for v in both)
    assert torch.allclose(moved, y[:, orders[9]]), "it should be equivariant"


check_3 = CodeCheck("08.3", law_3)
check_3(equivariant_average)

# %% wrong="3"
wrong_3 = [
    lambda f, x, orders: f(x),
    lambda f, x, orders: sum(f(x[:, p]) for p in orders) / len(orders),
    lambda f, x, orders: sum(f(x[:, p])[:, p] for p in orders) / len(orders),
]
check_3.holds(equivariant_average, wrong=wrong_3)

# %% [markdown]
# **4.** Build the backward pass that needs the memory of one chunk: given $\partial L / \partial \bar f$, add to the
# gradients of the weights, chunk by chunk.
#
# ??? success "Solution"
#     The graph of a chunk is freed by its `backward`, before the next chunk is computed.


# %% exercise="4"
def backward(f, x, orders, chunksize, gradient):
    """Add to the weights' gradients those of a loss whose gradient at the mean is given."""
    ...


# %% solution="4"
def backward(f, x, orders, chunksize, gradient):
    for chunk in orders.split(chunksize):
        share = average(f, x, chunk, chunksize) * len(chunk) / len(orders)
        share.backward(gradient)


# %% check="4"
def law_4(backward):
    five.zero_grad()
    with PeakBytes() as count:
        backward(five, batch, orders, 11, 2 * ours)
    (-average(five, batch, orders, 120).square().sum()).backward()
    rest = max(p.grad.abs().max() for p in five.parameters())
    assert rest < 1e-3, "the gradient should be that of the sum of squares"
    assert count.peak < 3e5 * megabytes["gradients"][2], "one chunk at a time"


check_4 = CodeCheck("08.4", law_4)
check_4(backward)

# %% wrong="4"
wrong_4 = [
    lambda f, x, orders, size, g: average(f, x, orders, size).backward(g),
    lambda f, x, orders, size, g: average(f, x, orders[:size], size).backward(g),
    lambda f, x, orders, size, g: backward(f, x, orders, size, g * size),
]
check_4.holds(backward, wrong=wrong_4)

# %% [markdown]
# **5.** A sampled model uses the *same* ten permutations, drawn once, for ever. Is its output unbiased over the
# choice of the ten? Is it random from pass to pass? Does a mean over many passes come closer to $\mathcal R f$?
#
# ??? success "Solution"
#     It is unbiased over the choice, but the choice is made once: every pass gives the same output, and so does a mean.

# %% exercise="5"
answer_5 = ...  # three truth values, such as (True, True, True)

# %% solution="5"
answer_5 = (True, False, False)

# %% check="5"
check_5 = AnswerCheck("08.5", digest="4d1b2fe03d5986df")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(True,) * 3, (False,) * 3, (True, True, False)])

# %% [markdown]
# ## Sources
#
# - [Murphy et al. (2019)](../bibliography.md#murphy-2019), *Janossy Pooling*: averages over permutations, exact,
#   restricted and sampled.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit for
#   Equivariant Models*: part 4 of the theorem.
