"""What is asked of a world: how many ranks, which cases; or why it cannot be done, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from envkit.errors import CannotTell, InputError, did_you_mean
from envkit.knowledge.smoke_memory import SmokeMemory
from envkit.smoke import cases
from envkit.smoke.distributed.place import Place
from envkit.smoke.distributed.types import Framework, Task

TRAINED: dict[Framework, tuple[str, ...]] = {
    "torch": ("mlp", "cnn-smooth", "lstm", "transformer"),
    "tensorflow": ("mlp", "cnn-smooth"),
    "jax": ("mlp", "cnn-smooth"),
}
"""Cases whose trajectory float32 can follow. Adam is blind to a gradient that is N times too large; SGD is not."""

FORMS: dict[Framework, tuple[str, ...]] = {"torch": ("eager",), "tensorflow": ("compiled",), "jax": ("compiled",)}
"""In which variants the workers train: see `knowledge/smoke_memory.yaml`."""
GIB = 1 << 30


def size_of(nproc: int | None, place: Place | None) -> int:
    """How many ranks there are to be: the launcher's, else `nproc`, else 2."""
    if place and nproc not in {None, place.size}:
        raise InputError(
            f"--nproc {nproc}, but the launcher made {place.size} ranks",
            hint="leave --nproc out under torchrun and srun",
        )
    size = place.size if place else 2 if nproc is None else nproc
    if size < 1:
        raise InputError(f"--nproc {size}: expected 1 or more")
    return size


def cases_of(framework: Framework, models: Sequence[str]) -> list[str]:
    """The cases of these models, or of all, that can be trained together."""
    for model in models:
        if model not in cases.MODELS:
            raise InputError(
                f"no smoke model is called {model!r}{did_you_mean(model, cases.MODELS)}",
                hint=f"known models: {', '.join(cases.MODELS)}",
            )
    wanted = {case for model in models or cases.MODELS for case in cases.MODELS[model]}
    found = [case for case in TRAINED[framework] if case in wanted]
    if not found:
        known = [model for model, of_model in cases.MODELS.items() if set(of_model) & set(TRAINED[framework])]
        raise InputError(
            f"{framework} does not train {', '.join(models)} on many devices",
            hint=f"it does train {', '.join(known)}",
        )
    return found


def need_memory(task: Task, processes: int, needs: SmokeMemory, available_bytes: int | None) -> None:
    """Refuse so many processes of a task where they would not fit into the memory of this host."""
    models = {case.partition("-")[0] for case in task.cases}
    words = {task.framework, "cuda" if task.backend == "nccl" else "cpu", *FORMS[task.framework], *models}
    each = needs.need(words).memory
    if available_bytes is not None and each * processes > available_bytes:
        fewer = available_bytes // each
        raise CannotTell(
            f"{task.framework} needs about {each * processes / GIB:.1f} GiB of memory for {processes} process"
            f"{'es' if processes > 1 else ''}, {available_bytes / GIB:.1f} GiB are available: nothing was started",
            hint=f"there is room for {fewer}: --nproc {fewer}" if 1 < fewer < processes else "",
        )


def need_equal_shares(names: Sequence[str], size: int) -> None:
    """Every rank must have an equal share; with more ranks than samples, as many must have each sample."""
    for name in names:
        batch = cases.CASES[name](0).batches[0][0].shape[0]
        if batch % size and size % batch:
            shares = ", ".join(str(count) for count in range(1, batch + 1) if batch % count == 0)
            raise InputError(
                f"the {name}'s batch of {batch} samples does not divide by {size} ranks",
                hint=f"--nproc {shares}, or a multiple of {batch}",
            )
