"""`Bill`: what a run used, at the prices of a day: line by line, by object, by what held each object in memory.

A measured stretch is billed at list prices, every unit of it and nothing else, so that bills can be compared and added.
Allowances, the plan's base fee and rounding belong to a month: `Bill.per_month`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from html import escape
from typing import Final, NamedTuple

from dosim.billing.lines import LINE_HEAD, Exceeded, Line, aligned, amount_text, line_of, money_text
from dosim.billing.use import DAY_US, MONTH_US, Quantities, Reading, Use, utc_day
from dosim.platform.facts import SECOND_US
from dosim.platform.prices import Price, PriceList
from dosim.trace.tables import html_table
from dosim.trace.words import stretch

PLANS: Final = {"free": "Workers Free plan", "paid": "Workers Paid plan"}
_NONE: Final = Fraction(0)
_RIGHT: Final = frozenset(LINE_HEAD) - {"what"}
_HOLDERS_HEAD: Final = ("billed seconds", "object", "held by")
#: How many holders a bill prints.
_SHOWN: Final = 10


class Statement:
    """What some use costs: `lines`, their sum `usd`, and on the free plan what is `exceeded`. Shows as a table."""

    def __init__(
        self, plan: str, prices: PriceList, quantities: Quantities, lines: Sequence[Line], exceeded: Iterable[Exceeded]
    ) -> None:
        self.plan = plan
        self.prices = prices
        self.lines = tuple(lines)
        self.exceeded = tuple(exceeded) if plan == "free" else ()
        self._quantities = quantities

    @property
    def usd(self) -> Decimal:
        """The exact sum of the lines, each of which is rounded (`usd_of`)."""
        return sum((line.usd for line in self.lines), Decimal(0))

    def quantity(self, meter: str) -> Fraction:
        """How much of a meter was used, such as "do_requests" (see `dosim.platform.prices`); 0 for none."""
        return self._quantities.get(meter, _NONE)

    @property
    def title(self) -> str:
        """What this is a bill of, in one line."""
        return f"{PLANS[self.plan]}, prices of {self.prices.since}"

    def _tables(self) -> list[tuple[Sequence[str], list[tuple[str, ...]]]]:
        total = ("together", "", "", "", "", money_text(self.usd))
        return [(LINE_HEAD, [*(line.cells() for line in self.lines), total])]

    def _remarks(self) -> list[str]:
        return [*map(str, self.exceeded), *(f"{line.what}: {line.note}." for line in self.lines if line.note)]

    def __repr__(self) -> str:
        tables = [aligned(head, rows, _RIGHT) for head, rows in self._tables()]
        return "\n\n".join([self.title, *tables, "\n".join(self._remarks())]).rstrip()

    def _repr_html_(self) -> str:
        tables = "".join(html_table(head, rows) for head, rows in self._tables())
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self._remarks())
        return f"<p><b>{escape(self.title)}</b></p>{tables}{remarks}"


class ObjectBill(NamedTuple):
    """What one object used, and what that costs at list prices."""

    requests: int
    messages: int
    gb_s: Fraction
    rows_read: int
    rows_written: int
    gb_months: Fraction
    usd: Decimal


class Bill(Statement):
    """What a measured stretch of a simulation costs at list prices.

    Give it as `since=` to a later `sim.bill` to leave out everything before it.
    """

    def __init__(self, reading: Reading, use: Use, plan: str, prices: PriceList) -> None:
        self.reading = reading
        self._use = use
        lines = _lines(prices, use.quantities, self._listed(plan))
        super().__init__(plan, prices, use.quantities, lines, self._exceeded(prices))

    @staticmethod
    def _listed(plan: str) -> Callable[[Price, Fraction], Line]:
        """Every unit at its price; on the free plan only what is no part of it."""
        return lambda price, quantity: line_of(
            price, quantity, None, quantity if plan == "paid" or price.apart else _NONE
        )

    def _exceeded(self, prices: PriceList) -> Iterable[Exceeded]:
        """What goes beyond the daily allowances, day by day, and what is stored beyond the free gigabytes."""
        for day, quantities in self._use.days.items():
            for price in prices.prices:
                used = quantities.get(price.meter, _NONE)
                if price.day is not None and used > price.day:
                    yield Exceeded(day, price.what, used, price.day, price.unit)
        for price in prices.prices:
            stored_gb = self._use.average_gb(price.meter)
            if price.total is not None and stored_gb > price.total:
                yield Exceeded(utc_day(self._use.end_us), price.what, stored_gb, price.total, "GB")

    @cached_property
    def duration_s_by_holder(self) -> dict[str, dict[str, float]]:
        """Object -> what held it in memory -> billed seconds."""
        return {
            label: {holder: us / SECOND_US for holder, us in use.held_us.items()}
            for label, use in self._use.objects.items()
            if use.held_us
        }

    @cached_property
    def by_object(self) -> dict[str, ObjectBill]:
        """Object -> what it used and what that costs."""
        return {label: self._of_object(label) for label in self._use.objects}

    def _of_object(self, label: str) -> ObjectBill:
        use = self._use.objects[label]
        units = use.quantities
        usd = sum((line.usd for line in _lines(self.prices, units, self._listed(self.plan))), Decimal(0))
        return ObjectBill(
            use.requests, use.messages, units["do_duration"], use.rows_read, use.rows_written, units["do_stored"], usd
        )

    def per_month(self, *, days: int = 30, times: int = 1, once: Bill | None = None) -> MonthlyBill:
        """The bill of a month that goes on like the measured stretch.

        days: how long the month is. times: how many such populations there are. once: the bill of what happens once a
        month, such as connecting; it is added as it is, for each population. Raises ValueError when the stretch has no
        length, TypeError for a `once` that is no bill.
        """
        for name, number in (("days", days), ("times", times)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ValueError(f"{name}={number!r} is not possible: give a whole number from 1 on.")
        if once is not None and not isinstance(once, Bill):
            raise TypeError(f"once={once!r} is no bill: give what sim.bill() returned.")
        if not self._use.length_us:
            raise ValueError("the measured stretch has no length: run the simulation on, then bill.")
        factor = Fraction(days * DAY_US, self._use.length_us)
        quantities = {meter: amount * factor * times for meter, amount in self._quantities.items()}
        for meter, amount in (once._quantities if once is not None else {}).items():
            quantities[meter] = quantities.get(meter, _NONE) + amount * times
        return MonthlyBill(self, quantities, days, times)

    @property
    def stretch(self) -> str:
        """What was measured, in words."""
        use = self._use
        return f"{stretch(use.length_us)}, from t={stretch(use.start_us)} to t={stretch(use.end_us)}"

    @property
    def title(self) -> str:
        terms = "every unit at its list price" if self.plan == "paid" else "nothing is charged"
        return f"{super().title}: {terms}. Measured: {self.stretch}."

    def _tables(self) -> list[tuple[Sequence[str], list[tuple[str, ...]]]]:
        held = [(us, label, holder) for label, use in self._use.objects.items() for holder, us in use.held_us.items()]
        held.sort(key=lambda row: (-row[0], row[1], row[2]))
        rows: list[tuple[str, ...]] = [
            (amount_text(Fraction(us, SECOND_US)), label, holder) for us, label, holder in held[:_SHOWN]
        ]
        rest = held[_SHOWN:]
        if rest:
            rows.append((amount_text(Fraction(sum(us for us, _, _ in rest), SECOND_US)), f"{len(rest)} more", ""))
        return [*super()._tables(), *([(_HOLDERS_HEAD, rows)] if rows else [])]


class MonthlyBill(Statement):
    """What a month costs: with the base fee, allowances, and rounding as in the documents' examples.

    On the free plan allowances are those of all its days together, and `exceeded` is about an average day.
    """

    def __init__(self, measured: Bill, quantities: Quantities, days: int, times: int) -> None:
        self.measured = measured
        self.days = days
        self.times = times
        plan, prices = measured.plan, measured.prices
        base = [_base_fee(prices)] if plan == "paid" else []
        lines = [*base, *_lines(prices, quantities, self._paid if plan == "paid" else self._free)]
        super().__init__(plan, prices, quantities, lines, self._exceeded(prices, quantities))

    @staticmethod
    def _paid(price: Price, quantity: Fraction) -> Line:
        billable = max(_NONE, quantity - price.month)
        if price.whole:
            billable = Fraction(-(-billable // price.per) * price.per)
        return line_of(price, quantity, price.month, billable)

    def _free(self, price: Price, quantity: Fraction) -> Line:
        if price.apart:
            return self._paid(price, quantity)
        allowed = price.total if price.day is None else price.day * self.days
        return line_of(price, quantity, allowed, _NONE)

    def _exceeded(self, prices: PriceList, quantities: Mapping[str, Fraction]) -> Iterable[Exceeded]:
        for price in prices.prices:
            quantity = quantities.get(price.meter, _NONE)
            if price.day is not None and quantity > price.day * self.days:
                yield Exceeded(None, price.what, quantity / self.days, price.day, price.unit)
            stored_gb = quantity * Fraction(MONTH_US, self.days * DAY_US)
            if price.total is not None and stored_gb > price.total:
                yield Exceeded(None, price.what, stored_gb, price.total, "GB")

    @property
    def title(self) -> str:
        terms = "allowances and base fee included" if self.plan == "paid" else "nothing is charged"
        times = f", {self.times} times" if self.times > 1 else ""
        return f"{super().title}: {self.days} days like the measured {self.measured.stretch}{times}; {terms}."


def _lines(prices: PriceList, quantities: Quantities, line: Callable[[Price, Fraction], Line]) -> list[Line]:
    """A line for everything that was used, in the order of the price list."""
    used = ((price, quantities.get(price.meter, _NONE)) for price in prices.prices)
    return [line(price, quantity) for price, quantity in used if quantity]


def _base_fee(prices: PriceList) -> Line:
    one = Fraction(1)
    return Line(PLANS["paid"], one, "months", None, one, prices.base_usd, 1, prices.base_usd, "", prices.source)
