"""What keeps an object in memory: each holder with its age, and until when it may.

Recorded (local runtime): a request in flight, a timer, a call that has no answer yet, `waitUntil` work, a function that
a caller holds and a socket accepted with `accept()` keep an object; hibernatable sockets and alarms do not. Documented
for production: since compatibility date 2026-10-01 a timer, a call or `waitUntil` work keeps it for at most 15 minutes
each; before, an object with nothing but these is evicted 70 to 140 seconds after its last event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dosim.kernel.durations import duration_text
from dosim.platform.facts import EVICTION_AFTER_US, EVICTION_SPREAD_US, IDLE_EVICTION_US, OPERATION_HOLDS_US
from dosim.trace.tables import html_table
from dosim.trace.words import counted

if TYPE_CHECKING:
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.instance import Instance

#: Kinds whose hold ends by itself in production.
_BOUNDED = frozenset(("timer", "call", "waitUntil", "outgoing socket"))


class Holder(NamedTuple):
    """One thing that keeps an object in memory: its kind, in words what it is, since when and how long (us).

    `term_us` is when the present term began: of an interval its last beat (assumed: each beat is an operation of its
    own, which holds for at most 15 minutes), of all else `since_us`.
    """

    kind: str
    what: str
    since_us: int
    age_us: int
    term_us: int

    def __str__(self) -> str:
        return f"{self.what}, for {duration_text(self.age_us)}"


class Reasons(list[Holder]):
    """The holders of an object, and in `note` what follows when there are none."""

    def __init__(self, holders: list[Holder], note: str) -> None:
        super().__init__(holders)
        self.note = note

    def __repr__(self) -> str:
        return "\n".join([*map(str, self), *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        return html_table(("what", "age"), [(held.what, duration_text(held.age_us)) for held in self], self.note)


def holders(instance: Instance) -> list[Holder]:
    """Everything that keeps this instance in memory, the oldest of each kind first."""
    now_us, loop = instance.loop.now_us, instance.loop
    found = [("request", f"the request {call!r}", since_us) for call, since_us in instance.in_flight.items()]
    for socket, since_us in instance.sockets.values():
        kind, how = ("outgoing socket", "opened from here") if socket.outgoing else ("socket", "accepted with accept()")
        found.append((kind, f"WebSocket {socket.number}, {how}", since_us))
    timers = sorted((timer.first_us, timer.when_us, timer.made_us) for timer in loop.timers_of(instance))
    terms_us = [made_us for _, _, made_us in timers]
    found += [("timer", _timer_text(first_us, when_us, made_us), first_us) for first_us, when_us, made_us in timers]
    found += [("call", f"the call {call!r}, which has no answer", call.leave_us) for call in instance.outgoing]
    found += [("waitUntil", "waitUntil work", since_us) for since_us in instance.pins.values()]
    held_since_us = instance.world.functions.held_since_us(instance)
    if held_since_us is not None:
        found.append(("function", "a function of it that a caller holds", held_since_us))
    began_us = iter(terms_us)
    return [
        Holder(kind, what, since_us, now_us - since_us, next(began_us) if kind == "timer" else since_us)
        for kind, what, since_us in found
    ]


def _timer_text(first_us: int, when_us: int, made_us: int) -> str:
    what = "a timer" if first_us == made_us else "an interval, with its next beat"
    return f"{what} due at t={when_us / 1e6:.3f}s"


def why_awake(host: ObjectHost) -> Reasons:
    """What keeps the object in memory, or why it is out of it."""
    instance = host.instance
    if instance is None:
        return Reasons([], f"{host.label} is not in memory: {host.state}.")
    if instance.idle_since_us is not None:
        leaves_us = instance.idle_since_us + IDLE_EVICTION_US
        how = "hibernates" if host.sockets else "is evicted"
        note = f"Nothing holds {host.label}; it {how} at t={leaves_us / 1e6:.3f}s, 10 s after it became idle."
        return Reasons([], "prevent_eviction keeps it in memory." if host.binding.prevent_eviction else note)
    found = holders(instance)
    return Reasons(found, "" if found else f"{host.label} is running a turn.")


def why_not_hibernating(host: ObjectHost) -> Reasons:
    """What stands between the object and hibernation."""
    if host.instance is None and host.sockets:
        return Reasons([], f"{host.label} is hibernating, with {counted(host.sockets, 'socket')}.")
    reasons = why_awake(host)
    if not host.sockets:
        none = f"{host.label} has no socket accepted with acceptWebSocket: idle, it is evicted instead."
        reasons.note = f"{reasons.note} {none}".strip()
    return reasons


def overstays_at_us(instance: Instance, draw: float) -> int:
    """When production evicts an object that only timers, calls and waitUntil work hold, microseconds.

    `draw`: uniform in [0, 1), for the rule before 2026-10-01.
    """
    world = instance.world
    if not world.operations_hold:
        return instance.last_event_us + EVICTION_AFTER_US + round(draw * EVICTION_SPREAD_US)
    return max(
        (held.term_us + OPERATION_HOLDS_US for held in holders(instance) if held.kind in _BOUNDED),
        default=instance.loop.now_us,
    )
