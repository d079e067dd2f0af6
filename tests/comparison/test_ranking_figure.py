import sys

import matplotlib
import pytest
from torch import nn

from invariant_nets import MODELS, Epoch, History, ModelResult, ModelSpec, Run
from invariant_nets.comparison.report import in_book_style, ranking_figure

OWN = ModelSpec(lambda n, d: nn.Linear(d, 1), "mine", "S_n", 0)


def found(name, *accuracies, spec=None):
    history = History([Epoch(0.7, 0.5, 0.69, 0.55, 0.01), Epoch(0.7, 0.5, 0.69, 0.65, 0.01)])
    runs = [Run(seed, history, nn.Linear(3, 1), a, a) for seed, a in enumerate(accuracies)]
    return ModelResult(name, spec or MODELS[name], 1e-3, tuple(runs), 100, 0.71)


RESULTS = [found("radial", 0.7, 0.72), found("cyclic-mlp", 0.68), found("mlp", 0.6, None)]


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
    figure = ranking_figure(RESULTS, 0.71)
    assert {name: [x for x, _ in row] for name, row in dots(figure).items()} == {
        "radial": [0.7, 0.72],
        "cyclic-mlp": [0.68],
        "mlp": [0.6],
    }
    assert max(figure.axes[0].get_yticks()) == figure.axes[0].lines[0].get_ydata()[0]
    assert "$O(nd)$" in figure.axes[0].get_yticklabels()[0].get_text()


def test_colors_tell_the_routes_apart():
    figure = ranking_figure([*RESULTS, found("own", 0.5, spec=OWN)], 0.71)
    assert labels(figure) == [
        "intrinsic",
        "sorted or averaged",
        "no symmetry built in",
        "another route",
    ]
    assert len({row[0][1] for row in dots(figure).values()}) == 4
    assert labels(ranking_figure(RESULTS[:1], None)) == ["intrinsic"]


@pytest.mark.parametrize("limit", [0.71, None])
def test_the_limit_is_drawn_where_it_is_known(limit):
    axes = ranking_figure(RESULTS, limit).axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line.get_xdata()) for line in dashed] == [[limit, limit]] * (limit is not None)
    assert [text.get_text() for text in axes.texts] == ["Bayes limit"] * (limit is not None)


def test_last_readings_are_hollow():
    figure = ranking_figure(RESULTS, 0.71, 1200)
    assert [row[-1] for row in dots(figure).values()] == [(0.65, "none")] * 3
    assert labels(figure)[-1] == "on 1,200 validation sets"


def test_nothing_global_changes():
    before = dict(matplotlib.rcParams)
    ranking_figure(RESULTS, 0.71)
    in_book_style(lambda: ranking_figure(RESULTS, 0.71), "svg")
    assert dict(matplotlib.rcParams) == before


def test_no_result_is_refused():
    with pytest.raises(ValueError, match="comparison must hold at least one result to be plotted"):
        ranking_figure([], 0.71)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'invariant_nets\[plot\]'"):
        ranking_figure(RESULTS, 0.71)
    with pytest.raises(ImportError, match=r"pip install 'invariant_nets\[plot\]'"):
        in_book_style(lambda: None, "svg")
