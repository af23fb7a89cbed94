"""`dosim explore` and `dosim replay`: look for what breaks a test, or a project without one; see it again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.cli.arguments import Refused, check_writable, positive, whole

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from dosim.testing.exploring import Exploration
    from dosim.testing.failures import Failure

_WHAT = "PATH::test, a .py file with tests, or a project's folder"


def add_explore(commands: Any) -> None:
    """The two commands."""
    found = commands.add_parser(
        "explore",
        help="look for the order, delay, fault or eviction that breaks a test or a project",
        description="Run a test under many schedules until one breaks it; print the shortest story and a token. A"
        " project's folder needs no test. Exit code 1: something broke; 0: nothing did within the budget; 2: an"
        " argument or a test that cannot be.",
    )
    found.add_argument("target", metavar="TARGET", help=_WHAT)
    found.add_argument("--runs", type=positive, metavar="N", help="the budget in runs (default 1000)")
    found.add_argument("--seconds", type=_seconds, metavar="S", help="the budget in seconds of real time")
    found.add_argument("--seed", type=whole, default=0, metavar="N", help="of the search (default 0)")
    strategies = ("mixed", "random", "exhaustive", "pct")
    found.add_argument("--strategy", choices=strategies, default="mixed", help="how it searches (default mixed)")
    found.add_argument("--faults", metavar="NAMES", help="faults that may come: evict,crash,… or all")
    found.add_argument("--orders", metavar="NAMES", help="orders that are open: event,waiter,delay,retry,ready or all")
    found.add_argument("--jobs", type=positive, default=1, metavar="N", help="processes (default 1); same result")
    _add_looks(found)
    found.set_defaults(command=_explore)

    again = commands.add_parser(
        "replay",
        help="run again what a token names",
        description="Run the test of a token with its schedule. Exit code 1: it breaks as it did; 0: it does not any"
        " more; 2: a token that cannot be.",
    )
    again.add_argument("token", metavar="TOKEN", help="what a failure printed: PATH::test@dosim=…")
    _add_looks(again)
    again.set_defaults(command=_replay)


def _add_looks(parser: Any) -> None:
    words = "walk from the last schedule that passes to the one that fails"
    parser.add_argument("--history", action="store_true", help=words)
    parser.add_argument("--picture", metavar="FILE", help="draw the failing run: FILE.svg or FILE.png")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write seconds, such as 20")
    return seconds


@contextmanager
def _refusals() -> Iterator[None]:
    """What a test or a token cannot be is refused, in one paragraph."""
    from dosim.project import ProjectError
    from dosim.testing.subjects import BadTest

    try:
        yield
    except (BadTest, ProjectError, ValueError, TypeError) as error:  # BadToken is a ValueError
        raise Refused(str(error)) from None


# -- dosim explore


def _explore(options: argparse.Namespace) -> int:
    check_writable(options.picture, "--picture")
    target = Path(options.target)
    with _refusals():
        if "::" not in options.target and target.is_dir():
            return _explore_project(options)
        broken = 0
        for reference in _references(options.target):
            broken |= _told(_explored(reference, options), options)
        return broken


def _references(target: str) -> list[str]:
    """The tests that a target names: one, or each of a file."""
    from dosim.testing.tokens import module_at, tests_in

    if "::" in target:
        return [target]
    if not target.endswith(".py"):
        raise Refused(f"{target} is nothing to explore: give {_WHAT}.")
    names = tests_in(module_at(target))
    if not names:
        raise Refused(f"{target} has no test: decorate one with @simulated, or name a function, {target}::function.")
    return [f"{target}::{name}" for name in names]


def _explored(reference: str, options: argparse.Namespace) -> Exploration:
    from dosim.testing.exploring import RUNS, explore
    from dosim.testing.progress import progress_bar
    from dosim.testing.tokens import subject_at

    subject = subject_at(reference)
    runs = options.runs or (None if options.seconds else RUNS)
    with _executor(options.jobs) as executor, progress_bar(subject.name, runs, "run") as bar:
        return explore(
            subject,
            runs=runs,
            seconds=options.seconds,
            strategy=options.strategy,
            seed=options.seed,
            faults=options.faults,
            orders=options.orders,
            executor=executor,
            progress=bar,
        )


@contextmanager
def _executor(jobs: int) -> Iterator[Executor | None]:
    if jobs == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        yield executor


def _explore_project(options: argparse.Namespace) -> int:
    from dosim.testing.progress import progress_bar
    from dosim.testing.projects import explore_project

    with progress_bar(options.target, options.runs, "run") as bar:
        exploration = explore_project(
            options.target,
            runs=options.runs,
            seconds=options.seconds,
            seed=options.seed,
            strategy=options.strategy,
            faults=options.faults,
            progress=bar,
        )
    return _told(exploration, options)


def _told(exploration: Any, options: argparse.Namespace) -> int:
    print(exploration)
    if exploration.failure is None:
        return 0
    _look(exploration.failure, options)
    return 1


def _look(failure: Failure, options: argparse.Namespace) -> None:
    if options.history:
        print(f"\n{failure.history()}")
    if options.picture:
        try:
            failure.save_picture(options.picture)
        except OSError as error:
            raise Refused(f"--picture {options.picture!r} cannot be written ({error.strerror}).") from None
        print(f"{options.picture} written", file=sys.stderr)


# -- dosim replay


def _replay(options: argparse.Namespace) -> int:
    from dosim.kernel.chooser import Chooser
    from dosim.testing.failures import Failure
    from dosim.testing.tokens import Token

    check_writable(options.picture, "--picture")
    with _refusals():
        token = Token.parse(options.token)
        subject = token.subject()
        outcome = subject.run(Chooser(token.schedule))
        if outcome.error is None:
            left = len(token.schedule) - len(outcome.schedule)
            came = f" {left} of its decisions did not come." if left else ""
            print(f"{subject.name} does not break any more with {token.schedule or 'the plain schedule'}.{came}")
            return 0
        failure = Failure(subject, outcome, first=outcome.schedule)
        print(failure)
        _look(failure, options)
    return 1
