"""Profiles: find, read, merge (`extends`) and validate; all errors at once, each with file, line and key."""

from envkit.profile.find import Found, available, find
from envkit.profile.problems import Problem, ProfileErrors
from envkit.profile.read import load, load_file
from envkit.profile.types import (
    Accelerator,
    CheckOverride,
    Device,
    Framework,
    Option,
    Profile,
    ProfileFile,
    Requires,
    SmokeRun,
)

__all__ = [
    "Accelerator",
    "CheckOverride",
    "Device",
    "Found",
    "Framework",
    "Option",
    "Problem",
    "Profile",
    "ProfileErrors",
    "ProfileFile",
    "Requires",
    "SmokeRun",
    "available",
    "find",
    "load",
    "load_file",
]
