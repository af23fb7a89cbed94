"""`Meter`: what a run uses of everything that is billed, folded from its records as they happen. It keeps no record.

An object's duration runs from its `construct`, or the first `start` after an `idle`, until `idle`, `evict`, `reset` or
`crash`. All that time something holds it: the oldest request in flight, or what its `held` record names. Idle time that
would allow hibernation is free from its beginning (partials/durable-objects/do-faq-pricing of Cloudflare's
documentation); the 10 seconds for which an object "will remain active after the last client disconnects"
(durable-objects-pricing, note 4) are such time, and are not billed here. Assumed, as nothing says it: a request counts
when it reaches its object, even if the object turns it away.

Two objects with the same label, which is all that a record says, are metered as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dosim.billing.use import DAY_US, ObjectUse, Reading
from dosim.platform.prices import MESSAGES_A_REQUEST
from dosim.trace.records import Fold

#: What a record carries has the types of its kind (`dosim.trace.kinds`).
Detail = tuple[Any, ...]
Handler = Callable[[int, str, int, Detail], None]
#: Calls to objects that are one request each; what is not here and no message is free.
_REQUESTS: Final = frozenset(("fetch", "rpc", "alarm"))
#: Incoming WebSocket messages, at sockets of `acceptWebSocket` and of `accept`. Closes and errors are free.
_MESSAGES: Final = frozenset((("websocket", "webSocketMessage"), ("listener", "message listener")))
#: Operations of services by their methods. KV: partials/workers/kv_pricing; R2: docs/r2/pricing, where head is
#: HeadObject, put PutObject and so on; what is missing is free.
_OPERATIONS: Final[dict[tuple[str, str], str]] = {
    ("KV", "get"): "kv_reads",
    ("KV", "getWithMetadata"): "kv_reads",
    ("KV", "read"): "kv_reads",
    ("KV", "put"): "kv_writes",
    ("KV", "delete"): "kv_deletes",
    ("KV", "list"): "kv_lists",
    ("R2", "put"): "r2_class_a",
    ("R2", "list"): "r2_class_a",
    ("R2", "createMultipartUpload"): "r2_class_a",
    ("R2", "uploadPart"): "r2_class_a",
    ("R2", "completeMultipartUpload"): "r2_class_a",
    ("R2", "head"): "r2_class_b",
    ("R2", "get"): "r2_class_b",
    ("queue", "write"): "queue_operations",
    ("queue", "read"): "queue_operations",
    ("queue", "delete"): "queue_operations",
}
#: Calls that are events of a Worker.
_EVENTS: Final = frozenset(("scheduled", "queue"))
_STORED: Final = {"D1": "d1_stored", "KV": "kv_stored", "R2": "r2_stored"}
_CONSTRUCTOR: Final = "its constructor"


@dataclass(slots=True)
class _Store:
    """Bytes that lie somewhere, and since when."""

    stored_bytes: int = 0
    lies_since_us: int = 0

    def passed(self, t_us: int) -> int:
        """Byte-microseconds until now, which begins anew."""
        lain_us, self.lies_since_us = max(0, t_us - self.lies_since_us), max(t_us, self.lies_since_us)
        return self.stored_bytes * lain_us


@dataclass(slots=True)
class _Object(_Store):
    """One object: what it has used, and what holds it at the moment. Its store is what lies on disk.

    There may be very many: what most of them do not have most of the time is None.
    """

    requests: int = 0
    messages: int = 0
    rows_read: int = 0
    rows_written: int = 0
    held_us: dict[str, int] | None = None
    stored: int = 0  # byte-microseconds
    in_memory: bool = False
    #: What its time is billed for, "" while it is not; the request that this is, 0 for anything else; since when.
    holder: str = ""
    holder_request: int = 0
    since_us: int = 0
    flights: dict[int, str] | None = None

    def use(self) -> ObjectUse:
        counts = (self.requests, self.messages, self.rows_read, self.rows_written)
        return ObjectUse(*counts, dict(self.held_us or ()), self.stored)


class Meter:
    """The use of a run so far. Give `fold` to `Trace.subscribe`, or call it for each kept record."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = defaultdict(int)
        self._objects: dict[str, _Object] = {}
        self._awake: dict[str, _Object] = {}
        self._stores: dict[str, _Store] = {}
        #: What the records of calls that have not ended yet carry.
        self._calls: dict[int, Detail] = {}
        self._midnights: list[tuple[int, dict[str, int]]] = []
        self._midnight_us = DAY_US
        ended, over = self._ended, self._over
        self._handlers: dict[str, Handler] = {
            "call": self._call, "arrive": self._arrive, "worker": self._worker, "construct": self._construct,
            "start": self._start, "serve": self._serve, "cpu": self._cpu, "return": ended, "throw": ended,
            "turn_away": ended, "cut_off": ended, "rows": self._rows, "stored": self._resized,
            "operations": self._operated, "held": self._held, "idle": self._idle, "evict": self._evict,
            "reset": over, "crash": over,
        }  # fmt: skip
        #: Takes one record, as it happens.
        self.fold = self._folder()

    def _folder(self) -> Fold:
        """`fold` as a closure: every record of a run passes it."""
        handler_of = self._handlers.get

        def fold(t_us: int, seq: int, kind: str, actor: str, request: int, cause: int, detail: Detail) -> None:
            handler = handler_of(kind)
            if handler is not None:
                if t_us >= self._midnight_us:
                    self._pass_midnights(t_us)
                handler(t_us, actor, request, detail)

        return fold

    def read(self, now_us: int, sizes: Mapping[str, int] | None = None) -> Reading:
        """What has been used until now. sizes: bytes that objects in memory have stored now, by their labels."""
        if now_us >= self._midnight_us:
            self._pass_midnights(now_us)
        self._accrue_all(now_us)
        for label, known in self._objects.items():
            if known.in_memory:
                known.stored_bytes = (sizes or {}).get(label, known.stored_bytes)
            self._lie(known, now_us)
        for label, store in self._stores.items():
            self._totals[_STORED[_service(label)]] += store.passed(now_us)
        objects = {label: known.use() for label, known in self._objects.items()}
        return Reading(self, now_us, dict(self._totals), objects, tuple(self._midnights))

    def _pass_midnights(self, t_us: int) -> None:
        """A UTC day is over, or several: note where the totals stood."""
        while t_us >= self._midnight_us:
            self._accrue_all(self._midnight_us)
            self._midnights.append((self._midnight_us, dict(self._totals)))
            self._midnight_us += DAY_US

    # -- duration

    def _accrue(self, known: _Object, t_us: int) -> None:
        """Bill the time until now to what holds the object."""
        more_us = t_us - known.since_us
        if more_us > 0:
            held_us = known.held_us = known.held_us or {}
            held_us[known.holder] = held_us.get(known.holder, 0) + more_us
            self._totals["do_duration"] += more_us
            known.since_us = t_us

    def _accrue_all(self, t_us: int) -> None:
        for known in self._awake.values():
            self._accrue(known, t_us)

    def _hold(self, known: _Object, actor: str, t_us: int, holder: str, request: int = 0) -> None:
        """Something else holds the object from now on."""
        if known.holder:
            self._accrue(known, t_us)
        else:
            known.since_us = t_us
            self._awake[actor] = known
        known.holder, known.holder_request = holder, request

    def _release(self, known: _Object, actor: str, t_us: int) -> None:
        """Nothing holds the object from now on."""
        if known.holder:
            self._accrue(known, t_us)
            del self._awake[actor]
        known.holder, known.holder_request = "", 0
        self._forget_flights(known)

    def _forget_flights(self, known: _Object) -> None:
        for request in known.flights or ():
            self._calls.pop(request, None)
        known.flights = None

    def _construct(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known = self._object(actor)
        if known is not None:
            self._lie(known, t_us)
            known.in_memory = True
            self._hold(known, actor, t_us, _CONSTRUCTOR)

    def _start(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known, call = self._objects.get(actor), self._calls.get(request)
        if known is None or call is None:
            return
        flights = known.flights = known.flights or {}
        name = flights[request] = f"request {actor}.{call[3]}"
        if not known.holder_request:
            self._hold(known, actor, t_us, name, request)

    def _ended(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        """A handler has ended: the request that came next holds the object, or what will be told at the turn's end."""
        self._calls.pop(request, None)
        known = self._objects.get(actor)
        flights = known.flights if known is not None else None
        if known is None or flights is None or flights.pop(request, None) is None or known.holder_request != request:
            return
        known.holder_request = 0
        for following, name in flights.items():
            self._hold(known, actor, t_us, name, following)
            break

    def _held(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known = self._objects.get(actor)
        if known is not None:
            self._forget_flights(known)
            self._hold(known, actor, t_us, detail[1])

    def _idle(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known = self._objects.get(actor)
        if known is not None:
            self._release(known, actor, t_us)

    def _over(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known = self._objects.get(actor)
        if known is not None:
            self._release(known, actor, t_us)
            self._lie(known, t_us)
            known.in_memory = False

    def _evict(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        known = self._objects.get(actor)
        if known is not None:
            known.stored_bytes = detail[2]
            self._over(t_us, actor, request, detail)

    # -- requests

    def _object(self, label: str) -> _Object | None:
        """The object of this label; None for what is none: a Worker, a service, an address outside."""
        known = self._objects.get(label)
        if known is None and label.endswith(")") and label.partition("(")[0].isidentifier():
            known = self._objects[label] = _Object()
        return known

    def _call(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        if detail[1] not in _EVENTS:
            self._calls[request] = detail

    def _arrive(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        call = self._calls.get(request)
        if call is None:
            return
        is_request = call[1] in _REQUESTS
        if not is_request and call[1::2] not in _MESSAGES:
            return
        known = self._object(actor)
        if known is None:
            return
        if is_request:
            known.requests += 1
            self._totals["do_requests"] += MESSAGES_A_REQUEST
        else:
            known.messages += 1
            self._totals["do_requests"] += 1

    def _worker(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        if request not in self._calls:  # no service binding's call: from a client, a cron or a queue
            self._totals["worker_requests"] += 1

    def _cpu(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        if actor not in self._objects:  # an object's is part of its duration
            self._totals["worker_cpu"] += detail[0]

    # -- storage and services

    def _lie(self, known: _Object, t_us: int) -> None:
        """What the object has on disk has lain there until now."""
        passed = known.passed(t_us)
        known.stored += passed
        self._totals["do_stored"] += passed

    def _rows(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        read, written = detail
        known = self._objects.get(actor)
        prefix = "d1" if known is None else "do"
        if known is not None:
            known.rows_read += read
            known.rows_written += written
        self._totals[f"{prefix}_rows_read"] += read
        self._totals[f"{prefix}_rows_written"] += written

    def _serve(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        call = self._calls.get(request)
        if call is not None and call[1] == "binding":
            self._operate(actor, call[3], 1)

    def _operated(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        self._operate(actor, *detail)

    def _operate(self, label: str, method: str, count: int) -> None:
        meter = _OPERATIONS.get((_service(label), method))
        if meter is not None:
            self._totals[meter] += count

    def _resized(self, t_us: int, actor: str, request: int, detail: Detail) -> None:
        store = self._stores.setdefault(actor, _Store(0, t_us))
        self._totals[_STORED[_service(actor)]] += store.passed(t_us)
        store.stored_bytes = detail[0]


def _service(label: str) -> str:
    """What kind of service a label names: "KV", "R2", "D1", "queue"."""
    return label.partition(" ")[0]
