# %% [markdown] slide="question"
# # $S_n \times S_d$: rows and columns
#
# !!! abstract "What you will be able to do"
#     - say which symmetries the data have, and what they imply for the best classifier;
#     - derive all linear maps that commute with orders of rows and of columns, and build the layer from them;
#     - split a matrix into the four parts on which the layer acts, as an analysis of variance does;
#     - climb to larger groups, and recognize a group that is too large.
#
# So far the rows of a set came in no order, and the columns in one. But in the running task all entries are drawn
# alike, so the columns have no order either. May a network use that? Which linear layers respect both?

# %%
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap

from invariant_nets import direct_product, symmetric_group
from invariant_nets.checks import test_equivariant
from invariant_nets.comparison import GaussianTask, ModelSpec, SetsTask, compare
from invariant_nets.data import LabeledSets
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import INK, PALETTE, table, use_book_style
from invariant_nets.layers import ExchangeableEquivariant
from invariant_nets.networks import entrywise, exchangeable_matrix

use_book_style()
n, d = 10, 5

# %% [markdown] slide="theorem"
# ## Which symmetry do the data have?
#
# !!! theorem "Theorem (symmetry of the posterior)"
#     Let a group $G$ act on sets so that the distribution under every label is preserved,
#     $p(g \cdot x \mid y) = p(x \mid y)$ for all $g \in G$. Then
#
#     $$ \Pr(y \mid g \cdot x) = \Pr(y \mid x) \qquad \text{for all } g \in G . $$
#
#     So the best classifier is $G$-invariant, and a search among $G$-invariant classifiers alone loses nothing.
#
# *Proof.* By Bayes' rule
#
# $$ \Pr(y \mid g \cdot x)
#    = \frac{p(g \cdot x \mid y)\, \Pr(y)}{\sum_{y'} p(g \cdot x \mid y')\, \Pr(y')} , $$
#
# and $g$ may be taken away in every term. The best classifier
# [compares this posterior with one half](02_task.py#the-limit), so it says the same of $x$ and of $g \cdot x$.
# $\blacksquare$
#
# Now permute the rows of $x \in \mathbb R^{n \times d}$ by $\sigma \in S_n$ and its columns by $\tau \in S_d$, and
# write $(\sigma x \tau)_{ij} = x_{\sigma(i)\,\tau(j)}$. The entries of our sets are independent, from
# $\mathcal N(0, v)$ with $v = v_1$ or $v = v_2$, so the density is a product over entries,
#
# $$ p_v(\sigma x \tau) = \prod_{i,j} \phi_v \bigl( x_{\sigma(i)\,\tau(j)} \bigr)
#    = \prod_{i,j} \phi_v (x_{ij}) = p_v(x), \qquad
#    \phi_v(u) = \frac{e^{-u^2/2v}}{\sqrt{2\pi v}} , $$
#
# because $(i, j) \mapsto (\sigma(i), \tau(j))$ only changes the order of the factors. So the theorem holds for all
# $\sigma \in S_n$ and $\tau \in S_d$.
#
# The pairs $(\sigma, \tau)$ form the direct product $S_n \times S_d$. For our sizes it has $d!$ times as many elements
# as $S_n$. All this is a statement about the *data*. Where the columns mean height and weight, their order matters, and
# $S_n$ is all that is left.
#
# ## Four maps are all there is
#
# Which linear maps $L$ from matrices to matrices commute with this group? Write
# $L(x)_{ij} = \sum_{k,l} L_{ij,kl}\, x_{kl}$.
#
# !!! theorem "Theorem (equivariant linear maps of matrices)"
#     For $n, d \ge 2$, $L(\sigma x \tau) = \sigma L(x) \tau$ holds for all $\sigma, \tau$ if and only if
#
#     $$ L(x)_{ij} = a\, x_{ij} + b\, \operatorname*{mean}_{j'} x_{ij'}
#        + c\, \operatorname*{mean}_{i'} x_{i'j} + e\, \operatorname*{mean}_{i',j'} x_{i'j'} $$
#
#     with four real numbers. A linear functional is invariant if and only if it is a multiple of the mean of all
#     entries, and an equivariant affine map adds one more constant.
#
# *Proof.* As [for one axis](04_averaged_layer.py#one-feature-two-matrices-are-all-there-is), equivariance says that
# $L_{ij,kl} = L_{\sigma(i)\tau(j),\,\sigma(k)\tau(l)}$: the coefficients are constant on the orbits of the group on
# *pairs of entries*. The permutation $\sigma$ sees the row indices $(i, k)$ only, and there are two kinds of them,
# $i = k$ and $i \ne k$; within a kind $\sigma$ can take any pair to any other. In the same way $\tau$ knows $j = l$ and
# $j \ne l$ only. We choose $\sigma$ and $\tau$ independently, so each case for rows combines with each case for
# columns, and there are $2 \cdot 2$ orbits: two entries are the same, share their row, share their column, or share
# neither.
#
# The four maps give every choice of values on the four orbits exactly once, because a pair of entries takes part in
# every mean that holds both: the coefficient is $e/nd$ for two that share neither, $b/d + e/nd$ for two in a row,
# $c/n + e/nd$ for two in a column, and $a + b/d + c/n + e/nd$ for an entry and itself. The entries themselves are one
# orbit, which settles functionals and constants. $\blacksquare$
#
# In one line: the maps are the products of one of the [two maps on the rows](04_averaged_layer.py), $I$ or
# $\frac1n \mathbf 1 \mathbf 1^\top$, with one of the two on the columns. The package finds the orbits from the
# generators of the group, and the average of a random matrix over all elements of the group confirms them: four numbers
# survive.

