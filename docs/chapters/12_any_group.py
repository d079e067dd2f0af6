# %% [markdown]
# # Any permutation group
#
# So far nearly everything was about $S_n$. But sets are not the only data with a symmetry. A necklace
# may be turned, a table has its rows and columns permuted, a graph its nodes, a cube its
# sides. Must every group have its own theory, layers, averages and checks? No: a few generators
# are enough, and all the rest follows from them by computation. This chapter derives the linear
# layers of every permutation group, looks at them, and builds a network for graphs in which nothing
# is specific to graphs but the group.

# %%
import itertools

import networkx
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from invariant_nets import (
    LinearEquivariant,
    OrbitInvariant,
    OrbitLinear,
    PermutationGroup,
    SymmetryModel,
    Task,
    Trainer,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    symmetry_report,
)
from invariant_nets.figures import INK, PALETTE, table, use_book_style

use_book_style()

# %% [markdown]
# ## From generators to everything
#
# [`PermutationGroup`][invariant_nets.PermutationGroup] takes generators and answers
# exactly. How can it know the order of a group that nobody could list?
#
# !!! abstract "Theorem (chain of stabilizers)"
#     Let $G^{(0)} = G$ and let $G^{(i+1)}$ be the elements of $G^{(i)}$ that leave the point
#     $b_i$ where it is, until only the identity is left. With $\Delta_i$ the orbit of $b_i$ under
#     $G^{(i)}$ and, for each $\delta \in \Delta_i$, one element $u_\delta \in G^{(i)}$ that takes
#     $b_i$ to $\delta$, every $g \in G$ is a product of exactly one $u_\delta$ from each level. So
#
#     $$ |G| = |\Delta_0| \, |\Delta_1| \cdots |\Delta_{m-1}| . $$
#
# *Proof.* $g$ takes $b_0$ to some $\delta \in \Delta_0$. The chosen $u_\delta$ does so too, and
# so $g$ and $u_\delta$ differ by an element that leaves $b_0$: one of $G^{(1)}$, which is
# determined. Go on with it. $\blacksquare$
#
# So a group is an odometer whose wheels have $|\Delta_i|$ positions each. Turning it lists the
# elements; reading it gives an element its number; random positions of all wheels draw an element
# exactly uniformly. Here are the wheels of Mathieu's group $M_{11}$: fix one point after the other
# and see how long the next orbit is.

# %%
m11 = mathieu_group(11)
wheels, level, product = [], m11, 1
while level.order > 1:
    orbit = max(level.orbits(), key=len)
    product *= len(orbit)
    wheels.append(
        {
            "fixed so far": len(wheels),
            "elements left": level.order,
            "longest orbit": len(orbit),
            "product of orbits": product,
        }
    )
    level = level.stabilizer(orbit[0])
table(wheels)

# %% [markdown]
# The group can bring any four points to any four places, and then nothing is left to choose. The
# same works where no list could: the moves of Rubik's cube are known to the last one,
# and a million random positions take a fraction of a second. As a test of both we ask
# [Burnside's lemma](01_permutations.py): the mean number of fixed points is the number of orbits, and
# the mean of its square the number of orbits of pairs.

# %%
cube = rubiks_cube_group()
draws = cube.sample(1_000_000, torch.Generator().manual_seed(0))
fixed = (draws == torch.arange(48, dtype=draws.dtype)).sum(1).double()
pair_orbits = int(cube.orbitals().max()) + 1
burnside = [
    {
        "of the cube's facelets": what,
        "orbits": orbits,
        "mean over random positions": values.mean().item(),
        "standard error": (values.std() / len(values) ** 0.5).item(),
    }
    for what, orbits, values in (
        ("single ones", len(cube.orbits()), fixed),
        ("pairs", pair_orbits, fixed.square()),
    )
]
print(f"{cube.order:,} positions")
table(burnside)

