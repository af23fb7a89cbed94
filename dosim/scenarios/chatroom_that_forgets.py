"""`chatroom-that-forgets`: an attribute lives as long as the object is in memory, not as long as its sockets.

Cloudflare's own Python chat room (python-workers-examples, 15-chatroom) keeps its history in an attribute beside
acceptWebSocket. After ten idle seconds the room hibernates: the sockets stay, the history is gone.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

SAID: Final = ("hello", "is anybody here?", "yes")
#: Version -> the project, and where its history is.
VERSIONS: Final = {"chatroom_forgets": "an attribute", "chatroom_keeps": "SQLite"}
PAUSES: Final = ("8s", "11s")


def run(*, seed: int | str = 0) -> Lesson:
    """Ann and Ben talk, pause, and Cid joins: what history does he get?"""
    worlds, rows, found = [], [], {}
    for name, where in VERSIONS.items():
        for pause in PAUSES:
            sim = Simulation.from_project(project(name), seed=seed)
            history, heard, instances = _story(sim, pause)
            worlds.append(World(f"history in {where}, {pause} of silence", sim))
            found[f"{where}, {pause}"] = {"history": len(history), "heard": heard, "instances": instances}
            rows.append((where, pause, instances, f"{len(history)} of {len(SAID)}", "yes" if heard else "no"))
    forgot, kept = (found[f"{where}, {PAUSES[1]}"]["history"] for where in VERSIONS.values())
    claim = (
        f"After {PAUSES[1]} of silence a newcomer gets {forgot} of {len(SAID)} messages from the room that keeps them"
        f" in an attribute, and {kept} from the room that keeps them in SQLite. In both, the sockets lived on."
    )
    columns = ("history in", "silence", "constructed", "a newcomer gets", "old sockets still hear")
    shown: list[Block] = [
        table(columns, rows, left=("silence", "a newcomer gets", "old sockets still hear")),
        Paragraph("After eight seconds nothing is lost yet: a test that does not wait does not see it."),
    ]
    return Lesson("chatroom-that-forgets", claim, found, shown, worlds, seed, "", tuple(VERSIONS))


def _story(sim: Simulation, pause: str) -> tuple[list[str], bool, int]:
    """The history that the newcomer gets, whether the others hear him, and how often the room was constructed."""
    ann, ben, cid = (sim.client(city) for city in ("London", "Paris", "Tokyo"))
    sockets = [sim.run(client.websocket("wss://chat.example/")) for client in (ann, ben)]
    for number, text in enumerate(SAID):
        sockets[number % 2].send(text)
        sim.run(for_="1s")
    sim.run(for_=pause)
    newcomer = sim.run(cid.websocket("wss://chat.example/"))
    first: dict[str, Any] = json.loads(sim.run(newcomer.recv()))
    newcomer.send("I am new")
    sim.run(for_="1s")
    heard = all(socket.received[-1].message == "I am new" for socket in sockets)
    return first["history"], heard, sim.objects["lobby"].instance
