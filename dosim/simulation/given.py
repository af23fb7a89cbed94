"""`Given`: what `Simulation(...)` was given, checked, as scripts to deploy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dosim.project.services import AssetsFolder, Consumer, Producer, Service, Services, Store, consumer
from dosim.simulation.deployment import Script
from dosim.simulation.isolates import Binding, LoadedIsolate
from dosim.workers.entrypoints import DurableObject, WorkerEntrypoint

#: The name of the Worker that is given as a class.
MAIN = "worker"


@dataclass
class Given:
    """The arguments of `Simulation` that make its program, by their names; see there. Raises ValueError, TypeError."""

    worker: type | None
    durable_objects: Mapping[str, type] | None
    variables: Mapping[str, object] | None
    kv_namespaces: Sequence[str] | Mapping[str, str]
    r2_buckets: Sequence[str] | Mapping[str, str]
    d1_databases: Sequence[str] | Mapping[str, str]
    queues: Mapping[str, str] | None
    queue_consumers: Mapping[str, Mapping[str, object]] | None
    services: Mapping[str, type] | None
    crons: Sequence[str]
    assets: str | Path | None

    def __post_init__(self) -> None:
        self._objects = _checked_classes(self.durable_objects)
        _check_class("worker", self.worker, WorkerEntrypoint, "WorkerEntrypoint", optional=True)
        for name, cls in (self.services or {}).items():
            _check_class(f"services[{name!r}]", cls, WorkerEntrypoint, "WorkerEntrypoint")
        if isinstance(self.crons, str):
            raise TypeError(f"crons={self.crons!r} is one text: give a list, crons=[{self.crons!r}].")

    def classes(self) -> list[type]:
        """Every class that was given: their modules get the virtual clock."""
        given = (self.worker, *self._objects.values(), *(self.services or {}).values())
        return [cls for cls in given if cls is not None]

    def scripts(self) -> list[Script]:
        """The main Worker, then those that it binds as services. They share what is bound."""
        by_name = {cls.__name__: cls for cls in self._objects.values()}
        bindings = [Binding(name, cls.__name__, sqlite=True, script=MAIN) for name, cls in self._objects.items()]
        main = Script(
            name=MAIN,
            durable_objects=bindings,
            load=lambda env: lambda: LoadedIsolate(_default(self.worker), by_name, env),
            variables=self.variables or {},
            services=self._services(),
        )
        return [main, *(self._beside(main, name, cls) for name, cls in (self.services or {}).items())]

    def _beside(self, main: Script, name: str, cls: type) -> Script:
        same = Services(
            kv=main.services.kv, r2=main.services.r2, d1=main.services.d1, producers=main.services.producers
        )
        return Script(
            name=name,
            durable_objects=main.durable_objects,
            load=lambda env: lambda: LoadedIsolate(_default(cls), {c.__name__: c for c in self._objects.values()}, env),
            variables=main.variables,
            services=same,
        )

    def _services(self) -> Services:
        consumers = [
            consumer({**settings, "queue": queue}, f"queue_consumers[{queue!r}]")
            for queue, settings in (self.queue_consumers or {}).items()
        ]
        return Services(
            kv=_stores("kv_namespaces", self.kv_namespaces),
            r2=_stores("r2_buckets", self.r2_buckets),
            d1=_stores("d1_databases", self.d1_databases),
            producers=tuple(Producer(name, queue) for name, queue in _mapping("queues", self.queues).items()),
            consumers=tuple[Consumer, ...](consumers),
            services=tuple(Service(name, name) for name in self.services or {}),
            crons=tuple(self.crons),
            assets=None if self.assets is None else AssetsFolder(Path(self.assets), binding="ASSETS"),
        )


def checked_update(
    bindings: Sequence[Binding], worker: type | None, durable_objects: Mapping[str, type]
) -> dict[str, type]:
    """New classes by the names under which the old ones are bound. Raises TypeError or ValueError."""
    _check_class("code", worker, WorkerEntrypoint, "WorkerEntrypoint", optional=True)
    names = {binding.name: binding.class_name for binding in bindings}
    found = {}
    for name, cls in durable_objects.items():
        _check_class(f"durable_objects[{name!r}]", cls, DurableObject, "DurableObject")
        if name not in names:
            known = ", ".join(names) or "none"
            raise ValueError(f"durable_objects has {name!r}, which is no binding; there are: {known}.")
        found[names[name]] = cls
    return found


def _default(worker: type | None) -> dict[str, type]:
    return {} if worker is None else {"Default": worker}


def _stores(argument: str, given: Sequence[str] | Mapping[str, str]) -> tuple[Store, ...]:
    if isinstance(given, str):
        raise TypeError(f"{argument}={given!r} is one text: give a list, {argument}=[{given!r}].")
    named = given if isinstance(given, Mapping) else {name: name for name in given}
    return tuple(Store(name, identity) for name, identity in named.items())


def _mapping(argument: str, given: Mapping[str, str] | None) -> Mapping[str, str]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{argument}={given!r} is no dict: write {argument}={{'JOBS': 'jobs'}}, binding to queue name.")
    return given or {}


def _check_class(argument: str, cls: object, base: type, base_name: str, *, optional: bool = False) -> None:
    if cls is None and optional:
        return
    if not isinstance(cls, type):
        hint = f"give the class itself, not an instance ({type(cls).__name__})" if cls is not None else "give a class"
        raise TypeError(f"{argument}={cls!r} is no class: {hint}.")
    if not issubclass(cls, base):
        raise TypeError(
            f"{argument}={cls.__name__} is no {base_name}: write `class {cls.__name__}({base_name})`, with"
            f" `from dosim.workers import {base_name}`."
        )


def _checked_classes(durable_objects: object) -> dict[str, type]:
    """Binding name -> class. Raises TypeError or ValueError that says what to write."""
    if durable_objects is None:
        return {}
    if not isinstance(durable_objects, Mapping):
        raise TypeError(
            f"durable_objects={durable_objects!r} is no dict: write"
            " durable_objects={'COUNTER': Counter}, binding name to class."
        )
    classes = dict(durable_objects)
    named: dict[str, type] = {}
    for name, cls in classes.items():
        _check_class(f"durable_objects[{name!r}]", cls, DurableObject, "DurableObject")
        if named.setdefault(cls.__name__, cls) is not cls:
            raise ValueError(
                f"durable_objects has two different classes named {cls.__name__}: the platform knows a class by its"
                " name, so give one of them another."
            )
    return classes
