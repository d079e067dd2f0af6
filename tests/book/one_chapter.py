"""One chapter with all that a chapter can hold, and what builds it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from book.running.chapters import read
from book.running.fingerprint import fingerprint

ROOT = Path(__file__).parents[2]

CHAPTER = r"""
# %% [markdown]
# # A small chapter
#
# Prose with $x \in \mathbb R^n$, a [link](../index.md#top), and
# [`double`][invariant_nets.core.double].
#
# $$ \sum_{i=1}^n x_i = n\, \bar x_{\sigma} $$
#
# $$ n + \mathbb E_{\sigma \in S_n} \sigma $$
#
# ??? success "Solution"
#     Folded, with $y$.

# %%
from matplotlib import pyplot as plt
from tqdm import trange
from invariant_nets.core import double
from invariant_nets.figures import table, use_book_style
use_book_style()
for _ in trange(3):
    print(double(21))

# %% alt="A \"rising\" line" caption="It rises by $\\alpha$."
plt.plot([1, 2])
plt.show()

# %% alt="The same line" moves="line" needs="numbers"
plt.plot([1, 2])
plt.show()

# %% alt="Many points"
plt.plot(range(9000), [i * i % 97 for i in range(9000)], ".", rasterized=False)
plt.show()

# %%
table([{"model": "MLP", "group": "$S_n$", "accuracy": 0.5}])

# %% exercise="1"
answer = ...

# %% solution="1"
answer = "what was asked"

# %% check="1"
print("Right." if answer != ... else "Not yet.")

# %% wrong="1"
print("tried in vain")

# %% fold="An aside"
"the last cell"
"""
NOTATION = r"""
# Notation

| Paper | Code | Meaning |
|---|---|---|
| $n$ { #n } | `n` | the *size*: a number |
| $\sigma$, $\tau$ { #sigma } | `s` | a [permutation](index.md) of $n$ points |
| $x$ { #x data-local="01" } | – | a set |
"""
CORE = '''
"""A module."""


def double(x):
    r"""Double $x$.

    $$ y = 2 x $$

    Shape:
        any.

    Example:
        >>> double(1)
        2

    References:
        Euclid (300 BC), *Elements*, chapter 7.

    Derived in chapter 1.
    """
    return 2 * x
'''


def project_in(folder):
    """Makes a project of a folder, which lacks but its chapter."""
    for name in ("docs/chapters", "invariant_nets"):
        (folder / name).mkdir(parents=True)
    (folder / "book").symlink_to(ROOT / "book")
    (folder / "docs" / "assets").symlink_to(ROOT / "docs" / "assets")
    (folder / "invariant_nets" / "__init__.py").write_text("")
    (folder / "invariant_nets" / "core.py").write_text(CORE)
    shutil.copy(ROOT / "invariant_nets" / "figures.py", folder / "invariant_nets")
    (folder / "docs" / "index.md").write_text("# Home {#top}\n\nText.\n")
    (folder / "docs" / "core.md").write_text("# `core`\n\n::: invariant_nets.core\n")
    (folder / "docs" / "notation.md").write_text(NOTATION)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    config |= {"hooks": ["book/hooks.py", "book/play/hooks.py"], "watch": []}
    config["nav"] = ["index.md", "notation.md", "chapters/01_small.py", "core.md"]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config))


def write(project, chapter):
    path = project / "docs" / "chapters" / "01_small.py"
    path.write_text(chapter.strip() + "\n")
    return path


def build(project):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def key(project, chapter=CHAPTER):
    return fingerprint(read(write(project, chapter)), project / "invariant_nets")
