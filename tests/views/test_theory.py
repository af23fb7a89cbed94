"""The formulas beside the pictures are those that the simulator itself is tested against."""

from __future__ import annotations

import pytest

from dosim.views.theory import Theory, mean_wait_us, model_of, variation_of
from tests.theory.queues import pollaczek_khinchine
from tests.views.told import random_us


@pytest.mark.parametrize("utilisation", [0.0, 0.3, 0.5, 0.95])
def test_mean_waits_are_pollaczek_khinchines(utilisation: float) -> None:
    """
    M/D/1 and M/M/1 are M/G/1 with a squared variation of 0 and 1; at equal distances nobody waits.
    """
    assert mean_wait_us("M/D/1", 1, utilisation) == pollaczek_khinchine(utilisation, exponential=False)
    assert mean_wait_us("M/M/1", 1, utilisation) == pollaczek_khinchine(utilisation, exponential=True)
    assert mean_wait_us("M/G/1", 100, utilisation, 1) == mean_wait_us("M/M/1", 100, utilisation)
    assert mean_wait_us("M/G/1", 100, utilisation, 0) == mean_wait_us("M/D/1", 100, utilisation)
    assert mean_wait_us("D/D/1", 100, utilisation) == 0


def test_waiting_follows_littles_law() -> None:
    """
    At utilisation 0.5 and a service of 100 µs one arrives every 200 µs; M/M/1 waits 100 µs, so half a one waits.
    """
    theory = Theory("M/M/1", 0.5, 100, 1)

    assert theory.wait_us == 100
    assert theory.waiting == 0.5


@pytest.mark.parametrize(
    ("model", "service_us", "utilisation", "message"),
    [
        ("G/G/1", 1, 0.5, "model='G/G/1' is not known: use one of D/D/1, M/D/1, M/M/1, M/G/1"),
        ("M/D/1", 0, 0.5, "service_us=0 is not possible"),
        ("M/D/1", 1, 1, "utilisation=1: give 0 or more and below 1"),
        ("M/D/1", 1, -0.1, "utilisation=-0.1: give"),
    ],
)
def test_no_steady_state_no_mean_wait(model: str, service_us: float, utilisation: float, message: str) -> None:
    """
    At a utilisation of 1 the line grows for ever: that is refused, not infinite.
    """
    with pytest.raises(ValueError, match=message):
        mean_wait_us(model, service_us, utilisation)


def test_variation_is_variance_over_squared_mean() -> None:
    """
    1 and 3 have mean 2 and variance 1.
    """
    assert variation_of([1, 3]) == 0.25
    assert variation_of([5, 5, 5]) == variation_of([]) == variation_of([0, 0]) == 0


@pytest.mark.parametrize(
    ("gaps", "services", "model"),
    [
        ([100] * 9, [50] * 10, "D/D/1"),
        ([100] * 9, [1, 100] * 5, ""),
        (random_us(1, 100, 400), [50] * 400, "M/D/1"),
        (random_us(1, 100, 400), random_us(2, 50, 400), "M/M/1"),
        (random_us(1, 100, 400), [20, 80] * 200, "M/G/1"),
        (random_us(1, 100, 20), [50] * 21, ""),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 991] * 10, [50] * 101, ""),
        ([], [50], ""),
    ],
)
def test_model_is_told_from_what_was_measured(gaps: list[float], services: list[float], model: str) -> None:
    """
    Random or equal gaps, random or equal services; too few or bursts have no model, and a reason.
    """
    found, why = model_of(gaps, services)

    assert found == model
    assert why
