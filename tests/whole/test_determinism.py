"""The same seed gives the same weights and the same history, to the last bit."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import MODELS, BinaryTrainer, GaussianDataset, build_model

# The machine may have fewer cores than a test has workers.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
N, D, EPOCHS = 5, 3, 3
SHUFFLES = {
    "in order": lambda: {},
    "shuffled": lambda: {"shuffle": True},
    "shuffled by a generator": lambda: {
        "shuffle": True,
        "generator": torch.Generator().manual_seed(7),
    },
}


def fit(name="sampled-mlp", seed=0, static=False, order=dict, **workers):
    """Trains a model that one seed starts, and returns what it has become and its history."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Dropout(0.1), build_model(name, N, D))
    train, test = (GaussianDataset(size, (N, D), 1.0, 0.3, static) for size in (48, 32))
    loaders = [DataLoader(data, 8, **order(), **workers) for data in (train, test)]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    history = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit(*loaders, EPOCHS)
    weights = hashlib.sha256()
    for key, tensor in model.state_dict().items():
        weights.update(key.encode() + tensor.numpy().tobytes())
    epochs = [[value.hex() for value in epoch[:-1]] for epoch in history.epochs]  # not the seconds
    # And so does the next random number.
    return {"weights": weights.hexdigest(), "epochs": epochs, "next": torch.rand(()).item().hex()}


def test_the_same_seed_gives_the_same_weights_in_every_process():
    fresh = [
        subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    here = {name: fit(name) for name in MODELS}
    assert here == {name: fit(name) for name in MODELS}
    for process in fresh:
        output, _ = process.communicate(timeout=300)
        assert json.loads(output) == here


@pytest.mark.parametrize("name", ["intrinsic", "sampled-mlp"])
def test_another_seed_gives_other_weights(name):
    first, second = fit(name), fit(name, seed=1)
    assert first["weights"] != second["weights"]
    assert first["epochs"] != second["epochs"]


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("order", SHUFFLES.values(), ids=SHUFFLES)
def test_the_number_of_loader_workers_changes_nothing(static, order):
    alone = fit(static=static, order=order)
    for workers in (1, 2, 3):
        assert fit(static=static, order=order, num_workers=workers) == alone, workers


@pytest.mark.parametrize("order", SHUFFLES.values(), ids=SHUFFLES)
@pytest.mark.parametrize("ahead", [1, 5])
def test_workers_that_stay_and_work_ahead_change_nothing(order, ahead):
    options = {"num_workers": 2, "persistent_workers": True, "prefetch_factor": ahead}
    assert fit(order=order, **options) == fit(order=order)


def test_workers_that_are_started_anew_change_nothing():
    options = {"num_workers": 2, "persistent_workers": True, "multiprocessing_context": "spawn"}
    order = SHUFFLES["shuffled"]
    assert fit(order=order, **options) == fit(order=order)


if __name__ == "__main__":
    print(json.dumps({name: fit(name) for name in MODELS}))
