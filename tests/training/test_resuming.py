"""Four epochs are two and two more, to the last bit, or the first checkpoint says what is not kept.

Whatever a user's data, model, loss or optimizer may draw from or count with.
"""

import itertools
import random
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    StackDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from invariant_nets import (
    BinaryTrainer,
    CheckpointError,
    GaussianDataset,
    LabeledSets,
    SymmetryModel,
    create_random_permutations,
    mlp,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]
N, D, SETS = 4, 2, 12
X = torch.randn(SETS, N, D, generator=torch.Generator().manual_seed(0))
Y = (X.sum((1, 2)) > 0).float()[:, None]
PLAIN = [(X, Y)]
GLOBAL_SOURCE = np.random.default_rng(0)
GLOBAL_COUNT = 0


class Sets(Dataset):
    """Sets and labels, with noise that a subclass draws."""

    def __len__(self):
        return SETS

    def noise(self):
        return 0.0

    def __getitem__(self, index):
        return X[index] + torch.tensor(self.noise(), dtype=torch.float32), Y[index]


class FromNumPysGlobal(Sets):
    def noise(self):
        return np.random.normal()  # noqa: NPY002


class FromPythonsGlobal(Sets):
    def noise(self):
        return random.gauss(0, 1)


class FromTorchsGlobal(Sets):
    def noise(self):
        return torch.randn(()).item()


class FromOwn(Sets):
    def __init__(self, source, draw):
        self.source, self.draw = source, draw

    def noise(self):
        return self.draw(self.source)


class FromMethod(Sets):
    def __init__(self, draw):
        self.draw = draw

    def noise(self):
        return self.draw()


class FromModule(Sets):
    def noise(self):
        return GLOBAL_SOURCE.normal()


class FromClass(Sets):
    source = np.random.default_rng(0)

    def noise(self):
        return self.source.normal()


class Nested(Sets):
    def __init__(self):
        self.parts = {"deep": [FromOwn(np.random.default_rng(0), lambda s: s.normal())]}

    def noise(self):
        return self.parts["deep"][0].noise()


class Counting(Sets):
    def __init__(self):
        self.count = 0

    def noise(self):
        self.count += 1
        return self.count / 10


class CountingGlobally(Sets):
    def noise(self):
        global GLOBAL_COUNT
        GLOBAL_COUNT += 1
        return GLOBAL_COUNT / 10


class CountingInItsClass(Sets):
    count = 0

    def noise(self):
        type(self).count += 1
        return self.count / 10


class CountingInATensor(Sets):
    def __init__(self):
        self.count = torch.zeros(())

    def noise(self):
        self.count.data += 1
        return self.count.item() / 10


class CountingInAnArray(Sets):
    def __init__(self):
        self.count = np.zeros(1)

    def noise(self):
        self.count += 1
        return self.count[0] / 10


class Saved(Counting):
    def state_dict(self):
        return {"count": np.array([self.count])}

    def load_state_dict(self, state):
        self.count = int(state["count"][0])


class FromASlot(Sets):
    __slots__ = ("source",)

    def __init__(self):
        self.source = np.random.default_rng(0)

    def noise(self):
        return self.source.normal()


class Lazy(Sets):
    source = None

    def noise(self):
        if self.source is None:
            self.source = np.random.default_rng(0)
        return self.source.normal()


class Cycling(Sets):
    def __init__(self):
        self.numbers = itertools.cycle([0.0, 1.0, 2.0, 3.0, 4.0])

    def noise(self):
        return next(self.numbers)


class FromAnIterator(Sets):
    def __init__(self):
        self.numbers = (k / 50 for k in range(1000))

    def noise(self):
        return next(self.numbers)


class WithALock(Sets):
    def __init__(self):
        self.lock = threading.Lock()


class Stream(IterableDataset):
    def __init__(self, source):
        self.source = source

    def __iter__(self):
        for x, y in zip(X, Y, strict=True):
            yield x + self.source.normal(), y


