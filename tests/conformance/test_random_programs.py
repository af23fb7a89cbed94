"""Random programs of the case languages: dosim against the recorded rules, and the rules against planted faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from dosim.runtime.calls import Event
from dosim.runtime.gates import CriticalSection, InputGate
from dosim.runtime.transaction import Transaction
from dosim.storage.engine import Storage
from dosim.testing.conformance.concurrency import play
from dosim.testing.conformance.concurrency_compiler import compile_case
from dosim.testing.conformance.concurrency_laws import LAWS, broken
from dosim.testing.conformance.random_concurrency import BEAT_MS, JITTER_MS, concurrency_cases, jittered, less, written
from dosim.testing.conformance.random_storage import storage_cases
from dosim.testing.conformance.reduction import shrunk
from dosim.testing.conformance.results import FAILED, CaseResult
from dosim.testing.conformance.runner import find_cases, run_item
from dosim.testing.conformance.storage import run_storage_case
from dosim.testing.conformance.storage_model import expectation

Json = Any
FOUND = Path(__file__).parent / "live" / "found"


def budget(examples: int, *phases: Phase) -> settings:
    """So many programs, the same ones every time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=phases or (Phase.generate, Phase.shrink),
    )


def storage_verdict(case: Json) -> CaseResult:
    """dosim's answer to a storage case, judged by the model of the rules."""
    with tempfile.TemporaryDirectory(prefix="dosim-case-") as folder:
        return run_storage_case({**case, "expect": expectation(case)}, Path(folder))[0]


def check_storage(case: Json) -> None:
    """AssertionError with the program when dosim and the rules differ."""
    verdict = storage_verdict(case)

    assert FAILED != verdict.status, f"{case['steps']}\n{verdict.where}\nrules: {verdict.expected}\ngot: {verdict.got}"


def check_concurrency(case: Json) -> None:
    """AssertionError with the program when dosim's log breaks a rule."""
    assert [] == broken(case, answer_of(case)), case["steps"]


def answer_of(case: Json) -> Json:
    """dosim's log and results."""
    return play(compile_case(case, None), None)


@budget(100)
@given(storage_cases())
def test_storage_is_as_the_rules_have_it(case: Json) -> None:
    """Random programs of KV, SQL, transactions, resets and alarms answer as the model of the rules."""
    check_storage(case)


@budget(100)
@given(concurrency_cases())
def test_concurrency_keeps_the_rules(case: Json) -> None:
    """The logs of random programs of several requests break no rule about gates, sections, resets and storage."""
    check_concurrency(case)


@pytest.mark.slow
@budget(1200)
@given(storage_cases())
def test_storage_is_as_the_rules_have_it_many_times(case: Json) -> None:
    """The same of many programs."""
    check_storage(case)


@pytest.mark.slow
@budget(600)
@given(concurrency_cases())
def test_concurrency_keeps_the_rules_many_times(case: Json) -> None:
    """The same of many programs."""
    check_concurrency(case)


# ---------------------------------------------------------------- what the live arm has found


@pytest.mark.parametrize("path", sorted(FOUND.rglob("*.json")), ids=lambda path: path.stem)
def test_what_was_found_on_the_real_runtime_stays_mended(path: Path) -> None:
    """Programs on which dosim once differed from workerd answer as workerd did."""
    (item,) = find_cases([path])
    result = run_item(item)

    assert FAILED != result.status, f"{result.where}: {result.got}"


# ---------------------------------------------------------------- planted faults


def smallest_storage() -> Json:
    """The smallest storage program found on which dosim differs from the rules; None when none was found."""
    return smallest(storage_cases(), lambda case: storage_verdict(case).status == FAILED)


def smallest(strategy: Any, differs: Any) -> Json:
    """What Hypothesis shrinks a differing case to."""
    last: list[Json] = []

    @budget(300)
    @given(strategy)
    def search(case: Json) -> None:
        if differs(case):
            last.append(case)
            raise AssertionError

    with pytest.raises(AssertionError):
        search()
    return last[-1]


