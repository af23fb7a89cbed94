"""
What of a concurrency case Python Workers cannot say, found in the program before it is compiled.

An operation that cannot be said is masked with the smallest `try` around it (what a `try` would catch or log is then
open), otherwise with its step. A method that contains such an operation masks the steps that call it. The reasons are
the closed list of `rules`; the constructs that trigger them are in `direct_reason`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from dosim.testing.conformance import rules

Json = object
Program = list[Json]

#: Members every JavaScript object has; on a stub they resolve locally and never reach the object.
JAVASCRIPT_MEMBERS = frozenset(
    {"constructor", "toString", "hasOwnProperty", "valueOf", "isPrototypeOf", "toLocaleString", "propertyIsEnumerable"}
)
HANDLERS = ("fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError")
#: Position (from 1) of the nested programs of each operation; a list of programs is marked by a negative position.
NESTED: dict[str, tuple[int, ...]] = {
    "try": (1, 3, 4),
    "if": (2, 3),
    "repeat": (3,),
    "foreach": (3,),
    "spawn": (2,),
    "detach": (1,),
    "waituntil": (1,),
    "set_timeout": (2,),
    "block": (1,),
    "block_nested": (2,),
    "txn": (1,),
    "call": (2,),
    "gather": (-1,),
    "gather_settled": (-1,),
    "race": (-1,),
}
#: Position of the listeners of an operation: {kind: program}, each a function of its own.
LISTENERS = {"ws_accept_std": 2}
#: Operations whose second argument, not the first, refers to an object.
REFERENCE_SECOND = frozenset({"stub", "ws_connect"})
#: Expressions that have no Python value that could cross.
REASON_OF_EXPRESSION = {
    "$symbol": rules.SYMBOL.id,
    "$target": rules.RPC_TARGET.id,
    "$unclonable": rules.CLASS_INSTANCE.id,
    "$cyclic": rules.CYCLE.id,
}
#: Reasons that leave a value unknown instead of ending the program: outside `try` the operation succeeded.
VALUE_REASONS = frozenset({rules.PROPERTY_READ.id, rules.CYCLE.id, rules.MAP_KEYS.id})
#: Position of an operation that is an argument.
INNER_OPERATION = {"let": 2, "return_op": 1}


class RegionMasked(Exception):
    """Raised to the nearest `try` of the program, or to the step or method when there is none."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Masks:
    """The case with its masked parts replaced."""

    objects: dict[str, dict[str, Json]]
    steps: list[dict[str, Json]]
    step_reasons: dict[int, str] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)


def constructs(value: Json) -> set[str]:
    """Every operation name and `$expression` key in a case or a part of it; also `method:` and `option:` marks."""
    found: set[str] = set()
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            if item and isinstance(item[0], str):
                found.add(item[0])
            stack.extend(item)
        elif isinstance(item, dict):
            found.update(key for key in item if key.startswith("$"))
            stack.extend(item.values())
    return found


def operations(program: Json) -> Iterator[list[Json]]:
    """The operations of a program; nothing for what is no program."""
    for op in program if isinstance(program, list) else ():
        if isinstance(op, list) and op:
            yield op


