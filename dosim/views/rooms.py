"""`lives`: each object as a study room over time, with its whiteboard and its drawers.

The room's state is a bar. Below it the whiteboard, memory: there while an instance lives, wiped when it ends, however
that is. Below it the drawers, storage: what was put there stays through eviction, hibernation, crash and deploy.
`figure.alt` tells it in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dosim.views.figures import check_look, new_figure, theme_of
from dosim.views.frames import (
    LEGEND_IN,
    NOTE_IN,
    TITLE_IN,
    empty_figure,
    legend_rows,
    wrapped,
    write_legend,
    write_notes,
    write_title,
)
from dosim.views.room_plans import (
    BOARD,
    BOARD_COLOUR,
    DRAWERS,
    DRAWERS_COLOUR,
    LANE_IN,
    SIGNS,
    STATE,
    STATES,
    LanePlan,
    plan_rooms,
)
from dosim.views.scales import time_ticks
from dosim.views.stays import RANKS
from dosim.views.style import ON_BRIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: left and right of the axes, below them.
_LEFT_IN: Final = 2.2
_RIGHT_IN: Final = 0.36
_TICKS_IN: Final = 0.46


def lives(
    source: object,
    *,
    objects: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """The lives of objects of a simulation or trace: of these (labels, names, stubs, views), or of the first 16.

    start_us, end_us: the stretch to show, from the trace's first record to its last unless told; give both to compare
    pictures. `width` is in inches. Raises TypeError for a source that is no trace and ValueError that names the
    argument and the fix.
    """
    check_look(width, "picture of lives", 6, title=title, dark=dark)
    theme = theme_of(dark)
    plan = plan_rooms(source, objects, start_us, end_us, width - _LEFT_IN - _RIGHT_IN, title)
    if plan.empty:
        return empty_figure(plan.empty, width=width, dark=dark, title=title, what="picture of lives", theme=theme)
    notes = wrapped(plan.notes, width)
    handles = [_handle(what, words, theme) for what, words in plan.legend()]
    rows = legend_rows(handles, width)
    deploys = plan.deploys()
    head_in = (TITLE_IN if title else 0.05) + LEGEND_IN * rows + 0.12 + (0.14 if deploys else 0)
    body_in = LANE_IN * len(plan.stays.objects)
    foot_in = _TICKS_IN + NOTE_IN * len(notes) + 0.06
    height = head_in + body_in + foot_in
    figure = new_figure(width, height, dark=dark, what="picture of lives")
    write_title(figure, title, theme)
    write_legend(figure, handles, rows, 1 - (TITLE_IN if title else 0.05) / height, theme)
    axes = figure.add_axes((_LEFT_IN / width, foot_in / height, 1 - (_LEFT_IN + _RIGHT_IN) / width, body_in / height))
    _frame(axes, body_in, plan.span, theme)
    for at, lane in enumerate(plan.lanes):
        _Lane(axes, at * LANE_IN, lane, theme).draw()
    _deploys(axes, deploys, theme)
    write_notes(figure, notes, theme)
    figure.alt = plan.alt
    drawing: Figure = figure
    return drawing


# -- what surrounds the lanes


def _frame(axes: Axes, body_in: float, span: tuple[int, int], theme: Theme) -> None:
    """Axes in microseconds across and inches down, with readable moments below and the objects' names at the left."""
    axes.set_facecolor(theme.paper)
    axes.set_xlim(*span)
    axes.set_ylim(body_in, 0)
    told = time_ticks(*span)
    axes.set_xticks([at_us for at_us, _ in told], [text for _, text in told], fontsize=8.5)
    axes.set_yticks([])
    axes.tick_params(colors=theme.ink, length=3, axis="x")
    axes.grid(visible=True, axis="x", color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.faint)
    axes.set_xlabel("simulated time", color=theme.ink, fontsize=8.5, labelpad=2)


def _deploys(axes: Axes, deploys: Iterable[tuple[int, bool]], theme: Theme) -> None:
    for at_us, is_labelled in deploys:
        axes.axvline(at_us, color=theme.ink, linewidth=1.1, linestyle=(0, (4, 2)), zorder=4)
        if is_labelled:
            style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 8, "color": theme.ink}
            axes.text(at_us, -0.03, "deploy", **style)


