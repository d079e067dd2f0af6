import contextlib
import functools
import random

import numpy as np
import pytest
import torch
from torch import nn

from invariant_nets import (
    Augmentation,
    CanonicalModel,
    LinearEquivariant,
    Permutation,
    SymmetryModel,
    SymmetryReport,
    assert_equivariant,
    assert_invariant,
    create_permutations_from_generators,
    create_random_permutations,
    intrinsic,
    mlp,
    test_equivariant,
    test_invariant,
)
from invariant_nets.checks import assertions as checks

SHIFT = Permutation.from_cycles(10, range(10))
C_10 = create_permutations_from_generators([SHIFT])


def sets(batch=64, n=10, d=5, dtype=torch.float32):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0), dtype=dtype)


# What holds and what does not.


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum((1, 2)),
        lambda x: x.mean(1),
        lambda x: x.amax(1),
        lambda x: (x.mT @ x).flatten(1),
        lambda x: torch.linalg.svdvals(x),
        lambda x: x.sort(1).values,
    ],
    ids=["sum", "mean", "max", "Gram matrix", "singular values", "sort"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_invariant_functions_pass(function, dtype):
    assert test_invariant(function, sets(dtype=dtype))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, 0],
        lambda x: x.cumsum(1)[:, 4],
        lambda x: x.flatten(1) @ torch.linspace(1, 2, 50, dtype=x.dtype),
        lambda x: x.diff(dim=1).square().sum((1, 2)),
        lambda x: x.argmax(1),
        lambda x: x,
    ],
    ids=["first row", "cumsum", "weights by position", "differences", "argmax", "identity"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_functions_fail(function, dtype):
    assert not test_invariant(function, sets(dtype=dtype))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x.relu(),
        lambda x: x - x.mean(1, keepdim=True),
        lambda x: x.sum(-1),
        lambda x: (x @ x.mT).softmax(-1) @ x,
        lambda x: x.sum(1, keepdim=True).expand_as(x),
    ],
    ids=["identity", "relu", "centering", "row sums", "attention", "broadcast"],
)
def test_equivariant_functions_pass(function):
    assert test_equivariant(function, sets())


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.cumsum(1),
        lambda x: x.sort(1).values,
        lambda x: x.flip(1),
        lambda x: x + torch.arange(10.0)[:, None],
        lambda x: x[:, :1].expand_as(x),
    ],
    ids=["cumsum", "sort", "flip", "positions", "first row"],
)
def test_functions_that_are_not_equivariant_fail(function):
    assert not test_equivariant(function, sets())


def test_invariance_and_equivariance_are_told_apart():
    layer = LinearEquivariant(5, 3)
    assert test_equivariant(layer, sets())
    assert not test_invariant(layer, sets())


def test_a_cyclic_average_holds_for_its_group_and_fails_for_the_symmetric_one():
    model = SymmetryModel(mlp(10, 5), lambda: C_10)
    assert test_invariant(model, sets(), [SHIFT])
    report = test_invariant(model, sets())
    assert not report
    # The error of an untrained network is small, beside its outputs' spread it is not.
    assert report.max_error < 0.1
    assert report.relative_error > 0.5


def test_a_group_that_is_only_reached_by_products_is_tried():
    # Invariant to the shift by one of these sets, but not to the shift by two.
    seen = set()

    def function(x):
        seen.add(tuple(x[0, :, 0].tolist()))
        return x.sum((1, 2))

    x = torch.arange(5.0)[None, :, None]
    test_invariant(function, x, [Permutation.from_cycles(5, range(5))])
    shifts = {tuple(x[0, :, 0].roll(-k).tolist()) for k in range(5)}
    assert len(seen & shifts) >= 4


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_the_symmetric_group_is_tried_by_generators_of_it_and_random_elements(n):
    seen = []
    x = torch.arange(float(n))[None, :, None].expand(2, -1, -1)
    with pytest.warns(UserWarning, match="nothing") if n == 1 else contextlib.nullcontext():
        report = test_invariant(lambda x: seen.append(x[0, :, 0].tolist()) or x.sum((1, 2)), x)
    tried = [Permutation([int(i) for i in rows]) for rows in seen[2:]]
    assert len(tried) == report.num_permutations
    group = create_permutations_from_generators(tried[: 2 if n > 1 else 1])
    assert len(group) == torch.arange(1, n + 1).prod()
    assert len(tried) > 2


