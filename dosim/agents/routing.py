"""Bringing requests and calls to the right agent: `/agents/{binding, in kebab case}/{name}/...`.

Source: npm agents 0.32.0, `agent-routing.js`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dosim.agents.calling import call
from dosim.agents.encoding import kebab_case
from dosim.agents.errors import is_retryable
from dosim.agents.lifecycle import PROPS_HEADER, encoded, is_upgrade, said
from dosim.agents.retrying import Duration, to_seconds
from dosim.workers import Request, Response
from dosim.workers.js import Object, console

_ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


@dataclass(frozen=True)
class AgentRoute:
    """Where a request goes: the binding's name, and the agent's."""

    class_name: str
    name: str


@dataclass(frozen=True, kw_only=True)
class RoutingRetryOptions:
    """How often an agent is tried to be reached, when the platform says that it may be; delays in seconds.

    on_retry: an async function that gets the error and the number of the attempt that failed.
    """

    max_attempts: int = 3
    base_delay: Duration = 0.1
    max_delay: Duration = 0.8
    on_retry: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int) or self.max_attempts < 1:
            raise ValueError(f"routing_retry.max_attempts must be an integer >= 1, not {self.max_attempts!r}.")
        base, most = (to_seconds(getattr(self, name), f"routing_retry.{name}") for name in ("base_delay", "max_delay"))
        if base <= 0 or most <= 0:
            raise ValueError("routing_retry.base_delay and max_delay must be > 0.")
        if base > most:
            raise ValueError("routing_retry.base_delay must be <= max_delay.")


def namespaces(env: Any) -> dict[str, Any]:
    """The bindings of `env` that are namespaces of Durable Objects, by their names."""
    inner = getattr(env, "_env", None)
    names = list(vars(env)) if inner is None else [str(name) for name in Object.keys(inner)]
    values = {name: getattr(env, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in values.items() if callable(getattr(value, "idFromName", None))}


async def route_agent_request(
    request: Any,
    env: Any,
    *,
    prefix: str = "agents",
    cors: bool | Mapping[str, str] = False,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Any = None,
    routing_retry: RoutingRetryOptions | bool | None = None,
    on_before_connect: Callable[..., Any] | None = None,
    on_before_request: Callable[..., Any] | None = None,
) -> Any:
    """The response of the agent that a request is for; None: its path is not an agent's; 400: there is no such binding.

    cors: True, or headers of your own: added to answers, and preflights are answered. props: for `on_start`.
    on_before_connect, on_before_request: get the request and the route; a Response they return is the answer, a Request
    goes on instead. routing_retry: False for a single attempt.
    """
    parts = [part for part in urlsplit(request.url).path.split("/") if part]
    wanted = prefix.split("/")
    if parts[: len(wanted)] != wanted or len(parts) < len(wanted) + 2:
        return None
    kebab, name = parts[len(wanted)], parts[len(wanted) + 1]
    bound = {kebab_case(binding): (binding, namespace) for binding, namespace in namespaces(env).items()}
    if kebab not in bound:
        console.error(
            f'The URL {request.url} with namespace "{kebab}" and name "{name}" does not match any Durable Object'
            f" binding; there are {', '.join(sorted(bound)) or 'none'}."
        )
        return Response("Invalid request", status=400)
    headers = dict(_ANY_ORIGIN) if cors is True else dict(cors or {})
    upgrade = is_upgrade(request)
    if str(request.method) == "OPTIONS" and headers:
        return Response(None, headers=headers)
    binding, namespace = bound[kebab]
    route = AgentRoute(binding, name)
    before = on_before_connect if upgrade else on_before_request
    decided = await call(before, request, route) if before is not None else None
    if decided is not None and not isinstance(decided, Request):
        return decided if upgrade else _with_headers(decided, headers)
    forwarded = decided if decided is not None else request
    if props is not None:
        sent = [list(pair) for pair in forwarded.headers.items()]
        forwarded = Request(forwarded, headers=[*sent, [PROPS_HEADER, encoded(props)]])

    def reach() -> Any:
        return _stub(namespace, name, jurisdiction, location_hint).fetch(forwarded.clone())

    response = await _reached(reach, routing_retry)
    return response if upgrade else _with_headers(response, headers)


async def get_agent_by_name(
    namespace: Any,
    name: str,
    *,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Any = None,
    routing_retry: RoutingRetryOptions | bool | None = None,
) -> Any:
    """A stub of the agent, which has started by then. Raises what its `on_start` raises, TypeError for no namespace."""
    if not callable(getattr(namespace, "idFromName", None)):
        raise TypeError(
            f"get_agent_by_name(namespace, name): {namespace!r} is no namespace: pass self.env.YOUR_BINDING."
        )
    if not isinstance(name, str) or not name:
        raise TypeError(f"get_agent_by_name(namespace, name): the name is a text that is not empty, not {name!r}.")
    stub = _stub(namespace, name, jurisdiction, location_hint)
    await _reached(lambda: stub._cf_ensure_initialized(props), routing_retry)
    return stub


def _stub(namespace: Any, name: str, jurisdiction: str | None, location_hint: str | None) -> Any:
    target = namespace.jurisdiction(jurisdiction) if jurisdiction else namespace
    agent_id = target.idFromName(name)
    return target.get(agent_id, {"locationHint": location_hint}) if location_hint else target.get(agent_id)


async def _reached(operation: Callable[[], Any], retry: RoutingRetryOptions | bool | None) -> Any:
    """The result of a call to an agent, tried again when the platform flags its error as one to try again."""
    if retry is False:
        return await operation()
    options = retry if isinstance(retry, RoutingRetryOptions) else RoutingRetryOptions()
    attempt = 1
    while True:
        try:
            return await operation()
        except Exception as error:
            if attempt >= options.max_attempts or not is_retryable(error):
                raise
            if options.on_retry is not None:
                try:
                    await call(options.on_retry, error, attempt)
                except Exception as failed:
                    console.warn("Durable Object routing retry callback failed:", said(failed))
        base_ms, most_ms = (1000 * to_seconds(delay, "delay") for delay in (options.base_delay, options.max_delay))
        await asyncio.sleep(math.floor(random.random() * min(most_ms, base_ms * 2 ** (attempt - 1))) / 1000)
        attempt += 1


def _with_headers(response: Any, headers: Mapping[str, str]) -> Any:
    """The response, with these headers set."""
    if not headers:
        return response
    kept = [[name, value] for name, value in response.headers.items() if name.lower() not in map(str.lower, headers)]
    return Response(
        response.body,
        status=response.status,
        status_text=response.status_text,
        headers=[*kept, *map(list, headers.items())],
    )


__all__ = ["AgentRoute", "RoutingRetryOptions", "get_agent_by_name", "namespaces", "route_agent_request"]