def _handle(what: str, words: str, theme: Theme) -> Any:
    """An entry of the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if what in STATES:
        look = STATES[what]
        edge = theme.paper if look.hatch else (look.colour or theme.ink)
        style: dict[str, Any] = {"linestyle": "-" if look.colour else ":", "linewidth": 0.8}
        return Patch(facecolor=look.colour or theme.paper, hatch=look.hatch, edgecolor=edge, label=words, **style)
    if what in SIGNS:
        marker, colour, size, _ = SIGNS[what]
        style = {"markeredgecolor": theme.ink, "markeredgewidth": 0.7, "markersize": min(size, 9)}
        face = colour or theme.ink
        return Line2D([], [], linestyle="", marker=marker, markerfacecolor=face, label=words, **style)
    face = BOARD_COLOUR if what == "whiteboard" else DRAWERS_COLOUR
    return Patch(facecolor=face, edgecolor=ON_BRIGHT, linewidth=0.6, label=words)


# -- one object


class _Lane:
    """An object's lane under the pen; `top` is where it begins, inches down the axes."""

    def __init__(self, axes: Axes, top: float, plan: LanePlan, theme: Theme) -> None:
        self.axes: Any = axes
        self.top = top
        self.plan = plan
        self.theme = theme

    def draw(self) -> None:
        if self.top:
            self.axes.axhline(self.top, color=self.theme.faint, linewidth=0.7, zorder=0.5)
        self._name()
        self._states()
        self._whiteboard()
        self._drawers()
        self._marks()

    def _at_left(self, y: float, text: str, x_in: float, **style: Any) -> None:
        """Text left of the axes, its right end `x_in` inches before them; y in inches down the lane."""
        wide = self.axes.figure.get_size_inches()[0] * self.axes.get_position().width
        place = {"transform": self.axes.get_yaxis_transform(), "clip_on": False, "parse_math": False}
        self.axes.text(-x_in / wide, self.top + y, text, va="center", color=self.theme.ink, **place, **style)

    def _name(self) -> None:
        for text, size, bold, y in self.plan.name(_LEFT_IN - 0.95):
            weight = "bold" if bold else "normal"
            self._at_left(y, text, _LEFT_IN - 0.12, ha="left", fontsize=size, fontweight=weight)
        for (y, high), text in ((STATE, "state"), (BOARD, "whiteboard"), (DRAWERS, "drawers")):
            self._at_left(y + high / 2, text, 0.07, ha="right", fontsize=6.8, alpha=0.85)

    def _bars(self, parts: Iterable[tuple[float, float]], row: tuple[float, float], **style: Any) -> None:
        spans = [(start, end - start) for start, end in parts]
        if spans:
            self.axes.broken_barh(spans, (self.top + row[0], row[1]), **style)

    def _states(self) -> None:
        for state in RANKS:  # the most awake on top
            look, parts = STATES[state], self.plan.parts(state)
            style: dict[str, Any] = {"zorder": 2 + RANKS.index(state) / 10, "label": state}
            if not look.colour:
                style.update(facecolor="none", edgecolor=self.theme.ink, linestyle=":", linewidth=0.7, alpha=0.55)
                self._bars(parts, (STATE[0] + 0.05, STATE[1] - 0.1), **style)
                continue
            edge = self.theme.paper if look.hatch else look.colour
            wide = [part for part in parts if not self.plan.is_slim(part)]
            slim = [part for part in parts if self.plan.is_slim(part)]
            self._bars(wide, STATE, facecolor=look.colour, hatch=look.hatch, edgecolor=edge, linewidth=0.0, **style)
            self._bars(slim, STATE, facecolor=look.colour, edgecolor="none", linewidth=0, **style)
        y = self.top + STATE[0]
        style = {"ha": "center", "va": "center", "fontsize": 7, "color": "white", "zorder": 3}
        for at_us, text in self.plan.crowds():
            self.axes.text(at_us, y + STATE[1] / 2, text, **style)
        self.axes.vlines(self.plan.visits(), y, y + STATE[1], color=self.theme.ink, linewidth=0.8, zorder=3)

    def _whiteboard(self) -> None:
        y, high = self.top + BOARD[0], BOARD[1]
        style: dict[str, Any] = {"facecolor": BOARD_COLOUR, "edgecolor": ON_BRIGHT, "linewidth": 0.5, "zorder": 2}
        self._bars(self.plan.boards(), BOARD, **style)
        self.axes.vlines(self.plan.wiped(), y - 0.015, y + high + 0.015, color=self.theme.ink, linewidth=1.8, zorder=3)
        style = {"ha": "center", "va": "center", "fontsize": 6.8, "color": ON_BRIGHT, "zorder": 4}
        for at_us, text in self.plan.numbers():
            self.axes.text(at_us, y + high / 2, text, **style)

    def _drawers(self) -> None:
        part = self.plan.drawers()
        if part is None:
            return
        y, high = self.top + DRAWERS[0], DRAWERS[1]
        self._bars([part], DRAWERS, facecolor=DRAWERS_COLOUR, edgecolor=ON_BRIGHT, linewidth=0.5, zorder=2)
        self.axes.vlines(self.plan.writes(), y, y + high, color=ON_BRIGHT, linewidth=0.8, zorder=3)
        style: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 6.8, "color": ON_BRIGHT, "zorder": 4}
        box = {"boxstyle": "square,pad=0.08", "facecolor": DRAWERS_COLOUR, "edgecolor": "none"}
        for at_us, text in self.plan.sizes():
            self.axes.text(at_us, y + high / 2, text, bbox=box, **style)

    def _marks(self) -> None:
        for what, (marker, colour, size, _) in SIGNS.items():
            times, y = self.plan.marks(what)
            style = {"markeredgecolor": self.theme.ink, "markeredgewidth": 0.7, "zorder": 6, "clip_on": False}
            ys, face = [self.top + y] * len(times), colour or self.theme.ink
            self.axes.plot(times, ys, marker, markersize=size, markerfacecolor=face, label=what, **style)
