"""`ai-agent`: a chat in memory is gone after an eviction; a fiber goes on and repeats one step; a key makes it safe."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.ai_agent import (
    ASKED_AGAIN,
    BOOKING,
    CANCELLED,
    LATENCY,
    MID_STREAM,
    NEW_RULE,
    NOTHING,
    OLD_RULE,
    PARTS,
    PLAN,
    SLOW,
    STREAMED,
    run,
)


@pytest.fixture(scope="module")
def lesson():
    return run()


def happened(lesson, way: str, happening: str, *names: str) -> tuple[object, ...]:
    return tuple(lesson.facts["happenings"][f"{way}: {happening}"][name] for name in names)


COUNTS = ("parts", "parts_twice", "model_calls", "seats")


@pytest.mark.parametrize("way", ["naive", "in a fiber"])
def test_undisturbed_both_say_all(lesson, way: str) -> None:
    """One call of the model for each answer, one seat."""
    assert (PARTS, 0, len(PLAN), 1) == happened(lesson, way, NOTHING, *COUNTS)


def test_a_chat_in_memory_is_gone(lesson) -> None:
    """The client waits for ever; asked again, all is paid for again and a second seat is booked."""
    done = STREAMED + 3  # two tools, and the part under way

    assert (STREAMED, 0, done, 1) == happened(lesson, "naive", MID_STREAM, *COUNTS)
    assert (None,) == happened(lesson, "naive", MID_STREAM, "went_on_after_us")
    assert (PARTS, STREAMED, done + len(PLAN), 2) == happened(lesson, "naive", ASKED_AGAIN, *COUNTS)


def test_a_fiber_goes_on_where_it_was(lesson) -> None:
    """No part is missing or comes twice; the call that was under way is made again; a heartbeat's alarm began it."""
    (after_us,) = happened(lesson, "in a fiber", MID_STREAM, "went_on_after_us")

    assert (PARTS, 0, len(PLAN) + 1, 1) == happened(lesson, "in a fiber", MID_STREAM, *COUNTS)
    assert 10e6 < after_us < 45e6


def test_a_tool_that_was_cut_off_runs_twice_and_books_once(lesson) -> None:
    """Its key is the chat and the step."""
    assert (2, 1) == happened(lesson, "in a fiber", BOOKING, "railway_asked", "seats")
    assert (PARTS,) == happened(lesson, "in a fiber", BOOKING, "parts")


@pytest.mark.parametrize("way", ["naive", "in a fiber"])
def test_a_cancelled_task_stays_cancelled(lesson, way: str) -> None:
    """Also through an eviction: its fiber is not recovered."""
    assert (True, STREAMED, STREAMED + 3) == happened(lesson, way, CANCELLED, "cancelled", "parts", "model_calls")


def test_before_october_keep_alive_prevents_the_eviction(lesson) -> None:
    """70 to 140 s after the last event, which the heartbeat's alarms are."""
    held = lesson.facts["held"]
    naive, kept = (held[f"{title}, {OLD_RULE}, {LATENCY}"] for title in ("naive", "kept alive"))

    assert naive["parts"] < PARTS == kept["parts"]
    assert 70e6 <= naive["evicted_after_us"] + 1e6 <= 141e6
    assert kept["evicted_after_us"] is None


def test_since_october_it_prevents_nothing(lesson) -> None:
    """Short calls need no help: it adds requests and rows; one that is too long gets none."""
    held = lesson.facts["held"]
    naive, kept = (held[f"{title}, {NEW_RULE}, {LATENCY}"] for title in ("naive", "kept alive"))
    long = [held[f"{title}, {NEW_RULE}, {SLOW}"] for title in ("naive", "kept alive", "in a fiber")]

    assert PARTS == naive["parts"] == kept["parts"]
    assert (0, 0) == (naive["requests"], naive["rows_written"])
    assert kept["requests"] >= 180 // 30
    assert kept["rows_written"] > 0
    assert {0} == {one["parts"] for one in long}
    assert all(one["evicted_after_us"] == pytest.approx(900e6, abs=2e6) for one in long)


def test_a_fiber_that_is_too_long_begins_for_ever(lesson) -> None:
    """Each life makes the same call, and each is billed."""
    slow = lesson.facts["held"][f"in a fiber, {NEW_RULE}, {SLOW}"]

    assert slow["model_calls"] == pytest.approx(8 * 3600 / 930, abs=2)
    assert slow["gb_s"] == pytest.approx(8 * 3600 * 0.128, rel=0.05)


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "ai-agent"])
    assert "in a fiber: evicted while it books" in capsys.readouterr().out
