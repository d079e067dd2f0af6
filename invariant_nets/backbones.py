r"""Networks that ignore no symmetry by themselves: what the routes to invariance start from."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._validation import positive_int, set_batch


class PositionalEncoding(nn.Module):
    r"""Adds the sinusoidal code of its position to every row.

    $$\mathrm{PE}_{i, 2k} = \sin(i \, \omega_k), \quad \mathrm{PE}_{i, 2k+1} = \cos(i \, \omega_k),
    \quad \omega_k = 10000^{-2k / d_{\mathrm{model}}}.$$

    It tells the rows apart, so what follows it is not equivariant to permutations of the rows. For
    an odd `d_model` the last frequency has its sine only.

    Args:
        d_model: the number of features of a row, at least 1.
        max_len: the largest number of rows, at least 1.

    Shape:
        $(\mathrm{batch}, n, d_{\mathrm{model}})$ with $n \le$ `max_len`, to the same shape.

    Raises:
        ValueError: if an argument is below 1, or the input does not fit.

    Example:
        >>> encoding = PositionalEncoding(d_model=5, max_len=10)
        >>> encoding(torch.zeros(1, 3, 5))[0, 0].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0]

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 3.5.

    Chapter 8 averages a transformer that uses it.
    """

    encoding: Float[Tensor, "max_len d_model"]

    def __init__(self, d_model: int, max_len: int) -> None:
        super().__init__()
        d_model, max_len = positive_int("d_model", d_model), positive_int("max_len", max_len)
        position = torch.arange(max_len)[:, None]
        frequency = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10_000) / d_model))
        encoding = torch.empty(max_len, d_model)
        encoding[:, 0::2] = torch.sin(position * frequency)
        encoding[:, 1::2] = torch.cos(position * frequency[: d_model // 2])
        self.register_buffer("encoding", encoding)

    def forward(self, x: Float[Tensor, "batch n d_model"]) -> Float[Tensor, "batch n d_model"]:
        """Return `x` plus the encoding of its rows."""
        max_len, d_model = self.encoding.shape
        set_batch(x, d=d_model)
        if x.shape[1] > max_len:
            raise ValueError(f"x must have at most max_len={max_len} rows, got {tuple(x.shape)}")
        return x + self.encoding[: x.shape[1]]

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        max_len, d_model = self.encoding.shape
        return f"d_model={d_model}, max_len={max_len}"


class SetNetwork(nn.Sequential):
    r"""A `Sequential` that takes batches of sets, and says so when it gets something else.

    Args:
        *modules: what to apply in turn.
        d: the number of features of a set member, at least 1.
        n: the set size where the modules depend on it, else any.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever the last module returns.

    Raises:
        ValueError: if `n` or `d` is below 1, or the input has another shape.

    Example:
        >>> network = SetNetwork(nn.Flatten(), nn.Linear(6, 1), n=3, d=2)
        >>> network(torch.zeros(4, 2, 3))
        Traceback (most recent call last):
        ValueError: x must have shape (batch, 3, 2), got (4, 2, 3)
    """

    def __init__(self, *modules: nn.Module, d: int, n: int | None = None) -> None:
        super().__init__(*modules)
        self.n = None if n is None else positive_int("n", n)
        self.d = positive_int("d", d)

    def forward(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, batch * out]:
        """Apply the modules in turn."""
        set_batch(x, n=self.n, d=self.d)
        for module in self:
            x = module(x)
        return x

    def __getitem__(self, index: int | slice) -> nn.Module:
        """Return one of the modules, or some of them as a plain `Sequential`."""
        modules = list(self)[index]
        return nn.Sequential(*modules) if isinstance(modules, list) else modules


def mlp(n: int, d: int, *, probabilities: bool = False) -> SetNetwork:
    r"""Build the perceptron on the flattened set: $nd \to 10d \to 10d \to 1$ with ReLU.

    Invariant to nothing: every entry has weights of its own.

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, 1)$.

    Raises:
        ValueError: if `n` or `d` is below 1.

    Example:
        >>> mlp(10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])

    Chapter 10 shows how it overfits.
    """
    n, d = positive_int("n", n), positive_int("d", d)
    width = 10 * d
    return SetNetwork(
        nn.Flatten(),
        nn.Linear(n * d, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1),
        *sigmoid_if(probabilities),
        n=n,
        d=d,
    )


def transformer(
    n: int,
    d: int,
    *,
    dim_feedforward: int = 32,
    dropout: float = 0.0,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the small transformer: positions, one encoder layer, a linear readout.

    Invariant to nothing: the positional encoding and the readout tell the rows apart.

    Args:
        n: the set size, at least 1.
        d: the number of features and the model's width, at least 1.
        dim_feedforward: the width of the encoder layer's perceptron. PyTorch's default of 2048
            would cost a hundred times the rest of a layer this narrow.
        dropout: the probability of dropping an entry while training, in $[0, 1]$.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, 1)$.

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
    dim_feedforward = positive_int("dim_feedforward", dim_feedforward)
    return SetNetwork(
        PositionalEncoding(d_model=d, max_len=n),
        nn.TransformerEncoderLayer(
            d_model=d,
            nhead=1,
            dim_feedforward=dim_feedforward,
            dropout=dropout,
            batch_first=True,
        ),
        nn.LayerNorm(d),
        nn.Flatten(),
        nn.Linear(n * d, 1),
        *sigmoid_if(probabilities),
        n=n,
        d=d,
    )


def sigmoid_if(probabilities: bool) -> list[nn.Module]:
    """Return what turns logits into probabilities, as a list of no or one module."""
    return [nn.Sigmoid()] if probabilities else []
