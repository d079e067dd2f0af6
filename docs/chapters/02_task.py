# %% [markdown] slide="question"
# # The task and its limit
#
# !!! abstract "What you will be able to do"
#     - Derive the sufficient statistic of a task from its densities.
#     - Compute the best accuracy and the least loss that any classifier can have.
#     - Find out which summaries of a set still reach that limit.
#     - Say how many test sets a comparison of two models needs.
#
# Two distributions produce sets of $n = 10$ members with $d = 5$ features. They differ only in how far their entries
# spread, and by little. Which one made a given set? And how often can *any* classifier be right?
#
# Most benchmarks leave the second question open. Here it has an exact answer, so every network on this task can be
# compared with the best there can be. This chapter derives that limit, shows which summaries of a set still reach it,
# and finds out how large a test set must be to tell models apart.

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
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8

# %% [markdown]
# ## The data
#
# A label $y$ is 0 or 1, equally often. Given it, the entries of a set $x \in \mathbb R^{n \times d}$ are independent:
#
# $$ x_{ij} \sim \mathcal N(0, v_1) \ \text{ if } y = 0, \qquad
#    x_{ij} \sim \mathcal N(0, v_2) \ \text{ if } y = 1, \qquad v_1 = 1,\ v_2 = 0.8 . $$
#
# These are variances; the standard deviations differ by about a tenth.
# [`GaussianDataset`][invariant_nets.GaussianDataset] draws such sets in two ways. With `static=True` it draws once, and
# every access to a sample returns the same set: a dataset in the usual sense. With `static=False` every access draws a
# new set (the label of a sample stays), so no set comes twice. Either way a seed fixes all.

# %%
for static in (True, False):
    data = GaussianDataset(800, (n, d), v1, v2, static=static, seed=0)
    first, again = data[0][0], data[0][0]
    rerun = GaussianDataset(800, (n, d), v1, v2, static=static, seed=0)[0][0]
    print(f"static={static}: equal again {torch.equal(first, again)},", end=" ")
    print(f"same seed, same set {torch.equal(first, rerun)}")

# %% [markdown] slide="theorem"
# ## One number holds all the information
#
# !!! theorem "Theorem (sufficiency)"
#     The posterior probability of the label depends on $x$ only through $T(x) = \sum_{ij} x_{ij}^2$. The log-odds of
#     label 1 are
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
# It contains $x$ only inside $T$: this is the factorization that makes $T$ *sufficient*. With equal priors, Bayes' rule
# turns the log-odds into $\ln p_{v_2}(x) - \ln p_{v_1}(x) = \frac{nd}2 \ln \frac{v_1}{v_2} + \frac T2
# \bigl(\frac1{v_1} - \frac1{v_2}\bigr)$, and factoring out the slope gives the claim. $\blacksquare$
#
# Fifty numbers went in, one came out, and nothing about the label was lost. Note what follows for symmetry: $T$ does
# not change when the rows of $x$ are permuted, so neither does the true posterior. That an ideal network is
# permutation-invariant is therefore not an assumption of this book. It is a property of the task. ($T$ is invariant to
# much more than the order of the rows; [the comparison](11_comparison.py) comes back to that.)
#
# ## The limit
#
# !!! theorem "Theorem (Bayes limit)"
#     Let $\eta(x) = \Pr(y = 1 \mid x)$. No classifier is right more often than $\mathbb E \max(\eta, 1 - \eta)$, and
#     predicting 1 where $\eta > \tfrac12$ attains it. No predicted probability $q(x)$ has a smaller expected
#     cross-entropy than $q = \eta$.
#
# *Proof.* Fix $x$. To predict 1 is right with probability $\eta(x)$, to predict 0 with $1 - \eta(x)$; no prediction
# beats the larger of the two, at any $x$, and so none does on average. For the loss, $-\eta \ln q - (1 - \eta) \ln (1 -
# q)$ is convex in $q$, with derivative zero at $q = \eta$. $\blacksquare$
#
# Since $v_1 > v_2$, the log-odds fall with $T$: the best classifier says "label 1" when $T < t$. Under variance $v$, $T
# / v$ is a sum of $nd$ squared standard normals, so it follows $\chi^2_{nd}$, with distribution function $F_{nd}$. The
# best accuracy is
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
# The picture shows where the rest goes. The two densities of $T$ overlap heavily, and where they overlap every
# classifier must be wrong at times: the shaded area, halved, is the error of the best classifier.

