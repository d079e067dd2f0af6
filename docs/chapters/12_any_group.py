# %% [markdown] slide="question"
# # Any permutation group
#
# !!! abstract "What you will be able to do"
#     - Derive all linear layers that are equivariant to a permutation group.
#     - Build the layers of graphs from means, copies and diagonals, and say which graphs they never tell apart.
#     - Measure what networks miss against a Bayes limit, and find out by a control why.
#
# A necklace may be turned, a table has its rows and its columns permuted, a graph its nodes. Must every group have its
# own theory? No: the layers of every permutation group follow from its generators.

# %%
import math
from itertools import combinations

import networkx
import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from torch import nn

from invariant_nets import Task, Trainer, graph_network, pad_graphs
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table, use_book_style
from invariant_nets.groups import cyclic_group, dihedral_group, symmetric_group
from invariant_nets.layers import TensorLinear
from invariant_nets.networks import GraphNetwork

use_book_style()

# %% [markdown] slide="theorem"
# ## One weight per orbital
#
# The orbits of a group $G$ on *pairs* of points are its **orbitals**. They are found from permutations that generate
# $G$, with no element listed: draw an edge from each pair to its image under each generator, and take the connected
# parts of this graph.
#
# !!! theorem "Theorem (orbitals)"
#     Let $G$ act on the points $a$ of the output and on the points $b$ of the input. A linear map $W$ is equivariant if
#     and only if $W_{g(a)\,g(b)} = W_{ab}$ for all $g \in G$, that is, if it is constant on the orbitals.
#
# *Proof.* $(W (g \cdot x))_a = \sum_b W_{ab}\, x_{g(b)}$ and $(g \cdot (W x))_a = (Wx)_{g(a)} = \sum_b W_{g(a)\,
# g(b)}\, x_{g(b)}$. They agree for all $x$ if and only if the coefficients do. $\blacksquare$
#
# $S_n$ distinguishes only *the same point* and *another point*: these two weights are the [averaged
# layer](04_averaged_layer.py). $C_n$ keeps the distance around the circle with its sign, $D_n$ forgets the sign.
# [`OrbitLinear`][invariant_nets.OrbitLinear] is the layer of any group.
#
# ## Graphs and tensors
#
# A graph on $n$ nodes is its adjacency matrix $A$. Renaming nodes permutes rows and columns *together*. So it is a
# **2-tensor**: an array with two axes, both permuted by $S_n$. Triples of nodes have 3-tensors. What are their layers?
#
# !!! theorem "Theorem (set partitions)"
#     The orbitals of $S_n$ between tensors of $l$ and of $k$ axes are the partitions of the set of all $l + k$ axes into
#     at most $n$ blocks. For $n \ge l + k$ their number is the Bell number of $l + k$: 1, 2, 5, 15, 52, 203, …
#
# *Proof.* A point of the input and a point of the output are together a tuple of $l + k$ nodes. It partitions the axes:
# two axes are in one block if they hold the same node. A permutation keeps equal nodes equal and different ones
# different, so a tuple and its image have one partition. Conversely, let two tuples have the same partition. Send the
# node of each block in the first to the node of this block in the second. That is one-to-one, and so extends to a
# permutation. Every partition into at most $n$ blocks belongs to some tuple. $\blacksquare$
#
# So a linear layer from graphs to graphs has 15 weights per pair of channels ([Maron et al.,
# 2019](../bibliography.md#maron-2019)). A block across input and output copies an index; one of input axes alone sums;
# one of output axes alone repeats; two axes of one side in a block are a diagonal. Here are all 15, with means for
# sums. [`TensorLinear`][invariant_nets.TensorLinear] has such maps for every pattern of axes, here `"n n -> n n"`.


