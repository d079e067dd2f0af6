# %% [markdown]
# # The averaged equivariant layer
#
# A network of layers cannot see the order of a set if every layer respects it: permute the rows
# of the input, and the rows of the output are permuted alike. Which *linear* layers do that?
# There are surprisingly few, and they cost no more than an ordinary one. This chapter finds them
# all, builds a network that is invariant by construction, and trains it.

# %%
import itertools
import time

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    LinearEquivariant,
    LinearInvariant,
    bayes_accuracy,
    bayes_loss,
    intrinsic,
    test_equivariant,
    test_invariant,
)
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

# %% [markdown]
# ## One feature: two matrices are all there is
#
# Take $d = 1$, so a set is a column $u \in \mathbb R^n$, and a permutation acts by
# $(\sigma \cdot u)_i = u_{\sigma(i)}$. A linear map $L$ is *equivariant* if
# $L(\sigma \cdot u) = \sigma \cdot L(u)$ for every $\sigma \in S_n$ and every $u$.
#
# !!! abstract "Theorem (equivariant linear maps)"
#     For $n \ge 2$ a matrix $L$ is equivariant to $S_n$ if and only if
#
#     $$ L = a\, I + b\, \tfrac1n \mathbf 1 \mathbf 1^\top, \qquad a, b \in \mathbb R . $$
#
#     A linear functional is invariant if and only if it is $b\, \tfrac1n \mathbf 1^\top$, and an
#     equivariant affine map adds one more constant, $c\, \mathbf 1$.
#
# *Proof.* Written in entries, equivariance says that for all $u$, $\sigma$ and $i$
#
# $$ \sum_j L_{ij}\, u_{\sigma(j)} = \sum_j L_{\sigma(i) j}\, u_j
#    = \sum_j L_{\sigma(i) \sigma(j)}\, u_{\sigma(j)} , $$
#
# where the last step renames $j$. So $L$ is equivariant if and only if
# $L_{ij} = L_{\sigma(i)\sigma(j)}$ for all $\sigma$: it must be constant on every orbit of $S_n$
# on pairs $(i, j)$. There are two orbits. A permutation can take any point to any other, so all
# pairs $(i, i)$ form one; it can take any two distinct points to any two distinct points, so all
# pairs with $i \ne j$ form the other. Hence $L$ has one value on its diagonal and one beside it,
# which is the form above. In the same way the coefficients of an invariant functional, and the
# entries of a constant that no permutation changes, are equal, since $S_n$ has one orbit on points.
# $\blacksquare$
#
# We can watch the theorem happen: average *any* matrix over the group, and only the two numbers
# survive.

# %% alt="Two 5 by 5 grids. Left: a random matrix, every entry different. Right: its average over the 120 permutations, with one color on the diagonal and one everywhere else."
generator = torch.Generator().manual_seed(1)
matrix = torch.randn(5, 5, generator=generator, dtype=torch.float64)
orders = torch.tensor(list(itertools.permutations(range(5))))
averaged = torch.stack([matrix[order][:, order] for order in orders]).mean(0)

fig, axes = plt.subplots(1, 2, figsize=(7, 3))
for ax, image, title in zip(
    axes, (matrix, averaged), ("any matrix", "averaged over $S_5$"), strict=True
):
    shown = ax.imshow(image, cmap="coolwarm", vmin=-2, vmax=2)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
fig.colorbar(shown, ax=axes, shrink=0.8)
plt.show()

# %% [markdown]
# The two maps have a meaning. Split a set into its mean and the deviations from it,
# $u = \bar u \mathbf 1 + (u - \bar u \mathbf 1)$. Then
# $L u = (a + b)\, \bar u \mathbf 1 + a\, (u - \bar u \mathbf 1)$: the layer scales the mean by one
# number and the deviations by another, and can do nothing else. In the language of representations
# these are the two irreducible parts of $\mathbb R^n$, and the theorem is Schur's lemma.
#
# ## Many features: average over them
#
# With $d$ features in and several out there is one such map for each pair of an input channel $i$
# and an output channel $j$. The layer of this book averages them over the inputs:
#
# $$ F(x)_j = \frac1d \sum_{i=1}^d L_{ij}(x_i), \qquad
#    L_{ij}(u) = a_{ij}\, u + b_{ij}\, \bar u\, \mathbf 1 + c_{ij}\, \mathbf 1, $$
#
# where $x_i \in \mathbb R^n$ is here the $i$-th *column* of $x$. Sums of equivariant maps are
# equivariant, and the theorem, applied to each pair of channels, says that no other affine layer is.
# Why average and not add? [Chapter 5](05_why_sums_saturate.py) is about that factor.
#
# Literally, the formula is a double loop over channels. Nobody should run it, but it is short, and
# it says what the fast form must give.