# %% [markdown]
# ## One weight an orbit of pairs
#
# Which matrices $W$ commute with a group that permutes coordinates?
#
# !!! abstract "Theorem (orbitals)"
#     Let $G$ act on the points $a$ of the output and on the points $b$ of the input. A linear map
#     $W$ is equivariant if and only if
#
#     $$ W_{g(a)\,g(b)} = W_{ab} \quad \text{for all } g \in G: $$
#
#     if it is constant on the orbits of $G$ on pairs $(a, b)$, which are called *orbitals*. So the
#     dimension of the space of equivariant maps is their number, and by Burnside's lemma
#
#     $$ \dim = \frac1{|G|} \sum_{g \in G} \operatorname{fix}_{\mathrm{out}}(g)\,
#        \operatorname{fix}_{\mathrm{in}}(g) . $$
#
# *Proof.* $(W (g \cdot x))_a = \sum_b W_{ab}\, x_{g(b)}$ and
# $(g \cdot (W x))_a = (Wx)_{g(a)} = \sum_b W_{g(a)\, g(b)}\, x_{g(b)}$. They agree for all $x$ exactly
# if the coefficients do. And $g$ fixes the pair $(a, b)$ if and only if it fixes both.
# $\blacksquare$
#
# It is enough to identify pairs that a *generator* takes to each other: the orbitals are the connected
# components of a graph on all pairs with an edge for each generator. No element needs to
# be listed. For $S_n$, $A_n$, $C_n$, $D_n$ and direct products the package writes them down without
# even that. In the pictures every color is one weight.

# %% alt="Six square patterns of weight sharing, one color a weight. S_8: one color on the diagonal, one everywhere else. C_8: eight diagonal stripes that wrap around. D_8: five, stripes at the same distance on both sides share a color. S_4 × S_3: four colors in blocks. S_4 on pairs: fifteen colors in a nested pattern. Pocket cube: seven blocks of three by three along the diagonal, each with three colors, three rows and columns with colors of their own for the corner that stays, and one color elsewhere."
shown = {
    "$S_8$": symmetric_group(8),
    "$C_8$": cyclic_group(8),
    "$D_8$": dihedral_group(8),
    "$S_4 \\times S_3$ on a grid": direct_product(
        symmetric_group(4), symmetric_group(3), on="grid"
    ),
    "$S_4$ on pairs": symmetric_group(4).on_tuples(2),
    "pocket cube": pocket_cube_group(),
}
# The cube's facelets, those of one corner beside each other, the one that stays last.
cube_ids = shown["pocket cube"].orbitals()
moves = cube_ids.diagonal() == cube_ids[0, 0]
one_corner = (
    (cube_ids.flatten().bincount() <= 21)[cube_ids] & moves & moves[:, None]
)
order = (one_corner.int().argmax(1) + 24 * ~moves).argsort(stable=True)
fig, axes = plt.subplots(2, 3, figsize=(8, 5.8))
for ax, (name, group) in zip(axes.flat, shown.items(), strict=True):
    ids = group.orbitals()
    ids = ids[order][:, order] if name == "pocket cube" else ids
    ax.imshow(ids, cmap="tab20", vmin=0, vmax=19)
    ax.set(xticks=[], yticks=[], title=f"{name}: {int(ids.max()) + 1}")
    ax.grid(False)
plt.show()

# %% [markdown]
# You see what each group keeps. $S_n$ knows only *the same* and *another*: these two weights are
# [the averaged layer](04_averaged_layer.py). $C_n$ knows the distance around the circle, with its
# sign: a circular convolution. $D_n$ forgets the sign. $S_n \times S_d$ asks whether two entries share
# their row, and whether they share their column: the four weights of
# [chapter 6](06_rows_and_columns.py). On the pocket cube, whose moves
# leave one corner where it is, each of that corner's facelets has rows and columns of its own. Any two
# others can lie on the same piece, next to each other one way round or the other, or on two different
# pieces.
#
# The count can be had from Burnside's lemma too, by going through all elements, and the two must
# agree:


# %%
def mean_square_of_fixed_points(group: PermutationGroup) -> float:
    points = torch.arange(group.degree)
    squares = sum(
        int((chunk == points).sum(1).square().sum()) for chunk in group.elements()
    )
    return squares / group.order


