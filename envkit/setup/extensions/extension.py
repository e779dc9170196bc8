"""One compiled extension of PyTorch, or the compiler: the wheel that fits, or why none does and what building needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from envkit.errors import EnvkitError, SetupError
from envkit.knowledge.extensions import Build, Extension, Toolchain
from envkit.profile import Profile, available, load_file
from envkit.setup.resolving.compile import FAMILY, Compiled
from envkit.setup.resolving.platforms import own_platform
from envkit.versions import local, minor, parse_requirement, satisfies

Ask = Callable[[Sequence[str]], Compiled]
"""Resolve requirements by wheels alone; SetupError where it cannot be done."""


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `--extras` asked for: what is installed for it, or why there is none."""

    name: str
    requirements: list[str] = []
    """Pinned, to be installed with the profile's; none: there is no wheel that fits."""
    statement: str = ""
    """Why there is none."""
    hint: str = ""
    """What building it needs, or what to do instead."""
    home: str = ""
    """Folder in site-packages that CUDA_HOME is to name."""
    links: dict[str, str] = {}
    """Links to make in home after installing: path to target."""


class Choice(msgspec.Struct, frozen=True):
    """The search for one extension."""

    name: str
    row: Extension
    profile: Profile
    base: list[str]
    versions: dict[str, str]
    """Of what is installed anyhow."""
    python_version: str
    compile: Ask

    def made(self, capabilities: Collection[str]) -> Extra:
        """The extension's newest wheel that fits, or why there is none."""
        if reason := self._unfit(capabilities):
            return self._none(reason)
        if self.row.part_of_torch:
            version = self.versions.get(self.name)
            none = f"it is part of PyTorch's CUDA builds, and profile {self.profile.name} has another build"
            return Extra(name=self.name, requirements=[f"{self.name}=={version}"]) if version else self._none(none)
        wanted = [self.row.requirement, *self._labelled()]
        failure: SetupError | None = None
        for requirement in wanted:
            try:
                version = versions_of(self.compile([*self.base, requirement]))[self.name]
            except SetupError as error:
                failure = failure or error
                if self.row.labels and _names_no_wheel(error):
                    break  # no source has any wheel of it: none with the right label either
                continue
            if not self.row.labels or self._fits(version):
                return Extra(name=self.name, requirements=[f"{self.name}=={version}"])
        if self.row.labels:
            return self._none(self._unpublished())
        return self._none(self._contradiction(failure))

    def _unfit(self, capabilities: Collection[str]) -> str:
        """What the table knows against it."""
        row, needs = self.row, self.profile.requires
        torch = self.versions.get("torch")
        if torch is None:
            return f"it extends PyTorch, and profile {self.profile.name} has none"
        if row.accelerators and needs.accelerator not in row.accelerators:
            kinds = " and ".join(row.accelerators)
            return f"its wheels are for {kinds} GPUs, which profile {self.profile.name} is not for"
        if row.cuda and needs.cuda and satisfies(needs.cuda, row.cuda) is False:
            return f"its wheels are for CUDA {row.cuda}, torch {torch} is built with CUDA {needs.cuda}"
        bad = [c for c in capabilities if row.compute_capability and satisfies(c, row.compute_capability) is False]
        if bad:
            return f"its wheels have code for compute capability {row.compute_capability}, this GPU has {bad[0]}"
        return ""

    def _labelled(self) -> list[str]:
        """The exact wheels that would fit, where no index has any."""
        label = self._placeholders()
        return [f"{self.name}=={self.row.release}+{each.format(**label)}" for each in self.row.labels]

    def _placeholders(self) -> dict[str, str]:
        cuda = self.profile.requires.cuda
        parts = {"major": cuda.partition(".")[0], "cuda": minor(cuda).replace(".", "")}
        return {**parts, "torch": minor(self.versions["torch"])}

    def _fits(self, version: str) -> bool:
        """Whether a wheel of unknown make says that it was built for this PyTorch and CUDA."""
        label = self._placeholders()
        return local(version) in {each.format(**label).lower() for each in self.row.labels}

    def _unpublished(self) -> str:
        """Which file it would be: it has no hash in an index, so it is named and not fetched."""
        label = self._labelled()[0].partition("==")[2]
        tag = "cp" + minor(self.python_version).replace(".", "")
        _, _, machine = own_platform().partition("-")
        file = f"{self.name.replace('-', '_')}-{label}-{tag}-{tag}-linux_{machine}.whl"
        row, torch = self.row, self.versions["torch"]
        there = satisfies(torch, row.published_torch) and satisfies(self.profile.requires.cuda, row.published_cuda)
        published = f"torch {row.published_torch} with CUDA {row.published_cuda}"
        from_whom = (
            f"it is {file} on {row.releases_page}, which no index has: put it into a folder of PIP_FIND_LINKS"
            if there
            else f"{row.releases_page} has them for {published}; one of your own, in a folder of PIP_FIND_LINKS, is "
            f"taken if it is called {file}"
        )
        return f"no source has a wheel of it for torch {torch}: {from_whom}"

    def _contradiction(self, failure: SetupError | None) -> str:
        """Which release goes with this PyTorch and not with the rest, or which PyTorch the newest one wants."""
        torch = self.versions["torch"]
        told = failure.message.partition(": ")[2] if failure else ""
        try:
            version = versions_of(self.compile([self.row.requirement, f"torch=={torch}"]))[self.name]
        except SetupError:
            pass
        else:
            return (
                f"{self.name} {version} goes with torch {torch}, but not with all that profile {self.profile.name} "
                f"pins: {told}"
            )
        try:
            newest = versions_of(self.compile([self.row.requirement]))
        except SetupError:
            return told
        apart = [n for n in sorted(FAMILY) if n in newest and newest[n] != self.versions.get(n, newest[n])]
        wants = ", ".join(f"{n} {newest[n]} (here {self.versions[n]})" for n in apart)
        others = _profiles_with(newest.get("torch", ""), self.profile.requires.accelerator)
        where = f", which profile {' and '.join(others)} has" if others else ""
        return f"no release goes with torch {torch}; the newest, {newest[self.name]}, wants {wants}{where}"

    def _none(self, statement: str) -> Extra:
        return Extra(name=self.name, statement=statement, hint=self._building(self.row.build))

    def _building(self, build: Build | None) -> str:
        if not build or self.profile.requires.accelerator not in (self.row.accelerators or ["nvidia"]):
            return ""
        needs = [f"nvcc {self.profile.requires.cuda}", "a C++ compiler", *build.tools]
        memory = f" {build.memory_gib_per_job} GiB of memory a job," if build.memory_gib_per_job else ""
        time = f" {build.time}," if build.time else ""
        variables = ", ".join(f"{name} ({what})" for name, what in {"CUDA_HOME": "nvcc's", **build.variables}.items())
        note = f" {build.note}." if build.note else ""
        return (
            f"Building {self.name} by hand takes {', '.join(needs)};{memory}{time} and the "
            f"variables {variables}: {build.command}.{note}"
        )


