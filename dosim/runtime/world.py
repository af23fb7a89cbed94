"""`World`: what all parts of one running simulation share. The runtime's own registry; users hold a `Simulation`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from dosim.kernel.choosing import ChoosingLoop
from dosim.kernel.loop import SCOPE, Loop
from dosim.kernel.streams import Stream, mix64
from dosim.kernel.tasks import Future
from dosim.platform.facts import IO_TASKS_PREVENT_EVICTION, Platform
from dosim.runtime.calls import Call, OutsideCall
from dosim.runtime.faults import Faults
from dosim.runtime.functions import Functions, FunctionStub
from dosim.runtime.host import ObjectHost
from dosim.runtime.promises import awaited
from dosim.runtime.routes import Routes
from dosim.runtime.waits import Waits
from dosim.trace import Trace
from dosim.web.errors import DurableObjectAbort
from dosim.web.ids import DurableObjectId, IdFactory

if TYPE_CHECKING:
    from dosim.kernel.chooser import Chooser
    from dosim.network import City, Network
    from dosim.runtime.calls import Event
    from dosim.runtime.instance import Instance
    from dosim.web.http import JsRequest, JsResponse


class ClassBinding(Protocol):
    """A Durable Object class as it is bound: what the runtime needs to know of user code."""

    name: str
    class_name: str
    sqlite: bool
    prevent_eviction: bool
    world: World
    ids: IdFactory
    unique_key: str

    @property
    def has_alarm_handler(self) -> bool: ...

    @property
    def env(self) -> Any: ...

    @property
    def program(self) -> Any: ...

    def make(self, host: ObjectHost, instance: Instance) -> object:
        """Run the class's constructor."""


