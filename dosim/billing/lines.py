"""The lines of a bill, what exceeds the free plan, and numbers and tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from dosim.platform.prices import MILLION, Price

#: One row read costs as much.
_LEAST_USD: Final = Decimal("0.000000001")
_CENT: Final = Decimal("0.01")
LINE_HEAD: Final = ("what", "quantity", "included", "billable", "price", "USD")


class Line(NamedTuple):
    """One thing on a bill.

    quantity, included and billable are exact, in `unit`; included None: allowances are not looked at. usd_per: dollars
    for `per` units. usd: what the line costs, as `usd_of` rounds. note: how it is counted. source: the document
    that names the price.
    """

    what: str
    quantity: Fraction
    unit: str
    included: Fraction | None
    billable: Fraction
    usd_per: Decimal
    per: int
    usd: Decimal
    note: str = ""
    source: str = ""

    @property
    def _amount(self) -> Fraction:
        """What the line costs, exactly."""
        return self.billable * Fraction(self.usd_per) / self.per

    @property
    def price(self) -> str:
        """The price in words: "$0.15 / million requests"."""
        unit = {1: self.unit.removesuffix("s"), MILLION: f"million {self.unit}"}[self.per]
        return f"{money_text(self.usd_per)} / {unit}"

    def cells(self) -> tuple[str, ...]:
        included = "" if self.included is None else amount_text(self.included)
        quantity, billable = amount_text(self.quantity), amount_text(self.billable)
        unit = self.unit.removesuffix("s") if self.quantity == 1 and self.unit != "GB-s" else self.unit
        return (self.what, f"{quantity} {unit}", included, billable, self.price, cost_text(self._amount))


class Exceeded(NamedTuple):
    """What goes beyond the free plan, which fails there: on a UTC day, or (day None) on an average day of a month."""

    day: date | None
    what: str
    quantity: Fraction
    allowance: int
    unit: str

    def __str__(self) -> str:
        when = "An average day" if self.day is None else str(self.day)
        used = f"{self.what}: {amount_text(self.quantity)} {self.unit}"
        return f"{when}, {used}. The free plan allows {self.allowance:,}: what is beyond fails."


def line_of(price: Price, quantity: Fraction, included: int | None, billable: Fraction) -> Line:
    """The line of one meter."""
    usd = usd_of(billable * Fraction(price.usd) / price.per)
    allowance = None if included is None else Fraction(included)
    return Line(
        price.what, quantity, price.unit, allowance, billable, price.usd, price.per, usd, price.note, price.source
    )


def usd_of(amount: Fraction) -> Decimal:
    """Dollars to a millionth, of less than a thousandth to three digits but no finer than a billionth; halves up."""
    usd = Decimal(amount.numerator) / Decimal(amount.denominator)
    place = max(-9, min(-6, usd.adjusted() - 2)) if usd else -6
    return usd.quantize(Decimal(1).scaleb(place), ROUND_HALF_UP)


def money_text(usd: Decimal) -> str:
    """Dollars in full: whole cents as "$5.15", others as "$0.0024" or "$0.0000003"."""
    if usd == usd.quantize(_CENT):
        return f"${usd:,.2f}"
    return f"${usd:,f}".rstrip("0")


def cost_text(amount: Fraction) -> str:
    """What something costs, rounded as on a bill; what would be rounded to nothing as "< $0.000000001"."""
    usd = usd_of(amount)
    return money_text(usd) if usd or not amount else f"< {money_text(_LEAST_USD)}"


def amount_text(amount: Fraction) -> str:
    """A quantity for people: three digits behind the point, more for what is tiny."""
    if amount.denominator == 1:
        return f"{amount.numerator:,}"
    number = float(amount)
    if abs(number) < 0.001:
        return f"{number:.3g}"
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str]) -> str:
    """A plain table; the columns named in `right` are set flush right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        put = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(head, cells, widths, strict=True)
        )
        return "  ".join(put).rstrip()

    return "\n".join(map(line, (head, ["-" * width for width in widths], *rows)))
