"""The concurrency cases as Python Workers programs, and how their answers are judged."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
import types
from pathlib import Path

import pytest

from dosim.testing.conformance import rules
from dosim.testing.conformance.concurrency import run_concurrency_case, versions_of
from dosim.testing.conformance.concurrency_compiler import class_names, compile_case
from dosim.testing.conformance.concurrency_judge import Judge, rounded
from dosim.testing.conformance.concurrency_prelude import PRELUDE

CASES = Path(__file__).parent.parent / "conformance" / "concurrency" / "cases"
#: What a compiled program may import.
ALLOWED_IMPORTS = {"js", "pyodide.ffi", "workers"} | set(sys.stdlib_module_names)


def case_of(*steps: object, **objects: object) -> dict[str, object]:
    """A case whose steps are client programs at time 0."""
    return {
        "id": "t-01",
        "area": "test",
        "tier": "core",
        "objects": objects,
        "steps": [{"req": f"r{index}", "at": 0, "do": program} for index, program in enumerate(steps, 1)],
        "expect": {"log": [], "results": []},
        "versions": {},
    }


def python_error(text: str, **flags: bool) -> dict[str, object]:
    """A JsException of a Python traceback, as a program writes it to the log."""
    return {"class": "pyodide.ffi.JsException", "js": True, "text": text, **flags}


def judged(case: dict[str, object], expected: dict[str, object], got: dict[str, object]) -> object:
    return Judge(case, 100).judge(expected, got, {})


def open_cases() -> list[dict[str, object]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.json"))]


def test_every_open_case_compiles() -> None:
    """Every recorded case is a Python program that parses."""
    cases = open_cases()
    assert len(cases) > 110

    for case in cases:
        ast.parse(compile_case(case).entry)


def test_a_program_imports_only_what_python_workers_has() -> None:
    """A compiled program imports `js`, `pyodide.ffi`, `workers` and the standard library."""
    entry = compile_case(case_of([["log", {"$bigint": "7"}]])).entry
    imported = set()
    for node in ast.walk(ast.parse(entry)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))

    assert imported - ALLOWED_IMPORTS == {"urllib.parse"}
    assert {"js", "pyodide.ffi", "workers"} <= imported


def test_client_steps_share_their_variables() -> None:
    """A variable set in one client step is read in another; a step with a request of its own has its own."""
    case = case_of([["set", "a", 1]], [["log", {"$var": "a"}]])
    entry = compile_case(case).entry

    assert entry.count("    v_a = None") == 1
    assert "nonlocal v_a" in entry

    case["steps"][0]["own_request"] = True  # type: ignore[index]
    compiled = compile_case(case)

    assert compiled.own_steps == (0,)
    assert "nonlocal" not in compiled.entry
    assert "log(who, req, None)" in compiled.entry


def test_surplus_arguments_of_an_operation_are_ignored() -> None:
    """A case may hand an operation more than it takes, as a JavaScript call may."""
    entry = compile_case(case_of([["timeout", 100, ["log", "never"]]])).entry

    assert "await timeout(100)" in entry
    assert "never" not in entry


def test_functions_keep_what_they_set() -> None:
    """A `$fn` starts from its creator's variables and does not change them."""
    function = {"$fn": {"params": ["n"], "do": [["set", "a", {"$add": [{"$var": "a"}, {"$var": "n"}]}]]}}
    entry = compile_case(case_of([["set", "a", 1], ["set", "f", function]])).entry

    assert "async def fn_1(v_n_1=None, *_rest):" in entry
    assert "v_a_1 = v_a" in entry
    assert "v_a_1 = add(v_a_1, v_n_1)" in entry


def test_programs_sent_to_an_object_are_methods() -> None:
    """The program of a `call` is a method every class has, with variables of its own and the caller's req."""
    entry = compile_case(case_of([["call", "A:x", [["call", "B:y", [["log", 1]], "deep"]]]])).entry

    assert "await self.env.A.getByName('x').program_0(req)" in entry
    assert "await self.env.B.getByName('y').program_1('deep')" in entry
    assert "class A(Programs, DurableObject):" in entry


