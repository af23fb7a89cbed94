"""Errors of the Agents SDK, and which failures are the platform's rather than the application's.

Source: npm agents 0.32.0, `sql-error.js` and `retries.js`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator


class AgentsException(Exception):
    """Base class of what the SDK raises on purpose."""


class SqlError(AgentsException):
    """A statement failed: `query` is its text; `__cause__` is the storage's own error."""

    def __init__(self, query: str, message: object) -> None:
        super().__init__(f"SQL query failed: {message}")
        self.query = query


class ReadonlyConnectionError(AgentsException):
    """A connection that may only read wants to change the agent's state."""

    def __init__(self) -> None:
        super().__init__("Connection is readonly")


class DuplicateConnectionIdError(AgentsException):
    """Several open connections have the id that `get_connection` was asked for: clients choose it (`?_pk=`)."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(
            f"More than one connection found for id {connection_id}. Did you mean to use get_connections(tag) instead?"
        )


class ConnectionStateTooLargeError(AgentsException):
    """A connection's state does not fit into its socket's attachment: 16,384 bytes, with the SDK's own part."""


class InvalidCronExpressionError(AgentsException, ValueError):
    """A cron expression that cannot be read, or that never fires."""


# -- whose failure it was

_SUPERSEDED = re.compile("reset because its code was updated|this script has been upgraded", re.IGNORECASE)
_TRANSIENT = re.compile(
    "network connection lost|Internal error in Durable Object storage caused object to be reset", re.IGNORECASE
)
_MEMORY = re.compile("exceeded its memory limit", re.IGNORECASE)
_TEARDOWN = re.compile("Network connection lost|WebSocket peer disconnected", re.IGNORECASE)


def _self_and_causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(8):
        if error is None:
            return
        yield error
        error = error.__cause__


def is_superseded(error: BaseException) -> bool:
    """Whether new code has replaced this one: nothing that runs in this life of the object succeeds any more."""
    return any(_SUPERSEDED.search(str(one)) for one in _self_and_causes(error))


def is_memory_reset(error: BaseException) -> bool:
    """Whether the isolate went over its memory limit: the same work would do so again."""
    return any(_MEMORY.search(str(one)) for one in _self_and_causes(error))


def is_retryable(error: BaseException) -> bool:
    """Whether the platform flags this very error as one to try again: `retryable`, and not `overloaded`."""
    return getattr(error, "retryable", False) is True and getattr(error, "overloaded", False) is not True


def is_platform_failure(error: BaseException) -> bool:
    """Whether failed work is to be kept and run later: the platform failed, not the work."""
    return (
        is_superseded(error)
        or is_memory_reset(error)
        or any(_TRANSIENT.search(str(one)) or is_retryable(one) for one in _self_and_causes(error))
    )


def is_teardown(error: object) -> bool:
    """Whether a socket's error only says that its other end has gone."""
    return getattr(error, "retryable", False) is True or bool(_TEARDOWN.search(str(error)))
