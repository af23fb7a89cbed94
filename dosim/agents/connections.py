"""Connections: clients' hibernatable sockets, with an id, tags and a state that lies in the socket's attachment.

So all of it survives the agent's leaving memory. Source: npm agents 0.32.0, `websockets`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from dosim.agents.calling import call
from dosim.agents.current import acting
from dosim.agents.encoding import kebab_case, new_id, parse_json, to_json
from dosim.agents.errors import ConnectionStateTooLargeError, DuplicateConnectionIdError, is_teardown
from dosim.agents.lifecycle import said
from dosim.workers import Response
from dosim.workers.ffi import JsException, jsnull, to_js
from dosim.workers.js import WebSocketPair, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

_OPEN, _CLOSING, _CLOSED = 1, 2, 3
#: Close codes that say there was no close frame: nobody is there to answer one.
_NO_FRAME = (1005, 1006, 1015)
_MOST_TAGS = 10
_MOST_LETTERS = 256
#: What is always sent on connecting, and when the agent wakes: it has no MCP servers.
_MCP = to_json(
    {"mcp": {"prompts": [], "resources": [], "servers": {}, "tools": []}, "type": "cf_agent_mcp_servers"}, "the servers"
)


@dataclass(frozen=True)
class ConnectionContext:
    """What a connection was opened with: the upgrade request."""

    request: Any


class Connection:
    """A client's connection. Equal ones are the same socket, whatever life of the agent made them."""

    __slots__ = ("_accepted", "_attached", "_ws")

    def __init__(self, ws: Any, attached: dict[str, Any], *, accepted: bool = True) -> None:
        self._ws = ws
        #: What is attached to the socket, or will be once it is accepted: one dict for all connections of a socket.
        self._attached = attached
        self._accepted = accepted

    def _attach(self, changed: dict[str, Any]) -> None:
        if self._accepted:
            self._serialize({**self._attached, **changed})
        self._attached.update(changed)

    def _serialize(self, attachment: dict[str, Any]) -> None:
        try:
            self._ws.serializeAttachment(to_js(attachment))
        except JsException as error:
            if "larger" not in str(error) and "16384" not in str(error):
                raise
            raise ConnectionStateTooLargeError(
                f"The state of connection {self.id} does not fit: a socket's attachment holds 16,384 bytes, of which"
                f" the id, the tags and the URL take a part ({error}). Keep what grows in a table, under the"
                " connection's id."
            ) from error

    @property
    def id(self) -> str:
        """The client's `_pk`, or an id made for it."""
        return str(self._attached["__pk"]["id"])

    @property
    def uri(self) -> str | None:
        """The URL that it was opened with."""
        uri: str | None = self._attached["__pk"].get("uri")
        return uri

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags under which it was accepted; the id is the first."""
        return tuple(self._attached["__pk"].get("tags") or ())

    @property
    def state(self) -> Any:
        """Its own state; None until one is set."""
        return self._attached.get("__user")

    def set_state(self, state: Any) -> Any:
        """Replace its state, by a value or by a function of the present one; returns the new one.

        Raises TypeError for what is no JSON, ConnectionStateTooLargeError.
        """
        value = state(self.state) if callable(state) else state
        value = json.loads(to_json(value, "the connection's state"))
        self._attach({"__user": value})
        return value

    @property
    def readonly(self) -> bool:
        """Whether this client may not change the agent's state."""
        return bool(self._flags().get("readonly"))

    @readonly.setter
    def readonly(self, value: bool) -> None:
        self._set_flag("readonly", value)

    @property
    def protocol_enabled(self) -> bool:
        """Whether it gets the SDK's own frames: identity, state."""
        return not self._flags().get("no_protocol")

    def _flags(self) -> dict[str, bool]:
        flags: dict[str, bool] = self._attached.get("__flags") or {}
        return flags

    def _set_flag(self, name: str, value: bool) -> None:
        self._attach({"__flags": {**self._flags(), name: bool(value)}})

    def send(self, message: str | bytes) -> None:
        """Send text or bytes. Raises TypeError for anything else, JsException when it is closed."""
        if isinstance(message, (bytes, bytearray, memoryview)):
            self._ws.send(to_js(bytes(message)))
        elif isinstance(message, str):
            self._ws.send(message)
        else:
            raise TypeError(
                f"connection.send() takes text or bytes, not {type(message).__name__}: send json.dumps(data)."
            )

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; 1008 and 4000 to 4999 tell the JavaScript client not to come back."""
        self._ws.close(code, reason)

    @property
    def is_open(self) -> bool:
        return bool(self._ws.readyState == _OPEN)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and bool(self._ws == other._ws)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<connection {self.id}>"


def checked_tags(connection_id: str, tags: Iterable[Any]) -> list[str]:
    """The id, then the others. Raises TypeError, ValueError for what cannot be a tag."""
    if isinstance(tags, str):
        raise TypeError(f"get_connection_tags must return a list of tags, not the text {tags!r}.")
    every = [connection_id, *(tag for tag in tags or () if tag != connection_id)]
    if len(every) > _MOST_TAGS:
        raise ValueError("A connection can only have 10 tags, including the default id tag.")
    for tag in every:
        if not isinstance(tag, str):
            raise TypeError(f"A connection tag must be a string. Received: {tag!r}")
        if not tag:
            raise ValueError("A connection tag must not be an empty string.")
        if len(tag) > _MOST_LETTERS:
            raise ValueError("A connection tag must not exceed 256 characters")
    return every


class Connections:
    """Accepts upgrades, finds connections, and hands their events to the agent."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        #: Ids of those that are being told the state: a first read of it must not tell them twice.
        self._connecting: list[str] = []
        #: What is attached to the sockets that this life has met, by the numbers of their proxies.
        self._attached: dict[int, dict[str, Any]] = {}

    def _of(self, ws: Any) -> Connection | None:
        """The connection of an accepted socket; None for one that the application accepted by itself."""
        known = self._attached.get(ws.js_id)
        if known is None:
            kept = ws.deserializeAttachment()
            value: Any = kept.to_py() if kept is not jsnull and hasattr(kept, "to_py") else None
            meta = value.get("__pk") if isinstance(value, dict) else None
            if not isinstance(meta, dict) or not isinstance(meta.get("id"), str):
                return None
            known = self._attached[ws.js_id] = dict(value)
        return Connection(ws, known)

    # -- finding

    def all(self, tag: str | None = None) -> Iterator[Connection]:
        """The open ones, with this tag if one is given."""
        ctx = self._agent.ctx
        for ws in list(ctx.getWebSockets() if tag is None else ctx.getWebSockets(tag)):
            if ws.readyState == _OPEN:
                connection = self._of(ws)
                if connection is not None:
                    yield connection

    def one(self, connection_id: str) -> Connection | None:
        """The open one with this id. Raises DuplicateConnectionIdError when there are several."""
        if not isinstance(connection_id, str):
            raise TypeError(f"get_connection(id) takes the id, a str, not {connection_id!r}.")
        found = [connection for connection in self.all(connection_id) if connection.id == connection_id]
        if len(found) > 1:
            raise DuplicateConnectionIdError(connection_id)
        return found[0] if found else None

    def send_all(self, message: str | bytes, leave_out: Callable[[Connection], bool]) -> None:
        """Send to every open connection that is not left out."""
        for connection in self.all():
            if not leave_out(connection):
                _send(connection, message)

    def broadcast_state(self, value: Any, exclude: list[str]) -> None:
        """Tell the new state to all who speak the protocol."""
        without = {*exclude, *self._connecting}
        text = to_json({"state": value, "type": "cf_agent_state"}, "the state")
        self.send_all(text, lambda connection: connection.id in without or not connection.protocol_enabled)

    def send_servers(self) -> None:
        """Tell those who are connected of the MCP servers: an agent that wakes does so."""
        self.send_all(_MCP, lambda connection: not connection.protocol_enabled)

    # -- events

    async def upgrade(self, request: Any) -> Response:
        """Accept a WebSocket: tags, flags, protocol frames, `on_connect`."""
        agent = self._agent
        client, server = WebSocketPair.new().object_values()
        asked = parse_qs(urlsplit(request.url).query).get("_pk")
        meta = {"id": asked[0] if asked else new_id(), "tags": [], "uri": request.url}
        connection = Connection(server, {"__pk": meta, "__user": None}, accepted=False)
        context = ConnectionContext(request)
        with acting(agent, connection, request):
            given = await call(agent.get_connection_tags, connection, context)
            tags = checked_tags(connection.id, given)
            agent.ctx.acceptWebSocket(server, to_js(tags))
            connection._accepted = True
            connection._attach({"__pk": {**meta, "tags": tags}})
            self._attached[server.js_id] = connection._attached
            await self._connect(connection, context)
        return Response(None, status=101, web_socket=client)

    async def _connect(self, connection: Connection, context: ConnectionContext) -> None:
        agent = self._agent
        if await call(agent.should_connection_be_readonly, connection, context):
            connection.readonly = True
        if await call(agent.should_send_protocol_messages, connection, context):
            self._send_connect_frames(connection)
        else:
            connection._set_flag("no_protocol", True)
        agent._cf_emit("connect", connectionId=connection.id)
        try:
            await call(agent.on_connect, connection, context)
        except Exception as error:
            await call(agent.on_error, None, error)

    def _send_connect_frames(self, connection: Connection) -> None:
        """Who it is connected to, the state, the (missing) MCP servers."""
        agent = self._agent
        self._connecting.append(connection.id)
        try:
            has_state = agent._cf_state.has()
        finally:
            self._connecting.remove(connection.id)
        if agent.options.send_identity_on_connect:
            identity = {"type": "cf_agent_identity", "name": agent.name, "agent": kebab_case(type(agent).__name__)}
            _send(connection, to_json(identity | ({"stateFollows": True} if has_state else {}), "the identity"))
        if has_state:
            _send(connection, to_json({"type": "cf_agent_state", "state": agent._cf_state.get()}, "the state"))
        _send(connection, _MCP)

    async def message(self, ws: Any, message: Any) -> None:
        """A frame has come: the state's and RPC's own are answered here, the others are for `on_message`."""
        connection, agent = self._of(ws), self._agent
        if connection is None:
            return
        if not isinstance(message, str):
            message = message.to_bytes()
        with acting(agent, connection):
            frame = parse_json(message)
            if isinstance(frame, dict):
                if frame.get("type") == "cf_agent_state" and "state" in frame:
                    self._state_frame(connection, frame["state"])
                    return
                if await agent._cf_rpc.answer(connection, frame):
                    return
            try:
                await call(agent.on_message, connection, message)
            except Exception as error:
                await call(agent.on_error, None, error)

    def _state_frame(self, connection: Connection, value: Any) -> None:
        """A client wants another state."""
        refused = "Connection is readonly"
        if not connection.readonly:
            try:
                self._agent._cf_state.set(value, connection)
                return
            except Exception as error:
                console.error("[WebSockets] State update rejected:", said(error))
                refused = "State update rejected"
        _send(connection, to_json({"type": "cf_agent_state_error", "error": refused}, "the error"))

    async def closed(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:
        """A client has closed: tell the agent, and close this end too."""
        connection, agent = self._of(ws), self._agent
        if connection is None:
            return
        self._attached.pop(ws.js_id, None)
        try:
            with acting(agent, connection):
                agent._cf_emit("disconnect", connectionId=connection.id, code=code, reason=reason)
                await call(agent.on_close, connection, code, reason, was_clean)
        except Exception:
            _close_too(ws, code, reason)
            raise
        _close_too(ws, code, reason)

    async def failed(self, ws: Any, error: Any) -> None:
        """A socket has failed; what only says that the other end is gone, while it closes, is no news."""
        if ws.readyState in (_CLOSING, _CLOSED) and is_teardown(error):
            return
        connection = self._of(ws)
        if connection is not None:
            with acting(self._agent, connection):
                await call(self._agent.on_error, connection, error)

    def close_all(self) -> None:
        """Close every connection: the agent is destroyed."""
        for connection in self.all():
            connection.close(1001, "Durable Object destroyed")


def _close_too(ws: Any, code: int, reason: str) -> None:
    """Answer a close frame, if there was one and the other end waits for it."""
    if code not in _NO_FRAME:
        with suppress(JsException):
            ws.close(code, reason)


def _send(connection: Connection, message: str | bytes) -> bool:
    """Send to whoever is still there; whether that was so."""
    if not connection.is_open:
        return False
    try:
        connection.send(message)
    except JsException:
        return False
    return True


send_if_open = _send
