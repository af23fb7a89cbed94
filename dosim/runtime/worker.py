"""`WorkerRequest`: one request in a Worker: no gate, no storage, an instance of the entrypoint class of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from types import CoroutineType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from dosim.kernel.loop import SCOPE, Timer, complete
from dosim.runtime.calls import Call
from dosim.runtime.context import keep_until_done
from dosim.runtime.crossing import as_error
from dosim.runtime.dispatch import RESERVED, find_method, refusal, thrown, with_nothing_more
from dosim.web.errors import type_error
from dosim.web.http import check_sendable

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.frames import Frame
    from dosim.runtime.websocket import SocketEvent, WebSocketEnd
    from dosim.runtime.world import World


_EMPTY = Context()
_WITH_SELF_AND_REQUEST = 2


class WorkerEvent:
    """What happens to a Worker: how its entrypoint is called, and what its result becomes for whoever waits."""

    __slots__ = ("convert", "entrypoint", "invoke")

    def __init__(
        self, entrypoint: str, invoke: Callable[[Any], Any], convert: Callable[[WorkerRequest, Any], Any]
    ) -> None:
        self.entrypoint = entrypoint
        #: The entrypoint's instance -> the handler's result, or what to await for it.
        self.invoke = invoke
        #: The result as it leaves. Raises JsException for a result that cannot.
        self.convert = convert


def fetch_event(request: Any, entrypoint: str = "Default") -> WorkerEvent:
    """A request for an entrypoint's `fetch`; `request` is the handler's own, wrapped."""

    def invoke(user: Any) -> Any:
        return _handler(user)(request)

    def convert(worker: WorkerRequest, result: Any) -> Any:
        response = worker.world.check_response(result)
        check_sendable(response, request.js_object)
        return response

    return WorkerEvent(entrypoint, invoke, convert)


def rpc_event(method: str, args: tuple[Any, ...], entrypoint: str = "Default") -> WorkerEvent:
    """A call of an entrypoint's own method."""

    def invoke(user: Any) -> Any:
        if method in RESERVED:
            raise type_error(f"'{method}' is a reserved method and cannot be called over RPC.")
        return find_method(user, method)(*args)

    return WorkerEvent(
        entrypoint, invoke, lambda worker, result: worker.world.functions.outgoing_result(worker, worker.call, result)
    )


def handler_event(handler: str, *args: Any) -> WorkerEvent:
    """`scheduled` or `queue`: three arguments, of which `env` and `ctx` are None (recorded)."""
    return WorkerEvent("Default", lambda user: getattr(user, handler)(*args, None, None), lambda worker, result: None)


def _handler(user: Any) -> Callable[..., Any]:
    """The entrypoint's `fetch`, to be called with the request. Raises the platform's TypeError when there is none."""
    function = getattr(type(user), "fetch", None)
    if not callable(function):
        raise type_error("Method fetch does not exist")
    method = user.fetch
    plain = type(function) is FunctionType and type(method) is MethodType and method.__func__ is function
    takes_it = plain and function.__code__.co_argcount == _WITH_SELF_AND_REQUEST
    return method if takes_it else with_nothing_more(method)


class ExecutionContext:
    """What a WorkerEntrypoint gets as `ctx`."""

    def __init__(self, request: WorkerRequest, exports: Any) -> None:
        self._request = request
        self.props: dict[str, object] = {}
        #: The Worker's own entrypoints and object classes, as bindings.
        self.exports = exports

    def waitUntil(self, promise: Any) -> None:
        """Let `promise` (a coroutine, task or future) finish after the response."""
        keep_until_done(self._request, asyncio.ensure_future(promise))

    def passThroughOnException(self) -> None:
        """Accepted: there is no origin server behind a simulated Worker."""


