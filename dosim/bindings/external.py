"""Services outside the platform, declared with `sim.external`: the only addresses that `fetch` reaches.

No packet leaves the process: a service is a function of the test or the lesson, which answers in virtual time.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from dosim.bindings.outside import OutsideSocket, SocketClosed
from dosim.bindings.stubs import RemoteStub
from dosim.runtime.promises import awaited
from dosim.runtime.websocket import make_pair
from dosim.web.errors import AbortError, JsException, noted
from dosim.web.http import JsRequest, JsResponse
from dosim.web.url import parse_url

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.world import World

LOST = "Network connection lost."


class ExternalRequest(NamedTuple):
    """A request as the service got it: when (microseconds since the start), method, URL, body text, and headers.

    `headers` are (name in lower case, value), in order.
    """

    at_us: int
    method: str
    url: str
    body: str
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """The value of a header; None without it."""
        return next((value for known, value in self.headers if known == name.lower()), None)


class ExternalService:
    """A declared service: which addresses it answers, how, after which time, where it is.

    `requests` is everything it was asked, in order; `sockets` every WebSocket that was opened to it.
    """

    def __init__(
        self,
        prefix: str,
        handler: Callable[[Any], Any] | None,
        latency_us: int,
        place: City | None,
        socket_handler: Callable[[OutsideSocket], Any] | None,
    ) -> None:
        self.prefix = prefix
        self.handler = handler
        self.socket_handler = socket_handler
        self.sockets: list[OutsideSocket] = []
        self.latency_us = latency_us
        self.place = place
        self.requests: list[ExternalRequest] = []
        #: The status that each request was answered with; None: none yet, or its handler raised.
        self.statuses: list[int | None] = []
        self._origin, self._path = _place_of(prefix)

    def answers(self, url: str) -> bool:
        """Whether this address is one of the service's: its origin, and its path or one below it."""
        origin, path = _place_of(url)
        return origin == self._origin and (path == self._path or path.startswith(f"{self._path.rstrip('/')}/"))

    def __repr__(self) -> str:
        return f"<external service {self.prefix}: {len(self.requests)} requests>"


class ExternalLink:
    """The way to a declared service."""

    __slots__ = ("_service", "_world", "label", "last_answer_us", "last_arrival_us", "target_place")

    def __init__(self, world: World, service: ExternalService) -> None:
        self._world = world
        self._service = service
        self.label = service.prefix
        self.target_place = service.place
        self.last_arrival_us = self.last_answer_us = 0

    def bind(self, call: Call) -> None:
        link = ExternalLink(self._world, self._service)
        if link.target_place is None and call.owner is not None:
            link.target_place = call.owner.place  # a service without a place is wherever it is called from
        call.stub = link

    def new_stub(self) -> RemoteStub:
        return RemoteStub(self._world, self)

    def deliver(self, call: Call) -> None:
        """The request has arrived: it is answered after the service's latency."""
        world, service, place = self._world, self._service, self.target_place
        now_us = world.loop.now_us
        detail = (place.colo if place is not None else "",)
        call.last = world.emit(now_us, "arrive", call.target, call.id, call.last, detail)
        call.last = world.emit(now_us, "serve", call.target, call.id, call.last)
        world.loop.at(now_us + service.latency_us, self._serve, call)

    def _serve(self, call: Call) -> None:
        """Run the handler, code of the outside world, and answer when it has ended."""
        request = call.args[0]
        sent = request.js_object
        body = "" if sent.stream is None else bytes(sent.stream.data).decode("utf-8", "replace")
        asked = ExternalRequest(self._world.loop.now_us, sent.method, sent.url, body, tuple(sent.headers))
        number = len(self._service.requests)
        self._service.requests.append(asked)
        self._service.statuses.append(None)
        task = Context().run(self._world.loop.create_task, self._handle(request))
        task.add_done_callback(lambda done: self._answer(call, number, done.result()))

    async def _handle(self, request: Any) -> tuple[JsResponse | None, JsException | None]:
        try:
            result = self._answer_of(request)
            if inspect.isawaitable(result):
                result = await awaited(result)
            return as_response(self._world, result), None
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except Exception as error:
            told = f"the handler of {self._service.prefix} raised {type(error).__name__}: {error}"
            return None, noted(JsException(LOST, retryable=True), told)

    def _answer_of(self, request: Any) -> Any:
        """The handler's result: of the WebSocket's handler, for a handshake, a connection."""
        service, sent = self._service, request.js_object
        if service.socket_handler is not None and (sent.headers.find("upgrade") or "").lower() == "websocket":
            return self._connect(service.socket_handler, sent.url)
        if service.handler is None:
            return JsResponse.new("this service takes WebSockets only", status=426)
        return service.handler(request)

    def _connect(self, handler: Callable[[OutsideSocket], Any], url: str) -> JsResponse:
        """Open a connection: one end for whoever asked, the other for the handler, which runs beside."""
        world = self._world
        theirs, ours = make_pair(world)
        socket = OutsideSocket(self._service.prefix, url, ours, world.loop)
        self._service.sockets.append(socket)
        result = handler(socket)
        if inspect.isawaitable(result):
            task = world.loop.create_task(_until_closed(result))
            task.add_done_callback(partial(_socket_handler_ended, socket))
        return JsResponse.new(None, status=101, webSocket=theirs)

    def _answer(self, call: Call, number: int, outcome: tuple[JsResponse | None, JsException | None]) -> None:
        world, (response, error) = self._world, outcome
        if response is not None:
            self._service.statuses[number] = response.status
        now_us = world.loop.time_us()
        kind, detail = ("return", ()) if error is None else ("throw", (str(error),))
        call.last = world.emit(now_us, kind, call.target, call.id, call.last, detail)
        world.routes.reply(call, response, error, now_us)


