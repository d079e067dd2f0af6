"""The benchmarks: that they measure what they say. Nothing here depends on how fast anything is."""

import ast
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.harness import machine, memory, running, timing, worker
from benchmarks.harness.comparison import compare
from benchmarks.harness.curves import line, slope, upper, with_slope
from benchmarks.harness.results import FILE, OURS, Part, Result, at_least, at_most, read, write
from benchmarks.page import goals
from benchmarks.page.figures import draw
from benchmarks.page.findings import render
from benchmarks.page.text import duration, formulas, network, number
from benchmarks.parts import averaging, bases, data, digits, planted
from benchmarks.parts.layers import graphs
from benchmarks.parts.layers import sets as layers
from benchmarks.parts.layers import tables as exchangeable
from benchmarks.peers import emlp, environment, training
from invariant_nets import (
    ExchangeableEquivariant,
    LinearEquivariant,
    SymmetryModel,
    dihedral_group,
    mlp,
    rubiks_cube_group,
    symmetric_group,
)

ROOT = Path(__file__).parents[2]


class Fixed:
    """A rival that takes as long as it is told, in each of its rounds."""

    def __init__(self, *seconds):
        self.left = list(seconds)

    def seconds(self):
        return self.left.pop(0)


# Every part runs


LONG = {"importing", "growth", "averaging", "chains"}
parts = [
    pytest.param(part, marks=pytest.mark.slow) if part in LONG else part for part in running.PARTS
]


@pytest.mark.parametrize("name", parts)
def test_every_part_runs_and_its_results_come_back(name, tmp_path):
    path = tmp_path / "results.json"
    running.main(["--quick", "--only", name, "--results", str(path)])
    (part,) = read(path).values()
    assert part.results
    for result in part.results:
        assert result.value or result.note, result
        if result.value:
            assert list(result.value) == sorted(result.value)
        if result.goal:
            assert result.met is not None


def test_the_command_line_knows_its_parts():
    with pytest.raises(SystemExit):
        running.main(["--quick", "--only", "nothing"])


def test_the_machine_says_what_matters():
    found = machine.machine()
    assert found["processor"]
    assert found["cores"] >= 1
    assert found["versions"]["torch"] == torch.__version__
    assert "node" not in found


# Timing


def test_rivals_take_turns_and_every_other_round_goes_backward(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    calls = []

    def rival(name, seconds, first):
        def call():
            clock.now += seconds if name in calls else first
            calls.append(name)

        return call

    rivals = {"short": rival("short", 2**-12, first=0.5), "long": rival("long", 2.0, first=2.0)}
    found = timing.seconds_by_turns({**rivals, "elsewhere": Fixed(7.0, 9.0)}, 2)
    # The short one has a call before it counts and four that count, as many as its second call of
    # all tells; the long one is not run twice.
    assert calls == ["short"] * 6 + ["long", "long"] + ["short"] * 5
    assert found["short"] == [2**-12] * 2
    assert found["long"] == [2.0, 2.0]
    assert found["elsewhere"] == [7.0, 9.0]


def test_quartiles_are_of_the_ratios_of_each_round():
    assert timing.quartiles([5.0]) == (5.0, 5.0, 5.0)
    assert timing.quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)
    # The machine was slow in the second round for both.
    assert timing.ratio_quartiles([2.0, 20.0, 2.2], [1.0, 10.0, 1.1]) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize(
    ("ours", "met", "ahead"), [(1.1, True, True), (1.2, False, True), (2.5, False, False)]
)
def test_goals_are_judged_by_the_median(ours, met, ahead):
    rivals = {
        "floor": Fixed(1, 1, 1),
        OURS: Fixed(ours, ours, 9),
        "peer": Fixed(2, 2, 2),
        "gone": "could not be installed: why",
    }
    floor, us, peer, gone = compare("case", rivals, 3, "floor", 1.15)
    assert floor.met is None
    assert us.met is met
    assert us.ratio[1] == ours
    assert peer.met is ahead
    assert gone == Result("case", "gone", note="could not be installed: why")


def test_bounds_are_inclusive():
    assert at_most(1.15, 1.15) == {"goal": "at most 1.15", "met": True}
    assert at_most(1.15, 1.16)["met"] is False
    assert at_most(200, 184, "kB") == {"goal": "at most 200 kB", "met": True}
    assert at_least(10_000, 9_999) == {"goal": "at least 10,000", "met": False}


# Results


RESULT = Result("case", "rival", (1.0, 2.0, 3.0), ratio=(0.5, 1.0, 2.0), against="floor")
PART = Part("2026-01-31", 12.5, {"processor": "P", "versions": {}}, (RESULT, Result("c", "r")))


def test_results_come_back_and_a_part_replaces_its_own(tmp_path):
    path = tmp_path / "results.json"
    assert read(path) == {}
    write({"a": PART, "b": PART}, path)
    other = replace(PART, results=(replace(RESULT, note="×", met=False, theory=1.0),))
    write(read(path) | {"a": other}, path)
    assert read(path) == {"a": other, "b": PART}
    assert "×" in path.read_text()


