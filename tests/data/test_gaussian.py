import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chi2, kstest
from torch import nn
from torch.utils.data import DataLoader, Subset

from invariant_nets import GaussianDataset, bayes_accuracy, bayes_loss
from tests.defaults import other_default

# The machine may have fewer cores than a test has workers.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def gaussian(num_samples=32, shape=(3, 2), var1=1.0, var2=0.5, static=False, seed=0):
    return GaussianDataset(num_samples, shape, var1, var2, static, seed)


def everything(data):
    samples = data.__getitems__(range(len(data)))
    return torch.stack([x for x, _ in samples]), torch.stack([y for _, y in samples])


def epochs(data, num_epochs=2, **options):
    loader = DataLoader(data, batch_size=8, **options)
    return [list(loader) for _ in range(num_epochs)]


def same(first, second):
    return all(
        torch.equal(a, b)
        for a, b in zip(
            itertools.chain.from_iterable(itertools.chain.from_iterable(first)),
            itertools.chain.from_iterable(itertools.chain.from_iterable(second)),
            strict=True,
        )
    )


@pytest.mark.parametrize("static", [True, False])
def test_a_sample_is_a_set_and_a_label_of_shape_one(static):
    x, y = gaussian(shape=(7, 3), static=static)[0]
    assert (x.shape, x.dtype) == ((7, 3), torch.float32)
    assert (y.shape, y.dtype) == ((1,), torch.float32)


@pytest.mark.parametrize("num_samples", [1, 2, 31, 32])
def test_labels_are_balanced(num_samples):
    _, y = everything(gaussian(num_samples))
    assert set(y.unique().tolist()) <= {0.0, 1.0}
    assert abs(y.sum().item() - num_samples / 2) <= 0.5


def test_every_batch_of_even_size_is_balanced_without_shuffling():
    loader = DataLoader(gaussian(64), batch_size=8)
    assert [y.sum().item() for _, y in loader] == [4.0] * 8


def test_labels_are_shuffled():
    _, y = everything(gaussian(4000))
    first = y[::2, 0]
    assert binomtest(int(first.sum()), 2000).pvalue > 1e-3
    repeats = int((first[1:] == first[:-1]).sum())
    assert binomtest(repeats, 1999).pvalue > 1e-3


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(("label", "variance"), [(0.0, 4.0), (1.0, 0.25)])
def test_the_numbers_are_variances_of_gaussians(static, label, variance):
    x, y = everything(gaussian(4000, var1=4.0, var2=0.25, static=static))
    entries = x[y[:, 0] == label].flatten()
    assert kstest(entries.numpy(), "norm", args=(0.0, variance**0.5)).pvalue > 1e-3
    total = entries.double().square().sum().item() / variance
    assert 1e-3 < chi2.cdf(total, len(entries)) < 1 - 1e-3


def test_the_entries_of_a_set_are_independent():
    x, _ = everything(gaussian(8000, shape=(3, 2), var1=1.0, var2=1.0))
    correlation = np.corrcoef(x.flatten(1).numpy(), rowvar=False)
    assert np.abs(correlation - np.eye(6)).max() < 4.5 / 8000**0.5


def test_static_samples_are_the_same_at_every_access():
    data = gaussian(static=True)
    assert torch.equal(data[3][0], data[3][0])
    assert same(*([batches] for batches in epochs(data)))


def test_dynamic_samples_are_never_seen_twice():
    data = gaussian(16)
    seen = torch.cat([everything(data)[0] for _ in range(5)] + [data[3][0][None] for _ in range(5)])
    assert len(seen.unique(dim=0)) == 85


def test_dynamic_samples_are_new_when_the_batch_is_cut_otherwise():
    data = gaussian()
    first = data.__getitems__([3])[0][0]
    second = data.__getitems__([3, 0])[0][0]
    third = data.__getitems__([0, 3])[1][0]
    assert len(torch.stack([first, second, third]).unique(dim=0)) == 3


@pytest.mark.parametrize("static", [True, False])
def test_a_sample_keeps_its_label(static):
    data = gaussian(static=static)
    labels = [y.item() for _, y in data.__getitems__(range(32))]
    assert [data[i][1].item() for i in range(32)] == labels


@pytest.mark.parametrize("static", [True, False])
def test_the_same_seed_gives_the_same_data(static):
    assert same(epochs(gaussian(static=static)), epochs(gaussian(static=static)))


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("default", ["dtype", "device"])
@pytest.mark.parametrize("seed", [0, None])
def test_torchs_defaults_change_nothing(static, default, seed):
    def drawn():
        torch.manual_seed(5)
        data = gaussian(static=static, seed=seed)
        return [data.__getitems__(range(32)), data[3]]

    before = drawn()
    with other_default(default):
        now = drawn()
    torch.testing.assert_close(now, before, rtol=0, atol=0)


@pytest.mark.parametrize("index", [slice(0, 3), [0, 1], 1.0, "1", None, torch.tensor([0, 1])])
def test_an_index_that_is_no_integer_is_refused(index):
    with pytest.raises(TypeError, match=r"index must be an integer, got .* come from a DataLoader"):
        gaussian()[index]


