"""The kinds of records, with the names of what each carries. A reader needs this page and nothing of the runtime.

A record is `(t_us, seq, kind, actor, request, cause, detail)`: when (microseconds since the simulation's start), its
number, what happened, to whom, in which request (0: none), which record brought it about (0: the outside), and the
values named here.

Records are in the order in which they were told, which is that of their numbers, not of their times. A turn (what code
computes from one await to the next) is told at once, at times that its CPU time has moved on; what is told next may be
earlier by at most as much. Its own `cpu` record comes at its end, after a `return` too, and says when it began. Apart
from `cpu`, the records of one request are in order of time. Whoever needs time's order sorts by (t_us, seq).

Marks are the kinds that cut a request's life into segments (`trace.segments`).
"""

from __future__ import annotations

from typing import Final

#: kind -> names of its detail values, in order.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    # a client's request, from outside
    "send": ("method", "url", "place"),
    "edge": ("colo",),
    "isolate": ("colo", "cold_start_us"),
    "worker": ("colo",),
    "response": ("status",),
    "failed": ("error",),
    # a call to an object, or to a function that came with a call
    "call": ("caller", "via", "target", "method"),
    "leave": ("from_colo", "to_colo", "lookup_us", "stub"),  # stub: its number, if it is an object's
    "arrive": ("colo",),
    "turn_away": ("error",),
    "queue": ("held_by",),
    "enter": (),
    "construct": ("instance",),
    "serve": (),  # a service beside the objects works on it
    "start": ("ready_us", "held_by"),
    "resume": ("after", "child", "ready_us", "held_by"),
    "cpu": ("cpu_us",),  # the turn's, from t_us on
    "return": (),
    "throw": ("error",),
    "reply": ("held_us",),
    "result": ("ok",),
    # a WebSocket: an end is accepted (how: hibernatable, accept, client), frames leave, an answer without an event
    "socket": ("socket", "how", "tags"),
    "frame": ("socket", "what", "size_bytes", "arrive_us"),  # arrive_us None: it is lost
    "auto_response": ("socket",),
    "cut_off": ("after_ms",),
    # an object's life
    "section_start": ("section",),
    "section_end": ("section", "ok"),
    "storage": ("operation", "key"),
    "rows": ("read", "written"),  # of one turn or one request to D1, as they are billed; SQL's are estimates
    # a service's, for the bill: what it keeps from now on; operations beyond one for each call
    "stored": ("stored_bytes",),
    "operations": ("what", "count"),
    "commit": ("writes", "confirm_us"),
    "commit_failed": ("error",),
    "alarm_set": ("due_us",),
    "alarm_cleared": (),
    # the instance is idle from now on, or something but a request holds it; it leaves memory (hibernates with sockets)
    "idle": ("instance",),
    "held": ("instance", "by"),
    "fault": ("verb", "what"),
    "lost": ("what", "why"),
    "choice": ("decision", "text"),  # an open order or a fault was decided otherwise than plainly
    "evict": ("instance", "sockets", "stored_bytes"),
    "crash": ("instance",),
    "reset": ("instance", "error"),
    # what code says
    "log": ("level", "text"),
    "task_failed": ("error",),
    "warning": ("text",),
    "interrupted": (),
}

#: Ways of calls that nobody waits for: events of an object or a Worker, which end with their handler.
ONE_WAY: Final = frozenset(("alarm", "websocket", "listener", "scheduled", "queue"))

#: What ends a handler in an object; what its caller, or a client, gets of a request.
ENDS: Final = frozenset(("return", "throw", "turn_away"))
ANSWERS: Final = frozenset(("response", "failed", "result"))
