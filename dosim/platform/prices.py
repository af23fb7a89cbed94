"""Prices of the Workers platform as data: dated lists, each price with its allowances and its source.

US dollars. A list holds from its date until the next one's. Documents are paths below src/content of
github.com/cloudflare/cloudflare-docs, read in November 2026. What the older lists hold beside the change that a
changelog names is assumed to be what was read then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

MILLION: Final = 1_000_000
#: The month of a GB-month. Documented for R2 (docs/r2/pricing: "a billing period (30 days)"); assumed for the others.
MONTH_DAYS: Final = 30
#: GB means 10^9 bytes (docs/durable-objects/platform/limits), and an object's 128 MB are 0.128 GB of duration
#: (partials/durable-objects/durable-objects-pricing, note 5; its examples divide by 1,000).
GB: Final = 10**9
OBJECT_MEMORY_MB: Final = 128
#: Incoming WebSocket messages that make one request. partials/durable-objects/durable-objects-pricing, note 2.
MESSAGES_A_REQUEST: Final = 20
#: What one operation of a queue covers, and what a message weighs beside its body, bytes.
#: partials/workers/queues_pricing ("approximately 100 bytes of internal metadata").
QUEUE_OPERATION_BYTES: Final = 64_000
QUEUE_MESSAGE_BYTES: Final = 100

_DURABLE_OBJECTS: Final = "partials/durable-objects/durable-objects-pricing"
_WORKERS: Final = "docs/workers/platform/pricing"
_D1: Final = "partials/workers/d1-pricing"
_KV: Final = "partials/workers/kv_pricing"
_R2: Final = "docs/r2/pricing"
_QUEUES: Final = "partials/workers/queues_pricing"

_ROWS_READ_NOTE: Final = "an estimate: stock SQLite has no counter of rows read"
_ROWS_WRITTEN_NOTE: Final = "changes times one plus the indexes touched; joins and triggers are approximate"
_NOT_BILLED_NOTE: Final = "SQLite storage is not billed before 2026-01-07"


@dataclass(frozen=True, slots=True)
class Price:
    """What one meter costs.

    meter: its name. what, unit: for people. usd: for `per` units beyond the allowance. month: units included a month
    on the paid plan. day: units allowed a UTC day on the free plan. total: units allowed at any time on the free plan
    (of what is stored). whole: the billable quantity is rounded up to whole `per`. apart: no part of the Workers
    plans, so the free plan pays it too. source: the document that says so.
    """

    meter: str
    what: str
    unit: str
    usd: Decimal
    per: int
    month: int
    source: str
    day: int | None = None
    total: int | None = None
    whole: bool = False
    apart: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices from a date on. base_usd: what the paid plan costs a month, whatever is used. source: of the date."""

    since: date
    base_usd: Decimal
    prices: tuple[Price, ...]
    source: str


def _price(meter: str, what: str, unit: str, usd: str, per: int, month: int, source: str, **more: object) -> Price:
    return Price(meter, what, unit, Decimal(usd), per, month, source, **more)  # type: ignore[arg-type]


