"""Machines by name: in logs, mounts, addresses, and where a program says which one it could not reach."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.redact.here import COMMON
from envkit.redact.rules import END, SHORT, Change, Found, Rule

if TYPE_CHECKING:
    from envkit.redact import Redactor

DOMAIN = r"(?:\.[\w-]{1,63}){0,8}"
_MACHINE = (  # with a number, or of several parts
    r"(?P<value>[A-Za-z][\w-]{0,62}\d[\w-]{0,40}(?:\.[\w-]{1,63}){0,8}|[A-Za-z][\w-]{0,62}(?:\.[A-Za-z][\w-]{1,62}){1,8})"
    + END
)
_SOFTWARE = (  # with its version or number
    r"(?i)(?:cuda|torch|pytorch|python|cudnn|nccl|nvidia|gpu|pci|numa|cpu|gfx|sm_|rocm|mlx|nvme|eth|ib|v|gb|h|a)[\d._]*"
    r"|(?:x86|aarch|armv|mlx\d|glibc|kubepods)[\w.-]*|lib[\w-]*(?:\.so[\w.]*)?"
    r"|(?:torch|tensorflow|jax|jaxlib|keras|numpy|triton|xla|google\.protobuf)\.[\w.]+"
)
_TOLD = r"hostname:|(?:resolve|local|static) host(?:name)?:|trusted-host|\bhost='|addresses of \(|connect to \["
_LABELS = r"(?<![\w-])(?<![\w-]\.)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,6}[A-Za-z0-9-]{1,62}"
_TOP = r"\.(?:com|org|net|edu|gov|mil|cloud|local|eu|de|fr|ch|uk|nl|es|se|fi|dk|pl|cz|jp|cn|kr|au|ca|ie)(?![\w-]|\.\w)"
_PUBLIC = (  # hosts by which nobody is known; a longer list only keeps more to read
    *("nvidia.com", "pytorch.org", "tensorflow.org", "python.org", "pypi.org", "pythonhosted.org", "github.com"),
    *("githubusercontent.com", "github.io", "gitlab.com", "huggingface.co", "hf.co", "google.com", "googleapis.com"),
    *("amd.com", "intel.com", "kernel.org", "readthedocs.io", "readthedocs.org", "anaconda.org", "anaconda.com"),
    *("docker.com", "docker.io", "nvcr.io", "quay.io", "kubernetes.io", "ubuntu.com", "debian.org", "redhat.com"),
    *("microsoft.com", "apple.com", "stackoverflow.com", "jax.dev", "keras.io", "astral.sh", "slurm.schedmd.com"),
    *("stackexchange.com", "numpy.org", "scipy.org", "conda.io", "gcr.io", "ghcr.io", "pkg.dev"),
    *("hooks.slack.com", "aka.ms", "s3.amazonaws.com"),
)


def rules(host: Change, sure: Change) -> list[Rule]:
    """Where a host's name stands; `sure`: where the place alone says that it is one."""
    return [
        Rule(  # of a log's line: Nov 26 12:00:00 gpu17 kernel: ...
            ("kernel:", "]:"),
            r"(?= (?:kernel|[a-z][\w./-]{1,40}\[\d{1,8}\]): )",
            sure,
            anchor=r" kernel: | [a-z][\w./-]{1,40}\[\d{1,8}\]: ",
            left=r"(?:(?<=:\d\d )|(?<=\dZ )|(?<=[.,]\d{3} )|(?<=[.,]\d{6} )|(?<=[+-]\d{4} )|(?<=[+-]\d\d:\d\d ))"
            r"[A-Za-z0-9][\w.-]{0,200}",
        ),
        Rule(  # ... whatever writes it, where the day is written as syslog does; and of RFC 5424
            (),
            r"\d\d:\d\d:\d\d(?:(?<=[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) |\S{0,20} (?=\S{1,200} kernel ))"
            r"(?P<value>[A-Za-z0-9][\w.-]{0,200})(?= kernel |\s[A-Za-z][\w./@-]{1,60}(?:\[\d{1,8}\])?: )",
            sure,
            anchor=r"\d\d:\d\d:\d\d",
        ),
        Rule(  # of NCCL's: gpu17:4242:4250 [0] NCCL INFO ...
            ("nccl",),
            r"(?=:\d)",
            sure,
            anchor=r":\d{1,8}:\d{1,8} (?:\[\d{1,4}\] )?nccl ",
            left=r"(?<![\w.-])[A-Za-z0-9][\w.-]{0,200}",
        ),
        Rule(
            ("host", "node", "server", "machine", "_addr"),
            r"(?i)(?:(?<![a-z])(?:host(?:name)?|node(?:name|list)?|server|machine)|_addr)"
            rf"(?:[ =:\"']{{1,3}}|\": \"){_MACHINE}",
            host,
        ),
        Rule(
            ("host", "addresses", "connect"),
            rf"(?i)(?:{_TOLD})\s{{0,20}}(?P<value>[a-z0-9][\w.-]{{0,200}})",
            sure,
            anchor=_TOLD,
        ),
        Rule(
            ("not", "failure"),
            r"(?=: )",
            sure,
            anchor=": (?:name or service not known|temporary failure in name resolution|no address associated)",
            left=r"(?<![\w.-])[A-Za-z0-9][\w.-]{0,200}",
        ),
        Rule(("nodelist",), r"(?i)nodelist[=:\s\"']{1,4}(?P<value>[a-z][\w.-]{0,60}\[[\d,-]{1,200}\])", sure),
        Rule(
            ("linux",), r"Linux (?P<value>[A-Za-z][\w.-]{0,200})(?= \d+\.\d+\.\d\S{0,60} #)", sure, anchor="linux [a-z]"
        ),
        Rule(
            ("endpoint", "-h"),
            rf"(?:endpoint[= ]|-H ){_MACHINE}(?=:\d)",
            host,
            anchor="endpoint[= ]|-h ",
        ),
        Rule(  # of a mount: nas1:/home on /home type nfs4, also as /proc/mounts and fstab have it
            ("nfs", "ceph", "lustre", "fuse.", "beegfs", "cifs"),
            r"(?=:/\S{0,200} (?:on )?/\S{0,200} (?:type )?(?:nfs|ceph|lustre|fuse\.|beegfs))",
            sure,
            anchor=":/",
            left=r"(?<![\w./-])[A-Za-z0-9][\w.-]{0,200}",
        ),
        Rule(
            ("cifs",), r"//(?P<value>[\w.-]{1,200})(?=/\S{0,200} (?:on )?/\S{0,200} (?:type )?cifs)", sure, anchor="//"
        ),
        Rule(
            ("srun:", "slurmstepd:", "cancelled"),
            rf"(?:srun: error:| ON) {_MACHINE}",
            sure,
            anchor=r" on |srun: error: ",
        ),
        Rule(("ip-",), rf"ip-(?:(?<![\w-]ip-)|(?<=\\[nrt]ip-))\d{{1,3}}(?:-\d{{1,3}}){{3}}{DOMAIN}{END}", host),
        Rule(("/instances/",), r"/zones/[\w-]{1,40}/instances/(?P<value>[a-z][\w-]{1,62})", sure, anchor="/zones/"),
        Rule(
            (".internal", ".lan", ".corp", ".intranet", ".localdomain"),
            rf"\.(?:internal|lan|corp|intranet|localdomain){END}(?!\.\w)",
            host,
            left=r"(?<![\w.-])[A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,63}){0,6}",
        ),
    ]


