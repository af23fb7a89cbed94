"""`one-instance`: a hundred requests for one name meet a hundred instances of the Worker, and one object.

Each client enters at its own colo, where the Worker runs in an isolate of its own: its module's globals count to one
and no further. All of them reach the same object, which counts them all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosim.scenarios.blocks import Block, Code, Paragraph, Table, html_text, plain_text
from dosim.scenarios.ten_by_five import check_requests
from dosim.simulation import Simulation
from dosim.trace import Trace
from dosim.trace.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The project that is run: it would run on the platform as it is.
PROJECT: Final = Path(__file__).parent / "one_instance_project"
MAX_REQUESTS: Final = 2_000
#: Rows that the printed table shows at its top and at its bottom.
_SHOWN: Final = 6

COLUMNS: Final = ("the object's number", "from", "colo", "the Worker's global", "arrived after", "answered after")


@dataclass(frozen=True, slots=True)
class Row:
    """One request: its number in the trace, what the Worker's global and the object's attribute said, and when
    (microseconds from the start)."""

    request: int
    city: str
    colo: str
    worker_global: int
    object_count: int
    arrived_us: int
    answered_us: int

    def cells(self) -> tuple[str, ...]:
        times = (f"{us / 1000:.3f} ms" for us in (self.arrived_us, self.answered_us))
        return (str(self.object_count), self.city, self.colo, str(self.worker_global), *times)

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class OneInstance:
    """The scenario's result. `rows` are in the order in which the requests reached the object."""

    def __init__(self, rows: Sequence[Row], trace: Trace, seed: int | str) -> None:
        self.rows = tuple(rows)
        self.trace = trace
        self.seed = seed
        self.workers = len({record.actor for record in trace.of_kind("worker")})
        self.instances = len(trace.of_kind("construct"))

    @property
    def claim(self) -> str:
        return (
            f"{counted(len(self.rows), 'request')} for one name, sent from everywhere at the same instant, meet"
            f" {counted(self.workers, 'Worker instance')}, each with globals of its own, and"
            f" {counted(self.instances, 'Durable Object')}."
        )

    def summary(self) -> Table:
        """How many of each there were, and what their counters said."""
        of_workers = sorted({row.worker_global for row in self.rows})
        of_object = [row.object_count for row in self.rows]
        in_order = "each in turn" if of_object == list(range(1, len(of_object) + 1)) else "out of turn"
        rows = [
            ("the Worker", str(self.workers), "global of its module", _range(of_workers)),
            ("the object", str(self.instances), "attribute of the instance", f"{_range(of_object)}, {in_order}"),
        ]
        return Table(("what", "instances", "its counter", "what the counters said"), rows, frozenset({"instances"}))

    def table(self, *, whole: bool = False) -> Table:
        """A row for each request, by arrival; unless `whole`, the middle is left out."""
        rows = [row.cells() for row in self.rows]
        if not whole and len(rows) > 2 * _SHOWN + 1:
            rows = [*rows[:_SHOWN], ("…",) * len(COLUMNS), *rows[-_SHOWN:]]
        return Table(COLUMNS, rows, frozenset(COLUMNS) - {"from", "colo"})

    def blocks(self, *, code: bool = False) -> list[Block]:
        source = [Code((PROJECT / "src" / "entry.py").read_text("utf-8"))] if code else []
        return [Paragraph(self.claim), *source, self.summary(), self.table()]

    def figure(self, **options: Any) -> Figure:
        """The timeline: the requests in the order in which they reached the object (the first 60), and the object."""
        from dosim.views import Panel, panels

        names = {row.request: row.city for row in self.rows}
        panel = Panel(self.trace, tuple(names), "one-instance", self.claim, names=names)
        return panels([panel], x_label="seconds after all requests were sent", **options)

    def to_json(self) -> dict[str, object]:
        return {
            "scenario": "one-instance",
            "claim": self.claim,
            "seed": self.seed,
            "worker_instances": self.workers,
            "object_instances": self.instances,
            "rows": [row.to_json() for row in self.rows],
            "trace_digest": self.trace.digest,
        }

    def __str__(self) -> str:
        return plain_text(self.blocks())

    def __repr__(self) -> str:
        return (
            f"<one-instance: {counted(len(self.rows), 'request')}, {counted(self.workers, 'Worker')},"
            f" {counted(self.instances, 'object')}>"
        )

    def _repr_html_(self) -> str:
        return html_text(self.blocks())


def run(*, requests: int = 100, seed: int | str = 0) -> OneInstance:
    """Run the scenario. Raises BadArgument that names the argument and the fix."""
    check_requests(requests, MAX_REQUESTS)
    sim = Simulation.from_project(PROJECT, seed=seed)
    cities = _spread([city.name for city in sim.network.cities.values() if city.has_colo], requests)
    calls = [sim.client(city).fetch("https://one.example/") for city in cities]
    responses = sim.run(*calls)
    texts = sim.run(*[response.text() for response in (responses if requests > 1 else [responses])])
    answers = [json.loads(text) for text in (texts if requests > 1 else [texts])]
    arrived_us = {record.request: record.t_us for record in sim.trace.of_kind("arrive")}
    parents = {record.detail["caller"]: record.request for record in sim.trace.of_kind("call")}
    rows = [
        Row(
            call.request,
            city,
            sim.network.entry(city).colo,
            answer["worker"],
            answer["object"],
            arrived_us[parents[call.request]],
            call.latency_us or 0,
        )
        for city, call, answer in zip(cities, calls, answers, strict=True)
    ]
    return OneInstance(sorted(rows, key=lambda row: row.object_count), sim.trace, seed)


def _spread(names: Sequence[str], count: int) -> list[str]:
    """`count` of the names, evenly spread over the list; some twice if there are too few."""
    if count > len(names):
        return [*names, *_spread(names, count - len(names))]
    return [names[at * len(names) // count] for at in range(count)]


def _range(numbers: Sequence[int]) -> str:
    """A list of numbers, short: "1", "1, 2" or "1 … 100"."""
    if len(numbers) > 3:
        return f"{numbers[0]} … {numbers[-1]}"
    return ", ".join(map(str, numbers))
