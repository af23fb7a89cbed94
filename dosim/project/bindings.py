"""Which parts of a wrangler configuration dosim cannot give a Worker, and how to say so.

Every key that binds something or makes events arrive is here until dosim has it. What only concerns deploying
(routes, placement, observability, limits, ...) changes nothing a Worker can see here and is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dosim.project.errors import UnsupportedBinding


@dataclass(frozen=True, slots=True)
class BindingKind:
    """A configuration key (`queues.producers` is a key in a key), one of its things, and what dosim lacks."""

    key: str
    thing: str
    lacks: str
    verb: str = "binds"


#: What dosim gives a Worker; the end of every refusal.
SUPPORTED = (
    "durable_objects, vars, kv_namespaces, r2_buckets, d1_databases, queues, services, triggers.crons and assets"
)

#: Source: wrangler's configuration schema (`node_modules/wrangler/config-schema.json`), November 2026.
UNSUPPORTED = (
    BindingKind("site", "a Workers Site", "static assets", "has"),
    BindingKind("workflows", "a Workflow", "Workflows bindings"),
    BindingKind("containers", "a container", "containers", "has"),
    BindingKind("ai", "Workers AI", "AI bindings"),
    BindingKind("ai_search", "an AI Search instance", "AI Search bindings"),
    BindingKind("analytics_engine_datasets", "an Analytics Engine dataset", "Analytics Engine bindings"),
    BindingKind("browser", "a browser", "Browser Rendering bindings"),
    BindingKind("dispatch_namespaces", "a dispatch namespace", "dispatch namespace bindings"),
    BindingKind("hyperdrive", "a Hyperdrive database", "Hyperdrive bindings"),
    BindingKind("images", "Images", "Images bindings"),
    BindingKind("media", "Media Transformations", "Media bindings"),
    BindingKind("mtls_certificates", "an mTLS certificate", "mTLS bindings"),
    BindingKind("pipelines", "a pipeline", "pipeline bindings"),
    BindingKind("ratelimits", "a rate limit", "rate limit bindings"),
    BindingKind("secrets_store_secrets", "a Secrets Store secret", "Secrets Store bindings"),
    BindingKind("send_email", "an email sender", "email bindings"),
    BindingKind("vectorize", "a Vectorize index", "Vectorize bindings"),
    BindingKind("version_metadata", "version metadata", "version metadata bindings"),
    BindingKind("vpc_services", "a VPC service", "VPC bindings"),
    BindingKind("worker_loaders", "a Worker loader", "Worker loader bindings"),
    BindingKind("wasm_modules", "a WebAssembly module", "wasm module bindings"),
    BindingKind("text_blobs", "a text blob", "text blob bindings"),
    BindingKind("data_blobs", "a data blob", "data blob bindings"),
    BindingKind("unsafe.bindings", "an unsafe binding", "unsafe bindings"),
)

#: Keys of an entry that name it, in the order they are looked for.
_NAMING = ("binding", "name", "queue", "class_name", "directory", "bucket")
_KNOWN = frozenset(kind.key.partition(".")[0] for kind in UNSUPPORTED) | frozenset(
    "durable_objects vars kv_namespaces r2_buckets d1_databases queues services triggers assets".split()
)


def refuse_unsupported(settings: Mapping[str, object], file: str) -> None:
    """Raise UnsupportedBinding when `settings` use a binding type that dosim does not have, naming each."""
    found = [(kind, _names(_look_up(settings, kind.key))) for kind in (*UNSUPPORTED, *_unheard_of(settings))]
    found = [(kind, names) for kind, names in found if names]
    if not found:
        return
    uses = ", ".join(f"{kind.verb} {kind.thing} ({', '.join(names)})" for kind, names in found)
    lacks = " and no ".join(dict.fromkeys(kind.lacks for kind, _ in found))
    raise UnsupportedBinding(
        f"{file} {uses}: dosim has no {lacks} yet; it has {SUPPORTED}.", tuple(kind.key for kind, _ in found)
    )


def _look_up(settings: Mapping[str, object], key: str) -> object:
    value: object = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _names(value: object) -> list[str]:
    """What the entries of a configuration value call themselves; empty when there are none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        naming = next((value[key] for key in _NAMING if isinstance(value.get(key), str)), None)
        return [str(naming)] if naming else sorted(str(key) for key in value)
    if isinstance(value, list):
        return [name for entry in value for name in _names(entry)[:1]]
    return []


def _unheard_of(settings: Mapping[str, object]) -> Iterator[BindingKind]:
    """Keys that this table does not know but whose entries have a `binding`: newer than dosim, still bindings."""
    for key, value in settings.items():
        entries = value if isinstance(value, list) else [value]
        if key not in _KNOWN and any(isinstance(entry, Mapping) and "binding" in entry for entry in entries):
            yield BindingKind(key, key, f"{key} bindings")
