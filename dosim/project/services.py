"""What a wrangler configuration binds besides Durable Objects and vars, as data, and how it is read.

Source of keys and defaults: wrangler's configuration schema, developers.cloudflare.com/workers/wrangler/configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dosim.bindings.assets import HTML_HANDLING, NOT_FOUND_HANDLING
from dosim.bindings.crons import CronSchedule
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
    #: Messages are fetched over HTTP, by somebody who does not exist here: no handler gets them.
    pulled: bool = False


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
    #: True, or the paths that are the Worker's (`/api/*`, exceptions with `!`): the rest goes to the files first.
    run_worker_first: bool | tuple[str, ...] = False


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


#: What can be a name on `env`.
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
#: Wrangler's settings of a consumer.
_CONSUMER = frozenset(
    "queue max_batch_size max_batch_timeout max_retries retry_delay dead_letter_queue max_concurrency type"
    " visibility_timeout_ms".split()
)


def read_services(settings: Mapping[str, object], folder: Path, file: str) -> Services:
    """What the configuration binds. Raises ProjectError that names the key and what belongs there."""
    queues = _section(settings, "queues", file)
    triggers = _section(settings, "triggers", file)
    return Services(
        kv=tuple(_store(entry, ("id",), file) for entry in _entries(settings, "kv_namespaces", file)),
        r2=tuple(_store(entry, ("bucket_name",), file) for entry in _entries(settings, "r2_buckets", file)),
        d1=tuple(_store(e, ("database_name", "database_id"), file) for e in _entries(settings, "d1_databases", file)),
        producers=tuple(_producer(entry, file) for entry in _entries(queues, "producers", file, ("binding", "queue"))),
        consumers=tuple(consumer(entry, file) for entry in _entries(queues, "consumers", file, ("queue",))),
        services=tuple(_service(entry, file) for entry in _entries(settings, "services", file, ("binding", "service"))),
        crons=_crons(triggers.get("crons", []), file),
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
        if "binding" in needs and not _NAME.fullmatch(entry["binding"]):
            raise ProjectError(
                f'{file}: "{key}" binds {entry["binding"]!r}, which is no name for env: use letters and _.'
            )
    return value


def _crons(crons: object, file: str) -> tuple[str, ...]:
    if not isinstance(crons, list) or not all(isinstance(cron, str) for cron in crons):
        raise ProjectError(f'{file}: "triggers"."crons" must be a list such as ["0 * * * *"], got {crons!r}.')
    for cron in crons:
        try:
            CronSchedule(cron)
        except ValueError as error:
            raise ProjectError(f'{file}: "triggers"."crons": {error}') from None
    return tuple(crons)


def _optional_text(entry: Mapping[str, object], key: str, where: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ProjectError(f'{where}: "{key}" must be a text, got {value!r}.')
    return value


def _store(entry: Mapping[str, object], ids: Iterable[str], file: str) -> Store:
    binding = str(entry["binding"])
    named = next((text for key in ids if (text := _optional_text(entry, key, file))), binding)
    return Store(binding, named, _optional_text(entry, "migrations_dir", file) or "migrations")


def _producer(entry: Mapping[str, object], file: str) -> Producer:
    delay_us = _seconds_us(entry, "delivery_delay", 0, file)
    return Producer(str(entry["binding"]), str(entry["queue"]), delay_us)


def consumer(entry: Mapping[str, object], where: str) -> Consumer:
    """A consumer's settings by wrangler's own keys. Raises ProjectError for one that it does not know."""
    unknown = sorted(set(entry) - _CONSUMER)
    if unknown:
        has = ", ".join(sorted(_CONSUMER))
        raise ProjectError(f"{where}: a queue consumer has no setting {unknown[0]!r}; it has {has}.")
    dead = _optional_text(entry, "dead_letter_queue", where)
    kind = entry.get("type", "worker")
    if kind not in ("worker", "http_pull"):
        raise ProjectError(f'{where}: a queue consumer is of "type" "worker" or "http_pull", got {kind!r}.')
    concurrency = entry.get("max_concurrency")
    try:
        settings = ConsumerSettings(
            max_batch_size=_whole(entry, "max_batch_size", 10, where),
            max_batch_timeout_us=_seconds_us(entry, "max_batch_timeout", 5, where),
            max_retries=_whole(entry, "max_retries", 3, where),
            retry_delay_us=_seconds_us(entry, "retry_delay", 0, where),
            dead_letter_queue=dead,
            max_concurrency=None if concurrency is None else _whole(entry, "max_concurrency", 1, where),
        )
    except ProjectError:
        raise
    except ValueError as error:
        raise ProjectError(f"{where}: {error}") from None
    return Consumer(str(entry["queue"]), settings, pulled=kind == "http_pull")


def _whole(entry: Mapping[str, object], key: str, default: int, where: str) -> int:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProjectError(f'{where}: "{key}" must be a whole number, got {value!r}.')
    return value


def _seconds_us(entry: Mapping[str, object], key: str, default: int, where: str) -> int:
    """Wrangler's own unit is a whole number of seconds; a duration with a unit is taken as well."""
    value = entry.get(key, default)
    if isinstance(value, str):
        try:
            return duration_us(value, key)
        except ValueError as error:
            raise ProjectError(f"{where}: {error}") from None
    return _whole(entry, key, default, where) * SECOND_US


