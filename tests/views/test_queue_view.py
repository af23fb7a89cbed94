"""Who waits at an object: numbers by hand, theory beside them, and the figure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosim import Simulation
from dosim.trace import Trace
from dosim.views import Backlog, queue, read_backlog
from dosim.views.figures import save_png
from dosim.views.queues import Visit, busy_shares
from dosim.workers import DurableObject
from tests.views.told import S_US, Told, one_server, random_us

DESK = "Desk('a')"


class Desk(DurableObject):
    async def serve(self) -> None:
        await asyncio.sleep(5)


def desk(count: int, **options: Any) -> Simulation:
    """A desk that is called once a second, each time for five seconds."""
    sim = Simulation(durable_objects={"DESK": Desk}, network=None, **options)

    async def calls() -> None:
        for _ in range(count):
            sim.env.DESK.getByName("a").serve()
            await asyncio.sleep(1)

    sim.run(calls())
    sim.run()
    return sim


def three() -> Told:
    """Served one at a time: from 0 to 4 s, 4 to 6 s, 10 to 11 s; the second arrives at 1 s."""
    told = Told()
    told.visit(DESK, 0, 0, 4 * S_US)
    told.visit(DESK, 1 * S_US, 4 * S_US, 6 * S_US)
    told.visit(DESK, 10 * S_US, 10 * S_US, 11 * S_US)
    return told


# -- numbers


def test_who_waits_and_who_is_inside() -> None:
    """
    At each change, how many; and what follows from it.
    """
    data = read_backlog(three().trace)

    assert [(at_us / S_US, waiting, inside) for at_us, waiting, inside in data.steps] == [
        (0, 0, 1),
        (1, 1, 1),
        (4, 0, 1),
        (6, 0, 0),
        (10, 0, 1),
        (11, 0, 0),
    ]
    assert data.waits_us == (0, 3 * S_US, 0)
    assert data.services_us == (4 * S_US, 2 * S_US, 1 * S_US)
    assert data.gaps_us == (1 * S_US, 9 * S_US)
    assert data.busy_us == ((0, 6 * S_US), (10 * S_US, 11 * S_US))
    assert (data.mean_wait_us, data.utilisation) == (1 * S_US, 7 / 11)
    assert (data.arrivals_per_s, data.most_waiting, data.most_inside) == (0.2, 1, 1)
    assert busy_shares(data, 11) == [(k * S_US, S_US, float(k < 6 or k == 10)) for k in range(11)]


def test_request_that_is_turned_away_waited_and_was_never_inside() -> None:
    """
    Its wait ends when it is turned away; one without an end is there until the trace's last record.
    """
    told = Told()
    told.visit(DESK, 0, None, 5, end="turn_away")
    told.visit(DESK, 2, 3, None)
    told.visit(DESK, 4, None, None)
    data = read_backlog(told.trace)

    assert data.steps == ((0, 1, 0), (2, 2, 0), (3, 1, 1), (4, 2, 1), (5, 1, 1))
    assert data.waits_us == (1,)
    assert data.services_us == ()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_depth_adds_up_to_the_waits(visits: list[tuple[int, int, int]]) -> None:
    """
    The area below the curve of those who wait is the sum of their waits, of those inside the sum of their stays.
    """
    data = Backlog("a", (Visit(n, at, at + w, at + w + s) for n, (at, w, s) in enumerate(visits, 1)), 999)
    areas = [
        sum(step[column] * (after[0] - step[0]) for step, after in zip(data.steps, data.steps[1:], strict=False))
        for column in (1, 2)
    ]

    assert areas == [sum(data.waits_us), sum(data.services_us)]
    assert all(waiting >= 0 and inside >= 0 for _, waiting, inside in data.steps)
    assert data.steps[-1][1:] == (0, 0)
    assert sum(share * length for _, length, share in busy_shares(data, 7)) == pytest.approx(
        sum(end - start for start, end in data.busy_us)
    )


def test_busiest_object_is_shown_unless_told() -> None:
    """
    A label chooses another; one where nothing arrived is refused with those where something did.
    """
    told = three()
    told.visit("Desk('b')", 5, 6, 7)
    trace = told.trace

    assert (read_backlog(trace).label, read_backlog(trace).others) == (DESK, 1)
    assert read_backlog(trace, "Desk('b')").waits_us == (1,)
    with pytest.raises(ValueError, match=r"nothing arrived there. Give one of Desk\('a'\), Desk\('b'\)\."):
        read_backlog(trace, "Desk('c')")


def test_real_desk_one_at_a_time_and_with_input_gates() -> None:
    """
    Ten calls, one a second, five seconds each: one at a time eight wait in the end; with input gates nobody does.
    """
    line, gates = read_backlog(desk(10, concurrency="one-at-a-time")), read_backlog(desk(10))

    assert (line.most_waiting, line.most_inside) == (8, 1)
    assert line.waits_us == tuple(4 * S_US * n for n in range(10))
    assert (gates.most_waiting, gates.most_inside, sum(gates.waits_us)) == (0, 5, 0)


# -- theory


@pytest.mark.parametrize(
    ("services", "model", "squared"),
    [
        ([600] * 4000, "M/D/1", 0),
        (random_us(5, 600, 4000), "M/M/1", 1),
        (Random(6).choices([300, 900], k=4000), "M/G/1", 0.25),
    ],
)
def test_theory_is_that_of_the_measured_rate(services: list[int], model: str, squared: float) -> None:
    """
    Pollaczek and Khinchine with the measured rate and service, and what was measured is near it.
    """
    gaps = random_us(4, 1000, 4000)
    data = read_backlog(one_server(gaps, services).trace)
    service_us = sum(services) / len(services)
    load = service_us * (len(gaps) - 1) / sum(gaps[1:])

    assert data.theory is not None
    assert data.theory.model == model
    assert data.theory.utilisation == pytest.approx(load)
    assert data.theory.wait_us == pytest.approx(service_us * load * (1 + squared) / (2 * (1 - load)), rel=0.01)
    assert data.mean_wait_us == pytest.approx(data.theory.wait_us, rel=0.15)


def test_equal_distances_leave_no_wait() -> None:
    """
    D/D/1 below a utilisation of 1.
    """
    data = read_backlog(one_server([100] * 20, [99] * 20).trace)

    assert data.theory is not None
    assert (data.theory.model, data.theory.wait_us, data.mean_wait_us) == ("D/D/1", 0, 0)


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (Trace(), "nothing has arrived"),
        (desk(10).trace, "up to 5 requests were inside at once, so it does not serve one at a time"),
        (desk(10, concurrency="one-at-a-time").trace, "5.00 times as much arrives as can be served"),
        (one_server(random_us(1, 100, 20), [50] * 20).trace, "20 arrivals are too few to tell whether they are random"),
        (one_server([100] * 5, [0] * 5).trace, "its code takes no time, so there is no utilisation"),
        (one_server([100], [50]).trace, "too little was measured"),
    ],
)
def test_where_no_theory_applies_the_reason_is_said(trace: Trace, why: str) -> None:
    """
    In the numbers, in the picture and in its words.
    """
    data = read_backlog(trace)
    figure: Any = queue(data)
    beside = figure.axes[2]

    assert data.theory is None
    assert why in data.why
    assert beside.get_title("left") == "No theory applies"
    assert why[:8].lower() in beside.texts[0].get_text().lower()
    if data.visits:
        assert f"No theory applies: {data.why}." in figure.alt


def test_service_and_model_can_be_given() -> None:
    """
    A service of 400 µs and one arrival each 1000 µs are a utilisation of 0.4, whatever was measured.
    """
    trace = one_server([1000] * 11, [100, 200] * 5 + [100]).trace
    data = read_backlog(trace, service_us=400, model="M/D/1")

    assert read_backlog(trace).theory is None
    assert data.theory is not None
    assert (data.theory.utilisation, data.why) == (0.4, "as you chose")
    assert data.theory.wait_us == pytest.approx(400 * 0.4 / 1.2)


# -- the figure


def test_figure_draws_depth_utilisation_and_theory() -> None:
    """
    Three panels, the measured point beside the theory's, and words for all.
    """
    figure: Any = queue(one_server(random_us(4, 1000, 300), [600] * 300).trace, title="A desk")
    depth, busy, beside = figure.axes
    curve, there, measured = beside.lines
    data = read_backlog(one_server(random_us(4, 1000, 300), [600] * 300).trace)
    assert data.theory is not None

    assert [axes.get_title("left") for axes in (depth, beside)] == ["Requests at the object", "Mean wait beside theory"]
    assert max(depth.lines[0].get_ydata()) == data.most_waiting + 1
    assert len(busy.patches) == 60
    assert (curve.get_xdata()[0], curve.get_ydata()[0]) == (0, 0)
    assert there.get_xydata().tolist() == [[data.theory.utilisation, data.theory.wait_us]]
    assert measured.get_xydata().tolist() == [[data.theory.utilisation, data.mean_wait_us]]
    assert figure.alt.startswith("A desk.\n300 requests, ")
    assert "M/D/1 says a mean wait of " in figure.alt


def test_many_changes_are_drawn_as_the_highest_of_windows() -> None:
    """
    The peak stays, the number of points does not, and the picture says so.
    """
    trace = one_server(random_us(4, 1000, 5000), [700] * 5000).trace
    data = read_backlog(trace)
    figure: Any = queue(trace)
    both = figure.axes[0].collections[0].get_paths()[0].vertices

    assert len(data.steps) > 5000
    assert len(both) < 4000
    assert max(both[:, 1]) == max(waiting + inside for _, waiting, inside in data.steps)
    assert "Drawn as the highest of each 8.3" in figure.alt
    assert f"{len(data.steps):,} changes do not fit." in figure.alt


def test_two_runs_share_their_axes() -> None:
    """
    Both the stretch of time and the depth.
    """
    line, gates = desk(4, concurrency="one-at-a-time"), desk(4)
    first: Any = queue(line)
    second: Any = queue(gates, limits=first)

    assert second.axes[0].get_xlim() == first.axes[0].get_xlim() == (0, 20 * S_US)
    assert second.axes[0].get_ylim() == first.axes[0].get_ylim()


def test_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    """
    Two runs of one program, drawn twice.
    """
    for name in ("a.png", "b.png"):
        save_png(queue(desk(4), dark=True), tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_backlog_shows_itself() -> None:
    """
    A line in a terminal, a table in a notebook, and both without any request.
    """
    data = read_backlog(three().trace)

    assert repr(data) == "<backlog of Desk('a'): 3 requests, at most 1 waiting, utilisation 63.6 %, mean wait 1 s>"
    assert "<td>mean wait</td><td style='text-align:right'>1 s</td>" in data._repr_html_()
    assert repr(read_backlog(Trace())) == "<backlog of no object: nothing arrived>"
    assert "nothing has arrived" in read_backlog(Trace())._repr_html_()


# -- bad input


def test_empty_trace_is_an_empty_picture() -> None:
    """
    It says that nothing has arrived.
    """
    figure: Any = queue(Trace())

    assert figure.alt == "Who waits.\nNothing has arrived at an object."


def test_trace_that_keeps_some_records_says_what_is_missing() -> None:
    """
    A visit whose arrival is not kept is inside and did not wait; a trace that keeps nothing is refused.
    """
    told = Told("last=6")
    told.visit(DESK, 0, 3, 9)
    told.visit(DESK, 20, 21, 22)
    figure: Any = queue(told.trace)

    assert read_backlog(told.trace).steps[:2] == ((3, 0, 1), (9, 0, 0))
    assert read_backlog(told.trace).waits_us == (1,)
    assert "Only the last 6 of 8 records are kept" in figure.alt
    with pytest.raises(ValueError, match="this trace keeps no records"):
        queue(Trace("none"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 5}, "width=5 is too narrow for a queue"),
        ({"service_us": 0}, "service_us=0 is not possible: give microseconds above 0"),
        ({"model": "M/M/2"}, "model='M/M/2' is not known: use one of D/D/1"),
        ({"object_label": "Room('a')"}, "object_label=\"Room.'a'.\": nothing arrived there"),
        ({"limits": (3, 1)}, "the second must be above the first"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    """
    By the name of the argument, with the fix.
    """
    with pytest.raises(ValueError, match=message):
        queue(three().trace, **options)


def test_backlog_takes_no_options_of_reading() -> None:
    """
    They belong to `read_backlog`.
    """
    with pytest.raises(ValueError, match="the backlog has its own; give them to read_backlog"):
        queue(read_backlog(three().trace), service_us=4)