# %%
def fifteen(x, over="distinct"):
    """Apply the 15 maps, in the package's order: (batch, n, n) to (batch, 15, n, n)."""
    n = x.shape[1]
    same = torch.eye(n, dtype=torch.bool)
    k = n - (over == "distinct")  # means over the n − 1 other nodes, or over all
    others = x.masked_fill(same, 0) if k < n else x
    rows, columns, diagonal = (
        others.sum(2) / k,
        others.sum(1) / k,
        x.diagonal(0, 1, 2),
    )
    maps = [x, x.mT]  # keep both indices
    for v in (rows, columns, diagonal):  # keep one: as i, as j, on the diagonal
        i = v[:, :, None].expand_as(x)
        maps += [i, i.mT, i]
    for v in (rows, diagonal):  # keep none
        maps += 2 * [v.mean(1)[:, None, None].expand_as(x)]
    on_diagonal = torch.zeros(15, dtype=torch.bool)
    on_diagonal[[4, 7, 10, 12, 14]] = True
    return torch.stack(maps, 1).where(on_diagonal[:, None, None] == same, 0)


layer = TensorLinear("n n -> n n", 1, 15, bias=False, dtype=torch.float64)
with torch.no_grad():
    layer.weight = torch.eye(15)[:, None].double()  # (maps, in, out): one map each
    x = torch.randn(6, 7, 7, generator=torch.Generator().manual_seed(0)).double()
    apart = layer(x[..., None]).movedim(3, 1) - fifteen(x)

# %% [markdown]
# The page's maps are the package's and linearly independent, so they span the layers of the theorem. The tiles show what
# each does to one matrix, with `layer.maps` as captions: axes with the same number are in one block.

# %% moves="pair-maps renaming" alt="Sixteen small tiles. The first is a matrix of five by five random numbers. The other fifteen show what each map makes of it: itself off the diagonal, its transpose, its row means, column means and diagonal copied along rows, along columns and on the diagonal, and its total mean and the mean of its diagonal, everywhere and on the diagonal alone." slide="picture"
x = torch.randn(1, 5, 5, generator=torch.Generator().manual_seed(3))
tiles = {"the input": x[0]} | dict(zip(layer.maps, fifteen(x)[0], strict=True))
fig, axes = plt.subplots(4, 4, figsize=(7, 7.6))
for ax, (name, tile) in zip(axes.flat, tiles.items(), strict=True):
    ax.imshow(tile, vmin=-2, vmax=2, cmap="PuOr")
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, fontsize=9)
plt.show()

# %% [markdown]
# Written out as a matrix, a layer with $c$ channels in and out has $n^4 c^2$ entries and a fixed size: with $c = 16$ and
# $n = 50$, 1.6 billion. As maps it has $15\, c^2$ weights, 3,840.
#
# ## One set of weights for every size
#
# No weight depends on $n$, so a layer takes graphs of every size. But means over what? A graph without loops has 0 on
# its diagonal. A mean over all $n$ entries of a row counts it, and is near $p\,(n-1)/n$ in a random graph with edges of
# probability $p$. The mean over the $n - 1$ *distinct* other nodes, which the package takes, is near $p$ at every size.
#
# Does this matter? Take networks with a hidden layer of random weights, fit their readout by least squares on graphs of
# 12 nodes, and test them on up to 200. The target is the mean over the nodes of $\bar d_i^2$, where $\bar d_i$ is the
# share of the other nodes that are neighbors of $i$; errors are root mean squares, in standard deviations of it. In the
# control the means are over all indices.


# %%
def pooled(x, over, weight):
    """Apply a hidden layer with a ReLU, and average over pairs of nodes."""
    h = torch.einsum("bmij,mc->bcij", fifteen(x, over), weight[:15])
    h = (h + weight[15, :, None, None]).relu().flatten(0, 1)
    h = fifteen(h, over)[:, 11, 0, 1].view(len(x), -1)
    return nn.functional.pad(h, (0, 1), value=1).double()


def graphs_of(p, source):  # edges with these probabilities
    upper = (torch.rand(p.shape, generator=source) < p).float().triu(1)
    return upper + upper.mT


