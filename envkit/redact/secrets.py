"""Secrets: by their own form (ghp_...), by the name before them (password=...), by where they stand in an address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.redact.rules import Found, Rule, secret

if TYPE_CHECKING:
    from envkit.redact import Redactor

_SPACE = r"(?:\s|\\{1,8}[nrt])"
_PRIVATE_KEY = (  # also of one that is cut off
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_SPACE}{{0,20}}[A-Za-z0-9+/]{{20,}}={{0,2}}"
    rf"|{_SPACE}{{0,20}}(?:Proc-Type|DEK-Info|Version|Comment): [\w,./ -]{{1,80}})*"
    rf"(?:{_SPACE}{{0,20}}[A-Za-z0-9+/]{{0,80}}={{0,2}}"
    rf"{_SPACE}{{0,20}}-----END [A-Z ]{{0,30}}PRIVATE KEY(?: BLOCK)?-----)?"
)
# What a token begins with, and what it is made of. Sources: the token formats that GitHub, GitLab, Slack, Stripe, PyPI
# and Hugging Face document; the rules of gitleaks.
_FORMS = {
    **{f"gh{kind}_": r"[A-Za-z0-9_]{3}_[A-Za-z0-9]{20,}" for kind in "pousr"},
    "github_pat_": r"github_pat_\w{20,}",
    "hf_": r"hf_(?<![A-Za-z]hf_)[A-Za-z0-9]{20,}",
    "api_org_": r"api_org_[A-Za-z0-9]{20,}",
    "sk-": r"sk-(?:(?<![\w-]sk-)|(?<=\\[nrt]sk-))[\w-]{16,}",
    **{
        f"{kind}_{mode}_": rf"{kind}_{mode}_[A-Za-z0-9]{{10,}}"
        for kind in ("sk", "pk", "rk")
        for mode in ("live", "test")
    },
    "akia": r"AKIA[0-9A-Z]{12,}",
    "asia": r"ASIA[0-9A-Z]{12,}",
    "aiza": r"AIza[\w-]{30,}",
    "ya29.": r"ya29\.[\w-]{20,}",
    "gocspx-": r"GOCSPX-[\w-]{20,}",
    "xox": r"xox[abeoprs]-[\w-]{10,}",
    "xapp-": r"xapp-[\w-]{10,}",
    **{
        f"gl{kind}-": rf"gl{kind}-[\w.-]{{16,}}"
        for kind in ("pat", "dt", "rt", "cbt", "ptt", "ft", "imt", "agent", "soat")
    },
    "npm_": r"npm_[A-Za-z0-9]{30,}",
    "pypi-": r"pypi-(?=[\w-]{0,200}[A-Z])[\w-]{16,}",
    "dckr_": r"dckr_(?:pat|oat)_[\w-]{16,}",
    "nvapi-": r"nvapi-[\w-]{20,}",
    "gsk_": r"gsk_[A-Za-z0-9]{20,}",
    "r8_": r"r8_(?<![A-Za-z0-9]r8_)[A-Za-z0-9]{20,}",
    "hvs.": r"hvs\.[\w-]{20,}",
    "dop_v1_": r"dop_v1_[0-9a-f]{20,}",
    "dapi": r"dapi(?<![A-Za-z0-9]dapi)[0-9a-f]{30,}",
    "nrak-": r"NRAK-[A-Z0-9]{20,}",
    "key-": r"key-[0-9a-f]{32}(?![\w-])",
    "local-": r"local-[0-9a-f]{40}(?![\w-])",
    "lsv2_": r"lsv2_[a-z]{2}_\w{20,}",
    "sg.": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "age-secret-key-": r"AGE-SECRET-KEY-[0-9A-Z]{20,}",
    "eyj": r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]{0,2000}){0,3}",
    "hooks.slack.com/": r"hooks\.slack\.com/(?P<value>(?:services|workflows|triggers)/[\w/-]{8,})",
    "/webhooks/": r"/webhooks/(?P<value>\d{10,20}/[\w-]{20,})",
    "webhookb2/": r"webhookb2/(?P<value>[\w@/-]{20,})",
}
_WORDS = (
    *("token", "secret", "passw", "passphrase", "pwd", "apikey", "signature", "credential", "authorization", "cookie"),
    *("accesskey", "accountkey", "authkey", "privatekey", "presharedkey", "connectionstring", "connection_string"),
    *("_key", "-key", "sig=", "client-certificate-data"),
)
_SHORT_WORDS = ("_pass", "-pass", "_pw", "_pat=", "auth=", 'auth"', "auth:", "auth\\", "psk", "creds")
_KEY = (
    r"(?:token|secret(?:[ _-](?:access[ _-])?key)?"
    r"|passw(?:or)?d|passphrase|pwd|apikey|(?:access|account|auth|private|preshared)key|[_-]key|signature"
    r"|(?:api|access|licen[cs]e|product) key|[_-](?:pass|pw|pat)|(?<![a-z])(?:auth|psk|creds)(?![_-])"
    r"|credentials?|authorization|cookie|connection_?string|client-certificate-data|(?<=[?&])sig)(?:[_-][\w-]{1,40})?"
)
_SCHEME = r"(?:(?:bearer|basic|token|digest|apikey)\s{1,4})?"
_IN_JSON = r"(?:[^\"\\]|\\[^\"])+"
_QUOTE = r"\\(?:\\\\){0,3}\""  # of JSON within JSON
_BARE = r"(?:[^\s\"'\\&,;<>]|\\[^\"'nrtbfu\s])+"
_NAMED = (  # what stands between the quotes of JSON, of JSON in JSON, or of a shell; or up to the next blank
    rf"(?i){_KEY}(?:"
    rf"\"\s{{0,20}}:\s{{0,20}}\"{_SCHEME}(?P<json>(?:[^\"\\]|\\.)+)"
    rf"|{_QUOTE}\s{{0,20}}:\s{{0,20}}{_QUOTE}{_SCHEME}(?P<nested>{_IN_JSON})"
    rf"|'?\s{{0,20}}(?:[:=]>?|:=|%3D)\s{{0,40}}(?:"
    rf"'{_SCHEME}(?P<single>(?:[^'\"\\\n]|\\[^\"'])+)"
    rf"|{_QUOTE}{_SCHEME}(?P<escaped>{_IN_JSON})"
    rf"|\"(?=[^\s,:\]}}\"\\]){_SCHEME}(?P<double>[^\"\\\n]+)"
    rf"|{_SCHEME}(?P<bare>{_BARE})))"
)
_OPTION = (
    r"(?i)(?:token|passw(?:or)?d|secret|key|credentials?)(?:\s{1,40}|\\?[\"'],\s{0,20}\\?[\"'])"
    r"(?P<value>[^\s\"'\\<>-][^\s\"'\\<>]*)"
)
_SAID = r"(?i)(?:key|token|login|authtoken)\s{1,4}(?P<value>(?=[a-z-]{0,40}\d)(?=\d{0,40}[a-z-])[\w-]{20,})"
_RANDOM = r"(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])(?=[a-zA-Z]*\d)(?P<run>[A-Za-z0-9]{20,})[\w~-]{0,2000}={0,2}"
_BASE64 = r"(?=[a-z0-9/+]*[A-Z])(?=[A-Za-z/+]*\d)(?P<run>[A-Za-z0-9/+]{40,})={0,2}"
_CHANGE = re.compile(r"(?<=[a-z])[A-Z0-9/+]|(?<=[A-Z])[a-z0-9/+]|(?<=[0-9/+])[A-Za-z]")
_PLAIN = (
    r"(?i)(?:\W+|\d{1,5}|\d+(?:\.\w+){1,4}|[<>=~!]=?\d[\w.]*|none|null|nil|true|false|yes|no|not|is|was|are|set|unset|missing"
    r"|required|invalid|expired|empty|\*{2,}|<.*|\$.*|%.*|\.\.\.|the|a|an|and|or|of|in|for|to|with)[.,:;)\]}]*"
)


def names_a_secret(name: str) -> bool:
    """Whether a variable of this name, or an entry of a table, holds a secret: "HF_TOKEN"."""
    return re.search(rf"(?i)(?:^|[_.-]|(?<=[a-z])){_KEY}\Z", name) is not None


def no_secret(value: str) -> bool:
    """Whether it is a number, a version or a plain word, which keys and passwords are not."""
    return re.fullmatch(_PLAIN, value) is not None


def _valued(found: Found, names: Redactor) -> str | None:
    return None if no_secret(found.value) else names.secret("password or key", found.value)


def _named(found: Found, names: Redactor) -> str | None:
    """Here it is one of several groups that has the value."""
    kind = found.match.lastgroup or "bare"
    value = found.match[kind]
    if no_secret(value) or (value.startswith("/") and found.value[:4].lower() == "pwd="):  # which is a folder
        return None
    start = found.match.start(kind) - found.start
    hidden = names.secret("password or key", value)
    return found.value[:start] + hidden + found.value[start + len(value) :]


def _random(found: Found, names: Redactor) -> str | None:
    """Letters of both cases and digits in no order, as most tokens are: 6 of 10 differ in kind from the one before.

    Paths and names have words, and cudaGetDeviceP2P no two capitals together; what compilers name begins with _Z.
    """
    run = found.match["run"]
    mixed = len(_CHANGE.findall(run)) > 0.45 * len(run) and re.search("[A-Z]{2}", run)
    likely = mixed and "_Z" not in found.value
    return names.secret("token", found.value) if likely else None


RULES = (
    Rule(("-----begin",), _PRIVATE_KEY, secret("private key"), anchor="-----begin "),
    Rule(("@",), r"//(?P<value>[^/\s\"'\\<>]{1,500})@", secret("password in an address"), anchor="//"),
    Rule(  # of a proxy without its scheme: user:password@host:3128
        ("@",),
        r"(?=@[\w.-]{1,200}:\d{1,5}\b)",
        secret("password in an address"),
        anchor="@",
        left=r"(?<![\w.+/*-])(?!mailto)[\w.+-]{1,60}:[^\s@:/\"'\\<>,;]{1,200}",
    ),
    *(Rule((mark,), form, secret("token")) for mark, form in _FORMS.items()),
    Rule((":aa",), r":AA[\w-]{30,}", secret("token"), left=r"\d{8,10}"),
    Rule(_WORDS, _NAMED, _named),
    Rule(_SHORT_WORDS, _NAMED, _named),
    Rule(("key",), _NAMED, _named, anchor="(?:api|access|licen[cs]e|product) key"),
    Rule(("token", "passw", "secret", "key", "credential"), _OPTION, _valued, left=r"(?<![\w-])--?[\w-]{0,40}"),
    Rule(("-u", "--user"), r"(?:-u|--user)\s{0,40}[^\s:\"'\\]{1,80}:(?P<value>[^\s\"'\\<>]+)", _valued),
    Rule(("login", "sshpass"), r"(?:login|sshpass)[^\n\"\\]{0,80}? -p ?(?P<value>[^\s\"'\\<>-][^\s\"'\\<>]*)", _valued),
    Rule(("key", "token", "login"), _SAID, _valued),
    Rule(("login",), r"(?i)login \S{1,80}\s{1,20}password\s{1,20}(?P<value>[^\s\"'\\<>]+)", _valued),
    Rule(("bearer",), r"(?i)bearer\s{1,20}(?P<value>(?=[\w.~+/-]{0,200}\d)[\w.~+/-]{12,}=*|[\w.~+/-]{32,}=*)", _valued),
    Rule((), _BASE64, _random, anchor=r"[a-z0-9/+](?<![a-z0-9/+].)[a-z0-9/+]{39}"),
    Rule((), _RANDOM, _random, anchor=r"[a-z0-9](?<![a-z0-9].)[a-z0-9]{19}", left=r"(?<![\w~-])[\w~-]{0,200}"),
)
