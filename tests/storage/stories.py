"""Stories inside one object, on the local runtime's platform and without a network."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject

Story = Callable[[Any], Awaitable[Any]]
INTERNAL_ERROR = r"Error: internal error; reference = \w{24}"


def world(cls: type, **options: Any) -> Simulation:
    """A simulation of one class, bound as A."""
    given: dict[str, Any] = {"platform": "workerd", "network": None, "show_output": False} | options
    return Simulation(durable_objects={"A": cls}, **given)


def inside(story: Story, **options: Any) -> Any:
    """Run an async function of `self` as a call on a fresh object, and return what its caller gets."""

    class A(DurableObject):
        async def tell(self) -> Any:
            return await story(self)

        async def alarm(self, info: Any = None) -> None:
            pass

    sim = world(A, **options)
    return sim.run(sim.env.A.getByName("x").tell())


async def refused(call: Callable[[], Any]) -> str:
    """What a call is refused with: "TypeError: ..."; not being refused fails the test."""
    try:
        value = call()
        if inspect.isawaitable(value):
            value = await value
    except JsException as error:
        return str(error)
    raise AssertionError(f"not refused: {value!r}")


def seen_by_caller(sim: Simulation, call: Awaitable[Any]) -> tuple[str, dict[str, bool]]:
    """The error that a caller gets: its text and its flags."""
    try:
        value = sim.run(call)
    except JsException as error:
        return str(error), error.flags
    raise AssertionError(f"no error: {value!r}")


def rows(sql: Any, query: str, *bindings: Any) -> list[list[Any]]:
    """All rows of a query, as lists."""
    found: list[list[Any]] = sql.exec(query, *bindings).raw().toArray()
    return found


def answers(*queries: Any, before: tuple[str, ...] = (), **options: Any) -> list[Any]:
    """The rows of each query (a text, or a text and its bindings), or the text of its error."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        for query in before:
            sql.exec(query)
        found: list[Any] = []
        for query in queries:
            text, *bindings = query if isinstance(query, (list, tuple)) else (query,)
            try:
                found.append([list(row) for row in rows(sql, text, *bindings)])
            except JsException as error:
                found.append(str(error))
        return found

    answer: list[Any] = inside(story, **options)
    return answer
