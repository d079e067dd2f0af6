import inspect
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch.distributed.run import get_args_parser

import invariant_nets
from invariant_nets import MODELS, GaussianTask, compare
from invariant_nets import __main__ as command
from invariant_nets.__main__ import is_first, parsers
from invariant_nets.comparison.plan import Plan
from invariant_nets.training.resuming.checkpoint import LAST, PREVIOUS
from tests.comparison.comparisons import untimed

TASK = ["-n", 4, "-d", 2, "--var1", 2, "--var2", 0.5, "--sets", 32, "--test-sets", 100]
SMALL = [*TASK, "--epochs", 2, "--seeds", 2]
FEW = ["--models", "radial,deep-sets", *SMALL]


@pytest.fixture
def main(capfd, monkeypatch):
    """Runs the command in this process; its status, and what it printed."""
    monkeypatch.delenv("RANK", raising=False)

    def run(*words):
        try:
            status = command.main(["compare", *map(str, words)])
        except SystemExit as error:
            status = error.code
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def sets(tmp_path):
    """A file of sets whose label is the sign of their mean."""
    source = np.random.default_rng(0)
    y = np.arange(40) % 2
    path = tmp_path / "sets.npz"
    np.savez(path, x=source.normal(size=(40, 4, 2)) + (2 * y - 1)[:, None, None], y=y)
    return path


def refused(result, *words):
    """It ended with status 2, one line that has the words, and nothing else."""
    status, out, error = result
    assert status == 2
    assert out == ""
    assert error.startswith("python -m invariant_nets compare: error: ")
    assert error.endswith(" (--help says more)\n")
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def written(path):
    return untimed(json.loads(path.read_text(encoding="utf-8")))


