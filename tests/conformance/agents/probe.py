"""The agents of a recorded case, interpreted on `dosim.agents`; README.md has the operations, as record/agent.js."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from dosim.agents import (
    Agent,
    AgentOptions,
    Connection,
    RetryOptions,
    get_agent_by_name,
    get_current_agent,
    route_agent_request,
)
from dosim.agents import callable as callable_method
from dosim.workers import Response, WorkerEntrypoint
from dosim.workers.js import Date

#: Decoded JSON.
Json: TypeAlias = Any
#: What the names of a running hook or method stand for.
Variables: TypeAlias = dict[str, Any]

PARAMETERS = {
    "on_start": (),
    "on_request": ("request",),
    "on_connect": ("connection", "ctx"),
    "on_message": ("connection", "message"),
    "on_close": ("connection", "code", "reason", "was_clean"),
    "on_error": ("connection", "error"),
    "on_state_changed": ("state", "source"),
    "validate_state_change": ("state", "source"),
    "get_connection_tags": ("connection", "ctx"),
    "should_connection_be_readonly": ("connection", "ctx"),
    "should_send_protocol_messages": ("connection", "ctx"),
}
LOG_TABLE = "CREATE TABLE IF NOT EXISTS probe_log (n INTEGER PRIMARY KEY, entry TEXT)"


class Error(Exception):
    """What a case throws: `Error: text`, as in JavaScript."""


class Done:
    """A program has ended with this value."""

    def __init__(self, value: Any) -> None:
        self.value = value


# -- values of Python as values of a case


def path(url: str | None) -> str | None:
    """The path and query of a URL."""
    if url is None:
        return None
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def plain(value: Any) -> Json:
    """A value as a case shows it."""
    if isinstance(value, Exception):
        return {"error": str(value)}
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, Connection):
        tags = list(value.tags)
        return {"id": value.id, "uri": path(value.uri), "tags": tags, "state": plain(value.state)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "callback"):
        return plain_schedule(value) if hasattr(value, "time") else plain_item(value)
    if hasattr(value, "method") and hasattr(value, "url"):
        return {"method": str(value.method), "path": path(value.url)}
    return value


def marked(text: str) -> Json:
    """An id."""
    return {"$id": text}


def plain_schedule(row: Any) -> Json:
    """A Schedule."""
    shown = {"id": marked(row.id), "callback": row.callback, "payload": row.payload, "type": row.type}
    shown["time"] = {"$time": row.time.timestamp()}
    if row.type == "delayed":
        shown["delay_s"] = row.delay.total_seconds()
    if row.type == "interval":
        shown["interval_s"] = row.interval.total_seconds()
    if row.type == "cron":
        shown["cron"] = row.cron
    return shown


def plain_item(row: Any) -> Json:
    """A QueueItem."""
    return {"id": marked(row.id), "callback": row.callback, "payload": row.payload}


def bare(value: Json) -> Json:
    """Ids as the SDK takes them."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    return value["$id"] if "$id" in value else {key: bare(one) for key, one in value.items()}


def utc(time: Json) -> Json:
    """The parts of a time, in UTC."""
    moment = datetime.fromtimestamp(time["$time"], UTC)
    return {"weekday": f"{moment:%a}", "day": moment.day, "month": f"{moment:%b}", "time": f"{moment:%H:%M:%S}"}


# -- arguments of a case as arguments of `dosim.agents`


def when(given: Json) -> Any:
    """When to run: seconds, a cron expression or a date."""
    if isinstance(given, dict) and "date_in_s" in given:
        return datetime.fromtimestamp(Date.now() / 1000, UTC) + timedelta(seconds=given["date_in_s"])
    return datetime.fromisoformat(given["date"]) if isinstance(given, dict) else given


def retry_options(given: Json) -> dict[str, Any]:
    """How often to try: seconds."""
    return {
        "max_attempts": given["max_attempts"],
        "base_delay": given["base_delay_s"],
        "max_delay": given["max_delay_s"],
    }


def options(given: Json) -> dict[str, Any]:
    """Keyword arguments of `schedule` and `queue`."""
    made = dict(given or {})
    if "retry" in made:
        made["retry"] = RetryOptions(**retry_options(made["retry"]))
    return made


def criteria(given: Json) -> dict[str, Any]:
    """Keyword arguments of `list_schedules`."""
    made = dict(given or {})
    return made | {name: datetime.fromisoformat(made[name]) for name in ("start", "end") if name in made}


