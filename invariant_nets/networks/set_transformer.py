r"""The set transformer: attention among the members, then pooling by attention.

Its blocks can load the weights of other libraries' blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from invariant_nets._arguments import int_at_least, positive_int
from invariant_nets.networks.attention import InducedSetAttentionBlock, SetAttentionBlock
from invariant_nets.networks.attention_block import MultiheadAttentionBlock
from invariant_nets.networks.deep_sets import perceptron
from invariant_nets.networks.pooling import AttentionPooling
from invariant_nets.networks.set_network import SetNetwork, to_probabilities


def set_transformer(
    n: int,
    d: int,
    *,
    width: int = 16,
    num_heads: int = 2,
    num_blocks: int = 1,
    num_points: int | None = None,
    layer_norm: bool = False,
    outputs: int = 1,
    per_member: bool = False,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the set transformer: $d \to$ width, attention blocks, attention pooling, outputs.

    Invariant to $S_n$ by construction, and it takes sets of every size. Unlike in `deep_sets` the
    members attend to each other before they are pooled.

    With `per_member` there is no pooling, and it is equivariant to $S_n$ instead: $y_i = h_i W + b$
    for the output $h$ of the blocks.

    The linear layers are initialized semi-orthogonal with biases 0 and keep the mean square of
    their input; the blocks are initialized as in `MultiheadAttentionBlock`.

    Args:
        n: the set size, at least 1; no weight depends on it; it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        width: the number of features inside, at least 1.
        num_heads: the number of heads of every attention, a divisor of `width`.
        num_blocks: how many attention blocks come before the pooling, at least 0.
        num_points: if given, the blocks are `InducedSetAttentionBlock` with this number of points,
            in time proportional to the set size; else `SetAttentionBlock`, proportional to its
            square.
        layer_norm: whether the blocks have the layer norms of the paper. They remove the scale of
            every member.
        outputs: the number of outputs per set, or per member, at least 1.
        per_member: whether the outputs are of each member, not of the set.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, or per member to
        $(\mathrm{batch}, m, \mathrm{outputs})$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network = set_transformer(10, 5)
        >>> network(torch.zeros(32, 10, 5), mask=torch.rand(32, 10) < 0.5).shape
        torch.Size([32, 1])

    References:
        Lee, Lee, Kim, Kosiorek, Choi & Teh (2019), *Set Transformer: A Framework for
        Attention-based Permutation-Invariant Neural Networks*, ICML.

    Used in chapter 13.
    """
    positive_int("n", n)
    outputs = positive_int("outputs", outputs)
    d, width = positive_int("d", d), positive_int("width", width)
    blocks: list[nn.Module] = []
    for _ in range(int_at_least("num_blocks", num_blocks, 0)):
        if num_points is None:
            blocks += [SetAttentionBlock(width, num_heads, layer_norm=layer_norm)]
        else:
            blocks += [
                InducedSetAttentionBlock(width, num_heads, num_points, layer_norm=layer_norm)
            ]
    start = perceptron(d, width)
    if not per_member:
        blocks += [AttentionPooling(width, num_heads, layer_norm=layer_norm), nn.Flatten()]
    return SetNetwork(
        *start,
        *blocks,
        *perceptron(width, outputs),
        *to_probabilities(probabilities, outputs),
        d=d,
    )