def choose_toolchain(name: str, row: Toolchain, profile: Profile, base: list[str], compile_: Ask) -> Extra:
    """The compiler of the CUDA that the profile's PyTorch was built with, or why it cannot come from wheels."""
    cuda = minor(profile.requires.cuda)
    if not cuda:
        return Extra(name=name, statement=f"profile {profile.name} names no CUDA that its PyTorch was built with")
    words = {"cuda": cuda, "major": cuda.partition(".")[0]}
    if satisfies(cuda, row.cuda) is not True:
        return Extra(name=name, statement=row.otherwise.format(**words), hint=row.instead.format(**words))
    requirements = [each.format(**words) for each in row.requirements]
    try:
        versions = versions_of(compile_([*base, *requirements]))
    except SetupError as error:
        return Extra(name=name, statement=error.message.partition(": ")[2] or error.message, hint=error.hint)
    pinned = []
    for requirement in filter(None, map(parse_requirement, requirements)):
        extras = f"[{','.join(requirement.extras)}]" if requirement.extras else ""
        pinned.append(f"{requirement.name}{extras}=={versions[requirement.name]}")
    links = {path: target.format(**words) for path, target in row.links.items()}
    return Extra(name=name, requirements=pinned, home=row.home.format(**words), links=links)


def versions_of(compiled: Compiled) -> dict[str, str]:
    """What was resolved: name to version."""
    return {package.name: package.version for package in compiled.packages}


def _names_no_wheel(error: SetupError) -> bool:
    """Whether the sources have no wheel at all, as envkit's translation of uv's words says it."""
    return any(words in error.message for words in ("no wheel", "no source offers"))


def _profiles_with(torch: str, accelerator: str) -> list[str]:
    """Profiles for the same accelerator that pin this PyTorch; one that cannot be read is passed over."""
    found = []
    for each in available():
        try:
            profile = load_file(each.path)
        except EnvkitError:
            continue
        pins = filter(None, map(parse_requirement, profile.packages))
        if profile.requires.accelerator == accelerator and any(
            pin.name == "torch" and satisfies(torch, pin.specifiers) for pin in pins
        ):
            found.append(each.name)
    return found
