"""Processors, memory, the system and the container engine, as lscpu, /proc/cpuinfo, free, df, uname and docker tell."""

from __future__ import annotations

import json

import pytest

from envkit.facts import Facts
from envkit.facts.machine import ContainerEngine, Cpu, Memory, System
from envkit.readers import docker_info, free, lscpu, os_release, proc_cpuinfo

LSCPU = """\
Architecture:            x86_64
  CPU op-mode(s):        32-bit, 64-bit
CPU(s):                  64
  On-line CPU(s) list:   0-63
Vendor ID:               GenuineIntel
  Model name:            Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz
    Thread(s) per core:  1
    Core(s) per socket:  32
    Socket(s):           2
    Flags:               fpu sse avx avx2 hypervisor
Virtualization features:
  Hypervisor vendor:     KVM
"""
DOCKER = """\
Client: Docker Engine - Community
 Version:    28.3.0
Server:
 Server Version: 28.2.1
 Storage Driver: overlay2
 Cgroup Driver: systemd
 Cgroup Version: 2
 CDI spec directories:
  /etc/cdi
 Discovered Devices:
  cdi: nvidia.com/gpu=0
  cdi: nvidia.com/gpu=all
 Runtimes: io.containerd.runc.v2 nvidia runc
 Default Runtime: runc
"""


def cpu(found: Facts | None) -> Cpu:
    assert found
    assert found.cpu.facts
    return found.cpu.facts


def engine(text: str) -> ContainerEngine:
    found = docker_info.read(text)
    assert found
    assert found.container_engine.facts
    return found.container_engine.facts


def memory(text: str) -> Memory:
    found = free.read(text)
    assert found
    assert found.memory.facts
    return found.memory.facts


def system(text: str) -> System:
    found = os_release.read(text)
    assert found
    assert found.system.facts
    return found.system.facts


def test_lscpu_counts_cores_over_sockets_and_names_the_hypervisor() -> None:
    found = lscpu.read(f"words\n{LSCPU}words: 3\n")
    assert (cpu(found).sockets, cpu(found).cores, cpu(found).threads) == (2, 64, 64)
    assert cpu(found).flags == ["fpu", "sse", "avx", "avx2", "hypervisor"]
    assert (cpu(found).vendor, cpu(found).architecture) == ("GenuineIntel", "x86_64")
    assert found
    assert found.system.facts
    assert found.system.facts.virtual_machine == "kvm"


@pytest.mark.parametrize(("flags", "machine"), [("fpu avx", "none"), ("fpu hypervisor", "vm-other"), ("asimd", None)])
def test_the_flags_tell_a_virtual_machine_where_no_vendor_does(flags: str, machine: str | None) -> None:
    found = lscpu.read(f"Architecture: x86_64\nCPU(s): 4\nModel name: X\nFlags: {flags}\n")
    assert found
    assert found.system.facts
    assert found.system.facts.virtual_machine == machine


def test_lscpus_json_says_the_same_nested_or_not() -> None:
    rows = [line.split(":", 1) for line in LSCPU.strip().split("\n")]
    fields = [{"field": f"{name.strip()}:", "data": value.strip()} for name, value in rows]
    nested = [{**fields[0], "children": fields[1:]}]
    for form in (fields, nested):
        assert cpu(lscpu.read(json.dumps({"lscpu": form}, indent=3))) == cpu(lscpu.read(LSCPU))


def test_an_arm_without_sockets_counts_clusters() -> None:
    text = "Architecture: aarch64\nCPU(s): 8\nModel name: N1\nCore(s) per cluster: 4\nCluster(s): 2\nSocket(s): -\n"
    assert (cpu(lscpu.read(text)).cores, cpu(lscpu.read(text)).sockets) == (8, None)


def test_other_tools_architectures_are_not_lscpus() -> None:
    assert lscpu.read(" Architecture: x86_64\n CPUs: 8\nProduct Architecture : Ampere\nModel name: 3\n") is None


