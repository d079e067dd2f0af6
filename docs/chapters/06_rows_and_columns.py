# %% [markdown]
# # $S_n \times S_d$: rows and columns
#
# So far the rows of a set came in no order, and the columns in one. But look at the running task:
# its entries are drawn alike, so the columns have no order either. May a network use that? Which
# linear layers respect both, and how many labeled sets does the larger group save?
#
# You will find that four maps are all there is, build the layer from them, and climb from group
# to group until nothing is left to forget. At the end stands one picture of the whole book: the
# accuracy of every route, for a hundred training sets and for thirty thousand.

# %%
import itertools

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    ExchangeableEquivariant,
    GaussianDataset,
    LinearEquivariant,
    SymmetricElements,
    bayes_accuracy,
    bayes_loss,
    bayes_threshold,
    direct_product,
    entrywise,
    exchangeable_matrix,
    intrinsic,
    lexicographic_sort,
    mlp,
    radial,
    symmetric_group,
    test_equivariant,
    test_invariant,
)
from invariant_nets.figures import INK, PALETTE, table, use_book_style

use_book_style()
n, d, v1, v2 = 10, 5, 1.0, 0.8
limit = bayes_accuracy(n, d, v1, v2)


def sets(count: int, static: bool, seed: int) -> GaussianDataset:
    return GaussianDataset(count, (n, d), v1, v2, static=static, seed=seed)


# %% [markdown]
# ## Which symmetry do the data have?
#
# !!! abstract "Theorem (symmetry of the posterior)"
#     Let a group $G$ act on sets so that the law of every label is preserved,
#     $p(g \cdot x \mid y) = p(x \mid y)$ for all $g \in G$. Then
#
#     $$ \Pr(y \mid g \cdot x) = \Pr(y \mid x) \qquad \text{for all } g \in G . $$
#
#     So the best classifier is $G$-invariant, and a search among $G$-invariant classifiers alone
#     loses nothing.
#
# *Proof.* By Bayes' rule
#
# $$ \Pr(y \mid g \cdot x)
#    = \frac{p(g \cdot x \mid y)\, \Pr(y)}{\sum_{y'} p(g \cdot x \mid y')\, \Pr(y')} , $$
#
# and $g$ may be taken away in every term. The best classifier
# [compares this posterior with one half](02_task.py#the-limit), so it says the same of $x$ and of
# $g \cdot x$. $\blacksquare$
#
# Now permute the rows of $x \in \mathbb R^{n \times d}$ by $\sigma \in S_n$ and its columns by
# $\tau \in S_d$, and write $(\sigma x \tau)_{ij} = x_{\sigma(i)\,\tau(j)}$. The entries of our sets are
# independent, from $\mathcal N(0, v)$ with $v = v_1$ or $v = v_2$, so the density is a product over
# entries,
#
# $$ p_v(\sigma x \tau) = \prod_{i,j} \phi_v \bigl( x_{\sigma(i)\,\tau(j)} \bigr)
#    = \prod_{i,j} \phi_v (x_{ij}) = p_v(x), \qquad
#    \phi_v(u) = \frac{e^{-u^2/2v}}{\sqrt{2\pi v}} , $$
#
# because $(i, j) \mapsto (\sigma(i), \tau(j))$ only changes the order of the factors. The theorem gives
#
# $$ \Pr(\mathrm{label} \mid x) = \Pr(\mathrm{label} \mid \sigma x \tau)
#    \qquad \text{for all } \sigma \in S_n,\ \tau \in S_d . $$
#
# The pairs $(\sigma, \tau)$ form the direct product $S_n \times S_d$. For our sizes it has $d!$ times
# as many elements as $S_n$, and a network that is invariant to it has that much less to find out.
# All this is a statement about the *data*. Where the columns mean height and weight their order
# matters, and $S_n$ is all that is left.
#
# ## Four maps are all there is
#
# Which linear maps $L$ from matrices to matrices commute with this group? Write
# $L(x)_{ij} = \sum_{k,l} L_{ij,kl}\, x_{kl}$.
#
# !!! abstract "Theorem (equivariant linear maps of matrices)"
#     For $n, d \ge 2$, $L(\sigma x \tau) = \sigma L(x) \tau$ holds for all $\sigma, \tau$ if and
#     only if
#
#     $$ L(x)_{ij} = a\, x_{ij} + b\, \operatorname*{mean}_{j'} x_{ij'}
#        + c\, \operatorname*{mean}_{i'} x_{i'j} + e\, \operatorname*{mean}_{i',j'} x_{i'j'} $$
#
#     with four real numbers. A linear functional is invariant if and only if it is a multiple of
#     the mean of all entries, and an equivariant affine map adds one more constant.
#
# *Proof.* As [for one axis](04_averaged_layer.py#one-feature-two-matrices-are-all-there-is),
# equivariance says that $L_{ij,kl} = L_{\sigma(i)\tau(j),\,\sigma(k)\tau(l)}$: the coefficients are constant on
# the orbits of the group on *pairs of entries*. The permutation $\sigma$ sees the row indices $(i, k)$
# only, and can tell two kinds of them apart, $i = k$ and $i \ne k$; within a kind it takes any pair to any
# other. In the same way $\tau$ knows $j = l$ and $j \ne l$ only. Both are free to choose, so there
# are $2 \cdot 2$ orbits: two entries are the same, share their row, share their column, or share neither.
#
# The four maps give every choice of values on the four orbits exactly once, because a pair of entries
# takes part in every mean that holds both: the coefficient is $e/nd$ for two that share neither,
# $b/d + e/nd$ for two in a row, $c/n + e/nd$ for two in a column, and
# $a + b/d + c/n + e/nd$ for an entry and itself. The entries themselves are one orbit, which settles
# functionals and constants. $\blacksquare$
#
# In one line: the maps are the products of one of the
# [two maps on the rows](04_averaged_layer.py), $I$ or $\frac1n \mathbf 1 \mathbf 1^\top$, with one of
# the two on the columns. The package finds the orbits from the generators of the group, and the
# average of a random matrix over all elements of the group confirms them: four numbers survive.

