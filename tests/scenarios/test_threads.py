"""`threads`: children sleep while the parent lists them, and nobody waits for somebody else's thread."""

from __future__ import annotations

import pytest

from dosim.scenarios.threads import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_parent_and_children(lesson) -> None:
    """Listing wakes none; a deleted thread has nothing left."""
    assert {
        "listed": 10, "woken_by_listing": 0, "listed_after_deleting_one": 9, "entries_left_in_it": 0,
    } == lesson.facts["steps"]  # fmt: skip


def test_the_giant_makes_everybody_wait(lesson) -> None:
    """A hundred posts of 5 ms in one line, or side by side."""
    giant, each = lesson.facts["latency"]["giant"], lesson.facts["latency"]["each"]
    assert giant["waiting_us"] == pytest.approx(250_000, rel=0.1)
    assert each["waiting_us"] == 0
    assert giant["p50_us"] > 5 * each["p50_us"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
