"""`alarm-loop-bill`: a loop that nobody asked for, its bill, and the budget that stops it."""

from __future__ import annotations

import pytest

from dosim.scenarios.alarm_loop_bill import DAYS, DEPLOYMENTS, run, wakers

MINUTE, LOOP, BUDGETED = "again in a minute", "again in 10 ms", "in 10 ms, with a budget"


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_loop_wakes_only_itself(lesson) -> None:
    """A hundred times a second; the one request of somebody else set it up."""
    assert lesson.facts["wakes"][LOOP] == pytest.approx(1_000, abs=2)
    assert lesson.facts["wakes"][MINUTE] == pytest.approx(60, abs=1)
    ((own, others),) = wakers(lesson.worlds[0].sim.trace, since_us=1).values()
    assert own >= lesson.facts["wakes"][LOOP] and 0 == others
    ((_, since_the_start),) = wakers(lesson.worlds[0].sim.trace).values()
    assert 1 == since_the_start


def test_every_row_is_read_every_time(lesson) -> None:
    """1,000 rows a wake, 86,400 s a day, sixty of them."""
    facts = lesson.facts
    expected = 1_000 * facts["wakes"][LOOP] / facts["measured_s"][LOOP] * 86_400 * DEPLOYMENTS
    assert expected == pytest.approx(facts["rows_read_per_day_by_all"][LOOP], rel=0.01)


def test_the_extrapolated_bill_is_the_documented_arithmetic(lesson) -> None:
    """Rows read, rows written (an alarm that is set is one) and requests of eight days, less the allowances."""
    wakes = lesson.facts["wakes"][LOOP] * lesson.facts["scaled_by"] / 1e6  # millions
    expected = 5 + (1_000 * wakes - 25_000) * 0.001 + (wakes - 50) * 1.00 + (wakes - 1) * 0.15
    assert expected == pytest.approx(lesson.facts["extrapolated_usd"][LOOP], rel=0.001)


def test_what_the_published_rows_ask_of_a_wake(lesson) -> None:
    """930 billion rows a day of sixty objects: ten million a wake each minute, and $7,440 for the reads alone."""
    needed = lesson.facts["rows_needed_per_wake"]
    assert 930e9 / 60 / 1_440 == pytest.approx(needed[MINUTE], rel=0.02)
    assert 1_500 < needed[LOOP] < 2_000
    assert 930e9 * DAYS * 0.001 / 1e6 == pytest.approx(lesson.facts["published_rows_at_list_price_usd"])
    assert 20_000 == pytest.approx(lesson.facts["invoiced_rows_at_list_price_usd"])


def test_a_budget_stops_it_and_says_so(lesson) -> None:
    """Twenty alarms, and then silence for eight days: the base fee and no more."""
    assert 20 == lesson.facts["wakes"][BUDGETED]
    assert 5 == lesson.facts["extrapolated_usd"][BUDGETED]
    trace = lesson.worlds[1].sim.trace
    (said,) = trace.of_kind("log")
    assert "stopped: 20 alarms without a request" in str(said.detail)
    assert trace.of_kind("call")[-1].t_us < 2_000_000


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests; the published figure is named beside ours."""
    assert run().to_json() == lesson.to_json()
    assert "$34,895" in str(lesson)