# %%
rows, columns = 4, 3
small = direct_product(symmetric_group(rows), symmetric_group(columns), on="grid")
orbit_of_pair = small.orbitals()  # (12, 12): which orbit a pair of entries is in

source = torch.Generator().manual_seed(0)
matrix = torch.randn(12, 12, generator=source, dtype=torch.float64)
averaged = torch.stack(
    [matrix[g.index_tensor][:, g.index_tensor] for g in small]
).mean(0)
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
# This is the pattern in which the layer shares its weights. On the left is the 12 × 12 matrix, its
# entries taken row after row; on the right is how one output sees the matrix from where it stands.

# %% alt="Left: the 12 by 12 matrix of a layer for 4 by 3 matrices, in four colors. Its 3 by 3 blocks on the diagonal show the same entry on their diagonal and entries in one row beside it; all other blocks show entries in one column on their diagonal and neither beside it. Right: the 4 by 3 matrix seen from one entry, in the same colors, its row and its column crossing at the entry."
colors = ListedColormap([PALETTE[k] for k in (1, 0, 2, 5)])
fig, (left, right) = plt.subplots(
    1, 2, figsize=(7, 4), gridspec_kw={"width_ratios": (12, 5)}
)
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
# With several features an entry the four numbers become four matrices $A$, $B$, $C$, $D$ from the
# features that come in to those that go out, and the constant becomes a vector $b$:
#
# $$ y_{ij} = x_{ij} A + \operatorname*{mean}_{j'} x_{ij'}\, B
#    + \operatorname*{mean}_{i'} x_{i'j}\, C + \operatorname*{mean}_{i'j'} x_{i'j'}\, D + b . $$
#
# No weight depends on $n$ or $d$, so the same layer takes matrices of every size. As code it is the
# formula.


# %%
def four_terms(layer: ExchangeableEquivariant, x: torch.Tensor) -> torch.Tensor:
    A, B, C, D = layer.weight
    row, column = x.mean(2, keepdim=True), x.mean(1, keepdim=True)
    return (
        x @ A + row @ B + column @ C + x.mean((1, 2), keepdim=True) @ D + layer.bias
    )


torch.manual_seed(0)
layer = ExchangeableEquivariant(3, 8)
x = torch.randn(64, n, d, 3)
difference = (layer(x) - four_terms(layer, x)).abs().max().item()
print(f"largest difference {difference:.1e}")

# %% [markdown]
# [`ExchangeableEquivariant`][invariant_nets.ExchangeableEquivariant] computes it with one
# pass over the large tensor. The check of [chapter 3](03_measuring_invariance.py) holds it to its
# promise, with $S_n \times S_d$ on the grid of entries; and the check can fail: a layer that adds the
# first column everywhere is found out.

# %%
grid = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
one_feature = ExchangeableEquivariant(1, 8)
probe = torch.randn(256, n, d, generator=torch.Generator().manual_seed(1))
holds = test_equivariant(lambda x: one_feature(x[..., None]), probe, grid)
fails = test_equivariant(
    lambda x: one_feature(x[..., None]) + x[:, :, :1, None], probe, grid
)
print(holds)
print()
print(fails)

# %% [markdown]
# ## What the layer can do to a matrix
#
# The $S_n$ layer acts on the mean of a set by one matrix and on the deviations by another. Here there
# are four parts. With the grand mean $m$, split a matrix as an analysis of variance does,
#
# $$ x_{ij} = \underbrace{m}_{\text{grand mean}}
#    + \underbrace{(\bar x_{i\cdot} - m)}_{\text{rows}}
#    + \underbrace{(\bar x_{\cdot j} - m)}_{\text{columns}}
#    + \underbrace{(x_{ij} - \bar x_{i\cdot} - \bar x_{\cdot j} + m)}_{\text{rest}} . $$
#
# The rest has no mean in any row or column, so of the four maps only $A$ sees it. What a row has
# more than the grand mean is seen by the entry and by the mean of its row: $A + B$. Likewise $A + C$
# acts on the columns, and $A + B + C + D$ on the grand mean. A permutation mixes no two parts, and
# by Schur's lemma an equivariant map is free on each of them and can do nothing else.

