"""Runs the benchmarks, a part after the other, and keeps what they find."""

from __future__ import annotations

import argparse
import datetime
import importlib
import math
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.harness import devices
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
    "designs": "designs.measure",
    "forms": "groups.forms.measure",
    "groups": "groups.elements.measure",
    "chains": "groups.chains.measure",
    "sorting": "sorting.measure",
    "data": "data.measure",
    "planted": "planted.measure",
    "digits": "digits.measure",
    "growth": "growth.measure",
    "importing": "importing.measure",
}


ON_DEVICES = (  # what a device can be measured by, the most telling first
    "tensors",
    "layers",
    "exchangeable",
    "forms",
    "averaging",
    "sorting",
    "orbit_layers",
    "masks",
)
MINUTES = 8  # of a device; when they are over, no further part begins


def run(
    names: Iterable[str], path: Path | None, quick: bool = False, until: float = math.inf
) -> None:
    """Run some parts, print what they find, and let it replace what the file has of them.

    Args:
        names: some of `PARTS`.
        path: the file; none to keep nothing.
        quick: whether tiny cases will do, which are for tests and say nothing.
        until: when no further part begins, on the clock of `time.perf_counter`.
    """
    for name in names:
        start = time.perf_counter()
        if start > until:
            print(f"\n{name}: no time left", flush=True)
            continue
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


def run_on(device: str, names: Iterable[str], path: Path | None, quick: bool) -> None:
    """Run some parts on a device, in at most so many minutes and one more part.

    What fails there does not keep the others from being measured.

    Raises:
        ExceptionGroup: if some part failed, after all others.
    """
    end, errors = time.perf_counter() + 60 * MINUTES, []
    with devices.on(device):
        if path is None and not quick:
            path = devices.file_of(devices.name())
            path.parent.mkdir(exist_ok=True)
        for name in names:
            try:
                run([name], path, quick, end)
            except Exception as error:
                print(f"\n{name}: {error!r}", flush=True)
                errors.append(error)
    if errors:
        raise ExceptionGroup(f"{len(errors)} parts failed on {device}", errors)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description="The benchmarks; all of them take some hours, and without data, planted and "
        "digits, which train, half an hour."
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART")
    parser.add_argument("--device", help=f"such as cuda: {MINUTES} minutes, kept under its name")
    parser.add_argument("--quick", action="store_true", help="tiny cases, not kept")
    parser.add_argument("--results", type=Path, help="the file that keeps the results")
    options = parser.parse_args(arguments)
    if options.device is not None:
        names = options.only or ON_DEVICES
        return run_on(options.device, names, options.results, options.quick)
    if not options.quick:
        for peer, reason in peers.install().items():
            print(f"{peer}: {reason or 'installed'}", flush=True)
    run(options.only or PARTS, options.results or (None if options.quick else FILE), options.quick)
