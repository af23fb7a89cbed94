"""WebSockets that an object opens itself, to services that were declared."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import DurableObject, fetch, js


class Reader(DurableObject):
    """Reads a feed, from one `new WebSocket` or from a fetch."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.log: list[Any] = []
        self.socket: Any = None

    async def listen(self, url: str) -> int:
        self.socket = socket = js.WebSocket.new(url)
        ready = [socket.readyState]

        async def opened(event: Any) -> None:
            self.log.append(["open", socket.readyState])
            socket.send("hello")

        socket.addEventListener("open", opened)
        socket.addEventListener("message", lambda event: self.log.append(event.data))
        socket.addEventListener("close", lambda event: self.log.append([event.code, event.reason, event.wasClean]))
        socket.onerror = lambda event: self.log.append(["error", event.message])
        return ready[0]

    async def listen_by_fetch(self, url: str) -> None:
        response = await fetch(url, headers={"Upgrade": "websocket"})
        self.socket = socket = response.js_object.webSocket
        socket.addEventListener("message", lambda event: self.log.append(event.data))
        socket.accept()
        socket.send("hello")

    async def read(self) -> list[Any]:
        return self.log


async def feed(socket: Any) -> None:
    """Greets, counts for ten seconds, and closes."""
    socket.send(f"you said {await socket.recv()}")
    for number in range(2):
        await asyncio.sleep(5)
        socket.send(str(number))
    socket.close(4000, "enough")


def world(**options: Any) -> tuple[Simulation, Any]:
    """A reader in Ashburn, and the feed in Frankfurt, which takes a second to answer."""
    sim = Simulation(durable_objects={"READER": Reader}, **options)
    sim.external("wss://feed.example/live", websocket=feed, latency="1s", place="Frankfurt")
    return sim, sim.env.READER.getByName("a")


def test_new_websocket_connects_and_tells_its_listeners() -> None:
    """Connecting at first; then open, messages in order, the close with its code."""
    sim, reader = world()
    assert 0 == sim.run(reader.listen("wss://feed.example/live?from=1"))
    sim.run(for_="15s")

    assert [["open", 1], "you said hello", "0", "1", [4000, "enough", True]] == sim.run(reader.read())


def test_fetch_with_an_upgrade_gives_a_socket_too() -> None:
    """The response has the end, which is accepted as any other."""
    sim, reader = world()
    sim.run(reader.listen_by_fetch("https://feed.example/live"))
    sim.run(for_="15s")

    assert ["you said hello", "0", "1"] == sim.run(reader.read())


@pytest.mark.parametrize(("date", "leaves_s"), [("2026-11-01", (900, 905)), ("2026-09-01", (70, 150))])
def test_an_outgoing_socket_holds_the_object_for_a_time(date: str, leaves_s: tuple[int, int]) -> None:
    """15 minutes by the newest date; the feed notices that its reader is gone."""
    sim = Simulation(durable_objects={"READER": Reader}, compatibility_date=date)

    async def silent(socket: Any) -> None:
        await socket.recv()
        await socket.wait_closed()

    service = sim.external("wss://feed.example", websocket=silent)
    sim.run(sim.env.READER.getByName("a").listen("wss://feed.example"))
    sim.run(for_="60s")
    (held,) = sim.objects["a"].why_awake()
    assert ("outgoing socket", "active") == (held.kind, sim.objects["a"].state)

    sim.run(for_="20m")
    left = sim.trace.of_kind("evict")[0].t_us / 1e6
    assert leaves_s[0] <= left <= leaves_s[1]
    assert 1006 == service.sockets[0].closed.code


def test_a_service_that_takes_no_sockets() -> None:
    """An error and a close, as the platform tells them."""
    sim = Simulation(durable_objects={"READER": Reader})
    sim.external("https://feed.example", lambda request: "no sockets here")
    reader = sim.env.READER.getByName("a")
    sim.run(reader.listen("wss://feed.example"))
    sim.run(for_="1s")
    error, close = sim.run(reader.read())

    assert "expected server to reply with HTTP status code 101 (switching protocols), but received 200" in error[1]
    assert [1006, "Failed to establish websocket connection", False] == close


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("feed.example", "SyntaxError: WebSocket Constructor: The url is invalid."),
        ("https://feed.example", "SyntaxError: WebSocket Constructor: The url scheme must be ws or wss."),
        ("wss://feed.example/#a", "SyntaxError: WebSocket Constructor: The url fragment must be empty."),
        ("wss://other.example", r"sim.external\("),
    ],
)
def test_bad_addresses(url: str, text: str) -> None:
    """Refused at once, with the platform's text, or with how to declare the service."""
    sim, reader = world()
    with pytest.raises(Exception, match=text):
        sim.run(reader.listen(url))


class Taker(DurableObject):
    """Takes an end whose other end is somebody's already; connects, and is aborted."""

    async def take_outgoing(self) -> None:
        response = await fetch("https://feed.example/live", headers={"Upgrade": "websocket"})
        self.ctx.acceptWebSocket(response.js_object.webSocket)

    async def take_twice(self) -> None:
        one, other = js.WebSocketPair.new().object_values()
        one.accept()
        self.ctx.acceptWebSocket(other)

    async def connects(self) -> None:
        self.socket = js.WebSocket.new("wss://feed.example/live")

    async def aborts(self) -> None:
        self.ctx.abort("enough")


@pytest.mark.parametrize("how", ["take_outgoing", "take_twice"])
def test_an_end_whose_pair_is_in_use_cannot_hibernate(how: str) -> None:
    """Only a fresh end can be given to acceptWebSocket: an outgoing socket cannot."""
    sim = Simulation(durable_objects={"TAKER": Taker})
    sim.external("https://feed.example/live", websocket=feed)
    with pytest.raises(Exception, match="its pair has already been accepted or used in a Response"):
        sim.run(getattr(sim.env.TAKER.getByName("a"), how)())


def test_an_object_that_is_reset_while_it_connects_hangs_up() -> None:
    """The service learns that nobody is there: 1006, as of any connection that is lost."""
    sim = Simulation(durable_objects={"TAKER": Taker})
    service = sim.external("wss://feed.example/live", websocket=feed, latency="1s")
    taker = sim.env.TAKER.getByName("a")
    sim.run(taker.connects())
    with pytest.raises(Exception, match="enough"):
        sim.run(taker.aborts())
    sim.run(for_="20s")

    assert ["closed with 1006"] == [str(socket).rpartition(": ")[2].partition(",")[0] for socket in service.sockets]
