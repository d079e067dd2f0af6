# %% [markdown] slide="question"
# # Why sums saturate
#
# !!! abstract "What you will be able to do"
#     - Predict the size of the signal in a random network of sets, layer by layer.
#     - Count the sets without a gradient, and read off one ablation what sums, loss, weights and factor do to training.
#     - Choose a factor and a unit with which one learning rate serves layers of every width.
#
# The [averaged layer](04_averaged_layer.py) divides by the number of features and takes the mean of a set. A first
# attempt would take sums, draw the weights from the standard normal distribution, and end in a sigmoid and the loss of
# a probability. It does not learn. Why not? Which of the two sums is to blame, and what does the division by $d$ cure?

# %%
import itertools
import math

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from invariant_nets import BinaryTrainer, GaussianDataset, bayes_accuracy, intrinsic
from invariant_nets.exercises import AnswerCheck, CodeCheck
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
adam = torch.optim.Adam(first.parameters(), lr=1e-3)
trainer = BinaryTrainer(first, nn.BCELoss(), adam)
history = trainer.fit(DataLoader(train, 32), DataLoader(test, 1_000), num_epochs=16)
x, y = next(iter(DataLoader(test, 1_000)))
certain = torch.isin(first(x), torch.tensor([0.0, 1.0])).double().mean()
print(f"16 epochs: accuracy at most {max(history.test_acc):.3f}, limit {limit:.3f}")
print(f"{certain:.0%} of the outputs are exactly 0 or 1")

# %% [markdown] slide="theorem"
# ## Where a float ends
#
# Nearly every output is a certainty, and nearly half of these are wrong. Why are outputs *exactly* 1? A sigmoid is
# computed as $1 / (1 + e^{-z})$, and the float32 next above 1 is $1 + 2^{-23}$. So $1 + e^{-z}$ rounds to 1 once
# $e^{-z}$ is less than half of that gap, from a logit of $24 \ln 2 \approx 16.6$ on, and there the derivative $p (1 -
# p)$ is exactly 0. On the other side the sigmoid underflows much later, but PyTorch divides by no less than $10^{-12}$
# in the gradient of `BCELoss`, which fades where the output falls below that. At a wrong answer the gradient should
# approach 1 as the error grows. That of `BCEWithLogitsLoss`, which takes the logit itself, does.
#
# ## Two sums
#
# Where do large logits come from? A layer that maps $d$ channels to others adds up twice, over the channels $i$ and
# over the members of the set:
#
# $$ F(x)_j = s \sum_{i=1}^d \bigl( a_{ij}\, x_i + b_{ij}\, \mathrm{pool}(x_i)\, \mathbf 1
#    + c_{ij}\, \mathbf 1 \bigr), $$
#
# with $s = 1$, $1/\sqrt d$ or $1/d$, and the pool a sum or a mean. The last layer is invariant and keeps only what all
# members share, $s \sum_i ( b_{ij}\, \mathrm{pool}(x_i) + c_{ij})$: what follows holds for it with $a = 0$.
#
# Let all weights be independent standard normals, and follow two numbers through the network: the second moment of an
# entry, $A = \mathbb E\, x_{ki}^2$, and that of the same feature of two different members, $C = \mathbb E\, x_{ki}
# x_{li}$ for $k \ne l$. Expectations are over data and weights.
#
# !!! theorem "Theorem (second moments)"
#     One layer turns $A$ and $C$ into
#
#     $$ A' = s^2 d\, (A + P + 1), \qquad C' = s^2 d\, (C + P + 1), $$
#
#     where $P$ is the second moment of the pool: $nA + n(n-1)C$ for a sum, and that over $n^2$ for a mean. If entries
#     are jointly Gaussian, a ReLU turns $A$ and $C$ into $\frac A2$ and $\frac{A}{2\pi} \bigl( \sin\theta + (\pi -
#     \theta) \cos\theta \bigr)$ with $\cos\theta = C / A$.
#
# *Proof.* Weights are independent with mean 0 and variance 1, so in the square of $F(x)_{kj}$ only the squares of
# single terms survive: $s^2 d$ times the second moments of $x_{ki}$, of the pool, and of 1. For two members, $x_{ki}
# x_{li}$ takes the place of $x_{ki}^2$. The square of the pool's sum has $n$ terms of kind $A$ and $n(n-1)$ of kind $C$.
#
# The ReLU halves the mean square of a symmetric variable. For the product of two, write them in polar coordinates as
# $\sqrt A\, r \cos\varphi$ and $\sqrt A\, r \cos(\varphi - \theta)$ with a uniform angle and $\mathbb E\, r^2 = 2$. Both
# are positive for $\varphi$ between $\theta - \frac\pi2$ and $\frac\pi2$, where the integral of $2 \cos\varphi
# \cos(\varphi - \theta) = \cos\theta + \cos(2\varphi - \theta)$ is $(\pi - \theta) \cos\theta + \sin\theta$. Times $A /
# 2\pi$ this is the arc-cosine kernel of [Cho and Saul (2009)](../bibliography.md#cho-2009). $\blacksquare$
#
# Where the members have become alike, $C = A$, and the constants do not count, a layer and its ReLU multiply the rms
# (root mean square) by $s \sqrt d \cdot \sqrt{(n^2 + 1)/2}$ with a set sum and by $s \sqrt d$ with a set mean. For $n =
# 10$, width 10 and the factors $1$, $1/\sqrt d$, $1/d$ that is 22, 7.1, 2.2 and 3.2, 1, 0.32. The last one *shrinks*.
#
# To measure this we write the network once more, for many networks at once, with their weights stacked along the first
# axis. We also count the wrong sets that have no gradient with `BCELoss` (below $10^{-6}$ at the logit), and take the
# rms of two gradients by the first layer's $a$: of the loss, and of the mean logit.

