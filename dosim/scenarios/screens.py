"""`Screen`: what somebody sees who is connected to an agent: the client that a scenario about agents needs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

from dosim.simulation import Simulation
from dosim.simulation.sockets import ClientSocket


class Frame(NamedTuple):
    """A frame of an agent's as it came: when, in microseconds since the start, and the JSON object."""

    at_us: int
    data: dict[str, Any]


class Screen:
    """Somebody's connection to an agent, and the state that it shows: the last one that came, or its own change.

    As with the SDK's client, a connection that is opened again has the same id, and its own change is shown at once.
    """

    def __init__(self, sim: Simulation, who: str, city: str, path: str, **query: str) -> None:
        self.who, self.city = who, city
        self.client = sim.client(city)
        self.url = f"wss://app.example/agents/{path}?{urlencode({'_pk': who, **query})}"
        #: Every connection that it had; the last one is the present one.
        self.sockets: list[ClientSocket] = []
        #: How many states had come when it last showed one of its own, and that one.
        self._own: tuple[int, Any] | None = None
        self._calls = 0

    async def connect(self) -> Screen:
        """Connect, for the first time or again."""
        self.sockets.append(await self.client.websocket(self.url))
        return self

    @property
    def socket(self) -> ClientSocket:
        return self.sockets[-1]

    def frames(self, kind: str = "", *, last: bool = False) -> list[Frame]:
        """The frames that have come, of one type; on all its connections, or on the last one."""
        sockets = self.sockets[-1:] if last else self.sockets
        every = [Frame(got.at_us, json.loads(got.message)) for socket in sockets for got in socket.received]
        return [frame for frame in every if not kind or frame.data["type"] == kind]

    def states(self, *, last: bool = False) -> list[Any]:
        """The states that have come."""
        return [frame.data["state"] for frame in self.frames("cf_agent_state", last=last)]

    @property
    def shown(self) -> Any:
        """The state on the screen."""
        states = self.states()
        if self._own is not None and self._own[0] == len(states):
            return self._own[1]
        return states[-1] if states else None

    def set_state(self, state: Any) -> None:
        """Change the agent's state, as the SDK's client does: it is sent, and shown before anybody has agreed."""
        self.socket.send(json.dumps({"type": "cf_agent_state", "state": state}))
        self.show(state)

    def show(self, state: Any) -> None:
        """Show a state, until the next one comes."""
        self._own = (len(self.states()), state)

    def call(self, method: str, *args: Any) -> str:
        """Call a method of the agent; the call's id, by which its answer is known."""
        self._calls += 1
        call_id = f"{self.who}-{self._calls}"
        self.socket.send(json.dumps({"type": "rpc", "id": call_id, "method": method, "args": list(args)}))
        return call_id

    async def answer(self, call_id: str) -> dict[str, Any]:
        """The answer to a call; what comes before it is shown. Raises SocketClosed when none will come."""
        while True:
            frame: dict[str, Any] = json.loads(await self.socket.recv())
            if frame.get("id") == call_id:
                return frame


def talk(sim: Simulation) -> list[int]:
    """The requests that a picture of screens shows: their handshakes, and what they have sent and closed since."""
    opened = [record.request for record in sim.trace.of_kind("send") if "_pk=" in str(record.detail["url"])]
    events = [record for record in sim.trace.of_kind("call") if str(record.detail["method"]).startswith("webSocket")]
    return sorted([*opened, *(record.request for record in events)])
