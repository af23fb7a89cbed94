"""
A recorded concurrency case as a Python Workers project: the text of `src/entry.py` and `wrangler.jsonc`.

Every class of the case becomes a Durable Object class bound under its own name; programs that one object sends to
another become methods all classes share; the client's steps become one request of `Default.fetch`, except steps with
`own_request`, which are requests of their own. Nothing is interpreted at run time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dosim.testing.conformance.concurrency_expressions import Frame, Scope, assigned, identifier, is_plain_attribute
from dosim.testing.conformance.concurrency_masks import Json, Masks, Program, constructs, mask_case, operations
from dosim.testing.conformance.concurrency_prelude import PRELUDE, STORY
from dosim.testing.conformance.concurrency_sockets import SOCKET_HELPERS, SocketOperations, uses_sockets
from dosim.testing.conformance.rules import ARITY, FAILING_CONSTRUCTOR

DEFAULT_DATE = "2026-04-01"
DEFAULT_LIMIT_MS = 8000
#: Operations whose first argument is a namespace.
NAMESPACE_OPERATIONS = frozenset(
    {"id_from_name", "id_from_string", "new_unique_id", "get_stub", "get_by_name", "jurisdiction"}
)
#: Handlers with their parameters: (Python parameter, variables it gives).
HANDLER_PARAMETERS: dict[str, tuple[str, dict[str, str]]] = {
    "fetch": (
        "request",
        {
            "url": "request.url",
            "path": 'urlsplit(request.url).path or "/"',
            "method": "str(request.method)",
            "query": "{key: values[-1] for key, values in parse_qs(urlsplit(request.url).query, True).items()}",
        },
    ),
    "alarm": (
        "info=None",
        {"info": 'None if info is None else {"retryCount": info.retryCount, "isRetry": info.isRetry}'},
    ),
    "webSocketMessage": ("ws, message", {"ws": "ws", "message": "received(message)"}),
    "webSocketClose": (
        "ws, code, reason, wasClean",
        {"ws": "ws", "code": "code", "reason": "reason", "wasClean": "wasClean"},
    ),
    "webSocketError": ("ws, error", {"ws": "ws", "error": "plain(error)"}),
}
HANDLER_REQ = {"webSocketMessage": "wsMessage", "webSocketClose": "wsClose", "webSocketError": "wsError"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A case ready to run."""

    entry: str
    wrangler: dict[str, object]
    steps: list[dict[str, Json]]
    own_steps: tuple[int, ...]
    prevent_eviction: tuple[str, ...]
    constructs: frozenset[str]
    rules: frozenset[str]
    masks: Masks

    def write(self, folder: Path) -> None:
        """Write the project into an existing folder."""
        (folder / "src").mkdir(exist_ok=True)
        (folder / "src" / "entry.py").write_text(self.entry, encoding="utf-8")
        (folder / "wrangler.jsonc").write_text(json.dumps(self.wrangler, indent=2), encoding="utf-8")


def compile_case(case: dict[str, Json], date: str | None = None) -> Compiled:
    """
    The project of a case, at the case's compatibility date or another.

    Raises ValueError for an operation or expression the language does not have.
    """
    objects = cast("dict[str, dict[str, Json]]", case.get("objects") or {})
    steps = cast("list[dict[str, Json]]", case["steps"])
    names = class_names(objects, steps)
    masks = mask_case({name: objects.get(name, {}) for name in names}, steps)
    writer = Writer(masks, calls_by_arity(case))
    entry = writer.entry(int(str(case.get("limit", DEFAULT_LIMIT_MS))), int(str(case.get("settle", 0))))
    return Compiled(
        entry,
        wrangler(case, names, objects, date),
        masks.steps,
        tuple(writer.own_steps),
        tuple(name for name in names if option(objects, name, "preventEviction")),
        frozenset(constructs([objects, steps])),
        frozenset(writer.rules),
        masks,
    )


def option(objects: dict[str, dict[str, Json]], name: str, key: str) -> Json:
    options = objects.get(name, {}).get("options")
    return options.get(key) if isinstance(options, dict) else None


def wrangler(
    case: dict[str, Json], names: list[str], objects: dict[str, dict[str, Json]], date: str | None
) -> dict[str, object]:
    compat = cast("dict[str, Json]", case.get("compat") or {})
    flags = cast("list[str]", compat.get("flags") or [])
    legacy = [name for name in names if option(objects, name, "sqlite") is False]
    migration: dict[str, object] = {
        "tag": "v1",
        "new_sqlite_classes": [name for name in [*names, "Ext"] if name not in legacy],
    }
    if legacy:
        migration["new_classes"] = legacy
    bindings = [{"name": name, "class_name": name} for name in names]
    return {
        "name": "main",
        "main": "src/entry.py",
        "compatibility_date": date or str(compat.get("date", DEFAULT_DATE)),
        "compatibility_flags": ["python_workers", *flags],
        "durable_objects": {"bindings": [*bindings, {"name": "EXT", "class_name": "Ext"}]},
        "migrations": [migration],
    }


