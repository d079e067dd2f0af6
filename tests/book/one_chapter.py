"""One chapter with all that a chapter can hold, and what builds it."""

import os
import subprocess
import sys
from pathlib import Path

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
