"""The verbs that break a world: what is lost, what stays, what callers are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Simulation
from dosim.simulation.sockets import SocketClosed
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import Date, WebSocketPair


class Desk(DurableObject):
    """Counts on disk (KV and SQL) and in memory, slowly."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.seen = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (n INTEGER)")

    async def add(self, pause_s: float = 0) -> int:
        self.seen += 1
        total = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", total)
        self.ctx.storage.sql.exec("INSERT INTO log VALUES (?)", total)
        if pause_s:
            await asyncio.sleep(pause_s)
        return total

    async def read(self) -> list[int]:
        rows = self.ctx.storage.sql.exec("SELECT n FROM log").toArray()
        return [self.seen, await self.ctx.storage.get("n") or 0, len(rows)]

    async def arm(self, delay_ms: int) -> None:
        await self.ctx.storage.setAlarm(Date.now() + delay_ms)

    async def alarm(self, info: Any) -> None:
        rings = await self.ctx.storage.get("rings") or []
        await self.ctx.storage.put("rings", [*rings, Date.now()])

    async def rings(self) -> list[int]:
        return await self.ctx.storage.get("rings") or []

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        if request.url.endswith("plain"):
            server.accept()
            server.addEventListener("message", lambda event: server.send(event.data))
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        self.seen += 1
        ws.send(f"{self.seen} {message}")


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return await self.env.DESK.getByName("a").fetch(request)


def world(**options: Any) -> Simulation:
    """One desk, touched once from Tokyo, so that it lives there."""
    return Simulation(Door, durable_objects={"DESK": Desk}, **{"seed": 5, **options})


def error_of(sim: Simulation, call: Any) -> Any:
    """What the caller gets in place of an answer."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (its class and text are what the tests look at)
        sim.run(call)
    return caught.value


def test_a_crash_loses_what_was_not_confirmed_and_nobody_saw() -> None:
    """Within the confirmation (5 ms) a commit can still be lost, key-value and SQL together; later it cannot."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    assert 1 == sim.run(desk.add())

    call = desk.add()
    while sim.trace.of_kind("commit")[-1].t_us < sim.world.loop.now_us or len(sim.trace.of_kind("return")) < 2:
        sim.step()
    sim.crash("a")
    error = error_of(sim, call)

    assert "Network connection lost." == error.message
    assert error.retryable
    assert [0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())


def test_a_crash_after_the_confirmation_keeps_the_write_that_nobody_was_told_of() -> None:
    """The handler wrote, and pauses for a second: the caller cannot know."""
    sim = world()
    call = sim.env.DESK.getByName("a").add(1)
    sim.run(for_="500ms")
    sim.crash("a")

    assert "Network connection lost." == error_of(sim, call).message
    assert [0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())


def test_the_local_runtime_confirms_at_once() -> None:
    """With confirmation in no time there is nothing to lose but the open turn."""
    sim = world(platform="workerd")
    call = sim.env.DESK.getByName("a").add(1)
    sim.run(for_="500ms")
    sim.crash("a")

    assert "Network connection lost." == error_of(sim, call).message
    assert [0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())


def test_an_eviction_in_the_middle_drops_the_work_and_keeps_the_stub() -> None:
    """What was committed stays; the same stub reaches the next instance."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    call = desk.add(1)
    sim.run(for_="500ms")
    sim.evict("a")

    assert "no longer active" in error_of(sim, call).message
    assert [0, 1, 1] == sim.run(desk.read())
    assert 2 == sim.objects["a"].instance


def test_a_reset_breaks_stubs() -> None:
    """As the platform's own resets: the old stub fails for ever, a new one reaches the fresh object."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    sim.run(desk.add())
    sim.reset("a", "gone")

    assert error_of(sim, desk.read()).durableObjectReset
    assert [0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())


