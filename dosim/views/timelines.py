"""`timeline`: requests and objects in lanes over time, drawn with matplotlib.

One lane for each request (on its way, waiting in line, waiting at the gate, computing, awaiting), one for each object
(who is inside). Everything can be told apart without colour; `figure.alt` says in words what the picture shows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dosim.trace import Trace
from dosim.views.charts import dress, ink_of, patch, write_on_bar
from dosim.views.figures import check_look, check_title, checked_requests, finished, new_figure, theme_of, trace_of
from dosim.views.lanes import Lane, Lanes, read_lanes
from dosim.views.scales import kept_note, time_ticks
from dosim.views.style import LOOKS, MARKS, Theme
from dosim.views.tellings import LONG_S, bar_texts, lanes_told, left_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: one lane; a line of a panel's title; below a panel's lanes; a row of the legend; below everything.
_LANE_IN: Final = 0.235
_LINE_IN: Final = 0.185
_TICKS_IN: Final = 0.42
_LEGEND_ROW_IN: Final = 0.2
_FOOT_IN: Final = 0.2
#: Inches that a letter takes: of a bar's text, of a lane's label, of a title.
_LETTER_IN: Final = 0.062
_LABEL_IN: Final = 0.083
_WORDS_IN: Final = 0.0775
_LEGEND_COLUMNS: Final = 4
#: What the axis of time is called. Of a long stretch its ticks are minutes, hours and days.
_SECONDS: Final = "seconds of simulated time"
#: Inches: a bar that is not wider is drawn without edge and hatch.
_NARROW_IN: Final = 0.03
#: Sizes of a bar's text, points: the largest that fits.
_SIZES: Final = (7.5, 6.5, 5.8)


@dataclass(frozen=True, slots=True)
class Panel:
    """One trace in a picture: which requests (all of them if None), title and sentence above, time 0, lanes' labels."""

    trace: Trace
    requests: tuple[object, ...] | None = None
    title: str = ""
    claim: str = ""
    origin_us: int = 0
    names: Mapping[int, str] = field(default_factory=dict)
    #: The stretch of the trace to show, microseconds from the simulation's start; None: unless told.
    start_us: int | None = None
    end_us: int | None = None


