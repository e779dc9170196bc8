"""What describes a machine and its buses: hwloc, NCCL, deviceQuery, /proc and debugfs."""

from __future__ import annotations

from envkit.facts import Facts
from envkit.facts.accelerators import Amd, Nvidia
from envkit.readers import amdgpu_firmware, device_query, lstopo_xml, nccl_topology, nvidia_proc

LSTOPO = """\
<?xml version="1.0"?><!DOCTYPE topology SYSTEM "hwloc2.dtd"><topology version="3.0">
<object type="Machine" os_index="0"><info name="Architecture" value="x86_64"/>
<object type="Package" os_index="0"><info name="CPUVendor" value="AuthenticAMD"/><info name="CPUModel" value="A CPU"/>
<object type="NUMANode" os_index="0" local_memory="1000000"/>
<object type="NUMANode" os_index="1" subtype="GPUMemory" local_memory="5000"/>
<object type="Core"><object type="PU" os_index="0"/><object type="PU" os_index="1"/></object>
<object type="Bridge" pci_busid="0000:00:01.0" pci_type="0604 [10b5:9781] [10b5:9781] b0 00">
<object type="PCIDev" pci_busid="0000:34:00.0" pci_type="0302 [10de:1db8] [10de:131d] a1 00">
<object type="OSDev" name="cuda0" osdev_type="5"><info name="GPUModel" value="A GPU"/></object>
<object type="OSDev" name="nvml0" osdev_type="12"><info name="GPUVendor" value="NVIDIA Corporation"/>
<info name="GPUModel" value="Tesla Test"/><info name="NVIDIAUUID" value="GPU-1"/></object></object>
<object type="PCIDev" pci_busid="0000:c1:00.0" pci_type="0380 [1002:74a1] [1002:74a1] 00 00">
<object type="OSDev" name="rsmi0"><info name="GPUModel" value="Instinct Test"/></object></object>
</object></object></object></topology>
"""
NCCL = """\
<system version="1">
  <cpu numaid="0" affinity="00ff" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="0000:0F:00.0" class="0x060400" vendor="0x1000" device="0xc030" link_width="16">
      <pci busid="0000:1A:00.0" class="0x030200" vendor="0x10de" device="0x2330" link_width="16">
        <gpu dev="0" sm="90" rank="0" gdr="1"><nvlink target="0000:05:00.0" count="18" tclass="0x068000"/></gpu>
      </pci>
      <pci busid="0000:1b:00.0" class="0x020700" vendor="0x15b3" device="0x1021" link_width="16"/>
    </pci>
  </cpu>
  <cpu numaid="1" arch="x86_64" vendor="GenuineIntel"/>
</system>
<system version="1"><cpu numaid="0"><pci busid="0000:99:00.0" class="0x030200"/></cpu></system>
"""
RCCL = """\
<system version="2"><cpu numaid="0" arch="x86_64" vendor="AuthenticAMD">
<pci busid="0000:c1:00.0" class="0x038000" vendor="0x1002" device="0x740c" link_width="16">
<gpu dev="0" gcn="gfx90a" rank="0"/></pci>
<pci busid="0000:c6:00.0" class="0x038000" vendor="0x1002" device="0x738c"><gpu dev="1" gcn="908" rank="1"/></pci>
</cpu></system>
"""
FIRMWARE = "".join(
    f"{name} feature version: 0, firmware version: 0x0000000{n}\n"
    for n, name in enumerate(("VCE", "ME", "SMC", "TA XGMI"))
)
QUERY = """\
Detected 1 CUDA Capable device(s)

Device 0: "NVIDIA Test"
  CUDA Driver Version / Runtime Version          14.1 / 13.2
  CUDA Capability Major/Minor version number:    9.0
  Total amount of global memory:                 4096 MBytes (4294967296 bytes)
  Device PCI Domain ID / Bus ID / location ID:   0 / 104 / 0
"""


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def amd(found: Facts | None) -> Amd:
    assert found
    assert found.amd.facts
    return found.amd.facts


