"""Models as graphs: what is written down, what is refused, and that equal weights are equal bytes.

That an interpreter answers as torch does is tested in a browser, `tests/book/test_nets.py`.
"""

import base64
import json

import pytest
import torch
from torch import nn

from invariant_nets import MODELS, export_graphs, intrinsic, mlp
from invariant_nets.comparison.graphs.export import MIME, example_sets
from invariant_nets.comparison.graphs.rules import RULES

N, D = 4, 2


class Lambda(nn.Module):
    """A module that calls a function of the set, whatever its mask."""

    takes_members = True  # and no zeros are put where there is padding

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.register_buffer("held", torch.zeros(1))

    def forward(self, x, mask=None):
        return self.function(x)


def exported(function):
    return export_graphs("small", {"it": Lambda(function)}, N, D).graphs["models"]["it"]


def names(graph):
    return [step[0] for step in graph["steps"]]


def built(seed=0):
    torch.manual_seed(seed)
    return {
        name: MODELS[name].model(N, D) for name in ("intrinsic", "sampled-mlp", "canonical-mlp")
    }


def test_equal_weights_give_equal_bytes_and_others_do_not():
    one, same, other = (export_graphs("a", built(seed), N, D).document() for seed in (0, 0, 1))
    assert json.dumps(one) == json.dumps(same)
    assert one["weights"] != other["weights"]
    assert one["graphs"] == other["graphs"]


def test_a_notebook_shows_the_size_and_keeps_the_document():
    graphs = export_graphs("a", {"mlp": mlp(N, D)}, N, D)
    bundle = graphs._repr_mimebundle_()
    assert bundle["text/plain"] == repr(graphs)
    assert repr(graphs).startswith("1 model, ")
    assert json.loads(json.dumps(bundle[MIME])) == graphs.document()


def test_the_checks_hold_what_torch_answers_and_leave_out_what_draws():
    models = built()
    checks = export_graphs("a", models, N, D).checks
    assert set(checks["outputs"]) == {"intrinsic", "canonical-mlp"}
    x, mask = example_sets(N, D)
    assert base64.b64decode(checks["x"]) == x.numpy().tobytes()
    for name, outputs in checks["outputs"].items():
        with torch.no_grad():
            logits = models[name].eval()(x, mask=mask)
        assert base64.b64decode(outputs[0]) == logits.numpy().tobytes()


def test_examples_have_ties_padding_and_all_members():
    x, mask = example_sets(10, 5)
    ties = [len(torch.unique(s, dim=None)) < s.numel() for s in x[3::4]]
    assert all(ties)
    assert not mask.all()
    assert mask[1::2].all()


def test_views_cost_no_step_and_equal_steps_come_once():
    graph = exported(lambda x: (x.mT.flatten(1)[:, 1:] + 1, 1 + x.mT.flatten(1)[:, 1:]))
    assert names(graph)[-1] == "add"
    assert names(exported(lambda x: x.mT[:, 1:].unsqueeze(0))) == []
    assert names(exported(lambda x: (x.relu() + 1, x.relu() + 1))) == ["relu", "add"]
    assert names(exported(lambda x: (x.relu(), x.sqrt())[1])) == ["sqrt"]


def test_constants_are_computed_and_shared():
    graphs = export_graphs("a", {"it": Lambda(lambda x: x + torch.arange(2.0).exp())}, N, D)
    assert [step[0] for step in graphs.graphs["models"]["it"]["steps"]] == ["add"]
    assert graphs.graphs["constants"] == [2]
    network = mlp(N, D)
    once = export_graphs("a", {"one": network}, N, D)
    assert export_graphs("a", {"one": network, "two": network}, N, D).weights == once.weights


def test_what_works_in_place_is_written_as_what_makes_a_new_tensor():
    def changed(x):
        y = torch.zeros_like(x)
        y.masked_fill_(x > 0, 1)
        return y.flatten(1), x.flatten(1)

    graph = exported(changed)
    assert names(graph) == ["lt", "fill"]
    assert [place[0] for place, _ in graph["outputs"]] == [3, 0]


