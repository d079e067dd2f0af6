r"""Designs: how many times less variance a mean over cosets has than one over independent draws.

    python -m benchmarks --only designs

No clock: both run the same number of passes. A ratio is of the variances that
`SymmetryModel.estimate` gives, added over the sets; its mean over perceptrons with random weights
is kept between the mean less and plus its standard error.
"""

from __future__ import annotations

import statistics

import torch

from benchmarks.harness.results import OURS, Result, at_least
from invariant_nets import (
    PermutationGroup,
    SymmetryModel,
    affine_group,
    cyclic_group,
    mlp,
    projective_group,
    symmetric_group,
)

D, SETS, COSETS, NETWORKS = 5, 16, 100, 24
INDEPENDENT, WITHIN = "independent draws", "within two standard errors"


def ratio(subgroup: PermutationGroup, seed: int, sets: int, cosets: int) -> float:
    """Return the ratio of the two variances for one network."""
    n = subgroup.degree
    torch.manual_seed(seed)
    network, x = mlp(n, D).eval(), torch.randn(sets, n, D)
    variances = []
    for design in ("independent", subgroup):
        model = SymmetryModel(
            network,
            group=symmetric_group(n),
            samples=cosets * subgroup.order,
            design=design,
            generator=torch.Generator().manual_seed(seed),
        )
        error = model.estimate(x).standard_error
        assert error is not None
        variances.append(float(error.detach().double().square().sum()))
    independent, of_cosets = variances
    return independent / of_cosets


def in_case(
    subgroup: PermutationGroup, bound: float | None, networks: int, sets: int, cosets: int
) -> Result:
    """Return the mean of the ratios over some networks."""
    ratios = [ratio(subgroup, seed, sets, cosets) for seed in range(networks)]
    mean, error = statistics.fmean(ratios), statistics.stdev(ratios) / networks**0.5
    value = mean - error, mean, mean + error
    goal = {} if bound is None else at_least(bound, mean + 2 * error, WITHIN)
    case = f"{subgroup.name}, {subgroup.order} passes"
    return Result(case, OURS, value, "", value, INDEPENDENT, **goal)


def measure(quick: bool) -> list[Result]:
    """Return the ratios of all designs."""
    if quick:
        return [in_case(cyclic_group(4), None, 2, 2, 3)]
    bounds = {
        cyclic_group(10): 2.9,
        cyclic_group(11): None,
        affine_group(11): 8.5,
        projective_group(9): 20.0,
    }
    with torch.no_grad():
        return [in_case(group, bounds[group], NETWORKS, SETS, COSETS) for group in bounds]