# %% moves="moments dead-zone"
POWER = {"1": 0.0, "1/√d": 0.5, "1/d": 1.0}  # the factor is d to minus this
NAMES = {"1": "sum", "1/√d": "sqrt", "1/d": "mean"}  # what the package calls it
kinds = list(itertools.product(("sum", "mean"), POWER))
options = {(p, f): (POWER[f], 1.0 if p == "sum" else 1 / n) for p, f in kinds}
sets, labels = x[:100], y[:100]


def forward(layers, power, pool, x):
    """Return the logits (networks, sets); pool multiplies the sum over a set."""
    for stack in layers:  # (networks, 3, in, out): a, b and c
        a, b, c = stack.unbind(1)
        s = a.shape[1] ** -power
        shared = s * ((pool * x.sum(2)) @ b + c.sum(1, keepdim=True))
        if stack is layers[-1]:
            return shared[..., 0]
        own = (x.flatten(1, 2) @ (s * a)).unflatten(1, x.shape[1:3])
        x = (own + shared[:, :, None]).relu()


def normal(networks, widths, seed=0):
    """Draw standard normal a, b and c of many networks, stacked for each layer."""
    source = torch.Generator().manual_seed(seed)
    sizes = itertools.pairwise([d, *widths, 1])
    return [torch.randn(networks, 3, *size, generator=source) for size in sizes]


def theory(widths, pooling, factor):
    """Return the predicted rms of the logits."""
    A, C = (v1 + v2) / 2, 0.0
    for width in [d, *widths]:
        gain = width ** (1 - 2 * POWER[factor])
        P = (n * A + n * (n - 1) * C) / (1 if pooling == "sum" else n**2)
        A, C = gain * (A + P + 1), gain * (C + P + 1)
        t = math.acos(min(1.0, C / A))
        C = A / (2 * math.pi) * (math.sin(t) + (math.pi - t) * math.cos(t))
        A = A / 2
    return math.sqrt(gain * (P + 1))  # the last layer has no a


def rms(values):
    return values.square().mean().sqrt().item()