more = shown | {"$A_8$": alternating_group(8), "$M_{11}$": m11}
counts = {
    name: (int(group.orbitals().max()) + 1, mean_square_of_fixed_points(group))
    for name, group in more.items()
}
table(
    [
        {
            "group": name,
            "points": more[name].degree,
            "order": more[name].order,
            "orbitals": orbitals,
            "by Burnside": average,
        }
        for name, (orbitals, average) in counts.items()
    ]
)

# %% [markdown]
# ### What linear layers cannot see
#
# $A_8$ and $M_{11}$ have two orbitals, as many as $S_8$ and $S_{11}$. Linear layers see a group only by
# what it does to *pairs* of points, and a group that can bring any two points to any two places
# looks like the whole symmetric group. A network of $M_{11}$'s layers is invariant to all
# $39{,}916{,}800$ orders of eleven rows, and not just to the $7{,}920$ of the group. The
# [average](08_symmetrization.py) over $M_{11}$ keeps the difference, though it must be looked for: the
# group brings any *four* points anywhere, so for every polynomial of degree up to four, which has at
# most four rows in a term, the average over $M_{11}$ is that over $S_{11}$. Only what a network has
# beyond that shows. Both, audited in float64:


# %%
def orbit_network(
    group: PermutationGroup, channels: int, width: int = 16
) -> nn.Module:
    return nn.Sequential(
        OrbitLinear(group, channels, width),
        nn.GELU(),  # in so narrow a network a ReLU can die
        OrbitLinear(group, width, width),
        nn.GELU(),
        OrbitInvariant(group, width, 1),
    )


torch.manual_seed(0)
eleven = torch.randn(64, 11, 2)
plain = nn.Sequential(nn.Flatten(), nn.Linear(22, 32), nn.Tanh(), nn.Linear(32, 1))
candidates = {
    "layers of $M_{11}$": orbit_network(m11, 2),
    "average over $M_{11}$": SymmetryModel(plain, m11),
}
audits = {
    name: [
        symmetry_report(model, eleven, g, double=True)
        for g in (m11, symmetric_group(11))
    ]
    for name, model in candidates.items()
}
table(
    [
        {
            "network": name,
            "invariant to $M_{11}$": "yes" if own else "no",
            "invariant to $S_{11}$": "yes" if all_orders else "no",
            "defect / spread, $S_{11}$": f"{all_orders.relative_error:.0e}",
        }
        for name, (own, all_orders) in audits.items()
    ]
)

# %% [markdown]
# ## The layer
#
# [`OrbitLinear`][invariant_nets.OrbitLinear] has one matrix of weights between channels
# an orbital and one bias an orbit of points, and
# [`OrbitInvariant`][invariant_nets.OrbitInvariant] is its form with a single point to go
# to. For $S_n$ it is the layer of chapter 4 with other names, for $C_n$ a convolution:

# %%
torch.manual_seed(1)
x = torch.randn(32, 8, 5, dtype=torch.float64)
layer = OrbitLinear(symmetric_group(8), 5, 3, dtype=torch.float64)
averaged = LinearEquivariant(
    5, 3, normalization="sum", pooling="sum", dtype=torch.float64
)
same, other = layer.weight.detach()  # w₀ on the diagonal, w₁ elsewhere
averaged.load_state_dict({"a": same - other, "b": other, "c": torch.zeros(5, 3)})
as_chapter_4 = (layer(x) - averaged(x)).abs().max().item()

ring = OrbitLinear(cyclic_group(8), 5, 3, bias=False, dtype=torch.float64)
kernel = torch.zeros(3, 5, 8, dtype=torch.float64)
for b in range(8):  # the weight from point b to point 0
    kernel[:, :, b] = ring.weight[ring.ids[0, b]].T.detach()
