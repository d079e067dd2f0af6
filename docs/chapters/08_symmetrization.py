# %% [markdown]
# # Symmetrization, exact and sampled
#
# Take any network, apply it to a set in *every* order, and average. The result cannot depend on the
# order. That is the cleanest route of all, with one catch: ten members can be put in 3,628,800
# orders. So one averages over fewer, and has two choices: all elements of a smaller group, or a
# random sample of the large one. What does each of them give, and what does it not?

# %%
import math
import time

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    SymmetryModel,
    bayes_accuracy,
    build_model,
    cyclic_group,
    mlp,
    symmetric_group,
    test_equivariant,
    test_invariant,
)
from invariant_nets.figures import INK, table, use_book_style

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
#     2. $\mathcal R f = f$ if and only if $f$ is invariant to $G$; so $\mathcal R$ is a projection,
#        $\mathcal R \mathcal R = \mathcal R$.
#     3. If the law of $(x, y)$ does not change when $G$ acts on $x$, and $\ell$ is convex in its
#        first argument, averaging never raises the risk:
#        $\mathbb E\, \ell(\mathcal R f(x), y) \le \mathbb E\, \ell(f(x), y)$.
#
# *Proof.* (1) Replacing $x$ by $\tau x$ turns the sum over $\sigma$ into the sum over
# $\sigma\tau$, which runs through the same group. (2) If $f$ is invariant, all terms are
# equal to $f(x)$; the converse is (1). (3) By Jensen's inequality the left side is at most
# the mean over $\sigma$ of $\mathbb E\, \ell(f(\sigma x), y)$, and each of these equals
# $\mathbb E\, \ell(f(x), y)$, because $\sigma x$ has the law of $x$. $\blacksquare$
#
# Elesedy and Zaidi (2021) make the third statement quantitative for the squared loss: the gain is
# the part of $f$ that $\mathcal R$ projects away.
#
# [`SymmetryModel`][invariant_nets.SymmetryModel] is this sum. It takes a model and a
# group. For four members we can afford all of $S_4$:

# %%
torch.manual_seed(0)
small = SymmetryModel(mlp(4, d), symmetric_group(4))
print(test_invariant(small, torch.randn(64, 4, d)))

# %% [markdown]
# ### Outputs that move along
#
# Some functions answer for each member of the set, and should be *equivariant*: permute the members
# and the answers permute with them. The same average does it once each answer is put back to its
# member,
#
# $$ (\mathcal R_\rho f)(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G}
#    \sigma^{-1} f(\sigma x), \qquad
#    (\mathcal R_\rho f)(\tau x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G}
#    \tau\, (\sigma\tau)^{-1} f(\sigma\tau x) = \tau\, (\mathcal R_\rho f)(x) . $$

# %%
torch.manual_seed(0)
each = nn.Sequential(
    nn.Flatten(), nn.Linear(4 * d, 32), nn.ReLU(), nn.Linear(32, 4)
)
scores = nn.Sequential(each, nn.Unflatten(1, (4, 1)))
equivariant = SymmetryModel(scores, symmetric_group(4), equivariant=True)
print(test_equivariant(equivariant, torch.randn(64, 4, d)))

# %% [markdown]
# ### Many orders in one pass
#
# The permuted copies of a batch go through the network together, `chunksize` permutations in one
# *super-batch*. The result does not depend on it, but the time does: too few at once and the time
# goes into the calls, too many and the activations leave the cache.

# %% alt="Time of an average over all 5,040 orders of 7 members against the number of permutations in a super-batch: slow with few at once, flat at a few hundred, both axes logarithmic." measured="figure"
seven = mlp(7, d)
batch = torch.randn(16, 7, d)
chunksizes = (4, 16, 64, 256, 1024, 5040)
seconds, values = {size: [] for size in chunksizes}, {}
with torch.no_grad():
    for _ in range(2):
        for size in chunksizes:
            model = SymmetryModel(seven, symmetric_group(7), chunksize=size)
            start = time.perf_counter()
            values[size] = model(batch)
            seconds[size].append(time.perf_counter() - start)
best = {size: min(times) for size, times in seconds.items()}
fig, ax = plt.subplots(figsize=(8, 3))
ax.loglog(
    chunksizes, [best[size] / min(best.values()) for size in chunksizes], "o-"
)
ax.set(
    xlabel="permutations in a super-batch of 16 sets each",
    ylabel="time / best time",
)
plt.show()

# %% [markdown]
# ### Training in bounded memory
#
# When gradients are needed, chunks do not bound the memory: autograd keeps the activations of all
# of them until the backward pass. But the average is linear in its terms, so the backward pass can
# run each chunk again, take its share of the gradient and forget it. That is `recompute=True`: one
# forward pass more, and the memory of one chunk. Here is what autograd keeps in a forward pass, in
# bytes, as the group grows.

