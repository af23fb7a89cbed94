"""A chat room that sleeps between messages, or does not: what a month of it costs."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from dosim.notebook.explorers.bars import GHOST, BarSheet
from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.platform.prices import MONTH_DAYS, OBJECT_MEMORY_MB
from dosim.simulation import Simulation
from dosim.trace.words import rounded
from dosim.views.svg import Entry
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair

#: The month that is billed is of so many rooms.
ROOMS: Final = 100
_HIGHEST_USD: Final = 500
_HOUR_US: Final = 3_600_000_000
#: Rows of the picture -> what the names of their lines on the bill contain.
_ROWS: Final = {"base fee": "plan", "requests": "requests", "time in memory": "duration", "together": ""}
_COST = Entry("area", "#0072B2", "dollars a month")
_HOW: Final = ["acceptWebSocket", "accept()"]


class _Room(DurableObject):
    async def fetch(self, request: Any) -> Any:
        client, server = WebSocketPair.new().object_values()
        if self.env.HOW == "accept()":
            server.accept()
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        await asyncio.sleep(0.2)


class _Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.ROOM.getByName("room").fetch(request)


def hibernation_and_the_bill() -> Any:
    """An explorer: how often somebody says something, how sockets are accepted, and what it costs."""
    return open_lesson(LESSON)


def _run(people: int, minutes_between: int, accepted_by: str) -> Shown:
    sim = Simulation(_Door, durable_objects={"ROOM": _Room}, vars={"HOW": accepted_by}, network=None, retention="none")
    client = sim.client()
    sockets = [sim.run(client.websocket("wss://chat.example/")) for _ in range(people)]
    sim.run(for_="1m")
    before, start_us = sim.bill(), sim.now.us
    messages = people * 60 // minutes_between
    for n in range(messages):
        sim.run(until=f"{start_us + n * _HOUR_US // messages}us")
        sockets[n % people].send("hello")
    sim.run(until=f"{start_us + _HOUR_US}us")
    month = sim.bill(since=before).per_month(times=ROOMS)
    lines = {line.what: float(line.usd) for line in month.lines}
    whole_gb_s = OBJECT_MEMORY_MB / 1000 * MONTH_DAYS * 86_400 * ROOMS
    awake = float(month.quantity("do_duration")) / whole_gb_s
    said = (
        f"{ROOMS} such rooms cost ${month.usd:,.2f} a month. Each is paid for being in memory {awake:.1%} of the time;"
        f" somebody says something every {rounded(_HOUR_US // messages)}."
    )
    return Shown(
        float(month.usd),
        said,
        {name: sum(usd for what, usd in lines.items() if end in what) for name, end in _ROWS.items()},
    )


def _draw(shown: Shown, ghost: Shown | None, _: int) -> str:
    sheet = BarSheet(
        f"A month of {ROOMS} rooms",
        shown.said,
        rows=list(_ROWS),
        x=(0, _HIGHEST_USD),
        x_ticks=[(usd, f"${usd}") for usd in range(0, _HIGHEST_USD + 1, 100)],
        legend=[_COST, *([GHOST] if ghost is not None else [])],
    )
    for row, (name, usd) in enumerate(shown.data.items()):
        sheet.bar(row, 0, usd, _COST, f"${usd:,.2f}")
        if ghost is not None:
            sheet.ghost(row, ghost.data[name])
    return str(sheet)


LESSON: Final = Lesson(
    title="Hibernation and the bill",
    question="{people} people are in a chat room, accepted with {accepted_by}; each says something every"
    " {minutes_between} min, and the room works 0.2 s on it. What do 100 such rooms cost in a month?",
    unit="$",
    knobs={"people": (2, 30, 20), "minutes_between": (1, 60, 10), "accepted_by": _HOW},
    run=_run,
    draw=_draw,
    slow=True,
)
