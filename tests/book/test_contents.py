"""What the book consists of: pages for every chapter and room, notation, works cited."""

import ast
import json
import re
import unicodedata
from pathlib import Path

import yaml

import invariant_nets
from book.docstrings import adapt
from book.pages import outputs
from book.pages.notation import read as read_symbols
from book.running.chapters import code_cells, numbered, read
from invariant_nets import figures

ROOT = Path(__file__).parents[2]


def nav(entry):
    if isinstance(entry, str):
        return [entry]
    entries = entry.values() if isinstance(entry, dict) else entry
    return [page for item in entries for page in nav(item)]


def test_every_chapter_and_module_is_in_the_book():
    pages = nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    chapters = {f"chapters/{path.name}" for path in (ROOT / "docs" / "chapters").glob("*.py")}
    assert chapters == {page for page in pages if page.startswith("chapters/")}
    rooms = {path.parent.name for path in (ROOT / "invariant_nets").glob("*/__init__.py")}
    assert rooms == {Path(page).stem for page in pages if "reference/" in page} - {"index"}
    index = (ROOT / "docs" / "reference" / "index.md").read_text()
    assert rooms == set(re.findall(r"\((\w+)\.md\)", index))
    shown = []
    for room in rooms:
        text = (ROOT / "docs" / "reference" / f"{room}.md").read_text()
        assert re.search(rf"^# \w+\n\n::: invariant_nets\.{room}\n    options: ", text)
        shown += re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert len(shown) == len(set(shown))
    homes = {
        node.module
        for room in rooms
        for node in ast.parse((ROOT / "invariant_nets" / room / "__init__.py").read_text()).body
        if isinstance(node, ast.ImportFrom)
    }
    others = {
        "pytest_invariant_nets",
        *(f"invariant_nets.{name}" for name in ("ranks", "figures", "exercises")),
    }
    assert homes | others | {f"invariant_nets.{room}" for room in rooms} <= set(shown)


def test_chapters_hold_no_outputs_and_the_style_has_one_ink():
    assert outputs.INK == figures.INK
    assert not list((ROOT / "docs" / "chapters").glob("*.ipynb"))


def test_a_chapter_is_read_in_one_sitting():
    chapters = (ROOT / "docs" / "chapters").glob("*.py")
    assert max(len(path.read_text().splitlines()) for path in chapters) <= 550


def test_chapters_have_numbers_and_appendices_letters():
    assert numbered(Path("chapters/04_averaged_layer.py")) == ("chapter", "4")
    assert numbered(Path("a_computing_groups.py")) == ("appendix", "A")
    text = "Derived in chapter 12 and appendix B."
    links = "[chapter 12][chapter-12] and [appendix B][appendix-b]"
    assert links in adapt(text)
    assert adapt("    An appendix A of another book.") == "    An appendix A of another book."


def unseen(source):
    """Returns the tables that a cell makes and does not show: only its last value is shown."""
    return [
        ast.unparse(statement)
        for statement in ast.parse(source).body[:-1]
        if re.match(r"table\(", ast.unparse(statement))
    ]


def test_every_table_that_a_chapter_makes_is_shown():
    assert unseen("table(a)\nprint(b)\ntable(c)") == ["table(a)"]
    paths = (ROOT / "docs" / "chapters").glob("*.py")
    assert [
        table for path in paths for cell in code_cells(read(path)) for table in unseen(cell.source)
    ] == []


