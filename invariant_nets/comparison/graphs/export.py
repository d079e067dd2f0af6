r"""Models as graphs that need no Python: what the book's pages run when a reader moves a row."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.export import export
from torch.utils import _pytree as pytree

from invariant_nets._arguments import positive_int
from invariant_nets._sets import call, modes_kept
from invariant_nets.averaging.model import SymmetryModel
from invariant_nets.canonicalization.model import CanonicalModel
from invariant_nets.canonicalization.row_order import row_order
from invariant_nets.canonicalization.sorting import lexicographic_sort
from invariant_nets.comparison.graphs.lowering import Lowering
from invariant_nets.comparison.graphs.steps import Constants, Graph

MIME = "application/vnd.invariant-nets.graphs+json"
SETS = 64


class Graphs:
    """Trained models as graphs of few operations, and their weights as one sequence of numbers.

    A notebook shows their size, and keeps what `document` returns for the page.

    Attributes:
        name: the name of the file that the page loads.
        graphs: for each model its steps and its outputs; the size of each constant.
        weights: the constants one after the other, as little-endian float32.
        checks: sets, their masks, and what torch gives for them, for each model that draws nothing.
    """

    def __init__(
        self, name: str, graphs: dict[str, Any], weights: bytes, checks: dict[str, Any]
    ) -> None:
        self.name = name
        self.graphs = graphs
        self.weights = weights
        self.checks = checks

    def document(self) -> dict[str, Any]:
        """Return all of it as what JSON can hold; numbers as base64 of little-endian float32."""
        return {
            "name": self.name,
            "graphs": self.graphs,
            "weights": _text(self.weights),
            "checks": self.checks,
        }

    def __repr__(self) -> str:
        models, numbers = len(self.graphs["models"]), len(self.weights) // 4
        some = "1 model" if models == 1 else f"{models} models"
        return f"{some}, {numbers:,} numbers, {len(self.weights) / 1000:,.0f} kB"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": repr(self), MIME: self.document()}


def export_graphs(name: str, models: Mapping[str, nn.Module], n: int, d: int) -> Graphs:
    r"""Export models to graphs of few operations, which the pages of the book run by themselves.

    `torch.export` writes down what a model does with one set $x$ of shape $(1, n, d)$ and its mask,
    in evaluation mode. Of this the views vanish, constants are computed, and what is left are some
    thirty operations on numbers at known places. One graph serves all sets of at most $n$ members;
    a model that takes no mask serves sets of $n$ members only. What draws permutations draws them
    anew in each run of the graph.

    The outputs of a graph are a list: what the model returns, which may be several tensors in a
    tuple, a list or a dictionary, and then what it did inside. A `CanonicalModel` that sorts rows
    adds their order, first the number of the row that it put first, padding last. A `SymmetryModel`
    that samples adds its output for each permutation that it drew.

    Equal weights give equal bytes.

    Args:
        name: the name of the file for the page, of small letters, digits and hyphens.
        models: the models by name, on the CPU, in float32.
        n: the set size, at least 1.
        d: the number of features, at least 1.

    Raises:
        TypeError: if `models` is no mapping from names to modules.
        ValueError: if the name is none for a file, there are no models, a weight is elsewhere or of
            another type, or a model does something for which there is no rule. The message names
            the model, and the node of its exported program.

    Example:
        >>> from invariant_nets import intrinsic
        >>> graphs = export_graphs("small", {"intrinsic": intrinsic(4, 2)}, 4, 2)
        >>> [step[0] for step in graphs.graphs["models"]["intrinsic"]["steps"]][:3]
        ['not', 'fill', 'sum']

    Used in chapter 11.
    """
    _check(name, models)
    n, d = positive_int("n", n), positive_int("d", d)
    constants = Constants()
    x, mask = example_sets(n, d)
    found: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for key, model in models.items():
        with modes_kept(model), torch.no_grad():
            model.eval()
            masked = _takes_masks(model, x[:1], mask[:1])
            try:
                graph, shapes = _graph_of(_Asked(model, masked), x[:1], mask[:1], constants)
            except ValueError as error:
                raise ValueError(f"models[{key!r}] cannot be exported: {error}") from error
            found[key] = graph.plain(shapes, masked)
            if not graph.draws:
                outputs[key] = _checked(_Asked(model, masked), x, mask)
    graphs = {"n": n, "d": d, "constants": constants.sizes(), "models": found}
    checks = {"x": _text(x), "mask": _text(mask), "outputs": outputs}
    return Graphs(name, graphs, constants.numbers(), checks)


class _Asked(nn.Module):
    """A model that is asked with a mask whether it takes one or not, and tells what it does inside.

    The outputs are a list: those of the model, then the order of the rows that it sorts, or the
    output for each permutation that it draws.
    """

    def __init__(self, model: nn.Module, masked: bool) -> None:
        super().__init__()
        self.model = model
        self.masked = masked

    def forward(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        model, members = self.model, mask if self.masked else None
        inside: list[Tensor] = []
        with contextlib.ExitStack() as hooks:
            if isinstance(model, SymmetryModel) and model.samples is not None:
                for part in model.children():
                    hook = part.register_forward_hook(lambda _, __, output: inside.append(output))
                    hooks.callback(hook.remove)
            outputs = pytree.tree_leaves(call(model, x, members))
        if isinstance(model, CanonicalModel) and model.canonicalization is lexicographic_sort:
            inside.append(row_order(x, members))
        return [*outputs, *inside]


def _graph_of(
    asked: nn.Module, x: Tensor, mask: Tensor, constants: Constants
) -> tuple[Graph, list[torch.Size]]:
    program = export(asked.eval(), (x, mask))
    graph, outputs = Lowering(program, constants).run(x, mask)
    return graph, [output.shape for output in outputs]


def _takes_masks(model: nn.Module, x: Tensor, mask: Tensor) -> bool:
    try:
        call(model, x, mask)
    except TypeError as error:
        if "mask" not in str(error):
            raise
        return False  # or a part of it takes none
    return True


def example_sets(
    n: int, d: int, number: int = SETS, seed: int = 0
) -> tuple[Float[Tensor, "number n d"], Bool[Tensor, "number n"]]:
    """Return sets that try an interpreter: every fourth has ties, every second lacks members.

    The first lacks one, unless it would be empty. Padding holds numbers that must not matter, and
    zeros have both signs.
    """
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(number, n, d, generator=source)
    x[3::4] = (2 * x[3::4]).round() / 2
    share = torch.rand(number, 1, generator=source)
    mask = torch.rand(number, n, generator=source) < share
    mask[1::2] = True
    mask[0] = torch.arange(n) < max(1, n - 1)
    return x, mask


def _checked(asked: nn.Module, x: Tensor, mask: Tensor) -> list[str]:
    """Return the outputs for each set, as text."""
    return [_text(output) for output in asked(x, mask)]


def _text(numbers: Tensor | bytes) -> str:
    if isinstance(numbers, Tensor):
        numbers = numbers.to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
    return base64.b64encode(numbers).decode()


def _check(name: str, models: Mapping[str, nn.Module]) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"name must be of small letters, digits and hyphens, got {name!r}")
    if not isinstance(models, Mapping):
        raise TypeError(f"models must map names to modules, got {type(models).__name__}")
    if not models:
        raise ValueError("models must name at least one model, got none")
    for key, model in models.items():
        if not isinstance(key, str) or not isinstance(model, nn.Module):
            raise TypeError(
                f"models must map names to modules, got {key!r}: {type(model).__name__}"
            )
        for weight in [*model.parameters(), *model.buffers()]:
            single = weight.dtype == torch.float32 or not weight.is_floating_point()
            if weight.device.type != "cpu" or not single or weight.is_complex():
                raise ValueError(
                    f"models[{key!r}] must be on the CPU and in float32, got a weight of "
                    f"{weight.dtype} on {weight.device}"
                )
