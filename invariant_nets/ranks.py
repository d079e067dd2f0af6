r"""The ranks of a program: the processes that run it together, and how they agree.

`torchrun` starts $K$ processes of one script. Each does its part of the work and communicates
through collective operations, which all of them must call in the same order: if one does not call,
the others wait. So an error or an interrupt that ends the work of one rank is reported to all ranks
at the next operation.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from invariant_nets._arguments import int_at_least, positive_int

Result = TypeVar("Result")

# A rank that was killed is noticed at once, by its closed connection; one that hangs, by this.
TIMEOUT = timedelta(minutes=5)


def join_ranks() -> None:
    r"""Start the process group that a launcher such as `torchrun` has prepared, if there is one.

    Does nothing in a program of a single process, or if the process group is started already. It
    uses gloo for tensors on the CPU and nccl for those on GPUs. A rank that does not answer for
    five minutes ends the others; for another limit, start the process group yourself, with
    `torch.distributed.init_process_group`.

    Raises:
        RuntimeError: if the other ranks are not found within that time.

    Example:
        >>> join_ranks()
        >>> Ranks().size
        1

    Appendix B divides batches and groups among such ranks.
    """
    if not dist.is_available() or dist.is_initialized():
        return
    launched = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    if not launched or int(os.environ["WORLD_SIZE"]) == 1:
        return
    store, rank, size = next(dist.rendezvous("env://", timeout=TIMEOUT))  # type: ignore[attr-defined]
    # torchrun keeps its store when it restarts the ranks, with the addresses of those that died.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = dist.PrefixStore(attempt, store)  # type: ignore[attr-defined]
    dist.init_process_group(store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    atexit.register(_leave)


def _leave() -> None:
    # Its threads must not outlive the interpreter, and run on while objects in a cycle hold it.
    if dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()


class Ranks:
    r"""All ranks of the program; a single one, if there is no process group.

    Args:
        process_group: the ranks among which data is divided; all by default. In a mesh whose other
            axis divides something else, several ranks have the same part.

    Attributes:
        size: how many ranks the program has.
        number: the number of this one.
        part: the number of this rank among those that divide the data, and how many those are.

    Raises:
        ValueError: if this rank is not in `process_group`.

    Example:
        >>> ranks = Ranks()
        >>> ranks.first, ranks.part, ranks.gather([1.0, 2.0])
        (True, (0, 1), [[1.0, 2.0]])

    Appendix B divides the sum of an average among ranks.
    """

    def __init__(self, process_group: dist.ProcessGroup | None = None) -> None:
        started = dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size() if started else 1
        self.number = dist.get_rank() if started else 0
        self.part = (self.number, self.size)
        if process_group is not None:
            self.part = (dist.get_rank(process_group), dist.get_world_size(process_group))
            if self.part[0] < 0:
                raise ValueError(f"process_group must have rank {self.number} among its ranks")

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes files and shows progress."""
        return self.number == 0

    def gather(
        self, values: Sequence[float], device: torch.device | None = None
    ) -> list[list[float]]:
        """Return the numbers of every rank, in the order of the ranks: the same on all of them.

        Args:
            values: as many on every rank.
            device: where the collective operation takes place; the CPU by default.
        """
        if self.size == 1:
            return [list(values)]
        own = torch.tensor(values, dtype=torch.float64, device=device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        with _explained():
            dist.all_gather(every, own)
        rows: list[list[float]] = torch.stack(every).tolist()
        return rows

    def gather_objects(self, value: Result) -> list[Result]:
        """Return the value of every rank, in the order of the ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _explained():
            dist.all_gather_object(values, value)
        return values

    def from_first(self, function: Callable[[], Result]) -> Result:
        """Call a function on the first rank only; every rank gets its result, or raises its error.

        Example:
            >>> Ranks().from_first(lambda: "read once")
            'read once'
        """
        if self.size == 1:
            return function()
        outcome: list[Any] = [None, None]
        if self.first:
            try:
                outcome[0] = function()
            except Exception as error:
                outcome[1] = error
        with _explained():
            dist.broadcast_object_list(outcome, src=0)
        result, problem = outcome
        if problem is not None:
            raise problem
        return result  # type: ignore[no-any-return]

    def together(self, function: Callable[[], Result]) -> Result:
        """Call a function on every rank; if it fails on one, it fails on all.

        Raises:
            RuntimeError: if it failed on another rank; the message is that rank's.
        """
        problem: Exception | None = None
        try:
            result = function()
        except Exception as error:
            problem = error
        problems = self.gather_objects("" if problem is None else repr(problem))
        if problem is not None:
            raise problem
        for number, message in enumerate(problems):
            if message:
                raise RuntimeError(f"rank {number} failed: {message}")
        return result

    @contextlib.contextmanager
    def deferred_interrupt(self) -> Iterator[Callable[[], bool]]:
        """Keep Ctrl-C from cutting a collective operation; the value says whether it came.

        A second one is not kept back. A single process is interrupted as ever.
        """
        came: list[int] = []

        def note(number: int, frame: FrameType | None) -> None:
            if came:
                raise KeyboardInterrupt
            came.append(number)

        if self.size == 1 or threading.current_thread() is not threading.main_thread():
            yield lambda: False
            return
        before = signal.signal(signal.SIGINT, note)
        try:
            yield lambda: bool(came)
        finally:
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        message = "another rank ended or does not answer, and so the work of all ends"
        raise RuntimeError(f"{message} ({error})") from error


def shard(length: int, rank: int, ranks: int) -> range:
    r"""Return the part of a sequence that one of several ranks works on.

    $$\Bigl\{ \bigl\lfloor \tfrac{r L}{K} \bigr\rfloor, \dots,
    \bigl\lfloor \tfrac{(r+1) L}{K} \bigr\rfloor - 1 \Bigr\}$$

    The $K$ parts follow each other, cover the sequence, and differ in length by at most one; where
    there are more ranks than items, some are empty.

    Args:
        length: the length $L$ of the sequence, at least 0.
        rank: the number $r$ of the rank, from 0.
        ranks: how many ranks $K$ there are, at least 1.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> [shard(10, rank, 3) for rank in range(3)]
        [range(0, 3), range(3, 6), range(6, 10)]

    Derived in appendix B.
    """
    length, ranks = int_at_least("length", length, 0), positive_int("ranks", ranks)
    rank = int_at_least("rank", rank, 0)
    if rank >= ranks:
        raise ValueError(f"rank must be below ranks={ranks}, got {rank}")
    return range(length * rank // ranks, length * (rank + 1) // ranks)
