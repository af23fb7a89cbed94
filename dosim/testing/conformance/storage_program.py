"""
A recorded storage case compiled to a Python Workers project.

`compile_case` gives the source of `src/entry.py`, the `wrangler.jsonc` as data, and a `Plan` for every step: what the
judge needs to know about it. The program is the fixed prelude followed by one function per event, alarm run,
constructor and story segment; each step is a `try` that records its result or its error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dosim.testing.conformance import rules
from dosim.testing.conformance.storage_arguments import Arguments, Json, is_tag
from dosim.testing.conformance.storage_operations import (
    ASYNC,
    EXPRESSIONS,
    HANDLES,
    HARNESS,
    VOID,
    Taint,
    checked_arguments,
)
from dosim.testing.conformance.storage_prelude import PRELUDE

#: The compatibility date of a case that names none (FORMAT.md).
DEFAULT_DATE = "2026-04-01"


@dataclass(slots=True)
class Plan:
    """One step as the judge sees it: its operation, its masks, the rules its arguments used, its inner steps."""

    op: str
    observe: str | None = None
    void: bool = False
    masked: frozenset[rules.Rule] = frozenset()
    used: frozenset[rules.Rule] = frozenset()
    inner: list[Plan] = field(default_factory=list)
    events: list[list[Plan]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled case. `segments` is the number of stretches between process restarts."""

    source: str
    config: dict[str, object]
    steps: list[Plan]
    alarms: list[list[Plan]]
    constructors: list[list[Plan] | None]
    segments: int
    alarm_handler: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a step stands: the list it records to, whether `txn` is in reach, whether it may await."""

    out: str = "out"
    txn: bool = False
    sync: bool = False


@dataclass(slots=True)
class Writer:
    """Source lines with their indentation, and the counter that makes names unique."""

    lines: list[str] = field(default_factory=list)
    depth: int = 0
    numbers: int = 0

    def line(self, text: str = "") -> None:
        """One line at the current depth."""
        self.lines.append("    " * self.depth + text if text else "")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A compound statement: `head` and whatever is written inside; `pass` when that is nothing."""
        self.line(head)
        self.depth += 1
        size = len(self.lines)
        yield
        if len(self.lines) == size:
            self.line("pass")
        self.depth -= 1

    def fresh(self) -> int:
        """The next unused number."""
        self.numbers += 1
        return self.numbers


