"""What the checks of packages and frameworks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks._compat import driver_of
from envkit.checks._gpus import capability_of
from envkit.versions import Requirement, marker_holds, normalise, parse_requirement, torch_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.facts import Facts
    from envkit.facts.software import Package, Python
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

TENSORFLOWS = (
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-cpu-aws",
    "tensorflow-aarch64",
    "tensorflow-rocm",
    "tensorflow-intel",
    "tensorflow-macos",
    "tf-nightly",
    "tf-nightly-cpu",
)
"""Distributions that all install the module `tensorflow`."""
COMPANIONS = ("torchvision", "torchaudio")
FRAMEWORKS = ("torch", *TENSORFLOWS, "jax", "jaxlib")


def installed(python: Python | None) -> dict[str, Package]:
    """Distributions by normalised name; of two of the same name the first on sys.path."""
    found: dict[str, Package] = {}
    for package in python.packages if python else []:
        found.setdefault(normalise(package.name), package)
    return found


def marker_environment(facts: Facts) -> dict[str, str]:
    """The PEP 508 variables of the inspected interpreter; "extra" is "", so that extras are not wanted."""
    python, system = facts.python.facts, facts.system.facts
    os = (system.os if system else None) or "linux"
    version = python.version if python else "3.12.0"
    implementation = python.implementation if python else "cpython"
    return {
        "extra": "",
        "implementation_name": implementation,
        "implementation_version": version,
        "os_name": "nt" if os == "windows" else "posix",
        "platform_machine": (system.architecture if system else None) or "x86_64",
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(implementation, implementation),
        "platform_release": (system.kernel if system else None) or "",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "windows": "Windows"}.get(os, os),
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": "win32" if os == "windows" else os,
    }


def wanted(profile: Profile, facts: Facts) -> list[Requirement]:
    """The profile's packages that belong into the inspected interpreter."""
    environment = marker_environment(facts)
    parsed = [parse_requirement(text) for text in profile.packages]
    return [r for r in parsed if r and marker_holds(r.marker, environment)]


def wants(profile: Profile, names: Iterable[str]) -> bool:
    """Whether the profile installs one of these distributions on some machine."""
    parsed = [parse_requirement(text) for text in profile.packages]
    return any(r.name in names for r in parsed if r)


def provider(name: str, packages: dict[str, Package]) -> Package | None:
    """The installed distribution that provides what `name` would: any TensorFlow for a TensorFlow."""
    names = (name, *TENSORFLOWS) if name in TENSORFLOWS else (name,)
    return next((packages[n] for n in names if n in packages), None)


def requiring(name: str, python: Python) -> list[str]:
    """The installed packages that say they require `name`, if only under some condition."""
    return [
        package.name
        for package in python.packages
        if any(r and r.name == name for r in map(parse_requirement, package.requires))
    ]


def pinned(package: Package) -> str:
    """A requirement of the very version that is installed; by its folder's name, where the metadata is gone."""
    version = package.version or package.metadata.removesuffix(".dist-info").partition("-")[2]
    return f"{package.name}=={version}" if version else package.name


def install(python: Python | None, *requirements: str, reinstall: bool = False) -> list[str]:
    """The command that installs requirements into the inspected interpreter."""
    where = ["--python", python.executable] if python and python.executable else []
    return ["uv", "pip", "install", *where, *(["--reinstall"] if reinstall else []), *requirements]


def uninstall(python: Python | None, *names: str) -> list[str]:
    """The command that removes packages from the inspected interpreter."""
    where = ["--python", python.executable] if python and python.executable else []
    return ["uv", "pip", "uninstall", *where, *names]


def remove_bytecode(prefix: str) -> list[str]:
    """The command that removes what Python has compiled in an environment; it compiles it again when it is imported."""
    return ["find", prefix, "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+"]


def torch_backend(torch: str) -> list[str]:
    """The option that has uv take PyTorch's family from the index of an installed version: "2.10.0+cu128"."""
    own = torch_index(torch)
    return [f"--torch-backend={own}"] if own else []


def setup(profile: Profile, python: Python | None) -> list[str]:
    """The command that builds the profile's environment in the place of the inspected one."""
    elsewhere = python and python.virtual_environment and python.found_by != "./.venv"
    where = ["--venv", python.prefix] if python and elsewhere else []
    return ["envkit", "setup", "--profile", *profile.words, *where]


def repair(python: Python | None, profile: Profile, *requirements: str, reinstall: bool = False) -> list[list[str]]:
    """How to get a sound set of packages: by the profile where that pins one of them, else these requirements alone."""
    pinned = {r.name for r in map(parse_requirement, profile.packages) if r}
    if any(r.name in pinned for r in map(parse_requirement, requirements) if r):
        return [setup(profile, python)]
    return [install(python, *requirements, reinstall=reinstall)]


def torch_for_gpus(facts: Facts, knowledge: Knowledge) -> list[list[str]]:
    """The command that installs a PyTorch with code for every GPU of this machine that its driver runs.

    Another build of the installed version where there is one, else the newest; with torchvision and torchaudio, where
    they are installed. uv's own choice (--torch-backend=auto) asks the driver only, not the compute capability.
    """
    nvidia, python, system = facts.nvidia.facts, facts.python.facts, facts.system.facts
    packages = installed(python)
    torch = packages.get("torch")
    gpus = (nvidia.gpus or []) if nvidia else []
    build = knowledge.torch.build(
        [number for gpu in gpus if (number := capability_of(gpu, knowledge))],
        driver_cuda=(driver_of(nvidia, knowledge).cuda if nvidia else None) or "",
        python=python.version if python else "",
        architecture=(system.architecture if system else None) or "x86_64",
        preferred=((torch.version if torch else None) or "").partition("+")[0],
    )
    if build is None:
        return []
    version, variant = build
    row = knowledge.torch_release(version)
    partners = {name: getattr(row, name, "") for name in COMPANIONS if name in packages}
    together = [f"torch=={version}", *(f"{name}=={partner}" for name, partner in partners.items() if partner)]
    return [install(python, f"--torch-backend={variant}", *together, reinstall=True)]


def keeps_torch(commands: list[list[str]], version: str) -> bool:
    """Whether these commands install another build of this very version of PyTorch."""
    return any(f"torch=={version.partition('+')[0]}" in command for command in commands)


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names in a sentence: "a, b and c"; of many the first ones and how many more."""
    items = list(names)
    if len(items) > most:
        items = [*items[:most], f"{len(items) - most} more"]
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
