"""What must hold under random schedules and faults: schedules, the queue, the state, broadcasts, fibers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Simulation
from dosim.agents import Agent, callable  # noqa: A004  # the SDK's name
from dosim.testing import explore, simulated
from dosim.workers.ffi import JsException
from dosim.workers.js import Date
from tests.agents.talk import Default, got, opened, room, send, states, world

#: What an agent's storage outlives; the alarm rings late and twice, too.
FAULTS = ("evict", "crash", "reset", "disk_fails", "alarm_late", "alarm_twice", "request_lost", "reply_lost", "deploy")
QUIET: dict[str, Any] = {"network": None, "show_output": False}


async def surely(sim: Simulation, method: str, *args: Any) -> Any:
    """The result of a call that is made again, over a new stub, until it succeeds: it may be done more than once."""
    for _ in range(99):
        try:
            return await getattr(room(sim), method)(*args)
        except (OSError, JsException):
            await asyncio.sleep(1)
    raise AssertionError(f"{method} never succeeded")


class Diary(Agent):
    """Notes in a table what its callbacks were called for, and when: in the turn in which they are called."""

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS runs (at_ms INTEGER, due_ms INTEGER, what TEXT)")

    async def run(self, payload, item):
        due = getattr(item, "time", None)
        due_ms = 0 if due is None else round(due.timestamp() * 1000)
        self.sql("INSERT INTO runs VALUES (?, ?, ?)", Date.now(), due_ms, payload)
        await asyncio.sleep(2)

    async def plan(self, after_s, what):
        await self.schedule(after_s, self.run, what, idempotent=True)

    async def repeat(self, cron):
        await self.schedule(cron, self.run, "cron")

    async def put(self, whats):
        for what in whats:  # asked for a second time: what has begun, or waits, is there already
            begun = self.sql("SELECT 1 FROM runs WHERE what = ?", what)
            if not begun and await self.get_queue(what) is None:
                await self.queue(self.run, what, id=what)

    async def runs(self):
        return [[row["at_ms"], row["due_ms"], row["what"]] for row in self.sql("SELECT * FROM runs ORDER BY rowid")]

    async def left(self):
        return [s.id for s in await self.list_schedules()] + [item.id for item in await self.queue_items()]


@simulated(Default, durable_objects={"Room": Diary}, faults=FAULTS, examples=25, **QUIET)
async def test_no_schedule_is_lost_and_none_is_early(sim: Simulation) -> None:
    """Whatever was promised runs, not before it is due; and none is left over."""
    for after_s, what in ((30, "a"), (10, "b"), (20, "c")):
        await surely(sim, "plan", after_s, what)
    await asyncio.sleep(600)
    runs = await surely(sim, "runs")
    left = await surely(sim, "left")

    assert {"a", "b", "c"} == {what for _, _, what in runs}
    assert [] == [run for run in runs if run[0] < run[1]]
    assert [] == list(left)


@simulated(Default, durable_objects={"Room": Diary}, examples=15, **QUIET)
async def test_cron_fires_at_every_minute_and_at_no_other_time(sim: Simulation) -> None:
    """Whatever the order of events: ten minutes, ten runs, each at its minute to the millisecond."""
    await room(sim).repeat("* * * * *")
    await asyncio.sleep(10 * 60 + 30)
    runs = await room(sim).runs()

    assert 10 == len(runs)
    assert [] == [run for run in runs if run[0] != run[1] or run[1] % 60_000]


@simulated(Default, durable_objects={"Room": Diary}, faults=FAULTS, examples=25, **QUIET)
async def test_cron_is_never_early_and_never_stops(sim: Simulation) -> None:
    """Under faults an occurrence may be late or run twice; it is a minute's, and after the last fault they go on."""
    await surely(sim, "repeat", "* * * * *")
    await asyncio.sleep(10 * 60 + 30)
    runs = await surely(sim, "runs")
    last_ms = max(due_ms for _, due_ms, _ in runs)

    assert [] == [run for run in runs if run[0] < run[1] or run[1] % 60_000]
    assert now_ms(sim) - last_ms <= 120_000


def now_ms(sim: Simulation) -> int:
    """The virtual time, outside of objects."""
    from dosim.platform.facts import EPOCH_MS

    return EPOCH_MS + sim.world.loop.now_us // 1000


@simulated(Default, durable_objects={"Room": Diary}, faults=FAULTS, examples=25, **QUIET)
async def test_the_queue_keeps_its_order_through_crashes(sim: Simulation) -> None:
    """Every item runs, one may run again when a crash cut it off, and none begins after a later one has."""
    for whats in ("fed", "c", "ba"):
        await surely(sim, "put", whats)
    await asyncio.sleep(600)
    whats = [what for _, _, what in await surely(sim, "runs")]

    assert [*"fedcba"] == list(dict.fromkeys(whats))
    assert whats == sorted(whats, reverse=True)
    assert [] == list(await surely(sim, "left"))


def test_the_queue_keeps_its_order_under_every_single_fault() -> None:
    """The same, searched deeper: each single deviation of the plain run, then several at random."""
    found = explore(test_the_queue_keeps_its_order_through_crashes, runs=60)

    found.check()
    assert 60 == found.runs or found.ended == "exhausted"