def text_of(value: Json) -> str:
    """A message: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


# -- operations


class Probe(Agent):
    """An agent whose hooks and methods are operations of a case."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.probe_marks: dict[str, float] = {}
        self.probe_counts: dict[str, int] = {}
        self.probe_variables: Variables = {}

    def probe_value(self, written: Json, variables: Variables) -> Any:
        """What an argument stands for: "$name.part" is looked up, everything else is itself."""
        if isinstance(written, str) and written.startswith("$"):
            first, *rest = written[1:].split(".")
            if first == "state" and first not in variables:
                value = plain(self.state)
            else:
                value = plain(variables.get(first, self.probe_variables.get(first)))
            for name in rest:
                value = value.get(name) if isinstance(value, dict) else None
            return value
        if isinstance(written, list):
            return [self.probe_value(one, variables) for one in written]
        if isinstance(written, dict):
            return {key: self.probe_value(one, variables) for key, one in written.items()}
        return written

    def probe_do(self, operation: list[Json], variables: Variables) -> Any:
        """Do one operation; the answer may have to be awaited."""
        name, *written = operation
        if name in LAZY:
            return LAZY[name](self, variables, *written)
        values = [self.probe_value(one, variables) for one in written]
        if name not in {"log", "return"}:
            values = [bare(one) for one in values]
        return OPERATIONS[name](self, variables, *values)

    async def probe_all(self, operations: list[Json], variables: Variables) -> Any:
        """Do them in order; the answer is the last one's, or a Done."""
        value = None
        for operation in operations:
            value = self.probe_do(operation, variables)
            if inspect.isawaitable(value):
                value = await value
            if isinstance(value, Done):
                return value
        return value

    def probe_now(self, operations: list[Json], variables: Variables) -> Any:
        """Do them in order without awaiting."""
        for operation in operations:
            value = self.probe_do(operation, variables)
            if isinstance(value, Done):
                return value
        return None

    async def probe_run(self, text: str) -> str:
        """What a program (JSON) answers or raises, as JSON."""
        try:
            value = await self.probe_all(json.loads(text), {})
        except Exception as error:
            return json.dumps({"error": str(error)})
        return json.dumps({"value": plain(value.value if isinstance(value, Done) else value)})

    async def probe_log(self) -> str:
        """All that was logged, as JSON."""
        self.ctx.storage.sql.exec(LOG_TABLE)
        rows = self.ctx.storage.sql.exec("SELECT entry FROM probe_log ORDER BY n").toArray()
        return json.dumps([json.loads(row.entry) for row in rows])


def log(agent: Probe, _variables: Variables, entry: Json) -> None:
    agent.ctx.storage.sql.exec(LOG_TABLE)
    agent.ctx.storage.sql.exec("INSERT INTO probe_log (entry) VALUES (?)", json.dumps(entry))


def mark(agent: Probe, _variables: Variables, name: str) -> None:
    agent.probe_marks[name] = Date.now()


def count(agent: Probe, _variables: Variables, name: str) -> int:
    agent.probe_counts[name] = agent.probe_counts.get(name, 0) + 1
    return agent.probe_counts[name]


def throw(_agent: Probe, _variables: Variables, text: str) -> None:
    raise Error(text)


async def current_agent(_agent: Probe, _variables: Variables) -> Json:
    current = get_current_agent()
    connection, request = current.connection, current.request
    return {
        "agent": current.agent.name,
        "connection": connection.id if connection is not None else None,
        "request": path(request.url) if request is not None else None,
    }


async def queued(agent: Probe, _variables: Variables, callback: str, payload: Json = None, given: Json = None) -> Json:
    return marked(await agent.queue(callback, payload, **options(given)))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "log": log,
    "mark": mark,
    "elapsed": lambda agent, _, name, ms: Date.now() - agent.probe_marks[name] >= ms,
    "count": count,
    "throw": throw,
    "sleep": lambda _agent, _, seconds: asyncio.sleep(seconds),
    "return": lambda _agent, _, value: Done(value),
    "respond": lambda _agent, _, status, text: Done(Response(text, status=status)),
    "body": lambda _agent, variables: variables["request"].text(),
    "set_state": lambda agent, _, state: agent.set_state(state),
    "send": lambda _agent, variables, text: variables["connection"].send(text_of(text)),
    "send_bytes": lambda _agent, variables, numbers: variables["connection"].send(bytes(numbers)),
    "close": lambda _agent, variables, code, reason: variables["connection"].close(code, reason),
    "connection_state": lambda _agent, variables, state: variables["connection"].set_state(state) and None,
    "broadcast": lambda agent, _, text, exclude=(): agent.broadcast(text_of(text), exclude=exclude),
    "connections": lambda agent, _, tag=None: sorted(one.id for one in agent.get_connections(tag)),
    "connection": lambda agent, _, connection_id: plain(agent.get_connection(connection_id)),
    "schedule": lambda agent, _, at, callback, payload=None, given=None: agent.schedule(
        when(at), callback, payload, **options(given)
    ),
    "schedule_every": lambda agent, _, seconds, callback, payload=None, given=None: agent.schedule_every(
        seconds, callback, payload, **options(given)
    ),
    "cancel_schedule": lambda agent, _, schedule_id: agent.cancel_schedule(schedule_id),
    "get_schedule_by_id": lambda agent, _, schedule_id: agent.get_schedule_by_id(schedule_id),
    "list_schedules": lambda agent, _, given=None: agent.list_schedules(**criteria(given)),
    "queue": queued,
    "dequeue": lambda agent, _, item_id: agent.dequeue(item_id),
    "dequeue_all": lambda agent, _: agent.dequeue_all(),
    "dequeue_all_by_callback": lambda agent, _, callback: agent.dequeue_all_by_callback(callback),
    "get_queue": lambda agent, _, item_id: agent.get_queue(item_id),
    "utc": lambda _agent, _, time: utc(time),
    "destroy": lambda agent, _: agent.destroy(),
    "sql": lambda agent, _, query, *params: agent.sql(query, *params),
    "stream_send": lambda _agent, variables, chunk: variables["stream"].send(chunk),
    "stream_end": lambda _agent, variables, last=None: variables["stream"].end(last),
    "stream_error": lambda _agent, variables, text: variables["stream"].error(text),
    "current_agent": current_agent,
}