def test_a_rollback_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a failed transaction keeps its writes, one transaction with one write is printed."""
    monkeypatch.setattr(Transaction, "_undo", lambda self: setattr(self, "_state", "rolled back"))

    (event, *_) = smallest_storage()["steps"]
    (transaction,) = event["body"]

    assert "tx.async" == transaction["op"]
    assert 1 == len(transaction["body"]) or transaction["end"] is None


@pytest.mark.slow
def test_a_reset_that_loses_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reset commits the open turn, a write before an abort is printed."""
    monkeypatch.setattr(Storage, "rollback", Storage.commit)

    (event, *_) = smallest_storage()["steps"]

    assert 2 >= len(event["body"])


@pytest.mark.slow
def test_sections_that_run_in_the_wrong_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the newest section starts first, a program of two or three requests is printed."""
    monkeypatch.setattr(InputGate, "add_section", last_first)

    case = smallest(concurrency_cases(), lambda case: bool(breaks(case)))

    assert 3 >= len(case["drawn"])


def test_a_section_that_holds_nobody_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an object's lock does not last as long as its section, a program of two requests is printed."""
    monkeypatch.setattr(InputGate, "deliver", always_delivered)

    case = smallest(concurrency_cases(), lambda case: bool(breaks(case)))

    assert 2 == len(case["drawn"])


def always_delivered(gate: InputGate, event: Event) -> None:
    """`InputGate.deliver`, wrong: nobody waits."""
    if gate.instance.broken is not None:
        gate.instance.bury(event)
        return
    event.ready_us = gate.instance.loop.now_us
    gate.live().locked = True
    gate.instance.begin_turn(gate.live(), event)


def breaks(case: Json) -> list[str]:
    """The laws that a case breaks; a simulation that stops altogether breaks them too."""
    try:
        return broken(case, answer_of(case))
    except Exception as error:
        return [str(error)]


def last_first(gate: InputGate, section: CriticalSection) -> None:
    """`InputGate.add_section`, wrong: the newest section is the next."""
    gate.sections = gate.sections if gate.sections is not None else deque()
    gate.sections.appendleft(section)
    if not gate.locked:
        gate.locked = True
        gate.sections.popleft().start()


# ---------------------------------------------------------------- the laws themselves

#: Two requests: the first a section with a wait in it and a fetch, the second two writes; then one that is reset.
MEETING = written(
    [
        (0, "A:x", [["block", [["put", "a", 1], ["wait", BEAT_MS]]], ["ext", BEAT_MS]]),
        (0, "A:x", [["get", "a"], ["put", "a", 2], ["block", [["tick", 2]]]]),
        (3, "A:x", [["put", "a", 3], ["break"]]),
    ]
)


def at(log: Json, *event: Json) -> int:
    """Where the log has an entry that begins so."""
    return next(place for place, entry in enumerate(log) if entry[3][: len(event)] == list(event))


def intruder(log: Json, results: Json) -> None:
    """Another request comes in between a read and its answer."""
    log.insert(at(log, "end", 5), [800, "A:x", "r1", ["end", 2]])


def entered(log: Json, results: Json) -> None:
    """A request enters while a section runs."""
    log.insert(at(log, "stop", 1), [800, "A:x", "r2", ["enter"]])


def turned(log: Json, results: Json) -> None:
    """The section that was asked for later runs first."""
    one, other = at(log, "start", 1), at(log, "start", 7)
    log[one], log[other] = log[other], log[one]


def overtaken(log: Json, results: Json) -> None:
    """The second request enters first."""
    log.insert(0, log.pop(at(log, "begin", 5) - 1))


def forgotten(log: Json, results: Json) -> None:
    """A read gives what nobody wrote."""
    log[at(log, "end", 5)][3][2] = 7


def early(log: Json, results: Json) -> None:
    """A wait ends before its time."""
    log[at(log, "end", 3)][0] = 100


