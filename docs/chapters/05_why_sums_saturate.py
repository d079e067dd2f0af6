# %% [markdown]
# # Why sums saturate
#
# The [averaged layer](04_averaged_layer.py) divides by the number of features and takes the mean of
# a set, where a first attempt would take sums. Here is that first attempt: sums everywhere, weights
# from the standard normal distribution, a sigmoid at the end, and the loss of a probability. It
# does not learn. Why not? Which of the two sums is to blame, what does the division by $d$ cure,
# and what does it cost?

# %%
import itertools
import math

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    LinearEquivariant,
    bayes_accuracy,
    intrinsic,
)
from invariant_nets.data import bayes_threshold
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

torch.manual_seed(0)
first = intrinsic(n, d, normalization="sum", pooling="sum", probabilities=True)
for parameter in first.parameters():
    nn.init.normal_(parameter)
train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=0)
test = GaussianDataset(1_000, (n, d), v1, v2, static=True, seed=1)
trainer = BinaryTrainer(
    first, nn.BCELoss(), torch.optim.Adam(first.parameters(), lr=1e-3)
)
history = trainer.fit(DataLoader(train, 32), DataLoader(test, 1_000), num_epochs=30)
accuracies = history.test_acc
with torch.no_grad():
    outputs = first(next(iter(DataLoader(test, 1_000)))[0])
certain = ((outputs == 0) | (outputs == 1)).double().mean().item()
print(
    f"30 epochs: accuracy {min(accuracies):.3f} to {max(accuracies):.3f}, limit {limit:.3f}; "
    f"{certain:.0%} of the outputs are exactly 0 or 1"
)
assert max(accuracies) < 0.55
assert certain > 0.9

# %% [markdown]
# Every output is a certainty, and half of the certainties are wrong. Three questions follow: where
# do such outputs come from, why can they not be trained away, and what should be different?
#
# ## Two sums
#
# A layer that maps $d$ channels to others adds up twice, over the channels $i$ and over the members
# of the set:
#
# $$ F(x)_j = s \sum_{i=1}^d \bigl( a_{ij}\, x_i + b_{ij}\, \mathrm{pool}(x_i)\, \mathbf 1
#    + c_{ij}\, \mathbf 1 \bigr), $$
#
# with $s = 1$, $1/\sqrt d$ or $1/d$, and the pool a sum or a mean. The last layer of the network is
# invariant. It has no member left to speak of, so it keeps the two terms that all members share:
#
# $$ F(x)_j = s \sum_{i=1}^d \bigl( b_{ij}\, \mathrm{pool}(x_i) + c_{ij} \bigr), $$
#
# and everything that follows holds for it with $a = 0$. (In both, the constants act through $\sum_i
# c_{ij}$ only. The formula spends $d$ numbers on each, so its $3dd'$ numbers describe a family of
# $2dd' + d'$ dimensions.)
#
# Let all weights be independent standard normals, and follow two numbers through the network: the
# second moment of an entry, $A = \mathbb E\, x_{ki}^2$, and that of the same feature of two
# different members, $C = \mathbb E\, x_{ki} x_{li}$ for $k \ne l$. Expectations are over data and
# weights.
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
# pool's second moment is that of a sum of $n$ terms, $n$ of kind $A$ and $n(n-1)$ of kind $C$.
#
# The ReLU halves the mean square of a symmetric variable. For the product of two, write them in
# polar coordinates as $\sqrt A\, r \cos\varphi$ and $\sqrt A\, r \cos(\varphi - \theta)$ with a
# uniform angle and $\mathbb E\, r^2 = 2$. Both are positive for $\varphi$ between $\theta -
# \frac\pi2$ and $\frac\pi2$, so
#
# $$ \mathbb E = \frac{A}{\pi} \int_{\theta - \pi/2}^{\pi/2} \cos\varphi \cos(\varphi - \theta)\,
#    d\varphi = \frac{A}{2\pi} \bigl( (\pi - \theta) \cos\theta + \sin\theta \bigr) $$
#
# by $2 \cos\varphi \cos(\varphi - \theta) = \cos\theta + \cos(2\varphi - \theta)$. This is the
# arc-cosine kernel of Cho and Saul (2009). $\blacksquare$
#
# Read off what a layer and its ReLU do to the rms where the members have become alike, $C = A$, and
# the constants do not count: a factor of $s \sqrt d \cdot \sqrt{(n^2 + 1)/2}$ with a set sum and of
# $s \sqrt d$ with a set mean. For $n = 10$ and width 10 that is 22 for both sums, 7.1 for a set sum
# with $1/\sqrt d$, 2.2 for a set sum with $1/d$, 3.2 for a feature sum with a set mean, 1 for
# $1/\sqrt d$ with a set mean, and 0.32 for $1/d$ with a set mean. The last one *shrinks*.

