import json
import os
import sys
from html.parser import HTMLParser
from types import MappingProxyType

import matplotlib
import pytest
import torch
from torch import nn

import invariant_nets
from invariant_nets import (
    MODELS,
    Comparison,
    Epoch,
    GaussianTask,
    History,
    LabeledSets,
    ModelResult,
    ModelSpec,
    Run,
    SetsTask,
)
from invariant_nets.comparison.report import COLUMNS

GAUSSIAN = GaussianTask(test_sets=400)
OWN = SetsTask(LabeledSets(torch.zeros(40, 3, 2), torch.arange(40) % 4 == 0), name="mine.npz")
RATES = MappingProxyType({1e-3: 0.61, 1e-2: None})
FOUND = MappingProxyType({"radial": (0.7, 0.72), "mlp": (0.6, 0.62)})


def comparison(
    task=GAUSSIAN, found=FOUND, seeds=(0, 1), stopped="all 4 trainings done", rates=False
):
    own = ModelSpec(lambda n, d: nn.Linear(d, 1), "mine", "S_n", 0)
    results = {
        name: ModelResult(
            name, MODELS.get(name, own), 1e-3, runs(scores), task.goal, RATES if rates else {}
        )
        for name, scores in found.items()
    }
    tried = tuple(RATES) if rates else ()
    return Comparison(task, 18, 32, seeds, results, stopped, rates=tried)


def runs(scores):
    history = History([Epoch(0.7, 0.5, 0.69, reading, 0.01) for reading in (0.55, 0.65)])
    return tuple(
        Run(
            seed,
            history,
            nn.Linear(3, 1),
            a,
            a,
            "" if a else "the training loss became nan in epoch 2",
            a and (torch.arange(400) < round(400 * a)).double(),
        )
        for seed, a in enumerate(scores)
    )


def columns(table):
    return dict(zip(table.header, zip(*table.rows, strict=True), strict=True))


# The table.


def test_the_table_has_a_row_a_model_in_the_order_of_the_ranking():
    shown = columns(comparison().table())
    assert tuple(shown) == (*COLUMNS[:3], "accuracy", *COLUMNS[4:7], *COLUMNS[8:])
    assert shown["model"] == ("radial", "mlp")
    assert shown["route"] == ("intrinsic", "none")
    assert shown["claims"] == ("$O(nd)$", "nothing")
    assert shown["accuracy"] == ("0.710 ± 0.014", "0.610 ± 0.014")
    assert shown["behind"] == ("–", "0.100 ± 0.014")
    assert shown["s.e."] == ("0.0227", "0.0244")
    assert shown["gap"] == ("0.001", "0.101")
    assert shown["weights"] == ("4", "4")
    assert shown["ms"] == ("10", "10")


def test_the_table_has_the_columns_that_are_asked_for_and_more():
    kept = {"radial": 1.6, "mlp": 2.0, "cyclic-mlp": 3.0}
    table = comparison().table(
        ["model", "gap"], caption="What", kB=kept, note={"radial": "a", "mlp": "b"}
    )
    assert table.header == ("model", "gap", "kB", "note")
    assert table.rows[0] == ("radial", "0.001", "2", "a")
    assert table.caption == "What"
    with pytest.raises(ValueError, match=r"columns must be of model, .*, ms, got 'speed'"):
        comparison().table(["model", "speed"])


def test_where_no_limit_is_known_there_is_no_gap():
    assert "gap" not in comparison(OWN).table().header
    assert "limit" not in str(comparison(OWN))
    assert "The best answer that does not depend on the set: 0.800." in str(comparison(OWN))


def test_a_model_that_failed_says_so():
    failed = comparison(found={"radial": (0.7, 0.7), "mlp": (0.6, None)})
    shown = columns(failed.table())
    assert shown["accuracy"] == ("0.700 ± 0.000", "failed")
    assert (shown["s.e."][1], shown["gap"][1]) == ("–", "–")
    assert failed.problems == ["mlp, seed 1: the training loss became nan in epoch 2"]
    assert failed.problems[0] in str(failed)


