"""Which group a device node belongs to, and whether this user is in it."""

from __future__ import annotations

import os

from msgspec.structs import replace

from envkit.facts.accelerators import DeviceNode
from envkit.probes import files


def with_groups(root: str, nodes: list[DeviceNode]) -> list[DeviceNode]:
    """The nodes with their groups; as they are in a recorded tree, whose files belong to whoever recorded it."""
    return [_with_group(node) for node in nodes] if root == "/" else nodes


def _with_group(node: DeviceNode) -> DeviceNode:
    try:
        group = os.stat(node.path).st_gid
    except OSError:
        return node
    # Not by the modules grp and pwd: those may ask a server that does not answer.
    name, members = _entries("/etc/group").get(str(group), ("", []))
    user, fields = _entries("/etc/passwd").get(str(os.geteuid()), ("", []))
    return replace(
        node,
        group=name or str(group),
        in_group=group in {os.getegid(), *os.getgroups()},
        in_group_at_login=user in members or fields[:1] == [str(group)] if user else None,
    )


def _entries(path: str) -> dict[str, tuple[str, list[str]]]:
    """Lines "name:password:number:rest" by number: name, and the next field as a list (members, or the first group)."""
    lines = [line.split(":") for line in (files.read_text("/", path) or "").split("\n")]
    return {fields[2]: (fields[0], fields[3].split(",")) for fields in lines if len(fields) >= 4}
