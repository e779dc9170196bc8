"""Where packages come from: the machine's pip configuration, said in uv's words, because uv does not read it.

What comes from where is the machine's and the user's to say; which packages, the profile's alone. So a project's own
configuration of uv is not read (NEUTRAL_PROJECT), and pip's `no-binary`, `pre` and the like are not applied.
"""

from __future__ import annotations

import contextlib
import netrc
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envkit.errors import InputError
from envkit.redact import redact
from envkit.setup.sources.pip_settings import Setting, read_pip_settings
from envkit.setup.sources.uv_settings import VARIABLES, read_uv_settings

SHORTEST_SECRET = 4
SWITCHED_ON = {"y", "yes", "t", "true", "on", "1"}
PIP_KEYS = {"index": "index-url", "extra index": "extra-index-url", "find-links": "find-links"}
NEUTRAL_PROJECT = {"UV_PROJECT": "/"}
"""uv looks for a project's configuration there, and not around the working directory: a profile means the same
wherever one stands. Who wants the project's says UV_PROJECT=. or UV_CONFIG_FILE."""
NOT_INHERITED = re.compile(
    r"VIRTUAL_ENV|UV_SYSTEM_PYTHON|UV_TORCH_BACKEND|UV_PYTHON|UV_CONSTRAINT|UV_OVERRIDE|UV_EXCLUDE"
)
"""The user's own environment must not choose another target, interpreter, build of PyTorch or set of packages; with a
constraint, uv refuses to install from a lock."""
NAMES_A_PLACE = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX.*|EXTRA_INDEX_URL|FIND_LINKS|CONFIG_FILE|EXCLUDE_NEWER"
    r"|NO_BINARY.*|RESOLUTION|PRERELEASE)"
)
"""What would lead uv out of a wheelhouse, or leave out what is in it (files in a folder have no upload time)."""
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
MAY_HOLD_SECRETS = re.compile(r"(?i)PIP_.*|UV_.*|(https?|all)_proxy")


@dataclass(frozen=True)
class Sources:
    """What uv is told about indexes, certificates and proxies."""

    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables for uv's own environment, and nowhere else: they may hold credentials."""
    flags: list[str] = field(default_factory=list)
    """Options for which uv has no variable."""
    lines: list[str] = field(default_factory=list)
    """The configured sources for people, without credentials; empty: the public index alone."""
    notes: list[str] = field(default_factory=list)
    """What else of the configuration is applied, and what is not."""
    constraints: list[str] = field(default_factory=list)
    """Files or addresses for --constraints where packages are resolved."""
    closed: bool = False
    """Nothing but the wheelhouse is asked, not even PyTorch's own index."""
    offline: bool = False
    """No network: uv's cache and local folders alone."""
    proxy: str = ""
    """What requests go through and who says so, for people; "": none."""
    trusted: str = ""
    """Which certificates are trusted and who says so; "": those that uv brings along."""
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Passwords and tokens that uv might be told, which no output may show."""

    def child_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of uv."""
        kept = {
            name: value
            for name, value in environ.items()
            if not NOT_INHERITED.fullmatch(name) and not (self.closed and NAMES_A_PLACE.fullmatch(name))
        }
        return {**NEUTRAL_PROJECT, **kept, **self.environment, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}

    def redact(self, text: str) -> str:
        """The text without the credentials of any of the sources."""
        for secret in sorted(self.secrets | set(_secrets(self.environment.values())), key=len, reverse=True):
            text = text.replace(secret, "***")
        return redact(text)


def describe(sources: Sources) -> list[str]:
    """Where packages come from, one line each: "find-links /wheels (PIP_FIND_LINKS)"."""
    return sources.lines or ["the default index"]


def read_sources(
    environ: Mapping[str, str],
    *,
    prefix: Path | None = None,
    root: Path = Path("/"),
    wheelhouse: Path | None = None,
    offline: bool = False,
) -> Sources:
    """Read pip's files and PIP_* variables; what the user has told uv wins.

    Args:
        environ: the environment variables.
        prefix: the environment in use, whose own pip.conf pip reads.
        root: the root of the file system (for /etc).
        wheelhouse: a folder of wheels: it alone is asked, whatever is configured.
        offline: use uv's cache and local folders alone.

    Raises:
        InputError: a configuration file is malformed (names file and line); what is named is not there.
    """
    if wheelhouse is not None:
        return _wheelhouse(wheelhouse)
    said, by_uv = read_pip_settings(environ, prefix=prefix, root=root), read_uv_settings(environ, root=root)
    no_index = said.get("no-index", Setting("", "")).value.lower() in SWITCHED_ON
    variables, lines = _places(said, by_uv, no_index=no_index)
    if offline or environ.get("UV_OFFLINE", "").lower() in SWITCHED_ON:
        origin = "--offline" if offline else "UV_OFFLINE"
        lines.append(f"no network: uv's cache and local folders alone ({origin})")
        variables["UV_OFFLINE"] = "1"
    variables |= _transport(said)
    own = environ.get("UV_CONSTRAINT")
    constraint = Setting(own, "UV_CONSTRAINT") if own else said.get("constraint", Setting("", ""))
    notes = [f"constraints {redact(constraint.value)} ({constraint.origin})"] if constraint.value else []
    if "no-binary" in said:
        notes.append(f"no-binary ({said['no-binary'].origin}) is not applied: wheels alone are installed")
    # What the user has told uv wins. Certificates and proxies are told to every program: there pip's own word wins.
    chosen = {n: v for n, v in variables.items() if not n.startswith("UV_") or not environ.get(n)}
    return Sources(
        environment=chosen,
        flags=["--no-index"] if no_index else [],
        lines=lines,
        notes=notes,
        constraints=constraint.words(),
        offline="UV_OFFLINE" in variables,
        proxy=_told(said.get("proxy"), PROXIES, environ),
        trusted=_told(said.get("cert"), CERTIFICATES, environ),
        secrets=frozenset(_all_secrets(environ, [*said.values(), *(s for own in by_uv.values() for s in own)])),
    )