#: Rounding up to whole millions is documented by the examples of docs/durable-objects/platform/pricing for requests and
#: duration, for R2 in docs/r2/pricing; that rows and SQLite storage follow their product is assumed. The examples of
#: Workers, D1, KV and Queues do not round.
_PRICES: Final = (
    _price(
        "do_requests", "Durable Objects requests", "requests", "0.15", MILLION, MILLION, _DURABLE_OBJECTS,
        day=100_000, whole=True, note="20 incoming WebSocket messages are one request",
    ),
    _price(
        "do_duration", "Durable Objects duration", "GB-s", "12.50", MILLION, 400_000, _DURABLE_OBJECTS,
        day=13_000, whole=True, note="128 MB while active or held in memory; idle and evictable time is free",
    ),
    _price(
        "do_rows_read", "Durable Objects rows read", "rows", "0.001", MILLION, 25_000 * MILLION, _DURABLE_OBJECTS,
        day=5 * MILLION, whole=True, note=_ROWS_READ_NOTE,
    ),
    _price(
        "do_rows_written", "Durable Objects rows written", "rows", "1.00", MILLION, 50 * MILLION, _DURABLE_OBJECTS,
        day=100_000, whole=True, note=_ROWS_WRITTEN_NOTE,
    ),
    _price(
        "do_stored", "Durable Objects stored data", "GB-months", "0.20", 1, 5, _DURABLE_OBJECTS,
        total=5, whole=True, note="an object's stay in memory counts with its size at the end",
    ),
    _price(
        "worker_requests", "Workers requests", "requests", "0.30", MILLION, 10 * MILLION, _WORKERS, day=100_000,
        note="clients, crons and batches of queues; service bindings and static assets are free",
    ),
    _price(
        "worker_cpu", "Workers CPU time", "ms", "0.02", MILLION, 30 * MILLION, _WORKERS,
        note="what dosim.cpu() spends; the free plan's 10 ms an invocation are not checked",
    ),
    _price(
        "d1_rows_read", "D1 rows read", "rows", "0.001", MILLION, 25_000 * MILLION, _D1,
        day=5 * MILLION, note=_ROWS_READ_NOTE,
    ),
    _price(
        "d1_rows_written", "D1 rows written", "rows", "1.00", MILLION, 50 * MILLION, _D1,
        day=100_000, note=_ROWS_WRITTEN_NOTE,
    ),
    _price("d1_stored", "D1 stored data", "GB-months", "0.75", 1, 5, _D1, total=5),
    _price("kv_reads", "KV reads", "keys", "0.50", MILLION, 10 * MILLION, _KV, day=100_000),
    _price("kv_writes", "KV writes", "keys", "5.00", MILLION, MILLION, _KV, day=1_000),
    _price("kv_deletes", "KV deletes", "keys", "5.00", MILLION, MILLION, _KV, day=1_000),
    _price("kv_lists", "KV lists", "pages", "5.00", MILLION, MILLION, _KV, day=1_000),
    _price("kv_stored", "KV stored data", "GB-months", "0.50", 1, 1, _KV, total=1),
    _price(
        "r2_class_a", "R2 class A operations", "operations", "4.50", MILLION, MILLION, _R2, whole=True, apart=True,
        note="put, list and multipart uploads; standard storage",
    ),
    _price(
        "r2_class_b", "R2 class B operations", "operations", "0.36", MILLION, 10 * MILLION, _R2, whole=True, apart=True,
        note="head and get; deletes are free; standard storage",
    ),
    _price(
        "r2_stored", "R2 stored data", "GB-months", "0.015", 1, 10, _R2, whole=True, apart=True,
        note="standard storage; the average, where R2 takes each day's peak",
    ),
    _price(
        "queue_operations", "Queues operations", "operations", "0.40", MILLION, MILLION, _QUEUES, day=10_000,
        note="each 64 KB written, read or deleted",
    ),
)  # fmt: skip

_BASE_USD: Final = Decimal(5)
#: Queues came to the free plan. changelog/queues/2026-02-04-queues-free-plan.
_QUEUES_FREE: Final = date(2026, 2, 4)
#: SQLite storage is billed from then on. changelog/durable-objects/2026-01-07-durable-objects-sqlite-storage-billing.
_SQLITE_BILLED: Final = date(2026, 1, 7)
#: Durable Objects came to the free plan. changelog/durable-objects/2025-04-07-durable-objects-free-tier.
_OBJECTS_FREE: Final = date(2025, 4, 7)
_SQLITE: Final = ("do_rows_read", "do_rows_written", "do_stored")


def _without_free_queues(price: Price) -> Price:
    return replace(price, day=0) if price.meter == "queue_operations" else price


def _without_storage(price: Price) -> Price:
    if price.meter not in _SQLITE:
        return price
    return replace(price, usd=Decimal(0), note="; ".join(filter(None, (price.note, _NOT_BILLED_NOTE))))


_WITHOUT_QUEUES: Final = tuple(map(_without_free_queues, _PRICES))

#: Every list that is known, the oldest first.
PRICE_LISTS: Final = (
    PriceList(
        _OBJECTS_FREE, _BASE_USD, tuple(map(_without_storage, _WITHOUT_QUEUES)),
        "changelog/durable-objects/2025-04-07-durable-objects-free-tier",
    ),
    PriceList(
        _SQLITE_BILLED, _BASE_USD, _WITHOUT_QUEUES,
        "changelog/durable-objects/2026-01-07-durable-objects-sqlite-storage-billing",
    ),
    PriceList(_QUEUES_FREE, _BASE_USD, _PRICES, "changelog/queues/2026-02-04-queues-free-plan"),
)  # fmt: skip


def price_list(day: object) -> PriceList:
    """The newest list that is not after a day, given as a date or as "2026-12-01".

    Raises ValueError for a text that is no date and for a day before the first list, TypeError for anything else.
    """
    wanted = _as_date(day)
    found = [known for known in PRICE_LISTS if known.since <= wanted]
    if not found:
        known = ", ".join(str(each.since) for each in PRICE_LISTS)
        raise ValueError(
            f"prices={str(wanted)!r} is before the first price list that is known, of {PRICE_LISTS[0].since}: give that"
            f" day or a later one. There are lists of {known}."
        )
    return found[-1]


def _as_date(day: object) -> date:
    if isinstance(day, datetime):
        return day.date()
    if isinstance(day, date):
        return day
    if not isinstance(day, str):
        raise TypeError(f"prices={day!r} is no date: write '2026-12-01', or give a datetime.date.")
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"prices={day!r} is no date: write year, month and day, as in '2026-12-01'.") from None
