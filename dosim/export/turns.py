"""Turns: the stretches in which an actor's event loop runs one request's code, without an await in between.

An object runs one turn at a time; so does a Worker's isolate. A turn takes no simulated time unless its code computes.
A client's turns are the moments at which it sends and is answered; a service's, those at which it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dosim.explain import Story
from dosim.trace.kinds import ENDS
from dosim.trace.records import RawRecord

_BEGIN: Final = frozenset(("send", "worker", "start", "resume", "serve", "response", "failed"))
_CODE: Final = frozenset(("worker", "start", "resume"))


@dataclass(slots=True)
class Turn:
    """One turn of a request at an actor, microseconds; `seq` is the record that began it, `after` what it awaited."""

    actor: str
    request: int
    start_us: int
    end_us: int
    seq: int
    kind: str
    after: str = ""
    child: int = 0


def turns_of(records: Iterable[RawRecord]) -> Iterator[Turn]:
    """The turns of one request, from its own records, in order."""
    turn: Turn | None = None
    for t_us, seq, kind, actor, request, _, detail in records:
        if kind in _BEGIN:
            if turn is not None:
                yield turn
            turn = Turn(actor, request, t_us, t_us, seq, kind)
            if kind == "resume":
                turn.after, turn.child = str(detail[0]), int(str(detail[1] or 0))
        elif turn is None:
            continue
        elif kind == "cpu":
            turn.end_us = max(turn.end_us, t_us + int(str(detail[0])))
        elif kind in ENDS:
            if kind == "turn_away":  # while it computed
                turn.end_us = min(turn.end_us, t_us)
            elif turn.kind in _CODE:  # a handler returns when it has computed
                turn.end_us = max(turn.end_us, t_us)
            yield turn
            turn = None
    if turn is not None:
        yield turn


def lanes(turns: Iterable[Turn]) -> list[list[Turn]]:
    """The turns of one actor on as few event loops as hold them without overlap: one, unless two isolates share it."""
    found: list[list[Turn]] = []
    for turn in sorted(turns, key=lambda turn: (turn.start_us, turn.seq)):
        free = next((lane for lane in found if lane[-1].end_us <= turn.start_us), None)
        if free is None:
            found.append([turn])
        else:
            free.append(turn)
    return found


class Turns:
    """All turns of a trace, by actor, with what connects them."""

    def __init__(self, story: Story) -> None:
        self.by_actor: dict[str, list[Turn]] = {}
        #: (cause's turn, effect's turn, what connects them).
        self.links: list[tuple[Turn, Turn, str]] = []
        begun: dict[int, Turn] = {}
        first: dict[int, Turn] = {}
        last: dict[int, Turn] = {}
        for records in story.records.values():
            for turn in turns_of(records):
                self.by_actor.setdefault(turn.actor, []).append(turn)
                begun[turn.seq] = turn
        for raw in story.trace.raw:
            if raw[2] == "frame" and not raw[4] and not raw[5]:  # a client sends it: no request's code does
                turn = Turn(raw[3], 0, raw[0], raw[0], raw[1], "frame")
                self.by_actor.setdefault(raw[3], []).append(turn)
                begun[raw[1]] = turn
        for turn in sorted(begun.values(), key=lambda turn: turn.seq):
            first.setdefault(turn.request, turn)
            self._link(story, turn, begun, first, last)
            last[turn.request] = turn

    def _link(
        self, story: Story, turn: Turn, begun: dict[int, Turn], first: dict[int, Turn], last: dict[int, Turn]
    ) -> None:
        """Connect a turn with the one that sent what began it."""
        if turn.kind == "worker" and first[turn.request].kind == "send":
            self.links.append((first[turn.request], turn, "request"))
        elif turn.kind in ("response", "failed") and last.get(turn.request, turn).kind in ("worker", "resume"):
            self.links.append((last[turn.request], turn, "response"))
        elif turn.kind == "resume" and turn.child in last and not _lost(story, turn.child):
            self.links.append((last[turn.child], turn, "answer"))
        elif turn.request and first[turn.request] is turn:
            head = story.records[turn.request][0]
            if head[2] == "call" and head[5] in begun:
                self.links.append((begun[head[5]], turn, "call" if head[6][0] else "event"))


def _lost(story: Story, request: int) -> bool:
    return any(raw[2] == "lost" for raw in story.records.get(request, ()))
