"""`Program`: a Worker as it is deployed: its isolates, its bindings, and how events reach its entrypoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dosim.bindings.namespace import DurableObjectNamespace
from dosim.bindings.services import service_stub
from dosim.runtime.worker import ExecutionContext, WorkerEvent, WorkerRequest
from dosim.web.errors import type_error

if TYPE_CHECKING:
    from dosim.bindings.site import Site
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.world import World
    from dosim.simulation.isolates import Binding, Isolates, LoadedIsolate

Answered = Callable[["Call", Any, Any], None]


class Program:
    """One deployed Worker of a world. The main one is what clients reach; others are reached by service bindings."""

    def __init__(self, world: World, name: str, isolates: Isolates, bindings: list[Binding], env: Any) -> None:
        self.world = world
        self.name = name
        self.env = env
        self.isolates = isolates
        self.bindings = bindings
        self.exports = Exports(self)
        #: Its static assets, if it has any.
        self.site: Site | None = None
        #: How the trace calls it.
        self.label = "worker"

    @property
    def worker(self) -> type | None:
        """The default entrypoint, as one of the isolates has it."""
        return self.isolates.first.entrypoints.get("Default")

    def at(self, colo: str) -> str:
        return f"{self.label}@{colo}" if colo else self.label

    def deliver(self, call: Call, place: City | None, event: WorkerEvent, answered: Answered) -> None:
        """Run an event in the isolate of a colo, when that has started; `answered(call, value, error)` at its end."""
        isolates, loop = self.isolates, self.world.loop
        isolate, now_us = isolates.of(place), loop.now_us
        warm_us = isolates.start(isolate, now_us) if isolate.warm_us is None else isolate.warm_us
        if warm_us > now_us:
            colo = place.colo if place is not None else ""
            detail = (colo, warm_us - now_us)
            call.last = self.world.emit(now_us, "isolate", self.at(colo), call.id, call.last, detail)
            loop.at(warm_us, self._is_warm, (call, place, event, answered, isolate))
        else:
            self._run(call, place, event, answered, isolate)

    def _is_warm(self, waiting: tuple[Call, City | None, WorkerEvent, Answered, LoadedIsolate]) -> None:
        self._run(*waiting)

    def _run(
        self, call: Call, place: City | None, event: WorkerEvent, answered: Answered, isolate: LoadedIsolate
    ) -> None:
        colo = place.colo if place is not None else ""

        def make(request: WorkerRequest, entrypoint: str) -> Any:
            cls = isolate.entrypoints.get(entrypoint)
            if cls is None:
                known = ", ".join(sorted(isolate.entrypoints)) or "none"
                raise type_error(f"{self.name} has no entrypoint {entrypoint!r}; it has {known}.")
            return cls(ExecutionContext(request, self.exports), isolate.env)

        WorkerRequest(self.world, call, place, self.at(colo), answered, isolate.env).run(make, event, (colo,))


class Exports:
    """`ctx.exports`: the Worker's own entrypoints and object classes as bindings, by the names they are exported by."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        program = self._program
        if name in program.isolates.first.entrypoints:
            return service_stub(program.world, lambda: program, program.name, name)
        for binding in program.bindings:
            if binding.class_name == name:
                return DurableObjectNamespace(program.world, binding)
        known = sorted({*program.isolates.first.entrypoints, *(binding.class_name for binding in program.bindings)})
        raise AttributeError(f"ctx.exports has no {name!r}; it has {', '.join(known) or 'nothing'}.")

    def __repr__(self) -> str:
        return f"<exports of {self._program.name}>"
