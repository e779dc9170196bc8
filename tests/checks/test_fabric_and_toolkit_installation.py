"""The commands that an administrator is told for the fabric manager and the container toolkit, word for word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml
from envkit.facts.machine import ContainerEngine, System
from envkit.findings import Remedy
from envkit.knowledge import Knowledge
from envkit.profile import Profile

KNOWLEDGE, CHECKS = Knowledge(), discover()
CUDA = "https://developer.download.nvidia.com/compute/cuda/repos"
TOOLKIT = "https://nvidia.github.io/libnvidia-container/stable/rpm/nvidia-container-toolkit.repo"
KEYRING = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg"
START = "systemctl enable --now nvidia-fabricmanager"
DEBIAN = f"""wget -P /tmp {CUDA}/debian12/x86_64/cuda-keyring_1.1-1_all.deb
apt-get install /tmp/cuda-keyring_1.1-1_all.deb
apt-get update
"""
RHEL = f"dnf install dnf-plugins-core\ndnf config-manager --add-repo {CUDA}/rhel9/x86_64/cuda-rhel9.repo\n"
SUSE = f"zypper addrepo {CUDA}/sles15/x86_64/ nvidia-cuda\nzypper --gpg-auto-import-keys refresh\n"
DOCKER = "nvidia-ctk runtime configure --runtime=docker\nsystemctl restart docker"
SOURCES = {
    "debian": ("Debian GNU/Linux 12 (bookworm)", []),
    "ubuntu": ("Ubuntu 24.04.3 LTS", ["debian"]),
    "rocky": ("Rocky Linux 9.4 (Blue Onyx)", ["rhel", "centos", "fedora"]),
    "sles": ("SUSE Linux Enterprise Server 15 SP6", ["suse"]),
    "arch": ("Arch Linux", []),
    "azurelinux": ("Microsoft Azure Linux 3.0", []),
}


def told(check: str, distribution: str, *, virtual: str = "none", **sections: Any) -> Remedy:
    pretty, likes = SOURCES[distribution]
    system = System(
        os="linux",
        architecture="x86_64",
        distribution=pretty,
        distribution_id=distribution,
        distribution_like=likes,
        virtual_machine=virtual,
    )
    facts = Facts(system=ok(system), container=absent("none"), **sections)
    findings = examine(facts, Profile(), KNOWLEDGE, {check: CHECKS[check]}).findings
    (remedy,) = [finding.remedy for finding in findings if finding.remedy]
    return remedy


def lines(remedy: Remedy) -> str:
    assert remedy.who == "admin"
    assert not remedy.safe
    return "\n".join(" ".join(command[1:]) for command in remedy.commands)


def waiting(driver: str, name: str = "NVIDIA H100 80GB HBM3", capability: str = "9.0") -> Any:
    gpu = NvidiaGpu(index=0, name=name, compute_capability=capability, fabric_state="in-progress")
    return ok(Nvidia(driver_version=driver, nvml=Nvml(outcome="ok"), gpus=[gpu]))


@pytest.mark.parametrize(
    ("distribution", "driver", "commands"),
    [
        ("ubuntu", "580.65.06", "apt-get install nvidia-fabricmanager-580"),
        ("debian", "580.65.06", DEBIAN + "apt-get install nvidia-fabricmanager=580.65.06-1"),
        ("debian", "570.172.08", DEBIAN + "apt-get install cuda-drivers-fabricmanager-570"),
        ("rocky", "580.65.06", RHEL + "dnf install nvidia-fabricmanager-580.65.06"),
        ("rocky", "570.172.08", RHEL + "dnf install nvidia-fabric-manager-570.172.08"),
        ("sles", "580.65.06", SUSE + "zypper install nvidia-fabricmanager=580.65.06"),
        ("sles", "570.172.08", SUSE + "zypper install cuda-drivers-fabricmanager-570"),
    ],
)
def test_the_fabric_manager_is_installed_in_the_version_of_the_driver(
    distribution: str, driver: str, commands: str
) -> None:
    remedy = told("nvlink-fabric-manager-down", distribution, nvidia=waiting(driver))
    assert lines(remedy) == f"{commands}\n{START}"
    assert f"in exactly the version of the driver, {driver}" in remedy.text
    assert "nvlsm" not in remedy.text


@pytest.mark.parametrize(
    ("distribution", "commands"),
    [
        ("rocky", RHEL + "dnf install nvidia-fabricmanager-580.65.06\ndnf install nvlsm"),
        ("ubuntu", "apt-get install nvidia-fabricmanager-580"),  # Ubuntu's own packages and NVIDIA's do not mix
    ],
)
def test_from_blackwell_on_the_subnet_manager_belongs_to_it(distribution: str, commands: str) -> None:
    remedy = told("nvlink-fabric-manager-down", distribution, nvidia=waiting("580.65.06", "NVIDIA B200", "10.0"))
    assert lines(remedy) == f"{commands}\n{START}"
    assert "and nvlsm (from NVIDIA's repository), which NVLink 5 needs" in remedy.text


@pytest.mark.parametrize(
    ("distribution", "commands"),
    [
        (
            "ubuntu",
            f"sh -c curl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | gpg --dearmor --yes -o {KEYRING}\n"
            "sh -c curl -fsSL https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list | "
            f"sed 's#deb https://#deb [signed-by={KEYRING}] https://#g' > "
            "/etc/apt/sources.list.d/nvidia-container-toolkit.list\n"
            "apt-get update\napt-get install nvidia-container-toolkit\n" + DOCKER,
        ),
        (
            "rocky",
            f"curl -fsSL -o /etc/yum.repos.d/nvidia-container-toolkit.repo {TOOLKIT}\n"
            "dnf install nvidia-container-toolkit\n" + DOCKER,
        ),
        (
            "sles",
            f"zypper addrepo {TOOLKIT}\nzypper --gpg-auto-import-keys refresh\n"
            "zypper install nvidia-container-toolkit\n" + DOCKER,
        ),
        ("arch", "pacman -S nvidia-container-toolkit\n" + DOCKER),
        ("azurelinux", "tdnf install nvidia-container-toolkit\n" + DOCKER),
    ],
)
def test_the_container_toolkit_is_installed_and_made_known_to_docker(distribution: str, commands: str) -> None:
    engine = ok(ContainerEngine(name="docker", runtimes=["runc"]))
    remedy = told("container-runtime-lacks-nvidia", distribution, nvidia=waiting("580.65.06"), container_engine=engine)
    assert lines(remedy) == commands


@pytest.mark.parametrize(
    ("name", "runtimes", "commands"),
    [
        ("containerd", ["runc"], DOCKER.replace("docker", "containerd")),
        ("podman", None, "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"),
    ],
)
def test_an_engine_that_has_the_toolkit_is_only_told_of_the_gpus(
    name: str, runtimes: list[str] | None, commands: str
) -> None:
    engine = ok(ContainerEngine(name=name, runtimes=runtimes, nvidia_toolkit=True, cdi_specs=[]))
    remedy = told("container-runtime-lacks-nvidia", "debian", nvidia=waiting("580.65.06"), container_engine=engine)
    assert lines(remedy) == commands
    assert "install" not in remedy.text


def test_every_row_of_the_table_names_a_repository_and_words_that_exist() -> None:
    table = KNOWLEDGE.distributions
    rows = [row for packages in table.packages.values() for row in packages.by_distribution.values()]
    for row in rows:
        assert set(row.repositories) <= set(table.repositories), row.source
    added = [row for rows_of_one in table.repositories.values() for row in rows_of_one.values()]
    texts = [argument for row in [*rows, *added] for command in row.commands for argument in command]
    words = {word for text in texts for word in re.findall(r"\{([^}]*)\}", text)}
    assert words <= {"major", "kernel", "flavour", "machine", "arch", "branch", "driver"}
    assert all(row.source for row in added)
