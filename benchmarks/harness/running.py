"""Runs the benchmarks, a part after the other, and keeps what they find."""

from __future__ import annotations

import argparse
import datetime
import importlib
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.harness.machine import machine
from benchmarks.harness.results import FILE, Part, Result, read, write
from benchmarks.peers import environment as peers

PARTS = {  # and what measures them, in `benchmarks.parts`
    "layers": "layers.sets.measure",
    "exchangeable": "layers.tables.measure",
    "orbit_layers": "layers.sets.measure_orbit_layers",
    "tensors": "layers.graphs.measure",
    "masks": "layers.sets.measure_masks",
    "bases": "bases.measure",
    "averaging": "averaging.measure",
    "groups": "groups.measure",
    "sorting": "sorting.measure",
    "data": "data.measure",
    "planted": "planted.measure",
    "digits": "digits.measure",
    "growth": "growth.measure",
    "importing": "importing.measure",
}


def run(names: Iterable[str], path: Path | None, quick: bool = False) -> None:
    """Run some parts, print what they find, and let it replace what the file has of them.

    Args:
        names: some of `PARTS`.
        path: the file; none to keep nothing.
        quick: whether tiny cases will do, which are for tests and say nothing.
    """
    for name in names:
        start = time.perf_counter()
        module, _, function = PARTS[name].rpartition(".")
        measure = getattr(importlib.import_module(f"benchmarks.parts.{module}"), function)
        results = tuple(measure(quick))
        seconds = time.perf_counter() - start
        print(f"\n{name}, {seconds:.0f} s\n{text(results)}", flush=True)
        if path:
            date = datetime.date.today().isoformat()
            parts = read(path) | {name: Part(date, seconds, machine(), results)}
            write({part: parts[part] for part in PARTS if part in parts}, path)


def text(results: Sequence[Result]) -> str:
    """Write results for a terminal."""
    lines = []
    for case, group in groupby(results, lambda result: result.case):
        lines.append(f"  {case}")
        for result in group:
            cells = [f"    {result.rival:<32}", " " * 12, ""]
            if result.size is not None:
                cells[0] += f" {result.size:>8,g}"
            if result.value:
                cells[1] = f"{result.value[1]:>12,.4g} {result.unit}"
            if result.ratio:
                lower, median, upper = result.ratio
                cells[2] = f"{median:,.3g}× {result.against} [{lower:,.3g}, {upper:,.3g}]"
            if result.met is not None:
                cells.append(f"{result.goal}: {'met' if result.met else 'MISSED'}")
            lines.append("  ".join([*cells, result.note]).rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="The benchmarks; all of them take half an hour.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--quick", action="store_true", help="tiny cases, not kept")
    parser.add_argument("--results", type=Path, help="the file that keeps the results")
    options = parser.parse_args(arguments)
    if not options.quick:
        for peer, reason in peers.install().items():
            print(f"{peer}: {reason or 'installed'}", flush=True)
    run(options.only, options.results or (None if options.quick else FILE), options.quick)
