"""A rank's part of every batch, so that the parts of all ranks make the batch of one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset

from invariant_nets._arguments import set_mask
from invariant_nets.ranks import Ranks, shard

Batch = tuple[Tensor | tuple[Tensor, Tensor], Tensor]
Counted = tuple[int, Batch]

IN_WORDS = {"dl_train": "training", "dl_valid": "validation", "dl_test": "test"}
"""What the batches of a loader are, by its name."""

_STARTED: WeakSet[DataLoader[Any]] = WeakSet()  # loaders whose workers stay, once they run
_OPTIONS = (
    *("num_workers", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context"),
    *("generator", "prefetch_factor", "persistent_workers", "pin_memory_device", "in_order"),
)


class ShardedBatches:
    """The batches of a loader, a rank's part of each, with the number of its samples.

    A `DataLoader` of a dataset with indices loads only that part, and a `DistributedSampler` in it
    keeps its own division. Any other iterable, also a `DataLoader` of another class, must give the
    same batches on every rank, and each batch is cut. If there are more ranks than samples, some
    parts are one sample with weight 0, since every rank must take part in every step.
    """

    def __init__(self, batches: Iterable[Batch], ranks: Ranks, name: str = "batches") -> None:
        self.ranks = ranks
        self.name = name
        self.batches: Iterable[Any] = batches
        self.sampler = _distributed_sampler(batches)
        if ranks.size > 1 and self.sampler is None and _has_indices(batches):
            self.batches, self.kind = _sharded_loader(batches, ranks), "loaded"
        else:
            self.kind = "whole" if self.sampler is not None or ranks.part[1] == 1 else "cut"

    def epoch(self, number: int) -> Iterator[Counted]:
        """Yield the batches of an epoch."""
        if self.sampler is not None:
            self.sampler.set_epoch(number)
        _draw_seed_of_workers(self.batches)
        for batch in self.batches:
            if self.kind == "loaded":
                count, part = batch
                yield count, checked_batch(part, self.name)
            elif self.kind == "whole":
                yield len(checked_batch(batch, self.name)[1]), batch
            else:
                yield self._cut(checked_batch(batch, self.name))

    def _cut(self, batch: Batch) -> Counted:
        inputs, label = batch
        count, rows = _part(len(label), self.ranks.part)
        if isinstance(inputs, tuple | list):
            return count, ((inputs[0][rows], inputs[1][rows]), label[rows])
        return count, (inputs[rows], label[rows])


def check_loader(name: str, batches: Any) -> None:
    """Raise unless batches can be drawn from it anew each epoch."""
    if isinstance(batches, Iterator):
        raise TypeError(f"{name} must give its batches anew each epoch, got an iterator")
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        raise TypeError(
            f"{name} must give batches, got the dataset {type(batches).__name__}, which gives "
            "samples: make a DataLoader of it"
        )
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise TypeError(f"{name} must be a DataLoader or batches, got {type(batches).__name__}")
    if isinstance(batches, DataLoader) and isinstance(batches.dataset, Iterator):
        raise TypeError(
            f"{name} must give its batches anew each epoch, got a DataLoader of an iterator"
        )


def checked_batch(batch: Any, name: str) -> Batch:
    """Return the batch, or raise unless it is (x, label) or ((x, mask), label) of tensors."""
    pair = isinstance(batch, tuple | list) and len(batch) == 2
    inputs = batch[0] if pair else None
    if pair and isinstance(inputs, tuple | list) and len(inputs) == 2:
        parts = [inputs[0], *([] if inputs[1] is None else [inputs[1]]), batch[1]]
    else:
        parts = list(batch) if pair else [None]
    if not all(isinstance(part, Tensor) for part in parts):
        hint = ""
        if "numpy" in (came := _in_words(batch)) or "ndarray" in came:
            hint = ": torch.from_numpy makes tensors of arrays"
        raise TypeError(
            f"{name} must give batches (x, label) or ((x, mask), label) of tensors, got {came}"
            f"{hint}"
        )
    if any(not part.ndim or not part.shape[0] for part in parts if not part.is_nested):
        shapes = ", ".join(str(tuple(part.shape)) for part in parts)
        raise ValueError(f"{name} must give batches of at least one set, got the shapes {shapes}")
    if any(part.is_nested or part.layout != torch.strided for part in parts):
        raise TypeError(
            f"{name} must give dense tensors, got nested or sparse ones: collate_sets pads sets"
        )
    if len(parts) == 3:
        set_mask(parts[1], parts[0], 1, 2, name=f"mask of {name}")
    return batch  # type: ignore[no-any-return]


def _in_words(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_in_words, value[:5]))}{', …' * (len(value) > 5)})"
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(repr, list(value)[:5])) or 'nothing'}"
    return type(value).__name__


class _Parts(Dataset[Any]):
    """A dataset that is asked for whole batches and loads a rank's part."""

    def __init__(self, dataset: Any, part: tuple[int, int]) -> None:
        self.dataset = dataset
        self.part = part

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, indices: Sequence[Any]) -> tuple[int, list[Any]]:
        count, rows = _part(len(indices), self.part)
        if getattr(self.dataset, "draws_batches", False):
            return count, self._load(indices)[rows]
        return count, self._load(indices[rows])

    def _load(self, indices: Sequence[Any]) -> list[Any]:
        if hasattr(self.dataset, "__getitems__"):
            samples: list[Any] = self.dataset.__getitems__(indices)
            return samples
        return [self.dataset[index] for index in indices]


class _Collate:
    """A class and no closure, for workers that are spawned."""

    def __init__(self, collate: Any) -> None:
        self.collate = collate

    def __call__(self, counted: Any) -> tuple[int, Any]:
        return counted[0], self.collate(counted[1])


class _SameBatches:
    """The batches of indices of the first rank's sampler, on all ranks."""

    def __init__(self, sampler: Iterable[list[Any]], ranks: Ranks) -> None:
        self.sampler = sampler
        self.ranks = ranks

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Any]]:
        batches = self.ranks.from_first(lambda: list(self.sampler))
        if not self.ranks.first:
            # Drawn and dropped, so that the random numbers that follow stay those of the first.
            for _ in self.sampler:
                pass
        yield from batches


def _draw_seed_of_workers(loader: Any) -> None:
    # torch draws a seed for workers when it starts them. Drawn again for those that stay, it leaves
    # to the sampler and to the model the random numbers that they have with new workers.
    if getattr(loader, "persistent_workers", False):
        if loader in _STARTED:
            torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
        _STARTED.add(loader)


def _part(samples: int, part: tuple[int, int]) -> tuple[int, slice]:
    own = shard(samples, *part)
    return len(own), slice(own.start, own.stop) if own else slice(0, 1)


def _has_indices(batches: object) -> bool:
    return (
        type(batches) is DataLoader
        and batches.batch_sampler is not None
        and not isinstance(batches.dataset, IterableDataset)
    )


def _distributed_sampler(batches: object) -> DistributedSampler[Any] | None:
    for owner in (batches, getattr(batches, "batch_sampler", None)):
        sampler = getattr(owner, "sampler", None)
        if isinstance(sampler, DistributedSampler):
            return sampler
    return None


def _sharded_loader(loader: Any, ranks: Ranks) -> DataLoader[Any]:
    options = {name: getattr(loader, name) for name in _OPTIONS if hasattr(loader, name)}
    return DataLoader(
        _Parts(loader.dataset, ranks.part),
        batch_sampler=_SameBatches(loader.batch_sampler, ranks),
        collate_fn=_Collate(loader.collate_fn),
        **options,
    )
