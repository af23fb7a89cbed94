"""`ObjectHost`: one object wherever it is in its life: its id, place, storage, alarm, and its instance, if any.

Kept small, because most objects of a world are out of memory: parts that only few need are made when they are needed,
and the data of an object that leaves memory is packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dosim.platform.facts import EPOCH_MS, IDLE_EVICTION_US
from dosim.runtime.alarms import Alarm
from dosim.runtime.calls import Call, Event, Flow, copy_of
from dosim.runtime.faults import connection_lost, overloaded
from dosim.runtime.hibernation import Hibernatable
from dosim.runtime.holders import overstays_at_us
from dosim.runtime.instance import Instance
from dosim.runtime.line import Line
from dosim.storage.engine import Storage
from dosim.trace.kinds import ONE_WAY
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import ClassBinding, World
    from dosim.web.ids import DurableObjectId


#: What a caller gets whose object was dropped from memory while it ran. Documented text (observability/
#: troubleshooting); that it is this one is assumed.
NO_LONGER_ACTIVE_TEXT = (
    "Connection closed: this Durable Object instance is no longer active. Reconnect or retry the request."
)
#: Documented text (observability/troubleshooting); that it is retryable is assumed.
CODE_UPDATED_TEXT = "Durable Object reset because its code was updated."
#: Kinds of calls to something that one instance made, and no later one: a passed function, a socket's listener.
OF_ONE_LIFE = frozenset(("callback", "listener"))


class ObjectHost:
    """One Durable Object: everything that outlives its instances.

    `life` counts resets. A stub binds to a life at its first use; once that life was reset, the stub fails for ever,
    with the error of the reset (recorded). Idle eviction does not begin a new life.
    """

    __slots__ = (
        "_alarm",
        "_disk",
        "_draws",
        "_errors",
        "_eviction_armed",
        "_hibernatable",
        "_known_as",
        "_overstay_armed",
        "binding",
        "evicted",
        "id",
        "instance",
        "instances",
        "known_us",
        "life",
        "line",
        "lingering",
        "place",
    )

    def __init__(self, binding: ClassBinding, object_id: DurableObjectId, place: City | None) -> None:
        self.binding = binding
        self.id = object_id
        self._known_as = object_id
        self.place = place
        self._disk: Storage | bytes = b""
        self._alarm: Alarm | None = None
        self._hibernatable: Hibernatable | None = None
        self.instance: Instance | None = None
        self.instances = 0
        self.life = 0
        #: life -> the error that ended it
        self._errors: dict[int, JsException] | None = None
        #: When the first access by name has been looked up round the world, microseconds.
        self.known_us = 0
        self.line = Line(self) if binding.world.one_at_a_time else None
        self._draws = 0
        #: An instance that has gone, and whose output gate may still hold something.
        self.lingering: Instance | None = None
        #: Its last instance left memory in peace.
        self.evicted = False
        self._eviction_armed = self._overstay_armed = False

    @property
    def world(self) -> World:
        return self.binding.world

    @property
    def label(self) -> str:
        """The object as people read it: Counter('demo')."""
        return object_label(self.binding.class_name, self.id)

    @property
    def storage(self) -> Storage:
        """What is on disk, unpacked at its first use."""
        disk = self._disk
        if type(disk) is bytes:
            platform = self.world.platform
            disk = self._disk = Storage(platform, self, sqlite=self.binding.sqlite, image=disk)
            disk.keeps_undo = platform.confirm_us > 0
        return disk  # type: ignore[return-value]

    def look(self) -> Storage:
        """What is on disk, to look at: what is packed stays packed."""
        disk = self._disk
        if isinstance(disk, bytes):
            return Storage(self.world.platform, self, sqlite=self.binding.sqlite, image=disk)
        return disk

    @property
    def alarm(self) -> Alarm:
        if self._alarm is None:
            self._alarm = Alarm(self)
        return self._alarm

    @property
    def hibernatable(self) -> Hibernatable:
        """The sockets that the object has accepted with `acceptWebSocket`."""
        if self._hibernatable is None:
            self._hibernatable = Hibernatable(self)
        return self._hibernatable

    @property
    def sockets(self) -> int:
        """How many of them there are."""
        return 0 if self._hibernatable is None else len(self._hibernatable)

    @property
    def waiting(self) -> Sequence[Call]:
        """Calls that wait until others have answered (one at a time)."""
        return self.line.waiting if self.line is not None else ()

    @property
    def chains_inside(self) -> list[int]:
        return self.line.chains_inside if self.line is not None else []

    # -- what storage takes from the world

    def reference(self) -> str:
        return self.world.reference(self.label)

    def random_bits(self) -> int:
        self._draws += 1
        return self.world.user_stream.bits(int(str(self.id)[:12], 16), self._draws)

    def now_ms(self) -> int:
        return EPOCH_MS + self.world.loop.time_us() // 1000

    # -- calls come in

    def arrive(self, call: Call) -> None:
        """A call has reached the object: turn it away, queue it, or hand it to the instance's gate."""
        world = self.binding.world
        detail = (self.place.colo if self.place is not None else "",)
        call.last = world.emit(world.loop.now_us, "arrive", call.target, call.id, call.last, detail)
        self.let_in(call)

    def let_in(self, call: Call) -> None:
        """As `arrive`, for a call that is here already: of the object, or of a function that an instance made."""
        error = self.broken(call)
        if error is None and (self.binding.world.faults is not None or self._has_waiters):
            error = self._overload(call)
        if error is not None:
            self.turn_away(call, copy_of(error))
        elif self.line is not None:
            self.line.arrive(call)
        else:
            self.enter(call)

    def broken(self, call: Call) -> JsException | None:
        """The error of the life that the call was made for, if that life was reset."""
        if call.via in OF_ONE_LIFE:
            error: JsException | None = call.stub.owner.broken
            return error
        return self._errors.get(call.stub.life) if self._errors is not None else None

    @property
    def _has_waiters(self) -> bool:
        instance = self.instance
        return instance is not None and bool(instance.gate.waiters)

    def _overload(self, call: Call) -> JsException | None:
        """The refusal of a request when too many wait; events of the object's own are never refused."""
        world = self.binding.world
        limit, instance = world.platform.queue_limit, self.instance
        full = limit is not None and instance is not None and instance.gate.waiting > limit
        if full or (world.faults is not None and world.faults.refuses(self)):
            return None if call.via in ONE_WAY else overloaded()
        return None

    def enter(self, call: Call) -> None:
        """Hand a call to the gate of its instance, constructed if there is none."""
        instance = call.stub.owner if call.via in OF_ONE_LIFE else self.instance or self._new_instance(call)
        instance.in_flight[call] = self.binding.world.loop.now_us
        gate = call.stub.gate if call.via == "listener" else instance.gate
        gate.deliver(Event(instance.start_handler, call, Flow(gate, call), starts=True))

    def _new_instance(self, call: Call) -> Instance:
        self.instances += 1
        self.evicted = False
        self.instance = instance = Instance(self, self.instances, self._id_of(call))
        instance.construct(call)
        return instance

    def _id_of(self, call: Call) -> DurableObjectId:
        """The id as the constructing event has it: its name is there if the object was reached by name (recorded)."""
        object_id: DurableObjectId | None = getattr(call.stub, "object_id", None)
        if object_id is None:  # an alarm knows the name under which it was set
            return self._known_as
        self._known_as = object_id
        return object_id

    def turn_away(self, call: Call, error: BaseException) -> None:
        """Answer a call that never reaches the instance."""
        now_us = self.world.loop.now_us
        call.last = self.world.emit(now_us, "turn_away", self.label, call.id, call.last, (str(error),))
        self.world.routes.reply(call, None, error, now_us)

    def answered(self, call: Call) -> None:
        """A call has its answer."""
        if self.line is not None:
            self.line.answered(call)

    # -- the end of a life

    def life_ended(self, instance: Instance, error: JsException) -> None:
        """The instance was reset: this life is over for good, the next call constructs anew."""
        self._errors = {**(self._errors or {}), self.life: error}
        self.life += 1
        if self.instance is instance:
            self.instance = None
        self.lingering = instance if instance.holds_output else None
        self._drop_sockets()
        self.storage.pack()
        self.world.graveyard.append(instance)
        for call in self.line.clear() if self.line is not None else ():
            self.turn_away(call, copy_of(error))
        self.alarm.life_ended(instance)

    def _drop_sockets(self) -> None:
        hibernatable, self._hibernatable = self._hibernatable, None
        if hibernatable is not None:
            hibernatable.drop()

    def arm_eviction(self) -> None:
        """The instance is idle: it leaves memory after 10 s, unless something comes."""
        if not self._eviction_armed and not self.binding.prevent_eviction:
            self._eviction_armed = True
            self.world.loop.in_background(self.world.loop.now_us + IDLE_EVICTION_US, self._eviction_due, None)

    def _eviction_due(self, _: None) -> None:
        self._eviction_armed = False
        instance = self.instance
        if instance is None or instance.idle_since_us is None:
            return
        due_us = instance.idle_since_us + IDLE_EVICTION_US
        if due_us > self.world.loop.now_us:
            self._eviction_armed = True
            self.world.loop.in_background(due_us, self._eviction_due, None)
        else:
            self.evict()

    def arm_overstay(self) -> None:
        """Only timers, calls or waitUntil work hold the instance: production drops it some time, with that work."""
        if not self._overstay_armed and not self.binding.prevent_eviction:
            self._overstay_armed = True
            self._wait_overstay()

    def _wait_overstay(self) -> None:
        assert self.instance is not None
        draw = self.world.fault_stream.uniform(int(str(self.id)[:12], 16), self.instances)
        self.world.loop.in_background(overstays_at_us(self.instance, draw), self._overstay_due, None)

    def _overstay_due(self, _: None) -> None:
        self._overstay_armed = False
        instance, now_us = self.instance, self.world.loop.now_us
        if instance is None or instance.idle_since_us is not None or not instance.held_for_a_time:
            return
        draw = self.world.fault_stream.uniform(int(str(self.id)[:12], 16), self.instances)
        if overstays_at_us(instance, draw) > now_us:
            self.arm_overstay()
        else:
            self.evict()

    def evict(self) -> None:
        """Drop the instance: memory is lost, storage, alarm and hibernatable sockets stay.

        Whoever waits for it loses the connection. Calls on old stubs reach the next instance.
        """
        instance, self.instance = self.instance, None
        if instance is None:
            return
        now_us = self.world.loop.now_us
        for call in [*instance.in_flight, *(self.line.clear() if self.line is not None else ())]:
            self.turn_away(call, JsException(NO_LONGER_ACTIVE_TEXT, retryable=True))
        self.storage.rollback()
        self.storage.pack()
        stored_bytes = self.storage.stored_bytes()
        self.world.emit(now_us, "evict", self.label, 0, 0, (instance.number, self.sockets, stored_bytes))
        self.lingering = instance if instance.holds_output else None
        instance.leave_memory()
        self.evicted = True
        self._disk = self.storage.put_away()
        if not self.sockets:
            self._hibernatable = None
        if self._alarm is not None:
            self._alarm.interrupted()
            if self._alarm.is_unused:
                self._alarm = None

    def update(self) -> None:
        """The code was deployed anew: the instance is reset, sockets close (documented)."""
        if self.instance is not None:
            error = JsException(CODE_UPDATED_TEXT, durableObjectReset=True, retryable=True)
            self.instance.reset(error)
        self._drop_sockets()

    def crash(self) -> None:
        """The machine is gone: as `kill`, and what was not confirmed by others is lost with it."""
        self.kill(unconfirmed_too=True)

    def kill(self, *, unconfirmed_too: bool = False) -> None:
        """The process dies: memory and the open turn are lost; whoever waited from outside loses the connection."""
        instance, self.instance = self.instance, None
        lost = [*instance.crashed(), *instance.in_flight] if instance is not None else []
        if self.lingering is not None:
            lost += self.lingering.crashed()
            self.lingering = None
        lost += self.line.clear() if self.line is not None else []
        if instance is not None:  # told first: what leaves because of it comes after it
            self.world.emit(self.world.loop.now_us, "crash", self.label, 0, 0, (instance.number,))
        for call in lost:
            self.turn_away(call, connection_lost())
        if instance is not None:
            self.storage.rollback()
            instance.leave_memory(connection_lost())
            self.world.graveyard.append(instance)
        self._drop_sockets()
        if not isinstance(self._disk, bytes):
            if unconfirmed_too:
                self._disk.lose_unconfirmed(self.world.loop.now_us)
            self._disk.pack()
        if self._alarm is not None or not isinstance(self._disk, bytes):
            self.alarm.restarted()

    # -- what a learner sees

    @property
    def state(self) -> str:
        """inactive (never constructed, or reset), active, idle, hibernated (with sockets) or evicted."""
        if self.instance is not None:
            return "idle" if self.instance.idle_since_us is not None else "active"
        if self.sockets:
            return "hibernated"
        return "evicted" if self.evicted else "inactive"

    def __repr__(self) -> str:
        return f"<{self.label}: {self.state}, instance {self.instances}>"


def object_label(class_name: str, object_id: DurableObjectId) -> str:
    """An object as people read it: by its name, else by the beginning of its id, and its jurisdiction if it has one."""
    name = repr(object_id.name) if object_id.name is not None else f"{str(object_id)[:8]}…"
    return f"{class_name}({name}, {object_id.jurisdiction})" if object_id.jurisdiction else f"{class_name}({name})"
