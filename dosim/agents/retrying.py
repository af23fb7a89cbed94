"""Trying again: how often, and how long to wait between (full jitter, doubling, capped).

The wait after attempt n is a whole number of milliseconds below min(2 ** n * base_delay, max_delay), drawn uniformly.
Source: npm agents 0.32.0, `retries.js`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dosim.agents.calling import call

#: A length of time: a `timedelta`, or seconds.
Duration = timedelta | float


def to_seconds(duration: object, name: str) -> float:
    """Seconds of a duration. Raises TypeError for anything else, ValueError for NaN and infinity."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise TypeError(f"{name} must be a timedelta or a number of seconds, not {duration!r}.")
    if not math.isfinite(duration):
        raise ValueError(f"{name} must be finite, not {duration}.")
    return float(duration)


@dataclass(frozen=True, kw_only=True)
class RetryOptions:
    """How often something is tried, and the waits between; delays are seconds or `timedelta`.

    Raises TypeError or ValueError, when it is made, for numbers that mean nothing.
    """

    max_attempts: int = 3
    base_delay: Duration = 0.1
    max_delay: Duration = 3.0

    def __post_init__(self) -> None:
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int):
            raise TypeError(f"retry.max_attempts must be an integer, not {self.max_attempts!r}.")
        if self.max_attempts < 1:
            raise ValueError(f"retry.max_attempts must be >= 1, not {self.max_attempts}.")
        base, most = (to_seconds(getattr(self, name), f"retry.{name}") for name in ("base_delay", "max_delay"))
        if base <= 0:
            raise ValueError(f"retry.base_delay must be > 0, not {self.base_delay}.")
        if most <= 0:
            raise ValueError(f"retry.max_delay must be > 0, not {self.max_delay}.")
        if base > most:
            raise ValueError(f"retry.base_delay must be <= retry.max_delay, not {self.base_delay} > {self.max_delay}.")

    def delay_ms(self, attempt: int) -> int:
        """A random wait after a failed attempt, counted from 1."""
        base_ms, most_ms = (
            math.floor(1000 * to_seconds(delay, "delay")) for delay in (self.base_delay, self.max_delay)
        )
        return int(random.random() * min(2**attempt * base_ms, most_ms))

    def stored(self) -> dict[str, Any]:
        """As the tables have it."""
        base_ms, most_ms = (1000 * to_seconds(delay, "delay") for delay in (self.base_delay, self.max_delay))
        return {"maxAttempts": self.max_attempts, "baseDelayMs": base_ms, "maxDelayMs": most_ms}

    @classmethod
    def of_stored(cls, stored: dict[str, Any] | None) -> RetryOptions | None:
        """What a table has; None for nothing."""
        if stored is None:
            return None
        known = cls()
        return cls(
            max_attempts=stored.get("maxAttempts", known.max_attempts),
            base_delay=stored["baseDelayMs"] / 1000 if "baseDelayMs" in stored else known.base_delay,
            max_delay=stored["maxDelayMs"] / 1000 if "maxDelayMs" in stored else known.max_delay,
        )


def checked(retry: object) -> RetryOptions | None:
    """What `retry=` was given. Raises TypeError for anything but RetryOptions."""
    if retry is not None and not isinstance(retry, RetryOptions):
        raise TypeError(f"retry={retry!r}: give RetryOptions(max_attempts=5, base_delay=0.1, max_delay=3).")
    return retry


async def try_each(
    function: Callable[[int], Any], options: RetryOptions, should_retry: Callable[..., Any] | None = None
) -> Any:
    """Await `function(attempt)` until it succeeds; raises its last error."""
    attempt = 1
    while True:
        try:
            return await call(function, attempt)
        except Exception as error:
            if attempt >= options.max_attempts or (should_retry is not None and not should_retry(error, attempt + 1)):
                raise
        await asyncio.sleep(options.delay_ms(attempt) / 1000)
        attempt += 1


async def retry(
    fn: Callable[..., Any],
    *,
    max_attempts: int = 3,
    base_delay: Duration = 0.1,
    max_delay: Duration = 3.0,
    should_retry: Callable[[Exception, int], bool] | None = None,
) -> Any:
    """Call `fn(attempt)` until it succeeds, and return its result; attempts count from 1.

    fn: an async function, with or without that parameter. should_retry: called with the error and the number of the
    next attempt; False ends it. Raises the last error; TypeError and ValueError for options that mean nothing.
    """
    if not callable(fn):
        raise TypeError(f"retry(fn) takes the function itself, not {fn!r}: retry(load), not retry(load()).")
    options = RetryOptions(max_attempts=max_attempts, base_delay=base_delay, max_delay=max_delay)
    return await try_each(fn, options, should_retry)
