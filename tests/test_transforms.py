"""Who sees every operation: a compiler, autocast, a transform of `torch.func`, or nobody."""

import pytest
import torch
from torch.func import grad, jvp, vmap

from invariant_nets._sets import is_transformed


def seen(transform):
    """What a function that is transformed finds out."""
    found = []

    def function(x):
        found.append(is_transformed(x))
        return (x * x).sum()

    transform(function)
    return found


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: vmap(f)(torch.ones(3, 2)),
        lambda f: grad(f)(torch.ones(2)),
        lambda f: jvp(f, (torch.ones(2),), (torch.ones(2),)),
    ],
    ids=["vmap", "grad", "jvp"],
)
def test_a_transform_sees(transform):
    assert set(seen(transform)) == {True}


def test_autocast_of_the_same_device_sees():
    x = torch.ones(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert is_transformed(x)
        assert not is_transformed(x.to("meta"))
    with torch.autocast("cpu", enabled=False):
        assert not is_transformed(x)


def test_a_compiler_sees():
    torch.compiler.reset()
    compiled = torch.compile(lambda x: x + is_transformed(x), fullgraph=True, backend="eager")
    assert compiled(torch.zeros(())).item() == 1


def test_otherwise_nobody_sees():
    x = torch.ones(2, requires_grad=True)
    assert not is_transformed(x)
    with torch.no_grad():
        assert not is_transformed(x)
    assert seen(lambda f: f(x).backward()) == [False]
