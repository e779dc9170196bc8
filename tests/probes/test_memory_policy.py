from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envkit.facts.host import MemoryPolicy
from envkit.probes import memory_policy

KIB = 1024
FILES = {
    "proc/meminfo": "MemTotal: 1000 kB\nCommitLimit:    12342040 kB\nCommitted_AS:     150312 kB\n",
    "proc/sys/vm/overcommit_memory": "2\n",
    "proc/sys/vm/max_map_count": "65530\n",
    "proc/sys/vm/swappiness": "60\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "500\n",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "2\n",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
}


def tree(folder: Path, **changed: str) -> str:
    for path, text in {**FILES, **changed}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return str(folder)


def test_files_tell_the_policy(tmp_path: Path) -> None:
    assert memory_policy.observe(tree(tmp_path)).facts == MemoryPolicy(
        overcommit="never",
        commit_limit_bytes=12342040 * KIB,
        committed_bytes=150312 * KIB,
        memory_maps_limit=65530,
        swappiness=60,
        huge_pages_total_bytes=512 * 2048 * KIB + 2 * 1048576 * KIB,
        huge_pages_free_bytes=500 * 2048 * KIB,
        transparent_huge_pages="madvise",
    )


def test_a_size_of_huge_pages_that_cannot_be_read_leaves_the_sum_unknown(tmp_path: Path) -> None:
    root = tree(tmp_path, **{"sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "many"})
    facts = memory_policy.observe(root).facts
    assert facts is not None
    assert facts.huge_pages_free_bytes is None
    assert facts.huge_pages_total_bytes is not None


@pytest.mark.parametrize("text", ["", "7", "x" * 100, "\0\1"])
def test_nonsense_is_unknown(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, **dict.fromkeys(FILES, text))
    facts = memory_policy.observe(root).facts
    assert facts is None or facts.overcommit is facts.commit_limit_bytes is facts.transparent_huge_pages is None


def test_without_the_files_nothing_is_known(tmp_path: Path) -> None:
    assert memory_policy.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_tells() -> None:
    facts = memory_policy.observe().facts
    assert facts is not None
    assert facts.overcommit in {"heuristic", "always", "never"}
    assert facts.commit_limit_bytes


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory_policy.observe().outcome == "absent"
