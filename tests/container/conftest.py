"""A real engine, a base image, and a package index that asks for a password.

Taken from the environment (tests/container/run.sh sets them up where there are none):
ENVKIT_TEST_BASE_IMAGE  an image on the engine with what the Dockerfile asks of a base, and with whatever else its
                        containers need to reach a package index (certificates, pip.conf)
ENVKIT_TEST_WHEELS      a folder of wheels that the private index has, such as a build of PyTorch's own index
ENVKIT_TEST_DOCKER      the client, where it is another than `docker`
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pyproject.toml", "README.md", "LICENSE", "profiles", "envkit", "deploy", "Dockerfile", ".dockerignore")
PASSWORD = "hunter2-of-the-index"


class Index(NamedTuple):
    """A private index: its address with the password in it, and what it was asked for."""

    url: str
    asked: list[str]


class Image(NamedTuple):
    """A built image, and what its builder printed."""

    name: str
    log: str


def docker(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    client = os.environ.get("ENVKIT_TEST_DOCKER", "docker")
    environment = {**os.environ, "DOCKER_BUILDKIT": "0", **variables}
    return subprocess.run(
        [client, *argv], capture_output=True, text=True, errors="replace", check=False, env=environment
    )


def output(*argv: str) -> str:
    ran = docker(*argv)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="session")
def base() -> str:
    """The base image, on an engine that answers."""
    name = os.environ.get("ENVKIT_TEST_BASE_IMAGE")
    if not name:
        pytest.skip("ENVKIT_TEST_BASE_IMAGE names no base image: see tests/container/run.sh")
    try:
        told = docker("image", "inspect", name)
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if told.returncode != 0:
        pytest.skip(f"no Docker engine with {name} answers: {told.stderr.strip()}")
    return name


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is built, as it is now: edits during minutes of building do not matter."""
    folder = tmp_path_factory.mktemp("context")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def index() -> Iterator[Index]:
    folder = os.environ.get("ENVKIT_TEST_WHEELS")
    wheels = {path.name: path for path in Path(folder).glob("*.whl")} if folder else {}
    asked: list[str] = []
    expected = "Basic " + base64.b64encode(f"builder:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urllib.parse.unquote(self.path).strip("/").split("/")
            if self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
            elif parts[0] == "files" and parts[1] in wheels:
                self.answer(wheels[parts[1]].read_bytes())
            else:
                names = [name for name in wheels if name.startswith(f"{parts[1]}-")]
                links = "".join(f'<a href="/files/{urllib.parse.quote(name)}">{name}</a>' for name in names)
                self.answer(f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

        def answer(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Index(f"http://builder:{PASSWORD}@127.0.0.1:{server.server_port}/simple/", asked)
    server.shutdown()
    server.server_close()


def said_by_envkit(built: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of a build's log that are messages of envkit's, without colours and BuildKit's prefixes."""
    text = re.sub(r"\x1b\[\d*m|^#\d+ [\d.]+ ", "", built.stdout + built.stderr, flags=re.MULTILINE)
    return [line for line in text.splitlines() if line.startswith("envkit: ")]


def arguments(base: str, index: Index, **more: str) -> list[str]:
    """Build arguments, as a command line gives them."""
    given = {"BASE_IMAGE": base, "PIP_EXTRA_INDEX_URL": index.url, **more}
    return [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]


@pytest.fixture(scope="session")
def image(base: str, context: Path, index: Index) -> Iterator[Image]:
    """Built by the classic builder: set up, judged, and proved by training."""
    name = f"envkit-test:{os.getpid()}"
    built = docker("build", "--network", "host", *arguments(base, index), "--tag", name, str(context))
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    yield Image(name, built.stdout + built.stderr)
    docker("rmi", "--force", name)
    docker("image", "prune", "--force")