def spread(z):
    """Return by how much logits differ from set to set, relative to their rms."""
    return z.double().var(1).mean().sqrt().item() / rms(z.double())


found = {}
for kind in kinds:
    layers = normal(200, (10, 10))
    a = layers[0].requires_grad_()
    z = forward(layers, *options[kind], sets[None])
    y = labels[:, 0].expand_as(z)
    loss = F.binary_cross_entropy(z.sigmoid(), y, reduction="none").mean(1).sum()
    of_logit = torch.autograd.grad(z.mean(1).sum(), a, retain_graph=True)[0][:, 0]
    at_z, of_loss = torch.autograd.grad(loss, (z, a))
    none = ((len(sets) * at_z).abs() < 1e-6)[(z > 0) != (y > 0.5)].double().mean()
    found[kind] = {"theory": theory((10, 10), *kind), "rms": rms(z)}
    found[kind] |= {"spread / rms": spread(z), "no gradient": none.item()}
    found[kind] |= {"loss by a": rms(of_loss[:, 0]), "logit by a": rms(of_logit)}
rows = [{"pool, factor": ", ".join(kind)} | row for kind, row in found.items()]
digits = {"theory": 1, "rms": 1, "loss by a": 4, "logit by a": 4}
table(rows, digits=digits, caption="200 untrained networks, 5 → 10 → 10 → 1")

# %% [markdown]
# The theory holds within a quarter. Both sums contribute: with both, the logits are in the thousands and almost no wrong
# set has a gradient, and replacing either sum by an average still leaves the other. That share is the number to look at.
# The gradient of a *weight*, which one would print first, misleads. In the first row it is far larger than in the last,
# where every wrong set has one: few sets have a gradient there, but a weight moves their logits thousands of times more.
#
# ## An initialization that neither blows up nor dies
#
# Two averages keep the logits small. But in the last row what differs from set to set is a small part of them. Do
# averages of averages make all sets look the same? The control is to leave out the constants $c$.

# %%
layers = normal(50, [10] * 8)
drowned = spread(forward(layers, *options["mean", "1/d"], sets[None]))
layers = [stack * torch.tensor([1, 1, 0])[:, None, None] for stack in layers]
alive = spread(forward(layers, *options["mean", "1/d"], sets[None]))
print(f"spread after 8 layers: {drowned:.1g} with c, {alive:.2f} with c = 0")

# %% [markdown]
# It is not the averages. A set mean with $1/d$ shrinks by about $\sqrt d$ per layer all of a signal, what sets share as
# well as what tells them apart. Only the constants do not shrink, since every layer adds new ones, and after a few
# layers the logit consists of them. With $c = 0$ the relative spread survives eight layers.
#
# So let the constants begin at 0, and give the weights the scale that undoes the factor. The layer is two linear maps,
# $s\,a$ on the deviations of the members from their mean and $s\,(a + b)$ on the mean. The package draws these *two
# maps* independently, each as a random semi-orthogonal matrix times $\sqrt 2 \cdot \sqrt{\max(1, d'/d)}$ for $d$
# channels that come in and $d'$ that go out. A semi-orthogonal matrix keeps lengths on $\min(d, d')$ orthogonal
# directions. In a random orientation this keeps the mean square per channel if $d' \le d$, and spreads the same length
# over more channels if $d' > d$, which the root makes up for. The 2 doubles the mean square, and the ReLU halves it
# again, since a map is as likely as its negative: $\mathbb E\, F(x)^2 = 2\, \mathbb E\, x^2$ and $\mathbb E\,
# \mathrm{ReLU}(F(x))^2 = \mathbb E\, x^2$. This holds at any width and depth in expectation over the draw; a *single*
# draw scatters about it. No ReLU follows the invariant layer, and it does without the 2. (The 2 is due to
# [He et al. (2015)](../bibliography.md#he-2015), orthogonal matrices to [Saxe et al. (2014)](../bibliography.md#saxe-2014).)
#
# ## One ablation
#
# Weights, pool, factor, loss and learning rate: five things that the first network could have had otherwise. We train
# all 72 combinations side by side, from four seeds each, for 1,000 steps of Adam with 16 fresh sets. A constant
# learning rate leaves the weights jittering, so we judge the mean of the weights over the second half of the steps.

