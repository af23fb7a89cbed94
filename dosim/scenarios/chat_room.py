"""`chat-room`: sockets and a buffer in memory, history in SQLite, an archive in R2; and what a crash takes.

What is in memory is fast and free, and gone with the machine. What was written and confirmed is not.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

#: Messages before the crash: two archives of 100, a rest in SQLite, a rest in the buffer.
MESSAGES: Final = 237
CITIES: Final = ("Tokyo", "Paris", "São Paulo")


def run(*, seed: int | str = 0) -> Lesson:
    """Three people chat, the room's machine crashes, and they look at what is left."""
    sim = Simulation.from_project(project("chat_room"), seed=seed)
    clients = [sim.client(city) for city in CITIES]
    sockets = [sim.run(client.websocket(f"wss://chat.example/lobby?name={client.name}")) for client in clients]
    for number in range(MESSAGES):
        sockets[number % len(sockets)].send(f"message {number + 1}")
        sim.run(for_="1s")
    before = _counts(sim, clients[0])
    heard = [len(socket.received) for socket in sockets]
    sim.crash("lobby")
    sim.run(for_="1s")
    ends = [socket.closed.code for socket in sockets if socket.closed is not None]
    after = _counts(sim, clients[0])
    lost = sum(before.values()) - sum(after.values())
    claim = (
        f"Everybody heard all {MESSAGES} messages. {before['archive (R2)']} were in the archive, {before['SQLite']} in"
        f" SQLite, {before['buffer (memory)']} in the buffer when the machine crashed: {lost} are gone, with"
        f" {len(ends)} sockets, and nothing else."
    )
    places = [(place, before[place], after[place], before[place] - after[place]) for place in before]
    delays = [(socket.client.name, f"{_delay_ms(sim, socket):.1f} ms") for socket in sockets]
    shown: list[Block] = [
        table(("where the messages are", "before the crash", "after it", "lost"), places),
        Heading("how long a message took to be heard"),
        table(("from Tokyo to", "median"), delays),
        Paragraph(
            f"The room lives in {sim.objects['lobby'].city}, where the first of them connected. Its sockets were"
            " accepted with accept(), so it never left memory while somebody was connected; see hibernating-chat."
        ),
    ]
    facts = {
        "messages": MESSAGES,
        "heard": heard,
        "before": before,
        "after": after,
        "lost": lost,
        "close_codes": ends,
        "archives": sorted(sim.run(_archives(sim))),
    }
    return Lesson("chat-room", claim, facts, shown, [World("chat-room", sim)], seed, "", ("chat_room",))


def _counts(sim: Simulation, client: Any) -> dict[str, int]:
    """How many messages are where."""
    room = sim.run(sim.run(client.fetch("https://chat.example/lobby")).json())
    archived = sum(sim.run(_archives(sim)).values())
    return {"archive (R2)": archived, "SQLite": len(room["messages"]), "buffer (memory)": room["waiting"]}


async def _archives(sim: Simulation) -> dict[str, int]:
    """Every piece of the archive, with how many messages it holds."""
    bucket = sim.env.ARCHIVE
    found = {}
    for entry in (await bucket.list()).objects:
        found[entry.key] = len(json.loads(await (await bucket.get(entry.key)).text()))
    return found


def _delay_ms(sim: Simulation, socket: Any) -> float:
    """The median time from Tokyo's sending of a message to this socket, milliseconds."""
    sent_us = [record.t_us for record in sim.trace.of_kind("frame") if record.actor.startswith("Tokyo ")]
    mine = {json.loads(got.message)["text"]: got.at_us for got in socket.received}
    texts = [f"message {number + 1}" for number in range(0, MESSAGES, len(CITIES))]
    waits: list[int] = sorted(mine[text] - at_us for text, at_us in zip(texts, sent_us, strict=True))
    return waits[len(waits) // 2] / 1000
