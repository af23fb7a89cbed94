"""WebSockets of clients outside: opening, sending, receiving, closing, vanishing, and the way that messages take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Deadlock, Simulation
from dosim.simulation.sockets import HandshakeRefused, SocketClosed
from dosim.web.errors import JsException
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js
from dosim.workers.ffi import create_proxy, to_js

URL = "wss://chat.example/room"


class Room(DurableObject):
    """Echoes; "close" and "die" do what they say, "twice" answers twice."""

    async def fetch(self, request):
        client, server = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "close":
            ws.close(4001, "as you wish")
        elif message == "die":
            self.ctx.abort("died")
        elif message == "twice":
            ws.send("one")
            ws.send("two")
        else:
            ws.send(message if isinstance(message, str) else to_js(message.to_bytes()))

    async def webSocketClose(self, ws, code, reason, wasClean):
        ws.close(code, reason)


class Default(WorkerEntrypoint):
    """Hands the handshake to the room, which is in Western Europe whoever calls."""

    async def fetch(self, request):
        if "/plain" in request.url:
            return Response("no socket here", status=404)
        if "/fail" in request.url:
            raise ValueError("no room")
        if "/late" in request.url:
            await asyncio.sleep(2)
        if "/headers" in request.url:
            return Response(f"{request.headers.get('Upgrade')} {request.headers.get('x-who')}")
        if "/worker" in request.url:
            return self.by_itself()
        return await self.env.ROOM.getByName("x", locationHint="weur").fetch(request)

    def by_itself(self):
        """A socket that the Worker accepts itself."""
        client, server = js.WebSocketPair.new().object_values()
        server.accept()
        server.addEventListener("message", create_proxy(lambda event: server.send(f"worker: {event.data}")))
        return Response(None, status=101, web_socket=client)


@pytest.fixture
def sim() -> Simulation:
    return Simulation(Default, durable_objects={"ROOM": Room}, seed=3, show_output=False)


@pytest.fixture
def ws(sim: Simulation) -> Any:
    """An open socket of somebody in Tokyo."""
    return sim.run(sim.client("Tokyo").websocket(URL))


# -- styles


def test_in_a_program(sim):
    """`async with`, send, recv; leaving the block closes with 1000."""

    async def somebody():
        async with sim.client("Tokyo").websocket(URL) as ws:
            await ws.send("hello")
            heard = await ws.recv()
        return heard, (await ws.wait_closed()).code

    assert ("hello", 1000) == sim.run(somebody())


def test_from_outside(sim):
    """In a script or a notebook: sim.run(...) opens, send is at once, sim.run(ws.recv()) receives."""
    ws = sim.run(sim.client("Tokyo").websocket(URL))
    ws.send("hello")

    assert "hello" == sim.run(ws.recv())
    ws.close()
    assert 1000 == sim.run(ws.wait_closed()).code


def test_in_a_running_loop(sim):
    """In a notebook's own loop: `await sim.arun(...)`."""

    async def cell():
        ws = await sim.arun(sim.client("Tokyo").websocket(URL))
        ws.send("hello")
        return await sim.arun(ws.recv())

    assert "hello" == asyncio.run(cell())


def test_a_loop_over_messages_ends_with_a_clean_close(sim):
    """`async for` ends when the other side closes."""

    async def somebody():
        heard = []
        async with sim.client("Tokyo").websocket(URL) as ws:
            await ws.send("twice")
            await ws.send("close")
            heard += [message async for message in ws]
        return heard, ws.closed.code, ws.closed.reason

    assert (["one", "two"], 4001, "as you wish") == sim.run(somebody())


def test_a_loop_over_messages_raises_when_the_connection_is_lost(sim):
    """Not an end like any other: SocketClosed with 1006."""

    async def somebody():
        async with sim.client("Tokyo").websocket(URL) as ws:
            await ws.send("die")
            async for _ in ws:
                pass

    with pytest.raises(SocketClosed) as caught:
        sim.run(somebody())
    assert (1006, False) == (caught.value.code, caught.value.was_clean)


def test_a_handshake_starts_when_it_is_made(sim):
    """It is under way before anybody waits for it."""
    handshake = sim.client("Tokyo").websocket(URL)
    sim.run(for_="2s")

    assert handshake.done()
    assert sim.run(handshake) is sim.run(handshake)


# -- sending and receiving


def test_text_stays_text_and_bytes_bytes(sim, ws):
    """Both ways."""
    for message in ("grüße", "", b"\x00\xff"):
        ws.send(message)
        assert message == sim.run(ws.recv())


def test_messages_are_kept_in_order_with_their_times(sim, ws):
    """`received` has everything, read or not; times never go back."""
    for number in range(50):
        ws.send(str(number))
    sim.run(for_="5s")

    assert [str(number) for number in range(50)] == [received.message for received in ws.received]
    times = [received.at_us for received in ws.received]
    assert sorted(times) == times
    assert "0" == sim.run(ws.recv())


def test_two_readers_get_a_message_each(sim, ws):
    """In the order in which they began to wait."""

    async def both():
        first, second = asyncio.ensure_future(ws.recv()), asyncio.ensure_future(ws.recv())
        await asyncio.sleep(0)
        ws.send("twice")
        return [await first, await second]

    assert ["one", "two"] == sim.run(both())


