import pytest
import torch

from invariant_nets import (
    MODELS,
    Augmentation,
    BinaryTrainer,
    Permutation,
    build_model,
    cyclic_generator,
    cyclic_group,
    direct_product,
    symmetric_group,
    test_invariant,
)

NAMES = list(MODELS)
every_model = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def sets(batch=64, n=10, d=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, n, d, generator=generator, dtype=torch.float64)


def model_of(name, n=10, d=5):
    return build_model(name, n, d).double().eval()


def with_group(*groups):
    return [name for name in NAMES if MODELS[name].group in groups]


def grid(rows, columns):
    return direct_product(rows, columns, on="grid")


# What each claimed group is, as permutations of rows or of entries; rotations are no permutations.
GROUPS = {
    "C_n": cyclic_group,
    "S_n": symmetric_group,
    "S_n × C_d": lambda n, d=5: grid(symmetric_group(n), cyclic_group(d)),
    "S_n × S_d": lambda n, d=5: grid(symmetric_group(n), symmetric_group(d)),
    "S_{nd}": lambda n, d=5: on_entries(symmetric_group(n * d), n, d),
}
# Each group of the left lies in those of the right, and no other claim follows from it.
HELD = {
    "trivial": set(),
    "C_n": {"C_n"},
    "S_n": {"C_n", "S_n"},
    "(S_n)^d": {"C_n", "S_n"},
    "S_n × C_d": {"C_n", "S_n", "S_n × C_d"},
    "S_n × S_d": {"C_n", "S_n", "S_n × C_d", "S_n × S_d"},
    "S_{nd}": set(GROUPS),
    "S_n × O(d)": {"C_n", "S_n", "S_n × C_d", "S_n × S_d"},
    "O(nd)": set(GROUPS),
}


def on_entries(group, n, d):
    """The same group, as permutations of the entries of n × d matrices."""
    group.shape = (n, d)
    return group


def with_columns_permuted_apart(x):
    return torch.stack([column.roll(i, 1) for i, column in enumerate(x.unbind(-1))], dim=-1)


def test_every_model_claims_a_group_that_is_tested_here():
    assert {spec.group for spec in MODELS.values()} == set(HELD)


@every_model
@pytest.mark.parametrize("group", GROUPS)
def test_a_model_is_invariant_to_the_group_that_it_claims_and_to_no_larger_one(name, group):
    report = test_invariant(model_of(name), sets(), GROUPS[group](10))
    assert bool(report) == (group in HELD[MODELS[name].group]), report