# %% alt="A 4 by 3 matrix of colors equals the sum of four: a constant, one whose rows are constant, one whose columns are constant, and a rest. Below each stands the matrix of weights that acts on it: A + B + C + D, A + B, A + C, and A."


def parts(x):
    """Split (batch, n, d, features) into grand mean, rows, columns and rest."""
    grand = x.mean((1, 2), keepdim=True)
    of_rows, of_columns = x.mean(2, keepdim=True), x.mean(1, keepdim=True)
    rest = x - of_rows - of_columns + grand
    split = grand, of_rows - grand, of_columns - grand, rest
    return [part.expand_as(x) for part in split]


example = torch.randn(1, rows, columns, 1, generator=source) + 0.5
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
term_by_term = [
    part @ matrix for part, matrix in zip(parts(x), acting, strict=True)
]
part_error = (layer(x) - layer.bias - sum(term_by_term)).abs().max().item()
print(f"the layer, part by part: largest difference {part_error:.1e}")

# %% [markdown]
# That is also how the layer starts: each of the four sums is a random semi-orthogonal matrix of its
# own, with the factor that [keeps the scale](05_why_sums_saturate.py) of every part.
#
# ## A network, trained
#
# Every entry is a point with one feature. Layers and ReLUs follow in turn, and then
# the mean over all entries: nothing else is linear and invariant. The package builds this
# as [`exchangeable_matrix(n, d)`][invariant_nets.exchangeable_matrix]. It sees 800 sets
# per epoch, drawn anew each time.

# %% measured="s"
torch.manual_seed(0)
model = exchangeable_matrix(n, d)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
train, test = sets(800, False, seed=0), sets(1_000, False, seed=1)
history = trainer.fit(DataLoader(train, 32), DataLoader(test, 500), num_epochs=30)
print(history)

# %% alt="Loss and accuracy of training and test over 30 epochs: within about ten epochs both reach the dashed Bayes limits, and scatter around them together."
history.plot(bayes_accuracy=limit, bayes_loss=bayes_loss(n, d, v1, v2))

# %%
x_many, y_many = next(iter(DataLoader(sets(100_000, True, seed=2), 100_000)))
says_one = y_many > 0.5
with torch.no_grad():
    logits = torch.cat([model(x) for x in x_many.split(1_000)])
trained = ((logits > 0) == says_one).double().mean().item()
error = (limit * (1 - limit) / len(x_many)) ** 0.5
size = sum(p.numel() for p in model.parameters())
print(f"{size:,} weights")
print(f"accuracy on {len(x_many):,} fresh sets {trained:.4f} ± {error:.4f}")
print(f"limit {limit:.4f}")
print()
print(test_invariant(model, probe, grid))

# %% [markdown]
# With data that never end the network is next to the limit within these few epochs. The real test of a
# symmetry is data that *do* end; it will come.
#
# ## Larger still
#
# Look again at the derivation: it used that a permutation of the entries reorders the factors of a
# product, and nothing else. So *every* permutation of the $nd$ entries will do, and $S_{nd}$ acts. And
# since $\phi_v$ is a Gaussian, the density depends on $x$ through
# $T = \sum_{ij} x_{ij}^2$ alone, which every rotation of $\mathbb R^{nd}$ preserves. So the orthogonal group $O(nd)$ acts:
#
# $$ S_n \subset S_n \times S_d \subset S_{nd} \subset O(nd) . $$
#
# A $G$-invariant function can depend only on the *orbit* of $x$, the set of all $g \cdot x$. The larger
# the group, the larger and the fewer the orbits, and the fewer functions are left to choose from.
#
# | Group | Forgets | An orbit is known by |
# |---|---|---|
# | $S_n$ | which row is which | the multiset of rows |
# | $S_n \times S_d$ | also which column is which | the matrix, up to orders of rows and columns |
# | $S_{nd}$ | also which entries share a row or a column | the multiset of entries |
# | $O(nd)$ | also the direction of $x$ | the number $T$ |
#
# !!! abstract "Proposition (the end of the climb)"
#     If the posterior is invariant to a group, every orbit lies in one level set of the posterior.
#     The orbits of $O(nd)$ *are* the level sets. So no group that leaves the posterior alone has larger orbits.
#
# *Proof.* If $x' = g \cdot x$ then $\Pr(y \mid x') = \Pr(y \mid x)$, which is the first claim.
# The [log-odds](02_task.py#the-limit) are $\frac12 (1/v_1 - 1/v_2)(T - t)$, strictly monotone in $T$, so
# the level sets are the spheres $T = \text{const}$; and $O(nd)$ takes every point of
# a sphere to every other. $\blacksquare$
#
# For the two larger groups the package has
# [`entrywise`][invariant_nets.entrywise], the $S_n$ network on the entries as one set of $nd$
# members, and [`radial`][invariant_nets.radial], the logistic regression on $T$ of
# [chapter 2](02_task.py#a-first-training). Here are the four networks, untrained, held to all four groups. Each
# should forget its own group and the smaller ones, and see every larger one.


