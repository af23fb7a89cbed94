"""The handlers' names until 2025-08-14: functions of the entry module, `on_` before a class's own."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.web.http import JsRequest
from dosim.workers import DurableObject, Response, WorkerEntrypoint, handler
from dosim.workers.global_handlers import has_global_handlers, old_entrypoints, old_objects


def module(**functions: Any) -> ModuleType:
    """An entry module with these names."""
    entry = ModuleType("entry")
    vars(entry).update(functions)
    return entry


def answer(worker: type, **options: Any) -> str:
    """What the Worker says to one request."""
    sim = Simulation(worker, vars={"GREETING": "hello"}, network=None, **options)
    call = sim.client().fetch("https://app.example/x")
    response = sim.run(call)
    return str(call.error) if call.error else sim.run(response.text())


@pytest.mark.parametrize(
    ("date", "flags", "has"),
    [
        ("2025-08-13", (), True),
        ("2025-08-14", (), False),
        ("2026-11-01", ("disable_python_no_global_handlers",), True),
        ("2024-01-01", ("python_no_global_handlers",), False),
    ],
)
def test_the_date_and_the_flags_decide(date: str, flags: tuple[str, ...], has: bool) -> None:
    """workerd's compatibility-date.capnp: `python_no_global_handlers` from 2025-08-14."""
    assert has_global_handlers(date, flags) is has


def test_a_function_gets_the_javascript_request_env_and_ctx() -> None:
    """`on_fetch(request, env, ctx)`, as many arguments as it takes; `@handler` wraps the request."""

    async def on_fetch(request: Any, env: Any, ctx: Any) -> Any:
        ctx.waitUntil(nothing())
        return Response(f"{type(request) is JsRequest} {env.GREETING}")

    async def nothing() -> None:
        return None

    @handler
    async def wrapped(request: Any) -> Any:
        return Response(f"{type(request) is JsRequest} {request.url}")

    assert "True hello" == answer(old_entrypoints(module(on_fetch=on_fetch), {})["Default"])
    assert "False https://app.example/x" == answer(old_entrypoints(module(on_fetch=wrapped), {})["Default"])


def test_a_cron_reaches_on_scheduled() -> None:
    """`on_scheduled(controller, env, ctx)` has its bindings, which a class's `scheduled` gets as None."""
    seen: list[str] = []

    async def on_scheduled(controller: Any, env: Any) -> None:
        seen.append(f"{controller.cron} {env.GREETING}")

    worker = old_entrypoints(module(on_scheduled=on_scheduled), {})["Default"]
    sim = Simulation(worker, vars={"GREETING": "hello"}, crons=["*/5 * * * *"], network=None)
    sim.run(for_="6min")

    assert ["*/5 * * * * hello"] == seen


def test_a_missing_handler_is_named() -> None:
    """The platform's text for a module that exports none."""
    worker = old_entrypoints(module(), {})["Default"]

    assert 'Python entrypoint "entry.py" does not export a handler named "on_fetch"' in answer(worker)


def test_methods_have_on_before_their_names() -> None:
    """`on_fetch` and `on_alarm` are the handlers of classes; a plain `fetch` is none; other methods stay."""

    class Room(DurableObject):
        async def on_fetch(self, request: Any) -> Any:
            await self.ctx.storage.setAlarm(int(time.time() * 1000))
            return Response("room")

        async def on_alarm(self) -> None:
            await self.ctx.storage.put("rang", True)

        async def rang(self) -> Any:
            return await self.ctx.storage.get("rang")

    class Default(WorkerEntrypoint):
        async def on_fetch(self, request: Any) -> Any:
            room = self.env.ROOM.getByName("a")
            return Response(await (await room.fetch(request)).text() + f" {await room.rang()}")

    class Modern(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return Response("never")

    entrypoints = old_entrypoints(module(), {"Default": Default, "Modern": Modern})
    room = old_objects({"Room": Room})["Room"]

    assert "Room" == room.__name__
    assert "room True" == answer(entrypoints["Default"], durable_objects={"ROOM": room})
    assert "TypeError: Method fetch does not exist" == answer(entrypoints["Modern"])


def test_a_class_and_a_function_are_one_default_too_many() -> None:
    """The platform's text."""
    with pytest.raises(JsException, match="Cannot define multiple default entrypoints"):
        old_entrypoints(module(on_fetch=print), {"Default": WorkerEntrypoint})
