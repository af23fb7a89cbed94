"""`workspace`: an object for each workspace, its projects in SQLite, migrations in the constructor, a monthly cleanup.

The object is there when it is asked, and nowhere in between: thirty days pass without it.
"""

from __future__ import annotations

from typing import Any

from dosim.kernel.durations import duration_text
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation


def run(*, seed: int | str = 0) -> Lesson:
    """Set a workspace up, use it for a day, and come back after its cleanup."""
    sim = Simulation.from_project(project("workspace"), seed=seed)
    ann = sim.client("Lisbon")
    rows = [
        _ask(sim, ann, "GET", "/projects"),
        _ask(sim, ann, "POST", "/init"),
        _ask(sim, ann, "POST", "/init"),
        _ask(sim, ann, "POST", "/projects", "boat"),
        _ask(sim, ann, "POST", "/projects", "house"),
        _ask(sim, ann, "GET", "/projects"),
        _ask(sim, ann, "GET", "/nowhere"),
    ]
    sim.run(for_="20d")
    rows.append(_ask(sim, ann, "POST", "/projects", "garden"))
    events_before = sim.trace.count
    sim.run(until="61d")
    alarms = [record for record in sim.trace.of_kind("call") if record.detail["via"] == "alarm"]
    rows.append(_ask(sim, ann, "GET", "/projects"))
    awake_us = _awake_us(sim)
    versions = sim.objects["default"].tables["versions"]
    claim = (
        f"In 61 days the workspace was in memory for {duration_text(awake_us)}, in"
        f" {sim.objects['default'].instance} lives: {len(rows)} requests, {len(alarms)} alarms, and nothing in between. Its {len(versions)} migrations ran once."
    )
    shown: list[Block] = [
        table(("when", "request", "status", "answer"), rows, left=("request", "answer")),
        Heading("what the cleanup did"),
        Paragraph(
            "Projects older than thirty days were archived by an alarm that set itself again; nobody had to ask. The"
            f" {sim.trace.count - events_before} records of the last forty days are the alarms and the last request."
        ),
    ]
    facts = {
        "answers": [[request, status, body] for _, request, status, body in rows],
        "alarms": len(alarms),
        "lives": sim.objects["default"].instance,
        "in_memory_us": awake_us,
        "migrations": len(versions),
    }
    return Lesson("workspace", claim, facts, shown, [World("workspace", sim)], seed, "", ("workspace",))


def _ask(sim: Simulation, client: Client, method: str, path: str, body: str | None = None) -> tuple[str, str, int, str]:
    """One request: when, what, the status and the answer."""
    options: dict[str, Any] = {} if body is None else {"body": body}
    response = sim.run(client.fetch(f"https://work.example{path}", method=method, **options))
    day = sim.now.us // 86_400_000_000
    said = f" {body!r}" if body is not None else ""
    return f"day {day}", f"{method} {path}{said}", response.status, sim.run(response.text())


def _awake_us(sim: Simulation) -> int:
    """How long the object was in memory, microseconds."""
    began, total_us = 0, 0
    for record in sim.trace.of_kind("construct", "evict"):
        if record.kind == "construct":
            began = record.t_us
        else:
            total_us += record.t_us - began
    return total_us
