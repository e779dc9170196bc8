"""Names of packages that look misspelt, before anything is asked for by them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from envkit.errors import InputError
from envkit.knowledge.packages import PackageNames
from envkit.profile import Profile
from envkit.versions import normalise, parse_requirement

ONE_SLIP = 5
"""Letters from which one slip makes a near miss; shorter names are near too many others."""
TWO_SLIPS = 9


class Misspelt(NamedTuple):
    """A name, and the one that it may stand for."""

    name: str
    instead: str
    why: str = ""
    """Why the name is never what is meant; "": it is only near a well-known one, and might be meant."""

    def __str__(self) -> str:
        return f"{self.name} {self.why or 'is almost the name of a well-known package'}, did you mean {self.instead}?"


def misspelt(requirements: Iterable[str], names: PackageNames) -> list[Misspelt]:
    """Which requirements name a package by a wrong name, or by one that is a slip or two from a well-known one.

    A second name for the same letters counts as near: "scikit_learn" is the same name, "scikitlearn" is near.
    """
    found = []
    for text in requirements:
        requirement = parse_requirement(text)
        name = requirement.name if requirement else ""
        if name in names.wrong:
            found.append(Misspelt(name, names.wrong[name].instead, names.wrong[name].why))
        elif name and (near := meant(name, names)):
            found.append(Misspelt(name, near))
    return found


def refuse_wrong_names(profile: Profile, names: PackageNames) -> list[str]:
    """What to note of the other names that look misspelt.

    Raises:
        InputError: the profile asks for a package by a name that is never what is meant.
    """
    found = misspelt(profile.packages, names)
    if wrong := [each for each in found if each.why]:
        raise InputError(
            f"{profile.path or profile.name}: packages: " + "; ".join(map(str, wrong)),
            hint="Write the other name, with a version that it has.",
        )
    return [str(each) for each in found]


def meant(name: str, names: PackageNames) -> str:
    """The well-known name that another one may stand for, "" where none is near or it is well known itself."""
    name = normalise(name)
    if name in names.wrong:
        return names.wrong[name].instead
    known = names.well_known
    if name in known:
        return ""
    digits = re.findall(r"\d+", name)  # cu11 is no misspelt cu12
    slips = {each: slips_between(name, each) for each in known if re.findall(r"\d+", each) == digits}
    near = [each for each in slips if slips[each] <= _allowed(min(len(name), len(each)))]
    return min(near, key=lambda each: slips[each], default="")


def _allowed(length: int) -> int:
    return 0 if length < ONE_SLIP else 1 if length < TWO_SLIPS else 2


def slips_between(one: str, other: str) -> int:
    """Letters left out, put in, changed, or swapped with their neighbour; hyphens do not count.

    The optimal string alignment distance (Damerau, 1964).
    """
    a, b = one.replace("-", ""), other.replace("-", "")
    if abs(len(a) - len(b)) > _allowed(TWO_SLIPS):
        return max(len(a), len(b))
    before, row = [], list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, its in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and (letter, a[i - 2]) == (b[j - 2], its):
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
