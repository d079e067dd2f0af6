r"""The average of a network over permutations.

$$\bar f(x) = \mathbb E_{g \sim \mu(x)}\, \rho(g)^{-1} f(g \cdot x)$$

The average over a whole group makes any network exactly invariant or equivariant. An average over
$k$ random draws does so in expectation; so does an average over random cosets of a subgroup, often
with less variance; and one draw while training is augmentation. A few thousand permuted sets go
through the network together, the memory of the backward pass can be bounded, and the elements of a
group can be divided among processes.

Derived in chapters 8, 9 and 14 and appendix B.
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
