"""Where the tensors of a benchmark are made: on the CPU, or all of them on another device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.harness import timing
from benchmarks.harness.results import FILE, FOLDER

_chosen: list[torch.device] = []


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use some threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def on(device: str) -> Iterator[None]:
    """Make all tensors on a device for a while, and let every clock wait for it.

    Raises:
        ValueError: if there is no such device.
    """
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device must be one that torch can use here, got {device}")
    wait = torch.cuda.synchronize if chosen.type == "cuda" else timing.no_wait
    _chosen.append(chosen)
    try:
        with chosen, timing.waiting(wait):
            yield
    finally:
        _chosen.pop()


def here() -> torch.device:
    """Return the device on which tensors are made."""
    return _chosen[-1] if _chosen else torch.device("cpu")


def on_cpu() -> bool:
    """Return whether it is the CPU."""
    return here().type == "cpu"


def name() -> str:
    """Return what the device is called."""
    if here().type == "cuda":
        return str(torch.cuda.get_device_name(here()))
    return here().type


def file_of(device: str) -> Path:
    """Return the file of the results of a device, by its name."""
    return FILE.parent / FOLDER / f"{'-'.join(device.lower().split())}.json"
