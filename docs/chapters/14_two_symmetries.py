# %% [markdown] slide="question"
# # Two symmetries at once
#
# !!! abstract "What you will be able to do"
#     - Count how many sets are the same up to a group, by Burnside's lemma.
#     - Put the routes of this book together for two groups at once, in the order that keeps both.
#     - Average over a frame where the group is infinite, prove it invariant, and say when it helps.
#     - Choose the controls that show whether a symmetry helps, and by what.
#
# The cards of a hand come in any order, *and* the suits may change names. The points of a scan have no order, *and* the
# object may have been turned. Is a second symmetry worth the trouble? And must a network for both be invented, or can
# it be put together from the routes of this book?

# %%
from functools import partial

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from invariant_nets.averaging import SymmetryModel
from invariant_nets.canonicalization import CanonicalModel, PrincipalAxesModel
from invariant_nets.checks import symmetry_report
from invariant_nets.data import LabeledSets, poker_hands, random_shapes
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style
from invariant_nets.groups import direct_product, symmetric_group, trivial_group
from invariant_nets.networks import deep_sets, perceptron

use_book_style()

# %% [markdown]
# ## Hands of poker
#
# In [`poker_hands`][invariant_nets.poker_hands] a card is a row of 17 numbers: one of 13 columns marks its rank, one of
# four its suit. The label is one of ten categories. It depends neither on the order of the cards nor on the names of
# the suits: $y\bigl((\sigma, \pi) \cdot x\bigr) = y(x)$ for $(\sigma, \pi) \in S_5 \times S_4$, where $\sigma$ permutes
# rows and $\pi$ the last four columns. Ranks have no such symmetry, since a straight needs their order. How many hands
# are there? As they are dealt, $52 \cdot 51 \cdot 50 \cdot 49 \cdot 48$; as sets, one for $5!$ orders; up to the names
# of the suits, by [Burnside's lemma](01_permutations.py), the mean over $\pi \in S_4$ of how many sets $\pi$ leaves as
# they are. Such a set is a union of cycles of $\pi$ on the 52 cards, so their number is the coefficient of $z^5$ in the
# product of $1 + z^{\text{length}}$ over the cycles.


# %%
def fixed_hands(permutation) -> int:
    lengths = [len(cycle) for cycle in permutation.cycles()]
    ways = [1, 0, 0, 0, 0, 0]  # the coefficients of the product so far
    for length in [*lengths, *[1] * (52 - sum(lengths))]:
        ways = [a + b for a, b in zip(ways, [0] * length + ways, strict=False)]
    return ways[5]


