# %% [markdown]
# # Any permutation group
#
# !!! abstract "What you will be able to do"
#     - Derive all linear layers that are equivariant to a permutation group, those of graphs among them.
#     - Build the layers of graphs from sums, copies and diagonals, and use one set of weights for every size.
#     - Say which graphs such a network can never tell apart.
#     - Measure what networks miss against a Bayes limit, and find out by a control why.
#
# So far nearly everything was about $S_n$ on sets. But a necklace may be turned, a table has its rows and its columns
# permuted, a graph its nodes. Must every group have its own theory? No. The layers of every permutation group follow
# from its generators, and those of graphs can be written down by hand.

# %%
import math
from itertools import combinations

import networkx
import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from invariant_nets import pad_graphs
from invariant_nets.figures import table, use_book_style
from invariant_nets.groups import cyclic_group, dihedral_group, symmetric_group
from invariant_nets.layers import TensorLinear
from invariant_nets.networks import (
    GraphNetwork,
    SetNetwork,
    deep_sets,
    graph_network,
    set_transformer,
)

use_book_style()

# %% [markdown]
# ## One weight per orbital
#
# Let $G$ be the group that a few permutations *generate*: all their products. The orbits of $G$ on *pairs* of points
# are called its **orbitals**. No element of $G$ needs to be listed to find them. Draw an edge from each pair to its
# image under each generator: the orbitals are the connected parts of this graph, since every element is a product of
# generators ([exercise 1](#exercises)).
#
# !!! abstract "Theorem (orbitals)"
#     Let $G$ act on the points $a$ of the output and on the points $b$ of the input. A linear map $W$ is equivariant if
#     and only if $W_{g(a)\,g(b)} = W_{ab}$ for all $g \in G$, that is, if it is constant on the orbitals.
#
# *Proof.* $(W (g \cdot x))_a = \sum_b W_{ab}\, x_{g(b)}$ and $(g \cdot (W x))_a = (Wx)_{g(a)} = \sum_b W_{g(a)\,
# g(b)}\, x_{g(b)}$. They agree for all $x$ if and only if the coefficients do. $\blacksquare$

# %%
four = symmetric_group(4)
groups = four, cyclic_group(8), dihedral_group(8), four.on_tuples(2)
counts = [int(group.orbitals().max()) + 1 for group in groups]
print(dict(zip(("S_4", "C_8", "D_8", "S_4 on pairs"), counts, strict=True)))

# %% [markdown]
# $S_n$ distinguishes only *the same point* and *another point*: these two weights are the [averaged
# layer](04_averaged_layer.py). $C_n$ keeps the distance around the circle with its sign, $D_n$ forgets the sign.
# [`OrbitLinear`][invariant_nets.OrbitLinear] is the layer of any group. The pairs are what graphs are made of.
#
# ## Graphs and tensors
#
# A graph on $n$ nodes is its adjacency matrix $A$, and renaming the nodes permutes rows and columns *together*. It is a
# **2-tensor**: an array with two axes, both of which $S_n$ permutes. A feature of triples of nodes is a 3-tensor. What
# are the linear layers between tensors?
#
# !!! abstract "Theorem (set partitions)"
#     The orbitals of $S_n$ between tensors of $l$ and of $k$ axes are the partitions of the set of all $l + k$ axes into
#     at most $n$ blocks. For $n \ge l + k$ their number is the Bell number of $l + k$: 1, 2, 5, 15, 52, 203, …
#
# *Proof.* A point of the input and a point of the output are together a tuple of $l + k$ nodes. It partitions the axes:
# two axes are in one block if they hold the same node. A permutation keeps equal nodes equal and different ones
# different, so a tuple and its image have one partition. Conversely, let two tuples have the same partition. Send the
# node of each block in the first to the node of this block in the second. That is one-to-one, and so extends to a
# permutation. Every partition into at most $n$ blocks belongs to some tuple. $\blacksquare$
#
# So a linear layer from graphs to graphs has 15 weights per pair of channels, whatever $n \ge 4$ is ([Maron et al.,
# 2019](../bibliography.md#maron-2019)). A block across input and output copies an index; a block of input axes alone
# sums over one; a block of output axes alone repeats along one; two axes of one side in a block are a diagonal. With
# means in the place of sums, here are all 15. [`TensorLinear`][invariant_nets.TensorLinear] has such maps for every
# pattern of axes, here `"n n -> n n"`.


