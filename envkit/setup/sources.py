"""Where packages come from: the machine's pip configuration, said in uv's words, because uv does not read it.

Which files pip reads, in which order, and that [install] beats [global] in whatever file: pip's configuration.py
and https://pip.pypa.io/en/stable/topics/configuration/.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envkit.errors import InputError
from envkit.redact import redact

SHORTEST_SECRET = 4
ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url"}
SWITCHED_ON = {"y", "yes", "t", "true", "on", "1"}
SAID_BY_UV = {
    "UV_DEFAULT_INDEX": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "UV_INDEX": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "UV_FIND_LINKS": ("UV_FIND_LINKS",),
}
"""The user's own variables for uv that take the place of what pip is told."""


@dataclass(frozen=True)
class Setting:
    """One value that pip would use, and who said it."""

    value: str
    origin: str


@dataclass(frozen=True)
class Sources:
    """What uv is told about indexes, certificates and proxies."""

    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables for uv's own environment, and nowhere else: they may hold credentials."""
    flags: list[str] = field(default_factory=list)
    """Options for which uv has no variable."""
    lines: list[str] = field(default_factory=list)
    """The configured sources for people, without credentials; empty: the public index alone."""

    def child_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of uv. The user's own environment must not choose another target or interpreter."""
        kept = {name: value for name, value in environ.items() if name not in {"VIRTUAL_ENV", "UV_SYSTEM_PYTHON"}}
        return {**kept, **self.environment, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}

    def redact(self, text: str) -> str:
        """The text without the credentials of any of the sources."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return redact(text)

    def _secrets(self) -> Iterator[str]:
        for value in self.environment.values():
            for userinfo in re.findall(r"//([^/\s]+)@", value):
                user, _, password = userinfo.partition(":")
                secret = password or user
                # A shorter one would take letters out of every message; redact() covers it in its address.
                yield from (s for s in (secret, unquote(secret)) if len(s) >= SHORTEST_SECRET)


def describe(sources: Sources) -> list[str]:
    """Where packages come from, one line each: "find-links /wheels (PIP_FIND_LINKS)"."""
    return sources.lines or ["the default index"]


def read_sources(environ: Mapping[str, str], *, prefix: Path | None = None, root: Path = Path("/")) -> Sources:
    """Read pip's files and PIP_* variables; UV_* variables of the user win.

    Args:
        environ: the environment variables.
        prefix: the environment in use, whose own pip.conf pip reads.
        root: the root of the file system (for /etc).

    Raises:
        InputError: a configuration file is malformed; names file and line.
    """
    settings = dict(_settings(environ, prefix, root))
    variables: dict[str, str] = {}
    lines = []
    no_index = settings.get("no-index", Setting("", "")).value.lower() in SWITCHED_ON

    def words(key: str) -> list[str]:
        return settings[key].value.split() if key in settings else []

    index, extra = words("index-url")[:1], words("extra-index-url")
    links = [] if "find-links" not in settings else [_place(word) for word in words("find-links")]
    offered = {
        "UV_DEFAULT_INDEX": ("index", "index-url", [] if no_index else index, " "),
        "UV_INDEX": ("extra index", "extra-index-url", [] if no_index else extra, " "),
        "UV_FIND_LINKS": ("find-links", "find-links", links, ","),
    }
    for variable, (label, key, places, separator) in offered.items():
        own = next((name for name in SAID_BY_UV[variable] if environ.get(name)), None)
        if own:
            lines.append(f"{label} {redact(environ[own])} ({own})")
            continue
        there = [place for place in places if key != "find-links" or _may_exist(place)]
        if there:
            variables[variable] = separator.join(there)
        for place in places:
            missing = "" if place in there else ", does not exist"
            lines.append(f"{label} {redact(place)} ({settings[key].origin}{missing})")
    if no_index:
        lines.append(f"no index ({settings['no-index'].origin})")
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's own rule: all indexes are equal
    variables.update(_transport(settings, words("trusted-host")))
    # What the user has told uv wins. Certificates and proxies are told to every program: there pip's own word wins.
    chosen = {n: v for n, v in variables.items() if not n.startswith("UV_") or not environ.get(n)}
    return Sources(environment=chosen, flags=["--no-index"] if no_index else [], lines=lines)


def _transport(settings: Mapping[str, Setting], trusted: list[str]) -> dict[str, str]:
    """Certificates, proxy, patience."""
    names = {"cert": "SSL_CERT_FILE", "client-cert": "SSL_CLIENT_CERT", "retries": "UV_HTTP_RETRIES"}
    variables = {name: settings[key].value for key, name in names.items() if key in settings}
    if trusted:
        variables["UV_INSECURE_HOST"] = " ".join(trusted)
    if "timeout" in settings:
        variables["UV_HTTP_TIMEOUT"] = settings["timeout"].value.partition(".")[0]
    if "proxy" in settings:
        proxy = settings["proxy"].value
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            variables |= {name: proxy, name.lower(): proxy}
    return variables


def _place(word: str) -> str:
    """A find-links entry as pip takes it: a URL, or a path relative to the working directory."""
    return word if "://" in word else str(Path(word).expanduser().absolute())


def _may_exist(place: str) -> bool:
    """False for a local folder that is not there: pip passes over it, uv would stop."""
    url = urlsplit(place)
    return Path(unquote(url.path)).exists() if url.scheme == "file" else "://" in place or Path(place).exists()


def _settings(environ: Mapping[str, str], prefix: Path | None, root: Path) -> Iterator[tuple[str, Setting]]:
    """(key, setting) from the weakest to the strongest; an empty value says nothing, as in pip."""
    merged: dict[tuple[str, str], Setting] = {}
    for file in _files(environ, prefix, root):
        for section, name, value in _parse(file):
            merged[section, name] = Setting(value, str(file))
    for section in ("global", "install"):
        yield from ((name, setting) for (where, name), setting in merged.items() if where == section and setting.value)
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value.strip():
            yield _key(variable[len("PIP_") :]), Setting(value, variable)


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
