# %% [markdown] slide="question"
# # Orders that are learned
#
# !!! abstract "What you will be able to do"
#     - Sort a set by keys that a network learns, and keep the result exactly invariant where keys tie.
#     - Turn the sort into a distribution over all orders, with one dial from a single order to the average over all.
#     - Derive two gradients for a sort, and measure which one is biased and which one is noisy.
#     - Judge whether an order was found: all seeds, the true order, and models that cannot find it.
#
# [Chapter 7](07_canonicalization.py) sorts sets by a fixed rule, [chapter 8](08_symmetrization.py) averages over orders
# drawn blindly. If an order means something to the task, and nobody knows which, can a network find it?

# %%
import math
from functools import partial
from itertools import permutations

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from invariant_nets import lexicographic_sort, mlp, order_keys, set_transformer
from invariant_nets.canonicalization import CanonicalModel, LearnedOrder
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d = 10, 5

# %% [markdown]
# ## One equation, one dial
#
# Both chapters fill in the [one equation](../index.md) of this book with a distribution $\mu(x)$ of permutations:
#
# $$ \bar f(x) = \underset{\pi \sim \mu(x)}{\mathbb E} \rho(\pi)^{-1} f(\pi \cdot x) . $$
#
# Give each member a *key*, a number, and sort the set by its keys, the largest first. Then add noise of size $\tau$ to
# the keys before the sort. (Here $\tau$ is a number and $\pi$ a permutation.) That is one page of the equation:
#
# | keys | noise | $\mu(x)$ | name |
# |---|---|---|---|
# | fixed, such as the first feature | $\tau = 0$ | the order that sorts $x$ | [canonicalization](07_canonicalization.py) |
# | several fixed ones | $\tau = 0$ | several orders, with weights that depend on $x$ | [frame](07_canonicalization.py#frames-several-orders-instead-of-one) |
# | learned | $\tau = 0$ | the order that sorts the keys | learned canonicalization ([Kaba et al., 2023](../bibliography.md#kaba-2023)) |
# | learned | $0 < \tau < \infty$ | all orders, near the sorted one more often | probabilistic symmetrization ([Kim et al., 2023](../bibliography.md#kim-2023)) |
# | any | $\tau = \infty$ | all orders alike | [symmetrization](08_symmetrization.py) |
#
# ## A sort by keys
#
# The keys must not depend on the order of arrival, so $s$ is an equivariant network: $s(\sigma \cdot x) = \sigma \cdot
# s(x)$. If all keys differ, the sorted set is the same for every order of arrival. But a sort leaves members whose keys
# *tie* as they came, and a network may die and give every member the key 0. And keys that look at the whole set sum it,
# and a sum rounds differently in another order. So we sort *lexicographically* first, compute the keys of these rows,
# and let ties keep this order: the same numbers go into the same operations. The control takes the rows as they come.


# %%
def put(x, order):
    return x.gather(-2, order[..., None].expand(*order.shape, x.shape[-1]))


def sort_by(s):
    return s.argsort(dim=-1, descending=True, stable=True)


torch.manual_seed(0)
x, keys, f, as_is = torch.randn(500, n, d), order_keys(d), mlp(n, d), nn.Identity()
base, late = lexicographic_sort(x), x.flip(1)
k, m = (keys(rows)[..., 0].sort(1).values for rows in (x, late))
y, z = (put(rows, sort_by(0 * rows[..., 0])) for rows in (x, late))
changes = {"keys of the network": k != m, "order by dead keys": (y != z).any(2)}
changes |= {"sorted rows": (base != lexicographic_sort(late)).any(2)}
changes = {name: c.any(1).float().mean().item() for name, c in changes.items()}
print("sets that show a reversed arrival:", changes)
with torch.no_grad():
    sorted_first = CanonicalModel(f, frame=LearnedOrder(keys))
    assert torch.equal(sorted_first(x), f(put(base, sort_by(keys(base)[..., 0]))))

