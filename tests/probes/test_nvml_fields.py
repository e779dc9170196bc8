"""What is asked about each GPU, and what drivers give in the place of an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.facts.accelerators import GpuPair, GpuProcess, MigDevice, Nvidia, NvidiaGpu, NvLink

Observe = Callable[..., Nvidia]


NO_VGPU = {"vgpu_licensed", "vgpu_product"}


def gpus(facts: Nvidia) -> list[NvidiaGpu]:
    assert facts.gpus is not None
    return facts.gpus


def test_unified_memory_has_no_size_and_no_fault(observe: Observe) -> None:
    gpu = gpus(observe("nvmlDeviceGetMemoryInfo * 3\nnvmlDeviceGetMaxClockInfo * 3\n"))[0]
    assert gpu.error is None
    assert (gpu.memory_total_bytes, gpu.clock_memory_max_megahertz) == (None, None)
    assert gpu.unreadable["memory_total_bytes"] == gpu.unreadable["clock_memory_max_megahertz"] == "NOT_SUPPORTED"


def test_mig_devices_tell_their_memory_where_that_of_their_gpu_may_not_be_read(observe: Observe) -> None:
    script = """
        nvmlDeviceGetMigMode 0 ok 1
        nvmlDeviceGetMemoryInfo 0 NO_PERMISSION
        nvmlDeviceGetName 0.0 ok NVIDIA A100-SXM4-80GB MIG 2g.20gb
        nvmlDeviceGetUUID 0.0 ok MIG-11111111
        nvmlDeviceGetAttributes_v2 0.0 ok 28 2 2
        nvmlDeviceGetMemoryInfo 0.0 ok 20GiB 19GiB 1GiB
        nvmlDeviceGetName 0.2 ok not as it should be
        nvmlDeviceGetUUID 0.2 NO_PERMISSION
        nvmlDeviceGetMemoryInfo 0.2 NOT_SUPPORTED
        nvmlDeviceGetAttributes_v2 0.2 UNKNOWN
    """
    gpu = gpus(observe(script))[0]
    assert (gpu.mig_mode, gpu.mig_devices) == ("enabled", 4)
    assert gpu.memory_used_bytes is None
    assert gpu.unreadable["memory_used_bytes"] == "NO_PERMISSION"
    assert gpu.mig is not None
    assert gpu.mig[0] == MigDevice(
        index=0,
        uuid="MIG-11111111",
        profile="2g.20gb",
        gpu_instance=7,
        compute_instance=0,
        gpu_slices=2,
        compute_slices=2,
        multiprocessors=28,
        memory_total_bytes=20 << 30,
        memory_used_bytes=1 << 30,
        memory_free_bytes=19 << 30,
    )
    assert gpu.mig[1] == MigDevice(index=1, gpu_instance=9, compute_instance=0)


def test_a_pair_tells_what_lies_between_and_why_peers_are_refused(observe: Observe) -> None:
    script = """
        nvmlDeviceGetCount_v2 * ok 3
        nvmlDeviceGetTopologyCommonAncestor 0:1 ok 10
        nvmlDeviceGetTopologyCommonAncestor 1:2 ok 77
        nvmlDeviceGetP2PStatus 0:1:0 ok 1
        nvmlDeviceGetP2PStatus 0:1:1 ok 4
        nvmlDeviceGetP2PStatus 0:2 ok 6
        nvmlDeviceGetP2PStatus 1:2:2 NOT_SUPPORTED
    """
    pairs = observe(script).pairs
    assert pairs == [
        GpuPair(
            first=0,
            second=1,
            path="pcie-switch",
            p2p_read="chipset-not-supported",
            p2p_write="disabled-by-regkey",
            p2p_nvlink="ok",
        ),
        GpuPair(
            first=0,
            second=2,
            path="numa-node",
            unreadable=dict.fromkeys(("p2p_read", "p2p_write", "p2p_nvlink"), "UNKNOWN_VALUE_6"),
        ),
        GpuPair(
            first=1,
            second=2,
            p2p_read="ok",
            p2p_write="ok",
            unreadable={"path": "UNKNOWN_VALUE_77", "p2p_nvlink": "NOT_SUPPORTED"},
        ),
    ]


def test_links_tell_their_other_end_and_their_errors(observe: Observe) -> None:
    script = """
        nvmlDeviceGetFieldValues 0:91 ok 4
        nvmlDeviceGetNvLinkState 0:1 NOT_SUPPORTED
        nvmlDeviceGetNvLinkState 0:2 ok 0
        nvmlDeviceGetNvLinkRemoteDeviceType 0:0 ok 2
        nvmlDeviceGetNvLinkRemotePciInfo_v2 0:0 ok 00000001:07:00.0
        nvmlDeviceGetNvLinkRemoteDeviceType 0:3 NOT_SUPPORTED
        nvmlDeviceGetFieldValues 0:161:0 ok 5
        nvmlDeviceGetFieldValues 0:163:0 ok 7
        nvmlDeviceGetFieldValues 0:162:0 NOT_SUPPORTED
        nvmlDeviceGetFieldValues 0:161-163:3 NOT_SUPPORTED
    """
    assert gpus(observe(script))[0].nvlinks == [
        NvLink(index=0, active=True, errors=12, remote="switch", remote_address="0001:07:00.0"),
        NvLink(index=2, active=False, errors=0),
        NvLink(index=3, active=True),
    ]


def test_an_old_driver_lacks_newer_questions_and_answers_the_rest(observe: Observe, old_driver: Path) -> None:
    facts = observe("nvmlDeviceGetCurrentClocksThrottleReasons * 0 0x8\n", folder=old_driver)
    assert facts.nvml.outcome == "ok"
    assert (facts.driver_version, facts.cuda_driver_version) == ("570.133.20", None)
    gpu = gpus(facts)[0]
    assert gpu.throttle_reasons == ["hw_slowdown"]
    assert (gpu.mig_mode, gpu.processes) == (None, None)
    assert set(gpu.unreadable.values()) == {"FUNCTION_NOT_FOUND"}
    assert gpu.power_watts == 61.5


def test_what_is_no_reading_is_unknown(observe: Observe) -> None:
    gpu = gpus(
        observe(
            "nvmlDeviceGetPowerUsage * 0 0\nnvmlDeviceGetTemperature * 0 0xffffffff\n"
            "nvmlDeviceGetTotalEccErrors * 0 0xffffffffffffffff\nnvmlDeviceGetComputeMode * 0 9\n"
            "nvmlDeviceGetComputeRunningProcesses_v3 * 0 4242 0xffffffffffffffff\n"
            "nvmlDeviceGetGraphicsRunningProcesses_v3 * 3\n"
        )
    )[0]
    assert (gpu.power_watts, gpu.temperature_celsius, gpu.ecc_uncorrected, gpu.compute_mode) == (None,) * 4
    assert set(gpu.unreadable) == {
        "power_watts",
        "temperature_celsius",
        "ecc_uncorrected",
        "ecc_corrected",
        "compute_mode",
        *NO_VGPU,
    }
    assert gpu.processes == [GpuProcess(pid=4242, kind="compute", memory_used_bytes=None)]


def test_no_gpus_is_an_empty_list_not_a_silence(observe: Observe) -> None:
    assert observe("nvmlDeviceGetCount_v2 * 0 0\n").gpus == []


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("nvmlDeviceGetEccMode 0 0 1 0", "ecc_mode_pending", "disabled"),
        ("nvmlDeviceGetMigMode 0 0 0 1", "mig_mode_pending", "enabled"),
        ("nvmlDeviceGetRemappedRows 0 0 2 4 1 0", "remapped_rows_pending", True),
        ("nvmlDeviceGetRemappedRows 0 0 2 4 1 0", "remapped_rows_uncorrectable", 4),
        ("nvmlDeviceGetRetiredPages 0 0 3", "retired_pages", 6),  # three of each cause
        ("nvmlDeviceGetSramEccErrorStatus 0 0 1", "ecc_sram_threshold_exceeded", True),
        ("nvmlDeviceGetFieldValues 0 0 2", "recovery_action", "reboot"),
        ("nvmlDeviceGetFieldValues 0 0 99", "recovery_action", None),
        ("nvmlDeviceGetFieldValues 0 3", "memory_temperature_celsius", None),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 2 0", "fabric_state", "in-progress"),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 2 0", "fabric_status", None),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 3 999", "fabric_status", "error 999"),
        ("nvmlDeviceGetNvLinkState 0 0 0", "nvlinks", [NvLink(index=i, active=False, errors=0) for i in (0, 1)]),
        ("nvmlDeviceGetGpuFabricInfoV 0 ok 3 0 0 0 0xA9", "fabric_troubles", ["degraded-bandwidth"]),
        ("nvmlDeviceGetGpuFabricInfoV 0 ok 3 0 0 0 0", "fabric_troubles", None),
        ("nvmlDeviceGetGpuFabricInfoV 0 ok 3 0 0x5d 7", "fabric_cluster", "5d000000-0000-0000-0000-000000000000"),
        ("nvmlDeviceGetGpuFabricInfoV 0 ok 3 0 0x5d 7", "fabric_clique", 7),
        ("nvmlDeviceGetInforomConfigurationChecksum 0 CORRUPTED_INFOROM", "inforom_corrupted", True),
        ("nvmlDeviceGetInforomConfigurationChecksum 0 NOT_SUPPORTED", "inforom_corrupted", None),
        ("nvmlDeviceGetGridLicensableFeatures_v4 0 ok 1 NVIDIA RTX Virtual Workstation", "vgpu_licensed", True),
        ("nvmlDeviceGetGridLicensableFeatures_v4 0 ok 0 NVIDIA vApps", "vgpu_product", "NVIDIA vApps"),
        ("nvmlDeviceGetGridLicensableFeatures_v4 0 ok 0 \\xffApps", "vgpu_product", None),
        ("nvmlDeviceGetMarginTemperature 0 ok 3", "temperature_margin_celsius", 3),
        ("nvmlDeviceGetApplicationsClock 0 DEPRECATED", "clock_sm_application_megahertz", None),
        ("nvmlDeviceGetName 0 ok A\\xe9\\xff", "name", "A\ufffd\ufffd"),
        ("nvmlDeviceGetUUID 0 ok GPU-\\xff", "uuid", "GPU-\ufffd"),
        ("nvmlDeviceGetPciInfo_v3 0 ok \\xff", "pci_address", None),
        ("nvmlDeviceGetVbiosVersion 0 ok \\x00", "vbios_version", None),
        ("nvmlDeviceGetNvLinkState 0 3", "nvlinks", None),
        ("nvmlDeviceGetPerformanceState 0 0 32", "performance_state", None),
        ("nvmlDeviceGetVirtualizationMode 0 0 2", "virtualization_mode", "vgpu"),
    ],
)
def test_a_fault_shows_in_its_field(observe: Observe, line: str, field: str, expected: object) -> None:
    gpu = gpus(observe(f"nvmlDeviceGetCount_v2 * 0 1\n{line}\n"))[0]
    assert getattr(gpu, field) == expected
    assert gpu.error is None
    assert (field in gpu.unreadable) is (expected is None)
