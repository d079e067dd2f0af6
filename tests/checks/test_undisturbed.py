"""`Held` finds what a function uses, and `undisturbed` puts all of it back."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from invariant_nets.checks.undisturbed import Held, undisturbed

GENERATORS = {
    "torch": (lambda: torch.Generator().manual_seed(0), lambda g: torch.rand(3, generator=g)),
    "numpy": (lambda: np.random.default_rng(0), lambda g: g.random(3)),
    "python": (lambda: random.Random(0), lambda g: g.random()),
}
MODEL, COIN = nn.Linear(2, 2), np.random.default_rng(0)


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generator_goes_on_as_if_it_had_not_been_called(kind):
    make, draw = GENERATORS[kind]
    generator, again = make(), make()
    draw(generator), draw(again)  # its state is not that of its seed
    with undisturbed(Held(lambda: draw(generator))):
        inside = [draw(generator) for _ in range(3)]
    assert [list(np.ravel(draw(generator))) for _ in range(3)] == [
        list(np.ravel(values)) for values in inside
    ]
    assert np.array_equal(draw(make()), draw(make()))


def test_what_a_function_names_among_its_globals_is_found():
    held = Held(lambda x: MODEL(x) * COIN.random())
    assert held.modules == [MODEL]
    assert held.generators == [COIN]


def test_what_a_function_encloses_may_not_be_there_yet():
    def function(x):
        return later(x) * coin.random()

    coin = np.random.default_rng(0)
    assert Held(function).generators == [coin]

    def later(x):
        return x