def test_printed_it_says_what_was_done_and_what_columns_mean():
    lines = str(comparison()).splitlines()
    assert lines[0] == str(GAUSSIAN)
    assert lines[1] == "18 epochs of 800 sets in batches of 32, seeds 0, 1"
    assert "S_n × S_d" in str(comparison(found={"exchangeable": (0.7, 0.7)}))
    assert "$" not in str(comparison())
    assert any(line.startswith("gap") and "0.7108" in line for line in lines)
    assert any(line.startswith("accuracy  on 400 test sets; ±") for line in lines)
    assert max(map(len, lines)) <= 100
    assert str(comparison(seeds=(0,))).splitlines()[1].endswith("seed 0")


def test_a_notebook_shows_formulas():
    assert "<td" in comparison()._repr_html_()
    assert "$O(nd)$" in comparison()._repr_html_()


def test_no_result_is_no_table():
    nothing = comparison(found={}, stopped="interrupted after 0 of 4 trainings")
    assert str(nothing) == "no model was trained (interrupted after 0 of 4 trainings)"
    with pytest.raises(ValueError, match="rows must hold at least one row"):
        nothing.table()
    with pytest.raises(ValueError, match="comparison must hold at least one result to be plotted"):
        nothing.plot()


def test_results_are_found_by_name():
    assert comparison().ranking == ["radial", "mlp"]
    assert comparison()["mlp"].scores == [0.6, 0.62]


def test_where_rates_were_chosen_they_are_told():
    chosen = comparison(OWN, rates=True)
    assert columns(chosen.table())["lr"] == ("0.0010", "0.0010")
    assert "lr" not in comparison(OWN).table().header
    text = " ".join(str(chosen).split())
    assert (
        "before that as many for each of the learning rates 0.001, 0.01, of which the loss on 6 "
        "validation sets chose" in text
    )


def test_an_error_is_ranked_and_told_as_one():
    sets = LabeledSets(torch.zeros(40, 3, 2), torch.arange(40.0), labels="numbers")
    text = str(comparison(SetsTask(sets)))
    assert "mean absolute error  on 10 test sets, the smaller the better; ±" in text
    assert columns(comparison(SetsTask(sets)).table())["behind"][1] == "−0.100 ± 0.014"


# Pages.


