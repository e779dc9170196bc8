"""The shape of each table under knowledge/: what its YAML may say."""

from __future__ import annotations

from datetime import date

import msgspec

from envkit.findings import Remedy


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
    pypi_cuda_source: str
    pypi_cuda: dict[str, str]
    """Series to the CUDA of its Linux wheels on PyPI, for those older than `releases`."""


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


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an error text can come from.

    checks: ids of the checks that see it on a machine. consequences: causes whose symptoms often follow from it.
    part_of: the wider cause of which it is one form, and whose name is reported. environment: False where the program
    is at fault.
    """

    title: str
    remedy: Remedy
    checks: list[str] = []
    consequences: list[str] = []
    part_of: str = ""
    environment: bool = True


class Causes(Table, frozen=True, kw_only=True):
    causes: dict[str, Cause]


class Signature(Row, frozen=True, kw_only=True):
    """A line of text that tells a cause.

    pattern: a regular expression, searched in one line. confidence: how surely that line alone means the cause, 0 to 1.
    together and without: it counts only if each of these (none of these) matches some line of the text.
    excludes: causes that it rules out or explains away. program: the program is at fault, not the environment.
    sample: a line that it matches.
    """

    cause: str
    pattern: str
    confidence: float
    together: str | list[str] = msgspec.field(default=[], name="with")
    without: str | list[str] = []
    excludes: list[str] = []
    program: bool = False
    sample: str = ""

    @property
    def needs(self) -> list[str]:
        return [self.together] if isinstance(self.together, str) else self.together

    @property
    def refuted_by(self) -> list[str]:
        return [self.without] if isinstance(self.without, str) else self.without

    @property
    def conditions(self) -> list[str]:
        return self.needs + self.refuted_by


class Signatures(Table, frozen=True, kw_only=True):
    signatures: list[Signature]
