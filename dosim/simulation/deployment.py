"""How a Worker comes into the world: its bindings are made, its code is loaded, its queues and crons are connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.bindings.assets import Assets
from dosim.bindings.crons import CronTrigger, ScheduledController
from dosim.bindings.d1 import D1Database
from dosim.bindings.d1_migrations import execute, migrate
from dosim.bindings.d1_store import D1Store
from dosim.bindings.external import Externals
from dosim.bindings.kv import KVNamespace
from dosim.bindings.kv_store import CONSISTENCY_US, KvStore
from dosim.bindings.namespace import DurableObjectNamespace
from dosim.bindings.queues import QueueProducer, QueueStore
from dosim.bindings.queues_batches import MessageBatch
from dosim.bindings.r2 import R2Bucket
from dosim.bindings.r2_store import R2Store
from dosim.bindings.services import service_stub
from dosim.bindings.site import AssetsBinding, Site
from dosim.project.services import Services, Store
from dosim.runtime.worker import handler_event
from dosim.simulation.isolates import Binding, Isolates, LoadedIsolate
from dosim.simulation.programs import Program
from dosim.trace.tables import html_table
from dosim.web.ids import IdFactory
from dosim.web.proxies import to_js

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.instance import Instance
    from dosim.runtime.world import World


class Env:
    """Bindings as attributes: Durable Object namespaces, services, vars and secrets."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = ", ".join(sorted(vars(self))) or "nothing"
        raise AttributeError(
            f"env has no binding {name!r}; it has {known}. Bind it: durable_objects={{{name!r}: YourClass}} (or"
            f" kv_namespaces=[{name!r}], queues=..., vars=...), or, in a project, in its wrangler.jsonc; a secret"
            f" belongs into the file .dev.vars beside it, as {name}=..."
        )

    def __repr__(self) -> str:
        return f"<env: {', '.join(sorted(vars(self)))}>"

    def _repr_html_(self) -> str:
        return html_table(("binding", "what it is"), sorted((name, repr(value)) for name, value in vars(self).items()))


@dataclass
class Script:
    """A Worker that can be deployed: its name, what it binds, and how its code is loaded for an environment."""

    name: str
    durable_objects: Sequence[Binding]
    load: Callable[[Any], Callable[[], LoadedIsolate]]
    variables: Mapping[str, object] = field(default_factory=dict)
    services: Services = field(default_factory=Services)
    #: The project's folder; None for classes.
    folder: Path | None = None


class Stores:
    """The services of a world by what they are and their ids: Workers that bind the same id share them."""

    def __init__(self, world: World, *, kv_consistency_us: int | None) -> None:
        self._world = world
        self._kv_consistency_us = kv_consistency_us
        self.kv: dict[str, KvStore] = {}
        self.r2: dict[str, R2Store] = {}
        self.d1: dict[str, D1Store] = {}
        self.queues: dict[str, QueueStore] = {}
        self.externals = Externals(world)

    def kv_store(self, name: str) -> KvStore:
        if name not in self.kv:
            wait_us = self._kv_consistency_us
            self.kv[name] = KvStore(self._world, name, consistency_us=CONSISTENCY_US if wait_us is None else wait_us)
        return self.kv[name]

    def r2_store(self, name: str) -> R2Store:
        if name not in self.r2:
            self.r2[name] = R2Store(self._world, name)
        return self.r2[name]

    def d1_store(self, name: str) -> D1Store:
        if name not in self.d1:
            self.d1[name] = D1Store(self._world, name)
        return self.d1[name]

    def queue(self, name: str) -> QueueStore:
        if name not in self.queues:
            self.queues[name] = QueueStore(self._world, name)
        return self.queues[name]


