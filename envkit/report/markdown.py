"""The report as one text: the verdict first, then what it rests on, and all of it as JSON at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from envkit.facts import Facts
from envkit.findings import Report
from envkit.formats import Style
from envkit.formats.markdown import render as render_report
from envkit.readers.attachment import END, SCHEMA, TITLE
from envkit.smoke.show import TITLES
from envkit.smoke.show import render as render_smoke
from envkit.smoke.types import SmokeReport

STYLE = Style(width=100)
_LONGEST_LINE = 160
_NOUNS = {  # kinds of what envkit.redact hides
    "account": ("cloud account", "cloud accounts"),
    "bucket": ("bucket", "buckets"),
    "device": ("GPU's UUID", "GPUs' UUIDs"),
    "e-mail": ("e-mail address", "e-mail addresses"),
    "fabric": ("fabric's number", "fabrics' numbers"),
    "guid": ("InfiniBand GUID", "InfiniBand GUIDs"),
    "hive": ("hive's number", "hives' numbers"),
    "host": ("host name", "host names"),
    "id": ("machine's number", "machines' numbers"),
    "ip": ("IP address", "IP addresses"),
    "mac": ("hardware address", "hardware addresses"),
    "password in an address": ("password in an address", "passwords in addresses"),
    "password or key": ("password or key", "passwords or keys"),
    "private key": ("private key", "private keys"),
    "serial": ("serial number", "serial numbers"),
    "SSH key": ("SSH key", "SSH keys"),
    "token": ("token", "tokens"),
    "user": ("user name", "user names"),
    "uuid": ("UUID", "UUIDs"),
}
# Requirements that apply only with an option are most of what metadata has; those of accelerators are judged.
_OPTIONAL = re.compile(r"extra\s*==")
_JUDGED = re.compile(r"nvidia|cuda|cu1\d|libtpu|rocm|jax|torch")


def render(
    report: Report, facts: Facts, smoke: SmokeReport | None, why_no_smoke: str, removed: Mapping[str, int]
) -> str:
    """The report; everything given must have been redacted, and `removed` says of what: kind to how many."""
    data = {
        "schema": SCHEMA,
        "envkit": report.envkit,
        "status": report.status,
        "headline": report.headline,
        "profile": report.profile,
        "removed": dict(removed),
        "smoke": _told(_brief(smoke)) if smoke else None,
        "facts": {"schema": facts.schema, **_told(_lean(facts))},
    }
    parts = [
        f"# {TITLE}: {report.status}",
        _about(report, removed),
        render_report(report, STYLE, facts).rstrip(),
        "### Versions",
        _versions(facts),
        "### Smoke",
        _block(render_smoke(smoke, STYLE), "text") if smoke else f"Not run: {_escaped(why_no_smoke)}.",
        "### Data",
        "<details><summary>Everything above rests on this: for <code>envkit doctor --from</code></summary>",
        _block(_json(data), "json"),
        "</details>",
        END,
    ]
    return "\n\n".join(parts) + "\n"


def listed(removed: Mapping[str, int]) -> str:
    """What was removed, in words: "3 tokens, 1 host name"."""
    nouns = ((number, _NOUNS.get(kind, (kind, kind))) for kind, number in removed.items())
    return ", ".join(f"{number} {noun[number != 1]}" for number, noun in nouns) or "nothing"


def _about(report: Report, removed: Mapping[str, int]) -> str:
    again = f" --profile {report.profile}" if report.profile else ""
    return (
        f"Written by envkit {report.envkit}, of a machine looked at on {report.taken_at}. Nothing was sent anywhere.\n"
        f"Removed: {listed(removed)}. The same name or number has the same stand-in throughout (`<user-1>`, `GPU-2`),\n"
        f"a secret is `***`, a home folder `~`. `envkit doctor --from FILE{again}` judges this file again."
    )


def _block(text: str, language: str) -> str:
    """Fenced, by more backquotes than stand in it."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _escaped(text: str) -> str:
    """Words of a machine within Markdown: nothing in them is a mark, a tag or a mention."""
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")


def _versions(facts: Facts) -> str:
    system, nvidia, python = facts.system.facts, facts.nvidia.facts, facts.python.facts
    rows = {
        "operating system": system.distribution if system else None,
        "kernel": system.kernel if system else None,
        "NVIDIA driver": nvidia.driver_version if nvidia else None,
        "CUDA of the driver": nvidia.cuda_driver_version if nvidia else None,
        "ROCm": facts.amd.facts.rocm_version if facts.amd.facts else None,
        "Python": python.version if python else None,
        **{title: getattr(getattr(facts, name).facts, "version", None) for name, title in TITLES.items()},
    }
    told = [f"| {name} | {_escaped(version)} |" for name, version in rows.items() if version]
    return "\n".join(["| | version |", "| --- | --- |", *told]) if told else "None is known."


def _lean(facts: Facts) -> Facts:
    """Without the requirements that nothing asks for: half of the file."""
    python = facts.python.facts
    if python is None:
        return facts
    packages = [
        msgspec.structs.replace(
            package,
            requires=[line for line in package.requires if not _OPTIONAL.search(line) or _JUDGED.search(line)],
        )
        for package in python.packages
    ]
    section = msgspec.structs.replace(facts.python, facts=msgspec.structs.replace(python, packages=packages))
    return msgspec.structs.replace(facts, python=section)


def _brief(smoke: SmokeReport) -> SmokeReport:
    """Of what came out right, not every number."""
    runs = [
        msgspec.structs.replace(run, checks=[], losses=[], losses_expected=[]) if run.status == "pass" else run
        for run in smoke.runs
    ]
    return msgspec.structs.replace(smoke, runs=runs)


def _told(value: Any) -> Any:
    """Builtins of a struct without the fields that are as they are by default: reading them again gives the same."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        kept = ((field, getattr(value, field.name)) for field in fields)
        return {field.name: _told(item) for field, item in kept if not _default(field, item)}
    if isinstance(value, list):
        return [_told(item) for item in value]
    return {name: _told(item) for name, item in value.items()} if isinstance(value, dict) else value


def _default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return field.default is not msgspec.NODEFAULT and type(value) is type(field.default) and value == field.default


def _json(value: Any, indent: str = "") -> str:
    """JSON in lines that can be read: what fits into one stays in one."""
    compact = json.dumps(value, ensure_ascii=False)
    if len(compact) + len(indent) <= _LONGEST_LINE or not isinstance(value, dict | list) or not value:
        return compact
    inner = indent + " "
    if isinstance(value, dict):
        items = [f"{json.dumps(name, ensure_ascii=False)}: {_json(item, inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _json(item, inner) for item in value) + f"\n{indent}]"
