# %% [markdown]
# # Why sums saturate
#
# The [averaged layer](04_averaged_layer.py) divides by the number of features and takes the mean of
# a set where others take sums. Take sums everywhere, draw the weights from the standard normal law,
# as one might at first, and the network does not train: its outputs are exactly 0 or 1 before it has
# seen a label. Where do such numbers come from, why can they not be trained away, and how should a
# layer of sets begin?

# %%
import math

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    LinearEquivariant,
    bayes_accuracy,
    intrinsic,
)
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)
data = GaussianDataset(400, (n, d), v1, v2, static=True, seed=0)
sets, labels = next(iter(DataLoader(data, batch_size=len(data))))

# %% [markdown]
# ## Two sums
#
# A layer that maps $d$ channels to others adds up twice, over the channels $i$ and over the members
# of the set:
#
# $$ F(x)_j = s \sum_{i=1}^d \bigl( a_{ij}\, x_i + b_{ij}\, \mathrm{pool}(x_i)\, \mathbf 1
#    + c_{ij}\, \mathbf 1 \bigr), $$
#
# with $s = 1$, $1/\sqrt d$ or $1/d$, and the pool a sum or a mean. Let all weights be independent
# standard normals, and follow two numbers through the network: the second moment of an entry,
# $A = \mathbb E\, x_{ki}^2$, and that of the same feature of two different members,
# $C = \mathbb E\, x_{ki} x_{li}$ for $k \ne l$. Expectations are over data and weights.
#
# !!! abstract "Theorem (second moments)"
#     One layer turns $A$ and $C$ into
#
#     $$ A' = s^2 d\, (A + P + 1), \qquad C' = s^2 d\, (C + P + 1), $$
#
#     where $P$ is the second moment of the pool: $nA + n(n-1)C$ for a sum, and that over $n^2$ for a
#     mean. A ReLU turns them, if the entries are jointly Gaussian, into
#
#     $$ \frac A2 \quad \text{and} \quad
#        \frac{A}{2\pi} \bigl( \sin\theta + (\pi - \theta) \cos\theta \bigr), \qquad
#        \cos\theta = \frac CA . $$
#
# *Proof.* Weights are independent with mean 0 and variance 1, so in the square of $F(x)_{kj}$ only
# the squares of single terms survive: $s^2$ times $d$ times the second moments of $x_{ki}$, of the
# pool, and of 1. In the product of two members, $x_{ki} x_{li}$ takes the place of $x_{ki}^2$. The
# pool's second moment is that of a sum of $n$ terms, $n$ of kind $A$ and $n (n-1)$ of kind $C$. The
# ReLU halves the square of a symmetric variable; its product is the arc-cosine kernel of Cho and
# Saul (2009). $\blacksquare$
#
# For wide layers the entries are nearly Gaussian, so the recursion should predict what a random
# network puts out. It starts with $A$ between the two variances and $C = 0$.


# %%
SCALES = {"sum": lambda d: 1.0, "sqrt": lambda d: d**-0.5, "mean": lambda d: 1 / d}


def theory(widths: list[int], normalization: str, pooling: str) -> list[float]:
    """Return the predicted rms after every layer; the last layer only pools."""
    A, C = (v1 + v2) / 2, 0.0
    rms = []
    for layer, width in enumerate(widths):
        P = n * A + n * (n - 1) * C
        P = P if pooling == "sum" else P / n**2
        gain = SCALES[normalization](width) ** 2 * width
        if layer == len(widths) - 1:
            rms.append(math.sqrt(gain * (P + 1)))
            break
        A, C = gain * (A + P + 1), gain * (C + P + 1)
        rms.append(math.sqrt(A))
        angle = math.acos(min(1.0, C / A))
        C = (
            A
            / (2 * math.pi)
            * (math.sin(angle) + (math.pi - angle) * math.cos(angle))
        )
        A = A / 2
    return rms


def network(
    width: int, depth: int, normalization: str, pooling: str
) -> nn.Sequential:
    """Build an intrinsic network whose weights are all standard normal."""
    model = intrinsic(
        n, d, hidden=[width] * depth, normalization=normalization, pooling=pooling
    )
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def measure(build, networks: int) -> dict[str, float]:
    """Return means over random networks of what their logits and gradients are like."""
    rows = []
    for seed in range(networks):
        torch.manual_seed(seed)
        model = build()
        logits = model(sets)
        nn.functional.binary_cross_entropy(torch.sigmoid(logits), labels).backward()
        with torch.no_grad():
            outputs = torch.sigmoid(logits)
            rows.append(
                [
                    logits.square().mean().item(),
                    logits.var().item(),
                    ((outputs == 0) | (outputs == 1)).double().mean().item(),
                    model[0].a.grad.square().mean().item(),
                ]
            )
    square, variance, exact, gradient = (
        torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
    )
    return {
        "logit rms": square**0.5,
        "spread": variance**0.5,
        "exactly 0 or 1": exact,
        "gradient": gradient**0.5,
    }