# %%
STEPS, SEEDS, RATES = 1_000, 4, (1e-3, 1e-2, 1e-1)
cases = [(weights, *kind) for weights in ("normal", "package") for kind in kinds]


def initial(weights, pooling, factor, seed):
    """Draw the weights of one network of the ablation."""
    torch.manual_seed(seed)
    model = intrinsic(n, d, normalization=NAMES[factor], pooling=pooling)
    shown = ((getattr(m, "a", m.b), m.b, m.c) for m in model[::2])
    shown = [torch.stack(coefficients)[None] for coefficients in shown]
    return shown if weights == "package" else normal(1, (10, 10), seed)


def drawn(count, source):  # fresh sets and their labels
    y = torch.randint(2, (count,), generator=source).float()
    x = torch.randn(count, n, d, generator=source)
    return x * torch.where(y > 0.5, v1, v2).sqrt()[:, None, None], y


def trained(cases, rate):
    """Train every case with either loss; return accuracies (cases, losses, seeds)."""
    runs = list(itertools.product(cases, (False, True), range(SEEDS)))
    each = zip(*(initial(*case, seed) for case, _, seed in runs), strict=True)
    layers = [torch.cat(stack).detach().requires_grad_() for stack in each]
    chosen = torch.tensor([options[case[1:]] for case, *_ in runs])
    power, pool = chosen.T[:, :, None, None]
    with_logits = torch.tensor([logits for _, logits, _ in runs])[:, None]
    own = torch.tensor([seed for *_, seed in runs])  # one seed, the same sets
    source = torch.Generator().manual_seed(SEEDS)
    optimizer = torch.optim.Adam(layers, lr=rate)
    means = [torch.zeros_like(layer) for layer in layers]
    for step in range(STEPS):
        x, y = drawn(SEEDS * 16, source)
        x, y = x.unflatten(0, (SEEDS, 16))[own], y.unflatten(0, (SEEDS, 16))[own]
        z = forward(layers, power, pool, x)
        of_logits = F.binary_cross_entropy_with_logits(z, y, reduction="none")
        of_outputs = F.binary_cross_entropy(z.sigmoid(), y, reduction="none")
        optimizer.zero_grad()
        torch.where(with_logits, of_logits, of_outputs).mean(1).sum().backward()
        optimizer.step()
        for mean, layer in zip(means, layers, strict=True):
            mean += layer.detach() * (step >= STEPS / 2) * 2 / STEPS
    tests = (x.expand(len(runs), -1, -1, -1) for x in x_test.split(500))
    z = torch.cat([forward(means, power, pool, x) for x in tests], 1)
    hits = (z > 0) == (y_test > 0.5)
    return hits.double().mean(1).unflatten(0, (len(cases), 2, SEEDS))


x_test, y_test = drawn(4_000, torch.Generator().manual_seed(99))
results = torch.stack([trained(cases, rate) for rate in RATES], 2)
mean, error = results.mean(-1), results.std(-1) / SEEDS**0.5

