# %% [markdown]
# # Measuring invariance
#
# !!! abstract "What you will be able to do"
#     - Measure how far a function is from invariant, on a scale that does not depend on its units.
#     - Test a claim about a huge group with its few generators, and say what such a test leaves open.
#     - Distinguish rounding from a real defect, and a random function from one that is not invariant.
#     - Find the blocks of rows that a given function treats alike.
#
# A model is said to ignore the order of a set. Does it? Nobody can try all 3,628,800 orders of ten members, and no
# computer adds numbers in two orders to the same last digit. So a check must choose a few permutations, tolerate some
# error, and still be reliable. Which permutations, and how much error?

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn

from invariant_nets import (
    Permutation,
    cyclic_group,
    find_symmetry,
    mathieu_group,
    pocket_cube_group,
    symmetric_group,
    symmetry_report,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d = 10, 5
sets = torch.randn(256, n, d, generator=torch.Generator().manual_seed(0))

# %% [markdown]
# ## Three functions to measure
#
# A *perceptron* reads the set as one long vector, so it sees the order. The sum of products of *neighbors* does not
# change when all rows are shifted around a circle, and so is invariant to the cyclic group $C_{10}$. The *pooled*
# network applies one perceptron to each row, takes the mean, and applies another to the mean. A mean does not depend
# on the order of its terms, so this network is invariant to all of $S_{10}$.


# %%
def perceptron(n, d):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(n * d, 64), nn.ReLU(), nn.Linear(64, 1)
    )


def neighbors(x):  # Σ_i x_i1 x_{i+1, 2}, with the rows on a circle
    return (x[..., 0] * x.roll(-1, 1)[..., 1]).sum(1, keepdim=True)