cases = [
    (10, 2, "sum", "sum"),
    (10, 2, "mean", "sum"),
    (10, 2, "sum", "mean"),
    (10, 2, "mean", "mean"),
    (10, 2, "sqrt", "mean"),
    (10, 8, "mean", "mean"),
    (100, 8, "sqrt", "mean"),
]
results = {}
for width, depth, normalization, pooling in cases:
    few = 25 if width == 100 else 100
    measured = measure(
        lambda c=(width, depth, normalization, pooling): network(*c), few
    )
    predicted = theory([d] + [width] * depth, normalization, pooling)[-1]
    results[width, depth, normalization, pooling] = {
        "theory": predicted,
        **measured,
    }
default = measure(lambda: intrinsic(n, d, hidden=[100] * 8), 25)


def words(value: float) -> str:
    return f"{value:.2g}" if value == 0 or 1e-3 < value < 1e3 else f"{value:.0e}"


rows = [
    {
        "width, layers": f"{width}, {depth}",
        "features, set": f"{normalization}, {pooling}",
        **{name: words(value) for name, value in row.items()},
    }
    for (width, depth, normalization, pooling), row in results.items()
]
rows.append(
    {
        "width, layers": "100, 8",
        "features, set": "the package's start",
        "theory": "–",
        **{name: words(value) for name, value in default.items()},
    }
)
table(
    rows,
    caption="Untrained networks; rms, spread over the data, saturated outputs, first gradient",
)

# %% [markdown]
# Read the first row. The logits are in the thousands, and nearly all outputs are exactly 0 or 1. Both
# sums are to blame: averaging the features alone leaves the set sum, which multiplies the signal by
# about $n/\sqrt 2$ a layer, and averaging over the set alone leaves $\sqrt d$ a layer. With both
# averaged the logits are small; but look at the *spread* where such layers are eight deep. The
# averages of averages make all sets look the same. Blowing up is one way to lose a signal, dying
# another.

# %% alt="Rms of the signal against depth, on a logarithmic scale, for five combinations of normalization and pooling. The sums grow by orders of magnitude, 1/d with a mean falls and then stays constant; the dots of measured networks lie on the lines of the theory."
depth, width = 8, 30
fig, ax = plt.subplots(figsize=(8, 3.8))
worst = 0.0
for index, (normalization, pooling) in enumerate(
    [
        ("sum", "sum"),
        ("sqrt", "sum"),
        ("sum", "mean"),
        ("sqrt", "mean"),
        ("mean", "mean"),
    ]
):
    predicted = theory([d] + [width] * depth, normalization, pooling)[:-1]
    squares = torch.zeros(depth)
    for seed in range(10):
        torch.manual_seed(seed)
        x, signals = sets[:200], []
        for module in network(width, depth, normalization, pooling)[:-1]:
            with torch.no_grad():
                x = module(x)
            if isinstance(module, LinearEquivariant):
                signals.append(x.square().mean())
        squares += torch.stack(signals) / 10
    measured = squares.sqrt()
    worst = max(
        worst, (measured / torch.tensor(predicted)).log().abs().max().item()
    )
    ax.semilogy(
        range(1, depth + 1),
        predicted,
        color=f"C{index}",
        label=f"{normalization}, {pooling}",
    )
    ax.semilogy(range(1, depth + 1), measured, "o", color=f"C{index}", ms=4)