# %% [markdown] slide="theorem"
# As they come, nearly all sets have other bits in their keys, and dead keys show the order of arrival; sorted rows do
# not. [`LearnedOrder`][invariant_nets.LearnedOrder] works so, and [`order_keys`][invariant_nets.order_keys] is a small
# network for the keys: it maps each member, beside the mean of all, to a number.
#
# ## A distribution over orders
#
# Let $G_1, \dots, G_n$ be independent with $P(G_i \le g) = e^{-e^{-g}}$ (Gumbel noise), and sort $s + \tau G$.
#
# !!! theorem "Theorem (Plackett–Luce)"
#     The sorted order fills one place after another by one of the members left, with probabilities $\propto e^{s_i/\tau}$:
#
#     $$ p(\pi \mid x) = \prod_{i=1}^n \frac{e^{s_{\pi(i)}/\tau}}{\sum_{j \ge i} e^{s_{\pi(j)}/\tau}} . $$
#
# *Proof.* $T_i = e^{-(s_i/\tau + G_i)}$ is a waiting time: $P(T_i > t) = P(G_i < -\log t - s_i/\tau) = e^{-t \lambda_i}$
# with the rate $\lambda_i = e^{s_i/\tau}$. Sorting $s + \tau G$ from the largest down sorts the $T_i$ from the smallest
# up. The first of independent exponential clocks to ring is the $i$-th with probability $\lambda_i / \sum_j \lambda_j$.
# The clocks that are left have no memory, so the next place is filled by the same rule. $\blacksquare$
#
# As $\tau \to 0$ only the sorted order is left, as $\tau \to \infty$ all orders are alike. We draw orders and compute
# their probabilities; the package gives the same bits from the same random numbers:


# %%
def drawn(s, tau, k, source):
    waits = torch.empty(len(s), k, s.shape[1]).exponential_(generator=source)
    return sort_by(s[:, None] - tau * waits.log())  # −log of a wait is Gumbel's


def log_prob(scores, orders):  # scores are keys / tau
    each = scores[:, None].expand(orders.shape).gather(-1, orders)
    left = each.flip(-1).logcumsumexp(-1).flip(-1)  # log of the sum over j ≥ i
    return (each - left).sum(-1)


source, same = (torch.Generator().manual_seed(1) for _ in range(2))
frame = LearnedOrder(keys, noise=0.5, samples=8, generator=same)
with torch.no_grad():
    orders = drawn(keys(base)[..., 0], 0.5, 8, source)
    copies = put(base[:, None].expand(-1, 8, n, d), orders)
    ours = (f(copies.flatten(0, 1)).view(-1, 8, 1) / 8).sum(1)
    assert torch.equal(ours, CanonicalModel(f, frame=frame)(x))

every = torch.tensor([*permutations(range(4))])
scores = torch.tensor([[0.9, 0.4, 0.0, -0.7]])
p, shares = {}, {}
for tau in (0.2, 1.0, 5.0):
    p[tau] = log_prob(scores / tau, every[None])[0].exp()
    orders = drawn(scores, tau, 100_000, source)[0]
    shares[tau] = (orders[:, None] == every).all(-1).float().mean(0)

# %% [markdown] slide="theorem"
# ## Continuity
#
# A sort [tears](07_canonicalization.py#the-tear): where keys meet, rows change places. With noise it does not:
#
# !!! theorem "Theorem (the tear is mended)"
#     If $s$ is equivariant, $f$ and $s$ are continuous and $\tau > 0$, then $\bar f(x) = \sum_\pi p(\pi \mid x)\, f(\pi
#     \cdot x)$ is invariant and continuous.
#
# *Proof.* Each of the $n!$ terms is continuous in $x$. If $\sigma \cdot x$ replaces $x$, the keys move with the rows, so
# the terms change places in the sum. $\blacksquare$
#
# The weights are why chapter 7 is not contradicted. How much noise is enough? One of four points of the plane moves past
# the others, in 200 steps or in 2,000. The largest change falls to a tenth for a slope, and stays for a jump. The key is
# the first coordinate; all 24 orders count.

