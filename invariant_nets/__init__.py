r"""Permutation-invariant neural networks, and the book that derives them.

| chapter | modules |
|---|---|
| 1 Sets, permutations, actions | `permutation` |
| 2 The task and its limit | `gaussian`, `bayes` |
| 3 Measuring invariance | `audit`, `checks`, `symmetry_search` |
| 4 The averaged equivariant layer | `layers`, `intrinsic` |
| 5 Why sums saturate | `layers` |
| 6 S_n × S_d: rows and columns | `exchangeable`, `exchangeable_sparse`, `entries` |
| 6, sets of symmetric elements | `symmetric_elements` |
| 7 Canonicalization | `sorting`, `rotation`, `frames`, `canonicalization` |
| 8 Symmetrization, exact and sampled | `averaging`, `chunked_average`, `recompute`, `enumeration` |
| 9 Augmentation | `augmentation` |
| 10 Overfitting, and data that never repeats | `set_network`, `backbones`, `training`, `history` |
| 10, runs that are cut off | `checkpoint` |
| 11 All models compared | `models`, `tasks`, `model_result`, `comparison_report`, `comparison` |
| 11, on your own sets | `labeled_sets`, `set_files`, `sets_task` |
| 12 Any permutation group | `groups`, `named_groups`, `products`, `orbits`, `orbit_layers` |
| 12, how groups are computed | `chain`, `closed_form`, `schreier_sims` |
| 13 Real data | `ragged`, `perceptron`, `pooling`, `deep_sets` |
| 13, attention | `attention_block`, `attention`, `set_transformer` |
| 14 Beyond one machine | `ranks`, `sharding`, `sharded_average` |
"""

from invariant_nets.attention import AttentionPooling, InducedSetAttentionBlock, SetAttentionBlock
from invariant_nets.attention_block import MultiheadAttentionBlock
from invariant_nets.audit import SymmetryReport, symmetry_report
from invariant_nets.augmentation import Augmentation
from invariant_nets.averaging import Estimate, SymmetryModel
from invariant_nets.backbones import EncoderLayer, PositionalEncoding, mlp, transformer
from invariant_nets.bayes import bayes_accuracy, bayes_loss, bayes_threshold
from invariant_nets.canonicalization import CanonicalModel
from invariant_nets.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.checks import (
    assert_equivariant,
    assert_invariant,
    test_equivariant,
    test_invariant,
)
from invariant_nets.chunked_average import average_over
from invariant_nets.comparison import compare
from invariant_nets.comparison_report import Comparison
from invariant_nets.deep_sets import deep_sets
from invariant_nets.entries import entrywise, radial
from invariant_nets.enumeration import (
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
)
from invariant_nets.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.exchangeable_sparse import SparseExchangeableEquivariant
from invariant_nets.frames import CircleFrame, DirectionFrame, WeightedOrders
from invariant_nets.gaussian import GaussianDataset
from invariant_nets.groups import PermutationGroup
from invariant_nets.history import Epoch, History
from invariant_nets.intrinsic import exchangeable_matrix, intrinsic
from invariant_nets.labeled_sets import LabeledSets
from invariant_nets.layers import LinearEquivariant, LinearInvariant
from invariant_nets.model_result import ModelResult, Run
from invariant_nets.models import MODELS, ModelSpec, build_model, cyclic_generator
from invariant_nets.named_groups import (
    alternating_group,
    cyclic_group,
    dihedral_group,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
)
from invariant_nets.orbit_layers import OrbitInvariant, OrbitLinear
from invariant_nets.perceptron import perceptron
from invariant_nets.permutation import Permutation
from invariant_nets.pooling import SetPooling
from invariant_nets.products import direct_product, wreath_product
from invariant_nets.ragged import PaddedSets, collate_sets, pad_sets, unpad_sets
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.rotation import least_rotation
from invariant_nets.set_files import SetFile, SetFileError, load_sets
from invariant_nets.set_network import FlattenMembers, SetNetwork
from invariant_nets.set_transformer import set_transformer
from invariant_nets.sets_task import SetsTask
from invariant_nets.sharding import shard
from invariant_nets.sorting import columnwise_sort, lexicographic_sort, row_column_sort
from invariant_nets.symmetric_elements import (
    SymmetricElements,
    SymmetricElementsInvariant,
    cyclic_elements,
)
from invariant_nets.symmetry_search import find_symmetry
from invariant_nets.tasks import GaussianTask
from invariant_nets.training import BinaryTrainer

__version__ = "0.1.0"

__all__ = [
    "MODELS",
    "AttentionPooling",
    "Augmentation",
    "BinaryTrainer",
    "CanonicalModel",
    "CheckpointError",
    "CheckpointFolder",
    "CircleFrame",
    "Comparison",
    "DirectionFrame",
    "EncoderLayer",
    "Epoch",
    "Estimate",
    "ExchangeableEquivariant",
    "ExchangeableInvariant",
    "FlattenMembers",
    "GaussianDataset",
    "GaussianTask",
    "History",
    "InducedSetAttentionBlock",
    "LabeledSets",
    "LinearEquivariant",
    "LinearInvariant",
    "ModelResult",
    "ModelSpec",
    "MultiheadAttentionBlock",
    "OrbitInvariant",
    "OrbitLinear",
    "PaddedSets",
    "Permutation",
    "PermutationGroup",
    "PositionalEncoding",
    "Ranks",
    "Run",
    "SetAttentionBlock",
    "SetFile",
    "SetFileError",
    "SetNetwork",
    "SetPooling",
    "SetsTask",
    "SparseExchangeableEquivariant",
    "SymmetricElements",
    "SymmetricElementsInvariant",
    "SymmetryModel",
    "SymmetryReport",
    "WeightedOrders",
    "alternating_group",
    "assert_equivariant",
    "assert_invariant",
    "average_over",
    "bayes_accuracy",
    "bayes_loss",
    "bayes_threshold",
    "build_model",
    "collate_sets",
    "columnwise_sort",
    "compare",
    "create_all_permutations",
    "create_permutations_from_generators",
    "create_random_permutations",
    "cyclic_elements",
    "cyclic_generator",
    "cyclic_group",
    "deep_sets",
    "dihedral_group",
    "direct_product",
    "entrywise",
    "exchangeable_matrix",
    "find_symmetry",
    "intrinsic",
    "join_ranks",
    "least_rotation",
    "lexicographic_sort",
    "load_sets",
    "mathieu_group",
    "mlp",
    "pad_sets",
    "perceptron",
    "pocket_cube_group",
    "radial",
    "row_column_sort",
    "rubiks_cube_group",
    "set_transformer",
    "shard",
    "symmetric_group",
    "symmetry_report",
    "test_equivariant",
    "test_invariant",
    "transformer",
    "trivial_group",
    "unpad_sets",
    "wreath_product",
]
