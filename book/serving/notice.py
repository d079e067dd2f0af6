"""What a page says of outputs that are missing, old or on their way."""

import html

from book.running.chapters import code_cells
from book.running.live import Status

NEW = "This chapter has not run yet"
OLD = "The code of this chapter, or of the package that it uses, has changed since these outputs"


def notice(status: Status, turn: str = "") -> str:
    """Says how far a chapter has come, as HTML; nothing if it is done.

    Args:
        status: Its status.
        turn: When it is to run, if anything runs it.
    """
    cells = len(code_cells(status.notebook))
    count = f"cell {min(status.fresh + 1, cells)} of {cells}"
    old = status.fresh < len(status.outputs)
    words = {
        "waiting": NEW + turn,
        "stale": OLD + turn,
        "elsewhere": f"{OLD if old else NEW}; another process runs it",
        "running": f"{OLD}; it runs again, {count}" if old else f"This chapter is running, {count}",
        "failed": "This chapter failed",
        "done": "",
    }[status.state]
    error = f'<pre class="output">{html.escape(status.error)}</pre>' if status.error else ""
    return words and f"<p>{words}.</p>{error}"
