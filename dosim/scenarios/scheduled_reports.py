"""`scheduled-reports`: an agent's cron through a quarter in which a city changes its clocks: every occurrence, in UTC.

One alarm serves all schedules, and between two of them the agent is out of memory. What ran is held against the days of
the calendar, counted without a cron library. Who means a city's clock plans each report after the one before.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dosim.billing import Bill
from dosim.platform.facts import EPOCH
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

CLOCK_START: Final = datetime.fromisoformat(EPOCH)
#: The quarter: ninety days, in which the clocks of Berlin change.
FIRST: Final = datetime(2027, 2, 1, tzinfo=UTC)
DAYS: Final = 90
CHANGE: Final = datetime(2027, 3, 28, 1, tzinfo=UTC)
CLASSES: Final = {"Reports": "cron", "Berlin": "each plans the next"}
#: On these days its alarm is late, or it is evicted while it makes the report.
LATE, EVICTED = datetime(2027, 2, 16, tzinfo=UTC), datetime(2027, 3, 9, tzinfo=UTC)
LATE_BY: Final = "45s"
HOUR: Final = timedelta(hours=1)


def run(*, seed: int | str = 0) -> Lesson:
    """The quarter by cron and by Berlin's clock; then two days of a loop that looks at the clock."""
    facts: dict[str, Any] = {binding: _quarter(binding, seed) for binding in CLASSES}
    worlds = [World(f"{title}: a week", _week(binding, seed)) for binding, title in CLASSES.items()]
    facts["Looping"] = _loop(seed)
    cron, loop = facts["Reports"], facts["Looping"]
    claim = (
        f"{DAYS} days of cron: {cron['daily']['made']} reports for {cron['daily']['expected']} working days,"
        f" {cron['monthly']['made']} for {cron['monthly']['expected']} months, {len(cron['missing'])} missing and"
        f" {len(cron['extra'])} twice; the agent left memory {cron['left_memory']} times. When Berlin changed its"
        f" clocks they stayed at {_listed(cron['hours_utc'])} UTC, in Berlin {_listed(cron['hours_berlin'])}. The"
        f" quarter used {cron['bill']['gb_s']:,.0f} GB-s; a loop that waits for nine uses {loop['bill']['gb_s']:,.0f}."
    )
    assumed = (
        "the shop takes 2 s to answer. Berlin's clock is an hour ahead of UTC, two from the last Sunday of March on, as"
        " European law has it. An alarm comes at its moment, but where it is said. Rows are an estimate. The loop was"
        f" billed for a day; its row is {DAYS} of them."
    )
    return Lesson("scheduled-reports", claim, facts, _shown(facts), worlds, seed, assumed, ("scheduled_reports",))


def expected(binding: str) -> list[tuple[str, datetime]]:
    """What the calendar says, day by day."""
    found = []
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        if day.day == 1 and number and binding == "Reports":
            found.append(("monthly", day))
        if day.isoweekday() not in (6, 7):
            found.append(("daily", day + 9 * HOUR - (_ahead(day + 9 * HOUR) if binding == "Berlin" else 0 * HOUR)))
    return found


def _ahead(when: datetime) -> timedelta:
    """How far Berlin's clock is ahead of UTC, in this quarter."""
    return HOUR if when < CHANGE else 2 * HOUR


def _simulation(seed: int | str, **options: Any) -> Simulation:
    sim = Simulation.from_project(project("scheduled_reports"), seed=seed, show_output=False, **options)
    sim.external("https://shop.example", lambda request: "1042", latency="2s")
    return sim


def _week(binding: str, seed: int | str) -> Simulation:
    """A week without a client, so short that it can be drawn."""
    sim = _simulation(seed)
    sim.run(getattr(sim.env, binding).getByName("shop").planned())
    sim.run(until="7d")
    return sim


def _quarter(binding: str, seed: int | str) -> dict[str, Any]:
    """Ninety days with one client, who says nothing; a late alarm on one of them, an eviction on another."""
    sim = _simulation(seed)
    sim.run(until=_since_start(FIRST))
    socket = sim.run(sim.client("Berlin").websocket(f"wss://shop.example/agents/{binding.lower()}/shop"))
    sim.run(for_="1m")
    before, lives = sim.bill(), sim.objects["shop"].instance
    nine = 9 * HOUR if binding == "Reports" else 8 * HOUR
    sim.run(until=_since_start(LATE))
    sim.alarm_late("shop", LATE_BY)
    sim.run(until=_since_start(EVICTED + nine + timedelta(seconds=1)))
    sim.evict("shop")
    sim.run(until=_since_start(FIRST + timedelta(days=DAYS)))
    state = sim.objects["shop"].state
    bill = sim.bill(since=before)
    left = sim.objects["shop"].instance - lives
    shop = getattr(sim.env, binding).getByName("shop")
    made = [(row["kind"], datetime.fromisoformat(row["due"]), row["made_ms"]) for row in sim.run(shop.all())]
    return {
        **_compared(binding, made),
        "left_memory": left,
        "state": state,
        "planned": list(sim.run(shop.planned())),
        "told_client": sum("report of" in str(got.message) for got in socket.received),
        "bill": _quantities(bill),
    }


def _quantities(bill: Bill, times: int = 1) -> dict[str, float]:
    counts = {key: float(bill.quantity(f"do_{key}")) * times for key in ("requests", "rows_read", "rows_written")}
    return {**counts, "gb_s": float(bill.quantity("do_duration")) * times, "usd": float(bill.usd) * times}