class Deployment:
    """The Workers of a world by their names."""

    def __init__(self, world: World, stores: Stores) -> None:
        self._world = world
        self._stores = stores
        self.programs: dict[str, Program] = {}
        self._scripts: dict[str, Script] = {}
        self._triggers: dict[str, CronTrigger] = {}

    def environment(self, script: Script) -> Env:
        """What the script's programs find in `env`. Raises ValueError for a name that is given twice."""
        env = Env()
        ids: dict[str, IdFactory] = {}
        for binding in script.durable_objects:
            binding.ids = ids.setdefault(binding.unique_key, binding.ids)
            binding.world = self._world
            _set(env, binding.name, DurableObjectNamespace(self._world, binding))
        for name, value in script.variables.items():
            _set(env, name, to_js(value))
        self._bind_services(env, script)
        return env

    def _bind_services(self, env: Env, script: Script) -> None:
        world, stores, services = self._world, self._stores, script.services
        for kv in services.kv:
            _set(env, kv.binding, KVNamespace(world, stores.kv_store(kv.id), kv.binding))
        for r2 in services.r2:
            _set(env, r2.binding, R2Bucket(world, stores.r2_store(r2.id), r2.binding))
        for d1 in services.d1:
            _set(env, d1.binding, D1Database(world, stores.d1_store(d1.id), d1.binding))
        for producer in services.producers:
            queue = stores.queue(producer.queue)
            _set(
                env,
                producer.binding,
                QueueProducer(world, queue, producer.binding, delivery_delay_us=producer.delay_us),
            )
        for service in services.services:
            stub = service_stub(world, partial(self.find, service.service), service.service, service.entrypoint)
            _set(env, service.binding, stub)
        for name, secret in services.secrets.items():
            _set(env, name, secret)

    def find(self, name: str) -> Program:
        """The program of this name. Raises LookupError that names those there are."""
        program = self.programs.get(name)
        if program is None:
            raise LookupError(
                f"a service binding names the Worker {name!r}, and the simulation has {', '.join(self.programs)}: give"
                f" it, services={{{name!r}: OtherWorker}} or its project's folder."
            )
        return program

    def deploy(self, script: Script, env: Env, isolates: Isolates) -> Program:
        """Make the script a program of the world, and connect what happens to it by itself."""
        program = Program(self._world, script.name, isolates, list(script.durable_objects), env)
        program.label = "worker" if not self.programs else script.name
        for binding in script.durable_objects:
            binding.program = binding.program or program
        assets = script.services.assets
        if assets is not None:
            files = Assets(assets.directory, assets.html_handling, assets.not_found_handling)
            program.site = Site(files, worker_first=assets.run_worker_first, without_worker=program.worker is None)
            if assets.binding:
                _set(env, assets.binding, AssetsBinding(self._world, files))
        self.programs[script.name] = program
        self._scripts[script.name] = script
        for consumer in script.services.consumers:
            if consumer.pulled:
                continue
            settings = consumer.settings
            dead = settings.dead_letter_queue
            letters = None if dead is None else self._stores.queue(dead)
            _check_handler(program, "queue", f"the queue {consumer.queue!r}")
            self._stores.queue(consumer.queue).consume(settings, partial(self._run_batch, program), letters)
        self._connect_crons(program, script.services.crons)
        return program

    def script(self, name: str) -> Script:
        """What a program was deployed from."""
        return self._scripts[name]

    def replace(self, name: str, isolates: Isolates, *, env: Env | None = None, script: Script | None = None) -> None:
        """Put new code in the place of a program's: what starts from now on runs it."""
        program = self.programs[name]
        program.isolates = isolates
        if env is not None and script is not None:
            program.env = env
            program.bindings = list(script.durable_objects)
            for binding in program.bindings:
                binding.program = program
            self._scripts[name] = script
            self._connect_crons(program, script.services.crons)

    def update_objects(self, name: str, max_delay_us: int | None) -> None:
        """The objects of a program get its new code: now by a reset, or when they leave memory, at the latest so late.

        Documented (durable-objects/deployments/durable-objects-code-updates): immediate or deferred.
        """
        program = self.programs[name]
        for host in self._world.hosts.values():
            if host.binding.program is not program:
                continue
            if max_delay_us is None:
                host.update()
            elif host.instance is not None:
                due_us = self._world.loop.now_us + max_delay_us
                self._world.loop.in_background(due_us, _update_if_same, (host, host.instance))

    def _connect_crons(self, program: Program, crons: Sequence[str]) -> None:
        known = self._triggers.pop(program.name, None)
        if known is not None:
            known.stop()
        if crons:
            _check_handler(program, "scheduled", f"the cron {crons[0]!r}")
            self._triggers[program.name] = CronTrigger(self._world, crons, partial(self._run_scheduled, program))

    def apply_migrations(self, program: str, binding: str) -> list[str]:
        """The `.sql` files of a D1 database's migrations folder that it has not seen, in the order of their names."""
        script, found = self._scripts[program], self._d1(program, binding)
        if script.folder is None:
            raise ValueError(f"{binding!r} is no D1 database of a project: without a folder there are no migrations.")
        store = self._stores.d1_store(found.id)
        return migrate(store, sorted((script.folder / found.migrations_dir).glob("*.sql")))

    def execute(self, program: str, binding: str, file: str | Path) -> int:
        """Run the statements of a file, which may be named as seen from the project's folder."""
        script, found = self._scripts[program], self._d1(program, binding)
        path = Path(file)
        if not path.exists() and script.folder is not None:
            path = script.folder / file
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"file={str(file)!r} cannot be read ({error}): give the path of a file of SQL.") from None
        return execute(self._stores.d1_store(found.id), text)

    def _d1(self, program: str, binding: str) -> Store:
        bound = self._scripts[program].services.d1
        found = next((entry for entry in bound if entry.binding == binding), None)
        if found is None:
            known = ", ".join(entry.binding for entry in bound) or "none"
            raise ValueError(f"{binding!r} is no D1 database of this simulation; there are: {known}.")
        return found

    # -- what happens by itself

    def _run_batch(self, program: Program, batch: MessageBatch, done: Callable[[BaseException | None], None]) -> None:
        call = self._world.plain_call("queue", f"queue {batch.queue}", "queue", (), None)
        place = self._place()
        program.deliver(call, place, handler_event("queue", batch), lambda _, value, error: done(error))

    def _run_scheduled(self, program: Program, controller: ScheduledController) -> None:
        call = self._world.plain_call("scheduled", f"cron {controller.cron}", "scheduled", (), None)
        program.deliver(call, self._place(), handler_event("scheduled", controller), _nobody_waits)

    def _place(self) -> Any:
        network = self._world.network
        return None if network is None else network.entry(network.default)


def _update_if_same(due: tuple[ObjectHost, Instance]) -> None:
    """The delay of a deferred update is over: whoever still runs the old code is reset."""
    host, instance = due
    if host.instance is instance:
        host.update()


def _nobody_waits(call: Call, value: Any, error: BaseException | None) -> None:
    """A run that failed is in the trace."""


def _set(env: Env, name: str, value: object) -> None:
    if hasattr(env, name):
        raise ValueError(f"env has two things named {name!r}: rename one of the bindings or vars.")
    setattr(env, name, value)


def _check_handler(program: Program, handler: str, why: str) -> None:
    if not hasattr(program.worker, handler):
        first = "batch" if handler == "queue" else "controller"
        raise ValueError(
            f"{program.name} is to handle {why}, and has no {handler} handler: write"
            f" `async def {handler}(self, {first}, env, ctx)` in its default entrypoint."
        )