class WorkerRequest:
    """The scope and owner of the code that handles one event of a Worker: a request, a call, a cron, a batch."""

    __slots__ = (
        "_answered",
        "_busy_until_us",
        "_event",
        "_finished",
        "_held",
        "_outbox",
        "_pins",
        "_turn_ending",
        "_waiting",
        "call",
        "context",
        "env",
        "label",
        "loop",
        "place",
        "world",
    )

    def __init__(
        self,
        world: World,
        call: Call,
        place: City | None,
        label: str,
        answered: Callable[[Call, Any, Any], None],
        env: Any,
    ) -> None:
        self.env = env
        self.world = world
        self.loop = world.loop
        self.call = call
        self.place = place
        self.label = label
        self._answered = answered
        #: A context of its own: every request starts from defaults.
        self.context = Context()
        self._outbox: list[Call | Frame] = []
        self._turn_ending = False
        self._finished = False
        self._pins = 0
        self._waiting = 0
        self._held: list[Any] = []
        self._busy_until_us = 0

    @property
    def owner(self) -> WorkerRequest:
        return self

    # -- turns

    def run(self, make: Callable[[WorkerRequest, str], Any], event: WorkerEvent, detail: tuple[object, ...]) -> None:
        """Make the entrypoint and call its handler; `detail` is that of the trace's record."""
        call = self.call
        call.last = self.world.emit(self.loop.now_us, "worker", self.label, call.id, call.last, detail)
        self._event = event
        self.touch()
        self.context.run(self._run, make)

    def _run(self, make: Callable[[WorkerRequest, str], Any]) -> None:
        SCOPE.set(self)
        event = self._event
        try:
            result = event.invoke(make(self, event.entrypoint))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.answer(None, thrown(error))
            return
        if type(result) is not CoroutineType and not inspect.isawaitable(result):
            self._finish(result)
            return
        self.call.task = self.loop.start(self._wait(result))

    async def _wait(self, handler: Any) -> None:
        """The task of the handler: wait for its end and report it."""
        try:
            result = await handler
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self.answer(None, as_error(error))
        else:
            self._finish(result)

    def _finish(self, result: Any) -> None:
        try:
            value = self._event.convert(self, result)
        except Exception as error:
            self.answer(None, refusal(error))
        else:
            self.answer(value, None)

    def answer(self, response: Any, error: BaseException | None) -> None:
        """The handler has ended."""
        call = self.call
        kind, detail = ("return", ()) if error is None else ("throw", (str(error),))
        call.last = self.world.emit(self.loop.time_us(), kind, self.label, call.id, call.last, detail)
        call.task = None  # the task knows its context, which knows this request: no cycle is left behind
        self._finished = True
        self._answered(call, response, error)
        self.touch()

    def touch(self) -> None:
        if not self._turn_ending:
            self._turn_ending = True
            self.loop.turn_ends.append(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_ending = False
        cpu_us = self.loop.cpu_us
        if cpu_us:
            self._busy_until_us = self.loop.now_us + cpu_us
            call = self.call
            call.last = self.world.emit(self.loop.now_us, "cpu", self.label, call.id, call.last, (cpu_us,))
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            if len(outbox) > 1:
                outbox.sort(key=lambda emitted: not emitted.is_fetch)
            for emitted in outbox:
                if isinstance(emitted, Call):
                    self.world.routes.send(emitted, emitted.leave_us)
                else:
                    emitted.leave(emitted.leave_us)
        if self._finished and not self._pins and not self._waiting:
            self._let_go()

    def _let_go(self) -> None:
        """The request is over: what it held is disposed, and its context forgets it."""
        if self._held:
            held, self._held = self._held, []
            for stub in held:
                stub.dispose()
        self.context = _EMPTY

    # -- Owner

    def emit(self, call: Call) -> None:
        call.leave_us = self.loop.time_us()
        self._waiting += 1
        self._outbox.append(call)
        self.touch()

    def call_answered(self, call: Call) -> None:
        self._waiting -= 1

    def hold(self, stub: object) -> None:
        self._held.append(stub)

    def pin(self, work: asyncio.Future[Any]) -> None:
        self._pins += 1
        self.touch()

    def unpin(self, work: asyncio.Future[Any]) -> None:
        self._pins -= 1
        self.touch()

    def emit_frame(self, frame: Frame) -> None:
        frame.leave_us = self.loop.time_us()
        self._outbox.append(frame)
        self.touch()

    def keep_socket(self, socket: WebSocketEnd) -> None:
        self._waiting += 1

    def release_socket(self, socket: WebSocketEnd) -> None:
        self._waiting -= 1
        self.touch()

    def socket_event(self, socket: WebSocketEnd, event: SocketEvent, cause: int) -> None:
        self._socket_due((socket, event))

    def _socket_due(self, due: tuple[WebSocketEnd, SocketEvent]) -> None:
        if self._busy(self._socket_due, due):
            return
        socket, event = due
        self._resume(f"{event.type} listener", 0)
        socket.delivered()
        context = Context()
        context.run(SCOPE.set, self)
        context.run(self._run_listeners, socket, event)

    def _run_listeners(self, socket: WebSocketEnd, event: SocketEvent) -> None:
        left = socket.run_listeners(event)
        if left is not None:
            self.loop.start(left)

    #: A request lives once.
    life = 0

    # -- Scope

    def _resume(self, after: str, child: int) -> None:
        now_us = self.loop.now_us
        call = self.call
        call.last = self.world.emit(now_us, "resume", self.label, call.id, call.last, (after, child, now_us, ""))
        self.touch()

    def timer_due(self, timer: Timer) -> None:
        if self._busy(self.timer_due, timer):
            return
        self._resume("timer", 0)
        timer.run()

    def io_due(self, hop: tuple[asyncio.Future[None], str]) -> None:
        if self._busy(self.io_due, hop):
            return
        self._resume(hop[1], 0)
        complete(hop[0])

    def timers_changed(self, by: int) -> None:
        self._waiting += by

    def _busy(self, again: Callable[[Any], None], event: Any) -> bool:
        """True while an earlier turn of this request still computes: its next event waits until that is over."""
        if self.loop.now_us >= self._busy_until_us:
            return False
        self.loop.at(self._busy_until_us, again, event)
        return True

    def _result_late(self, late: tuple[Call, Callable[[Any], None], Any]) -> None:
        self.result_due(*late)

    def result_due(self, call: Call, settle: Callable[[Any], None], outcome: Any) -> None:
        if self.loop.now_us < self._busy_until_us and self._busy(self._result_late, (call, settle, outcome)):
            return
        self._resume(repr(call), call.id)
        settle(outcome)
