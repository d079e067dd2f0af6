"""Groups live on the CPU and hold integers, whatever torch's defaults are."""

import copy
import itertools
import pickle

import pytest
import torch

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
    cyclic_generator,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups.products import young_subgroup

GROUPS = {
    "S_9": lambda: symmetric_group(9),
    "A_3": lambda: alternating_group(3),
    "A_9": lambda: alternating_group(9),
    "A_300": lambda: alternating_group(300),
    "C_5": lambda: cyclic_group(5),
    "D_5": lambda: dihedral_group(5),
    "{e}": lambda: trivial_group(4),
    "M_11": lambda: mathieu_group(11),
    "Rubik": rubiks_cube_group,
    "pocket cube": pocket_cube_group,
    "union": lambda: direct_product(symmetric_group(3), cyclic_group(4)),
    "large union": lambda: direct_product(symmetric_group(150), alternating_group(150)),
    "grid": lambda: direct_product(symmetric_group(3), cyclic_group(4), on="grid"),
    "sets of sets": lambda: wreath_product(symmetric_group(3), dihedral_group(4)),
    "blocks": lambda: young_subgroup([[0, 3], [1, 2, 4]], 6),
    "pairs": lambda: symmetric_group(4).on_tuples(2),
    "by generators": lambda: PermutationGroup([[1, 0, 2, 3], [1, 2, 3, 0]]),
    "giant by generators": lambda: PermutationGroup(symmetric_group(12).generators),
}


@pytest.fixture(params=["meta", "float64"])
def other_defaults(request):
    """What sets other defaults, a device that holds no values or another type, and unsets them."""
    device, dtype = torch.get_default_device(), torch.get_default_dtype()

    def change():
        if request.param == "meta":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(torch.float64)

    yield change
    torch.set_default_device(device)
    torch.set_default_dtype(dtype)


def told(group):
    """Whatever a group can tell."""
    number = group.order // 3
    element = group.unrank(number)
    small = group.degree < 60
    return {
        "texts": (repr(group), str(group.order), str(element)),
        "draws": group.sample(3, torch.Generator("cpu").manual_seed(1)).tolist(),
        "number": (group.rank(element), element in group, element.inverse() in group),
        "first": [p.index_tensor.tolist() for p in itertools.islice(group, 3)],
        "part": [c.tolist() for c in group.elements(number, min(number + 3, group.order))],
        "orbits": (group.orbits(), group.orbitals(every=False).tolist()),
        "orbitals": group.orbitals().tolist() if small else None,
        "stabilizer": group.stabilizer(0).order if small else None,
        "copies": [copy.deepcopy(group) == group, pickle.loads(pickle.dumps(group)) == group],
    }


@pytest.mark.parametrize("make", GROUPS.values(), ids=GROUPS)
def test_a_group_is_the_same_under_other_defaults(make, other_defaults):
    expected = told(make())
    other_defaults()
    assert told(make()) == expected


def permutations():
    cycle = Permutation.from_cycles(4, (0, 1, 2))
    source = torch.Generator("cpu").manual_seed(0)
    return [
        *create_random_permutations(5, 3, source),
        *create_all_permutations(3),
        *create_permutations_from_generators([cycle, cyclic_generator(4)]),
        Permutation.identity(3),
        cycle @ cycle.inverse(),
        pickle.loads(pickle.dumps(cycle)),
    ]


def test_permutations_are_the_same_under_other_defaults(other_defaults):
    expected = list(map(repr, permutations()))
    other_defaults()
    actual = permutations()
    assert list(map(repr, actual)) == expected
    assert {p.index_tensor.device.type for p in actual} == {"cpu"}


def test_a_permutation_without_values_is_refused():
    with pytest.raises(ValueError, match=r"index_tensor must hold integers, got .*meta"):
        Permutation(torch.tensor([1, 0], device="meta"))
