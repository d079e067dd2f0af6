"""Imports inside the package point one way: a module imports from earlier groups only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import invariant_nets

PACKAGE = Path(invariant_nets.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

GROUPS = [
    ["_precision"],
    ["_validation", "_masking", "_orbit_forms", "_initialization", "_permuted_sets", "_uniform"],
    ["_transforms"],
    ["ranks", "_agreement", "_inner_graph"],
    ["permutation", "bayes", "gaussian", "history", "ragged", "_four_maps", "sharding"],
    ["checkpoint", "_row_order"],
    ["enumeration", "layers", "orbits", "chain", "chunked_average", "sorting", "set_network"],
    ["exchangeable", "exchangeable_sparse", "perceptron", "_training_state"],
    ["_sharded_batches", "_data_parallel"],
    ["_passes"],
    ["pooling", "attention_block", "training"],
    ["attention", "deep_sets"],
    [
        "closed_form",
        "recompute",
        "sharded_average",
        "rotation",
        "frames",
        "backbones",
        "set_transformer",
    ],
    ["schreier_sims"],
    ["groups"],
    ["named_groups", "products", "_sources"],
    ["_defect", "averaging", "canonicalization", "augmentation", "intrinsic"],
    ["orbit_layers", "audit", "symmetry_search", "entries"],
    ["checks", "symmetric_elements"],
    ["models", "figures"],
    ["_output_files", "labeled_sets"],
    ["set_files", "tasks", "model_result"],
    ["_training_folders", "sets_task", "_ranking_figure", "_command_line"],
    ["comparison_report"],
    ["_comparison_plan"],
    ["comparison"],
    ["__main__"],
]
WITHIN_A_GROUP = {("gaussian", "bayes")}
GROUP_OF = {module: number for number, group in enumerate(GROUPS) for module in group}


def imports_of(source):
    """The package's modules that a source imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports inside the package are absolute"
            if node.module == "invariant_nets":
                names |= {f"invariant_nets.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
    inside = {name for name in names if name.split(".")[0] == "invariant_nets"}
    return {name.partition(".")[2] for name in inside}


def may_import(module, imported):
    if (module, imported) in WITHIN_A_GROUP:
        return True
    return imported in GROUP_OF and GROUP_OF[imported] < GROUP_OF[module]


def source_of(module):
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def test_every_module_has_its_place():
    assert sorted(GROUP_OF) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_earlier_groups_only(module):
    wrong = {name for name in imports_of(source_of(module)) if not may_import(module, name)}
    assert not wrong


@pytest.mark.parametrize(("module", "imported"), sorted(WITHIN_A_GROUP))
def test_every_exception_is_used(module, imported):
    assert imported in imports_of(source_of(module))


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import invariant_nets.models", "models"),
        ("from invariant_nets.checks import test_invariant", "checks"),
        ("from invariant_nets import models", "models"),
        ("import invariant_nets", ""),
        ("def f():\n    from invariant_nets.averaging import SymmetryModel", "averaging"),
    ],
)
def test_an_import_of_a_later_module_is_found_in_every_form(source, imported):
    assert imports_of(source) == {imported}
    assert not may_import("permutation", imported)


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_every_module_begins_with_a_docstring(module):
    assert ast.get_docstring(ast.parse(source_of(module)))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_tests_of_its_name(module):
    tested = {"_defect": "audit", "__main__": "main"}.get(module, module.lstrip("_"))
    assert (Path(__file__).parent / f"test_{tested}.py").exists()


@pytest.mark.parametrize("module", [m for m in MODULES if m[0] != "_" and m != "figures"])
def test_the_map_in_the_packages_docstring_lists_every_module(module):
    assert f"`{module}`" in invariant_nets.__doc__


def test_importing_the_package_loads_no_plotting_and_no_integration():
    heavy = ["matplotlib", "scipy", "sympy.combinatorics", "IPython", "invariant_nets.figures"]
    code = f"import sys, invariant_nets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
