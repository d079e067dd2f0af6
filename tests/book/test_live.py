"""Chapters that run in the background: what is published of them, and what never is."""

import logging
import multiprocessing
import os
import subprocess
import time

import pytest

from book.pages.chapter import ChapterPage
from book.running import live as module
from book.running.chapters import code_cells, read
from book.running.live import Live, status_of
from book.running.run import Runner
from book.serving.notice import notice
from tests.book.small import CORE, FIRST, gate, in_a_thread, small_book, until, write

pytestmark = pytest.mark.book


class Watched(Live):
    """A `Live` that keeps what it published: (chapter, state, outputs of this code)."""

    def __init__(self, folder):
        self.published = []
        super().__init__(Runner(folder, folder / ".cache", background=True), self.note)

    def note(self, path):
        status = self.status[path]
        self.published.append((int(path.name[:2]), status.state, texts(status)))

    def states(self):
        return [status.state for status in self.status.values()]

    def has(self, *states):
        return until(lambda: self.states() == list(states))


def texts(status):
    """The text of each cell whose outputs are of the code as it is."""
    return [
        "".join(output.get("text", "") for output in status.outputs[number])
        for number in range(1, status.fresh + 1)
    ]


@pytest.fixture
def watch():
    """Makes a `Live` of a folder, looks at all chapters, and ends it after the test."""
    made = []

    def start(folder):
        live = Watched(folder)
        made.append(live)
        live.look(sorted((folder / "docs" / "chapters").glob("*.py")))
        return live

    yield start
    for live in made:
        live.close()


@pytest.fixture
def errors():
    """The errors that are logged meanwhile."""
    found = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = found.append
    module.log.addHandler(handler)
    yield found
    module.log.removeHandler(handler)


def test_cells_come_one_by_one_and_chapters_in_the_order_of_reading(tmp_path, watch, monkeypatch):
    monkeypatch.setattr(module, "available_cores", lambda: 1)
    small_book(tmp_path, [FIRST, "print('second')"], [FIRST], [FIRST])
    live = watch(tmp_path)
    assert live.states() == ["waiting"] * 3
    assert live.published == []
    live.go()
    live.has("done", "done", "done")
    first, second = "first 1\n", "second\n"
    assert live.published == [
        (1, "running", []),
        (1, "running", [first]),
        (1, "running", [first, second]),
        (1, "done", [first, second]),
        *[(2, "running", []), (2, "running", [first]), (2, "done", [first])],
        *[(3, "running", []), (3, "running", [first]), (3, "done", [first])],
    ]


def test_what_the_cache_has_does_not_run_again(tmp_path, watch):
    paths = small_book(tmp_path, [FIRST], [FIRST])
    in_a_thread(Runner(tmp_path, tmp_path / ".cache").run, paths)
    live = watch(tmp_path)
    live.go()
    assert live.states() == ["done", "done"]
    assert live.published == []


def test_a_chapter_that_fails_says_why_and_the_others_go_on(tmp_path, watch):
    small_book(tmp_path, [FIRST], [FIRST, "undefined", FIRST], [FIRST])
    live = watch(tmp_path)
    live.go()
    live.has("done", "failed", "done")
    failed = list(live.status.values())[1]
    assert "02_c.py, code cell 2: NameError" in failed.error
    assert texts(failed)[0] == "first 1\n"
    assert failed.fresh == 2
    # An edit of the prose does not try it again; one of the code does.
    count = len(live.published)
    path = next(path for path in live.status if path.name == "02_c.py")
    path.write_text(path.read_text().replace("Prose", "Other prose"))
    live.look(list(live.status))
    live.go()
    assert live.states() == ["done", "failed", "done"]
    write(tmp_path, 2, FIRST)
    live.look(list(live.status))
    live.go()
    live.has("done", "done", "done")
    assert {number for number, *_ in live.published[count:]} == {2}


def test_nothing_of_code_that_has_changed_is_published(tmp_path, watch, errors):
    opened, ran = tmp_path / "open", tmp_path / "ran"
    old = [FIRST, gate(opened), f"open({str(ran)!r}, 'a').write('old')\nprint('old')"]
    new = [FIRST, gate(opened), f"open({str(ran)!r}, 'a').write('new')\nprint('new')"]
    (path,) = small_book(tmp_path, old)
    live = watch(tmp_path)
    live.go()
    until(lambda: len(texts(live.status[path])) == 1)
    write(tmp_path, 1, *new)
    live.look([path])
    count = len(live.published)
    assert live.states() == ["waiting"]
    live.go()
    until(lambda: live.status[path].state == "running")
    opened.touch()
    live.has("done")
    after = [outputs for _, _, outputs in live.published[count:]]
    assert after[0] == []  # it begins anew
    assert not any("old\n" in outputs for outputs in after)
    assert after[-1][-1] == "new\n"
    assert ran.read_text() == "new"  # the kernel of the old code was ended
    assert not errors


