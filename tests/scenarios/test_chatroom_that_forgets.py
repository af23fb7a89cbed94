"""`chatroom-that-forgets`: hibernation takes attributes, not sockets, and not rows."""

from __future__ import annotations

import pytest

from dosim.scenarios.chatroom_that_forgets import SAID, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_attribute_is_gone_after_ten_seconds(lesson) -> None:
    """Not after eight."""
    assert len(SAID) == lesson.facts["an attribute, 8s"]["history"]
    assert 0 == lesson.facts["an attribute, 11s"]["history"]
    assert [1, 2] == [lesson.facts[f"an attribute, {pause}"]["instances"] for pause in ("8s", "11s")]


def test_rows_stay(lesson) -> None:
    """Whether the room slept or not."""
    assert [len(SAID)] * 2 == [lesson.facts[f"SQLite, {pause}"]["history"] for pause in ("8s", "11s")]


def test_sockets_live_on(lesson) -> None:
    """The old ones hear the newcomer in every version."""
    assert all(found["heard"] for found in lesson.facts.values())


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert "a newcomer gets" in str(lesson)
