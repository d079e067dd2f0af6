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


class Owner:
    def __init__(self, held):
        self.held = held

    def __call__(self, x):
        return self.held(x)

    def method(self, x):
        return self.held(x) * COIN.random()


class Slotted:
    __slots__ = ("held",)

    def method(self, x):
        return MODEL(x)


def test_methods_and_objects_that_can_be_called_hold_what_their_owner_holds():
    own = nn.Linear(2, 2)
    assert Held(Owner(own)).modules == [own]
    bound = Held(Owner(own).method)
    assert (bound.modules, bound.generators) == ([own], [COIN])
    assert Held(own.forward).modules == [own]
    assert Held(Slotted().method).modules == [MODEL]
    assert Held(Owner).modules == []  # a class holds nothing yet


def test_all_that_is_found_is_kept_and_nothing_twice():
    first, second, coin = nn.Linear(2, 2), nn.Sequential(nn.ReLU()), np.random.default_rng(0)
    both = [coin, coin, first, (second, first)]
    both.append(both)
    held = Held(lambda x: both)
    assert held.modules == [first, second, second[0]]
    assert held.generators == [coin]


def nested(functions, inner):
    """As many functions, each of which encloses the one before it."""
    for _ in range(functions):

        def outer(x, inner=inner):
            return inner

        inner = outer
    return inner


def test_functions_in_functions_are_looked_into_twelve_deep():
    coin = np.random.default_rng(0)
    assert Held(nested(12, coin)).generators == [coin]
    assert Held(nested(13, coin)).generators == []
    # What a method encloses is its function's, which is one more.
    coins = []
    for functions in (10, 11):

        class Nested:
            def method(self, x, inner=nested(functions, coin)):  # noqa: B008
                return inner

        coins.append(Held(Nested().method).generators)
    assert coins == [[coin], []]
    method = Owner(nested(11, coin)).method
    assert coin in Held(method).generators
    assert coin not in Held(Owner(nested(12, coin)).method).generators


@pytest.mark.parametrize(
    ("module", "searched"),
    [("torch.nn.functional", False), ("numpy", False), ("torchmine.nn", True), (None, True)],
)
def test_functions_of_libraries_hold_nothing_of_a_user(module, searched):
    def function(x, coin=COIN):
        return x * coin.random()

    function.__module__ = module
    assert Held(function).generators == [COIN] * searched
