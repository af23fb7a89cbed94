"""`hibernating-chat`: a thousand people are connected and nobody says a word for an hour. What does that cost?

With acceptWebSocket the room leaves memory and costs nothing, and its sockets, tags and attachments stay. With accept()
it stays, for every second of the hour.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

PEOPLE: Final = 1_000
#: Binding -> how its class accepts a socket.
ROOMS: Final = {"SLEEPY": "acceptWebSocket", "AWAKE": "accept()"}
CITIES: Final = ("Paris", "London", "Berlin")
#: The months that are billed: of one such room, and of so many.
MANY: Final = 100


def run(*, seed: int | str = 0) -> Lesson:
    """Connect and say something; an hour of silence; a ping from everybody; and somebody says something again."""
    worlds, found = [], {}
    for room, how in ROOMS.items():
        worlds.append(World(f"{how}, in small: two people, 20 s of silence, a third", _small(room, seed)))
        found[how] = _measure(_simulation(seed, retention="none"), room)
    sleepy, awake = found.values()
    claim = (
        f"{PEOPLE:,} sockets and an hour of silence: with acceptWebSocket the room has {sleepy['state']} and used"
        f" {sleepy['silent_gb_s']:g} GB-s, with accept() it is {awake['state']} and used {awake['silent_gb_s']:g};"
        f" {MANY} such rooms cost ${sleepy['month_of_many_usd']:,.2f} and ${awake['month_of_many_usd']:,.2f} a month."
    )
    shown = [
        *_cost_blocks(found),
        *_ping_blocks(found),
        *_survival_blocks(sleepy["before"], sleepy["after"], sleepy["lives"]),
    ]
    facts = {"people": PEOPLE, "rooms": found}
    assumed = (
        "idle time in which an object may hibernate is free from its beginning (documented); a room with accept()"
        " lives as long as its sockets, if no deploy or move to another machine cuts it off."
    )
    return Lesson("hibernating-chat", claim, facts, shown, worlds, seed, assumed, ("hibernating_chat",))


def _simulation(seed: int | str, retention: str = "full") -> Simulation:
    return Simulation.from_project(project("hibernating_chat"), seed=seed, retention=retention)


def _connect(sim: Simulation, room: str, people: int) -> list[Any]:
    """The sockets of so many people."""
    clients = [sim.client(city) for city in CITIES]
    url = f"wss://chat.example/{room}?name="
    found: list[Any] = sim.run(*[clients[n % len(clients)].websocket(f"{url}guest{n}") for n in range(people)])
    return found


def _small(room: str, seed: int | str) -> Simulation:
    """The same among three people, so short that it can be drawn; the last one comes after the silence."""
    sim = _simulation(seed)
    _connect(sim, room, 2)
    sim.run(for_="20s")
    sim.run(sim.client(CITIES[2]).websocket(f"wss://chat.example/{room}?name=late"))
    return sim


def _measure(sim: Simulation, room: str) -> dict[str, Any]:
    """What an hour of silence takes and leaves, and what a ping from everybody then takes."""
    sockets = _connect(sim, room, PEOPLE)
    before = _say(sim, sockets)
    sim.run(for_="20s")
    start, records = sim.bill(), sim.trace.count
    sim.run(for_="1h")
    hour, silent_records = sim.bill(since=start), sim.trace.count - records
    state, open_sockets = sim.objects["room"].state, sum(socket.closed is None for socket in sockets)
    pings = _ping(sim, sockets)
    return {
        "state": state,
        "open_sockets": open_sockets,
        "silent_gb_s": float(hour.quantity("do_duration")),
        "silent_records": silent_records,
        "duration_s_by_holder": hour.duration_s_by_holder.get(sim.objects["room"].label, {}),
        "month_of_one_usd": float(hour.per_month().usd),
        "month_of_many_usd": float(hour.per_month(times=MANY).usd),
        **pings,
        "before": before,
        "after": _say(sim, sockets),
        "lives": sim.objects["room"].instance,
    }


def _ping(sim: Simulation, sockets: list[Any]) -> dict[str, Any]:
    """Everybody's client pings once: what is answered, what it is billed as, and what the room does about it."""
    start = sim.bill()
    for socket in sockets:
        socket.send("ping")
    sim.run(for_="1s")
    bill = sim.bill(since=start)
    return {
        "pongs": sum(socket.received[-1].message == "pong" for socket in sockets),
        "pings_billed_requests": float(bill.quantity("do_requests")),
        "state_after_pings": sim.objects["room"].state,
    }


def _say(sim: Simulation, sockets: list[Any]) -> dict[str, Any]:
    """What everybody hears when the first one says something."""
    sockets[0].send("hello")
    sim.run(for_="1s")
    (heard,) = {str(socket.received[-1].message) for socket in sockets}
    found: dict[str, Any] = json.loads(heard)
    return found


# -- what is shown


def _cost_blocks(found: dict[str, dict[str, Any]]) -> list[Block]:
    columns = ("", "the room then", "GB-s", "records of the trace", "a month of one", f"a month of {MANY}")
    rows = [
        (
            how,
            fact["state"],
            f"{fact['silent_gb_s']:.1f}",
            fact["silent_records"],
            f"${fact['month_of_one_usd']:,.2f}",
            f"${fact['month_of_many_usd']:,.2f}",
        )
        for how, fact in found.items()
    ]
    held = [
        f"with {how}, {holder} for {held_s:,.0f} s"
        for how, fact in found.items()
        for holder, held_s in fact["duration_s_by_holder"].items()
    ]
    return [
        Heading("the silent hour"),
        table(columns, rows, left=columns[1:2]),
        Paragraph(
            f"The seconds that were billed: {'; '.join(held)}. A month is thirty days of such hours, with the base fee"
            " and all that it includes: one room that stays awake is within that, and nobody notices."
        ),
    ]


def _ping_blocks(found: dict[str, dict[str, Any]]) -> list[Block]:
    columns = ("", "pongs", "billed requests", "the room then")
    rows = [(how, f["pongs"], f"{f['pings_billed_requests']:g}", f["state_after_pings"]) for how, f in found.items()]
    return [
        Heading("a ping from everybody"),
        table(columns, rows, left=columns[3:]),
        Paragraph(
            "setWebSocketAutoResponse lets the platform answer, beside a sleeping room and for nothing. Twenty messages"
            " that reach the code are billed as one request."
        ),
    ]


def _survival_blocks(before: dict[str, Any], after: dict[str, Any], lives: int) -> list[Block]:
    rows = [
        ("the sockets, found by their tag", f"{before['members']:,}", f"{after['members']:,}"),
        ("the sender's name, in its socket's attachment", before["from"], after["from"]),
        ("messages counted in an attribute", before["count"], after["count"]),
    ]
    return [
        Heading("what outlived hibernation"),
        table(("", "a message before the hour", "a message after it"), rows),
        Paragraph(
            f"The second message came after the hour, and the room was constructed for it, the {_nth(lives)} time: its"
            " count began anew. What shall outlive an hour of silence belongs into storage."
        ),
    ]


def _nth(number: int) -> str:
    return {1: "first", 2: "second"}.get(number, f"{number}th")
