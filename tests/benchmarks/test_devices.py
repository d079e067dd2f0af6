"""Benchmarks on a device: where the tensors are, how a clock waits, and what is kept."""

import json
import math
import time
from types import SimpleNamespace

import pytest
import torch

from benchmarks.harness import devices, machine, memory, running, timing
from benchmarks.harness.results import Result, read
from benchmarks.parts import averaging
from benchmarks.parts.layers import graphs, tables
from benchmarks.parts.layers import sets as layers
from benchmarks.peers.environment import working


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that is not there: it says when it is waited for and how much was allocated."""
    said, peaks = [], []
    cuda = SimpleNamespace(
        is_available=lambda: True,
        synchronize=lambda: said.append("wait"),
        get_device_name=lambda device: f"A Fast  {device.type}",
        reset_peak_memory_stats=lambda: peaks.append(0),
        max_memory_allocated=lambda: peaks[-1],
    )
    for name, function in vars(cuda).items():
        monkeypatch.setattr(torch.cuda, name, function)
    return SimpleNamespace(said=said, peaks=peaks)


def test_a_clock_waits_for_the_device_before_it_starts_and_before_it_is_read(gpu, monkeypatch):
    monkeypatch.setattr(timing.time, "perf_counter", lambda: gpu.said.append("read") or 0.0)
    with devices.on("cuda"):
        timing.seconds_of(lambda: gpu.said.append("call"), 2)
    assert gpu.said == ["wait", "read", "call", "call", "wait", "read"]
    gpu.said.clear()
    timing.seconds_of(lambda: None)
    assert gpu.said == ["read", "read"]


def test_a_clock_may_count_the_work_of_the_processor():
    seconds = timing.seconds_by_turns({"sleep": lambda: time.sleep(0.02)}, 1, time.process_time)
    assert seconds["sleep"][0] < 0.02


def test_the_memory_of_a_gpu_is_that_of_its_tensors(gpu):
    def work(peak):
        gpu.peaks[-1] = peak

    with devices.on("cuda"):
        assert memory.megabytes_above((2**20,), (5 * 2**20,), work) == 4


def test_a_device_is_named_and_one_that_is_not_there_is_refused(gpu, monkeypatch):
    with devices.on("cuda"):
        assert machine.machine()["device"] == "A Fast  cuda"
        assert not devices.on_cpu()
    assert "device" not in machine.machine()
    assert devices.file_of("A Fast  cuda").name == "a-fast-cuda.json"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="can use here, got cuda"):
        running.main(["--quick", "--device", "cuda"])


def test_tensors_are_made_on_the_device_and_no_longer():
    with devices.on("meta"):
        assert torch.zeros(1).device == devices.here() == torch.device("meta")
        with working("pelican", "benchmarks.peers.peer_pelican", quick=False) as peer:
            assert peer == "measured on CPUs only"
    assert torch.zeros(1).device == devices.here() == torch.device("cpu")


def test_the_parts_keep_to_the_device():
    """What mixes devices raises an error there too."""
    with devices.on("meta"):
        for backward in (False, True):
            layers.in_case((4, 3, 2, 2), backward, "not here", 1)
            tables.dense((2, 3, 2, 2, 2), backward, "not here", 1)
        layers.measure_orbit_layers(quick=True)
        graphs.in_case(4, 2, None, "not here", 1)
        graphs.written_out(3, 2, 1)
        graphs.cubes(3, 2, 1)
        averaging.speed(4, 2, 24, 1)
        averaging.training(4, 2, 1)


def test_the_parts_for_devices_are_parts():
    assert set(running.ON_DEVICES) <= set(running.PARTS)


@pytest.fixture
def two_parts(monkeypatch):
    """Three parts, of which the second fails."""

    def part(name):
        def measure(quick):
            if name == "bad":
                raise RuntimeError("no kernel")
            return [Result("case", name, (1.0, 1.0, 1.0))]

        return measure

    names = ["good", "bad", "last"]
    module = SimpleNamespace(**{name: part(name) for name in names})
    monkeypatch.setattr(running, "PARTS", {name: f"fake.{name}" for name in names})
    monkeypatch.setattr(running, "ON_DEVICES", names)
    monkeypatch.setattr(running.importlib, "import_module", lambda name: module)


def test_a_part_that_fails_on_a_device_leaves_the_others(two_parts, gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "FILE", tmp_path / "results.json")
    with pytest.raises(ExceptionGroup, match="1 parts failed on cuda"):
        running.main(["--device", "cuda"])
    (path,) = (tmp_path / "devices").iterdir()
    assert path.name == "a-fast-cuda.json"
    assert list(read(path)) == ["good", "last"]
    assert all(part["machine"]["device"] for part in json.loads(path.read_text()).values())


def test_when_the_minutes_are_over_no_further_part_begins(two_parts, tmp_path, capsys):
    path = tmp_path / "results.json"
    running.run(["good"], path, until=math.inf)
    running.run(["last"], path, until=0.0)
    assert list(read(path)) == ["good"]
    assert "last: no time left" in capsys.readouterr().out