def test_the_group_may_be_a_generator_function():
    assert test_invariant(lambda x: x.sum(1), sets(), (p for p in [SHIFT]))


# A tolerance that is not loose.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_defect_of_a_thousandth_of_the_spread_is_found_at_every_scale(dtype, scale):
    def function(x):
        return scale * (x.mean((1, 2)) + 1e-3 * x[:, 0, 0])

    assert not test_invariant(function, sets(dtype=dtype))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_is_tolerated_at_every_scale(scale):
    def function(x):
        return scale * functools.reduce(torch.add, x.unbind(1))

    report = test_invariant(function, sets(), double=False)
    assert report.max_error > 0
    assert report


def test_rounding_beside_a_large_constant_is_tolerated():
    def function(x):
        return functools.reduce(torch.add, x.unbind(1), 1000.0)

    report = test_invariant(function, sets(), double=False)
    assert report.max_error > 0
    assert report


def test_the_relative_tolerance_can_be_set():
    def function(x):
        return x.mean((1, 2)) + 1e-3 * x[:, 0, 0]

    assert test_invariant(function, sets(), rtol=0.1)
    assert not test_invariant(function, sets(), rtol=1e-3)


def test_the_absolute_tolerance_can_be_set():
    def function(x):
        return x.mean((1, 2)) + 1e-3 * x[:, 0, 0]

    assert test_invariant(function, sets(), atol=0.1)
    assert not test_invariant(function, sets(), atol=1e-4)


def test_the_relative_error_does_not_depend_on_the_scale():
    first, second = (
        test_invariant(lambda x, s=scale: s * x[:, 0], sets()) for scale in (1.0, 1024.0)
    )
    assert first.relative_error == pytest.approx(second.relative_error)
    assert second.max_error == 1024 * first.max_error


def test_the_spread_is_the_standard_deviation_over_the_sets():
    report = test_invariant(lambda x: x[:, 0, 0], sets(4000))
    assert report.spread == pytest.approx(1.0, rel=0.05)


def test_the_largest_error_is_that_of_the_permutation_that_is_named():
    x = sets(5, 4, 2)
    report = test_invariant(lambda x: x[:, 0], x)
    assert report.max_error == (report.permutation(x)[:, 0] - x[:, 0]).abs().max()


# Random functions.


@pytest.mark.parametrize(
    "model",
    [
        SymmetryModel(mlp(10, 5), lambda: create_random_permutations(10, 10)),
        lambda x: nn.functional.dropout(x.sum(1), 0.5),
        lambda x: x.sum((1, 2)) + torch.randn(len(x)),
    ],
    ids=["sampled average", "dropout", "noise"],
)
def test_a_random_function_is_reported_random_and_does_not_hold(model):
    report = test_invariant(model, sets())
    assert report.is_random
    assert report.call_to_call > 0
    assert not report
    assert "yes, two calls differ by" in str(report)


def test_a_random_function_fails_also_when_the_tolerance_is_loose():
    def function(x):
        return x.sum((1, 2)) + 1e-6 * torch.randn(len(x))

    assert not test_invariant(function, sets(), rtol=1.0, atol=1.0)


def test_modules_are_tested_in_evaluation_mode():
    model = nn.Sequential(CanonicalModel(nn.Flatten()), nn.Dropout(0.5))
    report = test_invariant(model, sets())
    assert report
    assert not report.is_random


# Special outputs and inputs.


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_outputs_that_are_not_finite_do_not_pass(bad):
    report = test_invariant(lambda x: x.sum((1, 2)) * 0 + bad, sets())
    assert not report.holds
    assert not report.is_random