def expression_keys(value: Json) -> Iterator[str]:
    """The `$` keys of an expression, not looking into the programs of `$fn` and `$target`."""
    if isinstance(value, list):
        for item in value:
            yield from expression_keys(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("$"):
                yield key
            if key not in ("$fn", "$target"):
                yield from expression_keys(item)


def own_arguments(op: list[Json]) -> list[Json]:
    """The arguments of an operation that are expressions of its own: no nested programs or operations."""
    name = str(op[0])
    skipped = {abs(position) for position in NESTED.get(name, ())}
    skipped |= {INNER_OPERATION.get(name, 0), LISTENERS.get(name, 0)}
    return [argument for position, argument in enumerate(op) if position and position not in skipped]


def unhashable_or_not_text(value: Json) -> bool:
    """Whether an expression holds a Map with keys that are no text, or a Set of what Python cannot hash."""
    if isinstance(value, list):
        return any(unhashable_or_not_text(item) for item in value)
    if not isinstance(value, dict):
        return False
    if isinstance(pairs := value.get("$map"), list) and not all(isinstance(pair[0], str) for pair in pairs):
        return True
    if isinstance(items := value.get("$set"), list) and any(isinstance(item, (list, dict)) for item in items):
        return True
    return any(unhashable_or_not_text(item) for key, item in value.items() if key not in ("$fn", "$target"))


def functions_in(value: Json) -> Iterator[dict[str, Json]]:
    """The `$fn` definitions among the expressions of an operation."""
    if isinstance(value, list):
        for item in value:
            yield from functions_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$fn" and isinstance(item, dict):
                yield item
            else:
                yield from functions_in(item)


class Masker:
    """Rewrites the programs of one case."""

    def __init__(self, objects: dict[str, dict[str, Json]]) -> None:
        self.objects = objects
        self.tainted_methods: dict[str, str] = {}
        self.tainted_classes: dict[str, str] = {
            name: rules.NO_BASE.id
            for name, definition in objects.items()
            if isinstance(options := definition.get("options"), dict) and options.get("base") == "none"
        }
        self.reasons: set[str] = set()

    def class_reason(self, reference: Json) -> str | None:
        if isinstance(reference, str):
            return self.tainted_classes.get(reference.partition(":")[0])
        return None

    def direct_reason(self, op: list[Json]) -> str | None:
        """Why this operation itself cannot be said in Python, or None."""
        name = str(op[0])
        if name == "rpc_get":
            return rules.PROPERTY_READ.id
        if name == "pipeline":
            return rules.PIPELINING.id
        if name == "rpc" and str(op[2]) in JAVASCRIPT_MEMBERS:
            return rules.JAVASCRIPT_MEMBER.id
        if name == "rpc" and str(op[2]) in self.tainted_methods:
            return self.tainted_methods[str(op[2])]
        if name in ("put", "put_noawait", "kv_put") and len(op) > 2 and op[2] == {"$undefined": True}:
            return rules.PUT_UNDEFINED.id
        if len(op) > 1 and (reason := self.class_reason(op[1])):
            return reason
        if name in REFERENCE_SECOND and (reason := self.class_reason(op[2])):
            return reason
        keys = set(expression_keys(own_arguments(op)))
        if name != "log" and any(unhashable_or_not_text(argument) for argument in own_arguments(op)):
            return rules.MAP_KEYS.id
        return next((reason for key, reason in REASON_OF_EXPRESSION.items() if key in keys), None)

    def program(self, program: Json) -> Program:
        """The program with its masked parts replaced; raises `RegionMasked` when no `try` encloses one."""
        return [self.operation(list(op)) for op in program] if isinstance(program, list) else []

    def operation(self, op: list[Json]) -> Json:
        name = str(op[0])
        if name.startswith("$masked"):
            return op
        if name == "try":
            return self.try_operation(op)
        reason = self.direct_reason(op)
        if reason in VALUE_REASONS:
            self.reasons.add(reason)
            if name == "ws_attach":  # a stand-in, so that reading it is masked too
                return [*op[:2], {"$masked": reason}]
            return ["$masked_value", reason]
        if reason:
            raise RegionMasked(reason)
        for definition in functions_in(own_arguments(op)):
            definition["do"] = self.program(definition.get("do"))
        return self.rewritten(op)

    def rewritten(self, op: list[Json]) -> list[Json]:
        name = str(op[0])
        for position in NESTED.get(name, ()):
            index = abs(position)
            if index < len(op) and isinstance(programs := op[index], list):
                op[index] = [self.program(part) for part in programs] if position < 0 else self.program(programs)
        position = LISTENERS.get(name, len(op))
        if position < len(op) and isinstance(handlers := op[position], dict):
            op[position] = {kind: self.program(heard) for kind, heard in handlers.items() if isinstance(heard, list)}
        if (inner := INNER_OPERATION.get(name)) and isinstance(argument := op[inner], list):
            op[inner] = self.operation(list(argument))
        return op

    def try_operation(self, op: list[Json]) -> Json:
        if reason := self.reads_masked_value(op[1]):
            self.reasons.add(reason)
            return ["$masked_region", reason, op]
        try:
            return self.rewritten(list(op))
        except RegionMasked as masked:
            self.reasons.add(masked.reason)
            return ["$masked_region", masked.reason, op]

    def reads_masked_value(self, program: Json) -> str | None:
        """The reason when a `try` body asks for a value Python cannot have: it may throw, so all the `try` is open."""
        for op in operations(program):
            inner = op[position] if (position := INNER_OPERATION.get(str(op[0]))) else op
            if not isinstance(inner, list) or str(inner[0]).startswith("$"):
                continue
            reason = self.direct_reason(inner)
            if reason in VALUE_REASONS:
                return reason
        return None

    def definitions(self) -> dict[str, dict[str, Json]]:
        """The classes rewritten; methods that cannot be said are left out and their callers masked."""
        while True:
            before = (len(self.tainted_methods), len(self.tainted_classes))
            classes = {name: self.definition(name, given) for name, given in self.objects.items()}
            if before == (len(self.tainted_methods), len(self.tainted_classes)):
                return classes

    def definition(self, name: str, given: dict[str, Json]) -> dict[str, Json]:
        done = dict(given)
        for part in ("ctor", *HANDLERS):
            if part in given:
                try:
                    done[part] = self.program(given[part])
                except RegionMasked as masked:
                    self.tainted_classes[name] = masked.reason
        methods: dict[str, Json] = {}
        given_methods = given.get("methods")
        for method, body in given_methods.items() if isinstance(given_methods, dict) else ():
            try:
                methods[method] = {**body, "do": self.program(body.get("do"))}
            except RegionMasked as masked:
                self.tainted_methods[method] = masked.reason
        done["methods"] = methods
        return done


def mask_case(objects: dict[str, dict[str, Json]], steps: list[dict[str, Json]]) -> Masks:
    """The case with everything masked that Python Workers cannot say."""
    steps = deepcopy(steps)
    masker = Masker(deepcopy(objects))
    masks = Masks(masker.definitions(), [])
    for index, step in enumerate(steps):
        try:
            if reason := masker.class_reason(step.get("to")):
                raise RegionMasked(reason)
            masks.steps.append({**step, "do": masker.program(step["do"])})
        except RegionMasked as masked:
            masks.step_reasons[index] = masked.reason
            masks.steps.append(step)
    masks.reasons = masker.reasons | set(masks.step_reasons.values())
    return masks
