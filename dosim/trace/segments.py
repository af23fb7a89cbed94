"""Where each microsecond of a request went: its life cut into segments that sum to its latency exactly.

A request's marks (records of the kinds below) come in order of time, but for `cpu`, which says at the end of a turn
when it began. Between two marks it is in one state; `partition` names that state. Where it awaited another call,
`segments` puts that call's own partition in its place, so that the whole path from client to object and back is one
list without gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dosim.trace.records import RawRecord, Trace

#: State -> the attribute by which Cloudflare's own traces and logs know it, where there is one.
_CLOUDFLARE_NAMES: Final = {"one at a time": "queue_time_ms", "input gate": "input_gate_lock_wait_ms"}

_MARKS: Final = frozenset(
    "send edge isolate worker response failed call leave arrive turn_away queue enter construct serve start resume cpu"
    " return throw reply lost result".split()
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a request's life.

    `state` is one of: client link, edge routing, worker start, placement lookup, hop, one at a time, thread,
    input gate, constructor, service, running, awaiting, output gate, hop back, client link back, lost (a message that
    never came, until that was noticed). `detail` says what was awaited, lost, or who held the gate; `request` is the
    request it belongs to; times are microseconds.
    """

    state: str
    start_us: int
    end_us: int
    request: int
    actor: str
    detail: str = ""
    child: int = 0

    @property
    def duration_us(self) -> int:
        return self.end_us - self.start_us

    def __str__(self) -> str:
        of = f" ({self.detail})" if self.detail else ""
        return f"{self.start_us / 1e6:.6f}-{self.end_us / 1e6:.6f}s {self.state}{of} at {self.actor}"


def partition(marks: Iterable[RawRecord]) -> list[Segment]:
    """The segments of one request from its own records, in order, without gaps; empty ones are left out."""
    builder = _Builder()
    for record in marks:
        if record[2] in _MARKS:
            builder.mark(record)
    return builder.segments