# %% moves="threshold" alt="The densities of T for the two labels, two wide bells that overlap heavily, with the threshold t at their crossing. The shaded overlap is twice the unavoidable error." slide="picture"
grid = np.linspace(10, 95, 400)
densities = [chi2(n * d, scale=v).pdf(grid) for v in (v1, v2)]
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.plot(grid, densities[0], label="label 0, variance $v_1$")
ax.plot(grid, densities[1], label="label 1, variance $v_2$")
ax.fill_between(grid, np.minimum(*densities), color="C5", alpha=0.35, lw=0)
ax.axvline(t, color=INK, ls="--", lw=1)
ax.text(t + 0.8, max(densities[1]) * 1.02, "threshold $t$", va="bottom")
ax.text(t, 0.008, f"half the area: {1 - limit:.3f}", ha="center")
ax.set(xlabel=r"$T = \sum_{ij} x_{ij}^2$", ylabel="density", ylim=(0, 0.059))
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# ## How the limit moves
#
# Taking the logarithm shows what makes the task hard. $\ln T$ has the same spread under both labels, nearly $\sqrt{2 /
# nd}$, and the labels shift it by $\ln (v_1 / v_2)$. Two such bells can be told apart with accuracy
#
# $$ \mathrm{acc}^* \approx \Phi \Bigl( \tfrac12 \sqrt{\tfrac{nd}2} \, \ln \frac{v_1}{v_2} \Bigr), $$
#
# where $\Phi$ is the distribution function of the standard normal distribution. Only the product $nd$ counts: for this
# task a set of 10 members with 5 features is worth as much as 50 single numbers. The approximation is slightly too
# high, most where a set has few entries.


# %%
def approximation(size, low):
    return norm.cdf(np.sqrt(size / 2) * np.log(v1 / low) / 2)


limits = np.vectorize(bayes_accuracy)
sizes = np.unique(np.geomspace(1, 2000, 60).astype(int))
curves = {
    low: (limits(sizes, 1, v1, low), approximation(sizes, low))
    for low in (0.5, 0.8, 0.95)
}
ln_T = x.square().sum((-2, -1)).log()
spread = [ln_T[y[:, 0] == label].std().item() for label in (0, 1)]
print("spread of ln T: {:.3f} and {:.3f}, predicted: 0.2".format(*spread))
for low, (exact, approximate) in curves.items():
    print(f"v2 = {low}: at most {(approximate - exact).max():.3f} too high")

# %% [markdown]
# ## What weaker summaries keep
#
# A network does not receive $T$; it must find it. Along the way it pools, and what it pools too early is gone. Since
# every summary is a function of $x$, none can beat $T$. How far below it do they stay?
#
# For sums the answer is exact. A column sum $\sum_i x_{ij}$ is a single number from $\mathcal N(0, n v)$, and the $d$
# of them are independent, so a network that sees only the column sums faces our task with one member instead of ten:
# its limit is that of $(n, d) = (1, 5)$. In the same way the row sums are worth a set of 10 numbers, the total sum just
# one. A *linear* logit $w \cdot x + b$ does worse still. It sees one such number and cuts it once, while a small
# variance shows on both sides of zero. By symmetry each side contributes half of the gain over guessing, and one cut
# gets half. For the other summaries we choose the best cut on one large sample and measure it on another.

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
    r"$\sum \max(0, x_{ij})$": best_cut(lambda x: x.relu().sum((-2, -1))),
    "row sums (exact)": bayes_accuracy(n, 1, v1, v2),
    "column sums (exact)": bayes_accuracy(1, d, v1, v2),
    "total sum (exact)": one_number,
    "a linear logit (exact)": 0.5 + (one_number - 0.5) / 2,
}

