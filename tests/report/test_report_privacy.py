"""What is planted in facts and in smoke is in no output, and the diagnosis is the same without it."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.errors import InputError
from envkit.facts import Facts, decode
from envkit.findings import Report
from envkit.formats import Style, find, names
from envkit.knowledge import load
from envkit.profile import Profile
from envkit.profile import load as load_profile
from envkit.readers import attachment, plain_text, read_all
from envkit.redact import Identity, Redactor, redact
from envkit.report.facts import redacted
from envkit.report.markdown import render
from envkit.smoke.types import RunResult, SmokeReport

TESTS = Path(__file__).parents[1]
PLANTED: list[tuple[str, str, str]] = runpy.run_path(str(TESTS / "report/planted.py"))["PLANTED"]
MACHINES = sorted((TESTS / "machines").glob("*/facts.json"))
HARDWARE = sorted((TESTS.parents[1] / "shared/hardware").glob("*/*.*"))
OWN_WORDS = {"schema", "os", "outcome"}  # read as they are, or nothing is read
NOBODY = Identity()


def structs() -> Iterator[type[msgspec.Struct]]:
    kinds = [msgspec.Struct]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("envkit.facts"):
            yield kind


CLOSED = {field.name for kind in structs() for field in msgspec.structs.fields(kind) if "Literal" in str(field.type)}


def planted(facts: Facts) -> Facts:
    """The facts with a planted string behind every string, in turn, and all of them in the environment and the log."""
    words = cycle(words.format(secret) for _, secret, words in PLANTED)

    def plant(value: Any, field: str = "") -> Any:
        if isinstance(value, str) and field not in CLOSED | OWN_WORDS:
            return f"{value} {next(words)}"
        if isinstance(value, list):
            return [plant(item, field) for item in value]
        return {name: plant(item, name) for name, item in value.items()} if isinstance(value, dict) else value

    tree = plant(msgspec.to_builtins(facts))
    said = [words.format(secret) for _, secret, words in PLANTED]
    tree["python"]["facts"]["environment"] = {f"XLA_FLAGS_{n}": text for n, text in enumerate(said)}
    tree["python"]["facts"]["environment"]["HF_TOKEN"] = PLANTED[0][1]
    tree["kernel_log"] = {"outcome": "ok", "why": "", "facts": {"messages": [{"kind": "xid", "text": t} for t in said]}}
    return msgspec.convert(tree, Facts)


def trained() -> SmokeReport:
    said = " ; ".join(words.format(secret) for _, secret, words in PLANTED)
    run = RunResult(framework="torch", model="mlp", device="cuda", status="crash", message=said)
    return SmokeReport(status="unhealthy", runs=[run], python="/home/lovelace/env/bin/python", agreement=[said])


def judged(facts: Facts, profile: Profile | None = None) -> Report:
    return examine(facts, profile or Profile(), load(), discover())


def diagnosis(report: Report) -> list[tuple[str, ...]]:
    """What the redaction must not change; a subject may be a path, whose names have stand-ins."""
    return [(report.status,), *((f.check, f.status, f.area, f.caused_by or "") for f in report.findings)]


def leaks(text: str) -> list[str]:
    lower = text.lower()
    forms = ((kind, form) for kind, secret, _ in PLANTED for form in {secret.lower(), json.dumps(secret.lower())[1:-1]})
    return [f"{kind}: {form}" for kind, form in forms if form in lower]


def test_what_is_planted_is_in_no_part_of_a_report() -> None:
    assert len(PLANTED) > 40
    assert len({kind for kind, *_ in PLANTED}) > 12
    facts = planted(decode((TESTS / "machines/h100x8/facts.json").read_bytes(), "h100x8"))
    assert len(set(leaks(msgspec.json.encode(facts).decode()))) >= len({one[:2] for one in PLANTED})  # it can fail
    removing = Redactor(NOBODY)
    hidden, smoke = redacted(facts, removing), redacted(trained(), removing)
    text = render(judged(hidden), hidden, smoke, "", removing.removed())
    assert leaks(text) == []
    assert {"token", "user", "host", "e-mail", "ip", "mac", "uuid", "private key"} <= set(removing.removed())


@pytest.mark.parametrize("form", names())
def test_what_is_planted_is_in_no_format(form: str) -> None:
    facts = planted(decode((TESTS / "machines/h100x8-one-gpu-lost/facts.json").read_bytes(), "h100x8"))
    hidden = redacted(facts, Redactor(NOBODY))
    assert leaks(find(form).render(judged(hidden), Style(verbose=True), hidden)) == []


def test_what_is_planted_in_facts_is_not_in_what_probe_prints() -> None:
    facts = planted(decode((TESTS / "machines/h100x8/facts.json").read_bytes(), "h100x8"))
    shown = redact(msgspec.json.encode(facts).decode(), home="/", host="")
    kept = {"pypi.acme-corp.example", "proxy.acme.intranet", "login3.physics.uni-musterstadt.de", "git.acme-corp.com"}
    assert set(leaks(shown)) <= {f"host: {name}" for name in kept}  # where a command's user has to look
    decode(shown, "probe")


@pytest.mark.parametrize("path", MACHINES, ids=[path.parent.name for path in MACHINES])
def test_the_diagnosis_is_the_same_without_names_and_secrets(path: Path) -> None:
    facts = decode(path.read_bytes(), str(path))
    for expected in sorted(path.parent.glob("*.txt")):
        profile = Profile() if expected.stem == "no-profile" else load_profile(expected.stem)
        removing = Redactor(Identity(home="/home/ada", users=("ada",), hosts=("gpu-box-17",)))
        hidden = redacted(facts, removing)
        before, after = judged(facts, profile), judged(hidden, profile)
        assert diagnosis(before) == diagnosis(after)
        assert [f.subject for f in redacted(before, removing).findings] == [f.subject for f in after.findings]
        text = render(after, hidden, None, "not asked", removing.removed())
        taken = attachment.taken_out(plain_text(text))
        assert taken is not None
        assert diagnosis(judged(taken[0], profile)) == diagnosis(before)
        assert redacted(taken[0], Redactor(NOBODY)) == taken[0]


@pytest.mark.skipif(not HARDWARE, reason="no recordings of hardware beside this repository")
def test_recordings_of_real_hardware_have_the_same_diagnosis() -> None:
    read = 0
    for path in HARDWARE:
        try:
            facts = read_all(path.read_bytes(), path.name)
        except InputError:
            continue
        read += 1
        hidden = redacted(facts, Redactor(NOBODY))
        before, after = judged(facts), judged(hidden)
        assert diagnosis(before) == diagnosis(after), path
        assert [f.subject for f in before.findings] == [f.subject for f in after.findings], path
    assert read > 20


def test_a_gpu_is_still_the_one_that_a_variable_names_by_its_first_letters() -> None:
    facts = decode((TESTS / "machines/h100x8/facts.json").read_bytes(), "h100x8")
    uuids = [gpu.uuid for gpu in facts.nvidia.facts.gpus]
    for value, shown in (
        (f"{uuids[3]},{uuids[0]}", "GPU-4,GPU-1"),
        (uuids[5][:12], "GPU-6"),
        ("GPU-0", "GPU-"),  # begins all of them
        ("GPU-abc", "GPU-9"),  # none
        ("1,0", "1,0"),
    ):
        python = msgspec.structs.replace(facts.python.facts, environment={"CUDA_VISIBLE_DEVICES": value})
        asked = msgspec.structs.replace(facts, python=msgspec.structs.replace(facts.python, facts=python))
        hidden = redacted(asked, Redactor(NOBODY))
        assert hidden.python.facts.environment == {"CUDA_VISIBLE_DEVICES": shown}
        assert diagnosis(judged(asked)) == diagnosis(judged(hidden))


@pytest.mark.parametrize("name", ["numpy", "lightning", "nvidia-nccl-cu12", "cpython", "ubuntu24", "driver"])
def test_a_user_or_a_host_called_like_a_package_changes_no_diagnosis(name: str) -> None:
    facts = decode((TESTS / "machines/b200-with-tensorflow/facts.json").read_bytes(), "b200")
    python = facts.python.facts
    started = msgspec.structs.replace(python, environment={"PYTHONPATH": f"/home/{name}/src:/scratch/{name}"})
    facts = msgspec.structs.replace(facts, python=msgspec.structs.replace(facts.python, facts=started))
    hidden = redacted(facts, Redactor(Identity(users=(name,), hosts=(name,))))
    assert diagnosis(judged(facts)) == diagnosis(judged(hidden))
    assert [package.name for package in hidden.python.facts.packages] == [package.name for package in python.packages]
    assert name not in hidden.python.facts.environment["PYTHONPATH"]
