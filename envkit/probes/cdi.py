"""Specifications of devices for containers (CDI) that have NVIDIA GPUs. No probe: that of the container engine asks.

They are YAML or JSON that tools write; a few keys are sought in the text, which is quicker than to parse a list of a
hundred libraries. Format: cncf-tags/container-device-interface, SPEC.md.
"""

from __future__ import annotations

import os
import re

from envkit.facts.cluster import CdiSpec
from envkit.probes.files import exists, list_dir, locate, read_text

FOLDERS = ("/etc/cdi", "/var/run/cdi")
MOST_FILES = 32
MOST_CHARACTERS = 1 << 20
MOST_MISSING = 20
KEY = re.compile(r"""\b(kind|name|hostPath|path)["']?\s*:\s*["']?([^\s"',}]+)""")
KIND = re.compile(r"(?:[a-z0-9.-]+\.)?nvidia\.com/gpu")
GPU = re.compile(r"/dev/nvidia\d+")
DRIVER = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.(\d{3,}\.\d+(?:\.\d+)?)$")


def specs(root: str) -> list[CdiSpec] | None:
    """Those with GPUs; a later one's devices stand for an earlier one's of the same name. None: one cannot be read."""
    found = []
    for folder in FOLDERS:
        names = list_dir(root, folder)
        if names is None and exists(root, folder):
            return None
        for name in [name for name in names or [] if name.endswith((".yaml", ".json"))][:MOST_FILES]:
            text = read_text(root, f"{folder}/{name}")
            if text is None or len(text) > MOST_CHARACTERS:
                return None
            keys = KEY.findall(text)
            kind = next((value for key, value in keys if key == "kind"), "")
            if KIND.fullmatch(kind):
                found.append(_spec(root, f"{folder}/{name}", kind, keys))
    return found


def _spec(root: str, path: str, kind: str, keys: list[tuple[str, str]]) -> CdiSpec:
    sources = [value for key, value in keys if key == "hostPath"]
    paths = [value for key, value in keys if key == "path" and value.startswith("/")]
    hooks = [path for path in paths if not path.startswith("/dev/")]  # programs of the host
    nodes = [path for path in paths if path.startswith("/dev/")]
    if any(GPU.search(source) for source in sources):  # device nodes that are called otherwise on the host
        nodes = []
    missing = [path for path in dict.fromkeys([*sources, *hooks, *nodes]) if _gone(root, path)]
    driver = next((match[1] for source in sources if (match := DRIVER.search(source))), None)
    return CdiSpec(
        path=path,
        kind=kind,
        devices=list(dict.fromkeys(value for key, value in keys if key == "name")),
        driver_version=driver,
        device_nodes=list(dict.fromkeys(match[0] for node in nodes or sources if (match := GPU.search(node)))),
        files_missing=missing[:MOST_MISSING],
        files_missing_count=len(missing),
    )


def _gone(root: str, path: str) -> bool:
    """Nothing is there; what may not be looked at is not gone."""
    try:
        os.stat(path if root == "/" else locate(root, path))  # a hundred paths: pathlib would take most of the time
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
