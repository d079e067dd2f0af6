"""The public names, and a course notebook's lines that must keep working."""

import inspect
import math
import types

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import invariant_nets
from invariant_nets import (
    BinaryTrainer,
    CanonicalModel,
    GaussianDataset,
    LinearEquivariant,
    LinearInvariant,
    Permutation,
    PositionalEncoding,
    SymmetryModel,
    create_all_permutations,
    create_permutations_from_generators,
    test_equivariant,
    test_invariant,
)

SHAPE = (10, 5)
FIRST = """
    MODELS AttentionPooling Augmentation BinaryTrainer CanonicalModel CheckpointError
    CheckpointFolder CircleFrame Comparison DirectionFrame EncoderLayer Epoch Estimate
    ExchangeableEquivariant ExchangeableInvariant FlattenMembers GaussianDataset GaussianTask
    History InducedSetAttentionBlock LabeledSets LinearEquivariant LinearInvariant ModelResult
    ModelSpec MultiheadAttentionBlock OrbitInvariant OrbitLinear PaddedSets Permutation
    PermutationGroup PositionalEncoding Ranks Run SetAttentionBlock SetFile SetFileError
    SetNetwork SetPooling SetsTask SparseExchangeableEquivariant SymmetricElements
    SymmetricElementsInvariant SymmetryModel SymmetryReport WeightedOrders alternating_group
    assert_equivariant assert_invariant attention_from_state average_over bayes_accuracy bayes_loss
    bayes_threshold
    build_model collate_sets columnwise_sort compare create_all_permutations
    create_permutations_from_generators create_random_permutations cyclic_elements
    cyclic_generator cyclic_group deep_sets dihedral_group direct_product entrywise
    exchangeable_matrix find_symmetry intrinsic join_ranks least_rotation lexicographic_sort
    load_sets mathieu_group mlp pad_sets perceptron pocket_cube_group radial row_column_sort
    rubiks_cube_group set_transformer shard symmetric_group symmetry_report test_equivariant
    test_invariant transformer trivial_group unpad_sets wreath_product
"""


def test_all_names_exactly_what_is_public():
    public = {
        name
        for name, value in vars(invariant_nets).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(invariant_nets.__all__)
    assert len(invariant_nets.__all__) == len(public)


def test_every_name_of_the_first_version_is_there():
    assert len(FIRST.split()) == 93
    assert set(FIRST.split()) <= set(invariant_nets.__all__)


@pytest.mark.parametrize(
    "line",
    [
        "from invariant_nets.averaging import Estimate, SymmetryModel",
        "from invariant_nets.canonicalization import CanonicalModel",
        "from invariant_nets.checks import assert_invariant, test_invariant",
        "from invariant_nets.comparison import compare",
        "from invariant_nets.groups import PermutationGroup",
        "from invariant_nets.layers import LinearEquivariant, LinearInvariant",
        "from invariant_nets.training import BinaryTrainer",
    ],
)
def test_rooms_with_the_name_of_a_former_module_have_its_names(line):
    found = {}
    exec(line, found)
    for name in line.partition(" import ")[2].split(", "):
        assert found[name] is getattr(invariant_nets, name)


def test_every_public_name_says_what_it_is():
    for name in invariant_nets.__all__:
        value = getattr(invariant_nets, name)
        if callable(value):
            assert inspect.getdoc(value), name
            assert value.__module__.startswith("invariant_nets."), name


def test_every_function_and_module_shows_an_example():
    for name in invariant_nets.__all__:
        value = getattr(invariant_nets, name)
        if inspect.isfunction(value) or (inspect.isclass(value) and issubclass(value, nn.Module)):
            assert ">>>" in inspect.getdoc(value), name


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("GaussianDataset", ["num_samples", "shape", "var1", "var2", "static"]),
        ("LinearEquivariant", ["in_channels", "out_channels"]),
        ("LinearInvariant", ["in_channels", "out_channels"]),
        ("PositionalEncoding", ["d_model", "max_len"]),
        ("CanonicalModel", ["model"]),
        ("SymmetryModel", ["model", "perm_creator", "chunksize"]),
        ("Permutation", ["index_tensor"]),
        ("create_all_permutations", ["n"]),
        ("create_permutations_from_generators", ["generators"]),
        ("BinaryTrainer", ["model", "loss_fn", "optimizer", "device", "log"]),
        ("test_invariant", ["model", "input"]),
        ("test_equivariant", ["model", "input"]),
    ],
)
def test_the_known_names_keep_their_arguments_in_order(name, keywords):
    parameters = inspect.signature(getattr(invariant_nets, name)).parameters
    assert list(parameters)[: len(keywords)] == keywords


