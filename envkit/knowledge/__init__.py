"""What ages: drivers, wheels, architectures. YAML with source and date, read when a check asks.

A file of the same name in $XDG_CONFIG_HOME/envkit/knowledge (or ~/.config/envkit/knowledge) is merged over it: its
rows replace the rows of the same key, new ones are added. What no table says is None: unknown, never a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from envkit.errors import InputError, closest
from envkit.knowledge.files import merged, parse
from envkit.knowledge.hardware import GpuModel, Gpus, KnownBads, Xids, model_of
from envkit.knowledge.tables import (
    Branch,
    Cause,
    Causes,
    CudaCode,
    Drivers,
    ImportErrors,
    ImportFailure,
    JaxTable,
    Signature,
    Signatures,
    TensorflowTable,
    TorchRelease,
    TorchTable,
)
from envkit.versions import minor, release, satisfies

T = TypeVar("T")
Runs = Literal["binary", "ptx", "no"]
TABLES = ("drivers", "torch", "tensorflow", "jax", "import_errors", "gpus", "xids", "known_bad")
_HERE = Path(__file__).parent


class Knowledge:
    """The tables and what follows from them."""

    def __init__(self, user_folder: Path | None = None) -> None:
        self._user_folder = user_folder

    @cached_property
    def drivers(self) -> Drivers:
        return self._read("drivers", Drivers)

    @cached_property
    def torch(self) -> TorchTable:
        return self._read("torch", TorchTable)

    @cached_property
    def tensorflow(self) -> TensorflowTable:
        return self._read("tensorflow", TensorflowTable)

    @cached_property
    def jax(self) -> JaxTable:
        return self._read("jax", JaxTable)

    @cached_property
    def import_errors(self) -> ImportErrors:
        return self._read("import_errors", ImportErrors)

    @cached_property
    def causes(self) -> dict[str, Cause]:
        return self._read("causes", Causes).causes

    @cached_property
    def signatures(self) -> list[Signature]:
        """Of all files in signatures/; a user's file of the same name stands for envkit's, others are added."""
        folders = [_HERE, *([self._user_folder] if self._user_folder else [])]
        names = sorted({path.stem for folder in folders for path in (folder / "signatures").glob("*.yaml")})
        return [row for name in names for row in self._read(f"signatures/{name}", Signatures).signatures]

    @cached_property
    def gpus(self) -> Gpus:
        return self._read("gpus", Gpus)

    @cached_property
    def xids(self) -> Xids:
        return self._read("xids", Xids)

    @cached_property
    def known_bad(self) -> KnownBads:
        return self._read("known_bad", KnownBads)

    def gpu_model(self, name: str | None) -> GpuModel | None:
        """What is known of a GPU by its name; None where the table does not have it, or has several it could be."""
        return model_of(self.gpus.gpus, name) if name else None

    def capability_of(self, name: str | None) -> str | None:
        """The compute capability of a GPU by its name: "NVIDIA A100-SXM4-80GB" -> "8.0"."""
        model = self.gpu_model(name)
        return model.capability if model else None

    def driver_floor(self, cuda: str) -> str | None:
        """The oldest Linux driver that runs programs built with this CUDA: "12.8" -> "525.60.13"."""
        row = self.drivers.minor_version_floor.get(cuda.partition(".")[0])
        return row.driver if row else None

    def toolkit_driver(self, cuda: str) -> str | None:
        """The Linux driver released with this CUDA, which runs all of it: "12.8" -> "570.26"."""
        row = self.drivers.toolkit_driver.get(minor(cuda))
        return row.driver if row else None

    def driver_branch(self, at_least: str) -> tuple[str, Branch] | None:
        """The branch to install for a driver that is at least this new: a long-term one where there is one."""
        floor = (release(at_least) or (0,))[:1]
        fitting = [(name, b) for name, b in self.drivers.branches.items() if (int(name),) >= floor]
        return min(fitting, key=lambda item: (not item[1].long_term, int(item[0])), default=None)

    def torch_release(self, version: str) -> TorchRelease | None:
        """The row of one release; the local version does not matter."""
        return self.torch.releases.get(version.partition("+")[0])

    def torch_code(self, version: str, cuda: str, architecture: str) -> CudaCode | None:
        """The CUDA code in an official Linux wheel: ("2.10.0", "12.8", "x86_64") -> sm 70 to 120."""
        series = self.torch.series.get(minor(version))
        if not series or architecture not in {"x86_64", "aarch64"}:
            return None
        variants = series.x86_64 if architecture == "x86_64" else series.aarch64
        return variants.get("cu" + minor(cuda).replace(".", ""))

    def torch_build(
        self, capabilities: Collection[str], *, driver_cuda: str, python: str, architecture: str
    ) -> tuple[str, str] | None:
        """The newest PyTorch with code for all these GPUs, and the variant of its wheels: ("2.14.1", "cu126").

        Args:
            capabilities: compute capabilities, ["6.0"]; none: any GPU.
            driver_cuda: CUDA that the driver implements; "" where that is not known.
            python: version of the interpreter, "3.11.7"; "" for any.
            architecture: of the machine, "x86_64".
        """
        for version in sorted(self.torch.releases, key=lambda v: release(v) or (), reverse=True):
            series = self.torch.series.get(minor(version))
            if not series or (python and satisfies(python, self.torch.releases[version].python) is False):
                continue
            variants = series.aarch64 if architecture == "aarch64" else series.x86_64
            offered = [variant for variant, code in variants.items() if code.on_index]
            for variant in sorted(offered, key=lambda v: int(v.removeprefix("cu")), reverse=True):
                cuda = f"{variant[2:-1]}.{variant[-1]}"
                implemented = release(driver_cuda)
                old = implemented and int(cuda.partition(".")[0]) > implemented[0]
                if not old and all(self.runs_on(variants[variant], c, cuda) == "binary" for c in capabilities):
                    return version, variant
        return None

    def tensorflow_code(self, version: str) -> CudaCode | None:
        """The CUDA code in a TensorFlow wheel for Linux."""
        row = self.tensorflow.releases.get(version.partition("+")[0])
        return CudaCode(sm=row.sm, ptx=row.ptx) if row else None

    def tensorflow_unsupported(self, version: str, capability: str) -> bool:
        """Whether this TensorFlow is known not to run on such a device, whatever code is in it."""
        return any(
            satisfies(version, row.versions) and satisfies(capability, row.capability)
            for row in self.tensorflow.unsupported.values()
        )

    def runs_on(self, code: CudaCode, capability: str, cuda: str) -> Runs:
        """Whether a wheel's code runs on a device: as binary, only after the driver compiles its PTX, or not at all.

        Args:
            code: what is in the wheel.
            capability: of the device, "8.9".
            cuda: that the wheel was built with, "12.8".
        """
        major, _, minor_number = capability.partition(".")
        device = int(major) * 10 + int(minor_number or 0)
        if any(self._cubin_runs(sm, device, cuda) for sm in code.sm):
            return "binary"
        return "ptx" if any(ptx <= device for ptx in code.ptx) else "no"

    def _cubin_runs(self, sm: int, device: int, cuda: str) -> bool:
        rule = self.torch.cubin_rule
        if sm in rule.only:
            return device in rule.only[sm]
        lifted = sm in rule.lifted.sm and satisfies(cuda, f">={rule.lifted.cuda}")
        excluded = [] if lifted else rule.exclude.get(sm, [])
        return sm // 10 == device // 10 and sm <= device and device not in excluded

    def pythons(self, framework: Literal["torch", "tensorflow", "jax"], version: str) -> str | None:
        """The Pythons that a release has Linux wheels for: ("torch", "2.10.0") -> ">=3.10,<3.15"."""
        if framework == "jax":
            row = self.jax.releases.get(minor(version))
            return row.python if row else None
        releases = self.torch.releases if framework == "torch" else self.tensorflow.releases
        found = releases.get(version.partition("+")[0])
        return found.python if found else None

    def newest(self, framework: Literal["torch", "tensorflow", "jax"]) -> str:
        """The newest release, or series, that the table knows."""
        releases: dict[str, Iterable[str]] = {
            "torch": self.torch.releases,
            "tensorflow": self.tensorflow.releases,
            "jax": self.jax.releases,
        }
        return max(releases[framework], key=lambda version: release(version) or ())

    def import_failure(self, error: str) -> ImportFailure | None:
        """What the last line of a failed import tells, with the pattern's group put into the cause."""
        for row in self.import_errors.errors.values():
            if match := re.search(row.pattern, error):
                group = match[1] if match.re.groups else ""
                return msgspec.structs.replace(row, cause=row.cause.replace("{1}", group or ""))
        return None

    def _read(self, name: str, kind: type[T]) -> T:
        data: dict[str, object] = {}
        path = _HERE / f"{name}.yaml"
        for folder in (_HERE, self._user_folder):
            if folder and os.path.isfile(folder / f"{name}.yaml"):
                path = folder / f"{name}.yaml"
                data = merged(data, parse(path))
        try:
            return msgspec.convert(data, kind)
        except msgspec.ValidationError as error:
            raise InputError(
                f"{path}: {error}", hint="see the tables in envkit/knowledge for what is expected"
            ) from error


def load() -> Knowledge:
    """The tables, with those of the user over them.

    Raises:
        InputError: a file in the user's folder is no table of envkit, no YAML, or says what a table cannot.
    """
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = Path(base).expanduser() / "envkit" / "knowledge"
    knowledge = Knowledge(folder)
    # A folder that may not be looked at is none. It is read at once: a mistake in it ends the command, not one check.
    if os.path.isdir(folder):
        for path in sorted(folder.glob("*.yaml")):
            if path.stem not in {*TABLES, "causes"}:
                near = closest(path.stem, (*TABLES, "causes"))
                raise InputError(f"{path}: there is no such table", hint=f"did you mean {near}.yaml?" if near else "")
            getattr(knowledge, path.stem)
    return knowledge
