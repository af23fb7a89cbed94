"""
The fixed first part of every compiled storage program: value recording, the object's life, the story's verbs.

It is Python Workers source and is only ever read as text: `storage_program` puts the case's own functions behind it
and writes both as `src/entry.py`. It mirrors the recorder's interpreter (`recorder/worker.js`), results in a module
global, so that they outlive aborts and failed commits; whatever marks an end is written without `finally`, because
an abort never gets there on the platform.
"""

from __future__ import annotations

PRELUDE = '''\
"""A recorded storage case, compiled to a Python Workers program."""

import asyncio
import base64
import datetime
import inspect
import json
import math
from urllib.parse import parse_qs, urlsplit

import js
from pyodide.ffi import JsBigInt, create_proxy, jsnull, to_js
from workers import DurableObject, Response, WorkerEntrypoint, wait_until


class Error(Exception):
    """What `throw new Error(message)` becomes: its traceback ends with "Error: message"."""


class Case:
    """Everything recorded so far; the recorder keeps the same in isolate-global memory."""

    def __init__(self, t0):
        self.t0 = t0
        self.kept = {}
        self.log = []
        self.constructors = 0
        self.alarm_runs = []
        self.slots = []


CASE = Case(0)
EPOCH = datetime.datetime(1970, 1, 1)
FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")


def now_ms():
    return int(js.Date.now())


def date(ms):
    return EPOCH + datetime.timedelta(milliseconds=ms)


def utf16_length(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# ---------------------------------------------------------------- recording values


def encode(value, path="$", above=None):
    if value is None or value is jsnull or isinstance(value, bool):
        return None if value is jsnull else value
    if isinstance(value, JsBigInt):
        return {"$bigint": str(int(value))}
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return encode_float(value)
    if isinstance(value, str):
        return {"$long": [utf16_length(value), value[:20]]} if utf16_length(value) > 300 else value
    if isinstance(value, (bytes, memoryview)):
        data = bytes(value)
        return {"$longbytes": len(data)} if len(data) > 300 else {"$bytes": base64.b64encode(data).decode()}
    if isinstance(value, datetime.datetime):
        return {"$date": round((value - EPOCH) / datetime.timedelta(milliseconds=1))}
    if isinstance(value, Exception):
        return {"$error": failure_of(value)}
    return encode_container(value, path, {} if above is None else above)


def encode_float(value):
    if math.isnan(value):
        return {"$nan": True}
    if math.isinf(value):
        return {"$inf": 1 if value > 0 else -1}
    return value


def encode_container(value, path, above):
    """A container; `above` maps the containers around it to their paths, so that a cycle ends."""
    if id(value) in above:
        return {"$same": above[id(value)]}
    above = {**above, id(value): path}
    if isinstance(value, dict):
        return {"$obj": [[key, encode(item, f"{path}.{key}", above)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(item, f"{path}[{at}]", above) for at, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return {"$set": [encode(item, f"{path}.s{at}", above) for at, item in enumerate(value)]}
    if inspect.isawaitable(value):
        return {"$promise": True}
    if hasattr(value, "to_py"):
        converted = value.to_py()
        return encode(converted, path, above) if converted is not value else {"$js": type(value).__name__}
    return {"$js": "function" if callable(value) else type(value).__name__}


def ok(value):
    return {"value": encode(value)}


NAMES = ((bool, "bool"), (JsBigInt, "bigint"), ((int, float), "number"), (str, "str"), (dict, "dict"),
         ((list, tuple), "list"), ((bytes, memoryview), "bytes"), (datetime.datetime, "datetime"),
         ((set, frozenset), "set"), (Exception, "Exception"))


def ok_type(value):
    if value is None or value is jsnull:
        return {"value": "NoneType"}
    for kinds, name in NAMES:
        if isinstance(value, kinds):
            return {"value": name}
    return {"value": "function" if callable(value) else type(value).__name__}


def ok_length(value):
    if value is None:
        return ok(value)
    return {"value": utf16_length(value) if isinstance(value, str) else len(value)}


def ok_keys(value):
    return ok(list(value))


def ok_time(value, round_ms):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ok(value)
    return {"value": {"$t": math.floor((value - CASE.t0) / round_ms + 0.5) * round_ms}}


def ok_has(owner, name):
    value = getattr(owner, name, None)
    if value is None:
        return {"value": "undefined"}
    return {"value": "function" if callable(value) else "number" if isinstance(value, (int, float)) else "object"}


NOTHING = {"value": "\\u2026"}
MASKED = {"masked": True}


def failure_of(error):
    flags = {flag: True for flag in FLAGS if getattr(error, flag, None)}
    name = getattr(error, "name", None) or type(error).__name__
    message = getattr(error, "message", None)
    return {"name": name, "message": str(error) if message is None else message, "flags": flags}


def failed(error):
    return {"error": failure_of(error)}


def hold(awaitable):
    """Let an operation that nobody awaits run on, and keep it so that it can be awaited later, more than once."""
    if not inspect.isawaitable(awaitable):
        return awaitable
    future = asyncio.ensure_future(awaitable)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def begun(call):
    """Call now and await later; an error of the call is one of the later await, as of an async function."""
    try:
        return hold(call())
    except Exception as error:
        return hold(raised(error))


async def raised(error):
    raise error


async def settled(value):
    return await value if inspect.isawaitable(value) else value


def plain(value):
    return to_js(value, dict_converter=js.Object.fromEntries)


def read_modify_write(store, key, wait_ms=None):
    return added_to(begun(lambda: store.get(key)), store, key, wait_ms)


async def added_to(reading, store, key, wait_ms):
    value = await reading
    value = 0 if value is None or value is jsnull else value
    if wait_ms is not None:
        await js.scheduler.wait(wait_ms)
    await store.put(key, value + 1)
    return value + 1


def taken(rows, most):
    out = []
    for row in rows:
        out.append(row)
        if len(out) == most:
            break
    return out


# ---------------------------------------------------------------- the object


class _Recorded(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.field = 0
        body = CONSTRUCTORS[min(CASE.constructors, len(CONSTRUCTORS) - 1)] if CONSTRUCTORS else None
        CASE.constructors += 1
        if body is None:
            CASE.log.append("constructor")
            return
        out = []
        CASE.log.append({"constructor": out})

        async def load():
            await body(self, out)

        ctx.blockConcurrencyWhile(load)

    def incremented(self):
        self.field += 1
        return self.field

    async def run(self, slot):
        body, label, out = CASE.slots[slot]
        CASE.log.append(f"event {label}" if label else "event")
        try:
            await body(self, out)
        except Exception:
            self.event_ends(label)
            raise
        self.event_ends(label)

    def event_ends(self, label):
        if label:
            CASE.log.append(f"event end {label}")


class _Alarmed(_Recorded):
    async def alarm(self, info):
        started_ms = now_ms()
        body = ALARMS[min(len(CASE.alarm_runs), len(ALARMS) - 1)]
        run = {"t": started_ms, "info": {"retryCount": info.retryCount, "isRetry": info.isRetry}, "body": [],
               "scheduled": scheduled_text(getattr(info, "scheduledTime", None)), "end": "never ended", "t_end": None}
        CASE.alarm_runs.append(run)
        CASE.log.append("alarm")
        try:
            await body(self, run["body"])
        except Exception:
            self.alarm_ends(run, "threw")
            raise
        self.alarm_ends(run, "returned")

    def alarm_ends(self, run, how):
        run["end"] = how
        run["t_end"] = now_ms()
        CASE.log.append("alarm end")


def scheduled_text(scheduled):
    if scheduled is None:
        return "absent"
    kind = "Date" if isinstance(scheduled, datetime.datetime) else "number"
    ms = (scheduled - EPOCH) / datetime.timedelta(milliseconds=1) if kind == "Date" else scheduled
    return f"{kind} {math.floor((ms - CASE.t0) / 100 + 0.5) * 100}"


async def nothing(self, out):
    pass


# ---------------------------------------------------------------- the story


class Play:
    """The verbs of the story. Between two steps a millisecond passes, as between two requests of the recorder."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.answers = {}

    async def call(self, body, label=None):
        out = []
        CASE.slots.append((body, label, out))
        try:
            await self.namespace.getByName(NAME).run(len(CASE.slots) - 1)
        except Exception as error:
            return {**failed(error), "body": out}
        return {"value": None, "body": out}

    async def group(self, first, count, body):
        answer = await self.call(body)
        for at in range(count):
            lost = {"never ran": answer.get("error")}
            self.answers[first + at] = answer["body"][at] if at < len(answer["body"]) else lost
        await js.scheduler.wait(1)

    async def event(self, at, body, label=None):
        self.answers[at] = await self.call(body, label)
        await js.scheduler.wait(1)

    async def parallel(self, at, *events):
        order = []

        async def one(number, delay_ms, body, label):
            if delay_ms:
                await js.scheduler.wait(delay_ms)
            answer = await self.call(body, label)
            order.append(number if label is None else label)
            return answer

        answers = await asyncio.gather(*[one(number, *event) for number, event in enumerate(events)])
        self.answers[at] = {"value": {"events": list(answers), "finish_order": order}}
        await js.scheduler.wait(1)

    async def sleep(self, at, ms):
        await js.scheduler.wait(ms)
        self.answers[at] = {"value": None}

    async def alarm_wait(self, at, count, timeout_ms, settle_ms, since):
        before = getattr(CASE, "alarms_reported", 0)
        deadline_ms = now_ms() + timeout_ms
        while self.alarms_over() < before + count and now_ms() <= deadline_ms:
            await js.scheduler.wait(100)
        if settle_ms:
            await js.scheduler.wait(settle_ms)
        runs = CASE.alarm_runs
        self.answers[at] = {"value": {"runs": [self.alarm_run(runs, k, since) for k in range(before, len(runs))]}}
        CASE.alarms_reported = len(runs)

    def alarms_over(self):
        runs = CASE.alarm_runs
        return sum(run["t_end"] is not None or at < len(runs) - 1 for at, run in enumerate(runs))

    def alarm_run(self, runs, at, since):
        run = runs[at]
        out = {"info": dict(run["info"]), "body": run["body"], "end": run["end"]}
        if SCHEDULED:
            out["info"]["scheduledTime"] = run["scheduled"]
        if since == "since_previous" and at > 0:
            previous = runs[at - 1]
            ended_ms = previous["t"] if previous["t_end"] is None else previous["t_end"]
            out["since_previous_end"] = {"ms": run["t"] - ended_ms}
        elif since:
            out["since_start"] = {"ms": run["t"] - CASE.t0}
        return out

    def log(self, at):
        self.answers[at] = {"value": list(CASE.log)}


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        global CASE
        query = parse_qs(urlsplit(request.url).query)
        CASE = Case(int(query["t0"][0]) if "t0" in query else now_ms())
        play = Play(self.env.OBJECTS)
        await STORY[int(query["segment"][0])](play)
        return Response(json.dumps({"t0": CASE.t0, "answers": play.answers}))
'''
