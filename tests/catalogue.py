"""Every public module and every model of the book: how it is made, and what it takes.

The contracts of `tests/contracts` run over it. Who adds a module adds a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from invariant_nets import (
    MODELS,
    AttentionPooling,
    Augmentation,
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    EncoderLayer,
    ExchangeableEquivariant,
    ExchangeableInvariant,
    FlattenMembers,
    GraphNetwork,
    InducedSetAttentionBlock,
    LearnedOrder,
    LinearEquivariant,
    LinearInvariant,
    MultiheadAttentionBlock,
    OrbitInvariant,
    OrbitLinear,
    PermutationGroup,
    PositionalEncoding,
    PrincipalAxesModel,
    SetAttentionBlock,
    SetNetwork,
    SetPooling,
    SortPooling,
    SparseExchangeableEquivariant,
    SymmetricElements,
    SymmetricElementsInvariant,
    SymmetryModel,
    TensorLinear,
    build_model,
    columnwise_sort,
    cyclic_elements,
    cyclic_group,
    deep_sets,
    dihedral_group,
    direct_product,
    graph_network,
    intrinsic,
    least_rotation,
    lexicographic_sort,
    mlp,
    order_keys,
    row_column_sort,
    set_transformer,
    symmetric_group,
    trivial_group,
)
from invariant_nets.networks.deep_sets import BesidePool
from invariant_nets.networks.entries import EntriesAsMembers, SumOfSquares

N, D = 6, 4
C, S, NOTHING = cyclic_group(N), symmetric_group(N), trivial_group(N)
HALVES = direct_product(symmetric_group(N // 2), symmetric_group(N // 2))
GRID = direct_product(symmetric_group(N // 2), symmetric_group(2), on="grid")
PLACES = 20  # that a positional encoding tells apart
PUBLISHED = {"bias": True, "residual": "query", "dim_feedforward": 0}  # set transformers
CYCLIC = cyclic_group(70)  # whose layer goes through the Fourier transform


@dataclass(frozen=True)
class Entry:
    """How a module on sets is made, and what holds of it.

    `sizes` is "every" if it takes sets of every size, "fixed" if it takes `n` rows, but it makes no
    difference where among them the members are, and "placed" if it does.
    """

    make: Callable[[], nn.Module]
    features: tuple[int, ...] = (D,)
    n: int = N
    sizes: Literal["every", "fixed", "placed"] = "every"
    group: PermutationGroup = S  # of the rows
    equivariant: bool = False  # has one output a row, which moves with it; else invariant
    mask: bool = True
    any_features: bool = False
    random: bool = False  # in training, which draws from torch's global generator
    draws: bool = False  # in evaluation too, so that it is symmetric only with the same draws
    keeps: tuple[str, ...] = ()  # what is as it was when exported: the number of sets, "n"


def moves(make: Callable[[], nn.Module], **options) -> Entry:
    return Entry(make, equivariant=True, **options)


def placed(make: Callable[[], nn.Module], group: PermutationGroup, **options) -> Entry:
    return Entry(make, n=group.degree, group=group, sizes="placed", **options)


# What is not a module on sets yet.


class OfEntries(nn.Module):
    """A layer of matrices whose mask of rows is told entry by entry."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, mask=None):
        if all(isinstance(t, Tensor) for t in (x, mask)) and mask.ndim == 2 < x.ndim:
            mask = mask[..., None].expand(*mask.shape, x.shape[2])
        return self.layer(x, mask)


