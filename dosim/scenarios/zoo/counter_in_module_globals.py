"""`counter-in-module-globals`: what a request has used is counted in a global, and there are others.

Believed: a module's global is this object's: each object is a process of its own, more or less.

What happens: objects of one class in one place share an isolate, and so its globals. A second customer's request, in
another object, sets the counter to nought while the first one waits for the model. Each bill is wrong, and both sums
look plausible. In a test there is one object and one request.

Met in: github.com/cloudflare/workerd/issues/2364 (state of shared modules leaks from one run into another),
github.com/cloudflare/cloudflare-docs/pull/28330 (the rule, written down in 2026); recorded: two objects of a project
that count in one global see 1 and 2.

Mended: what belongs to a request travels with the request, as an argument (or a ContextVar, which every call has to
itself).
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

MODEL = "https://model.example"
tokens = 0


async def complete(prompt: str) -> str:
    """Ask the model, and count the tokens that it took."""
    global tokens  # noqa: PLW0603 (that is the bug)
    result = await (await fetch(MODEL, method="POST", body=prompt)).json()
    tokens += result["tokens"]
    return str(result["text"])


class Assistant(DurableObject):
    async def ask(self, question: str) -> int:
        global tokens  # noqa: PLW0603
        tokens = 0
        draft = await complete(question)
        await complete(f"correct this: {draft}")
        await self.ctx.storage.put("bill", (await self.ctx.storage.get("bill") or 0) + tokens)
        return tokens


class FixedAssistant(DurableObject):
    async def ask(self, question: str) -> int:
        draft = await (await fetch(MODEL, method="POST", body=question)).json()
        final = await (await fetch(MODEL, method="POST", body=f"correct this: {draft['text']}")).json()
        used: int = draft["tokens"] + final["tokens"]
        await self.ctx.storage.put("bill", (await self.ctx.storage.get("bill") or 0) + used)
        return used


async def check(sim: Simulation) -> None:
    """Everybody pays for the tokens of their own question."""

    async def model(request: Any) -> dict[str, Any]:
        prompt = await request.text()
        return {"text": prompt[-3:], "tokens": 100 if "ann" in prompt else 7}

    sim.external(MODEL, model, latency="2ms")
    ann = sim.env.OBJECT.getByName("ann").ask("what is new, ann")
    await asyncio.sleep(0.03)
    ben = sim.env.OBJECT.getByName("ben").ask("what is new, ben")
    paid = [await ann, await ben]

    assert paid == [200, 14], f"ann used 200 tokens and ben 14; they are billed {paid}"


ANIMAL = Animal("counter-in-module-globals", "one global, two customers", Assistant, FixedAssistant, check)
