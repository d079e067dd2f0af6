"""Each output entry is judged by itself, in whatever type, form and precision it comes."""

import dataclasses
import functools
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from invariant_nets import (
    ExchangeableEquivariant,
    LinearEquivariant,
    Permutation,
    assert_invariant,
    cyclic_group,
    deep_sets,
    direct_product,
    find_symmetry,
    mlp,
    symmetric_group,
    symmetry_report,
    test_equivariant,
    test_invariant,
    trivial_group,
)
from tests.catalogue import CATALOGUE, S
from tests.defaults import default_dtype


def sets(batch=32, n=6, d=3, dtype=torch.float32):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0)).to(dtype)


# Every entry by itself.


@pytest.mark.parametrize("scale", [1e5, 1e12])
@pytest.mark.parametrize("double", [None, False])
def test_a_defect_beside_a_larger_output_is_found(scale, double):
    def function(x):
        return torch.stack((scale * x.sum((1, 2)), x[:, 0, 0]), 1)

    report = symmetry_report(function, sets(), double=double)
    assert not report
    assert report.output == "output[1]"
    assert report.relative_error > 1
    assert "in output[1]" in str(report)
    assert find_symmetry(function, sets(), double=double).name == "S_5 on {1, 2, 3, 4, 5}"


def test_a_defect_beside_a_set_of_another_scale_is_found():
    x = sets()
    x[0] *= 1e12
    assert test_invariant(lambda x: x.sum((1, 2)), x)
    assert not test_invariant(lambda x: x.sum((1, 2)) + 1e-2 * x[:, 0, 0], x)


def test_a_defect_in_one_row_of_the_outputs_is_found():
    def function(x):
        scales = torch.tensor([1e6, 1e6, 1e6, 1e6, 1e6, 1.0])
        return scales[:, None] * x.mean(1, keepdim=True).tanh() + x

    assert not test_equivariant(function, sets())


def test_what_cancels_is_judged_by_its_rounding():
    def nothing(x):
        return (x - x.mean(1, keepdim=True)).sum(1)

    assert 0 < symmetry_report(nothing, sets()).max_error < 1e-14
    for double in (None, False):
        assert test_invariant(nothing, sets(), double=double)
        assert test_invariant(lambda x: x.softmax(1).sum(1), sets(), double=double)
    assert not test_invariant(lambda x: nothing(x) + 1e-9 * x[:, 0], sets())


# Types of numbers.


def test_complex_outputs_keep_their_imaginary_part():
    assert not test_invariant(lambda x: 1j * x[:, 0], sets())
    assert not test_invariant(lambda x: torch.fft.fft(x, dim=1), sets())
    assert test_invariant(lambda x: torch.fft.fft(x.sum(1)), sets())
    assert test_equivariant(lambda x: (1j * x).exp(), sets())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.bool])
def test_integers_are_compared_exactly(dtype):
    assert test_invariant(lambda x: (x.sum(1) > 0).to(dtype), sets())
    assert not test_invariant(lambda x: (x[:, 0] > 0).to(dtype), sets())


def test_large_integers_are_not_rounded():
    assert not test_invariant(lambda x: 2**60 + (x[:, 0] > 0).long(), sets())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_judged_in_double(dtype):
    model = mlp(6, 3).to(dtype)
    list(model.parameters())[-1].data.fill_(3)
    x = sets(dtype=dtype)
    report = test_invariant(model, x)
    assert not report
    assert report.dtype == torch.float64
    assert test_invariant(deep_sets(6, 3).to(dtype), x)
    # A bound method, a partial and a closure are the model.
    for function in (model.forward, functools.partial(model), lambda x: model(x)):
        assert not test_invariant(function, x)


def test_where_rounding_could_hide_a_defect_there_is_no_verdict():
    model = mlp(6, 3).bfloat16()
    list(model.parameters())[-1].data.fill_(3)
    with pytest.raises(ValueError, match=r"vary by more than their rounding in torch.bfloat16"):
        test_invariant(model, sets(dtype=torch.bfloat16), double=False)


