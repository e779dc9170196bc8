"""The shape of the table of memory that a smoke run needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from envkit.knowledge.tables import Row, Table

MIB = 1 << 20


class SmokeNeed(Row, frozen=True, kw_only=True):
    """What one child holds at most, in MiB: of main memory, and of its device's."""

    memory_mib: int | None = None
    device_mib: int | None = None


class Need(NamedTuple):
    """Bytes of main memory, and of the device's; 0 where nothing is known."""

    memory: int = 0
    device: int = 0


class SmokeMemory(Table, frozen=True, kw_only=True):
    """needs: by the words of a child ("torch cuda compiled")."""

    needs: dict[str, SmokeNeed]

    def need(self, words: Iterable[str]) -> Need:
        """What a child takes that these words describe: a row counts if it has all its words, and the largest figure.

        Args:
            words: framework, kind of device, variants and models: {"torch", "cuda", "eager", "mlp"}.
        """
        described = set(words)
        rows = [row for name, row in self.needs.items() if described.issuperset(name.split())]
        memory = max((row.memory_mib or 0 for row in rows), default=0)
        device = max((row.device_mib or 0 for row in rows), default=0)
        return Need(memory * MIB, device * MIB)