class Observed(nn.Module):
    """A layer of observed entries on sets of all entries of an N/2 × 2 matrix."""

    def __init__(self, layer, queries=False):
        super().__init__()
        self.layer, self.queries = layer, queries
        entries = torch.cartesian_prod(*(torch.arange(k, device="cpu") for k in (N // 2, 2))).T
        self.entries = entries.int() if queries else entries

    def forward(self, x):
        entries = self.entries.to(x.device).repeat(1, x.shape[0])
        queries = entries if self.queries else None
        y = self.layer(x.flatten(0, 1), entries, (N // 2, 2), queries)
        return y.unflatten(0, x.shape[:2])


class LookedAt(nn.Module):
    """An attention block by which a few points look at the sets."""

    def __init__(self, block):
        super().__init__()
        self.block = block
        self.points = nn.Parameter(torch.randn(3, block.x_features))

    def forward(self, x, mask=None):
        batch = x.shape[0] if isinstance(x, Tensor) else 1
        return self.block(self.points.expand(batch, -1, -1), x, mask)


class OfPairs(nn.Module):
    """A layer or network of graphs whose edges have the features of both ends."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, mask=None):
        if isinstance(x, Tensor) and x.ndim == 3 and not x.is_nested and x.layout is torch.strided:
            n = x.shape[1]
            x = torch.cat(
                (x[:, :, None].expand(-1, -1, n, -1), x[:, None].expand(-1, n, -1, -1)), 3
            )
        return self.layer(x, mask)


def reader():
    """Return a network that reads the members in order, one output per set."""
    positions = PositionalEncoding(D, PLACES)
    return SetNetwork(positions, nn.Linear(D, 8), nn.Tanh(), LinearInvariant(8, 2), d=D)


def writer():
    """Return the same with one output a member."""
    positions = PositionalEncoding(D, PLACES)
    return SetNetwork(positions, nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, 2), d=D)


def keys(n=None):
    """Return a network that gives the members keys, of sets of one size if told."""
    network = order_keys(D, 3)
    network.n = n
    return network


def of_entries():
    """Return the same with one output an entry, for the sorts that move entries."""
    return SetNetwork(PositionalEncoding(D, PLACES), nn.Linear(D, D), nn.Tanh(), d=D)


def of_the_plane(last):
    return SetNetwork(nn.Linear(2, D), PositionalEncoding(D, PLACES), nn.Tanh(), last, d=2)


def on_orbits(pooling):
    element, shared = (OrbitLinear(dihedral_group(5), 2, 3) for _ in "ab")
    return SymmetricElements(element, shared, pooling)


MODULES = {
    "LinearEquivariant": moves(lambda: LinearEquivariant(D, 3)),
    "LinearInvariant": Entry(lambda: LinearInvariant(D, 3)),
    "ExchangeableEquivariant": moves(lambda: ExchangeableEquivariant(2, 3), features=(3, 2)),
    "ExchangeableEquivariant, a mask of entries": moves(
        lambda: OfEntries(ExchangeableEquivariant(2, 3)), features=(3, 2)
    ),
    "ExchangeableInvariant": Entry(lambda: ExchangeableInvariant(2, 3), features=(3, 2)),
    "SparseExchangeableEquivariant": placed(
        lambda: Observed(SparseExchangeableEquivariant(D, 3)),
        GRID,
        equivariant=True,
        mask=False,
        keeps=("batch",),
    ),
    "SparseExchangeableEquivariant, queries of int32": placed(
        lambda: Observed(SparseExchangeableEquivariant(D, 3), queries=True),
        GRID,
        equivariant=True,
        mask=False,
        keeps=("batch",),
    ),
    "OrbitLinear": placed(
        lambda: OrbitLinear(dihedral_group(N), D, 3), dihedral_group(N), equivariant=True
    ),
    "OrbitLinear, grid": placed(lambda: OrbitLinear(GRID, D, 3), GRID, equivariant=True),
    "OrbitLinear, pooled": moves(lambda: OrbitLinear(S, D, 3), sizes="fixed"),
    "OrbitLinear, transformed": placed(
        lambda: OrbitLinear(CYCLIC, D, 3),
        CYCLIC,
        equivariant=True,
    ),
    "OrbitInvariant": placed(lambda: OrbitInvariant(HALVES, D, 3), HALVES),
    "SymmetricElements": moves(lambda: on_orbits("mean"), features=(5, 2)),
    "SymmetricElementsInvariant": Entry(
        lambda: SymmetricElementsInvariant(OrbitInvariant(cyclic_group(5), 2, 3)), features=(5, 2)
    ),
    "TensorLinear, sets": moves(lambda: TensorLinear("n -> n", D, 3)),
    "TensorLinear, tables": moves(lambda: TensorLinear("n m -> n m", 2, 2), features=(3, 2)),
    "TensorLinear, rows": Entry(lambda: TensorLinear("n m -> m", 2, 3), features=(3, 2)),
    "TensorLinear, graphs": moves(lambda: OfPairs(TensorLinear("n n -> n", 2 * D, 3))),
    "GraphNetwork": Entry(
        lambda: OfPairs(
            GraphNetwork(
                TensorLinear("n n -> n n", 2 * D, 5, symmetric="output"),
                nn.Tanh(),
                TensorLinear("n n ->", 5, 2, bias=False),
                edge_features=2 * D,
            )
        )
    ),
    "SumOfSquares": Entry(SumOfSquares, any_features=True),
    "EntriesAsMembers": Entry(lambda: EntriesAsMembers(LinearInvariant(1, 3)), any_features=True),
    "SetPooling": Entry(SetPooling, any_features=True),
    "SetPooling, max": Entry(lambda: SetPooling("max"), any_features=True),
    "SetPooling, std": Entry(lambda: SetPooling("std"), any_features=True),
    "SetPooling, powermean": Entry(lambda: SetPooling("powermean", power=3), any_features=True),
    "SetPooling, a learned softmax": Entry(lambda: SetPooling("softmax", d=D)),
    "BesidePool": moves(lambda: BesidePool(SetPooling()), any_features=True),
    "MultiheadAttentionBlock": Entry(lambda: LookedAt(MultiheadAttentionBlock(D, 2))),
    "MultiheadAttentionBlock, as published": Entry(
        lambda: LookedAt(MultiheadAttentionBlock(6, 2, x_features=3, y_features=D, **PUBLISHED))
    ),
    "SetAttentionBlock": moves(lambda: SetAttentionBlock(D, 2)),
    "SetAttentionBlock, biased, dropping": moves(
        lambda: SetAttentionBlock(D, 2, bias=True, dropout=0.5), random=True
    ),
    "InducedSetAttentionBlock": moves(lambda: InducedSetAttentionBlock(D, 2, 3, layer_norm=True)),
    "AttentionPooling": Entry(lambda: AttentionPooling(D, 2, 2)),
    "AttentionPooling, biased": Entry(lambda: AttentionPooling(6, 2, in_features=D, bias=True)),
    "EncoderLayer": moves(lambda: EncoderLayer(D, 2, 8)),
    "PositionalEncoding": moves(lambda: PositionalEncoding(D, PLACES), group=NOTHING),
    "FlattenMembers": Entry(FlattenMembers, sizes="fixed", group=NOTHING, any_features=True),
    "SetNetwork": Entry(reader, group=NOTHING),
    "CanonicalModel": Entry(lambda: CanonicalModel(reader(), lexicographic_sort)),
    "CanonicalModel, equivariant": moves(
        lambda: CanonicalModel(writer(), equivariant=True), keeps=("n",)
    ),
    "CanonicalModel, columns": Entry(lambda: CanonicalModel(reader(), columnwise_sort)),
    "CanonicalModel, rows and columns": Entry(
        lambda: CanonicalModel(reader(), row_column_sort), keeps=("n",)
    ),
    "CanonicalModel, rows and columns, equivariant": moves(
        lambda: CanonicalModel(of_entries(), row_column_sort, equivariant=True), keeps=("n",)
    ),
    "CanonicalModel, rotation, equivariant": moves(
        lambda: CanonicalModel(writer(), least_rotation, equivariant=True), group=C, keeps=("n",)
    ),
    "CanonicalModel, a group": placed(
        lambda: CanonicalModel(reader(), group=dihedral_group(N)), dihedral_group(N)
    ),
    "CanonicalModel, a group, equivariant": placed(
        lambda: CanonicalModel(writer(), group=C, equivariant=True), C, equivariant=True
    ),
    "CanonicalModel, a group of blocks, equivariant": placed(
        lambda: CanonicalModel(writer(), group=HALVES, equivariant=True), HALVES, equivariant=True
    ),
    "DirectionFrame": Entry(
        lambda: CanonicalModel(reader(), frame=DirectionFrame(D, 3)), keeps=("n",)
    ),
    "CircleFrame, equivariant": moves(
        lambda: CanonicalModel(
            of_the_plane(nn.Linear(D, 2)), frame=CircleFrame(), equivariant=True
        ),
        features=(2,),
        keeps=("n",),
    ),
    "LearnedOrder": Entry(
        lambda: CanonicalModel(reader(), frame=LearnedOrder(keys())), keeps=("n",)
    ),
    "LearnedOrder, sampled, equivariant": moves(
        lambda: CanonicalModel(
            writer(), frame=LearnedOrder(keys(N), noise=0.5, samples=3), equivariant=True
        ),
        random=True,
        draws=True,
        sizes="placed",
    ),
    "SortPooling": Entry(lambda: SortPooling(D, 4)),
    "SortPooling, a readout": Entry(lambda: SortPooling(D, N, 5, readout=True)),
    "PrincipalAxesModel": Entry(lambda: PrincipalAxesModel(reader()), group=NOTHING),
    "PrincipalAxesModel, members, rotations": moves(
        lambda: PrincipalAxesModel(
            intrinsic(N, D, outputs=2, per_member=True),
            rotations_only=True,
            centered=True,
            chunksize=3,
        )
    ),
    "Augmentation": Entry(lambda: Augmentation(reader()), group=NOTHING, random=True),
    "SymmetryModel": placed(lambda: SymmetryModel(reader(), C), C),
    "SymmetryModel, equivariant": placed(
        lambda: SymmetryModel(writer(), dihedral_group(N), chunksize=5, equivariant=True),
        dihedral_group(N),
        equivariant=True,
    ),
    "SymmetryModel, sampled": placed(
        lambda: SymmetryModel(reader(), S, samples=3), NOTHING, random=True
    ),
    "SymmetryModel, in cosets": placed(
        lambda: SymmetryModel(reader(), S, samples=2 * N, design="cosets"), NOTHING, random=True
    ),
    "SymmetryModel, grid": placed(
        lambda: SymmetryModel(mlp(N, D), direct_product(C, cyclic_group(D), on="grid")),
        C,
        mask=False,
    ),
}

# Other options of the modules, and networks made of them: a compiler sees little new in them.
VARIANTS = {
    "LinearEquivariant, sums": moves(lambda: LinearEquivariant(D, 3, "sum", "sum")),
    "LinearInvariant, sums": Entry(lambda: LinearInvariant(D, 3, "sqrt", "sum")),
    "ExchangeableInvariant, a mask of entries": Entry(
        lambda: OfEntries(ExchangeableInvariant(2, 3)), features=(3, 2)
    ),
    "OrbitLinear, many channels transformed": placed(
        lambda: OrbitLinear(CYCLIC, 20, 3),
        CYCLIC,
        equivariant=True,
        features=(20,),
    ),
    "graph_network": moves(
        lambda: OfPairs(graph_network(edge_features=2 * D, hidden=(5,), outputs=2, per="node"))
    ),
    "SymmetricElements, sum": moves(lambda: on_orbits("sum"), features=(5, 2)),
    "SymmetricElementsInvariant, sum": Entry(
        lambda: SymmetricElementsInvariant(OrbitInvariant(cyclic_group(5), 2, 3), "sum"),
        features=(5, 2),
    ),
    "SetPooling, sum": Entry(lambda: SetPooling("sum"), any_features=True),
    "SetPooling, var": Entry(lambda: SetPooling("var"), any_features=True),
    "SetPooling, softmax": Entry(lambda: SetPooling("softmax"), any_features=True),
    "SetAttentionBlock, as published": moves(
        lambda: SetAttentionBlock(6, 2, in_features=D, layer_norm=True, **PUBLISHED)
    ),
    "InducedSetAttentionBlock, as published": moves(
        lambda: InducedSetAttentionBlock(6, 2, 3, in_features=D, **PUBLISHED)
    ),
    "AttentionPooling, as published": Entry(
        lambda: AttentionPooling(6, 2, 2, in_features=D, rff=False, **PUBLISHED)
    ),
    "MultiheadAttentionBlock, normed": Entry(
        lambda: LookedAt(MultiheadAttentionBlock(D, 2, layer_norm=True))
    ),
    "SetNetwork, equivariant": moves(
        lambda: SetNetwork(nn.Linear(D, 8), nn.LayerNorm(8), LinearEquivariant(8, 2), d=D)
    ),
    "CanonicalModel, columns, equivariant": moves(
        lambda: CanonicalModel(of_entries(), columnwise_sort, equivariant=True)
    ),
    "CanonicalModel, rotation": Entry(lambda: CanonicalModel(reader(), least_rotation), group=C),
    "DirectionFrame, equivariant": moves(
        lambda: CanonicalModel(writer(), frame=DirectionFrame(D, 3), equivariant=True)
    ),
    "CircleFrame": Entry(
        lambda: CanonicalModel(of_the_plane(LinearInvariant(D, 2)), frame=CircleFrame()),
        features=(2,),
    ),
    "LearnedOrder, all orders": Entry(
        lambda: CanonicalModel(reader(), frame=LearnedOrder(keys(N), noise=0.5)),
        sizes="fixed",
    ),
    "LearnedOrder, scored": Entry(
        lambda: CanonicalModel(
            reader(), frame=LearnedOrder(keys(N), noise=1, samples=3, gradient="score")
        ),
        random=True,
        draws=True,
        sizes="placed",
    ),
    "LearnedOrder, equivariant": moves(
        lambda: CanonicalModel(
            writer(), frame=LearnedOrder(keys(), temperature=1.0), equivariant=True
        ),
    ),
    "order_keys": moves(lambda: order_keys(D)),
    "SymmetryModel, recomputed": placed(
        lambda: SymmetryModel(reader(), C, recompute=True),
        C,
    ),
    "SymmetryModel, all orders": Entry(lambda: SymmetryModel(reader(), S), sizes="fixed"),
    "SymmetryModel, all orders, recomputed": Entry(
        lambda: SymmetryModel(reader(), S, recompute=True), sizes="fixed"
    ),
    "SymmetryModel, all orders, equivariant": moves(
        lambda: SymmetryModel(writer(), S, equivariant=True), sizes="fixed"
    ),
    "intrinsic, sums": Entry(lambda: intrinsic(N, D, normalization="sqrt", pooling="sum")),
    "cyclic-elements, sum": Entry(lambda: cyclic_elements(N, D, pooling="sum")),
    "deep-sets, sum": Entry(lambda: deep_sets(N, D, pooling="sum")),
    "deep-sets, max": Entry(lambda: deep_sets(N, D, pooling="max")),
    "deep-sets, std": Entry(lambda: deep_sets(N, D, pooling="std")),
    "deep-sets, softmax": Entry(lambda: deep_sets(N, D, pooling=SetPooling("softmax", d=24))),
    "intrinsic, members": moves(lambda: intrinsic(N, D, outputs=2, per_member=True)),
    "cyclic-elements, members": moves(lambda: cyclic_elements(N, D, outputs=2, per_member=True)),
    "deep-sets, members": moves(
        lambda: deep_sets(N, D, outputs=2, per_member=True, probabilities=True)
    ),
    "set-transformer, members": moves(
        lambda: set_transformer(N, D, outputs=2, per_member=True, probabilities=True)
    ),
    "set-transformer, points": Entry(lambda: set_transformer(N, D, num_points=3)),
    "set-transformer, two normed blocks": Entry(
        lambda: set_transformer(N, D, num_blocks=2, layer_norm=True)
    ),
    "set-transformer, no blocks": Entry(lambda: set_transformer(N, D, num_blocks=0)),
}


def of_the_book(name: str) -> Entry:
    spec = MODELS[name]
    group = {"trivial": NOTHING, "C_n": C}.get(spec.group, S)
    random = name.startswith(("sampled", "augmented"))
    placed = group is C or name.startswith("sampled")
    sizes = "every" if spec.route == "intrinsic" else "placed" if placed else "fixed"
    return Entry(lambda: build_model(name, N, D), sizes=sizes, group=group, random=random)


CATALOGUE = MODULES | VARIANTS | {name: of_the_book(name) for name in MODELS}


def made(name: str, *, shuffled: bool = False, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return the module of an entry, the same weights every time."""
    torch.manual_seed(0)
    module = CATALOGUE[name].make().to(dtype)
    return shuffle_parameters(module) if shuffled else module


def shuffle_parameters(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter anew, biases and gains too, so that none is at a special value.

    What is stored in units is drawn as it is shown.
    """
    source = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            drawn = 0.5 * torch.randn(parameter.shape, generator=source)
            if name.startswith("stored_"):
                setattr(part, name.removeprefix("stored_"), drawn)
            else:
                parameter.detach().copy_(drawn)
    return module


def some_sets(entry: Entry, batch: int = 5, dtype: torch.dtype = torch.float32):
    """Return sets with equal rows in the first of them, and a mask by which the last is empty."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(batch, entry.n, *entry.features, generator=source, dtype=dtype)
    mask = torch.rand(batch, entry.n, generator=source) < 0.6
    x[:1, 1], mask[-1:] = x[:1, 0], False
    return x, mask


def calls(entry: Entry, batch: int = 5, dtype: torch.dtype = torch.float32):
    """Return sets, and the options of a call without a mask and, if it takes one, with one."""
    x, mask = some_sets(entry, batch, dtype)
    return x, [{}, {"mask": mask}] if entry.mask else [{}]


def seeded(module, x: Tensor, options) -> Tensor:
    """Return the output, with the same random numbers at every call."""
    torch.manual_seed(1)
    return module(x, **options)


def output_and_gradients(module, x: Tensor, option) -> tuple[Tensor, ...]:
    """Return the output, and the gradients of its squares for the sets and for all parameters."""
    y, inputs = seeded(module, x, option), [x, *module.parameters()]
    return y, *torch.autograd.grad(y.square().sum(), inputs, materialize_grads=True)
