"""Reading a table, and laying a user's over ours."""

from __future__ import annotations

from pathlib import Path

from envkit.errors import InputError


def parse(path: Path) -> dict[str, object]:
    """The tables of a YAML file.

    Raises:
        InputError: it cannot be read, is no YAML, or holds no tables.
    """
    import yaml  # noqa: PLC0415 - 20 ms that only a check with a question pays

    try:
        data = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected tables by name, found {type(data).__name__}")
    return data


def merged(ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
    """Their rows over ours: whole rows, by table and key."""
    result = dict(ours)
    for key, value in theirs.items():
        mine = ours.get(key)
        result[key] = {**mine, **value} if isinstance(mine, dict) and isinstance(value, dict) else value
    return result
