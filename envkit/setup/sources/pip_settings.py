"""What pip is told: its configuration files and PIP_* variables.

Which files pip reads, in which order, and that [install] beats [global] in whatever file: pip's configuration.py
and https://pip.pypa.io/en/stable/topics/configuration/.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import InputError

ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url", "constraints": "constraint"}


@dataclass(frozen=True)
class Setting:
    """One value that a program would use, and who said it."""

    value: str
    origin: str

    def words(self) -> list[str]:
        """The value where it is a list."""
        return self.value.split()


def read_pip_settings(environ: Mapping[str, str], *, prefix: Path | None, root: Path) -> dict[str, Setting]:
    """What `pip install` would use, by its option's name; an empty value says nothing, as in pip.

    Args:
        environ: the environment variables.
        prefix: the environment in use, whose own pip.conf pip reads.
        root: the root of the file system (for /etc).

    Raises:
        InputError: a configuration file is malformed; names file and line.
    """
    merged: dict[tuple[str, str], Setting] = {}
    for file in _files(environ, prefix, root):
        for section, name, value in _parse(file):
            merged[section, name] = Setting(value, str(file))
    settings: dict[str, Setting] = {}
    for section in ("global", "install"):
        settings |= {name: said for (where, name), said in merged.items() if where == section and said.value}
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value.strip():
            settings[_key(variable[len("PIP_") :])] = Setting(value, variable)
    return settings


def _files(environ: Mapping[str, str], prefix: Path | None, root: Path) -> list[Path]:
    """The files of pip that exist, weakest first."""
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = Path(environ.get("HOME") or "~").expanduser()
    shared = [root / folder.lstrip("/") for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    files = [folder / "pip/pip.conf" for folder in shared] + [root / "etc/pip.conf"]
    if not (own and Path(own).exists()):
        files += [home / ".pip/pip.conf", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"]
    files += [prefix / "pip.conf"] if prefix else []
    files += [Path(own)] if own else []
    return [file for file in files if file.is_file()]


def _parse(file: Path) -> Iterator[tuple[str, str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
    except PermissionError:
        return  # pip passes over it too
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", [])), None)
        where = f"{file}:{line}" if line else str(file)
        kind = type(error).__name__
        raise InputError(
            f"{where}: pip's configuration cannot be read ({kind})", hint="Mend the file, or set PIP_CONFIG_FILE."
        ) from None
    for section in parser.sections():
        for name, value in parser.items(section):
            yield section, _key(name), value or ""


def _key(name: str) -> str:
    name = name.lower().replace("_", "-").removeprefix("--")
    return ALIASES.get(name, name)