# %% alt="Dots on a scale of accuracy, from a linear logit just above one half, over the sums, the sum of ReLUs and the maximum, to the sum of absolute values and T, which lie at the dashed Bayes limit." slide="picture"
fig, ax = plt.subplots(figsize=(8, 3.2))
for height, accuracy in enumerate(reversed(kept.values())):
    ax.hlines(height, 0.5, accuracy, color="C0", alpha=0.4)
    ax.plot(accuracy, height, "o", color="C0", ms=7)
    ax.text(accuracy, height + 0.15, f"{accuracy:.3f}", ha="right", va="bottom")
ax.axvline(limit, color="C2", ls="--")
ax.text(limit + 0.002, 0, "Bayes limit", color="C2")
ax.set(yticks=range(len(kept)), yticklabels=reversed(kept), xlim=(0.49, 0.745))
ax.set(xlabel="best accuracy from this summary alone", ylim=(-0.5, len(kept) - 0.2))
plt.show()

# %% [markdown]
# Absolute values are almost as good as squares: the bend need not be the right one. Sums without a bend are poor,
# because positive and negative entries cancel. One ReLU is hardly better, which shows that it is not enough to bend
# before adding: $\max(0, x) = \frac12 (|x| + x)$, and the second part adds noise. *Two* ReLUs, of $x$ and of $-x$, add
# up to $|x|$. Keep this in mind when [the averaged layer](04_averaged_layer.py) pools: a nonlinearity must come before
# the last sum, and ReLUs must see both signs.
#
# ## Why 200 test sets cannot rank models
#
# An accuracy measured on $m$ sets is a count of hits divided by $m$, hence uncertain by its standard error $\sqrt{p (1
# - p) / m}$. Take the ideal classifier and a rival that is two points worse. How often is it level or ahead?
#
# That depends on how they are measured. On *separate* test sets their hits are independent. On the *same* sets
# (*paired*), only those sets count on which exactly one of the two is right. For that we need a definite rival: one
# that sees $T$ with multiplicative noise.

# %%
noise = torch.randn(len(x_new), generator=torch.Generator().manual_seed(0))
T_new = x_new.square().sum((-2, -1))
truth = y_new[:, 0].bool()
ideal_right = (T_new < t) == truth
rival_right = (T_new * (0.1 * noise).exp() < t) == truth
apart = (ideal_right != rival_right).double().mean().item()
worse = (ideal_right.double() - rival_right.double()).mean().item()
print(f"the rival is {worse:.3f} worse and disagrees on {apart:.3f} of the sets")


def level_separate(m: int) -> float:
    hits = np.arange(m + 1)
    return float(binom.pmf(hits, m, limit - 0.02) @ binom.cdf(hits, m, limit))