@every_model
def test_rotations_of_all_entries_change_all_models_but_one(name):
    model, x = model_of(name), sets()
    matrix = torch.randn(50, 50, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    rotated = (x.flatten(1) @ torch.linalg.qr(matrix).Q).view_as(x)
    torch.manual_seed(0)
    before = model(x)
    torch.manual_seed(0)
    same = torch.allclose(model(rotated), before, rtol=1e-9)
    assert same == (MODELS[name].group == "O(nd)")


@every_model
def test_rotations_of_all_members_together_change_all_models_but_two(name):
    model, x = model_of(name), sets()
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    torch.manual_seed(0)
    before = model(x)
    torch.manual_seed(0)
    same = torch.allclose(model(x @ torch.linalg.qr(matrix).Q), before, rtol=1e-9)
    assert same == (MODELS[name].group in ("S_n × O(d)", "O(nd)"))


@pytest.mark.parametrize("name", with_group("S_n"))
def test_a_model_of_the_symmetric_group_sees_which_entries_stand_in_one_row(name):
    model, x = model_of(name), sets()
    difference = model(with_columns_permuted_apart(x)) - model(x)
    assert difference.abs().max() > 0.1 * model(x).std()


@pytest.mark.parametrize("name", with_group("(S_n)^d"))
def test_a_model_of_column_permutations_is_blind_to_them(name):
    model, x = model_of(name), sets()
    assert torch.equal(model(with_columns_permuted_apart(x)), model(x))


@pytest.mark.parametrize("name", with_group("C_n"))
def test_a_cyclic_model_is_invariant_to_shifts_and_to_no_reflection(name):
    model, shift = model_of(name), cyclic_generator(10)
    report = test_invariant(model, sets(), [shift])
    assert report, report
    assert not test_invariant(model, sets(), [Permutation(range(9, -1, -1))])
    assert not test_invariant(model, sets())


@pytest.mark.parametrize("name", with_group("trivial"))
def test_a_model_that_claims_nothing_is_not_invariant(name):
    model = model_of(name)
    assert not test_invariant(model, sets(), [cyclic_generator(10)])
    assert not test_invariant(model, sets(), [Permutation.from_cycles(10, (0, 1))])


def test_sampled_models_and_no_others_are_random():
    random = [name for name in NAMES if test_invariant(model_of(name), sets()).is_random]
    assert random == [name for name in NAMES if name.startswith("sampled-")]


def test_an_augmented_model_is_random_in_training_only():
    model, x = build_model("augmented-mlp", 10, 5).double(), sets()
    assert isinstance(model, Augmentation)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@every_model
@pytest.mark.parametrize(("n", "d"), [(1, 1), (2, 3), (7, 4)])
def test_a_model_gives_one_logit_a_set_for_every_size(name, n, d):
    assert build_model(name, n, d)(torch.randn(6, n, d)).shape == (6, 1)


@every_model
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_model_gives_as_many_outputs_per_set_as_asked_for(name, outputs):
    assert build_model(name, 4, 3, outputs=outputs)(torch.randn(6, 4, 3)).shape == (6, outputs)
    assert MODELS[name].model(4, 3, outputs)(torch.randn(6, 4, 3)).shape == (6, outputs)


@every_model
def test_one_output_is_the_model_that_its_builder_gives(name):
    states = []
    for build in (MODELS[name].build, MODELS[name].model, lambda n, d: build_model(name, n, d)):
        torch.manual_seed(0)
        states.append(build(4, 3).state_dict())
    for other in states[1:]:
        assert all(torch.equal(value, other[key]) for key, value in states[0].items())


OF_COLUMNS = {"S_n × C_d", "S_n × S_d", "S_n × O(d)", "S_{nd}", "O(nd)"}


def test_models_whose_group_is_larger_than_that_of_the_rows_are_of_tables():
    larger = {*OF_COLUMNS, "(S_n)^d"}
    for spec in MODELS.values():
        assert spec.data == ("tables" if spec.group in larger else "sets")


@pytest.mark.parametrize("name", NAMES)
def test_a_model_tells_columns_apart_unless_its_group_shifts_them(name):
    torch.manual_seed(0)
    model, x = model_of(name), sets()
    before = model(x)
    torch.manual_seed(0)
    model_of(name)
    same = torch.allclose(model(x.roll(1, -1)), before, rtol=1e-9)
    assert same == (MODELS[name].group in OF_COLUMNS)


@every_model
def test_logits_take_both_signs(name):
    logits = torch.cat([build_model(name, 4, 3)(torch.randn(32, 4, 3)) for _ in range(10)])
    assert logits.min() < 0 < logits.max()


@every_model
def test_two_builds_have_different_weights(name):
    first, second = build_model(name, 4, 3), build_model(name, 4, 3)
    assert not any(
        torch.equal(p, q)
        for p, q in zip(first.parameters(), second.parameters(), strict=True)
        if p.ndim > 1 and p.numel() > 1 and p.std() > 0
    )


@every_model
def test_a_model_can_be_trained(name):
    model, x = build_model(name, 4, 3), torch.randn(16, 4, 3)
    batches = [(x, (torch.arange(16.0) % 2)[:, None])]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss = torch.nn.BCEWithLogitsLoss()
    history = BinaryTrainer(model, loss, optimizer).fit(batches, batches, num_epochs=30)
    assert history.train_loss[-1] < history.train_loss[0]


@every_model
@pytest.mark.parametrize(("n", "d", "words"), [(0, 3, "n .* got 0"), (4, 0, "d .* got 0")])
def test_sets_of_nothing_are_refused(name, n, d, words):
    with pytest.raises(ValueError, match=words):
        build_model(name, n, d)
    with pytest.raises(ValueError, match="outputs must be at least 1, got 0"):
        build_model(name, 4, 3, outputs=0)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of mlp, transformer, .*, got 'cnn'"):
        build_model("cnn", 4, 3)


def test_most_models_take_small_steps_and_transformers_and_a_few_others_larger_ones():
    larger = {name: 1e-2 for name in NAMES if name.endswith("transformer")} | {"radial": 1e-2}
    larger |= {"set-transformer": 1e-3, "intrinsic": 3e-3, "cyclic-elements": 3e-3, "gram": 3e-3}
    assert {name: spec.lr for name, spec in MODELS.items()} == {
        name: larger.get(name, 1e-3) for name in NAMES
    }


def test_the_table_of_models_cannot_be_changed():
    with pytest.raises(TypeError):
        MODELS["mlp"] = MODELS["intrinsic"]
    with pytest.raises(AttributeError):
        MODELS["mlp"].group = "S_n"
