"""Mutation testing begins with the tests that take least."""

from types import SimpleNamespace

from tests import fastest_first


def report(nodeid, when, duration):
    return SimpleNamespace(nodeid=nodeid, when=when, duration=duration)


def test_the_fastest_come_first_and_what_a_file_shares_counts_for_all_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastest_first, "noted", {})
    fastest_first._seconds.cache_clear()
    items = [SimpleNamespace(nodeid=name) for name in ("a::x", "a::y", "b::x", "b::y[z::1]")]
    given = list(items)
    fastest_first.pytest_collection_modifyitems(items)
    assert items == given  # nothing is known yet
    fastest_first.pytest_sessionfinish()  # collected only
    for one in (
        *(report("a::x", "setup", 5.0), report("a::x", "call", 0.1)),
        *(report("a::y", "setup", 0.0), report("a::y", "call", 0.2)),
        *(report("b::x", "call", 2.0), report("b::y[z::1]", "call", 1.0)),
    ):
        fastest_first.pytest_runtest_logreport(one)
    fastest_first.pytest_sessionfinish()
    fastest_first.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["b::y[z::1]", "b::x", "a::x", "a::y"]
    fastest_first.noted.clear()
    fastest_first.pytest_runtest_logreport(report("a::x", "call", 9.0))
    fastest_first.pytest_sessionfinish()
    assert fastest_first._seconds()["a::x"] == 0.1  # the first run's stand
    fastest_first._seconds.cache_clear()
