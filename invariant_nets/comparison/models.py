r"""The book's models by name, each with the group that it claims to be invariant to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from torch import nn

from invariant_nets.averaging.augmentation import Augmentation
from invariant_nets.averaging.model import SymmetryModel
from invariant_nets.canonicalization.model import CanonicalModel
from invariant_nets.canonicalization.sorting import columnwise_sort
from invariant_nets.comparison.results import Builder, ModelSpec
from invariant_nets.groups.named import cyclic_group, symmetric_group
from invariant_nets.networks.backbones import mlp, transformer
from invariant_nets.networks.deep_sets import deep_sets
from invariant_nets.networks.entries import entrywise, gram, radial
from invariant_nets.networks.intrinsic import cyclic_elements, exchangeable_matrix, intrinsic
from invariant_nets.networks.set_transformer import set_transformer

SAMPLED_PERMUTATIONS = 10


def _canonical(backbone: Builder, n: int, d: int, outputs: int = 1) -> nn.Module:
    return CanonicalModel(backbone(n, d, outputs=outputs))


def _columnwise(backbone: Builder, n: int, d: int, outputs: int = 1) -> nn.Module:
    return CanonicalModel(backbone(n, d, outputs=outputs), columnwise_sort)


def _cyclic(backbone: Builder, n: int, d: int, outputs: int = 1) -> nn.Module:
    return SymmetryModel(backbone(n, d, outputs=outputs), cyclic_group(n))


def _sampled(backbone: Builder, n: int, d: int, outputs: int = 1) -> nn.Module:
    every = symmetric_group(n)
    return SymmetryModel(backbone(n, d, outputs=outputs), every, samples=SAMPLED_PERMUTATIONS)


def _augmented(backbone: Builder, n: int, d: int, outputs: int = 1) -> nn.Module:
    return Augmentation(backbone(n, d, outputs=outputs))


def _spec(
    route: Callable[..., nn.Module],
    backbone: Builder,
    words: str,
    group: str,
    chapter: int,
    lr: float = 1e-3,
) -> ModelSpec:
    return ModelSpec(functools.partial(route, backbone), words, group, chapter, lr)


def _of_tables(build: Builder, group: str, lr: float = 1e-3) -> ModelSpec:
    return ModelSpec(build, "intrinsic", group, 6, lr, "tables")


MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {
        "mlp": ModelSpec(mlp, "none", "trivial", 10),
        "transformer": ModelSpec(transformer, "none", "trivial", 7, 1e-2),
        "augmented-mlp": _spec(_augmented, mlp, "augmentation", "trivial", 9),
        "canonical-mlp": _spec(_canonical, mlp, "canonicalization", "S_n", 7),
        "canonical-transformer": _spec(_canonical, transformer, "canonicalization", "S_n", 7, 1e-2),
        "columnwise-mlp": replace(
            _spec(_columnwise, mlp, "canonicalization", "(S_n)^d", 7), data="tables"
        ),
        "cyclic-mlp": _spec(_cyclic, mlp, "symmetrization", "C_n", 8),
        "cyclic-transformer": _spec(_cyclic, transformer, "symmetrization", "C_n", 8, 1e-2),
        "sampled-mlp": _spec(_sampled, mlp, "sampled symmetrization", "trivial", 8),
        "sampled-transformer": _spec(
            _sampled, transformer, "sampled symmetrization", "trivial", 8, 1e-2
        ),
        "intrinsic": ModelSpec(intrinsic, "intrinsic", "S_n", 4, 3e-3),
        "deep-sets": ModelSpec(deep_sets, "intrinsic", "S_n", 13),
        "set-transformer": ModelSpec(set_transformer, "intrinsic", "S_n", 13),
        "cyclic-elements": _of_tables(cyclic_elements, "S_n × C_d", 3e-3),
        "exchangeable": _of_tables(exchangeable_matrix, "S_n × S_d"),
        "entrywise": _of_tables(entrywise, "S_{nd}"),
        "gram": ModelSpec(gram, "intrinsic", "S_n × O(d)", 12, 3e-3, "tables"),
        "radial": _of_tables(radial, "O(nd)", 1e-2),
    }
)
"""The book's models, by name."""


def build_model(name: str, n: int, d: int, outputs: int = 1) -> nn.Module:
    r"""Build one of the book's models for sets of $n$ members with $d$ features.

    Args:
        name: a key of `MODELS`.
        n: the set size, at least 1.
        d: the number of features, at least 1.
        outputs: the number of outputs per set, at least 1.

    Shape:
        The model maps $(\mathrm{batch}, n, d)$ to logits $(\mathrm{batch}, \mathrm{outputs})$;
        `mask` is $(\mathrm{batch}, n)$, true where a member is.

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
    return MODELS[name].model(n, d, outputs)


def chosen_models(
    models: Iterable[str] | Mapping[str, ModelSpec] | None,
    tables: bool = True,
    per_member: bool = False,
) -> dict[str, ModelSpec]:
    """Return the models of a comparison by name; by default those for sets, and for tables too."""
    fit = [name for name, spec in MODELS.items() if not per_member or spec.per_member]
    if models is None:
        return {name: MODELS[name] for name in fit if tables or MODELS[name].data == "sets"}
    if isinstance(models, str) or not isinstance(models, Iterable):
        raise TypeError(f"models must be a sequence of names or a mapping, got {models!r}")
    if not isinstance(models, Mapping):
        names = list(models)
        for name in names:
            if name not in MODELS:
                raise ValueError(f"models must be of {', '.join(MODELS)}; got {name!r}")
            if name not in fit:
                raise ValueError(
                    f"models must be of {', '.join(fit)} for labels of members; got {name!r}"
                )
            if names.count(name) > 1:
                raise ValueError(f"models must differ, got {name!r} more than once")
        models = {name: MODELS[name] for name in names}
    for name, spec in models.items():
        if not isinstance(name, str) or not isinstance(spec, ModelSpec):
            raise TypeError(f"models must map names to ModelSpec, got {name!r}: {spec!r}")
    if not models:
        raise ValueError("models must name at least one model, got none")
    return dict(models)
