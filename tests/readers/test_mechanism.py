"""Readers as a whole: found, applied to mixed text, merged."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit import facts
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.software import Package, Python
from envkit.readers import discover, plain_text, read_all
from envkit.readers._merge import merge

RECORDINGS = Path(__file__).parents[2] / "../shared/hardware"
TABLE = """\
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|   0  NVIDIA RTX 6000 Ada Gene...    On  |   00000000:41:00.0 Off |                    0 |
| 30%   41C    P8             25W /  300W |    1024MiB /  49140MiB |      3%      Default |
|                                         |                        |                  N/A |
"""
LIST = "GPU 0: NVIDIA RTX 6000 Ada Generation (UUID: GPU-11111111-2222-3333-4444-555555555555)\n"
XID = "[   42.500000] NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', GPU has fallen off the bus.\n"


def of_nvidia(**fields: object) -> Facts:
    return Facts(nvidia=facts.ok(Nvidia(**fields)))  # type: ignore[arg-type]


def test_every_module_without_an_underscore_is_a_reader_with_a_name_of_its_own() -> None:
    readers = discover()
    folder = Path(facts.__file__).parents[1] / "readers"
    assert len(readers) == len([path for path in folder.glob("*.py") if not path.name.startswith("_")])
    assert all(callable(reader.read) for reader in readers.values())


@pytest.mark.parametrize("name", list(discover()))
def test_a_reader_finds_nothing_in_text_that_is_not_of_its_tool(name: str) -> None:
    for text in ("", "\n\n", "hello, is my GPU broken?", "GPU 0 is slow: 50 %, CUDA 12, driver old\n", "{}", "<a/>"):
        assert discover()[name].read(text) is None


def test_a_mixed_paste_is_read_by_each_reader_and_merged() -> None:
    text = f"Hi, my training dies.\n```\n$ nvidia-smi\n{TABLE}```\n> and\n> {LIST}\ndmesg says\n{XID}Thanks!"
    found = read_all(text)
    assert set(found.sources) == {"nvidia-smi", "nvidia-smi -L", "kernel log"}
    assert found.nvidia.facts
    (gpu,) = found.nvidia.facts.gpus or []
    assert gpu.name == "NVIDIA RTX 6000 Ada Generation"  # the table's is cut
    assert gpu.uuid == "GPU-11111111-2222-3333-4444-555555555555"
    assert gpu.memory_total_bytes == 49140 << 20
    assert found.kernel_log.facts
    assert [m.code for m in found.kernel_log.facts.messages] == [79]
    assert (found.python.outcome, found.python.why) == ("unknown", "not in the text")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_bytes_are_decoded_as_shells_write_them(encoding: str) -> None:
    found = read_all(TABLE.replace("\n", "\r\n").encode(encoding))
    assert found.nvidia.facts
    assert found.nvidia.facts.driver_version == "550.54.15"


def test_bytes_that_are_no_text_are_replaced_not_refused() -> None:
    found = read_all(b"\xff\x00\xfe\x81 " + TABLE.encode() + bytes(range(256)))
    assert found.nvidia.facts


def test_a_text_of_nothing_known_is_an_error_that_says_what_is_read() -> None:
    with pytest.raises(InputError, match=r"^stdin: nothing in it is the output of a tool") as caught:
        read_all("Dear all, it does not work.", "stdin")
    assert "\n" not in str(caught.value)
    assert "nvidia-smi -q" in caught.value.hint


def test_escape_sequences_quotations_and_no_break_spaces_are_taken_away() -> None:
    assert plain_text("> > \x1b[4mGPU0\x1b[0m\u00a0X\r\n>\u200b b\rc") == "GPU0 X\nb\nc"


def test_gaps_are_filled_and_the_more_detailed_source_is_believed() -> None:
    poor = of_nvidia(driver_version="1.0", cuda_driver_version="12.4")
    rich = of_nvidia(driver_version="2.0", gpus=[NvidiaGpu(index=0, name="NVIDIA A10", uuid="GPU-1")])
    merged = merge([poor, rich], ["poor", "rich"]).nvidia.facts
    assert merged
    assert (merged.driver_version, merged.cuda_driver_version) == ("2.0", "12.4")


def test_gpus_are_matched_by_address_then_by_index() -> None:
    addressed = [NvidiaGpu(index=0, pci_address="0000:01:00.0"), NvidiaGpu(index=1, pci_address="0000:02:00.0")]
    other = [NvidiaGpu(index=0, pci_address="0000:02:00.0", name="second"), NvidiaGpu(index=0, uuid="GPU-first")]
    known = of_nvidia(gpus=addressed, driver_version="1.0", cuda_driver_version="12.4", module_version="1.0")
    merged = merge([known, of_nvidia(gpus=other)], []).nvidia.facts
    assert merged
    assert [(gpu.name, gpu.uuid) for gpu in merged.gpus or []] == [(None, "GPU-first"), ("second", None)]


def test_a_gpu_of_another_machine_is_left_out_but_a_lost_one_is_kept() -> None:
    known = of_nvidia(gpus=[NvidiaGpu(index=0, pci_address="0000:01:00.0", name="A", uuid="u", memory_used_bytes=1)])
    stranger = of_nvidia(gpus=[NvidiaGpu(index=0, pci_address="0000:0a:00.0", name="B")])
    lost = of_nvidia(gpus=[NvidiaGpu(index=0, pci_address="0000:0b:00.0", error="GPU_IS_LOST")])
    merged = merge([known, stranger, lost], []).nvidia.facts
    assert merged
    assert [(gpu.index, gpu.name, gpu.error) for gpu in merged.gpus or []] == [(0, "A", None), (1, None, "GPU_IS_LOST")]


def test_what_one_source_reads_is_no_longer_unreadable() -> None:
    blind = of_nvidia(gpus=[NvidiaGpu(index=0, name="x", uuid="u", unreadable={"fan_percent": "N/A"})])
    seeing = of_nvidia(gpus=[NvidiaGpu(index=0, fan_percent=30)])
    merged = merge([blind, seeing], []).nvidia.facts
    assert merged
    assert merged.gpus
    assert (merged.gpus[0].fan_percent, merged.gpus[0].unreadable) == (30, {})


def test_an_outcome_of_nvml_keeps_its_own_error() -> None:
    failed = of_nvidia(nvml=Nvml(outcome="error", error="UNKNOWN"), pci_devices=[])
    listed = of_nvidia(
        nvml=Nvml(library_version="535.1"), pci_devices=[PciDevice(address="a", vendor_id="", device_id="")]
    )
    merged = merge([listed, failed], []).nvidia.facts
    assert merged
    assert merged.nvml == Nvml(outcome="error", error="UNKNOWN", library_version="535.1")


def test_absent_outweighs_unknown_and_facts_outweigh_both() -> None:
    absent = Facts(nvidia=facts.absent("lspci lists none"))
    assert merge([Facts(nvidia=facts.unknown("no answer")), absent], []).nvidia.outcome == "absent"
    assert merge([absent, of_nvidia(driver_version="1.0")], []).nvidia.outcome == "ok"


def test_packages_of_two_lists_are_united() -> None:
    first = Python(executable="", version="3.11.2", packages=[Package(name="torch", version="2.1")])
    second = Python(executable="/usr/bin/python", version="", packages=[Package(name="numpy", version="1.26")])
    merged = merge([Facts(python=facts.ok(first)), Facts(python=facts.ok(second))], []).python.facts
    assert merged
    assert (merged.executable, merged.version) == ("/usr/bin/python", "3.11.2")
    assert {package.name for package in merged.packages} == {"torch", "numpy"}


def survives(text: str | bytes) -> None:
    try:
        facts.encode(read_all(text))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(), st.binary()))
def test_any_text_is_read_or_refused_in_one_line(text: str | bytes) -> None:
    survives(text)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_cut_and_shuffled_outputs_are_read_without_a_crash(chance: random.Random) -> None:
    pieces = [TABLE, LIST, XID, "GPU 00000000:01:00.0\n  ECC Errors\n  Volatile\n  DRAM Uncorrectable : [N/A]\n"]
    text = "".join(chance.choice(pieces) for _ in range(4))
    start, end = sorted(chance.randrange(len(text)) for _ in range(2))
    lines = text[start:end].split("\n")
    chance.shuffle(lines)
    survives("\n".join(lines))


BAIT = {
    "angle brackets": "<" * 200 + "nvidia_smi_log<gpu id=" + "<a" * 500,
    "one long line": "NVIDIA-SMI | " + "MiB / " * 300,
    "braces": '{"DCGM Diagnostic":' + "[{" * 2000,
    "colons": "NVSMI LOG FB Memory Usage : : : " + "a  " * 100 + "\n",
    "kernel": "NVRM: Xid (" + "0:" * 40 + "\n",
    "spaces": "GPU0 X" + " \t" * 200 + "\n",
    "commas": "--query-gpu=" + "name," * 100 + "\n" + "a," * 99 + "\n",
    "entities": '<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "&a;&a;">]><nvidia_smi_log>&a;',
}


@pytest.mark.parametrize("bait", BAIT.values(), ids=BAIT)
def test_five_megabytes_of_bait_take_time_linear_in_their_size(bait: str) -> None:
    def seconds(size: int) -> float:
        text = bait * (size // len(bait) + 1)
        started = time.process_time()
        survives(text)
        return time.process_time() - started

    seconds(10_000)
    small, large = seconds(500_000), seconds(5_000_000)
    assert large < max(30 * small, 3.0)  # linear: 10 times; quadratic: 100 times


def test_memory_stays_within_a_few_times_the_text() -> None:
    text = (XID + TABLE) * 3000
    tracemalloc.start()
    survives(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(text) + 20_000_000


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")
def test_every_recording_gives_the_facts_and_findings_that_its_index_states() -> None:
    from benchmarks.recordings import ARCHIVES, expectations, judge

    index = expectations((RECORDINGS / "INDEX.md").read_text(encoding="utf-8"))
    judged = [judge(path, index[path.name]) for path in sorted(RECORDINGS.rglob("*")) if path.name in index]
    texts = [one for one in judged if not one.path.name.endswith(ARCHIVES)]
    assert texts
    assert not [one.path.name for one in texts if one.outcome != "read"]
    assert not [one for one in texts if one.missed or one.unnamed or (one.healthy and one.failures)]


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")
def test_recordings_cut_anywhere_are_read_without_a_crash() -> None:
    chance = random.Random(3)
    for path in sorted(RECORDINGS.rglob("*")):
        if path.is_file() and path.suffix in {".txt", ".xml", ".log", ".json", ".csv"}:
            content = path.read_bytes()[:60_000]
            for _ in range(3):
                survives(content[: chance.randrange(len(content))][chance.randrange(len(content)) // 4 :])
