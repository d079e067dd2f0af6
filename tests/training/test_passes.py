"""A pass on many ranks: what ends it on one ends it on all, with a reason."""

import math
import os
import signal

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from invariant_nets import BinaryTrainer, Ranks, Task
from invariant_nets.training.batches import ShardedBatches
from invariant_nets.training.passes import Passes, _agreed, _Step
from tests.ranks import on_ranks

SAMPLES = 10


class Sets(Dataset):
    """Sets of one number; `at` says what happens instead at a sample."""

    def __init__(self, at=None):
        self.at = at or {}

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        if index >= SAMPLES:
            raise IndexError
        happens = self.at.get(index, lambda: None)()
        value = math.nan if happens == "nan" else index / SAMPLES
        return torch.tensor([[value]]), torch.tensor([float(index % 2)])


def fit(data, epochs=3, rank_of=lambda: Ranks().number):
    """Fit a linear model, and return the error or the end, and the weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1))
    trainer = BinaryTrainer(
        model, nn.BCEWithLogitsLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
    )
    test = [(torch.ones(2, 1, 1), torch.ones(2, 1))]
    try:
        end = trainer.fit(DataLoader(data(rank_of()), 5), test, epochs).stopped
    except Exception as error:
        end = error
    return end, [p.tolist() for p in model.parameters()], trainer.history.num_epochs


def test_means_are_those_of_all_samples():
    x = torch.linspace(-1, 1, 7).reshape(7, 1, 1)
    y = (torch.arange(7.0) % 2)[:, None]
    model = nn.Flatten()

    def means():
        passes = Passes(model, Task.binary(), torch.device("cpu"), Ranks(), lambda: False)
        return passes.test(ShardedBatches([(x[:4], y[:4]), (x[4:], y[4:])], Ranks()), 1)

    loss = nn.functional.binary_cross_entropy_with_logits(x[:, 0], y).item()
    accuracy = ((x[:, 0] > 0) == (y > 0.5)).double().mean().item()
    for ranks in (1, 2, 3, 5):
        for found in on_ranks(ranks, means):
            assert found == pytest.approx((loss, accuracy), rel=1e-6)


def test_what_a_dataset_raises_on_one_rank_ends_all():
    def broken(rank):
        def fail():
            raise OSError(5, "the disk is gone")

        return Sets({8: fail})  # the last of the second batch, of the second rank

    (first, weights, epochs), (second, same, _) = on_ranks(2, lambda: fit(broken))
    assert isinstance(second, OSError)
    assert "the disk is gone" in str(second)
    assert isinstance(first, RuntimeError)
    assert "rank 1 failed" in str(first)
    assert (weights, epochs) == (same, 0)


def test_a_dataset_that_raises_ends_a_single_process_with_its_own_error():
    def fail():
        raise OSError(5, "the disk is gone")

    assert "the disk is gone" in str(fit(lambda rank: Sets({3: fail}))[0])


def test_nan_on_one_rank_is_the_error_of_all_and_moves_no_weights():
    def first_batch_only(rank):
        return Sets({9: lambda: "nan"})

    alone = fit(first_batch_only)
    for end, weights, epochs in on_ranks(2, lambda: fit(first_batch_only)):
        assert isinstance(end, FloatingPointError)
        assert str(end) == "the training loss became nan in epoch 1" == str(alone[0])
        torch.testing.assert_close(weights, alone[1])
        assert epochs == 0


def test_an_interrupt_of_one_rank_ends_all_alike():
    def interrupted(rank):
        seen = []

        def press():
            seen.append(rank)
            if len(seen) == 2 and rank == 1:
                os.kill(os.getpid(), signal.SIGINT)

        return Sets({4: press})  # the end of the first rank's part is 2, of the second's 4

    (first, weights, epochs), (second, same, as_many) = on_ranks(2, lambda: fit(interrupted))
    assert first == second == "interrupted"
    assert weights == same
    assert epochs == as_many == 1


def test_ranks_that_disagree_on_the_number_of_batches_are_told():
    def lengths(rank):
        return [(torch.ones(2, 1, 1), torch.ones(2, 1))] * (2 + rank)

    def uneven():
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1))
        trainer = BinaryTrainer(
            model, nn.BCEWithLogitsLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
        )
        with pytest.raises(ValueError, match="dl_train must give as many batches on every rank"):
            trainer.fit(lengths(Ranks().number), lengths(0), 1)
        return True

    assert on_ranks(2, uneven) == [True, True]


def test_a_failure_outweighs_an_interrupt_and_both_outweigh_the_end():
    with pytest.raises(RuntimeError, match="rank 2 failed"):
        _agreed([_Step.NO_BATCH, _Step.INTERRUPTED, _Step.FAILED], "dl_train")
    with pytest.raises(KeyboardInterrupt):
        _agreed([_Step.NO_BATCH, _Step.INTERRUPTED], "dl_train")
    assert _agreed([_Step.NO_BATCH] * 2, "dl_train") == _Step.NO_BATCH
    assert _agreed([_Step.DONE] * 2, "dl_train") == _Step.DONE
