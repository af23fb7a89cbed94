"""What SVGs of places and lives share: marks, a legend in rows, notes, and a picture that says why it is empty."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from dosim.views.svg import BLUE, EDGE, LETTER, Page, number, said, star

#: Pixels an inch, and pixels a point.
PX: Final = 96
PT_PX: Final = 96 / 72
#: Pixels: a row of the legend, of the notes; a letter of the notes; what a legend's mark takes.
ROW: Final = 18
NOTE: Final = 14
_NOTE_LETTER: Final = 5.6
_MARK: Final = 28


def line_colour(colour: str) -> str:
    """The colour of a line, which on dark paper is another for the dark blue."""
    return "var(--dosim-blue)" if colour == BLUE else colour


def _outline(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "z"


#: Marks by the names that matplotlib gives them, as paths of radius 1 around 0, 0.
_SHAPES: Final = {
    "o": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0z",
    "s": "M-1 -1h2v2h-2z",
    "^": "M0 -1L1 1H-1z",
    "D": "M0 -1.41L1.41 0L0 1.41L-1.41 0z",
    "X": "M-.5 -1L0 -.5L.5 -1L1 -.5L.5 0L1 .5L.5 1L0 .5L-.5 1L-1 .5L-.5 0L-1 -.5z",
    "*": _outline(star(1.0, 0.42)),
}


def mark(shape: str, x: float, y: float, size: float, *, fill: str, edge: str = "", wide: float = 1.0) -> str:
    """A mark of `_SHAPES`, `size` pixels across."""
    place = f'transform="translate({number(x)} {number(y)})scale({size / 2:.2f})"'
    stroke = f' stroke="{edge}" stroke-width="{wide}" vector-effect="non-scaling-stroke"' if edge else ""
    return f'<path d="{_SHAPES[shape]}" {place} fill="{fill}"{stroke}/>'


def words(x: float, y: float, text: str, *, anchor: str = "", colour: str = "") -> str:
    """A line of text on its baseline."""
    more = f' text-anchor="{anchor}"' if anchor else ""
    more += f' style="fill:{colour}"' if colour else ""
    return f'<text x="{number(x)}" y="{number(y)}"{more}>{said(text)}</text>'


def legend_places(texts: Sequence[str], width: float) -> list[tuple[float, int]]:
    """Where each entry of a legend begins and in which row, filling rows of a picture's width."""
    places, x, row = [], float(EDGE), 0
    for text in texts:
        wide = _MARK + len(text) * LETTER + 10
        if x > EDGE and x + wide > width:
            x, row = float(EDGE), row + 1
        places.append((x, row))
        x += wide
    return places


def legend(texts: Sequence[str], marks: Sequence[str], width: float, top: float) -> tuple[list[str], float]:
    """A legend's elements, whose marks are drawn around 0, 0, and how many pixels high it is."""
    places = legend_places(texts, width)
    found = []
    for text, drawn, (x, row) in zip(texts, marks, places, strict=True):
        y = top + ROW * row + ROW / 2
        found.append(f'<g transform="translate({number(x + 10)} {number(y)})">{drawn}</g>{words(x + 24, y + 4, text)}')
    return found, ROW * (places[-1][1] + 1 if places else 0)


def wrapped(notes: Sequence[str], width: float) -> list[str]:
    """Notes in lines that fit a picture's width, pixels."""
    room = int((width - 2 * EDGE) / _NOTE_LETTER)
    return [line for note in notes if note for line in textwrap.wrap(note, room)]


def noted(lines: Sequence[str], top: float) -> str:
    """Lines of notes, small."""
    texts = (words(EDGE, top + NOTE * at + 10, line) for at, line in enumerate(lines))
    return f'<g font-size="10" opacity=".85">{"".join(texts)}</g>' if lines else ""


def empty_page(heading: str, alt: str, text: str, *, width: int, dark: bool | None) -> str:
    """A picture that says in words why there is nothing to see."""
    lines = textwrap.wrap(text, int((width - 4 * EDGE) / LETTER))
    page = Page(heading, alt, width=width, height=64 + 16 * len(lines), dark=dark)
    for at, line in enumerate(lines):
        page.put(words(width / 2, 52 + 16 * at, line, anchor="middle"))
    return str(page)
