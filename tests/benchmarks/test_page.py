"""The page of benchmarks: which tool for what, times, accuracies, laws, and the file of goals."""

import json
import re
from dataclasses import replace

import pytest
from torch import nn

from benchmarks.harness.results import FILE, OURS, Part, Result, read, write
from benchmarks.page import goals, learning
from benchmarks.page.facts import laws, tools
from benchmarks.page.figures import POINT, draw
from benchmarks.page.findings import render
from benchmarks.page.speed import compared, costs
from benchmarks.parts import data, digits, growth, planted
from benchmarks.peers import environment, training
from invariant_nets import __all__ as public
from invariant_nets import build_model

ROOT = FILE.parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
MACHINE = {"processor": "P", "cores": 2, "threads": 1, "versions": {}}
PEERS = ("torch_geometric", "pelican-lite", "emlp")
WORDS = {
    "sizes": {"any", "one", ""},
    "batches": {"mask", "index", "weights", ""},
}


def result(rival, seconds, ratio=None, **fields):
    values = tuple(seconds * share for share in (0.9, 1.0, 1.1))
    return Result("case", rival, values, ratio=ratio, **fields)


# Which tool for what


def test_every_task_has_an_answer_of_every_tool():
    found, tasks = tools.read()
    assert len(tasks) == len({task.title for task in tasks})
    for task in tasks:
        assert list(task.by) == list(found), task.title
        assert any(task.by.values())
        for answer in filter(None, task.by.values()):
            assert answer.offers
            assert answer.read
            assert answer.sizes in WORDS["sizes"]
            assert answer.batches in WORDS["batches"]
            assert bool(task.part) or not answer.rivals
    for tool in found.values():
        assert tool.license
        assert tool.runs
        assert tool.read
        assert (tool.released is None) == (tool is found["torch"])


def test_an_answer_that_is_neither_no_nor_a_table_is_refused(tmp_path):
    path = tmp_path / "tools.toml"
    path.write_text('[tools]\n[[tasks]]\ntitle = "a"\nby = {torch = "yes"}\n')
    with pytest.raises(ValueError, match="got 'yes'"):
        tools.read(path)


def test_the_versions_of_the_tools_are_those_that_were_measured():
    lines = environment.PINS.read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line[0] != "#")
    found, tasks = tools.read()
    assert {name: tool.version for name, tool in found.items() if name in pins} == {
        name: pins[name] for name in found if name in pins
    }
    measured = {name for task in tasks for name, a in task.by.items() if a and a.rivals}
    assert measured - {OURS} <= set(pins)
    assert f'version = "{found[OURS].version}"' in (ROOT / "pyproject.toml").read_text()


def test_what_this_package_offers_is_public():
    for task in tools.read()[1]:
        if answer := task.by[OURS]:
            assert set(re.findall(r"\w+", answer.offers)) & set(public), answer


def test_every_ratio_of_a_tool_is_of_a_kept_result():
    parts = read()
    for task in tools.read()[1]:
        if task.part:
            rivals = {r.rival for r in parts[task.part].results if r.case == task.case}
            for answer in filter(None, task.by.values()):
                assert set(answer.rivals) <= rivals, task.title


def test_the_table_of_tools_has_offers_and_ratios():
    ours, geometric = result(OURS, 2.0), result("torch_geometric", 3.0)
    text = tools.ToolFindings(lambda *_: [ours, geometric]).which().splitlines()
    (row,) = [line for line in text if line.startswith("| Linear layers of sets")]
    cells = row.split(" | ")
    assert cells[1:4] == ["any, mask<br>**fastest**", "any, index<br>1.50×", "one"]
    assert cells[4] == "–"
    assert "fastest" not in tools.ToolFindings(lambda *_: []).which()


# Times


def test_the_fastest_has_its_time_and_others_take_times_longer():
    ways = {"a": ["a"], "b": ["b", "b again"], "c": ["c"], "gone": ["gone"], "new": ["new"]}
    results = [
        *(result("a", 2e-3), result("b", 9e-3), result("b again", 4e-3), result("c", 2.1e-3)),
        Result("case", "gone", note="1.5e+08 elements"),
    ]
    cells = compared(ways, results)
    assert {name: cell.replace("\N{NO-BREAK SPACE}", " ") for name, cell in cells.items()} == {
        "a": "**2.00 ms**",
        "b": "2.00×",
        "c": "≈1.05×",
        "gone": r"$1.5 \cdot 10^{8}$ elements",
    }
    assert compared(ways, results[-1:]) == {"gone": cells["gone"]}