# %%
def fifteen(x, over="distinct"):
    """Apply the 15 maps, in the package's order: (batch, n, n) to (batch, 15, n, n)."""
    n = x.shape[1]
    same = torch.eye(n, dtype=torch.bool)
    diagonal, others = x.diagonal(dim1=1, dim2=2), x
    if over == "distinct":  # means over the n − 1 other nodes
        others = x.masked_fill(same, 0)
    k, m = {"distinct": (n - 1, n), "all": (n, n), "sum": (12, 12)}[over]
    rows, columns = others.sum(2) / k, others.sum(1) / k
    maps = [x, x.mT]  # keep both indices
    for v in (rows, columns, diagonal):  # keep one: as i, as j, on the diagonal
        i = v[:, :, None].expand_as(x)
        maps += [i, i.mT, i]
    for v in (rows, diagonal):  # keep none
        maps += 2 * [(v.sum(1) / m)[:, None, None].expand_as(x)]
    on_diagonal = torch.zeros(15, dtype=torch.bool)
    on_diagonal[[4, 7, 10, 12, 14]] = True
    return torch.stack(maps, 1).where(on_diagonal[:, None, None] == same, 0)


layer = TensorLinear("n n -> n n", 1, 15, bias=False, dtype=torch.float64)
with torch.no_grad():
    layer.weight = torch.eye(15)[:, None].double()  # (maps, in, out): one map each
    x = torch.randn(6, 7, 7, generator=torch.Generator().manual_seed(0)).double()
    apart = layer(x[..., None]).movedim(3, 1) - fifteen(x)

unit = torch.eye(49, dtype=torch.float64).view(49, 7, 7)
rank = int(torch.linalg.matrix_rank(fifteen(unit).transpose(0, 1).flatten(1)))
print(f"away from the package's: {apart.abs().max():.0e}, rank: {rank}")

# %% [markdown]
# The 15 maps are equivariant and linearly independent, so they span the layers of the theorem. The tiles show what each
# does to one matrix, with `layer.maps` as captions: input axes on the left, output axes on the right, and axes with the
# same number in one block.

# %% alt="Sixteen small tiles. The first is a matrix of five by five random numbers. The other fifteen show what each map makes of it: itself off the diagonal, its transpose, its row means, column means and diagonal copied along rows, along columns and on the diagonal, and its total mean and the mean of its diagonal, everywhere and on the diagonal alone."
x = torch.randn(1, 5, 5, generator=torch.Generator().manual_seed(3))
tiles = {"the input": x[0]} | dict(zip(layer.maps, fifteen(x)[0], strict=True))
fig, axes = plt.subplots(4, 4, figsize=(7, 7.6))
for ax, (name, tile) in zip(axes.flat, tiles.items(), strict=True):
    ax.imshow(tile, vmin=-2, vmax=2, cmap="PuOr")
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, fontsize=9)
    ax.grid(False)
plt.show()

