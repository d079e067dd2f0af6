"""What is wrong with a page of the book in a browser."""

import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)
HERE = Path(__file__).parent
AXE = HERE / "vendor" / "axe.min.js"
CHECKS = (HERE / "page_checks.js").read_text()
SCHEMES = {"light": "default", "dark": "slate"}  # by the theme's names
WIDTHS = (1280, 390)
VIEWS = [("light", 1280), ("light", 390), ("dark", 390), ("dark", 1280)]
IN_COLOR = ["color-contrast", "link-in-text-block"]  # all else is the same in the dark
# Else colors are measured halfway through a transition.
AT_REST = "*, ::before, ::after { transition: none !important; animation: none !important }"
ROOT = HERE.parents[1]
LEFT = "net::ERR_ABORTED"  # the icon was still on its way when the page was left
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def addresses(entry):
    """Returns the addresses of the pages of an entry of the navigation, below the site."""
    if isinstance(entry, str):
        return [Path(entry).with_suffix(".html").as_posix()]
    entries = entry.values() if isinstance(entry, dict) else entry
    return [address for item in entries for address in addresses(item)]


PAGES = addresses(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]


@contextmanager
def serving(folder, handler=SimpleHTTPRequestHandler):
    """Serves a folder for a while, at the address that it gives."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def in_view(view):
    scheme, width = view
    return f"{scheme}, {width} px: "


def watch(page, site):
    """Lists in `page.problems` what the browser complains of, and requests to other places."""

    def note(problem):
        page.problems.append(problem)

    page.problems = []
    page.on("console", lambda m: m.type in ("error", "warning") and note(m.text))
    page.on("pageerror", lambda error: note(str(error)))
    page.on("requestfailed", lambda r: r.failure == LEFT or note(f"failed: {r.url}, {r.failure}"))
    page.on("response", lambda r: r.status >= 400 and note(f"{r.status}: {r.url}"))
    allowed = (site, "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(allowed) or note(f"asks for {r.url}"))


def show(page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(FRAMES)  # the page hears of its new width with the next frame
    page.wait_for_function("scheme => settled(scheme)", arg=SCHEMES[scheme])


def serious(page, rules=None):
    """Returns what axe-core finds that is serious or critical."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    violations = page.evaluate("async options => (await axe.run(options)).violations", options)
    return [
        f"{v['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for v in violations
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


def faults_of(page, address, spoil=""):
    """Returns the faults of a page, each with the view that shows it.

    The layout is checked on the whole page, and axe-core walks the page thinned; a script may
    spoil the page first.
    """
    page.problems.clear()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(address)
    page.add_style_tag(content=AT_REST)
    page.add_script_tag(url="/axe.min.js")
    page.add_script_tag(content=CHECKS)
    page.evaluate(f"() => {{ {spoil} }}")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    faults = []
    for view in VIEWS:
        show(page, *view)
        faults += [f"{in_view(view)}{fault}" for fault in page.evaluate("faultsOfWhole()")]
        page.evaluate("read()")
    page.evaluate("thin()")
    # First another width than the last, for the theme to look anew at what scrolls.
    for view in VIEWS[2:] + VIEWS[:2]:
        show(page, *view)
        rules = IN_COLOR if view[0] == "dark" else None
        faults += [f"{in_view(view)}{fault}" for fault in serious(page, rules)]
    return faults + page.problems
