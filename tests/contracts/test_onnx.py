"""Models of the registry, exported to ONNX, with and without a mask."""

import numpy as np
import onnxruntime
import pytest
import torch

from invariant_nets import (
    MODELS,
    CanonicalModel,
    CircleFrame,
    Permutation,
    SymmetryModel,
    _rows,
    build_model,
    create_permutations_from_generators,
    create_random_permutations,
    mlp,
    symmetric_group,
)
from invariant_nets._rows import stable_sort

N, D = 6, 3
RANDOM = [name for name in MODELS if name.startswith("sampled")]

# What torch says of its own code, and of libraries that are not there.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def exported(model, folder, *inputs, **named):
    """What a runtime of ONNX makes of a model's inputs."""
    path = folder / "model.onnx"
    torch.onnx.export(model.eval(), inputs, path, kwargs=named, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    values = [value.numpy() for value in (*inputs, *named.values())]
    (output,) = session.run(
        None, {given.name: value for given, value in zip(session.get_inputs(), values, strict=True)}
    )
    return output


def some_sets():
    torch.manual_seed(0)
    x, mask = torch.randn(4, N, D), torch.rand(4, N) < 0.6
    mask[0] = True
    x[1, 2] = x[1, 0]  # two equal rows, and two that tie in one feature
    x[2, 3, 0] = x[2, 1, 0]
    return x, mask


@pytest.mark.parametrize("masked", [False, True], ids=["sets", "masks"])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in RANDOM])
def test_an_exported_model_gives_the_same(name, masked, tmp_path):
    x, mask = some_sets()
    model = build_model(name, N, D).eval()
    given = {"mask": mask} if masked else {}
    with torch.no_grad():
        expected = model(x, **given).numpy()
    np.testing.assert_allclose(exported(model, tmp_path, x, **given), expected, atol=1e-5, rtol=0)


def test_an_exported_frame_gives_the_same(tmp_path):
    x = some_sets()[0][..., :2].contiguous()
    model = CanonicalModel(mlp(N, 2), frame=CircleFrame()).eval()
    with torch.no_grad():
        expected = model(x).numpy()
    np.testing.assert_allclose(exported(model, tmp_path, x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", RANDOM)
def test_a_model_that_draws_anew_is_not_exported(name, tmp_path):
    with pytest.raises(Exception, match="draws permutations anew at each call") as raised:
        exported(build_model(name, N, D), tmp_path, some_sets()[0])
    assert "SymmetryModel with samples" in str(raised.value)


def test_an_average_over_chosen_permutations_is_exported(tmp_path):
    chosen, x = [Permutation.identity(N), *symmetric_group(N).generators], some_sets()[0]
    average = SymmetryModel(mlp(N, D), lambda: chosen).eval()
    with torch.no_grad():
        expected = average(x).numpy()
    np.testing.assert_allclose(exported(average, tmp_path, x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("perm_creator", "words"),
    [
        (lambda: create_random_permutations(N, 3), "draws permutations anew at each call"),
        (
            lambda: create_permutations_from_generators([Permutation(torch.arange(N).roll(1))]),
            "perm_creator makes its permutations from tensors at each call",
        ),
        (
            lambda: (Permutation(torch.tensor([1, 0, *range(2, N)])) for _ in range(2)),
            "perm_creator makes its permutations from tensors at each call",
        ),
    ],
)
def test_permutations_that_are_made_anew_are_not_exported(perm_creator, words, tmp_path):
    average, x = SymmetryModel(mlp(N, D), perm_creator), some_sets()[0]
    average(x)
    with pytest.raises(Exception, match=words) as raised:
        exported(average, tmp_path, x)
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("dim", [1, -1])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind", ["numbers", "ties", "nan", "booleans"])
def test_a_stable_sort_without_one_is_that_sort(kind, descending, dim, monkeypatch):
    source = torch.Generator().manual_seed(0)
    x = torch.randint(4, (5, 7, 6), generator=source).float()
    if kind == "numbers":
        x = torch.randn(5, 7, 6, generator=source)
    elif kind == "nan":
        x[x == 1] = torch.nan
    elif kind == "booleans":
        x = x > 1
    values, order = x.sort(dim=dim, descending=descending, stable=True)
    monkeypatch.setattr(_rows, "is_in_onnx_export", lambda: True)
    found, places = stable_sort(x, dim, descending)
    torch.testing.assert_close(found, values, equal_nan=True)
    assert torch.equal(places, order)
