"""A failure that was found: the smallest schedule that breaks the test, its story, its token, its picture."""

from __future__ import annotations

import copy
import shlex
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dosim.kernel.chooser import Chooser, Deviation, Schedule
from dosim.testing.stories import lanes
from dosim.testing.subjects import Outcome, Subject, values_at
from dosim.testing.tokens import Token
from dosim.trace.compare import diff
from dosim.trace.words import counted, cut, folded

if TYPE_CHECKING:
    from dosim.simulation import Simulation

_ERROR_CHARACTERS = 1_500
#: Characters of a line of prose: about two lanes.
_WIDTH = 98
#: Lanes stay side by side: what is too wide for a page scrolls.
_UNFOLDED = "white-space: pre; overflow-x: auto"


@dataclass
class Failure:
    """The schedule that breaks a test, shrunk; `str(failure)` is its story."""

    subject: Subject
    outcome: Outcome
    #: The schedule that was found first; runs that the search took, None: somebody else's; runs that shrinking took.
    first: Schedule
    found_after: int | None = None
    shrink_runs: int = 0

    @property
    def error(self) -> BaseException:
        """What the test raised."""
        assert self.outcome.error is not None
        return self.outcome.error

    @property
    def schedule(self) -> Schedule:
        """The decisions that were not the plain ones."""
        return self.outcome.schedule

    @property
    def deviations(self) -> list[Deviation]:
        """The same, with when and in words."""
        return self.outcome.chooser.deviations

    @property
    def token(self) -> str:
        """What `dosim replay` takes, in any process."""
        return str(Token.of(self.subject, self.schedule))

    @property
    def simulation(self) -> Simulation | None:
        """The last simulation of the failing run, to be looked at: its trace, timeline, explain."""
        return self.outcome.simulations[-1] if self.outcome.simulations else None

    def replay(self) -> Outcome:
        """Run it again, here."""
        return self._run(self.schedule)

    def _run(self, schedule: Schedule) -> Outcome:
        return self.subject.run(Chooser(schedule, most_events=self.outcome.chooser.most_events))

    @property
    def story(self) -> str:
        """What broke, what was different from a plain run, what happened, how to see it again."""
        parts = [f"{self.subject.name} is broken, {self._how_found()}.", "", self._what()]
        if self.deviations:
            parts += ["", "Unlike a plain run:"]
            told = [f"  {number}. {deviation}" for number, deviation in enumerate(self.deviations, 1)]
            parts += [folded(line, _WIDTH, " " * 5) for line in told]
        if self.simulation is not None and len(self.simulation.trace):
            parts += ["", lanes(self.simulation.trace)]
        return "\n".join([*parts, "", *self._again()])

    def _how_found(self) -> str:
        if not self.first:
            return "in a plain run, without any deviation"
        if self.found_after is None:
            return f"with {counted(len(self.schedule), 'deviation')}"
        taken = counted(self.found_after, "run")
        if len(self.first) == len(self.schedule):
            return f"found after {taken}, with {counted(len(self.schedule), 'deviation')}"
        return (
            f"found after {taken} with {counted(len(self.first), 'deviation')}, shrunk to {len(self.schedule)} in"
            f" {counted(self.shrink_runs, 'run')}"
        )

    def _what(self) -> str:
        text = cut(str(self.error), _ERROR_CHARACTERS)
        said = f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__
        lines = [said, f"  at {self.outcome.where}"] if self.outcome.where else [said]
        values = values_at(self.error)
        return folded("\n".join([*lines, f"  where {values}"] if values else lines), _WIDTH, "  ")

    def _again(self) -> list[str]:
        lines = []
        if self.subject.reference:
            lines.append(f"replay: dosim replay {shlex.quote(self.token)}")
        seed = self.simulation.seed if self.simulation is not None else 0
        schedule = f', schedule="{self.schedule}"' if self.schedule else ""
        lines.append(f"or in the test: Simulation(..., seed={seed!r}{schedule})")
        return lines

    def told_error(self) -> BaseException:
        """The error, with the story as a note, and the token as its `token`."""
        try:
            error = copy.copy(self.error)
        except Exception:
            error = self.error  # one that cannot be copied
        error.__traceback__ = self.error.__traceback__
        error.__notes__ = [*getattr(self.error, "__notes__", ()), self.story]
        error.token = self.token  # type: ignore[attr-defined]
        return error

    def history(self) -> str:
        """From the last schedule that passes to the one that fails, a deviation at a time, and where the two part."""
        lines: list[str] = []
        passing: Outcome | None = None
        schedule = Schedule()
        for deviation in [None, *self.deviations]:
            if deviation is not None:
                schedule = schedule | {deviation.decision: deviation.choice}
            outcome = self._run(schedule)
            ends = "passes" if outcome.error is None else f"fails: {type(outcome.error).__name__} at {outcome.where}"
            lines.append(folded(f"{'plain' if deviation is None else f'+ {deviation}'}: {ends}", _WIDTH, "  "))
            passing = outcome if outcome.error is None else passing
        if passing is not None and passing.simulations and self.simulation is not None:
            parted = str(diff(passing.simulations[-1], self.simulation))
            lines += ["From the last that passes to the one that fails:", folded(parted, _WIDTH, "  ")]
        return "\n".join(lines)

    def picture(self) -> str:
        """The timeline of the failing run, as SVG. Raises ValueError when the run made no simulation."""
        from dosim.views.live_timelines import timeline_svg

        if self.simulation is None:
            raise ValueError("this run made no simulation, so there is nothing to draw.")
        return str(timeline_svg(self.simulation.trace))

    def save_picture(self, path: str | Path) -> Path:
        """Write the picture: an SVG, or with the name FILE.png a PNG."""
        goal = Path(path)
        if goal.suffix == ".png":
            assert self.simulation is not None
            self.simulation.timeline().savefig(goal)
        else:
            goal.write_text(self.picture(), "utf-8")
        return goal

    def __str__(self) -> str:
        return self.story

    def __repr__(self) -> str:
        return f"<failure of {self.subject.name}: {type(self.error).__name__}, {self.schedule or 'plain run'}>"

    def _repr_html_(self) -> str:
        drawn = self.picture() if self.simulation is not None else ""
        return f'<pre class="dosim-story" style="{_UNFOLDED}">{escape(self.story)}</pre>{drawn}'
