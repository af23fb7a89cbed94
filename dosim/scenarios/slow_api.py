"""`slow-api`: ten requests meet an object that needs five seconds of a service outside.

Behind blockConcurrencyWhile the last one waits for all the others. Awaited plainly nobody waits, and what was read
before the wait is old after it. Queued, everybody is answered at once and the work is done beside.
"""

from __future__ import annotations

from typing import Final

from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

REQUESTS: Final = 10
WAYS: Final = {
    "BLOCKING": "behind blockConcurrencyWhile",
    "AWAITING": "awaited",
    "QUEUED": "queued, answered at once",
}


def run(*, seed: int | str = 0) -> Lesson:
    """Ten requests at the same instant, in three ways."""
    worlds, rows, found = [], [], {}
    for way, title in WAYS.items():
        sim = Simulation.from_project(project("slow_api"), seed=seed)
        service = sim.external("https://slow.example", lambda request: "a report", latency="5s")
        client = sim.client("Paris")
        desk = getattr(sim.env, way).getByName("desk")
        sim.run(desk.made())  # the desk is awake
        calls = [client.fetch(f"https://app.example/{way}") for _ in range(REQUESTS)]
        sim.run(*calls)
        latencies_s = sorted((call.latency_us or 0) / 1e6 for call in calls)
        sim.run()  # what was queued is done
        done_s = service.requests[-1].at_us / 1e6
        made = sim.run(desk.made())
        worlds.append(World(title, sim))
        found[way] = {"first_s": latencies_s[0], "last_s": latencies_s[-1], "counted": made, "all_done_s": done_s}
        rows.append(
            (title, f"{latencies_s[0]:.2f} s", f"{latencies_s[-1]:.2f} s", f"{done_s:.1f} s", f"{made} of {REQUESTS}")
        )
    claim = (
        f"Ten requests of five seconds: behind blockConcurrencyWhile the last is answered after"
        f" {found['BLOCKING']['last_s']:.1f} s; awaited, all after {found['AWAITING']['last_s']:.1f} s, but only"
        f" {found['AWAITING']['counted']} of {REQUESTS} is counted; queued, all after"
        f" {found['QUEUED']['last_s']:.2f} s, and {found['QUEUED']['counted']} are."
    )
    columns = ("", "first answer", "last answer", "last report made", "counted in the end")
    shown: list[Block] = [
        table(columns, rows),
        Paragraph(
            "That ten such requests take fifty seconds is true only where the gate is kept closed. An await lets the"
            " others in: nobody waits, and whoever read before the await writes an old value after it."
        ),
    ]
    return Lesson("slow-api", claim, found, shown, worlds, seed, "service times of Queues.", ("slow_api",))