class Pooled(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.of_row = nn.Sequential(nn.Linear(d, 32), nn.ReLU())
        self.of_mean = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.of_mean(self.of_row(x).mean(1))


# %% [markdown]
# ## What a defect is
#
# The **defect** of $f$ under a permutation $\sigma$ on the sets $x^{(1)}, \dots, x^{(m)}$ is the largest change that
# $\sigma$ makes,
#
# $$ \Delta_\sigma(f) = \max_b \bigl\lvert f(\sigma x^{(b)}) - f(x^{(b)}) \bigr\rvert
#    \quad \text{(invariance)}, \qquad
#    \max_b \bigl\lvert f(\sigma x^{(b)}) - \sigma f(x^{(b)}) \bigr\rvert
#    \quad \text{(equivariance)}. $$
#
# If it is zero for all $\sigma \in G$ and every choice of sets, $f$ is invariant (equivariant) to $G$. In a computer
# we must compare it with some tolerance. A fixed number, say $10^{-3}$, measures the units of $f$ as well as its
# symmetry. We take eight perceptrons whose last layer starts small, a ten-thousandth of the usual size, and eight pooled
# networks whose output is given in small units, so that its numbers are a million times as large. We reverse the
# rows.


# %%
@torch.no_grad()
def defect(f, x, permutation, equivariant=False):
    """Return the defect of f on the sets x, and the spread of its outputs."""
    y, moved = f(x), f(permutation(x))
    target = permutation(y) if equivariant else y
    return (moved - target).abs().max().item(), y.std().item()


reverse = Permutation(list(range(n))[::-1])
torch.manual_seed(0)
small, large = [], []
for _ in range(8):
    f, g = perceptron(n, d), Pooled(d)
    small.append(defect(lambda x, f=f: f(x) / 1e4, sets, reverse))
    large.append(defect(lambda x, g=g: g(x) * 1e6, sets, reverse))
for name, pairs in {
    "perceptrons / 10,000": small,
    "pooled × 1,000,000": large,
}.items():
    passed, relative = sum(a < 1e-3 for a, _ in pairs), [a / s for a, s in pairs]
    print(
        f"{name}: defect below 0.001 in {passed} of 8; in units of the spread "
        f"{min(relative):.0e} to {max(relative):.0e}"
    )

# %% [markdown]
# The fixed tolerance passes every perceptron, which sees the order, and refuses every pooled network, which does not.
# The right yardstick is the spread $s$ of the outputs over sets, their standard deviation. The **relative defect**
# $\Delta_\sigma(f) / s$ does not change when $f$ is multiplied by a constant, and it separates the two. It also has a
# natural scale.
#
# !!! abstract "Theorem (the scale of the relative defect)"
#     Let $\sigma x$ have the distribution of $x$, and let $r_\sigma$ be the correlation of $f(x)$ and $f(\sigma x)$.
#     Then $f(\sigma x)$ has the same standard deviation $s$ as $f(x)$, and
#
#     $$ \frac{\sqrt{\mathbb E\,(f(\sigma x) - f(x))^2}}{s} = \sqrt{2\,(1 - r_\sigma)} . $$
#
# *Proof.* Equal distributions have equal means and variances, so $\mathbb E\,(f(\sigma x) - f(x))^2 =
# \operatorname{Var}(f(\sigma x) - f(x)) = s^2 + s^2 - 2 r_\sigma s^2$. $\blacksquare$
#
# So the root mean square change, in units of the spread, lies between 0 and 2. It is 0 for an invariant function, and
# $\sqrt 2$ if the outputs before and after are uncorrelated. A function that changes its sign reaches 2. The
# *largest* change over a batch, which $\Delta_\sigma$ takes, can be larger.


# %%
@torch.no_grad()
def relative_rms(f, permutation, x):
    """Return the root mean square change of the output, divided by its spread."""
    y, moved = f(x), f(permutation(x))
    return ((moved - y).square().mean().sqrt() / y.std()).item()


def halves(x):  # the first five rows minus the last five: reversal changes the sign
    return (x[:, :5] - x[:, 5:]).sum((1, 2))[:, None]


torch.manual_seed(1)
many = torch.randn(4000, n, d, generator=torch.Generator().manual_seed(1))
functions = {"pooled": Pooled(d), "neighbors": neighbors}
functions |= {"perceptron": perceptron(n, d), "halves": halves}
scales = []
for name, f in functions.items():
    with torch.no_grad():
        pair = torch.cat((f(many), f(reverse(many))), dim=1).T
    r = torch.corrcoef(pair)[0, 1].item()
    change, theorem = relative_rms(f, reverse, many), (2 * max(0, 1 - r)) ** 0.5
    scales += [
        {"function": name, "correlation": r, "measured": change, "theorem": theorem}
    ]
table(scales, caption="under the reversal of the rows, 4,000 sets")

# %% [markdown]
# [`symmetry_report`][invariant_nets.symmetry_report] measures the largest change and the spread, and says both in
# words. (`test_invariant`, `test_equivariant` and their `assert_…` forms are short names for it.) We ask it about the
# neighbors twice: first with their own group, then with all orders.

# %%
own = symmetry_report(neighbors, sets, cyclic_group(n))
full = symmetry_report(neighbors, sets)
print(own, full, sep="\n\n")

# %% [markdown]
# ## Generators are enough
#
# !!! abstract "Theorem (generators)"
#     Let $g_1, \dots, g_m$ generate $G$. If $f(g_k x) = f(x)$ for all $x$ and all $k$, then $f$ is invariant to $G$.
#     If $f(g_k x) = g_k f(x)$ for all $x$ and $k$, then $f$ is equivariant to $G$. If it holds only up to an error,
#     with $\varepsilon = \max_k \sup_x \lvert f(g_k x) - f(x) \rvert$, then a product of $L$ generators has a defect
#     of at most $L \varepsilon$.
#
# *Proof.* Every element is a product of generators: in a finite group $g^{-1}$ is a power of $g$, so inverses need no
# extra mention. Let $\lVert \sigma \rVert = \sup_x \lvert f(\sigma x) - f(x) \rvert$. For two elements,
#
# $$ f(\sigma\tau x) - f(x) = \bigl[ f(\sigma (\tau x)) - f(\tau x) \bigr]
#    + \bigl[ f(\tau x) - f(x) \bigr], $$
#
# hence $\lVert \sigma \tau \rVert \le \lVert \sigma \rVert + \lVert \tau \rVert$, and a product of $L$ generators has
# $\lVert \cdot \rVert \le L \varepsilon$, which is 0 if $\varepsilon$ is. For equivariance, $f(\sigma \tau x) =
# \sigma f(\tau x) = \sigma \tau f(x)$. $\blacksquare$
#
# Two generators give all of $S_n$: the exchange of the first two rows, and the shift of all. Shifts carry the
# exchange to any two neighbors, and exchanges of neighbors reach every order, as bubble sort does. So the group may
# be very large:

# %%
groups = [symmetric_group(10), symmetric_group(100), pocket_cube_group()]
for group in groups:
    print(
        f"{group.name}: {len(group.generators)} generators, {group.order:.1e} elements"
    )

# %% [markdown]
# The theorem says *for all $x$*. The bound on $\sigma\tau$ uses the defect of $\sigma$ at the set $\tau x$, which is
# not in the batch. A function that treats one particular order in a special way can pass for both generators on a
# batch, and fail for their product (exercise 3 builds one). For this reason the report also tries a few random
# elements of the group, which reach orders that no single generator reaches.
#
# How do small errors add up? Take a mean whose weights grow a little from row to row, $f(x) = \frac1n \sum_i (1 +
# \delta i)\, x_i$ with $\lvert x_i \rvert \le 1$. If a permutation carries row $i$ to place $i + m_i$, the largest
# change of $f$ is $\frac{\delta}{n} \sum_i \lvert m_i \rvert$. An exchange of neighbors makes two moves of one place,
# so $\varepsilon = 2\delta/n$. If signs are random, the moves do not add up: the mean square of the change is
# $\frac{\delta^2}{n^2} \sum_i m_i^2$. We draw 2,000 random products, and one that is chosen to be bad: 25 exchanges
# carry the last five rows past the first five, so that all $m_i = \pm 5$.

# %%
delta, words, lengths = 0.001, 2000, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


rows, epsilon = torch.arange(n), 2 * delta / n
source, order = torch.Generator().manual_seed(2), rows.repeat(words, 1)
typical = []
for length in range(1, max(lengths) + 1):
    i = torch.randint(n - 1, (words, 1), generator=source)
    places = torch.cat((i, i + 1), dim=1)
    order = order.scatter(1, places, order.gather(1, places.flip(1)))
    if length in lengths:
        mean_square = (order - rows).square().sum(1).double().mean().item()
        typical.append(delta / n * mean_square**0.5)

far = Permutation(rows.roll(5).tolist())  # a product of 25 exchanges
signs = torch.ones(n).double().index_fill(0, rows[:5], -1)[:, None]  # −1, then 1
weights = 1 + delta * rows.double()[:, None]
worst = (weights * (far(signs) - signs)).mean().abs().item()

# %% alt="Error in units of epsilon against the number L of exchanges of neighbors, both axes logarithmic. A star for the chosen product lies on the dashed bound at 25. The random products climb along the dotted line, the square root of L over 2, and level off at about 6."
fig, ax = plt.subplots(figsize=(8, 3))
ax.loglog(lengths, lengths, "--", color=INK, label=r"bound $L$")
ax.loglog(25, worst / epsilon, "*", ms=12, label="chosen product and set")
ax.loglog(lengths, [e / epsilon for e in typical], "o-", label="random")
roots = [(length / 2) ** 0.5 for length in lengths]
ax.loglog(lengths, roots, ":", color=INK, label=r"$\sqrt{L/2}$")
ax.set(xlabel="exchanges of neighbors $L$", ylabel=r"error / $\varepsilon$")
ax.set_ylim(0.5, 60)
ax.legend()
plt.show()

# %% [markdown]
# The bound is sharp: the chosen product attains it. Random products make an error that grows like $\sqrt L$ as long
# as few rows have met the ends of the list, and levels off once the order is random. A uniform order has $\mathbb E
# \sum_i m_i^2 = n (n^2 - 1) / 6 = 165$.
#
# ## Rounding, or a real defect?
#
# Floating-point addition is commutative and not associative: $(a + b) + c$ and $a + (b + c)$ may differ in their last
# digits. So a network that is invariant on paper has a defect in the machine. Its size depends on the precision,
# about $10^{-7}$ of the numbers involved in float32 and $10^{-16}$ in float64. This gives the test. Compute in
# float64: **rounding shrinks by about nine digits, and a real defect stays where it is.** The check does so by itself
# wherever the function takes it; `double=False` leaves it in the precision of the model. We try the pooled network; a
# perceptron behind a sort of the rows, which is invariant because all orders of a set have the same sorted form; and
# two pooled networks that leak a little of their first row.


# %%
torch.manual_seed(2)
pooled, flat = Pooled(d), perceptron(n, d)


def by_first_entry(x):  # sort the rows of each set
    return x.take_along_dim(x[..., :1].argsort(1), dim=1)


suspects = {
    "pooled": pooled,
    "sorted": lambda x: flat(by_first_entry(x)),
    "leaky, 1e-7": lambda x: pooled(x) + 1e-7 * x[:, 0, :1],
    "leaky, 1e-3": lambda x: pooled(x) + 1e-3 * x[:, 0, :1],
}
precision = {
    name: [symmetry_report(f, sets, double=double) for double in (False, True)]
    for name, f in suspects.items()
}
for name, (single, double) in precision.items():
    print(
        f"{name:12} float32: {bool(single)!s:5} {single.relative_error:.0e}"
        f"   float64: {bool(double)!s:5} {double.relative_error:.0e}"
    )

# %% [markdown]
# The tolerance for each output is the square root of the machine epsilon times its spread, since nobody knows in
# advance by how much a network amplifies rounding. In float32 it refuses the large leak and cannot tell the small one
# from rounding. In float64 the rounding is gone and the small leak is as large as before. The sorted network has no
# error at all: after the sort it does the same additions in the same order.
#
# ## Random functions
#
# Some models answer differently each time, for example with dropout in training mode. Here is another, which averages
# a perceptron over ten random orders, drawn anew in each call. Such a function cannot satisfy $f(\sigma x) = f(x)$,
# since it does not even satisfy $f(x) = f(x)$. The check calls the model twice on the same input and reports the
# difference. (All checks run in evaluation mode, in which dropout does nothing; this average stays random.)

# %%
torch.manual_seed(3)
inner = perceptron(n, d)


def sampled(x):
    return torch.stack([inner(x[:, torch.randperm(n)]) for _ in range(10)]).mean(0)


random_report = symmetry_report(sampled, sets)
print(random_report)

# %% [markdown]
# The two numbers in it are of one size: a permutation changes the output about as much as another call does. No
# tolerance makes this model pass. [Symmetrization](08_symmetrization.py) says how far such an average is from
# invariant, and how slowly more draws help.
#
# ## The other way round: which group?
#
# The permutations under which $f$ is invariant form a group, its *symmetry group*: if it contains $\sigma$ and $\tau$
# it contains $\sigma\tau$, by the theorem above. Can we find it? We cannot try all orders, but the simplest
# permutations, the transpositions $(i\ j)$, already say a lot.
#
# !!! abstract "Theorem (blocks)"
#     Write $i \sim j$ if $i = j$ or $f$ is invariant to $(i\ j)$. This is an equivalence relation. If $B_1, \dots,
#     B_k$ are its classes, $f$ is invariant to $S_{B_1} \times \dots \times S_{B_k}$, and to no transposition outside
#     of it.
#
# *Proof.* Only transitivity needs an argument: $(i\ k) = (i\ j)(j\ k)(i\ j)$ for different $i, j, k$, so $f$ is
# invariant to it. Transpositions of a block generate all its permutations. $\blacksquare$
#
# So each row need only be compared with one representative of each block, and an invariant function takes $n - 1$
# transpositions, not $n(n-1)/2$.


# %%
def blocks(f, x, tolerance=1e-4):
    """Return the classes of rows that f treats alike, and how many pairs it tried."""
    rest, found, tried = list(range(x.shape[1])), [], 0
    while rest:
        block, others, rest = [rest[0]], rest[1:], []  # its first row represents it
        for i in others:
            swap = Permutation.from_cycles(x.shape[1], (block[0], i))
            (block if relative_rms(f, swap, x) < tolerance else rest).append(i)
        found, tried = [*found, block], tried + len(others)
    return found, tried


torch.manual_seed(4)
three, seven = Pooled(d), Pooled(d)
four = {"perceptron": perceptron(n, d), "neighbors": neighbors}
four |= {"three and seven": lambda x: three(x[:, :3]) - 2 * seven(x[:, 3:])}
four |= {"pooled": Pooled(d)}
maps, found = {name: torch.zeros(n, n) for name in four}, {}
for name, f in four.items():
    for i in range(n):
        for j in range(i):
            change = relative_rms(f, Permutation.from_cycles(n, (i, j)), many)
            maps[name][i, j] = maps[name][j, i] = change
    found[name] = (*blocks(f, sets), find_symmetry(f, sets))
for name, (parts, tried, group) in found.items():
    sizes = [len(block) for block in parts]
    print(f"{name:15} {sizes}, {tried} pairs tried; find_symmetry: {group.name}")

# %% alt="Four heat maps of the relative change under exchanging rows i and j. Perceptron: well above zero everywhere but on the diagonal. Neighbors: large, and smaller beside the diagonal and in the two far corners than elsewhere. Three and seven: zero inside the blocks of rows 0 to 2 and 3 to 9, larger between them. Pooled: zero everywhere."
fig, axes = plt.subplots(1, 4, figsize=(8.4, 2.6))
for ax, (name, image) in zip(axes, maps.items(), strict=True):
    shown = ax.imshow(image, vmin=0, vmax=1)
    ax.set(title=name, xticks=[0, 3, 6, 9], yticks=[0, 3, 6, 9], xlabel="row $j$")
    ax.grid(False)
axes[0].set_ylabel("row $i$")
fig.colorbar(shown, ax=axes, label="relative change", shrink=0.8)
plt.show()

# %% [markdown]
# The third picture *is* the group: the dark squares are its blocks. The second one shows what transpositions cannot
# see. The neighbors are invariant to no exchange of two rows. But their map has stripes: the change depends on $i -
# j$ modulo $n$ alone, because a shift turns $(i\ j)$ into $(i+1\ j+1)$. An exchange of two neighbors keeps one
# product in three partly, and changes less. The perceptron has no such stripes. So
# [`find_symmetry`][invariant_nets.find_symmetry] tries the cyclic shifts $i \mapsto i + k$ and the reversals $i
# \mapsto c - i$ as well, and returns the group that those which pass generate.
#
# ### What the search cannot see
#
# It claims no symmetry that it did not find, but it may find too little. Some groups have no transpositions, and not
# all of their elements are shifts. Average a perceptron over Mathieu's group $M_{11}$, which permutes eleven rows. It
# can bring any four of them to any four places, and yet it is a tiny part of $S_{11}$. The search sees only the cycle
# of eleven that is one of its generators. If you suspect more, name the group and let the report test it.

# %%
torch.manual_seed(5)
m11, inner_11 = mathieu_group(11), perceptron(11, 2)
images = torch.stack([g.index_tensor for g in m11])


def over_m11(x):  # the mean over all 7,920 elements
    return torch.stack([inner_11(one[images]).mean(0) for one in x])


eleven = torch.randn(4, 11, 2, generator=torch.Generator().manual_seed(6))
seen = find_symmetry(over_m11, eleven)
print(f"found: {seen.name}, {seen.order} elements")
mathieu_report = symmetry_report(over_m11, eleven, m11)
print(f"{m11.name}, {m11.order:,} elements: {bool(mathieu_report)}")

# %% [markdown]
# [Chapter 11](11_comparison.py#do-the-models-keep-their-promises) tries every group of the book on every model.
#
# ## In your own tests
#
# The package brings a pytest plugin. With `@pytest.mark.groups(symmetric_group(10), cyclic_group(10))` a test runs once
# for each group; in it, the fixture `assert_invariant(model, x)` makes a claim of symmetry a test in a line.
#
# ## Check the claims

# %%
# A fixed tolerance passes what is not invariant and refuses what is; the spread does not.
assert all(a < 1e-3 and a / s > 1 for a, s in small)
assert all(a > 1e-3 > a / s for a, s in large)

# The theorem on the scale, and its ends; the largest change exceeds the typical one.
for row in scales:
    assert abs(row["measured"] - row["theorem"]) < 0.05
measured = [row["measured"] for row in scales]
assert measured[0] < 1e-3
assert abs(measured[1] - 2**0.5) < 0.1  # reversed neighbors are uncorrelated
assert abs(measured[3] - 2) < 0.05
assert full.relative_error > max(measured)

# Our defect is that of the report.
in_single = symmetry_report(neighbors, sets, double=False)
largest, spread = defect(neighbors, sets, in_single.permutation)
assert abs(largest - in_single.max_error) < 1e-4 * largest
assert abs(spread - in_single.spread) < 0.01 * spread
assert own
assert not full

# Few generators; a sharp bound; random errors like √L, then level.
assert [len(group.generators) for group in groups[:2]] == [2, 2]
assert abs(worst / epsilon - 25) < 1e-9
for root, error in zip(roots[:4], typical[:4], strict=True):
    assert abs(error / epsilon / root - 1) < 0.12
assert abs(typical[-1] / (delta / n * 165**0.5) - 1) < 0.05

# Float64: rounding shrinks, a real defect stays and is found.
single, double = precision["pooled"]
assert double.relative_error < 1e-6 * single.relative_error
passes = {name: [bool(r) for r in pair] for name, pair in precision.items()}
assert passes["pooled"] == passes["sorted"] == [True, True]
assert passes["leaky, 1e-7"] == [True, False]
assert passes["leaky, 1e-3"] == [False, False]
for name in ("leaky, 1e-7", "leaky, 1e-3"):
    single, double = precision[name]
    assert 0.7 < single.relative_error / double.relative_error < 1.4
assert all(report.max_error == 0 for report in precision["sorted"])

# Random: no tolerance helps, and one call differs from another as one order from another.
assert random_report.is_random
assert not symmetry_report(sampled, sets, atol=1e6)
assert 0.2 < random_report.max_error / random_report.call_to_call < 5

# Pictures, blocks and groups agree.
off = ~torch.eye(n, dtype=torch.bool)
assert maps["perceptron"][off].min() > 0.1
assert maps["neighbors"][off].min() > 0.5
assert maps["pooled"].max() < 1e-4
inside = torch.zeros(n, n, dtype=torch.bool)
inside[:3, :3] = inside[3:, 3:] = True
assert maps["three and seven"][inside].max() < 1e-4
assert maps["three and seven"][~inside].min() > 0.05
names = [group.name for *_, group in found.values()]
assert names == ["trivial", "C_10", "S_3 × S_7", "S_10"]
assert [len(parts) for parts, *_ in found.values()] == [10, 10, 2, 1]
assert found["pooled"][1] == n - 1

# Stripes: the change differs between them more than within, for the neighbors only.
distance = (rows[:, None] - rows) % n
ratio = {}
for name in ("neighbors", "perceptron"):
    stripes = torch.stack([maps[name][distance == k] for k in range(1, n)])
    ratio[name] = (stripes.mean(1).std() / stripes.std(1).mean()).item()
assert ratio["neighbors"] > 3
assert ratio["perceptron"] < 1
stripes = torch.stack([maps["neighbors"][distance == k] for k in range(1, n)])
assert stripes[[0, -1]].max() < stripes[1:-1].min()

# The search misses M_11, the report confirms it.
assert (seen.name, seen.order) == ("C_11", 11)
assert mathieu_report
assert seen.is_subgroup(m11)

# %% [markdown]
# ## Summary
#
# - The defect of $f$ under $\sigma$ is the largest change that $\sigma$ makes. Only relative to the spread of the
#   outputs does it mean anything; on average over sets the relative change is $\sqrt{2 (1 - r_\sigma)}$.
# - The generators of a group are enough, if they pass for all sets. Errors of $L$ generators add up to at most $L
#   \varepsilon$, and this bound is sharp.
# - On one batch, generators can be deceived. A few random elements help.
# - Rounding shrinks by about nine digits in float64, and a real defect does not.
# - A random function is not invariant, whatever the tolerance.
# - Transpositions find the blocks of rows that a function treats alike, and nothing of a group without
#   transpositions.
#
# ## Where the field went
#
# [Kvinge et al. (2022)](../bibliography.md#kvinge-2022) ask what it should mean that a network is invariant, propose
# a family of measures that do not mix invariance with accuracy, and use them to compare augmentation with equivariant
# layers. [Gruver et al. (2023)](../bibliography.md#gruver-2023) measure the local defect of trained networks under
# continuous transformations by a derivative.
#
# The inverse question, which symmetry is there, has become a field of its own. [Benton et al.
# (2020)](../bibliography.md#benton-2020) learn a distribution over transformations together with the weights of the
# network, and so find from training data to what extent it should be invariant. [Yang et al.
# (2023)](../bibliography.md#yang-2023) let a generator propose transformations of the data that a discriminator
# cannot distinguish from the data themselves. Both search for a symmetry of the *task*; this chapter searched for one
# of a given function, which can be queried as often as we like.
#
# Language models made the question practical again: [Lu et al. (2022)](../bibliography.md#lu-2022) permute the
# examples in a prompt, whose order should not matter, and find accuracies from near the state of the art down to
# chance.
#
# ## Exercises
#
# **1.** A function of ten rows passes for a single permutation $\sigma$, for all sets. To how many permutations is it
# then invariant, at most, by the theorem on generators alone?
#
# ??? success "Solution"
#     To the powers of $\sigma$. Their number is the order of $\sigma$, the least common multiple of the lengths of
#     its cycles. With ten rows it is at most $\operatorname{lcm}(5, 3, 2) = 30$, far from $10!$. So passing for a
#     single permutation never proves invariance to $S_n$ for $n \ge 3$.

# %% exercise="1"
answer_1 = ...

# %% solution="1"
answer_1 = Permutation.from_cycles(10, (0, 1, 2, 3, 4), (5, 6, 7), (8, 9)).order()

# %% check="1"
check_1 = AnswerCheck("03.1", digest="3fff05a8be0a3ef0")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[10, 21, 24, 3628800])

