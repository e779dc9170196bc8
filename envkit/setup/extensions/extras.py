"""`--extras`: compiled extensions of PyTorch whose wheels fit what a profile pins, and nvcc from wheels.

What the wheels' metadata says, uv finds: everything pinned stays as it is, and the newest release that goes with it is
taken. What the metadata does not say is a table (envkit/knowledge/extensions.yaml). Nothing is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from envkit.errors import InputError, SetupError, did_you_mean
from envkit.knowledge.extensions import Extensions
from envkit.profile import Profile
from envkit.setup.extensions.extension import Choice, Extra, choose_toolchain, versions_of
from envkit.setup.resolving.compile import Compiled, Question, ask, cache_folder
from envkit.setup.resolving.platforms import own_platform, torch_backend
from envkit.setup.sources.configured import Sources
from envkit.versions import normalise

NO_BUILDS = ["--only-binary", ":all:"]


def choose_extras(
    names: Sequence[str],
    profile: Profile,
    table: Extensions,
    *,
    python: str,
    python_version: str,
    sources: Sources,
    environ: Mapping[str, str],
    pins: Sequence[str] = (),
    capabilities: Collection[str] = (),
    on_idle: Callable[[int], None] | None = None,
) -> list[Extra]:
    """What there is for each name.

    Args:
        names: of the table.
        profile: what they are added to.
        table: what is known of extensions.
        python: path of the interpreter.
        python_version: its version.
        sources: where packages come from.
        environ: the environment variables.
        pins: what is installed anyhow, so that nothing of it changes ("torch==2.10.0"); none: the profile's packages.
        capabilities: compute capabilities of the GPUs, as far as they are known.
        on_idle: called with uv's pid now and then.

    Raises:
        InputError: a name that the table does not have.
        SetupError: what is installed anyhow cannot be resolved, or no source can be reached.
    """
    check_names(names, table)

    def compile_(requirements: Sequence[str]) -> Compiled:
        question = Question(
            profile.name,
            list(requirements),
            ["--python", python, *NO_BUILDS],
            backend=torch_backend(profile, own_platform()),
        )
        return ask(question, folder=cache_folder(environ), sources=sources, environ=environ, on_idle=on_idle)

    base = list(pins or profile.packages)
    versions = versions_of(compile_(base))
    extras = []
    for name in dict.fromkeys(map(normalise, names)):
        if name in table.toolchains:
            extras.append(choose_toolchain(name, table.toolchains[name], profile, base, compile_))
        else:
            choice = Choice(name, table.extensions[name], profile, base, versions, python_version, compile_)
            extras.append(choice.made(capabilities))
    return extras


def check_names(names: Sequence[str], table: Extensions) -> None:
    """Refuse an extension that is not known; InputError."""
    for name in names:
        if normalise(name) not in table.names:
            known = ", ".join(table.names)
            raise InputError(f"--extras: {name} is not known{did_you_mean(name, table.names)} (known: {known})")


def refusal(extras: Sequence[Extra]) -> SetupError | None:
    """Why a setup cannot go on, before a byte is downloaded; None where each extra has its wheels."""
    missing = [extra for extra in extras if not extra.requirements]
    if not missing:
        return None
    told = "; ".join(f"{extra.name}: {extra.statement}" for extra in missing)
    hints = " ".join(dict.fromkeys(extra.hint for extra in missing if extra.hint))
    return SetupError(f"--extras: {told}", hint=f"envkit builds nothing. {hints}" if "Building" in hints else hints)
