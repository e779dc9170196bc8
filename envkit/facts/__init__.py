"""The facts of a machine: typed sections, each with its outcome, as JSON in and out.

A field that could not be read is `None` (unknown): never 0, never "".
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from envkit.errors import InputError
from envkit.facts.accelerators import Amd, Apple, Intel, Nvidia, Tpu
from envkit.facts.cluster import Allocation, Network
from envkit.facts.host import Clock, Kernel, Limits, MemoryPolicy, Topology
from envkit.facts.machine import Container, ContainerEngine, Cpu, Disk, KernelLog, Memory, System
from envkit.facts.software import (
    Jax,
    JaxDeep,
    Python,
    Tensorflow,
    TensorflowDeep,
    Torch,
    TorchDeep,
)

SCHEMA = "envkit.facts/1"

T = TypeVar("T")
Outcome = Literal["ok", "absent", "unknown"]


class Section(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What one probe found.

    outcome: ok (facts are there), absent (asked, not there), unknown (could not ask).
    why: for absent and unknown, what was looked at or what prevented it.
    seconds: how long the probe took.
    """

    outcome: Outcome = "unknown"
    why: str = "not asked"
    seconds: float = 0.0
    facts: T | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One machine and the inspected Python. A section that nobody filled is unknown: "not asked"."""

    schema: str = SCHEMA
    """Name and version of this format; other versions are refused."""
    envkit: str = ""
    """Version of the envkit that took the facts: "0.1.0"; "" where it was not envkit."""
    taken_at: str = ""
    """When, by this machine's clock, in UTC: "2026-11-26T08:14:24+00:00"; "" where a text does not tell."""
    sources: list[str] = []
    """What these facts were read from, where that was not this machine: "nvidia-smi -q", "pip list", ..."""
    system: Section[System] = Section()
    cpu: Section[Cpu] = Section()
    memory: Section[Memory] = Section()
    disk: Section[Disk] = Section()
    limits: Section[Limits] = Section()
    memory_policy: Section[MemoryPolicy] = Section()
    topology: Section[Topology] = Section()
    clock: Section[Clock] = Section()
    kernel: Section[Kernel] = Section()
    network: Section[Network] = Section()
    allocation: Section[Allocation] = Section()
    container: Section[Container] = Section()
    container_engine: Section[ContainerEngine] = Section()
    kernel_log: Section[KernelLog] = Section()
    nvidia: Section[Nvidia] = Section()
    tpu: Section[Tpu] = Section()
    amd: Section[Amd] = Section()
    intel: Section[Intel] = Section()
    apple: Section[Apple] = Section()
    python: Section[Python] = Section()
    torch: Section[Torch] = Section()
    tensorflow: Section[Tensorflow] = Section()
    jax: Section[Jax] = Section()
    torch_deep: Section[TorchDeep] = Section()
    tensorflow_deep: Section[TensorflowDeep] = Section()
    jax_deep: Section[JaxDeep] = Section()


SECTIONS: tuple[str, ...] = tuple(
    f.name for f in msgspec.structs.fields(Facts) if f.name not in {"schema", "envkit", "taken_at", "sources"}
)


def ok(facts: T, seconds: float = 0.0) -> Section[T]:
    return Section(outcome="ok", why="", seconds=seconds, facts=facts)


def absent(why: str, seconds: float = 0.0) -> Section[Any]:
    return Section(outcome="absent", why=why, seconds=seconds)


def unknown(why: str, seconds: float = 0.0) -> Section[Any]:
    return Section(outcome="unknown", why=why, seconds=seconds)


def encode(facts: Facts) -> str:
    """Facts as indented JSON text (schema envkit.facts/1)."""
    return msgspec.json.format(msgspec.json.encode(facts), indent=2).decode()


def decode(text: str | bytes, origin: str) -> Facts:
    """Facts from JSON text; `origin` names it in errors.

    Raises:
        InputError: not JSON, not envkit's facts, a schema this version cannot read, or a value of the wrong type.
    """
    if isinstance(text, bytes) and text[:2] in {b"\xff\xfe", b"\xfe\xff"}:  # as PowerShell's > writes it
        text = text.decode("utf-16", "replace")
    text = text.removeprefix(b"\xef\xbb\xbf") if isinstance(text, bytes) else text.removeprefix("\ufeff")
    try:
        head = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{origin}: not JSON: {error}", hint="expected the output of `envkit probe`") from error
    schema = head.get("schema") if isinstance(head, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{origin}: schema is {schema!r}, expected {SCHEMA!r}", hint="write the file with `envkit probe`"
        )
    try:
        facts = msgspec.convert(head, Facts)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InputError(f"{origin}: {error}", hint="write the file with `envkit probe`") from error
    for name in SECTIONS:
        section: Section[Any] = getattr(facts, name)
        if (section.outcome == "ok") != (section.facts is not None):
            there = "no facts" if section.facts is None else "facts all the same"
            raise InputError(f"{origin}: section {name} is {section.outcome}, and has {there}")
    return facts
