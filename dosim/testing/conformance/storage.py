"""
Runs one recorded storage case: compile, play in dosim, judge.

The world is the local runtime's: `platform="workerd"`, no network latency, no cold start. A `restart` in the story
cuts it into segments; the simulation is restarted between them and the start time is carried over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from dosim.testing.conformance.results import ADAPTED, FAILED, NOT_APPLICABLE, PASSED, CaseResult
from dosim.testing.conformance.storage_arguments import Json
from dosim.testing.conformance.storage_judge import Judge
from dosim.testing.conformance.storage_program import Program, compile_case

#: The runtime whose answer is judged where a case gives several.
NEWEST_RUNTIME = "workerd 2026-11-17"

#: Plays a program: its project folder and its number of segments, to the answers by step.
Player = Callable[[Path, int], dict[int, Json]]


def run_storage_case(case: Json, folder: Path) -> list[CaseResult]:
    """Judge one case; `folder` is an empty folder for the compiled project. Errors of dosim are failures."""
    program = compile_case(case)
    write_project(program, folder)
    try:
        answers = play(folder, program.segments)
    except Exception as error:  # whatever stops the simulation is this case's failure, not the runner's
        return [result(case, FAILED, (), "an answer", f"{type(error).__name__}: {error}", "the simulation")]
    return [judged(case, program, answers)]


def write_project(program: Program, folder: Path) -> None:
    """Write `src/entry.py` and `wrangler.jsonc`."""
    source = folder / "src" / "entry.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(program.source, encoding="ascii")
    (folder / "wrangler.jsonc").write_text(json.dumps(program.config, indent=2), encoding="ascii")


def play(folder: Path, segments: int) -> dict[int, Json]:
    """Run the story segment by segment and give the answers by step number."""
    from dosim.simulation import Simulation

    sim = Simulation.from_project(folder, platform="workerd", network=None, seed=0)
    answers: dict[int, Json] = {}
    start = ""
    for segment in range(segments):
        if segment:
            sim.restart()
        response = sim.run(sim.client().fetch(f"http://case.example/?segment={segment}{start}"))
        text = sim.run(response.text())
        if response.status != 200:
            raise RuntimeError(f"segment {segment} answered {response.status}: {text[-600:]}")
        played = json.loads(text)
        start = f"&t0={played['t0']}"
        answers.update({int(at): answer for at, answer in played["answers"].items()})
    return answers


def judged(case: Json, program: Program, answers: dict[int, Json]) -> CaseResult:
    """Compare with the newest runtime's answer."""
    expected = case.get("variants", {}).get(NEWEST_RUNTIME, case["expect"])
    judge = Judge(program)
    judge.story(program.steps, expected, answers)
    used = tuple(sorted((rule.id for rule in judge.used), key=rule_order))
    lost = tuple(sorted((rule.id for rule in judge.lost), key=rule_order))
    if judge.difference is not None:
        at = judge.difference
        return result(case, FAILED, used + lost, at.expected, at.got, at.where, judge.masked)
    if judge.masked * 2 > judge.informative:
        return result(case, NOT_APPLICABLE, lost, masked=judge.masked)
    return result(case, ADAPTED if used or lost else PASSED, used + lost, masked=judge.masked)


def rule_order(name: str) -> tuple[str, int]:
    """Sort key: letters, then the number."""
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def result(
    case: Json,
    status: str,
    rules_used: tuple[str, ...],
    expected: Json = None,
    got: Json = None,
    where: str = "",
    masked: int = 0,
) -> CaseResult:
    """A result row of this case."""
    return CaseResult(
        case["id"], case["area"], case["tier"], "storage", status, rules_used, expected, got, where, masked
    )