def uneven(n, count, source):  # half of the nodes, more or less, have fewer edges
    few, p = torch.rand(2, count, 1, generator=source)
    p = torch.where(torch.rand(count, n, generator=source) < 0.5, few * p, p)
    x = graphs_of((p[:, :, None] * p[:, None]).sqrt(), source)
    return x, (x.sum(1) / (n - 1)).square().mean(1).double()


source = torch.Generator().manual_seed(5)
x, y = uneven(12, 400, source)
sized = [uneven(*of, source) for of in ((12, 100), (50, 10), (200, 2))]
misses = {"distinct": [], "all": []}
for _ in range(6):
    weight = torch.randn(16, 16, generator=source)
    for over, found in misses.items():
        known = pooled(x, over, weight)
        gram = known.T @ known + 1e-3 * torch.eye(17)
        readout = torch.linalg.solve(gram, known.T @ y)
        for data, target in sized:
            off = (pooled(data, over, weight) @ readout - target) / y.std()
            found.append(off.square().mean().sqrt())
misses = {over: torch.stack(found).view(6, 3) for over, found in misses.items()}
heads = ("error, means over", "12 nodes", "50 nodes", "200 nodes")
lines = [(over, *(f"{m:.3f}" for m in of.mean(0))) for over, of in misses.items()]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown] slide="theorem"
# At the size of the fit both do alike, for there they span the same layers. On larger graphs the error of the means
# over all indices is several times as large.
#
# ## What tensors cannot see
#
# *Color refinement* ([Weisfeiler and Leman, 1968](../bibliography.md#weisfeiler-1968)) colors all nodes alike, and then
# gives each node, again and again, a new color for its own and for the multiset of its neighbors' colors.
#
# !!! theorem "Theorem (what tensors see)"
#     Networks of $k$-tensors tell apart the same graphs as the $k$-dimensional Weisfeiler–Leman test ([Geerts,
#     2020](../bibliography.md#geerts-2020)). For $k = 2$ this is color refinement. For $k = 3$ it is the *folklore* test
#     on pairs of nodes: color each pair by whether it is a node, an edge or neither; then give $(i, j)$, again and again,
#     a new color for its own and for the multiset, over all nodes $m$, of the colors of $(i, m)$ and $(m, j)$.
#
# *Half of the proof, for $k = 2$.* Let two graphs end with the same multiset of colors $c_i$. By induction
# $h_{ij} = \varphi(c_i, c_j, A_{ij}, \delta_{ij})$ after each layer, with one $\varphi$ for both graphs: in a row mean
# node $m$ counts through its color and through whether it is $i$ or a neighbor of $i$, and $c_i$ determines how many
# neighbors of each color $i$ has. So the outputs agree. $\blacksquare$
#
# In a ring of six nodes and in two triangles every node has two neighbors, and keeps one color: 2-tensors cannot count
# triangles. 3-tensors can, but not everything. In a *strongly regular* graph all nodes have $d$ neighbors, and two nodes
# have $\lambda$ common neighbors if they are adjacent and $\mu$ if not. Two such graphs with the same $n, d, \lambda,
# \mu$ are alike to the folklore test. For let $(i, j)$ be an edge. Of the other nodes $\lambda$ are neighbors of both,
# $d - 1 - \lambda$ of $i$ alone, as many of $j$ alone, the rest of neither: all edges keep one color, likewise all nodes,
# and all pairs that are not adjacent.
#
# We try the 1,044 graphs of seven nodes of the atlas of [Read and Wilson (1998)](../bibliography.md#read-1998);
# *circular skip links*, rings of 41 nodes with a second edge from each to the one $r$ places on, for ten values of $r$;
# and two strongly regular graphs of 16 nodes, the moves of a rook on four by four squares and the graph of Shrikhande.
# The networks have random weights: four layers of 2-tensors, three of 3-tensors.


