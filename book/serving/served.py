"""The chapters' pages while they are served: on disk they are always as far as the chapters are."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from nbformat import NotebookNode

from book.pages.bundles import bundles
from book.pages.chapter import ChapterPage
from book.running.chapters import numbered
from book.running.live import Live, Status
from book.running.run import Runner
from book.serving.notice import notice

SCRIPT = f"<script>{Path(__file__).with_name('served.js').read_text()}</script>"


class Served:
    """Runs the chapters in the background, and writes their pages as outputs come.

    Args:
        runner: What executes a chapter.
    """

    def __init__(self, runner: Runner) -> None:
        self.live = Live(runner, self._publish)
        self._pages: dict[Path, tuple[Path, ChapterPage]] = {}
        self._site = Path()

    def look(self, paths: Iterable[Path]) -> dict[Path, tuple[NotebookNode, Status]]:
        """Returns the chapters and their status; no page is written until there are new ones."""
        with self.live.lock:
            self._pages = {}
        found = self.live.look(paths)
        return {path: (notebook, self.live.status[path]) for path, notebook in found.items()}

    def show(self, pages: Mapping[Path, tuple[Path, ChapterPage]], site: Path) -> None:
        """Writes the pages of the chapters to their places, now and whenever outputs come.

        What a chapter puts out for pages to load comes first, when it is done.
        """
        with self.live.lock:
            self._pages, self._site = dict(pages), site
            for path in self._pages:
                self._publish(path)
        self.live.go()

    def _publish(self, path: Path) -> None:
        if path not in self._pages:
            return
        place, page = self._pages[path]
        if page.status.state == "done":
            every = (output for outputs in page.status.outputs.values() for output in outputs)
            for address, text in bundles(every).items():
                (self._site / address).parent.mkdir(parents=True, exist_ok=True)
                write(self._site / address, text)
        said = notice(page.status, self._turn(path))
        news = {"state": page.status.state, "notice": said, "cells": page.outputs()}
        write(place, page.filled(said, SCRIPT))
        write(place.with_suffix(".outputs.json"), json.dumps(news))

    def _turn(self, path: Path) -> str:
        paths = list(self.live.status)
        ahead = [
            " ".join(numbered(other))
            for other in paths[: paths.index(path)]
            if self.live.status[other].state not in ("done", "failed")
        ]
        return f"; it runs after {ahead[-1]}" if ahead else "; it is the next to run"


def write(path: Path, text: str) -> None:
    """Writes a file so that nobody reads half of it."""
    partial = path.with_name(f".{path.name}")
    partial.write_text(text, encoding="utf-8", errors="xmlcharrefreplace")
    os.replace(partial, path)