# %% [markdown]
# Two maps keep both indices of the input, nine keep one and four none. A layer with $c$ channels in and out has $15
# c^2$ weights and needs $(2 n^2 + 9 n + 4)\, c^2$ products. Written out as a matrix it has $n^4 c^2$ entries, and a
# fixed size: with $c = 16$ and $n = 50$, 1.6 billion instead of 3,840 weights and 1.4 million products.
#
# ## One set of weights for every size
#
# No weight depends on $n$, so a layer takes graphs of every size. Does it do *the same* with them? A sum grows with
# $n$, a mean has a limit. But over what is the mean? A graph without loops has 0 on its diagonal. The mean of a row
# over all $n$ entries counts it, and is near $p\,(n-1)/n$ in a random graph with edges of probability $p$; the mean
# over the $n - 1$ *distinct* other nodes is near $p$ at every size. The package takes means over distinct indices. On a
# complete graph a network of such layers has the same output at every size: all entries off the diagonal stay equal,
# all on it too, and means of equal numbers are exact.
#
# Does this matter? Take networks with one hidden layer of fixed random weights, and fit their readout by least squares on
# graphs of 12 nodes. Then test them on up to 200. The target is the mean over the nodes of $\bar d_i^2$, where $\bar
# d_i$ is the share of the other nodes that are neighbors of $i$; in each graph some nodes have fewer edges than others.
# In the control the means are over all indices; then we keep the divisor 12 at all sizes, which makes them sums.


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
misses = {"distinct": [], "all": [], "sum": []}
for _ in range(6):
    weight = torch.randn(16, 16, generator=source)
    for over, how in (("distinct", "distinct"), ("all", "all"), ("all", "sum")):
        known = pooled(x, over, weight)
        gram = known.T @ known + 1e-3 * torch.eye(17)
        readout = torch.linalg.solve(gram, known.T @ y)
        for data, target in sized:
            off = (pooled(data, how, weight) @ readout - target) / y.std()
            misses[how].append(off.square().mean().sqrt())
misses = {over: torch.stack(of).view(6, 3) for over, of in misses.items()}
heads = ("means over", "12 nodes", "50 nodes", "200 nodes")
lines = [(over, *(f"{m:,.3f}" for m in of.mean(0))) for over, of in misses.items()]
lines = [dict(zip(heads, line, strict=True)) for line in lines]
table(lines, caption="root mean squared error, in deviations of the target")

# %% [markdown]
# At the size of the fit both kinds of means do alike, for there they span the same layers. On larger graphs the error
# of the means over all indices is ten times as large, and the sums have lost all measure.
#
# ## What tensors cannot see
#
# *Color refinement* ([Weisfeiler and Leman, 1968](../bibliography.md#weisfeiler-1968)) colors all nodes alike. Then it
# gives each node, again and again, a new color for the pair of its own color and the multiset of its neighbors' colors,
# until no color class splits any more.
#
# !!! abstract "Theorem (2-tensors see colors)"
#     If color refinement ends with the same multiset of colors on two graphs, then every network of layers from
#     2-tensors to 2-tensors, whatever its depth and width, has the same output on both.
#
# *Proof.* Let $c_i$ be the final color of node $i$. By induction $h_{ij} = \varphi(c_i, c_j, A_{ij}, \delta_{ij})$ after
# each layer, with the same $\varphi$ for both graphs. It holds for $A$; transposes, diagonals and nonlinearities keep
# it. In a row mean the node $k$ counts through its color and through whether it is $i$, or a neighbor of $i$. Since the
# coloring no longer splits, $c_i$ determines how many neighbors of each color $i$ has. So row and column means are
# functions of $c_i$, and trace and total are means of such functions over the same colors. $\blacksquare$
#
# In a ring of six nodes and in two triangles every node has two neighbors, so all nodes keep one color: 2-tensors
# cannot count triangles. Conversely, they can tell apart whatever color refinement can. [Geerts
# (2020)](../bibliography.md#geerts-2020) proves both directions for every $k$: networks of $k$-tensors tell apart the
# same graphs as the $k$-dimensional Weisfeiler–Leman test, which for $k = 2$ is color refinement. For $k = 3$ it has a form on pairs of nodes, the
# *folklore* test of dimension 2. Color each pair by whether it is a node, an edge or neither. Give the pair $(i, j)$,
# again and again, a new color for its own and for the multiset, over all nodes $k$, of the colors of $(i, k)$ and $(k,
# j)$. So 3-tensors see triangles, and still not everything.
#
# In a *strongly regular* graph all nodes have $d$ neighbors, and two nodes have $\lambda$ common neighbors if they are
# adjacent and $\mu$ if not. The folklore test cannot tell apart two such graphs with the same $n, d, \lambda, \mu$. For
# let $(i, j)$ be an edge. Of the other nodes $\lambda$ are neighbors of both, $d - 1 - \lambda$ of $i$ alone, as many of
# $j$ alone, and the rest of neither. So all edges have the same multiset and keep one color, in both graphs; likewise
# all nodes, and all pairs that are not adjacent. No color splits. $\blacksquare$
#
# We look at three families: the 1,044 graphs of seven nodes in the atlas of [Read and Wilson
# (1998)](../bibliography.md#read-1998); *circular skip links*, rings of 41 nodes with a second edge from each node to
# the one $r$ places on, for ten values of $r$ that give different graphs; and two strongly regular graphs with
# parameters $(16, 6, 2, 2)$, the moves of a rook on a board of four by four and the graph of Shrikhande. The networks
# have random weights, in float64.


