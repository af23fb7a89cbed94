"""How answers are compared: values, errors, times, masks, verdicts."""

from __future__ import annotations

import pytest

from dosim.testing.conformance import rules
from dosim.testing.conformance.projects import exactly
from dosim.testing.conformance.results import ADAPTED, FAILED, NOT_APPLICABLE, PASSED, CaseResult
from dosim.testing.conformance.storage import judged
from dosim.testing.conformance.storage_canon import Expected, got_value, same_value
from dosim.testing.conformance.storage_program import compile_case

GET = {"op": "kv.get", "args": ["k"]}
PUT = {"op": "kv.put", "args": ["k", 1]}


def verdict(steps: list[object], expect: list[object], got: list[object], **config: object) -> CaseResult:
    """Judge answers that a program might have given."""
    case = {
        "id": "small",
        "area": "kv",
        "tier": "core",
        "object_config": {"storage": "sqlite", **config},
        "steps": steps,
        "expect": expect,
    }
    return judged(case, compile_case(case), dict(enumerate(got)))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({"$undefined": True}, None),
        ({"$map": [["a", 1]]}, {"$obj": [["a", 1]]}),
        ({"a": 1.0}, {"$obj": [["a", 1]]}),
        ({"$arraybuffer": "AQ=="}, {"$bytes": "AQ=="}),
        ({"$typed": ["Float64Array", "AQ=="]}, {"$bytes": "AQ=="}),
        ({"$negzero": True}, 0),
        ({"$bigint": "12"}, {"$bigint": "12"}),
        ({"$set": ["b", "a"]}, {"$set": ["a", "b"]}),
        ({"$error": {"name": "TypeError", "message": "m"}}, {"$error": {"name": "Exception", "message": "Error: m"}}),
        ({"a": {"x": 1}, "b": {"$same": "$.a"}}, {"$obj": [["a", {"$obj": [["x", 1]]}], ["b", {"$obj": [["x", 1]]}]]}),
    ],
)
def test_equal_under_the_rules(expected: object, got: object) -> None:
    """A recorded JavaScript value equals the Python value that the SDK makes of it."""
    canon = Expected()

    assert same_value(canon.value(expected), got_value(got))
    assert set() == canon.lost


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1, True),
        (0, None),
        ("1", 1),
        ({"a": 1, "b": 2}, {"$obj": [["b", 2], ["a", 1]]}),
        ([1, 2], [1]),
        ({"$bytes": "AQ=="}, {"$bytes": "Ag=="}),
    ],
)
def test_different_values(expected: object, got: object) -> None:
    """Booleans are no numbers, and the order of keys counts."""
    assert not same_value(Expected().value(expected), got_value(got))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, {"$hole": True}], rules.HOLE),
        ({"$boxed": 5}, rules.JS_ONLY),
        ({"$date": None}, rules.INVALID_DATE),
        ({"name": "o", "self": {"$same": "$"}}, rules.CYCLE),
    ],
)
def test_recorded_values_without_a_python_form(value: object, reason: rules.Rule) -> None:
    """A recorded value that Python cannot have masks its step."""
    canon = Expected()
    canon.value(value)

    assert {reason} == canon.lost


def test_a_plain_answer_passes() -> None:
    """No rule, no reason: passed."""
    result = verdict([PUT, GET], [{"value": {"$undefined": True}}, {"value": 1}], [{"value": None}, {"value": 1}])

    assert (PASSED, ()) == (result.status, result.rule_or_reason)


def test_undefined_as_a_result_is_adapted() -> None:
    """A read that gave undefined needs the rule that undefined is None; a put that gave it does not."""
    result = verdict([GET], [{"value": {"$undefined": True}}], [{"value": None}])

    assert (ADAPTED, ("S1",)) == (result.status, result.rule_or_reason)


def test_a_difference_fails_and_is_located() -> None:
    """The first difference is reported with its place and both sides."""
    result = verdict([PUT, GET], [{"value": {"$undefined": True}}, {"value": 1}], [{"value": None}, {"value": 2}])

    assert FAILED == result.status
    assert ("step 1 kv.get", {"value": 1}, {"value": 2}) == (result.where, result.expected, result.got)


def test_a_step_that_never_ran_fails() -> None:
    """A step without an answer is a difference, not a pass."""
    assert FAILED == verdict([GET], [{"value": 1}], []).status


