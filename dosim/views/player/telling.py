"""What the page tells of a request: its sentences as far as they fit, then its segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dosim.explain import Story, explain
from dosim.trace import Trace
from dosim.trace.messages import Message
from dosim.trace.words import counted

#: At most so many characters of sentences (two fifths of the room, if that is less), and of segments.
SENTENCES_CHARACTERS: Final = 48_000
SEGMENTS_CHARACTERS: Final = 72_000

#: What a request does in a segment, with its actor after it.
SAID: Final[dict[str, str]] = {
    "client link": "on its way to the nearest colo from",
    "edge routing": "at the edge, to find",
    "worker start": "waiting for the start of",
    "placement lookup": "for the first lookup of",
    "hop": "on its way to",
    "one at a time": "waiting in line at",
    "thread": "waiting for the thread of",
    "input gate": "waiting at the input gate of",
    "constructor": "in the constructor of",
    "service": "with",
    "running": "computing in",
    "awaiting": "awaiting something in",
    "output gate": "in the output gate of",
    "hop back": "on its way back from",
    "client link back": "on its way back to",
    "lost": "until the loss was noticed by",
}
_STATES: Final = tuple(SAID)


class Roots:
    """The trace's story, and which request from outside a call belongs to (0: none)."""

    def __init__(self, trace: Trace) -> None:
        self.story = Story(trace)
        self._known: dict[int, int] = {0: 0}

    def of(self, request: int) -> int:
        if request not in self._known:
            self._known[request] = self.story.root(request)
        return self._known[request]


def tellings(
    trace: Trace,
    roots: Roots,
    shown: Sequence[Message],
    actor: Callable[[str], int],
    room: int,
    notes: list[str],
) -> dict[str, Any]:
    """Sentences of the first requests, segments of further ones, both first of those that failed or lost something.

    `sentences`: request -> [heading, [offset in microseconds, text] ..., sum]. `segments`: request -> [sent, then
    state, duration, actor (-1: unknown) of each], states being numbers of `said`. Both fit `room`, characters.
    """
    order = _order(shown, roots)
    sentences: dict[str, list[Any]] = {}
    segments: dict[str, list[int]] = {}
    left = min(SENTENCES_CHARACTERS, 2 * room // 5)
    for request in order:
        explained = explain(trace, request, story=roots.story)
        rows: list[list[Any]] = [[s.start_us - explained.sent_us, s.text] for s in explained.told]
        size = sum(len(text) + 12 for _, text in rows) + len(explained.heading) + len(explained.sum)
        if size > left:
            break
        left -= size
        sentences[str(request)] = [explained.heading, *rows, explained.sum]
    left = min(SEGMENTS_CHARACTERS, 3 * room // 5)
    for request in order[len(sentences) :]:
        parts = roots.story.segments(request)
        row = [n for part in parts for n in (_state(part.state), part.duration_us, actor(_known(part.actor)))]
        left -= sum(len(str(n)) + 1 for n in row) + 24
        if left < 0:
            break
        if parts:
            segments[str(request)] = [parts[0].start_us, *row]
    if len(sentences) < len(order):
        silent = len(order) - len(sentences) - len(segments)
        rest = f", {silent:,} by their messages alone" if silent else ""
        notes.append(
            f"{counted(len(sentences), 'request')} told in sentences, {len(segments):,} in segments{rest}:"
            " sim.explain(number) tells any."
        )
    return {"said": list(SAID.values()), "sentences": sentences, "segments": segments}


def _known(name: str) -> str:
    """An actor as messages name it: the edge of a colo is where its Worker is."""
    if name.startswith("edge"):
        return "worker@" + name[5:] if name[5:] else "worker"
    return name


def _state(state: str) -> int:
    return _STATES.index(state) if state in SAID else _STATES.index("awaiting")


def _order(shown: Sequence[Message], roots: Roots) -> list[int]:
    """The requests of these messages: those in which something failed or was lost, then the others, each by time."""
    troubled = dict.fromkeys(roots.of(m.request) for m in shown if m.lost or m.failed)
    order = [*troubled, *(root for root in dict.fromkeys(roots.of(m.request) for m in shown) if root not in troubled)]
    return [request for request in order if request in roots.story.records]