# %%
SCALES = {"sum": lambda d: 1.0, "sqrt": lambda d: d**-0.5, "mean": lambda d: 1 / d}


def theory(widths, normalization, pooling, constants=1.0):
    """Return the predicted rms after every layer; the last layer only pools."""
    A, C = (v1 + v2) / 2, 0.0
    rms = []
    for layer, width in enumerate(widths):
        P = n * A + n * (n - 1) * C
        P = P if pooling == "sum" else P / n**2
        gain = SCALES[normalization](width) ** 2 * width
        if layer == len(widths) - 1:
            return [*rms, math.sqrt(gain * (P + constants))]
        A, C = gain * (A + P + constants), gain * (C + P + constants)
        rms.append(math.sqrt(A))
        angle = math.acos(min(1.0, C / A))
        C = (
            (math.sin(angle) + (math.pi - angle) * math.cos(angle))
            * A
            / 2
            / math.pi
        )
        A = A / 2


def network(width, depth, normalization, pooling, constants=1.0):
    """Build a network whose coefficients a, b and c are standard normals."""
    model = intrinsic(
        n, d, hidden=[width] * depth, normalization=normalization, pooling=pooling
    )
    with torch.no_grad():
        for layer in model[::2]:
            for name in ("a", "b", "c"):
                if hasattr(layer, name):
                    drawn = torch.randn(layer.in_channels, layer.out_channels)
                    setattr(
                        layer, name, constants * drawn if name == "c" else drawn
                    )
    return model


data = GaussianDataset(400, (n, d), v1, v2, static=True, seed=0)
sets, labels = next(iter(DataLoader(data, len(data))))


@torch.no_grad()
def logits_of(networks, *options):
    """Return the logits (networks, sets) of random networks."""
    rows = []
    for seed in range(networks):
        torch.manual_seed(seed)
        rows.append(network(*options)(sets)[:, 0].double())
    return torch.stack(rows)


def untrained(logits):
    """Return the rms of logits, and their spread over the sets relative to it."""
    rms = logits.square().mean().sqrt().item()
    return rms, logits.var(1).mean().sqrt().item() / rms


kinds = list(itertools.product(("sum", "mean"), ("sum", "sqrt", "mean")))
WORDS = {"sum": "1", "sqrt": "1/√d", "mean": "1/d"}
found = {}
for pooling, normalization in kinds:
    logits = logits_of(200, 10, 2, normalization, pooling)
    predicted = theory([d, 10, 10], normalization, pooling)[-1]
    found[pooling, normalization] = (predicted, *untrained(logits))


def words(value):
    return f"{value:.2g}" if value == 0 or 1e-2 < value < 1e2 else f"{value:,.0f}"


table(
    [
        {
            "pool, factor": f"{pooling}, {WORDS[normalization]}",
            "theory": words(predicted),
            "rms": words(rms),
            "spread / rms": f"{spread:.2f}",
        }
        for (pooling, normalization), (predicted, rms, spread) in found.items()
    ],
    caption="Logits of untrained networks, 5 → 10 → 10 → 1, standard normal coefficients",
)

# %%
for predicted, rms, _ in found.values():
    assert abs(math.log(rms / predicted)) < math.log(1.25)
assert found["sum", "sum"][1] > 2_000 > 100 > found["sum", "mean"][1]

# %% [markdown]
# The theory holds within a quarter. Both sums contribute: with both the logits are in the
# thousands, and either average alone still leaves the other sum. The picture follows the signal
# through eight layers.

