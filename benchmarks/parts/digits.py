r"""Two toy tasks of the papers on sets, in their authors' settings: sums of digits, and maxima.

    python -m benchmarks --only digits

What is set, and what was found there, is read in the published notebooks of Zaheer et al. (2017),
`DigitSum/text_sum.ipynb`, and of Lee et al. (2019), `max_regression_demo.ipynb`, and in section 2.1
of the supplement of the latter. Sets of digits are padded with zeros and masked, but for the
recurrent networks, whose batches hold sets of one size.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.harness.results import OURS, Result
from invariant_nets import AttentionPooling, SetAttentionBlock, SetPooling, perceptron
from invariant_nets.networks import SetNetwork

LARGEST = 9  # digits in a set that is trained on, and the largest digit
LENGTHS = (5, 10, 15, 20, 25, 50, 75, 100)
BATCH = 128
RIGHT, HELD_OUT, MAXIMUM = "right after rounding", "error of the sum", "error of the maximum"
FALLING = "with a rate that falls to 0"

Build = Callable[[], nn.Module]
Batches = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Budget:
    """How much is trained and tested.

    Attributes:
        train: sets of digits to train on.
        valid: sets of digits of which the least error tells the epoch whose weights are kept.
        epochs: of the network that sums.
        recurrent: epochs of the recurrent networks.
        maxima: batches of the regression to the maximum.
        tests: sets of each size that test.
        seeds: trainings of each network, with weights and data of their own.
    """

    train: int = 98_765
    valid: int = 1_235
    epochs: int = 10
    recurrent: int = 50
    maxima: int = 20_000
    tests: int = 1_000  # of the authors' 10,000
    seeds: int = 3


FULL = Budget()
QUICK = Budget(train=300, valid=50, epochs=2, recurrent=1, maxima=3, tests=20, seeds=2)


@dataclass(frozen=True)
class Adder:
    """A network that adds digits.

    Attributes:
        build: makes it.
        rate: of Adam.
        eps: of Adam.
        recurrent: whether it has the epochs of a recurrent network.
        published: the least error on held-out sets that the authors' notebook prints.
    """

    build: Build
    rate: float
    eps: float
    recurrent: bool
    published: str


class Embedded(nn.Module):
    """A network of digits: 100 features a digit, which it learns.

    Args:
        network: maps (sets, n, 100) to (sets, 1), and takes a mask if it is a `SetNetwork`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.table = nn.Embedding(LARGEST + 1, 100)
        nn.init.uniform_(self.table.weight, -0.05, 0.05)  # as in Keras
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map digits (sets, n), where 0 is padding, to (sets, 1)."""
        masks = {"mask": x > 0} if isinstance(self.network, SetNetwork) else {}
        y: Tensor = self.network(self.table(x), **masks)
        return y


class Last(nn.Module):
    """A recurrent network and a linear map of its last state.

    Args:
        recurrent: the network.
    """

    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent, self.linear = recurrent, nn.Linear(recurrent.hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (sets, n, 100) to (sets, 1)."""
        y: Tensor = self.linear(self.recurrent(x)[0][:, -1])
        return y


def summed() -> nn.Module:
    """Return the network of the authors: a layer of 30, a sum, and a linear map."""
    layers = nn.Linear(100, 30), nn.Tanh(), SetPooling("sum"), nn.Linear(30, 1)
    return Embedded(SetNetwork(*layers, d=100))


ADDERS = {
    f"{OURS}, sum pool": Adder(summed, 1e-4, 1e-3, False, "0.0026"),
    "torch, LSTM": Adder(
        lambda: Embedded(Last(nn.LSTM(100, 50, batch_first=True))), 1e-4, 1e-7, True, "0.0234"
    ),
    "torch, GRU": Adder(
        lambda: Embedded(Last(nn.GRU(100, 80, batch_first=True))), 1e-4, 1e-7, True, "0.0196"
    ),
}


def pooled(pool: SetPooling) -> nn.Module:
    """Return four layers for each member, a pool, and two layers."""
    return SetNetwork(*perceptron(1, 64, 64, 64, 64), pool, *perceptron(64, 64, 1), d=1)


def attention() -> nn.Module:
    """Return two blocks of self-attention and a pool by attention, in the published form."""
    blocks = (
        SetAttentionBlock(64, 4, in_features=1, bias=True, residual="query", dim_feedforward=0),
        SetAttentionBlock(64, 4, bias=True, residual="query", dim_feedforward=0),
        AttentionPooling(64, 4, rff=False, bias=True, residual="query", dim_feedforward=0),
    )
    return SetNetwork(*blocks, nn.Flatten(), nn.Linear(64, 1), d=1)


MAXIMA: dict[str, tuple[Build, str]] = {  # and the errors in table 1 of Lee et al.
    f"{OURS}, max pool": (lambda: pooled(SetPooling("max")), "0.1355 ± 0.0074"),
    f"{OURS}, attention": (attention, "0.2085 ± 0.0127"),
    f"{OURS}, sum pool": (lambda: pooled(SetPooling("sum")), "1.902 ± 0.137"),
    f"{OURS}, mean pool": (lambda: pooled(SetPooling("mean")), "2.133 ± 0.190"),
}