async def _until_closed(handler: Awaitable[Any]) -> None:
    """Run a WebSocket's handler; that the connection ends is no error of it."""
    with suppress(SocketClosed):
        await handler


def _socket_handler_ended(socket: OutsideSocket, task: asyncio.Future[None]) -> None:
    """A WebSocket's handler that failed has lost its connection. Raises what it raised, out of the run."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        socket.vanish()
        raise noted(error, f"raised by the WebSocket handler of {socket.holder}")


def as_response(world: World, result: Any) -> JsResponse:
    """What a handler may return: a Response, a text, bytes, a status, or data that becomes JSON."""
    if isinstance(result, bool):
        return JsResponse.new(json.dumps(result), headers={"content-type": "application/json"})
    if isinstance(result, int):
        return JsResponse.new(None, status=result)
    if result is None:
        return JsResponse.new(None, status=204)
    if isinstance(result, (str, bytes)):
        return JsResponse.new(result)
    if isinstance(result, (dict, list)):
        return JsResponse.new(json.dumps(result), headers={"content-type": "application/json"})
    return world.check_response(result)


class Externals:
    """The declared services of a world, and the refusal of everything else."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._services: list[ExternalService] = []

    def declare(self, service: ExternalService) -> None:
        """Add a service; of two that answer an address the later one does."""
        self._services.insert(0, service)

    @property
    def declared(self) -> list[ExternalService]:
        """All of them, in the order in which they were declared."""
        return self._services[::-1]

    def find(self, url: str) -> ExternalService:
        """The service of an address. Raises AbortError that says how to declare one."""
        for service in self._services:
            if service.answers(url):
                return service
        parsed = parse_url(url)
        origin = parsed.origin if parsed is not None else url
        known = ", ".join(service.prefix for service in self._services) or "none"
        is_socket = url.startswith(("ws:", "wss:"))
        tried, handler = ("WebSocket.new", "websocket=handler") if is_socket else ("fetch", "handler")
        raise AbortError(
            f"{tried}({url!r}): nothing outside the simulation can be reached, and no service is declared for this"
            f' address: write sim.external("{origin}", {handler}, latency="100ms") before the run (declared: {known}).'
        )

    async def fetch(self, resource: Any, options: dict[str, Any]) -> Any:
        """`fetch` of a Worker or an object. Raises AbortError for an address that nobody declared."""
        return await _Outside(self._world, self).__follow__(self._world.make_fetch_request(resource, options))


class _Outside(RemoteStub):
    """Everything outside: each request, a redirect's too, goes to the service of its own address."""

    def __init__(self, world: World, externals: Externals) -> None:
        self._world = world
        self._externals = externals

    def __send__(self, request: JsRequest) -> asyncio.Future[JsResponse]:
        self._link = ExternalLink(self._world, self._externals.find(request.url))
        return super().__send__(request)


def _place_of(url: str) -> tuple[str, str]:
    """The origin and the path of an address; of none the text itself."""
    parsed = parse_url(f"http{url[2:]}" if url.startswith(("ws:", "wss:")) else url)
    return (parsed.origin, parsed.path) if parsed is not None else (url, "")
