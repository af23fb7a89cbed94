"""`timeline`: requests and objects in lanes over time, drawn with matplotlib.

One lane for each request (on its way, waiting in line, waiting at the gate, computing, awaiting), one for each object
(who is inside). Everything can be told apart without colour; `figure.alt` says in words what the picture shows.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosim.explain import exact
from dosim.trace import Trace
from dosim.views.lanes import Bar, Lane, Lanes, read_lanes
from dosim.views.style import DARK, LIGHT, LOOKS, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches of one lane, and of what stands above and below the lanes of a panel.
_LANE_IN: Final = 0.235
_TITLE_IN: Final = 0.62
_FOOT_IN: Final = 0.5
_LEGEND_IN: Final = 0.62
#: Inches that a letter of a bar's text takes.
_LETTER_IN: Final = 0.072


@dataclass(frozen=True, slots=True)
class Panel:
    """One trace in a picture: which requests (all of them if None), the sentence above, where time 0 is, labels."""

    trace: Trace
    requests: tuple[object, ...] | None = None
    title: str = ""
    origin_us: int = 0
    names: Mapping[int, str] = field(default_factory=dict)


def timeline(
    trace: Trace,
    *,
    requests: Iterable[object] | None = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A Figure of these requests (numbers, or what `client.fetch()` returned), or of the first 60 from outside.

    `width` is in inches. Raises ValueError for a request that the trace does not have.
    """
    panel = Panel(trace, None if requests is None else tuple(requests), title)
    return panels([panel], width=width, dark=dark)


def panels(
    shown: Sequence[Panel], *, width: float = 11.0, dark: bool = False, x_label: str = "seconds of simulated time"
) -> Figure:
    """A Figure of several traces below one another, on one scale of time."""
    if width < 4:
        raise ValueError(f"width={width:g} is too narrow for a timeline: give at least 4 inches.")
    theme = DARK if dark else LIGHT
    lanes = [read_lanes(panel.trace, panel.requests, panel.names) for panel in shown]
    titles = [_title(panel, drawn, width) for panel, drawn in zip(shown, lanes, strict=True)]
    heights = [
        len(drawn.all) * _LANE_IN + 0.2 + _TITLE_IN + 0.17 * title.count("\n")
        for drawn, title in zip(lanes, titles, strict=True)
    ]
    figure = _figure_class()(figsize=(width, sum(heights) + _FOOT_IN + _LEGEND_IN), facecolor=theme.paper)
    span_s = _span_s(shown, lanes)
    _place_axes(figure, heights, width, [lane.label for drawn in lanes for lane in drawn.all])
    for axes, panel, drawn, title in zip(figure.axes, shown, lanes, titles, strict=True):
        _draw_panel(axes, panel, drawn, title, span_s, theme)
    figure.axes[-1].set_xlabel(x_label, color=theme.ink)
    _draw_legend(figure, lanes, theme)
    figure.alt = "\n".join(_alt(panel, drawn) for panel, drawn in zip(shown, lanes, strict=True))
    return figure


def save_png(figure: Figure, path: str | Path) -> None:
    """Write the figure as PNG, without the date or any name of a tool: same picture, same bytes. Raises OSError."""
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


@cache
def _figure_class() -> Any:
    """`matplotlib.figure.Figure` with words for those who cannot see it, which shows itself in a notebook."""
    from matplotlib.figure import Figure

    class TimelineFigure(Figure):
        """A timeline; `alt` tells what it shows."""

        alt: str = ""

        def _repr_html_(self) -> str:
            from html import escape

            file = io.BytesIO()
            self.savefig(file, format="png", dpi=96, metadata={"Software": None})
            data = base64.b64encode(file.getvalue()).decode("ascii")
            return f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{data}">'

        def __repr__(self) -> str:
            inches = self.get_size_inches()
            return f"<timeline, {inches[0]:g} by {inches[1]:.1f} inches>"

    return TimelineFigure


# -- layout


def _title(panel: Panel, drawn: Lanes, width: float) -> str:
    words = panel.title
    if drawn.requests_left_out:
        words += f" (the first {len(drawn.requests)} of {len(drawn.requests) + drawn.requests_left_out} requests)"
    if drawn.objects_left_out:
        words += f" (the first {len(drawn.objects)} of {len(drawn.objects) + drawn.objects_left_out} objects)"
    return textwrap.fill(words.strip(), round(width * 11.5))


def _span_s(shown: Sequence[Panel], lanes: Sequence[Lanes]) -> tuple[float, float]:
    """The common scale: every panel's first and last moment, counted from its own origin, and a margin."""
    spans = [(drawn.span_us, panel.origin_us) for drawn, panel in zip(lanes, shown, strict=True)]
    first = min((span[0] - origin) / 1e6 for span, origin in spans)
    last = max((span[1] - origin) / 1e6 for span, origin in spans)
    margin = (last - first) * 0.012 or 0.001
    return first - margin, last + margin


def _place_axes(figure: Figure, heights: Sequence[float], width: float, labels: Sequence[str]) -> None:
    """Panels from top to bottom, all of one width, with room for the labels."""
    whole = figure.get_size_inches()[1]
    left = min(0.42, (0.35 + _LETTER_IN * 1.05 * max(map(len, labels), default=0)) / width)
    top = whole - _LEGEND_IN
    for height in heights:
        bottom = top - height
        body = height - _TITLE_IN + 0.12
        figure.add_axes((left, bottom / whole, 0.985 - left, body / whole))
        top = bottom


# -- drawing


