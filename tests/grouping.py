"""Tests marked with one `xdist_group` run on one worker.

pytest-xdist 3.8 hands a test's group over in the test's id, by a private name that pytest 9.2 no
longer has, and then splits every group without a word (pytest-dev/pytest-xdist#1386). Here each
worker writes the groups of its tests into a file, and the scheduler reads it. The largest groups
start first, as in every scheduler of xdist that knows scopes.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from xdist.scheduler import LoadScopeScheduling


class Grouped(LoadScopeScheduling):
    """A group is one unit of work, and so is each test without a group."""

    def add_node_collection(self, node, collection):
        self.groups = json.loads(Path(node.workerinput["groups"]).read_text())
        super().add_node_collection(node, collection)

    def mark_test_complete(self, node, item_index, duration=0):
        super().mark_test_complete(node, item_index, duration)
        work = self.assigned_work[node]  # xdist counts all of it after every test
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(work[scope].values()):
            del work[scope]

    def _split_scope(self, nodeid):
        return self.groups.get(nodeid, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Grouped(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    folder = TemporaryDirectory()
    node.config.add_cleanup(folder.cleanup)
    node.workerinput["groups"] = f"{folder.name}/groups.json"


@pytest.hookimpl(tryfirst=True)  # before xdist tells the scheduler that the worker has collected
def pytest_collection_finish(session):
    workerinput = getattr(session.config, "workerinput", None)
    if workerinput is not None:
        marks = {item.nodeid: item.get_closest_marker("xdist_group") for item in session.items}
        groups = {nodeid: mark.args[0] for nodeid, mark in marks.items() if mark}
        Path(workerinput["groups"]).write_text(json.dumps(groups))
