"""What a fetch handler is given besides the request: nothing, as env and as ctx (workerd global-scope.c++)."""

from __future__ import annotations

from typing import Any

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Desk(DurableObject):
    async def fetch(self, request: Any, env: Any = 1, ctx: Any = 2) -> Response:
        return Response(f"{env} {ctx}")


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any, env: Any, ctx: Any) -> Response:
        inner = await self.env.DESK.getByName("a").fetch(request)
        return Response(f"{env} {ctx} {await inner.text()}")


def test_handlers_may_take_env_and_ctx() -> None:
    """Both are None: a class got them when it was made."""
    sim = Simulation(Door, durable_objects={"DESK": Desk})
    assert "None None None None" == sim.run(sim.run(sim.client("Paris").fetch("https://x/")).text())
