"""What NVIDIA's GPUs need beside their driver to reach each other over NVLink: fabric manager and IMEX."""

from __future__ import annotations

import re
from contextlib import closing
from urllib.parse import quote

import msgspec

from envkit.facts.accelerators import Nvidia
from envkit.probes import files

PACKAGE = re.compile(  # "nvidia-fabricmanager-570" on Debian and Ubuntu, "nvidia-fabric-manager" elsewhere
    r"^Package: nvidia-fabric-?manager(?:-\d+)?\nStatus: install ok installed\n(?:.+\n)*?Version: (\S+)", re.MULTILINE
)
RPM_NAMES = ("nvidia-fabric-manager", "nvidia-fabricmanager")
RPM_QUERY = "SELECT blob FROM Packages JOIN Name USING (hnum) WHERE key IN (?, ?)"
RPM_DATABASES = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
RPM_VERSION_TAG = 1001
VERSION = re.compile(r"\d{3,}\.\d+(?:\.\d+)*")
PROCESS = "nv-fabricmanage"  # nv-fabricmanager, cut to 15 characters
CHANNELS = "/dev/nvidia-caps-imex-channels"
NODES = "/etc/nvidia-imex/nodes_config.cfg"


def with_fabric(root: str, seen: Nvidia) -> Nvidia:
    """The facts with those of fabric manager and IMEX, which are looked for where GPUs have such links."""
    gpus = seen.gpus or []
    linked = bool(seen.nvswitches) or any(
        gpu.nvlinks or gpu.fabric_state not in {None, "not-supported"} for gpu in gpus
    )
    clustered = any(gpu.fabric_cluster for gpu in gpus)
    return msgspec.structs.replace(
        seen,
        fabric_manager_version=_manager_version(root) if linked else None,
        fabric_manager_running=_manager_runs(root) if seen.nvswitches else None,
        imex_channels=_channels(root) if clustered else None,
        imex_nodes=_nodes(root) if clustered else None,
    )


def _manager_version(root: str) -> str | None:
    found = [*PACKAGE.findall(files.read_text(root, "/var/lib/dpkg/status") or ""), *_rpm_versions(root)]
    versions = [match.group() for text in found if (match := VERSION.search(text))]
    return max(versions, key=lambda version: tuple(map(int, version.split("."))), default=None)


def _rpm_versions(root: str) -> list[str]:
    """Of rpm's database, read as a file: nothing is locked and nothing written."""
    path = next((path for path in RPM_DATABASES if files.exists(root, path)), None)
    if path is None:
        return []
    try:
        import sqlite3  # noqa: PLC0415 - some Pythons have none, and few machines get here
    except ImportError:
        return []
    try:
        uri = f"file:{quote(str(files.locate(root, path)))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            return [_rpm_text(blob, RPM_VERSION_TAG) for (blob,) in database.execute(RPM_QUERY, RPM_NAMES)]
    except (sqlite3.Error, OSError, ValueError):
        return []


def _rpm_text(header: bytes, tag: int) -> str:
    """A text of a package's header: number of entries, size; for each its tag, type, place and count; the data."""
    entries = int.from_bytes(header[:4], "big")
    for at in range(8, min(8 + 16 * entries, len(header)), 16):
        if int.from_bytes(header[at : at + 4], "big") == tag:
            start = 8 + 16 * entries + int.from_bytes(header[at + 8 : at + 12], "big")
            return header[start : start + 100].partition(b"\0")[0].decode("utf-8", "replace")
    return ""


def _manager_runs(root: str) -> bool | None:
    names = files.list_dir(root, "/proc")
    if names is None:
        return None
    return any(files.read_line(root, f"/proc/{name}/comm") == PROCESS for name in names if name.isdecimal())


def _channels(root: str) -> int:
    return sum(re.fullmatch(r"channel\d+", name) is not None for name in files.list_dir(root, CHANNELS) or [])


def _nodes(root: str) -> int | None:
    text = files.read_text(root, NODES)
    return None if text is None else sum(bool(line.strip()) and line.strip()[0] != "#" for line in text.split("\n"))
