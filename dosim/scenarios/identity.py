"""`identity`: every name is an object: a typo does not fail, it makes a new, empty one.

An id says which object, never whether anybody has set it up. The object itself has to know.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation

NAME: Final = "acme"
TYPO: Final = "acmee"
#: What somebody does who makes a workspace, mistypes its name once, and looks for what was written.
STEPS: Final = (
    ("POST", NAME, "init", "ann"),
    ("POST", NAME, "projects", "boat"),
    ("POST", TYPO, "projects", "house"),
    ("GET", TYPO, "projects", None),
    ("GET", NAME, "projects", None),
    ("POST", NAME, "init", "ben"),
)
KINDS: Final = ("careless", "workspace")


def run(*, seed: int | str = 0) -> Lesson:
    """Use a workspace with a typo, in a class that checks and one that does not; then look at names and ids."""
    sim = Simulation.from_project(project("identity"), seed=seed)
    client = sim.client("Paris")
    steps = [_step(sim, client, step) for step in STEPS]
    stored = {kind: len(sim.objects[f"{kind.title()}({TYPO!r})"].storage) for kind in KINDS}
    objects = len(sim.objects)
    facts = {"steps": steps, "objects": objects, "entries_stored_by_typo": stored, "reached": _reached(seed)}
    write, read = steps[2], steps[4]
    claim = (
        f"A mistyped name is an object like any other: two names in two classes made {objects} objects. The class that"
        f" takes itself for granted answers a write to the typo with {write['careless']['status']}, keeps it"
        f" ({stored['careless']} entry), and {NAME} lists {read['careless']['body']}; the class that knows whether it"
        f" was set up answers {write['workspace']['status']} and keeps {stored['workspace'] or 'nothing'}."
    )
    assumed = (
        "what ctx.id.name is was recorded on the local runtime, which has no jurisdictions; that a jurisdiction makes"
        " another object of the same name is documented."
    )
    return Lesson("identity", claim, facts, _shown(facts), [World("identity", sim)], seed, assumed, ("identity",))


def _step(sim: Simulation, client: Client, step: tuple[str, str, str, str | None]) -> dict[str, Any]:
    """The same request to both classes."""
    method, name, action, body = step
    said = f" {body!r}" if body is not None else ""
    answers = {kind: _ask(sim, client, f"{kind}/{name}/{action}", method, body) for kind in KINDS}
    return {"request": f"{method} {name}/{action}{said}", **answers}


def _ask(sim: Simulation, client: Client, path: str, method: str = "GET", body: str | None = None) -> dict[str, Any]:
    options: dict[str, Any] = {} if body is None else {"body": body}
    response = sim.run(client.fetch(f"https://app.example/{path}", method=method, **options))
    return {"status": response.status, "body": sim.run(response.text())}


# -- names and ids


def _reached(seed: int | str) -> list[dict[str, Any]]:
    """Ways to an object: whether it is acme, and what the Worker's id and the object itself know of the name."""
    sim = Simulation.from_project(project("identity"), seed=seed)
    client = sim.client("Paris")
    _ask(sim, client, f"workspace/{NAME}/init", "POST", "ann")
    space = sim.env.WORKSPACE
    acme, other = space.idFromName(NAME), sim.env.CARELESS.idFromName(NAME)
    digits = space.idFromString(str(acme))
    unique = space.newUniqueId()

    def way(words: str, path: str, object_id: Any) -> dict[str, Any]:
        names = sim.run(client.fetch(f"https://app.example/{path}/names"))
        same = bool(acme.equals(object_id))
        return {"way": words, "same": same, "id_name": object_id.name, **sim.run(names.json())}

    by_name, by_digits = f"workspace/{NAME}", f"digits/{acme}"
    found = [
        way("by its name", by_name, acme),
        way("by its 64 digits, while it is in memory", by_digits, digits),
    ]
    sim.run(for_="1min")  # it leaves memory
    return [
        *found,
        way("by its digits, which wakes it", by_digits, digits),
        way("by its name, while that life lasts", by_name, acme),
        way("the name in the EU", f"eu/{NAME}", space.jurisdiction("eu").idFromName(NAME)),
        way("a new unique id", f"digits/{unique}", unique),
        {"way": "the name in another class", "same": bool(acme.equals(other)), "id_name": other.name},
    ]


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    steps = [
        (step["request"], *(f"{step[kind]['status']} {step[kind]['body']}" for kind in KINDS))
        for step in facts["steps"]
    ]
    reached = [
        (
            one["way"],
            "yes" if one["same"] else "no",
            one["id_name"] or "none",
            *(one[key] or "none" if key in one else "not asked" for key in ("ctx", "stored")),
        )
        for one in facts["reached"]
    ]
    return [
        table(("request", "Careless", "Workspace"), steps, left=("Careless", "Workspace")),
        Paragraph(
            "There is no call that asks whether an object exists, and none that makes it: to ask it is to have it. So"
            " its methods ask its storage whether init ever ran, and the Worker turns None into 404. The same check"
            " keeps a second init from taking the workspace over."
        ),
        Heading("which object is it, and does it know its name?"),
        table(("reached", f"is it {NAME}?", "id.name in the Worker", "ctx.id.name inside", "name it stored"), reached),
        Paragraph(
            "The digits are made from the name, not the name from the digits: idFromString has lost it. Inside, the"
            " name is what the event brought that woke the object, for as long as that life lasts. A name that matters"
            " is stored by init. Ids are compared with .equals(); it is the class, the jurisdiction and the name"
            " together that say which object is meant."
        ),
    ]
