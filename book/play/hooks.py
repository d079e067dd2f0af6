"""The hooks by which MkDocs makes `assets/play.js`, and keeps its sources out of the site."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from book.play.join import JoinError, joined

SOURCES = "assets/play/"  # modules, below docs/
ENTRY = "main.js"
SCRIPT = "assets/play.js"


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
    return files
