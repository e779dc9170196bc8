"""What uv is told by its own variables and configuration files, so far as it names a place where packages are.

uv reads these itself: they are read here to be shown, and because what uv is told takes the place of what pip is told.
Files and their order: https://docs.astral.sh/uv/concepts/configuration-files. A project's own (`uv.toml`, or
`[tool.uv]` of a pyproject.toml around the working directory) is not among them: see sources.NEUTRAL_PROJECT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from envkit.errors import InputError
from envkit.setup.sources.pip_settings import Setting

VARIABLES = {
    "index": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra index": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
}
"""What is said by which variable; the first that is set counts."""


def read_uv_settings(environ: Mapping[str, str], *, root: Path) -> dict[str, list[Setting]]:
    """The places that uv is told of, by kind: "index", "extra index", "find-links".

    A variable beats the files; of the files, the user's beats the machine's for the index, else all count.
    On Python 3.10, which has no reader of TOML, uv's files are read by uv alone.

    Raises:
        InputError: a configuration file is malformed.
    """
    found: dict[str, list[Setting]] = {kind: [] for kind in VARIABLES}
    for file in _files(environ, root):
        for kind, place in _places(_read(file)):
            if place and not (kind == "index" and found[kind]):
                found[kind].append(Setting(place, str(file)))
    for kind, names in VARIABLES.items():
        name = next((name for name in names if environ.get(name)), None)
        if name:
            found[kind] = [Setting(environ[name], name), *(found[kind] if kind == "find-links" else [])]
    return {kind: settings for kind, settings in found.items() if settings}


def _files(environ: Mapping[str, str], root: Path) -> list[Path]:
    """The files of uv that exist, strongest first."""
    if environ.get("UV_NO_CONFIG", "").lower() in {"1", "true"}:
        return []
    if environ.get("UV_CONFIG_FILE"):
        return [Path(environ["UV_CONFIG_FILE"])]
    home = Path(environ.get("HOME") or "~").expanduser()
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml"
    shared = [folder for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    system = [root / folder.lstrip("/") / "uv/uv.toml" for folder in [*shared, "/etc"]]
    return [file for file in [own, *[file for file in system if file.is_file()][:1]] if file.is_file()]


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.toml.decode(file.read_bytes(), type=dict[str, Any])
    except ImportError:
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{file}: uv's configuration cannot be read: {reason}", hint="Mend the file, or set UV_NO_CONFIG=1."
        ) from None


def _places(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for table in (settings, settings.get("pip")):
        if not isinstance(table, Mapping):
            continue
        for index in _listed(table, "index"):
            if isinstance(index, Mapping) and not index.get("explicit"):
                yield "index" if index.get("default") else "extra index", str(index.get("url") or "")
        yield "index", str(table.get("index-url") or "")
        yield from (("extra index", str(url)) for url in _listed(table, "extra-index-url"))
        yield from (("find-links", str(place)) for place in _listed(table, "find-links"))


def _listed(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []
