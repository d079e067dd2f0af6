import json
import math
import statistics

import pytest
import torch
from torch import nn

from invariant_nets import MODELS, Epoch, History, ModelResult, ModelSpec, Run, Task


def history(*seconds):
    return History([Epoch(0.7, 0.5, 0.69, 0.55, time) for time in seconds])


def of(*accuracies, name="deep-sets", limit=0.7, seconds=(0.1, 0.3)):
    runs = tuple(
        Run(
            seed,
            history(*seconds),
            nn.Linear(3, 2),
            accuracy,
            accuracy and 0.6,
            "" if accuracy else "why",
            None if accuracy is None else by_set(accuracy),
        )
        for seed, accuracy in enumerate(accuracies)
    )
    return ModelResult(name, MODELS[name], 1e-2, runs, Task.binary(ideal=limit))


def by_set(accuracy):
    """400 test sets, of which the first ones are on the right side."""
    return (torch.arange(400) < round(400 * accuracy)).double()


def test_it_is_the_mean_and_spread_of_its_runs():
    found = of(0.6, 0.7, 0.65)
    assert found.scores == [0.6, 0.7, 0.65]
    assert found.score == pytest.approx(0.65)
    assert found.sd == pytest.approx(statistics.stdev([0.6, 0.7, 0.65]))
    assert found.standard_error == pytest.approx(
        math.sqrt(statistics.fmean(a * (1 - a) for a in (0.6, 0.7, 0.65)) / 399)
    )
    assert found.gap == pytest.approx(0.05)
    assert found.seconds == pytest.approx(0.2)
    assert found.model is found.runs[0].model
    assert found.history is found.runs[0].history


def test_a_single_run_has_no_spread_and_an_unknown_limit_no_gap():
    assert of(0.6).sd is None
    assert of(0.6, limit=None).gap is None


def test_a_model_of_which_a_run_failed_has_no_score():
    found = of(0.6, None, 0.7)
    assert (found.score, found.sd, found.standard_error, found.gap) == (None,) * 4
    assert found.scores == [0.6, None, 0.7]
    assert of(None, seconds=()).seconds is None


def test_weights_are_those_that_are_trained():
    found = of(0.6)
    assert found.weights == 3 * 2 + 2
    found.model.bias.requires_grad_(False)
    assert found.weights == 3 * 2


@pytest.mark.parametrize(
    ("name", "text", "formula"),
    [
        ("mlp", "nothing", "nothing"),
        ("intrinsic", "S_n", "$S_n$"),
        ("exchangeable", "S_n × S_d", r"$S_n \times S_d$"),
    ],
)
def test_its_claim_in_words_and_as_a_formula(name, text, formula):
    found = of(0.6, name=name)
    assert (found.claim(), found.claim(formula=True)) == (text, formula)


def test_plain_values_hold_all_but_the_weights():
    plain = of(0.6, None).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert [run["score"] for run in plain["runs"]] == [0.6, None]
    assert [run["problem"] for run in plain["runs"]] == [None, "why"]
    assert plain["runs"][0]["history"]["valid_score"] == [0.55, 0.55]
    assert (plain["name"], plain["claims"], plain["weights"], plain["lr"]) == (
        "deep-sets",
        "S_n",
        8,
        1e-2,
    )


def test_a_model_of_your_own_has_the_claim_of_its_spec():
    spec = ModelSpec(lambda n, d: nn.Linear(d, 1), "mine", "D_n", 0)
    run = Run(0, history(0.1), nn.Linear(2, 1), 0.5, 0.7)
    found = ModelResult("mine", spec, spec.lr, (run,), Task.binary())
    assert (found.claim(formula=True), found.lr) == ("$D_n$", 1e-3)


def result(by_sets, task):
    runs = tuple(
        Run(seed, history(0.1), nn.Linear(2, 1), sets.mean().item(), 0.5, by_set=sets)
        for seed, sets in enumerate(by_sets)
    )
    return ModelResult("mlp", MODELS["mlp"], 1e-3, runs, task)


