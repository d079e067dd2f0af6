"""What is told of a release in several places is the same, and each check of one can fail."""

import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.release import inside
from tests.release.examples import blocks, commands, run
from tests.release.fresh import table
from tests.release.inside import ROOT, project

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


# What is told in several places.


def test_one_version_and_one_date():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == f"{citation['version']} – {citation['date-released']}"
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
    assert set(citation["keywords"]) == set(project()["keywords"])
    assert citation["title"].startswith(project()["name"] + ":")


def test_a_citation_has_what_a_reader_of_the_format_needs():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["message"]
    assert citation["abstract"]
    assert all(author["name"] for author in citation["authors"])


def requirements():
    """All requirements of pyproject.toml as they are written, those of the build too."""
    told = tomllib.loads(PYPROJECT)
    lines = [*told["build-system"]["requires"], *project()["dependencies"]]
    for extra in project()["optional-dependencies"].values():
        lines += extra
    return [line for line in lines if not line.startswith("invariant_nets[")]


def reasons(text, requirement):
    """The comments beside a requirement."""
    lines = [line for line in text.splitlines() if f'"{requirement}"' in line]
    return [line.partition(" # ")[2].strip() for line in lines]


@pytest.mark.parametrize("requirement", requirements())
def test_every_dependency_has_its_reason_and_a_pin_that_it_allows(requirement):
    assert reasons(PYPROJECT, requirement)
    assert all(reasons(PYPROJECT, requirement))
    wanted = Requirement(requirement)
    pins = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]]
    (version,) = [
        pin for name, pin in pins if canonicalize_name(name) == canonicalize_name(wanted.name)
    ]
    assert wanted.specifier.contains(version)


def test_a_missing_reason_is_found():
    assert reasons('a = [\n  "torch>=2",  # why\n  "numpy>=1",\n]', "torch>=2") == ["why"]
    assert not all(reasons('a = [\n  "torch>=2",  # why\n  "numpy>=1",\n]', "numpy>=1"))


def test_the_versions_of_python_are_those_that_the_workflow_tests():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tested = workflow["jobs"]["versions"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    assert tested == [c.split()[-1] for c in project()["classifiers"] if c.startswith(prefix)]
    assert project()["requires-python"] == f">={tested[0]}"


# What is inside.


def wheel(path, names, metadata):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, metadata if name.endswith("/METADATA") else "")


def sdist(path, names, metadata):
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            data = metadata.encode() if name.endswith("/PKG-INFO") else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def metadata(**changes):
    """Metadata as hatchling writes it, from pyproject.toml."""
    told = project()
    fields = {
        "Metadata-Version": "2.4",
        "Name": told["name"],
        "Version": told["version"],
        "Summary": told["description"],
        "License-Expression": told["license"],
        "Requires-Python": told["requires-python"],
        "Description-Content-Type": "text/markdown",
    } | changes
    lines = [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"License-File: {name}" for name in told["license-files"]]
    lines += [f"Classifier: {name}" for name in told["classifiers"]]
    lines += [f"Provides-Extra: {name}" for name in told["optional-dependencies"]]
    return "\n".join(lines) + "\n\n" + README


@pytest.mark.parametrize(
    ("write", "wanted", "faults"),
    [
        (wheel, inside.wanted_in_wheel, inside.faults_of_wheel),
        (sdist, inside.wanted_in_sdist, inside.faults_of_sdist),
    ],
)
def test_a_name_too_many_or_too_few_is_a_fault(tmp_path, write, wanted, faults):
    def found(names, text=None):
        write(tmp_path / "made", names, text or metadata())
        return faults(tmp_path / "made")

    names = sorted(wanted())
    assert not found(names)
    (typed,) = [name for name in names if name.endswith("invariant_nets/py.typed")]
    assert found([name for name in names if name != typed]) == [f"missing: {typed}"]
    for stray in ("tests/oracles.py", "book/hooks.py", "invariant_nets/notes.txt", "dist/a.whl"):
        assert found([*names, stray]) == [f"should not be inside: {stray}"]
    if write is sdist:  # zipfile itself refuses this
        assert found([*names, typed]) == [f"inside twice: {typed}"]
    for change in (
        {"Version": "9.9.9"},
        {"Version": "one"},
        {"License-Expression": "Mine"},
        {"Requires-Python": ">=3.8"},
        {"Description-Content-Type": "text/x-rst"},
        {"Summary": "Something else"},
        {"Name": "other-nets"},
    ):
        assert found(names, metadata(**change)), change
    assert found(names, metadata() + "one more line")


