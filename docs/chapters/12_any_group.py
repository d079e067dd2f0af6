# %% [markdown]
# # Any permutation group
#
# !!! abstract "What you will be able to do"
#     - Compute the orbits and the orbitals of a group from a few generators.
#     - Derive all linear layers that are equivariant to a permutation group, and build them.
#     - Write a network for graphs, and say what one of its layers costs.
#     - Prove which graphs such a network can never tell apart, and name two ways around it.
#     - Compare it with a plain baseline before you believe in it.
#
# So far nearly everything was about $S_n$. But sets are not the only data with a symmetry. A necklace may be turned, a
# table has its rows and its columns permuted, a graph its nodes. Must every group have its own theory and its own
# layers? No. A few generators are enough, and the rest follows by computation. This chapter derives the linear layers
# of every permutation group, and then spends its time on graphs: what a network of such layers learns, what it costs,
# and what it cannot see.

# %%
import networkx
import torch
from matplotlib import pyplot as plt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.flop_counter import FlopCounterMode

from invariant_nets import (
    OrbitInvariant,
    OrbitLinear,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    symmetric_group,
    symmetry_report,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style

use_book_style()

# %% [markdown]
# ## From generators to orbits
#
# Let $G$ be the group that a few permutations *generate*: all their products. The [orbit](01_permutations.py) of a
# point is where the elements of $G$ take it. No element needs to be listed to find it. Draw an edge from each point to
# its image under each generator: the orbits are the connected parts of this graph, since every element is a product of
# generators. (For more than orbits, such as the order of $G$, see [How groups are computed](a_computing_groups.py).)
# The orbits of $G$ on *pairs* of points are called its **orbitals**. They are found in the same way, and they are all
# that a linear layer needs to know.


# %%
def orbital_numbers(group):
    """Number the orbits of a group on the pairs (a, b) of points."""
    n = group.degree
    ends = []
    for g in group.generators:
        g = g.index_tensor.long()
        ends.append((n * g[:, None] + g).flatten())  # (a, b) → (g(a), g(b))
    ends = torch.cat(ends)
    starts = torch.arange(n * n).repeat(len(group.generators))
    edges = coo_matrix((torch.ones(len(ends)), (starts, ends)), shape=2 * (n * n,))
    return torch.from_numpy(connected_components(edges)[1]).view(n, n)


# %% [markdown]
# ## One weight per orbital
#
# Which matrices $W$ commute with a group that permutes coordinates?
#
# !!! abstract "Theorem (orbitals)"
#     Let $G$ act on the points $a$ of the output and on the points $b$ of the input. A linear map $W$ is equivariant if
#     and only if
#
#     $$ W_{g(a)\,g(b)} = W_{ab} \quad \text{for all } g \in G, $$
#
#     that is, if and only if it is constant on the orbitals. So the dimension of the space of equivariant maps is the
#     number of orbitals, and by Burnside's lemma
#
#     $$ \dim = \frac1{|G|} \sum_{g \in G} \operatorname{fix}_{\mathrm{out}}(g)\,
#        \operatorname{fix}_{\mathrm{in}}(g) . $$
#
# *Proof.* $(W (g \cdot x))_a = \sum_b W_{ab}\, x_{g(b)}$ and $(g \cdot (W x))_a = (Wx)_{g(a)} = \sum_b W_{g(a)\,
# g(b)}\, x_{g(b)}$. They agree for all $x$ if and only if the coefficients do. And $g$ fixes the pair $(a, b)$ if and
# only if it fixes both points. $\blacksquare$
#
# We count the orbitals from the generators, and check each count twice: against the package, and against Burnside's
# mean over all elements.

# %%
shown = {
    "$S_8$": symmetric_group(8),
    "$C_8$": cyclic_group(8),
    "$D_8$": dihedral_group(8),
    "$S_4 \\times S_3$ on a grid": direct_product(
        symmetric_group(4), symmetric_group(3), on="grid"
    ),
    "$S_4$ on pairs": symmetric_group(4).on_tuples(2),
    "$A_8$": alternating_group(8),
}
counts = {}
for name, group in shown.items():
    ids, theirs = orbital_numbers(group), group.orbitals()
    # Two numberings of one partition: as many pairs of numbers as numbers.
    both = torch.stack((ids, theirs)).flatten(1).unique(dim=1).shape[1]
    elements = torch.cat(list(group.elements()))
    fixed = (elements == torch.arange(group.degree)).sum(1)
    assert (
        both == ids.max() + 1 == theirs.max() + 1 == fixed.double().square().mean()
    )
    counts[name] = both

# %% alt="Six square patterns of weight sharing, one color per weight. S_8: one color on the diagonal, one everywhere else. C_8: eight diagonal stripes that wrap around. D_8: five, stripes at the same distance on both sides share a color. S_4 × S_3: four colors in blocks. S_4 on pairs: fifteen colors in a nested pattern. A_8: the two colors of S_8."
fig, axes = plt.subplots(2, 3, figsize=(8, 5.8))
for ax, (name, group) in zip(axes.flat, shown.items(), strict=True):
    ax.imshow(group.orbitals(), cmap="tab20", vmin=0, vmax=19)
    ax.set(xticks=[], yticks=[], title=f"{name}: {counts[name]}")
    ax.grid(False)
plt.show()

# %% [markdown]
# Every color is one weight. $S_n$ distinguishes only *the same point* and *another point*: these two weights are the
# [averaged layer](04_averaged_layer.py). $C_n$ keeps the distance around the circle with its sign: a circular
# convolution. $D_n$ forgets the sign. $S_n \times S_d$ asks whether two entries share their row, and whether they share
# their column: the four weights of [chapter 6](06_rows_and_columns.py). $A_8$ has the two orbitals of $S_8$, for it too
# can bring any two points to any two places. Linear layers see nothing else of a group, and so a network of layers of
# $A_n$ ($n \ge 4$) is invariant to all of $S_n$; an [average](08_symmetrization.py) over $A_n$ need not be ([exercise
# 2](#exercises)).
#
# [`OrbitLinear`][invariant_nets.OrbitLinear] has one channel-mixing matrix per orbital and one bias per orbit of
# points; [`OrbitInvariant`][invariant_nets.OrbitInvariant] is the special case whose output is a single fixed point.
#
# ## Graphs
#
# A graph on $n$ nodes is its adjacency matrix $A$, and renaming the nodes permutes rows and columns *together*:
# $(\sigma \cdot A)_{ij} = A_{\sigma(i)\sigma(j)}$. So the group is $S_n$, acting on the $n^2$ pairs of nodes:
# `symmetric_group(n).on_tuples(2)`. Two pairs of nodes are four nodes, and their orbital says which of the four
# coincide. There are 15 patterns of coincidence, whatever $n \ge 4$ is: the invariant graph networks of [Maron et al.
# (2019)](../bibliography.md#maron-2019).
#
# `OrbitLinear` multiplies by the written-out matrix here: $(n^2 c)^2$ multiplications per graph with $c$ channels. That
# is for small graphs only. The same 15 maps are sums along rows, columns and the diagonal, written back to rows,
# columns and the diagonal, which is far cheaper:


# %%
def fifteen(x):
    """Apply the 15 maps, with means for sums: (batch, n, n, c) to (batch, n, n, 15 c)."""
    n = x.shape[1]
    diagonal, rows, columns = x.diagonal(dim1=1, dim2=2).mT, x.mean(2), x.mean(1)
    i = torch.cat((diagonal, rows, columns), 2)[:, :, None].expand(-1, -1, n, -1)
    whole = torch.cat((diagonal, rows), 2).mean(1)[:, None, None]
    j, whole = i.transpose(1, 2), whole.expand(-1, n, n, -1)
    delta = torch.eye(n, dtype=x.dtype)[:, :, None]
    maps = (x, x.transpose(1, 2), i, j, whole, delta * i, delta * whole)
    return torch.cat(maps, 3)


S7 = symmetric_group(7)
unit = torch.eye(49, dtype=torch.float64).view(49, 7, 7, 1)
matrices = fifteen(unit).view(49, 49, 15).transpose(0, 1)  # to a pair, from a pair
ids = S7.on_tuples(2).orbitals()
spread = max(matrices[ids == r].std(0).max().item() for r in range(15))
rank = int(torch.linalg.matrix_rank(matrices.flatten(0, 1)))
print(f"15 maps, constant on orbitals to {spread:.0e}, of rank {rank}")

with FlopCounterMode(display=False) as counter, torch.no_grad():
    OrbitLinear(S7.on_tuples(2), 16, 16)(torch.zeros(1, 49, 16))
counted = counter.get_total_flops() // 2  # a multiplication and an addition are two
for n in (7, 20, 50):
    dense, cheap = (n * n * 16) ** 2, n * n * 15 * 16 * 16
    print(
        f"{n} nodes: {dense:,} products ({4 * dense / 1e6:,.1f} MB), or {cheap:,}"
    )

# %% [markdown]
# The 15 maps are constant on the orbitals and linearly independent, and so they span the same space of layers. The
# counts are for 16 channels that come in and 16 that go out. What follows trains with the maps.
#
# ### A task, and a plain baseline
#
# The atlas of small graphs ([Read and Wilson, 1998](../bibliography.md#read-1998)) lists every graph of up to seven
# nodes once; 1,044 of them have seven. How hard is it to cut such a graph in two? Its *algebraic connectivity* says so,
# the second smallest eigenvalue of the Laplacian. We train on 100 graphs, choose learning rates on 50 others, and test
# on 500 more. Each graph comes with its nodes in a random order.
#
# The baseline asks what is gained by a network at all: ridge regression on the seven sorted degrees and their squares,
# 15 numbers in all.

# %%
graphs = [graph for graph in networkx.graph_atlas_g() if len(graph) == 7]
adjacency = torch.stack(
    [torch.from_numpy(networkx.to_numpy_array(graph)) for graph in graphs]
).float()
laplacian = torch.diag_embed(adjacency.sum(1)) - adjacency
connectivity = torch.linalg.eigvalsh(laplacian.double())[:, 1].float()

source = torch.Generator().manual_seed(0)
renamings = torch.cat(list(S7.on_tuples(2).elements())).long()  # 5,040 rows
renamed = renamings[torch.randint(5040, (len(graphs),), generator=source)]
pairs = adjacency.flatten(1).gather(1, renamed)  # (graphs, 49)
shuffled = torch.randperm(len(graphs), generator=source)
train, valid, test = shuffled[:100], shuffled[100:150], shuffled[-500:]
target = (connectivity - connectivity[train].mean()) / connectivity[train].std()


def explained(outputs, which):
    """Return the share of the variance that is explained, for each row of outputs."""
    errors = (outputs[..., which] - target[which]).square().mean(-1)
    return 1 - errors / target[which].var(correction=0)


degrees = adjacency.sum(1).sort(1).values
features = torch.cat((degrees, degrees.square()), 1)
features = (features - features[train].mean(0)) / features[train].std(0)
ridges = []
for penalty in (0.1, 1.0, 10.0):
    known = features[train]
    gram = known.T @ known + penalty * torch.eye(14)
    ridges.append(features @ torch.linalg.solve(gram, known.T @ target[train]))
ridge = max(ridges, key=lambda outputs: explained(outputs, valid))

# %% [markdown]
# The networks are the perceptron, trained in three ways, and layers of $S_7$. Each is trained from four initializations
# at once; the validation graphs choose its learning rate among two. With `draws` the perceptron's output is the mean
# over that many random renamings, drawn anew for each graph: one in training is [augmentation](09_augmentation.py), ten
# are a [sampled average](08_symmetrization.py). In the test all perceptrons are shown twice: on the graph as it comes,
# and averaged over 50 renamings.


# %%
def drawn(x, draws, generator):
    """Return graphs under random renamings, (graphs, draws, 49)."""
    if not draws:
        return x[:, None]
    which = torch.randint(5040, (len(x), draws), generator=generator)
    return x[:, None].expand(-1, draws, -1).gather(2, renamings[which])


def fitted(build, draws=0, epochs=160, seeds=4):
    """Train several initializations at once; return outputs(draws) for all graphs."""
    torch.manual_seed(0)
    models = [build() for _ in range(seeds)]

    def outputs(weights, x):
        y = functional_call(models[0], weights, (x.flatten(0, 1),))
        return y.view(len(x), -1).mean(1)  # over draws, and over pairs if any

    several, best = vmap(outputs, (0, None)), None
    for lr in (0.01, 0.03):
        weights, _ = stack_module_state(models)
        optimizer = torch.optim.Adam(weights.values(), lr)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        source = torch.Generator().manual_seed(1)
        for _ in range(epochs):
            for part in train[torch.randperm(100, generator=source)].split(20):
                y = several(weights, drawn(pairs[part], draws, source))
                optimizer.zero_grad()
                (y - target[part]).square().mean(1).sum().backward()
                optimizer.step()
            cosine.step()

        @torch.no_grad()
        def predict(draws, weights=weights):
            source = torch.Generator().manual_seed(2)
            parts = [drawn(part, draws, source) for part in pairs.split(200)]
            return torch.cat([several(weights, part) for part in parts], 1)

        score = explained(predict(draws), valid).mean()
        if best is None or score > best[0]:
            best = score, predict
    return best[1]


class PairLinear(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.linear = nn.Linear(15 * channels, out)

    def forward(self, x):
        return self.linear(fifteen(x))


def perceptron():
    hidden = nn.Linear(49, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU()
    return nn.Sequential(*hidden, nn.Linear(128, 1))


def pair_network(width=16):
    layers = PairLinear(1, width), nn.GELU(), PairLinear(width, width), nn.GELU()
    return nn.Sequential(nn.Unflatten(1, (7, 7, 1)), *layers, nn.Linear(width, 1))


runs = {"ridge on sorted degrees": 2 * (ridge[None],)}  # no renaming changes it
for name, draws in (("", 0), (", augmented", 1), (", 10 draws", 10)):
    fit = fitted(perceptron, draws)
    runs[f"perceptron{name}"] = fit(0), fit(50)
runs["layers of $S_7$"] = 2 * (fitted(pair_network)(0),)
places = {
    "training": (0, train),
    "test": (0, test),
    "test, 50 renamings": (1, test),
}
scores = {
    name: {at: explained(y[mean], which) for at, (mean, which) in places.items()}
    for name, y in runs.items()
}
rows = []
for name, row in scores.items():
    shown_as = {
        at: f"{s.mean():.3f} ± {s.std(correction=0):.3f}" for at, s in row.items()
    }
    rows.append({"model": name} | shown_as)
table(
    rows, caption="share of the variance explained, mean ± spread of four networks"
)

# %% [markdown]
# The perceptron without symmetry learns its hundred graphs by heart, and the plain baseline beats it by far. To average
# it in the test alone helps, and is not enough: it must have seen renamed graphs in training, and the average that was
# trained as an average is the best of the three. It and the layers of $S_7$ beat the baseline, and are level with each
# other at this length of training.
#
# Both miss some 5 percent of the variance. Is that what pair layers cannot see?
#
# ## What pair layers cannot see
#
# *Color refinement* ([Weisfeiler and Leman, 1968](../bibliography.md#weisfeiler-1968)) colors all nodes alike. Then it
# gives each node, again and again, a new color for the pair of its own color and the multiset of its neighbors' colors,
# until no color class splits any more.
#
# !!! abstract "Theorem (pair layers see colors)"
#     If color refinement ends with the same multiset of colors on two graphs, then every network of layers of $S_n$ on
#     pairs, whatever its depth and width, has the same output on both.
#
# *Proof.* Let $c_i$ be the final color of node $i$. We show by induction that in both graphs $h_{ij} = \varphi(c_i,
# c_j, A_{ij}, \delta_{ij})$ after each layer, with the same $\varphi$. For the input, $h_{ij} = A_{ij}$. A layer
# combines 15 maps. Transposing and reading off the diagonal keep the form. In a row sum $\sum_k h_{ik}$ the node $k$
# counts through its color and through whether it is a neighbor of $i$, or $i$ itself. The color $c_i$ determines how
# many neighbors of each color $i$ has, since the coloring no longer splits, and so how many others, since both graphs
# have as many nodes of each color. Hence the row sum is a function of $c_i$, and likewise the column sum. The trace and
# the total are sums over nodes of functions of $c_i$: the same number for both graphs. Nonlinearities act entry by
# entry. The output adds trace and total. $\blacksquare$
#
# Conversely, pair layers can tell apart what color refinement can; with $k$-tuples for pairs the same holds for its
# $k$-dimensional form ([Geerts, 2020](../bibliography.md#geerts-2020)). Here are all 1,044 graphs, and networks with
# random weights in float64.


# %%
names = {}  # a number for each color that ever occurs


def refined(rows):
    """Return the sorted colors of the nodes of a graph, after as many rounds as nodes."""
    colors = [0] * len(rows)
    for _ in rows:
        seen = [
            (own, *sorted(c for c, edge in zip(colors, row, strict=True) if edge))
            for own, row in zip(colors, rows, strict=True)
        ]
        colors = [names.setdefault(color, len(names) + 1) for color in seen]
    return tuple(sorted(colors))


numbers = {}
colored = [refined(rows) for rows in adjacency.int().tolist()]
label = torch.tensor([numbers.setdefault(c, len(numbers)) for c in colored])
same_colors = label[:, None] == label


def told_apart(model):
    """Compare the outputs of a network on all pairs of graphs; True where they differ."""
    exact = adjacency.flatten(1)[..., None].double()
    with torch.no_grad():
        model = model.double().eval()
        y = torch.cat([model(part)[:, 0] for part in exact.split(64)])
    return (y[:, None] - y).abs() > 1e-9 * y.std()


def classes(differ):
    return len((~differ).int().argmax(1).unique())  # by the first that is alike


def deep(group, depth, width=16, start=None):
    start, layers = start or group, []
    for channels in (1, *[width] * (depth - 1)):
        layers += [OrbitLinear(start, channels, width, out_group=group), nn.Tanh()]
        start = group
    return nn.Sequential(*layers, OrbitInvariant(group, width, 1))


torch.manual_seed(4)
two, three = S7.on_tuples(2), S7.on_tuples(3)
small = nn.Sequential(nn.Flatten(), nn.Linear(49, 16), nn.Tanh(), nn.Linear(16, 1))
coded = nn.Sequential(nn.Flatten(), nn.Linear(49, 1, bias=False))
powers = torch.zeros(7, 7)
powers[tuple(torch.triu_indices(7, 7, 1))] = 2.0 ** torch.arange(21)
coded[1].weight.data = powers.view(1, 49)  # f(A) = Σ 2^k A_k, one-to-one on graphs
differ = {
    **{f"pair layers, depth {k}": told_apart(deep(two, k)) for k in (1, 2, 3, 4)},
    "triple layers, depth 2": told_apart(deep(three, 2, 3, start=two)),
    "average over $S_7$ of a perceptron": told_apart(SymmetryModel(small, two)),
    "a one-to-one function": told_apart(coded),
    "average over $S_7$ of it": told_apart(SymmetryModel(coded, two)),
}
table(
    [
        {"function": "color refinement", "told apart": len(numbers)},
        *(
            {"function": name, "told apart": classes(d)}
            for name, d in differ.items()
        ),
    ],
    caption=f"of {len(graphs):,} graphs",
)

colors = torch.nn.functional.one_hot(label).double()
best = colors @ (colors.T @ connectivity.double() / colors.sum(0))  # mean per class
missed = (connectivity - best).square().mean() / connectivity.var(correction=0)
print(f"the best function of the colors explains {1 - missed:.4f} of the variance")

# %% [markdown]
# Pair layers approach the bound from below as they grow deeper. And they cannot be blamed for the 5 percent: the best
# function of the colors explains all but a third of a percent. What the networks miss they have not learned, although
# they could see it.
#
# Two graphs that share their colors are a ring of six nodes beside a single node, and two triangles beside a single
# node: in both, six nodes have two neighbors each. Two ways lead further.
#
# **Another action.** Let the same $S_7$ permute the $7^3$ triples of nodes, with `out_group=`. From pairs to triples
# there are 52 orbitals, from triples to triples 203 (Bell numbers), and a network of them tells all graphs apart.
#
# **The average over the group**, of *almost* every network. It is not enough that the network itself tells all matrices
# apart: $f(A) = \sum_k 2^k A_k$ over the pairs of nodes does, and its average depends on the number of edges alone. But
# let $f$ have a hidden layer of units $\tanh(w \cdot A + b)$. If the averages of such a unit over the orbits of $A$ and
# $B$ agreed for all $w$ and $b$, those of every continuous function would, since sums of units come near all of them
# ([Leshno et al., 1993](../bibliography.md#leshno-1993), for every activation that is no polynomial). Yet some
# continuous function is 1 on the one finite orbit and 0 on the other. So the difference of the averages is not zero
# everywhere, and being analytic in the weights it is zero for almost none. There are finitely many pairs of graphs.
# $\blacksquare$
#
# ## Check the claims

# %%
# The 15 maps are the layers of S_7 on pairs, and the package writes its matrix out.
assert rank == 15 == ids.max() + 1
assert spread < 1e-12
assert counted == (49 * 16) ** 2
assert list(counts.values()) == [2, 8, 5, 4, 15, 2]
assert torch.equal(shown["$S_8$"].orbitals(), shown["$A_8$"].orbitals())

# The baseline beats the perceptron, and is beaten by the layers and by the trained average.
once = {name: row["test"] for name, row in scores.items()}
mean = {name: row["test, 50 renamings"] for name, row in scores.items()}
baseline, layers = mean["ridge on sorted degrees"].max(), mean["layers of $S_7$"]
plain, augmented, average = [y for name, y in mean.items() if "perceptron" in name]
assert scores["perceptron"]["training"].min() > 0.99
assert once["perceptron"].max() < baseline - 0.1
assert once["perceptron"].max() + 0.05 < plain.min()
assert plain.max() + 0.1 < augmented.min() <= augmented.max() < average.min()
assert baseline + 0.01 < min(layers.min(), average.min())
assert abs(layers.mean() - average.mean()) < 0.02

# No pair layer parts what has the same colors; that is not what the networks miss.
depths = [differ[f"pair layers, depth {k}"] for k in (1, 2, 3, 4)]
assert not any((d & same_colors).any() for d in depths)
assert classes(depths[0]) < classes(depths[1]) < len(numbers) == 1022
assert classes(depths[3]) > len(numbers) - 10
assert missed < 0.004 < 0.03 < 1 - max(layers.max(), average.max())
six, triangles = networkx.cycle_graph(6), networkx.cycle_graph(3)
both = [networkx.disjoint_union(triangles, triangles), six]
assert len({refined(networkx.to_numpy_array(g).tolist()) for g in both}) == 1
apart = [classes(d) for d in list(differ.values())[4:]]
assert apart == [1044, 1044, 1044, 22]
assert [int(three.orbitals(g).max()) + 1 for g in (two, three)] == [52, 203]

# %% [markdown]
# ## Summary
#
# - The linear layers of a permutation group have one weight per orbital, an orbit on pairs of points. Generators are
#   enough to find the orbitals; no element needs to be listed.
# - Layers see nothing of a group but its orbitals: $A_n$ gives the layers of $S_n$.
# - Networks for graphs are layers of $S_n$ on pairs of nodes, with 15 weights per pair of channels. Write the maps as
#   sums; written out, the matrix has $n^4 c^2$ entries.
# - Pair layers tell apart at most what color refinement does. Triples see more, at a higher price, and so does the
#   average over $S_n$ of almost every network.
# - Ridge regression on sorted degrees explains nine tenths of the variance here. Ask for such a baseline first, and do
#   not blame expressive power for what was merely not learned.
#
# ## Where the field went
#
# That message passing sees no more than color refinement was shown in 2019 by [Xu et al.
# (2019)](../bibliography.md#xu-2019) and [Morris et al. (2019)](../bibliography.md#morris-2019). [Geerts
# (2020)](../bibliography.md#geerts-2020) settled the linear networks on $k$-tuples, and [Azizian and Lelarge
# (2021)](../bibliography.md#azizian-2021) which functions, not only which graphs, such networks reach. Higher tuples
# are dear, so work turned to networks between pairs and triples: [Huang et al. (2023)](../bibliography.md#huang-2023)
# mark two nodes of a subgraph, and count cycles of up to six nodes. For the layers themselves, [Godfrey et al.
# (2023)](../bibliography.md#godfrey-2023) and [Pearce-Crump (2022)](../bibliography.md#pearce-crump-2022) write the
# maps between $k$-tuples as diagrams of set partitions, and apply them as cheaply as our 15. For other groups, [Finzi
# et al. (2021)](../bibliography.md#finzi-2021) solve the equations of any matrix group numerically. The nearest
# relative of `OrbitLinear` is the library AutoEquiv by Mehran Shakerinava, which colors the matrix of weights from
# generators as we do; the same idea is in [Shakerinava and Ravanbakhsh (2021)](../bibliography.md#shakerinava-2021).
#
# ## Exercises
#
# **1.** How many orbitals has $D_{101}$? How many has $S_n$ on pairs for $n = 3$ and for $n = 2$?
#
# ??? success "Solution"
#     A rotation takes $(a, b)$ to $(0, b - a)$, a reflection turns $b - a$ into $a - b$: the orbitals are the distances
#     $0, \dots, \lfloor n/2 \rfloor$ around the circle. The orbitals on pairs are the ways to divide four things into
#     classes, 15, of which $n$ nodes allow those with at most $n$ classes.

# %% exercise="1"
answer_1 = ...  # three numbers in a tuple

# %% solution="1"
answer_1 = tuple(
    int(orbital_numbers(g).max()) + 1
    for g in (
        dihedral_group(101),
        *(symmetric_group(n).on_tuples(2) for n in (3, 2)),
    )
)

# %% check="1"
check_1 = AnswerCheck("12.1", digest="26fb80fb6849bf71")
check_1(answer_1)

# %% wrong="1"
check_1.holds(
    answer_1, wrong=[(50, 14, 8), (51, 15, 15), (101, 14, 8), (51, 8, 14)]
)

# %% [markdown]
# **2.** Write a function of sets of five numbers, `(batch, 5)` to `(batch,)`, that is invariant to $A_5$ and not to
# $S_5$. Why can no network of layers of $A_5$ compute it?
#
# ??? success "Solution"
#     The product of all differences changes its sign with every swap of two members. The layers of $A_5$ have the
#     orbitals of $S_5$, and so their networks are invariant to $S_5$.


# %% exercise="2"
def handed(x): ...


# %% solution="2"
def handed(x):
    i, j = torch.triu_indices(5, 5, 1)
    return (x[:, i] - x[:, j]).prod(1)


# %% check="2"
def law_2(handed):
    def model(x):
        return handed(x[..., 0])[:, None]

    x = torch.randn(64, 5, 1, generator=torch.Generator().manual_seed(0)).double()
    even = symmetry_report(model, x, alternating_group(5), double=True)
    every = symmetry_report(model, x, symmetric_group(5), double=True)
    assert even, "it should be invariant to the alternating group"
    assert not every, "it should not be invariant to all permutations"


check_2 = CodeCheck("2", law_2)
check_2(handed)

# %% wrong="2"
check_2.holds(
    handed,
    wrong=[lambda x: x.sum(1), lambda x: x[:, 0], lambda x: x.diff().prod(1)],
)

# %% [markdown]
# **3.** How many linear maps from pairs of nodes to nodes commute with renaming? Name them.
#
# ??? success "Solution"
#     Three nodes can coincide in five ways: the diagonal, sums of rows and of columns, trace and total.

# %% exercise="3"
answer_3 = ...

# %% solution="3"
answer_3 = len(OrbitLinear(S7.on_tuples(2), 1, 1, out_group=S7).weight)

# %% check="3"
check_3 = AnswerCheck("12.3", digest="d88a0d9f29954950")
check_3(answer_3)

# %% wrong="3"
check_3.holds(answer_3, wrong=[3, 4, 15, 2])

# %% [markdown]
# **4.** Number the corners of a cube 0 to 7 by their coordinates in binary. Give generators, as lists of images, of all
# 48 symmetries. What does the layer of this group see of two corners?
#
# ??? success "Solution"
#     Reflect one coordinate, and permute the three. The layer sees the distance of the two corners, in edges: four
#     orbitals.

# %% exercise="4"
cube = ...

# %% solution="4"
cube = [
    [i ^ 1 for i in range(8)],
    [i // 2 + i % 2 * 4 for i in range(8)],
    [i & 1 | i >> 1 & 2 | i << 1 & 4 for i in range(8)],
]


# %% check="4"
def law_4(cube):
    group = PermutationGroup(list(map(torch.tensor, cube)))
    assert group.order == 48, (
        f"the group should have 48 elements, it has {group.order}"
    )
    edges = torch.tensor(
        [[(i ^ j).bit_count() == 1 for j in range(8)] for i in range(8)]
    )
    kept = all(torch.equal(edges[g][:, g], edges) for g in map(torch.tensor, cube))
    assert kept, "edges should go to edges"


check_4 = CodeCheck("4", law_4)
check_4(cube)

# %% wrong="4"
shift = [*range(1, 8), 0]
check_4.holds(
    cube, wrong=[[shift], cube[:2], cube[1:], [shift, [1, 0, *range(2, 8)]]]
)

# %% [markdown]
# **5.** A network of layers of $G$ is equivariant to every permutation that takes each orbital to itself. They form a
# group, the *2-closure* of $G$. How many elements has it for $C_9$ and for $A_9$?
#
# ??? success "Solution"
#     A permutation that keeps all differences $b - a$ is determined by where it takes 0: it is a rotation, and $C_9$ is
#     its own 2-closure. Every permutation keeps the two orbitals of $A_9$.

# %% exercise="5"
answer_5 = ...  # two numbers in a tuple

# %% solution="5"
answer_5 = cyclic_group(9).order, symmetric_group(9).order

# %% check="5"
check_5 = AnswerCheck("12.5", digest="82e685da0fd93f36", digits=6)
check_5(answer_5)

# %% wrong="5"
check_5.holds(answer_5, wrong=[(9, 181440), (18, 362880), (362880, 362880)])

# %% [markdown]
# ## Sources
#
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017), *Equivariance Through Parameter-Sharing*: weights
#   shared along orbits.
# - [Maron et al. (2019)](../bibliography.md#maron-2019), *Invariant and Equivariant Graph Networks*: the 15 maps, and
#   those on $k$-tuples.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: orbitals, 2-closure.
# - [Geerts (2020)](../bibliography.md#geerts-2020), *The Expressive Power of kth-order Invariant Graph Networks*: the
#   theorem for every $k$.
