"""The interpreter of exported models in a browser answers as torch does, and its mutants do not."""

import base64
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from book.pages.bundles import bundles
from book.play.join import joined
from invariant_nets import MODELS, SymmetryModel, export_graphs
from invariant_nets.canonicalization.row_order import row_order
from invariant_nets.comparison.graphs.export import MIME, example_sets
from tests.book.pages import CHROMIUM

PLAY = Path(__file__).parents[2] / "docs" / "assets" / "play"
SOURCES = {name: (PLAY / name).read_text() for name in ("nets.js", "tensor.js")}
N, D = 10, 5
RANDOM = [name for name in MODELS if name.startswith("sampled")]
EXACT = [name for name in MODELS if name not in RANDOM]
SORTING = ["canonical-mlp", "canonical-transformer"]

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("nets"),  # one worker, so that the models are exported once
]

# Answers of all models that are asked for to all sets: model, output, set, number.
ANSWERS = """({graphs, weights, names, x, mask, draws}) => {
  const { load } = BOOK.play["nets.js"], { numbers } = BOOK.play["tensor.js"];
  let next = 0;
  const random = draws ? () => draws[next++] : Math.random;
  const models = load(graphs, numbers(weights), random);
  const [rows, members] = [numbers(x), numbers(mask)], { n, d } = graphs;
  return names.map((name) => {
    const all = [];
    for (let i = 0; i < members.length / n; i++)
      all.push(models[name](rows.subarray(i * n * d, (i + 1) * n * d),
                            members.subarray(i * n, (i + 1) * n)).map((y) => [...y]));
    return all;
  });
}"""


class Parts(nn.Module):
    """What no model of the registry does, and a later one may."""

    def forward(self, x, mask):
        falling = x.sort(dim=1, descending=True, stable=True)
        products = x.reshape(-1, 2, D) @ x.reshape(-1, D, 2)
        seen = nn.functional.scaled_dot_product_attention(x, x, x, mask[:, None].expand(-1, N, N))
        return [*falling, products, seen]


def trained(name, number):
    """A model whose weights are no longer those of its start; biases too."""
    torch.manual_seed(number)
    model = MODELS[name].model(N, D).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model


@pytest.fixture(scope="module")
def models():
    registered = {name: trained(name, number) for number, name in enumerate(MODELS)}
    return registered | {"parts": Parts()}


@pytest.fixture(scope="module")
def document(models):
    return export_graphs("playground", models, N, D).document()


@pytest.fixture(scope="module")
def tab(browser):
    return opened(browser, SOURCES)


def opened(browser, sources):
    page = browser.new_page()
    page.evaluate("globalThis.BOOK = { data: {} }")
    page.add_script_tag(content=joined(sources, "nets.js"))
    return page


def text(numbers):
    return base64.b64encode(numbers.float().numpy().tobytes()).decode()


def answers(page, document, names, x, mask, draws=None):
    """Returns for each model its outputs, each an array (sets, numbers)."""
    asked = {"graphs": document["graphs"], "weights": document["weights"], "names": names}
    found = page.evaluate(ANSWERS, asked | {"x": text(x), "mask": text(mask), "draws": draws})
    return {
        name: [np.array(output) for output in zip(*sets, strict=True)]
        for name, sets in zip(names, found, strict=True)
    }


def sets(number, seed=1):
    """Sets of every size: ties, scattered members, both zeros, infinities and NaN."""
    x, mask = example_sets(N, D, number, seed)
    mask[0::4] = torch.arange(N) < torch.arange(len(mask[0::4]))[:, None] % (N + 1)
    x[5::50, :3] = 0.0
    x[5::50, 1] = -0.0
    x[7::50, 4, 1] = torch.nan
    x[9::100, 2] = x[9::100, 6] = torch.nan
    x[11::100, 3, 0] = torch.inf
    x[13::100, 3] = -torch.inf
    return x, mask


