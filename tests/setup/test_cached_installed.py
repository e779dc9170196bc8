"""What uv has in its cache is not asked for again, where a lock has its hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.apply import apply
from envkit.setup.plan import Plan
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import read_sources


class AskAgain(SimpleHTTPRequestHandler):
    """A server of those that want to be asked again before what they sent is used."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a page that links the wheels of a folder, with their hashes."""
    wheels = sorted(folder.glob("*.whl"))
    links = [
        f'<a href="{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}">{wheel.name}</a>'
        for wheel in wheels
    ]
    (folder / "index.html").write_text("\n".join(["<!DOCTYPE html>", *links]))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(AskAgain, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("lock_sha256", ["of the lock", ""])
def test_what_is_locked_and_cached_is_installed_when_its_server_is_gone(
    plan_for: Callable[[Profile, Path], Plan],
    profile: Profile,
    environ: dict[str, str],
    wheelhouse: Path,
    lock_sha256: str,
) -> None:
    target = wheelhouse.parent / "env"

    def install() -> None:
        sources = read_sources(environ, root=target.parent / "no-root")
        progress = Progress(io.StringIO())
        passes = dict.fromkeys(("judge", "prove"), lambda _: "")
        apply(plan, profile, sources=sources, environ=environ, progress=progress, **passes)

    with served(wheelhouse) as address:
        environ |= {"PIP_FIND_LINKS": address, "NO_PROXY": "127.0.0.1"}
        plan = replace(plan_for(profile, target), lock_sha256=lock_sha256)
        install()  # with nothing in the cache
    if lock_sha256:
        install()
    else:
        with pytest.raises(SetupError, match="cannot be reached"):
            install()
    assert (target / "bin/python").exists()
