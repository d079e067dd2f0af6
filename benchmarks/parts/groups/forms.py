r"""Canonical forms under any group: sets a second, beside enumeration where it is possible.

    python -m benchmarks --only forms

One thread, whose processor's time is counted, so that other processes do not slow the numbers that
are no ratios. The entries are drawn from the normal distribution, so they are distinct, or from
{0, 1, 2}, so most of them tie. Enumeration keeps, of all elements of the group, those whose image
has the least first entry, of these those with the least second entry, and so on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness.devices import on_cpu, threads
from benchmarks.harness.results import OURS, Result, at_least
from benchmarks.harness.timing import quartiles, ratio_quartiles, seconds_by_turns
from invariant_nets import (
    CanonicalModel,
    PermutationGroup,
    canonical_form,
    cyclic_group,
    mathieu_group,
    rubiks_cube_group,
    symmetric_group,
    wreath_product,
)

BATCH, BATCH_OF_TIES, BATCH_OF_ENUMERATION = 4096, 16, 8
ROUNDS = 7
BOUND, BOUNDED = 100_000, "Rubik's cube"
LISTED = 100_000  # a group with more elements is not enumerated
MODEL, TIES, ENUMERATION = "CanonicalModel", "entries 0, 1, 2", "enumeration"


def enumerated(x: Tensor, elements: Tensor) -> Tensor:
    """Return the lexicographically least image of each set, by all elements of the group.

    Args:
        x: (batch, n).
        elements: (order, n).
    """
    forms = []
    for one in x:
        left = elements
        for j in range(x.shape[1]):
            values = one[left[:, j]]
            left = left[values == values.min()]
            if len(left) == 1:
                break
        forms.append(one[left[0]])
    return torch.stack(forms)


def in_case(group: PermutationGroup, sizes: tuple[int, int, int], rounds: int) -> list[Result]:
    """Return the sets a second under one group, and how much longer everything else takes."""
    many, few, fewest = sizes
    n = group.degree
    x, z = torch.randn(many, n, 1), torch.randn(fewest, n, 1)
    y = torch.randint(0, 3, (few, n, 1)).float()
    turn = group.sample(1, torch.Generator().manual_seed(0))[0].to(x.device)
    for sets in (x, y):
        assert torch.equal(canonical_form(sets[:, turn], group), canonical_form(sets, group))
    works: dict[str, tuple[int, Callable[[], object]]] = {
        OURS: (many, partial(canonical_form, x, group)),
        MODEL: (many, partial(CanonicalModel(nn.Identity(), group=group), x)),
        TIES: (few, partial(canonical_form, y, group)),
    }
    notes = {}
    if group.order <= LISTED:
        elements = torch.cat(list(group.elements())).to(x.device)
        works[ENUMERATION] = fewest, partial(enumerated, z.flatten(1), elements)
    else:
        notes[ENUMERATION] = f"{group.order:.1e} elements"
    clock = time.process_time if on_cpu() else None
    seconds = seconds_by_turns({name: work for name, (_, work) in works.items()}, rounds, clock)
    each = {name: [value / works[name][0] for value in seconds[name]] for name in works}
    case = f"{group.name}, {group.degree} points"
    results = []
    for name, values in each.items():
        speeds = quartiles([1 / value for value in values])
        bounded = name == OURS and group.name == BOUNDED
        goal = at_least(BOUND, speeds[1], "sets a second") if bounded else {}
        ratio = ratio_quartiles(values, each[OURS])
        results.append(Result(case, name, speeds, "1/s", ratio, OURS, **goal))
    return [*results, *(Result(case, name, note=note) for name, note in notes.items())]


def measure(quick: bool) -> list[Result]:
    """Return the results for all groups."""
    groups, sizes = [cyclic_group(4)], (4, 3, 2)
    if not quick:
        groups = [
            rubiks_cube_group(),
            mathieu_group(24),
            symmetric_group(7).on_tuples(2),
            wreath_product(symmetric_group(3), symmetric_group(4)),
        ]
        sizes = (BATCH, BATCH_OF_TIES, BATCH_OF_ENUMERATION)
    with threads(1), torch.no_grad():
        rounds = 2 if quick else ROUNDS
        return [result for group in groups for result in in_case(group, sizes, rounds)]
