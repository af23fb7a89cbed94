"""`lives_svg`: the lives of objects as light SVG, for live use.

States are told apart without their colours: what the Figure hatches has dashes, bars or dots of paper here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
    Part,
    RoomsPlan,
    plan_rooms,
)
from dosim.views.scales import time_ticks
from dosim.views.stays import RANKS
from dosim.views.style import ON_BRIGHT
from dosim.views.svg import EDGE, INK, LETTER, PAPER, Page, check_tall, number
from dosim.views.svg_marks import (
    NOTE,
    PT_PX,
    PX,
    empty_page,
    legend,
    mark,
    noted,
    words,
    wrapped,
)

#: Pixels: left and right of the axis, above the legend, the line of deploys, the ticks below; a lane.
_LEFT, _RIGHT, _TOP, _DEPLOYS, _TICKS = 182, 24, 30, 16, 24
_LANE: Final = LANE_IN * PX
#: State -> the line of paper along a bar that tells it without colour: width and dashes in pixels, and how it ends.
TEXTURES: Final = {
    "starting": ((2.0, (4.0, 3.0), ""),),
    "held": ((21.0, (1.2, 4.3), ""), (2.0, (), "")),
    "hibernated": ((3.4, (0.1, 6.0), ' stroke-linecap="round"'),),
}


def lives_svg(
    source: object,
    *,
    objects: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: int = 640,
    dark: bool | None = None,
    title: str = "",
) -> str:
    """The lives of objects of a simulation or trace as SVG text, without matplotlib: see `dosim.views.lives`.

    `width` is in pixels. dark: None follows the page that shows it. Raises TypeError for a source that is no trace and
    ValueError that names the argument and the fix.
    """
    check_tall(width, dark, title)
    right = width - _RIGHT
    plan = plan_rooms(source, objects, start_us, end_us, (right - _LEFT) / PX, title)
    heading = title or "The lives of objects"
    if plan.empty:
        return empty_page(heading, plan.alt, plan.empty, width=width, dark=dark)
    entries = plan.legend()
    rows, legend_high = legend([text for _, text in entries], [_key(what) for what, _ in entries], width, _TOP)
    top = _TOP + legend_high + (_DEPLOYS if plan.deploys() else 4)
    foot = top + _LANE * len(plan.lanes)
    notes = wrapped(plan.notes, width)
    high = round(foot + _TICKS + NOTE * len(notes) + 8)
    page = Page(heading, plan.alt, width=width, height=high, dark=dark)
    axis = _Axis(plan.span, (_LEFT, right))
    for element in (*rows, axis.ticks(top, foot, width)):
        page.put(element)
    for at, lane in enumerate(plan.lanes):
        page.put(_Lane(axis, lane, top + _LANE * at).drawn(ruled=at > 0))
    page.put(_deploys(plan, axis, top, foot))
    page.put(noted(notes, foot + _TICKS))
    return str(page)


class _Axis:
    """Microseconds to pixels across."""

    def __init__(self, span: tuple[int, int], pixels: tuple[float, float]) -> None:
        self._first_us, self._left, self.right = span[0], pixels[0], pixels[1]
        self._span = span
        self._scale = (pixels[1] - pixels[0]) / (span[1] - span[0])

    def at(self, t_us: float) -> float:
        return self._left + (t_us - self._first_us) * self._scale

    def ticks(self, top: float, foot: float, width: float) -> str:
        found, free = [], -1.0
        for at_us, text in time_ticks(*self._span):
            x = self.at(at_us)
            found.append(f'<path class="g" d="M{number(x)} {number(top)}V{number(foot)}"/>')
            half = len(text) * LETTER / 2
            if x - half > free and x + half <= width:
                found.append(words(x, foot + 16, text, anchor="middle"))
                free = x + half + 4
        return "".join(found)


class _Lane:
    """An object's lane, `top` pixels down the picture."""

    def __init__(self, axis: _Axis, plan: LanePlan, top: float) -> None:
        self._axis, self._plan, self._top = axis, plan, top

    def drawn(self, *, ruled: bool) -> str:
        rule = f'<path class="g" d="M{EDGE} {number(self._top)}H{number(self._axis.right)}"/>' if ruled else ""
        parts = (rule, self._name(), self._states(), self._whiteboard(), self._drawers(), self._marks())
        return f"<g>{''.join(parts)}</g>"

    def _row(self, row: tuple[float, float]) -> tuple[float, float]:
        """The upper edge and the height of a row of the lane."""
        return self._top + row[0] * PX, row[1] * PX

    def _name(self) -> str:
        found = []
        for text, size_pt, bold, y in self._plan.name((_LEFT - EDGE - 70) / PX):
            weight = ' font-weight="600"' if bold else ""
            placed = words(EDGE, self._top + y * PX + 4, text)
            found.append(f'<g font-size="{number(size_pt * PT_PX)}"{weight}>{placed}</g>')
        rows = ((STATE, "state"), (BOARD, "whiteboard"), (DRAWERS, "drawers"))
        beside = (words(_LEFT - 6, self._row(row)[0] + row[1] * PX / 2 + 3, what, anchor="end") for row, what in rows)
        return f'{"".join(found)}<g font-size="9" opacity=".85">{"".join(beside)}</g>'

    def _boxes(self, parts: Iterable[Part], row: tuple[float, float]) -> str:
        """A path of one rectangle for each part."""
        y, high = self._row(row)
        found = []
        for start_us, end_us in parts:
            x, end = self._axis.at(start_us), self._axis.at(end_us)
            found.append(f"M{number(x)} {number(y)}h{end - x:.2f}v{number(high)}h{x - end:.2f}z")
        return "".join(found)

    def _lines(self, moments: Iterable[float], row: tuple[float, float], colour: str, wide: float) -> str:
        """A thin line across a row at each moment."""
        y, high = self._row(row)
        path = "".join(f"M{number(self._axis.at(at_us))} {number(y)}v{number(high)}" for at_us in moments)
        return f'<path d="{path}" stroke="{colour}" stroke-width="{wide}"/>' if path else ""

    def _texts(self, texts: Iterable[tuple[float, str]], row: tuple[float, float], colour: str, anchor: str) -> str:
        y, high = self._row(row)
        placed = (
            words(self._axis.at(at), y + high / 2 + 3.3, text, anchor=anchor, colour=colour) for at, text in texts
        )
        return f'<g font-size="9.2">{"".join(placed)}</g>'

    def _states(self) -> str:
        found = []
        for state in RANKS:  # the most awake on top
            parts = self._plan.parts(state)
            if not parts:
                continue
            if not STATES[state].colour:
                path = self._boxes(parts, (STATE[0] + 0.05, STATE[1] - 0.1))
                style = f'fill="none" stroke="{INK}" stroke-width=".9" stroke-dasharray="1 2" opacity=".6"'
                found.append(f'<path d="{path}" {style}/>')
                continue
            found.append(f'<path d="{self._boxes(parts, STATE)}" fill="{STATES[state].colour}"/>')
            y, high = self._row(STATE)
            wide = [part for part in parts if not self._plan.is_slim(part)]
            path = "".join(
                f"M{number(self._axis.at(start))} {number(y + high / 2)}H{number(self._axis.at(end))}"
                for start, end in wide
            )
            found.append(_textured(state, path, high))
        found.append(self._texts(self._plan.crowds(), STATE, "#fff", "middle"))
        found.append(self._lines(self._plan.visits(), STATE, INK, 1.1))
        return "".join(found)

    def _whiteboard(self) -> str:
        boards = self._boxes(self._plan.boards(), BOARD)
        drawn = f'<path d="{boards}" fill="{BOARD_COLOUR}" stroke="{ON_BRIGHT}" stroke-width=".7"/>' if boards else ""
        wiped = self._lines(self._plan.wiped(), (BOARD[0] - 0.015, BOARD[1] + 0.03), INK, 2.4)
        return drawn + wiped + self._texts(self._plan.numbers(), BOARD, ON_BRIGHT, "middle")

    def _drawers(self) -> str:
        part = self._plan.drawers()
        if part is None:
            return ""
        box = self._boxes([part], DRAWERS)
        drawn = f'<path d="{box}" fill="{DRAWERS_COLOUR}" stroke="{ON_BRIGHT}" stroke-width=".7"/>'
        writes = self._lines(self._plan.writes(), DRAWERS, ON_BRIGHT, 1.1)
        halo = f'<g paint-order="stroke" stroke="{DRAWERS_COLOUR}" stroke-width="4">'
        return f"{drawn}{writes}{halo}{self._texts(self._plan.sizes(), DRAWERS, ON_BRIGHT, '')}</g>"

    def _marks(self) -> str:
        found = []
        for what, (shape, colour, size_pt, _) in SIGNS.items():
            times, y = self._plan.marks(what)
            style = {"fill": colour or INK, "edge": INK, "wide": 0.9}
            found += [
                mark(shape, self._axis.at(t), self._top + y * PX, size_pt * PT_PX, **style)  # type: ignore[arg-type]
                for t in times
            ]
        return "".join(found)


