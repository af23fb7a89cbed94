"""`js.WebSocket.new(...)`: states, listeners, refusals. Source: workerd src/workerd/api/web-socket.c++."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.web.proxies import jsnull, to_js
from dosim.workers import DurableObject, Response, js


class Reader(DurableObject):
    """Runs whatever it is given, with a log."""

    async def run(self, program: str) -> Any:
        self.log: list[Any] = []
        return PROGRAMS[program](self.log)

    async def read(self) -> list[Any]:
        return self.log


PROGRAMS: dict[str, Callable[[list[Any]], Any]] = {}


def program(function: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """Register what the object runs under its name."""
    PROGRAMS[function.__name__] = function
    return function


def told(name: str, date: str = "2026-11-01") -> tuple[Any, list[Any]]:
    """What a program returns, and its log three seconds later."""
    sim = Simulation(durable_objects={"READER": Reader}, compatibility_date=date)
    sim.external("wss://feed.example", websocket=greet)
    sim.external("https://moved.example", lambda request: Response.redirect("https://feed.example/", 302))
    reader = sim.env.READER.getByName("a")
    result = sim.run(reader.run(name))
    sim.run(for_="3s")
    return result, sim.run(reader.read())


async def greet(socket: Any) -> None:
    """The service: a text, bytes, and then an echo."""
    socket.send("hello")
    socket.send(b"12")
    async for message in socket:
        socket.send(message)


@program
def one_fails(log: list[Any]) -> None:
    ws = js.WebSocket.new("wss://feed.example")

    def fails(event: Any) -> None:
        raise ValueError("of the first listener")

    async def fails_later(event: Any) -> None:
        raise ValueError("of the second listener")

    for kind in ("open", "message"):
        for listener in (fails, fails_later, fails, lambda event: log.append(event.type)):
            ws.addEventListener(kind, listener)


def test_a_listener_that_fails_stops_no_other() -> None:
    """Sync or async, of the open event as of a message; a listener that is added twice is called once."""
    assert ["open", "message", "message"] == told("one_fails")[1]


@program
def order(log: list[Any]) -> None:
    ws = js.WebSocket.new("wss://feed.example")
    ws.addEventListener("open", lambda event: log.append(["listener", event.target is ws]))
    ws.addEventListener("message", lambda event: log.append(event.target is ws))
    ws.onopen = lambda event: log.append(["property", event.target is ws])
    ws.onmessage = "no function: ignored"


def test_properties_come_before_listeners() -> None:
    """Events are the socket's own, the property's function is called first; what is no function is ignored."""
    assert [["property", True], ["listener", True], True, True] == told("order")[1]


@program
def given_up(log: list[Any]) -> list[int]:
    ws = js.WebSocket.new("wss://feed.example")
    states = [ws.readyState]
    ws.onopen = lambda event: log.append("open")
    ws.onerror = lambda event: log.append(event.message)
    ws.onclose = lambda event: log.append([event.code, event.reason, event.wasClean])
    ws.close()
    ws.close()
    ws.send("nobody gets it")
    return [*states, ws.readyState]


def test_closing_while_it_connects_gives_the_connection_up() -> None:
    """An error and a close, once; nothing opens later, and what is sent is dropped without a word."""
    states, log = told("given_up")

    assert [0, 3] == states
    assert [
        "Uncaught Error: Called close before connection was established.",
        [1006, "Failed to establish websocket connection", False],
    ] == log


@program
def redirected(log: list[Any]) -> None:
    ws = js.WebSocket.new("wss://moved.example")
    ws.onerror = lambda event: log.append(event.message)


def test_a_redirect_is_not_followed() -> None:
    """The handshake asks for 101 and gets 302."""
    (message,) = told("redirected")[1]

    assert "(switching protocols), but received 302 instead." in message


@program
def as_buffers(log: list[Any]) -> list[Any]:
    ws = js.WebSocket.new("wss://feed.example")
    first = ws.binaryType
    ws.binaryType = "arraybuffer"
    ws.binaryType = "neither"
    ws.onmessage = lambda event: log.append(str(event.data))
    ws.onopen = lambda event: log.append([ws.binaryType, ws.protocol is jsnull, ws.extensions is jsnull])
    return [first, ws.binaryType, ws.protocol, ws.extensions]


@pytest.mark.parametrize(("date", "default"), [("2026-11-01", "blob"), ("2025-01-01", "arraybuffer")])
def test_binary_messages_are_what_was_asked_for(date: str, default: str) -> None:
    """`binaryType` holds from before the connection; the protocol is "" until it is known that there is none."""
    result, log = told("as_buffers", date)

    assert [default, "arraybuffer", "", ""] == result
    assert [["arraybuffer", True, True], "hello", "[object ArrayBuffer]"] == log


@program
def too_early(log: list[Any]) -> list[str]:
    ws = js.WebSocket.new("wss://feed.example")
    return [refused(lambda: ws.send("x")), refused(ws.accept), refused(ws.check_sendable)]


def refused(call: Callable[[], object]) -> str:
    """The text of the JavaScript error."""
    with pytest.raises(JsException) as caught:
        call()
    return caught.value.message


def test_what_it_cannot_do_while_it_connects() -> None:
    """The platform's texts."""
    assert [
        "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.",
        "Websockets obtained from the 'new WebSocket()' constructor cannot call accept",
        "Can't return WebSocket in a Response if it was created with `new WebSocket()`",
    ] == told("too_early")[0]


@pytest.mark.parametrize(
    ("protocols", "text"),
    [
        ("a b", "The protocol header token is invalid."),
        ("", "The protocol header token is invalid."),
        (["a"], "The protocol header token is invalid."),
        (to_js(["a", "b/c"]), "One of the protocol header tokens is invalid."),
        (to_js(["a", "a"]), "The protocols header cannot have repeating values."),
    ],
)
def test_protocols_are_tokens(protocols: object, text: str) -> None:
    """A text, or an array; a Python list is none."""
    assert f"WebSocket Constructor: {text}" == refused(lambda: js.WebSocket.new("wss://feed.example", protocols))
