"""Reports to print: a machine with every kind of finding, and one whose every text is hostile."""

from __future__ import annotations

import msgspec
import pytest

from envkit.findings import Finding, Remedy, Report, Verdict

HOSTILE = (
    "\n::error title=x::owned\r##[error]owned\x00\x1b[31m\x85\ud800\ufffe ::stop-commands::x\n::set-output name=a::b "
    "]]> </failure><b>&amp;</b> <!-- | `a` ``b`` *c* __d__ ~~e~~ [f](g) ![h](i) @octocat @team/x #12 org/repo#3 GH-4 "
    "!5 %25 %milestone ~label $6 &7 \\| a_b_c https://example.com/a_b"
)


@pytest.fixture
def report() -> Report:
    """Unhealthy, by a cause with two subjects, and what follows from it."""
    remedy = Remedy(
        text="Install a newer driver.",
        commands=[["envkit", "setup", "--profile", "my cpu"], ["nvidia-smi"]],
        who="admin",
        url="https://example.com/drivers",
    )
    old = Finding(
        check="driver-too-old",
        area="accelerators",
        status="fail",
        message="driver 470 is too old",
        evidence=["/sys/module/nvidia/version: 470.82", "CUDA 12.8 needs 570"],
        remedy=remedy,
    )
    return Report(
        envkit="1.2",
        taken_at="2026-11-26T08:14:24+00:00",
        status="unhealthy",
        headline="cannot train with profile cuda12: driver 470 is too old",
        profile="cuda12",
        summary={"machine": "Debian, 2 CPUs", "accelerators": "2 x A10"},
        findings=[
            msgspec.structs.replace(old, subject="GPU 0, A10"),
            msgspec.structs.replace(old, subject="GPU 1, A10"),
            Finding(
                check="torch-on-cpu",
                area="frameworks",
                status="fail",
                message="PyTorch uses the CPU",
                caused_by="driver-too-old",
            ),
            Finding(check="memory-low", area="machine", status="warn", message="only 8 GiB of memory"),
            Finding(check="clock-off", area="machine", status="unknown", message="no time server answers"),
            Finding(check="disk-low", area="machine", status="pass", message="not the case: little room"),
            Finding(check="gpu-hot", area="accelerators", status="skip", message="nvidia: absent"),
            Finding(check="jax-broken", area="frameworks", status="crash", message="the check failed: KeyError: 'x'"),
        ],
    )


@pytest.fixture
def hostile() -> Report:
    """Every text that a machine, a package or a file of facts can bring in, at its worst."""
    remedy = Remedy(text=HOSTILE, commands=[["echo", HOSTILE]])
    finding = Finding(
        check="gpu-lost",
        area="accelerators",
        status="fail",
        subject=HOSTILE,
        message=HOSTILE,
        evidence=[HOSTILE],
        remedy=remedy,
    )
    following = Finding(
        check="b", area="frameworks", status="fail", subject=HOSTILE, message=HOSTILE, caused_by="gpu-lost"
    )
    return Report(
        envkit=HOSTILE,
        taken_at=HOSTILE,
        status="unhealthy",
        headline=HOSTILE,
        profile=HOSTILE,
        python=HOSTILE,
        summary={"accelerators": HOSTILE},
        findings=[
            finding,
            msgspec.structs.replace(finding, status="warn", check="c"),
            msgspec.structs.replace(finding, status="unknown", check="d", remedy=None),
            following,
        ],
    )


def judged(report: Report, status: Verdict, *findings: str) -> Report:
    """That report, with this verdict and only the findings of these checks."""
    chosen = [finding for finding in report.findings if finding.check in findings]
    return msgspec.structs.replace(report, status=status, findings=chosen)


@pytest.fixture(name="judged")
def _judged() -> object:
    return judged