def test_hibernate_says_what_holds_the_object() -> None:
    """A pending timer holds it; idle, with a socket, it hibernates, and the socket works on."""
    sim = world()
    socket = sim.run(sim.client("Tokyo").websocket("https://x/ws"))
    call = sim.env.DESK.getByName("a").add(1)
    sim.run(for_="500ms")
    with pytest.raises(ValueError, match=r"cannot hibernate:\nthe request #\d+ Desk\('a'\)\.add"):
        sim.hibernate("a")

    sim.run(call)
    sim.hibernate("a")
    assert "hibernated" == sim.objects["a"].state
    socket.send("hi")
    assert "1 hi" == sim.run(socket.recv())
    assert 2 == sim.objects["a"].instance


@pytest.mark.parametrize(("path", "code"), [("ws", 1006), ("plain", 1006)])
def test_a_crash_closes_sockets(path: str, code: int) -> None:
    """The client sees that the connection is lost, whichever way the socket was accepted."""
    sim = world()
    socket = sim.run(sim.client("Tokyo").websocket(f"https://x/{path}"))
    sim.crash("a")

    with pytest.raises(SocketClosed) as caught:
        sim.run(socket.recv())
    assert (code, False) == (caught.value.code, caught.value.was_clean)


class NewDesk(Desk):
    """The next version: it knows the old data, and answers differently."""

    async def read(self) -> list[int]:
        return [-1, *await super().read()]


def test_an_immediate_deploy_resets_in_the_middle() -> None:
    """Everybody in flight gets the documented text; old data meets new code."""
    sim = world()
    call = sim.env.DESK.getByName("a").add(1)
    sim.run(for_="500ms")
    sim.deploy(durable_objects={"DESK": NewDesk})

    assert "Durable Object reset because its code was updated." == error_of(sim, call).message
    assert [-1, 0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())