def test_a_run_that_fails_leaves_the_last_results(tmp_path):
    path = tmp_path / "results.json"
    write({"a": PART}, path)
    with pytest.raises(ValueError, match="JSON"):
        write({"a": replace(PART, results=(Result("c", "r", (1.0, math.inf, math.inf)),))}, path)
    assert read(path) == {"a": PART}


def test_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match=r"got \['speed'\]"):
        Result.from_json({"case": "c", "rival": "r", "speed": 1})


# Rivals compute the same


def test_the_ways_to_write_a_layer_of_sets_agree():
    x, layer = torch.randn(4, 5, 3), LinearEquivariant(3, 2)
    published = layers.DeepSetsLayer(3, 2)
    with torch.no_grad():
        layer.stored_c.normal_()
        published.gamma.weight.copy_(layer.scale * layer.a.T)
        published.gamma.bias.copy_(layer.scale * layer.c.sum(0))
        published.lam.weight.copy_(-layer.scale * layer.b.T)
    for way in (layers.double_loop, layers.two_products):
        torch.testing.assert_close(way(layer, x), layer(x))
    torch.testing.assert_close(published(x), layer(x))


def test_the_ways_to_write_a_layer_of_matrices_agree():
    x, layer = torch.randn(2, 4, 5, 3), ExchangeableEquivariant(3, 2)
    torch.nn.init.normal_(layer.stored_bias)
    for way in (exchangeable.double_loop, exchangeable.term_by_term):
        torch.testing.assert_close(way(layer, x), layer(x))


def test_the_ways_to_average_agree():
    backbone, orders, x = mlp(4, 5), averaging.all_orders(4), torch.randn(3, 4, 5)
    expected = SymmetryModel(backbone, symmetric_group(4))(x)
    for way in averaging.RIVALS.values():
        torch.testing.assert_close(way(backbone, orders, x), expected)


@pytest.mark.parametrize("group", [symmetric_group(5), dihedral_group(6)])
def test_the_ways_to_count_maps_agree(group):
    generators, maps = bases.generators_of(group), int(group.orbitals().max()) + 1
    assert bases.orbits_by_sympy(generators) == maps
    assert bases.orbits_by_elements(generators, 60) == maps


def test_too_many_elements_are_given_up():
    assert bases.orbits_by_elements(bases.generators_of(rubiks_cube_group()), 0) is None


# Peers


class Mean:
    """The mean of members with the number of their set, as torch_geometric has it."""

    def __call__(self, x, index, dim_size):
        total = torch.zeros(dim_size, x.shape[1]).index_add(0, index, x)
        return total / index.bincount(minlength=dim_size)[:, None]


