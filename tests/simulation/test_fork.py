"""`sim.fork`: the same past up to a moment, and another future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosim import Deadlock, ForkError, Network, Simulation
from dosim.workers import DurableObject, Request, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair

URL = "https://app.example/"


class Counter(DurableObject):
    async def increment(self, by: int = 1) -> int:
        n = (await self.ctx.storage.get("n") or 0) + by
        await self.ctx.storage.put("n", n)
        return n

    async def slow(self) -> int:
        await asyncio.sleep(1)
        return await self.increment()

    async def fetch(self, request: Any) -> Any:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        ws.send(f"{await self.increment()}: {message}")

    async def alarm(self, info: Any) -> None:
        await self.increment(100)

    async def wake_in(self, ms: int) -> None:
        import time

        await self.ctx.storage.setAlarm(int(time.time() * 1000) + ms)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        name = request.url.split("/")[3] or "demo"
        stub = self.env.COUNTER.getByName(name)
        if request.headers.get("Upgrade"):
            return await stub.fetch(request)
        return Response.json({"n": await stub.increment(len(await request.text()) or 1)})


def world(**options: Any) -> Simulation:
    return Simulation(Default, durable_objects={"COUNTER": Counter}, **{"seed": 7, **options})


def test_a_fork_of_now_has_the_same_past() -> None:
    """Without a moment a fork stands where the original does: same records, same objects, same time."""
    sim = world()
    response = sim.run(sim.client("Tokyo").fetch(URL))
    sim.run(response.text())
    sim.run(for_="1h")
    fork = sim.fork()

    assert sim.trace.digest == fork.trace.digest
    assert sim.now == fork.now
    assert repr(list(sim.objects)) == repr(list(fork.objects))
    assert fork is not sim and fork.objects[0].storage == {"n": 1}


def test_the_original_stays_as_it_is() -> None:
    """Nothing that is done to a fork, or to make it, shows in the original."""
    sim = world()
    call = sim.client("Tokyo").fetch(URL)
    sim.run(call)
    before = sim.trace.digest
    fork = sim.fork(at="100ms")
    fork.run(*fork.calls)
    fork.crash("demo")

    assert before == sim.trace.digest
    assert {"n": 1} == sim.objects["demo"].storage


def test_at_a_time_what_was_done_later_is_not_done() -> None:
    """Actions at the very instant of the fork, or after it, are left out; earlier ones are in."""
    sim = world()
    tokyo = sim.client("Tokyo")
    sim.run(tokyo.fetch(URL))
    sim.run(until="10s")
    sim.crash("demo")
    sim.run(tokyo.fetch(URL))
    fork = sim.fork(at="10s")

    assert timedelta(seconds=10) / timedelta(microseconds=1) == fork.now.us
    assert [] == fork.trace.of_kind("fault")
    assert {"n": 1} == fork.objects["demo"].storage
    assert 1 == len(fork.trace.of_kind("send"))


def test_requests_under_way_go_on() -> None:
    """A request that was under way at the moment is answered in the fork when that is run."""
    sim = world()
    calls = [sim.client(city).fetch(URL) for city in ("Tokyo", "Paris", "Lagos")]
    sim.run(*calls)
    fork = sim.fork(at="100ms")
    under_way = fork.calls
    fork.run(*under_way)

    assert [call.request for call in calls] == [call.request for call in under_way]
    assert [call.latency_us for call in calls] == [fork.twin(call).latency_us for call in calls]
    assert sim.trace.digest == fork.trace.digest


def test_another_seed_changes_the_future_only() -> None:
    """With seed= the records up to the moment stay and the delays after it are other ones."""
    sim = world()
    sim.run(*(sim.client(city).fetch(URL) for city in ("Tokyo", "Paris", "Lagos")))
    fork = sim.fork(at="300ms", seed=8)
    past = len(fork.trace)
    fork.run(*fork.calls)

    assert list(sim.trace)[:past] == list(fork.trace)[:past]
    assert sim.trace.digest != fork.trace.digest
    assert len(sim.trace) == len(fork.trace)
    assert 8 == fork.seed


def test_another_seed_changes_random_values() -> None:
    """`random` inside goes on from the same state with the same seed, and differs with another."""

    class Dice(DurableObject):
        async def roll(self) -> list[int]:
            import random
            import uuid

            return [random.randrange(10**9), uuid.uuid4().int]

    sim = Simulation(durable_objects={"DICE": Dice}, seed=7)
    stub = sim.env.DICE.getByName("d")
    sim.run(stub.roll())
    same, other = sim.fork(), sim.fork(seed=8)
    third = sim.run(stub.roll())

    assert third == same.run(same.twin(stub).roll())
    assert all(a != b for a, b in zip(third, other.run(other.twin(stub).roll()), strict=True))


def test_before_a_record_it_can_be_made_not_to_happen() -> None:
    """`before=` stands in front of the event that made a record: its message can be lost."""
    sim = world()
    call = sim.client("Tokyo").fetch(URL)
    sim.run(call)
    leaves = sim.trace.of_kind("leave")[0]
    fork = sim.fork(before=leaves)
    fork.lose("request", method="increment")
    fork.run(*fork.calls)

    assert len(sim.trace.of_kind("lost")) == 0
    assert ["request"] == [record.detail["what"] for record in fork.trace.of_kind("lost")]
    assert fork.twin(call).latency_us > call.latency_us


def test_at_a_record_its_event_has_happened() -> None:
    """`at=` a record: the fork's last records are those of the event that made it."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))
    for number in range(1, len(sim.trace) + 1):
        fork = sim.fork(at=number)

        assert number <= len(fork.trace)
        assert fork.trace[number - 1] == sim.trace[number - 1]
        assert fork.now.us <= sim.trace[number - 1].t_us