# %% measured="×"
def double_loop(layer: LinearEquivariant, x: torch.Tensor) -> torch.Tensor:
    columns = []
    for j in range(layer.out_channels):
        total = torch.zeros_like(x[..., 0])
        for i in range(layer.in_channels):
            u = x[..., i]
            mean = u.mean(-1, keepdim=True)
            total = total + layer.a[i, j] * u + layer.b[i, j] * mean + layer.c[i, j]
        columns.append(total / layer.in_channels)
    return torch.stack(columns, dim=-1)


torch.manual_seed(0)
layer = LinearEquivariant(16, 16)
x = torch.randn(64, n, 16)
difference = (double_loop(layer, x) - layer(x)).abs().max().item()


def median_seconds(function, rounds: int = 15) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


plain = nn.Linear(16, 16)
seconds = {
    "double loop": median_seconds(lambda: double_loop(layer, x)),
    "LinearEquivariant": median_seconds(lambda: layer(x)),
    "nn.Linear": median_seconds(lambda: plain(x)),
}
print(f"largest difference {difference:.1e}")
for name, value in seconds.items():
    print(f"{name:18} {value / seconds['nn.Linear']:6.1f} × nn.Linear")

# %% [markdown]
# [`LinearEquivariant`][invariant_nets.LinearEquivariant] computes what every row shares
# once, $\frac1d (\bar x b + \sum_i c_i)$, and adds it to $\frac1d\, x a$ in one matrix product: it
# is a bare `nn.Linear` with a bias of its own for each set. It has three weights a pair of channels,
# whatever $n$ is, and takes sets of every size.
#
# ## A network that cannot see the order
#
# !!! abstract "Theorem (composition)"
#     Equivariant maps compose to equivariant maps. A function applied to each entry is equivariant.
#     An equivariant map followed by an invariant one is invariant.
#
# *Proof.* $F(G(\sigma x)) = F(\sigma\, G(x)) = \sigma\, F(G(x))$. A function applied to each entry
# does the same in every row, so it does not matter when the rows are permuted. And if $H$ is
# invariant, $H(F(\sigma x)) = H(\sigma F(x)) = H(F(x))$. $\blacksquare$
#
# So layers and ReLUs in turn, and at the end a
# [`LinearInvariant`][invariant_nets.LinearInvariant], which has a mean but no members left:

# %%
torch.manual_seed(0)
model = nn.Sequential(
    LinearEquivariant(d, 10),
    nn.ReLU(),
    LinearEquivariant(10, 10),
    nn.ReLU(),
    LinearInvariant(10, 1),
)
sets = torch.randn(256, n, d, generator=torch.Generator().manual_seed(2))
print(test_equivariant(model[:4], sets))
print()
print(test_invariant(model, sets))

# %% [markdown]
# The errors that the reports name are rounding: the set is summed in another order. What they mean
# shows beside the spread of the outputs over different sets, which is many orders of magnitude
# larger.
#
# ### How much can it express?
#
# For the network's task equivariance costs nothing, in the following sense. Every *continuous*
# invariant function on a *compact* domain, at a *fixed* size $n$, can be approximated uniformly by
# networks of such layers, if they are wide enough; Zaheer et al. (2017) give the argument for sets
# of scalars, and Segol and Lipman (2020) extend it to equivariant functions of sets of vectors. The
# adjectives carry weight. Exact and continuous representation by a pooled sum needs an inner
# dimension that grows with $n$ (Wagstaff et al., 2019); nothing is promised for sets of another
# size; and a narrow network approximates nothing well. It is a statement about what exists, not
# about what Adam finds.
#
# One thing can be said at once. Without the ReLUs the network is one linear invariant map, and
# sees nothing of a set but its mean: no better than the column sums of
# [chapter 2](02_task.py#what-weaker-summaries-keep).

# %%
linear_only = nn.Sequential(
    LinearEquivariant(d, 10), LinearEquivariant(10, 10), LinearInvariant(10, 1)
)
with torch.no_grad():
    other = torch.randn(256, n, d, generator=torch.Generator().manual_seed(3))
    same_mean = other - other.mean(1, keepdim=True) + sets.mean(1, keepdim=True)
    blind = (linear_only(sets) - linear_only(same_mean)).abs().max().item()
    seeing = (model(sets) - model(same_mean)).abs().max().item()
