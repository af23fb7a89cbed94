"""KV namespaces as Python Workers have them: `env.NAME`.

Source: developers.cloudflare.com/kv/api and workerd src/workerd/api/kv.c++; results as workers-runtime-sdk 1.9.5
converts them (`_BindingWrapper`): objects and Maps are JsDicts, ArrayBuffers memoryviews, null is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dosim.bindings.arguments import argument, sent, text
from dosim.bindings.kv_options import (
    INTERFACE,
    VALUE_LIMIT_BYTES,
    ListOptions,
    ReadOptions,
    check_bulk,
    check_cache_ttl,
    check_key,
    check_list,
    entry_of,
    from_json,
    list_options,
    read_keys,
    read_options,
    refused,
    value_as,
    value_bytes,
    write_options,
)
from dosim.bindings.kv_store import Entry, KvStore
from dosim.runtime.promises import rejected
from dosim.web.errors import JsException
from dosim.web.interface import Constructor, utf8
from dosim.web.values import JsDict, is_index

if TYPE_CHECKING:
    from dosim.runtime.world import World

__all__ = ["KVNamespace", "KvStore"]


class KVNamespace:
    """`env.NAME`: a key-value store that is read where the reader is, and may be a minute behind there."""

    constructor = Constructor(INTERFACE)

    def __init__(self, world: World, store: KvStore, binding_name: str) -> None:
        self._world = world
        self._store = store
        self._name = binding_name

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """The value of a key, None if there is none; of a list of keys a JsDict.

        get(key | [keys], type or {type, cacheTtl}): "text" is text, "json" the parsed value, "arrayBuffer" a
        memoryview, "stream" a ReadableStream. Raises TypeError for a bad key, SyntaxError for what is no JSON.
        """
        return self._do(self._get, "get", args, kwargs)

    def getWithMetadata(self, *args: Any, **kwargs: Any) -> Any:
        """As `get`, but a JsDict of value, metadata and cacheStatus; of a list of keys a JsDict of those."""
        return self._do(self._get, "getWithMetadata", args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Store text, bytes or a stream; other plain values become text.

        put(key, value, {expiration, expirationTtl, metadata}). Raises "KV PUT failed: ..." for what the server refuses,
        a second write within a second (429) included.
        """
        return self._do(self._put, "put", args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Remove a key; one that is not there is fine."""
        return self._do(self._delete, "delete", args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Any:
        """A page of keys: a JsDict with `keys`, `list_complete` and, if there is more, `cursor`.

        list({prefix, limit, cursor}). `page["keys"]`, since `page.keys` is the method of a dict.
        """
        return self._do(self._list, "list", args, kwargs)

    # -- one operation each, arguments converted

    def _do(
        self, operation: Callable[[str, tuple[Any, ...]], Any], method: str, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Start an operation; what the runtime refuses in the caller is a rejection."""
        given = sent(args, kwargs)
        try:
            return operation(method, given)
        except JsException as error:
            return rejected(error)

    def _get(self, method: str, args: tuple[Any, ...]) -> Any:
        keys = read_keys(method, argument(args, 0))
        options = read_options(self._world, method, argument(args, 1))
        if not isinstance(keys, str):
            return self._get_bulk(method, keys, options)
        check_key("GET", keys)

        def answer(entries: Sequence[Entry | None]) -> Any:
            (entry,) = entries
            value = None if entry is None else value_as(entry.value, "text" if options.type is None else options.type)
            if method == "get":
                return value
            return JsDict(value=value, metadata=_metadata(entry), cacheStatus=None)

        def check() -> None:
            check_cache_ttl("GET", options.cache_ttl_s)

        return self._store.read(method, [keys], options.cache_ttl_s, check, answer)

    def _get_bulk(self, method: str, keys: Sequence[str], options: ReadOptions) -> Any:
        def answer(entries: Sequence[Entry | None]) -> JsDict:
            found = {key: _bulk_value(method, entry, options) for key, entry in zip(keys, entries, strict=True)}
            if sum(len(entry.value) for entry in entries if entry is not None) > VALUE_LIMIT_BYTES:
                raise refused("GET_BULK", 413, "Total size of request exceeds the limit of 25MB")
            return JsDict((key, value) for key, value in found.items() if self._in_map(method, key))

        return self._store.read(method, keys, options.cache_ttl_s, lambda: check_bulk(keys, options), answer)

    def _in_map(self, method: str, key: str) -> bool:
        """The runtime leaves keys such as "0" or "17" out of the Map of a bulk read (observed; kv.c++ getBulk)."""
        if not is_index(key):
            return True
        return self._world.portability(f"{method}([...]) leaves out the key {key!r}, which is a number", "key by key")

    def _put(self, method: str, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, method, INTERFACE)
        value = argument(args, 1)
        options = write_options(self._world, argument(args, 2))
        check_key("PUT", key)
        data = value_bytes(value)
        return self._store.write(key, lambda now_s: entry_of(data, options, now_s))

    def _delete(self, method: str, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, method, INTERFACE)
        check_key("DELETE", key)
        return self._store.remove(key)

    def _list(self, _: str, args: tuple[Any, ...]) -> Any:
        options = list_options(self._world, argument(args, 0))
        return self._store.listing(lambda: self._page(options))

    def _page(self, options: ListOptions) -> JsDict:
        check_list(options)
        page = self._store.page(options.prefix, options.limit, options.cursor)
        result = JsDict(keys=[_listed(name, entry) for name, entry in page.keys], list_complete=page.cursor is None)
        if page.cursor is not None:
            result["cursor"] = page.cursor
        result["cacheStatus"] = None
        return result

    def __repr__(self) -> str:
        return f"<KVNamespace {self._name} of {self._store.id!r}>"


#: The runtime's own name of the class, which Python's errors say ("'KvNamespace' object is not iterable").
#: Source: workerd `src/workerd/api/kv.h`; workers-py's own test of its bindings.
KVNamespace.__name__ = KVNamespace.__qualname__ = "KvNamespace"


def _metadata(entry: Entry | None) -> Any:
    return None if entry is None or entry.metadata is None else from_json(utf8(entry.metadata))


def _bulk_value(method: str, entry: Entry | None, options: ReadOptions) -> Any:
    """One value of a bulk read. An empty one comes without its metadata (observed: miniflare 4.20260426.0)."""
    if entry is None:
        return None
    kind = options.type or "text"
    try:
        value = value_as(entry.value, kind)
    except JsException:
        message = f"At least one of the requested keys corresponds to a non-{kind} value"
        raise refused("GET_BULK", 400, message) from None
    if method == "get" or not value:
        return value
    return JsDict(value=value, metadata=_metadata(entry))


def _listed(name: str, entry: Entry) -> JsDict:
    listed = JsDict(name=name)
    if entry.expires_s is not None:
        listed["expiration"] = entry.expires_s
    if entry.metadata is not None:
        listed["metadata"] = _metadata(entry)
    return listed
