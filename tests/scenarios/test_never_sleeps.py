"""`never-sleeps`: each holder is named, and each costs the whole hour."""

from __future__ import annotations

import pytest

from dosim.scenarios.never_sleeps import HOLDERS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_room_that_lets_go_sleeps_for_nothing(lesson) -> None:
    """Hibernated, no GB-s, the base fee."""
    fact = lesson.facts["nothing"]
    assert ("hibernated", 0, []) == (fact["state"], fact["gb_s"], fact["held_by"])


@pytest.mark.parametrize(("kind", "held_by"), [("HEARTBEAT", "timer"), ("PLAIN", "socket"), ("SUBSCRIBED", "function")])
def test_what_holds_the_others_is_named(lesson, kind: str, held_by: str) -> None:
    """And is billed for all 3,600 seconds."""
    fact = lesson.facts[HOLDERS[kind]]
    assert [held_by] == fact["held_by"]
    assert fact["gb_s"] == pytest.approx(3600 * 0.128)
    assert fact["month_usd"] > 20 * lesson.facts["nothing"]["month_usd"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert "why_not_hibernating() says" in str(lesson)