def test_class_names_come_from_references_too() -> None:
    """A class is declared, or referred to as "A:x", or used as a namespace."""
    steps = [{"req": "r", "at": 0, "to": "C:x", "do": [["new_unique_id", "D"], ["log", "At: noon"]]}]

    assert class_names({"A": {}}, steps) == ["A", "C", "D"]


def test_wrangler_names_classes_and_storage() -> None:
    """Every class is bound under its own name; `sqlite: false` classes are migrated as `new_classes`."""
    compiled = compile_case(case_of([], A={"options": {"sqlite": False}}, B={"options": {"preventEviction": True}}))

    assert compiled.wrangler["name"] == "main"
    assert compiled.wrangler["compatibility_date"] == "2026-04-01"
    assert compiled.wrangler["migrations"] == [{"tag": "v1", "new_sqlite_classes": ["B", "Ext"], "new_classes": ["A"]}]
    assert compiled.prevent_eviction == ("B",)


def test_a_throwing_constructor_becomes_a_section() -> None:
    """`__init__` that fails is final in Python, a failing section is not: rule C4."""
    compiled = compile_case(case_of([], A={"ctor": [["log", "ctor"], ["throw", "no"]]}))

    assert "ctx.blockConcurrencyWhile(constructor)" in compiled.entry
    assert compiled.rules == {rules.FAILING_CONSTRUCTOR.id}
    caught = compile_case(case_of([], A={"ctor": [["try", [["throw", "no"]], "e", []]]}))
    assert caught.rules == set()


def test_methods_called_with_other_arity_take_defaults() -> None:
    """RPC arity is strict in Python: rule C3, only for methods that are called with another number of arguments."""
    two = {"methods": {"two": {"params": ["a", "b"], "do": []}}}
    strict = compile_case(case_of([["rpc", "A:x", "two", [1, 2]]], A=two))
    loose = compile_case(case_of([["rpc", "A:x", "two", [1]]], A=two))

    assert "async def two(self, v_a, v_b):" in strict.entry
    assert strict.rules == set()
    assert "async def two(self, v_a=None, v_b=None, *_rest):" in loose.entry
    assert loose.rules == {rules.ARITY.id}


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (["rpc_get", "A:x", "p"], rules.PROPERTY_READ),
        (["pipeline", "A:x", [["a", []]]], rules.PIPELINING),
        (["rpc", "A:x", "toString"], rules.JAVASCRIPT_MEMBER),
        (["rpc", "A:x", "m", [{"$symbol": "s"}]], rules.SYMBOL),
        (["rpc", "A:x", "m", [{"$cyclic": True}]], rules.CYCLE),
        (["rpc", "A:x", "m", [{"$unclonable": True}]], rules.CLASS_INSTANCE),
        (["put", "k", {"$undefined": True}], rules.PUT_UNDEFINED),
        (["rpc", "A:x", "open"], rules.RPC_TARGET),
        (["call", "N:x", []], rules.NO_BASE),
    ],
)
def test_what_python_cannot_say_masks_the_try_around_it(op: list[object], reason: rules.Rule) -> None:
    """The smallest `try` around such an operation becomes a region, and the rest of the step stays."""
    objects = {
        "A": {"methods": {"open": {"params": [], "do": [["return", {"$target": {}}]]}}},
        "N": {"options": {"base": "none"}},
    }
    compiled = compile_case(case_of([["try", [op], "e", [["log", "caught"]]], ["log", "after"]], **objects))

    assert compiled.masks.reasons == {reason.id}
    assert compiled.masks.step_reasons == {}
    assert f"{{'$masked_region': {reason.id!r}}}" in compiled.entry
    assert "log(who, req, 'caught')" not in compiled.entry
    assert "log(who, req, 'after')" in compiled.entry


