"""Values across calls: copies of data, stubs of functions, and who keeps whose functions alive.

A function sent in a call or returned from one arrives as a stub; calling it runs the function where it was made.
Recorded: argument stubs are disposed when the call ends; a returned one keeps its owner in memory until the holder
disposes it or itself goes away.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dosim.platform.facts import RPC_LIMIT_BYTES
from dosim.runtime.calls import Call
from dosim.runtime.crossing import as_error
from dosim.runtime.promises import awaited
from dosim.trace.kinds import ONE_WAY
from dosim.web.errors import JsException, noted
from dosim.web.http import check_sendable
from dosim.web.ids import DurableObjectId
from dosim.web.sizes import serialized_size
from dosim.web.values import weighed_clone

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.instance import Instance
    from dosim.runtime.world import World

_PROXY_TEXT = (
    "Proxy could not be serialized because it is not a valid RPC receiver type. The Proxy must emulate either a plain"
    " object or an RpcTarget, as indicated by the Proxy's prototype chain."
)
DISPOSED_TEXT = "RPC stub used after being disposed."


class FunctionStub:
    """A function of somebody else, received over RPC: `await stub(5)` runs it over there."""

    def __init__(self, world: World, function: Callable[..., Any], owner: Any, label: str) -> None:
        self._world = world
        self.function = function
        self.owner = owner
        self.label = label
        self.disposed = False
        self.last_arrival_us = self.last_answer_us = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.disposed:
            raise JsException(DISPOSED_TEXT)
        world = self._world
        call = world.new_call("callback", self.label, getattr(self.function, "__name__", "function"), args, kwargs)
        call.stub = self
        return world.start(call)

    @property
    def target_place(self) -> City | None:
        place: City | None = self.owner.place if self.owner is not None else None
        return place

    def deliver(self, call: Call) -> None:
        """The call has reached whoever made the function: run it there."""
        place, world = self.target_place, self._world
        detail = (place.colo if place is not None else "",)
        call.last = world.emit(world.loop.now_us, "arrive", call.target, call.id, call.last, detail)
        world.functions.run(self, call)

    def dispose(self) -> None:
        """Let go of the function: a later call fails, and its owner may leave memory."""
        if not self.disposed:
            self.disposed = True
            self._world.functions.released(self)

    def transfer(self) -> FunctionStub:
        """The stub of whoever it is passed on to. Raises JsException once disposed."""
        if self.disposed:
            raise JsException(DISPOSED_TEXT)
        return self._world.functions.new_stub(self.function, self.owner)

    def __repr__(self) -> str:
        return f"<function of {self.label}>"


class _OwnRun:
    """A run of a function that a Worker's request or the outside world made: no gate, its own context."""

    def __init__(self, world: World, call: Call) -> None:
        self._world = world
        self._call = call

    def start(self, owner: Any) -> None:
        function, context = self._call.stub.function, owner.context if owner is not None else Context()
        context.run(self._start, function)

    def _start(self, function: Callable[..., Any]) -> None:
        try:
            result = function(*self._call.args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._answer(None, as_error(error))
            return
        if inspect.isawaitable(result):
            task = self._world.loop.create_task(result if inspect.iscoroutine(result) else awaited(result))
            task.add_done_callback(self._ended)
        else:
            self._finish(result)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._finish(task.result())
        else:
            self._answer(None, as_error(error))

    def _finish(self, result: Any) -> None:
        try:
            value = self._world.functions.outgoing_result(None, self._call, result)
        except Exception as error:
            self._answer(None, as_error(error))
        else:
            self._answer(value, None)

    def _answer(self, value: Any, error: BaseException | None) -> None:
        world, call = self._world, self._call
        kind, detail = ("return", ()) if error is None else ("throw", (str(error),))
        now_us = world.loop.time_us()
        call.last = world.emit(now_us, kind, call.target, call.id, call.last, detail)
        world.routes.reply(call, value, error, now_us)


class Functions:
    """Every function stub that somebody holds, by the instance that owns the function."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: Owner -> how many stubs are held, and since when without a break.
        self._holds: dict[Instance, int] = {}
        self._since_us: dict[Instance, int] = {}

    def held(self, owner: Instance) -> bool:
        """True while somebody holds a function of this instance."""
        return self._holds.get(owner, 0) > 0

    def held_since_us(self, owner: Instance) -> int | None:
        """Since when somebody has held a function of this instance; None: nobody does."""
        return self._since_us.get(owner) if self.held(owner) else None

    def drop_owner(self, owner: Instance) -> None:
        self._holds.pop(owner, None)
        self._since_us.pop(owner, None)

    def released(self, stub: FunctionStub) -> None:
        owner = stub.owner
        if owner in self._holds:
            self._holds[owner] -= 1
            if not self._holds[owner]:
                self.drop_owner(owner)
                owner.check_idle()

    def run(self, stub: FunctionStub, call: Call) -> None:
        """A call has reached whoever made the function: run it there."""
        owner = stub.owner
        if is_instance(owner):
            owner.host.let_in(call)
        else:
            _OwnRun(self._world, call).start(owner)

    def new_stub(self, function: Callable[..., Any], owner: Any) -> FunctionStub:
        """A stub that keeps its owner, if that is an object, in memory until it is disposed."""
        label = owner.label if owner is not None else "the outside"
        if is_instance(owner):
            self._holds[owner] = self._holds.get(owner, 0) + 1
            self._since_us.setdefault(owner, self._world.loop.now_us)
        return FunctionStub(self._world, function, owner, label)

    def outgoing_arguments(self, args: tuple[Any, ...], scope: Any, made: list[FunctionStub]) -> tuple[Any, ...]:
        """The arguments of a call as the other side reads them. Raises what the platform raises at the call."""
        owner = scope.owner if scope is not None else None

        def other(value: object) -> object:
            return self._other(value, owner, made)

        sent = []
        bound_bytes = 0
        for arg in args:
            copy, at_most_bytes = weighed_clone(arg, other)
            sent.append(copy)
            bound_bytes += at_most_bytes
        if bound_bytes >= RPC_LIMIT_BYTES:
            check_size(tuple(sent))
        return tuple(sent)

    def outgoing_result(self, instance: Any, call: Call, result: Any) -> Any:
        """A handler's result as the caller reads it. Raises what the platform raises for it."""
        if result is None and call.via != "fetch":
            return None
        if call.via == "fetch":
            response = self._world.check_response(result)
            check_sendable(response, call.args[0].js_object)
            return response
        if call.via in ONE_WAY:
            return None
        made: list[FunctionStub] = []
        value, bound_bytes = weighed_clone(result, lambda v: self._other(v, instance, made))
        if bound_bytes >= RPC_LIMIT_BYTES:
            check_size(value)
        for stub in made:
            if call.owner is not None:
                call.owner.hold(stub)
        return value

    def _other(self, value: object, owner: Any, made: list[FunctionStub]) -> object:
        if isinstance(value, FunctionStub):
            passed_on = value.transfer()
            made.append(passed_on)
            return passed_on
        if hasattr(type(value), "transfer"):
            return value.transfer()  # type: ignore[attr-defined]
        if hasattr(type(value), "__new_stub__"):
            return value.__new_stub__()  # type: ignore[attr-defined]
        if callable(value) and not isinstance(value, type):
            stub = self.new_stub(value, owner)
            made.append(stub)
            return stub
        if isinstance(value, DurableObjectId):
            raise JsException(
                'Could not serialize object of type "DurableObjectId". This type does not support serialization.',
                "DataCloneError",
            )
        raise noted(
            JsException(_PROXY_TEXT, "DataCloneError"),
            f"It is a {type(value).__name__}: plain data and functions can be sent, so send a dict of its fields.",
        )


def is_instance(owner: Any) -> bool:
    """True for the instance of an object, which has a gate; False for a Worker's request and the outside."""
    return getattr(owner, "is_instance", False)


def check_size(value: object) -> None:
    """Raises the platform's error for a value over 32 MiB serialised."""
    size_bytes = serialized_size(value)
    if size_bytes > RPC_LIMIT_BYTES:
        raise JsException(
            "Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was:"
            f" {size_bytes} bytes."
        )