# %% alt="Rms of the signal against depth, on a logarithmic scale, for the six combinations of pool and factor. Both sums grow by a factor of about twenty a layer; a set mean with 1/d falls at first and then stays where the constants hold it. The dots of measured networks lie on the lines of the theory."
depth, width = 8, 30
fig, ax = plt.subplots(figsize=(8, 3.8))
worst = 0.0
for index, (pooling, normalization) in enumerate(kinds):
    predicted = theory([d] + [width] * depth, normalization, pooling)[:-1]
    squares = torch.zeros(depth)
    for seed in range(20):
        torch.manual_seed(seed)
        x, signals = sets[:200], []
        for module in network(width, depth, normalization, pooling)[:-1]:
            with torch.no_grad():
                x = module(x)
            if isinstance(module, LinearEquivariant):
                signals.append(x.square().mean())
        squares += torch.stack(signals) / 20
    measured = squares.sqrt()
    worst = max(
        worst, (measured / torch.tensor(predicted)).log().abs().max().item()
    )
    label = f"{pooling}, {WORDS[normalization]}"
    ax.semilogy(range(1, depth + 1), predicted, color=f"C{index}", label=label)
    ax.semilogy(range(1, depth + 1), measured, "o", color=f"C{index}", ms=4)
ax.set(xlabel="layer", ylabel="rms of the signal")
ax.legend(title="pool, factor", loc="upper left", fontsize=9)
plt.show()
assert worst < math.log(1.4), worst

# %% [markdown]
# ## Where a float ends
#
# Why are outputs *exactly* 1? The float32 just below 1 differs from it by $2^{-24}$, so a sigmoid
# that is closer rounds to 1, from a logit of $24 \ln 2 \approx 16.6$ on. There its derivative $p (1
# - p)$ is exactly 0. On the other side the sigmoid underflows much later, but PyTorch divides by no
# less than $10^{-12}$ in the gradient of `BCELoss`, to be safe, and so the gradient fades from
# where the output falls below that.


# %%
def gradient(logit, label, with_logits):
    """Return the gradient of the loss at the logit of one set."""
    z = torch.tensor([logit], requires_grad=True)
    target = torch.tensor([label])
    loss = (
        F.binary_cross_entropy_with_logits(z, target)
        if with_logits
        else F.binary_cross_entropy(z.sigmoid(), target)
    )
    loss.backward()
    return z.grad.item()


wrong = {
    z: [
        abs(gradient(z, float(z < 0), with_logits)) for with_logits in (False, True)
    ]
    for z in (-120.0, -40.0, -20.0, -5.0, 5.0, 15.0, 17.0, 120.0)
}
table(
    [
        {
            "logit, on the wrong side": f"{z:.0f}",
            "BCELoss": f"{a:.2g}",
            "BCEWithLogitsLoss": f"{b:.2g}",
        }
        for z, (a, b) in wrong.items()
    ],
    caption="Size of the gradient at a set that is classified wrongly",
)

# %%
assert (
    torch.tensor(24 * math.log(2) + 0.1).sigmoid()
    == 1
    > torch.tensor(16.0).sigmoid()
)
assert wrong[15.0][0] > 0.5 > 0 == wrong[17.0][0] == wrong[120.0][0]
assert wrong[-20.0][0] > 0.9 > 1e-3 > wrong[-40.0][0]
assert all(0.99 < b <= 1 for _, b in wrong.values())

# %% [markdown]
# The gradient at a wrong answer should approach 1 as the error grows. With `BCEWithLogitsLoss`,
# which takes the logit itself, it does. With a sigmoid and `BCELoss` it is 0 for most logits that
# the table of untrained networks promises. How many sets have no gradient at all?


# %%
def at_the_start(logits):
    """Return which share has no gradient at the logit, of all sets and of the wrong ones."""
    z = logits.float().requires_grad_()
    targets = labels[:, 0].expand_as(z)
    F.binary_cross_entropy(z.sigmoid(), targets, reduction="sum").backward()
    wrong = (z > 0) != (targets > 0.5)
    none = z.grad.abs() < 1e-6
    return none.double().mean().item(), none[wrong].double().mean().item()


shares = {}
for pooling, normalization in kinds:
    logits = logits_of(30, 10, 2, normalization, pooling)
    shares[pooling, normalization] = at_the_start(logits)
table(
    [
        {
            "pool, factor": f"{pooling}, {WORDS[normalization]}",
            "of all sets": f"{share:.0%}",
            "of those that are wrong": f"{of_wrong:.0%}",
        }
        for (pooling, normalization), (share, of_wrong) in shares.items()
    ],
    caption="Sets without a gradient at the logit (below $10^{-6}$), `BCELoss`, untrained networks",
)