def _draw_panel(
    axes: Axes, panel: Panel, drawn: Lanes, title: str, span_s: tuple[float, float], theme: Theme
) -> None:
    axes.set_facecolor(theme.paper)
    axes.set_xlim(*span_s)
    axes.set_ylim(len(drawn.all) - 0.4, -0.6)
    axes.set_title(title, loc="left", fontsize=10.5, color=theme.ink, fontweight="bold")
    axes.set_yticks(range(len(drawn.all)), [lane.label for lane in drawn.all], fontsize=9)
    axes.tick_params(colors=theme.ink, length=0, axis="y")
    axes.tick_params(colors=theme.ink, length=3, axis="x", labelsize=8.5)
    axes.grid(visible=True, axis="x", color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.faint)
    inches_per_s = axes.figure.get_size_inches()[0] * axes.get_position().width / (span_s[1] - span_s[0])
    for at, lane in enumerate(drawn.all):
        if lane.kind == "object":
            axes.axhspan(at - 0.5, at + 0.5, color=theme.object_lane, zorder=0, linewidth=0)
        _draw_lane(axes, at, lane, panel.origin_us, inches_per_s, theme)
    for tick, lane in zip(axes.get_yticklabels(), drawn.all, strict=True):
        tick.set_fontweight("bold" if lane.kind == "object" else "normal")


def _draw_lane(axes: Axes, at: int, lane: Lane, origin_us: int, inches_per_s: float, theme: Theme) -> None:
    for bar in lane.bars:
        start_s, took_s = (bar.start_us - origin_us) / 1e6, (bar.end_us - bar.start_us) / 1e6
        look = LOOKS[bar.look]
        y = at - 0.44 if bar.look == "closed" else at
        patch = axes.barh(
            y,
            took_s,
            left=start_s,
            height=look.height,
            color=theme.ink if bar.look == "closed" else look.colour,
            hatch=look.hatch,
            edgecolor=theme.paper,
            linewidth=0.8 if lane.kind == "object" else 0.4,
            zorder=3 if bar.look == "closed" else 2,
        )
        patch.set_label(f"{lane.label}: {bar.look}")
        _write(axes, at, start_s, took_s, _text(lane, bar), inches_per_s)
    _mark_ends(axes, at, lane, origin_us, theme)


def _text(lane: Lane, bar: Bar) -> str:
    """What a bar says of itself if there is room: a request how long, an object who."""
    if lane.kind == "object":
        return bar.text
    verb = {"queued": "waits", "gate": "waits", "running": "computes", "awaiting": "awaits", "starting": "starts"}
    took_us = bar.end_us - bar.start_us
    return f"{verb[bar.look]} {exact(took_us)}" if bar.look in verb else ""


def _write(axes: Axes, at: int, start_s: float, took_s: float, text: str, inches_per_s: float) -> None:
    room = took_s * inches_per_s
    if not text or room < 0.2:
        return
    if len(text) * _LETTER_IN + 0.12 > room:
        text = text.rpartition("waits ")[2].rpartition("awaits ")[2]
    if len(text) * _LETTER_IN + 0.06 > room:
        return
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}
    axes.text(
        start_s + took_s / 2, at + 0.03, text, ha="center", va="center", fontsize=7.5, color="#1A1A1A", bbox=box, zorder=4
    )


def _mark_ends(axes: Axes, at: int, lane: Lane, origin_us: int, theme: Theme) -> None:
    """A triangle where the request was sent, a dot where its answer came, a cross where it failed."""
    if lane.sent_us is not None:
        axes.plot((lane.sent_us - origin_us) / 1e6, at, marker=">", color=theme.ink, markersize=4.5, zorder=5)
    if lane.answered_us is not None:
        marker = "X" if lane.failed else "o"
        axes.plot((lane.answered_us - origin_us) / 1e6, at, marker=marker, color=theme.ink, markersize=5, zorder=5)


def _draw_legend(figure: Figure, lanes: Sequence[Lanes], theme: Theme) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    used = {look for drawn in lanes for look in drawn.looks}
    handles: list[Any] = [_mark(theme, ">", "sent"), _mark(theme, "o", "answered")]
    if any(lane.failed for drawn in lanes for lane in drawn.requests):
        handles.append(_mark(theme, "X", "failed"))
    for name, look in LOOKS.items():
        if name == "closed" and name in used:
            handles.append(Line2D([], [], color=theme.ink, linewidth=3, label=look.words))
        elif name in used:
            handles.append(Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=theme.paper, label=look.words))
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        ncols=min(len(handles), 5),
        frameon=False,
        fontsize=8.5,
        bbox_to_anchor=(0.005, 0.999),
        handlelength=2.2,
        columnspacing=1.4,
        labelcolor=theme.ink,
    )
    legend.set_zorder(10)


def _mark(theme: Theme, marker: str, words: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=theme.ink, marker=marker, linestyle="", markersize=5, label=words)


# -- words


def _alt(panel: Panel, drawn: Lanes) -> str:
    """The picture in words: its sentence, then each lane's stretches."""
    lines = [panel.title or f"Timeline of {len(drawn.requests)} requests and {len(drawn.objects)} objects."]
    for lane in drawn.requests:
        told = ", ".join(f"{LOOKS[bar.look].words} for {exact(bar.end_us - bar.start_us)}" for bar in lane.bars)
        lines.append(f"{lane.label}: {told or 'no time at all'}.")
    for lane in drawn.objects:
        told = ", ".join(
            f"{bar.text} from {(bar.start_us - panel.origin_us) / 1e6:g} to {(bar.end_us - panel.origin_us) / 1e6:g} s"
            for bar in lane.bars
            if bar.text
        )
        lines.append(f"{lane.label}: {told}.")
    return "\n".join(lines)