def _textured(state: str, path: str, high: float) -> str:
    """Lines of paper along bars so many pixels high, for a state that has them."""
    found = []
    for wide, dashes, end in TEXTURES.get(state, ()) if path else ():
        dash = f' stroke-dasharray="{" ".join(map(number, dashes))}"' if dashes else ""
        found.append(f'<path d="{path}" stroke="{PAPER}" stroke-width="{min(wide, high):g}"{dash}{end}/>')
    return "".join(found)


def _deploys(plan: RoomsPlan, axis: _Axis, top: float, foot: float) -> str:
    found = []
    for at_us, is_labelled in plan.deploys():
        x = axis.at(at_us)
        path = f'd="M{number(x)} {number(top)}V{number(foot)}"'
        found.append(f'<path {path} stroke="{INK}" stroke-width="1.5" stroke-dasharray="6 3"/>')
        if is_labelled:
            found.append(words(x, top - 4, "deploy", anchor="middle"))
    return "".join(found)


def _key(what: str) -> str:
    """A mark of the legend."""
    if what in SIGNS:
        shape, colour, size_pt, _ = SIGNS[what]
        return mark(shape, 0, 0, min(size_pt, 9) * PT_PX, fill=colour or INK, edge=INK, wide=0.9)
    box = "M-10 -5h20v10h-20z"
    if what in STATES:
        colour = STATES[what].colour
        if not colour:
            return f'<path d="{box}" fill="none" stroke="{INK}" stroke-width=".9" stroke-dasharray="1 2"/>'
        return f'<path d="{box}" fill="{colour}"/>{_textured(what, "M-10 0H10", 10)}'
    fill = BOARD_COLOUR if what == "whiteboard" else DRAWERS_COLOUR
    return f'<path d="{box}" fill="{fill}" stroke="{ON_BRIGHT}" stroke-width=".7"/>'
