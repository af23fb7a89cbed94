"""`Simulation`: a Worker, its Durable Objects, a network and a clock, closed off from the real world."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.bindings.namespace import DurableObjectNamespace
from dosim.kernel.durations import Instant, duration_us, instant_us
from dosim.kernel.entropy import Entropy
from dosim.platform.facts import COMPATIBILITY_DATE, DEFAULT_CITY, EPOCH_MS, PLATFORMS
from dosim.runtime.world import World
from dosim.simulation.clients import Client
from dosim.simulation.errors import PortabilityError, PortabilityWarning
from dosim.simulation.isolates import Binding, Isolates, LoadedIsolate
from dosim.simulation.objects import Objects, ObjectView
from dosim.simulation.running import Runner
from dosim.trace.tables import html_table
from dosim.web.errors import type_error
from dosim.web.http import JsResponse
from dosim.web.proxies import to_js
from dosim.workers.entrypoints import DurableObject, WorkerEntrypoint
from dosim.workers.http import PyodideFetchResponse, fetch_request, from_js

if TYPE_CHECKING:
    from dosim.explain import Explanation
    from dosim.network import Network
    from dosim.project import ProjectConfig
    from dosim.trace import Trace

_CONCURRENCY = ("input-gates", "one-at-a-time")
_PORTABILITY = ("warn", "error", "friendly")


class Env:
    """Bindings as attributes: Durable Object namespaces and vars."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = ", ".join(sorted(vars(self))) or "nothing"
        raise AttributeError(
            f"env has no binding {name!r}; it has {known}. Bind it: durable_objects={{{name!r}: YourClass}}."
        )

    def __repr__(self) -> str:
        return f"<env: {', '.join(sorted(vars(self)))}>"

    def _repr_html_(self) -> str:
        return html_table(("binding", "what it is"), sorted((name, repr(value)) for name, value in vars(self).items()))


