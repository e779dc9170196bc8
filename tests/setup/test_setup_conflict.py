"""What uv 0.13.9 wrote about requirements that have no solution; the first line of each file says which they were."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.harness import Child
from envkit.setup.resolving.conflict import PLACES, Asked, Reason, translate
from envkit.setup.resolving.derivation import Term, exclude, term
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.uv import explain, find_uv, run_uv

FOLDER = Path(__file__).parent / "conflicts"
SAID = {
    "pin-against-framework": "tensorflow 2.20.0 needs protobuf >=5.28.0, but profile lab pins protobuf 4.25.3",
    "two-frameworks": "tensorflow[and-cuda] 2.21.0 needs nvidia-nccl-cu12 >=2.27.7,<3.0, "
    "but torch 2.10.0 needs nvidia-nccl-cu12 2.27.5",
    "two-pins": "profile lab pins both numpy 2.2.6 and numpy 1.26.4",
    "by-way-of-others": "alpha leads to gamma <2, but profile lab pins gamma 2.0",
    "within-one": "zeta 1.0 needs alpha, which leads to beta >=2, but zeta 1.0 needs eps, which needs beta 1.0",
    "two-extras": "selfx[b] 1.0 needs gamma 2.0, but selfx[a] 1.0 needs gamma 1.0",
    "many-releases": "torchvision <0.20 leads to torch >=2.0.0,<=2.4.1, but profile lab asks for torch >=2.9",
    "conditions": "pandas >=2.2,<2.3 leads to numpy >=1.23.2, but profile lab asks for numpy <1.22",
    "no-wheel-for-python": "there is no wheel of torch 2.8.0 for Python 3.14 (there are for 3.9-3.13)",
    "no-wheel-for-platform": "there is no wheel of torch 2.10.0 for Linux x86_64 with glibc 2.17 (there are for "
    "Linux aarch64 with glibc 2.28, Linux x86_64 with glibc 2.28, macOS 11.0 arm64, Windows x86_64)",
    "newer-python": "numpy 2.5.1 needs Python >=3.12, this is 3.11.7",
    "newer-python-of-many": "numpy >=2.3 needs Python >=3.11, this is 3.10",
    "newer-python-of-another": "newpy, which usesnew 1.0 needs, needs Python >=3.13, this is 3.11.7",
    "source-only": "of docopt 0.6.2 there is a source distribution only, and no wheel",
    "misspelt": "no source offers tensorfow==2.20.0",
    "missing-need": "no source offers nowhere>=1, which needsmissing 1.0 needs",
    "no-such-version": "no source offers numpy>99 (there is <=2.5.5)",
    "no-such-need": "no source offers gamma>=9, which needsver needs (there is <=2.0)",
    "pre-release-only": "no source offers pre>=1.0, which needspre 1.0 needs (there is 1.0rc1)",
    "pytorch-build": "no source offers torch==2.9.0+cu128, one of PyTorch's own builds",
    "offline": "nosuchcached 1.0 is not in uv's cache, and the network is switched off",
    "damaged": "the file of broken 1.0 that a source offers is damaged",
}


def translated(name: str) -> Reason:
    requirements, _, text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").partition("\n")
    known = ("tensorflow", "torch")
    found = translate(text, Asked(requirements.split(" "), "profile lab", "lab.yaml", "3.11.7", known))
    assert found is not None
    return found


def test_every_sample_is_told() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_what_cannot_hold_together_is_said_in_a_line(name: str) -> None:
    assert translated(name).message == SAID[name]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "pin-against-framework",
            "Change protobuf==4.25.3 in lab.yaml to a version >=5.28.0, or change tensorflow==2.20.0.",
        ),
        ("two-frameworks", "Change tensorflow[and-cuda]==2.21.0 or torch==2.10.0 in lab.yaml."),
        ("within-one", "Ask for another version of zeta==1.0 in lab.yaml."),
        (
            "no-wheel-for-python",
            "Choose another Python with --python, or ask for another version of torch==2.8.0 in lab.yaml.",
        ),
        (
            "misspelt",
            f"Did you mean tensorflow? If not: name a source that has it in {PLACES}.",
        ),
    ],
)
def test_what_can_be_changed_is_said_as_the_profile_writes_it(name: str, hint: str) -> None:
    assert translated(name).hint == hint


def test_what_no_other_source_can_help_is_told_from_what_one_may_have() -> None:
    final = {"pin-against-framework", "two-frameworks", "two-pins", "two-extras", "newer-python"}
    assert {name for name in SAID if translated(name).final} == final
    text = (FOLDER / "two-frameworks.txt").read_text(encoding="utf-8")
    assert explain(Child(outcome="exited", exit_status=1, stderr=text), Sources()).kind == "contradiction"


def test_a_condition_is_left_out_and_a_name_found_however_it_is_written() -> None:
    text = (FOLDER / "pin-against-framework.txt").read_text(encoding="utf-8")
    asked = Asked(['TensorFlow == 2.20.0; sys_platform == "linux"', "protobuf==4.25.3"])
    assert translate(text, asked) == (
        "tensorflow 2.20.0 needs protobuf >=5.28.0, but you pin protobuf 4.25.3",
        "Change protobuf==4.25.3 to a version >=5.28.0, or change TensorFlow == 2.20.0.",
        True,
    )


def test_words_that_are_not_understood_are_left_as_they_are() -> None:
    stderr = "error: No solution found when resolving dependencies\n  cause: Because the moon is full.\n"
    failure = explain(Child(outcome="exited", exit_status=1, stderr=stderr), Sources())
    assert failure.message.endswith("Because the moon is full.")
    assert failure.text == stderr


def test_a_long_explanation_of_which_only_the_end_was_kept_is_no_solution_still() -> None:
    text = (FOLDER / "many-releases.txt").read_text(encoding="utf-8")
    failure = explain(Child(outcome="exited", exit_status=1, stderr=text[len(text) // 2 :]), Sources())
    assert failure.kind == "no-solution"
    assert failure.message.startswith("torchvision <0.20 leads to torch")


def test_credentials_are_neither_in_the_line_nor_in_the_text() -> None:
    sources = Sources(environment={"UV_INDEX": "https://me:s3cret@host/simple"})
    text = (FOLDER / "misspelt.txt").read_text(encoding="utf-8") + "\nhint: https://me:s3cret@host/simple s3cret"
    assert "s3cret" not in repr(explain(Child(outcome="exited", exit_status=1, stderr=text), sources))


@pytest.mark.parametrize(
    ("one", "other", "disjoint"),
    [
        ("a>=2", "a<2", True),
        ("a>=2", "a<=2", False),
        ("a==2.0", "a==2", False),
        ("a>=1,<2 | a==3", "a>2,<3", True),
        ("a>=1,<2 | a==3", "a>=3", False),
        ("all versions of a", "a==1", False),
        ("a!=1", "a==1", False),
        ("a<what", "a>what", False),
    ],
)
def test_ranges_exclude_each_other(one: str, other: str, disjoint: bool) -> None:
    assert exclude(term(one), term(other)) is disjoint
    assert exclude(term(other), term(one)) is disjoint


def test_a_term_may_have_several_ranges() -> None:
    assert term("torch[a]>=2.0.0,<=2.2.1 | torch==2.3.1") == Term("torch[a]", (">=2.0.0,<=2.2.1", "==2.3.1"))


def test_the_uv_that_is_installed_still_speaks_so(
    environ: dict[str, str], wheelhouse: Path, make_wheel: Callable[..., Path], tmp_path: Path
) -> None:
    make_wheel(wheelhouse, "gamma", "1.0", ("beta<2", "delta"))
    sources = read_sources(environ, root=tmp_path / "no-root")

    def refusal(*requirements: str) -> str:
        argv = [find_uv(), "pip", "compile", "-", "--quiet", *sources.flags, "--python", sys.executable]
        child = run_uv(argv, sources=sources, environ=environ, stdin="\n".join(requirements))
        return explain(child, sources, asked=Asked(requirements)).message

    assert refusal("gamma==1.0", "beta==2.0") == "gamma 1.0 needs beta <2, but you pin beta 2.0"
    assert refusal("gamma==1.0") == "no source offers beta<2, which gamma 1.0 needs (there is 2.0)"
    assert refusal("epsilon") == "no source offers epsilon"
    assert refusal("alpha==3.0") == "no source offers alpha==3.0"
