# %% [markdown] slide="question"
# # Symmetrization, exact and sampled
#
# !!! abstract "What you will be able to do"
#     - Prove that an average over a group is invariant, and say by how much it lowers a loss.
#     - Write a super-batch, and say what it costs in memory, with gradients and without.
#     - Decide with a control whether an average has to be part of the training.
#     - Replace independent draws by a design, and say when its variance is smaller and when it is larger.
#
# Apply any network to a set in *every* order, and average the outputs: the result cannot depend on the order. But ten
# members have 3,628,800 orders. What does an average over fewer give? Is it needed in training, or only at test time?

# %%
import math
import time
import weakref
from dataclasses import replace
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from invariant_nets import (
    MODELS,
    GaussianTask,
    Permutation,
    SymmetryModel,
    compare,
    coset_subgroup,
    create_permutations_from_generators,
    cyclic_group,
    mathieu_group,
    mlp,
    projective_group,
    symmetric_group,
    test_invariant,
    transitivity,
    variance_ratios,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d = 10, 5

# %% [markdown] slide="theorem"
# ## The average over a group
#
# For a finite group $G$ of permutations the *Reynolds operator* $\mathcal R$ takes a function $f$ to its average
#
# $$ (\mathcal R f)(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G} f(\sigma x) . $$
#
# !!! theorem "Theorem (group averaging)"
#     1. $\mathcal R f$ is invariant to $G$.
#     2. $\mathcal R f = f$ if and only if $f$ is invariant to $G$. So $\mathcal R \mathcal R = \mathcal R$, a projection.
#     3. (Jensen) Let $\sigma x$ have the same joint distribution with $y$ as $x$, for all $\sigma \in G$. If the loss
#        $\ell$ is convex in its first argument, $\mathbb E\, \ell(\mathcal R f(x), y) \le \mathbb E\, \ell(f(x), y)$.
#     4. (Elesedy and Zaidi) For the squared loss the difference is known: $\mathbb E\, (f(x) - y)^2 - \mathbb E\,
#        (\mathcal R f(x) - y)^2 = \mathbb E\, (f(x) - \mathcal R f(x))^2$.
#
# *Proof.* (1) If $\tau x$ replaces $x$, the sum over $\sigma$ becomes the sum over $\sigma\tau$, which runs through
# the same group. (2) If $f$ is invariant, all terms equal $f(x)$; the converse is (1). (3) By Jensen's inequality
# $\ell(\mathcal R f(x), y) \le \frac1{|G|} \sum_\sigma \ell(f(\sigma x), y)$, where each term has the expectation of
# $\ell(f(x), y)$. (4) Over $\sigma$, the mean square of $f(\sigma x) - y$ is the square of its mean, $\mathcal R f(x)
# - y$, plus its variance, the mean of $(f(\sigma x) - \mathcal R f(\sigma x))^2$. Take expectations. $\blacksquare$
#
# The cross-entropy is convex in the logit and in the probability, so (3) covers averages of either. It does *not* cover
# the accuracy: with the logits 1, 1 and −5 in three orders of a set with label 1, $f$ is right in two, its average never.
#
# Any group will do. [`create_permutations_from_generators`][invariant_nets.create_permutations_from_generators]
# multiplies its generators until nothing new appears: 20 permutations for a shift and the reversal of ten members.

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
# It is invariant to the group, and not to all of $S_{10}$. With an output for each member, put back to its member, the
# average $\frac1{|G|} \sum_\sigma \sigma^{-1} f(\sigma x)$ is *equivariant*, by the substitution of (1).
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
orders = torch.cat([*symmetric_group(5).elements()])
with torch.no_grad():
    exact = SymmetryModel(five, symmetric_group(5), chunksize=12)(batch)
    assert torch.allclose(average(five, batch, orders, 12), exact, atol=1e-6)

# %% [markdown]
# In training, autograd keeps the activations of every chunk. But the average is a *sum* over chunks, and so is its
# gradient. `SymmetryModel(…, recompute=True)` runs the average without a graph, computes $\partial L / \partial \bar
# f$, then runs each chunk again and adds its share of the gradient. We count the bytes of what operations return.


# %%
class PeakBytes(TorchDispatchMode):
    alive, peak = {}, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for t in filter(torch.is_tensor, tree_leaves(result)):
            if (place := t.untyped_storage().data_ptr()) not in self.alive:
                self.alive[place] = t.untyped_storage().nbytes()
                weakref.finalize(t.untyped_storage(), self.alive.pop, place)
        self.peak = max(self.peak, sum(self.alive.values()))
        return result


def run(model, gradients):
    with torch.set_grad_enabled(gradients):
        loss = model(batch).square().sum()
    if gradients:
        loss.backward()


names = "no gradients", "gradients", "gradients, recomputed"
seconds, megabytes = ({name: [] for name in names} for _ in range(2))
chunksizes, whole = (1, 4, 12, 40, 120), symmetric_group(5)
for name in names:
    for k in chunksizes:
        model = SymmetryModel(five, whole, k, recompute=name == names[2])
        run(model, name != names[0])  # allocates the gradients
        begin = time.perf_counter()
        run(model, name != names[0])
        seconds[name].append(time.perf_counter() - begin)
        with PeakBytes() as count:
            run(model, name != names[0])
        megabytes[name].append(count.peak / 1e6)

# %% alt="Two panels against the number of permutations per super-batch, all axes logarithmic, three lines each: no gradients, gradients, and gradients with recomputation. Left, time. Right, peak memory: without gradients and with recomputation it grows with the chunk; with plain gradients it is high throughout." measured="figure" slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for name in names:
    axes[0].loglog(chunksizes, seconds[name], "o-")
    axes[1].loglog(chunksizes, megabytes[name], "o-", label=name)
for ax, label in zip(axes, ("seconds", "peak memory, MB"), strict=True):
    ax.set(xlabel="permutations per super-batch", ylabel=label)
axes[1].legend(fontsize=9)
plt.show()

# %% [markdown]
# The example averages 64 sets over all 120 orders of five members. Without gradients, the memory is that of one chunk;
# with plain gradients, that of all chunks. Recomputation brings it back to one chunk, for one forward pass more.
#
# ## A random sample of a large group
#
# No chunk helps against $10!$ passes. In each pass draw $k$ permutations of $S_n$, independent and anew, and average:
#
# $$ \hat f_k(x) = \frac1k \sum_{j=1}^k f(\sigma_j x), \qquad \sigma_1, \dots, \sigma_k \sim \text{uniform on } S_n . $$
#
# Let $s^2(x)$ be the variance of $f(\sigma x)$ over $\sigma$. The $f(\sigma_j x)$ are independent, with mean $\mathcal R
# f(x)$ for $G = S_n$. So $\hat f_k(x)$ has **mean $\mathcal R f(x)$ and standard deviation $s(x) / \sqrt k$**, and two
# passes on the same set differ by $s(x) \sqrt{2 / k}$, as a root mean square. It is invariant in expectation only: a
# thousand draws leave three percent of $s(x)$. But `estimate` returns the mean and its standard error:

# %%
every, source = symmetric_group(n), torch.Generator().manual_seed(0)
sampled = SymmetryModel(backbone, every, samples=100, generator=source)
with torch.no_grad():
    mean, error = sampled.estimate(sets)
print(f"first set: {mean[0].item():.4f} ± {error[0].item():.4f}")

# %% [markdown]
# **Try it** on trained averages. Shift the rows: `cyclic-mlp`, the mean over $C_{10}$, stays. Swap two: it moves, for a
# swap is no shift. Draw again: `sampled-mlp` moves although the set does not. `intrinsic` is exact, and stays.
#
# <div data-play="playground" data-needs="playground claims" data-models="mlp cyclic-mlp sampled-mlp intrinsic" data-actions="shift swap again"></div>
#
# ## In training, or only at test time?
#
# Part 3 of the theorem does not ask how $f$ was trained. One may train a plain network and average it afterwards, which
# is called **test-time augmentation**, and is the control of an averaged model. In training we average the logit over ten
# random orders, new in each step, or not; at test time over the ten shifts of $C_{10}$, or not. Each network has four
# seeds and its learning rate of [`MODELS`][invariant_nets.MODELS], and no training set comes twice.


# %%
def paired(values):
    """Return the mean of values (seeds, sets) and its error, over seeds and sets."""
    seeds, sets = values.mean(1), values.mean(0)
    variance = seeds.var() / len(seeds) + sets.var() / len(sets)
    return values.mean().item(), variance.sqrt().item()


def shown(values):
    return "{:.3f} ± {:.3f}".format(*paired(values))


ten = partial(SymmetryModel, group=every, samples=10)
mean = replace(MODELS["mlp"], build=lambda n, d: ten(mlp(n, d)))
specs = {"mlp": MODELS["mlp"], "mean": mean}
task = GaussianTask(train_sets=30_000, validation_sets=50, test_sets=10_000)
budget = {"epochs": 1, "batch_size": 50, "seeds": 4}
of = compare(specs, task, **budget).results
of |= compare(["transformer"], replace(task, train_sets=15_000), **budget).results
networks = {("mlp", "no"): [run.model for run in of["mlp"].runs]}
networks["mlp", "yes"] = [run.model.model for run in of["mean"].runs]
networks["transformer", "no"] = [run.model for run in of["transformer"].runs]
x, y = task.test_data().x, task.test_data().y[:, 0]
hits, loss, fall, part, rows = {}, {}, {}, {}, []
heads = "network", "in training", "at test", "accuracy", "loss"
for key, models in networks.items():
    means = [SymmetryModel(f, cyclic_group(n)) for f in models]
    with torch.no_grad():
        z, mean = (torch.stack([f(x)[:, 0] for f in g]) for g in (models, means))
    fall[key] = ((z - y).square() - (mean - y).square()).double()
    part[key] = (z - mean).square().double()
    print(*key, "| fall:", shown(fall[key]), "| E(f − Rf)²:", shown(part[key]))
    for new, out in (((*key, "no"), z), ((*key, "yes"), mean)):
        hits[new] = ((out > 0) == (y > 0.5)).double()
        loss[new] = ((1 + out.exp()).log() - y * out).double()  # the cross-entropy
        cells = *new, shown(hits[new]), shown(loss[new])
        rows.append(dict(zip(heads, cells, strict=True)))
table(rows, caption="Averaged in training? Averaged at test time?")

# %% [markdown] slide="theorem"
# The accuracy comes from the average at test time: a perceptron that was trained without any average gains points from
# it, and to train it with the average as well moves the accuracy by less than three. That does lower the loss. It also
# binds the network to its average: tested without it, its loss is *higher* than that of a plain network.
#
# What does attention gain, and why? Above the table stand the two sides of part 4, with $f$ the logit and $G = C_{10}$.
# They agree, and say why the average gives the [transformer][invariant_nets.transformer], trained on half of the sets,
# less than the perceptron: there is less of it to project away. Attention treats the members alike, and only positions
# and readout [depend on the order](07_canonicalization.py#exercises).
#
# ## Designs: the same passes, less variance
#
# The average over the ten shifts of a set is invariant to $C_{10}$ only. So shuffle first, then shift: for a subgroup
# $H$ of $S_n$ and one uniform $\sigma \in S_n$, average over the *coset* $H\sigma$, which has the elements $h\sigma$:
#
# $$ \hat f_H(x) = \frac1{\lvert H \rvert} \sum_{h \in H} f(h \sigma x) . $$
#
# Each $h\sigma$ is uniform on $S_n$, as $\sigma$ is. So each term has the mean $\mathcal R f(x)$, and the average over
# a coset is **unbiased**. Call $H$ *$t$-transitive* if it takes any $t$ different points to any $t$ different points,
# and say that $f$ has *degree $t$* if it is a sum of functions of $t$ members each.
#
# !!! theorem "Theorem (designs)"
#     1. $\hat f_H(x)$ has $r$ times the variance of a mean of $|H|$ independent draws, where $r$ is the sum over $h \in
#        H$ of the correlation of $f(\sigma x)$ and $f(h \sigma x)$.
#     2. If $f$ is $H$-invariant, $r = |H|$: the design is $|H|$ times *worse*.
#     3. If $H$ is $t$-transitive and $f$ has degree $t$, then $\hat f_H = \mathcal R f$ for every $\sigma$: $r = 0$.
#
# *Proof.* (1) The variance is the mean over $h, h'$ of the covariance of $f(h\sigma x)$ and $f(h'\sigma x)$. As
# $h'\sigma$ is uniform too, it is that of $f(hh'^{-1}\sigma x)$ and $f(\sigma x)$, and $hh'^{-1}$ is each element of $H$
# equally often. (2) All correlations are 1. (3) Take one term, $g(x_{i_1}, \dots, x_{i_t})$. In $h\sigma x$ it reads
# the members $h(i_1), \dots, h(i_t)$ of $\sigma x$. As $h$ runs through $H$, these are all lists of $t$ different
# points, each equally often, since the $h$ that give one list are a coset of the stabilizer of $i_1, \dots, i_t$. So the
# mean is the same for all $t$-transitive groups and all $\sigma$, and $S_n$ is one of these groups. $\blacksquare$
#
# A product of $t$ weighted sums, each over one column, has degree $t$. Here is the spread of its mean over six cosets:

# %%
entries, weights = torch.randn(2, 12, 6, generator=source, dtype=torch.float64) / 2
groups = [projective_group(11, special=special) for special in (True, False)]
rows, spread = [], {}
for H in (cyclic_group(12), *groups, mathieu_group(12)):
    h, t = torch.cat([*H.elements()]).long(), transitivity(H)
    draws = symmetric_group(12).sample(6, source)
    sums = ((entries[sigma[h]] * weights).sum(1) for sigma in draws)
    spread[t] = torch.stack([v.cumprod(1).mean(0) for v in sums]).std(0)
    rows.append({"H": H.name, "order": H.order, "transitivity": t})
    rows[-1] |= {f"t = {t}": f"{v:.0e}" for t, v in enumerate(spread[t], 1)}
table(rows, caption="Spread between cosets, by the degree t")

# %% [markdown]
# Up to the transitivity it is zero to rounding: for degree five, the 95,040 passes of $M_{12}$ stand for 479,001,600.
#
# Part 2 is a trap: a network that was averaged over $C_{10}$ gives one output ten times. The remedy is a second uniform
# permutation, $f(\tau h \sigma x)$, which makes $r$ a mean over the conjugates $\tau h \tau^{-1}$. On the part of $f$ in
# an irreducible representation $\lambda$ of $S_n$ with the character $\chi_\lambda$, the mean of these conjugates acts
# as a number, by Schur's lemma, and its trace says which. So for any network
#
# $$ r_\lambda = \sum_{h \in H} \frac{\chi_\lambda(h)}{\chi_\lambda(1)} $$
#
# on this part ([Diaconis, 1988](../bibliography.md#diaconis-1988)). `SymmetryModel(…, samples=k, design="cosets")` draws
# both, for as many cosets as $k$ permits of a subgroup that [`coset_subgroup`][invariant_nets.coset_subgroup] chooses.
# We build one coset, then measure $r$ for the perceptrons that were trained without an average.

# %%
shifts = (torch.arange(n) + torch.arange(n)[:, None]) % n
design = SymmetryModel(backbone, every, samples=10, design="cosets")
averaged = SymmetryModel(backbone, cyclic_group(n))
torch.manual_seed(1)
sigma, tau = every.sample(1)[0], every.sample(1)[0]
coset = sigma[shifts[:, tau]]  # the orders of τhσx
torch.manual_seed(1)
with torch.no_grad():
    ours, theirs = average(backbone, sets, coset, 10), design(sets)
    trap = torch.stack([averaged(sets[:, order]) for order in sigma[shifts]])
assert torch.allclose(ours, theirs, atol=1e-6)
print(f"averaged over C_10, without τ: spread on a coset {trap.std(0).mean():.0e}")


@torch.no_grad()
def ratios(models, design, passes):
    """Return the variance of k passes, by that of k independent draws: (passes, seeds)."""
    r, few = torch.zeros(len(passes), len(models)), x[:16]
    for i, f in enumerate(models):
        sampled = partial(SymmetryModel, f, every, generator=source)
        one_draw = 2000 * sampled(samples=2000).estimate(few)[1].square().sum()
        for j, k in enumerate(passes):
            model = sampled(samples=k, design=design)
            outputs = torch.stack([model(few) for _ in range(20 + 4000 // k)])
            r[j, i] = k * outputs.var(0).sum() / one_draw
    return r


trained, passes = networks["mlp", "no"], (10, 30, 90, 360, 720)
r = {name: ratios(trained, name, passes) for name in ("independent", "cosets")}
averaged = [SymmetryModel(f, cyclic_group(n)) for f in trained]
worse = ratios(averaged, "cosets", passes[:1])[0]
print(f"averaged over C_10, with τ: r = {worse.mean():.2f} ± {worse.std() / 2:.2f}")
rows = []
for k, own in zip(passes, r["cosets"], strict=True):
    H = coset_subgroup(n, k)
    rows.append({"H": H.name, "transitivity": transitivity(H)} | variance_ratios(H))
    rows[-1] |= {"k": k, "measured r": f"{own.mean():.2f} ± {own.std() / 2:.2f}"}
table(rows, digits=2, caption="r in theory, by representation, and measured")

# %% moves="passes" alt="Log-log plot of the difference of two passes, in standard deviations over orders, against the number of passes. Independent draws lie on the dotted line, the square root of 2/k. Cosets lie a little below it up to 90 passes, and far below it from 360." slide="picture"
fig, ax = plt.subplots(figsize=(5, 3.4))
k = torch.tensor(passes)
ax.loglog(k, (2 / k).sqrt(), "k:", label="$\\sqrt{2/k}$")
for name, values in r.items():
    ax.loglog(k, (2 * values.mean(1) / k).sqrt(), "o-", label=name)
ax.set(xlabel="passes k", ylabel="difference of two passes / s")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# The 2-transitive groups leave a tenth of the variance or less. Cosets of $C_{10}$ gain much less. A network that was
# averaged over $C_{10}$ before has *more* variance, and a single coset has no standard error: `estimate` needs two. So
# `design="independent"` is the default. Ask for cosets where your passes are enough for a 2-transitive subgroup.
#
# ## Check the claims

# %%
# A generated group: invariant to it, not to S_10.
assert (len(dihedral), bool(for_group), bool(for_all)) == (20, True, False)
# Memory: of one chunk without gradients and recomputed, of all chunks with gradients.
bare, kept, redone = megabytes.values()
assert (bare, redone) == (sorted(bare), sorted(redone))
assert bare[-1] > 30 * bare[0]
assert min(kept) > 0.5 * max(kept)
assert redone[0] < 0.1 * kept[0]


def within(values, low, high=math.inf):  # by three errors
    mean, error = paired(values)
    return low < mean - 3 * error < mean + 3 * error < high


# Averaging at test time gains points; in training too, at most three, and loss.
none, late, early, both = [key for key in hits if key[0] == "mlp"]
assert within(hits[late] - hits[none], 0.03)
assert within(hits[both] - hits[late], -0.03, 0.03)
assert within(loss[late] - loss[both], 0.005)
assert within(loss[early] - loss[none], 0.02)
# The identity: the sides agree, and the transformer has less to gain.
gaps = [paired(fall[key] - part[key]) for key in networks]
assert all(abs(gap) < 5 * error for gap, error in gaps)
sides = [side["mlp", "no"] - side["transformer", "no"] for side in (fall, part)]
assert all(within(side, 0) for side in sides)
# Designs: exact up to the transitivity; without τ, ten equal outputs.
assert all(v[:t].max() < 1e-12 and v[t:].min() > 1e-6 for t, v in spread.items())
assert trap.std(0).max() < 1e-6 < 0.01 * trap.std()
# By three errors over seeds: r of C_10, and of the 2-transitive groups.
low, high = (r["cosets"].mean(1) + c * r["cosets"].std(1) for c in (-1.5, 1.5))
assert 0.3 < low[:3].min() < high[:3].max() < 0.85
assert high[3:].max() < 0.12
assert 1.5 * worse.std() < worse.mean() - 1 < 0.2
assert (r["independent"].mean(1) - 1).abs().max() < 0.25
assert design.estimate(sets).standard_error is None

# %% [markdown] slide="verdict"
# ## Summary
#
# - The average over a group is invariant to it and is a projection. It never raises a convex loss; it lowers the
#   squared loss by $\mathbb E\,(f - \mathcal R f)^2$, the part that it removes. The accuracy has no such guarantee.
# - Super-batches need the memory of one chunk. With gradients they need recomputation for that.
# - Test-time augmentation is the control for every averaged model. Here it gives the accuracy.
# - $k$ random orders are invariant in expectation, with an error of $s / \sqrt k$. Cosets are too, with another error:
#   none for functions of low degree, a larger one for networks that the subgroup leaves alone.
#
# ## Where the field went
#
# [Basu et al. (2023)](../bibliography.md#basu-2023) average a large pretrained network over a small group and then
# fine-tune it. [Shanmugam et al. (2021)](../bibliography.md#shanmugam-2021) find that a plain mean at test time turns
# many right answers into wrong ones, as in our three logits, and learn its weights.
#
# Permutations that average low degrees exactly are the designs of [Godsil (1988)](../bibliography.md#godsil-1988), for
# which [Shi et al. (2021)](../bibliography.md#shi-2021) bound the size from below. [Mitchell et al.
# (2022)](../bibliography.md#mitchell-2022) choose permutations for Shapley values that beat independent draws. [Koning
# and Hemerik (2022)](../bibliography.md#koning-2022) replace random elements by a subgroup in tests of invariance.
#
# ## Exercises
#
# **1.** Show that averaging over a subgroup $H$ of $G$ and then over $G$ gives the average over $G$. A network has been
# averaged over $C_{10}$. How many orders does the average over $S_{10}$ still need, by this argument?
#
# ??? success "Solution"
#     $\mathcal R_G \mathcal R_H f(x)$ is the mean of $f(h g x)$. For each $h$ the product $hg$ runs through $G$ as $g$
#     does. All $g$ of one coset $Hg$ give the same $\mathcal R_H f(g x)$, so one of each is enough: $10! / 10$ orders.

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
# **3.** What is $r_\lambda$ for the sign if $H$ is $C_9$ on nine points, $C_{10}$ on ten, $A_5$ on five?
#
# ??? success "Solution"
#     The character is the sign itself. All of $C_9$ and $A_5$ is even, and half of $C_{10}$ is odd.

# %% exercise="3"
answer_3 = ...  # three numbers in a tuple

# %% solution="3"
answer_3 = (9, 0, 60)

# %% check="3"
check_3 = AnswerCheck("08.3", digest="10541c55201c1e70")
check_3(answer_3)

# %% wrong="3"
check_3.holds(answer_3, wrong=[(1, 1, 1), (9, 10, 60), (1, 0, 1), (0, 0, 0)])

# %% [markdown]
# **4.** Build the 2-transitive design $\mathrm{AGL}(1, p)$, $p$ prime: the orders $i \mapsto ai + b$ modulo $p$, as rows.
#
# ??? success "Solution"
#     $a \ne 0$. From $ai + b$ and $aj + b$ one finds $a$, then $b$: each pair of images comes once.


# %% exercise="4"
def affine_orders(p): ...


# %% solution="4"
def affine_orders(p):
    a, b = torch.cartesian_prod(torch.arange(1, p), torch.arange(p)).T[..., None]
    return (a * torch.arange(p) + b) % p


# %% check="4"
def law_4(affine_orders):
    for i, j in ((0, 1), (4, 2)):
        pairs = affine_orders(7)[:, [i, j]].unique(dim=0)
        assert len(pairs) == 42, "any two members should come to any two places"


check_4 = CodeCheck("08.4", law_4)
check_4(affine_orders)

# %% wrong="4"
fixed_b = lambda p: torch.arange(p)[:, None] * torch.arange(p) % p  # noqa: E731
wrong_4 = [fixed_b, lambda p: fixed_b(p)[1:], lambda p: shifts]
check_4.holds(affine_orders, wrong=wrong_4)

# %% [markdown]
# **5.** Write $r_\lambda$ of degree 1 for the `orders` of a subgroup; $\chi_\lambda(h)$ is the number of fixed points less one.
#
# ??? success "Solution"
#     $\chi_\lambda(1) = n - 1$. The sum is 0 for a transitive group, in which the mean number of fixed points is 1.


# %% exercise="5"
def first_ratio(orders): ...


# %% solution="5"
def first_ratio(orders):
    fixed = (orders == torch.arange(orders.shape[1])).sum(1)
    return (fixed - 1).sum() / (orders.shape[1] - 1)


# %% check="5"
def law_5(first_ratio):
    for H in (cyclic_group(5), symmetric_group(4).stabilizer(0)):
        ratio = first_ratio(torch.cat([*H.elements()]))
        assert abs(ratio - variance_ratios(H)["(n-1, 1)"]) < 1e-6, H.name


check_5 = CodeCheck("08.5", law_5)
check_5(first_ratio)

# %% wrong="5"
wrong_5 = [lambda h: first_ratio(h) / len(h), lambda h: first_ratio(h) + 1]
check_5.holds(first_ratio, wrong=[*wrong_5, lambda h: first_ratio(h) * len(h)])

# %% [markdown]
# ## Sources
#
# - [Murphy et al. (2019)](../bibliography.md#murphy-2019): averages over permutations, exact, restricted and sampled.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021): part 4 of the first theorem.