def test_without_a_try_the_step_is_masked() -> None:
    """A step that cannot be said does not run; its entries and its result are not judged."""
    case = case_of([["pipeline", "A:x", [["a", []]]], ["log", "one"]], [["log", "two"]])
    compiled = compile_case(case)
    expected = {
        "log": [[0, "client", "r1", "one"], [0, "client", "r2", "two"]],
        "results": [{"req": "r1", "t": 0, "value": 5}, {"req": "r2", "t": 0, "value": {"$undefined": True}}],
    }
    got = {
        "log": [[0, "client", "r2", "two"]],
        "results": [{"req": "r1", "t": None}, {"req": "r2", "t": 0, "value": None}],
    }
    verdict = Judge(case, 100).judge(expected, got, compiled.masks.step_reasons)

    assert compiled.masks.step_reasons == {0: rules.PIPELINING.id}
    assert not verdict.differs
    assert verdict.judged == 1


def test_a_case_of_masked_steps_is_not_applicable() -> None:
    """Nothing is run when no step can be said: the result names the reason."""
    case = case_of([["pipeline", "A:x", [["a", []]]]])
    case["expect"] = {"log": [], "results": [{"req": "r1", "t": 0, "value": 5}]}
    (result,) = run_concurrency_case(case)

    assert (result.status, result.rule_or_reason) == ("not applicable", (rules.PIPELINING.id,))


def test_an_unknown_operation_fails_with_its_name() -> None:
    """A case that the compiler does not know is failed, not left out."""
    (result,) = run_concurrency_case(case_of([["teleport", 1]]))

    assert result.status == "failed"
    assert "teleport" in str(result.got)


def test_versions_prefer_the_newest_runtime_at_each_date() -> None:
    """The case's own date takes the newest runtime's answer; each date of `versions` is a result of its own."""
    case = case_of([])
    case["expect"] = {"log": ["old"]}
    case["versions"] = {
        "1.20261117.1": {"log": ["new"]},
        "1.20261018.1": {"log": ["between"]},
        "1.20261117.1@2026-11-10": "same",
    }

    assert versions_of(case) == [
        ("t-01", {"log": ["new"]}, None),
        ("t-01@2026-11-10", {"log": ["old"]}, "2026-11-10"),
    ]


@pytest.mark.parametrize(("ms", "shown"), [(0, 0), (79, 0), (80, 100), (100, 100), (30_079, 30_000)])
def test_times_are_rounded_as_recorded(ms: int, shown: int) -> None:
    """floor((t + u/5)/u)*u."""
    assert rounded(ms, 100) == shown


TRACEBACK = "PythonError: Traceback (most recent call last):\n  File\n"


@pytest.mark.parametrize(
    ("expected", "text", "same"),
    [
        ({"name": "TypeError", "message": "type"}, TRACEBACK + "TypeError: type\n", True),
        ({"name": "RangeError", "message": "range"}, TRACEBACK + "entry.RangeError: range\n", True),
        ({"name": "Error", "message": ""}, TRACEBACK + "entry.Error\n", True),
        ({"name": "Error", "message": "Custom: own"}, TRACEBACK + "entry.Custom: own\n", True),
        ({"name": "Error", "message": "x"}, "Error: x", True),
        ({"name": "Error", "message": "x"}, TRACEBACK + "entry.OtherError: x\n", False),
        ({"name": "Error", "message": "x"}, "Error: y", False),
        ({"name": "TypeError", "message": 'The RPC receiver does not implement the method "a".'},
         "TypeError: Method a does not exist", True),
        ({"name": "TypeError", "message": 'The RPC receiver does not implement the method "a".'},
         "TypeError: Method b does not exist", False),
    ],
)  # fmt: skip
def test_errors_are_compared_by_name_and_message(expected: dict[str, object], text: str, same: bool) -> None:
    """A Python error is its last line; flags must be the same."""
    case = case_of([["try", [["rpc", "A:x", "a"], ["throw", "x"]], "e", []]])

    assert Judge(case, 100).same({"$error": expected}, {"$error": python_error(text)}) is same
    assert not Judge(case, 100).same({"$error": {**expected, "remote": True}}, {"$error": python_error(text)})


def test_undefined_is_none_and_null_is_none() -> None:
    """Both are None; only undefined needs the rule."""
    judge = Judge(case_of([]), 100)

    assert judge.same(None, None)
    assert judge.verdict.used == set()
    assert judge.same([{"$undefined": True}], [None])
    assert judge.verdict.used == {rules.NONE.id}
    assert not judge.same({"$undefined": True}, 0)
    assert not judge.same(1, True)


