from __future__ import annotations

import pytest

from envkit.harness import Child
from envkit.setup.sources.configured import Sources
from envkit.setup.uv import explain


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("error: Failed to install\n  cause: No space left on device (os error 28)", "disk-full"),
        ("error: x\n  cause: Read-only file system (os error 30)", "read-only"),
        ("error: x\n  cause: Permission denied (os error 13)", "permission"),
        ("error: Hash mismatch for `beta==2.0`", "hash"),
        ("error: Failed to fetch: https://h/\n  cause: invalid peer certificate: UnknownIssuer", "certificate"),
        ("error: Failed to fetch: https://h/\n  cause: tunnel error: failed\n  cause: Connection refused", "proxy"),
        ("error: Failed to fetch: https://h/\n  cause: HTTP status client error (401 Unauthorized)", "login"),
        ("error: Failed to fetch: https://h/\n  cause: dns error\n  cause: failed to lookup address", "network"),
        ("error: something new", "uv"),
    ],
)
def test_an_error_of_uv_becomes_one_line(stderr: str, kind: str) -> None:
    failure = explain(Child(outcome="exited", exit_status=2, stderr=stderr), Sources())
    assert failure.kind == kind
    assert "\n" not in failure.message


def test_a_killed_uv_is_taken_for_out_of_memory_and_a_missing_one_named() -> None:
    assert explain(Child(outcome="signalled", signal_name="SIGKILL"), Sources()).kind == "killed"
    gone = explain(Child(outcome="not-started", start_error="No such file or directory"), Sources())
    assert gone.message == "uv could not be started: No such file or directory"


def test_credentials_in_an_error_are_not_shown() -> None:
    sources = Sources(environment={"UV_INDEX": "https://me:s3cret@host/simple"})
    child = Child(outcome="exited", exit_status=2, stderr="error: 401 for https://me:s3cret@host/simple (s3cret)")
    assert "s3cret" not in explain(child, sources).message


def test_an_index_that_refuses_the_credentials_is_said() -> None:
    stderr = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because beta was not found in the package registry and you require beta==2.0, we can conclude that "
        "your requirements are unsatisfiable.\n\n"
        "hint: An index URL (http://h/simple) could not be queried due to a lack of valid authentication credentials"
    )
    failure = explain(Child(outcome="exited", exit_status=1, stderr=stderr), Sources())
    assert failure.message == (
        "no source offers beta==2.0, and h (the default index: no setting names another) refuses the request"
    )
