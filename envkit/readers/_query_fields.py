"""What `nvidia-smi -q` calls the fields of a GPU."""

from __future__ import annotations

from envkit.readers._nvidia import FABRIC_TROUBLES

FIELDS = {  # heading and key, without their case; "" for keys that are unique
    ("", "product name"): "name",
    ("", "gpu uuid"): "uuid",
    ("", "display active"): "display_active",
    ("", "persistence mode"): "persistence_mode",
    ("", "vbios version"): "vbios_version",
    ("", "virtualization mode"): "virtualization_mode",
    ("", "gpu recovery action"): "recovery_action",
    ("", "fan speed"): "fan_percent",
    ("", "performance state"): "performance_state",
    ("", "compute mode"): "compute_mode",
    ("", "replays since reset"): "pcie_replays",
    ("", "gpu current temp"): "temperature_celsius",
    ("", "gpu slowdown temp"): "temperature_slowdown_celsius",
    ("", "gpu t.limit temp"): "temperature_margin_celsius",
    ("", "memory current temp"): "memory_temperature_celsius",
    ("", "memory max operating temp"): "memory_temperature_max_celsius",
    ("", "sram threshold exceeded"): "ecc_sram_threshold_exceeded",
    ("mig mode", "current"): "mig_mode",
    ("mig mode", "pending"): "mig_mode_pending",
    ("ecc mode", "current"): "ecc_mode",
    ("ecc mode", "pending"): "ecc_mode_pending",
    ("pcie generation", "current"): "pcie_generation",
    ("pcie generation", "max"): "pcie_generation_max",
    ("link width", "current"): "pcie_width",
    ("link width", "max"): "pcie_width_max",
    ("fb memory usage", "total"): "memory_total_bytes",
    ("fb memory usage", "used"): "memory_used_bytes",
    ("fb memory usage", "free"): "memory_free_bytes",
    ("bar1 memory usage", "total"): "bar1_total_bytes",
    ("utilization", "gpu"): "utilization_percent",
    ("retired pages", "single bit ecc"): "retired_pages",
    ("retired pages", "double bit ecc"): "retired_pages",
    ("retired pages", "pending page blacklist"): "retired_pages_pending",
    ("retired pages", "pending"): "retired_pages_pending",
    ("remapped rows", "correctable error"): "remapped_rows_correctable",
    ("remapped rows", "uncorrectable error"): "remapped_rows_uncorrectable",
    ("remapped rows", "pending"): "remapped_rows_pending",
    ("remapped rows", "remapping failure occurred"): "remapped_rows_failure",
    ("applications clocks", "graphics"): "clock_sm_application_megahertz",
    ("default applications clocks", "graphics"): "clock_sm_application_default_megahertz",
    ("clocks", "sm"): "clock_sm_megahertz",
    ("clocks", "memory"): "clock_memory_megahertz",
    ("max clocks", "sm"): "clock_sm_max_megahertz",
    ("max clocks", "memory"): "clock_memory_max_megahertz",
    ("fabric", "state"): "fabric_state",
    ("fabric", "status"): "fabric_status",
    ("fabric", "cliqueid"): "fabric_clique",
    ("fabric", "clusteruuid"): "fabric_cluster",
    ("vgpu software licensed product", "product name"): "vgpu_product",
    ("vgpu software licensed product", "license status"): "vgpu_licensed",
    ("volatile", "sram correctable"): "ecc_corrected",
    ("volatile", "dram correctable"): "ecc_corrected",
    ("volatile", "sram uncorrectable"): "ecc_uncorrected",
    ("volatile", "sram uncorrectable parity"): "ecc_uncorrected",
    ("volatile", "sram uncorrectable sec-ded"): "ecc_uncorrected",
    ("volatile", "dram uncorrectable"): "ecc_uncorrected",
    ("volatile single bit", "total"): "ecc_corrected",
    ("volatile double bit", "total"): "ecc_uncorrected",
    **{
        (heading, key): field
        for heading in ("power readings", "gpu power readings")
        for key, field in {
            "power draw": "power_watts",
            "average power draw": "power_watts",
            "instantaneous power draw": "power_watts",
            "power limit": "power_limit_watts",
            "current power limit": "power_limit_watts",
            "enforced power limit": "power_limit_watts",
            "default power limit": "power_limit_default_watts",
        }.items()
    },
}
MIG_FIELDS = {
    "index": "index",
    "gpu instance id": "gpu_instance",
    "compute instance id": "compute_instance",
    "multiprocessor count": "multiprocessors",
    "memory total": "memory_total_bytes",
    "memory used": "memory_used_bytes",
    "memory free": "memory_free_bytes",
}
TROUBLES = dict(
    zip(
        ("bandwidth", "route recovery in progress", "route unhealthy", "access timeout recovery"),
        FABRIC_TROUBLES,
        strict=True,
    )
)
