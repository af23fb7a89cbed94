"""`spacetime`: who sent what to whom, as Lamport draws it: a line down for each actor, a slanted arrow for a message.

Time runs down. Each moment at which something happens has a row of its own, so that what takes microseconds can be
seen beside what takes hours; with `to_scale` the rows stand where the clock says. Vector clocks tell what can have
influenced what: of two events, the earlier is the one whose clock is nowhere larger, and if neither is, they are
concurrent.
"""

from __future__ import annotations

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING, Final

from dosim.trace import Trace
from dosim.trace.words import counted, cut, rounded, stretch
from dosim.views.diagrams import (
    MOST_ACTORS,
    MOST_CLOCKED,
    MOST_EVENTS,
    MOST_MESSAGES,
    Arrow,
    Diagram,
    Dot,
    read_diagram,
)
from dosim.views.figures import check_look, new_figure, theme_of, trace_of
from dosim.views.frames import EMPTY, NOTE_IN, SECOND_US, check_window, empty_figure, on, wrapped
from dosim.views.labels import Box
from dosim.views.scales import kept_note
from dosim.views.strokes import Block, Line, Sign, Stroke, Words, paint, svg
from dosim.views.style import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches: a row; left of the columns for the times, right of them; the title's line, a row of the legend.
_ROW_IN: Final = 0.2
_LEFT_IN: Final = 1.12
_RIGHT_IN: Final = 0.95
_TITLE_IN: Final = 0.32
_LEGEND_ROW_IN: Final = 0.2
#: Inches: a picture to scale is as high as its rows would be, within these.
_SCALED_IN: Final = (3.0, 9.0)
#: Inches between the times and the columns; that a letter takes of a label, of a long wait (bold), of a name, a clock.
_TIMES_IN: Final = 0.42
_LETTER_IN: Final = 0.056
_WAIT_LETTER_IN: Final = 0.08
_NAME_IN: Final = 0.077
_CLOCK_LETTER_IN: Final = 0.05
#: Inches: columns that are closer have slanted names, of so many letters at most; how far right one of these takes it.
_SLANTED_IN: Final = 0.62
_MOST_SLANTED: Final = 24
_LEANING_LETTER_IN: Final = 0.052
#: A wait is told across the picture if it is this long and so many times the middle one.
_LONG_US: Final = SECOND_US // 2
_LONG_TIMES: Final = 25
#: Shares of an arrow's way at which its label is tried.
_ALONG: Final = (0.5, 0.38, 0.62, 0.27, 0.73, 0.18, 0.82)

#: Kind of a message -> colour, dash in points, words.
INKS: Final[dict[str, tuple[str, tuple[float, ...], str]]] = {
    "request": ("#0072B2", (), "request"),
    "response": ("#0072B2", (5.0, 2.5), "response"),
    "call": ("#D55E00", (), "call"),
    "answer": ("#D55E00", (5.0, 2.5), "answer"),
    "frame": ("#009E73", (1.5, 1.5), "frame of a WebSocket"),
}
_IN_MEMORY: Final = "#F0E442"
_SIGNS: Final = {
    "construct": ("triangle", 6.5, ""),
    "evict": ("square", 5.0, "#56B4E9"),
    "crash": ("cross", 8.0, "#D55E00"),
    "reset": ("diamond", 7.0, "#CC79A7"),
    "commit_failed": ("cross", 7.0, "#CC79A7"),
    "call": ("star", 8.0, "#E69F00"),
}


