"""`write-then-abort`: `await put()` has returned, then `ctx.abort()`, and the write is gone.

Believed: `await storage.put(...)` returns when it is on disk, so one can write a note and restart.

What happens: `put` acts at once and is committed when the turn ends. `ctx.abort()` in the same turn throws the turn's
writes away, awaited or not. The path is taken only when the service behind fails, so no test comes by.

Met in: github.com/cloudflare/cloudflare-docs/issues/2084 and /2680 (what is confirmed when); recorded: put, await,
abort in one turn loses the write; after `sync()` it is kept.

Mended: `await storage.sync()` before the abort.
"""

from __future__ import annotations

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject, fetch

RENDERER = "https://render.example"
KEPT = "the renderer does not answer: the job is kept, and runs after the restart"


class Jobs(DurableObject):
    async def render(self, job: str) -> str:
        try:
            response = await fetch(RENDERER, method="POST", body=job)
            picture: str = await response.text()
        except OSError:  # a connection that hangs: keep the job, and start afresh
            await self.keep(job)
            self.ctx.abort(KEPT)
        return picture

    async def keep(self, job: str) -> None:
        await self.ctx.storage.put("kept", [*await self.kept(), job])

    async def kept(self) -> list[str]:
        return await self.ctx.storage.get("kept") or []


class FixedJobs(Jobs):
    async def keep(self, job: str) -> None:
        await super().keep(job)
        await self.ctx.storage.sync()


async def check(sim: Simulation) -> None:
    """A job of which the user was told that it is kept, is kept."""
    sim.external(RENDERER, lambda _: "picture", latency="2ms")
    jobs, told = sim.env.OBJECT, ""
    try:
        await jobs.getByName("ann").render("a cat")
    except JsException as error:
        told = error.message
    kept = await insist(lambda: jobs.getByName("ann").kept())

    assert told != KEPT or kept == ["a cat"], f'the user was told "{told}"; kept are {kept}'


ANIMAL = Animal(
    "write-then-abort", "a note before the restart", Jobs, FixedJobs, check, faults=("reply_lost", "request_lost")
)
