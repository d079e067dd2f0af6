"""Another default dtype or device, on which no data may depend."""

import contextlib

import torch


@contextlib.contextmanager
def other_default(what):
    """Makes float64 or the meta device torch's default, as a user's script might."""
    try:
        if what == "dtype":
            torch.set_default_dtype(torch.float64)
        else:
            torch.set_default_device("meta")
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