def test_the_layers_of_torch_geometric_are_those_of_this_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", SimpleNamespace(MeanAggregation=Mean))
    monkeypatch.delitem(sys.modules, "benchmarks.peers.peer_geometric", raising=False)
    from benchmarks.peers import peer_geometric

    monkeypatch.delitem(sys.modules, "benchmarks.peers.peer_geometric")
    x, layer = torch.randn(2, 4, 5, 3), ExchangeableEquivariant(3, 2)
    peer = peer_geometric.MeanLayer(3, 2, 3)
    with torch.no_grad():
        linears = [peer.member, *peer.of_means]
        for linear, weight in zip(linears, layer.weight, strict=True):
            linear.weight.copy_(weight.T)
        peer.member.bias.copy_(layer.bias)
    seen = []
    monkeypatch.setattr(
        peer_geometric.MeanLayer, "forward", lambda self, *inputs: seen.append(inputs) or inputs[0]
    )
    for kind, shape in (("set", [2, 4, 3, 3]), ("matrix", [2, 4, 5, 3, 3])):
        peer_geometric.make(kind, shape, backward=False)()
    monkeypatch.undo()
    (_, *of_sets), (_, *of_matrices) = seen
    y = peer(x.flatten(0, 2), *of_matrices)
    torch.testing.assert_close(y.view(2, 4, 5, 2), layer(x))
    index, count = of_sets
    assert index[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert count == [2]


def test_a_worker_answers_and_says_what_went_wrong():
    with environment.Worker(sys.executable, "json") as there:
        assert there.ask("dumps", obj=[1, None]) == "[1, null]"
        with pytest.raises(RuntimeError, match="JSONDecodeError"):
            there.ask("loads", s="{")
        assert there.ask("loads", s="[2]") == [2]


def test_what_a_peer_prints_is_no_answer():
    with environment.Worker(sys.executable, "builtins") as there:
        assert there.ask("print", end="3\n") is None
        assert there.ask("dict", a=1) == {"a": 1}


def test_a_worker_that_takes_too_long_or_ends_is_told_apart():
    with (
        environment.Worker(sys.executable, "subprocess") as there,
        pytest.raises(environment.TooSlowError, match="more than 1 s"),
    ):
        there.ask("call", limit=1.0, args=["sleep", "600"])
    with (
        environment.Worker(sys.executable, "os") as there,
        pytest.raises(RuntimeError, match="_exit ended its process"),
    ):
        there.ask("_exit", status=3)


def test_a_worker_keeps_calls_and_times_them():
    calls = []
    module = SimpleNamespace(make=lambda name: lambda: calls.append(name))
    first = worker.answer_to(module, "start", {"name": "a"})
    second = worker.answer_to(module, "start", {"name": "b"})
    assert worker.answer_to(module, "seconds", {"number": second}) > 0
    assert first != second
    assert set(calls) == {"b"}


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """A pip that has torch_geometric and no emlp; it says what was asked of it."""
    asked = []

    def run(command, **_):
        asked.append(command)
        (tmp_path / "home").mkdir(exist_ok=True)
        failed = any("emlp" in word for word in command)
        error = "note\nERROR: No matching distribution found for emlp\n" if failed else ""
        return subprocess.CompletedProcess(command, int(failed), "", error)

    monkeypatch.setattr(environment.subprocess, "run", run)
    return asked


def test_what_cannot_be_installed_is_missing_with_its_reason(pip, tmp_path):
    home, pins = tmp_path / "home", tmp_path / "peers.txt"
    pins.write_text("torch==2\ntorch_geometric==3\nemlp==1\nsix==1\n")
    with pytest.raises(environment.MissingError, match="make bench"):
        environment.python_of("emlp", home)
    missing = environment.install(home, pins)
    assert missing == {
        "torch_geometric": "",
        "emlp": "ERROR: No matching distribution found for emlp",
        "pelican": "",
    }
    assert pip[1][-4:] == ["torch==2", "torch_geometric==3", "-c", str(pins)]
    assert environment.python_of("torch_geometric", home) == str(home / "bin" / "python")
    with pytest.raises(
        environment.MissingError, match="could not be installed: ERROR: No matching"
    ):
        environment.python_of("emlp", home)
    done = len(pip)
    assert environment.install(home, pins) == missing
    assert len(pip) == done
    pins.write_text(pins.read_text() + "jax==1\n")
    environment.install(home, pins)
    assert len(pip) == 2 * done


def test_a_quick_run_has_no_peers():
    with environment.working("emlp", "benchmarks.peers.peer_emlp", quick=True) as reason:
        assert reason == "left out of a quick run"
    assert environment.over_there(reason, layer="set") == reason


def test_the_pins_are_exact_and_share_torch_with_the_project():
    lines = [line for line in environment.PINS.read_text().splitlines() if line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert {name for names in environment.PEERS.values() for name in names} <= set(pins)
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"torch=={pins['torch']}" in constraints


class Solver:
    """A worker of emlp that is slow for more than ten points and wrong for the cube."""

    def __init__(self, *_):
        pass

    def ask(self, function, limit=None, *, family, sizes, generators):
        if sizes and sizes[0] > 10:
            raise environment.TooSlowError
        if sizes and sizes[0] < 0:
            raise RuntimeError("Traceback\nConvergenceError: no")
        return 2.0, 6 if family == "cube" else 2

    def close(self):
        pass


def test_emlp_has_limits(monkeypatch):
    monkeypatch.setattr(emlp, "Worker", Solver)
    monkeypatch.setattr(emlp, "python_of", lambda peer: "python")
    with emlp.Emlp(quick=False) as there:
        assert there.outcome("symmetric", [5], [], 2) == emlp.Outcome(2.0)
        assert there.outcome("symmetric", [50], [], 2).more_than == pytest.approx(emlp.LIMIT, 0.1)
        assert there.outcome("symmetric", [99], [], 2).note.startswith("not tried: a smaller one")
        assert there.outcome("cyclic", [5], [], 2) == emlp.Outcome(2.0)
        assert there.outcome("cyclic", [-1], [], 2).note == "failed: ConvergenceError: no"
        assert there.outcome("cube", [], [], 9).note == "found 6 maps instead of 9"
        there._left = 0.0
        assert there.outcome("cyclic", [5], [], 2).note == "not tried: emlp had its 150 s"


@pytest.mark.parametrize(
    ("outcome", "met", "note"),
    [
        (emlp.Outcome(20.0), True, "once"),
        (emlp.Outcome(5.0), False, "once"),
        (emlp.Outcome(more_than=20.0), True, "more than 20 s"),
        (emlp.Outcome(more_than=5.0), None, "more than 5 s"),
        (emlp.Outcome(note="gone"), None, "gone"),
    ],
)
def test_a_limit_that_is_passed_counts_as_far_as_it_goes(outcome, met, note):
    result = bases.once(bases.symmetric(5), "emlp", outcome, [1e-3, 1e-3], goal=True)
    assert (result.met, result.note) == (met, note)


# Memory


def test_memory_is_what_the_large_work_takes_more_than_the_small():
    above = memory.megabytes_above((1_000,), (200 << 20,), bytearray)
    assert above == pytest.approx(200, rel=0.1)


def test_work_that_dies_is_an_error():
    with pytest.raises(RuntimeError, match=r"_exit\(3,\) ended early"):
        memory.megabytes_above((3,), (3,), __import__("os")._exit)


# Fits


def test_a_known_slope_is_found_in_the_upper_part():
    sizes = [2**k for k in range(10)]
    assert line(sizes, [3 * size**2 for size in sizes]) == pytest.approx((2, math.log(3)))
    # An overhead hides the slope of the small sizes, and a fit to all of them is wrong.
    values = [size**2 + 100 for size in sizes]
    assert slope(sizes, values) == pytest.approx(2, abs=0.12)
    assert line(sizes, values)[0] < 1.5
    assert [len(sizes[upper(count)]) for count in (3, 4, 9, 10)] == [3, 3, 5, 5]


@pytest.mark.parametrize(("sizes", "values"), [([2, 2], [1, 1]), ([1, 2], [0, 1])])
def test_what_has_no_slope_is_refused(sizes, values):
    with pytest.raises(ValueError, match="must be positive, at least two"):
        line(sizes, values)


def test_a_curve_has_points_slopes_and_theory():
    columns = {size: [size**1.5, 2 * size**1.5] for size in (10, 100, 1_000)}
    *points, fitted = with_slope("cost, against n", OURS, columns, lambda n: n * math.log(n), "s")
    assert [point.size for point in points] == [10, 100, 1_000]
    assert points[0].value[1] == pytest.approx(1.5 * 10**1.5)
    assert fitted.value == pytest.approx((1.5, 1.5, 1.5))
    assert 1.1 < fitted.theory < 1.5


# Accuracy for data


def test_sets_needed_are_interpolated_on_a_log_scale():
    assert data.needed([100, 10_000], [0.6, 0.8], 0.7) == pytest.approx(1_000)
    assert data.needed([100, 1_000], [0.71, 0.72], 0.7) == 100
    assert data.needed([100, 1_000], [0.5, 0.6], 0.7) == math.inf
    # The first time counts.
    assert data.needed([10, 100, 1_000], [0.5, 0.7, 0.6], 0.7) == pytest.approx(100)


JOB = data.Job("radial", "O(nd)")


@pytest.mark.parametrize(
    ("rows", "value", "note"),
    [
        ([[0.5, 0.71], [0.5, 0.71], [0.5, 0.71]], pytest.approx([794] * 3, rel=0.3), ""),
        ([[0.71, 0.71]] * 3, [100] * 3, "at most 100"),
        ([[0.5, 0.6]] * 3, None, "more than 1,000"),
        ([[0.5, 0.705], [0.5, 0.705], [0.5, 0.6]], ..., "not within 1,000 for 1 of 3 seeds"),
    ],
)
def test_seeds_that_never_get_there_are_told(rows, value, note):
    *_, result = data.results_of(JOB, {"accuracy": rows, "rates": [0.1, 0.2]}, [100, 1_000])
    assert result.note == note
    if value is None:
        assert result.value is None
    elif value is not ...:
        assert list(result.value) == value
    else:
        assert result.value[2] == 1_000 > result.value[1]


def test_a_network_may_start_with_half_of_its_weights():
    names = [job.name for job in data.JOBS if job.name.endswith(data.HALVED)]
    assert names
    for name in names:
        torch.manual_seed(0)
        half = data.made(name)
        torch.manual_seed(0)
        whole = data.made(name.removesuffix(data.HALVED))
        for one, other in zip(half.parameters(), whole.parameters(), strict=True):
            assert torch.equal(2 * one, other)


def test_the_luck_of_the_test_sets_is_taken_off():
    x, y, ideal, limit = data.judged(500, seed=0)
    threshold = data.bayes_threshold(data.N, data.D, data.V1, data.V2)
    classifier = nn.Sequential(nn.Identity())
    classifier.forward = lambda x: threshold - x.square().sum((1, 2))[:, None]
    assert abs(ideal.mean() - limit) > 1e-3
    assert training.accuracy(classifier, x, y, ideal, limit) == pytest.approx(limit)


def test_the_odds_of_a_planted_bisection_are_those_of_the_definition():
    """For each graph, its probability under label 1 is a mean over all halves, edge by edge."""
    x, y = planted.planted(8, seed=0)
    assert y.shape == (8, 1)
    found = planted.log_odds(x)
    for graph, odds in zip(x[:2], found[:2], strict=True):
        n = int(graph.diagonal().sum())
        assert n in planted.SIZES
        assert torch.equal(graph, graph.T)
        assert not graph[n:].any()
        with_halves, halves = 0.0, list(combinations(range(n), n // 2))
        for half in halves:
            probability = 1.0
            for i, j in combinations(range(n), 2):
                p = planted.INSIDE if (i in half) == (j in half) else planted.ACROSS
                q = planted.even(n)
                probability *= p / q if graph[i, j] else (1 - p) / (1 - q)
            with_halves += probability / len(halves)
        assert math.exp(odds) == pytest.approx(with_halves, rel=1e-3)


def test_label_1_has_as_many_edges_and_more_triangles():
    x, y = planted.planted(4_000, seed=1)
    x, y = x - torch.diag_embed(x.diagonal(dim1=1, dim2=2)), y[:, 0] > 0.5
    edges, triangles = x.sum((1, 2)), (x @ x * x).sum((1, 2))
    error = (edges.var() * 4 / len(x)).sqrt()
    assert (edges[y].mean() - edges[~y].mean()).abs() < 4 * error
    assert triangles[y].mean() > 1.05 * triangles[~y].mean()
    right = (planted.log_odds(planted.planted(4_000, 1)[0]) > 0) == y
    assert right.float().mean() > 0.94


@pytest.mark.parametrize("name", planted.NETWORKS)
def test_no_network_of_graphs_sees_the_order_of_nodes_or_padding(name):
    torch.manual_seed(0)
    network = planted.NETWORKS[name]().eval()
    x, _ = planted.planted(8, seed=2)
    order = torch.randperm(10)
    moved = x.clone()
    moved[:, :10, :10] = x[:, order][:, :, order]
    moved[:, :10, 10:] = x[:, order, 10:]
    moved[:, 10:, :10] = x[:, 10:, order]
    with torch.no_grad():
        torch.testing.assert_close(network(moved), network(x), rtol=1e-3, atol=1e-4)
        small = torch.arange(8) % 4 == 0  # ten nodes, and padding
        alone = network(x[small][:, :10, :10])
        torch.testing.assert_close(network(x)[small], alone, rtol=1e-3, atol=1e-4)


def test_the_error_of_an_accuracy_is_over_seeds_and_test_graphs():
    found = {"accuracy": [[0.7], [0.8], [0.9]], "rates": [0.01]}
    result = planted.result_of("a", found, tests=100)
    error = (0.01 / 3 + 0.8 * 0.2 / 100) ** 0.5
    assert result.value == pytest.approx((0.8 - error, 0.8, 0.8 + error))
    assert planted.result_of("a", "not installed", 100).note == "not installed"


def test_statistics_of_batches_are_those_of_the_weights_that_are_kept():
    x, y = torch.randn(64, 3) + 5, torch.ones(64, 1)
    network = training.fitted(
        lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)), x, y, 0.01, 2, 0
    )
    torch.testing.assert_close(network[0].running_mean, x.mean(0))


def test_a_network_learns_and_a_seed_tells_its_weights():
    x = torch.randn(400, 3, 2, generator=torch.Generator().manual_seed(0))
    y = (x.sum((1, 2)) > 0).float()[:, None]

    def build():
        return nn.Sequential(nn.Flatten(), nn.Linear(6, 1))

    first, again, other = (training.fitted(build, x, y, 0.1, 60, seed) for seed in (1, 1, 2))
    with torch.no_grad():
        assert ((first(x) > 0) == (y > 0.5)).double().mean() > 0.95
        assert torch.equal(first(x), again(x))
        assert not torch.equal(first(x), other(x))


# Sums of digits and maxima


def test_digits_and_maxima_are_those_of_the_papers():
    source = torch.Generator().manual_seed(0)
    sets = digits.of_all_sizes(9_000, source)
    assert [x.shape[1] for x in sets] == list(range(1, 10))
    assert sum(map(len, sets)) == 9_000
    assert all(850 < len(x) < 1_150 for x in sets)
    everything = torch.cat([x.flatten() for x in sets])
    assert everything.unique().tolist() == list(range(1, 10))
    x, y = digits.numbers(500, 7, source)
    assert x.shape == (500, 7, 1)
    assert 0 <= x.min() < 1 < 99 < x.max() <= 100
    assert y.tolist() == [max(row) for row in x[:, :, 0].tolist()]


def test_an_epoch_shows_every_set_once_in_batches_of_one_size():
    source = torch.Generator().manual_seed(0)
    sets = digits.of_all_sizes(2_000, source)
    seen = list(digits.batches(sets, source))
    assert max(map(len, seen)) == digits.BATCH
    sizes = [batch.shape[1] for batch in seen]
    assert sizes != sorted(sizes)
    for x in sets:
        together = torch.cat([batch for batch in seen if batch.shape[1] == x.shape[1]])
        assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, x.tolist()))


