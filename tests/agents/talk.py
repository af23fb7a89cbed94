"""A world with one class of agents behind the router, and what its clients and callers do in it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from dosim import Simulation
from dosim.agents import Agent, route_agent_request
from dosim.simulation.sockets import ClientSocket
from dosim.workers import Response, WorkerEntrypoint

SITE = "https://app.example"
MCP = {"type": "cf_agent_mcp_servers", "mcp": {"prompts": [], "resources": [], "servers": {}, "tools": []}}


class Default(WorkerEntrypoint):
    """The router alone."""

    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("no route", status=404)


def world(cls: type[Agent[Any]], **options: Any) -> Simulation:
    """A simulation with the class bound as `Room`, whatever it is called: agents are at /agents/room/NAME."""
    given = {"network": None, "show_output": False, **options}
    return Simulation(Default, durable_objects={"Room": cls}, **given)


def room(sim: Simulation, name: str = "a") -> Any:
    """A stub of an agent, to call its methods over RPC."""
    return sim.env.Room.getByName(name)


def opened(client: Any, who: str | None = None, name: str = "a") -> Any:
    """A WebSocket of a client, whose connection has the id `who`."""
    return client.websocket(f"wss://app.example/agents/room/{name}" + (f"?_pk={who}" if who else ""))


def read(message: Any) -> Any:
    """A frame as the client reads it: JSON, if it is an object."""
    return json.loads(message) if isinstance(message, str) and message.startswith("{") else message


def got(ws: ClientSocket) -> list[Any]:
    """What has come and was not read yet."""
    return [read(message) for message in ws.unread()]


def own(frames: list[Any]) -> list[Any]:
    """The frames that are not the protocol's on connecting."""
    first = ("cf_agent_identity", "cf_agent_state", "cf_agent_mcp_servers")
    return [frame for frame in frames if not (isinstance(frame, dict) and frame.get("type") in first)]


def states(frames: list[Any]) -> list[Any]:
    """The states among the frames."""
    return [frame["state"] for frame in frames if isinstance(frame, dict) and frame.get("type") == "cf_agent_state"]


async def send(ws: ClientSocket, **frame: Any) -> None:
    await ws.send(json.dumps(frame))


async def call(ws: ClientSocket, method: str, *args: Any, call_id: str = "1", wait_s: float = 1) -> list[Any]:
    """Call a method over RPC; the frames that have come after a while, without the state's."""
    ws.unread()
    await send(ws, type="rpc", id=call_id, method=method, args=list(args))
    await asyncio.sleep(wait_s)
    return own(got(ws))


def logged(sim: Simulation) -> list[str]:
    """The lines that the agents have printed or written to the console."""
    return [str(record.detail["text"]) for record in sim.trace.of_kind("log")]
