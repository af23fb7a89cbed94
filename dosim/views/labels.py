"""Labels that do not collide: each takes the free place nearest to its point, in inches, without any drawing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, inf, pi, sin
from typing import Final

#: Distances from the point's edge to the label's nearest side that are tried, inches.
_REACHES: Final = (0.05, 0.14, 0.26, 0.4, 0.58, 0.8, 1.05, 1.35, 1.7, 2.1)
_DIRECTIONS: Final = 16
#: How often every label may move once the others stand.
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, inches from the lower left corner of the picture."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return wide * high if wide > 0 and high > 0 else 0.0

    def outside(self, whole: Box) -> float:
        """The area that lies outside the whole."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(whole)

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label of a size for a point with a mark of some radius, inches."""

    x: float
    y: float
    radius: float
    wide: float
    high: float


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a label came to stand; `far` when it needs a line to its point."""

    box: Box
    far: bool


def place(
    wanted: Sequence[Wanted],
    whole: Box,
    taken: Sequence[Box] = (),
    points: Sequence[tuple[float, float]] = (),
) -> list[Placed]:
    """A place for each label, in the given order: off the others and `taken`, if possible off the `points` of lines."""
    solid = [*taken, *(Box(w.x - w.radius, w.y - w.radius, w.x + w.radius, w.y + w.radius) for w in wanted)]
    ordered = sorted(points)
    placed: list[Placed] = []
    for label in wanted:
        placed.append(_best(label, whole, [*solid, *(other.box for other in placed)], ordered))
    for _ in range(_ROUNDS):
        before = list(placed)
        for at, label in enumerate(wanted):
            others = [other.box for number, other in enumerate(placed) if number != at]
            placed[at] = _best(label, whole, [*solid, *others], ordered)
        if placed == before:
            break
    return placed


def _best(label: Wanted, whole: Box, solid: Sequence[Box], points: Sequence[tuple[float, float]]) -> Placed:
    """The place of least cost, of `points` in order of x."""
    best, least = None, inf
    for ring, reach in enumerate(_REACHES):
        if least < ring * 0.35:
            break
        out_x, out_y = label.radius + reach + label.wide, label.radius + reach + label.high
        around = Box(label.x - out_x, label.y - out_y, label.x + out_x, label.y + out_y)
        near = [other for other in solid if around.meets(other)]
        for turn in range(_DIRECTIONS):
            cost = ring * 0.35 + _DISLIKE[turn]
            if cost >= least:
                continue
            box = _beside(label, turn, reach)
            cost += 120 * sum(box.overlap(other) for other in near if box.meets(other)) + 400 * box.outside(whole)
            if cost < least:
                cost += 0.09 * _crossed(box, points)
            if cost < least:
                best, least = Placed(box, reach > 0.2), cost
    assert best is not None
    return best


#: Readers look for a name right of its point, then left, above, below.
_DISLIKE: Final = tuple(
    0.1 * (1 - cos(2 * pi * turn / _DIRECTIONS)) / 2 + 0.02 * (turn % 2) for turn in range(_DIRECTIONS)
)
_TURNS: Final = tuple(
    (cos(2 * pi * turn / _DIRECTIONS), sin(2 * pi * turn / _DIRECTIONS)) for turn in range(_DIRECTIONS)
)


def _beside(label: Wanted, turn: int, reach: float) -> Box:
    """The label's box in a direction from its point, its nearest side `reach` away from the mark."""
    away = label.radius + reach
    across, up = _TURNS[turn]
    left = label.x + away * across - label.wide * (1 - across) / 2
    bottom = label.y + away * up - label.high * (1 - up) / 2
    return Box(left, bottom, left + label.wide, bottom + label.high)


def _crossed(box: Box, points: Sequence[tuple[float, float]]) -> int:
    """How many points a box holds, of points in order of x."""
    first, last = bisect_left(points, (box.left, -inf)), bisect_right(points, (box.right, inf))
    return sum(box.bottom <= y <= box.top for _, y in points[first:last])


def nearest(box: Box, x: float, y: float) -> tuple[float, float]:
    """The point of a box nearest to (x, y)."""
    return min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)