def test_casts_inside_a_model_do_not_hide_behind_double():
    def normalized(x):
        y = x.float() / x.float().square().mean(-1, keepdim=True).sqrt()
        return y.type_as(x).sum(1, dtype=torch.float32).double()

    assert test_invariant(normalized, sets())
    assert not test_invariant(lambda x: normalized(x) + 1e-6 * x[:, 0], sets())


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_what_cannot_run_in_double_is_judged_as_it_is():
    w = torch.randn(3, 2).numpy()

    def through_numpy(x):
        return torch.from_numpy(x.float().numpy().astype(np.float32).sum(1) @ w)

    report = symmetry_report(through_numpy, sets())
    assert report
    assert report.dtype == torch.float32
    scripted = torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(18, 1)), sets())
    assert symmetry_report(scripted, sets()).dtype == torch.float32
    with pytest.raises(RuntimeError):
        symmetry_report(scripted, sets(), double=True)


def test_a_compiled_model_and_a_recurrent_one_are_judged_in_double():
    compiled = torch.compile(deep_sets(6, 3), backend="eager")
    assert test_invariant(compiled, sets()).dtype == torch.float64
    recurrent = nn.GRU(3, 4, batch_first=True)
    report = test_invariant(lambda x: recurrent(x)[0][:, -1], sets())
    assert not report
    assert report.dtype == torch.float64


# Forms of outputs and inputs.

Pair = namedtuple("Pair", ["mean", "first"])


@dataclasses.dataclass
class Both:
    mean: torch.Tensor
    first: torch.Tensor


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda a, b: (a, b), "output[1]"),
        (lambda a, b: [a, (None, b)], "output[1][1]"),
        (lambda a, b: {"mean": a, "first": b}, "output['first']"),
        (Pair, "output.first"),
        (Both, "output.first"),
    ],
)
def test_all_tensors_of_an_output_are_judged(make, names):
    assert test_invariant(lambda x: make(x.mean(1), x.amax(1)), sets())
    report = test_invariant(lambda x: make(x.mean(1), x[:, 0]), sets())
    assert not report
    assert report.output.startswith(names)


def test_all_tensors_of_an_equivariant_output_move():
    assert test_equivariant(lambda x: (x.relu(), {"y": x.sum(-1)}), sets())
    assert not test_equivariant(lambda x: (x.relu(), {"y": x.cumsum(1)}), sets())
    with pytest.raises(
        ValueError, match=r"one row per member, \(batch, 6, …\), got .* as output\[1\]"
    ):
        test_equivariant(lambda x: (x, x.sum(1)), sets())


def test_a_mask_moves_with_its_set():
    x, mask = sets(), torch.rand(32, 6, generator=torch.Generator().manual_seed(1)) < 0.6
    assert test_invariant(deep_sets(6, 3), x, mask=mask)
    assert find_symmetry(deep_sets(6, 3), x, mask=mask).name == "S_6"
    assert test_equivariant(LinearEquivariant(3, 2), x, mask=mask)
    assert_invariant(lambda x, mask: (x * mask[..., None]).sum(1), x, mask=mask)
    # To all of S_6, so to one mask for all sets it would be no symmetry.
    assert not test_invariant(lambda x, mask: (x * mask[:, :1, None]).sum(1), x, mask=mask)
    with pytest.raises(ValueError, match=r"mask must have shape"):
        test_invariant(deep_sets(6, 3), x, mask=mask[:, :3])


def test_what_an_equivariant_model_makes_of_padding_is_not_asked():
    x, mask = sets(), torch.arange(6) < 4
    mask = mask.expand(32, 6)

    def layer(x, mask):
        return torch.where(mask[..., None], x, torch.arange(6.0)[:, None] * torch.nan)

    assert test_equivariant(layer, x, mask=mask)


def test_a_mask_on_a_grid_moves_with_the_rows_or_the_entries():
    grid = direct_product(symmetric_group(6), symmetric_group(3), on="grid")
    x, mask = sets(), torch.rand(32, 6, 3, generator=torch.Generator().manual_seed(1)) < 0.6
    assert test_invariant(lambda x, mask: (x * mask).sum((1, 2)), x, grid, mask=mask)
    rows = mask[..., 0]
    assert test_invariant(lambda x, mask: (x * mask[..., None]).sum((1, 2)), x, grid, mask=rows)
    entries = cyclic_group(18)
    entries.shape = (6, 3)  # which shifts entries from row to row
    with pytest.raises(ValueError, match="the group does not move whole rows"):
        test_invariant(lambda x, mask: x.sum((1, 2)), x, entries, mask=rows)