around = torch.cat((x, x[:, :-1]), 1).mT
convolved = nn.functional.conv1d(around, kernel).mT
as_convolution = (ring(x) - convolved).abs().max().item()
print(f"difference from the averaged layer  {as_chapter_4:.1e}")
print(f"difference from the convolution     {as_convolution:.1e}")

# %% [markdown]
# The weights start so that independent inputs keep their variance: an output point sees
# several orbitals, each gets the same share, and within one the share is divided by the number of its
# pairs. And the layer does not always multiply by the matrix of the pictures: where the orbits allow it
# pools ($S_n$, its products) or takes a Fourier transform ($C_n$), and the code says which.
#
# ## Graphs
#
# A graph on $n$ nodes is its adjacency matrix, and renaming the nodes permutes rows and columns
# *together*: $(\sigma \cdot A)_{ij} = A_{\sigma(i)\sigma(j)}$. So the group is $S_n$, acting on the
# $n^2$ pairs of nodes, and `symmetric_group(7).on_tuples(2)` is all that a network for graphs needs. Its
# linear layers have 15 weights, one for each pattern of coincidences among four nodes, whatever $n$
# is: the invariant graph networks of
# [Maron et al. (2019)](../bibliography.md#maron-2019).
#
# The atlas of small graphs lists every graph of up to seven nodes once: 1,253 of them, of which 1,044
# have seven nodes. The task: how hard is it to cut a graph in two? Its *algebraic connectivity*, the
# second smallest eigenvalue of the Laplacian, says so. Of the graphs with seven nodes we train on
# a hundred, each in one random order of its nodes, and test on five hundred others. The
# networks of layers differ in the group alone.

# %%
graphs = [graph for graph in networkx.graph_atlas_g() if len(graph) == 7]
adjacency = torch.stack(
    [torch.from_numpy(networkx.to_numpy_array(graph)) for graph in graphs]
).float()
laplacian = torch.diag_embed(adjacency.sum(1)) - adjacency
connectivity = torch.linalg.eigvalsh(laplacian.double())[:, 1].float()

S7 = symmetric_group(7)
source = torch.Generator().manual_seed(0)
renamed = S7.on_tuples(2).sample(len(graphs), source)
pairs = adjacency.flatten(1).gather(1, renamed)[..., None]  # (graphs, 49, 1)
shuffled = torch.randperm(len(graphs), generator=source)
train, valid, test = shuffled[:100], shuffled[100:150], shuffled[-500:]
target = (connectivity - connectivity[train].mean()) / connectivity[train].std()
task = Task.regression(score="mse")


def graphs_of(which: torch.Tensor, batch: int = 500, **options) -> DataLoader:
    return DataLoader(
        TensorDataset(pairs[which], target[which, None]), batch, **options
    )


def perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(49, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 1),
    )


def fitted(build, seed: int, epochs: int = 120) -> tuple[float, float, int]:
    """Return which share of the variance is explained, and how many weights do it."""
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    trainer = Trainer(model, task, optimizer, scheduler=schedule)
    trainer.fit(graphs_of(train, 20, shuffle=True), graphs_of(valid), epochs)
    learned, unseen = (
        1 - trainer.test(graphs_of(part)).score / target[part].var().item()
        for part in (train, test)
    )
    return learned, unseen, sum(p.numel() for p in model.parameters())


networks = {
    "perceptron": perceptron,
    "layers of $C_7$": lambda: orbit_network(cyclic_group(7).on_tuples(2), 1),
    "layers of $D_7$": lambda: orbit_network(dihedral_group(7).on_tuples(2), 1),
    "layers of $S_7$": lambda: orbit_network(S7.on_tuples(2), 1),
    "10 draws from $S_7$": lambda: SymmetryModel(
        perceptron(), S7.on_tuples(2), samples=10
    ),
}
runs = {
    name: torch.tensor([fitted(build, seed) for seed in range(3)])
    for name, build in networks.items()
}
table(
    [
        {
            "network": name,
            "weights": int(run[0, 2]),
            "explained, 100 training graphs": run[:, 0].mean().item(),
            "500 test graphs": run[:, 1].mean().item(),
            "from … to": f"{run[:, 1].min():.3f} – {run[:, 1].max():.3f}",
        }
        for name, run in runs.items()
    ],
    caption="share of the variance explained, mean of three seeds",
)

