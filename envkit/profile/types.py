"""What a machine and its environment are expected to be: requirements, packages, smoke runs, overrides of checks."""

from __future__ import annotations

from typing import Literal

import msgspec

Accelerator = Literal["none", "nvidia", "amd", "tpu", "apple"]
Framework = Literal["torch", "tensorflow", "jax"]
Device = Literal["cpu", "cuda", "rocm", "mps", "tpu", "xpu"]


class Requires(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine must have. Versions are PEP 440 specifiers; sizes are bytes (YAML may say "8 GiB")."""

    os: list[Literal["linux", "darwin", "windows"]] = []
    architecture: list[str] = []
    python: str = ""
    """">=3.10,<3.14"."""
    glibc: str = ""
    accelerator: Accelerator = "none"
    accelerators_min: int = 1
    driver: str = ""
    """NVIDIA driver: ">=525.60.13"."""
    cuda: str = ""
    """CUDA of the libraries in the wheels: "12.8"."""
    compute_capability: str = ""
    """">=7.0"."""
    memory: int = 0
    disk: int = 0
    """Free space that downloading and unpacking the packages takes."""


class SmokeRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that one framework must train, and where."""

    framework: Framework
    models: list[str] = ["mlp", "cnn"]
    device: Device = "cpu"


class CheckOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this profile treats one check."""

    severity: Literal["fail", "warn"] | None = None
    ignore: str = ""
    """The reason why the check is not run."""
    thresholds: dict[str, int | float | str | bool] = {}


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile with everything it extends merged in. The empty one expects nothing."""

    name: str = ""
    description: str = ""
    requires: Requires = Requires()
    packages: list[str] = []
    """PEP 508 requirements, pinned with ==; markers allowed."""
    torch_backend: str = ""
    """Segment of the PyTorch wheel index: "cpu", "cu128", "rocm7.2"; "" for builds from the main index."""
    smoke: list[SmokeRun] = []
    checks: dict[str, CheckOverride] = {}
    path: str = ""
    """The file it was read from."""

    @property
    def wants_gpu(self) -> bool:
        return self.requires.accelerator != "none"
