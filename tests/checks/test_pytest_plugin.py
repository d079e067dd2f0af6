import subprocess
import sys
from pathlib import Path

import pytest

# Loaded here once: a run in this process forgets the modules that it loads, and torch cannot be
# loaded twice.
import invariant_nets  # noqa: F401

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]

HEADER = """
import pytest
import torch
from invariant_nets import SymmetryModel, cyclic_group, dihedral_group, direct_product
from invariant_nets import intrinsic, mlp, symmetric_group

torch.manual_seed(0)
X = torch.randn(32, 5, 3)
"""


# Without the entry points, of which only an installed package has one, the plugin is asked for.
PLUGIN = ("-p", "pytest_invariant_nets", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def _no_entry_points(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def run(pytester):
    def run_tests(source, *arguments):
        pytester.makepyfile(HEADER + source)
        options = ("-v", "-W", "error", "--strict-markers")
        return pytester.runpytest_inprocess(*PLUGIN, *options, *arguments)

    return run_tests


def test_without_a_marker_the_group_is_that_of_all_orders(run):
    result = run("""
def test_invariant(assert_invariant):
    assert_invariant(intrinsic(5, 3), X)

def test_equivariant(assert_equivariant):
    assert_equivariant(lambda x: x - x.mean(1, keepdim=True), X)
""")
    result.assert_outcomes(passed=2)


def test_a_failure_shows_the_report_and_not_the_plugin(run):
    result = run("""
def test_invariant(assert_invariant):
    assert_invariant(mlp(5, 3), X)

def test_equivariant(assert_equivariant):
    assert_equivariant(lambda x: x.cumsum(1), X)
""")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*AssertionError: invariant to S_5: NO", "*largest error * under (*", "*relative error*"]
    )
    result.stdout.fnmatch_lines(["*AssertionError: equivariant to S_5: NO"])
    result.stdout.no_fnmatch_line("*pytest_invariant_nets.py:*")
    result.stdout.no_fnmatch_line("*checks.py:*")


def test_a_marked_test_runs_once_a_group(run):
    result = run("""
@pytest.mark.groups(symmetric_group(5), cyclic_group(5))
def test_model(assert_invariant):
    assert_invariant(SymmetryModel(mlp(5, 3), cyclic_group(5)), X)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*::test_model?S_5? FAILED*", "*::test_model?C_5? PASSED*"])
    result.stdout.fnmatch_lines(["*invariant to S_5: NO"])
    result.stdout.no_fnmatch_line("*invariant to C_5*")


def test_equivariance_is_checked_for_the_groups_too(run):
    result = run("""
@pytest.mark.groups(cyclic_group(5), dihedral_group(5))
def test_layer(assert_equivariant):
    assert_equivariant(lambda x: x.roll(1, 1), X)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_layer?C_5? PASSED*", "*test_layer?D_5? FAILED*"])


def test_the_group_itself_can_be_asked_for(run):
    result = run("""
@pytest.mark.groups(cyclic_group(5), dihedral_group(5))
def test_model(assert_invariant, symmetry_group):
    assert_invariant(SymmetryModel(mlp(5, 3), symmetry_group), X)

def test_unmarked(symmetry_group):
    assert symmetry_group is None
""")
    result.assert_outcomes(passed=3)


def test_a_class_may_carry_the_marker_and_tests_without_the_fixtures_run_once(run):
    result = run("""
@pytest.mark.groups(cyclic_group(5), symmetric_group(5))
class TestModel:
    def test_invariant(self, assert_invariant):
        assert_invariant(intrinsic(5, 3), X)

    def test_something_else(self):
        pass
""")
    result.assert_outcomes(passed=3)


def test_the_marker_goes_with_other_parameters(run):
    result = run("""
@pytest.mark.groups(cyclic_group(5), dihedral_group(5))
@pytest.mark.parametrize("power", [1, 2])
def test_model(assert_invariant, power):
    assert_invariant(lambda x: (x**power).sum(1), X)
""")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::test_model?C_5-1?*"])


def test_a_product_has_an_id_that_can_be_typed(run):
    result = run(
        """
@pytest.mark.groups(
    direct_product(symmetric_group(2), symmetric_group(3)),
    direct_product(symmetric_group(5), symmetric_group(3), on="grid"),
)
def test_model(assert_invariant):
    assert_invariant(lambda x: x.sum((1, 2)), X)
""",
        "-k",
        "S_5",
    )
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*::test_model?S_5 x S_3? PASSED*"])


def test_options_reach_the_check(run):
    result = run("""
def test_double(assert_invariant):
    seen = []
    assert_invariant(lambda x: seen.append(x.dtype) or x.sum(1), X, double=True, seed=3)
    assert set(seen) == {torch.float64}

def test_loose(assert_invariant):
    assert_invariant(mlp(5, 3), X, rtol=100.0)
""")
    result.assert_outcomes(passed=2)


def test_a_group_that_does_not_fit_is_an_error(run):
    result = run("""
@pytest.mark.groups(cyclic_group(4))
def test_model(assert_invariant):
    assert_invariant(intrinsic(5, 3), X)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ValueError: input must be sets that C_4 permutes, *"])


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("groups()", "*the marker groups takes PermutationGroup objects*got none*"),
        ("groups(10)", "*the marker groups takes PermutationGroup objects*got 10*"),
        ("groups(n=10)", "*the marker groups takes PermutationGroup objects*got {'n': 10}*"),
    ],
)
def test_a_marker_without_groups_is_refused(run, marker, words):
    result = run(f"""
@pytest.mark.{marker}
def test_model(assert_invariant):
    pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([words])


def test_the_marker_is_registered(run):
    result = run("", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.groups(?groups): run the test once for each*"])


@pytest.mark.slow
def test_loading_the_plugin_does_not_load_torch():
    code = "import sys, pytest_invariant_nets; print({'torch', 'invariant_nets'} & {*sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_run_that_does_not_use_it_does_not_load_torch(pytester):
    pytester.makepyfile("""
import sys

def test_nothing():
    assert "torch" not in sys.modules
""")
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_the_entry_point_names_this_plugin():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"invariant_nets": "pytest_invariant_nets"}


def test_the_fixtures_go_with_hypothesis(run):
    result = run(
        """
from hypothesis import given, settings
from hypothesis import strategies as st

@settings(max_examples=3, database=None)
@given(st.integers(1, 3))
def test_invariant(assert_invariant, power):
    assert_invariant(lambda x: x.pow(power).sum(1), X)

@pytest.mark.groups(cyclic_group(5), symmetric_group(5))
@settings(max_examples=3, database=None)
@given(st.integers(1, 3))
def test_equivariant(assert_equivariant, power):
    assert_equivariant(lambda x: x.pow(power), X)

class TestOfAClass:
    @pytest.mark.groups(cyclic_group(5))
    def test_first(self, assert_invariant):
        assert_invariant(lambda x: x.sum(1), X)

    def test_second(self, assert_invariant, symmetry_group):
        assert symmetry_group is None
        assert_invariant(lambda x: x.sum(1), X)
""",
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(passed=5)
