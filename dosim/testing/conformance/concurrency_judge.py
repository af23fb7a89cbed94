"""
Compares what a compiled concurrency case answered with what the real runtime answered.

The log is compared entry by entry in order, times rounded as the format says. A masked region stands for any run of
entries; entries that hold a masked value are compared outside of it. Every adaptation rule that was needed is noted,
and may be needed only where the case contains a construct that triggers it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import cast

from dosim.testing.conformance import rules
from dosim.testing.conformance.concurrency_masks import Json, constructs, operations

FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")
#: The constructs without which a rule cannot apply. Absent: reading any value triggers it.
TRIGGERS: dict[str, frozenset[str]] = {
    rules.FETCH_ERROR.id: frozenset({"fetch", "fetch_status", "ext", "ws_connect"}),
    rules.MISSING_METHOD.id: frozenset({"rpc", "rpc_get", "invoke_method", "fetch", "fetch_status", "ws_connect"}),
    rules.USER_ERROR.id: frozenset({"throw", "throw_value", "$error", "abort"}),
    rules.ERROR_VALUE.id: frozenset({"$error", "try"}),
    rules.ABORT_UNWINDS.id: frozenset({"abort"}),
    rules.BYTES.id: frozenset({"$buffer", "$bytes"}),
}
#: In the last line of a traceback: a JavaScript error that an object caught and raised again, its flags left behind.
PASSED_ON = "JsException: "
#: Operations that give a result whose absence is undefined.
RETURNS = ("return", "return_op")


@dataclass(slots=True)
class Verdict:
    """The outcome of one comparison: the first difference, and what was needed to get that far."""

    used: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    masked_steps: int = 0
    judged: int = 0
    where: str = ""
    expected: Json = None
    got: Json = None

    @property
    def differs(self) -> bool:
        return bool(self.where)

    def difference(self, where: str, expected: Json, got: Json) -> None:
        if not self.where:
            self.where, self.expected, self.got = where, expected, got


def normal_text(text: str) -> str:
    """A message without what no simulator gives: the random reference, SQLite's offset."""
    text = re.sub(r"reference = [a-z0-9]+", "reference = *", text)
    return re.sub(r" at offset \d+", "", text)


def is_thrown_value(error: Json) -> bool:
    """Whether an encoded error stands for a thrown value that is no Error."""
    return isinstance(error, dict) and "masked.NotAnError" in f"{error.get('class')} {error.get('text')}"


