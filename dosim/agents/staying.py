"""Staying in memory while something long runs, and finding what was cut off when it could not.

`keep_alive` lets the alarm ring every 30 s, so that the agent is never idle. A fiber is noted in `cf_agents_runs` while
it runs, with what it stashes; a note that nobody in this life of the agent made is of a fiber that was cut off, and
`on_fiber_recovered` is told. Source: npm agents 0.32.0, `src` (keepAlive, runFiber, _checkRunFibers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dosim.agents.calling import call
from dosim.agents.encoding import new_id, parse_json, to_json
from dosim.agents.jobs import Job
from dosim.agents.lifecycle import said
from dosim.agents.retrying import to_seconds
from dosim.agents.scheduling import moment
from dosim.workers import wait_until
from dosim.workers.js import Date, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

CAPABILITY = "host"
_KEEP_ALIVE = "cf:keep-alive"
_HOUSEKEEPING = "cf:housekeeping"
#: A recovery that keeps failing is tried again after a time that doubles, while the agent is in memory, up to this.
_MOST_BACKOFF_MS = 5 * 60_000

_TABLE = """CREATE TABLE IF NOT EXISTS cf_agents_runs (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  snapshot TEXT,
  created_at INTEGER NOT NULL,
  completed_at INTEGER,
  outcome TEXT,
  error_message TEXT
)"""


@dataclass(frozen=True)
class FiberContext:
    """What a fiber's function gets: its id, and `stash(data)`, which keeps a snapshot for the case it is cut off."""

    id: str
    stash: Callable[[Any], None]


@dataclass(frozen=True, kw_only=True)
class FiberRecoveryContext:
    """A fiber that was cut off: `snapshot` is what it stashed last, None if nothing."""

    id: str
    name: str
    snapshot: Any
    created_at: datetime
    recovery_reason: str = "interrupted"


_fiber: ContextVar[FiberContext | None] = ContextVar("dosim.agents.fiber", default=None)


def stash(data: Any) -> None:
    """Keep a snapshot of the running fiber. Raises RuntimeError outside of one, TypeError for what is no JSON."""
    fiber = _fiber.get()
    if fiber is None:
        raise RuntimeError("stash() called outside a fiber: start one with `await self.run_fiber(name, function)`.")
    fiber.stash(data)


class KeepAlive:
    """Holds the agent in memory until `dispose()`, or while a `with` block runs."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def dispose(self) -> None:
        """Let go; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:  # this life of the agent ends, and its hold with it
            self.dispose()


