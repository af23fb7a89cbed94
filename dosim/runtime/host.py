"""`ObjectHost`: one object wherever it is in its life: its id, place, storage, alarm, and its instance, if any.

With `concurrency="one-at-a-time"` it also holds the queue of the popular belief: the next event waits until the
previous one has answered, unless both belong to one call chain.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dosim.platform.facts import EPOCH_MS, IDLE_EVICTION_US
from dosim.runtime.alarms import Alarm
from dosim.runtime.calls import Call, Event, Flow, copy_of
from dosim.runtime.instance import Instance
from dosim.storage.engine import Storage
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import ClassBinding, World
    from dosim.web.ids import DurableObjectId


class Channel:
    """What stubs bind to at first use: it breaks for good when the object is reset (recorded)."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: JsException | None = None


class ObjectHost:
    """One Durable Object: everything that outlives its instances."""

    def __init__(self, world: World, binding: ClassBinding, object_id: DurableObjectId, place: City | None) -> None:
        self.world = world
        self.binding = binding
        self.id = object_id
        self._known_as = object_id
        self.place = place
        self._arrival = (place.colo if place is not None else "",)
        name = object_id.name
        self.label = (
            f"{binding.class_name}({name!r})" if name is not None else f"{binding.class_name}({str(object_id)[:8]}…)"
        )
        self.storage = Storage(world.platform, self, sqlite=binding.sqlite)
        self.channel = Channel()
        self.alarm = Alarm(self)
        self.instance: Instance | None = None
        self._draws = 0
        self.instances = 0
        #: When the first access by name has been looked up round the world, microseconds.
        self.known_us = 0
        self.waiting: deque[Call] = deque()
        self._inside: dict[int, int] = {}
        self._eviction_armed = False

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
        call.last = self.world.emit(self.world.loop.now_us, "arrive", self.label, call.id, call.last, self._arrival)
        self.let_in(call)

    def let_in(self, call: Call) -> None:
        """Turn a call away, queue it, or hand it to an instance's gate: one of the object, or of a function it made."""
        error = self._broken(call)
        if error is not None:
            self.turn_away(call, copy_of(error))
        elif self.world.one_at_a_time and not self._admit(call):
            self._queue(call)
        else:
            self._enter(call)

    def _broken(self, call: Call) -> JsException | None:
        error: JsException | None = call.stub.owner.broken if call.via == "callback" else call.stub.channel.error
        return error

    def _enter(self, call: Call) -> None:
        instance = call.stub.owner if call.via == "callback" else self.instance or self._new_instance(call)
        instance.in_flight[call] = None
        instance.gate.deliver(Event(instance.start_handler, call, Flow(instance.gate, call), starts=True))

    def _new_instance(self, call: Call) -> Instance:
        self.instances += 1
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

    # -- one at a time

    def _admit(self, call: Call) -> bool:
        """True when nobody else is inside, or only the call's own chain."""
        if self._inside and call.chain not in self._inside:
            return False
        self._inside[call.chain] = self._inside.get(call.chain, 0) + 1
        return True

    def _queue(self, call: Call) -> None:
        """Let a call wait until the others have answered; one that would close a cycle fails, with it drawn."""
        held_by = ", ".join(f"chain #{chain}" for chain in self._inside)
        call.last = self.world.emit(self.world.loop.now_us, "queue", self.label, call.id, call.last, (held_by,))
        cycle = self.world.waits.cycle(call.chain, self)
        if not cycle:
            self.waiting.append(call)
            return
        error = JsException(
            "This call would wait for ever: with one request at a time, it waits for a request that waits for it.",
            remote=True,
        )
        error.add_note("\n".join(cycle))
        self.turn_away(call, error)

    @property
    def chains_inside(self) -> list[int]:
        return list(self._inside)

    def answered(self, call: Call) -> None:
        """A call has its answer: with one at a time, the next one may enter."""
        if not self.world.one_at_a_time:
            return
        left = self._inside.get(call.chain, 0) - 1
        if left > 0:
            self._inside[call.chain] = left
            return
        self._inside.pop(call.chain, None)
        self._let_in()

    def _let_in(self) -> None:
        while self.waiting and (not self._inside or self.waiting[0].chain in self._inside):
            call = self.waiting.popleft()
            self._inside[call.chain] = self._inside.get(call.chain, 0) + 1
            call.last = self.world.emit(self.world.loop.time_us(), "enter", self.label, call.id, call.last)
            self.world.loop.after(0, self._enter_again, call)

    def _enter_again(self, call: Call) -> None:
        error = self._broken(call)
        if error is not None:
            self.turn_away(call, copy_of(error))
            self.answered(call)
        else:
            self._enter(call)

    # -- the end of a life

    def life_ended(self, instance: Instance, error: JsException) -> None:
        """The instance was reset: its channel is broken for good, the next call constructs anew."""
        self.channel.error = error
        self.channel = Channel()
        if self.instance is instance:
            self.instance = None
        self.storage.pack()
        self.world.graveyard.append(instance)
        self._inside.clear()
        queued, self.waiting = list(self.waiting), deque()
        for call in queued:
            self.turn_away(call, copy_of(error))
        self.alarm.life_ended(instance)

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

    def evict(self) -> None:
        """Drop the instance: memory is lost, storage and alarm stay. Calls on old stubs reach the next instance."""
        instance, self.instance = self.instance, None
        if instance is None:
            return
        self.world.emit(self.world.loop.now_us, "evict", self.label, 0, 0, (instance.number,))
        instance.leave_memory()
        self.storage.pack()

    def kill(self) -> None:
        """The process dies: memory and the open turn are lost; whoever waited from outside loses the connection."""
        instance, self.instance = self.instance, None
        lost = [*(instance.in_flight if instance is not None else ()), *self.waiting]
        self.waiting.clear()
        self._inside.clear()
        for call in lost:
            self.turn_away(call, JsException("Network connection lost.", retryable=True))
        if instance is not None:
            self.storage.rollback()
            instance.leave_memory()
            self.world.graveyard.append(instance)
            self.channel = Channel()
        self.storage.pack()
        self.alarm.restarted()

    # -- what a learner sees

    @property
    def state(self) -> str:
        """inactive, running or idle."""
        if self.instance is None:
            return "inactive"
        return "idle" if self.instance.idle_since_us is not None else "running"

    def __repr__(self) -> str:
        return f"<{self.label}: {self.state}, instance {self.instances}>"
