"""The shape of each table under knowledge/: what its YAML may say."""

from __future__ import annotations

from datetime import date

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row may carry."""

    source: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every file carries."""

    as_of: date


class Driver(Row, frozen=True, kw_only=True):
    driver: str


class Branch(Row, frozen=True, kw_only=True):
    long_term: bool
    end_of_life: str


class Drivers(Table, frozen=True, kw_only=True):
    minor_version_floor: dict[str, Driver]
    toolkit_driver: dict[str, Driver]
    branches: dict[str, Branch]


class CudaCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CUDA code in a wheel, as numbers: sm_90 is 90, compute_120 is 120."""

    sm: list[int]
    ptx: list[int] = []
    on_index: bool = True
    """False: built, but not known to be on PyTorch's index, so not to be recommended."""


class Lifted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cuda: str
    sm: list[int]


class CubinRule(Row, frozen=True, kw_only=True):
    exclude: dict[int, list[int]]
    only: dict[int, list[int]]
    lifted: Lifted


class TorchSeries(Row, frozen=True, kw_only=True):
    x86_64: dict[str, CudaCode]
    aarch64: dict[str, CudaCode] = {}


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


class JaxPlugin(Row, frozen=True, kw_only=True):
    capability: str


class JaxTable(Table, frozen=True, kw_only=True):
    plugins: dict[str, JaxPlugin]
    releases_source: str
    releases: dict[str, Release]


class ImportFailure(Row, frozen=True, kw_only=True):
    """Why an import failed. pattern: a regular expression; cause may name its first group as {1}."""

    pattern: str
    cause: str
    remedy: str


class ImportErrors(Table, frozen=True, kw_only=True):
    errors: dict[str, ImportFailure]
