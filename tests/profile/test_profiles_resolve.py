"""Every profile has a solution on every Python and platform that it allows: uv against metadata, no downloads."""

from __future__ import annotations

import os

import msgspec
import pytest

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.locks.lock import Pin, find_lock
from envkit.setup.locks.make import make_lock
from envkit.setup.resolving.platforms import pins
from envkit.setup.sources.configured import Sources
from envkit.versions import satisfies
from tests.profile.test_locks_current import EVERY

FAMILY = {"torch", "torchvision", "torchaudio"}
PLACES = {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY"}
KEPT = {"HOME", "PATH", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "UV_CACHE_DIR", *PLACES}
ENVIRON = {name: value for name, value in os.environ.items() if name in KEPT}

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    ("profile", "python", "platform"), EVERY, ids=[f"{p.name} {p.variant} {py} {on}" for p, py, on in EVERY]
)
def test_resolves_to_what_the_profile_pins(profile: Profile, python: str, platform: str) -> None:
    try:
        found = solve(profile, python, platform)
    except SetupError as error:
        if not profile.torch_backend or "PyTorch's index" not in error.message:
            raise
        without_pytorch(profile, python, platform, error)
    else:
        versions = {pin.name: pin.version for pin in found}
        for name, specifiers in pins(profile, python, platform).items():
            assert satisfies(versions[name], specifiers), (name, versions[name], specifiers)


def solve(profile: Profile, python: str, platform: str) -> tuple[Pin, ...]:
    return make_lock(profile, python, platform, sources=Sources(), environ=ENVIRON).pins


def without_pytorch(profile: Profile, python: str, platform: str, why: SetupError) -> None:
    """The lock's other packages must need each other and nothing else; the rest is skipped, and said to be."""
    lock = find_lock(profile, python, platform)
    if lock is None:
        pytest.skip(f"not checked, there is no lock either: {why.message}")
    others = [f"{pin.name}=={pin.version}" for pin in lock.pins if pin.name not in FAMILY]
    rest = msgspec.structs.replace(profile, packages=others, torch_backend="")
    assert {(pin.name, pin.version) for pin in solve(rest, python, platform)} == {
        (pin.name, pin.version) for pin in lock.pins if pin.name not in FAMILY
    }
    pytest.skip(f"checked without PyTorch, whose index cannot be reached: the lock's other {len(others)} packages")
