"""`identity`: every name is an object: a typo does not fail, it makes a new, empty one.

An id says which object, never whether anybody has set it up. The object itself has to know.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation


def run(*, seed: int | str = 0) -> Lesson:
    """Set one workspace up, ask for it rightly and with a typo, and look at names and ids."""
    sim = Simulation.from_project(project("identity"), seed=seed)
    client = sim.client("Paris")

    def get(path: str) -> tuple[int, Any]:
        response = sim.run(client.fetch(f"https://app.example/{path}"))
        return response.status, sim.run(response.json())

    rows = []
    for kind in ("careless", "workspace"):
        first, again = get(f"{kind}/acme/init"), get(f"{kind}/acme/init")
        right, typo = get(f"{kind}/acme/projects"), get(f"{kind}/acmee/projects")
        rows.append((kind, first[1]["new"], again[1]["new"], *(f"{status} {body}" for status, body in (right, typo))))
    objects = len(sim.objects)
    typo_status = {row[0]: row[4][:3] for row in rows}
    claim = (
        f"A name with a typo is an object like any other: after two names and a typo in each class there are {objects}"
        f" objects. The class that takes this for granted answers the typo with status {typo_status['careless']} and an"
        f" empty list; the one that knows whether it was set up answers {typo_status['workspace']}."
    )
    names = _names(sim)
    shown: list[Block] = [
        table(("class", "init says", "init again says", "GET acme", "GET acmee (a typo)"), rows),
        Heading("which object is it?"),
        table(("the same object?", "", "ctx.id.name inside"), [(what, _yes(same), name) for what, same, name in names]),
        Paragraph("An id compares with .equals(); in Python == is False for two proxies of one id."),
    ]
    facts = {
        "objects": objects,
        "typo_status": typo_status,
        "same": {what: same for what, same, _ in names},
        "name_inside": {what: name for what, _, name in names},
    }
    return Lesson("identity", claim, facts, shown, [World("identity", sim)], seed, "", ("identity",))


def _names(sim: Simulation) -> list[tuple[str, bool, str]]:
    """(question, whether it is one object, the name that the object itself sees)."""
    space, careless = sim.env.WORKSPACE, sim.env.CARELESS
    acme = space.idFromName("acme")
    by_hex, fresh = space.idFromString(str(acme)), space.idFromName("fresh")
    hidden = space.idFromString(str(fresh))
    return [
        ("the same name twice", acme.equals(space.idFromName("acme")), _inside(sim, acme)),
        ("its 64 hex digits", acme.equals(by_hex), _inside(sim, by_hex)),
        ("a new one, first reached by its digits", fresh.equals(hidden), _inside(sim, hidden)),
        ("the same name in another class", acme.equals(careless.idFromName("acme")), "not asked"),
        ("the same name in the EU", acme.equals(space.jurisdiction("eu").idFromName("acme")), "not asked"),
        ("a new unique id", acme.equals(space.newUniqueId()), "not asked"),
    ]


def _inside(sim: Simulation, object_id: Any) -> str:
    """What `ctx.id.name` is in the object."""
    return str(sim.run(sim.env.WORKSPACE.get(object_id).who()))


def _yes(same: bool) -> str:
    return "yes" if same else "no"
