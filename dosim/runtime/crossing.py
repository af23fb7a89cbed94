"""How an error of user code looks to its caller.

Recorded: any Python exception arrives as a `JsException` named "PythonError" whose text is the traceback, its class in
the last line; `remote` marks it as thrown over there, `durableObjectReset` replaces that when the object was reset.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from dosim.web.errors import JsException


def traceback_text(error: BaseException) -> str:
    """The traceback of an error: user code's frames as `module:line`, never a path of this machine."""
    lines = ["Traceback (most recent call last):\n"]
    lines += [f'  File "{module}:{line}", in {name}\n' for module, line, name in _frames(error.__traceback__)]
    last = traceback.TracebackException(type(error), error, None, compact=True)
    last.__notes__ = None  # notes are dosim's, the text is the platform's
    lines += last.format_exception_only()
    return "".join(lines)


def _frames(tb: TracebackType | None) -> list[tuple[str, int, str]]:
    found = []
    while tb is not None:
        code, module = tb.tb_frame.f_code, tb.tb_frame.f_globals.get("__name__", "?")
        if not (module == "dosim" or module.startswith("dosim.")) or module.startswith("dosim.scenarios"):
            found.append((module, tb.tb_lineno, code.co_qualname))
        tb = tb.tb_next
    return found


def as_error(error: BaseException) -> JsException:
    """An error thrown by a handler, as its caller gets it. Of its own flags only `retryable`, `overloaded` cross."""
    flags = {name: True for name in ("retryable", "overloaded") if getattr(error, name, False) is True}
    crossed = JsException(traceback_text(error), "PythonError", remote=True, **flags)
    return with_notes(crossed, error)


def as_local(error: BaseException) -> JsException:
    """An error of a Python callback that came back through JavaScript inside the object: no flags."""
    return with_notes(JsException(traceback_text(error), "PythonError"), error)


def as_reset(error: BaseException) -> JsException:
    """An error that reset the object, as everyone in flight gets it: no `remote`, but `durableObjectReset`."""
    if isinstance(error, JsException) and getattr(error, "durableObjectReset", False):
        return error
    return with_notes(JsException(traceback_text(error), "PythonError", durableObjectReset=True), error)


def with_notes(crossed: JsException, error: BaseException) -> JsException:
    """`crossed` with the notes of the error that it stands for."""
    for note in getattr(error, "__notes__", ()):
        crossed.add_note(note)
    return crossed
