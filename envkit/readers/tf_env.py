"""TensorFlow's tools/tf_env_collect.sh."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.software import Package, Tensorflow, TensorflowDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import groups, labelled, parts

NAME = "tf_env_collect.sh"

_PART = re.compile(r"^[ \t]*==[ \t]+([a-z][^=\n]{2,60}?)[ \t=]*$", re.MULTILINE)
_VERSION = re.compile(r"tf\.(?:version\.|__)?VERSION(?:__)? = (\d\S*)|tf\.__version__ = (\d\S*)")
_ROW = re.compile(r"^[ \t]*([A-Za-z][\w.-]{1,60})[ \t]+(\d[\w.+-]*)[ \t]*$", re.MULTILINE)
_ERROR = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): [^\n]+", re.MULTILINE)


def read(text: str) -> Facts | None:
    """System, Python, packages, and whether TensorFlow could be imported."""
    if "== tensorflow" not in text and "== check python" not in text and "== check os" not in text:
        return None
    part = {heading[1].strip(): content for heading, content in parts(text, _PART, "== ")}
    packages = [
        Package(name=_installed.normalise(name), version=version)
        for name, version in groups(_ROW, part.get("check pips", ""), ".")
    ]
    fields = labelled(text, "os platform", "python version")
    found = _installed.sections(packages, **_platforms.python(fields.get("python version", "")))
    uname = _platforms.from_uname(part.get("check os platform", ""))
    found |= _platforms.sections(_platforms.from_platform(fields.get("os platform", "")) or uname)
    imported = part.get("tensorflow import", "")
    version = _VERSION.search(imported)
    if version:
        told = version[1] or version[2]
        if "tensorflow" not in found:
            found["tensorflow"] = ok(Tensorflow(version=told))
        found["tensorflow_deep"] = ok(TensorflowDeep(imported=True, version=told))
    elif errors := _ERROR.findall(imported):
        found["tensorflow_deep"] = ok(TensorflowDeep(imported=False, error=errors[-1]))
    return msgspec.structs.replace(Facts(), **found)
