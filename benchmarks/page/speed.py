"""Compares what does the same: the time of the fastest, and how much longer the others take."""

from collections.abc import Mapping, Sequence

from benchmarks.harness.results import Result
from benchmarks.harness.timing import Quartiles
from benchmarks.page.text import duration, number, powers

Ways = Mapping[str, Sequence[str]]  # the rivals of each tool, of which its fastest counts


def seconds(result: Result) -> float:
    """Returns the median time of one thing that is done."""
    if not result.value:
        raise ValueError(f"no measurement of {result.rival!r} in {result.case!r}")
    return 1 / result.value[1] if result.unit == "1/s" else result.value[1]


def costs(results: Sequence[Result]) -> list[Quartiles]:
    """Returns what each took, up to one factor: the ratios of the rounds if all have one floor."""
    if len({result.against for result in results}) == 1 and {r.unit for r in results} == {"s"}:
        ratios = [result.ratio for result in results]
        if all(ratios):
            return [ratio for ratio in ratios if ratio]
    found = []
    for result in results:
        lower, middle, upper = result.value or (0.0, 0.0, 0.0)
        rate = result.unit == "1/s"
        found.append((1 / upper, 1 / middle, 1 / lower) if rate else (lower, middle, upper))
    return found


def compared(ways: Ways, results: Sequence[Result], fastest: str = "") -> dict[str, str]:
    """Writes a cell for each tool: the time of the fastest, and for the others how much longer.

    A tool that was not measured has the reason. What may be as fast, since the quartiles overlap,
    is marked.

    Args:
        ways: what each tool is called in the results.
        results: those of one case.
        fastest: what the fastest has instead of its time.
    """
    known = {result.rival: result for result in results}
    chosen: dict[str, Result] = {}
    cells: dict[str, str] = {}
    for tool, names in ways.items():
        there = [known[name] for name in names if name in known]
        if measured := [result for result in there if result.value]:
            chosen[tool] = min(measured, key=seconds)
        elif there:
            cells[tool] = powers(there[0].note)
    if not chosen:
        return cells
    taken = dict(zip(chosen, costs(list(chosen.values())), strict=True))
    first = min(taken, key=lambda tool: taken[tool][1])
    for tool, (lower, middle, _) in taken.items():
        if tool == first:
            cells[tool] = f"**{fastest or duration(seconds(chosen[tool]))}**"
        else:
            about = "≈" if lower <= taken[first][2] else ""
            cells[tool] = f"{about}{number(middle / taken[first][1])}×"
    return cells
