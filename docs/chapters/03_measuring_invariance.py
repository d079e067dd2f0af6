# %% [markdown] slide="question"
# # Measuring invariance
#
# !!! abstract "What you will be able to do"
#     - Measure how far a function is from invariant, on a scale that does not depend on its units.
#     - Test a claim about a huge group with its few generators, and say what such a test leaves open.
#     - Distinguish rounding from a real defect, and a random function from one that is not invariant.
#     - Find the blocks of rows that a given function treats alike.
#
# A model is said to ignore the order of a set. Does it? Nobody can try all 3,628,800 orders of ten members, and
# floating-point sums depend a little on the order of their terms. So a check must choose a few permutations and
# tolerate some error. Which permutations, and how much error?

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn

from invariant_nets import (
    Permutation,
    PermutationGroup,
    cyclic_group,
    find_symmetry,
    pocket_cube_group,
    symmetric_group,
    symmetry_report,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()
n, d = 10, 5
sets = torch.randn(256, n, d, generator=torch.Generator().manual_seed(0))

# %% [markdown]
# ## Three functions to measure
#
# A *perceptron* reads the set as one long vector, so it sees the order. The sum of products of *neighbors* does not
# change when all rows are shifted around a circle, so it is invariant to the cyclic group $C_{10}$. The *pooled*
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
# $$ \Delta_\sigma(f) = \max_b \bigl\lvert f(\sigma x^{(b)}) - f(x^{(b)}) \bigr\rvert . $$
#
# For equivariance it is the largest entry of $f(\sigma x^{(b)}) - \sigma f(x^{(b)})$. If it is zero for all $\sigma
# \in G$ and all sets, $f$ is invariant (equivariant) to $G$. In a computer we must compare it with a tolerance. A
# fixed number, say $10^{-3}$, measures the units of $f$ as well as its symmetry. To see this we divide the output of
# eight perceptrons by 10,000, multiply that of eight pooled networks by a million, and reverse the rows.


# %%
@torch.no_grad()
def defect(f, x, permutation):
    """Return the defect of f on the sets x, and the spread of its outputs."""
    y = f(x)
    return (f(permutation(x)) - y).abs().max().item(), y.std().item()


reverse = Permutation(list(range(n))[::-1])
torch.manual_seed(0)
small, large = [], []
for _ in range(8):
    f, g = perceptron(n, d), Pooled(d)
    small.append(defect(lambda x, f=f: f(x) / 1e4, sets, reverse))
    large.append(defect(lambda x, g=g: g(x) * 1e6, sets, reverse))
for name, pairs in (("perceptrons / 10⁴", small), ("pooled × 10⁶", large)):
    passed, relative = sum(a < 1e-3 for a, _ in pairs), [a / s for a, s in pairs]
    print(f"{name}: defect below 0.001 in {passed} of 8;", end=" ")
    print(f"divided by the spread {min(relative):.0e} to {max(relative):.0e}")

# %% [markdown] slide="theorem"
# The fixed tolerance passes every perceptron, which sees the order, and refuses every pooled network, which does not.
# A better yardstick is the spread $s$ of the outputs, their standard deviation over sets. The **relative defect**
# $\Delta_\sigma(f) / s$ does not change when $f$ is multiplied by a constant, and it separates the two.
#
# !!! theorem "Theorem (the scale of the relative defect)"
#     Let $\sigma x$ have the distribution of $x$, and let $r_\sigma$ be the correlation of $f(x)$ and $f(\sigma x)$.
#     Then $f(\sigma x)$ has the same standard deviation $s$ as $f(x)$, and
#
#     $$ \frac{\sqrt{\mathbb E\,(f(\sigma x) - f(x))^2}}{s} = \sqrt{2\,(1 - r_\sigma)} . $$
#
# *Proof.* Equal distributions have equal means and variances, so $\mathbb E\,(f(\sigma x) - f(x))^2 =
# \operatorname{Var}(f(\sigma x) - f(x)) = s^2 + s^2 - 2 r_\sigma s^2$. $\blacksquare$
#
# So the root mean square change, in units of the spread, is 0 for an invariant function, $\sqrt 2$ if the outputs
# before and after are uncorrelated, and at most 2, for a function that changes its sign. The *largest* change over a
# batch, which $\Delta_\sigma$ takes, can be larger.


# %%
@torch.no_grad()
def relative_rms(f, permutation, x):
    """Return the root mean square change of the output, divided by its spread."""
    y, moved = f(x), f(permutation(x))
    return ((moved - y).square().mean().sqrt() / y.std()).item()


torch.manual_seed(1)
many = torch.randn(4000, n, d, generator=torch.Generator().manual_seed(1))
functions = {
    "pooled": Pooled(d),
    "neighbors": neighbors,
    "perceptron": perceptron(n, d),
    "difference": lambda x: (x[:, 0] - x[:, 9]).sum(1, keepdim=True),
}
scales = []
for name, f in functions.items():
    with torch.no_grad():
        pair = torch.cat((f(many), f(reverse(many))), dim=1).T
    r = torch.corrcoef(pair)[0, 1].item()
    row = {"measured": relative_rms(f, reverse, many)}
    row["theorem"] = (2 * max(0, 1 - r)) ** 0.5
    scales.append({"function": name, "correlation": r} | row)
table(scales, caption="under the reversal of the rows, 4,000 sets")

# %% [markdown]
# [`symmetry_report`][invariant_nets.symmetry_report] measures the largest change and the spread, and gives a verdict.
# (`test_invariant`, `test_equivariant` and their `assert_…` forms are short names for it.) We ask it about the
# neighbors twice: first with their own group, then with all orders.

# %%
own = symmetry_report(neighbors, sets, cyclic_group(n))
full = symmetry_report(neighbors, sets)
print(own, full, sep="\n\n")

# %% [markdown] slide="theorem"
# ## Generators are enough
#
# !!! theorem "Theorem (generators)"
#     Let $g_1, \dots, g_m$ generate $G$. If $f(g_k x) = f(x)$ for all $x$ and all $k$, then $f$ is invariant to $G$.
#     If $f(g_k x) = g_k f(x)$ for all $x$ and $k$, then $f$ is equivariant to $G$. If it holds only up to an error,
#     with $\varepsilon = \max_k \sup_x \lvert f(g_k x) - f(x) \rvert$, then a product of $L$ generators has a defect
#     of at most $L \varepsilon$.
#
# *Proof.* Every element is a product of generators, since in a finite group $g^{-1}$ is a power of $g$. Let $\lVert
# \sigma \rVert = \sup_x \lvert f(\sigma x) - f(x) \rvert$. For two elements,
#
# $$ f(\sigma\tau x) - f(x) = \bigl[ f(\sigma (\tau x)) - f(\tau x) \bigr] + \bigl[ f(\tau x) - f(x) \bigr], $$
#
# hence $\lVert \sigma \tau \rVert \le \lVert \sigma \rVert + \lVert \tau \rVert$, and a product of $L$ generators has
# $\lVert \cdot \rVert \le L \varepsilon$, which is 0 if $\varepsilon$ is. For equivariance, $f(\sigma \tau x) =
# \sigma f(\tau x) = \sigma \tau f(x)$. $\blacksquare$
#
# Two generators give all of $S_n$: the exchange of the first two rows, and the shift of all. Shifts carry the
# exchange to any two neighbors, and exchanges of neighbors reach every order, as bubble sort does. So a test of a
# few generators covers a very large group:

# %%
groups = [symmetric_group(10), symmetric_group(100), pocket_cube_group()]
for group in groups:
    m = len(group.generators)
    print(f"{group.name}: {m} generators, {group.order:.1e} elements")

# %% [markdown]
# The theorem says *for all $x$*. The bound on $\sigma\tau$ uses the defect of $\sigma$ at the set $\tau x$, which is
# not in the batch. A function that treats one particular order in a special way can pass for both generators on a
# batch, and fail for their product (exercise 3 builds one). So the report also tries a few random elements of the
# group. The bound $L \varepsilon$ is sharp: exercise 5 finds a function, a set and a product that attain it.
#
# ## Rounding, a random function, or a real defect?
#
# Floating-point addition is not associative: $(a + b) + c$ and $a + (b + c)$ may differ in their last digits. So a
# network that is invariant on paper has a defect in the machine, about $10^{-7}$ of the numbers involved in float32
# and $10^{-16}$ in float64. This gives the test. Compute in float64: **rounding shrinks by about nine digits, and a
# real defect stays where it is.** The check does so by itself if the function accepts float64; `double=False` leaves
# it in the precision of the model.
#
# We try the pooled network; a perceptron behind a sort of the rows, which is invariant because all orders of a set
# have the same sorted form; and two pooled networks that leak a little of their first row. The last suspect averages
# a perceptron over ten random orders, drawn anew in each call. It cannot satisfy $f(\sigma x) = f(x)$, since it does
# not even satisfy $f(x) = f(x)$. To find such functions, the check calls each one twice on the same input.


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
    "random": lambda x: sum(flat(x[:, torch.randperm(n)]) for _ in range(10)) / 10,
}
precision = {
    name: [symmetry_report(f, sets, double=double) for double in (False, True)]
    for name, f in suspects.items()
}
for name, pair in precision.items():
    single, double = (f"{bool(r)!s:5} {r.relative_error:.0e}" for r in pair)
    note = "random" if pair[1].is_random else ""
    print(f"{name:12} float32: {single}   float64: {double}   {note}")

