"""The sandbox as a user holds it: running, clients, objects, time, portability."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import random
import time
import uuid
import weakref
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import pytest

import dosim
from dosim import PortabilityError, PortabilityWarning, Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, wait_until


class Counter(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.hits = 0

    async def increment(self):
        self.hits += 1
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def alarm_in(self, seconds):
        await self.ctx.storage.setAlarm(int((time.time() + seconds) * 1000))

    async def alarm(self):
        await self.ctx.storage.put("rang", int(time.time() * 1000))

    async def clocks(self):
        naive = datetime.now()  # noqa: DTZ005 (a naive now is what is tested here)
        readings = [time.time(), monotonic(), naive, dt.datetime.now(dt.UTC), time.perf_counter()]
        await asyncio.sleep(1.5)
        return [[repr(r) for r in readings], time.time() - readings[0], monotonic() - readings[1]]

    async def chance(self):
        return [random.random(), str(uuid.uuid4()), random.choice("abc")]

    async def listing(self):
        await self.ctx.storage.put({"a": 1, "b": 2})
        return list(await self.ctx.storage.list(start_after="a"))


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        stub = self.env.COUNTER.getByName("demo")
        if request.url.endswith("/fail"):
            raise ValueError("no such page")
        if request.url.endswith("/later"):
            wait_until(self.later())
        return Response.json({"n": await stub.increment(), "greeting": self.env.GREETING})

    async def later(self):
        await asyncio.sleep(5)
        print("later")


@pytest.fixture
def sim() -> Simulation:
    return Simulation(Default, durable_objects={"COUNTER": Counter}, vars={"GREETING": "hi"}, seed=7, show_output=False)


def test_ten_requests_from_tokyo(sim):
    """The program of the README: ten requests, ten different counts, a list of results."""
    tokyo = sim.client("Tokyo")
    calls = [tokyo.fetch("https://app.example/") for _ in range(10)]

    responses = sim.run(*calls)

    assert list(range(1, 11)) == sorted(sim.run(response.json())["n"] for response in responses)


def test_run_of_one_returns_its_result(sim):
    """One awaitable, one result."""
    assert 1 == sim.run(sim.env.COUNTER.getByName("x").increment())


def test_a_call_starts_when_it_is_made(sim):
    """A call is under way before it is waited for; time passes for it all the same."""
    call = sim.client("Lima").fetch("https://app.example/")
    sim.run(for_="2s")

    assert call.done()
    assert 200 == sim.run(call).status
    assert 2_000_000 == sim.now.us


def test_your_own_coroutine_is_the_outside_world(sim):
    """A coroutine given to run() may call clients and sleep in virtual time."""

    async def outside():
        paris = sim.client("Paris")
        first = await paris.fetch("https://app.example/")
        await asyncio.sleep(60)
        second = await paris.fetch("https://app.example/")
        return [(await first.json())["n"], (await second.json())["n"]]

    assert [1, 2] == sim.run(outside())
    assert sim.now.us > 60_000_000


def test_alarms_fire_on_the_way(sim):
    """Thirty days pass at once, with an alarm in between, at its very millisecond."""
    stub = sim.env.COUNTER.getByName("x")
    sim.run(stub.alarm_in(86_400 * 20))

    sim.run(until="30d")

    assert sim.objects["x"].storage["rang"] == 1_796_083_200_000 + 20 * 86_400_000
    assert timedelta(days=30) == sim.now.datetime - datetime(2026, 12, 1, tzinfo=dt.UTC)


def test_run_without_arguments_stops_before_alarms(sim):
    """When nothing but alarms is left, run() is over."""
    sim.run(sim.env.COUNTER.getByName("x").alarm_in(3600))
    sim.run()

    assert "rang" not in sim.objects["x"].storage


def test_idle_objects_leave_memory_and_keep_their_storage(sim):
    """After ten idle seconds attributes are gone, storage is not."""
    stub = sim.env.COUNTER.getByName("x")
    sim.run(stub.increment())
    assert {"hits": 1} == sim.objects["x"].memory

    sim.run(for_="11s")

    assert "evicted" == sim.objects["x"].state
    assert {} == sim.objects["x"].memory
    assert 2 == sim.run(stub.increment())
    assert 2 == sim.objects["x"].instance


def test_evict_is_the_same_on_demand(sim):
    """sim.evict drops memory at once."""
    stub = sim.env.COUNTER.getByName("x")
    sim.run(stub.increment())
    sim.run(for_="1ms")

    sim.evict("x")

    assert "evicted" == sim.objects["x"].state
    assert 2 == sim.run(stub.increment())


def test_restart_keeps_the_disk(sim):
    """A killed process loses memory; storage and alarms survive."""
    stub = sim.env.COUNTER.getByName("x")
    sim.run(stub.increment(), stub.alarm_in(10))

    sim.restart()
    sim.run(for_="11s")

    assert {"n", "rang"} == set(sim.objects["x"].storage)


def test_clocks_are_virtual_and_stand_still_between_events(sim):
    """time, monotonic, datetime read the simulated clock, however they were imported."""
    sim.run(for_="10s")
    readings, passed, monotonic_passed = sim.run(sim.env.COUNTER.getByName("x").clocks())

    assert "1796083210.0" == readings[0]
    assert "10.0" == readings[1]
    assert "datetime.datetime(2026, 12, 1, 0, 0, 10)" == readings[2]
    assert (1.5, 1.5) == (passed, monotonic_passed)
    assert abs(time.time() - 1796083210) > 1


def test_chance_is_seeded():
    """random and uuid4 are the seed's; the outside keeps its own."""

    def draws(seed):
        sim = Simulation(durable_objects={"COUNTER": Counter}, seed=seed)
        return sim.run(sim.env.COUNTER.getByName("x").chance())

    random.seed(1)
    outside = random.random()
    random.seed(1)

    assert draws(1) == draws(1) != draws(2)
    assert outside == random.random()