# %%
assert min(shares["sum", "sum"]) > 0.95
assert shares["mean", "mean"] == shares["mean", "sqrt"] == (0, 0)

# %% [markdown]
# This is the number to look at. The size of the gradient of a *weight*, which one would print
# first, misleads: averaged over many networks its mean square is not small here but large, since
# the one set in a hundred that has a gradient passes it on through weights and sums that multiply
# it a thousandfold. And in some networks it is exactly zero.


# %%
def first_gradient(build, seed):
    """Return the mean square of the gradient of the first layer's a."""
    torch.manual_seed(seed)
    model = build()
    F.binary_cross_entropy(model(sets).sigmoid(), labels).backward()
    layer = model[0]
    unit = (layer.a / layer.stored_a).mean()  # what is shown of what is stored
    return (layer.stored_a.grad / unit).square().mean().item()


weights = {
    "sums, standard normal": lambda: network(10, 2, "sum", "sum"),
    "1/d and set mean, the package's": lambda: intrinsic(n, d),
}
squares = {
    name: torch.tensor([first_gradient(build, seed) for seed in range(100)])
    for name, build in weights.items()
}
table(
    [
        {
            "network": name,
            "root of the mean": f"{values.mean().sqrt():.2g}",
            "root of the median": f"{values.median().sqrt():.2g}",
            "exactly 0": f"{(values == 0).double().mean():.0%}",
        }
        for name, values in squares.items()
    ],
    caption="Gradient of the first layer's $a$, mean square over its entries, 100 untrained networks",
)

# %%
dead, alive = squares.values()
assert dead.mean() > 25 * alive.mean()
assert (dead == 0).double().mean() > 0.05
assert (alive > 0).all()

# %% [markdown]
# ## Constants that drown a signal
#
# Two averages keep the logits small. But look at the last line of the first table: what differs
# from set to set is a small part of the logits, and the deeper the network, the smaller. Is it that
# averages of averages make all sets look the same? The control is to leave out the constants $c$.

# %%
drowned = {}
for constants in (1.0, 0.0):
    logits = logits_of(50, 10, 8, "mean", "mean", constants)
    drowned[constants] = untrained(logits)[1]
table(
    [
        {
            "constants c": "standard normal" if c else "0",
            "spread / rms": f"{share:.2g}",
        }
        for c, share in drowned.items()
    ],
    caption="Eight layers of width 10, 1/d and set mean",
)

# %%
assert drowned[1.0] < 1e-3
assert drowned[0.0] > 0.2

# %% [markdown]
# It is not the averages. A factor $1/d$ with a set mean shrinks a signal by about $\sqrt d$ per
# layer; all of it, what sets share as well as what tells them apart. Only the constants do not
# shrink, since every layer adds new ones, and so after a few layers the logit consists of
# constants. With $c = 0$ the relative spread survives eight layers.
#
# ## An initialization that neither blows up nor dies
#
# So let the constants begin at 0, and give the weights the scale that undoes the factor. The layer
# is two linear maps, $s\,a$ on the deviations of the members from their mean and $s\,(a + b)$ on
# the mean. The package draws these *two maps* independently, each as a random semi-orthogonal
# matrix times $\sqrt 2 \cdot \sqrt{\max(1, d'/d)}$ for $d$ channels that come in and $d'$ that go
# out. A semi-orthogonal matrix maps onto $\min(d, d')$ orthogonal directions and keeps lengths
# there; of a vector in a random direction this keeps the mean square per channel if $d' \le d$, and
# spreads the same length over more channels if $d' > d$, which the root makes up for. Then the 2
# doubles the mean square, and the ReLU halves it again:
#
# $$ \mathbb E\, F(x)^2 = 2\, \mathbb E\, (x - \bar x)^2 + 2\, \mathbb E\, \bar x^2
#    = 2\, \mathbb E\, x^2, \qquad
#    \mathbb E\, \mathrm{ReLU}(F(x))^2 = \mathbb E\, x^2 . $$
#
# The invariant layer has no ReLU behind it and does without the 2. The expectation is over the draw
# of the weights, and it holds at any width and depth. A *single* draw scatters about it, the more
# the narrower and the deeper the network is. It is the reasoning of He et al. (2015), applied to
# each of the two maps, with the orthogonal matrices of Saxe et al. (2014).


