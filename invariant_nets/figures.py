r"""The book's pictures and tables: one style, legible on a light page and on a dark one.

Matplotlib cannot know on which page a figure will be shown. So its ink is one color, `INK`, a gray
that is legible on white and on black. If a figure is part of a page as an SVG, the book's build
replaces this gray by the color of the surrounding text.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INK = "#757a85"
PALETTE = ("#2478e5", "#ef6603", "#087b5e", "#bf16b6", "#6b9e65", "#9385a2")

Cell = str | int | float


def use_book_style() -> None:
    r"""Set matplotlib to the style of the book, for the whole process.

    Text and lines are drawn in `INK`, data in `PALETTE` (colors `C0` to `C5`), on a transparent
    ground. In a notebook, figures come as SVG and as PNG, and a figure that is drawn twice comes
    out as the same bytes.

    Raises:
        ImportError: if matplotlib is not installed (the extra `plot`).

    Example:
        >>> import matplotlib
        >>> with matplotlib.rc_context():
        ...     use_book_style()
        ...     matplotlib.rcParams["text.color"] == INK
        True

    Used in every chapter with a figure.
    """
    try:
        import matplotlib
        from cycler import cycler
    except ImportError as error:
        message = "use_book_style needs matplotlib: pip install 'invariant_nets[plot]'"
        raise ImportError(message) from error

    matplotlib.rcParams.update(
        {
            "figure.figsize": (7.0, 3.2),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "savefig.transparent": True,
            "savefig.dpi": 192,
            "font.size": 11,
            "mathtext.fontset": "dejavusans",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.facecolor": "none",
            "axes.labelcolor": INK,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=PALETTE),
            "grid.color": INK,
            "grid.alpha": 0.2,
            "grid.linewidth": 0.6,
            "xtick.color": INK,
            "ytick.color": INK,
            "patch.edgecolor": INK,
            "hatch.color": INK,
            "boxplot.boxprops.color": INK,
            "boxplot.capprops.color": INK,
            "boxplot.flierprops.markeredgecolor": INK,
            "boxplot.whiskerprops.color": INK,
            "legend.frameon": False,
            "legend.fontsize": 10,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "image.cmap": "viridis",
            "svg.hashsalt": "invariant_nets",
        }
    )
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        # Without a date the same figure is the same file.
        set_matplotlib_formats("svg", "retina", metadata={"Date": None})


@dataclass(frozen=True)
class Table:
    """A table of results, as text and as HTML; made by `table`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    caption: str

    def __str__(self) -> str:
        lines = (self.header, *self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if numeric else cell.ljust(width)
                for cell, width, numeric in zip(line, widths, self.numeric, strict=True)
            ).rstrip()
            for line in lines
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = self._html_row(self.header, 'th scope="col"')
        body = "".join(self._html_row(row, 'th scope="row"') for row in self.rows)
        return f'<table class="results">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'

    def _html_row(self, cells: Sequence[str], first: str) -> str:
        # In the header all cells are th; in the body only the first one, which names the row.
        rest = first if "col" in first else "td"
        parts = []
        for index, (cell, numeric) in enumerate(zip(cells, self.numeric, strict=True)):
            tag = first if index == 0 else rest
            align = ' style="text-align: right"' if numeric else ' style="text-align: left"'
            parts.append(f"<{tag}{align}>{html.escape(cell)}</{tag.split()[0]}>")
        return f"<tr>{''.join(parts)}</tr>"


def table(
    rows: Sequence[Mapping[str, Cell]],
    *,
    digits: int | Mapping[str, int] = 3,
    caption: str = "",
) -> Table:
    r"""Make a table of results that reads well in a notebook, in the book and on a terminal.

    Args:
        rows: one mapping per row, from column to value; all with the same keys. The first column
            names the row.
        digits: decimals of every float, or of the floats of the columns named; 3 elsewhere.
        caption: what the table shows, in a few words.

    Returns:
        The table; a notebook shows it as HTML.

    Raises:
        ValueError: if there is no row, or the rows differ in their keys.

    Example:
        >>> table([{"model": "MLP", "accuracy": 0.5153}, {"model": "S_n", "accuracy": 0.681}])
        model  accuracy
        MLP       0.515
        S_n       0.681

    Used in every chapter that compares models.
    """
    if not rows:
        raise ValueError("rows must hold at least one row, got none")
    header = tuple(rows[0])
    for row in rows:
        if tuple(row) != header:
            raise ValueError(f"rows must all have the keys {list(header)}, got {list(row)}")
    decimals = dict.fromkeys(header, digits) if isinstance(digits, int) else digits
    unknown = set(decimals) - set(header)
    if unknown:
        raise ValueError(f"digits must name columns of {list(header)}, got {sorted(unknown)}")
    return Table(
        header=header,
        rows=tuple(
            tuple(_text(value, decimals.get(column, 3)) for column, value in row.items())
            for row in rows
        ),
        numeric=tuple(all(not isinstance(row[column], str) for row in rows) for column in header),
        caption=caption,
    )


def _text(value: Cell, digits: int) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")
