"""Schedules: a callback at a time, after a delay, by a cron expression or at an interval.

A schedule is one job, whose `fn` is the callback's name. Times are whole seconds since 1970, rounded down: a delay of
1.5 s that is asked for at 0.7 s is due at 2 s. Cron is in UTC. A schedule that was due while the agent was not in
memory, or not running at all, runs when the alarm rings, once. Source: npm agents 0.32.0, `scheduler.js`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dosim.agents.calling import call, find_method, method_name
from dosim.agents.cron import next_cron
from dosim.agents.current import acting
from dosim.agents.encoding import to_json
from dosim.agents.jobs import HUNG_S, Job
from dosim.agents.lifecycle import said
from dosim.agents.retrying import Duration, RetryOptions, checked, to_seconds
from dosim.workers.js import Date, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

CAPABILITY = "scheduler"
_TYPES = ("scheduled", "delayed", "cron", "interval")
_MOST_S = 30 * 24 * 60 * 60
_RECURRING = ("cron", "interval")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A schedule: `time` (aware, UTC) is when it runs next; `delay`, `cron` or `interval` is what it was asked for."""

    id: str
    callback: str
    payload: Any
    type: str
    time: datetime
    retry: RetryOptions | None = None
    delay: timedelta | None = None
    cron: str | None = None
    interval: timedelta | None = None


