"""JAX: jax, jaxlib and plugins of one version, and a plugin for the accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import ACCELERATOR_TROUBLE, NVIDIA_TROUBLE, judged, out_of_reach, usable, without_accelerator
from envkit.checks._packages import installed, repair
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import parse_requirement, release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Jax, JaxDeep, Python
    from envkit.profile import Profile


@check(area="frameworks", after=ACCELERATOR_TROUBLE)
def jax_trains_on_cpu(jax: Jax, facts: Facts, profile: Profile) -> Findings:
    """JAX trains on the CPU, for there is no accelerator it could use."""
    if out_of_reach(facts, profile):
        yield warn(f"JAX {jax.version} {without_accelerator(facts)}")


@check(area="frameworks")
def jax_jaxlib_mismatch(jax: Jax, python: Python, profile: Profile) -> Findings:
    """jax, jaxlib and JAX's plugins are not of versions that belong together: they crash or refuse to load.

    jax says which jaxlib it takes; a plugin must be of the version of jaxlib.
    """
    package = installed(python).get("jax")
    parsed = [parse_requirement(line) for line in package.requires] if package else []
    wanted = next((r.specifiers for r in parsed if r and r.name == "jaxlib" and not r.marker), "")
    own = jax.jaxlib
    wrong = {n: version for n, version in jax.plugins.items() if own and release(version) != release(own)}
    if own is None or (wanted and satisfies(own, wanted) is False):
        wrong["jaxlib"] = own or "not installed"
    if wrong:
        yield fail(
            f"jax {jax.version} and {', '.join(wrong)} do not belong together",
            evidence=[f"jax {jax.version}, jaxlib {jax.jaxlib}", *(f"{name} {v}" for name, v in wrong.items())],
            remedy=Remedy(
                text="install them in one go",
                commands=repair(python, profile, f"jax=={jax.version}", f"jaxlib=={jax.version}", *_pinned(jax)),
            ),
        )


def _pinned(jax: Jax) -> list[str]:
    return [f"{name}=={jax.version}" for name in jax.plugins]


@check(
    area="frameworks", after=(*NVIDIA_TROUBLE, "jax-jaxlib-mismatch", "driver-too-old-for-jax", "gpu-arch-not-in-jax")
)
def jax_sees_no_gpu(jax: Jax, jax_deep: JaxDeep, nvidia: Nvidia, profile: Profile) -> Findings:
    """JAX has a CUDA plugin, there is a GPU, and JAX does not see it."""
    plugin = any(name.startswith("jax-cuda") for name in jax.plugins)
    seen = [device for device in jax_deep.devices if device.kind != "cpu"]
    if judged(profile) and plugin and jax_deep.imported and not seen and usable(nvidia):
        found = fail if profile.wants_gpu else warn
        yield found(
            "JAX sees no GPU",
            evidence=[jax_deep.error or "jax.devices() has the CPU only"],
            remedy=Remedy(text="unset JAX_PLATFORMS and LD_LIBRARY_PATH, and look at what `jax.devices('gpu')` raises"),
        )
