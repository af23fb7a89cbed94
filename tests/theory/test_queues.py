"""Queues made of ordinary user code wait as queueing theory says they must."""

from __future__ import annotations

import pytest

from dosim.workers import DurableObject
from tests.theory.queues import (
    Section,
    Thread,
    lindley_us,
    mean_wait,
    pollaczek_khinchine,
    simulate,
    wait_after_empty,
)


@pytest.mark.parametrize("server", [Thread, Section])
@pytest.mark.parametrize("exponential", [False, True])
def test_every_customer_waits_as_lindleys_recursion_says(server: type[DurableObject], exponential: bool) -> None:
    """To the microsecond, with a thread that is busy and with a gate that is held."""
    run = simulate(1500, 0.8, seed=3, exponential=exponential, server=server)
    assert run.waits_us == lindley_us(run)


@pytest.mark.parametrize("exponential", [False, True])
def test_spitzers_identity_reaches_pollaczek_khinchine(exponential: bool) -> None:
    """Two closed forms meet: the wait long after an empty start is the wait of the steady state."""
    limit = wait_after_empty(0.5, 300, exponential=exponential)
    assert limit == pytest.approx(pollaczek_khinchine(0.5, exponential=exponential), rel=1e-6)


@pytest.mark.parametrize(
    ("utilisation", "exponential", "customers", "depth", "within"),
    [
        (0.5, False, 60_000, 8, 0.02),
        (0.8, False, 150_000, 60, 0.02),
        (0.95, False, 200_000, 400, 0.10),
        (0.5, True, 80_000, 14, 0.02),
        (0.8, True, 250_000, 130, 0.02),
        (0.95, True, 300_000, 800, 0.10),
    ],
)
def test_mean_wait_is_pollaczek_khinchines(
    utilisation: float, exponential: bool, customers: int, depth: int, within: float
) -> None:
    """The closed form lies in the 99 % interval, whose half-width is at most 2 % of it (10 % at utilisation 0.95)."""
    measured = mean_wait(customers, utilisation, depth, seed=1, exponential=exponential)
    assert measured.says(pollaczek_khinchine(utilisation, exponential=exponential), within), measured
