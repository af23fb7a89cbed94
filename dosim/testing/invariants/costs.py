"""What a run may cost."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from dosim.billing import Bill, Statement, bill_of
from dosim.simulation import Simulation
from dosim.testing.invariants.violations import Invariant, kept_trace, named, violated
from dosim.trace.words import exact


def cost_below(usd: float | str | Decimal, per: str = "month", *, plan: str = "paid", times: int = 1) -> Invariant:
    """An invariant: what ran costs less than so many dollars.

    Why people get it wrong: the price list has requests, duration, rows read, rows written and stored bytes, and which
    of them is the bill is not where one looks. A chat's rows written may be ten times its duration; an index adds a
    written row; an idle object with a timer, an open `fetch` or an accepted socket is billed for every second. Idle is
    free only after it has left memory. Put a ceiling into the test, and the design that costs 100 times as much fails
    before the month is over.
    Source: durable-objects/platform/pricing and `dosim.platform.prices`, which has the day of each price. Seen in the
    field: row writes at ten times a chat's duration (cloudflare/agents#1686), objects held for 17 hours by RPC
    callbacks at no CPU (iterate/iterate#1518).

    usd: the ceiling, itself allowed. per: "month" (what ran goes on for 30 days; the plan's base fee and allowances are
    in it; ten busy seconds are thirty busy days) or "run" (what ran, every unit at its list price). plan: "paid" or
    "free". times: how many such populations there are (only per month). Returns a function of a simulation or a trace
    that raises InvariantViolated with the dearest lines and objects. Raises ValueError or TypeError that name the
    argument.
    """
    ceiling = _dollars(usd)
    if per not in ("month", "run"):
        raise ValueError(f'per={per!r} is not known: use "month" or "run".')
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ValueError(f"times={times!r} is not possible: give a whole number from 1 on.")
    if per == "run" and times != 1:
        raise ValueError('times= is about a month of many populations: give per="month" with it.')
    name = f"cost_below(usd={usd}, per={per!r})"

    def check(source: Any) -> None:
        bill, end_us = _bill(source, plan, name)
        whole: Statement = bill.per_month(times=times) if per == "month" else bill
        if whole.usd > ceiling:
            raise violated(source, name, _story(bill, whole, ceiling, per, times), at_us=end_us)

    return named(check, name, cost_below.__doc__)


def _dollars(usd: object) -> Decimal:
    """The ceiling as it was written. Raises TypeError or ValueError."""
    if isinstance(usd, bool) or not isinstance(usd, (int, float, str, Decimal)):
        raise TypeError(f"usd={usd!r} is no amount of money: give a number of dollars, such as 5 or 0.25.")
    try:
        ceiling = Decimal(str(usd))
    except InvalidOperation:
        raise ValueError(f"usd={usd!r} is no amount of money: give a number of dollars, such as 5 or 0.25.") from None
    if not ceiling.is_finite() or ceiling < 0:
        raise ValueError(f"usd={usd!r} is no ceiling: give a number of dollars from 0 on.")
    return ceiling


def _bill(source: object, plan: str, name: str) -> tuple[Bill, int]:
    """The bill so far, and when that is."""
    if isinstance(source, Simulation):
        return source.bill(plan=plan), source.now.us
    trace = kept_trace(source, name)
    return bill_of(trace, plan=plan), max((raw[0] for raw in trace.raw), default=0)


def _story(bill: Bill, whole: Statement, ceiling: Decimal, per: str, times: int) -> str:
    lines = sorted(whole.lines, key=lambda line: (-line.usd, line.what))[:3]
    objects = sorted(bill.by_object.items(), key=lambda item: (-item[1].usd, item[0]))[:3]
    populations = f", {times} such populations" if times > 1 else ""
    said = (
        f"a month like this{populations} costs ${whole.usd:,.2f}, more than ${ceiling:,}."
        if per == "month"
        else f"this run cost ${whole.usd:f}, more than ${ceiling:,}."
    )
    said += f" Measured: {bill.stretch}. Dearest: " + ", ".join(f"{line.what} ${line.usd:,f}" for line in lines) + "."
    for label, one in objects:
        held = bill.duration_s_by_holder.get(label, {})
        holder = max(held, key=lambda name: (held[name], name)) if held else None
        why = f", {exact(round(held[holder] * 1e6))} in memory because of {holder}" if holder else ""
        said += f" {label}: {one.requests} requests, {one.rows_read} rows read, {one.rows_written} rows written{why}."
    return said
