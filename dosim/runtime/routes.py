"""Routes: how calls and answers travel, from a place to a place, and in which order they arrive.

One-way delays come from the network; without one (`network=None`) everything is where it is called from. Messages
on one stub never overtake each other: calls arrive in the order in which they left, and so do answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dosim.runtime.calls import Call, settle
from dosim.trace.kinds import ONE_WAY

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World

#: The detail of a call that crosses no network.
_NOWHERE = ("", "", 0)


class Routes:
    """The ways between places for one simulation."""

    def __init__(self, world: World) -> None:
        self._world = world

    def delay_us(self, call: Call, leg: int, a: City | None, b: City | None) -> int:
        """The travelling time of one of a call's messages, with its jitter; `leg` numbers them."""
        network = self._world.network
        if network is None or a is None or b is None:
            return 0
        delay_us = network.delay_us(a, b, self._world.network_stream.uniform(call.key, leg))
        faults = self._world.faults
        return delay_us if faults is None else delay_us + faults.extra_us(a, b)

    def send(self, call: Call, leave_us: int) -> None:
        """A call leaves its caller at `leave_us`."""
        world, stub = self._world, call.stub
        arrive_us = leave_us
        goal = stub.target_place
        origin = call.owner.place if call.owner is not None else None
        if origin is None or goal is None:
            detail: tuple[object, ...] = _NOWHERE
        else:
            lookup_us = world.lookup_us(call, origin, leave_us)
            arrive_us += lookup_us + self.delay_us(call, 0, origin, goal)
            detail = (origin.colo, goal.colo, lookup_us)
        number = getattr(stub, "number", 0)
        if number:  # ways to services have none
            detail = (*detail, number)
        call.last = world.emit(leave_us, "leave", call.target, call.id, call.last, detail)
        if (faults := world.faults) is not None:
            if faults.loses(call, "request", origin, goal):
                faults.request_lost(call, leave_us, _way(origin, goal))
                return
            arrive_us += faults.late_us(call, "request")
        arrive_us = max(arrive_us, stub.last_arrival_us)
        stub.last_arrival_us = arrive_us
        world.loop.at(arrive_us, stub.deliver, call)

    def reply(self, call: Call, value: Any, error: BaseException | None, leave_us: int, held_us: int = 0) -> None:
        """An answer leaves for the caller at `leave_us`, after `held_us` in the output gate."""
        world = self._world
        if call.via in ONE_WAY:
            return
        if call.lent:
            for stub in call.lent:
                stub.dispose()
        call.last = world.emit(leave_us, "reply", call.target, call.id, call.last, (held_us,))
        arrive_us = leave_us
        if call.owner is not None:
            stub = call.stub
            faults, home = world.faults, call.owner.place
            if faults is not None and faults.loses(call, "reply", stub.target_place, home):
                faults.reply_lost(call, leave_us, _way(stub.target_place, home))
                return
            if faults is not None:
                arrive_us += faults.late_us(call, "reply")
            arrive_us += self.delay_us(call, 1, stub.target_place, call.owner.place)
            arrive_us = max(arrive_us, stub.last_answer_us)
            stub.last_answer_us = arrive_us
            if call.via == "fetch" and error is None and value.webSocket is not None:
                value.webSocket.travelled(stub.target_place, call.owner.place)
        elif world.faults is not None:
            if world.faults.loses(call, "reply", None, None):
                world.faults.reply_lost(call, leave_us, "")
                return
            arrive_us += world.faults.late_us(call, "reply")
        world.loop.at(arrive_us, self._answer_arrives, (call, value, error))

    def fail(self, call: Call, error: BaseException) -> None:
        """The caller gets this error now, wherever its call is."""
        self._answer_arrives((call, None, error))

    def _answer_arrives(self, answer: tuple[Call, Any, BaseException | None]) -> None:
        call, value, error = answer
        world = self._world
        call.last = world.emit(world.loop.now_us, "result", call.target, call.id, call.last, (error is None,))
        future = call.future
        assert future is not None
        if call.caller is None or call.owner is None:
            settle((future, value, error))
            return
        if error is None and call.via == "fetch" and getattr(call.owner, "broken", None) is not None:
            _hang_up(value)
        call.owner.call_answered(call)
        call.caller.result_due(call, settle, (future, value, error))


def _hang_up(response: Any) -> None:
    """Nobody is there any more to take the WebSocket that comes with an answer: its other end notices."""
    if response.webSocket is not None and not response.webSocket.accepted:
        response.webSocket.drop()


def _way(a: City | None, b: City | None) -> str:
    return f"{a.colo} to {b.colo}" if a is not None and b is not None else ""