def test_a_reader_that_gave_up_loses_nothing(sim, ws):
    """recv with a timeout: the message that comes later is the next reader's."""

    async def impatient():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 1)
        ws.send("late")
        return await ws.recv()

    assert "late" == sim.run(impatient())


def test_waiting_for_what_never_comes(sim, ws):
    """A Deadlock, as for any other result."""
    with pytest.raises(Deadlock):
        sim.run(ws.recv())


@pytest.mark.parametrize("message", [None, 5, {"a": 1}, ["a"], bytearray(b"x")])
def test_what_cannot_be_sent(ws, message):
    """The kind, and what to write instead."""
    with pytest.raises(TypeError, match=f"not {type(message).__name__}") as caught:
        ws.send(message)
    assert "ws.send(str)" in caught.value.__notes__[0]


# -- closing


def test_closing_is_answered_by_the_room(sim, ws):
    """wait_closed has the room's code and reason; closing twice is allowed."""
    ws.close(4000, "bye")
    ws.close(4001)
    closed = sim.run(ws.wait_closed())

    assert (4000, "bye", True) == (closed.code, closed.reason, closed.was_clean)
    assert closed is sim.run(ws.wait_closed())


@pytest.mark.parametrize("code", [999, 1005, 1006, 5000])
def test_bad_codes(ws, code):
    """Refused as a browser does, and the connection stays open."""
    with pytest.raises(JsException, match=f"InvalidAccessError: Invalid WebSocket close code: {code}."):
        ws.close(code)
    ws.send("still open")


def test_a_reason_that_is_too_long(ws):
    """At most 123 bytes."""
    with pytest.raises(JsException, match="123 bytes"):
        ws.close(1000, "é" * 62)


def test_after_the_end(sim, ws):
    """send and recv raise SocketClosed, with how it ended; what came before the end can still be read."""
    ws.send("twice")
    ws.send("close")
    sim.run(ws.wait_closed())

    with pytest.raises(SocketClosed, match="4001, 'as you wish'"):
        ws.send("x")
    assert ["one", "two"] == [sim.run(ws.recv()), sim.run(ws.recv())]
    with pytest.raises(SocketClosed):
        sim.run(ws.recv())


def test_after_its_own_close(ws):
    """What this side has closed, it cannot send on."""
    ws.close()
    with pytest.raises(SocketClosed, match="this side has closed it"):
        ws.send("x")


def test_vanishing(sim, ws):
    """At once on this side; the other side learns it after the way there. Twice is harmless."""
    ws.vanish()
    ws.vanish()
    ws.close()

    assert (1006, False) == (ws.closed.code, ws.closed.was_clean)
    with pytest.raises(SocketClosed):
        ws.send("x")
    assert 1 == sim.objects["x"].sockets
    sim.run(for_="1s")
    assert 0 == sim.objects["x"].sockets


def test_a_reset_wakes_who_waits(sim, ws):
    """recv and wait_closed end with 1006."""

    async def waits():
        ending = asyncio.ensure_future(ws.wait_closed())
        ws.send("die")
        with pytest.raises(SocketClosed) as caught:
            await ws.recv()
        return caught.value.code, (await ending).code

    assert (1006, 1006) == sim.run(waits())


# -- handshakes that are refused


def test_an_ordinary_response_is_a_refusal(sim):
    """HandshakeRefused has the status and the response, and says how a handler accepts."""
    with pytest.raises(HandshakeRefused, match="status 404, not with 101") as caught:
        sim.run(sim.client("Tokyo").websocket("wss://chat.example/plain"))

    assert 404 == caught.value.status
    assert "no socket here" == sim.run(caught.value.response.text())
    assert "web_socket=client" in "".join(caught.value.__notes__)


def test_a_worker_that_throws(sim):
    """The refusal's notes have what it threw."""
    with pytest.raises(HandshakeRefused, match="status 500") as caught:
        sim.run(sim.client("Tokyo").websocket("wss://chat.example/fail"))
    assert "ValueError: no room" in "".join(caught.value.__notes__)


def test_a_refusal_in_a_program(sim):
    """`async with` raises; the block does not run."""

    async def somebody():
        async with sim.client("Tokyo").websocket("wss://chat.example/plain"):
            raise AssertionError

    with pytest.raises(HandshakeRefused):
        sim.run(somebody())


def test_without_a_worker():
    """There is nobody to answer: said at once."""
    sim = Simulation(durable_objects={"ROOM": Room})
    with pytest.raises(ValueError, match="no Worker to send a request to"):
        sim.client("Tokyo").websocket(URL)


@pytest.mark.parametrize("url", ["/room", "chat.example", None, 5])
def test_urls_that_are_none(sim, url):
    """The whole address is needed."""
    with pytest.raises(JsException, match="Invalid URL"):
        sim.client("Tokyo").websocket(url)


