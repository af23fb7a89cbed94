"""`hibernating-chat`: a thousand people are connected and nobody says a word for an hour. What does that cost?

With acceptWebSocket the room leaves memory and costs nothing, and its sockets, tags and attachments stay. With accept()
it stays, for every second of the hour.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

PEOPLE: Final = 1_000
ROOMS: Final = {"SLEEPY": "acceptWebSocket", "AWAKE": "accept"}
#: The month that is billed: a hundred such rooms.
TIMES: Final = 100


def run(*, seed: int | str = 0) -> Lesson:
    """Connect, say something, be silent for an hour but for pings, and say something again."""
    worlds, rows, found = [], [], {}
    for room, how in ROOMS.items():
        sim = Simulation.from_project(project("hibernating_chat"), seed=seed)
        fact = _measure(sim, room)
        found[how] = fact
        worlds.append(World(how, sim))
        month = f"${fact['month_usd']:,.2f}"
        rows.append((how, fact["state"], f"{fact['gb_s']:.2f}", fact["records"], fact["instances"], month))
    sleepy, awake = found["acceptWebSocket"], found["accept"]
    claim = (
        f"{PEOPLE:,} sockets, an hour of silence: with acceptWebSocket the room is {sleepy['state']} and used"
        f" {sleepy['gb_s']:.2f} GB-s, with accept() {awake['gb_s']:.2f}; a hundred such rooms cost"
        f" ${sleepy['month_usd']:,.2f} and ${awake['month_usd']:,.2f} a month."
    )
    columns = ("", "after the hour", "GB-s", "records in the hour", "constructed", f"a month of {TIMES}")
    answers = [(how, fact["before"], fact["after"]) for how, fact in found.items()]
    heard = ("", "heard before the hour", "heard after it")
    shown: list[Block] = [
        table(columns, rows, left=("after the hour",)),
        table(heard, answers, left=heard),
        Paragraph(
            "The names and the thousand members survived hibernation, as attachments and sockets; the attribute that"
            " counts messages did not. Pings were answered by the platform, without waking the room."
        ),
    ]
    return Lesson("hibernating-chat", claim, found, shown, worlds, seed, "", ("hibernating_chat",))


def _measure(sim: Simulation, room: str) -> dict[str, Any]:
    """What an hour of silence takes and leaves."""
    clients = [sim.client(city) for city in ("Paris", "London", "Berlin")]
    url = f"wss://chat.example/{room}?name="
    sockets = sim.run(*[clients[n % 3].websocket(f"{url}guest{n}") for n in range(PEOPLE)])
    before = _say(sim, sockets)
    sim.run(for_="20s")
    start, records = sim.bill(), sim.trace.count
    sim.run(for_="30m")
    sockets[0].send("ping")
    sim.run(for_="30m")
    hour, state = sim.bill(since=start), sim.objects["room"].state
    silent = sim.trace.count - records
    assert sockets[0].received[-1].message == "pong"
    return {
        "state": state,
        "gb_s": float(hour.quantity("do_duration")),
        "records": silent,
        "month_usd": float(hour.per_month(times=TIMES).usd),
        "before": before,
        "after": _say(sim, sockets),
        "instances": sim.objects["room"].instance,
    }


def _say(sim: Simulation, sockets: list[Any]) -> str:
    """What everybody hears when the first one says something."""
    sockets[0].send("hello")
    sim.run(for_="1s")
    heard = {str(socket.received[-1].message) for socket in sockets}
    assert len(heard) == 1
    return heard.pop()
