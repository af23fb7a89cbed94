"""`costs`: what a run costs over time, by line of the bill, and what held the objects in memory meanwhile.

The meter and the prices are those of `dosim.billing`; the last moment is the bill of the whole trace (`bill_of`). On
the paid plan every unit counts at its list price. On the free plan nothing is charged: there it is the share of each
day's allowance. `Costs` are the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dosim.billing import Bill, Meter, Reading, bill_reading
from dosim.billing.bill import PLANS
from dosim.billing.lines import cost_text, money_text
from dosim.billing.use import DAY_US, in_units
from dosim.platform.prices import Price
from dosim.trace import Trace
from dosim.trace.tables import html_table
from dosim.trace.words import counted, cut, rounded, stretch
from dosim.views.charts import dress, head_in, ink_of, patch, titled, wrapped, write_head
from dosim.views.figures import check_look, finished, new_figure, theme_of, trace_of
from dosim.views.scales import Limits, chosen_limits, kept_note, percent_text, plain_ticks, time_ticks
from dosim.views.style import Look, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The meter is read at so many moments; at fewer where there are many objects, each of which is read.
_MOMENTS: Final = 240
_READS: Final = 200_000
#: So many series are drawn by themselves, the others together.
MOST_SERIES: Final = 6
#: How many objects are told apart by name as holders; more are told by class.
_MOST_NAMED: Final = 50
#: Midnights that are read, for the free plan, whose allowances begin anew then.
_MOST_MIDNIGHTS: Final = 120

#: How the series are told apart, the largest first; the last is everything else.
SERIES: Final = (
    Look("#0072B2", "", 0.8, ""),
    Look("#E69F00", "...", 0.8, ""),
    Look("#009E73", "///", 0.8, ""),
    Look("#D55E00", "xxx", 0.8, ""),
    Look("#56B4E9", "\\\\", 0.8, ""),
    Look("#CC79A7", "||", 0.8, ""),
    Look("#999999", "oo", 0.8, ""),
)
#: The same for lines: lengths of dash and gap, none for a line without gaps.
DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (5, 2), (2, 2), (6, 2, 1, 2), (1, 1), (8, 3), (3, 1, 1, 1, 1, 1))
#: Where the axes end and the legend begins, a share of the picture.
_RIGHT: Final = 0.66
ELSE: Final = "everything else"

Series = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run cost, at each of `moments_us`, from its start.

    lines: what the bill calls it -> dollars so far. shares: the same -> of the free plan's allowance of that day, what
    was used since midnight (1: all of it). held_s: what held objects in memory -> billed seconds so far. bill: that of
    the last moment.
    """

    plan: str
    moments_us: tuple[int, ...]
    lines: Mapping[str, Series]
    shares: Mapping[str, Series]
    held_s: Mapping[str, Series]
    bill: Bill

    @property
    def usd(self) -> Decimal:
        """The bill's sum: every unit at its list price; on the free plan 0, but for what is no part of it."""
        return self.bill.usd

    @property
    def series(self) -> Mapping[str, Series]:
        """What is drawn: dollars, or shares on the free plan."""
        return self.lines if self.plan == "paid" else self.shares

    @property
    def limits(self) -> Limits:
        """The whole run, up to all dollars together; on the free plan to the largest share, or all of it if near."""
        ends = (0, self.moments_us[-1] or 1_000_000)
        if self.plan == "paid":
            top = sum(values[-1] for values in self.lines.values())
            return Limits("costs", ends, (0, top or 1e-6))
        largest = max((max(values) for values in self.shares.values()), default=0.0)
        return Limits("free allowance", ends, (0, max(1.0, largest) if largest > 0.4 else largest * 1.15 or 1.0))

    def __repr__(self) -> str:
        return f"<costs of {stretch(self.moments_us[-1])}: {_said_usd(self)}>"

    def _repr_html_(self) -> str:
        head = ("what", "USD" if self.plan == "paid" else "largest share of a day's allowance")
        rows = [(what, self.told(what, values)) for what, values in _largest_first(self.series)]
        held = [(f"held by {what}", f"{values[-1]:,.6g} s") for what, values in _largest_first(self.held_s)]
        return html_table(head, [*rows, *held], f"{PLANS[self.plan]}, {stretch(self.moments_us[-1])}")

    def told(self, what: str, values: Sequence[float]) -> str:
        """The end of a series of `series` in words."""
        return usd_text(values[-1]) if self.plan == "paid" else percent_text(max(values))


def _said_usd(costs: Costs) -> str:
    if costs.plan == "paid":
        return f"{usd_text(costs.usd)} at list prices"
    used = max((max(values) for values in costs.shares.values()), default=0.0)
    return f"free plan, at most {percent_text(used)} of a day's allowance"


