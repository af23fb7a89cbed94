"""`Call`: one request or RPC as it travels, waits, runs and returns; and `Flow`, the scope its code runs in."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from dosim.kernel.loop import SCOPE, Timer, complete
from dosim.kernel.tasks import Future
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.frames import Frame
    from dosim.runtime.gates import InputGate
    from dosim.runtime.instance import Instance
    from dosim.runtime.websocket import SocketEvent, WebSocketEnd


class Owner(Protocol):
    """Whose turn some code runs in: an object's instance or a Worker's request. It sends what the turn emits."""

    label: str
    place: City | None

    @property
    def env(self) -> Any:
        """The bindings of its Worker."""

    def emit(self, call: Call) -> None:
        """Send a call at the end of this turn, when the output gate lets it out."""

    def emit_frame(self, frame: Frame) -> None:
        """Send a WebSocket frame, likewise."""

    def keep_socket(self, socket: WebSocketEnd) -> None:
        """A socket was accepted with `accept()`: it keeps the owner going until it is closed."""

    def release_socket(self, socket: WebSocketEnd) -> None:
        """That socket is closed in both directions."""

    def socket_event(self, socket: WebSocketEnd, event: SocketEvent, cause: int) -> None:
        """Something has come for a socket's listeners."""

    def call_answered(self, call: Call) -> None:
        """An outgoing call of this owner came back."""

    def hold(self, stub: object) -> None:
        """Keep a received function alive for as long as this owner runs."""

    def pin(self, work: asyncio.Future[Any]) -> None:
        """`waitUntil` work keeps the owner going, until `unpin`."""

    def unpin(self, work: asyncio.Future[Any]) -> None:
        """That work is done."""


class Call:
    """One request: from a client to a Worker, from code to an object, an alarm's run, a call of a passed function.

    `via` is "client", "fetch", "rpc", "callback", "binding" (of a service), or, for events that nobody waits for,
    "alarm", "websocket" (a handler), "listener" (of a socket), "scheduled", "queue". `chain` is the number of the
    outside request that it belongs to: calls of one chain are let in where one request at a time is allowed.
    """

    __slots__ = (
        "args",
        "attempts",
        "caller",
        "chain",
        "future",
        "id",
        "key",
        "last",
        "leave_us",
        "lent",
        "lookup",
        "made",
        "method",
        "owner",
        "parent",
        "stub",
        "target",
        "task",
        "via",
        "wrote_before",
    )

    def __init__(
        self, number: int, via: str, target: str, method: str, args: tuple[Any, ...], caller: Flow | None, chain: int
    ) -> None:
        self.id = number
        self.via = via
        self.target = target
        self.method = method
        self.args = args
        self.caller = caller
        self.chain = chain
        self.parent: Call | None = None
        #: Whose code made the call; None: the outside world.
        self.owner: Owner | None = None
        if caller is not None:
            self.parent = caller.call
            self.owner = caller.owner
        self.future: asyncio.Future[Any] | None = None
        self.stub: Any = None
        self.task: asyncio.Task[Any] | None = None
        self.last = 0
        self.leave_us = 0
        self.lookup = False
        #: What this call's random draws are keyed by: its place in the tree of calls, not when it was made.
        self.key = 0
        self.made = 0
        #: Functions passed as arguments: disposed when the call ends (recorded).
        self.lent: list[Any] | None = None
        self.wrote_before = False
        #: (attempts so far, when the first was made) of a request that was lost on its way; None: none was.
        self.attempts: tuple[int, int] | None = None

    @property
    def is_fetch(self) -> bool:
        return self.via == "fetch"

    def __repr__(self) -> str:
        if self.via == "client":
            return f"#{self.id} {self.method} from {self.target}"
        return f"#{self.id} {self.target}.{self.method}"


class OutsideCall(Future[Any]):
    """A call from outside the world, under way: an awaitable that becomes its result; see `sim.explain(call)`."""

    __slots__ = ("request", "said")

    def __init__(self, loop: asyncio.AbstractEventLoop, request: int, said: str) -> None:
        super().__init__(loop=loop)
        #: The request's number in the trace.
        self.request = request
        #: The call, for people.
        self.said = said

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done() and events._get_running_loop() is not self.get_loop():
            raise RuntimeError(
                "this awaitable belongs to a simulation, which does not run by itself: write sim.run(call), or in a"
                " running loop `await sim.arun(call)`."
            )
        return super().__await__()

    def __repr__(self) -> str:
        if not self.done():
            how = "under way"
        elif self.cancelled():
            how = "cancelled"
        else:
            how = "failed" if self.exception() is not None else "answered"
        return f"<#{self.request} {self.said}: {how}>"


class Flow:
    """The scope of one call's code in an object: where its timers and replies are delivered.

    A critical section's callback runs in a flow of its own, whose gate is the section.
    """

    __slots__ = ("call", "gate")

    def __init__(self, gate: InputGate, call: Call | None) -> None:
        self.gate = gate
        self.call = call

    @property
    def owner(self) -> Instance:
        return self.gate.instance

    def context(self) -> Context:
        """A fresh context for code of this flow: every call starts from defaults (recorded)."""
        context = Context()
        context.run(SCOPE.set, self)
        return context

    def timer_due(self, timer: Timer) -> None:
        self.gate.timer_due(timer, self)

    def io_due(self, hop: tuple[asyncio.Future[None], str]) -> None:
        self.gate.deliver(Event(complete, hop[0], self, hop[1]))

    def timers_changed(self, by: int) -> None:
        self.gate.instance.timers += by

    def result_due(self, call: Call, settle: Callable[[Any], None], outcome: Any) -> None:
        """The answer to a call of this flow is there."""
        self.gate.deliver(Event(settle, outcome, self, repr(call), call.id))


def current_flow(root: Flow) -> Flow:
    """The flow of the code that runs now, if it runs in the object of `root`; else `root` itself."""
    scope: Any = SCOPE.get()
    return scope if isinstance(scope, Flow) and scope.owner is root.owner else root


class Event:
    """One thing to deliver to an object: `fn(arg)` in the context of `flow`, when the gate lets it in."""

    __slots__ = ("after", "arg", "child", "flow", "fn", "held_by", "ready_us", "starts", "user_code")

    def __init__(
        self,
        fn: Callable[[Any], object],
        arg: object,
        flow: Flow,
        after: str = "",
        child: int = 0,
        *,
        starts: bool = False,
        user_code: bool = False,
    ) -> None:
        self.fn = fn
        self.arg = arg
        self.flow = flow
        self.after = after
        self.child = child
        #: A call's handler starts with it.
        self.starts = starts
        #: `fn` itself runs code of the object, so it needs a context of the flow.
        self.user_code = user_code or starts
        self.held_by = ""
        self.ready_us = 0


def settle(outcome: tuple[asyncio.Future[Any], Any, BaseException | None]) -> None:
    """Give a waiting future its value or its error."""
    future, value, error = outcome
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def hand_on(outcome: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
    """Give `outcome` what `done` ended with."""
    if outcome.done():
        return
    if done.cancelled():
        outcome.cancel()
    else:
        error = done.exception()
        settle((outcome, None if error is not None else done.result(), error))


def copy_of(error: BaseException) -> BaseException:
    """Every caller gets an error object of its own."""
    if isinstance(error, JsException):
        twin = JsException(error.message, error.name, **error.flags)
        for note in getattr(error, "__notes__", ()):
            twin.add_note(note)
        return twin
    return error