def test_an_exception_in_the_worker_is_a_500(sim):
    """A client sees what production shows; the error itself is on the call and in the explanation."""
    call = sim.client("Paris").fetch("https://app.example/fail")

    response = sim.run(call)

    assert (500, "error code: 1101") == (response.status, sim.run(response.text()))
    assert "ValueError: no such page" in str(call.error)
    assert "no such page" in str(sim.explain(call))


def test_wait_until_goes_on_after_the_response(sim):
    """The response does not wait for waitUntil; its work is done all the same."""
    call = sim.client("Paris").fetch("https://app.example/later")
    sim.run(call)
    assert call.latency_us < 5_000_000

    sim.run()

    assert ["later"] == [record.detail["text"] for record in sim.trace.of_kind("log")]


def test_print_is_a_record_with_time_and_object(capsys):
    """print in a handler shows virtual time and who said it; outside it is the plain one."""

    class Talker(DurableObject):
        async def speak(self):
            await asyncio.sleep(2)
            print("hello", 5, sep="-")

    sim = Simulation(durable_objects={"T": Talker}, network=None)
    sim.run(sim.env.T.getByName("t").speak())
    print("outside")

    assert "[2.000000s Talker('t')] hello-5\noutside\n" == capsys.readouterr().out


def test_portability_warns_raises_or_accepts():
    """An option that the platform silently ignores: a warning, an error, or what was meant."""

    def listing(mode):
        sim = Simulation(durable_objects={"COUNTER": Counter}, portability=mode)
        return sim.run(sim.env.COUNTER.getByName("x").listing())

    with pytest.warns(PortabilityWarning, match=r"start_after.*Portable: list\(startAfter"):
        assert ["a", "b"] == listing("warn")
    with pytest.warns(PortabilityWarning):
        assert ["b"] == listing("friendly")
    with pytest.raises(Exception, match=PortabilityError.__name__):
        listing("error")


def test_cpu_outside_simulated_code_is_refused():
    """dosim.cpu belongs in a handler."""
    with pytest.raises(RuntimeError, match="call it in their code"):
        dosim.cpu("5s")