def in_addresses(host: Change) -> list[Rule]:
    """Hosts by their domain, and in addresses, where a user must find the one that did not answer."""
    return [
        Rule(("://",), r"://(?:[^/\s\"'\\@]{0,200}@)?(?P<value>[A-Za-z0-9][\w.-]{0,200})", host),
        Rule(("git@",), r"git@(?P<value>[A-Za-z0-9][\w.-]{0,200})(?=:)", host),
        Rule((), _TOP, host, anchor=_TOP, left=_LABELS),
    ]


def change(hosts: dict[str, None], *, sure: bool = False) -> Change:
    """A change that names a host; where the place alone says that it is one, whatever it is called."""

    def named(found: Found, names: Redactor) -> str | None:
        name = found.value.rstrip(".-")
        lower = name.lower()
        public = re.fullmatch(r"s3\.[\w-]+\.amazonaws\.com", lower) or any(
            lower == known or lower.endswith(f".{known}") for known in _PUBLIC
        )
        public = public or lower.startswith("www.")
        if public or lower in COMMON or (not sure and re.fullmatch(_SOFTWARE, name)) or not re.search("[a-z]", lower):
            return None
        if lower not in names.kept:
            hosts[name] = None
        return names.name("host", name) + found.value[len(name) :]

    return named


def rule_of(host: str) -> Rule:
    """The host, with the domain that follows it."""
    name, anchor = re.escape(host), re.escape(host.lower())
    start = rf"(?:(?<![\w.~-]{name})|(?<=\\[nrt]{name}))"
    short = "" if len(host) >= SHORT else rf"(?:(?=[:.])|(?<=@{name}))"
    right = rf"{name}{start}{short}(?:\.[A-Za-z][\w-]{{1,62}}){{0,6}}{END}(?!\"\s?:)"
    return Rule((host.lower(),), right, lambda _, names: names.name("host", host), anchor=anchor)