@pytest.mark.parametrize("number", [1, 2, 3])
def test_before_and_at_meet(number: int) -> None:
    """Before a record there are only the records of earlier events; one step later it is there."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))
    fork = sim.fork(before=number)

    assert len(fork.trace) < number
    if number > 1:
        fork.step()
        assert len(fork.trace) >= number


def test_every_way_of_acting_is_repeated() -> None:
    """Requests with bodies, stubs, unique ids, sockets, verbs, alarms, services and deploys: all come again."""

    class Louder(Counter):
        async def increment(self, by: int = 1) -> int:
            return await super().increment(by * 10)

    sim = world(network=Network())
    tokyo, paris = sim.client("Tokyo"), sim.client((48.8, 2.3))
    service = sim.external("https://api.example", lambda request: "yes", latency="5ms")
    socket = sim.run(tokyo.websocket("wss://app.example/room"))
    socket.send("a")
    heard = sim.run(socket.recv())
    request = Request(URL, method="POST", body="four")
    first, second = tokyo.fetch(request), paris.fetch(URL, method="POST", body="three", headers={"x-y": "z"})
    sim.run(first, second)
    text = sim.run(first.result().text())
    stub = sim.env.COUNTER.getByName("demo")
    sim.run(stub.wake_in(50))
    sim.cut("Tokyo", "Osaka") if "Osaka" in sim.network.cities else sim.slow("Tokyo", "Paris", "9ms")
    unique = sim.env.COUNTER.newUniqueId()
    other = sim.env.COUNTER.get(unique)
    pending = other.slow()
    sim.run(for_="500ms")
    sim.deploy(durable_objects={"COUNTER": Louder})
    sim.lose("reply", of="demo")
    sim.run(tokyo.fetch(URL), for_="30s")
    sim.step(3)
    socket.close(4000, "bye")
    sim.run(for_="20s")
    sim.evict(sim.objects["demo"])
    sim.restart()
    fork = sim.fork()

    assert sim.trace.digest == fork.trace.digest
    assert "1: a" == heard and '{"n": 4}' == text
    assert str(fork.twin(unique)) == str(unique) and fork.twin(unique).namespace is not unique.namespace
    assert [message.message for message in socket.received] == [m.message for m in fork.twin(socket).received]
    assert (socket.closed is None) == (fork.twin(socket).closed is None)
    assert fork.twin(service) is not service and fork.twin(service).prefix == service.prefix
    assert pending.done() == fork.twin(pending).done()
    assert str(sim.env.COUNTER.newUniqueId()) == str(fork.env.COUNTER.newUniqueId())
    assert fork.twin(other) is fork.twin(other) and fork.twin(tokyo) is not tokyo
    assert fork.twin([tokyo, {"a": sim}]) == [fork.twin(tokyo), {"a": fork}]
    assert fork.fork().trace.digest == sim.trace.digest


def test_arguments_are_kept_as_they_were() -> None:
    """What was given to a call and changed afterwards is given again as it was, with its cycles."""

    class Echo(DurableObject):
        async def sum(self, values: Any) -> Any:
            await self.ctx.storage.put("length", len(values))
            return len(values)

    sim = Simulation(durable_objects={"ECHO": Echo}, seed=7)
    stub = sim.env.ECHO.getByName("e")
    values: list[Any] = [1, {"a": [2]}, b"x"]
    values.append(values)
    call = stub.sum(values)
    values.append(5)
    sim.run(call)
    fork = sim.fork()

    assert {"length": 4} == sim.objects["e"].storage == fork.objects["e"].storage


def test_runs_that_ended_badly_or_inside_a_loop_are_repeated() -> None:
    """A deadlock, a timeout, a failed call and `arun` come again: what counts is how far each run went."""

    class Stuck(DurableObject):
        async def wait(self) -> None:
            await asyncio.Event().wait()

        async def fail(self) -> None:
            raise ValueError("no")

    sim = Simulation(durable_objects={"STUCK": Stuck}, seed=7)
    stub = sim.env.STUCK.getByName("s")
    with pytest.raises(Deadlock):
        sim.run(stub.wait())
    with pytest.raises(Exception, match="no"):
        sim.run(stub.fail())
    with pytest.raises(TimeoutError):
        sim.run(stub.wait(), for_="1s")

    async def cell() -> None:
        with pytest.raises(Exception, match="no"):
            await sim.arun(stub.fail())
        await sim.arun(for_="1m")

    asyncio.run(cell())
    fork = sim.fork()

    assert sim.trace.digest == fork.trace.digest
    assert sim.now == fork.now
    assert 2 == len(fork.calls) == len(sim.calls)


def test_a_fork_of_a_fork() -> None:
    """A fork has the past of its original and what was done to it since, and can be forked in turn."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))
    sim.run(until="5s")
    fork = sim.fork(at="1s", seed=9)
    fork.evict("demo")
    fork.run(fork.client("Paris").fetch(URL))
    again = fork.fork()

    assert fork.trace.digest == again.trace.digest
    assert 9 == again.seed
    assert 2 == again.objects["demo"].instance


