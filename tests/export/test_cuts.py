"""Traces that begin or end anywhere: retention keeps the end of a run, and a run may be looked at before it is over."""

from __future__ import annotations

from collections import Counter as Multiset
from typing import Any

import pytest

from dosim.export import rows, to_chrome, to_mermaid, to_otlp, to_shiviz
from dosim.trace import Trace
from tests.export.world import busy, world


def _cuts() -> list[Trace]:
    """Beginnings and ends of two runs, every fifth."""
    found = []
    for records in (list(world().trace.raw), list(busy().trace.raw)):
        for number in range(0, len(records), 5):
            for trace, some in ((Trace(f"last={number}"), records), (Trace(), records[:number])):
                for t_us, _, kind, actor, request, cause, detail in some:
                    trace.emit(t_us, kind, actor, request, cause, detail)
                found.append(trace)
    return found


@pytest.fixture(scope="module")
def cuts() -> list[Trace]:
    return _cuts()


def test_arrows_and_pairs_are_whole(cuts: list[Trace]) -> None:
    """
    However a trace is cut, each arrow has both ends, the beginning first, and each stretch begins and ends.
    """
    for trace in cuts:
        events: Any = to_chrome(trace)["traceEvents"]
        phases = Multiset(event["ph"] for event in events)
        arrows = [(event["id"], event["ph"]) for event in events if event["ph"] in "sf"]

        assert phases["b"] == phases["e"]
        assert phases["s"] == phases["f"] == len({number for number, _ in arrows})
        assert all(arrows.index((number, "s")) < arrows.index((number, "f")) for number, _ in arrows)


def test_activations_are_whole(cuts: list[Trace]) -> None:
    """
    However a trace is cut, a diagram activates as often as it deactivates.
    """
    for trace in cuts:
        words = Multiset(line.split()[0] for line in to_mermaid(trace).splitlines())

        assert words["activate"] == words["deactivate"]


def test_spans_end_after_they_begin(cuts: list[Trace]) -> None:
    """
    However a trace is cut, a span ends after it began, and its parent is in the file.
    """
    for trace in cuts:
        resources: Any = to_otlp(trace)["resourceSpans"]
        spans = [span for resource in resources for span in resource["scopeSpans"][0]["spans"]]
        numbers = {span["spanId"] for span in spans}

        assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
        assert {span["parentSpanId"] for span in spans if "parentSpanId" in span} <= numbers


def test_tables_are_what_is_kept(cuts: list[Trace]) -> None:
    """
    However a trace is cut, there is a row for each record that is kept, and a log of the same without an error.
    """
    for trace in cuts:
        assert len(trace) == len(rows(trace))
        assert bool(to_shiviz(trace)) <= bool(rows(trace))
        assert all(row["duration_us"] > 0 for row in rows(trace, "segments"))  # type: ignore[operator]