# %%
rows, columns = 4, 3
small = direct_product(symmetric_group(rows), symmetric_group(columns), on="grid")
orbit_of_pair = small.orbitals()  # (12, 12): which orbit a pair of entries is in

source = torch.Generator().manual_seed(0)
matrix = torch.randn(12, 12, generator=source, dtype=torch.float64)
moved = [matrix[g.index_tensor][:, g.index_tensor] for g in small]
averaged = torch.stack(moved).mean(0)
kinds = ("the same entry", "in one row", "in one column", "neither")
survivors = [averaged[orbit_of_pair == orbit] for orbit in range(4)]
table(
    [
        {
            "two entries are": kind,
            "pairs": len(values),
            "averaged weight": values.mean().item(),
            "its spread": (values.max() - values.min()).item(),
        }
        for kind, values in zip(kinds, survivors, strict=True)
    ],
    caption=f"A random 12 × 12 matrix, averaged over the {small.order} pairs (σ, τ).",
)

# %% [markdown]
# This is the pattern in which the layer shares its weights. On the left is the 12 × 12 matrix, its entries taken row
# after row; on the right is how one output sees the matrix from where it stands.

# %% moves="four-maps" alt="Left: the 12 by 12 matrix of a layer for 4 by 3 matrices, in four colors. Its 3 by 3 blocks on the diagonal show the same entry on their diagonal and entries in one row beside it; all other blocks show entries in one column on their diagonal and neither beside it. Right: the 4 by 3 matrix seen from one entry, in the same colors, its row and its column crossing at the entry." slide="picture"
colors = ListedColormap([PALETTE[k] for k in (1, 0, 2, 5)])
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 4), width_ratios=(12, 5))
seen = orbit_of_pair[4].view(rows, columns)
for ax, image in ((left, orbit_of_pair), (right, seen)):
    height, width = image.shape
    ax.pcolormesh(image, cmap=colors, vmin=0, vmax=3, edgecolor=INK, lw=0.4)
    ax.set(aspect="equal", xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    ax.grid(False)
for cut in range(columns, 12, columns):
    left.axhline(cut, color=INK, lw=2)
    left.axvline(cut, color=INK, lw=2)
left.set(xlabel="input entry $(k, l)$", ylabel="output entry $(i, j)$")
right.set(xlabel="seen from $(2, 2)$")
handles = [plt.Rectangle((0, 0), 1, 1, color=colors(k)) for k in range(4)]
fig.legend(handles, kinds, loc="outside upper center", ncols=4, columnspacing=1)
plt.show()

# %% [markdown]
# ## The layer
#
# If every entry carries several features, each of the four numbers becomes a matrix, $A$, $B$, $C$ or $D$, from the
# features that come in to those that go out. The constant becomes a vector $b$:
#
# $$ y_{ij} = x_{ij} A + \operatorname*{mean}_{j'} x_{ij'}\, B
#    + \operatorname*{mean}_{i'} x_{i'j}\, C + \operatorname*{mean}_{i'j'} x_{i'j'}\, D + b . $$
#
# No weight depends on $n$ or $d$, so the same layer takes matrices of every size.


# %%
def four_terms(layer, x):
    A, B, C, D = layer.weight
    row, column, grand = (x.mean(axes, keepdim=True) for axes in (2, 1, (1, 2)))
    return x @ A + row @ B + column @ C + grand @ D + layer.bias


torch.manual_seed(0)
layer = ExchangeableEquivariant(3, 8)
x = torch.randn(64, n, d, 3)
difference = (layer(x) - four_terms(layer, x)).abs().max().item()
print(f"largest difference {difference:.1e}")

# %% [markdown]
# [`ExchangeableEquivariant`][invariant_nets.ExchangeableEquivariant] computes the same. We check it as in
# [chapter 3](03_measuring_invariance.py), with $S_n \times S_d$ on the grid of entries. The check can fail: it refuses
# a layer that adds the first column everywhere.

# %%
grid = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
one_feature = ExchangeableEquivariant(1, 8)
probe = torch.randn(256, n, d, generator=torch.Generator().manual_seed(1))
holds = test_equivariant(lambda x: one_feature(x[..., None]), probe, grid)
fails = test_equivariant(
    lambda x: one_feature(x[..., None]) + x[:, :, :1, None], probe, grid
)
print(holds)

# %% [markdown]
# ## What the layer can do to a matrix
#
# The $S_n$ layer acts on the mean of a set by one matrix and on the deviations by another. Here there are four parts.
# With the grand mean $m$, split a matrix as an analysis of variance does,
#
# $$ x_{ij} = \underbrace{m}_{\text{grand mean}}
#    + \underbrace{(\bar x_{i\cdot} - m)}_{\text{rows}}
#    + \underbrace{(\bar x_{\cdot j} - m)}_{\text{columns}}
#    + \underbrace{(x_{ij} - \bar x_{i\cdot} - \bar x_{\cdot j} + m)}_{\text{rest}} . $$
#
# The rest has mean zero in every row and column, so only $A$ passes it on. The row effect passes through the entry term
# ($A$) and the row-mean term ($B$): it is multiplied by $A + B$. Likewise the column effect is multiplied by $A + C$,
# and the grand mean by $A + B + C + D$.
#
# Can an equivariant map do anything else? Each part is the image of $x$ under a projection. The four projections are
# equivariant, and they are linearly independent, because each leaves one part as it is and maps the others to zero. The
# theorem says that the equivariant maps have dimension 4. So the projections span them: **an equivariant linear map
# multiplies each part by a number of its own, and nothing else.** (Schur's lemma says the same for any group whose
# parts are irreducible and pairwise inequivalent; here the dimension is enough.)


# %%
def parts(x):
    """Split (batch, n, d, features) into grand mean, rows, columns and rest."""
    grand = x.mean((1, 2), keepdim=True)
    of_rows, of_columns = x.mean(2, keepdim=True), x.mean(1, keepdim=True)
    rest = x - of_rows - of_columns + grand
    split = grand, of_rows - grand, of_columns - grand, rest
    return [part.expand_as(x) for part in split]


example = torch.randn(1, rows, columns, 1, generator=source) + 0.5

# %% alt="A 4 by 3 matrix of colors equals the sum of four: a constant, one whose rows are constant, one whose columns are constant, and a rest. Below each stands the matrix of weights that acts on it: A + B + C + D, A + B, A + C, and A." slide="picture"
images = [example, *parts(example)]
titles = ("$x$", "grand mean", "rows", "columns", "rest")
weights_on = ("", "$A + B + C + D$", "$A + B$", "$A + C$", "$A$")
fig, axes = plt.subplots(1, 5, figsize=(8, 2.9))
for ax, image, title, weight in zip(axes, images, titles, weights_on, strict=True):
    ax.pcolormesh(image[0, ..., 0], cmap="coolwarm", vmin=-2, vmax=2)
    ax.set(title=title, xlabel=weight, aspect="equal", xticks=[], yticks=[])
    ax.invert_yaxis()
    ax.grid(False)
for ax, sign in zip(axes, ("=", "+", "+", "+"), strict=False):
    ax.text(
        1.14, 0.5, sign, transform=ax.transAxes, ha="center", va="center", size=14
    )
plt.show()

# %%
A, B, C, D = layer.weight
acting = (A + B + C + D, A + B, A + C, A)
term_by_term = [part @ m for part, m in zip(parts(x), acting, strict=True)]
part_error = (layer(x) - layer.bias - sum(term_by_term)).abs().max().item()
print(f"largest difference {part_error:.1e}")

# %% [markdown] slide="theorem"
# The initialization uses the same split: each of the four sums is a random semi-orthogonal matrix of its own.
#
# A network of these layers treats every entry as a point with one feature. Layers and ReLUs follow in turn, and then
# the mean over all entries, the only linear invariant. The package builds it as
# [`exchangeable_matrix(n, d)`][invariant_nets.exchangeable_matrix].
#
# ## Larger still
#
# The derivation used only that a permutation of the entries reorders the factors of a product. So *every* permutation
# of the $nd$ entries preserves the distributions, and $S_{nd}$ acts. And since $\phi_v$ is a Gaussian, the density
# depends on $x$ through $T = \sum_{ij} x_{ij}^2$ alone, which every rotation of $\mathbb R^{nd}$ preserves. So the
# orthogonal group $O(nd)$ acts:
#
# $$ S_n \subset S_n \times S_d \subset S_{nd} \subset O(nd) . $$
#
# A $G$-invariant function can depend only on the *orbit* of $x$, the set of all $g \cdot x$. The larger the group, the
# larger and the fewer the orbits, and the fewer functions are left to choose from.
#
# | Group | Forgets | An orbit is known by |
# |---|---|---|
# | $S_n$ | which row is which | the multiset of rows |
# | $S_n \times S_d$ | also which column is which | the matrix, up to orders of rows and columns |
# | $S_{nd}$ | also which entries share a row or a column | the multiset of entries |
# | $O(nd)$ | also the direction of $x$ | the number $T$ |
#
# !!! theorem "Proposition (the end of the climb)"
#     If the posterior is invariant to a group, every orbit lies in one level set of the posterior. The orbits of
#     $O(nd)$ *are* the level sets. So no group that leaves the posterior alone has larger orbits.
#
# *Proof.* If $x' = g \cdot x$ then $\Pr(y \mid x') = \Pr(y \mid x)$, which is the first claim. The
# [log-odds](02_task.py#the-limit) are $\frac12 (1/v_1 - 1/v_2)(T - t)$, strictly monotone in $T$, so the level sets are
# the spheres $T = \text{const}$; and $O(nd)$ takes every point of a sphere to every other. $\blacksquare$
#
# For the two larger groups the package has [`entrywise`][invariant_nets.entrywise], the $S_n$ network on the entries as
# one set of $nd$ members, and [`radial`][invariant_nets.radial], the logistic regression on $T$ of
# [chapter 2](02_task.py#a-first-training). [Chapter 11](11_comparison.py#do-the-models-keep-their-promises) tests every
# network of the chain under every group.
#
# ## A group may be too large
#
# On the running task every group of the chain holds, and one may expect the largest network to be the best. Is the
# $S_{nd}$ network better than that of $S_n \times S_d$? It lacks $B$ and $C$, so at the same width it has fewer
# weights. The third network is the control for that: $S_{nd}$ again, but wider.

# %%
task = GaussianTask(train_sets=1_920, validation_sets=1_000, test_sets=10_000)
rivals = {
    "S_n × S_d": exchangeable_matrix,
    "S_{nd}": entrywise,
    "S_{nd}, wider": lambda n, d: entrywise(n, d, hidden=(19, 19)),
}
specs = {k: ModelSpec(b, "layers", k, 6) for k, b in rivals.items()}
budget = {"epochs": 6, "batch_size": 64, "schedule": "cosine", "seeds": 5}
comparison = compare(specs, task, lr=[1e-2, 3e-2], **budget)
behind = [comparison[k].behind(comparison["S_n × S_d"]) for k in list(specs)[1:]]
comparison.table(["model", "score", "behind", "lr", "weights"], formulas=False)

# %% [markdown]
# The larger group gains nothing that five seeds resolve. At the same width, with fewer weights, it may be a little
# behind; with as many weights it is level. This does not contradict the theorem, which speaks of the best classifier,
# and all come within 1.5 points of the limit. [Chapter 11](11_comparison.py#what-symmetry-is-worth) compares the groups
# on limited data.
#
# Here is a task on which the larger group does not hold. Half of the scales are $s = 2$, half are $s = \frac12$, and
# $x_{ij} = s_{ij} z_{ij}$ with independent standard normal $z_{ij}$. Under label 1 five whole rows have the large
# scale; under label 0 the large scales are at random places. Under both labels the *multiset* of entries consists of 25
# draws from $\mathcal N(0, 4)$ and 25 from $\mathcal N(0, \frac14)$. An $S_{nd}$-invariant function depends on the
# multiset alone, so it has the same distribution under both labels, and is right half of the time. Permuted rows and
# columns keep the scales of a row together, so $S_n \times S_d$ holds. We train both networks, with three seeds and on
# sets of our own.


# %%
def placed_scales(count, generator):
    """Draw sets whose large scales fill rows (label 1), or lie anywhere (label 0)."""
    y = torch.randint(2, (count, 1), generator=generator).float()
    places = torch.rand(count, n * d, generator=generator).argsort(1).view(-1, n, d)
    full_rows = torch.rand(count, n, 1, generator=generator).argsort(1) * d
    large = torch.where(y[..., None] > 0.5, full_rows, places) < n * d // 2
    z = torch.randn(count, n, d, generator=generator)
    return torch.where(large, 2.0, 0.5) * z, y


x_and_y = placed_scales(14_000, torch.Generator().manual_seed(4))
placed = SetsTask(LabeledSets(*x_and_y))
two = {name: specs[name] for name in ("S_{nd}", "S_n × S_d")}
blind = compare(two, placed, epochs=2, batch_size=128, lr=[3e-3, 1e-2])
blind.table(["model", "score", "lr"], formulas=False)

# %% [markdown]
# The network of the group that is too large guesses, as the argument says, and no training repairs that. So take the
# largest group that you believe the *data* to have, and do not expect more from a larger one.
#
# ## Check the claims

# %%
# Four numbers survive the average over the group; one orbit has one weight.
assert orbit_of_pair.flatten().bincount().tolist() == [12, 24, 36, 72]
assert all((values - values[0]).abs().max() < 1e-12 for values in survivors)
assert len({round(values[0].item(), 6) for values in survivors}) == 4
# The layer is its formula, part by part, and equivariant; the check can fail.
assert max(difference, part_error) < 1e-5
assert holds
assert not fails
# Each of the four sums starts semi-orthogonal.
for matrix in acting:
    gram = matrix @ matrix.T
    assert torch.allclose(gram, gram[0, 0] * torch.eye(3), atol=1e-5)
# The projections are equivariant and independent: each leaves its own part alone.
for k, part in enumerate(parts(x)):
    for j, again in enumerate(parts(part)):
        target = part if j == k else torch.zeros_like(part)
        assert torch.allclose(again, target, atol=1e-5)
p, q = torch.randperm(n), torch.randperm(d)
for part, moved in zip(parts(x), parts(x[:, p][:, :, q]), strict=True):
    assert torch.allclose(moved, part[:, p][:, :, q], atol=1e-5)
# S_nd gains nothing over S_n × S_d, with fewer weights or with more; all are near the limit.
assert all(-3 * error < gap < 0.01 for gap, error in behind)
assert all(-0.005 < comparison[name].gap < 0.015 for name in specs)
narrow, wider = (comparison[name].weights for name in list(specs)[1:])
assert narrow < comparison["S_n × S_d"].weights < wider
# A group that is too large: nothing can be learned.
assert all(abs(score - 0.5) < 0.03 for score in blind["S_{nd}"].scores)
assert min(blind["S_n × S_d"].scores) > 0.8

# %% [markdown] slide="verdict"
# ## Summary
#
# - If a group preserves the distribution under every label, the posterior is invariant to it, and a search among
#   invariant classifiers loses nothing.
# - Four linear maps commute with orders of rows and columns: the entry, and the means of its row, its column and all
#   entries. Each comes from one orbit of pairs of entries.
# - The layer multiplies the four parts of an analysis of variance by a matrix each.
# - Here $S_n \subset S_n \times S_d \subset S_{nd} \subset O(nd)$ all hold, and $O(nd)$ is the end of the climb.
# - A larger group need not be better, and one that does not hold makes a network blind.
#
# ## Where the field went
#
# [Bloem-Reddy and Teh (2020)](../bibliography.md#bloem-reddy-2020) turn the first theorem around: from the symmetry of
# a distribution they derive the form of all invariant and equivariant networks, also for arrays with exchangeable rows
# and columns. What if a symmetry holds only nearly, or not at all?
# [Petrache and Trivedi (2023)](../bibliography.md#petrache-2023) bound what a network loses when its symmetry is not
# that of the data, against what it gains in generalization. [Finzi et al. (2021)](../bibliography.md#finzi-2021) leave
# the choice to the data: beside each equivariant layer they put a free one, with a prior that prefers the first.
#
# ## Exercises
#
# **1.** Relations among users, items and days are a block $x \in \mathbb R^{n \times d \times m}$. How many linear maps
# commute with $S_n \times S_d \times S_m$, all sizes at least 2? And how many remain for a matrix with a single column?
#
# ??? success "Solution"
#     Each axis sees whether two indices are equal, so there are $2^3 = 8$ orbits. With a single column $j = l$ always,
#     and $2 \cdot 1$ orbits are left: the layer is the $S_n$ layer, with $A + B$ and $C + D$ for its two matrices.

# %% exercise="1"
answer_1 = ...  # two numbers: [of the block, of the single column]

# %% solution="1"
blocks = direct_product(*map(symmetric_group, (3, 4, 2)), on="grid")
single = direct_product(symmetric_group(5), symmetric_group(1), on="grid")
answer_1 = [int(group.orbitals().max()) + 1 for group in (blocks, single)]

# %% check="1"
check_1 = AnswerCheck("6.1", digest="8ea25ed3b3e28046")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[[6, 2], [8, 4], [8, 1], [9, 2]])