# %%
def colors(graph):
    networkx.set_node_attributes(graph, "", "color")  # all alike at first
    return networkx.weisfeiler_lehman_graph_hash(graph, None, "color", iterations=7)


def random_network(axes, width, depth):
    layers = []
    for k in range(depth):
        inner, channels = (axes, width) if k else ("n n", 1)
        layers += [TensorLinear(f"{inner} -> {axes}", channels, width), nn.Tanh()]
    return GraphNetwork(*layers, TensorLinear(f"{axes} ->", width, 1)).double()


@torch.no_grad()
def told_apart(network, graphs):
    y = torch.cat([network(part)[:, 0] for part in graphs.split(64)]).sort().values
    return int((y.diff() > 1e-12).sum()) + 1


skips = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
u, v = [(place[:, None] - place) % 4 for place in divmod(np.arange(16), 4)]
moves = networkx.from_numpy_array(np.isin(4 * u + v, (1, 3, 4, 12, 5, 15)))
rook = networkx.line_graph(networkx.complete_bipartite_graph(4, 4))
families = {
    "atlas": networkx.graph_atlas_g()[-1044:],
    "skip links": [networkx.circulant_graph(41, [1, r]) for r in skips],
    "strongly regular": [rook, moves],
}
torch.manual_seed(0)
models = {"2-tensors": random_network("n n", 8, 4)}
models["3-tensors"] = random_network("n n n", 3, 3)
told = {name: [] for name in ("color refinement", *models)}
for graphs in families.values():
    told["color refinement"].append(len(set(map(colors, graphs))))
    dense = np.stack([networkx.to_numpy_array(graph) for graph in graphs])
    for name, network in models.items():
        told[name].append(told_apart(network, torch.from_numpy(dense)))
heads = ("graphs told apart", *(f"{k} ({len(x)})" for k, x in families.items()))
table([dict(zip(heads, (k, *of), strict=True)) for k, of in told.items()])

# %% [markdown]
# 2-tensors come close to the bound of the colors. 3-tensors tell the atlas and all skip links apart, but not the
# strongly regular pair. (Only the rook's graph has cliques of four: [exercise 4](#exercises).)
#
# ## A task: was this graph planted?
#
# What a network *can* see is not what it *learns*. The task is to detect a **planted bisection**
# ([Abbe, 2018](../bibliography.md#abbe-2018)). With label 1 the nodes are two hidden halves, and an edge has probability
# 0.8 within and 0.2 across them. With label 0 all edges have one probability, which gives as many edges on average.
# Graphs have 10 to 16 nodes, so few that a mean over all bisections gives the likelihood of label 1: the Bayes limit.


# %%
inside, across = 0.8, 0.2
even = {n: ((n - 2) * inside + n * across) / (2 * n - 2) for n in (10, 12, 14, 16)}


