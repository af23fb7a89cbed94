"""`crash-before-flush`: `await put()` has returned and the machine is gone: the write is lost, and nobody was told it.

The output gate holds the answer until the write is confirmed elsewhere. A crash in between loses both; a crash after it
loses neither, though the caller may not hear of it.
"""

from __future__ import annotations

from typing import Final

from dosim.kernel.durations import duration_text
from dosim.scenarios.blocks import Block, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

#: The crash comes so long after the handler's `put` has returned.
MOMENTS: Final = ("1ms", "4ms", "6ms", "100ms")


def run(*, seed: int | str = 0) -> Lesson:
    """Run the scenario once for each moment of the crash."""
    worlds, rows, kept = [], [], []
    for moment in MOMENTS:
        sim = Simulation.from_project(project("crash_before_flush"), seed=seed, show_output=False)
        told, balance = _story(sim, moment)
        worlds.append(World(f"crash {moment} after put", sim))
        kept.append({"crash_after": moment, "told": told, "balance_after": balance})
        rows.append((moment, told, balance, "lost" if balance == 10 else "kept"))
    confirm_us = Simulation(seed=seed).world.platform.confirm_us
    seen = [row for row in kept if row["told"] == "20"]
    claim = (
        f"`await put()` returned in all {len(rows)} runs, and in {sum(row[3] == 'lost' for row in rows)} of them the"
        f" crash took the write with it: a write is confirmed {duration_text(confirm_us)} after its turn, and until"
        " then no answer leaves. Nobody was told of a write that was lost."
    )
    assert all(row["balance_after"] == 20 for row in seen)
    shown: list[Block] = [
        table(("crash after put", "the client was told", "balance afterwards", "the write"), rows, left=("the write",)),
        Paragraph("The first deposit, confirmed long before, is there in every run: 10."),
    ]
    assumed = f"{duration_text(confirm_us)} until a write is confirmed; nothing is published."
    facts = {"confirm_us": confirm_us, "runs": kept}
    return Lesson("crash-before-flush", claim, facts, shown, worlds, seed, assumed, ("crash_before_flush",))


def _story(sim: Simulation, moment: str) -> tuple[str, int]:
    """Deposit, deposit and crash in the middle; what the client was told, and what is there afterwards."""
    client = sim.client("Tokyo")
    sim.run(client.fetch("https://bank.example/deposit"))
    said = len(sim.trace.of_kind("log"))
    call = client.fetch("https://bank.example/deposit")
    while len(sim.trace.of_kind("log")) == said:  # until put has returned
        sim.step()
    sim.run(for_=moment)
    sim.crash("ann")
    response = sim.run(call)
    told = str(sim.run(response.json())["balance"]) if response.ok else f"an error ({response.status})"
    after = sim.run(client.fetch("https://bank.example/balance"))
    return told, sim.run(after.json())["balance"]