# %% [markdown]
# **2.** Which of these are *all* the permutations under which some function of three rows is invariant? Answer with
# three truth values: (a) $e, (0\ 1)$; (b) $e, (0\ 1), (1\ 2)$; (c) $e, (0\ 1\ 2), (0\ 2\ 1)$. Show that the
# permutations under which $f$ is *equivariant* form a group too.
#
# ??? success "Solution"
#     A symmetry group is closed under products, and (b) is not: $(0\ 1)(1\ 2)$ is missing. (a) belongs to $x_0 + x_1
#     + 2 x_2$, and (c) to a sum of products of neighbors on a circle of three. If $f(\sigma x) = \sigma f(x)$ and
#     $f(\tau x) = \tau f(x)$ for all $x$, then $f(\sigma\tau x) = \sigma f(\tau x) = \sigma\tau f(x)$, and a finite
#     set of permutations that is closed under products is a group. So the theorem on blocks holds for equivariance as
#     well.

# %% exercise="2"
answer_2 = ...  # three truth values

# %% solution="2"
answer_2 = True, False, True

# %% check="2"
check_2 = AnswerCheck("03.2", digest="d8a94da2c777d7c7")
check_2(answer_2)

# %% wrong="2"
wrong_2 = [(True, True, True), (True, False, False), (False, False, True)]
check_2.holds(answer_2, wrong=wrong_2)

