"""`alarm-loop-bill`: an alarm that sets itself again, sixty preview deployments, no users, eight days.

The story is Hacker News 47787042: $34,895 in eight days. Here one such object runs for a minute and is billed; the rest
is multiplication, said as such. A budget in storage stops it; a look at the trace finds it: it wakes only itself.
"""

from __future__ import annotations

from typing import Final

from dosim.billing import Bill
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.trace import Trace

#: As published: deployments, days, dollars, rows read a day by all of them.
DEPLOYMENTS: Final = 60
DAYS: Final = 8
PUBLISHED_USD: Final = 34_895
PUBLISHED_ROWS_PER_DAY: Final = 930_000_000_000
MEASURED: Final = "1m"
#: What the measured minute is multiplied with.
TIMES: Final = 60 * 24 * DAYS * DEPLOYMENTS


def run(*, seed: int | str = 0) -> Lesson:
    """Bill the loop for a minute, then let the budgeted one run for eight days."""
    loop, loop_bill = _start("LOOP", seed)
    wakes_per_minute = len([record for record in loop.trace.of_kind("call") if record.detail["via"] == "alarm"])
    rows_per_day = float(loop_bill.quantity("do_rows_read")) * 24 * 60
    usd_per_minute = float(loop_bill.usd)
    usd = usd_per_minute * TIMES
    budgeted, _ = _start("BUDGETED", seed)
    budgeted.run(until=f"{DAYS}d")
    budget_bill = float(budgeted.bill().usd)
    claim = (
        f"One such object woke {wakes_per_minute} times in a minute in which nobody asked it anything, and read"
        f" {rows_per_day / 1e6:,.0f} million rows a day. Sixty of them for eight days, at list prices: ${usd:,.0f}."
        f" With a budget it stopped by itself: ${budget_bill:.4f} in eight days."
    )
    needed = PUBLISHED_ROWS_PER_DAY / DEPLOYMENTS / (wakes_per_minute * 24 * 60)
    shown: list[Block] = [
        table(
            ("", "in a minute", f"{DAYS} days, {DEPLOYMENTS} of them"),
            [(line.what, f"${line.usd:.6f}", f"${float(line.usd) * TIMES:,.2f}") for line in loop_bill.lines],
        ),
        Heading("who wakes it?"),
        table(("object", "alarms", "requests from others"), [_wakers(loop.trace), _wakers(budgeted.trace)]),
        Paragraph(
            f"Published were ${PUBLISHED_USD:,} and {PUBLISHED_ROWS_PER_DAY / 1e9:,.0f} billion rows a day. At this"
            f" loop's pace that is {needed:,.0f} rows a wake for each deployment: a larger table or a faster loop than"
            " the one assumed here."
        ),
    ]
    facts = {
        "wakes_per_minute": wakes_per_minute,
        "rows_per_day": rows_per_day,
        "extrapolated_usd": usd,
        "budgeted_usd": budget_bill,
        "budgeted_alarms": int(_wakers(budgeted.trace)[1]),
        "wakes_only_itself": _wakers(loop.trace)[2] == "1",
    }
    assumed = "a tenth of a second between alarms and a table of 500 rows; handlers use no CPU time here."
    worlds = [World("the loop, a minute", loop), World("with a budget, eight days", budgeted)]
    return Lesson("alarm-loop-bill", claim, facts, shown, worlds, seed, assumed, ("alarm_loop_bill",))


def _start(binding: str, seed: int | str) -> tuple[Simulation, Bill]:
    """Set one object up, and bill the minute after."""
    sim = Simulation.from_project(project("alarm_loop_bill"), seed=seed, show_output=False)
    sim.run(getattr(sim.env, binding).getByName("preview-1").start())
    before = sim.bill()
    sim.run(for_=MEASURED)
    return sim, sim.bill(since=before)


def _wakers(trace: Trace) -> tuple[str, str, str]:
    """An object's label, how often its own alarm woke it, and how often somebody else did."""
    calls = trace.of_kind("call")
    own = [record for record in calls if record.detail["via"] == "alarm"]
    return str(own[0].detail["target"]), str(len(own)), str(len(calls) - len(own))