def level_paired(m: int) -> float:
    """Of the k sets on which they differ, at least half must be its own."""
    k = np.arange(m + 1)
    own = (apart - 0.02) / 2 / apart
    return float(binom.pmf(k, m, apart) @ binom.sf((k + 1) // 2 - 1, k, own))


rows = [
    {"test sets": m, "standard error": (limit * (1 - limit) / m) ** 0.5}
    | {"separate": level_separate(m), "same sets": level_paired(m)}
    for m in (200, 2_000, 20_000)
]
digits = {"standard error": 4, "separate": 6, "same sets": 6}
table(rows, digits=digits, caption="How often the rival is level or ahead")

# %% [markdown]
# On 200 separate sets the rival is level or ahead about every third time, and on 200 shared sets every fourth. The
# ideal classifier itself reads above its limit about half the time. Whoever also picks the best of many such readings
# will report the impossible; [overfitting](10_overfitting.py) shows it happen. So compare models on the same sets, and
# on tens of thousands of them. Here fresh data are free.
#
# ## A first training
#
# A network that is given $T$ needs only two parameters to reach the limit. This is logistic regression on $T$,
# standardized to $(T - nd) / \sqrt{2nd}$, trained by [`BinaryTrainer`][invariant_nets.BinaryTrainer]: logits, `BCEWithLogitsLoss`, Adam, batches of 32. The data are dynamic, so no set comes twice.


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

# %% alt="Loss and accuracy over 20 epochs: the loss falls to the dashed least possible loss within a few epochs, the accuracy climbs to the dashed Bayes limit and then scatters around it." slide="picture"
history.plot(bayes_accuracy=limit, bayes_loss=least_loss)

# %% [markdown]
# The curves reach both limits and then scatter around them. Is that the noise of the test sets, or does the model keep
# moving? We freeze it and measure it on a hundred other batches of 2,000 sets: it scatters as much. On two hundred
# thousand fresh sets, model and limit agree. Read as log-odds, the two trained parameters give the slope and the
# threshold of the theorem, up to the noise of the training.

# %%
with torch.no_grad():
    hit = ((model(x_new) > 0) == (y_new > 0.5)).double()
trained, frozen = hit.mean().item(), hit.view(100, -1).mean(1).std().item()
moving = np.std(history.test_acc[5:], ddof=1)
print(f"scatter over epochs {moving:.4f}, of the frozen model {frozen:.4f}")
w, b = model.linear.weight.item(), model.linear.bias.item()
slope, exact_slope = w / (2 * n * d) ** 0.5, (1 / v1 - 1 / v2) / 2
found_t = n * d - b / slope
rows = (("accuracy", trained, limit), ("slope", slope, exact_slope))
rows += (("threshold", found_t, t),)
table([dict(zip(("", "trained", "exact"), r, strict=True)) for r in rows], digits=4)

# %% [markdown]
# So the whole difficulty of what follows is to find $T$, or enough of it, from raw entries and labels. The question of
# the book is how much the symmetry of the set helps in that.
#
# **Try it.** The green line is the ideal logit of the set below, `mlp` a perceptron on its entries, `radial` a regression
# on $T$, both trained briefly. Change an entry or draw new sets: `radial` goes the way of the line, though less far. Swap
# two rows: the line and `radial` stay, and `mlp` moves, for it does not ignore the order.
#
# <div data-play="playground" data-needs="playground claims" data-models="mlp radial" data-actions="swap edit new-1 new-2"></div>
#
# ## Check the claims

# %%
assert torch.equal(first, rerun)
assert not torch.equal(first, again)  # the last one was dynamic
assert abs(t - bayes_threshold(n, d, v1, v2)) < 1e-9
assert abs(by_formula - limit) < 1e-9
assert 0.196 < min(spread) <= max(spread) < 0.206
assert abs(drawn_acc - limit) < 5 * acc_error
assert abs(drawn_loss - least_loss) < 0.005
assert 1.09 < (v1 / v2) ** 0.5 < 1.13  # "by about a tenth"

# Only nd counts; the normal approximation is slightly too high, most for few entries.
assert abs(bayes_accuracy(50, 1, v1, v2) - limit) < 1e-9
for exact, approximate in curves.values():
    assert (approximate - exact).min() > -1e-9
    assert (approximate - exact).argmax() == 0

# A bend of both signs, then add: good. One ReLU, or none: poor. Nothing beats T.
T_kept, abs_kept, max_kept, relu_kept, *sums_kept, linear_kept = kept.values()
assert abs(T_kept - limit) < 5 * acc_error
assert limit - 0.02 < abs_kept < limit - 3 * acc_error
assert list(kept.values()) == sorted(kept.values(), reverse=True)
assert sums_kept[0] + 3 * acc_error < relu_kept < 0.62 < max_kept < 0.65
two_relus = best_cut(lambda x: (x.relu() + (-x).relu()).sum((-2, -1)))
assert abs(two_relus - abs_kept) < 1e-4
one_cut = best_cut(lambda x: x.sum((-2, -1)))
assert abs(one_cut - linear_kept) < 4 * acc_error
row_sums = best_cut(lambda x: x.sum(-1).square().sum(-1))
assert abs(row_sums - sums_kept[0]) < 4 * acc_error

# Two hundred sets: a third of the time, a fourth if paired; above the limit, half.
assert abs(worse - 0.02) < 0.003
assert 0.33 < level_separate(200) < 0.37
assert 0.22 < level_paired(200) < 0.28
assert max(level_separate(20_000), level_paired(20_000)) < 1e-4
assert 0.45 < binom.sf(int(limit * 200), 200, limit) < 0.52

# Logistic regression on T is at the limit, with the theorem's parameters.
assert abs(trained - limit) < 4 * acc_error
assert 0.5 < moving / frozen < 1.7
assert abs(slope / exact_slope - 1) < 0.08
assert abs(found_t - t) < 1.2

# %% [markdown] slide="verdict"
# ## Summary
#
# - The densities contain $x$ only inside $T = \sum x_{ij}^2$, so $T$ holds all that a set says about its label.
# - No classifier is right more often than $\mathbb E \max(\eta, 1 - \eta)$, and no loss is less than that of $\eta$. Here
#   both are known exactly.
# - The limit depends on $nd$ and on $v_1 / v_2$, nearly as that of two normal bells.
# - Pooled sums lose the signal. A bend that keeps both signs, before the sum, saves it; one ReLU does not.
# - Two hundred test sets cannot rank models two points apart. Use the same sets for both, and many.
#
# ## Where the field went
#
# Here the symmetry of the ideal classifier followed from a sufficient statistic. [Bloem-Reddy and Teh
# (2020)](../bibliography.md#bloem-reddy-2020) make this general: they link the symmetry of a distribution, under a
# compact group, with the form of the functions that a network must have, by way of sufficiency, and treat exchangeable
# sequences and arrays as examples.
#
# On real data the limit is unknown, but it can be estimated. [Ishida et al. (2023)](../bibliography.md#ishida-2023)
# take the mean of labels that state how certain they are, without any model, and use it to detect test sets that were
# overfitted. [Ushio et al. (2025)](../bibliography.md#ushio-2025) extend this to labels that are noisy or
# miscalibrated. [Bouthillier et al. (2021)](../bibliography.md#bouthillier-2021) ask which sources of variation a
# comparison must vary: the test sets of this chapter are only one of them.
#
# ## Exercises
#
# **1.** Suppose that label 1 were twice as frequent as label 0. Below which $T$ should one predict 1?
#
# ??? success "Solution"
#     Bayes' rule adds the log-odds of the priors, $\ln 2$, to $\ell$. With slope $a = \frac12 (1/v_1 - 1/v_2) < 0$ the
#     log-odds $a (T - t) + \ln 2$ vanish at $t' = t + \ln 2 / |a|$, so more sets are called 1. The statistic is the
#     same.

# %% exercise="1"
answer_1 = ...  # the threshold, to three digits

# %% solution="1"
answer_1 = t + np.log(2) / abs(exact_slope)

# %% check="1"
check_1 = AnswerCheck("02.1", digest="3ea757023d8953f5")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[t, 2 * t - answer_1, t + np.log(2) / 0.25])

# %% [markdown]
# **2.** Let the two distributions differ in the mean instead: entries from $\mathcal N(0, 1)$ or $\mathcal N(\mu, 1)$.
# Which summary is sufficient, and what does pooling by sums cost? Give the Bayes limit for $\mu = 0.2$.
#
# ??? success "Solution"
#     $\ln p_\mu(x) - \ln p_0(x) = \mu \sum_{ij} x_{ij} - nd\,\mu^2 / 2$: the total sum is sufficient. A linear layer
#     reaches the limit, and summing first costs nothing. The sum is normal with variance $nd$ and the means $nd\,\mu$
#     apart, so $\mathrm{acc}^* = \Phi(\mu \sqrt{nd} / 2)$.

# %% exercise="2"
answer_2 = ...  # the best accuracy, to three digits

# %% solution="2"
answer_2 = norm.cdf(0.2 * np.sqrt(n * d) / 2)

# %% check="2"
check_2 = AnswerCheck("02.2", digest="a5f7bbc0c0759fbb")
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[limit, norm.cdf(0.2 * 50**0.5), norm.cdf(0.1)])