# %% alt="Heat strip of accuracies: twelve rows, weights times pool times factor, and six columns, two losses times three learning rates, each cell with its number. The rows with standard normal weights and both sums, and all rows with the package's weights and a set sum, are near one half. With a set mean most cells at 0.01 are near 0.68; at 0.001 the factor 1/d lags behind, and at 0.1 it still learns with the package's weights, where the factor 1 is near one half." slide="picture"
columns = [f"{loss}\n{rate:g}" for loss in ("prob.", "logits") for rate in RATES]
fig, ax = plt.subplots(figsize=(7.6, 5.6))
ax.imshow(mean.flatten(1), cmap="viridis", vmin=0.5, vmax=limit, aspect="auto")
for place, (m, e) in enumerate(zip(mean.flatten(), error.flatten(), strict=True)):
    style = {"ha": "center", "va": "center", "color": "w" if m < 0.63 else "k"}
    text = f"{m:.2f} ± {e:.2f}".replace("0.", ".")
    ax.text(place % 6, place // 6, text, size=9, **style)
ax.set_xticks(range(6), columns)
ax.set_yticks(range(len(cases)), [", ".join(case) for case in cases])
ax.set_title(f"accuracy after {STEPS:,} steps, {SEEDS} seeds; limit {limit:.2f}")
ax.grid(False)
plt.show()

# %% [markdown] slide="theorem"
# Each row is one network, each column a way to train it; each number is a mean over the seeds with its standard error.
#
# 1. **The first network stays near one half**, whatever the learning rate and the loss.
# 2. **Change one thing from there**, at $10^{-2}$. With the factor $1/d$ it begins to learn. A set mean takes it further
#    (compare the columns of logits), *without* any division by $d$. With the package's weights alone it does not learn.
#    So the two sums are fatal together, and the set sum is the worse of them.
# 3. **The loss of a logit treats a symptom.** Every wrong set has a gradient now, but the two rows of standard normal
#    weights in which most had none stay below 0.6. Where all had one, the losses are level at $10^{-3}$ and $10^{-2}$.
# 4. **The weights** matter less than the pool. With a set mean, at $10^{-2}$ and two layers deep, the package's are a
#    few points ahead on average. With a set sum and `BCELoss` they do not learn at any factor.
# 5. **The factor $1/d$** is the slowest at $10^{-3}$, and still learns at $10^{-1}$, where the factor 1 is dead.
#
# ## The same function, another step
#
# The last point is a riddle. With the package's weights the three factors are *the same function* at first, since the
# weights undo $s$. What differs is what a step does. Adam moves every stored number by about the learning rate $\eta$,
# whatever the size of its gradient. So if all $d$ terms of a sum move to the same side, the output moves by $s\, d\,
# \eta$ times the mean of $|x_i|$: by $d \eta$ for the factor 1, by $\sqrt d\, \eta$ for $1/\sqrt d$, and by $\eta$ for
# $1/d$, *at every width*. The division by $d$ makes the learning rate mean the same for narrow and for wide layers.
# [Yang and Hu (2021)](../bibliography.md#yang-2021) derive this rule, the *maximal update*, for networks of growing
# width: with Adam, hidden and last layers take steps $\propto 1/d$. At the usual rate of $10^{-3}$, though, such steps
# are small. What remains to be chosen is one constant.
#
# !!! theorem "Lemma (units)"
#     Let a coefficient be stored as $a / \kappa$. Then Adam with learning rate $\eta$ and $\epsilon = 0$ does to $a$
#     what it does with learning rate $\kappa \eta$ if $a$ itself is stored.
#
# *Proof.* The gradient of what is stored is $\kappa$ times that of $a$. Adam divides the running mean of gradients by
# the root of the running mean of their squares, where $\kappa$ cancels. So the stored number moves as $a$ would move,
# and $a$ moves $\kappa$ times as far. $\blacksquare$
#
# With the factor $1/d$ the package stores $a$, $b$ and $c$ in units of $\kappa = 8$ at every width: `layer.a` shows what
# the formula has, `layer.stored_a` is the parameter. At 8 channels a stored number is that of an ordinary linear layer.
# So the default is the row "package, mean, 1/d" at eight times the rate. We train it, and measure what one step changes.


# %%
def change(width, factor, seed):
    torch.manual_seed(seed)
    model = intrinsic(n, d, hidden=(width, width), normalization=NAMES[factor])
    before = model[:-1](sets).detach()
    F.binary_cross_entropy_with_logits(model(sets), labels).backward()
    torch.optim.Adam(model.parameters(), lr=1e-3).step()
    return rms(model[:-1](sets).detach() - before) / rms(before)


default = [trained(cases[-1:], 8 * r)[0, 1].mean().item() for r in RATES[:2]]
print("the default at 0.001 and 0.01: {:.3f}, {:.3f}".format(*default))
changes = {}
print("one step changes the last features, at widths 16, 64 and 256, by")
for factor in POWER:
    draws = [[change(w, factor, seed) for w in (16, 64, 256)] for seed in range(6)]
    changes[factor] = torch.tensor(draws).mean(0).tolist()
    print("{:>4}: {:.3f} {:.3f} {:.3f}".format(factor, *changes[factor]))

# %% [markdown]
# At $10^{-3}$ the default comes within three points of the factor 1 and far ahead of $1/d$ without a unit, and at
# $10^{-2}$ it is level with the best. At width 256 one step of it changes the features as much as at width 16, with
# $1/\sqrt d$ about four times and with the factor 1 about sixteen times as much, as derived.
#
# ## Check the claims

# %%
# The first network, and where a float ends.
assert max(history.test_acc) < 0.56 < 0.9 < certain
z = torch.tensor([-40.0, -20, -5, 5, 15, 17], requires_grad=True)  # missed labels
F.binary_cross_entropy(z.sigmoid(), (z < 0).float(), reduction="sum").backward()
assert z.grad[0].abs() < 1e-4 < 0.99 < z.grad[1:5].abs().min()
assert z.grad[5] == 0
steep = F.binary_cross_entropy_with_logits(z, (z < 0).float(), reduction="sum")
assert torch.autograd.grad(steep, z)[0].abs().min() > 0.99
late = torch.tensor(16.7, dtype=torch.float64)
assert late.float().sigmoid() == 1 > late.sigmoid().float()  # rounded only once
assert (late - 0.2).float().sigmoid() < 1

# Theory, sums, gradients; constants and depth.
assert all(0.8 < row["rms"] / row["theory"] < 1.25 for row in found.values())
sizes = [found[k]["rms"] for k in (("sum", "1"), ("sum", "1/√d"), ("mean", "1"))]
assert sizes[0] > 2_000 > 500 > sizes[1] > 40 > sizes[2] > 10
ill, healthy = found["sum", "1"], found["mean", "1/d"]
assert ill["no gradient"] > 0.95 > healthy["no gradient"] == 0
assert found["mean", "1/√d"]["no gradient"] == 0
assert ill["loss by a"] > 100 * healthy["loss by a"]
assert ill["logit by a"] > 2_000 * healthy["logit by a"]
assert drowned < 1e-3 < healthy["spread / rms"] < 0.1 < 0.2 < alive

# The verdict of the ablation: rows by name, each (losses, rates).
by = dict(zip(cases, mean, strict=True))
start, divided = by["normal", "sum", "1"], by["normal", "sum", "1/d"]
assert max(start.max(), by["normal", "sum", "1/√d"].max()) < 0.6
assert min(found["sum", factor]["no gradient"] for factor in ("1", "1/√d")) > 0.6
assert divided[0, 1] > start[0, 1] + 0.03
assert by["normal", "mean", "1"][0, 1] > start[0, 1] + 0.05
assert by["normal", "mean", "1"][1, 1] > divided[1, 1] + 0.02
assert by["package", "sum", "1"].max() < 0.57
fast, root, slow = (by["package", "mean", factor] for factor in POWER)
assert slow[1, 0] + 0.02 < root[1, 0] < fast[1, 0] - 0.03
assert slow[1, 2] > 0.66 > 0.55 > fast[1, 2]
at_rate = mean[:, 0, 1].unflatten(0, (2, 2, 3))  # weights, pools, factors
ahead = (at_rate[1, 1] - at_rate[0, 1]).mean()
assert -0.02 < ahead < 0.06 < 0.12 < (at_rate[1, 1] - at_rate[1, 0]).min()
assert max(by["package", "sum", factor][0].max() for factor in POWER) < 0.54
level = [by[w, "mean", f] for w in ("normal", "package") for f in ("1/√d", "1/d")]
assert max((row[0] - row[1])[:2].abs().max() for row in level) < 0.01

# Our network is the package's, the default in units of 8; steps at every width.
for kind in kinds:
    torch.manual_seed(0)
    model = intrinsic(n, d, normalization=NAMES[kind[1]], pooling=kind[0])
    ours = forward(initial("package", *kind, 0), *options[kind], sets[None])
    assert torch.allclose(ours[0], model(sets)[:, 0], rtol=1e-3)
    assert model[0].a.equal(model[0].stored_a * (8 if kind[1] == "1/d" else 1))
assert default[0] > max(slow[1, 0] + 0.05, fast[1, 0] - 0.03)
assert abs(default[1] - max(row.max() for row in (fast, root, slow))) < 0.02
growth = {factor: change[-1] / change[0] for factor, change in changes.items()}
assert 0.75 < growth["1/d"] < 1.35 < 2.6 < growth["1/√d"] < 5
assert 10 < growth["1"] < 20

# %% [markdown] slide="verdict"
# ## Summary
#
# - Sums over members and features multiply a signal by about $n \sqrt{d/2}$ per layer. Logits in the thousands round to
#   certainties, which have no gradient. Count these: the gradient of a weight can be large all the same.
# - Of the two sums, that over the set is the worse one. A set mean alone makes the network train.
# - The loss of a logit gives every wrong set a gradient and does not mend the scale. Constants $c$ drown a signal that
#   shrinks. The package begins with $c = 0$ and weights that keep the mean square.
# - The factor $1/d$ decides what a *step* does, and keeps one learning rate right at every width.
#
# ## Where the field went
#
# [Zhang et al. (2022)](../bibliography.md#zhang-2022) find vanishing and exploding gradients in deep networks of sets,
# and build deep ones with residual connections and a normalization made for sets. [Yang et al.
# (2022)](../bibliography.md#yang-2022) tune a learning rate on a narrow network and use it on a wide one; [Everett et
# al. (2024)](../bibliography.md#everett-2024) warn that other parametrizations transfer as well, with the right rate
# for each layer. [Blake et al. (2025)](../bibliography.md#blake-2025) join the maximal update with units in which
# activations, weights and gradients begin at scale one, for training in low precision. [Large et al.
# (2024)](../bibliography.md#large-2024) measure steps in a norm built along with the network, so that one rate serves
# many widths and depths; [Dey et al. (2025)](../bibliography.md#dey-2025) carry rates across the depth of transformers.
#
# ## Exercises
#
# **1.** With a set sum and $1/d$, at which width does a network of standard normal weights neither grow nor shrink, if
# its members are all alike ($C = A$) and the constants do not count?
#
# ??? success "Solution"
#     Then $P = n^2 A$, and $A' = \frac1d (1 + n^2) A$ before the ReLU and half of it after. It is neutral at $d = (n^2 +
#     1)/2$. At any other width it grows or shrinks geometrically with depth.

# %% exercise="1"
answer_1 = ...  # for sets of 10, to three digits

# %% solution="1"
answer_1 = (n**2 + 1) / 2

# %% check="1"
check_1 = AnswerCheck("05.1", digest="2a5f58950c34cebd")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[n**2 / 2, n**2 + 1, n / 2**0.5, n])

