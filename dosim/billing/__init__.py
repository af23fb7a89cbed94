"""Money: what a run costs on Cloudflare. `sim.bill()` uses it; a trace that was kept whole can be billed too.

A reader of the trace: it imports nothing of the runtime.
"""

from __future__ import annotations

from dosim.billing.bill import PLANS, Bill, MonthlyBill, ObjectBill, Statement
from dosim.billing.lines import Exceeded, Line
from dosim.billing.meter import Meter
from dosim.billing.use import Reading, use_between, utc_day
from dosim.platform.prices import price_list
from dosim.trace import Trace

__all__ = [
    "Bill",
    "Exceeded",
    "Line",
    "Meter",
    "MonthlyBill",
    "ObjectBill",
    "Reading",
    "Statement",
    "bill_of",
    "bill_reading",
]


def bill_reading(reading: Reading, *, plan: str = "paid", prices: object = None, since: Bill | None = None) -> Bill:
    """The bill of what a meter has read.

    plan: "paid" or "free". prices: a date, for the newest prices that are not after it; None: the simulated date.
    since: an earlier bill of the same simulation, to measure from there. Raises ValueError or TypeError that name the
    argument and the fix.
    """
    if not isinstance(plan, str) or plan not in PLANS:
        raise ValueError(f'plan={plan!r} is not known: use "paid" or "free".')
    if since is not None and not isinstance(since, Bill):
        raise TypeError(f"since={since!r} is no bill: give what an earlier sim.bill() returned.")
    if since is not None and since.reading.meter is not reading.meter:
        raise ValueError("since= is the bill of another simulation: give an earlier one of this.")
    known = price_list(utc_day(reading.at_us) if prices is None else prices)
    use = use_between(since.reading if since is not None else None, reading)
    return Bill(reading, use, plan, known)


def bill_of(trace: Trace, *, plan: str = "paid", prices: object = None) -> Bill:
    """The bill of a trace that was kept whole, until its last record; the arguments are those of `bill_reading`.

    What objects in memory have stored at the end is in no record and counts as when they last left it. Raises
    ValueError for a trace that keeps only some records.
    """
    if len(trace) != trace.count:
        raise ValueError(
            f"this trace has kept {len(trace)} of its {trace.count} records: use sim.bill(), or retention='full'."
        )
    meter, end_us = Meter(), 0
    for raw in trace.raw:
        meter.fold(*raw)
        end_us = max(end_us, raw[0])
    return bill_reading(meter.read(end_us), plan=plan, prices=prices)
