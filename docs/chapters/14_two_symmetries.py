# %% [markdown]
# # Two symmetries at once
#
# The order of its members is seldom the only symmetry of a set. The cards of a hand may be taken up in any order,
# *and* the suits may change names; the points of a scan have no order, *and* the thing may have been turned. Is a
# second symmetry worth the trouble when the first is known? And must a network for both be invented, or can it be
# put together from the routes of this book? Two tasks answer: hands of poker under $S_5 \times S_4$, and solids as
# clouds of points under $S_n \times O(3)$, a group that no list can exhaust.

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from invariant_nets import (
    CanonicalModel,
    LabeledSets,
    PrincipalAxesModel,
    SymmetryModel,
    Task,
    Trainer,
    deep_sets,
    direct_product,
    perceptron,
    poker_hands,
    random_shapes,
    set_transformer,
    symmetric_group,
    symmetry_report,
    trivial_group,
)
from invariant_nets.figures import PALETTE, table, use_book_style

use_book_style()


def fitted(build, task, train, valid, lr, seed, steps=250):
    """Train with Adam along a cosine; return the model and its validation score."""
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = DataLoader(train, 32, sampler=RandomSampler(train, False, 32 * steps))
    trainer = Trainer(model, task, optimizer, scheduler=cosine, per_step=True)
    history = trainer.fit(batches, DataLoader(valid, 1000), 1)
    return model.eval(), history.valid_score[-1]


def best_fit(*what, rates):
    """Let the validation sets choose the learning rate; return it and its model."""
    runs = {lr: fitted(*what, lr, 0) for lr in rates}
    lr = max(rates, key=lambda lr: runs[lr][1])
    return lr, runs[lr][0]


@torch.no_grad()
def right(model, sets):
    return (model(sets.x).argmax(1) == sets.y).float()


def shown(scores):
    return f"{scores.mean():.3f} ± {scores.std():.3f}"


# %% [markdown]
# ## Hands of poker
#
# In [`poker_hands`][invariant_nets.poker_hands] a card is a row of 17 numbers: one of 13 columns says its rank, one
# of four its suit. The ten categories do not ask in which order the cards lie, nor what the suits are called:
#
# $$ y\bigl((\sigma, \pi) \cdot x\bigr) = y(x), \qquad (\sigma, \pi) \in S_5 \times S_4, $$
#
# where $\sigma$ permutes rows and $\pi$ the last four columns. Ranks have no such symmetry: a straight needs their
# order. How much does that say? Count the hands: as they are dealt, one card after the other; as sets, one for $5!$
# orders; and up to the names of the suits, the mean over $\pi \in S_4$ of how many sets $\pi$ leaves as they are
# ([Burnside's lemma](01_permutations.py)). Such a set is a union of cycles of $\pi$ on the 52 cards, so their number
# is the coefficient of $z^5$ in the product of $1 + z^{\text{length}}$ over the cycles.


# %%
def fixed_hands(permutation) -> int:
    lengths = [len(cycle) for cycle in permutation.cycles()]
    ways = [1, 0, 0, 0, 0, 0]  # the coefficients of the product so far
    for length in [*lengths, *[1] * (52 - sum(lengths))]:
        shifted = [0] * length + ways
        ways = [a + b for a, b in zip(ways, shifted, strict=False)]
    return ways[5]


