"""What a KV namespace holds: one central store, and what each location keeps of what it has read.

Documented (developers.cloudflare.com/kv/concepts/how-kv-works and kv/api/read-key-value-pairs): values are stored
centrally and cached where they are read, for 60 seconds or the reader's `cacheTtl`; that a key does not exist is
cached too; a write is visible at once where it was made, elsewhere when the cached answer has timed out; reading with
a lower `cacheTtl` looks for newer data; an expired key is gone, cached or not.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.arguments import caller_place
from dosim.platform.facts import EPOCH_MS, MS_US, SECOND_US
from dosim.runtime.services import Service
from dosim.web.errors import JsException, noted
from dosim.web.interface import utf8

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World

#: How long a location answers from what it has read, without `cacheTtl`. Documented: kv/concepts/how-kv-works.
CONSISTENCY_US: Final = 60 * SECOND_US
#: Between two writes of one key. Documented: kv/api/write-key-value-pairs, with the text of the refusal.
WRITE_INTERVAL_US: Final = SECOND_US
#: A read that the location answers itself. *Assumed*; Cloudflare wrote that its hottest keys take less than a
#: millisecond (blog.cloudflare.com/faster-workers-kv, 2024-09-26).
CACHED_READ_US: Final = 1 * MS_US
#: A read in the central store, without the way there. Measured by Cloudflare: 99 of 100 take less than 5 ms since
#: August 2025 (reported by InfoQ, "Cloudflare Rearchitects Workers KV").
READ_US: Final = 5 * MS_US
#: A write or delete in the central store, without the way there. *Assumed*: nothing is published.
WRITE_US: Final = 10 * MS_US
#: One page of a listing. *Assumed*.
LIST_US: Final = 20 * MS_US


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value, its metadata as JSON, and when it expires, in seconds since 1970."""

    value: bytes
    metadata: str | None = None
    expires_s: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: names with their entries, and the cursor of the next page."""

    keys: list[tuple[str, Entry]]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Cached:
    """What one location knows of one key, from the moment the answer got there until it times out."""

    entry: Entry | None
    from_us: int
    ttl_us: int


class KvStore:
    """One namespace, by its id: central data and the caches of all locations.

    place: where the central store is; None: near the first use. consistency_us: how long a location goes on answering
    what it has read; 0: every read is fresh, as on the local runtime always.
    """

    def __init__(
        self, world: World, namespace_id: str, *, place: City | None = None, consistency_us: int = CONSISTENCY_US
    ) -> None:
        self._world = world
        self.id = namespace_id
        self._local = world.platform.name == "workerd"
        self.consistency_us = 0 if self._local else consistency_us
        self._service = Service(world, f"KV {namespace_id}", place)
        self._entries: dict[str, Entry] = {}
        self._names: list[str] = []
        self._stored_bytes = 0
        self._cached: dict[tuple[str, str], _Cached] = {}
        self._written_us: dict[str, int] = {}

    # -- what a binding calls: each starts an operation and returns what can be awaited

    def read(
        self,
        method: str,
        keys: Sequence[str],
        cache_ttl_s: int | None,
        check: Callable[[], None],
        answer: Callable[[Sequence[Entry | None]], Any],
    ) -> Any:
        """Give `answer` the entries of these keys; by the location if it knows all of them, else by the centre.

        `check` raises what the server refuses before it looks.
        """
        here = caller_place()
        ttl_us = self._ttl_us(cache_ttl_s)
        known = [self._known(here, key, ttl_us) for key in keys]
        hot = bool(known) and None not in known

        def operation() -> Any:
            check()
            if len(keys) > 1:
                self._tell_meter("operations", "read", len(keys) - 1)
            found = [
                self._central(here, key, ttl_us) if cached is None else self._alive(cached.entry)
                for key, cached in zip(keys, known, strict=True)
            ]
            return answer(found)

        if hot:
            return self._call(method, operation, CACHED_READ_US, here)
        return self._call(method, operation, READ_US, self._centre(here))

    def write(self, key: str, make: Callable[[int], Entry]) -> Any:
        """Store what `make(now_s)` gives; it raises what the server refuses. Raises 429 within a second of a write."""
        here = caller_place()

        def operation() -> None:
            entry = make(self.now_s())
            self._limit_rate(key)
            if key not in self._entries:
                insort(self._names, key)
            self._resized(key, self._entries.get(key), entry)
            self._entries[key] = entry
            self._forget(here, key)

        return self._call("put", operation, WRITE_US, self._centre(here))

    def remove(self, key: str) -> Any:
        """Delete a key; one that is not there is fine."""
        here = caller_place()

        def operation() -> None:
            self._drop(key)
            self._forget(here, key)

        return self._call("delete", operation, WRITE_US, self._centre(here))

    def listing(self, operation: Callable[[], Any]) -> Any:
        """Run a listing, which is always central; `operation` makes its result with `page`."""
        return self._call("list", operation, LIST_US, self._centre(caller_place()))

    def page(self, prefix: str, limit: int, cursor: str | None) -> Page:
        """Up to `limit` live keys with this prefix, in the order of their UTF-8 bytes, after the cursor's."""
        start = max(bisect_left(self._names, prefix), bisect_right(self._names, _decode(cursor or "")))
        found: list[tuple[str, Entry]] = []
        for name in self._names[start:]:
            if not name.startswith(prefix):
                break
            entry = self._alive(self._entries[name])
            if entry is None:
                continue
            if len(found) == limit:
                return Page(found, base64.b64encode(found[-1][0].encode()).decode())
            found.append((name, entry))
        return Page(found, None)

    def now_s(self) -> int:
        """The virtual clock in whole seconds since 1970."""
        return self._now_ms() // 1000

    @property
    def keys(self) -> tuple[str, ...]:
        """The live keys of the central store, sorted: for whoever looks at the simulation from outside."""
        return tuple(name for name in self._names if self._alive(self._entries[name]) is not None)

    def __repr__(self) -> str:
        return f"<KvStore {self.id!r}: {len(self.keys)} keys>"

    # -- the centre

    def _call(self, method: str, operation: Callable[[], Any], takes_us: int, place: City | None) -> Any:
        return self._service.call(method, operation, takes_us=0 if self._local else takes_us, place=place)

    def _centre(self, here: City | None) -> City | None:
        network = self._world.network
        if network is None:
            return None
        if self._service.place is None:
            self._service.place = network.place(here or network.default)
        return self._service.place

    def _now_ms(self) -> int:
        return EPOCH_MS + self._world.loop.time_us() // 1000

    def _alive(self, entry: Entry | None) -> Entry | None:
        if entry is None or entry.expires_s is None or entry.expires_s * 1000 > self._now_ms():
            return entry
        return None

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            del self._names[bisect_left(self._names, key)]
            self._resized(key, entry, None)

    def _resized(self, key: str, before: Entry | None, after: Entry | None) -> None:
        """An entry came, changed or went: a record for the bill."""
        self._stored_bytes += _size_bytes(key, after) - _size_bytes(key, before)
        self._tell_meter("stored", self._stored_bytes)

    def _tell_meter(self, kind: str, *detail: object) -> None:
        self._world.emit(self._world.loop.time_us(), kind, self._service.label, 0, 0, detail)

    def _limit_rate(self, key: str) -> None:
        now_us = self._world.loop.time_us()
        last_us = self._written_us.get(key)
        if not self._local and last_us is not None and now_us - last_us < WRITE_INTERVAL_US:
            error = JsException("KV PUT failed: 429 Too Many Requests")
            note = f"{key!r} was written {(now_us - last_us) / 1000:g} ms ago; a key takes one write a second."
            raise noted(error, f"{note} Wait and try again, or keep what changes this often in a Durable Object.")
        self._written_us[key] = now_us

    # -- the locations

    def _ttl_us(self, cache_ttl_s: int | None) -> int:
        if self.consistency_us == 0:
            return 0
        return self.consistency_us if cache_ttl_s is None else cache_ttl_s * SECOND_US

    def _known(self, here: City | None, key: str, ttl_us: int) -> _Cached | None:
        """What this location knows, if it is there already and not older than it and this reader allow."""
        if here is None:
            return None
        cached = self._cached.get((here.name, key))
        if cached is None:
            return None
        age_us = self._world.loop.time_us() - cached.from_us
        return cached if 0 <= age_us < min(cached.ttl_us, ttl_us) else None

    def _central(self, here: City | None, key: str, ttl_us: int) -> Entry | None:
        """Read the central store for a location, which knows the answer when it has travelled back."""
        entry = self._alive(self._entries.get(key))
        if entry is None:
            self._drop(key)
        network, centre = self._world.network, self._service.place
        if ttl_us and here is not None and network is not None and centre is not None:
            from_us = self._world.loop.time_us() + network.one_way_us(centre, here)
            self._cached[here.name, key] = _Cached(entry, from_us, ttl_us)
        return entry

    def _forget(self, here: City | None, key: str) -> None:
        """A write was made at this location, which therefore reads the key anew."""
        if here is not None:
            self._cached.pop((here.name, key), None)


def _size_bytes(key: str, entry: Entry | None) -> int:
    """What an entry counts as stored: key, value and metadata (assumed: nothing more is published)."""
    return 0 if entry is None else len(utf8(key)) + len(entry.value) + len(utf8(entry.metadata or ""))


def _decode(cursor: str) -> str:
    """The name in a cursor; what is no cursor counts as none (observed: miniflare 4.20260426.0)."""
    try:
        return base64.b64decode(cursor).decode("utf-8", "replace")
    except binascii.Error:
        return ""
