import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from invariant_nets import (
    Augmentation,
    BinaryTrainer,
    Epoch,
    GaussianDataset,
    History,
    SymmetryModel,
    create_random_permutations,
    intrinsic,
    mlp,
    pad_sets,
)

LOGITS, PROBABILITIES = nn.BCEWithLogitsLoss(), nn.BCELoss()


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def batches(num_batches=3, size=8, seed=0):
    """An easy task: the sign of the sum, a batch an element of the list."""
    generator = torch.Generator().manual_seed(seed)
    xs = torch.randn(num_batches, size, 2, 3, generator=generator)
    return [(x, (x.sum((1, 2), keepdim=True) > 0).float()[:, 0]) for x in xs]


def linear(probabilities=False):
    ending = [nn.Sigmoid()] if probabilities else []
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 1), *ending)


def trainer_of(model, loss_fn=LOGITS, lr=0.5, **options):
    return BinaryTrainer(model, loss_fn, torch.optim.SGD(model.parameters(), lr=lr), **options)


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def scripted(test_losses):
    """A trainer whose test losses are given, and the model, which has a weight that counts.

    The weight grows by one a training batch; the loss of a test batch is what the script says at
    the weight's count.
    """

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return self.count.expand(len(x), 1)

    def loss_fn(output, label):
        if torch.is_grad_enabled():
            return -output.mean()
        return torch.tensor(test_losses[max(0, round(output.mean().item()) - 1)])

    model = Counting()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return BinaryTrainer(model, loss_fn, optimizer, threshold=0.0), model


# What a fit does.


