"""What needs no framework: the clock, main memory, the disk."""

from __future__ import annotations

import errno
import os
import runpy
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envkit.bench.measures
from envkit.bench import memory_modules, plan, reasons
from envkit.bench.children import measure

FOLDER = Path(envkit.bench.measures.__file__).parent
TIMING = runpy.run_path(str(FOLDER / "timing.py"))
DISK = runpy.run_path(str(FOLDER / "disk.py"))
MEMORY = runpy.run_path(str(FOLDER / "host_memory.py"))


@pytest.fixture
def context(tmp_path: Path) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        sample=TIMING["sample"],
        result=TIMING["result"],
        host_times=TIMING["host_times"],
        threads=2,
        memory_bytes=256 << 20,
        folder=str(tmp_path),
    )


def test_repeats_fill_the_time_and_the_median_counts() -> None:
    times = iter([9.0, 0.1, *[0.1] * 3, 0.2, 9.0])
    taken = TIMING["sample"](
        lambda: None, lambda _, count: [next(times) for _ in range(count)], seconds=0.5, warm_seconds=0
    )
    assert taken == [0.1, 0.1, 0.1, 0.2, 9.0]
    found = TIMING["result"](taken, 4.0, "GB/s", "4 GB")
    assert (found["value"], found["repeats"], found["detail"]) == (40.0, 5, "4 GB")
    assert found["spread"] == pytest.approx(1.0)  # quartiles 0.1 and 0.2


def test_a_slow_call_is_repeated_three_times_and_a_fast_one_not_for_ever() -> None:
    for each, count in ((7.0, 3), (1e-9, 500)):
        taken = TIMING["sample"](lambda: None, lambda _, n, each=each: [each] * n, warm_seconds=0)
        assert len(taken) == count


def test_sizes_are_halved_for_want_of_memory_only() -> None:
    def attempt(size: int) -> int:
        if size > 100:
            raise MemoryError
        return size

    def is_memory(error: BaseException) -> bool:
        return isinstance(error, MemoryError)

    assert TIMING["halving"](attempt, 1024, 16, is_memory) == 64
    with pytest.raises(MemoryError):
        TIMING["halving"](attempt, 1024, 512, is_memory)
    with pytest.raises(ZeroDivisionError):
        TIMING["halving"](lambda size: size // 0, 1024, 16, is_memory)


def test_every_thread_copies_in_each_round(context: types.SimpleNamespace) -> None:
    found = MEMORY["measure"](context, "cpu", "")
    assert found["detail"] == "2 threads, 16 MiB each"  # an eighth of the memory, for source and target of both
    assert found["value"] > 0.1
    assert found["repeats"] >= 3


def test_too_little_memory_is_said_before_anything_is_taken(context: types.SimpleNamespace) -> None:
    context.memory_bytes = 64 << 20
    with pytest.raises(MemoryError, match="64 MiB are free for 2 threads"):
        MEMORY["measure"](context, "cpu", "")


def test_last_level_caches_are_counted_once_for_those_that_share_them(tmp_path: Path) -> None:
    for cpu, shared in ((0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")):
        for index, level, size in ((0, 1, "48K"), (3, 3, "32M")):
            folder = tmp_path / f"cpu{cpu}/cache/index{index}"
            folder.mkdir(parents=True)
            for name, text in (("level", level), ("size", size), ("shared_cpu_list", shared)):
                (folder / name).write_text(f"{text}\n")
    (tmp_path / "cpufreq").mkdir()
    assert MEMORY["cache_bytes"](str(tmp_path)) == 64 << 20
    assert MEMORY["cache_bytes"](str(tmp_path / "none")) == 0


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """The disk's measure with a file of 8 MiB, on whatever file system the tests run."""
    globals_ = DISK["measure"].__globals__
    monkeypatch.setitem(globals_, "FILE_BYTES", 8 << 20)
    monkeypatch.setitem(globals_, "IN_MEMORY", set())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda name, value: monkeypatch.setitem(globals_, name, value)


@pytest.mark.parametrize("variant", ["write", "read"])
def test_the_disk_is_measured_and_nothing_is_left(
    small: Callable[..., Any], context: types.SimpleNamespace, variant: str, tmp_path: Path
) -> None:
    found = DISK["measure"](context, "disk", variant)
    assert found["value"] > 0
    assert (found["unit"], found["repeats"]) == ("GB/s", 3)
    assert found["detail"].startswith("8 MiB, ")
    assert not list(tmp_path.iterdir())


def test_a_file_system_that_cannot_do_it_directly_is_measured_through_the_cache(
    small: Callable[..., Any], context: types.SimpleNamespace, tmp_path: Path
) -> None:
    plain = DISK["_open"]

    def refuse(folder: str, *, direct: bool) -> int:
        if direct:
            raise OSError(errno.EINVAL, "no O_DIRECT here")
        return int(plain(folder, direct=False))

    small("_open", refuse)
    assert DISK["measure"](context, "disk", "read")["detail"] == "8 MiB, through the page cache"
    assert not list(tmp_path.iterdir())


def test_without_unnamed_files_the_name_is_taken_away_at_once(
    small: Callable[..., Any], context: types.SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    file = DISK["_open"](str(tmp_path), direct=False)
    try:
        assert not list(tmp_path.iterdir())
        assert os.fstat(file).st_nlink == 0
    finally:
        os.close(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("IN_MEMORY", {"ext4", "overlay", "xfs", "btrfs", "tmpfs", "zfs", "fuse"}), "lies in memory"),
        (("_open", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system"))), "Read-only"),
        (("_place", DISK["_place"]), "may not be written to"),
    ],
)
def test_where_nothing_may_be_written_it_is_skipped(
    small: Callable[..., Any],
    context: types.SimpleNamespace,
    change: tuple[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small(*change)
    if change[0] == "_place":
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotImplementedError, match=words):
        DISK["measure"](context, "disk", "write")


def test_children_measure_memory_and_disk_without_any_framework(conditions: Callable[..., Any]) -> None:
    results, survey = measure(plan.on_host(("memory", "disk")), conditions(memory_bytes=512 << 20), torch=False)
    assert [(m.kind, m.variant) for m in results] == [("memory", ""), ("disk", "write"), ("disk", "read")]
    assert results[0].status == "pass"
    assert {m.status for m in results[1:]} <= {"pass", "skip"}
    assert survey == {}


def test_an_interpreter_that_is_none_is_blamed_for_all(conditions: Callable[..., Any], tmp_path: Path) -> None:
    results, _ = measure(plan.on_host(("memory", "disk")), conditions(python=str(tmp_path / "python")), torch=False)
    assert {(m.status, m.cause) for m in results} == {("unknown", "interpreter-failed")}
    assert len(results) == 3


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ([(16384, 0x22), (0, 2), (0, 2), (0, 2)], ["only 1 of 4 memory slots is filled: one channel"]),
        ([(16384, 0x1A), (16384, 0x1A)], []),
        ([(16384, 0x07), (0, 2)], []),  # a virtual machine
        ([(16384, 0x22)], []),  # soldered: there is no other slot
        ([], []),
    ],
)
def test_a_single_module_is_a_single_channel(tmp_path: Path, modules: list[tuple[int, int]], told: list[str]) -> None:
    for index, (size, kind) in enumerate(modules):
        raw = bytearray(40)
        raw[0x0C:0x0E], raw[0x12] = size.to_bytes(2, "little"), kind
        folder = tmp_path / memory_modules.ENTRIES / f"17-{index}"
        folder.mkdir(parents=True)
        (folder / "raw").write_bytes(raw)
    assert reasons.of_memory(memory_modules.read(str(tmp_path))) == told
