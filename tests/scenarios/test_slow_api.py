"""`slow-api`: a closed gate makes a line, an await loses updates, a queue does neither."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.slow_api import REQUESTS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize("way", ["belief", "blocking"])
def test_behind_the_gate_the_last_waits_for_all(lesson, way: str) -> None:
    """5, 10, ..., 50 seconds: what is believed of every object is true of this one."""
    expected_us = [5_000_000 * number for number in range(1, REQUESTS + 1)]
    assert lesson.facts[way]["latencies_us"] == pytest.approx(expected_us, abs=200_000)
    assert lesson.facts[way]["counted"] == REQUESTS


def test_awaited_nobody_waits_and_updates_are_lost(lesson) -> None:
    """All read 0 before the await, and all are told that theirs is the first report."""
    awaiting = lesson.facts["awaiting"]
    assert awaiting["latencies_us"] == pytest.approx([5_000_000] * REQUESTS, abs=200_000)
    assert awaiting["told"] == ["report 1"] * REQUESTS
    assert awaiting["counted"] == 1


def test_read_after_the_wait_nothing_is_lost(lesson) -> None:
    """As fast, and every report has its own number."""
    late = lesson.facts["late"]
    assert max(late["latencies_us"]) == pytest.approx(5_000_000, abs=200_000)
    assert len(set(late["told"])) == late["counted"] == REQUESTS


def test_queued_everybody_is_answered_at_once(lesson) -> None:
    """In the order of arrival, and every report is made once and counted later."""
    queued = lesson.facts["queued"]
    assert max(queued["latencies_us"]) < 500_000
    assert queued["statuses"] == [202] * REQUESTS
    assert queued["told"] == [f"order {number}" for number in range(1, REQUESTS + 1)]
    assert queued["counted"] == queued["service_asked"] == REQUESTS


def test_the_report_is_fetched_later(lesson) -> None:
    """Not yet, and then it is there."""
    early, late = lesson.facts["queued"]["fetched"]
    assert (early["status"], early["body"]) == (202, "not yet")
    assert (late["status"], late["body"]) == (200, "a report")
    assert late["asked_after_us"] > 5_000_000


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "slow-api"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "is answered after 50.1 s behind blockConcurrencyWhile, and all after 5.0 s with a plain await" in printed
