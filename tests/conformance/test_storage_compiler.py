"""How a storage case becomes a Python Workers program, and what it masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dosim.testing.conformance import rules
from dosim.testing.conformance.storage_arguments import Arguments
from dosim.testing.conformance.storage_program import Program, compile_case

CASES = sorted((Path(__file__).parent / "storage" / "cases").glob("*.json"))


def compiled(*steps: dict[str, object], **config: object) -> Program:
    """A program of these steps."""
    return compile_case({"id": "small", "object_config": {"storage": "sqlite", **config}, "steps": list(steps)})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_compiles(path: Path) -> None:
    """Every open case becomes a program that Python can parse, with one plan for each step."""
    case = json.loads(path.read_text(encoding="utf-8"))

    program = compile_case(case)

    compile(program.source, path.name, "exec")
    assert len(case["steps"]) == len(program.steps)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (9007199254740992, "9007199254740992.0"),
        ({"$negzero": True}, "-0.0"),
        ({"$bigint": "5"}, "JsBigInt(5)"),
        ({"$bigint": "9007199254740993"}, "9007199254740993"),
        ({"$bytes": "AQL/"}, "b'\\x01\\x02\\xff'"),
        ({"$view": ["CQgHBgU=", 1, 3]}, "b'\\x08\\x07'"),
        ({"$date": 5}, "date(5)"),
        ({"$map": [["a", 1]]}, "{'a': 1}"),
        ({"$set": []}, "set()"),
        ({"$obj": [["z", 1], ["$a", None]]}, "{'z': 1, '$a': None}"),
        ([{"$undefined": True}, "é"], "[None, '\\xe9']"),
        ({"$keys": ["k", 2]}, "['k' + f'{at:03}' for at in range(2)]"),
        ({"$concat": ["a", {"$repeat": ["b", 3]}]}, "('a' + 'b' * 3)"),
        ({"$t": 100}, "CASE.t0 + 100"),
    ],
)
def test_values_are_written_as_python(value: object, text: str) -> None:
    """A tagged value becomes the Python expression that the SDK turns into the same JavaScript value."""
    arguments = Arguments()

    assert text == arguments.expression(value)
    assert set() == arguments.lost


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "jsnull"),
        ({"$undefined": True}, "None"),
        ({"a": [1]}, "plain({'a': [1]})"),
        ({"$date": 5}, "js.Date.new(5)"),
    ],
)
def test_values_for_a_raw_object(value: object, text: str) -> None:
    """The raw txn object takes undefined for None, jsnull for null, and needs to_js for containers."""
    assert text == Arguments(raw=True).expression(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"$js": "symbol"}, rules.SYMBOL),
        ({"$js": "arrow"}, rules.FUNCTION_TEXT),
        ({"$js": "weakmap"}, rules.JS_ONLY),
        ({"$regexp": ["a", "g"]}, rules.JS_ONLY),
        ({"$date": None}, rules.INVALID_DATE),
        ({"$map": [[1, "a"]]}, rules.MAP_KEYS),
        ({"$map": [["1", "a"]]}, rules.MAP_KEYS),
        ({"$set": [{"a": 1}]}, rules.MAP_KEYS),
        ({"$cyclic": "o"}, rules.CYCLE),
        ({"$instance": {"x": 1}}, rules.CLASS_INSTANCE),
    ],
)
def test_values_python_cannot_say(value: object, reason: rules.Rule) -> None:
    """A value without a Python spelling gets a stand-in and its reason."""
    arguments = Arguments()
    arguments.expression([value])

    assert {reason} == arguments.lost


def test_an_unknown_tag_is_refused() -> None:
    """A tag that the format does not have is an error that names it."""
    with pytest.raises(ValueError, match=r"\$nonsense"):
        Arguments().expression({"$nonsense": 1})


def test_a_stand_in_masks_its_reads() -> None:
    """What was put as a stand-in is masked when read back, until a clean put; keys alone are compared."""
    program = compiled(
        {"op": "kv.put", "args": ["a", {"$instance": {"x": 1}}]},
        {"op": "kv.get", "args": ["a"]},
        {"op": "kv.list", "args": [], "observe": "keys"},
        {"op": "kv.list", "args": []},
        {"op": "kv.put", "args": ["a", 1]},
        {"op": "kv.get", "args": ["a"]},
    )

    assert [True, True, False, True, False, False] == [bool(plan.masked) for plan in program.steps]


def test_a_refused_value_is_not_put() -> None:
    """A put that JavaScript refuses writes nothing, so nothing stands in for it."""
    program = compiled({"op": "kv.put", "args": ["a", {"$js": "symbol"}]}, {"op": "kv.get", "args": ["a"]})

    assert [True, False] == [bool(plan.masked) for plan in program.steps]
    assert "storage.put(" not in program.source


def test_what_depends_on_a_missing_name_is_masked_too() -> None:
    """A step that uses the result of a step that never ran is masked and does not run either."""
    program = compiled(
        {"op": "alarm.set", "args": [{"$date": None}], "await": False, "as": "p"}, {"op": "await", "on": "p"}
    )

    assert [True, True] == [bool(plan.masked) for plan in program.steps]
    assert 2 == program.source.count("out.append(MASKED)")


def test_undefined_is_left_out_where_python_can() -> None:
    """An undefined option, entry or last argument is left out; an undefined key is the text it becomes."""
    program = compiled(
        {"op": "kv.list", "args": [{"start": {"$undefined": True}, "limit": 1}]},
        {"op": "kv.put", "args": [{"a": 1, "b": {"$undefined": True}}]},
        {"op": "kv.list", "args": [{"$undefined": True}]},
        {"op": "kv.get", "args": [{"$undefined": True}]},
    )

    for text in ("storage.list({'limit': 1})", "storage.put({'a': 1})", "storage.list()", "storage.get('undefined')"):
        assert text in program.source
    assert all(rules.UNDEFINED_LEFT_OUT in plan.used for plan in program.steps)


def test_put_of_undefined_does_not_apply() -> None:
    """`put(k, undefined)` cannot be written: None would be null."""
    program = compiled({"op": "kv.put", "args": ["k", {"$undefined": True}]})

    assert {rules.PUT_UNDEFINED} == program.steps[0].masked


def test_sleep_is_a_javascript_timer() -> None:
    """Waiting inside the object ends the turn, so it is never asyncio.sleep."""
    program = compiled({"op": "event", "body": [{"op": "sleep", "args": [0]}]})

    assert "await js.scheduler.wait(0)" in program.source
    assert "asyncio.sleep" not in program.source


def test_an_async_function_runs_to_its_first_await_at_once() -> None:
    """What JavaScript does before the first await stands before the coroutine function, the first call included."""
    later = [{"op": "kvsync.put", "args": ["a", 1]}, {"op": "kv.put", "args": ["b", 1]}, {"op": "field.incr"}]
    program = compiled({"op": "tx.sync", "body": [], "end": {"async": later}})

    lines = [line.strip() for line in program.source.splitlines()]
    order = ["storage.kv.put('a', 1)", "begun(lambda: storage.put('b', 1))", "async def later_1", "await begun_2"]
    assert order == sorted(order, key=lambda text: next(at for at, line in enumerate(lines) if text in line))


def test_restart_cuts_the_story() -> None:
    """Each process restart begins a new segment of the story."""
    program = compiled({"op": "kv.get", "args": ["a"]}, {"op": "restart"}, {"op": "kv.get", "args": ["a"]})

    assert 2 == program.segments
    assert "STORY = [story_0, story_1]" in program.source


@pytest.mark.parametrize(("storage", "key"), [("sqlite", "new_sqlite_classes"), ("kv", "new_classes")])
def test_the_configuration_follows_the_case(storage: str, key: str) -> None:
    """Date, flags and kind of storage of the case are those of the project."""
    program = compile_case(
        {
            "id": "small",
            "object_config": {"storage": storage, "compat_date": "2026-02-23", "compat_flags": ["some_flag"]},
            "steps": [],
        }
    )

    assert "2026-02-23" == program.config["compatibility_date"]
    assert ["python_workers", "some_flag"] == program.config["compatibility_flags"]
    assert [{"tag": "v1", key: ["Stored"]}] == program.config["migrations"]
