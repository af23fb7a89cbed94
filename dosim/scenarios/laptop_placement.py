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
CITIES: Final = (*USERS, LAPTOP)
#: Way -> who touches the board first, with which hint; and the hint with which the users ask.
WAYS: Final = {
    "first touched from the laptop": (LAPTOP, "", ""),
    "first touched by a user": (USERS[0], "", ""),
    "from the laptop, with a hint": (LAPTOP, "weur", ""),
    "from the laptop; users hint later": (LAPTOP, "", "weur"),
}
#: Visits from each city that are measured; in the worlds that are drawn there is one.
VISITS: Final = 21


def run(*, seed: int | str = 0) -> Lesson:
    """The same users on the same board, touched first in four ways."""
    worlds, homes, medians = [], {}, {}
    for way, (first, hint, later) in WAYS.items():
        drawn, sim = (Simulation.from_project(project("laptop_placement"), seed=seed) for _ in range(2))
        for each, visits in ((drawn, 1), (sim, VISITS)):
            _ask(each, first, hint)
            medians[way] = {city: _median_us(each, city, later * (city in USERS), visits) for city in CITIES}
        homes[way] = sim.objects["board"].city
        worlds.append(World(way, drawn))
    laptop, user, hinted, late = (max(found[city] for city in USERS) / 1000 for found in medians.values())
    from_laptop, *_, late_hint = WAYS
    stayed = homes[late_hint] == homes[from_laptop]
    claim = (
        f"Touched first from a laptop in {LAPTOP}, the board answers Europe in up to {laptop:.0f} ms; touched first by"
        f" a user, in up to {user:.0f} ms. A hint with the first touch makes it {hinted:.0f} ms, even from {LAPTOP}; a"
        f" later one {'changes nothing' if stayed else 'moves it'} ({late:.0f} ms)."
    )
    rows = [(way, homes[way], *(f"{us / 1000:.1f} ms" for us in found.values())) for way, found in medians.items()]
    shown: list[Block] = [
        table(("", "the board lives in", *CITIES), rows, left=("the board lives in",)),
        Paragraph(
            f"Medians of {VISITS} visits from each city, when the board and the Worker are warm. Whoever builds"
            f" the board in {LAPTOP} sees {medians[from_laptop][LAPTOP] / 1000:.0f} ms there, and nothing wrong."
        ),
    ]
    facts = {"homes": homes, "median_us": medians}
    assumed = (
        "delays follow the cables of the map. A hint names a region; of its colos that host objects the nearest to the"
        " first request is taken, which here is the one that the cables from the laptop reach first."
    )
    return Lesson("laptop-placement", claim, facts, shown, worlds, seed, assumed, ("laptop_placement",))


def _ask(sim: Simulation, city: str, hint: str) -> int:
    """One visit; its latency, microseconds."""
    call = sim.client(city).fetch("https://team.example/board" + (f"?hint={hint}" if hint else ""))
    sim.run(call)
    return call.latency_us or 0


def _median_us(sim: Simulation, city: str, hint: str, visits: int) -> int:
    """The median of somebody's visits, without the first."""
    _ask(sim, city, hint)
    return sorted(_ask(sim, city, hint) for _ in range(visits))[visits // 2]
