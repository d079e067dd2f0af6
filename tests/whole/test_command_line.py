import inspect

import pytest
from torch.distributed.run import get_args_parser

import invariant_nets
from invariant_nets import MODELS, compare
from invariant_nets.__main__ import Parser, is_first, parsers


def options(*words):
    return parsers()[0].parse_args(["compare", *words])


def test_every_default_but_the_tasks_is_that_of_compare():
    given = vars(options())
    for name, parameter in inspect.signature(compare).parameters.items():
        if name not in ("task", "log"):
            assert given[name] == parameter.default, name
    assert {given[name] for name in ("n", "d", "var1", "static", "data", "json", "figure")} == {
        None
    }


ALL = """
    --models mlp radial -n 4 -d 3 --var1 2 --var2 .5 --static --sets 9 --test-sets 8 --epochs 2
    --batch-size 5 --seeds 1 --lr 1e-2 --device cpu --json a --figure b --checkpoint c --data d
    --test-share .5
"""


@pytest.mark.parametrize("words", [ALL, ALL.replace("-n 4", "--n 4").replace("-d 3", "--d=3")])
def test_options_are_read(words):
    given = options(*words.split())
    assert vars(given) == {
        "command": "compare",
        "models": ["mlp", "radial"],
        **{"n": 4, "d": 3, "var1": 2.0, "var2": 0.5, "static": True, "train_sets": 9},
        **{"test_sets": 8, "epochs": 2, "batch_size": 5, "seeds": 1, "lr": 0.01, "device": "cpu"},
        **{"json": "a", "figure": "b", "checkpoint": "c", "data": "d", "test_share": 0.5},
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
def test_the_first_rank_speaks_for_all(monkeypatch, capsys, rank, first):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_first() == first
    with pytest.raises(SystemExit):
        options("--help")
    assert bool(capsys.readouterr().out) == first


def test_another_rank_speaks_when_the_first_did_not(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    waited = []
    monkeypatch.setattr("invariant_nets.__main__.time.sleep", waited.append)
    with pytest.raises(SystemExit) as caught:
        options("--epochs", "x")
    assert caught.value.code == 2
    assert waited == [Parser.patience]
    assert "compare: error on rank 1: argument --epochs: invalid int" in capsys.readouterr().err


def test_torchrun_takes_no_option_for_its_own():
    words = ["-m", "invariant_nets", "compare", *ALL.split()]
    assert get_args_parser().parse_args(words).training_script_args == words[2:]
