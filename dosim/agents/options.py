"""`AgentOptions`: what a class of agents may set otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from dosim.agents.retrying import Duration, RetryOptions, to_seconds


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Settings of a class: `options = AgentOptions(...)`; durations are seconds or `timedelta`.

    send_identity_on_connect: tell clients the agent's name. hung_schedule_timeout: after it a run of an interval
    schedule counts as hung. keep_alive_interval: how often the alarm rings while the agent is kept alive. retry: for
    schedules and queued work that say nothing else. fiber_recovery_max_age: after it a fiber whose recovery fails is
    given up; None: never. Raises TypeError, ValueError.
    """

    send_identity_on_connect: bool = True
    hung_schedule_timeout: Duration = 30
    keep_alive_interval: Duration = 30
    retry: RetryOptions = field(default_factory=RetryOptions)
    fiber_recovery_max_age: Duration | None = timedelta(hours=24)

    def __post_init__(self) -> None:
        for name in ("hung_schedule_timeout", "keep_alive_interval"):
            if to_seconds(getattr(self, name), name) <= 0:
                raise ValueError(f"{name} must be > 0, not {getattr(self, name)}.")
        if not isinstance(self.retry, RetryOptions):
            raise TypeError(f"retry={self.retry!r}: give RetryOptions(...).")
