"""Declared services that take WebSockets: what a failing handler and an undeclared address look like."""

from __future__ import annotations

from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject, js


class Reader(DurableObject):
    """Listens to one address."""

    async def listen(self, url: str) -> None:
        self.log: list[Any] = []
        socket = js.WebSocket.new(url)
        socket.onopen = lambda event: self.log.append("open")
        socket.onclose = lambda event: self.log.append([event.code, event.wasClean])

    async def read(self) -> list[Any]:
        return self.log


def test_a_handler_that_fails_ends_the_run_and_the_connection() -> None:
    """Its error is the test's: it comes out of the run, with the service's name; the object sees a lost connection."""
    sim = Simulation(durable_objects={"READER": Reader})

    async def wrong(socket: Any) -> None:
        raise AssertionError("nobody expected this")

    sim.external("wss://feed.example", websocket=wrong)
    reader = sim.env.READER.getByName("a")
    sim.run(reader.listen("wss://feed.example/x"))
    with pytest.raises(AssertionError, match="nobody expected this") as caught:
        sim.run(for_="5s")

    assert caught.value.__notes__[0] == "raised by the WebSocket handler of wss://feed.example"
    sim.run(for_="5s")
    assert ["open", [1006, False]] == sim.run(reader.read())


def test_an_undeclared_address_says_how_to_declare_it() -> None:
    """With `websocket=`, not with the handler of requests."""
    sim = Simulation(durable_objects={"READER": Reader})
    text = r'WebSocket.new\(\'wss://feed.example/x\'\).*write sim.external\("wss://feed.example", websocket=handler, '
    with pytest.raises(JsException, match=text):
        sim.run(sim.env.READER.getByName("a").listen("wss://feed.example/x"))
