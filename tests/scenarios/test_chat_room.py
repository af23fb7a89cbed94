"""`chat-room`: what is in memory goes with the machine, what is in SQLite and R2 stays."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.chat_room import MESSAGES, run
from dosim.scenarios.lesson import project
from dosim.simulation import Simulation


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.fixture(scope="module")
def rooms(lesson):
    return lesson.facts["rooms"]


def test_everybody_hears_everything(rooms) -> None:
    """The senders too, in both rooms."""
    assert [room["heard"] for room in rooms.values()] == [[MESSAGES] * 3] * 2


def test_a_hundred_go_to_the_archive_at_a_time(rooms) -> None:
    """Two whole pieces; the rest waits in SQLite, and less than ten in the buffer."""
    assert rooms["room"]["archives"] == ["messages/1-100.json", "messages/101-200.json"]
    assert rooms["room"]["before"] == {"archive (R2)": 200, "SQLite": 30, "buffer (memory)": 7}
    assert rooms["unbuffered"]["before"] == {"archive (R2)": 200, "SQLite": 37, "buffer (memory)": 0}


def test_a_crash_takes_the_buffer_and_the_sockets(rooms) -> None:
    """Nothing else: SQLite and R2 are as they were."""
    assert rooms["room"]["after"] == {"archive (R2)": 200, "SQLite": 30, "buffer (memory)": 0}
    assert (rooms["room"]["lost"], rooms["unbuffered"]["lost"]) == (7, 0)
    assert rooms["room"]["close_codes"] == [1006] * 3


def test_a_message_that_is_written_first_waits_for_the_confirmation(rooms) -> None:
    """Five milliseconds in the output gate, wherever it is heard."""
    for city, median_us in rooms["room"]["median_us"].items():
        assert rooms["unbuffered"]["median_us"][city] - median_us == pytest.approx(5_000, abs=500)


def test_the_buffer_saves_no_rows(rooms) -> None:
    """Every stored message is one row more, and the unbuffered room has stored seven more."""
    stored = rooms["unbuffered"]["rows_written"] - rooms["room"]["rows_written"]
    assert stored == rooms["room"]["lost"]


def test_plain_sockets_keep_the_room_in_memory(rooms) -> None:
    """All the time."""
    assert all(room["in_memory_s"] >= MESSAGES for room in rooms.values())


def test_a_crash_while_it_archives_loses_nothing(lesson) -> None:
    """The piece is in both for a while; then it is sent again under the same name."""
    crashed, later = lesson.facts["crash_while_archiving"]
    assert (crashed["archive (R2)"], crashed["SQLite"]) == (100, 100)
    assert (later["archive (R2)"], later["SQLite"]) == (100, 10)


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "chat-room"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "7 are gone, with 3 sockets, and nothing else." in printed


def test_who_leaves_is_forgotten() -> None:
    """The room hears the close, and goes on for the others."""
    sim = Simulation.from_project(project("chat_room"))
    ann, ben = (sim.run(sim.client("Paris").websocket(f"wss://chat.example/room/lobby?name={name}")) for name in "ab")
    ann.close()
    sim.run(for_="1s")
    ben.send("still there?")
    sim.run(for_="1s")
    assert len(sim.objects["lobby"].memory["sockets"]) == 1
    assert [len(socket.received) for socket in (ann, ben)] == [0, 1]
