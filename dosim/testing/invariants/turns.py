"""What the platform promises of one object: one instance at a time, and one turn at a time in it."""

from __future__ import annotations

from dosim.testing.invariants.violations import at, kept_trace, of_kinds, told, violated
from dosim.trace.records import RawRecord

#: What ends an instance.
_ENDS = ("evict", "crash", "reset")


def one_instance_per_id(source: object) -> None:
    """Never are two instances of one object alive at once, anywhere in the world.

    Why people get it wrong: in both directions. Some expect an object in every region, one near each user: there is
    one, where it was first asked for. Others read "unique" as "for ever": the instance goes (evicted, hibernated,
    crashed, deployed over) and another one comes, with the same storage and empty memory, so an id names a sequence of
    lives and not a process. The platform checks uniqueness when an event starts and when storage is accessed; an old
    instance that touches no storage may run on unnoticed for a moment, so what it does outside is not covered.
    Source: durable-objects/platform/known-issues ("Global uniqueness"). Seen in the field: attributes that were
    thought to last, and were found out in production (cloudflare/workerd#904).

    source: a simulation or a trace. Raises InvariantViolated with both lives.
    """
    trace = kept_trace(source, "one_instance_per_id")
    alive: dict[str, tuple[int, RawRecord]] = {}
    for raw in of_kinds(trace, "construct", *_ENDS):
        t_us, label, number = raw[0], raw[3], int(str(raw[6][0]))
        if raw[2] != "construct":
            if label in alive and alive[label][0] == number:
                del alive[label]
            continue
        if label in alive:
            first, since = alive[label]
            raise violated(
                source,
                "one_instance_per_id",
                f"at {at(t_us)} instance {number} of {label} was constructed for {told(trace, raw[4])}, and instance"
                f" {first}, constructed at {at(since[0])} for {told(trace, since[4])}, was still alive: nothing had"
                " evicted, crashed or reset it. From then on two copies of its memory answer for one id.",
                at_us=t_us,
                request=raw[4],
            )
        alive[label] = number, raw


def turns_never_overlap(source: object) -> None:
    """While an object computes, nothing else of it runs: a turn, from one await to the next, is alone.

    Why people get it wrong: "single-threaded" is read as "one request at a time". It is less: at every await on the
    world outside (a fetch, an RPC, a timer) other requests get in, so two handlers interleave; storage awaits let
    nobody in. And it is more than some expect: between two awaits no lock is needed, and 5 s of CPU work hold everybody
    up for 5 s. This invariant is the promise that is kept; what breaks between the awaits is for `linearizable`.
    Source: durable-objects/reference/in-memory-state, and what was recorded from workerd: the unit is the turn. Seen
    in the field: nobody agrees what may interleave (workers-sdk#14061 says that socket handlers do).

    source: a simulation or a trace. Raises InvariantViolated with the two turns. Only turns that take CPU time
    (`dosim.cpu`) have a length; Workers run requests side by side and are not looked at.
    """
    trace = kept_trace(source, "turns_never_overlap")
    begun: dict[str, list[RawRecord]] = {}
    turns: dict[str, list[_Turn]] = {}
    for raw in of_kinds(trace, "start", "resume", "cpu", *_ENDS):
        label = raw[3]
        if raw[2] in ("start", "resume"):
            begun.setdefault(label, []).append(raw)
        elif raw[2] == "cpu":
            if label in begun:  # else it is a Worker
                turns.setdefault(label, []).append(_Turn(raw, raw[0] + int(str(raw[6][0]))))
        elif label in turns:  # told in advance, it did not get to its end
            last = turns[label][-1]
            last.end_us = min(last.end_us, max(raw[0], last.start_us))
    for label, computed in turns.items():
        found = _overlap(computed, begun[label])
        if found is None:
            continue
        turn, other = found
        raise violated(
            source,
            "turns_never_overlap",
            f"{label} computed for {told(trace, turn.raw[4])} from {at(turn.start_us)} to {at(turn.end_us)}, and at"
            f" {at(other[0])}, in the middle of it, a turn of {told(trace, other[4])} began. Code between two awaits"
            " must be alone.",
            at_us=other[0],
            request=other[4],
        )


class _Turn:
    """A turn that took CPU time, from its beginning to its end."""

    __slots__ = ("end_us", "raw", "start_us")

    def __init__(self, raw: RawRecord, end_us: int) -> None:
        self.raw = raw
        self.start_us = raw[0]
        self.end_us = end_us


def _overlap(turns: list[_Turn], begun: list[RawRecord]) -> tuple[_Turn, RawRecord] | None:
    """The first turn in the middle of which another one of the object began."""
    in_order = sorted(turns, key=lambda turn: (turn.start_us, turn.raw[1]))
    begins = sorted([*begun, *(turn.raw for turn in turns)], key=lambda raw: (raw[0], raw[1]))
    next_begin = 0
    for turn, following in zip(in_order, [*in_order[1:], None], strict=True):
        if following is not None and following.start_us < turn.end_us:
            return turn, following.raw
        while next_begin < len(begins) and begins[next_begin][0] <= turn.start_us:
            next_begin += 1
        if next_begin < len(begins) and begins[next_begin][0] < turn.end_us:
            return turn, begins[next_begin]
    return None
