"""`nvidia-smi -q -x`, whole, cut off and hostile."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess, MigDevice, NvidiaGpu
from envkit.readers import nvidia_smi_xml

XML = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
 <driver_version>560.35.03</driver_version><cuda_version>12.6</cuda_version><attached_gpus>2</attached_gpus>
 <gpu id="00000000:17:00.0">
  <product_name>NVIDIA A100-SXM4-40GB</product_name>
  <display_mode>Requested functionality has been deprecated</display_mode>
  <display_active>Disabled</display_active><persistence_mode>Enabled</persistence_mode>
  <mig_mode><current_mig>Enabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
  <mig_devices><mig_device><index>0</index>
   <ecc_error_count><volatile_count><sram_uncorrectable>5</sram_uncorrectable></volatile_count></ecc_error_count>
   <fb_memory_usage><total>9856 MiB</total></fb_memory_usage>
  </mig_device></mig_devices>
  <uuid>GPU-aaaa</uuid>
  <gpu_virtualization_mode><virtualization_mode>Pass-Through</virtualization_mode></gpu_virtualization_mode>
  <gpu_recovery_action>GPU Reset</gpu_recovery_action>
  <pci><pci_gpu_link_info>
   <pcie_gen><max_link_gen>4</max_link_gen><current_link_gen>1</current_link_gen></pcie_gen>
   <link_widths><max_link_width>16x</max_link_width><current_link_width>8x</current_link_width></link_widths>
  </pci_gpu_link_info><replay_counter>12</replay_counter></pci>
  <fan_speed>ERR!</fan_speed><performance_state>P0</performance_state>
  <clocks_event_reasons>
   <clocks_event_reason_gpu_idle>Not Active</clocks_event_reason_gpu_idle>
   <clocks_event_reason_hw_slowdown>Active</clocks_event_reason_hw_slowdown>
   <clocks_event_reason_hw_thermal_slowdown>Active</clocks_event_reason_hw_thermal_slowdown>
  </clocks_event_reasons>
  <fb_memory_usage><total>40960 MiB</total><used>100 MiB</used></fb_memory_usage>
  <bar1_memory_usage><total>65536 MiB</total></bar1_memory_usage>
  <cc_protected_memory_usage><total>0 MiB</total></cc_protected_memory_usage>
  <compute_mode>Exclusive_Process</compute_mode>
  <utilization><gpu_util>N/A</gpu_util><memory_util>7 %</memory_util></utilization>
  <ecc_mode><current_ecc>Enabled</current_ecc><pending_ecc>Enabled</pending_ecc></ecc_mode>
  <ecc_errors><volatile>
   <sram_correctable>1</sram_correctable><sram_uncorrectable_parity>2</sram_uncorrectable_parity>
   <dram_correctable>3</dram_correctable><dram_uncorrectable>4</dram_uncorrectable></volatile>
   <aggregate><dram_correctable>100</dram_correctable><dram_uncorrectable>200</dram_uncorrectable>
   <sram_threshold_exceeded>Yes</sram_threshold_exceeded></aggregate></ecc_errors>
  <retired_pages><multiple_single_bit_retirement><retired_count>N/A</retired_count></multiple_single_bit_retirement>
   <pending_blacklist>N/A</pending_blacklist></retired_pages>
  <remapped_rows><remapped_row_corr>1</remapped_row_corr><remapped_row_unc>2</remapped_row_unc>
   <remapped_row_pending>Yes</remapped_row_pending><remapped_row_failure>No</remapped_row_failure></remapped_rows>
  <temperature><gpu_temp>41 C</gpu_temp><gpu_temp_slow_threshold>89 C</gpu_temp_slow_threshold>
   <memory_temp>[N/A]</memory_temp></temperature>
  <gpu_power_readings><average_power_draw>N/A</average_power_draw><instant_power_draw>61.50 W</instant_power_draw>
   <current_power_limit>400.00 W</current_power_limit><default_power_limit>400.00 W</default_power_limit>
  </gpu_power_readings>
  <module_power_readings><current_power_limit>999.00 W</current_power_limit></module_power_readings>
  <clocks><sm_clock>1095 MHz</sm_clock></clocks>
  <applications_clocks><sm_clock>7 MHz</sm_clock></applications_clocks>
  <max_clocks><sm_clock>1410 MHz</sm_clock></max_clocks>
  <fabric><state>In Progress</state><status>N/A</status></fabric>
  <processes><process_info><pid>4242</pid><type>C</type><process_name>a &lt;b&gt;</process_name>
   <used_memory>90 MiB</used_memory></process_info></processes>
 </gpu>
 <gpu id="00000000:65:00.0">
  <product_name>NVIDIA A100-SXM4-40GB</product_name><remapped_rows>N/A</remapped_rows><processes />
 </gpu>
</nvidia_smi_log>
"""
EXPECTED = NvidiaGpu(
    index=0,
    name="NVIDIA A100-SXM4-40GB",
    uuid="GPU-aaaa",
    pci_address="0000:17:00.0",
    memory_total_bytes=40960 << 20,
    memory_used_bytes=100 << 20,
    bar1_total_bytes=65536 << 20,
    mig_mode="enabled",
    mig_mode_pending="disabled",
    mig_devices=1,
    mig=[MigDevice(index=0, memory_total_bytes=9856 << 20)],
    ecc_mode="enabled",
    ecc_mode_pending="enabled",
    ecc_corrected=4,
    ecc_uncorrected=6,
    ecc_sram_threshold_exceeded=True,
    remapped_rows_correctable=1,
    remapped_rows_uncorrectable=2,
    remapped_rows_pending=True,
    remapped_rows_failure=False,
    recovery_action="reset",
    fabric_state="in-progress",
    performance_state="P0",
    pcie_replays=12,
    display_active=False,
    virtualization_mode="pass-through",
    temperature_celsius=41,
    temperature_slowdown_celsius=89,
    power_watts=61.5,
    power_limit_watts=400.0,
    power_limit_default_watts=400.0,
    clock_sm_megahertz=1095,
    clock_sm_max_megahertz=1410,
    throttle_reasons=["hw_slowdown", "hw_thermal_slowdown"],
    pcie_generation=1,
    pcie_generation_max=4,
    pcie_width=8,
    pcie_width_max=16,
    persistence_mode=True,
    compute_mode="exclusive-process",
    processes=[GpuProcess(pid=4242, kind="compute", memory_used_bytes=90 << 20)],
    unreadable={
        "fan_percent": "ERR!",
        "utilization_percent": "N/A",
        "retired_pages": "N/A",
        "retired_pages_pending": "N/A",
        "memory_temperature_celsius": "N/A",
        "fabric_status": "N/A",
    },
)


