"""`slow-api`: ten requests meet an object that needs five seconds of a service outside.

"Ten such requests take fifty seconds" is true behind blockConcurrencyWhile and nowhere else. Awaited plainly nobody
waits, and what was read before the wait is old after it. Queued, everybody is answered at once and the work is done
beside.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation

REQUESTS: Final = 10
SLOW: Final = "5s"
ONE_AT_A_TIME: Final = "one-at-a-time"


class Way(NamedTuple):
    """One way to do it: its name in `facts`, the binding of its class, and how it is called in the tables."""

    key: str
    binding: str
    title: str
    concurrency: str = "input-gates"


WAYS: Final = (
    Way("belief", "AWAITING", "the belief", ONE_AT_A_TIME),
    Way("blocking", "BLOCKING", "blocking"),
    Way("awaiting", "AWAITING", "awaiting"),
    Way("late", "LATE", "read late"),
    Way("queued", "QUEUED", "queued"),
)


def run(*, seed: int | str = 0) -> Lesson:
    """Ten requests at the same instant, in five ways."""
    facts: dict[str, Any] = {}
    worlds = []
    for way in WAYS:
        sim, facts[way.key] = _measured(way, seed)
        worlds.append(World(way.title, sim))
    _order_by_arrival(facts)
    last_s = {key: max(one["latencies_us"]) / 1e6 for key, one in facts.items()}
    counted = {key: one["counted"] for key, one in facts.items()}
    claim = (
        f"{REQUESTS} requests that need a service of {SLOW[:-1]} s: the last is answered after"
        f" {last_s['blocking']:.1f} s behind blockConcurrencyWhile, and all after {last_s['awaiting']:.1f} s with a"
        f" plain await; but who reads before the await and writes after it counts {counted['awaiting']} of {REQUESTS}"
        f" reports. Queued, all have an answer after {last_s['queued']:.2f} s, and {counted['queued']} are counted."
    )
    assumed = (
        "60 ms until a queue has written a message (the documented median of sending), nothing until a consumer starts;"
        " the service is as fast for ten as for one."
    )
    return Lesson("slow-api", claim, facts, _shown(facts), worlds, seed, assumed, ("slow_api",))


def _measured(way: Way, seed: int | str) -> tuple[Simulation, dict[str, Any]]:
    """Ten requests to a desk that is awake; what each was told and when; what was counted when all was quiet."""
    sim = Simulation.from_project(project("slow_api"), seed=seed, concurrency=way.concurrency)
    service = sim.external("https://slow.example", lambda request: "a report", latency=SLOW)
    client = sim.client("Paris")
    _made(sim, client, way)  # the desk is awake, and in Paris
    start_us = sim.now.us
    calls = [client.fetch(f"https://app.example/{way.binding}") for _ in range(REQUESTS)]
    answers = sim.run(*calls)
    found: dict[str, Any] = {
        "latencies_us": [call.latency_us for call in calls],
        "statuses": [answer.status for answer in answers],
        "told": [sim.run(answer.text()) for answer in answers],
    }
    if way.key == "queued":
        found["fetched"] = [_fetched(sim, client, start_us)]
    sim.run()  # until the queue is empty
    found["counted"] = _made(sim, client, way)
    found["service_asked"] = len(service.requests)
    if way.key == "queued":
        found["fetched"].append(_fetched(sim, client, start_us))
    return sim, found


def _order_by_arrival(facts: dict[str, Any]) -> None:
    """Same seed, same ways through the network: in every world they arrive in the order of the belief's line."""
    line = facts["belief"]["latencies_us"]
    order = sorted(range(REQUESTS), key=line.__getitem__)
    for one in facts.values():
        for key in ("latencies_us", "statuses", "told"):
            one[key] = [one[key][number] for number in order]


def _made(sim: Simulation, client: Client, way: Way) -> int:
    """How many reports the desk has counted."""
    answer = sim.run(client.fetch(f"https://app.example/made/{way.binding}"))
    return int(sim.run(answer.text()))


def _fetched(sim: Simulation, client: Client, start_us: int) -> dict[str, Any]:
    """Somebody asks for the report of the last order."""
    asked_us = sim.now.us - start_us
    answer = sim.run(client.fetch(f"https://app.example/orders/{REQUESTS}"))
    return {"asked_after_us": asked_us, "status": answer.status, "body": sim.run(answer.text())}


def _shown(facts: dict[str, Any]) -> list[Block]:
    titles = [way.title for way in WAYS]
    latencies = zip(*(facts[way.key]["latencies_us"] for way in WAYS), strict=True)
    rows: list[list[object]] = [
        [number, *(f"{us / 1e6:.2f} s" for us in row)] for number, row in enumerate(latencies, start=1)
    ]
    said = zip(*(facts[way.key]["told"] for way in WAYS), strict=True)
    texts = [[number, *row] for number, row in enumerate(said, start=1)]
    texts.append(["counted in the end", *(facts[way.key]["counted"] for way in WAYS)])
    early, late = facts["queued"]["fetched"]
    return [
        table(("arrived as", *titles), rows),
        Paragraph(
            "The belief: an object serves one request after the other, so the last waits for nine others. The runtime"
            " does that only where it is told to, by blockConcurrencyWhile; while a handler awaits a fetch, others come"
            " in. The first column is the code of the third, run under the belief's rule."
        ),
        Heading("what each was told, and what was counted"),
        table(("arrived as", *titles), texts),
        Paragraph(
            "Nobody waits and nobody is kept out: all ten have read 0 before the first writes 1. To read after the wait"
            " mends it without a lock, since no request comes in between a storage get and the put that follows it;"
            " the numbers are then in the order in which the service's answers came."
        ),
        Heading("the queued report, fetched later"),
        table(
            ("asked after", "status", "answer"),
            [(f"{one['asked_after_us'] / 1e6:.2f} s", one["status"], one["body"]) for one in (early, late)],
            left=("answer",),
        ),
    ]
