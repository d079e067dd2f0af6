import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import PrincipalAxesModel, deep_sets, intrinsic

DOUBLE = torch.float64
kinds = pytest.mark.parametrize("rotations_only", [False, True])


def orthogonal(d, source):
    """A random orthogonal matrix."""
    return torch.linalg.qr(torch.randn(d, d, generator=source, dtype=DOUBLE)).Q


def clouds(batch=4, n=7, d=3, seed=0, dtype=DOUBLE):
    """Sets whose axes are of clearly different lengths."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, d, generator=source, dtype=DOUBLE)
    stretched = x * torch.arange(1.0, d + 1, dtype=DOUBLE)
    return (stretched @ orthogonal(d, source)).to(dtype)


def reader(n=7, d=3, outputs=2):
    """A network that knows no symmetry."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(n * d, 8), nn.Tanh(), nn.Linear(8, outputs)
        ).double()


def close(first, second):
    return torch.allclose(first, second, rtol=1e-8, atol=1e-9)


@kinds
@pytest.mark.parametrize("d", [1, 2, 3])
def test_it_is_the_mean_over_the_signs_of_the_axes_one_set_after_the_other(rotations_only, d):
    x, model = clouds(d=d), reader(d=d)
    means = []
    for rows in x.numpy():
        moment = sum(np.outer(row, row) for row in rows)
        _, axes = np.linalg.eig(moment)
        outputs = []
        for signs in itertools.product([-1, 1], repeat=d):
            # The axes are in no order yet: put them in that of their moments.
            order = sorted(range(d), key=lambda j: axes[:, j] @ moment @ axes[:, j])
            frame = axes[:, order] * signs
            if not rotations_only or np.linalg.det(frame) > 0:
                outputs.append(model(torch.from_numpy(rows @ frame)[None])[0])
        assert len(outputs) == 2 ** (d - rotations_only)
        means.append(torch.stack(outputs).mean(0))
    found = PrincipalAxesModel(model, rotations_only=rotations_only)(x)
    torch.testing.assert_close(found, torch.stack(means))


@given(n=st.integers(1, 6), d=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_it_is_invariant_to_every_orthogonal_map(n, d, seed):
    # Fewer members than features too: where there is none, the axes do not matter.
    x, model = clouds(2, n, d, seed), reader(n, d)
    turn = orthogonal(d, torch.Generator().manual_seed(seed))
    average = PrincipalAxesModel(model)
    assert close(average(x @ turn), average(x))
    turn[:, 0] *= torch.linalg.det(turn).sign()
    average = PrincipalAxesModel(model, rotations_only=True)
    assert close(average(x @ turn), average(x))


def test_rotations_only_tells_mirror_images_apart():
    x, mirror = clouds(), torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE))
    model = reader()
    assert not close(model(x @ mirror), model(x))
    assert close(PrincipalAxesModel(model)(x @ mirror), PrincipalAxesModel(model)(x))
    proper = PrincipalAxesModel(model, rotations_only=True)
    assert not torch.allclose(proper(x @ mirror), proper(x), rtol=1e-3)
    assert close(proper(x @ -mirror), proper(x))


@kinds
def test_around_a_network_of_sets_it_is_invariant_to_both(rotations_only):
    x, source = clouds(), torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    model = PrincipalAxesModel(deep_sets(7, 3).double(), rotations_only=rotations_only)
    turn = orthogonal(3, source)
    turn = turn * torch.linalg.det(turn)
    order = torch.randperm(7, generator=source)
    assert close(model(x[:, order] @ turn), model(x))
    # Outputs of the members move with them.
    members = PrincipalAxesModel(intrinsic(7, 3, per_member=True).double())
    assert close(members(x[:, order] @ turn), members(x)[:, order])


def test_centered_it_is_invariant_to_translations():
    x, shift = clouds(), torch.tensor([3.0, -1.0, 2.0], dtype=DOUBLE)
    model = reader()
    assert not close(PrincipalAxesModel(model)(x + shift), PrincipalAxesModel(model)(x))
    centered = PrincipalAxesModel(model, centered=True)
    assert close(centered(x + shift), centered(x))
    torch.testing.assert_close(centered(x), PrincipalAxesModel(model)(x - x.mean(1, keepdim=True)))
    # The mean is that of the members.
    mask = torch.rand(4, 7, generator=torch.Generator().manual_seed(0)) < 0.6
    torch.manual_seed(0)
    masked = PrincipalAxesModel(deep_sets(7, 3).double(), centered=True)
    assert close(masked(x + shift, mask=mask), masked(x, mask=mask))


# Where two axes are of one length, the frame is not determined.


def cube(stretch=1.0):
    corners = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)), dtype=DOUBLE)
    return (corners * torch.tensor([1.0, 1.0, stretch], dtype=DOUBLE))[None]


