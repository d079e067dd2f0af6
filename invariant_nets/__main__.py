"""The command `python -m invariant_nets`: what it does with its options."""

from __future__ import annotations

import argparse
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

import torch.distributed as dist

from invariant_nets._arguments import need_matplotlib
from invariant_nets._files import output_file
from invariant_nets.comparison.models import MODELS
from invariant_nets.comparison.plan import Plan
from invariant_nets.comparison.report import FIGURE_EXTENSIONS, REPORT_EXTENSIONS, Comparison
from invariant_nets.comparison.sets_task import RATES, SetsTask
from invariant_nets.comparison.tasks import DataTask, GaussianTask
from invariant_nets.ranks import Ranks
from invariant_nets.training.resuming.checkpoint import CheckpointError


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
        for name, extensions in _OUTPUTS.items():
            if (path := getattr(options, name)) is not None:
                output_file(f"--{name}", path, extensions)
                if name != "json":
                    need_matplotlib(f"--{name}")
        plan = Plan(
            _names(options.models),
            _task(options),
            options.epochs,
            options.batch_size,
            options.seeds,
            options.lr[0] if options.lr and len(options.lr) == 1 else options.lr,
            options.schedule,
            options.checkpoint,
            options.device,
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
        if comparison.results and options.report is not None:
            comparison.save_report(options.report)
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


_OUTPUTS = {"json": [".json"], "figure": FIGURE_EXTENSIONS, "report": REPORT_EXTENSIONS}
_OF_GAUSSIANS = "n", "d", "var1", "var2", "static", "train_sets", "test_sets"
_OF_FILES = (
    *("test_share", "validation_share", "labels", "per_member"),
    *("set_column", "label_column", "split_column", "features"),
)


def _task(options: argparse.Namespace) -> DataTask:
    gaussian, own = (
        {name: value for name in names if (value := getattr(options, name)) is not None}
        for names in (_OF_GAUSSIANS, _OF_FILES)
    )
    if options.data is None:
        if own:
            raise ValueError(f"--{next(iter(own)).replace('_', '-')} is for --data")
        return GaussianTask(**gaussian)
    if gaussian:
        option = next(iter(gaussian)).replace("train_sets", "sets").replace("_", "-")
        raise ValueError(f"--{option} is for the Gaussian task, not for --data")
    if own.get("split_column") == "":
        own["split_column"] = None
    if len(own.get("label_column", ())) == 1:
        own["label_column"] = own["label_column"][0]
    return SetsTask.from_file(options.data, **own)


DESCRIPTION = """\
Train models on one task with one budget, and rank them by their score on test
sets that chose nothing. Without options it compares all models of the book on
its Gaussian task, whose best possible accuracy is known, as in chapter 11. With
--data it compares them on your sets, and validation sets choose each model's
learning rate."""

EPILOG = """\
models:
{models}

data:
  A table, .csv or .parquet, with a row per member: a column "set" that says to
  which set a row belongs, a column "label", and features. Or an .npz, or a .pt
  with a dict, that has x (sets, n, d), y (sets) and, if some sets are smaller
  than n, a boolean mask (sets, n) that is true where a member is. For a test
  split, a column "split" of train and test; or x_test, y_test, mask_test.
  In a .pt, x may also be a list of sets of different sizes, and the whole a
  tuple (x, y). Bring features to similar scales first.

examples:
  all models of the book on its own task, about a minute:
    python -m invariant_nets compare
  three models on larger sets, with all that was measured:
    python -m invariant_nets compare --models mlp cyclic-mlp deep-sets \\
        -n 20 --json sets.json --figure sets.svg
  your own sets in a table; if it is killed, the same line continues it:
    python -m invariant_nets compare --data sets.csv --set-column bag \\
        --labels classes --checkpoint runs --report sets.html
  on two processes; -n and -d must be short there, torchrun has its own --n:
    torchrun --nproc-per-node 2 -m invariant_nets compare -n 20

It exits with 0 when all is done, 1 when a training failed, 2 when an argument
or a file is bad, and 130 when it was interrupted, after printing what was done.
"""

_LAYOUT: dict[str, Any] = {
    "initial_indent": "  ",
    "subsequent_indent": "  ",
    "break_on_hyphens": False,
}


class Parser(argparse.ArgumentParser):
    """One line for an error, and one voice among several ranks."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and end: on every rank, for the launcher ends the rest."""
        rank = "" if is_first() else f" on rank {os.environ['RANK']}"
        line = " ".join(message.split())
        sys.stderr.write(f"{self.prog}: error{rank}: {line} (--help says more)\n")
        sys.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        if is_first():
            super()._print_message(message, file)


def is_first() -> bool:
    """Return whether this process speaks for all ranks, also before they have found each other."""
    return os.environ.get("RANK", "0") == "0"


def parsers() -> tuple[Parser, Parser]:
    """Return the parser of the program and that of its command."""
    parser = Parser(
        prog="python -m invariant_nets",
        description="Permutation-invariant neural networks: the book's comparison as a command.",
        epilog="python -m invariant_nets compare --help says what it compares, and how.",
        allow_abbrev=False,
    )
    number = sys.modules["invariant_nets"].__version__
    parser.add_argument("--version", action="version", version=f"invariant_nets {number}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="compare")
    compare = commands.add_parser(
        "compare",
        usage="%(prog)s [options]",
        help="train models, and rank them by their accuracy",
        description=DESCRIPTION,
        epilog=EPILOG.format(models=textwrap.fill(", ".join(MODELS), 79, **_LAYOUT)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(compare)
    return parser, compare


def _add_options(parser: Parser) -> None:
    def option(group: Any, name: str, metavar: str, kind: Any, words: str, **more: Any) -> None:
        group.add_argument(*name.split(), metavar=metavar, type=kind, help=words, **more)

    def flag(group: Any, name: str, words: str) -> None:
        group.add_argument(name, action="store_true", default=None, help=words)

    option(parser, "--models", "NAME", str, "which models, listed below; all by default", nargs="+")
    data = parser.add_argument_group("your own sets")
    option(data, "--data", "FILE", str, "a file of sets and labels, as below")
    kinds = "what the labels are: binary, classes or numbers (binary)"
    option(data, "--labels", "KIND", str, kinds)
    able = ", ".join(name for name, spec in MODELS.items() if spec.per_member)
    flag(data, "--per-member", f"each member has a label, and not each set; for {able}")
    split = "split, train or test, or '' if none does"
    for name, what in (("set", "set"), ("split", split)):
        words = f"the column of a table that says the {what} ({name})"
        option(data, f"--{name}-column", "NAME", str, words)
    option(data, "--label-column", "NAME", str, "its column of labels (label)", nargs="+")
    option(data, "--features", "NAME", str, "its features; all other columns by default", nargs="+")
    words = "test sets among them, if none are set apart (0.25)"
    option(data, "--test-share", "SHARE", float, words)
    option(data, "--validation-share", "SHARE", float, "validation sets among the rest (0.2)")
    default = GaussianTask()
    task = parser.add_argument_group("the Gaussian task")
    option(task, "-n --n", "N", int, f"the size of a set ({default.n})")
    option(task, "-d --d", "D", int, f"the number of features ({default.d})")
    option(task, "--var1", "V", float, f"the variance under label 0 ({default.var1})")
    option(task, "--var2", "V", float, f"the variance under label 1 ({default.var2})")
    flag(task, "--static", "the same training sets in every epoch; otherwise no set comes twice")
    sets = f"training sets per epoch ({default.train_sets})"
    option(task, "--sets", "COUNT", int, sets, dest="train_sets")
    option(task, "--test-sets", "COUNT", int, f"fresh test sets ({default.test_sets:,})")
    budget = parser.add_argument_group("budget")
    passes = "passes over the training sets (%(default)s)"
    option(budget, "--epochs", "COUNT", int, passes, default=18)
    option(budget, "--batch-size", "COUNT", int, "sets per step (%(default)s)", default=32)
    seeds = "seeds of weights and data, from 0 on (%(default)s)"
    option(budget, "--seeds", "COUNT", int, seeds, default=3)
    rates = (
        "the learning rate of every model, or several of which validation sets choose; by "
        f"default {', '.join(f'{rate:g}' for rate in RATES)} for --data, and else its own"
    )
    option(budget, "--lr", "RATE", float, rates, nargs="+")
    falls = "whether it stays or falls to 0: constant or cosine (%(default)s)"
    option(budget, "--schedule", "KIND", str, falls, default="constant")
    option(budget, "--device", "DEVICE", str, "where to train: cpu, cuda, cuda:1 (cpu)")
    output = parser.add_argument_group("files")
    option(output, "--json", "FILE", str, "write settings, scores and histories to a .json")
    option(output, "--figure", "FILE", str, "write the ranking to an .svg, .png or .pdf")
    option(output, "--report", "FILE", str, "write all of it to read, to an .html or .md")
    keep = "keep every training there; the same command continues where it was killed"
    option(output, "--checkpoint", "FOLDER", str, keep)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal has ± and ×
    sys.exit(main())
