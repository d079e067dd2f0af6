"""For mutation testing: the first run notes what every test takes, later ones begin with the fast.

A mutant's tests end with the first that fails, and most changes fail many.
"""

import json
from functools import cache
from pathlib import Path

FILE = Path("seconds-of-tests.json")
noted = {}


def pytest_runtest_logreport(report):
    # What several tests share is made by one of them, and counts for the whole file.
    name = report.nodeid if report.when == "call" else _file(report.nodeid)
    noted[name] = max(noted.get(name, 0), report.duration)


def pytest_sessionfinish():
    if noted and not FILE.exists():
        FILE.write_text(json.dumps(noted))


def pytest_collection_modifyitems(items):
    if FILE.exists():
        seconds = _seconds()
        items.sort(
            key=lambda item: seconds.get(item.nodeid, 0) + seconds.get(_file(item.nodeid), 0)
        )


@cache
def _seconds():
    return json.loads(FILE.read_text())


def _file(test):
    return test.partition("::")[0]
