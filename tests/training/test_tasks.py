"""`Trainer` on every task against loops by hand, and what does not fit is refused."""

import copy
import functools
import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from invariant_nets import BinaryTrainer, LinearEquivariant, Task, Trainer, pad_sets
from tests.ranks import on_ranks

K, N, D = 3, 4, 2
SOURCE = torch.Generator().manual_seed(0)
SETS = [torch.randn(n, D, generator=SOURCE) for n in (4, 1, 3, 2, 4, 2, 1, 3, 2)]
X, MASK = pad_sets(SETS)
CLASSES = torch.randint(K, MASK.shape, generator=SOURCE)
NUMBERS = torch.randn(*MASK.shape, 2, generator=SOURCE)


class PerSet(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.linear = nn.Linear(D, outputs)

    def forward(self, x, mask=None):
        return self.linear(x.sum(1))


class PerMember(nn.Module):
    """NaN at padding: what stands there is not asked."""

    takes_mask = True

    def __init__(self, outputs):
        super().__init__()
        self.layer = LinearEquivariant(D, outputs)

    def forward(self, x, mask=None):
        y = self.layer(x, mask=mask)
        return y if mask is None else torch.where(mask[..., None], y, torch.nan)


# name: task, labels (padded), loss of all, score of all
LABELS = {
    "binary": (lambda per: Task.binary(per_member=per), (CLASSES > 0).float()[..., None]),
    "classes": (lambda per: Task.classes(K, per_member=per), CLASSES),
    "numbers": (lambda per: Task.regression(2, per_member=per), NUMBERS),
    "squares": (lambda per: Task.regression(2, "mae", score="mse", per_member=per), NUMBERS),
}


def by_hand(name, output, label):
    """The mean loss and the mean score of one list of outputs and labels."""
    if name == "binary":
        loss = F.softplus(torch.where(label > 0.5, -output, output)).mean()
        return loss, ((output > 0) == (label > 0.5)).double().mean()
    if name == "classes":
        rows = torch.arange(len(label))
        loss = (output.logsumexp(-1) - output[rows, label]).mean()
        return loss, (output.argmax(-1) == label).double().mean()
    gap = output - label
    squared, absolute = gap.square().mean(), gap.abs().mean()
    return (squared, absolute) if name == "numbers" else (absolute, squared)


def setting(name, per_member, masked):
    """A task, a model, and batches of three sets; `members` keeps what counts of outputs."""
    make, labels = LABELS[name]
    torch.manual_seed(0)
    task = make(per_member)
    model = (PerMember if per_member else PerSet)(task.outputs)
    labels = labels if per_member else labels[:, 0]
    x = X if masked else torch.randn(*X.shape, generator=torch.Generator().manual_seed(1))
    inputs = zip(x.split(3), MASK.split(3), strict=True) if masked else x.split(3)
    batches = list(zip(inputs, labels.split(3), strict=True))
    return task, model, batches


def members(value, mask, per_member):
    if not per_member:
        return value
    return value.flatten(0, 1) if mask is None else value[mask]


CASES = [
    (name, per_member, masked)
    for name, per_member, masked in itertools.product(LABELS, (False, True), (False, True))
    if per_member or not masked
]


@pytest.mark.parametrize(("name", "per_member", "masked"), CASES)
def test_a_fit_is_the_loop_by_hand(name, per_member, masked):
    task, model, batches = setting(name, per_member, masked)
    slow = copy.deepcopy(model)
    history = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1)).fit(
        batches, batches[:2], num_epochs=2
    )
    optimizer = torch.optim.SGD(slow.parameters(), 0.1)

    def run(batches, train):
        outputs, labels, losses = [], [], []
        for inputs, label in batches:
            x, mask = inputs if masked else (inputs, None)
            output = members(slow(x, mask=mask), mask, per_member)
            label = members(label, mask, per_member)
            loss, _ = by_hand(name, output, label)
            if train:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            outputs.append(output.detach())
            labels.append(label)
            losses.append(loss.item() * len(label))
        count = sum(map(len, labels))
        return sum(losses) / count, by_hand(name, torch.cat(outputs), torch.cat(labels))[1].item()

    for epoch in history.epochs:
        assert epoch[:2] == pytest.approx(run(batches, True), rel=1e-5)
        assert epoch[2:4] == pytest.approx(run(batches[:2], False), rel=1e-5)
    for own, other in zip(model.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    assert history.score == task.score
    assert history.train_score == [epoch.train_score for epoch in history.epochs]


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_many_ranks_are_one_process(ranks):
    def fit(case):
        task, model, batches = setting(*case)
        trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
        history = trainer.fit(batches, batches[:2], 2)
        figures = [epoch[:4] for epoch in history.epochs]
        return [torch.tensor(figures), *(p.detach() for p in model.parameters())]

    def fits():
        return [fit(case) for case in CASES]

    alone = fits()
    for found in on_ranks(ranks, fits):
        for case, mine, his in zip(CASES, found, alone, strict=True):
            torch.testing.assert_close(mine, his, msg=f"{case}: {{}}".format)


def test_a_rank_whose_sets_are_all_empty_counts_for_nothing():
    mask = MASK.clone()
    mask[1] = False
    batches = [((X[:2], mask[:2]), CLASSES[:2])]

    def fit():
        torch.manual_seed(0)
        model = PerMember(K)
        trainer = Trainer(
            model, Task.classes(K, per_member=True), torch.optim.SGD(model.parameters(), 0.1)
        )
        return trainer.fit(batches, batches, 2).train_loss

    assert on_ranks(2, fit) == [pytest.approx(fit())] * 2


def test_a_loss_that_weighs_classes_needs_one_process():
    def fit():
        task, model, batches = setting("classes", False, False)
        task = Task.classes(K, nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 1.0])))
        trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
        try:
            return trainer.fit(batches, batches, 1).num_epochs
        except ValueError as error:
            return str(error)

    assert fit() == 1
    assert all("weigh all labels alike" in found for found in on_ranks(2, fit))


