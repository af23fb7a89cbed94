"""Arguments of an R2 bucket's methods, and what the runtime refuses in the caller.

Source: workerd src/workerd/api/r2-bucket.c++, r2-multipart.c++ and r2-rpc.c++ @6552d999c (2026-08-22), observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.arguments import (
    UNDEFINED,
    camel_case,
    date_ms,
    field_error,
    int32,
    js_headers,
    struct,
    struct_field,
)
from dosim.bindings.r2_conditions import Condition, Range, condition_of, date_header, range_of
from dosim.bindings.r2_records import Metadata, Refusal
from dosim.bindings.r2_store import HASHES, LIST_LIMIT, LIST_LIMIT_WITH_METADATA, cursor_key
from dosim.runtime.kv_arguments import parameter_error
from dosim.web.body import JsReadableStream
from dosim.web.errors import JsException, noted, type_error
from dosim.web.forms import JsBlob
from dosim.web.headers import JsHeaders
from dosim.web.interface import utf8
from dosim.web.values import js_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

INTERFACE: Final = "R2Bucket"
UPLOAD_INTERFACE: Final = "R2MultipartUpload"
#: Fields of httpMetadata and the headers that they are, in the order in which they are written.
HTTP_FIELDS: Final = {
    "contentType": "content-type",
    "contentLanguage": "content-language",
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "cacheControl": "cache-control",
    "cacheExpiry": "expires",
}
_VALUE_KINDS: Final = "ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob"
_UNKNOWN_LENGTH: Final = (
    "Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)"
)
_DIGEST_BYTES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_PUT_NAMES: Final = ("onlyIf", "httpMetadata", "customMetadata", "storageClass")


# -- options of the methods


@dataclass(frozen=True, slots=True)
class GetOptions:
    """What a get says besides the key."""

    condition: Condition
    range: Range


@dataclass(frozen=True, slots=True)
class PutOptions:
    """What a put says besides key and value; `expected`: the hash's option and the digest that was given."""

    condition: Condition
    metadata: Metadata
    expected: tuple[str, bytes] | None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which objects to list."""

    prefix: str
    limit: int
    after: str | None
    delimiter: str
    include: frozenset[str]


def get_options(world: World, value: Any) -> GetOptions:
    """Options of `get`: onlyIf, range."""
    options = struct(value, 2, "GetOptions", "get", INTERFACE)
    camel_case(world, "get", options, ("onlyIf", "range"))
    condition = condition_of(world, "get", options.get("onlyIf"), "GetOptions")
    return GetOptions(condition, range_of(world, options.get("range")))


def put_options(world: World, value: Any) -> PutOptions:
    """Options of `put`: onlyIf, httpMetadata, customMetadata, storageClass, and one of the hashes."""
    options = struct(value, 3, "PutOptions", "put", INTERFACE)
    camel_case(world, "put", options, _PUT_NAMES)
    condition = condition_of(world, "put", options.get("onlyIf"), "PutOptions")
    metadata = _metadata(world, "put", options, "PutOptions")
    hashes = [name for name in HASHES if name in options]
    expected = [(name, _hash(name, options[name])) for name in hashes[:1]]
    if len(hashes) > 1:
        raise type_error("You cannot specify multiple hashing algorithms.")
    return PutOptions(condition, metadata, expected[0] if expected else None)


def multipart_options(world: World, value: Any) -> Metadata:
    """Options of `createMultipartUpload`: httpMetadata, customMetadata, storageClass."""
    options = struct(value, 2, "MultipartOptions", "createMultipartUpload", INTERFACE)
    camel_case(world, "createMultipartUpload", options, _PUT_NAMES[1:])
    return _metadata(world, "createMultipartUpload", options, "MultipartOptions")


def list_options(world: World, value: Any) -> ListOptions:
    """Options of `list`: limit, prefix, cursor, delimiter, startAfter, include."""
    options = struct(value, 1, "ListOptions", "list", INTERFACE)
    camel_case(world, "list", options, ("startAfter",))
    limit = int32(options["limit"]) if "limit" in options else -1
    texts = {name: _text_option(options, name) for name in ("prefix", "cursor", "delimiter", "startAfter")}
    include = options.get("include", [])
    if not isinstance(include, list):
        raise field_error("include", "ListOptions", "Array")
    for name in map(js_text, include):
        if name not in ("httpMetadata", "customMetadata"):
            raise JsException(f"Unsupported include value {name}", "RangeError")
    after = texts["startAfter"]
    if (cursor := texts["cursor"]) is not None:
        after = max(after or "", cursor_key(cursor))
    return ListOptions(texts["prefix"] or "", limit, after, texts["delimiter"] or "", frozenset(map(js_text, include)))


def page_limit(options: ListOptions) -> int:
    """How many entries a page has; -1 counts as not given (observed). Raises Refusal."""
    limit = LIST_LIMIT if options.limit == -1 else options.limit
    if not 1 <= limit <= LIST_LIMIT:
        raise Refusal(f"MaxKeys params must be positive integer <= {LIST_LIMIT}.", 10022, f"limit={options.limit}.")
    return min(limit, LIST_LIMIT_WITH_METADATA) if options.include else limit


def value_bytes(value: Any, method: str, interface: str = INTERFACE) -> bytes:
    """The bytes of a value to put. Raises the platform's TypeErrors."""
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, JsBlob):
        return value.data
    if isinstance(value, JsReadableStream):
        if not value.length_known:
            raise type_error(_UNKNOWN_LENGTH)
        return value.take()
    if method == "put" and (value is None or value is UNDEFINED):
        return b""
    error = parameter_error(method, 2, _VALUE_KINDS, interface)
    raise noted(error, f"The value is a {type(value).__name__}: pass text or bytes, such as json.dumps(value).")