def test_a_deferred_deploy_waits_for_the_object_to_leave() -> None:
    """The running instance goes on with old code, at most for the delay; the next one has the new code."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    call = desk.add(1)
    sim.run(for_="500ms")
    sim.deploy(durable_objects={"DESK": NewDesk}, strategy="deferred", max_delay="20s")
    assert 1 == sim.run(call)
    assert [1, 1, 1] == sim.run(desk.read())

    sim.run(for_="11s")
    assert "evicted" == sim.objects["a"].state
    assert [-1, 0, 1, 1] == sim.run(desk.read())


def test_a_deferred_deploy_does_not_wait_longer_than_its_delay() -> None:
    """An object that never rests is reset when the delay is over."""
    sim = world()
    call = sim.env.DESK.getByName("a").add(60)
    sim.run(for_="1s")
    sim.deploy(durable_objects={"DESK": NewDesk}, strategy="deferred", max_delay="20s")

    assert "code was updated" in error_of(sim, call).message
    assert 21_000_000 <= sim.world.loop.now_us < 22_000_000


def test_a_lost_request_is_sent_again() -> None:
    """It never reached the object, so the platform may retry: the caller only waits longer."""
    sim = world()
    sim.run(sim.env.DESK.getByName("a").add())
    client = sim.client("Tokyo")
    before = sim.run(client.websocket("https://x/ws")).client
    sim.lose("request", of="a")
    socket = sim.run(client.websocket("https://x/ws"))

    assert before is client
    assert socket.closed is None
    assert ["request"] == [record.detail["what"] for record in sim.trace.of_kind("lost")]


class Teller(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        desk = self.env.DESK.getByName("a")
        try:
            return Response.json(await desk.add())
        except Exception as error:
            return Response.json({"told": str(error), "retryable": getattr(error, "retryable", None)})


def test_a_lost_reply_means_it_happened_and_you_were_not_told() -> None:
    """Nothing is retried: the write is there, once."""
    sim = Simulation(Teller, durable_objects={"DESK": Desk})
    client = sim.client("Tokyo")
    sim.run(client.fetch("https://x/"))
    sim.lose("reply", of="a")
    told = sim.run(sim.run(client.fetch("https://x/")).json())

    assert {"told": "Error: Network connection lost.", "retryable": True} == told
    assert 2 == sim.objects["a"].storage["n"]


def test_a_partition_ends_in_an_error_and_repair_mends_it() -> None:
    """Five attempts within ten seconds, then the caller is told."""
    sim = Simulation(Teller, durable_objects={"DESK": Desk})
    tokyo, paris = sim.client("Tokyo"), sim.client("Paris")
    sim.run(tokyo.fetch("https://x/"))
    sim.partition("Paris", "Tokyo")
    began_us = sim.world.loop.now_us
    call = paris.fetch("https://x/")
    told = sim.run(sim.run(call).json())

    assert "Error: Network connection lost." == told["told"]
    assert 5 == len(sim.trace.of_kind("lost"))
    assert sim.world.loop.now_us - began_us < 12_000_000
    sim.repair("Paris", "Tokyo")
    assert 2 == sim.run(sim.run(paris.fetch("https://x/")).json())


class Impatient(DurableObject):
    async def ask(self, retry: Any) -> str:
        desk = self.env.DESK.getByName("a", locationHint="apac", **({"retry": retry} if retry is not None else {}))
        try:
            return str(await desk.add())
        except Exception as error:
            return str(error)


@pytest.mark.parametrize(
    ("retry", "attempts"), [(None, 5), ({"maxRetries": 0}, 1), ({"maxRetries": 2}, 3), ({"timeoutMs": 3000}, 3)]
)
def test_a_stub_says_how_often_to_retry(retry: Any, attempts: int) -> None:
    """Attempts in all: one and its retries, or what fits into the time."""
    sim = Simulation(durable_objects={"DESK": Desk, "ASKER": Impatient})
    asker = sim.env.ASKER.getByName("b")
    assert "1" == sim.run(asker.ask(None))
    sim.partition(sim.objects["a"].city, sim.objects["b"].city)

    assert "Error: Network connection lost." == sim.run(asker.ask(retry))
    assert attempts == len(sim.trace.of_kind("lost"))


def test_slow_is_added_to_every_message() -> None:
    """Two more seconds there and back, for whoever goes that way."""
    sim = Simulation(Teller, durable_objects={"DESK": Desk})
    sim.run(sim.client("Tokyo").fetch("https://x/"))
    paris = sim.client("Paris")
    quick = paris.fetch("https://x/")
    sim.run(quick)
    sim.slow("Paris", "Tokyo", "1s")
    late = paris.fetch("https://x/")
    sim.run(late)

    assert 1_900_000 < late.latency_us - quick.latency_us < 2_100_000  # type: ignore[operator]


def test_a_cut_cable_makes_a_longer_way() -> None:
    """Routes go around; a pair that no cable joins is named with its neighbours."""
    sim = world()
    before_us = sim.network.one_way_us("Tokyo", "Seattle")
    beside = sim.network.path("Tokyo", "Seattle")[1]
    sim.cut("Tokyo", beside)
    assert sim.network.one_way_us("Tokyo", "Seattle") > before_us

    sim.mend("Tokyo", beside)
    assert sim.network.one_way_us("Tokyo", "Seattle") == before_us
    with pytest.raises(ValueError, match="no cable joins Tokyo and Paris: the neighbours of Tokyo are"):
        sim.cut("Tokyo", "Paris")


def test_a_colo_that_is_down_sends_clients_elsewhere() -> None:
    """Its objects crash and cannot be reached; when it is up again, their disks are there."""
    sim = Simulation(Teller, durable_objects={"DESK": Desk})
    tokyo = sim.client("Tokyo")
    sim.run(tokyo.fetch("https://x/"))
    sim.run(for_="1s")
    sim.colo_down("Tokyo")
    told = sim.run(sim.run(tokyo.fetch("https://x/")).json())

    assert "Error: Network connection lost." == told["told"]
    assert sim.trace.of_kind("edge")[-1].detail["colo"] != "NRT"
    sim.colo_up("Tokyo")
    assert 2 == sim.run(sim.run(tokyo.fetch("https://x/")).json())


def test_alarms_come_late_and_twice() -> None:
    """Late by what is said; twice although the first run succeeded."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    sim.run(desk.arm(1000))
    sim.alarm_late("a", "30s")
    sim.alarm_twice("a")
    sim.run(for_="2m")
    first, second = sim.run(desk.rings())

    started_ms = 1_796_083_200_000
    assert 31_000 <= first - started_ms < 31_100
    assert 2_000 <= second - first <= 2_600
    assert sim.objects["a"].alarm_us is None


