"""Pictures that move: their numbers are those of the package and of the chapters."""

import math
import os
import re
from itertools import product

import pytest
import torch
from playwright.sync_api import sync_playwright
from scipy.stats import chi2
from torch.nn import functional as F

from invariant_nets import (
    CanonicalModel,
    DirectionFrame,
    Permutation,
    PermutationGroup,
    alternating_group,
    bayes_accuracy,
    bayes_threshold,
    cyclic_group,
    dihedral_group,
    direct_product,
    symmetric_group,
)
from invariant_nets.groups import transitivity
from tests.book.moving import PLAY, asserted, chapter, defined, numbers, script
from tests.book.pages import CHROMIUM, FLAGS
from tests.book.small import ROOT

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def tab():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        tab = browser.new_page()
        tab.add_script_tag(content=f"var BOOK = {{ data: {{}} }};{script()}")
        yield tab
        browser.close()


def test_every_picture_is_in_the_book_and_the_book_names_no_other(tab):
    made = tab.evaluate("Object.keys(BOOK.play['pictures/all.js'].pictures)")
    heads = "\n".join(path.read_text() for path in (ROOT / "docs" / "chapters").glob("*.py"))
    named = " ".join(re.findall(r'^# %% .*\bmoves="([^"]*)"', heads, re.MULTILINE)).split()
    assert sorted(made) == sorted(named)


def test_a_picture_is_light():
    for path in (PLAY / "pictures").glob("*.js"):
        assert len(path.read_bytes()) < 7_000, path


def test_cycles_and_order_of_every_permutation(tab):
    every = list(symmetric_group(6))
    found = numbers(tab, "permutation", *({"images": g.index_tensor.tolist()} for g in every))
    for g, seen in zip(every, found, strict=True):
        assert tuple(map(tuple, seen["cycles"])) == g.cycles()
        assert seen["order"] == g.order()
        assert seen["letters"] == "".join("abcdef"[i] for i in g.index_tensor.tolist())


def test_the_chapter_s_permutation_and_its_powers(tab):
    steps = numbers(tab, "permutation", *({"times": k} for k in range(7)))
    assert tuple(map(tuple, steps[0]["cycles"])) == asserted("01", "sigma.cycles()")
    letters = torch.arange(6)[:, None]
    sigma, power = Permutation([2, 5, 4, 3, 0, 1]), Permutation(range(6))
    for step in steps:
        assert step["letters"] == "".join("abcdef"[i] for i in power(letters).flatten())
        power = sigma @ power
    assert steps[6]["letters"] == "abcdef"


def test_orbits_in_the_plane(tab):
    generator = torch.Generator().manual_seed(0)
    sets = torch.randint(-2, 3, (60, 3), generator=generator).tolist()
    swap = Permutation([1, 0, 2])
    groups = {
        "all orders": list(symmetric_group(3)),
        "shifts": list(cyclic_group(3)),
        "one swap": [swap, swap @ swap],
    }
    for name, group in groups.items():
        changes = [{"x0": a, "x1": b, "x2": c, "group": name} for a, b, c in sets]
        for x, seen in zip(sets, numbers(tab, "orbit", *changes), strict=True):
            orders = [tuple(x[i] for i in g.index_tensor.tolist()) for g in group]
            assert seen["orbit"] == len(set(orders))
            assert seen["stabilizer"] == orders.count(tuple(x))
    known = asserted("01", "fixed")
    assert tuple(numbers(tab, "orbit")[key] for key in ("orbit", "stabilizer")) == known["distinct"]
    tied = numbers(tab, "orbit", {"x0": 0, "x1": 0, "x2": 2.6})[0]
    assert (tied["orbit"], tied["stabilizer"]) == known["tied"]
    assert math.prod(known["tied"]) == 6