def test_cuts_of_the_original_are_not_in_the_past() -> None:
    """A network given by the user is as it was at the start, whatever was cut since."""
    network = Network()
    sim = world(network=network)
    tokyo = sim.client("Tokyo")
    sim.run(tokyo.fetch(URL))
    sim.run(until="1s")
    neighbour = next(link for link in network.links if "Tokyo" in (link.a, link.b))
    sim.cut(neighbour.a, neighbour.b)
    fork = sim.fork(at="500ms")

    assert network.cuts and not fork.network.cuts
    assert fork.network is not network


def test_a_coroutine_of_the_users_is_refused_with_the_fix() -> None:
    """What a coroutine did cannot be repeated; before it ran, forking is allowed, and run= repeats it."""

    def drive() -> Simulation:
        sim = world()
        tokyo = sim.client("Tokyo")
        sim.run(tokyo.fetch(URL))
        sim.run(until="1s")

        async def story() -> None:
            await tokyo.fetch(URL)
            await asyncio.sleep(1)
            await tokyo.fetch(URL)

        sim.run(story())
        return sim

    sim = drive()
    with pytest.raises(ForkError, match=r"story\(\), a coroutine that dosim cannot run a second time.*run=function"):
        sim.fork()
    early = sim.fork(at="900ms")
    late = sim.fork(at="2s", run=drive)
    past = len(late.trace)
    late.run(for_="10s")
    sim.run(until=late.now)

    assert 1 == len(early.trace.of_kind("send"))
    assert 0 < past < len(sim.trace)
    assert sim.trace.digest == late.trace.digest


@pytest.mark.parametrize("moment", [{"at": 20}, {"before": 20}, {"at": "5.5ms"}, {}])
def test_run_stops_the_function_at_every_kind_of_moment(moment: dict[str, Any]) -> None:
    """A function that makes a rehearsal first, then the simulation: the one with the same past is stopped."""
    ended = []

    def drive() -> Simulation:
        other = world()
        other.run(other.client("Tokyo").fetch(URL))  # begins as the one below does, and is another one
        other.run(for_="1h")
        sim = world()
        calls = [sim.client(city).fetch(URL) for city in ("Tokyo", "Paris")]
        sim.run(asyncio_gather(calls))
        ended.append(True)
        return sim

    sim = drive()
    fork = sim.fork(**moment, run=drive)
    by_calls = len(fork.trace)

    assert list(sim.trace)[:by_calls] == list(fork.trace)
    assert len(ended) == (1 if moment else 2)
    if "before" in moment:
        assert by_calls < 20
    if moment == {"at": 20}:
        assert by_calls >= 20