def test_a_single_nan_does_not_pass():
    def function(x):
        return torch.where(x[:, 0, 0] == x[:, 0, 0].max(), torch.nan, 1.0)

    assert not test_invariant(function, sets(), atol=100.0)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_functions_hold(value):
    report = test_invariant(lambda x: torch.full((len(x), 1), value), sets())
    assert report
    assert report.relative_error == report.spread == 0


@pytest.mark.parametrize("test", [test_invariant, test_equivariant])
def test_outputs_without_entries_hold(test):
    report = test(lambda x: x[..., :0], sets())
    assert report
    assert report.max_error == report.spread == report.call_to_call == 0


def test_a_function_constant_over_the_sets_but_not_the_rows_fails():
    x = torch.arange(10.0)[None, :, None].expand(8, -1, -1)
    report = test_invariant(lambda x: x[:, 0, 0], x)
    assert not report
    assert report.relative_error == torch.inf


def test_one_set_is_enough():
    x = sets(1)
    assert test_invariant(intrinsic(10, 5), x)
    report = test_invariant(mlp(10, 5), x)
    assert not report
    assert 0 < report.spread < torch.inf


def test_integer_outputs_are_compared():
    assert test_invariant(lambda x: (x > 0).sum((1, 2)), sets())
    assert not test_invariant(lambda x: (x > 0).long()[:, 0], sets())


def test_boolean_outputs_are_compared():
    assert test_invariant(lambda x: (x > 3).any(2).any(1), sets())
    assert not test_invariant(lambda x: x[:, 0, 0] > 0, sets())


def test_integer_inputs_are_taken():
    x = torch.randint(0, 5, (16, 4, 2))
    assert test_invariant(lambda x: x.sum(1), x)
    assert not test_invariant(lambda x: x[:, 0], x)


def test_sets_of_one_are_invariant_to_everything_and_test_nothing():
    with pytest.warns(UserWarning, match="nothing was tested: no permutation of S_1"):
        assert test_invariant(mlp(1, 3), sets(8, 1, 3))


# Nothing is disturbed.


def state_of_everything():
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    return python, numpy[1].tolist(), numpy[2], torch.get_rng_state().tolist()


class Restless(nn.Module):
    """A model that draws from every global generator."""

    def __init__(self, fails=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.fails = fails

    def forward(self, x):
        noise = random.random() + np.random.rand() + torch.rand(())  # noqa: NPY002
        if self.fails:
            raise RuntimeError("no output today")
        return self.weight * x.sum((1, 2)) + noise


def test_the_global_random_states_are_left_as_they_were():
    before = state_of_everything()
    test_invariant(Restless(), sets())
    assert state_of_everything() == before


def test_the_global_random_states_are_left_as_they_were_when_the_model_raises():
    before = state_of_everything()
    with pytest.raises(RuntimeError, match="no output today"):
        test_invariant(Restless(fails=True), sets())
    assert state_of_everything() == before


@pytest.mark.parametrize("fails", [False, True])
def test_every_submodule_keeps_its_mode(fails):
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout(), Restless(fails)), nn.ReLU())
    model.train()
    model[1].training = False
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2
    try:
        test_invariant(model, sets())
    except RuntimeError:
        assert fails
    assert [module.training for module in model.modules()] == before


def test_gradients_and_what_requires_them_are_left_alone():
    model = mlp(10, 5)
    model[1].weight.requires_grad_(False)
    model(sets()).sum().backward()
    before = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    test_invariant(model, sets())
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert parameter.requires_grad == (gradient is not None)
        assert gradient is None or torch.equal(parameter.grad, gradient)


def test_parameters_and_buffers_are_left_alone():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(50))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    test_invariant(model, sets())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_graph_is_built():
    grad_enabled = []
    test_invariant(lambda x: grad_enabled.append(torch.is_grad_enabled()) or x.sum(1), sets())
    assert not any(grad_enabled)
    assert torch.is_grad_enabled()