renamings = direct_product(trivial_group(13), symmetric_group(4), on="grid")
fixed = [fixed_hands(pi) for pi in renamings]
dealt = 52 * 51 * 50 * 49 * 48
up_to = {"nothing": dealt, "$S_5$": fixed[0], "both": sum(fixed) // len(fixed)}
table([{"up to": k, "hands": v, "dealt as": dealt / v} for k, v in up_to.items()])

# %% [markdown]
# ## Two routes, one around the other
#
# So with both groups a labeled hand gives the labels of 2,320 on average, of at most $|S_5 \times S_4| = 2{,}880$. We
# give one and the same perceptron each group, and both:
#
# - **$S_5$**: we [sort the cards](07_canonicalization.py) by rank, and cards of one rank by suit.
# - **$S_4$** has 24 elements, so we [average exactly](08_symmetrization.py).
# - **$S_5 \times S_4$**: the average around the sort $c$, $\bar f(x) = \frac1{24} \sum_{\pi} f(c(\pi \cdot x))$. It has
#   $S_4$ as every average has. It has $S_5$ because $\pi$ acts on columns and $\sigma$ on rows: they commute, so each
#   summand sorts the same cards.


# %%
def sort_cards(x, key):
    """Sort the cards of each hand by the sum of the numbers in their columns."""
    order = (x @ key.to(x.dtype)).argsort(1)
    return x.gather(1, order[..., None].expand_as(x))


rank, suit = torch.arange(13), torch.arange(4)
by_rank = partial(sort_cards, key=torch.cat((4 * rank, suit)))
by_suit = partial(sort_cards, key=torch.cat((rank, 13 * suit)))


def reader():
    return nn.Sequential(nn.Flatten(), perceptron(85, 128, 64, 10))


columns = direct_product(trivial_group(13), symmetric_group(4))
of_suits = direct_product(trivial_group(5), columns, on="grid")
drawn = poker_hands(7000, balanced=True)
order = torch.rand(7000, 5, generator=torch.Generator().manual_seed(0)).argsort(1)
shuffled = drawn.x.gather(1, order[..., None].expand_as(drawn.x))
hands = LabeledSets(shuffled, drawn.y, labels="classes")
rest, unseen = hands.split(0.3)
pool, valid = rest.split(0.16)  # 4,115 hands to train on

# %% [markdown]
# Hands are drawn with their cards sorted, which would give the order away, so we shuffled each. All networks have the
# same budget, 250 steps of 32 hands and one pass per hand. So where a network is an average, we train on one *random*
# term of it, on one renaming of the suits per hand: by [chapter 9](09_augmentation.py), an unbiased gradient of an upper
# bound of its loss. Then we evaluate the whole average. Three seeds are trained side by side, and validation hands
# choose the learning rate.
#
# There are two controls. Do 24 terms help as such? *24 scrambles* is an average over 24 permutations of the 85 numbers,
# the identity among them, which are no symmetry. And will any order do? *$S_5$, by suit* sorts by suit first.


# %%
def trained(build, view, train, lr, seeds=3, steps=250):
    """Train networks on random views of their sets, one network for each seed."""
    models = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        models.append(build())
    weights, _ = stack_module_state(models)
    run = vmap(lambda own, x: functional_call(models[0], own, (x,)))
    optimizer = torch.optim.Adam(weights.values(), lr=lr, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    torch.manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(train), (seeds * 32,))
        x = view(train.x[chosen])
        outputs = run(weights, x.unflatten(0, (seeds, 32))).flatten(0, 1)
        optimizer.zero_grad()
        (seeds * cross_entropy(outputs, train.y[chosen])).backward()
        optimizer.step()
        cosine.step()
    for k, model in enumerate(models):
        model.load_state_dict({name: w[k] for name, w in weights.items()})
    return models


@torch.no_grad()
def right(models, sets):
    return torch.stack([m(sets.x).argmax(1) == sets.y for m in models]).float()


def best_fit(build, view, whole, train, valid, rates=(1e-2, 2e-2)):
    runs = {lr: [*map(whole, trained(build, view, train, lr))] for lr in rates}
    lr = max(rates, key=lambda lr: right(runs[lr], valid).mean())
    return lr, runs[lr]


def shown(accuracies):
    return f"{accuracies.mean():.3f} ± {accuracies.std():.3f}"


# %%
def renamed(x):
    """Rename the suits of each hand at random."""
    order = 13 + torch.rand(len(x), 4).argsort(1)
    order = torch.cat((rank.expand(len(x), 13), order), 1)
    return x.gather(2, order[:, None].expand_as(x))


source = torch.Generator().manual_seed(1)
scrambles = torch.rand(24, 85, generator=source).argsort(1)
scrambles[0] = torch.arange(85)


def scrambled(x):
    chosen = scrambles[torch.randint(24, (len(x),))]
    return x.flatten(1).gather(1, chosen).view_as(x)


class OverScrambles(nn.Sequential):
    def forward(self, x):
        views = x.flatten(1)[:, scrambles].flatten(0, 1)
        return super().forward(views).view(len(x), 24, -1).mean(1)


none, mixed, four = "no group", "24 scrambles", "$S_4$"
suit_first, five, twofold = "$S_5$, by suit", "$S_5$", r"$S_5 \times S_4$"
as_is, over_suits = nn.Identity(), partial(SymmetryModel, group=of_suits)
routes = {  # what is trained, on which views, and what is evaluated
    none: (reader, as_is, as_is),
    mixed: (reader, scrambled, OverScrambles),
    four: (reader, renamed, over_suits),
    suit_first: (lambda: CanonicalModel(reader(), by_suit), as_is, as_is),
    five: (lambda: CanonicalModel(reader(), by_rank), as_is, as_is),
    twofold: (lambda: CanonicalModel(reader(), by_rank), renamed, over_suits),
}
readers = {name: best_fit(*route, pool, valid)[1] for name, route in routes.items()}
hits = {name: right(models, unseen) for name, models in readers.items()}
accuracy = {name: hit.mean(1) for name, hit in hits.items()}  # one for each seed
table([{"network": k, "accuracy": shown(three)} for k, three in accuracy.items()])

# %% [markdown]
# Each group helps alone, and both together help most. It is the symmetry that helps: 24 scrambles are far worse than no
# group. But the group is not everything. Both sorts have $S_5$, and the sort by rank gains more than twice as much as
# the sort by suit. Where? (Of the two rarest categories only 36 and 4 hands exist, too few to judge.)

# %%
shares = [
    {name: hit[:, unseen.y == label].mean().item() for name, hit in hits.items()}
    for label in range(8)
]
names = drawn.class_names
table([{"category": names[k]} | of for k, of in enumerate(shares)], digits=2)

# %% [markdown] slide="theorem"
# Whether a hand is a *flush* can be read from a sum over its cards: there the two sorts are level. *Two pairs*, *three*
# and *full house* compare ranks. The sort by rank puts equal ranks beside each other, the sort by suit does not, and
# there the first is far ahead.
#
# ## Points that may be turned
#
# [`random_shapes`][invariant_nets.random_shapes] draws points from the surfaces of six solids. [Deep
# Sets](13_real_data.py) take care of their order. But the solid may be turned, and $O(3)$ is not finite: over what shall
# we average? The eigenvectors of the cloud's second moment $x^\top x$, the columns of $V$, turn with the cloud. So the
# cloud in their coordinates, $x V$, stays. Only the sign of each axis is open, and over signs we average. This is the
# *frame averaging* of [Puny et al. (2022)](../bibliography.md#puny-2022):
#
# $$ \bar f(x) = \frac1{2^d} \sum_{s \in \{-1, 1\}^d} f\bigl(x\, V \operatorname{diag}(s)\bigr),
#    \qquad x^\top x = V \operatorname{diag}(\lambda)\, V^\top . $$
#
# !!! theorem "Theorem (frame of principal axes)"
#     If the eigenvalues of $x^\top x$ are distinct, then $\bar f(x Q) = \bar f(x)$ for every orthogonal $Q$ and every
#     function $f$. If $f$ is invariant to $S_n$, so is $\bar f$.
#
# *Proof.* $(xQ)^\top (xQ) = (Q^\top V) \operatorname{diag}(\lambda)\, (Q^\top V)^\top$, so the columns of $Q^\top V$
# are eigenvectors of the turned cloud and, since eigenvalues are distinct, the only ones up to signs. And
# $x Q\, Q^\top V = x V$, so the sum has the same terms. The order of rows does not change $x^\top x$. $\blacksquare$
#
# [`PrincipalAxesModel`][invariant_nets.PrincipalAxesModel] puts this around any model:


# %%
def in_axes(x):
    return x @ torch.linalg.eigh(x.mT @ x).eigenvectors


def frame_average(f, x):
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    return sum(f(in_axes(x) * s) for s in signs) / len(signs)


def of_points():
    return deep_sets(
        64, 3, hidden=(32, 32), readout=(32,), outputs=6, pooling="max"
    )


upright, turned = (random_shapes(1200, 64, rotated=kind) for kind in (False, True))
train, checked = (upright.select(range(k, k + 300)) for k in (0, 300))
test, turned = (sets.select(range(600, 1200)) for sets in (upright, turned))
f = of_points()
off = (PrincipalAxesModel(f)(test.x) - frame_average(f, test.x)).abs().max().item()

# %% [markdown]
# We train on 300 solids that stand upright, and test on 600 upright and 600 turned ones: plain Deep Sets, the frame
# around them, and a perceptron on the *sorted distances* from the center, which are invariant by themselves. Again each
# network makes one pass per cloud: in training the frame takes one choice of signs at random.


# %%
def turned_at_random(x):
    """Apply a rotation or reflection of its own to each cloud."""
    q, r = torch.linalg.qr(torch.randn(len(x), 3, 3))
    return x @ (q * r.diagonal(dim1=1, dim2=2).sign()[:, None]).to(x)


def with_random_signs(x):
    return in_axes(x) * (1.0 - 2 * torch.randint(2, (len(x), 1, 3)))


class OfDistances(nn.Sequential):
    def forward(self, x):
        return super().forward(x.norm(dim=2).sort(1).values - 1)


plain, frame, distances = "Deep Sets", "in principal axes", "sorted distances"
networks = {
    plain: (of_points, as_is, as_is),
    frame: (of_points, with_random_signs, PrincipalAxesModel),
    distances: (lambda: OfDistances(perceptron(64, 32, 32, 6)), as_is, as_is),
}
correct, nets, rates = {}, {}, {}
for name, route in networks.items():
    rates[name], nets[name] = best_fit(*route, train, checked)
    correct[name] = torch.stack([right(nets[name], s) for s in (test, turned)])
scores = {name: hit.mean(2) for name, hit in correct.items()}  # tests, seeds
kinds = ("upright", "turned")
table([{"network": k} | dict(zip(kinds, map(shown, v))) for k, v in scores.items()])  # noqa: B905

# %% [markdown]
# Deep Sets classify nearly all upright solids and few turned ones, the frame does equally well on both. But **sorted
# distances win**: here a feature that is invariant by itself is hard to beat.
#
# ## Axes that are not there
#
# Why is the frame not as good as Deep Sets are on upright solids? Take 200 upright clouds of each solid. The eigenvalues
# of all their points together, divided by their mean, show which axes are clear. Do the clouds agree on their axes? The
# *agreement* of unit vectors $v$ is the largest eigenvalue of the mean of $v v^\top$: 1 if all lie on one line, near
# $\frac13$ if they point anywhere. We show the axis on which the clouds of a solid agree most.

# %%
crowd, rows = random_shapes(1200, 64, seed=1, rotated=False), {}
for label, solid in enumerate(crowd.class_names):
    own = crowd.x[crowd.y == label]
    values = torch.linalg.eigvalsh((own.mT @ own).mean(0))
    axes = torch.linalg.eigh(own.mT @ own).eigenvectors  # (clouds, 3, axis)
    spread = torch.einsum("cia,cja->aij", axes, axes) / len(own)
    rows[solid] = {
        "eigenvalues": " ".join(f"{v:.2f}" for v in values / values.mean()),
        "agreement": torch.linalg.eigvalsh(spread).max().item(),
        frame: correct[frame][1][:, turned.y == label].mean().item(),
    }
table([{"solid": name, **row} for name, row in rows.items()], digits=2)

# %% alt="Two rows of three clouds, each of thirty solids laid over each other: a torus, a cone and a cube. Above, turned as they come, all are round and blurred. Below, in their principal axes, the torus is a flat band with two round ends, seen from its side; cone and cube are still round and blurred." slide="picture"
fig, axes = plt.subplots(2, 3, figsize=(7.5, 5.4))
for column, solid in zip(axes.T, ("torus", "cone", "cube"), strict=True):
    own = turned.x[turned.y == turned.class_names.index(solid)][:30]
    for ax, x in zip(column, (own, in_axes(own)), strict=True):
        ax.plot(*x[..., [0, 2]].flatten(0, 1).T, ".", ms=2, alpha=0.5)
        ax.set(aspect="equal", xlim=(-1.7, 1.7), ylim=(-1.7, 1.7))
    column[0].set_title(solid)
plt.show()

# %% [markdown]
# The clouds of the torus agree on an axis, those of the cylinder in part, the others not. In a sphere, a cube, a
# tetrahedron and this cone, all three moments are equal. In a *sample* of their points they are not, so the frame is
# exactly invariant, but its axes are random, and the network inside meets a cube in every position. If this is the
# cause, stretched solids must do better. So we stretch all by 1.4 and 0.6 along two axes, and train at the same rates:

# %%
stretch = torch.tensor([1.0, 1.4, 0.6])
long = LabeledSets(train.x * stretch, train.y, labels="classes")
far = LabeledSets(turned_at_random(test.x * stretch), test.y, labels="classes")
clear = {}
for name in (frame, distances):
    build, view, whole = networks[name]
    fits = [*map(whole, trained(build, view, long, rates[name]))]
    clear[name] = right(fits, far).mean(1)
    print(f"stretched and turned, {name}: {shown(clear[name])}")

# %% [markdown]
# Now the frame is nearly as good as Deep Sets on upright solids, and the distances are behind it. Invariance alone is not
# enough: sets that mean the same must also come out alike. Ask for the axes before you build on them.
#
# ## Check the claims

# %%
assert list(up_to.values()) == [dealt, 2_598_960, 134_459]
assert round(dealt / up_to["both"], -1) == 2320
assert off < 1e-4
assert hands.counts[8:] == (36, 4)


def ahead(more, less, by=0.0):  # by three standard errors over seeds
    error = ((more.var() + less.var()) / len(more)).sqrt()
    return more.mean() - less.mean() > by + 3 * error


for less, more in ((mixed, none), (none, four), (none, five), (suit_first, five)):
    assert ahead(accuracy[more], accuracy[less])
assert all(ahead(accuracy[twofold], accuracy[one]) for one in (four, five))
gain, other = (accuracy[name] - accuracy[none] for name in (five, suit_first))
assert gain.mean() > 2 * other.mean()
assert min(share for k, share in shares[5].items() if k != mixed) > 0.9
apart = [share[five] - share[suit_first] for share in shares]
assert min(apart[k] for k in (2, 3, 6)) > 0.2 > 0.05 > abs(apart[5])
# The trained networks keep S_4, S_5 and their product as they should.
of_order = direct_product(symmetric_group(5), trivial_group(17), on="grid")
groups = of_suits, of_order, direct_product(symmetric_group(5), columns, on="grid")
assert [group.order for group in groups] == [24, 120, 2880]
for name, own in zip((four, five, twofold), groups, strict=True):
    found = [symmetry_report(readers[name][0], unseen.x[:30], g) for g in groups]
    assert [*map(bool, found)] == [name == twofold or g is own for g in groups]
# Solids: the frame is ahead of plain Deep Sets, and the distances of both.
assert scores[plain][0].min() > 0.97
assert scores[plain][1].max() < 0.4 < 0.5 < scores[frame].min()
assert abs(scores[frame][0].mean() - scores[frame][1].mean()) < 0.08
assert ahead(scores[distances][1], scores[frame][1])
agreement = {solid: row["agreement"] for solid, row in rows.items()}
assert agreement["torus"] > 0.95 > 0.9 > agreement["cylinder"] > 0.65
for solid in ("sphere", "cube", "cone", "tetrahedron"):
    assert agreement[solid] < 0.55
    assert float(rows[solid]["eigenvalues"].split()[0]) > 0.94
assert ahead(clear[frame], scores[frame][1], by=0.05)
assert clear[frame].mean() > scores[plain][0].mean() - 0.05
assert ahead(clear[frame], clear[distances])

# %% [markdown] slide="verdict"
# ## Summary
#
# - Burnside's lemma counts what remains up to a group: a labeled hand is worth 2,320 dealt ones.
# - Routes compose: an average around a canonical form has both groups, if the two actions commute.
# - Each group helps alone and both help most. How a group is built in matters as well: of two sorts, the better one puts
#   beside each other what the task compares.
# - A frame averages over groups that no list exhausts. It is exactly invariant where it is unique, and useful where the
#   axes are clear: there it beats sorted distances, which beat it where the axes are random.
#
# ## Where the field went
#
# [Maron et al. (2020)](../bibliography.md#maron-2020) derive layers for sets whose members have a symmetry of their
# own. For points in space, [Puny et al. (2022)](../bibliography.md#puny-2022) made frames a general tool, and
# [Duval et al. (2023)](../bibliography.md#duval-2023) train on one random element of the frame, as we do here.
# [Dym et al. (2024)](../bibliography.md#dym-2024) prove that no canonicalization for permutations of vectors is
# continuous, and propose frames whose elements have weights. [Villar et al. (2021)](../bibliography.md#villar-2021) write
# equivariant functions of vectors in terms of scalar products, which see what distances from the center do not (exercise
# 4). [Brehmer et al. (2025)](../bibliography.md#brehmer-2025) ask whether large models need any of it: in their
# experiments augmentation closes the gap in data efficiency, but at equal compute the equivariant networks stay ahead.
#
# ## Exercises
#
# **1.** Is the sort around the average, `CanonicalModel(SymmetryModel(…), by_rank)`, invariant to $S_5$? To $S_4$?
#
# ??? success "Solution"
#     To $S_5$: the sort comes first. Not to $S_4$: of two cards of one rank the one of the lower suit comes first,
#     and a renaming may exchange them. Then the average sees another order of the cards.

# %% exercise="1"
answer_1 = ...  # two truth values

# %% solution="1"
model = CanonicalModel(SymmetryModel(reader(), of_suits), by_rank)
found = [symmetry_report(model, unseen.x[:30], g) for g in (of_order, of_suits)]
answer_1 = [bool(report) for report in found]

# %% check="1"
check_1 = AnswerCheck("14.1", digest="e68788d9e66516c8")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[[True, True], [False, True], [False, False]])

