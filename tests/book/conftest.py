"""A book of one chapter, on a package of one module, for the tests that run and build it."""

import pytest

from tests.book.one_chapter import CHAPTER, project_in, write


@pytest.fixture
def project(tmp_path):
    """A book of one chapter on a package of one module, built by this repository's `book`."""
    project_in(tmp_path)
    write(tmp_path, CHAPTER)
    return tmp_path