def gpus(found: Facts | None) -> list[NvidiaGpu]:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts.gpus or []


def test_everything_that_is_told_of_a_gpu_is_read() -> None:
    found = nvidia_smi_xml.read(XML)
    first, second = gpus(found)
    assert found
    assert found.nvidia.facts
    assert (found.nvidia.facts.driver_version, found.nvidia.facts.cuda_driver_version) == ("560.35.03", "12.6")
    assert first == EXPECTED
    assert (second.index, second.pci_address, second.processes) == (1, "0000:65:00.0", [])
    assert second.unreadable == {"remapped_rows_correctable": "N/A"}


def test_a_lost_gpu_is_named_lost() -> None:
    text = "<nvidia_smi_log><gpu id='00000000:17:00.0'><product_name>GPU is lost</product_name><fan_speed>GPU is lost"
    (gpu,) = gpus(nvidia_smi_xml.read(text))
    assert (gpu.error, gpu.name, gpu.fan_percent) == ("GPU_IS_LOST", None, None)


@pytest.mark.parametrize("length", range(0, len(XML), 211))
def test_what_is_cut_off_anywhere_gives_what_is_there(length: int) -> None:
    found = nvidia_smi_xml.read(XML[:length])
    for gpu in gpus(found) if found else []:
        assert gpu.memory_total_bytes in {None, 40960 << 20}
        assert gpu.ecc_uncorrected in {None, 2, 6}


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + XML.replace("GPU-aaaa", "&b;&b;")
    assert gpus(nvidia_smi_xml.read(bomb))[0].uuid == "&b;&b;"


def test_tags_nested_without_end_are_read_without_recursion() -> None:
    (gpu,) = gpus(nvidia_smi_xml.read('<gpu id="00000000:17:00.0">' + "<a>" * 100_000 + "<uuid>GPU-1</uuid>"))
    assert gpu.uuid == "GPU-1"


def test_a_version_that_is_none_is_unknown() -> None:
    found = nvidia_smi_xml.read(XML.replace(">12.6<", ">Not Found<"))
    assert found
    assert found.nvidia.facts
    assert found.nvidia.facts.cuda_driver_version is None
