"""libtpu: whether it is installed, fits JAX and PyTorch/XLA, and shows JAX the TPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import grave, judged
from envkit.checks._packages import installed, repair
from envkit.findings import Findings, Remedy, fail
from envkit.versions import parse_requirement, satisfies

if TYPE_CHECKING:
    from envkit.facts.accelerators import Tpu
    from envkit.facts.software import Jax, JaxDeep, Package, Python
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile


@check(area="frameworks", after="tpu-missing")
def libtpu_missing(tpu: Tpu, jax: Jax, profile: Profile) -> Findings:
    """JAX is installed on a TPU machine without libtpu."""
    if (
        judged(profile, "tpu")
        and (tpu.pci_devices or tpu.device_nodes)
        and not (jax.libtpu or tpu.libtpu_path or tpu.libtpu_version)
    ):
        yield fail(
            "libtpu is not installed, so JAX cannot use the TPU",
            evidence=[f"jax {jax.version}"],
            remedy=Remedy(text="set up the TPU profile", commands=[["envkit", "setup", "--profile", "tpu"]]),
        )


@check(area="frameworks")
def libtpu_mismatch(python: Python, tpu: Tpu | None, knowledge: Knowledge, profile: Profile) -> Findings:
    """The installed libtpu is not the one that JAX or PyTorch/XLA was made for: it does not load, or crashes.

    By what their extra "tpu" requires; of JAX also by the table of its releases.
    """
    packages = installed(python)
    libtpu = packages.get("libtpu")
    if libtpu is None or libtpu.version is None or not judged(profile, "tpu"):
        return
    if not profile.name and tpu is None:  # without a TPU nothing loads it
        return
    for name in ("jax", "torch-xla"):
        package = packages.get(name)
        wanted = _wanted(package, knowledge) if package else ""
        if package and wanted and satisfies(libtpu.version, wanted) is False:
            yield fail(
                f"libtpu {libtpu.version} does not fit {name} {package.version}, which needs libtpu{wanted}",
                subject=name,
                evidence=[f"{name} {package.version}", f"libtpu {libtpu.version}"],
                remedy=Remedy(
                    text="install them in one go; JAX and PyTorch/XLA need environments of their own",
                    commands=repair(python, profile, f"{name.replace('-', '_')}[tpu]=={package.version}"),
                ),
            )


def _wanted(package: Package, knowledge: Knowledge) -> str:
    parsed = [parse_requirement(line) for line in package.requires]
    required = next((r.specifiers for r in parsed if r and r.name == "libtpu" and r.specifiers), "")
    if required or package.name != "jax":
        return required
    return knowledge.accelerators.libtpu.get(package.version or "", "")


@check(
    area="frameworks",
    after=(
        "tpu-missing",
        "tpu-devices-unusable",
        "tpu-held",
        "tpu-lockfile-foreign",
        "libtpu-missing",
        "libtpu-mismatch",
    ),
)
def jax_sees_no_tpu(jax: Jax, jax_deep: JaxDeep, tpu: Tpu, python: Python, profile: Profile) -> Findings:
    """JAX has libtpu, there is a TPU, and JAX does not see it."""
    seen = any(device.kind == "tpu" for device in jax_deep.devices)
    if judged(profile, "tpu") and (jax.libtpu or tpu.libtpu_path) and jax_deep.imported and not seen:
        platforms = python.environment.get("JAX_PLATFORMS")
        yield grave(profile)(
            "JAX sees no TPU",
            evidence=[
                jax_deep.error or "jax.devices() has no TPU",
                *([f"JAX_PLATFORMS={platforms}"] if platforms else []),
            ],
            remedy=Remedy(text="unset JAX_PLATFORMS, and look at what `jax.devices('tpu')` raises"),
        )
