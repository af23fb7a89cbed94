"""Handlers by their names until 2025-08-14: functions `on_fetch(request, env, ctx)` of the entry module, and methods.

Source: workerd `src/pyodide/python-entrypoint-helper.ts`, compatibility flag `python_no_global_handlers`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any

from dosim.web.errors import JsException
from dosim.workers.entrypoints import WorkerEntrypoint

#: After this day handlers are called by their own names, methods of classes, and nothing else.
LAST_DATE = "2025-08-13"
_OF_WORKERS = ("fetch", "connect")
_OF_OBJECTS = ("fetch", "connect", "alarm", "webSocketMessage", "webSocketClose", "webSocketError")
_OF_MODULES = ("scheduled", "queue")


def has_global_handlers(date: str, flags: tuple[str, ...]) -> bool:
    """Whether a Worker of this compatibility date and these flags has its handlers under the old names."""
    if "python_no_global_handlers" in flags:
        return False
    return date <= LAST_DATE or "disable_python_no_global_handlers" in flags


def old_entrypoints(entry: ModuleType, classes: Mapping[str, type]) -> dict[str, type]:
    """The entrypoints of a module with the old names. Raises JsException for two that are to be the default one."""
    entrypoints = {name: _renamed(cls, _OF_WORKERS) for name, cls in classes.items()}
    handlers = {name: getattr(entry, f"on_{name}", None) for name in ("fetch", *_OF_MODULES)}
    found = {name: function for name, function in handlers.items() if callable(function)}
    if "Default" not in entrypoints:
        entrypoints["Default"] = _module_entrypoint(f"{entry.__name__}.py", found)
    elif found:
        raise JsException("Cannot define multiple default entrypoints", "TypeError")
    return entrypoints


def old_objects(classes: Mapping[str, type]) -> dict[str, type]:
    """Durable Object classes whose handlers have the old names."""
    return {name: _renamed(cls, _OF_OBJECTS) for name, cls in classes.items()}


def _renamed(cls: type, handlers: tuple[str, ...]) -> type:
    """The class with its `on_fetch` as `fetch`; a `fetch` of its own is no handler."""
    names = {name: getattr(cls, f"on_{name}", None) for name in handlers}
    return type(cls.__name__, (cls,), {**names, "__module__": cls.__module__, "__qualname__": cls.__qualname__})


def _module_entrypoint(main: str, handlers: Mapping[str, Callable[..., Any]]) -> type[WorkerEntrypoint]:
    """The Worker that calls the module's functions, with the JavaScript request; surplus arguments are dropped."""

    def fetch(self: WorkerEntrypoint, request: Any) -> Any:
        if "fetch" not in handlers:
            raise JsException(f'Python entrypoint "{main}" does not export a handler named "on_fetch"')
        return _call(handlers["fetch"], request.js_object, self.env, self.ctx)

    def calls(name: str) -> Callable[..., Any]:
        return lambda self, event, *_: _call(handlers[name], event, self.env, self.ctx)

    own = {name: calls(name) for name in _OF_MODULES if name in handlers}
    return type("Default", (WorkerEntrypoint,), {"fetch": fetch, **own, "__module__": main.removesuffix(".py")})


def _call(function: Callable[..., Any], *args: Any) -> Any:
    """Call it with as many arguments as it takes; a decorator's wrapper takes what the function in it does.

    Source: pyodide `code.relaxed_call`, which goes by `inspect.signature`.
    """
    code: CodeType | None = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return function(*args)
    return function(*args[: code.co_argcount])