# %% [markdown]
# **2.** Write the loss of a logit without a sigmoid, so that neither it nor its gradient breaks at logits of $\pm 200$.
#
# ??? success "Solution"
#     $-y \ln p - (1 - y) \ln (1 - p) = \ln (1 + e^z) - y z$, with gradient $p - y$. `softplus` does not overflow.


# %% exercise="2"
def logit_loss(z, y): ...


# %% solution="2"
def logit_loss(z, y):
    return F.softplus(z) - y * z


# %% check="2"
def law_2(logit_loss):
    z, y = torch.linspace(-200, 200, 80, requires_grad=True), torch.arange(80) % 2.0
    loss = logit_loss(z, y)
    right = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    assert torch.allclose(loss, right, atol=1e-4), "a loss is wrong"
    (slope,) = torch.autograd.grad(loss.sum(), z)
    assert torch.allclose(slope, z.sigmoid() - y, atol=1e-4), "a gradient is wrong"


check_2 = CodeCheck("2", law_2)
check_2(logit_loss)

# %% wrong="2"
wrong_2 = [lambda z, y: F.softplus(z) - (1 - y) * z, lambda z, y: F.softplus(z)]
wrong_2 += [lambda z, y: (1 + z.exp()).log() - y * z]
check_2.holds(logit_loss, wrong=wrong_2)

