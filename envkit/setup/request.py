"""What a setup is asked for, made into a plan: sources, interpreter, packages, extras."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from envkit.knowledge import Knowledge
from envkit.profile import Profile
from envkit.setup.extensions.extension import Extra
from envkit.setup.plan import Plan, make_plan
from envkit.setup.progress import Progress
from envkit.setup.resolving.python import find_python
from envkit.setup.resolving.resolve import Resolved, resolve
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.target import check_target
from envkit.setup.typos import refuse_wrong_names
from envkit.setup.uv import find_uv


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of where packages come from and which."""

    python: str = ""
    """Path or version of the interpreter; "": any that fits."""
    extras: list[str] = []
    """Names of compiled extensions."""
    wheelhouse: str = ""
    """Folder that alone is asked; "": the configured sources."""
    offline: bool = False
    upgrade: bool = False
    """Pass over the lock."""


class Prepared(NamedTuple):
    """What a plan is made from."""

    sources: Sources
    python: str
    python_version: str
    resolved: Resolved
    extras: list[Extra]
    notes: list[str]


def prepare(
    request: Request,
    profile: Profile,
    *,
    environ: Mapping[str, str],
    progress: Progress,
    knowledge: Knowledge,
    capabilities: Collection[str] = (),
) -> Prepared:
    """Find the sources, the interpreter, and every package; nothing is downloaded.

    Args:
        request: what the command line says.
        profile: what is to be installed.
        environ: the environment variables.
        progress: told what goes on.
        knowledge: names of packages, and what extensions need.
        capabilities: compute capabilities of the GPUs, as far as they are known.

    Raises:
        InputError: an option, the profile or a lock is wrong.
        SetupError: the packages cannot be had.
    """
    if request.extras:
        from envkit.setup.extensions.extras import check_names  # noqa: PLC0415 - only where they are asked for

        check_names(request.extras, knowledge.extensions)
    notes = refuse_wrong_names(profile, knowledge.packages)
    folder = Path(request.wheelhouse).expanduser() if request.wheelhouse else None
    active = environ.get("VIRTUAL_ENV")
    sources = read_sources(
        environ,
        prefix=Path(active) if active else None,
        wheelhouse=folder,
        offline=request.offline,
    )
    python, version = find_python(profile, wanted=request.python, sources=sources, environ=environ)
    with progress.phase(f"Resolving profile {profile.title}"):
        ask = partial(
            resolve,
            profile,
            python=python,
            python_version=version,
            sources=sources,
            environ=environ,
            wheelhouse=folder,
            upgrade=request.upgrade,
            known=knowledge.packages.well_known,
            on_idle=progress.tick,
        )
        resolved = ask()
        extras: list[Extra] = []
        if request.extras:
            from envkit.setup.extensions.extras import choose_extras, refusal  # noqa: PLC0415 - only where they are asked for

            extras = choose_extras(
                request.extras,
                profile,
                knowledge.extensions,
                python=python,
                python_version=version,
                sources=sources,
                environ=environ,
                pins=[f"{p.name}=={p.version}" for p in resolved.packages] if resolved.locked else (),
                capabilities=capabilities,
                on_idle=progress.tick,
            )
            if error := refusal(extras):
                raise error
            also = [requirement for extra in extras for requirement in extra.requirements]
            resolved = ask(also=also)
    return Prepared(sources, python, version, resolved, extras, [*notes, *sources.notes])


def plan_of(
    prepared: Prepared,
    profile: Profile,
    *,
    target: Path,
    assumptions: Mapping[str, str],
    deferred: list[str],
    judge: bool,
    prove: bool,
) -> Plan:
    """The steps from what was prepared to an environment in its place."""
    where, replaces = check_target(target)
    plan = make_plan(
        profile,
        uv=find_uv(),
        python=prepared.python,
        python_version=prepared.python_version,
        target=where,
        resolved=prepared.resolved,
        extras=prepared.extras,
        sources=prepared.sources,
        replaces=replaces,
        judge=judge,
        prove=prove,
    )
    return replace(plan, assumptions=dict(assumptions), deferred=deferred, notes=[*prepared.notes, *plan.notes])
