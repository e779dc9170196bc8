"""The inspected Python and what is installed in it, and the names of the frameworks' facts."""

from __future__ import annotations

import msgspec

from envkit.facts.frameworks import (
    BuiltWith,
    FrameworkDevice,
    Jax,
    JaxDeep,
    Tensorflow,
    TensorflowDeep,
    Torch,
    TorchDeep,
)

__all__ = [
    "BuiltWith",
    "Collision",
    "FrameworkDevice",
    "Jax",
    "JaxDeep",
    "Package",
    "Python",
    "SetUp",
    "Tensorflow",
    "TensorflowDeep",
    "Torch",
    "TorchDeep",
]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One installed distribution, read from its .dist-info folder."""

    name: str
    """Normalised (PEP 503): "nvidia-cudnn-cu12"."""
    version: str | None = None
    """As METADATA has it; None: that is missing or unreadable."""
    location: str = ""
    """The folder on sys.path that holds it."""
    installer: str | None = None
    """"pip", "uv", "conda", ..."""
    requires: list[str] = []
    """Requires-Dist lines as written."""
    requires_python: str | None = None
    """Requires-Python as written: ">=3.10"."""
    tags: list[str] = []
    """Wheel tags: "cp311-cp311-manylinux_2_28_x86_64"."""
    metadata: str = ""
    """Name of its metadata folder or file: "numpy-2.2.6.dist-info"; "" where a text told of it."""
    direct: bool = False
    """Installed from a folder, a repository or a URL (direct_url.json, PEP 610): no index has it."""
    editable: bool = False
    """Installed so that its sources are used where they lie (pip install -e)."""
    record: bool | None = None
    """RECORD is there, without which nothing can uninstall or verify it; None where it has no .dist-info."""
    built_for_cuda: str | None = None
    """CUDA that its compiled part was built with, "10.1"; only reports of Detectron2 and MMCV tell it."""
    files_missing: list[str] | None = None
    """Up to 20 files that RECORD lists and that are gone; None where RECORD was not examined."""
    files_missing_count: int | None = None
    """How many those are in all."""


class Collision(msgspec.Struct, frozen=True, kw_only=True):
    """Distributions that own the same files: the one installed last has overwritten the other."""

    packages: list[str]
    """Names of the two: ["tensorflow", "tensorflow-cpu"]."""
    example: str
    """Path of one such file, below the folder that holds both."""
    count: int
    """How many files they both own, empty `__init__.py`, scripts and caches left out."""


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """What `envkit setup` left in an environment that it built: the environment as it was when it was put in place."""

    profile: str
    """Name of the profile that it was built for."""
    profile_path: str = ""
    """The file it was read from; "" where it came from none."""
    added: list[str] = []
    """Options of the profile that were chosen (--with)."""
    left_out: list[str] = []
    """What of the profile was not wanted (--without)."""
    extras: list[str] = []
    """Compiled extensions that were installed with it (--extras)."""
    made_at: str
    """When it was put in place, in UTC: "2026-11-26T08:14:24+00:00"."""
    verdict: str
    """How far it was shown to be good: "installed" and no more, "judged" by doctor, "proved" by training."""
    lock_sha256: str = ""
    """Of the lock that it was installed from; "" where there was none."""
    assumptions: dict[str, str] = {}
    """What was assumed of a machine that was not there (--assume): {"driver": "570", "cc": "9.0"}."""
    deferred: list[str] = []
    """What could not be proved where it was built: "smoke torch cuda"."""
    packages: dict[str, str]
    """Name to version, as installed then."""


class Python(msgspec.Struct, frozen=True, kw_only=True):
    """The inspected interpreter and what is installed in it."""

    executable: str
    """Path of the interpreter, as it says itself (sys.executable)."""
    version: str
    """"3.11.7"."""
    looked_into: bool = True
    """False: too old for envkit to look into; the version is all that is known."""
    implementation: str = "cpython"
    """sys.implementation.name: "cpython", "pypy"."""
    bits: int = 64
    """Width of its addresses, 64 or 32: frameworks have no wheels for 32."""
    free_threaded: bool = False
    """Built without the global interpreter lock (3.13t): wheels of their own."""
    debug: bool = False
    """A debug build of Python: wheels of their own, and slow."""
    prefix: str = ""
    """The folder of the environment, without one of the Python itself (sys.prefix)."""
    base_prefix: str = ""
    """The folder of the Python that a virtual environment was made from; without one, the same."""
    virtual_environment: bool = False
    """It is a virtual environment (venv, virtualenv, uv): prefix and base_prefix differ."""
    conda: bool = False
    """It is an environment of conda: conda-meta lies in its prefix."""
    externally_managed: bool = False
    """EXTERNALLY-MANAGED lies beside the standard library and this is no virtual environment (PEP 668)."""
    user_site_enabled: bool = False
    """Packages in the user's own folder (~/.local) are imported, too."""
    user_site_packages: list[str] = []
    """Names of distributions seen only because of ~/.local."""
    site_packages: list[str] = []
    """Folders called site-packages or dist-packages on sys.path, in its order."""
    site_packages_writable: bool | None = None
    """This user may install into the environment's own; None where none lies in its prefix."""
    setup: SetUp | None = None
    """What `envkit setup` left here; None where it did not build this environment."""
    environment: dict[str, str] = {}
    """The variables that change how Python and the frameworks load (an allow-list)."""
    packages: list[Package] = []
    """Installed distributions, in the order of sys.path: of the same name the first is imported."""
    packages_complete: bool = True
    """False: read from a text that names only some packages; others may be installed too."""
    duplicates: dict[str, list[str]] = {}
    """Name to its versions, where one folder holds two .dist-info of it."""
    collisions: list[Collision] = []
    """Two distributions each that own the same files: the one installed last has overwritten the other."""
    leftovers: list[str] | None = None
    """What interrupted installers left in the folders of packages: paths of "~orch", of a .dist-info with nothing in it
    beside a whole one; None where nobody looked."""
    shadowed: dict[str, str] = {}
    """Framework module to the file outside every site-packages that `import` would take instead."""
    library_path: dict[str, list[str]] | None = None
    """Folder of LD_LIBRARY_PATH to the CUDA libraries in it that wheels bring too; None where nobody looked."""
    compiler: str | None = None
    """A C compiler on PATH (torch.compile needs one)."""
    headers: bool | None = None
    """Python.h is there."""
    started_with_noise: str | None = None
    """What the interpreter printed before it was asked anything."""
    found_by: str | None = None
    """How envkit came to this interpreter: "--python", "$VIRTUAL_ENV", "./.venv", "python3 on PATH"."""

    @property
    def profile(self) -> str:
        """Name of the profile that this environment was set up for; "" where envkit did not set it up."""
        return self.setup.profile if self.setup else ""

    @property
    def profile_path(self) -> str:
        """The file that profile was read from; "" where there is none."""
        return self.setup.profile_path if self.setup else ""
