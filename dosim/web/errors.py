"""Errors as a Python Worker sees them: the platform's classes and texts.

`JsException` is what Pyodide raises for every JavaScript error; `AbortError` is what its `fetch` raises.
Both print their class as Pyodide does (`pyodide.ffi.JsException: Error: ...`), because that text is what
callers of an object read in the last line of a traceback (recorded, Python Workers on workerd 2026-11-17).
"""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=BaseException)

#: The flags the platform puts on an error that crossed from an object to its caller.
#: Source: developers.cloudflare.com/durable-objects/best-practices/error-handling; `durableObjectReset` recorded.
FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")


class JsException(Exception):
    """A JavaScript error: name, message, and the flags `remote`, `retryable`, `overloaded`, `durableObjectReset`.

    `str(e)` is "name: message". A flag that is not set is not an attribute: read it with `getattr(e, "remote", None)`.
    """

    def __init__(self, message: str, name: str = "Error", **flags: bool) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.stack = f"{name}: {message}"
        for flag, value in flags.items():
            setattr(self, flag, value)

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name

    @property
    def flags(self) -> dict[str, bool]:
        """The flags that are set, in the platform's order."""
        return {flag: getattr(self, flag) for flag in FLAGS if hasattr(self, flag)}


JsException.__module__ = "pyodide.ffi"


class AbortError(OSError):
    """What `stub.fetch` raises when the object fails or does not answer with a Response (recorded)."""


AbortError.__module__ = "pyodide.http"


class BodyUsedError(OSError):
    """A Response body was read twice (recorded text: "Response body is already used")."""


BodyUsedError.__module__ = "pyodide.http"


class DurableObjectAbort(BaseException):
    """Raised by `ctx.abort()` to unwind the handler; not an `Exception`, so `except Exception` does not stop it."""


DurableObjectAbort.__module__ = "workers.entrypoints"


def type_error(message: str) -> JsException:
    """A JavaScript TypeError with this text."""
    return JsException(message, "TypeError")


def noted(error: E, note: str) -> E:
    """The error with a note: what the platform's text leaves out."""
    error.add_note(note)
    return error