def digits(count: int, n: int, source: torch.Generator) -> Tensor:
    """Return sets of n digits from 1 to 9, (count, n)."""
    return torch.randint(1, LARGEST + 1, (count, n), generator=source)


def of_all_sizes(count: int, source: torch.Generator) -> list[Tensor]:
    """Return so many sets of 1 to 9 digits, a tensor a size."""
    sizes = torch.randint(1, LARGEST + 1, (count,), generator=source)
    counts = sizes.bincount(minlength=LARGEST + 1).tolist()
    return [digits(counts[n], n, source) for n in range(1, LARGEST + 1) if counts[n]]


def mixed(sets: Sequence[Tensor]) -> list[Tensor]:
    """Return one tensor of all sets, padded with zeros."""
    return [torch.cat([nn.functional.pad(x, (0, LARGEST - x.shape[1])) for x in sets])]


def batches(sets: Sequence[Tensor], source: torch.Generator) -> Iterator[Tensor]:
    """Yield the sets of all tensors once, in batches of one tensor, in random order."""
    parts: list[Tensor] = []
    for x in sets:
        parts += torch.split(x[torch.randperm(len(x), generator=source)], BATCH)
    for index in torch.randperm(len(parts), generator=source).tolist():
        yield parts[index]


def error(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the mean absolute error of the outputs (sets, 1) from y (sets,)."""
    miss: Tensor = (network(x)[:, 0] - y).abs().mean()
    return miss


@torch.no_grad()
def held_out_error(network: nn.Module, sets: Sequence[Tensor]) -> float:
    """Return the mean absolute error of the sums of all these sets."""
    errors = [float(error(network, x, x.sum(1))) * len(x) for x in sets]
    return sum(errors) / sum(map(len, sets))


def adder_of(adder: Adder, budget: Budget, seed: int) -> tuple[nn.Module, float]:
    """Return a network that was trained to add, as of its best epoch, and its held-out error."""
    source = torch.Generator().manual_seed(seed)
    train, valid = of_all_sizes(budget.train, source), of_all_sizes(budget.valid, source)
    train = train if adder.recurrent else mixed(train)
    torch.manual_seed(seed)
    network = adder.build()
    optimizer = torch.optim.Adam(network.parameters(), lr=adder.rate, eps=adder.eps, fused=True)
    best, least = network, float("inf")
    for _ in range(budget.recurrent if adder.recurrent else budget.epochs):
        for x in batches(train, source):
            loss = error(network, x, x.sum(1))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if (reached := held_out_error(network, valid)) < least:
            best, least = copy.deepcopy(network), reached
    return best, least


@torch.no_grad()
def right(network: nn.Module, tests: Sequence[Tensor]) -> list[float]:
    """Return the share of right sums, after rounding, of each tensor of sets."""
    outputs = [network(x)[:, 0].round() for x in tests]
    return [float((y == x.sum(1)).double().mean()) for x, y in zip(tests, outputs, strict=True)]


def maximum_error(
    build: Build, budget: Budget, tests: Batches, seed: int, falling: bool = False
) -> float:
    """Return the mean absolute error of a network that was trained to find the maximum.

    Sets of 1 to 10 numbers, uniform in [0, 100], are drawn anew for each batch. The learning rate
    is constant, as the authors', or falls to 0.
    """
    source = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = build()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    last = 0.0 if falling else 1.0
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, last, budget.maxima)
    for _ in range(budget.maxima):
        n = int(torch.randint(1, 11, (1,), generator=source))
        loss = error(network, *numbers(BATCH, n, source))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return statistics.fmean(float(error(network, x, y)) for x, y in tests)


def numbers(count: int, n: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return sets of n numbers, (count, n, 1), and their maxima, (count,)."""
    x = 100 * torch.rand(count, n, 1, generator=source)
    return x, x[:, :, 0].amax(1)


def result_of(
    case: str, rival: str, found: Sequence[float], note: str = "", size: int | None = None
) -> Result:
    """Return a mean over seeds, with one standard error less and more."""
    mean, apart = statistics.fmean(found), statistics.stdev(found) / len(found) ** 0.5
    return Result(case, rival, (mean - apart, mean, mean + apart), "", note=note, size=size)


def measure(quick: bool) -> list[Result]:
    """Return the shares of right sums by the number of digits, and the errors of both tasks."""
    budget = QUICK if quick else FULL
    source = torch.Generator().manual_seed(1_000)
    sums = [digits(budget.tests, n, source) for n in LENGTHS]
    maxima = [numbers(budget.tests, n, source) for n in range(1, 11)]
    seeds = range(1, budget.seeds + 1)
    results = []
    for name, adder in ADDERS.items():
        networks, errors = zip(*(adder_of(adder, budget, seed) for seed in seeds), strict=True)
        shares = zip(*(right(network, sums) for network in networks), strict=True)
        results += [
            result_of(RIGHT, name, share, size=n) for n, share in zip(LENGTHS, shares, strict=True)
        ]
        results.append(result_of(HELD_OUT, name, errors, adder.published))
    for name, (build, published) in MAXIMA.items():
        found = [maximum_error(build, budget, maxima, seed) for seed in seeds]
        results.append(result_of(MAXIMUM, name, found, published))
        fell = [maximum_error(build, budget, maxima, seed, falling=True) for seed in seeds]
        results.append(result_of(MAXIMUM, f"{name}, {FALLING}", fell))
    return results
