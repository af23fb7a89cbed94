"""Names that mean something to matplotlib: figures show them as they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.text import Text

from dosim.trace import Trace
from dosim.views import costs, latency, lives, queue, spacetime, timeline, world_map

#: Between two dollars it would be a formula, and one that cannot be read.
NAME = r"$\nothing$"
FIGURES: list[Callable[..., Any]] = [timeline, latency, queue, costs, lives, spacetime, world_map]


def strange() -> Trace:
    """A request from a place, to an object, held by something, each of which has such a name."""
    trace, label = Trace(), f"Desk('{NAME}')"
    trace.emit(0, "send", NAME, 1, 0, ("GET", "https://a.example/", NAME))
    trace.emit(1_000_000, "call", label, 2, 1, (1, "rpc", label, NAME))
    trace.emit(2_000_000, "arrive", label, 2, 2, ("FRA",))
    trace.emit(2_000_000, "construct", label, 2, 3, (1,))
    trace.emit(2_000_000, "start", label, 2, 4, (2_000_000, ""))
    trace.emit(3_000_000, "return", label, 2, 5, ())
    trace.emit(3_000_000, "held", label, 0, 5, (1, NAME))
    trace.emit(4_000_000, "reply", NAME, 1, 6, (0,))
    trace.emit(5_000_000, "response", NAME, 1, 7, (200,))
    return trace


@pytest.mark.parametrize("draw", FIGURES)
def test_dollars_in_names_begin_no_formula(draw: Callable[..., Any]) -> None:
    """It is drawn, without error, and no text of it with dollars would be read as a formula."""
    figure = draw(strange(), title=NAME)
    figure.savefig(io.BytesIO(), format="png")
    texts = [text for text in figure.findobj(Text) if "$" in text.get_text()]

    assert texts
    assert [text.get_text() for text in texts if text.get_parse_math() and text.get_text().count("$") > 1] == []