def evidence(x):  # log p(graph | label 1) − log p(graph | label 0)
    n = x.shape[1]
    i, j = torch.triu_indices(n, n, 1)
    halves = torch.tensor(list(combinations(range(1, n), n // 2)))
    half = torch.zeros(len(halves), n).scatter_(1, halves, 1.0)
    p = torch.where(half[:, i] == half[:, j], inside, across)
    edge, none = (p / even[n]).log(), ((1 - p) / (1 - even[n])).log()
    each = x[:, i, j] @ (edge - none).mT + none.sum(1)  # (graphs, bisections)
    return each.logsumexp(1) - math.log(len(halves))


def sample(count, seed):  # graphs with masks, and labels; the graphs of each size
    source, parts = torch.Generator().manual_seed(seed), []
    label = torch.arange(count) % 2
    for n, p0 in even.items():
        half = torch.rand(count, n, generator=source).argsort(1) < n // 2
        p = torch.where(half[:, :, None] == half[:, None], inside, across)
        parts.append(graphs_of(p.where(label[:, None, None] == 1, p0), source))
    y = label.repeat(len(even))[:, None].float()
    return (pad_graphs([graph for part in parts for graph in part]), y), parts


sets, parts = zip(*map(sample, (1000, 100, 500), range(3)), strict=True)
label = sets[2][1][:, 0] > 0.5
bayes = (torch.cat([evidence(x) for x in parts[2]]) > 0) == label

# %% [markdown]
# **Plain methods** are logistic regressions: on the size and the first three moments of the degrees, and on these with
# the density of triangles and the outer eigenvalues of $A - \bar A$. **Networks** have two layers of 2-tensors, a mean
# over the graph, and a small head that standardizes it. A [`Trainer`][invariant_nets.Trainer] makes 150 steps of Adam on
# 32 graphs. Validation graphs choose the learning rate among two, on the first of four seeds.


# %%
def summaries(x):  # moments of the degrees, the size, triangles, eigenvalues
    n = x.shape[1]
    d = x.sum(1) / (n - 1)
    mean = d.mean(1, keepdim=True)
    found = [mean[:, 0], *((d - mean).pow(power).mean(1) for power in (2, 3))]
    found += [torch.full((len(x),), 1 / n), (x @ x * x).mean((1, 2)) / n]
    outer = torch.linalg.eigvalsh(x - x.mean((1, 2), True))[:, [0, 1, -2, -1]]
    return torch.stack([*found, *outer.mT / n**0.5], 1)


def regression(columns):
    known, new = ([summaries(x)[:, :columns] for x in parts[k]] for k in (0, 2))
    fit = LogisticRegression(C=1e6, solver="newton-cholesky")
    fit.fit(torch.cat(known), sets[0][1][:, 0])
    guess = torch.from_numpy(fit.predict(torch.cat(new)))
    return ((guess > 0.5) == label).expand(SEEDS, -1)


def trained(lr, seed, known, valid):
    torch.manual_seed(seed)
    (x, mask), y = known
    sizes = {"edge_features": x[0, 0, 0].numel(), "hidden": (8, 8), "outputs": 16}
    head = nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
    model = graph_network(**sizes, undirected=True).extend(head)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    trainer = Trainer(model, TASK, optimizer, scheduler=cosine, per_step=True)
    some = torch.randint(len(x), (STEPS, 32))
    trainer.fit([((x[k], mask[k]), y[k]) for k in some], [valid], num_epochs=1)
    return trainer


def networks(known, valid, test):  # right or not, (seeds, graphs)
    first = {lr: trained(lr, 0, known, valid) for lr in (0.01, 0.03)}
    lr = min(first, key=lambda lr: first[lr].history.valid_loss)
    others = [trained(lr, seed, known, valid) for seed in range(1, SEEDS)]
    with torch.no_grad():
        y = [of.model(test[0][0], mask=test[0][1]) for of in (first[lr], *others)]
    return (torch.stack(y)[..., 0] > 0) == label


def with_common(of):  # and the share of the other nodes that are neighbors of both
    (x, mask), y = of
    shared = x @ x * (1 - torch.eye(16)) / (mask.sum(1)[:, None, None] - 2)
    return (torch.stack((x, shared), 3), mask), y


def paired(one, two):
    """Return the mean of one − two, both (seeds, graphs), and its standard error."""
    apart = one.float() - two.float()
    variance = apart.mean(1).var() / len(apart) + apart.mean(0).var() / len(apart.T)
    return apart.mean().item(), variance.sqrt().item()


SEEDS, STEPS, TASK = 4, 150, Task.binary()
right = {
    "2-tensors": networks(*sets),
    "2-tensors, given common neighbors": networks(*map(with_common, sets)),
    "regression on moments": regression(4),
    "regression on triangles, spectrum": regression(9),
    "Bayes limit": bayes.expand(SEEDS, -1),
}
heads = "model", "accuracy", "behind the limit", "error"
limit = right["Bayes limit"]
lines = [(k, x.float().mean().item(), *paired(limit, x)) for k, x in right.items()]
lines.sort(key=lambda line: line[1])
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# 2-tensors reach no more than the moments of the degrees do. Why? The theorem does not forbid them to do better: nearly
# all test graphs of 16 nodes differ in their colors. The control gives the same network one more feature of each pair,
# the number of common neighbors, from which triangles can be counted. That closes the gap: triangles are what it lacked.
# Yet it does not get ahead of the plain method that knows where to look. In [longer
# training](../benchmarks.md#planted-bisections) message passing stays near the degrees too, as Deep Sets and attention
# on the degrees do, until its nodes are given their triangles.
#
# ## Check the claims

# %%
four = symmetric_group(4)
groups = four, cyclic_group(8), dihedral_group(8), four.on_tuples(2)
assert [int(group.orbitals().max()) + 1 for group in groups] == [2, 8, 5, 15]
assert apart.abs().max() < 1e-12
of_units = fifteen(torch.eye(49).view(49, 7, 7)).transpose(0, 1).flatten(1)
assert torch.linalg.matrix_rank(of_units) == 15

# Means over distinct indices carry over to larger graphs, the others do not.
ratio = (misses["all"] / misses["distinct"]).log()  # (networks, sizes)
assert misses["all"][:, 0].max() < 0.05
assert (ratio.mean(0) - 3 * ratio.std(0) / 6**0.5)[1:].min() > math.log(2)
assert misses["distinct"].max() < 0.1

# 2-tensors see colors, 3-tensors more. All test graphs of 16 nodes have other colors.
assert told["color refinement"] == [1022, 1, 1]
assert 1010 < told["2-tensors"][0] <= 1022
assert told["2-tensors"][1:] == [1, 1]
assert told["3-tensors"] == [1044, 10, 1]
drawn = [networkx.from_numpy_array(x.numpy()) for x in parts[2][3]]
assert len(set(map(colors, drawn))) > 490

# 2-tensors stay with the degrees; triangles close the gap. All by three standard errors.
pairs, given, plain, spectral, _ = right.values()
for one, two, bound in ((pairs, plain, 0.03), (given, spectral, 0.02)):
    gain, error = paired(one, two)
    assert gain + 3 * error < bound
gain, error = paired(given, pairs)
assert gain - 3 * error > 0.15

# %% [markdown] slide="verdict"
# ## Summary
#
# - The linear layers of a permutation group have one weight per orbital, an orbit on pairs of points.
# - Between tensors these are set partitions: 15 maps from graphs to graphs, made of means, copies and diagonals.
# - Means over distinct indices make one set of weights serve graphs of every size.
# - 2-tensors tell apart what color refinement does. 3-tensors see more, but not in strongly regular graphs.
# - Learning stops earlier: 2-tensors miss a bisection that triangles give away. A control finds what they lack.
#
# ## Where the field went
#
# [Godfrey et al. (2023)](../bibliography.md#godfrey-2023) and [Pearce-Crump (2022)](../bibliography.md#pearce-crump-2022)
# apply the maps as diagrams of set partitions. [Cai and Wang (2022)](../bibliography.md#cai-2022) and [Herbst and Jegelka
# (2025)](../bibliography.md#herbst-2025) ask when outputs converge on growing graphs. That message passing sees what
# color refinement sees was shown by [Xu et al. (2019)](../bibliography.md#xu-2019) and [Morris et al.
# (2019)](../bibliography.md#morris-2019). [Huang et al. (2023)](../bibliography.md#huang-2023) count cycles at less than
# the cost of triples. [Shakerinava and Ravanbakhsh (2021)](../bibliography.md#shakerinava-2021) color matrices from
# generators, as `OrbitLinear` does.
#
# ## Exercises
#
# **1.** How many orbitals has $D_{101}$? How many has $S_n$ on pairs for $n = 3$ and for $n = 2$?
#
# ??? success "Solution"
#     The distances $0, \dots, 50$ around the circle; the partitions of four axes into at most three, and two, blocks.

# %% exercise="1"
answer_1 = ...  # three numbers in a tuple

# %% solution="1"
of = dihedral_group(101), *(symmetric_group(n).on_tuples(2) for n in (3, 2))
answer_1 = tuple(int(group.orbitals().max()) + 1 for group in of)

# %% check="1"
check_1 = AnswerCheck("12.1", digest="26fb80fb6849bf71")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(50, 14, 8), (51, 15, 15), (101, 14, 8)])

# %% [markdown]
# **2.** How many maps have `"n n m -> n m"`, `"n n n -> n n"`, and `"n n -> n n"` between symmetric tensors?
#
# ??? success "Solution"
#     Partitions of the three $n$ times those of the two $m$, $5 \cdot 2$; the Bell number of 5; and 9.

# %% exercise="2"
answer_2 = ...  # three numbers in a tuple

# %% solution="2"
of = ("n n m -> n m", "none"), ("n n n -> n n", "none"), ("n n -> n n", "both")
answer_2 = tuple(len(TensorLinear(p, 1, 1, symmetric=s).maps) for p, s in of)

# %% check="2"
check_2 = AnswerCheck("12.2", digest="485e4a7906460624")
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[(52, 52, 9), (10, 52, 15), (10, 203, 9)])

