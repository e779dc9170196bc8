"""Read a profile and everything it extends, and merge them; all that is wrong is said at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from envkit.errors import InputError, closest
from envkit.profile.find import files_of, find, in_folder, is_name, is_path
from envkit.profile.merge import Content, choose, merge
from envkit.profile.problems import Problem, ProfileErrors, Source
from envkit.profile.types import Profile, ProfileFile
from envkit.profile.values import size

LONGEST_CHAIN = 32

Thresholds = Mapping[str, Mapping[str, object]]


def load(
    name: str, *, checks: Thresholds | None = None, add: Collection[str] = (), leave_out: Collection[str] = ()
) -> Profile:
    """The profile of a name or path, with everything it extends merged in.

    Args:
        name: see find().
        checks: the known checks, id to their thresholds and defaults; None leaves `checks:` unjudged.
        add: options to have besides its default ones.
        leave_out: default options not to have.

    Raises:
        ProfileErrors: everything that is wrong, each with file, line and key.
        InputError: there is no such profile, or no such option.
    """
    found = load_file(find(name), checks=checks, add=add, leave_out=leave_out)
    return msgspec.structs.replace(found, asked=name)


def load_file(
    path: Path, *, checks: Thresholds | None = None, add: Collection[str] = (), leave_out: Collection[str] = ()
) -> Profile:
    """The profile in a file; see load()."""
    reading = _Reading(checks)
    content = _resolve(path, {}, reading)
    if reading.problems:
        files = list(dict.fromkeys(problem.file for problem in reading.problems))
        raise ProfileErrors(sorted(reading.problems, key=lambda p: (files.index(p.file), p.line)))
    chosen = choose(content, add, leave_out)
    return msgspec.convert({"name": path.stem, **chosen, "path": str(path)}, Profile)


@dataclass(frozen=True)
class _Reading:
    checks: Thresholds | None
    problems: list[Problem] = field(default_factory=list)
    done: dict[str, Content] = field(default_factory=dict)
    """By real path: a file is read once, however many files extend it."""


def _resolve(path: Path, chain: Mapping[str, str], reading: _Reading) -> Content:
    """The content of a file over that of what it extends. chain: the files that led here, real path to name."""
    real = os.path.realpath(path)
    if real in reading.done:
        return reading.done[real]
    source = Source(str(path), reading.problems)
    own = _parse(path, source, reading.checks)
    chain = {**chain, real: str(path)}
    merged: Content = {}
    extends = own.pop("extends", [])
    for n, name in enumerate([extends] if isinstance(extends, str) else extends):
        key = "extends" if isinstance(extends, str) else f"extends[{n}]"
        try:
            parent = _parent(name, path)
        except InputError as error:
            source.problem(source.lines[key], key, error.message, "a profile's name, or a path inside this folder")
            continue
        target = os.path.realpath(parent)
        if target in chain:
            files = list(chain)
            cycle = [chain[file] for file in files[files.index(target) :]]
            source.problem(source.lines[key], key, f"cycle: {' → '.join([*cycle, cycle[0]])}", "no way back")
        elif len(chain) >= LONGEST_CHAIN:
            source.problem(source.lines[key], key, f"chain of more than {LONGEST_CHAIN} profiles")
        else:
            inherited = _resolve(parent, chain, reading)
            merged = merge(merged, {k: v for k, v in inherited.items() if k != "name"})
    reading.done[real] = merge(merged, own)
    return reading.done[real]


def _parse(path: Path, source: Source, checks: Thresholds | None) -> Content:
    from envkit.profile.convert import convert  # noqa: PLC0415 - yaml, only where a profile is read
    from envkit.profile.nodes import compose  # noqa: PLC0415

    node = compose(path, source)
    if node is None:
        return {}
    content: Content = convert(node, msgspec.inspect.type_info(ProfileFile), "", node.start_mark.line + 1, source) or {}
    if checks is not None:
        _judge_overrides(content.get("checks", {}), source, checks)
    return content


def _judge_overrides(overrides: Content, source: Source, checks: Thresholds) -> None:
    for check, override in overrides.items():
        key = f"checks.{check}"
        if check not in checks:
            _unknown(check, "check", checks, key, source)
            continue
        thresholds = override.get("thresholds", {})
        for threshold, value in thresholds.items():
            where = f"{key}.thresholds.{threshold}"
            if threshold not in checks[check]:
                _unknown(threshold, "threshold", checks[check], where, source)
                continue
            try:
                thresholds[threshold] = _like(checks[check][threshold], value, is_size=threshold.endswith("_bytes"))
            except ValueError as error:
                source.problem(source.lines[where], where, str(error), f"something like {checks[check][threshold]}")


def _like(default: object, value: Any, *, is_size: bool) -> object:
    """The value, if it is of the default's type; a size may be said as text.

    Raises:
        ValueError: it is not.
    """
    if is_size and isinstance(value, (int, str)) and not isinstance(value, bool):
        return size(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"`{value}` is {type(value).__name__}, not {type(default).__name__}")
    return value


def _unknown(name: str, what: str, known: Collection[str], key: str, source: Source) -> None:
    near = closest(name, known)
    hint = f", did you mean `{near}`?" if near else ""
    source.problem(source.lines[key], key, f"unknown {what}{hint}", f"one of: {', '.join(known)}" if known else "none")


def _parent(name: str, path: Path) -> Path:
    """The file that `extends: name` in the file `path` means: beside it, else as find() does, but never itself."""
    folder = path.parent
    if is_path(name):
        target: Path | None = folder / name
        if not os.path.lexists(folder / name):
            raise InputError(f"{name}: there is no such file")
    elif is_name(name):
        target = in_folder(name, folder)
    else:
        raise InputError(f"`{name}` is no name of a profile")
    if target is None or (not is_path(name) and _same(target, path)):
        # profiles/cpu.yaml of a user may build on envkit's own cpu
        return next((file for file in files_of(name) if not _same(file, path)), target) or find(name)
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(folder)):
        raise InputError(f"`{name}` leads out of the folder {folder}")
    return target


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)