product = r"$S_5 \times S_4$"
renamings = direct_product(trivial_group(13), symmetric_group(4), on="grid")
fixed = [fixed_hands(pi) for pi in renamings]
dealt = 52 * 51 * 50 * 49 * 48
up_to = {"nothing": dealt, "$S_5$": fixed[0], product: sum(fixed) // len(fixed)}
table([{"up to": k, "hands": v, "dealt as": dealt / v} for k, v in up_to.items()])

# %% [markdown]
# One labeled hand tells the labels of 2,320 on average, of at most $|S_5 \times S_4| = 2{,}880$. Let one and the same
# perceptron know nothing, each of the two groups, and both:
#
# - **$S_4$** has 24 elements, so we [average exactly](08_symmetrization.py). On the grid of 5 cards and 17 columns it
#   is a direct product in which all else stays.
# - **$S_5$**: we [sort the cards](07_canonicalization.py), by a number that each card has for itself.
# - **$S_5 \times S_4$**: the average around the sort. Not the sort around the average: exercise 1 asks why.
#
# Beside them stands a network that has $S_5$ by construction, a set transformer, in which the cards look at each
# other. Hands are drawn with their cards sorted, which would give the order away, so we shuffle each. Of the two
# rarest of the ten balanced categories there are only 36 and 4. Each network makes 250 steps of 32 hands. Validation
# hands choose its learning rate, with the middle number of training hands; unseen hands choose nothing.

# %%
columns = direct_product(trivial_group(13), symmetric_group(4))
groups = {
    "$S_4$": direct_product(trivial_group(5), columns, on="grid"),
    "$S_5$": direct_product(symmetric_group(5), trivial_group(17), on="grid"),
    product: direct_product(symmetric_group(5), columns, on="grid"),
}
numbers = torch.cat((4 * torch.arange(13), torch.arange(4)))


def sorted_cards(x):
    order = (x @ numbers.to(x.dtype)).argsort(1)
    return x.gather(1, order[..., None].expand_as(x))


def reader():
    return nn.Sequential(nn.Flatten(), perceptron(85, 64, 64, 10))


suits = groups["$S_4$"]
readers = {
    "no group": reader,
    "$S_4$, averaged": lambda: SymmetryModel(reader(), suits),
    "$S_5$, sorted": lambda: CanonicalModel(reader(), sorted_cards),
    f"{product}, both": lambda: SymmetryModel(readers["$S_5$, sorted"](), suits),
    "$S_5$, set transformer": lambda: set_transformer(5, 17, outputs=10),
}
drawn = poker_hands(7000, balanced=True)
order = torch.rand(7000, 5, generator=torch.Generator().manual_seed(0)).argsort(1)
shuffled = drawn.x.gather(1, order[..., None].expand_as(drawn.x))
hands = LabeledSets(shuffled, drawn.y, labels="classes")
rest, unseen = hands.split(0.3)
pool, valid = rest.split(0.16)
parts = [pool.split(0.06)[1], pool.split(0.24)[1], pool]

# %%
poker, outcomes, trained = Task.classes(10, ideal=1.0), {}, {}
for name, build in readers.items():
    lr, first = best_fit(build, poker, parts[1], valid, rates=(1e-2, 2e-2))
    runs = []
    for part in parts:
        what = (build, poker, part, valid, lr)
        zero = first if part is parts[1] else fitted(*what, 0)[0]
        two = [zero, fitted(*what, 1)[0]]
        runs.append(torch.stack([right(model, unseen) for model in two]))
    outcomes[name], trained[name] = torch.stack(runs), two[0]
accuracy = {name: run.mean(2) for name, run in outcomes.items()}  # sizes, seeds
sizes = [len(part) for part in parts]
heads = ["unseen hands, after", *(f"{size:,}" for size in sizes)]
rows = [(name, *map(shown, run)) for name, run in accuracy.items()]
table([dict(zip(heads, row, strict=True)) for row in rows])

# %% alt="Accuracy on unseen hands against the number of training hands, five lines. The perceptron with both groups is far above all others and comes close to 1 with 4,000 hands. Below it those with one group, sorted cards above averaged suits; then the perceptron with no group, and the set transformer, which it overtakes."
fig, ax = plt.subplots(figsize=(7, 3.6))
for (name, run), color in zip(accuracy.items(), PALETTE, strict=False):
    ax.semilogx(sizes, run.mean(1), color=color, label=name)
    ax.semilogx(sizes, run, "o", ms=4, color=color)
ax.set(xlabel="training hands", ylabel="accuracy", ylim=(0, 1.03))
ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# Each group helps alone, and together they do what neither does: with a quarter of the hands the perceptron that
# knows both is better than any other with all of them, and with all of them it knows the game. The order, with
# its $5! = 120$ elements, is worth more than the suits with their 24. But a group is not everything. The set transformer knows
# $S_5$ as exactly as the perceptron on sorted cards and is far behind it, in the end behind the one that knows
# nothing. Does it lack hands or steps? Give both all hands and five times the steps:

# %%
patient = {}
for name in ("$S_5$, sorted", "$S_5$, set transformer"):
    model, _ = fitted(readers[name], poker, pool, valid, 1e-2, 0, 1250)
    patient[name] = right(model, unseen).mean().item()
    plain = name.replace("$", "")
    print(f"{plain}, 1,250 steps: {patient[name]:.3f}")

# %% [markdown]
# It lacked steps. But neither reaches what both groups reach in a fifth of the steps. Which group helps where? The
# categories, with all training hands:

# %%
of_category = {
    name: [run[2][:, unseen.y == label].mean().item() for label in range(10)]
    for name, run in outcomes.items()
}
table(
    [
        {"category": kind} | {name: of[label] for name, of in of_category.items()}
        for label, kind in enumerate(drawn.class_names)
    ],
    digits=2,
)

# %% [markdown]
# A *flush* is a sum over cards, and perceptrons see it without any group. *Pair*, *three* and *full house* compare
# ranks, and there sorting helps: it puts equal ranks beside each other. Suits mean nothing to them; who knows that
# need not learn them for each suit anew. A *straight flush* needs both groups: 36 exist, but only 9 up to suits. Of
# the royal flushes, which are a single one up to suits, one hand is unseen: that row is a matter of luck. Do the
# trained networks keep their promises?

# %%
promises = {
    name: {
        key: "yes" if symmetry_report(model, unseen.x[:200], group) else "no"
        for key, group in groups.items()
    }
    for name, model in trained.items()
}
table([{"invariant to": name} | kept for name, kept in promises.items()])

# %% [markdown]
# ## Points that may be turned
#
# [`random_shapes`][invariant_nets.random_shapes] draws points from the surfaces of six solids. A network of layers
# takes care of their order. But the solid may be turned, and $O(3)$ is not finite: over what shall we average? The
# cloud itself says it. The eigenvectors of its second moment $x^\top x$, the columns of $V$, turn with the cloud. So
# $x V$, the cloud in their coordinates, stays; only the sign of each axis is open, and over signs we average. This is
# the *frame averaging* of [Puny et al. (2022)](../bibliography.md#puny-2022):
#
# $$ \bar f(x) = \frac1{2^d} \sum_{s \in \{-1, 1\}^d} f\bigl(x\, V \operatorname{diag}(s)\bigr),
#    \qquad x^\top x = V \operatorname{diag}(\lambda)\, V^\top . $$
#
# !!! abstract "Theorem (frame of principal axes)"
#     If the eigenvalues of $x^\top x$ are distinct, then $\bar f(x Q) = \bar f(x)$ for every orthogonal $Q$ and every
#     function $f$. If $f$ is invariant to $S_n$, so is $\bar f$.
#
# *Proof.* $(xQ)^\top (xQ) = (Q^\top V) \operatorname{diag}(\lambda)\, (Q^\top V)^\top$, so the columns of $Q^\top V$
# are eigenvectors of the turned cloud and, since eigenvalues are distinct, the only ones but for signs. And
# $x Q\, Q^\top V = x V$: the sum has the terms that it had. No order of the rows changes $x^\top x$. $\blacksquare$
#
# [`PrincipalAxesModel`][invariant_nets.PrincipalAxesModel] puts this around any model. We train on solids that stand
# upright, 300 clouds, and test on 1,200 turned ones. Against the frame we hold *augmentation*, which turns each cloud
# anew at each step, and plain *invariants*: a perceptron on the sorted distances from the center.


# %%
def turns(count):
    """Draw rotations and reflections."""
    q, r = torch.linalg.qr(torch.randn(count, 3, 3))
    return q * r.diagonal(dim1=1, dim2=2).sign()[:, None]


class TurnedInTraining(nn.Sequential):
    def forward(self, x):
        return super().forward(x @ turns(len(x)) if self.training else x)


class SortedDistances(nn.Module):
    def forward(self, x):
        return x.norm(dim=2).sort(1).values


def of_points(outputs=6):
    widths = {"hidden": (32, 32), "readout": (32,), "pooling": "max"}
    return deep_sets(64, 3, outputs=outputs, **widths)


def of_distances(outputs=6):
    return nn.Sequential(SortedDistances(), perceptron(64, 32, 32, outputs))


networks = {
    "Deep Sets": of_points,
    "augmented": lambda: TurnedInTraining(of_points()),
    "in principal axes": lambda: PrincipalAxesModel(of_points()),
    "sorted distances": of_distances,
}
upright, turned = (random_shapes(1800, 64, rotated=kind) for kind in (False, True))
train, valid = (upright.select(range(k, k + 300)) for k in (0, 300))
test, turned = (sets.select(range(600, 1800)) for sets in (upright, turned))
solids, correct, nets = Task.classes(6), {}, {}
for name, build in networks.items():
    lr, first = best_fit(build, solids, train, valid, rates=(3e-3, 1e-2))
    two = [first, fitted(build, solids, train, valid, lr, 1)[0]]
    judged = [[right(model, sets) for model in two] for sets in (test, turned)]
    correct[name], nets[name] = torch.stack([*map(torch.stack, judged)]), two[0]
scores = [(name, run.mean(2)) for name, run in correct.items()]  # tests, seeds
table(
    [
        {"network": k, "upright": shown(a), "turned": shown(b)}
        for k, (a, b) in scores
    ]
)

# %% [markdown]
# Deep Sets learns the upright solids nearly without a fault; on turned ones it is little better than a guess. The frame
# gives the same on both, as the theorem says, and is ahead of augmentation, which at this budget must still learn from
# examples what the frame knows. But **sorted distances win**: they need no frame and one pass instead of eight. A
# feature that is invariant by itself and says what the task asks for is hard to beat. What it cannot see, no
# training gives back: in exercise 2 it must guess.
#
# ### Axes that are not there
#
# Why is the frame on turned solids not as good as Deep Sets on upright ones? Look at the eigenvalues of many points
# of each solid, divided by their mean:

# %%
many, rows = random_shapes(6, 20_000), {}
for label in range(6):
    cloud = many.x[many.y == label][0]
    values = torch.linalg.eigvalsh(cloud.T @ cloud)
    shares = " ".join(f"{v:.2f}" for v in (values / values.mean()).tolist())
    own = turned.y == label
    rows[many.class_names[label]] = {"eigenvalues": shares} | {
        name: run[1][:, own].mean().item() for name, run in correct.items()
    }
table([{"solid": name, **row} for name, row in rows.items()], digits=2)

# %% alt="Two rows of three clouds, each of thirty solids laid over each other: a torus, a cone and a cube. Above, turned as they come, all are round and blurred. Below, in their principal axes, the torus is a flat band with two round ends, seen from its side; cone and cube are still round and blurred."
fig, axes = plt.subplots(2, 3, figsize=(7.5, 5.4))
for column, solid in zip(axes.T, ("torus", "cone", "cube"), strict=True):
    own = turned.x[turned.y == many.class_names.index(solid)][:30]
    in_axes = own @ torch.linalg.eigh(own.mT @ own).eigenvectors
    for ax, x in zip(column, (own, in_axes), strict=True):
        ax.plot(*x[..., [0, 2]].flatten(0, 1).T, ".", ms=2, alpha=0.5)
        ax.set(aspect="equal", xlim=(-1.7, 1.7), ylim=(-1.7, 1.7))
    column[0].set_title(solid)
plt.show()

# %% [markdown]
# Only the torus has axes that 64 points can tell; those of the cylinder differ little. In a sphere, a cube, a
# tetrahedron, and in this cone, all three moments are equal. In a *sample* of their points they are not, so the frame is exactly invariant,
# but its axes are those of chance, and the network inside must learn a cube in every position. Invariance alone does
# not help; what counts is that clouds that mean the same come out alike. And at a tie, as for the eight corners of a
# cube, the frame jumps. The largest change when clouds are turned, in the spread of all outputs:

# %%
corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).expand(100, 8, 3)
jumps, frame = [], "in principal axes"
for name, x in (("Deep Sets", turned.x), (frame, turned.x), (frame, corners)):
    with torch.no_grad():
        y, other, spread = map(nets[name], (x, x @ turns(len(x)), turned.x))
    jumps.append(((other - y).abs().amax() / spread.std()).item())
    print(f"{name}, {x.shape[1]} points: {jumps[-1]:.0e}")