def rounded(ms: Json, unit: int) -> Json:
    return int((float(ms) + unit / 5) // unit) * unit if isinstance(ms, (int, float)) else None


class Judge:
    """Compares one answer of one case."""

    def __init__(self, case: dict[str, Json], unit_ms: int) -> None:
        self.verdict = Verdict()
        self.present = constructs([case.get("objects"), case.get("steps")])
        self.order_only = bool(case.get("order_only"))
        self.unit_ms = unit_ms
        self.steps = cast("list[dict[str, Json]]", case["steps"])
        self.masks_met = 0

    # -- rules

    def use(self, rule: rules.Rule) -> bool:
        """Note a rule; False when no construct of the case triggers it."""
        triggers = TRIGGERS.get(rule.id)
        if triggers is not None and not (triggers & self.present):
            return False
        self.verdict.used.add(rule.id)
        return True

    def mask(self, reason: Json) -> bool:
        """Note a reason: what is compared just now is not judged."""
        self.verdict.masked.add(str(reason))
        self.masks_met += 1
        return True

    # -- values

    def same(self, expected: Json, got: Json) -> bool:
        """Whether a recorded value and an encoded Python value are one; notes rules and masks."""
        if isinstance(got, dict) and "$masked" in got:
            return self.mask(got["$masked"])
        if isinstance(got, dict) and "$error" in got and is_thrown_value(got["$error"]):
            return self.mask(rules.THROWN_VALUE.id)
        if isinstance(got, dict) and "$time" in got:
            return isinstance(expected, int) and self.same_time(rounded(expected, self.unit_ms), got["$time"])
        if expected == {"$undefined": True}:
            return got is None and self.use(rules.NONE)
        if isinstance(expected, dict) and "$bigint" in expected and isinstance(got, int):
            return str(got) == expected["$bigint"] and self.use(rules.NUMBER)
        if isinstance(expected, dict):
            return self.same_tagged(expected, got)
        if isinstance(expected, list):
            if not isinstance(got, list) or len(expected) != len(got):
                return False
            return all(self.same(one, other) for one, other in zip(expected, got, strict=True))
        if isinstance(expected, bool) or isinstance(got, bool) or not isinstance(expected, str):
            return type(expected) is type(got) and expected == got
        return isinstance(got, str) and normal_text(expected) == normal_text(got)

    def same_tagged(self, expected: dict[str, Json], got: Json) -> bool:
        if not isinstance(got, dict):
            return False
        if "$error" in expected:
            return "$error" in got and self.same_error(cast("dict[str, Json]", expected["$error"]), got["$error"])
        if "$view" in got:
            return self.same_error(expected, got["$view"])
        if "$map" in expected:
            return self.same_pairs(expected["$map"], got.get("$dict")) and self.use(rules.DICT)
        if "$buffer" in expected:
            return expected["$buffer"] == got.get("$bytes") and self.use(rules.BYTES)
        if "$set" in expected:
            return self.same_set(expected["$set"], got.get("$set"))
        if "$date" in expected:
            return expected == got and self.use(rules.DATE)
        if len(expected) == 1 and next(iter(expected)).startswith("$"):
            return expected == got
        return self.same_pairs([[key, value] for key, value in expected.items()], got.get("$dict"))

    def same_pairs(self, expected: Json, got: Json) -> bool:
        if not isinstance(expected, list) or not isinstance(got, list) or len(expected) != len(got):
            return False
        pairs = zip(cast("list[list[Json]]", expected), cast("list[list[Json]]", got), strict=True)
        return all(one[0] == other[0] and self.same(one[1], other[1]) for one, other in pairs)

    def same_set(self, expected: Json, got: Json) -> bool:
        if not isinstance(expected, list) or not isinstance(got, list) or len(expected) != len(got):
            return False
        left = list(got)
        for item in expected:
            match = next((other for other in left if self.same(item, other)), None)
            if match is None:
                return False
            left.remove(match)
        return self.use(rules.SET)

    # -- errors

    def same_error(self, expected: dict[str, Json], got: Json) -> bool:
        """An error: its name and message in the Python text, and its flags."""
        if not isinstance(got, dict):
            return False
        text = normal_text(str(got["text"]))
        last = (text.strip().splitlines() or [""])[-1]
        kind = str(got["class"])
        if is_thrown_value(got):
            return self.mask(rules.THROWN_VALUE.id)
        if "name" not in expected:
            return False
        own_properties = kind.startswith("masked.") or "masked." in last
        name, message = str(expected["name"]), normal_text(str(expected["message"]))
        if not self.same_text(name, message, kind, text, bool(got.get("js"))):
            return False
        if kind.endswith("AbortError"):
            return self.use(rules.FETCH_ERROR)
        if own_properties:
            return self.mask(rules.ERROR_PROPERTIES.id)
        absent = [flag for flag in FLAGS if bool(expected.get(flag)) != bool(got.get(flag))]
        if absent and "remote" not in absent and PASSED_ON in last and "Traceback" in text:
            return self.mask(rules.ERROR_PROPERTIES.id)
        return not absent

    def same_text(self, name: str, message: str, kind: str, text: str, from_javascript: bool) -> bool:
        """Whether the text says name and message: as JavaScript does, or as the last line of a Python traceback."""
        full = f"{name}: {message}" if message else name
        if kind.endswith("AbortError"):
            return self.ends_with(text, name, message) or text.strip() == message or self.missing_method(message, text)
        if not from_javascript:
            return self.local_error(name, message, kind, text)
        if text == full:
            return True
        if self.missing_method(message, text):
            return True
        return self.ends_with(text, name, message) and "Traceback" in text and self.use(rules.USER_ERROR)

    def ends_with(self, text: str, name: str, message: str) -> bool:
        folded = name == "Error" and re.match(r"\w+: ", message)
        full = message if folded else f"{name}: {message}" if message else name
        body = text.rstrip("\n")
        before = body[: -len(full)] if body.endswith(full) else None
        return before is not None and (not before or not re.search(r"\w\Z", before))

    def local_error(self, name: str, message: str, kind: str, text: str) -> bool:
        """An exception that is no JsException: raised here, or an Error that came as a value."""
        if kind.rpartition(".")[2] == name and text == message:
            return True
        if kind == "builtins.Exception":
            return (text.endswith(f": {message}") or text == message) and self.use(rules.ERROR_VALUE)
        return False

    def missing_method(self, message: str, text: str) -> bool:
        patterns = (r'The RPC receiver does not implement the method "(.*)"\.', r'"(.*)" is not a function\.')
        if message == "Handler does not export a fetch() function.":
            name = "fetch"
        elif match := next((found for pattern in patterns if (found := re.fullmatch(pattern, message))), None):
            name = match.group(1)
        else:
            return False
        return text.strip().endswith(f"Method {name} does not exist") and self.use(rules.MISSING_METHOD)

    # -- log and results

    def judge(self, expected: dict[str, Json], got: dict[str, Json], step_reasons: dict[int, str]) -> Verdict:
        """Compare a whole answer; `step_reasons` are the steps that did not run."""
        self.verdict.masked.update(step_reasons.values())
        self.verdict.masked_steps += len(step_reasons)
        if len(step_reasons) < len(self.steps):
            self.log(self.expected_log(expected, step_reasons), cast("list[list[Json]]", got["log"]))
        results = zip(cast("list[Json]", expected["results"]), cast("list[Json]", got["results"]), strict=True)
        for index, (one, other) in enumerate(results):
            if index not in step_reasons:
                self.result(index, cast("dict[str, Json]", one), cast("dict[str, Json]", other))
        return self.verdict

    def expected_log(self, expected: dict[str, Json], step_reasons: dict[int, str]) -> list[list[Json]]:
        """The recorded log without what steps that did not run wrote."""
        absent = {self.steps[index]["req"] for index in step_reasons}
        return [entry for entry in cast("list[list[Json]]", expected["log"]) if entry[2] not in absent]

    def log(self, expected: list[list[Json]], got: list[list[Json]]) -> None:
        """Compare two logs. A region matches the fewest entries that let the next entry match."""
        kept = [entry for entry in got if len(entry) == 4]
        if len(kept) < len(got):
            self.use(rules.ABORT_UNWINDS)
        position = 0
        open_region: Json = None
        for entry in kept:
            if isinstance(entry[3], dict) and (reason := entry[3].get("$masked_region")):
                self.mask(reason)
                self.verdict.masked_steps += 1
                open_region = entry
                continue
            found = self.next_match(expected, position, entry, open_region)
            if found is None:
                missing = expected[position] if position < len(expected) else None
                self.verdict.difference(f"log[{position}]", missing, cast(Json, entry))
                return
            position, open_region = found + 1, None
        if position < len(expected) and not open_region:
            self.verdict.difference(f"log[{position}]", cast(Json, expected[position]), None)

    def next_match(self, expected: list[list[Json]], position: int, entry: list[Json], region: Json) -> int | None:
        last = len(expected) if region else min(position + 1, len(expected))
        for index in range(position, last):
            if self.entry(expected[index], entry):
                return index
        return None

    def entry(self, expected: list[Json], got: list[Json]) -> bool:
        masked_before, used_before, met_before = set(self.verdict.masked), set(self.verdict.used), self.masks_met
        if expected[1:3] == got[1:3] and self.same_time(expected[0], got[0]) and self.same(expected[3], got[3]):
            self.count(met_before)
            return True
        self.verdict.masked, self.verdict.used, self.masks_met = masked_before, used_before, met_before
        return False

    def count(self, met_before: int) -> None:
        """One more comparison came out the same: judged, unless something in it was masked."""
        if self.masks_met > met_before:
            self.verdict.masked_steps += 1
        else:
            self.verdict.judged += 1

    def same_time(self, expected: Json, got: Json) -> bool:
        return self.order_only or expected is None or expected == rounded(got, self.unit_ms)

    def result(self, index: int, expected: dict[str, Json], got: dict[str, Json]) -> None:
        where = f"results[{index}]"
        if not self.same_time(expected.get("t"), got.get("t")) or expected.get("req") != got.get("req"):
            self.verdict.difference(where, cast(Json, expected), cast(Json, got))
            return
        met_before = self.masks_met
        if expected.get("value") == {"$undefined": True} and not returns(self.steps[index]["do"]):
            # A step without `return` gives undefined, in Python None: nothing to adapt, nothing to judge by itself.
            same = "value" in got and got["value"] is None
        elif "value" in expected and "value" in got:
            same = self.same(expected["value"], got["value"])
            self.count(met_before)
        elif "error" in expected and "error" in got:
            same = self.same_error(cast("dict[str, Json]", expected["error"]), got["error"])
            self.count(met_before)
        elif "thrown" in expected and "error" in got:
            same = self.same_error({"thrown": expected["thrown"]}, got["error"])
            self.count(met_before)
        else:
            same = bool(expected.get("pending")) and bool(got.get("pending"))
            self.verdict.judged += 1
        if not same:
            self.verdict.difference(where, cast(Json, expected), cast(Json, got))


def returns(program: Json) -> bool:
    """Whether a program returns a value of its own."""
    for op in operations(program):
        if op[0] in RETURNS:
            return True
        if op[0] in ("if", "try", "repeat", "foreach") and any(returns(part) for part in op[1:]):
            return True
    return False
