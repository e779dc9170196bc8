"""scripts/refresh_knowledge.py against an index of our own, one that speaks no JSON, and one that is not there."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from envkit.knowledge import Knowledge

ROOT = Path(__file__).parents[1]
JSON = "application/vnd.pypi.simple.v1+json"
KNOWN = Knowledge().torch.releases["2.14.1"]


class Index:
    """An index on this machine: its pages, and the metadata of each wheel."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.files: dict[str, list[dict[str, object]]] = {}
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kind, text = index.pages.get(self.path, ("text/plain", b""))
                self.send_response(200 if self.path in index.pages else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"

    def add(self, wheel: str, *requires: str, python: str | None = None) -> None:
        """A wheel, by its file name, with what it requires."""
        name, version = wheel.split("-")[:2]
        project = name.replace("_", "-")
        lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
        metadata = "\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires), ""]).encode()
        file = {
            "filename": wheel,
            "url": f"/files/{wheel}",
            "hashes": {},
            "requires-python": python,
            "core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()},
        }
        self.files.setdefault(project, []).append(file)
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": self.files[project]}
        self.pages[f"/simple/{project}/"] = (JSON, json.dumps(page).encode())
        self.pages[f"/files/{wheel}.metadata"] = ("text/plain", metadata)


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    for minor in range(10, 15):
        made.add(f"torch-2.14.1-cp3{minor}-cp3{minor}-manylinux_2_28_x86_64.whl")
    yield made
    made.server.shutdown()
    made.server.server_close()


def refresh(url: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": url, "UV_CACHE_DIR": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    argv = [sys.executable, str(ROOT / "scripts/refresh_knowledge.py"), *arguments]
    return subprocess.run(argv, env={**kept, **own}, capture_output=True, text=True, check=False, timeout=120)


def test_a_release_that_a_table_has_as_the_index_says_is_nothing_new(index: Index, tmp_path: Path) -> None:
    assert KNOWN.python == ">=3.10,<3.15"
    done = refresh(index.url, tmp_path, "torch")
    assert (done.stdout, done.returncode) == ("torch.yaml: nothing new\n", 0), done.stderr


def test_a_new_pytorch_is_a_whole_row_by_what_its_wheel_and_its_companions_require(
    index: Index, tmp_path: Path
) -> None:
    index.add("torch-99.0.0-cp314-cp314-manylinux_2_28_x86_64.whl", "nvidia-cuda-runtime-cu14==14.1.90")
    index.add("torch-99.0.0-cp314-cp314t-manylinux_2_28_x86_64.whl")
    index.add("torch-99.1.0rc1-cp314-cp314-manylinux_2_28_x86_64.whl")
    index.add("nvidia_cuda_runtime_cu14-14.1.90-py3-none-manylinux_2_28_x86_64.whl")
    index.add("torchvision-0.90.0-cp314-cp314-manylinux_2_28_x86_64.whl", "torch==99.0.0")
    index.add("torchvision-0.91.0-cp314-cp314-manylinux_2_28_x86_64.whl", "torch==99.1.0")
    index.add("torchaudio-2.11.0-cp314-cp314-manylinux_2_28_x86_64.whl")
    done = refresh(index.url, tmp_path, "torch")
    row = '"99.0.0": {python: ">=3.14,<3.15", cuda: "14.1", torchvision: "0.90.0", torchaudio: "2.11.0"}  # new'
    assert (done.stdout, done.returncode) == (f"torch.yaml:\n  {row}\n", 1), done.stderr


def test_pythons_that_changed_are_told_with_what_the_table_says(index: Index, tmp_path: Path) -> None:
    index.add("torch-2.14.1-cp315-cp315-manylinux_2_28_x86_64.whl")
    done = refresh(index.url, tmp_path, "torch")
    assert '"2.14.1": {python: ">=3.10,<3.16"}  # the table says python >=3.10,<3.15' in done.stdout
    assert done.returncode == 1


def test_the_code_in_a_new_tensorflow_is_left_for_a_person(index: Index, tmp_path: Path) -> None:
    index.add("tensorflow-99.0.0-cp312-cp312-manylinux_2_27_x86_64.whl")
    done = refresh(index.url, tmp_path, "tensorflow")
    assert '"99.0.0": {python: ">=3.12,<3.13", sm: ?, ptx: ?}  # new' in done.stdout


def test_a_jax_without_a_jaxlib_of_its_own_has_the_pythons_of_the_one_before(index: Index, tmp_path: Path) -> None:
    index.add("jax-99.0.0-py3-none-any.whl", python=">=3.12")
    index.add("jax-99.0.1-py3-none-any.whl", python=">=3.13")
    for minor in (12, 13):
        index.add(f"jaxlib-99.0.0-cp3{minor}-cp3{minor}-manylinux_2_27_x86_64.whl")
    said = refresh(index.url, tmp_path, "jax").stdout
    assert '"99.0.0": {python: ">=3.12,<3.14"}' in said
    assert '"99.0.1": {python: ">=3.13,<3.14"}' in said


def test_requirements_that_cannot_be_met_are_said_and_invent_no_row(index: Index, tmp_path: Path) -> None:
    index.add("torch-99.0.0-cp314-cp314-manylinux_2_28_x86_64.whl")
    done = refresh(index.url, tmp_path, "torch")
    assert (done.stdout, done.returncode) == ("", 3)
    assert "torchvision" in done.stderr


def test_offline_it_says_so_in_a_line_for_each_table(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/simple"
        done = refresh(url, tmp_path)
    assert (done.stdout, done.returncode) == ("", 3)
    assert [line.split(":")[:2] for line in done.stderr.splitlines()] == [
        [name, " the index could not be asked"] for name in ("torch", "tensorflow", "jax")
    ]


def test_an_index_that_speaks_html_alone_cannot_be_asked(index: Index, tmp_path: Path) -> None:
    index.pages["/simple/torch/"] = ("text/html", b"<html><a href='torch-2.14.1-cp310-cp310-linux_x86_64.whl'></a>")
    done = refresh(index.url, tmp_path, "torch")
    assert (done.stdout, done.returncode) == ("", 3)
    assert "Traceback" not in done.stderr


def test_a_table_that_it_does_not_know_is_wrong_usage(tmp_path: Path) -> None:
    done = refresh("http://127.0.0.1:9/simple", tmp_path, "drivers")
    assert done.returncode == 2
    assert "usage" in done.stderr
