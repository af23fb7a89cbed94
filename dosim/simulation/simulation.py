"""`Simulation`: a Worker, its Durable Objects, a network, and a clock and randomness of their own."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakMethod

from dosim.billing import Meter, bill_reading
from dosim.bindings.external import ExternalService
from dosim.kernel.durations import Instant, duration_us, instant_us
from dosim.kernel.entropy import Entropy
from dosim.kernel.loop import NO_LIMIT
from dosim.kernel.making import making
from dosim.kernel.nesting import level_outside
from dosim.platform.facts import COMPATIBILITY_DATE, EPOCH_MS
from dosim.runtime.choices import Choices
from dosim.runtime.world import World
from dosim.simulation.clients import Client
from dosim.simulation.deployment import Deployment, Script, Stores
from dosim.simulation.errors import PortabilityError, PortabilityWarning
from dosim.simulation.given import Given, checked_update
from dosim.simulation.isolates import Isolates, LoadedIsolate
from dosim.simulation.journal import Journal, recorded
from dosim.simulation.objects import Objects
from dosim.simulation.options import Options
from dosim.simulation.running import Runner
from dosim.simulation.verbs import Verbs
from dosim.simulation.views import Views
from dosim.trace.words import counted
from dosim.web.errors import noted, type_error
from dosim.web.http import JsResponse
from dosim.web.url import parse_url
from dosim.workers.http import PyodideFetchResponse, fetch_request, from_js

if TYPE_CHECKING:
    from dosim.billing import Bill
    from dosim.explain import Explanation
    from dosim.kernel.chooser import Schedule
    from dosim.network import Network
    from dosim.runtime.calls import OutsideCall
    from dosim.simulation.fork import Twins
    from dosim.trace import Trace


P = ParamSpec("P")
R = TypeVar("R")


class Simulation(Verbs, Views):
    """The world that is run: `Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7)`.

    worker: the WorkerEntrypoint that clients reach, or None. durable_objects: binding name -> class. vars: plain values
    on `env`. kv_namespaces, r2_buckets, d1_databases: binding names, or binding name -> id. queues: binding name ->
    queue name; queue_consumers: queue name -> wrangler's settings, for the Worker's `queue` handler. services: binding
    name -> another WorkerEntrypoint. crons: expressions for its `scheduled` handler. assets: a folder of static files.
    seed: everything random follows from it. platform: "cloudflare" or "workerd" (see `dosim.platform`). concurrency:
    "input-gates" (the runtime's rule) or "one-at-a-time" (the popular belief). network: "earth", or None for no
    distances and no cold starts. cold_start: how long an isolate takes to start, "5ms" on earth as documented for
    JavaScript (Python with packages: "1s"). kv_consistency: how long a colo may answer with an old value of a KV key,
    "60s" as documented. portability: "warn", "error" or "friendly". retention: "full", "last=N" or "none".
    prevent_eviction: names of classes that stay in memory. schedule: the decisions that differ from the plain ones, as
    an exploration prints them ("delay12=100ms,object203=crash"). Raises ValueError or TypeError that name the argument.
    """

    def __init__(
        self,
        worker: type | None = None,
        *,
        durable_objects: Mapping[str, type] | None = None,
        vars: Mapping[str, object] | None = None,  # noqa: A002 (wrangler's word)
        kv_namespaces: Sequence[str] | Mapping[str, str] = (),
        r2_buckets: Sequence[str] | Mapping[str, str] = (),
        d1_databases: Sequence[str] | Mapping[str, str] = (),
        queues: Mapping[str, str] | None = None,
        queue_consumers: Mapping[str, Mapping[str, object]] | None = None,
        services: Mapping[str, type] | None = None,
        crons: Sequence[str] = (),
        assets: str | Path | None = None,
        seed: int | str = 0,
        platform: str = "cloudflare",
        concurrency: str = "input-gates",
        compatibility_date: object = COMPATIBILITY_DATE,
        compatibility_flags: Sequence[str] = (),
        network: Network | str | None = "earth",
        cold_start: object = None,
        kv_consistency: object = None,
        portability: str = "warn",
        retention: str = "full",
        show_output: bool = True,
        prevent_eviction: Sequence[str] = (),
        schedule: Schedule | str | None = None,
    ) -> None:
        options = Options(
            seed=seed,
            platform=platform,
            concurrency=concurrency,
            compatibility_date=compatibility_date,
            compatibility_flags=compatibility_flags,
            network=network,
            cold_start=cold_start,
            kv_consistency=kv_consistency,
            portability=portability,
            retention=retention,
            show_output=show_output,
            prevent_eviction=prevent_eviction,
            schedule=schedule,
        )
        given = Given(
            worker, durable_objects, vars, kv_namespaces, r2_buckets, d1_databases, queues, queue_consumers, services,
            crons, assets,
        )  # fmt: skip
        self._start(given.scripts, given.classes(), options)

    @classmethod
    def from_project(
        cls, folder: str | Path, *, services: Mapping[str, str | Path] | None = None, **options: Any
    ) -> Simulation:
        """Run a Python Workers project unmodified: its `wrangler.jsonc` (or .toml, .json) and its entry module.

        services: names of other Workers that it binds -> their projects' folders. The other arguments are the options
        of `Simulation`. Raises ProjectError that names what is missing or not there.
        """
        from dosim.project import read_config
        from dosim.simulation.loading import project_script

        configs = [read_config(folder), *(read_config(other) for other in (services or {}).values())]
        config = configs[0]
        known = [option.name for option in fields(Options) if option.init]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise TypeError(f"from_project() has no argument {unknown[0]!r}; it has services, {', '.join(known)}.")
        said = {
            "compatibility_date": config.compatibility_date,
            "compatibility_flags": config.compatibility_flags,
            **options,
        }
        names = [config.name, *(services or {})]
        simulation = cls.__new__(cls)
        simulation._start(lambda: list(map(project_script, configs, names)), [], Options(**said))
        return simulation

    def _start(self, scripts: Callable[[], Sequence[Script]], adopt: Sequence[type], options: Options) -> None:
        """Build it, and keep what it was made of, for forks. `scripts` makes the same ones anew each time."""
        cuts = options.earth.cuts if options.earth is not None else frozenset()
        self._made_of = (scripts, adopt, options, cuts)
        #: The function that makes it and drives it, where somebody knows: a fork calls it where calls do not suffice.
        self.driven_by: Callable[[], object] | None = None
        self._decided_before = {} if options.chooser is None else dict(options.chooser.counts)
        self._build(scripts(), adopt, options)
        for watch in [*making]:
            watch(self)

    def _build(self, scripts: Sequence[Script], adopt: Sequence[type], options: Options) -> None:
        bindings = [binding for script in scripts for binding in script.durable_objects]
        options.check_classes([binding.class_name for binding in bindings])
        self.seed, self.platform, self.concurrency = options.seed, options.platform, options.concurrency
        self.edge_routing_us = options.edge_routing_us
        self._portability = options.portability
        self.world = world = World(
            seed=options.seed,
            platform=options.platform_facts,
            compatibility_date=str(options.compatibility_date),
            compatibility_flags=tuple(options.compatibility_flags),
            concurrency=options.concurrency,
            network=options.earth,
            retention=options.retention,
            portability=_weakly(self._trap, otherwise=False),
            check_response=_check_response,
            make_fetch_request=fetch_request,
            wrap=from_js,
            chooser=options.chooser,
        )
        if options.chooser is not None:
            Choices.of(world, options.chooser).redeploy = _weakly(self._redeploy, None)
        self._meter, self._metered = Meter(), 0
        if options.retention != "full":  # else the trace is read when somebody asks for the bill
            world.trace.subscribe(self._meter.fold)
        self._journal = world.journal = Journal(world) if options.retention == "full" else None
        self._twins: Twins | None = None
        world.show_output = options.show_output
        world.friendly = options.portability == "friendly"
        self._stores = stores = Stores(world, kv_consistency_us=options.kv_consistency_us)
        world.externals = stores.externals
        self._deployment = deployment = Deployment(world, stores)
        for binding in bindings:
            binding.prevent_eviction = binding.class_name in options.prevent_eviction
        entropy = Entropy(
            now_us=lambda: EPOCH_MS * 1000 + world.loop.time_us(), monotonic_us=world.loop.time_us, seed=options.seed
        )
        entropy.adopt(*adopt)
        self._entropy = entropy
        self._cold_start_us = options.cold_start_us
        self._runner = Runner(world, entropy)
        for script in scripts:
            env = deployment.environment(script)
            if script is scripts[0]:
                self.env = env
            deployment.deploy(script, env, self._load(script.load(env), runs_code=script.folder is not None))
        self.program = deployment.programs[scripts[0].name]
        self.isolates = self.program.isolates
        self.objects = Objects(world)
        self._clients = 0

    @property
    def worker(self) -> type | None:
        """The entrypoint that clients reach."""
        return self.program.worker

    @recorded
    def external(
        self,
        prefix: str,
        handler: Callable[[Any], Any] | None = None,
        *,
        websocket: Callable[[Any], Any] | None = None,
        latency: object = "0ms",
        place: Any = None,
    ) -> ExternalService:
        """Declare a service outside the platform, the only way for `fetch` to reach an address that starts so.

        handler: a function, async or not, of a `workers.Request`; returns a Response, text, a dict or list (JSON), or a
        status. websocket: one of a socket (`send`, `recv`, `async for`), for "wss://..." addresses. latency: from the
        request's arrival to the call of the handler. place: where it is; unless told, wherever it is called from.
        Returns the service, whose `requests` lists what it was asked.
        """
        parsed = parse_url(prefix) if isinstance(prefix, str) else None
        if parsed is None or parsed.scheme not in ("http", "https", "ws", "wss"):
            raise ValueError(f"prefix={prefix!r} is no http address: write the whole beginning, 'https://api.example'.")
        for name, function in (("handler", handler), ("websocket", websocket)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}={function!r} cannot be called: give a function.")
        if handler is None and websocket is None:
            raise TypeError("a service needs a handler, or websocket=, or both.")
        city = None if place is None else self.network.city(place)
        service = ExternalService(prefix, handler, duration_us(latency, "latency"), city, websocket)
        self._stores.externals.declare(service)
        return service

    @recorded
    def apply_migrations(self, binding: str) -> list[str]:
        """Apply a D1 database's migrations, as `wrangler d1 migrations apply` does; returns the names of new ones.

        Raises ValueError for a binding that is no D1 database of a project.
        """
        return self._deployment.apply_migrations(self.program.name, binding)

    @recorded
    def execute_sql(self, binding: str, file: str | Path) -> int:
        """Run a file of SQL on a D1 database, whole or not at all, as `wrangler d1 execute --file` does.

        Returns how many statements it has. Raises ValueError for another binding or a file that cannot be read, and
        JsException for a statement that fails.
        """
        return self._deployment.execute(self.program.name, binding, file)

    # -- the world outside

    @recorded
    def client(self, place: Any = None) -> Client:
        """Somebody in a city (a name, or (latitude, longitude)). Raises UnknownCity with the nearest names."""
        network = self.world.network
        if network is None:
            self._clients += 1
            return Client(self, None, str(place) if place is not None else "client", self._clients)
        city = network.city(place) if place is not None else network.default
        self._clients += 1
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
        stop_us = self._stop_us(until, for_)
        if self._journal is None:
            return self._runner.run(awaitables, stop_us)
        self._journal.awaits(awaitables)
        try:
            return self._runner.run(awaitables, stop_us)
        finally:
            self._journal.answered(awaitables)

    async def arun(self, *awaitables: Awaitable[Any], until: Any = None, for_: Any = None) -> Any:
        """As `run`, inside a running loop: in a notebook cell, a server, a test."""
        stop_us = self._stop_us(until, for_)
        if self._journal is None:
            return await self._runner.arun(awaitables, stop_us)
        self._journal.awaits(awaitables)
        try:
            return await self._runner.arun(awaitables, stop_us)
        finally:
            self._journal.answered(awaitables)

    def step(self, events: int = 1) -> bool:
        """Run at most so many events; False when none is left but alarms and cron.

        Between any two of them every verb may come: a crash, an eviction, a deploy. Raises ValueError below 1.
        """
        if events < 1:
            raise ValueError(f"events={events!r}: at least one event has to run.")
        if self._journal is not None:
            self._journal.awaits(())
        return self._runner.step(events)

    def _stop_us(self, until: Any, for_: Any) -> int | None:
        if until is not None and for_ is not None:
            raise ValueError("until and for_ were both given: until counts from the start, for_ from now; give one.")
        if until is not None:
            stop_us = instant_us(until, "until", EPOCH_MS)
            if stop_us < self.world.loop.time_us():
                raise ValueError(f"until={until!r} has passed: it is {self.now!r}. Give a later moment, or for_.")
        elif for_ is not None:
            stop_us = self.world.loop.time_us() + duration_us(for_, "for_")
        else:
            return None
        return min(stop_us, NO_LIMIT - 1)

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
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"request={request!r} is no request: give what client.fetch() returned, or its number.")
        return explain(self.trace, number)

    def bill(self, *, plan: str = "paid", prices: object = None, since: Bill | None = None) -> Bill:
        """What the run has cost so far, at list prices: `.lines`, `.usd`, `.by_object`; `.per_month()` extrapolates.

        plan: "paid" or "free". prices: a date ("2026-12-01"), for the newest prices that are not after it; the
        simulated date unless told. since: an earlier bill, to measure from there and leave a warm-up out. Raises
        ValueError or TypeError that name the argument.
        """
        in_memory = (host for host in self.world.hosts.values() if host.instance is not None)
        sizes = {host.label: host.look().stored_bytes() for host in in_memory}
        if self.trace.retention == "full":
            for raw in islice(self.trace.raw, self._metered, None):
                self._meter.fold(*raw)
            self._metered = len(self.trace)
        reading = self._meter.read(self.world.loop.time_us(), sizes)
        return bill_reading(reading, plan=plan, prices=prices, since=since)

    # -- verbs

    @recorded
    def deploy(
        self,
        code: type | str | Path | None = None,
        *,
        durable_objects: Mapping[str, type] | None = None,
        strategy: str = "immediate",
        max_delay: object = "30s",
    ) -> None:
        """Deploy new code over the old: old data meets new code, and Workers and objects are not updated together.

        code: the new WorkerEntrypoint, or the folder of a project. durable_objects: binding name -> new class, for the
        bindings that change. strategy: "immediate" resets every object in memory, in the middle of whatever it does;
        "deferred" waits until it leaves memory, `max_delay` at most. Undo it by deploying the old code.
        Raises ValueError or TypeError that name the argument.
        """
        if strategy not in ("immediate", "deferred"):
            raise ValueError(f'strategy={strategy!r} is not known: use "immediate" or "deferred".')
        max_delay_us = duration_us(max_delay, "max_delay") if strategy == "deferred" else None
        self._said("deploy", strategy)
        if isinstance(code, (str, Path)):
            self._deploy_project(code)
        else:
            self._deploy_classes(code, durable_objects or {})
        self.isolates = self.program.isolates
        self._deployment.update_objects(self.program.name, max_delay_us)

    def _deploy_project(self, folder: str | Path) -> None:
        from dosim.project import read_config
        from dosim.simulation.loading import project_script

        script = project_script(read_config(folder), self.program.name)
        known = {(binding.name, binding.class_name): binding for binding in self.program.bindings}
        script.durable_objects = [known.get((b.name, b.class_name), b) for b in script.durable_objects]
        env = self._deployment.environment(script)
        self._deployment.replace(self.program.name, self._load(script.load(env)), env=env, script=script)
        self.env = env

    def _deploy_classes(self, worker: type | None, durable_objects: Mapping[str, type]) -> None:
        old = self.program.isolates.first
        classes = checked_update(self.program.bindings, worker, durable_objects)
        self._entropy.adopt(*([worker] if worker is not None else []), *durable_objects.values())
        entrypoints = dict(old.entrypoints) if worker is None else {**old.entrypoints, "Default": worker}
        merged = {**old.classes, **classes}
        env = self.env
        self._deployment.replace(self.program.name, self._load(lambda: LoadedIsolate(entrypoints, merged, env)))

    def _redeploy(self, name: str) -> None:
        """The same code of a program once more, as a fault: of a project, with its modules loaded anew."""
        program, script = self._deployment.programs[name], self._deployment.script(name)
        loaded = program.isolates.first
        load = script.load(program.env) if script.folder is not None else lambda: loaded
        self._deployment.replace(name, self._load(load))
        self.isolates = self.program.isolates
        self._deployment.update_objects(name, None)

    # -- forks

    def fork(
        self,
        at: object = None,
        *,
        before: object = None,
        seed: int | str | None = None,
        run: Callable[[], object] | None = None,
    ) -> Simulation:
        """Another simulation with this one's past up to a moment, which it goes on from as you like.

        at: a time ("1500ms", a datetime, an earlier `sim.now`): every event up to it has happened, and nothing that was
        done outside at that instant or later; or a record of `sim.trace` (or its number): the event that made it has
        just happened. before: a record whose event is the next to happen. Neither: now. seed: for everything random
        from then on. What was done later is not done again. Requests under way go on when the fork is run: they are in
        `fork.calls`, and `fork.twin(x)` is the fork's own client, call, stub or socket. This simulation stays as it is.

        The past is lived again: calls of clients and stubs, sends of WebSockets, verbs and runs are repeated from
        record, and your classes run again. Globals of modules and attributes of classes that were given directly are
        shared by both worlds; `from_project` loads a project's anew. run: where a coroutine or callback of yours acted,
        which cannot be repeated, the function that makes this simulation and drives it; it is called again and stopped
        at the moment, and a coroutine of yours that is under way then goes on.

        Raises ForkError, with the first record that differs, when the past does not come out the same, or with the
        reason why it cannot be repeated; ValueError or TypeError that name the argument.
        """
        from dosim.simulation.fork import forked, moment_of

        fork: Simulation = forked(self, moment_of(self, at, before), seed=seed, run=run)
        return fork

    def twin(self, thing: Any) -> Any:
        """In a fork: its own client, call, response, stub, socket or object for one of the original's.

        Raises ValueError for what the original did not have at that moment, and in what is no fork.
        """
        from dosim.simulation.fork import twin_of

        return twin_of(self, thing)

    @property
    def calls(self) -> list[OutsideCall]:
        """Requests and calls from outside that are under way, in order; `sim.run(*sim.calls)` waits for all."""
        known = {} if self._journal is None else dict(self._journal.calls)
        return [known[number] for number in sorted(known) if not known[number].done()]

    @recorded
    def _reseed(self, seed: int | str) -> None:
        self.seed = seed
        self.world.reseed(seed)
        self._entropy.reseed(seed)

    @recorded
    def _ids_drawn(self, count: int) -> None:
        self.world.ids_drawn = count

    def _load(self, load: Callable[[], LoadedIsolate], *, runs_code: bool = True) -> Isolates:
        """New isolates, all cold, with the code loaded once. Classes that were given directly have run already."""
        with self._runner.inside() if runs_code else nullcontext():
            return Isolates(load, self._cold_start_us, shared=self.platform == "workerd")

    @recorded
    def restart(self) -> None:
        """Kill the objects' process and start it on the same disk: memory and open turns are lost, alarms still fire.

        A project's modules are loaded anew; the globals of classes that were given directly stay. Requests in Workers
        go on: they run in other processes.
        """
        for host in self.world.hosts.values():
            host.kill()
        with self._runner.inside():
            for program in self._deployment.programs.values():
                program.isolates.reload()

    # -- inside

    def __del__(self, exiting: Callable[[], bool] = sys.is_finalizing) -> None:
        runner = getattr(self, "_runner", None)
        if runner is None:
            return
        try:
            runner.close()
        except Exception:
            if not exiting():  # at exit Python may have emptied the modules already; the name `sys` too
                raise

    def _trap(self, trap: str, portable: str) -> bool:
        """A silent trap of the platform was met: warn, raise, or accept the Python value."""
        text = f"{trap}. Portable: {portable}"
        if self._portability == "error":
            raise PortabilityError(text)
        self.world.emit(self.world.loop.time_us(), "warning", "portability", 0, 0, (text,))
        warnings.warn(text, PortabilityWarning, stacklevel=level_outside())
        return self._portability == "friendly"

    def error_response(self, text: str) -> JsResponse:
        """What a client gets when the Worker throws."""
        return JsResponse.new(text, status=500)

    def __repr__(self) -> str:
        return (
            f"<Simulation: t={self.world.loop.time_us() / 1e6:.6f}s, {counted(len(self.objects), 'object')},"
            f" {self.trace.count} records, seed={self.seed!r}, {self.platform}, {self.concurrency}"
            + (", interrupted>" if self._runner.interrupted_us is not None else ">")
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.objects._repr_html_()}"


def _weakly(act: Callable[P, R], otherwise: R) -> Callable[P, R]:
    """A method that does not keep its simulation: in a cycle, its coroutines could be collected before it ends them."""
    method = WeakMethod(act)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        alive = method()
        return otherwise if alive is None else alive(*args, **kwargs)

    return call


def _check_response(result: object) -> JsResponse:
    """A handler's result as the Response it must be. Raises the platform's TypeError (recorded)."""
    if isinstance(result, PyodideFetchResponse):
        return result.js_response
    if isinstance(result, JsResponse):
        return result
    error = type_error("Incorrect type for Promise: the Promise did not resolve to 'Response'.")
    raise noted(error, _instead_of(result))


def _instead_of(result: object) -> str:
    """What a fetch handler should have returned."""
    if result is None:
        return "fetch returned None: every path through it must end in `return Response(...)`."
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        return "fetch returned something to await: write `return await ...`."
    kind = type(result).__name__
    write = "Response.json(data)" if isinstance(result, (dict, list)) else "Response(text)"
    return f"fetch returned a {kind}: wrap it, as in `return {write}`."
