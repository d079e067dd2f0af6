"""The hooks by which MkDocs makes `assets/play.js`, and keeps its sources out of the site.

Beside it come the models that chapters have put out, and what they claim.
"""

from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from book.pages.bundles import bundles
from book.play.claims_script import NEEDED, claims_script
from book.play.claims_script import SCRIPT as CLAIMS
from book.play.join import JoinError, joined
from book.play.still import Stills
from book.running.chapters import code_cells
from book.running.run import Runner

SOURCES = "assets/play/"  # modules, below docs/
ENTRY = "main.js"
SCRIPT = "assets/play.js"

stills = Stills({}, {})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Puts one script in the place of its modules."""
    found = [file for file in files if file.src_uri.startswith(SOURCES)]
    modules = {file.src_uri.removeprefix(SOURCES): file.content_string for file in found}
    for file in found:
        files.remove(file)
    try:
        content = joined(modules, ENTRY)
    except JoinError as error:
        raise PluginError(f"docs/{SOURCES}{error}") from None
    files.append(File.generated(config, SCRIPT, content=content))
    stills.modules, stills.scripts = modules, {}
    made: set[str] = set()
    for uri, content in put_out(config):
        if uri in made:
            raise PluginError(f"two cells of the book put out {uri}")
        made.add(uri)
        stills.scripts[Path(uri).stem] = content
        files.append(File.generated(config, uri, content=content))
    if any(NEEDED.search(file.content_string) for file in files.documentation_pages()):
        root = Path(config.config_file_path).parent
        claims = claims_script(root, root / ".cache" / "book")
        stills.scripts["claims"] = claims
        files.append(File.generated(config, CLAIMS, content=claims))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts a still picture into each place of the playground."""
    return stills.filled(html)


def put_out(config: MkDocsConfig) -> Iterator[tuple[str, str]]:
    """Yields what the chapters put out for pages to load, as far as they have run."""
    root = Path(config.config_file_path).parent
    runner = Runner(root, root / ".cache" / "book")
    for path in sorted((Path(config.docs_dir) / "chapters").glob("*.py")):
        if notebook := runner.load(path):
            outputs = (output for cell in code_cells(notebook) for output in cell.outputs)
            yield from bundles(outputs).items()
