import math

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
    ModelSpec,
    SetsTask,
    build_model,
    compare,
)
from invariant_nets.comparison.compare import prepare
from tests.comparison.comparisons import untimed

TASK = GaussianTask(6, 3, 2.0, 0.5, train_sets=64, validation_sets=32, test_sets=200)
FEW = {"epochs": 2, "seeds": 2}


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
            assert run.accuracy == pytest.approx(expected, abs=1.5 / 200)
            assert run.history.num_epochs == 2


def test_models_are_ranked_by_their_mean_accuracy():
    names = ["mlp", "deep-sets", "radial"]
    comparison = compare(names, TASK, epochs=8, seeds=2)
    means = [comparison[name].accuracy for name in comparison.ranking]
    assert means == sorted(means, reverse=True)
    assert means[0] > means[-1] + 0.05
    assert compare(names[::-1], TASK, epochs=8, seeds=2).ranking == comparison.ranking
    assert comparison.stopped == "all 6 trainings done"


def test_the_same_comparison_twice_gives_the_same_but_for_the_times():
    first, second = (compare(["sampled-mlp", "mlp"], TASK, **FEW) for _ in range(2))
    assert untimed(first) == untimed(second)


def test_what_a_model_comes_to_does_not_depend_on_the_others_or_on_what_was_before():
    together = compare(["augmented-mlp", "sampled-mlp", "intrinsic"], TASK, **FEW)
    torch.randn(3)
    alone = compare(["sampled-mlp"], TASK, **FEW)
    one, other = (
        next(m for m in untimed(c)["models"] if m["name"] == "sampled-mlp")
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
        few["radial"].runs[1].accuracy
        == compare(["radial"], TASK, epochs=1, seeds=(2,))["radial"].accuracy
    )


def test_all_models_are_compared_by_default():
    plan = prepare()
    assert list(plan.models) == list(MODELS)
    assert (plan.epochs, plan.batch_size, plan.seeds, plan.task) == (
        18,
        32,
        (0, 1, 2),
        GaussianTask(),
    )


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
    assert comparison["spread"].accuracy > 0.9
    assert comparison["mlp"].accuracy == compare(["mlp"], TASK, epochs=20, seeds=1)["mlp"].accuracy


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
    assert min(comparison[name].accuracy for name in comparison.ranking) > 0.9
    assert comparison["mlp"].gap is None
    assert [run.accuracy for run in comparison["mlp"].runs] == [
        run.history.test_acc[-1] for run in comparison["mlp"].runs
    ]


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
        {"spy": ModelSpec(lambda n, d: Spy(), "", "", 0)}, task, epochs=2, seeds=2, batch_size=60
    )
    assert len({tuple(order) for order in seen}) == 4
    assert {tuple(sorted(order)) for order in seen} == {
        tuple(sorted(task.train.x[:, 0, 0].tolist()))
    }


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
            prepare(device="cuda")
        assert "\n" not in str(caught.value)
    assert prepare(["mlp"], TASK, device=torch.device("cpu")).device == torch.device("cpu")


def test_a_checkpoint_folder_is_checked(tmp_path):
    own = {"a/b": MODELS["radial"]}
    with pytest.raises(ValueError, match="models must have names fit for a folder, got 'a/b'"):
        prepare(own, TASK, checkpoint=tmp_path)
    prepare(own, TASK)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"checkpoint must be a folder to write to, got .*file"):
        prepare(["radial"], TASK, checkpoint=tmp_path / "file")
    compare(["radial"], TASK, epochs=1, seeds=1, checkpoint=tmp_path / "runs")
    for changes, words in (
        ({"epochs": 2}, "epochs 1, not 2"),
        ({"lr": 0.5}, "lr 0.01, not 0.5"),
        ({"batch_size": 8}, "batch_size 32, not 8"),
        ({"task": GaussianTask(6, 3)}, "var1 2.0, not 1.0"),
        ({"task": SetsTask(easy_sets(False))}, "kind gaussian, not sets"),
    ):
        with pytest.raises(CheckpointError, match=rf"radial-seed-0 is of a training with {words}"):
            prepare(
                **{"models": ["radial"], "task": TASK, "epochs": 1, "seeds": 1, **changes},
                checkpoint=tmp_path / "runs",
            )
    prepare(["radial", "mlp"], TASK, epochs=1, seeds=2, checkpoint=tmp_path / "runs")