class _Builder:
    """The state a request is in, and the segments it has passed through."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.state = ""
        self.since_us = 0
        self.actor = ""
        self.detail = ""
        self.answered = False
        self.client = False

    def close(self, end_us: int, request: int, state: str = "", detail: str | None = None, child: int = 0) -> None:
        """End the current stretch at `end_us`, under its own name or a better one known now."""
        if end_us > self.since_us:
            said = self.detail if detail is None else detail
            self.segments.append(Segment(state or self.state, self.since_us, end_us, request, self.actor, said, child))
            self.since_us = end_us

    def enter(self, state: str, actor: str, detail: str = "") -> None:
        self.state, self.actor, self.detail = state, actor, detail

    def mark(self, record: RawRecord) -> None:
        t_us, _, kind, actor, request, _, detail = record
        if self.answered and kind in ("resume", "cpu", "start"):
            return  # work that goes on after the answer is not part of the request's latency
        if not self.state:
            self.since_us = t_us
            self.client = kind == "send"
        getattr(self, "_" + kind)(t_us, actor, request, detail)

    def _plain(self, state: str, t_us: int, actor: str, request: int, detail: str = "") -> None:
        self.close(t_us, request)
        self.enter(state, actor, detail)

    def _send(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("client link", t_us, actor, request)

    def _edge(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("edge routing", t_us, actor, request)

    def _isolate(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("worker start", t_us, actor, request)

    def _worker(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("awaiting", t_us, actor, request)

    def _call(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("output gate", t_us, actor, request)

    def _leave(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        lookup_us = detail[2]
        assert isinstance(lookup_us, int)
        self._plain("placement lookup", t_us, actor, request)
        self.close(t_us + lookup_us, request)
        self.enter("hop", actor)

    def _arrive(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("thread", t_us, actor, request)

    def _queue(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("one at a time", t_us, actor, request, str(detail[0]))

    def _enter(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("thread", t_us, actor, request)

    def _construct(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("constructor", t_us, actor, request)

    def _serve(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("service", t_us, actor, request)

    def _start(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        if detail[1] and self.state != "constructor":
            self.close(t_us, request, "input gate", str(detail[1]))
        self._plain("awaiting", t_us, actor, request)

    def _resume(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        after, child, ready_us, held_by = detail
        assert isinstance(ready_us, int) and isinstance(child, int)
        self.close(max(ready_us, self.since_us), request, "awaiting", str(after), child)
        self.close(t_us, request, "input gate", str(held_by or ""))
        self.enter("awaiting", actor)

    def _cpu(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        cpu_us = detail[0]
        assert isinstance(cpu_us, int)
        self.close(t_us, request)
        self.close(t_us + cpu_us, request, "running", "")

    def _return(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self.close(t_us, request, "running" if self.state == "awaiting" else "", "")
        self.enter("output gate", actor)
        self.answered = True

    def _throw(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._return(t_us, actor, request, detail)

    def _turn_away(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        while self.segments and self.since_us > t_us:  # the process died while it computed
            cut = self.segments.pop()
            self.since_us = max(cut.start_us, t_us)
            if cut.start_us < t_us:
                self.segments.append(replace(cut, end_us=t_us))
        self.close(t_us, request)
        self.enter("output gate", actor)
        self.answered = True

    def _reply(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("client link back" if self.client else "hop back", t_us, actor, request)

    def _result(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("done", t_us, actor, request)

    def _lost(self, t_us: int, actor: str, request: int, detail: tuple[object, ...]) -> None:
        self._plain("lost", t_us, actor, request, str(detail[0]))

    _response = _failed = _result


def by_request(trace: Trace) -> dict[int, list[RawRecord]]:
    """The kept records of every request, by its number."""
    found: dict[int, list[RawRecord]] = {}
    for raw in trace.raw:
        if raw[4]:
            found.setdefault(raw[4], []).append(raw)
    return found


def segments(trace: Trace, request: int, *, index: Mapping[int, list[RawRecord]] | None = None) -> list[Segment]:
    """The whole path of a request: its partition, with every awaited call's own partition in the place of the wait.

    Raises ValueError when the trace has no such request.
    """
    records = index if index is not None else by_request(trace)
    if request not in records:
        raise ValueError(
            f"request={request} is not in the trace; it has {len(records)} requests, kept by {trace.retention!r}."
        )
    return _expanded(request, records, {})


def _expanded(request: int, records: Mapping[int, list[RawRecord]], known: dict[int, list[Segment]]) -> list[Segment]:
    if request not in known:
        known[request] = []  # a call that waits for itself is not expanded again
        whole: list[Segment] = []
        for segment in partition(records.get(request, ())):
            whole.extend(_with_child(segment, records, known) if segment.child else [segment])
        known[request] = whole
    return known[request]


def _with_child(
    segment: Segment, records: Mapping[int, list[RawRecord]], known: dict[int, list[Segment]]
) -> Iterable[Segment]:
    """The child's segments clipped to the wait, with what they do not cover left as the wait itself."""
    at_us = segment.start_us
    for part in _expanded(segment.child, records, known):
        start_us, end_us = max(part.start_us, at_us), min(part.end_us, segment.end_us)
        if end_us <= start_us:
            continue
        if start_us > at_us:
            yield replace(segment, start_us=at_us, end_us=start_us)
        yield replace(part, start_us=start_us, end_us=end_us)
        at_us = end_us
    if at_us < segment.end_us:
        yield replace(segment, start_us=at_us)


def cloudflare_attributes(parts: Iterable[Segment]) -> dict[str, float]:
    """The waits among these segments by the names of Cloudflare's own traces, milliseconds."""
    waits = dict.fromkeys(_CLOUDFLARE_NAMES.values(), 0.0)
    for segment in parts:
        name = _CLOUDFLARE_NAMES.get(segment.state)
        if name is not None:
            waits[name] += segment.duration_us / 1000
    return waits