class World:
    """Loop, trace, network, streams, objects of one simulation."""

    def __init__(
        self,
        *,
        seed: int | str,
        platform: Platform,
        compatibility_date: str,
        compatibility_flags: tuple[str, ...],
        concurrency: str,
        network: Network | None,
        retention: str,
        portability: Callable[[str, str], bool],
        check_response: Callable[[object], JsResponse],
        make_fetch_request: Callable[[object, dict[str, Any]], JsRequest],
        wrap: Callable[[object], object],
        chooser: Chooser | None = None,
    ) -> None:
        # What a simulated world refuses stays undefined.
        self.loop: Loop = Loop() if chooser is None else ChoosingLoop(chooser)  # type: ignore[abstract]
        self.trace = Trace(retention)
        self.emit = self.trace.emit
        self.seed = seed
        self.chooser = chooser
        #: How this world was made when a seed and a schedule do not say it: a fork.
        self.made_by: str | None = None
        self.platform = platform
        self.compatibility_date = compatibility_date
        self.compatibility_flags = compatibility_flags
        self.one_at_a_time = concurrency == "one-at-a-time"
        self.network = network
        self.network_stream = Stream(seed, "network")
        self.user_stream = Stream(seed, "user")
        self.alarm_stream = Stream(seed, "alarm")
        self.fault_stream = Stream(seed, "faults")
        self.id_stream = Stream(seed, "ids")
        self.loop.on_error = self.callback_failed
        #: (trap, portable spelling) -> True when the Python value is accepted all the same.
        self.portability = portability
        #: A handler's result as the Response it must be. Raises the platform's TypeError.
        self.check_response = check_response
        #: The request that `fetch(resource, **options)` sends.
        self.make_fetch_request = make_fetch_request
        #: A JavaScript request or response in the SDK's own wrapper.
        self.wrap = wrap
        #: What `fetch` reaches outside: the services that were declared.
        self.externals: Any = None
        #: Whether `print` of simulated code is shown besides being recorded.
        self.show_output = True
        #: Whether Python's values are accepted where the platform refuses them.
        self.friendly = False
        #: Every object that was ever touched, by its id, in that order.
        self.hosts: dict[str, ObjectHost] = {}
        self.functions = Functions(self)
        self.routes = Routes(self)
        self.waits = Waits(self)
        #: What is broken; None: nothing ever was.
        self.faults: Faults | None = None
        #: Makes the line of those who wait at a gate.
        self.new_line: Callable[[], deque[Event]] = deque
        self.graveyard: list[Instance] = []
        #: Where calls of stubs from outside are noted, so that a fork can make them again; None: nowhere.
        self.journal: Any = None
        self._calls = 0
        self._roots = 0
        self._sockets = 0
        self._stubs = 0
        #: How many random ids were made.
        self.ids_drawn = 0
        self._references = 0

    @property
    def replay(self) -> str:
        """How to come here again, for notes of errors."""
        if self.made_by is not None:
            return self.made_by
        taken = "" if self.chooser is None else str(self.chooser.taken)
        return f"Simulation(seed={self.seed!r}" + (f', schedule="{taken}")' if taken else ")")

    # -- calls

    def new_call(self, via: str, target: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """A call from the code that runs now, its arguments converted. Raises what the platform raises at the call."""
        scope: Any = SCOPE.get()
        if kwargs:
            args = (*args, dict(kwargs))
        if not args:
            return self.plain_call(via, target, method, args, scope)
        lent: list[FunctionStub] = []
        call = self.plain_call(via, target, method, self.functions.outgoing_arguments(args, scope, lent), scope)
        call.lent = lent
        return call

    def plain_call(self, via: str, target: str, method: str, args: tuple[Any, ...], scope: Any) -> Call:
        """A call whose arguments are already what the other side gets."""
        self._calls = number = self._calls + 1
        parent: Call | None = scope.call if scope is not None else None
        if parent is None:
            call = Call(number, via, target, method, args, scope, number)
            self._roots += 1
            call.key = mix64(self._roots)
            caller = cause = 0
        else:
            call = Call(number, via, target, method, args, scope, parent.chain)
            parent.made += 1
            call.key = mix64(parent.key + parent.made)
            caller, cause = parent.id, parent.last
        call.last = self.emit(self.loop.time_us(), "call", target, number, cause, (caller, via, target, method))
        return call

    def begin(self, call: Call) -> asyncio.Future[Any]:
        """Send a call with the turn that made it; the future is its answer."""
        future: Future[Any]
        if call.owner is not None:
            future = call.future = Future(loop=self.loop)
            call.owner.emit(call)
        else:
            future = call.future = OutsideCall(self.loop, call.id, f"{call.target}.{call.method}")
            self.routes.send(call, self.loop.time_us())
        return future

    def start(self, call: Call) -> Any:
        """Send a call; what user code awaits: a coroutine inside, the future itself outside."""
        future = self.begin(call)
        return future if call.caller is None else answer_of(call, future)

    def client_call(self, client: str, method: str, key: int) -> Call:
        """A request from outside the world; its marks are the client's own, its draws keyed by `key`."""
        self._calls = number = self._calls + 1
        call = Call(number, "client", client, method, (), None, number)
        call.key = mix64(key)
        return call

    def event_call(self, via: str, host: ObjectHost, method: str, args: tuple[Any, ...], stub: Any, cause: int) -> Call:
        """An event of an object that nobody waits for; `cause` is the record that brought it about."""
        self._calls = number = self._calls + 1
        call = Call(number, via, host.label, method, args, None, number)
        self._roots += 1
        call.key = mix64(self._roots)
        call.stub = stub
        call.last = self.emit(self.loop.time_us(), "call", host.label, number, cause, (0, via, host.label, method))
        return call

    def next_socket(self) -> int:
        """The number of a new connection."""
        self._sockets += 1
        return self._sockets

    def next_stub(self) -> int:
        """The number of a stub of an object that is used for the first time."""
        self._stubs += 1
        return self._stubs

    def next_root(self) -> int:
        """What the draws of something new from outside are keyed by."""
        self._roots += 1
        return self._roots

    def new_alarm_call(self, host: ObjectHost, info: object) -> Call:
        """A run of an object's alarm handler: a chain of its own, without a caller."""
        return self.plain_call("alarm", host.label, "alarm", (info,), None)

    def callback_failed(self, error: BaseException, context: Context | None = None) -> None:
        """A timer, microtask, done callback or listener of simulated code raised: a record, and the world goes on.

        Recorded. `context`: the one it ran in; None: the current one.
        """
        scope: Any = SCOPE.get() if context is None else context.get(SCOPE)
        if scope is None:
            raise error
        if not isinstance(error, DurableObjectAbort):
            call: Call | None = scope.call
            text = f"{type(error).__name__}: {error}"
            now_us = self.loop.time_us()
            self.emit(
                now_us, "task_failed", scope.owner.label, call.id if call else 0, call.last if call else 0, (text,)
            )

    # -- objects

    def host(
        self, binding: ClassBinding, object_id: DurableObjectId, origin: City | None, hint: str | None
    ) -> ObjectHost:
        """The object with this id; placed now if it is touched for the first time."""
        key = str(object_id)
        if (
            object_id.namespace is not binding.ids
        ):  # an id of another namespace reaches an object of this one (recorded)
            key = f"{binding.unique_key}:{key}"
        found = self.hosts.get(key)
        if found is None:
            place = None
            if self.network is not None:
                avoid = self.faults.down if self.faults is not None else ()
                place = self.network.place(origin or self.network.default, hint, object_id.jurisdiction, avoid)
            found = self.hosts[key] = ObjectHost(binding, object_id, place)
        return found

    def lookup_us(self, call: Call, origin: City | None, leave_us: int) -> int:
        """What a call waits for the global lookup that the first access to a name costs, microseconds."""
        host: ObjectHost | None = getattr(call.stub, "host", None)
        if self.network is None or origin is None or host is None:
            return 0
        if call.lookup:
            host.known_us = leave_us + self.network.lookup_us(origin)
        return max(0, host.known_us - leave_us)

    @property
    def operations_hold(self) -> bool:
        """Whether timers, calls and waitUntil work keep an object in memory, in production."""
        flag = "durable_object_io_tasks_prevent_eviction"
        return self.flag_since(flag, f"no_{flag}", IO_TASKS_PREVENT_EVICTION)

    def close_unfinished(self) -> None:
        """The world is gone: end the handlers that never ended, without a sound, so that no `finally` speaks later."""
        for task in self.loop.unfinished():
            with suppress(BaseException):
                Context().run(task.get_coro().close)

    # -- draws

    def reference(self, label: str) -> str:
        """The random id of an "internal error", 24 characters."""
        self._references += 1
        text = f"{self.seed}\0{label}\0{self._references}"
        return blake2b(text.encode(), digest_size=12).hexdigest()

    def unique_bytes(self) -> bytes:
        """16 random bytes for a new id."""
        self.ids_drawn = number = self.ids_drawn + 1
        return (self.id_stream.bits(number) << 64 | self.id_stream.bits(number, 1)).to_bytes(16, "big")

    def reseed(self, seed: int | str) -> None:
        """Draw from this seed's streams, from now on."""
        self.seed = seed
        streams = (self.network_stream, self.user_stream, self.alarm_stream, self.fault_stream, self.id_stream)
        for stream in streams:
            stream.reseed(seed)

    def alarm_jitter(self, host: ObjectHost, run: int) -> float:
        return self.alarm_stream.uniform(mix64(int(str(host.id)[:12], 16)), run)

    def flag_since(self, flag: str, opposite: str, date: str) -> bool:
        """Whether a behaviour is on: by its flag's name, by the opposite's, else by date."""
        if flag in self.compatibility_flags:
            return True
        return opposite not in self.compatibility_flags and self.compatibility_date >= date


def answer_of(call: Call, future: asyncio.Future[Any]) -> Any:
    """The answer to a call that has already been sent: a coroutine that bears the call's name."""
    answer: Any = awaited(future)
    answer.__qualname__ = f"{call.target}.{call.method}"
    return answer