class Board(Agent):
    """A counter that clients and callers change."""

    initial_state = {"n": 0}  # noqa: RUF012  # a class attribute is how the SDK spells it

    @callable
    async def increment(self):
        self.set_state({"n": self.state["n"] + 1})
        return self.state["n"]

    async def value(self):
        return self.state


@simulated(Default, durable_objects={"Room": Board}, faults=("evict",), examples=25, show_output=False)
async def test_every_client_ends_with_the_agents_state(sim: Simulation) -> None:
    """Callers all over the world count at once, over RPC and WebSockets: all clients see the same in the end."""
    cities = ("Tokyo", "Oslo", "Sydney")

    async def count(city: str) -> Any:
        async with opened(sim.client(city), city) as ws:
            for n in range(3):
                await send(ws, type="rpc", id=str(n), method="increment", args=[])
                await asyncio.sleep(0.05)
            await surely(sim, "increment")
            await asyncio.sleep(60)
            return states(got(ws))

    seen = await asyncio.gather(*map(count, cities))
    value = await surely(sim, "value")

    assert [value] * 3 == [last[-1] for last in seen]
    for one in seen:
        assert one == sorted(one, key=lambda state: state["n"])


def test_clients_that_set_the_state_at_once_may_end_apart() -> None:
    """As with the npm package: a client's own change is not sent back to it, so an older one may arrive after it.

    Both change at once. The agent ends with Sydney's, which came last; Sydney is told Tokyo's, which was on its way.
    """
    sim = world(Board, network="earth")

    async def story() -> Any:
        async with opened(sim.client("Tokyo"), "tokyo") as near, opened(sim.client("Sydney"), "sydney") as far:
            await asyncio.sleep(5)
            [ws.unread() for ws in (near, far)]
            await asyncio.gather(*[send(ws, type="cf_agent_state", state={"n": n}) for ws, n in ((near, 1), (far, 2))])
            await asyncio.sleep(60)
            return states(got(near)), states(got(far)), await room(sim).value()

    near, far, value = sim.run(story())

    assert {"n": 2} == value
    assert [{"n": 2}] == near
    assert [{"n": 1}] == far


class Hall(Agent):
    """Repeats what is said to all but the speaker, and to all but those whom the message names."""

    async def on_message(self, connection, message):
        excluded = message.partition(" not ")[2].split()
        self.broadcast(f"{connection.id} says {message}", exclude=[connection, *excluded])


@simulated(Default, durable_objects={"Room": Hall}, faults=("evict",), examples=25, **QUIET)
async def test_a_broadcast_excludes_whom_it_says_and_nobody_else(sim: Simulation) -> None:
    """Each message comes once to everybody else, in the order in which one speaker said them."""
    names = ("ann", "bob", "cem", "dan")

    async def talk(name: str) -> list[Any]:
        async with opened(sim.client(), name) as ws:
            await asyncio.sleep(30)
            for n in range(3):
                await ws.send(f"{n} not {names[n]}")
            await asyncio.sleep(30)
            return [message for message in got(ws) if isinstance(message, str)]

    heard = dict(zip(names, await asyncio.gather(*map(talk, names)), strict=True))

    for listener in names:
        for speaker in names:
            said = [message for message in heard[listener] if message.startswith(f"{speaker} says")]
            wanted = [n for n in range(3) if listener not in (speaker, names[n])]
            assert [f"{speaker} says {n} not {names[n]}" for n in wanted] == said


class Copier(Agent):
    """Copies ten numbers in a fiber, and goes on from its last stash."""

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS copied (n INTEGER)")

    async def begin(self):
        if not await self.queue_items():
            await self.queue("copy", 0, id="copy")

    async def copy(self, start):
        async def steps(fiber):
            for n in range(start, 5):
                self.sql("INSERT INTO copied VALUES (?)", n)
                self.stash(n + 1)
                await asyncio.sleep(3)

        await self.run_fiber("copy", steps)

    async def on_fiber_recovered(self, fiber):
        await self.dequeue("copy")
        await self.queue("copy", fiber.snapshot or 0, id="copy")

    async def copied(self):
        return [row["n"] for row in self.sql("SELECT n FROM copied ORDER BY rowid")]


@simulated(Default, durable_objects={"Room": Copier}, faults=("evict", "crash", "reset"), examples=25, **QUIET)
async def test_a_fiber_that_stashes_in_the_turn_of_its_write_repeats_nothing(sim: Simulation) -> None:
    """The number and the stash are one commit: after whatever cut it off, each number is there once."""
    await surely(sim, "begin")
    await asyncio.sleep(600)

    assert [0, 1, 2, 3, 4] == list(await surely(sim, "copied"))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_schedule_of_the_past_runs_at_once(order: int) -> None:
    """Late is late; it is not lost."""
    sim = world(Diary)
    sim.run(room(sim).plan(-order, "late"))
    sim.run(for_="10s")

    assert ["late"] == [what for _, _, what in sim.run(room(sim).runs())]