# %% [markdown] slide="theorem"
# The tolerance for each output is the square root of the machine epsilon times its spread, since nobody knows in
# advance by how much a network amplifies rounding. In float32 the check refuses the large leak and cannot distinguish
# the small one from rounding. In float64 the rounding is gone and the small leak is as large as before. The sorted
# network has no error at all: after the sort it does the same additions in the same order. For the random one, two
# calls on the same sets differ about as much as a permutation changes the output, and no tolerance makes it pass.
# [Symmetrization](08_symmetrization.py) derives how far such an average is from invariant.
#
# ## The other way round: which group?
#
# The permutations under which $f$ is invariant form a group, its *symmetry group*: if it contains $\sigma$ and $\tau$,
# it contains $\sigma\tau$, by the proof above. We cannot try all orders to find it, but the simplest permutations,
# the transpositions $(i\ j)$, already say a lot.
#
# !!! theorem "Theorem (blocks)"
#     Write $i \sim j$ if $i = j$ or $f$ is invariant to $(i\ j)$. This is an equivalence relation. If $B_1, \dots,
#     B_k$ are its classes, $f$ is invariant to $S_{B_1} \times \dots \times S_{B_k}$, and to no other transposition.
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
four = {"perceptron": perceptron(n, d), "neighbors": neighbors, "pooled": pooled}
four["three and seven"] = lambda x: three(x[:, :3]) - 2 * seven(x[:, 3:])
maps, found = {name: torch.zeros(n, n) for name in four}, {}
for name, f in four.items():
    for i, j in torch.combinations(torch.arange(n)).tolist():
        change = relative_rms(f, Permutation.from_cycles(n, (i, j)), many)
        maps[name][i, j] = maps[name][j, i] = change
    found[name] = (*blocks(f, sets), find_symmetry(f, sets))
