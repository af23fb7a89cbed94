"""`sim.bill()`: requests, who holds an object, rows and bytes, plans, stretches and bad arguments."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from dosim import Simulation, Trace, cpu
from dosim.billing import bill_of
from dosim.workers import DurableObject, Response, WorkerEntrypoint, wait_until
from dosim.workers.js import WebSocketPair, WebSocketRequestResponsePair

HOUR_US = 3_600_000_000
URL = "https://app.example/"


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

    async def fall(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.ctx.abort("enough")

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


def test_a_crash_ends_the_duration() -> None:
    """What is gone from memory is not billed any more."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.env.HOLD.getByName("x").sleep(100)
    sim.run(until="10s")
    sim.restart()
    sim.run(until="200s")

    assert sim.bill().duration_s_by_holder == {"Holding('x')": {"request Holding('x').sleep": 10}}


def test_a_reset_ends_the_duration() -> None:
    """An object that aborts is billed until then, whatever else was in flight."""
    sim = Simulation(durable_objects={"HOLD": Holding}, network=None)
    sim.env.HOLD.getByName("x").sleep(100)
    sim.env.HOLD.getByName("x").fall(10)
    sim.run(until="200s")

    assert sim.bill().duration_s_by_holder == {"Holding('x')": {"request Holding('x').sleep": 10}}


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
    assert [_rows(sim, ledger.read()) for _ in range(2)] == [(20, 0), (20, 0)]
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
