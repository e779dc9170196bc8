"""The tables of the frameworks' wheels, and what follows from them. What they do not tell is None."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from envkit.knowledge.tables import Row, Table
from envkit.versions import minor, release, satisfies

Runs = Literal["binary", "ptx", "no"]


class CudaCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CUDA code in a wheel, as numbers: sm_90 is 90, compute_120 is 120."""

    sm: list[int]
    ptx: list[int] = []
    exact: list[int] = []
    """Code for one device alone: sm_90a is 90."""
    on_index: bool = True
    """False: built, but not known to be on PyTorch's index, so not to be recommended."""

    @property
    def names(self) -> str:
        """As NVIDIA writes it: "sm_75 sm_90a compute_120"."""
        names = [f"sm_{n}" for n in self.sm] + [f"sm_{n}a" for n in self.exact] + [f"compute_{n}" for n in self.ptx]
        return " ".join(names)


def code_of(architectures: Iterable[str]) -> CudaCode:
    """The code that a framework says it has: ["sm_75", "sm_90a", "compute_120"].

    What ends in "a" is for that device alone, be it PTX; what ends in "f" for devices of the same major version, as
    every binary is (NVIDIA, CUDA C++ Programming Guide, "Family-Specific Features").
    """
    code: dict[str, list[int]] = {"sm": [], "ptx": [], "exact": []}
    for architecture in architectures:
        kind, _, name = architecture.partition("_")
        number = name.rstrip("af")
        if kind in {"sm", "compute"} and number.isdecimal():
            where = "exact" if name.endswith("a") else "ptx" if kind == "compute" and name == number else "sm"
            code[where].append(int(number))
    return CudaCode(sm=code["sm"], ptx=code["ptx"], exact=code["exact"])


class Lifted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cuda: str
    sm: list[int]


class CubinRule(Row, frozen=True, kw_only=True):
    """Which device runs which binary code, beside the same major version and no older a minor one."""

    exclude: dict[int, list[int]]
    only: dict[int, list[int]]
    lifted: Lifted

    def allows(self, sm: int, device: int, cuda: str) -> bool:
        """Whether code runs on a device (86 for 8.6) in a program built with this CUDA."""
        if sm in self.only:
            return device in self.only[sm]
        lifted = sm in self.lifted.sm and satisfies(cuda, f">={self.lifted.cuda}")
        excluded = [] if lifted else self.exclude.get(sm, [])
        return sm // 10 == device // 10 and sm <= device and device not in excluded


class TorchSeries(Row, frozen=True, kw_only=True):
    x86_64: dict[str, CudaCode]
    aarch64: dict[str, CudaCode] = msgspec.field(default_factory=dict)

    def variants(self, architecture: str) -> dict[str, CudaCode]:
        """Variants of its wheels for Linux on a machine: {"cu126": ...}."""
        return {"x86_64": self.x86_64, "aarch64": self.aarch64}.get(architecture, {})


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    python: str
    """The Pythons it has wheels for: ">=3.10,<3.15"."""


class TorchRelease(Release, frozen=True, kw_only=True):
    cuda: str
    torchvision: str
    torchaudio: str


