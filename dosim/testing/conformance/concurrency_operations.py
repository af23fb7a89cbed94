"""
Operations of the concurrency case language as Python source.

`Operations.value` writes an operation that has a result as an expression; `Operations.statement` writes any operation.
Programs handed to operations become nested functions, programs sent by `call` become methods of every class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from dosim.testing.conformance.concurrency_expressions import Expressions, Frame, Scope, assigned, is_plain_attribute
from dosim.testing.conformance.concurrency_masks import Json, Program


def taken(write: Callable[..., object], op: list[Json]) -> list[Json]:
    """The arguments an operation takes: further ones are ignored, as JavaScript does."""
    parameters = list(inspect.signature(write).parameters.values())
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return op[1:]
    return op[1 : len(parameters)]


class Operations:
    """Writes operations into frames; collects the programs sent to other objects and the rules that were needed."""

    def __init__(self) -> None:
        self.expressions = Expressions(self.function)
        self.rules: set[str] = set()
        self.sent: list[Program] = []
        self.counter = 0

    # -- functions

    def function(self, frame: Frame, kind: str, params: list[str], program: Program) -> str:
        """Write a nested function into the frame; returns its name.

        `body` shares the variables of its frame, `txn` too and takes the transaction, `fn` keeps its own.
        """
        self.counter += 1
        name = f"{kind}_{self.counter}"
        inner = Frame(frame.scope, frame.depth + 1, frame.txn)
        if kind == "fn":
            return self.closure(frame, inner, name, params, program)
        argument = ""
        if kind == "txn":
            argument = inner.txn = f"txn_{self.counter}_raw"
        frame.emit(f"async def {name}({argument}):")
        if shared := sorted(self.python_name(frame, variable) for variable in assigned(program)):
            inner.emit(f"nonlocal {', '.join(shared)}")
        self.program(inner, program)
        self.close(frame, inner)
        return name

    def closure(self, frame: Frame, inner: Frame, name: str, params: list[str], program: Program) -> str:
        inner.scope = Scope(parent=frame.scope)
        suffix = f"_{self.counter}"
        arguments = [inner.scope.declare(param, suffix) + "=None" for param in params]
        frame.emit(f"async def {name}({', '.join([*arguments, '*_rest'])}):")
        for variable in assigned(program):
            if variable not in inner.scope.names:
                outer = frame.scope.find(variable)
                inner.emit(f"{inner.scope.declare(variable, suffix)} = {outer}")
        self.program(inner, program)
        self.close(frame, inner)
        return name

    def close(self, frame: Frame, inner: Frame) -> None:
        frame.lines += inner.lines or ["    " * inner.depth + "pass"]

    def python_name(self, frame: Frame, variable: Json) -> str:
        return frame.scope.find(str(variable)) or frame.scope.declare(str(variable))

    def body(self, frame: Frame, program: Json) -> str:
        return self.function(frame, "body", [], program if isinstance(program, list) else [])

    def program(self, frame: Frame, program: Program) -> None:
        """The operations one after another; an empty program writes nothing."""
        for op in program:
            if isinstance(op, list):
                self.statement(frame, op)

    def block(self, frame: Frame, program: Json) -> None:
        """The suite of an `if`, `for` or `try`."""
        frame.depth += 1
        before = len(frame.lines)
        self.program(frame, program if isinstance(program, list) else [])
        if len(frame.lines) == before:
            frame.emit("pass")
        frame.depth -= 1

    # -- dispatch

    def statement(self, frame: Frame, op: list[Json]) -> None:
        name = str(op[0]).removeprefix("$")
        write = getattr(self, f"st_{name}", None)
        if write is not None:
            write(frame, *taken(write, op))
        else:
            frame.emit(self.value(frame, op))

    def value(self, frame: Frame, op: list[Json]) -> str:
        """The operation as an expression; statements are written before and give None."""
        name = str(op[0]).removeprefix("$")
        write = getattr(self, f"op_{name}", None)
        if write is not None:
            return str(write(frame, *taken(write, op)))
        if hasattr(self, f"st_{name}"):
            self.statement(frame, op)
            return "None"
        raise ValueError(f"unknown operation {name!r}: add it to dosim.testing.conformance.concurrency_operations")

    def ex(self, frame: Frame, value: Json) -> str:
        return self.expressions.compile(frame, value)

    def values(self, frame: Frame, *values: Json) -> str:
        """Arguments of a call; trailing ones that are absent are left out."""
        return ", ".join(self.ex(frame, value) for value in values)

    # -- statements

    def st_log(self, frame: Frame, event: Json) -> None:
        frame.emit(f"log(who, req, {self.ex(frame, event)})")

    def st_masked_region(self, frame: Frame, reason: str, op: Json) -> None:
        for variable in assigned([op]):
            frame.emit(f"{self.python_name(frame, variable)} = Masked({reason!r})")
        frame.emit(f"LOG.append([None, who, req, {{'$masked_region': {reason!r}}}])")

    def st_let(self, frame: Frame, variable: str, op: list[Json]) -> None:
        value = self.value(frame, op)
        frame.emit(f"{self.python_name(frame, variable)} = {value}")

    def st_set(self, frame: Frame, variable: str, value: Json) -> None:
        frame.emit(f"{self.python_name(frame, variable)} = {self.ex(frame, value)}")

    def st_set_prop(self, frame: Frame, target: Json, key: str, value: Json) -> None:
        frame.emit(f"set_member({self.ex(frame, target)}, {key!r}, {self.ex(frame, value)})")

    def st_return(self, frame: Frame, value: Json = None) -> None:
        frame.emit(f"return {self.ex(frame, value)}")

    def st_return_op(self, frame: Frame, op: list[Json]) -> None:
        value = self.value(frame, op)
        frame.emit(f"return {value}")

    def st_throw(self, frame: Frame, value: Json) -> None:
        error = {"$error": {"name": "Error", "message": value}} if isinstance(value, str) else value
        self.st_throw_value(frame, error)

    def st_throw_value(self, frame: Frame, value: Json) -> None:
        text = self.ex(frame, value)
        is_error = isinstance(value, dict) and list(value) == ["$error"]
        frame.emit(f"raise {text}" if is_error else f"raise thrown({text})")

    def st_try(self, frame: Frame, program: Json, variable: str = "e", handler: Json = None, last: Json = None) -> None:
        frame.emit("try:")
        self.block(frame, program)
        frame.emit("except Exception as error:")
        frame.emit(f"    {self.python_name(frame, variable)} = error")
        self.block(frame, handler)
        if last:
            frame.emit("finally:")
            self.block(frame, last)

    def st_if(self, frame: Frame, condition: Json, then: Json, otherwise: Json = None) -> None:
        frame.emit(f"if truthy({self.ex(frame, condition)}):")
        self.block(frame, then)
        if otherwise:
            frame.emit("else:")
            self.block(frame, otherwise)

    def st_repeat(self, frame: Frame, count: Json, variable: str, program: Json) -> None:
        frame.emit(f"for {self.python_name(frame, variable)} in range({count!r}):")
        self.block(frame, program)

    def st_foreach(self, frame: Frame, variable: str, items: Json, program: Json) -> None:
        frame.emit(f"for {self.python_name(frame, variable)} in {self.ex(frame, items)}:")
        self.block(frame, program)

    def st_mem_set(self, frame: Frame, name: str, value: Json) -> None:
        frame.emit(f"self._memory[{name!r}] = {self.ex(frame, value)}")

    def st_mem_push(self, frame: Frame, name: str, value: Json) -> None:
        frame.emit(f"self._memory.setdefault({name!r}, []).append({self.ex(frame, value)})")

    def st_spawn(self, frame: Frame, variable: str, program: Json) -> None:
        body = self.body(frame, program)
        frame.emit(f"{self.python_name(frame, variable)} = detach({body}())")

    def st_detach(self, frame: Frame, program: Json) -> None:
        frame.emit(f"start({self.body(frame, program)}())")

    def st_waituntil(self, frame: Frame, program: Json) -> None:
        frame.emit(f"workers.wait_until(finish(start({self.body(frame, program)}())))")

    def st_set_timeout(self, frame: Frame, ms: Json, program: Json) -> None:
        frame.emit(f"later({ms!r}, {self.body(frame, program)})")

    def st_signal(self, frame: Frame, name: str, value: Json = None) -> None:
        frame.emit(f"resolve(signal(self, {name!r}), {self.ex(frame, value)})")

    def st_put_noawait(self, frame: Frame, key: Json, value: Json, options: Json = None) -> None:
        frame.emit(f"detach({self.put_call(frame, key, value, options)})")

    def st_abort(self, frame: Frame, *reason: Json) -> None:
        frame.emit(f"self.ctx.abort({self.values(frame, *reason)})")

    def st_stub(self, frame: Frame, variable: str, reference: Json) -> None:
        frame.emit(f"{self.python_name(frame, variable)} = {self.expressions.stub(frame, reference)}")

    # -- values that are there at once

    def op_masked_value(self, frame: Frame, reason: str) -> str:
        return f"Masked({reason!r})"

    def op_expr(self, frame: Frame, value: Json) -> str:
        return self.ex(frame, value)

    def op_err(self, frame: Frame, value: Json) -> str:
        return f"ErrorView({self.ex(frame, value)})"

    def op_mem_incr(self, frame: Frame, name: str, by: Json = 1) -> str:
        return f"count_up(self._memory, {name!r}, {by!r})"

    def op_global_incr(self, frame: Frame, name: str, by: Json = 1) -> str:
        return f"count_up(WORLD, {name!r}, {by!r})"

    def op_sql(self, frame: Frame, query: str, *params: Json) -> str:
        return f"self.ctx.storage.sql.exec({', '.join([repr(query), *(self.ex(frame, p) for p in params)])}).toArray()"

    def op_kv_get(self, frame: Frame, key: Json) -> str:
        return f"self.ctx.storage.kv.get({self.ex(frame, key)})"

    def op_kv_put(self, frame: Frame, key: Json, value: Json) -> str:
        return f"self.ctx.storage.kv.put({self.values(frame, key, value)})"

    def op_rollback(self, frame: Frame) -> str:
        return f"{frame.txn}.rollback()"

    def op_dispose(self, frame: Frame, stub: Json) -> str:
        return f"{self.ex(frame, stub)}.dispose()"

    def op_id_from_name(self, frame: Frame, namespace: Json, name: Json) -> str:
        if name is None:  # null and undefined are told apart here
            self.expressions.imports.add("from pyodide.ffi import jsnull")
        argument = "jsnull" if name is None else self.ex(frame, name)
        return f"{self.expressions.namespace(frame, namespace)}.idFromName({argument})"

    def op_id_from_string(self, frame: Frame, namespace: Json, text: Json) -> str:
        return f"{self.expressions.namespace(frame, namespace)}.idFromString({self.ex(frame, text)})"

    def op_new_unique_id(self, frame: Frame, namespace: Json, options: Json = None) -> str:
        return f"{self.expressions.namespace(frame, namespace)}.newUniqueId({self.options(frame, options)})"

    def op_id_string(self, frame: Frame, value: Json) -> str:
        return f"{self.ex(frame, value)}.toString()"

    def op_id_equals(self, frame: Frame, one: Json, other: Json) -> str:
        return f"{self.ex(frame, one)}.equals({self.ex(frame, other)})"

    def op_get_stub(self, frame: Frame, namespace: Json, value: Json, options: Json = None) -> str:
        arguments = [self.ex(frame, value), *filter(None, [self.options(frame, options)])]
        return f"{self.expressions.namespace(frame, namespace)}.get({', '.join(arguments)})"

    def op_get_by_name(self, frame: Frame, namespace: Json, name: Json, options: Json = None) -> str:
        arguments = [self.ex(frame, name), *filter(None, [self.options(frame, options)])]
        return f"{self.expressions.namespace(frame, namespace)}.getByName({', '.join(arguments)})"

    def op_jurisdiction(self, frame: Frame, namespace: Json, name: Json) -> str:
        return f"{self.expressions.namespace(frame, namespace)}.jurisdiction({self.ex(frame, name)})"

    def options(self, frame: Frame, options: Json) -> str:
        """An options object as keyword arguments, which is what Python Workers turn into one."""
        given = options if isinstance(options, dict) else {}
        return ", ".join(f"{key}={self.ex(frame, value)}" for key, value in given.items())

    # -- values that are waited for

    def op_tick(self, frame: Frame, count: Json = 1) -> str:
        return f"await ticks({count!r})"

    def op_wait(self, frame: Frame, ms: Json) -> str:
        return f"await js.scheduler.wait({ms!r})"

    def op_timeout(self, frame: Frame, ms: Json) -> str:
        return f"await timeout({ms!r})"

    def op_ext(self, frame: Frame, ms: Json, label: Json = None) -> str:
        return f"await ext(self.env, {ms!r}, {'req' if label is None else repr(label)})"

    def op_call(self, frame: Frame, reference: Json, program: Json, req: Json = None) -> str:
        stub = self.expressions.stub(frame, reference)
        method = self.send(program if isinstance(program, list) else [])
        return f"await {stub}.{method}({'req' if req is None else repr(req)})"

    def send(self, program: Program) -> str:
        """The name of the method that holds a program sent to another object."""
        self.sent.append(program)
        return f"program_{len(self.sent) - 1}"

    def op_await(self, frame: Frame, variable: str) -> str:
        return f"await {self.python_name(frame, variable)}"

    def started(self, frame: Frame, programs: Json) -> str:
        bodies = [self.body(frame, program) for program in programs] if isinstance(programs, list) else []
        return ", ".join(f"start({body}())" for body in bodies)

    def op_gather(self, frame: Frame, programs: Json) -> str:
        return f"await asyncio.gather({self.started(frame, programs)})"

    def op_gather_settled(self, frame: Frame, programs: Json) -> str:
        return f"await asyncio.gather(*[outcome(future) for future in [{self.started(frame, programs)}]])"

    def op_race(self, frame: Frame, programs: Json) -> str:
        return f"await first_of([{self.started(frame, programs)}])"

    def op_wait_signal(self, frame: Frame, name: str) -> str:
        return f"await signal(self, {name!r})"

    def op_block(self, frame: Frame, program: Json) -> str:
        return f"await self.ctx.blockConcurrencyWhile({self.body(frame, program)})"

    def op_block_nested(self, frame: Frame, levels: Json, program: Json) -> str:
        return f"await nested(self.ctx, {levels!r}, {self.body(frame, program)})"

    # -- storage

    def store(self, frame: Frame) -> str:
        return frame.txn or "self.ctx.storage"

    def from_store(self, frame: Frame, method: str, *arguments: Json) -> str:
        """A read: the transaction is raw, so its values are converted by hand."""
        given = [argument for argument in arguments if argument is not None]
        call = f"await {self.store(frame)}.{method}({self.values(frame, *given)})"
        return f"from_raw({call})" if frame.txn else call

    def op_get(self, frame: Frame, key: Json, options: Json = None) -> str:
        return self.from_store(frame, "get", key, options)

    def op_delete(self, frame: Frame, key: Json, options: Json = None) -> str:
        return self.from_store(frame, "delete", key, options)

    def op_list(self, frame: Frame, options: Json = None) -> str:
        return self.from_store(frame, "list", options)

    def put_call(self, frame: Frame, key: Json, value: Json, options: Json) -> str:
        text = self.ex(frame, value)
        arguments = [self.ex(frame, key), f"to_raw({text})" if frame.txn else text]
        if options is not None:
            arguments.append(self.ex(frame, options))
        return f"{self.store(frame)}.put({', '.join(arguments)})"

    def op_put(self, frame: Frame, key: Json, value: Json, options: Json = None) -> str:
        return f"await {self.put_call(frame, key, value, options)}"

    def op_incr(self, frame: Frame, key: Json, by: Json = 1) -> str:
        return f"await increment({self.store(frame)}, {key!r}, {by!r})"

    def op_sync(self, frame: Frame) -> str:
        return "await self.ctx.storage.sync()"

    def op_delete_all(self, frame: Frame) -> str:
        return "await self.ctx.storage.deleteAll()"

    def op_txn(self, frame: Frame, program: Json) -> str:
        name = self.function(frame, "txn", [], program if isinstance(program, list) else [])
        return f"await self.ctx.storage.transaction({name})"

    def op_set_alarm(self, frame: Frame, delay_ms: Json) -> str:
        return f"await self.ctx.storage.setAlarm(now_ms() + {delay_ms!r})"

    def op_get_alarm(self, frame: Frame) -> str:
        return "await alarm_time(self.ctx.storage)"

    def op_delete_alarm(self, frame: Frame) -> str:
        return "await self.ctx.storage.deleteAlarm()"

    # -- RPC and fetch

    def op_rpc(self, frame: Frame, reference: Json, method: str, arguments: Json = None) -> str:
        given = arguments if isinstance(arguments, list) else []
        if method == "run" and len(given) == 2 and isinstance(given[1], list):
            return self.op_call(frame, reference, given[1], given[0])
        return f"await {self.attribute(self.expressions.stub(frame, reference), method)}({self.values(frame, *given)})"

    def attribute(self, target: str, name: str) -> str:
        return f"{target}.{name}" if is_plain_attribute(name) else f"getattr({target}, {name!r})"

    def op_invoke(self, frame: Frame, function: Json, arguments: Json = None) -> str:
        given = arguments if isinstance(arguments, list) else []
        return f"await ({self.ex(frame, function)})({self.values(frame, *given)})"

    def op_invoke_method(self, frame: Frame, target: Json, name: str, arguments: Json = None) -> str:
        given = arguments if isinstance(arguments, list) else []
        return f"await member({self.ex(frame, target)}, {name!r})({self.values(frame, *given)})"

    def op_fetch(self, frame: Frame, reference: Json, url: Json, init: Json = None) -> str:
        arguments = [self.expressions.stub(frame, reference), repr(url), self.ex(frame, init or {})]
        return f"await fetch_text({', '.join(arguments)})"

    def op_fetch_status(self, frame: Frame, reference: Json, url: Json, init: Json = None) -> str:
        arguments = [self.expressions.stub(frame, reference), repr(url), self.ex(frame, init or {})]
        return f"await fetch_status({', '.join(arguments)})"

    def op_request_text(self, frame: Frame) -> str:
        return "await request.text()"
