"""The picture of a sweep: a measurement over a parameter, its median as a line and its range as a band."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from dosim.testing.measuring import said
from dosim.trace.words import counted, cut
from dosim.views.charts import dress, head_in, wrapped, write_head
from dosim.views.figures import check_look, finished, new_figure, theme_of
from dosim.views.style import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dosim.testing.sweeps import Sweep

#: A colour, marker and line for each value of `by`: Okabe and Ito's, less those that fade on one of the papers.
LINES: Final = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", "-"),
    ("#56B4E9", "P", "--"),
    ("#999999", "X", "-."),
)
_BODY_IN: Final = 3.4


def sweep_figure(
    sweep: Sweep, x: str, y: str, by: str | None, *, log: bool, width: float, dark: bool, title: str
) -> Figure:
    """See `Sweep.plot`."""
    check_look(width, "picture of a sweep", 4, title=title, dark=dark, log=log)
    _check_columns(sweep, x, y, by)
    rows = [row for row in sweep.rows if row[y] is not None]
    _check_numbers(rows, y, log)
    series = _series(rows, x, y, by)
    if len(series) > len(LINES):
        raise ValueError(f"by={by!r} has {len(series)} values, and {len(LINES)} lines can be told apart: sweep fewer.")
    heading, says = title or f"{y} over {x}", _says(sweep, rows, series, x, by)
    lines = wrapped([says], width)
    head = head_in(heading, lines, width) + 0.4 * (by is not None)
    height = head + _BODY_IN + 0.6
    figure, theme = new_figure(width, height, dark=dark, what="sweep"), theme_of(dark)
    write_head(figure, heading, lines, theme)
    left = 0.9 / width
    axes = figure.add_axes((left, 0.6 / height, 1 - left - 0.25 / width, _BODY_IN / height))
    dress(axes, theme)
    places = _places(rows, x)
    _draw(axes, series, places, steady=_numbers([row[x] for row in rows]))
    _label(axes, x, y, rows, places, log=log, theme=theme)
    if by is not None:
        _legend(axes, by, theme)
    return finished(figure, f"{heading}. {says} {_alt(series)}")


def _check_columns(sweep: Sweep, x: str, y: str, by: str | None) -> None:
    places = (*sweep.parameters, "seed")
    for argument, name in (("x", x), *([("by", by)] if by is not None else [])):
        if name not in places:
            raise ValueError(f"{argument}={name!r} is no parameter of this sweep: use {', '.join(map(repr, places))}.")
    if x == by:
        raise ValueError(f"x and by are both {x!r}: a line has one point then; leave by out.")
    if y not in sweep.measurements:
        known = ", ".join(map(repr, sweep.measurements)) or "none, for no run measured anything"
        raise ValueError(f"y={y!r} is no measurement of this sweep: it has {known}.")


def _check_numbers(rows: Sequence[dict[str, Any]], y: str, log: bool) -> None:
    for row in rows:
        if isinstance(row[y], (str, list)):
            raise TypeError(f"y={y!r} is {row[y]!r} in a row: only numbers can be drawn.")
        if log and row[y] <= 0:
            raise ValueError(f"y={y!r} is {row[y]:g} in a row, which a logarithmic axis cannot show: give log=False.")


def _series(rows: Sequence[dict[str, Any]], x: str, y: str, by: str | None) -> dict[str, dict[str, list[float]]]:
    """Line -> place on the x axis, by its text -> the values there."""
    series: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        series["" if by is None else said(row[by])][said(row[x])].append(float(row[y]))
    return series


def _places(rows: Sequence[dict[str, Any]], x: str) -> dict[str, float]:
    """Where each value of x is: numbers where they are, others one after the other."""
    values = {said(row[x]): row[x] for row in rows}
    if _numbers(values.values()):
        return {text: float(value) for text, value in values.items()}
    return {text: float(place) for place, text in enumerate(values)}


def _numbers(values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _draw(axes: Any, series: dict[str, dict[str, list[float]]], places: dict[str, float], *, steady: bool) -> None:
    """Medians and ranges; `steady`: x is a number, so that a line through them says something."""
    for number, (name, at) in enumerate(series.items()):
        colour, marker, line = LINES[number]
        aside = 0 if steady else (number - (len(series) - 1) / 2) * 0.08
        points = sorted((places[text] + aside, values) for text, values in at.items())
        x = [place for place, _ in points]
        least, most = [min(values) for _, values in points], [max(values) for _, values in points]
        if least != most and steady:
            axes.fill_between(x, least, most, color=colour, alpha=0.18, linewidth=0)
            for edge in (least, most):
                axes.plot(x, edge, color=colour, linewidth=0.6, linestyle=line)
        elif least != most:
            axes.vlines(x, least, most, color=colour, linewidth=1.6, linestyle=line)
        middle, line = [median(values) for _, values in points], line if steady else ""
        style = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 1.6, "markersize": 5}
        axes.plot(x, middle, label=name, zorder=3, **style)


def _label(
    axes: Any, x: str, y: str, rows: Sequence[dict[str, Any]], places: dict[str, float], *, log: bool, theme: Theme
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    plainly = FuncFormatter(lambda value, _: f"{value:,.6g}")
    if _numbers([row[x] for row in rows]):
        axes.xaxis.set_major_formatter(plainly)
        if len(places) <= 12:
            axes.set_xticks([*places.values()])
    else:
        axes.set_xticks([*places.values()], [cut(text, 24) for text in places])
        axes.margins(x=0.08)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif rows and min(row[y] for row in rows) >= 0:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(plainly)
    axes.set_xlabel(x, color=theme.ink, fontsize=9)
    axes.set_ylabel(y, color=theme.ink, fontsize=9)


def _legend(axes: Any, by: str, theme: Theme) -> None:
    axes.legend(
        title=by,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(LINES),
        frameon=False,
        fontsize=8.5,
        title_fontsize=8.5,
        labelcolor=theme.ink,
        alignment="left",
        borderaxespad=0.2,
        handlelength=3,
    ).get_title().set_color(theme.ink)


def _says(
    sweep: Sweep, rows: Sequence[dict[str, Any]], series: dict[str, dict[str, list[float]]], x: str, by: str | None
) -> str:
    counts = sorted({len(values) for at in series.values() for values in at.values()})
    varied = [
        name
        for name in (*sweep.parameters, "seed")
        if name not in (x, by) and len({said(row[name]) for row in rows}) > 1
    ]
    runs = (
        counted(counts[-1], "run") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs" if counts else "no run"
    )
    says = f"Each point is the median of {runs}" if counts != [1] else "Each point is one run"
    if varied:
        says += f", which differ in {' and '.join(varied)}; around it, from the least to the greatest"
    left = len(sweep.rows) - len(rows)
    return f"{says}." + (f" {counted(left, 'run')} without this measurement left out." if left else "")


def _alt(series: dict[str, dict[str, list[float]]]) -> str:
    lines = []
    for name, at in series.items():
        values = ", ".join(f"{median(values):.4g} at {text}" for text, values in at.items())
        lines.append(f"{name}: {values}." if name else f"{values}.")
    return " ".join(lines)