def test_the_binary_trainer_is_the_trainer_of_its_task():
    task, model, batches = setting("binary", False, False)
    other = copy.deepcopy(model)
    first = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
    second = BinaryTrainer(other, nn.BCEWithLogitsLoss(), torch.optim.SGD(other.parameters(), 0.1))
    histories = [trainer.fit(batches, batches, 2) for trainer in (first, second)]
    assert [e[:4] for e in histories[0].epochs] == [e[:4] for e in histories[1].epochs]
    assert [h.held_out for h in histories] == ["validation", "test"]
    assert isinstance(second, Trainer)


def test_sets_that_chose_nothing_are_tested_at_the_end():
    task, model, batches = setting("numbers", False, False)
    trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
    trainer.fit(batches[:2], batches[1:2], 3)
    (x, label), model = batches[2], model.train()
    found = trainer.test([(x, label)])
    loss, score = by_hand("numbers", model(x), label)
    assert found == pytest.approx((loss.item(), score.item()))
    assert trainer.history.num_epochs == 3
    with pytest.raises(ValueError, match="the labels of dl_test must have the outputs' shape"):
        trainer.test([(x, label[:, :1])])


# Schedules, clipped gradients, other types.


def losses_of(steps=6, **options):
    """Fit by SGD; return the weights after, and by hand with the same options left to `options`."""
    task, model, batches = setting("numbers", False, False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    made = {name: make(optimizer) if callable(make) else make for name, make in options.items()}
    trainer = Trainer(model, task, optimizer, **made)
    trainer.fit(batches, batches, steps)
    return trainer


def by_rates(rates, clip=math.inf):
    """Train by hand with a rate for each batch."""
    _, model, batches = setting("numbers", False, False)
    for rate, (x, label) in zip(rates, itertools.cycle(batches)):
        gradients = torch.autograd.grad(F.mse_loss(model(x), label), list(model.parameters()))
        length = math.sqrt(sum(g.square().sum().item() for g in gradients))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= rate * gradient * min(1, clip / length)
    return model


def same_weights(trainer, model):
    for own, other in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_a_scheduler_makes_a_step_after_each_epoch_or_each_batch():
    def halved(optimizer):
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    trainer = losses_of(3, scheduler=halved)
    same_weights(trainer, by_rates([0.1] * 3 + [0.05] * 3 + [0.025] * 3))
    trainer = losses_of(2, scheduler=halved, per_step=True)
    same_weights(trainer, by_rates([0.1 * 0.5**k for k in range(6)]))


def test_a_plateau_is_one_of_the_validation_loss():
    def plateau(optimizer):  # no loss is low enough: a tenth after every epoch
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, patience=0, threshold=1e9, threshold_mode="abs"
        )

    trainer = losses_of(3, scheduler=plateau)
    same_weights(trainer, by_rates([0.1] * 6 + [0.01] * 3))
    assert trainer.scheduler.best == trainer.history.valid_loss[0]