def test_the_rounds_tell_the_ratio_where_all_have_one_floor():
    slow = result("a", 3.0, (1.4, 1.5, 1.6), against="floor")
    fast = result("b", 1.0, (1.0, 1.2, 1.3), against="floor")
    assert [cost[1] for cost in costs([slow, fast])] == [1.5, 1.2]
    other = result("b", 1.0, (1.0, 1.2, 1.3), against="another")
    assert [cost[1] for cost in costs([slow, other])] == [3.0, 1.0]
    assert compared({"a": ["a"], "b": ["b"]}, [slow, fast])["a"] == "1.25×"


def test_of_rates_the_highest_is_the_fastest():
    results = [result("slow", 100.0, unit="1/s"), result("fast", 1000.0, unit="1/s")]
    cells = compared({"slow": ["slow"], "fast": ["fast"]}, results)
    assert cells["slow"] == "10.0×"
    assert cells["fast"].startswith("**1.00")


def test_a_tool_that_was_never_measured_is_named_below_the_table(tmp_path):
    path = tmp_path / "results.json"
    kept = (result("a", 1.0), Result("case", "b", note="measured on CPUs only"))
    write({"layers": Part("2026-03-04", 1.0, MACHINE, kept)}, path)
    template = '{{ times("layers", {"case": "S_3"}, {"a": ["a"], "b": ["b"]}) }}'
    *table, below = render(template, path)[0].splitlines()
    assert table[0] == "|  | $S_{3}$ |"
    assert not [line for line in table if line.startswith("| b")]
    assert below == "**b** is missing here: measured on CPUs only."
    with pytest.raises(KeyError, match="no case 'other'"):
        render('{{ times("layers", {"other": ""}, {"a": ["a"]}) }}', path)


def test_a_device_has_the_same_tables_and_goals(tmp_path):
    """Of what it measured: no peers, which are installed for CPUs, and not every part."""
    path, device = tmp_path / "results.json", tmp_path / "devices" / "a-gpu.json"
    device.parent.mkdir()
    parts = read()
    write(parts, path)
    own = tuple(
        replace(r, value=None, ratio=None, note="measured on CPUs only") if r.rival in PEERS else r
        for r in parts["tensors"].results
    )
    machine = {**parts["tensors"].machine, "device": "A GPU"}
    write({"tensors": replace(parts["tensors"], machine=machine, results=own)}, device)
    page = render(PAGE.read_text(), path)[0].partition("## On another device: A GPU")[2]
    assert page.count("### ") == page.count("### Layers of graphs") == 1
    assert "**pelican-lite** is missing here: measured on CPUs only." in page
    kept = goals.text(path).partition("### Layers of graphs, on A GPU")[2]
    assert "| dense: 30 nodes, 16 → 16 |" in kept.partition("## How closely")[0]


# Accuracies


LEARNED = [
    Result("limit", "Bayes", (0.71, 0.71, 0.71), ""),
    *(
        Result("accuracy", f"{name} (S_n)", (middle - 0.01, middle, middle + 0.01), "", size=size)
        for name, values in {"low": (0.55, 0.6), "high": (0.65, 0.605)}.items()
        for size, middle in zip((100, 1_000), values, strict=True)
    ),
    Result("sets needed", "low (S_n)", unit="sets", note="more than 1,000"),
    Result("sets needed", "high (S_n)", (200.0, 314.0, 400.0), "sets"),
]


def test_two_networks_are_told_apart_if_their_bands_are():
    said = learning.beside(LEARNED, 100, "low", "high").replace("\N{NO-BREAK SPACE}", " ")
    assert said == "0.550 [0.540, 0.560] and 0.650 [0.640, 0.660], and the bands do not overlap"
    assert learning.beside(LEARNED, 1_000, "low", "high").endswith(", but the bands overlap")
    with pytest.raises(KeyError, match="no accuracy of 'lo' with 100 sets"):
        learning.beside(LEARNED, 100, "lo", "high")


def test_the_networks_are_listed_by_the_sets_that_they_need():
    assert (
        learning.needing(LEARNED)
        == "The medians are `high` 310. All sets are not enough for `low`."
    )


def test_accuracies_are_drawn_with_the_limit(tmp_path):
    path = tmp_path / "results.json"
    write({"data": Part("2026-03-04", 1.0, MACHINE, tuple(LEARNED))}, path)
    text, curves = render('{{ learned("data", {"Both": ["low", "high"]}) }}', path)
    ((mark, svg),) = draw(curves, tmp_path / "drawn").items()
    assert mark in text
    assert "currentColor" in svg
    assert "low (S_n) from 0.550 to 0.600; high (S_n) from 0.650 to 0.605." in svg
    assert len(svg) < 120_000
    with pytest.raises(KeyError, match="not all results of"):
        render('{{ learned("data", {"Both": ["low", "missing"]}) }}', path)


