import inspect
import itertools
import json
import math
import os

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    MODELS,
    CheckpointError,
    GaussianDataset,
    GaussianTask,
    LabeledSets,
    LinearEquivariant,
    ModelSpec,
    SetNetwork,
    SetsTask,
    Task,
    Trainer,
    build_model,
    compare,
)
from invariant_nets.comparison.plan import Plan
from invariant_nets.comparison.sets_task import RATES
from invariant_nets.comparison.tasks import CHOOSING_SEED
from invariant_nets.comparison.trainings import SETTINGS
from invariant_nets.training.resuming.checkpoint import LAST, PREVIOUS
from tests.comparison.comparisons import untimed

TASK = GaussianTask(6, 3, 2.0, 0.5, train_sets=64, validation_sets=32, test_sets=200)
SMALL = GaussianTask(4, 2, 2.0, 0.5, train_sets=24, validation_sets=8, test_sets=60)
SETS = SetsTask(LabeledSets(torch.randn(40, 4, 2), torch.arange(40) % 2))
FEW = {"epochs": 2, "seeds": 2}
NAMES = ["sampled-mlp", "radial"]


def small(models=tuple(NAMES), task=SMALL, epochs=3, seeds=2, **options):
    return compare(models, task, epochs=epochs, seeds=seeds, batch_size=8, **options)


def interrupt_at_steps(monkeypatch, *at):
    """Let Ctrl-C come at some steps of Adam, counted over all trainings."""
    count, step = itertools.count(1), torch.optim.Adam.step

    def interrupted(self, *arguments, **options):
        if next(count) in at:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", interrupted)