class Staying:
    """An agent's holds and fibers."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._jobs = agent._cf_jobs
        self._holds = 0
        #: The fibers of this life.
        self._running: set[str] = set()
        self._recovering = False
        self._scans_in_vain = 0
        agent.sql(_TABLE)

    @property
    def _interval_ms(self) -> int:
        return int(1000 * to_seconds(self._agent.options.keep_alive_interval, "keep_alive_interval"))

    # -- keeping alive

    async def hold(self) -> KeepAlive:
        self._holds += 1
        if self._holds == 1:
            await self.sync()
        return KeepAlive(self._let_go)

    def _let_go(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            wait_until(self.sync())

    async def sync(self) -> None:
        """Have the jobs that this needs, and no others."""
        lifecycle = self._agent._cf_lifecycle
        if lifecycle.ended:
            return
        now_ms = Date.now()
        changed = self._have(_KEEP_ALIVE, "keepAlive", now_ms + self._interval_ms if self._holds else None)
        changed |= self._have(_HOUSEKEEPING, "housekeeping", self._housekeeping_ms(now_ms))
        if changed:
            await lifecycle.rearm()

    def _have(self, job_id: str, fn: str, time_ms: int | None) -> bool:
        if time_ms is None:
            return self._jobs.cancel(CAPABILITY, job_id)
        self._jobs.push(CAPABILITY, fn, time_ms, id=job_id)
        return True

    async def run_job(self, job: Job, attempt: int) -> int | None:
        """The heartbeat, or another look at what could not be recovered."""
        now_ms = Date.now()
        if job.fn == "keepAlive":
            return int(now_ms + self._interval_ms) if self._holds else None
        if job.fn == "housekeeping":
            return self._housekeeping_ms(now_ms)
        console.warn(f"Unknown Agent host job fn {job.fn!r}")
        return None

    async def job_failed(self, job: Job, error: Exception) -> int | None:
        console.error(f"host job {job.fn} failed", said(error))
        return None

    # -- fibers

    async def run(self, name: str, function: Callable[..., Any]) -> Any:
        if not callable(function):
            raise TypeError(f"run_fiber(name, function) takes an async function, not {function!r}.")
        if not isinstance(name, str):
            raise TypeError(f"run_fiber(name, function): the name is a text, not {name!r}.")
        agent, fiber_id, started_ms = self._agent, new_id(), Date.now()
        agent.sql(
            "INSERT INTO cf_agents_runs (id, name, snapshot, created_at) VALUES (?, ?, NULL, ?)",
            fiber_id,
            name,
            started_ms,
        )

        def keep(data: Any) -> None:
            text = to_json(data, f"the stash of {name}")
            agent.sql("UPDATE cf_agents_runs SET snapshot = ? WHERE id = ?", text, fiber_id)

        context = FiberContext(fiber_id, keep)
        self._running.add(fiber_id)
        agent._cf_emit("fiber:run:started", fiberId=fiber_id, fiberName=name)
        hold = None
        token = _fiber.set(context)
        try:
            hold = await self.hold()
            result = await call(function, context)
        except (Exception, asyncio.CancelledError) as error:  # not what ends this life of the agent
            _fiber.reset(token)
            self._over(context, hold)
            agent._cf_emit("fiber:run:failed", fiberId=fiber_id, fiberName=name, error=str(error))
            raise
        _fiber.reset(token)
        self._over(context, hold)
        agent._cf_emit("fiber:run:completed", fiberId=fiber_id, fiberName=name)
        return result

    def _over(self, fiber: FiberContext, hold: KeepAlive | None) -> None:
        """A fiber has ended, one way or the other, in this life."""
        self._running.discard(fiber.id)
        if not self._agent._cf_lifecycle.ended:
            self._agent.sql("DELETE FROM cf_agents_runs WHERE id = ?", fiber.id)
            if hold is not None:
                hold.dispose()

    async def recover(self) -> None:
        """Tell the agent of fibers that were cut off; what its hook refuses stays for later, for a day."""
        if self._recovering or self._agent._cf_lifecycle.ended:
            return
        rows, progress = self._cut_off(), False
        self._recovering = True
        try:
            for row in rows:
                progress |= await self._recover(row)
        finally:
            self._recovering = False
        self._scans_in_vain = self._scans_in_vain + 1 if rows and not progress else 0

    def _cut_off(self) -> list[dict[str, Any]]:
        rows = self._agent.sql("SELECT id, name, snapshot, created_at FROM cf_agents_runs ORDER BY created_at, id")
        return [row for row in rows if row["id"] not in self._running]

    async def _recover(self, row: dict[str, Any]) -> bool:
        """Tell of one; whether its note is gone."""
        agent = self._agent
        context = FiberRecoveryContext(
            id=row["id"],
            name=row["name"],
            snapshot=parse_json(row["snapshot"]),
            created_at=moment(row["created_at"]),
        )
        agent._cf_emit("fiber:run:interrupted", fiberId=context.id, fiberName=context.name)
        try:
            await call(agent.on_fiber_recovered, context)
        except Exception as error:
            console.error(f'[Agent] Fiber recovery failed for "{context.name}" ({context.id}):', said(error))
            agent._cf_emit("fiber:recovery:failed", fiberId=context.id, fiberName=context.name, error=str(error))
            most_s = agent.options.fiber_recovery_max_age
            old = most_s is not None and Date.now() - row["created_at"] > 1000 * to_seconds(most_s, "max_age")
            if not old:
                return False
        agent.sql("DELETE FROM cf_agents_runs WHERE id = ?", context.id)
        return True

    def _housekeeping_ms(self, now_ms: int) -> int | None:
        """When to look again at fibers that are not recovered yet; None: there are none."""
        if not self._cut_off():
            return None
        return int(now_ms + min(_MOST_BACKOFF_MS, self._interval_ms * 2 ** min(self._scans_in_vain, 20)))


__all__ = ["FiberContext", "FiberRecoveryContext", "KeepAlive", "Staying", "stash"]
