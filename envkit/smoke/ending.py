"""The verdict on a run whose child ended, or was ended, before it could say one."""

from __future__ import annotations

from typing import NamedTuple

from envkit.harness import Child
from envkit.probes import cgroup
from envkit.smoke.types import Stage, Status

SIGNALS = {
    "SIGSEGV": ("segmentation-fault", ""),
    "SIGILL": (
        "illegal-instruction",
        "the processor lacks an instruction that the framework was built with, often AVX; compare `envkit doctor`",
    ),
    "SIGBUS": ("bus-error", "often a full /dev/shm or a truncated library"),
    "SIGABRT": ("aborted", ""),
    "SIGFPE": ("arithmetic-fault", ""),
}
"""Signal to the cause it is reported as, and a hint."""

DOING = {
    "start": "starting the interpreter",
    "import": "importing {framework}",
    "device": "opening {device}",
    "build": "building {model}",
    "gradient": "in the gradient of {model}",
    "first-step": "in the first step of {model}",
    "train": "training {model}",
    "optimizer": "in the optimizer of {model}",
}


class Verdict(NamedTuple):
    """What is said of a run that said nothing itself."""

    status: Status
    cause: str
    message: str


def doing(stage: str, framework: str, model: str, device: str) -> str:
    """What a stage is, in words: "importing torch"."""
    return DOING[stage].format(framework=framework, model=model, device=device)


def oom_kills() -> int | None:
    """How many processes of this control group were killed for want of memory so far."""
    group = cgroup.memory("/", None)
    return group.oom_kills if group else None


def judge(child: Child, stage: Stage, while_doing: str, kills_before: int | None) -> Verdict:
    """The verdict on a child that ended without a result.

    Args:
        child: how it ended.
        stage: the last one it entered.
        while_doing: that in words, see `doing`.
        kills_before: `oom_kills()` from before it was started.
    """
    if child.outcome == "not-started":
        return Verdict("unknown", "interpreter-failed", f"the interpreter {child.why()}")
    message = f"{child.why()} while {while_doing}"
    if child.signal_name == "SIGKILL":
        cause, hint = _killed(kills_before, oom_kills())
    elif "bad_alloc" in child.stderr:
        cause, hint = "out-of-memory", "memory was refused"
    else:
        early = "interpreter-failed" if stage == "start" else "ended-early"
        cause, hint = SIGNALS.get(child.signal_name or "", (early, ""))
    words = child.last_words()
    parts = (message, hint, words and f"last words: {words[:300]}")
    return Verdict("crash", cause, "; ".join(part for part in parts if part))


def _killed(before: int | None, after: int | None) -> tuple[str, str]:
    if before is None or after is None:
        return "killed", "often this is the kernel, out of memory; its counter cannot be read here"
    if after > before:
        return (
            "out-of-memory",
            f"the kernel counts {after - before} out-of-memory kill(s) in this control group meanwhile",
        )
    return "killed", "the kernel counts no out-of-memory kill in this control group meanwhile"
