"""What a fit is refused for before it begins: parts that would train, but nothing that is meant."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset

_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss, nn.MultiLabelMarginLoss)
_FUNCTIONS_OF_CLASSES = (F.cross_entropy, F.nll_loss, F.multi_margin_loss)
_ONLY = "regression and several classes are not possible"


def check_loss(loss_fn: Any) -> None:
    """Raise unless a loss may be a mean over outputs and labels 0 and 1."""
    if not callable(loss_fn):
        raise TypeError(f"loss_fn must be callable, got {loss_fn!r}")
    if isinstance(loss_fn, type):
        raise TypeError(f"loss_fn must be made, {loss_fn.__name__}(), got the class itself")
    inner = loss_fn.func if isinstance(loss_fn, functools.partial) else loss_fn
    options = loss_fn.keywords if isinstance(loss_fn, functools.partial) else {}
    if isinstance(inner, _CLASSES) or inner in _FUNCTIONS_OF_CLASSES:
        raise ValueError(
            "loss_fn must be BCEWithLogitsLoss (logits) or BCELoss (probabilities), for a model "
            "has one output per set, of which a loss of several classes says nothing; "
            f"{_ONLY}; got {loss_fn!r}"
        )
    reduction = options.get("reduction", getattr(loss_fn, "reduction", "mean"))
    if reduction != "mean":
        raise ValueError(f"loss_fn must average over the batch, got reduction={reduction!r}")


def threshold_of(loss_fn: Any, threshold: object) -> float:
    """Return the threshold that is given, or that follows from the loss."""
    if threshold is not None:
        if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
            raise TypeError(f"threshold must be a number, got {threshold!r}")
        if not math.isfinite(threshold):
            raise ValueError(f"threshold must be finite, got {threshold}")
        return float(threshold)
    if takes_logits(loss_fn):
        return 0.0
    if takes_probabilities(loss_fn):
        return 0.5
    raise ValueError(
        "loss_fn must be BCEWithLogitsLoss (logits) or BCELoss (probabilities), or threshold must "
        f"say above which output the label is 1 ({_ONLY}); got {loss_fn!r} and no threshold"
    )


def takes_logits(loss_fn: Any) -> bool:
    """Return whether outputs are log-odds."""
    return _is(loss_fn, nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits)


def takes_probabilities(loss_fn: Any) -> bool:
    """Return whether outputs are probabilities."""
    return _is(loss_fn, nn.BCELoss, F.binary_cross_entropy)


def _is(loss_fn: Any, kind: type, function: Any) -> bool:
    inner = loss_fn.func if isinstance(loss_fn, functools.partial) else loss_fn
    return isinstance(inner, kind) or inner is function


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
        warnings.warn(
            f"the optimizer does not hold {', '.join(left[:3])}{more}, which stay as they are: "
            "give it all of model.parameters(), or freeze these with requires_grad_(False)",
            UserWarning,
            stacklevel=3,
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise TypeError(
            "optimizer must step without a closure, got "
            f"{type(optimizer).__name__}, which evaluates the loss by itself"
        )


def check_loader(name: str, batches: Any) -> None:
    """Raise unless batches can be drawn from it anew each epoch."""
    if isinstance(batches, Iterator):
        raise TypeError(f"{name} must give its batches anew each epoch, got an iterator")
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        raise TypeError(
            f"{name} must give batches, got the dataset {type(batches).__name__}, which gives "
            "samples: make a DataLoader of it"
        )
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise TypeError(f"{name} must be a DataLoader or batches, got {type(batches).__name__}")
    if isinstance(batches, DataLoader) and isinstance(batches.dataset, Iterator):
        raise TypeError(
            f"{name} must give its batches anew each epoch, got a DataLoader of an iterator"
        )


def check_labels(
    label: Tensor, output: Float[Tensor, batch * out], name: str
) -> tuple[float, float]:
    """Return the least and the largest label, or raise."""
    if label.shape != output.shape:
        hint = ": label[:, None] makes it so" if label.shape == output.shape[:1] else ""
        raise ValueError(
            f"the labels of {name} must have the outputs' shape {tuple(output.shape)}, "
            f"got {tuple(label.shape)}{hint}"
        )
    if not label.is_floating_point():
        raise ValueError(
            f"the labels of {name} must be floating-point, got {label.dtype}: label.float()"
        )
    low, high = torch.stack(label.aminmax()).tolist()
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"the labels of {name} must lie in [0, 1], got {low if not low >= 0 else high}; "
            "regression and several classes are not possible"
        )
    return low, high


def check_mean(loss_fn: Any, output: Tensor, label: Tensor) -> None:
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
        once, twice = loss_fn(output, label), loss_fn(output.tile(2, 1), label.tile(2, 1))
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
            warnings.warn(
                f"the loss is {loss.item():g} and its gradient 0 for every output of the first "
                "batch: nothing is learned from it; does it round, or count?",
                UserWarning,
                stacklevel=5,
            )


def warn_of_sigmoid(model: nn.Module, loss_fn: Any, output: Tensor) -> None:
    """Warn of a model that ends in a sigmoid before a loss that takes another one."""
    low, high = output.detach().aminmax()
    if takes_logits(loss_fn) and low >= 0 and high <= 1 and _ends_in_sigmoid(model, output):
        warnings.warn(
            "the model ends in a sigmoid, and BCEWithLogitsLoss takes another one: no output is "
            "below the threshold 0; leave the sigmoid of the model away, or take BCELoss",
            UserWarning,
            stacklevel=5,
        )


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
