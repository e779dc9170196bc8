"""What ages: drivers, wheels, architectures. YAML with source and date, read when a check asks.

A file of the same name in $XDG_CONFIG_HOME/envkit/knowledge (or ~/.config/envkit/knowledge) is merged over it: its
rows replace the rows of the same key, new ones are added. What no table says is None: unknown, never a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from envkit.errors import InputError, closest
from envkit.knowledge.accelerators import Accelerators
from envkit.knowledge.distributions import Distributions
from envkit.knowledge.drivers import Drivers
from envkit.knowledge.extensions import Extensions
from envkit.knowledge.files import merged, parse
from envkit.knowledge.hardware import GpuModel, Gpus, KnownBads, Xids, model_of
from envkit.knowledge.packages import PackageNames
from envkit.knowledge.peaks import Peaks
from envkit.knowledge.smoke import SmokeTable
from envkit.knowledge.smoke_memory import SmokeMemory
from envkit.knowledge.tables import (
    Cause,
    Causes,
    ImportErrors,
    ImportFailure,
    Signature,
    Signatures,
    Translations,
)
from envkit.knowledge.wheels import JaxTable, Release, TensorflowTable, TorchRelease, TorchTable
from envkit.versions import release

T = TypeVar("T")
TABLES = (
    "drivers",
    "torch",
    "tensorflow",
    "jax",
    "import_errors",
    "gpus",
    "xids",
    "accelerators",
    "known_bad",
    "distributions",
    "extensions",
    "packages",
    "peaks",
    "translations",
    "smoke",
    "smoke_memory",
)
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
    def distributions(self) -> Distributions:
        return self._read("distributions", Distributions)

    @cached_property
    def extensions(self) -> Extensions:
        return self._read("extensions", Extensions)

    @cached_property
    def packages(self) -> PackageNames:
        return self._read("packages", PackageNames)

    @cached_property
    def peaks(self) -> Peaks:
        return self._read("peaks", Peaks)

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
    def translations(self) -> Translations:
        return self._read("translations", Translations)

    @cached_property
    def gpus(self) -> Gpus:
        return self._read("gpus", Gpus)

    @cached_property
    def xids(self) -> Xids:
        return self._read("xids", Xids)

    @cached_property
    def accelerators(self) -> Accelerators:
        return self._read("accelerators", Accelerators)

    @cached_property
    def known_bad(self) -> KnownBads:
        return self._read("known_bad", KnownBads)

    @cached_property
    def smoke(self) -> SmokeTable:
        return self._read("smoke", SmokeTable)

    @cached_property
    def smoke_memory(self) -> SmokeMemory:
        return self._read("smoke_memory", SmokeMemory)

    def gpu_model(self, name: str | None) -> GpuModel | None:
        """What is known of a GPU by its name; None where the table does not have it, or has several it could be."""
        return model_of(self.gpus.gpus, name) if name else None

    def capability_of(self, name: str | None) -> str | None:
        """The compute capability of a GPU by its name: "NVIDIA A100-SXM4-80GB" -> "8.0"."""
        model = self.gpu_model(name)
        return model.capability if model else None

    def torch_release(self, version: str) -> TorchRelease | None:
        """The row of one release; the local version does not matter."""
        return self.torch.releases.get(version.partition("+")[0])

    def pythons(self, framework: Literal["torch", "tensorflow", "jax"], version: str) -> str | None:
        """The Pythons that a release has Linux wheels for: ("torch", "2.10.0") -> ">=3.10,<3.15"."""
        found = self.releases(framework).get(version.partition("+")[0])
        return found.python if found else None

    def newest(self, framework: Literal["torch", "tensorflow", "jax"]) -> str:
        """The newest release that the table knows."""
        return max(self.releases(framework), key=lambda version: release(version) or ())

    def releases(self, framework: Literal["torch", "tensorflow", "jax"]) -> Mapping[str, Release]:
        """The releases that the table knows."""
        tables: dict[str, Mapping[str, Release]] = {
            "torch": self.torch.releases,
            "tensorflow": self.tensorflow.releases,
            "jax": self.jax.releases,
        }
        return tables[framework]

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
            raise InputError(f"{path}: {error}", hint="the tables in envkit/knowledge show what is expected") from error


def load() -> Knowledge:
    """The tables, with those of the user over them.

    Raises:
        InputError: a file in the user's folder is no table of envkit, no YAML, or says what a table cannot.
    """
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = Path(os.path.expanduser(base)) / "envkit" / "knowledge"
    knowledge = Knowledge(folder)
    # A folder that may not be looked at is none. It is read at once: a mistake in it ends the command, not one check.
    if os.path.isdir(folder):
        for path in sorted(folder.glob("*.yaml")):
            if path.stem not in {*TABLES, "causes"}:
                near = closest(path.stem, (*TABLES, "causes"))
                raise InputError(f"{path}: there is no such table", hint=f"did you mean {near}.yaml?" if near else "")
            getattr(knowledge, path.stem)
    return knowledge
