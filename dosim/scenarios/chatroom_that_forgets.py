"""`chatroom-that-forgets`: an attribute lives as long as the object is in memory, not as long as its sockets.

Cloudflare's own Python chat room (python-workers-examples, 15-chatroom) keeps `message_history` in an attribute beside
`acceptWebSocket`, as the first version here does. The second keeps it in SQLite, and lives through the same story.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.kernel.durations import duration_text
from dosim.platform.facts import IDLE_EVICTION_US
from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

SAID: Final = ("hello", "is anybody here?", "yes")
#: Version -> the project, and where its history is.
VERSIONS: Final = {"chatroom_forgets": "an attribute", "chatroom_keeps": "SQLite"}
PAUSES_S: Final = (8, 11)


def run(*, seed: int | str = 0) -> Lesson:
    """Ann and Ben talk, pause, and Cid joins: what history does he get?"""
    worlds, runs = [], []
    for name, where in VERSIONS.items():
        for pause_s in PAUSES_S:
            sim = Simulation.from_project(project(name), seed=seed)
            worlds.append(World(f"history in {where}, {pause_s} s of silence", sim))
            runs.append({"history_in": where, "silence_s": pause_s, **_story(sim, pause_s)})
    (before, forgot), (_, kept) = runs[:2], runs[2:]
    claim = (
        f"After {forgot['silence_s']} s of silence a newcomer gets {forgot['history_messages']} of {len(SAID)} messages"
        f" from the room that keeps them in an attribute, and {kept['history_messages']} from the room that keeps them"
        f" in SQLite. The {forgot['sockets']} sockets live on in both: sockets say nothing about memory."
    )
    facts = {"said_messages": len(SAID), "runs": runs}
    shown: list[Block] = [
        _table(runs),
        Paragraph(
            f"After {before['silence_s']} s nothing is lost yet: a test that does not wait sees no difference between"
            f" the two. The room left memory {forgot['left_memory_after_s']:g} s after its last message, and the next"
            " visitor had it constructed again: an attribute then begins anew."
        ),
    ]
    assumed = (
        f"an idle object leaves memory after {duration_text(IDLE_EVICTION_US)}, recorded on the real runtime; in"
        " production it may stay longer, so that code may rely neither on its being there nor on its being gone."
    )
    return Lesson("chatroom-that-forgets", claim, facts, shown, worlds, seed, assumed, tuple(VERSIONS))


def _story(sim: Simulation, pause_s: int) -> dict[str, Any]:
    """Ann and Ben talk and fall silent, Cid comes: the room before he does, what he gets, and who hears him."""
    ann, ben, cid = (sim.client(city) for city in ("London", "Paris", "Tokyo"))
    sockets = [sim.run(client.websocket("wss://chat.example/")) for client in (ann, ben)]
    for number, text in enumerate(SAID):
        sockets[number % 2].send(text)
        sim.run(for_="1s")
    sim.run(for_=f"{pause_s - 1}s")
    room = sim.objects["lobby"]
    silent = {"state": room.state, "sockets": room.sockets, "left_memory_after_s": _left_memory_after_s(sim)}
    newcomer = sim.run(cid.websocket("wss://chat.example/"))
    first = json.loads(sim.run(newcomer.recv()))
    newcomer.send("I am new")
    sim.run(for_="1s")
    heard = sum(socket.closed is None and socket.received[-1].message == "I am new" for socket in sockets)
    return {**silent, "history_messages": len(first["history"]), "old_sockets_that_hear": heard, "lives": room.instance}


def _left_memory_after_s(sim: Simulation) -> float | None:
    """How long after its last turn the room left memory; None: it is still there."""
    left = sim.trace.of_kind("evict")
    return (left[-1].t_us - sim.trace.of_kind("idle")[-1].t_us) / 1e6 if left else None


def _table(runs: list[dict[str, Any]]) -> Block:
    columns = ("history in", "silence", "the room is then", "sockets", "a newcomer gets", "old sockets that hear him")
    rows = [
        (
            run["history_in"],
            f"{run['silence_s']} s",
            run["state"],
            run["sockets"],
            f"{run['history_messages']} of {len(SAID)} messages",
            run["old_sockets_that_hear"],
        )
        for run in runs
    ]
    return table(columns, rows, left=("the room is then", "a newcomer gets"))
