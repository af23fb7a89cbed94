"""`subscription`: an object for each subscription, whose alarm is its renewal; beside it, an hourly cron job.

The alarm comes at the moment it was set for. A payment that fails is retried by the platform for two minutes, and after
that only by whoever sets the alarm again. The cron job is as late as the next full hour, and reads its table each time.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Final

from dosim.kernel.durations import duration_us
from dosim.platform.facts import EPOCH_MS
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.workers import Response

SUBSCRIPTIONS: Final = 10_000
DAY_US: Final = 86_400_000_000
MONTH_US: Final = 30 * DAY_US
MINUTE_US: Final = 60_000_000
WAYS: Final = {"alarm": "an alarm each", "cron": "hourly cron", "cron_with_index": "hourly cron, index"}
#: What the payment service does when the renewal is due: for how long it refuses.
OUTAGES: Final = {1: "20s", 2: "3h", 3: "0s"}


class Payments:
    """The payment service outside: refuses until a moment, and takes 200 ms. Remembers when it was asked for what."""

    def __init__(self, sim: Simulation) -> None:
        self.refuses_until_us = 0
        self.late_us: list[int] = []
        self.paid_late_us: list[int] = []
        self._sim = sim
        sim.external("https://pay.example", self._charge)

    async def _charge(self, request: Any) -> Response:
        due_ms = int(float(request.headers.get("Idempotency-Key").split("/")[1]))
        now_us = self._sim.now.us
        late_us = now_us - (due_ms - EPOCH_MS) * 1000
        self.late_us.append(late_us)
        await asyncio.sleep(0.2)
        if now_us < self.refuses_until_us:
            return Response("try again later", status=503)
        self.paid_late_us.append(late_us)
        return Response("paid", status=201)


def run(*, seed: int | str = 0) -> Lesson:
    """The life of one subscription, of one that trusts; then a day of ten thousand, in three ways."""
    sim, life = _life(seed)
    trusting = _trusting(seed)
    found = {way: _day(way, seed) for way in WAYS}
    facts = {"subscriptions": SUBSCRIPTIONS, "life": life, "trusting": trusting, "day": found}
    long = life["refuses for 3h"]
    alarm, cron, index = (found[way] for way in WAYS)
    claim = (
        f"Of {SUBSCRIPTIONS:,} subscriptions {alarm['renewals']} are due on a day: by alarm the latest renewal came"
        f" {_late(alarm['latest_us'])} after its moment, by hourly cron {_late(cron['latest_us'])}, and half of them"
        f" more than {_late(cron['median_us'])}. The cron job reads {cron['rows_read_a_month']:,} rows a month for it,"
        f" or {index['rows_read_a_month']:,} with an index. While payments failed for 3 h, an alarm that is set again"
        f" renewed after {_late(long['paid_late_us'])}; left to the platform it ran {trusting['asked']} times and was"
        " gone."
    )
    assumed = (
        "an alarm and a cron job start at their moment; the documents allow an alarm to be up to a minute late. The"
        " payment service takes 200 ms, and each key once. Rows read are an estimate, a month is thirty such days."
        " Of the objects those are simulated that are due: the others sleep."
    )
    worlds = [World("one subscription", sim)]
    projects = ("subscription", "subscription_cron")
    return Lesson("subscription", claim, facts, _shown(facts), worlds, seed, assumed, projects)


# -- one subscription


def _life(seed: int | str) -> tuple[Simulation, dict[str, Any]]:
    """Three renewals, with a short failure of the payments, a long one and none; then a cancel."""
    sim = Simulation.from_project(project("subscription"), seed=seed, show_output=False)
    payments = Payments(sim)
    client = sim.client("Paris")
    url = "https://subscriptions.example/ann"
    sim.run(client.fetch(url, method="POST"))
    start_us = sim.objects["ann"].alarm_us or 0
    found: dict[str, Any] = {}
    for month, outage in OUTAGES.items():
        due_us = start_us + (month - 1) * MONTH_US
        payments.refuses_until_us = due_us + duration_us(outage, "outage")
        before = len(payments.late_us)
        sim.run(until=f"{due_us + DAY_US}us")
        name = f"refuses for {outage}" if outage != "0s" else "takes it"
        found[name] = {"asked": len(payments.late_us) - before, "paid_late_us": payments.paid_late_us[-1]}
    before = len(payments.late_us)
    answer = sim.run(client.fetch(url, method="DELETE"))
    sim.run(for_="60d")
    found["(cancelled before)"] = {"asked": len(payments.late_us) - before, "paid_late_us": None}
    state = sim.run(answer.json())
    found["state"] = {"status": state["status"], "renewals": state["renewals"], "alarm": sim.objects["ann"].alarm_us}
    return sim, found


def _trusting(seed: int | str) -> dict[str, Any]:
    """Left to the platform's retries, while payments fail for three hours: a day later."""
    sim = Simulation.from_project(project("subscription"), seed=seed, show_output=False)
    payments = Payments(sim)
    sim.run(sim.env.TRUSTING.getByName("ben").start("ben"))
    payments.refuses_until_us = (sim.objects["ben"].alarm_us or 0) + duration_us(OUTAGES[2], "outage")
    sim.run(until="31d")
    return {
        "asked": len(payments.late_us),
        "last_asked_us": payments.late_us[-1],
        "paid": len(payments.paid_late_us),
        "alarm_us": sim.objects["ben"].alarm_us,
    }


# -- ten thousand


