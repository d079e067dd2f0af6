r"""The layer of tensors against `nn.Linear` on the same entries, and other ways to write it.

    python -m benchmarks --only tensors

Forward and backward, gradients of the input included.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness.comparison import compare
from benchmarks.harness.devices import here
from benchmarks.harness.memory import megabytes_above
from benchmarks.harness.results import OURS, Result, at_least, at_most
from benchmarks.harness.timing import Rival, quartiles, ratio_quartiles, seconds_by_turns
from benchmarks.parts.layers.sets import call
from benchmarks.peers.environment import Worker, over_there, working
from invariant_nets import TensorLinear, symmetric_group
from invariant_nets.layers.orbit_forms import dense, dense_weight

BATCH, ROUNDS, ROUNDS_WRITTEN_OUT = 8, 15, 2
GRAPHS = {
    (30, 16): None,
    (50, 16): 4.0,
    (100, 16): 3.5,
    (200, 16): 3.0,
    (50, 64): 3.0,
    (100, 64): 3.0,
}
FLOOR, NAIVE, EINSUM = "nn.Linear", "15 maps, side by side", "15 maps, by einsum"
PELICAN, WRITTEN = "pelican-lite", "written out, by orbitals"
AHEAD, OF_MEMORY = 300, 3.0


class SideBySide(nn.Module):
    """The 15 maps of a matrix as sums and copies, then one product."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(15 * in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n, n, in) to (batch, n, n, out)."""
        n = x.shape[1]
        diagonal, rows, columns = x.diagonal(dim1=1, dim2=2).mT, x.mean(2), x.mean(1)
        i = torch.cat((diagonal, rows, columns), 2)[:, :, None].expand(-1, -1, n, -1)
        whole = torch.cat((diagonal, rows), 2).mean(1)[:, None, None]
        j, whole = i.transpose(1, 2), whole.expand(-1, n, n, -1)
        delta = torch.eye(n, dtype=x.dtype)[:, :, None]
        maps = (x, x.transpose(1, 2), i, j, whole, delta * i, delta * whole)
        y: Tensor = self.linear(torch.cat(maps, 3))
        return y


class ByEinsum(nn.Module):
    """The same with every product where its tensor is small, and what is shared added up first."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        scale = (15 * in_channels) ** -0.5
        self.weight = nn.Parameter(scale * torch.randn(15, in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(2, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n, n, in) to (batch, n, n, out)."""
        w = self.weight
        nodes = torch.stack((x.diagonal(dim1=1, dim2=2).mT, x.mean(2), x.mean(1)))
        whole = nodes[:2].mean(2)
        of_nodes = torch.einsum("kbni,skio->sbno", nodes, w[2:11].view(3, 3, *w.shape[1:]))
        of_whole = torch.einsum("kbi,skio->sbo", whole, w[11:].view(2, 2, *w.shape[1:]))
        everywhere = (of_whole[0] + self.bias[0])[:, None, None]
        y = torch.einsum("bnmi,io->bnmo", x, w[0]) + torch.einsum("bnmi,io->bmno", x, w[1])
        y = y + of_nodes[0][:, :, None] + (of_nodes[1][:, None] + everywhere)
        on_it = of_nodes[2] + (of_whole[1] + self.bias[1])[:, None]
        z: Tensor = torch.diagonal_scatter(y, (torch.diagonal(y, 0, 1, 2).mT + on_it).mT, 0, 1, 2)
        return z


def in_case(
    n: int, channels: int, bound: float | None, peer: Worker | str, rounds: int
) -> list[Result]:
    """Return the results for graphs of a size."""
    x = torch.randn(BATCH, n, n, channels, requires_grad=True)
    gradient = torch.randn(BATCH, n, n, channels)
    modules: dict[str, nn.Module] = {
        FLOOR: nn.Linear(channels, channels),
        OURS: TensorLinear("n n -> n n", channels, channels),
        NAIVE: SideBySide(channels, channels),
        EINSUM: ByEinsum(channels, channels),
    }
    rivals: dict[str, Rival | str] = {
        name: partial(call, partial(module, x), gradient, backward=True)
        for name, module in modules.items()
    }
    rivals[PELICAN] = over_there(peer, shape=[BATCH, n, channels], backward=True)
    return compare(f"dense: {n} nodes, {channels} → {channels}", rivals, rounds, FLOOR, bound)