# %%
def refined(rows, seen):
    """Return the sorted colors of the nodes; `seen` numbers all colors."""
    color = [0] * len(rows)
    for _ in range(7):
        near = [[c for c, e in zip(color, row, strict=True) if e] for row in rows]
        keys = [(own, *sorted(of)) for own, of in zip(color, near, strict=True)]
        color = [seen.setdefault(key, len(seen) + 1) for key in keys]
    return tuple(sorted(color))


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


atlas = networkx.graph_atlas_g()[-1044:]  # those of seven nodes
ring = (torch.arange(41)[:, None] - torch.arange(41)) % 41
skips = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
links = [torch.isin(ring, torch.tensor([1, r, 41 - r, 40])) for r in skips]
board = torch.cartesian_prod(torch.arange(4), torch.arange(4))
step = (board[:, None] - board) % 4
rook = (step == 0).sum(2) == 1
moves = torch.tensor([1, 3, 4, 5, 12, 15])
shrikhande = torch.isin(step @ torch.tensor([4, 1]), moves)
families = {
    "atlas": torch.from_numpy(np.stack([*map(networkx.to_numpy_array, atlas)])),
    "skip links": torch.stack(links).double(),
    "strongly regular": torch.stack((rook, shrikhande)).double(),
}
torch.manual_seed(0)
networks = {
    f"2-tensors, depth {k}": random_network("n n", 8, k) for k in range(1, 5)
}
networks["3-tensors, depth 3"] = random_network("n n n", 3, 3)
told = {name: [] for name in ("color refinement", *networks)}
for graphs in families.values():
    seen, rows = {}, graphs.int().tolist()
    told["color refinement"].append(len({refined(row, seen) for row in rows}))
    for name, network in networks.items():
        told[name].append(told_apart(network, graphs))
heads = ("graphs told apart", *(f"{k} ({len(x)})" for k, x in families.items()))
table([dict(zip(heads, (k, *of), strict=True)) for k, of in told.items()])

# %% [markdown]
# 2-tensors approach the bound of the colors from below as they grow deeper. 3-tensors tell all graphs of the atlas and
# all skip links apart, but not the strongly regular pair. (The rook's graph has cliques of four nodes, which the other
# has not: [exercise 4](#exercises).)
#
# ## A task: was this graph planted?
#
# What a network *can* see is not what it *learns*. The task is to detect a **planted bisection**
# ([Abbe, 2018](../bibliography.md#abbe-2018)). With label 1, the $n$ nodes are two hidden halves, and an edge has
# probability 0.8 within a half and 0.2 across. With label 0 all edges have the same probability, the one that gives as
# many edges on average. Graphs have 10, 12, 14 or 16 nodes, padded to one batch by
# [`pad_graphs`][invariant_nets.pad_graphs]. They are so small that the Bayes limit can be computed: the likelihood of
# label 1 is a mean over all bisections.


# %%
inside, across = 0.8, 0.2


def even(n):
    return ((n / 2 - 1) * inside + n / 2 * across) / (n - 1)


def drawn(n, count, source):
    y = torch.arange(count) % 2
    half = torch.rand(count, n, generator=source).argsort(1) < n // 2
    p = torch.where(half[:, :, None] == half[:, None], inside, across)
    p[y == 0] = even(n)
    return graphs_of(p, source), y.float()


