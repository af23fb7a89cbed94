"""Static assets at work: before the Worker, and as `env.ASSETS`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dosim.bindings.assets import Assets
from dosim.bindings.stubs import RemoteStub
from dosim.web.http import JsRequest, JsResponse
from dosim.web.url import JsURL

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.world import World


class Site:
    """A Worker's assets, and whether a request goes to them first."""

    def __init__(self, assets: Assets, *, worker_first: bool | tuple[str, ...], without_worker: bool = False) -> None:
        self.assets = assets
        self.worker_first = worker_first
        #: There is no Worker: everything is the assets'.
        self.without_worker = without_worker

    def before_worker(self, request: JsRequest) -> JsResponse | None:
        """The answer of the assets to a client's request; None: it is the Worker's."""
        if self.without_worker or (not self._is_worker_first(request) and self.assets.can_answer(request)):
            return self.assets.respond(request)
        return None

    def _is_worker_first(self, request: JsRequest) -> bool:
        """Whether the path is one of the Worker's; an exception beats a pattern (documented)."""
        first = self.worker_first
        if isinstance(first, bool):
            return first
        path = JsURL.new(request.url).pathname
        if any(pattern.startswith("!") and fnmatchcase(path, pattern[1:]) for pattern in first):
            return False
        return any(fnmatchcase(path, pattern) for pattern in first)


class AssetsLink:
    """The way to the assets of a Worker: they are in every colo."""

    __slots__ = ("_assets", "_world", "label", "last_answer_us", "last_arrival_us", "target_place")

    def __init__(self, world: World, assets: Assets) -> None:
        self._world = world
        self._assets = assets
        self.label = "assets"
        self.target_place: City | None = None
        self.last_arrival_us = self.last_answer_us = 0

    def bind(self, call: Call) -> None:
        link = AssetsLink(self._world, self._assets)
        link.target_place = call.owner.place if call.owner is not None else None
        call.stub = link

    def new_stub(self) -> AssetsBinding:
        return AssetsBinding(self._world, self._assets)

    def deliver(self, call: Call) -> None:
        """The request has arrived: answer it."""
        world, place = self._world, self.target_place
        now_us = world.loop.now_us
        detail = (place.colo if place is not None else "",)
        call.last = world.emit(now_us, "arrive", call.target, call.id, call.last, detail)
        call.last = world.emit(now_us, "serve", call.target, call.id, call.last)
        response = self._assets.respond(call.args[0].js_object)
        call.last = world.emit(now_us, "return", call.target, call.id, call.last)
        world.routes.reply(call, response, None, now_us)


class AssetsBinding(RemoteStub):
    """`env.ASSETS`: `fetch(request)` answers from the files."""

    def __init__(self, world: World, assets: Assets) -> None:
        super().__init__(world, AssetsLink(world, assets))
