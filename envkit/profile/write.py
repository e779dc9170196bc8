"""A profile as YAML that reads back as the same profile."""

from __future__ import annotations

from typing import Any

import msgspec

from envkit.profile.types import Profile
from envkit.profile.values import size_text


def as_yaml(profile: Profile) -> str:
    """A resolved profile as the text of a profile file; keys that say nothing are left out."""
    import yaml  # noqa: PLC0415 - only where a profile is shown

    content = _plain(profile)
    for how_it_was_asked_for in ("asked", "path", "added", "left_out"):
        content.pop(how_it_was_asked_for, None)
    for option in profile.options.values():  # what it has of an option stands there
        for key in ("packages", "smoke") if option.default else ():
            content[key] = [item for item in content.get(key, []) if item not in _plain(getattr(option, key))]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if not isinstance(value, msgspec.Struct):
        return value
    described = msgspec.inspect.type_info(type(value))
    assert isinstance(described, msgspec.inspect.StructType)  # noqa: S101 - for mypy
    said = {field.name: (field.type, getattr(value, field.name)) for field in described.fields}
    return {name: size_text(v) if _is_size(kind) else _plain(v) for name, (kind, v) in said.items() if v}


def _is_size(kind: msgspec.inspect.Type) -> bool:
    return isinstance(kind, msgspec.inspect.Metadata) and (kind.extra or {}).get("kind") == "size"