# %%
torch.manual_seed(3)
f_plane = mlp(4, 2).double()
path = torch.randn(4, 2, dtype=torch.float64).repeat(2001, 1, 1)
path[:, 0, 0] = torch.linspace(-3, 3, 2001)
ratios = {}
for tau in (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
    frame = LearnedOrder(lambda rows: rows[..., 0], noise=tau)
    with torch.no_grad():
        y = CanonicalModel(f_plane, frame=frame)(path)[:, 0]
    coarse, fine = (y[::step].diff().abs().max().item() for step in (10, 1))
    ratios[tau] = fine / coarse
print({tau: round(ratio, 2) for tau, ratio in ratios.items()})

# %% [markdown]
# With any noise $\bar f$ is continuous, but with noise 0.001 so steep that these steps do not yet resolve the slope.
#
# ## Two gradients
#
# The order is constant where no keys meet, so a sort has no gradient for its keys. There are two ways to give it one.
#
# **The score.** Since $\nabla p = p \nabla \log p$, the gradient of $\sum_\pi p(\pi) f(\pi)$ is the mean of $\nabla f + f
# \nabla \log p$ over $\pi \sim p$. As $\mathbb E \nabla \log p = \nabla \sum_\pi p = 0$, any $b$ that does not depend on
# $\pi$ may be subtracted from $f$. For the $j$-th of $K$ draws take the mean of the others. Then $f_j - b_j =
# \frac{K}{K-1} (f_j - \bar f)$ with $\bar f$ the mean of all, and
#
# $$ \frac1K \sum_j (f_j - b_j)\, \nabla \log p_j = \sum_j \frac{f_j - \bar f}{K-1}\, \nabla \log p_j
#    = \sum_j f_j\, \nabla w_j, \qquad w_j = \frac1K + \frac{\ell_j - \bar \ell}{K - 1} , $$
#
# where $\ell_j = \log p_j$ minus its own value: 0 with a gradient. So an unbiased gradient needs nothing but *weights*
# of the value $1/K$, and comparing each draw with the others ([Kool et al., 2019](../bibliography.md#kool-2019)) means
# to *center* them. The control $1/K + \ell_j/K$ does not.
#
# **Straight through.** Sort forward; backward pretend that place $i$ held a mixture $(Px)_i$ of the members whose keys
# are near that of place $i$ ([Prillo and Eisenschlos, 2020](../bibliography.md#prillo-2020)). For keys $k$ that are
# standardized over the set, $P_{ij} \propto e^{-\lvert k_{\pi(i)} - k_j \rvert / t}$, and $f$ gets $\pi \cdot x + Px -
# \text{constant}(Px)$. What is added is $0$, so the values are those of the sort, bit for bit; the gradient is that of
# mixed rows. We measure both on ten sets of four members, where all 24 orders can be enumerated. Outputs lie around 1.


# %%
class ByKeys(nn.Sequential):  # of the network for the keys, and f
    def forward(self, rows):  # in lexicographic order
        keys, f = self
        s = keys(rows)[..., 0]
        order = sort_by(s)
        s = nn.functional.layer_norm(s, s.shape[-1:], eps=1e-6)  # standardized
        gaps = s.gather(-1, order)[..., None] - s[..., None, :]
        mixed = (-gaps.abs() / 0.1).softmax(-1) @ rows
        return f(put(rows, order) + (mixed - mixed.detach()))


pairs = ByKeys(keys, f)(base[:50]), sorted_first(x[:50])
slopes = [torch.autograd.grad(y.sum(), [*keys.parameters()]) for y in pairs]
assert torch.equal(*pairs)
assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*slopes, strict=True))

# %%
torch.manual_seed(0)
K, draws, net = 4, 1500, mlp(4, d).double()
ten, towards = torch.randn(10, 4, d).double(), torch.randn(d).double() / d**0.5


def gradients(center=None, draws=draws, **kind):
    """Return estimates of the gradient for the direction of the keys."""
    torch.manual_seed(1)
    x = ten.repeat_interleave(draws, 0)
    a = towards.expand(len(x), 1, d).clone().requires_grad_()  # one for each
    frame = LearnedOrder(lambda rows: (rows * a).sum(-1), noise=1, **kind)
    if center is None:
        y = CanonicalModel(lambda x: net(x) + 1, frame=frame)(x)
    else:  # the weights by hand
        orders = frame(x).orders
        ell = frame.log_prob(x, orders)
        ell = ell - ell.detach()
        w = (ell - ell.mean(1, keepdim=True)) / (K - 1) if center else ell / K
        copies = put(x[:, None].expand(-1, K, 4, d), orders)
        y = (1 / K + w) * (net(copies.flatten(0, 1)) + 1).view(-1, K)
    return torch.autograd.grad(y.sum(), a)[0].view(10, draws, d)