class OwnSampler(Sampler):
    def __init__(self):
        self.source = random.Random(0)

    def __len__(self):
        return SETS

    def __iter__(self):
        rows = list(range(SETS))
        self.source.shuffle(rows)
        return iter(rows)


class EpochSampler(OwnSampler):
    def __init__(self):
        self.epoch = 0

    def __iter__(self):
        self.epoch += 1
        rows = list(range(SETS))
        random.Random(self.epoch).shuffle(rows)
        return iter(rows)


class OwnBatches:
    def __init__(self):
        self.source = torch.Generator().manual_seed(0)

    def __iter__(self):
        rows = torch.randperm(SETS, generator=self.source)
        return iter([(X[rows[:6]], Y[rows[:6]]), (X[rows[6:]], Y[rows[6:]])])


def noisy_collate(source):
    def collate(samples):
        x, y = default_collate(samples)
        return x + source.normal(), y

    return collate


def torchs(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian(static=False):
    return GaussianDataset(SETS, (N, D), 1.0, 0.4, static, seed=1)


def loader(data, **options):
    return DataLoader(data, 4, **options)


class Averaged(nn.Module):
    """Keeps a mean of what it saw, in a buffer that is not saved."""

    def __init__(self):
        super().__init__()
        self.inner = mlp(N, D)
        self.register_buffer("mean", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean()
        return self.inner(x - self.mean)


class Jittered(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.inner, self.source = mlp(N, D), source

    def forward(self, x):
        return self.inner(x + self.source.normal() if self.training else x)


class CountingModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.calls = mlp(N, D), 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x) / self.calls


class Unregistered(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.hidden = nn.Linear(3, 1), [nn.Linear(N * D, 3)]

    def forward(self, x):
        return self.head(self.hidden[0](x.flatten(1)))


class Warming(nn.Module):
    """A loss with a buffer that counts."""

    def __init__(self, persistent=True):
        super().__init__()
        self.register_buffer("steps", torch.zeros(()), persistent)

    def forward(self, output, label):
        self.steps += 1
        return F.binary_cross_entropy_with_logits(output, label) / self.steps


def counting_loss():
    steps = 0

    def loss(output, label):
        nonlocal steps
        steps += 1
        return F.binary_cross_entropy_with_logits(output, label) / steps

    return loss


def noisy_loss():
    source = np.random.default_rng(0)
    return lambda output, label: (
        F.binary_cross_entropy_with_logits(output, label) * float(source.uniform())
    )


class Warmup(torch.optim.SGD):
    def __init__(self, parameters):
        super().__init__(parameters, lr=0.1)
        self.steps_done = 0

    def step(self, closure=None):
        self.steps_done += 1
        self.param_groups[0]["lr"] = 0.1 / self.steps_done
        return super().step(closure)


def scheduled(parameters, make):
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    scheduler = make(optimizer)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


def hidden_schedule(parameters):
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    rates = itertools.repeat(None)

    class Falling:
        def __init__(self, group):
            self.group = group

        def __call__(self, *_):
            next(rates)
            self.group["lr"] *= 0.5

    optimizer.register_step_post_hook(Falling(optimizer.param_groups[0]))
    return optimizer


def counted(count):
    def noise():
        count[0] += 1
        return count[0] / 10

    return noise


def averaging(parameters):
    parameters = list(parameters)
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    means = [parameter.detach().clone() for parameter in parameters]

    def hook(*_):
        with torch.no_grad():
            for mean, parameter in zip(means, parameters, strict=True):
                parameter.lerp_(mean.lerp_(parameter, 0.1), 0.1)

    optimizer.register_step_post_hook(hook)
    return optimizer


def drawing(source):
    return lambda: source.random()


def permuting(source):
    return lambda: create_random_permutations(N, 2, generator=source)


def normal(source):
    return source.normal()


def weighted(**options):
    return WeightedRandomSampler(torch.linspace(1, 2, SETS), SETS, **options)


RESUMED = {
    "NumPy's global generator": {"train": lambda: loader(FromNumPysGlobal())},
    "Python's": {"train": lambda: loader(FromPythonsGlobal())},
    "torch's": {"train": lambda: loader(FromTorchsGlobal())},
    "torch's, with workers": {"train": lambda: loader(FromTorchsGlobal(), num_workers=2)},
    "NumPy's, with workers": {"train": lambda: loader(FromNumPysGlobal(), num_workers=2)},
    "Python's, with workers": {"train": lambda: loader(FromPythonsGlobal(), num_workers=2)},
    "its own of NumPy": {"train": lambda: loader(FromOwn(np.random.default_rng(0), normal))},
    "its own, of another kind": {
        "train": lambda: loader(FromOwn(np.random.Generator(np.random.MT19937(0)), normal))
    },
    "its own bits": {
        "train": lambda: loader(
            FromOwn(np.random.Philox(0), lambda bits: np.random.Generator(bits).normal())
        )
    },
    "its own, SFC64": {
        "train": lambda: loader(FromOwn(np.random.Generator(np.random.SFC64(0)), normal))
    },
    "its own RandomState": {"train": lambda: loader(FromOwn(np.random.RandomState(0), normal))},
    "its own of Python": {
        "train": lambda: loader(FromOwn(random.Random(0), lambda source: source.gauss(0, 1)))
    },
    "its own of torch": {
        "train": lambda: loader(
            FromOwn(torchs(), lambda source: torch.randn((), generator=source).item())
        )
    },
    "its own, with workers": {
        "train": lambda: loader(FromOwn(np.random.default_rng(0), normal), num_workers=2)
    },
    "a generator's method": {"train": lambda: loader(FromMethod(np.random.default_rng(0).normal))},
    "a method of Python's": {"train": lambda: loader(FromMethod(random.Random(0).random))},
    "a closure": {"train": lambda: loader(FromMethod(drawing(random.Random(0))))},
    "a slot": {"train": lambda: loader(FromASlot())},
    "deep inside": {"train": lambda: loader(Nested())},
    "what it declares": {"train": lambda: loader(Saved())},
    "a subset of Gaussians": {"train": lambda: loader(Subset(gaussian(), range(10)))},
    "Gaussians one after another": {
        "train": lambda: loader(ConcatDataset([gaussian(), gaussian()]))
    },
    "Gaussians with lasting workers": {
        "train": lambda: loader(gaussian(), num_workers=1, persistent_workers=True)
    },
    "a subset of its own data": {
        "train": lambda: loader(Subset(FromOwn(np.random.default_rng(0), normal), range(10)))
    },
    "tensors": {"train": lambda: loader(TensorDataset(X, Y), shuffle=True)},
    "a stack": {"train": lambda: loader(StackDataset(X, Y), shuffle=True)},
    "labeled sets": {"train": lambda: loader(LabeledSets(X, Y), shuffle=True)},
    "a list of samples": {"train": lambda: loader(list(zip(X, Y, strict=True)), shuffle=True)},
    "a stream": {"train": lambda: loader(Stream(np.random.default_rng(0)))},
    "a stream with workers": {
        "train": lambda: loader(Stream(np.random.default_rng(0)), num_workers=1)
    },
    "batches of a class of its own": {"train": OwnBatches},
    "a random sampler": {
        "train": lambda: loader(TensorDataset(X, Y), sampler=RandomSampler(X, generator=torchs()))
    },
    "a weighted sampler": {"train": lambda: loader(TensorDataset(X, Y), sampler=weighted())},
    "a weighted sampler with a generator": {
        "train": lambda: loader(TensorDataset(X, Y), sampler=weighted(generator=torchs()))
    },
    "a sampler of its own": {"train": lambda: loader(TensorDataset(X, Y), sampler=OwnSampler())},
    "a collate function": {
        "train": lambda: loader(
            TensorDataset(X, Y), collate_fn=noisy_collate(np.random.default_rng(0))
        )
    },
    "test data": {"test": lambda: loader(FromOwn(np.random.default_rng(0), normal))},
    "dropout": {"model": lambda: nn.Sequential(nn.Dropout(0.3), mlp(N, D))},
    "batch normalization": {
        "model": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(N * D), nn.Linear(N * D, 1))
    },
    "a buffer that is not saved": {"model": Averaged},
    "a generator of the model": {"model": lambda: Jittered(np.random.default_rng(0))},
    "a creator of permutations": {"model": lambda: SymmetryModel(mlp(N, D), permuting(torchs()))},
    "modules in a list": {"model": Unregistered},
    "a hook": {
        "model": lambda: hooked(np.random.default_rng(0)),
    },
    "a loss that counts": {"loss": Warming},
    "a loss that draws": {"loss": noisy_loss},
    "Adam": {"optimizer": lambda p: torch.optim.Adam(p, amsgrad=True)},
    "SGD with momentum": {"optimizer": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)},
    "RMSprop": {"optimizer": torch.optim.RMSprop},
    "Adagrad": {"optimizer": torch.optim.Adagrad},
    "a scheduler": {
        "optimizer": lambda p: scheduled(
            p, lambda o: torch.optim.lr_scheduler.StepLR(o, 2, gamma=0.5)
        )
    },
    "a one-cycle scheduler": {
        "optimizer": lambda p: scheduled(
            p, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=40)
        )
    },
}