ORDERLESS = [digits.summed, *(build for build, _ in digits.MAXIMA.values())]


@pytest.mark.parametrize("build", ORDERLESS)
def test_sets_of_digits_and_numbers_have_no_order(build):
    torch.manual_seed(0)
    network, source = build(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for n in (3, 12):
            x = digits.digits(8, n, source)
            x = x if build is digits.summed else x[..., None].float()
            moved = x[:, torch.randperm(n, generator=source)]
            torch.testing.assert_close(network(moved), network(x), rtol=1e-4, atol=1e-4)


def test_padded_digits_are_not_added():
    torch.manual_seed(0)
    network, source = digits.summed(), torch.Generator().manual_seed(0)
    sets = digits.of_all_sizes(50, source)
    (together,) = digits.mixed(sets)
    assert together.shape == (50, 9)
    with torch.no_grad():
        apart = torch.cat([network(x) for x in sets])
        torch.testing.assert_close(network(together), apart)
    assert together.sum(1).tolist() == torch.cat([x.sum(1) for x in sets]).tolist()


def test_the_recurrent_networks_see_the_order():
    source = torch.Generator().manual_seed(0)
    x = digits.digits(8, 6, source)
    for name, adder in digits.ADDERS.items():
        torch.manual_seed(0)
        network = adder.build()
        changed = (network(x.flip(1)) - network(x)).abs().max()
        assert adder.recurrent == (changed > 1e-5), name


class Exact(nn.Module):
    """Adds exactly, and then is wrong by some amount."""

    def __init__(self, by=0.0):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x.sum(1, keepdim=True) + self.by


def test_a_sum_is_right_if_it_rounds_to_it():
    tests = [digits.digits(20, n, torch.Generator().manual_seed(0)) for n in (2, 30)]
    assert digits.right(Exact(), tests) == digits.right(Exact(0.4), tests) == [1.0, 1.0]
    assert digits.right(Exact(0.6), tests) == [0.0, 0.0]
    assert digits.held_out_error(Exact(0.25), tests) == pytest.approx(0.25)


def test_the_best_epoch_is_kept_and_a_seed_tells_it(monkeypatch):
    adder = replace(next(iter(digits.ADDERS.values())), rate=1e-2)
    budget = replace(digits.QUICK, train=500, epochs=3)
    network, least = digits.adder_of(adder, budget, seed=1)
    again, _ = digits.adder_of(adder, budget, seed=1)
    other, _ = digits.adder_of(adder, budget, seed=2)
    x = digits.digits(4, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network(x), again(x))
        assert not torch.equal(network(x), other(x))
    errors = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(digits, "held_out_error", lambda *_: next(errors))
    kept, least = digits.adder_of(adder, budget, seed=1)
    assert least == 1.0
    first_two = iter([3.0, 1.0])
    monkeypatch.setattr(digits, "held_out_error", lambda *_: next(first_two))
    expected, _ = digits.adder_of(adder, replace(budget, epochs=2), seed=1)
    with torch.no_grad():
        assert torch.equal(kept(x), expected(x))


def test_the_error_of_a_mean_is_over_seeds():
    result = digits.result_of("a", "b", [1.0, 2.0, 3.0], "0.5", size=7)
    assert result.value == pytest.approx((2 - 3**-0.5, 2, 2 + 3**-0.5))
    assert (result.note, result.size) == ("0.5", 7)


# The page


GROWTH = with_slope(
    "cost, against n", OURS, {n: [1e-6 * n, 2e-6 * n] for n in (8, 64, 512)}, float, "s"
)
MACHINE = {"processor": "P", "cores": 2, "threads": 1, "versions": {"torch": "2.0"}}
PAGE = {
    "speed": Part(
        "2026-03-04",
        150.0,
        MACHINE,
        (
            Result("a, forward", "floor", (1e-3, 2e-3, 3e-3), ratio=(1, 1, 1), against="floor"),
            Result(
                "a, forward", OURS, (1, 1, 1), "s", (1.0, 1.125, 1.5), "floor", "at most 1.15", True
            ),
            Result("a, forward", "gone", note="could not be installed: no wheel"),
            Result(
                "b, forward", OURS, (1, 1, 1), "s", (1.0, 1.25, 2.0), "floor", "at most 1.15", False
            ),
            Result("c", OURS, (1e4, 1e5, 1e6), "1/s"),
        ),
    ),
    "growth": Part("2026-03-04", 1.0, MACHINE, tuple(GROWTH)),
    "data": Part(
        "2026-03-04",
        1.0,
        MACHINE,
        (
            Result("accuracy", "good (S_n)", (0.7, 0.7, 0.7), "", size=100),
            Result("sets needed", "bad (trivial)", unit="sets", note="more than 100"),
            Result("sets needed", "good (S_n)", (50.0, 60.0, 70.0), "sets"),
        ),
    ),
}


@pytest.fixture
def filled(tmp_path):
    """Fills a template with `PAGE`."""
    path = tmp_path / "results.json"
    write(PAGE, path)
    return lambda template: render(template, path)[0].replace("\N{NO-BREAK SPACE}", " ")


def test_tables_hold_ratios_and_reasons(filled):
    by_case = filled('{{ by_case("speed", ", forward") }}').splitlines()
    assert by_case[:2] == [f"|  | floor | {OURS} | gone |", "| --- | ---: | ---: | ---: |"]
    assert by_case[2:] == [
        "| a | 2.00 ms | 1.12 [1.00, 1.50] ✓ | could not be installed: no wheel |",
        "| b |  | 1.25 [1.00, 2.00] ✗ |  |",
    ]
    by_case = filled('{{ by_case("speed", unit="1/s") }}').splitlines()
    assert by_case[2] == "| c | 0.10 million a second |"


def test_few_things_a_second_are_written_out(filled, tmp_path):
    few = Result("c", OURS, (90.0, 1234.0, 2e3), "1/s")
    write({"speed": replace(PAGE["speed"], results=(few,))}, tmp_path / "results.json")
    assert "1,230 a second" in filled('{{ by_case("speed") }}')


def test_a_device_has_tables_of_its_own_once_it_is_measured(filled, tmp_path):
    template = """{% for device in devices %}{{ device.device() }}:
{% for part, title in device.titles({"data": "Data", "speed": "Speed"}) %}{{ title }}
{{ device.by_case(part) }}{% endfor %}{% endfor %}"""
    assert filled(template) == ""
    (tmp_path / "devices").mkdir()
    part = replace(PAGE["speed"], machine=MACHINE | {"device": "A GPU"})
    write({"speed": part}, tmp_path / "devices" / "a-gpu.json")
    text = filled(template)
    assert text.startswith("A GPU:\nSpeed\n")
    assert "1.12 [1.00, 1.50] ✓" in text


def test_verdicts_say_by_how_much(filled):
    verdict = filled('{{ verdict("speed") }}')
    assert verdict == f"- **{OURS}, at most 1.15:** met in 1 of 2; missed: 1.25 at b, forward"
    assert filled('{% if missed("speed", "b") %}why{% endif %}') == "why"
    assert filled('{% if missed("speed", "a,") %}why{% endif %}') == ""
    assert filled('{{ absent("speed") }}') == (
        "**gone** is missing here: could not be installed: no wheel."
    )


def test_all_goals_are_counted(filled):
    table = filled('{{ goals({"data": "Data", "speed": "[Speed](#speed)"}) }}').splitlines()
    assert table[1:] == [
        "| --- | --- | ---: |",
        f"| [Speed](#speed) | {OURS}, at most 1.15 | 1 of 2 ✗ |",
    ]


def test_all_parts_with_goals_are_counted():
    results = read()
    table = re.search(r"{% set titles = ({.*?}) %}", goals.TEMPLATE.read_text(), re.S)
    counted = set(ast.literal_eval(table[1]))
    assert {name for name, part in results.items() if any(r.goal for r in part.results)} <= counted
    assert counted <= set(running.PARTS)


def test_numbers_come_from_the_results(filled, tmp_path):
    assert filled('{{ value("speed", "a, forward", "floor") }}') == "2.00 ms"
    assert filled('{{ ratio("speed", "a, forward", "invariant_nets", "floor") }}') == "1.12"
    assert filled('{{ measured("speed") }}') == "Measured on 4 March 2026 in 2 minutes."
    assert filled("{{ machines() }}") == (
        "All of it ran on P, 2 cores, one thread of torch, torch 2.0."
    )
    other = PAGE | {"data": replace(PAGE["data"], machine=MACHINE | {"threads": 2})}
    write(other, tmp_path / "results.json")
    assert filled("{{ machines() }}").splitlines() == [
        "- speed, growth: P, 2 cores, one thread of torch, torch 2.0",
        "- data: P, 2 cores, 2 threads of torch, torch 2.0",
    ]
    rows = filled('{{ learning("data") }}').splitlines()[2:]
    assert [row.count("|") for row in rows] == [4, 4]
    assert "0.700" in rows[0]
    assert "60 [50, 70]" in rows[0]
    assert "more than 100" in rows[1]
    assert "| 1.00 [1.00, 1.00] | 1.00 |" in filled('{{ slopes("growth") }}')


@pytest.mark.parametrize(
    "template",
    [
        '{{ verdict("nothing") }}',
        '{{ value("speed", "a, forward", "nobody") }}',
        "{{ speed }}",
        '{{ figure("growth", "nothing") }}',
    ],
)
def test_a_name_that_is_not_there_fails_the_page(filled, template):
    with pytest.raises(Exception, match=r"nothing|nobody|speed"):
        filled(template)


def test_a_figure_follows_the_page_and_says_what_it_shows(tmp_path):
    path = tmp_path / "results.json"
    write(PAGE, path)
    text, curves = render('{{ figure("growth", "cost, against n") }}', path)
    drawings = draw(curves, tmp_path / "drawn")
    ((mark, svg),) = drawings.items()
    assert mark in text
    assert "currentColor" in svg
    assert f"{OURS} has slope 1.00, in theory 1.00" in svg
    assert len(svg) < 120_000
    assert draw(curves, tmp_path / "drawn again") == drawings
    (kept,) = (tmp_path / "drawn").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"in theory", b"kept in theory"))
    assert "kept in theory" in draw(curves, tmp_path / "drawn")[mark]