true, score = gradients(draws=1)[:, 0], {"samples": K, "gradient": "score"}
ways = {"score": gradients(False, **score), "centered": gradients(True, **score)}
for t in (0.1, 1):
    ways[f"straight through, t = {t}"] = gradients(samples=K, temperature=t)
biases = []
for name, g in ways.items():
    row = {
        "off": ((g.mean(1) - true) / g.std(1)).norm()
        * (draws / true.numel()) ** 0.5
    }
    row["cosine"] = torch.cosine_similarity(g.mean(1).ravel(), true.ravel(), dim=0)
    row["spread"] = g.std(1).norm() / true.norm()
    biases.append({"gradient": name} | {key: v.item() for key, v in row.items()})
table(biases, digits=2)

# %% [markdown]
# *Off* is the distance of the mean of 1,500 estimates from the true gradient, in standard errors: about 1 without bias.
# *Spread* is the standard deviation of one estimate, by the size of the true gradient. Scores are unbiased, and
# centering makes their spread about ten times smaller: without it the constant 1 counts. Straight-through gradients are
# biased, and point into a similar direction. A larger $t$ makes them less noisy.
#
# ## A task with a hidden order
#
# Ten members are drawn from $\mathcal N(0, I)$ in $\mathbb R^5$. A direction $u$, which no model is told, ranks them by
# $x_i \cdot u$. With $x_{(1)}, x_{(2)}, x_{(3)}$ the three highest, the label is 1 if $\sum_k w_k \cdot x_{(k)} > 0$: in
# the true order a linear problem. The controls are a set transformer, and the perceptron behind other orders: as they
# come, lexicographic, and sorted along $u$ with new noise $\tau$ in each batch, where ten draws are averaged at test
# time. All see the same 600 batches of 32 new sets; their seeds train side by side, on the Gaussian task as well.

# %%
source = torch.Generator().manual_seed(2)
u, w = torch.randn(d, generator=source), torch.randn(3, d, generator=source)
u /= u.norm()


def hidden(count, source):
    x = torch.randn(count, n, d, generator=source)
    return x, ((put(x, sort_by(x @ u))[:, :3] * w).sum((1, 2)) > 0).float()


def gaussian(count, source):
    y = torch.randint(2, (count,), generator=source)
    spread = torch.where(y == 1, 0.8**0.5, 1.0)[:, None, None]
    return torch.randn(count, n, d, generator=source) * spread, y.float()


def trained(build, views, task, seeds, lr=3e-3):
    models = []  # behind each view of the sets, one for each seed
    for seed in [*range(seeds)] * len(views):
        torch.manual_seed(seed)
        models.append(build())
    weights, _ = stack_module_state(models)
    run = vmap(lambda own, x: functional_call(models[0], own, (x,))[:, 0])
    optimizer = torch.optim.Adam(weights.values(), lr, fused=True)
    source = torch.Generator().manual_seed(0)
    for _ in range(600):
        x, y = task(32, source)
        seen = torch.stack([view(x) for view in views]).repeat_interleave(seeds, 0)
        logits = run(weights, seen)
        optimizer.zero_grad()
        (len(models) * cross_entropy(logits, y.expand_as(logits))).backward()
        optimizer.step()
    for i, model in enumerate(models):
        model.load_state_dict({name: v[i] for name, v in weights.items()})
    return [models[i : i + seeds] for i in range(0, len(models), seeds)]


@torch.no_grad()
def right(models, data, view=as_is, draws=1):  # (models, sets)
    logits = [sum(f(view(data[0])) for _ in range(draws))[:, 0] for f in models]
    return torch.stack([(z > 0) == (data[1] > 0.5) for z in logits]).float()


taus = (0, 0.1, 0.3, 1, 1e9)  # the last is infinite enough
views = {"as they come": as_is, "lexicographic": lexicographic_sort}
for tau in taus:
    views[tau] = lambda x, t=tau: put(x, drawn(x @ u, t, 1, None)[:, 0])