def usd_text(usd: float | Decimal) -> str:
    """Dollars for a picture: cents from a dollar on, else as on a bill: "$12.34", "$0.002134", "$0.0000003"."""
    if not -1 < usd < 1:
        return f"${usd:,.2f}"
    if not usd:
        return "$0"
    return money_text(usd) if isinstance(usd, Decimal) else cost_text(Fraction(usd))


def read_costs(source: object, *, plan: str = "paid", prices: object = None) -> Costs:
    """What a run cost over time.

    source: a simulation or a trace. plan: "paid" or "free". prices: a date, for the newest prices that are not after
    it; None: the simulated date at the end. What objects in memory have stored at the end is in no record and counts as
    when they last left it, as in `bill_of`. Raises ValueError that names the argument and the fix, and for a trace that
    has not kept every record.
    """
    trace = trace_of(source)
    if kept_note(trace):
        raise ValueError(
            f"this trace has kept {len(trace):,} of its {trace.count:,} records, and costs add up from the first: make"
            " the simulation with retention='full'. sim.bill() has the sum in any case."
        )
    readings = list(_readings(trace))
    bill = bill_reading(readings[-1], plan=plan, prices=prices)
    lines: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for number, reading in enumerate(readings):
        used = in_units(reading.totals)
        today = _today(reading, used)
        for price in bill.prices.prices:
            _put(lines, price.what, number, float(_usd(price, used)))
            if price.day is not None:
                _put(shares, price.what, number, float(today.get(price.meter, Fraction(0)) / max(1, price.day)))
    return Costs(
        plan,
        tuple(reading.at_us for reading in readings),
        _frozen(lines),
        _frozen(shares),
        _held_s(readings),
        bill,
    )


def _put(series: dict[str, list[float]], what: str, number: int, value: float) -> None:
    """The value of a series at one moment; a price list may have two prices of one name."""
    values = series.setdefault(what, [])
    if len(values) == number:
        values.append(value)
    else:
        values[number] += value


def _frozen(series: Mapping[str, Sequence[float]]) -> dict[str, Series]:
    """Series that are not zero all the time."""
    return {what: tuple(values) for what, values in series.items() if any(values)}


def _usd(price: Price, used: Mapping[str, Fraction]) -> Fraction:
    return used.get(price.meter, Fraction(0)) * Fraction(price.usd) / price.per


