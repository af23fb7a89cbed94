"""`@callable`: what clients can call over their WebSocket, what they are answered, and streams."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent, StreamingResponse, callable, get_current_agent  # noqa: A004  # the SDK's name
from tests.agents.talk import call, got, opened, own, room, send, world


class Counter(Agent):
    """Counts, streams, fails."""

    @callable
    async def add(self, one, other):
        return one + other

    @callable
    def sync(self):
        return "not async"

    @callable
    async def nothing(self):
        """Returns nothing."""

    @callable(description="Counts slowly.")
    async def count(self, upto):
        for n in range(upto):
            await asyncio.sleep(1)
            yield n

    @callable(streaming=True)
    async def words(self, stream, text):
        *words, last = text.split()
        for word in words:
            stream.send(word)
        stream.end(last)
        self.late = stream.send("too late")

    @callable(streaming=True)
    async def refuses(self, stream):
        stream.send(1)
        stream.error("enough")

    @callable(streaming=True)
    async def breaks(self, stream):
        stream.send(1)
        raise ValueError("it broke")

    @callable
    async def fails(self):
        raise ValueError("no")

    @callable
    async def unsendable(self):
        return {1, 2}

    @callable
    async def caller(self):
        current = get_current_agent()
        return [current.agent is self, current.connection.id]

    @callable
    async def goes(self):
        get_current_agent().connection.close(4000, "bye")
        return "too late"

    async def secret(self):
        return "not for clients"

    async def names(self):
        return {name: [m.description, m.streaming] for name, m in self.get_callable_methods().items()}


def asked(method: str, *args: Any, wait_s: float = 5) -> list[Any]:
    """The frames that a call is answered with."""
    sim = world(Counter)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await asyncio.sleep(1)
            return await call(ws, method, *args, wait_s=wait_s)

    return list(sim.run(story()))


def test_a_call_is_answered_with_its_id() -> None:
    """As the JavaScript client reads it."""
    assert [{"done": True, "id": "1", "result": 3, "success": True, "type": "rpc"}] == asked("add", 1, 2)
    assert "not async" == asked("sync")[0]["result"]


def test_a_method_that_returns_nothing_is_answered_without_a_result() -> None:
    """`undefined` in JavaScript."""
    assert [{"done": True, "id": "1", "success": True, "type": "rpc"}] == asked("nothing")


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("fails", "no"),
        ("secret", "Method secret is not callable"),
        ("absent", "Method absent does not exist"),
        ("on_start", "Method on_start is not callable"),
        ("destroy", "Method destroy is not callable"),
        ("_cf_ensure_initialized", "Method _cf_ensure_initialized is not callable"),
        ("options", "Method options does not exist"),
    ],
)
def test_what_fails_is_answered_with_its_message(method: str, error: str) -> None:
    """The message alone; nothing but what `@callable` marks can be called."""
    assert [{"error": error, "id": "1", "success": False, "type": "rpc"}] == asked(method)


def test_a_result_that_is_no_json_is_an_error() -> None:
    """The client is not left waiting."""
    assert "the result of a callable method cannot be serialised as JSON" in asked("unsendable")[0]["error"]


def test_missing_arguments_are_an_error_and_surplus_ones_are_dropped() -> None:
    """As JavaScript drops them."""
    assert "missing 1 required positional argument" in asked("add", 1)[0]["error"]
    assert 3 == asked("add", 1, 2, 99)[0]["result"]


def test_an_async_generator_streams() -> None:
    """Each value as it comes, `done: false`; then the end, without a result."""
    chunks = [{"done": False, "id": "1", "result": n, "success": True, "type": "rpc"} for n in range(3)]
    assert [*chunks, {"done": True, "id": "1", "success": True, "type": "rpc"}] == asked("count", 3)


def test_a_stream_by_hand() -> None:
    """`send`, then `end` with the last chunk; what is sent after that is not."""
    frames = asked("words", "a b c")

    assert [("a", False), ("b", False), ("c", True)] == [(frame["result"], frame["done"]) for frame in frames]


@pytest.mark.parametrize(("method", "error"), [("refuses", "enough"), ("breaks", "it broke")])
def test_a_stream_that_fails(method: str, error: str) -> None:
    """The chunks that came, then the error."""
    first, last = asked(method)

    assert 1 == first["result"]
    assert {"error": error, "id": "1", "success": False, "type": "rpc"} == last


def test_a_method_knows_its_agent_and_connection() -> None:
    """`get_current_agent()` inside a call."""
    assert [True, "ann"] == asked("caller")[0]["result"]


def test_two_calls_run_side_by_side() -> None:
    """Each is answered under its own id, the quick one first."""
    sim = world(Counter)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await send(ws, type="rpc", id="slow", method="count", args=[2])
            await send(ws, type="rpc", id="quick", method="add", args=[1, 1])
            await asyncio.sleep(5)
            return [frame["id"] for frame in own(got(ws))]

    assert ["quick", "slow", "slow", "slow"] == sim.run(story())


def test_a_client_that_has_gone_is_not_answered() -> None:
    """Its answer is dropped without an error."""
    sim = world(Counter)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await send(ws, type="rpc", id="1", method="goes", args=[])
            await asyncio.sleep(5)
            return own(got(ws))

    assert [] == sim.run(story())


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "rpc", "id": 1, "method": "add", "args": []},
        {"type": "rpc", "id": "1", "method": "add"},
        {"type": "rpc", "id": "1", "method": 5, "args": []},
        {"type": "other"},
    ],
)
def test_what_is_no_call_is_a_message(frame: dict[str, Any]) -> None:
    """`on_message` gets it."""
    sim = world(Echo)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await send(ws, **frame)
            await asyncio.sleep(1)
            return own(got(ws))

    assert [frame] == sim.run(story())


class Echo(Agent):
    @callable
    async def add(self):
        return 1

    async def on_message(self, connection, message):
        connection.send(message)


class Override(Counter):
    async def add(self, one, other):
        return "not callable any more"


def test_the_callable_methods_are_told() -> None:
    """With what was said of them; an override that is not marked is not callable."""
    sim = world(Counter)
    names = {name: list(said) for name, said in sim.run(room(sim).names()).items()}

    assert ["Counts slowly.", True] == names["count"]
    assert [None, False] == names["add"]
    assert "secret" not in names

    sim = world(Override)
    assert "add" not in sim.run(room(sim).names())


def test_what_callable_does_not_decorate() -> None:
    """A value, and a generator that is told to stream."""
    with pytest.raises(TypeError, match="@callable decorates a method, not 5"):
        callable(5)  # type: ignore[call-overload]

    async def generator(self: Any) -> Any:
        yield 1

    with pytest.raises(TypeError, match="streams already: leave streaming=True out"):
        callable(streaming=True)(generator)


def test_a_stream_says_whether_it_is_closed() -> None:
    """`is_closed` from its end on."""
    sim = world(Closing)
    sim.run(opened_and_called(sim))

    assert [False, True, True, False, False] == list(sim.run(room(sim).said()))


class Closing(Agent):
    @callable(streaming=True)
    async def stream(self, stream: StreamingResponse):
        said = [stream.is_closed]
        said += [stream.end(1), stream.is_closed, stream.end(2), stream.error("late")]
        await self.ctx.storage.put("said", said)

    async def said(self):
        return await self.ctx.storage.get("said")


async def opened_and_called(sim: Any) -> None:
    async with opened(sim.client(), "ann") as ws:
        await call(ws, "stream")
