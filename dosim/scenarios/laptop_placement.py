"""`laptop-placement`: an object lives near to whoever touched it first, for ever.

A developer in Sydney opens the board of a European team once, to see that it works. From then on everybody in Europe
pays the way to Sydney. A location hint helps only if it comes with the very first touch.
"""

from __future__ import annotations

from typing import Final

from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

LAPTOP: Final = "Sydney"
USERS: Final = ("London", "Paris", "Berlin", "Madrid")
#: Way -> who touches the board first, with which hint; and the hint with which the users ask.
WAYS: Final = {
    "first touched from the laptop": (LAPTOP, "", ""),
    "first touched by a user": (USERS[0], "", ""),
    "from the laptop, with a hint": (LAPTOP, "weur", ""),
    "from the laptop; users hint later": (LAPTOP, "", "weur"),
}
VISITS: Final = 21


def run(*, seed: int | str = 0) -> Lesson:
    """The same users on the same board, touched first in four ways."""
    worlds, homes, medians = [], {}, {}
    for way, (first, hint, later) in WAYS.items():
        sim = Simulation.from_project(project("laptop_placement"), seed=seed)
        _ask(sim, first, hint)
        medians[way] = {city: _median_us(sim, city, later) for city in USERS}
        homes[way] = sim.objects["board"].city
        worlds.append(World(way, sim))
    laptop, user, hinted, late = (max(found.values()) / 1000 for found in medians.values())
    claim = (
        f"Touched first from a laptop in {LAPTOP}, the board answers Europe in up to {laptop:.0f} ms; touched first by"
        f" a user, in up to {user:.0f} ms. A hint with the first touch helps ({hinted:.0f} ms), a later one changes"
        f" nothing ({late:.0f} ms)."
    )
    rows = [(way, homes[way], *(f"{us / 1000:.1f} ms" for us in found.values())) for way, found in medians.items()]
    shown: list[Block] = [
        table(("", "the board lives in", *USERS), rows, left=("the board lives in",)),
        Paragraph(f"Medians of {VISITS} visits from each city, when the board and the Worker are warm."),
    ]
    facts = {"homes": homes, "median_us": medians}
    return Lesson("laptop-placement", claim, facts, shown, worlds, seed, "", ("laptop_placement",))


def _ask(sim: Simulation, city: str, hint: str) -> int:
    """One visit; its latency, microseconds."""
    call = sim.client(city).fetch("https://team.example/board" + (f"?hint={hint}" if hint else ""))
    sim.run(call)
    return call.latency_us or 0


def _median_us(sim: Simulation, city: str, hint: str) -> int:
    """The median of a user's visits, without the first."""
    _ask(sim, city, hint)
    return sorted(_ask(sim, city, hint) for _ in range(VISITS))[VISITS // 2]