def test_the_order_of_keys_is_compared() -> None:
    """A Map and an object are a dict with its order."""
    judge = Judge(case_of([]), 100)

    assert judge.same({"$map": [["a", 1], ["b", 2]]}, {"$dict": [["a", 1], ["b", 2]]})
    assert not judge.same({"$map": [["a", 1], ["b", 2]]}, {"$dict": [["b", 2], ["a", 1]]})
    assert not judge.same({"a": 1, "b": 2}, {"$dict": [["b", 2], ["a", 1]]})


def test_a_region_stands_for_any_entries_and_no_more() -> None:
    """Entries after a masked region are compared again."""
    case = case_of([])
    region = [None, "client", "r1", {"$masked_region": "NC1"}]
    tail = [0, "client", "r1", "tail"]
    recorded = {"log": [[0, "client", "r1", "a"], [0, "client", "r1", "b"], tail], "results": []}
    case["steps"] = [{"req": "r1", "at": 0, "do": []}]
    recorded["results"] = [{"req": "r1", "t": 0, "value": {"$undefined": True}}]
    results = [{"req": "r1", "t": 0, "value": None}]

    assert not judged(case, recorded, {"log": [region, tail], "results": results}).differs  # type: ignore[attr-defined]
    wrong = judged(case, recorded, {"log": [region, [0, "client", "r1", "other"]], "results": results})
    assert wrong.where == "log[0]"  # type: ignore[attr-defined]
    longer = judged(case, recorded, {"log": [region, tail, tail], "results": results})
    assert longer.where == "log[3]"  # type: ignore[attr-defined]


def test_a_thrown_value_that_is_no_error_is_masked() -> None:
    """Python raises exceptions only: what was thrown is not compared."""
    judge = Judge(case_of([["throw_value", 7]]), 100)
    got = {"$error": python_error(TRACEBACK + "masked.NotAnError: thrown value\n", remote=True)}

    assert judge.same({"$error": {"name": "Error", "message": "7", "remote": True}}, got)
    assert judge.verdict.masked == {rules.THROWN_VALUE.id}