def _day(way: str, seed: int | str) -> dict[str, Any]:
    """The renewals of a day, when all are due at any moment of a month; and the bill of a month of such days."""
    choose = random.Random(f"subscription {seed}")
    due_us = sorted(choose.randrange(MONTH_US) for _ in range(SUBSCRIPTIONS))
    sim, payments = _alarms(due_us, seed) if way == "alarm" else _table(due_us, seed, index=way == "cron_with_index")
    start_us = MONTH_US if way == "alarm" else 0
    sim.run(until=f"{start_us + MINUTE_US}us")  # a full hour is not cut in two
    before = sim.bill()
    sim.run(for_="1d")
    bill = sim.bill(since=before)
    month = bill.per_month()
    late_us = sorted(payments.paid_late_us)
    return {
        "renewals": len(late_us),
        "median_us": late_us[len(late_us) // 2],
        "latest_us": late_us[-1],
        "runs_a_month": int(month.quantity("do_requests") + month.quantity("worker_requests")),
        "rows_read_a_month": int(month.quantity("do_rows_read") + month.quantity("d1_rows_read")),
        "rows_written_a_month": int(month.quantity("do_rows_written") + month.quantity("d1_rows_written")),
        "list_price_usd_a_month": str(bill.usd * 30),
        "usd_a_month": str(month.usd),
    }


def _alarms(due_us: list[int], seed: int | str) -> tuple[Simulation, Payments]:
    """Those that are due on the first day of the second month; the others would sleep through it."""
    sim = Simulation.from_project(project("subscription"), seed=seed, retention="none")
    payments = Payments(sim)
    client = sim.client("Paris")
    starts_us = [at_us for at_us in due_us if MINUTE_US < at_us < DAY_US]
    for number, at_us in enumerate(starts_us):
        if at_us > sim.now.us:
            sim.run(until=f"{at_us}us")
        sim.run(client.fetch(f"https://subscriptions.example/customer-{number}", method="POST"))
    return sim, payments


def _table(due_us: list[int], seed: int | str, *, index: bool) -> tuple[Simulation, Payments]:
    """A table of all."""
    sim = Simulation.from_project(project("subscription_cron"), seed=seed, retention="none")
    payments = Payments(sim)
    sim.apply_migrations("DB")
    if index:
        sim.run(sim.env.DB.prepare("CREATE INDEX by_due ON subscriptions (due)").run())
    fill = "INSERT INTO subscriptions (customer, due) SELECT 'customer-' || key, value FROM json_each(?)"
    due_ms = [EPOCH_MS + at_us // 1000 for at_us in due_us if at_us > MINUTE_US]
    sim.run(sim.env.DB.prepare(fill).bind(json.dumps(due_ms)).run())
    return sim, payments


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    life = [(name, *_asked(one)) for name, one in facts["life"].items() if name != "state"]
    trusting, cron = facts["trusting"], facts["day"]["cron"]
    life.append(("refuses for 3h, left to the platform", str(trusting["asked"]), "never"))
    renewals = facts["life"]["state"]["renewals"]
    return [
        Heading("one subscription"),
        table(("when it is due, the payment service", "was asked", "first accepts after"), life),
        Paragraph(
            "A handler that raises is run again after 2, 4, 8, 16, 32 and 64 s, and a little more. Then the alarm is"
            f" gone, without a word: the last of those runs came {_late(trusting['last_asked_us'])}"
            " after the moment. So the handler sets the alarm itself before that. It counts the next month from the"
            f" day that was due, not from the payment; after a cancel nobody asks any more ({renewals} renewals)."
        ),
        Heading(f"{SUBSCRIPTIONS:,} subscriptions"),
        table(("", *WAYS.values()), _compared(facts["day"])),
        Paragraph(
            f"The cron job runs {cron['runs_a_month']} times a month and reads the whole table each time; an index"
            " spares it that, at one more row written for each renewal. An object that waits for its alarm reads"
            " nothing. Dollars decide nothing here: all of it is within the allowances, and what is left is the base"
            " fee. The difference is how late a renewal is."
        ),
    ]


def _asked(one: dict[str, Any]) -> tuple[str, str]:
    late_us = one["paid_late_us"]
    return str(one["asked"]), "never" if late_us is None else _late(late_us)


def _compared(day: dict[str, Any]) -> list[tuple[str, ...]]:
    late = {key: [_late(one[key]) for one in day.values()] for key in ("median_us", "latest_us")}
    counts = [(key, [f"{one[key]:,}" for one in day.values()]) for key in ("renewals", "runs_a_month")]
    rows = [
        (f"rows {way} a month", [f"{one[f'rows_{way}_a_month']:,}" for one in day.values()])
        for way in ("read", "written")
    ]
    return [
        *((key.replace("_", " "), *row) for key, row in counts),
        ("renewal late by, median", *late["median_us"]),
        ("at most", *late["latest_us"]),
        *((words, *row) for words, row in rows),
        ("a month at list prices", *(f"${float(one['list_price_usd_a_month']):.4f}" for one in day.values())),
        ("a month with the base fee", *(f"${float(one['usd_a_month']):.2f}" for one in day.values())),
    ]


def _late(us: int) -> str:
    """How late something was, to a tenth."""
    for unit, unit_us, below_us in (("ms", 1_000, 1_000_000), ("s", 1_000_000, 100_000_000), ("min", 60_000_000, 6e9)):
        if us < below_us:
            return f"{us / unit_us:.1f} {unit}"
    return f"{us / 3_600_000_000:.1f} h"