def timeline(
    source: object,
    *,
    requests: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A Figure of these requests (numbers, or what `client.fetch()` returned), or of the first 60 from outside.

    source: a simulation or a trace; of one with retention the figure says what is missing. The stretch to show is in
    microseconds from the simulation's start; unless told, it ends a little after the end of the last request shown.
    `width` is in inches. Raises ValueError or TypeError that name the argument and the fix.
    """
    trace = trace_of(source)
    missing = kept_note(trace)
    panel = Panel(trace, checked_requests(requests), title, missing, start_us=start_us, end_us=end_us)
    return panels([panel], width=width, dark=dark)


def panels(
    shown: Sequence[Panel],
    *,
    width: float = 11.0,
    dark: bool = False,
    heading: str = "",
    x_label: str = _SECONDS,
) -> Figure:
    """A Figure of several traces below one another, on one scale of time: seconds, or what fits a long stretch."""
    check_look(width, "timeline", dark=dark)
    check_title(heading, "heading")
    check_title(x_label, "x_label")
    if not isinstance(shown, Sequence) or not all(isinstance(panel, Panel) for panel in shown):
        raise TypeError("shown: give a list of Panel(sim.trace, ...), or draw one trace with timeline(sim.trace).")
    for panel in shown:
        check_title(panel.title)
        check_title(panel.claim, "claim")
    theme = theme_of(dark)
    lanes = [read_lanes(panel.trace, panel.requests, panel.names, (panel.start_us, panel.end_us)) for panel in shown]
    titles = [_title(panel, drawn, width) for panel, drawn in zip(shown, lanes, strict=True)]
    handles = _legend_handles(lanes, theme)
    top_in = 0.12 + (0.3 if heading else 0) + _LEGEND_ROW_IN * -(-len(handles) // _LEGEND_COLUMNS) + 0.1
    heights = [
        (_LINE_IN * len(title) + 0.08, _LANE_IN * len(drawn.all)) for drawn, title in zip(lanes, titles, strict=True)
    ]
    height = top_in + sum(map(sum, heights)) + _TICKS_IN * len(shown) + _FOOT_IN
    figure = new_figure(width, height, dark=dark, what="timeline")
    if heading:
        style = {"fontsize": 12, "fontweight": "bold", "va": "top", "color": theme.ink}
        figure.text(0.1 / width, 1 - 0.1 / height, heading, **style)
    _draw_legend(figure, handles, 1 - (0.08 + (0.3 if heading else 0)) / height, theme)
    left = min(
        0.42, (0.25 + _LABEL_IN * max((len(lane.label) for drawn in lanes for lane in drawn.all), default=0)) / width
    )
    span_s = _span_s(shown, lanes)
    y_in = height - top_in
    for panel, drawn, title, (title_in, body_in) in zip(shown, lanes, titles, heights, strict=True):
        _write_title(figure, title, 0.1 / width, y_in, theme)
        y_in -= title_in + body_in
        axes = figure.add_axes((left, y_in / height, 0.985 - left, body_in / height))
        _draw_panel(axes, panel, drawn, span_s, theme)
        y_in -= _TICKS_IN
    if _is_long(span_s):
        x_label = "simulated time" if x_label == _SECONDS else f"time{x_label.removeprefix('seconds')}"
    figure.axes[-1].set_xlabel(x_label, color=theme.ink)
    told = (
        lanes_told(drawn, title=panel.title, claim=panel.claim, origin_us=panel.origin_us)
        for panel, drawn in zip(shown, lanes, strict=True)
    )
    return finished(figure, "\n".join(told))


# -- layout


def _title(panel: Panel, drawn: Lanes, width: float) -> list[str]:
    """The lines above a panel: its title, then its sentence, wrapped."""
    more = left_out(drawn)
    title = f"{panel.title} ({more})" if panel.title and more else panel.title or more
    lines = textwrap.wrap(panel.claim, int((width - 0.2) / _WORDS_IN))
    return [title, *lines] if title else lines


def _write_title(figure: Figure, lines: Sequence[str], x: float, y_in: float, theme: Theme) -> None:
    height = figure.get_size_inches()[1]
    for number, line in enumerate(lines):
        weight = "normal" if number else "bold"
        y = (y_in - number * _LINE_IN) / height
        figure.text(x, y, line, fontsize=10, fontweight=weight, va="top", color=theme.ink)


def _span_s(shown: Sequence[Panel], lanes: Sequence[Lanes]) -> tuple[float, float]:
    """The common scale: from every panel's first moment to its last request's end (or as told), and a margin."""
    spans = [_stretch_us(panel, drawn) for drawn, panel in zip(lanes, shown, strict=True)]
    first = min((span[0] - panel.origin_us) / 1e6 for span, panel in zip(spans, shown, strict=True))
    last = max((span[1] - panel.origin_us) / 1e6 for span, panel in zip(spans, shown, strict=True))
    margin = (last - first) * 0.012 or 0.001
    return first - margin, last + margin


def _is_long(span_s: tuple[float, float]) -> bool:
    return span_s[1] - span_s[0] > LONG_S


def _stretch_us(panel: Panel, drawn: Lanes) -> tuple[int, int]:
    """The first and the last moment to show of a panel, counted from its simulation's start."""
    start_us = drawn.span_us[0] if panel.start_us is None else panel.start_us
    end_us = drawn.ends_us if panel.end_us is None else panel.end_us
    return start_us, max(start_us, end_us)


# -- drawing


def _draw_panel(axes: Axes, panel: Panel, drawn: Lanes, span_s: tuple[float, float], theme: Theme) -> None:
    dress(axes, theme, grid="x", left=False)
    axes.tick_params(length=0, axis="y")
    axes.set_xlim(*span_s)
    axes.set_ylim(len(drawn.all) - 0.4, -0.6)
    axes.set_yticks(range(len(drawn.all)), [lane.label for lane in drawn.all], fontsize=9)
    if _is_long(span_s):
        ticks = time_ticks(span_s[0] * 1e6, span_s[1] * 1e6, most=9)
        axes.set_xticks([at / 1e6 for at, _ in ticks], [words for _, words in ticks])
    whole: Any = axes.figure
    inches_per_s = whole.get_size_inches()[0] * axes.get_position().width / (span_s[1] - span_s[0])
    for at, lane in enumerate(drawn.all):
        if lane.kind == "object":
            axes.axhspan(at - 0.5, at + 0.5, color=theme.object_lane, zorder=0, linewidth=0)
        _draw_lane(axes, at, lane, panel.origin_us, inches_per_s, span_s, theme)
    for tick, lane in zip(axes.get_yticklabels(), drawn.all, strict=True):
        tick.set_fontweight("bold" if lane.kind == "object" else "normal")


def _draw_lane(
    axes: Axes,
    at: int,
    lane: Lane,
    origin_us: int,
    inches_per_s: float,
    span_s: tuple[float, float],
    theme: Theme,
) -> None:
    for bar in lane.bars:
        look = LOOKS[bar.look]
        first_s, last_s = (bar.start_us - origin_us) / 1e6, (bar.end_us - origin_us) / 1e6
        if last_s < span_s[0] or first_s > span_s[1]:
            continue
        if bar.look == "visit":
            ends = at - look.height / 2, at + look.height / 2
            tick = axes.vlines(first_s, *ends, color=look.colour, linewidth=2.2, zorder=3)
            tick.set_label(f"{lane.label}: {bar.look}")
            continue
        start_s = max(first_s, span_s[0])  # what lies outside the picture would put a text there
        took_s = min(last_s, span_s[1]) - start_s
        plain = bar.look == "closed" or took_s * inches_per_s < _NARROW_IN  # an edge and a hatch would hide it
        colour = ink_of(look, theme)
        y = at - 0.44 if bar.look == "closed" else at
        drawn = axes.barh(
            y,
            took_s,
            left=start_s,
            height=look.height,
            color=colour,
            hatch="" if plain else look.hatch,
            edgecolor=colour if plain else theme.paper,
            linewidth=0.8 if lane.kind == "object" else 0.4,
            zorder=3 if bar.look == "closed" else 2,
        )
        drawn.set_label(f"{lane.label}: {bar.look}")
        _write(axes, at, start_s, took_s, bar_texts(lane, bar), inches_per_s)
    _draw_marks(axes, at, lane, origin_us, span_s, theme)
    _mark_ends(axes, at, lane, origin_us, theme)


def _write(axes: Axes, at: int, start_s: float, took_s: float, texts: Sequence[str], inches_per_s: float) -> None:
    """Text in the middle of a bar; smaller, then the next shorter one where room is little, none where none fits."""
    room = took_s * inches_per_s
    for text in texts:
        size = _size(text, room)
        if size is not None:
            write_on_bar(axes, start_s + took_s / 2, at + 0.03, text, size)
            return


def _size(text: str, room: float) -> float | None:
    """The largest size of letters in which a text fits into so many inches; None if it does in none."""
    return next((size for size in _SIZES if text and len(text) * _LETTER_IN * size / _SIZES[0] + 0.06 <= room), None)


def _draw_marks(axes: Axes, at: int, lane: Lane, origin_us: int, span_s: tuple[float, float], theme: Theme) -> None:
    """Alarms and frames where they happen, edged with paper so that they show on bars."""
    for name, look in MARKS.items():
        moments = [(mark.at_us - origin_us) / 1e6 for mark in lane.marks if mark.look == name]
        shown = [moment for moment in moments if span_s[0] <= moment <= span_s[1]]
        if shown:
            axes.plot(
                shown,
                [at + look.place] * len(shown),
                marker=look.marker,
                markersize=look.size,
                color=look.colour,
                markeredgecolor=theme.paper,
                markeredgewidth=0.7,
                linestyle="",
                label=f"{lane.label}: {name}",
                zorder=4.5,
            )


def _mark_ends(axes: Axes, at: int, lane: Lane, origin_us: int, theme: Theme) -> None:
    """A triangle where the request was sent, a dot where its answer came, a cross where it failed."""
    if lane.sent_us is not None:
        axes.plot((lane.sent_us - origin_us) / 1e6, at, marker=">", color=theme.ink, markersize=4, zorder=5)
    if lane.answered_us is not None:
        marker = "X" if lane.failed else "o"
        axes.plot((lane.answered_us - origin_us) / 1e6, at, marker=marker, color=theme.ink, markersize=4.5, zorder=5)


def _legend_handles(lanes: Sequence[Lanes], theme: Theme) -> list[Any]:
    """An entry for every look in use."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    used = {look for drawn in lanes for look in drawn.looks}
    handles: list[Any] = [_mark(theme, ">", "request sent"), _mark(theme, "o", "answer received")]
    if any(lane.failed for drawn in lanes for lane in drawn.requests):
        handles.append(_mark(theme, "X", "failed"))
    for name, look in LOOKS.items():
        if name == "closed" and name in used:
            handles.append(Line2D([], [], color=theme.ink, linewidth=3, label=look.words))
        elif name == "visit" and name in used:
            handles.append(_mark(theme, "|", look.words, look.colour))
        elif name in used:
            handles.append(patch(look, look.words, theme))
    marked = {look for drawn in lanes for look in drawn.marks}
    handles += [_mark(theme, look.marker, look.words, look.colour) for name, look in MARKS.items() if name in marked]
    if any(drawn.objects for drawn in lanes):
        handles.append(
            Patch(facecolor=theme.object_lane, edgecolor=theme.faint, label="grey lane: who is inside an object")
        )
    return handles


def _draw_legend(figure: Figure, handles: Sequence[Any], top: float, theme: Theme) -> None:
    figure.legend(
        handles=handles,
        loc="upper left",
        ncols=min(len(handles), _LEGEND_COLUMNS),
        frameon=False,
        fontsize=8.5,
        bbox_to_anchor=(0.0, top),
        borderaxespad=0.0,
        handlelength=2.2,
        columnspacing=1.4,
        labelcolor=theme.ink,
    )


def _mark(theme: Theme, marker: str, words: str, colour: str = "") -> Any:
    from matplotlib.lines import Line2D

    wide = 2.2 if marker == "|" else 1.0
    return Line2D(
        [],
        [],
        color=colour or theme.ink,
        marker=marker,
        linestyle="",
        markersize=8 if marker == "|" else 5,
        markeredgewidth=wide,
        label=words,
    )