# %%
@torch.no_grad()
def kept(width, depth, seed):
    """Return the rms after the last ReLU of a network as the package draws it."""
    torch.manual_seed(seed)
    return (
        intrinsic(n, d, hidden=[width] * depth)[:-1](sets[:100])
        .square()
        .mean()
        .sqrt()
    )


ratios = {
    (width, depth): torch.stack([kept(width, depth, seed) for seed in range(40)])
    / sets[:100].square().mean().sqrt()
    for width, depth in ((10, 2), (10, 30), (100, 2), (100, 30))
}
table(
    [
        {
            "width, layers": f"{width}, {depth}",
            "root of the mean square": values.square().mean().sqrt().item(),
            "median": values.median().item(),
            "least": values.min().item(),
        }
        for (width, depth), values in ratios.items()
    ],
    digits=2,
    caption="Rms after the last ReLU over that of the sets, 40 draws of the package's weights",
)

# %%
for values in ratios.values():
    square, error = values.square().mean(), values.square().std() / 40**0.5
    assert abs(square - 1) < max(4 * error, 0.1)
assert ratios[100, 30].min() > 0.2 > ratios[10, 30].min()

# %% [markdown]
# ## One ablation
#
# Weights, factor, pool, loss and learning rate: five things that the first network could have had
# otherwise. Train all combinations. The networks are small, so we write the layer once more for
# many networks at once, with their weights stacked along the first axis, and let Adam train them
# side by side: three seeds each, 32 fresh sets per step.

# %%
STEPS, RATES, SEEDS = 1_500, (1e-3, 1e-2, 1e-1), 3
cases = [
    (weights, pooling, normalization)
    for weights in ("normal", "package")
    for pooling, normalization in kinds
]


def coefficients(weights, pooling, normalization, seed):
    """Return what a network's layers show, stacked: (a, b, c) and, of the last, (b, c)."""
    torch.manual_seed(seed)
    options = {"normalization": normalization, "pooling": pooling}
    model = (
        network(10, 2, **options)
        if weights == "normal"
        else intrinsic(n, d, **options)
    )
    first, second, last = model[::2]
    stacks = [(m.a, m.b, m.c) for m in (first, second)] + [(last.b, last.c)]
    return [torch.stack(stack).detach() for stack in stacks]


def forward(layers, factors, pools, x):
    """Return the logits (networks, batch) for sets (networks, batch, n, d)."""
    for (*own, b, c), s in zip((w.unbind(1) for w in layers), factors, strict=True):
        shared = (pools * x.sum(2)) @ b + c.sum(1, keepdim=True)
        if not own:
            return (s * shared)[..., 0]
        each = (x.flatten(1, 2) @ own[0]).unflatten(1, x.shape[1:3])
        x = (s[..., None] * (each + shared[:, :, None])).relu()


def drawn(count, source):
    """Return fresh sets and their labels, drawn independently."""
    y = torch.randint(2, (count,), generator=source).float()
    x = torch.randn(count, n, d, generator=source)
    return x * torch.where(y > 0.5, v1, v2).sqrt()[:, None, None], y


x_test, y_test = drawn(10_000, torch.Generator().manual_seed(99))
ideal = x_test.square().sum((1, 2)) > bayes_threshold(n, d, v1, v2)
luck = (ideal == (y_test > 0.5)).double().mean().item() - limit


