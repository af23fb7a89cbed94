"""
The recorded cases and random programs, on the real runtime and on dosim, side by side: `make conformance-live`.

Exit 0: all agree. 1: a difference was printed, shrunk. 2: there is no node or npm here. See README.md beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from compare import differs, dosim_on, same_as_recorded, steady
from hypothesis import HealthCheck, Phase, given, seed, settings
from runtime import NoRuntime, Runtime, install

from dosim.testing.conformance.concurrency_laws import broken
from dosim.testing.conformance.random_concurrency import concurrency_cases, less
from dosim.testing.conformance.random_storage import storage_cases
from dosim.testing.conformance.reduction import shrunk
from dosim.testing.conformance.report import shown
from dosim.testing.conformance.storage_model import expectation

Json = Any
HERE = Path(__file__).parent
FORMATS = ("storage", "concurrency")
#: A difference is one when the case differs every time it is played again alone, this often.
AGAIN = 2
#: How often the runtime is asked while a difference is shrunk.
QUESTIONS = 150


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(description="Recorded cases and random programs on workerd and on dosim.")
    parser.add_argument("--random", type=int, default=50, metavar="N", help="random programs of each format")
    parser.add_argument("--seed", type=int, default=0, help="of the random programs")
    parser.add_argument("--jobs", type=int, default=3, help="cases under way at once on the runtime")
    parser.add_argument("--no-recorded", action="store_true", help="leave the recorded cases out")
    parser.add_argument("--format", choices=FORMATS, action="append", help="only this format")
    options = parser.parse_args(arguments)
    try:
        install()
    except NoRuntime as missing:
        print(f"conformance-live was not run: {missing}.", file=sys.stderr)
        return 2
    found = 0
    for form in options.format or FORMATS:
        if not options.no_recorded:
            paths = sorted((HERE.parent / form / "cases").glob("*.json")) + found_cases(form)
            found += compared(form, "recorded", [json.loads(path.read_text("utf-8")) for path in paths], options.jobs)
        if options.random > 0:
            found += compared(form, "random", drawn(form, options.random, options.seed), options.jobs)
    return 1 if found else 0


def found_cases(form: str) -> list[Path]:
    """What earlier runs of this script have found, recorded."""
    return sorted((HERE / "found" / form).glob("*.json"))


def drawn(form: str, number: int, number_of_seed: int) -> list[Json]:
    """The random cases of a seed: the same ones for the same version of Hypothesis."""
    cases: list[Json] = []
    strategy = storage_cases() if form == "storage" else concurrency_cases().filter(steady)

    @seed(number_of_seed)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(case: Json) -> None:
        cases.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the strategy's text is long
        take()
    return cases


def compared(form: str, kind: str, cases: list[Json], jobs: int) -> int:
    """Play the cases on both; print counts and every difference; the number of differences."""
    began = time.monotonic()
    answers: dict[int, Json] = {}
    with Runtime(jobs) as runtime:
        for at, answer in runtime.answers((form, case, None) for case in cases):
            answers[at] = answer
            progress(f"{form}, {kind}: {len(answers)} of {len(cases)} played")
    progress("")
    questions = QUESTIONS_OF[kind](form)
    differences = {name: noise_apart(form, cases, answers, asks) for name, asks in questions.items()}
    for name, (real, noise) in differences.items():
        agree = len(cases) - len(real)
        late = f" ({noise} only when played again alone: the real clock)" if noise else ""
        print(f"{form}, {kind}: {agree} of {len(cases)} cases: {name}{late}")
    print(f"{form}, {kind}: {time.monotonic() - began:.0f} s")
    for name, (real, _) in differences.items():
        for at in real:
            tell(form, kind, name, cases[at], questions[name])
    return sum(len(real) for real, _ in differences.values())


#: What the interpreters say of a program that uses what was cut away.
NO_PROGRAM = ("interp: ", "harness: ", "Cannot read properties of undefined")

#: What is asked of a live answer: True when something differs.
Asks = Callable[[Json, Json], bool]


def of_recorded(form: str) -> dict[str, Asks]:
    """The questions about a recorded case."""
    return {
        "the runtime answers as recorded": lambda case, live: not same_as_recorded(form, case, live),
        "dosim answers as the runtime": lambda case, live: differs(form, case, live),
    }


def of_random(form: str) -> dict[str, Asks]:
    """The questions about a random case."""
    rules: Asks = (lambda case, live: expectation(case) != live) if form == "storage" else breaks_a_law
    return {
        "the runtime keeps the recorded rules": rules,
        "dosim answers as the runtime": lambda case, live: differs(form, case, live),
    }


QUESTIONS_OF: dict[str, Callable[[str], dict[str, Asks]]] = {"recorded": of_recorded, "random": of_random}


def breaks_a_law(case: Json, live: Json) -> bool:
    """Whether the runtime's log breaks a law of order (times are of a real clock, and not asked about)."""
    return any(not law.startswith("nothing_is_early_or_late") for law in broken(case, live))


def noise_apart(form: str, cases: list[Json], answers: dict[int, Json], asks: Asks) -> tuple[list[int], int]:
    """The cases that differ each time they are played, and how many differed the first time only."""
    suspects = [at for at, case in enumerate(cases) if asks(case, answers[at])]
    if not suspects:
        return [], 0
    with Runtime() as runtime:
        real = [at for at in suspects if all(asks(cases[at], runtime.answer(form, cases[at])) for _ in range(AGAIN))]
    return real, len(suspects) - len(real)


def tell(form: str, kind: str, name: str, case: Json, asks: Asks) -> None:
    """Print one difference; a random case is shrunk first."""
    print(f"\nNot so: {name}. {form} case {case['id']}")
    with Runtime() as runtime:
        if kind == "random":
            candidates = less if form == "concurrency" else None
            case = shrunk(case, lambda smaller: differs_still(runtime, form, smaller, asks), QUESTIONS, candidates)
        live = runtime.answer(form, case)
    print("  steps:  ", json.dumps(case["steps"], ensure_ascii=False))
    print("  runtime:", shown(live))
    verdict = dosim_on(form, case, live)
    print(f"  dosim:   {verdict.status} {verdict.where}", shown(verdict.got))


def differs_still(runtime: Runtime, form: str, case: Json, asks: Asks) -> bool:
    """Whether a smaller case differs too; one that is no program any more does not count."""
    try:
        live = runtime.answer(form, case)
        return not any(words in json.dumps(live) for words in NO_PROGRAM) and asks(case, live)
    except (RuntimeError, KeyError, IndexError, TypeError, ValueError):
        return False


def progress(text: str) -> None:
    """A line that the next one overwrites, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
