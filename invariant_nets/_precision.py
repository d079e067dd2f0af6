"""The type in which sums and decompositions are taken."""

from __future__ import annotations

import torch


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    """Return the type for sums and counts: half precision has no large numbers, or few digits."""
    return torch.promote_types(dtype, torch.float32)
