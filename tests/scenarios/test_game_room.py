"""`game-room`: a move that is none is refused before anybody sees it; a seat outlives its connection."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from dosim.cli import main
from dosim.scenarios.game_room import PATH, run
from dosim.scenarios.lesson import project
from dosim.scenarios.screens import Screen
from dosim.simulation import Simulation
from dosim.testing import explore, sometimes


@pytest.fixture(scope="module")
def facts():
    return run().facts


def test_a_wrong_move_is_seen_by_nobody_else(facts) -> None:
    """And a right one by everybody who is there."""
    attempts = facts["attempts"]

    assert {0} == {one["seen_by"] for one in attempts if one["refused"]}
    assert all(one["seen_by"] == one["others"] > 0 for one in attempts if not one["refused"])


def test_what_is_refused(facts) -> None:
    """Out of turn, for somebody else, without a seat, two at once, on an old board; and nothing else."""
    refused = [(one["who"], one["reason"]) for one in facts["attempts"] if one["refused"]]
    turn, move = "it is the turn of", "that is no move from here"
    wanted = [
        ("Ann", f"{turn} O"),
        ("Cem", f"{turn} O"),
        ("Ben", move),
        ("Ben", move),
        ("Ben", f"{turn} X"),
        ("Ann", f"{turn} O"),
        ("Ben", move),
    ]
    assert wanted == refused
    assert {"State update rejected"} == {one["refused"] for one in facts["attempts"] if one["refused"]}


def test_a_refused_client_shows_what_is_not(facts) -> None:
    """Its own change, which it has shown already: until it asks, or another state comes."""
    assert ["Ann", "Ben", "Cem"] == facts["wrong_until_asked"]
    assert [True] * 3 == facts["shown_by_all"]


def test_a_seat_outlives_its_connection(facts) -> None:
    """An hour later, in the agent's second life: seat and board; the others had been told who was left."""
    drop = facts["drop"]

    assert ("hibernated", 0, 2) == (drop["state"], drop["gb_s"], drop["lives"])
    assert ("X", {"O": "Ben"}, "O...X....") == (drop["seat"], drop["others_told"], drop["cells"])


def test_the_game_is_won(facts) -> None:
    """By Ben, with three in the left column."""
    assert {"cells": "O.XOXXO..", "turn": "", "winner": "O"} == facts["end"]


def both_move_all_the_time() -> None:
    """Two who move whenever they like, whosoever turn it is: what is kept is a game all the same."""
    sim = Simulation.from_project(project("game_room"), network=None, show_output=False)
    people = [Screen(sim, who, "", PATH) for who in ("Ann", "Ben", "Cem")]
    for screen in people:
        sim.run(screen.connect())
    sim.run(for_="1s")

    async def player(screen: Screen, mark: str, cells: tuple[int, ...]) -> None:
        for cell in cells:
            state: Any = screen.states()[-1]
            if state["cells"][cell] == ".":
                marked = state["cells"][:cell] + mark + state["cells"][cell + 1 :]
                screen.set_state({"cells": marked, "turn": "O" if mark == "X" else "X", "winner": ""})
            await asyncio.sleep(0.01)
            screen.show(await asked(screen))

    sim.run(player(people[0], "X", (0, 1, 5, 6)), player(people[1], "O", (2, 3, 4, 7)))
    sim.run(for_="1s")
    boards = [state["cells"] for state in people[2].states()]
    errors = sum(len(screen.frames("cf_agent_state_error")) for screen in people)
    sometimes("refused", errors > 0)
    for number, (before, after) in enumerate(pairwise(boards)):
        (change,) = [(was, mark) for was, mark in zip(before, after, strict=True) if was != mark]
        assert (".", "XO"[number % 2]) == change


async def asked(screen: Screen) -> Any:
    return (await screen.answer(screen.call("board")))["result"]


def test_what_is_kept_is_a_game_in_every_order() -> None:
    """Under every single deviation of messages and evictions, and some at random: one mark at a time, in turn."""
    found = explore(both_move_all_the_time, runs=60, faults=("evict",))

    found.check()
    assert found.sometimes["refused"] > 0


def test_it_repeats() -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == run().to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "game-room"])
    assert "refused 7, and nobody else saw any of these." in " ".join(capsys.readouterr().out.split())
