"""
Expressions of the concurrency case language as Python source, and the names of their variables.

A case's variables live in one scope per handler; programs passed to operations share it, functions (`$fn`) read it
and keep what they set to themselves. Here a scope is a Python function and the programs are functions nested in it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from dosim.testing.conformance.concurrency_masks import INNER_OPERATION, NESTED, Json, Program

#: Error names that are built into Python under the same name.
BUILTIN_ERRORS = frozenset({"TypeError", "SyntaxError", "ReferenceError"})
#: Properties of a thrown Error that would change its flags at the caller.
OWN_PROPERTIES = ("props", "cause")
#: Positions of the variables that an operation sets.
SETS: dict[str, tuple[int, ...]] = {
    "let": (1,),
    "set": (1,),
    "try": (2,),
    "repeat": (2,),
    "foreach": (1,),
    "spawn": (1,),
    "stub": (1,),
    "ws_pair": (1, 2),
    "ws_connect": (1,),
}


def identifier(text: str) -> str:
    """Text as part of a Python name."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)


def is_plain_attribute(name: str) -> bool:
    """Whether `x.name` can be written inside a class: an identifier, no keyword, not mangled."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def assigned(program: Json) -> list[str]:
    """The variables a program sets in its own scope, in order: not those of `call`ed programs and functions."""
    found: dict[str, None] = {}

    def visit(op: Json) -> None:
        if not isinstance(op, list) or not op:
            return
        name = str(op[0])
        if name == "$masked_region":
            visit(op[2])
            return
        for position in SETS.get(name, ()):
            found.setdefault(str(op[position]))
        if inner := INNER_OPERATION.get(name):
            visit(op[inner])
        for position in NESTED.get(name, ()) if name != "call" else ():
            for part in op[abs(position) : abs(position) + 1]:
                for nested in part if position < 0 and isinstance(part, list) else [part]:
                    visit_all(nested)

    def visit_all(nested: Json) -> None:
        for op in nested if isinstance(nested, list) else ():
            visit(op)

    visit_all(program)
    return list(found)


@dataclass(slots=True)
class Scope:
    """The variables of one handler or function: case name to Python name."""

    names: dict[str, str] = field(default_factory=dict)
    parent: Scope | None = None

    def declare(self, variable: str, suffix: str = "") -> str:
        return self.names.setdefault(variable, f"v_{identifier(variable)}{suffix}")

    def find(self, variable: str) -> str | None:
        if variable in self.names:
            return self.names[variable]
        return self.parent.find(variable) if self.parent else None


@dataclass(slots=True)
class Frame:
    """One Python function being written."""

    scope: Scope
    depth: int
    txn: str | None = None
    lines: list[str] = field(default_factory=list)

    def emit(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)


#: Writes a nested function before the current line: (frame, kind, params, program) to its name.
Hoist = Callable[[Frame, str, list[str], Program], str]


class Expressions:
    """Compiles expressions; what they need at module level is collected on the way."""

    def __init__(self, hoist: Hoist) -> None:
        self.hoist = hoist
        self.error_names: dict[str, str] = {}
        self.imports: set[str] = set()

    def compile(self, frame: Frame, value: Json) -> str:
        """The Python source of an expression."""
        if isinstance(value, list):
            return "[" + ", ".join(self.compile(frame, item) for item in value) + "]"
        if not isinstance(value, dict):
            return repr(value)
        if len(value) == 1:
            key, argument = next(iter(value.items()))
            if key.startswith("$"):
                return self.tagged(frame, key[1:], argument)
        items = (f"{key!r}: {self.compile(frame, item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"

    def tagged(self, frame: Frame, key: str, argument: Json) -> str:
        method = getattr(self, f"do_{key}", None)
        if method is None:
            raise ValueError(f"unknown expression ${key}: add it to dosim.testing.conformance.concurrency_expressions")
        return str(method(frame, argument))

    def listed(self, frame: Frame, argument: Json) -> list[str]:
        return [self.compile(frame, item) for item in cast("list[Json]", argument)]

    # -- literals

    def do_undefined(self, frame: Frame, argument: Json) -> str:
        return "None"

    def do_nan(self, frame: Frame, argument: Json) -> str:
        return "math.nan"

    def do_inf(self, frame: Frame, argument: Json) -> str:
        return "-math.inf" if str(argument).startswith("-") else "math.inf"

    def do_bigint(self, frame: Frame, argument: Json) -> str:
        self.imports.add("from pyodide.ffi import JsBigInt")
        return f"JsBigInt({int(str(argument))})"

    def do_date(self, frame: Frame, argument: Json) -> str:
        return f"date({argument!r})"

    def do_bytes(self, frame: Frame, argument: Json) -> str:
        return repr(bytes(int(str(item)) for item in argument)) if isinstance(argument, list) else "b''"

    do_buffer = do_bytes

    def do_map(self, frame: Frame, argument: Json) -> str:
        pairs = [self.listed(frame, pair) for pair in argument] if isinstance(argument, list) else []
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"

    def do_set(self, frame: Frame, argument: Json) -> str:
        return f"set({self.compile(frame, argument)})"

    def do_quote(self, frame: Frame, argument: Json) -> str:
        return repr(argument)

    def do_masked(self, frame: Frame, argument: Json) -> str:
        return f"Masked({argument!r})"

    # -- the world

    def do_var(self, frame: Frame, argument: Json) -> str:
        return frame.scope.find(str(argument)) or "None"

    def do_mem(self, frame: Frame, argument: Json) -> str:
        return f"self._memory.get({argument!r})"

    def do_global(self, frame: Frame, argument: Json) -> str:
        return f"WORLD.get({argument!r}, 0)"

    def do_ctxid(self, frame: Frame, argument: Json) -> str:
        return "self.ctx.id"

    def do_stub(self, frame: Frame, argument: Json) -> str:
        return self.stub(frame, argument)

    # -- functions of values

    def do_repeat(self, frame: Frame, argument: Json) -> str:
        text, count = self.listed(frame, argument)
        return f"{text} * {count}"

    def do_add(self, frame: Frame, argument: Json) -> str:
        return f"add({', '.join(self.listed(frame, argument))})"

    def do_eq(self, frame: Frame, argument: Json) -> str:
        return f"same({', '.join(self.listed(frame, argument))})"

    def do_lt(self, frame: Frame, argument: Json) -> str:
        low, high = self.listed(frame, argument)
        return f"({low} < {high})"

    def do_not(self, frame: Frame, argument: Json) -> str:
        return f"(not truthy({self.compile(frame, argument)}))"

    def do_get(self, frame: Frame, argument: Json) -> str:
        return f"member({', '.join(self.listed(frame, argument))})"

    def do_len(self, frame: Frame, argument: Json) -> str:
        return f"length({self.compile(frame, argument)})"

    def do_concat(self, frame: Frame, argument: Json) -> str:
        return f'"".join(text_of(part) for part in {self.compile(frame, argument)})'

    def do_split(self, frame: Frame, argument: Json) -> str:
        return f"split({', '.join(self.listed(frame, argument))})"

    # -- errors, functions, responses

    def error_class(self, name: str) -> str:
        """The Python class for an Error of that name."""
        if name in BUILTIN_ERRORS:
            return name
        shown = name or "Error"
        return self.error_names.setdefault(shown, shown if is_plain_attribute(shown) else f"Error_{identifier(shown)}")

    def do_error(self, frame: Frame, argument: Json) -> str:
        details = argument if isinstance(argument, dict) else {}
        kind = self.error_class(str(details.get("name") or "Error"))
        message = self.compile(frame, details.get("message", ""))
        if any(details.get(part) for part in OWN_PROPERTIES):
            return f"masked_error({kind}, {message})"
        return f"{kind}({message})"

    def do_fn(self, frame: Frame, argument: Json) -> str:
        details = argument if isinstance(argument, dict) else {}
        params = [str(name) for name in details.get("params") or ()]
        return self.hoist(frame, "fn", params, details.get("do") or [])

    def do_response(self, frame: Frame, argument: Json) -> str:
        return f"respond({self.compile(frame, argument)})"

    def do_upgrade(self, frame: Frame, argument: Json) -> str:
        return f"Response(None, status=101, web_socket={self.compile(frame, argument)})"

    def stub(self, frame: Frame, reference: Json) -> str:
        """A new stub of "A:x", or the stub an expression gives."""
        if isinstance(reference, str):
            class_name, _, name = reference.partition(":")
            return f"self.env.{class_name}.getByName({name!r})"
        return self.compile(frame, reference)

    def namespace(self, frame: Frame, reference: Json) -> str:
        return f"self.env.{reference}" if isinstance(reference, str) else self.compile(frame, reference)
