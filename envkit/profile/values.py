"""Reading the text of a value: sizes, versions, specifiers, requirements. Each raises ValueError saying what is wrong.

The plain forms are told by their shape; packaging, which costs 20 ms to import, is asked about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from envkit.versions import normalise, release

LARGEST = 2**63 - 1
UNITS = {
    "TiB": 1024**4,
    "GiB": 1024**3,
    "MiB": 1024**2,
    "KiB": 1024,
    "TB": 1000**4,
    "GB": 1000**3,
    "MB": 1000**2,
    "kB": 1000,
    "B": 1,
}

_VERSION = r"[0-9]{1,18}(?:\.[0-9]{1,18})*"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CONDITION = r"(?:sys_platform|platform_machine|python_version) (?:==|!=|<=|>=|<|>) (?:\"[\w.]*\"|'[\w.]*')"
_PIN = rf"{_NAME}(?:\[{_NAME}(?:,{_NAME})*\])?=={_VERSION}(?:\+[a-z0-9]+(?:\.[a-z0-9]+)*)?"
_PLAIN_REQUIREMENT = rf"{_PIN}(?:; {_CONDITION}(?: (?:and|or) {_CONDITION})*)?"


def size(raw: int | str) -> int:
    """Bytes, from a whole number or from text such as "8 GiB" (1024-based) or "8 GB" (1000-based)."""
    if isinstance(raw, int):
        number = raw
    else:
        match = re.fullmatch(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([A-Za-z]+)", raw)
        if not match:
            raise ValueError(f"`{raw}` is no size")
        if match[2] not in UNITS:
            raise ValueError(f"`{match[2]}` is no unit of size")
        number = round(float(match[1]) * UNITS[match[2]])
    if not 0 <= number <= LARGEST:
        raise ValueError(f"`{raw}` is out of range")
    return number


def size_text(number: int) -> str:
    """Text that reads back as the same number of bytes, in the largest binary unit that divides it."""
    unit = next(u for u in ("TiB", "GiB", "MiB", "KiB", "B") if number % UNITS[u] == 0)
    return f"{number // UNITS[unit]} {unit}"


def version(text: str) -> str:
    """A PEP 440 version, or "" for none."""
    if text and not re.fullmatch(_VERSION, text):
        from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - see above

        try:
            Version(text)
        except InvalidVersion:
            raise ValueError(f"`{text}` is no version") from None
    return text


def specifier(text: str) -> str:
    """A PEP 440 specifier that some version can meet, or "" for none."""
    clauses = [re.fullmatch(rf"\s*(>=|<=|==|>|<)\s*({_VERSION})\s*", clause) for clause in text.split(",")]
    if text and not all(clauses):
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - see above

        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            raise ValueError(f"`{text}` is no specifier") from None
    if text and not (_plainly_meetable(clauses) if all(clauses) else _meetable(text)):
        raise ValueError(f"no version meets `{text}`")
    return text


def _plainly_meetable(clauses: list[re.Match[str] | None]) -> bool:
    """The same for comparisons alone, without the cost of importing packaging."""
    bounds = [(clause[1], release(clause[2]) or ()) for clause in clauses if clause]
    lower = [(bound, operator == ">") for operator, bound in bounds if operator in {">", ">=", "=="}]
    upper = [(bound, operator != "<") for operator, bound in bounds if operator in {"<", "<=", "=="}]
    if not lower or not upper:
        return True
    (least, above), (most, reached) = max(lower), min(upper)
    return least < most or (least == most and reached and not above)


def _meetable(text: str) -> bool:
    """Whether some version meets a specifier: if any does, one at or right beside a version it names does."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - see above
    from packaging.version import Version  # noqa: PLC0415

    candidates = {"0", "99999"}
    for named in re.findall(r"[0-9][\w.!+]*", text):
        version = named.removesuffix(".*").rstrip(".")
        *head, last = Version(version).release
        before = [".".join(map(str, [*head, last - 1, 99999]))] if last else []
        candidates |= {version, f"{version}.0.1", f"{version}.99999", ".".join(map(str, [*head, last + 1])), *before}
    wanted = SpecifierSet(text)
    return any(wanted.contains(candidate, prereleases=True) for candidate in candidates)


def requirement(text: str) -> str:
    """A PEP 508 requirement pinned to one version by `==`, or by a direct reference (`name @ url`)."""
    if re.fullmatch(_PLAIN_REQUIREMENT, text):
        return text
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - see above

    try:
        parsed = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"`{text}` is no requirement: {str(error).splitlines()[0]}") from None
    if parsed.url:
        return text
    pins = [s.version for s in parsed.specifier if s.operator in {"==", "==="} and not s.version.endswith(".*")]
    if not pins:
        raise ValueError(f"`{text}` is not pinned")
    if not all(parsed.specifier.contains(pin, prereleases=True) for pin in pins):
        raise ValueError(f"no version meets `{parsed.specifier}`")
    return text


def project(requirement: str) -> str:
    """The normalised name of the project that a requirement names (PEP 503)."""
    name = re.match(_NAME, requirement.strip())
    return normalise(name[0]) if name else ""


def _project_and_marker(requirement: str) -> tuple[str, str]:
    return project(requirement), requirement.partition(";")[2].strip()


READERS: dict[str, Callable[..., int | str]] = {
    "size": size,
    "version": version,
    "specifier": specifier,
    "requirement": requirement,
}
IDENTITIES: dict[str, Callable[[str], object]] = {"requirement": _project_and_marker}
"""What must differ between the items of a list."""