async def asyncio_gather(calls: list[Any]) -> list[Any]:
    return [await call for call in calls]


def test_run_must_make_the_same_past() -> None:
    """A function that does something else is told which record differs."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))

    def other() -> None:
        elsewhere = world()
        elsewhere.run(elsewhere.client("Paris").fetch(URL))

    with pytest.raises(ForkError, match=r"(?s)record 1 was.*Tokyo.*and is now.*Paris"):
        sim.fork(run=other)
    with pytest.raises(ForkError, match="it made 0 of them"):
        sim.fork(run=lambda: None)


def test_code_that_depends_on_something_outside_is_told() -> None:
    """A class attribute that the first run changed leads elsewhere: the first record that differs is named."""

    class Leaky(DurableObject):
        seen = 0

        async def count(self) -> int:
            Leaky.seen += 1
            for _ in range(Leaky.seen):
                await self.ctx.storage.get("x")
            return Leaky.seen

    sim = Simulation(durable_objects={"LEAKY": Leaky}, seed=7)
    sim.run(sim.env.LEAKY.getByName("a").count())

    with pytest.raises(ForkError, match=r"(?s)record \d+ was\n.*and is now\n.*class attribute"):
        sim.fork()


def test_a_call_that_is_not_recorded_is_told() -> None:
    """A store that was called from outside cannot be called again from record; run= can, and so can earlier forks."""

    def drive() -> Simulation:
        sim = world(kv_namespaces=["KV"])
        sim.run(sim.client("Tokyo").fetch(URL))
        sim.run(sim.env.KV.put("a", "b"))
        return sim

    sim = drive()
    with pytest.raises(ForkError, match=r"KV was called from outside \(put\), which is not recorded.*run=function"):
        sim.fork()

    assert sim.trace.digest == sim.fork(run=drive).trace.digest
    assert 1 == len(sim.fork(at="200ms").calls)


def test_a_handler_that_acts_on_the_original_is_stopped() -> None:
    """A service's handler that holds on to the simulation would change the original while it is repeated."""

    class Asks(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            from dosim.workers import fetch

            return await fetch("https://api.example/")

    sim = Simulation(Asks, seed=7)
    made: list[Any] = []

    def handler(request: Any) -> str:
        made.append(sim.client("Paris"))
        return "yes"

    sim.external("https://api.example", handler)
    sim.run(sim.client("Tokyo").fetch(URL))

    with pytest.raises(ForkError, match=r"client\(\) was called by a callback or handler of yours"):
        sim.fork()


def test_a_callback_of_the_users_is_refused() -> None:
    """Who acts from a callback acts in the middle of an event, between which there is no place."""
    sim = world()
    tokyo = sim.client("Tokyo")
    tokyo.fetch(URL).add_done_callback(lambda _: tokyo.fetch(URL))
    sim.run()

    with pytest.raises(ForkError, match=r"fetch\(\) was called by a callback or handler of yours"):
        sim.fork()


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"at": "5h"}, ValueError, "has not been yet"),
    ({"at": 5.5}, TypeError, "has no unit"),
    ({"at": 0}, ValueError, "records 1 to"),
    ({"at": 10_000}, ValueError, "records 1 to"),
    ({"before": "1s"}, TypeError, "is no record"),
    ({"at": "1s", "before": 3}, ValueError, "give one"),
    ({"run": 3}, TypeError, "cannot be called"),
    ({"run": asyncio_gather}, RuntimeError, "plain function"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), BAD)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """Each refusal says which argument and what to give instead."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))
    sim.run(until="2s")

    with pytest.raises(error, match=text):
        sim.fork(**arguments)


def test_a_fork_needs_every_record() -> None:
    """With another retention there is nothing to compare, and nothing is noted."""
    sim = world(retention="last=5")
    sim.run(sim.client("Tokyo").fetch(URL))

    with pytest.raises(ValueError, match='retention="full"'):
        sim.fork()


def test_twins_are_of_the_past_only() -> None:
    """What came later than the moment has no twin, and the original has none at all."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch(URL))
    sim.run(until="1s")
    late = sim.client("Paris")
    fork = sim.fork(at="500ms")

    with pytest.raises(ValueError, match="came later"):
        fork.twin(late)
    with pytest.raises(ValueError, match="only a fork"):
        sim.twin(late)


