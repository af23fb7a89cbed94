"""`hibernating-chat`: silence is free with sockets that may hibernate, and only with them."""

from __future__ import annotations

import pytest

from dosim.scenarios.hibernating_chat import PEOPLE, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_an_hour_of_silence(lesson) -> None:
    """3,600 seconds of 128 MB, or nothing at all; a ping is three records and wakes nobody."""
    sleepy, awake = lesson.facts["acceptWebSocket"], lesson.facts["accept"]
    assert (sleepy["state"], awake["state"]) == ("hibernated", "active")
    assert sleepy["gb_s"] == 0
    assert awake["gb_s"] == pytest.approx(3600 * 0.128)
    assert sleepy["records"] == 3


def test_what_survives(lesson) -> None:
    """Sockets and attachments do, an attribute does not."""
    sleepy, awake = lesson.facts["acceptWebSocket"], lesson.facts["accept"]
    assert f"guest0: hello (message 1, {PEOPLE} members)" == sleepy["before"] == sleepy["after"] == awake["before"]
    assert f"guest0: hello (message 2, {PEOPLE} members)" == awake["after"]
    assert (sleepy["instances"], awake["instances"]) == (2, 1)


def test_the_month(lesson) -> None:
    """The base fee, against thousands of GB-s."""
    assert lesson.facts["acceptWebSocket"]["month_usd"] < 10 < lesson.facts["accept"]["month_usd"]


def test_it_prints(lesson) -> None:
    """The claim names both."""
    assert "hibernated" in lesson.claim
    assert "a month of 100" in str(lesson)