def test_threshold_and_limit_are_those_of_the_package(tab):
    changes = [{"size": size, "v2": v2} for size in (2, 10, 50, 100) for v2 in (0.3, 0.8, 0.95)]
    for change, seen in zip(changes, numbers(tab, "threshold", *changes), strict=True):
        task = change["size"], 1, 1.0, change["v2"]
        assert seen["threshold"] == pytest.approx(bayes_threshold(*task), abs=1e-9)
        assert seen["limit"] == pytest.approx(bayes_accuracy(*task), abs=1e-9)
    cuts = [{"cut": cut} for cut in range(0, 141, 4)]
    for change, seen in zip(cuts, numbers(tab, "threshold", *cuts), strict=True):
        below = chi2(50).cdf([change["cut"] / 0.8, change["cut"]])
        assert seen["accuracy"] == pytest.approx((below[0] + 1 - below[1]) / 2, abs=1e-9)
        assert seen["accuracy"] < seen["limit"]
    drawn = tab.evaluate("[1, 9, 40, 80].map(x => BOOK.play['chi2.js'].density(x, 50))")
    assert drawn == pytest.approx(chi2(50).pdf([1, 9, 40, 80]), rel=1e-9)
    # What the chapter asserts of its own numbers is what holds of these.
    assert "assert abs(t - bayes_threshold(n, d, v1, v2)) < 1e-9" in chapter("02")
    assert "right on 71.08 percent" in numbers(tab, "threshold")["sentence"]


def test_second_moments_are_the_chapter_s(tab):
    of_chapter = defined("05", "theory", "POWER", "n, d, v1, v2")
    theory, powers = of_chapter["theory"], of_chapter["POWER"]
    changes = [
        {"pool": pool, "factor": factor, "width": width, "depth": depth}
        for pool in ("sum", "mean")
        for factor in powers
        for width in range(2, 101, 7)
        for depth in (0, 1, 2, 12)
    ]
    for change, seen in zip(changes, numbers(tab, "moments", *changes), strict=True):
        expected = theory(change["depth"] * [change["width"]], change["pool"], change["factor"])
        assert seen["logit"] == pytest.approx(expected, rel=1e-7)
        assert seen["path"][change["depth"]] == seen["logit"]
    assert "exactly 0 or 1" in numbers(tab, "moments")["sentence"]


def test_the_dead_zone_is_torch_s(tab):
    logits = torch.linspace(-120, 40, 401)
    for label in (0.0, 1.0):
        changes = [{"logit": z, "label": f"{label:.0f}"} for z in logits.tolist()]
        found = numbers(tab, "dead-zone", *changes)
        target = torch.full_like(logits, label)
        for name, loss in (
            ("old", lambda z, y: F.binary_cross_entropy(z.sigmoid(), y, reduction="sum")),
            ("better", lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="sum")),
        ):
            z = logits.clone().requires_grad_()
            (slope,) = torch.autograd.grad(loss(z, target), z)
            ours = torch.tensor([seen[name] for seen in found])
            torch.testing.assert_close(ours, slope, rtol=1e-5, atol=2e-7)
            assert (ours == 0).tolist() == (slope == 0).tolist()
    # As the chapter asserts of missed labels: none below -40 and from 17 on, nearly 1 between.
    missed = [{"logit": z, "label": "1" if z < 0 else "0"} for z in (-40, -20, -5, 5, 15, 17)]
    slopes = [abs(seen["old"]) for seen in numbers(tab, "dead-zone", *missed)]
    assert slopes[0] < 1e-4 < 0.99 < min(slopes[1:5])
    assert slopes[5] == 0
    assert "torch.tensor([-40.0, -20, -5, 5, 15, 17]" in chapter("05")


def test_the_four_maps_are_the_theorem_s(tab):
    generator = torch.Generator().manual_seed(0)
    x = torch.eye(12, dtype=torch.float64).view(12, 4, 3)  # every unit matrix
    for a, b, c, e in torch.randn(20, 4, generator=generator).double().tolist():
        row, column, grand = (x.mean(axes, keepdim=True) for axes in (2, 1, (1, 2)))
        y = (a * x + b * row + c * column + e * grand).flatten(1).T
        found = numbers(tab, "four-maps", {"a": a, "b": b, "c": c, "e": e})[0]
        torch.testing.assert_close(torch.tensor(found["matrix"]).double(), y, rtol=0, atol=1e-6)
    assert found["counts"] == asserted("06", "orbit_of_pair.flatten().bincount().tolist()")
    # The formula of its weights, in the chapter's proof.
    group = direct_product(symmetric_group(4), symmetric_group(3), on="grid")
    assert group.orbitals().flatten().bincount().tolist() == found["counts"]