# %% [markdown]
# ## Check the claims

# %%
assert list(up_to.values()) == [dealt, 2_598_960, 134_459]
assert [group.order for group in groups.values()] == [24, 120, 2880]
assert round(dealt / up_to[product], -1) == 2320
none, four, five, twofold, attention = (run.mean(1) for run in accuracy.values())
for less, more in ((none, four), (four, five), (five, twofold)):
    assert (less + 0.03 < more).all()
assert twofold[1] > torch.stack([none, four, five, attention])[:, 2].max() + 0.05
assert twofold[2] > 0.97 > max(patient.values()) + 0.01
assert (attention < five - 0.1).all()
assert attention[2] < none[2]
assert patient["$S_5$, set transformer"] > attention[2] + 0.3
plain, _, by_order, by_both, _ = of_category.values()
assert plain[5] == max(plain) > 0.85
for kind in (1, 3, 6):
    assert plain[kind] + 0.1 < by_order[kind] < by_both[kind] - 0.03
assert by_both[8] > by_order[8] + 0.2
assert hands.counts[8:] == (36, 4)
kept = ["".join(word[0] for word in kept.values()) for kept in promises.values()]
assert kept == ["nnn", "ynn", "nyn", "yyy", "nyn"]
# Solids: the frame is before augmentation, and the distances before both.
tested = {name: run.mean(1).tolist() for name, run in scores}
frame_of, distances = tested[frame], tested["sorted distances"]
assert tested["Deep Sets"][1] + 0.6 < tested["Deep Sets"][0] > 0.98
assert abs(frame_of[0] - frame_of[1]) < 0.04
assert tested["augmented"][1] + 0.05 < frame_of[1] < distances[1] - 0.03
assert rows["torus"][frame] > 0.97
assert rows["torus"]["augmented"] < rows["torus"][frame] - 0.2
assert all(rows[solid][frame] < 0.8 for solid in ("cone", "cylinder"))
assert jumps[1] < 1e-2 < 0.5 < min(jumps[0], jumps[2])

