"""`BinaryTrainer.fit` on many ranks is the fit of one process."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    Ranks,
    SymmetryModel,
    build_model,
    mlp,
    symmetric_group,
)
from tests.ranks import on_ranks

pytestmark = pytest.mark.slow  # `test_data_parallel` and `test_batches` are quick
N, D = 4, 3


def fit(model="intrinsic", *, sets=50, batch=16, static=False, options=None, epochs=4, **how):
    """Fit with everything made from one seed; return the losses, the weights and the trainer."""
    torch.manual_seed(0)
    network = model() if callable(model) else build_model(model, N, D)
    train = GaussianDataset(sets, (N, D), 1.0, 0.4, static=static)
    test = GaussianDataset(30, (N, D), 1.0, 0.4, static=True)
    options = options or {}
    log = options.pop("log", False)
    group = options.pop("process_group", lambda: None)()
    trainer = BinaryTrainer(
        network,
        nn.BCEWithLogitsLoss(),
        torch.optim.Adam(network.parameters(), lr=1e-2),
        log=log,
        process_group=group,
    )
    loaders = DataLoader(train, batch, **options), DataLoader(test, 20)
    history = trainer.fit(*loaders, epochs, **how)
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    return history, weights


def numbers(history):
    return torch.tensor([epoch[:4] for epoch in history.epochs], dtype=torch.float64)


def agree(ranks, **how):
    """The ranks have one history and one set of weights, those of a single process."""
    history, weights = fit(**how)
    results = on_ranks(ranks, lambda: fit(**how))
    for theirs, their_weights in results:
        assert theirs == results[0][0]
        assert theirs.stopped == history.stopped
        torch.testing.assert_close(numbers(theirs), numbers(history), rtol=1e-5, atol=1e-6)
        for name, value in weights.items():
            assert torch.equal(their_weights[name], results[0][1][name])
            torch.testing.assert_close(their_weights[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_losses_and_weights_are_those_of_one_process(ranks, static, shuffle):
    agree(ranks, static=static, options={"shuffle": shuffle})


@pytest.mark.parametrize(
    "model", ["mlp", "sampled-mlp", "canonical-mlp", "set-transformer", "radial"]
)
def test_so_it_is_for_other_models(model):
    agree(2, model=model)


def test_so_it_is_where_the_last_batch_has_fewer_samples_than_there_are_ranks():
    agree(3, sets=17, batch=16)
    agree(3, sets=18, batch=2)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_so_it_is_with_loader_workers():
    agree(2, options={"shuffle": True, "num_workers": 2})


@pytest.mark.parametrize("patience", [1, 2])
def test_all_ranks_stop_early_together(patience):
    agree(2, epochs=30, early_stopping=patience)


def test_the_gradient_of_unequal_parts_is_weighted():
    """The mean of the parts' means, which is wrong, would be seen here."""
    x = torch.tensor([[[0.0]], [[0.0]], [[3.0]]])
    y = torch.tensor([[0.0], [0.0], [1.0]])

    def step():
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False))
        nn.init.zeros_(model[1].weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit([(x, y)], [(x, y)], 1)
        return model[1].weight.item()

    expected = 3 * 0.5 / 3  # one sample of three has a gradient, of -3/2
    mean_of_means = 0.5 * (0 + 3 * 0.5 / 2)
    assert expected != mean_of_means
    assert on_ranks(2, step) == pytest.approx([expected] * 2)


def test_both_kinds_of_parallelism_compose():
    def averaged(group=None):
        return SymmetryModel(mlp(N, D), symmetric_group(N), process_group=group)

    def on_a_mesh():
        mesh = dist.device_mesh.init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "group"))
        options = {"process_group": lambda: mesh.get_group("data")}
        return fit(lambda: averaged(mesh.get_group("group")), options=options)

    history, weights = fit(averaged)
    results = on_ranks(4, on_a_mesh)
    for theirs, their_weights in results:
        assert theirs == results[0][0]
        torch.testing.assert_close(numbers(theirs), numbers(history), rtol=1e-5, atol=1e-6)
        for name, value in weights.items():
            assert torch.equal(their_weights[name], results[0][1][name])
            torch.testing.assert_close(their_weights[name], value, rtol=1e-4, atol=1e-5)


def test_ranks_with_other_weights_begin_with_the_first_ones_in_a_mesh_too():
    def averaged():
        with torch.random.fork_rng():  # the data are the same, the weights are not
            torch.manual_seed(Ranks().number)
            return SymmetryModel(mlp(N, D), symmetric_group(N), process_group=dist.group.WORLD)

    def on_one_axis():
        mesh = dist.device_mesh.init_device_mesh("cpu", (1, 2), mesh_dim_names=("data", "group"))
        return fit(averaged, options={"process_group": lambda: mesh.get_group("data")}, epochs=1)

    (_, first), (_, second) = on_ranks(2, on_one_axis)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_one_rank_shows_progress(tmp_path):
    def shown():
        with open(tmp_path / str(Ranks().number), "w") as file, pytest.MonkeyPatch.context() as p:
            p.setattr("sys.stderr", file)
            fit(options={"log": True})

    on_ranks(2, shown)
    assert "100%" in (tmp_path / "0").read_text()
    assert (tmp_path / "1").read_text() == ""


def test_each_rank_of_a_machine_has_its_own_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(nn.Module, "to", lambda self, device: self)
    model = mlp(N, D)
    optimizer = torch.optim.SGD(model.parameters())
    for chosen, device in [("cuda", "cuda:1"), ("cuda:0", "cuda:0"), ("cpu", "cpu"), (None, "cpu")]:
        trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer, chosen)
        assert trainer.device == torch.device(device)