def test_inputs_may_have_channels():
    x = torch.randn(8, 4, 3, 2)
    grid = direct_product(symmetric_group(4), symmetric_group(3), on="grid")
    assert test_equivariant(ExchangeableEquivariant(2, 5), x, grid)
    assert not test_invariant(lambda x: x.sum(1), x, grid)
    assert test_invariant(lambda x: x.sum(1), x)
    assert not test_invariant(lambda x: x[:, 0], x)
    assert find_symmetry(lambda x: x.sum(1), x).name == "S_4"


# Nothing is tested without a word.


def test_permutations_that_move_nothing_are_told():
    x = sets()
    with pytest.warns(UserWarning, match="nothing was tested: no permutation of S_6"):
        test_invariant(mlp(6, 3), x[:, :1].expand(-1, 6, -1))
    x[:, 1] = x[:, 0]
    with pytest.warns(UserWarning, match=r"^\(0 1\) moves nothing in the input"):
        test_invariant(mlp(6, 3), x)
    # Equal rows must have equal outputs, which is a test.
    assert test_equivariant(lambda x: x.relu(), x)
    assert not test_equivariant(lambda x: x.argsort(1), x)
    assert test_invariant(mlp(6, 3), x, trivial_group(6))


# Nothing is disturbed.


class Running(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.generator = nn.BatchNorm1d(3), torch.Generator().manual_seed(0)
        self.register_buffer("calls", torch.zeros(()), persistent=False)
        self.kept = None

    def forward(self, x):
        self.calls += 1
        self.kept = self.norm(x.sum(1))
        torch.rand(2, generator=self.generator)
        return self.kept


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: model.forward,
        lambda model: functools.partial(model),
        lambda model: lambda x: model(x),
        lambda model: lambda x, model=model: model(x),
    ],
    ids=["module", "method", "partial", "closure", "default"],
)
@pytest.mark.parametrize("double", [None, True, False])
def test_a_model_is_left_as_it_was_however_it_is_given(wrap, double):
    model = Running().train()
    model(sets())  # keeps an activation that belongs to a graph
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calls, state = model.calls.clone(), model.generator.get_state()
    test_invariant(wrap(model), sets(), double=double)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model.calls, calls)
    assert torch.equal(model.generator.get_state(), state)
    assert model.training
    assert model.norm.training
    assert all(value.dtype == before[name].dtype for name, value in model.state_dict().items())


def test_a_function_may_work_in_place():
    x = sets()
    assert test_invariant(lambda x: x.sub_(x.mean(1, keepdim=True)).square_().sum(1), x)
    assert not test_invariant(lambda x: x.mul_(2)[:, 0], x)
    assert torch.equal(x, sets())


def test_a_function_may_return_one_buffer():
    kept = torch.zeros(32, 3)
    assert not test_invariant(lambda x: kept.copy_(x[:, 0]), sets())


def test_a_function_of_the_whole_batch_is_searched_as_it_is():
    assert find_symmetry(lambda x: x.sum(1) - x.sum(1).mean(0), sets()).name == "S_6"


@pytest.mark.parametrize("batch", [1, 8])
def test_another_default_device_or_type_changes_nothing(batch):
    x, shift = sets(batch), Permutation.from_cycles(6, range(6))
    functions = (lambda x: x.sum(1), lambda x: x[:, 0])

    def verdicts():
        found = [bool(test_invariant(function, x)) for function in functions]
        found += [bool(test_invariant(function, x, [shift])) for function in functions]
        return found, [find_symmetry(function, x).name for function in functions]

    expected = verdicts()
    with torch.device("meta"):
        assert verdicts() == expected
    with default_dtype(torch.float64):
        assert verdicts() == expected


# The whole catalogue.


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, pytest.param(torch.float32, marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize(
    "name", [name for name, e in CATALOGUE.items() if e.group == S and not e.draws]
)
def test_every_symmetric_module_of_the_catalogue_is_judged_so(name, dtype):
    entry = CATALOGUE[name]
    x = torch.randn(16, entry.n, *entry.features, generator=torch.Generator().manual_seed(0))
    report = symmetry_report(entry.make().to(dtype), x.to(dtype), equivariant=entry.equivariant)
    assert report
    assert report.dtype == torch.float64


@pytest.mark.parametrize("name", [name for name, e in CATALOGUE.items() if e.draws])
def test_what_draws_anew_at_each_call_is_not_judged_symmetric(name):
    entry = CATALOGUE[name]
    x = torch.randn(16, entry.n, *entry.features, generator=torch.Generator().manual_seed(0))
    assert not symmetry_report(entry.make(), x, equivariant=entry.equivariant)
