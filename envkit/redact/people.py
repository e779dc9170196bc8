"""Persons and machines by name: home folders, users, hosts, e-mail addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.redact.here import COMMON
from envkit.redact.rules import Change, Found, Rule, apply, secret

if TYPE_CHECKING:
    from envkit.redact import Redactor

SHORT = 6
"""Shorter names are words of a report, too: they are looked for only where a name stands."""
END = r"(?![\w-])"
_PERSON = r"(?P<value>[^/\s\"'\\:,;<>(){}\[\]|&*?@=]{1,64})"
_FOLDERS = (
    r"(?i)/(?:home\d?|homes(?:/[a-z])?|users|afs/[\w.-]{1,40}/user(?:/\w){0,2})/(?:(?:users|staff|students?|groups?)/)?"
)
_WINDOWS_PERSON = (  # with blanks only where a folder follows
    r"(?P<value>[^\\/\"'\s:*?<>|]{1,40}(?: [^\\/\"'\s:*?<>|]{1,40}){0,3}(?=[\\/])|[^\\/\"'\s:*?<>|,;]{1,40})"
)
_DOMAIN = r"(?:\.[\w-]{1,63}){0,8}"
_MACHINE = (  # with a number, or of several parts
    r"(?P<value>[A-Za-z][\w-]{0,62}\d[\w-]{0,40}(?:\.[\w-]{1,63}){0,8}|[A-Za-z][\w-]{0,62}(?:\.[A-Za-z][\w-]{1,62}){1,8})"
    + END
)
_NO_MAIL = (
    r"(?i)sha\d|md5|v\d|@?(?:GLIBC|CXXABI|GCC_|OPENSSL|NCCL|CUDA)|lib\w.*\.so"
    r"|.*\.(?:so|service|slice|socket|scope|timer|target|whl|py)$"
)
_SOFTWARE = (  # with its version or number
    r"(?i)(?:cuda|torch|pytorch|python|cudnn|nccl|nvidia|gpu|pci|numa|cpu|gfx|sm_|rocm|mlx|nvme|eth|ib|v|gb|h|a)[\d._]*"
    r"|(?:x86|aarch|arm|lib|kube|mlx\d|glibc)[\w.-]*"
)
_PUBLIC = (  # hosts by which nobody is known; a longer list only keeps more to read
    *("nvidia.com", "pytorch.org", "tensorflow.org", "python.org", "pypi.org", "pythonhosted.org", "github.com"),
    *("githubusercontent.com", "github.io", "gitlab.com", "huggingface.co", "hf.co", "google.com", "googleapis.com"),
    *("amd.com", "intel.com", "kernel.org", "readthedocs.io", "readthedocs.org", "anaconda.org", "anaconda.com"),
    *("docker.com", "docker.io", "nvcr.io", "quay.io", "kubernetes.io", "ubuntu.com", "debian.org", "redhat.com"),
    *("microsoft.com", "apple.com", "stackoverflow.com", "jax.dev", "keras.io", "astral.sh", "slurm.schedmd.com"),
    *("stackexchange.com", "numpy.org", "scipy.org", "conda.io", "gcr.io", "ghcr.io"),
    *("hooks.slack.com", "aka.ms", "s3.amazonaws.com"),
)


def hide(text: str, words: str, names: Redactor, *, strict: bool) -> str:
    """What is known of this machine, what looks like a name, and then both wherever else they stand."""
    users, hosts = (
        dict.fromkeys((*own, *(name for name in names.hidden.get(kind, ()) if len(name) > 2)))
        for kind, own in (("user", names.who.users), ("host", names.who.hosts))
    )
    text = apply(
        [*_home(names.who.home), *_rules(_user(users), _host(hosts), _host(hosts, sure=True))], text, words, names
    )
    if strict:
        text = apply([_url(_host(hosts))], text, words, names)
    if not users and not hosts:
        return text
    known = [rule for user in users for rule in _rules_of_user(user)]
    known += [_rule_of_host(host) for host in sorted(hosts, key=len, reverse=True)]
    return apply(known, text, words, names)


def _home(home: str) -> list[Rule]:
    """~ for the home folder, in JSON also where its backslashes are doubled."""
    ways = dict.fromkeys((home, home.replace("\\", "\\\\"))) if home else ()
    stop = r"(?=[/\s\"':,;)\]\\]|$)"
    whole = [
        (re.escape(way), rf"{re.escape(way[0])}(?:(?<![\w.~-].)|(?<=\\[nrt].)){re.escape(way[1:])}") for way in ways
    ]
    return [Rule((), f"{right}{stop}", lambda _, __: "~", anchor=anchor.lower()) for anchor, right in whole]


def _rules(user: Change, host: Change, sure: Change) -> list[Rule]:
    return [
        Rule(("/home", "/users/", "/afs/"), _FOLDERS + _PERSON, user),
        Rule(
            (":\\", ":/users"),
            rf"(?i):(?P<slash>\\{{1,8}}|/)(?:users|documents and settings)(?P=slash){_WINDOWS_PERSON}",
            user,
        ),
        Rule(
            ("user", "login", "owner", "logname"),
            rf"(?i)(?:user(?:name)?|login|owner|logname)(?:=|\\?\": ?\\?\"|(?<=for user) ){_PERSON}",
            user,
        ),
        Rule(("uid=",), rf"(?i)uid=\d{{1,10}}\({_PERSON}\)", user),
        Rule(
            ("aaaa",),
            r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-[\w-]{1,20}) AAAA[\w+/]{20,2000}={0,3}",
            secret("SSH key"),
            anchor="ssh-|ecdsa-",
        ),
        Rule(
            ("@",),
            rf"@(?P<domain>[A-Za-z][\w-]{{0,62}}{_DOMAIN}|\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\w.]))",
            _mail,
            left=r"(?<![\w.+%-])[A-Za-z0-9_][\w.+%-]{0,200}",
        ),
        Rule(  # of a log's line: Nov 26 12:00:00 gpu17 kernel: ...
            ("kernel:", "]:"),
            r"(?= (?:kernel|[a-z][\w./-]{1,40}\[\d{1,8}\]): )",
            sure,
            anchor=r" kernel: | [a-z][\w./-]{1,40}\[\d{1,8}\]: ",
            left=r"(?:(?<=:\d\d )|(?<=\dZ )|(?<=[.,]\d{3} )|(?<=[.,]\d{6} ))[A-Za-z0-9][\w.-]{0,200}",
        ),
        Rule(
            ("host", "node", "server", "machine", "_addr"),
            rf"(?i)(?:host(?:name)?|node(?:name|list)?|server|machine|_addr)(?:[ =:\"']{{1,3}}|\": \"){_MACHINE}",
            host,
        ),
        Rule(
            ("srun:", "slurmstepd:", "cancelled"),
            rf"(?:srun: error:| ON) {_MACHINE}",
            sure,
            anchor=r" on |srun: error: ",
        ),
        Rule(("ip-",), rf"ip-(?:(?<![\w-]ip-)|(?<=\\[nrt]ip-))\d{{1,3}}(?:-\d{{1,3}}){{3}}{_DOMAIN}{END}", host),
        Rule(
            (".internal", ".lan", ".corp", ".intranet", ".localdomain"),
            rf"\.(?:internal|lan|corp|intranet|localdomain){END}(?!\.\w)",
            host,
            left=r"(?<![\w.-])[A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,63}){0,6}",
        ),
    ]


def _url(host: Change) -> Rule:
    return Rule(("://",), r"://(?:[^/\s\"'\\@]{0,200}@)?(?P<value>[A-Za-z0-9][\w.-]{0,200})", host)


def _user(users: dict[str, None]) -> Change:
    def change(found: Found, names: Redactor) -> str | None:
        name = found.value
        if name.lower() in COMMON or name.startswith(("$", "***", ".", "%")) or not re.search("[^\\W\\d]", name):
            return None
        if len(name) > 2:
            users[name] = None
        return names.name("user", name)

    return change


def _host(hosts: dict[str, None], *, sure: bool = False) -> Change:
    """A change that names a host; where the place alone says that it is one, whatever it is called."""

    def change(found: Found, names: Redactor) -> str | None:
        name = found.value.rstrip(".-")
        lower = name.lower()
        public = re.fullmatch(r"s3\.[\w-]+\.amazonaws\.com", lower) or any(
            lower == known or lower.endswith(f".{known}") for known in _PUBLIC
        )
        if public or lower in COMMON or (not sure and re.fullmatch(_SOFTWARE, name)) or not re.search("[a-z]", lower):
            return None
        hosts[name] = None
        return names.name("host", name) + found.value[len(name) :]

    return change


def _mail(found: Found, names: Redactor) -> str | None:
    user = found.value.partition("@")[0]
    return None if re.match(_NO_MAIL, found.match["domain"]) or user == "git" else names.name("e-mail", found.value)


def _rules_of_user(user: str) -> list[Rule]:
    """Where a user's name stands; of a long one anywhere, but for the names that JSON's values have."""
    name, anchor = re.escape(user), re.escape(user.lower())
    start = rf"(?:(?<![\w.~-]{name})|(?<=\\[nrt]{name}))"
    anywhere = rf"|{start}{END}(?!\"\s?:)" if len(user) >= SHORT else ""
    right = (
        rf"{name}(?:(?<=[/~(]{name})(?=[/\s\"'\\:,;)]|$)|(?<=\\{name})(?=\\)|{start}(?=@)"
        rf"|(?:(?<=[:=]{name})|(?<=[:=] {name})){END}{anywhere})"
    )
    return [Rule((user.lower(),), right, lambda _, names: names.name("user", user), anchor=anchor)]


def _rule_of_host(host: str) -> Rule:
    """The host, with the domain that follows it."""
    name, anchor = re.escape(host), re.escape(host.lower())
    start = rf"(?:(?<![\w.~-]{name})|(?<=\\[nrt]{name}))"
    short = "" if len(host) >= SHORT else rf"(?:(?=[:.])|(?<=@{name}))"
    right = rf"{name}{start}{short}(?:\.[A-Za-z][\w-]{{1,62}}){{0,6}}{END}(?!\"\s?:)"
    return Rule((host.lower(),), right, lambda _, names: names.name("host", host), anchor=anchor)