def late(log: Json, results: Json) -> None:
    """A fetch ends after its time, and nothing held it."""
    log[at(log, "end", 4)][0] = 1300


def leaked(log: Json, results: Json) -> None:
    """The fetch behind a write that is never committed arrives."""
    log.append([1800, "ext", "11", "recv"])


def answered(log: Json, results: Json) -> None:
    """The request whose writes could not be committed gets an answer."""
    results[-1] = {"req": "r3", "t": 1800, "value": None}


TAMPERED = {
    intruder: "turns_never_overlap",
    entered: "sections_run_alone",
    turned: "sections_in_order",
    overtaken: "requests_in_order",
    forgotten: "storage_is_what_was_written",
    early: "nothing_is_early_or_late",
    late: "nothing_is_early_or_late",
    leaked: "nothing_leaves_before_its_commit",
    answered: "a_reset_fails_what_is_in_flight",
}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_each_law_can_be_broken(tamper: Any) -> None:
    """A log that was tampered with in one place breaks the law that speaks of it."""
    answer = answer_of(MEETING)
    assert [] == broken(MEETING, answer)
    tamper(answer["log"], answer["results"])

    assert TAMPERED[tamper] in {law.partition(":")[0] for law in broken(MEETING, answer)}


def test_no_law_is_left_untested() -> None:
    """Every law has a log that breaks it."""
    assert {law.__name__ for law in LAWS} == set(TAMPERED.values())


# ---------------------------------------------------------------- tools of the live arm


def test_jitter_moves_delays_and_nothing_else() -> None:
    """A jittered case has the same operations, each delay and start at most a few milliseconds later."""
    moved = jittered(MEETING, 1)
    waits = [line for line in moved["steps"][2]["do"][2][1] if line[0] == "wait"]

    assert [step["req"] for step in MEETING["steps"]] == [step["req"] for step in moved["steps"]]
    assert MEETING != moved
    assert all(BEAT_MS <= wait[1] <= BEAT_MS + max(JITTER_MS) for wait in waits)
    assert waits


def test_shrinking_leaves_the_two_steps_that_matter() -> None:
    """Delta debugging takes away what a difference does not need, at every depth, and the case itself stays."""
    inner = [{"op": "kv.get", "args": [name]} for name in "abcdef"]
    case = {
        "steps": [{"op": "event", "body": [{"op": "tx.async", "body": list(inner), "end": {"throw": "x"}}] * 3}] * 4
    }
    before = str(case)

    small = shrunk(case, lambda smaller: "['c']" in str(smaller) and "['e']" in str(smaller))

    expected = {"op": "tx.async", "body": [inner[2], inner[4]], "end": None}
    assert {"steps": [{"op": "event", "body": [expected]}]} == small
    assert before == str(case)


def test_a_concurrency_program_is_shrunk_as_it_was_drawn() -> None:
    """A smaller program is written anew: its logs fit it, and what it needs is all that is left."""
    small = shrunk(MEETING, lambda smaller: '"ext", 400' in json.dumps(smaller["drawn"]), candidates=less)

    assert [(0, "A:x", [["ext", BEAT_MS]])] == small["drawn"]
    assert [] == broken(small, answer_of(small))


def test_shrinking_asks_no_more_than_it_may() -> None:
    """The number of questions is a limit: each may be a run of the real runtime."""
    asked: list[Json] = []

    shrunk({"steps": [{"op": "log"}] * 50}, lambda smaller: bool(asked.append(smaller)), questions=7)

    assert 7 == len(asked)


def test_the_live_arm_says_what_is_missing() -> None:
    """Without node and npm the script says so and exits with 2."""
    script = FOUND.parent / "run.py"
    result = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 2 == result.returncode, result.stderr
    assert "conformance-live was not run: node and npm were not found" in result.stderr


def test_dosim_testing_does_not_load_hypothesis() -> None:
    """`import dosim.testing.conformance` and its runner need the standard library alone."""
    code = "import sys, dosim.testing.conformance.runner; print('hypothesis' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert "False" == result.stdout.strip()
