"""The four worked examples of the price page, from simulated objects.

They are those of docs/durable-objects/platform/pricing of Cloudflare's documentation. Each is run as real objects with
real clients for a part of the month, which `per_month` extends; the factors are beside the calls. The page leaves out
the Workers that call the objects; here they are within their allowance.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dosim import Simulation
from dosim.billing import Bill
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair

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


def test_a_plain_socket_holds_until_it_is_closed() -> None:
    """accept() is billed while the connection is open, and not for the 10 s until the object leaves memory."""
    sim = simulate(PlainRoom, network=None)
    (socket,) = _connect(sim, 1)
    sim.run(until="60s")
    socket.close()
    sim.run(until="10min")

    assert seconds_of(sim.bill(), "an accepted socket") == 60
