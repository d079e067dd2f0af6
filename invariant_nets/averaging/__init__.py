r"""The average of a network over permutations.

$$\bar f(x) = \mathbb E_{g \sim \mu(x)}\, \rho(g)^{-1} f(g \cdot x)$$

Over a whole group it makes any network exactly invariant or equivariant; over $k$ random draws it
does so in expectation, and whole cosets of a subgroup spread as many draws more evenly; one draw
while training is augmentation. A few thousand permuted sets go through the network together, the
memory of the backward pass can be bounded, and the elements of a group can be divided among
processes.

Chapters 8, 9 and 14 derive it.
"""

from invariant_nets.averaging.augmentation import Augmentation
from invariant_nets.averaging.chunked import average_over
from invariant_nets.averaging.designs import coset_subgroup, variance_ratios
from invariant_nets.averaging.model import Estimate, SymmetryModel

__all__ = [
    "Augmentation",
    "Estimate",
    "SymmetryModel",
    "average_over",
    "coset_subgroup",
    "variance_ratios",
]