def walk(value: Json) -> Iterator[Json]:
    """Every list, dict and leaf in a case, depth first."""
    yield value
    for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from walk(item)


def class_names(objects: dict[str, dict[str, Json]], steps: list[dict[str, Json]]) -> list[str]:
    """Declared classes and those only referred to, by "A:x" or as a namespace."""
    found = dict.fromkeys(objects)
    for item in walk([cast(Json, objects), cast(Json, steps)]):
        if isinstance(item, str) and (match := re.match(r"([A-Z][A-Za-z0-9]*):\S", item)):
            found.setdefault(match.group(1))
        if isinstance(item, list) and len(item) > 1 and isinstance(item[0], str) and isinstance(item[1], str):
            if item[0] not in NAMESPACE_OPERATIONS:
                continue
            found.setdefault(item[1])
    return list(found)


def calls_by_arity(case: dict[str, Json]) -> dict[str, set[int]]:
    """How many arguments each RPC method is called with somewhere in the case."""
    found: dict[str, set[int]] = {}
    for item in walk(cast(Json, case)):
        if isinstance(item, list) and len(item) > 2 and item[0] == "rpc":
            arguments = item[3] if len(item) > 3 else []
            found.setdefault(str(item[2]), set()).add(len(arguments) if isinstance(arguments, list) else 0)
    return found


def throws(program: Json) -> bool:
    """Whether a constructor may throw by itself: outside `try`, sections and spawned programs."""
    for op in operations(program):
        if op[0] in ("throw", "throw_value"):
            return True
        if op[0] in ("if", "repeat", "foreach") and any(throws(part) for part in op[2:]):
            return True
    return False


