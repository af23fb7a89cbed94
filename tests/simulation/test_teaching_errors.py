"""Errors that teach: what a beginner writes wrong is answered with what to write instead."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from dosim import Deadlock, PortabilityWarning, Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Thing:
    """Neither data nor a function."""


class Desk(DurableObject):
    async def pair(self) -> Any:
        return (1, 2)

    async def own(self) -> Any:
        return Thing()

    async def store(self) -> None:
        await self.ctx.storage.put("k", Thing())

    async def store_pair(self) -> None:
        await self.ctx.storage.put("k", (1, 2))

    async def block(self) -> None:
        async def load() -> None:
            raise ValueError("no table")

        await self.ctx.blockConcurrencyWhile(load)

    async def forget(self) -> None:
        self.env.DESK.getByName("b").hello()

    async def hello(self) -> str:
        return "hello"

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def wait_for_other(self) -> None:
        await self.env.DESK.getByName("b").wait()


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        what = request.url.rsplit("/", 1)[1]
        if what == "wait":
            await self.env.DESK.getByName("a").wait_for_other()
        if what == "event":
            await asyncio.Event().wait()
        return {"none": None, "dict": {"a": 1}, "text": "hello", "await": self.later()}[what]

    async def later(self) -> Response:
        return Response("late")


class Wrong(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return Response({"a": 1})


def simulation(worker: type = Door) -> Simulation:
    return Simulation(worker, durable_objects={"DESK": Desk}, network=None)


def notes_of(method: str) -> list[str]:
    sim = simulation()
    desk = sim.env.DESK.getByName("a")
    with pytest.raises(JsException) as caught:
        sim.run(getattr(desk, method)())
    return list(getattr(caught.value, "__notes__", ()))


def run_and_collect(sim: Simulation, call: Any) -> None:
    sim.run(call)
    gc.collect()


@pytest.mark.filterwarnings("ignore:coroutine 'Door.later'")
@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("none", "every path through it must end in `return Response(...)`"),
        ("dict", "`return Response.json(data)`"),
        ("text", "`return Response(text)`"),
        ("await", "write `return await ...`"),
    ],
)
def test_fetch_that_returns_no_response_says_what_to_return(what: str, note: str) -> None:
    """The platform's text, and in a note what was returned and what to write."""
    sim = simulation()
    call = sim.client().fetch(f"https://desk.example/{what}")

    assert sim.run(call).status == 500
    assert "did not resolve to 'Response'" in str(call.error)
    assert any(note in text for text in call.error.__notes__)


def test_response_of_a_dict_says_response_json() -> None:
    """Response({...}) is refused with the spelling that works."""
    sim = simulation(Wrong)
    call = sim.client().fetch("https://desk.example/")
    sim.run(call)

    assert any("Response.json(data)" in text for text in call.error.__notes__)


@pytest.mark.filterwarnings("ignore::dosim.PortabilityWarning")
@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("pair", "(1, 2) cannot cross: send list(value)."),
        ("own", "It is a Thing: plain data and functions can be sent"),
        ("store", "It is a Thing: storage keeps plain data"),
        ("store_pair", "(1, 2) cannot cross: send list(value)."),
        ("block", "in blockConcurrencyWhile by #1 Desk('a').block: a failure in there resets Desk('a')"),
    ],
)
def test_value_that_cannot_cross_is_named(method: str, note: str) -> None:
    """The platform's text does not say which value it was; the note does."""
    assert any(note in text for text in notes_of(method))


def test_forgotten_await_names_the_call() -> None:
    """Python's own warning names the object and the method, not a function of dosim."""
    sim = simulation()
    with pytest.warns(RuntimeWarning, match=r"coroutine 'Desk\('b'\)\.hello' was never awaited"):
        run_and_collect(sim, sim.env.DESK.getByName("a").forget())


def test_portability_warning_points_at_user_code() -> None:
    """The line that is shown is the user's."""
    sim = simulation()
    with pytest.warns(PortabilityWarning) as caught, pytest.raises(Exception, match="cannot be sent"):
        sim.run(sim.env.DESK.getByName("a").store_pair())

    assert {warning.filename for warning in caught} == {__file__}


def test_call_from_outside_says_which_it_is() -> None:
    """What a stub gives outside a simulation has a number, a text, and an explanation."""
    sim = simulation()
    desk = sim.env.DESK.getByName("a")
    call, failing = desk.hello(), desk.block()

    assert repr(call) == "<#1 Desk('a').hello: under way>"
    assert sim.run(call) == "hello"
    assert repr(call) == "<#1 Desk('a').hello: answered>"
    assert str(sim.explain(call)).startswith("#1 Desk('a').hello")
    with pytest.raises(Exception, match="no table"):
        sim.run(failing)
    assert repr(failing) == "<#2 Desk('a').block: failed>"


def test_fetch_of_a_stub_from_outside_is_a_call_too() -> None:
    """stub.fetch outside gives the same kind of call, with the number of its first request."""
    sim = simulation()
    call = sim.env.DESK.getByName("a").fetch("https://desk.example/")

    assert (call.request, repr(call)) == (1, "<#1 Desk('a').fetch: under way>")
    with pytest.raises(OSError, match="Method fetch does not exist"):
        sim.run(call)


def test_await_outside_says_how_to_run_it() -> None:
    """Awaiting a call in another loop cannot work: the error says what does."""
    call = simulation().env.DESK.getByName("a").hello()

    async def main() -> None:
        await call

    with pytest.raises(RuntimeError, match=r"write sim\.run\(call\)"):
        asyncio.run(main())


def test_call_of_another_simulation_is_refused() -> None:
    """A call can only be run where it was made."""
    call = simulation().env.DESK.getByName("a").hello()

    with pytest.raises(ValueError, match=r"<#1 Desk\('a'\)\.hello: under way> belongs to another simulation"):
        simulation().run(call)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": {}}, r"no option 'json': write body=json\.dumps\(data\)"),
        ({"params": {}}, "no option 'params': write the query into the URL"),
        ({"methd": "POST"}, "no option 'methd': it takes method, headers"),
        ({"method": "POST", "body": {"a": 1}}, r"is a dict, which fetch does not make JSON of"),
    ],
)
def test_client_refuses_options_it_would_drop(options: dict[str, Any], message: str) -> None:
    """The platform's fetch drops what it does not know; a client of dosim says so."""
    with pytest.raises(TypeError, match=message):
        simulation().client().fetch("https://desk.example/", **options)


def test_deadlock_through_a_worker_starts_at_the_client() -> None:
    """The chain is drawn from the client's request on; a Worker that waits for its own Event is named."""
    sim, other = simulation(), simulation()
    with pytest.raises(Deadlock) as through:
        sim.run(sim.client().fetch("https://desk.example/wait"))
    with pytest.raises(Deadlock, match="a Worker waits for something in its own code"):
        other.run(other.client().fetch("https://desk.example/event"))

    assert "#1 GET from client waits for #2 Desk('a').wait_for_other" in str(through.value)
    assert "#2 Desk('a').wait_for_other waits for #3 Desk('b').wait" in str(through.value)
