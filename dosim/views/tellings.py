"""The timeline in words: what a picture of lanes says of itself, and the texts of its bars."""

from __future__ import annotations

from typing import Final

from dosim.trace.words import counted, stretch
from dosim.views.lanes import Bar, Lane, Lanes
from dosim.views.style import LOOKS

#: Of a stretch of more seconds than this, times are told in minutes, hours and days.
LONG_S: Final = 180


def lanes_told(drawn: Lanes, *, title: str = "", claim: str = "", origin_us: int = 0) -> str:
    """The picture in words: its sentence, then each lane's stretches. Times are counted from `origin_us`."""
    said = f"{title}: {claim}" if claim else title
    lines = [said or whole_told(drawn)]
    if left_out(drawn):
        lines.append(f"Drawn: {left_out(drawn)}.")
    for lane in drawn.requests:
        told = ", ".join(request_told(bar) for bar in lane.bars)
        lines.append(f"{lane.label}: {told or 'no time at all'}.")
    for lane in drawn.objects:
        told = ", ".join(inside_told(bar, origin_us) for bar in lane.bars if bar.text)
        marks = _marks_told(lane, origin_us)
        lines.append(f"{lane.label}: {told}{'; ' + marks if marks else ''}.")
    return "\n".join(lines)


def whole_told(drawn: Lanes) -> str:
    """What kind of picture it is, and of how many."""
    counts = f"{counted(len(drawn.requests), 'request')} and {counted(len(drawn.objects), 'object')}"
    return f"Timeline of {counts}."


def left_out(drawn: Lanes) -> str:
    """What did not fit."""
    more = ""
    if drawn.requests_left_out:
        more = f"the first {len(drawn.requests)} of {len(drawn.requests) + drawn.requests_left_out} requests"
    if drawn.objects_left_out:
        more += ", " if more else ""
        more += f"the first {len(drawn.objects)} of {len(drawn.objects) + drawn.objects_left_out} objects"
    return more


def bar_texts(lane: Lane, bar: Bar) -> tuple[str, ...]:
    """What a bar says of itself if there is room, the longest first: a request how long, an object who."""
    if lane.kind == "object":
        return (bar.text,)
    verb = {"queued": "waits", "gate": "waits", "running": "computes", "awaiting": "awaits", "starting": "starts"}
    took = stretch(bar.end_us - bar.start_us)
    if bar.look not in verb:
        return ()
    said = f"{verb[bar.look]} {took}"
    return (f"{said} {bar.text}", said, took) if bar.text else (said, took)


def _marks_told(lane: Lane, origin_us: int) -> str:
    """When alarms rang, and how many frames came and went."""
    rang = [moment(mark.at_us - origin_us) for mark in lane.marks if mark.look == "alarm"]
    more = f" and {len(rang) - 5} more times" if len(rang) > 5 else ""
    told = [f"its alarm rang at {', '.join(rang[:5])}{more}"] if rang else []
    for look, verb in (("frame in", "came in"), ("frame out", "went out")):
        count = sum(mark.look == look for mark in lane.marks)
        if count:
            told.append(f"{counted(count, 'WebSocket frame')} {verb}")
    return ", ".join(told)


def request_told(bar: Bar) -> str:
    """What a request did, how long, and why."""
    said = f"{LOOKS[bar.look].words} for {stretch(bar.end_us - bar.start_us)}"
    return f"{said} {bar.text}" if bar.text else said


def inside_told(bar: Bar, origin_us: int) -> str:
    """Who was inside, and when."""
    start, end = bar.start_us - origin_us, bar.end_us - origin_us
    if bar.look == "visit":
        return f"visited at {moment(start)} by {bar.text}"
    if max(abs(start), abs(end)) < LONG_S * 1_000_000:
        return f"{bar.text} from {_seconds(start)} to {_seconds(end)} s"
    return f"{bar.text} from {stretch(start)} to {stretch(end)}"


def moment(us: int) -> str:
    """A moment in seconds, a late one in minutes, hours and days."""
    return f"{_seconds(us)} s" if abs(us) < LONG_S * 1_000_000 else stretch(us)


def _seconds(us: int) -> str:
    """Seconds to the microsecond, without zeros at the end."""
    return f"{us / 1e6:.6f}".rstrip("0").rstrip(".")
