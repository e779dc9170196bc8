"""The table of accelerators that are not NVIDIA's, and what follows from it. What it does not tell is None."""

from __future__ import annotations

import msgspec

from envkit.facts.accelerators import PciDevice
from envkit.knowledge.tables import Table
from envkit.versions import local, minor, release


class TpuModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One generation of TPU. devices: how many a framework counts for a chip."""

    generation: str
    devices: int
    memory_gib: int

    @property
    def name(self) -> str:
        """As Google writes it: "TPU v5e", "TPU7x"."""
        return f"TPU {self.generation}" if self.generation.startswith("v") else f"TPU{self.generation}"


class Accelerators(Table, frozen=True, kw_only=True):
    tpu_source: str
    tpu: dict[str, TpuModel]
    libtpu_source: str
    libtpu: dict[str, str]
    torch_rocm_source: str
    torch_rocm: dict[str, dict[str, list[str]]]
    mps_source: str
    mps: dict[str, str]

    def tpu_model(self, device: PciDevice) -> TpuModel | None:
        """The generation of a chip on the PCI bus."""
        return self.tpu.get(f"{device.device_id}:{device.subsystem_id}") or self.tpu.get(device.device_id)

    def rocm_code(self, torch: str) -> list[str] | None:
        """The architectures that one of PyTorch's own ROCm wheels can have code for: "2.14.1+rocm7.2" -> gfx900, ..."""
        return self.torch_rocm.get(minor(torch), {}).get(local(torch))

    def mps_macos(self, torch: str) -> str | None:
        """The oldest macOS on which this PyTorch's GPU backend starts: "2.14.1" -> "14.0"."""
        version = release(torch.partition("+")[0])
        older = [since for since in self.mps if version and (release(since) or ()) <= version]
        return self.mps[max(older, key=lambda since: release(since) or ())] if older else None
