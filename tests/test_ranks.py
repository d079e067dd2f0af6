"""What the ranks of a program tell each other, and that none of them goes on alone."""

import os
import signal
import subprocess
import threading
import time

import pytest
import torch
import torch.distributed as dist
from tqdm import tqdm

from invariant_nets import CheckpointError, Ranks, join_ranks
from tests.ranks import TORCHRUN, RanksError, on_ranks, outcome

K = 3


def test_one_process_is_the_only_rank():
    ranks = Ranks()
    assert (ranks.size, ranks.number, ranks.part, ranks.first) == (1, 0, (0, 1), True)
    assert ranks.gather([1.5, 2.0]) == [[1.5, 2.0]]
    assert ranks.gather_objects("it") == ["it"]
    assert ranks.from_first(lambda: 7) == ranks.together(lambda: 7) == 7
    with ranks.deferred_interrupt() as interrupted:
        assert not interrupted()


def test_every_rank_knows_what_all_have():
    def exchange():
        ranks = Ranks()
        return ranks.number, ranks.gather([ranks.number, 0.1]), ranks.gather_objects({ranks.number})

    for number, result in enumerate(on_ranks(K, exchange)):
        assert result == (number, [[0, 0.1], [1, 0.1], [2, 0.1]], [{0}, {1}, {2}])


def test_numbers_are_exchanged_to_the_last_bit():
    gathered = on_ranks(2, lambda: Ranks().gather([1 / 3, float("nan"), 1e300]))[1]
    assert gathered[0][0] == 1 / 3
    assert gathered[0][2] == 1e300


def test_only_the_first_rank_calls_and_all_have_its_result():
    def read():
        return Ranks().from_first(os.getpid), os.getpid()

    results = on_ranks(K, read)
    assert {found for found, _ in results} == {results[0][1]}


@pytest.mark.parametrize("error", [CheckpointError("torn"), OSError(28, "No space left")])
def test_an_error_of_the_first_rank_is_raised_on_all(error):
    def fail():
        raise error

    results = on_ranks(K, lambda: outcome(lambda: Ranks().from_first(fail)))
    assert [type(result) for result in results] == [type(error)] * K
    assert {str(result) for result in results} == {str(error)}


def test_an_error_of_any_rank_ends_what_all_do_together():
    def fail_on_the_second():
        if Ranks().number == 1:
            raise ValueError("its own")
        return "done"

    results = on_ranks(K, lambda: outcome(lambda: Ranks().together(fail_on_the_second)))
    assert isinstance(results[1], ValueError)
    for result in (results[0], results[2]):
        assert isinstance(result, RuntimeError)
        assert "rank 1 failed: ValueError('its own')" in str(result)


def test_a_mesh_divides_data_along_one_axis():
    def parts():
        mesh = dist.device_mesh.init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "group"))
        return Ranks(mesh.get_group("data")).part, Ranks().part

    expected = [((0, 2), (0, 4)), ((0, 2), (1, 4)), ((1, 2), (2, 4)), ((1, 2), (3, 4))]
    assert on_ranks(4, parts) == expected


def test_a_process_group_without_this_rank_is_refused():
    def outside():
        group = dist.new_group([0])
        return outcome(lambda: Ranks(group).part)

    inside, refused = on_ranks(2, outside)
    assert inside == (0, 1)
    assert isinstance(refused, ValueError)
    assert "process_group must have rank 1" in str(refused)


def test_a_dead_rank_is_noticed_at_once():
    def die():
        if Ranks().number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        Ranks().gather([0.0])

    start = time.perf_counter()
    with pytest.raises(RanksError) as caught:
        on_ranks(2, die)
    assert "rank 0: " in str(caught.value)
    assert "another rank ended or does not answer" in str(caught.value)
    assert "rank 1: it died" in str(caught.value)
    assert time.perf_counter() - start < 60  # not a speed: torch's own limit is half an hour


@pytest.mark.slow
def test_a_rank_that_hangs_is_noticed_after_the_limit():
    def sleep():
        if Ranks().number == 1:
            time.sleep(1000)
        Ranks().gather([0.0])

    with pytest.raises(RanksError, match="another rank ended or does not answer") as caught:
        on_ranks(2, sleep, limit=2)
    assert "rank 1: it hung" in str(caught.value)
    assert "in sleep" in str(caught.value)


@pytest.mark.slow
def test_a_rank_that_does_not_end_is_noticed_after_the_limit():
    def stay():
        if Ranks().number == 1:
            threading.Thread(target=time.sleep, args=(1000,)).start()

    with pytest.raises(RanksError, match="rank 1: it answered, but did not end") as caught:
        on_ranks(2, stay, limit=2)
    assert "in _shutdown" in str(caught.value)


def test_a_rank_that_is_killed_keeps_no_lock():
    def die():
        with tqdm.get_lock():
            os.kill(os.getpid(), signal.SIGKILL)

    locks = tqdm.get_lock().locks
    with pytest.raises(RanksError, match="it died"):
        on_ranks(1, die)
    for lock in locks:
        assert lock.acquire(timeout=5)
        lock.release()


def test_an_interrupt_waits_until_it_is_asked_for():
    def interrupted_once():
        with Ranks().deferred_interrupt() as interrupted:
            before = interrupted()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            after = interrupted()
        return before, after, signal.getsignal(signal.SIGINT) is signal.default_int_handler

    assert on_ranks(2, interrupted_once) == [(False, True, True)] * 2


def test_a_second_interrupt_does_not_wait():
    def interrupted_twice():
        try:
            with Ranks().deferred_interrupt():
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
        except KeyboardInterrupt:
            return "interrupted"

    assert on_ranks(2, interrupted_twice) == ["interrupted"] * 2


def test_without_a_launcher_nothing_is_started(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    join_ranks()
    assert not dist.is_initialized()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    join_ranks()
    assert not dist.is_initialized()


@pytest.mark.slow
def test_the_ranks_of_a_launcher_find_each_other(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from invariant_nets.ranks import Ranks, join_ranks\n"
        "join_ranks(); join_ranks()\n"
        "ranks = Ranks()\n"
        "rows = ranks.gather([ranks.number])\n"
        "if ranks.first: print(rows)\n"
    )
    done = subprocess.run([*TORCHRUN, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[0.0], [1.0]]"


def test_the_helper_of_these_tests_reports_what_fails():
    with pytest.raises(RanksError, match="rank 1: "):
        on_ranks(2, lambda: torch.ones(2)[Ranks().number * 5])
