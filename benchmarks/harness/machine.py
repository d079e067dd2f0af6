"""What a run ran on, as far as it explains the numbers."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "numpy", "scipy", "sympy")


def machine() -> dict[str, Any]:
    """Return the processor, its cores, torch's threads, the versions, and a device that it had."""
    import torch  # what only reads results, as the book does, needs no torch

    from benchmarks.harness import devices

    return ({} if devices.on_cpu() else {"device": devices.name()}) | {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
