"""`BarSheet`: bars in rows over an axis, as light SVG, for explorers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from dosim.views.svg import Entry, Sheet

#: A fill of stripes, for what waits: told apart without colour.
STRIPES: Final = "url(#dosim-stripes)"
#: The legend's entry for what `BarSheet.ghost` draws.
GHOST: Final = Entry("ghost", "", "pinned run")
_DEFS: Final = (
    '<defs><pattern id="dosim-stripes" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#E69F00"/><path d="M0 0v6" stroke="#7A5300" stroke-width="2.4"/></pattern></defs>'
)
_ROW: Final = 20


class BarSheet(Sheet):
    """A chart of rows, the first on top, each with its name; bars from one place of the x axis to another."""

    def __init__(
        self,
        title: str,
        said: str,
        *,
        rows: Sequence[str],
        x: tuple[float, float],
        x_ticks: Sequence[tuple[float, str]],
        legend: Sequence[Entry] = (),
        room_for: int = 0,
    ) -> None:
        count = max(len(rows), room_for, 1)
        super().__init__(
            title,
            said,
            x=x,
            y=(count, 0),
            x_ticks=x_ticks,
            y_ticks=[(row + 0.5, name) for row, name in enumerate(rows)],
            legend=legend,
            height=max(130, 62 + _ROW * count),
        )
        self._most = x[1]
        self._parts.insert(0, _DEFS)

    def bar(self, row: int, start: float, end: float, entry: Entry, words: str = "") -> None:
        """A bar of a row, cut at the end of the axis, and words behind it."""
        left, right = self._x(min(start, self._most)), self._x(min(end, self._most))
        top, height = self._y(row) + 3, self._y(row + 1) - self._y(row) - 6
        if right > left:
            size = f'width="{right - left:.1f}" height="{height:.1f}"'
            self._parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="{entry.colour}"/>')
        if words:
            beyond = right + 4 + len(words) * 6.1 > self.right
            anchor, at = ("end", self.right - 4) if beyond else ("start", right + 4)
            self._parts.append(
                f'<text x="{at:.1f}" y="{top + height / 2 + 4:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
            )

    def ghost(self, row: int, end: float) -> None:
        """Where the bar of the pinned run ended."""
        at, top, bottom = self._x(min(end, self._most)), self._y(row) + 1, self._y(row + 1) - 1
        self._parts.append(f'<path class="c gh" style="stroke-width:2.4" d="M{at:.1f} {top:.1f}V{bottom:.1f}"/>')

    def dot(self, row: int, at: float, entry: Entry) -> None:
        """A mark in a row."""
        self.mark(min(at, self._most), row + 0.5, entry)
