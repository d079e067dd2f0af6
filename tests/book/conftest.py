"""A book of one chapter, on a package of one module, for the tests that run and build it."""

import shutil

import pytest
import yaml

from tests.book.one_chapter import CHAPTER, CORE, NOTATION, ROOT, write


@pytest.fixture
def project(tmp_path):
    """A book of one chapter on a package of one module, built by this repository's `book`."""
    for folder in ("docs/chapters", "invariant_nets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "book").symlink_to(ROOT / "book")
    (tmp_path / "docs" / "assets").symlink_to(ROOT / "docs" / "assets")
    (tmp_path / "invariant_nets" / "__init__.py").write_text("")
    (tmp_path / "invariant_nets" / "core.py").write_text(CORE)
    shutil.copy(ROOT / "invariant_nets" / "figures.py", tmp_path / "invariant_nets")
    (tmp_path / "docs" / "index.md").write_text("# Home {#top}\n\nText.\n")
    (tmp_path / "docs" / "core.md").write_text("# `core`\n\n::: invariant_nets.core\n")
    (tmp_path / "docs" / "notation.md").write_text(NOTATION)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    config |= {"hooks": ["book/hooks.py", "book/play/hooks.py"], "watch": []}
    config["nav"] = ["index.md", "notation.md", "chapters/01_small.py", "core.md"]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    write(tmp_path, CHAPTER)
    return tmp_path