def hooked(source):
    model = mlp(N, D)
    model.register_forward_hook(lambda module, inputs, output: output + source.normal())
    return model


REFUSED = {
    "a count": ({"train": lambda: loader(Counting())}, r"dl_train\.dataset\.count, which changed"),
    "a global count": ({"train": lambda: loader(CountingGlobally())}, "dl_train.dataset, which"),
    "a count of the class": ({"train": lambda: loader(CountingInItsClass())}, "dl_train.dataset"),
    "a count in a tensor": ({"train": lambda: loader(CountingInATensor())}, r"dataset\.count"),
    "a count in an array": ({"train": lambda: loader(CountingInAnArray())}, r"dataset\.count"),
    "a count in a subset": ({"train": lambda: loader(Subset(Counting(), range(9)))}, r"\.count"),
    "a generator made late": ({"train": lambda: loader(Lazy())}, r"dl_train\.dataset\.source"),
    "a count in a list of a function": (
        {"train": lambda: loader(FromMethod(counted([0])))},
        r"dl_train\.dataset\.draw",
    ),
    "weights in a list of a hook": ({"optimizer": averaging}, "optimizer_step_post_hooks"),
    "a cycle": ({"train": lambda: loader(Cycling())}, r"dl_train\.dataset\.numbers"),
    "an iterator": ({"train": lambda: loader(FromAnIterator())}, r"numbers.* cannot be looked"),
    "a lock": ({"train": lambda: loader(WithALock())}, r"lock, which cannot be looked into"),
    "the operating system's": (
        {"train": lambda: loader(FromMethod(random.SystemRandom().random))},
        "draws from the operating system",
    ),
    "a sampler's count": (
        {"train": lambda: loader(TensorDataset(X, Y), sampler=EpochSampler())},
        r"dl_train\.sampler\.epoch",
    ),
    "lasting workers": (
        {"train": lambda: loader(FromNumPysGlobal(), num_workers=1, persistent_workers=True)},
        "lasting workers of dl_train keep of dataset, FromNumPysGlobal",
    ),
    "a model's count": ({"model": CountingModel}, r"model\.calls, which changed"),
    "a loss's count": ({"loss": counting_loss}, "loss_fn, which changed"),
    "an optimizer's count": ({"optimizer": Warmup}, r"optimizer\.steps_done"),
    "what changes the learning rate": ({"optimizer": hidden_schedule}, "optimizer"),
    "a state that is not plain": (
        {"train": lambda: loader(type("Odd", (Saved,), {"state_dict": lambda s: {"a": object}})())},
        "more than tensors and plain values",
    ),
}  # fmt: skip


