"""Builds the stand-in for NVML, and reads the machines that it plays: text files beside it in machines/.

A machine's file is a script for the library (script.h says how to read it), and lines of other words:

    like NAME                    all of another machine, of which what follows changes something
    gpus NUMBER DEVICE [DRIVER]  so many GPUs on the bus, at the addresses that the library usually gives
    pci ADDRESS DEVICE CLASS [DRIVER]   one NVIDIA device: "pci 0000:07:00.0 22a3 068000 nvidia-nvswitch"
    driver VERSION [open]        its modules are loaded; its libraries, and device nodes for the GPUs above, are there
    library VERSION              the libraries are of another version than the modules
    exports old                  the library lacks what drivers before 510 do not export
    file PATH [TEXT]             a file, of one line
    more PATH TEXT               a further line of it
    link PATH TARGET
    gone PATH                    what a line above made is not there
    log TEXT                     a line of the kernel's log
    facts SECTION JSON           other facts of the machine, over those of a sound server
    deadline SECONDS             how long NVML may take

"#" begins a comment.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
MACHINES = FOLDER / "machines"
NAME = "libnvidia-ml.so.1"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Sat Aug 19 01:15:15 UTC 2023"


def build(folder: Path, *options: str, version: str = "570.133.20") -> Path | None:
    """The folder, with the library as a driver's package has it; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / f"libnvidia-ml.so.{version}"
    subprocess.run([compiler, *options, "-shared", "-fPIC", "-o", library, *FOLDER.glob("*.c")], check=True)
    (folder / NAME).symlink_to(library.name)
    return folder


@dataclass
class Machine:
    """What a machine's file says."""

    script: str = ""
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    library_version: str = "570.133.20"
    exports: str = ""
    deadline_seconds: float = 30.0
    gpus: int = 0

    def write(self, root: Path) -> None:
        """Make its files below root."""
        (root / "sys/bus/pci/devices").mkdir(parents=True, exist_ok=True)
        for path, text in self.files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        for path, goal in self.links.items():
            link = root / path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(goal)

    def read(self, name: str) -> Machine:
        for line in (MACHINES / f"{name}.txt").read_text(encoding="utf-8").split("\n"):
            word, *rest = line.split(maxsplit=1)[:2] if line.strip() else ("#",)
            if word.startswith("nvml"):
                self.script += f"{line}\n"
            elif not word.startswith("#"):
                getattr(self, f"_{word}")(*rest)
        return self

    def _like(self, name: str) -> None:
        self.read(name)

    def _gpus(self, words: str) -> None:
        number, device, *driver = words.split()
        for index in range(int(number)):
            self._pci(" ".join([f"0000:{0x1A + index:02x}:00.0", device, "030200", *driver]))

    def _pci(self, words: str) -> None:
        address, device, class_id, *driver = words.split()
        folder = f"/sys/bus/pci/devices/{address}"
        for name, digits in (("vendor", "10de"), ("device", device), ("class", class_id)):
            self.files[f"{folder}/{name}"] = f"0x{digits}\n"
        if driver:
            self.links[f"{folder}/driver"] = f"../../../bus/pci/drivers/{driver[0]}"
        self.gpus += class_id.startswith("03")

    def _driver(self, words: str) -> None:
        version, *kind = words.split()
        nodes = ["/dev/nvidiactl", "/dev/nvidia-uvm", *(f"/dev/nvidia{index}" for index in range(self.gpus))]
        self.files |= dict.fromkeys((*nodes, "/sys/module/nvidia_uvm/refcnt"), "")
        self.files["/sys/module/nvidia/version"] = f"{version}\n"
        self.files["/proc/driver/nvidia/version"] = (OPEN if kind else CLOSED).format(version) + "\n"
        self._library(version)
        self.script += f"nvmlSystemGetDriverVersion * ok {version}\n"

    def _library(self, version: str) -> None:
        self.library_version = version
        for name in ("libcuda.so", "libnvidia-ml.so"):
            self.files[f"{LIBRARIES}/{name}.{version}"] = ""
            self.links[f"{LIBRARIES}/{name}.1"] = f"{name}.{version}"

    def _exports(self, which: str) -> None:
        self.exports = which

    def _file(self, words: str) -> None:
        path, _, text = words.partition(" ")
        self.files[path] = f"{text}\n" if text else ""

    def _more(self, words: str) -> None:
        path, _, text = words.partition(" ")
        self.files[path] = self.files.get(path, "") + f"{text}\n"

    def _link(self, words: str) -> None:
        path, target = words.split()
        self.links[path] = target

    def _gone(self, path: str) -> None:
        self.files = {name: text for name, text in self.files.items() if not f"{name}/".startswith(f"{path}/")}
        self.links.pop(path, None)

    def _log(self, text: str) -> None:
        self.log.append(text)

    def _facts(self, words: str) -> None:
        section, _, text = words.partition(" ")
        self.facts[section] = json.loads(text)

    def _deadline(self, seconds: str) -> None:
        self.deadline_seconds = float(seconds)