def moment(time_ms: float) -> datetime:
    """Milliseconds since 1970 as a time in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def _time_ms(when: datetime) -> float:
    """A time as milliseconds since 1970; one without a zone is in UTC, as everything in a Worker."""
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)


class Schedules:
    """An agent's schedules."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._jobs = agent._cf_jobs
        self._warned: set[str] = set()

    # -- making

    async def at(
        self, when: Any, callback: Any, payload: Any, retry: RetryOptions | None, idempotent: bool | None
    ) -> Schedule:
        await self._agent._cf_lifecycle.start()
        name = method_name(self._agent, callback, "schedule()")
        timing = _timing(when, Date.now())
        self._warn_on_start(timing["type"], name, idempotent)
        return await self._insert(timing, name, payload, checked(retry), idempotent)

    async def every(
        self, interval: Any, callback: Any, payload: Any, retry: RetryOptions | None, idempotent: bool | None
    ) -> Schedule:
        await self._agent._cf_lifecycle.start()
        name = method_name(self._agent, callback, "schedule_every()")
        seconds = to_seconds(interval, "interval")
        if seconds <= 0:
            raise ValueError(f"interval must be positive, not {interval}.")
        if seconds > _MOST_S:
            raise ValueError(f"interval cannot exceed 30 days ({_MOST_S} seconds), and {interval} does.")
        timing = {"type": "interval", "time_s": math.floor((Date.now() + seconds * 1000) / 1000)}
        return await self._insert(timing | {"intervalSeconds": seconds}, name, payload, checked(retry), idempotent)

    async def _insert(
        self, timing: dict[str, Any], name: str, payload: Any, retry: RetryOptions | None, idempotent: bool | None
    ) -> Schedule:
        text = to_json(payload, f"the payload of {name}")
        wanted = timing["type"] in _RECURRING if idempotent is None else idempotent
        if wanted:
            for job in self._of():
                if _is_same(job, timing, name, text):
                    await self._agent._cf_lifecycle.rearm()
                    return _schedule(job)
        time_s = timing.pop("time_s")
        stored = {"payload": payload, **({"retry": retry.stored()} if retry is not None else {}), **timing}
        job = self._jobs.push(
            CAPABILITY,
            name,
            time_s * 1000,
            {**stored, "owner_path": None, "owner_path_key": None},
            retry=retry or self._agent.options.retry,
            singleflight=timing["type"] == "interval",
            hung_s=to_seconds(self._agent.options.hung_schedule_timeout, "hung_schedule_timeout"),
        )
        await self._agent._cf_lifecycle.rearm()
        self._agent._cf_emit("schedule:create", callback=name, id=job.id)
        return _schedule(job)

    def _warn_on_start(self, kind: str, name: str, idempotent: bool | None) -> None:
        """A one-shot made in `on_start` is made anew in every life of the agent."""
        if self._agent._cf_lifecycle.status != "starting" or idempotent is not None or kind in _RECURRING:
            return
        if name not in self._warned:
            self._warned.add(name)
            console.warn(
                f'Scheduling "{name}" during startup (e.g. on_start()) without idempotent=True creates a new row on'
                " every Durable Object restart, which can cause duplicate executions. Pass idempotent=True to"
                " deduplicate, or use an interval schedule for recurring tasks."
            )

    # -- finding

    def _of(self) -> list[Job]:
        return [job for job in self._jobs.of(CAPABILITY) if isinstance(job.payload, dict) and "type" in job.payload]

    async def get(self, schedule_id: str) -> Schedule | None:
        await self._agent._cf_lifecycle.start()
        job = self._jobs.get(CAPABILITY, schedule_id)
        return _schedule(job) if job is not None else None

    async def list(
        self,
        id: str | None,  # noqa: A002  # the SDK's name
        type: str | None,  # noqa: A002
        start: datetime | None,
        end: datetime | None,
    ) -> list[Schedule]:
        if type is not None and type not in _TYPES:
            raise ValueError(f"type={type!r}: a schedule is {', '.join(_TYPES)}.")
        await self._agent._cf_lifecycle.start()
        first = None if start is None else _time_ms(start) // 1000
        last = None if end is None else _time_ms(end) // 1000
        return [
            _schedule(job)
            for job in self._of()
            if (id is None or job.id == id)
            and (type is None or job.payload["type"] == type)
            and (first is None or job.time_ms // 1000 >= first)
            and (last is None or job.time_ms // 1000 <= last)
        ]

    async def cancel(self, schedule_id: str) -> bool:
        await self._agent._cf_lifecycle.start()
        job = self._jobs.get(CAPABILITY, schedule_id)
        if job is None:
            return False
        self._jobs.cancel(CAPABILITY, schedule_id)
        await self._agent._cf_lifecycle.rearm()
        self._agent._cf_emit("schedule:cancel", callback=job.fn, id=schedule_id)
        return True

    # -- running

    async def run_job(self, job: Job, attempt: int) -> int | None:
        """Run one that is due; when it is due again."""
        if attempt == 1:
            self._agent._cf_emit("schedule:execute", callback=job.fn, id=job.id)
        else:
            most = (job.retry or RetryOptions()).max_attempts
            self._agent._cf_emit("schedule:retry", callback=job.fn, id=job.id, attempt=attempt, maxAttempts=most)
        callback: Callable[..., Any] | None = find_method(self._agent, job.fn)
        if callback is None:
            console.error(f"callback {job.fn} not found")
            return _again_ms(job)
        with acting(self._agent):
            await call(callback, job.payload.get("payload"), _schedule(job))
        return _again_ms(job)

    async def job_failed(self, job: Job, error: Exception) -> int | None:
        """The last attempt has failed: a one-shot is dropped, a recurring one goes on."""
        attempts = (job.retry or RetryOptions()).max_attempts
        console.error(f'error executing callback "{job.fn}" after {attempts} attempts', said(error))
        self._agent._cf_emit("schedule:error", callback=job.fn, id=job.id, error=str(error), attempts=attempts)
        await self._agent._cf_tell(None, error)
        return _again_ms(job)


def _timing(when: Any, now_ms: int) -> dict[str, Any]:
    """What kind of schedule it is, and when it is due first. Raises TypeError, ValueError."""
    if isinstance(when, datetime):
        return {"type": "scheduled", "time_s": _checked_s(math.floor(_time_ms(when) / 1000), when)}
    if isinstance(when, str):
        return {"type": "cron", "time_s": _cron_ms(when, now_ms) // 1000, "cron": when}
    if isinstance(when, timedelta) or (isinstance(when, (int, float)) and not isinstance(when, bool)):
        seconds = to_seconds(when, "when")
        time_s = _checked_s(math.floor((now_ms + seconds * 1000) / 1000), when)
        return {"type": "delayed", "time_s": time_s, "delayInSeconds": seconds}
    raise TypeError(
        f"schedule(when): {when!r} is no time: give a datetime, a timedelta, a number of seconds or a cron expression"
        " such as '0 9 * * mon-fri'."
    )


def _checked_s(time_s: int, when: object) -> int:
    if time_s < 0:
        raise ValueError(f"schedule(when): {when!r} is before 1970.")
    return time_s


def _cron_ms(expression: str, after_ms: int) -> int:
    return int(_time_ms(next_cron(expression, moment(after_ms))))


def _again_ms(job: Job) -> int | None:
    """When a schedule that ran is due again; None: it is done."""
    if job.payload["type"] == "cron":
        return _cron_ms(job.payload["cron"], Date.now())
    if job.payload["type"] == "interval":
        return int(Date.now() + job.payload["intervalSeconds"] * 1000)
    return None


def _is_same(job: Job, timing: dict[str, Any], name: str, payload_text: str) -> bool:
    """Whether an idempotent request asks for what is there already."""
    kind, there = timing["type"], job.payload
    return (
        there["type"] == kind
        and job.fn == name
        and to_json(there.get("payload"), "payload") == payload_text
        and (kind != "cron" or there["cron"] == timing["cron"])
        and (kind != "interval" or there["intervalSeconds"] == timing["intervalSeconds"])
    )


def _schedule(job: Job) -> Schedule:
    there = job.payload
    return Schedule(
        id=job.id,
        callback=job.fn,
        payload=there.get("payload"),
        type=there["type"],
        time=moment(job.time_ms // 1000 * 1000),
        retry=RetryOptions.of_stored(there.get("retry")),
        delay=_span(there.get("delayInSeconds")),
        cron=there.get("cron"),
        interval=_span(there.get("intervalSeconds")),
    )


def _span(seconds: Duration | None) -> timedelta | None:
    return timedelta(seconds=float(seconds)) if isinstance(seconds, (int, float)) else None


__all__ = ["HUNG_S", "Schedule", "Schedules"]