def test_groups_are_formulas_and_networks_are_none():
    assert formulas("S_10 × S_n, DeepSets_1") == "$S_{10}$ × $S_{n}$, DeepSets_1"
    assert network("deep-sets (S_n × S_d)") == r"deep-sets, $S_n \times S_d$"
    assert formulas(network("deep-sets (S_n × S_d)")) == network("deep-sets (S_n × S_d)")
    assert formulas("$C_4$ and C_4") == "$C_4$ and $C_{4}$"
    assert network("mlp (trivial)") == "mlp, no group"
    assert network("columnwise-mlp ((S_n)^d)") == "columnwise-mlp, $(S_n)^d$"


def test_a_table_can_be_of_some_rivals(filled):
    header, *_ = filled('{{ by_case("speed", "forward", peer="g") }}').splitlines()
    assert header == "|  | invariant_nets | gone |"


def test_accuracies_have_errors_and_the_best_comes_first(tmp_path):
    results = (
        Result("accuracy", "limit", (0.95, 0.95, 0.95), ""),
        Result("accuracy", "gone", note="not installed"),
        Result("accuracy", "one", (0.7, 0.71, 0.72), ""),
        Result("accuracy", "two", (0.89, 0.9, 0.91), ""),
    )
    path = tmp_path / "results.json"
    write({"planted": replace(PAGE["speed"], results=results)}, path)
    text, _ = render('{{ accuracies("planted") }}', path)
    assert text.splitlines()[2:] == [
        "| limit | 0.950 |  |",
        "| two | 0.900 | 0.010 |",
        "| one | 0.710 | 0.010 |",
        "| gone | not installed |  |",
    ]