def test_the_input_is_left_alone():
    x = sets()
    test_invariant(lambda x: x.sum((1, 2)), x)
    assert torch.equal(x, sets())


def test_the_augmented_model_is_tested_as_it_evaluates():
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    test_invariant(Augmentation(mlp(10, 5), generator), sets())
    assert torch.equal(generator.get_state(), state)


def test_the_same_call_gives_the_same_report():
    model = mlp(10, 5)
    assert test_invariant(model, sets()) == test_invariant(model, sets())


def test_the_seed_chooses_the_random_elements():
    seen = []
    for seed in (0, 1):
        rows = []
        test_invariant(
            lambda x, rows=rows: rows.append(x[0, :, 0].tolist()) or x.sum(1), sets(), seed=seed
        )
        seen.append(rows)
    assert seen[0] != seen[1]


@pytest.mark.parametrize("group", [None, [SHIFT]], ids=["the symmetric group", "generators"])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_global_generator_chooses_nothing(group, batch):
    # One set alone is drawn again for the spread.
    seen = []
    for state in (0, 1):
        torch.manual_seed(state)
        inputs = []
        test_invariant(lambda x, inputs=inputs: inputs.append(x) or x.sum(1), sets(batch), group)
        seen.append(torch.cat(inputs))
    assert torch.equal(*seen)


# The report.


def test_the_report_reads_well():
    report = SymmetryReport(
        kind="invariant",
        group="S_3",
        holds=False,
        max_error=0.01234,
        spread=0.02,
        relative_error=0.617,
        tolerance=1e-6,
        permutation=Permutation([1, 0, 2]),
        num_permutations=10,
        is_random=False,
        call_to_call=0.0,
        dtype=torch.float32,
    )
    assert str(report) == repr(report)
    assert str(report).splitlines() == [
        "invariant to S_3: NO",
        "  largest error       0.0123 under (0 1)",
        "  spread of outputs   0.02",
        "  relative error      0.617",
        "  tolerated error     1e-06, in float32",
        "  permutations tried  10",
        "  random              no",
    ]


def test_the_report_names_the_group():
    x = sets(8)
    assert str(test_invariant(lambda x: x.sum(1), x)).startswith("invariant to S_10: yes")
    named = str(test_equivariant(lambda x: x, x, [SHIFT]))
    assert named.startswith("equivariant to the group generated by (0 1 2 3 4 5 6 7 8 9): yes")
    three = [Permutation.from_cycles(10, (i, i + 1)) for i in range(3)]
    listed = test_invariant(lambda x: x.sum(1), x, three)
    assert listed.group == "the group generated by (0 1), (1 2), (2 3)"
    more = test_invariant(lambda x: x.sum(1), x, [*three, SHIFT])
    assert more.group == "the group generated by (0 1), (1 2), (2 3), …"


def test_the_report_is_true_exactly_if_it_holds():
    assert bool(test_invariant(lambda x: x.sum(1), sets())) is True
    assert bool(test_invariant(lambda x: x[:, 0], sets())) is False


def test_the_report_cannot_be_changed():
    report = test_invariant(lambda x: x[:, 0], sets())
    with pytest.raises(AttributeError):
        report.holds = True


def test_nothing_is_printed(capsys):
    test_invariant(lambda x: x[:, 0], sets())
    assert capsys.readouterr() == ("", "")


def test_assert_invariant_raises_with_the_report():
    with pytest.raises(AssertionError, match=r"invariant to S_10: NO\n  largest error .* under \("):
        assert_invariant(lambda x: x[:, 0], sets())


def test_assert_equivariant_raises_with_the_report():
    with pytest.raises(AssertionError, match="equivariant to S_10: NO"):
        assert_equivariant(lambda x: x.cumsum(1), sets())