def test_at_a_tie_it_is_not_invariant_and_near_it_steep():
    model = PrincipalAxesModel(reader(n=8))
    turn = orthogonal(3, torch.Generator().manual_seed(0))
    assert not torch.allclose(model(cube() @ turn), model(cube()), rtol=1e-3)
    step = torch.randn(1, 8, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    changes = []
    for gap in (1e-6, 1e-3, 1.0):
        x = cube() * torch.tensor([1.0, 1 + gap, 1 + 2 * gap], dtype=DOUBLE)
        assert torch.allclose(model(x @ turn), model(x), rtol=1e-6)
        changes.append((model(x + 1e-5 * step) - model(x)).abs().max().item())
    assert changes[0] > 10 * changes[1] > 100 * changes[2]


# Gradients.


def test_the_gradients_of_the_weights_are_right():
    x, linear = clouds(), nn.Linear(21, 2).double()
    model = PrincipalAxesModel(nn.Sequential(nn.Flatten(), linear, nn.Tanh()))

    def of_weights(weight):
        return torch.func.functional_call(model, {"model.1.weight": weight}, (x,))

    assert torch.autograd.gradcheck(of_weights, (linear.weight,))


def test_the_gradient_of_the_sets_is_that_of_fixed_axes_and_turns_with_them():
    model, turn = PrincipalAxesModel(reader()), orthogonal(3, torch.Generator().manual_seed(1))

    def gradient(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(model(x).square().sum(), x)[0]

    x = clouds()
    assert close(gradient(x @ turn), gradient(x) @ turn)
    _, axes = torch.linalg.eigh(x.mT @ x)
    fixed = x.clone().requires_grad_()
    outputs = [
        model.model(fixed @ axes * torch.tensor(signs, dtype=DOUBLE))
        for signs in itertools.product([-1.0, 1.0], repeat=3)
    ]
    torch.stack(outputs).mean(0).square().sum().backward()
    assert close(gradient(x), fixed.grad)


@pytest.mark.parametrize("x", [cube(), 0 * cube(), cube()[:, :1]], ids=["tie", "zero", "one"])
def test_gradients_are_finite_also_at_ties(x):
    model = PrincipalAxesModel(reader(n=x.shape[1]))
    x = x.clone().requires_grad_()
    model(x).sum().backward()
    assert x.grad.isfinite().all()


# Numbers of every size.


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_squares_that_single_precision_cannot_hold_do_no_harm(size):
    x = clouds(dtype=torch.float32)
    small = PrincipalAxesModel(lambda x: x.abs().amax(1))(x)
    model = PrincipalAxesModel(lambda x: x.abs().amax(1) / size)
    torch.testing.assert_close(model(x * size), small, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_axes_are_found_in_single(dtype):
    n = 3000  # bfloat16 stops growing after 256 equal terms, float16 ends at 65,504
    x = (10 * clouds(2, n, dtype=torch.float32)).to(dtype)

    def extent(x):
        return x.abs().amax(1)

    half = PrincipalAxesModel(extent)(x)
    assert half.dtype == dtype
    torch.testing.assert_close(
        half.float(), PrincipalAxesModel(extent)(x.float()), rtol=0.01, atol=0
    )
    expected = PrincipalAxesModel(extent)(x.float())
    with torch.autocast("cpu", dtype=dtype):
        torch.testing.assert_close(PrincipalAxesModel(extent)(x.float()), expected)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_set_that_is_not_finite_spoils_no_other(bad):
    x, model = clouds(), PrincipalAxesModel(reader())
    expected = model(x)
    x[1, 2, 0] = bad
    y = model(x)
    assert torch.equal(y[[0, 2, 3]], expected[[0, 2, 3]])
    assert not y[1].isfinite().all()


def test_the_size_of_chunks_makes_no_difference():
    x, model = clouds(), reader()
    expected = PrincipalAxesModel(model)(x)
    for chunksize in (1, 3, 8, 100):
        seen = []

        def counting(x, seen=seen):
            seen.append(len(x))
            return model(x)

        y = PrincipalAxesModel(counting, chunksize=chunksize)(x)
        torch.testing.assert_close(y, expected)
        assert max(seen) == 4 * min(chunksize, 8)
        assert sum(seen) == 4 * 8


# What is refused.


def test_what_cannot_be_is_refused():
    with pytest.raises(TypeError, match="model must be a module or a function, got 3"):
        PrincipalAxesModel(3)
    with pytest.raises(ValueError, match="chunksize must be at least 1, got 0"):
        PrincipalAxesModel(reader(), chunksize=0)
    model = PrincipalAxesModel(lambda x: x.sum((1, 2)))
    with pytest.raises(TypeError, match=r"x must be of a floating-point type, got torch.int64"):
        model(torch.ones(2, 3, 3, dtype=torch.int64))
    assert model(torch.ones(2, 3, 16)).shape == (2,)
    with pytest.raises(ValueError, match="x must have at most 16 features, got 17: "):
        model(torch.ones(2, 3, 17))
    with pytest.raises(ValueError, match="model must keep the batch axis: 16 sets came in"):
        PrincipalAxesModel(lambda x: x.sum())(clouds(2))
    with pytest.raises(TypeError, match="model must take a mask"):
        PrincipalAxesModel(reader())(clouds(2), mask=torch.ones(2, 7, dtype=torch.bool))


def test_its_text_says_what_differs_from_the_defaults():
    model = PrincipalAxesModel(nn.Flatten(), rotations_only=True, centered=True)
    assert "rotations_only=True, centered=True" in str(model)
    assert "True" not in str(PrincipalAxesModel(nn.Flatten()))
