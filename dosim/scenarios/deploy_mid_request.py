"""`deploy-mid-request`: new code is deployed while an order is being made.

An immediate deployment resets the object in the middle: the caller gets an error that does not say whether the order
was written, and sockets close. A retry doubles it, unless the order has a key. A deferred deployment waits.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

STRATEGIES: Final = ("immediate", "deferred")
CLIENTS: Final = {"": "gives up", "again": "asks again", "key": "asks again, with a key"}


def run(*, seed: int | str = 0) -> Lesson:
    """Each client under each strategy: what was told, what is in the book."""
    worlds, rows, found = [], [], {}
    for strategy in STRATEGIES:
        for client, does in CLIENTS.items():
            sim = Simulation.from_project(project("deploy_v1"), seed=seed)
            fact = _story(sim, strategy, client)
            found[f"{strategy}, {does}"] = fact
            worlds.append(World(f"{strategy}: {does}", sim))
            rows.append((strategy, does, fact["told"], fact["orders"], fact["socket"]))
    first = found["immediate, gives up"]
    claim = (
        f"Deployed at once, the client is told {first['told']!r}, and the order is in the book all the same"
        f" ({first['orders']}). Asking again makes {found['immediate, asks again']['orders']} of it, with a key"
        f" {found['immediate, asks again, with a key']['orders']}. Deferred, nobody notices."
    )
    left = ("the client", "is told at first", "its socket")
    shown: list[Block] = [
        table(("deployment", *left[:2], "orders", left[2]), rows, left=left),
        Heading("old data, new code"),
        Paragraph(
            "Version 2 found orders without an amount and gave them one, under blockConcurrencyWhile:"
            f" {first['columns']}."
        ),
    ]
    return Lesson("deploy-mid-request", claim, found, shown, worlds, seed, "", ("deploy_v1", "deploy_v2"))


def _story(sim: Simulation, strategy: str, client: str) -> dict[str, Any]:
    """An order, a deployment half a second later, and what the client does about it."""
    ann = sim.client("Vienna")
    socket = sim.run(ann.websocket("wss://shop.example/"))
    headers = {"Idempotency-Key": "order 1"} if client == "key" else {}
    call = ann.fetch("https://shop.example/", method="POST", body="a boat", headers=headers)
    sim.run(for_="500ms")
    sim.deploy(project("deploy_v2"), strategy=strategy)
    response = sim.run(call)
    told = sim.run(response.text())
    if client and not response.ok:
        sim.run(ann.fetch("https://shop.example/", method="POST", body="a boat", headers=headers))
    sim.run(for_="1m")
    sim.run(ann.fetch("https://shop.example/", method="POST", body="a house", headers={"Idempotency-Key": "order 2"}))
    orders = sim.objects["book"].tables["orders"]
    return {
        "told": told.removeprefix("Error: "),
        "orders": sum(row["item"] == "a boat" for row in orders),
        "socket": "open" if socket.closed is None else f"closed with {socket.closed.code}",
        "columns": ", ".join(orders[0]),
    }
