"""Averages that several ranks share are those of one process, forward and backward."""

import copy
import gc
import math
import pickle
import weakref

import pytest
import torch
import torch._dynamo  # optimizers load it: once, before the ranks are forked
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

from invariant_nets import (
    LinearInvariant,
    Permutation,
    PermutationGroup,
    PositionalEncoding,
    SetNetwork,
    SymmetryModel,
    average_over,
    cyclic_group,
    direct_product,
    mlp,
    shard,
    symmetric_group,
    trivial_group,
)
from invariant_nets.averaging import sharded as sharded_average
from invariant_nets.averaging import sources as _sources
from tests import oracles
from tests.contracts.padding import padded, ragged
from tests.ranks import on_ranks, outcome

DOUBLE = {"dtype": torch.float64}
S_4 = symmetric_group(4)
GRID = direct_product(symmetric_group(3), cyclic_group(2), on="grid")


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def sets(batch=3, n=4, d=2, seed=0):
    return torch.randn(batch, n, d, generator=source(seed), **DOUBLE)


def network(n=4, d=2):
    return seeded(lambda: mlp(n, d).double())


def reader(n=4, d=2):
    """Takes masks; its weights make it see the order."""
    return seeded(lambda: _network_of_sets(n, d, LinearInvariant(8, 2)))


def writer(n=4, d=2):
    return seeded(lambda: _network_of_sets(n, d, nn.Linear(8, 2)))


def _network_of_sets(n, d, last):
    return SetNetwork(PositionalEncoding(d, n), nn.Linear(d, 8), nn.Tanh(), last, d=d).double()


class Entrywise(nn.Module):
    """An output an entry of a matrix, that depends on the places."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 2, generator=source(), **DOUBLE))

    def forward(self, x, mask=None):
        return (x * self.weight).tanh() + (x * self.weight).sum((1, 2), keepdim=True).sin()


class Partly(nn.Module):
    """Has a parameter that it never uses."""

    def __init__(self):
        super().__init__()
        self.inner = network()
        self.unused = nn.Parameter(torch.ones(2, **DOUBLE))

    def forward(self, x):
        return self.inner(x)


def frozen():
    model = network()
    model[1].weight.requires_grad_(False)
    return model


def streamed(model, group, **options):
    kept, _sources._KEPT_ENTRIES = _sources._KEPT_ENTRIES, 0
    try:
        return SymmetryModel(model, group, chunksize=3, **options)
    finally:
        _sources._KEPT_ENTRIES = kept


MASKED = padded(ragged(2, (3, 1, 0, 4)), 4)
ROWS = padded(ragged(2, (3, 1, 0, 2)), 3)
CASES = {
    "S_3": lambda p: (SymmetryModel(network(3), symmetric_group(3), **p), sets(n=3)),
    "S_4": lambda p: (SymmetryModel(network(), S_4, **p), sets()),
    "C_5": lambda p: (SymmetryModel(network(5), cyclic_group(5), chunksize=1, **p), sets(n=5)),
    "C_2, fewer than the ranks": lambda p: (
        SymmetryModel(network(2), cyclic_group(2), **p), sets(n=2)),
    "a single element": lambda p: (SymmetryModel(network(), trivial_group(4), **p), sets()),
    "a single element, recomputed": lambda p: (
        SymmetryModel(network(), trivial_group(4), recompute=True, **p), sets()),
    "a single set": lambda p: (SymmetryModel(network(), S_4, **p), sets(1)),
    "no sets": lambda p: (SymmetryModel(network(), S_4, **p), sets(0)),
    "a grid": lambda p: (SymmetryModel(network(3), GRID, **p), sets(n=3)),
    "a grid, equivariant": lambda p: (
        SymmetryModel(Entrywise(), GRID, equivariant=True, **p), sets(n=3)),
    "a grid, with a mask": lambda p: (
        SymmetryModel(Entrywise(), GRID, equivariant=True, **p), *ROWS),
    "equivariant": lambda p: (
        SymmetryModel(writer(), S_4, equivariant=True, **p), sets()),
    "recomputed": lambda p: (
        SymmetryModel(network(), S_4, 5, recompute=True, **p), sets()),
    "streamed": lambda p: (streamed(network(), S_4, **p), sets()),
    "streamed, recomputed": lambda p: (
        streamed(network(), S_4, recompute=True, **p), sets()),
    "with a mask": lambda p: (SymmetryModel(reader(), S_4, **p), *MASKED),
    "with a mask, equivariant, recomputed": lambda p: (
        SymmetryModel(writer(), cyclic_group(4), equivariant=True, recompute=True, **p), *MASKED),
    "sampled": lambda p: (
        SymmetryModel(network(), S_4, samples=7, generator=source(5), **p), sets()),
    "sampled, recomputed": lambda p: (
        SymmetryModel(network(), S_4, 2, samples=7, generator=source(5),
                      recompute=True, **p), sets()),
    "sampled once": lambda p: (
        SymmetryModel(network(), S_4, samples=1, generator=source(5), **p), sets()),
    "in cosets": lambda p: (
        SymmetryModel(network(), S_4, samples=10, design="cosets", generator=source(5), **p),
        sets()),
    "in cosets, equivariant, recomputed": lambda p: (
        SymmetryModel(writer(), S_4, 3, samples=10, design=cyclic_group(4), generator=source(5),
                      equivariant=True, recompute=True, **p), sets()),
    "in cosets, streamed": lambda p: (
        streamed(network(), S_4, samples=14, design=cyclic_group(4), generator=source(5), **p),
        sets()),
    "unused parameters": lambda p: (SymmetryModel(Partly(), S_4, **p), sets()),
    "frozen parameters": lambda p: (SymmetryModel(frozen(), S_4, **p), sets()),
    "no parameters": lambda p: (
        SymmetryModel(nn.Flatten(), S_4, **p), sets()),
}  # fmt: skip


def slopes(model, x, mask=None, retain_graph=False):
    """The output, and what a backward pass leaves on the input and on the parameters."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    y = model(x, mask=mask)
    (y * y.detach().cos()).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in model.parameters())]