class Simulation:
    """The world that is run: `Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7)`.

    worker: the WorkerEntrypoint that clients reach, or None. durable_objects: binding name -> class. vars: plain values
    on `env`. seed: everything random follows from it. platform: "cloudflare" or "workerd" (see `dosim.platform`).
    concurrency: "input-gates" (the runtime's rule) or "one-at-a-time" (the popular belief). network: "earth", or None
    for no distances and no cold starts. portability: "warn", "error" or "friendly". retention: "full", "last=N" or
    "none".     Raises ValueError or TypeError that name the argument and the fix.
    """

    def __init__(
        self,
        worker: type | None = None,
        *,
        durable_objects: Mapping[str, type] | None = None,
        vars: Mapping[str, object] | None = None,  # noqa: A002 (wrangler's word)
        seed: int | str = 0,
        platform: str = "cloudflare",
        concurrency: str = "input-gates",
        compatibility_date: str = COMPATIBILITY_DATE,
        compatibility_flags: Sequence[str] = (),
        network: Network | str | None = "earth",
        portability: str = "warn",
        retention: str = "full",
        show_output: bool = True,
        prevent_eviction: Sequence[str] = (),
    ) -> None:
        classes = dict(durable_objects or {})
        _check_class("worker", worker, WorkerEntrypoint, "WorkerEntrypoint")
        for name, cls in classes.items():
            _check_class(f"durable_objects[{name!r}]", cls, DurableObject, "DurableObject")
        bindings = [
            Binding(name, cls.__name__, sqlite=True, prevent_eviction=cls.__name__ in prevent_eviction, script="worker")
            for name, cls in classes.items()
        ]
        by_name = {cls.__name__: cls for cls in classes.values()}
        self._build(
            bindings,
            lambda env: lambda: LoadedIsolate(worker, by_name, env),
            vars or {},
            adopt=[cls for cls in (worker, *classes.values()) if cls is not None],
            seed=seed,
            platform=platform,
            concurrency=concurrency,
            compatibility_date=compatibility_date,
            compatibility_flags=compatibility_flags,
            network=network,
            portability=portability,
            retention=retention,
            show_output=show_output,
        )

    def _build(
        self,
        bindings: Sequence[Binding],
        loader: Callable[[Env], Callable[[], LoadedIsolate]],
        variables: Mapping[str, object],
        *,
        adopt: Sequence[type],
        seed: int | str,
        platform: str,
        concurrency: str,
        compatibility_date: str,
        compatibility_flags: Sequence[str],
        network: Network | str | None,
        portability: str,
        retention: str,
        show_output: bool,
    ) -> None:
        _one_of("platform", platform, tuple(PLATFORMS))
        _one_of("concurrency", concurrency, _CONCURRENCY)
        _one_of("portability", portability, _PORTABILITY)
        _check_date(compatibility_date)
        self._portability = portability
        earth = _network(network)
        self.world = world = World(
            seed=seed,
            platform=PLATFORMS[platform],
            compatibility_date=compatibility_date,
            compatibility_flags=tuple(compatibility_flags),
            concurrency=concurrency,
            network=earth,
            retention=retention,
            portability=self._trap,
            check_response=_check_response,
            make_fetch_request=fetch_request,
            wrap=from_js,
        )
        self.seed = seed
        self.concurrency = concurrency
        self.platform = platform
        world.show_output = show_output
        world.env = self.env = env = Env()
        for binding in bindings:
            binding.world = world
            setattr(env, binding.name, DurableObjectNamespace(world, binding))
        for name, value in variables.items():
            setattr(env, name, to_js(value))
        entropy = Entropy(
            now_us=lambda: EPOCH_MS * 1000 + world.loop.time_us(), monotonic_us=world.loop.time_us, seed=seed
        )
        entropy.adopt(*adopt)
        self._runner = Runner(world, entropy)
        cold_us = 0
        self.edge_routing_us = 0
        if earth is not None:
            from dosim.network.constants import EDGE_ROUTING_US, WORKER_COLD_START_US

            cold_us, self.edge_routing_us = WORKER_COLD_START_US, EDGE_ROUTING_US
        with self._runner.inside():
            self.isolates = Isolates(loader(env), cold_us, shared=platform == "workerd")
        for binding in bindings:
            binding.isolates = self.isolates
        self.worker = self.isolates.first.worker
        self.objects = Objects(world)
        self._clients = 0

    @classmethod
    def from_project(
        cls,
        folder: str | Path,
        *,
        prevent_eviction: Sequence[str] = (),
        compatibility_date: str | None = None,
        **options: Any,
    ) -> Simulation:
        """Run a Python Workers project unmodified: its `wrangler.jsonc` (or .toml, .json) and its entry module.

        The other arguments are those of `Simulation`. Raises ProjectError that names what is missing or not there yet.
        """
        from dosim.project import read_config
        from dosim.simulation.projects import project_loader

        config: ProjectConfig = read_config(folder)
        bindings = [
            Binding(
                b.name,
                b.class_name,
                sqlite=b.sqlite,
                prevent_eviction=b.class_name in prevent_eviction,
                script=config.name,
            )
            for b in config.durable_objects
        ]
        defaults: dict[str, Any] = {
            "seed": 0,
            "platform": "cloudflare",
            "concurrency": "input-gates",
            "compatibility_flags": config.compatibility_flags,
            "network": "earth",
            "portability": "warn",
            "retention": "full",
            "show_output": True,
        }
        unknown = set(options) - set(defaults)
        if unknown:
            raise TypeError(f"from_project() has no argument {min(unknown)!r}; it has {', '.join(defaults)}.")
        simulation = cls.__new__(cls)
        simulation._build(
            bindings,
            project_loader(config),
            config.vars,
            adopt=[],
            compatibility_date=compatibility_date or config.compatibility_date,
            **{**defaults, **options},
        )
        return simulation

    # -- the world outside

    def client(self, place: Any = None) -> Client:
        """Somebody in a city (a name, or (latitude, longitude)). Raises UnknownCity with the nearest names."""
        network = self.world.network
        self._clients += 1
        if network is None:
            return Client(self, None, str(place) if place is not None else "client", self._clients)
        city = network.city(place) if place is not None else network.city(DEFAULT_CITY)
        return Client(self, city, city.name or str(place), self._clients)

    @property
    def network(self) -> Network:
        """Cities, routes and delays. Raises ValueError when the simulation was made without a network."""
        if self.world.network is None:
            raise ValueError("this simulation has no network (network=None): make it with network='earth'.")
        return self.world.network

    # -- running

    def run(self, *awaitables: Awaitable[Any], until: Any = None, for_: Any = None) -> Any:
        """Run the world until the awaitables are done and return their results (one, or a list of several).

        Without awaitables: until nothing but alarms is left. `until` (an instant, or a duration from the start) and
        `for_` (a duration from now) stop earlier or later. Raises what an awaitable's caller would have seen, and
        `Deadlock` when nothing is left that could complete them.
        """
        return self._runner.run(awaitables, self._stop_us(until, for_))

    async def arun(self, *awaitables: Awaitable[Any], until: Any = None, for_: Any = None) -> Any:
        """As `run`, inside a running loop: in a notebook cell, a server, a test."""
        return await self._runner.arun(awaitables, self._stop_us(until, for_))

    def _stop_us(self, until: Any, for_: Any) -> int | None:
        if until is not None and for_ is not None:
            raise ValueError("until and for_ were both given: until counts from the start, for_ from now; give one.")
        if until is not None:
            stop_us = instant_us(until, "until", EPOCH_MS)
            if stop_us < self.world.loop.now_us:
                raise ValueError(f"until={until!r} has passed: it is {self.now!r}. Give a later moment, or for_.")
            return stop_us
        return None if for_ is None else self.world.loop.now_us + duration_us(for_, "for_")

    @property
    def now(self) -> Instant:
        """The simulated time."""
        return Instant(self.world.loop.time_us(), EPOCH_MS)

    @property
    def trace(self) -> Trace:
        """Every record so far, and its digest."""
        return self.world.trace

    def explain(self, request: Any) -> Explanation:
        """Where each microsecond of a request went. `request`: a client's call, or a number of the trace."""
        from dosim.explain import explain

        number = getattr(request, "request", request)
        if not isinstance(number, int):
            raise TypeError(f"request={request!r} is no request: give what client.fetch() returned, or its number.")
        return explain(self.trace, number)

    def timeline(self, **options: Any) -> Any:
        """A matplotlib Figure: requests and objects in lanes over time."""
        from dosim.views import timeline

        return timeline(self.trace, **options)

    # -- verbs

    def evict(self, obj: ObjectView | Any) -> None:
        """Drop an object from memory now, as idleness would: attributes are lost, storage and alarm stay.

        Raises ValueError while it runs something.
        """
        host = self.objects.host(obj)
        if host.instance is not None and host.state == "running":
            raise ValueError(f"{host.label} is running something: only an idle object can be evicted. Run on first.")
        host.evict()

    def restart(self) -> None:
        """Kill the process and start it on the same disk: memory and open turns are lost, alarms still fire."""
        for host in self.world.hosts.values():
            host.kill()

    # -- inside

    def __del__(self) -> None:
        runner = getattr(self, "_runner", None)
        if runner is not None:
            runner.close()

    def _trap(self, trap: str, portable: str) -> bool:
        """A silent trap of the platform was met: warn, raise, or accept the Python value."""
        text = f"{trap}. Portable: {portable}"
        if self._portability == "error":
            raise PortabilityError(text)
        self.world.emit(self.world.loop.time_us(), "warning", "portability", 0, 0, (text,))
        warnings.warn(text, PortabilityWarning, stacklevel=6)
        return self._portability == "friendly"

    def error_response(self, text: str) -> JsResponse:
        """What a client gets when the Worker throws."""
        return JsResponse.new(text, status=500)

    def __repr__(self) -> str:
        return (
            f"<Simulation: t={self.world.loop.time_us() / 1e6:.6f}s, {len(self.objects)} objects,"
            f" {self.trace.count} records, seed={self.seed!r}, {self.platform}, {self.concurrency}"
            + (", interrupted>" if self._runner.interrupted_us is not None else ">")
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.objects._repr_html_()}"