# %% [markdown]
# **3.** Build a function that passes for both generators of $S_{10}$ on one given set $x$ and is nevertheless not
# invariant.
#
# ??? success "Solution"
#     Let $f$ be 1 on $x$, on $g_1 x$ and on $g_2 x$, and 0 elsewhere. The generators move $x$ to sets where $f$ is 1
#     as well; other elements do not. The report finds it out through its random elements.


# %% exercise="3"
def trap(x):
    """Return a function f of sets with f(g x) = f(x) at x, shape (1, 10, d), for g in the generators."""
    ...


# %% solution="3"
def trap(x):
    """Return a function f of sets with f(g x) = f(x) at x, shape (1, 10, d), for g in the generators."""
    special = [x, *(g(x) for g in symmetric_group(10).generators)]

    def f(y):
        hits = [(y == place).flatten(1).all(1) for place in special]
        return torch.stack(hits).any(0).float()

    return f


# %% check="3"
def law_3(trap):
    x = torch.randn(1, 10, 3, generator=torch.Generator().manual_seed(3))
    f, group = trap(x), symmetric_group(10)
    for g in group.generators:
        assert torch.equal(f(g(x)), f(x)), "it should pass for both generators at x"
    tries = group.sample(20, torch.Generator().manual_seed(4))
    changed = [not torch.equal(f(x[:, order]), f(x)) for order in tries]
    assert any(changed), "some other order should change it"


