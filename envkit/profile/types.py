"""What a machine and its environment are expected to be: requirements, packages, smoke runs, overrides of checks.

These types are the profile's file format: reading, the JSON Schema and docs/profiles.md follow from them. A field's
docstring is its documentation; `extra` of an annotation names how its text is read (values.py) and what is expected.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Accelerator = Literal["none", "nvidia", "amd", "tpu", "apple"]
Framework = Literal["torch", "tensorflow", "jax"]
Device = Literal["cpu", "cuda", "rocm", "mps", "tpu", "xpu"]

Specifier = Annotated[
    str, msgspec.Meta(extra={"kind": "specifier", "expected": 'a PEP 440 specifier such as ">=3.10,<3.14"'})
]
Version = Annotated[str, msgspec.Meta(extra={"kind": "version", "expected": 'a version such as "12.8"'})]
Size = Annotated[
    int,
    msgspec.Meta(
        extra={"kind": "size", "expected": 'bytes, or a size such as "8 GiB"'},
        extra_json_schema={
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([kMGT]B|[KMGT]iB|B)$"},
            ]
        },
    ),
]
Count = Annotated[int, msgspec.Meta(ge=1)]
Requirement = Annotated[
    str, msgspec.Meta(extra={"kind": "requirement", "expected": 'a pinned PEP 508 requirement such as "numpy==2.2.6"'})
]
TorchBackend = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(|cpu|xpu|cu[0-9]{3}|rocm[0-9]+(\.[0-9]+)*)$",
        extra={"expected": 'a segment such as "cpu", "cu128" or "rocm7.2"'},
    ),
]


class Requires(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine must have. Versions are PEP 440 specifiers; sizes are bytes (YAML may say "8 GiB")."""

    os: list[Literal["linux", "darwin", "windows"]] = []
    """Operating systems, any of them; empty: all."""
    architecture: list[str] = []
    """Machine types as the kernel names them ("x86_64", "aarch64"), any of them; empty: all."""
    python: Specifier = ""
    """Python of the environment: ">=3.10,<3.14"."""
    glibc: Specifier = ""
    """C library, on Linux: ">=2.28"."""
    accelerator: Accelerator = "none"
    """What trains besides the CPU."""
    accelerators_min: Count = 1
    """How many accelerators, where there must be one."""
    driver: Specifier = ""
    """NVIDIA driver: ">=525.60.13"."""
    cuda: Version = ""
    """CUDA of the libraries in the wheels: "12.8"."""
    compute_capability: Specifier = ""
    """Compute capability of every NVIDIA GPU: ">=7.0"."""
    memory: Size = 0
    """Memory for training: bytes, or text such as "8 GiB"."""
    disk: Size = 0
    """Free space that downloading and unpacking the packages takes: bytes, or text such as "15 GiB"."""


class SmokeRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that one framework must train, and where."""

    framework: Framework
    """The framework that trains."""
    models: list[str] = msgspec.field(default_factory=lambda: ["mlp", "cnn"])
    """Reference models: "mlp", "cnn"."""
    device: Device = "cpu"
    """Where parameters and outputs must lie; never a silent fall to the CPU."""


class CheckOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this profile treats one check."""

    severity: Literal["fail", "warn"] | None = None
    """What its finding counts as; null: as the check says."""
    ignore: str = ""
    """The reason why the check is not run."""
    thresholds: dict[str, int | float | str | bool] = {}
    """Values for the check's parameters, by name."""


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `--with NAME` adds to a profile and `--without NAME` leaves out."""

    default: bool = False
    """It is there unless it is left out."""
    python: Specifier = ""
    """Python that it needs, where that is narrower than the profile's: ">=3.11"."""
    packages: list[Requirement] = []
    """As `packages` of the profile."""
    smoke: list[SmokeRun] = []
    """As `smoke` of the profile."""


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str = ""
    """How reports call the profile; the file's name without suffix where it is not said. Not inherited."""
    description: str = ""
    """What it is for; the first line stands in lists."""
    requires: Requires = Requires()
    """What the machine must have. Merged key by key."""
    packages: list[Requirement] = []
    """PEP 508 requirements, pinned with ==; markers allowed. Merged by project: a project named here replaces
    every entry of it in what is extended."""
    torch_backend: TorchBackend = ""
    """Segment of the PyTorch wheel index: "cpu", "cu128", "rocm7.2"; "" for builds from the main index."""
    smoke: list[SmokeRun] = []
    """Training runs that prove the environment. Merged by framework: the runs named here replace those of their
    framework."""
    options: dict[str, Option] = {}
    """What may be added or left out, by name, usually a framework's. Merged by name; a project or framework of an
    option is replaced like the profile's own."""
    checks: dict[str, CheckOverride] = {}
    """Overrides, by id of a check. Merged by id."""
    bench: dict[str, float] = {}
    """The least that `envkit bench --profile` must measure, by name, in the unit that it prints: "matmul bfloat16"
    (of every GPU), "cpu memory", "disk read". Merged by name."""


class Profile(_Content, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile with everything it extends and its options merged in. The empty one expects nothing."""

    added: list[str] = []
    """Options that were added to those that it has by default."""
    left_out: list[str] = []
    """Options that it has by default and that were left out."""
    asked: str = ""
    """What it was called when it was asked for: a name, or a path; commands that name it again say this."""
    path: str = ""
    """The file it was read from."""

    @property
    def words(self) -> list[str]:
        """How a command line asks for it: ["cuda12", "--with", "jax"]."""
        options = [word for name in self.added for word in ("--with", name)]
        return [self.asked or self.name, *options, *(w for name in self.left_out for w in ("--without", name))]

    @property
    def title(self) -> str:
        """Its name with its options: "cuda12 --with jax"."""
        return " ".join([self.name, *self.words[1:]])

    @property
    def variant(self) -> str:
        """Which of its options it has: "" for those it has by default, "with-jax", "with-jax-without-tensorflow"."""
        chosen = [f"with-{name}" for name in self.added] + [f"without-{name}" for name in self.left_out]
        return "-".join(chosen)

    @property
    def wants_gpu(self) -> bool:
        return self.requires.accelerator != "none"


class ProfileFile(_Content, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a profile file may say."""

    extends: str | list[str] = []
    """Profiles to start from, merged from left to right: a name, or a path that stays inside this file's folder."""
