r"""The networks of larger groups than $S_n$: of $S_{nd}$, of $O(nd)$ and of $S_n \times O(d)$.

If the entries of a set are independent draws from one distribution, no permutation of them changes
the posterior, and if that distribution is a Gaussian with mean 0, no rotation does.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import floating, positive_int, set_batch, set_mask
from invariant_nets._sets import Members, at_least_single, call, manner, members_of, zero_padding
from invariant_nets.layers.averaged import Normalization, Pooling
from invariant_nets.networks.intrinsic import graph_network, intrinsic
from invariant_nets.networks.set_network import SetNetwork, to_probabilities


class EntriesAsMembers(nn.Module):
    r"""A network of sets on the entries of a set, each a member with one feature.

    Invariant to $S_{nd}$ if the network is invariant to permutations of its members. With a mask,
    the entries of the members count.

    Args:
        network: maps $(\mathrm{batch}, nd, 1)$ to $(\mathrm{batch}, \mathrm{out})$.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, \mathrm{out})$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if `network` is no module, the input is no tensor, the mask is not of bool, or
            there is one and the network takes none.
        ValueError: if the input or the mask has another shape.

    Example:
        >>> import torch
        >>> from invariant_nets import LinearInvariant
        >>> EntriesAsMembers(LinearInvariant(1, 3))(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 3])

    Used in chapter 6.
    """

    takes_members = pools = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be an nn.Module, got {network!r}")
        self.network = network
        manner(network)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch out"]:
        """Apply the network to the entries."""
        set_batch(x)
        set_mask(mask, x)
        entries = x.flatten(1).unsqueeze(2)
        members = members_of(mask)
        of_entries = (
            None if members is None else Members(members.mask.repeat_interleave(x.shape[2], 1))
        )
        y: Tensor = call(self.network, entries, of_entries)
        return y


class SumOfSquares(nn.Module):
    r"""The sum of squared entries, standardized by its moments for standard normal entries.

    $$z = \frac{T - nd}{\sqrt{2nd}}, \qquad T = \sum_{ij} x_{ij}^2 .$$

    Invariant to $O(nd)$. With a mask the members count, and $n$ is their number; an empty set gives
    0.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, 1)$, for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor in floating point, or the mask not of bool.
        ValueError: if the input or the mask has another shape.

    Example:
        >>> import torch
        >>> SumOfSquares()(torch.ones(1, 10, 5))
        tensor([[0.]])

    Chapter 2 shows that $T$ is sufficient for the book's task.
    """

    takes_members = pools = True

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch 1"]:
        """Return the standardized sum of squares of each set."""
        set_batch(x)
        floating(x)
        set_mask(mask, x)
        _, n, d = x.shape
        wide = at_least_single(x.dtype)
        deviation: float | Tensor = (2 * n * d) ** 0.5
        members = members_of(mask)
        if members is not None:
            x = x.masked_fill(members.absent(3), 1)  # which adds 0
            deviation = (members.counts(wide) * (2 * d)).sqrt_()
        # T − nd, entry by entry: of two large sums the difference would be their rounding.
        excess = (x.flatten(1).to(wide).square() - 1).sum(1, keepdim=True)
        return (excess / deviation).to(x.dtype)


def entrywise(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (16, 16),
    normalization: Normalization = "mean",
    pooling: Pooling = "mean",
    outputs: int = 1,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the `intrinsic` network on the entries, as one set of $nd$ members with one feature.

    Invariant to $S_{nd}$ by construction: it ignores which entries share a row or a column. The
    output for an empty set is the readout's constant.

    Args:
        n: the set size, at least 1; no weight depends on it or on `d`; they are there so that
            every backbone is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        normalization: of every layer, see `LinearEquivariant`.
        pooling: of every layer, see `LinearEquivariant`.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, for every $m \ge 1$;
        `mask` is $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network, x = entrywise(10, 5), torch.randn(32, 10, 5)
        >>> torch.allclose(network(x.view(32, 5, 10).mT), network(x), atol=1e-5)
        True

    Trained in chapter 6.
    """
    n, d = positive_int("n", n), positive_int("d", d)
    network = intrinsic(
        n * d,
        1,
        hidden=hidden,
        normalization=normalization,
        pooling=pooling,
        outputs=outputs,
        probabilities=probabilities,
    )
    return SetNetwork(EntriesAsMembers(network), d=d)


