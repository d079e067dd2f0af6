"""What the playground says that models ignore, against what they do."""

import json
from dataclasses import replace

import pytest
import torch

from book.play.claims import GENERATED, WORDS, claims, generators, groups
from book.play.claims_script import NEEDED, claims_script
from invariant_nets.comparison import MODELS
from tests.book.small import ROOT

N, D = 10, 5


@pytest.fixture(scope="module")
def claimed():
    return claims(n=N, d=D)


@pytest.fixture(scope="module")
def acting():
    return {
        kind: [torch.from_numpy(a) for a in of[:: max(1, len(of) // 6)]]
        for kind, of in generators(N, D).items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_model_keeps_what_it_claims_and_nothing_else(claimed, acting, name):
    claim = next(claim for claim in claimed["models"] if claim["name"] == name)
    torch.manual_seed(0)
    model = MODELS[claim["name"]].model(N, D).double().eval()
    x = torch.randn(32, N * D, dtype=torch.float64)
    keeps = []
    with torch.no_grad():
        y = model(x.view(-1, N, D))
        for kind, of in acting.items():
            changes = [(model((x @ a.T).view(-1, N, D)) - y).abs().max() / y.std() for a in of]
            keeps += [kind] if max(changes) < 1e-9 else []
            assert max(changes) < 1e-9 or max(changes) > 1e-3
    assert claim["keeps"] == keeps
    assert claim["draws"] == ("again" not in keeps)


def test_models_come_from_the_weakest_claim_to_the_strongest(claimed):
    keeps = [len(claim["keeps"]) for claim in claimed["models"]]
    assert keeps == sorted(keeps)
    assert len(keeps) == len(MODELS)
    words = {claim["group"]: claim["ignores"] for claim in claimed["models"]}
    assert words["trivial"] == "nothing"
    assert words["S_n × C_d"] == "row order and column shifts"
    assert words["O(nd)"] == "all rotations"
    assert len(set(words.values())) == len(words)


def test_each_kind_generates_its_group_and_a_smaller_group_does_not_hold_it():
    acting, known = generators(N, D), groups(N, D)
    assert list(acting) == list(WORDS) == list(GENERATED)
    inside = {
        (kind, other)
        for kind, of in acting.items()
        for other, name in GENERATED.items()
        if all(map(known[name], of))
    }
    assert inside >= {(kind, kind) for kind in acting}
    assert inside >= {("again", kind) for kind in acting}
    assert ("turn", "columns") not in inside
    assert ("within", "rows") not in inside
    assert {kind for kind, other in inside if other == "turn"} == {
        *("again", "column-shift", "columns", "turn")
    }
    assert not known["O(nd)"](2 * acting["again"][0])
    assert not known["S_n × O(d)"](acting["within"][0])
    assert not known["(S_n)^d"](acting["columns"][0])


def test_the_ideal_logit_is_the_logarithm_of_the_likelihood_ratio(claimed):
    x = torch.randn(N * D, dtype=torch.float64)
    one, two = (
        torch.distributions.Normal(torch.zeros((), dtype=x.dtype), v**0.5).log_prob(x).sum()
        for v in claimed["variances"]
    )
    logit = claimed["slope"] * (x.square().sum() - N * D * claimed["threshold"])
    torch.testing.assert_close(logit, two - one)


def test_a_group_without_a_definition_is_named():
    models = {"new": replace(MODELS["mlp"], group="M_24")}
    with pytest.raises(ValueError, match="new claims 'M_24'"):
        claims(models)


def test_the_script_holds_the_claims_and_is_made_once(claimed, tmp_path):
    script = claims_script(ROOT, tmp_path)
    head, _, rest = script.partition(" = ")
    assert head == "BOOK.data.claims"
    assert json.loads(rest.removesuffix(";\n")) == claimed
    (kept,) = (tmp_path / "claims").iterdir()
    kept.write_text("{}")
    assert claims_script(ROOT, tmp_path) == "BOOK.data.claims = {};\n"


def test_a_page_says_that_it_needs_the_claims():
    assert NEEDED.search('<div data-needs="playground claims">')
    assert not NEEDED.search('<div data-needs="playground">, claims')
