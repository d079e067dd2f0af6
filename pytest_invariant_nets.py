"""A pytest plugin: fixtures that test the symmetry of your own models, for one group or many.

If the package is installed, pytest loads the plugin:

```python
import pytest
import torch
from invariant_nets import cyclic_group, symmetric_group


def test_my_model(assert_invariant):  # to all of S_n
    assert_invariant(MyModel(), torch.randn(64, 10, 5))


@pytest.mark.groups(symmetric_group(10), cyclic_group(10))
def test_my_layer(assert_equivariant):  # one test per group: [S_10] and [C_10]
    assert_equivariant(MyLayer(), torch.randn(64, 10, 5))
```

A failing test shows the report of `symmetry_report`. The plugin is a module outside the package, so
that a run of pytest that does not use it does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from invariant_nets import PermutationGroup


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "groups(*groups): run the test once for each permutation group, for which assert_invariant "
        "and assert_equivariant then check (invariant_nets).",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the fixtures of a marked test by the marker's groups."""
    marker = metafunc.definition.get_closest_marker("groups")
    if marker is None or "symmetry_group" not in metafunc.fixturenames:
        return
    from invariant_nets import PermutationGroup

    wrong = [group for group in marker.args if not isinstance(group, PermutationGroup)]
    if wrong or marker.kwargs or not marker.args:
        got = ", ".join(map(repr, wrong)) or marker.kwargs or "none"
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: the marker groups takes PermutationGroup objects, "
            f"such as groups(symmetric_group(10)); got {got}"
        )
    # pytest escapes what is not ASCII.
    ids = [group.name.replace("×", "x") for group in marker.args]
    metafunc.parametrize("symmetry_group", marker.args, indirect=True, ids=ids)


# Not of function scope: Hypothesis runs a test many times with one fixture, and asks for that.
@pytest.fixture(scope="class")
def symmetry_group(request: pytest.FixtureRequest) -> PermutationGroup | None:
    """The group of the marker `groups` that this run of the test is for; None without a marker."""
    group: PermutationGroup | None = getattr(request, "param", None)
    return group


@pytest.fixture(scope="class")
def assert_invariant(symmetry_group: PermutationGroup | None) -> Callable[..., None]:
    """`invariant_nets.assert_invariant(model, input, **options)` for the group of the marker.

    Without the marker `groups` the group is $S_n$ on the rows of the input.
    """
    from invariant_nets.checks import assertions as checks

    return _for_group(checks.assert_invariant, symmetry_group)


@pytest.fixture(scope="class")
def assert_equivariant(symmetry_group: PermutationGroup | None) -> Callable[..., None]:
    """`invariant_nets.assert_equivariant(model, input, **options)` for the group of the marker.

    Without the marker `groups` the group is $S_n$ on the rows of the input.
    """
    from invariant_nets.checks import assertions as checks

    return _for_group(checks.assert_equivariant, symmetry_group)


def _for_group(check: Callable[..., None], group: PermutationGroup | None) -> Callable[..., None]:
    def check_group(model: Callable[..., Any], input: Any, **options: Any) -> None:
        __tracebackhide__ = True
        check(model, input, group, **options)

    return check_group
