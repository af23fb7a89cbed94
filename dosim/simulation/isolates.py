"""Isolates: where code is loaded. Each colo has its own, with its own module globals, cold at first.

Recorded: objects of one class, and the Worker beside them, share their isolate's globals. The local runtime has one
isolate for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dosim.platform.facts import JURISDICTIONS
from dosim.runtime.context import DurableObjectContext
from dosim.web.ids import IdFactory

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.instance import Instance
    from dosim.simulation.programs import Program


class LoadedIsolate:
    """One loading of the program: its entrypoints by their names, "Default" the one of clients; its object classes."""

    def __init__(self, entrypoints: Mapping[str, type], classes: Mapping[str, type], env: Any) -> None:
        self.entrypoints = entrypoints
        self.classes = classes
        self.env = env
        #: When it has started, microseconds; None: nothing has asked for it yet.
        self.warm_us: int | None = None


class Isolates:
    """The isolates of a simulation, by colo."""

    def __init__(self, load: Callable[[], LoadedIsolate], cold_start_us: int, *, shared: bool) -> None:
        self._load = load
        self._cold_start_us = cold_start_us
        self._shared = shared
        self._spare: LoadedIsolate | None = load()
        self._by_colo: dict[str, LoadedIsolate] = {}

    @property
    def first(self) -> LoadedIsolate:
        """Any one of them, to read classes from."""
        return self._spare or next(iter(self._by_colo.values()))

    def of(self, colo: City | None) -> LoadedIsolate:
        """The isolate of a colo, loaded at its first use."""
        key = colo.colo if colo is not None and not self._shared else ""
        found = self._by_colo.get(key)
        if found is None:
            found, self._spare = self._spare or self._load(), None
            self._by_colo[key] = found
        return found

    def reload(self) -> None:
        """Start over: every colo loads the program anew, at its next use."""
        self._by_colo.clear()
        self._spare = self._load()

    def start(self, isolate: LoadedIsolate, now_us: int) -> int:
        """Start an isolate that nothing has asked for yet; returns when it will have started."""
        isolate.warm_us = warm_us = now_us + self._cold_start_us
        return warm_us


class Binding:
    """A Durable Object class bound under a name: what the runtime's `ClassBinding` asks for."""

    def __init__(self, name: str, class_name: str, *, sqlite: bool, script: str) -> None:
        self.name = name
        self.class_name = class_name
        self.sqlite = sqlite
        self.prevent_eviction = False
        self.unique_key = f"{script}-{class_name}"
        self.ids = IdFactory(self.unique_key, JURISDICTIONS)
        #: The Worker that the class belongs to.
        self.program: Program | None = None
        self.world: Any = None

    @property
    def has_alarm_handler(self) -> bool:
        assert self.program is not None
        return callable(getattr(self.program.isolates.first.classes[self.class_name], "alarm", None))

    @property
    def env(self) -> Any:
        """The bindings of its Worker."""
        assert self.program is not None
        return self.program.env

    def make(self, host: ObjectHost, instance: Instance) -> object:
        """Run the class's constructor in the isolate of the object's colo."""
        assert self.program is not None
        isolate = self.program.isolates.of(host.place)
        return isolate.classes[self.class_name](DurableObjectContext(instance, self.program.exports), isolate.env)
