"""`job-queue`: ten invoices in an agent's queue, a payment service that fails, and a machine that goes away meanwhile.

The queue is a table that one alarm works off: one item at a time, in order, three attempts each. What runs when the
object is cut off runs again, because the object cannot know whether the service heard it; the service can, by a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from dosim.agents.lifecycle import DEADMAN_MS
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.workers import Response

#: How long it is watched; and the one that crashes again and again.
WATCHED_US: Final = 60_000_000
WATCHED_LONG_US: Final = 600_000_000
INVOICES: Final = tuple(f"invoice-{number}" for number in range(1, 11))
#: One is refused twice, one whenever it is asked for.
SHAKY, HOPELESS = INVOICES[2], INVOICES[6]
#: It is at the service when the object is cut off.
UNDER_WAY: Final = INVOICES[4]
WAYS: Final = {"LISTED": "a list in memory", "QUEUED": "the queue", "KEYED": "the queue, with a key"}
NOTHING: Final = "nothing else happens"
EVICTED: Final = "it is evicted"
CRASHES: Final = "its machine crashes"
THIRD: Final = "it crashes at the third refusal"
EACH: Final = "it crashes at each refusal"
#: What happens besides the refusals.
TROUBLES: Final = (NOTHING, EVICTED, CRASHES, THIRD)
#: The worlds of these are drawn.
DRAWN: Final = ("QUEUED", "KEYED")


class Payments:
    """The payment service outside: charges what it accepts, each key once. Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.charged: Counter[str] = Counter()
        self._keys: set[str] = set()

    async def __call__(self, request: Any) -> Response:
        invoice = await request.text()
        self.asked.append(invoice)
        if invoice == HOPELESS or (invoice == SHAKY and self.asked.count(SHAKY) <= 2):
            return Response("try again later", status=503)
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in self._keys:
            self.charged[invoice] += 1
        if key is not None:
            self._keys.add(key)
        return Response("charged", status=201)


def run(*, seed: int | str = 0) -> Lesson:
    """Ten invoices in each way, in each trouble."""
    worlds: list[World] = []
    found: dict[str, dict[str, Any]] = {}
    for binding, title in WAYS.items():
        for trouble in TROUBLES:
            sim, fact = _measure(binding, trouble, seed)
            found[f"{title}: {trouble}"] = fact
            if binding in DRAWN and trouble == CRASHES:
                worlds.append(World(f"{title}: {trouble}", sim))
    _, found[f"{WAYS['QUEUED']}: {EACH}"] = _measure("QUEUED", EACH, seed)
    cut_off = [trouble for trouble in TROUBLES if trouble != NOTHING]
    listed, queued, keyed = ([found[f"{title}: {trouble}"] for trouble in cut_off] for title in WAYS.values())
    claim = (
        f"{len(INVOICES)} invoices, and the object is cut off while it works, in {len(cut_off)} ways: a list in memory"
        f" lost {_span(len(fact['lost']) for fact in listed)} of them, the queue"
        f" {_span(len(fact['lost']) for fact in queued)}. In {_doubling(queued)} of the {len(cut_off)} the queue"
        f" charged {UNDER_WAY} twice; with the item's id as a key in {_doubling(keyed)}."
    )
    assumed = (
        "the payment service takes 300 ms, and keeps the keys it has seen; it refuses"
        f" {SHAKY} twice and {HOPELESS} always. Waits between attempts are drawn, up to 2 s and 4 s."
    )
    return Lesson("job-queue", claim, found, _shown(found), worlds, seed, assumed, ("job_queue",))


def _measure(binding: str, trouble: str, seed: int | str) -> tuple[Simulation, dict[str, Any]]:
    """Ten invoices, and ten minutes later what became of them."""
    sim = Simulation.from_project(project("job_queue"), seed=seed, show_output=False)
    payments = Payments()
    service = sim.external("https://pay.example", payments, latency="300ms")
    desk = getattr(sim.env, binding).getByName("desk")
    sim.run(desk.add(list(INVOICES)))
    start_us = sim.now.us
    cuts_us = _cut_off(sim, payments, trouble)
    sim.run(until=f"{start_us + (WATCHED_LONG_US if trouble == EACH else WATCHED_US)}us")
    known = sim.run(desk.known())
    waiting, dropped = list(known["waiting"]), list(known["dropped"])
    after_us = [one.at_us for one in service.requests if cuts_us and one.at_us > cuts_us[0]]
    return sim, {
        "asked": dict(Counter(payments.asked)),
        "order": list(dict.fromkeys(payments.asked)),
        "charged": len(payments.charged),
        "charged_twice": [invoice for invoice, times in payments.charged.items() if times > 1],
        "dropped": dropped,
        "lost": [one for one in INVOICES if not payments.charged[one] and one not in (*dropped, *waiting)],
        "waiting": waiting,
        "resumed_after_us": after_us[0] - cuts_us[0] if after_us else None,
        "took_us": None if waiting else service.requests[-1].at_us - start_us,
    }


