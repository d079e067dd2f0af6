r"""Networks without symmetry, which the routes to invariance take as their input."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._precision import LayerNorm
from invariant_nets._sets import at_least_single, members_of, zero_padding, zero_padding_
from invariant_nets.networks.set_network import FlattenMembers, SetNetwork, to_probabilities


class PositionalEncoding(nn.Module):
    r"""Adds the sinusoidal code of its position to every row.

    $$\mathrm{PE}_{i, 2k} = \sin(i \, \omega_k), \quad \mathrm{PE}_{i, 2k+1} = \cos(i \, \omega_k),
    \quad \omega_k = 10000^{-2k / d_{\mathrm{model}}}.$$

    It distinguishes the rows, so a network that follows it is not equivariant to permutations of
    the rows. For an odd `d_model` the last frequency has its sine only. With a mask only members
    count: the first of them is at position 0, wherever the padding is, and padding stays 0.

    Args:
        d_model: the number of features of a row, at least 1.
        max_len: the largest number of rows, at least 1.

    Shape:
        $(\mathrm{batch}, n, d_{\mathrm{model}})$ with $n \le$ `max_len`, to the same shape.

    Raises:
        TypeError: if the input is no tensor of the encoding's type.
        ValueError: if an argument is below 1, or the input does not fit.

    Example:
        >>> encoding = PositionalEncoding(d_model=5, max_len=10)
        >>> encoding(torch.zeros(1, 3, 5))[0, 0].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0]

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 3.5.

    Chapter 8 averages a transformer that uses it.
    """

    takes_members = True
    encoding: Float[Tensor, "max_len d_model"]

    def __init__(self, d_model: int, max_len: int) -> None:
        super().__init__()
        d_model, max_len = positive_int("d_model", d_model), positive_int("max_len", max_len)
        position = torch.arange(max_len)[:, None]
        kind = torch.get_default_dtype()
        wide = at_least_single(kind)  # half precision has no numbers as large as a position
        even = torch.arange(0, d_model, 2, dtype=wide)
        frequency = torch.exp(even * (-math.log(10_000) / d_model))
        encoding = torch.empty(max_len, d_model, dtype=wide)
        encoding[:, 0::2] = torch.sin(position * frequency)
        encoding[:, 1::2] = torch.cos(position * frequency[: d_model // 2])
        self.register_buffer("encoding", encoding.to(kind))

    def forward(
        self, x: Float[Tensor, "batch n d_model"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n d_model"]:
        """Return `x` plus the encoding of its rows."""
        max_len, d_model = self.encoding.shape
        set_batch(x, d=d_model, like=self.encoding)
        set_mask(mask, x)
        if x.shape[1] > max_len:
            raise ValueError(f"x must have at most max_len={max_len} rows, got {tuple(x.shape)}")
        members = members_of(mask)
        if members is None:
            return x + self.encoding[: x.shape[1]]
        # What −1 reads, before the first member, is padding.
        return zero_padding_(x + self.encoding[members.mask.cumsum(1) - 1], members)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        max_len, d_model = self.encoding.shape
        return f"d_model={d_model}, max_len={max_len}"


class EncoderLayer(nn.TransformerEncoderLayer):
    r"""PyTorch's layer of self-attention and a perceptron, for batches of sets with padding.

    Equivariant to $S_n$. With a mask members attend to members only; the output is 0 at padding.

    Args:
        d_model: the number of features of a row, at least 1.
        nhead: the number of heads, a divisor of `d_model`.
        dim_feedforward: the width of the perceptron, at least 1.
        dropout: the probability of dropping an entry while training, in $[0, 1]$.

    Shape:
        $(\mathrm{batch}, n, d_{\mathrm{model}})$ to the same shape.

    Raises:
        TypeError: if the input is no tensor of the weights' type.
        ValueError: if an argument is below 1, or the input has another shape.

    Example:
        >>> layer = EncoderLayer(d_model=4, nhead=2, dim_feedforward=8)
        >>> layer(torch.zeros(2, 3, 4), mask=torch.zeros(2, 3, dtype=torch.bool)).any().item()
        False

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 3.

    Part of the transformer of chapters 7 and 8.
    """

    takes_members = True

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int, dropout: float = 0.0
    ) -> None:
        super().__init__(
            d_model=positive_int("d_model", d_model),
            nhead=positive_int("nhead", nhead),
            dim_feedforward=positive_int("dim_feedforward", dim_feedforward),
            dropout=dropout,
            batch_first=True,
        )
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch n d_model"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n d_model"]:
        """Apply the layer to a batch of sets."""
        set_batch(x, d=self.linear1.in_features, like=self.linear1.weight)
        set_mask(mask, x)
        members = members_of(mask)
        if members is None or x.shape[0] == 0:
            return super().forward(x)
        # A softmax over nothing is NaN: the rows of an empty set, all 0, attend to each other.
        hidden = ~members.mask & members.mask.any(1, keepdim=True)
        y = super().forward(zero_padding(x, members), src_key_padding_mask=hidden)
        return zero_padding_(y, members)


def mlp(n: int, d: int, *, outputs: int = 1, probabilities: bool = False) -> SetNetwork:
    r"""Build the perceptron on the flattened set: $nd \to 10d \to 10d \to$ outputs, with ReLU.

    Not invariant to any group: every entry has its own weights. With a mask it takes smaller sets:
    their members in order, then zeros.

    Args:
        n: the set size, padding included, at least 1.
        d: the number of features, at least 1.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, \mathrm{outputs})$.

    Raises:
        ValueError: if a number is below 1.

    Example:
        >>> mlp(10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])

    Chapter 10 shows how it overfits.
    """
    n, d = positive_int("n", n), positive_int("d", d)
    outputs, width = positive_int("outputs", outputs), 10 * d
    return SetNetwork(
        FlattenMembers(),
        nn.Linear(n * d, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
        *to_probabilities(probabilities, outputs),
        n=n,
        d=d,
    )


def transformer(
    n: int,
    d: int,
    *,
    dim_feedforward: int = 32,
    dropout: float = 0.0,
    outputs: int = 1,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the small transformer: positions, one encoder layer, a linear readout.

    Not invariant to any group: the positional encoding and the readout distinguish the rows. With a
    mask it takes smaller sets: their members in order, then, for the readout, zeros.

    Args:
        n: the set size, padding included, at least 1.
        d: the number of features and the model's width, at least 1.
        dim_feedforward: the width of the encoder layer's perceptron. PyTorch's default is 2048,
            which would have far more weights than the rest of a layer this narrow.
        dropout: the probability of dropping an entry while training, in $[0, 1]$.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, \mathrm{outputs})$.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> transformer(10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 3.

    Chapters 7 and 8 make it invariant.
    """
    n, d = positive_int("n", n), positive_int("d", d)
    outputs = positive_int("outputs", outputs)
    dim_feedforward = positive_int("dim_feedforward", dim_feedforward)
    return SetNetwork(
        PositionalEncoding(d_model=d, max_len=n),
        EncoderLayer(d_model=d, nhead=1, dim_feedforward=dim_feedforward, dropout=dropout),
        LayerNorm(d),
        FlattenMembers(),
        nn.Linear(n * d, outputs),
        *to_probabilities(probabilities, outputs),
        n=n,
        d=d,
    )
