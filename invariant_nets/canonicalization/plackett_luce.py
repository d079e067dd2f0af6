r"""The Plackett-Luce distribution of orders, and its relaxation.

Scores $s$ are sorted from the largest down after independent Gumbel noise. The order $\pi$ has the
probability

$$p(\pi) = \prod_{i=1}^n \frac{e^{s_{\pi(i)}}}{\sum_{j \ge i} e^{s_{\pi(j)}}}.$$

With a mask the members come first, and padding counts for nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LOW = -1e30  # of padding: e to this is 0, and unlike −∞ it has finite differences
_EPSILON = 1e-6  # in the variance of keys, so that equal ones have a finite gradient


def all_orders(n: int, device: torch.device) -> Int[Tensor, "orders n"]:
    """Return all orders of `n` places.

    Example:
        >>> all_orders(2, torch.device("cpu")).tolist()
        [[0, 1], [1, 0]]
    """
    orders = torch.zeros(1, 1, dtype=torch.int64, device=device)
    for new in range(1, n):  # the last place goes after, between or before the others
        last = orders.new_full((orders.shape[0], 1), new)
        orders = torch.cat(
            [torch.cat((orders[:, :k], last, orders[:, k:]), 1) for k in range(new, -1, -1)]
        )
    return orders


def log_probability(
    scores: Float[Tensor, "batch n"],
    orders: Int[Tensor, "batch k n"],
    members: Bool[Tensor, "batch n"] | None = None,
) -> Float[Tensor, "batch k"]:
    r"""Return $\log p(\pi) = \sum_i \bigl( s_{\pi(i)} - \log \sum_{j \ge i} e^{s_{\pi(j)}} \bigr)$.

    Example:
        >>> scores, orders = torch.tensor([[0.0, 0.0]]), torch.tensor([[[0, 1]]])
        >>> log_probability(scores, orders).exp().tolist()
        [[0.5]]
    """
    if members is not None:
        scores = scores.masked_fill(~members, _LOW)
    each = scores[:, None].expand(orders.shape).gather(-1, orders)
    terms = each - each.flip(-1).logcumsumexp(-1).flip(-1)
    if members is not None:
        present = members[:, None].expand(orders.shape).gather(-1, orders)
        terms = terms.masked_fill(~present, 0)
    return terms.sum(-1)


def soft_orders(
    keys: Float[Tensor, "batch k n"],
    orders: Int[Tensor, "batch k n"],
    members: Bool[Tensor, "batch n"] | None,
    temperature: float,
) -> Float[Tensor, "batch k n n"]:
    r"""Return $P_{ij} \propto e^{-|k_{\pi(i)} - k_j| / t}$ for keys standardized over the set.

    Row $i$ is a mixture of the members whose keys are near that of place $i$. As $t \to 0$ it
    becomes the permutation matrix of $\pi$, if the keys differ.

    Example:
        >>> keys, orders = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[1, 0]]])
        >>> soft_orders(keys, orders, None, 0.1).round().tolist()
        [[[[0.0, 1.0], [1.0, 0.0]]]]
    """
    if members is None:
        centered = keys - keys.mean(-1, keepdim=True)
        variance = centered.square().mean(-1, keepdim=True)
    else:
        absent = ~members[:, None]
        count = members.sum(1).clamp(min=1)[:, None, None]
        keys = keys.masked_fill(absent, 0)
        centered = (keys - keys.sum(-1, keepdim=True) / count).masked_fill(absent, 0)
        variance = centered.square().sum(-1, keepdim=True) / count
    keys = centered / (variance + _EPSILON).sqrt()
    nearness = -(keys.gather(-1, orders)[..., None] - keys[..., None, :]).abs() / temperature
    if members is None:
        return nearness.softmax(-1)
    soft = nearness.masked_fill(~members[:, None, None], _LOW).softmax(-1)
    return soft.masked_fill(~members[:, None, :, None], 0)
