"""What a wrangler configuration binds besides Durable Objects and vars, as data, and how it is read.

Source of keys and defaults: wrangler's configuration schema, developers.cloudflare.com/workers/wrangler/configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dosim.bindings.queues import ConsumerSettings
from dosim.kernel.durations import duration_us
from dosim.platform.facts import SECOND_US
from dosim.project.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Store:
    """A KV namespace, an R2 bucket or a D1 database: `env.<binding>` is the one with this id."""

    binding: str
    id: str
    #: D1: the folder of its migrations, relative to the project.
    migrations_dir: str = "migrations"


@dataclass(frozen=True, slots=True)
class Producer:
    """`env.<binding>` sends to a queue; every message is delayed by `delay_us` unless it says otherwise."""

    binding: str
    queue: str
    delay_us: int = 0


@dataclass(frozen=True, slots=True)
class Consumer:
    """The Worker's `queue` handler consumes this queue, so."""

    queue: str
    settings: ConsumerSettings


@dataclass(frozen=True, slots=True)
class Service:
    """`env.<binding>` is an entrypoint of a Worker."""

    binding: str
    service: str
    entrypoint: str = "Default"


@dataclass(frozen=True, slots=True)
class AssetsFolder:
    """Static files that are served beside the Worker."""

    directory: Path
    binding: str | None = None
    html_handling: str = "auto-trailing-slash"
    not_found_handling: str = "none"
    run_worker_first: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is bound besides Durable Objects and vars."""

    kv: tuple[Store, ...] = ()
    r2: tuple[Store, ...] = ()
    d1: tuple[Store, ...] = ()
    producers: tuple[Producer, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    services: tuple[Service, ...] = ()
    crons: tuple[str, ...] = ()
    assets: AssetsFolder | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Every name that it puts on `env`."""
        named = [store.binding for store in (*self.kv, *self.r2, *self.d1)]
        named += [producer.binding for producer in self.producers]
        named += [*(service.binding for service in self.services), *self.secrets]
        return named + ([self.assets.binding] if self.assets is not None and self.assets.binding else [])


#: Wrangler's settings of a consumer.
_CONSUMER = frozenset(
    "queue max_batch_size max_batch_timeout max_retries retry_delay dead_letter_queue max_concurrency type"
    " visibility_timeout_ms".split()
)


def read_services(settings: Mapping[str, object], folder: Path, file: str) -> Services:
    """What the configuration binds. Raises ProjectError that names the key and what belongs there."""
    queues = _section(settings, "queues", file)
    triggers = _section(settings, "triggers", file)
    crons = triggers.get("crons", [])
    if not isinstance(crons, list) or not all(isinstance(cron, str) for cron in crons):
        raise ProjectError(f'{file}: "triggers"."crons" must be a list such as ["0 * * * *"], got {crons!r}.')
    return Services(
        kv=tuple(_store(entry, ("id",)) for entry in _entries(settings, "kv_namespaces", file)),
        r2=tuple(_store(entry, ("bucket_name",)) for entry in _entries(settings, "r2_buckets", file)),
        d1=tuple(_store(entry, ("database_name", "database_id")) for entry in _entries(settings, "d1_databases", file)),
        producers=tuple(_producer(entry, file) for entry in _entries(queues, "producers", file, ("binding", "queue"))),
        consumers=tuple(consumer(entry, file) for entry in _entries(queues, "consumers", file, ("queue",))),
        services=tuple(_service(entry) for entry in _entries(settings, "services", file, ("binding", "service"))),
        crons=tuple(crons),
        assets=_assets(settings.get("assets"), folder, file),
        secrets=_secrets(folder),
    )


def _section(settings: Mapping[str, object], key: str, file: str) -> Mapping[str, object]:
    value = settings.get(key, {})
    if not isinstance(value, dict):
        raise ProjectError(f'{file}: "{key}" must be an object, got {value!r}.')
    return value


