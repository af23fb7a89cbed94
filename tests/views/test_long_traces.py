"""A trace of a million records: every view draws it in seconds, draws a part of it, and says so."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest

from dosim.trace import Trace
from dosim.views import costs, costs_svg, latency, latency_svg, queue, queue_svg, timeline, timeline_svg
from tests.views.told import Told

RECORDS = 1_000_000
#: Seconds that a view may take. On the machine where this was written the slowest took three.
MOST_S = 10


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Seven records for each of 142,858 requests: one a millisecond, with 600 µs at one object."""
    told = Told()
    while told.trace.count < RECORDS:
        at_us = told.count * 500
        sent = told.request(("Oslo", "Lima", "Tokyo")[told.count % 3], at_us, at_us + 40_000 + told.count % 977)
        told.visit("Desk('a')", at_us, at_us + told.count % 300, at_us + 600, caller=sent)
    return told.trace


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "said"),
    [
        (latency, "142,858 answered requests. The curve goes through 2,"),
        (latency, "Parts are those of 10,000 of them, chosen evenly."),
        (queue, "Drawn as the highest of each "),
        (costs, "Read at 241 moments."),
        (timeline, "Drawn: the first 60 of "),
    ],
)
def test_million_records_are_drawn_in_part_and_that_is_said(trace: Trace, view: Callable[..., Any], said: str) -> None:
    """
    In the words of the picture.
    """
    began = perf_counter()
    figure = view(trace)

    assert perf_counter() - began < MOST_S
    assert said in figure.alt


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chart", "most_letters"),
    [(latency_svg, 40_000), (queue_svg, 40_000), (costs_svg, 40_000), (timeline_svg, 60_000)],
)
def test_million_records_make_a_small_svg(trace: Trace, chart: Callable[..., str], most_letters: int) -> None:
    """
    A page can hold it.
    """
    began = perf_counter()
    text = chart(trace)

    assert perf_counter() - began < MOST_S
    assert len(text) < most_letters