# %% [markdown]
# **2.** Write the map of the theorem as an $nd \times nd$ matrix that acts on the entries, taken row after row.
#
# ??? success "Solution"
#     Each of the four maps is a Kronecker product of one map on the rows, $I$ or $\frac1n \mathbf 1 \mathbf 1^\top$,
#     with one on the columns.


# %% exercise="2"
def matrix_of(a, b, c, e, n, d): ...


# %% solution="2"
def matrix_of(a, b, c, e, n, d):
    one, mean = torch.eye, lambda size: torch.ones(size, size) / size
    of_row = torch.kron(one(n), a * one(d) + b * mean(d))
    return of_row + torch.kron(mean(n), c * one(d) + e * mean(d))


# %% check="2"
def law_2(matrix_of):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    matrix = matrix_of(1.0, 2.0, -3.0, 5.0, 4, 3)
    y = x + 2 * x.mean(1, keepdim=True) - 3 * x.mean(0) + 5 * x.mean()
    found = (matrix.float() @ x.flatten()).view(4, 3)
    assert torch.allclose(found, y, atol=1e-5), "it is not the map of the theorem"


check_2 = CodeCheck("2", law_2)
check_2(matrix_of)

# %% wrong="2"
swapped = [
    lambda a, b, c, e, n, d: matrix_of(a, c, b, e, n, d),  # rows for columns
    lambda a, b, c, e, n, d: matrix_of(a, b, c, e, d, n),
    lambda a, b, c, e, n, d: matrix_of(a, b * d, c * n, e * n * d, n, d),  # sums
]
check_2.holds(matrix_of, wrong=[*swapped, lambda a, *rest: a * torch.eye(12)])