# %% [markdown]
# With no symmetry the network learns its hundred graphs by heart, and little else. The larger the
# group that it knows, the fewer weights it has, and the less of what it explains is learned by heart: the
# two columns draw together, and for $S_7$ they meet. On graphs that they never saw, the layers of
# $S_7$ are as good as those of $D_7$, with less than a tenth of the weights. And
# the perceptron averaged over ten random renamings does better than all networks of layers: it
# may use everything that a perceptron can see, and layers cannot see everything.
#
# ## What the layers cannot see, once more
#
# How much can a network of pair layers tell apart? Give it random weights and count the different
# outputs on the 1,044 graphs: an invariant function that sees everything has 1,044. The classical
# yardstick is *color refinement* (the Weisfeiler–Leman test): color all nodes alike, then again
# and again give each node a new color for its own and the multiset of its neighbors' colors, and compare
# the colors of the graphs in the end.


# %%
def refined_colors(matrix: torch.Tensor) -> tuple:
    rows = matrix.int().tolist()
    colors = [0] * len(rows)
    for _ in rows:
        seen = [
            (
                colors[i],
                tuple(
                    sorted(c for c, edge in zip(colors, row, strict=True) if edge)
                ),
            )
            for i, row in enumerate(rows)
        ]
        colors = [hash(color) for color in seen]
    return tuple(sorted(colors))


def distinct(outputs: torch.Tensor) -> int:
    values = outputs.flatten().sort().values
    return int((values.diff() > 1e-9 * values.std()).sum()) + 1


def separated(model: nn.Module) -> int:
    exact = adjacency.flatten(1)[..., None].double()
    with torch.no_grad():
        outputs = [model.double().eval()(batch) for batch in exact.split(64)]
    return distinct(torch.cat(outputs))


def deep(depth: int) -> nn.Module:
    group, layers = S7.on_tuples(2), []
    for channels in (1, *[16] * (depth - 1)):
        layers += [OrbitLinear(group, channels, 16), nn.Tanh()]
    return nn.Sequential(*layers, OrbitInvariant(group, 16, 1))


def triples(width: int = 3) -> nn.Module:
    two, three = S7.on_tuples(2), S7.on_tuples(3)
    return nn.Sequential(
        OrbitLinear(two, 1, width, out_group=three),
        nn.Tanh(),
        OrbitLinear(three, width, width),
        nn.Tanh(),
        OrbitInvariant(three, width, 1),
    )


torch.manual_seed(4)
small = nn.Sequential(nn.Flatten(), nn.Linear(49, 16), nn.Tanh(), nn.Linear(16, 1))
powers = {
    "color refinement": len({refined_colors(a) for a in adjacency}),
    **{f"pair layers, depth {k}": separated(deep(k)) for k in (1, 2, 3, 4)},
    "triple layers, depth 2": separated(triples()),
    "exact average over $S_7$": separated(SymmetryModel(small, S7.on_tuples(2))),
}
table(
    [{"function": name, "told apart": number} for name, number in powers.items()],
    caption=f"of {len(graphs):,} graphs",
)

# %% [markdown]
# Pair layers tell apart at most what color refinement does, however deep they are, and nearly all of
# it. The picture shows two graphs that are the same to both.

# %% alt="Two graphs of seven nodes: on the left a ring of six nodes and a single node, on the right two triangles and a single node. In both every node of the rings has two neighbors."
groups_of_colors: dict[tuple, list[int]] = {}
for number, matrix in enumerate(adjacency):
    groups_of_colors.setdefault(refined_colors(matrix), []).append(number)
