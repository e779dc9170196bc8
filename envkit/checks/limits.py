"""Limits of the process, its user, its control group and the kernel: locked memory, open files, processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, usable
from envkit.checks.memory import GIB, size
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.host import Limits
    from envkit.profile import Profile

_LIMITS_CONF = "raise it in /etc/security/limits.conf, LimitNPROC= of the systemd unit or Slurm's configuration"
_MEMLOCK = {
    True: "start the container with --ulimit memlock=-1 (Kubernetes: give it the capability IPC_LOCK)",
    False: "set memlock to unlimited in /etc/security/limits.conf, or LimitMEMLOCK=infinity in the systemd unit; "
    "for Slurm also PropagateResourceLimitsExcept=MEMLOCK",
}


@check(area="machine")
def memlock_limited(
    limits: Limits, facts: Facts, profile: Profile, *, rdma_minimum_bytes: int = GIB, minimum_bytes: int = 0
) -> Findings:
    """Little memory may be locked, and NCCL locks its buffers for InfiniBand and other RDMA.

    rdma_minimum_bytes: wanted where there are GPUs and RDMA devices; minimum_bytes: wanted everywhere. NCCL then says
    "ibv_reg_mr failed" or "Cannot allocate memory". Source: NCCL user guide, "Troubleshooting".
    """
    gpus = usable(facts.nvidia.facts) or (facts.amd.facts and facts.amd.facts.gpus)
    distributed = bool(limits.rdma_device_nodes and gpus) and (judged(profile) or judged(profile, "amd"))
    wanted = max(minimum_bytes, rdma_minimum_bytes if distributed else 0)
    limit = limits.memlock_limit_bytes
    if isinstance(limit, int) and limit < wanted and not limits.memlock_exempt:
        nodes = limits.rdma_device_nodes or []
        yield warn(
            f"only {size(limit)} of memory may be locked, too little for RDMA (InfiniBand, RoCE)",
            evidence=[f"RLIMIT_MEMLOCK {limit} bytes, at least {wanted} wanted", *nodes[:4]],
            remedy=Remedy(text=_MEMLOCK[facts.container.facts is not None], who="admin"),
        )


@check(area="machine")
def open_files_limit_low(limits: Limits, *, minimum: int = 1024) -> Findings:
    """A process may open fewer files than is usual: data loaders fail with "Too many open files".

    1024 is what Linux and systemd give. PyTorch's workers hand each tensor over by an open file.
    """
    soft, hard = limits.open_files_limit, limits.open_files_limit_hard
    if not isinstance(soft, int) or soft >= minimum:
        return
    enough = hard == "unlimited" or (isinstance(hard, int) and hard >= minimum)
    yield warn(
        f"a process may open {soft} files only",
        evidence=[f"RLIMIT_NOFILE {soft}, at most {hard or 'unknown'}, at least {minimum} wanted"],
        remedy=Remedy(
            text="raise it in the shell that starts the training"
            if enough
            else "raise it (docker: --ulimit nofile=65536; else nofile in /etc/security/limits.conf)",
            commands=[["ulimit", "-n", str(minimum)]] if enough else [],
            who="user" if enough else "admin",
        ),
    )


@check(area="machine", after="file-handles-exhausted")
def file_handles_scarce(limits: Limits, *, warn_share: float = 0.8, fail_share: float = 0.95) -> Findings:
    """Nearly as many files are open on the machine as the kernel allows (fs.file-max)."""
    used, limit = limits.file_handles, limits.file_handles_limit
    if used is None or not limit or used < warn_share * limit:
        return
    yield (fail if used >= fail_share * limit else warn)(
        f"{used} of {limit} files are open on this machine",
        evidence=["/proc/sys/fs/file-nr"],
        remedy=Remedy(
            text="find who holds them (lsof), or raise the limit",
            commands=[["sudo", "sysctl", "-w", f"fs.file-max={2 * limit}"]],
            who="admin",
        ),
    )


@check(area="machine", after="zombies-many")
def tasks_near_limit(
    limits: Limits, *, warn_share: float = 0.8, fail_share: float = 0.95, least_left: int = 200
) -> Findings:
    """Nearly as many processes and threads run as are allowed: data loaders and thread pools cannot start theirs.

    least_left: so many the thread pools of a framework and a few workers take.
    """
    for subject, used, limit, text in (
        (
            "the control group",
            limits.cgroup_tasks,
            limits.cgroup_tasks_limit,
            "raise it (docker: --pids-limit; Kubernetes: podPidsLimit of the kubelet; systemd: TasksMax=)",
        ),
        ("this user", limits.user_tasks, limits.user_tasks_limit, _LIMITS_CONF),
        (
            "the machine",
            limits.tasks,
            limits.tasks_limit,
            "find what starts so many (ps -eLf), or raise kernel.pid_max and kernel.threads-max",
        ),
    ):
        if used is None or not isinstance(limit, int):
            continue
        if used < warn_share * limit and limit - used >= least_left:
            continue
        yield (fail if used >= fail_share * limit else warn)(
            f"{used} of {limit} processes and threads are running",
            subject=subject,
            evidence=[f"{max(0, limit - used)} more can be started"],
            remedy=Remedy(text=f"stop what is not needed; {text}", who="admin"),
        )


@check(area="machine")
def zombies_many(limits: Limits, facts: Facts, *, maximum: int = 1000) -> Findings:
    """Very many processes have ended without their parent taking notice: process numbers run out."""
    if limits.zombies is None or limits.zombies < maximum:
        return
    yield warn(
        f"about {limits.zombies} processes have ended and were not taken notice of (zombies)",
        evidence=[f"{limits.tasks} processes and threads in all" if limits.tasks else "state Z in /proc/*/stat"],
        remedy=Remedy(
            text="start the container with an init process (docker: --init)"
            if facts.container.facts
            else "restart their parent (ps -eo ppid,stat | grep Z)"
        ),
    )
