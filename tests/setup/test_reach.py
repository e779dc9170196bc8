from __future__ import annotations

import contextlib
import http.server
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.sources.reach import Unreached, unreached
from envkit.setup.uv import find_uv, run_uv

PYTHON = str(Path(sys.executable).resolve())
Environ = dict[str, str]


@contextlib.contextmanager
def serve(status: int, certificate: Path | None = None) -> Iterator[str]:
    """The address "127.0.0.1:PORT" of a server that answers every request with an error."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        do_HEAD = do_CONNECT = do_GET  # noqa: N815 - how http.server names them

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def open_environ(environ: Environ) -> Environ:
    """A machine on which pip is told of nothing yet."""
    return {name: value for name, value in environ.items() if not name.startswith("PIP_")}


def told(environ: Environ, root: Path) -> Unreached:
    """What is made of uv's failure to resolve a package."""
    sources = read_sources(environ, root=root / "no-root")
    argv = [find_uv(), "pip", "compile", "-", "--python", PYTHON]
    said = run_uv(argv, sources=sources, environ=environ, stdin="alpha==1.0").stderr
    found = unreached(said, sources)
    assert found, said
    shown = f"{found} {sources!r} {sources.redact(said)}"
    assert "s3cret" not in shown
    return found


def test_a_port_where_nobody_listens(open_environ: Environ, tmp_path: Path) -> None:
    found = told(open_environ | {"PIP_INDEX_URL": "http://u:s3cret-word@127.0.0.1:9/simple"}, tmp_path)
    assert found.kind == "network"
    assert found.message == "index http://***@127.0.0.1:9/simple (PIP_INDEX_URL) cannot be reached"
    assert "HTTPS_PROXY" in found.hint
    assert "--wheelhouse" in found.hint


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (401, "login: 401 Unauthorized"),
        (403, "login: 403 Forbidden"),
        (500, "network: 500 Internal Server Error"),
    ],
)
def test_an_index_that_answers_with_an_error(open_environ: Environ, tmp_path: Path, status: int, answer: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    conf = tmp_path / "pip.conf"
    (home / ".netrc").write_text("machine 127.0.0.1 login me password s3cret-netrc\n")
    with serve(status) as address:
        conf.write_text(f"[global]\nindex-url = http://{address}/simple\n")
        found = told(open_environ | {"PIP_CONFIG_FILE": str(conf)}, tmp_path)
    kind, says = answer.split(": ")
    assert found.kind == kind
    assert str(conf) in found.message
    assert says in found.message
    assert (".netrc" in found.hint) == (kind == "login")


def test_a_proxy_that_refuses_and_one_that_is_not_there(open_environ: Environ, tmp_path: Path) -> None:
    environ = open_environ | {"PIP_INDEX_URL": "https://index.example/simple"}
    with serve(407) as address:
        refusing = told(environ | {"HTTPS_PROXY": f"http://u:s3cret-word@{address}"}, tmp_path)
        assert refusing.kind == "proxy"
        assert f"the proxy http://***@{address} (HTTPS_PROXY)".replace("http://***@", "") in refusing.message
    dead = told(environ | {"PIP_PROXY": "u:s3cret-word@127.0.0.1:9"}, tmp_path)
    assert dead.message.endswith("no answer from the proxy 127.0.0.1:9 (PIP_PROXY)")
    assert "NO_PROXY=index.example" in dead.hint


def test_offline_with_an_empty_cache(open_environ: Environ, tmp_path: Path) -> None:
    sources = read_sources(open_environ, root=tmp_path, offline=True)
    argv = [find_uv(), "pip", "compile", "-", "--python", PYTHON]
    child = run_uv(argv, sources=sources, environ=open_environ, stdin="alpha==1.0")
    found = unreached(child.stderr, sources)
    assert found
    assert "(--offline) not all of it is in uv's cache" in found.message


def test_what_is_no_matter_of_a_source_is_left_alone() -> None:
    assert unreached("error: No solution found: alpha<1 and alpha>2", Sources()) is None
    assert unreached("error: No space left on device (os error 28)", Sources()) is None


def test_a_certificate_that_nobody_trusts(open_environ: Environ, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, which makes the certificate")
    pem = tmp_path / "own.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(["openssl", *words, "-keyout", pem, "-out", tmp_path / "c"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "c").read_text())
    with serve(500, pem) as address:
        environ = open_environ | {"PIP_INDEX_URL": f"https://{address}/simple"}
        found = told(environ, tmp_path)
        assert found.kind == "certificate"
        assert "uv's own list of authorities" in found.message
        assert "SSL_CERT_FILE" in found.hint
        trusted = told(environ | {"PIP_CERT": str(pem)}, tmp_path)
    assert trusted.kind == "network"
    assert "500" in trusted.message