for name, (parts, tried, group) in found.items():
    sizes = [len(block) for block in parts]
    print(f"{name:15} {sizes}, {tried} pairs tried; find_symmetry: {group.name}")

# %% alt="Four heat maps of the relative change under exchanging rows i and j. Perceptron and neighbors: well above zero everywhere but on the diagonal. Pooled: zero everywhere. Three and seven: zero inside the blocks of rows 0 to 2 and 3 to 9, larger between them." slide="picture"
fig, axes = plt.subplots(1, 4, figsize=(8.4, 2.6))
for ax, (name, image) in zip(axes, maps.items(), strict=True):
    shown = ax.imshow(image, vmin=0, vmax=1)
    ax.set(title=name, xticks=[0, 3, 6, 9], yticks=[0, 3, 6, 9], xlabel="row $j$")
    ax.grid(False)
axes[0].set_ylabel("row $i$")
fig.colorbar(shown, ax=axes, label="relative change", shrink=0.8)
plt.show()

# %% [markdown]
# The last picture *is* the group: the dark squares are its blocks. In the second, transpositions see nothing of the
# group, since the neighbors are invariant to no exchange of two rows. So
# [`find_symmetry`][invariant_nets.find_symmetry] tries the cyclic shifts $i \mapsto i + k$ and the reversals $i
# \mapsto c - i$ as well, and returns the group that those which pass generate.
#
# The search may find too little. Some groups have no transpositions, and not all of their elements are shifts or
# reversals (exercise 4 builds an example). If you suspect more, name the group and let the report test it. [Chapter
# 11](11_comparison.py#do-the-models-keep-their-promises) tries every group of the book on every model.
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

