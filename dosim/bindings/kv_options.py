"""Arguments of a KV namespace's methods, and what its server refuses.

Source: workerd src/workerd/api/kv.c++ @6552d999c (2026-08-22) for what is checked in the caller; miniflare
4.20260426.0, workers/kv, for the server's texts; both observed. Limits: developers.cloudflare.com/kv/platform/limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.arguments import (
    UNDEFINED,
    Undefined,
    camel_case,
    int32,
    is_object,
    struct,
    text,
)
from dosim.bindings.kv_store import Entry
from dosim.runtime.kv_arguments import parameter_error
from dosim.web.body import JsReadableStream, _parse_json
from dosim.web.errors import JsException, noted, type_error
from dosim.web.http import stringify
from dosim.web.interface import utf8
from dosim.web.values import clone, js_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

INTERFACE: Final = "KvNamespace"
KEY_LIMIT_BYTES: Final = 512
VALUE_LIMIT_BYTES: Final = 25 * 1024 * 1024
METADATA_LIMIT_BYTES: Final = 1024
LIST_LIMIT: Final = 1000
BULK_LIMIT: Final = 100
EXPIRATION_MIN_S: Final = 60
#: Observed; the pages of the documentation that are stored here still say 60.
CACHE_TTL_MIN_S: Final = 30
_BAD_VALUE: Final = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
_BAD_TYPE: Final = 'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the type of the result, None if nothing was said, and the cache's seconds."""

    type: str | None
    cache_ttl_s: int | None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a put says besides the value: seconds, and metadata as JSON."""

    expiration_s: int | None
    expiration_ttl_s: int | None
    metadata: str | None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which keys to list."""

    prefix: str
    limit: int
    cursor: str | None


# -- in the caller


def read_keys(method: str, value: Any) -> str | list[str]:
    """The key, or the list of keys, of a read. Raises the platform's TypeError."""
    if isinstance(value, list):
        return [js_text(key) for key in value]
    return text(value, 1, method, INTERFACE, "string or Array")


def read_options(world: World, method: str, value: Any) -> ReadOptions:
    """A type as text, or an object with `type` and `cacheTtl`."""
    if value is None or isinstance(value, Undefined) or is_object(value):
        options = struct(value, 2, "GetOptions", method, INTERFACE)
    else:
        options = {"type": value}
    camel_case(world, method, options, ("cacheTtl",))
    kind = js_text(options["type"]) if "type" in options else None
    return ReadOptions(kind, int32(options["cacheTtl"]) if "cacheTtl" in options else None)


def write_options(world: World, value: Any) -> WriteOptions:
    """Options of `put`: expiration, expirationTtl, metadata. Raises the platform's TypeErrors."""
    options = struct(value, 3, "PutOptions", "put", INTERFACE)
    camel_case(world, "put", options, ("expiration", "expirationTtl", "metadata"))
    try:
        expiration_s = int32(options["expiration"]) if "expiration" in options else None
    except JsException as error:
        raise noted(error, f"expiration={options['expiration']} counts seconds since 1970, not milliseconds.") from None
    metadata = options.get("metadata")
    return WriteOptions(
        expiration_s,
        int32(options["expirationTtl"]) if "expirationTtl" in options else None,
        None if metadata is None else stringify(_dates_as_text(metadata)),
    )


def list_options(world: World, value: Any) -> ListOptions:
    """Options of `list`: prefix, limit, cursor; a limit of 0 or less counts as none (observed)."""
    options = struct(value, 1, "ListOptions", "list", INTERFACE)
    camel_case(world, "list", options, ("prefix", "limit", "cursor"))
    limit = int32(options["limit"]) if "limit" in options else 0
    prefix, cursor = options.get("prefix"), options.get("cursor")
    return ListOptions(
        "" if prefix is None else js_text(prefix),
        limit if limit > 0 else LIST_LIMIT,
        None if cursor is None else js_text(cursor),
    )


def check_key(method: str, key: str) -> None:
    """Raises what the runtime raises for a key, before anything is sent."""
    if not key:
        raise type_error("Key name cannot be empty.")
    if key in (".", ".."):
        raise type_error(f'"{key}" is not allowed as a key name.')
    _check_length(method, key)


def value_bytes(value: Any) -> bytes:
    """The bytes of a value to put. Raises the platform's TypeErrors."""
    if value is UNDEFINED:
        raise parameter_error("put", 2, "string or JsObject", INTERFACE)
    if isinstance(value, JsReadableStream):
        return value.take()
    if isinstance(value, memoryview):
        return bytes(value)
    if is_object(value):
        error = type_error(_BAD_VALUE)
        raise noted(error, f"The value is a {type(value).__name__}: put json.dumps(value), and get(key, 'json').")
    return utf8(js_text(value))


