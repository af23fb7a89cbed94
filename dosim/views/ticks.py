"""Ticks of simulated time that people read: round steps of microseconds up to days."""

from __future__ import annotations

from typing import Final

from dosim.trace.words import exact

MS: Final = 1_000
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_STEPS: Final = (
    *(digit * 10**power for power in range(7) for digit in (1, 2, 5)),
    *(seconds * SECOND for seconds in (10, 15, 30)),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 5, 7, 14, 28)),
)


def ticks(start_us: int, end_us: int, most: int = 9) -> list[tuple[int, str]]:
    """At most so many round moments between two, microseconds, each with its words: "250 ms", "1 h 30 min", "12 d"."""
    span_us = max(1, end_us - start_us)
    step_us = next((step for step in _STEPS if span_us // step < most), 0)
    while not step_us or span_us // step_us >= most:  # longer than a year
        step_us = step_us * 2 if step_us else 56 * DAY
    first = -(-start_us // step_us) * step_us
    return [(at_us, moment(at_us, step_us)) for at_us in range(first, end_us + 1, step_us)]


def moment(at_us: int, step_us: int) -> str:
    """A moment in words, as exactly as ticks `step_us` apart need it."""
    if at_us == 0:
        return "0"
    if step_us < SECOND:
        return _small(at_us, step_us)
    parts = []
    rest = at_us
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def _small(at_us: int, step_us: int) -> str:
    """Below a second between ticks: seconds, or milliseconds or microseconds near the start."""
    if at_us < MS and step_us < MS:
        return f"{at_us} µs"
    if at_us < SECOND:
        digits = 3 if step_us < MS else 0
        return f"{at_us / MS:.{digits}f}".rstrip("0").rstrip(".") + " ms" if digits else f"{at_us // MS} ms"
    digits = next(d for d in range(1, 7) if step_us % 10 ** (6 - d) == 0)
    return f"{at_us / SECOND:.{digits}f}".rstrip("0").rstrip(".") + " s"


def lasted(us: int) -> str:
    """A duration or a moment in words: to the microsecond below a minute, to the second above."""
    return exact(us) if us < MINUTE else moment(us, SECOND)


def roughly(us: int) -> str:
    """A duration in its two largest units, rounded down: "950 ms", "1.9 s", "3 d 4 h"."""
    if us < SECOND:
        return f"{us // MS} ms" if us >= MS else f"{us} µs"
    if us < 10 * SECOND:
        return f"{us // (SECOND // 10) / 10:g} s"
    unit = next((size for size in (DAY, HOUR, MINUTE) if us >= size), SECOND)
    step = {DAY: HOUR, HOUR: MINUTE}.get(unit, SECOND)
    return moment(us // step * step, SECOND)


def size_text(size_bytes: int) -> str:
    """A size for people: "21 B", "1.5 kB", "3 MB"."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.3g} {unit}"
