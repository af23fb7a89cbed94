"""What the platform promises of messages, and what dosim promises of its own account of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from dosim.testing.invariants.violations import at, kept_trace, of_kinds, said_of, told, violated
from dosim.trace.kinds import ANSWERS
from dosim.trace.records import RawRecord, Trace
from dosim.trace.segments import by_request, segments

_ANSWERS: Final = tuple(sorted(ANSWERS))


def fifo_per_stub(source: object) -> None:
    """Calls through one stub arrive in the order in which they left, and so do their answers.

    Why people get it wrong: the order is promised per stub, not per object. Two stubs of one object
    (`getByName("a")` written twice) may overtake each other, and so may two callers; a stub made anew after an error
    knows nothing of the order of the old one. Nor is it the order of completion: the calls *start* in order, and at
    the first await that lets others in the second may finish first. And "left" is not "was written down": a `fetch`
    leaves before the RPCs of the same turn.
    Source: durable-objects/api/stub ("E-order semantics", "no ordering guarantees between different stubs"). Seen in
    the field: the official test pool reorders RPC calls where production does not (workers-sdk#13433), and code that
    keeps a stub after it broke (tldraw/tldraw#5409).

    source: a simulation or a trace. Raises InvariantViolated with the two calls that changed places. Calls that were
    lost on their way are left out; one that was sent again counts from the last time it left.
    """
    trace = kept_trace(source, "fifo_per_stub")
    stubs = _Stubs()
    for raw in of_kinds(trace, "call", "leave", "arrive", "reply", "result", "turn_away", "lost"):
        stubs.take(raw)
    for stub, calls in stubs.calls.items():
        _check_order(source, trace, stub, [call for call in calls.values() if call.arrived is not None], "call")
        answers = [call for call in calls.values() if call.replied is not None and call.answered is not None]
        _check_order(source, trace, stub, answers, "answer")


class _Way:
    """A call's records: when it left and arrived, when its answer left and arrived."""

    __slots__ = ("answered", "arrived", "left", "replied")

    def __init__(self, left: RawRecord) -> None:
        self.left = left
        self.arrived: RawRecord | None = None
        self.replied: RawRecord | None = None
        self.answered: RawRecord | None = None


class _Stubs:
    """The calls of every stub."""

    def __init__(self) -> None:
        #: Stub -> request -> its way.
        self.calls: dict[object, dict[int, _Way]] = {}
        self._stub_of: dict[int, object] = {}
        self._outside: set[int] = set()

    def take(self, raw: RawRecord) -> None:
        kind, request = raw[2], raw[4]
        if kind == "call" and not raw[6][0]:
            self._outside.add(request)  # answers to the outside travel nowhere
        if kind == "leave" and len(raw[6]) > 3 and raw[6][3]:
            stub = self._stub_of[request] = raw[6][3]
            self.calls.setdefault(stub, {}).pop(request, None)
            self.calls[stub][request] = _Way(raw)
        way = self.calls.get(self._stub_of.get(request), {}).get(request)
        if way is None:
            return
        if kind == "arrive":
            way.arrived = raw
        elif kind == "reply" and request not in self._outside:
            way.replied = raw
        elif kind == "lost":
            way.replied = way.answered = None
        elif kind == "result" and way.replied is not None:
            way.answered = raw


def _check_order(source: object, trace: Trace, stub: object, calls: list[_Way], what: str) -> None:
    """Raise for the first two that arrived in another order than they left."""
    left = {id(call): call.left if what == "call" else call.replied for call in calls}
    came = {id(call): call.arrived if what == "call" else call.answered for call in calls}
    in_order = sorted(calls, key=lambda call: _place(left[id(call)]))
    for first, second in pairwise(in_order):
        one, other = came[id(first)], came[id(second)]
        if one is None or other is None or _place(one) < _place(other):
            continue
        sent, then = left[id(first)], left[id(second)]
        assert sent is not None and then is not None
        names = "the call" if what == "call" else "the answer to"
        raise violated(
            source,
            "fifo_per_stub",
            f"through one stub of {first.left[3]} (stub {stub}) {names} {told(trace, sent[4])} left at {at(sent[0])}"
            f" and {names} {told(trace, then[4])} at {at(then[0])}, but the second arrived first: at {at(other[0])},"
            f" the other one at {at(one[0])}.",
            at_us=other[0],
            request=then[4],
        )


def _place(raw: RawRecord | None) -> int:
    """Where a record stands among the others: messages leave and arrive in the order of their numbers."""
    assert raw is not None
    return raw[1]


def segments_sum_to_latency(source: object) -> None:
    """The segments of a request's life have no gap, no overlap, and sum to its latency to the microsecond.

    Why people get it wrong: a latency is measured at the client and blamed on the handler. What a handler did is one
    segment; the way there and back, a cold start, a name's first lookup, the input gate and the output gate are
    others, and a dashboard that does not show them leaves a difference that nobody can place. If the parts sum to the
    whole, the difference has a name. This is dosim's promise about its own account, kept on every request.
    Source: the attributes of Cloudflare's traces that dosim's segments are named after (`queue_time_ms`,
    `input_gate_lock_wait_ms`). Seen in the field: nobody can see gate waits
    (cloudflare-docs#27599).

    source: a simulation or a trace. Looks at every request from outside that has its answer: of clients, and of stubs
    that the program called. Raises InvariantViolated with the request and the microseconds that are missing or too
    many.
    """
    trace = kept_trace(source, "segments_sum_to_latency")
    index = by_request(trace)
    for request, records in index.items():
        first = records[0]
        outside = first[2] == "send" or (first[2] == "call" and not first[6][0] and first[6][1] in ("rpc", "fetch"))
        answer = next((raw for raw in records if raw[2] in _ANSWERS), None)
        if not outside or answer is None:
            continue
        latency_us = answer[0] - first[0]
        parts = segments(trace, request, index=index)
        summed_us = sum(part.duration_us for part in parts)
        gap = next((pair for pair in pairwise(parts) if pair[0].end_us != pair[1].start_us), None)
        if summed_us == latency_us and gap is None:
            continue
        story = f"{said_of(first)} left at {at(first[0])} and had its answer at {at(answer[0])}, {latency_us} µs later;"
        if gap is not None:
            story += f" but between {gap[0]} and {gap[1]} its segments do not meet."
        else:
            story += f" but its {len(parts)} segments sum to {summed_us} µs."
        raise violated(source, "segments_sum_to_latency", story, at_us=answer[0], request=request)
