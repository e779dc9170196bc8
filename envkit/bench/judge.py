"""A measurement against the peak, the floor and an earlier one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from envkit.bench.limits import Limit
from envkit.bench.types import Measurement
from envkit.knowledge.peaks import Peaks


def judged(
    measurement: Measurement,
    limit: Limit | None,
    earlier: Measurement | None,
    reasons: Sequence[str],
    peaks: Peaks,
) -> Measurement:
    """With fractions of what could be and of what was; "slow" and "slower-than-baseline" are failures.

    Args:
        measurement: as it came from the child; one that has no value keeps its status.
        limit: the most that the hardware can do, if that is known.
        earlier: the same measurement of the baseline.
        reasons: what is known to make it slow.
        peaks: with the fractions that a sound machine reaches.
    """
    value = measurement.value
    if measurement.status != "pass" or value is None:
        return measurement
    fraction = value / limit.value if limit else None
    floor = peaks.floors.get(measurement.kind) if limit else None
    before = earlier.value if earlier and earlier.status == "pass" and earlier.unit == measurement.unit else None
    now = value / before if before else None
    if now is not None and now < peaks.drift[measurement.kind]:
        cause, message = "slower-than-baseline", f"{now:.0%} of what it was"
    elif limit and fraction is not None and floor and fraction < floor:
        cause, message = "slow", f"{fraction:.0%} of {limit.of}: at least {floor:.0%} was expected"
    else:
        cause, message = None, ""
    return msgspec.structs.replace(
        measurement,
        status="fail" if cause else "pass",
        cause=cause,
        message=message,
        peak=limit.value if limit else None,
        peak_of=limit.of if limit else "",
        fraction=fraction,
        floor=floor,
        baseline=before,
        baseline_fraction=now,
        reasons=list(reasons),
    )
