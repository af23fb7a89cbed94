"""`alarm-loop-bill`: an alarm that sets itself again, sixty preview deployments, no users, eight days.

The story is Hacker News 47787042: $34,895 in eight days. Here one such object runs for a short stretch and is billed;
the rest is multiplication, said as such. A budget in storage stops it; a look at the trace finds it: it wakes only
itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from dosim.billing import Bill
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.trace import Trace

#: As published: deployments, days, dollars, and the rows that all of them read on the worst days.
DEPLOYMENTS: Final = 60
DAYS: Final = 8
PUBLISHED_USD: Final = 34_895
PUBLISHED_ROWS_PER_DAY: Final = 930_000_000_000
#: Of the invoice in what seems to be the same case, told on r/cloudflare: "more than".
INVOICED_ROWS: Final = 20_000_000_000_000

DAY_S: Final = 86_400
#: Binding -> what it is called here, and the seconds that are billed.
VARIANTS: Final = {
    "MINUTE": ("again in a minute", 3_600),
    "LOOP": ("again in 10 ms", 10),
    "BUDGETED": ("in 10 ms, with a budget", DAYS * DAY_S),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """One object, left alone and billed for so many seconds."""

    sim: Simulation
    bill: Bill
    seconds: int

    @property
    def wakes(self) -> int:
        """How often its alarm rang, by the requests that were billed: nobody else sent any."""
        return int(self.bill.quantity("do_requests"))

    def daily(self, meter: str) -> float:
        """What all deployments use of a meter in a day at this pace."""
        return float(self.bill.quantity(meter)) / self.seconds * DAY_S * DEPLOYMENTS

    @property
    def usd(self) -> float:
        """Eight days like this one, sixty times, as a month is billed: allowances and base fee included."""
        return float(self.bill.per_month(days=DAYS, times=DEPLOYMENTS).usd)

    @property
    def rows_needed(self) -> float:
        """How many rows a wake would have to read, for the published number of rows a day."""
        return PUBLISHED_ROWS_PER_DAY / self.daily("do_requests")


def run(*, seed: int | str = 0) -> Lesson:
    """Bill the loop at two paces and with a budget."""
    found = {title: _alone(binding, seconds, seed) for binding, (title, seconds) in VARIANTS.items()}
    minute, loop, budgeted = found.values()
    times = DAYS * DAY_S // loop.seconds * DEPLOYMENTS
    rows_usd = _rows_usd(loop.bill, PUBLISHED_ROWS_PER_DAY * DAYS)
    invoiced_usd = _rows_usd(loop.bill, INVOICED_ROWS)
    claim = (
        f"One object whose alarm sets itself again woke {loop.wakes:,} times in {loop.seconds} s in which nobody asked"
        f" it anything. {DEPLOYMENTS} of them for {DAYS} days ({times:,} times as much) cost ${loop.usd:,.0f}; the"
        f" published bill was ${PUBLISHED_USD:,}. With a budget it woke {budgeted.wakes} times and stopped: that costs"
        f" no more than an account without it (${budgeted.usd:.2f})."
    )
    shown: list[Block] = [
        table(
            (
                "the alarm is set",
                "wakes a day, each",
                "rows read a day, all",
                f"{DAYS} days, all",
                "rows a wake needed",
            ),
            [
                (title, _each(one), f"{one.daily('do_rows_read'):,.0f}", f"${one.usd:,.2f}", _needed(one))
                for title, one in found.items()
            ],
        ),
        Paragraph(
            "Rows needed: those that each wake would have to read for the published"
            f" {PUBLISHED_ROWS_PER_DAY / 1e9:,.0f} billion rows on the worst days. The published code sets the alarm a"
            f" minute ahead, which needs {minute.rows_needed / 1e6:,.1f} million rows a wake; read more often,"
            f" {loop.rows_needed:,.0f} would do."
            " Which of the two it was is not published."
        ),
        Paragraph(
            f"That many rows a day, read on {DAYS} days, would cost ${rows_usd:,.0f} at list price. What seems to be"
            f" the same case is told on r/cloudflare with more than {INVOICED_ROWS / 1e12:.0f} trillion reads on the"
            f" invoice: ${invoiced_usd:,.0f} and more. What made up the rest of the bill, neither account says."
        ),
        Heading(f"again in 10 ms, line by line: {loop.seconds} s of one, {DAYS} days of {DEPLOYMENTS}"),
        table(("", f"{loop.seconds} s", f"{DAYS} days, {DEPLOYMENTS} of them"), _lines(loop.bill)),
        Heading("who wakes it?"),
        table(
            ("object", "woken by its own alarm", "by anybody else", "wakes only itself"),
            [
                (label, f"{own:,}", others, "yes" if not others else "no")
                for one in found.values()
                for label, (own, others) in wakers(one.sim.trace, since_us=1).items()
            ],
        ),
        Paragraph(
            "Counted after the request that set each of them up. The last one has said that it stopped, and has."
        ),
    ]
    facts = {
        "wakes": {title: one.wakes for title, one in found.items()},
        "measured_s": {title: one.seconds for title, one in found.items()},
        "rows_read_per_day_by_all": {title: one.daily("do_rows_read") for title, one in found.items()},
        "extrapolated_usd": {title: one.usd for title, one in found.items()},
        "rows_needed_per_wake": {title: one.rows_needed for title, one in (list(found.items())[:2])},
        "published_rows_at_list_price_usd": rows_usd,
        "invoiced_rows_at_list_price_usd": invoiced_usd,
        "scaled_by": times,
    }
    assumed = (
        "a table of 1,000 rows without an index, and 10 ms from one alarm to the next: neither is published. All"
        f" {DEPLOYMENTS} loop alike on all {DAYS} days. Handlers take no time, so no duration is billed. Rows read are"
        " an estimate of what the platform counts."
    )
    worlds = [World(title, one.sim) for title, one in found.items() if one is not minute]  # an hour beside seconds
    return Lesson("alarm-loop-bill", claim, facts, shown, worlds, seed, assumed, ("alarm_loop_bill",))


def wakers(trace: Trace, *, since_us: int = 0) -> dict[str, tuple[int, int]]:
    """Object -> how often its own alarm woke it, and how often anybody else did. (n, 0): it wakes only itself."""
    calls = [record.detail for record in trace.of_kind("call") if record.t_us >= since_us]
    own = Counter(str(call["target"]) for call in calls if call["via"] == "alarm")
    others = Counter(str(call["target"]) for call in calls if call["via"] != "alarm")
    return {label: (own[label], others[label]) for label in sorted({*own, *others})}


def _alone(binding: str, seconds: int, seed: int | str) -> Stretch:
    """Set one object up, leave it alone, and bill only that time."""
    sim = Simulation.from_project(project("alarm_loop_bill"), seed=seed, show_output=False)
    sim.run(getattr(sim.env, binding).getByName("preview-1").start())
    before = sim.bill()
    sim.run(for_=f"{seconds}s")
    return Stretch(sim, sim.bill(since=before), seconds)


def _rows_usd(bill: Bill, rows: int) -> float:
    """What so many rows cost at the list price of a row that is read."""
    price = next(line for line in bill.lines if line.what == "Durable Objects rows read")
    return float(price.usd_per) * rows / price.per


def _each(one: Stretch) -> str:
    return f"{one.daily('do_requests') / DEPLOYMENTS:,.1f}".removesuffix(".0")


def _needed(one: Stretch) -> str:
    return f"{one.rows_needed:,.0f}" if "stopped" not in _said(one.sim) else "it stops"


def _said(sim: Simulation) -> str:
    return " ".join(str(record.detail) for record in sim.trace.of_kind("log"))


def _lines(bill: Bill) -> list[tuple[str, str, str]]:
    """The lines of the measured bill, beside those of the extrapolated one."""
    short = {line.what: line.usd for line in bill.lines}
    return [
        (line.what, f"${short.get(line.what, 0):.6f}", f"${line.usd:,.2f}")
        for line in bill.per_month(days=DAYS, times=DEPLOYMENTS).lines
    ]
