"""Another default dtype or device, as a user's script might choose."""

import contextlib

import torch


@contextlib.contextmanager
def default_dtype(dtype):
    """Makes a type of numbers torch's default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    """Makes a device torch's default."""
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


def other_default(what):
    """Makes float64 or the meta device torch's default."""
    return default_dtype(torch.float64) if what == "dtype" else default_device("meta")
