r"""Networks on sets, with a mask if sets differ in size.

Some are invariant by construction, since every layer is equivariant and the last one pools. Others,
the backbones, have no symmetry, and canonicalization, averaging or augmentation make them
invariant. `SetNetwork` applies modules one after another and passes the mask to those that take it.

`GraphNetwork` does the same for graphs.

Derived and trained in chapters 4, 6, 10, 12 and 13.
"""

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

__all__ = [
    "AttentionPooling",
    "EncoderLayer",
    "FlattenMembers",
    "GraphNetwork",
    "InducedSetAttentionBlock",
    "MultiheadAttentionBlock",
    "PositionalEncoding",
    "SetAttentionBlock",
    "SetNetwork",
    "SetPooling",
    "attention_from_state",
    "cyclic_elements",
    "deep_sets",
    "entrywise",
    "exchangeable_matrix",
    "gram",
    "graph_network",
    "intrinsic",
    "mlp",
    "order_keys",
    "perceptron",
    "radial",
    "set_transformer",
    "transformer",
]