# %% [markdown]
# **3.** How many fresh sets does it take until a difference of one point, between two accuracies near the limit that
# are each measured on sets of their own, is four standard errors? Give two digits.
#
# ??? success "Solution"
#     The difference has standard error $\sqrt{2 p (1 - p) / m}$. It must be $0.0025$, so $m = 2 p (1 - p) / 0.0025^2$.
#     Measured on the *same* sets the errors are correlated, and fewer suffice if the two disagree on few sets.

# %% exercise="3"
answer_3 = ...  # the number of sets, to two digits

# %% solution="3"
answer_3 = 2 * limit * (1 - limit) / 0.0025**2

# %% check="3"
check_3 = AnswerCheck("02.3", digest="bf5621ba1ce7b10d", digits=2)
check_3(answer_3)

# %% wrong="3"
check_3.holds(answer_3, wrong=[answer_3 / 2, answer_3 / 4, answer_3 / 16])

# %% [markdown]
# **4.** A summary takes values $0, \dots, k$, with probabilities `p` under label 0 and `q` under label 1. Write
# `best_accuracy(p, q)`.
#
# ??? success "Solution"
#     At each value predict the more probable label: $\frac12 \sum_i \max(p_i, q_i)$. Merging two values cannot raise
#     it, since $\max(p_1 + p_2, q_1 + q_2) \le \max(p_1, q_1) + \max(p_2, q_2)$: a summary of a summary keeps no more.


