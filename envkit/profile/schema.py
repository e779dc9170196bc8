"""What follows from the types: the JSON Schema for editors, and the reference in docs/profiles.md.

`python -m envkit.profile.schema` rewrites both in a checkout.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as shapes

from envkit.profile import types
from envkit.profile.convert import describe

STRUCTS = {
    types.ProfileFile: "The file",
    types.Requires: "`requires`",
    types.SmokeRun: "An item of `smoke`",
    types.Option: "A value of `options`",
    types.CheckOverride: "A value of `checks`",
}
BEGIN = "<!-- generated from envkit/profile/types.py by `python -m envkit.profile.schema` -->"
END = "<!-- end -->"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a profile file."""
    generated = msgspec.json.schema(types.ProfileFile)
    documented = _field_docs()
    for struct in STRUCTS:
        properties = generated["$defs"][struct.__name__]["properties"]
        for name, definition in properties.items():
            definition["description"] = documented[struct.__name__][name]
            if "anyOf" in definition:  # a size: its integer type stands among its alternatives
                definition.pop("type", None)
                definition.pop("minimum", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envkit profile",
        **generated,
    }


def schema_text() -> str:
    """The content of profiles/profile.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Every key of a profile file, its type, default and meaning, as Markdown."""
    documented = _field_docs()
    sections = []
    for struct, title in STRUCTS.items():
        described = shapes.type_info(struct)
        assert isinstance(described, shapes.StructType)  # noqa: S101 - for mypy
        rows = [
            f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {documented[struct.__name__][field.name]} |"
            for field in described.fields
        ]
        table = "\n".join(["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows])
        sections.append(f"### {title}\n\n{inspect.getdoc(struct)}\n\n{table}")
    return "\n\n".join(sections)


def with_reference(page: str) -> str:
    """The documentation page with its generated part renewed."""
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{rest.split(END, 1)[1]}"


def write(root: Path) -> None:
    """Renew the generated files of a checkout."""
    (root / "profiles" / "profile.schema.json").write_text(schema_text(), encoding="utf-8")
    page = root / "docs" / "profiles.md"
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")


def _type(kind: shapes.Type) -> str:
    extra: dict[str, Any] = {}
    if isinstance(kind, shapes.Metadata):
        extra, kind = kind.extra or {}, kind.type
    match kind:
        case shapes.ListType():
            text = f"a list, each {_type(kind.item_type)}"
        case shapes.DictType():
            text = f"a mapping, each value {_type(kind.value_type)}"
        case _:
            text = str(extra.get("expected") or describe(kind))
    return text


def _default(field: shapes.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    plain = msgspec.to_builtins(value)
    return f"`{json.dumps(plain)}`" if plain and not isinstance(value, msgspec.Struct) else ""


def _field_docs() -> dict[str, dict[str, str]]:
    """The docstring of each field, by struct and field. A struct has those of what it inherits from."""
    documented: dict[str, dict[str, str]] = {}
    for struct in ast.parse(inspect.getsource(types)).body:
        if isinstance(struct, ast.ClassDef):
            inherited = [documented[base.id] for base in struct.bases if isinstance(base, ast.Name)]
            documented[struct.name] = {k: v for fields in inherited for k, v in fields.items()}
            for field, text in zip(struct.body, struct.body[1:], strict=False):
                match field, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                        documented[struct.name][name] = " ".join(doc.split())
                    case _:
                        pass
    return documented


if __name__ == "__main__":
    write(Path(__file__).parents[2])