# %% [markdown]
# **2.** Only hearts and diamonds may be exchanged, and clubs and spades. How many hands are there up to these four
# renamings?
#
# ??? success "Solution"
#     One exchange leaves a hand as it is if it is a union of some of 26 single cards and 13 pairs. Both together leave
#     26 pairs, and no union of pairs has five cards.

# %% exercise="2"
answer_2 = ...

# %% solution="2"
colors = direct_product(symmetric_group(2), symmetric_group(2))
exchanges = direct_product(trivial_group(13), colors, on="grid")
answer_2 = sum(map(fixed_hands, exchanges)) // 4

# %% check="2"
check_2 = AnswerCheck("14.2", digest="a1dfe3fcd48e6c59", digits=7)
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[2_598_960 // 4, 134_459, 2 * answer_2])

# %% [markdown]
# **3.** Write a hand without an order of its cards: as a table with a row per suit and a column per rank, in the order
# of the columns of $x$, with a one for each card. (Deep Sets on its rows have both groups, in one pass.)
#
# ??? success "Solution"
#     Sum over the cards: $\sum_i u_i v_i^\top$, where $v_i$ marks the rank and $u_i$ the suit.


# %% exercise="3"
def suits_by_ranks(x): ...  # (batch, 5, 17) to (batch, 4, 13)


# %% solution="3"
def suits_by_ranks(x):
    return x[..., 13:].mT @ x[..., :13]


# %% check="3"
def law_3(suits_by_ranks):
    x = poker_hands(200, seed=3).x
    y, moved = suits_by_ranks(x), suits_by_ranks(x[:, [4, 2, 0, 1, 3]])
    assert y.shape == (200, 4, 13), "the shape is wrong"
    assert torch.equal(moved, y), "the order matters"
    assert torch.equal(y.sum(1), x[..., :13].sum(1)), "the ranks are wrong"
    other = suits_by_ranks(x[..., [*range(13), 14, 13, 15, 16]])
    assert torch.equal(other, y[:, [1, 0, 2, 3]]), "the suits are wrong"


check_3 = CodeCheck("3", law_3)
check_3(suits_by_ranks)

# %% wrong="3"
flipped = [lambda x: suits_by_ranks(x).flip(1), lambda x: suits_by_ranks(x).flip(2)]
check_3.holds(suits_by_ranks, wrong=[*flipped, lambda x: x[:, :4, :13]])

# %% [markdown]
# **4.** Reflect every other point of a cloud through the center. No distance from it changes. Write a feature that is
# invariant to $S_n \times O(3)$ and sees the difference.
#
# ??? success "Solution"
#     The products $x_i^\top x_j$ do not change when the cloud is turned, and change sign if one of two points is
#     reflected. Sorted, they do not depend on the order.


# %% exercise="4"
def seeing(x): ...  # (batch, n, 3) to (batch, features)


# %% solution="4"
def seeing(x):
    return (x @ x.mT).flatten(1).sort(1).values


# %% check="4"
def law_4(seeing):
    torch.manual_seed(4)
    x = torch.randn(20, 6, 3).double()
    flips = torch.tensor([1.0, -1, 1, -1, 1, -1])[:, None].to(x)
    y, moved, turned = seeing(x), seeing(x.flip(1)), seeing(turned_at_random(x))
    assert torch.allclose(moved, y), "the order matters"
    assert torch.allclose(turned, y, atol=1e-4), "turning matters"
    assert ((seeing(flips * x) - y).abs().amax(1) > 1e-3).all(), "nothing is seen"


check_4 = CodeCheck("4", law_4)
check_4(seeing)

# %% wrong="4"
unsorted = [lambda x: (x @ x.mT).flatten(1), lambda x: x.sort(1).values.flatten(1)]
check_4.holds(seeing, wrong=[*unsorted, lambda x: x.norm(dim=2).sort(1).values])

# %% [markdown]
# **5.** If mirror images must be told apart, only those signs remain for which $V \operatorname{diag}(s)$ is a rotation.
# How many terms does the frame average have for $O(3)$, for $SO(3)$, and for $O(7)$?
#
# ??? success "Solution"
#     $2^d$ for $O(d)$, and half of them for $SO(d)$: a number of minus signs that is even if $\det V = 1$, and odd else.

# %% exercise="5"
answer_5 = ...  # three numbers

# %% solution="5"
answer_5 = [2**3, 2**3 // 2, 2**7]

# %% check="5"
check_5 = AnswerCheck("14.5", digest="e332b9508d210f5e")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[[6, 3, 14], [8, 8, 128], [48, 24, 645120]])

# %% [markdown]
# ## Sources
#
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant Network Design*.
# - [Cattral et al. (2002)](../bibliography.md#cattral-2002): the ten categories of poker hands as a task.
