"""`sim.objects`: every object of the world, as a learner looks at it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dosim.bindings.namespace import Stub
from dosim.platform.facts import EPOCH_MS
from dosim.runtime.holders import Reasons, why_awake, why_not_hibernating
from dosim.trace.tables import html_table
from dosim.trace.words import counted
from dosim.web.ids import DurableObjectId
from dosim.web.values import clone

if TYPE_CHECKING:
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World


COLUMNS = ("object", "state", "instance", "colo", "memory", "storage", "alarm")


class ObjectView:
    """One object: its state, which instance it is on, what is in memory and on disk, its alarm, its colo."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host

    @property
    def label(self) -> str:
        return self._host.label

    @property
    def id(self) -> DurableObjectId:
        return self._host.id

    @property
    def class_name(self) -> str:
        return self._host.binding.class_name

    @property
    def state(self) -> str:
        """ "inactive", "active", "idle", "hibernated" or "evicted"."""
        return self._host.state

    def why_awake(self) -> Reasons:
        """What keeps the object in memory: each holder with its age, or when it leaves."""
        return why_awake(self._host)

    def why_not_hibernating(self) -> Reasons:
        """What stands between the object and hibernation, each holder with its age."""
        return why_not_hibernating(self._host)

    @property
    def sockets(self) -> int:
        """How many hibernatable WebSockets it has, in memory or not."""
        return self._host.sockets

    @property
    def instance(self) -> int:
        """How many times it has been constructed."""
        return self._host.instances

    @property
    def memory(self) -> dict[str, Any]:
        """Attributes of the live instance, without ctx and env; empty when it is not in memory."""
        instance = self._host.instance
        if instance is None or instance.user is None:
            return {}
        return {name: value for name, value in vars(instance.user).items() if name not in ("ctx", "env")}

    @property
    def storage(self) -> dict[str, Any]:
        """The key-value entries on disk, in key order, as `get` reads them: copies."""
        engine = self._host.look()
        return {key: clone(engine.kv[key]) for key in engine.sorted_keys()}

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The SQL tables on disk: name -> rows, each a dict of its columns; copies."""
        image = self._host.look().sql_image()
        if not image:
            return {}
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(image)
            copy.row_factory = sqlite3.Row
            return {name: [dict(row) for row in copy.execute(f'SELECT * FROM "{name}"')] for name in _tables(copy)}

    @property
    def alarm_us(self) -> int | None:
        """When the alarm is due, microseconds since the start; None without one."""
        alarm_ms = self._host.look().alarm_ms
        return None if alarm_ms is None else (alarm_ms - EPOCH_MS) * 1000

    @property
    def colo(self) -> str:
        """The colo it lives in, "" without a network."""
        return self._host.place.colo if self._host.place is not None else ""

    @property
    def city(self) -> str:
        return self._host.place.name if self._host.place is not None else ""

    @property
    def queued(self) -> int:
        """Calls that wait until others have answered (one-at-a-time)."""
        return len(self._host.waiting)

    def __repr__(self) -> str:
        at = f" in {self.city} ({self.colo})" if self.colo else ""
        return f"<{self.label}: {self.state}, instance {self.instance}{at}>"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [self.row()])

    def row(self) -> tuple[str, ...]:
        """label, state, instance, colo, memory, storage, alarm: texts for a table."""
        alarm = "" if self.alarm_us is None else f"{self.alarm_us / 1e6:.3f}s"
        tables = [f"{name}: {counted(len(rows), 'row')}" for name, rows in self.tables.items()]
        storage = "; ".join([repr(self.storage)] * (bool(self.storage) or not tables) + tables)
        return (self.label, self.state, str(self.instance), self.colo, repr(self.memory), storage, alarm)


def _tables(database: sqlite3.Connection) -> list[str]:
    """The tables that user code made: not SQLite's own, not those that the platform hides."""
    named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in named if not name.lower().startswith(("sqlite_", "_cf_")) and '"' not in name]


class Objects:
    """All objects, in the order in which they were first touched: iterate, or look one up."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __len__(self) -> int:
        return len(self._world.hosts)

    def __iter__(self) -> Iterator[ObjectView]:
        return map(ObjectView, self._world.hosts.values())

    def __getitem__(self, key: object) -> ObjectView:
        """By position, by label ("Counter('a')"), by name, or by stub. Raises KeyError that lists what there is."""
        return ObjectView(self.host(key))

    def host(self, key: object) -> ObjectHost:
        """The runtime's own object; for dosim's verbs."""
        hosts = list(self._world.hosts.values())
        if isinstance(key, ObjectView):
            return key._host
        if isinstance(key, int) and -len(hosts) <= key < len(hosts):
            return hosts[key]
        wanted = str(key.id) if isinstance(key, Stub) else str(key)
        for host in hosts:
            if wanted in (host.label, host.id.name, str(host.id)):
                return host
        known = ", ".join(host.label for host in hosts[:20]) or "none has been touched yet"
        raise KeyError(f"no object {key!r}: {known}")

    def label(self, key: object) -> str:
        """The label of an object, of one that is known by a stub alone too: nobody has touched it yet."""
        try:
            return self.host(key).label
        except KeyError:
            if not isinstance(key, Stub):
                raise
            return key._link.label

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no object has been touched yet>"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [view.row() for view in self])
