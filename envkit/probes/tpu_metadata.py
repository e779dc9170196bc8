"""What Google's metadata server says of a TPU VM: only on Google's hardware, only of the slice, within a second."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from envkit import harness
from envkit.probes import files

SERVER = "169.254.169.254"  # by address: a name might wait for a resolver
ATTRIBUTES = ("accelerator-type", "tpu-env")
PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("tpu_metadata_child.py")))
DEADLINE_SECONDS = 1.0
# Of tpu-env, which also names the project, its owner and its network.
KEPT = frozenset(
    {
        "ACCELERATOR_TYPE",
        "CHIPS_PER_HOST_BOUNDS",
        "HOST_BOUNDS",
        "RUNTIME_VERSION",
        "TOPOLOGY",
        "TPU_CHIPS_PER_PROCESS_BOUNDS",
        "TPU_PROCESS_BOUNDS",
        "TYPE",
        "WORKER_ID",
    }
)
MOST_CHARACTERS = 100


def ask(root: str, environment: Mapping[str, str]) -> tuple[dict[str, str] | None, str | None]:
    """What the server says and why it does not; both None where it is not to be asked.

    TPU_SKIP_MDS_QUERY tells libtpu, too, not to ask: on Kubernetes the answers are of the node.
    """
    if root != "/" or environment.get("TPU_SKIP_MDS_QUERY") or not on_googles_hardware(root):
        return None, None
    child = harness.run([*PROGRAM, SERVER, *ATTRIBUTES], deadline_seconds=DEADLINE_SECONDS)
    answers = {record["attribute"]: record["text"] for record in child.records if "text" in record}
    if not answers:
        told = [str(record["error"]) for record in child.records if "error" in record]
        return None, (told or [child.last_words() or child.why()])[0]
    found = slice_of(answers.get("tpu-env", ""))
    if kind := _value(answers.get("accelerator-type", "")):
        found["ACCELERATOR_TYPE"] = kind
    return found, None


def on_googles_hardware(root: str) -> bool:
    """Whether the firmware says that this is a virtual machine of Google's."""
    names = [files.read_line(root, f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    return names[0] == "Google" or names[1] == "Google Compute Engine"


def slice_of(text: str) -> dict[str, str]:
    """What is kept of tpu-env: lines "NAME: 'value'"."""
    pairs = (line.partition(":") for line in text.split("\n"))
    found = {name.strip(): _value(value) for name, _, value in pairs if name.strip() in KEPT}
    return {name: value for name, value in found.items() if value}


def _value(text: str) -> str:
    """Without quotes; "" for what is too long or too odd to be a value of a slice."""
    value = text.strip().strip("'\"")
    return value if re.fullmatch(rf"[\w.,:/+-]{{1,{MOST_CHARACTERS}}}", value, re.ASCII) else ""
