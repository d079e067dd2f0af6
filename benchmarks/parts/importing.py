r"""What the package adds to `import torch`, and how large its wheel is.

    python -m benchmarks --only importing

Every round is a fresh process that imports torch, and then the package.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.results import OURS, Result, at_most
from benchmarks.harness.timing import quartiles

ROUNDS = 15
SECONDS, KILOBYTES = 0.3, 200
ROOT = Path(__file__).parents[2]
IN_THE_WHEEL = ("invariant_nets", "pytest_invariant_nets.py")
BESIDE_IT = ("pyproject.toml", "README.md", "LICENSE")

TIMED = """
from time import perf_counter
start = perf_counter()
import torch
between = perf_counter()
import invariant_nets
print(between - start, perf_counter() - between)
"""


def seconds_of_imports() -> tuple[float, float]:
    """Return how long the imports of torch and, after it, of the package take."""
    command = [sys.executable, "-c", TIMED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = map(float, done.stdout.split())
    return first, second


def imports(rounds: int) -> list[Result]:
    """Return the seconds of both imports."""
    seconds_of_imports()  # not counted: it compiles what has changed, and reads the files
    theirs, ours = zip(*(seconds_of_imports() for _ in range(rounds)), strict=True)
    seconds = quartiles(ours)
    return [
        Result("import", "torch", quartiles(theirs)),
        Result("import", OURS, seconds, note="beyond torch", **at_most(SECONDS, seconds[1], "s")),
    ]


def wheel() -> list[Result]:
    """Return the size of a wheel, made of a copy of the sources."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.mkdir()
        for name in (*IN_THE_WHEEL, *BESIDE_IT):
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(ROOT / name, source)
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "-w",
            str(target),
            str(source),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [""])[-1]
            return [Result("wheel", OURS, unit="kB", note=f"could not be built: {reason}")]
        (built,) = target.glob("*.whl")
        size = built.stat().st_size / 1000
    return [Result("wheel", OURS, quartiles([size]), "kB", **at_most(KILOBYTES, size, "kB"))]


def measure(quick: bool) -> list[Result]:
    """Return the results; a wheel is built only where time is taken for it."""
    return imports(1) if quick else [*imports(ROUNDS), *wheel()]