check_3 = CodeCheck("3", law_3)
check_3(trap)

# %% wrong="3"
check_3.holds(
    trap,
    wrong=[
        lambda x: lambda y: y.sum((1, 2)).round(),
        lambda x: lambda y: y[:, 0, 0],
        lambda x: lambda y: (y == x).flatten(1).all(1).float(),
    ],
)

# %% [markdown]
# **4.** A random function may still be invariant *on average*. Build a test for one set $x$ and one $\sigma$: return
# the mean of $f(\sigma x) - f(x)$ over independent calls, and its standard error.
#
# ??? success "Solution"
#     Call $f$ many times on both, and compare the means with the standard error of their difference. If they agree
#     within a few standard errors, no bias was found, and the standard error says how small a bias would have been
#     found. The calls are the sample, not the sets of one batch, since all sets of a batch share the draws of a call.


# %% exercise="4"
def bias(f, x, sigma, calls):
    """Return the mean of f(sigma(x)) − f(x) over calls, and its standard error."""
    ...


# %% solution="4"
def bias(f, x, sigma, calls):
    """Return the mean of f(sigma(x)) − f(x) over calls, and its standard error."""
    changes = torch.stack([(f(sigma(x)) - f(x)).squeeze() for _ in range(calls)])
    return changes.mean(), changes.std() / calls**0.5


