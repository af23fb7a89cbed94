"""Lives: the states of every object over time, with its instances, read from a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dosim.trace.records import RawRecord, Trace

#: What ends a request's stay in an object.
_LEAVES: Final = frozenset(("return", "throw", "turn_away", "cut_off"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in one state, microseconds from the simulation's start.

    `state` is "starting" (its constructor runs), "running" (somebody is inside), "held" (nobody is, but something keeps
    it in memory), "idle" (in memory, nobody inside), "hibernated" (not in memory, sockets are), "evicted" (not in
    memory). `instance` numbers the life in memory, 0 without one; `inside` counts the requests inside, `sockets` those
    that sleep with it; `stored_bytes` is None until the trace tells; `why` says what led here.
    """

    start_us: int
    end_us: int
    state: str
    instance: int
    inside: int = 0
    stored_bytes: int | None = None
    sockets: int = 0
    why: str = ""

    @property
    def in_memory(self) -> bool:
        return self.instance > 0


@dataclass(frozen=True, slots=True)
class Life:
    """One object: its label, the colo it lives in ("" without a network), its states in order, without gaps.

    The last stretch ends with the trace, and is of no length if its state began there. `visits` are (when, request) of
    whatever came in, in order of time: also of a handler that takes no time, which makes no stretch of its own.
    """

    label: str
    place: str
    stretches: tuple[Stretch, ...]
    visits: tuple[tuple[int, int], ...] = ()

    @property
    def instances(self) -> int:
        """How many times it was brought to memory, as far as the trace tells."""
        return len({stretch.instance for stretch in self.stretches if stretch.instance})


def lives(trace: Trace) -> dict[str, Life]:
    """The life of every object of the kept records, by its label, in the order in which they first appear."""
    reader = _Reader()
    for raw in trace.raw:
        reader.take(raw)
    return reader.finish()


@dataclass(slots=True)
class _Object:
    """An object as it is now, and the stretches behind it."""

    place: str = ""
    state: str = ""
    since_us: int = 0
    instance: int = 0
    stored_bytes: int | None = None
    sockets: int = 0
    why: str = ""
    inside: set[int] = field(default_factory=set)
    behind: list[Stretch] = field(default_factory=list)

    def turn(self, t_us: int, state: str, why: str = "") -> None:
        """Pass to a state; a stretch of no time at all is left out."""
        self.close(t_us)
        self.state, self.since_us, self.why = state, t_us, why

    def close(self, t_us: int) -> None:
        if self.state and t_us > self.since_us:
            self.behind.append(self.stretch(t_us))
            self.since_us = t_us

    def stretch(self, t_us: int) -> Stretch:
        """The stretch that would end now."""
        instance = self.instance if self.state not in ("hibernated", "evicted") else 0
        inside = len(self.inside) if self.state == "running" else 0
        known = self.stored_bytes, self.sockets, self.why
        return Stretch(self.since_us, t_us, self.state, instance, inside, *known)


class _Reader:
    """Follows every object from record to record."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._colos: dict[str, str] = {}
        self._visits: dict[str, list[tuple[int, int]]] = {}
        self._last_us = 0
        self._fault = ("", "")
        self._handlers: dict[str, Callable[[RawRecord], None]] = {
            "construct": self._construct, "start": self._start, "idle": self._idle, "held": self._held,
            "evict": self._evict, "crash": self._end, "reset": self._end, "arrive": self._arrive, "fault": self._verb,
            **dict.fromkeys(_LEAVES, self._leave),
        }  # fmt: skip

    def take(self, raw: RawRecord) -> None:
        self._last_us = max(self._last_us, raw[0])
        handler = self._handlers.get(raw[2])
        if handler is not None:
            handler(raw)

    def finish(self) -> dict[str, Life]:
        found: dict[str, Life] = {}
        for label, known in self._objects.items():
            known.close(self._last_us)
            if not known.behind or known.behind[-1].state != known.state:  # it came to it in the last instant
                known.behind.append(known.stretch(self._last_us))
            visits = tuple(sorted(self._visits.get(label, ())))
            found[label] = Life(label, self._colos.get(label, ""), tuple(known.behind), visits)
        return found

    def _object(self, label: str) -> _Object:
        return self._objects.setdefault(label, _Object())

    def _arrive(self, raw: RawRecord) -> None:
        if raw[6][0]:
            self._colos[raw[3]] = str(raw[6][0])

    def _verb(self, raw: RawRecord) -> None:
        self._fault = str(raw[6][0]), str(raw[6][1])

    def _construct(self, raw: RawRecord) -> None:
        known = self._object(raw[3])
        known.turn(raw[0], "starting", "first use" if not known.state else "woken")
        known.instance, known.sockets = int(str(raw[6][0])), 0
        known.inside.clear()

    def _start(self, raw: RawRecord) -> None:
        self._visits.setdefault(raw[3], []).append((raw[0], raw[4]))
        known = self._objects.get(raw[3])
        if known is not None:
            known.turn(raw[0], "running")
            known.inside.add(raw[4])

    def _leave(self, raw: RawRecord) -> None:
        known = self._objects.get(raw[3])
        if known is not None and raw[4] in known.inside:
            known.close(raw[0])
            known.inside.discard(raw[4])

    def _idle(self, raw: RawRecord) -> None:
        known = self._object(raw[3])
        known.turn(raw[0], "idle")
        known.instance = int(str(raw[6][0]))
        known.inside.clear()

    def _held(self, raw: RawRecord) -> None:
        known = self._object(raw[3])
        known.turn(raw[0], "held", str(raw[6][1]))
        known.instance = int(str(raw[6][0]))
        known.inside.clear()

    def _evict(self, raw: RawRecord) -> None:
        known = self._object(raw[3])
        _, sockets, stored_bytes = raw[6]
        verb, what = self._fault
        why = f"sim.{verb}" if verb in ("evict", "hibernate") and what in (raw[3], "") else "idle for long enough"
        known.turn(raw[0], "hibernated" if sockets else "evicted", why)
        known.sockets = int(str(sockets or 0))
        known.stored_bytes = stored_bytes if isinstance(stored_bytes, int) else known.stored_bytes
        known.inside.clear()

    def _end(self, raw: RawRecord) -> None:
        known = self._object(raw[3])
        known.turn(raw[0], "evicted", "its machine crashed" if raw[2] == "crash" else f"it was reset: {raw[6][1]}")
        known.sockets = 0
        known.inside.clear()
