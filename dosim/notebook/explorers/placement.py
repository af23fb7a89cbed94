"""Where an object lives: near whoever touched it first, for ever after."""

from __future__ import annotations

from typing import Any, Final

from dosim.network import HINTS
from dosim.notebook.explorers.bars import GHOST, BarSheet
from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.simulation import Simulation
from dosim.views.svg import Entry
from dosim.workers import DurableObject, Response, WorkerEntrypoint

_CITIES: Final = ["Tokyo", "Sydney", "Mumbai", "Frankfurt", "London", "São Paulo", "New York", "Los Angeles"]
_HINTS: Final = ["none", *HINTS]
_HIGHEST_MS: Final = 500
_REPEATED = Entry("area", "#0072B2", "every later request")
_ASKED = Entry("area", "#D55E00", "the one asked about")


class _Room(DurableObject):
    async def visit(self) -> None:
        return None


class _Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        hint = self.env.HINT
        options = {} if hint == "none" else {"locationHint": hint}
        await self.env.ROOM.getByName("room", **options).visit()
        return Response("welcome")


def placement() -> Any:
    """An explorer: who touches an object first, and what that costs everybody else."""
    return open_lesson(LESSON)


def _run(first_touch: str, hint: str, reader: str) -> Shown:
    sim = Simulation(_Door, durable_objects={"ROOM": _Room}, vars={"HINT": hint}, cold_start="0ms")
    sim.run(sim.client(first_touch).fetch("https://room.example/"))
    later = {city: sim.client(city).fetch("https://room.example/") for city in _CITIES}
    sim.run(*later.values())
    took = {city: (call.latency_us or 0) / 1000 for city, call in later.items()}
    home = sim.objects["room"]
    said = f"The room lives in {home.city} ({home.colo}): {reader} then waited {took[reader]:.0f} ms."
    return Shown(took[reader], said, (took, reader, home.city))


def _draw(shown: Shown, ghost: Shown | None, _: int) -> str:
    took, reader, home = shown.data
    sheet = BarSheet(
        f"A request to a room in {home}, by city",
        shown.said,
        rows=_CITIES,
        x=(0, _HIGHEST_MS),
        x_ticks=[(ms, f"{ms} ms") for ms in range(0, _HIGHEST_MS + 1, 100)],
        legend=[_REPEATED, _ASKED, *([GHOST] if ghost is not None else [])],
    )
    for row, (city, ms) in enumerate(took.items()):
        sheet.bar(row, 0, ms, _ASKED if city == reader else _REPEATED, f"{ms:.0f} ms")
        if ghost is not None:
            sheet.ghost(row, ghost.data[0][city])
    return str(sheet)


LESSON: Final = Lesson(
    title="Where it lives: the first touch decides",
    question="{first_touch} touches a new object first (location hint: {hint}). How long does every later request from"
    " {reader} take?",
    unit="ms",
    knobs={"first_touch": _CITIES, "hint": _HINTS, "reader": [*_CITIES[4:], *_CITIES[:4]]},
    run=_run,
    draw=_draw,
)
