"""`timeline_svg`: the timeline as light SVG, for pictures that are redrawn while somebody moves a slider.

The same lanes, words and looks as the figure that `dosim.views.timelines` draws. Whoever points at a bar reads what it
is. An earlier run, the `ghost`, is a dashed line below each request, from when it was sent to when it was answered.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dosim.trace.words import cut
from dosim.views.figures import checked_requests, trace_of
from dosim.views.frames import check_window
from dosim.views.lanes import Bar, Lane, Lanes, read_lanes
from dosim.views.scales import kept_note, time_ticks
from dosim.views.style import LOOKS, MARKS
from dosim.views.svg import (
    BOTTOM,
    EDGE,
    LANE,
    LETTER,
    TOP,
    Entry,
    Sheet,
    check_tall,
    filled,
    patterns,
    plain_fill,
    said,
    shape,
    tag_of,
)
from dosim.views.tellings import bar_texts, inside_told, lanes_told, left_out, moment, request_told, whole_told

#: Pixels: a lane, a row of the legend, a line of notes, and what a mark of the legend takes with the gap after it.
_LANE: Final = 20
_ROW: Final = 17
_NOTE: Final = 15
_MARK: Final = 40
#: Room for so many lanes is there even where there are fewer.
_LEAST: Final = 3
#: A lane's label takes at most this share of the width.
_LABEL: Final = 0.34
#: Pixels: a bar that is not wider is drawn without hatch; bars closer than the second and alike are drawn as one.
_NARROW: Final = 3.0
_SAME: Final = 0.5
#: Sizes of a bar's text, pixels: the largest that fits; and how wide a letter is, as a share of it.
_SIZES: Final = (10, 9, 8)
_WIDE: Final = 0.57
_SENT, _ANSWERED, _FAILED = Entry(">", "", "request sent"), Entry("o", "", "answer received"), Entry("X", "", "failed")
_OBJECT: Final = Entry("area", LANE, "grey lane: who is inside an object")
_GHOST: Final = Entry("ghost", "", "pinned run")
#: The heading where there is nothing to draw.
_NONE: Final = "No request to show"

Rows = Sequence[tuple[Lane, Lane | None]]


def timeline_svg(
    source: object,
    *,
    requests: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: int = 880,
    dark: bool | None = None,
    title: str = "",
    ghost: object = None,
) -> str:
    """An SVG of these requests (numbers, or what `client.fetch()` returned), or of the first 60 from outside.

    source: a simulation, a trace, or what `read_lanes` returned. The stretch to show is in microseconds from the
    simulation's start; unless told, it ends with the last answer of both runs. `width` is in pixels; `dark` None: as
    the page that shows it. `ghost`: an earlier run, whose requests are set beside these in their order. Raises
    ValueError or TypeError that name the argument and the fix.
    """
    check_tall(width, dark, title)
    check_window(start_us, end_us)
    window_us = (start_us, end_us)
    chosen = checked_requests(requests)
    drawn, note = _lanes(source, chosen, window_us)
    pinned = None if ghost is None else _pinned(ghost, chosen)
    span_us = _span(drawn, pinned, window_us)
    rows = _rows(drawn, pinned)
    heading = title or (whole_told(drawn).rstrip(".") if rows else _NONE)
    about = [lanes_told(drawn, title=title, claim=note), *([_pinned_told(pinned)] if pinned is not None else [])]
    more = left_out(drawn)
    tag = tag_of(drawn, pinned, span_us, heading, width, dark)
    sheet = _LaneSheet(
        f"{heading} ({more})" if more else heading,
        "\n".join(about),
        rows=rows,
        legend=_legend(drawn, pinned, tag),
        note=note,
        span_us=span_us,
        width=width,
        dark=dark,
        tag=tag,
    )
    return str(sheet)


def _lanes(
    source: object, requests: tuple[object, ...] | None, window_us: tuple[int | None, int | None]
) -> tuple[Lanes, str]:
    """The lanes, and what the trace lacks."""
    if isinstance(source, Lanes):
        if requests is not None:
            raise ValueError("requests: these lanes were read already. Give the trace, or requests to read_lanes().")
        return source, ""
    trace = trace_of(source)
    note = kept_note(trace)
    return read_lanes(trace, requests, None, window_us), note


def _pinned(ghost: object, requests: tuple[object, ...] | None) -> Lanes:
    """The lanes of the earlier run: of chosen requests those with the same numbers, as far as it has them."""
    if isinstance(ghost, Lanes) or requests is None:
        return _lanes(ghost, None, (None, None))[0]
    there = {raw[1] for raw in trace_of(ghost).raw}
    same = [getattr(request, "request", request) for request in requests]
    return _lanes(ghost, tuple(number for number in same if number in there), (None, None))[0]


def _span(drawn: Lanes, pinned: Lanes | None, window_us: tuple[int | None, int | None]) -> tuple[float, float]:
    """The first and the last moment of the axis: those of both runs unless told, with a margin."""
    runs = [run for run in (drawn, pinned) if run is not None]
    first = min(run.span_us[0] for run in runs) if window_us[0] is None else window_us[0]
    last = max(first, max(run.ends_us for run in runs) if window_us[1] is None else window_us[1])
    margin = (last - first) * 0.012 or 1000
    return first - margin, last + margin


def _rows(drawn: Lanes, pinned: Lanes | None) -> Rows:
    """Each lane with the pinned one in its place; of requests that only the pinned run had, an empty lane."""
    mine, theirs = drawn.requests, () if pinned is None else pinned.requests
    rows: list[tuple[Lane, Lane | None]] = [
        (lane, theirs[at] if at < len(theirs) else None) for at, lane in enumerate(mine)
    ]
    rows += [(Lane("request", lane.label, ()), lane) for lane in theirs[len(mine) :]]
    return [*rows, *((lane, None) for lane in drawn.objects)]


def _pinned_told(pinned: Lanes) -> str:
    """When each request of the pinned run was answered."""
    told = [
        f"{lane.label} "
        + ("without an answer" if lane.answered_us is None else f"answered at {moment(lane.answered_us)}")
        for lane in pinned.requests
    ]
    return f"The pinned run: {', '.join(told) or 'no requests'}."


# -- legend


def _legend(drawn: Lanes, pinned: Lanes | None, tag: str) -> list[Entry]:
    """An entry for every look in use."""
    runs = [drawn, *([pinned] if pinned is not None else [])]
    entries = [_SENT, _ANSWERED] if any(run.requests for run in runs) else []
    if any(lane.failed for lane in drawn.requests):
        entries.append(_FAILED)
    for name, look in LOOKS.items():
        if name in drawn.looks:
            mark = {"closed": "line", "visit": "|"}.get(name, "area")
            colour = {"closed": "", "visit": look.colour}.get(name, filled(name, tag))
            entries.append(Entry(mark, colour, look.words))
    entries += [Entry(MARKS[name].marker, MARKS[name].colour, MARKS[name].words) for name in drawn.marks]
    return [*entries, *([_OBJECT] if drawn.objects else []), *([_GHOST] if pinned is not None else [])]


def _in_rows(entries: Sequence[Entry], width: int) -> list[list[tuple[float, Entry]]]:
    """Entries with their places, in as many rows as a width needs."""
    rows: list[list[tuple[float, Entry]]] = []
    x = float(width)
    for entry in entries:
        wide = _MARK + len(entry.words) * LETTER
        if x + wide - 14 > width - EDGE:
            rows.append([])
            x = EDGE
        rows[-1].append((x, entry))
        x += wide
    return rows


# -- drawing


class _LaneSheet(Sheet):
    """Lanes below one another, each with its label; notes and legend above them."""

    def __init__(
        self,
        heading: str,
        about: str,
        *,
        rows: Rows,
        legend: Sequence[Entry],
        note: str,
        span_us: tuple[float, float],
        width: int,
        dark: bool | None,
        tag: str,
    ) -> None:
        self._rows, self._tag, self._span = rows, tag, span_us
        self._notes = textwrap.wrap(note, max(20, int((width - 2 * EDGE) / LETTER)))
        self._entries = _in_rows(legend, width)
        most = int(width * _LABEL / LETTER)
        head = _NOTE * len(self._notes) + _ROW * len(self._entries) + 4
        room = max(len(rows), _LEAST)
        super().__init__(
            heading,
            about,
            x=span_us,
            y=(room, 0),
            x_ticks=time_ticks(*span_us, most=max(3, width // 110)) if rows else [],
            y_ticks=[(at + 0.5, cut(lane.label, most)) for at, (lane, _) in enumerate(rows)],
            width=width,
            height=TOP + head + _LANE * room + BOTTOM,
            dark=dark,
            head=head,
        )
        self._parts.insert(0, patterns(dict.fromkeys(bar.look for lane, _ in rows for bar in lane.bars), tag))
        self._draw()

    def _grid(self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]) -> None:
        """Grey grounds and bold labels of objects, then the ticks of time."""
        put = self._parts.append
        wide = self.right - self.left
        for (lane, _), (at, words) in zip(self._rows, y_ticks, strict=True):
            y = self._y(at)
            if lane.kind == "object":
                place = f'x="{self.left:.1f}" y="{y - _LANE / 2:.1f}" width="{wide:.1f}" height="{_LANE}"'
                put(f'<rect {place} fill="{LANE}"/>')
            bold = ' class="k"' if lane.kind == "object" else ""
            put(f'<text{bold} x="{self.left - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{said(words)}</text>')
        super()._grid(x_ticks, ())

    def _legend(self, legend: Sequence[Entry]) -> None:
        """Notes, and the legend in rows, above the axes."""
        for number, line in enumerate(self._notes):
            self._parts.append(f'<text x="{EDGE}" y="{TOP + 4 + _NOTE * number}">{said(line)}</text>')
        for number, row in enumerate(self._entries):
            for x, entry in row:
                self._entry(entry, x, TOP + 2 + _NOTE * len(self._notes) + _ROW * number)

    def _draw(self) -> None:
        bars: list[str] = []
        texts: list[str] = []
        marks: list[str] = []
        for at, (lane, pinned) in enumerate(self._rows):
            y = self._y(at + 0.5)
            for bar in self._thinned(lane.bars):
                self._bar(lane, bar, y, bars, texts)
            marks += self._marks(lane, y)
            if pinned is not None:
                bars += self._ghost(pinned, y)
        self._parts += [*bars, *texts, *marks]

    def _inside(self, at_us: float) -> bool:
        return self._span[0] <= at_us <= self._span[1]

    def _thinned(self, bars: Iterable[Bar]) -> Iterator[Bar]:
        """The bars within the axis, without those that hide in one that looks the same."""
        reached: dict[str, float] = {}
        for bar in bars:
            if bar.end_us < self._span[0] or bar.start_us > self._span[1]:
                continue
            end = self._x(bar.end_us)
            if end - self._x(bar.start_us) > _SAME or end - reached.get(bar.look, -1.0) > _SAME:
                reached[bar.look] = end
                yield bar

    def _bar(self, lane: Lane, bar: Bar, y: float, bars: list[str], texts: list[str]) -> None:
        look = LOOKS[bar.look]
        told = inside_told(bar, 0) if lane.kind == "object" and bar.text else request_told(bar)
        title = f"<title>{said(f'{lane.label}: {told}')}</title>"
        if bar.look == "visit":
            place = f'd="M{self._x(bar.start_us):.1f} {y - 7:.1f}v14" stroke="{look.colour}" stroke-width="2.4"'
            bars.append(f"<path {place}>{title}</path>")
            return
        left, right = self._clipped_x(bar.start_us), self._clipped_x(bar.end_us)
        wide, high = max(right - left, 0.6), look.height * _LANE
        middle = y - 0.44 * _LANE if bar.look == "closed" else y
        fill = filled(bar.look, self._tag) if wide > _NARROW else plain_fill(bar.look)
        place = f'x="{left:.1f}" y="{middle - high / 2:.1f}" width="{wide:.1f}" height="{high:.1f}"'
        bars.append(f'<rect {place} fill="{fill}">{title}</rect>')
        if bar.look != "closed":
            texts += _text(bar_texts(lane, bar), left, right, y)

    def _marks(self, lane: Lane, y: float) -> list[str]:
        """Alarms and frames where they happen; a triangle where a request was sent, a dot or a cross at its end."""
        found = [
            (mark.at_us, MARKS[mark.look].place, Entry(MARKS[mark.look].marker, MARKS[mark.look].colour, ""))
            for mark in lane.marks
        ]
        if lane.sent_us is not None:
            found.append((lane.sent_us, 0.0, _SENT))
        if lane.answered_us is not None:
            found.append((lane.answered_us, 0.0, _FAILED if lane.failed else _ANSWERED))
        drawn = dict.fromkeys(
            shape(entry, self._x(at_us), y + place * _LANE) for at_us, place, entry in found if self._inside(at_us)
        )
        return [each.replace("<path ", '<path class="m" ', 1) for each in drawn]

    def _ghost(self, pinned: Lane, y: float) -> list[str]:
        """From when the pinned run's request was sent to when it was answered, or to the axis' end."""
        if pinned.sent_us is None:
            return []
        left = self._clipped_x(pinned.sent_us)
        right = self.right if pinned.answered_us is None else self._clipped_x(pinned.answered_us)
        ended = pinned.answered_us is not None and self._inside(pinned.answered_us)
        tick = f"M{right:.1f} {y - 9:.1f}v18" if ended else ""
        return [f'<path class="c gh" d="M{left:.1f} {y + 9:.1f}H{right:.1f}{tick}"/>']


def _text(texts: Sequence[str], left: float, right: float, y: float) -> list[str]:
    """The longest text that fits a bar, in the largest size that does, on a light plate; nothing where none fits."""
    for text in texts:
        for size in _SIZES:
            wide = len(text) * size * _WIDE
            if text and wide + 7 <= right - left:
                x = (left + right) / 2
                place = f'x="{x - wide / 2 - 2:.1f}" y="{y - size / 2 - 1.5:.1f}" width="{wide + 4:.1f}"'
                words = f'<text class="b" x="{x:.1f}" y="{y + size * 0.36:.1f}" text-anchor="middle"'
                plate = f'<rect {place} height="{size + 3}" rx="2" fill="#fff" opacity=".92"/>'
                return [plate, f'{words} style="font-size:{size}px">{said(text)}</text>']
    return []
