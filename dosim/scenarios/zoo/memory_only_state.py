"""`memory-only-state`: the history is an attribute, and lives as long as the object is in memory.

Believed: the object lives as long as somebody is connected or calls it, and so do its attributes.

What happens: an object leaves memory after ten idle seconds, at a deploy, or when its machine goes away. The next call
constructs it anew, with an empty list. A test is over long before.

Met in: github.com/cloudflare/workerd/issues/904 (hibernation cannot be rehearsed, so this is found in production),
github.com/cloudflare/miniflare/issues/564, github.com/cloudflare/cloudflare-docs/issues/17670; Cloudflare's example
python-workers-examples/15-chatroom keeps its history so.

Mended: what was promised is in storage; attributes hold what may be lost.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import NO_ANSWER, answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject


class Room(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.messages: list[str] = []

    async def post(self, text: str) -> int:
        self.messages.append(text)
        return len(self.messages)

    async def history(self) -> list[str]:
        return self.messages


class FixedRoom(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT)")

    async def post(self, text: str) -> int:
        self.sql.exec("INSERT INTO messages (text) VALUES (?)", text)
        return len(await self.history())

    async def history(self) -> list[str]:
        return [row["text"] for row in self.sql.exec("SELECT text FROM messages ORDER BY id")]


async def check(sim: Simulation) -> None:
    """A message whose posting was confirmed is in the history."""
    room = sim.env.OBJECT
    answers = {text: await answer(room.getByName("lobby").post(text)) for text in ("hello", "is anybody there?")}
    history = await insist(lambda: room.getByName("lobby").history())

    missing = [text for text, posted in answers.items() if posted is not NO_ANSWER and text not in history]
    assert not missing, f"{missing} were posted, the history is {history}"


ANIMAL = Animal(
    "memory-only-state",
    "a history in an attribute",
    Room,
    FixedRoom,
    check,
    faults=("evict", "crash", "reset", "deploy"),
)
