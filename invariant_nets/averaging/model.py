r"""Symmetrization: average any network over permutations of its input.

$$\bar f(x) = \mathbb E_{\sigma}\, \rho(\sigma)^{-1} f(\sigma \cdot x).$$

If $\sigma$ is uniform on a whole group, this is the Reynolds operator, and $\bar f$ is exactly
invariant (or equivariant) to that group. Over a random sample it is so in expectation only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._arguments import long_int, positive_int, set_batch, set_mask
from invariant_nets._indices import Indexed
from invariant_nets._rows import is_traced
from invariant_nets._sets import chunk_size, manner
from invariant_nets.averaging.chunked import average_over, outputs_over
from invariant_nets.averaging.cosets import Draws, cosets_of, error_of_cosets
from invariant_nets.averaging.recompute import recomputed_average
from invariant_nets.averaging.sharded import process_group_of, sharded_average
from invariant_nets.averaging.sources import (
    check_source,
    created,
    group_chunks,
    kept_elements,
)
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.permutation import Permutation
from invariant_nets.groups.products import moved_axes

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

_EVERY = slice(None)


class Estimate(NamedTuple):
    """An average over random permutations, and its standard error.

    Attributes:
        mean: the average.
        standard_error: the standard deviation of the outputs over the permutations, divided by the
            square root of their number; in a design, that of the means over the cosets, or None
            where there is only one: the outputs within it tell nothing.
    """

    mean: Tensor
    standard_error: Tensor | None


class SymmetryModel(Indexed):
    r"""Makes any model invariant, or equivariant, by averaging it over permutations of the set.

    $$\bar f(x) = \frac1{|P|} \sum_{\sigma \in P} \rho(\sigma)^{-1} f(\sigma x).$$

    With $P = G$ it is exactly invariant (with `equivariant=True`, equivariant) to the group $G$,
    which may be smaller than $S_n$, such as $C_n$. If $P$ is a random sample, it is random at every
    pass and invariant in expectation only, with an error of order $1/\sqrt{|P|}$.

    Args:
        model: any module or function that maps a batch of sets to one output per set.
        perm_creator: a `PermutationGroup`; or a function, called without arguments at each forward
            pass, that returns an iterable of `Permutation`, all of the set's size, at least one.
            It may be lazy.
        chunksize: how many permutations go through the model together, in one super-batch of
            `chunksize · batch` sets; at least 1. By default, as many as give about 8,000 sets.
            It bounds the memory of a pass without gradients; with them, see `recompute`.
        group: the group by name, instead of `perm_creator`. A group whose `shape` is a grid acts on
            the entries of the matrix $x$: $S_n \times S_d$ on rows and columns.
        samples: average over this number of uniform draws from the group, new at each pass, instead
            of all its elements.
        design: how they are drawn. "independent"; or a subgroup $H$ of the group, for whole random
            cosets $\sigma H \tau$, as many as `samples` permits; or "cosets", for those of the
            subgroup of $S_n$ that `coset_subgroup` returns. The module `designs` gives the
            variances.
        equivariant: whether $\rho$ permutes the output's set axis; otherwise it is trivial.
        recompute: whether the backward pass runs the chunks again instead of keeping them. The
            memory of training then does not grow with $|P|$, and there is one more forward pass.
            Needs a module. Compilers, which decide themselves what to keep, and transforms of
            `torch.func` ignore it.
        max_order: the largest group to average over exactly.
        generator: the source of the draws; torch's global one by default.
        process_group: the ranks that share the work: each averages over its part of the group, and
            the parts are added, forward and backward, so that every rank has the whole average and
            the whole gradients (see `sharded_average`). All must be given the same sets and have
            the same weights. A copy, or a model from a pickle, averages in one process.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns for it, $(\mathrm{batch}, *)$.
        `mask` is $(\mathrm{batch}, n)$, true where a member is; for a group on a grid it marks the
        rows, or has one value per entry. It moves with the members, and the model gets it as
        `mask=`. Over all of $S_n$ this gives the average of the unpadded set over all of its
        orders. The output for an empty set is the model's.

    Raises:
        TypeError: if `model` or `perm_creator` is not callable, or returns something other than
            tensors or `Permutation` objects; if the sets are of a type that does not fit the
            model's weights; if there is a mask and the model takes none; if `recompute` or
            `process_group` is given with a model that is no module.
        ValueError: if the group has more than `max_order` elements and `samples` is not given, an
            integer is below 1, there are no permutations or they do not fit the set, `design` is
            not a subgroup with at most `samples` elements, or `model` does not keep the batch axis;
            if this rank is not in `process_group`, there is no group for it to divide, or its ranks
            are given different sets, masks or, at first, weights.

    Example:
        >>> from invariant_nets import cyclic_group, symmetric_group
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
        >>> model = SymmetryModel(network, cyclic_group(3))
        >>> x = torch.randn(4, 3, 2)
        >>> torch.allclose(model(x), model(x.roll(1, dims=-2)), atol=1e-6)
        True
        >>> sampled = SymmetryModel(network, symmetric_group(3), samples=100)
        >>> mean, standard_error = sampled.estimate(x)

    References:
        Murphy et al. (2019), *Janossy Pooling*; Puny et al. (2022), *Frame Averaging for Invariant
        and Equivariant Network Design*.

    Derived in chapter 8; appendix B divides it.
    """

    def __init__(
        self,
        model: Callable[..., Tensor],
        perm_creator: PermutationGroup | Callable[[], Iterable[Permutation]] | None = None,
        chunksize: int | None = None,
        *,
        group: PermutationGroup | None = None,
        samples: int | None = None,
        design: PermutationGroup | str = "independent",
        equivariant: bool = False,
        recompute: bool = False,
        max_order: int = 10_000_000,
        generator: torch.Generator | None = None,
        process_group: ProcessGroup | None = None,
    ) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"model must be a module or a function, got {model!r}")
        for name, asked in (("recompute", recompute), ("process_group", process_group is not None)):
            if asked and not isinstance(model, nn.Module):
                raise TypeError(
                    f"{name} needs a model whose parameters it can see, an nn.Module, "
                    f"got {type(model).__name__}"
                )
        if isinstance(perm_creator, PermutationGroup) and group is None:
            perm_creator, group = None, perm_creator
        check_source(perm_creator, group, samples, process_group)
        self.model = model
        manner(model)
        self.perm_creator = perm_creator
        self.group = group
        self.chunksize = None if chunksize is None else positive_int("chunksize", chunksize)
        self.samples = None if samples is None else positive_int("samples", samples)
        self.equivariant = equivariant
        self.recompute = recompute
        self.generator = generator
        self.process_group = None if process_group is None else process_group_of(process_group)
        self._weights_agree = False
        limit = long_int(positive_int("max_order", max_order))
        if group is not None and samples is None and group.order > limit:
            raise ValueError(
                f"{group.name} has {group.order:,} elements, more than max_order={limit:,}: "
                "average over random ones with samples=k, or raise max_order"
            )
        self.design = cosets_of(design, group, self.samples)
        elements = kept_elements(group, samples)
        if self.design is not None:
            elements = kept_elements(self.design.subgroup, None)
        if elements is not None:
            self._keep("_elements", elements, elements.device)

    def forward(
        self, x: Float[Tensor, "batch n *d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch *out"]:
        """Return the mean of the model's outputs over the permutations."""
        if self.process_group is None:
            return self._average(mask, x)
        if torch.compiler.is_compiling():
            raise ValueError(
                "an average with a process_group cannot be compiled or exported: "
                "compile its model instead"
            )
        assert self.group is not None
        assert isinstance(self.model, nn.Module)
        weights = list(self.model.parameters())
        y = sharded_average(
            partial(self._average, mask),
            x,
            count=self._count(),
            parameters=[p for p in weights if p.requires_grad],
            process_group=self.process_group,
            alike={
                "mask": mask,
                "the average": [self.group.name, self.group.order, self.samples, self.equivariant]
                + ([] if self.design is None else self.design.alike()),
                "the mode": "training" if self.training else "evaluation",
                # They then stay the same, but for rounding where the rest of a network differs.
                "the model's weights": None if self._weights_agree else weights,
            },
        )
        self._weights_agree = True
        return y

    def _average(self, mask: Tensor | None, x: Tensor, part: slice = _EVERY) -> Tensor:
        options = self._options(x, mask)
        chunks = partial(self._chunks, x, part)
        recompute = self.recompute and torch.is_grad_enabled()
        if not recompute or is_traced():
            return average_over(self.model, x, chunks(), **options)
        if self.design is not None:
            chunks = partial(self._cosets, x, part, self.design.draw(self.generator))
        elif self.group is None or self.samples is not None:
            # Random permutations are kept for the second run; a group's elements come again.
            chunks = partial(iter, list(chunks()))
        assert isinstance(self.model, nn.Module)
        return recomputed_average(self.model, x, chunks, **options)

    def estimate(
        self, x: Float[Tensor, "batch n *d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Estimate:
        r"""Return the mean over random draws together with its standard error.

        For a design it is computed from the means over the cosets, and is None for one coset.
        It takes no part in a process group: every rank makes its own.

        Raises:
            ValueError: unless the model was made with at least 2 `samples`.
        """
        if self.samples is None or self.samples < 2:
            raise ValueError(f"estimate needs at least 2 samples, got samples={self.samples}")
        outputs = outputs_over(self.model, x, self._chunks(x), **self._options(x, mask))
        every = torch.cat(list(outputs), dim=1)
        if self.design is not None:
            return Estimate(every.mean(1), error_of_cosets(every, self.design))
        return Estimate(every.mean(1), every.std(1) / math.sqrt(self.samples))

    def _options(self, x: Tensor, mask: Tensor | None) -> dict[str, Any]:
        if self.group is None:
            set_batch(x)
        axes = 1 if self.group is None else moved_axes(self.group, x)
        if isinstance(mask, Tensor) and axes > 1 and mask.ndim == 2:
            set_mask(mask, x)
            mask = mask.reshape(*mask.shape, *[1] * (axes - 1)).expand(x.shape[: 1 + axes])
        set_mask(mask, x, axes)
        return {"axes": axes, "equivariant": self.equivariant, "mask": mask}

    def _chunks(self, x: Tensor, part: slice = _EVERY) -> Iterator[Int[Tensor, "k n"]]:
        size = chunk_size(self.chunksize, x.shape[0])
        if self.group is None:
            assert self.perm_creator is not None
            return created(self.perm_creator, size)  # type: ignore[arg-type]
        if self.design is not None:
            return self._cosets(x, part, self.design.draw(self.generator))
        return group_chunks(self.group, self._kept(x), self.samples, self.generator, size, part)

    def _cosets(self, x: Tensor, part: slice, draws: Draws) -> Iterator[Int[Tensor, "k n"]]:
        assert self.design is not None
        size = chunk_size(self.chunksize, x.shape[0])
        return self.design.chunks(draws, self._kept(x), size, part)

    def _kept(self, x: Tensor) -> Tensor | None:
        return self._on(x.device, "_elements") if "_elements" in self._indices else None

    def _count(self) -> int:
        assert self.group is not None
        if self.design is not None:
            return self.design.count
        return self.samples or self.group.order

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "process_group": None}  # which belongs to this process

    def extra_repr(self) -> str:
        """Show what is averaged over, and how many permutations go through the model together."""
        parts = [] if self.group is None else [f"group={self.group.name}"]
        parts += [] if self.samples is None else [f"samples={self.samples}"]
        parts += [] if self.design is None else [f"design={self.design}"]
        parts += [f"{name}=True" for name in ("equivariant", "recompute") if getattr(self, name)]
        parts += [] if self.process_group is None else [f"ranks={self.process_group.size()}"]
        return ", ".join([*parts, f"chunksize={self.chunksize}"])
