"""A group of tests stays on one worker, or what it shares is built on both."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
SHARED = """
import pytest

pytestmark = pytest.mark.xdist_group("shared")

@pytest.mark.parametrize("i", range(8))
def test_shared(i):
    pass
"""
MIXED = """
import pytest

@pytest.mark.parametrize("i", range(20))
def test_alone(i):
    pass

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("i", range(8))
def test_shared_too(i):
    pass
"""


def workers(folder, monkeypatch, *options):
    """Returns the tests that each worker ran, in their order, under this repository's settings."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "test_mixed.py").write_text(MIXED)
    (folder / "test_shared.py").write_text(SHARED)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # only xdist is needed
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    settings = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder))
    plugins = ("-p", "xdist", "-p", "no:cacheprovider")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *plugins, "-v", "-n", "2", *options, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    ran = {"gw0": [], "gw1": []}
    for worker, test in re.findall(r"^\[(gw\d)\].* PASSED .*?::(\S+)", result.stdout, re.MULTILINE):
        ran[worker].append(test)
    assert sum(map(len, ran.values())) == 36, result.stdout
    return [tests for tests in ran.values() if any("shared" in test for test in tests)]


def test_a_group_runs_on_one_worker_and_first(tmp_path, monkeypatch):
    (tests,) = workers(tmp_path, monkeypatch)
    assert all("shared" in test for test in tests[:16])


def test_a_group_that_is_split_is_seen(tmp_path, monkeypatch):
    assert len(workers(tmp_path, monkeypatch, "--dist", "load")) == 2
