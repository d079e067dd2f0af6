"""Lets mkdocstrings read the package's docstrings as they are written."""

import re

from griffe import Extension, Object

CHAPTER = re.compile(r"\b[Cc]hapter (\d+)")


class Docstrings(Extension):
    """Makes `Example:` the section that it is, and "chapter 4" a link to this book's chapter."""

    def on_object(self, *, obj: Object, **kwargs: object) -> None:
        """Changes the docstring of an object after Griffe has collected it."""
        if obj.docstring:
            lines = obj.docstring.value.splitlines()
            obj.docstring.value = "\n".join(map(adapt, lines))


def adapt(line: str) -> str:
    """Adapts a line; an indented one may name a chapter of another book, which it cites."""
    if line == "Example:":
        return "Examples:"
    return line if line.startswith(" ") else CHAPTER.sub(r"[\g<0>][chapter-\1]", line)