def _since_start(when: datetime) -> str:
    return f"{(when - CLOCK_START) // timedelta(microseconds=1)}us"


def _compared(binding: str, made: list[tuple[str, datetime, int]]) -> dict[str, Any]:
    """What was made against the calendar."""
    calendar, got = Counter(expected(binding)), Counter((kind, due) for kind, due, _ in made)
    daily = [due for kind, due, _ in made if kind == "daily"]
    late_ms = {due: made_ms - due.timestamp() * 1000 for _, due, made_ms in made}
    usual_ms = [late for due, late in late_ms.items() if due.date() not in (LATE.date(), EVICTED.date())]
    return {
        **{
            kind: {
                "expected": sum(count for (of, _), count in calendar.items() if of == kind),
                "made": sum(count for (of, _), count in got.items() if of == kind),
            }
            for kind in ("daily", "monthly")
        },
        "missing": [f"{kind} {due.isoformat()}" for kind, due in calendar - got],
        "extra": [f"{kind} {due.isoformat()}" for kind, due in got - calendar],
        "hours_utc": _hours(daily),
        "hours_berlin": _hours([due + _ahead(due) for due in daily]),
        "late_ms": max(usual_ms),
        "late_ms_alarm_late": next(late for due, late in late_ms.items() if due.date() == LATE.date()),
        "late_ms_evicted": next(late for due, late in late_ms.items() if due.date() == EVICTED.date()),
    }


def _hours(times: list[datetime]) -> dict[str, int]:
    """Time of day -> how many."""
    return dict(sorted(Counter(f"{time:%H:%M}" for time in times).items()))


def _loop(seed: int | str) -> dict[str, Any]:
    """A working day of a loop, billed as often as the quarter has days; then it is evicted, and another one."""
    sim = _simulation(seed, retention="none")
    sim.run(sim.client("Berlin").websocket("wss://shop.example/agents/looping/shop"))
    shop, before = sim.env.Looping.getByName("shop"), sim.bill()
    sim.run(for_="1d")
    bill = sim.bill(since=before)
    made = len(sim.run(shop.all()))
    sim.evict("shop")
    sim.run(for_="1d")
    return {"made": made, "made_after_eviction": len(sim.run(shop.all())) - made, "bill": _quantities(bill, DAYS)}


# -- what is shown


def _listed(hours: dict[str, int]) -> str:
    return " and ".join(hours)


def _shown(facts: dict[str, Any]) -> list[Block]:
    cron, berlin, loop = facts["Reports"], facts["Berlin"], facts["Looping"]
    kinds = [("cron, working days at 9:00", cron, "daily"), ("cron, the first of the month", cron, "monthly")]
    kinds.append(("each plans the next, 9:00 in Berlin", berlin, "daily"))
    hours = [
        (title, *(", ".join(f"{hour} ({count})" for hour, count in fact[key].items()) for key in _HOURS))
        for title, fact in (("cron", cron), ("each plans the next", berlin))
    ]
    return [
        table(
            ("", "by the calendar", "made", "missing", "not in the calendar"),
            [
                (title, fact[kind]["expected"], fact[kind]["made"], *(_of(fact[key], kind) for key in _WRONG))
                for title, fact, kind in kinds
            ],
        ),
        Heading("at which hour: how many"),
        table(("", "UTC", "Berlin"), hours, left=("UTC", "Berlin")),
        Paragraph(
            "Cron is in UTC and knows of no city: from the change on, nine o'clock UTC is an hour later for Berlin. An"
            " agent that means Berlin's nine o'clock asks for one moment at a time."
        ),
        Heading("what happened to it"),
        table(
            ("", "cron", "each plans the next"),
            [
                ("left memory", *(fact["left_memory"] for fact in (cron, berlin))),
                ("schedules in the end", *(len(fact["planned"]) for fact in (cron, berlin))),
                ("the client heard of", *(fact["told_client"] for fact in (cron, berlin))),
                ("latest report, on usual days", *(_seconds(fact["late_ms"]) for fact in (cron, berlin))),
                (f"with its alarm {LATE_BY} late", *(_seconds(fact["late_ms_alarm_late"]) for fact in (cron, berlin))),
                ("evicted while it made it", *(_seconds(fact["late_ms_evicted"]) for fact in (cron, berlin))),
            ],
        ),
        Paragraph(
            f"The client's socket stayed open for all {DAYS} days. on_start asks for the same cron schedules in every"
            f" life: there are {len(cron['planned'])} in the end. A late alarm moves its own report and no other."
        ),
        Heading("the bill of the quarter"),
        table(
            ("", "requests", "rows read", "rows written", "GB-s", "at list prices"),
            [
                (title, *_bill(one["bill"]))
                for title, one in zip((*CLASSES.values(), "a loop"), facts.values(), strict=True)
            ],
        ),
        Paragraph(
            "What is there for the agent between two reports costs nothing but its stored rows. The loop looks at the"
            f" clock every minute, so that it never leaves memory: it made {loop['made']} report on a working day; then"
            f" it was evicted, and made {loop['made_after_eviction']} on the next, because nobody called."
        ),
    ]


_HOURS: Final = ("hours_utc", "hours_berlin")
_WRONG: Final = ("missing", "extra")


def _of(names: list[str], kind: str) -> int:
    return sum(name.startswith(kind) for name in names)


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"


def _bill(bill: dict[str, float]) -> list[str]:
    counts = [f"{bill[key]:,.0f}" for key in ("requests", "rows_read", "rows_written", "gb_s")]
    return [*counts, f"${bill['usd']:,.4f}"]
