"""Scales: limits that two pictures share, ticks of time in the unit that fits, curves thinned for drawing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

from dosim.trace import Trace
from dosim.trace.words import rounded, stretch

#: A curve is drawn through at most so many points.
MOST_POINTS: Final = 2_000
#: Steps between ticks of time from a minute on, microseconds.
_LONG_STEPS: Final = tuple(
    60_000_000 * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 28800)
)
_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000
#: Ticks of a logarithmic axis from a minute on, in place of powers of ten.
_LONG_TICKS: Final = (60e6, 600e6, 3600e6, 36_000e6, 86_400e6, 864_000e6, 8_640_000e6)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the axes of a picture reach over: `x` in microseconds, `y` in the unit of the view named by `what`."""

    what: str
    x: tuple[float, float]
    y: tuple[float, float]

    def __or__(self, other: Limits) -> Limits:
        """Limits that hold both."""
        return Limits(
            self.what,
            (min(self.x[0], other.x[0]), max(self.x[1], other.x[1])),
            (min(self.y[0], other.y[0]), max(self.y[1], other.y[1])),
        )


def chosen_limits(limits: object, own: Limits) -> Limits:
    """The limits to draw within.

    limits: None for the picture's own; (lowest, highest) of its x axis in microseconds; `Limits`, or an earlier figure
    or data of the same view, for the same axes; or a list of such, for axes that hold all of them. Raises ValueError
    or TypeError that name the fix.
    """
    if limits is None:
        return own
    if isinstance(limits, (tuple, list)):
        if len(limits) == 2 and all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in limits):
            low, high = limits
            if not low < high:
                raise ValueError(f"limits={limits!r}: the second must be above the first.")
            return Limits(own.what, (low, high), own.y)
        if limits:
            found = [chosen_limits(each, own) for each in limits]
            whole = found[0]
            for each in found[1:]:
                whole |= each
            return whole
    known = getattr(limits, "limits", limits)
    if not isinstance(known, Limits):
        raise TypeError(
            f"limits={limits!r} is nothing to draw within: give (lowest, highest) in microseconds, or an earlier"
            f" {own.what} figure or its data, or a list of them."
        )
    if known.what != own.what:
        raise ValueError(f"limits: these are of a {known.what} picture, and this is a {own.what} picture.")
    return known


def limits_of_time(limits: object, own: Limits, *, log: bool) -> Limits:
    """The limits of a picture of durations, as `chosen_limits`; an axis that is not logarithmic begins at 0.

    Raises ValueError, besides, for a logarithmic axis that would not begin above 0.
    """
    within = chosen_limits(limits, own)
    if not log:
        return Limits(within.what, (0, within.x[1]), within.y)
    if within.x[0] <= 0:
        raise ValueError(
            f"limits={limits!r}: a logarithmic axis begins above 0: give log=False, or a lowest from 1 on."
        )
    return within


# -- ticks


def time_ticks(first_us: float, last_us: float, most: int = 8) -> list[tuple[int, str]]:
    """Round moments between two, at most about `most`, with their words: "2 d", "6 h", "1.5 s", "200 µs"."""
    step = time_step(last_us - first_us, most)
    first = -int(-first_us // step)
    return [
        (at, "1 min" if at == step == _MINUTE_US else stretch(at))
        for at in range(first * step, floor(last_us) + 1, step)
    ]


def time_step(length_us: float, most: int = 8) -> int:
    """A round step, microseconds, that divides a length into at most `most` pieces."""
    least = max(1.0, length_us / most)
    if least <= 30_000_000:
        return _round_up(least)
    at = bisect_left(_LONG_STEPS, least)
    return _LONG_STEPS[at] if at < len(_LONG_STEPS) else _round_up(least / _DAY_US) * _DAY_US


def _round_up(least: float) -> int:
    """1, 2 or 5 times a power of ten, not below `least`."""
    power: int = 10 ** max(0, floor(log10(least)))
    return next((digit * power for digit in (1, 2, 5, 10) if digit * power >= least), 10 * power)


def log_ticks(low_us: float, high_us: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis of durations: powers of ten; with threes, or twos and fives, where they are few."""
    decades = range(floor(log10(low_us)), floor(log10(high_us)) + 1)
    digits = (1,) if len(decades) > 4 else (1, 3) if len(decades) > 2 else (1, 2, 5)
    ticks = [at for power in decades for digit in digits if (at := digit * 10.0**power) < _MINUTE_US]
    ticks += _LONG_TICKS
    return [(at, "1 min" if at == _MINUTE_US else rounded(at)) for at in ticks if low_us <= at <= high_us]


def plain_ticks(high: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to `high`, at most about `most` steps."""
    if high <= 0:
        return [0.0]
    least = high / most
    power = 10.0 ** floor(log10(least))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= least * 0.999999)
    return [round(step * k, 12) for k in range(int(high / step * 1.000001) + 1)]


# -- points


def thinned(count: int, most: int = MOST_POINTS) -> list[int]:
    """Indices of at most `most` of `count` points: evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})


def highest_in_windows(steps: Sequence[tuple[int, int, int]], windows: int) -> tuple[list[tuple[int, int, int]], int]:
    """Steps (moment, a, b) as the highest a + b in each of so many windows, and how long one is, microseconds."""
    first, last = steps[0][0], steps[-1][0]
    size = max(1, -(-(last - first + 1) // windows))
    found: list[tuple[int, int, int]] = []
    at, held, best = first, steps[0], steps[0]
    for step in steps:
        while step[0] >= at + size:
            found.append((at, best[1], best[2]))
            at += size
            best = held  # what holds at the window's beginning, unless it changes there
        held = step
        if step[0] == at:
            best = step
        if step[1] + step[2] > best[1] + best[2]:
            best = step
    found.append((at, best[1], best[2]))
    return found, size


# -- what a trace does not hold


def kept_note(trace: Trace) -> str:
    """What a trace with retention lacks, as a sentence; "" for a whole one. Raises ValueError when it keeps nothing."""
    if trace.retention == "none":
        raise ValueError(
            "this trace keeps no records (retention='none'): make the simulation with retention='full', or 'last=1000'"
            " for the newest."
        )
    if len(trace) < trace.count:
        return f"Only the last {len(trace):,} of {trace.count:,} records are kept: what was before is missing."
    return ""


def percent_text(share: float) -> str:
    """A share with three digits: "12.3 %"."""
    return f"{float(f'{share * 100:.3g}'):,.10g} %"


def sentences(parts: Iterable[str]) -> str:
    """Those that are not empty, in one paragraph."""
    return " ".join(part for part in parts if part)
