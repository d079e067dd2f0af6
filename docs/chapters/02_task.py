# %% [markdown]
# # The task and its limit
#
# Two laws produce sets of $n = 10$ members with $d = 5$ features. They differ only in how far
# their entries spread, and by little. Shown one set, which law made it? And how often can *any*
# classifier be right?
#
# Most benchmarks leave the second question open. Here it has an exact answer, so every network
# of this book can be compared with the best there can be, not only with the other networks.
# This chapter derives that limit, shows which summaries of a set still reach it, and finds out
# how large a test set must be before a difference between two models means anything.

# %%
import numpy as np
import torch
from matplotlib import pyplot as plt
from scipy.stats import binom, chi2, norm
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    bayes_accuracy,
    bayes_loss,
    bayes_threshold,
)
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8

# %% [markdown]
# ## The data
#
# A label $y$ is 0 or 1 with equal probability. Given the label, the $nd$ entries of the set
# $x \in \mathbb R^{n \times d}$ are independent:
#
# $$ x_{ij} \sim \mathcal N(0, v_1) \ \text{ if } y = 0, \qquad
#    x_{ij} \sim \mathcal N(0, v_2) \ \text{ if } y = 1, \qquad v_1 = 1,\ v_2 = 0.8 . $$
#
# These are variances; the standard deviations differ by about a tenth.
# [`GaussianDataset`][invariant_nets.GaussianDataset] draws such sets in two ways. With
# `static=True` it draws once, and every access to a sample returns the same set: a dataset in the
# usual sense. With `static=False` every access draws a new set (the label of a sample stays), so
# a network that trains on it never meets a set twice. Either way a seed fixes all that comes out.

# %%
for static in (True, False):
    data = GaussianDataset(800, (n, d), v1, v2, static=static, seed=0)
    first, again = data[0][0], data[0][0]
    rerun = GaussianDataset(800, (n, d), v1, v2, static=static, seed=0)[0][0]
    print(
        f"static={static!s:5}  second access equal: {torch.equal(first, again)!s:5}"
        f"  same seed, same set: {torch.equal(first, rerun)}"
    )

# %% [markdown]
# Here are four sets of each label, a row a member, a column a feature. On average label 1 is a
# little paler. If you cannot tell the two rows of sets apart, you have understood the task.

# %% alt="Eight sets drawn as colored 10 by 5 grids, four of each label. The two labels look almost the same; label 1 is slightly paler."
data = GaussianDataset(8, (n, d), v1, v2, static=True, seed=3)
x, y = next(iter(DataLoader(data, batch_size=8)))
fig, axes = plt.subplots(2, 4, figsize=(7, 4.6))
for label, row in enumerate(axes):
    for ax, one in zip(row, x[y[:, 0] == label], strict=True):
        image = ax.imshow(one, cmap="coolwarm", vmin=-3, vmax=3, aspect="auto")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    row[0].set_ylabel(f"label {label}")
fig.colorbar(image, ax=axes, label="entry", shrink=0.8)
plt.show()

