"""The peak memory of a piece of work, in a fresh process that does nothing else."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.harness import devices

_PER_MEGABYTE = 1 << 20 if sys.platform == "darwin" else 1 << 10


def megabytes_above(
    small: tuple[Any, ...], large: tuple[Any, ...], work: Callable[..., object]
) -> float:
    """Return by how much the peak memory of a process rises from a small piece of work to a large.

    On a GPU it is that of the tensors there.

    The small one comes first, so that libraries that load at first use count for neither.

    Args:
        small: the arguments of the small one.
        large: the arguments of the large one.
        work: a function of a module.
    """
    if devices.here().type == "cuda":
        return (_on_gpu(work, large) - _on_gpu(work, small)) / 2**20
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(there, work, small, large))
    process.start()
    there.close()
    try:
        above: float = here.recv()
    except EOFError:
        raise RuntimeError(f"the process of {work.__name__}{large} ended early") from None
    process.join()
    return above


def _on_gpu(work: Callable[..., object], arguments: tuple[Any, ...]) -> int:
    torch.cuda.reset_peak_memory_stats()
    work(*arguments)
    return torch.cuda.max_memory_allocated()


def _run(
    answer: Connection,
    work: Callable[..., object],
    small: tuple[Any, ...],
    large: tuple[Any, ...],
) -> None:
    work(*small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(*large)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((after - before) / _PER_MEGABYTE)
