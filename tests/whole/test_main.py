import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from invariant_nets import GaussianTask, compare
from invariant_nets import __main__ as command
from invariant_nets.comparison.compare import Plan
from invariant_nets.training.checkpoint import LAST

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


def untimed(path):
    plain = json.loads(path.read_text(encoding="utf-8"))
    for model in plain["models"]:
        del model["seconds_per_epoch"]
        for run in model["runs"]:
            del run["history"]["seconds"]
    return plain


def process(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# What it does.


def test_it_prints_the_comparison_and_writes_it(main, tmp_path):
    files = tmp_path / "a.json", tmp_path / "a.svg"
    status, out, error = main(*FEW, "--json", files[0], "--figure", files[1])
    assert (status, error) == (0, "")
    task = GaussianTask(4, 2, 2.0, 0.5, train_sets=32, test_sets=100)
    same = compare(["radial", "deep-sets"], task, epochs=2, seeds=2)
    assert [line.split()[0] for line in out.splitlines()[4:6]] == same.ranking
    assert f"the Bayes limit, {task.bayes_accuracy:.4f}" in out
    written = json.loads(files[0].read_text(encoding="utf-8"))
    assert [m["accuracy"] for m in written["models"]] == [
        result.accuracy for result in same.results.values()
    ]
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
    assert out.startswith(f"{sets}, n = 4, d = 2\n20 epochs of 20 sets in batches of 32, seed 0\n")
    assert "Bayes" not in out
    written = untimed(tmp_path / "a.json")
    assert written["bayes_accuracy"] is None
    assert written["task"]["test_sets"] == 20
    assert written["models"][0]["accuracy"] > 0.9


def test_static_data_is_asked_for(main, tmp_path):
    for words, static in ([], False), (["--static"], True):
        main(*FEW, *words, "--json", tmp_path / "a.json")
        assert untimed(tmp_path / "a.json")["task"]["static"] is static


def test_the_same_command_twice_gives_the_same_files(main, tmp_path):
    written = []
    for _ in range(2):
        main(*FEW, "--json", tmp_path / "a.json", "--figure", tmp_path / "a.png")
        written.append((untimed(tmp_path / "a.json"), (tmp_path / "a.png").read_bytes()))
    assert written[0] == written[1]


def test_a_failed_training_is_told_and_is_no_success(main, sets, tmp_path):
    with np.load(sets) as contents:
        x = dict(contents)
    np.savez(sets, x=x["x"] * 1e37, y=x["y"])
    status, out, _ = main("--data", sets, "--models", "radial", "deep-sets", "--seeds", 1)
    assert status == 1
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
        ("--models mlp,cnn", "got 'cnn'"),
        ("--models ,", "models must name at least one model, got none"),
        ("--models mlp mlp", "models must differ, got 'mlp' more than once"),
        ("--epochs 0", "epochs must be at least 1, got 0"),
        ("--batch-size 0", "batch_size must be at least 1, got 0"),
        ("--seeds 0", "seeds must be at least 1, got 0"),
        ("--seeds 1000", "seeds must be below 100"),
        ("--lr 0", "lr must be positive and finite, got 0.0"),
        ("--lr inf", "lr must be positive and finite, got inf"),
        ("--n 0", "n must be at least 1, got 0"),
        ("--d -1", "d must be at least 1, got -1"),
        ("--var1 0", "var1 must be a positive, finite variance, got 0.0"),
        ("--var2 nan", "var2 must be a positive, finite variance, got nan"),
        ("--sets 0", "train_sets must be at least 1, got 0"),
        ("--test-sets 0", "test_sets must be at least 1, got 0"),
        ("--n 10000000000", "task must have test sets that can be drawn"),
        ("--n 1000000000000000000000", "task must have test sets that can be drawn"),
        ("--var1 1e90", "task must have test sets that can be drawn"),
        ("--device abacus", "device must be one that torch can use, got abacus"),
        ("--test-share .5", "--test-share is for --data"),
        ("--data sets.npz --n 3", "--n is for the Gaussian task, not for --data"),
        ("--data sets.npz --static", "--static is for the Gaussian task"),
        ("--data sets.npz --sets 3", "--sets is for the Gaussian task"),
        ("--data sets.npz --test-sets 3", "--test-sets is for the Gaussian task"),
        ("--data sets.npz --test-share 1", "test_share must lie between 0 and 1, got 1.0"),
        ("--data none.npz", "none.npz: there is no such file"),
        ("--data .", ". is a folder; a file .npz or .pt is needed"),
        ("--data sets.csv", "sets.csv must end in .npz or .pt, got .csv"),
        ("--data torn.npz", "torn.npz is torn"),
        ("--data torn.pt", "torn.pt is torn"),
        ("--data lacks.npz", "lacks.npz: the keys x and y are needed, got x, labels, without y"),
        ("--data alone.npz", "alone.npz: train must have sets of both labels, got label 1 only"),
        ("--json a.txt", "--json must end in .json, got 'a.txt'"),
        ("--json none/a.json", "--json must be in a folder that exists, got none/a.json"),
        ("--json folder.json", "--json must be a file, got the folder folder.json"),
        ("--figure a.bmp", "--figure must end in .svg or .png or .pdf, got 'a.bmp'"),
        ("--figure none/a.svg", "--figure must be in a folder that exists"),
        ("--checkpoint sets.csv", "checkpoint must be a folder to write to, got sets.csv"),
    ],
)
def test_refused_in_one_line(main, sets, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets.csv").write_text("x,y\n")
    (tmp_path / "folder.json").mkdir()
    for name in ("torn.npz", "torn.pt"):
        (tmp_path / name).write_bytes(sets.read_bytes()[:300])
    np.savez("lacks.npz", x=np.zeros((4, 2, 2)), labels=np.arange(4) % 2)
    np.savez("alone.npz", x=np.zeros((4, 2, 2)), y=np.ones(4))
    before = sorted(os.listdir())
    refused(main(*words.split()), message)
    assert sorted(os.listdir()) == before


def test_refused_without_matplotlib_if_a_figure_is_asked_for(main, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    result = main("--figure", tmp_path / "a.svg")
    refused(result, "--figure needs matplotlib: pip install 'invariant_nets[plot]'")


def test_without_matplotlib_the_rest_works(main, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
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
    (tmp_path / "radial-seed-0" / "previous.ckpt").unlink()
    refused(main(*FEW, "--checkpoint", tmp_path), "last.ckpt is no checkpoint of a training run")


def test_a_disk_that_is_full_is_told(main, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("invariant_nets._files.os.replace", full)
    status, out, error = main(*FEW, "--json", tmp_path / "a.json")
    assert status == 2
    assert "a.json could not be written (No space left on device)" in error
    assert "the Bayes limit" in out
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
        assert untimed(tmp_path / "a.json")["stopped"] == error.strip()


def test_ctrl_c_before_the_first_training_has_no_traceback(main, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prepare", interrupted)
    assert main(*FEW) == (130, "", "interrupted; nothing was done\n")


def waits_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


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
    assert untimed(tmp_path / "a.json") == untimed(tmp_path / "b.json")


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


def test_under_torchrun(main, tmp_path):
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    words = [*FEW, "--json", tmp_path / "a.json", "--checkpoint", tmp_path / "runs"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    running = process(*torchrun, "-m", "invariant_nets", "compare", *words, env=one_thread)
    out, error = running.communicate(timeout=120)
    assert running.returncode == 0, error
    together = untimed(tmp_path / "a.json")
    assert out.count("the Bayes limit") == 1
    main(*FEW, "--json", tmp_path / "a.json")
    alone = untimed(tmp_path / "a.json")
    assert [m["name"] for m in together["models"]] == [m["name"] for m in alone["models"]]
    for one, other in zip(together["models"], alone["models"], strict=True):
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=0.011)
        for first, second in zip(one["runs"], other["runs"], strict=True):
            assert first["history"]["train_loss"] == pytest.approx(
                second["history"]["train_loss"], rel=1e-3
            )
