"""What every picture has: a Figure that shows itself in a notebook and says in words what it shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from functools import cache
from html import escape
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.trace.records import trace_of as trace_of  # noqa: PLC0414 (views take it from here)
from dosim.views.style import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_look(width: float, what: str, least: float = 4, *, title: str = "", **switches: bool) -> None:
    """Raise TypeError or ValueError, by name, for a width, a title or a switch (dark=, log=) that is none."""
    check_width(width, what, least)
    check_title(title)
    check_switches(**switches)


def check_title(title: str, argument: str = "title") -> None:
    """Raise TypeError for a title that is no text."""
    if not isinstance(title, str):
        raise TypeError(f"{argument}={title!r} is no text: give a str.")


def check_switches(**switches: bool) -> None:
    """Raise TypeError, by name, for what is neither True nor False."""
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name}={value!r} is not known: use True or False.")


def check_page(dark: bool | None) -> None:
    """Raise TypeError for a `dark` of what may look as the page around does."""
    if dark is not None and not isinstance(dark, bool):
        raise TypeError(f"dark={dark!r} is not known: use True, False, or None for what the page around has.")


def check_width(width: float, what: str, least: float = 4) -> None:
    """Raise ValueError for a picture that would be narrower than `least` inches, TypeError for what is no number."""
    if isinstance(width, bool) or not isinstance(width, (int, float)):
        raise TypeError(f"width={width!r} is no number: give inches, at least {least:g}.")
    if not least <= width < inf:
        fault = "is too narrow" if width < least else "is no width"
        raise ValueError(f"width={width:g} {fault} for a {what}: give at least {least:g} inches.")


def checked_requests(requests: Iterable[object] | None) -> tuple[object, ...] | None:
    """The requests to show as a tuple; None: all of them. Raises TypeError for what is no list of them."""
    if requests is None:
        return None
    if isinstance(requests, (str, bytes)) or hasattr(requests, "request") or not isinstance(requests, Iterable):
        raise TypeError(f"requests={requests!r} is no list: give numbers, or what client.fetch() returned, as [call].")
    return tuple(requests)


def new_figure(width: float, height: float, *, dark: bool = False, what: str = "figure") -> Any:
    """An empty Figure, in inches, on light or dark paper. Set its `alt`: what it shows, in words."""
    figure = _figure_class()(figsize=(width, height), facecolor=theme_of(dark).paper)
    figure.what = what
    return figure


def finished(figure: Any, alt: str) -> Figure:
    """The figure, drawn, with its words. Names in it stand as they are: a "$" in one does not begin a formula."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    figure.alt = alt
    done: Figure = figure
    return done


def theme_of(dark: bool) -> Theme:
    """The colours of dark or of light paper."""
    return DARK if dark else LIGHT


def save_png(figure: Figure, path: str | Path) -> None:
    """Write the figure as PNG, without the date or any name of a tool: same picture, same bytes. Raises OSError."""
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


@cache
def _figure_class() -> Any:
    from matplotlib.figure import Figure

    class SaidFigure(Figure):
        """A figure with words for those who cannot see it."""

        alt: str = ""
        what: str = "figure"

        def _repr_html_(self) -> str:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=96, metadata={"Software": None})
            data = base64.b64encode(file.getvalue()).decode("ascii")
            return f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{data}">'

        def __repr__(self) -> str:
            inches = self.get_size_inches()
            return f"<{self.what}, {inches[0]:g} by {inches[1]:.1f} inches>"

    return SaidFigure