# %% [markdown]
# **3.** Draw `a` and `b`, each `(d, out)`, of a layer with the factor $1/d$ and a set mean, as the package does.
#
# ??? success "Solution"
#     Draw the maps $s\,a$ and $s\,(a + b)$ with the gain $\sqrt{2 \max(1, d'/d)}$, and solve for $a$ and $b$.


# %% exercise="3"
def draw(d, out): ...


# %% solution="3"
def draw(d, out):
    gain = math.sqrt(2 * max(1, out / d))
    own, shared = (nn.init.orthogonal_(torch.empty(d, out), gain) for _ in range(2))
    return d * own, d * (shared - own)


# %% check="3"
def law_3(draw):
    torch.manual_seed(3)
    for d, out, gain in ((4, 12, 6**0.5), (12, 4, 2**0.5)):
        a, b = draw(d, out)
        for part in (a / d, (a + b) / d):
            error = (torch.linalg.svdvals(part) - gain).abs().max()
            assert error < 1e-3, "a map has another scale"
        assert torch.linalg.matrix_rank(b) == 4, "the two maps should differ"


check_3 = CodeCheck("3", law_3)
check_3(draw)

# %% wrong="3"
a, b = draw(4, 12)
wrong_3 = [lambda *_: (a, a), lambda *_: (a, 0 * b), lambda *_: (a / 3, b / 3)]
check_3.holds(draw, wrong=wrong_3)