# %%
def largest_change(model, moved) -> float:
    """Return the largest change of the output, in standard deviations over sets."""
    with torch.no_grad():
        y = model(probe)
        return (
            max((model(x) - y).abs().max().item() for x in moved) / y.std().item()
        )


moves = torch.Generator().manual_seed(2)


def order(count: int) -> torch.Tensor:
    return torch.randperm(count, generator=moves)


rotations = [
    torch.linalg.qr(torch.randn(n * d, n * d, generator=moves))[0] for _ in "ab"
]
flat = probe.flatten(1)
moved_by = {
    "$S_n$": [probe[:, order(n)] for _ in "ab"],
    r"$S_n \times S_d$": [probe[:, order(n)][:, :, order(d)] for _ in "ab"],
    "$S_{nd}$": [flat[:, order(n * d)].view_as(probe) for _ in "ab"],
    "$O(nd)$": [(flat @ rotation).view_as(probe) for rotation in rotations],
}
networks = {
    "$S_n$": intrinsic,
    r"$S_n \times S_d$": exchangeable_matrix,
    "$S_{nd}$": entrywise,
    "$O(nd)$": radial,
}
torch.manual_seed(0)
changes = []
for build in networks.values():
    built = build(n, d)
    changes.append([largest_change(built, moved) for moved in moved_by.values()])
table(
    [
        {"network of": group}
        | dict(zip((f"moved by {name}" for name in moved_by), row, strict=True))
        for group, row in zip(networks, changes, strict=True)
    ],
    digits=6,
    caption="Largest change of the output, in standard deviations over sets.",
)

# %% [markdown]
# ## Elements with a symmetry of their own
#
# $S_n \times S_d$ has a sibling that is worth knowing. Let each of the $n$ members of a set be a thing
# with a symmetry group $H$ of its own: a signal that may be shifted, an image that may be
# turned, a row whose entries may be permuted; and let $h \in H$ act on all members alike.
# [Maron et al. (2020)](../bibliography.md#maron-2020) find the linear maps that are equivariant to
# $S_n \times H$: one $H$-equivariant map on each member, and another on their mean,
#
# $$ L(x)_i = L_1(x_i) + L_2\Bigl(\operatorname*{mean}_{i'} x_{i'}\Bigr) . $$
#
# For $H = S_d$ each of $L_1$ and $L_2$ is one of the $S_d$ layers of chapter 4, with two
# matrices each, and $2 + 2$ gives the four back: $L_1$ holds $A$ and $B$, $L_2$ holds $C$ and $D$.
# [`SymmetricElements`][invariant_nets.SymmetricElements] takes any two layers, so
# we can see it happen.

# %%
on_member = LinearEquivariant(3, 8, normalization="sum")
on_mean = LinearEquivariant(3, 8, normalization="sum")
with torch.no_grad():
    for member_layer, first, second, constant in (
        (on_member, A, B, layer.bias),
        (on_mean, C, D, torch.zeros(8)),
    ):
        member_layer.a, member_layer.b = first, second
        member_layer.c = (constant / 3).expand(3, 8)  # summed over the features
sibling = SymmetricElements(on_member, on_mean)
sibling_error = (sibling(x) - layer(x)).abs().max().item()
print(f"S_n × H with H = S_d: largest difference {sibling_error:.1e}")

# %% [markdown]
# With $H = C_d$ it is a convolution along the rows and another one for the mean, which
# [`cyclic_elements`][invariant_nets.cyclic_elements] builds; with $H$ trivial, two
# free matrices, it is the $S_n$ layer.
#
# ## What symmetry is worth
#
# Now the question of this book in one experiment. Give every route the same labeled
# sets, from a hundred to thirty thousand, and ask how well it does on new ones.
#
# - **Routes.** Around one and the same MLP: nothing; [augmentation](09_augmentation.py);
#   [rows sorted](07_canonicalization.py); the [average](08_symmetrization.py) over the $n$ cyclic
#   shifts; the average over ten orders, drawn anew at each step. And by construction, the networks of
#   $S_n$, $S_n \times S_d$, $S_{nd}$ and $O(nd)$.
# - **Training** is one rule for all: AdamW with PyTorch's weight decay, 400 steps of 64 sets, and
#   in the end the mean of the weights over the second half of the steps.
# - **Learning rate.** Of $3 \cdot 10^{-3}$, $10^{-2}$ and $2 \cdot 10^{-2}$ the one that was best with 1,000
#   sets, chosen with four seeds that do not occur below, on test sets that do not occur either. The
#   widths of the networks of layers were chosen with those seeds too.
# - **Seeds.** Three, of data and weights together. A training set of 300 contains that of 100.

# %%
sizes, seeds = (100, 300, 1_000, 3_000, 10_000, 30_000), (0, 1, 2)
steps, batch = 400, 64
shifts = torch.stack([torch.arange(n).roll(-k) for k in range(n)])
draws = torch.Generator().manual_seed(3)

# A view maps sets (models, sets, n, d) to orders of them (models, sets, orders, n, d).


def as_it_is(x):
    return x[:, :, None]


def sorted_rows(x):
    return lexicographic_sort(x.flatten(0, 1)).view_as(x)[:, :, None]