# %% [markdown]
# **3.** Count the triangles at each node, `(batch, n, n)` to `(batch, n)`: what 2-tensors cannot do.
#
# ??? success "Solution"
#     $(A^3)_{ii}$ counts each triangle twice.


# %% exercise="3"
def corners(x): ...


# %% solution="3"
def corners(x):
    return (x @ x * x).sum(2) / 2


# %% check="3"
def law_3(corners):
    wheel = torch.from_numpy(networkx.to_numpy_array(networkx.wheel_graph(6)))[None]
    assert corners(wheel).tolist() == [[5, 2, 2, 2, 2, 2]], "the hub has five"


check_3 = CodeCheck("3", law_3)
check_3(corners)

# %% wrong="3"
twice = lambda x: (x @ x * x).sum(2)  # noqa: E731
check_3.holds(corners, wrong=[twice, lambda x: x.sum(2), lambda x: (x @ x).sum(2)])

# %% [markdown]
# **4.** Count cliques of four nodes, `(batch, n, n)` to `(batch,)`: what 3-tensors cannot do. Which of the strongly
# regular graphs has some?
#
# ??? success "Solution"
#     All six edges must be there, and each clique is met in 24 orders. The rook's lines are cliques, eight of them.


# %% exercise="4"
def cliques(x): ...