def same(found, expected, rtol=1e-11, atol=1e-13):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=rtol, atol=atol, equal_nan=False)


def identical(first, second):
    for one, other in zip(first, second, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


def shared(case):
    return CASES[case]({"process_group": dist.group.WORLD})


@pytest.fixture(scope="module")
def on():
    """The slopes of every case on each of K ranks."""
    known = {}

    def on(k):
        if k not in known:
            known[k] = on_ranks(k, lambda: {case: slopes(*shared(case)) for case in CASES})
        return known[k]

    return on


@pytest.mark.parametrize("k", [1, 2, *(pytest.param(k, marks=pytest.mark.slow) for k in (3, 4))])
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_one_process_on_every_rank(on, case, k):
    expected = slopes(*CASES[case]({}))
    first, *others = (results[case] for results in on(k))
    same(first, expected)
    for other in others:
        identical(other, first)


@pytest.mark.parametrize(
    ("case", "group"), [("S_3", symmetric_group(3)), ("C_5", cyclic_group(5)), ("S_4", None)]
)
def test_they_are_those_of_the_loop_over_permutations_and_sets(on, case, group):
    group = group or S_4
    model, x = CASES[case]({})
    indices = [element.index_tensor.tolist() for element in group]

    def by_loops(x, mask=None):
        return oracles.average(model.model, x, indices)

    by_loops.zero_grad, by_loops.parameters = model.zero_grad, model.parameters
    same(on(3)[1][case], slopes(by_loops, x))


def test_gradients_that_are_not_added_up_are_caught(monkeypatch):
    monkeypatch.setattr(sharded_average, "_summed", lambda parts, inputs, group: list(parts))
    expected = slopes(*CASES["S_4"]({}))
    for found in on_ranks(2, lambda: slopes(*shared("S_4"))):
        same(found[:1], expected[:1])
        for part, whole in zip(found[1:], expected[1:], strict=True):
            assert not torch.allclose(part, whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_in_half_precision_ranks_round_once(dtype):
    def constant(model, x):
        average = SymmetryModel(model, symmetric_group(3), process_group=dist.group.WORLD)
        y = average(x)
        y.sum().backward()
        return y, model[1].bias.grad

    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 1)).to(dtype)
    nn.init.zeros_(model[1].weight)
    nn.init.constant_(model[1].bias, 333)
    x = torch.ones(1, 3, 1, dtype=dtype)
    for y, slope in on_ranks(4, constant, model, x):  # whose shares are 1/3 and 1/6
        assert y.dtype == slope.dtype == dtype
        assert torch.equal(y, torch.full_like(y, 333))
        assert torch.equal(slope, torch.ones_like(slope))


