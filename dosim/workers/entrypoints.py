"""Base classes of user code, and the module-level helpers of the SDK that need to know whose code runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from dosim.bindings.emails import EmailMessage
from dosim.kernel.loop import SCOPE
from dosim.runtime.context import keep_until_done
from dosim.web.proxies import to_js
from dosim.web.values import clone
from dosim.workers.http import from_js


class DurableObject:
    """Base class of a Durable Object: `self.ctx` and `self.env`."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


class WorkerEntrypoint:
    """Base class of a Worker's entrypoint; a new instance handles each event."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


def current_owner() -> Any:
    """The instance or Worker request whose code runs. Raises RuntimeError outside simulated code."""
    scope: Any = SCOPE.get()
    if scope is None:
        raise RuntimeError("this works inside a Worker or a Durable Object only, while a simulation runs its code.")
    return scope.owner


class _CurrentEnv:
    """`workers.env`: the bindings of whoever reads them."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(current_owner().env, name)

    def __repr__(self) -> str:
        return "<workers.env>"


env = _CurrentEnv()


def wait_until(promise: Any) -> None:
    """Keep the Worker or the object going until `promise` (a coroutine, task or future) is done."""
    keep_until_done(current_owner(), asyncio.ensure_future(promise))


def handler(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the JavaScript request of a bare handler function as a `workers.Request`."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*map(from_js, args), **kwargs)

    return wrapper


async def fetch(resource: Any, **options: Any) -> Any:
    """A request to the outside, which is what `sim.external` has declared: no packet leaves the process.

    Raises AbortError that says how to declare a service for an address that has none.
    """
    return await current_owner().world.externals.fetch(resource, options)


def python_to_rpc(value: Any) -> Any:
    """The JavaScript value that a Python value becomes."""
    return to_js(clone(value))


def python_from_rpc(value: Any) -> Any:
    """The Python value that a JavaScript value becomes."""
    return from_js(value) if not hasattr(value, "to_py") else clone(value)


@contextmanager
def patch_env(values: Mapping[str, Any] | None = None, **more: Any) -> Iterator[None]:
    """Replace bindings of `env` while the block runs."""
    target = current_owner().env
    changed = {**(values or {}), **more}
    before = {name: getattr(target, name, None) for name in changed}
    vars(target).update(changed)
    try:
        yield
    finally:
        vars(target).update(before)


def import_from_javascript(module_name: str) -> Any:
    """`cloudflare:workers` with `env` and `waitUntil`, `cloudflare:email` with `EmailMessage`.

    Raises ImportError for any other module.
    """
    if module_name == "cloudflare:email":
        return SimpleNamespace(EmailMessage=EmailMessage)
    if module_name == "cloudflare:workers":
        return SimpleNamespace(env=env, waitUntil=wait_until)
    raise ImportError(
        f"Failed to import '{module_name}': dosim runs no JavaScript; it has 'cloudflare:workers'"
        " and 'cloudflare:email'."
    )


for _public in (DurableObject, WorkerEntrypoint):
    _public.__module__ = "workers.entrypoints"
