"""What is wrong inside a profile is said with its file, line and key, and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.profile import Problem, ProfileErrors, load_file

CHECKS = {"shm-small": {"minimum": 0.5, "minimum_bytes": 1024}, "gpu-hot": {}}


def problems(tmp_path: Path, text: str) -> list[Problem]:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileErrors) as caught:
        load_file(path, checks=CHECKS)
    assert all(problem.file == str(path) for problem in caught.value.problems)
    return caught.value.problems


# text, line, key, part of the message, part of what was expected
CASES = {
    "unknown key": ("requires:\n  memroy: 1 GiB\n", 2, "requires.memroy", "did you mean `memory`?", "memory"),
    "unknown key, none near": ("zzz: 1\n", 1, "zzz", "unknown key", "one of: name, description, requires"),
    "unknown key of a list's item": (
        "smoke:\n  - framework: torch\n    modles: [mlp]\n",
        3,
        "smoke[0].modles",
        "did you mean `models`?",
        "models",
    ),
    "missing key": ("smoke:\n  - {framework: torch}\n  - {device: cpu}\n", 3, "smoke[1]", "`framework` is missing", ""),
    "number for text": ("\nrequires:\n  python: 3.10\n", 3, "requires.python", "`3.10` given", 'in quotes: "3.10"'),
    "date for text": ("\nname: 2026-11-23\n", 2, "name", "`2026-11-23` given", "text"),
    "nothing": ("name: x\nrequires:\n", 2, "requires", "nothing given", "a mapping"),
    "text for list": ("packages: numpy==2.2.6\n", 1, "packages", "`numpy==2.2.6` given", "a list"),
    "list for mapping": ("name: x\nrequires:\n  - python\n", 2, "requires", "a list given", "a mapping"),
    "mapping for text": ("description: {a: b}\n", 1, "description", "a mapping given", "text"),
    "mapping for size": ("requires:\n  disk: {a: b}\n", 2, "requires.disk", "a mapping given", '"8 GiB"'),
    "text for count": (
        "requires: {accelerators_min: two}",
        1,
        "requires.accelerators_min",
        "`two` given",
        "a whole number",
    ),
    "truth for count": (
        "requires: {accelerators_min: yes}",
        1,
        "requires.accelerators_min",
        "truth value `yes`",
        "number",
    ),
    "count too small": ("requires:\n  accelerators_min: 0\n", 2, "requires.accelerators_min", "the least is 1", ""),
    "no number": ("requires: {accelerators_min: !!int x}", 1, "requires.accelerators_min", "`x` given", "number"),
    "unknown choice": (
        "requires:\n  os:\n    - linux\n    - darwn\n",
        4,
        "requires.os[1]",
        "did you mean `darwin`?",
        "one of: darwin, linux, windows",
    ),
    "unknown unit": ("requires:\n  memory: 8 GiBi\n", 2, "requires.memory", "`GiBi` is no unit", '"8 GiB"'),
    "no size": ("requires:\n  memory: much\n", 2, "requires.memory", "`much` is no size", '"8 GiB"'),
    "negative size": ("requires:\n  memory: -1\n", 2, "requires.memory", "out of range", '"8 GiB"'),
    "endless size": ("requires:\n  memory: 99999999 TiB\n", 2, "requires.memory", "out of range", '"8 GiB"'),
    "no specifier": ("requires:\n  python: abc\n", 2, "requires.python", "`abc` is no specifier", "PEP 440"),
    "nothing meets it": ("requires:\n  python: '>=3,<2'\n", 2, "requires.python", "no version meets `>=3,<2`", ""),
    "nor this": ("requires:\n  driver: '>525.60,<=525.60.0'\n", 2, "requires.driver", "no version meets", ""),
    "no version": ("requires:\n  cuda: twelve\n", 2, "requires.cuda", "`twelve` is no version", '"12.8"'),
    "no requirement": ("packages:\n  - 'torch = 2'\n", 2, "packages[0]", "`torch = 2` is no requirement", "PEP 508"),
    "bad marker": ("packages:\n  - torch==2; os == 'x'\n", 2, "packages[0]", "is no requirement", "PEP 508"),
    "unpinned": (
        "packages:\n  - numpy==1\n  - torch>=2\n",
        3,
        "packages[1]",
        "`torch>=2` is not pinned",
        "numpy==2.2.6",
    ),
    "half pinned": ("packages:\n  - torch==2.*\n", 2, "packages[0]", "is not pinned", "pinned"),
    "pinned twice": ("packages:\n  - torch==2,==3\n", 2, "packages[0]", "no version meets", "pinned"),
    "same project": ("packages:\n  - A_b==2\n  - a.B==3\n", 3, "packages[1]", "on line 2", "each project once"),
    "segment": ("torch_backend: cuda\n", 1, "torch_backend", "`cuda` has the wrong form", '"cu128"'),
    "unknown check": (
        "checks:\n  shm-smal: {ignore: why}\n",
        2,
        "checks.shm-smal",
        "did you mean `shm-small`?",
        "gpu-hot",
    ),
    "unknown threshold": (
        "checks:\n  shm-small:\n    thresholds:\n      minimun: 1\n",
        4,
        "checks.shm-small.thresholds.minimun",
        "did you mean `minimum`?",
        "minimum",
    ),
    "no thresholds": (
        "checks: {gpu-hot: {thresholds: {x: 1}}}",
        1,
        "checks.gpu-hot.thresholds.x",
        "unknown threshold",
        "none",
    ),
    "threshold of another type": (
        "checks:\n  shm-small:\n    thresholds: {minimum: low}\n",
        3,
        "checks.shm-small.thresholds.minimum",
        "`low` is str, not float",
        "something like 0.5",
    ),
    "threshold that is no size": (
        "checks:\n  shm-small:\n    thresholds: {minimum_bytes: 8 GiBs}\n",
        3,
        "checks.shm-small.thresholds.minimum_bytes",
        "`GiBs` is no unit of size",
        "something like 1024",
    ),
    "infinite": (
        "checks:\n  shm-small: {thresholds: {minimum: .inf}}\n",
        2,
        "checks.shm-small.thresholds.minimum",
        "not finite",
        "",
    ),
    "duplicate key": ("name: a\n\nname: b\n", 3, "name", "stands twice, first on line 1", "once"),
    "duplicate key, deep": ("requires:\n  os: [linux]\n  os: []\n", 3, "requires.os", "first on line 2", "once"),
    "no key": ("? [a, b]\n: c\n", 1, "", "a list or mapping stands where a key should", "text"),
    "merge key": ("requires: &r {}\n<<: *r\n", 2, "<<", "unknown key", ""),
    "tag": ("name: !!python/object:os.system x\n", 1, "name", "`tag:yaml.org,2002:python/object:os.system` is not", ""),
    "tag of a mapping": ("requires: !!python/dict {}\n", 1, "requires", "is not allowed", ""),
    "tag of a key": ("!mine name: x\n", 1, "name", "the YAML tag `!mine` is not allowed", ""),
    "tag of the file": ("!mine\nname: x\n", 1, "", "the YAML tag `!mine` is not allowed", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_says_line_key_and_what_was_expected(tmp_path: Path, case: str) -> None:
    text, line, key, message, expected = CASES[case]
    (problem,) = problems(tmp_path, text)
    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message
    assert expected in problem.expected


def test_all_errors_come_in_one_go_in_the_order_of_lines(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "checks: {nope: {}}\nextends: nowhere\nrequires:\n  memroy: 1\n"
        "  python: '>=3,<2'\npackages: [torch, 5]\nname: 1\n",
    )
    assert [(p.line, p.key) for p in found] == [
        (1, "checks.nope"),
        (2, "extends"),
        (4, "requires.memroy"),
        (5, "requires.python"),
        (6, "packages[0]"),
        (6, "packages[1]"),
        (7, "name"),
    ]


def test_the_message_has_one_line_for_each_problem(tmp_path: Path) -> None:
    path = tmp_path / "cpu.yaml"
    path.write_text("name: x\n\n\n\n\nrequires:\n  memroy: 8 GiB\n  disk: lots\n")
    with pytest.raises(ProfileErrors) as caught:
        load_file(path)
    assert caught.value.message.split("\n") == [
        f"{path}:7: requires.memroy: unknown key, did you mean `memory`?",
        f'{path}:8: requires.disk: `lots` is no size; expected bytes, or a size such as "8 GiB"',
    ]
    assert caught.value.exit_status == 2


def test_checks_are_not_judged_where_the_known_ones_are_not_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("checks: {anything: {thresholds: {x: 1}}}")
    assert load_file(path).checks["anything"].thresholds == {"x": 1}


@pytest.mark.parametrize(
    "python",
    ["==1.*,>2", "~=2.0,<2", "!=1.0,==1.0", "==3.11.*,==3.12.*", ">=3.11,==3.10.*", ">=1.0rc1,<1.0", ">=3,<2", "===x"],
)
def test_a_specifier_that_no_version_meets_is_impossible(tmp_path: Path, python: str) -> None:
    (problem,) = problems(tmp_path, f"requires: {{python: '{python}'}}\n")
    assert "no version meets" in problem.message


@pytest.mark.parametrize(
    "python", [">=3.10,<3.14", "~=2.1,<2.9", ">=1.0,!=1.5", ">1.0,<1.1", "==3.11.*", ">3.0,<3.0.1"]
)
def test_a_specifier_that_some_version_meets_is_not(tmp_path: Path, python: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"requires: {{python: '{python}'}}\n")
    assert load_file(path).requires.python == python


def test_a_threshold_in_bytes_may_be_said_as_a_size_and_a_whole_number_is_a_float_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("checks: {shm-small: {thresholds: {minimum_bytes: 8 GiB, minimum: 2}}}")
    assert load_file(path, checks=CHECKS).checks["shm-small"].thresholds == {"minimum_bytes": 8 << 30, "minimum": 2.0}
