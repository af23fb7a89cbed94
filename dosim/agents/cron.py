"""Cron expressions as the SDK reads them, in UTC: when does one fire next?

Five fields: minute, hour, day of month, month, day of week (0 or 7 is Sunday, or SUN to SAT); six begin with the
second. `*`, lists, ranges, steps; `@daily` and the like. When both day fields are restricted, either may match.
Reading is by the rules of npm cron-schedule 6.0.0, which the SDK uses; firing is computed by the cronsim library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dosim.agents.errors import InvalidCronExpressionError

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@minutely": "* * * * *",
}
_RANGE = re.compile(r"(?:(\w+)-(\w+)|\*)(?:/(\d+))?")
#: What does not fire within this time never does: a leap year comes within it, also around 2100.
_WITHIN = timedelta(days=3000)


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    aliases: dict[str, int] = field(default_factory=dict)


_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_WEEKDAYS = {name: number for number, name in enumerate("mon tue wed thu fri sat sun".split(), 1)}
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


def next_cron(expression: str, after: datetime) -> datetime:
    """The first time after `after` (aware) at which it fires, in UTC.

    Raises InvalidCronExpressionError for one that cannot be read, or never fires.
    """
    from cronsim import CronSim, CronSimError

    try:
        found = next(CronSim(_written_out(expression), after.astimezone(UTC).replace(microsecond=0)))
    except (CronSimError, StopIteration):
        found = None
    if found is None or found - after > _WITHIN:
        raise InvalidCronExpressionError(f"cron {expression!r} never fires: no month has such a day.")
    return found


@lru_cache(maxsize=256)
def _written_out(expression: str) -> str:
    """The expression for cronsim: lists of numbers, or `*` for a field that restricts nothing."""
    parts = _NICKNAMES.get(expression.lower(), expression).split()
    if len(parts) not in (5, 6):
        raise InvalidCronExpressionError(
            f"cron {expression!r} has {len(parts)} fields; it must have five: minute, hour, day of month, month, day of"
            " week (or six, with the second before them). An example: '0 9 * * mon-fri'."
        )
    values = [_values(expression, which, part) for which, part in zip(_FIELDS[6 - len(parts) :], parts, strict=True)]
    values[-1] = {number % 7 for number in values[-1]}
    texts = [
        "*" if len(numbers) == which.high - which.low + (which.name != "day of week") else _listed(numbers)
        for which, numbers in zip(_FIELDS[6 - len(parts) :], values, strict=True)
    ]
    return " ".join(texts)


def _listed(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _values(expression: str, which: _Field, part: str) -> set[int]:
    """The numbers that a field names."""
    return {number for term in part.split(",") for number in _term(expression, which, term)}


def _term(expression: str, which: _Field, term: str) -> range:
    match = _RANGE.fullmatch(term)
    if match is None:
        number = _number(expression, which, term)
        return range(number, number + 1)
    start, end, step = match.groups()
    low = which.low if start is None else _number(expression, which, start)
    high = which.high if end is None else _number(expression, which, end)
    if which.name == "day of week" and low == which.high != high:
        low = 0  # from Sunday on
    if low > high:
        raise _refused(expression, which, f"{term!r} begins after it ends")
    if step is not None and int(step) < 1:
        raise _refused(expression, which, f"{term!r} has a step of 0")
    return range(low, high + 1, int(step or 1))


def _number(expression: str, which: _Field, text: str) -> int:
    number = which.aliases.get(text.lower(), int(text) if text.isascii() and text.isdigit() else -1)
    if not which.low <= number <= which.high:
        raise _refused(expression, which, f"{text!r} is not one of {which.low} to {which.high}")
    return number


def _refused(expression: str, which: _Field, why: str) -> InvalidCronExpressionError:
    return InvalidCronExpressionError(
        f"cron {expression!r}: {which.name}: {why}. A field has numbers, * , - and /step. An example:"
        " '*/15 9-17 * * 1-5'."
    )
