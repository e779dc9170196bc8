"""A report that was saved, to compare with: only of the same machine model and of this schema."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from envkit.bench.types import SCHEMA, BenchReport, Kind, Machine, Measurement
from envkit.errors import InputError
from envkit.redact import redact

HINT = "expected a file that `envkit bench --save FILE` wrote on such a machine"
LARGEST_BYTES = 16 << 20


def read(path: str) -> BenchReport:
    """The report in a file.

    Raises:
        InputError: it cannot be read, or holds no report of this schema.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"--baseline {path}: {error.strerror or error}", hint=HINT) from error
    if len(content) > LARGEST_BYTES:
        raise InputError(f"--baseline {path}: larger than {LARGEST_BYTES >> 20} MiB", hint=HINT)
    try:
        raw = msgspec.json.decode(content)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if schema != SCHEMA:
            found = f"schema {schema}" if isinstance(schema, str) else "no schema"
            raise InputError(f"--baseline {path}: {found}, expected {SCHEMA}", hint=HINT)
        return msgspec.convert(raw, BenchReport)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"--baseline {path}: {error}", hint=HINT) from error


def refuse_another_machine(path: str, there: Machine, here: Machine) -> None:
    """Figures of another model of CPU or GPU tell nothing.

    Raises:
        InputError: the models differ.
    """
    differences = []
    if there.cpu != here.cpu:
        differences.append(f"its CPU is {there.cpu or 'unknown'}, here it is {here.cpu or 'unknown'}")
    if set(there.gpus) != set(here.gpus):
        differences.append(f"its GPUs are {_names(there)}, here they are {_names(here)}")
    if differences:
        raise InputError(f"--baseline {path} is of another machine: {'; '.join(differences)}", hint=HINT)


def lost(earlier: BenchReport, kinds: Collection[Kind], results: Sequence[Measurement]) -> list[Measurement]:
    """A failure for each GPU that was measured then and is not there now."""
    now = {result.device for result in results}
    then = [m for m in earlier.measurements if m.kind in kinds and ":" in m.device and "-" not in m.device]
    gone = {m.device: m.kind for m in reversed(then) if m.value is not None and m.device not in now}
    message = "it is in the baseline, and PyTorch does not see it now"
    return [
        Measurement(kind=kind, device=device, status="fail", cause="device-missing", message=message)
        for device, kind in sorted(gone.items())
    ]


def refuse_unwritable(path: str) -> None:
    """Known before minutes of measuring.

    Raises:
        InputError: no file can be written there.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise InputError(f"--save {path}: this is a folder", hint="name a file in it")
    if not os.path.isdir(folder):
        raise InputError(f"--save {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--save {path}: {folder} may not be written to")


def write(path: str, report: BenchReport) -> None:
    """Save a report, redacted; an older file is replaced whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    text = redact(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    target = Path(path)
    try:
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            try:
                file.write(text)
                file.close()
                os.chmod(file.name, 0o666 & ~_umask())
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise InputError(f"--save {path}: {error.strerror or error}") from error


def _umask() -> int:
    os.umask(mask := os.umask(0))
    return mask


def _names(machine: Machine) -> str:
    return ", ".join(machine.gpus) or "none"
