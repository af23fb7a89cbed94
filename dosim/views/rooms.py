"""`lives`: each object as a study room over time, with its whiteboard and its drawers.

The room's state is a bar. Below it the whiteboard, memory: there while an instance lives, wiped when it ends, however
that is. Below it the drawers, storage: what was put there stays through eviction, hibernation, crash and deploy.
`figure.alt` tells it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from dosim.trace import Stretch
from dosim.trace.words import counted, stretch
from dosim.views.figures import check_look, new_figure, theme_of, trace_of
from dosim.views.frames import (
    EMPTY,
    NOTE_IN,
    TITLE_IN,
    check_window,
    empty_figure,
    span_of,
    wrapped,
    write_notes,
    write_title,
)
from dosim.views.scales import kept_note, time_ticks
from dosim.views.stays import RANKS, Stay, Stays, apart, read_stays, thinned
from dosim.views.style import Look, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: a lane, and from its top its marks, its state, its whiteboard, its drawers, each with its height.
_LANE_IN: Final = 0.92
_MARKS: Final = 0.11
_STATE: Final = (0.2, 0.22)
_BOARD: Final = (0.46, 0.15)
_DRAWERS: Final = (0.65, 0.15)
#: Inches: left and right of the axes, below them, a row of the legend, a letter of an object's name.
_LEFT_IN: Final = 2.2
_RIGHT_IN: Final = 0.36
_TICKS_IN: Final = 0.46
_LEGEND_IN: Final = 0.21
_LETTER_IN: Final = 0.078
#: Dots an inch that a stretch or a mark takes at least.
_DOTS: Final = 100

STATES: Final[dict[str, Look]] = {
    "running": Look("#0072B2", "", 1, "running: somebody is inside"),
    "starting": Look("#D55E00", "--", 1, "starting: its constructor runs"),
    "held": Look("#CC79A7", "xxx", 1, "held in memory by something else"),
    "idle": Look("#56B4E9", "", 1, "idle in memory"),
    "hibernated": Look("#009E73", "...", 1, "hibernated: its sockets stay"),
    "evicted": Look("", "", 1, "evicted: not in memory"),
}
_BOARD_COLOUR: Final = "#F0E442"
_DRAWERS_COLOUR: Final = "#E69F00"
#: Mark -> its marker, colour ("" is ink), size and words.
_SIGNS: Final[dict[str, tuple[str, str, float, str]]] = {
    "wake": ("^", "", 5.5, "woken: a new instance"),
    "alarm": ("*", "#E69F00", 11, "its alarm rings"),
    "crash": ("X", "#D55E00", 9, "crash"),
    "reset": ("D", "#CC79A7", 6.5, "reset, as by a deploy"),
}
_DARK_INK: Final = "#1A1A1A"


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
    trace = trace_of(source)
    check_look(width, "picture of lives", 6, title=title, dark=dark)
    check_window(start_us, end_us)
    theme = theme_of(dark)
    stays = read_stays(trace, objects)
    missing = kept_note(trace)
    first_us, last_us = span_of(trace)
    span = first_us if start_us is None else start_us, last_us if end_us is None else end_us
    if not stays.objects:
        text = "No object was used in this trace." if len(trace) else EMPTY
        text = f"{text} {missing}".strip()
        return empty_figure(text, width=width, dark=dark, title=title, what="picture of lives", theme=theme)
    if span[1] <= span[0]:
        if start_us is not None and start_us >= last_us:
            raise ValueError(
                f"start, end: {stretch(start_us)} is after the last record, at {stretch(last_us)}: give a"
                " stretch before that, counted from the simulation's start."
            )
        span = span[0], span[0] + 1
    tick_us = (span[1] - span[0]) / ((width - _LEFT_IN - _RIGHT_IN) * _DOTS)
    notes = wrapped(_notes(stays, missing, span, tick_us), width)
    handles = _handles(stays, span, theme)
    rows = ceil(sum(0.52 + 0.06 * len(handle.get_label()) for handle in handles) / width)
    head_in = (TITLE_IN if title else 0.05) + _LEGEND_IN * rows + 0.12 + (0.14 if stays.deploys else 0)
    body_in = _LANE_IN * len(stays.objects)
    foot_in = _TICKS_IN + NOTE_IN * len(notes) + 0.06
    height = head_in + body_in + foot_in
    figure = new_figure(width, height, dark=dark, what="picture of lives")
    write_title(figure, title, theme)
    _legend(figure, handles, rows, 1 - (TITLE_IN if title else 0.05) / height, theme)
    axes = figure.add_axes((_LEFT_IN / width, foot_in / height, 1 - (_LEFT_IN + _RIGHT_IN) / width, body_in / height))
    _frame(axes, stays, span, theme)
    for at, stay in enumerate(stays.objects):
        _Lane(axes, at * _LANE_IN, stay, span, tick_us, theme).draw()
    _deploys(axes, stays, span, tick_us, theme)
    write_notes(figure, notes, theme)
    figure.alt = _alt(stays, title, span, missing)
    drawing: Figure = figure
    return drawing


# -- what surrounds the lanes


def _frame(axes: Axes, stays: Stays, span: tuple[int, int], theme: Theme) -> None:
    """Axes in microseconds across and inches down, with readable moments below and the objects' names at the left."""
    axes.set_facecolor(theme.paper)
    axes.set_xlim(*span)
    axes.set_ylim(_LANE_IN * len(stays.objects), 0)
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


