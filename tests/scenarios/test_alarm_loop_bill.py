"""`alarm-loop-bill`: a loop that nobody asked for, its bill, and the budget that stops it."""

from __future__ import annotations

import pytest

from dosim.scenarios.alarm_loop_bill import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_loop_wakes_only_itself(lesson) -> None:
    """Ten times a second; the one request of somebody else is the one that set it up."""
    assert 590 <= lesson.facts["wakes_per_minute"] <= 601
    assert lesson.facts["wakes_only_itself"]


def test_every_row_is_read_every_time(lesson) -> None:
    """500 rows a wake."""
    assert 500 * lesson.facts["wakes_per_minute"] * 1440 == pytest.approx(lesson.facts["rows_per_day"], rel=0.01)


def test_a_budget_stops_it(lesson) -> None:
    """A hundred alarms, and then silence for eight days."""
    assert 100 == lesson.facts["budgeted_alarms"]
    assert lesson.facts["budgeted_usd"] < 0.01
    assert lesson.facts["extrapolated_usd"] > 100


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests; the published figure is named beside ours."""
    assert run().to_json() == lesson.to_json()
    assert "$34,895" in str(lesson)
