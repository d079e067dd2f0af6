"""What the tests run and build: the book, and one of one chapter on a package of one module."""

import subprocess
import sys

import pytest
from playwright.sync_api import sync_playwright

from tests.book.one_chapter import CHAPTER, project_in, write
from tests.book.pages import CHROMIUM, FLAGS
from tests.book.small import ROOT


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder of the book, strictly built, for the tests of one `xdist_group`, `browser`."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def browser():
    """A browser of one module's tests: as long as it lives, no other loop of asyncio can run."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


@pytest.fixture
def project(tmp_path):
    """A book of one chapter on a package of one module, built by this repository's `book`."""
    project_in(tmp_path)
    write(tmp_path, CHAPTER)
    return tmp_path