def by_hand(name, seed, epochs, lr, batch_size):
    """Train and test one model the textbook way; the accuracy on the test sets."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_model(name, 6, 3)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        data = GaussianDataset(64, (6, 3), 2.0, 0.5, static=False, seed=seed)
        for _ in range(epochs):
            for x, y in DataLoader(data, batch_size):
                loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        model.eval()
        sets = TASK.test_data()
        right = [
            (model(x[None]).item() > 0) == bool(y.item())
            for x, y in zip(sets.x, sets.y, strict=True)
        ]
        return sum(right) / len(right)


# What is compared.


@pytest.mark.parametrize(("lr", "batch_size"), [(None, 32), (0.02, 7)])
def test_it_is_the_textbooks_training_and_test_of_each_model(lr, batch_size):
    names = ["mlp", "deep-sets", "canonical-mlp", "radial"]
    comparison = compare(names, TASK, **FEW, lr=lr, batch_size=batch_size)
    for name in names:
        result = comparison[name]
        assert result.lr == (lr or MODELS[name].lr)
        for run in result.runs:
            expected = by_hand(name, run.seed, 2, result.lr, batch_size)
            assert run.score == pytest.approx(expected, abs=1.5 / 200)
            assert run.history.num_epochs == 2


def test_rates_may_fall_along_a_cosine():
    comparison = compare(["mlp"], TASK, epochs=3, seeds=1, lr=0.02, schedule="cosine")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model("mlp", 6, 3)
        data = GaussianDataset(64, (6, 3), 2.0, 0.5, static=False, seed=0)
        optimizer = torch.optim.Adam(model.parameters())
        for epoch in range(3):
            for step, (x, y) in enumerate(DataLoader(data, 32)):
                share = (2 * epoch + step) / 6
                optimizer.param_groups[0]["lr"] = 0.02 * (1 + math.cos(math.pi * share)) / 2
                loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    for own, slow in zip(comparison["mlp"].model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(own, slow)
    assert "with learning rates that fall to 0" in str(comparison)


def test_models_are_ranked_by_their_mean_score():
    names = ["mlp", "deep-sets", "radial"]
    comparison = compare(names, TASK, epochs=8, seeds=2)
    means = [comparison[name].score for name in comparison.ranking]
    assert means == sorted(means, reverse=True)
    assert means[0] > means[-1] + 0.05
    assert compare(names[::-1], TASK, epochs=8, seeds=2).ranking == comparison.ranking
    assert comparison.stopped == "all 6 trainings done"


def test_the_same_comparison_twice_gives_the_same_but_for_the_times():
    first, second = (compare(["sampled-mlp", "mlp"], TASK, **FEW) for _ in range(2))
    assert untimed(first.to_dict()) == untimed(second.to_dict())


def test_what_a_model_comes_to_does_not_depend_on_the_others_or_on_what_was_before():
    together = compare(["augmented-mlp", "sampled-mlp", "intrinsic"], TASK, **FEW)
    torch.randn(3)
    alone = compare(["sampled-mlp"], TASK, **FEW)
    one, other = (
        next(m for m in untimed(c.to_dict())["models"] if m["name"] == "sampled-mlp")
        for c in (together, alone)
    )
    assert one == other


def test_the_global_random_numbers_stay_as_they_are():
    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    compare(["sampled-mlp"], TASK, epochs=1, seeds=1)
    assert torch.equal(torch.randn(4), expected)


def test_seeds_may_be_chosen():
    few = compare(["radial"], TASK, epochs=1, seeds=[7, 2])
    assert few.seeds == (7, 2)
    assert [run.seed for run in few["radial"].runs] == [7, 2]
    assert (
        few["radial"].runs[1].score
        == compare(["radial"], TASK, epochs=1, seeds=(2,))["radial"].score
    )


def test_by_default_it_is_the_comparison_of_chapter_11():
    plan = Plan(**{name: p.default for name, p in inspect.signature(compare).parameters.items()})
    assert (list(plan.models), plan.task) == (list(MODELS), GaussianTask())
    assert (plan.epochs, plan.batch_size, plan.seeds) == (18, 32, (0, 1, 2))


def test_models_of_your_own_may_be_compared():
    class Spread(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([0.0, 1.0]))

        def forward(self, x):
            return self.scale[0] + self.scale[1] * x.var((1, 2))[:, None]

    own = {
        "spread": ModelSpec(lambda n, d: Spread(), "mine", "S_{nd}", 0, 0.1),
        "mlp": MODELS["mlp"],
    }
    comparison = compare(own, TASK, epochs=20, seeds=1)
    assert comparison.ranking == ["spread", "mlp"]
    assert comparison["spread"].score > 0.9
    assert comparison["mlp"].score == compare(["mlp"], TASK, epochs=20, seeds=1)["mlp"].score


def easy_sets(masked, count=80):
    """Sets whose label is the sign of the mean of their members; the padding says the opposite."""
    source = torch.Generator().manual_seed(0)
    y = torch.randint(2, (count,), generator=source)
    x = torch.randn(count, 5, 2, generator=source) * 0.3 + (2 * y - 1)[:, None, None]
    if not masked:
        return LabeledSets(x, y)
    mask = torch.arange(5) < torch.randint(1, 5, (count, 1), generator=source)
    return LabeledSets(torch.where(mask[:, :, None], x, -9 * x), y, mask)


@pytest.mark.parametrize("masked", [False, True])
def test_your_own_sets_are_learned(masked):
    task = SetsTask(easy_sets(masked))
    comparison = compare(["deep-sets", "mlp", "cyclic-mlp"], task, epochs=15, seeds=2, lr=1e-2)
    assert min(comparison[name].score for name in comparison.ranking) > 0.9
    assert comparison["mlp"].gap is None
    test = task.test_data()
    for run in comparison["mlp"].runs:
        inputs = (test.x,) if test.mask is None else (test.x, test.mask)
        right = (run.model.eval()(*inputs) > 0) == (test.y > 0.5)
        assert run.score == right.double().mean().item()
        assert torch.equal(run.by_set, right[:, 0].double())


def test_sets_come_in_another_order_for_each_seed_and_epoch():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            if self.training:
                seen.append(x[:, 0, 0].tolist())
            return self.bias.expand(len(x), 1)

    task = SetsTask(easy_sets(False))
    compare(
        {"spy": ModelSpec(lambda n, d: Spy(), "", "", 0)},
        task,
        epochs=2,
        seeds=2,
        batch_size=60,
        lr=1e-2,
    )
    assert len({tuple(order) for order in seen}) == 4
    assert {tuple(sorted(order)) for order in seen} == {
        tuple(sorted(task.train.x[:, 0, 0].tolist()))
    }


def test_batches_and_validation_sets_are_those_of_the_task(monkeypatch):
    given = []
    fit = Trainer.fit

    def noted(self, dl_train, dl_valid, *arguments, **options):
        given.append((dl_train.batch_size, dl_train.generator, len(dl_valid.dataset)))
        return fit(self, dl_train, dl_valid, *arguments, **options)

    monkeypatch.setattr(Trainer, "fit", noted)
    small(["radial"], seeds=1)
    small(["radial"], SETS, seeds=1, lr=1e-2)
    assert given[0] == (8, None, 8)
    assert (given[1][0], given[1][2]) == (8, 6)
    assert isinstance(given[1][1], torch.Generator)


# Learning rates.


def chosen_by_hand(task, name, rates, epochs, batch_size):
    """The mean validation loss over the last quarter of the epochs, for each rate."""
    found = {}
    for rate in rates:
        with torch.random.fork_rng():
            torch.manual_seed(CHOOSING_SEED)
            model = build_model(name, task.n, task.d)
            optimizer = torch.optim.Adam(model.parameters(), lr=rate)
            order = torch.Generator().manual_seed(CHOOSING_SEED)
            loader = DataLoader(task.train, batch_size, shuffle=True, generator=order)
            losses = []
            for _ in range(epochs):
                for x, y in loader:
                    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                with torch.no_grad():
                    held = task.validation
                    losses.append(
                        nn.functional.binary_cross_entropy_with_logits(model(held.x), held.y)
                    )
        found[rate] = torch.stack(losses[-max(1, epochs // 4) :]).mean().item()
    return found


def test_validation_sets_choose_the_rate_of_each_model():
    task, rates = SetsTask(easy_sets(False)), (1e-4, 1e-2, 3.0)
    comparison = compare(["deep-sets", "mlp"], task, epochs=8, seeds=2, lr=rates[::-1])
    for name in ("deep-sets", "mlp"):
        found = chosen_by_hand(task, name, rates, 8, 32)
        result = comparison[name]
        assert result.rates == pytest.approx(found, rel=1e-3)
        assert result.lr == min(found, key=found.__getitem__)
        alone = compare([name], task, epochs=8, seeds=2, lr=result.lr)[name]
        assert alone.scores == result.scores
        assert alone.rates == {}
    assert comparison.rates == rates
    assert comparison.stopped == "all 10 trainings done"


def test_by_default_each_task_has_rates_of_its_own():
    task = SetsTask(easy_sets(False))
    assert compare(["radial"], task, epochs=1, seeds=1).rates == RATES
    assert Plan(None, task, 1, 1, 1, None, "constant", None, None, False).rates == RATES
    assert compare(["radial"], SMALL, epochs=1, seeds=1)["radial"].lr == MODELS["radial"].lr


def test_a_rate_that_fails_is_not_chosen():
    comparison = small(["mlp"], SETS, lr=[1e-2, 1e30], epochs=2)
    assert comparison["mlp"].rates[1e30] is None
    assert comparison["mlp"].lr == 1e-2
    assert comparison.problems == []


def test_the_test_sets_choose_nothing():
    # Other labels on the test sets change the scores, and neither the rates nor the weights.
    sets = easy_sets(False)
    train, test = sets.split(0.5)
    other = LabeledSets(test.x, 1 - test.y)
    found = [
        compare(["mlp"], SetsTask(train, part), epochs=3, seeds=1)["mlp"] for part in (test, other)
    ]
    assert found[0].rates == found[1].rates
    assert found[0].score == pytest.approx(1 - found[1].score)
    for own, theirs in zip(found[0].model.parameters(), found[1].model.parameters(), strict=True):
        assert torch.equal(own, theirs)


def test_an_interrupted_choice_goes_on_to_the_same(tmp_path, monkeypatch):
    options = {"task": SETS, "lr": [1e-3, 1e-2], "models": ["mlp", "radial"]}
    expected = untimed(small(**options).to_dict())
    interrupt_at_steps(monkeypatch, 5, 30, 60)
    done = [small(**options, checkpoint=tmp_path) for _ in range(4)]
    assert [comparison.interrupted for comparison in done] == [True, True, True, False]
    assert untimed(done[-1].to_dict()) == expected
    assert {"mlp-chooses-lr-0.001", "mlp-chooses-lr-0.01"} < set(kept(tmp_path))


# Other tasks.


def test_classes_numbers_and_members_are_compared_too():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(120, 4, 2, generator=source)
    classes = LabeledSets(x, x.sum(1).argmax(1) + (x.sum((1, 2)) > 2), labels="classes")
    found = compare(["deep-sets", "mlp"], SetsTask(classes), epochs=40, seeds=1, lr=1e-2)
    assert found["deep-sets"].score > 0.75
    assert found["deep-sets"].model(x[:2]).shape == (2, 3)
    numbers = LabeledSets(x, torch.stack([x.sum((1, 2)), x.amax((1, 2))], 1), labels="numbers")
    task = SetsTask(numbers)
    found = compare(["deep-sets", "mlp"], task, epochs=40, seeds=1, lr=1e-2)
    means = [found[name].score for name in found.ranking]
    assert means == sorted(means)
    assert means[0] < 0.4 * task.constant_score
    assert found["mlp"].score == pytest.approx(
        (found["mlp"].model(task.test.x) - task.test.y).abs().mean().item()
    )


def test_a_loss_may_weigh_classes():
    x = torch.randn(60, 4, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([1.0, 2.0, 3.0])
    sets = LabeledSets(x, torch.arange(60) % 3, labels="classes")
    task = SetsTask(sets, goal=Task.classes(3, nn.CrossEntropyLoss(weight=weights)))
    run = compare(["mlp"], task, epochs=2, seeds=1, lr=1e-2)["mlp"].runs[0]
    truth, logits = task.test.y, run.model(task.test.x)
    losses = logits.logsumexp(1) - logits[torch.arange(len(truth)), truth]
    expected = (weights[truth] * losses).sum() / weights[truth].sum()
    assert run.loss == pytest.approx(expected.item(), rel=1e-5)


def test_the_labels_of_members_are_compared_over_all_members():
    source = torch.Generator().manual_seed(0)
    x = [torch.randn(n, 2, generator=source) for n in torch.randint(1, 5, (60,)).tolist()]
    y = [(part.sum(1) > 0).long() for part in x]
    task = SetsTask(LabeledSets(x, y, labels="classes", per_member=True))
    own = ModelSpec(
        lambda n, d, outputs=1: SetNetwork(LinearEquivariant(d, outputs), d=d), "mine", "S_n", 4
    )
    run = compare({"own": own}, task, epochs=30, seeds=1, lr=3e-2)["own"].runs[0]
    mask = task.test.mask
    right = (run.model(task.test.x, mask=mask).argmax(-1) == task.test.y)[mask].double()
    assert run.score == pytest.approx(right.mean().item())
    assert run.score > 0.7
    assert len(run.by_set) == len(task.test)


def test_models_of_the_book_that_have_outputs_of_members_are_compared_on_labels_of_members():
    x = torch.randn(40, 3, 2, generator=torch.Generator().manual_seed(0))
    for labels, y in (("binary", x[:, :, :1] > 0), ("classes", x.argmax(2)), ("numbers", x)):
        task = SetsTask(LabeledSets(x, y, labels=labels, per_member=True))
        found = compare(None, task, epochs=1, seeds=1, lr=1e-2)
        assert set(found.results) == {"intrinsic", "deep-sets", "set-transformer"}
        for model in found.results.values():
            outputs = {"binary": 1, "classes": 2, "numbers": 2}[labels]
            assert model.runs[0].model(x).shape == (40, 3, outputs)
    named = Plan(["cyclic-elements"], task, 1, 1, 1, None, "constant", None, None, False)
    assert list(named.models) == ["cyclic-elements"]


def test_a_model_of_the_book_without_outputs_of_members_is_refused_before_any_training():
    sets = LabeledSets(torch.zeros(8, 2, 1), torch.arange(16).view(8, 2) % 2, per_member=True)
    words = "models must be of intrinsic, deep-sets, .* for labels of members; got 'mlp'"
    with pytest.raises(ValueError, match=words):
        compare(["deep-sets", "mlp"], SetsTask(sets), epochs=1, seeds=1)


def test_a_model_without_outputs_enough_is_refused():
    classes = LabeledSets(torch.zeros(12, 2, 1), torch.arange(12) % 3, labels="classes")
    own = {"own": ModelSpec(lambda n, d: nn.Linear(d, 1), "mine", "S_n", 0)}
    with pytest.raises(TypeError, match="build must take outputs= to give 3 outputs"):
        compare(own, SetsTask(classes), epochs=1, seeds=1)


def test_models_that_exchange_columns_are_not_for_sets_of_your_own_unless_named():
    plan = Plan(None, SETS, 1, 1, 1, None, "constant", None, None, False)
    assert list(plan.models) == [name for name in MODELS if MODELS[name].data == "sets"]
    assert "exchangeable" not in plan.models
    named = Plan(["exchangeable"], SETS, 1, 1, 1, None, "constant", None, None, False)
    assert list(named.models) == ["exchangeable"]


# Failures and interrupts.


def spec(forward):
    """A model of two weights, and what comes of it and the calls so far."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.0, 1.0]))
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return forward(self, self.weight[0] + self.weight[1] * x.mean((1, 2))[:, None])

    return ModelSpec(lambda n, d: Model(), "none", "trivial", 0)


