"""Numbers that only one machine has: IP and hardware addresses, UUIDs, serial numbers, accounts at a cloud."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.redact.rules import END, Found, Rule, apply, named

if TYPE_CHECKING:
    from envkit.redact import Redactor

_UUID_TAIL = "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IS = r"(?:\\{0,7}[\"']\s{0,20}:\s{0,20}\\{0,7}[\"']|\s{0,60}[:=#]\s{0,20}[\"']?)"  # a number of JSON's stays one
_LABELS = (
    *("serial", "s/n", "guid", "machine-id", "machine_id", "machineid", "boot-id", "boot_id", "bootid", "unique"),
    *("product_uuid", "asset"),
)
_LABELLED = (
    r"(?i)(?:serial(?:[ _-]?(?:no|number|nr))?|s/n|guid|(?:machine|boot|unique)[ _-]?id|product_uuid|asset[ _-]?tag)"
    rf"{_IS}(?P<value>(?:0x)?(?=[\w./-]{{0,60}}\d)[A-Z0-9][\w./-]{{3,60}})"
)
_CLOUD_HOST = (
    r"\.(?i:s3[.-][\w.-]{0,30}amazonaws\.com|(?:blob|dfs|file|table|queue)\.core\.windows\.net"
    r"|dkr\.ecr\.[\w-]{1,30}\.amazonaws\.com|azurecr\.io)"
)
_PROJECT = (
    r"projects/(?P<value>[a-z][\w:.-]{3,60})"
    r"(?=/(?:locations|zones|regions|global|topics|repositories|secrets|serviceAccounts|instances|subscriptions)/)"
)
_ACCOUNT = (
    r"(?i)(?:(?:(?:account|project|tenant|subscription|organi[sz]ation)[_-]?(?:id|name)|client[_-]?id|_project|_account"
    rf"|--project|--account){_IS}"
    r"|(?:--|config set )(?:project|account) |account (?=\d{12}\b))(?P<value>[\w:.-]{4,80})"
)
_OWNER = (
    r"account|project|tenant|subscription|organi[sz]|client[_-]?id|_project|_account|--project|--account|config set "
)
_AMAZON = r"-(?=[0-9a-f]{0,16}\d)(?:[0-9a-f]{17}|[0-9a-f]{8})(?![\w-])"  # instances, images, volumes, networks
_CONTAINER = r"(?:docker|containerd|crio|libpod|containers)[/-](?P<value>[0-9a-f]{64})"
_MAC_TAIL = r"(?P<by>[:-])[0-9a-fA-F]{2}(?:(?P=by)[0-9a-fA-F]{2}){4,18}(?![\w:-])"
_IPV6_HEAD = r"(?<![\w:.])(?:[nrt](?<=\\.))?(?:[23][0-9a-fA-F]{3}|[fF][c-fC-F][0-9a-fA-F]{2})"
_KEPT = frozenset(("127.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.169.254", "127.0.1.1", "127.0.0.53"))  # noqa: S104
# What stands before an address, and before a version of four parts: 12.8.0.1 may be either.
_ADDRESS_BEFORE = (
    r"(?:(?i:\b(?:ips?|addr|address|host|hostname|server|node|peer|from|to|at|on|via|inet6?|src|dst|saddr|daddr"
    r"|proxy|gateway"
    r"|rank \d{1,5}|client|remote|connect|listen|dns|nameserver|endpoint|master|reach|ping)"
    r"|\w(?:_addr|_host|_ip|_proxy|_master|_server))\\?[\"']?[ =:(\[<]{1,3}\\?[\"']?|//|@|://[\w.:*-]{0,80}@)$"
)
_ADDRESS_AFTER = r"\]?:\d{2,5}\b|/\d{1,2}\b|[<|]\d{2,5}|>|, \d{2,5}\)"
_OF_VERSIONS = r"(?i)version|(?:up|down)grade|install|cu(?:da|dnn|blas|1\d)|nccl|nvidia-"
_VERSION_BEFORE = (
    r"(?:[=<>~!]= ?|\.so\.|[-_/+]|\bv|(?i:version|driver|firmware|cuda|cudnn|nccl|tensorrt|curand"
    r"|needs|wants|requires?|than|has|with|lib\w{1,30}|[\w-]*nvidia[\w-]*|[\w-]+-cu\d\d)(?: is)?\\?[\"']?[ :=]{0,3}"
    r"\[?\s{0,40}\\?[\"']?(?:\d[\d.]{2,20}\\?\",\s{0,40}\\?\"){0,3})$"
)


def hide(text: str, words: str, names: Redactor) -> str:
    """Devices before other UUIDs, hardware addresses before IP addresses, which look like parts of them."""
    if "GPU-" in text or "MIG-" in text:  # whole ones first: others may be the beginnings of them
        for uuid in re.findall(f"(?:GPU|MIG)-[0-9a-fA-F]{{8}}(?i:{_UUID_TAIL})", text):
            device(uuid, names)
    return apply(RULES, text, words, names)


def device(uuid: str, names: Redactor) -> str:
    """GPU-1 for a GPU's UUID: tools take it for one. As much of the beginning as names one GPU stands for that."""
    kind, _, rest = uuid.partition("-")
    known = names.hidden.setdefault("device", {})
    uuid = uuid.lower().replace("gpu", "GPU") if len(rest) == 16 else uuid  # of AMD, whose tools do not mind the case
    if uuid not in known and len(rest) not in {16, 36}:
        fitting = {stand_in for full, stand_in in known.items() if full.startswith(uuid) and len(full) == 40}
        if len(fitting) == 1:
            return fitting.pop()
        if fitting:
            return f"{kind}-"  # which begins the names of all of them
    return names.name("device", uuid, kind + "-{number}")