def test_the_fifteen_patterns_hold_every_output_entry_once(tab):
    of_pairs = PermutationGroup(g_on_pairs(g, 4) for g in symmetric_group(4).generators)
    orbitals = of_pairs.orbitals()  # of an output entry and an input entry
    assert int(orbitals.max()) + 1 == 15
    for k, m in product(range(4), repeat=2):
        seen = numbers(tab, "pair-maps", {"k": k, "l": m})[0]
        assert seen["patterns"] == 15
        hit = torch.tensor(seen["hit"]).flatten()
        assert ((hit >= 0) & (hit < 15)).all()  # each in one pattern, and in no other
        assert seen["lit"] == len(hit.unique()) == (5 if k == m else 10)
        # Two output entries are in one pattern if and only if they are in one orbital.
        column = orbitals[:, 4 * k + m]
        assert torch.equal(hit[:, None] == hit, column[:, None] == column)
        known = dict(zip(column.tolist(), hit.tolist(), strict=True))
        assert len(known) == len(set(known.values()))
    assert seen["keeps"] == [2, 9, 4]
    assert sum(seen["keeps"]) == asserted("12", "torch.linalg.matrix_rank(of_units)")


def g_on_pairs(g, n):
    """Returns how a permutation of nodes acts on pairs of nodes."""
    images = g.index_tensor.tolist()
    return Permutation([n * images[i] + images[j] for i, j in product(range(n), repeat=2)])


