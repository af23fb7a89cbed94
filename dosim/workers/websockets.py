"""`js.WebSocketPair` and what goes with it, for code of a Worker or an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dosim.runtime.hibernation import WebSocketRequestResponsePair
from dosim.runtime.websocket import WebSocketEnd, make_pair
from dosim.web.interface import JsInterface
from dosim.workers.entrypoints import current_owner

__all__ = ["WebSocketPair", "WebSocketRequestResponsePair"]


class WebSocketPair(JsInterface):
    """Two ends of a new connection: `client, server = WebSocketPair.new().object_values()`."""

    js_name = "WebSocketPair"
    __slots__ = ("_ends",)

    def __init__(self, ends: tuple[WebSocketEnd, WebSocketEnd]) -> None:
        self._ends = ends

    @classmethod
    def new(cls) -> WebSocketPair:
        """A new pair: the first end is for the client, in the response; the second is accepted here."""
        return cls(make_pair(current_owner().world))

    def object_values(self) -> list[WebSocketEnd]:
        return list(self._ends)

    def object_keys(self) -> list[str]:
        return ["0", "1"]

    def object_entries(self) -> list[list[Any]]:
        return [[str(number), end] for number, end in enumerate(self._ends)]

    def __iter__(self) -> Iterator[WebSocketEnd]:
        return iter(self._ends)

    def __getitem__(self, index: object) -> WebSocketEnd:
        raise TypeError(
            "'pyodide.ffi.JsProxy' object is not subscriptable: write"
            " client, server = WebSocketPair.new().object_values()."
        )
