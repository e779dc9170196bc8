"""Google's metadata server, as a server in this process plays it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from envkit.probes import tpu_metadata

TPU_ENV = (
    "ACCELERATOR_TYPE: 'v5litepod-8'\nCHIPS_PER_HOST_BOUNDS: '2,4,1'\nCONSUMER_PROJECT_ID: 'secret'\n"
    "HOST_BOUNDS: '1,1,1'\nRUNTIME_VERSION: 'v2-alpha-tpuv5-lite'\nTYPE: 'V5_LITE_POD'\n"
    "ZONE: 'us-west4-a'\nWORKER_ID: '0'\n"
)
KEPT = {
    "ACCELERATOR_TYPE": "v5litepod-8",
    "CHIPS_PER_HOST_BOUNDS": "2,4,1",
    "HOST_BOUNDS": "1,1,1",
    "RUNTIME_VERSION": "v2-alpha-tpuv5-lite",
    "TYPE": "V5_LITE_POD",
    "WORKER_ID": "0",
}


@contextmanager
def server(answers: dict[str, str], *, flavor: str = "Google") -> Iterator[tuple[str, list[str]]]:
    """A metadata server on this machine: its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Metadata-Flavor']}")
            text = answers.get(self.path.rpartition("/")[2])
            self.send_response(404 if text is None else 200)
            self.send_header("Metadata-Flavor", flavor)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{running.server_address[1]}", asked
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is Google's, and slow enough for a busy one to start a Python in."""
    monkeypatch.setattr(tpu_metadata, "on_googles_hardware", lambda _root: True)
    monkeypatch.setattr(tpu_metadata, "DEADLINE_SECONDS", 20.0)


@pytest.mark.usefixtures("google")
def test_the_slice_is_told_and_nothing_else_asked_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with server({"accelerator-type": "v5litepod-8", "tpu-env": TPU_ENV}) as (address, asked):
        monkeypatch.setattr(tpu_metadata, "SERVER", address)
        assert tpu_metadata.ask("/", {}) == (KEPT, None)
    where = "/computeMetadata/v1/instance/attributes"
    assert asked == [f"{where}/accelerator-type Google", f"{where}/tpu-env Google"]


@pytest.mark.usefixtures("google")
def test_one_attribute_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with server({"accelerator-type": "v4-8"}) as (address, _):
        monkeypatch.setattr(tpu_metadata, "SERVER", address)
        assert tpu_metadata.ask("/", {}) == ({"ACCELERATOR_TYPE": "v4-8"}, None)


@pytest.mark.usefixtures("google")
def test_an_answer_of_somebody_else_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with server({"tpu-env": TPU_ENV}, flavor="Other") as (address, _):
        monkeypatch.setattr(tpu_metadata, "SERVER", address)
        assert tpu_metadata.ask("/", {}) == (None, "the answer is not from Google's metadata server")


@pytest.mark.usefixtures("google")
def test_no_attribute_and_no_server_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with server({}) as (address, _):
        monkeypatch.setattr(tpu_metadata, "SERVER", address)
        assert tpu_metadata.ask("/", {}) == (None, "HTTP status 404")
    found, error = tpu_metadata.ask("/", {})
    assert found is None
    assert "refused" in str(error)


def test_a_server_that_says_nothing_costs_the_deadline_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpu_metadata, "on_googles_hardware", lambda _root: True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(tpu_metadata, "SERVER", f"127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        found, error = tpu_metadata.ask("/", {})
        assert time.monotonic() - started < 3
    assert found is None
    assert error in {"timed out", "no answer within 1 s"}


def test_nobody_is_asked_elsewhere_or_where_libtpu_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tpu_metadata, "PROGRAM", ("/nonexistent",))
    assert tpu_metadata.ask(str(tmp_path), {}) == (None, None)
    monkeypatch.setattr(tpu_metadata, "on_googles_hardware", lambda _root: False)
    assert tpu_metadata.ask("/", {}) == (None, None)
    monkeypatch.setattr(tpu_metadata, "on_googles_hardware", lambda _root: True)
    assert tpu_metadata.ask("/", {"TPU_SKIP_MDS_QUERY": "1"}) == (None, None)
    assert tpu_metadata.ask("/", {}) == (None, "could not be started: No such file or directory")


@pytest.mark.parametrize(
    ("names", "google"),
    [
        ({"sys_vendor": "Google\n", "product_name": "Google Compute Engine\n"}, True),
        ({"product_name": "Google Compute Engine\n"}, True),
        ({"sys_vendor": "Amazon EC2\n", "product_name": "c5.large\n"}, False),
        ({"sys_vendor": "Googleplex\n"}, False),
        ({}, False),
    ],
)
def test_the_firmware_tells_googles_machines(tmp_path: Path, names: dict[str, str], google: bool) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, text in names.items():
        (folder / name).write_text(text)
    assert tpu_metadata.on_googles_hardware(str(tmp_path)) is google


@pytest.mark.parametrize(
    "text", ["", "TOPOLOGY:\n", "TOPOLOGY: 'a b'\n", f"TOPOLOGY: '{'9' * 200}'\n", "\x00\ufffd", "TOPOLOGY"]
)
def test_what_is_no_value_of_a_slice_is_left_out(text: str) -> None:
    assert tpu_metadata.slice_of(text) == {}
