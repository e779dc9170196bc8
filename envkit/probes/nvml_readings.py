"""How one answer of NVML becomes a value, or none. Part of the program nvml_child.py: nothing of envkit is imported."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

NOT_AVAILABLE = frozenset({0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF})  # NVML_VALUE_NOT_AVAILABLE, by width


class NotAReadingError(Exception):
    """NVML reported success, but no reading."""


class Device:
    """A handle, and what each function has said of it: a function is called once, however many fields it tells."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml = nvml
        self.handle = handle
        self.said: dict[tuple[object, ...], Any] = {}

    def call(self, function: str, *arguments: object) -> Any:
        """The answer of a function of nvidia-ml-py, or its error again."""
        return self.once((function, *arguments), lambda: plain(getattr(self.nvml, function))(self.handle, *arguments))

    def fill(self, function: str, structure: str) -> Any:
        """The structure that a function fills."""

        def ask() -> Any:
            filled = getattr(self.nvml, structure)()
            getattr(self.nvml, function)(self.handle, ctypes.byref(filled))
            return filled

        return self.once((function,), ask)

    def once(self, key: tuple[object, ...], ask: Callable[[], Any]) -> Any:
        if key not in self.said:
            try:
                self.said[key] = ask()
            except (self.nvml.NVMLError, AttributeError) as error:
                self.said[key] = error
        if isinstance(self.said[key], Exception):
            raise self.said[key]
        return self.said[key]

    def field(self, name: str) -> int:
        """One of NVML's numbered fields, all of which are unsigned here."""
        (found,) = self.call("nvmlDeviceGetFieldValues", (getattr(self.nvml, name),))
        return field_value(self.nvml, found)


def reason(nvml: Any, error: Exception) -> str:
    """NVML's name of an error, "NOT_SUPPORTED"; of what is none of NVML's, its own words."""
    if nvml is None or not isinstance(error, nvml.NVMLError):
        return str(error)
    return names_of_errors(nvml).get(error.value, f"ERROR_{error.value}")


@cache
def names_of_errors(nvml: Any) -> dict[int, str]:
    prefix = "NVML_ERROR_"
    return {number: name.removeprefix(prefix) for name, number in vars(nvml).items() if name.startswith(prefix)}


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without nvidia-ml-py's decoding, which raises where a text is no UTF-8."""
    return getattr(function, "__wrapped__", function)


def field_value(nvml: Any, found: Any) -> int:
    if found.nvmlReturn:
        raise nvml.NVMLError(found.nvmlReturn)
    return reading(found.value.uiVal)


def reading(value: int) -> int:
    if value in NOT_AVAILABLE:
        raise NotAReadingError("NOT_AVAILABLE")
    return value


def positive(value: int) -> int:
    """A quantity of which no working GPU has none: drivers say 0 W where they do not know (tensorrtllm_backend#363)."""
    if reading(value) == 0:
        raise NotAReadingError("ZERO")
    return value


def named(names: Mapping[int, str] | Sequence[str], number: int) -> str:
    """What a number of nvml.h stands for."""
    if number in (names if isinstance(names, Mapping) else range(len(names))):
        return names[number]
    raise NotAReadingError(f"UNKNOWN_VALUE_{number}")


def text(value: bytes | str) -> str:
    """A name; what is no UTF-8 in it becomes U+FFFD."""
    words = value if isinstance(value, str) else value.decode("utf-8", "replace")
    if not words.strip():
        raise NotAReadingError("EMPTY")
    return words


def watts(milliwatts: int) -> float:
    return positive(milliwatts) / 1000


def switch(modes: list[int]) -> str:
    """Of [current, pending], the current one."""
    return "enabled" if modes[0] else "disabled"


def pending(modes: list[int]) -> str:
    """Of [current, pending], what holds after the next reset."""
    return "enabled" if modes[1] else "disabled"


def sysfs_address(info: Any) -> str:
    """NVML says "00000000:01:00.0", sysfs "0000:01:00.0"."""
    domain, _, rest = info.busId.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


def performance_state(number: int) -> str:
    """P0 to P15; 32 is unknown."""
    if not 0 <= number < 16:
        raise NotAReadingError("UNKNOWN_STATE")
    return f"P{number}"
