import pytest
import torch

from invariant_nets import (
    PermutationGroup,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.layers.orbit_forms import dense, dense_weight, fast_form

FORMS = {
    symmetric_group(1): "PooledForm",
    symmetric_group(6): "PooledForm",
    alternating_group(5): "PooledForm",
    mathieu_group(11): "PooledForm",
    trivial_group(3): "PooledForm",
    direct_product(symmetric_group(3), symmetric_group(4)): "PooledForm",
    direct_product(symmetric_group(1), symmetric_group(4), symmetric_group(1)): "PooledForm",
    direct_product(symmetric_group(3), symmetric_group(4), on="grid"): "GridForm",
    direct_product(alternating_group(4), symmetric_group(2), on="grid"): "GridForm",
    direct_product(symmetric_group(2), symmetric_group(1), on="grid"): "PooledForm",
    cyclic_group(70): "CyclicForm",
    cyclic_group(71): "CyclicForm",
    dihedral_group(64): "CyclicForm",
    cyclic_group(5): None,
    direct_product(cyclic_group(3), symmetric_group(4), on="grid"): None,
    symmetric_group(2).on_tuples(2): "TensorForm",
    symmetric_group(5).on_tuples(2): "TensorForm",
    symmetric_group(3).on_tuples(3): "TensorForm",
    alternating_group(6).on_tuples(2): "TensorForm",
    direct_product(symmetric_group(3).on_tuples(2), symmetric_group(3), on="grid"): "TensorForm",
    direct_product(symmetric_group(3), symmetric_group(2), on="grid").on_tuples(2): "TensorForm",
    direct_product(symmetric_group(2), symmetric_group(3), symmetric_group(2), on="grid"): (
        "TensorForm"
    ),
    alternating_group(4).on_tuples(2): None,  # which has more orbitals
    cyclic_group(4).on_tuples(2): None,
    symmetric_group(2).on_tuples(4): None,  # 4,140 maps, of which two nodes tell 128 apart
    wreath_product(symmetric_group(3), symmetric_group(2)): None,
    pocket_cube_group(): None,
}


def form_of(group):
    return fast_form(group.orbitals(every=False), group, group, channels=10**9)


# From 17 channels on the FFT form takes products instead of sums.
@pytest.mark.parametrize("channels", [1, 2, 17])
@pytest.mark.parametrize("group", FORMS, ids=lambda group: f"{group.name}{group.shape}")
def test_the_orbits_choose_the_form_and_every_form_is_the_product(group, channels):
    form = form_of(group)
    assert (form and type(form).__name__) == FORMS[group]
    if form is None:
        return
    ids = group.orbitals()
    x = torch.randn(3, group.degree, channels, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(int(ids.max()) + 1, channels, 4, dtype=torch.float64, requires_grad=True)
    expected = dense(x, dense_weight(ids, weight), len(ids))
    actual = form(x, weight)
    torch.testing.assert_close(actual, expected)
    direction = torch.randn_like(expected)
    for first, second in zip(
        torch.autograd.grad(actual, (x, weight), direction),
        torch.autograd.grad(expected, (x, weight), direction),
        strict=True,
    ):
        torch.testing.assert_close(first, second)


def test_orbits_that_are_not_contiguous_are_pooled_too():
    group = PermutationGroup([[2, 1, 0]])
    ids, form = group.orbitals(), form_of(group)
    assert ids.tolist() == [[0, 1, 2], [3, 4, 3], [2, 1, 0]]
    x, weight = torch.randn(2, 3, 2).double(), torch.randn(5, 2, 3).double()
    torch.testing.assert_close(form(x, weight), dense(x, dense_weight(ids, weight), 3))


def test_the_written_out_weights_are_those_of_the_double_sum():
    ids = torch.tensor([[0, 1, 0], [2, 2, 1]])
    x, weight = torch.randn(2, 3, 2).double(), torch.randn(3, 2, 4).double()
    expected = torch.zeros(2, 2, 4, dtype=torch.float64)
    for a in range(2):
        for b in range(3):
            expected[:, a] += x[:, b] @ weight[ids[a, b]]
    torch.testing.assert_close(dense(x, dense_weight(ids, weight), 2), expected)


ACTIONS = {
    "pairs to points": (symmetric_group(4).on_tuples(2), symmetric_group(4)),
    "points to pairs": (symmetric_group(4), symmetric_group(4).on_tuples(2)),
    "triples to pairs": (symmetric_group(3).on_tuples(3), symmetric_group(3).on_tuples(2)),
    "pairs of rows to rows and columns": tuple(
        direct_product(rows, symmetric_group(2), on="grid")
        for rows in (symmetric_group(3).on_tuples(2), symmetric_group(3))
    ),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_between_two_actions_of_one_group(name):
    in_group, out_group = ACTIONS[name]
    form = fast_form(out_group.orbitals(in_group, every=False), out_group, in_group, 10**9)
    assert type(form).__name__ == "TensorForm"
    ids = out_group.orbitals(in_group)
    x = torch.randn(2, in_group.degree, 3, dtype=torch.float64)
    weight = torch.randn(int(ids.max()) + 1, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(form(x, weight), dense(x, dense_weight(ids, weight), len(ids)))


def test_actions_that_do_not_go_together_are_multiplied_out():
    # The generators of the second are those of the first under a renaming of points.
    first, renaming = symmetric_group(4).on_tuples(2), torch.tensor([0, 2, 1, 3])
    images = torch.stack([g.index_tensor for g in symmetric_group(4).generators])
    moved = torch.empty_like(images)
    moved[:, renaming] = renaming[images]
    second = PermutationGroup(moved.tolist())
    form = fast_form(second.orbitals(first, every=False), second, first, 10**9)
    ids = second.orbitals(first)
    x = torch.randn(2, 16, 3, dtype=torch.float64)
    weight = torch.randn(int(ids.max()) + 1, 3, 2, dtype=torch.float64)
    assert form is None or torch.allclose(
        form(x, weight), dense(x, dense_weight(ids, weight), len(ids))
    )


def test_small_layers_of_tensors_are_multiplied_out():
    group = symmetric_group(4).on_tuples(2)
    assert fast_form(group.orbitals(every=False), group, group) is None