def test_a_change_of_the_package_makes_a_running_chapter_begin_anew(tmp_path, watch):
    opened = tmp_path / "open"
    (path,) = small_book(tmp_path, [FIRST, gate(opened)])
    live = watch(tmp_path)
    live.go()
    until(lambda: texts(live.status[path]) == ["first 1\n"])
    (tmp_path / "invariant_nets" / "core.py").write_text(CORE.replace("VALUE = 1", "VALUE = 2"))
    live.look([path])
    live.go()
    opened.touch()
    live.has("done")
    assert texts(live.status[path])[0] == "first 2\n"


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 0.6])
def test_a_run_that_is_given_up_leaves_no_kernel(tmp_path, watch, moment):
    (path,) = small_book(tmp_path, [FIRST, "import time; time.sleep(300)"])
    kernels = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, check=False)
    live = watch(tmp_path)
    live.go()
    until(lambda: live.status[path].state == "running")
    time.sleep(moment)  # the kernel is not there yet, starts, or is at work
    write(tmp_path, 1, FIRST)
    live.look([path])
    live.go()
    live.has("done")
    live.close()
    after = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, check=False)
    assert len(after.stdout.split()) <= len(kernels.stdout.split())


def test_outputs_of_a_package_that_changed_meanwhile_are_not_kept(tmp_path):
    core = tmp_path / "invariant_nets" / "core.py"
    change = f"open({str(core)!r}, 'w').write('VALUE = 2')"
    paths = small_book(tmp_path, [FIRST, change])
    runner = Runner(tmp_path, tmp_path / ".cache")
    in_a_thread(runner.run, paths)
    assert runner.load(paths[0]) is None


def run_beside(folder):
    live = Watched(folder)
    live.look(sorted((folder / "docs" / "chapters").glob("*.py")))
    live.go()
    until(lambda: set(live.states()) == {"done"})
    live.close()


def test_two_processes_with_one_cache_run_each_chapter_once(tmp_path, watch):
    opened, ran = tmp_path / "open", tmp_path / "ran"
    count = f"open({str(ran)!r}, 'a').write('{{}}\\n')"
    paths = small_book(tmp_path, *([count.format(n), gate(opened)] for n in (1, 2, 3)))
    live = watch(tmp_path)
    # Before this process has a thread of its own.
    other = multiprocessing.get_context("spawn").Process(target=run_beside, args=(tmp_path,))
    other.start()
    until(ran.exists)
    live.go()
    until(lambda: "elsewhere" in live.states())
    opened.touch()
    live.has("done", "done", "done")
    other.join(60)
    assert other.exitcode == 0
    assert sorted(ran.read_text().split()) == ["1", "2", "3"]
    assert all(live.status[path].fresh == 2 for path in paths)


def test_old_outputs_are_marked_until_new_ones_replace_them(tmp_path, watch):
    opened = tmp_path / "open"
    opened.touch()
    (path,) = small_book(tmp_path, [FIRST, gate(opened), "print('old')"])
    in_a_thread(Runner(tmp_path, tmp_path / ".cache").run, [path])
    opened.unlink()
    write(tmp_path, 1, FIRST, gate(opened), "print('new')")
    live = watch(tmp_path)
    status = live.status[path]
    page = ChapterPage(read(path), status, lambda *fault: pytest.fail(str(fault)))
    page.html = "".join(
        f'<template data-outputs="{n}" data-search-exclude></template>' for n in (1, 2, 3)
    )
    assert (status.state, status.fresh) == ("stale", 0)
    assert page.filled().count('class="outputs stale"') == 2
    assert "has changed since these outputs" in notice(status)
    live.go()
    until(lambda: status.fresh == 1)
    assert (
        page.outputs()[1] == '<div class="outputs" data-search-exclude><pre class="output">'
        "first 1\n</pre></div>"
    )
    assert '<div class="outputs stale" data-search-exclude>' in page.outputs()[3]
    assert "has changed since these outputs; it runs again, cell 2 of 3" in notice(status)
    opened.touch()
    live.has("done")
    assert "stale" not in page.filled()
    assert "old" not in page.filled()
    assert notice(status) == ""


def test_outputs_of_another_number_of_cells_are_not_shown(tmp_path):
    (path,) = small_book(tmp_path, [FIRST])
    runner = Runner(tmp_path, tmp_path / ".cache")
    in_a_thread(runner.run, [path])
    write(tmp_path, 1, "1 + 1", FIRST)
    status = status_of(runner, path, read(path))
    assert (status.state, status.outputs) == ("waiting", {})


def test_each_state_has_its_words(tmp_path):
    (path,) = small_book(tmp_path, [FIRST, "1", "2"])
    status = status_of(Runner(tmp_path, tmp_path / ".cache"), path, read(path))
    assert notice(status, "; it runs after chapter 3") == (
        "<p>This chapter has not run yet; it runs after chapter 3.</p>"
    )
    status.state = "elsewhere"
    assert "another process runs it" in notice(status)
    status.state = "running"
    assert notice(status) == "<p>This chapter is running, cell 1 of 3.</p>"
    status.fresh = len(code_cells(status.notebook))  # it ends
    assert notice(status) == "<p>This chapter is running, cell 3 of 3.</p>"
    status.state, status.error = "failed", "a < b"
    assert notice(status) == '<p>This chapter failed.</p><pre class="output">a &lt; b</pre>'
