"""`chat-room`: sockets and a buffer in memory, history in SQLite, an archive in R2; and what a crash takes.

What is in memory is gone with the machine, though everybody has heard it. What was written and confirmed is not:
without a buffer a message is heard a little later, and never lost once heard. And a crash in the middle of archiving
loses nothing, when the archive's pieces have names that stay the same.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation
from dosim.simulation.sockets import ClientSocket

#: Messages before the crash: two archives of 100, a rest in SQLite, a rest in the buffer.
MESSAGES: Final = 237
PIECE: Final = 100
CITIES: Final = ("Tokyo", "Paris", "São Paulo")
KINDS: Final = {"room": "a buffer of 10", "unbuffered": "written at once"}


def run(*, seed: int | str = 0) -> Lesson:
    """Three people chat, the room's machine crashes, and they look at what is left; with a buffer and without."""
    worlds, found = [], {}
    for kind, title in KINDS.items():
        sim, found[kind] = _crashed(kind, seed)
        worlds.append(World(title, sim))
    sim, in_archive = _crashed_in_archive(seed)
    worlds.append(World("a crash while it archives", sim))
    room, unbuffered = found.values()
    before = room["before"]
    claim = (
        f"Everybody heard all {MESSAGES} messages. {before['archive (R2)']} were in the archive, {before['SQLite']} in"
        f" SQLite, {before['buffer (memory)']} in the buffer when the machine crashed: {room['lost']} are gone, with"
        f" {len(room['close_codes'])} sockets, and nothing else. Written at once, {unbuffered['lost'] or 'none'} are"
        f" gone, and a message is heard {_later(room, unbuffered)} later."
    )
    facts = {"messages": MESSAGES, "rooms": found, "crash_while_archiving": in_archive}
    assumed = "40 ms until R2 has written, 5 ms until a write in SQLite is confirmed. Rows are an estimate."
    return Lesson("chat-room", claim, facts, _shown(facts), worlds, seed, assumed, ("chat_room",))


def _later(room: dict[str, Any], unbuffered: dict[str, Any]) -> str:
    """How much later a message is heard in Tokyo without a buffer: the difference of the medians."""
    return _ms(unbuffered["median_us"][CITIES[0]] - room["median_us"][CITIES[0]])


# -- the two rooms


def _crashed(kind: str, seed: int | str) -> tuple[Simulation, dict[str, Any]]:
    """237 messages, one a second; then a crash."""
    sim = Simulation.from_project(project("chat_room"), seed=seed)
    clients = [sim.client(city) for city in CITIES]
    sockets = _connected(sim, clients, kind)
    _say(sim, sockets, range(1, MESSAGES + 1))
    before = _counts(sim, clients[0], kind)
    bill = sim.bill()
    sim.crash("lobby")
    sim.run(for_="1s")
    after = _counts(sim, clients[0], kind)
    return sim, {
        "heard": [len(socket.received) for socket in sockets],
        "before": before,
        "after": after,
        "lost": sum(before.values()) - sum(after.values()),
        "close_codes": [socket.closed.code for socket in sockets if socket.closed is not None],
        "archives": sorted(sim.run(_archives(sim))),
        "median_us": {socket.client.name: _delay_us(sim, socket) for socket in sockets},
        "rows_written": int(bill.quantity("do_rows_written")),
        "in_memory_s": round(sum(sum(held.values()) for held in bill.duration_s_by_holder.values())),
        "lived_in": sim.objects["lobby"].city,
    }


def _connected(sim: Simulation, clients: list[Client], kind: str) -> list[ClientSocket]:
    return [sim.run(client.websocket(f"wss://chat.example/{kind}/lobby?name={client.name}")) for client in clients]


def _say(sim: Simulation, sockets: list[ClientSocket], numbers: range) -> None:
    """One after the other says something, once a second."""
    for number in numbers:
        sockets[number % len(sockets)].send(f"message {number}")
        sim.run(for_="1s")