class Counting(nn.Module):
    """Counts the sets that go through it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, x):
        self.count += len(x)
        return x.sum((1, 2))


@pytest.mark.parametrize("make", [SymmetryModel, streamed])
def test_a_rank_does_its_part_of_the_work_only(make):
    def count():
        counting = Counting()
        make(counting, S_4, process_group=dist.group.WORLD)(sets())
        return counting.count

    assert on_ranks(3, count) == [8 * 3] * 3


class Places(nn.Module):
    """Tells where a permutation takes the members."""

    def forward(self, x):
        return x[..., 0]


def test_ranks_with_generators_of_their_own_draw_apart():
    group, k, ranks = symmetric_group(5), 7, 3
    x = torch.arange(5.0, **DOUBLE).view(1, 5, 1)

    def draw():
        own = source(dist.get_rank())
        options = {"samples": k, "generator": own, "process_group": dist.group.WORLD}
        return SymmetryModel(Places(), group, **options)(x)

    drawn = []
    for rank in range(ranks):
        part = shard(k, rank, ranks)
        drawn += group.sample(k, source(rank))[part.start : part.stop].tolist()
    expected = torch.tensor(drawn, **DOUBLE).mean(0, keepdim=True)
    for found in on_ranks(ranks, draw):
        torch.testing.assert_close(found, expected)


def test_an_estimate_is_every_ranks_own():
    def estimate():
        options = {"samples": 5, "process_group": dist.group.WORLD}
        model = SymmetryModel(Places(), S_4, generator=source(), **options)
        return model.estimate(sets()) if dist.get_rank() == 0 else None

    found = on_ranks(2, estimate)[0]
    alone = SymmetryModel(Places(), S_4, samples=5, generator=source())
    identical(found, alone.estimate(sets()))


def test_without_gradients_only_the_output_is_shared():
    def evaluate():
        model, x = shared("recomputed")
        with torch.no_grad():
            plain = model(x.requires_grad_())
        with torch.inference_mode():
            return plain.requires_grad, plain, model(x).clone()

    model, x = CASES["recomputed"]({})
    for needs_grad, *found in on_ranks(2, evaluate):
        assert not needs_grad
        same(found, [model(x).detach()] * 2)


class Noisy(nn.Module):
    """Has dropout and running statistics."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.5)
        ).double()

    def forward(self, x):
        return self.inner(x)


def test_with_random_layers_the_output_is_the_mean_of_what_the_ranks_drew():
    model, x, group = seeded(Noisy), sets(), S_4

    def both_ways():
        rank, results = dist.get_rank(), []
        for recompute in (False, True):
            torch.manual_seed(rank)
            whole = SymmetryModel(
                copy.deepcopy(model), group, recompute=recompute, process_group=dist.group.WORLD
            )
            results.append(slopes(whole, x))
        torch.manual_seed(rank)
        part = shard(group.order, rank, 2)
        chunk = torch.cat(list(group.elements(part.start, part.stop)))
        inner, leaf = copy.deepcopy(model), x.clone().requires_grad_()
        local = average_over(inner, leaf, [chunk]) * len(part) / group.order
        weights = results[0][0].cos()
        local.backward(weights)
        return *results, [local.detach(), leaf.grad, *(p.grad for p in inner.parameters())]

    results = on_ranks(2, both_ways)
    summed = [a + b for a, b in zip(results[0][2], results[1][2], strict=True)]
    for kept, recomputed, _ in results:
        same(kept, summed)
        same(recomputed, summed)


def test_autocast_reaches_the_model():
    def train():
        model, x = seeded(lambda: mlp(4, 2)), sets().float()
        shared = SymmetryModel(model, S_4, process_group=dist.group.WORLD)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = shared(x)
        y.float().square().sum().backward()
        return [y.detach(), *(p.grad for p in model.parameters())]

    alone = SymmetryModel(seeded(lambda: mlp(4, 2)), S_4)
    y = alone(sets().float())
    y.square().sum().backward()
    expected = [y.detach(), *(p.grad for p in alone.parameters())]
    for found in on_ranks(2, train):
        assert found[0].dtype == torch.bfloat16
        same([t.float() for t in found], expected, rtol=0.1, atol=0.1)


