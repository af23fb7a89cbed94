"""What the map, the lives and the space-time diagram share: windows of time, notes below a picture, an empty one."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from dosim.trace import Trace
from dosim.views.figures import new_figure
from dosim.views.style import DARK, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches: a line of notes, a row of the legend, the title's line, and a letter of a note.
NOTE_IN: Final = 0.16
LEGEND_IN: Final = 0.21
TITLE_IN: Final = 0.3
_NOTE_LETTER_IN: Final = 0.061
SECOND_US: Final = 1_000_000
#: What a picture says of a trace without records.
EMPTY: Final = "Nothing happened yet: the trace is empty."


def check_window(start_us: int | None, end_us: int | None) -> None:
    """Raise TypeError or ValueError, naming the argument, for a stretch of time that is none."""
    check_moment("start_us", start_us)
    check_moment("end_us", end_us)
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise ValueError(f"end_us={end_us} is not after start_us={start_us}: give a stretch of time.")


def check_moment(name: str, value: int | None) -> None:
    """Raise TypeError or ValueError, naming the argument, for a moment that is none."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{name}={value!r}: give whole microseconds from the simulation's start, such as 2_000_000.")
    if value is not None and value < 0:
        raise ValueError(f"{name}={value}: time starts at 0, when the simulation does.")


def span_of(trace: Trace) -> tuple[int, int]:
    """The first and the last moment of the kept records, microseconds; (0, 0) without any."""
    first, last = None, 0
    for raw in trace.raw:
        first = raw[0] if first is None or raw[0] < first else first
        last = max(last, raw[0])
    return (0 if first is None else first), last


def wrapped(notes: Sequence[str], width: float) -> list[str]:
    """Notes in lines that fit a picture's width, inches."""
    room = max(20, int((width - 0.3) / _NOTE_LETTER_IN))
    return [line for note in notes if note for line in textwrap.wrap(note, room)]


def on(theme: Theme, colour: str) -> str:
    """The colour for a line on this paper: on dark paper the light blue of Okabe and Ito stands for their dark one."""
    return "#56B4E9" if theme is DARK and colour == "#0072B2" else colour


def write_notes(figure: Any, lines: Sequence[str], theme: Theme) -> None:
    """Small lines at the foot of a figure."""
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = (0.07 + (len(lines) - 1 - number) * NOTE_IN) / height
        style = {"fontsize": 7.5, "va": "bottom", "color": theme.ink, "alpha": 0.85, "parse_math": False}
        figure.text(0.12 / width, y, line, **style)


def write_title(figure: Any, title: str, theme: Theme) -> None:
    """A bold line at the head of a figure."""
    width, height = figure.get_size_inches()
    if title:
        style = {"fontsize": 12, "fontweight": "bold", "va": "top", "color": theme.ink, "parse_math": False}
        figure.text(0.12 / width, 1 - 0.09 / height, title, **style)


def legend_rows(handles: Sequence[Any], width: float) -> int:
    """How many rows a legend takes in a picture of some width, inches."""
    return ceil(sum(0.52 + 0.06 * len(handle.get_label()) for handle in handles) / width)


def write_legend(figure: Any, handles: Sequence[Any], rows: int, top: float, theme: Theme) -> None:
    """A legend in so many rows, whose upper edge is at `top`, a share of the figure's height."""
    style: dict[str, Any] = {"frameon": False, "fontsize": 7.8, "labelcolor": theme.ink, "handlelength": 1.9}
    style.update(columnspacing=1.1, borderpad=0.2, loc="upper left", bbox_to_anchor=(0.004, top))
    figure.legend(handles=handles, ncols=ceil(len(handles) / rows), **style)


def empty_figure(text: str, *, width: float, dark: bool, title: str, what: str, theme: Theme) -> Figure:
    """A picture that says in words why there is nothing to see."""
    lines = textwrap.wrap(text, max(20, int((width - 0.6) / 0.09)))
    height = 0.75 + 0.2 * len(lines) + (TITLE_IN if title else 0)
    figure = new_figure(width, height, dark=dark, what=what)
    write_title(figure, title, theme)
    y = 0.5 - (TITLE_IN / 2 / height if title else 0)
    style = {"ha": "center", "va": "center", "fontsize": 10.5, "color": theme.ink, "parse_math": False}
    figure.text(0.5, y, "\n".join(lines), **style)
    figure.alt = f"{title}: {text}" if title else text
    made: Figure = figure
    return made