def test_a_project_is_loaded_anew(tmp_path: Any) -> None:
    """A project's module globals belong to one world: a fork starts with fresh ones."""
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "p", "main": "entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"]}'
    )
    (tmp_path / "entry.py").write_text(
        "from workers import Response, WorkerEntrypoint\nseen = []\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        seen.append(1)\n        print(len(seen))\n        return Response(str(len(seen)))\n"
    )
    sim = Simulation.from_project(tmp_path, seed=7, show_output=False)
    tokyo = sim.client("Tokyo")
    sim.run(tokyo.fetch(URL))
    fork = sim.fork()
    response = fork.run(fork.twin(tokyo).fetch(URL))

    assert ["1", "2"] == [record.detail["text"] for record in fork.trace.of_kind("log")]
    assert "2" == fork.run(response.text())


# -- the property: go back anywhere, do the rest again, and it is the same run

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("tokyo", "paris", "stub", "slow", "socket", "crash", "evict", "lose", "alarm", "wait", "until")
        ),
        st.integers(0, 3_000_000),
    ),
    max_size=8,
)


def act(sim: Simulation, step: Step, clients: dict[str, Any]) -> None:
    what, us = step
    doing: dict[str, Callable[[], Any]] = {
        "tokyo": lambda: clients["tokyo"].fetch(URL),
        "paris": lambda: clients["paris"].fetch(URL, method="POST", body="x" * (us % 5)),
        "stub": lambda: sim.env.COUNTER.getByName("demo").increment(),
        "slow": lambda: sim.env.COUNTER.getByName("demo").slow(),
        "socket": lambda: clients["tokyo"].websocket("wss://app.example/demo"),
        "crash": lambda: len(sim.objects) and sim.crash(0),
        "evict": lambda: len(sim.objects) and sim.evict(0),
        "lose": lambda: sim.lose(("request", "reply")[us % 2]),
        "alarm": lambda: sim.env.COUNTER.getByName("demo").wake_in(us // 1000),
        "wait": lambda: sim.run(for_=f"{us}us"),
        "until": sim.run,
    }
    result = doing[what]()
    if isinstance(result, asyncio.Future):
        result.add_done_callback(lambda done: done.cancelled() or done.exception())


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 100), STEPS)
def test_forking_and_going_on_the_same_way_is_the_same_run(past: list[Step], where: int, future: list[Step]) -> None:
    """Fork anywhere, then do what the original did from there on: the digests are equal."""
    sim = world()
    clients = {"tokyo": sim.client("Tokyo"), "paris": sim.client("Paris")}
    for step in past:
        act(sim, step, clients)
    fork = sim.fork()
    twins = {name: fork.twin(client) for name, client in clients.items()}
    count = len(sim.trace)
    for step in future:
        act(sim, step, clients)
        act(fork, step, twins)
    early = sim.fork(at=f"{sim.now.us * where // 100}us")
    cut = len(early.trace)

    assert sim.trace.digest == fork.trace.digest
    assert list(sim.trace)[:cut] == list(early.trace)
    if count:
        behind = sim.fork(at=count)
        in_front = sim.fork(before=count)

        assert list(sim.trace)[: len(behind.trace)] == list(behind.trace) and len(behind.trace) >= count
        assert list(sim.trace)[: len(in_front.trace)] == list(in_front.trace) and len(in_front.trace) < count


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(("tokyo", "paris", "stub", "slow", "socket", "alarm")), min_size=1), st.integers(0, 100)
)
def test_what_was_under_way_ends_the_same_way(doing: list[str], where: int) -> None:
    """Everything was begun at the start: from any moment the fork runs on to the digest of the original."""
    sim = world()
    clients = {"tokyo": sim.client("Tokyo"), "paris": sim.client("Paris")}
    sim.run(for_="1us")
    for n, what in enumerate(doing):
        act(sim, (what, n), clients)
    sim.run(for_="10s")
    at_us = 2 + (sim.now.us - 2) * where // 100
    fork = sim.fork(at=f"{at_us}us")
    fork.run(until=sim.now)

    assert sim.trace.digest == fork.trace.digest
