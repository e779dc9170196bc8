"""The frameworks in the inspected Python: what their metadata tells, and what they say once imported."""

from __future__ import annotations

import msgspec


class Torch(msgspec.Struct, frozen=True, kw_only=True):
    """PyTorch, from its metadata and torch/version.py; not imported."""

    version: str
    """As its metadata has it: "2.8.0+cu128"."""
    location: str = ""
    """The folder on sys.path that holds it: ".../lib/python3.11/site-packages"; "" where a text told of it."""
    cuda: str | None = None
    """CUDA it was built for ("12.8"); None: a build without CUDA."""
    hip: str | None = None
    """HIP it was built for ("6.4.43482-0f2d60242"); None: a build without ROCm."""
    xpu: str | None = None
    """Intel's SYCL compiler it was built with ("20250101"); None: a build without XPU."""
    cudnn: str | None = None
    """Version of the cuDNN wheel it requires."""
    nccl: str | None = None
    """Version of the NCCL wheel it requires."""
    triton: str | None = None
    """Version of the Triton wheel it requires."""
    build_known: bool = True
    """False where torch/version.py could not be read; then cuda, hip and xpu say nothing."""


class Tensorflow(msgspec.Struct, frozen=True, kw_only=True):
    """TensorFlow, from its metadata and build_info.py; not imported."""

    version: str
    """As its metadata has it: "2.19.0"."""
    distribution: str = "tensorflow"
    """"tensorflow", "tensorflow-cpu", "tf-nightly", ..."""
    location: str = ""
    """The folder on sys.path that holds it: ".../lib/python3.11/site-packages"; "" where a text told of it."""
    cuda_build: bool | None = None
    """It was built for CUDA (build_info.py, is_cuda_build)."""
    cuda: str | None = None
    """CUDA it was built for: "12.5.1"; None: a build without CUDA, or not told."""
    cudnn: str | None = None
    """cuDNN it was built for: "9"."""
    architectures: list[str] | None = None
    """The CUDA code in it, where it says so: ["sm_60", ..., "compute_90"]."""
    rocm_build: bool | None = None
    """It was built for ROCm (build_info.py, is_rocm_build)."""
    keras: str | None = None
    """Version of the installed Keras; None: there is none."""
    and_cuda: bool | None = None
    """The NVIDIA libraries of the and-cuda extra are installed."""


class Jax(msgspec.Struct, frozen=True, kw_only=True):
    """JAX, from its metadata; not imported."""

    version: str
    """As its metadata has it: "0.7.0"."""
    location: str = ""
    """The folder on sys.path that holds it: ".../lib/python3.11/site-packages"; "" where a text told of it."""
    jaxlib: str | None = None
    """Version of the installed jaxlib; None: there is none, so JAX cannot be imported."""
    plugins: dict[str, str] = {}
    """jax-cuda12-plugin, jax-cuda12-pjrt, ... to their versions."""
    libtpu: str | None = None
    """Version of the installed package libtpu, which TPUs need; None: there is none."""


class FrameworkDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the framework sees it."""

    kind: str
    """"cpu", "cuda", "rocm", "mps", "xpu", "tpu"."""
    name: str | None = None
    """What it calls the device: "NVIDIA A100-SXM4-80GB", "TPU v5 lite"."""
    compute_capability: str | None = None
    """Of a GPU of NVIDIA: "9.0"."""
    memory_total_bytes: int | None = None
    """Memory of the device; only PyTorch tells it, of GPUs."""
    computes: bool | None = None
    """Whether 1,024 ones, 1 added to each, were summed up rightly on it; not tried on a CPU."""
    error: str | None = None
    """Why they were not, in the framework's words."""


class TorchDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What PyTorch says after being imported in a child of the inspected interpreter."""

    imported: bool
    """False: the import raised an error or was killed, as `error` says."""
    error: str | None = None
    """Why it could not be imported or asked: last line of the traceback, or the signal that killed it."""
    version: str | None = None
    """`__version__` of what was imported."""
    import_seconds: float | None = None
    """How long the import took."""
    devices: list[FrameworkDevice] = []
    """Devices that it can use, the CPU included."""
    cuda_available: bool | None = None
    """torch.cuda.is_available(): it can use a GPU, in a build for ROCm one of AMD's."""
    cuda_error: str | None = None
    """Why CUDA did not start, in torch's words."""
    arch_list: list[str] | None = None
    """torch.cuda.get_arch_list() of the wheel: ["sm_70", ..., "compute_120"]."""
    code_runs_on: dict[str, list[str]] | None = None
    """Code to the devices it runs on, by torch.cuda.DEVICE_REQUIREMENT: {"sm_86": ["8.6", "8.8", "8.9"]}."""
    code_by_cuda: dict[str, list[str]] | None = None
    """CUDA to the code in this release's wheels, by torch.cuda.PYTORCH_RELEASES_CODE_CC: {"12.6": ["sm_50", ...]}."""
    cudnn: str | None = None
    """cuDNN that it has loaded, by torch.backends.cudnn.version(): "9.10.2"."""
    nccl: str | None = None
    """NCCL by torch.cuda.nccl.version(): "2.27.3"."""
    libraries: list[str] = []
    """CUDA, cuDNN, NCCL, HIP, OpenMP and C++ libraries really mapped, with their paths."""


class TensorflowDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What TensorFlow says after being imported in a child of the inspected interpreter."""

    imported: bool
    """False: the import raised an error or was killed, as `error` says."""
    error: str | None = None
    """Why it could not be imported or asked: last line of the traceback, or the signal that killed it."""
    version: str | None = None
    """`__version__` of what was imported."""
    import_seconds: float | None = None
    """How long the import took."""
    devices: list[FrameworkDevice] = []
    """Devices that it can use, the CPU included."""
    cuda_build: bool | None = None
    """It was built for CUDA (tf.test.is_built_with_cuda())."""
    libraries: list[str] = []
    """CUDA, cuDNN, NCCL, HIP, OpenMP and C++ libraries really mapped, with their paths."""


class BuiltWith(msgspec.Struct, frozen=True, kw_only=True):
    """A library of CUDA that JAX was built with, and the one it has loaded."""

    name: str
    """"cuda_runtime", "cudnn", "cublas", "cufft", "cusparse"."""
    built: str | None = None
    """Version that JAX was built with: "9.8.0"."""
    loaded: str | None = None
    """Version that JAX has loaded; None: it was not found, or would not say its version."""


class JaxDeep(msgspec.Struct, frozen=True, kw_only=True):
    """What JAX says after being imported in a child of the inspected interpreter."""

    imported: bool
    """False: the import raised an error or was killed, as `error` says."""
    error: str | None = None
    """Why it could not be imported or asked: last line of the traceback, or the signal that killed it."""
    version: str | None = None
    """`__version__` of what was imported."""
    import_seconds: float | None = None
    """How long the import took."""
    devices: list[FrameworkDevice] = []
    """Devices of its default platform (jax.devices()): the CPU only where it has no other."""
    cuda_error: str | None = None
    """Why CUDA did not start, in JAX's words."""
    cuda_libraries: list[BuiltWith] = []
    """By its CUDA plugin; [] where there is none."""
    libraries: list[str] = []
    """CUDA, cuDNN, NCCL, HIP, OpenMP and C++ libraries really mapped, with their paths."""