@pytest.mark.parametrize("check", [assert_invariant, assert_equivariant])
def test_a_failed_assertion_is_shown_where_the_test_made_it(check):
    with pytest.raises(AssertionError) as failure:
        check(lambda x: x.cumsum(1), sets())
    shown = [str(entry.path) for entry in failure.traceback.filter(failure)]
    assert shown[0] == __file__
    assert checks.__file__ not in shown


def test_the_assertions_pass_in_silence():
    assert assert_invariant(lambda x: x.sum(1), sets()) is None
    assert assert_equivariant(lambda x: x, sets()) is None


def test_the_assertions_take_the_same_options():
    model = SymmetryModel(mlp(10, 5), lambda: C_10)
    assert_invariant(model, sets(), [SHIFT])
    assert_invariant(model, sets(), rtol=10.0)
    assert_equivariant(lambda x: x.roll(1, 1), sets(), [SHIFT])
    assert_equivariant(lambda x: x.roll(1, 1), sets(), atol=100.0)


@pytest.mark.parametrize("check", [test_invariant, test_equivariant])
def test_the_name_says_which_symmetry_is_meant(check):
    with pytest.raises(TypeError, match="equivariant"):
        check(lambda x: x, sets(), equivariant=True)


def test_pytest_collects_neither_check(request):
    # This module imports both by their names, which begin with test_.
    collected = {getattr(item, "function", None) for item in request.session.items}
    assert not collected & {test_invariant, test_equivariant}


# Bad input.


@pytest.mark.parametrize("test", [test_invariant, test_equivariant])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 2), r"input must have shape \(batch, n, d\), got \(4, 2\)"),
        (torch.zeros(3, 0, 2), r"input must hold sets with n ≥ 1 and d ≥ 1, got \(3, 0, 2\)"),
        (torch.zeros(0, 3, 2), r"input must hold at least one set, got the shape \(0, 3, 2\)"),
    ],
)
def test_input_that_is_no_batch_of_sets_is_refused(test, x, words):
    calls = []
    with pytest.raises(ValueError, match=words):
        test(calls.append, x)
    assert not calls


@pytest.mark.parametrize(
    ("group", "error", "words"),
    [
        ([], ValueError, "group must hold at least one permutation, got none"),
        ([Permutation([1, 0])], ValueError, r"that .* permutes, \(batch, 2, d\), got"),
        ([SHIFT, Permutation([1, 0])], ValueError, r"group must be .*one size.*\[2, 10\]"),
        (SHIFT, TypeError, "group must be an iterable of Permutation"),
        (10, TypeError, "group must be an iterable of Permutation, got 10"),
        ([[1, 0]], TypeError, r"group must hold Permutation objects, got \[1, 0\]"),
    ],
)
def test_a_group_that_does_not_fit_is_refused(group, error, words):
    calls = []
    with pytest.raises(error, match=words):
        test_invariant(calls.append, sets(), group)
    assert not calls


@pytest.mark.parametrize("function", [torch.sum, lambda x: x[:1], lambda x: x.flatten(0, 1)])
def test_a_model_without_one_output_a_set_is_refused(function):
    with pytest.raises(ValueError, match="model must return one output per set: 64 sets came in"):
        test_invariant(function, sets())


@pytest.mark.parametrize("function", [lambda x: x[:, 0, 0], lambda x: x[:, 1:]])
def test_a_model_without_one_row_a_member_cannot_be_equivariant(function):
    with pytest.raises(ValueError, match=r"model must return one row per member, \(batch, 10, …\)"):
        test_equivariant(function, sets())


def test_a_model_that_returns_no_tensor_is_refused():
    with pytest.raises(TypeError, match="model must return a tensor, got NoneType; a tuple, "):
        test_invariant(lambda x: None, sets())
    with pytest.raises(TypeError, match=r"got str as output\[1\]; "):
        test_invariant(lambda x: (x, "x"), sets())
    with pytest.raises(TypeError, match="model must return a tensor, got dict without any"):
        test_invariant(lambda x: {"nothing": None}, sets())