def test_means_have_errors_and_stand_beside_what_was_published(tmp_path):
    results = (
        Result("right", "one", (1.0, 1.0, 1.0), "", size=5),
        Result("right", "one", (0.25, 0.5, 0.75), "", size=1_000),
        Result("right", "two", (0.1, 0.1, 0.1), "", size=5),
        Result("error", "one", (0.2, 0.21, 0.22), "", note="0.2 ± 0.01"),
    )
    path = tmp_path / "results.json"
    write({"digits": replace(PAGE["speed"], results=results)}, path)
    text, _ = render('{{ by_size("digits", "right") }}', path)
    assert text.replace("\N{NO-BREAK SPACE}", " ").splitlines() == [
        "|  | 5 | 1,000 |",
        "| --- | ---: | ---: |",
        "| one | 1.000 | 0.500 ± 0.250 |",
        "| two | 0.100 |  |",
    ]
    text, _ = render('{{ beside_published("digits", "error") }}', path)
    assert text.replace("\N{NO-BREAK SPACE}", " ").splitlines() == [
        "|  | error | published |",
        "| --- | ---: | ---: |",
        "| one | 0.2100 ± 0.0100 | 0.2 ± 0.01 |",
    ]


def test_numbers_have_units():
    durations = [duration(x).replace("\N{NO-BREAK SPACE}", " ") for x in (200.0, 1.5, 2.5e-3, 1e-5)]
    assert durations == ["3 minutes", "1.50 s", "2.50 ms", "10.0 µs"]
    assert [number(x) for x in (0.0119, 0.123, 12.34, 12_345.6)] == [
        *("0.012", "0.12", "12.3", "12,300")
    ]


