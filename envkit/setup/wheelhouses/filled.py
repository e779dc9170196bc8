"""What a filled wheelhouse keeps beside its wheels, and what is said of it."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from envkit.formats import Style
from envkit.profile import Profile
from envkit.setup.locks.lock import Lock, Pin, write
from envkit.setup.plan import size
from envkit.setup.resolving.platforms import own_platform
from envkit.setup.state import digest
from envkit.setup.wheelhouses.download import Downloaded
from envkit.setup.wheelhouses.wheelhouse import wheelhouse_lock
from envkit.versions import minor


def keep_lock(filled: Downloaded, folder: Path, profile: Profile, python_version: str) -> None:
    """Write the lock beside the wheels, so that a profile without one of its own is installed exactly like this."""
    python, platform, today = minor(python_version), own_platform(), dt.datetime.now(dt.timezone.utc).date()
    lock = lock_of(filled, profile, python=python, platform=platform, made=today.isoformat())
    write(lock, wheelhouse_lock(folder.expanduser(), profile, python, platform))


def lock_of(downloaded: Downloaded, profile: Profile, *, python: str, platform: str, made: str) -> Lock:
    """The lock of what a wheelhouse has of a profile: these very files.

    Args:
        downloaded: the files.
        profile: what they are of.
        python: "3.12".
        platform: "linux-x86_64".
        made: the day: "2026-11-26".
    """
    return Lock(
        profile=profile.name,
        variant=profile.variant,
        python=python,
        platform=platform,
        digest=digest(profile),
        made=made,
        uv=metadata.version("uv"),
        pins=tuple(
            Pin(name=file.package, version=file.version, sha256=(file.sha256,), size_bytes=file.size_bytes)
            for file in sorted(downloaded.files)
        ),
    )


def render(
    filled: Downloaded,
    folder: Path,
    profile: Profile,
    *,
    extras: Sequence[str],
    python_version: str,
    style: Style,
) -> str:
    """What was fetched, and how it is installed where there is no network."""
    also = ["--extras", ",".join(extras)] if extras else []
    command = ["envkit", "setup", "--profile", *profile.words, *also, "--wheelhouse", str(folder)]
    title = f"{folder} has all {len(filled.files)} wheels, {size(filled.size_bytes)}"
    rows = [
        ("fetched", f"{filled.fetched} of them now, {size(filled.fetched_bytes)}"),
        ("there", f"{shlex.join(command)}   (Python {minor(python_version)}, {own_platform()})"),
        ("take along", f"envkit itself: pip download envkit-ml -d {shlex.quote(str(folder))}"),
    ]
    lines = [f"{style.mark('pass')} {style.paint(title, 'bold')}", *(f"  {label:<11}{text}" for label, text in rows)]
    return "\n".join(lines) + "\n"
