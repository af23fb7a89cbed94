"""What was used: readings of the meter, and the difference between two of them in the units that are priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Final

from dosim.platform.facts import EPOCH, SECOND_US
from dosim.platform.prices import GB, MESSAGES_A_REQUEST, MONTH_DAYS, OBJECT_MEMORY_MB

DAY_US: Final = 86_400 * SECOND_US
MONTH_US: Final = MONTH_DAYS * DAY_US
_GB_S_A_US: Final = Fraction(OBJECT_MEMORY_MB, 1000 * SECOND_US)
_GB_MONTHS: Final = Fraction(1, GB * MONTH_US)
#: Meter -> how much of the priced unit one count of it is: counts are whole numbers. What is missing is counted in it.
_UNITS: Final = {
    "do_requests": Fraction(1, MESSAGES_A_REQUEST),
    "do_duration": _GB_S_A_US,
    "do_stored": _GB_MONTHS,
    "worker_cpu": Fraction(1, 1000),
    "d1_stored": _GB_MONTHS,
    "kv_stored": _GB_MONTHS,
    "r2_stored": _GB_MONTHS,
}

Quantities = Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class ObjectUse:
    """What one object has used. `held_us`: holder -> microseconds; `stored`: byte-microseconds."""

    requests: int = 0
    messages: int = 0
    rows_read: int = 0
    rows_written: int = 0
    held_us: Mapping[str, int] = field(default_factory=dict)
    stored: int = 0

    def since(self, earlier: ObjectUse) -> ObjectUse:
        """What was used after an earlier reading of the same object."""
        held_us = {
            holder: more_us for holder, us in self.held_us.items() if (more_us := us - earlier.held_us.get(holder, 0))
        }
        return ObjectUse(
            self.requests - earlier.requests,
            self.messages - earlier.messages,
            self.rows_read - earlier.rows_read,
            self.rows_written - earlier.rows_written,
            held_us,
            self.stored - earlier.stored,
        )

    @property
    def quantities(self) -> dict[str, Fraction]:
        """Meter -> how much, in the unit that is priced."""
        counts = {
            "do_requests": self.requests * MESSAGES_A_REQUEST + self.messages,
            "do_duration": sum(self.held_us.values()),
            "do_rows_read": self.rows_read,
            "do_rows_written": self.rows_written,
            "do_stored": self.stored,
        }
        return in_units(counts)


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a meter stood at a moment, and at every midnight (UTC) before it."""

    meter: object
    at_us: int
    totals: Mapping[str, int]
    objects: Mapping[str, ObjectUse]
    midnights: tuple[tuple[int, Mapping[str, int]], ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What was used between two readings: of everything, by object, and of each UTC day."""

    start_us: int
    end_us: int
    quantities: Quantities
    objects: Mapping[str, ObjectUse]
    days: Mapping[date, Quantities]

    @property
    def length_us(self) -> int:
        return self.end_us - self.start_us

    def average_gb(self, meter: str) -> Fraction:
        """The gigabytes that were stored, on the average of the stretch."""
        amount = self.quantities.get(meter, Fraction(0))
        return amount * Fraction(MONTH_US, self.length_us) if self.length_us else Fraction(0)


def use_between(start: Reading | None, end: Reading) -> Use:
    """The difference of two readings of one meter; `start` None: since the beginning."""
    begin = start if start is not None else Reading(end.meter, 0, {}, {}, ())
    passed = [(us, totals) for us, totals in end.midnights if begin.at_us < us < end.at_us]
    bounds = [(begin.at_us, begin.totals), *passed, (end.at_us, end.totals)]
    days = {
        utc_day(from_us): in_units(_difference(before, after)) for (from_us, before), (_, after) in pairwise(bounds)
    }
    objects = {label: use.since(begin.objects.get(label, ObjectUse())) for label, use in end.objects.items()}
    quantities = in_units(_difference(begin.totals, end.totals))
    return Use(begin.at_us, end.at_us, quantities, objects, days)


def utc_day(us: int) -> date:
    """The UTC day of a moment, microseconds since the start."""
    return (datetime.fromisoformat(EPOCH) + timedelta(microseconds=us)).astimezone(UTC).date()


def in_units(counts: Mapping[str, int]) -> dict[str, Fraction]:
    """Counts of meters in the units that are priced."""
    return {meter: count * _UNITS.get(meter, Fraction(1)) for meter, count in counts.items()}


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {meter: count - before.get(meter, 0) for meter, count in after.items()}