# %% [markdown]
# ## One number holds all the information
#
# !!! abstract "Theorem (sufficiency)"
#     The posterior probability of the label depends on $x$ only through
#     $T(x) = \sum_{ij} x_{ij}^2$. The log-odds of label 1 are
#
#     $$ \ell(x) = \ln \frac{\Pr(y = 1 \mid x)}{\Pr(y = 0 \mid x)}
#        = \frac12 \Bigl( \frac1{v_1} - \frac1{v_2} \Bigr) (T - t), \qquad
#        t = \frac{nd \, \ln (v_1 / v_2)}{1/v_2 - 1/v_1} . $$
#
# *Proof.* The density of a set under variance $v$ is a product over its entries,
#
# $$ p_v(x) = \prod_{ij} \frac{e^{-x_{ij}^2 / 2v}}{\sqrt{2 \pi v}}
#    = (2 \pi v)^{-nd/2} \, e^{-T / 2v} . $$
#
# It contains $x$ only inside $T$: this is the factorization that makes $T$ *sufficient*. With
# equal priors, Bayes' rule turns the log-odds into
# $\ln p_{v_2}(x) - \ln p_{v_1}(x)
# = \frac{nd}2 \ln \frac{v_1}{v_2} + \frac T2 \bigl(\frac1{v_1} - \frac1{v_2}\bigr)$,
# and factoring out the slope gives the claim. $\blacksquare$
#
# Fifty numbers went in, one came out, and nothing about the label was lost. Note what follows for
# symmetry: $T$ does not change when the rows of $x$ are permuted, so neither does the true
# posterior. That an ideal network is permutation-invariant is therefore not an assumption of this
# book. It is a property of the task. ($T$ is invariant to much more than the order of the rows;
# [the comparison](11_comparison.py) comes back to that.)
#
# ## The limit
#
# !!! abstract "Theorem (Bayes limit)"
#     Let $\eta(x) = \Pr(y = 1 \mid x)$. No classifier is right more often than
#     $\mathbb E \max(\eta, 1 - \eta)$, and predicting 1 where $\eta > \tfrac12$ attains it. No
#     predicted probability $q(x)$ has a smaller expected cross-entropy than $q = \eta$.
#
# *Proof.* Fix $x$. To predict 1 is right with probability $\eta(x)$, to predict 0 with
# $1 - \eta(x)$; nothing beats the larger of the two, at any $x$, so nothing beats it on average.
# For the loss, $-\eta \ln q - (1 - \eta) \ln (1 - q)$ is convex in $q$, with derivative zero at
# $q = \eta$. $\blacksquare$
#
# Since $v_1 > v_2$, the log-odds fall with $T$: the best classifier says "label 1" when $T < t$.
# Under variance $v$, $T / v$ is a sum of $nd$ squared standard normals, so it follows
# $\chi^2_{nd}$, with distribution function $F_{nd}$. The best accuracy is
#
# $$ \mathrm{acc}^* = \tfrac12 \, \bigl[\, F_{nd}(t / v_2) + 1 - F_{nd}(t / v_1) \,\bigr] . $$
#
# Here it is by this formula, by the package, and by two hundred thousand sets drawn at random.

# %%
t = n * d * np.log(v1 / v2) / (1 / v2 - 1 / v1)
F = chi2(n * d).cdf
by_formula = (F(t / v2) + 1 - F(t / v1)) / 2
limit, least_loss = bayes_accuracy(n, d, v1, v2), bayes_loss(n, d, v1, v2)


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    data = GaussianDataset(count, (n, d), v1, v2, static=True, seed=seed)
    return next(iter(DataLoader(data, batch_size=count)))


x, y = draw(200_000, seed=1)
log_odds = 0.5 * (1 / v1 - 1 / v2) * (x.square().sum((-2, -1)) - t)[:, None]
drawn_acc = ((log_odds > 0) == (y > 0.5)).double().mean().item()
drawn_loss = nn.functional.binary_cross_entropy_with_logits(log_odds, y).item()
acc_error = (limit * (1 - limit) / len(x)) ** 0.5
print(f"threshold  {t:.3f}   (package {bayes_threshold(n, d, v1, v2):.3f})")
print(f"accuracy   {by_formula:.4f}   (package {limit:.4f})")
print(f"drawn      {drawn_acc:.4f} ± {acc_error:.4f}")
print(f"loss       {least_loss:.4f}   (drawn {drawn_loss:.4f})")

# %% [markdown]
# The picture shows where the rest goes. The two densities of $T$ overlap heavily, and where they
# overlap somebody must be wrong: the shaded area, halved, is the error of the best classifier.

# %% alt="The densities of T for the two labels, two wide bells that overlap heavily, with the threshold t at their crossing. The shaded overlap is twice the unavoidable error."
grid = np.linspace(10, 95, 400)
densities = [chi2(n * d, scale=v).pdf(grid) for v in (v1, v2)]
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.plot(grid, densities[0], label="label 0, variance $v_1$")
ax.plot(grid, densities[1], label="label 1, variance $v_2$")
ax.fill_between(grid, np.minimum(*densities), color="C5", alpha=0.35, lw=0)
ax.axvline(t, color=INK, ls="--", lw=1)
ax.text(t + 0.8, max(densities[1]) * 1.02, "threshold $t$", va="bottom")
ax.text(t - 0.8, 0.008, "half the area:", ha="right")
ax.text(t + 0.8, 0.008, f"{1 - limit:.3f}")
ax.set(xlabel=r"$T = \sum_{ij} x_{ij}^2$", ylabel="density", ylim=(0, 0.059))
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# ## How the limit moves
#
# The task is this hard because we made it so. Taking the logarithm shows by which rule:
# $\ln T$ has the same spread under both labels, nearly $\sqrt{2 / nd}$, and the labels shift it by
# $\ln (v_1 / v_2)$. Two bells of one width at that distance are told apart with accuracy
#
# $$ \mathrm{acc}^* \approx \Phi \Bigl( \tfrac12 \sqrt{\tfrac{nd}2} \, \ln \frac{v_1}{v_2} \Bigr), $$
#
# $\Phi$ the normal distribution function. Only the product $nd$ counts, not $n$ and $d$ alone:
# for this task a set of 10 members with 5 features is worth as much as 50 single numbers. The
# dotted approximation is hard to see in the picture, because the exact curves cover it.


