"""The chapters in JupyterLab: opened as notebooks, and saved as the files that they were."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import jupytext
import pytest

from tests.book.small import until

ROOT = Path(__file__).parents[2]
CHAPTERS = ROOT / "docs" / "chapters"


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.py")), ids=lambda path: path.stem)
def test_a_chapter_is_written_as_it_was_read(path):
    text = path.read_text()
    assert jupytext.writes(jupytext.reads(text, fmt="py:percent"), fmt="py:percent") == text


class Lab:
    """JupyterLab on a folder, set up as `make lab` does."""

    def __init__(self, folder, home):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/"
        places = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        environment = {name: str(home / name.lower()) for name in places}
        environment["JUPYTER_CONFIG_PATH"] = str(ROOT / "book" / "lab")
        options = ("--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=t")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, str(folder)],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, path, body=None):
        """Returns what the server answers, or nothing while nobody does."""
        request = urllib.request.Request(
            self.address + path,
            data=json.dumps(body).encode() if body else None,
            method="PUT" if body else "GET",
            headers={"Authorization": "token t", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def answers(self):
        try:
            return self.ask("api/status")
        except OSError:
            assert self.process.poll() is None, "it has ended"
            return None

    def opened(self, name):
        return self.ask(f"api/contents/{name}?type=notebook&content=1")["content"]

    def saved(self, name, notebook):
        body = {"type": "notebook", "format": "json", "content": notebook}
        self.ask(f"api/contents/{name}", body)


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a copy of the chapters."""
    shutil.copytree(CHAPTERS, tmp_path / "chapters")
    lab = Lab(tmp_path / "chapters", tmp_path)
    try:
        until(lab.answers, seconds=120)
        yield lab
    finally:
        lab.process.terminate()
        lab.process.wait()


def used(notebook):
    """Leaves in a notebook what JupyterLab leaves after all its cells have run."""
    version = {"name": "python", "version": "3.99"}
    notebook["metadata"] |= {"language_info": version, "widgets": {}, "toc-autonumbering": True}
    for number, cell in enumerate(notebook["cells"], start=1):
        cell["metadata"] |= {"trusted": True, "scrolled": True, "tags": ["read"], "editable": False}
        if cell["cell_type"] == "code":
            output = {"output_type": "stream", "name": "stdout", "text": "42\n"}
            cell |= {"execution_count": number, "outputs": [output]}
    return notebook


@pytest.mark.book
def test_no_byte_of_a_chapter_changes_between_opening_and_saving(lab, tmp_path):
    chapters = sorted((tmp_path / "chapters").glob("*.py"))
    before = {path.name: path.read_bytes() for path in chapters}
    for path in chapters:
        notebook = lab.opened(path.name)
        assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
        os.utime(path, (0, 0))
        lab.saved(path.name, used(notebook))
        assert path.stat().st_mtime > 0
        assert path.read_bytes() == before[path.name], path.name
    assert not list((tmp_path / "chapters").glob("*.ipynb"))
    settings = lab.ask("lab/api/settings/@jupyterlab/docmanager-extension:plugin")
    viewers = settings["schema"]["properties"]["defaultViewers"]["default"]
    assert viewers == {"python": "Jupytext Notebook"}

    # An edit changes what was edited.
    path = chapters[0]
    notebook = lab.opened(path.name)
    notebook["cells"][0]["source"] = notebook["cells"][0]["source"].replace("# Sets", "# Bags", 1)
    lab.saved(path.name, used(notebook))
    assert path.read_bytes() == before[path.name].replace(b"# # Sets", b"# # Bags", 1)
