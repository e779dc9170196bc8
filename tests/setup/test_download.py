from __future__ import annotations

import base64
import contextlib
import ensurepip
import hashlib
import http.server
import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.locks.lock import read, render
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.uv import find_uv, run_uv
from envkit.setup.wheelhouses.download import Downloaded, download
from envkit.setup.wheelhouses.filled import lock_of

PYTHON = str(Path(sys.executable).resolve())
VERSION = ".".join(map(str, sys.version_info[:3]))
Environ = dict[str, str]


@contextlib.contextmanager
def serve(folder: Path, *, login: str = "") -> Iterator[tuple[str, list[str]]]:
    """Its address "127.0.0.1:PORT", and the paths that were asked of it by whom it let in.

    Args:
        folder: the wheels.
        login: "user:password" that it wants.
    """
    asked: list[str] = []

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if login and self.headers.get("Authorization") != f"Basic {base64.b64encode(login.encode()).decode()}":
                return self.send_error(401)
            asked.append(self.path)
            name = self.path.rstrip("/").rpartition("/")[2]
            if name.endswith(".whl"):
                return self._send((folder / name).read_bytes(), "application/octet-stream")
            wheels = sorted(folder.glob(f"{name.replace('-', '_')}-*.whl"))
            if not wheels:
                return self.send_error(404)
            rows = (
                f'<a href="/files/{w.name}#sha256={hashlib.sha256(w.read_bytes()).hexdigest()}">{w.name}</a>\n'
                for w in wheels
            )
            return self._send("".join(rows).encode(), "text/html")

        do_HEAD = do_GET  # noqa: N815 - how http.server names it

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def open_environ(environ: Environ) -> Environ:
    """A machine on which pip is told of nothing yet."""
    return {name: value for name, value in environ.items() if not name.startswith("PIP_")}


@pytest.fixture
def pip_wheel(wheelhouse: Path) -> Path:
    """What fetches, offered by the little index: the one that Python brings along."""
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python brings no pip along (ensurepip)")
    return Path(shutil.copy(bundled[0], wheelhouse))


def compile_lock(environ: Environ, folder: Path, *flags: str) -> tuple[Path, Sources, str]:
    """The pylock.toml of alpha, the sources, and what uv said."""
    sources = read_sources(environ, root=folder / "no-root")
    lock = folder / "pylock.toml"
    argv = [find_uv(), "pip", "compile", "-", "--format", "pylock.toml", "-o", str(lock), "-q", "--python", PYTHON]
    child = run_uv([*argv, *sources.flags, *flags], sources=sources, environ=environ, stdin="alpha==1.0")
    return lock, sources, child.stderr