# %% alt="Two panels. Left: the limit climbs with the number of entries n d, faster for smaller v2. Right: it falls to one half as v2 approaches v1. Dotted approximations coincide with the exact curves; a dot marks the task of this book."
def approximation(size, low):
    return norm.cdf(np.sqrt(size / 2) * np.log(v1 / low) / 2)


limits = np.vectorize(bayes_accuracy)
sizes = np.unique(np.geomspace(1, 2000, 60).astype(int))
lows = np.linspace(0.3, 0.999, 60)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
for low in (0.5, 0.8, 0.95):
    left.semilogx(sizes, limits(sizes, 1, v1, low), label=f"$v_2={low}$")
    left.plot(sizes, approximation(sizes, low), ":", color=INK)
for size in (10, 50, 250):
    right.plot(lows, limits(size, 1, v1, lows), label=f"$nd={size}$")
    right.plot(lows, approximation(size, lows), ":", color=INK)
left.plot(n * d, limit, "o", color="C3", ms=7)
right.plot(v2, limit, "o", color="C3", ms=7)
left.set(xlabel="number of entries $nd$", ylabel="best accuracy")
right.set(xlabel="second variance $v_2$")
for ax in (left, right):
    ax.legend()
plt.show()

# %% [markdown]
# ## What weaker summaries keep
#
# A network does not receive $T$; it must find it. Along the way it pools, and what it pools too
# early is gone. Since every summary is a function of $x$, none can beat $T$. How far below it do
# they stay?
#
# For sums the answer is exact. A column sum $\sum_i x_{ij}$ is a single number from
# $\mathcal N(0, n v)$, and the $d$ of them are independent, so a network that sees only the column
# sums faces our task with one member instead of ten: its limit is that of $(n, d) = (1, 5)$.
# In the same way the row sums are worth a set of 10 numbers, the total sum just one.
# A *linear* logit $w \cdot x + b$ does worse still: it sees one such number, and cuts it once,
# while a small variance shows on both sides of zero. That halves the gain over guessing.
# For the other summaries we choose the best cut on one large sample and measure it on another.

# %%
x_fit, y_fit = x, y[:, 0].bool()
x_new, y_new = draw(200_000, seed=2)


def best_cut(summary) -> float:
    """Say 1 below the best cut of one sample; return the accuracy on another."""
    values, order = summary(x_fit).sort()
    hits = y_fit[order].long().cumsum(0)
    wrong = torch.arange(1, len(hits) + 1) - hits
    cut = values[(hits - wrong).argmax()]
    return ((summary(x_new) <= cut) == y_new[:, 0].bool()).double().mean().item()


one_number = bayes_accuracy(1, 1, v1, v2)
kept = {
    r"$T = \sum x_{ij}^2$": best_cut(lambda x: x.square().sum((-2, -1))),
    r"$\sum |x_{ij}|$": best_cut(lambda x: x.abs().sum((-2, -1))),
    r"$\max |x_{ij}|$": best_cut(lambda x: x.abs().amax((-2, -1))),
    "row sums (exact)": bayes_accuracy(n, 1, v1, v2),
    "column sums (exact)": bayes_accuracy(1, d, v1, v2),
    "total sum (exact)": one_number,
    "a linear logit (exact)": 0.5 + (one_number - 0.5) / 2,
}

# %% alt="Dots on a scale of accuracy, from a linear logit just above one half, over the sums and the maximum, to the sum of absolute values and T, which lie at the dashed Bayes limit."
fig, ax = plt.subplots(figsize=(8, 3.2))
for height, accuracy in enumerate(reversed(kept.values())):
    ax.hlines(height, 0.5, accuracy, color="C0", alpha=0.4)
    ax.plot(accuracy, height, "o", color="C0", ms=7)
    ax.text(accuracy, height + 0.15, f"{accuracy:.3f}", ha="right", va="bottom")
ax.axvline(limit, color="C2", ls="--")
ax.text(limit + 0.002, 0, "Bayes limit", color="C2")
ax.set(yticks=range(len(kept)), yticklabels=reversed(kept), xlim=(0.49, 0.745))
ax.set(xlabel="best accuracy from this summary alone", ylim=(-0.5, len(kept) - 0.2))
ax.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# The summaries that bend first and add afterwards are good, even with the wrong bend: absolute
# values are almost as good as squares. The ones that add first are poor: positive and negative
# entries cancel, and how large they were is forgotten. Keep this in mind when
# [the averaged layer](04_averaged_layer.py) pools: a nonlinearity must come before the last sum.
#
# ## Why 200 test sets cannot rank models
#
# An accuracy measured on $m$ sets is a count of hits divided by $m$, hence uncertain by its
# standard error $\sqrt{p (1 - p) / m}$. Take the ideal classifier and a rival that is two points
# worse: the best networks of this book lie even closer together than that.

