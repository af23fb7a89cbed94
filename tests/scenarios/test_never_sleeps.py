"""`never-sleeps`: each holder is named and billed for the whole hour; what does the same and lets go is not."""

from __future__ import annotations

import json

import pytest

from dosim.cli import main
from dosim.scenarios.never_sleeps import ROOMS, run

HOLDERS = {"INTERVAL": "timer", "LOOP": "timer", "PLAIN": "socket", "ROOM/keep": "function"}


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize("room", [room for room in ROOMS if not room.holds], ids=lambda room: room.title)
def test_a_room_that_lets_go_sleeps_for_nothing(lesson, room) -> None:
    """Out of memory, no GB-s, nothing that holds it; alarms are requests."""
    fact = lesson.facts["rooms"][room.title]
    assert fact["state"] in ("hibernated", "evicted")
    assert (0, {}, []) == (fact["gb_s"], fact["billed_s_by_holder"], fact["held_by"])
    # 8.64 million alarms in the month of a hundred rooms, one million of which are included
    assert (5 + 8 * 0.15 if room.path == "ALARM" else 5) == pytest.approx(fact["month_usd"])


@pytest.mark.parametrize("room", [room for room in ROOMS if room.holds], ids=lambda room: room.title)
def test_what_holds_the_others_is_named(lesson, room) -> None:
    """And is billed for all 3,600 seconds."""
    fact = lesson.facts["rooms"][room.title]
    (held,) = fact["held_by"]
    assert ("active", HOLDERS[room.path]) == (fact["state"], held["kind"])
    assert fact["gb_s"] == pytest.approx(3600 * 0.128)
    assert [pytest.approx(3600)] == list(fact["billed_s_by_holder"].values())
    assert 33 * 12.50 + 5 == pytest.approx(fact["month_usd"])


def test_a_timer_is_as_old_as_its_wait(lesson) -> None:
    """The others, an interval too, are as old as the connection: an hour and what came before it."""
    holders = [holder for room in ROOMS if room.holds for holder in lesson.facts["rooms"][room.title]["held_by"]]
    waits = [held for held in holders if held["what"].startswith("a timer")]
    others = [held for held in holders if held not in waits]

    assert {"timer"} == {held["kind"] for held in waits} < {held["kind"] for held in holders}
    assert any(held["what"].startswith("an interval") for held in others)
    assert all(held["age_s"] < 30 for held in waits)
    assert all(3600 < held["age_s"] < 3680 for held in others)


def test_the_beats_are_the_same(lesson) -> None:
    """A hundred and twenty in the hour, from whichever clock."""
    beats = {room.path: lesson.facts["rooms"][room.title]["beats"] for room in ROOMS if "30 s" in room.title}
    assert {"INTERVAL": 120, "ALARM": 120, "LOOP": 120, "ROOM": 120} == beats


def test_timers_outlive_the_client(lesson) -> None:
    """A socket and a kept function end with the client; a timer beats on for nobody."""
    awake = [room.path for room in ROOMS if lesson.facts["rooms"][room.title]["awake_without_client"]]
    assert ["INTERVAL", "LOOP"] == awake


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert json.loads(json.dumps(lesson.facts)) == lesson.facts


def test_the_command_prints_it(capsys) -> None:
    """`dosim run never-sleeps`."""
    assert 0 == main(["run", "never-sleeps"])
    assert "why_not_hibernating()" in capsys.readouterr().out
