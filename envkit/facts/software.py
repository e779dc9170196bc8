"""The inspected Python and the frameworks in it."""

from __future__ import annotations

import msgspec


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One installed distribution, read from its .dist-info folder."""

    name: str
    """Normalised (PEP 503): "nvidia-cudnn-cu12"."""
    version: str | None = None
    """None: METADATA is missing or unreadable."""
    location: str = ""
    """The folder on sys.path that holds it."""
    installer: str | None = None
    """"pip", "uv", "conda", ..."""
    requires: list[str] = []
    """Requires-Dist lines as written."""
    requires_python: str | None = None
    tags: list[str] = []
    """Wheel tags: "cp311-cp311-manylinux_2_28_x86_64"."""
    editable: bool = False
    files_missing: list[str] | None = None
    """Up to 20 files that RECORD lists and that are gone; None where RECORD was not examined."""
    files_missing_count: int | None = None


class Collision(msgspec.Struct, frozen=True, kw_only=True):
    """Distributions that own the same files: the one installed last has overwritten the other."""

    packages: list[str]
    example: str
    count: int


class Python(msgspec.Struct, frozen=True, kw_only=True):
    """The inspected interpreter and what is installed in it."""

    executable: str
    version: str
    """"3.11.7"."""
    looked_into: bool = True
    """False: too old for envkit to look into; the version is all that is known."""
    implementation: str = "cpython"
    bits: int = 64
    free_threaded: bool = False
    debug: bool = False
    prefix: str = ""
    base_prefix: str = ""
    virtual_environment: bool = False
    conda: bool = False
    externally_managed: bool = False
    """EXTERNALLY-MANAGED lies beside the standard library and this is no virtual environment (PEP 668)."""
    user_site_enabled: bool = False
    user_site_packages: list[str] = []
    """Names of distributions seen only because of ~/.local."""
    site_packages: list[str] = []
    site_packages_writable: bool | None = None
    profile: str | None = None
    """Name of the profile that `envkit setup` built this environment for."""
    profile_path: str | None = None
    """The file it was read from."""
    environment: dict[str, str] = {}
    """The variables that change how Python and the frameworks load (an allow-list)."""
    packages: list[Package] = []
    packages_complete: bool = True
    """False: read from a text that names only some packages; others may be installed too."""
    duplicates: dict[str, list[str]] = {}
    """Name to its versions, where one folder holds two .dist-info of it."""
    collisions: list[Collision] = []
    shadowed: dict[str, str] = {}
    """Framework module to the file outside every site-packages that `import` would take instead."""
    compiler: str | None = None
    """A C compiler on PATH (torch.compile needs one)."""
    headers: bool | None = None
    """Python.h is there."""
    started_with_noise: str | None = None
    """What the interpreter printed before it was asked anything."""
    found_by: str | None = None
    """How envkit came to this interpreter: "--python", "$VIRTUAL_ENV", "./.venv", "python3 on PATH"."""


class Torch(msgspec.Struct, frozen=True, kw_only=True):
    """PyTorch, from its metadata and torch/version.py; not imported."""

    version: str
    location: str = ""
    cuda: str | None = None
    """CUDA it was built for ("12.8"); None: a build without CUDA."""
    hip: str | None = None
    xpu: str | None = None
    cudnn: str | None = None
    """Version of the cuDNN wheel it requires."""
    nccl: str | None = None
    triton: str | None = None
    build_known: bool = True
    """False where torch/version.py could not be read; then cuda, hip and xpu say nothing."""


class Tensorflow(msgspec.Struct, frozen=True, kw_only=True):
    """TensorFlow, from its metadata and build_info.py; not imported."""

    version: str
    distribution: str = "tensorflow"
    """"tensorflow", "tensorflow-cpu", "tf-nightly", ..."""
    location: str = ""
    cuda_build: bool | None = None
    cuda: str | None = None
    cudnn: str | None = None
    rocm_build: bool | None = None
    keras: str | None = None
    and_cuda: bool | None = None
    """The NVIDIA libraries of the and-cuda extra are installed."""


class Jax(msgspec.Struct, frozen=True, kw_only=True):
    """JAX, from its metadata; not imported."""

    version: str
    location: str = ""
    jaxlib: str | None = None
    plugins: dict[str, str] = {}
    """jax-cuda12-plugin, jax-cuda12-pjrt, ... to their versions."""
    libtpu: str | None = None


class FrameworkDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the framework sees it."""

    kind: str
    """"cpu", "cuda", "rocm", "mps", "xpu", "tpu"."""
    name: str | None = None
    compute_capability: str | None = None
    memory_total_bytes: int | None = None


class TorchDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What PyTorch says after being imported in a child of the inspected interpreter."""

    imported: bool
    error: str | None = None
    """Last line of the traceback, or the signal that killed the import."""
    version: str | None = None
    import_seconds: float | None = None
    devices: list[FrameworkDevice] = []
    cuda_available: bool | None = None
    cuda_error: str | None = None
    """Why CUDA did not start, in torch's words."""
    arch_list: list[str] | None = None
    """torch.cuda.get_arch_list() of the wheel: ["sm_70", ..., "compute_120"]."""
    cudnn: str | None = None
    nccl: str | None = None
    libraries: list[str] = []
    """CUDA, cuDNN, NCCL, HIP, OpenMP and C++ libraries really mapped, with their paths."""


class TensorflowDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What TensorFlow says after being imported in a child of the inspected interpreter."""

    imported: bool
    error: str | None = None
    version: str | None = None
    import_seconds: float | None = None
    devices: list[FrameworkDevice] = []
    cuda_build: bool | None = None
    libraries: list[str] = []


class JaxDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What JAX says after being imported in a child of the inspected interpreter."""

    imported: bool
    error: str | None = None
    version: str | None = None
    import_seconds: float | None = None
    devices: list[FrameworkDevice] = []
    libraries: list[str] = []