# Training.


class Whole(nn.Module):
    """A network in which the average is one layer of several."""

    def __init__(self, **options):
        super().__init__()
        self.before = nn.Linear(2, 3)
        inner = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 4))
        self.average = SymmetryModel(inner, S_4, **options)
        self.after = nn.Linear(4, 1)
        self.double()

    def forward(self, x):
        return self.after(self.average(self.before(x)).tanh())


def trained(model, batches, optimizer):
    """The weights after a step a batch."""
    optimizer = optimizer(model.parameters())
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x)[:, 0], y).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def batches(steps=5, batch=6):
    return [
        (x, x.square().sum((1, 2)).sin()) for x in (sets(batch, seed=step) for step in range(steps))
    ]


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, 0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_ends_with_the_weights_of_one_process(name, recompute):
    def train():
        model = seeded(lambda: Whole(recompute=recompute, process_group=dist.group.WORLD))
        return trained(model, batches(), OPTIMIZERS[name])

    expected = trained(seeded(Whole), batches(), OPTIMIZERS[name])
    for found in on_ranks(3, train):
        same(found, expected, rtol=1e-9)


def test_weight_decay_leaves_a_parameter_alone_that_no_rank_uses():
    def train():
        model = SymmetryModel(Partly(), S_4, process_group=dist.group.WORLD)
        trained(model, batches(2), OPTIMIZERS["AdamW"])
        return model.model.unused.detach()

    assert torch.equal(on_ranks(2, train)[1], torch.ones(2, **DOUBLE))


class Branching(nn.Module):
    """Uses a parameter only for sets whose first member is the given one."""

    def __init__(self, first):
        super().__init__()
        self.first = first
        self.weight = nn.Parameter(torch.ones((), **DOUBLE))

    def forward(self, x):
        here = x[:, 0, 0] == self.first
        y = x[:, 0, 0] * 2
        return torch.where(here, y * self.weight, y) if here.any() else y


def test_a_parameter_that_one_rank_uses_has_its_gradient_on_all():
    x = torch.arange(4.0, **DOUBLE).view(1, 4, 1)
    options = {"chunksize": 1}
    expected = slopes(SymmetryModel(Branching(3.0), cyclic_group(4), **options), x)
    results = on_ranks(
        2,
        lambda: slopes(
            SymmetryModel(
                Branching(3.0), cyclic_group(4), process_group=dist.group.WORLD, **options
            ),
            x,
        ),
    )
    for found in results:
        same(found, expected)


@pytest.mark.parametrize("world", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_kinds_of_parallelism_compose(name, world):
    def train():
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "group"))
        model = seeded(lambda: Whole(process_group=mesh.get_group("group")))
        data = mesh.get_group("data")
        parallel = DistributedDataParallel(model, process_group=None if world else data)
        half = shard(6, dist.get_rank(data), 2)
        part = slice(half.start, half.stop)
        return trained(parallel, [(x[part], y[part]) for x, y in batches()], OPTIMIZERS[name])

    expected = trained(seeded(Whole), batches(), OPTIMIZERS[name])
    for found in on_ranks(4, train):
        same(found, expected, rtol=1e-9)


# Graphs.


class Kept:
    """A tensor that autograd keeps."""

    def __init__(self, tensor):
        self.tensor = tensor


def kept_in_training(model, x):
    """How many tensors autograd holds: after the forward pass, after the backward pass, at most."""
    alive, numbers = weakref.WeakSet(), []

    def pack(tensor):
        kept = Kept(tensor)
        alive.add(kept)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        for _ in range(3):
            y = model(x)
            loss = y.square().sum()
            numbers.append(len(alive))
            loss.backward()
            numbers.append(len(alive))
    return numbers


