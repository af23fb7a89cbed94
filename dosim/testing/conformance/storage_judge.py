"""
Compares what a compiled storage program answered with what the runtime printed, step by step.

A step with a mask is not compared. The first difference decides; its path reads like `step 3 kv.get` or
`step 2 event > step 1 tx.async > step 0 txn.put`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dosim.testing.conformance import rules
from dosim.testing.conformance.storage_arguments import Json
from dosim.testing.conformance.storage_canon import (
    TYPE_NAMES,
    Expected,
    got_value,
    message_text,
    same_value,
)
from dosim.testing.conformance.storage_program import Plan, Program

#: A retry comes after its base time 1.00 to 1.25 times; the program's clock reads whole milliseconds.
RETRY_RATIO = 1.25
CLOCK_STEP_MS = 1

#: Operations that read the alarm: on a class without alarm() the accepted time stays readable.
ALARM_READS = frozenset({"alarm.get", "txn.getAlarm"})


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the answers part, and the two sides."""

    where: str
    expected: Json
    got: Json


@dataclass(slots=True)
class Judge:
    """The verdict on one case, gathered step by step; `differences` keeps the first only."""

    program: Program
    used: set[rules.Rule] = field(default_factory=set)
    lost: set[rules.Rule] = field(default_factory=set)
    masked: int = 0
    informative: int = 0
    difference: Difference | None = None
    alarm_runs: int = 0

    # ------------------------------------------------------------ the story

    def story(self, steps: list[Plan], expected: list[Json], got: dict[int, Json]) -> None:
        """Judge every step of the story."""
        for at, plan in enumerate(steps):
            where = f"step {at} {plan.op}"
            if plan.op == "restart":
                self.alarm_runs = 0
            elif at not in got:
                self.differs(where, expected[at], "never played")
            else:
                self.step(where, plan, expected[at], got[at])

    def step(self, where: str, plan: Plan, expected: Json, got: Json) -> None:
        """Judge one step of the story or of a body."""
        if plan.op == "event":
            self.event(where, plan.inner, expected, got)
        elif plan.op == "parallel":
            self.parallel(where, plan, expected["value"], got["value"])
        elif plan.op == "alarm.wait":
            self.alarms(where, expected["value"]["runs"], got["value"]["runs"])
        elif plan.op == "log":
            self.log(where, expected["value"], got["value"])
        else:
            self.inside(where, plan, expected, got)

    def event(self, where: str, inner: list[Plan], expected: Json, got: Json) -> None:
        """A call into the object: its recorded steps, then what the caller saw."""
        self.body(where, inner, expected["body"], got["body"])
        self.outcome(f"{where} > caller", Plan("caller", void=True), expected, got)

    def parallel(self, where: str, plan: Plan, expected: Json, got: Json) -> None:
        """Calls started together, and the order in which they ended."""
        for at, inner in enumerate(plan.events):
            self.event(f"{where} > event {at}", inner, expected["events"][at], got["events"][at])
        self.exactly(f"{where} > finish_order", expected["finish_order"], got["finish_order"])

    def alarms(self, where: str, expected: list[Json], got: list[Json]) -> None:
        """All alarm runs since the last wait."""
        first = self.alarm_runs
        for at, (wanted, run) in enumerate(zip(expected, got, strict=False)):
            inner = self.program.alarms[min(first + at, len(self.program.alarms) - 1)]
            here = f"{where} > run {first + at}"
            self.exactly(f"{here} > info", wanted["info"], run["info"])
            self.body(here, inner, wanted["body"], run["body"])
            self.exactly(f"{here} > end", wanted["end"], run["end"])
            for key in ("since_start", "since_previous_end"):
                if key in wanted:
                    self.time(f"{here} > {key}", wanted[key], run.get(key))
        self.exactly(f"{where} > number of runs", len(expected), len(got))
        self.alarm_runs = first + len(got)

    def time(self, where: str, band: Json, got: Json) -> None:
        """A measured time inside its recorded band."""
        self.used.add(rules.TIME_BAND)
        ms = None if got is None else got["ms"]
        if band["kind"] == "immediate":
            inside = ms is not None and -CLOCK_STEP_MS <= ms <= band["max_ms"]
        else:
            low, high = band["ratio"]
            high = RETRY_RATIO if band["kind"] == "retry" else high
            base = band["base_ms"]
            inside = ms is not None and base * low - CLOCK_STEP_MS <= ms <= base * high + CLOCK_STEP_MS
        if not inside:
            self.differs(where, band, ms)

    def log(self, where: str, expected: list[Json], got: list[Json]) -> None:
        """The order of the object's life, with what each constructor recorded."""
        number = 0
        for at, (wanted, entry) in enumerate(zip(expected, got, strict=False)):
            if isinstance(wanted, dict) and isinstance(entry, dict):
                plans = self.program.constructors[min(number, len(self.program.constructors) - 1)]
                self.body(f"{where} > constructor {number}", plans or [], wanted["constructor"], entry["constructor"])
            else:
                self.exactly(f"{where} > entry {at}", wanted, entry)
            number += wanted == "constructor" or isinstance(wanted, dict)
        if len(expected) != len(got):
            self.differs(where, expected, got)

    # ------------------------------------------------------------ inside the object

    def body(self, where: str, plans: list[Plan], expected: list[Json], got: list[Json]) -> None:
        """The results of one body; fewer than steps means that the rest never ran."""
        for at, (wanted, answer) in enumerate(zip(expected, got, strict=False)):
            self.inside(f"{where} > step {at} {plans[at].op}", plans[at], wanted, answer)
        if len(expected) != len(got):
            self.differs(f"{where} > number of results", len(expected), [len(got), got[-1:]])

    def inside(self, where: str, plan: Plan, expected: Json, got: Json) -> None:
        """One step inside the object, with its inner body where it has one."""
        if plan.masked:
            self.mask(plan, plan.masked)
            return
        if "never ran" in got:
            self.differs(where, expected, got)
            return
        if "body" in expected:
            self.body(where, plan.inner, expected["body"], got.get("body", []))
        self.used |= plan.used
        self.outcome(where, plan, expected, got)

    def mask(self, plan: Plan, reasons: frozenset[rules.Rule] | set[rules.Rule]) -> None:
        self.lost |= reasons
        self.masked += 1
        self.informative += 1

    def outcome(self, where: str, plan: Plan, expected: Json, got: Json) -> None:
        """The value or error of a step."""
        if not self.program.alarm_handler and self.without_alarm_handler(plan, expected, got):
            self.used.add(rules.NO_ALARM_HANDLER)
            return
        if "thrown" in expected.get("error", {}):
            self.mask(plan, {rules.THROWN_VALUE})
        elif "error" in expected:
            self.informative += 1
            self.error(where, expected["error"], got)
        elif "value" not in expected and "body" in expected:  # cut off by a reset
            self.unfinished(where, expected, got)
        else:
            self.value(where, plan, expected.get("value"), got)

    def without_alarm_handler(self, plan: Plan, expected: Json, got: Json) -> bool:
        """Whether the difference is only that Python accepts an alarm on a class without alarm()."""
        refused = "must have an alarm() handler" in expected.get("error", {}).get("message", "")
        return (refused and got.get("value", "") is None) or (plan.op in ALARM_READS and "value" in got)

    def value(self, where: str, plan: Plan, expected: Json, got: Json) -> None:
        """A recorded value against the program's."""
        canon = Expected()
        wanted = self.type_name(expected) if plan.observe == "type" else canon.value(expected)
        if canon.lost:
            self.mask(plan, canon.lost)
            return
        self.informative += not plan.void
        if plan.void:
            canon.used.discard(rules.NONE)
        self.used |= canon.used
        if "value" not in got or not same_value(wanted, got_value(got["value"])):
            self.differs(where, {"value": expected}, got)

    def unfinished(self, where: str, expected: Json, got: Json) -> None:
        """A transaction or section that an abort or reset cut off: neither value nor error on both sides."""
        if "value" in got or "error" in got:
            self.differs(where, expected, got)

    def type_name(self, name: str) -> str:
        self.used.add(rules.TYPE_NAME)
        return TYPE_NAMES.get(name, name)

    def error(self, where: str, expected: Json, got: Json) -> None:
        """A recorded error: name, message and flags, under the rules for messages and for user errors."""
        error = got.get("error")
        wanted = message_text(expected["message"])
        if wanted != expected["message"] or "reference = " in wanted:
            self.used.add(rules.MESSAGE_TAIL)
        if error is None or error.get("flags", {}) != expected.get("flags", {}):
            self.differs(where, {"error": expected}, got)
            return
        message = message_text(error["message"])
        if error["name"] == "PythonError":
            self.used.add(rules.USER_ERROR)
            matches = message.rstrip().endswith(f"{expected['name']}: {wanted}")
        else:
            matches = error["name"] == expected["name"] and message == wanted
        if not matches:
            self.differs(where, {"error": expected}, got)

    # ------------------------------------------------------------ verdict

    def exactly(self, where: str, expected: Json, got: Json) -> None:
        if expected != got:
            self.differs(where, expected, got)

    def differs(self, where: str, expected: Json, got: Json) -> None:
        if self.difference is None:
            self.difference = Difference(where, expected, got)
