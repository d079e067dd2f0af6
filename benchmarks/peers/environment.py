"""The peers: packages that do what this one does, in a virtual environment of their own.

They come from PyPI, as `peers.txt` pins them, since what they need clashes with what the book
needs. A process of that environment measures them when it is asked to, so that their turns are
those of all other rivals. What cannot be installed is missing with its reason.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from benchmarks.harness.devices import on_cpu

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-peers"
PINS = Path(__file__).with_name("peers.txt")
PEERS = {  # and what has to be named besides, since they do not
    "torch_geometric": ("torch_geometric", "torch"),
    "emlp": ("emlp", "six"),
    "pelican": ("pelican-lite", "torch"),
}


class MissingError(Exception):
    """A peer that is not there, and why."""


class TooSlowError(Exception):
    """A peer that took longer than it was given."""


def install(home: Path = HOME, pins: Path = PINS) -> dict[str, str]:
    """Install the peers unless they are, and return why each is missing: empty if it is there."""
    text = pins.read_text()
    if (found := _outcome(home)) and found["pins"] == text:
        return dict(found["missing"])
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    missing = {}
    for peer, names in PEERS.items():
        wanted = re.findall(rf"^(?:{'|'.join(names)})==.*$", text, re.MULTILINE)
        run = subprocess.run(
            [*pip, *wanted, "-c", str(pins)], capture_output=True, text=True, check=False
        )
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        missing[peer] = "" if run.returncode == 0 else (errors or ["pip failed"])[-1]
    (home / "outcome.json").write_text(json.dumps({"pins": text, "missing": missing}))
    return missing


def _outcome(home: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((home / "outcome.json").read_text())
    except FileNotFoundError:
        return None
    return found


def python_of(peer: str, home: Path = HOME) -> str:
    """Return the interpreter that can import a peer.

    Raises:
        MissingError: if there is none, with the reason.
    """
    if (found := _outcome(home)) is None:
        raise MissingError("not installed: `make bench` installs the peers")
    if reason := found["missing"][peer]:
        raise MissingError(f"could not be installed: {reason}")
    return str(home / "bin" / "python")


class Closing(ABC):
    """Is closed at the end of a `with`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Worker(Closing):
    """A process that runs the functions of a module by name, one after the other.

    Args:
        python: its interpreter.
        module: the module, such as "benchmarks.peers.peer_emlp".
        threads: how many threads torch has there; as many as it likes by default.
    """

    def __init__(self, python: str, module: str, threads: int | None = None) -> None:
        environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.harness.worker", module],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def ask(self, function: str, limit: float | None = None, **arguments: Any) -> Any:
        """Return what a function of the module returns.

        Args:
            function: its name.
            limit: the seconds that it may take; afterwards the process is no more.
            arguments: its arguments; they and the answer go through JSON.

        Raises:
            TooSlowError: if the limit is over.
            RuntimeError: if the function raises.
        """
        assert self._process.stdin
        request = json.dumps({"function": function, "arguments": arguments})
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            answer = self._answers.get(timeout=limit)
        except queue.Empty:
            self.close()
            raise TooSlowError(f"more than {limit:.0f} s") from None
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{function} ended its process")
        result = json.loads(answer)
        if "error" in result:
            raise RuntimeError(result["error"])
        return result["answer"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        with suppress(BrokenPipeError):
            self._process.stdin.close()


class Remote:
    """A rival in a worker: `start` makes it there, `seconds` lets it run once more."""

    def __init__(self, worker: Worker, **arguments: Any) -> None:
        self._worker = worker
        self._number: int = worker.ask("start", **arguments)

    def seconds(self) -> float:
        """Return how long one call takes over there."""
        return float(self._worker.ask("seconds", number=self._number))


def over_there(worker: Worker | str, **arguments: Any) -> Remote | str:
    """Return a rival in a worker, or the reason why there is none."""
    return worker if isinstance(worker, str) else Remote(worker, **arguments)


@contextmanager
def working(peer: str, module: str, quick: bool) -> Iterator[Worker | str]:
    """Give a worker for a peer, or the reason why there is none; a quick run has none.

    Nor has a run on a device, since the peers are installed for CPUs.
    """
    if quick:
        yield "left out of a quick run"
        return
    if not on_cpu():
        yield "measured on CPUs only"
        return
    try:
        python = python_of(peer)
    except MissingError as reason:
        yield str(reason)
        return
    with Worker(python, module) as worker:
        yield worker
