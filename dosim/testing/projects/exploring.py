"""`explore_project`: made-up programs on a project until a rule breaks; the program is shrunk, then the schedule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import Any, Final

from dosim.kernel.chooser import PLAIN, Chooser
from dosim.kernel.choosing import Endless
from dosim.project import ProjectError, read_config
from dosim.testing.exploring import RUNS, _check, explore
from dosim.testing.failures import Failure
from dosim.testing.points import Progress
from dosim.testing.projects.alarms import AlarmTwice, Idle
from dosim.testing.projects.driving import MOST_EVENTS
from dosim.testing.projects.generating import programs
from dosim.testing.projects.orders import Serial
from dosim.testing.projects.programs import BadProgram, Program
from dosim.testing.projects.rules import Rule, Sendable, Survives
from dosim.testing.projects.shrinking import shrunk
from dosim.testing.projects.sources import Sources
from dosim.testing.projects.survey import Survey
from dosim.testing.subjects import BadTest, Outcome, Subject, checked_faults
from dosim.testing.tokens import BadToken
from dosim.trace.words import counted, cut

RULES: Final[dict[str, type[Rule]]] = {rule.word: rule for rule in (Serial, Survives, AlarmTwice, Idle, Sendable)}

#: Schedules that a program is tried with, and those that a smaller program gets to break in.
SCHEDULES: Final = 16
_SHRINK_SCHEDULES: Final = 40
#: So few that every single deviation cannot come first: "mixed" would look at a program's beginning alone.
_FEW: Final = {"mixed": "random"}
#: Stories that are told whole; loops that cost little, and are said.
_TOLD: Final = 3


@dataclass
class ProjectExploration:
    """What was tried on a project and what was found. True in a condition if nothing was."""

    name: str
    strategy: str
    seed: int
    #: Programs that were tried, and runs of them; shrinking comes on top.
    programs: int = 0
    runs: int = 0
    #: The failures, each of another rule or other objects.
    failures: list[Failure] = field(default_factory=list)
    #: What was explored: calls and requests, as first tried.
    operations: list[str] = field(default_factory=list)
    #: What was not, and why; what else there is to say.
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: Why it ended: "runs", "seconds", "nothing to do".
    ended: str = ""

    def __bool__(self) -> bool:
        return not self.failures

    @property
    def failure(self) -> Failure | None:
        """The first of them."""
        return self.failures[0] if self.failures else None

    def check(self) -> None:
        """Raise the first thing that was found, with its story as a note; nothing if nothing was."""
        if self.failures:
            raise self.failures[0].told_error()

    @property
    def text(self) -> str:
        """Stories of what was found; what was tried; what was left out."""
        tried = (
            f"{counted(self.programs, 'program')} in {counted(self.runs, 'run')} ({self.strategy}, seed {self.seed})"
        )
        parts = [f"{failure.story}\n" for failure in self.failures[:_TOLD]]
        parts += [f"also: {failure.error}\n{_replay(failure)}\n" for failure in self.failures[_TOLD:]]
        summary = counted(len(self.failures), "finding") if self.failures else "nothing was found"
        parts.append(f"{self.name}: {summary}; {tried}.")
        parts += _list("explored", self.operations) + _list("left out", self.left_out) + _list("note", self.notes)
        return "\n".join(parts)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        summary = counted(len(self.failures), "finding") if self.failures else "nothing found"
        return f"<exploration of {self.name}: {counted(self.programs, 'program')}, {summary}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"


def _list(head: str, lines: Sequence[str]) -> list[str]:
    return [f"{head}: {line}" for line in lines]


def _replay(failure: Failure) -> str:
    return failure.story.splitlines()[-2]


def explore_project(
    folder: str | Path,
    *,
    runs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    strategy: str = "mixed",
    faults: Any = (),
    progress: Progress | None = None,
) -> ProjectExploration:
    """Explore a Python Workers project as it is, without any test.

    What can be called is inferred: methods of its Durable Objects, paths of its Worker, WebSockets. Made-up programs of
    two to six operations are run, and must not break what holds of any project: answers survive that idle objects leave
    memory and that the process restarts; operations that overlap have the effect of some order of them, and throw what
    they throw in some order; an alarm that runs twice leaves what it leaves when it runs once; no object goes on waking
    only itself at a price. The world outside answers every request with status 200 and `{}` after 100 ms.

    folder: with a wrangler configuration. runs, seconds: the budget (1,000 runs unless one is given; `seconds` of real
    time). seed: of the programs and schedules. strategy: of the schedules, as in `explore`; "mixed" is "random" here,
    where a program has few. faults: the kinds that may come beside idle objects leaving memory, by default none; an
    operation that fails because of one may have happened or not. progress: told of runs.

    Raises ProjectError for a folder that cannot be run or has nothing to explore; ValueError or TypeError that name the
    argument.
    """
    began = time.monotonic()
    _check(runs, seconds, strategy, seed, MOST_EVENTS)
    place = _folder(folder)
    kinds = checked_faults(faults)
    survey = Survey.of(place)
    if not survey.offers and not survey.not_sendable:
        reasons = "; ".join(survey.left_out)
        raise ProjectError(
            f"{place.name} has Durable Objects, and nothing that dosim could call by itself: {reasons}. Write a test"
            " that calls them, and explore that: dosim explore PATH::test."
        )
    exploration = ProjectExploration(place.name, strategy, seed, left_out=survey.left_out)
    exploration.operations = [str(offer.first()) for offer in survey.offers]
    limit = runs if runs is not None else (None if seconds is not None else RUNS)
    ends = None if seconds is None else began + seconds
    Explorer(survey, exploration, kinds, progress).explore(limit, ends)
    return exploration


def _folder(folder: str | Path) -> Path:
    if not isinstance(folder, (str, Path)):
        raise TypeError(f"folder={folder!r} is no folder: give its path.")
    place = Path(folder)
    if not place.is_dir():
        raise ProjectError(f"there is no folder {str(folder)!r}: give the one that holds wrangler.jsonc.")
    return place.resolve()


class Explorer:
    """Tries programs; `found` holds the rules and objects that are known to break."""

    def __init__(
        self,
        survey: Survey,
        exploration: ProjectExploration,
        faults: Sequence[str],
        progress: Progress | None,
    ) -> None:
        self._survey = survey
        self._exploration = exploration
        self._faults = tuple(faults)
        self._progress = progress
        self._found: set[tuple[str, tuple[str, ...]]] = set()
        self._loops: set[str] = set()
        self._limit: int | None = None

    def explore(self, limit: int | None, ends: float | None) -> None:
        """Try programs up to so many runs, or until `time.monotonic()` says so; one at least."""
        exploration, self._limit = self._exploration, limit
        exploration.ended = "nothing to do"
        idle = 0
        for word, program in programs(self._survey, exploration.seed):
            if self._is_known(word, program):
                idle += 1
                if idle > 1_000:
                    return  # everything there is to break is known to break
                continue
            idle = 0
            exploration.programs += 1
            self._try(word, program)
            if limit is not None and exploration.runs >= limit:
                exploration.ended = "runs"
                return
            if ends is not None and time.monotonic() > ends:
                exploration.ended = "seconds"
                return

    def _reaches(self, program: Program) -> tuple[str, ...]:
        """The classes of a program's objects."""
        shapes = {(offer.binding, offer.verb): offer.reaches for offer in self._survey.offers}
        classes = {
            self._survey.classes[operation.binding]: None
            for operation in program.operations
            if operation.binding in self._survey.classes
        }
        if not classes:
            for operation in program.operations:
                classes |= dict.fromkeys(shapes.get((operation.binding, operation.verb), ()))
        return tuple(sorted(classes))

    def _is_known(self, word: str, program: Program) -> bool:
        reaches = set(self._reaches(program))
        return any(word == known and reaches & set(classes) for known, classes in self._found)

    def _try(self, word: str, program: Program) -> None:
        failure = self._broken(word, program, SCHEDULES)
        if failure is None:
            if word == "idle":
                self._say_loop(program)
            return
        name = failure.outcome.signature[0]

        def breaks(smaller: Program) -> bool:
            if smaller.together is None and program.together is not None:
                return False
            again = self._broken(word, smaller, _SHRINK_SCHEDULES, counts=False)
            return again is not None and again.outcome.signature[0] == name

        best, _ = shrunk(program, breaks)
        final = self._broken(word, best, _SHRINK_SCHEDULES, counts=False, shrink=True) or failure
        final.found_after = self._exploration.runs
        self._found.add((word, self._reaches(best)))
        self._exploration.failures.append(final)

    def _broken(
        self, word: str, program: Program, schedules: int, *, counts: bool = True, shrink: bool = False
    ) -> Failure | None:
        """How a program breaks its rule, if it does under one of so many schedules."""
        exploration = self._exploration
        subject = subject_of(self._survey.folder, word, program, faults=self._faults, survey=self._survey)
        try:
            if word != "serial":
                outcome = subject.run(Chooser(most_events=MOST_EVENTS))
                taken, failure = 1, self._failure(subject, outcome)
                if isinstance(outcome.error, Endless):
                    self._endless(word, program)
            else:
                left = schedules
                if counts and self._limit is not None:
                    left = max(1, min(schedules, self._limit - exploration.runs))
                explored = explore(
                    subject,
                    runs=left,
                    strategy=_FEW.get(exploration.strategy, exploration.strategy),
                    seed=_seed_of(exploration.seed, program),
                    shrink=shrink,
                    most_events=MOST_EVENTS,
                )
                taken, failure = max(1, explored.runs), explored.failure
        except BadTest as error:
            taken, failure = 1, None
            if isinstance(error.__cause__, Endless):
                self._endless(word, program)
            else:
                self._note(f"{program} cannot be explored: {cut(str(error), 200)}")
        if counts:
            exploration.runs += taken
            if self._progress is not None:
                self._progress.update(taken)
        return failure

    def _endless(self, word: str, program: Program) -> None:
        """Objects that are never at rest cannot be watched under this rule: say so, once, and go on with others."""
        self._found.add((word, self._reaches(program)))
        self._note(
            f"{program} makes more than {MOST_EVENTS} events, so {', '.join(self._reaches(program)) or 'the Worker'} is"
            f" not explored under this rule: {RULES[word].says}"
        )

    def _failure(self, subject: Subject, outcome: Outcome) -> Failure | None:
        """What came of a plain run, when it comes again."""
        if outcome.error is None or not hasattr(outcome.error, "invariant"):
            return None
        again = subject.run(Chooser(most_events=MOST_EVENTS))
        if again.signature != outcome.signature or str(again.error) != str(outcome.error):
            raise BadTest(f"the same program led to two different runs ({outcome.error}; {again.error})")
        return Failure(subject, again, first=PLAIN)

    def _say_loop(self, program: Program) -> None:
        rule = Idle(self._survey.folder, program, self._survey.class_names)
        said = rule.cheap_loop()
        label = said.partition("(")[0]
        if said and label not in self._loops:
            self._loops.add(label)
            self._note(f"{said}.")

    def _note(self, text: str) -> None:
        if text not in self._exploration.notes:
            self._exploration.notes.append(text)


