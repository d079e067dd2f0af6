r"""The linear layers of a group: all of them, and no others.

A linear map $L$ with $L(\sigma \cdot x) = \sigma \cdot L(x)$ for every $\sigma \in G$ has one
weight per orbit of $G$ on pairs of points. For $S_n$ these are two, the member itself and the mean
of the set; for $S_n \times S_d$ four; for any other group its orbits are computed. Each layer comes
with its invariant partner, which pools.

Chapters 4, 5, 6 and 12 derive them.
"""

from invariant_nets.layers.averaged import LinearEquivariant, LinearInvariant
from invariant_nets.layers.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.layers.exchangeable_sparse import SparseExchangeableEquivariant
from invariant_nets.layers.orbit import OrbitInvariant, OrbitLinear
from invariant_nets.layers.symmetric_elements import SymmetricElements, SymmetricElementsInvariant

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
]