# %%
rival = limit - 0.02


def rival_wins(m: int) -> float:
    """Return how often the rival is level or better, each on its own m sets."""
    hits = np.arange(m + 1)
    return float(binom.pmf(hits, m, rival) @ binom.cdf(hits, m, limit))


standard_error = {m: (limit * (1 - limit) / m) ** 0.5 for m in (200, 2_000, 20_000)}
table(
    [
        {
            "test sets": m,
            "standard error": se,
            "rival at least level": rival_wins(m),
        }
        for m, se in standard_error.items()
    ],
    digits={"standard error": 4, "rival at least level": 6},
)

# %% alt="Probability of each measured accuracy for the ideal classifier and for a rival two points worse. On 200 test sets the two bells almost coincide; on 20,000 they are far apart."
fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharex=True)
for ax, m in zip(axes, (200, 20_000), strict=True):
    for p, name in ((limit, "ideal"), (rival, "two points worse")):
        hits = np.arange(int(0.6 * m), int(0.8 * m))
        ax.plot(hits / m, binom.pmf(hits, m, p) * m, label=name)
    ax.set(title=f"{m:,} test sets", xlabel="measured accuracy", yticks=[])
axes[0].set_ylabel("density")
axes[1].legend(loc="upper right")
plt.show()

# %% [markdown]
# On 200 sets the rival draws level or wins about every third time, and the ideal classifier itself
# reads above its limit about half the time. Whoever also picks the best of many such readings
# will report the impossible; [overfitting](10_overfitting.py) shows it happen. So this book ranks
# models on tens of thousands of fresh sets. The data are free; there is no excuse.
#
# ## A first training
#
# Give a network $T$ and two parameters, and it should reach the limit at once. This is logistic
# regression on $T$, standardized to $(T - nd) / \sqrt{2nd}$, trained by the
# [`BinaryTrainer`][invariant_nets.BinaryTrainer] of all later chapters: logits,
# `BCEWithLogitsLoss`, Adam, batches of 32. The data are dynamic, so no set comes twice.


