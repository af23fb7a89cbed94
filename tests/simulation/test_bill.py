"""`sim.bill()`: what simulated objects cost, and the four worked examples of the price page.

The examples are those of docs/durable-objects/platform/pricing of Cloudflare's documentation. Each is run as real
objects with real clients for a part of the month, which `per_month` extends; the factors are beside the calls.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from dosim import Simulation, Trace, cpu
from dosim.billing import Bill, bill_of
from dosim.workers import DurableObject, Response, WorkerEntrypoint, wait_until
from dosim.workers.js import WebSocketPair, WebSocketRequestResponsePair, to_js

HOUR_US, MINUTE_US, SECOND_US = 3_600_000_000, 60_000_000, 1_000_000
URL = "https://app.example/"


class Default(WorkerEntrypoint):
    """Hands every request to one object."""

    async def fetch(self, request: Any) -> Any:
        return await self.env.ROOM.getByName("x").fetch(request)


def simulate(room: type, **options: Any) -> Simulation:
    return Simulation(Default, durable_objects={"ROOM": room}, retention="none", **options)


def seconds_of(bill: Bill, holder: str) -> float:
    """The billed seconds of all objects with this holder."""
    return sum(held.get(holder, 0) for held in bill.duration_s_by_holder.values())


# -- the four examples


class CoordinationRoom(DurableObject):
    """Two thirds of a second for each call."""

    async def fetch(self, request: Any) -> Any:
        await asyncio.sleep(2 / 3)
        return Response("done")


class PlainRoom(DurableObject):
    """WebSockets accepted with accept(): they hold the object as long as they are open."""

    async def fetch(self, request: Any) -> Any:
        client, server = WebSocketPair.new().object_values()
        server.accept()
        server.addEventListener("message", lambda event: None)
        return Response(None, status=101, web_socket=client)


class HibernatingRoom(DurableObject):
    """Hibernatable WebSockets, 10 ms for each message."""

    async def fetch(self, request: Any) -> Any:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        await asyncio.sleep(0.01)


def _connect(sim: Simulation, clients: int) -> list[Any]:
    sockets = sim.run(*[sim.client("Paris").websocket(URL) for _ in range(clients)])
    return sockets if clients > 1 else [sockets]


def _talk(sim: Simulation, sockets: list[Any], every_us: int, for_us: int) -> None:
    """So long, each client sends a message every so often: one after the other, at even distances, none at the end."""
    start_us, step_us = sim.now.us, every_us // len(sockets)
    for number in range(for_us // step_us):
        sim.run(until=timedelta(microseconds=start_us + number * step_us + step_us // 2))
        sockets[number % len(sockets)].send("hello")
    sim.run(until=timedelta(microseconds=start_us + for_us))


def test_example_1_an_object_called_over_http_costs_5_15() -> None:
    """1.5 million calls and 1,000,000 active seconds a month. Run: a thousandth of the month, 43.2 min, 1,500 calls."""
    sim = simulate(CoordinationRoom)
    client = sim.client("Paris")
    for call in range(1500):
        sim.run(until=f"{call * 1728}ms")  # one starts every 1.728 s
        sim.run(client.fetch(URL))
    sim.run(until="2592s")
    month = sim.bill().per_month()

    assert month.quantity("do_requests") == 1_500_000
    assert round(month.quantity("do_duration")) == 128_000
    assert month.usd == Decimal("5.15")


def test_example_2_plain_sockets_by_day_cost_142_95() -> None:
    """100 objects with 50 sockets each, a message a minute from each for 8 hours a day. Run: one object, one day."""
    sim = simulate(PlainRoom)
    sockets = _connect(sim, 50)
    _talk(sim, sockets, MINUTE_US, 8 * HOUR_US)
    for socket in sockets:
        socket.close()
    sim.run(until="24h")
    month = sim.bill().per_month(times=100)

    assert month.quantity("do_requests") == 3_750_000
    assert float(month.quantity("do_duration")) == pytest.approx(11_059_200, rel=1e-4)  # handshakes take time too
    assert month.usd == Decimal("142.95")


def test_example_3_a_plain_socket_that_talks_all_month_costs_419_30() -> None:
    """100 objects with one socket each, a message a second. Run: one object, an hour; connecting happens once."""
    sim = simulate(PlainRoom)
    sockets = _connect(sim, 1)
    connecting = sim.bill()
    _talk(sim, sockets, SECOND_US, HOUR_US)
    hour = sim.bill(since=connecting)
    month = hour.per_month(times=100, once=connecting)

    assert seconds_of(hour, "an accepted socket") == 3600
    assert month.quantity("do_requests") == 12_960_100
    assert round(month.quantity("do_duration")) == 33_177_600
    assert month.usd == Decimal("419.30")


def test_example_4_hibernating_sockets_cost_20_65() -> None:
    """100 objects with 100 sockets each, a message a minute of 10 ms. Run: one object, an hour; connecting once."""
    sim = simulate(HibernatingRoom)
    sockets = _connect(sim, 100)
    connecting = sim.bill()
    _talk(sim, sockets, MINUTE_US, HOUR_US)
    hour = sim.bill(since=connecting)
    month = hour.per_month(times=100, once=connecting)

    assert hour.duration_s_by_holder == {"HibernatingRoom('x')": {"request HibernatingRoom('x').webSocketMessage": 60}}
    assert month.quantity("do_requests") == 21_610_000
    assert month.quantity("do_duration") == 552_960
    assert month.usd == Decimal("20.65")


# -- what is a request


class Busy(DurableObject):
    """Everything that is billed as a request, and what is not."""

    async def fetch(self, request: Any) -> Any:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        ws.send(message)

    async def webSocketClose(self, ws: Any, code: int, reason: str, clean: bool) -> None:
        ws.close(code, reason)

    async def later(self) -> None:
        await self.ctx.storage.setAlarm(1_796_083_200_000 + 60_000)

    async def alarm(self, info: Any = None) -> None:
        pass

    async def counter(self) -> Any:
        seen = [0]

        def count() -> int:
            seen[0] += 1
            return seen[0]

        return count


def test_requests_are_calls_alarms_and_a_twentieth_of_each_message() -> None:
    """Upgrade, RPC call and alarm count one, 40 messages two; auto-responses, closes and a session's calls nothing."""

    class Caller(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            room = self.env.ROOM.getByName("x")
            if request.headers.get("Upgrade"):
                return await room.fetch(request)
            await room.later()
            count = await room.counter()
            return Response.json([await count(), await count()])

    sim = Simulation(Caller, durable_objects={"ROOM": Busy})
    socket = sim.run(sim.client("Paris").websocket(URL))
    sim.run(sim.client("Paris").fetch(URL))
    for _ in range(40):
        socket.send("hello")
        socket.send("ping")
    socket.close()
    sim.run(until="10min")
    bill = sim.bill()
    of_room = bill.by_object["Busy('x')"]

    assert (of_room.requests, of_room.messages) == (4, 40)
    assert bill.quantity("do_requests") == 6
    assert bill.quantity("worker_requests") == 2
    assert bill.quantity("do_rows_written") == 1


def test_calls_between_workers_are_free() -> None:
    """A service binding adds no request, only CPU time; static calls of an object from outside are requests of it."""

    class Helper(WorkerEntrypoint):
        async def work(self) -> None:
            cpu("20ms")

    class Front(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            cpu("5ms")
            await self.env.HELPER.work()
            return Response("done")

    sim = Simulation(Front, services={"HELPER": Helper})
    sim.run(sim.client("Paris").fetch(URL))
    bill = sim.bill()

    assert bill.quantity("worker_requests") == 1
    assert bill.quantity("worker_cpu") == 25
    assert [line.what for line in bill.lines] == ["Workers requests", "Workers CPU time"]


def test_an_object_s_cpu_time_is_part_of_its_duration() -> None:
    """50 ms of computing are 50 ms held, and no CPU time of a Worker."""

    class Computing(DurableObject):
        async def compute(self) -> None:
            cpu("50ms")

    sim = Simulation(durable_objects={"COMPUTING": Computing}, network=None)
    sim.run(sim.env.COMPUTING.getByName("x").compute())
    sim.run(for_="1s")
    bill = sim.bill()

    assert bill.duration_s_by_holder == {"Computing('x')": {"request Computing('x').compute": 0.05}}
    assert bill.quantity("worker_cpu") == 0


# -- who holds it


class Holding(DurableObject):
    """Stays in memory for one reason or another."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def timer(self, ms: int) -> None:
        asyncio.get_running_loop().call_later(ms / 1000, int)

    async def background(self, seconds: float) -> None:
        wait_until(asyncio.sleep(seconds))

    async def nothing(self) -> None:
        pass


def test_every_billed_second_has_its_holder() -> None:
    """A request while it runs, then the timer that it has left; idle time is nobody's, in memory or not."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    hold = sim.env.HOLD.getByName("x")
    sim.run(hold.sleep(2))
    sim.run(for_="5s")
    sim.run(hold.timer(3000))
    sim.run(for_="30s")
    bill = sim.bill()

    assert bill.duration_s_by_holder == {"Holding('x')": {"request Holding('x').sleep": 2, "a timer": 3}}
    assert bill.quantity("do_duration") == 5 * Fraction(128, 1000)


def test_requests_at_once_share_their_duration() -> None:
    """Ten requests of 5 s that arrive together are 5 billed seconds, the oldest's."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.run(*[sim.env.HOLD.getByName("x").sleep(5) for _ in range(10)])

    assert sim.bill().duration_s_by_holder == {"Holding('x')": {"request Holding('x').sleep": 5}}


def test_the_next_request_takes_over() -> None:
    """The time after the first request's end is that of the one still running."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    hold = sim.env.HOLD.getByName("x")
    calls = [hold.sleep(2), hold.sleep(3), hold.background(5)]
    sim.run(*calls)
    sim.run(for_="10s")

    assert sim.bill().duration_s_by_holder == {"Holding('x')": {"request Holding('x').sleep": 3, "a timer": 2}}


def test_idle_time_is_free_from_its_first_microsecond() -> None:
    """An object that stays in memory because of prevent_eviction and does nothing costs no duration."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None, prevent_eviction=["Holding"])
    hold = sim.env.HOLD.getByName("x")
    sim.run(hold.nothing())
    sim.run(until="30d")

    assert sim.objects["x"].state == "idle"
    assert sim.bill().quantity("do_duration") == 0


def test_a_plain_socket_holds_until_it_is_closed() -> None:
    """accept() is billed while the connection is open, and not for the 10 s until the object leaves memory."""
    sim = simulate(PlainRoom, network=None)
    (socket,) = _connect(sim, 1)
    sim.run(until="60s")
    socket.close()
    sim.run(until="10min")

    assert seconds_of(sim.bill(), "an accepted socket") == 60


def test_a_crash_and_a_reset_end_the_duration() -> None:
    """What is gone from memory is not billed any more."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.env.HOLD.getByName("x").sleep(100)
    sim.run(until="10s")
    sim.restart()
    sim.run(until="200s")

    assert seconds_of(sim.bill(), "request Holding('x').sleep") == 10


def test_a_bill_in_the_middle_changes_nothing() -> None:
    """Two stretches that meet add up to the whole, while an object is held and data lies on disk."""

    parts = []

    def run(*, bill_at: str | None) -> Simulation:
        sim = Simulation(durable_objects={"HOLD": Holding, "LEDGER": Ledger}, network=None)
        sim.run(sim.env.LEDGER.getByName("a").enter(3))
        sim.env.HOLD.getByName("x").sleep(100)
        if bill_at:
            sim.run(until=bill_at)
            first = sim.bill()
            sim.run(until="90s")
            second = sim.bill(since=first)
            parts.append(first.quantity("do_duration") + second.quantity("do_duration"))
        sim.run(until="90s")
        return sim

    whole, cut = run(bill_at=None).bill(), run(bill_at="40s").bill()

    assert whole.lines == cut.lines
    assert parts == [whole.quantity("do_duration")]
    assert parts[0] > 89 * Fraction(128, 1000)


# -- rows and bytes


class Ledger(DurableObject):
    """A table with two indexes."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, a, b)")

    async def index(self) -> None:
        for column in "ab":
            self.ctx.storage.sql.exec(f"CREATE INDEX of_{column} ON entry ({column})")

    async def enter(self, rows: int) -> None:
        for row in range(rows):
            self.ctx.storage.sql.exec("INSERT INTO entry (a, b) VALUES (?, ?)", row, row)

    async def read(self) -> int:
        return len(self.ctx.storage.sql.exec("SELECT * FROM entry").toArray())


def _rows(sim: Simulation, call: Any) -> tuple[int, int]:
    """Rows read and written by a call."""
    before = sim.bill()
    sim.run(call)
    bill = sim.bill(since=before)
    (of_object,) = bill.by_object.values()
    assert (of_object.rows_read, of_object.rows_written) == (
        bill.quantity("do_rows_read"),
        bill.quantity("do_rows_written"),
    )
    return int(bill.quantity("do_rows_read")), int(bill.quantity("do_rows_written"))


def test_rows_written_count_the_indexes_they_touch() -> None:
    """A row is one without an index, three with two; reading counts the rows that are scanned, as an estimate."""
    sim = Simulation(durable_objects={"LEDGER": Ledger}, network=None)
    ledger = sim.env.LEDGER.getByName("a")
    sim.run(ledger.read())

    assert _rows(sim, ledger.enter(10)) == (0, 10)
    sim.run(ledger.index())
    assert _rows(sim, ledger.enter(10)) == (0, 30)
    assert _rows(sim, ledger.read()) == (20, 0)
    (read,) = [line for line in sim.bill().lines if line.what == "Durable Objects rows read"]
    assert "estimate" in read.note


def test_stored_bytes_are_billed_while_they_lie_there() -> None:
    """A month of what an object has stored, in memory or not, is its size in GB-months."""
    sim = Simulation(durable_objects={"LEDGER": Ledger}, network=None)
    sim.run(sim.env.LEDGER.getByName("a").enter(1000))
    size_bytes = sim.objects.host("a").look().stored_bytes()
    early, end_us = sim.bill(), sim.now.us + 30 * 24 * HOUR_US
    sim.run(for_="15d")
    sim.run(sim.env.LEDGER.getByName("a").read())
    sim.run(until=timedelta(microseconds=end_us))
    bill = sim.bill(since=early)

    assert size_bytes > 0
    assert bill.quantity("do_stored") == Fraction(size_bytes, 10**9)
    assert bill.per_month().quantity("do_stored") == Fraction(size_bytes, 10**9)


# -- services


class Everything(WorkerEntrypoint):
    """Uses every other service that has a price."""

    async def fetch(self, request: Any) -> Any:
        env = self.env
        await env.KV.put("a", "1234")
        await env.KV.put("b", "12")
        await env.KV.get("a")
        await env.KV.get(to_js(["a", "b", "c"]))
        await env.KV.list()
        await env.KV.delete("b")
        await env.BUCKET.put("a", "12345678")
        await env.BUCKET.get("a")
        await env.BUCKET.head("a")
        await env.BUCKET.list()
        await env.BUCKET.delete("nothing")
        await env.DB.exec("CREATE TABLE t (a)")
        await env.DB.prepare("INSERT INTO t VALUES (1), (2)").run()
        await env.DB.prepare("SELECT * FROM t").all()
        await env.JOBS.send("x")
        await env.JOBS.send("x" * 64_000)
        return Response("done")

    async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
        pass

    async def scheduled(self, controller: Any, env: Any, ctx: Any) -> None:
        pass


def _everything(**options: Any) -> Simulation:
    sim = Simulation(
        Everything,
        kv_namespaces=["KV"],
        r2_buckets=["BUCKET"],
        d1_databases=["DB"],
        queues={"JOBS": "jobs"},
        queue_consumers={"jobs": {}},
        **options,
    )
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="1min")
    return sim


def test_services_have_lines_of_their_own() -> None:
    """KV by keys, R2 by classes, D1 by rows, queues by 64 KB written, read, deleted; a batch is a Worker's request."""
    bill = _everything().bill()
    expected = {
        "worker_requests": 2,
        "kv_reads": 4,
        "kv_writes": 2,
        "kv_deletes": 1,
        "kv_lists": 1,
        "r2_class_a": 2,
        "r2_class_b": 2,
        "d1_rows_read": 2,
        "queue_operations": 3 * (1 + 2),
    }

    assert {meter: bill.quantity(meter) for meter in expected} == expected
    assert bill.quantity("d1_rows_written") >= 2
    assert "do_requests" not in {line.what for line in bill.lines}
    assert all(line.source for line in bill.lines)


def test_services_bill_what_they_keep() -> None:
    """KV keeps keys and values, R2 bodies; D1 its database. A month of them in GB-months."""
    sim = _everything()
    early = sim.bill()
    sim.run(for_="30d")
    bill = sim.bill(since=early)

    assert bill.quantity("kv_stored") == Fraction(len("a1234"), 10**9)
    assert bill.quantity("r2_stored") == Fraction(len("12345678"), 10**9)
    assert bill.quantity("d1_stored") > 0


def test_what_is_deleted_is_kept_no_more() -> None:
    """An R2 object that is gone costs nothing further; a key written again counts once."""

    class Cleaner(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            if request.url.endswith("/clean"):
                await self.env.BUCKET.delete("a")
                await self.env.KV.put("k", "123")
            else:
                await self.env.BUCKET.put("a", "12345678")
                await self.env.KV.put("k", "12345678")
            return Response("done")

    sim = Simulation(Cleaner, kv_namespaces=["KV"], r2_buckets=["BUCKET"])
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="1min")
    sim.run(sim.client("Paris").fetch(f"{URL}clean"))
    early = sim.bill()
    sim.run(for_="30d")
    bill = sim.bill(since=early)

    assert bill.quantity("r2_stored") == 0
    assert bill.quantity("kv_stored") == Fraction(len("k123"), 10**9)


@pytest.mark.parametrize(
    ("letters", "writes", "deletes"), [("dead", 2, 0), (None, 1, 1)], ids=["to the dead letters", "dropped"]
)
def test_a_message_that_fails_is_read_once_for_each_attempt(letters: str | None, writes: int, deletes: int) -> None:
    """One attempt and two retries are three reads; then it is written to the dead letter queue, or deleted."""

    class Failing(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            await self.env.JOBS.send("x")
            return Response("done")

        async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
            raise ValueError("no")

    settings = {"max_retries": 2, **({} if letters is None else {"dead_letter_queue": letters})}
    sim = Simulation(Failing, queues={"JOBS": "jobs"}, queue_consumers={"jobs": settings})
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="10min")

    assert sim.bill().quantity("queue_operations") == writes + 3 + deletes


def test_a_message_that_is_too_old_is_deleted() -> None:
    """Nobody reads it; it is found gone when the queue is looked at: a write and a delete."""

    class Forgetful(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            if request.url.endswith("/look"):
                await self.env.JOBS.metrics()
            else:
                await self.env.JOBS.send("x")
            return Response("done")

    sim = Simulation(Forgetful, queues={"JOBS": "jobs"})
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="5d")
    sim.run(sim.client("Paris").fetch(f"{URL}look"))

    assert sim.bill().quantity("queue_operations") == 2


def test_crons_are_requests_of_their_worker() -> None:
    """Once an hour is 24 requests a day."""
    sim = Simulation(Everything, crons=["0 * * * *"], network=None)
    sim.run(until="24h 1s")

    assert sim.bill().quantity("worker_requests") == 24


def test_a_simulation_without_services_has_no_lines_of_them() -> None:
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)

    assert sim.bill().lines == ()
    sim.run(sim.env.HOLD.getByName("x").sleep(1))
    assert [line.what for line in sim.bill().lines] == ["Durable Objects requests", "Durable Objects duration"]


# -- plans, prices, stretches


def test_the_free_plan_names_the_days_that_are_too_much() -> None:
    """13,000 GB-s a UTC day are 28 hours of one object: two objects that are held exceed them on every whole day."""

    class Held(DurableObject):
        async def wait(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    sim = Simulation(durable_objects={"HELD": Held}, network=None)
    sim.run(until="12h")
    for name in "ab":
        sim.env.HELD.getByName(name).wait(48 * 3600)
    sim.run(until="3d")
    bill = sim.bill(plan="free")
    (exceeded,) = bill.exceeded

    assert (exceeded.day, exceeded.what) == (date(2026, 12, 2), "Durable Objects duration")
    assert exceeded.quantity == 2 * 86_400 * Fraction(128, 1000)
    assert bill.usd == 0
    assert sim.bill(plan="paid").usd > 0
    assert "2026-12-02, Durable Objects duration" in repr(bill)


def test_a_month_on_the_free_plan_costs_nothing_and_says_what_fails() -> None:
    """An average day is compared with the allowance of a day."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.run(*[sim.env.HOLD.getByName(f"{number}").nothing() for number in range(100)])
    sim.run(until="60s")
    month = sim.bill(plan="free").per_month()

    assert month.usd == 0
    assert [(each.day, each.what, each.quantity) for each in month.exceeded] == [
        (None, "Durable Objects requests", 144_000)
    ]


def test_the_trace_can_be_billed_without_its_simulation(tmp_path: Any) -> None:
    """A trace that was kept whole, even one from a file, gives the same requests, duration and rows."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.run(sim.env.HOLD.getByName("x").sleep(3))
    sim.trace.to_jsonl(tmp_path / "t.jsonl")

    assert bill_of(Trace.from_jsonl(tmp_path / "t.jsonl")).lines == sim.bill().lines
    short = Simulation(durable_objects={"HOLD": Holding}, network=None, retention="last=2")
    short.run(short.env.HOLD.getByName("x").sleep(3))
    with pytest.raises(ValueError, match="has kept 2 of its"):
        bill_of(short.trace)


def test_billing_needs_no_kept_records() -> None:
    """retention="none" gives the same bill."""
    bills = []
    for retention in ("full", "none"):
        sim = Simulation(durable_objects={"HOLD": Holding}, network=None, retention=retention)
        sim.run(sim.env.HOLD.getByName("x").sleep(3))
        bills.append(sim.bill())

    assert bills[0].lines == bills[1].lines


def test_bad_arguments_name_the_fix() -> None:
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    bill = sim.bill()

    with pytest.raises(ValueError, match=r"prices='2024-01-01' is before the first price list .* of 2025-04-07"):
        sim.bill(prices="2024-01-01")
    with pytest.raises(ValueError, match="prices='soon' is no date"):
        sim.bill(prices="soon")
    with pytest.raises(TypeError, match="prices=2026 is no date"):
        sim.bill(prices=2026)
    with pytest.raises(ValueError, match='plan=\'gold\' is not known: use "paid" or "free"'):
        sim.bill(plan="gold")
    with pytest.raises(TypeError, match="since='1h' is no bill"):
        sim.bill(since="1h")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bill of another simulation"):
        Simulation(network=None).bill(since=bill)
    with pytest.raises(ValueError, match="has no length"):
        bill.per_month()
    with pytest.raises(ValueError, match="days=0"):
        bill.per_month(days=0)
    with pytest.raises(TypeError, match="once=5 is no bill"):
        bill.per_month(once=5)  # type: ignore[arg-type]


def test_a_bill_shows_itself_as_a_table() -> None:
    """In a terminal and in a notebook: what, how much, at which price, who held what."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.run(sim.env.HOLD.getByName("x").sleep(3))
    bill = sim.bill()

    assert "Durable Objects duration  0.384 GB-s" in repr(bill)
    assert "3               Holding('x')  request Holding('x').sleep" in repr(bill)
    assert "$12.50 / million GB-s" in repr(bill)
    assert "<td>Holding(&#x27;x&#x27;)</td>" in bill._repr_html_()
    assert "Workers Paid plan" in repr(bill.per_month())
    assert "$5.00" in bill.per_month()._repr_html_()
