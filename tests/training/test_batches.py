"""The parts of all ranks make the batches of one process, and each rank loads its own."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset

from invariant_nets import GaussianDataset, Ranks, collate_sets
from invariant_nets.training.batches import ShardedBatches
from tests.ranks import on_ranks

K = 3


class Numbers(Dataset):
    """Sample i is the number i; which were loaded is on record."""

    def __init__(self, size):
        self.size = size
        self.loaded = []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if index >= self.size:
            raise IndexError
        self.loaded.append(index)
        return torch.tensor([float(index)]), torch.tensor([float(index % 2)])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Numbers(7))


def parts(make, epochs=1, ranks=K):
    """The parts of each rank, epoch after epoch: a list of tensors without the stand-ins."""

    def collect():
        torch.manual_seed(3)
        batches = ShardedBatches(make(), Ranks())
        return [
            [(count, x[:count], y[:count]) for count, (x, y) in batches.epoch(number)]
            for number in range(epochs)
        ]

    return on_ranks(ranks, collect)


def whole(make, epochs=1):
    torch.manual_seed(3)
    batches = make()
    return [list(batches) for _ in range(epochs)]


def same(divided, undivided):
    for epoch, batches in enumerate(undivided):
        for step, (x, y) in enumerate(batches):
            here = [rank[epoch][step] for rank in divided]
            assert torch.equal(torch.cat([part[1] for part in here]), x)
            assert torch.equal(torch.cat([part[2] for part in here]), y)
            assert sum(part[0] for part in here) == len(x)
            assert max(part[0] for part in here) - min(part[0] for part in here) <= 1
        assert {len(rank[epoch]) for rank in divided} == {len(batches)}


LOADERS = {
    "in order": lambda: DataLoader(Numbers(20), 6),
    "shuffled": lambda: DataLoader(Numbers(20), 6, shuffle=True),
    "fewer samples than ranks": lambda: DataLoader(Numbers(20), 2, shuffle=True),
    "the last batch dropped": lambda: DataLoader(Numbers(20), 6, drop_last=True),
    "its own generator": lambda: DataLoader(
        Numbers(20), 6, shuffle=True, generator=torch.Generator().manual_seed(1)
    ),
    "workers": lambda: DataLoader(Numbers(20), 6, shuffle=True, num_workers=2),
    "lasting workers": lambda: DataLoader(Numbers(20), 6, num_workers=1, persistent_workers=True),
    "static": lambda: DataLoader(GaussianDataset(20, (3, 2), 1.0, 0.5, static=True), 6),
    "dynamic": lambda: DataLoader(GaussianDataset(20, (3, 2), 1.0, 0.5, static=False), 6),
    "dynamic, shuffled": lambda: DataLoader(
        GaussianDataset(20, (3, 2), 1.0, 0.5, static=False), 6, shuffle=True, num_workers=2
    ),
    "a stream": lambda: DataLoader(Stream(), 3),
    "a list": lambda: [(torch.arange(5.0)[:, None], torch.ones(5, 1))],
    "no batching": lambda: DataLoader(
        [(torch.arange(5.0)[:, None], torch.ones(5, 1))], batch_size=None
    ),
}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * bool(getattr(make(), "num_workers", 0)))
        for name, make in LOADERS.items()
    ],
)
def test_together_they_are_what_one_process_sees(name):
    same(parts(LOADERS[name], epochs=2), whole(LOADERS[name], epochs=2))


def test_one_rank_has_everything():
    (alone,) = parts(LOADERS["shuffled"], ranks=1)
    same([alone], whole(LOADERS["shuffled"]))


def test_a_rank_loads_its_part_and_no_more():
    def loaded():
        data = Numbers(24)
        for _ in ShardedBatches(DataLoader(data, 6), Ranks()).epoch(1):
            pass
        return data.loaded

    assert on_ranks(K, loaded)[1] == [2, 3, 8, 9, 14, 15, 20, 21]


def test_ranks_whose_random_numbers_differ_still_share_the_first_ones_order():
    def collect():
        torch.manual_seed(Ranks().number)
        batches = ShardedBatches(DataLoader(Numbers(12), 12, shuffle=True), Ranks())
        ((_, (x, _)),) = batches.epoch(1)
        return x.flatten().tolist()

    first, second, third = on_ranks(K, collect)
    assert sorted(first + second + third) == list(range(12))


def test_the_random_numbers_that_follow_are_those_of_one_process():
    def then():
        torch.manual_seed(0)
        for _ in ShardedBatches(DataLoader(Numbers(12), 4, shuffle=True), Ranks()).epoch(1):
            pass
        return torch.rand(3)

    alone = then()
    assert all(torch.equal(numbers, alone) for numbers in on_ranks(K, then))


def test_a_distributed_sampler_is_taken_at_its_word_and_told_the_epoch():
    def collect():
        data = Numbers(12)
        loader = DataLoader(data, 2, sampler=DistributedSampler(data))
        batches = ShardedBatches(loader, Ranks())
        return [[x.flatten().tolist() for _, (x, _) in batches.epoch(e)] for e in (1, 2)]

    results = on_ranks(2, collect)
    for epoch in (0, 1):
        seen = [number for rank in results for batch in rank[epoch] for number in batch]
        assert sorted(seen) == list(range(12))
    assert results[0][0] != results[0][1]


def test_sets_of_different_sizes_are_divided_with_their_masks():
    sizes = (3, 1, 4, 2, 5)
    sets = [(torch.full((n, 2), float(n)), torch.zeros(1)) for n in sizes]

    def collect():
        batches = ShardedBatches(DataLoader(sets, 5, collate_fn=collate_sets), Ranks())
        return [(count, mask.sum(1).tolist()) for count, ((_, mask), _) in batches.epoch(1)]

    def cut():
        whole = list(DataLoader(sets, 5, collate_fn=collate_sets))
        batches = ShardedBatches(whole, Ranks())
        return [(count, mask.sum(1).tolist()) for count, ((_, mask), _) in batches.epoch(1)]

    for function in (collect, cut):
        assert on_ranks(2, function) == [[(2, [3, 1])], [(3, [4, 2, 5])]]


def test_the_batches_of_a_loader_of_its_own_class_are_cut():
    class Own(DataLoader):
        def __iter__(self):
            return ((x + 100, y) for x, y in super().__iter__())

    def collect():
        batches = ShardedBatches(Own(Numbers(4), 4), Ranks())
        return [x.flatten().tolist() for _, (x, _) in batches.epoch(1)]

    assert on_ranks(2, collect) == [[[100, 101]], [[102, 103]]]


def test_the_options_of_a_loader_are_kept():
    options = {
        "num_workers": 1,
        "timeout": 60.0,
        "worker_init_fn": print,
        "multiprocessing_context": torch.multiprocessing.get_context("spawn"),
        "generator": torch.Generator().manual_seed(1),
        "prefetch_factor": 3,
        "persistent_workers": True,
        "in_order": False,
    }

    class TwoRanks:
        part, size = (0, 2), 2

    loader = DataLoader(Numbers(4), 2, **options)
    kept = ShardedBatches(loader, TwoRanks()).batches
    assert {name: getattr(kept, name) for name in options} == options


@pytest.mark.slow
def test_workers_that_stay_leave_the_random_numbers_that_new_ones_leave():
    def then(stay, fits):
        torch.manual_seed(0)
        loader = DataLoader(Numbers(4), 2, num_workers=1, persistent_workers=stay)
        for _ in range(fits):
            batches = ShardedBatches(loader, Ranks())
            for number in range(2):
                list(batches.epoch(number))
        return torch.rand(3)

    for fits in (1, 2):
        assert torch.equal(then(True, fits), then(False, fits))
