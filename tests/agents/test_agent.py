"""The agent itself: its life, its storage, its end, its observers."""

# ruff: noqa: RUF012  # a class attribute is how the SDK spells it

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent, AgentOptions
from tests.agents.talk import SITE, got, opened, room, world


class Life(Agent):
    """Counts its starts in storage and in memory."""

    starts = 0

    async def on_start(self):
        self.starts += 1
        await asyncio.sleep(2)
        await self.ctx.storage.put("lives", (await self.ctx.storage.get("lives") or 0) + 1)

    async def seen(self):
        return [self.starts, await self.ctx.storage.get("lives")]


def test_it_starts_once_for_each_life_before_any_event() -> None:
    """Ten requests and calls that come at once wait for one start, which takes two seconds."""
    sim = world(Life)
    seen = sim.run(*[room(sim).seen() for _ in range(10)])

    assert [[1, 1]] * 10 == [list(one) for one in seen]

    sim.evict("a")
    assert [1, 2] == list(sim.run(room(sim).seen()))


class Eager(Life):
    async def on_start(self):
        await super().on_start()
        await self.schedule("* * * * *", self.tick)
        await self.queue(self.tick)
        self.set_state({"n": await self.helper()})

    async def helper(self):
        return len(await self.list_schedules())

    async def tick(self):
        """Runs."""

    async def value(self):
        return self.state


def test_on_start_may_use_everything() -> None:
    """What it asks of the agent does not wait for the start that it is part of."""
    sim = world(Eager)

    assert {"n": 1} == sim.run(room(sim).value())


class Keeper(Agent):
    """SQL as the agent has it."""

    async def values(self):
        self.sql("CREATE TABLE IF NOT EXISTS t (a, b)")
        self.sql("DELETE FROM t")
        self.sql("INSERT INTO t VALUES (?, ?), (?, ?)", True, b"x", None, 1.5)
        rows = self.sql("SELECT a, b FROM t WHERE b = ? OR a IS NULL ORDER BY a DESC", b"x")
        return [
            [type(row).__name__, {k: v if type(v) is not bytes else v.decode() for k, v in row.items()}] for row in rows
        ]

    async def wrong(self, which):
        mistakes = {
            "syntax": lambda: self.sql("SELEC 1"),
            "count": lambda: self.sql("SELECT ?"),
            "large": lambda: self.sql("SELECT ?", 2**60),
            "list": lambda: self.sql("SELECT ?", [1]),
        }
        mistakes[which]()


def test_rows_are_dicts() -> None:
    """A bool is bound as an int, a BLOB is read as bytes."""
    sim = world(Keeper)

    assert [["dict", {"a": 1, "b": "x"}], ["dict", {"a": None, "b": 1.5}]] == [
        list(row) for row in sim.run(room(sim).values())
    ]


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("syntax", "SqlError: SQL query failed: near .*syntax error"),
        ("count", "SqlError: SQL query failed: .*parameter"),
        ("large", r"ValueError: sql\(\): 1152921504606846976 is beyond 2\*\*53"),
        ("list", r"TypeError: sql\(\) binds None, bool, int, float, str and bytes, not list"),
    ],
)
def test_bad_sql(which: str, why: str) -> None:
    """What the storage refuses is a SqlError; what it would silently change is refused before."""
    sim = world(Keeper)

    with pytest.raises(Exception, match=why):
        sim.run(room(sim).wrong(which))


class Mortal(Agent):
    initial_state = {"n": 0}

    async def fill(self):
        self.sql("CREATE TABLE IF NOT EXISTS t (a)")
        await self.ctx.storage.put("k", 1)
        await self.schedule("* * * * *", self.tick)
        self.set_state({"n": 5})

    async def tick(self, payload, schedule):
        if self.state["n"] == 5:
            await self.destroy()

    async def die(self):
        await self.destroy()
        return "done"

    async def left(self):
        tables = [row["name"] for row in self.sql("SELECT name FROM sqlite_master WHERE name = 't'")]
        return [tables, await self.ctx.storage.get("k"), await self.ctx.storage.getAlarm(), self.state]


NOTHING_LEFT = [[], None, None, {"n": 0}]


def test_destroy_deletes_everything_and_ends_the_life() -> None:
    """The caller is answered; connections close with 1001; the next call meets a new agent."""
    sim = world(Mortal)

    async def story() -> Any:
        await room(sim).fill()
        async with opened(sim.client(), "ann") as ann:
            said = await room(sim).die()
            closed = await ann.wait_closed()
            await asyncio.sleep(1)
            return said, closed.code, closed.reason, await room(sim).left()

    said, code, reason, left = sim.run(story())

    assert ("done", 1001, "Durable Object destroyed") == (said, code, reason)
    assert NOTHING_LEFT == list(left)