def test_the_graph_is_freed_by_the_backward_pass_as_ever():
    gc.disable()
    try:
        group = S_4
        results = on_ranks(
            1,
            lambda: (
                kept_in_training(SymmetryModel(network(), group, 6), sets()),
                kept_in_training(
                    SymmetryModel(network(), group, 6, process_group=dist.group.WORLD), sets()
                ),
            ),
        )
    finally:
        gc.enable()
    alone, shared = results[0]
    assert alone[0] > 4
    assert alone[1] == 0
    assert shared == alone


def test_a_graph_that_is_dropped_takes_its_inner_graph_along():
    def drop():
        gc.disable()
        model, x = shared("S_4")
        y = model(x)
        inner = weakref.ref(y.grad_fn.local)
        alive = inner() is not None
        del y
        return alive, inner() is None

    assert on_ranks(1, drop) == [(True, True)]


@pytest.mark.parametrize("case", ["S_4", "recomputed"])
def test_a_retained_graph_goes_backward_again_and_another_does_not(case):
    def twice(process_group):
        model, x = CASES[case](process_group)
        loss = model(x).square().sum()
        loss.backward(retain_graph=True)
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        return gradients, str(outcome(loss.backward))

    expected, message = twice({})
    assert "Trying to backward through the graph a second time" in message
    for found, again in on_ranks(2, lambda: twice({"process_group": dist.group.WORLD})):
        same(found, expected)
        assert again == message


@pytest.mark.parametrize("case", ["S_4", "recomputed"])
def test_it_may_be_used_twice_in_one_graph(case):
    def product(process_group):
        model, x = CASES[case](process_group)
        (model(x) * model(2 * x)).sum().backward()
        return [p.grad for p in model.parameters()]

    expected = product({})
    for found in on_ranks(2, lambda: product({"process_group": dist.group.WORLD})):
        same(found, expected)


def test_hooks_of_parameters_run_once_on_the_whole_gradient():
    def hooked(process_group):
        model, x = CASES["S_4"](process_group)
        seen = []
        for parameter in model.parameters():
            parameter.register_hook(lambda g: seen.append(g) or g.clamp(-0.01, 0.01))
        return slopes(model, x)[1:], len(seen)

    expected, count = hooked({})
    for found, seen in on_ranks(2, lambda: hooked({"process_group": dist.group.WORLD})):
        same(found, expected)
        assert seen == count


def test_a_second_derivative_is_refused():
    def second():
        model, x = shared("S_4")
        y = model(x.requires_grad_()).sum()
        return outcome(lambda: torch.autograd.grad(y, x, create_graph=True))

    for error in on_ranks(2, second):
        assert isinstance(error, RuntimeError)
        assert "has no second derivative" in str(error)


def test_a_hidden_tensor_is_an_error_rather_than_a_missing_gradient():
    hidden = torch.ones(8, **DOUBLE).requires_grad_()

    class Hiding(nn.Module):
        def forward(self, x):
            return x.flatten(1) @ hidden

    def hide():
        # The second of the ranks has no part.
        model = SymmetryModel(Hiding(), trivial_group(4), process_group=dist.group.WORLD)
        return outcome(lambda: model(sets()))

    for error in on_ranks(2, hide):
        assert isinstance(error, RuntimeError)
        assert "another tensor that requires grad, of shape (8,)" in str(error)


def test_weights_of_a_functional_call_get_their_gradients():
    model, x = CASES["S_4"]({})
    expected = slopes(model, x)[2:]

    def call():
        model, x = shared("S_4")
        scale = torch.ones((), **DOUBLE).requires_grad_()
        weights = {name: p.detach() * scale for name, p in model.named_parameters()}
        y = torch.func.functional_call(model, weights, (x,))
        (y * y.detach().cos()).sum().backward()
        return scale.grad

    total = sum((g * p).sum() for g, p in zip(expected, model.parameters(), strict=True))
    for found in on_ranks(2, call):
        torch.testing.assert_close(found, total.detach())


def test_a_part_without_weight_adds_nothing_even_if_it_is_infinite():
    def infinite():
        rank = dist.get_rank()

        def average(x, part):
            assert part == slice(0, 1)
            return x.sum((1, 2)) * (math.inf if rank == 0 else 1.0)

        x = sets().requires_grad_()
        y = sharded_average.sharded_average(
            average, x, count=1, parameters=[], process_group=dist.group.WORLD
        )
        y.sum().backward()
        return y.detach(), x.grad

    for y, gradient in on_ranks(2, infinite):
        torch.testing.assert_close(y, sets().sum((1, 2)))
        torch.testing.assert_close(gradient, torch.ones_like(sets()))