def test_fit_keeps_its_arguments_in_order():
    parameters = list(inspect.signature(BinaryTrainer.fit).parameters)
    assert parameters[1:6] == [
        "dl_train", "dl_test", "num_epochs", "print_every", "early_stopping"
    ]  # fmt: skip


# The notebook.


def loaders(static=False):
    train = GaussianDataset(num_samples=64, shape=SHAPE, var1=1.0, var2=0.3, static=static)
    test = GaussianDataset(num_samples=32, shape=SHAPE, var1=1.0, var2=0.3, static=True)
    return DataLoader(train, batch_size=32), DataLoader(test, batch_size=32)


def fitted(model, num_epochs=2, **options):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    device = torch.device("cpu")
    trainer = BinaryTrainer(model, nn.BCELoss(), optimizer, device, log=False)
    return trainer.fit(*loaders(), num_epochs=num_epochs, **options)


def intrinsic_network():
    return nn.Sequential(
        LinearEquivariant(in_channels=5, out_channels=10),
        nn.ReLU(),
        LinearEquivariant(in_channels=10, out_channels=10),
        nn.ReLU(),
        LinearInvariant(in_channels=10, out_channels=1),
        nn.Sigmoid(),
    )


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 1), nn.Sigmoid())


class Transformer(nn.Module):
    def __init__(self, n=10, d=5):
        super().__init__()
        self.positions = PositionalEncoding(d_model=d, max_len=n)
        self.encoder = nn.TransformerEncoderLayer(
            d_model=d, nhead=1, dim_feedforward=16, batch_first=True
        )
        self.readout = nn.Sequential(
            nn.LayerNorm(d), nn.Flatten(), nn.Linear(n * d, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return self.readout(self.encoder(self.positions(x)))


def test_the_intrinsic_network_of_the_notebook_trains_and_is_invariant():
    model = intrinsic_network()
    history = fitted(model, print_every=1, early_stopping=10)
    assert history.num_epochs == 2
    x = torch.randn(32, *SHAPE)
    assert test_invariant(model, x)
    assert test_invariant(model=model, input=x)
    assert test_equivariant(model[:-2], input=x)


def test_the_canonical_model_of_the_notebook_trains_and_is_invariant():
    for backbone in (perceptron(), Transformer()):
        model = CanonicalModel(backbone)
        assert all(map(math.isfinite, fitted(model).test_loss))
        assert test_invariant(model, torch.randn(32, *SHAPE))


def test_the_symmetry_model_of_the_notebook_averages_over_a_generated_group():
    shift = Permutation(torch.roll(torch.arange(10), -1))
    permutations = create_permutations_from_generators([shift])
    assert len(permutations) == 10
    model = SymmetryModel(perceptron(), perm_creator=lambda: permutations, chunksize=5)
    assert fitted(model).num_epochs == 2
    assert test_invariant(model, torch.randn(32, *SHAPE), [shift])


def test_the_symmetry_model_of_the_notebook_averages_over_all_permutations():
    model = SymmetryModel(
        nn.Sequential(nn.Flatten(), nn.Linear(8, 1)),
        perm_creator=lambda: create_all_permutations(4),
        chunksize=10,
    )
    assert test_invariant(model, torch.randn(8, 4, 2))


def test_the_symmetry_model_of_the_notebook_averages_over_random_permutations():
    def perm_creator():
        return [Permutation(torch.randperm(10)) for _ in range(10)]

    model = SymmetryModel(Transformer(), perm_creator=perm_creator, chunksize=10)
    assert fitted(model).num_epochs == 2
    assert test_invariant(model, torch.randn(32, *SHAPE)).is_random


def test_the_datasets_of_the_notebook_are_static_or_not():
    for static in (True, False):
        data = loaders(static)[0].dataset
        assert torch.equal(data[0][0], data[0][0]) is static