def trained(cases, rate, steps=STEPS):
    """Train every case with either loss and every seed; return accuracies (cases, 2, seeds)."""
    runs = list(itertools.product(cases, (False, True), range(SEEDS)))
    each = [coefficients(*case, seed) for case, _, seed in runs]
    layers = [
        torch.stack(stack).requires_grad_() for stack in zip(*each, strict=True)
    ]
    factors = [
        torch.tensor([SCALES[case[2]](width) for case, _, _ in runs])[:, None, None]
        for width in (d, 10, 10)
    ]
    pools = torch.tensor(
        [1.0 if case[1] == "sum" else 1 / n for case, _, _ in runs]
    )
    pools = pools[:, None, None]
    with_logits = torch.tensor([logits for _, logits, _ in runs])[:, None]
    own = torch.tensor([seed for _, _, seed in runs])
    sources = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    optimizer = torch.optim.Adam(layers, lr=rate)
    for _ in range(steps):
        x, y = (
            torch.stack(t)[own]
            for t in zip(*(drawn(32, s) for s in sources), strict=True)
        )
        z = forward(layers, factors, pools, x)
        losses = torch.where(
            with_logits,
            F.binary_cross_entropy_with_logits(z, y, reduction="none"),
            F.binary_cross_entropy(z.sigmoid(), y, reduction="none"),
        )
        optimizer.zero_grad()
        losses.mean(1).sum().backward()
        optimizer.step()
    with torch.no_grad():
        hits = sum(
            (
                (
                    forward(layers, factors, pools, x.expand(len(runs), -1, -1, -1))
                    > 0
                )
                == (y > 0.5)
            )
            .sum(1)
            .double()
            for x, y in zip(x_test.split(500), y_test.split(500), strict=True)
        )
    return (hits / len(y_test) - luck).unflatten(0, (len(cases), 2, SEEDS))


# (cases, losses, rates, seeds), free of the luck of the test sets
results = torch.stack([trained(cases, rate) for rate in RATES], 2)
mean, spread = results.mean(-1), results.amax(-1) - results.amin(-1)

# %% alt="Heat strip of accuracies: twelve rows, weights times pool times factor, and six columns, two losses times three learning rates, each cell with its number. The rows with standard normal weights and both sums, and all rows with the package's weights and a set sum, are near one half. With a set mean most cells at 0.01 are near 0.68; at 0.001 the factor 1/d lags behind, and at 0.1 it is the best."
columns = [f"{loss}\n{rate:g}" for loss in ("prob.", "logits") for rate in RATES]
names = [
    f"{weights}, {pooling}, {WORDS[normalization]}"
    for weights, pooling, normalization in cases
]
fig, ax = plt.subplots(figsize=(7.6, 5.6))
ax.imshow(mean.flatten(1), cmap="viridis", vmin=0.5, vmax=limit, aspect="auto")
places = itertools.product(range(len(cases)), range(6))
for (row, column), value, apart in zip(
    places, mean.flatten(), spread.flatten(), strict=True
):
    text = f"{value:.2f}"[1:] + (f" ± {apart / 2:.2f}" if apart >= 0.02 else "")
    color = "w" if value < 0.63 else "k"
    ax.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
ax.set_xticks(range(6), columns)
ax.set_yticks(range(len(cases)), names)
ax.set_title(f"accuracy after {STEPS:,} steps, {SEEDS} seeds; limit {limit:.2f}")
ax.grid(False)
plt.show()

# %% [markdown]
# Each row is one network: the weights, the pool, the factor. Each column is a way to train it: the
# loss of a probability or of a logit, and the learning rate. Each number is the mean over the seeds,
# with half of their range where that is a point or more. What does it say?
#
# 1. **The first network stays at one half**, whatever the learning rate and the loss.
# 2. **Change one thing from there.** With the factor $1/d$ it learns, at $10^{-2}$. With a set mean it
#    learns better, *without* any division by $d$. With the package's weights alone it does not learn.
#    So the two sums are fatal together, and the set sum is the worse of them.
# 3. **The loss of a logit treats a symptom.** It helps only where most sets have no gradient, and not
#    much even there: the sets have a gradient now, but logits in the thousands have still to come
#    down. With a set mean the two losses are level at $10^{-3}$ and $10^{-2}$.
# 4. **The weights** hardly matter under a set mean, at $10^{-2}$ and two layers deep. They matter for
#    deep networks, as we have seen, and at $10^{-3}$ without the division.
# 5. **The factor $1/d$** is the slowest at $10^{-3}$, and the best at $10^{-1}$, where the sum is dead.

# %%
by = {case: mean[k] for k, case in enumerate(cases)}
start = by["normal", "sum", "sum"]
assert start.max() < 0.55
# One thing changed.
assert by["normal", "sum", "mean"].max() > start.max() + 0.08
assert by["normal", "mean", "sum"].max() > by["normal", "sum", "mean"].max() + 0.01
assert by["package", "sum", "sum"].max() < 0.55
# The loss.
for (_, pooling, _), accuracies in by.items():
    if pooling == "mean":
        assert (accuracies[0] - accuracies[1])[:2].abs().max() < 0.01