def test_a_disk_that_fails_rolls_back_and_resets() -> None:
    """The caller is told; what was there before is there, and the next commit works."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    sim.run(desk.add())
    sim.storage_fails("a")
    error = error_of(sim, desk.add())

    assert "storage operation exceeded timeout" in error.message
    assert [0, 1, 1] == sim.run(sim.env.DESK.getByName("a").read())
    assert 2 == sim.run(sim.env.DESK.getByName("a").add())


def test_an_overloaded_object_turns_requests_away() -> None:
    """With the documented text and flag, until it is relieved; it is not retried."""
    sim = world()
    desk = sim.env.DESK.getByName("a")
    sim.run(desk.add())
    sim.overload("a")
    error = error_of(sim, desk.add())

    assert "Durable Object is overloaded. Too many requests queued." == error.message
    assert error.overloaded
    assert getattr(error, "retryable", None) is None
    sim.relieve("a")
    assert 2 == sim.run(desk.add())


def test_every_verb_is_in_the_trace() -> None:
    """With what it was done to."""
    sim = world()
    sim.run(sim.env.DESK.getByName("a").add())
    sim.partition("Tokyo", "Paris")
    sim.repair("Tokyo", "Paris")
    sim.lose("request")
    sim.keep_all()
    sim.crash("a")
    told = [(record.detail["verb"], record.detail["what"]) for record in sim.trace.of_kind("fault")]

    assert [
        ("partition", "Tokyo, Paris"), ("repair", "Tokyo, Paris"), ("lose", "request of anybody"), ("keep_all", ""),
        ("crash", "Desk('a')"),
    ] == told  # fmt: skip


def test_the_first_message_to_an_object_can_be_lost() -> None:
    """A stub names an object that nobody has touched; a name alone does not tell of which class it would be."""
    sim = world()
    stub = sim.env.DESK.getByName("new")
    sim.lose("reply", of=stub)
    other, call = sim.env.DESK.getByName("old").add(), stub.add()
    fork = sim.fork()
    for lived, outcomes in ((sim, (other, call)), (fork, (fork.twin(other), fork.twin(call)))):
        lived.run(for_="1m")

        assert [None, "Error: Network connection lost."] == [
            one.exception() and str(one.exception()) for one in outcomes
        ]
        assert [("lose", "reply of Desk('new')")] == [tuple(r.detail.values()) for r in lived.trace.of_kind("fault")]
    with pytest.raises(KeyError, match="no object 'newer'"):
        sim.lose("reply", of="newer")


@pytest.mark.parametrize(
    ("verb", "arguments", "error", "text"),
    [
        ("evict", ("nobody",), KeyError, r"no object 'nobody': Desk\('a'\)"),
        ("crash", ("nobody",), KeyError, "no object 'nobody'"),
        ("storage_fails", ("a", 0), ValueError, "at least one commit"),
        ("lose", ("letter",), ValueError, 'use "request" or "reply"'),
        ("lose", ("request", None), None, ""),
        ("alarm_late", ("a", 5), TypeError, "by=5 has no unit"),
        ("slow", ("Tokyo", "Paris", 3), TypeError, "extra=3 has no unit"),
        ("partition", ("Tokyo", "Pariss"), Exception, "Paris"),
        ("deploy", (5,), TypeError, "code=5 is no class"),
        ("step", (0,), ValueError, "at least one event"),
    ],
)
def test_bad_input_is_named(verb: str, arguments: tuple[Any, ...], error: Any, text: str) -> None:
    """A verb that cannot be says which argument is wrong."""
    sim = world()
    sim.run(sim.env.DESK.getByName("a").add())
    if error is None:
        getattr(sim, verb)(*arguments)
        return
    with pytest.raises(error, match=text):
        getattr(sim, verb)(*arguments)


def test_a_deploy_of_something_unknown_is_refused() -> None:
    """A binding that is not there, a strategy that does not exist."""
    sim = world()
    with pytest.raises(ValueError, match="'DSK', which is no binding; there are: DESK"):
        sim.deploy(durable_objects={"DSK": Desk})
    with pytest.raises(ValueError, match='use "immediate" or "deferred"'):
        sim.deploy(strategy="slowly")
