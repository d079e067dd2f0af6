r"""Solids as clouds of points on their surfaces, rotated at random: sets of vectors in space."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from invariant_nets._arguments import int_at_least, positive_int
from invariant_nets.data.labeled_sets import LabeledSets

Points = Float[Tensor, "clouds points 3"]

TUBE = 0.4  # the radius of the torus' tube, of its circle's


def random_shapes(
    count: int, points: int, seed: int = 0, *, noise: float = 0.02, rotated: bool = True
) -> LabeledSets:
    r"""Draw clouds of points from the surfaces of six solids, with the solid as the label.

    $$x_i = R\,p_i + \varepsilon_i, \qquad p_i \sim \text{uniform by area}, \quad
    \varepsilon_i \sim \mathcal N(0, \text{noise}^2 I),$$

    with one rotation $R$ per cloud, uniform on $SO(3)$. Every solid is its own mirror image, so the
    distribution of a cloud is invariant to $S_n \times O(3)$: to any order of the points and to
    every orthogonal map, which acts on the right, $x \mapsto x\,Q$. Each surface has mean 0 and
    mean square distance 1 from it, so that neither size nor place reveals the label.

    | label | solid |
    |---|---|
    | 0 | sphere |
    | 1 | cube |
    | 2 | torus, its tube 0.4 as thick as its circle is wide |
    | 3 | cylinder with both ends, as high as wide |
    | 4 | cone with its base, as high as wide |
    | 5 | regular tetrahedron |

    Args:
        count: the number of clouds, at least 1; the solids are equally frequent, up to one cloud.
        points: the number of points per cloud, at least 1.
        seed: the same seed gives the same clouds.
        noise: the standard deviation of the noise in each coordinate, at least 0.
        rotated: if false, $R = I$: all solids stand upright. Train on such clouds and test on
            rotated ones to see whether a network has the symmetry.

    Returns:
        Sets of shape (count, points, 3) in random order, with classes as labels, whose names are in
        `class_names`.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if a number is out of its range.

    Example:
        >>> clouds = random_shapes(60, points=100)
        >>> clouds.x.shape, clouds.counts
        (torch.Size([60, 100, 3]), (10, 10, 10, 10, 10, 10))
        >>> clouds.class_names[:3]
        ('sphere', 'cube', 'torus')

    Used in chapter 14.
    """
    count, points = positive_int("count", count), positive_int("points", points)
    if isinstance(noise, bool) or not isinstance(noise, int | float):
        raise TypeError(f"noise must be a number, got {noise!r}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise must be at least 0 and finite, got {noise}")
    if rotated not in (True, False):
        raise TypeError(f"rotated must be True or False, got {rotated!r}")
    source = torch.Generator("cpu").manual_seed(int_at_least("seed", seed, 0))
    labels = torch.randperm(count, generator=source, device="cpu") % len(SURFACES)
    draw = _Draws(source)
    x = torch.empty(count, points, 3, dtype=torch.float64, device="cpu")
    for label, surface in enumerate(SURFACES.values()):
        own = labels == label
        x[own] = surface(draw, int(own.sum()), points)
    if rotated:
        x = x @ _rotations(draw, count)
    x += noise * draw.normal(count, points, 3)
    return LabeledSets(x.float(), labels, labels="classes", class_names=tuple(SURFACES))


class _Draws:
    """Random numbers in float64 on the CPU, whatever torch's defaults are."""

    def __init__(self, source: torch.Generator) -> None:
        self.options = {"generator": source, "dtype": torch.float64, "device": "cpu"}

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, **self.options)  # type: ignore[call-overload, no-any-return]

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, **self.options)  # type: ignore[call-overload, no-any-return]

    def part(self, weights: list[float], *shape: int) -> Int[Tensor, "*shape"]:
        """Draw a part of a surface by its area."""
        ends = torch.tensor(weights, dtype=torch.float64, device="cpu").cumsum(0)
        found: Tensor = torch.searchsorted(ends[:-1], self.uniform(*shape) * ends[-1], right=True)
        return found


