"""Copies the third-party files of the site out of `node_modules`, where `make vendor` put them.

The copies are committed, so that building and testing the book needs neither npm nor a network:

- `book/vendor/katex.min.js` typesets the formulas at build time; no page loads it;
- `docs/assets/katex/` is KaTeX's stylesheet and fonts;
- `docs/assets/fonts/` is the book's own typefaces;
- `docs/assets/iframe-worker.js` lets the search work in pages that are read as files;
- `book/vendor/reveal/` turns the pages of the slides;
- `tests/book/vendor/axe.min.js` checks the accessibility of the pages in the browser tests.
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = ROOT / "book" / "vendor" / "node_modules"
FONTS = {
    "source-serif-4": ("Source Serif 4", "SourceSerif", ("normal", "italic")),
    "source-sans-3": ("Source Sans 3", "SourceSans", ("normal",)),
    "source-code-pro": ("Source Code Pro", "SourceCode", ("normal",)),
}
SUBSETS = ("greek", "latin")


def copy(source: Path, target: Path) -> None:
    """Copies one file and makes the folder that it goes into."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def katex() -> None:
    """Copies KaTeX: the script for the build, and woff2 alone of its fonts for the pages."""
    source, target = MODULES / "katex", ROOT / "docs" / "assets" / "katex"
    copy(source / "dist" / "katex.min.js", ROOT / "book" / "vendor" / "katex.min.js")
    copy(source / "LICENSE", ROOT / "book" / "vendor" / "katex.LICENSE")
    copy(source / "LICENSE", target / "LICENSE")
    css = (source / "dist" / "katex.min.css").read_text()
    css = re.sub(r',url\(fonts/[^)]+\.(?:woff|ttf)\) format\("\w+"\)', "", css)
    (target / "katex.min.css").write_text(css)
    for font in (source / "dist" / "fonts").glob("*.woff2"):
        copy(font, target / "fonts" / font.name)


def fonts() -> None:
    """Copies the typefaces, and writes the stylesheet that declares them."""
    target = ROOT / "docs" / "assets" / "fonts"
    faces = []
    for package, (family, short, styles) in FONTS.items():
        source = MODULES / "@fontsource-variable" / package
        copy(source / "LICENSE", target / f"{short}.LICENSE")
        for style in styles:
            sheet = (source / f"wght{'-italic' if style == 'italic' else ''}.css").read_text()
            for subset in SUBSETS:
                name = f"{package}-{subset}-wght-{style}"
                copy(source / "files" / f"{name}.woff2", target / f"{name}.woff2")
                face = re.search(rf"/\* {name} \*/\n(@font-face \{{.*?\n\}})", sheet, re.DOTALL)
                assert face, f"{package} declares no {name}"
                faces.append(
                    face[1]
                    .replace("./files/", "")
                    .replace("woff2-variations", "woff2")
                    .replace(f"{family} Variable", family)
                )
    (target / "fonts.css").write_text("\n".join(faces) + "\n")


def worker() -> None:
    """Copies what stands in for a worker where the browser allows none."""
    source, target = MODULES / "iframe-worker", ROOT / "docs" / "assets"
    copy(source / "shim" / "index.js", target / "iframe-worker.js")
    copy(source / "LICENSE", target / "iframe-worker.LICENSE")


def axe() -> None:
    """Copies axe-core for the browser tests."""
    copy(MODULES / "axe-core" / "axe.min.js", ROOT / "tests" / "book" / "vendor" / "axe.min.js")
    copy(MODULES / "axe-core" / "LICENSE", ROOT / "tests" / "book" / "vendor" / "axe.LICENSE")


def reveal() -> None:
    """Copies reveal.js without its themes and plugins."""
    source, target = MODULES / "reveal.js", ROOT / "book" / "vendor" / "reveal"
    for name in ("reveal.js", "reveal.css"):
        copy(source / "dist" / name, target / name)
    copy(source / "LICENSE", target / "reveal.LICENSE")


if __name__ == "__main__":
    katex()
    fonts()
    worker()
    axe()
    reveal()