def compared(task, seeds):
    valid, test = (task(6000, torch.Generator().manual_seed(i)) for i in (1, 2))
    groups = trained(partial(mlp, n, d), views.values(), task, 3)
    hits, draws = {}, dict.fromkeys(taus[1:], 10)
    for (name, view), nets in zip(views.items(), groups, strict=True):
        hits[name] = right(nets, test, view, draws.get(name, 1))
    build = lambda: ByKeys(order_keys(d), mlp(n, d))  # noqa: E731
    (nets,) = trained(build, [lexicographic_sort], task, seeds)
    nets = [CanonicalModel(f, frame=LearnedOrder(keys)) for keys, f in nets]
    return hits | {"learned": right(nets, test)}, nets, valid, test


hits, nets, valid, test = compared(hidden, 12)
with sdpa_kernel(SDPBackend.MATH):  # the attention that vmap can batch
    (groups,) = trained(partial(set_transformer, n, d), [as_is], hidden, 3)
hits["set transformer"] = right(groups, test)
(slow,) = trained(partial(mlp, n, d), [as_is], hidden, 3, lr=1e-3)  # another rate
accuracy = {name: hit.mean(1) for name, hit in hits.items()}
best = accuracy["learned"][right(nets, valid).mean(1).argmax()]
found = accuracy["learned"] > 0.8
print(f"{found.sum()} of 12 pass 0.8; the best on validation sets has {best:.3f}")
with torch.no_grad():
    k = torch.stack([test[0] @ u, *(f.frame.keys(test[0])[..., 0] for f in nets)])
agree = torch.corrcoef(k.argsort(2).argsort(2).flatten(1))[0, 1:].abs()  # of ranks
iid = compared(gaussian, 5)[0]
print(*(f"Gaussian, {k} {iid[k].mean():.3f}" for k in ("lexicographic", "learned")))

# %% alt="Four panels. Upper left, one dot for each seed; a dotted line near 0.97 is the accuracy of the true order: about 0.64 as they come, 0.65 lexicographic and random, 0.74 for the set transformer; most learned orders lie around 0.9, the others at 0.70. Upper right, learned orders against the rank correlation of their keys with the hidden order: those around 0.9 have correlations near 1, the others mostly far lower ones. Lower left, the ratio of the largest changes falls from 0.6 at noise 0.001 to 0.1. Lower right, accuracy against noise: with a hidden order it falls from 0.97 to 0.65, on the Gaussian task it rises from 0.60 to 0.64." slide="picture"
names = "as they come", "lexicographic", 1e9, "set transformer", "learned"
fig, ((ax, ranked), (ratio, dials)) = plt.subplots(2, 2, figsize=(8, 6))
for i, name in enumerate(names):
    ax.plot([i] * len(accuracy[name]), accuracy[name], "o", alpha=0.6)
labels = ["as they\ncome", "lexico-\ngraphic", "random", "attention", "learned"]
ax.set(xticks=range(5), xticklabels=labels, ylabel="accuracy")
ranked.plot(agree, accuracy["learned"], "o", color="C4", alpha=0.6)
ranked.set(xlabel="rank correlation with the hidden order", xlim=(-0.03, 1.03))
ax.axhline(accuracy[0].mean(), ls=":")
ratio.semilogx([*ratios][1:], [*ratios.values()][1:], "o-")
ratio.set(xlabel="noise", ylabel="ratio of largest changes", ylim=(0, 1))
for name, of in (("hidden order", hits), ("Gaussian", iid)):
    dials.plot(range(5), [of[tau].mean() for tau in taus], "o-", label=name)
dials.set_xticks(range(5), [0, 0.1, 0.3, 1, "∞"])
dials.set(xlabel="noise", ylabel="accuracy")
dials.legend()
plt.show()

# %% [markdown]
# **When the order is found, nothing else comes near; but not every seed finds it.** The successful networks rank the
# members nearly as $u$ does, or in reverse, without ever having seen $u$. The others end below the set transformer, and
# their keys have, on average, less to do with $u$. Show all seeds; train from several, and let validation choose.
#
# **Where there is no order, there is nothing to gain.** On the Gaussian task the best logit is a sum over all entries,
# the same in every order, and the learned order is no better than the lexicographic one. What gains is the *average*: as
# in chapter 8, noise lifts the perceptron. On the other task the same noise blurs the order and costs thirty points.
#
# ## Check the claims

