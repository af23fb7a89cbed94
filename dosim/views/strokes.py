"""What a diagram is made of, in inches from its upper left corner, and two ways to paint it: as a Figure, as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import atan2, cos, sin
from typing import Any, Final

from dosim.views.svg import number, said, star

#: Pixels and points an inch.
_PX: Final = 96
_PT: Final = 72
_FONT: Final = "'DejaVu Sans', Verdana, sans-serif"
_FITS: Final = "max-width:100%;height:auto"
_ANCHORS: Final = {"start": "left", "middle": "center", "end": "right"}


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line, with an arrow head at its end if `head`; `dash` in points; `about` tells it on demand."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: str
    width_pt: float = 1.2
    dash: tuple[float, ...] = ()
    head: bool = False
    about: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Block:
    """A filled rectangle."""

    x: float
    y: float
    wide: float
    high: float
    colour: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """A small shape: "dot", "cross", "star", "diamond", "triangle" or "square"."""

    x: float
    y: float
    shape: str
    size_pt: float
    colour: str
    edge: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text, its middle at `y`; `paper` is the colour of the ground that it covers, "" for none.

    `turn` degrees counterclockwise, round (x, y).
    """

    x: float
    y: float
    text: str
    size_pt: float
    colour: str
    anchor: str = "start"
    bold: bool = False
    paper: str = ""
    about: str = ""
    turn: float = 0.0


Stroke = Line | Block | Sign | Words


def corners(sign: Sign) -> list[tuple[float, float]]:
    """The corners of a shape's outline, inches; of a dot none."""
    radius = sign.size_pt / 2 / _PT
    return [(sign.x + radius * x, sign.y + radius * y) for x, y in _OUTLINES[sign.shape]]


#: Shape -> corners, radius 1, y downwards.
_OUTLINES: Final[dict[str, list[tuple[float, float]]]] = {
    "dot": [],
    "cross": [
        (-1.0, -0.6), (-0.6, -1.0), (0.0, -0.4), (0.6, -1.0), (1.0, -0.6), (0.4, 0.0),
        (1.0, 0.6), (0.6, 1.0), (0.0, 0.4), (-0.6, 1.0), (-1.0, 0.6), (-0.4, 0.0),
    ],
    "star": star(1.15, 0.48),
    "diamond": [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)],
    "triangle": [(0.0, -1.0), (0.9, 0.75), (-0.9, 0.75)],
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
}  # fmt: skip


def head(line: Line) -> list[tuple[float, float]]:
    """The triangle at a line's end, inches."""
    turn = atan2(line.y1 - line.y0, line.x1 - line.x0)
    long, half = 0.085 + 0.01 * line.width_pt, 0.034 + 0.005 * line.width_pt
    return [
        (line.x1 + x * cos(turn) - y * sin(turn), line.y1 + x * sin(turn) + y * cos(turn))
        for x, y in ((0.0, 0.0), (-long, half), (-long, -half))
    ]


# -- as a Figure


def paint(axes: Any, strokes: Iterable[Stroke]) -> None:
    """Paint on axes that are inches with y downwards."""
    for order, stroke in enumerate(strokes):
        at = 1 + order / 1e5  # later ones on top
        if isinstance(stroke, Line):
            _paint_line(axes, stroke, at)
        elif isinstance(stroke, Block):
            xs = [stroke.x, stroke.x + stroke.wide, stroke.x + stroke.wide, stroke.x]
            ys = [stroke.y, stroke.y, stroke.y + stroke.high, stroke.y + stroke.high]
            axes.fill(xs, ys, facecolor=stroke.colour, edgecolor="none", zorder=at)
        elif isinstance(stroke, Sign):
            _paint_sign(axes, stroke, at)
        else:
            _paint_words(axes, stroke, at)


def _paint_line(axes: Any, line: Line, at: float) -> None:
    style: dict[str, Any] = {"linestyle": (0, tuple(dash / line.width_pt for dash in line.dash)) if line.dash else "-"}
    style.update(color=line.colour, linewidth=line.width_pt, alpha=line.opacity, zorder=at, solid_capstyle="butt")
    axes.plot([line.x0, line.x1], [line.y0, line.y1], **style)
    if line.head:
        points = head(line)
        axes.fill([x for x, _ in points], [y for _, y in points], facecolor=line.colour, edgecolor="none", zorder=at)


