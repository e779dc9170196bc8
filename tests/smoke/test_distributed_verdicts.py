"""What is said of ranks, collectives and trainings, from records alone."""

from __future__ import annotations

import copy
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from envkit.errors import InputError
from envkit.formats import Style
from envkit.smoke import cases
from envkit.smoke.distributed import together
from envkit.smoke.distributed.blame import culprits
from envkit.smoke.distributed.judge import GOLDEN, judge_world
from envkit.smoke.distributed.show import render
from envkit.smoke.distributed.types import Check, RankEnd, Task, TogetherReport, World
from envkit.smoke.distributed.workers.shares import pairs, share, travel

BROKEN = {"cause": "communication", "message": "Connection reset by peer", "communication": True}
OWN = {"cause": "out-of-memory", "message": "no memory", "communication": False}


def trained(case: str = "mlp") -> dict[str, Any]:
    """What a right rank 0 reports of a case."""
    golden = json.loads((GOLDEN / f"{case}.json").read_text())["trajectory"]["torch"]
    digests = dict.fromkeys(golden["travel"]["20"], "a")
    return {"case": case, "losses": golden["losses"][:20], "travel": golden["travel"]["20"], "digests": digests}


def world(*ends: RankEnd, size: int | None = None) -> World:
    task = Task(framework="torch", backend="gloo", size=size or len(ends), cases=["mlp"], deadline_seconds=9)
    return judge_world(task, {end.rank: end for end in ends}, 1.0)


def right(rank: int, **changes: Any) -> RankEnd:
    given = {"rank": rank, "host": f"h{rank}", "device": "cpu", "done": True, "trained": {"mlp": trained()}, **changes}
    return RankEnd(**given)


def check(found: World, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


def test_right_ranks_pass_every_check() -> None:
    found = world(right(0), right(1))
    assert (found.status, found.message) == ("pass", "")
    assert {check.status for check in found.checks} == {"pass"}
    assert {check.name for check in found.checks} >= {"all-reduce-pairs", "trajectory", "equal-weights"}


def test_a_training_that_is_not_that_of_one_process_fails() -> None:
    summed = trained()
    summed["losses"] = [loss * (1 + 3e-5) for loss in summed["losses"]]
    found = world(right(0, trained={"mlp": summed}), right(1))
    assert found.status == check(found, "trajectory").status == "fail"
    assert found.message.startswith("trajectory mlp: ")


def test_a_rank_with_other_weights_is_named_with_the_first_tensor() -> None:
    other = copy.deepcopy(trained())
    other["digests"]["dense2.kernel"] = "b"
    found = world(right(0), right(1), right(2, trained={"mlp": other}))
    assert found.status == "fail"
    assert check(found, "equal-weights").wrong == [[2]]
    assert "rank 2 has other weights, dense2.kernel first" in found.message


def test_between_unlike_devices_the_bits_may_differ_but_it_is_said() -> None:
    other = copy.deepcopy(trained())
    other["digests"]["dense2.kernel"] = "b"
    found = world(right(0), right(1, device="another", trained={"mlp": other}))
    assert found.status == "pass"
    assert "rank 1 has other weights" in check(found, "equal-weights").message


def test_the_pair_whose_sum_is_wrong_is_named_once_though_both_say_so() -> None:
    wrong = [{"check": "all-reduce-pairs", "ranks": [1, 2], "message": "1 of 9 numbers are wrong: ..."}]
    found = world(right(0), right(1, wrong=wrong), right(2, wrong=wrong))
    assert found.status == "fail"
    assert check(found, "all-reduce-pairs").wrong == [[1, 2]]
    assert found.message == "all-reduce-pairs: of rank 1 and 2: 1 of 9 numbers are wrong: ..."
    assert check(found, "all-reduce").status == "pass"


def test_collectives_that_were_not_reached_are_unknown() -> None:
    found = world(right(0), RankEnd(rank=1, died="killed by SIGKILL", stage={"stage": "meet"}))
    assert check(found, "all-reduce").status == "unknown"
    assert found.status == "crash"


def test_a_rank_elsewhere_of_which_nothing_is_heard_is_unknown() -> None:
    found = world(right(0), size=2)
    assert [rank.status for rank in found.ranks] == ["pass", "unknown"]
    assert found.status == "unknown"


@pytest.mark.parametrize(
    ("ends", "blamed"),
    [
        ([{"failed": BROKEN}, {"died": "killed", "signal": "SIGKILL"}], {1}),
        ([{"failed": BROKEN}, {"failed": OWN}], {1}),
        ([{"failed": BROKEN}, {}], {1}),
        ([{"failed": BROKEN}, {"lost": True}, {"failed": BROKEN}], {1}),
        ([{"failed": BROKEN}, {"failed": BROKEN}], {0, 1}),
        ([{"said": 9}, {"said": 8}, {"said": 9}], {1}),
        ([{"said": 9}, {"said": 9}], {0, 1}),
        (
            [{"failed": OWN}, {"died": "killed", "signal": "SIGABRT", "stderr": "[ProcessGroupNCCL.cpp:616] Watchdog"}],
            {0},
        ),
        ([{"done": True}, {"done": True}], set()),
    ],
)
def test_who_is_to_blame(ends: list[dict[str, Any]], blamed: set[int]) -> None:
    assert culprits({rank: RankEnd(rank=rank, **end) for rank, end in enumerate(ends)}) == blamed


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 16])
def test_every_two_ranks_meet_once_and_in_step(size: int) -> None:
    meetings = [list(pairs(rank, size)) for rank in range(size)]
    assert sorted({tuple(pair) for of_rank in meetings for pair in of_rank}) == list(combinations(range(size), 2))
    for rank, of_rank in enumerate(meetings):
        assert all(rank in pair for pair in of_rank)
        assert len(of_rank) == size - 1
    # Nobody waits in a circle: play whatever pair both of whose ranks want next, until none is left.
    while any(meetings):
        ready = [pair for of_rank in meetings for pair in of_rank[:1] if all(meetings[r][:1] == [pair] for r in pair)]
        assert ready
        for rank in ready[0]:
            meetings[rank].pop(0)


