"""Whether each framework can be imported at all (with --deep), and NumPy's version, which they depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import installed, remove_bytecode, repair
from envkit.findings import Findings, Remedy, fail
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import JaxDeep, Python, TensorflowDeep, TorchDeep
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_CAUSES = (
    "module-shadowed",
    "files-missing",
    "duplicate-distributions",
    "files-overwritten",
    "numpy-abi",
    "mixed-cuda-majors",
    "nvidia-pin-mismatch",
    "broken-requirements",
    "target-noexec",
)


def _failed(name: str, deep: TorchDeep | TensorflowDeep | JaxDeep, knowledge: Knowledge, facts: Facts) -> Findings:
    if deep.imported:
        return
    error = deep.error or "no error was told"
    row, python = knowledge.import_failure(error), facts.python.facts
    clears = bool(row and row.bytecode and python and python.prefix)
    yield fail(
        f"{name} cannot be imported" + (f": {row.cause}" if row else ""),
        evidence=[error],
        remedy=Remedy(
            text=row.remedy if row else "reinstall it together with what it requires",
            commands=[remove_bytecode(python.prefix)] if clears and python else [],
            safe=clears,
        ),
    )


@check(area="frameworks", after=(*_CAUSES, "torch-torchvision-mismatch"))
def torch_import_fails(torch_deep: TorchDeep, knowledge: Knowledge, facts: Facts) -> Findings:
    """PyTorch cannot be imported."""
    yield from _failed("PyTorch", torch_deep, knowledge, facts)


@check(area="frameworks", after=(*_CAUSES, "cpu-no-avx"))
def tensorflow_import_fails(tensorflow_deep: TensorflowDeep, knowledge: Knowledge, facts: Facts) -> Findings:
    """TensorFlow cannot be imported."""
    yield from _failed("TensorFlow", tensorflow_deep, knowledge, facts)


@check(area="frameworks", after=(*_CAUSES, "jax-jaxlib-mismatch"))
def jax_import_fails(jax_deep: JaxDeep, knowledge: Knowledge, facts: Facts) -> Findings:
    """JAX cannot be imported."""
    yield from _failed("JAX", jax_deep, knowledge, facts)


@check(area="frameworks")
def numpy_abi(python: Python, facts: Facts, profile: Profile) -> Findings:
    """NumPy 2 is installed with a framework that was built for NumPy 1.

    PyTorch before 2.3 and TensorFlow before 2.18 were. PyTorch does not say so in its metadata.
    """
    numpy = installed(python).get("numpy")
    if not numpy or not numpy.version or satisfies(numpy.version, ">=2") is not True:
        return
    torch, tensorflow = facts.torch.facts, facts.tensorflow.facts
    old = [f"PyTorch {torch.version}"] if torch and satisfies(torch.version, "<2.3") else []
    old += [f"TensorFlow {tensorflow.version}"] if tensorflow and satisfies(tensorflow.version, "<2.18") else []
    for framework in old:
        yield fail(
            f"{framework} was built for NumPy 1, and NumPy {numpy.version} is installed",
            evidence=[f"numpy {numpy.version}"],
            remedy=Remedy(
                text="install NumPy 1, or a newer framework", commands=repair(python, profile, "numpy<2"), safe=True
            ),
        )
