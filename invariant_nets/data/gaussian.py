r"""The running task: from which of two Gaussians was this set drawn?

A set $x \in \mathbb R^{n \times d}$ has i.i.d. entries from $\mathcal N(0, v_1)$ (label 0) or from
$\mathcal N(0, v_2)$ (label 1), each with probability one half.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from invariant_nets._arguments import int_at_least, positive_int, positive_variance
from invariant_nets.data.bayes import bayes_accuracy, bayes_loss

Sample = tuple[Float[Tensor, "n d"], Float[Tensor, " 1"]]


class GaussianDataset(Dataset[Sample]):
    r"""Sets drawn from one of two Gaussians, with the label of the Gaussian.

    $$x \sim \mathcal N(0, v_1 I) \text{ with label } 0, \qquad
    x \sim \mathcal N(0, v_2 I) \text{ with label } 1.$$

    The labels are balanced and shuffled in pairs: of the samples `2i` and `2i + 1` one has label 0
    and one label 1, in random order. So if the loader does not shuffle, every batch of even size is
    balanced. A sample keeps its label.

    Samples are drawn on the CPU. They depend only on the seed, on the indices that are asked for,
    and on how often these were asked for before: the same seed gives the same data with any number
    of loader workers and any default dtype and device of torch. (A sampler with replacement may ask
    two workers for one index at the same time; then the order of the two draws is random.)

    Args:
        num_samples: the number of sets, at least 1.
        shape: $(n, d)$, the size of a set and its number of features, each at least 1.
        var1: the variance $v_1 > 0$ of every entry under label 0 (not the standard deviation).
        var2: the variance $v_2 > 0$ under label 1.
        static: if true, every access gives the same samples; if false, each access draws new
            ones.
        seed: a non-negative integer; drawn from torch's global generator when not given.

    Shape:
        A sample is $(x, y)$: $x$ of shape $(n, d)$, $y$ of shape $(1,)$, both float32.

    Raises:
        TypeError: if an argument is of another kind; for an index, if it is no integer.
        ValueError: if a number is out of its range.

    Example:
        >>> data = GaussianDataset(800, shape=(10, 5), var1=1.0, var2=0.8, static=False, seed=0)
        >>> x, y = data[0]
        >>> x.shape, y.shape, torch.equal(x, data[0][0])
        (torch.Size([10, 5]), torch.Size([1]), False)
        >>> round(data.bayes_accuracy, 4)
        0.7108

    Derived in chapter 2.
    """

    def __init__(
        self,
        num_samples: int,
        shape: tuple[int, int],
        var1: float,
        var2: float,
        static: bool,
        seed: int | None = None,
    ) -> None:
        self.num_samples = positive_int("num_samples", num_samples)
        self.shape = _checked_shape(shape)
        self.var1 = positive_variance("var1", var1)
        self.var2 = positive_variance("var2", var2)
        if static not in (True, False):
            raise TypeError(f"static must be True or False, got {static!r}")
        self.static = bool(static)
        if seed is None:
            seed = int(torch.randint(2**63 - 1, (), device="cpu"))
        self.seed = int_at_least("seed", seed, 0)

        pairs = (self.num_samples + 1) // 2
        first = torch.randint(2, (pairs,), generator=self._generator(_LABELS), device="cpu")
        labels = torch.stack([first, 1 - first], dim=1).flatten()[: self.num_samples]
        self._labels = labels.to(torch.float32)
        if self.static:
            self._samples = self._draw(self._labels, self._generator(_STATIC))
        else:
            # In shared memory, so that loader workers count together.
            counts = torch.zeros(self.num_samples, dtype=torch.int64, device="cpu")
            self._accesses = counts.share_memory_()  # type: ignore[no-untyped-call]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy's counts would come back in the memory of one process only.
        self.__dict__.update(state)
        if not self.static:
            self._accesses.share_memory_()

    def state_dict(self) -> dict[str, Any]:
        """Return the state on which later draws depend, for a checkpoint of a training run."""
        return {} if self.static else {"accesses": self._accesses.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict` of the same data.

        Raises:
            ValueError: if it belongs to other data.
        """
        accesses = state.get("accesses")
        counts = None if accesses is None else tuple(accesses.shape)
        if counts != (None if self.static else (self.num_samples,)):
            raise ValueError("state must be that of a dataset with the same size and kind")
        if accesses is not None:
            self._accesses.copy_(accesses)

    @property
    def draws_batches(self) -> bool:
        """Whether a batch is one draw, so that its parts are parts of that draw."""
        return not self.static

    @property
    def bayes_accuracy(self) -> float:
        """The best possible accuracy; see `bayes_accuracy`."""
        return bayes_accuracy(*self.shape, self.var1, self.var2)

    @property
    def bayes_loss(self) -> float:
        """The least possible expected binary cross-entropy; see `bayes_loss`."""
        return bayes_loss(*self.shape, self.var1, self.var2)

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, index: int) -> Sample:
        x, y = self._batch([index])
        return x[0], y[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Draw a whole batch at once, as torch's `DataLoader` asks for it."""
        x, y = self._batch(indices) if len(indices) else ((), ())
        return list(zip(x, y, strict=True))

    def _batch(
        self, indices: Sequence[int]
    ) -> tuple[Float[Tensor, "batch n d"], Float[Tensor, "batch 1"]]:
        numbers = [self._checked(index) for index in indices]
        rows = torch.tensor(numbers, dtype=torch.int64, device="cpu")
        labels = self._labels[rows]
        if self.static:
            return self._samples[rows], labels[:, None]
        # The first index and its number of accesses come together once only, so no two batches
        # share a stream, whichever worker draws them.
        first = numbers[0]
        self._accesses[first] += 1
        stream = (_DYNAMIC, int(self._accesses[first]), *numbers)
        return self._draw(labels, self._generator(*stream)), labels[:, None]

    def _checked(self, index: int) -> int:
        try:
            number = operator.index(index)
        except TypeError:
            raise TypeError(
                f"index must be an integer, got {index!r}; several samples come from a DataLoader "
                "or a torch.utils.data.Subset"
            ) from None
        if not -self.num_samples <= number < self.num_samples:
            raise IndexError(f"index {number} is out of range for {self.num_samples} samples")
        return number % self.num_samples

    def _draw(
        self, labels: Float[Tensor, " batch"], generator: torch.Generator
    ) -> Float[Tensor, "batch n d"]:
        # Type and device are named: a draw depends on the seed, not on torch's defaults.
        single, cpu = torch.float32, torch.device("cpu")
        both = torch.tensor([math.sqrt(self.var1), math.sqrt(self.var2)], dtype=single, device=cpu)
        shape = (len(labels), *self.shape)
        noise = torch.randn(shape, generator=generator, dtype=single, device=cpu)
        return noise * both[labels.long()][:, None, None]

    def _generator(self, *stream: int) -> torch.Generator:
        # Datasets of one seed and different sizes (a training and a test set) must not share data.
        words = [self.seed, self.num_samples, *stream]
        # An array of 32-bit words is the same entropy, and is not converted number by number.
        whole = np.array(words, np.uint32) if max(words) < 2**32 else words
        sequence = np.random.SeedSequence(whole)
        return torch.Generator("cpu").manual_seed(int(sequence.generate_state(1, np.uint64)[0]))


_LABELS, _STATIC, _DYNAMIC = range(3)


def _checked_shape(shape: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(shape, Sequence) or len(shape) != 2:
        raise ValueError(f"shape must be (n, d), got {shape!r}")
    return positive_int("n in shape=(n, d)", shape[0]), positive_int("d in shape=(n, d)", shape[1])
