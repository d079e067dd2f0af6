r"""Mutation testing: how many small changes of the code make a test fail?

    make mutants
    python -m benchmarks.mutants --only layers checks

mutmut changes one thing of a function at a time, such as `<` to `<=`, and runs the tests that come
through that function, of those that `make test` runs. A change that no test notices has survived.
Tests that compile a network are left out, since what lets mutmut switch its changes on and off
cannot be compiled.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.machine import machine

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("mutants.json")
REASONS = Path(__file__).with_name("survivors.toml")
AREAS = {  # rooms of the package, and the modules that are changed
    "groups": ("group", "chain", "orbits"),
    "layers": ("averaged",),
    "averaging": ("model", "chunked", "cosets"),
    "canonicalization": ("model", "sorting", "row_order"),
    "checks": ("assertions", "outputs", "probe", "tries", "undisturbed"),
}
CONTRACTS = tuple(
    f"contracts/test_{name}.py"
    for name in ("laws", "masking", "padding", "precision", "copies", "refusals")
)
TESTS = {  # beside those of the room
    "groups": (),
    "layers": CONTRACTS,
    "averaging": CONTRACTS,
    "canonicalization": CONTRACTS,
    "checks": ("test_arguments.py",),
}
OPTIONS = (
    *("-m", "not slow and not book"),
    *("-k", "not compile and not compiling and not export", "-p", "no:cacheprovider"),
    *("-p", "tests.fastest_first"),  # a mutant's tests end with the first that fails
    "--hypothesis-profile=unshrunk",
    # mutmut cannot select a test whose name has a × that is escaped.
    *("-o", "disable_test_id_escaping_and_forfeit_all_rights_to_community_support=true"),
)
COPIED = ("pyproject.toml", "pytest_invariant_nets.py", "README.md", "invariant_nets", "tests")
GOAL = 0.9  # of the mutants of an area
# What a process exits with: a test failed, or pytest did; it ran for too long; it crashed.
KILLED = {1, 3, *(24, -24, 152), *(-9, -11)}
SURVIVED = {0, *(5, 33)}  # all tests passed, or there was none


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed: where it is, the lines before and the lines after."""

    module: str
    function: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutants:
    """What a run found in an area: how many mutants each module had, how many died, the rest."""

    date: str
    seconds: float
    machine: Mapping[str, Any]
    mutants: Mapping[str, int]
    killed: Mapping[str, int]
    survivors: tuple[Survivor, ...]


@dataclass(frozen=True)
class Reason:
    """Why some survivors are left: those of a module and function whose change matches."""

    modules: str
    functions: str
    change: str
    reason: str

    def covers(self, survivor: Survivor) -> bool:
        """Return whether this is the reason of a survivor; all three are regular expressions."""
        return bool(
            re.fullmatch(self.modules, survivor.module)
            and re.fullmatch(self.functions, survivor.function)
            and re.search(self.change, f"{survivor.before} → {survivor.after}")
        )


