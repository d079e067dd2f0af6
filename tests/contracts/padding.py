"""Ragged sets, padded in bad ways, and what must hold of every module that takes a mask."""

import math

import torch

SIZES = (3, 1, 5, 0, 4)
GARBAGE = (math.nan, math.inf, -1e30, 7.0)


def ragged(d, sizes=SIZES, seed=0, dtype=torch.float64):
    """Sets of several sizes, (n_i, d) each."""
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(size, d, generator=source, dtype=dtype) for size in sizes]


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


def gradients(model, x, mask):
    """The gradients of a smooth function of the output, of the input first."""
    x = x.clone().requires_grad_()
    parameters = [p for p in model.parameters() if p.requires_grad]
    y = model(x, mask=mask)
    return torch.autograd.grad(
        (y * y.detach().cos()).sum(), [x, *parameters], allow_unused=True, materialize_grads=True
    )


def assert_padding_never_leaks(model, d, n=7, sizes=SIZES, dtype=torch.float64):
    """The same outputs and gradients whatever the padding holds, and none of the padding's own."""
    x, mask = padded(ragged(d, sizes, dtype=dtype), n, 0.0)
    reference, slopes = model(x, mask=mask), gradients(model, x, mask)
    assert reference.isfinite().all()
    assert all(slope.isfinite().all() for slope in slopes)
    assert not slopes[0][~mask].any()
    for garbage in GARBAGE:
        dirty = x.masked_fill(~mask[..., None], garbage)
        assert torch.equal(model(dirty, mask=mask), reference)
        for slope, expected in zip(gradients(model, dirty, mask), slopes, strict=True):
            assert torch.equal(slope, expected)


def assert_same_as_unpadded(model, d, n=7, sizes=SIZES, equivariant=False, dtype=torch.float64):
    """A padded set gives what the set itself gives, at its members' places; 0 at the others."""
    sets = ragged(d, sizes, dtype=dtype)
    for scattered in (False, True):
        x, mask = padded(sets, n, scattered=scattered)
        y = model(x, mask=mask)
        for k, members in enumerate(sets):
            if equivariant:
                assert not y[k][~mask[k]].any()
            if len(members):
                alone = model(members[None])[0]
                torch.testing.assert_close(y[k][mask[k]] if equivariant else y[k], alone)
    x = torch.stack(ragged(d, (n, n), dtype=dtype))
    everyone = torch.ones(2, n, dtype=torch.bool)
    torch.testing.assert_close(model(x, mask=everyone), model(x))
