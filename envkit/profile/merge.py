"""One profile's content over another's, and the content that a choice of its options makes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

from envkit.errors import InputError, closest
from envkit.profile.types import Framework
from envkit.profile.values import project

Content = dict[str, Any]


def merge(base: Content, over: Content) -> Content:
    """One profile's content over another's.

    Scalars and lists replace; `requires` is merged by key, `packages` by project, `smoke` by framework, `checks` by id,
    `options` by name. What an option has, and `over` names at its top, is replaced where it stands: in the option.
    """
    merged = {**base, **over}
    for key in ("requires", "checks", "bench"):
        if key in merged:
            merged[key] = {**base.get(key, {}), **over.get(key, {})}
    options = {name: dict(option) for name, option in base.get("options", {}).items()}
    for name, option in over.get("options", {}).items():
        known = options.get(name, {})
        options[name] = {**known, **option, **{key: _replaced(known, option, key) for key in _IDENTITIES}}
    own = over
    for name in base.get("options", {}):
        taken = {key: _of_option(base["options"][name], own, key) for key in _IDENTITIES}
        options[name].update({key: _replaced(options[name], taken, key) for key in _IDENTITIES})
        own = {**own, **{key: [i for i in own.get(key, []) if i not in taken[key]] for key in _IDENTITIES}}
    for key in _IDENTITIES:
        merged[key] = _replaced(base, own, key)
    if options:
        merged["options"] = options
    return merged


def choose(content: Content, add: Collection[str], leave_out: Collection[str]) -> Content:
    """The content with what its default options and those added have, without those left out.

    A framework that the profile always has may be "added", one that it never has "left out": that changes nothing.

    Raises:
        InputError: there is no such option, or one is both added and left out.
    """
    options: dict[str, Content] = content.get("options", {})
    always = {project(requirement) for requirement in content.get("packages", [])}
    for name in add:
        if name not in options and name not in always:
            raise _no_such_option("--with", name, options)
    for name in leave_out:
        if name not in options and (name in always or name not in get_args(Framework)):
            raise _no_such_option("--without", name, options)
    if both := set(add) & set(leave_out):
        raise InputError(f"--with and --without both name {min(both)}")
    usual = [name for name, option in options.items() if option.get("default")]
    chosen = [name for name in options if (name in usual or name in add) and name not in leave_out]
    requires = dict(content.get("requires", {}))
    flat = {key: list(content.get(key, [])) for key in _IDENTITIES}
    for name in chosen:
        flat = {key: _replaced(flat, options[name], key) for key in _IDENTITIES}
        if python := options[name].get("python"):
            requires["python"] = ",".join(filter(None, [requires.get("python"), python]))
    return {
        **content,
        **flat,
        "requires": requires,
        "options": {name: {**option, "default": name in chosen} for name, option in options.items()},
        "added": [name for name in chosen if name not in usual],
        "left_out": [name for name in usual if name not in chosen],
    }


def _no_such_option(flag: str, name: str, options: Collection[str]) -> InputError:
    near = closest(name, options)
    return InputError(
        f"{flag} {name}: the profile has no such option" + (f", did you mean {near}?" if near else ""),
        hint=f"its options: {', '.join(options) or 'none'}",
    )


def _framework(run: Content) -> object:
    return run.get("framework")


_IDENTITIES = {"packages": project, "smoke": _framework}
"""Lists whose items replace those of the same identity."""


def _replaced(base: Content, over: Content, key: str) -> list[Any]:
    identity = _IDENTITIES[key]
    coming = {identity(item) for item in over.get(key, [])}  # type: ignore[operator]
    return [i for i in base.get(key, []) if identity(i) not in coming] + list(over.get(key, []))  # type: ignore[operator]


def _of_option(option: Content, over: Content, key: str) -> list[Any]:
    """The items of `over` that replace some of an option's."""
    identity = _IDENTITIES[key]
    there = {identity(item) for item in option.get(key, [])}  # type: ignore[operator]
    return [item for item in over.get(key, []) if identity(item) in there]  # type: ignore[operator]
