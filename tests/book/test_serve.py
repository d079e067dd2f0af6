"""The server of the book: pages at once, outputs as they come, and nothing left when it ends."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.book.pages import CHROMIUM
from tests.book.small import FIRST, gate, in_a_thread, site, small_book, until, write

pytestmark = pytest.mark.book

# A process that was started where Ctrl-C is ignored would ignore it too.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from mkdocs.__main__ import cli; cli()"
)


def command(folder, *words):
    return {
        "args": [sys.executable, "-c", START, *words],
        "cwd": folder,
        "env": os.environ | {"PYTHONPATH": str(folder)},
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }


class Server:
    """A server of a small book, in a process of its own."""

    def __init__(self, folder, port):
        self.process = subprocess.Popen(**command(folder, "serve", "--livereload"))
        self.address = f"http://127.0.0.1:{port}/"

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()

    def get(self, path):
        """Returns a page, or nothing while nobody answers."""
        with contextlib.suppress(OSError), urllib.request.urlopen(self.address + path) as answer:
            return answer.read().decode()
        return ""

    def news(self, number):
        """Returns what the page of a chapter is told of its outputs."""
        return json.loads(self.get(f"chapters/{number:02}_c.outputs.json") or '{"state": ""}')

    def page(self, path):
        """Returns a page without the script by which MkDocs reloads it."""
        page = self.get(path)
        return re.sub(r"<script>(?:(?!</script>).)*livereload.*?</script>", "", page, flags=re.S)

    def chapter(self, number):
        """Returns the page of a chapter."""
        return self.page(f"chapters/{number:02}_c.html")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def serve(tmp_path, port):
    """Starts a server of the book in `tmp_path`, and ends it after the test."""
    servers = []

    def start():
        servers.append(Server(tmp_path, port))
        until(lambda: servers[-1].get(""))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


MODELS = """class Models:
    def _repr_mimebundle_(self, **_):
        kept = {"name": "two", "graphs": VALUE, "weights": "", "checks": {}}
        return {"text/plain": "2 models", "application/vnd.invariant-nets.graphs+json": kept}
