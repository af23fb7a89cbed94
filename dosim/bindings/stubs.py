"""Stubs: what code calls when the callee is elsewhere, an object, another Worker, a declared service.

Recorded: making a stub touches nothing; a call acts when it is made, a fetch when it is awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from dosim.kernel.loop import SCOPE
from dosim.platform.facts import REDIRECT_LIMIT
from dosim.runtime.calls import Call, OutsideCall, hand_on
from dosim.web.errors import AbortError, JsException
from dosim.web.http import JsRequest, JsResponse, deliver_request, deliver_response, redirect_target
from dosim.web.interface import Constructor

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World


class Link(Protocol):
    """The runtime's end of a stub: where its calls go."""

    label: str
    target_place: City | None
    last_arrival_us: int
    last_answer_us: int

    def bind(self, call: Call) -> None:
        """Make this the way of a call."""

    def deliver(self, call: Call) -> None:
        """The call has arrived."""

    def new_stub(self) -> RemoteStub:
        """Another stub of the same callee."""


class RemoteStub:
    """Something that is called from here and runs elsewhere: `stub.method(...)`, `stub.fetch(...)`.

    Its own methods have names that no method of an object can have, so that every other name is a call.
    """

    constructor = Constructor("Fetcher")

    def __init__(self, world: World, link: Link) -> None:
        self._world = world
        self._link = link

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        method = RemoteMethod(self._world, self._link, name)
        self.__dict__[name] = method
        return method

    def fetch(self, resource: object, **options: Any) -> Any:
        """Send a request to the object's `fetch`; awaits to a `workers.Response`.

        As in the SDK, nothing is sent before it is awaited; from outside the simulation it starts at once.
        Raises AbortError for what goes wrong over there, JsException for a request that cannot be sent.
        """
        if SCOPE.get() is not None:
            return self.__fetch__(resource, options)
        world = self._world
        given = world.journal.kept(resource) if world.journal is not None else resource
        request = world.make_fetch_request(resource, options)
        sent = self.__send__(request)
        assert isinstance(sent, OutsideCall)
        outcome = OutsideCall(world.loop, sent.request, f"{self._link.label}.fetch")
        following = Context().run(world.loop.create_task, self.__follow_from__(request, sent))
        following.add_done_callback(partial(hand_on, outcome))
        if world.journal is not None:
            world.journal.stub_called(self._link, "fetch", (given,), options, outcome)
        return outcome

    async def __fetch__(self, resource: object, options: dict[str, Any]) -> Any:
        return await self.__follow__(self._world.make_fetch_request(resource, options))

    async def __follow__(self, request: JsRequest) -> Any:
        """Send a request; its final response, after all redirects."""
        return await self.__follow_from__(request, self.__send__(request))

    async def __follow_from__(self, request: JsRequest, sent: asyncio.Future[JsResponse]) -> Any:
        """The final response to a request that was sent, after all redirects."""
        world = self._world
        redirected = False
        for _ in range(REDIRECT_LIMIT + 1):
            try:
                response = await sent
            except JsException as error:
                raise abort_error(error) from None
            target = redirect_target(response, request)
            if target is None:
                return world.wrap(deliver_response(response, request, redirected=redirected))
            request, redirected = target, True
            sent = self.__send__(request)
        raise AbortError("Too many redirects.")

    def __send__(self, request: JsRequest) -> asyncio.Future[JsResponse]:
        world = self._world
        sent = world.wrap(deliver_request(request))
        call = world.plain_call("fetch", self._link.label, "fetch", (sent,), SCOPE.get())
        self._link.bind(call)
        return world.begin(call)

    def __new_stub__(self) -> RemoteStub:
        """What the other side of a call gets when a stub is an argument or a result (recorded: allowed)."""
        return self._link.new_stub()

    def __repr__(self) -> str:
        return f"<stub of {self._link.label}>"


def abort_error(error: JsException) -> AbortError:
    """An error of a fetch as Python sees it: the text alone, of a Python exception its last line (recorded)."""
    text = error.message.strip().splitlines()[-1] if error.name == "PythonError" else error.message
    aborted = AbortError(text)
    for flag, value in error.flags.items():
        setattr(aborted, flag, value)
    for note in getattr(error, "__notes__", ()):
        aborted.add_note(note)
    return aborted


class RemoteMethod:
    """`stub.method`: calling it sends an RPC at once."""

    __slots__ = ("_link", "_name", "_world")

    def __init__(self, world: World, link: Link, name: str) -> None:
        self._world = world
        self._link = link
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        world = self._world
        call = world.new_call("rpc", self._link.label, self._name, args, kwargs)
        self._link.bind(call)
        answer = world.start(call)
        if world.journal is not None and call.caller is None:
            world.journal.stub_called(self._link, self._name, args, kwargs, answer)
        return answer

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._link.label}, not called>"
