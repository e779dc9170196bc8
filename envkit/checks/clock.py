"""The machine's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.findings import Findings, Remedy, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.host import Clock
    from envkit.facts.machine import System

_SET = Remedy(
    text="switch time synchronisation on (chrony, systemd-timesyncd), or set the clock once",
    commands=[["sudo", "timedatectl", "set-ntp", "true"]],
    who="admin",
)


@check(area="machine")
def clock_wrong(clock: Clock, facts: Facts) -> Findings:
    """The clock is years behind: certificates are not valid yet, so nothing can be downloaded."""
    if clock.behind:
        yield warn(
            "the clock is years behind, so downloads fail with certificates that are not valid yet",
            evidence=[f"the clock says {facts.taken_at}", f"kept right by {clock.service or 'nothing that was found'}"],
            remedy=_SET,
        )


@check(area="machine", after="clock-wrong")
def clock_unsynchronised(clock: Clock, system: System, facts: Facts) -> Findings:
    """Nothing keeps the clock of this machine right: certificates, tokens and the logs of a cluster go wrong in time.

    Only on bare metal, where no hypervisor gives the time, and only when no service is there at all.
    """
    bare = system.virtual_machine == "none" and facts.container.outcome == "absent"
    if bare and clock.synchronised is False and clock.service is None:
        yield warn(
            "the clock is not synchronised, and no service would do it",
            evidence=["the kernel says so (adjtimex)", "neither chrony, systemd-timesyncd nor ntpd runs"],
            remedy=_SET,
        )
