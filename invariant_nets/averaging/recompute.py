r"""An average whose backward pass needs the memory of one chunk.

Autograd keeps every chunk's activations until the backward pass. Since the sum over permutations is
linear, this is not necessary: the forward pass can run without a graph, and the backward pass,
which knows $\partial\mathcal L / \partial \bar f$, can run the chunks again, one at a time, each
with its own small graph,

$$\frac{\partial \mathcal L}{\partial \theta} = \frac1{|P|} \sum_{\sigma \in P}
\Bigl(\frac{\partial\, \rho(\sigma)^{-1} f_\theta(\sigma x)}{\partial \theta}\Bigr)^{\!\top}
\frac{\partial \mathcal L}{\partial \bar f}.$$

It costs one more forward pass: 4/3 of the work if a backward pass costs two forward passes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from invariant_nets._precision import added, widened
from invariant_nets._sets import modes_kept
from invariant_nets.averaging.chunked import average_over
from invariant_nets.averaging.inner_graph import hidden_leaf, inner_gradients

Chunks = Callable[[], Iterable[Tensor]]


@dataclass
class _Run:
    """All that it takes to run the forward pass a second time in the same way."""

    model: nn.Module
    chunks: Chunks
    options: dict[str, Any]


def recomputed_average(
    model: nn.Module, x: Float[Tensor, "batch n *d"], chunks: Chunks, **options: Any
) -> Float[Tensor, "batch *out"]:
    r"""Return `average_over`, with a backward pass that keeps one chunk in memory at a time.

    The gradients are those of autograd, also with dropout, whose random numbers are drawn again in
    the same way. There is no second derivative.

    Args:
        model: the module; its parameters and `x` get gradients.
        x: the sets.
        chunks: called twice, it returns the same permutations, in chunks.
        options: as for `average_over`.

    Raises:
        RuntimeError: in the backward pass, if the output depends on a tensor that requires grad
            and is neither `x` nor a parameter of `model`.

    Example:
        >>> model, x = nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), torch.randn(4, 3, 2)
        >>> chunks = torch.tensor([[0, 1, 2], [1, 2, 0]]).split(1)
        >>> recomputed_average(model, x, lambda: chunks).sum().backward()
        >>> model[1].weight.grad.shape
        torch.Size([1, 6])

    Chapter 8 measures the memory that it saves.
    """
    if x.is_meta:  # no activations, and no random numbers to draw again
        return average_over(model, x, chunks(), **options)
    parameters = [p for p in model.parameters() if p.requires_grad]
    run = _Run(model, chunks, options)
    average: Tensor = _RecomputedAverage.apply(run, x, *parameters)  # type: ignore[no-untyped-call]
    return average


class _RecomputedAverage(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: _Run, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.run = run
        ctx.state = _state(run.model, x.device)
        ctx.save_for_backward(x, *parameters)
        return average_over(run.model, x, run.chunks(), **run.options)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        run: _Run = ctx.run
        x, *parameters = ctx.saved_tensors
        x = x.detach().requires_grad_(ctx.needs_input_grad[1])
        inputs = [t for t in (x, *parameters) if t.requires_grad]
        sums: list[Tensor | None] = [None] * len(inputs)
        count = 0
        with _as_before(run.model, x.device, ctx.state), torch.enable_grad():
            for chunk in run.chunks():
                mean = average_over(run.model, x, [chunk], **run.options)
                if not count:
                    _check_inputs(mean, inputs)
                parts = inner_gradients(mean, inputs, gradient.to(mean.dtype))
                for number, part in enumerate(parts):
                    if part is not None:
                        sums[number] = added(sums[number], widened(part) * len(chunk))
                count += len(chunk)
        means = iter(
            [
                None if total is None else (total / count).to(like.dtype)
                for total, like in zip(sums, inputs, strict=True)
            ]
        )
        first = next(means) if x.requires_grad else None
        return None, first, *means


def _check_inputs(output: Tensor, inputs: list[Tensor]) -> None:
    if (leaf := hidden_leaf(output, inputs)) is not None:
        raise RuntimeError(
            "recompute gives gradients to the input and to the model's parameters only, but "
            f"the output depends on another tensor that requires grad, of shape "
            f"{tuple(leaf.shape)}; register it as a parameter of the model, or pass "
            "recompute=False"
        )


@dataclass
class _State:
    """What a forward pass depends on besides its input and its parameters."""

    random: Tensor
    device_random: Tensor | None
    modes: list[bool]
    autocast: tuple[bool, torch.dtype]


def _state(model: nn.Module, device: torch.device) -> _State:
    kind = device.type
    return _State(
        random=torch.get_rng_state(),
        device_random=None if kind == "cpu" else getattr(torch, kind).get_rng_state(device),
        modes=[module.training for module in model.modules()],
        autocast=(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)),
    )


@contextlib.contextmanager
def _as_before(model: nn.Module, device: torch.device, state: _State) -> Iterator[None]:
    """The random state, the modes and autocast of the forward pass; undone afterwards."""
    kind = device.type
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    enabled, dtype = state.autocast
    devices = [] if kind == "cpu" else [device]
    with (
        torch.random.fork_rng(devices, device_type="cuda" if kind == "cpu" else kind),
        torch.autocast(kind, dtype=dtype, enabled=enabled),
        modes_kept(model) as modules,
    ):
        torch.set_rng_state(state.random)
        if state.device_random is not None:
            getattr(torch, kind).set_rng_state(state.device_random, device)
        try:
            for module, mode in zip(modules, state.modes, strict=True):
                module.training = mode
            yield
        finally:
            with torch.no_grad():
                for buffer, value in buffers:
                    # Running statistics count the forward pass once.
                    if not torch.equal(buffer, value):
                        buffer.copy_(value)