# Our defect is that of the report, which passes the neighbors for their own group only.
in_single = symmetry_report(neighbors, sets, double=False)
largest, spread = defect(neighbors, sets, in_single.permutation)
assert abs(largest - in_single.max_error) < 1e-4 * largest
assert abs(spread - in_single.spread) < 0.01 * spread
assert [bool(own), bool(full)] == [True, False]

# Few generators.
assert [len(group.generators) for group in groups] == [2, 2, 3]

# Float64: rounding shrinks, a real defect stays and is found.
passes = {name: [bool(r) for r in pair] for name, pair in precision.items()}
assert passes["pooled"] == passes["sorted"] == [True, True]
assert passes["leaky, 1e-7"] == [True, False]
assert passes["leaky, 1e-3"] == passes["random"] == [False, False]
assert all(report.max_error == 0 for report in precision.pop("sorted"))
ratio = {k: b.relative_error / a.relative_error for k, (a, b) in precision.items()}
assert 1e-11 < ratio["pooled"] < 1e-7
assert all(0.7 < ratio[name] < 1.4 for name in ("leaky, 1e-7", "leaky, 1e-3"))

# Random: no tolerance helps, and one call differs from another as one order from another.
random_report = precision["random"][1]
assert [name for name, (_, b) in precision.items() if b.is_random] == ["random"]
assert not symmetry_report(suspects["random"], sets, atol=1e6)
assert 0.2 < random_report.max_error / random_report.call_to_call < 5

# Pictures, blocks and groups agree.
off = ~torch.eye(n, dtype=torch.bool)
assert min(maps[name][off].min() for name in ("perceptron", "neighbors")) > 0.1
assert maps["pooled"].max() < 1e-4
inside = torch.zeros(n, n, dtype=torch.bool)
inside[:3, :3] = inside[3:, 3:] = True
assert maps["three and seven"][inside].max() < 1e-4
assert maps["three and seven"][~inside].min() > 0.05
names = [group.name for *_, group in found.values()]
assert names == ["trivial", "C_10", "S_10", "S_3 × S_7"]
assert [len(parts) for parts, *_ in found.values()] == [10, 10, 1, 2]
assert found["pooled"][1] == n - 1

# %% [markdown] slide="verdict"
# ## Summary
#
# - The defect of $f$ under $\sigma$ is the largest change that $\sigma$ makes. It means something only relative to the
#   spread of the outputs; on average over sets the relative change is $\sqrt{2 (1 - r_\sigma)}$.
# - The generators of a group are enough, if they pass for all sets. Errors of $L$ generators add up to at most $L
#   \varepsilon$, and this bound is sharp. On one batch, generators can be deceived, so a few random elements help.
# - Rounding shrinks by about nine digits in float64, and a real defect does not. A random function is not invariant,
#   whatever the tolerance.
# - Transpositions find the blocks of rows that a function treats alike, and no other part of its group.
#
# ## Where the field went
#
# [Kvinge et al. (2022)](../bibliography.md#kvinge-2022) ask what it should mean that a network is invariant, and
# propose a family of measures that do not mix invariance with accuracy. [Gruver et al.
# (2023)](../bibliography.md#gruver-2023) measure the local defect of trained networks under continuous
# transformations by a derivative. [Lu et al. (2022)](../bibliography.md#lu-2022) permute the examples in the prompt
# of a language model, whose order should not matter, and find accuracies from near the state of the art down to
# chance.
#
# The inverse question, which symmetry is there, has become a field of its own. [Benton et al.
# (2020)](../bibliography.md#benton-2020) learn a distribution over transformations together with the weights of the
# network. [Yang et al. (2023)](../bibliography.md#yang-2023) let a generator propose transformations of the data that
# a discriminator cannot distinguish from the data themselves. Both search for a symmetry of the *task*; this chapter
# searched for one of a given function, which can be queried as often as we like.
#
# ## Exercises
#
# **1.** A function of ten rows passes for a single permutation $\sigma$, for all sets. To how many permutations is it
# then invariant, at most, by the theorem on generators alone?
#
# ??? success "Solution"
#     To the powers of $\sigma$. Their number is the least common multiple of the lengths of its cycles. With ten rows
#     it is at most $\operatorname{lcm}(5, 3, 2) = 30$, far from $10!$.

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
# three truth values: (a) $e, (0\ 1)$; (b) $e, (0\ 1), (1\ 2)$; (c) $e, (0\ 1\ 2), (0\ 2\ 1)$.
#
# ??? success "Solution"
#     A symmetry group is closed under products, and (b) is not: $(0\ 1)(1\ 2)$ is missing. (a) belongs to $x_0 + x_1
#     + 2 x_2$, and (c) to $x_0 x_1^2 + x_1 x_2^2 + x_2 x_0^2$.

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
wrong_3 = [
    lambda x: lambda y: y.sum((1, 2)).round(),
    lambda x: lambda y: y[:, 0, 0],
    lambda x: lambda y: (y == x).flatten(1).all(1).float(),
]
check_3.holds(trap, wrong=wrong_3)

