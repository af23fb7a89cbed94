"""The README's pictures: `make pictures`, or `python docs/pictures.py [FOLDER]`."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from dosim import Simulation
from dosim.scenarios import ten_by_five
from dosim.views.figures import save_png
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair

CITIES = {
    "tokyo": ["Tokyo", "Osaka", "Seoul", "Sydney", "Singapore", "Los Angeles"],
    "london": ["London", "Lagos", "Johannesburg", "Stockholm", "Mumbai", "Cairo"],
    "new york": ["New York", "São Paulo", "Toronto", "Mexico City", "Lima", "Madrid"],
}


class Room(DurableObject):
    """A chat room whose sockets survive its sleep."""

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        await self.ctx.storage.put("last", message)
        if await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(1_796_083_200_000 + 150_000)
        for peer in self.ctx.getWebSockets():
            peer.send(message)

    async def alarm(self, info: Any = None) -> None:
        for peer in self.ctx.getWebSockets():
            peer.send("the room closes soon")


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return await self.env.ROOM.getByName(request.url.rpartition("/")[2]).fetch(request)


def chat() -> Simulation:
    """Three rooms, each touched first from the city it is named after; talk, silence, talk, a crash."""
    sim = Simulation(Default, durable_objects={"ROOM": Room}, seed=7)
    dice = random.Random(7)
    sockets = []
    for room, cities in CITIES.items():
        url = f"wss://chat.example/{room.replace(' ', '-')}"
        sockets += [sim.run(sim.client(city).websocket(url)) for city in cities]
    for pause in ("3s", "40s", "2s", "45s", "4s"):
        for socket in dice.sample(sockets, 7):
            socket.send("hello")
        sim.run(for_=pause)
    sim.crash("new-york")
    sim.run(for_="1m")
    return sim


def main(folder: Path) -> None:
    """Write every picture into the folder."""
    sim = chat()
    ten = ten_by_five.run(variant=["one-at-a-time", "input-gates"])
    pictures = {
        "map": sim.map(title="Three chat rooms, eighteen people: who talks to whom, and where each room lives"),
        "lives": sim.lives(title="What each room keeps: a whiteboard that is wiped, and drawers that are not"),
        "ten-by-five": ten.figure(),
    }
    for name, figure in pictures.items():
        save_png(figure, folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