def uploaded_parts(value: Any) -> list[tuple[int, str]]:
    """The list of parts to complete an upload with: number and etag of each. Raises the platform's TypeErrors."""
    if not isinstance(value, list):
        raise parameter_error("complete", 1, "Array", UPLOAD_INTERFACE)
    parts = []
    for part in value:
        given = part if isinstance(part, dict) else {}
        parts.append((part_number(given.get("partNumber")), js_text(given["etag"]) if "etag" in given else "undefined"))
    return parts


def part_number(value: Any) -> int:
    """A part's number. Raises TypeError outside 1 to 10,000."""
    found = 0 if value is UNDEFINED else int32(value)
    if not 1 <= found <= 10_000:
        raise type_error(f"Part number must be between 1 and 10000 (inclusive). Actual value was: {found}")
    return found


# -- fields


def _text_option(options: dict[str, Any], name: str) -> str | None:
    if name not in options:
        return None
    if not isinstance(options[name], str):
        raise field_error(name, "ListOptions", "string")
    return str.__str__(options[name])


def _metadata(world: World, method: str, options: dict[str, Any], kind: str) -> Metadata:
    custom = options.get("customMetadata", {})
    if not isinstance(custom, dict):
        raise field_error("customMetadata", kind, "object")
    http = js_headers(world, method, "httpMetadata", options.get("httpMetadata"))
    storage_class = js_text(options["storageClass"]) if "storageClass" in options else ""
    return Metadata(_http(http, kind), {key: js_text(item) for key, item in custom.items()}, storage_class)


def _http(value: Any, kind: str) -> dict[str, Any]:
    """httpMetadata as it is stored, from an object or from headers."""
    if isinstance(value, JsHeaders):
        found: dict[str, Any] = {field: value.find(header) for field, header in HTTP_FIELDS.items()}
        found["cacheExpiry"] = date_header(value, "expires")
        return {field: item for field, item in found.items() if item is not None}
    given = struct_field(value, "httpMetadata", kind, "HttpMetadata or Headers")
    return {field: _http_field(field, given[field]) for field in HTTP_FIELDS if field in given}


def _http_field(field: str, value: Any) -> Any:
    return date_ms(value, field, "HttpMetadata") if field == "cacheExpiry" else js_text(value)


def _hash(name: str, value: Any) -> bytes:
    """A digest given as bytes or as hex digits. Raises the platform's TypeErrors."""
    algorithm, size = HASHES[name], _DIGEST_BYTES[name]
    if isinstance(value, memoryview):
        if len(value) != size:
            raise type_error(f"{algorithm} is {size} bytes, not {len(value)}")
        return bytes(value)
    if not isinstance(value, str):
        raise field_error(name, "PutOptions", "JsBufferSource or string")
    if len(value) != 2 * size:
        raise type_error(f"{algorithm} is {2 * size} hex characters, not {len(value)}")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise type_error(f"Provided {algorithm} wasn't a valid hex string") from None
