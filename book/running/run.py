"""Executes the chapters whose results are stale, several at once, and keeps what they put out."""

import asyncio
import atexit
import fcntl
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from book.running.chapters import ChapterError, code_cells, read
from book.running.fingerprint import fingerprint

log = logging.getLogger("mkdocs.book")  # a child of MkDocs' logger, so that its builds show it

CELL_TIMEOUT = 600  # seconds
PROGRESS = re.compile(r"^.*\d+%\|.*\|.*\[.*\]\s*$|^\s*$", re.MULTILINE)
TERMINAL_COLORS = re.compile(r"\x1b\[[0-9;]*m")
FAILED_LINE = re.compile(r"Cell In\[\d+\], line (\d+)")

Watch = Callable[[int, NotebookNode, float], None]


class Runner:
    """Runs the chapters of the project in `root`, and keeps the executed notebooks in `cache`.

    Args:
        root: The folder of the project.
        cache: The folder for what was executed.
        package: The package that chapters import.
        background: Whether the kernels yield to everything else on the machine.
    """

    def __init__(
        self, root: Path, cache: Path, package: str = "invariant_nets", background: bool = False
    ) -> None:
        self.root = root
        self.cache = cache
        self.package = root / package
        self.background = background

    def run(self, paths: Iterable[Path]) -> dict[Path, NotebookNode]:
        """Returns each chapter with its outputs, and executes those that have none or stale ones.

        Raises:
            ExceptionGroup: If cells failed; one `ChapterError` a chapter.
        """
        return asyncio.run(self._run(list(paths)))

    def run_again(self, paths: Iterable[Path]) -> dict[Path, NotebookNode]:
        """Returns each chapter with the outputs of another execution, whatever the cache keeps.

        Its kernels hash strings otherwise, so that the outputs show any order of a set.

        Raises:
            ExceptionGroup: If cells failed; one `ChapterError` a chapter.
        """
        return asyncio.run(self._run(list(paths), again=True))

    def load(self, path: Path) -> NotebookNode | None:
        """Returns what the cache has of a chapter, fresh or stale; its metadata hold the key."""
        file = self._file(path)
        # To validate megabytes of what was written here takes longer than all else.
        return nbformat.v4.reads(file.read_text()) if file.exists() else None

    def lock(self, path: Path) -> IO[str] | None:
        """Takes what one process alone can have for each chapter; none if another one has it.

        Closing the file gives it back, and so does the end of the process.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        file = self._file(path).with_suffix(".lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    async def _run(self, paths: list[Path], again: bool = False) -> dict[Path, NotebookNode]:
        notebooks = {path: read(path) for path in paths}
        keys = {path: fingerprint(notebooks[path], self.package) for path in paths}
        stale: list[tuple[float, Path]] = []
        for path, notebook in notebooks.items():
            stored = self.load(path)
            if stored and stored.metadata.book.key == keys[path] and not again:
                with_outputs(notebook, stored)
            else:
                stale.append((stored.metadata.book.seconds if stored else float("inf"), path))
        stale.sort(reverse=True)  # longest first packs the cores best
        if stale:
            log.info("Running %d of %d chapters", len(stale), len(paths))
        cores = asyncio.Semaphore(available_cores())

        async def one(path: Path) -> None:
            async with cores:
                if again:
                    await self._execute(path, notebooks[path], hash_seed=1)
                else:
                    await self.execute(path, notebooks[path], keys[path])

        results = await asyncio.gather(*(one(path) for _, path in stale), return_exceptions=True)
        for result in results:
            if result and not isinstance(result, ChapterError):
                raise result
        if errors := [result for result in results if isinstance(result, ChapterError)]:
            raise ExceptionGroup("cells failed", errors)
        return notebooks

    async def execute(
        self, path: Path, notebook: NotebookNode, key: str, watch: Watch | None = None
    ) -> None:
        """Executes a chapter in a kernel of its own, and keeps it in the cache under `key`.

        Args:
            path: Where the chapter is.
            notebook: The chapter, which receives the outputs.
            key: Its fingerprint.
            watch: Called after each cell with its number, itself and its seconds.

        Raises:
            ChapterError: If a cell fails.
        """
        seconds = await self._execute(path, notebook, watch=watch)
        if fingerprint(notebook, self.package) != key:
            return  # the package changed meanwhile: what ran belongs to no key
        notebook.metadata.book = {"key": key, "seconds": round(seconds, 2)}
        self.cache.mkdir(parents=True, exist_ok=True)
        partial = self._file(path).with_suffix(f".{os.getpid()}")
        nbformat.write(notebook, partial)
        partial.replace(self._file(path))

    async def _execute(
        self, path: Path, notebook: NotebookNode, watch: Watch | None = None, hash_seed: int = 0
    ) -> float:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            manager = AsyncKernelManager(
                # Over TCP two kernels can be given one port; over IPC, one socket name.
                transport="ipc",
                ip=os.path.join(folder, "kernel"),
                # No kernel that a user installed, but the one of this interpreter.
                kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            )
            client = NotebookClient(
                notebook,
                km=manager,
                timeout=CELL_TIMEOUT,
                coalesce_streams=True,
                resources={"metadata": {"path": folder}},
                shutdown_kernel="immediate" if self.background else "graceful",
            )
            environment = os.environ | {
                "PYTHONPATH": os.pathsep.join([str(self.root), os.environ.get("PYTHONPATH", "")]),
                "PYTHONHASHSEED": str(hash_seed),
                "OMP_NUM_THREADS": "1",  # a chapter a core
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "IPYTHONDIR": folder,  # no user's settings
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            }
            options: dict[str, Any] = {"env": environment}
            if self.background:
                # A server that watches the package takes what Python writes there for edits.
                environment["PYTHONDONTWRITEBYTECODE"] = "1"
                options["stderr"] = subprocess.DEVNULL  # where one that is ended complains
            try:
                async with client.async_setup_kernel(cleanup_kc=True, **options):
                    if self.background:
                        process: Any = manager.provisioner
                        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
                    for number, cell in enumerate(code_cells(notebook), start=1):
                        cell_start = time.perf_counter()
                        problem = await execute_cell(client, cell, notebook.cells.index(cell))
                        if watch:
                            watch(number, cell, time.perf_counter() - cell_start)
                        if problem:
                            raise ChapterError(path, number, cell.source, problem)
            finally:
                if client.km:  # given up while its kernel started
                    await client._async_cleanup_kernel()
                if manager.has_kernel:  # or while that ended
                    await manager.shutdown_kernel(now=True)
                atexit.unregister(client._cleanup_kernel)
        seconds = time.perf_counter() - start
        log.info("%s ran in %.1f s", path.name, seconds)
        return seconds

    def _file(self, path: Path) -> Path:
        return self.cache / f"{path.stem}.ipynb"


def available_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def execute_cell(client: NotebookClient, cell: NotebookNode, index: int) -> str:
    """Executes one cell, and returns what went wrong, or nothing."""
    try:
        await client.async_execute_cell(cell, index)
    except CellExecutionError as error:
        lines = FAILED_LINE.findall(TERMINAL_COLORS.sub("", error.traceback))
        where = f" in line {lines[0]}" if lines else ""
        return f"{error.ename}{where}: {TERMINAL_COLORS.sub('', error.evalue)}"
    except CellTimeoutError:
        return f"took longer than {CELL_TIMEOUT} seconds"
    except DeadKernelError:
        return "the kernel died (out of memory?)"
    errors = "".join(o.text for o in cell.outputs if o.get("name") == "stderr")
    if noise := PROGRESS.sub("", errors).strip():
        return f"wrote to stderr: {noise}"
    return ""


def with_outputs(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Gives the code cells of `notebook` the outputs of the same cells in `executed`."""
    for cell, done in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell.outputs = done.outputs
    return notebook
