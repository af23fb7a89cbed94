"""`Lesson`: what a scenario found: the claim, the tables that show it, the worlds it was measured in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosim.scenarios.blocks import Block, Code, Heading, Paragraph, Table, html_text, plain_text
from dosim.simulation import Simulation
from dosim.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The Workers projects that the scenarios run; each would run on the platform as it is.
PROJECTS: Final = Path(__file__).parent / "projects"


@dataclass(frozen=True, slots=True)
class World:
    """One world of a lesson: what is special about it, the simulation, and the requests that are drawn, if it says."""

    title: str
    sim: Simulation
    requests: Sequence[int] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Lesson:
    """A scenario's result. It prints itself; `facts` are the measured numbers, by names that say their units.

    `claim` is the sentence it proves, made of measured numbers; `shown` are the tables and sentences below it;
    `assumed` is what a reader should know was assumed.
    """

    name: str
    claim: str
    facts: dict[str, Any]
    shown: Sequence[Block]
    worlds: Sequence[World]
    seed: int | str
    assumed: str = ""
    projects: Sequence[str] = field(default=())

    def blocks(self, *, code: bool = False) -> list[Block]:
        """The claim, on request the user code, what shows it, what was assumed."""
        said = [Paragraph(f"Assumed: {self.assumed}")] if self.assumed else []
        return [Paragraph(self.claim), *(self._sources() if code else ()), *self.shown, *said]

    def _sources(self) -> Iterator[Block]:
        for project in self.projects:
            for file in sorted((PROJECTS / project / "src").rglob("*.py")):
                yield Heading(f"{project}/src/{file.name}")
                yield Code(file.read_text("utf-8"))

    @property
    def trace(self) -> Trace:
        """The trace of the first world."""
        return self.worlds[0].sim.trace

    def figure(self, **options: Any) -> Figure:
        """A timeline of each world, below one another."""
        from dosim.views import Panel, panels

        found = [
            Panel(
                world.sim.trace,
                tuple(world.requests or _requests(world.sim.trace)),
                world.title,
                "" if number else self.claim,
            )
            for number, world in enumerate(self.worlds)
        ]
        return panels(found, x_label="seconds", **options)

    def to_json(self) -> dict[str, object]:
        """The name, the claim, the facts and the digests of the traces."""
        return {
            "scenario": self.name,
            "claim": self.claim,
            "seed": self.seed,
            "facts": self.facts,
            "trace_digests": {world.title: _digest(world.sim.trace) for world in self.worlds},
        }

    def __repr__(self) -> str:
        worlds = ", ".join(repr(world.title) for world in self.worlds)
        return f"<lesson {self.name}, seed {self.seed!r}: {worlds}>"

    def __str__(self) -> str:
        return plain_text(self.blocks())

    def _repr_html_(self) -> str:
        return html_text(self.blocks())


def _digest(trace: Trace) -> str:
    return trace.digest if trace.retention == "full" else f"not kept ({trace.count} records)"


def _requests(trace: Trace) -> list[int]:
    """The requests of a trace that clients sent, the first sixty; if none did, the calls that nobody inside made."""
    sent = [record.request for record in trace.of_kind("send")]
    return (sent or [record.request for record in trace.of_kind("call") if not record.detail["caller"]])[:60]


def project(name: str) -> Path:
    """The folder of a scenario's Workers project."""
    return PROJECTS / name


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, left: Sequence[str] = ()) -> Table:
    """A table whose columns are set flush right but for the first and those in `left`."""
    texts = [[str(cell) for cell in row] for row in rows]
    return Table(columns, texts, frozenset(columns[1:]) - frozenset(left))
