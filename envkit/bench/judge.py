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
    *,
    floor: Limit | None = None,
) -> Measurement:
    """With fractions of what could be and of what was; "slow" and "slower-than-baseline" are failures.

    What a profile sets a floor for and could not be measured here is unknown, not skipped.

    Args:
        measurement: as it came from the child; one that has no value keeps its status.
        limit: the most that the hardware can do, if that is known.
        earlier: the same measurement of the baseline.
        reasons: what is known to make it slow.
        peaks: with the fractions that a sound machine reaches.
        floor: the least that a profile expects, which then counts in place of the peak's.
    """
    value = measurement.value
    if measurement.status != "pass" or value is None:
        expected = floor and measurement.status == "skip"
        return msgspec.structs.replace(measurement, status="unknown") if expected else measurement
    fraction = value / limit.value if limit else None
    share = peaks.floors.get(measurement.kind) if limit and not floor else None
    least = floor.value if floor else limit.value * share if limit and share else None
    before = earlier.value if earlier and earlier.status == "pass" and earlier.unit == measurement.unit else None
    now = value / before if before else None
    if now is not None and now < peaks.drift[measurement.kind]:
        cause, message = "slower-than-baseline", f"{now:.0%} of what it was"
    elif floor and value < floor.value:
        cause, message = "slow", f"{floor.of} expects at least {floor.value:,g} {measurement.unit}"
    elif limit and least and value < least:
        cause, message = "slow", f"{fraction:.0%} of {limit.of}: at least {share:.0%} was expected"
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
        floor=least,
        floor_of=floor.of if floor else "",
        baseline=before,
        baseline_fraction=now,
        reasons=list(reasons),
    )
