"""Ragged sets, padded in bad ways."""

import math

import torch

SIZES = (3, 1, 5, 0, 4)
GARBAGE = (math.nan, math.inf, -1e30, 7.0)


def ragged(features, sizes=SIZES, seed=0, dtype=torch.float64):
    """Sets of several sizes, (n_i, d) or (n_i, *features) each."""
    source = torch.Generator().manual_seed(seed)
    features = features if isinstance(features, tuple) else (features,)
    return [torch.randn(size, *features, generator=source, dtype=dtype) for size in sizes]


def padded(sets, n, garbage=math.nan, seed=0, scattered=True):
    """(x, mask) with the members in order at random places, or first, and garbage elsewhere."""
    source = torch.Generator().manual_seed(seed)
    x = sets[0].new_full((len(sets), n, *sets[0].shape[1:]), garbage)
    mask = torch.zeros(len(sets), n, dtype=torch.bool)
    for k, members in enumerate(sets):
        places = torch.randperm(n, generator=source) if scattered else torch.arange(n)
        places = places[: len(members)].sort().values
        x[k, places] = members
        mask[k, places] = True
    return x, mask
