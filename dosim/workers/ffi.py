"""`pyodide.ffi`: proxies, conversions and the error class."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from dosim.web.errors import JsException
from dosim.web.interface import interface_name
from dosim.web.proxies import JsArray, JsObject, jsnull, to_js
from dosim.web.values import JsBigInt
from dosim.workers.suspending import can_run_sync, run_sync

__all__ = [
    "JsArray", "JsBigInt", "JsException", "JsObject", "JsProxy", "can_run_sync", "create_once_callable",
    "create_proxy", "destroy_proxies", "jsnull", "run_sync", "to_js",
]  # fmt: skip


class _AnyJsValue(type):
    def __instancecheck__(cls, value: object) -> bool:
        return interface_name(value) is not None


class JsProxy(metaclass=_AnyJsValue):
    """Any JavaScript value that Python holds unconverted: `isinstance(x, JsProxy)`."""


class PyProxy:
    """What `create_proxy` makes: the Python value, kept alive until `destroy()`."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._value(*args, **kwargs)

    def __await__(self) -> Generator[Any, Any, Any]:
        future: asyncio.Future[Any] = asyncio.ensure_future(self._value)
        return future.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value, name)

    def destroy(self) -> None:
        """Accepted: Python's own garbage collector does the rest."""


def create_proxy(value: Any, **_: Any) -> Any:
    """A proxy of a Python function or object for JavaScript to keep."""
    return value if asyncio.isfuture(value) else PyProxy(value)


create_once_callable = create_proxy


def destroy_proxies(proxies: Any) -> None:
    """Accepted without effect."""
