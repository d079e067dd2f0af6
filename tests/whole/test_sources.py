"""What no line of the sources may do."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_PLACE = re.compile(
    r"\.[abc](\.data|\.m?T|\[[^]]*\])*(\.[a-z_]+[a-z]_\(|\[[^]]*\] *[-+*/]?=[^=])"
    r"|init\.\w+_\([\w.\[\]-]*\.[abc]\b"
)


@pytest.mark.parametrize("folder", ["invariant_nets", "docs/chapters", "benchmarks", "tests"])
def test_no_code_changes_a_copy_of_a_coefficient(folder):
    layer = "layer."  # apart, since this file is searched too
    for line in ("a.zero_()", "b.data.copy_(b)", "c[0].add_(1)", "a[0, 1] = 2", "b[0] *= 2"):
        assert IN_PLACE.search(layer + line)
    assert IN_PLACE.search("nn.init.normal_(" + layer + "c)")
    for line in ("a = b", "a *= 2", "a[0] == b", "stored_a.zero_()", "a.sum()"):
        assert not IN_PLACE.search(layer + line)
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = [(str(f), line) for f in files for line in f.read_text().splitlines()
             if IN_PLACE.search(line)]  # fmt: skip
    assert not found