def fit(folder, epochs, train=lambda: PLAIN, test=lambda: PLAIN, model=None, loss=None,
        optimizer=None, stateless=lambda *parts: ()):  # fmt: skip
    """A fit of pieces that are all made anew, as by the same script started again."""
    global GLOBAL_SOURCE, GLOBAL_COUNT
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    GLOBAL_SOURCE, FromClass.source = np.random.default_rng(0), np.random.default_rng(0)
    GLOBAL_COUNT = CountingInItsClass.count = 0
    network = nn.Sequential(nn.Flatten(), nn.Linear(N * D, 1)) if model is None else model()
    optimizer = (optimizer or torch.optim.Adam)(network.parameters())
    loss_fn = nn.BCEWithLogitsLoss() if loss is None else loss()
    trainer = BinaryTrainer(network, loss_fn, optimizer, threshold=0.0)
    dl_train, dl_test = train(), test()
    history = trainer.fit(
        dl_train, dl_test, epochs, checkpoint=folder, stateless=stateless(dl_train, network)
    )
    return [row[:4] for row in history.epochs], [p.tolist() for p in network.parameters()]


def two_and_two(folder, **how):
    fit(folder, 2, **how)
    np.random.rand(), random.random(), torch.rand(3)  # noqa: NPY002
    return fit(folder, 4, **how)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if "workers" in name else ()) for name in RESUMED],
)
def test_two_epochs_and_two_are_four(tmp_path, name):
    resumed = two_and_two(tmp_path, **RESUMED[name])
    assert resumed == fit(None, 4, **RESUMED[name])


