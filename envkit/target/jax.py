"""JAX: its parts from metadata; its devices and libraries by importing it."""

from __future__ import annotations

import os

from . import deep, distributions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


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
    return {"devices": [_device(device) for device in jax.devices()]}


def _device(device: Any) -> dict[str, Any]:
    kind = device.platform
    if kind == "gpu":
        kind = "rocm" if "rocm" in str(getattr(device.client, "platform_version", "")).lower() else "cuda"
    capability = getattr(device, "compute_capability", None) if kind == "cuda" else None
    return {
        "kind": kind,
        "name": getattr(device, "device_kind", None),
        "compute_capability": str(capability) if capability else None,
    }
