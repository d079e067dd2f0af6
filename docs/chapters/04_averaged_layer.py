# %% [markdown] slide="question"
# # The averaged equivariant layer
#
# !!! abstract "What you will be able to do"
#     - Prove which linear layers respect the order of a set, and count them for other groups.
#     - Build the averaged layer from its formula, and its fast form.
#     - Stack layers into a network that is invariant by construction, test it and train it.
#     - Compare what it has learned with the ideal answer.
#
# A network of layers cannot see the order of a set if every layer respects it: permute the rows of the input, and the
# rows of the output are permuted alike. Which *linear* layers do that? There are few. This chapter finds them all,
# builds a network that is invariant by construction, and trains it.

# %%
import itertools

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

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
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit, least_loss = bayes_accuracy(n, d, v1, v2), bayes_loss(n, d, v1, v2)

# %% [markdown] slide="theorem"
# ## One feature: two matrices are all there is
#
# Take $d = 1$, so a set is a column $u \in \mathbb R^n$; a permutation acts by $(\sigma \cdot u)_i = u_{\sigma(i)}$. A
# linear map $L$ is *equivariant* if $L(\sigma \cdot u) = \sigma \cdot L(u)$ for all $\sigma$ and $u$.
#
# !!! theorem "Theorem (equivariant linear maps)"
#     For $n \ge 2$ a matrix $L$ is equivariant to $S_n$ if and only if
#
#     $$ L = a\, I + b\, \tfrac1n \mathbf 1 \mathbf 1^\top, \qquad a, b \in \mathbb R . $$
#
#     A linear functional is invariant if and only if it is $b\, \tfrac1n \mathbf 1^\top$, and an equivariant affine
#     map adds one more constant, $c\, \mathbf 1$.
#
# *Proof.* Written in entries, equivariance says that for all $u$, $\sigma$ and $i$
#
# $$ \sum_j L_{ij}\, u_{\sigma(j)} = \sum_j L_{\sigma(i) j}\, u_j
#    = \sum_j L_{\sigma(i) \sigma(j)}\, u_{\sigma(j)} , $$
#
# where the last step renames $j$. So $L$ is equivariant if and only if $L_{ij} = L_{\sigma(i)\sigma(j)}$ for all
# $\sigma$: it must be constant on every orbit of $S_n$ on pairs $(i, j)$. There are two orbits. A permutation can
# take any point to any other, so all pairs $(i, i)$ form one. It can take any two distinct points to any two distinct
# points, so all pairs with $i \ne j$ form the other. Hence $L$ has one value on its diagonal and another off it. In
# the same way the coefficients of an invariant functional, and the entries of a constant that no permutation changes,
# are equal, since $S_n$ has one orbit on points. $\blacksquare$
#
# We can watch the theorem happen: average *any* matrix over the group, and only two numbers survive. As a control we
# count the matrices that commute with the *generators* of a group, by linear algebra. They form the null space of the
# equations $L S - S L = 0$, one for each generator $S$. With fewer permutations to respect, more matrices are left.

# %%
generator = torch.Generator().manual_seed(1)
matrix = torch.randn(5, 5, generator=generator, dtype=torch.float64)
orders = torch.tensor(list(itertools.permutations(range(5))))
averaged = torch.stack([matrix[order][:, order] for order in orders]).mean(0)

eye = torch.eye(5, dtype=torch.float64)
swap, shift = eye[[1, 0, 2, 3, 4]], eye[[1, 2, 3, 4, 0]]


def count_commuting(generators):  # 25 unknowns, minus the independent equations
    equations = [
        torch.kron(eye, S.T.contiguous()) - torch.kron(S, eye) for S in generators
    ]
    return 25 - torch.linalg.matrix_rank(torch.cat(equations)).item()


groups = {"all orders": [swap, shift], "shifts": [shift], "one exchange": [swap]}
counts = {name: count_commuting(S) for name, S in groups.items()}
print("dimension of the matrices that commute with", counts)

# %% alt="Two 5 by 5 grids. Left: a random matrix, every entry different. Right: its average over the 120 permutations, with one color on the diagonal and one everywhere else." slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(7, 3))
pictures = {"any matrix": matrix, "averaged over $S_5$": averaged}
for ax, (title, image) in zip(axes, pictures.items(), strict=True):
    ax.imshow(image, cmap="coolwarm", vmin=-2, vmax=2)
    ax.set_title(title)
    ax.axis("off")
