"""Persons by name: home folders, users, e-mail addresses; and the hosts that are found beside them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from envkit.redact import hosts as machines
from envkit.redact.here import COMMON
from envkit.redact.rules import END, SHORT, Change, Found, Rule, apply, secret

if TYPE_CHECKING:
    from envkit.redact import Redactor

_PERSON = r"(?P<value>[^/\s\"'\\:,;<>(){}\[\]|&*?@=]{1,64})"
_FOLDERS = (
    r"(?i)/(?:home\d?|homes(?:/[a-z])?|users|afs/[\w.-]{1,40}/user(?:/\w){0,2})/(?:(?:users|staff|students?|groups?)/)?"
)
_START = r"(?:(?<![\w.~>*-])|(?<=\\[nrt]))"  # also in JSON, where n may belong to an escape
_SHARES = (  # of clusters, where persons have folders, and projects, too: what is below them has a stand-in there alone
    rf"(?i){_START}/(?:(?:run/)?media|user|u|local|work\d?|projects?|\w{{0,8}}scratch\w{{0,8}}"
    r"|(?:lustre|gpfs|nfs|beegfs|ceph|fsx|bgfs)\w{0,8})/"
    r"(?:(?:users?|homes?|work|scratch|projects?|groups?|data|staff|students?)/){0,2}(?![^/\s]{0,60}\.(?:py|so|txt|log|json|sh)\b)"
)
_USED = r"(?:code|space|mode|data|site|name|input|inter|request|program|process|action|id|in\b|is\b|of\b|and\b)"
_SHARE = r"/(?:\w{0,8}scratch|lustre|gpfs|nfs|beegfs|bgfs|ceph|fsx|work|project|local/|user/|u/|media/|run/media/)"
_WINDOWS_PERSON = (  # with blanks only where a folder follows
    r"(?P<value>[^\\/\"'\s:*?<>|]{1,40}(?: [^\\/\"'\s:*?<>|]{1,40}){0,3}(?=[\\/])|[^\\/\"'\s:*?<>|,;]{1,40})"
)
_NO_MAIL = (
    r"(?i)sha\d|md5|v\d|@?(?:GLIBC|CXXABI|GCC_|OPENSSL|NCCL|CUDA)|lib\w.*\.so"
    r"|.*\.(?:so|service|slice|socket|scope|timer|target|whl|py)$"
)


def hide(text: str, words: str, names: Redactor, *, strict: bool) -> str:
    """What is known of this machine, what looks like a name, and then both wherever else they stand."""
    users, hosts = (  # that are known
        dict.fromkeys(
            name for name in (*own, *names.hidden.get(kind, ())) if len(name) > 2 and name.lower() not in names.kept
        )
        for kind, own in (("user", names.who.users), ("host", names.who.hosts))
    )
    at_home, said, told = _home(names.who.home), machines.change(hosts), machines.change(hosts, sure=True)
    # Below a share lie projects, too: the folders that envkit runs from stay in what is printed, as commands need them.
    around = () if strict else sys.prefix.split(os.sep)
    text = apply([*at_home, *_rules(_user(users), _user({}, around)), *machines.rules(said, told)], text, words, names)
    if strict:
        text = apply(machines.in_addresses(machines.change(hosts)), text, words, names)
    if not users and not hosts:
        return text
    known = [rule for user in users for rule in _rules_of_user(user)]
    known += [machines.rule_of(host) for host in sorted(hosts, key=len, reverse=True)]
    return apply(known, text, words, names)


def _home(home: str) -> list[Rule]:
    """~ for the home folder, in JSON also where its backslashes are doubled."""
    ways = dict.fromkeys((home, home.replace("\\", "\\\\"))) if home else ()
    stop = r"(?=[/\s\"':,;)\]\\]|$)"
    whole = [
        (re.escape(way), rf"{re.escape(way[0])}(?:(?<![\w.~-].)|(?<=\\[nrt].)){re.escape(way[1:])}") for way in ways
    ]
    return [Rule((), f"{right}{stop}", lambda _, __: "~", anchor=anchor.lower()) for anchor, right in whole]


def _rules(user: Change, there_alone: Change) -> list[Rule]:
    return [
        Rule(("/mnt/",), rf"(?i)/mnt/[a-z]/users/{_WINDOWS_PERSON}", user),
        Rule(("/home", "/users/", "/afs/"), _FOLDERS + _PERSON, user),
        Rule((), _SHARES + _PERSON, there_alone, anchor=_SHARE),
        Rule(("/project",), rf"{_START}/projects?/[^/\s\"'\\:]{{1,64}}/{_PERSON}(?=/)", there_alone),
        Rule(
            (":\\", ":/users"),
            rf"(?i):(?P<slash>\\{{1,8}}|/)(?:users|documents and settings)(?P=slash){_WINDOWS_PERSON}",
            user,
        ),
        Rule(
            ("\\home",),
            r"(?i)(?P<slash>\\{1,8})home\$?(?P=slash)(?P<value>[^\\/\"'\s:*?<>|]{1,40})",
            user,
            anchor=r"\\{1,8}home\$?\\",
        ),
        Rule(("torchinductor_",), rf"torchinductor_{_PERSON}", user),
        Rule(("~",), r"~(?<![\w.~/-]~)(?P<value>[a-z][\w.-]{1,40})(?=/)", user),
        Rule(
            ("user", "login", "owner", "logname"),
            r"(?i)(?:(?:user(?:name|id)?|login|owner|logname)(?:=|\\{0,7}\": ?\\{0,7}\")"
            rf"|user(?:(?<=for user)|(?<=by user)) (?!{_USED})|user '"
            rf"|login (?=\S{{1,80}} {{1,20}}password\b)){_PERSON}",
            user,
        ),
        Rule(("uid=", "gid="), rf"(?i)(?<![a-z])[ug]id=(?:\d{{1,10}}\()?{_PERSON}", user),
        Rule(
            ("usermod", "gpasswd", "sudo", "chown"),
            rf"(?i)(?:usermod -\w{{1,4}} \S{{1,80}}|gpasswd -\w|sudo -u|chown(?: -\w{{1,4}})?) {_PERSON}",
            user,
        ),
        Rule(("rw",), rf"[rwxst-]{{9}}[+.@]?\s{{1,8}}\d{{1,6}}\s{{1,8}}{_PERSON}", user, anchor=r"rw[xst-][r-]"),
        Rule(
            ("aaaa",),
            r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-[\w-]{1,20}) AAAA[\w+/]{20,2000}={0,3}",
            secret("SSH key"),
            anchor="ssh-|ecdsa-",
        ),
        Rule(
            ("@",),
            rf"@(?P<domain>[A-Za-z][\w-]{{0,62}}{machines.DOMAIN}|\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\w.]))",
            _mail,
            left=r"(?<![\w.+%-])[A-Za-z0-9_][\w.+%-]{0,200}",
        ),
    ]


def _user(users: dict[str, None], kept: Collection[str] = ()) -> Change:
    def change(found: Found, names: Redactor) -> str | None:
        name = found.value
        if (
            name in kept
            or name.lower() in COMMON
            or name.startswith(("$", "***", ".", "%"))
            or not re.search("[^\\W\\d]", name)
        ):
            return None
        if len(name) > 2 and name.lower() not in names.kept:
            users[name] = None
        return names.name("user", name)

    return change


def _mail(found: Found, names: Redactor) -> str | None:
    user = found.value.partition("@")[0]
    return None if re.match(_NO_MAIL, found.match["domain"]) or user == "git" else names.name("e-mail", found.value)


def _rules_of_user(user: str) -> list[Rule]:
    """Where a user's name stands; of a long one anywhere, but for the names that JSON's values have."""
    name, anchor = re.escape(user), re.escape(user.lower())
    start = rf"(?:(?<![\w.~-]{name})|(?<=\\[nrt]{name}))"
    joined = rf"|(?<![A-Za-z0-9.~]{name})(?![A-Za-z0-9])(?![\w-]{{0,60}}\"\s?:)"  # ray_ada, ada-env
    anywhere = rf"|{start}{END}(?!\"\s?:){joined}" if len(user) >= SHORT else ""
    right = (
        rf"{name}(?:(?<=[/~(]{name})(?=[/\s\"'\\:,;)]|$)|(?<=\\{name})(?=\\)|{start}(?=@)"
        rf"|(?:(?<=[:=]{name})|(?<=[:=] {name})){END}{anywhere})"
    )
    return [Rule((user.lower(),), right, lambda _, names: names.name("user", user), anchor=anchor)]
