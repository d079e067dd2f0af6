"""Lets a server render the pages of the reference anew only if what they say may have changed.

They are half of the time that a build takes, and an edit of the prose changes none of them.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from mkdocs.structure.pages import Page
from mkdocs_autorefs import AutorefsPlugin

RENDERED = ("content", "toc", "title", "present_anchor_ids")  # what rendering a page makes


class Remembered:
    """What the last build rendered, by the address of the page."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, dict[str, Any], list[tuple[Any, Any]]]] = {}

    def render(
        self, page: Page, made_of: str, autorefs: AutorefsPlugin, render: Callable[[], None]
    ) -> None:
        """Renders a page, or does again what rendering it did.

        Args:
            page: The page.
            made_of: All that its content depends on.
            autorefs: What learns of the anchors of the page.
            render: Renders it.
        """
        if page.url in self._known and self._known[page.url][0] == made_of:
            _, rendered, anchors = self._known[page.url]
            for name, value in rendered.items():
                setattr(page, name, value)
            for words, named in anchors:
                autorefs.register_anchor(page, *words, **named)
            return
        anchors = []
        register = autorefs.register_anchor

        def note(page: Page, *words: Any, **named: Any) -> None:
            anchors.append((words, named))
            register(page, *words, **named)

        with patch.object(autorefs, "register_anchor", note):
            render()
        rendered = {name: getattr(page, name) for name in RENDERED}
        self._known[page.url] = made_of, rendered, anchors
