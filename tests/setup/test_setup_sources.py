from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.setup.sources.configured import Sources, describe, read_sources
from envkit.setup.uv import find_uv, run_uv


def machine(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def sources(root: Path, **environ: str) -> Sources:
    return read_sources({"HOME": str(root / "home"), **environ}, root=root)


def test_an_unconfigured_machine_asks_the_public_index(tmp_path: Path) -> None:
    found = sources(tmp_path)
    assert (found.environment, found.flags, found.lines) == ({}, [], [])
    assert describe(found) == ["the default index"]


def test_the_user_s_file_beats_the_machine_s_and_variables_beat_both(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "etc/pip.conf": "[global]\nindex-url = https://machine/simple\ntimeout = 15\n",
            "home/.pip/pip.conf": "[global]\nindex-url = https://legacy/simple\n",
            "home/.config/pip/pip.conf": "[global]\nindex_url = https://user/simple\n",
        },
    )
    assert sources(root).environment == {"UV_DEFAULT_INDEX": "https://user/simple", "UV_HTTP_TIMEOUT": "15"}
    assert sources(root, PIP_INDEX_URL="https://variable/simple").environment["UV_DEFAULT_INDEX"] == (
        "https://variable/simple"
    )


def test_the_install_section_beats_the_global_one_even_of_a_stronger_file(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "etc/pip.conf": "[install]\nindex-url = https://install/simple\n",
            "home/.config/pip/pip.conf": "[global]\nindex-url = https://global/simple\n",
        },
    )
    assert sources(root).environment["UV_DEFAULT_INDEX"] == "https://install/simple"


