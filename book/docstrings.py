"""Lets mkdocstrings read the package as it is written: its docstrings, and what its faces name."""

import re

from griffe import Alias, Extension, Module, Object

PLACE = re.compile(r"\b([Cc]hapter|[Aa]ppendix) (\d+|[A-Z])\b")


class Docstrings(Extension):
    """Makes `Example:` the section that it is, and "chapter 4" a link to it, as "appendix A" is.

    Of a module in a room, public is what the face of the room names.
    """

    def on_object(self, *, obj: Object, **kwargs: object) -> None:
        """Changes the docstring of an object after Griffe has collected it."""
        if obj.docstring:
            lines = obj.docstring.value.splitlines()
            obj.docstring.value = "\n".join(map(adapt, lines))

    def on_package(self, *, pkg: Module, **kwargs: object) -> None:
        """Marks what the faces of a package's rooms name."""
        for room in pkg.modules.values():
            for module in room.modules.values():
                for name, member in module.members.items():
                    if not isinstance(member, Alias):
                        member.public = name in (room.exports or ())


def adapt(line: str) -> str:
    """Adapts a line; an indented one may name a chapter of another book, which it cites."""
    if line == "Example:":
        return "Examples:"
    if line.startswith(" "):
        return line
    return PLACE.sub(lambda m: f"[{m[0]}][{m[0].lower().replace(' ', '-')}]", line)
