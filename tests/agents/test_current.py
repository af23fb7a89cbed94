"""`get_current_agent()`: the agent, the connection, the request that the running code is about."""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.agents import Agent, get_current_agent
from dosim.workers import Response
from tests.agents.talk import SITE, opened, room, world


def current() -> list[Any]:
    """Who it is about: the agent's name, the connection's id, the request's path."""
    now = get_current_agent()
    return [
        now.agent and now.agent.name,
        now.connection and now.connection.id,
        now.request and now.request.url.rpartition("/")[2],
        now.email,
    ]


class Seen(Agent):
    """Remembers who was current in every hook."""

    async def on_start(self):
        self.seen = {"on_start": current()}

    async def on_request(self, request):
        self.seen["on_request"] = current()
        return Response("ok")

    async def on_connect(self, connection, context):
        await asyncio.sleep(1)
        self.seen["on_connect"] = current()

    async def on_message(self, connection, message):
        await asyncio.sleep(1)
        self.seen[f"on_message {message}"] = current()
        self.set_state({"n": 1})

    async def on_state_changed(self, state, source):
        self.seen["on_state_changed"] = current()

    async def on_close(self, connection, code, reason, was_clean):
        self.seen["on_close"] = current()

    async def on_alarm(self):
        self.seen["on_alarm"] = current()

    async def tick(self):
        self.seen["tick"] = current()

    async def over_rpc(self):
        self.seen["over_rpc"] = await asyncio.create_task(self.helper())
        await self.schedule(1, self.tick)

    async def helper(self):
        return current()

    def sync(self):
        return current()

    async def all(self):
        return self.seen


def test_who_is_current_in_every_hook() -> None:
    """Also after awaits, and in tasks that are started; two messages side by side do not mix."""
    sim = world(Seen)

    async def story() -> Any:
        await sim.client().fetch(f"{SITE}/agents/room/a")
        async with opened(sim.client(), "ann") as ann, opened(sim.client(), "bob") as bob:
            await ann.send("one")
            await bob.send("two")
            await asyncio.sleep(3)
        await room(sim).over_rpc()
        await asyncio.sleep(3)
        return await room(sim).all()

    seen = {name: list(said) for name, said in sim.run(story()).items()}

    assert ["a", None, None, None] == seen["on_start"] == seen["over_rpc"] == seen["tick"] == seen["on_alarm"]
    assert ["a", None, "a", None] == seen["on_request"]
    assert ["a", "bob", "a?_pk=bob", None] == seen["on_connect"]
    assert ["a", "ann", None, None] == seen["on_message one"]
    assert ["a", "bob", None, None] == seen["on_message two"] == seen["on_state_changed"]
    assert "on_close" in seen


def test_a_method_that_is_not_async_is_the_agents_too() -> None:
    """Called over RPC."""
    sim = world(Seen)

    assert ["a", None, None, None] == list(sim.run(room(sim).sync()))


def test_outside_there_is_none() -> None:
    """Every field is None."""
    assert [None, None, None, None] == current()
