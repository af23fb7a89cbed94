"""`chat-room`: what is in memory goes with the machine, what is in SQLite and R2 stays."""

from __future__ import annotations

import pytest

from dosim.scenarios.chat_room import MESSAGES, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_everybody_hears_everything(lesson) -> None:
    """The senders too."""
    assert [MESSAGES] * 3 == lesson.facts["heard"]


def test_a_hundred_go_to_the_archive_at_a_time(lesson) -> None:
    """Two whole pieces; the rest waits in SQLite, and less than ten in the buffer."""
    assert ["messages/1-100.json", "messages/101-200.json"] == lesson.facts["archives"]
    assert {"archive (R2)": 200, "SQLite": 30, "buffer (memory)": 7} == lesson.facts["before"]


def test_a_crash_takes_the_buffer_and_the_sockets(lesson) -> None:
    """Nothing else: SQLite and R2 are as they were."""
    assert {"archive (R2)": 200, "SQLite": 30, "buffer (memory)": 0} == lesson.facts["after"]
    assert 7 == lesson.facts["lost"]
    assert [1006] * 3 == lesson.facts["close_codes"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digest."""
    assert run().to_json() == lesson.to_json()
    assert "7 are gone" in lesson.claim