for case in (
    ("normal", "sum", "sum"),
    *(("package", "sum", factor) for factor in SCALES),
):
    assert by[case][1].max() < 0.6
# The weights, under a set mean at 0.01, and at 0.001 without the division.
for factor in SCALES:
    assert (by["package", "mean", factor] - by["normal", "mean", factor])[
        :, 1
    ].abs().max() < 0.04
assert (by["package", "mean", "sum"] - by["normal", "mean", "sum"])[
    :, 0
].min() > 0.03
# The factor.
slow, root, fast = (
    by["package", "mean", factor] for factor in ("mean", "sqrt", "sum")
)
assert (slow[:, 0] < root[:, 0] - 0.03).all()
assert (root[:, 0] < fast[:, 0] - 0.01).all()
assert (slow[:, 2] > 0.66).all()
assert (fast[:, 2] < 0.55).all()

# %% [markdown]
# ## The same function, another step
#
# The last point is a riddle. With the package's weights the three factors are *the same function*
# at the start, since the weights undo $s$. What differs is what a step does. Adam moves every
# stored number by about the learning rate $\eta$, whatever the size of its gradient. So if all $d$
# terms of a sum move to the same side, the output moves by $s\, d\, \eta$ times the mean of
# $|x_i|$: by $d \eta$ for the sum, by $\sqrt d\, \eta$ for $1/\sqrt d$, and by $\eta$ for $1/d$,
# *at every width*. The division by $d$ is no cure for large numbers. It makes the learning rate
# mean the same for narrow and for wide layers.
#
# This is the rule that Yang and Hu (2021) derive for networks of growing width, the *maximal
# update*: hidden and last layers take steps $\propto 1/d$ with Adam. Yang et al. (2022) tune a
# learning rate on a narrow network and use it on a wide one. Everett et al. (2024) warn that other
# parametrizations transfer as well, with the right steps for each layer. A set adds nothing to it
# but the second sum, and the mean over the members is what keeps that one still.
#
# At the usual rate of $10^{-3}$, though, such steps are small. What remains to be chosen is one
# constant.
#
# !!! abstract "Lemma (units)"
#     Let a coefficient be stored as $a / \kappa$. Then Adam with learning rate $\eta$ and $\epsilon = 0$ does to $a$ what
#     it does with learning rate $\kappa \eta$ if $a$ itself is stored.
#
# *Proof.* The gradient of what is stored is $\kappa$ times that of $a$. Adam divides the running
# mean of gradients by the root of the running mean of their squares, where $\kappa$ cancels. So the
# stored number moves as $a$ would move, and $a$ moves $\kappa$ times as far. $\blacksquare$
#
# The package stores $a$, $b$ and $c$ in units of $\kappa = 8$, the same at every width. The formula
# remains, and `layer.a` shows it; `layer.stored_a` is the parameter. At 8 channels a stored number
# is what it is in an ordinary linear layer, and at every other width a step changes the output as
# much as it does there. So the default is the row "package, mean, 1/d", taken at eight times the
# rate.

# %%
default = {
    rate: trained([("package", "mean", "mean")], 8 * rate)[0, 1]
    for rate in (1e-3, 1e-2)
}


@torch.no_grad()
def change(width, normalization, seed, rate=1e-3):
    """Return by how much one step of Adam changes the logits, relative to their rms."""
    torch.manual_seed(seed)
    model = intrinsic(n, d, hidden=(width, width), normalization=normalization)
    before = model(sets)
    with torch.enable_grad():
        F.binary_cross_entropy_with_logits(model(sets[:32]), labels[:32]).backward()
    torch.optim.Adam(model.parameters(), lr=rate).step()
    return ((model(sets) - before).square().mean() / before.square().mean()).sqrt()


widths = (16, 64, 256)
changes = {
    factor: [
        torch.stack([change(width, factor, seed) for seed in range(5)])
        .mean()
        .item()
        for width in widths
    ]
    for factor in ("mean", "sqrt", "sum")
}
print(
    {
        f"default at {rate:g}": f"{values.mean():.3f}"
        for rate, values in default.items()
    }
)
table(
    [
        {"factor": "1/d, the default" if f == "mean" else WORDS[f]}
        | {
            f"width {width}": value
            for width, value in zip(widths, values, strict=True)
        }
        for f, values in changes.items()
    ],
    caption="Change of the logits by one step of Adam at $10^{-3}$, relative to their rms, mean of 5 draws",
)

