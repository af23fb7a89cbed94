"""`Agent`: a Durable Object with connections, a state, schedules, a queue and fibers.

It uses only what any object can: storage, one alarm, hibernatable sockets. Names are those of the Python port
`cf-agents`, semantics those of the npm package `agents` 0.32.0.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import EllipsisType
from typing import Any, ClassVar, Generic, TypeVar

from dosim.agents.callables import CallableMetadata, Rpc, callable_methods
from dosim.agents.calling import call
from dosim.agents.connections import Connection, ConnectionContext, Connections
from dosim.agents.current import acting, get_current_agent
from dosim.agents.emails import AgentEmail, received, reply_to
from dosim.agents.errors import ReadonlyConnectionError, SqlError
from dosim.agents.jobs import JobTable
from dosim.agents.lifecycle import Lifecycle, said
from dosim.agents.options import AgentOptions
from dosim.agents.queueing import Queue, QueueItem
from dosim.agents.retrying import Duration, RetryOptions, retry
from dosim.agents.scheduling import Schedule, Schedules
from dosim.agents.state import State
from dosim.agents.staying import FiberContext, FiberRecoveryContext, KeepAlive, Staying, stash
from dosim.workers import DurableObject, Response, wait_until
from dosim.workers.ffi import JsException, create_once_callable
from dosim.workers.js import Date, console, setTimeout

S = TypeVar("S")
_DESTROY_PENDING = "cf_agents_destroy_pending"
_MOST_INTEGER = 2**53 - 1


class Agent(Generic[S], DurableObject):  # noqa: PYI059  # the SDK's DurableObject does not call the next __init_subclass__
    """Override the `on_...` hooks that you need; mark what clients may call with `@callable`.

    initial_state: the state until one is set, a JSON value. options: settings of the class. observability: an object
    whose `emit(event)` gets a dict for everything that happens; None: nobody.
    """

    initial_state: Any = None
    options: AgentOptions = AgentOptions()
    observability: Any = None
    #: Methods that are the SDK's: the others are wrapped, so that a call over RPC starts the agent first.
    _cf_own: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in list(vars(cls).items()):
            if not name.startswith("_") and name not in Agent._cf_own and inspect.isfunction(value):
                setattr(cls, name, _entered(value))

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._cf_jobs = JobTable(self.sql)
        self._cf_lifecycle = Lifecycle(self, self._cf_jobs)
        self._cf_state = State(self)
        self._cf_connections = Connections(self)
        self._cf_rpc = Rpc(self)
        self._cf_schedules = Schedules(self)
        self._cf_queue = Queue(self)
        self._cf_staying = Staying(self)
        #: Whose jobs are whose.
        self._cf_owners: dict[str, Any] = {
            "scheduler": self._cf_schedules,
            "queue": self._cf_queue,
            "host": self._cf_staying,
        }

    @property
    def name(self) -> str:
        """The name that it is addressed by. Raises RuntimeError for an object without one."""
        name = self.ctx.id.name
        if not name:
            raise RuntimeError(
                f"{type(self).__name__} could not determine its Durable Object name: address it with getByName() or"
                " idFromName(), not with newUniqueId() or idFromString()."
            )
        return str(name)

    # -- hooks: override these

    async def on_start(self, props: Any = None) -> None:
        """Once for each life in memory, before any event; `props`: what the router was given for it."""

    async def on_request(self, request: Any) -> Response:
        """An HTTP request."""
        return Response("Not implemented", status=404)

    async def on_connect(self, connection: Connection, context: ConnectionContext) -> None:
        """A client has connected; `context.request` is its upgrade request."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """A client's message, unless it is one of the protocol's: state, rpc."""

    async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """A client has closed its connection."""

    async def on_error(self, connection: Connection | None, error: Any) -> None:
        """An error in a hook, in a callback after its last attempt, or (with `connection`) of a connection.

        The default logs it and raises it again. One that returns has handled it.
        """
        console.error(f"Error on {'websocket connection' if connection else 'server'}:", said(error))
        raise error if isinstance(error, BaseException) else RuntimeError(str(error))

    async def on_email(self, email: AgentEmail) -> None:
        """An e-mail that `route_agent_email` has brought here."""
        console.log("Received email from:", email.from_, "to:", email.to)
        console.log("Implement on_email(self, email) in your agent to process emails")

    async def on_alarm(self) -> None:
        """The alarm has rung, and what was due has run; `schedule` is the usual way."""

    async def on_state_changed(self, state: S, source: Any) -> None:
        """The state has changed, by "server" or by a connection; it is kept and sent already."""

    def validate_state_change(self, next_state: S, source: Any) -> None:
        """Raise to refuse a change of the state. Not async."""

    async def on_fiber_recovered(self, fiber: FiberRecoveryContext) -> None:
        """A fiber was cut off by the end of an earlier life."""
        console.warn(
            f'[Agent] Fiber "{fiber.name}" ({fiber.id}) was interrupted.'
            " Override on_fiber_recovered to handle recovery."
        )

    async def get_connection_tags(self, connection: Connection, context: ConnectionContext) -> list[str]:
        """Tags for a new connection, besides its id: nine at most."""
        return []

    async def should_connection_be_readonly(self, connection: Connection, context: ConnectionContext) -> bool:
        """Whether a new connection may not change the state."""
        return False

    async def should_send_protocol_messages(self, connection: Connection, context: ConnectionContext) -> bool:
        """Whether a new connection gets the SDK's own frames."""
        return True

    # -- state

    @property
    def state(self) -> S:
        """The state, or `initial_state` before one was set; change it with `set_state`."""
        value: S = self._cf_state.get()
        return value

    def set_state(self, state: S) -> None:
        """Check, keep, broadcast and tell a new state.

        Raises what `validate_state_change` raises; ReadonlyConnectionError while a read-only connection is served;
        TypeError for what is no JSON; SqlError for more than a row holds.
        """
        current = get_current_agent()
        if current.agent is self and current.connection is not None and current.connection.readonly:
            raise ReadonlyConnectionError
        self._cf_state.set(state, "server")

    def _cf_check_change(self, value: Any, source: Any) -> None:
        check: Callable[[Any, Any], Any] = self.validate_state_change
        result = check(value, source)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("validate_state_change must not be async: write `def validate_state_change(...)`.")

    def _cf_state_changed(self, value: Any, source: Any) -> None:
        self._cf_connections.broadcast_state(value, [] if source == "server" else [source.id])
        wait_until(self._cf_tell_change(value, source, get_current_agent()))

    async def _cf_tell_change(self, value: Any, source: Any, current: Any) -> None:
        with acting(self, current.connection, current.request, current.email):
            self._cf_emit("state:update")
            try:
                await call(self.on_state_changed, value, source)
            except Exception as error:
                await self._cf_tell(None, error)

    # -- connections

    def get_connections(self, tag: str | None = None) -> Iterator[Connection]:
        """The open connections; with a tag, those that have it."""
        return self._cf_connections.all(tag)

    def get_connection(self, id: str) -> Connection | None:  # noqa: A002  # the SDK's name
        """The open connection with this id. Raises DuplicateConnectionIdError when several have it."""
        return self._cf_connections.one(id)

    def broadcast(self, message: str | bytes, *, exclude: Any = ()) -> None:
        """Send to every open connection but those excluded: ids or connections, one or several."""
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"broadcast() takes text or bytes, not {type(message).__name__}: send json.dumps(data).")
        excluded = [exclude] if isinstance(exclude, (str, Connection)) else list(exclude)
        for one in excluded:
            if not isinstance(one, (str, Connection)):
                raise TypeError(f"broadcast(exclude=...) takes ids and connections, not {one!r}.")
        self._cf_connections.send_all(message, lambda connection: connection.id in excluded or connection in excluded)

    def get_callable_methods(self) -> dict[str, CallableMetadata]:
        """The methods that clients can call."""
        return callable_methods(type(self))

    # -- storage

    def sql(self, query: str, *params: Any) -> list[dict[str, Any]]:
        """Run a statement, with a value for each `?`; its rows as dicts, BLOBs as bytes.

        Raises SqlError for what the storage refuses, TypeError and ValueError for values that SQL cannot keep.
        """
        values = [_bound(value) for value in params]
        try:
            rows = self.ctx.storage.sql.exec(query, *values).toArray()
        except JsException as error:
            raise SqlError(query, error.message) from error
        return [{name: _read(value) for name, value in row.items()} for row in rows]

    # -- time

    async def schedule(
        self,
        when: datetime | timedelta | float | str,
        callback: str | Callable[..., Any],
        payload: Any = None,
        *,
        retry: RetryOptions | None = None,
        idempotent: bool | None = None,
    ) -> Schedule:
        """Call `callback(payload, schedule)` at a time, after a delay (seconds), or by a cron expression (UTC).

        callback: a method or its name. retry: how often it is tried. idempotent: return a schedule that asks for the
        same instead of adding one (unless told: for cron, not for the others). Raises TypeError, ValueError,
        InvalidCronExpressionError.
        """
        return await self._cf_schedules.at(when, callback, payload, retry, idempotent)

    async def schedule_every(
        self,
        interval: Duration,
        callback: str | Callable[..., Any],
        payload: Any = None,
        *,
        retry: RetryOptions | None = None,
        idempotent: bool | None = None,
    ) -> Schedule:
        """Call `callback(payload, schedule)` again and again, an interval after each run; 30 days at most."""
        return await self._cf_schedules.every(interval, callback, payload, retry, idempotent)

    async def cancel_schedule(self, id: str) -> bool:  # noqa: A002
        """Cancel a schedule; whether there was one."""
        return await self._cf_schedules.cancel(id)

    async def get_schedule_by_id(self, id: str) -> Schedule | None:  # noqa: A002
        """A schedule; None: it has run, or never was."""
        return await self._cf_schedules.get(id)

    async def list_schedules(
        self,
        *,
        id: str | None = None,  # noqa: A002
        type: str | None = None,  # noqa: A002
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Schedule]:
        """The schedules, by their next time; by id, type ("scheduled", "delayed", "cron", "interval") or time."""
        return await self._cf_schedules.list(id, type, start, end)

    # -- work

    async def queue(
        self,
        callback: str | Callable[..., Any],
        payload: Any = None,
        *,
        retry: RetryOptions | None = None,
        id: str | None = None,  # noqa: A002
    ) -> str:
        """Call `callback(payload, item)` soon, after what was queued before; the item's id.

        id: a stable one; an item that has it already is replaced and keeps its place.
        """
        return await self._cf_queue.push(callback, payload, retry, id)

    async def dequeue(self, id: str) -> bool:  # noqa: A002
        """Take an item out; whether there was one."""
        return await self._cf_queue.cancel(id)

    async def dequeue_all(self) -> int:
        """Take all items out; how many there were."""
        return await self._cf_queue.cancel_all()

    async def dequeue_all_by_callback(self, callback: str | Callable[..., Any]) -> int:
        """Take all items of a callback out; how many there were."""
        return await self._cf_queue.cancel_all(callback)

    async def get_queue(self, id: str) -> QueueItem | None:  # noqa: A002
        """An item that waits; None: it has run, or never was."""
        return await self._cf_queue.get(id)

    async def queue_items(self, callback: str | Callable[..., Any] | None = None) -> list[QueueItem]:
        """The items in their order; of one callback, if one is given."""
        return await self._cf_queue.list(callback)

    async def retry(
        self,
        fn: Callable[..., Any],
        *,
        max_attempts: int | None = None,
        base_delay: Duration | None = None,
        max_delay: Duration | None = None,
        should_retry: Callable[[Exception, int], bool] | None = None,
    ) -> Any:
        """Call `fn(attempt)` until it succeeds; what is not given is as `options.retry` has it."""
        known = type(self).options.retry
        return await retry(
            fn,
            max_attempts=known.max_attempts if max_attempts is None else max_attempts,
            base_delay=known.base_delay if base_delay is None else base_delay,
            max_delay=known.max_delay if max_delay is None else max_delay,
            should_retry=should_retry,
        )

    async def keep_alive(self) -> KeepAlive:
        """Stay in memory until the result is disposed of: `with await self.keep_alive(): ...`."""
        return await self._cf_staying.hold()

    async def keep_alive_while(self, fn: Callable[[], Any]) -> Any:
        """Stay in memory while an async function runs; its result."""
        with await self._cf_staying.hold():
            return await call(fn)

    async def run_fiber(self, name: str, fn: Callable[[FiberContext], Any]) -> Any:
        """Run `fn(fiber)` and stay in memory; should this life end before it does, `on_fiber_recovered` is told."""
        return await self._cf_staying.run(name, fn)

    def stash(self, data: Any) -> None:
        """Keep a snapshot of the running fiber. Raises RuntimeError outside of one."""
        stash(data)

    # -- e-mail

    async def reply_to_email(
        self,
        email: AgentEmail,
        *,
        from_name: str,
        body: str,
        subject: str | None = None,
        content_type: str = "text/plain",
        headers: dict[str, str] | None = None,
        secret: str | EllipsisType | None = ...,
    ) -> None:
        """Answer an e-mail; with a secret, an answer to the answer finds its way back to this agent.

        Raises ValueError for an e-mail that came by a signed reply, when neither a secret is given nor None, on
        purpose; and for an empty secret.
        """
        await reply_to(self, email, from_name, body, subject, content_type, headers or {}, secret)

    # -- the end

    async def destroy(self) -> None:
        """Delete everything that it keeps, close its connections and end this life; it must not be used again."""
        storage = self.ctx.storage
        await storage.put(_DESTROY_PENDING, True)
        self._cf_lifecycle.ended = True
        await storage.deleteAlarm()
        self._cf_connections.close_all()
        await storage.deleteAll()
        setTimeout(create_once_callable(lambda: self.ctx.abort("destroyed")), 0)
        self._cf_emit("destroy")

    # -- the platform's handlers

    async def fetch(self, request: Any) -> Response:
        return await self._cf_lifecycle.fetch(request)

    async def alarm(self) -> None:
        if await self.ctx.storage.get(_DESTROY_PENDING):
            await self.destroy()  # which was cut off
            return
        await self._cf_lifecycle.alarm()

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        await self._cf_handle("webSocketMessage", self._cf_connections.message, ws, message)

    async def webSocketClose(self, ws: Any, code: int, reason: str, wasClean: bool) -> None:
        await self._cf_handle("webSocketClose", self._cf_connections.closed, ws, code, reason, wasClean)

    async def webSocketError(self, ws: Any, error: Any) -> None:
        await self._cf_handle("webSocketError", self._cf_connections.failed, ws, error)

    async def _cf_handle(self, what: str, handler: Callable[..., Any], *args: Any) -> None:
        """Hand over a socket's event; nobody waits for it, so an error is logged."""
        try:
            await self._cf_lifecycle.start()
            await handler(*args)
        except Exception as error:
            console.error(f"Error in {type(self).__name__}:{self.ctx.id.name} {what}:", said(error))

    async def _cf_ensure_initialized(self, props: Any = None) -> None:
        """Start, for `get_agent_by_name`: a call over RPC comes by no handler."""
        await self._cf_lifecycle.start(props)

    async def _cf_on_email(self, wire: dict[str, Any], get_raw: Any, set_reject: Any, forward: Any, reply: Any) -> None:
        """An e-mail from `route_agent_email`; the functions act on it where it arrived."""
        await self._cf_lifecycle.start()
        email = received(wire, get_raw, set_reject, forward, reply)
        with acting(self, email=email):
            self._cf_emit(
                "email:receive", **{"from": email.from_, "to": email.to, "subject": email.headers.get("subject")}
            )
            try:
                await call(self.on_email, email)
            except Exception as error:
                await call(self.on_error, None, error)

    async def _cf_tell(self, connection: Connection | None, error: Exception) -> None:
        """Tell `on_error` of something that it cannot undo."""
        try:
            with acting(self, connection):
                await call(self.on_error, connection, error)
        except Exception as raised:
            if raised is not error:
                console.error("on_error failed:", said(raised))

    def _cf_emit(self, event: str, **payload: Any) -> None:
        if self.observability is not None:
            told = {"type": event, "agent": type(self).__name__, "name": self.name}
            self.observability.emit({**told, "payload": payload, "timestamp": Date.now()})


