"""Write docs/facts.md from the sections of `envkit/facts/`: `python scripts/document_facts.py`.

A fact's name is its path in the JSON that `envkit probe` prints; its type and its docstring stand in the source.
"""

from __future__ import annotations

# ruff: noqa: INP001 - a script, no package
import ast
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from envkit.facts import SCHEMA, SECTIONS, Facts

DOCS = Path(__file__).resolve().parents[1] / "docs"
UNITS = {
    "bytes": "bytes",
    "seconds": "seconds",
    "seconds_since_boot": "seconds",
    "watts": "watts",
    "celsius": "degrees Celsius",
    "megahertz": "MHz",
    "percent": "percent",
    "cores": "cores",
    "bits": "bits",
    "gigabytes_per_second": "GB/s",
    "gigabits_per_second": "Gbit/s",
    "megabits_per_second": "Mbit/s",
    "milliseconds": "milliseconds",
}
HEAD = f"""# Facts

Made by `python scripts/document_facts.py`; edit `envkit/facts/`, not this file.

`envkit probe` prints the facts of a machine as JSON (schema `{SCHEMA}`); `envkit doctor --facts` judges them, here or
anywhere. Names are stable: a fact that is renamed or changes its unit makes a new schema. `null` is *unknown*, never 0;
the lines here call it None.

Beside the sections stand `schema`, `envkit` (the version that took the facts), `taken_at` (when, in UTC) and `sources`
(what was read where it was not this machine: "nvidia-smi -q", "pip list").

Each section is an object with `outcome` (`ok`; `absent`: asked, not there; `unknown`: could not ask), `why`, `seconds`
(how long it took) and `facts`, whose fields are listed here; `gpus[]` is an entry of a list. A number whose unit is not
named is a count or an index.
"""


def document() -> str:
    """The text of docs/facts.md."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Facts)}
    return "\n".join([HEAD, *(section(name, struct_in(fields[name])) for name in SECTIONS)])


def section(name: str, struct: type[msgspec.Struct]) -> str:
    """One section: its purpose and a row for each field."""
    rows = [f"| `{path}` | {kind} | {unit} | {text} |" for path, kind, unit, text in fields(struct, "")]
    head = ["| fact | type | unit | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {name}\n", f"{purpose_of(struct)}\n", *head, *rows, ""])


def fields(struct: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Path, type, unit and meaning of each field, those of structs within it behind it."""
    for field in msgspec.structs.fields(struct):
        path, inner = f"{prefix}{field.name}", struct_in(field.type)
        text = docstrings(struct).get(field.name) or (purpose_of(inner) if inner else "")
        yield path, kind_of(field.type), unit_of(field.name, field.type), plain(text)
        if inner:
            yield from fields(inner, f"{path}{'[]' if holds(field.type, list) else ''}.")


def plain(text: str) -> str:
    """The text without what a cell of a Markdown table would take for a border or for HTML."""
    return text.replace("|", "\\|").replace("<", "\\<")


def purpose_of(struct: type[msgspec.Struct]) -> str:
    return " ".join((struct.__doc__ or "").split("\n\n")[0].split())


@cache
def docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What stands below each field in the source."""
    tree = ast.parse(inspect.getsource(sys.modules[struct.__module__]))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == struct.__name__)
    found = {}
    for node, after in pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            found[node.target.id] = " ".join(str(ast.literal_eval(after.value)).split())
    return found


def kinds(annotation: Any) -> Iterator[Any]:
    """The plain types within an annotation."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal or not arguments:
        yield annotation
    for argument in arguments if typing.get_origin(annotation) is not typing.Literal else ():
        yield from kinds(argument)


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    return next((k for k in kinds(annotation) if isinstance(k, type) and issubclass(k, msgspec.Struct)), None)


def holds(annotation: Any, kind: type) -> bool:
    """Whether the type is that container, or a union with it."""
    return kind in {typing.get_origin(one) or one for one in (annotation, *typing.get_args(annotation))}


def kind_of(annotation: Any) -> str:
    """A type in the words of JSON."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in arguments)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(dict.fromkeys(kind_of(one) for one in arguments if one is not types.NoneType))
    if origin is list:
        return f"list of {kind_of(arguments[0])}"
    if origin is dict:
        return f"mapping to {kind_of(arguments[1])}"
    if struct_in(annotation):
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}[annotation]


def unit_of(name: str, annotation: Any) -> str:
    """The unit that the name of a number ends with."""
    if not {int, float} & set(kinds(annotation)):
        return ""
    return next((unit for suffix, unit in UNITS.items() if re.search(rf"(^|_){suffix}$", name)), "")


if __name__ == "__main__":
    (DOCS / "facts.md").write_text(document(), encoding="utf-8")
