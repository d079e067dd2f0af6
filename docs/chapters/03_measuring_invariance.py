# %% [markdown]
# # Measuring invariance
#
# A model is said to ignore the order of a set. Does it? Nobody can try all 3,628,800 orders of ten
# members, and no computer adds numbers in two orders to the same last digit. So a check must
# choose a few permutations, tolerate some error, and still be sure. This chapter says which few,
# how much error, and how sure; in the end it asks the question backwards and *finds* the group of
# a given function.

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn

from invariant_nets import (
    Permutation,
    SymmetryModel,
    build_model,
    cyclic_group,
    find_symmetry,
    intrinsic,
    mathieu_group,
    mlp,
    rubiks_cube_group,
    symmetric_group,
    symmetry_report,
)
from invariant_nets.figures import INK, table, use_book_style

use_book_style()
n, d = 10, 5
sets = torch.randn(256, n, d, generator=torch.Generator().manual_seed(0))

# %% [markdown]
# ## What a defect is
#
# The **defect** of $f$ under a permutation $\sigma$ on the sets $x^{(1)}, \dots, x^{(m)}$ is the
# largest change that $\sigma$ makes,
#
# $$ \Delta_\sigma(f) = \max_b \bigl\lvert f(\sigma x^{(b)}) - f(x^{(b)}) \bigr\rvert
#    \quad \text{(invariance)}, \qquad
#    \max_b \bigl\lvert f(\sigma x^{(b)}) - \sigma f(x^{(b)}) \bigr\rvert
#    \quad \text{(equivariance)}. $$
#
# It is zero for all $\sigma \in G$ if and only if $f$ is invariant (equivariant) to $G$ on these
# sets. The usual check compares it with a fixed number, as `torch.allclose(..., atol=5e-2)` does.
# Take perceptrons, average them over the ten cyclic shifts of the rows, and do not train them. They
# are invariant to those ten orders by construction, and to no others. Exchange the first two rows,
# on a batch of 32 sets:

# %%
swap = Permutation.from_cycles(n, (0, 1))
trials = []
for seed in range(8):
    torch.manual_seed(seed)
    cyclic = SymmetryModel(mlp(n, d), cyclic_group(n))
    with torch.no_grad():
        before, after = cyclic(sets[:32]), cyclic(swap(sets[:32]))
    defect, spread = (after - before).abs().max().item(), before.std().item()
    passes = torch.allclose(after, before, atol=5e-2)
    trials.append({"seed": seed, "passes atol = 0.05": "yes" if passes else "no"})
    trials[-1] |= {
        "defect": defect,
        "spread": spread,
        "defect / spread": defect / spread,
    }
table(trials)

# %% [markdown]
# Most of them pass, and none should. The defect is small because *everything* that these networks say is
# small: their outputs on different sets hardly differ. Exchanging two rows changes some output by
# about a standard deviation of all outputs, or by more. So the right yardstick is the spread $s$ of
# the outputs over sets, their standard deviation, and the number to look at is the **relative
# defect** $\Delta_\sigma(f) / s$. It does not change when $f$ is multiplied by a constant. And it
# has a natural scale:
#
# !!! abstract "Theorem (the scale of the relative defect)"
#     Let $x$ be random with $\sigma x \sim x$, and let $r_\sigma$ be the correlation of $f(x)$ and
#     $f(\sigma x)$. Then $f(\sigma x)$ has the standard deviation $s$ of $f(x)$, and
#
#     $$ \frac{\sqrt{\mathbb E\,(f(\sigma x) - f(x))^2}}{s} = \sqrt{2\,(1 - r_\sigma)} . $$
#
# *Proof.* Equal laws have equal means and variances, so
# $\mathbb E\,(f(\sigma x) - f(x))^2 = \operatorname{Var}(f(\sigma x) - f(x))
# = s^2 + s^2 - 2 r_\sigma s^2$. $\blacksquare$
#
# So on average 0 means invariant, and $\sqrt 2$ means that the output after the permutation tells
# nothing about the output before; a negative correlation gives up to 2. (The report takes the largest change over the sets, not the
# average one, so it can be larger than that.) The next cell holds the theorem against three
# networks.