def radial(n: int, d: int, *, outputs: int = 1, probabilities: bool = False) -> SetNetwork:
    r"""Build logistic regression on the sum of squares, which `SumOfSquares` standardizes.

    Invariant to $O(nd)$ by construction: to every rotation and reflection of the vector of entries.
    The best classifier for the book's task has this form. The output for an empty set is the bias.

    Args:
        n: the set size, at least 1; no weight depends on it or on `d`; they are there so that
            every backbone is built alike.
        d: the number of features, at least 1.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, for every $m \ge 1$;
        `mask` is $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if a number is below 1.

    Example:
        >>> import torch
        >>> network, x = radial(10, 5), torch.randn(32, 10, 5)
        >>> rotation, _ = torch.linalg.qr(torch.randn(50, 50))
        >>> turned = (x.flatten(1) @ rotation).view(32, 10, 5)
        >>> torch.allclose(network(turned), network(x), atol=1e-4)
        True

    Derived in chapter 2, and trained in chapters 2 and 6.
    """
    positive_int("n", n)
    d, outputs = positive_int("d", d), positive_int("outputs", outputs)
    readout = nn.Linear(1, outputs)
    return SetNetwork(SumOfSquares(), readout, *to_probabilities(probabilities, outputs), d=d)


class InnerProducts(nn.Module):
    r"""The inner products of all pairs of members, as the edges of a graph: $x x^\top / \sqrt d$.

    Invariant to $O(d)$ and equivariant to $S_n$, which permutes rows and columns together. With a
    mask, products with padding are 0.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, n, n, 1)$; `mask` is $(\mathrm{batch}, n)$,
        true where a member is.

    Raises:
        TypeError: if the input is no tensor in floating point, or the mask not of bool.
        ValueError: if the input or the mask has another shape.

    Example:
        >>> import torch
        >>> InnerProducts()(torch.ones(1, 3, 4)).squeeze()
        tensor([[2., 2., 2.],
                [2., 2., 2.],
                [2., 2., 2.]])

    Used in chapter 12.
    """

    takes_members = True

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n n 1"]:
        """Return the inner products of each set."""
        set_batch(x)
        floating(x)
        set_mask(mask, x)
        x = zero_padding(x, mask)
        y: Tensor = (x @ x.mT).unsqueeze(3) / x.shape[2] ** 0.5
        return y


def gram(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (16, 16),
    outputs: int = 1,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of layers of pairs on the graph of inner products.

    $$f(\sigma x Q) = f(x) \quad \text{for all } \sigma \in S_n,\ Q \in O(d).$$

    Invariant to $S_n \times O(d)$ by construction: the inner products $x x^\top$ determine a set up
    to rotations and reflections. The output for an empty set is the readout's bias.

    Args:
        n: the set size, at least 1, there so that every backbone is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the layers of pairs, each with a ReLU, at least one.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid or softmax, instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, for every $m \ge 1$;
        `mask` is $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network, x = gram(10, 5), torch.randn(32, 10, 5)
        >>> rotation, _ = torch.linalg.qr(torch.randn(5, 5))
        >>> torch.allclose(network(x.flip(1) @ rotation), network(x), atol=1e-3)
        True

    References:
        Villar et al. (2021), *Scalars are universal: Equivariant machine learning, structured like
        classical physics*.

    Used in chapter 12.
    """
    positive_int("n", n)
    d = positive_int("d", d)
    layers = graph_network(
        hidden=hidden, outputs=outputs, undirected=True, probabilities=probabilities
    )
    return SetNetwork(InnerProducts(), *layers, d=d)
