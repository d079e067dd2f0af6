# %% [markdown]
# # Augmentation
#
# Instead of building a network that ignores the order, show it each set in a new order every time,
# and let it learn to. This is the oldest route and the easiest to add: one line in the training
# loop, no price in evaluation. What does it promise, what does it deliver, and how does one get it
# wrong without noticing?

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from invariant_nets import (
    Augmentation,
    BinaryTrainer,
    GaussianDataset,
    SymmetryModel,
    bayes_accuracy,
    create_random_permutations,
    mlp,
    test_invariant,
)
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)

# %% [markdown]
# ## One draw of the average
#
# In the [one equation](../index.md) of the book, augmentation draws a single uniform permutation in
# each pass of the training and the identity in evaluation. What it minimizes is the *augmented loss*
#
# $$ L_{\mathrm{aug}}(\theta)
#    = \mathbb E_{(x, y)}\, \mathbb E_{\sigma \in S_n}\, \ell\bigl(f_\theta(\sigma x), y\bigr) . $$
#
# !!! abstract "Theorem (what augmentation minimizes)"
#     1. The gradient of $\ell(f_\theta(\sigma x), y)$ at one random $\sigma$ is an unbiased estimate
#        of the gradient of the augmented loss.
#     2. If $\ell$ is convex in its first argument, as the cross-entropy is in the logit, then the
#        averaged model $\bar f_\theta(x) = \mathbb E_\sigma f_\theta(\sigma x)$ satisfies
#
#        $$ \mathbb E_{(x, y)}\, \ell\bigl(\bar f_\theta(x), y\bigr) \le L_{\mathrm{aug}}(\theta) . $$
#
#        For a strictly convex $\ell$ there is equality only if $f_\theta(\sigma x)$ is, almost surely,
#        the same for all $\sigma$.
#
# *Proof.* The first is linearity: expectation and gradient change places. The second is Jensen's
# inequality for the expectation over $\sigma$, at each $(x, y)$. $\blacksquare$
#
# So augmentation trains an upper bound of the loss of the *averaged* model of
# [chapter 8](08_symmetrization.py), and the gap of the bound is a penalty on depending on the order.
# The pressure towards invariance is real. But it is a pressure, not a constraint: what is learned
# holds approximately, on data like the training data. In evaluation the network sees each set in the
# order in which it comes.
#
# ## The module
#
# [`Augmentation`][invariant_nets.Augmentation] wraps a model. In training it permutes
# the *set axis*, rows whole, one permutation for each sample of the batch; in evaluation it does
# nothing.

# %%
torch.manual_seed(0)
show = Augmentation(nn.Identity())
batch = (
    torch.arange(6.0).reshape(1, 3, 2).repeat(2, 1, 1)
)  # rows (0, 1), (2, 3), (4, 5), twice
print("in training  ", show.train()(batch).int().tolist())
print("in evaluation", show.eval()(batch).int().tolist())

# %% [markdown]
# ## Three ways to get it wrong
#
# Each of these runs without an error, and the loss goes down.
#
# **The wrong axis.** Shuffling the last axis, in each row by itself, mixes the *features* of a
# member. The order of the members stays as it is. On this book's task the labels survive that,
# because all entries are alike, and so the training looks healthy; on points in space it would
# exchange the coordinates of each point at random.
#
# **Around a model that is invariant already.** It changes nothing but the time.
#
# **In evaluation too.** The model becomes random: two calls on the same set disagree, and so does
# every accuracy that is computed from them.


# %%
class ShufflesFeatures(Augmentation):
    """The wrong axis: a permutation of the features in every row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = x.gather(-1, torch.rand_like(x).argsort(-1))
        return self.model(mixed if self.training else x)


class AlwaysOn(Augmentation):
    """Active in evaluation as well."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        orders = torch.rand(x.shape[:2]).argsort(-1)[..., None]
        return self.model(x.gather(1, orders.expand_as(x)))


sets = torch.randn(128, n, d)
mixed = ShufflesFeatures(nn.Identity()).train()(sets)
rows_kept = torch.equal(mixed.sort(-1).values, sets.sort(-1).values)
members_kept = torch.equal(mixed, sets)
always_on = test_invariant(AlwaysOn(mlp(n, d)), sets)
print("shuffling features: each row keeps its entries, in its place:", rows_kept)
print("                    the members stay what they were:         ", members_kept)
print("always on: random from call to call:", always_on.is_random)

# %% [markdown]
# ## What it buys
#
# Three perceptrons on the same 800 *static* sets, so that memorizing is possible: plain, augmented,
# and augmented along the wrong axis. For each we measure the accuracy on the training sets and on
# fresh ones, and how much its output depends on the order of the members, as a share of the spread
# of its outputs.

