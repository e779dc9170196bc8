"""The tables of compiled extensions of PyTorch and of the compiler that builds them."""

from __future__ import annotations

import msgspec

from envkit.knowledge.tables import Row, Table


class Build(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What compiling an extension takes, besides nvcc of the CUDA that PyTorch was built with."""

    command: str
    tools: list[str] = []
    memory_gib_per_job: int | None = None
    time: str = ""
    variables: dict[str, str] = {}
    """Environment variables, and what to set them to."""
    note: str = ""


class Extension(Row, frozen=True, kw_only=True):
    """One extension. accelerators, cuda and compute_capability: what its wheels are for; empty: anything."""

    requirement: str
    accelerators: list[str] = msgspec.field(default_factory=list)
    cuda: str = ""
    """Specifier of the CUDA that PyTorch was built with."""
    compute_capability: str = ""
    """Specifier of the GPUs' compute capability."""
    part_of_torch: bool = False
    """PyTorch brings the one version that fits."""
    release: str = ""
    """Of wheels that are on no index."""
    labels: list[str] = msgspec.field(default_factory=list)
    """Local versions of those wheels, with {major}, {cuda} and {torch}."""
    releases_page: str = ""
    published_torch: str = ""
    """Specifier of the PyTorch that that page has wheels for."""
    published_cuda: str = ""
    build: Build | None = None


class Toolchain(Row, frozen=True, kw_only=True):
    """A compiler from wheels. requirements, home, links, otherwise, instead: with {cuda} and {major}."""

    cuda: str
    """Specifier of the CUDAs whose wheels have it."""
    requirements: list[str]
    home: str
    """Folder in site-packages that is CUDA_HOME."""
    links: dict[str, str] = msgspec.field(default_factory=dict)
    """Links to make in home: path to target."""
    otherwise: str
    """Why there is none for another CUDA."""
    instead: str
    """What to do there."""


class Extensions(Table, frozen=True, kw_only=True):
    extensions: dict[str, Extension]
    toolchains: dict[str, Toolchain]

    @property
    def names(self) -> list[str]:
        """What `--extras` knows."""
        return [*self.extensions, *self.toolchains]
