"""One object under rising load: where its latency bends, beside what M/D/1 says."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

from dosim.kernel.cpu import cpu
from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.simulation import Simulation
from dosim.views.svg import Entry, Sheet
from dosim.views.theory import mean_wait_us
from dosim.workers import DurableObject

_SERVICE_MS: Final = 10
_HIGHEST_MS: Final = 150
_LOADS: Final = range(1, 97)
_THEORY = Entry("line", "#0072B2", "M/D/1 says", (6, 3))
_MEAN = Entry("o", "#D55E00", "measured mean")
_P99 = Entry("^", "#CC79A7", "slowest hundredth")
_GHOST = Entry("s", "#8C8C8C", "pinned run")


class _Computes(DurableObject):
    async def serve(self) -> None:
        cpu(f"{_SERVICE_MS}ms")


def saturation() -> Any:
    """An explorer: requests at random moments, and how long they take as their number grows."""
    return open_lesson(LESSON)


def _run(load_percent: int, requests: int, luck: int) -> Shown:
    sim = Simulation(durable_objects={"DESK": _Computes}, network=None)
    desk, chance, rate = sim.env.DESK.getByName("desk"), random.Random(luck), load_percent / 100 / _SERVICE_MS * 1000

    async def arrive() -> None:
        for _ in range(requests):
            await asyncio.sleep(chance.expovariate(rate))
            desk.serve()

    sim.run(arrive())
    sim.run()
    began = {record.request: record.t_us for record in sim.trace.of_kind("call")}
    took = sorted((record.t_us - began[record.request]) / 1000 for record in sim.trace.of_kind("result"))
    mean, p99 = sum(took) / len(took), took[len(took) * 99 // 100]
    said = f"At {load_percent} % of what it can do a request took {mean:.1f} ms on average, of which 10 ms is work"
    if load_percent < 100:
        theory = _theory_ms(load_percent)
        said += f"; M/D/1 says {theory:.1f} ms. The slowest hundredth took at least {p99:.0f} ms."
    else:
        said += ". There is no steady state: the line grows as long as requests come."
    return Shown(mean, said, (load_percent, mean, p99))


def _theory_ms(load_percent: int) -> float:
    """Mean time in the system, wait and service."""
    return _SERVICE_MS + mean_wait_us("M/D/1", _SERVICE_MS * 1000, load_percent / 100) / 1000


def _draw(shown: Shown, ghost: Shown | None, _: int) -> str:
    sheet = Sheet(
        "How long a request takes, by load",
        shown.said,
        x=(0, 120),
        y=(0, _HIGHEST_MS),
        x_ticks=[(load, f"{load} %") for load in range(0, 121, 20)],
        y_ticks=[(ms, f"{ms} ms") for ms in range(0, _HIGHEST_MS + 1, 50)],
        legend=[_THEORY, _MEAN, _P99, *([_GHOST] if ghost is not None else [])],
    )
    points = [(load, _theory_ms(load)) for load in _LOADS]
    sheet.curve([(load, ms) for load, ms in points if ms <= _HIGHEST_MS], _THEORY)
    for one, mean_entry, p99_entry in ((ghost, _GHOST, _GHOST), (shown, _MEAN, _P99)):
        if one is not None:
            load, mean, p99 = one.data
            sheet.mark(load, min(p99, _HIGHEST_MS), p99_entry)
            sheet.mark(load, min(mean, _HIGHEST_MS), mean_entry)
    return str(sheet)


LESSON: Final = Lesson(
    title="The knee: one object under load",
    question="A request needs 10 ms of computation. {requests} come at random moments, {load_percent} % of what one"
    " object can do. How long does one take on average?",
    unit="ms",
    knobs={"load_percent": (5, 120, 50), "requests": (100, 5000, 2000), "luck": (1, 9, 1)},
    run=_run,
    draw=_draw,
    slow=True,
)
