"""Service bindings: another Worker, or another entrypoint of the same one, called in the caller's own colo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from dosim.bindings.stubs import RemoteStub
from dosim.runtime.worker import WorkerEvent, fetch_event, rpc_event
from dosim.web.errors import JsException
from dosim.web.interface import Constructor

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.world import World


class Program(Protocol):
    """A Worker as it is deployed: what a service binding needs of it."""

    name: str

    def deliver(
        self, call: Call, place: City | None, event: WorkerEvent, answered: Callable[[Call, Any, Any], None]
    ) -> None:
        """Run an event in this colo; `answered(call, value, error)` when the handler has ended."""


class ServiceLink:
    """The way to an entrypoint of a Worker."""

    __slots__ = (
        "_entrypoint",
        "_find",
        "_ways",
        "_world",
        "label",
        "last_answer_us",
        "last_arrival_us",
        "target_place",
    )

    def __init__(self, world: World, find: Callable[[], Program], name: str, entrypoint: str) -> None:
        self._world = world
        #: The program, looked up at each call: it may be deployed anew.
        self._find = find
        self._entrypoint = entrypoint
        #: City -> the way for calls from there.
        self._ways: dict[str, ServiceLink] = {}
        self.label = name if entrypoint == "Default" else f"{name}.{entrypoint}"
        self.target_place: City | None = None
        self.last_arrival_us = self.last_answer_us = 0

    def bind(self, call: Call) -> None:
        """A Worker runs where it is called: calls from one place share a way, on which none overtakes another."""
        place: City | None = None
        network = self._world.network
        if call.owner is not None:
            place = call.owner.place
        elif network is not None:
            place = network.entry(network.default)
        name = place.name if place is not None else ""
        link = self._ways.get(name)
        if link is None:
            link = self._ways[name] = ServiceLink(self._world, self._find, "", self._entrypoint)
            link.label, link.target_place = self.label, place
        call.stub = link

    def deliver(self, call: Call) -> None:
        """The call has arrived: run the entrypoint."""
        world, place = self._world, self.target_place
        detail = (place.colo if place is not None else "",)
        call.last = world.emit(world.loop.now_us, "arrive", call.target, call.id, call.last, detail)
        if call.via == "fetch":
            event = fetch_event(call.args[0], self._entrypoint)
        else:
            event = rpc_event(call.method, call.args, self._entrypoint)
        try:
            program = self._find()
        except LookupError as error:
            self._answered(call, None, JsException(str(error.args[0])))
        else:
            program.deliver(call, place, event, self._answered)

    def _answered(self, call: Call, value: Any, error: BaseException | None) -> None:
        world = self._world
        world.routes.reply(call, value, error, world.loop.time_us())

    def new_stub(self) -> ServiceStub:
        return ServiceStub(self._world, self)


class ServiceStub(RemoteStub):
    """`env.SERVICE` or `ctx.exports.Entrypoint`: `fetch(...)` and the entrypoint's methods."""

    constructor = Constructor("Fetcher")


def service_stub(world: World, find: Callable[[], Program], name: str, entrypoint: str = "Default") -> ServiceStub:
    """A binding to an entrypoint of the program that `find()` gives."""
    return ServiceStub(world, ServiceLink(world, find, name, entrypoint))
