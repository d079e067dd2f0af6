r"""Coefficients as a formula shows them, stored in a unit that suits the steps of Adam.

Adam moves every stored number by about the learning rate $\eta$, whatever the gradient. If a
coefficient of $\frac1d \sum_i a_{ij} x_i$ is stored as $a / \kappa$, a step therefore changes the
output by about $\kappa \eta$ times the mean of $|x_i|$, at every width $d$. At $\kappa$ channels a
stored number is that of an ordinary linear layer. At other widths a step changes the output as much
as it does there. This is the maximal-update rule of Yang and Hu (2021) with base width $\kappa$.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from invariant_nets._rows import is_traced

UNIT = 8.0  # a power of two: what is shown is exactly what is stored, in every precision


class ReadOnly(Tensor):
    """What a layer shows: as good as a tensor, but to change it in place would change nothing."""

    of: nn.Parameter  # what is shown: a functional call sets it back

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Refuse what changes it, and hand on the rest."""
        kwargs = kwargs or {}
        name = func.__name__
        first = next(iter((*args, *kwargs.values())), None)
        writes = name in ("__setitem__", "__set__")  # to an entry, or to an attribute such as data
        in_place = writes or (name.endswith("_") and not name.endswith("__"))
        if isinstance(kwargs.get("out"), cls) or (in_place and isinstance(first, cls)):
            raise TypeError(
                f"{name} on a coefficient of a layer would change a copy: assign it instead, "
                "layer.a = tensor, or change what is stored, layer.stored_a"
            )
        with torch._C.DisableTorchFunctionSubclass():  # the way that torch's own guide goes
            result = func(*args, **kwargs)
            if not isinstance(first, cls):
                return result
            if type(result) in (tuple, list):
                return type(result)(_view_or_new(part, first) for part in result)
            return _view_or_new(result, first)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be kept as a plain tensor."""
        with torch._C.DisableTorchFunctionSubclass():
            plain: Any = self.as_subclass(Tensor)
            return plain.__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Be copied as a plain tensor."""
        with torch._C.DisableTorchFunctionSubclass():
            plain: Tensor = self.as_subclass(Tensor)
        return copy.deepcopy(plain, memo)


def _view_or_new(result: Any, shown: ReadOnly) -> Any:
    """Return a view of what is shown as read-only too, and anything else as it is."""
    # What a transform wraps, and what is sparse, has no storage to ask for.
    if not isinstance(result, Tensor) or is_traced() or result.layout is not torch.strided:
        return result
    here = shown.untyped_storage().data_ptr()
    return result.as_subclass(
        ReadOnly if here and result.untyped_storage().data_ptr() == here else Tensor
    )


class Shown:
    """A coefficient of a layer as its formula has it; assigning to it stores it."""

    def __set_name__(self, owner: type[InUnits], name: str) -> None:
        self.name = name
        owner._shown = (*owner._shown, name)

    def __get__(self, layer: InUnits | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        value = layer._coefficient(self.name)
        if value is None or is_traced():
            return value
        shown = value.as_subclass(ReadOnly)
        shown.of = getattr(layer, f"stored_{self.name}")
        return shown

    def __set__(self, layer: InUnits, value: Tensor) -> None:
        stored = getattr(layer, f"stored_{self.name}")
        if not isinstance(value, Tensor) or stored is None:
            raise TypeError(f"{self.name} must be a tensor, of a layer that has it, got {value!r}")
        if value.shape != stored.shape:
            shapes = tuple(stored.shape), tuple(value.shape)
            raise ValueError(f"{self.name} must have shape {shapes[0]}, got {shapes[1]}")
        own = getattr(value, "of", None) is stored
        if value.requires_grad and torch.is_grad_enabled() and not own:
            raise ValueError(
                f"what {self.name} is set to has a gradient, which would be lost: detach it; "
                f"torch.func.functional_call takes stored_{self.name}"
            )
        value = value.to(torch.promote_types(value.dtype, stored.dtype))  # integers too
        with torch.no_grad():
            stored.copy_(value / layer._unit(self.name, value))


class InUnits(nn.Module):
    """A module that shows its coefficients and stores them in units: `stored_a` for `a`.

    A state dict from before there were units holds `a`, and is read as such.
    """

    _shown: tuple[str, ...] = ()

    def _unit(self, name: str, like: Tensor) -> float | Tensor:
        """Return what a stored coefficient is multiplied by, in at least single precision."""
        raise NotImplementedError

    def _coefficient(self, name: str) -> Tensor | None:
        """Return a coefficient as the formula has it, or None if the layer has none."""
        stored: Tensor | None = getattr(self, f"stored_{name}")
        return None if stored is None else (stored * self._unit(name, stored)).to(stored.dtype)

    def _coefficients(self) -> tuple[Tensor, Tensor | None]:
        """Return those of a layer that has a weight, and a bias or none."""
        weight = self._coefficient("weight")
        assert weight is not None
        return weight, self._coefficient("bias")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a module of the name of what is shown would go unseen."""
        if name in self._shown and isinstance(value, nn.Module):
            raise TypeError(f"{name} must be a tensor, got {value!r}")
        super().__setattr__(name, value)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """Register a parameter, which what is shown is not."""
        if name in self._shown:
            raise TypeError(
                f"{name} is shown, and stored_{name} the parameter: assign the values, "
                f"layer.{name} = parameter.detach()"
            )
        super().register_parameter(name, param)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name in self._shown:
            if prefix + name in state_dict:
                value, stored = state_dict.pop(prefix + name), getattr(self, f"stored_{name}")
                if stored is not None and value.shape == stored.shape:  # else torch says so
                    value = (value / self._unit(name, value)).to(value.dtype)
                state_dict[f"{prefix}stored_{name}"] = value
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