# %%
def relative_rms(model: nn.Module, permutation: Permutation, x=sets) -> float:
    """Return the root mean square change of the output, divided by its spread."""
    with torch.no_grad():
        y, moved = model(x), model(permutation(x))
    return ((moved - y).square().mean().sqrt() / y.std()).item()


torch.manual_seed(1)
reverse = Permutation(list(range(n))[::-1])
many = torch.randn(4000, n, d, generator=torch.Generator().manual_seed(1))
scales = []
networks = {"perceptron": mlp(n, d), "cyclic": cyclic, "intrinsic": intrinsic(n, d)}
for name, model in networks.items():
    with torch.no_grad():
        pair = torch.cat((model(many), model(reverse(many))), dim=1).T
    r = torch.corrcoef(pair)[0, 1].item()
    measured, theory = (
        relative_rms(model, reverse, many),
        (2 * max(0, 1 - r)) ** 0.5,
    )
    scales.append(
        {"network": name, "correlation": r, "measured": measured, "theorem": theory}
    )
table(scales, caption="under the reversal of the rows, 4,000 sets")

# %% [markdown]
# [`symmetry_report`][invariant_nets.symmetry_report] measures all of this and says it in
# words. (`test_invariant`, `test_equivariant` and their `assert_…` forms are short names for it.)
# Here is the cyclic average once more, held to its own group, and then to all orders.

# %%
own = symmetry_report(cyclic, sets, cyclic_group(n))
full = symmetry_report(cyclic, sets)
print(own, full, sep="\n\n")

# %% [markdown]
# ## Generators are enough
#
# !!! abstract "Theorem (generators)"
#     Let $g_1, \dots, g_m$ generate $G$. If $f(g_k x) = f(x)$ for all $x$ and all $k$, then $f$ is
#     invariant to $G$. If $f(g_k x) = g_k f(x)$ for all $x$ and $k$, then $f$ is equivariant to $G$.
#     If it holds only up to an error, with
#     $\varepsilon = \max_k \sup_x \lvert f(g_k x) - f(x) \rvert$, then a product of $L$ generators
#     has a defect of at most $L \varepsilon$.
#
# *Proof.* Every element is a product of generators: in a finite group $g^{-1}$ is a power of $g$, so
# inverses need no extra mention. Let $\lVert \sigma \rVert = \sup_x \lvert f(\sigma x) - f(x)
# \rvert$. For two elements,
#
# $$ f(\sigma\tau x) - f(x) = \bigl[ f(\sigma (\tau x)) - f(\tau x) \bigr]
#    + \bigl[ f(\tau x) - f(x) \bigr], $$
#
# hence $\lVert \sigma \tau \rVert \le \lVert \sigma \rVert + \lVert \tau \rVert$, and a product of
# $L$ generators has $\lVert \cdot \rVert \le L \varepsilon$, which is 0 if $\varepsilon$ is. For
# equivariance, $f(\sigma \tau x) = \sigma f(\tau x) = \sigma \tau f(x)$. $\blacksquare$
#
# Two generators give all of $S_n$: the exchange of the first two rows, and the shift of all. Shifting
# moves the exchange to any two neighbors, and neighbors can be exchanged until every order is
# reached, as bubble sort does. So the group may be as large as it likes:

# %%
groups = [cyclic_group(10), symmetric_group(10), symmetric_group(100)]
groups += [mathieu_group(24), rubiks_cube_group()]
table(
    [
        {
            "group": group.name,
            "rows": group.degree,
            "generators": len(group.generators),
            "order": f"{group.order:,}"
            if group.order < 1e25
            else f"{group.order:.1e}",
        }
        for group in groups
    ]
)