# %%
class LogisticOfT(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        size, T = x[0].numel(), x.square().sum((-2, -1))[:, None]
        return self.linear((T - size) / (2 * size) ** 0.5)


torch.manual_seed(0)
model = LogisticOfT()
trainer = BinaryTrainer(
    model, nn.BCEWithLogitsLoss(), torch.optim.Adam(model.parameters(), lr=1e-2)
)
train = GaussianDataset(800, (n, d), v1, v2, static=False, seed=0)
test = GaussianDataset(2_000, (n, d), v1, v2, static=False, seed=1)
history = trainer.fit(DataLoader(train, 32), DataLoader(test, 500), num_epochs=20)
print(history.line(history.num_epochs))

# %% alt="Loss and accuracy over 20 epochs: the loss falls to the dashed least possible loss within a few epochs, the accuracy climbs to the dashed Bayes limit and then scatters around it."
history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The curves reach both limits and then scatter around them; the scatter is the noise of the test
# sets, not of the model. On fresh sets, two hundred thousand of them, model and limit agree. Better,
# the two trained parameters *are* the theorem: read as log-odds, they give its slope and threshold.

# %%
with torch.no_grad():
    trained = ((model(x_new) > 0) == (y_new > 0.5)).double().mean().item()
w, b = model.linear.weight.item(), model.linear.bias.item()
slope, exact_slope = w / (2 * n * d) ** 0.5, (1 / v1 - 1 / v2) / 2
found_t = n * d - b / slope
table(
    [
        {"": "accuracy", "trained": trained, "exact": limit},
        {"": "slope of the log-odds", "trained": slope, "exact": exact_slope},
        {"": "threshold", "trained": found_t, "exact": t},
    ],
    digits=4,
)

# %% [markdown]
# So the whole difficulty of what follows is to find $T$, or enough of it, from raw entries and
# labels. The question of the book is how much the symmetry of the set helps in that.
#
# ## Check the claims

# %%
assert abs(t - bayes_threshold(n, d, v1, v2)) < 1e-9
assert abs(by_formula - limit) < 1e-9
assert abs(drawn_acc - limit) < 5 * acc_error
assert abs(drawn_loss - least_loss) < 0.005
assert 1.09 < (v1 / v2) ** 0.5 < 1.13  # "by about a tenth"

# Only nd counts, and the normal approximation is good, as drawn.
assert abs(bayes_accuracy(50, 1, v1, v2) - limit) < 1e-9
many = sizes[sizes >= 10]
for low in (0.5, 0.8, 0.95):
    assert np.abs(limits(many, 1, v1, low) - approximation(many, low)).max() < 0.01

# Bend first, then add: good. Add first: poor. Nothing beats T.
T_kept, abs_kept, max_kept, *sums_kept, linear_kept = kept.values()
assert abs(T_kept - limit) < 5 * acc_error
assert limit - 0.02 < abs_kept < limit - 3 * acc_error
ranked = [T_kept, abs_kept, max_kept, *sums_kept, linear_kept]
assert ranked == sorted(ranked, reverse=True)
assert max(sums_kept) < 0.6
assert 0.5 < linear_kept < 0.52

# Two hundred sets: a third of the time, half of the time.
assert 0.28 < rival_wins(200) < 0.4
assert rival_wins(20_000) < 1e-4
assert 0.4 < binom.sf(int(limit * 200), 200, limit) < 0.6

# Logistic regression on T is at the limit, with the theorem's parameters.
assert abs(trained - limit) < 0.006
assert abs(slope / exact_slope - 1) < 0.25
assert abs(found_t - t) < 2

# %% [markdown]
# ## Exercises
#
# **1.** Suppose that label 1 were twice as frequent as label 0. How does the best threshold change,
# and the log-odds?
#
# ??? success "Solution"
#     Bayes' rule adds the log-odds of the priors, $\ln 2$, to $\ell$. With slope
#     $s = \frac12 (1/v_1 - 1/v_2) < 0$ the log-odds $s (T - t) + \ln 2$ vanish at
#     $t' = t - \ln 2 / s = t + \ln 2 / |s|$, so more sets are called 1. The statistic is the same.

# %% fold="Solution of exercise 1, in code"
shifted = t + np.log(2) / abs((1 / v1 - 1 / v2) / 2)
cuts = np.linspace(30, 80, 50_001)
right = (2 * F(cuts / v2) + 1 - F(cuts / v1)) / 3
print(
    f"threshold {t:.2f} becomes {shifted:.2f}; best cut found {cuts[right.argmax()]:.2f}"
)
assert abs(cuts[right.argmax()] - shifted) < 0.01

# %% [markdown]
# **2.** Let the two laws differ in the mean instead: entries from $\mathcal N(0, 1)$ or
# $\mathcal N(\mu, 1)$. Which summary is sufficient now, and what would pooling by sums cost?
#
# ??? success "Solution"
#     $\ln p_\mu(x) - \ln p_0(x) = \mu \sum_{ij} x_{ij} - nd\,\mu^2 / 2$: the total sum is sufficient.
#     A single linear layer reaches the limit, and summing first costs nothing. Our task is chosen so
#     that this does not happen.
#
# **3.** How many fresh sets do you need so that a difference of one point between two accuracies
# near the limit, each measured on sets of its own, is four standard errors?
#
# ??? success "Solution"
#     The difference has standard error $\sqrt{2 p (1 - p) / m}$. It must be $0.0025$, so
#     $m = 2 p (1 - p) / 0.0025^2$, which the cell below evaluates, with the exact probability that
#     so many sets put the worse of the two first. Measured on the *same* sets, the two errors are
#     correlated and fewer suffice.

# %% fold="Solution of exercise 3, in code"
m = round(2 * limit * (1 - limit) / 0.0025**2)
hits = np.arange(m + 1)
upside_down = binom.pmf(hits, m, limit - 0.01) @ binom.cdf(hits, m, limit)
print(f"{m:,} sets; the worse one comes first with probability {upside_down:.1e}")
assert abs(upside_down / norm.cdf(-4) - 1) < 0.25

# %% [markdown]
# ## Sources
#
# - [Fisher (1922)](../bibliography.md#fisher-1922), *On the Mathematical Foundations of Theoretical
#   Statistics*: sufficiency.
# - [Neyman and Pearson (1933)](../bibliography.md#neyman-1933), *On the Problem of the Most Efficient
#   Tests of Statistical Hypotheses*: the likelihood ratio.
# - [Devroye, Györfi and Lugosi (1996)](../bibliography.md#devroye-1996), *A Probabilistic Theory of
#   Pattern Recognition*, chapter 2: the Bayes limit.
