"""`three-architectures`: functions with a database, one stateful server, an object for each document: one workload.

The functions lose updates, because reading and writing are two steps. The server loses none and is far from most. The
objects lose none and each is near to its own people.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

#: City -> its documents; each has so many people there, who edit it at the same moments.
DOCUMENTS: Final = {
    "Tokyo": ("tea", "rice"),
    "Paris": ("wine", "bread"),
    "São Paulo": ("coffee",),
    "New York": ("bagel",),
}
PEOPLE: Final = 3
ROUNDS: Final = 20
WAYS: Final = {
    "database": "functions and a database (D1)",
    "server": "one stateful server",
    "object": "a Durable Object for each document",
}
#: The stretch stands for this share of a month: a round a minute.
TIMES: Final = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way did with the workload; times are microseconds."""

    edits: int
    counted: int
    p50_us: int
    p95_us: int
    by_city_us: dict[str, tuple[int, int]]
    month_usd: float


def run(*, seed: int | str = 0) -> Lesson:
    """Run the same edits three ways."""
    worlds, found = [], {}
    for way, title in WAYS.items():
        sim = Simulation.from_project(project("three_architectures"), seed=seed)
        worlds.append(World(title, sim))
        found[way] = _measure(sim, way)
    lost = {way: outcome.edits - outcome.counted for way, outcome in found.items()}
    total = found["object"].edits
    claim = (
        f"Of {total} edits the functions with a database lost {lost['database']}, the server {lost['server']}, the"
        f" objects {lost['object']}. The median edit took {_ms(found['database'].p50_us)},"
        f" {_ms(found['server'].p50_us)} and {_ms(found['object'].p50_us)}."
    )
    rows = [(WAYS[way], lost[way], _ms(o.p50_us), _ms(o.p95_us), f"${o.month_usd:.2f}") for way, o in found.items()]
    cities = [(city, *(_both(outcome.by_city_us[city]) for outcome in found.values())) for city in DOCUMENTS]
    shown: list[Block] = [
        table(("", "lost updates", "p50", "p95", f"a month of {TIMES} such"), rows),
        table(("p50 and p95 from", *(WAYS[way] for way in found)), cities),
        Paragraph(
            "Database and server are where the first request came from; a statement that adds in the database"
            " (edits = edits + 1) would lose nothing either, and is not always possible. No object lives in South"
            f" America: São Paulo's is in {worlds[-1].sim.objects['coffee'].city}."
        ),
    ]
    facts = {
        "edits": total,
        "lost_updates": lost,
        "p50_us": {way: outcome.p50_us for way, outcome in found.items()},
        "p95_us": {way: outcome.p95_us for way, outcome in found.items()},
        "p50_and_p95_us_by_city": {way: outcome.by_city_us for way, outcome in found.items()},
        "month_usd": {way: outcome.month_usd for way, outcome in found.items()},
    }
    assumed = "service times of D1 (dosim/bindings/d1_store.py); read replicas are not simulated."
    projects = ("three_architectures",)
    return Lesson("three-architectures", claim, facts, shown, worlds, seed, assumed, projects)


def _measure(sim: Simulation, way: str) -> Outcome:
    """Everybody edits once a minute; what was counted, and how long each edit took."""
    sim.run(sim.env.DB.exec("CREATE TABLE documents (name TEXT PRIMARY KEY, edits INTEGER)"))
    for name in (name for names in DOCUMENTS.values() for name in names):
        sim.run(sim.env.DB.prepare("INSERT INTO documents VALUES (?, 0)").bind(name).run())
    start = sim.bill()  # the table is made once, not every month
    calls: list[tuple[str, Any]] = []

    async def edit(city: str, document: str) -> None:
        client = sim.client(city)
        for _ in range(ROUNDS):
            call = client.fetch(f"https://docs.example/{way}/{document}")
            calls.append((city, call))
            await call
            await asyncio.sleep(60 - sim.world.loop.time() % 60)  # the next full minute, together with the others

    people = [edit(city, name) for city, names in DOCUMENTS.items() for name in names for _ in range(PEOPLE)]
    sim.run(*people)
    latencies_us = [call.latency_us for _, call in calls]
    by_city = {city: [call.latency_us for at, call in calls if at == city] for city in DOCUMENTS}
    p50_us, p95_us = _percentiles(latencies_us)
    return Outcome(
        edits=len(calls),
        counted=sum(_counted(sim, way, name) for names in DOCUMENTS.values() for name in names),
        p50_us=p50_us,
        p95_us=p95_us,
        by_city_us={city: _percentiles(found) for city, found in by_city.items()},
        month_usd=float(sim.bill(since=start).per_month(times=TIMES).usd),
    )


def _counted(sim: Simulation, way: str, document: str) -> int:
    """How many edits of a document are kept."""
    if way == "object":
        kept: int = sim.objects[document].storage["edits"]
    elif way == "server":
        kept = sim.objects["the server"].storage[document]
    else:
        query = sim.env.DB.prepare("SELECT edits FROM documents WHERE name = ?").bind(document)
        kept = sim.run(query.first("edits"))
    return kept


def _percentiles(latencies_us: list[int]) -> tuple[int, int]:
    """The median and the 95th percentile."""
    found = sorted(latencies_us)
    return found[len(found) // 2], found[len(found) * 95 // 100]


def _both(us: tuple[int, int]) -> str:
    return f"{us[0] / 1000:.0f}, {_ms(us[1])}"


def _ms(us: int) -> str:
    return f"{us / 1000:.0f} ms"