def _paint_sign(axes: Any, sign: Sign, at: float) -> None:
    edge = sign.edge or sign.colour
    points = corners(sign)
    if points:
        style: dict[str, Any] = {"facecolor": sign.colour, "edgecolor": edge, "linewidth": 0.7, "zorder": at}
        axes.fill([x for x, _ in points], [y for _, y in points], **style)
    else:
        style = {"markersize": sign.size_pt, "markerfacecolor": sign.colour, "markeredgecolor": edge}
        axes.plot(sign.x, sign.y, "o", markeredgewidth=0.7, zorder=at, **style)


def _paint_words(axes: Any, words: Words, at: float) -> None:
    style: dict[str, Any] = {"fontsize": words.size_pt, "color": words.colour, "ha": _ANCHORS[words.anchor]}
    style.update(va="center", fontweight="bold" if words.bold else "normal", zorder=at, parse_math=False)
    style.update(rotation=words.turn, rotation_mode="anchor")
    if words.paper:
        style["bbox"] = {"boxstyle": "square,pad=0.1", "facecolor": words.paper, "edgecolor": "none", "alpha": 0.9}
    axes.text(words.x, words.y, words.text, **style)


# -- as SVG


def svg(strokes: Iterable[Stroke], width: float, height: float, *, paper: str, name: str, about: str) -> str:
    """An SVG image, inches wide and high, with its words for those who cannot see it."""
    wide, high = number(width * _PX), number(height * _PX)
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" style="{_FITS}" font-family="{_FONT}">',
        f"<title>{said(name)}</title><desc>{said(about)}</desc>",
        f'<rect width="{wide}" height="{high}" fill="{paper}"/>',
        *map(_element, strokes),
        "</svg>",
    ]
    return "\n".join(lines)


def _px(inches: float) -> str:
    return number(inches * _PX)


def _element(stroke: Stroke) -> str:
    drawn = _shape(stroke)
    return f"<g><title>{said(stroke.about)}</title>{drawn}</g>" if stroke.about else drawn


def _shape(stroke: Stroke) -> str:
    if isinstance(stroke, Line):
        return _svg_line(stroke)
    if isinstance(stroke, Block):
        place = f'x="{_px(stroke.x)}" y="{_px(stroke.y)}" width="{_px(stroke.wide)}" height="{_px(stroke.high)}"'
        return f'<rect {place} fill="{stroke.colour}"/>'
    if isinstance(stroke, Sign):
        style = f'fill="{stroke.colour}" stroke="{stroke.edge or stroke.colour}" stroke-width="1"'
        points = corners(stroke)
        if points:
            return f'<polygon points="{_points(points)}" {style}/>'
        radius = number(stroke.size_pt / 2 * _PX / _PT)
        return f'<circle cx="{_px(stroke.x)}" cy="{_px(stroke.y)}" r="{radius}" {style}/>'
    return _svg_words(stroke)


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_px(x)},{_px(y)}" for x, y in points)


def _svg_line(line: Line) -> str:
    style = f'stroke="{line.colour}" stroke-width="{number(line.width_pt * _PX / _PT)}"'
    if line.dash:
        style += f' stroke-dasharray="{" ".join(number(dash * _PX / _PT) for dash in line.dash)}"'
    if line.opacity < 1:
        style += f' opacity="{line.opacity:g}"'
    place = f'x1="{_px(line.x0)}" y1="{_px(line.y0)}" x2="{_px(line.x1)}" y2="{_px(line.y1)}"'
    tip = f'<polygon points="{_points(head(line))}" fill="{line.colour}"/>' if line.head else ""
    return f"<line {place} {style}/>{tip}"


def _svg_words(words: Words) -> str:
    size = words.size_pt * _PX / _PT
    style = f'font-size="{number(size)}" fill="{words.colour}" text-anchor="{words.anchor}"'
    if words.bold:
        style += ' font-weight="bold"'
    if words.turn:
        style += f' transform="rotate({-words.turn:g} {_px(words.x)} {_px(words.y)})"'
    y = number(words.y * _PX + 0.35 * size)
    ground = ""
    if words.paper:
        wide, high = 0.6 * size * len(words.text) + 2, 1.25 * size
        left = words.x * _PX - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor]
        place = f'x="{number(left)}" y="{number(words.y * _PX - high / 2)}"'
        ground = f'<rect {place} width="{number(wide)}" height="{number(high)}" fill="{words.paper}" opacity="0.9"/>'
    return f'{ground}<text x="{_px(words.x)}" y="{y}" {style}>{said(words.text)}</text>'
