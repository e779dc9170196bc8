"""JAX: its parts from metadata; its devices and libraries by importing it."""

from __future__ import annotations

import importlib
import logging
import os

from . import deep, distributions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

PLUGINS = ("jax_cuda13_plugin", "jax_cuda12_plugin", "jaxlib.cuda")
"""Modules that may hold what JAX needs of CUDA, in the order in which JAX asks them."""
LIBRARIES: dict[str, Callable[[int | None], str | None]] = {
    "cuda_runtime": lambda number: deep.dotted(number, 1_000, 10),
    "cudnn": deep.cudnn_version,
    "cublas": lambda number: deep.dotted(number, 10_000),
    "cufft": lambda number: deep.dotted(number, 1_000),
    "cusparse": lambda number: deep.dotted(number, 1_000),
}
"""What JAX wants to be no older than, to how its versions are written as one number."""


def observe() -> dict[str, Any] | None:
    """The facts of the section `jax`."""
    package = distributions.find("jax")
    if package is None:
        return None
    jaxlib = distributions.find("jaxlib")
    libtpu = distributions.find("libtpu", "libtpu-nightly")
    return {
        "version": package["version"],
        "location": package["location"],
        "jaxlib": jaxlib and jaxlib["version"],
        "plugins": distributions.starting_with("jax-cuda", "jax-rocm", "jax-metal"),
        "libtpu": libtpu and libtpu["version"],
    }


def observe_deep() -> Iterator[dict[str, Any]]:
    """The facts of the section `jax_deep`: once after the import, once more with the devices."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else looking would take 3/4 of each GPU's memory
    return deep.examine("jax", _look)


def _look(jax: Any) -> dict[str, Any]:
    words = _Words()
    found: dict[str, Any] = {}
    try:
        found["devices"] = [_device(jax, device) for device in jax.devices()]
    except Exception as error:  # noqa: BLE001 - its text is the answer, and the libraries can still be told
        found["error"] = deep.last_line(error)
    return {**found, "cuda_error": words.said, "cuda_libraries": _cuda_libraries()}


class _Words(logging.Handler):
    """What JAX logs about a GPU that it does not use: it falls back to the CPU and raises nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.said: str | None = None
        logger = logging.getLogger("jax._src.xla_bridge")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.said = deep.last_line(record.exc_info[1])
        elif "initialize backend 'cuda'" in record.getMessage():
            self.said = self.said or record.getMessage().partition("\n")[0]


def _device(jax: Any, device: Any) -> dict[str, Any]:
    kind = device.platform
    if kind == "gpu":
        kind = "rocm" if "rocm" in str(getattr(device.client, "platform_version", "")).lower() else "cuda"
    capability = getattr(device, "compute_capability", None) if kind == "cuda" else None
    return {
        "kind": kind,
        "name": getattr(device, "device_kind", None),
        "compute_capability": str(capability) if capability else None,
        **(deep.tried(lambda: _sum(jax, device)) if kind != "cpu" else {}),
    }


def _sum(jax: Any, device: Any) -> float:
    return float((jax.device_put(jax.numpy.ones(1024), device) + 1).sum())


def _cuda_libraries() -> list[dict[str, Any]]:
    """The versions that JAX's CUDA plugin was built with and those it has loaded; [] without the plugin."""
    for plugin in PLUGINS:
        try:
            versions = importlib.import_module(f"{plugin}._versions")
        except ImportError:
            continue
        return [
            {
                "name": name,
                "built": version(deep.asked(versions, f"{name}_build_version")),
                "loaded": version(deep.asked(versions, f"{name}_get_version")),
            }
            for name, version in LIBRARIES.items()
        ]
    return []
