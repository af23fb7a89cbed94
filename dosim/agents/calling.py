"""Calling the application's own functions: async or not, with no more arguments than they take, as JavaScript does."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a hook or callback with as many of the arguments as it takes, and await what it returns."""
    result = function(*args[: arity(function, len(args))])
    return await result if inspect.isawaitable(result) else result


def arity(function: Callable[..., Any], most: int) -> int:
    """How many positional arguments, at most so many, a function takes."""
    if inspect.ismethod(function) and inspect.isfunction(function.__func__):
        return _arity(function.__func__, most + 1) - 1
    return _counted(function, most)


@lru_cache(maxsize=1024)
def _arity(function: Callable[..., Any], most: int) -> int:
    """The same for the function of a method, which many objects share."""
    return _counted(function, most)


def _counted(function: Callable[..., Any], most: int) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return most
    count = 0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return most
        count += parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    return min(count, most)


def method_name(agent: object, callback: object, what: str) -> str:
    """The name of a method of the agent's, given as itself or by name.

    Raises TypeError for anything else, ValueError for a method that the agent does not have.
    """
    name = callback if isinstance(callback, str) else getattr(callback, "__name__", None)
    if not isinstance(name, str) or (not isinstance(callback, str) and not callable(callback)):
        raise TypeError(f"{what}: the callback must be a method of the agent or its name, not {callback!r}.")
    if find_method(agent, name) is None:
        cls = type(agent).__name__
        raise ValueError(
            f"{what}: unknown callback {name!r}, {cls} has no such method. A callback outlives this life of the agent,"
            f" so it is a method of the class: `async def {name if name.isidentifier() else 'work'}(self, payload)`."
        )
    return name


def find_method(agent: object, name: str) -> Callable[..., Any] | None:
    """The agent's method of this name; None: it has none."""
    if not callable(getattr(type(agent), name, None)):
        return None
    method: Callable[..., Any] = getattr(agent, name)
    return method
