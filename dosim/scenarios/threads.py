"""`threads`: a parent that keeps the index, and a child for each thread; against one giant object for all of them.

Listing wakes no child. And fifty people who post in a hundred threads do not wait for one another, unless one object has
to do it all.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

USERS: Final = 50
THREADS: Final = 100
CITIES: Final = ("Lyon", "Paris", "Brussels")
WAYS: Final = {"giant": "one giant object", "each": "an object for each thread"}


def run(*, seed: int | str = 0) -> Lesson:
    """Make, list and delete threads; then let everybody post at the same instant, in two ways."""
    family, steps = _family(seed)
    worlds, rows, found = [World("parent and children", family)], [], {}
    for way, title in WAYS.items():
        sim = Simulation.from_project(project("threads"), seed=seed)
        fact = _measure(sim, way)
        found[way] = fact
        worlds.append(World(title, sim))
        rows.append((title, *(f"{fact[name] / 1000:.1f} ms" for name in ("p50_us", "p99_us", "waiting_us"))))
    claim = (
        f"{USERS} people post in {THREADS} threads at the same instant: in one giant object the median post takes"
        f" {found['giant']['p50_us'] / 1000:.0f} ms, of which {found['giant']['waiting_us'] / 1000:.0f} ms are waiting; with"
        f" an object for each thread {found['each']['p50_us'] / 1000:.0f} ms. Listing {steps['listed']} threads woke"
        f" {steps['woken_by_listing']} of them."
    )
    shown: list[Block] = [
        table(("", "p50", "p99", "median waiting"), rows),
        Heading("parent and children"),
        table(("", ""), [(name.replace("_", " "), value) for name, value in steps.items()]),
    ]
    facts = {"latency": found, "steps": steps}
    return Lesson("threads", claim, facts, shown, worlds, seed, "a post computes for 5 ms.", ("threads",))


def _family(seed: int | str) -> tuple[Simulation, dict[str, int]]:
    """Ten threads, a listing after an hour, a deletion."""
    sim = Simulation.from_project(project("threads"), seed=seed)
    workspace = sim.env.WORKSPACE.getByName("acme")
    for number in range(10):
        sim.run(workspace.createThread(f"thread {number}"))
    sim.run(for_="1h")
    before = len(sim.trace.of_kind("construct"))
    listed = len(sim.run(workspace.listThreads()))
    woken = len(sim.trace.of_kind("construct")) - before - 1  # the parent itself
    sim.run(workspace.deleteThread(3))
    return sim, {
        "listed": listed,
        "woken_by_listing": woken,
        "listed_after_deleting_one": len(sim.run(workspace.listThreads())),
        "entries_left_in_it": len(sim.objects["acme/3"].storage),
    }


def _measure(sim: Simulation, way: str) -> dict[str, Any]:
    """Latencies of one post in each thread, when everything is warm."""
    clients = [sim.client(CITIES[user % len(CITIES)]) for user in range(USERS)]
    for _ in range(2):
        urls = [f"https://threads.example/{way}/{thread}" for thread in range(THREADS)]
        calls = [clients[number % USERS].fetch(url) for number, url in enumerate(urls)]
        sim.run(*calls)
    latencies_us = sorted(call.latency_us or 0 for call in calls)
    waits_us = sorted(sim.explain(call).parts_us.get("waiting at the input gate", 0) for call in calls)
    return {
        "p50_us": latencies_us[THREADS // 2],
        "p99_us": latencies_us[THREADS * 99 // 100],
        "waiting_us": waits_us[THREADS // 2],
    }