@pytest.mark.parametrize("size", [1, 2, 16])
def test_the_shares_of_all_ranks_are_the_batch(size: int) -> None:
    case = cases.CASES["transformer"](0)
    shares = [share(case, rank, size) for rank in range(size)]
    for number, (x, y) in enumerate(case.batches):
        assert b"".join(part.batches[number][0].data for part in shares) == x.data
        assert b"".join(part.batches[number][1].data for part in shares) == y.data
    assert shares[0].batches[0][0].shape == (16 // size, 32)


def test_with_more_ranks_than_samples_each_sample_has_as_many_ranks() -> None:
    case = cases.CASES["mlp"](0)
    rows = [share(case, rank, 64).batches[0][0].data for rank in range(64)]
    assert b"".join(rows) == case.batches[0][0].data * 2


def test_travel_is_the_sketch_of_the_difference() -> None:
    assert travel({"w": [1.0, 2.0]}, {"w": [1.0, 5.0]}, cases.sketch) == {"w": cases.sketch([0.0, 3.0], "w")}


def test_ranks_by_which_a_batch_does_not_divide_are_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match="the mlp's batch of 32 samples does not divide by 3 ranks") as refused:
        together.train_together("/nowhere/python", 3, env={})
    assert refused.value.hint == "--nproc 1, 2, 4, 8, 16, 32, or a multiple of 32"
    with pytest.raises(InputError, match="expected 1 or more"):
        together.train_together("/nowhere/python", 0, env={})


def test_a_framework_that_trains_none_of_the_models_is_no_success() -> None:
    with pytest.raises(InputError, match="jax does not train lstm on many devices") as refused:
        together.train_together("/nowhere/python", 2, frameworks=["jax"], models=["lstm"], env={})
    assert refused.value.hint == "it does train mlp, cnn"
    with pytest.raises(InputError, match="no smoke model is called 'lstn', did you mean 'lstm'"):
        together.train_together("/nowhere/python", 2, models=["lstn"], env={})


def test_a_rank_that_its_launcher_ended_is_not_to_blame() -> None:
    found = world(RankEnd(rank=0, dismissed=True, stage={"stage": "meet"}), size=2)
    assert (found.ranks[0].status, found.ranks[0].cause, found.status) == ("unknown", "dismissed", "unknown")
    found = world(RankEnd(rank=0, dismissed=True), RankEnd(rank=1, lost=True))
    assert [rank.cause for rank in found.ranks] == ["other-rank", "lost"]


def test_the_report_for_people_shows_figures_and_who_failed() -> None:
    failed = world(
        right(0, done=False, failed=BROKEN), RankEnd(rank=1, host="h1", died="killed by SIGKILL", cause="killed")
    )
    report = TogetherReport(status="unhealthy", worlds=[world(right(0), right(1)), failed])
    lines = render(report, Style()).split("\n")
    assert lines[0] == "✗ smoke: 1 of 2 frameworks trained on many devices as on one, in 0.0 s"
    assert "  ✓ trajectory        mlp          loss 0.0e+00 (≤ 1e-05), update 0.0e+00 (≤ 3e-05)" in lines
    assert "! rank 1 on h1 [killed]" in "\n".join(lines)
    assert "      last words: Connection reset by peer" in lines


def test_what_runs_elsewhere_imports_nothing_of_envkit() -> None:
    for file in (Path(together.__file__).parent / "workers").glob("*.py"):
        assert "from envkit" not in file.read_text()
        assert "import envkit" not in file.read_text()
