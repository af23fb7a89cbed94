"""Reading Cloudflare's cron syntax into expressions that the `cronsim` library evaluates.

cronsim is Healthchecks' own evaluator: maintained, typed, without dependencies, and right about L, LW and #. It counts
days of the week from 0 and has no W, no L-3 and no ranges that wrap; so lists are written out here, and the rare forms
become a condition on the date.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

Allows = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: its name, its least and greatest value, names of values, an example."""

    name: str
    low: int
    high: int
    names: tuple[str, ...]
    takes: str
    example: str

    def value(self, text: str) -> int | None:
        """The number that `text` stands for; None: it is none of this field."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.low
        number = int(text) if text.isascii() and text.isdigit() else -1
        return number if self.low <= number <= self.high else None


_MONTHS: Final = tuple("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split())
_WEEKDAYS: Final = tuple("SUN MON TUE WED THU FRI SAT".split())
_MINUTE: Final = Field("minute", 0, 59, (), "0 to 59, with * , - /", "*/15 * * * *")
_HOUR: Final = Field("hour", 0, 23, (), "0 to 23, with * , - /", "30 9-17 * * *")
_DAY: Final = Field("day of month", 1, 31, (), "1 to 31, with * , - /, or L, LW, L-3, 15W", "0 15 1 * *")
_MONTH: Final = Field("month", 1, 12, _MONTHS, "1 to 12 or JAN to DEC, with * , - /", "0 0 1 JAN,JUL *")
_WEEKDAY: Final = Field(
    "day of week",
    1,
    7,
    _WEEKDAYS,
    "1 (Sunday) to 7 (Saturday) or SUN to SAT, with * , - /, or 6L, FRI#2",
    "10 7 * * MON-FRI",
)
_FIELDS: Final = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

_TERM: Final = re.compile(r"(?P<start>\*|[^-/]+)(?:-(?P<end>[^-/]+))?(?:/(?P<step>\d+))?\Z")
_LAST_DAY: Final = re.compile(r"L-(?P<offset>\d{1,2})(?P<weekday>W?)\Z")
_NEAREST: Final = re.compile(r"(?P<day>\d{1,2})W\Z")
_LAST: Final = re.compile(r"(?P<day>\w+)L\Z")
_NTH: Final = re.compile(r"(?P<day>\w+)#(?P<nth>[1-5])\Z")


@dataclass(frozen=True, slots=True)
class CronFields:
    """An expression for cronsim, and a condition on the date that cronsim cannot express."""

    expression: str
    allows: Allows


def read_cron(text: str) -> tuple[CronFields, ...]:
    """The expressions of which any may fire: two, when a rare day of the month stands beside a day of the week.

    Raises ValueError that names the text, the field and an example.
    """
    if not isinstance(text, str):
        raise TypeError(f"cron {text!r} is no text: write five fields, such as '0 9 * * MON-FRI'.")
    parts = text.split()
    if len(parts) != len(_FIELDS):
        seconds = " Cloudflare's crons have no field for seconds." if len(parts) == len(_FIELDS) + 1 else ""
        raise ValueError(
            f"cron {text!r} has {len(parts)} fields; it must have five: minute, hour, day of month, month, day of"
            f" week.{seconds} An example: '0 9 * * MON-FRI'."
        )
    minutes, hours, months = (_numbers(text, field, parts[at]) for at, field in ((0, _MINUTE), (1, _HOUR), (3, _MONTH)))
    weekdays = _weekdays(text, parts[4])
    allows = _rare_day(text, parts[2])
    if allows is None:
        days = parts[2] if parts[2] in ("L", "LW") else _numbers(text, _DAY, parts[2])
        return (CronFields(f"{minutes} {hours} {days} {months} {weekdays}", _any_day),)
    rare = CronFields(f"{minutes} {hours} * {months} *", allows)
    if weekdays == "*":
        return (rare,)
    return (rare, CronFields(f"{minutes} {hours} * {months} {weekdays}", _any_day))


def _weekdays(text: str, part: str) -> str:
    """The last field for cronsim, which counts from 0."""
    if part == "L":  # the last day of the week
        return "6"
    for form, rest in ((_LAST, "L"), (_NTH, "#")):
        match = form.match(part)
        if match is not None:
            day = _WEEKDAY.value(match["day"])
            if day is None:
                raise _refused(text, _WEEKDAY, part)
            return f"{day - 1}{rest}{match['nth'] if rest == '#' else ''}"
    if part == "*":
        return part
    return ",".join(str(day - 1) for day in _values(text, _WEEKDAY, part))


def _numbers(text: str, field: Field, part: str) -> str:
    """A field written out as a list. A bare * stays one: beside it the other day field decides alone."""
    return part if part == "*" else ",".join(map(str, _values(text, field, part)))


def _values(text: str, field: Field, part: str) -> list[int]:
    """Every value that a field of lists, ranges and steps names, in order."""
    return sorted({value for term in part.split(",") for value in _term(text, field, term, part)})


def _term(text: str, field: Field, term: str, part: str) -> Iterator[int]:
    """The values of one term. A range may wrap: FRI-MON, 59-0 (saffron)."""
    match = _TERM.match(term)
    if match is None or (match["start"] == "*" and (match["end"] or not match["step"])):
        raise _refused(text, field, part)
    start = field.low if match["start"] == "*" else field.value(match["start"])
    end = field.value(match["end"]) if match["end"] else None
    step = int(match["step"]) if match["step"] else 1
    if start is None or (match["end"] and end is None) or not 1 <= step <= max(1, field.high - field.low):
        raise _refused(text, field, part)
    if end is None:
        end = field.high if match["step"] else start
    values = [*range(start, end + 1)] if start <= end else [*range(start, field.high + 1), *range(field.low, end + 1)]
    yield from values[::step]


def _refused(text: str, field: Field, part: str) -> ValueError:
    why = ""
    if field is _WEEKDAY and part in ("0", "8"):
        why = " Cloudflare counts from 1, Sunday, unlike crontab."
    elif "?" in part:
        why = " Write * where Quartz has ?."
    elif part != part.upper() and part.upper().strip("0123456789-") in ("L", "W", "LW"):
        why = " L and W are capital letters."
    return ValueError(
        f"cron {text!r}: its field {field.name}, {part!r}, cannot be read: it takes {field.takes}.{why} An example:"
        f" {field.example!r}."
    )


# -- days of the month that are a matter of the date


def _any_day(_: date) -> bool:
    return True


def _rare_day(text: str, part: str) -> Allows | None:
    """The condition that 15W, L-3 or L-3W is; None for every other field."""
    match = _NEAREST.match(part)
    if match is not None:
        day = _DAY.value(match["day"])
        if day is None:
            raise _refused(text, _DAY, part)
        return partial(_is_nearest_weekday, day)
    match = _LAST_DAY.match(part)
    if match is None:
        return None
    offset = int(match["offset"])
    if not 1 <= offset <= 30:
        raise _refused(text, _DAY, part)
    return partial(_is_before_end, offset, weekday=bool(match["weekday"]))


def _is_before_end(offset: int, day: date, *, weekday: bool) -> bool:
    """True on the day that is `offset` days before the month's last, or on the weekday nearest to it."""
    wanted = monthrange(day.year, day.month)[1] - offset
    if wanted < 1:
        return False
    return _is_nearest_weekday(wanted, day) if weekday else day.day == wanted


def _is_nearest_weekday(wanted: int, day: date) -> bool:
    """True on the weekday nearest to day `wanted` of the month, in the same month; a month without that day has none.

    saffron also fires 31W on Friday 30, and L-3W on a Saturday both ways; taken for slips, they are not followed.
    """
    days_in_month = monthrange(day.year, day.month)[1]
    if wanted > days_in_month:
        return False
    weekday = day.replace(day=wanted).weekday()
    if weekday == 5:
        wanted += -1 if wanted > 1 else 2
    elif weekday == 6:
        wanted += 1 if wanted < days_in_month else -2
    return day.day == wanted
