r"""Symmetrization: average any network over permutations of its input.

$$\bar f(x) = \frac1{|P|} \sum_{\sigma \in P} f(\sigma x).$$

Over a whole group this is the Reynolds operator, exactly invariant to that group; over a random
sample it is invariant in expectation only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from jaxtyping import Float, Int
from torch import Tensor, nn

from invariant_nets._validation import positive_int, set_batch
from invariant_nets.permutation import Permutation, stack_permutations

# Super-batches of a few thousand sets keep a small network's activations in the cache.
_SUPERBATCH_SETS = 8192


class SymmetryModel(nn.Module):
    r"""Makes any model invariant by averaging it over permutations of the set.

    $$\bar f(x) = \frac1{|P|} \sum_{\sigma \in P} f(\sigma x).$$

    Invariant to a group $G$ exactly, if $P = G$: $C_n$, say, which is not all of $S_n$. If $P$ is
    a random sample it is random at every pass, and invariant in expectation only, with an error
    of order $1/\sqrt{|P|}$.

    Args:
        model: any module or function that maps a batch of sets to one output a set.
        perm_creator: called without arguments at each forward pass, it returns an iterable of
            `Permutation`, all of the set's size; at least one. It may be lazy.
        chunksize: how many permutations go through the model together, in one super-batch of
            `chunksize · batch` sets; at least 1. By default, as many as make about 8,000 sets.
            It bounds the memory of a pass without gradients; autograd keeps every chunk.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns for it, $(\mathrm{batch}, *)$.

    Raises:
        TypeError: if `model` or `perm_creator` is not callable, or gives something else than
            tensors or `Permutation` objects.
        ValueError: if `chunksize` is below 1, the permutations are none or do not fit the set,
            or `model` does not keep the batch axis.

    Example:
        >>> import torch
        >>> from invariant_nets import create_permutations_from_generators
        >>> cyclic = create_permutations_from_generators([Permutation([1, 2, 0])])
        >>> model = SymmetryModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), lambda: cyclic)
        >>> x = torch.randn(4, 3, 2)
        >>> torch.allclose(model(x), model(x.roll(1, dims=-2)), atol=1e-6)
        True

    References:
        Murphy et al. (2019), *Janossy Pooling*; Puny et al. (2022), *Frame Averaging for Invariant
        and Equivariant Network Design*.

    Derived in chapter 8.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        perm_creator: Callable[[], Iterable[Permutation]],
        chunksize: int | None = None,
    ) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"model must be a module or a function, got {model!r}")
        if not callable(perm_creator):
            raise TypeError(
                "perm_creator must be a function that returns permutations, "
                f"such as `lambda: permutations`, got {type(perm_creator).__name__}"
            )
        self.model = model
        self.perm_creator = perm_creator
        self.chunksize = None if chunksize is None else positive_int("chunksize", chunksize)

    def forward(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, batch * out]:
        """Return the mean of the model's outputs over the permutations."""
        set_batch(x)
        chunksize = self.chunksize or max(1, _SUPERBATCH_SETS // max(1, len(x)))
        return average_over(self.model, x, _chunks(self.perm_creator(), chunksize))

    def extra_repr(self) -> str:
        """Show how many permutations go through the model together."""
        return f"chunksize={self.chunksize}"


def average_over(
    function: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch n d"],
    chunks: Iterable[Int[Tensor, "k n"]],
) -> Float[Tensor, batch * out]:
    r"""Return the mean of $f(\sigma x)$ over permutations that come in chunks.

    A chunk of $k$ permutations is one call of $f$ on a super-batch of $k \cdot \mathrm{batch}$
    sets.

    Args:
        function: maps a batch of sets to one output a set.
        x: the sets.
        chunks: index tensors, a permutation a row; at least one.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, *)$.

    Raises:
        TypeError: if `function` returns no tensor.
        ValueError: if the permutations do not fit the set, there are none, or `function` does not
            keep the batch axis.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0], [2.0], [4.0]]])
        >>> average_over(lambda x: x[:, 0], x, [torch.tensor([[0, 1, 2], [1, 2, 0]])]).item()
        1.5

    Derived in chapter 8.
    """
    set_batch(x)
    batch, n, _ = x.shape
    total: Tensor | None = None
    count = 0
    for chunk in chunks:
        if chunk.ndim != 2 or chunk.shape[1] != n:
            raise ValueError(
                f"the permutations must be of the set's size, (k, {n}), got {tuple(chunk.shape)}"
            )
        k = len(chunk)
        outputs = function(x[:, chunk.to(x.device)].flatten(0, 1))
        if not isinstance(outputs, Tensor):
            raise TypeError(f"model must return a tensor, got {type(outputs).__name__}")
        if outputs.ndim == 0 or len(outputs) != batch * k:
            raise ValueError(
                f"model must keep the batch axis: {batch * k} sets came in, "
                f"an output of shape {tuple(outputs.shape)} came out"
            )
        chunk_sum = outputs.reshape(batch, k, *outputs.shape[1:]).sum(1)
        total = chunk_sum if total is None else total + chunk_sum
        count += k
    if total is None or not count:
        raise ValueError("perm_creator must give at least one permutation, got none")
    return total / count


def _chunks(permutations: Iterable[Permutation], size: int) -> Iterator[Int[Tensor, "k n"]]:
    if isinstance(permutations, Permutation) or not isinstance(permutations, Iterable):
        raise TypeError(f"perm_creator must give an iterable of Permutation, got {permutations!r}")
    iterator = iter(permutations)
    while block := list(itertools.islice(iterator, size)):
        yield stack_permutations(block, name="perm_creator()")
