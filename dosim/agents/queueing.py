"""Queued work: callbacks that run soon, one at a time, in the order in which they were queued, and survive a crash.

An item is a job that is due at once; due times grow strictly, which is what keeps the order. An item whose last attempt
fails is dropped. Callbacks run at least once: they should be idempotent. Source: npm agents 0.32.0, `queue.js`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dosim.agents.calling import call, find_method, method_name
from dosim.agents.current import acting
from dosim.agents.encoding import to_json
from dosim.agents.jobs import Job
from dosim.agents.lifecycle import said
from dosim.agents.retrying import RetryOptions, checked
from dosim.agents.scheduling import moment
from dosim.workers.js import Date, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

CAPABILITY = "queue"


@dataclass(frozen=True, kw_only=True)
class QueueItem:
    """An item that waits, or runs: its callback's name and the payload for it."""

    id: str
    callback: str
    payload: Any
    created_at: datetime
    retry: RetryOptions | None = None


class Queue:
    """An agent's queue."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._jobs = agent._cf_jobs
        self._last_ms: int | None = None

    # -- putting in

    async def push(self, callback: Any, payload: Any, retry: RetryOptions | None, item_id: str | None) -> str:
        if self._agent._cf_lifecycle.status != "started":
            await self._agent._cf_lifecycle.start()
        name = method_name(self._agent, callback, "queue()")
        if item_id is not None and (not isinstance(item_id, str) or not item_id.strip()):
            raise ValueError(f"queue(id={item_id!r}): an item's id is a text that is not empty.")
        to_json(payload, f"the payload of {name}")
        before = self._jobs.get(CAPABILITY, item_id) if item_id is not None else None
        job = self._jobs.push(
            CAPABILITY,
            name,
            self._next_ms() if before is None else before.time_ms,
            {"payload": payload, "owner_path": None, "owner_path_key": None},
            id=item_id,
            retry=checked(retry) or self._agent.options.retry,
        )
        await self._agent._cf_lifecycle.rearm()
        self._agent._cf_emit("queue:create", callback=name, id=job.id)
        return job.id

    def _next_ms(self) -> int:
        """A due time after all others, and not before now."""
        if self._last_ms is None:
            self._last_ms = max((job.time_ms for job in self._jobs.of(CAPABILITY)), default=0)
        self._last_ms = max(Date.now(), self._last_ms + 1)
        return self._last_ms

    # -- taking out

    async def cancel(self, item_id: str) -> bool:
        await self._agent._cf_lifecycle.start()
        gone = self._jobs.cancel(CAPABILITY, item_id)
        if gone:
            await self._agent._cf_lifecycle.rearm()
        return gone

    async def cancel_all(self, callback: Any = None) -> int:
        await self._agent._cf_lifecycle.start()
        name = None if callback is None else _name(callback)
        gone = sum(self._jobs.cancel(CAPABILITY, job.id) for job in self._jobs.of(CAPABILITY) if name in (None, job.fn))
        if gone:
            await self._agent._cf_lifecycle.rearm()
        return gone

    async def get(self, item_id: str) -> QueueItem | None:
        await self._agent._cf_lifecycle.start()
        job = self._jobs.get(CAPABILITY, item_id)
        return _item(job) if job is not None else None

    async def list(self, callback: Any = None) -> list[QueueItem]:
        await self._agent._cf_lifecycle.start()
        name = None if callback is None else _name(callback)
        return [_item(job) for job in self._jobs.of(CAPABILITY) if name in (None, job.fn)]

    # -- running

    async def run_job(self, job: Job, attempt: int) -> int | None:
        """Run an item; it is never due again."""
        if attempt > 1:
            most = (job.retry or RetryOptions()).max_attempts
            self._agent._cf_emit("queue:retry", callback=job.fn, id=job.id, attempt=attempt, maxAttempts=most)
        callback = find_method(self._agent, job.fn)
        if callback is None:
            console.error(f"callback {job.fn} not found")
            return None
        with acting(self._agent):
            await call(callback, job.payload.get("payload"), _item(job))
        return None

    async def job_failed(self, job: Job, error: Exception) -> int | None:
        """The last attempt has failed: the item is dropped."""
        attempts = (job.retry or RetryOptions()).max_attempts
        console.error(f'queue callback "{job.fn}" failed after {attempts} attempts', said(error))
        self._agent._cf_emit("queue:error", callback=job.fn, id=job.id, error=str(error), attempts=attempts)
        await self._agent._cf_tell(None, error)
        return None


def _name(callback: Any) -> str:
    """The name that a callback goes by; one that is gone from the class may still be in the queue."""
    name = callback if isinstance(callback, str) else getattr(callback, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"the callback must be a method of the agent or its name, not {callback!r}.")
    return name


def _item(job: Job) -> QueueItem:
    return QueueItem(
        id=job.id,
        callback=job.fn,
        payload=job.payload.get("payload"),
        created_at=moment(job.created_s * 1000),
        retry=job.retry,
    )
