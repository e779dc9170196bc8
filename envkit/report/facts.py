"""Facts, and what else is typed, redacted: first what is personal by its field, then by what it looks like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from envkit.redact.addresses import device
from envkit.redact.secrets import names_a_secret, no_secret

if TYPE_CHECKING:
    from envkit.redact import Redactor

T = TypeVar("T", bound=msgspec.Struct)

_VERSION = re.compile(r"[\d.]{1,40}")
_VERSIONS = frozenset(("cuda", "cudnn", "nccl", "hip", "triton", "keras", "libtpu", "built", "loaded", "duplicates"))
_DEVICES = re.compile(r"(?i)\w*VISIBLE_DEVICES")
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-fA-F-]+")
_STAND_IN = re.compile(r"<[a-z-]+-\d+>|(?:GPU|MIG)-\d{0,3}")
_OWN = {"fabric_cluster": "fabric", "hive": "hive"}
"""Fields whose value no other machine has, whatever it looks like."""

_WORDS = frozenset(
    """
    name distribution distribution_id distribution_like implementation installer kernel_driver frequency_driver
    frequency_governors filesystem storage_driver runtime service source
    """.split()  # noqa: SIM905 - a list of words to read
)
"""Fields of words that no person has made up."""

Visit = Callable[[str, str], str]


def redacted(value: T, names: Redactor, *, strict: bool = True) -> T:
    """The same, with stand-ins for everything personal in any string of it, and in names of tables' entries."""
    tree = msgspec.to_builtins(value)
    names.kept |= _vocabulary(tree)
    strings: list[str] = []

    def collect(field: str, text: str) -> str:
        strings.append(_in_context(field, text))
        return text

    _walk(tree, "", collect)
    names.reserve("\n".join(strings))
    for uuid in _uuids(tree):
        device(uuid, names)
    parts = iter(names.texts(strings, strict=strict))
    tree = _walk(tree, "", lambda field, text: _chosen(field, text, next(parts), names))
    return msgspec.convert(tree, type(value))


def _walk(value: Any, field: str, visit: Visit) -> Any:
    """The tree with each string as `visit` returns it; entries of tables have their own name as the field."""
    if isinstance(value, str):
        return visit(field, value)
    if isinstance(value, list):
        return [_walk(item, field, visit) for item in value]
    if isinstance(value, dict):
        return {
            _name(name, visit): _walk(item, field if field in _VERSIONS else name, visit)
            for name, item in value.items()
        }
    return value


def _name(name: str, visit: Visit) -> str:
    """Names of fields stay; of tables some are paths."""
    return name if re.fullmatch(r"\w+", name) else visit("", name)


def _in_context(field: str, text: str) -> str:
    """With its name before it, where that says what it is: MASTER_ADDR=10.1.2.3."""
    return f"{field}={text}" if field.isupper() else text


def _chosen(field: str, before: str, after: str, names: Redactor) -> str:
    """The redacted string; by its field where that knows better than what the string looks like."""
    after = after.removeprefix(f"{field}=") if field.isupper() else after
    if _DEVICES.fullmatch(field):
        return ",".join(_device(token, names) for token in before.split(",")) if _by_uuid(before, names) else after
    if _STAND_IN.fullmatch(before):
        return before
    if field in _OWN:
        return names.name(_OWN[field], before)
    if names_a_secret(field) and before and not no_secret(before):
        return names.secret("password or key", before)
    if (field in _VERSIONS or field.endswith("version")) and _VERSION.fullmatch(before):
        return before
    return _device(after, names) if field == "uuid" and not _STAND_IN.fullmatch(after) else after


def _by_uuid(value: str, names: Redactor) -> bool:
    """Whether a variable names GPUs, all of them by a UUID or its first letters, and not by stand-ins already."""
    tokens = [token.strip() for token in value.split(",")]
    stand_ins = all(_STAND_IN.fullmatch(token) for token in tokens)
    return all(map(_UUID.fullmatch, tokens)) and (not stand_ins or bool(names.hidden.get("device")))


def _device(token: str, names: Redactor) -> str:
    uuid = token.strip()
    return token.replace(uuid, device(uuid, names)) if _UUID.fullmatch(uuid) else token


def _vocabulary(tree: Any) -> set[str]:
    """Words that a diagnosis rests on, names of packages in parts, too: some user is called rich, or lightning."""
    words: set[str] = set()

    def note(field: str, text: str) -> str:
        if field in _WORDS:
            words.update((text.lower(), *re.split("[-_.]", text.lower())))
        return text

    _walk(tree, "", note)
    return words


def _uuids(tree: Any) -> list[str]:
    """Of the GPUs, in their order, then of their MIG devices."""
    facts = (tree.get("nvidia") or {}).get("facts") or {} if isinstance(tree, dict) else {}
    gpus = facts.get("gpus") or []
    own = [gpu.get("uuid") or "" for gpu in gpus]
    parts = [mig.get("uuid") or "" for gpu in gpus for mig in gpu.get("mig") or []]
    return [uuid for uuid in own + parts if re.fullmatch(r"(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4,12}){4}", uuid)]
