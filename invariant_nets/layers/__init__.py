r"""The linear layers of a group.

A linear map $L$ with $L(\sigma \cdot x) = \sigma \cdot L(x)$ for every $\sigma \in G$ has one
weight per orbit of $G$ on pairs of points. For $S_n$ there are two: the weight of the member itself
and that of the mean of the set. For $S_n \times S_d$ there are four. For graphs, tables of tables
and all other tensors whose axes are indexed by sets there is one for each set partition of the
axes. For any other group the orbits are computed.

Derived in chapters 4, 5, 6 and 12.
"""

from invariant_nets.layers.averaged import LinearEquivariant, LinearInvariant
from invariant_nets.layers.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.layers.exchangeable_sparse import SparseExchangeableEquivariant
from invariant_nets.layers.orbit import OrbitInvariant, OrbitLinear
from invariant_nets.layers.symmetric_elements import SymmetricElements, SymmetricElementsInvariant
from invariant_nets.layers.tensors.layer import TensorLinear

__all__ = [
    "ExchangeableEquivariant",
    "ExchangeableInvariant",
    "LinearEquivariant",
    "LinearInvariant",
    "OrbitInvariant",
    "OrbitLinear",
    "SparseExchangeableEquivariant",
    "SymmetricElements",
    "SymmetricElementsInvariant",
    "TensorLinear",
]
