"""What all functions that build a network of given sizes have in common."""

import pytest
import torch

from invariant_nets import (
    cyclic_elements,
    deep_sets,
    entrywise,
    exchangeable_matrix,
    intrinsic,
    mlp,
    radial,
    set_transformer,
    transformer,
)

BUILDERS = [
    *(mlp, transformer, intrinsic, deep_sets, set_transformer),
    *(cyclic_elements, exchangeable_matrix, entrywise, radial),
]
every_builder = pytest.mark.parametrize("build", BUILDERS)


@every_builder
def test_probabilities_end_in_a_sigmoid(build):
    torch.manual_seed(0)
    logits = build(10, 5)
    torch.manual_seed(0)
    probabilities = build(10, 5, probabilities=True)
    x = torch.randn(8, 10, 5)
    torch.testing.assert_close(probabilities(x), logits(x).sigmoid())
    assert not torch.allclose(probabilities(x), logits(x))


@every_builder
@pytest.mark.parametrize(("n", "d", "words"), [(0, 3, "n .* got 0"), (4, 0, "d .* got 0")])
def test_sets_of_nothing_are_refused(build, n, d, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        build(n, d)