def shuffled(x):
    own = torch.rand(x.shape[:3], generator=draws).argsort(-1)
    return x.gather(2, own[..., None].expand_as(x))[:, :, None]


def all_shifts(x):
    return x[:, :, shifts]


def ten_orders(x):
    return x[:, :, torch.rand(10, n, generator=draws).argsort(-1)]


def rows_network(n, d):
    return intrinsic(n, d, hidden=(32, 32))


# route: the network, its learning rate, the view while training, the view in use
routes = {
    "no symmetry": (mlp, 3e-3, as_it_is, as_it_is),
    "sorted rows": (mlp, 3e-3, sorted_rows, sorted_rows),
    "augmentation": (mlp, 3e-3, shuffled, as_it_is),
    "average over $C_n$": (mlp, 3e-3, all_shifts, all_shifts),
    "average of 10 orders": (mlp, 3e-3, ten_orders, ten_orders),
    "$S_n$": (rows_network, 2e-2, as_it_is, as_it_is),
    r"$S_n \times S_d$": (exchangeable_matrix, 1e-2, as_it_is, as_it_is),
    "$S_{nd}$": (entrywise, 2e-2, as_it_is, as_it_is),
    "$O(nd)$": (radial, 1e-2, as_it_is, as_it_is),
}

# %% [markdown]
# Six sizes times three seeds are eighteen trainings a route. They do not know of each other, so they may
# run side by side: `stack_module_state` stacks their weights, `vmap` runs one
# network with all of them at once, and since no weight belongs to two models, the gradient of the summed
# loss holds the gradient of each.


# %%
def logits_of(network, weights, x):
    """Return the logits (models, sets, 1): the mean over the orders of each set."""
    run = vmap(lambda one_model, x: functional_call(network, one_model, (x,)))
    return run(weights, x.flatten(1, 2)).unflatten(1, x.shape[1:3]).mean(2)


def drawn(seeds, count):
    """Return sets (seeds, count, n, d) and labels (seeds, count, 1)."""
    loaders = [DataLoader(sets(count, True, seed), count) for seed in seeds]
    return map(
        torch.stack, zip(*(next(iter(data)) for data in loaders), strict=True)
    )


