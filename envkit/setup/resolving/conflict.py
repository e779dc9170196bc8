"""Why nothing fits, in one line, and what can be changed: a resolution that failed, for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from envkit.errors import closest
from envkit.setup.resolving.derivation import Conflict, Need, Term, read
from envkit.versions import normalise, torch_index

PLACES = "PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL or UV_INDEX"
SYSTEMS = {"manylinux": "Linux", "linux": "Linux", "musllinux": "Linux (musl)", "macosx": "macOS", "win": "Windows"}
MACHINES = {"amd64": "x86_64", "32": "x86"}


class Asked(NamedTuple):
    """What was to be resolved, and who asked for it."""

    requirements: Sequence[str] = ()
    who: str = ""
    """Such as "profile lab"; "": the user."""
    file: str = ""
    """Where the requirements stand."""
    python: str = ""
    """Version that was resolved for."""
    known: Sequence[str] = ()
    """Names of packages that a misspelt one may stand for."""


class Reason(NamedTuple):
    """Why there is no solution, in one line, and what to do about it."""

    message: str
    hint: str
    final: bool
    """No other source can help: what was pinned excludes itself, or this Python."""


def translate(text: str, asked: Asked) -> Reason | None:
    """The reason that uv gives; None where its words are not understood.

    Args:
        text: what uv wrote on stderr, without credentials.
        asked: what it was to resolve.
    """
    conflict = read(text)
    return Reason(*_said(conflict, asked), final=_is_final(conflict)) if conflict else None


def _is_final(conflict: Conflict) -> bool:
    """What a pinned package needs is the same wherever it comes from."""
    pinned = [chain[0].needed.ranges[0].startswith("==") for chain in conflict.chains]
    if conflict.kind == "python":
        return len(conflict.chains[0]) == 1 and pinned[0]
    lengths = [len(chain) for chain in conflict.chains]
    return conflict.kind == "contradiction" and all(
        n == 1 or (n == 2 and p) for n, p in zip(lengths, pinned, strict=True)
    )


def _said(conflict: Conflict, asked: Asked) -> tuple[str, str]:
    if conflict.kind == "contradiction":
        return _contradiction(conflict, asked), _one_of(conflict, asked)
    if conflict.kind == "version":
        return _no_version(conflict, asked)
    if conflict.kind == "name":
        needed = f"{_requirement(conflict.package)}{_needed_by(conflict)}"
        return f"no source offers {needed}", _misspelt(conflict.package.name, asked.known)
    if conflict.kind == "offline":
        hint = "Run it with the network, or name a folder that has it in PIP_FIND_LINKS."
        return f"{_words(conflict.package)} is not in uv's cache, and the network is switched off", hint
    return _unfit(conflict, asked)


def _unfit(conflict: Conflict, asked: Asked) -> tuple[str, str]:
    """A source has the package, but not for this Python or machine, or not in a form that can be installed."""
    chain = conflict.chains[0]
    needed_by = f"{_needed_by(conflict)}," if len(chain) > 1 else ""
    package = _words(conflict.package) + needed_by
    python = conflict.python or asked.python
    change = f"sk for another version of {_as_written(chain[0].needed, asked)}{_where(asked)}"
    other_python = f"Choose another Python with --python, or a{change}."
    if conflict.kind == "python":
        return f"{package} needs Python {conflict.detail}{f', this is {python}' if python else ''}", other_python
    if conflict.kind == "wheel":
        hint = other_python if _is_of_python(conflict.detail) else f"A{change}."
        return _no_wheel(conflict, package.rstrip(","), python), hint
    if conflict.kind == "source-only":
        hint = f"A{change}, or put a wheel built from it into a folder named in PIP_FIND_LINKS."
        return f"of {package} there is a source distribution only, and no wheel", hint
    if conflict.kind == "damaged":
        return f"the file of {package.rstrip(',')} that a source offers is damaged", f"Check the source, or a{change}."
    return f"{package} was withdrawn by its makers{f': {conflict.detail}' if conflict.detail else ''}", f"A{change}."


def _contradiction(conflict: Conflict, asked: Asked) -> str:
    """The two needs, what follows from a package before what was asked for outright."""
    one, other = sorted(conflict.chains, key=len, reverse=True)
    if len(other) > 1:
        return f"{_need(one)}, but {_need(other)}"
    who, does = asked.who or "you", "pin" if other[0].needed.ranges[0].startswith("==") else "ask for"
    verb = does if not asked.who else does.replace("pin", "pins").replace("ask", "asks")
    if len(one) == 1:
        return f"{who} {verb} both {_words(one[0].needed)} and {_words(other[0].needed)}"
    return f"{_need(one)}, but {who} {verb} {_words(other[0].needed)}"


def _need(chain: list[Need]) -> str:
    """In words: "zeta 1.0 needs eps, which needs beta 1.0"; "leads to" where uv has told the end only."""
    links = [f"{'leads to' if need.derived else 'needs'} {_words(need.needed)}" for need in chain[1:]]
    return f"{_words(chain[0].needed)} {', which '.join(links)}"


def _one_of(conflict: Conflict, asked: Asked) -> str:
    """What to change: the pin that stands in the way, and to what; or either of those that disagree."""
    one, other = sorted(conflict.chains, key=len)
    first, second = (_as_written(chain[0].needed, asked) for chain in (one, other))
    where = _where(asked)
    if first == second:
        return f"Ask for another version of {first}{where}."
    if len(one) == 1 and len(other) > 1:
        fits = " or ".join(other[-1].needed.ranges)
        fits = fits.removeprefix("==") if fits.startswith("==") else f"a version {fits}"
        return f"Change {first}{where} to {fits}, or change {second}."
    return f"Change {first} or {second}{where}."


def _needed_by(conflict: Conflict) -> str:
    chain = conflict.chains[0]
    return f", which {_words(chain[-2].needed)} needs" if len(chain) > 1 else ""


def _no_version(conflict: Conflict, asked: Asked) -> tuple[str, str]:
    package, chain = conflict.package, conflict.chains[0]
    build = torch_index(package.ranges[0].removeprefix("=="))
    if build:
        hint = f"They are on PyTorch's own index (torch_backend: {build}); or name a source that has them in {PLACES}."
        return f"no source offers {_requirement(package)}, one of PyTorch's own builds", hint
    by = _needed_by(conflict)
    there_is = " or ".join(re.findall(r"[<>=][^\s|]*", conflict.detail)).removeprefix("==")
    there = f" (there is {there_is})" if there_is else ""
    hint = f"Ask for another version of {_as_written(chain[0].needed, asked)}{_where(asked)}, or name a source"
    return f"no source offers {_requirement(package)}{by}{there}", f"{hint} that has {package.name} in {PLACES}."


def _no_wheel(conflict: Conflict, package: str, python: str) -> str:
    wanted, offered = conflict.detail, conflict.offered
    if _is_of_python(wanted):
        wanted = f"Python {python or _python(wanted)}"
        there = _series([_python(tag) for tag in offered])
    else:
        wanted = _platform(wanted)
        there = ", ".join(dict.fromkeys(map(_platform, offered)))
    return f"there is no wheel of {package} for {wanted}" + (f" (there are for {there})" if there else "")


def _where(asked: Asked) -> str:
    return f" in {asked.file}" if asked.file else ""


def _is_of_python(tag: str) -> bool:
    return tag[:2] in {"cp", "pp", "py"}


def _misspelt(name: str, known: Iterable[str]) -> str:
    plain = normalise(name.partition("[")[0])
    near = closest(plain, known)
    spelling = "" if near == plain else f"Did you mean {near}? If not: n" if near else f"Is {name} misspelt? If not: n"
    return f"{spelling or 'N'}ame a source that has it in {PLACES}."


def _as_written(needed: Term, asked: Asked) -> str:
    """The requirement as it was asked for, without its condition."""
    plain = normalise(needed.name.partition("[")[0])
    written = [requirement.partition(";")[0].strip() for requirement in asked.requirements]
    same = [text for text in written if normalise(re.split(r"[\[\s=~!<>@]", text)[0]) == plain]
    fitting = [text for text in same if text.endswith(needed.ranges[0])]
    return next(iter(fitting or same), _requirement(needed))


def _words(term: Term) -> str:
    """Such as "numpy 2.2.6", "numpy >=1.23,<2"."""
    return f"{term.name} {' or '.join(spec.removeprefix('==') for spec in term.ranges)}".strip()


def _requirement(term: Term) -> str:
    return f"{term.name}{' or '.join(term.ranges)}"


def _python(tag: str) -> str:
    """Version of the Python of a tag: "3.13" of "cp313", "cp313t"."""
    found = re.match(r"[a-z]+(\d)(\d*)", tag)
    return f"{found[1]}.{found[2]}" if found and found[2] else tag


def _series(versions: Sequence[str]) -> str:
    """Versions, runs of them together: "3.10-3.13"."""
    runs: list[list[int]] = []
    for minor in sorted({int(version[2:]) for version in versions if re.fullmatch(r"3\.\d+", version)}):
        if runs and minor == runs[-1][-1] + 1:
            runs[-1].append(minor)
        else:
            runs.append([minor])
    return ", ".join(f"3.{run[0]}" + (f"-3.{run[-1]}" if len(run) > 1 else "") for run in runs)


def _platform(tag: str) -> str:
    """System and machine of a tag (PEP 600): "Linux x86_64 with glibc 2.28" of "manylinux_2_28_x86_64"."""
    found = re.fullmatch(r"([a-z]+)(?:\d+)?(?:_(\d+_\d+))?_?([a-z]\w*|32)", tag)
    if not found or found[1] not in SYSTEMS:
        return tag
    system, machine = SYSTEMS[found[1]], MACHINES.get(found[3], found[3])
    number = (found[2] or "").replace("_", ".")
    if system == "macOS":
        return f"macOS {number} {machine}"
    return f"{system} {machine}" + (f" with glibc {number}" if number and system == "Linux" else "")
