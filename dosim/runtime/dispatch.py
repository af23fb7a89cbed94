"""Which method a call reaches, how it is called, and what becomes of its result.

Recorded (Python Workers): any method of the class or its bases can be called, `_private` ones and static ones too;
attributes and properties cannot. Arity is strict for RPC and relaxed for the platform's own handlers.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import CodeType, CoroutineType, FunctionType
from typing import TYPE_CHECKING, Any

from dosim.runtime.crossing import as_error, with_notes
from dosim.web.errors import DurableObjectAbort, JsException, type_error

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.instance import Instance

#: Handlers of the platform: not callable over RPC (recorded text).
RESERVED = frozenset(
    "fetch alarm webSocketMessage webSocketClose webSocketError connect scheduled queue tail trace test email".split()
)


#: Modules that refuse a call before it reaches user code.
_REFUSING = ("dosim.runtime.dispatch", "dosim.runtime.worker")


def find_method(user: object, name: str) -> Callable[..., Any]:
    """The method that an RPC of this name reaches. Raises the platform's TypeError when there is none."""
    found = inspect.getattr_static(type(user), name, None)
    if isinstance(found, (FunctionType, staticmethod, classmethod)) and not name.startswith("__"):
        method: Callable[..., Any] = getattr(user, name)
        return method
    raise type_error(f"Method {name} does not exist")


def call_method(instance: Instance, call: Call) -> None:
    """Start the handler of `call`; its end is reported by `instance.answer`."""
    try:
        result = _method(instance, call)(*call.args)
    except DurableObjectAbort:
        return
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        instance.answer(call, None, thrown(error))
        return
    if type(result) is CoroutineType or inspect.isawaitable(result):
        call.task = instance.loop.start(_run(instance, call, result))
    else:
        finish(instance, call, result)


async def _run(instance: Instance, call: Call, handler: Awaitable[Any]) -> None:
    """The task of a handler: wait for its end and report it."""
    try:
        result = await handler
    except DurableObjectAbort:
        return
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        instance.answer(call, None, as_error(error))
    else:
        finish(instance, call, result)


def thrown(error: BaseException) -> JsException:
    """What a handler raised before it had anything to await, as its caller gets it."""
    if isinstance(error, JsException) and _is_ours(error):
        return JsException(error.message, error.name, **{**error.flags, "remote": True})
    return as_error(error)


def _is_ours(error: JsException) -> bool:
    """True for a refusal of the platform's own, made before any user code ran."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_globals.get("__name__") in _REFUSING


def _method(instance: Instance, call: Call) -> Callable[..., Any]:
    name = call.method
    if call.via == "rpc":
        found = instance.methods.get(name)
        if found is None:
            if name in RESERVED:
                raise type_error(f"'{name}' is a reserved method and cannot be called over RPC.")
            found = instance.methods[name] = find_method(instance.user, name)
        return found
    if call.via == "callback":
        function: Callable[..., Any] = call.stub.function
        return function
    if call.via == "listener":
        listeners: Callable[..., Any] = call.stub.run_listeners
        return listeners
    if not callable(getattr(type(instance.user), name, None)):
        raise type_error(f"Method {name} does not exist")
    method: Callable[..., Any] = getattr(instance.user, name)
    return with_nothing_more(method) if name == "fetch" else relaxed(method, len(call.args))


def with_nothing_more(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """The handler called as the runtime calls it: a request, and nothing as env and as ctx.

    A class got them when it was made. Source: workerd `global-scope.c++` (`f(lock, request, h.env, h.getCtx())`),
    `worker.c++` (both are undefined for classes).
    """
    method = relaxed(fetch, 3)
    return lambda request: method(request, None, None)


def relaxed(method: Callable[..., Any], given: int) -> Callable[..., Any]:
    """The handler, with surplus arguments dropped."""
    code: CodeType | None = getattr(inspect.unwrap(getattr(method, "__func__", method)), "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return method
    takes = code.co_argcount - hasattr(method, "__self__")
    return method if takes >= given else lambda *args: method(*args[:takes])


def finish(instance: Instance, call: Call, result: Any) -> None:
    """Convert a handler's result for its caller, and answer."""
    try:
        value = instance.world.functions.outgoing_result(instance, call, result)
    except Exception as error:
        instance.answer(call, None, refusal(error))
    else:
        instance.answer(call, value, None)


def refusal(error: Exception) -> JsException:
    """A result that cannot be sent: a JavaScript error keeps its name, the SDK's own TypeError has a traceback."""
    if isinstance(error, JsException):
        return with_notes(JsException(error.message, error.name, remote=True), error)
    return as_error(error)