class Page(HTMLParser):
    """The elements of a page in their order, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.links = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.text += data


def test_a_page_needs_nothing_else(tmp_path):
    path = tmp_path / "a.html"
    task = SetsTask(OWN.train, OWN.test, OWN.validation, name="<b>mine</b>")
    made = comparison(task, {"radial": (0.7, 0.72), "mlp": (0.6, None)}, rates=True)
    made.save_report(path)
    page = Page(path.read_text(encoding="utf-8"))
    assert os.listdir(tmp_path) == ["a.html"]
    assert [page.tags.count(tag) for tag in ("html", "h1", "table", "svg", "main")] == [1] * 5
    assert "b" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert "http" not in "".join(page.links)
    for part in (
        made.budget,
        *made.problems,
        "radial: validation loss by learning rate: 0.6100 at 0.001",
    ):
        assert part in page.text
    for row in made.table(formulas=False).rows:
        assert all(cell in page.text for cell in row)
    before = path.read_bytes()
    made.save_report(path)
    assert path.read_bytes() == before


def test_a_page_in_markdown_has_its_figure_beside_it(tmp_path):
    made = comparison(SetsTask(OWN.train, OWN.test, OWN.validation, name="my | sets"), rates=True)
    made.save_report(tmp_path / "a b.md")
    assert sorted(os.listdir(tmp_path)) == ["a b.md", "a b.svg"]
    lines = (tmp_path / "a b.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + 2
    assert {row.count("|") for row in rows} == {len(made.table().header) + 1}
    assert any("](a%20b.svg)" in line for line in lines)
    assert f"{made.budget}." in lines
    assert any("failed at 0.01" in line for line in lines)


def test_a_page_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in .html or .md, got '.*a.pdf'"):
        comparison().save_report(tmp_path / "a.pdf")


# JSON.


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no strict JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("task", [GAUSSIAN, OWN])
def test_json_holds_everything_in_plain_values(task):
    made = comparison(task, {"radial": (0.7, 0.72), "mlp": (None,)})
    plain = strict(made.to_json())
    assert plain == made.to_dict()
    assert plain["versions"]["torch"] == torch.__version__
    assert plain["versions"]["invariant_nets"] == invariant_nets.__version__
    assert plain["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (plain["score"], plain["ideal"]) == ("accuracy", task.goal.ideal)
    assert plain["task"] == {"description": str(task), **task.settings()}
    assert (plain["epochs"], plain["batch_size"], plain["seeds"]) == (18, 32, [0, 1])
    assert [model["name"] for model in plain["models"]] == ["radial", "mlp"]
    assert [run["score"] for run in plain["models"][0]["runs"]] == [0.7, 0.72]
    assert plain["models"][1]["score"] is None


def test_json_is_saved_whole(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")
    comparison().save(path)
    assert strict(path.read_text(encoding="utf-8")) == comparison().to_dict()
    assert os.listdir(tmp_path) == ["a.json"]
    with pytest.raises(ValueError, match=r"path must end in .json, got '.*a.txt'"):
        comparison().save(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match="path must be in a folder that exists"):
        comparison().save(tmp_path / "none" / "a.json")


# The figure.


THREE = {"radial": (0.7, 0.72), "cyclic-mlp": (0.68,), "mlp": (0.6, None)}


def dots(figure):
    """Where the dots are, by the name of the row."""
    axes = figure.axes[0]
    names = {
        tick: text.get_text().split()[0]
        for tick, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    by_name = {}
    for line in axes.lines:
        if line.get_marker() == "o":
            for x, y in line.get_xydata():
                by_name.setdefault(names[y], []).append((round(x, 3), line.get_markerfacecolor()))
    return by_name


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_there_is_a_dot_a_seed_and_the_first_model_is_on_top():
    figure = comparison(found=THREE).plot()
    assert {name: [x for x, _ in row] for name, row in dots(figure).items()} == {
        "radial": [0.7, 0.72],
        "cyclic-mlp": [0.68],
        "mlp": [0.6],
    }
    assert max(figure.axes[0].get_yticks()) == figure.axes[0].lines[0].get_ydata()[0]
    assert "$O(nd)$" in figure.axes[0].get_yticklabels()[0].get_text()


def test_colors_tell_the_routes_apart():
    figure = comparison(found=THREE | {"own": (0.5,)}).plot()
    assert labels(figure) == [
        "intrinsic",
        "sorted or averaged",
        "no symmetry built in",
        "another route",
    ]
    assert len({row[0][1] for row in dots(figure).values()}) == 4
    assert labels(comparison(found={"radial": (0.7,)}).plot()) == ["intrinsic"]


@pytest.mark.parametrize("task", [GAUSSIAN, OWN])
def test_the_limit_is_drawn_where_it_is_known(task):
    axes, limit = comparison(task).plot().axes[0], task.goal.ideal
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line.get_xdata()) for line in dashed] == [[limit, limit]] * (limit is not None)
    assert [text.get_text() for text in axes.texts] == ["limit"] * (limit is not None)


def test_the_plot_may_show_the_last_readings_on_validation_sets():
    figure = comparison(GaussianTask(validation_sets=1200), THREE).plot(readings=True)
    assert [row[-1] for row in dots(figure).values()] == [(0.65, "none")] * 3
    assert labels(figure)[-1] == "on 1,200 validation sets"


@pytest.mark.parametrize(
    ("extension", "head"),
    [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")],
)
def test_the_figure_is_saved_the_same_every_time_and_nothing_global_changes(
    tmp_path, extension, head
):
    path, before = tmp_path / f"a{extension}", dict(matplotlib.rcParams)
    comparison().save_figure(path)
    assert dict(matplotlib.rcParams) == before
    first = path.read_bytes()
    assert first.startswith(head)
    comparison().save_figure(path)
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == [path.name]


def test_a_figure_of_another_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in .svg or .png or .pdf, got '.*a.bmp'"):
        comparison().save_figure(tmp_path / "a.bmp")


def test_without_matplotlib_the_extra_is_named(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    made = comparison()
    for draw in (
        made.plot,
        lambda: made.save_figure(tmp_path / "a.svg"),
        lambda: made.save_report(tmp_path / "a.html"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'invariant_nets\[plot\]'"):
            draw()
