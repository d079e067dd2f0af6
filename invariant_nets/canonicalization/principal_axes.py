r"""Sets of vectors in the coordinates of their principal axes, which rotate with them.

A cloud of points has a second moment, whose eigenvectors rotate with the cloud. In their
coordinates the cloud looks the same after every rotation, but each axis may point either way. The
mean over the $2^d$ choices is a frame: an average over a few group elements that depend on the
input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import floating, model_output, positive_int, set_batch, set_mask
from invariant_nets._precision import Calls, added, as_written, narrowed, widened
from invariant_nets._sets import (
    ZEROS,
    Members,
    chunk_size,
    manner,
    member_mean,
    members_of,
    zero_padding,
)

_MOST_FEATURES = 16


class PrincipalAxesModel(nn.Module):
    r"""Makes any model of sets of vectors invariant to rotations and reflections of the vectors.

    $$\bar f(x) = \frac1{2^d} \sum_{s \in \{-1, 1\}^d} f\bigl(x\, V \operatorname{diag}(s)\bigr),
    \qquad x^\top x = V \operatorname{diag}(\lambda)\, V^\top .$$

    An orthogonal $Q$ acts on every member, $x \mapsto x\, Q$, and rotates the axes with it,
    $V \mapsto Q^\top V$, so that $x V$ does not change. Invariant to $O(d)$ wherever those
    $\lambda_j$ that are not 0 differ from each other; if the model is invariant to $S_n$, to
    $S_n \times O(d)$. An output with the set axis keeps it, and each member's output is invariant
    to $O(d)$.

    If two $\lambda_j$ are close, their axes rotate by a large angle when $x$ changes a little:
    $\bar f$ is steep there, and rounding grows as $1 / \lvert \lambda_j - \lambda_k \rvert$. Where
    they are equal, $\bar f$ jumps and is not invariant. A cloud drawn from a ball or a cube comes
    closer to this case with more points.

    Gradients are computed with the axes held fixed. For the model's weights this is exact. For $x$
    it leaves out the rotation of the axes, whose derivative has a factor
    $1 / (\lambda_j - \lambda_k)$; the gradient is equivariant to $O(d)$ nevertheless.

    Args:
        model: any module or function of a batch of sets.
        rotations_only: average over the $2^{d-1}$ choices for which $V \operatorname{diag}(s)$ is a
            rotation. The model is then invariant to $SO(d)$, and can distinguish mirror images.
        centered: subtract the mean of each set first, which makes it invariant to translations too.
        chunksize: how many choices go through the model together, at least 1; by default, as many
            as give about 8,000 sets.

    Shape:
        $(\mathrm{batch}, n, d)$ with $d \le 16$ to $(\mathrm{batch}, *)$, the shape of the model;
        `mask` is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the model is no function, the sets are not in floating point, or the model's
            output is no tensor.
        ValueError: if `chunksize` is below 1, the input is no batch of sets of at most 16 features,
            or the model does not keep the batch axis.

    Example:
        >>> model = PrincipalAxesModel(nn.Sequential(nn.Flatten(), nn.Linear(30, 1)))
        >>> x = torch.randn(4, 10, 3)
        >>> turn = torch.linalg.qr(torch.randn(3, 3)).Q
        >>> torch.allclose(model(x @ turn), model(x), atol=1e-3)
        True

    References:
        Puny et al. (2022), *Frame Averaging for Invariant and Equivariant Network Design*.

    Derived in chapter 14.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        rotations_only: bool = False,
        centered: bool = False,
        chunksize: int | None = None,
    ) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"model must be a module or a function, got {model!r}")
        manner(model)
        self.model = model
        self.rotations_only = rotations_only
        self.centered = centered
        self.chunksize = None if chunksize is None else positive_int("chunksize", chunksize)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch *out"]:
        """Return the mean of the model's outputs over the choices of the axes' signs."""
        set_batch(x)
        floating(x)
        set_mask(mask, x)
        batch, n, d = x.shape
        if d > _MOST_FEATURES:
            raise ValueError(
                f"x must have at most {_MOST_FEATURES} features, got {d}: the model is called for "
                "all 2^d choices of signs"
            )
        members = members_of(mask)
        # In single precision at least: the axes, and what x collects from all the choices.
        wide = widened(zero_padding(x, members))
        if self.centered:
            wide = zero_padding(wide - member_mean(wide, members).unsqueeze(1), members)
        signs = _signs(d, self.rotations_only).to(wide)
        with as_written(x):
            turned = wide @ _axes(wide.detach(), self.rotations_only)
        calls = Calls(self.model)
        total: Tensor | None = None
        for chunk in torch.split(signs, chunk_size(self.chunksize, batch)):
            k = len(chunk)
            sets = (turned.unsqueeze(1) * chunk.unsqueeze(1)).to(x.dtype)
            output = calls(sets.reshape(batch * k, n, d), _repeated(members, k), holds=ZEROS)
            output = model_output(output, batch * k)
            total = added(total, widened(output).reshape(batch, k, *output.shape[1:]).sum(1))
        assert total is not None
        return narrowed(total / len(signs), output)

    def extra_repr(self) -> str:
        """Show what differs from the defaults."""
        options = ("rotations_only", "centered")
        return ", ".join(f"{name}=True" for name in options if getattr(self, name))


def _axes(x: Float[Tensor, "batch n d"], rotations: bool) -> Float[Tensor, "batch d d"]:
    """Return the eigenvectors of the second moment as columns, in the order of its eigenvalues."""
    # Of x up to a factor, so that no square is too large or too small.
    size = x.abs().amax((1, 2), keepdim=True)
    scaled = x / torch.where(size > 0, size, torch.ones_like(size))
    moment = scaled.mT @ scaled
    # One set with NaN or ∞ gives NaN, and no error for all the others.
    moment = torch.where(moment.isfinite().all(-1).all(-1)[:, None, None], moment, 0.0)
    axes: Tensor = torch.linalg.eigh(moment).eigenvectors
    if rotations:
        turns = torch.linalg.det(axes).sign()[:, None]
        axes = torch.cat((axes[..., :-1], (axes[..., -1] * turns).unsqueeze(-1)), -1)
    return axes


def _signs(d: int, rotations: bool) -> Float[Tensor, "choices d"]:
    """Return all signs of d axes, or those whose product is 1."""
    bits = (torch.arange(2**d, device="cpu")[:, None] >> torch.arange(d, device="cpu")) & 1
    signs = 1 - 2 * bits
    if rotations:
        # The first d − 1 are free.
        signs = signs[: 2 ** (d - 1)]
        signs = torch.cat((signs[:, :-1], signs[:, :-1].prod(1, keepdim=True)), 1)
    return signs


def _repeated(members: Members | None, k: int) -> Members | None:
    if members is None:
        return None
    return Members(members.mask.repeat_interleave(k, 0), in_front=members.in_front)