def test_outputs_may_lie_in_memory_as_they_like():
    weight = torch.randn(3, 4, generator=source(), **DOUBLE)

    def average(x, part):
        y = x.transpose(1, 2) * weight[part].mean(0)
        assert not y.is_contiguous()
        return y if part.start else y.contiguous()

    def of(function):
        x = sets().requires_grad_()
        y = function(x)
        y.square().sum().backward()
        return y.detach(), x.grad

    def share(x):
        return sharded_average.sharded_average(
            average, x, count=3, parameters=[], process_group=dist.group.WORLD
        )

    expected = of(lambda x: average(x, slice(None)))
    for found in on_ranks(2, lambda: of(share)):
        same(found, expected)


def test_gradients_may_be_changed_and_summed_like_any_others():
    def steps(process_group):
        model, x = CASES["S_4"](process_group)
        for set_to_none in (True, False, False):
            model(x).sum().backward()
            model(x.cos()).sum().backward()
            kept = [p.grad.mul_(2).clone() for p in model.parameters()]
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            model.zero_grad(set_to_none=set_to_none)
        return kept

    expected = steps({})
    for found in on_ranks(2, lambda: steps({"process_group": dist.group.WORLD})):
        same(found, expected)


# Errors.


def another_bit(x):
    x = x.clone()
    x.view(torch.int64)[1, 2, 1] ^= 1
    return x


DIFFERENT = {
    "another bit": lambda x: (another_bit(x),),
    "members in another order": lambda x: (x.flip(1),),
    "another batch": lambda x: (x[:2],),
    "another size": lambda x: (x[:, :3],),
    "another shape": lambda x: (x.transpose(1, 2),),
    "another precision": lambda x: (x.float(),),
    "no tensor": lambda x: (x.tolist(),),
    "nothing": lambda x: (None,),
}
MASKS = {
    "a mask": lambda mask: mask,
    "another mask": lambda mask: ~mask,
    "a mask that is no tensor": lambda mask: mask.tolist(),
}


def test_ranks_with_different_sets_are_refused_on_all_of_them():
    def differ():
        model, x = shared("S_4")
        other = dist.get_rank() == 1
        return {
            name: outcome(lambda change=change: model(*(change(x) if other else (x,))))
            for name, change in DIFFERENT.items()
        }

    for results in on_ranks(3, differ):
        for name, error in results.items():
            assert isinstance(error, ValueError), name
            assert str(error).startswith("x must be the same, bit for bit, on all ranks"), name
            assert "not on rank 1 what it is on rank 0" in str(error)


def test_ranks_with_different_masks_are_refused_on_all_of_them():
    x, mask = MASKED

    def differ():
        model = SymmetryModel(reader(), S_4, process_group=dist.group.WORLD)
        model(x, mask)
        first = dist.get_rank() == 0
        return {
            name: outcome(lambda change=change: model(x, change(mask) if first else None))
            for name, change in MASKS.items()
        }

    for results in on_ranks(2, differ):
        for name, error in results.items():
            assert isinstance(error, ValueError), name
            assert str(error).startswith("mask must be the same"), name


def test_ranks_with_different_models_are_refused_on_all_of_them():
    def differ():
        rank, world = dist.get_rank(), dist.group.WORLD
        x = sets()

        def of(group=S_4, seed=0, grad=True, training=True, **options):
            model = seeded(lambda: mlp(4, 2).double(), seed)
            average = SymmetryModel(model, group, process_group=world, **options).train(training)
            return outcome(lambda: average(x.detach().requires_grad_(grad)))

        return (
            of(cyclic_group(4) if rank else S_4),
            of(samples=3 + rank),
            of(samples=8, design="cosets" if rank else "independent"),
            of(samples=8, design=PermutationGroup([[1, 0, 3, 2] if rank else [1, 0, 2, 3]], "H")),
            of(training=bool(rank)),
            of(seed=rank),
            of(grad=bool(rank)),
        )

    average, weights = "the average", "the model's weights"
    names = average, average, average, average, "the mode", weights, "what gets gradients"
    for errors in on_ranks(2, differ):
        for error, name in zip(errors, names, strict=True):
            assert isinstance(error, ValueError), name
            assert str(error).startswith(f"{name} must be the same"), error