def _today(reading: Reading, used: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """What was used since the last midnight."""
    before = in_units(reading.midnights[-1][1]) if reading.midnights else {}
    return {meter: amount - before.get(meter, 0) for meter, amount in used.items()}


def _readings(trace: Trace) -> Iterable[Reading]:
    """Where the meter stands at each moment. A moment is read as soon as no later record tells of an earlier one."""
    raws = list(trace.raw)
    leaves = _sizes_at_leaving(raws)
    moments = _moments(raws, len(leaves))
    settled = _settled_us(raws)
    meter = Meter()
    at = 0
    for number, raw in enumerate(raws):
        while at < len(moments) - 1 and settled[number] > moments[at]:
            yield meter.read(moments[at], _sizes(leaves, moments[at]))
            at += 1
        meter.fold(*raw)
    for moment in moments[at:]:
        yield meter.read(moment, _sizes(leaves, moment))


def _moments(raws: Sequence[Any], objects: int) -> list[int]:
    """The start, evenly spaced moments, the ends of days, and the last record's."""
    last_us = max((raw[0] for raw in raws), default=0)
    count = max(24, min(_MOMENTS, _READS // max(1, objects)))
    days = last_us // DAY_US
    midnights = [day * DAY_US for day in range(1, days + 1)] if days <= _MOST_MIDNIGHTS else []
    before = [moment - 1 for moment in midnights]
    return sorted({0, *(last_us * k // count for k in range(1, count + 1)), *before, *midnights})


def _settled_us(raws: Sequence[Any]) -> list[int]:
    """For each record, the earliest time that it or a later one tells of: a computation's end is told ahead of it."""
    found = [raw[0] for raw in raws]
    for number in range(len(found) - 2, -1, -1):
        found[number] = min(found[number], found[number + 1])
    return found


def _sizes_at_leaving(raws: Sequence[Any]) -> dict[str, list[tuple[int, int | None]]]:
    """Object -> when it left memory and what it had stored then (None: nobody says), the last first.

    The bill takes an object's stay in memory with its size at the end, so a reading in the middle has to know it.
    """
    found: dict[str, list[tuple[int, int | None]]] = {}
    for raw in reversed(raws):
        if raw[2] in ("evict", "reset", "crash"):
            size = raw[6][2] if raw[2] == "evict" else None
            found.setdefault(raw[3], []).append((raw[0], size))
        elif raw[2] == "construct":
            found.setdefault(raw[3], [])
    return found


def _sizes(leaves: Mapping[str, list[tuple[int, int | None]]], now_us: int) -> dict[str, int]:
    """What each object has when it next leaves memory, of those that do. Moments come in order: the past is dropped."""
    sizes: dict[str, int] = {}
    for label, left in leaves.items():
        while left and left[-1][0] < now_us:
            left.pop()
        if left and left[-1][1] is not None:
            sizes[label] = left[-1][1]
    return sizes


def _held_s(readings: Sequence[Reading]) -> dict[str, Series]:
    """What held objects in memory -> billed seconds; by object where they are few, else by class."""
    named = [_by_holder(reading, by_class=False) for reading in readings] if _are_few(readings[-1]) else []
    if not named or len(named[-1]) > MOST_SERIES + 1:
        named = [_by_holder(reading, by_class=True) for reading in readings]
    return {what: tuple(each.get(what, 0.0) for each in named) for what in named[-1]}


def _are_few(reading: Reading) -> bool:
    return len(reading.objects) <= _MOST_NAMED


def _by_holder(reading: Reading, *, by_class: bool) -> dict[str, float]:
    found: dict[str, float] = {}
    for label, use in reading.objects.items():
        name = label.partition("(")[0] if by_class else label
        for holder, us in use.held_us.items():
            said = holder.replace(label, name)
            what = said.removeprefix("request ") if name in said else f"{name}: {said}"
            found[what] = found.get(what, 0.0) + us / 1e6
    return found


def _largest_first(series: Mapping[str, Series]) -> list[tuple[str, Series]]:
    return sorted(series.items(), key=lambda item: (-max(item[1]), item[0]))


def chosen_series(series: Mapping[str, Series]) -> list[tuple[str, Series]]:
    """The largest, and the others together as `ELSE`."""
    ranked = _largest_first(series)
    if len(ranked) <= MOST_SERIES + 1:
        return ranked
    rest = [values for _, values in ranked[MOST_SERIES:]]
    return [*ranked[:MOST_SERIES], (ELSE, tuple(map(sum, zip(*rest, strict=True))))]


# -- the picture


def costs(
    source: object,
    *,
    plan: str = "paid",
    prices: object = None,
    limits: object = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A Figure of what a run costs over time: dollars by line of the bill, and who held objects in memory.

    source: a simulation, a trace, or `Costs`. plan, prices: as in `read_costs`. limits: as in `chosen_limits`. width:
    inches. Raises ValueError that names the argument and the fix.
    """
    check_look(width, "picture of costs", 9, title=title, dark=dark)
    data = costs_of(source, plan, prices)
    return _Picture(data, chosen_limits(limits, data.limits), theme_of(dark)).drawn(width, dark, title)


def costs_of(source: object, plan: str, prices: object) -> Costs:
    """The costs to draw: as given, or read. Raises as `read_costs`, and ValueError for options of given ones."""
    if not isinstance(source, Costs):
        return read_costs(source, plan=plan, prices=prices)
    if plan != "paid" or prices is not None:
        raise ValueError("plan, prices: the costs have their own; give them to read_costs(source, …).")
    return source


class _Picture:
    """One figure of costs while it is drawn."""

    def __init__(self, data: Costs, limits: Limits, theme: Theme) -> None:
        self.data = data
        self.limits = limits
        self.theme = theme
        self.money = data.plan == "paid"

    def drawn(self, width: float, dark: bool, title: str) -> Figure:
        heading, lines = title or "What the run costs", wrapped(self._says(), width)
        height = head_in(heading, lines, width) + 4.55
        figure = new_figure(width, height, dark=dark, what="costs")
        write_head(figure, heading, lines, self.theme)
        left, right = 0.85 / width, _RIGHT
        usd = figure.add_axes((left, 2.45 / height, right - left, 1.8 / height))
        held = figure.add_axes((left, 0.4 / height, right - left, 1.35 / height), sharex=usd)
        for axes in (usd, held):
            dress(axes, self.theme)
            axes.set_xlim(*self.limits.x)
            ticks = time_ticks(*self.limits.x, most=7)
            axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks])
        self._amounts(usd)
        self._holders(held)
        figure.limits = self.limits
        return finished(figure, "\n".join([f"{heading}.", *self._says(), *self._alt()]))

    def _amounts(self, axes: Any) -> None:
        shown = chosen_series(self.data.series)
        titled(
            axes, "Dollars so far" if self.money else "Share of the day's free allowance, since midnight", self.theme
        )
        top = self.limits.y[1]
        axes.set_ylim(0, top * 1.06)
        ticks = plain_ticks(top)
        axes.set_yticks(ticks, [usd_text(at) if self.money else percent_text(at) for at in ticks])
        if self.money:
            self._stacked(axes, shown)
        else:
            if top >= 1 and shown:
                axes.axhline(1, color=self.theme.ink, linewidth=1, linestyle=(0, (1, 3)))
            for (_, values), look, dashes in zip(shown, SERIES, DASHES, strict=False):
                style = {"color": look.colour, "linewidth": 1.8, "linestyle": (0, dashes) if dashes else "-"}
                axes.plot(self.data.moments_us, values, **style)
        self._legend(axes, [f"{what}  {self.data.told(what, values)}" for what, values in shown], lines=not self.money)

    def _holders(self, axes: Any) -> None:
        shown = chosen_series(self.data.held_s)
        titled(axes, "Billed time in memory so far, by what held the object", self.theme)
        top = sum(values[-1] for _, values in shown) * 1e6 or 1_000_000
        axes.set_ylim(0, top * 1.06)
        ticks = time_ticks(0, top, most=5)
        axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
        room = int((axes.figure.get_size_inches()[0] * (1 - _RIGHT) - 1.3) / 0.078)
        self._stacked(axes, [(what, tuple(value * 1e6 for value in values)) for what, values in shown])
        self._legend(axes, [f"{cut(what, room)}  {rounded(values[-1] * 1e6)}" for what, values in shown])

    def _stacked(self, axes: Any, shown: Sequence[tuple[str, Series]]) -> None:
        moments = self.data.moments_us
        below = (0.0,) * len(moments)
        for (_, values), look in zip(shown, SERIES, strict=False):
            above = tuple(map(sum, zip(below, values, strict=True)))
            style = {"facecolor": ink_of(look, self.theme), "hatch": look.hatch, "edgecolor": self.theme.paper}
            axes.fill_between(moments, below, above, linewidth=0, **style)
            below = above

    def _legend(self, axes: Any, words: Sequence[str], *, lines: bool = False) -> None:
        if not words:
            axes.set_yticks([])
            style = {"ha": "center", "va": "center", "color": self.theme.ink, "transform": axes.transAxes}
            axes.text(0.5, 0.5, "Nothing so far", **style)
            return
        make = self._line if lines else lambda look, _, text: patch(look, text, self.theme)
        handles = [make(look, dashes, text) for look, dashes, text in zip(SERIES, DASHES, words, strict=False)]
        axes.legend(
            handles=handles if lines else handles[::-1],
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            fontsize=8.5,
            labelcolor=self.theme.ink,
            borderaxespad=0.2,
        )

    @staticmethod
    def _line(look: Look, dashes: tuple[float, ...], words: str) -> Any:
        from matplotlib.lines import Line2D

        line = Line2D([], [], color=look.colour, linewidth=1.8, label=words)
        if dashes:
            line.set_linestyle((0, dashes))
        return line

    # -- words

    def _says(self) -> list[str]:
        """Below the heading: the sum, and what it is not."""
        data = self.data
        length = stretch(data.moments_us[-1])
        prices = f"prices of {data.bill.prices.since}"
        if self.money:
            first = (
                f"{_said_usd(data)} in {length} ({PLANS['paid']}, {prices}); the plan's allowances and base fee belong"
                " to a month and are not in it."
            )
        else:
            first = f"{PLANS['free']}, {prices}, {length}: nothing is charged, and beyond a day's allowance calls fail."
        return [first, f"Read at {counted(len(data.moments_us), 'moment')}.", *map(str, data.bill.exceeded[:3])]

    def _alt(self) -> list[str]:
        data = self.data
        drawn = chosen_series(data.series)
        told = ", ".join(f"{what} {data.told(what, values)}" for what, values in drawn)
        held = ", ".join(f"{what} {rounded(values[-1] * 1e6)}" for what, values in chosen_series(data.held_s))
        unit = "Dollars at the end" if self.money else "Largest share of a day's allowance"
        return [
            f"{unit}: {told or 'none'}.",
            f"Billed time in memory at the end, by what held the object: {held or 'none'}.",
            *_half(data),
        ]


def _half(data: Costs) -> list[str]:
    """When half of the dollars had been spent, which tells a steady cost from a sudden one."""
    sums = [sum(values[at] for values in data.lines.values()) for at in range(len(data.moments_us))]
    if data.plan != "paid" or not sums[-1]:
        return []
    at_us = next(
        after for (_, after), usd in zip(pairwise((0, *data.moments_us)), sums, strict=True) if usd >= sums[-1] / 2
    )
    return [f"Half of the sum was reached by {rounded(at_us)} of {rounded(data.moments_us[-1])}."]
