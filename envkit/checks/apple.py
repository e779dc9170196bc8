"""Apple silicon: an arm64 Python, a macOS that is new enough, and a GPU that PyTorch sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import grave, judged
from envkit.checks._packages import installed
from envkit.findings import Findings, Remedy, fail
from envkit.versions import release

if TYPE_CHECKING:
    from envkit.facts.accelerators import Apple
    from envkit.facts.software import Python, Torch, TorchDeep
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_MASKED = "10.16"  # what macOS 11 and newer call themselves to programs built for older ones


@check(area="accelerators")
def apple_rosetta(apple: Apple) -> Findings:
    """An x86-64 Python runs translated (Rosetta) on Apple silicon: slow, and without the GPU."""
    if apple.rosetta:
        yield fail(
            "this is an x86-64 Python on Apple silicon (Rosetta)",
            evidence=[apple.chip or "Apple silicon"],
            remedy=Remedy(
                text="use an arm64 Python", commands=[["uv", "python", "install", "cpython-3.12-macos-aarch64"]]
            ),
        )


@check(area="frameworks")
def macos_too_old_for_mps(
    apple: Apple, torch: Torch, python: Python, knowledge: Knowledge, profile: Profile
) -> Findings:
    """This macOS is too old for PyTorch's GPU backend (MPS), which then trains on the CPU, or for its wheel."""
    have = release(apple.macos_version or "")
    if not judged(profile, "apple") or have is None or apple.macos_version == _MASKED:
        return
    package = installed(python).get("torch")
    tags = [tag for tag in (package.tags if package else []) if (_wheel_macos(tag))]
    floors = {"the wheel's tag": _wheel_macos(tags[0])} if tags else {}
    if needed := knowledge.accelerators.mps_macos(torch.version):
        floors["its GPU backend"] = needed
    unmet = {what: floor for what, floor in floors.items() if have < (release(floor) or ())}
    if unmet:
        newest = max(unmet.values(), key=lambda floor: release(floor) or ())
        yield grave(profile)(
            f"PyTorch {torch.version} needs macOS {newest} for the GPU, this is {apple.macos_version}",
            evidence=[f"{what}: macOS {floor}" for what, floor in unmet.items()],
            remedy=Remedy(text="update macOS, or install an older PyTorch (2.8 for macOS 13, 2.7 for 12.3)"),
        )


def _wheel_macos(tag: str) -> str:
    """Of "cp312-none-macosx_14_0_arm64" the "14.0"; "" of another tag."""
    found = re.search(r"-macosx_(\d{1,3})_(\d{1,3})_", tag)
    return f"{found[1]}.{found[2]}" if found else ""


@check(area="frameworks", after=("apple-rosetta", "macos-too-old-for-mps"))
def torch_mps_unavailable(apple: Apple, torch: Torch, torch_deep: TorchDeep, profile: Profile) -> Findings:
    """PyTorch does not see the GPU of Apple silicon (MPS), so it trains on the CPU.

    A sandbox or a virtual machine without the GPU is told by PyTorch in the words of a macOS that is too old.
    """
    if judged(profile, "apple") and torch_deep.imported and not any(d.kind == "mps" for d in torch_deep.devices):
        guest = apple.virtual_machine
        yield grave(profile)(
            "PyTorch does not see the GPU (MPS)",
            evidence=[
                torch_deep.error or f"torch.backends.mps.is_available() is not True in PyTorch {torch.version}",
                *(["this macOS is a virtual machine"] if guest else []),
            ],
            remedy=Remedy(
                text="run on the Mac itself, not in a virtual machine"
                if guest
                else "run outside of any sandbox, or install PyTorch's own arm64 wheel"
            ),
        )