def _deploys(axes: Axes, stays: Stays, span: tuple[int, int], tick_us: float, theme: Theme) -> None:
    shown = [at_us for at_us in stays.deploys if span[0] <= at_us <= span[1]]
    labelled = apart(shown, tick_us * 45)
    for at_us in apart(shown, tick_us):
        axes.axvline(at_us, color=theme.ink, linewidth=1.1, linestyle=(0, (4, 2)), zorder=4)
        if at_us in labelled:
            style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 8, "color": theme.ink}
            axes.text(at_us, -0.03, "deploy", **style)


def _name_lines(label: str, room: int) -> list[str]:
    """A label in one line of so many letters, or in two, class and name; of a longer name its middle is left out."""
    if len(label) <= room:
        return [label]
    cls, bracket, name = label.partition("(")
    parts = [cls, f"{bracket}{name}"] if bracket else [label]
    half = (room - 1) // 2
    return [part if len(part) <= room else f"{part[: room - 1 - half]}…{part[-half:]}" for part in parts]


def _handles(stays: Stays, span: tuple[int, int], theme: Theme) -> list[Any]:
    """Entries of the legend, for what is in the picture."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    seen = {s.state for stay in stays.objects for s in stay.life.stretches if _in(s.start_us, s.end_us, span)}
    handles: list[Any] = []
    for state, look in STATES.items():
        if state in seen:
            edge = theme.paper if look.hatch else (look.colour or theme.ink)
            face = look.colour or theme.paper
            style: dict[str, Any] = {"linestyle": "-" if look.colour else ":", "linewidth": 0.8}
            handles.append(Patch(facecolor=face, hatch=look.hatch, edgecolor=edge, label=look.words, **style))
    handles.append(
        Patch(facecolor=_BOARD_COLOUR, edgecolor=_DARK_INK, linewidth=0.6, label="whiteboard: memory, wiped at its end")
    )
    handles.append(
        Patch(facecolor=_DRAWERS_COLOUR, edgecolor=_DARK_INK, linewidth=0.6, label="drawers: storage, it stays")
    )
    marks = {mark.what for stay in stays.objects for mark in stay.marks if span[0] <= mark.at_us <= span[1]}
    for what, (marker, colour, size, words) in _SIGNS.items():
        if what in marks:
            face = colour or theme.ink
            style = {"markeredgecolor": theme.ink, "markeredgewidth": 0.7, "markersize": min(size, 9)}
            handles.append(Line2D([], [], linestyle="", marker=marker, markerfacecolor=face, label=words, **style))
    return handles


def _in(start_us: int, end_us: int, span: tuple[int, int]) -> bool:
    return start_us <= span[1] and end_us >= span[0]


def _legend(figure: Any, handles: Sequence[Any], rows: int, top: float, theme: Theme) -> None:
    style: dict[str, Any] = {"frameon": False, "fontsize": 7.8, "labelcolor": theme.ink, "handlelength": 1.8}
    style.update(columnspacing=1.1, borderpad=0.2, loc="upper left", bbox_to_anchor=(0.004, top))
    figure.legend(handles=handles, ncols=ceil(len(handles) / rows), **style)


# -- one object


class _Lane:
    """An object's lane under the pen; `top` is where it begins, inches down the axes."""

    def __init__(self, axes: Axes, top: float, stay: Stay, span: tuple[int, int], tick_us: float, theme: Theme) -> None:
        self.axes: Any = axes
        self.top = top
        self.stay = stay
        self.span = span
        self.tick_us = tick_us
        self.theme = theme

    def draw(self) -> None:
        if self.top:
            self.axes.axhline(self.top, color=self.theme.faint, linewidth=0.7, zorder=0.5)
        self._name()
        self._states()
        self._whiteboard()
        self._drawers()
        self._marks()

    def _clip(self, start_us: float, end_us: float, dots: int = 1) -> tuple[float, float]:
        """A stretch's part inside the picture, at least so many dots wide."""
        start_us = max(start_us, self.span[0])
        return start_us, max(min(end_us, self.span[1]), start_us + dots * self.tick_us)

    def _room_in(self, start_us: float, end_us: float) -> float:
        return (end_us - start_us) / self.tick_us / _DOTS

    def _at_left(self, y: float, text: str, x_in: float, **style: Any) -> None:
        """Text left of the axes, its right end `x_in` inches before them; y in inches down the lane."""
        wide = self.axes.figure.get_size_inches()[0] * self.axes.get_position().width
        place = {"transform": self.axes.get_yaxis_transform(), "clip_on": False, "parse_math": False}
        self.axes.text(-x_in / wide, self.top + y, text, va="center", color=self.theme.ink, **place, **style)

    def _name(self) -> None:
        room = int((_LEFT_IN - 0.95) / _LETTER_IN)
        label, life = self.stay.label, self.stay.life
        instances = self.stay.instances
        lines = [(line, 9.0, "bold") for line in _name_lines(label, room)]
        lines.append((f"in {life.place}" if life.place else "", 8.0, "normal"))
        lines.append((counted(len({number for number, _, _ in instances}), "instance"), 8.0, "normal"))
        shown = [line for line in lines if line[0]]
        for number, (text, size, weight) in enumerate(shown):
            y = (_STATE[0] + _DRAWERS[0] + _DRAWERS[1]) / 2 + 0.17 * (number - (len(shown) - 1) / 2)
            self._at_left(y, text, _LEFT_IN - 0.12, ha="left", fontsize=size, fontweight=weight)
        for (y, high), text in ((_STATE, "state"), (_BOARD, "whiteboard"), (_DRAWERS, "drawers")):
            self._at_left(y + high / 2, text, 0.07, ha="right", fontsize=6.8, alpha=0.85)

    def _bars(
        self, stretches: Iterable[tuple[float, float]], row: tuple[float, float], dots: int = 1, **style: Any
    ) -> None:
        spans = [(start, end - start) for start, end in (self._clip(*s, dots) for s in stretches)]
        if spans:
            self.axes.broken_barh(spans, (self.top + row[0], row[1]), **style)

    def _states(self) -> None:
        shown = [s for s in thinned(self.stay.life.stretches, self.tick_us) if _in(s.start_us, s.end_us, self.span)]
        for state in RANKS:  # the most awake on top
            look = STATES[state]
            spans = [(s.start_us, s.end_us) for s in shown if s.state == state]
            wide = [s for s in spans if s[1] - s[0] >= 4 * self.tick_us]
            slim = [s for s in spans if s[1] - s[0] < 4 * self.tick_us]
            style: dict[str, Any] = {"zorder": 2 + RANKS.index(state) / 10, "label": state}
            if not look.colour:
                style.update(facecolor="none", edgecolor=self.theme.ink, linestyle=":", linewidth=0.7, alpha=0.55)
                self._bars(spans, (_STATE[0] + 0.05, _STATE[1] - 0.1), **style)
                continue
            edge = self.theme.paper if look.hatch else look.colour
            self._bars(wide, _STATE, facecolor=look.colour, hatch=look.hatch, edgecolor=edge, linewidth=0.0, **style)
            self._bars(slim, _STATE, facecolor=look.colour, edgecolor="none", linewidth=0, **style)
        self._inside(shown)
        inside = [at_us for at_us in self.stay.visits if self.span[0] <= at_us <= self.span[1]]
        y = self.top + _STATE[0]
        self.axes.vlines(self._apart(inside), y, y + _STATE[1], color=self.theme.ink, linewidth=0.8, zorder=3)

    def _apart(self, moments: Sequence[int]) -> list[int]:
        """The moments at which thin lines are drawn: none where they would cover what is behind them."""
        shown = apart(moments, 2 * self.tick_us)
        return [] if _is_dense(shown, self.span, self.tick_us) else shown

    def _inside(self, shown: Iterable[Stretch]) -> None:
        """How many are inside, where there is room to write it."""
        for part in shown:
            start_us, end_us = self._clip(part.start_us, part.end_us)
            text = f"up to {part.inside} inside"
            if part.state == "running" and part.inside > 1 and self._room_in(start_us, end_us) > 0.75:
                style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": "white", "zorder": 3}
                self.axes.text((start_us + end_us) / 2, self.top + _STATE[0] + _STATE[1] / 2, text, **style)

    def _whiteboard(self) -> None:
        y, high = self.top + _BOARD[0], _BOARD[1]
        lived = [i for i in self.stay.instances if _in(i[1], i[2], self.span)]
        style: dict[str, Any] = {"facecolor": _BOARD_COLOUR, "edgecolor": _DARK_INK, "linewidth": 0.5, "zorder": 2}
        self._bars([(i[1], i[2]) for i in lived], _BOARD, 4, **style)
        ended = [
            end_us
            for _, start_us, end_us in lived
            if end_us <= self.span[1] and end_us - start_us > 6 * self.tick_us and not self._lives_on(end_us)
        ]
        wiped = apart(ended, self.tick_us * 2)
        self.axes.vlines(wiped, y - 0.015, y + high + 0.015, color=self.theme.ink, linewidth=1.8, zorder=3)
        free_us = float(self.span[0])
        for number, start_us, end_us in lived:
            left, right = self._clip(start_us, end_us)
            room = self._room_in(left, right)
            words = [f"instance {number}", f"{number}"]
            text = next((word for word in words if 0.057 * len(word) + 0.04 <= room), "")
            if text and left >= free_us:
                style = {"ha": "center", "va": "center", "fontsize": 6.8, "color": _DARK_INK, "zorder": 4}
                self.axes.text((left + right) / 2, y + high / 2, text, **style)
                free_us = right

    def _lives_on(self, end_us: int) -> bool:
        """Whether a stretch in memory ends only because the trace does."""
        last = self.stay.life.stretches[-1]
        return last.in_memory and last.end_us == end_us

    def _drawers(self) -> None:
        from_us = self.stay.keeps_from_us
        if from_us is None or from_us > self.span[1]:
            return
        y, high = self.top + _DRAWERS[0], _DRAWERS[1]
        self._bars(
            [(from_us, self.span[1])], _DRAWERS, facecolor=_DRAWERS_COLOUR, edgecolor=_DARK_INK, linewidth=0.5, zorder=2
        )
        written = [at_us for at_us in self.stay.writes if self.span[0] <= at_us <= self.span[1]]
        self.axes.vlines(self._apart(written), y, y + high, color=_DARK_INK, linewidth=0.8, zorder=3)
        self._sizes(from_us)

    def _sizes(self, from_us: int) -> None:
        """How much is stored, whenever the trace tells something new and there is room to write it."""
        told, free_us = "", -1.0
        before = [known for known in self.stay.stored if known[0] <= self.span[0]]
        for at_us, size_bytes in [*before[-1:], *self.stay.stored[len(before) :]]:
            text = size_text(size_bytes)
            if at_us < from_us or at_us > self.span[1] or text == told:
                continue
            start_us = float(max(at_us, self.span[0]))
            wide_us = (0.056 * len(text) + 0.1) * _DOTS * self.tick_us
            start_us = min(start_us, self.span[1] - wide_us)
            if start_us >= free_us:
                style: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 6.8, "color": _DARK_INK, "zorder": 4}
                box = {"boxstyle": "square,pad=0.08", "facecolor": _DRAWERS_COLOUR, "edgecolor": "none"}
                x = start_us + 0.05 * _DOTS * self.tick_us
                self.axes.text(x, self.top + _DRAWERS[0] + _DRAWERS[1] / 2, text, bbox=box, **style)
                told, free_us = text, start_us + wide_us

    def _marks(self) -> None:
        for what, (marker, colour, size, _) in _SIGNS.items():
            times = [m.at_us for m in self.stay.marks if m.what == what and self.span[0] <= m.at_us <= self.span[1]]
            shown = apart(times, self.tick_us * 4)
            y = self.top + (_MARKS + 0.045 if what == "wake" else _MARKS)
            style = {"markeredgecolor": self.theme.ink, "markeredgewidth": 0.7, "zorder": 6, "clip_on": False}
            face = colour or self.theme.ink
            self.axes.plot(shown, [y] * len(shown), marker, markersize=size, markerfacecolor=face, label=what, **style)