def _cut_off(sim: Simulation, payments: Payments, trouble: str) -> list[int]:
    """Let the trouble come, as often as it does; when it did."""
    last, counts = {
        NOTHING: (UNDER_WAY, []),
        EVICTED: (UNDER_WAY, [1]),
        CRASHES: (UNDER_WAY, [1]),
        THIRD: (HOPELESS, [3]),
        EACH: (HOPELESS, range(1, 1_000)),
    }[trouble]
    cuts_us: list[int] = []
    end_us = sim.now.us + WATCHED_LONG_US - 1_000_000
    for count in counts:
        while payments.asked.count(last) < count:
            if sim.now.us >= end_us:
                return cuts_us
            if not sim.step():  # nothing but an alarm to wait for
                sim.run(for_="100ms")
        cuts_us.append(sim.now.us)
        (sim.evict if trouble == EVICTED else sim.crash)("desk")
    return cuts_us


# -- what is shown


def _span(counts: Iterable[int]) -> str:
    """The least and the most of some numbers."""
    known = sorted(counts)
    return str(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def _doubling(facts: Iterable[dict[str, Any]]) -> str:
    """In how many something was charged twice."""
    return str(sum(bool(fact["charged_twice"]) for fact in facts) or "none")


def _shown(found: dict[str, dict[str, Any]]) -> list[Block]:
    calm, evicted, crashed, third, each = (found[f"{WAYS['QUEUED']}: {trouble}"] for trouble in (*TROUBLES, EACH))
    columns = ("", "charged", "twice", "dropped", "lost", "waiting", "in order", "resumed after", "all done after")
    again = [f"{invoice} {times} times" for invoice, times in calm["asked"].items() if times > 1]
    return [
        table(columns, [(title, *_row(fact)) for title, fact in found.items()]),
        Paragraph(
            f"Refusals alone lose nothing: the service was asked for {' and for '.join(again)}. The last failure drops"
            f" the item and calls on_error, once: {', '.join(calm['dropped'])}. What is behind an item waits until it"
            " is paid or dropped: one at a time keeps the order."
        ),
        Heading("the queue, cut off while an item was at the service"),
        table(
            ("", "asked for twice", "charged twice", "resumed after"),
            [
                (
                    trouble,
                    _names(fact["asked"], 2),
                    ", ".join(fact["charged_twice"]) or "none",
                    _time(fact, "resumed_after"),
                )
                for trouble, fact in ((EVICTED, evicted), (CRASHES, crashed))
            ],
            left=("asked for twice", "charged twice"),
        ),
        Paragraph(
            f"The service had charged {UNDER_WAY}, and its row was still in the queue: it ran again. No mark in storage"
            " mends that, as `double-email` shows; the item's id is the same in each run, and a service that gets it"
            f" as a key charges once. The agent sets an alarm {DEADMAN_MS // 1000} s ahead before it works: that one"
            " rang."
        ),
        Heading("attempts are counted in memory"),
        Paragraph(
            f"{HOPELESS} has three attempts. When its third crashed the object, the next life began to count at one:"
            f" {third['asked'][HOPELESS]} in all. When each of them crashed it, there were {each['asked'][HOPELESS]} in"
            f" {WATCHED_LONG_US // 60_000_000} minutes; it was not dropped, and {len(each['waiting']) - 1} invoices"
            " waited behind it. Count such an item's runs in storage, and take it out yourself."
        ),
    ]


def _row(fact: dict[str, Any]) -> Sequence[object]:
    counts = [len(fact[key]) for key in ("charged_twice", "dropped", "lost", "waiting")]
    in_order = fact["order"] == [one for one in INVOICES if one in fact["order"]]
    return fact["charged"], *counts, "yes" if in_order else "no", _time(fact, "resumed_after"), _time(fact, "took")


def _names(asked: dict[str, int], times: int) -> str:
    return ", ".join(name for name, count in asked.items() if count == times) or "none"


def _time(fact: dict[str, Any], key: str) -> str:
    us = fact[f"{key}_us"]
    return "-" if us is None else f"{us / 1e6:.1f} s"
