"""Numbers of the two platforms, "cloudflare" (documented production) and "workerd" (the local runtime, recorded).

Every constant carries how it is known: *recorded* from workerd 1.20261117.1 in November 2026, *documented* by
Cloudflare, *assumed* where neither says. Documents are paths below src/content/docs of github.com/cloudflare/
cloudflare-docs, read in November 2026; workerd's source is github.com/cloudflare/workerd @6552d999c (2026-08-22).
`TABLE` sets the two platforms side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MS_US: Final = 1_000
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US

#: The simulated clock starts here (decided; the platform has no such instant).
EPOCH: Final = "2026-12-01T00:00:00+00:00"
EPOCH_MS: Final = 1_796_083_200_000
#: The compatibility date of a program that names none (decided).
COMPATIBILITY_DATE: Final = "2026-11-01"

#: Where a client without a city is, and where objects are placed that are first touched from nowhere (decided).
DEFAULT_CITY: Final = "Ashburn"

#: `ctx.storage.deleteAll()` deletes the alarm too from this date. Source: flag
#: delete_all_deletes_alarm, workerd src/workerd/io/compatibility-date.capnp.
DELETE_ALL_DELETES_ALARM: Final = "2026-02-24"

#: The end that called `accept()` answers a close by itself from this date; flags web_socket_auto_reply_to_close,
#: web_socket_manual_reply_to_close. workerd io/compatibility-date.capnp; recorded.
WEB_SOCKET_AUTO_REPLY_TO_CLOSE: Final = "2026-04-07"
#: Listeners get binary messages as Blob from this date; flag websocket_standard_binary_type. workerd
#: io/compatibility-date.capnp; recorded.
WEBSOCKET_STANDARD_BINARY_TYPE: Final = "2026-03-17"
#: A socket's attachment, serialised, bytes. Recorded (older documents say 2,048).
ATTACHMENT_LIMIT_BYTES: Final = 16_384
#: `setWebSocketAutoResponse`: the request and the response, each, bytes. Recorded.
AUTO_RESPONSE_LIMIT_BYTES: Final = 2_048
#: Tags of one socket, and characters of one tag. Recorded.
SOCKET_TAGS: Final = 10
TAG_LENGTH: Final = 256
#: Hibernatable sockets of one object. Documented (durable-objects/api/state).
HIBERNATABLE_SOCKETS: Final = 32_768
#: A message that is received, bytes. Documented (durable-objects/platform/limits); workerd api/web-socket.c++.
MESSAGE_LIMIT_BYTES: Final = 32 * 1024 * 1024
#: `setHibernatableWebSocketEventTimeout`: a week, ms. Recorded.
EVENT_TIMEOUT_LIMIT_MS: Final = 604_800_000

#: Idle time before an object leaves memory. Recorded; workerd server.c++ `handleShutdown`.
#: Nothing promises that production keeps to it: a test may rely neither on memory surviving nor on its being gone.
IDLE_EVICTION_US: Final = 10 * SECOND_US
#: A timer, a call or `waitUntil` work keeps an object in memory from this date; flag
#: durable_object_io_tasks_prevent_eviction. Documented (changelog 2026-10-01).
IO_TASKS_PREVENT_EVICTION: Final = "2026-10-01"
#: So long at most, each of them. Documented (changelogs 2026-06-19 and 2026-10-01).
OPERATION_HOLDS_US: Final = 15 * MINUTE_US
#: Before that date an object that only they hold is evicted 70 to 140 s after its last event. Documented
#: (durable-objects/concepts/durable-object-lifecycle); uniform in between is assumed.
EVICTION_AFTER_US: Final = 70 * SECOND_US
EVICTION_SPREAD_US: Final = 70 * SECOND_US
#: `blockConcurrencyWhile` resets the object when its callback takes longer. Documented
#: (durable-objects/api/state) and recorded.
BLOCK_LIMIT_US: Final = 30 * SECOND_US
#: Sections nested deeper reset the object. Recorded on workerd 1.20261117.1.
BLOCK_DEPTH: Final = 64
#: Serialised RPC arguments or return values, bytes. Recorded.
RPC_LIMIT_BYTES: Final = 32 * 1024 * 1024
#: The first retry of a failed alarm; each next one waits twice as long. Documented (durable-objects/api/alarms) and
#: recorded.
ALARM_RETRY_US: Final = 2 * SECOND_US
#: `alarm()` is stopped and counts as failed when it takes longer. Documented; workerd io/worker-interface.h.
ALARM_LIMIT_US: Final = 15 * MINUTE_US
#: From one alarm of an object to its next, at least. Assumed: what a stored time, in whole ms, can tell apart.
ALARM_PAUSE_US: Final = 1_000
#: An uncounted failure waits at most twice this many times `ALARM_RETRY_US`. workerd server/alarm-scheduler.h.
ALARM_BACKOFF_MAX: Final = 9
#: Retries of a failed alarm, after its first run. Documented (durable-objects/api/alarms) and recorded.
ALARM_RETRIES: Final = 6
#: A retry comes up to this share later, drawn at random. workerd alarm-scheduler.h; recorded 1.00 to 1.25.
ALARM_RETRY_JITTER: Final = 0.25
#: Redirects that `fetch` follows. Fetch standard; workerd's MAX_REDIRECT_COUNT.
REDIRECT_LIMIT: Final = 20

#: How late an alarm may be when its machine fails; how often an alarm in a colo that is down is tried again.
#: Documented (durable-objects/api/alarms): "up to a minute".
FAILOVER_US: Final = MINUTE_US
#: When a lost message is noticed by whoever waits for its answer (assumed; nothing is published).
LOST_NOTICED_US: Final = SECOND_US
#: Attempts in all of a request that never reached its object, and how long after the first the last one may begin.
#: Documented (durable-objects/best-practices/automatic-retries, stored excerpt).
RETRY_ATTEMPTS: Final = 5
RETRY_WINDOW_US: Final = 10 * SECOND_US
#: The wait before the second attempt; each next one waits twice as long (assumed).
RETRY_FIRST_US: Final = 100 * MS_US

BLOCK_TIMEOUT_TEXT: Final = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable"
    " Object was reset."
)
BLOCK_DEPTH_TEXT: Final = "blockConcurrencyWhile() calls are nested too deeply."
ALARM_TIMEOUT_TEXT: Final = "Alarm exceeded its allowed execution time"
ABORT_TEXT: Final = "Application called abort() to reset Durable Object."
FOREIGN_KEY_RESET_TEXT: Final = (
    "Durable Object was reset and rolled back to its last known good state because the application left the database in"
    " a state where constraints were violated: "
)
TRANSACTION_SQL_TEXT: Final = (
    "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs"
    " instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will"
    " automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic"
    " write coalescing."
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What differs between production and the local runtime. Bytes and microseconds."""

    name: str
    #: One SQLite value or row, bytes.
    row_limit_bytes: int
    #: Key and value together, bytes; None: only the row limit counts.
    kv_pair_limit_bytes: int | None
    #: Keys in one get, put or delete; None: no limit.
    keys_per_call: int | None
    #: Arguments of one SQL function.
    sql_function_arguments: int
    #: From the commit of a turn until its writes are confirmed and its output gate opens.
    confirm_us: int
    #: Whether `jurisdiction` is implemented.
    jurisdictions: bool
    #: Whether timers, calls and `waitUntil` work hold an object for a bounded time only.
    bounded_holds: bool
    #: Whether requests that never reached their object are sent again by the platform.
    retries: bool
    #: Requests that may wait at one object's gate; None: no limit.
    queue_limit: int | None
    #: Whether a client gets a fixed text in place of what its Worker threw.
    hides_errors: bool