def _check_class(argument: str, cls: object, base: type, base_name: str) -> None:
    if cls is None and argument == "worker":
        return
    if not isinstance(cls, type):
        hint = f"give the class itself, not an instance ({type(cls).__name__})" if cls is not None else "give a class"
        raise TypeError(f"{argument}={cls!r} is no class: {hint}.")
    if not issubclass(cls, base):
        raise TypeError(
            f"{argument}={cls.__name__} is no {base_name}: write `class {cls.__name__}({base_name})`, with"
            f" `from dosim.workers import {base_name}`."
        )


def _one_of(argument: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{argument}={value!r} is not known: use {' or '.join(map(repr, known))}.")


def _check_date(value: object) -> None:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"compatibility_date={value!r} is no date: write it as '2026-11-01'.") from None


def _network(value: Network | str | None) -> Network | None:
    if value is None:
        return None
    from dosim.network import Network

    if isinstance(value, Network):
        return value
    if value != "earth":
        raise ValueError(f"network={value!r} is not known: use 'earth', None, or a dosim.network.Network.")
    return Network()


def _check_response(result: object) -> JsResponse:
    """A handler's result as the Response it must be. Raises the platform's TypeError (recorded)."""
    if isinstance(result, PyodideFetchResponse):
        return result.js_response
    if isinstance(result, JsResponse):
        return result
    raise type_error("Incorrect type for Promise: the Promise did not resolve to 'Response'.")
