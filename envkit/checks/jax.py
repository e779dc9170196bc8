"""JAX: jax, jaxlib and plugins of one version, and a plugin for the accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import ACCELERATOR_TROUBLE, NVIDIA_TROUBLE, judged, out_of_reach, usable, without_accelerator
from envkit.checks._packages import install, installed, listed, repair
from envkit.checks.driver_version import cuda_major
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import minor, parse_requirement, release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Jax, JaxDeep, Python
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_FILES = {
    "cuda_runtime": "libcudart",
    "cudnn": "libcudnn",
    "cublas": "libcublas",
    "cufft": "libcufft",
    "cusparse": "libcusparse",
}
"""Library, as JAX's plugin calls it, to how its file's name begins."""


@check(area="frameworks", after=ACCELERATOR_TROUBLE)
def jax_trains_on_cpu(jax: Jax, facts: Facts, profile: Profile) -> Findings:
    """JAX trains on the CPU, for there is no accelerator it could use."""
    if out_of_reach(facts, profile):
        yield warn(f"JAX {jax.version} {without_accelerator(facts)}")


@check(area="frameworks")
def jax_jaxlib_mismatch(jax: Jax, python: Python, profile: Profile) -> Findings:
    """jax, jaxlib and JAX's plugins are not of versions that belong together: they crash or refuse to load.

    jax says which jaxlib it takes; its plugin for CUDA must be of the version of jaxlib, else jaxlib does not use it
    (jaxlib/plugin_support.py). Those for ROCm and Metal have versions of their own.
    """
    package = installed(python).get("jax")
    parsed = [parse_requirement(line) for line in package.requires] if package else []
    wanted = next((r.specifiers for r in parsed if r and r.name == "jaxlib" and not r.marker), "")
    own = jax.jaxlib
    for_cuda = {name: version for name, version in jax.plugins.items() if name.startswith("jax-cuda")}
    wrong = {name: version for name, version in for_cuda.items() if own and release(version) != release(own)}
    if own is None or (wanted and satisfies(own, wanted) is False):
        wrong["jaxlib"] = own or "not installed"
    if wrong:
        yield fail(
            f"jax {jax.version} and {', '.join(wrong)} do not belong together",
            evidence=[f"jax {jax.version}, jaxlib {jax.jaxlib}", *(f"{name} {v}" for name, v in wrong.items())],
            remedy=Remedy(
                text="install them in one go",
                commands=repair(python, profile, *_matching(jax, wanted)),
                safe=True,
            ),
        )


def _matching(jax: Jax, wanted: str) -> list[str]:
    """Requirements of what belongs to this jax; its plugins and jaxlib are of one version."""
    plugins = [name for name in jax.plugins if name.startswith("jax-cuda")]
    jaxlib = wanted if wanted and not plugins else f"=={jax.version}"
    return [f"jax=={jax.version}", f"jaxlib{jaxlib}", *(f"{name}=={jax.version}" for name in plugins)]


@check(
    area="frameworks",
    after=(*NVIDIA_TROUBLE, "framework-libraries-shadowed", "nvidia-pin-mismatch", "mixed-cuda-majors"),
)
def jax_cuda_library_unfit(
    jax_deep: JaxDeep, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """A library of CUDA that JAX has loaded is older than JAX takes, or JAX could not load it.

    JAX's plugin for CUDA says what it was built with and what it has loaded; that a cuDNN older than the one it was
    built with does not work, XLA says only when a program uses it.
    """
    if not judged(profile) or not usable(nvidia):
        return
    jax, version = facts.jax.facts, jax_deep.version or "of unknown version"
    requirement = f"jax[cuda{(cuda_major(jax) if jax else None) or 12}]{f'=={jax.version}' if jax else ''}"
    remedy = Remedy(
        text="install JAX with the libraries it requires, and unset LD_LIBRARY_PATH",
        commands=[install(facts.python.facts, requirement)],
    )
    seen = jax_deep.error or any(device.kind == "cuda" for device in jax_deep.devices)
    missing = [f"{each.name} {each.built}" for each in jax_deep.cuda_libraries if each.built and not each.loaded]
    if missing and not seen:
        yield fail(
            f"JAX could not load {listed(name.partition(' ')[0] for name in missing)}",
            evidence=[f"JAX {version} was built with {listed(missing)}", *filter(None, [jax_deep.cuda_error])],
            remedy=remedy,
        )
    for each in jax_deep.cuda_libraries:
        row = knowledge.jax.libraries.get(each.name)
        fitting = f">={row.least}" if row and row.least else f"~={minor(each.built)}" if each.built else ""
        if row and each.loaded and satisfies(each.loaded, fitting) is False:
            files = [path for path in jax_deep.libraries if _FILES.get(each.name, each.name) in path]
            yield fail(
                f"{each.name} {each.loaded} is loaded, JAX {version} needs {fitting.lstrip('~>=')}",
                subject=each.name,
                evidence=[f"built with {each.built or 'an unknown version'}", row.source, *files[:2]],
                remedy=remedy,
            )


@check(
    area="frameworks",
    after=(
        *NVIDIA_TROUBLE,
        "jax-jaxlib-mismatch",
        "driver-too-old-for-jax",
        "gpu-arch-not-in-jax",
        "jax-cuda-library-unfit",
    ),
)
def jax_sees_no_gpu(jax: Jax, jax_deep: JaxDeep, nvidia: Nvidia, profile: Profile) -> Findings:
    """JAX has a CUDA plugin, there is a GPU, and JAX does not see it."""
    plugin = any(name.startswith("jax-cuda") for name in jax.plugins)
    seen = [device for device in jax_deep.devices if device.kind != "cpu"]
    if judged(profile) and plugin and jax_deep.imported and not seen and usable(nvidia):
        found = fail if profile.wants_gpu else warn
        yield found(
            "JAX sees no GPU",
            evidence=[jax_deep.error or jax_deep.cuda_error or "jax.devices() has the CPU only"],
            remedy=Remedy(text="unset JAX_PLATFORMS and LD_LIBRARY_PATH, and look at what `jax.devices('gpu')` raises"),
        )
