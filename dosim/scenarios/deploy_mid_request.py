"""`deploy-mid-request`: new code is deployed while an order is being made.

An immediate deployment resets the object in the middle: the caller gets an error that does not say whether the order
was written, and sockets close. Who gives up may lose the order, who asks again may double it, unless the order has a
key. A deferred deployment waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

#: Moment of the deployment -> when, after the client sent the order, which is written after a second.
MOMENTS: Final = {"before the write": "500ms", "after the write": "1500ms"}
#: How it is deployed -> the strategy, and its longest delay.
STRATEGIES: Final = {
    "immediate": ("immediate", "0s"),
    "deferred, 30 s": ("deferred", "30s"),
    "deferred, 5 s": ("deferred", "5s"),
}
COLUMNS: Final = ("strategy", "moment", "does", "told", "orders", "socket")
CLIENTS: Final = {"": "gives up", "again": "asks again", "key": "asks again, with a key"}


def run(*, seed: int | str = 0) -> Lesson:
    """Each client under each strategy at each moment: what was told, what is in the book."""
    worlds: list[World] = []
    found: dict[str, dict[str, Any]] = {}
    for strategy in STRATEGIES:
        for moment, after in MOMENTS.items():
            for client, does in CLIENTS.items() if strategy == "immediate" else [("key", CLIENTS["key"])]:
                sim = Simulation.from_project(project("deploy_v1"), seed=seed, show_output=False)
                name = f"{strategy}, {moment}: {does}"
                fact = _story(sim, strategy, after, client)
                found[name] = {"strategy": strategy, "moment": moment, "does": does, **fact}
                worlds.append(World(name, sim))
    at_once, patient, hasty = ([fact for fact in found.values() if fact["strategy"] == each] for each in STRATEGIES)
    orders = {does: [fact["orders"] for fact in at_once if fact["does"] == does] for does in CLIENTS.values()}
    safe = [does for does, counts in orders.items() if set(counts) == {1}]
    claim = (
        f"Deployed at once, before or after the order is written, the client is told {_quoted(at_once, 'told')},"
        f" which says nothing of the order. Who gives up has {_or(orders['gives up'])} orders, who asks again"
        f" {_or(orders['asks again'])}, and only who {' or '.join(safe) or 'nobody'}, has one in both. Deferred, each"
        f" is told {_quoted(patient + hasty, 'told')} and has {_or(fact['orders'] for fact in patient + hasty)}; the"
        f" socket is {_or(fact['socket'] for fact in patient)}, or {_or(fact['socket'] for fact in hasty)} if the"
        " object was in memory when the delay was over."
    )
    left = ("the code changes", "the client", "is told at first", "its socket")
    first = at_once[0]
    shown: list[Block] = [
        table(
            ("deployment", *left[:3], "orders", left[3]),
            [tuple(fact[key] for key in COLUMNS) for fact in found.values()],
            left=left,
        ),
        Heading("old data, new code"),
        Paragraph(
            "The second version found a table of the first, and applied under blockConcurrencyWhile what its table of"
            f" versions did not list. Before: {first['columns_before']}. Afterwards: {first['columns']}."
        ),
    ]
    assumed = (
        "deferred, an object changes its code when it leaves memory, or is reset when the delay is over: here it is"
        " left alone after the order, and hibernates after 10 s."
    )
    return Lesson("deploy-mid-request", claim, found, shown, worlds, seed, assumed, ("deploy_v1", "deploy_v2"))


def _story(sim: Simulation, strategy: str, after: str, client: str) -> dict[str, Any]:
    """An order, a deployment in the middle of it, and what the client does about it."""
    ann = sim.client("Vienna")
    _order(sim, "a lamp", "order 0")  # an old one
    columns_before = ", ".join(sim.objects["book"].tables["orders"][0])
    socket = sim.run(ann.websocket("wss://shop.example/"))
    headers = {"Idempotency-Key": "order 1"} if client == "key" else {}
    call = ann.fetch("https://shop.example/", method="POST", body="a boat", headers=headers)
    sim.run(for_=after)
    name, max_delay = STRATEGIES[strategy]
    sim.deploy(project("deploy_v2"), strategy=name, max_delay=max_delay)
    response = sim.run(call)
    told = sim.run(response.text())
    if client and not response.ok:
        sim.run(ann.fetch("https://shop.example/", method="POST", body="a boat", headers=headers))
    sim.run(for_="15s")  # long enough for the object to hibernate
    _order(sim, "a house", "order 2")  # the first that meets the new code, when it is deferred
    orders = sim.objects["book"].tables["orders"]
    return {
        "told": told.removeprefix("Error: "),
        "orders": sum(row["item"] == "a boat" for row in orders),
        "socket": "open" if socket.closed is None else f"closed with {socket.closed.code}",
        "columns_before": columns_before,
        "columns": ", ".join(orders[0]),
        "versions": len(sim.objects["book"].tables["versions"]),
    }


def _order(sim: Simulation, item: str, key: str) -> None:
    """Somebody else's order, undisturbed."""
    headers = {"Idempotency-Key": key}
    sim.run(sim.client("Vienna").fetch("https://shop.example/", method="POST", body=item, headers=headers))


def _quoted(facts: Sequence[dict[str, Any]], key: str) -> str:
    """What these facts say, each thing once, in quotes."""
    return _or(f'"{fact[key]}"' for fact in facts)


def _or(values: Iterable[object]) -> str:
    return " or ".join(map(str, dict.fromkeys(values)))
