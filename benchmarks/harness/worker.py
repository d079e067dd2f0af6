"""Runs the functions of a module for another process: a JSON line for each request and answer.

The environment is that of the peers, which knows nothing of this package. Besides the module's own
functions there are `start`, which keeps the call that the module's `make` returns, and `seconds`,
which times it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.harness.timing import seconds_by_turns

_calls: list[Callable[[], object]] = []


def answer_to(module: ModuleType, function: str, arguments: dict[str, Any]) -> Any:
    """Return the answer to one request."""
    if function == "start":
        _calls.append(module.make(**arguments))
        return len(_calls) - 1
    if function == "seconds":
        return seconds_by_turns({"": _calls[arguments["number"]]}, 1)[""][0]
    return getattr(module, function)(**arguments)


def main() -> None:
    """Answer until nothing more is asked."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peers print is no answer
    for line in sys.stdin:
        try:
            module = importlib.import_module(sys.argv[1])
            text = json.dumps({"answer": answer_to(module, **json.loads(line))})
        except Exception:
            text = json.dumps({"error": traceback.format_exc()})
        answers.write(text + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