class Writer:
    """Writes one `entry.py`."""

    def __init__(self, masks: Masks, arity: dict[str, set[int]]) -> None:
        self.masks = masks
        self.arity = arity
        self.operations = SocketOperations()
        self.rules = self.operations.rules
        self.own_steps: list[int] = []

    def entry(self, limit_ms: int, settle_ms: int) -> str:
        classes = [self.durable_object(name, definition) for name, definition in self.masks.objects.items()]
        story = self.story()
        programs = self.programs()
        expressions = self.operations.expressions
        errors = [self.error_class(shown, name) for shown, name in sorted(expressions.error_names.items())]
        steps = [{"req": step["req"], "at": step.get("at") or 0} for step in self.masks.steps]
        last_ms = max((int(str(step["at"])) for step in steps), default=0)
        constants = f"LIMIT_MS = {last_ms + limit_ms}\nSETTLE_MS = {settle_ms}\nSTEPS = {steps!r}"
        masked = [
            f"RESULTS[{index}] = {{'req': {self.masks.steps[index]['req']!r}, 't': None, 'masked': {reason!r}}}"
            for index, reason in self.masks.step_reasons.items()
        ]
        imports = "\n".join(sorted(expressions.imports))
        sockets = uses_sockets(self.masks.objects, [step["do"] for step in self.masks.steps])
        parts = [PRELUDE + imports, *([SOCKET_HELPERS] if sockets else []), *errors, programs, *classes, story]
        return "\n\n".join([*parts, constants, STORY, *masked]) + "\n"

    def error_class(self, shown: str, name: str) -> str:
        return f"class {name}(Exception):\n    pass\n" if shown == name else f"{name} = error_class({shown!r})\n"

    def root(
        self, head: str, program: Json, *, depth: int, req: str = "", given: dict[str, str] | None = None
    ) -> list[str]:
        """A method that owns its variables: head, who and req, the variables, the program."""
        frame = Frame(Scope(), depth + 1)
        lines = ["    " * depth + head]
        frame.emit("who = name_of(self)")
        if req:
            frame.emit(f"req = {req!r}")
        for variable, source in (given or {}).items():
            frame.emit(f"{frame.scope.declare(variable)} = {source}")
        for variable in assigned(program):
            if variable not in frame.scope.names:
                frame.emit(f"{frame.scope.declare(variable)} = None")
        self.operations.program(frame, cast(Program, program))
        return lines + (frame.lines or ["    " * (depth + 1) + "pass"])

    def programs(self) -> str:
        """The methods that hold the programs sent by `call`; writing one may send more."""
        lines = ["class Programs:"]
        written = 0
        while written < len(self.operations.sent):
            head = f"async def program_{written}(self, req):"
            lines += [*self.root(head, self.operations.sent[written], depth=1), ""]
            written += 1
        return "\n".join(lines) if written else "class Programs:\n    pass"

    # -- classes

    def durable_object(self, name: str, definition: dict[str, Json]) -> str:
        lines = [f"class {name}(Programs, DurableObject):", *self.constructor(definition)]
        renamed: dict[str, str] = {}
        for method, body in cast("dict[str, dict[str, Json]]", definition.get("methods") or {}).items():
            python_name = method if is_plain_attribute(method) else f"method_{identifier(method)}"
            if python_name != method:
                renamed[method] = python_name
            lines += ["", *self.method(method, python_name, body)]
        for getter, program in cast("dict[str, Json]", definition.get("getters") or {}).items():
            lines += ["", "    @property", *self.root(f"def {getter}(self):", program, depth=1, req="get")]
        for handler, (parameters, given) in HANDLER_PARAMETERS.items():
            if handler in definition and definition[handler] is not None:
                req = HANDLER_REQ.get(handler, handler)
                head = f"async def {handler}(self, {parameters}):"
                lines += ["", *self.root(head, definition[handler], depth=1, req=req, given=given)]
        lines += [f"\n\nsetattr({name}, {method!r}, {name}.{renamed[method]})" for method in renamed]
        return "\n".join(lines)

    def constructor(self, definition: dict[str, Json]) -> list[str]:
        """`__init__`; one that may throw is a section started there, because a failing `__init__` is final."""
        lines = [
            "    def __init__(self, ctx, env):",
            "        super().__init__(ctx, env)",
            "        self._memory = {}",
            "        self._signals = {}",
        ]
        frame = Frame(Scope(), 2)
        for field, value in cast("dict[str, Json]", definition.get("fields") or {}).items():
            frame.emit(f"self.{field} = {self.operations.ex(frame, value)}")
        lines += frame.lines
        program = definition.get("ctor")
        if not program:
            return lines
        if throws(program):
            self.rules.add(FAILING_CONSTRUCTOR.id)
            section = self.root("async def constructor():", program, depth=2, req="ctor")
            return [*lines, *section, "        ctx.blockConcurrencyWhile(constructor)"]
        return lines + self.root("", program, depth=1, req="ctor")[1:]

    def method(self, name: str, python_name: str, body: dict[str, Json]) -> list[str]:
        params = [str(param) for param in cast("list[Json]", body.get("params") or [])]
        local = {param: f"v_{identifier(param)}" for param in params}
        if self.arity.get(name, {len(params)}) - {len(params)}:
            self.rules.add(ARITY.id)
            arguments = [*(f"{param}=None" for param in local.values()), "*_rest"]
        else:
            arguments = list(local.values())
        head = f"{'' if body.get('sync') else 'async '}def {python_name}({', '.join(['self', *arguments])}):"
        lines = self.root(head, body.get("do") or [], depth=1, req="rpc", given=local)
        assignments = {f"        {param} = {param}" for param in local.values()}
        return [line for line in lines if line not in assignments]

    # -- the client

    def story(self) -> str:
        """`shared_steps`, whose steps share their variables, and one function for each step on its own."""
        shared: list[tuple[int, dict[str, Json]]] = []
        own: list[str] = []
        for index, step in enumerate(self.masks.steps):
            if index in self.masks.step_reasons:
                continue
            if step.get("own_request"):
                self.own_steps.append(index)
                own += [*self.step(index, step, Scope(), 0), ""]
            else:
                shared.append((index, step))
        scope = Scope()
        lines = ["def shared_steps(self):", '    who = "client"']
        variables = dict.fromkeys(name for _, step in shared if "to" not in step for name in assigned(step["do"]))
        lines += [f"    {scope.declare(variable)} = None" for variable in variables]
        for index, step in shared:
            lines += ["", *self.step(index, step, scope, 1)]
        runs = ", ".join(f"{index}: step_{index}" for index, _ in shared)
        table = ", ".join(f"{index}: step_{index}" for index in self.own_steps)
        return "\n".join([*lines, f"    return {{{runs}}}", "", "", *own, f"OWN_STEPS = {{{table}}}"])

    def step(self, index: int, step: dict[str, Json], scope: Scope, depth: int) -> list[str]:
        head = f"async def step_{index}({'' if depth else 'self'}):"
        frame = Frame(scope, depth + 1)
        frame.emit(f"req = {step['req']!r}")
        if "to" in step:
            call: list[Json] = ["return_op", ["call", step["to"], step["do"]]]
            self.operations.statement(frame, call)
            return ["    " * depth + head, *frame.lines]
        names = assigned(step["do"])
        if depth:
            if shared := [scope.declare(variable) for variable in names]:
                frame.emit(f"nonlocal {', '.join(sorted(shared))}")
        else:
            frame.emit('who = "client"')
            for variable in names:
                frame.emit(f"{scope.declare(variable)} = None")
        self.operations.program(frame, cast(Program, step["do"]))
        return ["    " * depth + head, *frame.lines]