@pytest.fixture
def prelude(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The helpers of a compiled program, with nothing of the platform behind them."""
    names = ("DurableObject", "Response", "WorkerEntrypoint", "JsException", "create_proxy", "to_js")
    for module in ("js", "workers", "pyodide", "pyodide.ffi"):
        fake = types.ModuleType(module)
        fake.__dict__.update({name: type(name, (Exception,), {}) for name in names})
        monkeypatch.setitem(sys.modules, module, fake)
    namespace: dict[str, object] = {"__name__": "entry"}
    exec(PRELUDE, namespace)
    return namespace


def test_started_coroutines_run_to_their_first_wait_at_once(prelude: dict[str, object]) -> None:
    """As a JavaScript async function does; results, errors and later waits are those of the coroutine."""
    seen: list[object] = []
    start = prelude["start"]

    async def child(name: str, error: Exception | None = None) -> str:
        seen.append(f"{name} starts")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append(f"{name} ends")
        if error:
            raise error
        return name

    async def at_once() -> int:
        return 5

    async def main() -> None:
        first = start(child("a"))  # type: ignore[operator]
        second = start(child("b", ValueError("no")))  # type: ignore[operator]
        seen.append("main goes on")
        seen.append(await first)
        with pytest.raises(ValueError, match="no"):
            await second
        seen.append(await start(at_once()))  # type: ignore[operator]

    asyncio.run(main())

    assert seen == ["a starts", "b starts", "main goes on", "a ends", "b ends", "a", 5]


def test_values_are_written_with_the_tags_of_the_format(prelude: dict[str, object]) -> None:
    """Long strings are cut, bytes are lists, dicts keep their order, integral floats are integers."""
    encode = prelude["encode"]
    value = {"z": 1.0, "a": [b"\x01", None, float("inf")], "s": "x" * 2001, "e": TypeError("t")}

    assert encode(value) == {  # type: ignore[operator]
        "$dict": [
            ["z", 1],
            ["a", [{"$bytes": [1]}, None, {"$inf": 1}]],
            ["s", {"$longstring": ["xxxxxxxx", 2001]}],
            ["e", {"$error": {"class": "builtins.TypeError", "js": False, "text": "t"}}],
        ]
    }


def test_truth_and_equality_are_those_of_javascript(prelude: dict[str, object]) -> None:
    """Empty lists are true, 1 is not true, lists are the same only when they are one."""
    truthy, same = prelude["truthy"], prelude["same"]

    assert [truthy(value) for value in ([], {}, 0, "", None, float("nan"), "0")] == [  # type: ignore[operator]
        True, True, False, False, False, False, True
    ]  # fmt: skip
    assert same(1, 1.0)  # type: ignore[operator]
    assert not same(1, True)  # type: ignore[operator]
    assert not same([1], [1])  # type: ignore[operator]


def replayed(**changes: object) -> dict[str, object]:
    """A case of two steps with its true answer, but for the changes in it."""
    case = case_of([["timeout", 200], ["return_op", ["call", "A:x", [["mem_incr", "n"], ["return", {"$mem": "n"}]]]]])
    steps = case["steps"]
    assert isinstance(steps, list)
    steps.append({"req": "r2", "at": 100, "to": "A:x", "do": [["mem_incr", "n"], ["log", {"n": {"$mem": "n"}}]]})
    results = [{"req": "r1", "t": 200, "value": 2}, {"req": "r2", "t": 100, "value": {"$undefined": True}}]
    case["expect"] = {"log": [[100, "A:x", "r2", {"n": 1}]], "results": results, **changes}
    return case


def test_a_case_is_compiled_played_and_judged(tmp_path: Path) -> None:
    """The whole way: a project is written, run in virtual time, and its answer compared."""
    (result,) = run_concurrency_case(replayed(), tmp_path)

    assert (result.status, result.rule_or_reason, result.where) == ("passed", (), "")
    assert (tmp_path / "t-01" / "src" / "entry.py").read_text(encoding="utf-8").startswith("import asyncio")


@pytest.mark.parametrize(
    ("log", "where"),
    [
        ([[200, "A:x", "r2", {"n": 1}]], "log[0]"),
        ([[100, "A:x", "r2", {"n": 2}]], "log[0]"),
        ([[100, "A:y", "r2", {"n": 1}]], "log[0]"),
        ([], "log[0]"),
        ([[100, "A:x", "r2", {"n": 1}], [100, "A:x", "r2", "more"]], "log[1]"),
    ],
)
def test_a_wrong_answer_is_named(tmp_path: Path, log: list[object], where: str) -> None:
    """Time, value, object, missing and surplus entries: each is a difference, with its place."""
    (result,) = run_concurrency_case(replayed(log=log), tmp_path)

    assert (result.status, result.where) == ("failed", where)


def test_a_step_that_never_ends_is_pending(tmp_path: Path) -> None:
    """At the limit after the last step the story answers, and the step has no result."""
    case = case_of([["log", "a"]])
    case["steps"] = [{"req": "r1", "at": 0, "to": "A:x", "do": [["wait_signal", "never"]]}]
    case["expect"] = {"log": [], "results": [{"req": "r1", "t": None, "pending": True}]}
    case["limit"] = 500
    (result,) = run_concurrency_case(case, tmp_path)

    assert result.status == "passed"


def test_steps_with_a_request_of_their_own_are_played(tmp_path: Path) -> None:
    """They run in requests of their own beside the story and are in its answer."""
    case = case_of([["call", "A:x", [["log", 1]]]])
    case["steps"][0]["own_request"] = True  # type: ignore[index]
    case["steps"][0]["at"] = 300  # type: ignore[index]
    results = [{"req": "r1", "t": 300, "value": {"$undefined": True}}]
    case["expect"] = {"log": [[300, "A:x", "r1", 1]], "results": results}
    (result,) = run_concurrency_case(case, tmp_path)

    assert (result.status, result.got) == ("passed", None)
