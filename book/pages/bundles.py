"""What cells put out for a reader to play with: models as graphs, which pages load as scripts.

A page shows the text of such an output, and an address of its own keeps the rest.
"""

import json
from collections.abc import Iterable
from typing import Any

from nbformat import NotebookNode

GRAPHS = "application/vnd.invariant-nets.graphs+json"
FOLDER = "assets/play/"  # below the site


def bundles(outputs: Iterable[NotebookNode]) -> dict[str, str]:
    """Returns the files that outputs ask for, by their addresses below the site.

    Of each a page loads a script, `BOOK.data[name] = {graphs, weights}`. What the models should
    answer to some sets is a file beside it, for tests.
    """
    files = {}
    for output in outputs:
        if found := output.get("data", {}).get(GRAPHS):
            name = found["name"]
            script = {"graphs": found["graphs"], "weights": found["weights"]}
            files[f"{FOLDER}{name}.js"] = f"BOOK.data[{text(name)}] = {text(script)};\n"
            files[f"{FOLDER}{name}.checks.json"] = text(found["checks"]) + "\n"
    return files


def text(value: Any) -> str:
    """Returns JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))
