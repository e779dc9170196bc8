"""YAML text to a graph of nodes that know their lines, and nothing that a profile has no use for."""

from __future__ import annotations

from pathlib import Path

import yaml

from envkit.profile.problems import Source

LARGEST_FILE = 1024**2
MOST_EVENTS = 20_000
MOST_ALIASES = 16
DEEPEST = 20
TOO_DEEP = f"is nested deeper than {DEEPEST} levels"


def compose(path: Path, source: Source) -> yaml.MappingNode | None:
    """The mapping that a file holds; None, with the problem said, for anything else."""
    text = _read(path, source)
    if text is None:
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if too_much := _too_much(text, loader):
            what, line = too_much
            source.problem(line, "", what)
            return None
        node = yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "nesting depth" in (error.problem or ""):  # of libyaml's scanner, which runs ahead of the events
            source.problem(mark.line + 1 if mark else 0, "", TOO_DEEP)
            return None
        column = f"column {mark.column + 1}: " if mark else ""
        what = ", ".join(filter(None, [error.context, error.problem])) or "cannot be read"
        source.problem(mark.line + 1 if mark else 0, "", f"{column}not YAML: {what}")
        return None
    except yaml.reader.ReaderError as error:
        match = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line = 1 + text.count("\n", 0, match.start()) if match else 0
        source.problem(line, "", f"not YAML: {error.reason}" + (f" (U+{ord(match[0]):04X})" if match else ""))
        return None
    if node is None:
        source.problem(0, "", "is empty", "a mapping such as `extends: cpu`")
    elif not isinstance(node, yaml.MappingNode):
        source.problem(node.start_mark.line + 1, "", "is no mapping", "keys and values such as `extends: cpu`")
    else:
        return node
    return None


def _read(path: Path, source: Source) -> str | None:
    try:
        if path.is_dir():
            source.problem(0, "", "is a folder", "a file")
        elif path.exists() and not path.is_file():
            source.problem(0, "", "is no regular file")  # reading a FIFO would wait for ever
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
            if len(data) <= LARGEST_FILE:
                return data.decode("utf-8-sig")
            source.problem(0, "", f"is larger than {LARGEST_FILE // 1024**2} MiB")
    except UnicodeDecodeError as error:
        source.problem(1 + error.object.count(b"\n", 0, error.start), "", "is not UTF-8")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        source.problem(0, "", f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return None


def _too_much(text: str, loader: type[yaml.SafeLoader]) -> tuple[str, int] | None:
    """What is beyond any real profile, and its line. Events are told one by one: nothing is built or recursed into."""
    depth = aliases = line = 0
    for count, event in enumerate(yaml.parse(text, loader), 1):
        line = event.start_mark.line + 1 if event.start_mark else line
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > DEEPEST:
            return TOO_DEEP, line
        if aliases > MOST_ALIASES:
            return f"has more than {MOST_ALIASES} aliases", line
        if count > MOST_EVENTS:
            return f"has more than {MOST_EVENTS} values", line
    return None
