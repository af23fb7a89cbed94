"""Invariants that run a test, or wake an object, again and again: evictions and migrations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Simulation
from dosim.testing.invariants import InvariantViolated, migrates_from_any_version, survives_eviction
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair
from tests.testing.invariants.worlds import Counter

# -- survives_eviction


class Forgetful(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.heard = 0

    async def increment(self) -> int:
        self.heard += 1
        return self.heard


def counter_of(cls: type) -> Simulation:
    return Simulation(durable_objects={"COUNTER": cls}, seed=2)


async def three_times(sim: Simulation) -> list[int]:
    stub = sim.env.COUNTER.getByName("demo")
    return [await stub.increment() for _ in range(3)]


def test_what_only_memory_knew_is_told() -> None:
    """
    The count starts anew: at which moment, both lists of answers, and the attribute that was lost.
    """
    with pytest.raises(InvariantViolated) as caught:
        survives_eviction(three_times, lambda: counter_of(Forgetful))

    assert (
        "survives_eviction: Forgetful('demo') became idle at t=0.000000s and was evicted there. Without that the test's"
        " answers are [1, 2, 3], and then [1, 1, 2]. In memory it had heard=1: what of this is not in storage is gone."
    ) == str(caught.value)
    assert ["replay: Simulation(seed=2)"] == caught.value.__notes__


def test_what_storage_knows_survives_every_eviction() -> None:
    """
    One try for every time that the object was idle; the test may also make its simulation itself, and assert.
    """

    def test() -> None:
        sim = counter_of(Counter)
        assert [1, 2, 3] == sim.run(three_times(sim))

    assert 3 == survives_eviction(three_times, lambda: counter_of(Counter))
    assert 3 == survives_eviction(test)


def test_an_assertion_that_fails_after_an_eviction_is_the_cause() -> None:
    """
    The test's own error is in the story, and behind it.
    """

    def test() -> None:
        sim = counter_of(Forgetful)
        assert [1, 2, 3] == sim.run(three_times(sim)), "the counter has to count"

    with pytest.raises(InvariantViolated, match="then it raised AssertionError: the counter has to count") as caught:
        survives_eviction(test)
    assert isinstance(caught.value.__cause__, AssertionError)


class Room(DurableObject):
    """A chat room that hibernates, and keeps who is in it in an attribute."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.names: list[str] = []

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        self.names.append(message)
        ws.send(", ".join(self.names))


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return await self.env.ROOM.getByName("lobby").fetch(request)


class Attached(Room):
    """The same with the name attached to the socket, where hibernation leaves it."""

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        known = ws.deserializeAttachment()
        ws.serializeAttachment(f"{known}, {message}" if known else message)
        ws.send(ws.deserializeAttachment())


@pytest.mark.parametrize("cls", [Room, Attached], ids=lambda cls: cls.__name__)
def test_a_room_that_sleeps_with_open_sockets(cls: type) -> None:
    """
    The connection stays, the attribute does not: only the room that attaches what it knows says the same.
    """

    async def chat(sim: Simulation) -> list[str]:
        socket = await sim.client("Tokyo").websocket("wss://chat.example/")
        said: list[str] = []
        for name in ("ann", "ben"):
            socket.send(name)
            said.append(await socket.recv())
            await asyncio.sleep(1)
        return said

    def make() -> Simulation:
        return Simulation(Door, durable_objects={"ROOM": cls}, seed=2)

    if cls is Attached:
        assert survives_eviction(chat, make) > 0
    else:
        with pytest.raises(InvariantViolated, match=r"\['ann', 'ann, ben'\], and then \['ann', 'ben'\]"):
            survives_eviction(chat, make)


