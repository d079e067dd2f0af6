"""A run that leaves tests out says so, in one line, with the command that runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.slow
@pytest.mark.book
@pytest.mark.parametrize("i", range(3))
def test_of_the_book(i): pass
"""


def lines(folder, *options):
    """The lines of a run with some options that say what was left out."""
    (folder / "test_inside.py").write_text(TESTS)
    settings = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder))
    plugins = ("-p", "xdist", "-p", "tests.left_out", "-p", "no:cacheprovider")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *plugins, *options, folder],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return [line for line in run.stdout.splitlines() if "left out" in line]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_what_is_left_out_is_said(tmp_path, workers):
    said = lines(tmp_path, "-m", "not slow and not book", *workers)
    assert said == ["left out: 3 of the book, 1 slow; `make check` runs them"]


@pytest.mark.slow
def test_a_run_of_all_says_nothing(tmp_path):
    assert lines(tmp_path) == []