# %% alt="Bytes that autograd keeps for an average over S_3 to S_7 on a logarithmic axis: with plain autograd they grow with the size of the group, with recomputation they stay the same."


def kept_bytes(size: int, recompute: bool) -> int:
    torch.manual_seed(0)
    model = SymmetryModel(mlp(size, d), symmetric_group(size), recompute=recompute)
    seen = {}

    def pack(tensor):
        seen[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(torch.randn(16, size, d))
    return sum(seen.values())


sizes = range(3, 8)
kept = {
    recompute: [kept_bytes(size, recompute) for size in sizes]
    for recompute in (False, True)
}
fig, ax = plt.subplots(figsize=(8, 3))
for recompute, label in ((False, "plain autograd"), (True, "recompute=True")):
    ax.semilogy(sizes, kept[recompute], "o-", label=label)
ax.set(xlabel="members $n$, group $S_n$", ylabel="bytes kept", xticks=sizes)
ax.legend()
plt.show()

# %% [markdown]
# The gradients are the same, up to rounding:

# %%
gradients = {}
for recompute in (False, True):
    torch.manual_seed(0)
    model = SymmetryModel(mlp(6, d), symmetric_group(6), recompute=recompute)
    model(torch.ones(1, 6, d)).square().sum().backward()
    gradients[recompute] = [p.grad for p in model.parameters()]
largest = max(
    float((a - b).abs().max()) for a, b in zip(*gradients.values(), strict=True)
)
print(f"largest difference of any gradient: {largest:.1e}")

# %% [markdown]
# ## Choice one: a smaller group, exactly
#
# The shift $i \mapsto i + 1 \bmod 10$ generates the cyclic group $C_{10}$ with ten elements.
# Averaging over it is cheap and exact. But what it gives is invariance to ten orders, and not to
# the other 3,628,790. The check tells the difference.

# %%
group = cyclic_group(n)
shift = group.generators[0]
print(group.order, "elements, generated by", shift)
torch.manual_seed(0)
cyclic = SymmetryModel(mlp(n, d), group)
sets = torch.randn(256, n, d)
for_cyclic, for_all = (
    test_invariant(cyclic, sets, [shift]),
    test_invariant(cyclic, sets),
)
print(for_cyclic)
print(for_all)

# %% [markdown]
# Look at the error of the second report. It is small, and a check with an absolute tolerance, say
# `torch.allclose(..., atol=5e-2)`, would let it pass. It is small because *everything* that an
# untrained network says is small. Held against the spread of the outputs over different sets, it is
# as large as the signal. This is why the report divides by the spread.

# %%
with torch.no_grad():
    permuted = sets[
        :, torch.randperm(n, generator=torch.Generator().manual_seed(1))
    ]
    loose = torch.allclose(cyclic(permuted), cyclic(sets), atol=5e-2)
print(
    f"passes a tolerance of 5e-2: {loose}; relative error {for_all.relative_error:.2f}"
)

# %% [markdown]
# ## Choice two: a random sample of the large group
#
# Draw $k$ permutations of $S_n$ anew in each pass and average over them:
#
# $$ \hat f_k(x) = \frac1k \sum_{j=1}^k f(\sigma_j x), \qquad
#    \sigma_1, \dots, \sigma_k \sim \text{uniform on } S_n . $$
#
# !!! abstract "Theorem (sampled symmetrization)"
#     $\mathbb E \hat f_k(x) = \mathcal R f(x)$ for $G = S_n$. With $s^2(x)$ the variance of $f(\sigma x)$
#     over $\sigma$, one pass differs from the exact average by the standard deviation
#     $s(x) / \sqrt k$, and two passes on the same set differ by $s(x) \sqrt{2 / k}$.
#
# *Proof.* Means of $k$ independent draws with mean $\mathcal R f(x)$ and variance $s^2(x)$; the
# difference of two independent means has twice the variance of one. $\blacksquare$
#
# So it is invariant in expectation, and random in each pass. Nothing but more draws makes the error
# smaller, and it falls slowly. A sampled model can tell how sure it is: `estimate` returns the mean
# together with its standard error, $s(x) / \sqrt k$ with $s(x)$ estimated from the same draws. That
# is where the $s$ of the theory's line comes from.

# %% alt="Standard deviation of the difference of two passes against the number of draws, on logarithmic axes: the measured points lie on the line of slope minus one half that the theorem predicts."
torch.manual_seed(0)
backbone = mlp(n, d)
generator = torch.Generator().manual_seed(0)


def sampled(k: int) -> SymmetryModel:
    return SymmetryModel(
        backbone, symmetric_group(n), samples=k, generator=generator
    )


ks = (1, 2, 4, 8, 16, 32, 64, 128, 256)
with torch.no_grad():
    one = sampled(400).estimate(sets).standard_error * 400**0.5
    s = one.square().mean().sqrt().item()
    measured = [
        torch.cat([(sampled(k)(sets) - sampled(k)(sets)) for _ in range(4)])
        .square()
        .mean()
        .sqrt()
        .item()
        for k in ks
    ]
predicted = [s * (2 / k) ** 0.5 for k in ks]
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.loglog(ks, predicted, "--", color=INK, label=r"theory: $s\,\sqrt{2/k}$")
ax.loglog(ks, measured, "o", label="measured")
ax.set(xlabel="draws $k$", ylabel="two passes differ by")
ax.legend()
plt.show()

# %%
slope = np.polyfit(np.log(ks), np.log(measured), 1)[0]
needed = 2 * (4 * s / 1e-3) ** 2
print(
    f"slope {slope:.2f}; draws until even four standard deviations are below 1e-3: {needed:,.0f}"
)
report = test_invariant(sampled(10), sets)
print(report)

# %% [markdown]
# That is for an untrained network, whose outputs are small; training makes $s$ larger and the
# number of draws grows with its square. A test of a sampled model with a tight tolerance fails
# rightly, and one with a loose tolerance says nothing.
#
# ## Training
#
# Averaged models are trained like any other: the average is part of the network. Here are the
# perceptron and the small transformer, each averaged over $C_{10}$ and over ten random orders, with
# the plain perceptron for comparison. Each epoch brings 800 new sets.

# %%
EPOCHS = {"mlp": 80, "cyclic-mlp": 80, "sampled-mlp": 80}
EPOCHS |= {"cyclic-transformer": 20, "sampled-transformer": 20}
fresh = GaussianDataset(20_000, (n, d), v1, v2, static=True, seed=9)


def accuracy_of(model: nn.Module) -> float:
    model.eval()
    with torch.no_grad():
        hits = [
            ((model(x) > 0) == (y > 0.5)).double().mean()
            for x, y in DataLoader(fresh, 800)
        ]
    return torch.stack(hits).mean().item()


def trained(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = build_model(name, n, d)
    train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=seed)
    test = GaussianDataset(200, (n, d), v1, v2, static=False, seed=seed + 100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    trainer.fit(
        DataLoader(train, 32), DataLoader(test, 200), num_epochs=EPOCHS[name]
    )
    return model


models = {name: trained(name) for name in EPOCHS}
accuracies = {name: accuracy_of(model) for name, model in models.items()}
reports = {name: test_invariant(model, sets) for name, model in models.items()}
error = (limit * (1 - limit) / len(fresh)) ** 0.5
table(
    [
        {
            "model": name,
            "epochs": EPOCHS[name],
            "accuracy": accuracies[name],
            "error under S₁₀ / spread": reports[name].relative_error,
            "random": "yes" if reports[name].is_random else "no",
        }
        for name in models
    ],
    caption=f"{len(fresh):,} fresh sets, standard error {error:.4f}; Bayes limit {limit:.4f}",
)

# %% [markdown]
# None of the averaged models is invariant to $S_{10}$: one kind is exact for too small a group, the
# other random. Yet both perceptrons leave the plain one behind by points. On data that never repeat
# the cyclic one can afford its small group: the members are i.i.d., so ten exact orders already
# remove most of the noise, and nothing in its output is random. The sampled one pays for the larger
# group with that randomness; what it is better at, holding back from memorizing scarce data, is the
# subject of [chapter 10](10_overfitting.py). The transformers cost several times as much an epoch
# and had fewer epochs, so the table does not rank them against the perceptrons.
#
# ### Averaging at test time only
#
# The third part of the theorem does not ask how $f$ was trained. So take the plain perceptron of
# the table, which knows no symmetry, and average it afterwards.

# %% alt="Accuracy of the plain perceptron, averaged at test time over k random orders, against k from 1 to 64: it climbs by several points towards the dashed Bayes limit without any further training."
plain = models["mlp"]
averaged = {}
for k in (1, 2, 4, 8, 16, 32, 64):
    average = SymmetryModel(
        plain, symmetric_group(n), samples=k, generator=generator
    )
    averaged[k] = accuracy_of(average)
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.semilogx(
    averaged.keys(), averaged.values(), "o-", base=2, label="averaged at test time"
)
ax.axhline(accuracies["mlp"], color=INK, ls=":", label="not averaged")
ax.axhline(limit, color="C2", ls="--", label="Bayes limit")
ax.set(xlabel="random orders $k$", ylabel="accuracy")
ax.legend()
plt.show()

# %% [markdown]
# Nothing was trained again, and several points were gained. What the perceptron had learned was
# largely right, and covered by noise that depends on the order; averaging removes the noise. If you
# have a trained network and know a symmetry of your data, try this first.
#
# ## Check the claims

# %%
assert math.factorial(n) == 3_628_800

# All of S_4: invariant. C_10: invariant to itself, not to S_10, and a loose tolerance hides it.
assert test_invariant(small, torch.randn(64, 4, d))
assert for_cyclic
assert not for_all
assert loose
assert for_all.relative_error > 0.3

# Chunks change the time, not the result.
assert all(
    torch.allclose(value, values[5040], atol=1e-6) for value in values.values()
)
assert best[4] > 2 * min(best.values())

# Equivariant outputs; and a backward pass that keeps nothing that grows, with the same gradients.
assert test_equivariant(equivariant, torch.randn(64, 4, d))
assert not test_equivariant(scores, torch.randn(64, 4, d))
assert kept[False][-1] > 50 * kept[False][0]
assert kept[True][-1] < 4 * kept[True][0]
assert kept[False][-1] > 100 * kept[True][-1]
assert largest < 1e-5

# Sampled: random, with the predicted error and slope.
assert report.is_random
assert not report
assert abs(slope + 0.5) < 0.08
assert np.allclose(measured, predicted, rtol=0.25)
assert needed > 1e4

# Training: both averages beat the plain perceptron by points; none is invariant to S_10.
assert accuracies["cyclic-mlp"] > accuracies["mlp"] + 0.02
assert accuracies["sampled-mlp"] > accuracies["mlp"] + 0.02
assert min(accuracies.values()) > 0.55
assert not any(reports.values())
assert max(accuracies.values()) < limit + 4 * error

# Averaging at test time gains points.
assert averaged[64] > averaged[1] + 0.02
assert averaged[64] > accuracies["mlp"] + 0.02

# %% [markdown]
# ## Exercises
#
# **1.** Show that averaging over a subgroup $H$ of $G$ first and over $G$ afterwards gives the
# average over $G$.
#
# ??? success "Solution"
#     $\mathcal R_G \mathcal R_H f(x) = \frac1{|G||H|} \sum_{g, h} f(h g x)$. For each $h$ the product
#     $hg$ runs through $G$ once as $g$ does, so the sum is $|H|$ times the sum over $G$.

# %% fold="Solution of exercise 1, in code"
plain, four = mlp(4, d), torch.randn(64, 4, d)
with torch.no_grad():
    first = SymmetryModel(plain, cyclic_group(4))
    then = SymmetryModel(first, symmetric_group(4))(four)
    at_once = SymmetryModel(plain, symmetric_group(4))(four)
    print(f"difference {(then - at_once).abs().max():.1e}")
    print(f"without the second average {(first(four) - at_once).abs().max():.1e}")
    assert torch.allclose(then, at_once, atol=1e-6)
    assert not torch.allclose(first(four), at_once, atol=1e-4)

# %% [markdown]
# **2.** A sampled model is used with the *same* ten permutations for ever. Is it unbiased? Is it
# invariant to anything?
#
# ??? success "Solution"
#     Over the choice of the ten it is unbiased, but the choice is made once, so its error does not
#     average out over passes. It is deterministic, and invariant to a group only if the ten happen
#     to be a union of cosets $\sigma H$ of that group $H$; ten random permutations are not.
#
# **3.** By how much does the accuracy of the cyclic perceptron rise if it is averaged at test time
# over random orders as well? Predict the direction from the theorem, then measure.
#
# ??? success "Solution"
#     The risk cannot rise in expectation, apart from the noise of the sample. The cell below measures
#     the accuracy.

# %% fold="Solution of exercise 3, in code"
both = SymmetryModel(
    models["cyclic-mlp"], symmetric_group(n), samples=8, generator=generator
)
risen = accuracy_of(both)
print(f"{accuracies['cyclic-mlp']:.3f} becomes {risen:.3f}")
assert accuracies["cyclic-mlp"] - error < risen < limit + 4 * error

# %% [markdown]
# ## Sources
#
# - [Murphy et al. (2019)](../bibliography.md#murphy-2019), *Janossy Pooling*: averages over
#   permutations, exact, restricted and sampled.
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant
#   Network Design*, and [Kim et al. (2023)](../bibliography.md#kim-2023), *Learning Probabilistic
#   Symmetrization for Architecture Agnostic Equivariance*: averages that depend on the input.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation
#   Benefit for Equivariant Models*: what averaging gains.
