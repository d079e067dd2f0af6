"""The built book in a real browser: every page, light and dark, on a desk and on a phone."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
WIDTHS = (1280, 390)
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)

pytestmark = [
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),  # one worker, so that the book is built once
]


def addresses(entry):
    if isinstance(entry, str):
        path = Path(entry).with_suffix("").as_posix()
        return [path.removesuffix("index") if path.endswith("index") else f"{path}/"]
    entries = entry.values() if isinstance(entry, dict) else entry
    return [address for item in entries for address in addresses(item)]


PAGES = addresses(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the book, strictly built and served."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {"executable_path": CHROMIUM, "args": list(FLAGS)}


@pytest.fixture(scope="session", params=["light", "dark"])
def tab(browser, request):
    """A tab in one color scheme, and the list of what goes wrong in it."""
    context = browser.new_context(color_scheme=request.param)
    page = context.new_page()
    page.scheme = request.param
    page.problems = []
    page.on("console", lambda m: m.type in ("error", "warning") and page.problems.append(m.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(f"failed: {request.url}"))
    page.on("response", lambda r: r.status >= 400 and page.problems.append(f"{r.status}: {r.url}"))
    yield page
    context.close()


def serious(tab):
    """Returns what axe-core finds that is serious or critical, each with a first place."""
    violations = tab.evaluate(
        "async () => (await axe.run({resultTypes: ['violations']})).violations"
    )
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:200]} ({v['nodes'][0]['failureSummary']})"
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]


FAULTS_OF_LAYOUT = """() => {
  const faults = [];
  const box = document.documentElement;
  if (box.scrollWidth > innerWidth) faults.push(`the page is ${box.scrollWidth} px wide`);
  const text = document.querySelector(".md-content").innerText;
  for (const tex of text.match(/\\$[^$\\n]{1,80}\\$|\\\\[([].{1,80}?\\\\[)\\]]/g) ?? []) {
    if (![...document.querySelectorAll("pre, code")].some(e => e.innerText.includes(tex)))
      faults.push(`not typeset: ${tex}`);
  }
  for (const math of document.querySelectorAll(".katex-html")) {
    const hidden = math.closest("details:not([open])");
    if (!hidden && !math.getBoundingClientRect().width) faults.push(`invisible: ${math.innerText}`);
  }
  for (const plot of document.querySelectorAll(".plot :is(svg, img)")) {
    if (!plot.parentElement.closest(".scroll")) continue;
    const { width, height } = plot.getBoundingClientRect();
    if (width < 200 || height < 100) faults.push(`a plot of ${width} by ${height} px`);
  }
  return faults;
}"""


# The theme lets the keyboard into code that scrolls, a moment after the width has changed.
SETTLED = """() => document.fonts.status == "loaded" && [...document.querySelectorAll("pre > code")]
  .every(code => code.scrollWidth <= code.clientWidth || code.tabIndex == 0)"""
AT_REST = "*, ::before, ::after { transition: none !important; animation: none !important }"


@pytest.mark.parametrize("address", PAGES)
def test_page(site, tab, address):
    tab.problems.clear()
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.set_viewport_size({"width": WIDTHS[0], "height": 900})
    tab.goto(site + address)
    tab.add_style_tag(content=AT_REST)  # else colors are measured halfway through a transition
    tab.evaluate(AXE)
    scheme = tab.evaluate("document.body.dataset.mdColorScheme")
    assert scheme == {"light": "default", "dark": "slate"}[tab.scheme]
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function(SETTLED)
        assert tab.evaluate(FAULTS_OF_LAYOUT) == [], f"at {width} px"
        assert serious(tab) == [], f"at {width} px"
    assert tab.problems == []
    assert [url for url in requests if not url.startswith((site, "data:", "blob:"))] == []


def test_the_checks_can_fail(site, tab):
    tab.problems.clear()
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.goto(site)
    tab.evaluate(AXE)
    tab.evaluate(
        """document.querySelector(".md-content__inner").innerHTML += `
        <p style="color: #888; background: #999">faint</p>
        <div style="width: 500px">wide</div> $x^2$
        <figure class="plot"><div class="scroll"><svg width="9" height="9"></svg></div></figure>`;
        console.error("oh")"""
    )
    faults = " ".join(tab.evaluate(FAULTS_OF_LAYOUT))
    for fault in ("px wide", "not typeset: $x^2$", "a plot of"):
        assert fault in faults
    assert any(problem.startswith("color-contrast") for problem in serious(tab))
    assert "oh" in tab.problems


def test_search_finds_a_layer(site, tab):
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(site)
    tab.click(".md-search__input")
    tab.type(".md-search__input", "LinearEquivariant")
    tab.wait_for_selector(".md-search-result__link:has-text('LinearEquivariant')")
    found = tab.locator(".md-search-result__list").text_content()
    assert "Copied!" not in found
    assert "In [" not in found


@pytest.mark.parametrize("address", CHAPTERS)
def test_download_opens_as_a_notebook(site, tab, address, tmp_path):
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(site + address)
    with tab.expect_download() as download:
        tab.click("a[download]")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "pip install" in notebook.cells[0].source


def test_color_scheme_can_be_chosen(site, tab):
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(site)
    seen = set()
    for _ in range(3):
        tab.click("label.md-header__button[for^=__palette]:not([hidden])")
        seen.add(tab.evaluate("document.body.dataset.mdColorScheme"))
    assert seen == {"default", "slate"}
