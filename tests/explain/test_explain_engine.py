"""How clues become causes: with signatures and causes made for the test."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.explain import Explanation, explain
from envkit.findings import Finding, Remedy, Status
from envkit.knowledge import Knowledge
from envkit.knowledge.tables import Cause, Signature, Translations

DO = Remedy(text="do it")
CAUSES = {
    "no-driver": Cause(title="There is no driver", remedy=DO, checks=["driver-not-loaded"]),
    "old-driver": Cause(title="The driver is old", remedy=DO, checks=["driver-old"], consequences=["no-gpu"]),
    "no-gpu": Cause(title="No GPU is seen", remedy=DO),
    "unsigned-driver": Cause(title="The driver is not signed", remedy=Remedy(text="sign it"), part_of="no-driver"),
    "not-environment": Cause(title="The program", remedy=DO, environment=False),
}


FOREIGN = Translations(
    as_of=date(2026, 1, 1), translations_source="the test", translations={"no driver": ["Treiber fehlt"]}
)


def signature(cause: str, pattern: str, confidence: float = 0.9, **more: Any) -> Signature:
    return Signature(cause=cause, pattern=pattern, confidence=confidence, **more)


def knowing(*signatures: Signature) -> Knowledge:
    knowledge = Knowledge()
    knowledge.__dict__.update(signatures=list(signatures), causes=CAUSES, translations=FOREIGN)
    return knowledge


def ranking(explanation: Explanation) -> dict[str, float]:
    return {cause.cause: cause.confidence for cause in explanation.causes}


def finding(check: str, status: Status, **more: Any) -> Finding:
    return Finding(check=check, status=status, message=f"{check} says {status}", **more)


def test_a_cause_comes_with_the_line_that_tells_it() -> None:
    found = explain("fine\nError: driver is old\n", knowing(signature("old-driver", "driver is (old|ancient)")))
    assert found.status == "known"
    assert [(e.line, e.text) for e in found.causes[0].evidence] == [(2, "Error: driver is old")]
    assert (found.causes[0].title, found.causes[0].remedy) == ("The driver is old", DO)


def test_without_a_clue_it_is_not_known() -> None:
    found = explain("all is well", knowing(signature("old-driver", "driver is old")))
    assert (found.status, found.causes, found.possible) == ("not known", [], [])


def test_a_weak_clue_is_possible_and_no_more() -> None:
    found = explain("no GPU", knowing(signature("no-gpu", "no GPU", 0.3)))
    assert (found.status, found.causes) == ("not known", [])
    assert [cause.cause for cause in found.possible] == ["no-gpu"]


def test_independent_lines_add_up_and_repeated_ones_do_not() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU", 0.4), signature("no-gpu", "no device", 0.5))
    assert ranking(explain("no GPU\nno device", knowledge)) == {"no-gpu": 0.7}
    assert ranking(explain("no device\n" * 9, knowledge)) == {"no-gpu": 0.5}
    assert ranking(explain("no GPU, no device", knowledge)) == {"no-gpu": 0.5}


@pytest.mark.parametrize(
    ("text", "known"), [("bus error", False), ("bus error\nin docker", True), ("in docker", False)]
)
def test_with_asks_for_another_line(text: str, known: bool) -> None:
    found = explain(text, knowing(signature("no-gpu", "bus error", together="docker")))
    assert (found.status == "known") is known


def test_with_may_ask_for_several_lines() -> None:
    knowledge = knowing(signature("no-gpu", "bus error", together=["docker", "worker"]))
    assert explain("bus error\ndocker", knowledge).status == "not known"
    assert explain("bus error\ndocker\nworker", knowledge).status == "known"


def test_without_cancels() -> None:
    knowledge = knowing(signature("no-gpu", "bus error", without=["vulkan", "opengl"]))
    assert explain("bus error", knowledge).status == "known"
    assert explain("bus error\nopengl", knowledge).status == "not known"


def test_what_a_clue_excludes_ranks_below_it() -> None:
    knowledge = knowing(
        signature("no-driver", "no driver", 0.9), signature("old-driver", "driver 3", 0.7, excludes=["no-driver"])
    )
    assert list(ranking(explain("no driver\ndriver 3", knowledge))) == ["old-driver", "no-driver"]


def test_a_root_cause_ranks_above_its_consequence() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU", 0.95), signature("old-driver", "driver 3", 0.7))
    assert list(ranking(explain("no GPU\ndriver 3", knowledge))) == ["old-driver", "no-gpu"]


def test_what_the_system_says_in_another_language_is_understood() -> None:
    found = explain("Fehler: Treiber fehlt", knowing(signature("no-driver", "no driver")))
    assert (found.causes[0].cause, found.causes[0].evidence[0].text) == ("no-driver", "Fehler: Treiber fehlt")


def test_a_form_of_a_cause_is_reported_as_that_cause_with_its_own_remedy() -> None:
    knowing_both = knowing(signature("no-driver", "no driver", 0.5), signature("unsigned-driver", "not signed", 0.8))
    (cause,) = explain("Error: no driver\nError: not signed", knowing_both).causes
    assert (cause.cause, cause.specific) == ("no-driver", "unsigned-driver")
    assert (cause.title, cause.remedy.text) == ("The driver is not signed", "sign it")
    assert [e.line for e in cause.evidence] == [2, 1]
    assert cause.confidence == pytest.approx(0.9), "both lines tell of it"


def test_of_two_that_are_as_sure_the_first_told_is_first() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU"), signature("no-driver", "no driver"))
    assert list(ranking(explain("no driver\n\nno GPU", knowledge))) == ["no-driver", "no-gpu"]
    assert list(ranking(explain("no GPU\n\nno driver", knowledge))) == ["no-gpu", "no-driver"]


def test_a_warning_counts_less_where_an_error_tells_something() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU", 0.95), signature("no-driver", "no driver", 0.8))
    assert list(ranking(explain("UserWarning: no GPU\n\nValueError: no driver", knowledge))) == ["no-driver", "no-gpu"]
    assert ranking(explain("UserWarning: no GPU", knowledge)) == {"no-gpu": 0.95}


def test_the_programs_own_error_is_not_blamed_on_what_stands_beside_it() -> None:
    knowledge = knowing(
        signature("no-driver", "no driver", 0.95), signature("not-environment", "shapes", 0.9, program=True)
    )
    assert next(iter(ranking(explain("no driver\n\nValueError: shapes", knowledge)))) == "not-environment"


def test_what_somebody_has_ruled_out_is_weak() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU"))
    assert explain("I have already tried to see whether there is no GPU at all", knowledge).status == "not known"


def test_a_line_of_source_code_is_not_what_happened() -> None:
    knowledge = knowing(signature("no-gpu", "no GPU"))
    assert explain('  File "a.py", line 1, in f\n    raise E("no GPU")', knowledge).status == "not known"


def test_an_error_wrapped_over_two_lines_is_found() -> None:
    knowledge = knowing(signature("no-gpu", "cannot see any GPU"))
    found = explain("RuntimeError: after a long time it cannot see\n   any GPU", knowledge)
    assert [e.line for e in found.causes[0].evidence] == [1]


def test_of_a_long_line_the_part_around_the_match_is_shown() -> None:
    found = explain("x" * 2000 + " no GPU " + "y" * 1000, knowing(signature("no-gpu", "no GPU")))
    text = found.causes[0].evidence[0].text
    assert len(text) < 300
    assert "no GPU" in text


def test_checks_on_pasted_facts_are_clues() -> None:
    found = explain("", knowing(), pasted=[finding("driver-old", "fail"), finding("driver-not-loaded", "warn")])
    assert ranking(found) == {"old-driver": 0.55}
    assert [(e.line, e.text) for e in found.causes[0].evidence] == [(0, "driver-old says fail")]
    assert explain("", knowing(), pasted=[finding("driver-old", "fail", caused_by="x")]).status == "not known"


def test_this_machine_supports_or_contradicts() -> None:
    knowledge = knowing(signature("no-driver", "no driver", 0.8), signature("old-driver", "old driver", 0.7))
    here = [finding("driver-old", "fail"), finding("driver-not-loaded", "pass")]
    found = explain("no driver\n\nold driver", knowledge, here=here)
    first, second = found.causes + found.possible
    assert (first.cause, first.supported_by, first.confidence) == ("old-driver", ["driver-old says fail"], 0.85)
    assert (second.cause, second.contradicted_by) == ("no-driver", ["driver-not-loaded says pass"])


@given(
    st.text(max_size=400),
    st.lists(st.sampled_from(["no GPU", "\n", "Error: ", 'File "', "\r", "\x1b[", "&#", "> "]), max_size=12),
)
def test_no_text_is_too_strange(text: str, pieces: list[str]) -> None:
    found = explain(
        text + "".join(pieces) + text, knowing(signature("no-gpu", "no GPU"), signature("no-driver", "(?i)driver"))
    )
    assert all(0 <= cause.confidence <= 1 and cause.evidence for cause in found.causes)
