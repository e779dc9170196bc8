"""Which of the GPUs CUDA shows to a process: CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER, MIG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import grave, judged, label, usable
from envkit.checks._visible_devices import visible
from envkit.findings import Findings, Remedy, count, fail, warn

if TYPE_CHECKING:
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Python
    from envkit.profile import Profile

_VARIABLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_MIG_GUIDE = "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/"


@check(area="accelerators", after="scheduler-no-gpu")
def gpu_visible_devices_hides(nvidia: Nvidia, python: Python, profile: Profile) -> Findings:
    """CUDA_VISIBLE_DEVICES hides GPUs from CUDA that it names, or more of them than the profile allows.

    CUDA reads the list up to the first entry that is no GPU and drops the rest; an empty list, and one that names a GPU
    twice, hide them all. A list that is read to its end is taken for a choice.
    Source: CUDA C++ Programming Guide, "CUDA Environment Variables".
    """
    value, gpus = python.environment.get(_VARIABLE), usable(nvidia)
    shown = visible(value, gpus) if judged(profile) and value is not None and gpus else None
    if value is None or shown is None:
        return
    least = profile.requires.accelerators_min if profile.requires.accelerator == "nvidia" else 1
    number = len(shown.gpus) + len(shown.mig)
    if shown.mig and number >= least:
        return
    if shown.dropped or number < least:
        few = f"profile {profile.name} needs {least}" if 0 < number < least else ""
        found = warn if number and not few else grave(profile)
        yield found(
            f"{_VARIABLE} shows CUDA {number or 'none'} of "
            + (count(sum(len(gpu.mig or []) for gpu in gpus), "MIG device") if shown.mig else count(len(gpus), "GPU")),
            evidence=[f"{_VARIABLE}={value}", *filter(None, (shown.dropped, few))],
            remedy=Remedy(text="unset it, or correct the list", commands=[["unset", _VARIABLE]]),
        )


@check(area="accelerators", after="gpu-visible-devices-hides")
def gpu_order_differs(nvidia: Nvidia, python: Python, profile: Profile) -> Findings:
    """CUDA_VISIBLE_DEVICES chooses among GPUs of different models by number, and CUDA numbers them by speed.

    nvidia-smi and NVML number them by PCI address; CUDA does with CUDA_DEVICE_ORDER=PCI_BUS_ID only.
    """
    value, order, gpus = python.environment.get(_VARIABLE), python.environment.get(_ORDER), usable(nvidia)
    shown = visible(value, gpus) if judged(profile) and value else None
    models = {gpu.name for gpu in gpus}
    if shown and shown.by_index and order != "PCI_BUS_ID" and len(models) > 1 and 0 < len(shown.gpus) < len(gpus):
        yield warn(
            f"{_VARIABLE}={value} may mean other GPUs than nvidia-smi shows under these numbers",
            evidence=[
                *(label(gpu) for gpu in gpus[:8]),
                f"{_ORDER}={order}" if order else f"{_ORDER} is not set: the fastest GPU is 0",
            ],
            remedy=Remedy(
                text="have CUDA number them as nvidia-smi does, or choose by UUID (nvidia-smi -L)",
                commands=[["export", f"{_ORDER}=PCI_BUS_ID"]],
            ),
        )


@check(area="accelerators", after=("gpu-visible-devices-hides", "mig-without-instances"))
def mig_hides_gpus(nvidia: Nvidia, python: Python, profile: Profile) -> Findings:
    """A GPU is divided into MIG devices, of which CUDA shows a process one, and then none of the whole GPUs.

    Source: NVIDIA MIG User Guide, "CUDA Device Enumeration".
    """
    gpus = usable(nvidia) if judged(profile) else []
    divided = [gpu for gpu in gpus if gpu.mig_mode == "enabled" and gpu.mig_devices]
    whole = [gpu for gpu in gpus if gpu.mig_mode != "enabled"]
    least = profile.requires.accelerators_min if profile.requires.accelerator == "nvidia" else 1
    if not divided or python.environment.get(_VARIABLE) is not None or not (whole or least > 1):
        return
    hidden = f" and hides {count(len(whole), 'whole GPU')}" if whole else ""
    needs = f", profile {profile.name} needs {least}" if least > 1 else ""
    yield (fail if needs else warn)(
        f"CUDA shows a process one MIG device{hidden}{needs}",
        evidence=[
            *(f"{label(gpu)}: {count(gpu.mig_devices or 0, 'MIG device')}" for gpu in divided[:4]),
            f"{_VARIABLE} is not set",
        ],
        remedy=Remedy(
            text="choose what a process uses by UUID (nvidia-smi -L), or switch MIG off (nvidia-smi -mig 0)",
            url=_MIG_GUIDE,
        ),
    )
