"""`@callable`: methods that clients call over their WebSocket, and results that stream.

Frames, as the JavaScript client has them: `{"type": "rpc", "id", "method", "args"}` is answered by `{"type": "rpc",
"id", "success": true, "result", "done": true}` or `{"type": "rpc", "id", "success": false, "error"}`; chunks of a
stream come first, with `"done": false`. Source: npm agents 0.32.0, `callable-decorator.js` and `src`.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dosim.agents.calling import call
from dosim.agents.connections import Connection, send_if_open
from dosim.agents.encoding import to_json
from dosim.agents.lifecycle import said
from dosim.workers.js import console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__agents_callable__"


@dataclass(frozen=True, kw_only=True)
class CallableMetadata:
    """What `@callable` says of a method."""

    description: str | None = None
    streaming: bool = False


@overload
def callable(method: F, /) -> F: ...  # noqa: A001  # the SDK's name
@overload
def callable(*, description: str | None = None, streaming: bool = False) -> Callable[[F], F]: ...  # noqa: A001
def callable(method: Any = None, /, *, description: str | None = None, streaming: bool = False) -> Any:  # noqa: A001
    """Let clients call a method: `@callable`, or `@callable(streaming=True)`.

    streaming: the method gets a `StreamingResponse` before the client's arguments. An async generator streams what it
    yields, without being told. An override is callable only when it is decorated too. Raises TypeError for anything
    that is no function.
    """

    def decorate(function: Any) -> Any:
        if not inspect.isfunction(function):
            raise TypeError(f"@callable decorates a method, not {function!r}.")
        generator = inspect.isasyncgenfunction(function)
        if generator and streaming:
            raise TypeError(f"{function.__qualname__} yields, which streams already: leave streaming=True out.")
        setattr(function, _MARK, CallableMetadata(description=description, streaming=streaming or generator))
        return function

    return decorate if method is None else decorate(method)


def metadata_of(method: object) -> CallableMetadata | None:
    """What `@callable` said of a function; None: clients cannot call it."""
    found = getattr(method, _MARK, None)
    return found if isinstance(found, CallableMetadata) else None


def callable_methods(cls: type) -> dict[str, CallableMetadata]:
    """The methods of a class that clients can call."""
    found: dict[str, CallableMetadata] = {}
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, value in vars(base).items():
            metadata = metadata_of(value)
            if name not in seen and metadata is not None:
                found[name] = metadata
            seen.add(name)
    return found


class StreamingResponse:
    """A streaming method's way to its client: chunks, then an end or an error. Closed, it sends nothing more."""

    def __init__(self, connection: Connection, call_id: str) -> None:
        self._connection = connection
        self._id = call_id
        self.is_closed = False

    def send(self, chunk: Any) -> bool:
        """Send a chunk; False: the stream is closed, or the client is gone."""
        if self.is_closed:
            console.warn("StreamingResponse.send() called after stream was closed - data not sent")
            return False
        return send_if_open(self._connection, _answer(self._id, chunk, done=False))

    def end(self, final_chunk: Any = None) -> bool:
        """End the stream, with a last chunk if there is one."""
        return self._last(_answer(self._id, final_chunk, done=True))

    def error(self, message: str) -> bool:
        """End the stream with an error."""
        return self._last(_refusal(self._id, message))

    def _last(self, frame: str) -> bool:
        if self.is_closed:
            return False
        self.is_closed = True
        return send_if_open(self._connection, frame)


class Rpc:
    """Answers the rpc frames of an agent's clients."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._methods = callable_methods(type(agent))

    async def answer(self, connection: Connection, frame: dict[str, Any]) -> bool:
        """Answer a frame; False: it is none of RPC's."""
        call_id, name, args = frame.get("id"), frame.get("method"), frame.get("args")
        if frame.get("type") != "rpc" or not isinstance(call_id, str) or not isinstance(name, str):
            return False
        if not isinstance(args, list):
            return False
        try:
            metadata = self._found(name)
            method = getattr(self._agent, name)
            self._agent._cf_emit("rpc", method=name, streaming=metadata.streaming)
            if metadata.streaming:
                await self._stream(connection, call_id, method, args)
            else:
                text = _answer(call_id, await call(method, *args), done=True)
                send_if_open(connection, text)
        except Exception as error:
            console.error("RPC error:", said(error))
            self._agent._cf_emit("rpc:error", method=name, error=str(error))
            send_if_open(connection, _refusal(call_id, _message(error)))
        return True

    def _found(self, name: str) -> CallableMetadata:
        metadata = self._methods.get(name)
        if metadata is None:
            there = builtins.callable(getattr(type(self._agent), name, None))
            raise LookupError(f"Method {name} {'is not callable' if there else 'does not exist'}")
        return metadata

    async def _stream(self, connection: Connection, call_id: str, method: Any, args: list[Any]) -> None:
        stream = StreamingResponse(connection, call_id)
        try:
            if inspect.isasyncgenfunction(inspect.unwrap(method)):
                async for chunk in method(*args):
                    if not stream.send(chunk):
                        break
                stream.end()
            else:
                await call(method, stream, *args)
        except Exception as error:
            console.error("Error in streaming method:", said(error))
            self._agent._cf_emit("rpc:error", method=method.__name__, error=str(error))
            stream.error(_message(error))


def _message(error: Exception) -> str:
    """An error's text as the client gets it: the message alone."""
    return str(getattr(error, "message", None) or error) or type(error).__name__


def _answer(call_id: str, result: Any, *, done: bool) -> str:
    frame = {"done": done, "id": call_id, "result": result, "success": True, "type": "rpc"}
    if result is None and done:
        del frame["result"]  # undefined, in JavaScript
    return to_json(frame, "the result of a callable method")


def _refusal(call_id: str, message: str) -> str:
    return to_json({"error": message, "id": call_id, "success": False, "type": "rpc"}, "the error")