@pytest.mark.parametrize("scheme", ["ws", "wss", "http", "https"])
def test_schemes(sim, scheme):
    """ws and wss as a browser writes them, http and https too."""
    ws = sim.run(sim.client("Tokyo").websocket(f"{scheme}://chat.example/room"))
    ws.send("x")
    assert "x" == sim.run(ws.recv())


def test_headers_go_with_the_handshake(sim):
    """headers=, beside the Upgrade header."""
    with pytest.raises(HandshakeRefused) as caught:
        sim.run(sim.client("Tokyo").websocket("wss://chat.example/headers", headers={"x-who": "Ada"}))
    assert "websocket Ada" == sim.run(caught.value.response.text())


def test_options_that_do_not_exist(sim):
    """Named, as for fetch."""
    with pytest.raises(TypeError, match="no option 'params'"):
        sim.client("Tokyo").websocket(URL, params={"a": 1})


# -- distances


def message_times(sim: Simulation, ws: Any, count: int = 20) -> list[int]:
    """How long echoes take, one after another, microseconds."""
    took = []
    for _ in range(count):
        start_us = sim.now.us
        ws.send("x")
        sim.run(ws.recv())
        took.append(sim.now.us - start_us)
    return took


def legs_us(sim: Simulation, legs: list[tuple[Any, Any]], draw: float) -> int:
    return sum(sim.network.delay_us(start, end, draw) for start, end in legs)


def test_a_message_travels_every_leg_of_the_handshake(sim, ws):
    """Tokyo to its colo, colo to the object in Western Europe, and back: between twice the legs without jitter
    and twice the legs with the most."""
    network, room = sim.network, sim.objects["x"]
    here, there = network.entry("Tokyo"), network.city(room.city)
    assert here.colo != room.colo
    legs = [(network.city("Tokyo"), here), (here, there)]
    access_us = network.access_us(network.city("Tokyo"))

    least = 2 * (access_us + legs_us(sim, legs, 0.0))
    most = 2 * (access_us + legs_us(sim, legs, 1 - 1e-12))
    took = message_times(sim, ws)

    assert all(least <= one <= most for one in took)
    assert len(set(took)) > 1


def test_a_message_takes_as_long_as_a_request_s_way(sim, ws):
    """The echo's best time is near the handshake's travelling on the same legs, far above a local one."""
    near = sim.run(sim.client("Paris").websocket(URL))
    assert min(message_times(sim, ws)) > 5 * min(message_times(sim, near))


def test_one_way(sim, ws):
    """Half of the legs each: a message is at the room before its echo is here."""
    start_us = sim.now.us
    ws.send("x")
    sim.run(ws.recv())
    starts = [record.t_us for record in sim.trace.of_kind("start") if record.t_us >= start_us]

    there_us, back_us = starts[0] - start_us, sim.now.us - starts[0]
    assert 0.8 < there_us / back_us < 1.25


def test_a_socket_of_the_worker_itself(sim):
    """A Worker may accept: its messages travel no further than the colo."""
    ws = sim.run(sim.client("Tokyo").websocket("wss://chat.example/worker"))
    took = message_times(sim, ws, 5)

    assert ["worker: x"] * 5 == [received.message for received in ws.received]
    network = sim.network
    leg = [(network.city("Tokyo"), network.entry("Tokyo"))]
    most = 2 * (network.access_us(network.city("Tokyo")) + legs_us(sim, leg, 1 - 1e-12))
    assert max(took) <= most


def test_without_a_network_messages_take_no_time():
    """network=None: an echo in no time, on the local runtime."""
    sim = Simulation(Default, durable_objects={"ROOM": Room}, network=None, platform="workerd")
    ws = sim.run(sim.client().websocket(URL))
    assert [0, 0, 0] == message_times(sim, ws, 3)


def test_somebody_who_closes_far_away(sim, ws):
    """A close takes the way there and back."""
    start_us = sim.now.us
    ws.close()
    sim.run(ws.wait_closed())
    network = sim.network
    here = network.entry("Tokyo")
    legs = [(network.city("Tokyo"), here), (here, network.city(sim.objects["x"].city))]

    assert sim.now.us - start_us >= 2 * legs_us(sim, legs, 0.0)


# -- looking at it


def test_a_handshake_can_be_explained(sim):
    """It is a request like any other."""
    handshake = sim.client("Tokyo").websocket(URL)
    sim.run(handshake)
    assert "was answered 101" in str(sim.explain(handshake))


def test_reprs(sim, ws):
    """Number, who, open or how it ended, how much came; no address."""
    ws.send("x")
    sim.run(ws.recv())
    assert repr(ws).startswith("<WebSocket 1 of Tokyo: open, 1 received, the last at ")
    ws.close(4000)
    sim.run(ws.wait_closed())
    assert "closed with 4000" in repr(ws)
    assert "0x" not in repr(ws)


def test_frames_are_in_the_trace(sim, ws):
    """What each end sent, with its size."""
    ws.send("héllo")
    sim.run(ws.recv())
    ws.close(4000, "bye")
    sim.run(ws.wait_closed())

    found = [(record.detail["what"], record.detail["size_bytes"]) for record in sim.trace.of_kind("frame")]
    assert [("message", 6), ("message", 6), ("close", 3), ("close", 3)] == found