def _entries(
    settings: Mapping[str, object], key: str, file: str, needs: tuple[str, ...] = ("binding",)
) -> list[dict[str, object]]:
    value = settings.get(key, [])
    if not isinstance(value, list):
        raise ProjectError(f'{file}: "{key}" must be a list of objects, got {value!r}.')
    for entry in value:
        missing = [name for name in needs if not (isinstance(entry, dict) and isinstance(entry.get(name), str))]
        if missing:
            raise ProjectError(f'{file}: each of "{key}" needs "{missing[0]}", a text; got {entry!r}.')
    return value


def _store(entry: Mapping[str, object], ids: Iterable[str]) -> Store:
    binding = str(entry["binding"])
    named = next((str(entry[key]) for key in ids if entry.get(key)), binding)
    return Store(binding, named, str(entry.get("migrations_dir", "migrations")))


def _producer(entry: Mapping[str, object], file: str) -> Producer:
    delay_us = _seconds_us(entry, "delivery_delay", 0, file)
    return Producer(str(entry["binding"]), str(entry["queue"]), delay_us)


def consumer(entry: Mapping[str, object], where: str) -> Consumer:
    """A consumer's settings by wrangler's own keys. Raises ProjectError for one that it does not know."""
    unknown = sorted(set(entry) - _CONSUMER)
    if unknown:
        has = ", ".join(sorted(_CONSUMER))
        raise ProjectError(f"{where}: a queue consumer has no setting {unknown[0]!r}; it has {has}.")
    dead = entry.get("dead_letter_queue")
    concurrency = entry.get("max_concurrency")
    try:
        settings = ConsumerSettings(
            max_batch_size=_whole(entry, "max_batch_size", 10, where),
            max_batch_timeout_us=_seconds_us(entry, "max_batch_timeout", 5, where),
            max_retries=_whole(entry, "max_retries", 3, where),
            retry_delay_us=_seconds_us(entry, "retry_delay", 0, where),
            dead_letter_queue=None if dead is None else str(dead),
            max_concurrency=None if concurrency is None else _whole(entry, "max_concurrency", 1, where),
        )
    except ValueError as error:
        raise ProjectError(f"{where}: {error}") from None
    return Consumer(str(entry["queue"]), settings)


def _whole(entry: Mapping[str, object], key: str, default: int, where: str) -> int:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProjectError(f'{where}: "{key}" must be a whole number, got {value!r}.')
    return value


def _seconds_us(entry: Mapping[str, object], key: str, default: int, where: str) -> int:
    """Wrangler's own unit is a whole number of seconds; a duration with a unit is taken as well."""
    value = entry.get(key, default)
    if isinstance(value, str):
        return duration_us(value, key)
    return _whole(entry, key, default, where) * SECOND_US


def _service(entry: Mapping[str, object]) -> Service:
    return Service(str(entry["binding"]), str(entry["service"]), str(entry.get("entrypoint") or "Default"))


def _assets(value: object, folder: Path, file: str) -> AssetsFolder | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = {"directory": value}
    if not isinstance(value, dict) or not isinstance(value.get("directory"), str):
        raise ProjectError(f'{file}: "assets" needs "directory", the folder of the files; got {value!r}.')
    directory = folder / value["directory"]
    if not directory.is_dir():
        raise ProjectError(f'{file}: "assets"."directory" {value["directory"]!r} is no folder of the project.')
    binding = value.get("binding")
    return AssetsFolder(
        directory=directory,
        binding=None if binding is None else str(binding),
        html_handling=str(value.get("html_handling", "auto-trailing-slash")),
        not_found_handling=str(value.get("not_found_handling", "none")),
        run_worker_first=bool(value.get("run_worker_first", False)),
    )


def _secrets(folder: Path) -> dict[str, str]:
    """The secrets of local development, from `.dev.vars` or else `.env`, as wrangler reads them."""
    for name in (".dev.vars", ".env"):
        path = folder / name
        if path.is_file():
            return _dotenv(path.read_text(encoding="utf-8"))
    return {}


def _dotenv(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        found[name.strip()] = value
    return found
