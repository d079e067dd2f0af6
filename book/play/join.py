"""Joins modules of JavaScript into one classic script: from a file, a browser loads no module.

Each module becomes a function that is called at once and returns what it exports, and its imports
become constants that hold what other modules have returned. So names of two modules never collide,
and these forms are all that a module may use:

    import { a, b as c } from "./other.js";
    import "./other.js";
    export function f() {}      // also async function, function*, class
    export const a = 1;         // one name, no pattern
    export { a, b as c };

Any other form is an error, as are names that nobody exports and modules that import each other.
"""

import json
import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath

NAMES = r"\{(?P<names>[\w$,\s]*)\}"
IMPORT = re.compile(
    rf'^import (?:{NAMES} from )?"(?P<path>\.\.?/[\w./-]+\.js)";[ \t]*$', re.MULTILINE
)
EXPORT = re.compile(
    r"^export (?P<kept>(?P<kind>(?:async )?function(?: ?\*)?|class|const) (?P<name>[\w$]+)\b)",
    re.MULTILINE,
)
EXPORTS = re.compile(rf"^export {NAMES};[ \t]*$", re.MULTILINE)
UNKNOWN = re.compile(r"^[ \t]*(?:import|export)\b.*|^.*\bimport\s*[(.].*", re.MULTILINE)
PAIR = re.compile(r"([\w$]+)(?:\s+as\s+([\w$]+))?")


class JoinError(Exception):
    """What is wrong with a module, in words that name it."""


def joined(sources: Mapping[str, str], entry: str) -> str:
    """Returns the script of a module and of all that it imports, each after what it imports.

    Args:
        sources: The text of each module by its path.
        entry: The path of the first. The script leaves all of them as `BOOK.play`, by their paths.
    """
    done: dict[str, str] = {}
    exported: dict[str, list[str]] = {}

    def add(path: str, importers: tuple[str, ...]) -> None:
        if path in importers:
            raise JoinError(f"{path}: imports itself, by way of {', '.join(importers)}")
        if path not in sources:
            raise JoinError(f"{importers[-1] if importers else 'the entry'}: there is no {path}")
        if path in exported:
            return
        source = sources[path]
        for match in IMPORT.finditer(source):
            other = target(path, match["path"])
            add(other, (*importers, path))
            for name, _ in pairs(path, match["names"]):
                if name not in exported[other]:
                    raise JoinError(f"{path}: {other} exports no {name}")
        done[path], exported[path] = module(path, source)

    add(entry, ())
    lines = ["(() => {", '"use strict";', "const modules = {};", *done.values()]
    return "\n".join([*lines, "BOOK.play = modules;", "})();", ""])


def module(path: str, source: str) -> tuple[str, list[str]]:
    """Returns a module as a statement of the script, and the names that it exports."""
    exports = [(match["name"], match["name"]) for match in EXPORT.finditer(source)]
    for match in EXPORTS.finditer(source):
        exports += pairs(path, match["names"])
    names = [outer for _, outer in exports]
    if len(set(names)) < len(names):
        raise JoinError(f"{path}: exports a name twice")

    def imported(match: re.Match[str]) -> str:
        inner = braces(pairs(path, match["names"]))
        lines = match[0].count("\n") * "\n"
        other = f"modules[{json.dumps(target(path, match['path']))}]"
        return f"const {inner} = {other};{lines}" if match["names"] else lines

    body = EXPORTS.sub("", EXPORT.sub(r"\g<kept>", IMPORT.sub(imported, source)))
    if unknown := UNKNOWN.search(body):
        raise JoinError(f"{path}: a form of import or export that is not known: {unknown[0]!r}")
    made = braces([(outer, inner) for inner, outer in exports])
    text = f"modules[{json.dumps(path)}] = (() => {{\n{body.strip()}\nreturn {made};\n}})();"
    return text, names


def braces(names: list[tuple[str, str]]) -> str:
    """Writes keys and their names as JavaScript does, in a pattern and in an object."""
    inner = ", ".join(key if key == name else f"{key}: {name}" for key, name in names)
    return f"{{ {inner} }}" if inner else "{}"


def pairs(path: str, names: str | None) -> list[tuple[str, str]]:
    """Returns the names between braces, each with the name that it takes."""
    found = []
    for part in filter(None, map(str.strip, (names or "").split(","))):
        match = PAIR.fullmatch(part)
        if not match:
            raise JoinError(f"{path}: not a name: {part!r}")
        found.append((match[1], match[2] or match[1]))
    return found


def target(path: str, relative: str) -> str:
    """Returns the path of a module that another one imports."""
    return normpath(join(dirname(path), relative))