def test_the_same_wrong_input_is_refused_as_ever():
    def wrong():
        model, x = shared("S_4")
        mask = torch.ones(3, 4)
        return [outcome(lambda v=v: model(*v)) for v in ((x[:, :3],), (x.tolist(),), (x, mask))]

    model, x = CASES["S_4"]({})
    for size, kind, mask in on_ranks(2, wrong):
        assert isinstance(size, ValueError)
        assert str(size) == str(outcome(lambda: model(x[:, :3])))
        assert isinstance(kind, TypeError)
        assert str(kind) == str(outcome(lambda: model(x.tolist())))
        assert isinstance(mask, TypeError)


def test_process_groups_that_cannot_share_the_work_are_refused():
    def refuse():
        world, group = dist.group.WORLD, S_4
        outside = dist.new_group([0])
        mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("group",))
        return (
            outcome(lambda: SymmetryModel(network(), group, process_group=outside) and "inside"),
            outcome(lambda: SymmetryModel(network(), group, process_group="group")),
            outcome(lambda: SymmetryModel(network(), group, process_group=mesh)),
            outcome(lambda: SymmetryModel(torch.sum, group, process_group=world)),
            outcome(
                lambda: SymmetryModel(network(), lambda: [Permutation([0])], process_group=world)
            ),
        )

    first, second = on_ranks(2, refuse)
    assert first[0] == "inside"
    assert isinstance(second[0], ValueError)
    assert "process_group must have this rank, 1, among its ranks" in str(second[0])
    for _, text, mesh, function, perm_creator in (first, second):
        assert isinstance(text, TypeError)
        assert "process_group must be a torch.distributed.ProcessGroup" in str(text)
        assert "got str" in str(text)
        assert "got DeviceMesh" in str(mesh)
        assert isinstance(function, TypeError)
        assert "process_group needs a model whose parameters it can see" in str(function)
        assert isinstance(perm_creator, ValueError)
        assert "process_group must come with a group for it to divide" in str(perm_creator)


def test_a_torch_without_ranks_says_so(monkeypatch):
    monkeypatch.setattr(dist, "is_available", lambda: False)
    with pytest.raises(ValueError, match="this torch comes without torch"):
        SymmetryModel(network(), S_4, process_group=object())
    SymmetryModel(network(), S_4)(sets())


# Copies and compilers.


def pickled(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, pickled])
def test_a_copy_averages_in_one_process(copied):
    def on_the_first_only():
        model, x = shared("S_4")
        y = model(x).detach()
        assert model.process_group is not None
        if dist.get_rank():
            return None
        again = copied(model)
        return again.process_group, y, again(x).detach(), list(again.state_dict())

    process_group, *outputs, names = on_ranks(2, on_the_first_only)[0]
    model, x = CASES["S_4"]({})
    assert process_group is None
    assert names == list(model.state_dict())
    same(outputs, [model(x).detach()] * 2)


def test_it_shows_how_many_ranks_share_it():
    shown = on_ranks(2, lambda: shared("S_4")[0].extra_repr())
    assert shown == ["group=S_4, ranks=2, chunksize=None"] * 2


@pytest.mark.slow
def test_compilers_are_referred_to_its_model():
    def compile_it():
        model, x = shared("S_4")
        ways = (
            lambda: torch.compile(model, fullgraph=True, backend="aot_eager")(x),
            lambda: torch.export.export(model, (x,)),
        )
        return [str(outcome(way)) for way in ways]

    for messages in on_ranks(1, compile_it):
        for message in messages:
            assert "compile its model instead" in message


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_its_model_may_be_compiled():
    group = cyclic_group(2)

    def train():
        model = SymmetryModel(network(2), group, process_group=dist.group.WORLD)
        model.model = torch.compile(model.model, fullgraph=True, backend="aot_eager")
        return slopes(model, sets(n=2))

    expected = slopes(SymmetryModel(network(2), group), sets(n=2))
    same(on_ranks(1, train)[0], expected)
