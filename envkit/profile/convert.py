"""Nodes to plain values by the types of a struct, saying every problem with its line. Knows no field by name."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import yaml
from msgspec import inspect as types

from envkit.errors import closest
from envkit.profile import values
from envkit.profile.problems import Source

SAFE_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
NAMES: dict[type[types.Type], str] = {
    types.StrType: "text",
    types.IntType: "a whole number",
    types.FloatType: "a number",
    types.BoolType: "true or false",
    types.NoneType: "null",
    types.ListType: "a list",
    types.DictType: "a mapping",
    types.StructType: "a mapping",
}


def convert(node: yaml.Node, kind: types.Type, key: str, line: int, source: Source) -> Any:
    """The value of a node as builtins, UNSET where it is wrong. A mapping or list keeps what is right in it."""
    source.lines[key] = line
    extra: dict[str, Any] = {}
    if isinstance(kind, types.Metadata):
        extra, kind = kind.extra or {}, kind.type
    if _tag(node) not in SAFE_TAGS:
        source.problem(line, key, f"the YAML tag `{node.tag}` is not allowed")
        return msgspec.UNSET
    expected = extra.get("expected") or describe(kind)
    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if isinstance(kind, types.UnionType):
        kind = next((member for member in kind.types if _fits(node, value, member)), kind)
    if not _fits(node, value, kind) and not (extra.get("kind") == "size" and isinstance(value, str)):
        quoted = f', in quotes: "{_short(node.value)}"' if value is not None and isinstance(kind, types.StrType) else ""
        source.problem(line, key, f"{_given(node, value)} given", expected + quoted)
        return msgspec.UNSET
    match node, kind:
        case yaml.MappingNode(), types.StructType():
            return _struct(node, kind, key, line, source)
        case yaml.MappingNode(), types.DictType():
            pairs = _pairs(node, key, source)
            converted = {k: convert(v, kind.value_type, f"{key}.{k}", at, source) for k, v, at in pairs}
            return {k: v for k, v in converted.items() if v is not msgspec.UNSET}
        case yaml.SequenceNode(), types.ListType():
            return _list(node, kind, key, source)
        case _:
            try:
                return _leaf(value, kind, extra)
            except ValueError as error:
                source.problem(line, key, _short(str(error), 200), expected)
                return msgspec.UNSET


def _struct(node: yaml.MappingNode, kind: types.StructType, key: str, line: int, source: Source) -> dict[str, Any]:
    fields = {field.name: field.type for field in kind.fields}
    pairs = _pairs(node, key, source)
    result = {}
    for name, child, at in pairs:
        path = f"{key}.{name}" if key else name
        if name in fields:
            value = convert(child, fields[name], path, at, source)
            if value is not msgspec.UNSET:
                result[name] = value
        else:
            near = closest(name, fields)
            hint = f", did you mean `{near}`?" if near else ""
            source.problem(at, path, f"unknown key{hint}", f"one of: {', '.join(fields)}")
    for field in kind.fields:
        if field.required and field.name not in {name for name, _, _ in pairs}:
            source.problem(line, key, f"`{field.name}` is missing", describe(field.type))
    return result


def _list(node: yaml.SequenceNode, kind: types.ListType, key: str, source: Source) -> list[Any]:
    extra = kind.item_type.extra if isinstance(kind.item_type, types.Metadata) else None
    identity = values.IDENTITIES.get((extra or {}).get("kind", ""))
    seen: dict[object, int] = {}
    result = []
    for n, child in enumerate(node.value):
        line = child.start_mark.line + 1
        item = convert(child, kind.item_type, f"{key}[{n}]", line, source)
        if item is msgspec.UNSET:
            continue
        result.append(item)
        if identity and (first := seen.setdefault(identity(item), line)) != line:
            source.problem(line, f"{key}[{n}]", f"`{item}` stands beside another on line {first}", "each project once")
    return result


def _pairs(node: yaml.MappingNode, key: str, source: Source) -> list[tuple[str, yaml.Node, int]]:
    """Keys, their values and lines; a key that is no text or stands twice is a problem."""
    pairs: dict[str, tuple[str, yaml.Node, int]] = {}
    for name, child in node.value:
        line = name.start_mark.line + 1
        path = f"{key}.{name.value}" if key else str(name.value)
        if not isinstance(name, yaml.ScalarNode):
            source.problem(line, key, "a list or mapping stands where a key should", "text")
        elif _tag(name) not in SAFE_TAGS:
            source.problem(line, path, f"the YAML tag `{name.tag}` is not allowed")
        elif name.value in pairs:
            source.problem(line, path, f"stands twice, first on line {pairs[name.value][2]}", "each key once")
        else:
            pairs[name.value] = (name.value, child, line)
    return list(pairs.values())


def _leaf(value: Any, kind: types.Type, extra: dict[str, Any]) -> Any:
    if reader := values.READERS.get(extra.get("kind", "")):
        return reader(value)
    if isinstance(kind, types.LiteralType) and value not in kind.values:
        near = closest(str(value), map(str, kind.values))
        raise ValueError(f"`{value}` is not known" + (f", did you mean `{near}`?" if near else ""))
    if isinstance(kind, types.StrType) and kind.pattern and not re.search(kind.pattern, value):
        raise ValueError(f"`{value}` has the wrong form")
    if isinstance(kind, types.IntType) and not (kind.ge or -values.LARGEST) <= value <= (kind.le or values.LARGEST):
        raise ValueError(f"{value} is out of range" + (f", the least is {kind.ge}" if kind.ge is not None else ""))
    if isinstance(kind, types.FloatType) and not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


def _fits(node: yaml.Node, value: Any, kind: types.Type) -> bool:
    match kind:
        case types.StructType() | types.DictType():
            return isinstance(node, yaml.MappingNode) and _tag(node) == "map"
        case types.ListType():
            return isinstance(node, yaml.SequenceNode) and _tag(node) == "seq"
        case types.NoneType():
            return isinstance(node, yaml.ScalarNode) and value is None
        case types.BoolType():
            return isinstance(value, bool)
        case types.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case types.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case types.StrType() | types.LiteralType():
            return isinstance(value, str)
        case _:
            return False


def describe(kind: types.Type) -> str:
    """What a type expects, in words."""
    match kind:
        case types.LiteralType():
            return f"one of: {', '.join(map(str, kind.values))}"
        case types.UnionType():
            return " or ".join(dict.fromkeys(describe(member) for member in kind.types))
        case _:
            return NAMES.get(type(kind), type(kind).__name__)


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar as YAML 1.1 types it; UNSET, which fits no type, for a date or what only claims a type."""
    match _tag(node):
        case "str" | "value" | "merge":
            return node.value
        case "null":
            return None
        case "int" | "float" | "bool":
            try:
                return yaml.constructor.SafeConstructor().construct_object(node)
            except (ValueError, KeyError, IndexError, OverflowError):  # "!!int x"
                return msgspec.UNSET
        case _:
            return msgspec.UNSET


def _tag(node: yaml.Node) -> str:
    return str(node.tag).removeprefix("tag:yaml.org,2002:")


def _given(node: yaml.Node, value: Any) -> str:
    if isinstance(node, yaml.ScalarNode):
        names = {str: "the text", bool: "the truth value", int: "the number", float: "the number"}
        return "nothing" if value is None else f"{names.get(type(value), 'the value')} `{_short(node.value)}`"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _short(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}…"