plt.show()

# %% [markdown]
# The two maps have a meaning. Split a set into its mean and the deviations from it, $u = \bar u \mathbf 1 + (u - \bar
# u \mathbf 1)$. Then $L u = (a + b)\, \bar u \mathbf 1 + a\, (u - \bar u \mathbf 1)$: the layer multiplies the mean
# by one number and the deviations by another, and can do nothing else.
#
# ## Many features: average over them
#
# With $d$ features in and several out there is one such map for each pair of an input channel $i$ and an output
# channel $j$. The layer of this book averages them over the inputs:
#
# $$ F(x)_j = \frac1d \sum_{i=1}^d L_{ij}(x_i), \qquad
#    L_{ij}(u) = a_{ij}\, u + b_{ij}\, \bar u\, \mathbf 1 + c_{ij}\, \mathbf 1, $$
#
# where $x_i \in \mathbb R^n$ is here the $i$-th *column* of $x$. Sums of equivariant maps are equivariant, and the
# theorem, applied to each pair of channels, says that every equivariant affine layer has this form. The constants are
# redundant: only their sums $\sum_i c_{ij}$ act, so $d'$ outputs have $3 d d'$ weights but only $2 d d' + d'$ degrees
# of freedom. In the same way the **invariant** layer averages functionals,
#
# $$ F(x)_j = \frac1d \sum_{i=1}^d \bigl( b_{ij}\, \bar x_i + c_{ij} \bigr) . $$
#
# Why average over the channels and not add? The factor $1/d$ changes no function that a layer can represent, since
# the weights can absorb it. It changes the size of the signal at initialization and the course of training, and
# [chapter 5](05_why_sums_saturate.py) measures how.
#
# The formula loops over pairs of channels. Faster is one matrix product for all rows, plus a bias from each set's mean.


# %%
def double_loop(layer, x):
    columns = []
    for j in range(layer.out_channels):
        total = torch.zeros_like(x[..., 0])
        for i in range(layer.in_channels):
            u, mean = x[..., i], x[..., i].mean(-1, keepdim=True)
            total = total + layer.a[i, j] * u + layer.b[i, j] * mean + layer.c[i, j]
        columns.append(total / layer.in_channels)
    return torch.stack(columns, dim=-1)


def fast(layer, x):  # (x a + x̄ b + Σ_i c_i) / d
    bias = x.mean(-2, keepdim=True) @ layer.b + layer.c.sum(0)
    return (x @ layer.a + bias) / layer.in_channels


def multiplications(f, *inputs):  # in matrix products
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        f(*inputs)
    return counter.get_total_flops() / 2  # a multiplication and an addition


torch.manual_seed(0)
layer = LinearEquivariant(16, 16)
layer.c = torch.randn(16, 16)
x = torch.randn(64, n, 16)
with torch.no_grad():
    gaps = [(f(layer, x) - layer(x)).abs().max() for f in (double_loop, fast)]
    before, layer.c = layer(x), layer.c.flip(0)  # another order, the same sums
    redundant = (layer(x) - before).abs().max()
ratio = multiplications(fast, layer, x) / multiplications(nn.Linear(16, 16), x)
print(f"differences {gaps[0]:.0e} and {gaps[1]:.0e}")
print(f"multiplications: {ratio:.2f} times those of nn.Linear")

# %% [markdown] slide="theorem"
# [`LinearEquivariant`][invariant_nets.LinearEquivariant] and [`LinearInvariant`][invariant_nets.LinearInvariant]
# compute the fast form. The matrix products of the equivariant one take $1 + \frac1n$ times the multiplications of an
# ordinary layer. It has three weights per pair of channels, whatever $n$ is, and takes sets of every size.
#
# ## A network that cannot see the order
#
# !!! theorem "Theorem (composition)"
#     Equivariant maps compose to equivariant maps. A function applied to each entry is equivariant. An equivariant
#     map followed by an invariant one is invariant.
#
# *Proof.* $F(G(\sigma x)) = F(\sigma\, G(x)) = \sigma\, F(G(x))$. A function applied to each entry does the same in
# every row, so it commutes with $\sigma$. If $H$ is invariant, $H(F(\sigma x)) = H(\sigma F(x)) = H(F(x))$.
# $\blacksquare$
#
# So we take layers and ReLUs in turn, and an invariant layer at the end. In the control, a layer changes the first row.


