r"""Training an exact average that runs its chunks again, against one that keeps them.

    python -m benchmarks.averaging

Forward and backward of the multilayer perceptron averaged over all of $S_n$. Peak memory is that of
the whole process, so each way is measured in a process of its own, above what an untrained one
takes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import torch

from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import SymmetryModel, mlp, symmetric_group

D = 5


def step(model: SymmetryModel, x: torch.Tensor) -> None:
    """Run forward and backward once."""
    model.zero_grad()
    model(x).square().sum().backward()


def peak_megabytes(way: str, n: int, batch: int) -> float:
    """Return the peak memory of a process that does one step in this way, or none."""
    command = [sys.executable, "-m", "benchmarks.averaging", "--once", way]
    command += ["--n", str(n), "--batch", str(batch)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the ratio of the times, and the memory of both."""
    parser = argparse.ArgumentParser(description="Bounded-memory training.")
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", choices=["nothing", "keep", "recompute"])
    arguments = parser.parse_args()
    n, batch = arguments.n, arguments.batch
    x = torch.randn(batch, n, D)
    models = {
        way: SymmetryModel(mlp(n, D), symmetric_group(n), recompute=way == "recompute")
        for way in ("keep", "recompute")
    }
    if arguments.once:
        if arguments.once in models:
            step(models[arguments.once], x)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(f"S_{n}, batch {batch}, {torch.get_num_threads()} threads")
    base = peak_megabytes("nothing", n, batch)
    for way in models:
        above = peak_megabytes(way, n, batch) - base
        print(f"  {way:<10} {above:8.0f} MB above the base")
    rivals = {way: lambda model=model: step(model, x) for way, model in models.items()}
    seconds = seconds_by_turns(rivals, arguments.rounds)
    lower, median, upper = ratio_quartiles(seconds["keep"], seconds["recompute"])
    print(f"  speed of recompute {median:.2f} of keep  [{lower:.2f}, {upper:.2f}]")


if __name__ == "__main__":
    main()