def test_it_is_the_textbook_loop():
    model, train, test = linear(), batches(), batches(2, seed=1)
    slow = copy.deepcopy(model)
    history = trainer_of(model).fit(train, test, num_epochs=3)

    optimizer = torch.optim.SGD(slow.parameters(), lr=0.5)
    for epoch in range(3):
        losses, correct = [], []
        for x, y in train:
            output = slow(x)
            loss = LOGITS(output, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct += ((output > 0) == (y == 1)).flatten().tolist()
        assert history.train_loss[epoch] == pytest.approx(sum(losses) / len(losses))
        assert history.train_acc[epoch] == pytest.approx(sum(correct) / len(correct))
        with torch.no_grad():
            x, y = (torch.cat(parts) for parts in zip(*test, strict=True))
            assert history.test_loss[epoch] == pytest.approx(LOGITS(slow(x), y).item())
            assert history.test_acc[epoch] == ((slow(x) > 0) == (y == 1)).double().mean().item()
    assert equal(weights_of(model), weights_of(slow))


def test_it_learns():
    history = trainer_of(linear()).fit(batches(20), batches(5, seed=1), num_epochs=20)
    assert history.test_acc[-1] > 0.95 > history.test_acc[0]


def test_the_history_is_complete():
    trainer = trainer_of(linear())
    history = trainer.fit(batches(), batches(), num_epochs=4)
    assert history is trainer.history
    assert history.num_epochs == 4
    assert (history.stopped, history.interrupted) == ("all 4 epochs done", False)
    assert not history.restored_best
    assert all(isinstance(epoch, Epoch) and epoch.seconds > 0 for epoch in history.epochs)


def test_a_second_fit_goes_on_with_a_new_history():
    trainer = trainer_of(linear())
    first = trainer.fit(batches(), batches(), num_epochs=2)
    second = trainer.fit(batches(), batches(), num_epochs=3)
    assert (first.num_epochs, second.num_epochs) == (2, 3)
    assert second.train_loss[0] < first.train_loss[0]


def test_batches_of_different_sizes_count_by_their_samples():
    (x, y), model = batches(1, size=10)[0], linear()
    uneven = [(x[:7], y[:7]), (x[7:], y[7:])]
    history = trainer_of(model, lr=0.0).fit(uneven, uneven, num_epochs=1)
    expected = LOGITS(model(x), y).item()
    assert history.train_loss == history.test_loss == [pytest.approx(expected)]


def ragged_batches(sets, labels, mask_too=True):
    x, mask = pad_sets(sets)
    x = x.masked_fill(~mask[..., None], math.nan)
    return [((x, mask) if mask_too else x, labels)]


def test_sets_of_different_sizes_train_as_they_do_one_by_one():
    sets = [torch.randn(size, 3) for size in (2, 5, 1)]
    labels = torch.tensor([[0.0], [1.0], [1.0]])
    padded = ragged_batches(sets, labels)
    one_by_one = [(rows[None], label[None]) for rows, label in zip(sets, labels, strict=True)]
    model = intrinsic(5, 3)
    history = trainer_of(model, lr=0.0).fit(padded, one_by_one, num_epochs=1)
    assert history.train_loss == pytest.approx(history.test_loss)
    assert history.train_acc == history.test_acc
    history = trainer_of(model).fit(padded, padded, num_epochs=60)
    assert history.train_loss[-1] < history.train_loss[0] / 2


def test_padding_without_its_mask_is_found_before_any_step():
    model = intrinsic(5, 3)
    before = weights_of(model)
    wrong = ragged_batches([torch.randn(2, 3), torch.randn(5, 3)], torch.ones(2, 1), False)
    with pytest.raises(FloatingPointError):
        trainer_of(model).fit(wrong, wrong, num_epochs=1)
    assert equal(weights_of(model), before)


def test_a_model_that_takes_no_mask_is_refused_padded_sets():
    batch = ragged_batches([torch.randn(2, 3), torch.randn(2, 3)], torch.ones(2, 1))
    with pytest.raises(TypeError, match="model must take a mask"):
        trainer_of(linear()).fit(batch, batch, num_epochs=1)


def test_both_losses_give_the_same_accuracies_for_the_same_model():
    logits, probabilities = linear(), linear(probabilities=True)
    probabilities.load_state_dict(logits.state_dict())
    histories = [
        trainer_of(model, loss_fn).fit(batches(), batches(5, seed=1), num_epochs=5)
        for model, loss_fn in ((logits, LOGITS), (probabilities, PROBABILITIES))
    ]
    assert histories[0].test_acc == histories[1].test_acc
    assert histories[0].train_acc == histories[1].train_acc
    assert histories[0].test_loss == pytest.approx(histories[1].test_loss, rel=1e-5)


@pytest.mark.parametrize(
    ("loss_fn", "threshold"),
    [
        (nn.BCEWithLogitsLoss(), 0.0),
        (F.binary_cross_entropy_with_logits, 0.0),
        (nn.BCELoss(), 0.5),
        (F.binary_cross_entropy, 0.5),
    ],
)
def test_the_threshold_follows_from_the_loss(loss_fn, threshold):
    assert trainer_of(linear(), loss_fn).threshold == threshold


@pytest.mark.parametrize("threshold", [-0.3, 0.0, 0.3])
def test_another_loss_counts_by_the_threshold_that_is_given(threshold):
    model = linear()
    trainer = trainer_of(model, nn.MSELoss(), lr=0.0, threshold=threshold)
    history = trainer.fit(batches(), batches(), num_epochs=1)
    x, y = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    assert history.test_acc == [((model(x) > threshold) == (y == 1)).double().mean().item()]


def test_training_and_testing_happen_in_their_modes():
    modes = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = linear()

        def forward(self, x):
            modes.append((self.training, self.inner.training, torch.is_grad_enabled()))
            return self.inner(x)

    trainer_of(Watching()).fit(batches(2), batches(1), num_epochs=1)
    train, test = (True,) * 3, (False,) * 3
    assert modes == [test, train, train, test]


def test_gradients_do_not_add_up_over_batches():
    model = linear()
    model[1].weight.grad = torch.full((1, 6), 1e6)
    trainer_of(model).fit(batches(), batches(), num_epochs=1)
    assert model[1].weight.abs().max() < 100


@pytest.mark.parametrize(
    "model",
    [
        Augmentation(mlp(2, 3)),
        SymmetryModel(mlp(2, 3), lambda: create_random_permutations(2, 2)),
        intrinsic(2, 3),
    ],
    ids=["augmented", "sampled", "intrinsic"],
)
def test_every_route_can_be_trained(model):
    before = weights_of(model)
    trainer_of(model).fit(batches(), batches(), num_epochs=2)
    assert not any(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def gaussian_loader(num_samples, seed, num_workers=0):
    data = GaussianDataset(num_samples, (3, 2), 1.0, 0.2, static=False, seed=seed)
    return DataLoader(data, batch_size=8, num_workers=num_workers)


def fit_on_dynamic_data(num_workers=0, seed=0):
    torch.manual_seed(seed)
    model = Augmentation(mlp(3, 2))
    loaders = gaussian_loader(32, 1, num_workers), gaussian_loader(200, 2, num_workers)
    history = trainer_of(model).fit(*loaders, num_epochs=2)
    return [epoch[:4] for epoch in history.epochs]


def test_the_same_seed_gives_the_same_history():
    assert fit_on_dynamic_data() == fit_on_dynamic_data()
    assert fit_on_dynamic_data() != fit_on_dynamic_data(seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_number_of_loader_workers_changes_nothing(num_workers):
    assert fit_on_dynamic_data(num_workers) == fit_on_dynamic_data()


def test_the_rehearsal_leaves_the_random_state_alone():
    # The draws of the first epoch are those of a loop that never looked at the test set.
    torch.manual_seed(1)
    drawn = torch.rand(3)

    class Drawing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.draws = linear(), []

        def forward(self, x):
            draw = torch.rand(3)
            if self.training:
                self.draws.append(draw)
            return self.inner(x)

    model = Drawing()
    torch.manual_seed(1)
    trainer_of(model).fit(batches(1), batches(3), num_epochs=1)
    assert torch.equal(model.draws[0], drawn)


def test_the_model_is_moved_to_the_device():
    trainer = trainer_of(linear(), device="cpu")
    assert trainer.device == torch.device("cpu")
    assert trainer_of(linear()).device == torch.device("cpu")


def test_the_classic_arguments_work_by_position():
    model = linear(probabilities=True)
    optimizer = torch.optim.Adam(model.parameters())
    trainer = BinaryTrainer(model, nn.BCELoss(), optimizer, torch.device("cpu"), False)
    history = trainer.fit(batches(), batches(), 3, 1, 2)
    assert history.num_epochs == 3


def test_the_loaders_may_be_data_loaders():
    x, y = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    loader = DataLoader(TensorDataset(x, y), batch_size=5, shuffle=True)
    assert trainer_of(linear()).fit(loader, loader, num_epochs=2).num_epochs == 2


# Early stopping.


@pytest.mark.parametrize(
    ("losses", "patience", "num_epochs", "best"),
    [
        ([5, 4, 3, 9, 9, 1], 2, 5, 3),
        ([5, 4, 3, 9, 9, 1], 3, 6, 6),
        ([1, 2, 3], 1, 2, 1),
        ([3, 3, 3, 3], 2, 3, 1),
        ([3, 4, 2, 4, 1, 4], 2, 6, 5),
    ],
)
def test_early_stopping_counts_epochs_without_a_lower_test_loss(losses, patience, num_epochs, best):
    trainer, model = scripted([float(loss) for loss in losses])
    one_batch = batches(1)
    history = trainer.fit(one_batch, one_batch, len(losses), early_stopping=patience)
    assert (history.num_epochs, history.best_epoch) == (num_epochs, best)
    assert history.test_loss == losses[:num_epochs]
    # The weight counts the epochs: the best one's is back.
    assert model.count.item() == best
    assert history.restored_best


def test_early_stopping_says_why_it_stopped():
    trainer, _ = scripted([1.0, 2.0, 3.0, 4.0])
    history = trainer.fit(batches(1), batches(1), 4, early_stopping=2)
    assert history.stopped == "no lower test loss for 2 epochs"


def test_the_best_weights_are_restored_when_all_epochs_are_done_too():
    trainer, model = scripted([2.0, 1.0, 3.0])
    history = trainer.fit(batches(1), batches(1), 3, early_stopping=10)
    assert history.stopped == "all 3 epochs done"
    assert model.count.item() == history.best_epoch == 2


def test_without_early_stopping_the_last_weights_stay():
    trainer, model = scripted([2.0, 1.0, 3.0])
    history = trainer.fit(batches(1), batches(1), 3)
    assert model.count.item() == 3
    assert not history.restored_best


# Ctrl-C.


class Interrupting(nn.Module):
    """Raises at one of its calls, as Ctrl-C would."""

    def __init__(self, at_call):
        super().__init__()
        self.inner, self.calls_left = linear(), at_call

    def forward(self, x):
        self.calls_left -= 1
        if self.calls_left == 0:
            raise KeyboardInterrupt
        return self.inner(x)


# A test batch first, then two training batches and one test batch an epoch.
@pytest.mark.parametrize(
    ("at_call", "completed"), [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (8, 2), (11, 3)]
)
def test_ctrl_c_in_the_model_ends_the_fit_with_the_epochs_so_far(at_call, completed):
    model = Interrupting(at_call)
    history = trainer_of(model).fit(batches(2), batches(1), num_epochs=5)
    assert (history.stopped, history.interrupted) == ("interrupted", True)
    assert history.num_epochs == completed
    assert all(map(math.isfinite, history.test_loss))


def test_ctrl_c_in_the_data_ends_the_fit_with_the_epochs_so_far():
    class Interrupted:
        passes = 0

        def __iter__(self):
            self.passes += 1
            yield batches()[0]
            if self.passes == 3:
                raise KeyboardInterrupt

    history = trainer_of(linear()).fit(Interrupted(), batches(), num_epochs=5)
    assert (history.num_epochs, history.stopped) == (2, "interrupted")


def test_ctrl_c_in_the_optimizer_ends_the_fit():
    model = linear()

    class Interrupted(torch.optim.SGD):
        def step(self, closure=None):
            raise KeyboardInterrupt

    trainer = BinaryTrainer(model, LOGITS, Interrupted(model.parameters(), lr=0.1))
    assert trainer.fit(batches(), batches(), num_epochs=5).num_epochs == 0


def test_ctrl_c_with_early_stopping_restores_the_best_weights():
    model = Interrupting(at_call=8)
    trainer = trainer_of(model)
    history = trainer.fit(batches(2), batches(1), num_epochs=5, early_stopping=5)
    assert history.restored_best
    model.calls_left = -1
    x, y = batches(1)[0]
    loss = LOGITS(model(x), y).item()
    assert loss == pytest.approx(history.test_loss[history.best_epoch - 1])


def test_ctrl_c_while_the_best_weights_are_kept_leaves_no_contradiction():
    # The second snapshot is interrupted: the weights must be those of the best epoch recorded.
    trainer, model = scripted([3.0, 2.0, 1.0])
    snapshots, state_dict = [], model.state_dict

    def interrupted_at_the_second():
        snapshots.append(model.count.item())
        if len(snapshots) == 2:
            raise KeyboardInterrupt
        return state_dict()

    model.state_dict = interrupted_at_the_second
    history = trainer.fit(batches(1), batches(1), 3, early_stopping=5)
    assert history.stopped == "interrupted"
    assert snapshots == [1.0, 2.0]
    assert model.count.item() == history.best_epoch


def test_the_model_can_be_fitted_again_after_ctrl_c():
    model = Interrupting(at_call=5)
    trainer = trainer_of(model)
    trainer.fit(batches(2), batches(1), num_epochs=5)
    assert trainer.fit(batches(2), batches(1), num_epochs=3).num_epochs == 3


# Losses that are not finite.


class Poisoned(nn.Module):
    """Gives a bad output at one of its training calls."""

    def __init__(self, bad, at_call):
        super().__init__()
        self.inner, self.bad, self.calls_left = linear(), bad, at_call
        self.before = None

    def forward(self, x):
        if not self.training:
            return self.inner(x)
        self.calls_left -= 1
        if self.calls_left == 0:
            self.before = weights_of(self.inner)
            return self.inner(x) * self.bad
        return self.inner(x)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_training_loss_that_is_not_finite_names_the_epoch(bad):
    model = Poisoned(bad, at_call=8)
    trainer = trainer_of(model)
    with pytest.raises(FloatingPointError, match=r"the training loss became nan in epoch 3"):
        trainer.fit(batches(3), batches(1), num_epochs=5)
    assert trainer.history.num_epochs == 2
    assert trainer.history.stopped == "the training loss became nan in epoch 3"
    assert equal(weights_of(model.inner), model.before)


def test_an_infinite_loss_of_finite_outputs_names_the_epoch():
    trainer, _ = scripted([1.0, math.inf, 1.0])
    with pytest.raises(FloatingPointError, match="the test loss became inf in epoch 2"):
        trainer.fit(batches(1), batches(1), num_epochs=3)


def test_nan_weights_stop_before_the_first_epoch():
    model = linear()
    nn.init.constant_(model[1].weight, math.nan)
    with pytest.raises(FloatingPointError, match="the test loss became nan in epoch 1"):
        trainer_of(model).fit(batches(), batches(), num_epochs=3)


def test_nan_probabilities_are_caught_too():
    model = linear(probabilities=True)
    nn.init.constant_(model[1].weight, math.nan)
    with pytest.raises(FloatingPointError, match="the test loss became nan in epoch 1"):
        trainer_of(model, PROBABILITIES).fit(batches(), batches(), num_epochs=3)


def test_with_early_stopping_the_best_weights_survive_a_nan():
    model = Poisoned(math.nan, at_call=8)
    trainer = trainer_of(model)
    with pytest.raises(FloatingPointError):
        trainer.fit(batches(3), batches(1), num_epochs=5, early_stopping=5)
    x, y = batches(1)[0]
    history = trainer.history
    assert history.restored_best
    loss = LOGITS(model.eval()(x), y).item()
    assert loss == pytest.approx(history.test_loss[history.best_epoch - 1])


# What is shown.


def test_without_log_it_is_silent(capfd):
    trainer_of(linear()).fit(batches(), batches(), num_epochs=2, print_every=1)
    assert capfd.readouterr() == ("", "")


def test_with_log_a_bar_goes_to_stderr(capsys):
    trainer_of(linear(), log=True).fit(batches(), batches(), num_epochs=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "fit: 100%" in err
    assert "2/2" in err
    assert "loss=" in err


@pytest.mark.parametrize(("print_every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_print_every_writes_a_line_every_so_many_epochs(capsys, print_every, epochs):
    trainer = trainer_of(linear(), log=True)
    history = trainer.fit(batches(), batches(), num_epochs=5, print_every=print_every)
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line] == [history.line(epoch) for epoch in epochs]


def test_the_bar_ends_at_an_early_stop(capsys):
    trainer, _ = scripted([1.0, 2.0, 3.0, 4.0])
    trainer.log = True
    trainer.fit(batches(1), batches(1), 4, early_stopping=1)
    assert capsys.readouterr().err.endswith("\n")


# Bad input.


def unmoved_by(error, words, fit, model):
    before = weights_of(model)
    with pytest.raises(error, match=words):
        fit()
    assert equal(weights_of(model), before)


def relabeled(change):
    return [(x, change(y)) for x, y in batches()]


LABELS = [
    (lambda y: y[:, 0], r"must have the outputs' shape \(8, 1\), got \(8,\)"),
    (lambda y: y[:4], r"must have the outputs' shape \(8, 1\), got \(4, 1\)"),
    (lambda y: y.long(), "must be floating-point, got torch.int64"),
    (lambda y: y.bool(), "must be floating-point, got torch.bool"),
    (lambda y: 2 * y, r"must lie in \[0, 1\], got 2.0"),
    (lambda y: 2 * y - 1, r"must lie in \[0, 1\], got -1.0"),
    (lambda y: y * math.nan, r"must lie in \[0, 1\], got nan"),
]


@pytest.mark.parametrize(("change", "words"), LABELS)
@pytest.mark.parametrize("name", ["dl_train", "dl_test"])
def test_labels_that_do_not_fit_are_refused_before_any_step(change, words, name):
    model = linear()
    loaders = {"dl_train": batches(), "dl_test": batches()} | {name: relabeled(change)}
    unmoved_by(
        ValueError,
        f"the labels of {name} {words}",
        lambda: trainer_of(model).fit(**loaders, num_epochs=2),
        model,
    )


def test_a_wrong_label_in_the_last_test_batch_is_found_before_any_step():
    model, test = linear(), batches()
    test[-1] = (test[-1][0], test[-1][1] + 1)
    unmoved_by(
        ValueError,
        r"the labels of dl_test must lie in \[0, 1\]",
        lambda: trainer_of(model).fit(batches(), test, num_epochs=2),
        model,
    )


def test_soft_labels_are_taken():
    soft = relabeled(lambda y: 0.1 + 0.8 * y)
    history = trainer_of(linear()).fit(soft, soft, num_epochs=10)
    assert history.test_acc[-1] > 0.8


@pytest.mark.parametrize("name", ["dl_train", "dl_test"])
def test_an_iterator_is_refused(name):
    model = linear()
    loaders = {"dl_train": batches(), "dl_test": batches()} | {name: iter(batches())}
    unmoved_by(
        TypeError,
        f"{name} must give its batches anew each epoch, got an iterator",
        lambda: trainer_of(model).fit(**loaders, num_epochs=2),
        model,
    )


@pytest.mark.parametrize("name", ["dl_train", "dl_test"])
def test_an_empty_loader_is_refused(name):
    model = linear()
    loaders = {"dl_train": batches(), "dl_test": batches()} | {name: []}
    unmoved_by(
        ValueError,
        f"{name} must give at least one sample, got none",
        lambda: trainer_of(model).fit(**loaders, num_epochs=2),
        model,
    )


@pytest.mark.parametrize("name", ["num_epochs", "print_every", "early_stopping"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_counts_that_are_no_positive_integers_are_refused(name, value, error):
    model = linear()
    arguments = {"num_epochs": 2} | {name: value}
    unmoved_by(
        error,
        f"{name} must be .*{value}",
        lambda: trainer_of(model).fit(batches(), batches(), **arguments),
        model,
    )


def build(model=None, loss_fn=LOGITS, optimizer=None, **options):
    model = linear() if model is None else model
    own = model if isinstance(model, nn.Module) else linear()
    optimizer = torch.optim.SGD(own.parameters(), lr=0.1) if optimizer is None else optimizer
    return BinaryTrainer(model, loss_fn, optimizer, **options)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"model": abs}, TypeError, "model must be a torch.nn.Module, got builtin"),
        ({"loss_fn": "bce"}, TypeError, "loss_fn must be callable, got 'bce'"),
        ({"optimizer": 1e-3}, TypeError, "optimizer must be a torch optimizer, got float"),
        ({"loss_fn": nn.MSELoss()}, ValueError, r"loss_fn must be .*got MSELoss\(\)"),
        ({"loss_fn": lambda o, y: o.sum()}, ValueError, "loss_fn must be .*and no threshold"),
        ({"loss_fn": nn.BCELoss(reduction="sum")}, ValueError, "got reduction='sum'"),
        ({"loss_fn": nn.BCELoss(reduction="none")}, ValueError, "got reduction='none'"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        build(**arguments)


def test_a_new_trainer_has_an_empty_history():
    assert build().history == History()
