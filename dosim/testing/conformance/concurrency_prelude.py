"""
The helpers at the head of every compiled concurrency case, as the text of a Python Workers program.

They use the standard library, `js`, `pyodide.ffi` and `workers`, nothing else: the same text runs on the real
runtime. Values are written to the log as JSON with the tags of the case format; `{"$dict": [[key, value]]}` is a
dict, because a Python program cannot tell a JavaScript object from a Map, and `{"$masked": reason}` is something
that Python Workers cannot say.
"""

from __future__ import annotations

PRELUDE = '''\
import asyncio
import datetime
import json
import math
import re
import sys
import types
from urllib.parse import parse_qs, quote, urlsplit

import js
import workers
from pyodide.ffi import JsException, create_proxy, to_js
from workers import DurableObject, Response, WorkerEntrypoint

START_MS = []
LOG = []
WORLD = {}
KEPT = []
ANSWERED = []
STUB_IDS = []
FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")


class Masked:
    """A value that Python Workers cannot have."""

    def __init__(self, reason):
        self.reason = reason


class NotAnError(Exception):
    """Stands for a thrown value that is no Error."""


NotAnError.__module__ = "masked"


class ErrorView:
    """An error as data: logged like an object with name, message and flags."""

    def __init__(self, error):
        self.error = error


# -- coroutines that run to their first wait at once, as JavaScript's async functions do


@types.coroutine
def _resume(coroutine, waits_for):
    while True:
        try:
            sent = yield waits_for
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step, argument = coroutine.throw, error
        else:
            step, argument = coroutine.send, sent
        try:
            waits_for = step(argument)
        except StopIteration as stop:
            return stop.value


async def _rest(coroutine, waits_for):
    return await _resume(coroutine, waits_for)


def start(coroutine):
    """Run to the first wait now; a task does the rest. Returns a future of the result."""
    loop = asyncio.get_running_loop()
    try:
        waits_for = coroutine.send(None)
    except StopIteration as stop:
        future = loop.create_future()
        future.set_result(stop.value)
        return future
    except Exception as error:
        future = loop.create_future()
        future.set_exception(error)
        return future
    task = loop.create_task(_rest(coroutine, waits_for))
    KEPT.append(task)
    return task


def detach(coroutine):
    """Start without awaiting; what it raises is not looked at."""
    if asyncio.iscoroutine(coroutine):
        future = start(coroutine)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future
    return coroutine


async def finish(future):
    return await future


async def outcome(future):
    """One entry of Promise.allSettled."""
    try:
        return {"ok": await future}
    except Exception as error:
        return {"err": ErrorView(error)}


async def first_of(futures):
    """Promise.race."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    return next(future for future in futures if future in done).result()


async def nested(ctx, levels, body):
    """`levels` critical sections inside one another."""
    if levels == 0:
        return await body()

    async def inner():
        return await nested(ctx, levels - 1, body)

    return await ctx.blockConcurrencyWhile(inner)


# -- time


def now_ms():
    return js.Date.now()


async def timeout(ms):
    """A setTimeout promise: one event."""
    due = asyncio.get_running_loop().create_future()
    js.setTimeout(create_proxy(lambda *_: due.done() or due.set_result(None)), ms)
    await due


def later(ms, body):
    js.setTimeout(create_proxy(lambda *_: (detach(body()), None)[1]), ms)


async def ticks(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def ext(env, ms, label):
    """Fetch from the external service and read the body."""
    stub = env.EXT.get(env.EXT.newUniqueId())
    response = await stub.fetch(f"http://ext/?ms={ms}&label={quote(label)}")
    return await response.text()


async def fetch_text(stub, url, init):
    response = await stub.fetch(url, **init)
    return {"status": response.status, "body": await response.text()}


async def fetch_status(stub, url, init):
    return (await stub.fetch(url, **init)).status


def respond(parts):
    return Response(parts.get("body"), status=parts.get("status") or 200, headers=parts.get("headers"))


# -- the object


def name_of(instance):
    name = instance.ctx.id.name
    return f"{type(instance).__name__}:{'?' if name is None else name}"


def signal(instance, name):
    """The object's future of that name."""
    if name not in instance._signals:
        instance._signals[name] = asyncio.get_running_loop().create_future()
    return instance._signals[name]


def resolve(future, value):
    if not future.done():
        future.set_result(value)


def count_up(counters, name, by):
    counters[name] = (counters.get(name) or 0) + by
    return counters[name]


async def increment(store, key, by):
    value = await store.get(key)
    value = (value or 0) + by
    await store.put(key, value)
    return value


async def alarm_time(storage):
    at = await storage.getAlarm()
    return None if at is None else at - START_MS[0]


def to_raw(value):
    """A value for the raw transaction, which converts nothing itself."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return to_js(value, dict_converter=js.Object.fromEntries)


def from_raw(value):
    return value.to_py() if hasattr(value, "to_py") else value


# -- expressions


def truthy(value):
    """JavaScript's truth: empty lists and dicts are true."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return bool(value) and value == value
    return type(value).__name__ != "JsNull"


def same(a, b):
    """JavaScript's ===."""
    if isinstance(a, Masked) or isinstance(b, Masked):
        return a if isinstance(a, Masked) else b
    plain = (bool, int, float, str, type(None))
    if isinstance(a, plain) and isinstance(b, plain):
        return isinstance(a, bool) == isinstance(b, bool) and a == b
    return a is b or (hasattr(a, "readyState") and a == b)  # two proxies of one socket


def text_of(value):
    return value if isinstance(value, str) else json.dumps(plain_json(encode(value)), separators=(",", ":"))


def plain_json(value):
    if isinstance(value, dict):
        if "$dict" in value:
            return {key: plain_json(item) for key, item in value["$dict"]}
        return {key: plain_json(item) for key, item in value.items()}
    return [plain_json(item) for item in value] if isinstance(value, list) else value


def add(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return text_of(a) + text_of(b)
    return math.nan if a is None or b is None else a + b


def length(value):
    return len(value.encode("utf-16-le")) // 2 if isinstance(value, str) else len(value)


def split(text, separator):
    return text.split(separator) if separator else list(text)


def member(value, key):
    """value[key] or value.key, whichever the Python value has; None if neither."""
    if isinstance(value, Masked):
        return value
    if isinstance(value, BaseException):
        return error_member(value, key)
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, (list, str, tuple, bytes, memoryview)):
        if key in ("length", "byteLength"):
            return length(value)
        return value[key] if isinstance(key, int) and 0 <= key < len(value) else None
    found = getattr(value, key, None)
    if key == "id":
        STUB_IDS.append(found)
    return found


def error_member(error, key):
    """What Python knows of an error: class and message from the last line of the text, and the flags."""
    if key in FLAGS:
        return getattr(error, key, None)
    last = str(error).strip().splitlines()[-1:] or [""]
    crossed = re.fullmatch(r"(?:[A-Za-z_.]*: )?(?:[A-Za-z_]+[.])?([A-Za-z_]+): (.*)", last[0])
    if not isinstance(error, JsException):
        return {"name": type(error).__name__, "message": str(error)}.get(key, Masked("NC6"))
    if key == "message":
        return crossed.group(2) if crossed else last[0]
    if key == "name":
        return crossed.group(1) if crossed else error.name
    return Masked("NC6")


def set_member(value, key, item):
    if isinstance(value, (dict, list)):
        value[key] = item
    else:
        setattr(value, key, item)


def date(ms):
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)


def error_class(name):
    return type(name, (Exception,), {})


def masked_error(kind, message):
    """An error whose own properties matter: they stay behind, so its flags are not compared."""
    return type(kind.__name__, (kind,), {"__module__": "masked"})(message)


def thrown(value):
    return value if isinstance(value, BaseException) else NotAnError("thrown value")


# -- the log


def encode_error(error):
    kind = type(error)
    shown = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "js": isinstance(error, JsException),
        "text": str(error),
    }
    for flag in FLAGS:
        value = getattr(error, flag, None)
        if value is not None:
            shown[flag] = value
    return shown


def encode_number(value):
    if isinstance(value, bool):
        return value
    if type(value).__name__ == "Time":
        return {"$time": int(value)}
    if isinstance(value, int):
        big = type(value).__name__ == "JsBigInt" or abs(value) >= 2**53
        return {"$bigint": str(int(value))} if big else value
    if math.isnan(value):
        return {"$nan": True}
    if math.isinf(value):
        return {"$inf": 1 if value > 0 else -1}
    return int(value) if value.is_integer() else value


def encode(value):
    if value is None or type(value).__name__ == "JsNull":
        return None
    if isinstance(value, str):
        return {"$longstring": [value[:8], length(value)]} if length(value) > 2000 else str(value)
    if isinstance(value, (int, float)):
        return encode_number(value)
    if isinstance(value, Masked):
        return {"$masked": value.reason}
    if isinstance(value, ErrorView):
        return {"$view": encode_error(value.error)}
    if isinstance(value, BaseException):
        return {"$error": encode_error(value)}
    if isinstance(value, datetime.datetime):
        return {"$date": round((value - date(0)) / datetime.timedelta(milliseconds=1))}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": list(bytes(value))}
    return encode_object(value)


def encode_object(value):
    if isinstance(value, dict):
        return {"$dict": [[key, encode(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, set):
        return {"$set": [encode(item) for item in value]}
    if any(value is known for known in STUB_IDS):
        return {"$id": value.toString()}
    if re.fullmatch("[0-9a-f]{64}", str(value)):
        return {"$id": str(value)}
    if callable(value):
        return {"$function": True}
    return encode_foreign(value)


def encode_foreign(value):
    """A raw JavaScript value or a stub."""
    kind = type(value).__name__
    if kind == "_FetcherWrapper":
        return {"$object": kind}
    if hasattr(value, "readyState"):
        return {"$ws": True}
    if hasattr(value, "arrayBuffer") and hasattr(value, "size"):
        return {"$blob": value.size}
    if not hasattr(value, "to_py"):
        return {"$object": kind}
    converted = value.to_py()
    return {"$object": kind} if converted is value else encode(converted)


def log(who, req, event):
    if ANSWERED:
        return  # code that is collected, not run
    entry = [now_ms() - START_MS[0], who, req, encode(event)]
    if type(sys.exc_info()[1]).__name__ == "DurableObjectAbort":
        entry.append("unwinding")
    LOG.append(entry)


class Ext(DurableObject):
    """The external service: answers "ok" after the asked time."""

    async def fetch(self, request):
        query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
        log("ext", query["label"][0], "recv")
        ms = int(query["ms"][0])
        if ms:
            await js.scheduler.wait(ms)
        return Response("ok")
'''

