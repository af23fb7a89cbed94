"""The user code of `ten-by-five`: a Worker, and one class per way of taking five seconds.

All of it would run on the platform, but for `dosim.cpu`, which stands for a computation of that length.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import dosim
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class AwaitingDesk(DurableObject):
    """Serves a request by awaiting, as a call to some other service would."""

    async def hello(self) -> str:
        return "ready"

    async def serve(self) -> str:
        await asyncio.sleep(self.env.SECONDS)
        return "served"


class BlockingDesk(DurableObject):
    """Awaits as long, and lets nobody in meanwhile."""

    async def hello(self) -> str:
        return "ready"

    async def serve(self) -> str:
        await self.ctx.blockConcurrencyWhile(self.work)
        return "served"

    async def work(self) -> None:
        await asyncio.sleep(self.env.SECONDS)


class ComputingDesk(DurableObject):
    """Computes as long, without a single await."""

    async def hello(self) -> str:
        return "ready"

    async def serve(self) -> str:
        dosim.cpu(f"{self.env.SECONDS}s")
        return "served"


class Default(WorkerEntrypoint):
    """Takes a client's request to the desk that its URL names: `/desk-1/serve`."""

    async def fetch(self, request: Any) -> Response:
        _, name, method = urlsplit(request.url).path.split("/")
        desk = self.env.DESK.getByName(name)
        return Response(await (desk.hello() if method == "hello" else desk.serve()))
