"""Makes the notebooks that a reader downloads: chapters that run beside an installed package.

A chapter comes in two forms: to work, with the exercises open and their checks in place, and
solved.
"""

import re

import nbformat
from nbformat import NotebookNode

from book.running.chapters import hidden

EXTRAS = ("plot", "data")  # of the package, which the chapters need
NOTE = (
    "This notebook is a chapter of the book on permutation-invariant neural networks. It runs "
    "beside an installed `invariant_nets` with the extras for figures and data: in a copy of the "
    f'repository, `pip install -c constraints.txt -e ".[{",".join(EXTRAS)}]" jupyterlab`.'
)
ADMONITION = re.compile(
    r'^(?P<kind>!!!|\?\?\?\+?) +(?P<type>[\w-]+)[^\n"]*(?:"(?P<title>[^"\n]*)")?[ \t]*\n'
    r"(?P<body>(?:(?: {4}[^\n]*|[ \t]*)(?:\n|\Z))*)",
    re.MULTILINE,
)
LINK = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`)"
    r"|\[(?P<text>[^\]^]+)\](?:\((?![a-z]+://)[^)]*\)(?:\{[^}]*\})?|\[[^\]]*\])",
    re.MULTILINE | re.DOTALL,
)

PIECE = re.compile(r"^<div data-play=[^>]*></div>$", re.MULTILINE)  # of the playground
ON_THE_PAGE = "*On its page in the book, a piece of the playground stands here.*"


def download(chapter: NotebookNode, solved: bool) -> str:
    """Returns a chapter as the text of an `.ipynb` file, without outputs.

    Args:
        chapter: The chapter.
        solved: Whether it shows the solutions of its exercises.
    """
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.cells = [nbformat.v4.new_markdown_cell(NOTE)]
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            source = cell.source if solved else ADMONITION.sub(unsolved, cell.source)
            notebook.cells.append(nbformat.v4.new_markdown_cell(plain_markdown(source)))
        elif cell.source.strip() and not hidden(cell) and (solved or not solves(cell)):
            notebook.cells.append(nbformat.v4.new_code_cell(cell.source))
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)
    return text


def solves(cell: NotebookNode) -> bool:
    """Returns whether a cell is the solution of an exercise."""
    return "solution" in cell.metadata


def unsolved(match: re.Match[str]) -> str:
    """Leaves an admonition as it is, unless it is the solution of an exercise."""
    return "" if match["title"] == "Solution" else match[0]


def plain_markdown(source: str) -> str:
    """Rewrites what only the site understands: its admonitions, links into it, the playground."""
    source = LINK.sub(lambda m: m["code"] or m["text"], PIECE.sub(ON_THE_PAGE, source))
    return ADMONITION.sub(plain_admonition, source)


def plain_admonition(match: re.Match[str]) -> str:
    """Turns an admonition into a quotation, and a folded one into HTML that folds as well."""
    title = match["title"] or match["type"].capitalize()
    body = re.sub(r"^ {4}", "", match["body"], flags=re.MULTILINE).strip()
    if match["kind"] == "!!!":
        quoted = re.sub(r"^", "> ", f"**{title}**\n\n{body}", flags=re.MULTILINE)
        return re.sub(r"^> $", ">", quoted, flags=re.MULTILINE) + "\n\n"
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>\n\n"
