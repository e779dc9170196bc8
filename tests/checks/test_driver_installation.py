"""The commands that an administrator is told for the driver, word for word, and why that driver."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import discover
from envkit.checks._upgrade import upgrade
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.host import Kernel
from envkit.facts.machine import Container, System
from envkit.findings import Remedy
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

KNOWLEDGE, CHECKS = Knowledge(), discover()
CUDA13 = Profile(
    name="cuda13",
    requires=Requires(accelerator="nvidia", driver=">=580.65.06", cuda="13.0", compute_capability=">=7.5"),
)
H100, A6000, GTX_1080, K80 = ("2330", "030200"), ("2230", "030000"), ("1b80", "030000"), ("102d", "030200")
CUDA_REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos"
MACHINES = {
    "debian12": ("Debian GNU/Linux 12 (bookworm)", "debian", "", "6.1.0-28-amd64"),
    "kali": ("Kali GNU/Linux 2025.1", "kali", "debian", "6.12.13-amd64"),
    "ubuntu": ("Ubuntu 24.04.3 LTS", "ubuntu", "debian", "6.8.0-60-generic"),
    "jetson": ("Ubuntu 22.04.5 LTS", "ubuntu", "debian", "5.15.148-tegra"),
    "rhel9": ("Red Hat Enterprise Linux 9.4 (Plow)", "rhel", "fedora", "5.14.0-427.el9.x86_64"),
    "rocky8": ("Rocky Linux 8.10 (Green Obsidian)", "rocky", "rhel centos fedora", "4.18.0-553.el8_10.x86_64"),
    "alma10": ("AlmaLinux 10.0 (Purple Lion)", "almalinux", "rhel centos fedora", "6.12.0-55.el10.x86_64"),
    "oracle9": ("Oracle Linux Server 9.4", "ol", "fedora", "5.15.0-206.el9uek.x86_64"),
    "fedora44": ("Fedora Linux 44 (Server Edition)", "fedora", "", "6.19.1-300.fc44.x86_64"),
    "fedora45": ("Fedora Linux 45 (Server Edition)", "fedora", "", "7.1.1-300.fc45.x86_64"),
    "sles15": ("SUSE Linux Enterprise Server 15 SP6", "sles", "suse", "6.4.0-150600.23.53-default"),
    "leap16": ("openSUSE Leap 16.0", "opensuse-leap", "suse opensuse", "6.12.0-160000.5-default"),
    "arch": ("Arch Linux", "arch", "", "6.17.1-arch1-1"),
    "arch-lts": ("Arch Linux", "arch", "", "6.12.52-1-lts"),
    "amazon2023": ("Amazon Linux 2023.6.20241010", "amzn", "fedora", "6.1.112-122.amzn2023.x86_64"),
    "azure3": ("Microsoft Azure Linux 3.0", "azurelinux", "", "6.6.57.1-1.azl3"),
    "nixos": ("NixOS 25.05 (Warbler)", "nixos", "", "6.12.8"),
}
RHEL_9 = f"""dnf install https://dl.fedoraproject.org/pub/epel/epel-release-latest-9.noarch.rpm
crb enable
dnf install dnf-plugins-core
dnf config-manager --add-repo {CUDA_REPOSITORY}/rhel9/x86_64/cuda-rhel9.repo
dnf install kernel-devel-matched kernel-headers
dnf module reset nvidia-driver
"""
UBUNTU = "apt-get update\napt-get install ubuntu-drivers-common\n"
DEBIAN = f"""wget -P /tmp {CUDA_REPOSITORY}/debian12/x86_64/cuda-keyring_1.1-1_all.deb
apt-get install /tmp/cuda-keyring_1.1-1_all.deb
apt-get update
apt-get install linux-headers-6.1.0-28-amd64
apt-get install nvidia-driver-pinning-580
"""
SUSE = """zypper addrepo {}/{}/x86_64/ nvidia-cuda
zypper --gpg-auto-import-keys refresh
zypper install kernel-default-devel
"""
FEDORA = f"""dnf config-manager addrepo --from-repofile={CUDA_REPOSITORY}/fedora44/x86_64/cuda-fedora44.repo
dnf install kernel-devel-matched kernel-headers
dnf install --allowerasing nvidia-open"""
KERNEL = "6.1.112-122.amzn2023.x86_64"
AMAZON = f"""dnf config-manager --add-repo {CUDA_REPOSITORY}/amzn2023/x86_64/cuda-amzn2023.repo
dnf install kernel-devel-{KERNEL} kernel-headers-{KERNEL} kernel-modules-extra-{KERNEL}
dnf module reset nvidia-driver
dnf module enable nvidia-driver:580-open
dnf install --allowerasing nvidia-open"""
MICROSOFT = "https://packages.microsoft.com/azurelinux/3.0/prod/nvidia"
AZURE = f"""curl -fsSL -o /etc/yum.repos.d/azurelinux-nvidia.repo {MICROSOFT}/x86_64/config.repo
tdnf install kernel kernel-devel kernel-headers kernel-drivers-gpu cuda-open"""


def machine(name: str, *, secure_boot: bool = False, virtual: str = "none", **sections: Any) -> Facts:
    pretty, distribution, likes, kernel = MACHINES[name]
    system = System(
        os="linux",
        kernel=kernel,
        architecture="x86_64",
        distribution=pretty,
        distribution_id=distribution,
        distribution_like=likes.split(),
        virtual_machine=virtual,
    )
    sections = {"container": absent("none"), "kernel": ok(Kernel(secure_boot=secure_boot)), **sections}
    return Facts(system=ok(system), **sections)


def without_driver(gpu: tuple[str, str]) -> Any:
    device = PciDevice(address="0000:1b:00.0", vendor_id="10de", device_id=gpu[0], class_id=gpu[1])
    return ok(Nvidia(pci_devices=[device], module_loaded=False, nvml=Nvml(outcome="library-missing")))


def old(**gpu: Any) -> Any:
    found = [NvidiaGpu(index=0, name="NVIDIA H100 80GB HBM3", compute_capability="9.0", **gpu)]
    return ok(Nvidia(driver_version="550.54.15", nvml=Nvml(outcome="ok"), gpus=found))


def told(facts: Facts, check: str = "nvidia-driver-not-loaded", profile: Profile = CUDA13) -> Remedy:
    (remedy,) = [f.remedy for f in examine(facts, profile, KNOWLEDGE, {check: CHECKS[check]}).findings if f.remedy]
    return remedy


def lines(remedy: Remedy) -> list[str]:
    assert all(command[0] == "sudo" for command in remedy.commands)
    assert not remedy.safe
    return [" ".join(command[1:]) for command in remedy.commands]


@pytest.mark.parametrize(
    ("name", "gpu", "commands"),
    [
        ("debian12", H100, DEBIAN + "apt-get install nvidia-open"),
        ("debian12", GTX_1080, DEBIAN + "apt-get install cuda-drivers"),
        ("kali", H100, ""),  # not a Debian that NVIDIA builds for
        (
            "ubuntu",
            H100,
            UBUNTU + "ubuntu-drivers install --gpgpu nvidia:580-server-open\napt-get install nvidia-utils-580-server",
        ),
        ("ubuntu", A6000, UBUNTU + "ubuntu-drivers install nvidia:580-open"),
        ("ubuntu", GTX_1080, UBUNTU + "ubuntu-drivers install nvidia:580"),
        ("jetson", A6000, ""),
        ("rhel9", H100, RHEL_9 + "dnf module enable nvidia-driver:580-open\ndnf install --allowerasing nvidia-open"),
        (
            "rhel9",
            GTX_1080,
            RHEL_9 + "dnf module enable nvidia-driver:580-dkms\ndnf install --allowerasing cuda-drivers",
        ),
        (
            "rocky8",
            H100,
            RHEL_9.replace("el9", "el8")
            .replace("latest-9", "latest-8")
            .replace("devel-matched", "devel-4.18.0-553.el8_10.x86_64")
            + "dnf module enable nvidia-driver:580-open\ndnf install --allowerasing nvidia-open",
        ),
        (
            "alma10",
            H100,
            RHEL_9.replace("el9", "el10")
            .replace("latest-9", "latest-10")
            .replace("kernel-headers\ndnf module reset nvidia-driver", "kernel-headers python3-dnf-plugin-versionlock")
            + "dnf versionlock *nvidia*580*\ndnf install --allowerasing nvidia-open",
        ),
        (
            "oracle9",
            H100,
            "dnf install oracle-epel-release-el9 dnf-plugins-core\n"
            "dnf config-manager --enable ol9_developer_EPEL ol9_codeready_builder\n"
            + RHEL_9.partition("crb enable\n")[2].replace("devel-matched", "uek-devel-5.15.0-206.el9uek.x86_64")
            + "dnf module enable nvidia-driver:580-open\ndnf install --allowerasing nvidia-open",
        ),
        ("fedora44", H100, FEDORA),
        ("fedora45", H100, ""),  # NVIDIA has no repository for it
        ("sles15", H100, SUSE.format(CUDA_REPOSITORY, "sles15") + "zypper install nvidia-open-580"),
        (
            "leap16",
            H100,
            SUSE.format(CUDA_REPOSITORY, "suse16") + "zypper install nvidia-open-driver-G07 nvidia-compute-utils-G07",
        ),
        ("arch", H100, "pacman -Syu nvidia-open"),
        ("arch-lts", H100, "pacman -Syu nvidia-open-dkms"),
        ("arch", GTX_1080, ""),
        ("amazon2023", H100, AMAZON),
        ("azure3", H100, AZURE),
        ("nixos", H100, ""),
    ],
)
def test_a_driver_is_installed_by_these_commands(name: str, gpu: tuple[str, str], commands: str) -> None:
    assert lines(told(machine(name, nvidia=without_driver(gpu)))) == commands.split("\n") * bool(commands)


@pytest.mark.parametrize("name", MACHINES)
def test_no_word_of_a_row_is_left_unfilled(name: str) -> None:
    for gpu in (H100, GTX_1080):
        remedy = told(machine(name, nvidia=without_driver(gpu)))
        assert "{" not in remedy.text + "".join(lines(remedy))


def test_the_branch_is_named_with_its_reasons() -> None:
    remedy = told(machine("ubuntu", nvidia=old()), "driver-too-old-for-profile")
    assert remedy.who == "admin"
    assert remedy.text == (
        "install a driver of branch 580 or newer and reboot: profile cuda13 (CUDA 13.0) needs 580.65.06 or newer, "
        "and 580, NVIDIA's long-term branch, gets fixes until 2028-06"
    )


def test_a_gpu_without_driver_tells_its_generation() -> None:
    pascal, kepler = (told(machine("rhel9", nvidia=without_driver(gpu))) for gpu in (GTX_1080, K80))
    assert pascal.text.startswith("profile cuda13 needs compute capability >=7.5, which this GPU does not have; ")
    assert "the last for this GPU, gets fixes until" in pascal.text
    assert kepler.text.startswith("no driver that new supports this GPU: branch 470 was its last, with CUDA 11.4; ")
    assert not kepler.commands


def test_with_secure_boot_the_key_of_modules_built_here_is_enrolled_and_signed_ones_need_none() -> None:
    rhel, ubuntu = (told(machine(name, nvidia=without_driver(H100), secure_boot=True)) for name in ("rhel9", "ubuntu"))
    assert lines(rhel)[-1] == "mokutil --import /var/lib/dkms/mok.pub"
    assert "Secure Boot is on" in rhel.text
    assert "mokutil" not in " ".join(lines(ubuntu))


def test_a_cloud_s_own_way_is_named_and_linked() -> None:
    remedy = told(machine("ubuntu", nvidia=old(), virtual="google"), "driver-too-old-for-profile")
    assert remedy.text.endswith(
        "on Google Cloud cuda_installer.pyz does it, too, and GKE's node pools do it themselves"
    )
    assert remedy.url == "https://docs.cloud.google.com/compute/docs/gpus/install-drivers-gpu"


@pytest.mark.parametrize(("runtime", "where"), [("docker", "on the host: "), ("kubernetes", "on the node (the GPU")])
def test_from_inside_a_container_the_driver_is_the_host_s(runtime: str, where: str) -> None:
    inside = ok(Container(runtime=runtime))
    remedy = told(machine("ubuntu", nvidia=without_driver(H100), container=inside))
    assert where in remedy.text
    assert "reboot" not in remedy.text
    assert not remedy.commands


def test_a_guest_with_a_part_of_a_gpu_is_told_of_its_host_s_driver_and_no_commands() -> None:
    remedy = told(machine("ubuntu", nvidia=old(virtualization_mode="vgpu")), "driver-too-old-for-profile")
    assert "the GRID driver for guests that fits the vGPU manager of the host" in remedy.text
    assert not remedy.commands


def test_with_nvswitches_the_fabric_manager_goes_with_the_driver() -> None:
    remedy = told(machine("ubuntu", nvidia=old(fabric_state="completed")), "driver-too-old-for-profile")
    assert lines(remedy)[-1] == "apt-get install nvidia-fabricmanager-580"
    assert "branch 580 or newer, the fabric manager of the same version, and reboot" in remedy.text


def test_inside_wsl_the_driver_is_that_of_windows() -> None:
    remedy = upgrade("570.65", KNOWLEDGE, Facts(system=ok(System(wsl=True)), nvidia=old()))
    assert remedy.text.startswith("update the NVIDIA driver in Windows to 570.65 or newer and run wsl --shutdown")
    assert not remedy.commands