def test_the_settings_that_the_page_tells_are_those_that_ran():
    page = " ".join(PAGE.read_text().split())
    words = {1: "one", 3: "three", 5: "five"}
    budget = data.FULL
    assert f"{budget.steps:,} steps of {training.BATCH} sets" in page
    assert f"the learning rate, of {words[len(training.RATES)]}, that was best" in page
    assert f"the median of {words[budget.seeds]} seeds, or one for averaged transformers" in page
    assert all("transformer" in name for name in data.SLOW)
    assert pytest.approx(POINT) == data.POINT
    smallest, *_, largest = budget.sizes
    assert f"whether they see {smallest} sets again and again or {largest:,} about twice" in page
    assert round(budget.steps * training.BATCH / largest) == 2
    widths = []
    for name in ("deep-sets", "set-transformer"):
        modules = build_model(name, data.N, data.D).modules()
        widths.append(next(len(m.weight) for m in modules if isinstance(m, nn.Linear)))
    assert f"have {widths[0]} channels, the two set transformers {widths[1]}" in page
    of_planted = planted.FULL
    assert f"{planted.SIZES[0]} to {planted.SIZES[-1]} nodes" in page
    assert f"{of_planted.steps} steps of {training.BATCH}" in page
    assert f"means of {words[of_planted.seeds]} seeds" in page
    assert f"means of {words[digits.FULL.seeds]} seeds with standard errors" in page
    assert (digits.FULL.recurrent, digits.FULL.maxima) == (50, 20_000)  # as their authors set them


# Laws


def test_every_slope_that_is_not_of_theory_is_explained():
    known = laws.read()
    for slope in laws.slopes(read()["growth"].results):
        if abs(laws.difference(slope)) > laws.APART:
            assert laws.explanation(slope, known), slope


def test_every_law_is_of_a_curve():
    cases = {curve.case for curve in growth.CURVES} | {
        r.case for r in read()["growth"].results if r.unit == "slope"
    }
    for law in laws.read():
        assert law.case in cases
        assert law.below or law.above


def test_only_slopes_apart_from_theory_are_listed_with_their_side():
    known = [laws.Law("S_n, against n", "a|b", below="It is cheap.", above="It is dear.")]

    def slope(rival, value):
        return Result("S_n, against n", rival, (value, value, value), "slope", theory=1.0)

    found = [slope("a", 0.5), slope("b", 1.5), slope("b", 0.9), slope("c", 2.0)]
    assert laws.verdict(found, known).splitlines() == [
        "1 of 4 slopes are within 0.15 of theory.",
        "",
        "- **$S_{n}$, against n:** a 0.50 instead of 1.00. It is cheap.",
        "- **$S_{n}$, against n:** b 1.50 instead of 1.00. It is dear.",
        f"- **$S_{{n}}$, against n:** c 2.00 instead of 1.00. {laws.UNKNOWN}",
    ]
    assert laws.verdict(found[2:3], known) == "1 of 1 slopes are within 0.15 of theory."


# Goals


def test_the_file_of_goals_is_that_of_the_results():
    assert goals.text() == goals.WRITTEN.read_text(), "run `python -m benchmarks.page.goals`"


def test_the_goals_follow_the_results(tmp_path):
    kept = json.loads(FILE.read_text())
    for entry in kept["sorting"]["results"]:
        if "met" in entry:
            entry["met"] = False
    path = tmp_path / "results.json"
    path.write_text(json.dumps(kept))
    (before,) = re.findall(r"\| Sorting sets \|.*", goals.text())
    (after,) = re.findall(r"\| Sorting sets \|.*", goals.text(path))
    assert before != after
    assert "| 0\N{NO-BREAK SPACE}of" in after


def test_what_the_page_says_of_digits_and_maxima_is_what_was_found():
    found = {(r.case, r.rival, r.size): r.value[1] for r in read()["digits"].results}
    for case, name, size in found:
        if case == digits.RIGHT and size >= 15:
            assert (found[case, name, size] > 0.99) == name.startswith(OURS)
            assert found[case, name, size] > 0.99 or found[case, name, size] < 0.05
    for name, (_, published) in digits.MAXIMA.items():
        constant = found[digits.MAXIMUM, name, None]
        falling = found[digits.MAXIMUM, f"{name}, {digits.FALLING}", None]
        assert constant > float(published.split(" ± ")[0])
        exact = "max pool" in name or "attention" in name
        assert falling < constant / 100 if exact else falling > 2
