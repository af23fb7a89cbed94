"""Chrome Trace Event JSON: what Perfetto would drop or misread is not in it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from dosim.export import to_chrome
from dosim.scenarios import SCENARIOS
from dosim.trace import Trace
from tests.export.world import busy, world


def _events(source: object, ph: str) -> list[dict[str, Any]]:
    return [event for event in to_chrome(source)["traceEvents"] if event["ph"] == ph]  # type: ignore[attr-defined]


def test_slices_of_a_thread_never_overlap() -> None:
    """
    On one thread a slice ends before the next begins: Perfetto drops those that overlap in part.
    """
    threads: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in _events(busy(), "X"):
        threads.setdefault((event["pid"], event["tid"]), []).append(event)
    computing = [event for events in threads.values() for event in events if event["dur"]]

    assert computing
    for events in threads.values():
        events.sort(key=lambda event: event["ts"])
        assert all(one["ts"] + one["dur"] <= other["ts"] for one, other in pairwise(events))


def test_only_computing_takes_time() -> None:
    """
    The slices of all event loops sum to what was computed, and a service's work is no slice but a stretch.
    """
    for trace in (busy().trace, SCENARIOS["double-email"].run().trace):
        computed = sum(record.detail["cpu_us"] for record in trace.of_kind("cpu"))  # type: ignore[misc]

        assert computed == sum(event["dur"] for event in _events(trace, "X"))


def test_arrows_begin_before_they_end_and_stand_in_a_slice() -> None:
    """
    In the order of the file every arrow begins before it ends, at most once each, right behind a slice of its thread.
    """
    for source in (world(), busy(), busy(network=None)):
        begun: set[int] = set()
        ended: list[int] = []
        slice_: dict[str, Any] = {}
        for event in to_chrome(source)["traceEvents"]:  # type: ignore[attr-defined]
            if event["ph"] == "X":
                slice_ = event
            elif event["ph"] in "sf":
                assert (slice_["ts"], slice_["pid"], slice_["tid"]) == (event["ts"], event["pid"], event["tid"])
                assert event["ph"] == "s" or event["id"] in begun
                if event["ph"] == "s":
                    begun.add(event["id"])
                else:
                    ended.append(event["id"])

        assert sorted(begun) == sorted(ended)


def test_what_may_overlap_is_asynchronous_and_closed() -> None:
    """
    Requests are nested begin and end pairs with a local id, each with its stretches inside; all of them end.
    """
    open_: dict[str, list[str]] = {}
    for event in to_chrome(world())["traceEvents"]:  # type: ignore[attr-defined]
        if event["ph"] == "b":
            open_.setdefault(event["id2"]["local"], []).append(event["name"])
        elif event["ph"] == "e":
            assert open_[event["id2"]["local"]].pop() == event["name"]

    assert 7 == len(open_)
    assert not any(open_.values())


def test_the_queue_is_counted() -> None:
    """
    When n requests wait for one object the counter says n, and 0 when none does.
    """
    trace = SCENARIOS["ten-by-five"].run(variant=["one-at-a-time"]).trace
    lengths = [event["args"]["length"] for event in _events(trace, "C") if event["name"] == "queue"]

    assert 9 == max(lengths)
    assert 0 == lengths[-1]


def test_moments_are_instants_of_their_process() -> None:
    """
    The alarm, the lost answer, the crash and what the program did are instants.
    """
    names = [event["name"] for event in _events(world(), "i")]

    assert [
        "sim.lose: reply of Counter('demo')",
        "reply of #6 lost: MIA to NRT",
        "alarm",
        "sim.crash: Counter('demo')",
        "crash",
    ] == names
    assert {"p"} == {event["s"] for event in _events(world(), "i")}


def test_names_are_ascii() -> None:
    """
    São Paulo is Sao Paulo, and letters without a plain form are told by number: Perfetto shows escapes as they are.
    """
    trace = Trace()
    trace.emit(0, "send", "São Paulo", 1, 0, ("GET", "https://app.example/", "São Paulo"))
    trace.emit(5, "crash", "Room('東')", 0, 0, (1,))
    text = json.dumps(to_chrome(trace), ensure_ascii=False)

    assert text.isascii()
    assert "Sao Paulo" in text and "Room('<U+6771>')" in text


def test_retention_is_told() -> None:
    """
    A trace that keeps its last 30 records exports these, and the file says how many there were.
    """
    sim = world("last=30")
    said = to_chrome(sim)["otherData"]

    assert {"source": "dosim", "retention": "last=30", "records": 73, "kept": 30} == said
    assert _events(sim, "X")


def test_nothing_yet_is_an_empty_file() -> None:
    """
    Of no records there are no events, and no error.
    """
    assert [] == to_chrome(Trace())["traceEvents"]