# %% [markdown]
# **4.** SGD moves a stored number by $\eta$ times its gradient. One step moves the output of a layer with the factor
# $1/d$ by $\kappa^p d^q$ times numbers that depend on neither. Which $p$ and $q$?
#
# ??? success "Solution"
#     $a$ moves by $\kappa^2 \eta$ times its gradient, which is $s\,x_i$ times that of the output. So the output moves by
#     $\kappa^2 \eta\, s^2 \sum_i x_i^2 \propto \kappa^2 / d$. No unit makes these steps alike; $s = 1/\sqrt d$ does.

# %% exercise="4"
answer_4 = ...  # the pair p, q

# %% solution="4"
answer_4 = 2, -1

# %% check="4"
check_4 = AnswerCheck("05.4", digest="a21ac380b65b6a4d")
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[(1, 0), (1, -1), (2, -2), (2, 0)])

# %% [markdown]
# **5.** A normalization would keep the scale, too. Divide every set by the rms of its entries: how often can the best
# classifier be right then?
#
# ??? success "Solution"
#     A set is $\sqrt v$ times standard normal entries, and the division cancels $\sqrt v$. What is left has the same
#     distribution under both labels. The signal of this task *is* the scale.

# %% exercise="5"
answer_5 = ...

# %% solution="5"
answer_5 = 1 / 2

# %% check="5"
check_5 = AnswerCheck("05.5", digest="0b27a4842504bca9")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[limit, bayes_accuracy(1, d, v1, v2), 1])

# %% [markdown]
# ## Sources
#
# - [Cho and Saul (2009)](../bibliography.md#cho-2009), [Poole et al. (2016)](../bibliography.md#poole-2016): signals.
# - [Glorot and Bengio (2010)](../bibliography.md#glorot-2010): initial scales.
# - [Karras et al. (2018)](../bibliography.md#karras-2018): weights stored in units of their initial scale.
