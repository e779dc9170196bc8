"""Topologies that were recorded on other machines, where they are at hand."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from envkit.facts.host import Topology
from envkit.probes import topology

RECORDED = Path(__file__).resolve().parents[3] / "shared/hardware/sysfs"


def observe(folder: Path, name: str) -> Topology:
    archive = next(iter(RECORDED.glob(f"*{name}.tar.bz2")), None)
    if archive is None:
        pytest.skip("the recorded trees are not here")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data" if hasattr(tarfile, "data_filter") else None)
    (root,) = folder.iterdir()
    facts = topology.observe(str(root)).facts
    assert facts is not None
    return facts


def test_gpus_whose_memory_is_a_node_leave_two_nodes_with_processors(tmp_path: Path) -> None:
    facts = observe(tmp_path, "nvidiagpunumanodes")
    assert [node.index for node in facts.numa_nodes or [] if node.cpus] == [0, 8]
    assert [node.index for node in facts.numa_nodes or [] if node.cpus == ""] == [250, 251, 252, 253, 254, 255]


def test_a_node_that_is_offline_is_left_out_and_the_cpuset_is_told(tmp_path: Path) -> None:
    facts = observe(tmp_path, "offline-cpu0-node0")
    assert [node.index for node in facts.numa_nodes or []] == [1]
    assert (facts.cgroup_cpus, facts.cgroup_memory_nodes) == ("4-20", "1")


def test_nodes_are_found_without_a_list_of_them(tmp_path: Path) -> None:
    facts = observe(tmp_path, "96em64t-4no4pa3ca2co")
    assert [node.index for node in facts.numa_nodes or []] == [0, 1, 2, 3]
