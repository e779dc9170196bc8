"""A good environment as a profile and its lock, so that it can be built again elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from envkit.errors import InputError, SetupError
from envkit.facts import Facts
from envkit.facts.software import Package
from envkit.profile import Accelerator, Device, Profile, Requires, SmokeRun
from envkit.profile.write import as_yaml
from envkit.setup.locks.lock import Lock, lock_path, write
from envkit.setup.locks.make import make_lock
from envkit.setup.resolving.platforms import PLATFORMS, own_platform
from envkit.setup.sources.configured import Sources
from envkit.versions import minor, torch_index

SYSTEMS: dict[str, Literal["linux", "darwin"]] = {"linux": "linux", "darwin": "darwin"}
DEVICES: dict[Accelerator, Device] = {"nvidia": "cuda", "amd": "rocm", "apple": "mps", "none": "cpu"}


def frozen(facts: Facts, *, name: str) -> Profile:
    """The profile of what is installed in an environment, for machines like this one.

    Args:
        facts: of the environment and the machine.
        name: how the profile is called.

    Raises:
        InputError: there is nothing to pin, or a package that no index has: editable, from a folder or a URL.
    """
    python, system = facts.python.facts, facts.system.facts
    if python is None or system is None or not python.packages:
        raise InputError("there is no environment with packages to freeze: name one with --python")
    packages = {package.name: package for package in reversed(python.packages)}  # the first on sys.path is imported
    if odd := [_described(p) for p in packages.values() if p.direct or p.editable or not p.version]:
        raise InputError(
            f"what no index has cannot be locked: {', '.join(sorted(odd))}",
            hint="Take it out of the environment first, and install it after `envkit setup`.",
        )
    pins = sorted(f"{p.name}=={p.version}" for p in packages.values())
    torch, tensorflow = facts.torch.facts, facts.tensorflow.facts
    accelerator: Accelerator = "none"
    if torch:
        mac: Accelerator = "apple" if system.os == "darwin" else "none"
        accelerator = "nvidia" if torch.cuda else "amd" if torch.hip else mac
    elif tensorflow and tensorflow.cuda_build:
        accelerator = "nvidia"
    smoke = [SmokeRun(framework="torch", device=DEVICES[accelerator])] if torch else []
    if tensorflow:
        gpu = accelerator == "nvidia" and tensorflow.cuda_build
        smoke.append(SmokeRun(framework="tensorflow", device="cuda" if gpu else "cpu"))
    return Profile(
        name=name,
        description=f"What was installed in an environment on Python {python.version}.",
        requires=Requires(
            os=[SYSTEMS[system.os]] if system.os in SYSTEMS else [],
            architecture=[system.architecture] if system.architecture else [],
            python=f"=={minor(python.version)}.*",
            glibc=f">={system.libc_version}" if system.libc == "glibc" and system.libc_version else "",
            accelerator=accelerator,
            cuda=(torch.cuda if torch else None) or "",
        ),
        torch_backend=torch_index((torch.version if torch else None) or ""),
        packages=pins,
        smoke=smoke,
    )


def freeze(
    profile: Profile,
    file: Path,
    *,
    sources: Sources,
    environ: Mapping[str, str],
    on_idle: Callable[[int], None] | None = None,
) -> Lock:
    """Write a frozen profile and its lock, whose hashes the sources tell.

    Args:
        profile: see frozen().
        file: where the profile is written.
        sources: where packages come from.
        environ: the environment variables.
        on_idle: called with uv's pid now and then.

    Raises:
        InputError: the file is there already, or no locks are made for this platform.
        SetupError: no source has one of the packages, or the files cannot be written.
    """
    if file.exists():
        raise InputError(f"{file} is there already", hint="Choose another name with -o, or remove it.")
    platform = own_platform()
    if platform not in PLATFORMS:
        raise InputError(f"no locks are made for {platform}, but for {', '.join(PLATFORMS)}")
    profile = msgspec.structs.replace(profile, path=str(file))
    python = profile.requires.python.removeprefix("==").removesuffix(".*")
    lock = make_lock(
        profile, python, platform, sources=sources, environ=environ, exactly=profile.packages, on_idle=on_idle
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_yaml(profile), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{file}: the profile cannot be written: {error.strerror}") from error
    write(lock, lock_path(profile, python, platform))
    return lock


def _described(package: Package) -> str:
    how = "editable" if package.editable else "not from an index" if package.direct else "its version is unreadable"
    return f"{package.name} ({how})"