def test_vendored_packages_name_no_registry():
    lock = json.loads((ROOT / "book" / "vendor" / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())


def test_the_notation_gives_each_symbol_a_meaning_and_a_chapter():
    text = (ROOT / "docs" / "notation.md").read_text()
    rows = [row for row in text.splitlines() if re.match(r"\| (?!Paper)\S", row)]
    anchors = [re.search(r"\{ #([\w-]+)[^}]*\} \|", row)[1] for row in rows]
    assert len(anchors) == len(set(anchors)) > 40
    assert all(re.search(r"\]\((chapters|reference)/\w+\.(py|md)\) \|$", row) for row in rows)
    symbols = read_symbols(text)
    assert len({symbol.tokens for symbol in symbols}) == len(symbols)
    for symbol in symbols:
        assert symbol.meaning
        assert not re.search(r"[\\\\$`{}]|\]\[", symbol.meaning), symbol.meaning


# The works that the book cites

NAME = r"(?:[A-Z]\. ?)*[^\W\d_a-z][\w’-]+"
CITATION = re.compile(
    rf"({NAME})(?:(?:,? and |,? & |, ){NAME})*(?: et al\.)?,? \(?((?:19|20)\d\d)\)"
)


def citations(text):
    """Returns the works that a text cites, by their anchors in the bibliography."""
    text = re.sub(r"\s*\n#?\s*", " ", text)
    return {anchor(name, year) for name, year in CITATION.findall(text)}


def anchor(name, year):
    """Returns the anchor of a work in the bibliography."""
    surname = unicodedata.normalize("NFD", re.sub(r"([A-Z]\. ?)+", "", name))
    return f"{surname.encode('ascii', 'ignore').decode().lower()}-{year}"


def prose_of(path):
    """Yields what a file says in words: Markdown, a chapter's prose, a module's docstrings."""
    if path.suffix == ".md":
        yield path.read_text()
    elif path.parent.name == "chapters":
        yield from (cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    else:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def test_citations_are_found():
    text = "As Zaheer et al. (2017) and (Wagstaff et al.,\n# 2019) say. Cho and\n# Saul (2009)."
    assert citations(text) == {"zaheer-2017", "wagstaff-2019", "cho-2009"}
    assert citations("Dym, Lawrence & Siegel (2024), B. Elesedy and S. Zaidi (2021)") == {
        "dym-2024",
        "elesedy-2021",
    }
    assert citations("Póczos (2017); of 5 (2001) in May") == {"poczos-2017"}


def test_the_bibliography_is_what_the_book_cites():
    text = (ROOT / "docs" / "bibliography.md").read_text()
    entries = re.findall(
        r"^- \*\*([^,]+),.*? \((\d{4})\)\.\*\*\{ #([\w-]+) \}$", text, re.MULTILINE
    )
    works = {key for *_, key in entries}
    assert len(works) == len(entries) == text.count("\n- **")
    for name, year, key in entries:
        assert key == anchor(name, year)
    cited: set[str] = set()
    faults = []
    for path in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "chapters").glob("*.py")]:
        if path.name == "bibliography.md":
            continue
        source = path.read_text()
        links = set(re.findall(r"bibliography\.md#([\w-]+)", source))
        faults += [f"{path.name} links to {key}, which is no entry" for key in links - works]
        prose = "\n".join(prose_of(path))
        unlinked = citations(prose) - links
        faults += [f"{path.name} cites {key} without a link" for key in unlinked]
        cited |= links
    for path in (ROOT / "invariant_nets").rglob("*.py"):
        found = citations("\n".join(prose_of(path)))
        faults += [f"{path.name} cites {key}, which is no entry" for key in found - works]
        cited |= found
    faults += [f"nothing cites {key}" for key in works - cited]
    assert not faults, "\n".join(sorted(faults))


def claims_of_use(doc):
    """Yields the chapters and appendices of which a docstring says that they use its object."""
    for line in re.findall(r"^ *Used in ((?:chapter|appendi).*)", doc, re.MULTILINE):
        until = re.split(r"[;:]", line)[0].rstrip(".")
        for first, last in re.findall(r"\b(\d+|[A-Z])\b(?: to (\d+))?", until):
            yield from range(int(first), int(last or first) + 1) if first.isdigit() else [first]


def test_what_a_docstring_says_is_used_in_a_chapter_stands_there():
    said = "A.\n\n    Used in chapters 2, 4 and 7 to 9; chapter 11 compares it."
    assert list(claims_of_use(said)) == [2, 4, 7, 8, 9]
    assert list(claims_of_use("    Used in appendix B.")) == ["B"]
    texts = {}
    for path in (ROOT / "docs" / "chapters").glob("*_*.py"):
        number = path.name.split("_")[0]
        texts[int(number) if number.isdigit() else number.upper()] = path.read_text()
    wrong, seen = [], 0
    for name in invariant_nets.__all__:
        for chapter in claims_of_use(getattr(invariant_nets, name).__doc__ or ""):
            seen += 1
            if not re.search(rf"\b{name}\b", texts[chapter]):
                wrong.append((name, chapter))
    assert seen > 10
    assert not wrong
