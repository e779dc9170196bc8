"""Which rank torchrun or srun made of this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.smoke.distributed.place import Place, place_of
from envkit.smoke.distributed.together import train_together

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
SRUN = {
    "SLURM_PROCID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_ID": "17",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "localhost,other",
}


@pytest.fixture
def scontrol(tmp_path: Path) -> dict[str, str]:
    """An environment whose scontrol splits a list of nodes at commas, and knows each node's address."""
    program = tmp_path / "scontrol"
    program.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        '  hostnames) echo "$3" | tr , "\\n" ;;\n'
        '  node) echo "NodeName=$3 Arch=x86_64"; echo "   NodeAddr=10.1.2.3 NodeHostName=x" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def test_torchruns_variables_are_taken_as_they_are() -> None:
    place = place_of(TORCHRUN)
    assert place == Place(3, 4, 1, "10.0.0.1", 29500)
    assert place.env() == TORCHRUN


def test_without_a_launcher_there_is_no_place() -> None:
    assert place_of({}) is None
    assert place_of({"RANK": "0", "WORLD_SIZE": "1"}) is None


def test_a_batch_script_of_slurm_is_no_rank() -> None:
    """It has SLURM_PROCID and SLURM_NTASKS as the tasks have (seen with Slurm 22.05), and no step."""
    assert place_of({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}) is None


def test_a_task_of_srun_meets_at_the_first_host_of_its_step(
    monkeypatch: pytest.MonkeyPatch, scontrol: dict[str, str]
) -> None:
    monkeypatch.setenv("PATH", scontrol["PATH"])
    place = place_of({**SRUN, **scontrol})
    assert place is not None
    assert (place.rank, place.size, place.address) == (2, 4, "localhost")


def test_all_tasks_of_a_step_choose_one_port_and_two_steps_two() -> None:
    ports = {
        place_of({**SRUN, "MASTER_ADDR": "a", "SLURM_PROCID": rank, "SLURM_STEP_ID": step}).port  # type: ignore[union-attr]
        for rank in "0123"
        for step in "01"
    }
    assert len(ports) == 2
    assert all(15000 <= port < 30000 for port in ports)


def test_a_node_whose_name_is_no_hosts_is_asked_for_its_address(
    monkeypatch: pytest.MonkeyPatch, scontrol: dict[str, str]
) -> None:
    monkeypatch.setenv("PATH", scontrol["PATH"])
    place = place_of({**SRUN, **scontrol, "SLURM_STEP_NODELIST": "no-such-host.invalid,b"})
    assert place is not None
    assert place.address == "10.1.2.3"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"RANK": "x"}, "RANK='x': expected a number"),
        ({"RANK": "4"}, "RANK=4 and WORLD_SIZE=4: expected a rank below the number of ranks"),
        ({"WORLD_SIZE": "1"}, "RANK=3 and WORLD_SIZE=1: expected a rank below the number of ranks"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT=70000: expected 1 to 65535"),
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not: where is rank 0?"),
        ({"MASTER_PORT": "http"}, "MASTER_PORT='http': expected a number"),
    ],
)
def test_variables_that_are_not_usable_are_named(change: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as refused:
        place_of({**TORCHRUN, **change})
    assert words in refused.value.message


@pytest.mark.parametrize(("env", "other"), [({"RANK": "1"}, "WORLD_SIZE"), ({"WORLD_SIZE": "2"}, "RANK")])
def test_half_of_what_a_launcher_sets_is_not_taken_for_training_alone(env: dict[str, str], other: str) -> None:
    with pytest.raises(InputError, match=f"is set, {other} is not") as refused:
        place_of(env)
    assert refused.value.hint == f"a launcher sets both; to train alone: `env -u {next(iter(env))} envkit smoke`"
    assert place_of({**SRUN, **env, "MASTER_ADDR": "a"}), "srun says the rest"


def test_another_nproc_than_the_launchers_is_refused() -> None:
    with pytest.raises(InputError, match="--nproc 2, but the launcher made 4 ranks"):
        train_together("/nowhere/python", 2, env=TORCHRUN)


def test_tensorflow_and_jax_have_no_ranks() -> None:
    with pytest.raises(InputError, match="jax trains on many devices of one process"):
        train_together("/nowhere/python", frameworks=["jax"], env=TORCHRUN)