def fails_in_training(model, y):
    return y * torch.inf if model.training else y


def fails_in_the_test(model, y):
    return y if len(y) < 60 else y * torch.nan


@pytest.mark.parametrize(
    ("forward", "problem"),
    [
        (fails_in_training, "the training loss became nan in epoch 1"),
        (fails_in_the_test, "the outputs on the test sets are not finite"),
    ],
)
def test_a_training_that_fails_does_not_end_the_comparison(forward, problem):
    comparison = small({"bad": spec(forward), "radial": MODELS["radial"]})
    assert comparison.ranking == ["radial", "bad"]
    assert comparison["bad"].scores == [None, None]
    assert comparison.problems == [f"bad, seed {seed}: {problem}" for seed in (0, 1)]
    assert comparison["radial"].score is not None
    json.loads(comparison.to_json())


def interrupt_at(call):
    def forward(model, y):
        if model.calls == call:
            raise KeyboardInterrupt
        return y

    return spec(forward)


# 1 rehearsal; 3 steps of training and 1 of validation an epoch; the test is the 14th call.
@pytest.mark.parametrize("call", [1, 2, 6, 14])
def test_ctrl_c_ends_it_with_the_trainings_that_were_done(call):
    models = {"radial": MODELS["radial"], "slow": interrupt_at(call), "mlp": MODELS["mlp"]}
    comparison = small(models)
    assert comparison.interrupted
    assert comparison.stopped == "interrupted after 1 of 6 trainings"
    assert comparison.ranking == ["radial"]
    assert len(comparison["radial"].runs) == 1


