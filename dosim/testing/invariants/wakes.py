"""An object that nobody needs any more, and that keeps itself awake."""

from __future__ import annotations

from typing import Final

from dosim.kernel.durations import duration_us
from dosim.platform.facts import SECOND_US
from dosim.testing.invariants.violations import at, kept_trace, of_kinds, violated
from dosim.trace.records import RawRecord
from dosim.trace.words import stretch

_DAY_US: Final = 86_400 * SECOND_US


def never_wakes_only_itself(source: object, *, alarms: int = 20, apart: object = "10m") -> None:
    """No object is woken by nothing but its own alarms, again and again.

    Why people get it wrong: `setAlarm` in the constructor, or at the end of every `alarm()`, looks like a clock that
    belongs to the object. Nobody stops it: every object that was ever touched goes on for ever, preview deployments
    too, and each wake is a billed request with its rows and its time in memory. An alarm that sets the next one needs
    a reason that can end: a budget in storage, work that is left, a connection that is open.
    Source: durable-objects/api/alarms (an alarm wakes the object), durable-objects/platform/pricing (alarms are billed
    as requests). Seen in the field: $34,895 in eight days without a user, by a `setAlarm` on every
    wake (Hacker News 47787042).

    source: a simulation or a trace. alarms: how many wakes in a row, with no request, message or call of somebody
    else's in between, are too many. apart: alarms that are further apart (daily, weekly work) are not counted as a row.
    Retries of a failing alarm are few and end by themselves. Other limits: `tuned(never_wakes_only_itself,
    alarms=100)`. Raises InvariantViolated with the object, the stretch and its pace; ValueError or TypeError that name
    the argument.
    """
    if isinstance(alarms, bool) or not isinstance(alarms, int) or alarms < 2:
        raise ValueError(f"alarms={alarms!r} is no row: give a whole number from 2 on.")
    apart_us = duration_us(apart, "apart")
    trace = kept_trace(source, "never_wakes_only_itself")
    #: Request -> the object whose alarm it comes from in the end; "" for anybody else's.
    roots: dict[int, str] = {}
    rows: dict[str, list[RawRecord]] = {}
    for raw in of_kinds(trace, "call", "frame", "auto_response"):
        if raw[2] != "call":
            rows.pop(raw[3], None)  # it talks to somebody
            continue
        caller, via, target, _ = raw[6]
        label = str(target)
        root = roots[raw[4]] = label if via == "alarm" else roots.get(int(str(caller)), "")
        if via != "alarm":
            if root != label:
                rows.pop(label, None)
            continue
        row = rows.setdefault(label, [])
        if row and raw[0] - row[-1][0] > apart_us:
            row.clear()
        row.append(raw)
        if len(row) >= alarms:
            pace = (row[-1][0] - row[0][0]) / (len(row) - 1)
            daily = f"{_DAY_US / pace:,.0f} wakes a day" if pace else "no time at all between two wakes"
            raise violated(
                source,
                "never_wakes_only_itself",
                f"{label} was woken {len(row)} times in a row by its own alarm, from {at(row[0][0])} to"
                f" {at(row[-1][0])}, {stretch(round(pace))} apart, and nobody else asked anything of it. At this pace:"
                f" {daily}, for every object of its kind, until somebody looks at the bill.",
                at_us=raw[0],
                request=raw[4],
            )
