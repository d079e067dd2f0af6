"""Makes the notebook that a reader downloads: a chapter that runs beside an installed package."""

import re

import nbformat
from nbformat import NotebookNode

NOTE = (
    "This notebook is a chapter of the book on permutation-invariant neural networks. It runs "
    "beside an installed `invariant_nets` with its plotting extra: in a copy of the repository, "
    '`pip install -c constraints.txt -e ".[plot]" jupyterlab`. Chapter 13 needs the extra `data` '
    "too."
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


def download(chapter: NotebookNode) -> str:
    """Returns a chapter as the text of an `.ipynb` file, without outputs."""
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.cells = [nbformat.v4.new_markdown_cell(NOTE)]
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            notebook.cells.append(nbformat.v4.new_markdown_cell(plain_markdown(cell.source)))
        elif cell.source.strip():
            notebook.cells.append(nbformat.v4.new_code_cell(cell.source))
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)
    return text


def plain_markdown(source: str) -> str:
    """Rewrites what only the site understands: its admonitions, and the links that lead into it."""
    return ADMONITION.sub(plain_admonition, LINK.sub(lambda m: m["code"] or m["text"], source))


def plain_admonition(match: re.Match[str]) -> str:
    """Turns an admonition into a quotation, and a folded one into HTML that folds as well."""
    title = match["title"] or match["type"].capitalize()
    body = re.sub(r"^ {4}", "", match["body"], flags=re.MULTILINE).strip()
    if match["kind"] == "!!!":
        quoted = re.sub(r"^", "> ", f"**{title}**\n\n{body}", flags=re.MULTILINE)
        return re.sub(r"^> $", ">", quoted, flags=re.MULTILINE) + "\n\n"
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>\n\n"
