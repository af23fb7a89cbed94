"""Rules that hold of any project, whatever it is for: each is a program, run in two ways that must answer the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from dosim.simulation import Simulation
from dosim.testing.invariants.violations import InvariantViolated
from dosim.testing.projects.driving import OTHER_WAYS, PLAIN_WAY, Run, Way, aside, drive
from dosim.testing.projects.masks import MASK, canonical, differences
from dosim.testing.projects.masks import Path as MaskPath
from dosim.testing.projects.programs import RESTART, Operation, Program
from dosim.trace.words import cut

#: Letters of an answer that a story shows.
_SHOWN: Final = 160


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a run has told: where, of which kind, and what."""

    key: tuple[int, int]
    shape: str
    told: Any


class Rule:
    """A rule about one program of a project: call it, and it runs the program, and raises InvariantViolated."""

    #: As it stands in a reference, and what it says.
    word: ClassVar[str]
    says: ClassVar[str]

    def __init__(self, folder: Path, program: Program, classes: tuple[str, ...]) -> None:
        self.folder = folder
        self.program = program
        self.classes = classes
        self._known: dict[Way, Run] = {}

    def __call__(self) -> None:
        raise NotImplementedError

    def _aside(self, way: Way = PLAIN_WAY) -> Run:
        """Another run of the program, which is no part of what is explored."""
        if way not in self._known:
            with aside(way.schedule):
                self._known[way] = run = drive(self.folder, self.program, way)
            del run.simulation
        return self._known[way]

    def _parts(self, run: Run) -> Iterator[Part]:
        """Everything that a run has told, in order."""
        for place, step in enumerate(self.program.steps):
            for number, operation in enumerate(step):
                if (place, number) in run.answers:
                    yield Part((place, number), operation.shape, run.answers[place, number])
            yield Part((place, -1), "frames", run.frames.get(place, []))

    def _varying(self, *families: list[Run]) -> frozenset[MaskPath]:
        """What differs between runs of which each is like the first of its family."""
        found: set[MaskPath] = set()
        for first, *others in families:
            for other in others:
                theirs = {part.key: part for part in self._parts(other)}
                for part in self._parts(first):
                    if part.key in theirs:
                        found |= differences(part.told, theirs[part.key].told, (part.shape,))
        return frozenset(found)

    def _broken(self, simulation: Simulation, invariant: str, story: str, request: int = 0) -> InvariantViolated:
        """The error to raise: what the rule says, and what was seen. A failure adds how to replay it."""
        return InvariantViolated(invariant, f"{self.says} But {story}", at_us=simulation.now.us, request=request)

    def _text(self, key: tuple[int, int]) -> str:
        step = self.program.steps[key[0]]
        return str(step[key[1]]) if key[1] >= 0 else f"what sockets get after {step[0]}"


class Survives(Rule):
    """Idle objects may leave memory, and the process may be started anew: nobody may be able to tell."""

    word = "survives"
    says = "An object that was idle may have left memory: what it answers does not depend on that."

    def __call__(self) -> None:
        observed = drive(self.folder, self.program)
        staying = Way(remember=self.classes)
        expected = self._aside(staying)
        if self._differing(expected, observed, frozenset()) is None and not new_accident(observed, [expected]):
            return
        families = [
            [expected, *(self._aside(staying.on_day_of(other)) for other in OTHER_WAYS)],
            [observed, *(self._aside(other) for other in OTHER_WAYS)],
        ]
        masks = self._varying(*families)
        unexpected = new_accident(observed, families[0])
        different = self._differing(expected, observed, masks)
        if different is not None:
            raise self._violated(observed, expected, *different)
        if unexpected:
            story = f"{unexpected} is thrown when the objects have left memory, and not when they stay in it."
            raise self._broken(observed.simulation, "survives_eviction", story, observed.accidents[unexpected])

    def _differing(self, expected: Run, observed: Run, masks: frozenset[MaskPath]) -> tuple[Part, Part] | None:
        for one, other in zip(self._parts(expected), self._parts(observed), strict=True):
            if canonical(one.told, masks, (one.shape,)) != canonical(other.told, masks, (other.shape,)):
                return one, other
        return None

    def _violated(self, observed: Run, expected: Run, stays: Part, leaves: Part) -> InvariantViolated:
        pauses = [place for place in expected.memory if place < stays.key[0]]
        memory = expected.memory[pauses[-1]] if pauses else {}
        had = [
            f"{label} had {', '.join(f'{name}={cut(repr(value), 60)}' for name, value in known.items())}"
            for label, known in memory.items()
            if known
        ]
        pause = self.program.steps[pauses[-1]][0] if pauses else None
        what = "their attributes" + (" and the modules' globals" if pause == Operation(RESTART) else "")
        story = (
            f"in {pause or 'a pause'} idle objects left memory, and afterwards {self._text(leaves.key)} →"
            f" {shown(leaves.told)}. Had they stayed in memory: {shown(stays.told)}. What is lost then is {what}"
            + (f": {'; '.join(had[:3])}. What of this is not in storage is gone." if had else ".")
        )
        return self._broken(observed.simulation, "survives_eviction", story)


class Sendable(Rule):
    """What a method answers others can be sent to them."""

    word = "sendable"
    says = "What a method answers can be sent to whoever calls it."

    def __call__(self) -> None:
        run = drive(self.folder, self.program)
        for text, request in run.accidents.items():
            if text.startswith("DataCloneError"):
                story = f"{self.program} has an answer that cannot be sent: {cut(text, 300)}"
                raise self._broken(run.simulation, "answer_can_be_sent", story, request)


def shown(answer: Any) -> str:
    """An answer for people."""
    if isinstance(answer, dict) and set(answer) == {"answer"}:
        return cut(repr(answer["answer"]), _SHOWN)
    if isinstance(answer, dict) and set(answer) == {"raised"}:
        return f"the error {cut(str(answer['raised']), _SHOWN).rstrip('.')}"
    if isinstance(answer, dict) and set(answer) == {"status", "body"}:
        body = answer["body"]
        said = json.dumps(body, ensure_ascii=False) if not isinstance(body, str) else repr(body)
        return f"status {answer['status']}, {cut(said, _SHOWN)}" if answer["status"] != 200 else cut(said, _SHOWN)
    if isinstance(answer, dict) and set(answer) == {"status"}:
        return f"status {answer['status']}"
    if isinstance(answer, list):  # frames
        return "; ".join(f"to {who}: {cut(repr(message), _SHOWN)}" for who, message in answer) or "nothing"
    return cut(repr(answer), _SHOWN)


def new_accident(observed: Run, others: Iterable[Run]) -> str:
    """An error that was thrown here and, whatever its numbers and ids, in none of the others; "" for none."""
    known = {_kind(text) for run in others for text in run.accidents}
    return next((text for text in observed.accidents if _kind(text) not in known), "")


def _kind(text: str) -> str:
    return re.sub(r"\d+", MASK, str(canonical(text, frozenset())))
