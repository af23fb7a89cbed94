"""`never-sleeps`: a timer, a plain socket or a function that somebody keeps, and the object is billed for every second.

`sim.objects[...].why_not_hibernating()` names what holds it, `sim.bill().duration_s_by_holder` what that was billed.
Each such room stands beside one that does the same and lets go.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dosim.kernel.durations import duration_text
from dosim.platform.facts import OPERATION_HOLDS_US
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation


class Room(NamedTuple):
    """A room: what is special about it, the path that leads to it, whether it holds on, whether its client pings."""

    title: str
    path: str
    holds: bool
    pings: bool = False


#: Those that hold on, each followed by what does the same and lets go.
ROOMS: Final = (
    Room("setInterval, a beat every 30 s", "INTERVAL", holds=True),
    Room("an alarm, a beat every 30 s", "ALARM", holds=False),
    Room("an asyncio loop, a beat every 30 s", "LOOP", holds=True),
    Room("pings every 30 s, the platform answers", "ROOM", holds=False, pings=True),
    Room("a socket of accept()", "PLAIN", holds=True),
    Room("a socket of acceptWebSocket", "ROOM", holds=False),
    Room("a function of the room, kept by a Worker", "ROOM/keep", holds=True),
    Room("a Worker that asks anew each time", "ROOM/ask", holds=False),
)
#: The month that is billed: this many such rooms.
TIMES: Final = 100


def run(*, seed: int | str = 0) -> Lesson:
    """One client that says nothing for an hour, in eight rooms; then it leaves."""
    worlds, found = [], {}
    for room in ROOMS:
        sim = Simulation.from_project(project("never_sleeps"), seed=seed)
        found[room] = _measure(sim, room)
        worlds.append(World(room.title, sim))
    held = [fact for room, fact in found.items() if room.holds]
    free = [fact for room, fact in found.items() if not room.holds]
    least = min(fact["gb_s"] for fact in held)
    claim = (
        f"A silent client for an hour: the {len(held)} rooms that hold on to something used {least:.1f} GB-s each, and"
        f" those that do the same and let go {max(fact['gb_s'] for fact in free):.1f} at most. A month of {TIMES} such"
        f" rooms: {_span(held)} against {_span(free)}."
    )
    stay = sum(fact["awake_without_client"] for fact in held)
    shown: list[Block] = [
        _cost_table(found),
        Paragraph(
            f"A minute after the client has left, {stay} of the {len(held)} are still awake, for nobody: the timers. A"
            " socket and a function that a Worker keeps go with the client."
        ),
        Heading("why_not_hibernating(), asked after the hour; and what was billed"),
        _reason_table(found),
        Paragraph(
            "A timer is as old as its wait: in a loop, the present one; an interval is as old as the connection."
            " The bill adds them up."
        ),
    ]
    assumed = (
        f"a timer holds an object for {OPERATION_HOLDS_US // 60_000_000} minutes at most (documented, from October 2026"
        " on), and every beat begins anew; the run of an alarm takes no time here, and is a request and a written row."
    )
    facts = {"rooms": {room.title: fact for room, fact in found.items()}}
    return Lesson("never-sleeps", claim, facts, shown, worlds, seed, assumed, ("never_sleeps",))


def _measure(sim: Simulation, room: Room) -> dict[str, Any]:
    """The hour's bill, what holds the room after it, and whether it is awake a minute after the client has left."""
    socket = sim.run(sim.client("Oslo").websocket(f"wss://room.example/{room.path}"))
    socket.send("hello")
    sim.run(for_="70s")
    view = sim.objects["room"]
    start, answers = sim.bill(), len(socket.received)
    for _ in range(120):
        if room.pings:
            socket.send("ping")
        sim.run(for_="30s")
    bill = sim.bill(since=start)
    fact = {
        "state": view.state,
        "gb_s": float(bill.quantity("do_duration")),
        "beats": len(socket.received) - answers,
        "billed_s_by_holder": bill.duration_s_by_holder.get(view.label, {}),
        "month_usd": float(bill.per_month(times=TIMES).usd),
        "held_by": [
            {"kind": held.kind, "what": held.what, "age_s": held.age_us / 1e6} for held in view.why_not_hibernating()
        ],
    }
    socket.close()
    sim.run(for_="1m")
    return {**fact, "awake_without_client": view.state == "active"}


# -- what is shown


def _span(facts: list[dict[str, Any]]) -> str:
    """From the cheapest month to the dearest."""
    least, most = (f"${bound(fact['month_usd'] for fact in facts):,.2f}" for bound in (min, max))
    return least if least == most else f"{least} to {most}"


def _cost_table(found: dict[Room, dict[str, Any]]) -> Block:
    columns = ("", "after the hour", "it has sent", "GB-s", f"a month of {TIMES}", "without the client")
    rows = [
        (
            room.title if room.holds else f"    {room.title}",
            fact["state"],
            fact["beats"],
            f"{fact['gb_s']:.1f}",
            f"${fact['month_usd']:,.2f}",
            "still awake" if fact["awake_without_client"] else "out of memory",
        )
        for room, fact in found.items()
    ]
    return table(columns, rows, left=(columns[1], columns[5]))


def _reason_table(found: dict[Room, dict[str, Any]]) -> Block:
    rows: list[tuple[str, ...]] = []
    for room, fact in found.items():
        for held in fact["held_by"]:
            billed = "; ".join(f"{name}: {held_s:,.0f} s" for name, held_s in fact["billed_s_by_holder"].items())
            rows.append((room.title, held["what"], duration_text(round(held["age_s"] * 1e6)), billed))
    columns = ("", "what holds it", "its age", "billed in the hour")
    return table(columns, rows, left=(columns[1], columns[3]))
