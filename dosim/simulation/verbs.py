"""The verbs that break a world and mend it. Each is a record in the trace; each may come between any two events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dosim.kernel.durations import duration_us
from dosim.runtime.faults import RESET_TEXT, Faults, Loss, reset_error
from dosim.runtime.holders import why_not_hibernating
from dosim.simulation.journal import recorded

if TYPE_CHECKING:
    from dosim.network import City, Network
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World
    from dosim.simulation.objects import Objects

_MESSAGES = ("request", "reply")


class Verbs:
    """What can be done to a simulated world besides sending it requests.

    An object is given as its view, a stub, its label ("Room('a')"), its name or its id. Raises KeyError that lists the
    objects there are. Verbs may be called between runs and by a coroutine of yours during one.
    """

    world: World
    objects: Objects

    if TYPE_CHECKING:

        @property
        def network(self) -> Network: ...

    # -- objects

    @recorded
    def evict(self, obj: Any) -> None:
        """Drop an object from memory now, whatever it does: attributes and unfinished work are lost.

        Storage, alarm and hibernatable sockets stay; callers that wait get an error, sockets of `accept()` close.
        """
        self._host("evict", obj).evict()

    @recorded
    def hibernate(self, obj: Any) -> None:
        """Let an object hibernate now, as 10 idle seconds would.

        Raises ValueError that names what holds it, or that it has no hibernatable socket.
        """
        host = self.objects.host(obj)
        reasons = why_not_hibernating(host)
        if host.instance is not None and (len(reasons) or host.instance.idle_since_us is None or not host.sockets):
            raise ValueError(f"{host.label} cannot hibernate:\n{reasons!r}\nsim.evict drops it all the same.")
        self._said("hibernate", host.label)
        host.evict()

    @recorded
    def crash(self, obj: Any) -> None:
        """The object's machine is gone: memory, sockets, and every write that was not confirmed yet are lost.

        Callers get "Network connection lost.", which says nothing of what happened. The alarm stays.
        """
        self._host("crash", obj).crash()

    @recorded
    def reset(self, obj: Any, reason: str = RESET_TEXT) -> None:
        """Reset an object as the platform does: as a crash, with this error for everybody, and old stubs stay broken.

        What is committed stays, confirmed or not.
        """
        host = self._host("reset", obj)
        if host.instance is not None:
            host.instance.reset(reset_error(reason))

    @recorded
    def storage_fails(self, obj: Any, commits: int = 1) -> None:
        """The next commits of an object fail: its writes are rolled back and it is reset. `relieve` undoes it."""
        if commits < 1:
            raise ValueError(f"commits={commits!r}: at least one commit has to fail.")
        self._faults.fail_disk(self._host("storage_fails", obj), commits)

    @recorded
    def overload(self, obj: Any) -> None:
        """An object turns new requests away as overloaded, until `relieve`."""
        self._faults.overload(self._host("overload", obj))

    @recorded
    def relieve(self, obj: Any) -> None:
        """Undo `overload` and what is left of `storage_fails`."""
        self._faults.relieve(self._host("relieve", obj))

    @recorded
    def alarm_late(self, obj: Any, by: Any = "1m") -> None:
        """The object's alarm comes later than it is due: the one that is set, or else the next one.

        by: a duration; up to a minute is documented (durable-objects/api/alarms).
        """
        by_us = duration_us(by, "by")
        self._host("alarm_late", obj).alarm.put_off(by_us)

    @recorded
    def alarm_twice(self, obj: Any) -> None:
        """The object's next alarm runs once more although it succeeded: at least once is not exactly once."""
        self._host("alarm_twice", obj).alarm.repeat()

    # -- the network

    @recorded
    def partition(self, a: Any, b: Any) -> None:
        """Nothing gets from place `a` to place `b` or back, until `repair`. Requests are retried or fail, sockets drop.

        a, b: cities, or anything that `sim.network.city` takes.
        """
        self._faults.block(*self._pair("partition", a, b))

    @recorded
    def slow(self, a: Any, b: Any, extra: Any) -> None:
        """Every message between two places takes `extra` longer, until `repair`. extra: a duration such as "200ms"."""
        extra_us = duration_us(extra, "extra")
        start, end = self._pair("slow", a, b)
        self._faults.slow(start, end, extra_us)

    @recorded
    def repair(self, a: Any, b: Any) -> None:
        """Undo `partition` and `slow` between two places."""
        self._faults.repair(*self._pair("repair", a, b))

    @recorded
    def cut(self, a: Any, b: Any) -> None:
        """Cut the cables between two neighbours on the backbone: routes go around, until `mend`.

        Raises ValueError with the neighbours of `a` when no cable joins them.
        """
        self.network.cut(a, b)
        self._pair("cut", a, b)

    @recorded
    def mend(self, a: Any, b: Any) -> None:
        """Undo `cut`."""
        self.network.mend(a, b)
        self._pair("mend", a, b)

    @recorded
    def colo_down(self, place: Any) -> None:
        """A colo fails: its objects crash and cannot be reached, clients enter elsewhere, until `colo_up`."""
        colo = self._colo("colo_down", place)
        self._faults.take_down(colo)
        for host in self.world.hosts.values():
            if host.place is not None and host.place.name == colo.name:
                host.crash()

    @recorded
    def colo_up(self, place: Any) -> None:
        """Undo `colo_down`: what is on the disks there is there again."""
        self._faults.bring_up(self._colo("colo_up", place))

    @recorded
    def lose(self, what: str, of: Any = None, *, method: str | None = None, count: int = 1) -> None:
        """Lose the next request or reply on its way: its caller is told that the connection is lost, and no more.

        what: "request" (it never arrived) or "reply" (it happened, you were not told). of: the object that is called (a
        stub's may come to be later); None: any message. method: of calls of this method only. count: how many.
        `keep_all` undoes it.
        """
        if what not in _MESSAGES:
            raise ValueError(f'what={what!r} is no message: use "request" or "reply".')
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"count={count!r}: at least one message has to be lost, give a whole number.")
        target = None if of is None else self.objects.label(of)
        self._said("lose", f"{what} of {target or 'anybody'}")
        self._faults.lose(Loss(what, target, method, count))

    @recorded
    def keep_all(self) -> None:
        """Undo `lose`: no message is lost any more."""
        self._said("keep_all", "")
        self._faults.lose_no_more()

    # -- what they share

    @property
    def _faults(self) -> Faults:
        if self.world.faults is None:
            self.world.faults = Faults(self.world)
        return self.world.faults

    def _said(self, verb: str, what: str) -> None:
        self.world.emit(self.world.loop.time_us(), "fault", "the outside", 0, 0, (verb, what))

    def _host(self, verb: str, obj: Any) -> ObjectHost:
        host = self.objects.host(obj)
        self._said(verb, host.label)
        return host

    def _pair(self, verb: str, a: Any, b: Any) -> tuple[City, City]:
        start, end = self.network.city(a), self.network.city(b)
        self._said(verb, f"{start.name}, {end.name}")
        return start, end

    def _colo(self, verb: str, place: Any) -> City:
        colo = self.network.city(place)
        if not colo.has_colo:
            raise ValueError(f"{colo.name} has no colo: clients there enter at {self.network.entry(colo).name}.")
        self._said(verb, colo.name)
        return colo
