r"""The book's models by name, each with the group that it claims to be invariant to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from invariant_nets._validation import positive_int
from invariant_nets.augmentation import Augmentation
from invariant_nets.averaging import SymmetryModel
from invariant_nets.backbones import mlp, transformer
from invariant_nets.canonicalization import CanonicalModel
from invariant_nets.deep_sets import deep_sets
from invariant_nets.entries import entrywise, radial
from invariant_nets.intrinsic import exchangeable_matrix, intrinsic
from invariant_nets.named_groups import cyclic_group, symmetric_group
from invariant_nets.permutation import Permutation
from invariant_nets.set_transformer import set_transformer
from invariant_nets.sorting import columnwise_sort
from invariant_nets.symmetric_elements import cyclic_elements

SAMPLED_PERMUTATIONS = 10

Builder = Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class ModelSpec:
    r"""How to build a model of sets of size $n$ with $d$ features, and what it claims.

    Attributes:
        build: maps $(n, d)$ to a fresh module that gives logits of shape $(\mathrm{batch}, 1)$ and
            takes a mask.
        route: which of the book's routes to invariance it takes, in words.
        group: the name of the largest group that it is exactly invariant to, by construction.
        chapter: the number of the chapter that builds it.
        lr: the step size of Adam with which it is compared: the better of $10^{-3}$ and $10^{-2}$
            in a short training on the running task.
    """

    build: Builder
    route: str
    group: str
    chapter: int
    lr: float = 1e-3


def cyclic_generator(n: int) -> Permutation:
    r"""Return the shift $i \mapsto i + 1 \bmod n$, which generates the cyclic group $C_n$.

    Example:
        >>> cyclic_generator(4)
        Permutation([1, 2, 3, 0])
    """
    return Permutation.from_cycles(n, range(n))


def _canonical(backbone: Builder, n: int, d: int) -> nn.Module:
    return CanonicalModel(backbone(n, d))


def _columnwise(backbone: Builder, n: int, d: int) -> nn.Module:
    return CanonicalModel(backbone(n, d), columnwise_sort)


def _cyclic(backbone: Builder, n: int, d: int) -> nn.Module:
    return SymmetryModel(backbone(n, d), cyclic_group(n))


def _sampled(backbone: Builder, n: int, d: int) -> nn.Module:
    return SymmetryModel(backbone(n, d), symmetric_group(n), samples=SAMPLED_PERMUTATIONS)


def _augmented(backbone: Builder, n: int, d: int) -> nn.Module:
    return Augmentation(backbone(n, d))


def _spec(
    route: Callable[[Builder, int, int], nn.Module],
    backbone: Builder,
    words: str,
    group: str,
    chapter: int,
    lr: float = 1e-3,
) -> ModelSpec:
    return ModelSpec(functools.partial(route, backbone), words, group, chapter, lr)


MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {
        "mlp": ModelSpec(mlp, "none", "trivial", 10),
        "transformer": ModelSpec(transformer, "none", "trivial", 10, 1e-2),
        "augmented-mlp": _spec(_augmented, mlp, "augmentation", "trivial", 9),
        "canonical-mlp": _spec(_canonical, mlp, "canonicalization", "S_n", 7),
        "canonical-transformer": _spec(_canonical, transformer, "canonicalization", "S_n", 7, 1e-2),
        "columnwise-mlp": _spec(_columnwise, mlp, "canonicalization", "(S_n)^d", 7),
        "cyclic-mlp": _spec(_cyclic, mlp, "symmetrization", "C_n", 8),
        "cyclic-transformer": _spec(_cyclic, transformer, "symmetrization", "C_n", 8, 1e-2),
        "sampled-mlp": _spec(_sampled, mlp, "sampled symmetrization", "trivial", 8),
        "sampled-transformer": _spec(
            _sampled, transformer, "sampled symmetrization", "trivial", 8, 1e-2
        ),
        "intrinsic": ModelSpec(intrinsic, "intrinsic", "S_n", 4, 1e-2),
        "deep-sets": ModelSpec(deep_sets, "intrinsic", "S_n", 13, 1e-2),
        "set-transformer": ModelSpec(set_transformer, "intrinsic", "S_n", 13),
        "cyclic-elements": ModelSpec(cyclic_elements, "intrinsic", "S_n × C_d", 6, 1e-2),
        "exchangeable": ModelSpec(exchangeable_matrix, "intrinsic", "S_n × S_d", 6, 1e-2),
        "entrywise": ModelSpec(entrywise, "intrinsic", "S_{nd}", 6, 1e-2),
        "radial": ModelSpec(radial, "intrinsic", "O(nd)", 6, 1e-2),
    }
)
"""The book's models, by name."""


def build_model(name: str, n: int, d: int) -> nn.Module:
    r"""Build one of the book's models for sets of $n$ members with $d$ features.

    Args:
        name: a key of `MODELS`.
        n: the set size, at least 1.
        d: the number of features, at least 1.

    Shape:
        The model maps $(\mathrm{batch}, n, d)$ to logits $(\mathrm{batch}, 1)$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        ValueError: if there is no such model, or a number is below 1.

    Example:
        >>> import torch
        >>> build_model("cyclic-mlp", 10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])
        >>> MODELS["cyclic-mlp"].group
        'C_n'

    Compared in chapter 11.
    """
    if name not in MODELS:
        raise ValueError(f"name must be one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name].build(positive_int("n", n), positive_int("d", d))
