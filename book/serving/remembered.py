"""Lets a server render the pages of the reference anew only if what they say may have changed.

They are a third of the time that a build takes, and an edit of the prose changes none of them.
"""

import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mkdocs.structure.pages import Page
from mkdocs_autorefs import AutorefsPlugin

from book.pages.kept import kept

RENDERED = ("content", "toc", "title", "present_anchor_ids")  # what rendering a page makes


def remembered(
    folder: Path,
    depends_on: Iterable[str],
    page: Page,
    autorefs: AutorefsPlugin,
    render: Callable[[], None],
    anew: bool,
) -> None:
    """Renders a page, or does again what rendering it did.

    Args:
        folder: The folder for what was rendered.
        depends_on: All that its content depends on.
        page: The page.
        autorefs: What learns of the anchors of the page.
        render: Renders it.
        anew: Whether it is rendered in any case.
    """

    def rendered() -> bytes:
        anchors: list[tuple[Any, Any]] = []

        def note(page: Page, *words: Any, **named: Any) -> None:
            anchors.append((words, named))

        with patch.object(autorefs, "register_anchor", note):
            render()
        return pickle.dumps(({name: getattr(page, name) for name in RENDERED}, anchors))

    made, anchors = pickle.loads(kept(folder, [page.url, *depends_on], rendered, anew))
    for name, value in made.items():
        setattr(page, name, value)
    for words, named in anchors:
        autorefs.register_anchor(page, *words, **named)
