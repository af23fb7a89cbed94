"""What travels between the two ends of a WebSocket: frames, and the way that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dosim.kernel.streams import mix64
from dosim.web.interface import utf8

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.faults import Faults
    from dosim.runtime.websocket import WebSocketEnd
    from dosim.runtime.world import World


class Connection:
    """What both ends share: its number, and the way between them."""

    __slots__ = ("key", "legs", "number", "sent", "world")

    def __init__(self, world: World, key: int) -> None:
        self.world = world
        self.number = world.next_socket()
        self.key = key
        #: (from, to, more microseconds): every stretch that the answer with the socket has travelled.
        self.legs: list[tuple[City | None, City | None, int]] = []
        self.sent = 0

    def delay_us(self) -> int:
        """The travelling time of the next frame, with jitter."""
        network = self.world.network
        if not self.legs or network is None:
            return sum(more_us for _, _, more_us in self.legs)
        self.sent += 1
        key, total_us = mix64(self.key + self.sent), 0
        for leg, (start, end, more_us) in enumerate(self.legs):
            total_us += more_us
            if start is not None and end is not None:
                total_us += network.delay_us(start, end, self.world.network_stream.uniform(key, leg))
                if self.world.faults is not None:
                    total_us += self.world.faults.extra_us(start, end)
        return total_us

    def is_cut(self, faults: Faults) -> bool:
        """Whether nothing gets through, somewhere on the way."""
        return any(
            faults.client_cut_off(end, start) if more_us else faults.cut_off(start, end)
            for start, end, more_us in self.legs
        )

    def __repr__(self) -> str:
        return f"socket {self.number}"


class Frame:
    """One message or close on its way from an end to the other."""

    __slots__ = ("code", "data", "kind", "last", "leave_us", "reason", "sender", "wrote_before")

    #: Frames leave after the fetches of their turn, in the order in which they were sent.
    is_fetch = False

    def __init__(self, sender: WebSocketEnd, kind: str, data: Any = None, code: int = 0, reason: str = "") -> None:
        self.sender = sender
        #: "message", "close", "lost" (the connection is gone), "error" (a closed connection is torn down).
        self.kind = kind
        self.data = data
        self.code = code
        self.reason = reason
        self.wrote_before = False
        self.last = self.leave_us = 0

    @property
    def size_bytes(self) -> int:
        if self.data is None:
            return len(utf8(self.reason))
        return len(self.data) if isinstance(self.data, bytes) else len(utf8(self.data))

    def leave(self, at_us: int) -> None:
        """The output gate is open: travel."""
        self.sender.send_frame(self, at_us)
