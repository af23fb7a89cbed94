"""Programs of operations on a project, and their notation: what an exploration tries, prints, and reads back.

    COUNTER("a").increment() | COUNTER("a").increment(); COUNTER("a").value()

`;` stands between steps, one after the other; `|` between operations that are under way at the same time. An operation
is a call of an object by its binding and name, a request to the Worker (`POST("/a", "text")`), to an object
(`ROOM("a").GET("/")`), or a WebSocket's (`CONNECT("/room/a")`, `SEND("/room/a", "hello")`, `CLOSE("/room/a")`, which
closes all of that path). `wait("61s")` lets time pass, `evict()` so much of it that idle objects leave memory,
`restart()` does that and starts the process anew.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

#: Requests.
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: What a WebSocket does.
CONNECT: Final = "CONNECT"
SEND: Final = "SEND"
CLOSE: Final = "CLOSE"
SOCKETS: Final = (CONNECT, SEND, CLOSE)
#: What happens to the world instead of in it.
WAIT: Final = "wait"
EVICT: Final = "evict"
RESTART: Final = "restart"
PAUSES: Final = (WAIT, EVICT, RESTART)

_EXAMPLE: Final = 'COUNTER("a").increment() | COUNTER("a").increment(); COUNTER("a").value()'


class BadProgram(ValueError):
    """A text that is no program; says where, and how one looks."""


@dataclass(frozen=True)
class Operation:
    """One call, request or pause: a verb with plain arguments, on an object by binding and name ("": the Worker)."""

    verb: str
    args: tuple[Any, ...] = ()
    binding: str = ""
    name: str = ""

    def __hash__(self) -> int:
        return hash(str(self))  # arguments may be lists

    @property
    def is_pause(self) -> bool:
        return self.verb in PAUSES and not self.binding

    @property
    def is_request(self) -> bool:
        return self.verb in METHODS

    @property
    def shape(self) -> str:
        """What it is of whichever object and with whichever arguments: "COUNTER.increment", "GET"."""
        return f"{self.binding}.{self.verb}" if self.binding else self.verb

    def __str__(self) -> str:
        said = f"{self.verb}({', '.join(map(literal, self.args))})"
        return f"{self.binding}({literal(self.name)}).{said}" if self.binding else said


Step = tuple[Operation, ...]


@dataclass(frozen=True)
class Program:
    """Steps, one after the other; the operations of a step are under way at the same time."""

    steps: tuple[Step, ...]

    @property
    def operations(self) -> Iterator[Operation]:
        """All of them, pauses included."""
        return (operation for step in self.steps for operation in step)

    @property
    def together(self) -> int | None:
        """The place of the step with several operations; None when there is none."""
        return next((place for place, step in enumerate(self.steps) if len(step) > 1), None)

    def __str__(self) -> str:
        return "; ".join(" | ".join(map(str, step)) for step in self.steps)

    @classmethod
    def parse(cls, text: str) -> Program:
        """Read the notation. Raises BadProgram."""
        try:
            tree = ast.parse(text.strip(), mode="exec")
        except (SyntaxError, ValueError) as error:
            raise BadProgram(f"{text!r} is no program ({error}): write it like {_EXAMPLE}") from None
        program = cls(tuple(tuple(_operations(statement, text)) for statement in tree.body))
        if not program.steps:
            raise BadProgram(f"{text!r} has no operation: write a program like {_EXAMPLE}")
        if sum(len(step) > 1 for step in program.steps) > 1:
            raise BadProgram(f"{text!r} has several steps with `|`: one is what a rule is about.")
        return program


def _operations(statement: ast.stmt, text: str) -> Iterator[Operation]:
    parts = [statement.value] if isinstance(statement, ast.Expr) else []
    while parts:
        part = parts.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
            parts += [part.right, part.left]
        elif isinstance(part, ast.Call) and not part.keywords:
            yield _operation(part, text)
        else:
            raise _bad(ast.unparse(part), text)
    if not isinstance(statement, ast.Expr):
        raise _bad(ast.unparse(statement), text)


def _operation(call: ast.Call, text: str) -> Operation:
    try:
        args = tuple(map(ast.literal_eval, call.args))
    except ValueError:
        raise _bad(ast.unparse(call), text) from None
    match call.func:
        case ast.Name(id=verb) if verb in (*METHODS, *SOCKETS, *PAUSES):
            operation = Operation(verb, args)
        case ast.Attribute(
            attr=verb, value=ast.Call(func=ast.Name(id=binding), args=[ast.Constant(value=str(name))], keywords=[])
        ):
            operation = Operation(verb, args, binding, name)
        case _:
            raise _bad(ast.unparse(call), text)
    if operation.verb in (*METHODS, *SOCKETS) and not (args and all(isinstance(arg, str) for arg in args)):
        raise BadProgram(f"{operation} of {text!r} is no operation: a request has a path; write it like {_EXAMPLE}")
    return operation


def _bad(part: str, text: str) -> BadProgram:
    return BadProgram(f"{part} of {text!r} is no operation: write a program like {_EXAMPLE}")


def literal(value: Any) -> str:
    """A plain value as Python writes it, texts in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return repr(value)