# %% [markdown]
# Mind the words *for all $x$* in the theorem. The bound on $\sigma\tau$ uses the defect of $\sigma$ at
# the set $\tau x$, which is not in the batch. A function that treats one particular order in a
# special way can pass for both generators on a batch, and fail for their product. That is why the
# report also tries a few random elements of the group: they cost little and see orders
# that the generators do not reach in one step.
#
# How errors add up can be seen in a function that is nearly invariant: a mean whose weights grow a
# little from row to row. Exchanging neighbors makes one small error. Products of $L$ such
# exchanges make more of it, on the whole like $\sqrt L$, until all order is lost; none comes near
# the bound.

# %% alt="Largest error of products of L exchanges of neighbors against L, both axes logarithmic. The measured points climb more slowly than the straight dashed bound L times epsilon and level off below it."
weights = 1 + 0.001 * torch.arange(n, dtype=torch.float64)[:, None]
signs = sets.double().sign()  # a bounded input, on which the sup is known


def nearly(x):
    return (weights * x).mean(dim=(-2, -1))


epsilon = 2 * 0.001 / n  # neighbors of opposite signs in all features
lengths = [1, 2, 4, 8, 16, 32, 64, 128, 256]
source = torch.Generator().manual_seed(2)
largest = []
for length in lengths:
    errors = []
    for _ in range(40):
        word = Permutation.identity(n)
        for i in torch.randint(n - 1, (length,), generator=source).tolist():
            word = word @ Permutation.from_cycles(n, (i, i + 1))
        errors.append((nearly(word(signs)) - nearly(signs)).abs().max().item())
    largest.append(max(errors))
fig, ax = plt.subplots(figsize=(8, 3.2))
bounds = [length * epsilon for length in lengths]
ax.loglog(lengths, bounds, "--", color=INK, label=r"bound $L\,\varepsilon$")
ax.loglog(lengths, largest, "o-", label="largest error found")
ax.set(xlabel="exchanges of neighbors $L$", ylabel="error")
ax.legend()
plt.show()

# %% [markdown]
# ## Rounding, or a real defect?
#
# Floating-point addition is commutative and not associative: $(a + b) + c$ and $a + (b + c)$ may
# differ in their last digits, so a network that is invariant on paper has a defect in the machine. How
# large it is, the precision tells: about $10^{-7}$ of the numbers involved in float32, $10^{-16}$ in
# float64. That is the way to tell rounding from a mistake. Compute in float64: **rounding shrinks by
# nine digits, and a real defect stays where it is.** The check does so by itself wherever the
# function takes it; `double=False` leaves it in the precision in which the model came.
# Here are three networks; the last one is invariant but for a millionth of its first row.