# %%
assert default[1e-3].mean() > slow[1, 0] + 0.08
assert default[1e-3].mean() > max(slow.max(), root.max(), fast.max()) - 0.01
assert default[1e-2].mean() > 0.66
assert 1.5 < changes["mean"][-1] / changes["mean"][0] < 2.5
assert changes["sum"][-1] > 20 * changes["sum"][0]

# %% [markdown]
# The default comes within a point at $10^{-3}$ of what the other factors reach with their best rate,
# and it still trains at ten times that. From width 16 to 256 its step on the logits grows by a factor of about two,
# that of the sum by more than twenty. What is left of the growth belongs to the readout: its $b$ starts
# with length 1, so that the first logits have the scale of a feature, and a common change of all
# features counts for more, the more there are.
#
# ## Summary
#
# - Sums over members and over features multiply a signal by about $n \sqrt d / \sqrt 2$ per layer.
#   Logits in the thousands round to certainties, which have no gradient.
# - Of the two sums, that over the set is the worse one. A set mean alone makes the network train.
# - The loss of a logit helps where outputs saturate, weights of the right scale where networks are
#   deep, and $c = 0$ where signals fade.
# - The factor $1/d$ decides what a *step* does. It keeps one learning rate right at every width, with
#   one constant that says at which width a step is that of an ordinary layer.
#
# ## Exercises
#
# **1.** With a set sum and $1/d$, at which width does a network of standard normal weights neither
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
        alike = torch.randn(1, 1, width).expand(1, n, width)
        with torch.no_grad():
            layer.a, layer.b = torch.randn(2, width, width)
            after = layer(alike).relu()
        factors.append((after.square().mean() / alike.square().mean()).item())
    growth[width] = sum(factors) / len(factors)
    predicted = (n**2 + 1) / (2 * width)
    print(
        f"width {width:3}: times {growth[width]:.2f} per layer, predicted {predicted:.2f}"
    )
    assert abs(growth[width] / predicted - 1) < 0.15

# %% [markdown]
# **2.** SGD moves a stored number by $\eta$ times its gradient. By how much does the output of one
# layer move if its coefficients are stored in units of $\kappa$? Does one unit make SGD's steps
# alike at all widths, too?
#
# ??? success "Solution"
#     The gradient of what is stored is $\kappa$ times that of $a$, and $a$ moves by $\kappa$ times what the stored number
#     moves by: $\kappa^2 \eta$ times its gradient, which is itself proportional to $s = 1/d$. So the output
#     $s \sum_i a_{ij} x_i$ moves by $\kappa^2 \eta\, s^2 \sum_i x_i^2 \approx \kappa^2 \eta / d$ times the gradient at the
#     output. The steps of a hidden layer shrink with the width; only $1/\sqrt d$ keeps them.
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
# arc-cosine kernels.
# - [Poole et al. (2016)](../bibliography.md#poole-2016), *Exponential Expressivity in Deep Neural
# Networks through Transient Chaos*: second moments through random networks.
# - [Zhang et al. (2022)](../bibliography.md#zhang-2022): vanishing and exploding gradients in deep set networks.
# - [Glorot and Bengio (2010)](../bibliography.md#glorot-2010) and
# [He et al. (2015)](../bibliography.md#he-2015): initial scales for deep networks.
# - [Saxe et al. (2014)](../bibliography.md#saxe-2014), *Exact Solutions to the Nonlinear Dynamics of
# Learning in Deep Linear Neural Networks*: orthogonal initialization.
# - [Yang and Hu (2021)](../bibliography.md#yang-2021), *Feature Learning in Infinite-Width Neural Networks*, and
# [Yang et al. (2022)](../bibliography.md#yang-2022), *Tensor Programs V*: the maximal update, and
# learning rates that transfer across widths.
# - [Everett et al. (2024)](../bibliography.md#everett-2024), *Scaling Exponents Across Parameterizations and
# Optimizers*: what else transfers.
# - [Karras et al. (2018)](../bibliography.md#karras-2018), *Progressive Growing of GANs*: an earlier network whose weights are stored in
# units.