@pytest.mark.parametrize("clip", [0.05, 0.3, 1e6])
def test_long_gradients_are_made_as_long_as_they_may_be(clip):
    same_weights(losses_of(2, clip_norm=clip), by_rates([0.1] * 6, clip))


def test_autocast_runs_the_model_in_half_precision_and_the_loss_in_single():
    kinds = []

    class Seen(PerSet):
        def forward(self, x, mask=None):
            kinds.append(super().forward(x).dtype)
            return super().forward(x)

    _, _, batches = setting("numbers", False, False)
    trainers = []
    for autocast in (None, torch.bfloat16):
        torch.manual_seed(0)
        model = Seen(2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        trainers.append(Trainer(model, Task.regression(2), optimizer, autocast=autocast))
        trainers[-1].fit(batches, batches, 3)
    assert set(kinds) == {torch.float32, torch.bfloat16}
    plain, half = (trainer.history.train_loss[-1] for trainer in trainers)
    assert plain != half
    assert half == pytest.approx(plain, rel=0.02)
    assert all(p.dtype == torch.float32 for p in trainers[1].model.parameters())


@pytest.mark.parametrize("clip", [None, 0.3])
def test_losses_of_float16_are_scaled_and_their_gradients_are_not(monkeypatch, clip):
    # By 65,536 at first, which is too much: some steps are left out until it has been halved.
    scaler = functools.partial(torch.amp.GradScaler, init_scale=2.0**6)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    trainer = losses_of(2, autocast=torch.float16, clip_norm=clip)
    slow = by_rates([0.1] * 6, clip or math.inf)
    for own, other in zip(trainer.model.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("autocast", [None, torch.float16])
def test_a_run_with_a_scheduler_goes_on_where_it_was_killed(tmp_path, autocast):
    def run(epochs, folder):
        task, model, batches = setting("numbers", False, False)
        optimizer = torch.optim.Adam(model.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
        trainer = Trainer(model, task, optimizer, scheduler=scheduler, autocast=autocast)
        trainer.fit(batches, batches, epochs, checkpoint=folder)
        return [p.tolist() for p in model.parameters()], scheduler.last_epoch

    whole = run(4, None)
    run(2, tmp_path)
    assert run(4, tmp_path) == whole


def test_validation_alone_chooses_the_weights():
    task, model, batches = setting("numbers", False, False)
    trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.5))
    history = trainer.fit(batches, batches[:1], 8, early_stopping=2)
    best = trainer.test(batches[:1])
    assert best.loss == min(history.valid_loss)
    assert history.restored_best
    assert "validation loss" in str(history)


# What is refused.


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Task.classes(1), ValueError, "count must be at least 2, got 1"),
        (lambda: Task.classes(3, nn.BCELoss()), ValueError, "loss_fn must be of several classes"),
        (lambda: Task.classes(3, nn.CrossEntropyLoss(reduction="sum")), ValueError, "average over"),
        (lambda: Task.classes(3, nn.CrossEntropyLoss(ignore_index=0)), ValueError, "every label"),
        (lambda: Task.classes(3, nn.CrossEntropyLoss), TypeError, "must be made"),
        (lambda: Task.regression(loss_fn="rmse"), ValueError, "loss_fn must be one of 'mse', "),
        (lambda: Task.regression(score="r2"), ValueError, "score must be one of 'mae', 'mse'"),
        (lambda: Task.regression(loss_fn=nn.NLLLoss()), ValueError, "loss_fn must compare numbers"),
        (lambda: Task.regression(0), ValueError, "outputs must be at least 1, got 0"),
        (lambda: Task.binary(nn.MSELoss()), ValueError, "no threshold: Task.regression is for"),
        (lambda: Task.binary(ideal=math.nan), ValueError, "ideal must be finite, got nan"),
        (lambda: Task.binary(ideal="best"), TypeError, "ideal must be a number, got 'best'"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("name", "per_member", "change", "words"),
    [
        (
            "classes",
            False,
            lambda y: y.float(),
            r"whole numbers, got torch.float32: label.long\(\)",
        ),
        (
            "classes",
            False,
            lambda y: y[:, None],
            r"the shape \(3,\), got \(3, 1\): label\[..., 0\]",
        ),
        ("classes", False, lambda y: y + 1, "classes from 0 to 2, got 3"),
        ("classes", False, lambda y: y - 1, "classes from 0 to 2, got -1"),
        ("classes", True, lambda y: y[:, :3], r"the shape \(3, 4\), got \(3, 3\)"),
        ("classes", True, lambda y: y[:, 0], r"the shape \(3, 4\), got \(3,\)"),
        ("numbers", False, lambda y: y[:, :1], r"the outputs' shape \(3, 2\), got \(3, 1\)"),
        ("numbers", False, lambda y: y.long(), r"floating-point, got torch.int64: label.float\(\)"),
        ("numbers", False, lambda y: y * math.inf, " be finite, got"),
        ("binary", False, lambda y: y[:, 0], r"shape \(3, 1\), got \(3,\): label\[..., None\]"),
        (
            "binary",
            True,
            lambda y: y[..., 0],
            r"shape \(3, 4, 1\), got \(3, 4\): label\[..., None\]",
        ),
        ("binary", False, lambda y: 2 * y, r"in \[0, 1\], got 2.0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(name, per_member, change, words):
    task, model, batches = setting(name, per_member, False)
    wrong = [(x, change(label)) for x, label in batches]
    trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(ValueError, match=f"the labels of dl_train must.*{words}"):
        trainer.fit(wrong, batches, 1)
    with pytest.raises(ValueError, match="the labels of dl_valid must"):
        trainer.fit(batches, wrong, 1)


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_a_model_without_an_output_for_each_class_is_refused(outputs):
    task, _, batches = setting("classes", False, False)
    model = PerSet(outputs)
    trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(ValueError, match=r"an output for each class, \(batch, k\) with k = 3, got"):
        trainer.fit(batches, batches, 1)


def test_labels_of_padding_are_not_looked_at():
    task, model, batches = setting("classes", True, True)
    hidden = [(inputs, torch.where(inputs[1], label, -1 - label)) for inputs, label in batches]
    trainer = Trainer(model, task, torch.optim.SGD(model.parameters(), 0.1))
    assert trainer.fit(hidden, hidden, 1).num_epochs == 1


def test_a_softmax_before_cross_entropy_is_warned_of():
    _, model, batches = setting("classes", False, False)
    model = nn.Sequential(model, nn.Softmax(-1))
    trainer = Trainer(model, Task.classes(K), torch.optim.SGD(model.parameters(), 0.1))
    with pytest.warns(UserWarning, match="ends in a softmax, and CrossEntropyLoss takes") as caught:
        trainer.fit(batches, batches, 1)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scheduler": 0.1}, TypeError, "scheduler must be one of torch.optim.lr_scheduler, got"),
        (
            {"scheduler": torch.optim.lr_scheduler.StepLR},
            TypeError,
            "lr_scheduler, got StepLR",
        ),
        ({"per_step": True}, ValueError, "per_step says when a scheduler makes its steps"),
        (
            {
                "scheduler": torch.optim.lr_scheduler.StepLR(
                    torch.optim.SGD([torch.zeros(1)], 0.1), 1
                )
            },
            ValueError,
            "scheduler must be made for the optimizer that is given",
        ),
        ({"clip_norm": 0}, ValueError, "clip_norm must be positive"),
        ({"autocast": torch.float32}, ValueError, "autocast must be torch.bfloat16 or"),
        ({"task": nn.MSELoss()}, TypeError, "task must be a Task, such as Task.classes"),
    ],
)
def test_options_out_of_their_range_are_refused(options, error, words):
    task, model, _ = setting("numbers", False, False)
    arguments = {"task": task} | options
    with pytest.raises(error, match=words):
        Trainer(model, optimizer=torch.optim.SGD(model.parameters(), 0.1), **arguments)


def test_a_plateau_cannot_make_a_step_after_each_batch():
    task, model, _ = setting("numbers", False, False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match="per_step must be False with ReduceLROnPlateau"):
        Trainer(model, task, optimizer, scheduler=scheduler, per_step=True)
