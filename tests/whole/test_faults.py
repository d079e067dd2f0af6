"""Jobs of two ranks, started as users start them, in which something goes wrong."""

import os
import signal
import subprocess
import textwrap
import time

import pytest
import torch

from invariant_nets.training.resuming.checkpoint import LAST
from tests.ranks import TORCHRUN

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]
SECONDS = 180  # a job that hangs fails the test

# On rank 1, once, after the third epoch, something happens in the data.
SCRIPT = textwrap.dedent("""
    import os, signal, sys, time
    from pathlib import Path
    import torch
    from torch import nn
    from torch.utils.data import DataLoader
    from invariant_nets import BinaryTrainer, GaussianDataset, intrinsic

    folder, fault = Path(sys.argv[1]), sys.argv[2]
    rank, restarts = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]

    class Data(GaussianDataset):
        accesses = 0

        def __getitems__(self, indices):
            Data.accesses += 1
            if rank == "1" and restarts == "0" and Data.accesses == 13:
                if fault == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                if fault == "raises":
                    raise OSError("the disk is gone")
            if fault == "slow":
                time.sleep(0.05)
            return super().__getitems__(indices)

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = intrinsic(6, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    train = Data(64, (6, 2), 1.0, 0.3, static=False)
    test = GaussianDataset(64, (6, 2), 1.0, 0.3, static=True)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer, log=True)
    loaders = DataLoader(train, 16, shuffle=True), DataLoader(test, 64)
    history = trainer.fit(*loaders, 12, checkpoint=folder / "run")
    torch.save(model.state_dict(), folder / f"weights{rank}.pt")
    # In one write: the launcher's ranks are unbuffered, and print would write a line's end apart.
    sys.stdout.write(f"rank {rank} {history.stopped} after {history.num_epochs}\\n")
""")


def start(folder, fault, *options):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = [*TORCHRUN, *options, script, folder, fault]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(job):
    try:
        output, errors = job.communicate(timeout=SECONDS)
    finally:
        job.kill()
    return job.returncode, output, errors


def weights(folder, rank=0):
    return torch.load(folder / f"weights{rank}.pt", weights_only=True)


def same(first, second):
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    code, output, errors = end(start(folder, "none"))
    assert code == 0, errors
    assert sorted(output.splitlines()) == [
        f"rank {rank} all 12 epochs done after 12" for rank in (0, 1)
    ]
    assert errors.count("fit: 100%") >= 1
    assert errors.count("fit:   0%") == 1  # one bar, of the first rank
    same(weights(folder, 0), weights(folder, 1))
    return weights(folder)


@pytest.mark.parametrize("fault", ["killed", "raises"])
def test_after_a_rank_is_lost_a_restart_ends_with_the_same_weights(tmp_path, undisturbed, fault):
    code, output, errors = end(start(tmp_path, fault, "--max-restarts=1"))
    assert code == 0, errors
    assert "rank 0 all 12 epochs done after 12" in output
    assert "3/12" in errors  # the restart began after the third epoch
    same(weights(tmp_path), undisturbed)


def test_without_restarts_a_lost_rank_ends_the_job_with_a_message(tmp_path, undisturbed):
    code, output, errors = end(start(tmp_path, "killed"))
    assert code != 0
    assert not output
    # Which of the two the launcher finds first, the dead rank or the other, is chance.
    assert "Signal 9 (SIGKILL)" in errors or "another rank ended" in errors or "by peer" in errors
    # What was done is not lost.
    code, _, errors = end(start(tmp_path, "none"))
    assert code == 0, errors
    same(weights(tmp_path), undisturbed)


def test_ctrl_c_ends_the_job_and_loses_nothing(tmp_path, undisturbed):
    job = start(tmp_path, "slow")
    begun = time.monotonic()
    while not (tmp_path / "run" / LAST).exists():
        if job.poll() is not None or time.monotonic() - begun > SECONDS:
            pytest.fail(str(end(job)))
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGINT)
    code, _, _ = end(job)
    assert code != 0
    code, output, errors = end(start(tmp_path, "none"))
    assert code == 0, errors
    assert "rank 0 all 12 epochs done after 12" in output
    same(weights(tmp_path), undisturbed)