# %% check="4"
def law_4(bias):
    x = torch.randn(1, n, d, generator=torch.Generator().manual_seed(4))
    source = torch.Generator().manual_seed(5)

    def noisy(x, trend=0.0):
        noise = 0.5 * torch.randn(1, 1, generator=source)
        return x.mean((1, 2))[:, None] + trend * x[:, :1, 0] + noise

    difference, error = bias(noisy, x, reverse, 400)
    expected = 0.5 * (2 / 400) ** 0.5
    assert abs(error / expected - 1) < 0.25, "the error should be that of the mean"
    assert abs(difference) < 5 * error, "where there is no bias it should find none"
    truth = (reverse(x) - x)[0, 0, 0]
    difference, error = bias(lambda x: noisy(x, 1.0), x, reverse, 400)
    assert abs(difference - truth) < 5 * error, (
        "it should find the bias that is there"
    )


check_4 = CodeCheck("4", law_4)
check_4(bias)


# %% wrong="4"
def wrongly(sign, root):
    def bias(f, x, sigma, calls):
        changes = [f(sigma(x)) - sign * f(x) for _ in range(calls)]
        return torch.stack(changes).mean(), torch.stack(changes).std() / calls**root

    return bias


check_4.holds(bias, wrong=[wrongly(1, 0), wrongly(0, 0.5), wrongly(1, 1)])

# %% [markdown]
# **5.** Rows are i.i.d., with one feature of variance 1, and $f$ is the mean of the first five of ten rows. How large
# is its root mean square change under the exchange of the first and the last row, in units of its spread?
#
# ??? success "Solution"
#     The two outputs share four of five terms, so $r_\sigma = 4/5$, and the theorem gives $\sqrt{2/5}$.

# %% exercise="5"
answer_5 = ...

# %% solution="5"
answer_5 = (2 * (1 - 4 / 5)) ** 0.5

# %% check="5"
check_5 = AnswerCheck("03.5", digest="93c5b7c7491744af")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[0.4, 0.447, 1.414, 0.283])

# %% [markdown]
# ## Sources
#
# - [Lenc and Vedaldi (2015)](../bibliography.md#lenc-2015), *Understanding Image Representations by Measuring Their
#   Equivariance and Equivalence*: an early measurement of the symmetry of given networks.
# - [Goldberg (1991)](../bibliography.md#goldberg-1991), *What Every Computer Scientist Should Know About
#   Floating-Point Arithmetic*: rounding.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: generators, blocks, Mathieu's
#   groups.
