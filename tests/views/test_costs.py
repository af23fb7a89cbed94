"""Costs over time: each moment by hand, the end as the bill has it, and the figure."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.billing import bill_of
from dosim.billing.lines import money_text
from dosim.trace import Trace
from dosim.trace.words import rounded
from dosim.views import costs, costs_svg, read_costs
from dosim.views.costs import ELSE, chosen_series, usd_text
from dosim.views.figures import save_png
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from tests.views.told import S_US, Told

ROOM = "Room('a')"
DAY_US = 86_400 * S_US
#: Dollars a second in memory, a million rows written, a gigabyte-month.
USD_S, USD_ROW, USD_GB_MONTH = 0.128 * 12.5e-6, 1e-6, 0.2


class Room(DurableObject):
    async def work(self) -> None:
        dosim.cpu("7ms")
        for key in range(20):
            await self.ctx.storage.put(f"key{key}", "x" * 1000)
        await asyncio.sleep(0.5)

    async def look(self) -> None:
        pass


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        await self.env.ROOM.getByName(request.url[-1]).work()
        return Response("done")


def busy(**options: Any) -> Simulation:
    """Two rooms that compute, store, await and leave memory, several times over two days."""
    sim = Simulation(Default, durable_objects={"ROOM": Room}, seed=5, **options)
    for _ in range(4):
        sim.run(*[sim.client("Tokyo").fetch(f"https://room.example/{name}") for name in "aabbb"])
        sim.run(for_="13h")
    return sim


def held(seconds: int) -> Trace:
    """A room that one call holds for so long, from the start."""
    told = Told()
    told.trace.emit(0, "construct", ROOM, 1, 0, (1,))
    told.visit(ROOM, 0, 0, seconds * S_US)
    told.trace.emit(seconds * S_US, "idle", ROOM, 0, 0, (1,))
    return told.trace


def wrote(*rows: tuple[int, int]) -> Trace:
    """(when, how many) rows that a room writes."""
    told = Told()
    told.visit(ROOM, 0, 0, 0)
    for at_us, count in rows:
        told.trace.emit(at_us, "rows", ROOM, 1, 0, (0, count))
    return told.trace


# -- numbers


def test_duration_grows_with_the_time() -> None:
    """
    A room held for 240 s has cost as much as the seconds that are over, at each of 241 moments.
    """
    data = read_costs(held(240))

    assert data.moments_us == tuple(k * S_US for k in range(241))
    assert data.lines["Durable Objects duration"] == pytest.approx([USD_S * k for k in range(241)])
    assert data.held_s == {f"{ROOM}.work": tuple(map(float, range(241)))}


def test_last_moment_is_the_bill() -> None:
    """
    Line by line, although computations tell of their end ahead of time and rooms store and leave memory.
    """
    sim = busy()
    data, bill = read_costs(sim), bill_of(sim.trace)

    assert data.usd == bill.usd
    assert {what: values[-1] for what, values in data.lines.items()} == pytest.approx(
        {
            line.what: float(line.usd_per * line.quantity.numerator / line.quantity.denominator / line.per)
            for line in bill.lines
        }
    )
    assert sum(values[-1] for values in data.held_s.values()) == pytest.approx(
        sum(sum(each.values()) for each in bill.duration_s_by_holder.values())
    )
    assert {"evict", "cpu"} <= {record.kind for record in sim.trace}


def test_costs_never_fall() -> None:
    """
    Neither the dollars of a line nor the time that something held.
    """
    data = read_costs(busy(concurrency="one-at-a-time"))
    series = [*data.lines.values(), *data.held_s.values()]

    assert len(series) >= 6
    assert all(before <= after for values in series for before, after in pairwise(values))


def test_storage_counts_with_its_size_at_leaving() -> None:
    """
    A stay in memory of 30 days that ends with a gigabyte is a gigabyte-month, and half of one at half of it.
    """
    told = Told()
    told.trace.emit(0, "construct", ROOM, 1, 0, (1,))
    told.trace.emit(30 * DAY_US, "evict", ROOM, 0, 0, (1, 0, 10**9))
    data = read_costs(told.trace)
    stored = data.lines["Durable Objects stored data"]

    assert stored[data.moments_us.index(15 * DAY_US)] == pytest.approx(USD_GB_MONTH / 2)
    assert stored[-1] == pytest.approx(USD_GB_MONTH)
    assert [line.usd for line in bill_of(told.trace).lines if line.unit == "GB-months"] == [Decimal("0.2")]


def test_crash_leaves_the_size_as_it_was_known() -> None:
    """
    A stay that ends in a crash says no size, so that of the stay before holds.
    """
    told = Told()
    told.trace.emit(0, "construct", ROOM, 1, 0, (1,))
    told.trace.emit(10 * DAY_US, "evict", ROOM, 0, 0, (1, 0, 10**9))
    told.trace.emit(10 * DAY_US, "construct", ROOM, 1, 0, (2,))
    told.trace.emit(20 * DAY_US, "crash", ROOM, 0, 0, (2,))
    told.trace.emit(20 * DAY_US, "construct", ROOM, 1, 0, (3,))
    told.trace.emit(30 * DAY_US, "evict", ROOM, 0, 0, (3, 0, 4 * 10**9))
    stored = read_costs(told.trace).lines["Durable Objects stored data"]

    assert stored[-1] == pytest.approx(USD_GB_MONTH * (10 + 10 + 40) / 30)


def test_many_holders_are_told_by_class() -> None:
    """
    Few objects by name, many by their class.
    """
    few, many = Told(), Told()
    for story, count in ((few, 3), (many, 30)):
        for name in range(count):
            label = f"Room('{name}')"
            story.trace.emit(0, "construct", label, 1, 0, (1,))
            story.visit(label, 0, 0, 2 * S_US)
            story.trace.emit(2 * S_US, "held", label, 0, 0, (1, "a timer"))
            story.trace.emit(3 * S_US, "idle", label, 0, 0, (1,))

    assert {what: values[-1] for what, values in read_costs(few.trace).held_s.items()} == {
        **{f"Room('{name}').work": 2.0 for name in range(3)},
        **{f"Room('{name}'): a timer": 1.0 for name in range(3)},
    }
    assert {what: values[-1] for what, values in read_costs(many.trace).held_s.items()} == {
        "Room.work": 60.0,
        "Room: a timer": 30.0,
    }


def test_free_plan_counts_each_day_anew() -> None:
    """
    25,000 rows of the 100,000 a day, then 60,000 the next day: a quarter, nothing at midnight, three fifths.
    """
    data = read_costs(wrote((DAY_US // 2, 25_000), (DAY_US + DAY_US // 2, 60_000), (2 * DAY_US - 1, 0)), plan="free")
    shares = dict(zip(data.moments_us, data.shares["Durable Objects rows written"], strict=True))

    assert (shares[DAY_US - 1], shares[DAY_US], shares[2 * DAY_US - 1]) == (0.25, 0, 0.6)
    assert data.usd == 0


def test_prices_can_be_chosen() -> None:
    """
    Rows cost nothing before 2026-01-07, and a million of them a dollar since.
    """
    trace = wrote((S_US, 500_000))

    assert read_costs(trace).lines["Durable Objects rows written"][-1] == pytest.approx(500_000 * USD_ROW)
    assert "Durable Objects rows written" not in read_costs(trace, prices="2026-01-06").lines


def test_small_series_are_drawn_together() -> None:
    """
    Of more than seven the six largest by themselves, the others as one.
    """
    series = {f"line {n}": (0.0, float(n)) for n in range(1, 11)}

    assert [(what, values[-1]) for what, values in chosen_series(series)] == [
        *((f"line {n}", n) for n in range(10, 4, -1)),
        (ELSE, 1 + 2 + 3 + 4),
    ]


def test_costs_show_themselves() -> None:
    """
    A line in a terminal, a table in a notebook, and both without anything used.
    """
    data = read_costs(held(1000))

    assert repr(data) == "<costs of 16 min 40 s: $0.00160015 at list prices>"
    assert "<td>Durable Objects duration</td><td style='text-align:right'>$0.0016</td>" in data._repr_html_()
    assert repr(read_costs(Trace())) == "<costs of 0 s: $0 at list prices>"
    assert (
        repr(read_costs(wrote((5, 1000)), plan="free"))
        == "<costs of 5 µs: free plan, at most 1 % of a day's allowance>"
    )
    assert "Workers Paid plan" in read_costs(Trace())._repr_html_()


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0"), (0.00000234, "$0.00000234"), (0.5, "$0.50"), (1.005, "$1.00"), (1234.5, "$1,234.50")]
)
def test_dollars_in_pictures_are_as_on_a_bill(usd: float, text: str) -> None:
    """
    And cents from a dollar on.
    """
    assert usd_text(usd) == text


# -- the figure


def test_figure_stacks_the_lines_and_the_holders() -> None:
    """
    The top of the stack is the sum; the legend and the words name each line with its dollars.
    """
    sim = busy()
    figure: Any = costs(sim, title="Two rooms")
    usd, time = figure.axes
    data = read_costs(sim)
    top = max(max(area.get_paths()[0].vertices[:, 1]) for area in usd.collections)

    assert top == pytest.approx(sum(values[-1] for values in data.lines.values()))
    assert len(usd.collections) == len(data.lines)
    assert [text.get_text() for text in usd.get_legend().get_texts()] == [
        f"{what}  {usd_text(values[-1])}" for what, values in reversed(chosen_series(data.lines))
    ]
    assert time.get_title("left") == "Billed time in memory so far, by what held the object"
    assert figure.alt.startswith("Two rooms.\n$0.000")
    for what, values in data.held_s.items():
        assert f"{what} {rounded(values[-1] * 1e6)}" in figure.alt
    assert "allowances and base fee belong to a month and are not in it" in figure.alt


def test_free_plan_draws_shares_and_says_what_exceeds() -> None:
    """
    The line of the allowance is there when it is near; beyond it, the day is named.
    """
    near: Any = costs(wrote((S_US, 70_000)), plan="free")
    far: Any = costs(wrote((S_US, 700)), plan="free")
    over: Any = costs(wrote((S_US, 170_000)), plan="free")

    assert near.axes[0].get_ylim() == pytest.approx((0, 1.06))
    assert far.axes[0].get_ylim()[1] < 0.01
    assert over.axes[0].get_ylim() == pytest.approx((0, 1.7 * 1.06))
    assert [
        len(figure.axes[0].lines) - len(read_costs(wrote((1, 1)), plan="free").shares) for figure in (near, far)
    ] == [1, 0]
    assert "2026-12-01, Durable Objects rows written: 170,000 rows. The free plan allows 100,000" in over.alt


def test_two_runs_share_their_axes() -> None:
    """
    Time and dollars; a picture of dollars and one of shares have none in common.
    """
    cheap, dear = held(10), held(1000)
    first: Any = costs(dear)
    second: Any = costs(cheap, limits=first)

    assert second.axes[0].get_xlim() == first.axes[0].get_xlim() == (0, 1000 * S_US)
    assert second.axes[0].get_ylim() == first.axes[0].get_ylim()
    with pytest.raises(ValueError, match="limits: these are of a costs picture, and this is a free allowance picture"):
        costs(cheap, plan="free", limits=first)


def test_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    """
    Two runs of one program, drawn twice.
    """
    for name in ("a.png", "b.png"):
        save_png(costs(busy(), dark=True), tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# -- bad input


def test_empty_trace_is_an_empty_picture() -> None:
    """
    Nothing so far.
    """
    figure: Any = costs(Trace())

    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["Nothing so far", "Nothing so far"]
    assert "$0 at list prices in 0 s" in figure.alt


@pytest.mark.parametrize("retention", ["last=2", "none"])
def test_trace_that_keeps_some_records_is_refused(retention: str) -> None:
    """
    Costs add up from the first record; the sum alone is `sim.bill()`.
    """
    told = Told(retention)
    told.visit(ROOM, 0, 1, 2)

    with pytest.raises(ValueError, match="retention='full'"):
        costs(told.trace)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 5}, "width=5 is too narrow for a picture of costs"),
        ({"plan": "gold"}, "plan='gold' is not known"),
        ({"prices": "soon"}, "soon"),
        ({"limits": (3, 1)}, "the second must be above the first"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    """
    By the name of the argument, with the fix.
    """
    with pytest.raises(ValueError, match=message):
        costs(held(1), **options)


def test_costs_take_no_options_of_reading() -> None:
    """
    They belong to `read_costs`.
    """
    with pytest.raises(ValueError, match="the costs have their own; give them to read_costs"):
        costs(read_costs(held(1)), plan="free")


def test_a_picture_and_a_bill_tell_the_same_dollars() -> None:
    """Of two requests too, which cost less than a millionth: no line is rounded to nothing, and the lines add up."""
    sim = Simulation(durable_objects={"ROOM": Room}, seed=7)
    for _ in range(2):
        sim.run(sim.env.ROOM.getByName("lobby").look())
    bill, figure = sim.bill(), sim.costs()
    table = {line.what: line.cells()[-1] for line in bill.lines}

    assert "$0.0000003" == table["Durable Objects requests"]
    assert all(f"{what} {usd}" in figure.alt for what, usd in table.items())
    assert money_text(bill.usd) in repr(read_costs(sim)) and money_text(bill.usd) in costs_svg(sim)
    assert sum(Decimal(usd.removeprefix("$")) for usd in table.values()) == bill.usd
