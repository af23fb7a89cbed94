"""`never-sleeps`: a timer, a plain socket or a function that somebody keeps, and the object is billed for every second.

`sim.objects[...].why_not_hibernating()` names what holds it.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

HOLDERS: Final = {
    "LETTING": "nothing",
    "HEARTBEAT": "setInterval, 30 s",
    "PLAIN": "a socket of accept()",
    "SUBSCRIBED": "a returned function that is kept",
}
#: The month that is billed: this many such rooms.
TIMES: Final = 100


def run(*, seed: int | str = 0) -> Lesson:
    """One idle client, an hour, four rooms."""
    worlds, rows = [], []
    found: dict[str, dict[str, Any]] = {}
    kept: list[Any] = []
    for kind, holder in HOLDERS.items():
        sim = Simulation.from_project(project("never_sleeps"), seed=seed)
        sim.run(sim.client("Oslo").websocket(f"wss://room.example/{kind}"))
        if kind == "SUBSCRIBED":
            kept.append(sim.run(sim.env.SUBSCRIBED.getByName("room").subscribe()))
        sim.run(for_="1m")
        start = sim.bill()
        sim.run(for_="1h")
        bill = sim.bill(since=start)
        month_usd = float(bill.per_month(times=TIMES).usd)
        why = sim.objects["room"].why_not_hibernating()
        found[holder] = {
            "state": sim.objects["room"].state,
            "gb_s": float(bill.quantity("do_duration")),
            "month_usd": month_usd,
            "held_by": [held.kind for held in why],
        }
        rows.append((holder, found[holder]["state"], f"{found[holder]['gb_s']:.1f}", f"${month_usd:,.2f}", repr(why)))
        worlds.append(World(holder, sim))
    free = found[HOLDERS["LETTING"]]
    dearest = max(fact["month_usd"] for fact in found.values())
    claim = (
        f"An idle client for an hour: the room that holds on to nothing is {free['state']} and used {free['gb_s']:.1f}"
        f" GB-s; each of the three that hold something used {found[HOLDERS['PLAIN']]['gb_s']:.1f}. A month of {TIMES} such"
        f" rooms: ${free['month_usd']:,.2f} against ${dearest:,.2f}."
    )
    reasons: list[Block] = [Paragraph(f"{row[0]}: {row[4]}") for row in rows]
    columns = ("held by", "after an hour", "GB-s", f"a month of {TIMES}")
    shown: list[Block] = [
        table(columns, [row[:4] for row in rows], left=columns[1:2]),
        Heading("why_not_hibernating() says"),
        *reasons,
    ]
    return Lesson("never-sleeps", claim, found, shown, worlds, seed, "", ("never_sleeps",))
