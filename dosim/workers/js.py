"""`js`: the JavaScript globals that Python Workers reach, as far as objects, RPC, storage and HTTP need them."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from dosim.kernel.loop import Loop, Timer, complete
from dosim.platform.facts import EPOCH_MS
from dosim.web.body import JsReadableStream as ReadableStream
from dosim.web.buffers import JsArrayBuffer as ArrayBuffer
from dosim.web.buffers import JsUint8Array
from dosim.web.dates import JsDate
from dosim.web.errors import JsException
from dosim.web.forms import JsBlob as Blob
from dosim.web.forms import JsFile as File
from dosim.web.forms import JsFormData as FormData
from dosim.web.forms import options_of
from dosim.web.headers import JsHeaders as Headers
from dosim.web.http import REQUEST_OPTIONS
from dosim.web.http import JsRequest as Request
from dosim.web.http import JsResponse as Response
from dosim.web.proxies import JsArray, JsObject, jsnull, to_js
from dosim.web.url import JsURL as URL
from dosim.web.url import JsURLSearchParams as URLSearchParams
from dosim.web.values import clone, js_text
from dosim.workers.console import console
from dosim.workers.crypto import crypto
from dosim.workers.encodings import TextDecoder, TextEncoder, atob, btoa
from dosim.workers.entrypoints import fetch as fetch_outside
from dosim.workers.html_rewriter import HTMLRewriter
from dosim.workers.promises import JsPromise, Promise
from dosim.workers.websockets import WebSocket, WebSocketPair, WebSocketRequestResponsePair

__all__ = [
    "JSON", "URL", "Array", "ArrayBuffer", "Blob", "Date", "File", "FormData", "HTMLRewriter", "Headers", "Object",
    "Promise", "ReadableStream", "Request", "Response", "TextDecoder", "TextEncoder", "URLSearchParams", "Uint8Array",
    "WebSocket", "WebSocketPair", "WebSocketRequestResponsePair", "atob", "btoa", "clearInterval", "clearTimeout",
    "console", "crypto", "fetch", "performance", "queueMicrotask", "scheduler", "setInterval", "setTimeout",
]  # fmt: skip

_LATER = {
    "caches": "the Cache API",
    "EventSource": "EventSource",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:  # of ImportError, so that `from js import ...` says it too
        raise ImportError(f"js.{name}: dosim does not have {_LATER[name]} yet.")
    raise AttributeError(f"js.{name}: dosim's `js` has {', '.join(__all__)}.")


def _loop() -> Loop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    return loop


# -- timers: each is one event of whoever starts it


class _Timers:
    """The timers of a loop by the numbers that setTimeout gives out."""

    def __init__(self) -> None:
        self._running: dict[int, Timer] = {}
        self._last = 0
        self._tasks: list[asyncio.Future[Any]] = []

    def start(self, callback: Any, delay_ms: float, args: tuple[Any, ...], *, repeat: bool) -> int:
        self._last += 1
        number = self._last
        loop = _loop()

        def run() -> None:
            self._running.pop(number, None)
            if repeat:
                self._running[number] = timer = loop.call_later(delay_ms / 1000, run)
                timer.first_us = first_us
            result = callback(*args)
            if asyncio.iscoroutine(result):
                self._tasks = [task for task in self._tasks if not task.done()]
                self._tasks.append(asyncio.ensure_future(result))

        self._running[number] = timer = loop.call_later((delay_ms or 0) / 1000, run)
        first_us = timer.first_us
        return number

    def cancel(self, number: int) -> None:
        timer = self._running.pop(number, None)
        if timer is not None:
            timer.cancel()


_timers: WeakKeyDictionary[Loop, _Timers] = WeakKeyDictionary()


def _loop_timers() -> _Timers:
    return _timers.setdefault(_loop(), _Timers())


def setTimeout(callback: Any, delay_ms: float = 0, *args: Any) -> int:
    """Call `callback(*args)` once, `delay_ms` milliseconds from now; returns a number for clearTimeout."""
    return _loop_timers().start(callback, delay_ms, args, repeat=False)


def setInterval(callback: Any, delay_ms: float = 0, *args: Any) -> int:
    """Call `callback(*args)` every `delay_ms` milliseconds."""
    return _loop_timers().start(callback, delay_ms, args, repeat=True)


def clearTimeout(number: int) -> None:
    """Cancel a timer."""
    _loop_timers().cancel(number)


clearInterval = clearTimeout


def queueMicrotask(callback: Any) -> None:
    """Call `callback()` in this turn, after the code that runs."""
    _loop().call_soon(callback)


class _Scheduler:
    """`scheduler.wait(ms)`: a promise; two events, the timer and then its promise (recorded)."""

    def wait(self, delay_ms: float = 0) -> asyncio.Future[None]:
        loop = _loop()
        done: asyncio.Future[None] = loop.create_future()

        def ring() -> None:
            loop.io_hop("scheduler.wait").add_done_callback(lambda _: complete(done))

        loop.call_later(delay_ms / 1000, ring)
        return done


scheduler = _Scheduler()


class _Performance:
    """`performance.now()`: milliseconds since the simulation's start."""

    timeOrigin = EPOCH_MS

    def now(self) -> float:
        return _loop().time_us() / 1000