def test_several_places_are_separated_as_uv_wants_and_all_indexes_are_equal(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    root = machine(
        tmp_path,
        {
            "etc/pip.conf": f"[global]\nextra-index-url =\n    https://one/simple\n    https://two/simple\n"
            f"find-links = {tmp_path}/a\n  {tmp_path}/b\n"
        },
    )
    environment = sources(root).environment
    assert environment["UV_INDEX"] == "https://one/simple https://two/simple"
    assert environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert environment["UV_FIND_LINKS"] == f"{tmp_path}/a,{tmp_path}/b"


def test_relative_find_links_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    monkeypatch.chdir(tmp_path)
    assert sources(tmp_path, PIP_FIND_LINKS="wheels").environment["UV_FIND_LINKS"] == str(tmp_path / "wheels")


def test_a_missing_find_links_folder_is_passed_over_as_pip_does_and_said(tmp_path: Path) -> None:
    found = sources(tmp_path, PIP_FIND_LINKS="/no/such/folder")
    assert found.environment == {}
    assert found.lines == ["find-links /no/such/folder (PIP_FIND_LINKS, does not exist)"]


def test_certificate_hosts_proxy_and_patience_are_translated(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    environment = sources(
        tmp_path,
        PIP_CERT=str(ca),
        PIP_TRUSTED_HOST="a.example b.example",
        PIP_PROXY="user:pw@proxy:3128",
        PIP_DEFAULT_TIMEOUT="60",
        PIP_RETRIES="2",
        HTTPS_PROXY="http://weaker:1",
    ).environment
    assert environment["SSL_CERT_FILE"] == str(ca)
    assert environment["UV_INSECURE_HOST"] == "a.example b.example"
    assert environment["HTTPS_PROXY"] == environment["https_proxy"] == "http://user:pw@proxy:3128"
    assert (environment["UV_HTTP_TIMEOUT"], environment["UV_HTTP_RETRIES"]) == ("60", "2")
    # Every program is told by SSL_CERT_FILE, pip alone by PIP_CERT: pip's own word wins, as it does in pip.
    assert sources(tmp_path, PIP_CERT=str(ca), SSL_CERT_FILE="/all").environment["SSL_CERT_FILE"] == str(ca)
    assert sources(tmp_path, PIP_CERT=str(tmp_path)).environment == {"SSL_CERT_DIR": str(tmp_path)}
    with pytest.raises(InputError, match=r"/no/ca\.pem, the certificates that PIP_CERT names, does not exist"):
        sources(tmp_path, PIP_CERT="/no/ca.pem")


def test_what_the_user_told_uv_wins(tmp_path: Path) -> None:
    found = sources(tmp_path, PIP_INDEX_URL="https://pip/simple", UV_INDEX_URL="https://uv/simple")
    assert "UV_DEFAULT_INDEX" not in found.environment
    assert found.lines == ["index https://uv/simple (UV_INDEX_URL)"]


def test_no_index_leaves_only_find_links(tmp_path: Path) -> None:
    found = sources(tmp_path, PIP_NO_INDEX="1", PIP_INDEX_URL="https://x/simple", PIP_FIND_LINKS=str(tmp_path))
    assert found.environment == {"UV_FIND_LINKS": str(tmp_path)}
    assert found.flags == ["--no-index"]
    assert sources(tmp_path, PIP_NO_INDEX="false").flags == []


def test_pip_config_file_replaces_the_user_s_files_or_all(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "etc/pip.conf": "[global]\ntimeout = 15\n",
            "home/.config/pip/pip.conf": "[global]\nindex-url = https://user/simple\n",
            "own.conf": "[global]\nretries = 1\n",
        },
    )
    own = sources(root, PIP_CONFIG_FILE=str(root / "own.conf"))
    assert own.environment == {"UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"}
    assert sources(root, PIP_CONFIG_FILE=os.devnull).environment == {}


def test_the_environment_in_use_has_its_own_file(tmp_path: Path) -> None:
    root = machine(tmp_path, {"venv/pip.conf": "[global]\ntimeout = 7\n"})
    assert read_sources({"HOME": str(root)}, prefix=root / "venv", root=root).environment["UV_HTTP_TIMEOUT"] == "7"


@pytest.mark.parametrize("text", ["[global]\nindex-url = x\nnonsense here\n", "x = 1\n[global]\n"])
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    root = machine(tmp_path, {"etc/pip.conf": text})
    with pytest.raises(InputError, match=r"etc/pip\.conf:[13]: ") as raised:
        sources(root)
    assert raised.value.exit_status == 2


def test_credentials_reach_uv_and_nobody_else(tmp_path: Path) -> None:
    found = sources(tmp_path, PIP_INDEX_URL="https://me:s3cr%40t@host/simple?token=abcdef")
    assert "s3cr%40t" in found.environment["UV_DEFAULT_INDEX"]
    shown = " ".join([*describe(found), repr(found), found.redact("tried https://me:s3cr%40t@host/x, then s3cr@t")])
    assert not any(secret in shown for secret in ("s3cr", "abcdef"))
    assert describe(found) == ["index https://***@host/simple?token=*** (PIP_INDEX_URL)"]


def test_the_child_gets_no_environment_of_the_user_s_to_install_into(tmp_path: Path) -> None:
    child = sources(tmp_path).child_environment({"VIRTUAL_ENV": "/other", "UV_SYSTEM_PYTHON": "1", "KEPT": "1"})
    assert "KEPT" in child
    assert not child.keys() & {"VIRTUAL_ENV", "UV_SYSTEM_PYTHON"}


def test_a_password_with_an_at_sign_is_left_out_whole_and_a_short_one_garbles_nothing(tmp_path: Path) -> None:
    long = sources(tmp_path, PIP_INDEX_URL="https://u:p@ss-s3cret@host.example/simple")
    assert long.redact("p@ss-s3cret is numpy") == "*** is numpy"
    short = sources(tmp_path, PIP_INDEX_URL="https://u:p@host.example/simple")
    assert short.redact("numpy from https://u:p@host.example") == "numpy from https://***@host.example"


def test_what_uv_s_files_say_is_shown_and_takes_the_place_of_pip_s(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")
    root = machine(
        tmp_path,
        {
            "etc/pip.conf": "[global]\nindex-url = https://pip/simple\nextra-index-url = https://more/simple\n",
            "home/.config/uv/uv.toml": '[[index]]\nurl = "https://me:s3cr@uv/simple"\ndefault = true\n',
        },
    )
    found = sources(root)
    assert found.environment == {"UV_INDEX": "https://more/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    assert found.lines[0] == f"index https://***@uv/simple ({root}/home/.config/uv/uv.toml)"
    assert sources(root, UV_NO_CONFIG="1").environment["UV_DEFAULT_INDEX"] == "https://pip/simple"
    (root / "home/.config/uv/uv.toml").write_text("index = [")
    with pytest.raises(InputError, match=r"uv\.toml: uv's configuration cannot be read"):
        sources(root)


def test_a_project_s_configuration_of_uv_does_not_change_what_a_profile_means(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del environ["UV_NO_CONFIG"]
    (tmp_path / "uv.toml").write_text('constraint-dependencies = ["beta<1"]\n')
    monkeypatch.chdir(tmp_path)
    found = read_sources(environ, root=tmp_path / "no-root")
    argv = [find_uv(), "pip", "compile", "-", "--quiet", "--no-header", *found.flags]
    assert "alpha==1.0" in run_uv(argv, sources=found, environ=environ, stdin="alpha").stdout
    wanted = run_uv(argv, sources=found, environ=environ | {"UV_PROJECT": "."}, stdin="alpha")
    assert "beta<1" in wanted.stderr


def test_constraints_of_pip_are_said_and_no_binary_is_said_not_to_be(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("beta<1\n")
    told = environ | {"PIP_CONSTRAINT": str(tmp_path / "constraints.txt"), "PIP_NO_BINARY": ":all:"}
    found = read_sources(told, root=tmp_path / "no-root")
    assert found.notes == [
        f"constraints {tmp_path}/constraints.txt (PIP_CONSTRAINT)",
        "no-binary (PIP_NO_BINARY) is not applied: wheels alone are installed",
    ]
    assert found.constraints == [f"{tmp_path}/constraints.txt"]
    assert read_sources(told | {"UV_CONSTRAINT": "own.txt"}, root=tmp_path / "no-root").constraints == ["own.txt"]
    # uv refuses a lock together with constraints: they are for resolving alone.
    assert "UV_CONSTRAINT" not in found.child_environment(told | {"UV_CONSTRAINT": "own.txt"})


def test_offline_is_said_whoever_asks_for_it(tmp_path: Path) -> None:
    found = read_sources({"HOME": str(tmp_path)}, root=tmp_path, offline=True)
    assert (found.environment, found.closed) == ({"UV_OFFLINE": "1"}, False)
    assert "--offline" in found.lines[0]
    assert sources(tmp_path, UV_OFFLINE="1").offline


def test_secrets_of_every_source_are_taken_out(tmp_path: Path) -> None:
    root = machine(tmp_path, {"home/.netrc": "machine host login me password netrc-word\n"})
    found = sources(
        root,
        UV_INDEX_OWN_PASSWORD="uv-word-1",
        UV_INDEX="https://me:uv-word-2@host/simple",
        HTTPS_PROXY="http://me:proxy-word@proxy:1",
        PIP_CLIENT_CERT="/client.pem",
    )
    said = "netrc-word uv-word-1 uv-word-2 proxy-word"
    assert found.redact(said) == "*** *** *** ***"
    assert not any(word in f"{found!r}" for word in said.split())
    assert found.proxy == "proxy:1 (HTTPS_PROXY)"
    assert found.environment == {"SSL_CLIENT_CERT": "/client.pem"}