def _counts(sim: Simulation, client: Client, kind: str) -> dict[str, int]:
    """How many messages are where."""
    room = sim.run(sim.run(client.fetch(f"https://chat.example/{kind}/lobby")).json())
    archived = sum(sim.run(_archives(sim)).values())
    return {"archive (R2)": archived, "SQLite": len(room["messages"]), "buffer (memory)": room["waiting"]}


async def _archives(sim: Simulation) -> dict[str, int]:
    """Every piece of the archive, with how many messages it holds."""
    bucket = sim.env.ARCHIVE
    found = {}
    for entry in (await bucket.list()).objects:
        found[entry.key] = len(json.loads(await (await bucket.get(entry.key)).text()))
    return found


def _delay_us(sim: Simulation, socket: ClientSocket) -> int:
    """The median time from Tokyo's sending of a message to this socket, microseconds."""
    sent_us = [record.t_us for record in sim.trace.of_kind("frame") if record.actor.startswith("Tokyo ")]
    mine = {json.loads(got.message)["text"]: got.at_us for got in socket.received}
    texts = [f"message {number}" for number in range(len(CITIES), MESSAGES + 1, len(CITIES))]
    waits = sorted(mine[text] - at_us for text, at_us in zip(texts, sent_us, strict=True))
    return waits[len(waits) // 2]


# -- a crash in the middle


def _crashed_in_archive(seed: int | str) -> tuple[Simulation, list[dict[str, Any]]]:
    """The machine crashes while R2 writes; what is where then, and when ten more messages have come."""
    sim = Simulation.from_project(project("chat_room"), seed=seed)
    clients = [sim.client(city) for city in CITIES]
    sockets = _connected(sim, clients, "room")
    _say(sim, sockets, range(1, PIECE))
    sockets[PIECE % len(sockets)].send(f"message {PIECE}")
    while not sim.trace.of_kind("serve"):  # R2 writes
        sim.step()
    sim.crash("lobby")
    sim.run(for_="1s")
    crashed = _counts(sim, clients[0], "room")
    _say(sim, _connected(sim, clients, "room"), range(PIECE + 1, PIECE + 11))
    return sim, [
        {"when": "after the crash", **crashed},
        {"when": "10 messages later", **_counts(sim, clients[0], "room")},
    ]


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    room, unbuffered = facts["rooms"].values()
    places = [(place, *_places(room, place), *_places(unbuffered, place)) for place in room["before"]]
    delays = [
        (f"heard in {city}, median", *(_ms(one["median_us"][city]) for one in (room, unbuffered))) for city in CITIES
    ]
    rows = ("rows written", room["rows_written"], unbuffered["rows_written"])
    moments = facts["crash_while_archiving"]
    return [
        table(("messages", "a buffer of 10", "after the crash", "written at once", "after the crash"), places),
        Heading("what the buffer buys"),
        table(("from Tokyo", *KINDS.values()), [*delays, rows]),
        Paragraph(
            "What is sent after a write waits in the output gate until the write is confirmed. So nobody hears a"
            " message that is not stored; with a buffer only each tenth waits, and nine of ten are heard before they"
            " are stored. It saves no rows: each message is one, sooner or later, and one more when it is dropped. The"
            f" room lives in {room['lived_in']}, where the first of them connected. Its sockets were accepted with"
            f" accept(), so it was in memory, and billed, for {room['in_memory_s']} s; see hibernating-chat."
        ),
        Heading("a crash while it archives"),
        table(tuple(moments[0]), [tuple(moment.values()) for moment in moments]),
        Paragraph(
            "R2 had got the piece, and SQLite had not yet dropped it: for a while it is in both. The next flush sends"
            " it again under the same name, and drops it. The other order would lose it."
        ),
    ]


def _places(one: dict[str, Any], place: str) -> tuple[int, int]:
    return one["before"][place], one["after"][place]


def _ms(us: int) -> str:
    return f"{us / 1000:.1f} ms"
