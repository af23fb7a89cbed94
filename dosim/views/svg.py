"""Light SVG charts, written by hand: for pictures that are redrawn while somebody moves a slider.

A `Page` is one picture with `role="img"`, a `<title>` that says what it shows, and a `<desc>` with the rest. Colours
follow the page that shows it (`prefers-color-scheme`, JupyterLab, Sphinx themes) unless `dark` says otherwise. A
`Sheet` is a page with one chart: axes, curves, marks, a legend on the right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from math import cos, isfinite, log10, pi, sin
from typing import Final
from zlib import crc32

from dosim.trace.words import cut
from dosim.views.figures import check_page, check_title
from dosim.views.frames import on
from dosim.views.style import DARK, LIGHT, LOOKS, ON_BRIGHT, Theme

#: The colour that is another on dark paper.
BLUE: Final = "#0072B2"
#: Characters that no XML may hold.
_FORBIDDEN: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
#: Pixels: a letter of the small type, and what surrounds the axes.
LETTER: Final = 6.1
TOP, BOTTOM, EDGE = 34, 26, 10
_GAP: Final = 12
#: Colours of the page, as a fill or a stroke.
INK, PAPER, LANE, FAINT = "var(--dosim-ink)", "var(--dosim-paper)", "var(--dosim-lane)", "var(--dosim-faint)"
_LEGEND_LINE: Final = 18
#: Pixels: a narrower or lower picture would hold nothing.
_LEAST: Final = 360
_LEAST_HEIGHT: Final = 120


def _variables(theme: Theme) -> str:
    return (
        f"--dosim-paper:{theme.paper};--dosim-ink:{theme.ink};--dosim-faint:{theme.faint};"
        f"--dosim-ghost:{'#8A8F98' if theme is DARK else '#8C8C8C'};--dosim-lane:{theme.object_lane};"
        f"--dosim-blue:{on(theme, BLUE)}"
    )


_ON_DARK_PAGE: Final = ",".join(
    f"{page} svg.dosim-auto"
    for page in ("body[data-jp-theme-light=false]", "html[data-theme=dark]", "html[theme=dark]", "body.vscode-dark")
)
_ON_LIGHT_PAGE: Final = ",".join(
    f"{page} svg.dosim-auto"
    for page in ("body[data-jp-theme-light=true]", "html[data-theme=light]", "html[theme=light]", "body.vscode-light")
)
#: Every chart brings the same rules, so that several on one page do not disturb one another.
STYLE: Final = (
    "<style>"
    f"svg.dosim-auto,svg.dosim-light{{{_variables(LIGHT)}}}svg.dosim-dark{{{_variables(DARK)}}}"
    f"@media(prefers-color-scheme:dark){{svg.dosim-auto{{{_variables(DARK)}}}}}"
    f"{_ON_LIGHT_PAGE}{{{_variables(LIGHT)}}}{_ON_DARK_PAGE}{{{_variables(DARK)}}}"
    ".dosim-chart{font:11px system-ui,sans-serif;background:var(--dosim-paper);max-width:100%;height:auto}"
    ".dosim-chart text{fill:var(--dosim-ink)}.dosim-chart .h{font-size:13px;font-weight:600}"
    ".dosim-chart .g{stroke:var(--dosim-faint);stroke-width:.7}"
    ".dosim-chart .c{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    ".dosim-chart .i{stroke:var(--dosim-ink)}.dosim-chart .gh{stroke:var(--dosim-ghost);stroke-dasharray:5 3}"
    f".dosim-chart .b{{fill:{ON_BRIGHT}}}.dosim-chart .k{{font-weight:600}}"
    ".dosim-chart .m{stroke:var(--dosim-paper);stroke-width:1.4;paint-order:stroke}"
    "</style>"
)
#: Marks by the names that matplotlib gives them, as paths around 0, 0.
_SHAPES: Final = {
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "s": "M-4 -4h8v8h-8z",
    "^": "M0 -5L4.8 4H-4.8z",
    "D": "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
    "v": "M0 4L4 -3.5H-4z",
    ">": "M3.5 0L-3 3.5V-3.5z",
    "X": "M-4 -2.2L-2.2 -4L0 -1.8L2.2 -4L4 -2.2L1.8 0L4 2.2L2.2 4L0 1.8L-2.2 4L-4 2.2L-1.8 0z",
    "*": "M0.0 -6.5L1.6 -2.2L6.2 -2.0L2.6 0.8L3.8 5.3L0.0 2.7L-3.8 5.3L-2.6 0.8L-6.2 -2.0L-1.6 -2.2z",
    "|": "M-1.2 -6h2.4v12h-2.4z",
}

#: The hatches of `LOOKS`, as strokes in a tile of 6 by 6 pixels.
_HATCHES: Final = {
    "--": "M0 1.5h6M0 4.5h6",
    "...": "M1 1.5h1.4M4 4.5h1.4",
    "xxx": "M0 0l6 6M6 0l-6 6",
    "///": "M-1 1l2 -2M0 6l6 -6M5 7l2 -2",
    "\\\\": "M-1 5l2 2M0 0l6 6M5 -1l2 2",
    "oo": "M1.2 3a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0",
    "||": "M1.5 0v6M4.5 0v6",
}

Points = Iterable[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the legend: a mark of `_SHAPES`, "line", "ghost", "area" or "" (words alone); its colour, words, dashes.

    Without a colour it is drawn in ink.
    """

    mark: str
    colour: str
    words: str
    dashes: tuple[float, ...] = ()


