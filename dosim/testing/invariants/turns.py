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
    objects = {raw[3] for raw in of_kinds(trace, "start", "construct")}
    busy: dict[str, list[RawRecord]] = {}
    begun: dict[str, list[RawRecord]] = {}
    for raw in of_kinds(trace, "cpu", "start", "resume"):
        if raw[3] in objects:
            (busy if raw[2] == "cpu" else begun).setdefault(raw[3], []).append(raw)
    for label, turns in busy.items():
        longest = sorted(turns, key=lambda raw: (raw[0], raw[1]))
        others = sorted([*begun.get(label, ()), *longest], key=lambda raw: (raw[0], raw[1]))
        _check_object(source, label, longest, others)


def _check_object(source: object, label: str, turns: list[RawRecord], others: list[RawRecord]) -> None:
    """Raise for the first record of `others` that lies strictly inside a turn. Both are in order of time."""
    next_other = 0
    for before, turn in zip([None, *turns], turns, strict=False):
        if before is not None and before[0] + int(str(before[6][0])) > turn[0]:
            raise _overlap(source, label, before, turn)
        end_us = turn[0] + int(str(turn[6][0]))
        while next_other < len(others) and others[next_other][0] <= turn[0]:
            next_other += 1
        if next_other < len(others) and others[next_other][0] < end_us:
            raise _overlap(source, label, turn, others[next_other])


def _overlap(source: object, label: str, turn: RawRecord, other: RawRecord) -> Exception:
    trace = kept_trace(source, "turns_never_overlap")
    end_us = turn[0] + int(str(turn[6][0]))
    return violated(
        source,
        "turns_never_overlap",
        f"{label} computed for {told(trace, turn[4])} from {at(turn[0])} to {at(end_us)}, and at {at(other[0])}, in the"
        f" middle of it, a turn of {told(trace, other[4])} began. Code between two awaits must be alone.",
        at_us=other[0],
        request=other[4],
    )
