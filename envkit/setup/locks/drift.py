"""What differs between locks, and between a lock and what its profile says by now. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.locks.lock import Lock, Pin
from envkit.setup.resolving.platforms import pins
from envkit.setup.state import digest
from envkit.versions import satisfies


def difference(old: Sequence[Pin], new: Sequence[Pin]) -> list[str]:
    """What changes from one lock to another.

    "numpy 2.2.6 → 2.3.0", "+ foo 1.0", "- bar 1.0", "six 1.17.0: other files (1 gone, 2 new)".
    """
    before, after = ({pin.name: pin for pin in pins} for pins in (old, new))
    lines = []
    for name in sorted({*before, *after}):
        was, is_ = before.get(name), after.get(name)
        if was is None:
            lines.append(f"+ {name} {after[name].version}")
        elif is_ is None:
            lines.append(f"- {name} {was.version}")
        elif was.version != is_.version:
            lines.append(f"{name} {was.version} → {is_.version}")
        elif set(was.sha256) != set(is_.sha256):
            gone, more = len({*was.sha256} - {*is_.sha256}), len({*is_.sha256} - {*was.sha256})
            lines.append(f"{name} {was.version}: other files ({gone} gone, {more} new)")
    return lines


def drift(lock: Lock, profile: Profile) -> list[str]:
    """How a lock contradicts what its profile says by now; [] where it was made of that, and is whole.

    "numpy: the profile asks for ==2.3.0, the lock has 2.2.6", or what else has changed.
    """
    has = {pin.name: pin.version for pin in lock.pins}
    asked = pins(profile, lock.python, lock.platform)
    told = [
        f"{name}: the profile asks for {specifiers or 'it'}, the lock has {has.get(name) or 'none'}"
        for name, specifiers in asked.items()
        if name not in has or satisfies(has[name], specifiers) is False
    ]
    if told or lock.digest == digest(profile):
        return told
    return ["its packages, torch_backend or requires.python have changed since, no pin contradicts them"]


def require_current(lock: Lock, profile: Profile) -> None:
    """Refuse a lock that was made of something else than the profile says by now.

    Raises:
        SetupError: says what the profile asks for and what the lock has.
    """
    if told := drift(lock, profile):
        raise SetupError(
            f"the lock {lock.path} is not of profile {profile.name} as it is now: {'; '.join(told)}",
            hint=f"Lock it again (envkit profiles lock {' '.join(profile.words)}), or resolve anew with --upgrade.",
        )
