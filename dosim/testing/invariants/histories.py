"""`History`: what callers asked and were told, and when, from their own point of view."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dosim.kernel.loop import Loop
from dosim.simulation import Simulation
from dosim.trace.words import cut


@dataclass(slots=True)
class Operation:
    """One call as its caller saw it.

    `name` and `arguments` are the model's. Times are microseconds of virtual time; `returned_us` is None while it has
    no answer. `error` is set when it failed: then nobody knows whether it happened. `invoked_at` and `returned_at`
    put what happened at one instant in order; 0 and 0 for operations that you write down yourself, where equal times
    overlap.
    """

    client: str
    name: str
    arguments: tuple[Any, ...] = ()
    result: Any = None
    invoked_us: int = 0
    returned_us: int | None = None
    error: str = ""
    invoked_at: int = 0
    returned_at: int = 0

    @property
    def known(self) -> bool:
        """Whether the caller knows that it happened, and with which result."""
        return self.returned_us is not None and not self.error

    def __str__(self) -> str:
        asked = f"{self.name}({', '.join(cut(repr(argument), 40) for argument in self.arguments)})"
        if self.known:
            return f"{asked} -> {cut(repr(self.result), 40)}"
        return f"{asked} -> ? (it failed)" if self.error else f"{asked} -> ? (no answer yet)"


class History:
    """Writes down calls as their callers see them, for `linearizable`.

        history = History()
        await history.call("increment", stub.increment())          # in a coroutine, or in an object
        sim.run(history.call("read", stub.get("x"), "x"))            # outside
        ann = history.of(stub, "Ann", get="read", put="write")       # or a stub that writes down every call
        await ann.put("x", 1)

    A call that fails, or whose answer never comes, may have happened or not: `linearizable` allows both. Iterates over
    its operations in the order in which they began.
    """

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self.operations: list[Operation] = list(operations)
        self._marks = 0

    def call(
        self,
        name: str,
        awaitable: Awaitable[Any],
        *arguments: Any,
        client: str = "",
        result: Callable[[Any], Any] = lambda answer: answer,
    ) -> Any:
        """Write down a call that was just made; returns what to await in its place.

        name, arguments: the model's operation. client: who asks; unless told, everybody is somebody else. result: makes
        the model's result of the answer, such as `lambda response: response["n"]`. Raises TypeError for what cannot be
        awaited, RuntimeError for a coroutine outside every simulation.
        """
        if not isinstance(awaitable, Awaitable):
            raise TypeError(f"{awaitable!r} cannot be awaited: give the call itself, history.call(name, stub.get()).")
        operation = Operation(client or f"client {len(self.operations) + 1}", name, arguments)
        if isinstance(awaitable, asyncio.Future):
            loop = awaitable.get_loop()
            self._invoked(operation, loop)
            awaitable.add_done_callback(lambda done: self._done(operation, done, result, loop))
            return awaitable
        loop = _running_loop()
        self._invoked(operation, loop)
        return self._awaited(operation, awaitable, result, loop)

    def of(self, stub: Any, client: str = "", **operations: str) -> Recorder:
        """A stub whose calls are written down under the names of their methods, or those that `operations` gives."""
        return Recorder(self, stub, client, operations)

    def _invoked(self, operation: Operation, loop: Any) -> None:
        if not isinstance(loop, Loop):
            raise RuntimeError(  # noqa: TRY004 (the place is wrong, not a type)
                "a history is written in virtual time: give it calls of a simulation's stubs or clients."
            )
        operation.invoked_us, operation.invoked_at = loop.time_us(), self._mark()
        self.operations.append(operation)

    def _mark(self) -> int:
        self._marks += 1
        return self._marks

    async def _awaited(
        self, operation: Operation, awaitable: Awaitable[Any], result: Callable[[Any], Any], loop: Any
    ) -> Any:
        try:
            answer = await awaitable
        except Exception as error:
            self._returned(operation, loop, error=f"{type(error).__name__}: {error}")
            raise
        self._returned(operation, loop, result=result(answer))
        return answer

    def _done(self, operation: Operation, done: asyncio.Future[Any], result: Callable[[Any], Any], loop: Any) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._returned(operation, loop, error=f"{type(error).__name__}: {error}")
        else:
            self._returned(operation, loop, result=result(done.result()))

    def _returned(self, operation: Operation, loop: Any, *, result: Any = None, error: str = "") -> None:
        operation.returned_us, operation.returned_at = loop.time_us(), self._mark()
        operation.result, operation.error = result, error

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def __repr__(self) -> str:
        return "\n".join(f"{operation.client}: {operation}" for operation in self) or "<an empty history>"


class Recorder:
    """A stub that writes down what is called; see `History.of`."""

    def __init__(self, history: History, stub: Any, client: str, operations: Mapping[str, str]) -> None:
        self._history = history
        self._stub = stub
        self._client = client
        self._operations = operations

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            answer = getattr(self._stub, name)(*arguments)
            return self._history.call(self._operations.get(name, name), answer, *arguments, client=self._client)

        return call

    def __repr__(self) -> str:
        return f"<{self._stub!r}, written down for {self._client or 'anybody'}>"


def _running_loop() -> Any:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "history.call() was given a coroutine outside every simulation: call it in a coroutine that sim.run() runs,"
            " or give it a call of a stub or client."
        ) from None


def in_order(history: object) -> list[Operation]:
    """The operations of a history, or of a list of them, checked. Raises TypeError or ValueError."""
    if isinstance(history, Simulation) or not isinstance(history, Iterable):
        raise TypeError(
            f"{history!r} is no history: a trace has no results. Write calls down with History() and give that, or a"
            " list of Operation."
        )
    operations = list(history)
    for operation in operations:
        if not isinstance(operation, Operation):
            raise TypeError(f"{operation!r} in the history is no Operation.")
        if operation.returned_us is not None and operation.returned_us < operation.invoked_us:
            raise ValueError(f"{operation.client}'s {operation} returned before it was invoked.")
    return operations
