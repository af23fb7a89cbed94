"""`slow-api`: a closed gate makes a line, an await loses updates, a queue does neither."""

from __future__ import annotations

import pytest

from dosim.scenarios.slow_api import REQUESTS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_behind_the_gate_the_last_waits_for_all(lesson) -> None:
    """5, 10, ..., 50 seconds."""
    assert lesson.facts["BLOCKING"]["first_s"] == pytest.approx(5, abs=0.6)
    assert lesson.facts["BLOCKING"]["last_s"] == pytest.approx(5 * REQUESTS, abs=1)
    assert lesson.facts["BLOCKING"]["counted"] == REQUESTS


def test_awaited_nobody_waits_and_updates_are_lost(lesson) -> None:
    """All read 0 before the await."""
    assert lesson.facts["AWAITING"]["last_s"] == pytest.approx(5, abs=0.6)
    assert lesson.facts["AWAITING"]["counted"] == 1


def test_queued_everybody_is_answered_at_once(lesson) -> None:
    """And every report is made and counted later."""
    assert lesson.facts["QUEUED"]["last_s"] < 1
    assert lesson.facts["QUEUED"]["counted"] == REQUESTS
    assert lesson.facts["QUEUED"]["all_done_s"] > 5


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
