"""The charts as light SVG, for live use: `latency_svg`, `queue_svg`, `costs_svg`.

Each takes a simulation, a trace, or the numbers of its view, and `ghost`: an earlier run, drawn faint for comparison
("pin this run"). Unless `limits` says otherwise the axes hold both. `dark` None: as the page that shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from dosim.trace.words import counted, rounded
from dosim.views.costs import DASHES, SERIES, Costs, chosen_series, costs_of, usd_text
from dosim.views.figures import check_switches, trace_of
from dosim.views.latencies import MARKED, Latencies, read_latencies
from dosim.views.queues import Backlog, backlog_of
from dosim.views.scales import (
    Limits,
    chosen_limits,
    highest_in_windows,
    limits_of_time,
    log_ticks,
    percent_text,
    plain_ticks,
    sentences,
    thinned,
    time_ticks,
)
from dosim.views.svg import Entry, Sheet, check_chart, filled, patterns, tag_of

#: A curve has at most about so many points.
_POINTS = 160
_GHOST = Entry("ghost", "", "pinned run")


def _limits(limits: object, own: Limits, ghost: Limits | None) -> Limits:
    return chosen_limits(limits, own if ghost is None else own | ghost)


def _check_ghost(ghost: object, numbers: type[object]) -> None:
    """Raise TypeError, by name, for an earlier run that is none."""
    if ghost is not None and not isinstance(ghost, numbers):
        trace_of(ghost, "ghost")


def latency_svg(
    source: object,
    *,
    ghost: object = None,
    log: bool = True,
    limits: object = None,
    width: int = 640,
    height: int = 230,
    dark: bool | None = None,
    title: str = "",
) -> str:
    """The share of requests answered by then, with p50, p90, p99 and p99.9. See `dosim.views.latency`."""
    check_chart(width, height, dark, title)
    check_switches(log=log)
    _check_ghost(ghost, Latencies)
    data, pinned = _latencies(source), None if ghost is None else _latencies(ghost)
    within = limits_of_time(limits, data.limits if pinned is None else data.limits | pinned.limits, log=log)
    x = within.x
    marks = {name: Entry(*MARKED[name], f"p{name} {rounded(us)}") for name, us in data.marked_us.items()}
    legend = list(marks.values()) or [Entry("", "", "no answer yet")]
    if pinned is not None:
        legend.append(_GHOST)
        legend += [
            Entry("", "", f"p{name} {rounded(us)}") for name, us in pinned.marked_us.items() if name in ("50", "99")
        ]
    took = f"How long {counted(len(data), 'request')} took" if len(data) else "No request has been answered yet"
    heading = title or took
    sheet = Sheet(
        heading,
        sentences((_marked_told("This run", data), _marked_told("The pinned run", pinned), data.note)),
        x=x,
        y=within.y,
        x_ticks=log_ticks(*x) if log else time_ticks(*x),
        y_ticks=[(share / 4, f"{share * 25} %") for share in range(5)],
        legend=legend,
        log=log,
        width=width,
        height=height,
        dark=dark,
    )
    if pinned is not None:
        sheet.curve(_shares(pinned, x), _GHOST, steps=True)
    sheet.curve(_shares(data, x), Entry("line", "", ""), steps=True)
    for name, us in data.marked_us.items():
        sheet.mark(us, float(Fraction(name)) / 100, marks[name])
    return str(sheet)


def _latencies(source: object) -> Latencies:
    return source if isinstance(source, Latencies) else read_latencies(source)


def _shares(data: Latencies, x: tuple[float, float]) -> list[tuple[float, float]]:
    values = data.values_us
    if not values:
        return []
    count = len(values)
    return [(x[0], 0.0), *((values[at], (at + 1) / count) for at in thinned(count, _POINTS)), (x[1], 1.0)]


def _marked_told(what: str, data: Latencies | None) -> str:
    if data is None:
        return ""
    told = ", ".join(f"p{name} {rounded(us)}" for name, us in data.marked_us.items())
    return f"{what}: {counted(len(data), 'answered request')}{', ' + told if told else ''}."


# -- queue


def queue_svg(
    source: object,
    object_label: str | None = None,
    *,
    service_us: float | None = None,
    model: str | None = None,
    ghost: object = None,
    limits: object = None,
    width: int = 640,
    height: int = 230,
    dark: bool | None = None,
    title: str = "",
) -> str:
    """How many wait at an object and are inside, over time, with the theory's mean. See `dosim.views.queue`."""
    check_chart(width, height, dark, title)
    _check_ghost(ghost, Backlog)
    options = (object_label, service_us, model)
    data = backlog_of(source, *options)
    pinned = ghost if ghost is None or isinstance(ghost, Backlog) else backlog_of(ghost, *options)
    within = _limits(limits, data.limits, None if pinned is None else pinned.limits)
    tag = tag_of(data.label, data.steps, None if pinned is None else pinned.steps, within, title, width, height, dark)
    waiting = Entry("area", filled("queued", tag), "waiting")
    inside = Entry("area", filled("awaiting", tag), "inside")
    legend = [waiting, inside, *_numbers(data)]
    mean = Entry("line", "", "mean by theory", (1, 3))
    theory = data.theory
    if theory is not None:
        legend.insert(2, mean)
    if pinned is not None:
        legend += [_GHOST, *_numbers(pinned)[:2]]
    steps, window_us = _thin_steps(data)
    windows = f"Drawn as the highest of each {rounded(window_us)}." if window_us else ""
    sheet = Sheet(
        title or (f"Who waits at {data.label}" if data.label else "Nothing has arrived at an object"),
        sentences((_backlog_told("This run", data), _backlog_told("The pinned run", pinned), windows, data.note)),
        x=within.x,
        y=within.y,
        x_ticks=time_ticks(*within.x, most=6),
        y_ticks=[(at, f"{at:.0f}") for at in plain_ticks(within.y[1]) if at == int(at)],
        legend=legend,
        width=width,
        height=height,
        dark=dark,
    )
    sheet.put(patterns(("queued", "awaiting"), tag))
    sheet.area([(at, waits + within_it) for at, waits, within_it in steps], waiting)
    sheet.area([(at, within_it) for at, _, within_it in steps], inside)
    if theory is not None:
        sheet.level(theory.waiting + theory.utilisation, mean)
    if pinned is not None:
        sheet.curve([(at, waits + within_it) for at, waits, within_it in _thin_steps(pinned)[0]], _GHOST, steps=True)
    return str(sheet)