# %%
def network(nonlinearity):
    first, second = LinearEquivariant(d, 10), LinearEquivariant(10, 10)
    hidden = first, nonlinearity(), second, nonlinearity()
    return nn.Sequential(*hidden, LinearInvariant(10, 1))


class FirstRow(nn.Module):
    def forward(self, x):
        return x + 0.01 * (torch.arange(x.shape[1]) == 0)[:, None]


torch.manual_seed(0)
model = network(nn.ReLU)
broken = nn.Sequential(model[:2], FirstRow(), model[2:])
sets = torch.randn(256, n, d, generator=torch.Generator().manual_seed(2))
checks = {
    "layers, equivariant": test_equivariant(model[:4], sets),
    "network, invariant": test_invariant(model, sets),
    "one layer broken": test_invariant(broken, sets),
}
for name, report in checks.items():
    print(f"{name:20} {bool(report)!s:5} error {report.relative_error:.0e}")

# %% [markdown]
# ### How much can it express?
#
# Every *continuous* invariant function on a *compact* domain, at a *fixed* size $n$, can be approximated uniformly by
# networks of such layers, if they are wide enough. Zaheer et al. (2017) give the argument for sets of scalars; Segol
# and Lipman (2020) extend it to equivariant functions of sets of vectors. This says what exists, not what Adam finds.
#
# The nonlinearity is necessary. Without the ReLUs the network is one linear invariant map, and sees nothing of a set
# but its mean, like the column sums of [chapter 2](02_task.py#what-weaker-summaries-keep).

# %%
linear_only = network(nn.Identity)
other = torch.randn(256, n, d, generator=torch.Generator().manual_seed(3))
same_mean = other - other.mean(1, keepdim=True) + sets.mean(1, keepdim=True)
with torch.no_grad():
    blind = (linear_only(sets) - linear_only(same_mean)).abs().max().item()
    seeing = (model(sets) - model(same_mean)).abs().max().item()
from_means = bayes_accuracy(1, d, v1, v2)
print(
    f"same means: outputs differ by {blind:.0e} without ReLU, {seeing:.0e} with it;"
)
print(
    f"best accuracy from the means {from_means:.3f}, from all members {limit:.3f}"
)

# %% [markdown]
# ## Training
#
# The package builds this network as [`intrinsic(n, d)`][invariant_nets.intrinsic]. We train it on logits with Adam,
# on 800 sets drawn anew in each of 60 epochs, in batches of 50, with a learning rate of $3 \cdot 10^{-3}$. Each of
# three seeds has initial weights and data of its own. The control is the same network without ReLUs, for 6 epochs.

# %%
fresh = GaussianDataset(50_000, (n, d), v1, v2, static=True, seed=100)
x_fresh, y_fresh = next(iter(DataLoader(fresh, len(fresh))))


def trained(build, epochs):
    """Train a network per seed; return the logits of fresh sets, and the histories."""
    logits, histories = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        model = build()
        train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=seed)
        test = GaussianDataset(2000, (n, d), v1, v2, static=False, seed=seed + 10)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
        loaders = DataLoader(train, 50), DataLoader(test, 2000)
        histories.append(trainer.fit(*loaders, num_epochs=epochs))
        with torch.no_grad():
            logits.append(model(x_fresh)[:, 0])
    return torch.stack(logits), histories


def scores(logits):
    """Return the accuracy and the loss on fresh sets for each seed."""
    y = y_fresh[:, 0].expand_as(logits)
    losses = binary_cross_entropy_with_logits(logits, y, reduction="none")
    return ((logits > 0) == (y > 0.5)).double().mean(1), losses.double().mean(1)