def test_tests_that_cannot_be_compared_are_refused() -> None:
    """
    Other answers in every run, no idle object, nothing to call, no simulation to run a coroutine.
    """
    runs: list[int] = []

    async def differs(sim: Simulation) -> int:
        runs.append(await sim.env.COUNTER.getByName("demo").increment())
        return len(runs)

    async def busy(sim: Simulation) -> None:
        sim.env.COUNTER.getByName("demo").increment()

    async def nothing() -> None:
        return None

    with pytest.raises(ValueError, match="two undisturbed runs of the test gave 1 and 2"):
        survives_eviction(differs, lambda: counter_of(Counter))
    with pytest.raises(ValueError, match="no object became idle in this test"):
        survives_eviction(busy, lambda: counter_of(Counter))
    with pytest.raises(TypeError, match="test=5 cannot be called"):
        survives_eviction(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs every record, and retention is 'none'"):
        survives_eviction(busy, lambda: Simulation(durable_objects={"COUNTER": Counter}, retention="none"))
    with pytest.raises(ValueError, match="made no simulation that could run it"):
        survives_eviction(nothing)


# -- migrates_from_any_version


class Notes1(DurableObject):
    async def add(self, text: str) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
        self.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", text)


class Notes2(DurableObject):
    """Notes have a colour now; the column is added to what was there."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
        ctx.storage.sql.exec("ALTER TABLE notes ADD COLUMN colour TEXT DEFAULT 'white'")

    async def add(self, text: str) -> None:
        self.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", text)

    async def all(self) -> list[list[str]]:
        return [[row.text, row.colour] for row in self.ctx.storage.sql.exec("SELECT * FROM notes").toArray()]


class Notes2Once(Notes2):
    """Looks first whether the column is there."""

    def __init__(self, ctx: Any, env: Any) -> None:
        DurableObject.__init__(self, ctx, env)
        sql = ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
        columns = [row.name for row in sql.exec("PRAGMA table_info(notes)").toArray()]
        if "colour" not in columns:
            sql.exec("ALTER TABLE notes ADD COLUMN colour TEXT DEFAULT 'white'")


class Notes3(Notes2Once):
    pass


def notes(versions: list[type], **more: Any) -> int:
    return migrates_from_any_version(
        versions,
        write=lambda stub, version: stub.add(f"written under {version}"),
        read=lambda stub: stub.all(),
        **more,
    )


def test_a_migration_that_meets_what_it_did_already_is_told() -> None:
    """
    An object of version 2 has the column; adding it once more fails, and the version is named.
    """
    with pytest.raises(InvariantViolated) as caught:
        notes([Notes1, Notes2Once, Notes2], crash=False)

    story = str(caught.value)
    assert story.startswith(
        "migrates_from_any_version: Notes2Once('an old one') was filled under version 2 and woken under version 3: it"
        " failed: "
    )
    assert "duplicate column name: colour" in story


def test_a_migration_that_looks_first_wakes_every_version() -> None:
    """
    Objects of version 1 and 2, each also with a crash after every commit of its first wake.
    """
    assert notes([Notes1, Notes2Once, Notes3]) >= 3
    assert 2 == notes([Notes1, Notes2Once, Notes3], crash=False)
    with pytest.raises(InvariantViolated, match="and \\[\\] was expected"):
        notes([Notes1, Notes2Once], expected=[])


class Purse1(DurableObject):
    async def fill(self, euros: int) -> None:
        await self.ctx.storage.put("euros", euros)


class Purse2(DurableObject):
    """Counts cents now: converts in two steps with a pause in between, and marks the end of them."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        ctx.blockConcurrencyWhile(self.migrate)

    async def migrate(self) -> None:
        storage = self.ctx.storage
        if await storage.get("version") != 2:
            await storage.put("euros", (await storage.get("euros")) * 100)
            await asyncio.sleep(1)
            await storage.put("version", 2)

    async def cents(self) -> int:
        return await self.ctx.storage.get("euros")


class Purse2AtOnce(Purse2):
    async def migrate(self) -> None:
        storage = self.ctx.storage
        if await storage.get("version") != 2:
            await storage.put({"euros": (await storage.get("euros")) * 100, "version": 2})


def purse(newest: type) -> int:
    return migrates_from_any_version(
        [Purse1, newest],
        write=lambda stub, version: stub.fill(3),
        read=lambda stub: stub.cents(),
        expected=300,
        seed=5,
    )


def test_a_migration_that_a_crash_cuts_in_half_is_told() -> None:
    """
    Multiplied and confirmed, not yet marked: the next constructor multiplies again.
    """
    with pytest.raises(InvariantViolated) as caught:
        purse(Purse2)

    assert (
        "migrates_from_any_version: Purse1('an old one') was filled under version 1 and woken under version 2: the"
        " machine crashed when commit 1 of its first wake was confirmed; then it answered 30000, and without the crash"
        " 300"
    ) in str(caught.value)
    assert ["replay: Simulation(seed=5)"] == caught.value.__notes__


def test_a_migration_in_one_turn_cannot_be_cut() -> None:
    """
    The new values and the mark are one commit: there is no half.
    """
    assert 2 == purse(Purse2AtOnce)
    with pytest.raises(ValueError, match="give at least two classes"):
        migrates_from_any_version([Purse1], write=lambda stub, version: None, read=lambda stub: None)
