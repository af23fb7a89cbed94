"""What happened outside, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from dosim.bindings.external import ExternalRequest
from dosim.simulation import Simulation
from dosim.testing.invariants.violations import Invariant, at, named, simulation_of, violated

#: Methods that ask and change nothing (RFC 9110, 9.2.1).
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
KEY_HEADER: Final = "Idempotency-Key"


def exactly_once_effect(
    of: str | Callable[[Any], Iterable[Any]],
    *,
    key: Callable[[ExternalRequest], Any] | None = None,
    confirmed: Callable[[Any], Iterable[Any]] | Iterable[Any] = (),
) -> Invariant:
    """An invariant: an effect outside happens at most once for each key, and exactly once where somebody was told so.

    Why people get it wrong: an error is read as "it did not happen". It says "you were not told": the answer may have
    been lost after the effect, the alarm that charged the card runs again because its success was not heard, a deploy
    resets the object between the charge and the mark in storage. No order of charge and mark is right: mark last and
    it happens twice, mark first and it may never happen. What works is a key that the receiver knows again, made and
    stored before the first attempt. A key made anew for each attempt protects nothing.
    Source: durable-objects/best-practices/error-handling (`retryable` says that a retry may succeed, and not that it
    is safe), durable-objects/api/alarms ("at-least-once"). Seen in the field: advice that went from
    "always retry" to "only if retryable" (cloudflare-docs#14193, #15305), one retry because of the network
    (unkeyed/unkey#952).

    of: the address of a service that was declared with `sim.external`, whose requests other than GET count, but for
    those it refused (status 4xx or 5xx); two with the same Idempotency-Key header are one, as the service is told. Or a
    function of the simulation that returns the keys of the effects that happened, such as `lambda sim: mail.sent`.
    key: what a request is about (the order, the customer), from an ExternalRequest; unless told, its method, URL and
    body. confirmed: the keys that somebody was told are done, or a function of the simulation that returns them.
    Returns a function of a simulation that raises InvariantViolated with every request of that key. Raises TypeError
    that names the argument.
    """
    if not isinstance(of, str) and not callable(of):
        raise TypeError(f"of={of!r} is neither an address ('https://pay.example') nor a function of the simulation.")
    if key is not None and (callable(of) or not callable(key)):
        raise TypeError("key= is a function of a request to a service: give of= as its address, and key= a function.")
    name = f"exactly_once_effect({of!r})" if isinstance(of, str) else "exactly_once_effect(effects)"

    def check(source: Any) -> None:
        sim = simulation_of(source, name, "counts effects, and a trace has no bodies of requests")
        if isinstance(of, str):
            effects = _at_service(sim, of, key or _whole)
        else:
            effects = Counter[Any]()
            effects.update(of(sim))
        for subject, count in effects.items():
            if count > 1:
                story, at_us = _twice(sim, of, key or _whole, subject, count)
                raise violated(source, name, story, at_us=at_us)
        for subject in confirmed(sim) if callable(confirmed) else confirmed:
            if not effects[subject]:
                story = f"somebody was told that {_said(subject)} is done, and it never happened: {_others(effects)}."
                raise violated(source, name, story, at_us=sim.now.us)

    return named(check, name, exactly_once_effect.__doc__)


def _whole(request: ExternalRequest) -> tuple[str, str, str]:
    return request.method, request.url, request.body


def _at_service(sim: Simulation, prefix: str, key: Callable[[ExternalRequest], Any]) -> Counter[Any]:
    """How many effects of each key a service has seen."""
    effects: Counter[Any] = Counter()
    known: set[str] = set()
    for request in requests_of(sim, prefix):
        told = request.header(KEY_HEADER)
        if told is None or told not in known:
            effects[key(request)] += 1
        if told is not None:
            known.add(told)
    return effects


def requests_of(sim: Simulation, prefix: str) -> list[ExternalRequest]:
    """What a declared service was asked to change, and did not refuse with 4xx or 5xx. Raises ValueError for none."""
    services = sim.world.externals.declared
    found = [service for service in services if service.prefix == prefix or service.answers(prefix)]
    if not found:
        known = ", ".join(repr(service.prefix) for service in services) or "none was declared"
        raise ValueError(f"of={prefix!r} is no service of this simulation (sim.external): {known}.")
    asked = zip(found[0].requests, found[0].statuses, strict=True)
    return [request for request, status in asked if request.method not in SAFE_METHODS and (status or 200) < 400]


def _twice(
    sim: Simulation, of: object, key: Callable[[ExternalRequest], Any], subject: Any, count: int
) -> tuple[str, int]:
    """The story of an effect that happened more than once, and when it did for the last time."""
    if not isinstance(of, str):
        return f"{_said(subject)} happened {count} times.", sim.now.us
    same = [request for request in requests_of(sim, of) if key(request) == subject]
    shown = "; ".join(
        f"{at(request.at_us)} {request.method} {request.url} {request.body[:60]!r}"
        f" ({f'key {request.header(KEY_HEADER)!r}' if request.header(KEY_HEADER) else 'without a key'})"
        for request in same
    )
    return f"{_said(subject)} happened {count} times: {shown}.", same[-1].at_us


def _said(subject: Any) -> str:
    """A key in words: a request as one line, anything else as it is."""
    if isinstance(subject, tuple) and len(subject) == 3 and all(isinstance(part, str) for part in subject):
        method, url, body = subject
        return f"{method} {url}" + (f" with {body[:60]!r}" if body else "")
    return repr(subject)


def _others(effects: Counter[Any]) -> str:
    happened = ", ".join(_said(subject) for subject in effects)
    return f"what happened is {happened}" if happened else "nothing did"