# %% [markdown]
# **3.** With $(a, b, c, e) = (1, 2, 3, 4)$ and $n = 4$, $d = 3$: what are the eigenvalues of that matrix, from the
# smallest to the largest, and how often does each occur?
#
# ??? success "Solution"
#     The rest is multiplied by $a = 1$ and has dimension $(n-1)(d-1) = 6$; the rows by $a + b = 3$, dimension
#     $n - 1 = 3$; the columns by $a + c = 4$, dimension $d - 1 = 2$; the grand mean by 10, once.

# %% exercise="3"
answer_3 = ...  # as [[eigenvalue, how often], …]

# %% solution="3"
answer_3 = [[1, 6], [3, 3], [4, 2], [10, 1]]
values = torch.linalg.eigvals(matrix_of(1, 2, 3, 4, 4, 3)).real.round()
assert torch.stack(values.unique(return_counts=True), 1).tolist() == answer_3

# %% check="3"
check_3 = AnswerCheck("6.3", digest="506ff79651b074b3")
check_3(answer_3)

# %% wrong="3"
pairs = [[[1, 6], [3, 2], [4, 3], [10, 1]], [[1, 12], [3, 4], [4, 3], [10, 1]]]
check_3.holds(answer_3, wrong=[*pairs, [1, 3, 4, 10]])