def test_a_project_folder_runs_unmodified(tmp_path):
    """wrangler.jsonc and entry module as they are; every colo has module globals of its own, the object only one."""
    (tmp_path / "src").mkdir()
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "app", "main": "src/entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"], // python\n "vars": {"LIMITS": {"max": 3}},'
        ' "durable_objects": {"bindings": [{"name": "ROOM", "class_name": "Room"}]},'
        ' "migrations": [{"tag": "v1", "new_sqlite_classes": ["Room"]}]}'
    )
    (tmp_path / "src" / "entry.py").write_text(
        "from workers import DurableObject, Response, WorkerEntrypoint\n"
        "from js import Date\n"
        "from pyodide.ffi import to_js\n"
        "SEEN = []\n"
        "class Room(DurableObject):\n"
        "    async def enter(self):\n"
        "        n = (await self.ctx.storage.get('n') or 0) + 1\n"
        "        await self.ctx.storage.put('n', n)\n"
        "        return n\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        SEEN.append(1)\n"
        "        n = await self.env.ROOM.getByName('r').enter()\n"
        "        return Response.json([n, len(SEEN), self.env.LIMITS.max, Date.now()])\n"
    )
    sim = Simulation.from_project(tmp_path)
    answers = [
        sim.run(sim.run(sim.client(city).fetch("https://app.example/")).json()) for city in ("Tokyo", "Tokyo", "Paris")
    ]

    assert [[1, 1, 3], [2, 2, 3], [3, 1, 3]] == [answer[:3] for answer in answers]
    assert 1 == len(sim.objects)


def test_reprs_carry_no_addresses(sim):
    """Every object a learner can hold prints itself without an address, the same in every run."""
    call = sim.client("Tokyo").fetch("https://app.example/")
    sim.run(call)
    stub = sim.env.COUNTER.getByName("demo")
    shown = [repr(x) for x in (sim, sim.trace, sim.objects, sim.env, sim.env.COUNTER, stub, stub.id, call, sim.now,
                               sim.client("Tokyo"), sim.network, sim.explain(call))]  # fmt: skip

    assert not [text for text in shown if " at 0x" in text or " object" in text.split(",")[0]]


def test_html_tables(sim):
    """A notebook shows tables of the simulation, its trace and its objects."""
    call = sim.client("Tokyo").fetch("https://app.example/")
    sim.run(call)
    held = (sim, sim.trace, sim.objects, sim.objects[0], sim.network, sim.env, call, sim.explain(call))

    assert all("<table>" in thing._repr_html_() for thing in held)


def test_a_response_that_was_read_already_is_a_500():
    """A Worker that reads its own Response's body before it answers fails; the world goes on."""

    class Reads(WorkerEntrypoint):
        async def fetch(self, request):
            response = Response("x")
            await response.text()
            return response

    sim = Simulation(Reads)
    call = sim.client("Paris").fetch("https://app.example/")

    assert 500 == sim.run(call).status
    assert "TypeError" in str(call.error)


def test_a_request_from_outside_carries_its_host_and_address() -> None:
    """Unless it says otherwise; every client has an address of its own."""

    class Told(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Response:
            return Response(f"{request.headers.get('host')} {request.headers.get('cf-connecting-ip')}")

    sim = Simulation(Told)
    calls = [sim.client("Tokyo").fetch("https://a.example:8080/x?y") for _ in range(2)]
    own = sim.client("Tokyo").fetch("https://a.example/", headers={"Host": "b.example"})
    texts = [sim.run(response.text()) for response in sim.run(*calls, own)]

    assert ["a.example:8080 2001:db8::1", "a.example:8080 2001:db8::2", "b.example 2001:db8::3"] == texts


def test_objects_of_one_name_in_two_jurisdictions_have_two_labels() -> None:
    """They are two objects: told apart in traces, pictures and bills."""

    class A(DurableObject):
        async def put(self, value: int) -> None:
            await self.ctx.storage.put("v", value)

    sim = Simulation(durable_objects={"A": A})
    sim.run(sim.env.A.getByName("x").put(1))
    sim.run(sim.env.A.jurisdiction("eu").getByName("x").put(2))

    assert ["A('x')", "A('x', eu)"] == [view.label for view in sim.objects] == list(sim.bill().by_object)


def test_a_simulation_is_in_no_cycle() -> None:
    """It goes when nobody holds it, not when garbage is collected: so it can end what still waits inside, in order."""

    class A(DurableObject):
        async def waits(self) -> None:
            await asyncio.Event().wait()

    sim = Simulation(durable_objects={"A": A}, platform="workerd", network=None)
    sim.env.A.getByName("x").waits()
    sim.run(for_="1s")
    held = weakref.ref(sim)
    gc.disable()
    try:
        del sim
        gone = held() is None
    finally:
        gc.enable()

    assert gone