def _uuid(found: Found, names: Redactor) -> str | None:
    if not found.value.strip("0-"):
        return None
    return device(found.value, names) if found.value[:3] in {"GPU", "MIG"} else names.name("uuid", found.value.lower())


def _interface(found: Found, names: Redactor) -> str | None:
    """A network interface named by its address keeps the form of such a name."""
    if found.value.startswith("00000000"):
        return None
    return names.name("mac", found.value, "{number:012d}", "interface")


def _ipv6(found: Found, names: Redactor) -> str | None:
    groups = found.value.split(":")
    whole = len(groups) == 8 and all(groups)
    return names.name("ip", found.value.lower()) if whole or "::" in found.value else None


def _ipv4(found: Found, names: Redactor) -> str | None:
    address = found.value
    parts = address.split(".")
    if address in _KEPT or any(int(part) > 255 or (part[0] == "0" and part != "0") for part in parts):
        return None
    before = found.before[-80:]
    if before.endswith(("==", ">=", "<=", "~=", ".so.")):  # most are versions of packages
        return None
    if re.match(_ADDRESS_AFTER, found.after):
        return names.name("ip", address)
    if (said := re.search(_ADDRESS_BEFORE, before)) and not (
        re.match(r"(?i)\W*(?:from|to|at|on)\b", said[0]) and re.search(_OF_VERSIONS, before)
    ):
        return names.name("ip", address)
    likely = int(parts[0]) >= 20 or parts[0] == "10"  # few versions of four parts begin so
    return names.name("ip", address) if likely and not re.search(_VERSION_BEFORE, before) else None


def _account(found: Found, names: Redactor) -> str | None:
    return None if found.value.startswith("<") else names.name("account", found.value)