def evidence(x):
    """Return the logarithm of p(graph | label 1) / p(graph | label 0)."""
    n = x.shape[1]
    i, j = torch.triu_indices(n, n, 1)
    halves = torch.tensor(list(combinations(range(1, n), n // 2)))
    half = torch.zeros(len(halves), n).scatter_(1, halves, 1.0)
    p = torch.where(half[:, i] == half[:, j], inside, across)
    edge, none = (p / even(n)).log(), ((1 - p) / (1 - even(n))).log()
    each = x[:, i, j] @ (edge - none).mT + none.sum(1)  # (graphs, bisections)
    return each.logsumexp(1) - math.log(len(halves))


def sample(count, seed):
    """Return graphs, masks and labels, and the graphs of each size."""
    source = torch.Generator().manual_seed(seed)
    parts = [drawn(n, count, source) for n in (10, 12, 14, 16)]
    x, mask = pad_graphs([graph for graphs, _ in parts for graph in graphs])
    return (x, mask, torch.cat([y for _, y in parts])), [x for x, _ in parts]


(train, train_parts), (valid, _) = sample(1000, 0), sample(250, 1)
test, test_parts = sample(500, 2)
label = test[2] > 0.5
bayes = (torch.cat([evidence(part) for part in test_parts]) > 0) == label

# %% [markdown]
# **Plain methods** are logistic regressions: on the first three moments of the degrees, and on these with the density
# of triangles and the outer eigenvalues of $A - \bar A$.
#
# **Networks** all end in means over the graph and the same small head: Deep Sets and attention on the set of degrees;
# 2-tensors, two layers of width 8; 3-tensors, one layer of width 4. Each makes 100
# steps of Adam on 32 graphs. Validation graphs choose its learning rate among two, on the first of three seeds.


# %%
def moments(x):
    d = x.sum(1) / (len(x[0]) - 1)
    off = d - d.mean(1, keepdim=True)
    size = torch.full((len(x),), 1 / len(x[0]))
    powers = [d.mean(1), off.square().mean(1), off.pow(3).mean(1), size]
    return torch.stack(powers, 1)


def spectrum(x):
    triangles = (x @ x * x).mean((1, 2))[:, None] / len(x[0])
    outer = torch.linalg.eigvalsh(x - x.mean((1, 2), True)) / len(x[0]) ** 0.5
    return torch.cat((moments(x), triangles, outer[:, [0, 1, -2, -1]]), 1)


def regression(see):
    known, new = (torch.cat([*map(see, of)]) for of in (train_parts, test_parts))
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=500))
    fit.fit(known.numpy(), train[2].numpy())
    return (torch.from_numpy(fit.predict(new.numpy()) > 0.5) == label).expand(3, -1)


def head():  # what the pool gives varies little: standardize it
    return nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)


def triples():
    lift = TensorLinear("n n -> n n n", 1, 4, symmetric="both")
    pool = TensorLinear("n n n ->", 4, 16, symmetric="both")
    return GraphNetwork(lift, nn.ReLU(), pool, *head())


def pairs(features=1):
    sizes = {"edge_features": features, "hidden": (8, 8), "outputs": 16}
    layers = graph_network(**sizes, undirected=True)
    return GraphNetwork(*layers, *head(), edge_features=features)


def degrees(x, n):
    return x.sum(2, keepdim=True) / (n - 1)


def common(x, n):  # the share of the other nodes that are neighbors of both
    return torch.stack((x, x @ x * (1 - torch.eye(16)) / (n - 2)), 3)


@torch.no_grad()
def hits(model, x, mask, y):
    parts = zip(x.split(250), mask.split(250), strict=True)
    logits = torch.cat([model(x, mask=mask) for x, mask in parts])
    return (logits[:, 0] > 0) == (y > 0.5)


def fit(build, data, lr, seed):
    torch.manual_seed(seed)
    model, (x, mask, y) = build(), data
    optimizer = torch.optim.Adam(model.parameters(), lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    for _ in range(100):
        some = torch.randint(len(x), (32,))
        logits = model(x[some], mask=mask[some])[:, 0]
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits, y[some]).backward()
        optimizer.step()
        cosine.step()
    return model.eval()