ax.set(xlabel="layer", ylabel="rms of the signal")
ax.legend(title="features, set", loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# ## Where a float ends
#
# Why are outputs *exactly* 1? The float32 just below 1 differs from it by $2^{-24}$, so a sigmoid
# that is closer rounds to 1. At the other end $1 / (1 + e^{-z})$ becomes exactly 0 where $e^{-z}$
# overflows, beyond $3.4 \cdot 10^{38}$. The two ends are found by bisection:


# %%
def boundary(reached, low: float, high: float) -> float:
    """Return where `reached` changes from false at `low` to true at `high`."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def sigmoid(value: float) -> float:
    return torch.sigmoid(torch.tensor([value])).item()


one_from = boundary(lambda z: sigmoid(z) == 1.0, 0.0, 100.0)
zero_from = boundary(lambda z: sigmoid(z) == 0.0, 0.0, -200.0)
print(f"exactly 1 from {one_from:.2f}, exactly 0 from {zero_from:.2f}")


def gradient(value: float, label: float, loss: nn.Module, logits: bool) -> float:
    z = torch.tensor([value], requires_grad=True)
    loss(z if logits else torch.sigmoid(z), torch.tensor([label])).backward()
    return z.grad.item()


faded_from = boundary(
    lambda z: abs(gradient(z, 1.0, nn.BCELoss(), logits=False)) < 0.5, 0.0, -100.0
)
print(f"with label 1, BCELoss has lost half of its gradient at {faded_from:.1f}")
wrong = {
    z: (
        gradient(z, 0.0 if z > 0 else 1.0, nn.BCELoss(), logits=False),
        gradient(z, 0.0 if z > 0 else 1.0, nn.BCEWithLogitsLoss(), logits=True),
    )
    for z in (-120.0, -40.0, -20.0, -5.0, 5.0, 15.0, 20.0, 120.0)
}
table(
    [
        {
            "logit, on the wrong side": f"{z:.0f}",
            "BCELoss": words(abs(a)),
            "BCEWithLogitsLoss": words(abs(b)),
        }
        for z, (a, b) in wrong.items()
    ],
    caption="Size of the gradient at a sample that is classified wrongly",
)

# %% [markdown]
# A wrong answer should have a gradient of size 1, the larger the error the surer. A sigmoid followed
# by `BCELoss` gives none when the output has rounded to 1: the derivative $p (1 - p)$ of the sigmoid
# is 0. On the other side PyTorch, to be safe, divides by no less than $10^{-12}$, and the gradient
# fades from where the output falls below that. The dead zone is not symmetric, but it is wide on both
# sides, and with logits in the thousands nearly every sample lies in it. `BCEWithLogitsLoss` takes the logit itself and has
# no dead zone. It cures this symptom. A network whose logits begin in the thousands has still to
# bring them down by a factor of a thousand with steps of $10^{-3}$.
#
# ## A start that neither blows up nor dies
#
# The layer is two linear maps, $s\,a$ on the deviations of the members from their mean and
# $s\,(a + b)$ on the mean. In the form above $a$ acts on both, so with independent $a$ and $b$ the
# mean gets twice the variance, members become alike within a few layers, and what tells one set from
# another drowns. The package draws the *two maps* independently instead, each a random
# semi-orthogonal matrix times $\sqrt 2$, with $c = 0$. Orthogonal columns keep the mean square of
# what comes in, the factor doubles it, and the ReLU halves it again:
#
# $$ \mathbb E\, F(x)^2 = 2\, \mathbb E\, (x - \bar x)^2 + 2\, \mathbb E\, \bar x^2
#    = 2\, \mathbb E\, x^2, \qquad
#    \mathbb E\, \mathrm{ReLU}(F(x))^2 = \mathbb E\, x^2 . $$
#
# This holds at any width and depth, and for any of the factors $s$, because the start divides by it.
# It is the reasoning of He et al. (2015), applied to each of the two maps, with the orthogonal
# matrices of Saxe et al. (2014). The last row of the table is measured at width 100 and depth 8.

# %%
torch.manual_seed(0)
signal = sets[:500]
kept = []
for module in intrinsic(n, d, hidden=[100] * 30)[:-1]:
    with torch.no_grad():
        signal = module(signal)
    if isinstance(module, nn.ReLU):
        kept.append(signal.square().mean().sqrt().item())
print(
    "rms after ReLU",
    ", ".join(f"{i + 1}: {kept[i]:.2f}" for i in (0, 4, 9, 19, 29)),
)

# %% [markdown]
# ## What it means for training
#
# The first form, standard-normal weights with $1/d$ and set sums, against the package's start, and
# both at a ten times larger step. With Adam the factor $1/d$ has a second effect: Adam moves every
# weight by about the step size, whatever the gradient, so the *map* $s\,a$ moves only by $s$ times
# that.

# %%
EPOCHS = 100
fresh = GaussianDataset(50_000, (n, d), v1, v2, static=True, seed=9)
unseen, truth = next(iter(DataLoader(fresh, batch_size=len(fresh))))


def trained(build, rate: float, seed: int = 0) -> float:
    torch.manual_seed(seed)
    model = build()
    train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=seed)
    test = GaussianDataset(200, (n, d), v1, v2, static=False, seed=seed + 100)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    trainer.fit(DataLoader(train, 32), DataLoader(test, 200), num_epochs=EPOCHS)
    with torch.no_grad():
        return ((model(unseen) > 0) == (truth > 0.5)).double().mean().item()


starts = {
    "standard normal, 1/d, set sum": lambda: network(10, 2, "mean", "sum"),
    "the package's start": lambda: intrinsic(n, d),
}
sweep = {
    name: {rate: trained(build, rate) for rate in (1e-3, 1e-2)}
    for name, build in starts.items()
}
error = (limit * (1 - limit) / len(fresh)) ** 0.5
table(
    [
        {
            "start": name,
            **{f"step {rate:g}": accuracy for rate, accuracy in row.items()},
        }
        for name, row in sweep.items()
    ],
    caption=f"accuracy after {EPOCHS} epochs of 800 new sets; standard error {error:.4f}",
)

# %% [markdown]
# At the usual step the first form is far behind. At ten times the step it does learn: scale and
# step size trade against each other, and someone who had swept the step first might never have
# noticed the scale. That is the finer truth about the averages: dividing by $d$ alone is not a cure,
# and not dividing is not fatal. What matters is that the signal, the spread of the outputs over
# the data, and the size of a step relative to the weights agree.
#
# ## Check the claims

# %%
first, pooled_sum, feature_sum, both, sqrt, deep, wide = results.values()
# The theory holds, within the scatter of a few random networks of finite width.
assert all(0.5 < row["logit rms"] / row["theory"] < 2 for row in results.values())
assert worst < math.log(1.6)

# Sums saturate; both sums contribute; the spread dies with depth under two averages.
assert first["logit rms"] > 1_000
assert first["exactly 0 or 1"] > 0.9
assert both["logit rms"] < pooled_sum["logit rms"] < first["logit rms"]
assert both["logit rms"] < feature_sum["logit rms"] < first["logit rms"]
assert both["exactly 0 or 1"] == sqrt["exactly 0 or 1"] == 0
assert deep["spread"] < both["spread"] / 100
assert deep["gradient"] < both["gradient"] / 10

# The package's start keeps scale and spread.
assert 0.1 < default["logit rms"] < 10
assert default["spread"] > 100 * deep["spread"]
assert all(0.3 < value < 2 for value in kept)

# The ends of a float, and the dead zone.
assert abs(one_from - 16.64) < 0.01
assert -104 < zero_from < -88
assert wrong[20.0][0] == 0.0 == wrong[120.0][0]
assert abs(wrong[-120.0][0]) < 1e-6
assert -29 < faded_from < -27
assert abs(wrong[15.0][0]) > 0.5
assert all(0.99 < abs(b) <= 1 for _, b in wrong.values())

# Training: the scale decides at the usual step, and a larger step makes up for much of it.
old, new = sweep.values()
assert new[1e-3] > old[1e-3] + 0.03
assert old[1e-2] > old[1e-3] + 0.03
assert max(*old.values(), *new.values()) < limit + 4 * error

# %% [markdown]
# ## Exercises
#
# **1.** With a set sum and $1/d$, at which width does a network of standard-normal weights neither
# grow nor shrink, if its members are all alike ($C = A$)?
#
# ??? success "Solution"
#     Then $P = n^2 A$, and without the constant $A' = \frac1d (1 + n^2) A$ before the ReLU and half of
#     it after. It is neutral at $d = (n^2 + 1)/2$, about 50 for $n = 10$. At any other width it grows
#     or shrinks geometrically with depth.

# %% fold="Solution of exercise 1, in code"
torch.manual_seed(0)
growth = {}
for width in (25, 50, 100):
    factors = []
    for _ in range(200):
        layer = LinearEquivariant(width, width, normalization="mean", pooling="sum")
        nn.init.normal_(layer.a)
        nn.init.normal_(layer.b)
        nn.init.zeros_(layer.c)
        alike = torch.randn(1, 1, width).expand(1, n, width)
        with torch.no_grad():
            after = layer(alike).relu()
        factors.append((after.square().mean() / alike.square().mean()).item())
    growth[width] = sum(factors) / len(factors)
    predicted = (n**2 + 1) / (2 * width)
    print(
        f"width {width:3}: times {growth[width]:.2f} a layer, predicted {predicted:.2f}"
    )
    assert abs(growth[width] / predicted - 1) < 0.15

# %% [markdown]
# **2.** Why does the package not choose $\sqrt2$ for the last, invariant layer too?
#
# ??? success "Solution"
#     No ReLU follows it, so there is nothing to make up for. Doubling would only make the first
#     logits larger and farther from the undecided value 0.
#
# **3.** Batch normalization would also keep the scale. Name a price that it has for sets.
#
# ??? success "Solution"
#     It divides by a scale that it estimates from the batch, and the scale of the entries is what the
#     labels of this task differ in. Per set it would erase the signal; per batch it makes the output
#     for one set depend on the others, and it behaves differently in training and evaluation.
#
# ## Sources
#
# - [Cho and Saul (2009)](../bibliography.md#cho-2009), *Kernel Methods for Deep Learning*: the
#   arc-cosine kernels.
# - [Poole et al. (2016)](../bibliography.md#poole-2016), *Exponential Expressivity in Deep Neural
#   Networks through Transient Chaos*: second moments through random networks.
# - [Glorot and Bengio (2010)](../bibliography.md#glorot-2010) and
#   [He et al. (2015)](../bibliography.md#he-2015): initial scales for deep networks.
# - [Saxe et al. (2014)](../bibliography.md#saxe-2014), *Exact Solutions to the Nonlinear Dynamics of
#   Learning in Deep Linear Neural Networks*: orthogonal starts.
