"""ShiViz logs, Mermaid diagrams, OTLP: the rules of each format."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dosim import Simulation
from dosim.export import to_mermaid, to_otlp, to_shiviz
from dosim.export.mermaid import mermaid_text
from dosim.export.shiviz import PARSER
from dosim.platform.facts import EPOCH_MS
from dosim.scenarios import SCENARIOS
from dosim.trace import Trace
from tests.export.world import Counter, Default, world

# -- ShiViz


def _clocks(log: str) -> list[tuple[str, dict[str, int]]]:
    """(host, clock) of every event, read with ShiViz's own expression."""
    parser = PARSER.replace("(?<", "(?P<")
    found = [(m["host"], json.loads(m["clock"])) for m in re.finditer(parser, log)]
    assert 2 * len(found) == log.count("\n")
    return found


def test_each_host_counts_its_own_events() -> None:
    """
    The parser's expression reads every line, and a host's own entry grows by one with each of its events.
    """
    counted: dict[str, int] = {}
    for host, clock in _clocks(to_shiviz(world())):
        counted[host] = counted.get(host, 0) + 1

        assert counted[host] == clock[host]
        assert all(count <= counted[other] for other, count in clock.items())
    assert {"Tokyo", "São_Paulo", "worker@NRT", "worker@GRU", "Counter('demo')"} == set(counted)


def test_hosts_that_differ_by_a_space_stay_apart() -> None:
    """
    A host's name has no space in a log, and "a b" and "a_b" are two hosts nevertheless.
    """
    trace = Trace()
    for name in ("a b", "a_b"):
        trace.emit(0, "log", name, 0, 0, ("info", "one\ntwo"))

    assert 'a_b {"a_b": 1}\nlogs two\na_b_2 {"a_b_2": 1}\nlogs two\n' == to_shiviz(trace)


