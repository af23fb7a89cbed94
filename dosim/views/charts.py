"""What the charts share: their heading with the sentences below it, their axes, titles and legends."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Final

from dosim.views.style import ON_BRIGHT, Look, Theme

#: Inches: a line of the heading, and a letter of it; a line below it, and a letter of that.
_HEADING_IN: Final = 0.23
_HEADING_LETTER_IN: Final = 0.1
_LINE_IN: Final = 0.17
_LETTER_IN: Final = 0.0615


def wrapped(lines: Sequence[str], width: float) -> list[str]:
    """Sentences as lines that fit a picture of so many inches."""
    return [short for line in lines for short in textwrap.wrap(line, int((width - 0.2) / _LETTER_IN))]


def head_in(heading: str, lines: Sequence[str], width: float) -> float:
    """The inches that a heading takes with these lines below it."""
    return 0.17 + _HEADING_IN * len(_heading_lines(heading, width)) + _LINE_IN * len(lines)


def _heading_lines(heading: str, width: float) -> list[str]:
    return textwrap.wrap(heading, int((width - 0.2) / _HEADING_LETTER_IN))


def write_head(figure: Any, heading: str, lines: Sequence[str], theme: Theme) -> None:
    """The heading of a picture, and below it what is drawn and what is not."""
    width, height = figure.get_size_inches()
    style: dict[str, Any] = {"va": "top", "color": theme.ink}
    large = _heading_lines(heading, width)
    for number, line in enumerate(large):
        y_in = 0.1 + _HEADING_IN * number
        figure.text(0.1 / width, 1 - y_in / height, line, fontsize=12, fontweight="bold", **style)
    for number, line in enumerate(lines):
        y_in = 0.12 + _HEADING_IN * len(large) + _LINE_IN * number
        figure.text(0.1 / width, 1 - y_in / height, line, fontsize=8.5, **style)


def dress(axes: Any, theme: Theme, *, grid: str = "both", left: bool = True) -> None:
    """Paper, ink and a faint grid ("x", "y" or "both"); `left`: with a line on the left."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, length=3, labelsize=8.5)
    axes.grid(visible=True, axis=grid, color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", *(() if left else ("left",))):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(theme.faint)


def titled(axes: Any, text: str, theme: Theme) -> None:
    """A bold title on the left above the axes."""
    axes.set_title(text, loc="left", fontsize=9.5, fontweight="bold", color=theme.ink, pad=5)


def legend_above(axes: Any, theme: Theme, handles: Sequence[Any] | None = None) -> None:
    """A legend in one row on the right above the axes."""
    given = {} if handles is None else {"handles": handles}
    axes.legend(
        **given,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=8,
        frameon=False,
        fontsize=8.5,
        labelcolor=theme.ink,
        borderaxespad=0.2,
        handletextpad=0.4,
        columnspacing=1.0,
    )


def write_on_bar(axes: Any, x: float, y: float, text: str, size: float) -> None:
    """Dark letters of so many points in the middle of a bar, on a light plate that its hatch does not cross."""
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=ON_BRIGHT, bbox=box, zorder=4)


def patch(look: Look, words: str, theme: Theme) -> Any:
    """An entry of a legend that looks like a bar."""
    from matplotlib.patches import Patch

    return Patch(facecolor=ink_of(look, theme), hatch=look.hatch, edgecolor=theme.paper, label=words)


def ink_of(look: Look, theme: Theme) -> str:
    """A look's colour: what is black on light paper is white on dark."""
    return theme.ink if look.colour == "#000000" else look.colour
