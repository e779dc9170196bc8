"""A source that cannot be reached: which setting names it, and what would reach it."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from envkit.setup.sources.configured import Sources

PYTORCH_HOST = "download.pytorch.org"
MIRROR = "a mirror: PIP_INDEX_URL, or `index-url` in pip.conf; no network: --wheelhouse DIR"
KINDS = (
    (
        "no-solution",
        r"network was disabled",
        "not all of it is in uv's cache",
        "Run once with the network, or take the wheels along: envkit setup --download DIR, then --wheelhouse DIR.",
    ),
    (
        "login",
        r"\b40[13] (?:Unauthorized|Forbidden|Client Error)|authentication credentials",
        "refuses the request",
        (
            "Credentials come from its address, ~/.netrc (machine {host}), UV_INDEX_<NAME>_USERNAME and _PASSWORD, "
            "or a keyring (UV_KEYRING_PROVIDER=subprocess)."
        ),
    ),
    ("network", r"\b5\d\d (?:[A-Z]\w+)|HTTP status server error", "fails on its side", "Later, or {mirror}."),
    (
        "certificate",
        r"(?i)certificate|UnknownIssuer",
        "shows a certificate that is not trusted; trusted: {trusted}",
        (
            "Name its authority's certificate in SSL_CERT_FILE or pip's `cert`; UV_SYSTEM_CERTS=1 trusts what the "
            "machine trusts."
        ),
    ),
    (
        "network",
        r"(?i)failed to create underlying connection|Cannot connect to proxy",
        "was not reached: no answer from the proxy {proxy}",
        "Mend the proxy's address (pip's `proxy`, HTTPS_PROXY); NO_PROXY={host} goes without it.",
    ),
    (
        "proxy",
        r"(?i)tunnel error|\b407\b|proxy auth",
        "was not reached: the proxy {proxy} did not let the request through",
        "Mend the proxy's credentials (pip's `proxy`, HTTPS_PROXY); NO_PROXY={host} goes without it.",
    ),
    (
        "network",
        (
            r"(?i)dns error|timed out|tcp connect|connection (?:refused|reset)|unreachable|error sending request"
            r"|failed to establish|error decoding response body|IncompleteRead|NewConnectionError"
        ),
        "cannot be reached",
        "Check the network; behind a proxy: HTTPS_PROXY; {mirror}.",
    ),
)
"""Kind of failure, what uv or pip says, what it means of the source, what would reach it; the first that fits."""


class Unreached(NamedTuple):
    """Why a source gave nothing: kind of failure, one line, what would reach it."""

    kind: str
    message: str
    hint: str


def unreached(text: str, sources: Sources) -> Unreached | None:
    """What kept uv or pip from a source, with the setting that names the source; None when it is about something else.

    Args:
        text: what uv or pip said; credentials in it are taken out.
        sources: where packages come from.
    """
    text = sources.redact(text)
    for kind, pattern, message, hint in KINDS:
        found = re.search(pattern, text)
        if found:
            host = _host(text)
            words = {
                "host": host or "HOST",
                "mirror": MIRROR,
                "proxy": sources.proxy or "in between",
                "trusted": sources.trusted or "uv's own list of authorities",
            }
            status = re.search(r"\b[45]\d\d (?:[A-Z]\w+ ?)+", text)
            answer = f" ({status[0].strip()})" if status else ""
            return Unreached(kind, f"{_named(host, sources)} {message.format(**words)}{answer}", hint.format(**words))
    return None


def _host(text: str) -> str:
    """Of the address that an error names; redacted credentials may stand in it."""
    found = re.search(r"https?://(?:\*\*\*@)?([^\s)`'\",>]+)", text) or re.search(r"\bhost='([^']+)'", text)
    return (urlsplit(f"//{found[1]}").hostname or "") if found else ""


def _named(host: str, sources: Sources) -> str:
    """The source on this host with the setting that names it."""
    for line in sources.lines:
        if host and re.search(rf"[/@]{re.escape(host)}(?=[:/\s]|$)", line):
            return line
    if not host:
        return ", ".join(sources.lines) or "the default index"
    if host == PYTORCH_HOST:
        return f"{host} (PyTorch's own index)"
    return f"{host} ({'a source refers to it' if sources.lines else 'the default index: no setting names another'})"
