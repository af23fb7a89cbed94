"""The states of a request as a learner adds them up, and what a request without an answer is doing."""

from __future__ import annotations

from typing import Final

#: What a learner adds up, and the states of `Segment` that belong to it, in the order in which they are told.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "travelling": ("client link", "edge routing", "placement lookup", "hop", "hop back", "client link back"),
    "starting": ("worker start", "constructor"),
    "waiting in line": ("one at a time",),
    "waiting at the input gate": ("input gate", "thread"),
    "running": ("running",),
    "in services": ("service",),
    "awaiting": ("awaiting",),
    "in the output gate": ("output gate",),
    "waiting for what was lost": ("lost",),
}
_PART_OF: Final = {state: part for part, states in PARTS.items() for state in states}

#: What a request is doing after a mark, until its next one: for requests that have no answer yet.
OPEN: Final = {
    "send": "client link",
    "edge": "edge routing",
    "isolate": "worker start",
    "leave": "hop",
    "arrive": "input gate",
    "queue": "one at a time",
    "enter": "input gate",
    "construct": "constructor",
    "serve": "service",
    "start": "awaiting",
    "resume": "awaiting",
    "cpu": "awaiting",
    "worker": "awaiting",
    "call": "output gate",
    "return": "output gate",
    "throw": "output gate",
    "turn_away": "output gate",
    "reply": "hop back",
    "lost": "lost",
}

STANDING: Final = {
    "client link": "on its way from",
    "edge routing": "at the",
    "worker start": "waiting for the start of",
    "hop": "on its way to",
    "input gate": "waiting at the input gate of",
    "one at a time": "waiting in line at",
    "constructor": "waiting for the constructor of",
    "service": "with",
    "awaiting": "awaiting something in",
    "output gate": "in the output gate on the way to or from",
    "hop back": "on its way back from",
    "lost": "waiting for a message that was lost, to or from",
}


def part_of(state: str) -> str:
    """The part of `PARTS` that a segment's state belongs to."""
    return _PART_OF.get(state, state)
