"""`shared-document`: who sets the whole state takes the others' letters away; edits that are moved lose nothing."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from dosim.cli import main
from dosim.scenarios.lesson import project
from dosim.scenarios.shared_document import PACE_S, PEOPLE, WORDS, Writer, begun, document, lost, run, wanted
from dosim.simulation import Simulation
from dosim.testing import explore, sometimes

EDITS = len(PEOPLE) * (1 + len(WORDS))


@pytest.fixture(scope="module")
def facts():
    return run().facts


def test_clients_that_set_the_state_lose_edits(facts) -> None:
    """Most of them, and a screen does not even show what the agent has."""
    pasted = facts["ways"]["Pasted"]

    assert EDITS == pasted["edits"]
    assert pasted["lost"] > EDITS / 2
    assert pasted["screens_wrong"] > 0
    assert not pasted["right"]


@pytest.mark.parametrize("way", ["Checked", "Merged"])
def test_versions_and_moved_edits_lose_none(facts, way) -> None:
    """The text is to the letter what they have written, on every screen."""
    found = facts["ways"][way]

    assert (True, 0, 0) == (found["right"], found["lost"], found["screens_wrong"])


def test_checked_versions_starve_who_is_far_away(facts) -> None:
    """Calls are refused, the more the longer the way; moved edits come in with their first call."""
    checked, merged = facts["ways"]["Checked"], facts["ways"]["Merged"]

    assert checked["refused"] > merged["refused"] == 0
    assert (
        checked["waits"]["Paris"]["calls"] < checked["waits"]["London"]["calls"] < checked["waits"]["Sydney"]["calls"]
    )
    assert {1 + len(WORDS)} == {one["calls"] for one in merged["waits"].values()}
    assert checked["took_s"] > 2 * merged["took_s"]


def test_trouble_loses_none_and_doubles_none(facts) -> None:
    """A crash, lost connections: calls are made again, and those whose edit was in already do not bring it in twice."""
    trouble = facts["trouble"]

    assert (True, 0, 0, 2) == (trouble["right"], trouble["lost"], trouble["screens_wrong"], trouble["lives"])
    assert trouble["sent_again"] > trouble["in_already"] > 0


def test_an_edit_made_offline_comes_to_its_place(facts) -> None:
    """After an hour in which the agent has hibernated: moved by the ten letters set in and the one struck."""
    off = facts["offline"]

    assert ("hibernated", 0, "Jon: late") == (off["state"], off["gb_s"], off["line"])
    assert len(WORDS) + 1 == off["version_then"] - off["version_edited"]
    assert len(WORDS) - 1 == off["place_then"] - off["place_edited"]


#: Everything that can be done to "abc": a letter is set in at one of four places, or one of three is struck.
CHANGES = [*((place, 0, True) for place in range(4)), *((place, 1, False) for place in range(3))]


def test_every_two_edits_of_one_version_are_both_done() -> None:
    """Whichever comes first: all that was set in is there, between the letters where it was meant to be."""
    sim = Simulation.from_project(project("shared_document"), network=None, show_output=False)
    client, texts, meant = sim.client(), {}, {}
    for pair in product(CHANGES, CHANGES):
        name = str(len(texts))
        sim.run(client.fetch(f"https://app.example/agents/merged/{name}", method="POST", body="abc"))
        for key, (place, struck, sets) in zip("XY", pair, strict=True):
            sim.run(sim.env.Merged.getByName(name).edit(key, 0, place, struck, key if sets else ""))
        texts[pair] = sim.run(sim.run(client.fetch(f"https://app.example/agents/merged/{name}")).json())["text"]
        meant[pair] = "".join(_meant(pair, place) for place in range(4))

    assert meant == texts


def _meant(pair: tuple[tuple[int, int, bool], ...], place: int) -> str:
    """What is to be at a place: what was set in there, in the order of coming, and the letter if it stays."""
    new = "".join(key for key, (at, _, sets) in zip("XY", pair, strict=True) if sets and at == place)
    stays = all(at != place for at, struck, _ in pair if struck)
    return new + ("abc"[place : place + 1] if stays else "")


def three_write(way: str) -> None:
    """Three write the same line by line, at once: what everybody sees in the end is what they have written."""
    people, words = ["Ann", "Ben", "Cem"], "hey"
    sim = Simulation.from_project(project("shared_document"), network=None, show_output=False)
    begun(sim, way, people)
    writers = [Writer(sim, way, who, PEOPLE[who], words) for who in people]
    sim.run(*[writer.screen.connect() for writer in writers])
    sim.run(for_="1s")
    sim.run(*[writer.write() for writer in writers], breaks(writers[1]) if way == "Merged" else asyncio.sleep(0))
    sim.run(for_="5s")
    sim.run(*[writer.screen.connect() for writer in writers if writer.screen.socket.closed is not None])
    sim.run(for_="1s")
    state = document(sim, way)
    sometimes("in already", any(writer.in_already for writer in writers))
    sometimes("refused", any(writer.refused for writer in writers))

    assert wanted(people, words) == state["text"]
    assert [state] * 3 == [writer.screen.shown for writer in writers]


async def breaks(writer: Writer) -> None:
    """One loses the connection while an answer waits for the write to be confirmed."""
    await asyncio.sleep(2 * PACE_S + 0.003)
    writer.screen.socket.vanish()


def three_write_moved() -> None:
    """Edits that the agent moves."""
    three_write("Merged")


def three_write_checked() -> None:
    """Versions that the agent checks."""
    three_write("Checked")


def three_write_pasted() -> None:
    """The clients set the state."""
    three_write("Pasted")


def test_moved_edits_converge_under_faults() -> None:
    """Crashes, hibernations, late messages, wherever, and a lost connection: none is lost or in twice."""
    found = explore(three_write_moved, runs=150, faults=("evict", "crash"), strategy="random")

    found.check()
    assert found.sometimes["in already"] > 0


def test_checked_versions_converge_in_every_order() -> None:
    """The same without crashes: who is refused writes again."""
    found = explore(three_write_checked, runs=60, faults=("evict",), strategy="random")

    found.check()
    assert found.sometimes["refused"] > 0


def test_a_search_finds_that_pasting_loses_edits() -> None:
    """In the plain run already, as three write in the same instant."""
    found = explore(three_write_pasted, runs=20)

    assert isinstance(found.failure.error, AssertionError)


def test_what_is_lost_is_counted() -> None:
    """Letters that are missing, and the one too many in the title."""
    people = ["Ann", "Ben"]

    assert 0 == lost(wanted(people, "hey"), people, "hey")
    assert 1 + 2 == lost("drafft\nAnn: hey\nBen: h\n", people, "hey")


def test_it_repeats() -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == run().to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "shared-document"])
    assert "10 people make 110 edits at once." in " ".join(capsys.readouterr().out.split())