# %%
# Ties show the arrival, except from sorted rows; draws have their probabilities.
assert changes["keys of the network"] > 0.9
assert (changes["order by dead keys"], changes["sorted rows"]) == (1, 0)
for tau, q in p.items():
    assert abs(q.sum() - 1) < 1e-5
    assert ((shares[tau] - q).abs() < 5 * (q / 1e5).sqrt() + 2e-5).all()
assert ratios[0] > 0.9 > ratios[0.001] > 0.2 > 0.15 > ratios[0.01]
assert all(ratios[tau] < 0.13 for tau in (0.03, 0.1, 0.3, 1, 3))
# The package has the centered weights; scores are unbiased, mixed rows are not.
assert torch.allclose(gradients(**score), ways["centered"])
plain, centered, sharp, soft = biases
assert max(plain["off"], centered["off"]) < 1.6 < 3 < min(sharp["off"], soft["off"])
assert plain["spread"] > 6 * centered["spread"]
assert sharp["spread"] > 2 * soft["spread"]
assert min(sharp["cosine"], soft["cosine"]) > 0.7
# Some seeds find the order, and then nothing else comes near; validation sees it.
learned, attention = accuracy["learned"], accuracy["set transformer"]
assert right(slow, test).mean() < attention.mean() - 0.05  # it is not the rate
blind = torch.cat([accuracy[name] for name in names[:4]])
assert 0 < found.sum() < 12
assert (
    accuracy[0].min() - 0.02 > learned.max() > best - 1e-6 > attention.max() + 0.1
)
assert learned[found].min() > blind.max() + 0.05
assert learned[~found].mean() < attention.mean() - 0.01
assert agree[found].mean() > 0.85 > 0.6 > agree[~found].mean()
# The dial: the hidden order is blurred, the Gaussian task is averaged.
dial, lifted = (torch.stack([of[tau].mean() for tau in taus]) for of in (hits, iid))
assert dial[0] - dial[-1] > 0.25 > 0 > dial.diff().max() + 0.02
assert lifted[-1] - lifted[0] > 0.01
assert iid["learned"].mean() < iid["lexicographic"].mean() + 0.025

# %% [markdown] slide="verdict"
# ## Summary
#
# - Keys of an equivariant network, computed for lexicographically sorted rows, order a set: invariant also at ties.
# - With Gumbel noise this is the Plackett–Luce distribution: a dial from one order, over a continuous frame, to all.
# - The score gives unbiased gradients by centered weights; the straight-through gradient is biased and keeps the values.
# - A learned order can gain ten points over attention, but not from every seed: show all, and choose by validation.
#
# ## Where the field went
#
# [Vinyals et al. (2016)](../bibliography.md#vinyals-2016) show that the order in which a set is read matters. To give
# sorts a gradient, [Grover et al. (2019)](../bibliography.md#grover-2019) relax the permutation matrix row by row, [Mena
# et al. (2018)](../bibliography.md#mena-2018) normalize rows and columns in turn, [Blondel et al.
# (2020)](../bibliography.md#blondel-2020) project in $O(n \log n)$, and [Petersen et al.
# (2022)](../bibliography.md#petersen-2022) relax the swaps of a sorting network. [Zhang et al.
# (2020)](../bibliography.md#zhang-2020) sort each feature by itself. Kim et al. add noise to the *input* of the keys.
#
# ## Exercises
#
# **1.** Of keys $0, \log 2, \log 3$, how probable is the order third, second, first for $\tau = 1$, and for $\tau = 1/2$?
#
# ??? success "Solution"
#     The rates are 1, 2, 3, and for $\tau = 1/2$ their squares 1, 4, 9.

# %% exercise="1"
answer_1 = ...  # a pair of probabilities

# %% solution="1"
answer_1 = 3 / 6 * 2 / 3, 9 / 14 * 4 / 5

# %% check="1"
check_1 = AnswerCheck("15.1", digest="f6c41f7a92486696", digits=3)
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(1 / 6, 1 / 6), (1 / 2, 9 / 14), (1 / 3, 1 / 3)])

