"""A graph that one node of another graph keeps: what it depends on, and its gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge


def hidden_leaf(output: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """Return a tensor that requires grad, that an output depends on, and that is no input.

    A node gives gradients to its inputs only; such a tensor would get none.
    """
    seen: set[Any] = {get_gradient_edge(x).node for x in inputs if x.requires_grad}
    stack = [output.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            return leaf
        stack.extend(following for following, _ in node.next_functions)
    return None


def inner_gradients(
    output: Tensor, inputs: Sequence[Tensor], gradient: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of the inputs, inside the backward pass of the node.

    The inner graph is kept if that pass keeps its own.
    """
    # Private: a pass tells nobody in public whether it keeps its graph.
    keep = torch._C._autograd._get_current_graph_task_keep_graph()
    with _without_hooks(inputs):
        return torch.autograd.grad(output, inputs, gradient, retain_graph=keep, allow_unused=True)


@contextlib.contextmanager
def _without_hooks(tensors: Sequence[Tensor]) -> Iterator[None]:
    # autograd.grad runs the hooks of a tensor, with a part of its gradient; the outer graph runs
    # them again, with the whole. Private: hooks can be removed in public by who has their handles.
    dicts = [hooks for x in tensors if (hooks := x._backward_hooks)]
    kept = [dict(hooks) for hooks in dicts]
    try:
        for hooks in dicts:
            hooks.clear()
        yield
    finally:
        for hooks, before in zip(dicts, kept, strict=True):
            hooks.update(before)
