"""What newer drivers print otherwise, and what of a GPU only some machines have: MIG, licences, NVLink domains."""

from __future__ import annotations

from envkit.facts import Facts
from envkit.facts.accelerators import MigDevice, Nvidia, NvidiaGpu
from envkit.readers import (
    nvidia_smi_csv,
    nvidia_smi_list,
    nvidia_smi_query,
    nvidia_smi_table,
    nvidia_smi_xml,
    read_all,
)

TABLE = """\
| NVIDIA-SMI 701.20                 KMD Version: 701.20           CUDA UMD Version: 14.1  |
|   0  NVIDIA Test               On       |   00000000:0C:00.0 Off |                    0 |
| N/A   33C    P0             38W /  250W |     211MiB /  81920MiB |      0%      Default |
|                                         |                        |              Enabled |
| MIG devices:                                                                            |
| GPU  GI  CI  MIG |              Shared Memory-Usage |        Vol|        Shared         |
|      ID  ID  Dev |                Shared BAR1-Usage | SM     Unc| CE ENC  DEC  OFA  JPG |
|  0    3   0   0  |              26MiB / 40448MiB    | 60      0 |  3   0    3    0    3 |
|                  |               0MiB / 24739MiB    |           |                       |
|  0    9   0   1  |              17MiB / 20096MiB    | 32      0 |  2   0    2    0    2 |
"""
QUERY = """\
==============NVSMI LOG==============
Driver Version                            : 701.20 [Deprecated; will be removed. Use KMD Version instead]
CUDA Version                              : Deprecated, see "CUDA UMD Version" instead
KMD Version                               : 701.20
CUDA UMD Version                          : 14.1
Attached GPUs                             : 1
GPU 00000000:0C:00.0
    Product Name                          : GRID T4-16Q
    MIG Device
        Index                             : 1
        GPU Instance ID                   : 3
        Compute Instance ID               : 0
        Device Attributes
            Shared
                Multiprocessor count      : 14
        FB Memory Usage
            Total                         : 4864 MiB
            Used                          : 3 MiB
            Free                          : 4861 MiB
        BAR1 Memory Usage
            Total                         : 8191 MiB
    vGPU Software Licensed Product
        Product Name                      : NVIDIA Virtual Test Server
        License Status                    : Unlicensed (Restricted)
    FB Memory Usage
        Total                             : 16384 MiB
    Temperature
        GPU Current Temp                  : 40 C
        GPU T.Limit Temp                  : -3 C
        Memory Max Operating Temp         : 95 C
    Applications Clocks
        Graphics                          : 900 MHz
    Default Applications Clocks
        Graphics                          : 1400 MHz
    Fabric
        State                             : Completed
        Status                            : Success
        CliqueId                          : 32766
        ClusterUUID                       : 11111111-0000-0000-0000-000000000002
        Health
            Bandwidth                     : Degraded
            Route Recovery in progress    : False
            Route Unhealthy               : True
            Access Timeout Recovery       : N/A
"""
XML = """\
<nvidia_smi_log><kmd_version>701.20</kmd_version><cuda_umd_version>14.1</cuda_umd_version>
<gpu id="00000000:0C:00.0"><product_name>GRID T4-16Q</product_name>
<vgpu_software_licensed_product><licensed_product_name>NVIDIA Virtual Test Server</licensed_product_name>
<license_status>Licensed (Expiry: 2031-1-1 0:0:0 GMT)</license_status></vgpu_software_licensed_product>
<mig_devices><mig_device><index>1</index><gpu_instance_id>3</gpu_instance_id>
<compute_instance_id>0</compute_instance_id><device_attributes><shared><multiprocessor_count>14</multiprocessor_count>
</shared></device_attributes><fb_memory_usage><total>4864 MiB</total><used>3 MiB</used><free>4861 MiB</free>
</fb_memory_usage><bar1_memory_usage><total>8191 MiB</total></bar1_memory_usage></mig_device></mig_devices>
<fb_memory_usage><total>16384 MiB</total></fb_memory_usage>
<fabric><state>Completed</state><cliqueId>7</cliqueId><clusterUuid>00000000-0000-0000-0000-000000000000</clusterUuid>
<health><bandwidth>Full</bandwidth><route_unhealthy>False</route_unhealthy></health></fabric>
</gpu></nvidia_smi_log>
"""
PART = MigDevice(
    index=1,
    gpu_instance=3,
    compute_instance=0,
    multiprocessors=14,
    memory_total_bytes=4864 << 20,
    memory_used_bytes=3 << 20,
    memory_free_bytes=4861 << 20,
)


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def gpu(found: Facts | None) -> NvidiaGpu:
    (one,) = nvidia(found).gpus or []
    return one