def said(text: str) -> str:
    """Text as SVG may hold it: escaped, with a replacement for characters that XML does not allow."""
    return escape(_FORBIDDEN.sub("\ufffd", text))


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel, short."""
    return f"{value:.1f}".removesuffix(".0")


def star(outer: float, inner: float) -> list[tuple[float, float]]:
    """The corners of a star with five points around 0, 0, y downwards; its radii."""
    sizes = [outer if turn % 2 == 0 else inner for turn in range(10)]
    return [(size * sin(pi * turn / 5), -size * cos(pi * turn / 5)) for turn, size in enumerate(sizes)]


class Page:
    """One picture, in pixels: its title, its words for those who cannot see it, and the elements put on it."""

    def __init__(self, title: str, about: str, *, width: int, height: int, dark: bool | None = None) -> None:
        check_page(dark)
        self.width, self.height = width, height
        self._title, self._about, self._dark = title, about, dark
        self._parts: list[str] = []

    def put(self, element: str) -> None:
        self._parts.append(element)

    def __str__(self) -> str:
        kind = {None: "dosim-auto", True: "dosim-dark", False: "dosim-light"}[self._dark]
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="dosim-chart {kind}" width="{self.width}"'
            f' height="{self.height}" viewBox="0 0 {self.width} {self.height}">'
            f"<title>{said(self._title)}</title><desc>{said(self._about)}</desc>{STYLE}"
            f'<rect width="100%" height="100%" fill="var(--dosim-paper)"/>'
            f'<text class="h" x="{EDGE}" y="20">{said(self._fitting(self._title))}</text>'
        )
        return head + "".join(self._parts) + "</svg>"

    def _fitting(self, text: str) -> str:
        return cut(text, int((self.width - 2 * EDGE) / 7.2))


class Sheet(Page):
    """One chart. Sizes are in pixels; `x` and `y` are the limits of the axes; ticks are (where, words).

    `head`: room between title and axes.
    """

    def __init__(
        self,
        title: str,
        about: str,
        *,
        x: tuple[float, float],
        y: tuple[float, float],
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
        legend: Sequence[Entry] = (),
        log: bool = False,
        width: int = 640,
        height: int = 230,
        dark: bool | None = None,
        head: int = 0,
    ) -> None:
        _check_size(width, height)
        super().__init__(title, about, width=width, height=height, dark=dark)
        words = max((len(words) for _, words in y_ticks), default=0)
        self.left = EDGE + words * LETTER + 4
        side = max((len(entry.words) for entry in legend), default=0)
        self.right = self.width - EDGE - (side * LETTER + 26 + _GAP if legend else 4)
        self.right = max(self.right, self.left + 80)
        self.top = TOP + head
        self.bottom = max(self.height - BOTTOM, self.top + 20)
        self._x = _scale(x, (self.left, self.right), log=log)
        self._y = _scale(y, (self.bottom, self.top), log=False)
        self._grid(x_ticks, y_ticks)
        self._legend(legend)

    def _grid(self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]) -> None:
        put = self._parts.append
        for at, words in y_ticks:
            y = self._y(at)
            put(f'<path class="g" d="M{self.left:.1f} {y:.1f}H{self.right:.1f}"/>')
            put(f'<text x="{self.left - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{said(words)}</text>')
        free = -1.0
        for at, words in x_ticks:
            x = self._x(at)
            put(f'<path class="g" d="M{x:.1f} {self.top}V{self.bottom}"/>')
            half = len(words) * LETTER / 2
            if x - half > free and x + half <= self.width:
                put(f'<text x="{x:.1f}" y="{self.bottom + 16}" text-anchor="middle">{said(words)}</text>')
                free = x + half + 4

    def _legend(self, legend: Sequence[Entry]) -> None:
        x = self.right + _GAP
        for number, entry in enumerate(legend):
            self._entry(entry, x, self.top + 6 + _LEGEND_LINE * number)

    def _entry(self, entry: Entry, x: float, y: float) -> None:
        put = self._parts.append
        if entry.mark in _SHAPES:
            put(shape(entry, x + 9, y))
        elif entry.mark == "area":
            edge = ' class="g"' if entry.colour == LANE else ""
            put(f'<path{edge} d="M{x:.1f} {y - 5:.1f}h18v10h-18z" fill="{entry.colour}"/>')
        elif entry.mark:
            put(f'<path {_stroke(entry)} d="M{x:.1f} {y:.1f}h18"/>')
        put(f'<text x="{x + (24 if entry.mark else 0):.1f}" y="{y + 4:.1f}">{said(entry.words)}</text>')

    def curve(self, points: Points, entry: Entry, *, steps: bool = False) -> None:
        """A line through points in order of x, or steps that hold until the next point. Nothing for no points."""
        path = self._path(points, steps=steps)
        if path:
            self._parts.append(f'<path {_stroke(entry)} d="{path}"/>')

    def area(self, points: Points, entry: Entry, *, steps: bool = True) -> None:
        """The area below such a line."""
        placed = list(points)
        path = self._path(placed, steps=steps)
        if path:
            first, last = (self._clipped_x(placed[at][0]) for at in (0, -1))
            closed = f"{path}L{last:.1f} {self.bottom:.1f}L{first:.1f} {self.bottom:.1f}z"
            self._parts.append(f'<path d="{closed}" fill="{entry.colour}"/>')

    def mark(self, x: float, y: float, entry: Entry) -> None:
        """A mark of the legend at a point, if it lies within the axes."""
        at = self._x(x)
        if self.left - 0.5 <= at <= self.right + 0.5:
            self._parts.append(shape(entry, at, self._y(y)))

    def level(self, y: float, entry: Entry) -> None:
        """A line across at one height, if it lies within the axes."""
        at = self._y(y)
        if self.top <= at <= self.bottom:
            self._parts.append(f'<path {_stroke(entry)} d="M{self.left:.1f} {at:.1f}H{self.right:.1f}"/>')

    def _clipped_x(self, x: float) -> float:
        return min(max(self._x(x), self.left), self.right)

    def _path(self, points: Points, *, steps: bool) -> str:
        path: list[str] = []
        x_of, y_of = self._x, self._y
        left, right, top = self.left, self.right, self.top
        for x, y in points:
            at = min(max(x_of(x), left), right)
            to = max(y_of(y), top)
            if not path:
                path.append(f"M{at:.1f} {to:.1f}")
            elif steps:
                path.append(f"H{at:.1f}V{to:.1f}")
            else:
                path.append(f"L{at:.1f} {to:.1f}")
        return "".join(path)


def check_chart(width: int, height: int, dark: bool | None, title: str) -> None:
    """Raise TypeError or ValueError, by name, for what a chart cannot be drawn with."""
    _check_size(width, height)
    check_title(title)
    check_page(dark)


def check_tall(width: int, dark: bool | None, title: str) -> None:
    """The same for a picture whose height follows from what it shows."""
    _check_number("width", width, _LEAST)
    if width < _LEAST:
        raise ValueError(f"width={width!r}: give at least {_LEAST} pixels.")
    check_title(title)
    check_page(dark)


def words_of(chart: str) -> str:
    """What a chart says of itself, in words: its `<desc>`; "" for HTML that has none."""
    found = re.search("<desc>(.*?)</desc>", chart, re.DOTALL)
    return unescape(found[1]) if found else ""


def _check_size(width: int, height: int) -> None:
    """Raise ValueError for a chart that would hold nothing, TypeError for what is no number of pixels."""
    _check_number("width", width, _LEAST)
    _check_number("height", height, _LEAST_HEIGHT)
    if width < _LEAST or height < _LEAST_HEIGHT:
        raise ValueError(f"width={width!r}, height={height!r}: give at least {_LEAST} by {_LEAST_HEIGHT} pixels.")


def _check_number(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise TypeError(f"{name}={value!r} is no number of pixels: give at least {least}.")


def shape(entry: Entry, x: float, y: float) -> str:
    """A mark around a point."""
    return f'<path d="{_SHAPES[entry.mark]}" transform="translate({x:.1f} {y:.1f})" fill="{entry.colour or INK}"/>'


def tag_of(*drawn: object) -> str:
    """A name for what a picture draws, for its patterns: several pictures may stand on one page."""
    return f"{crc32(repr(drawn).encode()):08x}"


def filled(look: str, tag: str) -> str:
    """The fill of a look of `LOOKS`: its colour, hatched where the look is, by the pattern of the picture `tag`."""
    return f"url(#{_pattern_id(look, tag)}) {plain_fill(look)}" if LOOKS[look].hatch else plain_fill(look)


def plain_fill(look: str) -> str:
    """The colour of a look; what is black on light paper is of ink."""
    colour = LOOKS[look].colour
    return INK if colour == "#000000" else colour


def patterns(looks: Iterable[str], tag: str) -> str:
    """The hatches of these looks, for a picture that is filled with them."""
    made = [
        f'<pattern id="{_pattern_id(look, tag)}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" fill="{plain_fill(look)}"/>'
        f'<path d="{_HATCHES[LOOKS[look].hatch]}" stroke="{PAPER}" fill="none"/></pattern>'
        for look in looks
        if LOOKS[look].hatch
    ]
    return f"<defs>{''.join(made)}</defs>" if made else ""


def _pattern_id(look: str, tag: str) -> str:
    return f"dosim-{tag}-{look.replace(' ', '-')}"


def _stroke(entry: Entry) -> str:
    if entry.mark == "ghost":
        return 'class="c gh"'
    dashes = f' stroke-dasharray="{" ".join(f"{each:g}" for each in entry.dashes)}"' if entry.dashes else ""
    return f'class="c" stroke="{entry.colour}"{dashes}' if entry.colour else f'class="c i"{dashes}'


def _scale(limits: tuple[float, float], pixels: tuple[float, float], *, log: bool) -> Callable[[float], float]:
    """Values to pixels."""
    low, high = limits
    start, length = pixels[0], pixels[1] - pixels[0]
    if log:
        first, size = log10(low), log10(high) - log10(low)
        return lambda value: start + length * ((log10(value) if value > low else first) - first) / size
    size = (high - low) or 1.0
    return lambda value: start + length * (value - low) / size
