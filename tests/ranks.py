"""Runs a function on several ranks: processes of one machine that talk by gloo."""

import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch._dynamo  # optimizers import it, and each forked process would anew
import torch.distributed as dist
from tqdm import tqdm

SECONDS = 120
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


class RanksError(AssertionError):
    """One rank or more raised, or hung; the message has their tracebacks."""


def on_ranks(ranks, function, *arguments, limit=SECONDS):
    """Call `function(*arguments)` on every rank, and return what each returned, in their order.

    The processes are forked, so that `function` may be a closure; what it returns is pickled. One
    that does not answer for `limit` seconds ends the others, and so does one that stays as long
    after the last answer.
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
                if pipe.poll(seconds):
                    good, result = pickle.loads(pipe.recv_bytes())
                else:
                    good, result = False, f"it hung\n{_stacks(processes[rank], folder)}"
            except EOFError:
                good, result = False, "it died"
            results.append(result)
            if not good:
                problems.append(f"rank {rank}: {result}")
                seconds = 5
        end = time.monotonic() + limit
        for rank, process in enumerate(processes):
            if not problems:
                process.join(max(0.0, end - time.monotonic()))
                if process.is_alive():
                    stacks = _stacks(process, folder)
                    problems.append(f"rank {rank}: it answered, but did not end\n{stacks}")
            process.kill()
            process.join()
        if problems:
            raise RanksError("\n".join(problems))
        return results


def outcome(function):
    """What a function returns, or the error that it raises."""
    try:
        return function()
    except Exception as error:
        return error


def stand_alone():
    """Makes a forked process compute on one core, and share no lock with the one that forked it.

    Otherwise tqdm's lock is shared, and a process that is killed while it holds it never gives it
    back: the next bar waits forever.
    """
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())


def _stacks(process, folder):
    """Asks a process what each of its threads is doing."""
    os.kill(process.pid, signal.SIGUSR1)
    time.sleep(1)  # it has no way to say that it is done
    file = Path(folder) / str(process.pid)
    return file.read_text() if file.exists() else "(before it began)"


def _rank(rank, ranks, folder, limit, pipe, function, arguments):
    # Python may be what hangs; this is written without it.
    faulthandler.register(signal.SIGUSR1, (Path(folder) / str(os.getpid())).open("w"))
    stand_alone()
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
