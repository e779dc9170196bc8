"""NVML and libcuda: whether the driver's libraries are there and whether they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._admin import driver_branch, system_package
from envkit.checks._gpus import driver_answers, driver_expected, judged, on_pci, withheld
from envkit.checks._packages import listed
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_CAUSES = (
    "driver-capabilities-lack-compute",
    "nvidia-driver-not-loaded",
    "driver-library-mismatch",
)


def _library_remedy(facts: Facts, nvidia: Nvidia, knowledge: Knowledge, capability: str) -> Remedy:
    if facts.container.facts:
        text = f"start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility (it lacks {capability})"
        return Remedy(text=text)
    commands, origin = system_package("nvidia-libraries", facts, knowledge, branch=driver_branch(nvidia))
    text = f"install the package of the driver's libraries{origin} in the version of the driver"
    return Remedy(text=text, commands=commands, who="admin")


@check(area="accelerators", after=_CAUSES)
def nvml_library_missing(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """The driver's management library (libnvidia-ml.so.1) cannot be loaded."""
    if not judged(profile) or withheld(facts):
        return
    if nvidia.nvml.outcome == "library-missing" and (on_pci(nvidia) or nvidia.module_loaded):
        yield fail(
            "libnvidia-ml.so.1 cannot be loaded, so the GPUs cannot be asked",
            evidence=[nvidia.nvml.error or "not found by the loader"],
            remedy=_library_remedy(facts, nvidia, knowledge, "utility"),
        )


@check(area="accelerators", after=(*_CAUSES, "nvml-library-missing"))
def libcuda_missing(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """The driver's CUDA library (libcuda.so.1) is not there."""
    if not judged(profile) or withheld(facts):
        return
    looked = nvidia.device_nodes or nvidia.nvml.library_path  # the output of nvidia-smi says nothing of libcuda
    if nvidia.libcuda_path is None and looked and driver_answers(nvidia):
        yield fail(
            "libcuda.so.1 was not found, so no framework can use the GPU",
            evidence=[f"driver {nvidia.driver_version or nvidia.module_version or 'of unknown version'} is loaded"],
            remedy=_library_remedy(facts, nvidia, knowledge, "compute"),
        )


@check(area="accelerators")
def libcuda_stub(nvidia: Nvidia, profile: Profile) -> Findings:
    """The libcuda that would be loaded is the toolkit's stub, which only serves to link."""
    if judged(profile) and nvidia.libcuda_stub:
        yield fail(
            "libcuda.so.1 resolves to a stub of the CUDA toolkit",
            evidence=[nvidia.libcuda_path or "path unknown"],
            remedy=Remedy(text="take the stubs folder out of LD_LIBRARY_PATH and of the loader's configuration"),
        )


@check(area="accelerators", after="xid-hardware-fault")
def nvidia_driver_hangs(nvidia: Nvidia, profile: Profile) -> Findings:
    """The NVIDIA driver gave no answer in time.

    NVML was asked in a child process with a deadline. A process inside the driver can often not be killed.
    Reports: NVIDIA/go-nvml 152, NVIDIA/open-gpu-kernel-modules 971, leptonai/gpud 117.
    """
    if judged(profile) and nvidia.nvml.outcome == "timeout":
        waited = f"no answer after {nvidia.nvml.seconds:.0f} s" if nvidia.nvml.seconds else "no answer in time"
        answering = [gpu for gpu in nvidia.gpus or [] if gpu.error is None]
        yield fail(
            f"the NVIDIA driver does not answer{' every question' if answering else ''}",
            evidence=[
                f"NVML: {waited}" + (f", asked for {listed(nvidia.nvml.unanswered)}" if nvidia.nvml.unanswered else ""),
                *([f"{len(answering)} of {len(nvidia.gpus)} GPUs answer"] if nvidia.gpus else []),
                f"kernel module {nvidia.module_version or 'of unknown version'}",
            ],
            remedy=Remedy(
                text="look for Xid errors in the kernel's log, then reboot; "
                "on a busy machine ask again with a longer --timeout",
                commands=[["sudo", "dmesg", "--level=err,warn"]],
                who="admin",
            ),
        )


@check(area="accelerators", after="driver-library-mismatch")
def nvml_crashed(nvidia: Nvidia, profile: Profile) -> Findings:
    """The driver's management library crashed when it was asked."""
    if judged(profile) and nvidia.nvml.outcome == "crashed":
        yield fail(
            "NVML crashed in a child process: the driver is in a bad state",
            evidence=[
                nvidia.nvml.error or "signal unknown",
                *([f"asked for {listed(nvidia.nvml.unanswered)}"] if nvidia.nvml.unanswered else []),
            ],
            remedy=Remedy(text="look for Xid errors in the kernel's log (dmesg), then reboot", who="admin"),
        )


@check(
    area="accelerators",
    after=(
        "nvidia-driver-not-loaded",
        "driver-library-mismatch",
        "container-gpu-revoked",
        "nvidia-device-nodes-unusable",
        "scheduler-no-gpu",
    ),
)
def nvml_error(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """NVML started and then reported an error that no other check explains."""
    explained = {"DRIVER_NOT_LOADED", "LIB_RM_VERSION_MISMATCH", *(["UNKNOWN"] if facts.container.facts else [])}
    if not judged(profile) or not driver_expected(nvidia):
        return
    if nvidia.nvml.outcome == "error" and nvidia.nvml.error == "NO_PERMISSION":
        yield fail(
            "this user may not ask the NVIDIA driver",
            evidence=["NVML: NO_PERMISSION"],
            remedy=Remedy(
                text="look at who may open the device nodes; in a container pass the devices in with --gpus all or CDI",
                commands=[["ls", "-l", "/dev/nvidiactl", "/dev/nvidia0"]],
                who="admin",
            ),
        )
    elif nvidia.nvml.outcome == "error" and nvidia.nvml.error not in explained:
        yield fail(
            f"NVML reports {nvidia.nvml.error or 'an error'}",
            evidence=[f"kernel module {nvidia.module_version or 'of unknown version'}"],
            remedy=Remedy(
                text="look for NVRM messages in the kernel's log (dmesg); reboot if there are any", who="admin"
            ),
        )
