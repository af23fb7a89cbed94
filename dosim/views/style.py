"""How things look in pictures: colours that colour-blind readers tell apart, and hatches that need no colour.

Colours are those of Okabe and Ito (2008), "Color Universal Design".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Look:
    """Fill, hatch and height (a share of the lane) of a bar, and its words in the legend."""

    colour: str
    hatch: str
    height: float
    words: str


LOOKS: Final[dict[str, Look]] = {
    "travelling": Look("#56B4E9", "", 0.34, "on its way"),
    "starting": Look("#F0E442", "--", 0.62, "something starts: Worker, object"),
    "queued": Look("#E69F00", "...", 0.62, "waits in line: one request at a time"),
    "gate": Look("#D55E00", "xxx", 0.62, "waits at the input gate"),
    "running": Look("#0072B2", "", 0.86, "its code computes"),
    "awaiting": Look("#009E73", "///", 0.86, "its code awaits"),
    "service": Look("#999999", "\\\\", 0.62, "a service works on it"),
    "lost": Look("#000000", "oo", 0.34, "a message was lost"),
    "output gate": Look("#CC79A7", "||", 0.62, "waits in the output gate"),
    "visit": Look("#0072B2", "", 0.7, "in and out in no time"),
    "closed": Look("#000000", "", 0.12, "gate kept closed by the code inside"),
}


@dataclass(frozen=True, slots=True)
class MarkLook:
    """Marker, colour, size, place in the lane (a share of it, up is negative) and words of a mark."""

    marker: str
    colour: str
    size: float
    place: float
    words: str


MARKS: Final[dict[str, MarkLook]] = {
    "alarm": MarkLook("*", "#CC79A7", 11, 0.0, "an alarm rings"),
    "frame in": MarkLook("v", "#0072B2", 6, -0.26, "a WebSocket frame comes in"),
    "frame out": MarkLook("^", "#E69F00", 6, 0.26, "a WebSocket frame goes out"),
}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of paper and ink."""

    paper: str
    ink: str
    faint: str
    object_lane: str


LIGHT: Final = Theme("#FFFFFF", "#1A1A1A", "#D4D4D4", "#F1F1F1")
#: What is written and edged on bright colours, on any paper.
ON_BRIGHT: Final = LIGHT.ink
DARK: Final = Theme("#16181C", "#ECECEC", "#4A4D52", "#25282E")
