"""uv, run as a child: how it is found, how long it may take, and what its errors mean in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from envkit import harness
from envkit.errors import SetupError
from envkit.setup.resolving.conflict import Asked, Reason, translate
from envkit.setup.sources.configured import Sources
from envkit.setup.sources.reach import Unreached, unreached

FIND_SECONDS = 30.0
NOTHING_ASKED = Asked()


class Failure(NamedTuple):
    """What an error of uv means: its kind, one line, and what to do about it."""

    kind: str
    message: str
    hint: str
    text: str = ""
    """What uv itself wrote, without credentials."""


READ_ONLY = "Choose another folder: with --venv for the environment, with UV_CACHE_DIR for uv's cache."
SIGNATURES = (
    ("disk-full", r"os error 28|No space left", "the disk is full", "Free space, or move uv's cache (UV_CACHE_DIR)."),
    ("disk-full", r"os error 122|quota exceeded", "the disk quota is used up", "Free space, or ask for more quota."),
    ("read-only", r"os error 30\b", "the file system is read-only", READ_ONLY),
    ("permission", r"os error 13|os error 1\b|Permission denied", "permission denied", "Check who owns the folder."),
    (
        "hash",
        r"(?i)hash mismatch|mismatched hash",
        "a downloaded file is not the one that was resolved (hash mismatch)",
        "Run again; if it stays, the index or a proxy in between alters files.",
    ),
    (
        "certificate",
        r"(?i)certificate|UnknownIssuer|\btls\b",
        "the server's certificate is not trusted",
        "Give the authority's certificate as SSL_CERT_FILE or pip's `cert`.",
    ),
    (
        "proxy",
        r"(?i)tunnel error|proxy|407",
        "the proxy did not let the request through",
        "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or pip's `proxy`.",
    ),
    (
        "login",
        r"\b40[13]\b|(?i:unauthorized)",
        "the index refuses the request",
        "Check the credentials in its address.",
    ),
    (
        "network",
        r"(?i)dns error|resolve|unreachable|timed out|connection|error sending request|network was disabled|offline",
        "the network or the index cannot be reached",
        "Check the network, or configure a mirror (PIP_INDEX_URL, PIP_FIND_LINKS).",
    ),
    (
        "python",
        r"requires-python|does not satisfy Python|current Python version|No interpreter found",
        "no Python that fits",
        "Choose one with --python, or get one: uv python install 3.12",
    ),
)
SOURCES_FAIL = {"certificate", "proxy", "login", "network"}
UNSATISFIABLE = re.compile(r"No solution found|requirements are unsatisfiable")


def find_uv() -> str:
    """The path of the uv that envkit depends on; SetupError when it is missing."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - only setup needs it

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise SetupError(
            "uv, which builds environments, is missing", hint="Install envkit again: uv is one of its dependencies."
        ) from error


def run_uv(
    argv: list[str],
    *,
    sources: Sources,
    environ: Mapping[str, str],
    stdin: str = "",
    deadline_seconds: float | None = None,
    on_idle: Callable[[int], None] | None = None,
) -> harness.Child:
    """Run one command of uv with the machine's sources, never in an environment of the user's."""
    return harness.run(
        argv,
        deadline_seconds=deadline_seconds,
        stdin=stdin.encode(),
        env=sources.child_environment(environ),
        on_idle=on_idle,
    )


def explain(child: harness.Child, sources: Sources, program: str = "uv", asked: Asked = NOTHING_ASKED) -> Failure:
    """Why uv, or another program of a plan, failed, without credentials.

    Args:
        child: how it ended, and what it wrote.
        sources: whose credentials are taken out.
        program: its name.
        asked: what it was to resolve.
    """
    text = sources.redact(child.stderr)
    return _explain(child, text, program, asked, unreached(text, sources))._replace(text=text)


def _explain(child: harness.Child, text: str, program: str, asked: Asked, beyond: Unreached | None) -> Failure:
    if child.outcome == "not-started":
        hint = "Install envkit again: uv is one of its dependencies." if program == "uv" else ""
        return Failure("uv", f"{program} {child.why()}", hint)
    if child.signal_name == "SIGKILL" or child.exit_status == 137:
        hint = "Raise the memory limit, or lower UV_CONCURRENT_BUILDS."
        return Failure("killed", f"{program} was killed: out of memory?", hint)
    if child.outcome != "exited":
        return Failure("uv", f"{program} was ended: {child.why()}", "")
    detail = _detail(text)
    if UNSATISFIABLE.search(text):
        reason = translate(text, asked) or Reason(f"no solution: {detail}", "", final=False)
        if reason.final:
            return Failure("contradiction", reason.message, reason.hint)
        also = f", and {beyond.message}" if beyond and beyond.kind != "no-solution" else ""  # offline: said already
        return Failure("no-solution", reason.message + also, (beyond and beyond.hint) or reason.hint)
    for kind, pattern, message, hint in SIGNATURES:
        if re.search(pattern, text):
            if beyond and kind in SOURCES_FAIL:
                package = re.search(r"`([\w.-]+==[^`\s]+)`", text)
                whose = f"{package[1]}: " if package else ""
                return Failure(beyond.kind, whose + beyond.message, beyond.hint)
            return Failure(kind, f"{message}: {detail}" if detail else message, hint)
    return Failure(*beyond) if beyond else Failure("uv", f"{program} failed: {detail or child.why()}", "")


def _detail(text: str) -> str:
    """What failed and the innermost cause, of uv's "error: / cause: / cause:" lines."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("error:")), None)
    if start is None:
        return lines[-1] if lines else ""
    told = [lines[start].removeprefix("error:").strip()]
    told += [line.removeprefix("cause:").strip() for line in lines[start + 1 :] if line.startswith("cause:")]
    first = told[1] if len(told) > 2 and told[0].startswith("Request failed") else told[0]
    return first if len(told) == 1 else f"{first}: {told[-1]}"