def configuration(area: str) -> str:
    """Return the section of pyproject.toml that mutmut reads."""
    settings = {
        "source_paths": [
            f"invariant_nets/{area}/{name.replace('.', '/')}.py" for name in AREAS[area]
        ],
        "pytest_add_cli_args_test_selection": [f"tests/{path}" for path in (area, *TESTS[area])],
        "pytest_add_cli_args": list(OPTIONS),
        "also_copy": list(COPIED),
        "track_dependencies": False,
        # A process that has run torch on threads must not fork.
        "process_isolation": "forkserver",
        "timeout_multiplier": 4,  # times what all tests of the function took
        "timeout_constant": 5,  # s more
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join(["\n[tool.mutmut]", *lines, ""])


def run(area: str, folder: Path, processes: int) -> Mutants:
    """Copy the project to a folder, mutate an area there, and return what was found."""
    start = time.perf_counter()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(configuration(area))
    _mutmut(folder, "run", "--max-children", str(processes))
    exits: dict[str, int] = {}
    for path in (folder / "mutants" / "invariant_nets").rglob("*.meta"):
        exits |= json.loads(path.read_text())["exit_code_by_key"]
    if broken := {name: code for name, code in exits.items() if code not in KILLED | SURVIVED}:
        raise RuntimeError(f"mutmut could not try {len(broken)} mutants: {', '.join(broken)[:200]}")
    left = [name for name, code in exits.items() if code in SURVIVED]
    with ThreadPoolExecutor(processes) as pool:
        differences = pool.map(lambda name: _mutmut(folder, "show", name), left)
        survivors = tuple(map(survivor_of, left, differences))
    mutants = Counter(module_and_function(name)[0] for name in exits)
    return Mutants(
        datetime.date.today().isoformat(),
        time.perf_counter() - start,
        machine(),
        dict(mutants),
        {name: mutants[name] - sum(s.module == name for s in survivors) for name in mutants},
        survivors,
    )


def _mutmut(folder: Path, *arguments: str) -> str:
    # Every law then tries the same examples in each run, and every process has one thread.
    environment = os.environ | {"CI": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"mutmut {arguments[0]} failed:\n{run.stdout[-4000:]}{run.stderr}")
    return run.stdout


def module_and_function(name: str) -> tuple[str, str]:
    """Take mutmut's name of a mutant apart.

    Example:
        >>> module_and_function("invariant_nets.groups.group.xǁPermutationGroupǁrank__mutmut_4")
        ('groups.group', 'PermutationGroup.rank')
        >>> module_and_function("invariant_nets.groups.orbits.x_pair_orbits__mutmut_12")
        ('groups.orbits', 'pair_orbits')
    """
    _, *module, function = name.split(".")
    function = function.rpartition("__mutmut_")[0]
    return ".".join(module), function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")


def survivor_of(name: str, difference: str) -> Survivor:
    """Return a survivor by its name and a unified diff."""
    removed, added = (
        " ".join(line[1:].strip() for line in lines)
        for lines in (_starting(difference, "-"), _starting(difference, "+"))
    )
    return Survivor(*module_and_function(name), removed, added)


def _starting(difference: str, sign: str) -> Iterable[str]:
    return re.findall(rf"^{re.escape(sign)}(?!{re.escape(sign)}).*$", difference, re.MULTILINE)


def read(path: Path = FILE) -> dict[str, Mutants]:
    """Read what was found, by area; no file has none."""
    if not path.exists():
        return {}
    return {
        area: Mutants(**{**found, "survivors": tuple(Survivor(**s) for s in found["survivors"])})
        for area, found in json.loads(path.read_text()).items()
    }


def write(found: Mapping[str, Mutants], path: Path = FILE) -> None:
    """Keep what was found, the areas in their order."""
    entries = {area: asdict(found[area]) for area in AREAS if area in found}
    path.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n")


def reasons(path: Path = REASONS) -> list[Reason]:
    """Read the reasons why survivors are left."""
    return [Reason(**entry) for entry in tomllib.loads(path.read_text())["survivors"]]


def reason_of(survivor: Survivor, known: Iterable[Reason]) -> str:
    """Return the reason of a survivor, the first one that covers it; empty if there is none."""
    return next((reason.reason for reason in known if reason.covers(survivor)), "")


def main() -> None:
    """Run some areas or all, keep what was found, and print what survived without a reason."""
    parser = argparse.ArgumentParser(description="Mutation testing; all of it takes some hours.")
    parser.add_argument("--only", nargs="+", choices=AREAS, default=AREAS, metavar="AREA")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    known = reasons()
    for area in options.only:
        with tempfile.TemporaryDirectory() as folder:
            found = run(area, Path(folder), options.processes)
        write(read() | {area: found})
        for name, count in found.mutants.items():
            print(f"{name}: {found.killed[name]} of {count} killed", flush=True)
        for survivor in found.survivors:
            if not reason_of(survivor, known):
                print(f"\n{survivor.module}.{survivor.function}")
                print(f"  - {survivor.before}\n  + {survivor.after}", flush=True)


if __name__ == "__main__":
    main()
