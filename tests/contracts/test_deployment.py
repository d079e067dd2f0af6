"""Every layer and model, copied, saved, compiled, exported, and in every precision."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

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
    InducedSetAttentionBlock,
    LinearEquivariant,
    LinearInvariant,
    OrbitInvariant,
    OrbitLinear,
    Permutation,
    PositionalEncoding,
    SetAttentionBlock,
    SetNetwork,
    SetPooling,
    SymmetryModel,
    build_model,
    cyclic_group,
    dihedral_group,
    direct_product,
    least_rotation,
    lexicographic_sort,
    mathieu_group,
    mlp,
    row_column_sort,
    symmetric_group,
)

N, D = 7, 4


def reader():
    return SetNetwork(
        PositionalEncoding(D, N), nn.Linear(D, 8), nn.ReLU(), LinearInvariant(8, 2), d=D
    )


def writer():
    return SetNetwork(PositionalEncoding(D, N), nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 2), d=D)


class Entries(nn.Module):
    """A layer of matrices on sets."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, mask=None):
        return self.layer(x[..., None], mask=mask)


MODULES = {
    "LinearEquivariant": lambda: LinearEquivariant(D, 3),
    "LinearInvariant": lambda: LinearInvariant(D, 3, "sqrt", "sum"),
    "ExchangeableEquivariant": lambda: Entries(ExchangeableEquivariant(1, 3)),
    "ExchangeableInvariant": lambda: Entries(ExchangeableInvariant(1, 3)),
    "OrbitLinear, written out": lambda: OrbitLinear(dihedral_group(N), D, 3),
    "OrbitLinear, pooled": lambda: OrbitLinear(symmetric_group(N), D, 3),
    "OrbitInvariant": lambda: OrbitInvariant(cyclic_group(N), D, 3),
    "SetPooling": lambda: SetPooling("max"),
    "SetAttentionBlock": lambda: SetAttentionBlock(D, 2),
    "InducedSetAttentionBlock": lambda: InducedSetAttentionBlock(D, 2, 3),
    "AttentionPooling": lambda: AttentionPooling(D, 2),
    "EncoderLayer": lambda: EncoderLayer(D, 2, 8),
    "CanonicalModel": lambda: CanonicalModel(reader()),
    "CanonicalModel, equivariant": lambda: CanonicalModel(writer(), equivariant=True),
    "CanonicalModel, rows and columns": lambda: CanonicalModel(reader(), row_column_sort),
    "CanonicalModel, rotation": lambda: CanonicalModel(reader(), least_rotation),
    "CanonicalModel, directions": lambda: CanonicalModel(reader(), frame=DirectionFrame(D, 3)),
    "Augmentation": lambda: Augmentation(reader()),
    "SymmetryModel": lambda: SymmetryModel(reader(), cyclic_group(N)),
    "SymmetryModel, equivariant": lambda: SymmetryModel(
        writer(), dihedral_group(N), chunksize=3, equivariant=True
    ),
    "SymmetryModel, recomputed": lambda: SymmetryModel(reader(), cyclic_group(N), recompute=True),
    "SymmetryModel, sampled": lambda: SymmetryModel(reader(), symmetric_group(N), samples=3),
    **{name: lambda name=name: build_model(name, N, D) for name in MODELS},
}
every_module = pytest.mark.parametrize("name", MODULES)
with_and_without_a_mask = pytest.mark.parametrize("masked", [False, True])


def made(name):
    torch.manual_seed(0)
    return MODULES[name]()


def some_sets(masked, batch=5, dtype=torch.float32):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(batch, N, D, generator=source, dtype=dtype)
    x[0, 1] = x[0, 0]  # a tie
    mask = torch.rand(batch, N, generator=source) < 0.6
    mask[-1] = False
    return (x, {"mask": mask} if masked else {})


def seeded(model, x, options):
    """The output, with the same random numbers at every call."""
    torch.manual_seed(1)
    return model(x, **options)


def compiled(model, x, options):
    torch.compiler.reset()
    return torch.compile(model, fullgraph=True, backend="aot_eager")


def exported(model, x, options):
    return torch.export.export(model, (x,), options).module(check_guards=False)


def saved_and_loaded(model, x, options):
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    return other


def pickled(model, x, options):
    return pickle.loads(pickle.dumps(model))


def copied(model, x, options):
    return copy.deepcopy(model)


WAYS = [compiled, exported, saved_and_loaded, pickled, copied]


@every_module
@with_and_without_a_mask
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_computes_the_same_when_it_is(way, name, masked):
    model = made(name)
    x, options = some_sets(masked)
    expected = seeded(model, x, options)
    torch.testing.assert_close(seeded(way(model, x, options), x, options), expected)


