"""Words about caches: one that lacks something is told once, and one that cannot be written by its variable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envkit import harness
from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.resolving.resolve import resolve
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.uv import explain


def test_what_the_cache_lacks_is_told_once(environ: dict[str, str], profile: Profile) -> None:
    environ = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    environ["PIP_INDEX_URL"] = "http://me:s3cretword@127.0.0.1:9/simple"
    sources = read_sources(environ, root=Path("/no-root"), offline=True)
    with pytest.raises(SetupError) as raised:
        resolve(profile, python=str(Path(sys.executable).resolve()), sources=sources, environ=environ)
    assert raised.value.message.count("uv's cache, and the network is switched off") == 1
    assert raised.value.message.count("127.0.0.1") == 1, "where it was asked for"
    assert "s3cretword" not in raised.value.message + raised.value.details
    assert "envkit setup --download DIR" in raised.value.hint


def test_a_cache_that_cannot_be_written_is_told_by_its_variable() -> None:
    stderr = "error: Could not acquire lock\n  cause: Read-only file system (os error 30)"
    child = harness.Child(outcome="exited", exit_status=2, stderr=stderr)
    assert "UV_CACHE_DIR" in explain(child, Sources()).hint
