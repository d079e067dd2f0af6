"""What each model of the registry claims to ignore, by membership in its group.

The playground's actions come in kinds, such as "shift the rows". An action is a matrix on the n·d
entries of a set, and a kind has generators. A model must not move under a kind if the generators
are in the group that it claims.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from invariant_nets.comparison.models import MODELS
from invariant_nets.comparison.results import ModelSpec
from invariant_nets.comparison.tasks import GaussianTask
from invariant_nets.data.bayes import bayes_threshold
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import cyclic_group, symmetric_group, trivial_group
from invariant_nets.groups.permutation import Permutation
from invariant_nets.groups.products import direct_product

Matrix = NDArray[np.float64]
Group = Callable[[Matrix], bool]  # tells whether a matrix is in it

ANGLE = 1.0  # in radians: none of its multiples is a full turn
WORDS = {  # what one ignores who does not move under a kind
    "again": "",
    "shift": "row shifts",
    "rows": "row order",
    "within": "the order within each column",
    "column-shift": "column shifts",
    "columns": "column order",
    "turn": "rotations of the columns",
    "entries": "the order of all entries",
    "spin": "all rotations",
}


def generators(n: int, d: int) -> dict[str, list[Matrix]]:
    """Returns the kinds of actions, each by matrices that generate it."""
    entries = np.arange(n * d).reshape(n, d)

    def images(group: PermutationGroup) -> list[NDArray[np.int64]]:
        return [g.index_tensor.numpy() for g in group.generators]

    def within(j: int, g: NDArray[np.int64]) -> Matrix:
        moved = entries.copy()
        moved[:, j] = moved[g, j]
        return matrix(moved)

    rows = images(symmetric_group(n))
    return {
        "again": [matrix(entries)],
        "shift": [matrix(entries[g]) for g in images(cyclic_group(n))],
        "rows": [matrix(entries[g]) for g in rows],
        "within": [within(j, g) for j in range(d) for g in rows],
        "column-shift": [matrix(entries[:, g]) for g in images(cyclic_group(d))],
        "columns": [matrix(entries[:, g]) for g in images(symmetric_group(d))],
        "turn": [np.asarray(np.kron(np.eye(n), turn)) for turn in turns(d)],
        "entries": [matrix(g) for g in images(symmetric_group(n * d))],
        "spin": list(turns(n * d)),
    }


def matrix(places: NDArray[np.int64]) -> Matrix:
    """Returns the matrix of (σ·x)_i = x_σ(i)."""
    ones: Matrix = np.eye(places.size)
    return ones[places.ravel()]


def turns(size: int) -> Iterator[Matrix]:
    """Yields rotations in the planes of neighboring axes: they generate all rotations."""
    for i in range(size - 1):
        turn = np.eye(size)
        turn[i, i] = turn[i + 1, i + 1] = np.cos(ANGLE)
        turn[i + 1, i] = np.sin(ANGLE)
        turn[i, i + 1] = -turn[i + 1, i]
        yield turn


def groups(n: int, d: int) -> dict[str, Group]:
    """Returns the groups that the registry names, and those of the kinds of actions."""
    rows, columns = symmetric_group(n), symmetric_group(d)

    def on_grid(*factors: PermutationGroup) -> Group:
        group = direct_product(*factors, on="grid")
        return lambda a: is_permutation(a) and Permutation(a.argmax(1).tolist()) in group

    def within(a: Matrix) -> bool:
        row, column = np.divmod(a.argmax(1).reshape(n, d), d)
        stay = is_permutation(a) and bool((column == np.arange(d)).all())
        return stay and all(Permutation(row[:, j].tolist()) in rows for j in range(d))

    def rows_and_turns(a: Matrix) -> bool:  # a = P ⊗ Q
        blocks = a.reshape(n, d, n, d).transpose(0, 2, 1, 3)
        places = (blocks != 0).any((2, 3)).astype(float)
        turn = blocks[0, places[0].argmax()]
        return is_permutation(places) and orthogonal(a) and np.allclose(np.kron(places, turn), a)

    stay, still = trivial_group(n), trivial_group(d)
    return {
        "trivial": on_grid(stay, still),
        "C_n": on_grid(cyclic_group(n), still),
        "S_n": on_grid(rows, still),
        "(S_n)^d": within,
        "C_d": on_grid(stay, cyclic_group(d)),
        "S_d": on_grid(stay, columns),
        "O(d)": lambda a: rows_and_turns(a) and bool((a.reshape(n, d, n, d)[0, :, 0] != 0).any()),
        "S_n × C_d": on_grid(rows, cyclic_group(d)),
        "S_n × S_d": on_grid(rows, columns),
        "S_{nd}": is_permutation,
        "S_n × O(d)": rows_and_turns,
        "O(nd)": orthogonal,
    }


GENERATED = {  # the groups of the kinds
    "again": "trivial",
    "shift": "C_n",
    "rows": "S_n",
    "within": "(S_n)^d",
    "column-shift": "C_d",
    "columns": "S_d",
    "turn": "O(d)",
    "entries": "S_{nd}",
    "spin": "O(nd)",
}


def is_permutation(a: Matrix) -> bool:
    """Tells whether a matrix has one 1 in each row and column, and else zeros."""
    ones = a == 1
    return bool(((a == 0) | ones).all() and (ones.sum(0) == 1).all() and (ones.sum(1) == 1).all())


def orthogonal(a: Matrix) -> bool:
    """Tells whether a matrix keeps all lengths."""
    return np.allclose(a @ a.T, np.eye(len(a)))


def claims(models: Mapping[str, ModelSpec] = MODELS, n: int = 10, d: int = 5) -> dict[str, Any]:
    """Returns what the models claim, the weakest claims first, and the ideal logit.

    The ideal logit is the logarithm of the likelihood ratio, slope · (T − t) with the threshold t
    of chapter 2, which grows with the number of entries.
    """
    acting, known = generators(n, d), groups(n, d)

    def inside(kind: str, group: str) -> bool:
        return all(map(known[group], acting[kind]))

    found = []
    for name, spec in models.items():
        if spec.group not in known:
            raise ValueError(f"{name} claims {spec.group!r}: define this group in {__file__}")
        draws = is_random(spec, n, d)
        keeps = [] if draws else [kind for kind in acting if inside(kind, spec.group)]
        widest = [
            kind
            for kind in keeps
            if not any(inside(kind, GENERATED[other]) for other in keeps if other != kind)
        ]
        words = " and ".join(WORDS[kind] for kind in widest if WORDS[kind]) or "nothing"
        model = {"name": name, "group": spec.group, "route": spec.route, "chapter": spec.chapter}
        found.append(model | {"draws": draws, "keeps": keeps, "ignores": words})
    task = GaussianTask()
    return {
        "n": n,
        "d": d,
        "variances": [task.var1, task.var2],
        "slope": (1 / task.var1 - 1 / task.var2) / 2,
        "threshold": bayes_threshold(1, 1, task.var1, task.var2),
        "models": sorted(found, key=lambda model: len(model["keeps"])),
    }


def is_random(spec: ModelSpec, n: int, d: int) -> bool:
    """Tells whether a model answers the same question twice differently."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model, x = spec.model(n, d).eval(), torch.randn(8, n, d)
        return not torch.equal(model(x), model(x))


if __name__ == "__main__":
    print(json.dumps(claims(), ensure_ascii=False))
