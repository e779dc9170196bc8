"""The shape of the tables of GPUs, of what drivers log, and of combinations that do not work together."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from envkit.knowledge.tables import Row, Table

Action = Literal["restart-app", "reset", "reboot", "vendor", "update", "watch"]


class GpuModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of GPU. server: made for machines without a display; unified_memory: it shares the machine's."""

    capability: str
    memory_gib: float | None = None
    server: bool = False
    unified_memory: bool = False


class Gpus(Table, frozen=True, kw_only=True):
    gpus_source: str
    gpus: dict[str, GpuModel]


class Xid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error in the kernel's log: what it says, what is to be done, how much it counts."""

    title: str
    action: Action
    severity: Literal["fail", "warn", "none"]


class Xids(Table, frozen=True, kw_only=True):
    xids_source: str
    xids: dict[int, Xid]
    recovery_source: str
    recovery: dict[str, Xid]


class KnownBad(Row, frozen=True, kw_only=True):
    """Packages that do not work together.

    packages: each with a PEP 440 specifier, "" for any version; all must be installed. capability: specifier for the
    compute capability of some GPU, if that matters. metadata: the packages' own metadata says it, so that it is looked
    at only where that was not read. uninstall and install: names and requirements by which the remedy is done.
    """

    packages: dict[str, str]
    effect: str
    remedy: str
    severity: Literal["fail", "warn"] = "fail"
    capability: str = ""
    metadata: bool = False
    uninstall: list[str] = msgspec.field(default_factory=list)
    install: list[str] = msgspec.field(default_factory=list)


class KnownBads(Table, frozen=True, kw_only=True):
    combinations: dict[str, KnownBad]


def model_of(models: dict[str, GpuModel], name: str) -> GpuModel | None:
    """The row of a GPU's name as drivers, frameworks and people write it; None where it could be several.

    "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "A100", "RTX 4090", "GeForce RTX 3080 Laptop GPU", "NVIDIA A100-SXM..."
    """
    cut = name.rstrip().endswith("...")
    wanted = _plain(name.rstrip(" ."))
    known = {_plain(key): row for key, row in models.items()}
    for start in (wanted, f"geforce {wanted}"):
        beginnings = [key for key in known if _begins(start, key)]
        if beginnings:
            return known[max(beginnings, key=len)]
    fuller = [
        row for key, row in known.items() if wanted and _begins(key.removeprefix("quadro "), wanted, whole=not cut)
    ]
    if len({(row.capability, row.server) for row in fuller}) != 1:
        return None
    same_memory = len({row.memory_gib for row in fuller}) == 1
    return fuller[0] if same_memory else msgspec.structs.replace(fuller[0], memory_gib=None)


@lru_cache(maxsize=4096)  # the table's names are asked for again with every GPU
def _plain(name: str) -> str:
    """Without the brand and without what a virtual GPU's name ends in ("GRID A100-20C")."""
    words = " ".join(name.split()).lower()
    for brand in ("nvidia ", "tesla ", "grid "):
        words = words.removeprefix(brand)
    return re.sub(r"-\d+[abcq]$", "", words)


def _begins(text: str, start: str, *, whole: bool = True) -> bool:
    """Whether a text begins with another; whole: which ends at the end of a word there."""
    return text.startswith(start) and not (whole and text[len(start) : len(start) + 1].isalnum())