def test_several_outputs_and_those_from_inside():
    graphs = export_graphs("a", built(), N, D).graphs["models"]
    shapes = {name: [shape for _, shape in graph["outputs"]] for name, graph in graphs.items()}
    assert shapes["intrinsic"] == [[1, 1]]
    assert shapes["canonical-mlp"] == [[1, 1], [1, N]]
    assert shapes["sampled-mlp"] == [[1, 1], [10, 1]]
    assert len(exported(lambda x: {"a": x, "b": [x.relu(), x]})["outputs"]) == 3


def test_a_model_without_masks_says_so():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(N * D, 1))
    graphs = export_graphs("a", {"flat": flat, "mlp": mlp(N, D)}, N, D).graphs["models"]
    assert [graphs[name]["masked"] for name in ("flat", "mlp")] == [False, True]


def test_training_mode_is_kept_and_weights_too():
    model = intrinsic(N, D).train()
    before = [p.clone() for p in model.parameters()]
    export_graphs("a", {"it": model}, N, D)
    assert model.training
    assert all(map(torch.equal, before, model.parameters()))


def half(x):
    y = x.relu()
    y[:, :1].mul_(2)
    return y


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x.atan(), r"atan \(aten.atan.default\): is an operation that no rule knows"),
        (lambda x: torch.add(x, x, alpha=2), r"add \(aten.add.Tensor\): .*alpha"),
        (lambda x: torch.div(x, x, rounding_mode="floor"), r"div .*rounding_mode"),
        (lambda x: x.relu().erfinv_(), r"erfinv_ .*works in place, and no rule knows"),
        (half, r"mul_ .*works in place on a part"),
        (lambda x: x.double() * 2, r"gives torch.float64"),
        (lambda x: x.long(), r"makes torch.int64 of torch.float32"),
        (lambda x: x.gather(1, (x > 0).long()) + 16777217, r"constants that float32 cannot hold"),
        (lambda x: x + torch.rand(2), r"rand .*no rule knows"),
        (lambda x: x + torch.randint(1 << 40, (2,)), r"does not sort them"),
        (lambda x: nn.functional.dropout(x, 0.5), r"dropout .*no rule knows"),
        (lambda x: (x > 0).long() & 1, r"bits of torch.int64"),
    ],
)
def test_what_has_no_rule_is_refused_by_the_name_of_its_node(function, words):
    with pytest.raises(ValueError, match=r"models\['it'\] cannot be exported: .*" + words):
        exported(function)


def test_what_nobody_computes_is_no_constant(monkeypatch):
    monkeypatch.setitem(RULES, "sort", lambda low, value, *_, **__: value)
    with pytest.raises(ValueError, match=r"add .*reads what depends on the set"):
        exported(lambda x: x.sort(1).values + 1)


def test_a_buffer_that_changes_is_refused():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(2))

        def forward(self, x):
            self.count.add_(x.sum((0, 1)))
            return self.count + x

    with pytest.raises(ValueError, match="changes a weight or buffer"):
        export_graphs("a", {"it": Counts()}, N, D)


@pytest.mark.parametrize(
    ("name", "models", "error", "words"),
    [
        ("A b", {"it": mlp(N, D)}, ValueError, "name must be of small letters"),
        ("a", [mlp(N, D)], TypeError, "models must map names to modules, got list"),
        ("a", {}, ValueError, "at least one model"),
        ("a", {"it": len}, TypeError, "models must map names to modules, got 'it'"),
        ("a", {"it": mlp(N, D).double()}, ValueError, r"in float32, got a weight of torch.float64"),
    ],
)
def test_bad_arguments_are_named(name, models, error, words):
    with pytest.raises(error, match=words):
        export_graphs(name, models, N, D)