def test_cpuinfo_of_two_sockets() -> None:
    each = (
        "processor\t: {}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\n"
        "physical id\t: {}\ncore id\t\t: {}\nflags\t\t: fpu lm avx\n\n"
    )
    found = cpu(proc_cpuinfo.read("".join(each.format(n, n // 4, n % 2) for n in range(8))))
    assert (found.sockets, found.cores, found.threads) == (2, 4, 8)
    assert (found.model, found.architecture, found.flags) == ("Xeon", "x86_64", ["fpu", "lm", "avx"])


def test_the_first_processor_alone_does_not_tell_how_many_there_are() -> None:
    text = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nsiblings\t: 8\nflags\t: fpu lm\n"
    assert cpu(proc_cpuinfo.read(text)).threads is None
    assert cpu(proc_cpuinfo.read(text.replace("siblings\t: 8", "siblings\t: 1"))).threads == 1


@pytest.mark.parametrize(
    ("text", "vendor", "architecture", "flag"),
    [
        ("Features : fp asimd sve\nCPU implementer : 0x46\nCPU architecture: 8\n", "Fujitsu", "aarch64", "sve"),
        ("hart : 0\nmodel name : X60\nisa : rv64imafdcv_zicbom\nmmu : sv39\n", None, "riscv64", "zicbom"),
        ("processor : 0\ncpu : POWER9, altivec supported\nclock : 3800MHz\nrevision : 2.2\n", None, None, None),
    ],
)  # fmt: skip
def test_other_architectures_have_other_labels(
    text: str, vendor: str | None, architecture: str | None, flag: str | None
) -> None:
    found = cpu(proc_cpuinfo.read(text))
    assert (found.vendor, found.architecture) == (vendor, architecture)
    assert flag is None or flag in (found.flags or [])


def test_docker_info_lists_runtimes_and_cdi_devices() -> None:
    assert engine(f"$ docker info\n{DOCKER}") == ContainerEngine(
        version="28.2.1",
        runtimes=["io.containerd.runc.v2", "nvidia", "runc"],
        default_runtime="runc",
        cdi_devices=["nvidia.com/gpu=0", "nvidia.com/gpu=all"],
        cgroup_driver="systemd",
        cgroup_version="2",
        storage_driver="overlay2",
    )


def test_docker_info_as_json_and_daemon_json() -> None:
    info = {
        "ServerVersion": "27.1",
        "Runtimes": {"runc": {}, "nvidia": {}},
        "DefaultRuntime": "nvidia",
        "Driver": "zfs",
    }
    found = engine(f"docker info -f json\n{json.dumps(info)}\n")
    assert (found.version, found.runtimes, found.default_runtime) == ("27.1", ["nvidia", "runc"], "nvidia")
    configured = {"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}
    assert engine(json.dumps(configured, indent=4)).runtimes == ["nvidia", "runc"]


def test_a_daemon_that_does_not_answer_says_nothing() -> None:
    assert docker_info.read("Server:\nCannot connect to the Docker daemon at unix:///var/run/docker.sock.\n") is None
    assert docker_info.read("Runtimes: 3 s per step\n") is None


def test_docker_version_and_podman_info() -> None:
    text = "Client:\n Version: 20.10.5\n\nServer:\n Engine:\n  Version:          20.10.7\n"
    assert engine(text).version == "20.10.7"
    podman = engine("store:\n  graphDriverName: overlay\nhost:\n  cgroupVersion: v2\nversion:\n  Version: 4.9.3\n")
    assert (podman.name, podman.version, podman.cgroup_version) == ("podman", "4.9.3", "2")


@pytest.mark.parametrize(
    ("command", "total", "expected"),
    [
        ("free -h", "62Gi", 62 << 30),
        ("free -m", "64000", 64000 << 20),
        ("free -g", "62", 62 << 30),
        ("", "65800000", 65800000 << 10),
        ("", "64000", 64000 << 20),
        ("", "500000", None),
    ],
)
def test_frees_totals_are_of_the_unit_asked_for(command: str, total: str, expected: int | None) -> None:
    text = f"$ {command}\n   total used free shared buff/cache available\nMem: {total} 1 1 1 1 1\nSwap: 0B 0B 0B\n"
    assert memory(text).memory_total_bytes == expected


def test_meminfo_and_the_size_of_dev_shm() -> None:
    assert memory("MemTotal:       24684092 kB\nMemAvailable: 1024 kB\n").memory_available_bytes == 1 << 20
    text = "Filesystem Size Used Avail Use% Mounted on\noverlay 252G 38G 65G 37% /\nshm 64M 0 64M 0% /dev/shm\n"
    assert memory(text).shm_total_bytes == 64 << 20
    found = free.read(text)
    assert found
    assert found.disk.facts
    (volume,) = found.disk.facts.volumes
    assert (volume.path, volume.free_bytes) == ("/", 65 << 30)


def test_small_answers_about_the_system() -> None:
    text = (
        'PRETTY_NAME="Ubuntu 22.04.3 LTS"\nID=ubuntu\nVERSION_ID="22.04"\n'
        "Linux node1 5.15.0-91-generic #101-Ubuntu SMP Tue Nov 14 2023 x86_64 x86_64 x86_64 GNU/Linux\n"
        "ldd (Ubuntu GLIBC 2.35-0ubuntu3.4) 2.35\nCuda compilation tools, release 12.4, V12.4.131\n"
        "gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0\n"
    )
    assert system(text) == System(
        os="linux",
        kernel="5.15.0-91-generic",
        architecture="x86_64",
        distribution="Ubuntu 22.04.3 LTS",
        distribution_id="ubuntu",
        libc="glibc",
        libc_version="2.35",
        wsl=False,
        cuda_toolkit_version="12.4.131",
        gcc_version="11.4.0",
    )
    assert system("musl libc (x86_64)\nVersion 1.2.4\n").libc == "musl"
    assert system("Linux version 5.15.0-microsoft-standard-WSL2 (root@x)\n").wsl is True