logits, histories = trained(lambda: intrinsic(n, d), epochs=60)
linear_logits, _ = trained(lambda: network(nn.Identity), epochs=6)
found = {"intrinsic": scores(logits), "without ReLU": scores(linear_logits)}
found["Bayes limit"] = torch.tensor([limit] * 3), torch.tensor([least_loss] * 3)
rows = [
    {"": k, "accuracy": a.mean(), "± over seeds": a.std(), "loss": loss.mean()}
    for k, (a, loss) in found.items()
]
parameters = sum(p.numel() for p in model.parameters())
table(rows, digits=4, caption=f"50,000 fresh sets; {parameters} parameters")

# %% alt="Loss and accuracy of the first seed over 60 epochs. Within twenty epochs the test loss falls close to the dashed least possible loss, and the test accuracy climbs from about one half close to the dashed Bayes limit. Then both scatter." slide="picture"
histories[0].plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# A few hundred parameters come within three points of the best possible. Without the ReLUs the accuracy stays near one
# half. What did the network find? We compare its logit with the true log-odds, a function of $T = \sum_{ij} x_{ij}^2$.

# %%
T = x_fresh.square().sum((-2, -1))
true = (1 / v1 - 1 / v2) / 2 * T + n * d / 2 * np.log(v1 / v2)
slopes, scatters = [], []
for logit in logits:
    slope, constant = np.polyfit(true, logit, 1)
    slopes.append(slope)
    scatters.append((logit - slope * true - constant).std() / (slope * true).std())
print("slope against the true log-odds:", np.round(slopes, 2))
print("scatter, in units of the fit:   ", np.round(scatters, 2))

# %% alt="The logit of a trained network against the true log-odds for two thousand sets: a rising band, a little less steep than the dashed diagonal." slide="picture"
fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(true[:2000], logits[0, :2000], ".", ms=3, alpha=0.5, rasterized=True)
ax.plot([-4, 4], [-4, 4], "--", color="C1", label="the true log-odds")
ax.set(xlabel="true log-odds", ylabel="logit of the network")
ax.legend()
plt.show()

# %% [markdown]
# No one has told it about squares, and yet its logit follows the true log-odds, with a slope a little below 1: far from
# the threshold it is somewhat too cautious. Around that slope it scatters by about a third of the spread. This
# scatter is what it still lacks: the logit of the ideal network would be a function of $T$.
#
# **Try it.** `intrinsic` consists of such layers, `deep-sets` sums what a small network makes of each row, `mlp` reads the
# matrix. Shuffle the rows: only `mlp` moves. Swap two columns: all three move, for no layer here knows of the columns.
#
# <div data-play="playground" data-needs="playground claims" data-models="mlp intrinsic deep-sets" data-actions="shift swap shuffle column-swap edit"></div>
#
# ## Check the claims

# %%
# Two numbers survive the average, and two dimensions commute; smaller groups leave more.
off = averaged[~torch.eye(5, dtype=torch.bool)]
assert torch.allclose(averaged.diagonal(), averaged[0, 0].expand(5))
assert torch.allclose(off, off[0].expand(20))
assert list(counts.values()) == [2, 5, 17]

# The forms agree, constants are redundant, and the cost is 1 + 1/n.
assert max(*gaps, redundant) < 1e-5
assert abs(ratio - (1 + 1 / n)) < 1e-9
pool = LinearInvariant(16, 3)
pool.c = torch.randn(16, 3)
formula = (x.mean(1) @ pool.b + pool.c.sum(0)) / 16
assert torch.allclose(pool(x), formula, atol=1e-5)

# Equivariant, invariant, for every size of set; one broken layer is found.
assert [bool(report) for report in checks.values()] == [True, True, False]
big = torch.randn(64, 37, d)
assert test_equivariant(model[:4], big)
assert test_invariant(model, big)

# Without a nonlinearity only the mean counts, and training stays near one half.
assert blind < 1e-5 < 1e-2 < seeing
assert (found["without ReLU"][0] - 0.5).abs().max() < 0.03

# The trained networks: within three points of the limit on average; what they found.
accuracy, loss = found["intrinsic"]
assert limit - 0.03 < accuracy.mean() < limit
assert ((least_loss < loss) & (loss < least_loss + 0.06)).all()
assert abs(np.mean(histories[0].test_loss[20:]) - least_loss) < 0.04  # the curves
assert parameters == sum(p.numel() for p in intrinsic(n, d).parameters()) < 1_000
assert 0.75 < min(slopes) < max(slopes) < 0.97
assert 0.2 < min(scatters) < max(scatters) < 0.45

