"""Waiting in line as queueing theory has it: one server, one line, first come first served, in the steady state.

The names are Kendall's: arrivals/services/servers, M for memoryless (random), D for always the same, G for any.
M/G/1 is Pollaczek and Khinchine's formula, of which M/D/1 and M/M/1 are cases. Times are microseconds; utilisation is
the arrival rate times the mean service, below 1. Random ones are independent of one another: what alternates is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

#: What `model=` may be.
MODELS: Final = ("D/D/1", "M/D/1", "M/M/1", "M/G/1")
#: Squared coefficients of variation: below this, times count as always the same.
_SAME: Final = 0.01
#: Between these, as memoryless, for which it is 1; and how many gaps it takes to tell.
_RANDOM: Final = (0.75, 1.3)
_ENOUGH: Final = 50


@dataclass(frozen=True, slots=True)
class Theory:
    """What a model says of a queue. `variation` is the services' squared coefficient of variation."""

    model: str
    utilisation: float
    service_us: float
    variation: float

    @property
    def wait_us(self) -> float:
        """The mean wait before service."""
        return mean_wait_us(self.model, self.service_us, self.utilisation, self.variation)

    @property
    def waiting(self) -> float:
        """How many wait in the mean, by Little's law: arrival rate times wait."""
        return self.utilisation / self.service_us * self.wait_us


def mean_wait_us(model: str, service_us: float, utilisation: float, variation: float = 0.0) -> float:
    """The mean wait of a model of `MODELS`. `variation` is looked at by M/G/1 alone.

    Raises ValueError for another model, for a service that is not positive, and where there is no steady state.
    """
    if model not in MODELS:
        raise ValueError(f"model={model!r} is not known: use one of {', '.join(MODELS)}.")
    if service_us <= 0:
        raise ValueError(f"service_us={service_us!r} is not possible: give microseconds above 0.")
    if not 0 <= utilisation < 1:
        raise ValueError(f"utilisation={utilisation!r}: give 0 or more and below 1; at 1 a line grows for ever.")
    if model == "D/D/1":
        return 0.0
    squared = {"M/D/1": 0.0, "M/M/1": 1.0}.get(model, variation)
    return service_us * utilisation * (1 + squared) / (2 * (1 - utilisation))


def variation_of(times: Sequence[float]) -> float:
    """The squared coefficient of variation: variance over squared mean; 0 for always the same, 1 for memoryless."""
    mean = fmean(times) if times else 0.0
    return fmean([(time - mean) ** 2 for time in times]) / mean**2 if mean else 0.0


def model_of(gaps_us: Sequence[float], services_us: Sequence[float]) -> tuple[str, str]:
    """The model that measured gaps and services fit, and why; ("", why) when they fit none that has a closed form."""
    gaps, services = variation_of(gaps_us), variation_of(services_us)
    same = services < _SAME
    told = "services always the same" if same else f"services with a squared variation of {services:.2f}"
    if len(gaps_us) < 2:
        return "", "too few arrivals to know their rate"
    if gaps < _SAME:
        if same:
            return "D/D/1", "arrivals at equal distances, services always the same"
        return "", f"arrivals at equal distances with {told} have no closed form"
    if len(gaps_us) < _ENOUGH:
        return "", f"{len(gaps_us) + 1} arrivals are too few to tell whether they are random"
    if not _RANDOM[0] <= gaps <= _RANDOM[1]:
        return "", f"gaps between arrivals with a squared variation of {gaps:.2f} are not random ones (1.00)"
    random = f"arrivals as random ones (squared variation of their gaps {gaps:.2f})"
    if same:
        return "M/D/1", f"{random}, {told}"
    if _RANDOM[0] <= services <= _RANDOM[1]:
        return "M/M/1", f"{random}, services too ({services:.2f})"
    return "M/G/1", f"{random}, {told}"