def three(build, see=lambda x, n: x):
    """Return what three trained networks have right, each (graphs,)."""
    known, chosen, new = [
        (see(x, m.sum(1)[:, None, None]), m, y) for x, m, y in (train, valid, test)
    ]
    first = {lr: fit(build, known, lr, 0) for lr in (0.01, 0.03)}
    lr = max(first, key=lambda lr: hits(first[lr], *chosen).float().mean())
    models = first[lr], fit(build, known, lr, 1), fit(build, known, lr, 2)
    return torch.stack([hits(model, *new) for model in models])


def paired(one, two):
    """Return the mean of one − two, both (seeds, graphs), and its standard error."""
    apart = one.float() - two.float()
    seeds, graphs = apart.shape
    variance = apart.mean(1).var() / seeds + apart.mean(0).var() / graphs
    return apart.mean().item(), variance.sqrt().item()


def on_degrees(of):
    return three(lambda: SetNetwork(*of(16, 1, outputs=16), *head(), d=1), degrees)


right = {
    "Deep Sets on degrees": on_degrees(deep_sets),
    "attention on degrees": on_degrees(set_transformer),
    "2-tensors": three(pairs),
    "3-tensors": three(triples),
    "2-tensors, given common neighbors": three(lambda: pairs(2), common),
    "regression on moments": regression(moments),
    "regression on triangles, spectrum": regression(spectrum),
    "Bayes limit": bayes.expand(3, -1),
}
accuracy = {name: of.float().mean().item() for name, of in right.items()}
heads = ("model", "accuracy", "behind the limit", "error")
lines = [
    (name, accuracy[name], *paired(right["Bayes limit"], right[name]))
    for name in sorted(right, key=accuracy.get)
]
table([dict(zip(heads, line, strict=True)) for line in lines])

# %% [markdown]
# Deep Sets, attention and 2-tensors do not get beyond the regression on moments of the degrees. 3-tensors gain twenty
# points. Why? The theorem does not forbid 2-tensors to do as well: nearly all the test graphs of 16 nodes differ in
# their colors. The control gives the same network one more feature of each pair, the number of common neighbors, from
# which triangles can be counted. That closes the gap: triangles are what it lacked. And the plain method that knows
# where to look is ahead of all networks. A network is worth its price where nobody knows the feature.
#
# ## Check the claims

# %%
assert counts == [2, 8, 5, 15]
assert apart.abs().max() < 1e-12
assert rank == 15
keeps = [len({*text[:5].split()} & {*text[9:].split()}) for text in layer.maps]
assert [keeps.count(k) for k in (2, 1, 0)] == [2, 9, 4]
network = graph_network(outputs=16)
with torch.no_grad():  # a complete graph has one output at every size
    y = [network(1 - torch.eye(n)[None]) for n in (10, 200)]
assert torch.allclose(*y, rtol=1e-3, atol=1e-5)

# Means over distinct indices carry over to larger graphs, the others do not.
ratio = (misses["all"] / misses["distinct"]).log()  # (networks, sizes)
print(misses, ratio.mean(0), ratio.std(0) / 6**0.5)

assert told["color refinement"] == [1022, 1, 1]
depths = [told[f"2-tensors, depth {k}"] for k in (1, 2, 3, 4)]
assert depths == sorted(depths)
assert 1010 < depths[3][0] <= 1022
assert {(b, c) for _, b, c in depths} == {(1, 1)}
assert told["3-tensors, depth 3"] == [1044, 10, 1]
seen = {}
colors = {refined(rows, seen) for rows in test_parts[3].int().tolist()}
print(len(colors))

# Who detects the bisection: nobody whose view is the degrees, and why.
names = list(right)
moments_, spectral = right[names[5]], right[names[6]]
for name in names[:3]:
    print(name, paired(right[name], moments_))
print(
    paired(right[names[3]], right[names[2]]),
    paired(right[names[4]], right[names[3]]),
)
print(paired(spectral, right[names[3]]), paired(spectral, right[names[4]]))