def wrong(found, models, x, mask):
    """Returns for each model how far its answers are from torch's, in units of what is allowed."""
    faults = {}
    for name in found:
        with torch.no_grad():
            logits = models[name](x, mask=mask).numpy()
        one = found[name][0]
        # An infinite or absent answer must be the same.
        finite = np.isfinite(logits)
        apart = np.abs(one[finite] - logits[finite]) / (
            1e-5 * np.maximum(1, np.abs(logits[finite]))
        )
        same = np.array_equal(one[~finite], logits[~finite], equal_nan=True)
        worst = apart.max(initial=0.0)
        faults[name] = float(worst) if same and not np.isnan(worst) else np.inf
        if name in SORTING and not np.array_equal(found[name][1], row_order(x, mask).numpy()):
            faults[name] = np.inf
    return faults


def parts_differ(found, parts, x, mask):
    """Tells whether any output differs from torch's."""
    whole = x.masked_fill(~mask[..., None], 0)
    known = [parts(*one) for one in zip(whole.split(1), mask.split(1), strict=True)]
    return not all(
        np.allclose(own, np.stack([y.flatten() for y in ys]), 1e-5, 1e-5, equal_nan=True)
        for own, ys in zip(found, zip(*known, strict=True), strict=True)
    )


def test_every_model_answers_as_torch_does(tab, models, document):
    x, mask = sets(1_000)
    faults = wrong(answers(tab, document, EXACT, x, mask), models, x, mask)
    assert len(faults) == len(MODELS) - 2
    assert {name: fault for name, fault in faults.items() if not fault <= 1} == {}


def test_the_checks_that_come_with_the_models_hold(tab, document):
    checks = document["checks"]
    x = torch.frombuffer(bytearray(base64.b64decode(checks["x"])), dtype=torch.float32)
    mask = torch.frombuffer(bytearray(base64.b64decode(checks["mask"])), dtype=torch.float32)
    found = answers(tab, document, list(checks["outputs"]), x, mask)
    assert set(EXACT) <= set(found)
    for name, outputs in checks["outputs"].items():
        for output, numbers in zip(outputs, found[name], strict=True):
            known = np.frombuffer(base64.b64decode(output), dtype="<f4").reshape(numbers.shape)
            assert np.allclose(numbers, known, rtol=1e-5, atol=1e-5), name


def test_parts_that_no_model_has_yet_do_as_torch_does(tab, models, document):
    x, mask = sets(200)
    (found,) = answers(tab, document, ["parts"], x, mask).values()
    assert not parts_differ(found, models["parts"], x, mask)


class Drawn(TorchFunctionMode):
    """Keeps the keys by which torch puts rows in a random order."""

    def __init__(self):
        super().__init__()
        self.keys = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        if function is torch.randint:
            self.keys.append(value)
        return value


