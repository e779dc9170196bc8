"""What is refused before anything starts, and words that say who failed."""

from __future__ import annotations

from datetime import date

import pytest

from envkit.cli import _together
from envkit.errors import CannotTell, InputError
from envkit.facts import Facts
from envkit.formats import Style
from envkit.interpreter import Interpreter
from envkit.knowledge import Knowledge
from envkit.knowledge.smoke_memory import SmokeMemory, SmokeNeed
from envkit.smoke.distributed import blame, together
from envkit.smoke.distributed.asked import GIB, need_memory
from envkit.smoke.distributed.judge import judge_world
from envkit.smoke.distributed.show import render
from envkit.smoke.distributed.types import RankEnd, Task, TogetherReport, World

TASK = Task(framework="torch", backend="gloo", size=8, cases=["cnn-smooth"], deadline_seconds=9)
NEEDS = SmokeMemory(
    as_of=date(2026, 1, 1), needs={"torch": SmokeNeed(memory_mib=100), "torch cpu cnn": SmokeNeed(memory_mib=512)}
)
BROKEN = {"cause": "communication", "message": "gloo: Timed out waiting 9000ms", "communication": True}


def world(*ends: RankEnd) -> World:
    return judge_world(TASK, {end.rank: end for end in ends}, 1.0)


def test_processes_that_do_not_fit_are_refused_with_what_they_need() -> None:
    with pytest.raises(CannotTell, match=r"needs about 4.0 GiB of memory for 8 processes, 3.0 GiB are av") as refused:
        need_memory(TASK, 8, NEEDS, 3 * GIB)
    assert refused.value.hint == "there is room for 6: --nproc 6"
    need_memory(TASK, 6, NEEDS, 3 * GIB)
    need_memory(TASK, 8, NEEDS, None)
    need_memory(TASK, 8, SmokeMemory(as_of=NEEDS.as_of, needs={}), 0)


def test_what_two_processes_hold_is_known() -> None:
    """2 ranks held 639 MiB, 4 held 1255 MiB, measured with PyTorch 2.13.0 (each page counted once)."""
    with pytest.raises(CannotTell):
        need_memory(TASK, 2, Knowledge().smoke_memory, 600 << 20)
    need_memory(TASK, 2, Knowledge().smoke_memory, 1 << 30)


def test_nothing_is_started_without_the_memory() -> None:
    with pytest.raises(CannotTell, match="nothing was started"):
        together.train_together("/nowhere/python", 2, memory_available_bytes=1 << 20, env={})


def test_of_a_launchers_ranks_each_asks_for_its_own_memory() -> None:
    env = {"RANK": "0", "WORLD_SIZE": "32", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    found = together.train_together("/nowhere/python", models=["mlp"], memory_available_bytes=1 << 30, env=env)
    assert found.worlds[0].ranks[0].cause == "interpreter-failed"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"unused": ["--long", "--compiled"]}, "--long, --compiled: not for training on many ranks"),
        ({"device": "cuda:1"}, "--device cuda:1: many ranks train on cpu, cuda, rocm"),
    ],
)
def test_options_that_many_ranks_do_not_have_are_refused(given: dict[str, str], words: str) -> None:
    nowhere = Interpreter("/nowhere/python", "a test")
    with pytest.raises(InputError, match=words):
        _together.train(nowhere, 2, frameworks=[], models=[], format_="text", timeout=9, **given)


def test_more_ranks_than_gpus_are_refused() -> None:
    with pytest.raises(InputError, match="--nproc 2, but 0 GPUs can be used here: each rank takes one") as refused:
        _together._need_gpus(2, Facts())
    assert refused.value.hint == "--device cpu"


def test_the_stack_of_cpp_is_not_what_the_library_says() -> None:
    said = "[E1126 TCPStore.cpp:328] [c10d] TCP client failed to connect"
    stderr = f"Traceback\n{said}\nframe #0: c10::Error::Error(c10::SourceLocation)\n<omitting python frames>\n"
    end = RankEnd(rank=0, hung=True, stderr=stderr)
    assert blame.report(end, {0}, 9).words == said


def test_a_hang_is_told_with_rank_host_and_the_librarys_own_words() -> None:
    stage = {"stage": "train", "model": "mlp", "step": 3}
    found = world(
        RankEnd(rank=0, host="h0", failed=BROKEN),
        RankEnd(rank=1, host="h1", stage=stage),
        RankEnd(rank=2, failed=BROKEN),
    )
    assert found.message == (
        "rank 1 on h1: no answer within 9 s while training mlp, after step 3; "
        "rank 0 on h0 says: gloo: Timed out waiting 9000ms"
    )
    lines = render(TogetherReport(status="unhealthy", worlds=[found]), Style()).split("\n")
    assert lines[3:5] == ["  ! rank 1 on h1 [hang]", "      no answer within 9 s while training mlp, after step 3"]
    assert lines[8:11] == ["      and so did 1 more", "  ? rank 3 on ? [unknown]", "      not heard of"]
    assert lines[11] == "      and of 4 more"


def test_a_rank_that_never_came_is_told_apart_from_one_that_was_lost() -> None:
    assert "never heard of" in world(RankEnd(rank=0, failed=BROKEN), RankEnd(rank=1, lost=True)).message


def test_a_rank_that_takes_its_time_to_die_is_not_to_blame_for_that() -> None:
    ends = {
        0: RankEnd(rank=0, failed=BROKEN, left=True),
        1: RankEnd(rank=1, died="killed"),
        2: RankEnd(rank=2, left=True),
    }
    assert blame.culprits(ends) == {1}
    assert "waits in the kernel" in blame.report(RankEnd(rank=0, left=True), {0}, 9).message
