"""Plain versions, specifiers and markers are answered as `packaging` answers them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envkit.versions import (
    local,
    marker_holds,
    minor,
    normalise,
    parse_requirement,
    release,
    satisfies,
)

numbers = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
versions = st.one_of(numbers, st.builds("{}+{}".format, numbers, st.sampled_from(["cu128", "cpu"])))
posts = st.builds("{}.post{}".format, versions, st.integers(0, 12))
clauses = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["==", "!=", "<=", ">=", "<", ">"]), numbers),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), numbers),
    st.builds("~={}.{}".format, numbers, st.integers(0, 12)),
)
ENVIRONMENT = {
    "python_version": "3.11",
    "python_full_version": "3.11.7",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}
atoms = st.one_of(
    st.builds(
        '{} {} "{}"'.format,
        st.sampled_from(["python_version", "python_full_version"]),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["3.9", "3.11", "3.11.7", "3.12", "4"]),
    ),
    st.builds(
        "{} {} '{}'".format,
        st.sampled_from(["sys_platform", "platform_machine", "extra", "os_name"]),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["linux", "win32", "x86_64", "and-cuda", "posix"]),
    ),
)
flat_markers = st.lists(atoms, min_size=1, max_size=4).flatmap(
    lambda parts: st.lists(st.sampled_from([" and ", " or "]), min_size=len(parts) - 1, max_size=len(parts) - 1).map(
        lambda joins: "".join(a + b for a, b in zip(parts, [*joins, ""], strict=True))
    )
)

markers = st.recursive(
    flat_markers,
    lambda inner: st.builds("({}) {} {}".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=4,
)


@given(st.one_of(versions, posts), st.lists(clauses, max_size=3).map(",".join))
def test_satisfies_agrees_with_packaging(version: str, specifiers: str) -> None:
    assert satisfies(version, specifiers) is SpecifierSet(specifiers).contains(Version(version), prereleases=True)


@given(versions, versions)
def test_releases_are_ordered_as_versions_are(one: str, other: str) -> None:
    a, b = release(one), release(other)
    assert a is not None
    assert b is not None
    assert (a < b) is (Version(Version(one).public) < Version(Version(other).public))


@given(markers)
def test_markers_agree_with_packaging(marker: str) -> None:
    assert marker_holds(marker, ENVIRONMENT) is Marker(marker).evaluate(dict(ENVIRONMENT))


@pytest.mark.parametrize(
    ("version", "specifiers", "expected"),
    [
        ("550.54.15", ">=525.60.13,<600", True),
        ("550.54.15", ">=570.26", False),
        ("2.22.0rc0", ">=2.22", False),
        ("6.31.1", "<6.0.0dev,>=3.20.3", False),
        ("2.10.0+cu128", "==2.10.0+cpu", False),
        ("2.10.0+cu128", "", True),
        ("N/A", ">=1", None),
        ("1.0", "about 1", None),
    ],
)
def test_satisfies_reads_what_is_not_plain_or_says_so(version: str, specifiers: str, expected: bool | None) -> None:
    assert satisfies(version, specifiers) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy<2.2.0,>=1.26.0", ("numpy", (), "<2.2.0,>=1.26.0", "")),
        (
            "Typing_Extensions >= 4.10 ; python_version<'3.12'",
            ("typing-extensions", (), ">=4.10", "python_version<'3.12'"),
        ),
        ("markdown-it-py (>=2.2.0)", ("markdown-it-py", (), ">=2.2.0", "")),
        ("tensorflow[and-cuda]==2.20.0", ("tensorflow", ("and-cuda",), "==2.20.0", "")),
        ("six", ("six", (), "", "")),
    ],
)
def test_requirements_are_taken_apart(text: str, expected: tuple[object, ...]) -> None:
    assert parse_requirement(text) == expected


@pytest.mark.parametrize("text", ["pkg @ file:///tmp/pkg.whl", "", "!!"])
def test_a_requirement_that_cannot_be_judged_is_none(text: str) -> None:
    assert parse_requirement(text) is None


def test_nested_and_unreadable_markers() -> None:
    assert marker_holds("(sys_platform == 'linux' or os_name == 'nt') and python_version < '4'", ENVIRONMENT) is True
    assert marker_holds("this is no marker", ENVIRONMENT) is None
    assert marker_holds("", ENVIRONMENT) is True


def test_small_parts_of_versions() -> None:
    assert (minor("2.10.0+cu128"), minor("nightly")) == ("2.10", "nightly")
    assert (local("2.10.0+cu128"), local("2.10.0")) == ("cu128", "")
    assert normalise("Opt_Einsum.X") == "opt-einsum-x"
    assert release("2.22.0rc0") is None