@pytest.mark.parametrize("static", [True, False])
def test_no_indices_give_no_samples(static):
    assert gaussian(static=static).__getitems__([]) == []


def test_what_says_neither_static_nor_dynamic_is_refused():
    with pytest.raises(TypeError, match="static must be True or False, got 'dynamic'"):
        gaussian(static="dynamic")


@pytest.mark.parametrize("static", [True, False])
def test_another_seed_gives_other_data(static):
    (x, _), (other, _) = (everything(gaussian(static=static, seed=seed)) for seed in (0, 1))
    assert not torch.isin(x, other).any()


@pytest.mark.parametrize("static", [True, False])
def test_a_training_and_a_test_set_of_one_seed_share_no_sample(static):
    (x, _), (other, _) = (everything(gaussian(size, static=static)) for size in (32, 16))
    assert not torch.isin(other, x).any()


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 2},
        pytest.param({"num_workers": 1}, marks=pytest.mark.slow),
        pytest.param({"num_workers": 3}, marks=pytest.mark.slow),
        pytest.param({"num_workers": 2, "persistent_workers": True}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_number_of_loader_workers_changes_nothing(static, options):
    assert same(epochs(gaussian(static=static)), epochs(gaussian(static=static), **options))


def test_loader_workers_draw_anew_each_epoch():
    first, second = epochs(gaussian(), num_workers=2)
    seen = torch.cat([x for x, _ in first + second])
    assert len(seen.unique(dim=0)) == 64


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))]
)
def test_a_copy_draws_anew_each_epoch_too(duplicate):
    first, second = epochs(duplicate(gaussian()), num_workers=2)
    seen = torch.cat([x for x, _ in first + second])
    assert len(seen.unique(dim=0)) == 64


def test_a_shuffling_loader_gives_the_same_data_with_workers():
    first, second = (
        epochs(
            gaussian(),
            shuffle=True,
            generator=torch.Generator().manual_seed(3),
            num_workers=num_workers,
        )
        for num_workers in (0, 2)
    )
    assert same(first, second)


@pytest.mark.parametrize("static", [True, False])
def test_without_a_seed_torchs_global_generator_decides(static):
    drawn = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append(everything(gaussian(static=static, seed=None))[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.isin(drawn[0], drawn[2]).any()


def test_two_datasets_without_a_seed_differ():
    (x, _), (other, _) = (everything(gaussian(seed=None)) for _ in range(2))
    assert not torch.isin(x, other).any()


def test_a_seed_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    everything(gaussian())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_generator_does_not_touch_seeded_data():
    torch.manual_seed(0)
    first = everything(gaussian())[0]
    torch.manual_seed(1)
    assert torch.equal(everything(gaussian())[0], first)


def test_a_loader_draws_a_whole_batch_at_once():
    data = gaussian()
    calls = []
    draw = data.__getitems__
    data.__getitems__ = lambda indices: calls.append(indices) or draw(indices)
    list(DataLoader(data, batch_size=8))
    assert [len(indices) for indices in calls] == [8, 8, 8, 8]


def test_a_batch_takes_one_draw_of_noise(monkeypatch):
    data, shapes = gaussian(), []
    randn = torch.randn
    monkeypatch.setattr(
        torch, "randn", lambda shape, **options: shapes.append(shape) or randn(shape, **options)
    )
    data.__getitems__(range(32))
    assert shapes == [(32, 3, 2)]


def test_a_subset_works():
    loader = DataLoader(Subset(gaussian(), range(10)), batch_size=5)
    assert [x.shape for x, _ in loader] == [(5, 3, 2)] * 2


def test_the_labels_fit_bceloss_on_an_output_column():
    x, y = next(iter(DataLoader(gaussian(), batch_size=32)))
    probabilities = torch.full((len(x), 1), 0.5)
    assert nn.BCELoss()(probabilities, y).item() == pytest.approx(np.log(2))


def test_a_negative_index_counts_from_the_end():
    data = gaussian(static=True)
    assert torch.equal(data[-1][0], data[31][0])


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("index", [32, -33])
def test_an_index_out_of_range_is_refused(static, index):
    with pytest.raises(IndexError, match=f"index {index} is out of range for 32 samples"):
        gaussian(static=static)[index]


def test_iterating_over_the_dataset_ends():
    assert len(list(gaussian(5))) == len(gaussian(5)) == 5


def test_the_limits_are_those_of_its_task():
    data = gaussian(shape=(4, 3), var1=2.0, var2=0.7)
    assert data.bayes_accuracy == bayes_accuracy(4, 3, 2.0, 0.7)
    assert data.bayes_loss == bayes_loss(4, 3, 2.0, 0.7)


def test_the_classic_arguments_work_by_position_and_by_name():
    by_position = GaussianDataset(8, (3, 2), 1.0, 0.5, True)
    by_name = GaussianDataset(num_samples=8, shape=(3, 2), var1=1.0, var2=0.5, static=True)
    assert len(by_position) == len(by_name) == 8
