"""`ctx`: an object's id, its storage, and its say over concurrency and its own life.

Source: developers.cloudflare.com/durable-objects/api/state; Python behaviour recorded.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dosim.platform.facts import ABORT_TEXT
from dosim.runtime.calls import Flow, current_flow
from dosim.runtime.hibernation import checked_socket, timestamp
from dosim.runtime.storage_api import DurableObjectStorage
from dosim.web.errors import DurableObjectAbort, JsException
from dosim.web.ids import DurableObjectId, object_name
from dosim.web.proxies import JsArray, jsnull

if TYPE_CHECKING:
    from dosim.runtime.instance import Instance


class DurableObjectContext:
    """What a Durable Object's constructor gets as `ctx` (`DurableObjectState` in JavaScript)."""

    def __init__(self, instance: Instance, exports: Any) -> None:
        self._instance = instance
        self.props: dict[str, object] = {}
        #: The Worker's own entrypoints and object classes, as bindings.
        self.exports = exports
        host_id = instance.id
        self.id = DurableObjectId(str(host_id), object_name(host_id.name), host_id.jurisdiction, host_id.namespace)
        self._root = Flow(instance.gate, None)
        self.storage = DurableObjectStorage(instance, self._root)

    def blockConcurrencyWhile(self, callback: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run `callback` while no other event is delivered to the object; starts when this turn ends.

        The future has its result. If it raises, or takes longer than 30 s, the object is reset.
        """
        if inspect.iscoroutine(callback):
            callback.close()
            raise TypeError(
                "blockConcurrencyWhile(callback) takes the function itself, and was given a coroutine: write"
                " ctx.blockConcurrencyWhile(load), not ctx.blockConcurrencyWhile(load())."
            )
        return self._instance.block(callback, current_flow(self._root))

    def waitUntil(self, promise: Any) -> None:
        """Keep the object in memory until `promise` (a task or future) is done."""
        if inspect.iscoroutine(promise):
            friendly = False
            try:
                friendly = self._instance.world.portability(
                    "ctx.waitUntil(coroutine) fails in a Durable Object: the coroutine never runs",
                    "workers.wait_until(coroutine)",
                )
            finally:
                if not friendly:
                    promise.close()
            if not friendly:
                return
            promise = asyncio.ensure_future(promise)
        keep_until_done(self._instance, promise)

    # -- hibernatable WebSockets

    def acceptWebSocket(self, ws: Any = None, tags: Any = None) -> None:
        """Accept an end of a pair for the object, in memory or not; `tags`: a JavaScript array, at most ten.

        Raises the platform's errors: accepted already, too many or too long tags, tags that are no Array.
        """
        self._instance.host.hibernatable.accept(checked_socket(ws, "acceptWebSocket"), tags)

    def getWebSockets(self, tag: Any = None) -> JsArray:
        """The accepted sockets that are not closed, newest first; with a tag, its sockets, oldest first (recorded)."""
        return self._instance.host.hibernatable.sockets(tag)

    def getTags(self, ws: Any = None) -> JsArray:
        """The tags under which a socket was accepted. Raises Error for one that acceptWebSocket never saw."""
        socket = checked_socket(ws, "getTags")
        if not socket.accepted:
            raise JsException("you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.")
        if socket.hibernatable is None:
            raise JsException("only hibernatable websockets can have tags.")
        return JsArray([*socket.hibernatable.tags_of(socket)])

    def setWebSocketAutoResponse(self, pair: Any = None) -> None:
        """Let the platform answer one exact text by itself, without waking the object; None: no more."""
        self._instance.host.hibernatable.set_auto_response(pair)

    def getWebSocketAutoResponse(self) -> Any:
        """The pair that was set; jsnull without one."""
        return self._instance.host.hibernatable.auto or jsnull

    def getWebSocketAutoResponseTimestamp(self, ws: Any = None) -> Any:
        """When this socket was last answered so, a JavaScript Date; jsnull for never."""
        return timestamp(checked_socket(ws, "getWebSocketAutoResponseTimestamp"))

    def setHibernatableWebSocketEventTimeout(self, timeout_ms: Any = None) -> None:
        """Cut off a WebSocket handler that runs longer than this many milliseconds; None or 0: never."""
        self._instance.host.hibernatable.set_event_timeout(timeout_ms)

    def getHibernatableWebSocketEventTimeout(self) -> Any:
        """The event timeout, milliseconds; jsnull without one."""
        timeout_ms = self._instance.host.hibernatable.event_timeout_ms
        return jsnull if timeout_ms is None else timeout_ms

    # -- the end

    def abort(self, reason: object = None) -> None:
        """Reset the object: its memory and its uncommitted writes are lost. Does not return."""
        self._instance.abort(ABORT_TEXT if reason is None else reason)
        raise DurableObjectAbort(reason or "Durable Object abort requested")

    def __repr__(self) -> str:
        return f"<ctx of {self._instance.label}>"


def keep_until_done(owner: Any, promise: asyncio.Future[Any]) -> None:
    """`waitUntil`: the owner stays until the promise is done; its failure is nobody's business (recorded)."""
    if promise.done():
        return
    owner.pin(promise)
    promise.add_done_callback(lambda done: _let_go(owner, done))


def _let_go(owner: Any, done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
    owner.unpin(done)
