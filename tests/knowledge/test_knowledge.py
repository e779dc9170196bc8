"""The tables are complete, their rules hold, and a user's rows come over them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from envkit.errors import InputError
from envkit.knowledge import TABLES, Knowledge, load
from envkit.knowledge.tables import Row
from envkit.knowledge.wheels import CudaCode

KNOWLEDGE = Knowledge()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_date_and_every_row_a_source(name: str) -> None:
    table = getattr(KNOWLEDGE, name)
    assert isinstance(table.as_of, date)
    for field in msgspec.structs.fields(table):
        rows = getattr(table, field.name)
        if isinstance(rows, dict) and not getattr(table, f"{field.name}_source", ""):
            assert rows
            assert all(isinstance(row, Row) and row.source for row in rows.values()), field.name


def test_every_distribution_s_row_has_a_source_and_a_command() -> None:
    table = KNOWLEDGE.distributions
    for what, row in table.packages.items():
        assert row.by_distribution, what
        for name, how in row.by_distribution.items():
            assert how.source, (what, name)
            assert all(command and command[0] != "sudo" for command in how.commands), (what, name)


@pytest.mark.parametrize(
    ("cuda", "floor", "own"),
    [("11.8", "450.80.02", "520.61.05"), ("12.8", "525.60.13", "570.26"), ("13.0", "580.65.06", "580.65.06")],
)
def test_a_cuda_has_a_floor_for_its_major_and_a_driver_of_its_own(cuda: str, floor: str, own: str) -> None:
    assert KNOWLEDGE.drivers.floor(cuda) == floor
    assert KNOWLEDGE.drivers.of_toolkit(cuda) == own


def test_what_no_table_says_is_none() -> None:
    assert KNOWLEDGE.drivers.floor("99.0") is None
    assert KNOWLEDGE.drivers.of_toolkit("99.0") is None
    assert KNOWLEDGE.torch.code("99.0.0", "12.8", "x86_64") is None
    assert KNOWLEDGE.torch.code("2.10.0", "12.8", "riscv64") is None
    assert KNOWLEDGE.tensorflow.code("99.0.0") is None
    assert KNOWLEDGE.torch_release("99.0.0") is None
    assert KNOWLEDGE.pythons("tensorflow", "99.0.0") is None
    assert KNOWLEDGE.pythons("jax", "99.0.0") is None
    assert KNOWLEDGE.import_failure("a message nobody has seen") is None
    assert KNOWLEDGE.drivers.to_install("9999") is None


def test_the_driver_to_install_is_a_long_term_branch_where_one_is_new_enough() -> None:
    first, second = KNOWLEDGE.drivers.to_install("525.60.13"), KNOWLEDGE.drivers.to_install("590.44.01")
    assert first is not None
    assert first[0] == "580"
    assert second is not None
    assert second[0] == "595"


@pytest.mark.parametrize(
    ("version", "cuda", "architecture", "capability", "expected"),
    [
        ("2.10.0+cu128", "12.8", "x86_64", "8.9", "binary"),  # sm_86
        ("2.10.0", "12.8", "x86_64", "12.1", "binary"),
        ("2.10.0", "12.8", "x86_64", "7.0", "binary"),
        ("2.10.0", "12.8", "x86_64", "6.1", "no"),
        ("2.14.1", "13.0", "x86_64", "7.0", "no"),
        ("2.7.0", "12.8", "x86_64", "11.0", "no"),  # sm_100 is another major
        ("2.10.0", "12.8", "aarch64", "8.7", "no"),  # Jetson Orin before CUDA 13.2
        ("2.14.0", "13.2", "aarch64", "8.7", "binary"),
        ("2.7.0", "12.8", "x86_64", "15.0", "ptx"),
    ],
)
def test_code_of_a_torch_wheel_runs_where_its_own_rule_says(
    version: str, cuda: str, architecture: str, capability: str, expected: str
) -> None:
    code = KNOWLEDGE.torch.code(version, cuda, architecture)
    assert code is not None
    assert KNOWLEDGE.torch.runs_on(code, capability, cuda) == expected


@pytest.mark.parametrize(
    ("capabilities", "driver_cuda", "python", "expected"),
    [
        (["6.0"], "12.8", "3.11.7", ("2.14.1", "cu126")),  # Pascal: cu126 alone, which ends with 2.14
        (["6.0", "12.0"], "13.0", "3.11.7", None),  # no wheel has code for both
        (["9.0"], "13.2", "3.12.1", ("2.15.0", "cu132")),
        (["9.0"], "13.2", "3.10.0", ("2.14.1", "cu132")),  # 2.15 has no wheels for 3.10
        (["10.0"], "12.8", "3.11.7", ("2.11.0", "cu128")),  # Blackwell on a driver of CUDA 12
        (["9.0"], "11.4", "", ("2.7.1", "cu118")),
        ([], "", "", ("2.15.0", "cu132")),
    ],
)
def test_the_pytorch_to_install_has_code_for_every_gpu_and_runs_on_the_driver(
    capabilities: list[str], driver_cuda: str, python: str, expected: tuple[str, str] | None
) -> None:
    build = KNOWLEDGE.torch.build(capabilities, driver_cuda=driver_cuda, python=python, architecture="x86_64")
    assert build == expected


def test_code_for_an_integrated_gpu_runs_there_only() -> None:
    assert KNOWLEDGE.torch.runs_on(CudaCode(sm=[101]), "11.0", "12.8") == "binary"
    assert KNOWLEDGE.torch.runs_on(CudaCode(sm=[87]), "8.9", "12.8") == "no"


@pytest.mark.parametrize(("capability", "expected"), [("12.0", True), ("10.0", True), ("9.0", False)])
def test_tensorflow_is_known_not_to_run_on_blackwell(capability: str, expected: bool) -> None:
    assert KNOWLEDGE.tensorflow.lacks("2.21.0", capability) is expected
    assert not KNOWLEDGE.tensorflow.lacks("2.22.0", capability)


@pytest.mark.parametrize(
    ("framework", "version", "expected"),
    [
        ("torch", "2.10.0+cu128", ">=3.10,<3.15"),
        ("tensorflow", "2.20.0", ">=3.9,<3.14"),
        ("jax", "0.10.2", ">=3.11,<3.15"),
    ],
)
def test_pythons_of_a_release(framework: Literal["torch", "tensorflow", "jax"], version: str, expected: str) -> None:
    assert KNOWLEDGE.pythons(framework, version) == expected


def test_the_newest_release_is_the_newest_by_number_not_by_text() -> None:
    assert KNOWLEDGE.newest("torch") == "2.15.0"
    assert KNOWLEDGE.newest("jax") == "0.12.0.1"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("AttributeError: _ARRAY_API not found", "built for another major version of NumPy"),
        ("ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory", "libcudnn.so.9"),
        ("ImportError: /x/libtorch.so: undefined symbol: _ZN3c10", "(undefined symbol _ZN3c10)"),
        ("killed by signal 4 (SIGILL)", "lacks an instruction"),
        ("killed by signal 9", "memory ran out"),
        ("ImportError: /lib64/libc.so.6: version `GLIBC_2.28' not found", "no GLIBC_2.28"),
        ("ImportError: libstdc++.so.6: version `GLIBCXX_3.4.29' not found", "no GLIBCXX_3.4.29"),
        ("ModuleNotFoundError: No module named 'sympy'", "sympy"),
    ],
)
def test_the_last_line_of_a_failed_import_names_its_cause(error: str, cause: str) -> None:
    row = KNOWLEDGE.import_failure(error)
    assert row is not None
    assert cause in row.cause


def _user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    folder = tmp_path / "envkit" / "knowledge"
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_users_rows_replace_ours_of_the_same_key_and_add_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'toolkit_driver:\n  "12.8": {driver: "571.0", source: mine}\n  "13.9": {driver: "700.1", source: mine}\n'
    _user_file(tmp_path, monkeypatch, "drivers.yaml", text)
    knowledge = load()
    assert knowledge.drivers.of_toolkit("12.8") == "571.0"
    assert knowledge.drivers.of_toolkit("13.9") == "700.1"
    assert knowledge.drivers.of_toolkit("12.6") == "560.28.03"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("driver.yaml", "{}", "did you mean drivers.yaml?"),
        ("drivers.yaml", "toolkit_driver: [", "drivers.yaml"),
        ("drivers.yaml", 'toolkit_driver: {"13.9": {diver: "7"}}', "toolkit_driver"),
        ("drivers.yaml", "- 1", "expected tables by name"),
    ],
)
def test_a_mistake_in_a_users_table_ends_the_command_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: str
) -> None:
    _user_file(tmp_path, monkeypatch, name, text)
    with pytest.raises(InputError) as caught:
        load()
    assert expected in f"{caught.value.message} {caught.value.hint}"
    assert str(tmp_path) in caught.value.message


def test_no_table_is_read_before_a_check_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert not set(TABLES) & set(vars(load()))