STORY = '''\
RESULTS = [None] * len(STEPS)


async def play(index, step, run):
    """One step: at its time, to its result."""
    if step["at"]:
        await js.scheduler.wait(step["at"])
    try:
        shown = {"value": encode(await run())}
    except Exception as error:
        shown = {"error": encode_error(error)}
    RESULTS[index] = {"req": step["req"], "t": now_ms() - START_MS[0], **shown}


async def ended(plays, limit_ms):
    """Wait for every step, at most until `limit_ms`."""
    if plays and not OWN_STEPS:
        await asyncio.wait(plays, timeout=limit_ms / 1000)
    while OWN_STEPS and None in RESULTS and now_ms() - START_MS[0] < limit_ms:
        await js.scheduler.wait(20)


class Default(WorkerEntrypoint):
    """Plays the steps and answers with the log and the results."""

    async def fetch(self, request):
        if not START_MS:
            START_MS.append(now_ms())
        own = parse_qs(urlsplit(request.url).query).get("own")
        if own:
            index = int(own[0])
            await play(index, STEPS[index], lambda: OWN_STEPS[index](self))
            return Response("played")
        shared = shared_steps(self)
        plays = [start(play(index, STEPS[index], run)) for index, run in shared.items()]
        await ended(plays, LIMIT_MS)
        if SETTLE_MS:
            await js.scheduler.wait(SETTLE_MS)
        ANSWERED.append(True)
        pending = [
            result or {"req": step["req"], "t": None, "pending": True}
            for step, result in zip(STEPS, RESULTS, strict=True)
        ]
        return Response.json({"log": LOG, "results": pending})
'''