# %% [markdown] slide="verdict"
# ## Summary
#
# - A linear map of sets with one feature is equivariant to $S_n$ if and only if it has one number on the diagonal and
#   another off it: it multiplies the mean by one number and the deviations by another.
# - The averaged layer has such a map for each pair of channels. Its matrix products take $1 + 1/n$ times the
#   multiplications of an ordinary layer, and its weights do not depend on $n$.
# - Equivariant layers, functions of each entry and an invariant layer at the end make an invariant network. Without
#   a nonlinearity it sees the mean alone.
# - On our task the network comes within three points of the limit, and its logit follows the true log-odds.
#
# ## Where the field went
#
# How much do such networks express? [Segol and Lipman (2020)](../bibliography.md#segol-2020) show that a network that
# treats every member by itself and pools only at the end cannot approximate all equivariant functions, and that one
# linear layer which carries the pool back to the members is enough: the term $b$ of this chapter. [Wagstaff et al.
# (2019)](../bibliography.md#wagstaff-2019) and [(2022)](../bibliography.md#wagstaff-2022) show that the space in which
# one pools must be large enough: with one dimension too few, there are functions for which the worst error is no
# better than that of a constant. [Amir et al. (2023)](../bibliography.md#amir-2023) show that pooled features of a
# piecewise linear network such as ours cannot separate all sets, and that those of analytic activations can.
#
# Others enlarged the space of layers. [Maron et al. (2020)](../bibliography.md#maron-2020) characterize the linear
# layers for sets whose members have a symmetry of their own, and [Pearce-Crump
# (2022)](../bibliography.md#pearce-crump-2022) describes those between tuples of members by diagrams. [Chapter
# 12](12_any_group.py) finds the layers of any permutation group.
#
# ## Exercises
#
# **1.** For sets with a single member the theorem's two matrices coincide. How many numbers determine what a layer
# with 3 input and 2 output channels does to such sets?
#
# ??? success "Solution"
#     The mean is the member, so only the 6 sums $a_{ij} + b_{ij}$ and the 2 sums $\sum_i c_{ij}$ matter.

# %% exercise="1"
answer_1 = ...

# %% solution="1"
answer_1 = 3 * 2 + 2

# %% check="1"
check_1 = AnswerCheck("04.1", digest="c2e260a1d4e33d25")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[18, 12, 14, 6])

# %% [markdown]
# **2.** Build the matrix that commutes with all cyclic shifts and has a given first column.
#
# ??? success "Solution"
#     The orbits of $C_n$ on pairs are the differences $i - j \bmod n$, so $L_{ij} = c_{i - j \bmod n}$: each column
#     is the one before it, shifted. The layer is a circular convolution.


# %% exercise="2"
def circulant(c):
    """Return the matrix that commutes with the cyclic shifts and has first column c."""
    ...


# %% solution="2"
def circulant(c):
    """Return the matrix that commutes with the cyclic shifts and has first column c."""
    return torch.stack([c.roll(i) for i in range(len(c))], dim=1)


# %% check="2"
def law_2(circulant):
    source = torch.Generator().manual_seed(2)
    c = torch.randn(6, generator=source, dtype=torch.float64)
    turn = torch.eye(6, dtype=torch.float64).roll(1, 0)
    L = circulant(c)
    assert torch.equal(L[:, 0], c), "the first column should be c"
    assert torch.allclose(turn @ L, L @ turn), "it should commute with the shift"


check_2 = CodeCheck("2", law_2)
check_2(circulant)

# %% wrong="2"
wrong_2 = [
    torch.diag,
    lambda c: torch.stack([c.roll(-i) for i in range(6)], 1),
    lambda c: c[:, None].expand(6, 6),
]
check_2.holds(circulant, wrong=wrong_2)

