"""What all functions that build a network of given sizes have in common."""

import inspect

import pytest
import torch

from invariant_nets import (
    cyclic_elements,
    deep_sets,
    entrywise,
    exchangeable_matrix,
    gram,
    intrinsic,
    mlp,
    radial,
    set_transformer,
    transformer,
)
from tests.catalogue import shuffle_parameters

BUILDERS = [
    *(mlp, transformer, intrinsic, deep_sets, set_transformer),
    *(cyclic_elements, exchangeable_matrix, entrywise, radial, gram),
]
MEMBERS = [intrinsic, deep_sets, set_transformer, cyclic_elements]
every_builder = pytest.mark.parametrize("build", BUILDERS)


@every_builder
def test_probabilities_end_in_a_sigmoid(build):
    torch.manual_seed(0)
    logits = build(10, 5)
    torch.manual_seed(0)
    probabilities = build(10, 5, probabilities=True)
    x = torch.randn(8, 10, 5)
    torch.testing.assert_close(probabilities(x), logits(x).sigmoid())
    assert not torch.allclose(probabilities(x), logits(x))


@every_builder
def test_several_outputs_per_set_are_probabilities_of_classes_by_a_softmax(build):
    torch.manual_seed(0)
    logits = build(10, 5, outputs=3)
    torch.manual_seed(0)
    probabilities = build(10, 5, outputs=3, probabilities=True)
    x, mask = torch.randn(8, 10, 5), torch.rand(8, 10) < 0.6
    assert logits(x).shape == (8, 3)
    for options in ({}, {"mask": mask}):
        found = probabilities(x, **options)
        torch.testing.assert_close(found, logits(x, **options).softmax(-1))
        torch.testing.assert_close(found.sum(-1), torch.ones(8))


@every_builder
def test_outputs_differ_and_every_one_of_them_learns(build):
    torch.manual_seed(0)
    network, x = build(6, 3, outputs=3), torch.randn(16, 6, 3)
    y = network(x)
    for j in range(3):
        assert not torch.allclose(y[:, j], y[:, j - 1])
        slopes = torch.autograd.grad(y[:, j].sum(), list(network.parameters()), retain_graph=True)
        assert all(slope.isfinite().all() for slope in slopes)
        assert any(slope.any() for slope in slopes)


@every_builder
def test_one_output_is_the_default(build):
    states = []
    for options in ({}, {"outputs": 1}):
        torch.manual_seed(0)
        states.append(build(6, 3, **options).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


@every_builder
@pytest.mark.parametrize(("outputs", "error"), [(0, ValueError), (1.5, TypeError)])
def test_outputs_that_are_no_number_of_them_are_refused(build, outputs, error):
    with pytest.raises(error, match="outputs must be"):
        build(6, 3, outputs=outputs)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("build", MEMBERS)
def test_outputs_per_member_move_with_it_and_are_zero_at_padding(build, outputs, probabilities):
    torch.manual_seed(0)
    options = {"outputs": outputs, "probabilities": probabilities}
    network = shuffle_parameters(build(6, 4, per_member=True, **options).double())
    x, mask = torch.randn(5, 6, 4, dtype=torch.float64), torch.rand(5, 6) < 0.6
    mask[0], order = False, torch.randperm(6)
    y = network(x, mask=mask)
    assert y.shape == (5, 6, outputs)
    assert not y[~mask].any()
    torch.testing.assert_close(network(x[:, order], mask=mask[:, order]), y[:, order])
    everyone = network(x)
    torch.testing.assert_close(network(x[:, order]), everyone[:, order])
    if probabilities and outputs > 1:
        torch.testing.assert_close(y.sum(2), mask.double())
    other = x.clone()
    other[:, 1:] += 1
    assert (network(other) - everyone)[:, 0].abs().max() > 1e-10  # a member sees the others
    with pytest.raises(AssertionError):
        torch.testing.assert_close(network(x[:, order]), everyone)


@pytest.mark.parametrize("build", MEMBERS)
def test_outputs_per_member_start_at_the_scale_of_those_per_set(build):
    torch.manual_seed(0)
    x = torch.randn(64, 10, 5)
    sizes = []
    for per_member in (False, True):
        networks = [build(10, 5, outputs=4, per_member=per_member) for _ in range(10)]
        sizes.append(sum(network(x).square().mean().item() for network in networks) / 10)
    assert 0.3 < sizes[1] / sizes[0] < 30  # a pool of ten takes a tenth of the square, or less


@every_builder
@pytest.mark.parametrize(("n", "d", "words"), [(0, 3, "n .* got 0"), (4, 0, "d .* got 0")])
def test_sets_of_nothing_are_refused(build, n, d, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        build(n, d)


@pytest.mark.parametrize("widths", [8, "16", None])
@pytest.mark.parametrize(
    ("build", "name"),
    [
        (build, name)
        for build in BUILDERS
        for name in ("hidden", "readout")
        if name in inspect.signature(build).parameters
    ],
)
def test_widths_that_are_no_sequence_are_refused(build, name, widths):
    with pytest.raises(TypeError, match=f"{name} must be a sequence of widths, such as .* got"):
        build(6, 3, **{name: widths})