def written_out(n: int, channels: int, rounds: int) -> list[Result]:
    """Return the results of the layer whose weights are written out, and of the sums."""
    ids = symmetric_group(n).on_tuples(2).orbitals()
    weight = torch.randn(int(ids.max()) + 1, channels, channels, requires_grad=True)
    ids = ids.to(here())
    x = torch.randn(BATCH, n, n, channels, requires_grad=True)
    gradient = torch.randn(BATCH, n, n, channels)
    layer = TensorLinear("n n -> n n", channels, channels)

    def by_orbitals() -> Tensor:
        flat = x.flatten(1, 2)
        return dense(flat, dense_weight(ids, weight), n * n).view_as(gradient)

    rivals = {
        WRITTEN: partial(call, by_orbitals, gradient, backward=True),
        OURS: partial(call, partial(layer, x), gradient, backward=True),
    }
    seconds = seconds_by_turns(rivals, rounds)
    ratio = ratio_quartiles(seconds[WRITTEN], seconds[OURS])
    goal = at_least(AHEAD, ratio[1]) if rounds > 1 and n >= 30 else {}
    case = f"written out: {n} nodes, {channels} → {channels}"
    return [
        Result(case, OURS, quartiles(seconds[OURS])),
        Result(case, WRITTEN, quartiles(seconds[WRITTEN]), ratio=ratio, against=OURS, **goal),
    ]


def cubes(n: int, channels: int, rounds: int) -> list[Result]:
    """Return the results for tensors of order 3: 203 maps."""
    x = torch.randn(BATCH, n, n, n, channels, requires_grad=True)
    gradient = torch.randn(BATCH, n, n, n, channels)
    copies = x.detach().repeat(1, 1, 1, 1, 6).requires_grad_()
    layer = TensorLinear("n n n -> n n n", channels, channels)
    rivals: dict[str, Rival | str] = {
        FLOOR: partial(call, partial(nn.Linear(channels, channels), x), gradient, backward=True),
        "nn.Linear, 6 times the input": partial(
            call,
            partial(nn.Linear(6 * channels, channels), copies),
            gradient,
            backward=True,
        ),
        OURS: partial(call, partial(layer, x), gradient, backward=True),
    }
    return compare(f"triples: {n} nodes, {channels} → {channels}", rivals, rounds, FLOOR)


def work(n: int, channels: int) -> None:
    """Run the layer forward and backward once, for the memory that it takes."""
    x = torch.randn(BATCH, n, n, channels, requires_grad=True)
    layer = TensorLinear("n n -> n n", channels, channels)
    call(partial(layer, x), torch.randn(BATCH, n, n, channels), backward=True)


def memory(n: int, channels: int) -> Result:
    """Return how much more memory a step takes than one on two nodes; input and output count."""
    peak = megabytes_above((2, channels), (n, channels), work)
    whole = 2 * 4 * BATCH * n * n * channels / 2**20
    goal = at_most(OF_MEMORY * whole, peak, "MB")
    return Result(f"memory: {n} nodes, {channels} → {channels}", OURS, (peak,) * 3, "MB", **goal)


def measure(quick: bool) -> list[Result]:
    """Return the results for graphs, for what is written out, for triples, and of memory."""
    cases, rounds = ({(4, 2): None}, 2) if quick else (GRAPHS, ROUNDS)
    with working("pelican", "benchmarks.peers.peer_pelican", quick) as peer:
        found = [
            result
            for (n, channels), bound in cases.items()
            for result in in_case(n, channels, bound, peer, rounds)
        ]
    if quick:
        return [*found, *written_out(3, 2, 1), *cubes(3, 2, 1), memory(8, 2)]
    written = [r for n in (12, 20, 30) for r in written_out(n, 16, ROUNDS_WRITTEN_OUT)]
    return [*found, *written, *cubes(20, 8, ROUNDS), memory(200, 16)]
