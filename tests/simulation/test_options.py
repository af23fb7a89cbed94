"""The arguments of `Simulation`: each wrong one is refused with its name and the fix."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Desk(DurableObject):
    async def hello(self) -> str:
        return "hello"


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return Response("hello")


Another = type("Desk", (DurableObject,), {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"durable_objects": [Desk]}, r"is no dict: write durable_objects=\{'COUNTER': Counter\}"),
        ({"durable_objects": {"A": Desk, "B": Another}}, "two different classes named Desk"),
        ({"durable_objects": {"A": Desk}, "prevent_eviction": "Desk"}, r"give a list, prevent_eviction=\['Desk'\]"),
        ({"durable_objects": {"A": Desk}, "prevent_eviction": ["Dsk"]}, "no bound class: it takes names of .*Desk"),
        ({"durable_objects": {"A": Desk}, "vars": {"A": 1}}, "env has two things named 'A'"),
        ({"compatibility_date": "soon"}, "compatibility_date='soon' is no date"),
        ({"compatibility_flags": "nodejs_compat"}, "compatibility_flags='nodejs_compat' is one text: give a list"),
        ({"cold_start": 5}, "cold_start=5 has no unit"),
        ({"retention": None}, "retention=None is not known"),
        ({"network": "mars"}, "network='mars' is not known"),
    ],
)
def test_wrong_argument_is_refused_with_the_fix(arguments: dict[str, Any], message: str) -> None:
    """TypeError or ValueError; the text names the argument."""
    with pytest.raises((TypeError, ValueError), match=message):
        Simulation(Door, **arguments)


def test_compatibility_date_is_one_date_however_it_is_written() -> None:
    """Dates are compared as texts inside, so they are all brought to one form."""
    written: list[object] = ["2026-01-02", "20260102", date(2026, 1, 2)]

    assert [Simulation(compatibility_date=d).world.compatibility_date for d in written] == ["2026-01-02"] * 3


def test_cold_start_is_waited_for_once_in_each_colo() -> None:
    """The first request to a colo waits for its isolate; the second does not."""
    waits = []
    for cold_start in (None, "1s"):
        sim = Simulation(Door, cold_start=cold_start)
        client = sim.client("Tokyo")
        first, second = client.fetch("https://desk.example/"), None
        sim.run(first)
        second = client.fetch("https://desk.example/")
        sim.run(second)
        waits.append([sim.explain(call).parts_us.get("starting", 0) for call in (first, second)])

    assert waits == [[5_000, 0], [1_000_000, 0]]
