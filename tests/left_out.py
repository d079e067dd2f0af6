"""Says at the end of a run how many tests its markers left out, and what runs them."""

from collections import Counter

import pytest

WORDS = {"book": "of the book", "slow": "slow"}  # of a test with both marks, the first counts
left_out = Counter()


def pytest_deselected(items):
    marks = ({mark.name for mark in item.iter_markers()} for item in items)
    left_out.update(next((word for word in WORDS if word in names), "") for names in marks)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # every worker leaves out the same
        session.config.workeroutput["left_out"] = dict(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    global left_out
    left_out |= Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter, config):
    counts = ", ".join(f"{left_out[word]} {WORDS[word]}" for word in WORDS if left_out[word])
    if counts and config.option.markexpr:
        terminalreporter.write_line(f"left out: {counts}; `make check` runs them")