def _thin_steps(data: Backlog) -> tuple[Sequence[tuple[int, int, int]], int]:
    return (data.steps, 0) if len(data.steps) <= 2 * _POINTS else highest_in_windows(data.steps, _POINTS)


def _numbers(data: Backlog) -> list[Entry]:
    """The numbers beside the chart."""
    if not data.visits:
        return []
    found = [f"utilisation {percent_text(data.utilisation)}"]
    if data.mean_wait_us is not None:
        found.append(f"mean wait {rounded(data.mean_wait_us)}")
    found.append(f"{data.theory.model}: {rounded(data.theory.wait_us)}" if data.theory else "no theory applies")
    return [Entry("", "", words) for words in found]


def _backlog_told(what: str, data: Backlog | None) -> str:
    if data is None:
        return ""
    if not data.visits:
        return f"{what}: nothing arrived."
    told = ", ".join(entry.words for entry in _numbers(data))
    why = data.why if data.theory is None else f"because of {data.why}"
    return f"{what}: {counted(len(data), 'request')}, at most {data.most_waiting} waiting, {told} ({why})."


# -- costs


def costs_svg(
    source: object,
    *,
    plan: str = "paid",
    prices: object = None,
    ghost: object = None,
    limits: object = None,
    width: int = 640,
    height: int = 230,
    dark: bool | None = None,
    title: str = "",
) -> str:
    """Dollars over time by line; on the free plan shares of a day's allowance. See `dosim.views.costs`."""
    check_chart(width, height, dark, title)
    _check_ghost(ghost, Costs)
    data = costs_of(source, plan, prices)
    pinned = ghost if ghost is None or isinstance(ghost, Costs) else costs_of(ghost, data.plan, prices)
    if pinned is not None and pinned.plan != data.plan:
        raise ValueError(f"ghost: its plan is {pinned.plan!r}, and this run's is {data.plan!r}: give one of the same.")
    within = _limits(limits, data.limits, None if pinned is None else pinned.limits)
    money = data.plan == "paid"
    said = usd_text if money else percent_text
    shown = chosen_series(data.series)
    lines = [
        Entry("line", look.colour, f"{_short(what)} {data.told(what, values)}", dashes)
        for (what, values), look, dashes in zip(shown, SERIES, DASHES, strict=False)
    ]
    total = Entry("line", "", f"together {usd_text(data.usd)}")
    legend = [*([total] if money else []), *lines]
    if pinned is not None:
        legend += [Entry("ghost", "", f"pinned run {usd_text(pinned.usd) if money else said(max(_top(pinned)))}")]
    until = f"in {rounded(data.moments_us[-1])}"
    used = f"costs {until}: {usd_text(data.usd)} at list prices" if money else f"uses {until} of a free day's allowance"
    sheet = Sheet(
        title or f"What the run {used}",
        sentences((f"The run {used}.", *(f"{entry.words}." for entry in legend), *map(str, data.bill.exceeded[:3]))),
        x=within.x,
        y=within.y,
        x_ticks=time_ticks(*within.x, most=6),
        y_ticks=[(at, said(at)) for at in plain_ticks(within.y[1])] if data.series else [],
        legend=legend,
        width=width,
        height=height,
        dark=dark,
    )
    if pinned is not None:
        sheet.curve(_points(pinned, _top(pinned)), _GHOST)
    for (_, values), entry in zip(shown, lines, strict=True):
        sheet.curve(_points(data, values), entry)
    if money:
        sheet.curve(_points(data, _top(data)), total)
    else:
        sheet.level(1, Entry("line", "", "", (1, 3)))
    return str(sheet)


def _points(data: Costs, values: Sequence[float]) -> list[tuple[float, float]]:
    """A curve's points: of dollars, which only grow, fewer do; of shares, which fall at midnight, all are needed."""
    chosen = thinned(len(values), _POINTS) if data.plan == "paid" else range(len(values))
    return [(data.moments_us[at], values[at]) for at in chosen]


def _top(data: Costs) -> tuple[float, ...]:
    """All dollars at each moment; of the free plan's shares the largest."""
    if not data.series:
        return (0.0,) * len(data.moments_us)
    columns = zip(*data.series.values(), strict=True)
    return tuple(map(sum, columns)) if data.plan == "paid" else tuple(map(max, columns))


def _short(what: str) -> str:
    """A line's name where there is little room."""
    return what.replace("Durable Objects ", "object ").replace("Workers requests", "Worker requests")