# -- operations that take their arguments as written


async def let(agent: Probe, variables: Variables, name: str, operation: Json) -> None:
    value = agent.probe_do(operation, variables)
    agent.probe_variables[name] = plain(await value if inspect.isawaitable(value) else value)


def if_equal(agent: Probe, variables: Variables, left: Json, right: Json, then: Json, otherwise: Json = ()) -> Any:
    same = agent.probe_value(left, variables) == agent.probe_value(right, variables)
    run = agent.probe_now if variables.get("synchronous") else agent.probe_all
    return run(then if same else otherwise, variables)


def fail_first(agent: Probe, variables: Variables, times: int, text: str) -> None:
    if count(agent, variables, f"failures of {variables['method']}") <= times:
        raise Error(text)


async def retry(agent: Probe, variables: Variables, operations: Json, given: Json = None) -> Any:
    return await agent.retry(
        lambda attempt: agent.probe_all(operations, {**variables, "attempt": attempt}),
        **(retry_options(given) if given else {}),
    )


LAZY: dict[str, Callable[..., Any]] = {"let": let, "if_equal": if_equal, "fail_first": fail_first, "retry": retry}


# -- classes


def make_agent(name: str, program: Json) -> type:
    """The class of one entry of a case's `agents`."""
    namespace: dict[str, Any] = {"__module__": __name__}
    if "initial_state" in program:
        namespace["initial_state"] = program["initial_state"]
    if "options" in program:
        namespace["options"] = AgentOptions(**program["options"])
    for hook, operations in program.get("hooks", {}).items():
        namespace[hook] = make_hook(hook, operations)
    for method, given in program.get("methods", {}).items():
        namespace[method] = make_method(method, given)
    return type(name, (Probe,), namespace)


def make_hook(name: str, operations: Json) -> Any:
    """A hook that does these operations."""

    def variables_of(args: tuple[Any, ...]) -> Variables:
        variables = dict(zip(PARAMETERS[name], args, strict=False))
        if "ctx" in variables:
            variables["request"] = variables["ctx"].request
        if isinstance(variables.get("source"), Connection):
            variables["source"] = variables["source"].id
        return variables

    async def hook(self: Probe, *args: Any) -> Any:
        value = await self.probe_all(operations, variables_of(args))
        return value.value if isinstance(value, Done) else None

    def synchronous(self: Probe, *args: Any) -> None:
        self.probe_now(operations, variables_of(args) | {"synchronous": True})

    made = synchronous if name == "validate_state_change" else hook
    made.__name__ = made.__qualname__ = name
    return made


def make_method(name: str, given: Json) -> Any:
    """A method that does these operations: a callback's get the payload and its row."""
    called = given.get("callable")
    names = [*(["stream"] if called and called.get("streaming") else []), *given.get("parameters", ["payload"])]

    async def method(self: Probe, *args: Any) -> Any:
        value = await self.probe_all(given["do"], {"method": name, **dict(zip(names, args, strict=False))})
        return value.value if isinstance(value, Done) else None

    method.__name__ = method.__qualname__ = name
    return method if called is None else callable_method(**called)(method)


# -- the Worker


def make_worker(bindings: dict[str, str]) -> type:
    """The Worker of a case: agents under their paths, and a door for the steps `run` and `log`."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            parts = urlsplit(request.url).path.split("/")
            if parts[1] == "probe":
                _, _, what, class_name, name = parts
                stub = await get_agent_by_name(getattr(self.env, bindings[class_name]), name)
                return Response(await (stub.probe_run(await request.text()) if what == "run" else stub.probe_log()))
            answer = await route_agent_request(request, self.env)
            return answer if answer is not None else Response("no agent's path", status=404)

    return Default