# %%
EPOCHS = 120
fresh = GaussianDataset(20_000, (n, d), v1, v2, static=True, seed=9)


def evaluate(model: nn.Module, data) -> tuple[float, float]:
    """Return accuracy and loss."""
    model.eval()
    hits, losses = [], []
    with torch.no_grad():
        for x, y in DataLoader(data, 2_000):
            logits = model(x)
            hits.append(((logits > 0) == (y > 0.5)).double().mean())
            losses.append(F.binary_cross_entropy_with_logits(logits, y).double())
    return torch.stack(hits).mean().item(), torch.stack(losses).mean().item()


def trained(wrap, static: bool, seed: int = 0) -> tuple[nn.Module, GaussianDataset]:
    torch.manual_seed(seed)
    model = wrap(mlp(n, d))
    train = GaussianDataset(800, (n, d), v1, v2, static=static, seed=seed)
    test = GaussianDataset(200, (n, d), v1, v2, static=False, seed=seed + 100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    trainer.fit(DataLoader(train, 32), DataLoader(test, 200), num_epochs=EPOCHS)
    return model, train


def dependence(model: nn.Module) -> float:
    """Return the standard deviation over orders, divided by that over sets and orders."""
    orders = create_random_permutations(n, 30, torch.Generator().manual_seed(0))
    model.eval()
    with torch.no_grad():
        outputs = torch.stack([model(order(sets)) for order in orders])
    return (outputs.var(0).mean() / outputs.var()).sqrt().item()


wraps = {
    "plain": nn.Sequential,
    "augmented": Augmentation,
    "wrong axis": ShufflesFeatures,
}
results, models = {}, {}
for name, wrap in wraps.items():
    model, train = trained(wrap, static=True)
    models[name] = model
    results[name] = {
        "on the training sets": evaluate(model, train)[0],
        "on fresh sets": evaluate(model, fresh)[0],
        "dependence on order": dependence(model),
    }
error = 0.5 / len(fresh) ** 0.5
table(
    [{"800 static sets": name, **row} for name, row in results.items()],
    caption=f"accuracy after {EPOCHS} epochs; standard error on fresh sets at most {error:.4f}",
)

# %% [markdown]
# The plain perceptron knows its 800 sets by heart and little else. Augmentation takes the crutch
# away: the same set never comes in the same order, so memorizing it does not pay. But so does the
# wrong axis, and on fresh sets it does about as well, since here the entries of a row are
# exchangeable too. That is how the mistake stays unnoticed. Only the last column gives it away: the
# network has not learned as well that members can change places.
#
# ### Learned invariance is approximate
#
# Even the augmented network still depends on the order. An average over orders at test time, as in
# [chapter 8](08_symmetrization.py), removes that dependence, and the theorem above says what the
# average does to the loss: it can only lower it, compared with the augmented loss.

# %%
generator = torch.Generator().manual_seed(1)
ks = (1, 2, 4, 8, 16, 32)
averaged = {}
for name in ("plain", "augmented"):
    for k in ks:
        average = SymmetryModel(
            models[name], lambda k=k: create_random_permutations(n, k, generator)
        )
        averaged[name, k] = evaluate(average, fresh)

# %% alt="Accuracy and loss on fresh sets against the number of random orders averaged at test time, from 1 to 32. For the plain and for the augmented network accuracy rises and loss falls; the augmented one is ahead."
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
for name in ("plain", "augmented"):
    for ax, part in zip(axes, (0, 1), strict=True):
        ax.semilogx(
            ks, [averaged[name, k][part] for k in ks], "o-", base=2, label=name
        )
axes[0].axhline(limit, color="C2", ls="--")
axes[0].text(1, limit - 0.003, "Bayes limit", color="C2", va="top")
axes[0].set(xlabel="orders averaged at test time", ylabel="accuracy")
axes[1].set(xlabel="orders averaged at test time", ylabel="loss", yscale="log")
axes[1].legend()
plt.show()

# %% [markdown]
# One random order ($k = 1$) gives the augmented loss itself. From there the loss falls, as Jensen's
# inequality demands, and much faster for the plain network, whose outputs scatter most over the
# orders. Augmentation and averaging are not rivals: the first makes the scatter small, the second
# removes the rest.
#
# ### When data never repeats
#
# With dynamic data no set comes twice, so there is nothing to memorize, and i.i.d. rows arrive in
# every order by themselves. Augmentation then changes nothing: the law of $\sigma x$ is the law of
# $x$.

# %%
dynamic = {}
for name in ("plain", "augmented"):
    model, _ = trained(wraps[name], static=False)
    dynamic[name] = {
        "accuracy on fresh sets": evaluate(model, fresh)[0],
        "dependence on order": dependence(model),
    }
table([{"dynamic sets": name, **row} for name, row in dynamic.items()])

# %% [markdown]
# ## Check the claims

# %%
# The module: rows stay whole, nothing happens in evaluation.
assert torch.equal(show.eval()(batch), batch)
assert rows_kept
assert not members_kept
assert always_on.is_random
assert not always_on

plain, right, wrong = results.values()
# The plain network memorizes; the others do not, and both do better on fresh sets.
assert plain["on the training sets"] > 0.97
assert right["on the training sets"] < 0.9
assert wrong["on the training sets"] < 0.95
assert right["on fresh sets"] > plain["on fresh sets"] + 0.03
assert wrong["on fresh sets"] > plain["on fresh sets"] + 0.03
assert abs(wrong["on fresh sets"] - right["on fresh sets"]) < 0.04

# Augmentation lowers the dependence on order; the wrong axis does much less; it is never zero.
assert right["dependence on order"] < 0.9 * wrong["dependence on order"]
assert wrong["dependence on order"] > 0.5
assert right["dependence on order"] > 0.05
assert not test_invariant(models["augmented"], sets)

# More orders: lower loss, for the plain network most; and never worse than one order.
for name in ("plain", "augmented"):
    losses = [averaged[name, k][1] for k in ks]
    assert losses == sorted(losses, reverse=True), name
    assert averaged[name, 32][0] > averaged[name, 1][0], name
fall = {
    name: averaged[name, 1][1] - averaged[name, 32][1]
    for name in ("plain", "augmented")
}
assert fall["plain"] > 3 * fall["augmented"]
assert all(averaged["augmented", k][0] > averaged["plain", k][0] for k in ks)
assert max(accuracy for accuracy, _ in averaged.values()) < limit + 4 * error

# On data that never repeats augmentation changes little.
accuracies = [row["accuracy on fresh sets"] for row in dynamic.values()]
assert abs(accuracies[0] - accuracies[1]) < 0.03

# %% [markdown]
# ## Exercises
#
# **1.** Augmentation draws one permutation a sample. Someone draws one for the whole batch instead,
# to save time. Is the gradient still unbiased? What is lost?
#
# ??? success "Solution"
#     Each sample still meets a uniform permutation, so the expectation of the gradient is the same.
#     But the permutations of the samples of a batch are no longer independent, so the gradient
#     varies more: the part of its variance that comes from $\sigma$ is not averaged over the batch.
#
# **2.** For which functions is the augmented loss *equal* to the plain loss, whatever the data? And
# for which data, whatever the function?
#
# ??? success "Solution"
#     For invariant functions, since $f(\sigma x) = f(x)$. And for data whose law does not change
#     under permutations, in expectation over that law, since $\sigma x$ is then distributed as $x$.
#     On a finite training set the second does not hold, and that is where augmentation acts.
#
# **3.** Let $f(\sigma x)$, for fixed $x$, have mean $\bar f(x)$ and variance $s^2(x)$ over $\sigma$.
# Expand the logistic loss to second order to estimate the gap in Jensen's inequality.
#
# ??? success "Solution"
#     The second derivative of the logistic loss in the logit is $p (1 - p)$ with
#     $p = \operatorname{sigmoid}(\bar f)$, whatever the label. So the gap at $x$ is about
#     $\tfrac12\, p (1 - p)\, s^2(x)$: augmentation penalizes the variance over orders, most where the
#     model is undecided.

# %% fold="Solution of exercise 3, in code"
x, y = next(iter(DataLoader(fresh, 2_000)))
orders = create_random_permutations(n, 64, generator)
with torch.no_grad():
    logits = torch.stack([models["augmented"](order(x)) for order in orders])
mean, variance = logits.mean(0), logits.var(0, correction=0)
augmented = F.binary_cross_entropy_with_logits(logits, y.expand_as(logits))
gap = (augmented - F.binary_cross_entropy_with_logits(mean, y)).item()
p = mean.sigmoid()
estimate = (p * (1 - p) * variance / 2).mean().item()
print(f"gap {gap:.4f}, second order {estimate:.4f}")
assert gap > 0
assert abs(estimate / gap - 1) < 0.3

# %% [markdown]
# ## Sources
#
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020), *A Group-Theoretic Framework for
#   Data Augmentation*: augmentation as averaging over orbits.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation
#   Benefit for Equivariant Models*: what averaging gains.