def attention_from_state(
    state: Mapping[str, Tensor], num_heads: int, *, dropout: float = 0.0
) -> MultiheadAttentionBlock | InducedSetAttentionBlock | AttentionPooling:
    r"""Make an attention block with the weights of another library's, from its state dict.

    | state of | gives |
    |---|---|
    | `torch.nn.MultiheadAttention` | a `MultiheadAttentionBlock`, whose `attention` it fills |
    | `MAB`, PyG's `MultiheadAttentionBlock` | a `MultiheadAttentionBlock` |
    | `SAB`, PyG's `SetAttentionBlock` | a `SetAttentionBlock` |
    | `ISAB`, PyG's `InducedSetAttentionBlock` | an `InducedSetAttentionBlock` |
    | `PMA`, PyG's `PoolingByMultiheadAttention` | an `AttentionPooling` |

    The short names are those of Lee et al.'s published code, the others those of PyTorch Geometric.
    The block returns what the other block returns, and has the symmetry of its class; with a mask,
    the output is 0 at padding, and the attention to an empty set is 0. Published blocks divide the
    scores by $\sqrt d$ and ours by $\sqrt{d / k}$, so their keys are loaded as $K / \sqrt k$, which
    gives the same scores. Loading `torch.nn.MultiheadAttention` leaves the rest of the block as
    initialized.

    Args:
        state: the state dict, with the names of the other library.
        num_heads: the number $k$ of heads of the other block, which its state does not show.
        dropout: the probability of dropping while training, in $[0, 1)$.

    Shape:
        As for the class of the block; the weights keep their type and device.

    Raises:
        TypeError: if `state` is no mapping of names to tensors.
        ValueError: if the names are those of no such block, `num_heads` does not divide $d$, or
            keys and values have different numbers of features, or a learned member `bias_k`.

    Example:
        >>> import torch
        >>> theirs = nn.MultiheadAttention(8, 2, batch_first=True)
        >>> ours = attention_from_state(theirs.state_dict(), 2)
        >>> x, y = torch.randn(4, 3, 8), torch.randn(4, 6, 8)
        >>> torch.allclose(ours.attention(x, y), theirs(x, y, y)[0], atol=1e-5)
        True

    References:
        Lee et al. (2019), *Set Transformer*, and its published code; Fey & Lenssen (2019), *Fast
        Graph Representation Learning with PyTorch Geometric*.
    """
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        advice = ": module.state_dict()" if isinstance(state, nn.Module) else ""
        raise TypeError(f"state must map names to tensors, got {type(state).__name__}{advice}")
    heads, given = positive_int("num_heads", num_heads), dict(state)
    whole = {name.partition(".")[0] for name in given}
    blocks = [name for name in ("mab", "mab0", "mab1", "mab2") if name in whole]
    parts = [_translated(given, f"{name}.", heads) for name in blocks] or [
        _translated(given, "", heads)
    ]
    learned = [given.pop(name)[0] for name in ("I", "ind", "S", "seed") if name in given]
    linear = _renamed(given, {"lin": "linear"})
    options, weights = parts[0]
    kind = len(blocks), len(learned)
    if given or kind not in ((0, 0), (1, 0), (1, 1), (2, 1)) or (linear and kind != (1, 1)):
        raise ValueError(f"state must be that of one attention block, got {_shown(state)}")
    widths = {name: options.pop(name) for name in ("x_features", "y_features")}
    options |= {"num_heads": heads, "dropout": dropout, "dtype": weights["query.weight"].dtype}
    options |= {"device": weights["query.weight"].device}
    block: MultiheadAttentionBlock | InducedSetAttentionBlock | AttentionPooling
    if kind == (0, 0):
        block = MultiheadAttentionBlock(**widths, **options)
        if options["dim_feedforward"] is None:
            start = block.state_dict()
            weights |= {name: start[name] for name in start if name.startswith("linear")}
    elif kind == (1, 0):
        block = SetAttentionBlock(in_features=widths["y_features"], **options)
    elif kind == (2, 1):
        weights = _under("gather", weights) | _under("spread", parts[1][1]) | {"points": learned[0]}
        points, width = len(learned[0]), widths["y_features"]
        block = InducedSetAttentionBlock(num_points=points, in_features=width, **options)
    else:
        weights = _under("block", weights) | linear | {"seeds": learned[0]}
        block = AttentionPooling(num_seeds=len(learned[0]), rff=bool(linear), **options)
    if missing := block.state_dict().keys() - weights.keys():
        raise ValueError(f"state must hold all weights of a block, got none for {_shown(missing)}")
    if extra := weights.keys() - block.state_dict().keys():
        raise ValueError(f"state must be that of one block, got also {_shown(extra)}")
    block.load_state_dict(weights)
    return block


_PUBLISHED = {"fc_q": "query", "fc_k": "key", "fc_v": "value", "fc_o": "linear1"}
_PUBLISHED |= {"ln0": "norm1", "ln1": "norm2"}
_TORCHS = {"lin": "linear1", "layer_norm1": "norm1", "layer_norm2": "norm2"}
_TORCHS |= {"out_proj": "out", "attn.out_proj": "out"}


def _translated(
    given: dict[str, Tensor], prefix: str, heads: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Take the weights of one block; return the options of ours, and the weights by our names."""
    names = [name for name in given if name.startswith(prefix)]
    part = {name.removeprefix(prefix): given.pop(name) for name in names}
    published = {"fc_q.weight", "fc_k.weight"} <= part.keys()
    alone = "out_proj.weight" in part  # without what makes a block of it
    own = _renamed(part, _PUBLISHED if published else _TORCHS)
    if published:
        own["key.weight"] = own["key.weight"] / math.sqrt(heads)
    else:
        own |= _projections(part)
    own.pop("key.bias", None)  # which adds the same to all scores of a row
    if part or not {f"{name}.weight" for name in _PARTS} <= own.keys():
        raise ValueError(f"state must be that of an attention block, got {_shown(names)}")
    query, key, value = (own[f"{name}.weight"] for name in _PARTS)
    if key.shape[1] != value.shape[1]:
        raise ValueError(
            "state must have keys and values of the same features, got "
            f"{key.shape[1]} and {value.shape[1]}"
        )
    options = {
        "d": query.shape[0],
        "x_features": query.shape[1],
        "y_features": key.shape[1],
        "bias": "query.bias" in own,
        "residual": "query" if published else "input",
        "dim_feedforward": None if alone else 0,
        "layer_norm": "norm1.weight" in own,
    }
    return options, own


_PARTS = "query", "key", "value"


def _projections(part: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take what `torch.nn.MultiheadAttention` projects with, three matrices in one or apart."""
    own: dict[str, Tensor] = {}
    for before in ("", "attn."):
        for kind in ("weight", "bias"):
            if (stacked := part.pop(f"{before}in_proj_{kind}", None)) is not None:
                own |= zip((f"{name}.{kind}" for name in _PARTS), stacked.chunk(3), strict=True)
        for name in _PARTS:
            if (matrix := part.pop(f"{before}{name[0]}_proj_weight", None)) is not None:
                own[f"{name}.weight"] = matrix
    return own


def _renamed(part: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Take the weights of the modules that have these names, and return them by the new ones."""
    splits = [(name, *name.rpartition(".")[::2]) for name in part]
    return {f"{names[of]}.{kind}": part.pop(name) for name, of, kind in splits if of in names}


def _under(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{inner}": weight for inner, weight in weights.items()}


def _shown(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