RULES = (
    Rule(
        (),
        f"(?i){_UUID_TAIL}{END}",
        _uuid,
        anchor=_UUID_TAIL,
        left="(?:(?:GPU|MIG)-)?(?:(?<![0-9a-fA-F])|(?<=pod))[0-9a-fA-F]{8}",
        reach=14,
    ),
    Rule(("gpu-", "mig-"), rf"(?:GPU|MIG)-[0-9a-f]{{8}}(?:[0-9a-f]{{8}}|(?:-[0-9a-f]{{0,12}}){{0,4}}){END}", _uuid),
    Rule(
        ("s3://", "s3a://", "gs://", "r2://", "abfs", "wasb"),
        r"(?:s3a?|gs|r2|abfss?|wasbs?)://(?P<value>[\w.@-]{3,100})",
        named("bucket"),
    ),
    Rule(
        ("amazonaws", "windows.net", "azurecr"),
        rf"(?=(?P<after>{_CLOUD_HOST}))",
        named("bucket"),
        anchor=r"\.(?:s3[.-]|blob\.|dfs\.|file\.|table\.|queue\.|dkr\.ecr|azurecr)",
        left=r"(?<![\w.-])[A-Za-z0-9][\w-]{2,62}",
    ),
    Rule(
        ("storage.googleapis.com/", "amazonaws.com/"),
        r"(?:storage\.googleapis|amazonaws)\.com/(?P<value>[\w.-]{3,63})",
        named("bucket"),
    ),
    Rule(_LABELS, _LABELLED, named("serial")),
    Rule(("arn:aws",), r"arn:aws[\w-]{0,10}:[\w-]{0,30}:[\w-]{0,30}:(?P<value>\d{12})\b", _account),
    Rule(("projects/",), _PROJECT, _account),
    Rule(("account", "project", "tenant", "subscription", "organi", "client"), _ACCOUNT, _account, anchor=_OWNER),
    Rule(("gcr.io/", "pkg.dev/"), r"(?:gcr\.io|pkg\.dev)/(?P<value>[a-z][\w:-]{3,60})", _account),
    Rule(("/resourcegroups/",), r"(?i)/resourcegroups/(?P<value>[\w.-]{1,90})", _account),
    Rule((), _AMAZON, named("id"), anchor=_AMAZON, left=r"(?<![\w-])(?:i|ami|vol|vpc|eni|sg|subnet|snap|fs|fsap)"),
    Rule(("docker/", "docker-", "containerd-", "crio-", "libpod-", "containers/"), _CONTAINER, named("id")),
    Rule(("pod",), r"pod(?P<value>[0-9a-f]{8}(?:_[0-9a-f]{4}){3}_[0-9a-f]{12})", named("uuid")),
    Rule(("/by-id/",), r"/by-id/(?P<value>[\w:.-]{4,200})", named("serial")),
    Rule(
        (),
        _MAC_TAIL,
        named("mac"),
        anchor=r":[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:",
        left=r"(?<![\w:-])(?:[nrt](?<=\\.))?[0-9a-fA-F]{2}",
        reach=6,
    ),
    Rule(
        (),
        _MAC_TAIL,
        named("mac"),
        anchor=r"-[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}-",
        left=r"(?<![\w:-])(?:[nrt](?<=\\.))?[0-9a-fA-F]{2}",
        reach=6,
    ),
    Rule(
        (),
        r"(?::[0-9a-f]{4}){3}(?![\w:])",
        named("guid"),
        anchor=r":[0-9a-f]{4}:[0-9a-f]{4}:[0-9a-f]{4}",
        left=r"(?<![\w:])(?:[nrt](?<=\\.))?(?!10de|1002|8086)[0-9a-f]{4}",
        reach=8,
    ),
    Rule(("enx", "wlx", "ibx", "rocex", "wwx"), r"(?:enx|wlx|ibx|rocex|wwx)(?P<value>[0-9a-f]{12,16})\b", _interface),
    Rule(
        (),
        r"(?::[0-9a-fA-F]{0,4}){2,7}(?:%\w{1,20})?(?!\w)",
        _ipv6,
        anchor=r":[0-9a-f]{0,4}:",
        left=_IPV6_HEAD,
        reach=8,
    ),
    Rule(
        (),
        r"\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w]|\.\w)",
        _ipv4,
        anchor=r"\.\d{1,3}\.\d{1,3}\.\d{1,3}",
        left=r"(?<![\d.])\d{1,3}",
        reach=4,
    ),
    Rule(
        (),
        r"(?=\d*[a-f]\d*[a-f])[0-9a-f]{32}(?![\w.-])",
        named("id"),
        anchor=r"[0-9a-f](?<![\w.-].)[0-9a-f]{31}(?![\w.-])",
    ),
)