Models()"""


def test_what_a_chapter_puts_out_for_pages_is_served_when_it_is_done(tmp_path, port, serve):
    opened = tmp_path / "open"
    small_book(tmp_path, [FIRST, gate(opened), MODELS])
    site(tmp_path, port)
    server = serve()
    until(lambda: server.news(1)["cells"].get("1"))
    assert not server.get("assets/play/two.js")
    opened.touch()
    until(lambda: server.news(1)["state"] == "done")
    script = 'BOOK.data["two"] = {"graphs":1,"weights":""};\n'
    assert server.get("assets/play/two.js") == script
    page = server.get("chapters/01_c.html")
    assert '<pre class="output">2 models</pre>' in page
    server.end()

    build = command(tmp_path, "build", "--strict")
    assert subprocess.run(**build, check=False).returncode == 0
    assert (tmp_path / "site/assets/play/two.js").read_text() == script
    write(tmp_path, 2, FIRST, MODELS)
    result = subprocess.run(**build, check=False)
    assert result.returncode != 0
    assert "two cells of the book put out assets/play/two.js" in result.stdout


def test_a_served_page_ends_as_the_built_one(tmp_path, port, serve):
    opened = tmp_path / "open"
    small_book(tmp_path, [FIRST, gate(opened), "print('second')"], [FIRST], ["undefined"])
    site(tmp_path, port)
    server = serve()
    page = server.chapter(1)
    assert all(part in page for part in ("Prose with", "<math", "print", 'role="status"'))
    until(lambda: server.news(1)["cells"].get("1"))
    news, page = server.news(1), server.chapter(1)
    assert news["state"] == "running"
    assert "cell 2 of 3" in news["notice"]
    assert news["notice"] in page
    assert "first 1" in page
    opened.touch()
    until(lambda: server.news(1)["state"] == "done")
    until(lambda: server.news(2)["state"] == "done")
    until(lambda: server.news(3)["state"] == "failed")
    failed = server.chapter(3)
    assert "03_c.py, code cell 1: NameError" in failed
    pages = ("chapters/01_c.html", "chapters/02_c.html", "core.html", "index.html")
    served = {page: server.page(page) for page in pages}

    # A build is strict, and has the same pages.
    build = command(tmp_path, "build", "--strict")
    result = subprocess.run(**build, check=False)
    assert result.returncode != 0
    assert "03_c.py, code cell 1: NameError" in result.stdout
    assert not (tmp_path / "site").exists()
    write(tmp_path, 3, FIRST)
    result = subprocess.run(**build, check=False)
    assert result.returncode == 0, result.stdout
    for page, text in served.items():
        assert text == (tmp_path / "site" / page).read_text(), page
    assert "<script>" not in served[pages[0]].split("<article")[1].split("</article")[0]

    # One that starts again finds all of it, and shows the same.
    server.end()
    server = serve()
    assert server.page("core.html") == served["core.html"]
    assert server.page(pages[0]) == served[pages[0]]


def test_an_edit_of_prose_shows_while_a_chapter_runs_on(tmp_path, port, serve):
    opened, ran = tmp_path / "open", tmp_path / "ran"
    (path,) = small_book(tmp_path, [f"open({str(ran)!r}, 'a').write('x')", gate(opened)])
    site(tmp_path, port)
    server = serve()
    until(ran.exists)
    path.write_text(path.read_text().replace("Prose with", "Other prose with"))
    until(lambda: "Other prose with" in server.chapter(1))
    opened.touch()
    until(lambda: server.news(1)["state"] == "done")
    assert "Other prose with" in server.chapter(1)
    assert ran.read_text() == "x"
    core = tmp_path / "invariant_nets" / "core.py"
    reference = server.get("core.html")
    assert "Double a number" in reference
    assert 'href="../core.html#invariant_nets.core.double"' in server.chapter(1)
    core.write_text(core.read_text().replace("Double a number", "Multiply a number"))
    until(lambda: "Multiply a number" in server.get("core.html"))
    assert ran.read_text() == "x"  # a docstring is no code
    write(tmp_path, 1, FIRST, "print('other code')")
    until(lambda: "other code\n" in server.news(1)["cells"].get("2", ""))


def alive(pid):
    """Tells whether a process runs; one that has ended may wait to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="there is no /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_kernel_outlives_the_server(tmp_path, port, serve, number):
    pids = tmp_path / "pids"
    tell = f"import os\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')"
    small_book(tmp_path, *[[tell, "import time; time.sleep(300)"]] * 2)
    site(tmp_path, port)
    server = serve()
    until(pids.exists)
    time.sleep(0.5)  # in which the other one may have started, too
    kernels = [int(pid) for pid in pids.read_text().split()]
    assert all(alive(pid) for pid in kernels)
    server.process.send_signal(number)
    output, _ = server.process.communicate(timeout=30)
    until(lambda: not any(alive(pid) for pid in kernels), seconds=15)
    assert "Traceback" not in output
    if number == signal.SIGINT:
        assert server.process.returncode == 0


def test_an_address_in_use_is_told_in_one_line_at_once(tmp_path, port):
    small_book(tmp_path, [FIRST])
    site(tmp_path, port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        result = subprocess.run(**command(tmp_path, "serve"), check=False)
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if not line.startswith("INFO")]
    assert re.fullmatch(rf"127.0.0.1:{port} is in use: try `make serve ADDRESS=[\d.]+:\d+`", line)
    assert "built" not in result.stdout


@pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium")
def test_an_open_page_gets_its_outputs_by_itself(tmp_path, port, serve):
    opened = tmp_path / "open"
    small_book(tmp_path, [FIRST, gate(opened), "print('second')"])
    site(tmp_path, port)
    server = serve()
    in_a_thread(read, f"{server.address}chapters/01_c.html", opened.touch)


def read(address, go_on):
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        tab = browser.new_page()
        tab.goto(address)
        tab.evaluate("window.mark = 1")
        tab.wait_for_function("document.body.innerText.includes('first 1')")
        assert "cell 2 of 3" in tab.inner_text(".state")
        go_on()
        tab.wait_for_function("document.querySelector('.state').hidden")
        assert "second" in tab.inner_text("#outputs-3")
        assert tab.evaluate("window.mark") == 1  # it was not loaded again
        browser.close()
