"""Light SVG charts: well formed, accessible, within their axes, with a pinned run; and the scales they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosim.trace import Trace
from dosim.trace.words import rounded, stretch
from dosim.views import costs_svg, latency_svg, queue_svg, read_backlog, read_costs, read_latencies
from dosim.views.scales import highest_in_windows, log_ticks, plain_ticks, thinned, time_ticks
from dosim.views.svg import Entry, Sheet
from tests.views.told import S_US, Told, one_server, random_us

SVG = "{http://www.w3.org/2000/svg}"
CHARTS: list[Callable[..., str]] = [latency_svg, queue_svg, costs_svg]


def run(seed: int = 1, count: int = 400) -> Trace:
    """Requests of two cities, and a desk that serves calls one at a time."""
    told = one_server(random_us(seed, 1000, count), [600] * count)
    for number, latency_us in enumerate(random_us(seed + 1, 50_000, count)):
        told.request(("Oslo", "Lima")[number % 2], number, number + 1 + latency_us)
    return told.trace


def numbers(path: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?\d+\.?\d*", path)]


# -- every chart


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("trace", [run(), Trace()])
def test_chart_is_an_image_that_says_what_it_shows(chart: Callable[..., str], trace: Trace) -> None:
    """
    Well-formed XML with role img, whose first element is its title, then a description; no number is not finite.
    """
    text = chart(trace, ghost=trace, title='A <desk> & "more"')
    root = ET.fromstring(text)

    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert [child.tag for child in root][:3] == [f"{SVG}title", f"{SVG}desc", f"{SVG}style"]
    assert root[0].text == 'A <desk> & "more"'
    assert len(root[1].text or "") > 20
    assert "nan" not in text and "inf" not in text.replace("infinite", "")


@pytest.mark.parametrize("chart", CHARTS)
def test_same_trace_gives_the_same_text(chart: Callable[..., str]) -> None:
    """
    From the trace and from its numbers.
    """
    read = {latency_svg: read_latencies, queue_svg: read_backlog, costs_svg: read_costs}[chart]  # type: ignore[index]

    assert chart(run()) == chart(run()) == chart(read(run()))


@pytest.mark.parametrize("chart", CHARTS)
def test_curves_stay_within_the_axes_and_are_short(chart: Callable[..., str]) -> None:
    """
    Of 4,000 requests a few hundred points are drawn, none of them left, right or below.
    """
    text = chart(run(count=4000), width=500, height=200)
    curves = [path.get("d") or "" for path in ET.fromstring(text).iter(f"{SVG}path") if path.get("class") == "c"]
    curves += [path.get("d") or "" for path in ET.fromstring(text).iter(f"{SVG}path") if not path.get("class")]

    assert len(text) < 30_000
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", " ".join(curves)):
        assert -10 <= float(x) <= 500
        assert -10 <= float(y) <= 200


@pytest.mark.parametrize("chart", CHARTS)
def test_pinned_run_is_a_faint_dashed_line_on_the_same_axes(chart: Callable[..., str]) -> None:
    """
    The axes hold both runs, so that they are those of the pinned run beside this one; the legend names it.
    """
    with_ghost, plain = chart(run(3, 200), ghost=run(1, 400)), chart(run(3, 200))
    ghosts = [path for path in ET.fromstring(with_ghost).iter(f"{SVG}path") if path.get("class") == "c gh"]
    ticks = [
        [text.text for text in ET.fromstring(chart(a, ghost=b)).iter(f"{SVG}text") if text.get("text-anchor")]
        for a, b in ((run(3, 200), run(1, 400)), (run(1, 400), run(3, 200)))
    ]

    assert len(ghosts) == 2  # in the legend and in the chart
    assert "pinned run" in with_ghost and "pinned run" not in plain
    assert ticks[0] == ticks[1]


@pytest.mark.parametrize("chart", CHARTS)
def test_colours_follow_the_page_unless_told(chart: Callable[..., str]) -> None:
    """
    By the media query and by the themes of JupyterLab and Sphinx; `dark` says otherwise.
    """
    text = chart(run())

    assert 'class="dosim-chart dosim-auto"' in text
    assert "@media(prefers-color-scheme:dark){svg.dosim-auto{" in text
    assert "body[data-jp-theme-light=false] svg.dosim-auto" in text
    assert 'class="dosim-chart dosim-dark"' in chart(run(), dark=True)
    assert 'class="dosim-chart dosim-light"' in chart(run(), dark=False)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 100}, "width=100, height=230: give at least 360 by 120 pixels"),
        ({"limits": (2, 1)}, "the second must be above the first"),
    ],
)
def test_bad_arguments_are_refused(chart: Callable[..., str], options: dict[str, Any], message: str) -> None:
    """
    By the name of the argument, with the fix.
    """
    with pytest.raises(ValueError, match=message):
        chart(run(), **options)
    with pytest.raises(TypeError, match=r"width='wide' is no number of pixels"):
        chart(run(), width="wide")


# -- each


def test_latency_marks_lie_at_their_percentiles() -> None:
    """
    On a linear axis of 0 to 100 µs, requests of 1 to 100 µs: p50 in the middle, p90 at nine tenths.
    """
    told = Told()
    for latency_us in range(1, 101):
        told.request("Oslo", 0, latency_us)
    root = ET.fromstring(latency_svg(told.trace, log=False, limits=(0, 100)))
    marks = [numbers(path.get("transform") or "") for path in root.iter(f"{SVG}path") if path.get("transform")][4:]
    curve = next(path.get("d") or "" for path in root.iter(f"{SVG}path") if path.get("class") == "c i")
    left, right = numbers(curve)[0], float(curve.rpartition("H")[2].partition("V")[0])

    assert [round((x - left) / (right - left), 2) for x, _ in marks] == [0.5, 0.9, 0.99, 1]


def test_queue_says_which_theory() -> None:
    """
    In the legend and in the description, or that none applies.
    """
    told = Told()
    told.visit("Desk('a')", 0, 0, 10)
    told.visit("Desk('a')", 5, 5, 15)

    assert f"M/D/1: {rounded(read_backlog(run()).theory.wait_us)}</text>" in queue_svg(run())  # type: ignore[union-attr]
    assert "no theory applies</text>" in queue_svg(told.trace)
    assert "up to 2 requests were inside at once" in queue_svg(told.trace)


def test_waiting_and_inside_are_told_apart_without_colour() -> None:
    """
    Both areas are hatched, each with its own pattern, in the chart as in the legend; two charts share no pattern.
    """
    root = ET.fromstring(queue_svg(run()))
    fills = [fill for path in root.iter(f"{SVG}path") if (fill := path.get("fill") or "").startswith("url(#")]
    hatches = {pattern.get("id"): pattern[1].get("d") for pattern in root.iter(f"{SVG}pattern")}
    others = set(re.findall(r'<pattern id="([^"]+)"', queue_svg(run(), dark=True)))

    assert len(fills) == 4 and fills[:2] == fills[2:]
    assert {fill.partition("#")[2].partition(")")[0] for fill in fills} == set(hatches)
    assert len(set(hatches.values())) == 2
    assert not others & set(hatches)


def test_costs_of_two_plans_are_not_compared() -> None:
    """
    Dollars and shares have no axis in common.
    """
    with pytest.raises(ValueError, match="ghost: its plan is 'paid', and this run's is 'free'"):
        costs_svg(run(), plan="free", ghost=read_costs(run()))


def test_pinned_trace_is_read_on_the_plan_of_this_run() -> None:
    """
    Costs that were read on the free plan are compared with those of a trace on the same one.
    """
    free = read_costs(run(), plan="free")

    assert costs_svg(free, ghost=run(3)) == costs_svg(free, ghost=read_costs(run(3), plan="free"))


def test_options_of_numbers_that_were_read_are_refused() -> None:
    """
    A backlog has its object, service and model, and costs have their plan: as for the figures, no option is ignored.
    """
    with pytest.raises(ValueError, match="the backlog has its own; give them to read_backlog"):
        queue_svg(read_backlog(run()), model="M/M/1")
    with pytest.raises(ValueError, match="the costs have their own; give them to read_costs"):
        costs_svg(read_costs(run()), plan="free")


def test_steps_hold_until_the_next_point() -> None:
    """
    A sheet draws steps as horizontal and vertical strokes, and clips what lies outside.
    """
    sheet = Sheet("t", "s", x=(0, 10), y=(0, 1), x_ticks=[], y_ticks=[], width=360, height=120, dark=False)
    sheet.curve([(0, 0), (5, 1), (20, 0.5)], Entry("line", "", ""), steps=True)
    (path,) = [each.get("d") or "" for each in ET.fromstring(str(sheet)).iter(f"{SVG}path")]
    middle = (sheet.left + sheet.right) / 2
    y = (sheet.top + sheet.bottom) / 2

    assert path == (f"M{sheet.left:.1f} {sheet.bottom:.1f}H{middle:.1f}V{sheet.top:.1f}H{sheet.right:.1f}V{y:.1f}")


# -- scales


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(1, 10**15), st.integers(2, 12))
def test_time_ticks_are_few_round_and_inside(first_us: int, length_us: int, most: int) -> None:
    """
    At most one more than asked for, at equal distances, within the stretch, and no two say the same.
    """
    ticks = time_ticks(first_us, first_us + length_us, most)
    moments = [at for at, _ in ticks]

    assert len(ticks) <= most + 1
    assert len({after - before for before, after in pairwise(moments)}) <= 1
    assert all(first_us <= at <= first_us + length_us for at in moments)
    assert len({words for _, words in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("last_us", "words"),
    [
        (2_300_000, ["0 s", "500 ms", "1 s", "1.5 s", "2 s"]),
        (300 * S_US, ["0 s", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (30 * 86_400 * S_US, ["0 s", "5 d", "10 d", "15 d", "20 d", "25 d", "30 d"]),
        (86_400 * S_US, ["0 s", "3 h", "6 h", "9 h", "12 h", "15 h", "18 h", "21 h", "1 d"]),
    ],
)
def test_time_ticks_use_the_unit_that_fits(last_us: int, words: list[str]) -> None:
    """
    Minutes, hours and days where the stretch is long.
    """
    assert [said for _, said in time_ticks(0, last_us)] == words


@settings(deadline=None)
@given(st.floats(1, 1e12), st.floats(1.01, 1e9))
def test_log_ticks_are_inside(low_us: float, factor: float) -> None:
    """
    Rising, within the axis, and not more than fit.
    """
    ticks = [at for at, _ in log_ticks(low_us, low_us * factor)]

    assert ticks == sorted(set(ticks))
    assert all(low_us <= at <= low_us * factor for at in ticks)
    assert len(ticks) <= 20


@settings(deadline=None)
@given(st.floats(1e-9, 1e9))
def test_plain_ticks_reach_from_zero_to_the_top(high: float) -> None:
    """
    At most seven, and the last is within a step of the top.
    """
    ticks = plain_ticks(high)

    assert ticks[0] == 0 and len(ticks) <= 7
    assert ticks[-1] <= high * 1.00001 < ticks[-1] + 1.01 * (ticks[1] - ticks[0] if len(ticks) > 1 else high)


@settings(deadline=None)
@given(st.integers(0, 5000), st.integers(2, 300))
def test_thinned_points_are_spread_with_both_ends(count: int, most: int) -> None:
    """
    No more than asked for, all where they are few.
    """
    chosen = thinned(count, most)

    assert chosen == (list(range(count)) if count <= most else sorted(set(chosen)))
    assert len(chosen) <= most
    if count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 9), st.integers(0, 9)), min_size=1), st.integers(1, 40))
def test_windows_keep_the_highest(changes: list[tuple[int, int, int]], windows: int) -> None:
    """
    The highest of all windows is the highest of all steps, each window holds what held in it, and they are no more
    than asked for.
    """
    steps = sorted({at: (at, a, b) for at, a, b in changes}.values())
    found, size_us = highest_in_windows(steps, windows)

    assert max(a + b for _, a, b in found) == max(a + b for _, a, b in steps)
    assert len(found) <= windows
    for at_us, a, b in found:
        held = [step for step in steps if step[0] <= at_us][-1:]
        inside = [step for step in steps if at_us <= step[0] < at_us + size_us]
        assert a + b == max(x + y for _, x, y in [*held, *inside])


@pytest.mark.parametrize(
    ("us", "words"),
    [
        (0, "0 s"),
        (5, "5 µs"),
        (119_000_000, "119 s"),
        (125_300_000, "2 min 5.3 s"),
        (30 * 86_400 * S_US, "30 d"),
        (30 * 3600 * S_US, "1 d 6 h"),
        (-125_000_000, "-2 min 5 s"),
    ],
)
def test_long_stretches_are_told_in_days(us: int, words: str) -> None:
    """
    Exact to the microsecond, seconds up to two minutes.
    """
    assert stretch(us) == words


@pytest.mark.parametrize(
    ("us", "words"),
    [(0, "0 µs"), (5309, "5.31 ms"), (99e6, "99 s"), (9e9, "2.5 h"), (86_400e6 * 1000, "1,000 d"), (0.25, "0.25 µs")],
)
def test_rounded_times_have_three_digits(us: float, words: str) -> None:
    """
    In the largest unit that they fill.
    """
    assert rounded(us) == words
