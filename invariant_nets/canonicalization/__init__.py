r"""One order for every set: sort it, and any network on the sorted set is invariant.

This is the average over $\mu(x)$ with a single permutation, the one that sorts $x$. It is exactly
invariant, and not continuous for $d > 1$. A weighted frame averages a few sorts with weights that
depend on $x$, and can be both; a pool that sorts the members' heights along many directions, each
by itself, is both. `LearnedOrder` learns the order, or a distribution over orders. For a group
other than $S_n$ a canonical form is found along its chain of stabilizers. A set of vectors that may
be rotated has a frame of another kind: its principal axes.

Derived in chapter 7; chapter 14 treats rotations, chapter 15 learned orders.
"""

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

__all__ = [
    "CanonicalModel",
    "CircleFrame",
    "DirectionFrame",
    "LearnedOrder",
    "PrincipalAxesModel",
    "RelaxedOrders",
    "SortPooling",
    "WeightedOrders",
    "canonical_form",
    "canonical_order",
    "columnwise_sort",
    "least_rotation",
    "lexicographic_sort",
    "row_column_sort",
]
