"""Lets mkdocstrings read the package's docstrings as they are written."""

import re

from griffe import Extension, Object


class Sections(Extension):
    """Makes `Example:`, which Griffe takes for an admonition, the section that it is."""

    def on_object(self, *, obj: Object, **kwargs: object) -> None:
        """Changes the docstring of an object after Griffe has collected it."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.M
            )
