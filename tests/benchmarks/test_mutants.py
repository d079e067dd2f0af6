"""Mutation testing: how its results are read, kept and written."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutants import Mutants, Reason, Survivor
from benchmarks.page.mutants import MutationFindings

ROOT = Path(__file__).parents[2]
DIFFERENCE = """# a header
--- invariant_nets/layers/averaged.py
+++ invariant_nets/layers/averaged.py
@@ -1,4 +1,3 @@
     kept
-    y = f(
-        -x)
+    y = f(+x)
"""
METHOD = "invariant_nets.layers.averaged.xǁLayerǁforward__mutmut_7"
FUNCTION = "invariant_nets.layers.averaged.x__sum__mutmut_12"
LEFT = Survivor("layers.averaged", "Layer.forward", "y = f( -x)", "y = f(+x)")
FOUND = Mutants("2026-03-04", 90.0, {}, {"layers.averaged": 4}, {"layers.averaged": 3}, (LEFT,))


def test_a_survivor_is_named_and_its_lines_are_joined():
    assert mutants.module_and_function(METHOD) == ("layers.averaged", "Layer.forward")
    assert mutants.module_and_function(FUNCTION) == ("layers.averaged", "_sum")
    assert mutants.survivor_of(METHOD, DIFFERENCE) == LEFT


def test_a_run_counts_what_mutmut_reports(monkeypatch, tmp_path):
    exits = {
        METHOD: 0,
        FUNCTION: 33,
        "invariant_nets.layers.averaged.x_f__mutmut_1": 1,
        "invariant_nets.layers.averaged.x_f__mutmut_2": -24,
    }
    kept = tmp_path / "mutants" / "invariant_nets" / "layers"

    def mutmut(folder, command, *rest):
        if command == "run":
            kept.mkdir(parents=True)
            (kept / "averaged.py.meta").write_text(json.dumps({"exit_code_by_key": exits}))
        return DIFFERENCE

    monkeypatch.setattr(mutants, "_mutmut", mutmut)
    monkeypatch.setattr(mutants, "COPIED", ("pyproject.toml",))
    found = mutants.run("layers", tmp_path, 1)
    assert found.mutants == {"layers.averaged": 4}
    assert found.killed == {"layers.averaged": 2}
    assert found.survivors == (LEFT, replace(LEFT, function="_sum"))
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["mutmut"]
    for path in settings["source_paths"] + settings["pytest_add_cli_args_test_selection"]:
        assert (ROOT / path).exists()


def test_a_mutant_that_could_not_be_tried_is_no_kill(monkeypatch, tmp_path):
    kept = tmp_path / "mutants" / "invariant_nets" / "layers"
    kept.mkdir(parents=True)
    (kept / "averaged.py.meta").write_text(json.dumps({"exit_code_by_key": {METHOD: 255}}))
    monkeypatch.setattr(mutants, "_mutmut", lambda *arguments: "")
    monkeypatch.setattr(mutants, "COPIED", ("pyproject.toml",))
    with pytest.raises(RuntimeError, match=r"could not try 1 mutants: .*forward"):
        mutants.run("layers", tmp_path, 1)


def test_what_was_found_is_read_back(tmp_path):
    path = tmp_path / "mutants.json"
    assert mutants.read(path) == {}
    mutants.write({"layers": FOUND, "groups": FOUND}, path)
    assert list(json.loads(path.read_text())) == ["groups", "layers"]
    assert mutants.read(path) == {"groups": FOUND, "layers": FOUND}


@pytest.mark.parametrize(
    ("reason", "covers"),
    [
        (Reason(r"layers\.averaged", "Layer\\..*", r"-x.*→.*\+x", ""), True),
        (Reason(r"layers\.averaged", ".*", "f", ""), True),
        (Reason("lay", ".*", "f", ""), False),
        (Reason(r"layers\.averaged", "Layer", "f", ""), False),
        (Reason(r"layers\.averaged", ".*", "g", ""), False),
    ],
)
def test_a_reason_covers_what_it_matches(reason, covers):
    assert reason.covers(LEFT) == covers


def test_the_page_has_shares_and_reasons():
    clean = replace(
        FOUND,
        mutants={"checks.assertions": 8, "checks.probe": 2},
        killed={"checks.assertions": 8, "checks.probe": 1},
    )
    text = MutationFindings(
        {"layers": FOUND, "checks": replace(clean, survivors=())},
        [Reason(r"layers\.averaged", ".*", "", "it is even")],
    )
    assert "| layers | `averaged` | 4 | 3 | 75.0% ✗ |" in text.table()
    names = ", ".join(f"`{name}`" for name in mutants.AREAS["checks"])
    assert f"| checks | {names} | 10 | 9 | 90.0% ✓ |" in text.table()
    assert text.survivors().splitlines() == [
        "<details><summary>layers: 1 left</summary>",
        "",
        "it is even",
        "",
        "- `layers.averaged.Layer.forward`: `` y = f( -x) `` → `` y = f(+x) ``",
        "",
        "</details>",
    ]
    with pytest.raises(KeyError, match="no reason"):
        MutationFindings({"layers": FOUND}, []).survivors()
    assert not MutationFindings({}, [])
    assert text.lacking() == "Not measured yet: groups, averaging, canonicalization."


def test_every_survivor_that_is_kept_has_a_reason():
    found, known = mutants.read(), mutants.reasons()
    assert list(found) == [area for area in mutants.AREAS if area in found]
    for area, results in found.items():
        assert set(results.mutants) == {f"{area}.{name}" for name in mutants.AREAS[area]}
        for survivor in results.survivors:
            assert any(reason.covers(survivor) for reason in known), survivor


@pytest.mark.parametrize("reason", mutants.reasons(), ids=lambda reason: reason.reason)
def test_every_reason_has_a_survivor(reason):
    found = mutants.read()
    survivors = [survivor for area in found.values() for survivor in area.survivors]
    assert any(map(reason.covers, survivors)) or set(found) != set(mutants.AREAS)
