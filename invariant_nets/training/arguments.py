"""The checks before a fit begins: parts that would train, but not as intended, are refused."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from invariant_nets._arguments import finite, warn

_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss, nn.MultiLabelMarginLoss)
_FUNCTIONS_OF_CLASSES = (F.cross_entropy, F.nll_loss, F.multi_margin_loss)


def of_classes(loss_fn: Any) -> bool:
    """Return whether a loss is one of several classes."""
    inner = _inner(loss_fn)
    return isinstance(inner, _CLASSES) or inner in _FUNCTIONS_OF_CLASSES


def check_mean(loss_fn: Any) -> None:
    """Raise unless a loss may be a mean over the batch."""
    if not callable(loss_fn):
        raise TypeError(f"loss_fn must be callable, got {loss_fn!r}")
    if isinstance(loss_fn, type):
        raise TypeError(f"loss_fn must be made, {loss_fn.__name__}(), got the class itself")
    options = loss_fn.keywords if isinstance(loss_fn, functools.partial) else {}
    reduction = options.get("reduction", getattr(loss_fn, "reduction", "mean"))
    if reduction != "mean":
        raise ValueError(f"loss_fn must average over the batch, got reduction={reduction!r}")


def threshold_of(loss_fn: Any, threshold: float | None) -> float:
    """Return the threshold that is given, or that follows from the loss."""
    if threshold is not None:
        return finite("threshold", threshold)
    if takes_logits(loss_fn):
        return 0.0
    if takes_probabilities(loss_fn):
        return 0.5
    raise ValueError(
        "loss_fn must be BCEWithLogitsLoss (logits) or BCELoss (probabilities), or threshold must "
        f"say above which output the label is 1, got {loss_fn!r} and no threshold: Task.regression "
        "is for numbers, Task.classes for classes"
    )


def takes_logits(loss_fn: Any) -> bool:
    """Return whether outputs are log-odds."""
    inner = _inner(loss_fn)
    return isinstance(inner, nn.BCEWithLogitsLoss) or inner is F.binary_cross_entropy_with_logits


def takes_probabilities(loss_fn: Any) -> bool:
    """Return whether outputs are probabilities."""
    inner = _inner(loss_fn)
    return isinstance(inner, nn.BCELoss) or inner is F.binary_cross_entropy


def _inner(loss_fn: Any) -> Any:
    return loss_fn.func if isinstance(loss_fn, functools.partial) else loss_fn


def check_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raise unless the optimizer holds parameters of the model; warn if it holds some only."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError(
            "model must have a parameter that requires a gradient, got none: unfreeze some with "
            "requires_grad_(True)"
        )
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    left = [name for name, p in trained.items() if id(p) not in held]
    if len(left) == len(trained):
        raise ValueError(
            "optimizer must hold the parameters of the model, got those of another one: make it "
            "from model.parameters(), after the model has all its layers"
        )
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        warn(
            f"the optimizer does not hold {', '.join(left[:3])}{more}, which stay as they are: "
            "give it all of model.parameters(), or freeze these with requires_grad_(False)",
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise TypeError(
            "optimizer must step without a closure, got "
            f"{type(optimizer).__name__}, which evaluates the loss by itself"
        )


def check_scheduler(scheduler: Any, optimizer: torch.optim.Optimizer, per_step: bool) -> None:
    """Raise unless it is none, or one of the optimizer that can make its steps when asked to."""
    if scheduler is None:
        if per_step:
            raise ValueError("per_step says when a scheduler makes its steps, got none")
        return
    if not isinstance(scheduler, LRScheduler | ReduceLROnPlateau):
        raise TypeError(
            "scheduler must be one of torch.optim.lr_scheduler, got "
            f"{getattr(scheduler, '__name__', type(scheduler).__name__)}"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("scheduler must be made for the optimizer that is given, got another's")
    if per_step and isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(
            "per_step must be False with ReduceLROnPlateau, which waits for the validation loss"
        )


def check_not_sum(loss_fn: Any, output: Tensor, label: Tensor) -> None:
    """Raise if a loss is a sum over the samples."""
    if not (takes_logits(loss_fn) or takes_probabilities(loss_fn)) and _is_sum(
        loss_fn, output, label
    ):
        raise ValueError(
            "loss_fn must average over the batch, got one that adds up: of the same samples twice "
            "it is twice as much"
        )


def _is_sum(loss_fn: Any, output: Tensor, label: Tensor) -> bool:
    try:
        once, twice = (
            loss_fn(output, label),
            loss_fn(*(torch.cat([part, part]) for part in (output, label))),
        )
    except Exception:  # one that knows how many samples there are
        return False
    return bool(once != 0) and torch.allclose(twice, 2 * once, rtol=1e-3, atol=0)


def check_gradient(loss_fn: Any, loss: Tensor, output: Tensor, label: Tensor) -> None:
    """Raise if nothing can be learned from a loss."""
    if not output.requires_grad or not loss.requires_grad:
        part = "loss" if output.requires_grad else "outputs of the model"
        raise ValueError(
            f"the {part} must have a gradient, got none: something works under no_grad, detaches, "
            "or rounds"
        )
    (gradient,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
    if gradient is None or not gradient.any():
        with torch.no_grad():
            other = loss_fn(1 - output, label)
        if gradient is None or torch.equal(other, loss):
            raise ValueError(
                f"loss_fn must depend on the outputs, got {abs(loss.item()):g} whatever they are; "
                "a loss of several classes does so on one output: take BCEWithLogitsLoss"
            )
        if loss.abs() > 1e-6:  # of a perfect model it is 0 too
            warn(
                f"the loss is {loss.item():g} and its gradient 0 for every output of the first "
                "batch: nothing is learned from it; does it round, or count?",
            )


def warn_of_sigmoid(model: nn.Module, loss_fn: Any, output: Tensor) -> None:
    """Warn of a model that ends in a sigmoid or softmax before a loss that takes another one."""
    low, high = output.detach().aminmax()
    softmax = of_classes(loss_fn) and bool((output.detach().sum(-1) - 1).abs().max() < 1e-2)
    if not (softmax or takes_logits(loss_fn)) or low < 0 or high > 1:
        return
    if _ends_in_sigmoid(model, output):
        last = "softmax" if softmax else "sigmoid"
        trouble = "the loss hardly falls" if softmax else "no output is below the threshold 0"
        instead = "" if softmax else ", or take BCELoss"
        warn(
            f"the model ends in a {last}, and {_name(loss_fn)} takes another one: {trouble}; leave "
            f"the {last} of the model away{instead}",
        )


def check_outputs(loss_fn: Any, low: float, high: float) -> None:
    """Raise if the loss takes probabilities and outputs are none."""
    if takes_probabilities(loss_fn) and not 0 <= low <= high <= 1:
        raise ValueError(
            "the outputs of the model must be probabilities for BCELoss, in [0, 1], got "
            f"{low if low < 0 else high:g}: take BCEWithLogitsLoss, or end in a sigmoid"
        )


def _name(loss_fn: Any) -> str:
    inner = _inner(loss_fn)
    return str(getattr(inner, "__name__", type(inner).__name__))


# What averages outputs or gives them another shape: what came before it still shows.
_KEEPS = (
    *("Mean", "Div", "Mul", "Sum", "View", "Reshape", "Squeeze", "Unsqueeze", "Clone", "ToCopy"),
    *("Slice", "Select", "Transpose", "Expand", "Cat", "Stack", "Unsafe", "Alias", "Permute"),
)


def _ends_in_sigmoid(model: nn.Module, output: Tensor) -> bool:
    """Return whether outputs in [0, 1] were made by a sigmoid or softmax, or a mean of such."""
    node = output.grad_fn
    while node is not None and node.name().startswith(_KEEPS):
        before = [parent for parent, _ in node.next_functions if parent is not None]
        node = before[0] if before else None
    if node is not None and node.name().startswith(("Sigmoid", "Softmax")):
        return True
    last = [module for module in model.modules() if not any(module.children())]
    return bool(last) and isinstance(last[-1], nn.Sigmoid | nn.Softmax)