@every_module
def test_a_compiled_module_has_the_same_gradients(name):
    model = made(name)
    x, options = some_sets(masked=True)
    x.requires_grad_()
    slopes = []
    for version in (model, compiled(model, x, options)):
        y = seeded(version, x, options)
        inputs = [x, *model.parameters()]
        slopes.append(torch.autograd.grad(y.square().sum(), inputs, allow_unused=True))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other)


@every_module
def test_it_compiles_and_exports_in_evaluation_mode(name):
    model = made(name).eval()
    x, options = some_sets(masked=True)
    with torch.no_grad():
        expected = seeded(model, x, options)
        for way in (compiled, exported):
            torch.testing.assert_close(seeded(way(model, x, options), x, options), expected)


@every_module
def test_an_exported_module_takes_every_batch(name):
    model = made(name)
    x, options = some_sets(masked=True)
    batch = torch.export.Dim("batch", min=2)
    sizes = {"x": {0: batch}, "mask": {0: batch}}
    exported = torch.export.export(model, (x,), options, dynamic_shapes=sizes)
    module = exported.module(check_guards=False)
    for batch in (2, 9):
        more, options = some_sets(masked=True, batch=batch)
        torch.testing.assert_close(seeded(module, more, options), seeded(model, more, options))


@every_module
@with_and_without_a_mask
def test_no_sets_give_no_outputs(name, masked):
    x, options = some_sets(masked)
    y = made(name)(x[:0], **{key: mask[:0] for key, mask in options.items()})
    assert y.shape[0] == 0


@every_module
@with_and_without_a_mask
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_works_in_every_precision(name, masked, dtype):
    model = made(name)
    x, options = some_sets(masked)
    x = x.to(torch.bfloat16).float()  # so that the same values are sorted
    expected = seeded(model, x, options)
    y = seeded(copy.deepcopy(model).to(dtype), x.to(dtype), options)
    assert y.dtype == dtype
    close = {"atol": 0.15, "rtol": 0.15} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(y.float(), expected, **close)


@every_module
@with_and_without_a_mask
def test_it_trains_under_autocast(name, masked):
    model = made(name)
    x, options = some_sets(masked)
    expected = seeded(model, x, options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = seeded(model, x, options)
    torch.testing.assert_close(y.float(), expected, atol=0.15, rtol=0.15)
    if parameters := list(model.parameters()):
        y.float().square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in parameters)
        assert any(p.grad is not None and p.grad.any() for p in parameters)


def test_a_sampled_average_draws_anew_when_it_is_compiled():
    for group in (symmetric_group(11), mathieu_group(11), dihedral_group(11)):
        model = SymmetryModel(mlp(11, D), group, samples=3)
        x = torch.randn(5, 11, D)
        fast = compiled(model, x, {})
        assert not torch.equal(fast(x), fast(x))


def test_compiled_draws_are_elements_of_the_group():
    group = mathieu_group(11)

    def places(x):
        return x[..., 0]

    model = SymmetryModel(places, group, samples=1)
    x = torch.arange(11.0).view(1, 11, 1)
    fast = torch.compile(model, fullgraph=True, backend="aot_eager")
    seen = [tuple(fast(x)[0].int().tolist()) for _ in range(20)]
    assert len(set(seen)) > 15
    assert all(Permutation(order) in group for order in seen)


def test_a_group_too_large_to_be_unrolled_says_so_when_it_is_compiled():
    model = SymmetryModel(mlp(9, D), symmetric_group(9))
    with pytest.raises(Exception, match="too many to compile or export the average"):
        torch.export.export(model, (torch.randn(1, 9, D),))


def test_a_module_that_branches_on_its_data_is_caught():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    x, options = some_sets(masked=False)
    with pytest.raises(torch._dynamo.exc.Unsupported):
        compiled(Branching(), x, options)(x)


def test_a_grid_of_rows_and_columns_compiles():
    group = direct_product(symmetric_group(3), symmetric_group(2), on="grid")
    model, x = SymmetryModel(mlp(3, 2), group), torch.randn(4, 3, 2)
    torch.testing.assert_close(compiled(model, x, {})(x), model(x))


def test_a_frame_of_the_plane_and_a_sort_compile():
    x = torch.randn(4, 5, 2)
    for model in (
        CanonicalModel(mlp(5, 2), frame=CircleFrame()),
        CanonicalModel(mlp(5, 2), lexicographic_sort),
    ):
        torch.testing.assert_close(compiled(model, x, {})(x), model(x))
