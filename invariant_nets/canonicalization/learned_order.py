r"""Orders that are learned: a network gives each member a key, and the keys are sorted.

With noise on the keys this is a distribution over orders, between one sort and all orders alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._arguments import (
    autocasts,
    first_weight,
    not_negative,
    one_of,
    positive_int,
    set_batch,
    set_mask,
    step_size,
)
from invariant_nets._precision import as_written, widened
from invariant_nets._rows import front, refuse_onnx, stable_sort
from invariant_nets._sets import Members, call, manner
from invariant_nets.canonicalization.frames import (
    RelaxedOrders,
    WeightedOrders,
    composed,
    sorted_sets,
    with_members_first,
)
from invariant_nets.canonicalization.plackett_luce import all_orders, log_probability, soft_orders

Gradient = Literal["straight-through", "score"]


class LearnedOrder(nn.Module):
    r"""Orders by learned keys: a sort, samples of a distribution, or all orders and their weights.

    An equivariant network gives the members keys $s(x) \in \mathbb R^n$. They are sorted from the
    largest down, with noise of size $\tau$:

    $$\pi = \operatorname{argsort}(s(x) + \tau G), \qquad G_i \text{ independent, } P(G_i \le g) =
    e^{-e^{-g}}.$$

    This is the Plackett-Luce distribution: places are filled one after another, each by one of the
    members that are left, with probabilities proportional to $e^{s_i / \tau}$,

    $$p(\pi \mid x) = \prod_{i=1}^n \frac{e^{s_{\pi(i)}/\tau}}{\sum_{j \ge i} e^{s_{\pi(j)}/\tau}},
    \qquad \bar f(x) = \sum_\pi p(\pi \mid x)\, f(x_\pi).$$

    As a frame of `CanonicalModel` it is one equation with several names:

    | `noise` | `samples` | what it is |
    |---|---|---|
    | 0 | any | a sort by learned keys: learned canonicalization |
    | $\tau$ | $K$ | $K$ draws with weights $1/K$: probabilistic symmetrization |
    | $\tau$ | None | all $n!$ orders with their probabilities, continuous in $x$ if $s$ is |
    | `math.inf` | $K$ or None | uniform draws, or the average over $S_n$ |

    Invariant to $S_n$, or with `CanonicalModel(equivariant=True)` equivariant. Keys are computed
    for the rows in lexicographic order, equal rows share one, and ties stay in this order, so all
    of it is the same, bit for bit, for every order of arrival. Noise belongs to the places of this
    order: draws from one state of the generator are the same for every order of arrival too;
    without it the average over draws is invariant in distribution.

    **Gradients of the keys.** Over all orders the probabilities have the exact gradient. For draws
    `gradient="score"` puts the unbiased estimate into the weights,

    $$w_k = \frac1K + \frac{\ell_k - \bar \ell}{K-1}, \qquad \nabla \sum_k w_k f_k =
    \frac1K \sum_k \Bigl( \nabla f_k + (f_k - \bar f_{-k}) \nabla \log p(\pi_k) \Bigr),$$

    where $\ell_k = \log p(\pi_k)$ has the value 0 and $\bar f_{-k}$ is the mean of the other draws.
    `gradient="straight-through"` sorts forward, and backward takes the sorted set for
    $P x$ with

    $$P_{ij} \propto \exp\bigl( -\lvert k_{\pi(i)} - k_j \rvert / t \bigr)$$

    for the noisy keys $k$, standardized over the set. It is biased, less noisy for larger $t$.
    Its values are those of the sort; it acts in training mode only. It can learn an order within
    some hundred steps, but only from some initializations: train from several.

    Args:
        keys: maps a batch of sets to one number a member, such as `order_keys(d)`; it must be
            equivariant. With None all keys are 0.
        noise: the size $\tau$ of the noise, at least 0; `math.inf` for uniform orders. A network
            that scales its keys learns this size, so $\tau$ itself is no parameter.
        samples: the number $K$ of draws, at least 1, or None for all orders.
        gradient: how keys get a gradient from a sort or from draws.
        temperature: $t$ of the straight-through gradient, positive; it may be changed while
            training.
        max_orders: how many orders there may be where all are taken.
        generator: the source of the noise, on the device of the sets; torch's global one by
            default.

    Shape:
        $(\mathrm{batch}, n, d)$ to orders $(\mathrm{batch}, k, n)$ and weights
        $(\mathrm{batch}, k)$ with $k$ 1, $K$ or $n!$; `mask` is $(\mathrm{batch}, n)$, true where a
        member is. The straight-through gradient needs $n^2$ numbers for each order, the
        `relaxed` of `RelaxedOrders`.

    Raises:
        TypeError: if `keys` is not callable, or takes no mask where there is one.
        ValueError: if an argument is out of its range, the keys have another shape, there are more
            than `max_orders` orders, or `gradient="score"` has no noise or one draw.

    Example:
        >>> from invariant_nets import CanonicalModel, mlp, order_keys
        >>> model = CanonicalModel(mlp(10, 5), frame=LearnedOrder(order_keys(5)))
        >>> x = torch.randn(32, 10, 5)
        >>> torch.equal(model(x), model(x.flip(1)))
        True
        >>> frame = LearnedOrder(lambda x: x[..., 0], noise=1.0)
        >>> orders, weights = frame(torch.tensor([[[0.0], [math.log(3)]]]))
        >>> orders.tolist(), [round(w, 6) for w in weights[0].tolist()]
        ([[[0, 1], [1, 0]]], [0.25, 0.75])

    References:
        Kaba et al. (2023), *Equivariance with Learned Canonicalization Functions*; Kim et al.
        (2023), *Learning Probabilistic Symmetrization for Architecture Agnostic Equivariance*;
        Plackett (1975), *The Analysis of Permutations*; Prillo & Eisenschlos (2020), *SoftSort: A
        Continuous Relaxation for the argsort Operator*, for $P$; Kool et al. (2019), *Buy 4
        REINFORCE Samples, Get a Baseline for Free!*, for the mean of the other draws.

    Derived in chapter 15.
    """

    def __init__(
        self,
        keys: Callable[..., Tensor] | None,
        *,
        noise: float = 0.0,
        samples: int | None = None,
        gradient: Gradient = "straight-through",
        temperature: float = 0.1,
        max_orders: int = 5040,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if keys is not None:
            if not callable(keys):
                raise TypeError(f"keys must be a module, a function or None, got {keys!r}")
            manner(keys)
        self.keys = keys
        self.noise = not_negative("noise", noise)
        self.samples = None if samples is None else positive_int("samples", samples)
        one_of("gradient", gradient, ("straight-through", "score"))
        self.gradient = gradient
        if gradient == "score" and keys is not None:
            if self.noise == 0:
                raise ValueError(
                    'gradient="score" needs noise > 0: the keys of a sort have no score; '
                    'take "straight-through"'
                )
            if samples == 1:
                raise ValueError(
                    'gradient="score" needs at least 2 samples, each compared with the mean of the '
                    "others, got 1"
                )
        self.temperature = step_size("temperature", temperature)
        self.max_orders = positive_int("max_orders", max_orders)
        self.generator = generator

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> WeightedOrders | RelaxedOrders:
        """Return the orders and their weights."""
        set_batch(x)
        set_mask(mask, x)
        n = x.shape[1]
        if self.noise and self.samples is None and math.factorial(n) > self.max_orders:
            raise ValueError(
                f"samples must be given where n! is above max_orders={self.max_orders:,}: all "
                f"orders of n = {n} rows are {math.factorial(n):,}"
            )
        base, keys = self._sorted_keys(x, mask)
        members = front(mask)
        if self.noise and self.samples is None:
            return self._all(base, keys, members)
        noisy = self._noisy(keys)
        last = noisy.detach()
        if members is not None:
            last = last.masked_fill(~members[:, None], -math.inf)
        order = stable_sort(last, -1, descending=True)[1]
        orders, k = composed(base, order), order.shape[1]
        weights = keys.new_full((1, 1), 1 / k).expand(x.shape[0], k)
        if self.keys is None or self.noise == math.inf or not torch.is_grad_enabled():
            return WeightedOrders(orders, weights)
        if self.gradient == "score":
            score = log_probability(keys / self.noise, order, members)
            score = score - score.detach()
            weights = weights + (score - score.mean(1, keepdim=True)) / (k - 1)
        elif self.training:
            soft = soft_orders(noisy, order, members, self.temperature)
            columns = base.argsort(1)[:, None, None].expand_as(soft)
            return RelaxedOrders(orders, weights, soft.gather(-1, columns))
        return WeightedOrders(orders, weights)

    def log_prob(
        self,
        x: Float[Tensor, "batch n d"],
        orders: Int[Tensor, "batch k n"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch k"]:
        r"""Return the log probability of orders of the rows, $\log p(\pi \mid x)$.

        Args:
            x: the sets.
            orders: permutations of the rows, as the frame returns them; where padding stands makes
                no difference.
            mask: true where a member is; by default everywhere.

        Raises:
            TypeError: if the orders are no tensor of integers.
            ValueError: if there is no noise, or the orders have another shape.

        Example:
            >>> frame = LearnedOrder(lambda x: x[..., 0], noise=1.0)
            >>> x = torch.tensor([[[0.0], [math.log(3)]]])
            >>> [round(p, 6) for p in frame.log_prob(x, torch.tensor([[[0, 1]]])).exp()[0].tolist()]
            [0.25]
        """
        set_batch(x)
        set_mask(mask, x)
        if not self.noise:
            raise ValueError("log_prob needs noise > 0: a sort has no probabilities")
        if not isinstance(orders, Tensor) or orders.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"orders must be a tensor of int64 or int32, got {orders!r}")
        if orders.ndim != 3 or (orders.shape[0], orders.shape[2]) != tuple(x.shape[:2]):
            expected = f"({x.shape[0]}, k, {x.shape[1]})"
            raise ValueError(f"orders must have shape {expected}, got {tuple(orders.shape)}")
        base, keys = self._sorted_keys(x, mask)
        places = base.argsort(1)[:, None].expand(orders.shape).gather(-1, orders.long())
        return log_probability(keys / self.noise, places, front(mask))

    def _sorted_keys(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the rows in lexicographic order, and their keys in this order."""
        base, classes, rows = sorted_sets(x, mask)
        if self.keys is None or self.noise == math.inf:
            return base, rows.new_zeros(base.shape)
        present = front(mask)
        members = None if present is None else Members(present, in_front=True)
        like = first_weight(self.keys) if autocasts(x.device.type) else None
        if x.is_floating_point():
            rows = rows.to(x.dtype if like is None else like.dtype)
        with as_written(x):  # or autocast would put other rows first
            keys = _one_a_member(call(self.keys, rows, members, "keys"), rows)
        keys = widened(keys).gather(1, torch.searchsorted(classes, classes))
        return base, keys if present is None else keys.masked_fill(~present, 0)

    def _noisy(self, keys: Float[Tensor, "batch n"]) -> Float[Tensor, "batch k n"]:
        if not self.noise:
            return keys[:, None]
        refuse_onnx("LearnedOrder with samples", "export it with noise = 0")
        assert self.samples is not None
        waits = keys.new_empty((keys.shape[0], self.samples, keys.shape[1]))
        # The first of exponential waiting times with rates e^s: −log of a wait is Gumbel's.
        waits = waits.exponential_(generator=self.generator)
        gumbel = -waits.clamp_min(torch.finfo(waits.dtype).tiny).log()
        return gumbel if self.noise == math.inf else keys[:, None] + self.noise * gumbel

    def _all(self, base: Tensor, keys: Tensor, members: Tensor | None) -> WeightedOrders:
        batch, n = keys.shape
        orders = all_orders(n, keys.device).expand(batch, -1, -1)
        orders = with_members_first(orders, members)  # each of theirs comes equally often
        weights = log_probability(keys / self.noise, orders, members).softmax(1)
        return WeightedOrders(composed(base, orders), weights)

    def extra_repr(self) -> str:
        """Show the noise, and how orders are taken and keys learn."""
        parts = [f"noise={self.noise:g}"]
        parts += [f"samples={self.samples}"] if self.noise else []
        parts += [f"gradient={self.gradient!r}"] if self.samples or not self.noise else []
        return ", ".join(parts)


def _one_a_member(keys: Any, rows: Tensor) -> Float[Tensor, "batch n"]:
    shape = tuple(rows.shape[:2])
    if not isinstance(keys, Tensor):
        raise TypeError(f"keys must return a tensor, got {type(keys).__name__}")
    if tuple(keys.shape) not in (shape, (*shape, 1)):
        raise ValueError(
            f"keys must return one number a member, {shape} or {(*shape, 1)}, "
            f"got {tuple(keys.shape)}"
        )
    return keys.reshape(rows.shape[:2])