def _rotations(draw: _Draws, count: int) -> Float[Tensor, "clouds 3 3"]:
    """Return the rotations of uniform unit quaternions."""
    q = draw.normal(count, 4)
    a, b, c, d = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        *(1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)),
        *(2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)),
        *(2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)),
    ]
    return torch.stack(rows, dim=1).view(count, 3, 3)


def sphere(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from the unit sphere."""
    x: Tensor = draw.normal(clouds, points, 3)
    return x / x.square().sum(2, keepdim=True).sqrt()


def cube(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from the faces of [−a, a]³, of mean square (5/3) a²."""
    x = 2 * draw.uniform(clouds, points, 3) - 1
    face = draw.part([1.0] * 6, clouds, points)
    axis, side = (face % 3)[..., None], (2 * (face // 3) - 1)[..., None]
    return x.scatter(2, axis, side.to(x.dtype)) / math.sqrt(5 / 3)


def torus(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from a torus of radii 1 and t, of mean square 1 + 2t².

    The area at the angle θ of the tube is proportional to 1 + t cos θ: of the two angles θ and
    π − θ, uniform, the right one is taken.
    """
    around, theta, coin = 2 * math.pi * draw.uniform(3, clouds, points)
    theta = torch.where(coin < math.pi * (1 + TUBE * theta.cos()), theta, math.pi - theta)
    ring = 1 + TUBE * theta.cos()
    x = torch.stack([ring * around.cos(), ring * around.sin(), TUBE * theta.sin()], dim=2)
    return x / math.sqrt(1 + 2 * TUBE**2)


def cylinder(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from a cylinder of radius 1 and height 2: area 4π around, 2π at the ends."""
    part = draw.part([4.0, 1.0, 1.0], clouds, points)
    radius = torch.where(part == 0, 1.0, draw.uniform(clouds, points).sqrt())
    height = torch.where(part == 0, 2 * draw.uniform(clouds, points) - 1, 2.0 * part - 3)
    # (2/3) (1 + 1/3) around and (1/3) (1/2 + 1) at the ends.
    return _turned(draw, radius, height) / math.sqrt(8 / 9 + 1 / 2)


def cone(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from a cone of radius 1 and height 2 above its base: area √5 π around, π below."""
    side = math.sqrt(5) / (math.sqrt(5) + 1)
    radius = draw.uniform(clouds, points).sqrt()
    around = draw.part([side, 1 - side], clouds, points) == 0
    height = torch.where(around, 2 * (1 - radius), 0.0)
    # At the side the height has the mean 2/3 and the mean square 2/3; radii everywhere 1/2.
    mean = side * 2 / 3
    return _turned(draw, radius, height - mean) / math.sqrt(1 / 2 + side * 2 / 3 - mean**2)


def tetrahedron(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw from the faces between corners v of one length, of mean square |v|²/3."""
    signs = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    corners = torch.tensor(signs, dtype=torch.float64, device="cpu")
    weights, face = _simplex(draw, clouds, points), draw.part([1.0] * 4, clouds, points)
    three = (torch.arange(3, device="cpu") + face[..., None] + 1) % 4
    return (weights[..., None] * corners[three]).sum(2)


def _simplex(draw: _Draws, clouds: int, points: int) -> Points:
    """Draw weights of three corners, uniform: the gaps between two sorted numbers and 0 and 1."""
    low, high = draw.uniform(clouds, points, 2).sort(2).values.unbind(2)
    return torch.stack([low, high - low, 1 - high], dim=2)


def _turned(
    draw: _Draws, radius: Float[Tensor, "clouds points"], height: Float[Tensor, "clouds points"]
) -> Points:
    angle = 2 * math.pi * draw.uniform(*radius.shape)
    return torch.stack([radius * angle.cos(), radius * angle.sin(), height], dim=2)


SURFACES: dict[str, Callable[[_Draws, int, int], Points]] = {
    surface.__name__: surface for surface in (sphere, cube, torus, cylinder, cone, tetrahedron)
}