# %%
class Leaky(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = intrinsic(n, d)

    def forward(self, x):
        return self.inner(x) + 1e-6 * x[:, 0, :1]


torch.manual_seed(2)
suspects = {
    "intrinsic": intrinsic(n, d),
    "canonical": build_model("canonical-mlp", n, d),
    "leaky": Leaky(),
}
precision = {}
for name, model in suspects.items():
    reports = [
        symmetry_report(model, sets, double=double) for double in (False, True)
    ]
    precision[name] = reports
table(
    [
        {
            "network": name,
            "in float32": f"{single.relative_error:.0e}",
            "passes": "yes" if single else "no",
            "in float64": f"{double.relative_error:.0e}",
            "passes ": "yes" if double else "no",
        }
        for name, (single, double) in precision.items()
    ],
    caption="relative defect under all orders",
)

# %% [markdown]
# In float32 all three pass, as they should: the tolerance of each output entry is the square root of
# the machine epsilon times its spread, because rounding errors grow inside a network by factors that nobody
# knows, and a smaller defect than that cannot be told from them. In float64 the leak stands out by
# many orders of magnitude. (The sorted network has no error at all: after the
# sort it does the same additions in the same order.)
#
# ## Random functions
#
# Some models answer differently each time: with dropout in training mode, or an average over
# permutations that are drawn anew. Such a function cannot satisfy $f(\sigma x) = f(x)$, since it does not
# even satisfy $f(x) = f(x)$. The check calls the model twice on the same input and says so. All
# checks run in evaluation mode, in which dropout does nothing; a sampled average stays random.

# %%
torch.manual_seed(3)
sampled = SymmetryModel(mlp(n, d), symmetric_group(n), samples=10)
random_report = symmetry_report(sampled, sets)
print(random_report)

# %% [markdown]
# The two numbers in it are of one size: what a permutation changes is what another call changes
# as well. No tolerance makes this model pass. [Symmetrization](08_symmetrization.py) says how far
# such an average is from invariant, and how slowly more draws help.
#
# ## The other way round: which group?
#
# The permutations under which $f$ is invariant form a group, its *symmetry group*: with $\sigma$ and
# $\tau$ it has $\sigma\tau$, by the theorem above. Can we find it? Not by trying all orders. But the
# simplest permutations, the transpositions $(i\ j)$, already tell a lot.
#
# !!! abstract "Theorem (blocks)"
#     Write $i \sim j$ if $i = j$ or $f$ is invariant to $(i\ j)$. This is an equivalence
#     relation. With $B_1, \dots, B_k$ its classes, $f$ is invariant to
#     $S_{B_1} \times \dots \times S_{B_k}$, and to no transposition outside of it.
#
# *Proof.* Only transitivity needs an argument: $(i\ k) = (i\ j)(j\ k)(i\ j)$ for different $i, j, k$,
# so $f$ is invariant to it. Transpositions of a block generate all its permutations. $\blacksquare$
#
# So each row need only be compared with one representative of each block: for an invariant function
# $n - 1$ transpositions suffice, not $n(n-1)/2$. The pictures show the relative defect under every
# $(i\ j)$ for four networks: a perceptron; its cyclic average; a network that
# treats the first three rows apart from the other seven; an intrinsic network.


# %% alt="Four heat maps of the relative defect under exchanging rows i and j. Perceptron: large everywhere but on the diagonal. Cyclic average: large too, in stripes along the diagonals. Three and seven: zero inside the blocks of rows 0 to 2 and 3 to 9, large between them. Intrinsic: zero everywhere."
class ThreeAndSeven(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.rest = intrinsic(3, d), intrinsic(7, d)

    def forward(self, x):
        return self.first(x[:, :3]) - 2 * self.rest(x[:, 3:])


torch.manual_seed(4)
four = {
    "perceptron": mlp(n, d),
    "cyclic average": cyclic,
    "three and seven": ThreeAndSeven(),
    "intrinsic": intrinsic(n, d),
}
maps = {name: torch.zeros(n, n) for name in four}
fig, axes = plt.subplots(1, 4, figsize=(8.4, 2.6))
for ax, (name, model) in zip(axes, four.items(), strict=True):
    for i in range(n):
        for j in range(i):
            exchange = Permutation.from_cycles(n, (i, j))
            maps[name][i, j] = maps[name][j, i] = relative_rms(model, exchange)
    image = ax.imshow(maps[name], vmin=0, vmax=1.2)
    ax.set(title=name, xticks=[0, 3, 6, 9], yticks=[0, 3, 6, 9], xlabel="row $j$")
    ax.grid(False)
axes[0].set_ylabel("row $i$")
fig.colorbar(image, ax=axes, label="relative defect", shrink=0.8)
plt.show()

# %% [markdown]
# The third picture *is* the group: the dark squares are its blocks. The second one shows what
# transpositions cannot see. The cyclic average is invariant to no exchange of two rows; only the
# stripes (the defect depends on $i - j$ alone, up to the noise of the sample) betray that it has a
# symmetry of another kind. So [`find_symmetry`][invariant_nets.find_symmetry] tries
# the cyclic shifts $i \mapsto i + k$ and the reversals $i \mapsto c - i$ as well, and returns the
# group that all those which pass generate.

# %%
found = {name: find_symmetry(model, sets) for name, model in four.items()}
table(
    [
        {"network": name, "found": group.name, "order": group.order}
        for name, group in found.items()
    ]
)

# %% [markdown]
# ### What the search cannot see
#
# It claims no symmetry that it did not find, but it may find too little. Groups exist without
# transpositions, and not all of their elements are shifts. Average a network over Mathieu's group
# $M_{11}$, which permutes eleven rows: any four of them can be brought to any four places, and yet it
# is a tiny part of $S_{11}$. The search sees only the cycle of eleven that is one of its
# generators. If you suspect more, name the group and hold the function to it.

# %%
torch.manual_seed(5)
m11 = mathieu_group(11)
averaged = SymmetryModel(mlp(11, 2), m11)
eleven = torch.randn(8, 11, 2, generator=torch.Generator().manual_seed(6))
seen = find_symmetry(averaged, eleven)
print(f"found: {seen.name}, {seen.order} elements")
mathieu_report = symmetry_report(averaged, eleven, m11)
print(f"{m11.name}, {m11.order:,} elements: {bool(mathieu_report)}")

# %% [markdown]
# [Chapter 11](11_comparison.py#do-the-models-keep-their-promises) tries every group of the book on every model.
#
# ## In your own tests
#
# The package brings a pytest plugin, so that a claim of symmetry becomes a test in a line. The marker
# `groups` runs the test once for each group; without it, the group is $S_n$.
#
# ```python
# import pytest, torch
# from invariant_nets import cyclic_group, symmetric_group
#
# @pytest.mark.groups(symmetric_group(10), cyclic_group(10))
# def test_my_model(assert_invariant):
#     assert_invariant(MyModel(), torch.randn(64, 10, 5))
# ```
#
# ## Check the claims

# %%
# A fixed tolerance passes the cyclic average; relative to the spread its defect is large.
assert sum(trial["passes atol = 0.05"] == "yes" for trial in trials) >= 5
assert min(trial["defect / spread"] for trial in trials) > 0.8
assert own
assert not full
assert full.relative_error > 0.5

# The theorem on the scale, and its two ends.
for row in scales:
    assert abs(row["measured"] - row["theorem"]) < 0.05
assert scales[0]["measured"] > 1
assert scales[-1]["measured"] < 1e-3

# Two generators for S_n of any size; errors stay below the bound, and far below for long words.
assert all(len(group.generators) <= 6 for group in groups)
assert len(symmetric_group(100).generators) == 2
assert all(
    error <= bound + 1e-15 for error, bound in zip(largest, bounds, strict=True)
)
assert largest[-1] < bounds[-1] / 20
assert largest[-1] > largest[0]

# Float64: rounding shrinks, a real defect stays and is found.
single, double = precision["intrinsic"]
assert single
assert double
assert double.relative_error < 1e-6 * single.relative_error
assert [bool(report) for report in precision["leaky"]] == [True, False]
assert precision["leaky"][1].relative_error > 1e4 * double.relative_error
assert (
    precision["canonical"][0].max_error == precision["canonical"][1].max_error == 0
)

# Random: no tolerance helps, and one call differs from another as one order from another.
assert random_report.is_random
assert not symmetry_report(sampled, sets, atol=1e6)
assert 0.2 < random_report.max_error / random_report.call_to_call < 5

# Pictures and groups agree.
off = ~torch.eye(n, dtype=torch.bool)
assert maps["perceptron"][off].min() > 0.1
assert maps["cyclic average"][off].min() > 0.1
assert maps["intrinsic"].max() < 1e-4
blocks = torch.zeros(n, n, dtype=torch.bool)
blocks[:3, :3] = blocks[3:, 3:] = True
assert maps["three and seven"][blocks].max() < 1e-4
assert maps["three and seven"][~blocks].min() > 0.05
distance = (torch.arange(n)[:, None] - torch.arange(n)) % n
for k in range(1, n):
    stripe = maps["cyclic average"][distance == k]
    assert stripe.std() / stripe.mean() < 0.2
names = {name: group.name for name, group in found.items()}
assert list(names.values()) == ["trivial", "C_10", "S_3 × S_7", "S_10"]

# The search misses M_11, the report confirms it.
assert (seen.name, seen.order) == ("C_11", 11)
assert mathieu_report
assert seen.is_subgroup(m11)

# %% [markdown]
# ## Exercises
#
# **1.** Which single permutation would you try first to refute invariance to $S_n$, and
# why does passing for it alone prove nothing?
#
# ??? success "Solution"
#     Any one that moves many rows is likely to show a defect, for instance a random one. But a single
#     permutation generates a cyclic group, its powers, and that is never all of $S_n$ for
#     $n \ge 3$: a function averaged over these powers passes.
#
# **2.** Show that the permutations under which a function $f$ is *equivariant* form a group too, and
# that the theorem on blocks holds for them.
#
# ??? success "Solution"
#     If $f(\sigma x) = \sigma f(x)$ and $f(\tau x) = \tau f(x)$ for all $x$, then
#     $f(\sigma\tau x) = \sigma f(\tau x) = \sigma\tau f(x)$; a finite set of permutations that is
#     closed under products is a group. The proof of the theorem used only that the permutations
#     which pass are closed under products.
#
# **3.** Build a function that passes for both generators of $S_{10}$ on one given set $x$ and is
# nevertheless not invariant. Does `symmetry_report` find it out?
#
# ??? success "Solution"
#     Let $f$ be 1 on $x$, on $g_1 x$ and on $g_2 x$, and 0 elsewhere. The generators move $x$ to sets
#     where $f$ is 1 as well; other elements do not. The cell below tries it: the random elements
#     find it out.
#
# **4.** A sampled average is random, but is it invariant *on average*? Design a check for a single
# permutation $\sigma$, with an honest error bar.
#
# ??? success "Solution"
#     Call the model many times on $x$ and on $\sigma x$ for one set $x$, independently. Compare
#     the two means with the standard error of their difference. If the means agree within a few standard
#     errors, no bias was found, and the standard error says how small a bias would have been.
#     The calls must be the sample, not the sets of one batch: all sets of a batch share the draws of
#     a call.

# %% fold="Solution of exercise 3, in code"
one = sets[:1]
special = [one, *(g(one) for g in symmetric_group(n).generators)]


def one_at_three_places(x):
    hits = [(x == place).flatten(1).all(1) for place in special]
    return torch.stack(hits).any(0).float()


trick = symmetry_report(one_at_three_places, one)
print(trick)
assert not trick

# %% fold="Solution of exercise 4, in code"
calls = 400
with torch.no_grad():
    still = torch.stack([sampled(sets[:1])[0, 0] for _ in range(calls)])
    moved = torch.stack([sampled(reverse(sets[:1]))[0, 0] for _ in range(calls)])
difference = (moved.mean() - still.mean()).item()
error_bar = ((moved.var() + still.var()) / calls).sqrt().item()
print(f"difference of the means {difference:.4f} ± {error_bar:.4f}")
print(f"one call to another     {still.std().item() * 2**0.5:.4f}")
assert abs(difference) < 5 * error_bar

# %% [markdown]
# ## Sources
#
# - [Lenc and Vedaldi (2015)](../bibliography.md#lenc-2015), *Understanding Image Representations by
#   Measuring Their Equivariance and Equivalence*: to measure a symmetry of a given network instead of
#   assuming it.
# - [Gruver et al. (2023)](../bibliography.md#gruver-2023), *The Lie Derivative for Measuring Learned
#   Equivariance*: the same for continuous transformations, by a derivative.
# - [Goldberg (1991)](../bibliography.md#goldberg-1991), *What Every Computer Scientist Should Know
#   About Floating-Point Arithmetic*: rounding.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: generators,
#   blocks, Mathieu's groups.
