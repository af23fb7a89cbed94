"""Two answers to one case: recorded and live (both JavaScript), or live and dosim's (through dosim's own judges)."""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from dosim.testing.conformance.concurrency import judge, judged, play, run_concurrency_case
from dosim.testing.conformance.concurrency_compiler import compile_case
from dosim.testing.conformance.random_concurrency import jittered
from dosim.testing.conformance.results import FAILED, CaseResult
from dosim.testing.conformance.storage import NEWEST_RUNTIME, run_storage_case

Json = Any

#: A time of the real clock may be this late, and a recorded one was rounded to this (ms).
UNIT_MS = 100
#: A first retry of an alarm comes after this; each later one after twice the time (ms).
RETRY_MS = 2000
#: How many ways of moving its delays a program must survive to be compared on a real clock.
JITTERS = (1, 2)


def dosim_on(form: str, case: Json, live: Json) -> CaseResult:
    """dosim's answer judged by the live one; the verdict is `result.status`."""
    if form == "storage":
        with_live = {**case, "expect": banded(live), "variants": {}}
        with tempfile.TemporaryDirectory(prefix="dosim-live-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run_storage_case(with_live, Path(folder))[0]
    if "drawn" in case:  # only the order within each object is fixed
        compiled = compile_case(case, None)
        verdict = judge(case, compiled, by_object(live), by_object(play(compiled, None)))
        return judged(case, case["id"], compiled, verdict)
    return run_concurrency_case({**case, "expect": live, "versions": {}, "order_only": True})[0]


def by_object(answer: Json) -> Json:
    """An answer whose log is sorted by object; what happened at one object keeps its order."""
    return {**answer, "log": sorted(answer["log"], key=lambda entry: str(entry[1]))}


def differs(form: str, case: Json, live: Json) -> bool:
    """Whether dosim answers this case in another way than the live runtime did."""
    return dosim_on(form, case, live).status == FAILED


def banded(value: Json) -> Json:
    """Measured times as the bands that the judge reads, made as the recorder made them."""
    if isinstance(value, list):
        return [banded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "measured_ms" not in value:
        return {key: banded(item) for key, item in value.items()}
    ms = value["measured_ms"]
    if value["retry"]:
        base_ms = next(RETRY_MS * 2**k for k in range(10) if ms < RETRY_MS * 2**k * 1.6)
        return {"kind": "retry", "base_ms": base_ms, "ratio": [1.0, 1.3]}
    if ms <= 4 * UNIT_MS:
        return {"kind": "immediate", "max_ms": 5 * UNIT_MS}
    return {"kind": "scheduled", "base_ms": (ms + 20) // UNIT_MS * UNIT_MS, "ratio": [0.9, 1.4]}


def recorded_answer(form: str, case: Json) -> Json:
    """What the newest runtime answered when the case was recorded, at the case's own date."""
    if form == "storage":
        return case.get("variants", {}).get(NEWEST_RUNTIME, case["expect"])
    versions = {name: answer for name, answer in case.get("versions", {}).items() if "@" not in name}
    newest = max(versions, key=lambda name: [int(part) for part in name.split(".")], default=None)
    answer = versions.get(newest, "same")
    return case["expect"] if answer == "same" else answer


def same_as_recorded(form: str, case: Json, live: Json) -> bool:
    """Whether the live runtime answers as recorded, but for times within their bands."""
    recorded = recorded_answer(form, case)
    if form == "storage":
        return alike(recorded, live)
    return without_clock(recorded) == without_clock(live)


def alike(recorded: Json, live: Json) -> bool:
    """Equality, where a measured time has to lie inside its band."""
    if isinstance(live, dict) and "measured_ms" in live:
        if recorded["kind"] == "immediate":
            return live["measured_ms"] <= recorded["max_ms"]
        low, high = recorded["ratio"]
        return low <= live["measured_ms"] / recorded["base_ms"] <= high
    if isinstance(recorded, dict) and isinstance(live, dict):
        return recorded.keys() == live.keys() and all(alike(recorded[key], live[key]) for key in recorded)
    if isinstance(recorded, list) and isinstance(live, list):
        return len(recorded) == len(live) and all(map(alike, recorded, live))
    return recorded == live


def without_clock(answer: Json) -> Json:
    """A concurrency answer without its times and the random ends of internal errors."""
    return json.loads(re.sub(r"reference = [a-z0-9]+", "reference = *", json.dumps(order(answer))))


def steady(case: Json) -> bool:
    """Whether a random concurrency case is one for a real clock: a few milliseconds here or there change no order."""
    orders = [
        order(by_object(play(compile_case(moved, None), None)))
        for moved in (case, *(jittered(case, by) for by in JITTERS))
    ]
    return all(other == orders[0] for other in orders)


def order(answer: Json) -> Json:
    """An answer without its times."""
    return [[entry[1:] for entry in answer["log"]], [{**result, "t": None} for result in answer["results"]]]
