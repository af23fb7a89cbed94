"""`knee-and-shards`: where one object's latency bends, and how far shards move that point.

An object handles one turn at a time, so a turn of a millisecond of computation caps it at a thousand a second. Near the
cap waiting grows without bound, as M/D/1 says: half of rho / (1 - rho) service times on the average.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

from dosim.kernel.durations import duration_text
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.trace import segments
from dosim.trace.segments import by_request

SERVICE_US: Final = 1_000
#: Requests of one measurement, of which the first tenth is left out.
REQUESTS: Final = 1_500
#: Offered load of one object, as a share of what it can do.
LOADS: Final = (0.2, 0.5, 0.8, 0.9, 0.95, 1.1)
#: Shards, under the load that is too much for one object.
SHARDS: Final = (1, 2, 4, 8)
_TOO_MUCH: Final = 1.1
_NEAR: Final = (0.8, 0.95)


def run(*, seed: int | str = 0) -> Lesson:
    """Measure one object under rising load, then the load that was too much for it over more and more shards."""
    worlds = [World(f"one object at {load:.0%}", _offer(load, 1, seed)) for load in LOADS]
    sharded = [World(f"{shards} shards at {_TOO_MUCH:.0%}", _offer(_TOO_MUCH, shards, seed)) for shards in SHARDS[1:]]
    singles = {load: _waits_us(world.sim) for load, world in zip(LOADS, worlds, strict=True)}
    spread = dict(zip(SHARDS, (singles[_TOO_MUCH], *(_waits_us(world.sim) for world in sharded)), strict=True))
    rows = [
        (f"{load:.0%}", f"{load / SERVICE_US * 1e6:.0f}", *_cells(waits), _theory(load))
        for load, waits in singles.items()
    ]
    slow, slower = (_mean(singles[load]) for load in _NEAR)
    claim = (
        f"An object whose requests compute for {duration_text(SERVICE_US)} can do {1e6 / SERVICE_US:.0f} a second."
        f" At {_NEAR[0]:.0%} of that a request waits {duration_text(round(slow))} on the average, at {_NEAR[1]:.0%}"
        f" {duration_text(round(slower))}, beyond it ever longer; over {SHARDS[-1]} shards the same load waits"
        f" {duration_text(round(_mean(spread[SHARDS[-1]])))}."
    )
    shown: list[Block] = [
        Heading("one object"),
        table(("load", "requests/s", "mean wait", "p50", "p99", "M/D/1 mean"), rows),
        Heading(f"{_TOO_MUCH:.0%} of one object's capacity, over shards"),
        table(("shards", "mean wait", "p50", "p99"), [(shards, *_cells(waits)) for shards, waits in spread.items()]),
        Paragraph(
            "Cloudflare documents a soft limit of about 1,000 requests a second for one object; here it follows from"
            " the length of a turn."
        ),
    ]
    facts = {
        "service_us": SERVICE_US,
        "mean_wait_us_by_load": {str(load): _mean(waits) for load, waits in singles.items()},
        "mean_wait_us_by_shards": {str(shards): _mean(waits) for shards, waits in spread.items()},
    }
    assumed = "requests arrive at random (Poisson); a shard is chosen by a hash of the key."
    return Lesson(
        "knee-and-shards", claim, facts, shown, [*worlds, *sharded], seed, assumed, ("knee_and_shards",)
    )  # fmt: skip


def _offer(load: float, shards: int, seed: int | str) -> Simulation:
    """Requests at random moments, `load` of what one object can do, without distances."""
    sim = Simulation.from_project(project("knee_and_shards"), seed=seed, network=None)
    arrivals = random.Random(f"{seed} arrivals")
    client = sim.client()

    async def come() -> list[Any]:
        calls = []
        for number in range(REQUESTS):
            await asyncio.sleep(arrivals.expovariate(load / SERVICE_US * 1e6))
            calls.append(client.fetch(f"https://count.example/?key=user{number}&shards={shards}"))
        return [await call for call in calls]

    sim.run(come())
    return sim


def _waits_us(sim: Simulation) -> list[int]:
    """How long each request waited for its object, microseconds, without the first tenth."""
    index = by_request(sim.trace)
    requests = [record.request for record in sim.trace.of_kind("send")][REQUESTS // 10 :]
    return sorted(
        sum(part.duration_us for part in segments(sim.trace, request, index=index) if part.state == "input gate")
        for request in requests
    )


def _mean(waits_us: Sequence[int]) -> float:
    return sum(waits_us) / len(waits_us)


def _cells(waits_us: Sequence[int]) -> tuple[str, str, str]:
    """Mean, median and 99th percentile as texts."""
    marks = (_mean(waits_us), waits_us[len(waits_us) // 2], waits_us[len(waits_us) * 99 // 100])
    return tuple(f"{mark / 1000:.2f} ms" for mark in marks)  # type: ignore[return-value]


def _theory(load: float) -> str:
    """The mean wait of M/D/1 (Pollaczek-Khinchine)."""
    return f"{load * SERVICE_US / (2 * (1 - load)) / 1000:.2f} ms" if load < 1 else "no end"