@pytest.mark.slow
def test_what_is_built_is_as_it_should_be(tmp_path):
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(words, check=True, capture_output=True)
    made, archive = inside.both(tmp_path)
    assert not inside.faults_of_wheel(made)
    assert not inside.faults_of_sdist(archive)
    (tmp_path / "old.whl").touch()
    with pytest.raises(SystemExit, match=r"must hold .* got .*old\.whl"):
        inside.both(tmp_path)


# The README.


def test_the_blocks_of_a_readme():
    text = "```python\na = 1\n```\nor\n```sh\nmake it  # now\n\npip x\n```\n```python\nb = a\n```\n"
    assert blocks(text, "python") == ["a = 1\n", "b = a\n"]
    assert commands(text) == ["make it", "pip x"]
    assert run(text)["b"] == 1
    with pytest.raises(NameError):
        run(text.replace("a = 1", "c = 1"))


@pytest.mark.slow
def test_the_examples_of_the_readme_say_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session = run(README)
    out, _ = capsys.readouterr()
    assert len(blocks(README, "python")) == 4
    assert "no model exceeds 0.71" in out
    assert "invariant to S_10: yes" in out
    assert "invariant to S_7 on 2-tuples: yes" in out
    assert len(session["layer"].maps) == 5  # as the comment in the README says
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", blocks(README, "python")[1:])
def test_an_example_of_the_readme_runs_without_those_before_it(code, capsys):
    run(f"```python\n{code}```\n")
    assert capsys.readouterr().out


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path):
    def ends(command, *words):
        subprocess.run([*command.split(), *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "sets.csv").write_text("\n".join(table()) + "\n")
    few = ["--models", "deep-sets", "--epochs", "1", "--seeds", "1"]
    (own,) = [c for c in commands(README) if "compare --data" in c]
    ends(own.replace("python", sys.executable, 1), *few)
    assert (tmp_path / "sets.html").read_text().startswith("<!doctype html>")
    assert "torchrun --nproc-per-node 2 -m invariant_nets compare" in README.replace("\n", " ")
    torchrun = f"{sys.executable} -m torch.distributed.run --nproc-per-node 2"
    ends(f"{torchrun} -m invariant_nets compare", *few, "--sets", "64", "--test-sets", "100")


def targets(text):
    """The targets that a Makefile describes."""
    return set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE))


def test_what_the_documents_tell_to_make_can_be_made():
    known = targets((ROOT / "Makefile").read_text())
    assert {"serve", "book", "test", "dist"} <= known
    for name in ("README.md", "CONTRIBUTING.md"):
        told = set(re.findall(r"`?\bmake ([a-z]+)\b", " ".join(code_of(ROOT / name))))
        assert told <= known, name


def code_of(path):
    """What is set as code in a document."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL)


def test_the_files_that_the_readme_names_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    folders = re.findall(r"^\| `([\w/]+)/` \|", README, re.MULTILINE)
    assert len(folders) >= 5
    for name in links + folders:
        assert (ROOT / name).exists(), name
    rooms = {path.parent.name for path in (ROOT / "invariant_nets").glob("*/__init__.py")}
    (row,) = [line for line in README.splitlines() if line.startswith("| `invariant_nets/` |")]
    assert set(re.findall(r"`(\w+)`", row)) == rooms
