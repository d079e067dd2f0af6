r"""The linear layers of a group: all of them, and no others.

A linear map $L$ with $L(\sigma \cdot x) = \sigma \cdot L(x)$ for every $\sigma \in G$ has one
weight per orbit of $G$ on pairs of points. For $S_n$ these are two, the member itself and the mean
of the set; for $S_n \times S_d$ four; for graphs, tables of tables and all other tensors whose axes
sets index, one for each set partition of the axes; for any other group its orbits are computed.

Chapters 4, 5, 6 and 12 derive them.
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
