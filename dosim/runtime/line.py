"""The line before an object with `concurrency="one-at-a-time"`: the popular belief, made to run.

The next event waits until the previous one has answered. Calls that belong to the call chain inside are let in, so that
parent and child can call each other; a call that would close a cycle between two chains fails, with the cycle drawn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dosim.runtime.calls import copy_of
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost


class Line:
    """Who is inside one object, and who waits for it to answer."""

    __slots__ = ("_entering", "_host", "_inside", "_members", "waiting")

    def __init__(self, host: ObjectHost) -> None:
        self._host = host
        self.waiting: deque[Call] = deque()
        #: chain -> its calls inside
        self._inside: dict[int, int] = {}
        #: Let in from the line, not there yet.
        self._entering: dict[Call, None] = {}
        #: Inside, by number: an answer that comes after `clear` is of a life that is over.
        self._members: set[int] = set()

    @property
    def chains_inside(self) -> list[int]:
        return list(self._inside)

    def arrive(self, call: Call) -> None:
        """Let a call in when nobody else is inside, or only its own chain; else it waits."""
        if self._inside and call.chain not in self._inside:
            self._wait(call)
        else:
            self._let_in(call)
            self._host.enter(call)

    def _let_in(self, call: Call) -> None:
        self._inside[call.chain] = self._inside.get(call.chain, 0) + 1
        self._members.add(call.id)

    def _wait(self, call: Call) -> None:
        host = self._host
        world = host.world
        held_by = ", ".join(f"chain #{chain}" for chain in self._inside)
        call.last = world.emit(world.loop.now_us, "queue", host.label, call.id, call.last, (held_by,))
        cycle = world.waits.cycle(call.chain, host)
        if not cycle:
            self.waiting.append(call)
            return
        error = JsException(
            "This call would wait for ever: with one request at a time, it waits for a request that waits for it.",
            remote=True,
        )
        error.add_note("\n".join(cycle))
        host.turn_away(call, error)

    def answered(self, call: Call) -> None:
        """A call has its answer: the next in line may enter."""
        if call.id not in self._members:
            return
        self._members.remove(call.id)
        left = self._inside.pop(call.chain) - 1
        if left:
            self._inside[call.chain] = left
            return
        loop = self._host.world.loop
        while self.waiting and (not self._inside or self.waiting[0].chain in self._inside):
            following = self.waiting.popleft()
            self._let_in(following)
            self._entering[following] = None
            mark = (loop.time_us(), "enter", self._host.label, following.id, following.last)
            following.last = self._host.world.emit(*mark)
            loop.after(0, self._enter, following)

    def _enter(self, call: Call) -> None:
        if call not in self._entering:
            return  # the life ended meanwhile, and `clear` has told the caller
        del self._entering[call]
        error = self._host.broken(call)
        if error is not None:
            self._host.turn_away(call, copy_of(error))
            self.answered(call)
        else:
            self._host.enter(call)

    def clear(self) -> list[Call]:
        """Everybody leaves: the life is over. Returns who waited."""
        self._inside.clear()
        self._members.clear()
        waited, self.waiting = [*self._entering, *self.waiting], deque()
        self._entering.clear()
        return waited