# %% [markdown]
# ## Exercises
#
# **1.** Put the sort around the average, `CanonicalModel(SymmetryModel(…))`. To what is it invariant?
#
# ??? success "Solution"
#     To $S_5$: the sort comes first. Not to $S_4$: of two cards of one rank the one of the lower suit comes first,
#     and a renaming may exchange them. Then the average sees another order of the cards.
#
# **2.** Find a task under $S_n \times O(3)$ that no network on distances from the center can solve.
#
# ??? success "Solution"
#     Reflect each point of a cone through the center with probability one half: was it done? No distance changes.
#     The second moment does not change either, but in its axes the network sees whether the points make a cone.

# %% fold="Solutions of exercises 1 and 2, in code"
model = CanonicalModel(SymmetryModel(reader(), suits), sorted_cards)
reports = [bool(symmetry_report(model, unseen.x[:200], g)) for g in groups.values()]
assert reports == [False, True, False]

cones = random_shapes(9600, 64, rotated=False)
x = cones.x[cones.y == cones.class_names.index("cone")]
done = torch.arange(len(x)) % 2
coins = torch.rand(x.shape[:2], generator=torch.Generator().manual_seed(0)) < 0.5
signs = 1.0 - 2 * (coins & (done[:, None] == 1))
rest, test = LabeledSets(signs[..., None] * x, done, labels="classes").split(0.6)
solved = []
for build in (lambda: PrincipalAxesModel(of_points(2)), lambda: of_distances(2)):
    model, _ = fitted(build, Task.classes(2), *rest.split(0.5), 1e-2, 0, 150)
    solved.append(right(model, test).mean().item())
print(f"reflected or not: frame {solved[0]:.3f}, distances {solved[1]:.3f}")
assert abs(solved[1] - 0.5) < 0.06 < 0.8 < solved[0]

# %% [markdown]
# ## Sources
#
# - [Puny et al. (2022)](../bibliography.md#puny-2022), *Frame Averaging for Invariant and Equivariant Network Design*.
# - [Cattral et al. (2002)](../bibliography.md#cattral-2002): the ten categories of poker hands as a task.
# - [Lee et al. (2019)](../bibliography.md#lee-2019), *Set Transformer*.