def test_renaming_changes_the_matrix_and_not_the_graph(tab):
    names = [g.index_tensor.tolist() for g in symmetric_group(6)]
    fixing = {"ring": dihedral_group(6).order, "two triangles": 72, "path": 2, "star": 120}
    for graph, order in fixing.items():
        some = names if graph == "ring" else names[::60]
        found = numbers(tab, "renaming", *({"graph": graph, "names": own} for own in some))
        assert {seen["automorphisms"] for seen in found} == {order}
        assert {seen["matrices"] for seen in found} == {720 // order}
        if graph == "ring":
            assert len({str(seen["matrix"]) for seen in found}) == 720 // order
        assert len({str((seen["degrees"], seen["triangles"])) for seen in found}) == 1
        A = torch.tensor(found[5]["matrix"])
        assert A.sum(0).sort().values.tolist() == found[0]["degrees"]
        assert int((A @ A @ A).trace()) // 6 == found[0]["triangles"]
    assert found[0]["degrees"] == [1, 1, 1, 1, 1, 5]


def of_three_rows(x):
    """The function of the picture of chapter 7, (batch, 3, 2) to (batch, 1)."""
    (a, b), (c, d), (e, g) = (x[:, i].unbind(1) for i in range(3))
    return (torch.tanh(a + 2 * d) - torch.sin(1.5 * c - g) + b * e / 2)[:, None]


MEETING = "rows => rows.map(BOOK.play['pictures/meeting.js'].outputs)"


def test_sort_and_frames_are_the_package_s(tab):
    directions = tab.evaluate("BOOK.play['pictures/meeting.js'].DIRECTIONS")
    gaps = DirectionFrame(2, len(directions))
    gaps.directions = torch.tensor(directions).double()
    models = [
        CanonicalModel(of_three_rows),
        CanonicalModel(of_three_rows, frame=lambda x: equally(gaps(x).orders)),
        CanonicalModel(of_three_rows, frame=gaps),
    ]
    x = torch.randn(200, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    ours = torch.tensor(tab.evaluate(MEETING, x.tolist())).double()
    expected = torch.cat([model(x) for model in models], 1)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    seen = numbers(tab, "meeting", {"x": 0.3, "y": -0.2})[0]
    rows = torch.tensor([seen["rows"]]).double()
    expected = torch.cat([model(rows) for model in models], 1)[0]
    torch.testing.assert_close(torch.tensor(seen["outputs"]).double(), expected, rtol=0, atol=1e-6)


def equally(orders):
    return orders, torch.full(orders.shape[:2], 1 / orders.shape[1])


def test_finer_steps_tell_a_jump_from_a_slope_as_in_the_chapter(tab):
    first, *_ = numbers(tab, "meeting", {"y": 0.1})
    fixed = first["rows"][1:]
    t = torch.linspace(-1.5, 1.5, 5001).double() + 1e-9
    path = [[[x, 0.1], *fixed] for x in t.tolist()]
    y = torch.tensor(tab.evaluate(MEETING, path)).double()
    coarse, fine = y[::10].diff(dim=0).abs().amax(0), y.diff(dim=0).abs().amax(0)
    ratio = (fine / coarse).tolist()
    # The bounds are those that the chapter asserts of its networks.
    assert "assert min(ratio[:2]) > 0.9 > 0.3 > max(ratio[2:])" in chapter("07")
    assert min(ratio[:2]) > 0.9 > 0.3 > max(ratio[2:])
    assert fine[0] > fine[1] > 10 * fine[2]
    assert first["jumps"] == pytest.approx(jumps_of(y[:, 0]), abs=1e-2)


def jumps_of(values):
    changes = values.diff().abs()
    return changes[changes > 0.05].tolist()


def test_passes_are_those_of_the_theorem(tab):
    orders = list(symmetric_group(4))
    x = torch.tensor([0.9, -1.3, 0.4, 1.6], dtype=torch.float64)
    w = torch.tensor([0.8, -0.5, 0.3, -0.9], dtype=torch.float64)
    sums = {"degree 1": 1, "degree 2": 2, "degree 3": 3}
    for name, H in (("C₄", cyclic_group(4)), ("A₄", alternating_group(4))):
        elements = list(H)
        for what, power in sums.items():
            seen = numbers(tab, "passes", {"what": what, "subgroup": name})[0]
            value = {g: float((g(x, dim=0) @ w) ** power) for g in orders}
            listed = [value[Permutation(images)] for images in seen["orders"]]
            assert seen["values"] == pytest.approx(listed, abs=1e-12)
            everything = torch.tensor(list(value.values())).double()
            of_cosets = [[value[h @ g] for h in elements] for g in orders]
            averages = torch.tensor(of_cosets).double().mean(1)
            variances = averages.var(correction=0), everything.var(correction=0)
            assert seen["exact"] == pytest.approx(float(everything.mean()), abs=1e-6)
            assert seen["r"] == pytest.approx(
                float(H.order * variances[0] / variances[1]), abs=1e-6
            )
            # Up to the transitivity a coset gives the exact mean; beyond it, four shifts do not.
            # The chapter asserts the same of larger groups.
            assert "all(v[:t].max() < 1e-12 and v[t:].min() > 1e-6" in chapter("08")
            if power <= transitivity(H):
                assert seen["r"] < 1e-12
            elif name == "C₄":
                assert seen["r"] > 0.01
    trap = numbers(tab, "passes", {"what": "invariant to shifts", "subgroup": "C₄"})[0]
    assert trap["r"] == pytest.approx(4)
    # Each of the shifts does what a single one does.
    assert set(map(round6, trap["averages"])) == set(map(round6, trap["values"]))


def round6(value):
    return round(value, 6)


def test_outputs_differ_as_the_theorem_says(tab):
    for change in ({"doublings": k, "subgroup": H} for k in (0, 3) for H in ("C₄", "A₄")):
        seeds = [{**change, "seed": seed} for seed in range(60)]
        found = numbers(tab, "passes", *seeds)
        theory = found[0]["theory"]
        assert theory == pytest.approx((2 / (12 * 2 ** change["doublings"])) ** 0.5)
        for which, factor in ((0, 1), (1, found[0]["r"])):
            square = sum(seen["apart"][which] ** 2 for seen in found) / len(found)
            # 1,800 pairs: five deviations of their mean square.
            assert square == pytest.approx(factor * theory**2, rel=0.2)
