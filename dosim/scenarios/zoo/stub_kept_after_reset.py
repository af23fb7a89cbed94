"""`stub-kept-after-reset`: a stub made once in the constructor fails for ever after its object was reset.

Believed: a stub is an address, or a connection that heals: make it once and keep it.

What happens: a stub binds to one life of its object. After a reset (a deploy, a failed block, `ctx.abort`) it fails
with that reset's error at every call, while a new stub reaches the new life. The caller is healthy, its retries too;
all of them go through the dead stub.

Met in: github.com/cloudflare/cloudflare-os/issues/58 (a cached stub could never recover),
github.com/tldraw/tldraw/issues/5409, github.com/cloudflare/azul/issues/80, github.com/cloudflare/daphne/issues/586.

Mended: make the stub where it is used. Making one touches nothing and costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject


class Archive(DurableObject):
    async def save(self, text: str) -> int:
        saved = [*(await self.ctx.storage.get("saved") or []), text]
        await self.ctx.storage.put("saved", saved)
        return len(saved)


class Editor(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.archive = env.ARCHIVE.getByName("all")

    async def save(self, text: str) -> int:
        saved: int = await self.archive.save(text)
        return saved


class FixedEditor(DurableObject):
    async def save(self, text: str) -> int:
        saved: int = await self.env.ARCHIVE.getByName("all").save(text)
        return saved


async def check(sim: Simulation) -> None:
    """Whoever presses "save" again, a second later, can save."""
    editor = sim.env.OBJECT
    await insist(lambda: editor.getByName("ann").save("a first draft"))
    await asyncio.sleep(1)
    await insist(lambda: editor.getByName("ann").save("a second draft"))


ANIMAL = Animal(
    "stub-kept-after-reset",
    "a stub that never heals",
    Editor,
    FixedEditor,
    check,
    faults=("reset", "deploy"),
    beside={"ARCHIVE": Archive},
)