# %% [markdown]
# **3.** Build the inverse of $L = a I + b \frac1n \mathbf 1 \mathbf 1^\top$, for $a \ne 0$ and $a + b \ne 0$, as a pair
# $(a', b')$ of the same form.
#
# ??? success "Solution"
#     $L$ multiplies the deviations by $a$ and the mean by $a + b$. So $a' = 1/a$ and $a' + b' = 1/(a + b)$, and
#     $b' = -b / \bigl(a (a + b)\bigr)$.


# %% exercise="3"
def inverse(a, b):
    """Return (a', b') of the inverse of a I + b 11ᵀ/n."""
    ...


# %% solution="3"
def inverse(a, b):
    """Return (a', b') of the inverse of a I + b 11ᵀ/n."""
    return 1 / a, -b / (a * (a + b))


# %% check="3"
def law_3(inverse):
    one = torch.eye(5, dtype=torch.float64)
    pool = torch.ones_like(one) / 5
    for a, b in ((2.0, -0.5), (-1.0, 3.0), (0.3, 0.1)):
        a_, b_ = inverse(a, b)
        product = (a * one + b * pool) @ (a_ * one + b_ * pool)
        assert torch.allclose(product, one), "the product should be the identity"


check_3 = CodeCheck("3", law_3)
check_3(inverse)

# %% wrong="3"
wrong_3 = [
    lambda a, b: (1 / a, 1 / b),
    lambda a, b: (1 / a, -b / a**2),
    lambda a, b: (1 / a, 1 / (a + b)),
]
check_3.holds(inverse, wrong=wrong_3)

# %% [markdown]
# **4.** Build the equivariant layer with sum pooling and *without* the factor $1/d$.
#
# ??? success "Solution"
#     One matrix product gives the rows, and the bias is computed once for each set.


# %% exercise="4"
def sum_layer(x, a, b, c):
    """Return x a + (sum over the set) b + c: (batch, n, in) to (batch, n, out)."""
    ...


# %% solution="4"
def sum_layer(x, a, b, c):
    """Return x a + (sum over the set) b + c: (batch, n, in) to (batch, n, out)."""
    return x @ a + (x.sum(1, keepdim=True) @ b + c)


# %% check="4"
def law_4(sum_layer):
    torch.manual_seed(4)
    layer = LinearEquivariant(3, 2, normalization="sum", pooling="sum")
    layer.c = torch.randn(3, 2)
    x = torch.randn(4, 6, 3)
    y = sum_layer(x, layer.a, layer.b, layer.c.sum(0))
    assert y.shape == (4, 6, 2), "the output should have a row for each member"
    assert torch.allclose(y, layer(x), atol=1e-5), "it should agree with our layer"


check_4 = CodeCheck("4", law_4)
check_4(sum_layer)

# %% wrong="4"
wrong_4 = [
    lambda x, a, b, c: x @ a + x.mean(1, keepdim=True) @ b + c,
    lambda x, a, b, c: (x @ a + x.sum(1, keepdim=True) @ b + c) / 3,
    lambda x, a, b, c: x @ a + x.sum(2, keepdim=True) * b.sum(0) + c,
]
check_4.holds(sum_layer, wrong=wrong_4)

# %% [markdown]
# **5.** Compare two layers from 10 members with 10 features to the same shape: the equivariant layer, and an affine
# layer that treats the 100 entries as one long vector. How many degrees of freedom has each? Answer with a pair.
#
# ??? success "Solution"
#     The equivariant one has $2 \cdot 10 \cdot 10 + 10 = 210$, the dense one $100 \cdot 100 + 100 = 10{,}100$.

# %% exercise="5"
answer_5 = ...  # equivariant, dense

# %% solution="5"
answer_5 = 2 * 10 * 10 + 10, 100 * 100 + 100

# %% check="5"
check_5 = AnswerCheck("04.5", digest="4ea25f29ddbbcf6a")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(300, 10100), (200, 10000), (210, 1000)])

# %% [markdown]
# ## Sources
#
# - [Zaheer et al. (2017)](../bibliography.md#zaheer-2017), *Deep Sets*: the layer with two parameters.
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017), *Equivariance Through Parameter-Sharing*: layers
#   from the orbits of a group on pairs.
# - [Maron et al. (2019)](../bibliography.md#maron-2019), *Invariant and Equivariant Graph Networks*: bases of all
#   equivariant linear maps.
