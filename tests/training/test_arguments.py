"""What would train nonsense without a word is an error that says what to do, before any step."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from invariant_nets import (
    BinaryTrainer,
    GaussianDataset,
    SymmetryModel,
    cyclic_group,
    intrinsic,
    mlp,
    pad_sets,
    symmetric_group,
)

N, D = 4, 2
X = torch.randn(8, N, D, generator=torch.Generator().manual_seed(0))
Y = (X.sum((1, 2)) > 0).float()[:, None]
GOOD = [(X, Y)]


def model_of(*ending):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(N * D, 1), *ending)


def fit(model=None, loss_fn=None, train=GOOD, test=GOOD, optimizer=None, epochs=2, **options):
    model = model_of() if model is None else model
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1)
    trainer = BinaryTrainer(model, loss_fn or nn.BCEWithLogitsLoss(), optimizer, **options)
    return trainer.fit(train, test, epochs)


# The optimizer.


def test_the_optimizer_of_another_model_is_refused():
    other = torch.optim.Adam(model_of().parameters())
    with pytest.raises(ValueError, match="optimizer must hold the parameters of the model, got"):
        fit(optimizer=other)


def test_parameters_that_an_optimizer_leaves_out_are_named():
    model = mlp(N, D)
    head = list(model.parameters())[-2:]
    with pytest.warns(UserWarning, match=r"does not hold .* freeze these with requires_grad_"):
        fit(model, optimizer=torch.optim.SGD(head, 0.1))
    for parameter in model.parameters():
        parameter.requires_grad_(any(parameter is own for own in head))
    fit(model, optimizer=torch.optim.SGD(head, 0.1))


def test_a_frozen_model_is_refused():
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match="model must have a parameter that requires a gradient"):
        fit(model.requires_grad_(False), optimizer=optimizer)


def test_a_model_that_is_frozen_later_is_refused():
    model = model_of()
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), torch.optim.SGD(model.parameters(), 0.1))
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="model must have a parameter that requires a gradient"):
        trainer.fit(GOOD, GOOD, 1)


def test_an_optimizer_that_needs_a_closure_is_refused():
    model = model_of()
    with pytest.raises(TypeError, match="optimizer must step without a closure, got LBFGS"):
        fit(model, optimizer=torch.optim.LBFGS(model.parameters()))


# The loss.


@pytest.mark.parametrize("threshold", [None, 0.0])
@pytest.mark.parametrize(
    "loss_fn",
    [nn.CrossEntropyLoss(), nn.NLLLoss(), F.cross_entropy, partial(F.cross_entropy, weight=None)],
    ids=["module", "likelihood", "function", "partial"],
)
def test_a_loss_of_several_classes_is_refused(loss_fn, threshold):
    with pytest.raises(
        ValueError, match=r"for labels 0 and 1, got .*: Task.classes and Trainer are for"
    ):
        fit(loss_fn=loss_fn, threshold=threshold)


@pytest.mark.parametrize(
    ("loss_fn", "words"),
    [
        (lambda o, y: F.cross_entropy(o, y), "loss_fn must depend on the outputs, got 0 whatever"),
        (lambda o, y: F.mse_loss(y, y) + 0 * o.sum(), "loss_fn must depend on the outputs"),
        (lambda o, y: F.mse_loss(o.detach(), y), "the loss must have a gradient, got none"),
        (lambda o, y: F.mse_loss(o, y, reduction="sum"), "got one that adds up"),
        (lambda o, y: F.mse_loss(o, y, reduction="none"), r"a tensor of one number, got \(8, 1\)"),
        (lambda o, y: F.mse_loss(o, y).item(), "a tensor of one number, got float"),
    ],
)
def test_a_loss_from_which_nothing_is_learned_is_refused(loss_fn, words):
    with pytest.raises(ValueError, match=words):
        fit(loss_fn=loss_fn, threshold=0.5)


def test_a_loss_that_counts_is_warned_of():
    with pytest.warns(UserWarning, match="its gradient 0 for every output of the first batch"):
        fit(loss_fn=lambda o, y: (o.sign() - y).abs().mean(), threshold=0.5)


@pytest.mark.parametrize("how", ["sum", "none"])
def test_partial_losses_that_are_no_mean_are_refused(how):
    loss_fn = partial(F.binary_cross_entropy_with_logits, reduction=how)
    with pytest.raises(ValueError, match=f"must average over the batch, got reduction='{how}'"):
        fit(loss_fn=loss_fn)


def test_a_partial_loss_has_its_threshold():
    weight = partial(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(2.0))
    assert fit(loss_fn=weight).num_epochs == 2


def test_a_perfect_model_is_no_loss_that_depends_on_nothing():
    model = model_of()
    with torch.no_grad():
        model[1].weight.fill_(1e6)
        model[1].bias.zero_()
    assert fit(model).test_loss[-1] == 0


def test_the_class_of_a_loss_is_refused():
    with pytest.raises(TypeError, match=r"loss_fn must be made, BCEWithLogitsLoss\(\)"):
        fit(loss_fn=nn.BCEWithLogitsLoss)


def test_logits_for_bceloss_are_refused():
    with pytest.raises(ValueError, match=r"must be probabilities for BCELoss.*BCEWithLogitsLoss"):
        fit(loss_fn=nn.BCELoss())


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = model_of()

    def forward(self, x):
        return torch.sigmoid(self.inner(x))


SIGMOIDS = {
    "module": lambda: model_of(nn.Sigmoid()),
    "function": Functional,
    "symmetrized": lambda: SymmetryModel(Functional(), cyclic_group(N)),
    "sampled": lambda: SymmetryModel(Functional(), symmetric_group(N), samples=3),
    "compiled": lambda: torch.compile(model_of(nn.Sigmoid()), backend="eager"),
}


@pytest.mark.parametrize("name", SIGMOIDS)
def test_a_sigmoid_before_logits_is_warned_of(name):
    with pytest.warns(UserWarning, match="the model ends in a sigmoid") as caught:
        fit(SIGMOIDS[name]())
    assert caught[0].filename == __file__


@pytest.mark.parametrize("threshold", ["0", True, math.nan])
def test_a_threshold_that_is_no_number_is_refused(threshold):
    with pytest.raises((TypeError, ValueError), match="threshold must be"):
        fit(threshold=threshold)


def test_regression_says_where_it_is_possible():
    with pytest.raises(ValueError, match=r"no threshold: Task\.regression is for"):
        fit(loss_fn=nn.MSELoss())
    with pytest.raises(
        ValueError, match=r"in \[0, 1\], got 3.0: Trainer takes classes and numbers"
    ):
        fit(train=[(X, 3 * Y)])


# Batches and loaders.


@pytest.mark.parametrize("name", ["train", "test"])
@pytest.mark.parametrize(
    ("batch", "came"),
    [
        ((X, X[..., 0] > 0, Y), r"\(Tensor, Tensor, Tensor\)"),
        ({"x": X, "label": Y}, "a dict with 'x', 'label'"),
        ((X.numpy(), Y.numpy()), r"\(ndarray, ndarray\): torch.from_numpy"),
        ((X, Y.tolist()), r"\(Tensor, \(\(float\), "),
        (X, "Tensor"),
        ((X,), r"\(Tensor\)"),
        (((X, X, X), Y), r"\(\(Tensor, Tensor, Tensor\), Tensor\)"),
        (({"x": X}, Y), r"\(a dict with 'x', Tensor\)"),
        (None, "NoneType"),
    ],
)
def test_batches_of_another_kind_are_refused(batch, came, name):
    words = rf"dl_{name} must give batches \(x, label\) or \(\(x, mask\), label\).*got {came}"
    with pytest.raises(TypeError, match=words):
        fit(**{name: [batch]})


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ((X, torch.ones(8, N)), TypeError, "mask of dl_train must be of bool"),
        (
            (X, torch.ones(3, N) > 0),
            ValueError,
            r"mask of dl_train must have shape .* got \(3, 4\)",
        ),
        (X.to_sparse(), TypeError, "dl_train must give dense tensors"),
        (torch.nested.nested_tensor(list(X), layout=torch.jagged), TypeError, "dense tensors"),
    ],
    ids=str,
)
def test_masks_and_layouts_of_another_kind_are_refused(inputs, error, words):
    with pytest.raises(error, match=words):
        fit(intrinsic(N, D), train=[(inputs, Y)])


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="dl_train must give batches of at least one set"):
        fit(train=[(X[:0], Y[:0])])


def test_a_dataset_is_no_loader():
    data = GaussianDataset(8, (N, D), 1.0, 0.5, static=True)
    for not_batches in (data, TensorDataset(X, Y)):
        with pytest.raises(TypeError, match="dl_train must give batches, got the dataset"):
            fit(train=not_batches)


def test_what_gives_no_batches_is_refused():
    with pytest.raises(TypeError, match="dl_test must be a DataLoader or batches, got int"):
        fit(test=5)


@pytest.mark.parametrize("name", ["train", "test"])
def test_batches_that_are_spent_after_an_epoch_are_noticed(name):
    class Spent:
        batches = iter(GOOD)

        def __iter__(self):
            return self.batches

    with pytest.raises(ValueError, match="must give its batches anew each epoch"):
        fit(**{name: Spent()})


def test_one_label_only_is_warned_of():
    with pytest.warns(UserWarning, match="all labels of dl_train are 1: there is nothing to tell"):
        fit(train=[(X, torch.ones_like(Y))])


# Types.


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.float16, torch.bool])
def test_x_of_another_type_than_the_weights_is_refused(dtype):
    words = f"x must be of torch.float32 as the weights are, got {dtype}: "
    with pytest.raises(TypeError, match=words):
        fit(train=[(X.to(dtype), Y)])


def test_labels_of_another_floating_type_are_taken():
    for loss_fn, model in ((nn.BCELoss(), model_of(nn.Sigmoid())), (None, model_of())):
        for dtype in (torch.float64, torch.float16):
            batches = [(X, Y.to(dtype))]
            assert fit(model, loss_fn, batches, batches).num_epochs == 2


def test_a_model_in_float64_is_given_float64():
    assert fit(model_of().double(), train=[(X.double(), Y)], test=[(X.double(), Y)]).num_epochs == 2


@pytest.mark.parametrize("label", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("probabilities", [True, False])
def test_losses_of_half_precision_are_taken_in_single(label, probabilities):
    half = torch.bfloat16
    ending, loss_fn = ([nn.Sigmoid()], nn.BCELoss()) if probabilities else ([], None)
    model = model_of(*ending).to(half)
    batches = [(X.to(half), Y.to(label))]
    with torch.no_grad():
        exact = (loss_fn or nn.BCEWithLogitsLoss())(model(X.to(half)).float(), Y).item()
    history = fit(model, loss_fn, batches, batches, epochs=1)
    assert history.train_loss == [pytest.approx(exact, rel=1e-6)]


class Returning(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.inner, self.change = model_of(), change

    def forward(self, x):
        return self.change(self.inner(x))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda y: (y, y), TypeError, "model must return a tensor, got tuple"),
        (lambda y: {"logits": y}, TypeError, "model must return a tensor, got dict"),
        (lambda y: y.mean(), ValueError, "model must keep the batch axis"),
        (lambda y: y[:3], ValueError, "model must keep the batch axis"),
        (lambda y: y[:, 0], ValueError, r"must have the outputs' shape \(8,\), got \(8, 1\)"),
        (lambda y: torch.cat([y, y], 1), ValueError, r"outputs' shape \(8, 2\), got \(8, 1\)"),
        (lambda y: y > 0, TypeError, "model must return floating-point numbers.*torch.bool"),
        (lambda y: y.detach(), ValueError, "the outputs of the model must have a gradient"),
    ],
)
def test_what_a_model_must_not_return_is_refused(change, error, words):
    with pytest.raises(error, match=words):
        fit(Returning(change))


def test_labels_without_their_axis_say_what_to_do():
    with pytest.raises(ValueError, match=r"got \(8,\): label\[..., None\] makes it so"):
        fit(train=[(X, Y[:, 0])])


def test_nan_in_x_is_the_cause_of_nan():
    with pytest.raises(FloatingPointError, match="training loss became nan in epoch 1") as caught:
        fit(train=[(X * math.nan, Y)])
    assert "x of dl_train holds NaN or infinite numbers" in str(caught.value.__cause__)


# What is right is not warned of.


def test_probabilities_of_logits_within_the_unit_interval_are_no_sigmoid():
    model = model_of()
    nn.init.constant_(model[1].bias, 0.5)
    with torch.no_grad():
        model[1].weight.mul_(1e-3)
    assert fit(model).num_epochs == 2


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager"])
def test_compiled_models_are_given_their_masks(backend):
    x, mask = pad_sets([torch.randn(n, D) for n in (1, 3, 4, 2)])
    batches = [((x.masked_fill(~mask[..., None], math.nan), mask), Y[:4])]
    torch.manual_seed(0)
    model = intrinsic(4, D)
    torch.manual_seed(0)
    compiled = torch.compile(intrinsic(4, D), backend=backend)
    plain, other = (
        fit(model, train=batches, test=batches),
        fit(compiled, train=batches, test=batches),
    )
    assert plain.test_loss == pytest.approx(other.test_loss)


def test_the_look_at_the_first_batch_changes_no_bit():
    model, slow = model_of(), model_of()
    fit(model, epochs=3)
    optimizer = torch.optim.SGD(slow.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(slow(X), Y).backward()
        optimizer.step()
    assert all(map(torch.equal, model.parameters(), slow.parameters()))


def test_numpy_data_made_tensors_trains():
    data = TensorDataset(torch.from_numpy(np.asarray(X)), torch.from_numpy(np.asarray(Y)))
    assert fit(train=DataLoader(data, 4), test=DataLoader(data, 4)).num_epochs == 2
