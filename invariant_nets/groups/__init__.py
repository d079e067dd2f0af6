r"""Permutations, and groups of them of any size.

A set has no order, so a function of a set must not change when its $n$ rows are permuted:
$(\sigma \cdot x)_i = x_{\sigma(i)}$ for every $\sigma$ of a group $G \le S_n$. This room holds
permutations and their action, lists of permutations, and groups that are given by a few generators.
A chain of stabilizers counts the elements of a group, lists them and draws from them, without a
search, and the orbits of a group on pairs of points determine its linear layers.

Derived in chapters 1 and 12 and appendix A. Nothing here depends on networks.
"""

from invariant_nets.groups.chain import Level, StabilizerChain
from invariant_nets.groups.enumeration import (
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
)
from invariant_nets.groups.finding.schreier_sims import levels_of
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
from invariant_nets.groups.orbits import pair_orbits, point_orbits
from invariant_nets.groups.permutation import Permutation
from invariant_nets.groups.products import direct_product, wreath_product, young_subgroup
from invariant_nets.groups.sums import direct_sum
from invariant_nets.groups.transitive.degree import transitivity
from invariant_nets.groups.transitive.lines import affine_group, projective_group

__all__ = [
    "Level",
    "Permutation",
    "PermutationGroup",
    "StabilizerChain",
    "affine_group",
    "alternating_group",
    "create_all_permutations",
    "create_permutations_from_generators",
    "create_random_permutations",
    "cyclic_generator",
    "cyclic_group",
    "dihedral_group",
    "direct_product",
    "direct_sum",
    "levels_of",
    "mathieu_group",
    "pair_orbits",
    "pocket_cube_group",
    "point_orbits",
    "projective_group",
    "rubiks_cube_group",
    "symmetric_group",
    "transitivity",
    "trivial_group",
    "wreath_product",
    "young_subgroup",
]