WORKERD: Final = Platform(
    name="workerd",
    row_limit_bytes=8_388_642,
    kv_pair_limit_bytes=None,
    keys_per_call=None,
    sql_function_arguments=127,
    confirm_us=0,
    jurisdictions=False,
    bounded_holds=False,
    retries=False,
    queue_limit=None,
    hides_errors=False,
)
CLOUDFLARE: Final = Platform(
    name="cloudflare",
    row_limit_bytes=2_097_152,
    kv_pair_limit_bytes=2_097_152,
    keys_per_call=128,
    sql_function_arguments=32,
    confirm_us=5 * MS_US,
    jurisdictions=True,
    bounded_holds=True,
    retries=True,
    queue_limit=10_000,
    hides_errors=True,
)
PLATFORMS: Final = {"cloudflare": CLOUDFLARE, "workerd": WORKERD}

#: field -> (what, how known for cloudflare, how known for workerd)
TABLE: Final[dict[str, tuple[str, str, str]]] = {
    "row_limit_bytes": (
        "one SQLite value or row, bytes",
        "documented: durable-objects/platform/limits (2 MB)",
        "recorded by bisection",
    ),
    "kv_pair_limit_bytes": (
        "key and value together, bytes",
        "documented: durable-objects/platform/limits (2 MB)",
        "recorded: none",
    ),
    "keys_per_call": (
        "keys in one get, put or delete",
        "documented: durable-objects/api/sqlite-storage-api (128)",
        "recorded: none",
    ),
    "sql_function_arguments": (
        "arguments of a SQL function",
        "documented: durable-objects/platform/limits (32)",
        "recorded (127)",
    ),
    "confirm_us": ("output gate after a commit, microseconds", "assumed: nothing published", "recorded: 0"),
    "jurisdictions": (
        "jurisdictions exist",
        "documented: durable-objects/reference/data-location",
        "recorded: refused",
    ),
    "bounded_holds": (
        "timers, calls, waitUntil hold for a bounded time",
        "documented: changelog 2026-10-01 (15 minutes each)",
        "recorded: no bound",
    ),
    "retries": (
        "requests that never arrived are sent again",
        "documented: best-practices/automatic-retries (5 attempts in 10 s)",
        "assumed: not",
    ),
    "queue_limit": (
        "requests that wait at one object before it is overloaded",
        "assumed: only the error is documented (troubleshooting)",
        "assumed: none",
    ),
    "hides_errors": ("a client gets error 1101", "documented: workers/observability/errors", "assumed: its text"),
}

#: Documented: eu, fedramp, us (since 2026-06-26; durable-objects/reference/data-location).
#: `fedramp-high` is in the published types alone.
JURISDICTIONS: Final = ("eu", "fedramp", "fedramp-high", "us")
