"""`Service`: something beside the objects that answers calls: a key-value store, a bucket, a database, a queue.

A call to a service is a call like any other: it leaves through the output gate of whoever makes it, travels, and its
answer comes back as an event. What is done over there is a plain function without awaits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dosim.kernel.loop import SCOPE
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.world import World


class Service:
    """One named service of a world. `place` is where it lives; None: where it is called from."""

    def __init__(self, world: World, label: str, place: City | None = None) -> None:
        self.world = world
        self.label = label
        self.place = place

    def call(self, method: str, operation: Callable[[], Any], *, takes_us: int = 0, place: City | None = None) -> Any:
        """Do `operation()` over there, at once for the caller: what is returned can be awaited for its result.

        The operation runs when the call has arrived and `takes_us` microseconds of service time are over. What it
        raises is raised to the caller if it is a JsException. `place`: where this call goes, instead of the service's.
        """
        world = self.world
        call = world.plain_call("binding", self.label, method, (), SCOPE.get())
        here = call.owner.place if call.owner is not None else None
        if call.caller is None and world.journal is not None:
            world.journal.refuse(f"{self.label} was called from outside ({method}), which is not recorded")
        call.stub = _Operation(self, operation, takes_us, place or self.place or here)
        return world.start(call)

    def __repr__(self) -> str:
        return f"<{self.label}>"


class _Operation:
    """One operation under way: what a call to a service has as its stub."""

    __slots__ = ("_operation", "_service", "_takes_us", "last_answer_us", "last_arrival_us", "target_place")

    def __init__(self, service: Service, operation: Callable[[], Any], takes_us: int, place: City | None) -> None:
        self._service = service
        self._operation = operation
        self._takes_us = takes_us
        self.target_place = place
        self.last_arrival_us = self.last_answer_us = 0

    def deliver(self, call: Call) -> None:
        """The call has arrived: it is served, and answered when its service time is over."""
        world, place = self._service.world, self.target_place
        now_us = world.loop.now_us
        detail = (place.colo if place is not None else "",)
        call.last = world.emit(now_us, "arrive", call.target, call.id, call.last, detail)
        call.last = world.emit(now_us, "serve", call.target, call.id, call.last)
        world.loop.at(now_us + self._takes_us, self._serve, call)

    def _serve(self, call: Call) -> None:
        world = self._service.world
        now_us = world.loop.now_us
        try:
            value, error = self._operation(), None
        except JsException as refused:
            value, error = None, refused
        kind, detail = ("return", ()) if error is None else ("throw", (str(error),))
        call.last = world.emit(now_us, kind, call.target, call.id, call.last, detail)
        world.routes.reply(call, value, error, now_us)