Agent._cf_own = frozenset(name for name in dir(Agent) if not name.startswith("_"))


def _entered(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, which makes its agent the current one and, when it is async, starts it first."""
    if inspect.isasyncgenfunction(method):
        return method  # only a client's call streams, and that has entered

    @functools.wraps(method)
    def enter(self: Agent[Any], *args: Any, **kwargs: Any) -> Any:
        if get_current_agent().agent is self:
            return method(self, *args, **kwargs)
        with acting(self):
            return method(self, *args, **kwargs)

    @functools.wraps(method)
    async def enter_started(self: Agent[Any], *args: Any, **kwargs: Any) -> Any:
        if get_current_agent().agent is self:
            return await method(self, *args, **kwargs)
        await self._cf_lifecycle.start()
        with acting(self):
            return await method(self, *args, **kwargs)

    return enter_started if inspect.iscoroutinefunction(method) else enter


def _bound(value: Any) -> Any:
    """A value as SQL keeps it. Raises TypeError, ValueError for one that it would change."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and abs(value) > _MOST_INTEGER:
        raise ValueError(f"sql(): {value} is beyond 2**53, which a number of JavaScript does not hold: bind its text.")
    if value is None or isinstance(value, (int, float, str, bytes)):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"sql() binds None, bool, int, float, str and bytes, not {type(value).__name__}: json.dumps it.")


def _read(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
