"""Write docs/schemas/*.json from the structs that envkit prints: `python scripts/document_schemas.py`.

JSON Schema 2020-12. A field is described by what stands below it in the source.
"""

from __future__ import annotations

# ruff: noqa: INP001 - a script, no package
import json
import runpy
from pathlib import Path
from typing import Any

import msgspec

from envkit.bench.types import BenchReport
from envkit.facts import Facts
from envkit.findings import Report
from envkit.setup.state import State
from envkit.smoke.types import SmokeReport

FOLDER = Path(__file__).resolve().parents[1] / "docs/schemas"
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "report": Report,
    "facts": Facts,
    "smoke": SmokeReport,
    "bench": BenchReport,
    "environment": State,
}
FACTS: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("document_facts.py")))


def documents() -> dict[str, str]:
    """The text of each file, by its name without .json."""
    return {name: json.dumps(schema(struct), indent=1, ensure_ascii=False) + "\n" for name, struct in STRUCTS.items()}


def schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of one document, which says its own name and version in its field `schema`."""
    _, parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    for name, inner in structs_in(struct).items():
        describe(parts[name], inner)
    top = parts.pop(struct.__name__)
    name, version = top["properties"]["schema"]["default"].removeprefix("envkit.").split("/")
    top["properties"]["schema"] = {"const": f"envkit.{name}/{version}"}
    top["required"] = ["schema", *top.get("required", [])]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:envkit:{name}:{version}"}
    return {**head, **top, "$defs": parts}


def structs_in(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """A struct and all within it, by name."""
    found = {struct.__name__: struct}
    for field in msgspec.structs.fields(struct):
        for kind in FACTS["kinds"](field.type):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ not in found:
                found |= structs_in(kind)
    return found


def describe(part: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    """Say what a struct and its fields are, in the words of the source."""
    part["description"] = FACTS["purpose_of"](struct)
    for base in reversed(struct.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            for name, text in FACTS["docstrings"](base).items():
                part["properties"][name]["description"] = text


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