@pytest.mark.slow
def test_the_page_of_the_book_is_made_from_the_results(tmp_path):
    template = (ROOT / "docs" / "benchmarks.md").read_text()
    text, curves = render(template, ROOT / "benchmarks" / "results.json")
    drawings = draw(curves, tmp_path)
    assert "{{" not in text
    assert all(mark in text and 'role="img"' in svg for mark, svg in drawings.items())
    # Goals are for maintainers.
    assert not set("✓✗") & set(text)
    assert "✓" in goals.text()
    for name in running.PARTS:
        assert f'"{name}"' in template + goals.TEMPLATE.read_text()
    # Nobody typed a ratio or a time.
    for source in (template, goals.TEMPLATE.read_text()):
        prose = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", source, flags=re.DOTALL)
        assert not re.findall(r"\d(?:\.\d+)? ?(?:×|ms\b|µs\b|s\b|MB\b)", prose)


def test_every_result_that_is_kept_is_of_a_full_run():
    kept = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert list(kept) == [name for name in running.PARTS if name in kept]
    assert "left out of a quick run" not in json.dumps(kept)


def test_the_page_says_what_is_not_measured_yet():
    template = (ROOT / "docs" / "benchmarks.md").read_text()
    text = render(template, FILE)[0] + goals.text()
    for name in running.PARTS:
        command = f"Not measured yet: `python -m benchmarks --only {name}` does."
        assert (command in text) == (name not in read())


@pytest.mark.parametrize("kind", [graphs.SideBySide, graphs.ByEinsum])
def test_the_rivals_of_the_layer_of_graphs_are_such_layers(kind):
    """Linear in the 15 maps, and equivariant: what is compared does the same work."""
    torch.manual_seed(0)
    rival, layer = kind(2, 3).double(), graphs.TensorLinear("n n -> n n", 2, 3).double()
    x, order = torch.randn(2, 6, 6, 2, dtype=torch.float64), torch.randperm(6)
    moved = rival(x[:, order][:, :, order])
    torch.testing.assert_close(moved, rival(x)[:, order][:, :, order])
    count = sum(p.numel() for p in rival.parameters())
    assert count >= layer.stored_weight.numel()