def _places(
    said: Mapping[str, Setting], by_uv: Mapping[str, list[Setting]], *, no_index: bool
) -> tuple[dict[str, str], list[str]]:
    """Indexes and find-links: uv's variables for what pip is told, and a line for each place."""
    variables: dict[str, str] = {}
    lines: list[str] = []
    for kind, key in PIP_KEYS.items():
        own = by_uv.get(kind, [])
        lines += [f"{kind} {redact(setting.value)} ({setting.origin})" for setting in own]
        links = kind == "find-links"
        # uv adds the folders of its files to those of a variable; indexes of a variable come before those of its files.
        if any(one.origin in VARIABLES[kind] or not links for one in own) or (no_index and not links):
            continue
        setting = said.get(key, Setting("", ""))
        words = setting.words()[:1] if kind == "index" else setting.words()
        places = [_place(word) for word in words] if links else words
        there = [place for place in places if not links or _may_exist(place)]
        if there:
            variables[VARIABLES[kind][0]] = ",".join(map(_address, there)) if links else " ".join(there)
        for place in places:
            missing = "" if place in there else ", does not exist"
            lines.append(f"{kind} {redact(place)} ({setting.origin}{missing})")
    if no_index:
        lines.append(f"no index ({said['no-index'].origin})")
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's own rule: all indexes are equal
    return variables, lines


def _wheelhouse(folder: Path) -> Sources:
    folder = folder.expanduser().absolute()
    fill = f"Fill it: envkit setup --download {folder}"
    if not folder.is_dir():
        raise InputError(f"--wheelhouse {folder} is no folder", hint=fill)
    if not any(folder.glob("*.whl")):
        raise InputError(f"--wheelhouse {folder} has no wheels in it", hint=fill)
    return Sources(
        environment={"UV_FIND_LINKS": _address(str(folder)), "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"},
        flags=["--no-index"],
        lines=[f"wheelhouse {redact(str(folder))} (--wheelhouse), nothing else"],
        closed=True,
        offline=True,
    )


def _transport(said: Mapping[str, Setting]) -> dict[str, str]:
    """Certificates, proxy, patience, keyring."""
    names = {"client-cert": "SSL_CLIENT_CERT", "retries": "UV_HTTP_RETRIES"}
    variables = {name: said[key].value for key, name in names.items() if key in said}
    if "cert" in said:
        path = Path(said["cert"].value).expanduser()
        if not path.exists():  # uv would trust nobody, pip stops
            raise InputError(f"{path}, the certificates that {said['cert'].origin} names, does not exist")
        variables["SSL_CERT_DIR" if path.is_dir() else "SSL_CERT_FILE"] = str(path)
    if "trusted-host" in said:
        variables["UV_INSECURE_HOST"] = " ".join(said["trusted-host"].words())
    if said.get("keyring-provider", Setting("", "")).value == "subprocess":  # uv knows no other
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    if "timeout" in said:
        seconds = said["timeout"].value.partition(".")[0]
        variables["UV_HTTP_TIMEOUT"] = seconds if seconds.strip("0") else "1"  # uv takes whole ones
    if "proxy" in said:
        proxy = said["proxy"].value
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            variables |= {name: proxy, name.lower(): proxy}
    return variables


def _told(setting: Setting | None, names: Iterable[str], environ: Mapping[str, str]) -> str:
    """What pip is told, else what every program is told, and by whom; for people."""
    variables = (Setting(environ[name], name) for name in names if environ.get(name))
    found = setting or next(variables, None)
    return f"{redact(found.value).rpartition('@')[2]} ({found.origin})" if found else ""


def _place(word: str) -> str:
    """A find-links entry as pip takes it: a URL, or a path relative to the working directory."""
    return word if "://" in word else str(Path(word).expanduser().absolute())


def _address(place: str) -> str:
    """A find-links entry as UV_FIND_LINKS takes it: a comma would separate two."""
    return Path(place).as_uri() if "," in place and "://" not in place else place.replace(",", "%2C")


def _may_exist(place: str) -> bool:
    """False for a local folder that is not there: pip passes over it, uv would stop."""
    url = urlsplit(place)
    return Path(unquote(url.path)).exists() if url.scheme == "file" else "://" in place or Path(place).exists()


def _all_secrets(environ: Mapping[str, str], settings: Iterable[Setting]) -> Iterator[str]:
    """Of addresses in variables and files, of uv's variables for indexes (UV_INDEX_NAME_PASSWORD), and of .netrc."""
    yield from _secrets(value for name, value in environ.items() if MAY_HOLD_SECRETS.fullmatch(name))
    yield from _secrets(setting.value for setting in settings)
    words = [value for name, value in environ.items() if name.startswith("UV_") and name.endswith("_PASSWORD")]
    file = environ.get("NETRC") or str(Path(environ.get("HOME") or "~").expanduser() / ".netrc")
    with contextlib.suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):  # uv passes over it too
        words += [password or "" for _, _, password in netrc.netrc(file).hosts.values()]
    yield from (word for word in words if len(word) >= SHORTEST_SECRET)


def _secrets(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        for userinfo in re.findall(r"//([^/\s]+)@", value):
            user, _, password = userinfo.partition(":")
            secret = password or user
            # A shorter one would take letters out of every message; redact() covers it in its address.
            yield from (s for s in (secret, unquote(secret)) if len(s) >= SHORTEST_SECRET)
