"""Groups of device nodes, by real files of this user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.facts.accelerators import DeviceNode
from envkit.probes import files, groups


def told(path: Path, monkeypatch: pytest.MonkeyPatch, group: str, passwd: str) -> DeviceNode:
    texts = {"/etc/group": group, "/etc/passwd": passwd}
    monkeypatch.setattr(files, "read_text", lambda _root, name: texts[name])
    (node,) = groups.with_groups("/", [DeviceNode(path=str(path))])
    return node


def test_a_group_has_its_name_and_this_user_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.stat(tmp_path).st_gid
    node = told(
        tmp_path, monkeypatch, f"other:x:99999:\nrender:x:{own}:bob\n", f"me:x:{os.geteuid()}:{own}::/:/bin/sh\n"
    )
    assert (node.group, node.in_group, node.in_group_at_login) == ("render", True, True)


def test_who_was_put_into_the_group_since_the_login_will_be_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getegid", lambda: 99998)
    monkeypatch.setattr(os, "getgroups", lambda: [99998])
    own, me = os.stat(tmp_path).st_gid, os.geteuid()
    node = told(tmp_path, monkeypatch, f"render:x:{own}:bob,me\n", f"me:x:{me}:99998::/:/bin/sh\n")
    assert (node.group, node.in_group, node.in_group_at_login) == ("render", False, True)
    node = told(tmp_path, monkeypatch, f"render:x:{own}:bob\n", f"me:x:{me}:99998::/:/bin/sh\n")
    assert (node.in_group, node.in_group_at_login) == (False, False)


@pytest.mark.parametrize("text", ["", "garbage\n:::\n\n", "render:x\n"])
def test_a_group_without_a_name_has_its_number_and_a_user_without_one_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    node = told(tmp_path, monkeypatch, text, text)
    assert (node.group, node.in_group_at_login) == (str(os.stat(tmp_path).st_gid), None)


def test_a_node_that_is_gone_and_a_recorded_one_are_left_as_they_are(tmp_path: Path) -> None:
    gone = [DeviceNode(path=str(tmp_path / "gone"))]
    assert groups.with_groups("/", gone) == gone
    recorded = [DeviceNode(path="/dev/null")]
    assert groups.with_groups(str(tmp_path), recorded) == recorded
