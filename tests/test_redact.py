from __future__ import annotations

from envkit.redact import redact


def test_home_host_and_credentials_go_and_the_rest_stays() -> None:
    text = 'in /home/ada/.venv and "/home/ada", not /home/adam; gpu-box-17 ok; https://ada:s3cret@mirror.example/simple'
    assert redact(text, home="/home/ada", host="gpu-box-17") == (
        'in ~/.venv and "~", not /home/adam; <host> ok; https://***@mirror.example/simple'
    )


def test_a_host_named_by_a_common_word_does_not_eat_the_report() -> None:
    assert redact("the gpu is a gpu", home="/", host="gpu") == "the gpu is a gpu"


def test_a_password_may_hold_an_at_sign_and_a_token_may_stand_in_the_query() -> None:
    text = "https://u:p@ss@host/simple?x=1&api_token=abc, next"
    assert redact(text, home="/", host="h") == "https://***@host/simple?x=1&api_token=***, next"
