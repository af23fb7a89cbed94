"""
Replays recorded concurrency cases: compiles each into a Python Workers project, runs it, judges the answer.

The world of a case is `platform="workerd"` without network latency. A case is judged by the newest runtime's answer at
the case's own compatibility date, and again for every other date its `versions` name.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import cast

from dosim.testing.conformance.concurrency_compiler import Compiled, compile_case
from dosim.testing.conformance.concurrency_judge import Judge, Verdict
from dosim.testing.conformance.concurrency_masks import Json
from dosim.testing.conformance.results import ADAPTED, FAILED, NOT_APPLICABLE, PASSED, CaseResult

FORMAT = "concurrency"
DEFAULT_UNIT_MS = 100


def run_concurrency_case(case: dict[str, object], folder: Path | None = None) -> list[CaseResult]:
    """
    Run one case at each of its dates; one result for each, with the date in the id when it is not the case's own.

    `folder` is where the projects are written and left; without it they are temporary. Never raises for a case: an
    error of compiling or running is the result *failed*.
    """
    return [run_version(case, result_id, expected, date, folder) for result_id, expected, date in versions_of(case)]


def versions_of(case: dict[str, Json]) -> list[tuple[str, dict[str, Json], str | None]]:
    """(result id, expected answer, date or None for the case's own), newest runtime first for each date."""
    recorded = cast("dict[str, Json]", case["expect"])
    answers: dict[str | None, tuple[str, Json]] = {None: ("", "same")}
    for key, answer in cast("dict[str, Json]", case.get("versions") or {}).items():
        version, _, date = key.partition("@")
        known = answers.get(date or None)
        if known is None or version_key(version) > version_key(known[0]):
            answers[date or None] = (version, answer)
    name = str(case["id"])
    return [
        (f"{name}@{date}" if date else name, recorded if answer == "same" else cast("dict[str, Json]", answer), date)
        for date, (_, answer) in answers.items()
    ]


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def run_version(
    case: dict[str, Json], result_id: str, expected: dict[str, Json], date: str | None, folder: Path | None
) -> CaseResult:
    try:
        compiled = compile_case(case, date)
        if len(compiled.masks.step_reasons) == len(compiled.steps):
            got: dict[str, Json] = {"log": [], "results": [{} for _ in compiled.steps]}
        else:
            got = play(compiled, folder / result_id if folder else None)
        verdict = judge(case, compiled, expected, got)
    except Exception as error:
        return result_of(case, result_id, FAILED, (), where="run", got=f"{type(error).__name__}: {error}")
    return judged(case, result_id, compiled, verdict)


def judge(case: dict[str, Json], compiled: Compiled, expected: dict[str, Json], got: dict[str, Json]) -> Verdict:
    unit_ms = int(str(case.get("unit") or DEFAULT_UNIT_MS))
    verdict = Judge({**case, "steps": cast(Json, compiled.steps)}, unit_ms).judge(
        expected, got, compiled.masks.step_reasons
    )
    verdict.used |= compiled.rules
    return verdict


def judged(case: dict[str, Json], result_id: str, compiled: Compiled, verdict: Verdict) -> CaseResult:
    words = tuple(sorted(verdict.used | verdict.masked))
    if verdict.differs:
        return result_of(
            case, result_id, FAILED, words, where=verdict.where, expected=verdict.expected, got=verdict.got
        )
    if verdict.masked and not verdict.judged:
        return result_of(case, result_id, NOT_APPLICABLE, tuple(sorted(verdict.masked)), masked=verdict.masked_steps)
    status = ADAPTED if verdict.used or verdict.masked else PASSED
    return result_of(case, result_id, status, words, masked=verdict.masked_steps)


def result_of(
    case: dict[str, Json],
    result_id: str,
    status: str,
    words: tuple[str, ...],
    *,
    where: str = "",
    expected: Json = None,
    got: Json = None,
    masked: int = 0,
) -> CaseResult:
    return CaseResult(
        id=result_id,
        area=str(case.get("area", "")),
        tier=str(case.get("tier", "")),
        format=FORMAT,
        status=status,
        rule_or_reason=words,
        expected=expected,
        got=got,
        where=where,
        masked_steps=masked,
    )


def play(compiled: Compiled, folder: Path | None) -> dict[str, Json]:
    """Run a compiled case; returns its `{log, results}`."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return play_in(compiled, folder)
    with tempfile.TemporaryDirectory(prefix="dosim-case-") as temporary:
        return play_in(compiled, Path(temporary))


def play_in(compiled: Compiled, folder: Path) -> dict[str, Json]:
    from dosim.simulation import Simulation

    compiled.write(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = Simulation.from_project(
            folder, platform="workerd", network=None, seed=0, prevent_eviction=compiled.prevent_eviction
        )
        client = sim.client()
        story = client.fetch("http://case.example/")
        for index in compiled.own_steps:
            client.fetch(f"http://case.example/?own={index}")
        response = sim.run(story)
        return cast("dict[str, Json]", json.loads(sim.run(response.text())))