def test_the_driver_is_read_by_its_new_names() -> None:
    for found in (nvidia_smi_table.read(TABLE), nvidia_smi_query.read(QUERY), nvidia_smi_xml.read(XML)):
        assert (nvidia(found).driver_version, nvidia(found).cuda_driver_version) == ("701.20", "14.1")
    rows = "kmd_version, name, memory.total [MiB]\n701.20, NVIDIA Test, 81920 MiB\n"
    assert nvidia(nvidia_smi_csv.read(rows)).driver_version == "701.20"


def test_versions_alone_are_read_by_their_new_names() -> None:
    text = 'NVIDIA-SMI version : 701.20\nDRIVER version : Deprecated, see "KMD version"\nKMD version : 701.20\n'
    assert nvidia(nvidia_smi_query.read(text)).driver_version == "701.20"


def test_mig_devices_are_read_with_their_memory_which_is_not_the_gpus() -> None:
    for found in (nvidia_smi_query.read(QUERY), nvidia_smi_xml.read(XML)):
        assert (gpu(found).mig_devices, gpu(found).mig, gpu(found).memory_total_bytes) == (1, [PART], 16384 << 20)


def test_a_paste_without_indentation_keeps_the_memory_of_gpu_and_mig_device_apart() -> None:
    text = "\n".join(line.strip() for line in QUERY.split("\n")).replace(
        "vGPU Software", "Accounting Mode : Disabled\nvGPU Software"
    )
    assert (gpu(nvidia_smi_query.read(text)).mig, gpu(nvidia_smi_query.read(text)).memory_total_bytes) == (
        [PART],
        16384 << 20,
    )


def test_the_tables_mig_devices_have_their_memory() -> None:
    first, second = gpu(nvidia_smi_table.read(TABLE)).mig or []
    assert (first.index, first.gpu_instance, first.multiprocessors, first.memory_total_bytes) == (0, 3, 60, 40448 << 20)
    assert (second.index, second.gpu_instance, second.memory_used_bytes) == (1, 9, 17 << 20)


def test_the_list_names_profiles_and_sources_are_merged_by_index() -> None:
    listed = (
        "GPU 0: NVIDIA Test (UUID: GPU-1111-2222)\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-aaaa)\n  MIG 2g.20gb     Device  1: (UUID: MIG-bbbb)\n"
    )
    devices = gpu(nvidia_smi_list.read(listed)).mig or []
    assert [(one.index, one.profile, one.uuid) for one in devices] == [
        (0, "3g.40gb", "MIG-aaaa"),
        (1, "2g.20gb", "MIG-bbbb"),
    ]
    merged = gpu(read_all(listed + TABLE)).mig or []
    assert [(one.profile, one.memory_total_bytes) for one in merged] == [
        ("3g.40gb", 40448 << 20),
        ("2g.20gb", 20096 << 20),
    ]


def test_licences_clocks_margins_and_the_fabrics_health_are_read() -> None:
    one = gpu(nvidia_smi_query.read(QUERY))
    assert (one.name, one.vgpu_product, one.vgpu_licensed) == ("GRID T4-16Q", "NVIDIA Virtual Test Server", False)
    assert (one.temperature_margin_celsius, one.memory_temperature_max_celsius) == (-3, 95)
    assert (one.clock_sm_application_megahertz, one.clock_sm_application_default_megahertz) == (900, 1400)
    assert (one.fabric_clique, one.fabric_cluster) == (32766, "11111111-0000-0000-0000-000000000002")
    assert one.fabric_troubles == ["degraded-bandwidth", "route-unhealthy"]


def test_a_fabric_in_health_has_no_troubles_and_no_domain_is_none() -> None:
    one = gpu(nvidia_smi_xml.read(XML))
    assert (one.vgpu_licensed, one.fabric_clique, one.fabric_cluster, one.fabric_troubles) == (True, 7, None, [])
    assert "fabric_cluster" not in one.unreadable


def test_a_gpu_within_a_processor_is_on_no_bus_and_has_no_memory_of_its_own() -> None:
    text = (
        "| NVIDIA-SMI 540.9      Driver Version: N/A          CUDA Version: 12.9 |\n"
        "|   0  Orin Test (nvgpu)      N/A  | N/A              N/A |        N/A |\n"
        "| N/A   N/A  N/A       N/A /  N/A | Not Supported        |     N/A          N/A |\n"
    )
    one = gpu(nvidia_smi_table.read(text))
    assert (one.name, one.pci_address, one.memory_total_bytes, one.error) == ("Orin Test (nvgpu)", None, None, None)
    assert nvidia(nvidia_smi_table.read(text)).driver_version is None
