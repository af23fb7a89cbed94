"""`workspace`: an object for each workspace, its projects in SQLite, migrations in the constructor, a monthly cleanup.

The object is there when it is asked, and nowhere in between: thirty days pass without it. The alarm brings it back.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from dosim.kernel.durations import duration_text
from dosim.platform.facts import EPOCH_MS
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation

DAYS: Final = 61
DAY_US: Final = 86_400_000_000
NAME: Final = "acme"


class Asked(NamedTuple):
    """One request: on which day, what, and the answer."""

    day: int
    request: str
    status: int
    answer: str


def run(*, seed: int | str = 0) -> Lesson:
    """Set a workspace up, use it for a day, and come back before and after its cleanups."""
    sim = Simulation.from_project(project("workspace"), seed=seed)
    asked = _two_months(sim, sim.client("Lisbon"))
    workspace = sim.objects[NAME]
    archived = [row["name"] for row in workspace.tables["projects"] if row["archived"]]
    lives = _lives(sim)
    bill = sim.bill()
    facts = {
        "asked": [one._asdict() for one in asked],
        "cleanups": sum(life["woken_by"] == "alarm" for life in lives),
        "archived": archived,
        "shown_on_day_31": json.loads(asked[-2].answer),
        "too_young_by_us": _too_young_by_us(sim),
        "migrations_applied": len(workspace.tables["versions"]),
        "lives": lives,
        "in_memory_us": sum(life["in_memory_us"] for life in lives),
        "list_price_usd": str(bill.usd),
        "billed_requests": int(bill.quantity("do_requests")),
        "records": sim.trace.count,
    }
    claim = (
        f"In {DAYS} days the workspace was in memory for {duration_text(facts['in_memory_us'])}, in {len(lives)} lives:"
        f" {len(asked)} requests came, {facts['cleanups']} alarms archived {len(archived)} projects, and in between"
        f" there was nothing. Its {facts['migrations_applied']} migrations ran once."
    )
    assumed = "an alarm starts at its moment; the documents allow it to be up to a minute late. Rows are an estimate."
    worlds = [World("workspace", sim)]
    return Lesson("workspace", claim, facts, _shown(facts, asked), worlds, seed, assumed, ("workspace",))


def _two_months(sim: Simulation, ann: Client) -> list[Asked]:
    """What is asked in two months; two cleanups come by themselves."""
    asked = [
        _ask(sim, ann, "GET", "/projects"),
        _ask(sim, ann, "POST", "/init", "ann"),
        _ask(sim, ann, "POST", "/init", "ann"),
        _ask(sim, ann, "POST", "/projects", "boat"),
        _ask(sim, ann, "POST", "/projects", "house"),
        _ask(sim, ann, "GET", "/projects"),
        _ask(sim, ann, "GET", "/nowhere"),
    ]
    sim.run(until="20d")
    asked.append(_ask(sim, ann, "POST", "/projects", "garden"))
    sim.run(until="31d")
    asked.append(_ask(sim, ann, "GET", "/projects"))
    sim.run(until=f"{DAYS}d")
    asked.append(_ask(sim, ann, "GET", "/projects"))
    sim.run(for_="1min")  # it leaves memory
    return asked


def _ask(sim: Simulation, client: Client, method: str, path: str, body: str | None = None) -> Asked:
    options: dict[str, Any] = {} if body is None else {"body": body}
    day = sim.now.us // DAY_US
    response = sim.run(client.fetch(f"https://{NAME}.work.example{path}", method=method, **options))
    said = f" {body!r}" if body is not None else ""
    return Asked(day, f"{method} {path}{said}", response.status, sim.run(response.text()))


def _lives(sim: Simulation) -> list[dict[str, Any]]:
    """Each stay in memory: from which moment, how long, and whether an alarm or a request brought it back."""
    found: list[dict[str, Any]] = []
    via = ""
    for record in sim.trace.of_kind("call", "construct", "evict"):
        if record.kind == "call":
            via = "alarm" if record.detail["via"] == "alarm" else "a request"
        elif record.kind == "construct":
            found.append({"day": record.t_us / DAY_US, "woken_by": via, "in_memory_us": -record.t_us})
        else:
            found[-1]["in_memory_us"] += record.t_us
    return found


def _too_young_by_us(sim: Simulation) -> int:
    """How much the oldest project was short of thirty days when the first cleanup came."""
    first = next(record.t_us for record in sim.trace.of_kind("call") if record.detail["via"] == "alarm")
    oldest_ms = min(int(row["created"]) for row in sim.objects[NAME].tables["projects"])
    return (oldest_ms - EPOCH_MS) * 1000 + 30 * DAY_US - first


def _shown(facts: dict[str, Any], asked: list[Asked]) -> list[Block]:
    requests = [(f"day {one.day}", one.request, one.status, one.answer) for one in asked]
    lives = [
        (f"day {life['day']:.0f}", life["woken_by"], duration_text(life["in_memory_us"])) for life in facts["lives"]
    ]
    return [
        table(("when", "request", "status", "answer"), requests, left=("request", "answer")),
        Paragraph(
            "Any name is a workspace: it exists as soon as somebody asks it, even to be told that there is none. So it"
            " keeps a row that says whether it was set up. The cleanup archives what is thirty days old and sets the"
            f" next alarm. On day 31 {', '.join(facts['shown_on_day_31'])} were still there: at the first cleanup the"
            f" oldest was {duration_text(facts['too_young_by_us'])} too young. A monthly cleanup finds things when they"
            " are one to two months old."
        ),
        Heading("its lives"),
        table(("from", "woken by", "in memory"), lives, left=("woken by",)),
        Paragraph(
            "An object that is idle leaves memory after ten seconds; each life began with a look at the table of"
            f" versions. At list prices the {DAYS} days cost ${facts['list_price_usd']}: {facts['billed_requests']}"
            " requests, alarms included, some rows, and no duration, since nothing that it does takes time here."
        ),
        Paragraph(
            f"The simulation needed {facts['records']} records for them: a month without events costs it nothing."
        ),
    ]