def test_other_errors_come_through():
    def fails(model, y):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        small({"bad": spec(fails)})


# Checkpoints.


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("task", [TASK, SETS])
def test_an_interrupted_comparison_goes_on_to_the_same(tmp_path, monkeypatch, task):
    expected = untimed(small(task=task, lr=1e-2).to_dict())
    interrupt_at_steps(monkeypatch, 20, 25, 31)
    folder = tmp_path / "runs"
    done = [small(task=task, checkpoint=folder, lr=1e-2) for _ in range(4)]
    assert [comparison.interrupted for comparison in done] == [True, True, True, False]
    assert untimed(done[-1].to_dict()) == expected
    assert kept(folder) == [f"{name}-seed-{seed}" for name in sorted(NAMES) for seed in (0, 1)]
    assert SETTINGS in kept(folder / "radial-seed-0")


def test_what_is_done_is_not_trained_again(tmp_path, monkeypatch):
    first = small(checkpoint=tmp_path)

    def trained(*arguments):
        raise AssertionError("a step was made")

    monkeypatch.setattr(torch.optim.Adam, "step", trained)
    assert small(checkpoint=tmp_path).to_dict() == first.to_dict()


def test_more_models_and_seeds_may_join(tmp_path):
    small(["radial"], seeds=1, checkpoint=tmp_path)
    both = small(checkpoint=tmp_path)
    assert untimed(both.to_dict()) == untimed(small().to_dict())


