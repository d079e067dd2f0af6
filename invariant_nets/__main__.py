"""The command `python -m invariant_nets`: what it does with its options."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

import torch.distributed as dist

from invariant_nets._command_line import Parser, is_first, parsers
from invariant_nets._output_files import output_file
from invariant_nets.checkpoint import CheckpointError
from invariant_nets.comparison import prepare
from invariant_nets.comparison_report import FIGURE_EXTENSIONS, Comparison
from invariant_nets.ranks import Ranks
from invariant_nets.sets_task import SetsTask
from invariant_nets.tasks import GaussianTask, Task


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what stands behind `python -m invariant_nets`; by default that of the process.

    Returns:
        The exit status.
    """
    parser, compare = parsers()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.error("a command is needed: compare")
    try:
        return _compare(compare, options)
    except KeyboardInterrupt:
        if is_first():
            print("interrupted; nothing was done", file=sys.stderr)
        return 130
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()


def _compare(parser: Parser, options: argparse.Namespace) -> int:
    try:
        if options.json is not None:
            output_file("--json", options.json, [".json"])
        if options.figure is not None:
            output_file("--figure", options.figure, FIGURE_EXTENSIONS)
            _need_matplotlib()
        plan = prepare(
            _names(options.models),
            _task(options),
            epochs=options.epochs,
            batch_size=options.batch_size,
            seeds=options.seeds,
            lr=options.lr,
            checkpoint=options.checkpoint,
            device=options.device,
            log=sys.stderr.isatty(),
        )
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    try:
        comparison = plan.run()
        # All wait for it: a launcher ends the others when one has ended.
        Ranks().from_first(lambda: _report(comparison, options))
    except (CheckpointError, OSError) as error:
        parser.error(str(error))
    return 130 if comparison.interrupted else int(bool(comparison.problems))


def _report(comparison: Comparison, options: argparse.Namespace) -> None:
    try:
        if comparison.results and options.json is not None:
            comparison.save(options.json)
        if comparison.results and options.figure is not None:
            comparison.save_figure(options.figure)
    finally:
        if comparison.results:
            _print(str(comparison))
        if comparison.interrupted:
            print(comparison.stopped, file=sys.stderr)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # A reader such as `head` has seen enough; what is left goes nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _names(words: Sequence[str] | None) -> list[str] | None:
    if words is None:
        return None
    return [name for word in words for name in word.replace(",", " ").split()]


def _task(options: argparse.Namespace) -> Task:
    given = {
        field: value
        for field in ("n", "d", "var1", "var2", "static", "train_sets", "test_sets")
        if (value := getattr(options, field)) is not None
    }
    if options.data is None:
        if options.test_share is not None:
            raise ValueError("--test-share is for --data")
        return GaussianTask(**given)
    if given:
        option = next(iter(given)).replace("train_sets", "sets").replace("_", "-")
        raise ValueError(f"--{option} is for the Gaussian task, not for --data")
    return SetsTask.from_file(options.data, test_share=options.test_share)


def _need_matplotlib() -> None:
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        message = "--figure needs matplotlib: pip install 'invariant_nets[plot]'"
        raise ImportError(message) from error


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal has ± and ×
    sys.exit(main())