# %% [markdown]
# **4.** Let each member of a set have a symmetry group $H$ of its own, which acts on all members alike. The maps that
# are equivariant to $S_n \times H$ ([Maron et al., 2020](../bibliography.md#maron-2020)) are one $H$-equivariant map on
# each member, and another on their mean:
#
# $$ L(x)_i = L_1(x_i) + L_2\Bigl(\operatorname*{mean}_{i'} x_{i'}\Bigr) . $$
#
# For $H = S_d$ these are our layers: $L_1$ holds $A$ and $B$, $L_2$ holds $C$ and $D$. Build the layer for $H = C_d$,
# sets of cyclic signals: two circular convolutions, with kernels $u$ and $w$ of length $d$.
#
# ??? success "Solution"
#     Convolve by a product of Fourier transforms. [`SymmetricElements`][invariant_nets.SymmetricElements] takes any two
#     layers for $L_1$ and $L_2$.


# %% exercise="4"
def cyclic_layer(x, u, w): ...  # x is (batch, n, d); u and w are (d,)


# %% solution="4"
def cyclic_layer(x, u, w):
    f = torch.fft.fft
    mean = x.mean(1, keepdim=True)
    return torch.fft.ifft(f(x) * f(u) + f(mean) * f(w)).real


# %% check="4"
def law_4(layer):
    x, one = torch.randn(2, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    u, w = one[0, :2]
    y, order = layer(x, u, w), [2, 0, 3, 1]
    moved = layer(x[:, order].roll(1, 2), u, w)
    assert torch.allclose(moved, y[:, order].roll(1, 2), atol=1e-5), "equivariance"
    response = layer(torch.eye(20)[:1].view(1, 4, 5), u, w)[0]
    kernels = torch.stack((u + w / 4, w / 4, w / 4, w / 4))
    assert torch.allclose(response, kernels, atol=1e-5), "the kernels"


check_4 = CodeCheck("4", law_4)
check_4(cyclic_layer)

# %% wrong="4"
others = [
    lambda x, u, w: x * u + x.mean(1, keepdim=True) * w,
    lambda x, u, w: cyclic_layer(x, u, 0 * w),
    lambda x, u, w: cyclic_layer(x, u, len(x[0]) * w),  # a sum for the mean
]
check_4.holds(cyclic_layer, wrong=others)

# %% [markdown]
# **5.** The columns of your data are three blood values, each measured on both arms. Rows are three patients in no
# order, and left and right mean nothing. How many elements has the group if the arms may be swapped only for all
# patients at once, and how many if for each patient alone?
#
# ??? success "Solution"
#     At once: $S_n \times C_2$, with $2 \cdot 3! = 12$ elements; these are elements with $H = C_2$. For each alone: the
#     wreath product $C_2 \wr S_n$, with $2^3 \cdot 3! = 48$.

# %% exercise="5"
answer_5 = ...  # [at once, for each alone]

# %% solution="5"
answer_5 = [2 * 6, 2**3 * 6]

# %% check="5"
check_5 = AnswerCheck("6.5", digest="ed56892310a34da4")
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[[48, 12], [12, 36], [8, 48], [6, 48]])

# %% [markdown]
# ## Sources
#
# - [Hartford et al. (2018)](../bibliography.md#hartford-2018): the layer, its four maps and its name.
# - [Maron et al. (2020)](../bibliography.md#maron-2020): the layers of $S_n \times H$.
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017): layers from orbits on pairs.
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020): distributions that a group preserves.