def test_a_damaged_checkpoint_is_an_error(tmp_path):
    small(["radial"], epochs=1, seeds=1, checkpoint=tmp_path)
    (tmp_path / "radial-seed-0" / LAST).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=rf"{LAST} is no checkpoint"):
        small(["radial"], epochs=1, seeds=1, checkpoint=tmp_path)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small()
    assert os.listdir(tmp_path) == []


# Progress.


def test_it_is_silent_unless_asked(capfd):
    small()
    assert capfd.readouterr() == ("", "")


def test_the_bar_counts_all_steps_and_names_the_training(capfd, tmp_path):
    for _ in range(2):  # the second time from checkpoints
        small(log=True, checkpoint=tmp_path)
        out, shown = capfd.readouterr()
        assert out == ""
        last = shown.replace("\r", "\n").strip().splitlines()[-1]
        assert "radial, seed 1" in last
        assert f"{2 * 2 * 3 * 3}/{2 * 2 * 3 * 3}" in last
        assert "100%" in last


# What is refused, before any training.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ["mlp", "cnn"]}, "models must be of mlp, transformer, .*, radial; got 'cnn'"),
        ({"models": ["mlp", "mlp"]}, "models must differ, got 'mlp' more than once"),
        ({"models": []}, "models must name at least one model, got none"),
        ({"models": {}}, "models must name at least one model, got none"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"seeds": []}, r"seeds must be at least one and differ, got \[\]"),
        ({"seeds": [1, 1]}, r"seeds must be at least one and differ, got \[1, 1\]"),
        ({"seeds": [-1]}, "seeds must be at least 0, got -1"),
        ({"seeds": 101}, "seeds must be below 100, .*, got 100"),
        ({"lr": 0}, "lr must be positive and finite, got 0"),
        ({"lr": math.nan}, "lr must be positive and finite, got nan"),
        ({"lr": []}, r"lr must be at least one rate, and differ, got \[\]"),
        ({"lr": [0.1, 0.1]}, "lr must be at least one rate, and differ"),
        ({"lr": [0.1, -1]}, "lr must be positive and finite, got -1"),
        ({"schedule": "linear"}, "schedule must be one of 'constant', 'cosine', got 'linear'"),
        ({"device": "abacus"}, "device must be one that torch can use, got abacus"),
        ({"device": "meta"}, "device must be one that torch can use, got meta"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare(**{"models": ["radial"], "task": TASK, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": "mlp"}, "models must be a sequence of names or a mapping, got 'mlp'"),
        ({"models": 3}, "models must be a sequence of names or a mapping, got 3"),
        ({"models": {"mlp": build_model}}, "models must map names to ModelSpec, got 'mlp'"),
        ({"task": "gaussian"}, "task must be a GaussianTask or a SetsTask, got str"),
        ({"epochs": 2.5}, r"epochs must be an integer, got 2\.5"),
        ({"seeds": "12"}, "seeds must be an integer, got '1'"),
        ({"lr": "fast"}, "lr must be a number, got 'fast'"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        compare(**{"models": ["radial"], "task": TASK, **arguments})


def test_a_device_that_is_not_here_is_refused():
    if not torch.cuda.is_available():
        with pytest.raises(
            ValueError, match="device must be one that torch can use, got cuda"
        ) as caught:
            compare(device="cuda")
        assert "\n" not in str(caught.value)
    compare(["radial"], TASK, epochs=1, seeds=1, device=torch.device("cpu"))


@pytest.fixture
def folder(tmp_path):
    """A folder with a training of `radial`, kept."""
    compare(["radial"], TASK, epochs=1, seeds=1, checkpoint=tmp_path)
    return tmp_path / "radial-seed-0"


def refused(folder, words, **changes):
    arguments = {"models": ["mlp", "radial"], "task": TASK, "epochs": 1, "seeds": 1, **changes}
    with pytest.raises(CheckpointError, match=words) as caught:
        compare(**arguments, checkpoint=folder.parent)
    assert str(folder) in str(caught.value)
    assert kept(folder.parent) == ["radial-seed-0"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 2}, "epochs 1, not 2: give the same settings, or another folder"),
        ({"lr": 0.5}, "lr 0.01, not 0.5"),
        ({"batch_size": 8}, "batch_size 32, not 8"),
        ({"task": GaussianTask(6, 3)}, "var1 2.0, not 1.0"),
        ({"task": SETS, "lr": 1e-2}, "kind gaussian, not sets"),
    ],
)
def test_a_folder_of_another_training_is_refused_with_what_differs(folder, changes, words):
    refused(folder, f"radial-seed-0 is of a training with {words}", **changes)


def test_a_setting_more_or_less_is_another_training(folder):
    settings = json.loads((folder / SETTINGS).read_text())
    size = settings.pop("n")
    for changed, words in (
        (settings, "n None, not 6"),
        ({**settings, "n": size, "m": 3}, "m 3, not"),
    ):
        (folder / SETTINGS).write_text(json.dumps(changed))
        refused(folder, words)


@pytest.mark.parametrize("contents", [LAST, PREVIOUS, b"", b"{", b"[]", b"\xff", b"3"])
def test_a_folder_that_does_not_say_of_what_it_is_is_refused(folder, contents):
    (folder / SETTINGS).unlink()
    if isinstance(contents, str):  # the only file
        (folder / LAST).rename(folder / contents)
    else:
        (folder / SETTINGS).write_bytes(contents)
    refused(folder, f"{SETTINGS} does not name the training of the folder")


def test_what_cannot_be_a_folder_is_refused(tmp_path):
    own = {"a/b": MODELS["radial"]}
    with pytest.raises(ValueError, match="models must have names fit for a folder, got 'a/b'"):
        compare(own, TASK, checkpoint=tmp_path)
    compare(own, TASK, epochs=1, seeds=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"checkpoint must be a folder to write to, got .*file"):
        compare(["radial"], TASK, checkpoint=tmp_path / "file")