def _seed_of(seed: int, program: Program) -> int:
    """Every program has schedules of its own."""
    return int.from_bytes(blake2b(f"{seed} {program}".encode(), digest_size=6).digest(), "big")


# -- subjects


class ProjectCode:
    """Stands for a project's source in a token."""

    def __init__(self, digest: str) -> None:
        self.__qualname__ = f"project {digest}"


def subject_of(
    folder: Path, word: str, program: Program, *, faults: Sequence[str] = (), survey: Survey | None = None
) -> Subject:
    """A program under a rule, as something that `explore` and tokens know. Raises ProjectError as `read_config`."""
    if survey is not None:
        classes, digest = survey.class_names, survey.sources.digest
    else:
        config = read_config(folder)
        classes = tuple(dict.fromkeys(binding.class_name for binding in config.durable_objects))
        digest = Sources.of(config).digest
    rule = RULES[word](folder, program, classes)
    return Subject(
        rule,
        name=f"{folder.name}: {program}",
        reference=f"{_shown(folder)}::{word}: {program}",
        faults=faults,
        code=ProjectCode(digest),
    )


def subject_at(place: str, name: str) -> Subject:
    """The subject of a reference to a project, FOLDER::RULE: PROGRAM. Raises BadToken that says what is wrong."""
    word, colon, text = name.partition(":")
    if not colon or word not in RULES:
        raise BadToken(f"{name!r} names no rule of a project: write FOLDER::RULE: PROGRAM, with {', '.join(RULES)}.")
    try:
        return subject_of(Path(place).resolve(), word, Program.parse(text))
    except (BadProgram, ProjectError) as error:
        raise BadToken(f"{place}::{name} cannot be run: {error}") from error


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return (folder.relative_to(here) if folder.is_relative_to(here) and folder != here else folder).as_posix()
