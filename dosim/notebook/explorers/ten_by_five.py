"""Ten requests of five seconds: which handlers stand in line, and which do not."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from dosim.kernel.cpu import cpu
from dosim.notebook.explorers.bars import GHOST, STRIPES, BarSheet
from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.simulation import Simulation
from dosim.trace.words import counted
from dosim.views.svg import Entry
from dosim.workers import DurableObject

_MOST_REQUESTS: Final = 12
_MOST_SECONDS: Final = 5
_WAITS = Entry("area", STRIPES, "waits")
_WORKS = Entry("area", "#009E73", "in its handler")


class _Awaits(DurableObject):
    async def serve(self) -> None:
        await asyncio.sleep(self.env.SECONDS)


class _Computes(DurableObject):
    async def serve(self) -> None:
        cpu(f"{self.env.SECONDS}s")


class _Locks(DurableObject):
    async def serve(self) -> None:
        async def alone() -> None:
            await asyncio.sleep(self.env.SECONDS)

        await self.ctx.blockConcurrencyWhile(alone)


#: What the handler does -> its class, the rule of concurrency, whether every request has an object of its own.
_HANDLERS: Final[dict[str, tuple[type, str, bool]]] = {
    "awaits a timer": (_Awaits, "input-gates", False),
    "computes": (_Computes, "input-gates", False),
    "awaits in blockConcurrencyWhile": (_Locks, "input-gates", False),
    "awaits, and one is served at a time (the belief)": (_Awaits, "one-at-a-time", False),
    "computes, each in its own object": (_Computes, "input-gates", True),
}


def ten_by_five() -> Any:
    """An explorer: requests that reach one object at once, and when the last of them is answered."""
    return open_lesson(LESSON)


def _run(requests: int, seconds: int, handler: str) -> Shown:
    cls, rule, apart = _HANDLERS[handler]
    sim = Simulation(durable_objects={"DESK": cls}, vars={"SECONDS": seconds}, concurrency=rule, network=None)
    calls = [sim.env.DESK.getByName(f"desk {n if apart else 1}").serve() for n in range(requests)]
    sim.run()
    starts = {record.request: record.t_us / 1e6 for record in reversed(sim.trace.of_kind("start"))}
    ends = {record.request: record.t_us / 1e6 for record in sim.trace.of_kind("result")}
    lanes = [(starts[call.request], ends[call.request]) for call in calls]
    last = max(ends.values())
    return Shown(last, f"The last of {counted(requests, 'request')} was answered after {last:g} s.", lanes)


def _draw(shown: Shown, ghost: Shown | None, _: int) -> str:
    sheet = BarSheet(
        "Requests that arrive at once",
        shown.said,
        rows=[f"request {n:>2}" for n in range(1, len(shown.data) + 1)],
        x=(0, _MOST_REQUESTS * _MOST_SECONDS),
        x_ticks=[(s, f"{s} s") for s in range(0, _MOST_REQUESTS * _MOST_SECONDS + 1, 10)],
        legend=[_WAITS, _WORKS, *([GHOST] if ghost is not None else [])],
        room_for=_MOST_REQUESTS,
    )
    for row, (start, end) in enumerate(shown.data):
        sheet.bar(row, 0, start, _WAITS)
        sheet.bar(row, start, end, _WORKS, f"{end:g} s")
    for row, (_start, end) in enumerate(ghost.data if ghost is not None else ()):
        sheet.ghost(row, end)
    return str(sheet)


LESSON: Final = Lesson(
    title="Ten requests, five seconds each",
    question="{requests} requests reach one object at once; its handler {handler}, {seconds} s each."
    " After how many seconds is the last one answered?",
    unit="s",
    knobs={"requests": (1, _MOST_REQUESTS, 10), "seconds": (1, _MOST_SECONDS, 5), "handler": list(_HANDLERS)},
    run=_run,
    draw=_draw,
)