alike = next(
    numbers
    for numbers in groups_of_colors.values()
    if len(numbers) == 2 and graphs[numbers[0]].number_of_edges() == 6
)
alike.sort(key=lambda number: networkx.number_connected_components(graphs[number]))
fig, axes = plt.subplots(1, 2, figsize=(7, 2.8))
for ax, number in zip(axes, alike, strict=True):
    parts = sorted(networkx.connected_components(graphs[number]), key=len)
    at = {}
    for k, part in enumerate(parts):
        # The single node at the origin, the rings to the right of it.
        at |= networkx.circular_layout(sorted(part), center=(2.4 * k, 0))
    style = {
        "ax": ax,
        "node_color": PALETTE[0],
        "edge_color": INK,
        "node_size": 120,
    }
    networkx.draw_networkx(graphs[number], at, with_labels=False, **style)
    ax.set_aspect("equal")
    ax.axis("off")
plt.show()

# %% [markdown]
# What helps is not another group but another *action* of it: let the same $S_7$ permute the $7^3$ triples
# of nodes. `OrbitLinear` takes the points of one action to those of another with `out_group=`. From
# pairs to triples there are 52 orbitals, from triples to triples 203 (the fifth and the sixth Bell
# number), and a network of them tells all the graphs apart. So does the exact average over the
# group, of any network that sees everything: but it runs the network $7!$ times.
#
# ## Check the claims

# %%
# The chain: its orbits multiply to the order, and four points determine an element of M_11.
assert product == m11.order == 7920
assert [row["longest orbit"] for row in wheels] == [11, 10, 9, 8]

# Burnside on random positions of the cube, within four standard errors.
assert cube.order == 43_252_003_274_489_856_000
for row in burnside:
    off = row["mean over random positions"] - row["orbits"]
    assert abs(off) < 4 * row["standard error"]

# Orbitals by components and by Burnside's average.
assert all(orbitals == average for orbitals, average in counts.values())
numbers = [orbitals for orbitals, _ in counts.values()]
assert numbers[:5] == [2, 8, 5, 4, 15]
assert numbers[-2:] == [2, 2]
by_generators = [
    PermutationGroup(g.generators)
    for g in (symmetric_group(8), alternating_group(8))
]
for groups in itertools.combinations(by_generators, 2):
    first, second = (group.orbitals() for group in groups)
    assert torch.equal(first, second)

# Layers see pairs only; averages see the group.
assert [bool(report) for report in audits["layers of $M_{11}$"]] == [True, True]
assert [bool(report) for report in audits["average over $M_{11}$"]] == [True, False]
assert 1e-4 < audits["average over $M_{11}$"][1].relative_error < 0.1

# The layer of S_n is chapter 4's, that of C_n a convolution.
assert max(as_chapter_4, as_convolution) < 1e-12

# The larger the group, the less is learned by heart; S_7 is as good as D_7 on unseen graphs.
scores = {name: run[:, 1].mean() for name, run in runs.items()}
by_heart = [(runs[name][:, 0] - runs[name][:, 1]).mean() for name in networks][:4]
assert runs["perceptron"][:, 0].min() > 0.99
assert all(more > less + 0.01 for more, less in itertools.pairwise(by_heart))
assert abs(by_heart[3]) < 0.03
no_group, cyclic, dihedral, symmetric, drawn = scores.values()
assert no_group + 0.1 < cyclic < dihedral - 0.01
assert abs(symmetric - dihedral) < 0.03
assert drawn > max(cyclic, dihedral, symmetric) + 0.01
sizes = [int(runs[f"layers of ${g}_7$"][0, 2]) for g in "CDS"]
assert sizes == sorted(sizes, reverse=True)
assert sizes[2] * 10 < sizes[1]

# Pair layers see at most what color refinement sees; triples and averages see all.
assert len(graphs) == 1044
assert len(networkx.graph_atlas_g()) == 1253
pair_powers = [powers[f"pair layers, depth {k}"] for k in (1, 2, 3, 4)]
assert max(pair_powers) <= powers["color refinement"] < len(graphs)
assert max(pair_powers) > powers["color refinement"] - 10
assert powers["triple layers, depth 2"] == len(graphs)
assert powers["exact average over $S_7$"] == len(graphs)
assert sorted(networkx.number_connected_components(graphs[i]) for i in alike) == [
    2,
    3,
]
orbitals = [
    int(a.orbitals(b).max()) + 1
    for a, b in itertools.product(
        (S7.on_tuples(3),), (S7.on_tuples(2), S7.on_tuples(3))
    )
]
assert orbitals == [52, 203]

