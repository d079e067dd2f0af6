"""Small books: chapters that run in a second, and wait where a test wants them to."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]

HEAD = """
# %% [markdown]
# # Chapter {number}
#
# Prose with $x \\in \\mathbb R^n${link}.
"""
LINK = " and [`double`][invariant_nets.core.double]"
CORE = '''
"""A module."""
VALUE = 1


def double(x):
    """Double a number."""
    return 2 * x
'''
FIRST = "from invariant_nets.core import VALUE\nprint('first', VALUE)"


def small_book(folder, *chapters):
    """Writes a project whose chapters have these cells, and returns their paths."""
    for name in ("docs/chapters", "invariant_nets"):
        (folder / name).mkdir(parents=True)
    (folder / "invariant_nets" / "__init__.py").write_text("")
    (folder / "invariant_nets" / "core.py").write_text(CORE)
    return [write(folder, number, *cells) for number, cells in enumerate(chapters, start=1)]


def write(folder, number, *cells):
    """Writes a chapter."""
    path = folder / "docs" / "chapters" / f"{number:02}_c.py"
    code = "".join(f"\n# %%\n{cell}\n" for cell in cells)
    path.write_text(HEAD.format(number=number, link=LINK).strip() + "\n" + code)
    return path


def gate(file):
    """Returns a cell that waits for a file."""
    return f"import pathlib, time\nwhile not pathlib.Path({str(file)!r}).exists(): time.sleep(0.02)"


def site(folder, port):
    """Makes a site of a project, built by this repository's `book`, in its theme."""
    (folder / "book").symlink_to(ROOT / "book")
    (folder / "docs" / "assets").symlink_to(ROOT / "docs" / "assets")
    (folder / "docs" / "index.md").write_text("# Home\n")
    (folder / "docs" / "core.md").write_text("# Core\n\n::: invariant_nets.core\n")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    address = f"127.0.0.1:{port}"
    config |= {"site_url": f"http://{address}/", "dev_addr": address, "watch": ["invariant_nets"]}
    config["hooks"] = ["book/hooks.py", "book/play/hooks.py"]
    del config["nav"]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config))


def in_a_thread(function, *arguments):
    """Calls a function where no event loop of another test runs, and leaves none."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def until(true, seconds=60.0):
    """Waits for something to be true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return found