class Compiler:
    """Writes the functions of one case and collects the plans."""

    def __init__(self, case: Json) -> None:
        self.case = case
        self.writer = Writer()
        self.taint = Taint()

    # ------------------------------------------------------------ whole program

    def program(self) -> Program:
        """Compile everything; a ValueError names what the format does not have."""
        config = self.case["object_config"]
        alarms = self.alarms(config.get("alarm") or [{"body": []}])
        constructors = self.constructors(config.get("constructor_bodies") or [])
        steps, segments = self.story(self.case["steps"])
        alarm_handler = config["storage"] == "kv" or config.get("alarm_handler") is not False
        self.writer.line()
        self.writer.line()
        with self.writer.block(f"class Stored({'_Alarmed' if alarm_handler else '_Recorded'}):"):
            pass
        self.writer.line()
        self.writer.line(f"NAME = {self.case['id']!a}")
        self.writer.line(f"SCHEDULED = {bool(config.get('record_scheduled_time'))}")
        source = PRELUDE + "\n".join(self.writer.lines) + "\n"
        return Program(source, self.configuration(), steps, alarms, constructors, segments, alarm_handler)

    def configuration(self) -> dict[str, object]:
        """The project's wrangler.jsonc."""
        config = self.case["object_config"]
        classes = "new_classes" if config["storage"] == "kv" else "new_sqlite_classes"
        return {
            "name": self.case["id"],
            "main": "src/entry.py",
            "compatibility_date": config.get("compat_date", DEFAULT_DATE),
            "compatibility_flags": ["python_workers", *config.get("compat_flags", [])],
            "durable_objects": {"bindings": [{"name": "OBJECTS", "class_name": "Stored"}]},
            "migrations": [{"tag": "v1", classes: ["Stored"]}],
        }

    def function(self, name: str, steps: Sequence[Json], end: Json = None) -> list[Plan]:
        """An `async def name(self, out)` that plays `steps` and leaves as `end` says."""
        self.writer.line()
        self.writer.line()
        with self.writer.block(f"async def {name}(self, out):"):
            self.writer.line("storage = self.ctx.storage")
            plans = self.steps(steps, Scope())
            self.leave(end)
        return plans

    def leave(self, end: Json) -> None:
        """The end of a body: a throw, the callback's value, or nothing."""
        if isinstance(end, dict) and "throw" in end:
            self.writer.line(f"raise Error({end['throw']!a})")
        elif isinstance(end, dict) and "value" in end:
            self.writer.line(f"return {Arguments().expression(end['value'])}")

    def alarms(self, programs: Sequence[Json]) -> list[list[Plan]]:
        """One function per alarm program and the table ALARMS."""
        plans = [self.function(f"alarm_{at}", p.get("body", []), p.get("end")) for at, p in enumerate(programs)]
        self.table("ALARMS", [f"alarm_{at}" for at in range(len(programs))])
        return plans

    def constructors(self, bodies: Sequence[Json]) -> list[list[Plan] | None]:
        """One function per constructor body and the table CONSTRUCTORS; null is a plain constructor."""
        plans: list[list[Plan] | None] = []
        names = []
        for at, body in enumerate(bodies):
            names.append("None" if body is None else f"constructor_{at}")
            plans.append(None if body is None else self.function(f"constructor_{at}", body))
        self.table("CONSTRUCTORS", names)
        return plans

    def table(self, name: str, items: Sequence[str]) -> None:
        self.writer.line()
        self.writer.line()
        self.writer.line(f"{name} = [{', '.join(items)}]")

    # ------------------------------------------------------------ the story

    def story(self, steps: Sequence[Json]) -> tuple[list[Plan], int]:
        """The story, one function per segment between restarts; runs of object steps are one event each."""
        plans: list[Plan] = []
        segments: list[list[str]] = [[]]
        at = 0
        while at < len(steps):
            step = steps[at]
            if step["op"] == "restart":
                segments.append([])
                plans.append(Plan("restart", void=True))
                self.taint.names.clear()
                at += 1
            elif step["op"] in HARNESS:
                plan, call = self.harness_step(at, step)
                plans.append(plan)
                segments[-1].append(call)
                at += 1
            else:
                stop = at
                while stop < len(steps) and steps[stop]["op"] not in HARNESS:
                    stop += 1
                plans.extend(self.function(f"event_{at}", steps[at:stop]))
                segments[-1].append(f"await play.group({at}, {stop - at}, event_{at})")
                at = stop
        self.segments(segments)
        return plans, len(segments)

    def segments(self, segments: Sequence[Sequence[str]]) -> None:
        """The functions `story_N(play)` and the table STORY."""
        for number, calls in enumerate(segments):
            self.writer.line()
            self.writer.line()
            with self.writer.block(f"async def story_{number}(play):"):
                for call in calls:
                    self.writer.line(call)
        self.table("STORY", [f"story_{number}" for number in range(len(segments))])

    def harness_step(self, at: int, step: Json) -> tuple[Plan, str]:
        """A step of the harness: its plan and the story's line for it."""
        op = step["op"]
        if op == "event":
            inner = self.function(f"event_{at}", step["body"], step.get("end"))
            return Plan("event", inner=inner), f"await play.event({at}, event_{at}, {step.get('label')!a})"
        if op == "parallel":
            return self.parallel(at, step)
        if op == "sleep":
            return Plan("sleep", void=True), f"await play.sleep({at}, {step['args'][0]})"
        if op == "log":
            return Plan("log"), f"play.log({at})"
        times = step.get("times")
        since = "since_previous" if times == "since_previous" else "since_start" if times else None
        waits = f"{step['count']}, {step.get('timeout_ms', 10000)}, {step.get('settle_ms', 0)}, {since!r}"
        return Plan("alarm.wait"), f"await play.alarm_wait({at}, {waits})"

    def parallel(self, at: int, step: Json) -> tuple[Plan, str]:
        """Calls started together: one function each."""
        plan = Plan("parallel")
        calls = []
        for number, event in enumerate(step["events"]):
            name = f"event_{at}_{number}"
            plan.events.append(self.function(name, event["body"], event.get("end")))
            calls.append(f"({event.get('at', 0)}, {name}, {event.get('label')!a})")
        return plan, f"await play.parallel({at}, {', '.join(calls)})"

    # ------------------------------------------------------------ steps inside the object

    def steps(self, steps: Sequence[Json], scope: Scope) -> list[Plan]:
        """Write the steps of one body."""
        return [self.step(step, scope) for step in steps]

    def step(self, step: Json, scope: Scope) -> Plan:
        """Write one step and plan it."""
        op = step["op"]
        self.writer.line(f"# {op}")
        if op == "tx.async":
            return self.transaction(step, scope)
        if op == "tx.sync":
            return self.transaction_sync(step, scope)
        if op == "block":
            return self.blocked(step, scope)
        if op == "ctx.waitUntil":
            return self.wait_until(step, scope)
        if op == "throw":
            return self.throw(step, scope)
        return self.call(step, scope)

    def call(self, step: Json, scope: Scope, begun: str | None = None) -> Plan:
        """An ordinary operation: evaluate, keep, record; or record the error. `begun` is its call, already made."""
        op, kept = step["op"], step.get("as")
        checked = checked_arguments(step, self.taint)
        plan = Plan(
            op, step.get("observe"), op in VOID and kept is None, frozenset(checked.lost), frozenset(checked.used)
        )
        if not checked.runs:
            self.writer.line(f"{scope.out}.append(MASKED)")
            return plan
        expression = begun or EXPRESSIONS[op](checked.texts, step, scope.txn)
        waits = op in ASYNC and step.get("await") is not False and not scope.sync
        held = op in ASYNC and not waits
        with self.writer.block("try:"):
            self.writer.line(f"value = {'await ' if waits else ''}{f'hold({expression})' if held else expression}")
            if kept is not None and op not in ("let", "txn.keep"):
                self.writer.line(f"CASE.kept[{kept!a}] = value")
            self.writer.line(f"{scope.out}.append({self.recorded(step, held)})")
        self.catch(scope.out, bool(step.get("propagate")))
        return plan

    def recorded(self, step: Json, held: bool) -> str:
        """The expression that records `value` as the step asks."""
        op, kept, observe = step["op"], step.get("as"), step.get("observe")
        if kept is not None and op in HANDLES:
            return f"{{'value': {{'$handle': {kept!a}}}}}"
        if held or op in ("sql.has", "storage.has"):
            return "value" if not held else "ok(value)"
        if observe == "t":
            return f"ok_time(value, {step.get('round_ms', 1)})"
        if observe == "nothing":
            return "NOTHING"
        if observe is None and op == "sql.exec":
            return "{'value': {'$js': 'Cursor'}}"
        return {None: "ok", "type": "ok_type", "length": "ok_length", "keys": "ok_keys"}[observe] + "(value)"

    def catch(self, out: str, propagate: bool) -> None:
        with self.writer.block("except Exception as error:"):
            self.writer.line(f"{out}.append(failed(error))")
            if propagate:
                self.writer.line("raise")

    def throw(self, step: Json, scope: Scope) -> Plan:
        """`throw new Error(message)` out of the body."""
        message = step.get("args", [""])[0]
        self.writer.line(f"error = Error({message!a})")
        self.writer.line(f"{scope.out}.append(failed(error))")
        self.writer.line("raise error")
        return Plan("throw")

    # ------------------------------------------------------------ steps with a body

    def opened(self, scope: Scope) -> tuple[int, str, str]:
        """The names of a nested record, already appended where the outer step records."""
        number = self.writer.fresh()
        self.writer.line(f"out_{number} = []")
        self.writer.line(f"record_{number} = {{'body': out_{number}}}")
        self.writer.line(f"{scope.out}.append(record_{number})")
        return number, f"out_{number}", f"record_{number}"

    def closed(self, record: str, propagate: bool) -> None:
        with self.writer.block("except Exception as error:"):
            self.writer.line(f"{record}.update(failed(error))")
            if propagate:
                self.writer.line("raise")

    def transaction(self, step: Json, scope: Scope) -> Plan:
        """`await storage.transaction(callback)`, or its promise kept."""
        number, out, record = self.opened(scope)
        with self.writer.block(f"async def transaction_{number}(txn):"):
            inner = self.steps(step["body"], Scope(out, txn=True))
            self.leave(step.get("end"))
        call = f"storage.transaction(transaction_{number})"
        with self.writer.block("try:"):
            if step.get("await") is False:
                self.writer.line(f"CASE.kept[{step.get('as')!a}] = hold({call})")
                self.writer.line(f"{record}['value'] = {{'$promise': True}}")
            else:
                self.writer.line(f"{record}['value'] = encode(await {call})")
        self.closed(record, bool(step.get("propagate")))
        return Plan("tx.async", void=not has_value(step), inner=inner)

    def transaction_sync(self, step: Json, scope: Scope) -> Plan:
        """`storage.transactionSync(callback)`; an async callback is a coroutine that the program then runs."""
        number, out, record = self.opened(scope)
        end = step.get("end")
        later = end.get("async") if isinstance(end, dict) else None
        with self.writer.block(f"def transaction_{number}():"):
            inner = self.steps(step["body"], Scope(out, txn=False, sync=True))
            self.leave(end)
            if later is not None:
                inner += self.asynchronous(f"later_{number}", later, out)
                self.writer.line(f"return later_{number}()")
        with self.writer.block("try:"):
            self.writer.line(f"value = hold(storage.transactionSync(transaction_{number}))")
            if later is not None:
                self.writer.line(f"CASE.kept[{step.get('as', 'tx')!a}] = value")
            self.writer.line(f"{record}['value'] = encode(value)")
        self.closed(record, bool(step.get("propagate")))
        return Plan("tx.sync", void=not has_value(step), inner=inner)

    def asynchronous(self, name: str, steps: Sequence[Json], out: str) -> list[Plan]:
        """
        A JavaScript async function called on the spot: what stands before its first await runs here and now.

        Writes those steps, begins the first call that gives a promise, and defines the coroutine function `name()`
        for the rest.
        """
        at = 0
        while at < len(steps) and runs_at_once(steps[at]):
            at += 1
        plans = [self.step(step, Scope(out, sync=True)) for step in steps[:at]]
        begun = None
        if at < len(steps) and is_call(steps[at]):
            begun = f"begun_{self.writer.fresh()}"
            checked = checked_arguments(steps[at], copy.deepcopy(self.taint))
            if checked.runs:
                expression = EXPRESSIONS[steps[at]["op"]](checked.texts, steps[at], False)
                self.writer.line(f"{begun} = begun(lambda: {expression})")
        with self.writer.block(f"async def {name}():"):
            if begun is not None:
                plans.append(self.call(steps[at], Scope(out), begun))
                at += 1
            plans += self.steps(steps[at:], Scope(out))
            self.writer.line("return 'done'")
        return plans

    def blocked(self, step: Json, scope: Scope) -> Plan:
        """`await ctx.blockConcurrencyWhile(callback)`."""
        number, out, record = self.opened(scope)
        with self.writer.block(f"async def block_{number}():"):
            inner = self.steps(step["body"], Scope(out, txn=scope.txn))
            self.leave({"throw": step["end"]["throw"]} if has_throw(step) else None)
        with self.writer.block("try:"):
            self.writer.line(f"await self.ctx.blockConcurrencyWhile(block_{number})")
            self.writer.line(f"{record}['value'] = None")
        self.closed(record, bool(step.get("propagate")))
        return Plan("block", void=True, inner=inner)

    def wait_until(self, step: Json, scope: Scope) -> Plan:
        """`workers.wait_until(coroutine)`: what the coroutine records is not part of the answer."""
        number = self.writer.fresh()
        self.writer.line(f"out_{number} = []")
        self.asynchronous(f"background_{number}", step["body"], f"out_{number}")
        with self.writer.block("try:"):
            self.writer.line(f"{scope.out}.append(ok(wait_until(background_{number}())))")
        self.catch(scope.out, bool(step.get("propagate")))
        return Plan("ctx.waitUntil", void=True)


def is_call(step: Json) -> bool:
    """Whether a step is one call that gives a promise and is awaited."""
    return step["op"] in ASYNC and step.get("await") is not False


def runs_at_once(step: Json) -> bool:
    """Whether a step of an async function has no await in it and cannot leave the function."""
    bodies = {"tx.async", "tx.sync", "block", "ctx.waitUntil", "throw"}
    return not is_call(step) and step["op"] not in bodies and not step.get("propagate")


def has_value(step: Json) -> bool:
    """Whether a transaction's callback returns a value of the case."""
    end = step.get("end")
    return isinstance(end, dict) and ("value" in end or "async" in end) and not is_tag(end.get("value"), "$undefined")


def has_throw(step: Json) -> bool:
    """Whether a body ends by throwing."""
    return isinstance(step.get("end"), dict) and "throw" in step["end"]


def compile_case(case: Json) -> Program:
    """Compile one case; ValueError or KeyError where the case leaves the format."""
    return Compiler(case).program()