def train_all(build, lr, view, x, y, sizes, seeds, steps=steps):
    """Train a model for each size and seed; return the network and the weights of all."""
    runs = list(itertools.product(sizes, range(len(seeds))))
    models = []
    for _, k in runs:
        torch.manual_seed(seeds[k])
        models.append(build(n, d))
    weights, _ = stack_module_state(models)
    means = {name: torch.zeros_like(w) for name, w in weights.items()}
    optimizer = torch.optim.AdamW(weights.values(), lr=lr)

    seen = steps * batch
    passes = [[torch.randperm(m) for _ in range(0, seen, m)] for m, _ in runs]
    chosen_sets = torch.stack(
        [torch.cat(p)[:seen].view(steps, batch) for p in passes]
    )
    own_data = torch.tensor([k for _, k in runs])[:, None]
    for step in range(steps):
        chosen = own_data, chosen_sets[:, step]
        logits = logits_of(models[0], weights, view(x[chosen]))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, y[chosen])
        optimizer.zero_grad()
        (loss * len(runs)).backward()
        optimizer.step()
        if step >= steps // 2:
            for name, w in weights.items():
                means[name] += w.detach() / (steps - steps // 2)
    return models[0], means


x_train, y_train = drawn(seeds, max(sizes))
trained_routes = {
    route: train_all(build, lr, view, x_train, y_train, sizes, seeds)
    for route, (build, lr, view, _) in routes.items()
}

# %% [markdown]
# The test sets are 10,000 fresh ones, the same for all. Their luck can be measured: we know how often the
# ideal classifier of [chapter 2](02_task.py#the-limit) is right on them, and how often it is right in the
# long run. What a model shares of that luck is taken off, by linear regression of its hits on
# the ideal ones. This is a control variate; it is unbiased up to terms far below the standard error, and
# it makes the error small just where it matters, near the limit.

# %%
x_test, y_test = x_many[:10_000], says_one[:10_000]


def hits_of(route, x, y, models=slice(None)):
    """Return which sets each model has right, (models, sets)."""
    network, weights = trained_routes[route]
    weights = {name: w[models] for name, w in weights.items()}
    count, view = len(next(iter(weights.values()))), routes[route][3]
    with torch.no_grad():
        logits = [
            logits_of(network, weights, view(part.expand(count, *part.shape)))
            for part in x.split(100)
        ]
    return ((torch.cat(logits, 1) > 0) == y).squeeze(2).double()


def without_luck(hits, ideal):
    """Return the accuracy of each model and its standard error."""
    centered, shared = hits - hits.mean(1, keepdim=True), ideal - ideal.mean()
    slope = centered @ shared / (shared @ shared)
    left = centered - slope[:, None] * shared
    accuracy = hits.mean(1) - slope * (ideal.mean() - limit)
    return accuracy, left.square().mean(1).sqrt() / hits.shape[1] ** 0.5


threshold = bayes_threshold(n, d, v1, v2)
T = x_test.square().sum((1, 2))
ideal = ((threshold > T) == y_test[:, 0]).double()
accuracy, test_error = {}, {}
for route in routes:
    values, errors = without_luck(hits_of(route, x_test, y_test), ideal)
    accuracy[route] = values.view(len(sizes), len(seeds))
    test_error[route] = errors.view(len(sizes), len(seeds))
mean = {route: values.mean(1).tolist() for route, values in accuracy.items()}
largest_error = max(errors.max().item() for errors in test_error.values())
spread = {route: values.std(1).tolist() for route, values in accuracy.items()}
table(
    [
        {"route": route}
        | {
            f"{size:,}": f"{m:.3f} ± {s:.3f}"
            for size, m, s in zip(sizes, mean[route], spread[route], strict=True)
        }
        for route in routes
    ],
    caption="Accuracy on fresh sets by the number of training sets, ± the deviation over seeds; "
    f"standard error of one model at most {largest_error:.3f}.",
)

# %% alt="Accuracy against the number of training sets, from 100 to 30,000, for nine routes. O(nd) lies on the dashed Bayes limit from the start. S_nd, S_n x S_d and S_n start below it in this order and come close to it within some thousand sets. The averages of ten orders and over C_n climb later and stay below them; augmentation, sorted rows and the plain network stay far below."
ramp = LinearSegmentedColormap.from_list("ramp", [PALETTE[k] for k in (0, 3, 1)])
by_construction = list(routes)[5:]
others = list(routes)[:5]
look = {route: (ramp(k / 3), "-", 2.4) for k, route in enumerate(by_construction)}
strokes = {"no symmetry": (0, (1, 1.5)), "sorted rows": (0, (6, 1.5, 1, 1.5))}
strokes |= {"augmentation": (0, (3, 1)), "average over $C_n$": (0, (5, 2))}
strokes |= {"average of 10 orders": (0, (10, 2))}
look |= {route: (INK, strokes[route], 1.6) for route in others}

fig, ax = plt.subplots(figsize=(8, 5.6))
for route, (color, dashes, width) in look.items():
    m, s = np.array(mean[route]), np.array(spread[route])
    ax.fill_between(sizes, m - s, m + s, color=color, alpha=0.16, lw=0)
    ax.semilogx(sizes, m, ls=dashes, color=color, lw=width, solid_capstyle="round")
ax.plot(sizes, [limit] * len(sizes), color=PALETTE[2], ls=(0, (5, 3)), lw=1.4)
ax.text(30_000, limit + 0.004, "Bayes limit", color=PALETTE[2], ha="right")

# Each curve is named where it is apart from the others; names that touch are pushed apart.
for route in by_construction:
    ax.text(
        88, mean[route][0], route, color=look[route][0], ha="right", va="center"
    )
ends = sorted(others, key=lambda route: mean[route][-1])
heights = np.array([mean[route][-1] for route in ends])
for _ in range(50):
    for k in range(len(heights) - 1):
        overlap = max(0.0, 0.0105 - (heights[k + 1] - heights[k]))
        heights[k : k + 2] += -overlap / 2, overlap / 2
for route, height in zip(ends, heights, strict=True):
    hook, level = (30_000, 36_000, 52_000), (mean[route][-1], height, height)
    ax.plot(hook, level, color=INK, ls=look[route][1], lw=1.6, clip_on=False)
    ax.text(57_000, height, route, va="center", clip_on=False)
ax.set(xlabel="training sets", ylabel="accuracy on fresh sets")
ax.set(xlim=(42, 30_000), ylim=(0.495, 0.723), xticks=sizes)
ax.set_xticklabels([f"{size:,}" for size in sizes])
ax.minorticks_off()
plt.show()

# %% [markdown]
# Read it from the left, where data are scarce. With a hundred sets the order of the curves is the order
# of the groups: what a network forgets by construction it need not learn from labels. The steps of this
# ladder are large. An MLP without symmetry learns next to nothing from a hundred sets; $O(nd)$, which
# has nothing left to find but a slope and a threshold, is at the limit already.
#
# Then follow the curves to the right. Data can replace symmetry, at a price: the table below says how
# many sets a route needs for one and the same accuracy. The four groups draw together, since ten
# thousand sets teach a network what it did not know. From a thousand sets on $S_{nd}$ has no
# advantage over $S_n \times S_d$ that this experiment could resolve. Its network is the other one with
# $B$ and $C$ left out, and what both still lack is not symmetry but a better approximation of the
# square, for which the extra maps do no harm.
#
# The gray curves are one and the same MLP. Sorting makes it invariant to all of $S_n$, and yet it gains
# little where data are scarce: [the arrangement jumps](07_canonicalization.py), so what it learns of one set says
# little about the sets nearby. The averages share what they learn among all their orders, and go far
# higher. With 30,000 sets the gray curves have not come to their end: in 400 steps no model sees that many, and
# exercise 3 gives one of them more.

# %%
reached = 0.68


def sets_needed(route) -> float:
    """Return the least size whose mean accuracy is at least `reached`, or infinity."""
    enough = zip(sizes, mean[route], strict=True)
    return min((size for size, m in enough if m >= reached), default=float("inf"))


needed = {route: sets_needed(route) for route in routes}


weights_of = {
    route: sum(w[0].numel() for w in weights.values())
    for route, (_, weights) in trained_routes.items()
}
table(
    [
        {
            "route": route,
            "weights": weights_of[route],
            f"sets for {reached}": f"{needed[route]:,}".replace("inf", "more"),
            "gap to the limit at 1,000": limit - mean[route][2],
        }
        for route in routes
    ]
)

# %% [markdown]
# At last the two networks of equivariant layers at 1,000 sets once more, on ten times as many test
# sets, and without the correction.

# %%
at_1000 = slice(
    sizes.index(1_000) * len(seeds), (sizes.index(1_000) + 1) * len(seeds)
)
bar = {}
for route in ("$S_n$", r"$S_n \times S_d$"):
    bar[route] = hits_of(route, x_many, says_one, at_1000).mean(1)
table(
    [
        {
            "network of": route,
            "mean over seeds": values.mean().item(),
            "lowest": values.min().item(),
            "highest": values.max().item(),
            "limit": limit,
        }
        for route, values in bar.items()
    ],
    digits=4,
    caption=f"1,000 training sets, {len(x_many):,} test sets, standard error {error:.4f}.",
)

# %% [markdown]
# None of this says that the largest group is always best. It is best *here*, because the entries are
# independent draws from one law. Exercise 2 has a task on which $S_{nd}$ is provably blind. A group is a
# statement about the data: take the largest that you believe.
#
# ## Check the claims

# %%
# The posterior sees T only, so all four groups leave it alone.
grand_total = probe.square().sum((1, 2))
for moved in itertools.chain(*moved_by.values()):
    assert torch.allclose(moved.square().sum((1, 2)), grand_total, rtol=1e-4)

# Four numbers survive the average over the group; one orbit has one weight.
assert int(orbit_of_pair.max()) + 1 == 4
assert all((values - values[0]).abs().max() < 1e-12 for values in survivors)
assert len({round(values[0].item(), 6) for values in survivors}) == 4

# The layer is its formula, part by part, and equivariant; the check can fail.
assert max(difference, part_error, sibling_error) < 1e-5
assert holds
assert not fails
assert test_invariant(model, probe, grid)

# Every network forgets its own group and all smaller ones, and sees the larger ones.
for i, row in enumerate(changes):
    assert max(row[: i + 1]) < 1e-3
    assert min(row[i + 1 :], default=1.0) > 0.3

# Data that never end: next to the limit.
assert limit - 0.015 < trained < limit + 4 * error

# The bar: with 1,000 sets, on 100,000 fresh ones.
assert bar[r"$S_n \times S_d$"].mean() >= 0.69
assert bar["$S_n$"].mean() >= 0.67

# Scarce data: the order of the groups.
ladder = np.array([mean[route] for route in by_construction])
assert (np.diff(ladder[:, 0]) > 0.008).all()
assert ladder[1, 2] > ladder[0, 2] + 0.002
assert ladder[0, 2] > max(mean[route][2] for route in others) + 0.015
assert mean["no symmetry"][0] < 0.53
assert abs(mean["sorted rows"][2] - mean["no symmetry"][2]) < 0.03
averages = ("average over $C_n$", "average of 10 orders")
for route in averages:
    assert mean[route][2] > mean["augmentation"][2] + 0.012
    assert mean["augmentation"][2] > mean["no symmetry"][2] + 0.03

# O(nd) is at the limit from the start.
assert (np.abs(ladder[3] - limit) < 0.008).all()

# The larger the group, the fewer sets are needed; most for the routes around the MLP.
climb = [needed[route] for route in reversed(by_construction)]
assert climb == sorted(climb)
assert climb[-1] < min(needed[route] for route in others)

# Much data: the four groups meet, S_nd and S_n × S_d already at 1,000.
assert ladder[:, 4:].min() > limit - 0.018
assert (np.abs(ladder[1, 2:] - ladder[2, 2:]) < 0.012).all()
assert ladder[2, 4:].mean() < ladder[1, 4:].mean() + 0.002
assert max(mean[route][-1] for route in ("no symmetry", "sorted rows")) < 0.67
assert steps * batch < sizes[-1]

# Nobody is above the limit beyond error.
for route in routes:
    assert (accuracy[route] < limit + 4 * test_error[route] + 1e-3).all()

# %% [markdown]
# ## Exercises
#
# **1.** Relations among *three* kinds of things, users, items and days, say, are a block
# $x \in \mathbb R^{n \times d \times m}$. How many linear maps commute with $S_n \times S_d \times S_m$? And what remains of
# the four when the matrix has a single column?
#
# ??? success "Solution"
#     Each axis on its own sees whether two indices are equal, so there are $2^3 = 8$ orbits: the entry, three
#     means along one axis, three along two, and the mean of all. With a single column $j = l$ always, and
#     $2 \cdot 1$ orbits are left: the layer is the $S_n$ layer, with $A + B$ and $C + D$ for its two
#     matrices. The cell counts.

# %% fold="Solution of exercise 1, in code"
three_axes = [symmetric_group(3), symmetric_group(4), symmetric_group(2)]
block = direct_product(*three_axes, on="grid")
single = direct_product(symmetric_group(5), symmetric_group(1), on="grid")
counts = [int(group.orbitals().max()) + 1 for group in (block, single)]
print("orbits of pairs:", counts)
assert counts == [8, 2]

# %% [markdown]
# **2.** A group may be too large. Let half of the scales be $s = 2$, half $s = \frac12$, and
# $x_{ij} = s_{ij} z_{ij}$ with independent standard normal $z_{ij}$. Under label 1 the scales belong to
# rows, five rows large and five small; under label 0 the large ones are at random places. Show that no
# $S_{nd}$-invariant classifier is better than guessing, and that $S_n \times S_d$ still acts.
# Train both networks.
#
# ??? success "Solution"
#     Under both labels the *multiset* of entries is that of 25 draws from $\mathcal N(0, 4)$ and 25 from
#     $\mathcal N(0, \frac14)$: only their places differ. An $S_{nd}$-invariant function depends on the
#     multiset, so it has the same law under both labels and is right half the time. But permuted
#     rows keep a row's scale together, and permuted columns too, so both laws are preserved by
#     $S_n \times S_d$.

# %% fold="Solution of exercise 2, in code"


def placed_scales(count, generator):
    """Draw sets whose large scales fill rows (label 1), or lie anywhere (label 0)."""
    y = torch.randint(2, (count, 1), generator=generator).float()
    places = torch.rand(count, n * d, generator=generator).argsort(1).view(-1, n, d)
    full_rows = torch.rand(count, n, 1, generator=generator).argsort(1) * d
    large = torch.where(y[..., None] > 0.5, full_rows, places) < n * d // 2
    z = torch.randn(count, n, d, generator=generator)
    return torch.where(large, 2.0, 0.5) * z, y


def learn(build, task_seed=4):
    torch.manual_seed(0)
    network, generator = build(n, d), torch.Generator().manual_seed(task_seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(300):
        x, y = placed_scales(64, generator)
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = placed_scales(10_000, generator)
    with torch.no_grad():
        return ((network(x) > 0) == (y > 0.5)).double().mean().item()


too_large, right = learn(entrywise), learn(exchangeable_matrix)
print(f"S_nd {too_large:.3f}, S_n × S_d {right:.3f}")
assert abs(too_large - 0.5) < 0.025
assert right > 0.8

# %% [markdown]
# **3.** How far does the plain MLP come with all 30,000 sets if it may take more than 400 steps? How
# does that compare with the price of the symmetry?
#
# ??? success "Solution"
#     The cell gives it four times as many steps. It gains, but stays below what the average over $C_n$
#     or any of the four groups reaches with a tenth of the sets and a quarter of the steps.

# %% fold="Solution of exercise 3, in code"
route, longer = "no symmetry", 4 * steps
build, lr, view, _ = routes[route]
short_run = trained_routes[route]
trained_routes[route] = train_all(
    build, lr, view, x_train, y_train, (sizes[-1],), seeds, longer
)
more_steps, _ = without_luck(hits_of(route, x_test, y_test), ideal)
trained_routes[route] = short_run
print(
    f"{steps} steps {mean[route][-1]:.3f}, {longer} steps {more_steps.mean():.3f}"
)
tenth = sizes.index(3_000)
assert more_steps.mean() < mean["average over $C_n$"][tenth] - 0.005
assert more_steps.mean() > mean[route][-1]

# %% [markdown]
# **4.** The columns of your data are three blood values, each measured on both arms; rows are
# patients in no order, and left and right mean nothing. Which group acts if the arms of each patient may
# be swapped for each patient alone, and which if only for all patients at once?
#
# ??? success "Solution"
#     Order the six columns as three pairs. For all patients at once: $S_n \times C_2$, where the
#     swap exchanges the two columns of all three pairs together. These are sets of elements with $H = C_2$.
#     For each patient alone: a swap for every row and then an order of the rows, the wreath product
#     $C_2 \wr S_n$ of order $2^n\, n!$, which the package has as
#     [`wreath_product`][invariant_nets.wreath_product]. It is larger, and holds whenever the arms
#     of one patient are exchangeable on their own.
#
# ## Sources
#
# - [Hartford et al. (2018)](../bibliography.md#hartford-2018), *Deep Models of Interactions Across
#   Sets*: the layer, its four maps and its name, exchangeable matrix layer.
# - [Maron et al. (2020)](../bibliography.md#maron-2020), *On Learning Sets of Symmetric Elements*: the
#   layers of $S_n \times H$.
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017), *Equivariance Through
#   Parameter-Sharing*: layers from orbits on pairs.
# - [Chen, Dobriban and Lee (2020)](../bibliography.md#chen-2020), *A Group-Theoretic Framework for Data
#   Augmentation*: invariance in law, and what averages over orbits gain.
# - [Elesedy and Zaidi (2021)](../bibliography.md#elesedy-2021), *Provably Strict Generalisation Benefit
#   for Equivariant Models*: what a symmetry is worth, exactly, for linear models.
