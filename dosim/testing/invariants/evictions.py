"""What an object knew by heart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dosim.simulation import Simulation
from dosim.testing.invariants.reruns import Moment, Rerun, Unrepeatable
from dosim.testing.invariants.violations import at, violated
from dosim.trace.words import cut

_NAME: Final = "survives_eviction"


def survives_eviction(test: Callable[..., Any], make: Callable[[], Simulation] | None = None) -> int:
    """A test has the same answers wherever an idle object is evicted in it.

    Why people get it wrong: an attribute lives as long as the tests do. In them no ten seconds pass without a request;
    in production they do, and then the object leaves memory: what was set in a handler is gone, what the constructor
    reads from storage comes back. With hibernatable WebSockets the trap is deeper, because the connection stays open
    and only the attributes are lost: the chat room is still there and has forgotten who is in it. Memory is a cache:
    write to storage first, and read it again in the constructor or when it is missing.
    Source: durable-objects/concepts/durable-object-lifecycle, durable-objects/best-practices/websockets. Seen in the
    field: hibernation cannot be rehearsed (cloudflare/workerd#904), and Cloudflare's own example chat room for Python
    keeps its history in an attribute.

    test: a function without parameters that makes its simulation, drives it and returns plain values (texts, numbers,
    lists: what the world was told), or asserts. make: then the test, async or not, is called with the simulation that
    it makes. It is run once for every time that an object became idle, and there the object is evicted, as the
    platform may do; its sockets hibernate. Returns how many evictions were tried. Raises InvariantViolated with the
    eviction after which an answer was another one; ValueError for a test whose answers differ without any eviction,
    and for one in which no object is ever idle.
    """
    if not callable(test):
        raise TypeError(f"test={test!r} cannot be called: give a function that makes a simulation and drives it.")
    expected = Rerun(test, make, "idle")
    again = Rerun(test, make, "idle")
    if again.answers != expected.answers:
        raise ValueError(
            f"two undisturbed runs of the test gave {cut(repr(expected.answers), 200)} and"
            f" {cut(repr(again.answers), 200)}: let it make everything it uses anew, and return plain values (the text"
            " of a response, not the response)."
        )
    if not expected.moments:
        raise ValueError(
            "no object became idle in this test, so nothing could be evicted: call objects one after the other, or let"
            " time pass, sim.run(for_='20s')."
        )
    for moment in expected.moments:
        _check(test, make, expected.answers, moment)
    return len(expected.moments)


def _check(test: Callable[..., Any], make: Callable[[], Simulation] | None, expected: Any, moment: Moment) -> None:
    """Raise when the test goes differently with an eviction at this moment."""
    known: dict[str, Any] = {}

    def evict(simulation: Simulation) -> None:
        view = simulation.objects[moment.label]
        if view.state == "idle":
            known.update(view.memory)
            simulation.evict(moment.label)

    source: Simulation | None = None
    try:
        rerun = Rerun(test, make, "idle", (moment, evict))
    except Unrepeatable:
        raise
    except Exception as error:
        answered = f"and then it raised {type(error).__name__}: {cut(str(error), 300)}"
        cause: Exception | None = error
    else:
        if rerun.answers == expected:
            return
        source, cause = rerun.simulation, None
        answered = f"and then {cut(repr(rerun.answers), 300)}"
    memory = ", ".join(f"{name}={cut(repr(value), 60)}" for name, value in known.items())
    raise violated(
        source,
        _NAME,
        f"{moment.label} became idle at {at(moment.t_us)} and was evicted there. Without that the test's answers are"
        f" {cut(repr(expected), 300)}, {answered}. In memory it had "
        + (f"{memory}: what of this is not in storage is gone." if memory else "no attribute: look at module globals."),
        at_us=moment.t_us,
    ) from cause