print("other members, the same means: the outputs differ by")
print(f"  {blind:.1e} without ReLU, {seeing:.1e} with it")
print(f"best accuracy from the means alone: {bayes_accuracy(1, d, v1, v2):.3f}")

# %% [markdown]
# ## Training
#
# The package builds this network as [`intrinsic(n, d)`][invariant_nets.intrinsic]. It is
# trained as the other models of the book are: 800 sets drawn anew in each epoch, batches of 32, Adam
# with learning rate $10^{-3}$, on logits. Here it has 200 epochs.

# %% measured="s"
torch.manual_seed(0)
model = intrinsic(n, d)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=0)
test = GaussianDataset(1_000, (n, d), v1, v2, static=False, seed=1)
trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
history = trainer.fit(DataLoader(train, 32), DataLoader(test, 500), num_epochs=200)
print(history)

# %% alt="Loss and accuracy of training and test over 200 epochs. For some epochs both accuracies stay at one half; then they climb, within about thirty epochs, to the dashed Bayes limit, and scatter just below it. The losses fall at the same time to just above the dashed least possible loss. Training and test stay together."
history.plot(bayes_accuracy=limit, bayes_loss=bayes_loss(n, d, v1, v2))

# %%
fresh = GaussianDataset(100_000, (n, d), v1, v2, static=True, seed=2)
with torch.no_grad():
    hits = [
        ((model(x) > 0) == (y > 0.5)).double().mean()
        for x, y in DataLoader(fresh, 10_000)
    ]
accuracy = torch.stack(hits).mean().item()
error = (accuracy * (1 - accuracy) / len(fresh)) ** 0.5
parameters = sum(p.numel() for p in model.parameters())
table(
    [
        {
            "": "intrinsic network",
            "accuracy": accuracy,
            "gap to the limit": limit - accuracy,
        },
        {"": "Bayes limit", "accuracy": limit, "gap to the limit": 0.0},
    ],
    digits=4,
    caption=f"On {len(fresh):,} fresh sets; standard error {error:.4f}; {parameters} parameters.",
)

# %% [markdown]
# A few hundred parameters come within about a point of the best that any classifier can do, and
# training and test accuracy stay together, since no set is seen twice. What did the network find?
# Ask it for its logit and hold that against the true log-odds, which depend on
# $T = \sum_{ij} x_{ij}^2$ alone.

# %% alt="The logit of the trained network against T for two thousand sets: a narrow falling band around the dashed line of the true log-odds, a little less steep than the line."
with torch.no_grad():
    shown, _ = next(iter(DataLoader(fresh, 10_000)))
    T = shown.square().sum((-2, -1))
    logits = model(shown)[:, 0]
true_log_odds = (1 / v1 - 1 / v2) / 2 * T + n * d / 2 * np.log(v1 / v2)
slope, intercept = np.polyfit(true_log_odds, logits, 1)
scatter = (logits - slope * true_log_odds - intercept).std().item()
spread = true_log_odds.std().item()
print(
    f"logit ≈ {slope:.2f} × true log-odds {intercept:+.2f}, scatter {scatter:.2f}; "
    f"the true log-odds have standard deviation {spread:.2f}"
)
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.plot(
    T[:2_000],
    logits[:2_000],
    ".",
    ms=3,
    alpha=0.5,
    rasterized=True,
    label="network",
)
ax.plot(
    T.sort().values,
    true_log_odds[T.argsort()],
    "--",
    color="C1",
    label="true log-odds",
)
ax.set(xlabel=r"$T = \sum_{ij} x_{ij}^2$", ylabel="logit")
ax.legend()
plt.show()

# %% [markdown]
# Nobody told it about squares, and yet its logit follows the true log-odds, with a slope that is a
# little below 1: far from the threshold the network is somewhat too cautious. Around that slope it
# scatters by about a quarter of the standard deviation of the log-odds. This scatter is what it
# still lacks: the logit of the ideal network would be a function of $T$.
#
# ## Check the claims

# %%
# Averaging over the group leaves one value on the diagonal and one beside it.
assert torch.allclose(averaged.diagonal(), averaged[0, 0].expand(5))
off = averaged[~torch.eye(5, dtype=torch.bool)]
assert torch.allclose(off, off[0].expand(20))