@pytest.mark.parametrize("data", [FromModule, FromClass])
def test_generators_of_a_module_and_of_a_class_are_kept(tmp_path, data):
    how = {"train": lambda: loader(data())}
    assert two_and_two(tmp_path, **how) == fit(None, 4, **how)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_refused_at_the_first_checkpoint(tmp_path, name):
    how, words = REFUSED[name]
    with pytest.raises(CheckpointError, match=words):
        fit(tmp_path, 1, **how)
    assert list(tmp_path.glob("*.ckpt")) == []


@pytest.mark.parametrize("name", ["a count", "a lock", "lasting workers", "an iterator"])
def test_what_is_declared_is_taken_at_its_word(tmp_path, name):
    how, _ = REFUSED[name]
    fit(tmp_path, 2, stateless=lambda train, model: [train.dataset], **how)


def test_what_is_declared_is_still_searched_for_generators(tmp_path):
    how = {"train": lambda: loader(FromOwn(np.random.default_rng(0), normal))}
    how |= {"stateless": lambda train, model: [train.dataset]}
    assert two_and_two(tmp_path, **how) == fit(None, 4, **how)


@pytest.mark.parametrize("other", [torch.optim.SGD, lambda p: torch.optim.Adam(p, lr=0.5)])
def test_another_optimizer_does_not_go_on(tmp_path, other):
    fit(tmp_path, 1)
    with pytest.raises(CheckpointError, match="another training run: its optimizer was Adam"):
        fit(tmp_path, 2, optimizer=other)


def test_without_a_checkpoint_nothing_is_refused():
    for how, _ in REFUSED.values():
        fit(None, 1, **how)


def test_a_record_that_a_function_fills_is_no_state(tmp_path):
    losses = []

    def recorded(output, label):
        losses.append(0.0)
        return F.binary_cross_entropy_with_logits(output, label)

    how = {"loss": lambda: recorded}
    assert two_and_two(tmp_path, **how) == fit(None, 4, **how)


def test_what_is_declared_comes_in_a_list():
    with pytest.raises(
        TypeError, match=r"stateless must be a list of objects, got Counting: \[it\]"
    ):
        fit(None, 1, stateless=lambda *_: Counting())
