"""`chatroom-that-forgets`: hibernation takes attributes, not sockets, and not rows."""

from __future__ import annotations

import json

import pytest

from dosim.cli import main
from dosim.scenarios.chatroom_that_forgets import SAID, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def _of(lesson, where: str) -> list[dict]:
    """The runs with 8 s and with 11 s of silence."""
    return [found for found in lesson.facts["runs"] if found["history_in"] == where]


def test_the_attribute_is_gone_after_ten_seconds(lesson) -> None:
    """Not after eight; the room was constructed once more."""
    before, after = _of(lesson, "an attribute")
    assert (len(SAID), "idle", 1) == (before["history_messages"], before["state"], before["lives"])
    assert (0, "hibernated", 2) == (after["history_messages"], after["state"], after["lives"])
    assert (None, 10.0) == (before["left_memory_after_s"], after["left_memory_after_s"])


def test_rows_stay(lesson) -> None:
    """Whether the room slept or not, and it slept in the same way."""
    before, after = _of(lesson, "SQLite")
    assert len(SAID) == before["history_messages"] == after["history_messages"]
    assert (1, 2) == (before["lives"], after["lives"])
    assert (None, 10.0) == (before["left_memory_after_s"], after["left_memory_after_s"])


def test_sockets_live_on(lesson) -> None:
    """Both old ones hear the newcomer in every run."""
    assert [(2, 2)] * 4 == [(found["sockets"], found["old_sockets_that_hear"]) for found in lesson.facts["runs"]]


def test_the_claim_is_measured(lesson) -> None:
    """Its numbers are those of the runs after 11 s."""
    assert "a newcomer gets 0 of 3 messages" in lesson.claim
    assert "and 3 from the room that keeps them in SQLite" in lesson.claim


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert json.loads(json.dumps(lesson.facts)) == lesson.facts


def test_the_command_prints_it(capsys) -> None:
    """`dosim run chatroom-that-forgets`."""
    assert 0 == main(["run", "chatroom-that-forgets"])
    assert "old sockets that hear him" in capsys.readouterr().out
