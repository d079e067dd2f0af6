r"""Permutation-invariant neural networks, and the book that derives them.

| room | what is in it | chapters |
|---|---|---|
| `groups` | permutations and groups | 1, 12, A |
| `data` | the task, its limit, padded and labeled sets, files and more tasks | 2, 11, 13, 14 |
| `checks` | how far from a symmetry, and which one | 3 |
| `layers` | the linear layers of a group | 4, 5, 6, 12 |
| `networks` | networks made of the layers, for sets of every size | 4, 6, 10, 13 |
| `canonicalization` | one order for every set | 7, 14 |
| `averaging` | averages over permutations, and augmentation | 8, 9, B |
| `training` | a trainer that can be interrupted and resumed | 10, B |
| `comparison` | all models on one task | 11 |

The names of the rooms can be imported from here. In addition, `figures` is the style of the book's
figures, which needs matplotlib, and `ranks` are the processes that work together.
"""

from invariant_nets.averaging.augmentation import Augmentation
from invariant_nets.averaging.chunked import average_over
from invariant_nets.averaging.designs import coset_subgroup, variance_ratios
from invariant_nets.averaging.model import Estimate, SymmetryModel
from invariant_nets.canonicalization.any_group.ordering import canonical_form, canonical_order
from invariant_nets.canonicalization.frames import (
    CircleFrame,
    DirectionFrame,
    RelaxedOrders,
    WeightedOrders,
)
from invariant_nets.canonicalization.learned_order import LearnedOrder
from invariant_nets.canonicalization.model import CanonicalModel
from invariant_nets.canonicalization.principal_axes import PrincipalAxesModel
from invariant_nets.canonicalization.rotation import least_rotation
from invariant_nets.canonicalization.rows_and_columns.sort import row_column_sort
from invariant_nets.canonicalization.sort_pooling import SortPooling
from invariant_nets.canonicalization.sorting import columnwise_sort, lexicographic_sort
from invariant_nets.checks.assertions import (
    assert_equivariant,
    assert_invariant,
    test_equivariant,
    test_invariant,
)
from invariant_nets.checks.report import SymmetryReport, symmetry_report
from invariant_nets.checks.search import find_symmetry
from invariant_nets.comparison.compare import compare
from invariant_nets.comparison.graphs.export import Graphs, export_graphs
from invariant_nets.comparison.models import MODELS, build_model
from invariant_nets.comparison.report import Comparison
from invariant_nets.comparison.results import ModelResult, ModelSpec, Run
from invariant_nets.comparison.sets_task import SetsTask
from invariant_nets.comparison.tasks import GaussianTask
from invariant_nets.data.bayes import bayes_accuracy, bayes_loss, bayes_threshold
from invariant_nets.data.gaussian import GaussianDataset
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.data.poker import poker_hands
from invariant_nets.data.ragged import (
    PaddedSets,
    collate_sets,
    pad_graphs,
    pad_sets,
    unpad_sets,
)
from invariant_nets.data.set_files import SetFile, SetFileError, load_bags, load_sets
from invariant_nets.data.shapes import random_shapes
from invariant_nets.groups.enumeration import (
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
)
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import (
    alternating_group,
    cyclic_generator,
    cyclic_group,
    dihedral_group,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
)
from invariant_nets.groups.permutation import Permutation
from invariant_nets.groups.products import direct_product, wreath_product
from invariant_nets.groups.sums import direct_sum
from invariant_nets.groups.transitive.degree import transitivity
from invariant_nets.groups.transitive.lines import affine_group, projective_group
from invariant_nets.layers.averaged import LinearEquivariant, LinearInvariant
from invariant_nets.layers.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.layers.exchangeable_sparse import SparseExchangeableEquivariant
from invariant_nets.layers.orbit import OrbitInvariant, OrbitLinear
from invariant_nets.layers.symmetric_elements import SymmetricElements, SymmetricElementsInvariant
from invariant_nets.layers.tensors.layer import TensorLinear
from invariant_nets.networks.attention import InducedSetAttentionBlock, SetAttentionBlock
from invariant_nets.networks.attention_block import MultiheadAttentionBlock
from invariant_nets.networks.backbones import EncoderLayer, PositionalEncoding, mlp, transformer
from invariant_nets.networks.deep_sets import deep_sets, order_keys, perceptron
from invariant_nets.networks.entries import entrywise, gram, radial
from invariant_nets.networks.intrinsic import (
    cyclic_elements,
    exchangeable_matrix,
    graph_network,
    intrinsic,
)
from invariant_nets.networks.pooling import AttentionPooling, SetPooling
from invariant_nets.networks.set_network import FlattenMembers, GraphNetwork, SetNetwork
from invariant_nets.networks.set_transformer import attention_from_state, set_transformer
from invariant_nets.ranks import Ranks, join_ranks, shard
from invariant_nets.training.binary import BinaryTrainer
from invariant_nets.training.history import Epoch, History, LossAndScore
from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.training.tasks import Task
from invariant_nets.training.trainer import Trainer

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
    "GraphNetwork",
    "Graphs",
    "History",
    "InducedSetAttentionBlock",
    "LabeledSets",
    "LearnedOrder",
    "LinearEquivariant",
    "LinearInvariant",
    "LossAndScore",
    "ModelResult",
    "ModelSpec",
    "MultiheadAttentionBlock",
    "OrbitInvariant",
    "OrbitLinear",
    "PaddedSets",
    "Permutation",
    "PermutationGroup",
    "PositionalEncoding",
    "PrincipalAxesModel",
    "Ranks",
    "RelaxedOrders",
    "Run",
    "SetAttentionBlock",
    "SetFile",
    "SetFileError",
    "SetNetwork",
    "SetPooling",
    "SetsTask",
    "SortPooling",
    "SparseExchangeableEquivariant",
    "SymmetricElements",
    "SymmetricElementsInvariant",
    "SymmetryModel",
    "SymmetryReport",
    "Task",
    "TensorLinear",
    "Trainer",
    "WeightedOrders",
    "affine_group",
    "alternating_group",
    "assert_equivariant",
    "assert_invariant",
    "attention_from_state",
    "average_over",
    "bayes_accuracy",
    "bayes_loss",
    "bayes_threshold",
    "build_model",
    "canonical_form",
    "canonical_order",
    "collate_sets",
    "columnwise_sort",
    "compare",
    "coset_subgroup",
    "create_all_permutations",
    "create_permutations_from_generators",
    "create_random_permutations",
    "cyclic_elements",
    "cyclic_generator",
    "cyclic_group",
    "deep_sets",
    "dihedral_group",
    "direct_product",
    "direct_sum",
    "entrywise",
    "exchangeable_matrix",
    "export_graphs",
    "find_symmetry",
    "gram",
    "graph_network",
    "intrinsic",
    "join_ranks",
    "least_rotation",
    "lexicographic_sort",
    "load_bags",
    "load_sets",
    "mathieu_group",
    "mlp",
    "order_keys",
    "pad_graphs",
    "pad_sets",
    "perceptron",
    "pocket_cube_group",
    "poker_hands",
    "projective_group",
    "radial",
    "random_shapes",
    "row_column_sort",
    "rubiks_cube_group",
    "set_transformer",
    "shard",
    "symmetric_group",
    "symmetry_report",
    "test_equivariant",
    "test_invariant",
    "transformer",
    "transitivity",
    "trivial_group",
    "unpad_sets",
    "variance_ratios",
    "wreath_product",
]
