"""Durations and instants as users write them: always with a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS_US: Final = {
    "us": 1,
    "µs": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*")


def duration_us(value: object, argument: str) -> int:
    """A duration in microseconds, from a text such as "5s", "150ms", "1h 30m", or a timedelta.

    Raises TypeError for a bare number, ValueError for a text without a unit and for less than nothing; all name
    `argument` and the fix.
    """
    if isinstance(value, timedelta):
        if value < timedelta():
            raise _negative(argument, value)
        return round(value / timedelta(microseconds=1))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 0:
            raise _negative(argument, value)
        raise TypeError(
            f"{argument}={value!r} has no unit, and seconds and milliseconds are too easy to mix up:"
            f" write {argument}='{value}s', '{value}ms', or a timedelta."
        )
    if not isinstance(value, str):
        raise TypeError(f"{argument}={value!r} is no duration: write a text with a unit, such as '5s', or a timedelta.")
    if value.lstrip().startswith("-"):
        raise _negative(argument, value)
    total, at = 0, 0
    while at < len(value):
        part = _PART.match(value, at)
        if part is None or part[2] not in _UNITS_US:
            break
        total += round(float(part[1]) * _UNITS_US[part[2]])
        at = part.end()
    if at < len(value) or not value.strip():
        raise ValueError(
            f"{argument}={value!r} is no duration: write a number and a unit ({', '.join(_UNITS_US)}),"
            " such as '5s', '150ms' or '30d'."
        )
    return total


def _negative(argument: str, value: object) -> ValueError:
    return ValueError(f"{argument}={value!r} is negative, and time does not run backwards: give 0 or more.")


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A moment of simulated time, in microseconds since the simulation's start; prints as both."""

    us: int
    epoch_ms: int

    @property
    def datetime(self) -> datetime:
        """The moment as an aware datetime."""
        return datetime.fromtimestamp(self.epoch_ms / 1000, UTC) + timedelta(microseconds=self.us)

    def __repr__(self) -> str:
        try:
            date = f", {self.datetime:%Y-%m-%d %H:%M:%S.%f}"
        except OverflowError:  # beyond the year 9999
            date = ""
        return f"<t={self.us / 1e6:.6f}s{date}>"


def instant_us(value: object, argument: str, epoch_ms: int) -> int:
    """A moment in microseconds since the start: a datetime, an Instant, or a duration counted from the start."""
    if isinstance(value, Instant):
        return value.us
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        since = moment - datetime.fromtimestamp(epoch_ms / 1000, UTC)
        return round(since / timedelta(microseconds=1))
    return duration_us(value, argument)


def duration_text(us: int) -> str:
    """A duration for people: the largest unit that fits, three digits at most behind the point."""
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("s", 1_000_000), ("ms", 1_000)):
        if us >= size:
            return f"{us / size:.3f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{us} µs"
