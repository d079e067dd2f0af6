"""What a wheel and an sdist have inside: `python -m tests.release.inside dist` names each fault.

What is inside is compared with what git tracks, so that neither a forgotten file nor a stray one
passes, and with pyproject.toml and the README.
"""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import ExceptionGroup, Metadata

ROOT = Path(__file__).parents[2]
PACKAGE = ["invariant_nets", "pytest_invariant_nets.py"]
BESIDE = ["CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml"]
INFO = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]
MADE = [".gitignore", "PKG-INFO"]  # hatchling adds them to an sdist


def project():
    """The table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked(*paths):
    """The files that git tracks under these paths."""
    words = ["git", "-C", ROOT, "ls-files", "-z", "--", *paths]
    return set(subprocess.check_output(words, text=True).split("\0")) - {""}


def wanted_in_wheel():
    """Names: the package, its plugin for pytest, and what describes them."""
    info = "{name}-{version}.dist-info/".format(**project())
    return tracked(*PACKAGE) | {info + name for name in INFO}


def wanted_in_sdist():
    """Names: the same sources, and what a reader of an archive looks for first."""
    folder = "{name}-{version}/".format(**project())
    return {folder + name for name in tracked(*PACKAGE) | {*BESIDE, *MADE}}


def other_names(found, wanted):
    """What is missing, and what should not be there."""
    missing = [f"missing: {name}" for name in sorted(wanted - set(found))]
    stray = [f"should not be inside: {name}" for name in sorted(set(found) - wanted)]
    twice = [f"inside twice: {name}" for name in sorted(set(found)) if found.count(name) > 1]
    return missing + stray + twice


def faults_of_metadata(data):
    """What the standard does not allow, or differs from pyproject.toml and the README."""
    try:
        metadata = Metadata.from_email(data)
    except ExceptionGroup as group:
        return [str(error) for error in group.exceptions]
    told = project()
    pairs = {
        "name": (metadata.name, told["name"]),
        "version": (str(metadata.version), told["version"]),
        "summary": (metadata.summary, told["description"]),
        "license": (metadata.license_expression, told["license"]),
        "files of the license": (metadata.license_files, told["license-files"]),
        "Python": (str(metadata.requires_python), told["requires-python"]),
        "classifiers": (metadata.classifiers, told["classifiers"]),
        "extras": (
            {str(name) for name in metadata.provides_extra or ()},
            set(told["optional-dependencies"]),
        ),
        "type of the description": (
            (metadata.description_content_type or "").partition(";")[0],
            "text/markdown",
        ),
        "description": (
            (metadata.description or "").strip(),
            (ROOT / told["readme"]).read_text(encoding="utf-8").strip(),
        ),
    }
    return [
        f"{name}: {found!r}, not {want!r}" for name, (found, want) in pairs.items() if found != want
    ]


def faults_of_wheel(path):
    """Faults of a wheel."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        return other_names(names, wanted_in_wheel()) + faults_of_metadata(archive.read(metadata))


def faults_of_sdist(path):
    """Faults of an sdist."""
    with tarfile.open(path) as archive:
        names = [member.name for member in archive if member.isfile()]
        (metadata,) = [name for name in names if name.endswith("/PKG-INFO")]
        data = archive.extractfile(metadata).read()
    return other_names(names, wanted_in_sdist()) + faults_of_metadata(data)


def both(folder):
    """The wheel and the sdist in a folder that holds nothing else."""
    stem = "{name}-{version}".format(**project())
    wheel, sdist = folder / f"{stem}-py3-none-any.whl", folder / f"{stem}.tar.gz"
    found = {path.name for path in folder.iterdir()}
    if found != {wheel.name, sdist.name}:
        raise SystemExit(f"{folder} must hold {wheel.name} and {sdist.name}, got {sorted(found)}")
    return wheel, sdist


def main(folder):
    """Prints the faults; its status is whether there were any."""
    wheel, sdist = both(folder)
    faults = [f"{wheel.name}: {fault}" for fault in faults_of_wheel(wheel)]
    faults += [f"{sdist.name}: {fault}" for fault in faults_of_sdist(sdist)]
    print(*(faults or [f"{wheel.name}, {sdist.name}: as they should be"]), sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
