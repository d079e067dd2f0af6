"""An exported program, run node by node on an example and written down as few operations.

The tensors themselves tell what is a view of what: two that share a storage differ in shape,
strides and offset only, and no step is needed between them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export.exported_program import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils import _pytree as pytree

from invariant_nets.comparison.graphs.rules import CONSTANT, DRAWING, RULES
from invariant_nets.comparison.graphs.steps import Constants, Graph, Place, Step, place

TYPES = (torch.float32, torch.bool, torch.int64, torch.int32)
NOBODY = "reads what depends on the set, and no step computes it"


class Lowering:
    """The graph of one program, while it is written.

    Args:
        program: what `torch.export` made of a model.
        constants: those of all models, to which it adds its own.
    """

    def __init__(self, program: ExportedProgram, constants: Constants) -> None:
        self.program = program
        self.constants = constants
        self.graph = Graph()
        self._slots: dict[int, int] = {}  # of a storage, by its address
        # All numbers of a storage that is constant; a tensor without numbers has address 0.
        self._fixed: dict[int, Tensor] = {0: torch.empty(0)}
        self._held: set[int] = set()  # the weights and buffers, which must stay as they are
        self._alive: list[Tensor] = []  # or an address would soon be that of another tensor

    def run(self, *example: Tensor) -> tuple[Graph, list[Tensor]]:
        """Return the graph, and what the program gives for an example: the set, and its mask."""
        values = self._inputs(example)
        outputs: list[Tensor] = []
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                continue
            args, kwargs = pytree.tree_map_only(
                Node, values.__getitem__, (tuple(node.args), dict(node.kwargs))
            )
            try:
                if node.op == "output":
                    outputs = [t for t in args[0] if isinstance(t, Tensor)]
                    self.graph.outputs = [self.place(t) for t in outputs]
                elif node.op == "call_function":
                    values[node] = self._node(node.target, args, kwargs)
                else:
                    raise ValueError(f"is a {node.op}, which no rule knows")
            except (TypeError, ValueError) as error:
                what = "the output" if node.op == "output" else f"{node.name} ({node.target})"
                raise ValueError(f"{what}: {error}") from error
        return self.graph.pruned(), outputs

    def _inputs(self, example: Sequence[Tensor]) -> dict[Node, Any]:
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        values: dict[Node, Any] = {}
        slot = 0
        for node, spec in zip(nodes, self.program.graph_signature.input_specs, strict=True):
            if spec.kind == InputKind.USER_INPUT:
                values[node] = example[slot].clone()
                self._own(values[node], slot)
                slot += 1
            else:
                held = {**self.program.constants, **self.program.state_dict}[str(spec.target)]
                if not isinstance(held, Tensor):
                    raise ValueError(f"{node.name}: is a {type(held).__name__} and no tensor")
                values[node] = self._constant(held.detach().clone())
                self._held.add(_address(values[node]))
        return values

    def _node(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if target is operator.getitem:
            return args[0][args[1]]
        name = target.name().removeprefix("aten::").partition(".")[0]
        read = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        draws = torch.Tag.nondeterministic_seeded in target.tags
        dynamic = any(map(self._is_dynamic, read)) or name in DRAWING
        if name.startswith("_assert"):
            return None
        if not all(map(self._is_known, read)):
            raise ValueError(NOBODY)
        if name in CONSTANT or not (dynamic or draws):
            return pytree.tree_map_only(Tensor, self._constant, target(*args, **kwargs))
        if name.endswith("_") and not name.endswith("__"):
            return self._in_place(target, name.removesuffix("_"), args, kwargs)
        return self._lowered(target, name, args, kwargs)

    def _lowered(
        self, target: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        value = target(*args, **kwargs)
        results = [t for t in pytree.tree_leaves(value) if isinstance(t, Tensor)]
        if all(map(self._is_known, results)):  # views
            return value
        if name not in RULES:
            raise ValueError("is an operation that no rule knows")
        return RULES[name](self, value, *args, **kwargs)

    def _in_place(
        self, target: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Tensor:
        """Write down what the operation that makes a new tensor does, and let its storage be it."""
        changed = args[0]
        if name not in RULES:
            raise ValueError("works in place, and no rule knows what it does")
        if _address(changed) in self._held:
            raise ValueError("changes a weight or buffer of the model")
        if not changed.is_contiguous() or changed.numel() != _length(changed):
            raise ValueError("works in place on a part of a tensor")
        twin = getattr(getattr(torch.ops.aten, name), target.name().partition(".")[2] or "default")
        new = twin(*args, **kwargs)
        if new.shape != changed.shape or new.dtype != changed.dtype:
            raise ValueError("works in place, and gives another shape or type")
        # A rule of several steps must not read what the last one has changed.
        made = RULES[name](self, new, *args, **kwargs)
        slot = self._slots[_address(made)]
        changed.copy_(new)
        self._fixed.pop(_address(changed), None)
        self._slots[_address(changed)] = slot
        return changed  # type: ignore[no-any-return]

    def emit(
        self,
        name: str,
        value: Tensor,
        reads: Sequence[Tensor | float],
        options: Sequence[float] = (),
        order: Sequence[int] | None = None,
    ) -> Tensor:
        """Add a step that gives `value`, and return it as a tensor whose place is known.

        Args:
            name: the operation.
            value: what torch computed.
            reads: what the step reads, in the order in which it does.
            options: numbers that it needs.
            order: the axes of `value` in the order in which the step writes them.
        """
        if not value.numel():
            return value
        axes = list(range(value.ndim)) if order is None else list(order)
        made = value.permute(axes).clone(memory_format=torch.contiguous_format)
        if made.dtype not in TYPES:
            raise ValueError(f"gives {made.dtype}, which is none of float32, bool and integers")
        places = tuple(self._read(t, made) for t in reads)
        slot = self.graph.add(Step(name, made.numel(), places, tuple(map(float, options))))
        self._own(made, slot)
        return made.permute([axes.index(axis) for axis in range(value.ndim)])

    def place(self, t: Tensor) -> Place:
        """Return where the numbers of a tensor are; raise if no step computes them."""
        address = _address(t)
        if address in self._slots:
            return place(self._slots[address], t)
        if address not in self._fixed:
            raise ValueError(NOBODY)
        return place(self.constants.source(self._fixed[address]), t)

    def _read(self, t: Tensor | float, made: Tensor) -> Place:
        if isinstance(t, Tensor):
            return self.place(t)
        one = torch.tensor([t], dtype=torch.float32 if isinstance(t, float) else torch.int64)
        return self.place(self._constant(one).expand(made.shape))

    def _constant(self, t: Tensor) -> Tensor:
        """Remember all numbers of the storage of a tensor that does not depend on the set."""
        if not self._is_known(t):
            self._fixed[_address(t)] = t.as_strided((_length(t),), (1,), 0)
        return t

    def _own(self, t: Tensor, slot: int) -> None:
        self._alive.append(t)
        self._slots[_address(t)] = slot

    def _is_dynamic(self, t: Tensor) -> bool:
        return _address(t) in self._slots

    def _is_known(self, t: Tensor) -> bool:
        return self._is_dynamic(t) or _address(t) in self._fixed


def _address(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()


def _length(t: Tensor) -> int:
    return t.untyped_storage().nbytes() // t.element_size()