def fill(lock: Path, to: Path, sources: Sources, environ: Environ) -> Downloaded:
    progress = Progress(io.StringIO())
    return download(
        lock, to, python=PYTHON, python_version=VERSION, sources=sources, environ=environ, progress=progress
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WHEELS = ["alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl"]


@pytest.mark.usefixtures("pip_wheel")
def test_a_wheelhouse_filled_from_an_index_installs_the_same_without_a_network(
    open_environ: Environ, wheelhouse: Path, tmp_path: Path
) -> None:
    house = tmp_path / "house"
    with serve(wheelhouse, login="me:s3cret-word") as (address, asked):
        environ = open_environ | {"PIP_INDEX_URL": f"http://me:s3cret-word@{address}/simple"}
        lock, sources, said = compile_lock(environ, tmp_path)
        assert lock.exists(), said
        first = fill(lock, house, sources, environ)
        assert (names(house), first.fetched) == (WHEELS, 2)
        (house / WHEELS[0]).write_bytes(b"cut short")
        asked.clear()
        again = fill(lock, house, sources, environ)
        assert again.fetched == 1
        assert not any("beta-2.0" in path for path in asked)
    assert all((house / name).read_bytes() == (wheelhouse / name).read_bytes() for name in WHEELS)
    if not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("needs unshare -n, which takes root")
    sources = read_sources(environ, wheelhouse=house)
    child = sources.child_environment(environ)
    place = tmp_path / "env"
    options = [*sources.flags, "--target", str(place), "--python", PYTHON, "alpha==1.0"]
    subprocess.run(["unshare", "-n", find_uv(), "pip", "install", *options], env=child, check=True)
    assert {path.name for path in place.glob("*.dist-info")} == {"alpha-1.0.dist-info", "beta-2.0.dist-info"}


def test_wheels_of_a_folder_are_copied_and_the_lock_of_it_can_be_read(
    environ: Environ, tmp_path: Path, profile: Profile
) -> None:
    pylock, sources, _ = compile_lock(environ, tmp_path)
    killed = tmp_path / "house/.envkit-partial"
    killed.mkdir(parents=True)
    (killed / WHEELS[0]).write_bytes(b"half of it")
    done = fill(pylock, tmp_path / "house", sources, environ)
    assert names(tmp_path / "house") == WHEELS
    lock = lock_of(done, profile, python="3.12", platform="linux-x86_64", made="2026-11-26")
    (tmp_path / "lock.txt").write_text(render(lock))
    pins = read(tmp_path / "lock.txt").pins
    assert [(pin.name, pin.version, len(pin.sha256)) for pin in pins] == [("alpha", "1.0", 1), ("beta", "2.0", 1)]


def test_wheels_of_another_python_and_platform_are_taken_along_too(
    open_environ: Environ, wheelhouse: Path, tmp_path: Path, pip_wheel: Path
) -> None:
    for name, tag in zip(WHEELS, ("cp39-abi3-manylinux_2_28_aarch64", "py3-none-manylinux2014_aarch64"), strict=True):
        (wheelhouse / name).rename(wheelhouse / name.replace("py3-none-any", tag))
    with serve(wheelhouse) as (address, _):
        environ = open_environ | {"PIP_INDEX_URL": f"http://{address}/simple"}
        lock, sources, said = compile_lock(environ, tmp_path, "--python-platform", "aarch64-manylinux_2_28")
        assert lock.exists(), said
        fill(lock, tmp_path / "house", sources, environ)
    assert [*names(tmp_path / "house"), pip_wheel.name] == names(wheelhouse)


@pytest.mark.usefixtures("pip_wheel")
def test_a_file_that_changed_since_it_was_resolved_never_gets_its_name(
    open_environ: Environ, wheelhouse: Path, tmp_path: Path, make_wheel: Callable[..., Path]
) -> None:
    house = tmp_path / "house"
    with serve(wheelhouse) as (address, _):
        environ = open_environ | {"PIP_INDEX_URL": f"http://{address}/simple"}
        lock, sources, _ = compile_lock(environ, tmp_path)
        make_wheel(wheelhouse, "beta", "2.0", ("other",))
        with pytest.raises(SetupError, match=r"beta-2\.0.* is not the file that was resolved") as raised:
            fill(lock, house, sources, environ)
    assert names(house) == []
    assert "run again" in raised.value.hint


@pytest.mark.usefixtures("pip_wheel")
def test_a_server_that_goes_away_is_named_without_its_credentials(
    open_environ: Environ, wheelhouse: Path, tmp_path: Path
) -> None:
    with serve(wheelhouse, login="me:s3cret-word") as (address, _):
        environ = open_environ | {"PIP_INDEX_URL": f"http://me:s3cret-word@{address}/simple"}
        lock, sources, _ = compile_lock(environ, tmp_path)
    with pytest.raises(SetupError, match=rf"index http://\*\*\*@{address}/simple \(PIP_INDEX_URL\) cannot") as raised:
        fill(lock, tmp_path / "house", sources, environ)
    assert "s3cret" not in f"{raised.value.message} {raised.value.hint}"
    assert names(tmp_path / "house") == []