@pytest.mark.parametrize(
    ("name", "message", "flags", "status"),
    [
        ("PythonError", "PythonError: Traceback\n  ...\nentry.Error: boom\n", {"remote": True}, ADAPTED),
        ("PythonError", "PythonError: Traceback\n  ...\nentry.Error: boom\n", {}, FAILED),
        ("PythonError", "PythonError: Traceback\n  ...\nentry.Error: bang\n", {"remote": True}, FAILED),
        ("Error", "boom", {"remote": True}, PASSED),
        ("TypeError", "boom", {"remote": True}, FAILED),
    ],
)
def test_errors_at_the_caller(name: str, message: str, flags: dict[str, bool], status: str) -> None:
    """A user's error is a PythonError whose last line ends with name and message; flags are the same."""
    expect = {"error": {"name": "Error", "message": "boom", "flags": {"remote": True}}, "body": []}
    got = {"error": {"name": name, "message": message, "flags": flags}, "body": []}

    assert status == verdict([{"op": "event", "body": [], "end": {"throw": "boom"}}], [expect], [got]).status


def test_offsets_and_references_are_not_compared() -> None:
    """SQLite's byte offset and the id of an internal error are left out on both sides."""
    steps = [{"op": "sql.all", "args": ["x"]}, {"op": "sql.all", "args": ["y"]}]
    expect = [
        {"error": {"name": "Error", "message": 'near "x": syntax error at offset 0: SQLITE_ERROR'}},
        {"error": {"name": "Error", "message": "internal error; reference = <id>"}},
    ]
    got = [
        {"error": {"name": "Error", "message": 'near "x": syntax error: SQLITE_ERROR', "flags": {}}},
        {"error": {"name": "Error", "message": "internal error; reference = 0a1b2c", "flags": {}}},
    ]

    assert (ADAPTED, ("S15",)) == (verdict(steps, expect, got).status, verdict(steps, expect, got).rule_or_reason)


def test_mostly_masked_is_not_applicable() -> None:
    """A case whose informative steps are mostly masked is not applicable, and says why."""
    steps = [{"op": "kv.put", "args": ["k", {"$js": "symbol"}]}, PUT]
    expect = [{"error": {"name": "DataCloneError", "message": "Symbol(s) could not be cloned."}}, {"value": None}]
    result = verdict(steps, expect, [{"masked": True}, {"value": None}])

    assert (NOT_APPLICABLE, ("NS1",)) == (result.status, result.rule_or_reason)


@pytest.mark.parametrize(("ms", "status"), [(1998, FAILED), (2000, ADAPTED), (2501, ADAPTED), (2550, FAILED)])
def test_a_retry_is_one_to_one_and_a_quarter(ms: int, status: str) -> None:
    """A retry may come at 1.00 to 1.25 times its base, whatever wider band was recorded."""
    band = {"kind": "retry", "base_ms": 2000, "ratio": [1.0, 1.3]}
    info = {"retryCount": 1, "isRetry": True}
    run = {"info": info, "body": [], "end": "returned"}
    expect = [{"value": {"runs": [{**run, "since_previous_end": band}]}}]
    got = [{"value": {"runs": [{**run, "since_previous_end": {"ms": ms}}]}}]

    assert status == verdict([{"op": "alarm.wait", "count": 1, "times": "since_previous"}], expect, got).status


def test_an_alarm_on_a_class_without_a_handler_is_accepted() -> None:
    """Python's setAlarm is not refused there, and getAlarm shows the time."""
    steps = [{"op": "alarm.set", "args": [{"$t": 1000}]}, {"op": "alarm.get", "args": [], "observe": "t"}]
    message = "Your Durable Object class must have an alarm() handler in order to call setAlarm()"
    expect = [{"error": {"name": "TypeError", "message": message}}, {"value": None}]

    result = verdict(steps, expect, [{"value": None}, {"value": {"$t": 1000}}], alarm_handler=False)

    assert (ADAPTED, ("S9",)) == (result.status, result.rule_or_reason)


def test_projects_are_compared_with_their_types() -> None:
    """A project's answer is compared exactly: 1 is neither 1.0 nor true; only ` at offset N` is left out."""
    assert not exactly([1], [1.0])
    assert not exactly([1], [True])
    assert not exactly({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert exactly(["near: error at offset 3: X"], ["near: error: X"])