performance = _Performance()


# -- values


class Date:
    """`Date.now()` and `Date.new(...)`, in virtual time."""

    @staticmethod
    def now() -> int:
        return EPOCH_MS + _loop().time_us() // 1000

    @staticmethod
    def new(value: Any = None) -> JsDate:
        if value is None:
            return JsDate(Date.now())
        if isinstance(value, JsDate):
            return JsDate(value.getTime())
        if isinstance(value, str):
            return JsDate(datetime.fromisoformat(value).timestamp() * 1000)
        return JsDate(value)

    @staticmethod
    def parse(text: str) -> int:
        return Date.new(text).getTime()


class Object:
    """The statics of JavaScript's Object."""

    @staticmethod
    def new() -> JsObject:
        return JsObject({})

    @staticmethod
    def fromEntries(entries: Any) -> JsObject:
        return JsObject({js_text(key): to_js(value) for key, value in entries})

    @staticmethod
    def keys(value: Any) -> JsArray:
        return JsArray(value.object_keys())

    @staticmethod
    def values(value: Any) -> JsArray:
        return JsArray(value.object_values())

    @staticmethod
    def entries(value: Any) -> JsArray:
        return JsArray([JsArray(entry) for entry in value.object_entries()])

    @staticmethod
    def assign(target: Any, *sources: Any) -> Any:
        for source in sources:
            vars(target).update(source.as_plain())
        return target


def _same(one: Any, other: Any) -> bool:
    """`Object.is`: the same object, or primitives that are equal; NaN is itself."""
    for kind in (bool, str, (int, float)):
        if isinstance(one, kind):
            return isinstance(other, kind) and js_text(one) == js_text(other)
    return one is other


setattr(Object, "is", staticmethod(_same))  # a keyword in Python: getattr(Object, "is")


class Array:
    """The statics of JavaScript's Array."""

    @staticmethod
    def new(*items: Any) -> JsArray:
        return JsArray(list(items))

    @staticmethod
    def isArray(value: Any) -> bool:
        return isinstance(value, JsArray)

    of = new

    @staticmethod
    def from_(items: Any) -> JsArray:
        return JsArray([to_js(item) for item in items])


setattr(Array, "from", Array.from_)  # a keyword in Python: getattr(Array, "from")


class JSON:
    """JSON.stringify and JSON.parse."""

    @staticmethod
    def stringify(value: Any) -> str:
        def plain(item: Any) -> Any:
            as_plain = getattr(item, "as_plain", None)
            if item is jsnull:
                return None
            if isinstance(item, JsDate):
                return item.toISOString()
            return as_plain() if as_plain is not None else str(item)

        return json.dumps(value, default=plain, separators=(",", ":"), ensure_ascii=False)

    @staticmethod
    def parse(text: str) -> Any:
        try:
            return to_js(json.loads(text))
        except ValueError as error:
            raise JsException(str(error), "SyntaxError") from None


class Uint8Array:
    """Uint8Array.new(length | bytes | list)."""

    @staticmethod
    def new(value: Any = 0) -> JsUint8Array:
        if isinstance(value, int):
            return JsUint8Array(bytes(value))
        to_bytes = getattr(value, "to_bytes", None)
        return JsUint8Array(to_bytes() if to_bytes is not None else bytes(value))


def fetch(resource: Any, init: Any = None, **options: Any) -> JsPromise:
    """As `workers.fetch`, with JavaScript's own Response as the result; under way at once, awaited or not."""
    sent = fetch_outside(resource, **options_of(init, options, REQUEST_OPTIONS))

    async def answer() -> Any:
        return (await sent).js_object

    return JsPromise(asyncio.ensure_future(answer()))


def structuredClone(value: Any) -> Any:
    """A deep copy."""
    return to_js(clone(value))
