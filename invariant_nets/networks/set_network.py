r"""Modules in turn on batches of sets of every size."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._sets import ANYTHING, ZEROS, manner, zero_padding


class SetNetwork(nn.Sequential):
    r"""A `Sequential` that takes batches of sets, padded ones too, and refuses anything else.

    Sets of different sizes come as one padded tensor and a mask that says which rows are members.
    The mask goes to every module that has an argument `mask`, which is found out when the network
    is made, and ends where the set axis does: at a module that pools. What the others put into
    padding is set to 0. So a module that acts on every member by itself (`nn.Linear`, `nn.ReLU`,
    `nn.LayerNorm`) needs no mask. What an empty set gives is up to the module that pools; all
    modules of this package then give a number, never NaN.

    Args:
        *modules: what to apply in turn. One that takes a mask and pools to several vectors a set,
            $(\mathrm{batch}, k, \mathrm{out})$, says so by an attribute `pools = True`. One that
            takes any padding and leaves 0 in it may say so by `zeroes_padding = True`, as all
            modules of this package do; then nobody else sets it to 0.
        d: the number of features of a set member, at least 1.
        n: the set size, padding included, where the modules depend on it, else any.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever the last module returns; `mask` $(\mathrm{batch}, n)$,
        true where a member is.

    Raises:
        TypeError: if the mask is not of bool.
        ValueError: if `n` or `d` is below 1, or the input or the mask has another shape.

    Example:
        >>> import torch
        >>> network = SetNetwork(nn.Flatten(), nn.Linear(6, 1), n=3, d=2)
        >>> network(torch.zeros(4, 2, 3))
        Traceback (most recent call last):
        ValueError: x must have shape (batch, 3, 2), got (4, 2, 3)
        >>> from invariant_nets import LinearEquivariant, LinearInvariant, pad_sets
        >>> network = SetNetwork(LinearEquivariant(2, 8), nn.ReLU(), LinearInvariant(8, 1), d=2)
        >>> x, mask = pad_sets([torch.randn(3, 2), torch.randn(5, 2)])
        >>> network(x, mask=mask).shape
        torch.Size([2, 1])

    Used in every chapter; chapter 13 has sets of many sizes.
    """

    zeroes_padding = True

    def __init__(self, *modules: nn.Module, d: int, n: int | None = None) -> None:
        super().__init__(*modules)
        for module in self:
            manner(module)  # found out here, and looked up at every forward
        self.n = None if n is None else positive_int("n", n)
        self.d = positive_int("d", d)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, batch * out]:
        """Apply the modules in turn."""
        set_batch(x, n=self.n, d=self.d)
        set_mask(mask, x)
        holds = ANYTHING
        for module in self:
            if mask is None:
                x = module(x)
                continue
            takes_mask, pools, needs, leaves = manner(module)
            if holds < needs:
                x = zero_padding(x, mask)
            x = module(x, mask=mask) if takes_mask else module(x)
            holds = leaves
            if pools or x.ndim < 3 or x.shape[:2] != mask.shape:
                mask = None
        return x if holds == ZEROS else zero_padding(x, mask)

    def __getitem__(self, index: int | slice) -> nn.Module:
        """Return one of the modules, or some of them as a plain `Sequential`."""
        modules = list(self)[index]
        return nn.Sequential(*modules) if isinstance(modules, list) else modules


class FlattenMembers(nn.Module):
    r"""Writes the members of a set one after the other into one vector, and zeros after them.

    Invariant to nothing: it is how a network for a fixed size takes smaller sets too. Where the
    padding is makes no difference; an empty set gives zeros.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, nd)$.

    Example:
        >>> import torch
        >>> x, mask = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[False, True, True]])
        >>> FlattenMembers()(x, mask=mask).tolist()
        [[2.0, 3.0, 0.0]]

    Used in chapters 7 to 11.
    """

    zeroes_padding = pools = True

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n_d"]:
        """Flatten the sets, members first."""
        set_batch(x)
        set_mask(mask, x)
        if mask is not None:
            absent, order = (~mask).unsqueeze(-1).sort(dim=1, stable=True)
            x = x.gather(1, order.expand_as(x)).masked_fill_(absent, 0)
        return x.flatten(1)


def sigmoid_if(probabilities: bool) -> list[nn.Module]:
    """Return what turns logits into probabilities, as a list of no or one module."""
    return [nn.Sigmoid()] if probabilities else []