# The fast form is the formula, and far faster than the loop.
assert difference < 1e-5
assert seconds["double loop"] > 10 * seconds["LinearEquivariant"]

# Equivariant, invariant, and for every size of set.
big = torch.randn(64, 37, d)
assert test_equivariant(intrinsic(n, d)[:4], big)
assert test_invariant(intrinsic(n, d), big)
assert test_invariant(model, sets).relative_error < 1e-4

# Without a nonlinearity only the mean counts.
assert blind < 1e-5 < 1e-2 < seeing

# The trained network: within about a point of the limit, no gap between training and test.
assert limit - 0.018 < accuracy < limit + 4 * error
assert parameters < 1_000
assert (
    abs(np.mean(history.train_acc[-20:]) - np.mean(history.test_acc[-20:])) < 0.02
)
# From one half to the limit within about thirty epochs, and the loss with it.
assert np.mean(history.test_acc[:3]) < 0.54
assert np.mean(history.test_acc[30:40]) > limit - 0.04
least = bayes_loss(n, d, v1, v2)
assert least - 0.01 < np.mean(history.test_loss[-50:]) < least + 0.025
# The logit follows the true log-odds.
assert 0.8 < slope < 1
assert 0.15 * spread < scatter < 0.35 * spread

# %% [markdown]
# ## Exercises
#
# **1.** For $n = 1$ the theorem's two matrices coincide. What does the layer do to a set with a
# single member, and how many of its weights matter?
#
# ??? success "Solution"
#     The mean is the member: $F(x)_j = \frac1d \sum_i \bigl((a_{ij} + b_{ij})\, x_i + c_{ij}\bigr)$.
#     It is an ordinary affine layer with weights $\frac1d (a + b)$; only the sum of $a$ and $b$
#     matters.
#
# **2.** Which matrices commute only with the cyclic shifts, and how many free numbers do they have?
#
# ??? success "Solution"
#     The orbits of $C_n$ on pairs are the differences $j - i \bmod n$, so there are $n$ of them:
#     $L_{ij} = w_{j - i \bmod n}$, the circulant matrices. The layer is a circular convolution.
#
# **3.** When is the layer $L = a I + b \frac1n \mathbf 1 \mathbf 1^\top$ invertible, and what is its
# inverse?
#
# ??? success "Solution"
#     It multiplies the mean by $a + b$ and the deviations by $a$, so it is invertible if and only
#     if both are non-zero (for $n \ge 2$), and the inverse is equivariant too: it has
#     $a' = 1/a$ and $a' + b' = 1/(a + b)$, so $b' = -b / \bigl(a (a + b)\bigr)$.

# %% fold="Solutions of exercises 1, 2 and 3, in code"
one = LinearEquivariant(3, 2)
member = torch.randn(4, 1, 3)
ordinary = (member @ (one.a + one.b) + one.c.sum(0)) / 3
assert torch.allclose(one(member), ordinary, atol=1e-6)

shifts = [torch.arange(5).roll(k) for k in range(5)]
circulant = torch.stack([matrix[shift][:, shift] for shift in shifts]).mean(0)
difference_of = (torch.arange(5) - torch.arange(5)[:, None]) % 5
assert torch.allclose(circulant, circulant[0][difference_of])
print(
    "averaged over the shifts, five numbers are left:",
    circulant[0].numpy().round(2),
)

a, b = 2.0, -0.5
ones = torch.full((5, 5), 1 / 5)
inverse = torch.eye(5) / a - b / (a * (a + b)) * ones
product = (a * torch.eye(5) + b * ones) @ inverse
assert torch.allclose(product, torch.eye(5), atol=1e-6)

# %% [markdown]
# ## Sources
#
# - [Zaheer et al. (2017)](../bibliography.md#zaheer-2017), *Deep Sets*: the two-parameter layer and
#   universality for sets of scalars.
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017), *Equivariance Through
#   Parameter-Sharing*: layers from the orbits of a group on pairs.
# - [Maron et al. (2019)](../bibliography.md#maron-2019), *Invariant and Equivariant Graph Networks*:
#   bases of all equivariant linear maps.
# - [Segol and Lipman (2020)](../bibliography.md#segol-2020), *On Universal Equivariant Set Networks*,
#   and [Wagstaff et al. (2019)](../bibliography.md#wagstaff-2019), *On the Limitations of
#   Representing Functions on Sets*: what such networks can approximate, and what they cannot.