# -- words


def size_text(size_bytes: int) -> str:
    """A size for people, to three digits: "21 B", "1.5 kB", "3 MB"."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def _notes(stays: Stays, missing: str, span: tuple[int, int], tick_us: float) -> list[str]:
    notes = [missing]
    if stays.left_out:
        total = len(stays.objects) + stays.left_out
        notes.append(f"The first {len(stays.objects)} of {total} objects are shown; name others with objects=.")
    if any(stay.visits or stay.writes for stay in stays.objects):
        notes.append("A thin line in the state is somebody coming in, in the drawers a write.")
    moments = [times for stay in stays.objects for times in (stay.visits, stay.writes)]
    if any(_is_dense(apart(times, 2 * tick_us), span, tick_us) for times in moments):
        notes.append("Where these are too many to tell apart, none is drawn.")
    if any(len(thinned(stay.life.stretches, tick_us)) < len(stay.life.stretches) / 2 for stay in stays.objects):
        notes.append("Of states closer together than a dot the most awake is drawn.")
    return [" ".join(note for note in notes if note)]


def _is_dense(moments: Sequence[int], span: tuple[int, int], tick_us: float) -> bool:
    """Whether lines at these moments would cover a good part of the picture."""
    inside = sum(span[0] <= at_us <= span[1] for at_us in moments)
    return inside * 6 * tick_us > span[1] - span[0]


def _alt(stays: Stays, title: str, span: tuple[int, int], missing: str) -> str:
    """The lives in words."""
    lines = [f"{title or 'The lives of objects'}, from {stretch(span[0])} to {stretch(span[1])}."]
    for stay in stays.objects:
        place = f" in {stay.life.place}" if stay.life.place else ""
        told: dict[str, int] = {}
        for part in stay.life.stretches:
            part_us = min(part.end_us, span[1]) - max(part.start_us, span[0])
            if part_us > 0:
                told[part.state] = told.get(part.state, 0) + part_us
        states = ", ".join(f"{state} {stretch(us)}" for state, us in told.items()) or "no time at all"
        marks = [mark.what for mark in stay.marks if span[0] <= mark.at_us <= span[1]]
        met = "".join(f", {counted(marks.count(what), what)}" for what in dict.fromkeys(marks) if what != "wake")
        stored = f"; {size_text(stay.stored[-1][1])} stored at the end" if stay.stored else ""
        count = counted(len({number for number, _, _ in stay.instances}), "instance")
        lines.append(f"{stay.label}{place}: {count}, {states}{met}{stored}.")
    lines += [f"Deployed at {stretch(at_us)}." for at_us in stays.deploys if span[0] <= at_us <= span[1]]
    if stays.left_out:
        lines.append(f"{counted(stays.left_out, 'more object')} not shown.")
    return "\n".join([*lines, missing] if missing else lines)
