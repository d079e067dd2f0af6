"""Runs chapters in the background while they are read, in the order of reading, one a core.

What is published of a chapter is of its code as it is now: `look` reads the files anew, and from
then on nothing that ran before a change is taken. A lock a chapter makes other processes wait for
what this one runs; they find it in the cache that all of them share.
"""

import asyncio
import copy
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nbformat import NotebookNode

from book.running.chapters import ChapterError, code_cells, read
from book.running.fingerprint import fingerprint
from book.running.run import Runner, available_cores

log = logging.getLogger("mkdocs.book")

OPEN = {"waiting", "stale", "elsewhere"}  # the states of what is still to be run
PAUSE = 0.5  # seconds: edits come in bursts


@dataclass
class Status:
    """How far a chapter has come.

    Attributes:
        key: The fingerprint of its code.
        notebook: The chapter, to be executed.
        state: `waiting`; `stale`, waiting with outputs of other code; `elsewhere`, while another
            process runs it; `running`; `failed`; or `done`.
        outputs: What the cells put out, by their numbers.
        fresh: The number of the last cell whose outputs are of this code.
        error: Why it failed.
    """

    key: str
    notebook: NotebookNode
    state: str = "waiting"
    outputs: dict[int, list[NotebookNode]] = field(default_factory=dict)
    fresh: int = 0
    error: str = ""

    def take(self, executed: NotebookNode) -> None:
        """Takes all outputs of the chapter, executed under this key."""
        cells = enumerate(code_cells(executed), start=1)
        self.outputs = {number: cell.outputs for number, cell in cells}
        self.fresh, self.state = len(self.outputs), "done"


def status_of(runner: Runner, path: Path, notebook: NotebookNode) -> Status:
    """Returns the status of a chapter that nothing runs, by what the cache has of it."""
    key, stored = fingerprint(notebook, runner.package), runner.load(path)
    status = Status(key, copy.deepcopy(notebook))
    # With another number of cells nobody knows which output was whose.
    if stored and len(code_cells(stored)) == len(code_cells(notebook)):
        status.take(stored)
        if stored.metadata.book.key != key:
            status.fresh, status.state = 0, "stale"
    return status


class Live:
    """Runs the chapters that are stale, and publishes each cell as it comes.

    Args:
        runner: What executes a chapter.
        publish: Called with a chapter whose status has changed, from another thread, which holds
            `lock` meanwhile.
    """

    def __init__(self, runner: Runner, publish: Callable[[Path], None]) -> None:
        self.status: dict[Path, Status] = {}  # in the order of reading
        self.lock = threading.RLock()
        self._runner = runner
        self._publish = publish
        self._start = math.inf  # when kernels may start
        self._closed = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def look(self, paths: Iterable[Path]) -> dict[Path, NotebookNode]:
        """Reads the chapters, and gives up what runs of code that has changed; starts nothing."""
        self._start = math.inf
        notebooks = {path: read(path) for path in paths}
        status = {}
        for path, notebook in notebooks.items():
            now, known = status_of(self._runner, path, notebook), self.status.get(path)
            status[path] = known if known and known.key == now.key else now
        with self.lock:
            self.status = status
        return notebooks

    def go(self) -> None:
        """Lets kernels start."""
        self._start = time.monotonic() + PAUSE
        if not self._thread.is_alive():
            self._thread.start()

    def close(self) -> None:
        """Ends the kernels."""
        self._closed = True
        if self._thread.is_alive():
            self._thread.join()

    async def _serve(self) -> None:
        # Of a chapter that is cancelled nbclient leaves a task behind, which fails.
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: log.debug(told))
        running: dict[Path, tuple[Status, asyncio.Task[None]]] = {}
        while running or not self._closed:
            for path, (status, task) in list(running.items()):
                if task.done():
                    del running[path]
                elif (
                    self._closed or self.status.get(path) is not status
                ) and not task.cancelling():
                    task.cancel()  # once, so that it can end its kernel
            for path, status in self.status.items():
                waits = self._closed or time.monotonic() < self._start
                if waits or len(running) == available_cores():
                    break
                if status.state in OPEN and path not in running:
                    if lock := self._runner.lock(path):
                        task = asyncio.create_task(self._run(path, status, lock))
                        running[path] = status, task
                    elif status.state != "elsewhere":
                        self._change(path, status, state="elsewhere")
            tasks = [task for _, task in running.values()]
            await (asyncio.wait(tasks, timeout=PAUSE) if tasks else asyncio.sleep(PAUSE))

    async def _run(self, path: Path, status: Status, lock: IO[str]) -> None:
        def cell(number: int, cell: NotebookNode, seconds: float) -> None:
            outputs = status.outputs | {number: copy.deepcopy(cell.outputs)}
            self._change(path, status, outputs=outputs, fresh=number)

        with lock:
            try:
                if self._kept(path, status):  # by another process, meanwhile
                    return
                self._change(path, status, state="running")
                await self._runner.execute(path, status.notebook, status.key, watch=cell)
                self._kept(path, status)
            except Exception as error:
                words = str(error) if isinstance(error, ChapterError) else repr(error)
                if self._change(path, status, state="failed", error=words):
                    log.error(words)

    def _kept(self, path: Path, status: Status) -> bool:
        """Takes the outputs from the cache, as every other process would, if it has them."""
        stored = self._runner.load(path)
        if stored is None or stored.metadata.book.key != status.key:
            return False
        with self.lock:
            status.take(stored)
            self._change(path, status)
        return True

    def _change(self, path: Path, status: Status, **changes: Any) -> bool:
        """Changes and publishes a status, unless it is one of the past."""
        with self.lock:
            if self._closed or self.status.get(path) is not status:
                return False
            for name, value in changes.items():
                setattr(status, name, value)
            self._publish(path)
            return True
