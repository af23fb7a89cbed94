"""`Instance`: one life of an object in memory, from its constructor to its eviction or reset.

The unit of execution is the turn: one event delivered, user code run until it waits for something outside. At its end
the turn's writes are committed, what it emitted is sent (the output gate), and the lock goes to the next in line.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dosim.kernel.loop import SCOPE
from dosim.platform.facts import BLOCK_DEPTH, BLOCK_DEPTH_TEXT, BLOCK_LIMIT_US, BLOCK_TIMEOUT_TEXT
from dosim.runtime.calls import Call, Event, Flow, copy_of
from dosim.runtime.crossing import as_error, as_reset
from dosim.runtime.dispatch import call_method
from dosim.runtime.faults import STORAGE_TEXT
from dosim.runtime.gates import CriticalSection, InputGate
from dosim.runtime.promises import awaited
from dosim.storage.engine import CommitFailed
from dosim.web.errors import DurableObjectAbort, JsException, noted

if TYPE_CHECKING:
    from dosim.kernel.loop import Scope, Timer
    from dosim.runtime.frames import Frame
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.websocket import SocketEvent, WebSocketEnd
    from dosim.web.ids import DurableObjectId


#: Calls and frames with the times of their sending, and answers with the times of their handlers' ends.
Outbox = list["tuple[Call | Frame, int]"]
Replies = list[tuple[Call, Any, BaseException | None, int]]
#: Kinds of calls that are frames of a socket.
OF_SOCKETS = frozenset(("websocket", "listener"))
#: Why nothing is delivered to an instance that has left memory; nobody is told.
EVICTED = JsException("evicted")


class Instance:
    """One life of an object: constructed, running, idle, then evicted or reset."""

    is_instance = True

    def __init__(self, host: ObjectHost, number: int, object_id: DurableObjectId) -> None:
        self.host = host
        self.id = object_id
        self.world = host.world
        self.loop = host.world.loop
        self.storage = host.storage
        self.alarm = host.alarm
        self.number = number
        self.label = host.label
        self.place = host.place
        self.gate = InputGate(self)
        self.user: Any = None
        self.broken: JsException | None = None
        #: Methods that calls have reached, by name.
        self.methods: dict[str, Callable[..., Any]] = {}
        #: `__init__` raised: every call gets this error until the instance leaves memory (recorded).
        self.start_error: BaseException | None = None
        #: What holds the object in memory, with its time, microseconds; timers are counted, the loop has them.
        self.in_flight: dict[Call, int] = {}
        self.timers = 0
        self.outgoing: dict[Call, None] = {}
        self.pins: dict[asyncio.Future[Any], int] = {}
        #: Sockets it has accepted, by their `js_id`, each with the time since which it is held.
        self.sockets: dict[int, tuple[WebSocketEnd, int]] = {}
        self.last_event_us = 0
        self._said_held = ""
        #: Calls that were cut off: nothing of theirs is delivered any more.
        self.cut: dict[Call, None] = {}
        #: WebSocket handlers that are cut off when they take too long.
        self._limits: dict[Call, Timer] = {}
        self.idle_since_us: int | None = None
        self.turn_call: Call | None = None
        self._turn_gate: InputGate | None = None
        self._turn_ending = False
        self._after_turn: list[Callable[[], None]] = []
        #: A turn could not be committed: the object is reset when the turn after it ends.
        self._doomed: JsException | None = None
        #: A transaction was rolled back in this turn: until its end deleteAll() counts as within it (recorded).
        self.rolled_back = False
        self._outbox: Outbox = []
        self._replies: Replies = []
        #: What earlier turns emitted and the output gate still holds.
        self._gated: deque[tuple[Outbox, Replies]] = deque()
        #: What an earlier life wrote, before it was reset, holds the output of this one too.
        self._confirmed_us = host.storage.confirmed_us
        self._buried: list[object] = []
        self._held: list[Any] = []

    # -- turns

    def begin_turn(self, gate: InputGate, event: Event) -> None:
        """Deliver an event whose gate has just been locked for it."""
        self._turn_gate = gate
        self.idle_since_us = None
        flow = event.flow
        self.turn_call = call = flow.call
        if call is not None and (event.starts or event.after):
            now_us = self.loop.now_us
            held_by = event.held_by if event.ready_us < now_us else ""
            if event.starts:
                self.last_event_us = now_us
                self._said_held = ""
                detail: tuple[object, ...] = (event.ready_us, held_by)
                call.last = self.world.emit(now_us, "start", self.label, call.id, call.last, detail)
            else:
                detail = (event.after, event.child, event.ready_us, held_by)
                call.last = self.world.emit(now_us, "resume", self.label, call.id, call.last, detail)
        if not self._turn_ending:
            self._turn_ending = True
            self.loop.turn_ends.append(self._end_turn)
        if event.user_code:
            context = Context()
            context.run(SCOPE.set, flow)
            context.run(event.fn, event.arg)
        else:
            event.fn(event.arg)

    def touch(self) -> None:
        """Make sure that what runs now is ended: committed, sent, and followed by the next."""
        if not self._turn_ending:
            self._turn_ending = True
            self.loop.turn_ends.append(self._end_turn)

    def after_turn(self, fn: Callable[[], None]) -> None:
        """Call `fn` when the current turn has been committed, in the place of releasing its lock."""
        self._after_turn.append(fn)
        self.touch()

    def _end_turn(self) -> None:
        self._turn_ending = self.rolled_back = False
        if self.broken is not None:
            return
        cpu_us = self.loop.cpu_us
        if cpu_us and self.turn_call is not None:
            call = self.turn_call
            call.last = self.world.emit(self.loop.now_us, "cpu", self.label, call.id, call.last, (cpu_us,))
        storage = self.storage
        if storage.rows_read or storage.rows_written:
            self._meter()
        if self._doomed is not None:
            self.reset(self._doomed)
            return
        if storage.writes and not storage.in_explicit_transaction and not self.commit_now():
            if self._doomed is not None:
                self._turn_over(None)
            return
        if self._outbox or self._replies:
            self._send()
        if self.alarm.touched:
            self.alarm.sync()
        if cpu_us:
            self.loop.after(0, self._turn_over, None)
        else:
            self._turn_over(None)

    def _turn_over(self, _: None) -> None:
        gate, self._turn_gate = self._turn_gate, None
        self.turn_call = None
        if self.broken is not None:
            return
        if self._after_turn:
            following, self._after_turn = self._after_turn, []
            for fn in following:
                fn()
        elif gate is not None:
            gate.release()
        else:
            self.check_idle()

    def _meter(self) -> None:
        """Rows that the turn has read and written, for the bill: they count even if it is rolled back."""
        read, written = self.storage.take_rows()
        if read or written:
            call_id = self.turn_call.id if self.turn_call is not None else 0
            self.world.emit(self.loop.time_us(), "rows", self.label, call_id, 0, (read, written))

    def commit_now(self) -> bool:
        """Commit the turn's writes; False when that failed and the object has been, or is about to be, reset."""
        writes = self.storage.writes
        now_us = self.loop.time_us()
        try:
            self._commit()
        except CommitFailed as failed:
            self.world.emit(now_us, "commit_failed", self.label, 0, 0, (failed.error.message,))
            for sent, at_us in self._outbox:
                if isinstance(sent, Call) and sent.is_fetch and not sent.wrote_before:
                    self.world.routes.send(sent, max(at_us, self._confirmed_us))
            self._outbox.clear()
            gate = self._turn_gate
            if self._after_turn or (gate is not None and gate.waiters and not gate.sections):
                # Whoever has the lock next, the code behind a section or an event that waits, still has its turn.
                self._doomed = failed.error
            else:
                self.reset(failed.error)
            return False
        confirm_us = self.world.platform.confirm_us
        self.storage.confirms_at(now_us, now_us + confirm_us)
        self._confirmed_us = max(self._confirmed_us, now_us + confirm_us)
        call_id = self.turn_call.id if self.turn_call is not None else 0
        self.world.emit(now_us, "commit", self.label, call_id, 0, (writes, confirm_us))
        for emitted, _ in self._outbox:
            emitted.wrote_before = True
        return True

    def _commit(self) -> None:
        """Raises CommitFailed, also when a fault has the disk fail."""
        faults = self.world.faults
        if faults is not None and faults.disk_fails(self.host):
            self.storage.rollback()
            raise CommitFailed(JsException(STORAGE_TEXT, durableObjectReset=True, retryable=True))
        self.storage.commit()

    def synced(self) -> asyncio.Future[None]:
        """`storage.sync()`: done, as an I/O event of the code that asks, when what was written is confirmed."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.loop.after(0, self._sync_due, (future, SCOPE.get()))
        return future

    def _sync_due(self, asked: tuple[asyncio.Future[None], Scope]) -> None:
        future, scope = asked
        if self._confirmed_us > self.loop.now_us:
            self.loop.at(self._confirmed_us, scope.io_due, (future, "storage.sync"))
        else:
            scope.io_due((future, "storage.sync"))

    def _send(self) -> None:
        """What the turn emitted goes to the output gate: out at once, or when the writes before it are confirmed.

        A fetch overtakes the RPCs issued before it in the turn (recorded).
        """
        outbox, self._outbox = self._outbox, []
        replies, self._replies = self._replies, []
        if len(outbox) > 1:
            outbox.sort(key=lambda item: not item[0].is_fetch)
        if self._confirmed_us > self.loop.time_us():
            self._gated.append((outbox, replies))
            self.loop.at(self._confirmed_us, self._gate_opens, None)
        else:
            self._let_out(outbox, replies, 0)

    def _gate_opens(self, _: None) -> None:
        """Writes are confirmed: what waited for them leaves, also when this life has ended meanwhile."""
        if self._gated:  # else the machine crashed
            self._let_out(*self._gated.popleft(), self.loop.now_us)

    def _let_out(self, outbox: Outbox, replies: Replies, from_us: int) -> None:
        routes = self.world.routes
        for sent, at_us in outbox:
            if isinstance(sent, Call):
                routes.send(sent, max(at_us, from_us))
            else:
                sent.leave(max(at_us, from_us))
        for call, value, error, at_us in replies:
            leave_us = max(at_us, from_us)
            routes.reply(call, value, error, leave_us, leave_us - at_us)

    @property
    def holds_output(self) -> bool:
        """Whether the output gate still holds something."""
        return bool(self._gated)

    def crashed(self) -> list[Call]:
        """The machine is gone with what waited in the output gate; returns the calls that lose their answers."""
        gated, self._gated = self._gated, deque()
        return [call for _, replies in gated for call, _, _, _ in replies]

    # -- what the turn emits

    def emit(self, call: Call) -> None:
        call.wrote_before = self.storage.writes > 0
        call.leave_us = at_us = self.loop.time_us()
        self.outgoing[call] = None
        self._outbox.append((call, at_us))
        self.touch()

    def emit_frame(self, frame: Frame) -> None:
        frame.wrote_before = self.storage.writes > 0
        self._outbox.append((frame, self.loop.time_us()))
        self.touch()

    def keep_socket(self, socket: WebSocketEnd) -> None:
        self.sockets[socket.js_id] = socket, self.loop.now_us

    def release_socket(self, socket: WebSocketEnd) -> None:
        if self.sockets.pop(socket.js_id, None) is not None and self.broken is None:
            self.touch()

    def socket_event(self, socket: WebSocketEnd, event: SocketEvent, cause: int) -> None:
        method = f"{event.type} listener"
        self.host.arrive(self.world.event_call("listener", self.host, method, (event,), socket, cause))

    @property
    def life(self) -> int:
        """Which life of the object this is; what a socket that it accepts belongs to."""
        return self.host.life

    @property
    def env(self) -> Any:
        """The bindings of its Worker."""
        return self.host.binding.env

    def call_answered(self, call: Call) -> None:
        self.outgoing.pop(call, None)

    def hold(self, stub: object) -> None:
        self._held.append(stub)

    def pin(self, work: asyncio.Future[Any]) -> None:
        self.pins[work] = self.loop.now_us

    def unpin(self, work: asyncio.Future[Any]) -> None:
        if self.pins.pop(work, None) is not None and not self.pins and self.broken is None:
            self.touch()

    def answer(self, call: Call, value: Any, error: BaseException | None) -> None:
        """The handler of `call` has ended: its answer leaves through the output gate."""
        if self.in_flight.pop(call, None) is None or self.broken is not None:
            return
        call.task = None  # the task knows its context, which knows the call: no cycle is left behind
        now_us = self.loop.time_us()
        if error is None:
            call.last = self.world.emit(now_us, "return", self.label, call.id, call.last)
        else:
            call.last = self.world.emit(now_us, "throw", self.label, call.id, call.last, (str(error),))
            error.add_note(f"thrown at t={now_us / 1e6:.6f}s by {call!r}")
        if call.via == "alarm":
            self.alarm.ended(call, error)
        elif call.via == "websocket":
            limit = self._limits.pop(call, None)
            if limit is not None:
                limit.cancel()
            self.host.hibernatable.handled(call.stub, call.method)
        self._replies.append((call, value, error, now_us))
        self.touch()
        if self.world.one_at_a_time:
            self.loop.after(0, self.host.answered, call)  # after the CPU time that the turn has used

    # -- constructor, handlers, callbacks

    def construct(self, call: Call) -> None:
        """Run the class's constructor in the instance's first turn; whatever arrives queues behind it."""
        world = self.world
        call.last = world.emit(self.loop.now_us, "construct", self.label, call.id, call.last, (self.number,))
        self.gate.locked = True
        self.gate.holder = f"the constructor, for {call!r}"
        self.begin_turn(self.gate, Event(self._construct, None, Flow(self.gate, call), user_code=True))

    def _construct(self, _: None) -> None:
        host = self.host
        try:
            self.user = host.binding.make(host, self)
        except DurableObjectAbort:
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.start_error = error

    def start_handler(self, call: Call) -> None:
        """The event that starts a call: find its method and run it."""
        if call.via in OF_SOCKETS:
            call.stub.delivered()
        if self.start_error is not None:
            self.answer(call, None, as_error(self.start_error))
            return
        if call.via == "alarm" and not self.alarm.begins(call):
            self.in_flight.pop(call, None)
            self.host.answered(call)
            return
        if call.via == "websocket" and not self._takes(call):
            return
        call_method(self, call)

    def _takes(self, call: Call) -> bool:
        """Whether the class has the handler; without it the event is silently dropped (recorded)."""
        timeout_ms = self.host.hibernatable.event_timeout_ms
        if not callable(getattr(type(self.user), call.method, None)):
            self.answer(call, None, None)
            return False
        if timeout_ms is not None:
            self._limits[call] = self.loop.timer(timeout_ms * 1000, self._cut_off, call, timeout_ms)
        return True

    def _cut_off(self, call: Call, timeout_ms: int) -> None:
        """The event timeout: the handler does not go on, silently; object and socket live (recorded)."""
        if self.broken is not None or self.in_flight.pop(call, None) is None:
            return
        call.last = self.world.emit(self.loop.now_us, "cut_off", self.label, call.id, call.last, (timeout_ms,))
        self.cut[call] = None
        self.host.hibernatable.handled(call.stub, call.method)
        self.host.answered(call)
        self.touch()

    def run_callback(self, callback: Callable[[], Any], ended: Callable[[Any, BaseException | None], None]) -> None:
        """Run a callback, sync or async, in the current context; `ended(value, error)` when it is over."""
        try:
            value = callback()
        except DurableObjectAbort:
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            ended(None, error)
            return
        if not inspect.isawaitable(value):
            ended(value, None)
            return
        task = self.loop.create_task(value if inspect.iscoroutine(value) else awaited(value))
        task.add_done_callback(lambda done: _report(done, ended))

    # -- critical sections

    def block(self, callback: Callable[[], Any], flow: Flow) -> asyncio.Future[Any]:
        """`ctx.blockConcurrencyWhile(callback)`: queue a section; a failure in it resets the object."""
        return self.open_section("blockConcurrencyWhile", callback, flow, self._block_finished)

    def open_section(
        self,
        kind: str,
        callback: Callable[[], Any],
        flow: Flow,
        finish: Callable[[CriticalSection, Any, BaseException | None], BaseException | None],
    ) -> asyncio.Future[Any]:
        """A section inside the gate of `flow`; the future is done when it has ended well."""
        done = self.loop.create_future()
        section = CriticalSection(flow.gate.live(), flow, kind, callback, done, finish)
        if section.depth > BLOCK_DEPTH:
            self.after_reset_turn(JsException(BLOCK_DEPTH_TEXT))
            return done
        assert section.parent is not None
        section.parent.add_section(section)
        return done

    def _block_finished(self, section: CriticalSection, _: Any, error: BaseException | None) -> BaseException | None:
        if error is not None:
            by = f"{section.call!r}" if section.call is not None else "the constructor"
            at = f"thrown at t={self.loop.time_us() / 1e6:.6f}s in blockConcurrencyWhile by {by}"
            self.reset(noted(as_reset(error), f"{at}: a failure in there resets {self.label}"))
        return None

    def section_started(self, section: CriticalSection) -> None:
        call_id = section.call.id if section.call is not None else 0
        self.world.emit(self.loop.now_us, "section_start", self.label, call_id, 0, (section.kind,))

    def section_ended(self, section: CriticalSection, *, ok: bool) -> None:
        call_id = section.call.id if section.call is not None else 0
        self.world.emit(self.loop.now_us, "section_end", self.label, call_id, 0, (section.kind, ok))

    def start_block_limit(self, section: CriticalSection) -> Timer:
        """The 30 s limit of `blockConcurrencyWhile`, from the start of its callback."""
        return self.loop.timer(BLOCK_LIMIT_US, self._block_too_long, section)

    def _block_too_long(self, section: CriticalSection) -> None:
        if self.broken is None and not section.ended:
            error = JsException(BLOCK_TIMEOUT_TEXT, overloaded=True, durableObjectReset=True)
            error.add_note(
                f"at t={self.loop.now_us / 1e6:.6f}s in {self.label}, entered at t={section.started_us / 1e6:.6f}s"
                + (f" by {section.call!r}" if section.call is not None else " by the constructor")
            )
            for line in self.world.waits.drawing():
                error.add_note(line)
            error.add_note(f"replay: {self.world.replay}")
            self.reset(error)

    # -- the end of a life

    def check_idle(self) -> None:
        """Nothing runs: if nothing keeps the object in memory either, its time to eviction starts."""
        if self.broken is not None or self.in_flight or self.gate.locked or self.host.waiting:
            return
        if self.timers or self.outgoing or self.sockets or self.pins or self.world.functions.held(self):
            held = self._held_by()
            if held != self._said_held:
                self._said_held = held
                self.world.emit(self.loop.now_us, "held", self.label, 0, 0, (self.number, held))
            if self.world.platform.bounded_holds and self.held_for_a_time:
                self.host.arm_overstay()
        elif self.idle_since_us is None:
            self.idle_since_us = self.loop.now_us
            self._said_held = ""
            self.world.emit(self.loop.now_us, "idle", self.label, 0, 0, (self.number,))
            self.host.arm_eviction()

    @property
    def held_for_a_time(self) -> bool:
        """Whether only timers, calls, waitUntil work and sockets that were opened from here hold it."""
        if self.in_flight or self.gate.locked or self.world.functions.held(self):
            return False
        return self._only_outgoing_sockets()

    def _only_outgoing_sockets(self) -> bool:
        return all(socket.outgoing for socket, _ in self.sockets.values())

    def _held_by(self) -> str:
        """What keeps it in memory while it handles no event, in one word; "" for nothing."""
        if self.sockets:
            return "an outgoing socket" if self._only_outgoing_sockets() else "an accepted socket"
        if self.timers:
            return "a timer"
        if self.outgoing:
            return "a call without an answer"
        if self.pins:
            return "waitUntil"
        return "a held function" if self.world.functions.held(self) else ""

    def abort(self, reason: object) -> None:
        """`ctx.abort`: unwind the handler now; the reset itself comes as a microtask (the SDK does it so)."""
        self.loop.call_soon(self.reset, JsException(str(reason), durableObjectReset=True))

    def after_reset_turn(self, error: JsException) -> None:
        """Reset at the end of the turn."""
        error.durableObjectReset = True  # type: ignore[attr-defined]
        self.after_turn(lambda: self.reset(error))

    def reset(self, error: JsException) -> None:
        """End this life: memory and uncommitted writes are lost, everyone in flight or queued gets `error`."""
        if self.broken is not None:
            return
        self.broken = error
        now_us = self.loop.time_us()
        self.world.emit(now_us, "reset", self.label, 0, 0, (self.number, str(error)))
        self.storage.rollback()
        for unsent, _ in self._outbox:
            self.bury(unsent)
        for call, _, _, at_us in self._replies:
            self.world.routes.reply(call, None, copy_of(error), at_us)
        self._outbox.clear()
        self._replies.clear()
        self.host.life_ended(self, error)
        for call in list(self.in_flight):
            call.last = self.world.emit(now_us, "turn_away", self.label, call.id, call.last, (str(error),))
            self.world.routes.reply(call, None, copy_of(error), now_us)
        self._let_go()

    def leave_memory(self, error: JsException = EVICTED) -> None:
        """Memory is gone, nothing of this life is delivered any more; `error` is for who calls a function of it."""
        self.broken = error
        for limit in self._limits.values():
            limit.cancel()
        self._let_go()
        # Instance, gate and user object know one another: untied, they are freed now and not when garbage is collected.
        self.user = None
        self.methods.clear()
        del self.gate

    def _let_go(self) -> None:
        """Nobody can call the functions of this life any more, and it lets go of those it held."""
        self.world.functions.drop_owner(self)
        sockets, self.sockets = self.sockets, {}
        for socket, _ in sockets.values():
            socket.drop()
        held, self._held = self._held, []
        for stub in held:
            stub.dispose()

    def check_alive(self) -> None:
        """Raises JsException in code that goes on after its life ended: what is on disk belongs to the next life."""
        if self.broken is not None:
            raise JsException("This instance has left memory: its storage cannot be used any more.")

    def bury(self, thing: object) -> None:
        """Keep what will never run again: collected, its coroutine would run `finally` blocks at a random time."""
        self._buried.append(thing)


def _report(done: asyncio.Task[Any], ended: Callable[[Any, BaseException | None], None]) -> None:
    if done.cancelled():
        ended(None, asyncio.CancelledError())
        return
    error = done.exception()
    if not isinstance(error, DurableObjectAbort):
        ended(None if error is not None else done.result(), error)