def process(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# What it reads.


def options(*words):
    return parsers()[0].parse_args(["compare", *words])


def test_every_default_but_the_tasks_is_that_of_compare():
    given = vars(options())
    for name, parameter in inspect.signature(compare).parameters.items():
        if name not in ("task", "log"):
            assert given[name] == parameter.default, name
    assert {
        given[name] for name in ("n", "d", "var1", "static", "data", "json", "figure", "labels")
    } == {None}


ALL = """
    --models mlp radial -n 4 -d 3 --var1 2 --var2 .5 --static --sets 9 --test-sets 8 --epochs 2
    --batch-size 5 --seeds 1 --lr 1e-2 3e-2 --device cpu --json a --figure b --checkpoint c --data d
    --test-share .5 --validation-share .1 --labels classes --per-member --set-column s
    --label-column l --split-column p --features u v --report r --schedule cosine
"""


@pytest.mark.parametrize("words", [ALL, ALL.replace("-n 4", "--n 4").replace("-d 3", "--d=3")])
def test_options_are_read(words):
    given = options(*words.split())
    assert vars(given) == {
        "command": "compare",
        "models": ["mlp", "radial"],
        **{"n": 4, "d": 3, "var1": 2.0, "var2": 0.5, "static": True, "train_sets": 9},
        **{"test_sets": 8, "epochs": 2, "batch_size": 5, "seeds": 1, "device": "cpu"},
        **{"json": "a", "figure": "b", "checkpoint": "c", "data": "d", "test_share": 0.5},
        **{"validation_share": 0.1, "labels": "classes", "per_member": True, "lr": [0.01, 0.03]},
        **{"set_column": "s", "label_column": ["l"], "split_column": "p", "features": ["u", "v"]},
        **{"report": "r", "schedule": "cosine"},
    }


@pytest.mark.parametrize("program", [["--help"], ["compare", "--help"]])
def test_help_reads_well_on_a_terminal_of_80_columns(monkeypatch, capsys, program):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        parsers()[0].parse_args(program)
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("usage: python -m invariant_nets")


def test_help_shows_examples_and_every_model(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parsers()[0].parse_args(["compare", "--help"])
    text = capsys.readouterr().out
    examples = text[text.index("examples:") :]
    assert examples.count("-m invariant_nets compare") == 4
    assert all(name in text.replace(",", " ").split() for name in MODELS)
    for example in examples.replace("\\\n", " ").splitlines():
        if "python -m invariant_nets" in example:
            options(*example.split()[4:])


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        parsers()[0].parse_args(["--version"])
    assert capsys.readouterr().out == f"invariant_nets {invariant_nets.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["--epochs", "2.5"], "argument --epochs: invalid int value: '2.5'"),
        (["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
        (["--models"], "argument --models: expected at least one argument"),
        (["--model", "mlp"], "unrecognized arguments: --model mlp"),
        (["stray\nwords"], "unrecognized arguments: stray words"),
    ],
)
def test_an_error_is_one_line(capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        options(*words)
    assert caught.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("python -m invariant_nets")
    assert f"error: {message} (--help says more)\n" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_the_first_rank_speaks_for_all_and_each_of_its_own_errors(monkeypatch, capsys, rank, first):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_first() == first
    with pytest.raises(SystemExit):
        options("--help")
    assert bool(capsys.readouterr().out) == first
    with pytest.raises(SystemExit):
        options("--epochs", "x")
    error = "error" if first else "error on rank 1"
    assert f"compare: {error}: argument --epochs: invalid int" in capsys.readouterr().err


def test_torchrun_takes_no_option_for_its_own():
    words = ["-m", "invariant_nets", "compare", *ALL.split()]
    assert get_args_parser().parse_args(words).training_script_args == words[2:]


# What it does.


def test_it_prints_the_comparison_and_writes_it(main, tmp_path):
    files = tmp_path / "a.json", tmp_path / "a.svg"
    status, out, error = main(*FEW, "--static", "--json", files[0], "--figure", files[1])
    assert (status, error) == (0, "")
    task = GaussianTask(4, 2, 2.0, 0.5, static=True, train_sets=32, test_sets=100)
    same = compare(["radial", "deep-sets"], task, epochs=2, seeds=2)
    assert [line.split()[0] for line in out.splitlines()[4:6]] == same.ranking
    assert f"to the limit, {task.bayes_accuracy:.4f}" in out
    assert written(files[0]) == untimed(same.to_dict())
    assert files[1].read_bytes().startswith(b"<?xml")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.svg"]


def test_names_may_stand_apart_or_between_commas(main):
    expected = main(*SMALL, "--models", "radial", "mlp", "--seeds", 1)[1].splitlines()
    for words in (["radial,mlp"], ["radial,", "mlp"], ["radial, mlp"]):
        lines = main(*SMALL, "--models", *words, "--seeds", 1)[1].splitlines()
        assert [line.split()[:1] for line in lines] == [line.split()[:1] for line in expected]


def test_it_takes_your_own_sets(main, sets, tmp_path):
    words = ["--models", "deep-sets", "--data", sets, "--epochs", 20, "--seeds", 1, "--lr", 0.02]
    status, out, error = main(*words, "--json", tmp_path / "a.json", "--test-share", 0.5)
    assert (status, error) == (0, "")
    assert out.startswith(f"{sets}, n = 4, d = 2\n20 epochs of 16 sets in batches of 32, seed 0\n")
    assert "limit" not in out
    found = written(tmp_path / "a.json")
    assert found["ideal"] is None
    assert (found["task"]["validation_sets"], found["task"]["test_sets"]) == (4, 20)
    assert found["models"][0]["score"] > 0.9


def test_it_takes_a_table_of_classes_and_writes_a_page(main, tmp_path):
    source = np.random.default_rng(0)
    lines = ["bag,kind,u,v"]
    for number in range(60):
        kind = number % 3
        rows = source.normal(size=(1 + number % 4, 2)) * 0.3 + 2 * np.eye(3, 2)[kind]
        lines += [f"{number},{'abc'[kind]},{u},{v}" for u, v in rows]
    path = tmp_path / "bags.csv"
    path.write_text("\n".join(lines) + "\n")
    words = ["--data", path, "--labels", "classes", "--set-column", "bag", "--label-column", "kind"]
    more = ["--models", "deep-sets", "--epochs", 40, "--seeds", 1, "--lr", 1e-2, 3e-2]
    status, out, error = main(*words, *more, "--report", tmp_path / "a.html")
    assert (status, error) == (0, "")
    assert "of the learning rates 0.01, 0.03, of which the loss on 9 validation" in " ".join(
        out.split()
    )
    row = next(line for line in out.splitlines() if line.startswith("deep-sets"))
    assert float(row.split()[3]) > 0.9
    page = (tmp_path / "a.html").read_text()
    assert "bags.csv" in page
    assert "<svg" in page


def test_members_of_a_table_may_have_labels_and_a_feature_may_be_called_split(main, tmp_path):
    path = tmp_path / "members.csv"
    rows = [f"{number // 3},{number % 2},{number}" for number in range(60)]
    path.write_text("\n".join(["set,label,split", *rows]) + "\n")
    words = ["--data", path, "--per-member", "--epochs", 1, "--seeds", 1, "--lr", 1e-3]
    status, out, error = main(*words, "--split-column", "")
    assert (status, error) == (0, "")
    for name, spec in MODELS.items():
        there = any(line.startswith(f"{name} ") for line in out.splitlines())
        assert there == (spec.per_member and spec.data == "sets")
    refused(main(*words), "a column of features is needed besides 'set', 'label', 'split'")


def test_a_failed_training_is_told_and_is_no_success(main, sets):
    with np.load(sets) as contents:
        x = dict(contents)
    np.savez(sets, x=x["x"] * 1e30, y=x["y"])
    words = "--models", "radial", "deep-sets", "--seeds", 1, "--lr", 1e-3
    status, out, error = main("--data", sets, *words)
    assert status == 1, error
    assert "radial, seed 0: the" in out
    assert "failed" in out


# What it refuses, before any training.


@pytest.fixture(autouse=True)
def _no_training_where_something_is_refused(request, monkeypatch):
    if request.node.name.startswith("test_refused"):

        def train(*arguments):
            raise AssertionError("the training began")

        monkeypatch.setattr(Plan, "run", train)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--models cnn", "models must be of mlp, transformer"),
        ("--epochs 0", "epochs must be at least 1, got 0"),
        ("--batch-size 0", "batch_size must be at least 1, got 0"),
        ("--seeds 0", "seeds must be at least 1, got 0"),
        ("--lr 0", "lr must be positive and finite, got 0.0"),
        ("--n 0", "n must be at least 1, got 0"),
        ("--d -1", "d must be at least 1, got -1"),
        ("--var1 0", "var1 must be a positive, finite variance, got 0.0"),
        ("--var2 nan", "var2 must be a positive, finite variance, got nan"),
        ("--sets 0", "train_sets must be at least 1, got 0"),
        ("--test-sets 0", "test_sets must be at least 1, got 0"),
        ("--n 10000000000", "task must have test sets that can be drawn"),
        ("--var1 1e90", "task must have test sets that can be drawn"),
        ("--device abacus", "device must be one that torch can use, got abacus"),
        ("--test-share .5", "--test-share is for --data"),
        ("--data sets.npz --n 3", "--n is for the Gaussian task, not for --data"),
        ("--data sets.npz --static", "--static is for the Gaussian task"),
        ("--data sets.npz --sets 3", "--sets is for the Gaussian task"),
        ("--data sets.npz --test-sets 3", "--test-sets is for the Gaussian task"),
        ("--data sets.npz --test-share 1", "test_share must lie between 0 and 1, got 1.0"),
        ("--data none.npz", "none.npz: there is no such file"),
        ("--data .", ". is a folder; a file .npz, .pt, .csv or .parquet is needed"),
        ("--data torn.npz", "torn.npz is torn"),
        ("--data lacks.npz", "lacks.npz: the keys x and y are needed, got x, labels, without y"),
        ("--data alone.npz", "alone.npz: train must have sets of both labels, got label 1 only"),
        ("--json a.txt", "--json must end in .json, got 'a.txt'"),
        ("--figure a.bmp", "--figure must end in .svg or .png or .pdf, got 'a.bmp'"),
        ("--figure none/a.svg", "--figure must be in a folder that exists"),
        ("--labels classes", "--labels is for --data"),
        ("--data sets.npz --labels words", "labels must be one of 'binary', 'classes', 'numbers'"),
        ("--data sets.npz --validation-share 1", "validation_share must lie between 0 and 1"),
        ("--lr .1 .1", "lr must be at least one rate, and differ"),
        ("--report a.txt", "--report must end in .html or .md, got 'a.txt'"),
        ("--checkpoint sets.csv", "checkpoint must be a folder to write to, got sets.csv"),
    ],
)
def test_refused_in_one_line(main, sets, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets.csv").write_text("x,y\n")
    (tmp_path / "torn.npz").write_bytes(sets.read_bytes()[:300])
    np.savez("lacks.npz", x=np.zeros((4, 2, 2)), labels=np.arange(4) % 2)
    np.savez("alone.npz", x=np.zeros((4, 2, 2)), y=np.ones(4))
    before = sorted(os.listdir())
    refused(main(*words.split()), message)
    assert sorted(os.listdir()) == before


@pytest.fixture
def no_matplotlib(monkeypatch):
    loaded = {name for name in sys.modules if name.partition(".")[0] == "matplotlib"}
    for name in loaded | {"matplotlib"}:
        monkeypatch.setitem(sys.modules, name, None)


def test_refused_without_matplotlib_if_a_figure_is_asked_for(main, tmp_path, no_matplotlib):
    result = main("--figure", tmp_path / "a.svg")
    refused(result, "--figure needs matplotlib: pip install 'invariant_nets[plot]'")


def test_without_matplotlib_the_rest_works(main, no_matplotlib, tmp_path):
    assert main(*FEW, "--json", tmp_path / "a.json")[0] == 0


def test_without_a_command_it_says_which(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main([])
    assert caught.value.code == 2
    error = "python -m invariant_nets: error: a command is needed: compare (--help says more)\n"
    assert capsys.readouterr().err == error


# Checkpoints, interrupts, ranks.


def test_a_folder_of_another_comparison_is_refused(main, tmp_path):
    assert main(*FEW, "--checkpoint", tmp_path)[0] == 0
    result = main(*FEW, "--checkpoint", tmp_path, "--epochs", 3)
    refused(result, "radial-seed-0 is of a training with epochs 2, not 3")
    (tmp_path / "radial-seed-0" / LAST).write_bytes(b"torn")
    (tmp_path / "radial-seed-0" / PREVIOUS).unlink()
    refused(main(*FEW, "--checkpoint", tmp_path), "last.ckpt is no checkpoint of a training run")


def test_a_disk_that_is_full_is_told(main, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("invariant_nets._files.os.replace", full)
    status, out, error = main(*FEW, "--json", tmp_path / "a.json")
    assert status == 2
    assert "a.json could not be written (No space left on device)" in error
    assert "to the limit" in out
    assert os.listdir(tmp_path) == []


def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert command.main(["compare", *map(str, FEW), "--json", str(tmp_path / "a.json")]) == 0
    assert (tmp_path / "a.json").exists()


@pytest.mark.parametrize(("at", "done"), [(1, 0), (5, 1)])
def test_ctrl_c_leaves_what_was_done(main, tmp_path, monkeypatch, at, done):
    steps = 0
    step = torch.optim.Adam.step

    def interrupted(self, *arguments, **options):
        nonlocal steps
        steps += 1
        if steps == at:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", interrupted)
    status, out, error = main(*FEW, "--batch-size", 16, "--json", tmp_path / "a.json")
    assert status == 130
    assert error == f"interrupted after {done} of 4 trainings\n"
    assert ("radial" in out) == bool(done)
    assert (tmp_path / "a.json").exists() == bool(done)
    if done:
        assert written(tmp_path / "a.json")["stopped"] == error.strip()


def test_ctrl_c_before_the_first_training_has_no_traceback(main, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "Plan", interrupted)
    assert main(*FEW) == (130, "", "interrupted; nothing was done\n")


def waits_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same(main, tmp_path):
    words = [*FEW, "--epochs", 20, "--checkpoint", tmp_path / "runs"]
    running = process("invariant_nets", "compare", *words)
    waits_for((tmp_path / "runs" / "deep-sets-seed-0" / LAST).exists)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    running.communicate()
    assert not (tmp_path / "runs" / "deep-sets-seed-1" / LAST).exists()
    assert main(*words, "--json", tmp_path / "a.json")[0] == 0
    assert main(*FEW, "--epochs", 20, "--json", tmp_path / "b.json")[0] == 0
    assert written(tmp_path / "a.json") == written(tmp_path / "b.json")


@pytest.mark.slow
def test_a_real_ctrl_c_ends_a_process_with_its_table(tmp_path):
    words = [*FEW, "--epochs", 40, "--checkpoint", tmp_path / "runs"]
    plain = os.environ | {"PYTHONIOENCODING": "ascii"}  # not every terminal has ± and ×
    running = process("invariant_nets", "compare", *words, env=plain)
    waits_for((tmp_path / "runs" / "deep-sets-seed-0" / LAST).exists)
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=60)
    assert running.returncode == 130
    assert error == "interrupted after 1 of 4 trainings\n"
    assert "radial" in out
    assert "deep-sets" not in out
    assert "? is the standard deviation" in out


@pytest.mark.slow
def test_under_torchrun(main, tmp_path):
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    words = [*FEW, "--json", tmp_path / "a.json", "--checkpoint", tmp_path / "runs"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    running = process(*torchrun, "-m", "invariant_nets", "compare", *words, env=one_thread)
    out, error = running.communicate(timeout=120)
    assert running.returncode == 0, error
    together = written(tmp_path / "a.json")
    assert out.count("to the limit") == 1
    main(*FEW, "--json", tmp_path / "a.json")
    alone = written(tmp_path / "a.json")
    assert [m["name"] for m in together["models"]] == [m["name"] for m in alone["models"]]
    for one, other in zip(together["models"], alone["models"], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.011)
        for first, second in zip(one["runs"], other["runs"], strict=True):
            assert first["history"]["train_loss"] == pytest.approx(
                second["history"]["train_loss"], rel=1e-3
            )