def _service(entry: Mapping[str, object], file: str) -> Service:
    entrypoint = _optional_text(entry, "entrypoint", file) or "Default"
    return Service(str(entry["binding"]), str(entry["service"]), entrypoint)


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
    first = value.get("run_worker_first", False)
    patterns = isinstance(first, list) and all(isinstance(pattern, str) for pattern in first)
    if not (isinstance(first, bool) or patterns):
        raise ProjectError(f'{file}: "run_worker_first" must be true, false or a list of paths, got {first!r}.')
    binding = _optional_text(value, "binding", file)
    if binding is not None and not _NAME.fullmatch(binding):
        raise ProjectError(f'{file}: "assets" binds {binding!r}, which is no name for env: use letters and _.')
    return AssetsFolder(
        directory=directory,
        binding=binding,
        html_handling=_one_of(value, "html_handling", HTML_HANDLING, file),
        not_found_handling=_one_of(value, "not_found_handling", NOT_FOUND_HANDLING, file, default="none"),
        run_worker_first=first if isinstance(first, bool) else tuple(first),
    )


def _one_of(
    entry: Mapping[str, object], key: str, words: tuple[str, ...], file: str, default: str = "auto-trailing-slash"
) -> str:
    value = entry.get(key, default)
    if value not in words:
        raise ProjectError(f'{file}: "{key}" is {value!r}: write one of {", ".join(words)}.')
    return str(value)


def _secrets(folder: Path) -> dict[str, str]:
    """The secrets of local development, from `.dev.vars` or else `.env`, as wrangler reads them."""
    for name in (".dev.vars", ".env"):
        path = folder / name
        if path.is_file():
            try:
                return _dotenv(path.read_text(encoding="utf-8-sig"))
            except UnicodeDecodeError as error:
                raise ProjectError(f"{name} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    return {}


#: A line of such a file, as the npm package dotenv reads it, which wrangler uses.
_LINE = re.compile(
    r"""^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)
    (\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^\#\r\n]+)?\s*(?:\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)


def _dotenv(text: str) -> dict[str, str]:
    found = {}
    for match in _LINE.finditer(text.replace("\r\n", "\n")):
        name, value = match[1], (match[2] or "").strip()
        quote = value[:1]
        if quote and quote in "'\"`" and len(value) > 1 and value.endswith(quote):
            value = value[1:-1]
        if quote == '"':
            value = value.replace("\\n", "\n").replace("\\r", "\r")
        found[name] = value
    return found