def test_destroy_from_a_schedule() -> None:
    """In the middle of the alarm: no schedule is left, and nothing rings again."""
    sim = world(Mortal)
    sim.run(room(sim).fill())
    sim.run(until="1h")

    assert NOTHING_LEFT == list(sim.run(room(sim).left()))


class Watched(Agent):
    """Everything that is emitted, in a list of the class's."""

    events: list[dict[str, Any]] = []

    class observability:  # noqa: N801  # the SDK's name
        @staticmethod
        def emit(event):
            Watched.events.append(event)

    async def work(self):
        await self.queue(self.fails)
        await self.schedule(5, self.fails)

    async def fails(self):
        raise ValueError("no")

    async def on_error(self, connection, error):
        """Handled."""


def test_an_observer_is_told_of_everything() -> None:
    """With the agent's class and name, and the time."""
    Watched.events.clear()
    sim = world(Watched)

    async def story() -> None:
        async with opened(sim.client(), "ann"):
            await room(sim).work()
            await asyncio.sleep(20)

    sim.run(story())
    sim.run()
    kinds = [event["type"] for event in Watched.events]

    assert ["connect", "queue:create", "schedule:create", "queue:retry", "queue:retry", "queue:error"] == kinds[:6]
    assert ["schedule:execute", "schedule:retry", "schedule:retry", "schedule:error", "disconnect"] == kinds[6:]
    assert ("Watched", "a") == (Watched.events[0]["agent"], Watched.events[0]["name"])
    assert {"callback": "fails", "error": "no", "attempts": 3} == {
        key: value for key, value in Watched.events[5]["payload"].items() if key != "id"
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"hung_schedule_timeout": 0}, "hung_schedule_timeout must be > 0"),
        ({"keep_alive_interval": "30s"}, "keep_alive_interval must be a timedelta or a number of seconds"),
        ({"retry": 3}, "retry=3: give RetryOptions"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], why: str) -> None:
    """Refused when they are made."""
    with pytest.raises((TypeError, ValueError), match=why):
        AgentOptions(**options)


class Careless(Agent):
    async def wrong(self, which):
        mistakes = {
            "broadcast": lambda: self.broadcast({"a": 1}),
            "exclude": lambda: self.broadcast("x", exclude=[5]),
            "id": lambda: self.get_connection(5),
        }
        mistakes[which]()

    async def on_connect(self, connection, context):
        connection.send({"a": 1})


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("broadcast", r"TypeError: broadcast\(\) takes text or bytes, not dict: send json.dumps"),
        ("exclude", r"TypeError: broadcast\(exclude=...\) takes ids and connections, not 5"),
        ("id", r"TypeError: get_connection\(id\) takes the id"),
    ],
)
def test_bad_calls(which: str, why: str) -> None:
    """Each names what is wrong, and the fix."""
    sim = world(Careless)

    with pytest.raises(Exception, match=why):
        sim.run(room(sim).wrong(which))


def test_what_is_sent_is_text_or_bytes() -> None:
    """A dict would silently arrive as its Python text."""
    sim = world(Careless)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            await asyncio.sleep(1)
            return got(ann)

    assert "connection.send() takes text or bytes, not dict" in str(sim.run(story()))


def test_the_same_seed_gives_the_same_run() -> None:
    """Ids and waits of retries follow from the seed."""

    def digest(seed: int) -> str:
        sim = world(Watched, seed=seed)
        sim.run(room(sim).work())
        sim.run(sim.client().fetch(f"{SITE}/agents/room/a"))
        sim.run(for_="1h")
        return sim.trace.digest

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


class Named(Agent):
    """Has attributes of its own under the names that one would give them."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self._state = self._queue = self._connections = self._jobs = self._name = "mine"

    def _emit(self):
        return "mine too"

    async def works(self):
        self.set_state({"n": 1})
        await self.queue(self.works)
        return [self._state, self._emit(), self.state, len(await self.queue_items())]


def test_the_sdks_own_attributes_are_out_of_the_way() -> None:
    """They begin with `_cf_`: a class may call its own as it likes."""
    sim = world(Named)

    assert ["mine", "mine too", {"n": 1}, 1] == list(sim.run(room(sim).works()))
    assert [] == [name for name in dir(Agent) if name.startswith("_") and not name.startswith(("__", "_cf_", "_is_"))]