def test_clocks_that_would_fill_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A log whose clocks would have too many entries is refused with how many events and hosts, and what to do.
    """
    monkeypatch.setattr("dosim.export.shiviz.MOST_ENTRIES", 154)

    with pytest.raises(ValueError, match=r"31 events of 5 hosts are too many .* retention='last=1000'"):
        to_shiviz(world())


# -- Mermaid


def test_every_activation_ends() -> None:
    """
    In every scenario a participant is deactivated as often as it is activated, and never before.
    """
    for name in ("ten-by-five", "deploy-mid-request", "hibernating-chat", "crash-before-flush", "alarm-loop-bill"):
        result = SCENARIOS[name].run()
        trace = getattr(result, "trace", None) if name != "ten-by-five" else next(iter(result)).trace
        inside: dict[str, int] = {}
        for line in to_mermaid(trace).splitlines():
            word, _, who = line.strip().partition(" ")
            inside[who] = inside.get(who, 0) + {"activate": 1, "deactivate": -1}.get(word, 0)

            assert inside[who] >= 0
        assert not any(inside.values())


def test_a_diagram_says_what_it_leaves_out() -> None:
    """
    With at most two messages there are two arrows, and a note tells how much more there is and from when on.
    """
    text = to_mermaid(world(), most=2)

    assert 2 == text.count(">>")
    assert "10 more messages and 6 other events, from 403.561 ms on, are left out" in text.splitlines()[-1]


def test_a_diagram_of_some_requests() -> None:
    """
    Given one request, a diagram has its messages and those of its calls, and nobody else's.
    """
    sim = world()
    text = to_mermaid(sim, requests=[1])

    assert {"#35;1", "#35;4"} == set(re.findall(r"#35;\d+", text))
    assert "São Paulo" not in text


@pytest.mark.parametrize("bad", [99, "x"])
def test_a_request_that_is_not_there(bad: object) -> None:
    """
    A request that the trace does not have is refused with how many it has.
    """
    with pytest.raises(ValueError, match="is no request of this trace, which has 7 requests"):
        to_mermaid(world(), requests=[bad])
    with pytest.raises(ValueError, match="most=0: a diagram needs at least one message"):
        to_mermaid(world(), most=0)


def test_what_means_something_to_mermaid_is_a_code() -> None:
    """
    Semicolons, number signs, quotes, markup and the word "end" are codes; long texts are cut.
    """
    assert "#101;nd of #35;1#59; #34;a#34; #60;b#62; ended" == mermaid_text('end of #1; "a" <b> ended')
    assert "#101;nd" == mermaid_text("End")
    assert "a b" == mermaid_text("a\n  b")
    assert mermaid_text("x" * 500).startswith("x" * 119 + "#8230;")


def test_a_diagram_of_what_is_kept_says_so() -> None:
    """
    Of a trace that keeps its last 30 records, the diagram shows these and notes it; one of no records says that.
    """
    assert "only 30 records of 73 are kept (last=30)" in to_mermaid(world("last=30"))
    assert "no message is kept" in to_mermaid(Trace())


# -- OTLP


def _spans(source: object) -> dict[str, dict[str, Any]]:
    """Spans by their id."""
    resources: Any = to_otlp(source)["resourceSpans"]
    return {span["spanId"]: span for r in resources for scope in r["scopeSpans"] for span in scope["spans"]}


def _said(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_spans_are_as_the_format_wants() -> None:
    """
    Ids are lower-case hex of 16 and 8 bytes, times strings of nanoseconds from the simulated date on, kinds 2 and 3.
    """
    spans = _spans(world())

    assert 13 == len(spans)
    for number, span in spans.items():
        assert re.fullmatch("[0-9a-f]{16}", number) and re.fullmatch("[0-9a-f]{32}", span["traceId"])
        assert EPOCH_MS * 10**6 <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert isinstance(span["startTimeUnixNano"], str) and span["kind"] in (2, 3)
        assert all(next(iter(one["value"])) in ("stringValue", "intValue", "doubleValue") for one in span["attributes"])


def test_spans_are_inside_what_caused_them() -> None:
    """
    A request's trace: the client asks the Worker, whose code asks the object; each span lies inside its parent.
    """
    spans = _spans(world())
    of_object = next(s for s in spans.values() if s["kind"] == 2 and _said(s)["dosim.request"] == "4")
    path, span = [], of_object
    while span is not None:
        path.append((span["name"], span["kind"]))
        above = spans.get(span.get("parentSpanId", ""))
        if above is not None:
            assert above["traceId"] == span["traceId"]
            assert int(above["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
            assert int(span["endTimeUnixNano"]) <= int(above["endTimeUnixNano"])
        span = above

    assert [("Counter('demo').increment", 2), ("Counter('demo').increment", 3), ("GET", 2), ("GET", 3)] == path


def test_waits_have_cloudflares_names() -> None:
    """
    A span of an object says how long it waited, in milliseconds: the last of ten that take 5 s each waited 45 s.
    """
    trace = SCENARIOS["ten-by-five"].run(variant=["one-at-a-time"]).trace
    waits = [_said(span).get("queue_time_ms", 0.0) for span in _spans(trace).values() if span["kind"] == 2]

    assert 45_000 == pytest.approx(max(waits), rel=0.01)


def test_failures_have_a_status() -> None:
    """
    A lost answer is an error of who asked, and none of the object, which answered.
    """
    spans = [span for span in _spans(world()).values() if _said(span)["dosim.request"] == "6"]

    assert [{"code": 2, "message": "the reply was lost: MIA to NRT"}, {"code": 1}] == [s["status"] for s in spans]


def test_a_request_under_way_is_unfinished() -> None:
    """
    A span that has not ended when the trace does says so, and has no status.
    """
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7)
    sim.client("Tokyo").fetch("https://app.example/")
    sim.run(for_="100ms")
    spans = list(_spans(sim).values())

    assert spans
    assert all(_said(span)["dosim.unfinished"] and "status" not in span for span in spans)


def test_an_event_is_linked_to_the_request_that_sent_the_frame() -> None:
    """
    A frame that one object's code sends to another begins a trace of its own there, with a link to the sender's span.
    """
    trace = Trace()
    trace.emit(0, "call", "A('a')", 1, 0, (0, "rpc", "A('a')", "tell"))
    begun = trace.emit(0, "start", "A('a')", 1, 1, (0, ""))
    frame = trace.emit(0, "frame", "A('a')", 0, begun, (1, "message", 2, 5))
    trace.emit(1, "return", "A('a')", 1, begun, ())
    event = trace.emit(5, "call", "B('b')", 2, frame, (0, "websocket", "B('b')", "webSocketMessage"))
    trace.emit(5, "start", "B('b')", 2, event, (5, ""))
    told = next(span for span in _spans(trace).values() if _said(span)["dosim.request"] == "2")
    sender = next(span for span in _spans(trace).values() if _said(span)["dosim.request"] == "1" and span["kind"] == 2)

    assert "parentSpanId" not in told and told["traceId"] != sender["traceId"]
    assert [{"traceId": sender["traceId"], "spanId": sender["spanId"]}] == told["links"]
