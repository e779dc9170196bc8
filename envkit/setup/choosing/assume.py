"""`--assume`: an environment for a machine with NVIDIA GPUs that is not here (a builder without one). Pure.

A driver may be given by its branch alone. "570" is then taken for the newest release of that branch, so that it meets
every floor within it (">=570.26") and none of a later one (">=580.65.06"); in facts it is written 570.999, which NVIDIA
never released, and `spoken` makes "570" of it again in whatever is shown.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from envkit.checks._gpus import capability_of, usable
from envkit.checks.assumptions import is_named
from envkit.errors import InputError, did_you_mean
from envkit.facts import Facts, Section, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml
from envkit.findings import count
from envkit.knowledge import Knowledge

KEYS = ("driver", "cc", "gpu", "gpus")
EXAMPLE = "--assume driver=570,gpu=H100,gpus=8"
_NEWEST = ".999"
_MOST_GPUS = 128
_BRANDS = {"geforce", "nvidia", "quadro", "tesla"}
_HINT = "without its name: --assume cc=9.0; or name it as nvidia-smi does"
_WHY = "--assume speaks of a machine with NVIDIA GPUs"
_HIDING = {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"}


def parse(text: str, knowledge: Knowledge) -> dict[str, str]:
    """What is assumed, by key: "driver=570,gpu=H100" -> {"driver": "570", "cc": "9.0", "gpu": "H100"}.

    A named GPU tells its compute capability. This is what the environment remembers.

    Raises:
        InputError: a key or a GPU that is not known, a key twice, a value of the wrong kind, or a compute capability
            that the named GPU does not have.
    """
    given: dict[str, str] = {}
    for item in text.split(","):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in KEYS:
            raise _wrong(f"{key or item!r} is nothing to assume{did_you_mean(key, KEYS)} (known: {', '.join(KEYS)})")
        if key in given:
            raise _wrong(f"{key} is said twice")
        given[key] = _READERS[key](value, knowledge)
    if "gpu" in given:
        own = knowledge.capability_of(given["gpu"]) or ""
        if given.setdefault("cc", own) != own:
            raise _wrong(f"cc={given['cc']}, but the {given['gpu']} has compute capability {own}")
    return {key: given[key] for key in KEYS if key in given}


def _wrong(message: str, hint: str = "") -> InputError:
    return InputError(f"--assume: {message}", hint=hint or f"for example: {EXAMPLE}")


def _driver(value: str, _: Knowledge) -> str:
    if not re.fullmatch(r"[0-9]{3}(\.[0-9]{1,3}){0,2}", value):
        raise _wrong(f"driver={value} is no version of an NVIDIA driver, such as 570 or 570.124.06")
    return value


def _capability(value: str, _: Knowledge) -> str:
    if not re.fullmatch(r"[1-9][0-9]?\.[0-9]", value):
        raise _wrong(f"cc={value} is no compute capability, such as 9.0")
    return value


def _number(value: str, _: Knowledge) -> str:
    if not re.fullmatch("[0-9]{1,3}", value) or not 1 <= int(value) <= _MOST_GPUS:
        raise _wrong(f"gpus={value} is no number of GPUs from 1 to {_MOST_GPUS}")
    return str(int(value))


def _gpu(value: str, knowledge: Knowledge) -> str:
    if knowledge.gpu_model(value):
        return value
    import difflib  # noqa: PLC0415 - for an error message only

    words = value.lower().split()
    names = {name: [word for word in name.lower().split() if word not in _BRANDS] for name in knowledge.gpus.gpus}
    several = [name for name, own in names.items() if words and set(words) <= set(own)]
    if several:
        raise _wrong(f"gpu={value} could be {' or '.join(several[:4])}", _HINT)
    starts = {" ".join(own[: len(words)]): name for name, own in reversed(names.items())}
    near = [starts[start] for start in difflib.get_close_matches(" ".join(words), starts) if words]
    also = f", did you mean {' or '.join(near)}?" if near else ""
    raise _wrong(f"gpu={value} is no GPU that envkit knows{also}", _HINT)


_READERS = {"driver": _driver, "cc": _capability, "gpu": _gpu, "gpus": _number}


def assumed(facts: Facts, assumptions: dict[str, str], knowledge: Knowledge) -> Facts:
    """The facts as they would be there: those NVIDIA GPUs and no other accelerator, their driver loaded and answering.

    What is not assumed of the GPUs and their driver is None, and what the builder's own driver, scheduler, container
    engine and kernel's log tell is left out, so that nothing of it is judged.
    """
    model = knowledge.gpu_model(assumptions.get("gpu"))
    gpu = NvidiaGpu(
        index=0,
        name=assumptions.get("gpu"),
        compute_capability=assumptions.get("cc"),
        memory_total_bytes=int(model.memory_gib * (1 << 30))
        if model and model.memory_gib and not model.unified_memory
        else None,
    )
    version = _written(assumptions["driver"]) if "driver" in assumptions else None
    nvidia = Nvidia(
        module_loaded=True,
        module_version=version,
        uvm_loaded=True,
        libcuda_path="libcuda.so.1",
        libcuda_version=version,
        nvml=Nvml(outcome="ok"),
        driver_version=version,
        cuda_driver_version=knowledge.drivers.cuda_of(version) if version else None,
        gpus=[replace(gpu, index=index) for index in range(int(assumptions.get("gpus", "1")))],
    )
    container, python = facts.container.facts, facts.python.facts
    if container:
        container = replace(
            container,
            host_nvidia_driver=None,
            nvidia_device_nodes=None,
            nvidia_visible_devices=None,
            nvidia_driver_capabilities=None,
        )
    if python:
        kept = {name: value for name, value in python.environment.items() if name not in _HIDING}
        python = replace(python, environment=kept)
    return replace(
        facts,
        nvidia=ok(nvidia),
        **dict.fromkeys(("amd", "intel", "tpu", "apple"), absent(_WHY)),
        **dict.fromkeys(("allocation", "container_engine", "kernel", "kernel_log"), Section()),
        **dict.fromkeys(("torch_deep", "tensorflow_deep", "jax_deep"), Section()),
        container=replace(facts.container, facts=container),
        python=replace(facts.python, facts=python),
    )


def notes(facts: Facts, assumptions: dict[str, str], knowledge: Knowledge) -> list[str]:
    """What is to be said beside the plan: what is assumed, and what of it this machine's own GPUs contradict."""
    number, name = int(assumptions.get("gpus", "1")), assumptions.get("gpu", "")
    device = f"{count(number, 'NVIDIA GPU')}{f' ({name})' if name else ''}"
    driver = f"driver {assumptions['driver']}" if "driver" in assumptions else ""
    capability = f"compute capability {assumptions['cc']}" if "cc" in assumptions else ""
    said = [f"planned for a machine that need not be this one: {', '.join(filter(None, (device, capability, driver)))}"]
    nvidia = facts.nvidia.facts
    gpus = usable(nvidia)
    own = dict.fromkeys(gpu.name or "an NVIDIA GPU" for gpu in gpus if _differs(gpu, assumptions, knowledge))
    have = nvidia.driver_version if nvidia and gpus else None
    if have and not f"{have}.".startswith(f"{assumptions.get('driver', have)}."):
        own[f"driver {have}"] = None
    if own:
        said.append(f"this machine has {', '.join(own)}; what is assumed counts")
    return said


def _differs(gpu: NvidiaGpu, assumptions: dict[str, str], knowledge: Knowledge) -> bool:
    capability = capability_of(gpu, knowledge)
    other = bool(capability and capability != assumptions.get("cc", capability))
    return other or not is_named(gpu.name, assumptions.get("gpu", ""))


def spoken(text: str) -> str:
    """The text with branches of drivers as they were given: "this is 570.999" -> "this is 570"."""
    return re.sub(rf"\b(\d{{3}}){re.escape(_NEWEST)}\b", r"\1", text)


def _written(driver: str) -> str:
    return driver if "." in driver else driver + _NEWEST
