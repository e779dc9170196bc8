"""What an administrator is told is in the words of the distribution found, and of who runs envkit where."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import Check, discover
from envkit.checks._admin import for_this_user, system_package
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import Container, ContainerEngine, System
from envkit.facts.software import Package, Python, Torch
from envkit.findings import Finding, Remedy
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, KNOWLEDGE, CHECKS = Profile(), Knowledge(), discover()


def on(
    distribution: str | None, *likes: str, container: bool = False, superuser: bool = False, **sections: Any
) -> Facts:
    system = System(os="linux", distribution_id=distribution, distribution_like=list(likes), superuser=superuser)
    inside = ok(Container(runtime="docker")) if container else absent("none")
    return Facts(system=ok(system), container=inside, **sections)


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        (on("ubuntu", "debian"), "sudo apt-get install gcc g++ python3-dev"),
        (on("linuxmint", "ubuntu", "debian"), "sudo apt-get install gcc g++ python3-dev"),
        (on("rocky", "rhel", "centos", "fedora"), "sudo dnf install gcc gcc-c++ python3-devel"),
        (on("rocky"), "sudo dnf install gcc gcc-c++ python3-devel"),  # a pasted text names no likes
        (on("opensuse-leap", "suse", "opensuse"), "sudo zypper install gcc gcc-c++ python3-devel"),
        (on("arch"), "sudo pacman -S gcc python"),
        (on("alpine"), "sudo apk add gcc g++ musl-dev python3-dev"),
        (on("debian", container=True), "sudo apt-get install gcc g++ python3-dev"),
        (on("nixos"), ""),
        (on(None), ""),
        (Facts(), ""),
    ],
)
def test_the_nearest_distribution_s_package_manager_is_named(facts: Facts, command: str) -> None:
    commands = system_package("compiler", facts, KNOWLEDGE).commands
    assert [" ".join(words) for words in commands] == ([command] if command else [])


def test_what_belongs_to_the_host_has_no_commands_in_a_container() -> None:
    row = "nvidia-container-toolkit"
    assert system_package(row, on("ubuntu"), KNOWLEDGE).commands
    assert not system_package(row, on("ubuntu", container=True), KNOWLEDGE).commands


def test_a_row_that_needs_the_branch_tells_nothing_without_it() -> None:
    row = "nvidia-fabric-manager"
    assert not system_package(row, on("ubuntu"), KNOWLEDGE).commands
    told = system_package(row, on("ubuntu"), KNOWLEDGE, branch="580")
    assert told.commands == [["sudo", "apt-get", "install", "nvidia-fabricmanager-580"]]
    assert system_package(row, on("debian"), KNOWLEDGE, branch="580").origin == " (from NVIDIA's repository)"


def test_root_is_told_no_sudo() -> None:
    remedy = Remedy(text="", commands=[["sudo", "reboot"], ["dmesg"]], who="admin")
    root, user = for_this_user(remedy, on("debian", superuser=True)), for_this_user(remedy, on("debian"))
    assert root is not None
    assert root.commands == [["reboot"], ["dmesg"]]
    assert user == remedy
    assert for_this_user(None, on("debian", superuser=True)) is None


def test_the_doctor_adapts_every_remedy() -> None:
    def needs_reboot(system: System) -> list[Finding]:
        """Whatever."""
        return [Finding(status="fail", message="m", remedy=Remedy(text="", commands=[["sudo", "reboot"]], who="admin"))]

    check = Check("needs-reboot", "machine", (), needs_reboot, ("system",), frozenset(), {})
    (finding,) = examine(on("debian", superuser=True), ANY, KNOWLEDGE, {"needs-reboot": check}).findings
    assert finding.remedy is not None
    assert finding.remedy.commands == [["reboot"]]


UNLOADED = Nvidia(
    pci_devices=[PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236")],
    module_loaded=False,
    nvml=Nvml(outcome="library-missing"),
)


def old(capability: str) -> Nvidia:
    return Nvidia(
        driver_version="470.1",
        cuda_driver_version="11.4",
        nvml=Nvml(outcome="ok"),
        gpus=[NvidiaGpu(index=0, name="NVIDIA X", compute_capability=capability)],
    )


def remedy(check: str, facts: Facts) -> Remedy:
    """What one check advises on a machine, as the doctor tells it."""
    findings = [f for f in examine(facts, ANY, KNOWLEDGE, {check: CHECKS[check]}).findings if f.remedy]
    assert findings, check
    assert findings[0].remedy is not None
    return findings[0].remedy


TORCH = ok(Torch(version="2.10.0", cuda="12.8"))


@pytest.mark.parametrize(
    ("distribution", "capability", "command"),
    [
        ("ubuntu", "9.0", ["sudo", "ubuntu-drivers", "install", "nvidia:580-open"]),
        ("ubuntu", "7.0", ["sudo", "ubuntu-drivers", "install", "nvidia:580"]),
        ("rhel", "9.0", ["sudo", "dnf", "install", "--allowerasing", "nvidia-open"]),
        ("rhel", "7.0", None),  # the open modules would not drive it, and its version is not known
    ],
)
def test_a_newer_driver_is_one_that_drives_these_gpus(
    distribution: str, capability: str, command: list[str] | None
) -> None:
    told = remedy("driver-too-old-for-torch", on(distribution, nvidia=ok(old(capability)), torch=TORCH))
    last = [words for words in told.commands if words[0] == "sudo"][-1:]
    assert last == ([command] if command else [])


def test_each_check_asks_the_table() -> None:
    broken = Nvidia(module_version="580.1", module_loaded=True, nvml=Nvml(outcome="library-missing"))
    engine = ok(ContainerEngine(runtimes=["runc"]))
    told = [
        remedy("nvidia-driver-not-loaded", on("fedora", nvidia=ok(UNLOADED))),
        remedy("nvml-library-missing", on("fedora", nvidia=ok(broken))),
        remedy("container-runtime-lacks-nvidia", on("fedora", nvidia=ok(UNLOADED), container_engine=engine)),
    ]
    assert told[0].commands[-1] == ["sudo", "dnf", "install", "--allowerasing", "nvidia-open"]
    assert told[1].commands == [["sudo", "dnf", "install", "nvidia-driver-cuda"]]
    assert ["sudo", "dnf", "install", "nvidia-container-toolkit"] in told[2].commands


def test_servers_are_told_the_packages_of_their_driver_s_branch() -> None:
    gpu = NvidiaGpu(index=0, name="NVIDIA H100 80GB HBM3", persistence_mode=False, fabric_state="in-progress")
    facts = on("ubuntu", nvidia=ok(Nvidia(driver_version="580.65.06", nvml=Nvml(outcome="ok"), gpus=[gpu])))
    told = [remedy(check, facts).commands[0][-1] for check in ("nvlink-fabric-manager-down", "persistence-mode-off")]
    assert told == ["nvidia-fabricmanager-580", "nvidia-compute-utils-580"]


def test_a_compiler_goes_into_the_image_of_a_container() -> None:
    bare = ok(Python(executable="p", version="3.11.7", packages=[Package(name="triton", version="3")], headers=False))
    gpu = ok(Nvidia(nvml=Nvml(outcome="ok"), gpus=[NvidiaGpu(index=0)]))
    sections = {"python": bare, "torch": TORCH, "nvidia": gpu}
    inside = remedy("compiler-or-toolchain-missing", on("alpine", container=True, **sections))
    outside = remedy("compiler-or-toolchain-missing", on("alpine", **sections))
    assert (inside.who, outside.who) == ("user", "admin")
    assert inside.text.endswith("into the image")
