"""`should-i`: a measured number for each entry of the list."""

from __future__ import annotations

import pytest

from dosim.scenarios.should_i import USERS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_what_objects_are_perfect_for(lesson) -> None:
    """Near, consistent, one at a time, on time."""
    facts = lesson.facts
    assert facts["per_user_query_ms"] < 50
    assert facts["status_while_thinking_ms"] < 50
    assert facts["lost_edits"] == facts["stale_session_reads"] == 0
    assert (facts["winners"], facts["allowed"]) == (1, 5)
    assert facts["alarm_late_ms"] <= 100
    assert facts["broadcast_ms"] < 50


def test_what_they_are_not_ideal_for(lesson) -> None:
    """Too large, too many, or nothing to keep."""
    facts = lesson.facts
    assert facts["blobs_refused"] == 1
    assert facts["requests_per_query"] == USERS
    assert facts["fan_out_ms"] > 200
    assert facts["object_adds_ms"] > 0
    assert "string or blob too big" in str(lesson)


def test_what_to_be_careful_with(lesson) -> None:
    """A queue that grows, and a computation that everybody waits for."""
    assert lesson.facts["hot_id_last_ms"] > 150
    assert 4_000 < lesson.facts["behind_long_cpu_ms"] < 4_100


def test_it_repeats_and_names_every_entry(lesson) -> None:
    """Fourteen rows in three groups; same seed, same facts."""
    assert len(lesson.facts) == 14
    assert run().to_json() == lesson.to_json()