def _dates_as_text(value: Any) -> Any:
    """Dates in metadata as JSON has them."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, dict):
        return {key: _dates_as_text(item) for key, item in value.items()}
    return [_dates_as_text(item) for item in value] if isinstance(value, list) else value


# -- at the server


def refused(method: str, status: int, message: str) -> JsException:
    """What the caller gets when the server refuses."""
    return JsException(f"KV {method} failed: {status} {message}")


def entry_of(data: bytes, options: WriteOptions, now_s: int) -> Entry:
    """The entry that a put stores. Raises the server's refusals."""
    expires_s = _expiration(options, now_s)
    if options.metadata is not None and (length := len(utf8(options.metadata))) > METADATA_LIMIT_BYTES:
        raise refused("PUT", 413, f"Metadata length of {length} exceeds limit of {METADATA_LIMIT_BYTES}.")
    if len(data) > VALUE_LIMIT_BYTES:
        error = refused("PUT", 413, f"Value length of {len(data)} exceeds limit of {VALUE_LIMIT_BYTES}.")
        raise noted(error, "A value may have 25 MiB: put larger ones into an R2 bucket.")
    return Entry(data, options.metadata, expires_s)


def _expiration(options: WriteOptions, now_s: int) -> int | None:
    if (ttl_s := options.expiration_ttl_s) is not None:
        said = f"Invalid expiration_ttl of {ttl_s}."
        if ttl_s <= 0:
            raise refused("PUT", 400, f"{said} Please specify integer greater than 0.")
        if ttl_s < EXPIRATION_MIN_S:
            raise refused("PUT", 400, f"{said} Expiration TTL must be at least {EXPIRATION_MIN_S}.")
        return now_s + ttl_s
    if (expires_s := options.expiration_s) is None:
        return None
    said = f"Invalid expiration of {expires_s}."
    if expires_s <= now_s:
        raise refused(
            "PUT",
            400,
            f"{said} Please specify integer greater than the current number of seconds since the UNIX epoch.",
        )
    if expires_s < now_s + EXPIRATION_MIN_S:
        raise refused("PUT", 400, f"{said} Expiration times must be at least {EXPIRATION_MIN_S} seconds in the future.")
    return expires_s


def check_cache_ttl(method: str, cache_ttl_s: int | None) -> None:
    """Raises the server's refusal of a `cacheTtl` that is too short."""
    if cache_ttl_s is not None and cache_ttl_s < CACHE_TTL_MIN_S:
        message = f"Invalid cache_ttl of {cache_ttl_s}. Cache TTL must be at least {CACHE_TTL_MIN_S}."
        raise refused(method, 400, message)


def check_bulk(keys: Sequence[str], options: ReadOptions) -> None:
    """Raises the server's refusals of a read of several keys."""
    if options.type not in (None, "", "text", "json"):
        raise refused("GET_BULK", 400, f'"{options.type}" is not a valid type. Use "json" or "text"')
    if len(keys) > BULK_LIMIT:
        raise refused("GET_BULK", 400, f"You can request a maximum of {BULK_LIMIT} keys")
    if not keys:
        raise refused("GET_BULK", 400, "You must request a minimum of 1 key")
    for key in keys:
        if not key:
            raise refused("GET_BULK", 400, "Key names must not be empty")
        if key in (".", ".."):
            raise refused("GET_BULK", 400, f'Illegal key name "{key}". Please use a different name.')
        _check_length("GET_BULK", key)
        check_cache_ttl("GET_BULK", options.cache_ttl_s)


def check_list(options: ListOptions) -> None:
    """Raises the server's refusals of a listing."""
    if options.limit > LIST_LIMIT:
        said = f"Invalid key_count_limit of {options.limit}."
        raise refused("GET", 400, f"{said} Please specify an integer less than {LIST_LIMIT}.")
    _check_length("GET", options.prefix)


def _check_length(method: str, key: str) -> None:
    length = len(utf8(key))
    if length > KEY_LIMIT_BYTES:
        message = f"UTF-8 encoded length of {length} exceeds key length limit of {KEY_LIMIT_BYTES}."
        raise refused(method, 414, message)


# -- results


def from_json(data: bytes) -> Any:
    """Parsed JSON as Python gets it: dicts with attributes. Raises SyntaxError with V8's text."""
    return clone(_parse_json(data))


def value_as(data: bytes, kind: str) -> Any:
    """A value as the type that was asked for. Raises TypeError for another type, SyntaxError for what is no JSON."""
    if kind == "text":
        return data.decode("utf-8", "replace")
    if kind == "json":
        return from_json(data)
    if kind == "arrayBuffer":
        return memoryview(data)
    if kind == "stream":
        return JsReadableStream(data)
    raise type_error(_BAD_TYPE)