@pytest.mark.parametrize("task", [Task.binary(), Task.regression()], ids=["up", "down"])
def test_two_models_are_compared_in_pairs_of_seeds_and_sets(task):
    source = torch.Generator().manual_seed(0)
    # What sets have in common is much larger than what tells the models apart.
    common = 10 * torch.randn(200, generator=source).double()
    first, second = (
        common + shift + 0.1 * torch.randn(3, 200, generator=source) for shift in (0.0, 0.5)
    )
    behind, error = result(first, task).behind(result(second, task))
    apart = second - first if task.maximize else first - second
    assert behind == pytest.approx(apart.mean().item())
    assert abs(behind) == pytest.approx(0.5, abs=0.02)
    assert (behind > 0) == task.maximize
    seeds = statistics.variance(apart.mean(1).tolist()) / 3
    sets = statistics.variance(apart.mean(0).tolist()) / 200
    assert error == pytest.approx(math.sqrt(seeds + sets))
    assert error < 0.02 < 0.5 < result(first, task).standard_error


def test_the_error_of_a_difference_covers_it():
    # Over many comparisons of two models that are alike: two thirds within one error.
    source = torch.Generator().manual_seed(0)
    within = 0
    for _ in range(300):
        common = torch.randn(50, generator=source)
        both = [
            common
            + 0.2 * torch.randn(5, 1, generator=source)
            + 0.5 * torch.randn(50, generator=source)
            for _ in range(2)
        ]
        behind, error = result(both[0], Task.binary()).behind(result(both[1], Task.binary()))
        within += abs(behind) < error
    assert 0.58 < within / 300 < 0.78


def test_one_seed_or_one_set_leaves_no_error_and_a_failed_run_no_difference():
    one = result(torch.ones(1, 5), Task.binary())
    assert one.behind(result(torch.zeros(1, 5), Task.binary())) == (-1.0, None)
    assert result(torch.ones(3, 1), Task.binary()).standard_error is None
    assert of(0.6, None).behind(of(0.6, 0.7)) is None
    assert of(0.6).behind(of(0.6, 0.7)) is None


def test_the_gap_of_an_error_is_to_the_least_one():
    task = Task.regression(ideal=0.25)
    assert result(torch.full((2, 4), 0.75), task).gap == pytest.approx(0.5)


def test_a_builder_of_sizes_alone_gives_one_output_and_says_that_it_gives_no_more():
    def mine(n, d):
        return nn.Linear(n, d)

    spec = ModelSpec(mine, "mine", "D_n", 0)
    assert spec.model(3, 4).out_features == 4
    words = r"build must take outputs= to give 2 outputs, build\(n, d, outputs=2\), got 'mine'"
    with pytest.raises(TypeError, match=words):
        spec.model(3, 4, outputs=2)


def test_a_builder_that_takes_outputs_is_told_them():
    def mine(n, d, outputs=1):
        return nn.Linear(d, outputs)

    assert ModelSpec(mine, "mine", "D_n", 0).model(3, 4, 2).out_features == 2
    options = ModelSpec(lambda *sizes, **options: options, "mine", "D_n", 0)
    assert options.model(3, 4) == {}
    assert options.model(3, 4, 2) == {"outputs": 2}


def test_an_error_of_a_builder_is_left_as_it_is():
    def broken(n, d, outputs):
        raise TypeError("what went wrong")

    with pytest.raises(TypeError, match=r"^what went wrong$"):
        ModelSpec(broken, "mine", "D_n", 0).model(3, 4, 2)


def test_a_spec_says_for_what_data_it_is():
    assert ModelSpec(nn.Linear, "mine", "D_n", 0).data == "sets"
    assert ModelSpec(nn.Linear, "mine", "D_n", 0, data="tables").data == "tables"
    with pytest.raises(ValueError, match="data must be one of 'sets', 'tables', got 'graphs'"):
        ModelSpec(nn.Linear, "mine", "D_n", 0, data="graphs")
