"""Runs a function on several ranks: processes of one machine that talk by gloo."""

import multiprocessing
import pickle
import sys
import tempfile
import traceback
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

SECONDS = 120
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


class RanksError(AssertionError):
    """One rank or more raised, or hung; the message has their tracebacks."""


def on_ranks(ranks, function, *arguments, limit=SECONDS):
    """Call `function(*arguments)` on every rank, and return what each returned, in their order.

    The processes are forked, so that `function` may be a closure; what it returns is pickled. One
    that does not answer for `limit` seconds ends the others.
    """
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        pipes = [context.Pipe(duplex=False) for _ in range(ranks)]
        processes = [
            context.Process(
                target=_rank, args=(rank, ranks, folder, limit, pipe, function, arguments)
            )
            for rank, (_, pipe) in enumerate(pipes)
        ]
        for process in processes:
            process.start()
        for _, pipe in pipes:
            pipe.close()
        results, problems, seconds = [], [], SECONDS
        for rank, (pipe, _) in enumerate(pipes):
            try:
                good, result = (
                    pickle.loads(pipe.recv_bytes()) if pipe.poll(seconds) else (False, "it hung")
                )
            except EOFError:
                good, result = False, "it died"
            results.append(result)
            if not good:
                problems.append(f"rank {rank}: {result}")
                seconds = 5
        for process in processes:
            if problems:
                process.kill()
            process.join()
        if problems:
            raise RanksError("\n".join(problems))
        return results


def _rank(rank, ranks, folder, limit, pipe, function, arguments):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        store=dist.FileStore(str(Path(folder) / "store"), ranks),
        rank=rank,
        world_size=ranks,
        timeout=timedelta(seconds=limit),
    )
    try:
        result = True, function(*arguments)
    except BaseException:
        result = False, traceback.format_exc()
    pipe.send_bytes(pickle.dumps(result))  # by value: this process may end before it is read
    # The others may still need this rank; a failed one leaves at once.
    if result[0]:
        dist.barrier()
        dist.destroy_process_group()
