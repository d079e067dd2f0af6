"""The table of which tool offers what: the facts are in `tools.toml`, the ratios in the results."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.harness.results import OURS, Result
from benchmarks.page.speed import compared
from benchmarks.page.text import SPACE, markdown_table

FILE = Path(__file__).with_name("tools.toml")
CITATION = Path(__file__).parents[3] / "CITATION.cff"
NAMES = {OURS: "this package", "torch_geometric": "torch_<wbr>geometric", "torch": "plain torch"}

Lookup = Callable[[str, str], Sequence[Result]]  # the results of a case of a part


@dataclass(frozen=True)
class Tool:
    """A package: when its last release was, its license, what it runs on, where that was read."""

    version: str
    license: str
    runs: str
    read: str
    released: date | None = None


@dataclass(frozen=True)
class Answer:
    """What a tool offers for a task, as `tools.toml` says it."""

    offers: str
    sizes: str
    batches: str
    read: str
    only: str = ""
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task, the answer of each tool (none if it offers nothing), and where it was measured."""

    title: str
    by: Mapping[str, Answer | None]
    part: str = ""
    case: str = ""


def read(path: Path = FILE) -> tuple[dict[str, Tool], list[Task]]:
    """Reads the tools and the tasks."""
    found = tomllib.loads(path.read_text())
    tools = {name: Tool(**{**tool, **_own(tool)}) for name, tool in found["tools"].items()}
    tasks = []
    for task in found["tasks"]:
        answers = {name: _answer(answer) for name, answer in task["by"].items()}
        tasks.append(Task(**{**task, "by": answers}))
    return tools, tasks


def _own(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Reads what the citation file says of this package."""
    if tool["version"] != CITATION.name:
        return {}
    said = dict(re.findall(r"^(version|date-released|license): (.*)$", CITATION.read_text(), re.M))
    day = date.fromisoformat(said["date-released"])
    return {"version": said["version"], "released": day, "license": said["license"]}


def _answer(answer: str | Mapping[str, Any]) -> Answer | None:
    if isinstance(answer, str):
        if answer != "no":
            raise ValueError(f'answer must be "no" or a table, got {answer!r}')
        return None
    return Answer(**{**answer, "rivals": tuple(answer.get("rivals", ()))})


class ToolFindings:
    """What the page says of the tools."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._tools, self._tasks = read()

    def which(self) -> str:
        """Makes the table of tasks and tools: offered or not, for which sizes, and how fast."""
        rows = []
        for task in self._tasks:
            ways = {name: answer.rivals for name, answer in task.by.items() if answer}
            found = self._lookup(task.part, task.case) if task.part else []
            ratios = compared(ways, found, "fastest")
            cells = [_cell(task.by[name], ratios.get(name, "")) for name in self._tools]
            rows.append([task.title, *cells])
        return markdown_table(["", *map(_named, self._tools)], rows, texts=len(self._tools) + 1)

    def releases(self) -> str:
        """Makes the table of the tools themselves."""
        rows = []
        for name, tool in self._tools.items():
            day = tool.released
            when = f", {day.day}{SPACE}{day:%b}{SPACE}{day:%Y}" if day else ""
            rows.append([_named(name), f"{tool.version}{when}", tool.license, tool.runs])
        return markdown_table(["", "release", "license", "runs on"], rows, texts=4)

    def offers(self) -> str:
        """Lists by task what each offer is called, and where that was read."""
        lines = []
        for task in self._tasks:
            said = [
                f"{_named(name)}: {answer.offers} ({answer.read})"
                for name, answer in task.by.items()
                if answer
            ]
            lines.append(f"- **{task.title}.** {'; '.join(said)}.")
        return "\n".join(lines)


def _named(name: str) -> str:
    return NAMES.get(name, name)


def _cell(answer: Answer | None, ratio: str) -> str:
    if answer is None:
        return "–"
    size = ", ".join(word for word in (answer.sizes, answer.batches) if word)
    return "<br>".join(line for line in (answer.only, size, ratio) if line)
