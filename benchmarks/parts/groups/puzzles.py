"""The turns of larger puzzles, by the geometry of their stickers."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray


def cube_turns(n: int) -> list[list[int]]:
    """Return the quarter turns of all layers of the cube of n × n × n, on its 6n² stickers."""
    places = range(1 - n, n, 2)
    stickers = [
        tuple(np.insert((u, v), axis, side))
        for axis in range(3)
        for side in (-n, n)
        for u, v in itertools.product(places, places)
    ]
    number = {sticker: i for i, sticker in enumerate(stickers)}

    def turned(sticker: tuple[int, ...], axis: int, layer: int) -> tuple[int, ...]:
        if min(max(sticker[axis], 1 - n), n - 1) != layer:
            return sticker
        image = list(sticker)
        image[axis - 2], image[axis - 1] = -sticker[axis - 1], sticker[axis - 2]
        return tuple(image)

    return [
        [number[turned(sticker, axis, layer)] for sticker in stickers]
        for axis in range(3)
        for layer in places
    ]


def megaminx_turns() -> list[list[int]]:
    """Return the twelve turns of the Megaminx, on the 120 stickers of its edges and corners.

    A sticker is a face of the dodecahedron, and the edge or corner of it on which it is: the two or
    three faces that meet there.
    """
    golden = (1 + 5**0.5) / 2
    normals = np.array(
        [
            np.roll((0.0, i, j * golden), shift)
            for shift in range(3)
            for i in (-1, 1)
            for j in (-1, 1)
        ]
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    meets = normals @ normals.T > 0.4  # 1/√5 for neighbors, 1 for the face itself
    pieces = [
        piece
        for size in (2, 3)
        for piece in itertools.combinations(range(12), size)
        if all(meets[a, b] for a, b in itertools.combinations(piece, 2))
    ]
    stickers = [(face, frozenset(piece)) for piece in pieces for face in piece]
    number = {sticker: i for i, sticker in enumerate(stickers)}
    turns = []
    for turning, axis in enumerate(normals):
        # The rotation moves the pieces of the turning face, and no others.
        images = (normals @ _fifth_turn(axis).T @ normals.T).argmax(1).tolist()
        turns.append(
            [
                number[images[face], frozenset(images[other] for other in piece)]
                if turning in piece
                else i
                for i, (face, piece) in enumerate(stickers)
            ]
        )
    return turns


def _fifth_turn(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    # Rodrigues' formula for 72 degrees.
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = 2 * np.pi / 5
    rotation: NDArray[np.float64] = (
        np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    )
    return rotation