@pytest.mark.parametrize("name", RANDOM)
def test_a_model_that_draws_answers_as_torch_does_to_the_same_draws(name, tab, models, document):
    x, mask = sets(100)
    logits, draws = [], []
    torch.manual_seed(0)
    for one, members in zip(x, mask, strict=True):
        with torch.no_grad(), Drawn() as drawn:
            logits.append(models[name](one[None], mask=members[None]).item())
        (keys,) = drawn.keys
        ranks = keys.flatten().argsort().argsort()
        draws += ((ranks + 0.5) / len(ranks)).tolist()
    mean, each = answers(tab, document, [name], x, mask, draws)[name]
    logits = np.array(logits)
    assert np.allclose(mean[:, 0], logits, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert each.shape == (100, 10)
    assert np.allclose(each.mean(1), logits, rtol=1e-5, atol=1e-5, equal_nan=True)
    finite = np.isfinite(logits) & mask.all(1).numpy()
    assert (each.std(1)[finite] > 1e-4).all()


@pytest.mark.parametrize("name", RANDOM)
def test_its_own_draws_are_uniform(name, tab, models, document):
    x = torch.randn(1, N, D, generator=torch.Generator().manual_seed(2)).expand(300, -1, -1)
    mask = torch.ones(300, N, dtype=torch.bool)
    _, each = answers(tab, document, [name], x, mask)[name]
    model = SymmetryModel(models[name].model, models[name].group, samples=10_000)
    with torch.no_grad():
        mean, error = (t.item() for t in model.estimate(x[:1]))
    own = each.std() / np.sqrt(each.size)
    assert abs(each.mean() - mean) < 5 * np.hypot(own, error)


MUTANTS = {
    "a sort that is not stable": ("!less(key, other)) break", "less(other, key)) break"),
    "NaN first": ("p < q || (q !== q && p === p)", "p < q || (p !== p && q === q)"),
    "no descending": ("descending ? !less(other, key) : ", ""),
    "alpha dropped": ("alpha * sums[j] + beta", "sums[j] + beta"),
    "beta dropped": ("beta * c.of", "c.of"),
    "a mask inverted": ("? number : a.of[a.at[i]]", "? a.of[a.at[i]] : number"),
    "no epsilon": ("variance + epsilon", "variance"),
    "no scale": ("scale * score +", "score +"),
    "nothing seen is NaN": ("total === 0 ? 0 : sum / total", "sum / total"),
    "NaN seen is nothing": ("total === 0 ? 0 : sum / total", "total ? sum / total : 0"),
    "attends to padding": (" + (c ? c.of[c.at[row * keys + j]] : 0)", ""),
    "no top for nothing": ("if (top === -Infinity) top = 0;", ""),
    "NaN rectified": ("x < 0 ? 0 : x;", "x > 0 ? x : 0;"),
    "no new run": ("(i % run ? total : 0)", "total"),
    "gathers neighbors": ("+ stride * index.of", "+ index.of"),
    "counts the absent": ("slots[1][i] = mask[i] ? 1 : 0", "slots[1][i] = 1"),
    "another matrix": ("Math.floor(row / m) * k * p", "0"),
    "smaller is larger": ("a.of[a.at[i]] < b.of[b.at[i]]", "a.of[a.at[i]] > b.of[b.at[i]]"),
    "nothing found": ("if (a.of[a.at[j]]) found = 1", "found = 0"),
    "no mean": ("(a.of[a.at[i]] - mean) * scale", "a.of[a.at[i]] * scale"),
    "places from 0": ("Int32Array.of(offset)", "Int32Array.of(0)"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_of_the_interpreter_is_noticed(mutant, browser, models, document):
    before, after = MUTANTS[mutant]
    holds = [name for name, source in SOURCES.items() if before in source]
    assert len(holds) == 1, "the mutant changes nothing"
    changed = {name: source.replace(before, after) for name, source in SOURCES.items()}
    x, mask = sets(200)
    page = opened(browser, changed)
    found = answers(page, document, [*EXACT, "parts"], x, mask)
    page.close()
    differ = parts_differ(found.pop("parts"), models["parts"], x, mask)
    assert differ or max(wrong(found, models, x, mask).values()) > 1


def test_a_model_without_masks_knows_nothing_of_smaller_sets(tab):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(N * D, 1)).eval()
    document = export_graphs("flat", {"flat": flat}, N, D).document()
    x, mask = sets(200)
    (found,) = answers(tab, document, ["flat"], x, mask)["flat"]
    whole = mask.all(1).numpy()
    with torch.no_grad():
        logits = flat(x).numpy()
    assert np.isnan(found[~whole]).all()
    assert np.allclose(found[whole], logits[whole], rtol=1e-5, atol=1e-5, equal_nan=True)


def test_all_of_it_is_small(document):
    output = {"data": {MIME: document}}
    files = bundles([output])
    sizes = {name: len(gzip.compress(content.encode())) for name, content in files.items()}
    code = len(gzip.compress(joined(SOURCES, "nets.js").encode()))
    assert 3_000 < code < 4_500
    assert 100_000 < sizes["assets/play/playground.js"] < 200_000
    assert sizes["assets/play/playground.checks.json"] < 50_000