# %% [markdown]
# ## Exercises
#
# **1.** How many orbitals has $D_n$? Check your formula against the code for $n$ up to 12.
#
# ??? success "Solution"
#     A rotation takes the pair $(a, b)$ to $(0, b - a)$, a reflection turns $b - a$ into
#     $a - b$. So the orbitals are the distances $0, 1, \dots, \lfloor n/2 \rfloor$ around the circle:
#     $\lfloor n/2 \rfloor + 1$.
#
# **2.** Why 15 for $S_n$ on pairs, and why only for $n \ge 4$? How many are there for $n = 2$ and $3$?
#
# ??? success "Solution"
#     A pair of pairs is four nodes $(i, j, k, l)$, and two of them are in one orbit if and only if
#     the same nodes coincide. So orbitals are the ways to divide four things into classes: 15, the
#     fourth Bell number. A division into $m$ classes needs $m$ different nodes, so for $n = 3$ the
#     one into four classes is missing, 14; for $n = 2$ only divisions into one or two classes are
#     left, 8.
#
# **3.** Show that a network of layers of a group $G$ is equivariant to the *2-closure* of $G$, the group
# of all permutations that take every orbital to itself. What is it for $C_n$?
#
# ??? success "Solution"
#     If a permutation takes every orbital to itself, then $W$ is constant along it, which is all that
#     the theorem on orbitals needs. For $C_n$: a permutation that keeps all differences $b - a$ is
#     determined by where it takes 0, so it is a rotation. $C_n$ is its own 2-closure.
#
# **4.** Of the graphs that color refinement cannot tell apart, do the triple layers with *one* layer
# on triples suffice, that is pairs to triples and then pooled?
#
# ??? success "Solution"
#     They do here, as the cell below counts: already the first layer writes three entries of the
#     matrix beside each other, and behind a nonlinearity products of three entries can be summed over
#     all triples. The number of triangles is such a sum, and it tells the two rings of the
#     picture apart.

# %% fold="Solutions of exercises 1, 2 and 4, in code"
for size in range(3, 13):
    by_generators = PermutationGroup(dihedral_group(size).generators)
    assert int(by_generators.orbitals().max()) + 1 == size // 2 + 1
bell = [
    int(symmetric_group(size).on_tuples(2).orbitals().max()) + 1
    for size in range(1, 7)
]
print("orbitals of S_n on pairs, n = 1 to 6:", bell)
assert bell == [1, 8, 14, 15, 15, 15]
torch.manual_seed(5)
shallow = nn.Sequential(
    OrbitLinear(S7.on_tuples(2), 1, 16, out_group=S7.on_tuples(3)),
    nn.Tanh(),
    OrbitInvariant(S7.on_tuples(3), 16, 1),
)
told_apart = separated(shallow)
print(f"one layer on triples tells {told_apart:,} graphs apart")
assert told_apart == len(graphs)

# %% [markdown]
# ## Sources
#
# - [Ravanbakhsh et al. (2017)](../bibliography.md#ravanbakhsh-2017), *Equivariance Through
#   Parameter-Sharing*: weights shared along orbits.
# - [Maron et al. (2019)](../bibliography.md#maron-2019), *Invariant and Equivariant Graph Networks*: the
#   15 maps, and those on $k$-tuples.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: orbitals,
#   2-closure, Mathieu's groups.
# - [Seress (2003)](../bibliography.md#seress-2003), *Permutation Group Algorithms*: chains of
#   stabilizers.
# - [Read and Wilson (1998)](../bibliography.md#read-1998), *An Atlas of Graphs*.
# - [Weisfeiler and Leman (1968)](../bibliography.md#weisfeiler-1968): color refinement.