def test_lstopo_tells_processors_memory_and_the_gpus_that_nvml_named() -> None:
    found = lstopo_xml.read(f"$ lstopo --of xml\n{LSTOPO}")
    seen = nvidia(found)
    (gpu,) = seen.gpus or []
    assert (gpu.index, gpu.name, gpu.uuid, gpu.pci_address) == (0, "Tesla Test", "GPU-1", "0000:34:00.0")
    assert [(device.device_id, device.class_id, device.subsystem_id) for device in seen.pci_devices or []] == [
        ("1db8", "030200", "131d")
    ]
    assert [(card.name, card.pci_address) for card in amd(found).gpus or []] == [("Instinct Test", "0000:c1:00.0")]
    assert found
    assert found.cpu.facts
    assert found.memory.facts
    cpu = found.cpu.facts
    assert (cpu.model, cpu.vendor, cpu.sockets, cpu.cores, cpu.threads) == ("A CPU", "AuthenticAMD", 1, 1, 2)
    assert found.memory.facts.memory_total_bytes == 1_000_000  # without the GPU's


def test_lstopo_without_gpus_tells_of_none_and_another_xml_is_none() -> None:
    found = lstopo_xml.read('<topology><object type="Machine"><object type="PU" os_index="0"/></object></topology>')
    assert found
    assert (found.nvidia.outcome, found.nvidia.facts) == ("unknown", None)
    assert lstopo_xml.read('<topology><object type="Thing"/></topology>') is None


def test_nccl_tells_places_capability_and_links_of_the_first_machine() -> None:
    found = nccl_topology.read(NCCL)
    seen = nvidia(found)
    (gpu,) = seen.gpus or []
    assert (gpu.index, gpu.compute_capability, gpu.pci_address, len(gpu.nvlinks or [])) == (
        0,
        "9.0",
        "0000:1a:00.0",
        18,
    )
    assert [(one.address, one.device_id, one.link_width_max) for one in seen.pci_devices or []] == [
        ("0000:1a:00.0", "2330", 16)
    ]
    assert found
    assert found.topology.facts
    assert [node.index for node in found.topology.facts.numa_nodes or []] == [0, 1]


def test_a_reference_without_vendors_tells_of_devices_only() -> None:
    text = '<system version="1"><cpu numaid="0"><pci busid="0001:00:00.0" class="0x030200"/></cpu></system>'
    seen = nvidia(nccl_topology.read(text))
    assert (len(seen.pci_devices or []), seen.gpus) == (1, None)


def test_rccl_tells_amd_gpus() -> None:
    found = nccl_topology.read(RCCL)
    assert [(gpu.gfx, gpu.pci_address) for gpu in amd(found).gpus or []] == [
        ("gfx90a", "0000:c1:00.0"),
        ("gfx908", "0000:c6:00.0"),
    ]
    assert found
    assert found.nvidia.facts is None


def test_firmware_tells_that_the_driver_is_loaded() -> None:
    assert amd(amdgpu_firmware.read(FIRMWARE)) == Amd(module_loaded=True)
    assert amdgpu_firmware.read(FIRMWARE[:120]) is None


def test_device_query_tells_what_cuda_sees() -> None:
    seen = nvidia(device_query.read(QUERY))
    (gpu,) = seen.gpus or []
    assert (seen.cuda_driver_version, gpu.name, gpu.compute_capability) == ("14.1", "NVIDIA Test", "9.0")
    assert (gpu.memory_total_bytes, gpu.pci_address) == (4 << 30, "0000:68:00.0")
    assert device_query.read("CUDA Capability Major/Minor version number: 9.0\n") is None


def test_proc_tells_gpus_and_those_that_the_driver_leaves_alone() -> None:
    def information(minor: int, excluded: str) -> str:
        return (
            "Model: \t\t NVIDIA Test\nIRQ:   \t\t 305\nGPU UUID: \t GPU-????????-????\nVideo BIOS: \t 92.00.1\n"
            f"Bus Type: \t PCIe\nBus Location: \t 0000:0{minor}:00.0\nDevice Minor: \t {minor}\n"
            f"GPU Excluded:\t {excluded}\n"
        )

    seen = nvidia(nvidia_proc.read(information(1, "No") + "\n" + information(2, "Yes") + information(1, "No")))
    assert [(gpu.index, gpu.name, gpu.uuid, gpu.vbios_version) for gpu in seen.gpus or []] == [
        (1, "NVIDIA Test", None, "92.00.1")
    ]
    assert (seen.module_loaded, seen.excluded_gpus) == (True, ["0000:02:00.0"])
    assert nvidia_proc.read("Model: A\nBus Location: somewhere\nDevice Minor: 0\n") is None
