"""Files that are no profile at all: one clear problem, never a traceback, a hang or a full memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envkit.profile import Profile, ProfileErrors, load_file


def problem(path: Path) -> tuple[int, str]:
    with pytest.raises(ProfileErrors) as caught:
        load_file(path)
    (only,) = caught.value.problems
    assert only.file == str(path)
    return only.line, only.message


def written(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", 0, "is empty"),
        ("# only a comment\n", 0, "is empty"),
        ("- a\n- b\n", 1, "is no mapping"),
        ("\njust text\n", 2, "is no mapping"),
        ("---\nname: a\n---\nname: b\n", 3, "single document"),
        ("name: a\nrequires: {os: [linux\nx: y\n", 3, "column"),
        ("name: a\n\trequires: x\n", 2, "column"),
        ("name: 'unclosed\n", 2, "column"),
        ("name: a\nb: *nobody\n", 2, "undefined alias"),
        ("name: a\nb: \x07\n", 2, "U+0007"),
        (b"name: a\n# \xff\n", 2, "is not UTF-8"),
        ("name: a\n".encode("utf-16"), 1, "is not UTF-8"),
        ("name: a\n" * 200_000, 0, "is larger than 1 MiB"),
        ("packages: [" + "a, " * 50_000 + "]", 1, "more than 20000 values"),
        ("a: " + "[" * 30_000, 1, "nested deeper than 20 levels"),
        ("- " * 30_000, 1, "nested deeper than 20 levels"),
        ("a: &a [x]\n" + "b: [" + "*a, " * 17 + "]\n", 2, "more than 16 aliases"),
    ],
)
def test_says_what_is_wrong_and_where(tmp_path: Path, content: bytes | str, line: int, message: str) -> None:
    found_line, found_message = problem(written(tmp_path, content))
    assert message in found_message
    assert found_line == line


def test_nested_aliases_are_cheap(tmp_path: Path) -> None:
    layers = ["a0: &a0 [" + "x, " * 5_000 + "]"]
    layers += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 9)]
    with pytest.raises(ProfileErrors):
        load_file(written(tmp_path, "\n".join(layers)))


def test_an_alias_to_what_holds_it_ends(tmp_path: Path) -> None:
    with pytest.raises(ProfileErrors) as caught:
        load_file(written(tmp_path, "requires: &r\n  os: *r\n"))
    assert [(p.line, p.key) for p in caught.value.problems] == [(2, "requires.os")]


def test_a_byte_order_mark_and_dos_lines_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbfname: a\r\ntorch_backend: cpu\r\n")
    assert load_file(path).torch_backend == "cpu"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert problem(tmp_path) == (0, "is a folder")


def test_a_missing_file_is_one_problem(tmp_path: Path) -> None:
    assert "No such file" in problem(tmp_path / "gone.yaml")[1]


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.yaml")
    assert problem(tmp_path / "mine.yaml") == (0, "is no regular file")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails to be read")
def test_a_file_that_fails_while_it_is_read_is_one_problem() -> None:
    assert "cannot be read: Input/output error" in problem(Path("/proc/self/mem"))[1]


def test_a_link_to_itself_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").symlink_to("mine.yaml")
    assert "cannot be read" in problem(tmp_path / "mine.yaml")[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_problem(tmp_path: Path) -> None:
    path = written(tmp_path, "name: a\n")
    path.chmod(0)
    assert "Permission denied" in problem(path)[1]


KEYS = st.sampled_from(
    [
        "name",
        "extends",
        "requires",
        "packages",
        "smoke",
        "checks",
        "torch_backend",
        "memory",
        "python",
        "cuda",
        "<<",
        "x",
    ]
)
WORDS = st.sampled_from(
    [
        "cpu",
        "3.10",
        ">=3,<2",
        "torch==2.13.0",
        "torch @ x:y",
        "a==1;b",
        "8 GiB",
        "1_0",
        "0b",
        "1:30",
        "~",
        "=",
        "..",
        "a/b",
    ]
)
TEXT = KEYS | WORDS | st.text(max_size=8)
NESTED = st.recursive(
    TEXT | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXT, inner, max_size=4),
    max_leaves=12,
)


def load_text(path: Path, text: str) -> None:
    """Load a file with this text: a profile, or an InputError that has problems; nothing else may rise."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    problems = []
    try:
        profile = load_file(path, checks={"x": {"y": 1}})
    except ProfileErrors as error:
        profile, problems = None, error.problems
    assert isinstance(profile, Profile) or problems


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(alphabet=st.characters() | st.sampled_from("-:?[]{}&*!|>'\"%@`,# \n\tab1."), max_size=60))
def test_no_text_raises_anything_but_an_input_error(tmp_path: Path, text: str) -> None:
    load_text(tmp_path / "any.yaml", text)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.dictionaries(KEYS, NESTED, max_size=5))
def test_no_values_raise_anything_but_an_input_error(tmp_path: Path, content: dict[str, object]) -> None:
    yaml = pytest.importorskip("yaml")
    load_text(tmp_path / "any.yaml", yaml.safe_dump(content, allow_unicode=True))
