"""Labels that do not collide: each takes the free place nearest to its point, in inches, without any drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
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
    placed: list[Placed] = []
    for label in wanted:
        placed.append(_best(label, whole, [*solid, *(other.box for other in placed)], points))
    for _ in range(_ROUNDS):
        for at, label in enumerate(wanted):
            others = [other.box for number, other in enumerate(placed) if number != at]
            placed[at] = _best(label, whole, [*solid, *others], points)
    return placed


def _best(label: Wanted, whole: Box, solid: Sequence[Box], points: Sequence[tuple[float, float]]) -> Placed:
    best, least = None, float("inf")
    for ring, reach in enumerate(_REACHES):
        if least < ring * 0.35:
            break
        for turn in range(_DIRECTIONS):
            box = _beside(label, 2 * pi * turn / _DIRECTIONS, reach)
            cost = ring * 0.35 + _DISLIKE[turn] + _cost(box, whole, solid, points)
            if cost < least:
                best, least = Placed(box, reach > 0.2), cost
    assert best is not None
    return best


#: Readers look for a name right of its point, then left, above, below.
_DISLIKE: Final = tuple(0.1 * (1 - cos(2 * pi * turn / _DIRECTIONS)) / 2 + 0.02 * (turn % 2) for turn in range(16))


def _beside(label: Wanted, angle: float, reach: float) -> Box:
    """The label's box in a direction from its point, its nearest side `reach` away from the mark."""
    away = label.radius + reach
    x, y = label.x + away * cos(angle), label.y + away * sin(angle)
    left = x - label.wide * (1 - cos(angle)) / 2
    bottom = y - label.high * (1 - sin(angle)) / 2
    return Box(left, bottom, left + label.wide, bottom + label.high)


def _cost(box: Box, whole: Box, solid: Sequence[Box], points: Sequence[tuple[float, float]]) -> float:
    hard = sum(box.overlap(other) for other in solid)
    crossed = sum(box.holds(x, y) for x, y in points)
    return 120 * hard + 400 * box.outside(whole) + 0.09 * crossed


def nearest(box: Box, x: float, y: float) -> tuple[float, float, float]:
    """The point of a box's edge nearest to (x, y), and how far it is."""
    at_x, at_y = min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)
    return at_x, at_y, hypot(at_x - x, at_y - y)
