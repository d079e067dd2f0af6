"""Every rank trains the same weights, whatever it began with."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from invariant_nets import MODELS, BinaryTrainer, Ranks, build_model
from invariant_nets.training.data_parallel import DataParallel
from tests.ranks import on_ranks

CPU = torch.device("cpu")


def data(size=24):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(size, 4, 3, generator=source)
    return [(x, (x.sum((1, 2)) > 0).float()[:, None])]


def weights_after(model, epochs=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit(data(), data(), epochs)
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_one_rank_calls_the_model_itself():
    model = nn.Linear(2, 1)
    x = torch.ones(3, 2)
    assert torch.equal(DataParallel(model, Ranks(), CPU)(x, None), model(x))


def test_every_model_trains_on_two_ranks():
    def train(name):
        torch.manual_seed(0)
        return weights_after(build_model(name, 4, 3), epochs=2)

    first, second = on_ranks(2, lambda: {name: train(name) for name in MODELS})
    for name, weights in first.items():
        assert all(torch.equal(weights[key], second[name][key]) for key in weights), name


def test_the_ranks_begin_with_the_first_ones_weights():
    def train(seed):
        torch.manual_seed(seed())
        return weights_after(nn.Sequential(nn.Flatten(), nn.Linear(12, 1)))

    alone = train(lambda: 0)
    for weights in on_ranks(2, lambda: train(lambda: Ranks().number)):
        torch.testing.assert_close(weights, alone)


def test_running_statistics_are_shared():
    def train():
        torch.manual_seed(0)
        return weights_after(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 1)))

    first, second = on_ranks(2, train)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert first["1.num_batches_tracked"] == 3


def test_a_parameter_without_use_is_named():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(12, 1)
            self.idle = nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x.flatten(1))

    def train():
        with pytest.raises(ValueError, match=r"idle\.weight, idle\.bias: freeze them"):
            weights_after(Unused())
        model = Unused()
        model.idle.requires_grad_(False)
        weights_after(model)
        return True

    assert on_ranks(2, train) == [True, True]
    weights_after(Unused())  # a single process needs no such thing


def test_a_model_that_is_data_parallel_already_is_refused():
    def refuse():
        model = DistributedDataParallel(nn.Linear(2, 1))
        with pytest.raises(TypeError, match="model must be the module itself"):
            BinaryTrainer(model, nn.BCEWithLogitsLoss(), torch.optim.SGD(model.parameters()))
        return True

    assert on_ranks(1, refuse) == [True]