class TorchTable(Table, frozen=True, kw_only=True):
    cubin_rule: CubinRule
    series: dict[str, TorchSeries]
    releases_source: str
    releases: dict[str, TorchRelease]
    pypi_cuda_source: str
    pypi_cuda: dict[str, str]
    """Series to the CUDA of its Linux wheels on PyPI, for those older than `releases`."""

    def code(self, version: str, cuda: str, architecture: str) -> CudaCode | None:
        """The CUDA code in an official Linux wheel: ("2.10.0", "12.8", "x86_64") -> sm 70 to 120."""
        series = self.series.get(minor(version))
        return series.variants(architecture).get(variant_of(cuda)) if series else None

    def offers(self, version: str, cuda: str, architecture: str) -> bool | None:
        """Whether PyTorch's index has this release for this CUDA; None for a series that no table knows."""
        if minor(version) not in self.series:
            return None
        code = self.code(version, cuda, architecture)
        return code is not None and code.on_index

    def build(
        self, capabilities: Collection[str], *, driver_cuda: str, python: str, architecture: str, preferred: str = ""
    ) -> tuple[str, str] | None:
        """The newest PyTorch with code for all these GPUs, and the variant of its wheels: ("2.14.1", "cu126").

        Args:
            capabilities: compute capabilities, ["6.0"]; none: any GPU.
            driver_cuda: CUDA that the driver implements; "" where that is not known.
            python: version of the interpreter, "3.11.7"; "" for any.
            architecture: of the machine, "x86_64".
            preferred: a release that is chosen before newer ones.
        """
        for version in sorted(self.releases, key=lambda v: (v == preferred, release(v) or ()), reverse=True):
            series = self.series.get(minor(version))
            if not series or (python and satisfies(python, self.releases[version].python) is False):
                continue
            offered = {variant: code for variant, code in series.variants(architecture).items() if code.on_index}
            for variant in sorted(offered, key=lambda v: int(v.removeprefix("cu")), reverse=True):
                cuda = f"{variant[2:-1]}.{variant[-1]}"
                implemented = release(driver_cuda)
                old = implemented and int(cuda.partition(".")[0]) > implemented[0]
                if not old and all(self.runs_on(offered[variant], c, cuda) == "binary" for c in capabilities):
                    return version, variant
        return None

    def runs_on(
        self, code: CudaCode, capability: str, cuda: str, own: Mapping[str, Collection[str]] | None = None
    ) -> Runs:
        """Whether a wheel's code runs on a device: as binary, only after the driver compiles its PTX, or not at all.

        Args:
            code: what is in the wheel.
            capability: of the device, "8.9".
            cuda: that the wheel was built with, "12.8".
            own: the framework's own table of what runs where, {"sm_86": ["8.6", "8.9"]}; it wins over ours.
        """
        major, _, minor_number = capability.partition(".")
        device = int(major) * 10 + int(minor_number or 0)
        for sm in code.sm:
            devices = own.get(f"sm_{sm}") if own else None
            if capability in devices if devices is not None else self.cubin_rule.allows(sm, device, cuda):
                return "binary"
        if device in code.exact:
            return "binary"
        return "ptx" if any(ptx <= device for ptx in code.ptx) else "no"


def variant_of(cuda: str) -> str:
    """The variant of PyTorch's wheels for a CUDA: "12.8" -> "cu128"."""
    return "cu" + minor(cuda).replace(".", "")


class Unsupported(Row, frozen=True, kw_only=True):
    versions: str
    capability: str


class TensorflowRelease(Release, frozen=True, kw_only=True):
    sm: list[int]
    ptx: list[int]


class TensorflowTable(Table, frozen=True, kw_only=True):
    unsupported: dict[str, Unsupported]
    releases_source: str
    releases: dict[str, TensorflowRelease]

    def code(self, version: str) -> CudaCode | None:
        """The CUDA code in a wheel for Linux."""
        row = self.releases.get(version.partition("+")[0])
        return CudaCode(sm=row.sm, ptx=row.ptx) if row else None

    def lacks(self, version: str, capability: str) -> bool:
        """Whether this TensorFlow is known not to run on such a device where it has only PTX for it."""
        return any(
            satisfies(version, row.versions) and satisfies(capability, row.capability)
            for row in self.unsupported.values()
        )


class JaxPlugin(Row, frozen=True, kw_only=True):
    capability: str


class JaxLibrary(Row, frozen=True, kw_only=True):
    """The oldest version of a library that JAX takes."""

    least: str = ""
    """"": of the same major version as it was built with, and of no older a minor."""


class JaxTable(Table, frozen=True, kw_only=True):
    plugins: dict[str, JaxPlugin]
    libraries: dict[str, JaxLibrary]
    releases_source: str
    releases: dict[str, Release]
