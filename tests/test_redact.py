from __future__ import annotations

import json
import runpy
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.redact import Identity, Redactor, identity, redact
from envkit.redact.here import _counted

_OWN = runpy.run_path(str(Path(__file__).parent / "report/planted.py"))
PLANTED: list[tuple[str, str, str]] = _OWN["PLANTED"]
NEAR_MISSES: list[str] = _OWN["NEAR_MISSES"]
WAYS = {
    "as it is": lambda text: text,
    "in JSON": lambda text: json.dumps({"a": f"x\n{text}\n", "b": [text]}, indent=2),
    "in JSON in JSON": lambda text: json.dumps({"a": json.dumps({"b": [text]})}),
}


def hidden(text: str) -> str:
    return Redactor(Identity()).text(text, strict=True)


@pytest.mark.parametrize(
    ("kind", "secret", "words"), PLANTED, ids=[f"{kind}-{n}" for n, (kind, *_) in enumerate(PLANTED)]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_or_a_personal_string_goes_wherever_it_stands(kind: str, secret: str, words: str, way: str) -> None:
    shown = hidden(WAYS[way](words.format(secret)))
    assert secret.lower() not in shown.lower()
    if way != "as it is":
        json.loads(shown)


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_one_stays(text: str) -> None:
    for said in (text, f"it has {text} here", json.dumps({"k": [text]}), f"> {text}\n"):
        assert hidden(said) == said


def test_home_host_and_credentials_go_and_the_rest_stays() -> None:
    text = (
        'in /home/ada/.venv and "/home/ada", not /home/ubuntu; gpu-box-17 ok; https://ada:s3cret@mirror.example/simple'
    )
    assert redact(text, home="/home/ada", host="gpu-box-17") == (
        'in ~/.venv and "~", not /home/ubuntu; <host-1> ok; https://***@mirror.example/simple'
    )


def test_a_folder_that_ends_like_the_home_is_not_the_home() -> None:
    assert redact("/mnt/home/ada and /home/adam", home="/home/ada", host="") == "/mnt/home/<user-1> and /home/<user-2>"


def test_a_host_or_a_user_named_by_a_common_word_does_not_eat_the_report() -> None:
    assert redact("the gpu is a gpu", home="/", host="gpu") == "the gpu is a gpu"
    assert redact('{"distribution_id": "ubuntu", "a": "lib"}', home="/home/lib", host="ubuntu") == (
        '{"distribution_id": "ubuntu", "a": "lib"}'
    )


def test_a_password_may_hold_an_at_sign_and_a_token_may_stand_in_the_query() -> None:
    text = "https://u:p@ss@host/simple?x=1&api_token=abc, next"
    assert redact(text, home="/", host="h") == "https://***@host/simple?x=1&api_token=***, next"


def test_the_same_has_the_same_stand_in_and_another_has_another() -> None:
    names = Redactor(Identity(hosts=("node-a17",)))
    assert names.text("node-a17 to node-a17.cluster.example, /home/eve and /home/mallory, eve@x.example") == (
        "<host-1> to <host-1>, /home/<user-1> and /home/<user-2>, <e-mail-1>"
    )
    assert names.text("/home/mallory on node-a17") == "/home/<user-2> on <host-1>"
    assert names.removed() == {"e-mail": 1, "host": 1, "user": 2}


def test_the_beginning_of_a_gpus_uuid_stands_for_the_gpu_and_the_first_letters_of_several_for_none() -> None:
    first, second = "GPU-6e2cd1a0-1111-4222-8333-000000000001", "GPU-6e2cd1a0-9999-4222-8333-000000000002"
    text = f"CUDA_VISIBLE_DEVICES=GPU-6e2cd1a0-9 of {first}, {second}, MIG-{first}/3/0; GPU-6e2cd1a0"
    assert hidden(text) == "CUDA_VISIBLE_DEVICES=GPU-2 of GPU-1, GPU-2, MIG-GPU-1/3/0; GPU-"


def test_a_stand_in_from_an_earlier_redaction_is_not_given_to_somebody_else() -> None:
    assert hidden("<user-1> and /home/eve") == "<user-1> and /home/<user-2>"


def test_names_come_from_the_scheduler_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_NODELIST", "gpu-a[01-02,11],login-b1")
    monkeypatch.setenv("USER", "kovalevskaya")
    who = identity()
    assert {"gpu-a01", "gpu-a02", "gpu-a11", "login-b1"} <= set(who.hosts)
    assert "kovalevskaya" in who.users
    assert _counted("8-10,x") == ["8", "9", "10"]
    assert Redactor(who).text("rank 3 on gpu-a11 by kovalevskaya") == "rank 3 on <host-1> by <user-1>"


FRAGMENTS = st.sampled_from(
    [words.format(secret) for _, secret, words in PLANTED]
    + [secret for _, secret, _ in PLANTED]
    + [
        "password",
        "token=",
        ": ",
        '"',
        "'",
        "\\",
        "\n",
        "\t",
        "//",
        "@",
        "\\n",
        "\\u001b",
        ",",
        "{",
        "}",
        "[",
        "<user-1>",
        "***",
    ]
    + [
        "/home/",
        "C:\\Users\\",
        "GPU-",
        "Bearer ",
        "10.",
        "1.2.3.4",
        "fe80::",
        "-----BEGIN RSA PRIVATE KEY-----",
        "\x1b",
        "é",
        "İ",
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=8).map("".join)
DOCUMENTS = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
OWN = Identity(home="/home/lovelace", users=("lovelace",), hosts=("gpu-node-0417", "n1"))


def shape(value: object) -> object:
    """What of a document a redaction must not change."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "text" if isinstance(value, str) else value


@given(st.dictionaries(st.text("abcdef_", min_size=3, max_size=9), DOCUMENTS, max_size=4), st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_json_stays_json_of_the_same_shape(document: object, ascii_only: bool, indented: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2 if indented else None)
    found = json.loads(Redactor(OWN).text(text, strict=True), object_pairs_hook=lambda pairs: [v for _, v in pairs])
    assert shape(found) == shape(document)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_what_is_redacted_already_stays_as_it_is(text: str) -> None:
    once = Redactor(OWN).text(text, strict=True)
    assert Redactor(OWN).text(once, strict=True) == once


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "//",
        "@",
        "a@",
        "://",
        "/home/",
        "token=",
        'token": "',
        "\\",
        "1.",
        ":",
        "f:",
        "-0",
        "GPU-",
        "Bearer a",
        "-----BEGIN ",
        "eyJa.",
        "--key ",
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    hidden(text)
    assert time.process_time() - began < 3