# %% [markdown]
# **4.** Build a function of ten rows and a group to which it is invariant, such that `find_symmetry` misses the group.
#
# ??? success "Solution"
#     A cycle of three rows is no transposition, no shift of all rows and no reversal. The sum $u_0 u_1^2 + u_1 u_2^2
#     + u_2 u_0^2$ over the first feature $u$ is invariant to it, and changes when two of these rows are exchanged.
#     The search finds the exchanges of the other seven rows only.


# %% exercise="4"
def missed():
    """Return f, from (batch, 10, d) to (batch, 1), and a group to which f is invariant."""
    ...


# %% solution="4"
def missed():
    """Return f, from (batch, 10, d) to (batch, 1), and a group to which f is invariant."""

    def f(x):
        u = x[:, :3, 0]
        return (u * u.roll(-1, 1) ** 2).sum(1, keepdim=True)

    return f, PermutationGroup([Permutation.from_cycles(10, (0, 1, 2))])


# %% check="4"
def law_4(missed):
    f, group = missed()
    assert symmetry_report(f, sets, group), "f should be invariant to the group"
    assert not group.is_subgroup(find_symmetry(f, sets)), "the search found it"


check_4 = CodeCheck("4", law_4)
check_4(missed)

# %% wrong="4"
wrong_4 = [
    lambda: (neighbors, cyclic_group(10)),
    lambda: (neighbors, symmetric_group(10)),
    lambda: (lambda x: x.mean((1, 2))[:, None], symmetric_group(10)),
]
check_4.holds(missed, wrong=wrong_4)

# %% [markdown]
# **5.** Let the weights of a mean grow a little from row to row, $f(x) = \frac1n \sum_i (1 + \delta i)\, x_i$ with
# $\lvert x_i \rvert \le 1$ and $n = 10$. Let $\varepsilon$ be the largest change of $f$ under an exchange of two
# neighbors. How many times $\varepsilon$ is the largest change when the last five rows pass the first five?
#
# ??? success "Solution"
#     An exchange of neighbors moves two entries by one place each, so $\varepsilon = 2 \delta / n$. The other order
#     moves ten entries by five places each. If the first five are $-1$ and the others 1, the changes add up to
#     $50\, \delta / n = 25\, \varepsilon$. Each of five rows passes five others, so the order is a product of $L =
#     25$ exchanges of neighbors: the bound $L \varepsilon$ is attained.

# %% exercise="5"
answer_5 = ...

# %% solution="5"
signs = torch.tensor([-1.0] * 5 + [1.0] * 5)
answer_5 = (torch.arange(10) * (signs.roll(5) - signs)).sum().abs().item() / 2

# %% check="5"
check_5 = AnswerCheck("03.5", digest="00dd1deed4e107b1")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[5, 10, 50, 100])

# %% [markdown]
# ## Sources
#
# - [Lenc and Vedaldi (2015)](../bibliography.md#lenc-2015), *Understanding Image Representations by Measuring Their
#   Equivariance and Equivalence*: an early measurement of the symmetry of given networks.
# - [Goldberg (1991)](../bibliography.md#goldberg-1991), *What Every Computer Scientist Should Know About
#   Floating-Point Arithmetic*: rounding.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: generators and blocks.