# %% solution="4"
def cliques(x):
    return torch.einsum("zab,zac,zad,zbc,zbd,zcd->z", *6 * [x]) / 24


# %% check="4"
def law_4(cliques):
    pair = map(networkx.to_numpy_array, families["strongly regular"])
    found = cliques(torch.from_numpy(np.stack([*pair]))).tolist()
    assert found == [8, 0], "one of the two graphs has eight"


check_4 = CodeCheck("4", law_4)
check_4(cliques)

# %% wrong="4"
wrong = [lambda x: (x @ x * x).sum((1, 2)) / 6, lambda x: x.sum((1, 2)) / 2]
check_4.holds(cliques, wrong=[*wrong, lambda x: x.sum((1, 2)) / 12])

# %% [markdown]
# **5.** A network of layers of $G$ is equivariant to every permutation that takes each orbital to itself, the
# *2-closure* of $G$. How many elements has it for $C_9$ and for the alternating group $A_9$?
#
# ??? success "Solution"
#     One that keeps all differences is a rotation; and $A_9$ has the two orbitals of $S_9$.

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
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017): weights shared along orbits.
# - [Maron et al. (2019)](../bibliography.md#maron-2019): the maps on $k$-tensors.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996): orbitals, 2-closure.
# - R. L. Murphy and others, *Relational Pooling for Graph Representations*, ICML 2019: the skip links.