# %% exercise="4"
def best_accuracy(p, q): ...


# %% solution="4"
def best_accuracy(p, q):
    return np.maximum(p, q).sum() / 2


# %% check="4"
def law_4(best_accuracy):
    assert np.isclose(best_accuracy(np.array([1, 0]), np.array([0, 1])), 1)
    hits = np.arange(101)
    p, q = binom.pmf(hits, 100, 0.5), binom.pmf(hits, 100, 0.6)
    cut = max((binom.cdf(k, 100, 0.5) + binom.sf(k, 100, 0.6)) / 2 for k in hits)
    assert np.isclose(best_accuracy(p, q), cut), "one cut is best for these two"
    p, q = np.array([0.2, 0.6, 0.2]), np.array([0.4, 0.2, 0.4])
    assert np.isclose(best_accuracy(p, q), 0.7), "two cuts are needed here"


check_4 = CodeCheck("4", law_4)
check_4(best_accuracy)

# %% wrong="4"
wrong_4 = [lambda p, q: np.maximum(p, q).sum(), lambda p, q: 1 - p @ q]
wrong_4 += [lambda p, q: 0.5 + np.abs(np.cumsum(p - q)).max() / 2]
check_4.holds(best_accuracy, wrong=wrong_4)

# %% [markdown]
# **5.** Let the variance depend on the feature: entry $x_{ij}$ has variance `var0[j]` under label 0 and `var1[j]` under
# label 1. Write `log_odds(x, var0, var1)` for a batch of sets. Which statistics are sufficient now?
#
# ??? success "Solution"
#     The same proof, feature by feature: the log-odds are a sum over $j$, and contain $x$ only inside the $d$ sums
#     $\sum_i x_{ij}^2$. They are still invariant to the order of the members, but no longer to that of the features.


# %% exercise="5"
def log_odds(x, var0, var1): ...


# %% solution="5"
def log_odds(x, var0, var1):
    squares = (1 / var0 - 1 / var1) * x.square().sum(-2)
    return (squares + x.shape[-2] * (var0 / var1).log()).sum(-1) / 2


# %% check="5"
def law_5(log_odds):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(20, 7, 3, generator=source)
    var0, var1 = torch.rand(2, 3, generator=source) + 0.5
    normal0, normal1 = (torch.distributions.Normal(0, v**0.5) for v in (var0, var1))
    direct = (normal1.log_prob(x) - normal0.log_prob(x)).sum((-2, -1))
    assert torch.allclose(log_odds(x, var0, var1), direct, atol=1e-3)


check_5 = CodeCheck("5", law_5)
check_5(log_odds)

# %% wrong="5"
wrong_5 = [
    lambda x, a, b: log_odds(x, b, a),
    lambda x, a, b: log_odds(x, a**2, b**2),
]
wrong_5 += [lambda x, a, b: ((1 / a - 1 / b) * x.square().sum(-2)).sum(-1) / 2]
check_5.holds(log_odds, wrong=wrong_5)

# %% [markdown]
# ## Sources
#
# - [Fisher (1922)](../bibliography.md#fisher-1922), *On the Mathematical Foundations of Theoretical Statistics*.
# - [Neyman and Pearson (1933)](../bibliography.md#neyman-1933), *On the Problem of the Most Efficient Tests of Statistical Hypotheses*.
# - [Devroye, Györfi and Lugosi (1996)](../bibliography.md#devroye-1996), *A Probabilistic Theory of Pattern Recognition*, chapter 2.
