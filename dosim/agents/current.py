"""`get_current_agent()`: whose code runs, and for whom.

A context variable, as JavaScript's AsyncLocalStorage: tasks that are started inherit it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CurrentAgent:
    """The agent whose code runs, and the connection, request or e-mail that it runs for; None: there is none."""

    agent: Any = None
    connection: Any = None
    request: Any = None
    email: Any = None


_NOBODY = CurrentAgent()
_current: ContextVar[CurrentAgent] = ContextVar("dosim.agents.current", default=_NOBODY)


def get_current_agent() -> CurrentAgent:
    """The agent whose code runs; outside of any, `agent` is None."""
    return _current.get()


class acting:  # noqa: N801  # used as a statement: `with acting(agent):`
    """Make this the current agent while the block runs."""

    __slots__ = ("_current", "_token")

    def __init__(self, agent: Any, connection: Any = None, request: Any = None, email: Any = None) -> None:
        self._current = CurrentAgent(agent=agent, connection=connection, request=request, email=email)

    def __enter__(self) -> None:
        self._token = _current.set(self._current)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:  # this life of the agent ends: whoever closes its coroutines has another context
            _current.reset(self._token)