# %% [markdown]
# **2.** Build draws from the Plackett–Luce distribution without Gumbel noise.
#
# ??? success "Solution"
#     Filling one place after another is drawing without replacement, with probabilities in proportion to the rates.


# %% exercise="2"
def filled(scores, k):
    """Return k orders (k, n) for the scores (n,), keys divided by the noise."""
    ...


# %% solution="2"
def filled(scores, k):
    return torch.multinomial(scores.softmax(-1).expand(k, -1), len(scores))


# %% check="2"
def law_2(filled):
    torch.manual_seed(0)
    orders = filled(scores[0], 20_000)
    share = (orders[:, None] == every).all(-1).float().mean(0)
    assert ((share - p[1.0]).abs() < 0.015).all(), "these are other probabilities"


check_2 = CodeCheck("2", law_2)
check_2(filled)

# %% wrong="2"
uniform = lambda s, k: torch.rand(k, len(s)).argsort(1)  # noqa: E731
normal = lambda s, k: sort_by(s + torch.randn(k, len(s)))  # noqa: E731
again = lambda s, k: torch.multinomial(s.softmax(0).expand(k, -1), len(s), True)  # noqa: E731
check_2.holds(filled, wrong=[uniform, normal, again])

# %% [markdown]
# **3.** Build a pool that keeps the $k$ members with the largest keys, and shows nothing of the order of arrival, ever.
#
# ??? success "Solution"
#     Compute the keys of lexicographically sorted rows, and sort them stably.


# %% exercise="3"
def largest(x, keys, k):
    """Return the k rows of each set x (batch, n, d) with the largest keys (batch, n)."""
    ...


# %% solution="3"
def largest(x, keys, k):
    rows = lexicographic_sort(x)
    return put(rows, sort_by(keys(rows))[:, :k])


# %% check="3"
def law_3(largest):
    x, last = base[:20].flip(1), lambda rows: rows[..., -1]
    top = largest(x, last, 2)[..., -1]
    assert torch.equal(top, last(x).topk(2)[0]), "these are not the largest"
    pair = (largest(v, lambda rows: 0 * last(rows), 2) for v in (x, x.flip(1)))
    assert torch.equal(*pair), "it shows the order of arrival"


check_3 = CodeCheck("3", law_3)
check_3(largest)

# %% wrong="3"
by_arrival = lambda x, keys, k: put(x, sort_by(keys(x))[:, :k])  # noqa: E731
late = lambda *args: lexicographic_sort(by_arrival(*args))  # noqa: E731
first = lambda x, keys, k: lexicographic_sort(x)[:, :k]  # noqa: E731
check_3.holds(largest, wrong=[by_arrival, late, first])

# %% [markdown]
# **4.** Two members have the keys 1 and 0. For which $\tau$ do they come in this order nine times of ten?
#
# ??? success "Solution"
#     $1 / (1 + e^{-1/\tau}) = 0.9$ for $\tau = 1 / \log 9$.

# %% exercise="4"
answer_4 = ...  # to two digits

# %% solution="4"
answer_4 = 1 / math.log(9)

# %% check="4"
check_4 = AnswerCheck("15.4", digest="3263c5c5809da361", digits=2)
check_4(answer_4)

# %% wrong="4"
check_4.holds(answer_4, wrong=[math.log(9), 1 / math.log(10), 0.9])

# %% [markdown]
# **5.** Let $f$ be constant. Is the gradient of the keys zero in *every* draw of $K = 4$ orders? Answer for the score
# with uncentered weights, with centered weights, and for straight through.
#
# ??? success "Solution"
#     Centered weights have a sum whose gradient is 0, uncentered ones in the mean only. Mixed rows move no constant.

# %% exercise="5"
answer_5 = ...  # three truth values

# %% solution="5"
answer_5 = False, True, True

# %% check="5"
check_5 = AnswerCheck("15.5", digest="4dc0319589b102b0")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(True,) * 3, (False,) * 3, (False, True, False)])

# %% [markdown]
# ## Sources
#
# [Plackett (1975)](../bibliography.md#plackett-1975): the distribution. Others are cited where they are used.
