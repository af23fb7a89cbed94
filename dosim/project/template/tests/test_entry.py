"""The project in simulated time: run `pytest` in its folder."""

from pathlib import Path

import pytest

from dosim import Simulation

PROJECT = Path(__file__).parent.parent
PAD = "https://notes.example/team"


@pytest.fixture
def sim():
    return Simulation.from_project(PROJECT, seed=7)


def notes(sim, city):
    return sim.run(sim.run(sim.client(city).fetch(PAD)).json())["notes"]


def add(sim, city, text):
    assert sim.run(sim.client(city).fetch(PAD, method="POST", body=text)).status == 201


def test_everybody_sees_the_same_notes(sim):
    add(sim, "Tokyo", "buy milk")
    add(sim, "Paris", "call Ann")

    assert notes(sim, "Lagos") == ["buy milk", "call Ann"]


def test_a_note_disappears_after_an_hour(sim):
    add(sim, "Tokyo", "buy milk")
    sim.run(for_="30min")
    add(sim, "Paris", "call Ann")

    sim.run(for_="31min")
    assert notes(sim, "Lagos") == ["call Ann"]

    sim.run(for_="30min")
    assert notes(sim, "Lagos") == []


def test_what_was_answered_survives_a_crash(sim):
    add(sim, "Tokyo", "buy milk")
    sim.crash("team")

    assert notes(sim, "Lagos") == ["buy milk"]