def spacetime(
    source: object,
    *,
    clocks: bool = False,
    requests: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    to_scale: bool = False,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A space-time diagram of a simulation or trace: the messages that left from start_us to end_us.

    At most 50 messages and 22 actors (10 with clocks): the first requests that fit whole; what is left out is told.
    requests: only these (numbers, or what `client.fetch()` returned) with the calls they caused. clocks: the vector
    clock of every event, a count for each column. to_scale: rows as far apart as their times. `width` is in inches.
    Raises TypeError for a source that is no trace and ValueError that names the argument and the fix.
    """
    plan = _plan(source, clocks, requests, start_us, end_us, to_scale, width, dark, title)
    if plan.empty:
        what = "space-time diagram"
        return empty_figure(plan.empty, width=width, dark=dark, title=title, what=what, theme=plan.theme)
    figure = new_figure(width, plan.height, dark=dark, what="space-time diagram")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(plan.height, 0)
    axes.set_axis_off()
    paint(axes, plan.strokes)
    figure.alt = plan.alt
    drawing: Figure = figure
    return drawing


def spacetime_svg(
    source: object,
    *,
    clocks: bool = False,
    requests: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    to_scale: bool = False,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> str:
    """The same diagram as SVG text, without matplotlib: light enough for live use; pointing at an arrow tells it.

    Arguments and what it raises are those of `spacetime`.
    """
    plan = _plan(source, clocks, requests, start_us, end_us, to_scale, width, dark, title)
    strokes = plan.strokes
    if plan.empty:
        strokes = [Words(width / 2, 0.5, plan.empty, 10, plan.theme.ink, "middle")]
    name = title or "Space-time diagram"
    return svg(strokes, width, plan.height, paper=plan.theme.paper, name=name, about=plan.alt)


def _plan(
    source: object,
    clocks: bool,
    requests: Iterable[object] | None,
    start_us: int | None,
    end_us: int | None,
    to_scale: bool,
    width: float,
    dark: bool,
    title: str,
) -> _Plan:
    trace = trace_of(source)
    check_look(width, "space-time diagram", 5, title=title, dark=dark, clocks=clocks, to_scale=to_scale)
    check_window(start_us, end_us)
    diagram = read_diagram(trace, requests=requests, start_us=start_us, end_us=end_us, clocks=clocks)
    plan = _Plan(diagram, width, theme_of(dark), clocks=clocks, to_scale=to_scale, window=(start_us, end_us))
    missing = kept_note(trace)
    if not diagram.arrows:
        plan.empty = f"{_why_empty(trace, start_us, end_us)} {missing}".strip()
        plan.alt = f"{title}: {plan.empty}" if title else plan.empty
        return plan
    plan.draw(title, missing)
    return plan


def _why_empty(trace: Trace, start_us: int | None, end_us: int | None) -> str:
    if not len(trace):
        return EMPTY
    if start_us is None and end_us is None:
        return "Nobody sent anybody a message in this trace."
    return "No message left in this stretch of time."


class _Plan:
    """The diagram in inches: where columns and rows are, and every stroke, from the ground to the top."""

    def __init__(
        self,
        diagram: Diagram,
        width: float,
        theme: Theme,
        *,
        clocks: bool,
        to_scale: bool,
        window: tuple[int | None, int | None],
    ) -> None:
        self.diagram = diagram
        self.width = width
        self.theme = theme
        self.clocks = clocks
        self.most_actors = MOST_CLOCKED if clocks else MOST_ACTORS
        self.strokes: list[Stroke] = []
        self.taken: list[Box] = []
        self.unnamed = 0
        self._pen = 0.0, 0.0
        self.empty = self.alt = ""
        self.height = 1.0
        self.top = 0.0
        self._to_scale = to_scale
        self._window = window
        count = max(1, len(diagram.actors))
        clock_in = _CLOCK_LETTER_IN * (2.4 * count + 2) if clocks else 0.0
        self.left = self._left_in()
        left = self.left + clock_in
        right = max(_RIGHT_IN, clock_in + 0.2)
        self._space(left, right, count)
        if self._slants:
            self._space(left, max(right, self._leaning_in()), count)
        self.ys: list[float] = []

    def draw(self, title: str, missing: str) -> None:
        diagram = self.diagram
        names = self._names_of_columns()
        head_in = self._legend((_TITLE_IN if title else 0.06) + 0.12) + 0.18
        slanted = max((0.045 * len(line) for lines in names for line, _ in lines), default=0.0) + 0.1
        self.top = head_in + (slanted if self._slants else 0.14 * max(map(len, names))) + 0.16
        self.ys = self._rows(self.top + 0.14)
        under_way = any(arrow.end_row is None and not arrow.message.lost for arrow in diagram.arrows)
        bottom = self.ys[-1] + (0.6 if under_way else 0.22)
        if title:
            self.strokes.append(Words(0.12, 0.2, title, 12, self.theme.ink, bold=True))
        self._columns(names, head_in, bottom)
        self._times()
        for dot in diagram.dots:
            self._clock(dot)
        for arrow in diagram.arrows:
            self._arrow(arrow, bottom)
        self._labels(bottom)
        for dot in diagram.dots:
            self._dot(dot)
        notes = wrapped(self._notes(missing), self.width)
        at = bottom + 0.12
        self.strokes += [Words(0.12, at + NOTE_IN * nth, note, 7.5, self.theme.ink) for nth, note in enumerate(notes)]
        self.height = bottom + 0.1 + NOTE_IN * len(notes)
        self.alt = self._words(title, missing)

    # -- where

    def _space(self, left: float, right: float, count: int) -> None:
        """So many columns between two margins."""
        self.apart = (self.width - left - right) / max(1, count - 1)
        self.xs = [left + self.apart * number for number in range(count)] if count > 1 else [self.width / 2]

    def _leaning_in(self) -> float:
        """How far slanted names reach out to the right of the last column."""
        names = [cut(actor, _MOST_SLANTED) for actor in reversed(self.diagram.actors)]
        return max(_LEANING_LETTER_IN * len(name) + 0.1 - self.apart * back for back, name in enumerate(names))

    def _left_in(self) -> float:
        """Where the columns begin: right of every time, and of every long wait that is told."""
        waits = [] if self._to_scale else [_later(after - before) for before, after in self._long_waits()]
        return max(_LEFT_IN, _TIMES_IN + _WAIT_LETTER_IN * max(map(len, waits), default=0))

    def _long_waits(self) -> list[tuple[int, int]]:
        """The rows' times before and after each stretch without events that is told across the picture."""
        long_us = self._long_us()
        return [(before, after) for before, after in pairwise(self.diagram.rows) if after - before >= long_us]

    def _rows(self, top: float) -> list[float]:
        rows = self.diagram.rows
        if not self._to_scale:
            extra, ys = 0.0, []
            long_us = self._long_us()
            for number in range(len(rows)):
                if number and rows[number] - rows[number - 1] >= long_us:
                    extra += _ROW_IN * 0.9
                ys.append(top + _ROW_IN * number + extra)
            return ys
        first_us = rows[0] if self._window[0] is None else self._window[0]
        last_us = rows[-1] if self._window[1] is None else max(self._window[1], rows[-1])
        high = max(_SCALED_IN[0], min(_SCALED_IN[1], _ROW_IN * len(rows)))
        return [top + high * (t_us - first_us) / max(1, last_us - first_us) for t_us in rows]

    def _long_us(self) -> int:
        """How long nothing must happen for the picture to say so."""
        rows = self.diagram.rows
        gaps = sorted(after - before for before, after in pairwise(rows) if after > before)
        middle = gaps[len(gaps) // 2] if gaps else 0
        return max(_LONG_US, middle * _LONG_TIMES)

    def _y_at(self, t_us: int) -> float:
        """Where a moment is, between the rows around it."""
        rows = self.diagram.rows
        if t_us <= rows[0]:
            return self.ys[0]
        if t_us >= rows[-1]:
            return self.ys[-1] + (0.12 if t_us > rows[-1] else 0.0)
        left = bisect_right(rows, t_us) - 1
        if rows[left] == t_us:
            return self.ys[bisect_left(rows, t_us)]
        share = (t_us - rows[left]) / (rows[left + 1] - rows[left])
        return self.ys[left] + share * (self.ys[left + 1] - self.ys[left])

    # -- the ground

    @property
    def _slants(self) -> bool:
        if len(self.xs) < 2:
            return False
        words = (word for actor in self.diagram.actors for word in _breakable(actor).split())
        return self.apart < _SLANTED_IN or max(map(len, words)) * _NAME_IN > self.apart - 0.04

    def _names_of_columns(self) -> list[list[tuple[str, bool]]]:
        """Lines of each column's head: the actor's name, and its place in plain letters."""
        room = max(6, int((self.apart - 0.08) / _NAME_IN))
        found = []
        for actor, place in zip(self.diagram.actors, self.diagram.places, strict=True):
            if self._slants:
                found.append([(cut(actor, _MOST_SLANTED), True)])
                continue
            lines = textwrap.wrap(_breakable(actor), room + 1)[:3] if len(actor) > room else [actor]
            head = [(line.replace("( ", "(").replace("@ ", "@"), True) for line in lines]
            life = self.diagram.lives.get(actor)
            where = life.place if life is not None and life.place else place
            found.append([*head, (f"in {where}", False)] if where and where not in actor else head)
        return found

    def _columns(self, names: Sequence[list[tuple[str, bool]]], top: float, bottom: float) -> None:
        for actor, lines, x in zip(self.diagram.actors, names, self.xs, strict=True):
            if self._slants:
                y = self.top - 0.07
                self.strokes.append(
                    Words(x - 0.02, y, lines[0][0], 7.4, self.theme.ink, bold=True, about=actor, turn=40)
                )
            else:
                self._head(actor, lines, x, top + 0.14 * (max(map(len, names)) - len(lines)))
            self._memory(actor, x, bottom)
            self.strokes.append(Line(x, self.top, x, bottom, self.theme.ink, 0.8, opacity=0.55))

    def _head(self, actor: str, lines: Sequence[tuple[str, bool]], x: float, top: float) -> None:
        """A column's name in level lines."""
        for line, (text, bold) in enumerate(lines):
            y, size = top + 0.1 + 0.14 * line, 8.2 if bold else 7.2
            self.strokes.append(Words(x, y, text, size, self.theme.ink, "middle", bold, about=actor))

    def _memory(self, actor: str, x: float, bottom: float) -> None:
        """A band along an object's line while it is in memory."""
        life = self.diagram.lives.get(actor)
        if life is None:
            return
        first_us, last_us = self.diagram.rows[0], self.diagram.rows[-1]
        bands: list[tuple[float, float]] = []
        for part in life.stretches:
            if not part.in_memory or part.end_us < first_us or part.start_us > last_us:
                continue
            y0 = self.top if part.start_us < first_us else self._y_at(part.start_us)
            y1 = bottom if part.end_us > last_us or part is life.stretches[-1] else self._y_at(part.end_us)
            if bands and abs(bands[-1][1] - y0) < 1e-9:
                bands[-1] = bands[-1][0], y1
            else:
                bands.append((y0, y1))
        self.strokes += [Block(x - 0.05, y0, 0.1, y1 - y0, _IN_MEMORY, f"{actor} is in memory") for y0, y1 in bands]

    def _times(self) -> None:
        """When each row is, seconds, where there is room; and how long nothing happened."""
        self.strokes.append(Words(self.left - _TIMES_IN, self.top - 0.08, "seconds", 6.8, self.theme.ink, "end"))
        told_y, told_us = -1.0, None
        long_us = self._long_us()
        before: tuple[float, int] | None = None
        for y, t_us in zip(self.ys, self.diagram.rows, strict=True):
            if before is not None and t_us - before[1] >= long_us and not self._to_scale:
                middle = (before[0] + y) / 2
                right = self.xs[-1] + 0.3
                self.strokes.append(
                    Line(self.left - 0.35, middle, right, middle, self.theme.ink, 0.7, (1.0, 3.0), opacity=0.6)
                )
                text = _later(t_us - before[1])
                self.strokes.append(Words(self.left - _TIMES_IN, middle, text, 6.8, self.theme.ink, "end", bold=True))
            if t_us != told_us and y - told_y >= 0.13:
                text = f"{t_us / SECOND_US:.6f}"
                self.strokes.append(Words(self.left - _TIMES_IN, y, text, 6.8, self.theme.ink, "end"))
                told_y, told_us = y, t_us
            before = y, t_us

    # -- messages

    def _ends(self, arrow: Arrow, bottom: float) -> tuple[float, float, float, float]:
        """From where to where an arrow is drawn: of a lost one half of the way, of one under way to the foot."""
        x0, y0 = self.xs[arrow.column], self.ys[arrow.row]
        aim = arrow.end_column if arrow.end_column < len(self.xs) else arrow.column
        x1 = self.xs[aim] if aim != arrow.column else x0 + min(0.4, self.apart / 2)
        if arrow.end_row is not None:
            return x0, y0, x1, self.ys[arrow.end_row]
        if arrow.message.lost:
            return x0, y0, x0 + 0.55 * (x1 - x0), y0 + 0.75 * _ROW_IN
        return x0, y0, x0 + 0.75 * (x1 - x0), bottom - 0.03

    def _arrow(self, arrow: Arrow, bottom: float) -> None:
        message = arrow.message
        colour, dash = on(self.theme, INKS[message.kind][0]), INKS[message.kind][1]
        x0, y0, x1, y1 = self._ends(arrow, bottom)
        about = self._told(arrow)
        came = arrow.end_row is not None
        if arrow.column == arrow.end_column and came:  # a message to itself: out and back
            out = x0 + min(0.3, self.apart / 3)
            middle = (y0 + y1) / 2
            self.strokes.append(Line(x0, y0, out, middle, colour, 1.3, dash, about=about))
            self.strokes.append(Line(out, middle, x0, y1, colour, 1.3, dash, head=True, about=about))
            return
        long = hypot(x1 - x0, y1 - y0) or 1.0
        short = 0.04 / long if came else 0.0  # the tip touches the dot and does not cover it
        tip_x, tip_y = x1 - short * (x1 - x0), y1 - short * (y1 - y0)
        self.strokes.append(Line(x0, y0, tip_x, tip_y, colour, 1.3, dash, head=not message.lost, about=about))
        if message.lost:
            self.strokes.append(Sign(x1, y1, "cross", 9.0, self.theme.ink, self.theme.paper, about))
            self.taken.append(Box(x1 - 0.08, y1 - 0.08, x1 + 0.08, y1 + 0.08))

    def _labels(self, bottom: float) -> None:
        """What each message says, on its arrow, where no other text stands."""
        for arrow in self.diagram.arrows:
            x0, y0, x1, y1 = self._ends(arrow, bottom)
            if arrow.column == arrow.end_column and arrow.end_row is not None:
                x0 = x1 = x0 + min(0.3, self.apart / 3) + 0.1
            message = arrow.message
            text = _label(arrow)
            wide = len(text) * _LETTER_IN + 0.06
            box = self._free(x0, y0, x1, y1, wide)
            if box is None and message.lost:
                box = self._free(x1, y1 + 0.15, x1, y1 + 0.15, wide)  # below the cross
            if box is None:
                self.unnamed += 1
                continue
            self.taken.append(box)
            x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
            about = self._told(arrow)
            bold = message.failed or bool(message.lost)
            self.strokes.append(Words(x, y, text, 7.0, self.theme.ink, "middle", bold, self.theme.paper, about))

    def _free(self, x0: float, y0: float, x1: float, y1: float, wide: float) -> Box | None:
        """A free box on the way, if possible off the columns' lines; None if there is none."""
        best, least = None, 1e9
        dots = [(self.xs[dot.column], self.ys[dot.row]) for dot in self.diagram.dots]
        for number, along in enumerate(_ALONG):
            x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
            box = Box(x - wide / 2, y - 0.065, x + wide / 2, y + 0.065)
            if box.left < 0.05 or box.right > self.width - 0.03 or any(box.overlap(other) > 0 for other in self.taken):
                continue
            cost = number * 0.2 + sum(1.5 for at in self.xs if box.left - 0.02 < at < box.right + 0.02)
            cost += sum(2.0 for at in dots if box.holds(*at))
            if cost < least:
                best, least = box, cost
        return best

    # -- events

    def _dot(self, dot: Dot) -> None:
        x, y = self.xs[dot.column], self.ys[dot.row]
        about = f"{dot.event.host} {dot.event.text}, at {dot.event.t_us / SECOND_US:.6f} s"
        if dot.clock:
            about += f", clock {_clock_text(dot.clock)}"
        shape, size, colour = ("dot", 5.0, "") if dot.event.side else _SIGNS.get(dot.event.kind, ("square", 4.6, ""))
        edge = self.theme.ink if colour else self.theme.paper
        self.strokes.append(Sign(x, y, shape, size, colour or self.theme.ink, edge, about))
        if not dot.event.side and not self.clocks:
            self._remark(x, y, dot)

    def _remark(self, x: float, y: float, dot: Dot) -> None:
        """What happened inside an actor, beside its line, if there is room."""
        text = cut("is reset" if dot.event.kind == "reset" else dot.event.text, 24)
        wide = len(text) * 0.05 + 0.06
        for left in (x + 0.09, x - 0.09 - wide):
            box = Box(left, y - 0.06, left + wide, y + 0.06)
            if box.right < self.width - 0.02 and not any(box.overlap(other) > 0 for other in self.taken):
                self.taken.append(box)
                anchor, at = ("start", box.left) if left > x else ("end", box.right)
                self.strokes.append(Words(at, y, text, 6.4, self.theme.ink, anchor, paper=self.theme.paper))
                return

    def _clock(self, dot: Dot) -> None:
        """An event's clock, on the side to which no arrow of it goes."""
        if not dot.clock:
            return
        x, y = self.xs[dot.column], self.ys[dot.row]
        text = _clock_text(dot.clock)
        wide = len(text) * _CLOCK_LETTER_IN + 0.04
        left = self._goes_right(dot) and x - 0.09 - wide > self.left - 0.4
        begin = x - 0.09 - wide if left else x + 0.09
        box = Box(begin, y - 0.06, begin + wide, y + 0.06)
        self.taken.append(box)
        anchor, at = ("end", box.right) if left else ("start", box.left)
        self.strokes.append(Words(at, y - 0.01, text, 6.2, self.theme.ink, anchor, paper=self.theme.paper))

    def _goes_right(self, dot: Dot) -> bool:
        message = dot.event.message
        if message is None:
            return False
        other = message.target if dot.event.side == "send" else message.source
        actors = self.diagram.actors
        return other not in actors or actors.index(other) > dot.column

    # -- words

    def _legend(self, y: float) -> float:
        """Entries for what is in the picture, in as many rows as they take; returns where the last row is."""
        self._pen = 0.14, y
        ink, paper = self.theme.ink, self.theme.paper
        arrows, dots = self.diagram.arrows, self.diagram.dots
        kinds = {arrow.message.kind for arrow in arrows}
        for kind, (colour, dash, words) in INKS.items():
            if kind in kinds:
                x, y = self._entry(0.42, words)
                self.strokes.append(Line(x, y, x + 0.36, y, on(self.theme, colour), 1.5, dash, head=True))
        if any(arrow.message.lost for arrow in arrows):
            x, y = self._entry(0.2, "lost on its way")
            self.strokes.append(Sign(x + 0.08, y, "cross", 9.0, ink, paper))
        if any(arrow.end_row is None and not arrow.message.lost for arrow in arrows):
            self._entry(0.0, "to the foot: under way when the trace ends")
        if self.diagram.lives:
            x, y = self._entry(0.18, "in memory")
            self.strokes.append(Block(x + 0.03, y - 0.06, 0.1, 0.12, _IN_MEMORY))
        inside = {dot.event.kind for dot in dots if not dot.event.side}
        for kind, words in _INSIDE.items():
            if kind in inside:
                shape, size, colour = _SIGNS[kind]
                x, y = self._entry(0.17, words)
                self.strokes.append(Sign(x + 0.06, y, shape, size, colour or ink, ink if colour else paper))
        return self._pen[1]

    def _entry(self, sign_in: float, words: str) -> tuple[float, float]:
        """A legend's words behind room for their sign, in a new row if this one is full; returns where the sign is."""
        x, y = self._pen
        wide = sign_in + len(words) * 0.062 + 0.2
        if x > 0.2 and x + wide > self.width:
            x, y = 0.14, y + _LEGEND_ROW_IN
        self.strokes.append(Words(x + sign_in, y, words, 7.8, self.theme.ink))
        self._pen = x + wide, y
        return x, y

    def _told(self, arrow: Arrow) -> str:
        message = arrow.message
        way = f"{message.kind} {message.label}, from {message.source} to {message.target}"
        if message.lost:
            return f"{way}: lost, {message.lost}"
        if arrow.end_row is None:
            return f"{way}: under way when the trace ends"
        return f"{way}, {stretch(message.end_us - message.start_us)}"

    def _notes(self, missing: str) -> list[str]:
        diagram = self.diagram
        notes = [missing]
        if not self._to_scale:
            notes.append("Time runs down; each moment has its row, so distances are not to scale.")
        if diagram.left_out:
            drawn = counted(len(diagram.arrows), "message")
            with_them = f", with {counted(diagram.actors_left_out, 'more actor')}" if diagram.actors_left_out else ""
            notes.append(
                f"{drawn} drawn, at most {MOST_MESSAGES} of {self.most_actors} actors;"
                f" {diagram.left_out:,} left out{with_them}. Choose with requests=, start and end."
            )
        if diagram.others:
            notes.append(f"Of other events the first {MOST_EVENTS} are drawn; left out: {diagram.others:,} more.")
        if self.unnamed:
            notes.append(f"{counted(self.unnamed, 'label')} had no room.")
        if self.clocks:
            notes.append("Vector clocks: one count for each column, from left to right.")
        return notes

    def _words(self, title: str, missing: str) -> str:
        """The picture in words: every message in order."""
        diagram = self.diagram
        lines = [f"{title or 'Space-time diagram'}: {counted(len(diagram.arrows), 'message')} between"]
        lines[0] += f" {counted(len(diagram.actors), 'actor')}."
        lines += [f"{arrow.message.start_us / SECOND_US:.6f} s: {self._told(arrow)}." for arrow in diagram.arrows]
        if diagram.left_out:
            lines.append(f"{counted(diagram.left_out, 'more message')} left out.")
        return "\n".join([*lines, missing] if missing else lines)


_INSIDE: Final = {
    "construct": "starts",
    "evict": "leaves memory",
    "call": "event begins",
    "crash": "crash",
    "reset": "reset",
}


def _label(arrow: Arrow) -> str:
    """What an arrow says of itself."""
    message = arrow.message
    label = cut(message.label, 28)
    if message.kind == "answer":
        label = "error" if message.failed else "answer"
    elif message.kind == "response" and arrow.end_row is None:
        label = "response"  # nobody knows its status
    return f"{label} (lost)" if message.lost else label


def _later(us: int) -> str:
    """A long wait in words."""
    return f"{rounded(us)} later"


def _breakable(actor: str) -> str:
    """An actor's name with spaces where it may be broken into lines."""
    return actor.replace("(", "( ", 1).replace("@", "@ ", 1)


def _clock_text(clock: Sequence[int]) -> str:
    return f"({','.join(map(str, clock))})"
