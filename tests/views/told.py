"""Traces told by hand: a few records each, so that a test can add up what a picture must show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random

from dosim.trace import Trace

S_US = 1_000_000


class Told:
    """A trace, and what is put into it, in microseconds."""

    def __init__(self, retention: str = "full") -> None:
        self.trace = Trace(retention)
        self.count = 0

    def request(self, city: str, sent_us: int, answered_us: int | None, *, status: int = 200) -> int:
        """A client's request and its answer, if it has one."""
        self.count += 1
        self.trace.emit(sent_us, "send", city, self.count, 0, ("GET", "https://a.example/", city))
        if answered_us is not None:
            self.trace.emit(answered_us, "reply", city, self.count, 0, (0,))
            self.trace.emit(answered_us, "response", city, self.count, 0, (status,))
        return self.count

    def visit(
        self,
        label: str,
        arrive_us: int,
        start_us: int | None,
        end_us: int | None,
        *,
        via: str = "rpc",
        end: str = "return",
        caller: int = 0,
    ) -> int:
        """A call that arrives at an object, starts and ends there, as far as it gets."""
        self.count += 1
        self.trace.emit(arrive_us, "call", label, self.count, 0, (caller, via, label, "work"))
        self.trace.emit(arrive_us, "arrive", label, self.count, 0, ("FRA",))
        if start_us is not None:
            self.trace.emit(start_us, "start", label, self.count, 0, (arrive_us, ""))
        if end_us is not None:
            self.trace.emit(end_us, end, label, self.count, 0, () if end == "return" else ("Error: no",))
        return self.count


def one_server(gaps_us: Sequence[int], services_us: Sequence[int], label: str = "Desk('a')") -> Told:
    """Calls at an object that serves one at a time, first come first served: each starts when the last has ended."""
    told, free_us = Told(), 0
    for arrive_us, service_us in zip(accumulate(gaps_us), services_us, strict=True):
        start_us = max(arrive_us, free_us)
        free_us = start_us + service_us
        told.visit(label, arrive_us, start_us, free_us)
    return told


def random_us(seed: int, mean_us: float, count: int) -> list[int]:
    """Exponential times."""
    rng = Random(seed)
    return [round(rng.expovariate(1 / mean_us)) for _ in range(count)]
