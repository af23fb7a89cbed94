"""The jobs of an agent: one table, `cf_agents_jobs`, that one physical alarm serves.

A job is the name of a callback, a due time and a payload; schedules and queued work are both jobs, by `capability`.
Source: npm agents 0.32.0, `lifecycle` (job-queue.ts, job-driver.ts).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dosim.agents.encoding import new_id, to_json
from dosim.agents.retrying import RetryOptions

#: Seconds after which a run of a single-flight job counts as hung.
HUNG_S = 30

_TABLE = """CREATE TABLE IF NOT EXISTS cf_agents_jobs (
  id TEXT PRIMARY KEY NOT NULL,
  capability TEXT NOT NULL,
  fn TEXT NOT NULL,
  time INTEGER NOT NULL,
  payload TEXT,
  retry_options TEXT,
  singleflight INTEGER NOT NULL DEFAULT 0,
  hung_timeout_seconds INTEGER,
  exclusive INTEGER NOT NULL DEFAULT 0,
  recovery_loop INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  execution_started_at INTEGER,
  created_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID"""

_PUSH = """INSERT INTO cf_agents_jobs (id, capability, fn, time, payload, retry_options, singleflight,
  hung_timeout_seconds, exclusive, recovery_loop, running, execution_started_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, NULL)
ON CONFLICT(id) DO UPDATE SET
  fn = excluded.fn, time = excluded.time, payload = excluded.payload, retry_options = excluded.retry_options,
  singleflight = excluded.singleflight, hung_timeout_seconds = excluded.hung_timeout_seconds,
  running = 0, execution_started_at = NULL
WHERE cf_agents_jobs.capability = excluded.capability"""

_HUNG_AT = "coalesce(execution_started_at, 0) + coalesce(hung_timeout_seconds, 30) * 1000"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row. Times are milliseconds since 1970, `created_s` seconds."""

    id: str
    capability: str
    fn: str
    time_ms: int
    payload: Any
    retry: RetryOptions | None
    singleflight: bool
    hung_ms: int
    running: bool
    started_ms: int
    created_s: int


def _job(row: dict[str, Any]) -> Job:
    hung_s = row["hung_timeout_seconds"]
    return Job(
        id=row["id"],
        capability=row["capability"],
        fn=row["fn"],
        time_ms=int(row["time"]),
        payload=json.loads(row["payload"]) if row["payload"] is not None else None,
        retry=RetryOptions.of_stored(json.loads(row["retry_options"]) if row["retry_options"] else None),
        singleflight=bool(row["singleflight"]),
        hung_ms=int((HUNG_S if hung_s is None else hung_s) * 1000),
        running=bool(row["running"]),
        started_ms=int(row["execution_started_at"] or 0),
        created_s=int(row["created_at"]),
    )


class JobTable:
    """The rows. Whoever changes them arms the alarm anew."""

    def __init__(self, sql: Callable[..., list[dict[str, Any]]]) -> None:
        self._run = sql
        self._there = False

    def _sql(self, query: str, *params: Any) -> list[dict[str, Any]]:
        if not self._there:
            self._run(_TABLE)
            self._there = True
        return self._run(query, *params)

    def push(
        self,
        capability: str,
        fn: str,
        time_ms: int,
        payload: Any = None,
        *,
        id: str | None = None,  # noqa: A002  # the column
        retry: RetryOptions | None = None,
        singleflight: bool = False,
        hung_s: float | None = None,
    ) -> Job:
        """Add a job, or replace the one of this id. Raises ValueError when the id is another capability's."""
        key = new_id(9) if id is None else id
        text = None if payload is None else to_json(payload, f"the payload of {fn}")
        stored = to_json(retry.stored(), "retry") if retry is not None else None
        self._sql(_PUSH, key, capability, fn, time_ms, text, stored, int(singleflight), hung_s)
        job = self.get(capability, key)
        if job is None:
            owner = self._sql("SELECT capability FROM cf_agents_jobs WHERE id = ?", key)[0]["capability"]
            raise ValueError(f"Job id {key!r} already belongs to {owner!r}; job ids are scoped to their owner.")
        return job

    def cancel(self, capability: str, job_id: str) -> bool:
        """Remove a job of the capability; whether there was one."""
        if self.get(capability, job_id) is None:
            return False
        self._sql("DELETE FROM cf_agents_jobs WHERE id = ? AND capability = ?", job_id, capability)
        return True

    def get(self, capability: str, job_id: str) -> Job | None:
        rows = self._sql("SELECT * FROM cf_agents_jobs WHERE id = ? AND capability = ?", job_id, capability)
        return _job(rows[0]) if rows else None

    def of(self, capability: str) -> list[Job]:
        """A capability's jobs, in the order in which they are due."""
        return [*map(_job, self._sql("SELECT * FROM cf_agents_jobs WHERE capability = ? ORDER BY time", capability))]

    def due(self, now_ms: int) -> list[Job]:
        return [*map(_job, self._sql("SELECT * FROM cf_agents_jobs WHERE time <= ? ORDER BY time ASC", now_ms))]

    def due_still(self, job_id: str, now_ms: int) -> Job | None:
        """A job as it is now, when it is still there and still due."""
        rows = self._sql("SELECT * FROM cf_agents_jobs WHERE id = ? AND time <= ?", job_id, now_ms)
        return _job(rows[0]) if rows else None

    def mark_running(self, job_id: str, now_ms: int) -> None:
        self._sql("UPDATE cf_agents_jobs SET running = 1, execution_started_at = ? WHERE id = ?", now_ms, job_id)

    def clear_running(self, job_id: str) -> None:
        self._sql("UPDATE cf_agents_jobs SET running = 0, execution_started_at = NULL WHERE id = ?", job_id)

    def delete(self, job_id: str) -> None:
        self._sql("DELETE FROM cf_agents_jobs WHERE id = ?", job_id)

    def finish(self, job_id: str, again_ms: int | None) -> None:
        """What becomes of a job that ran: gone, or due again.

        A push of the same id while it ran has cleared `running`: that newer intent stands.
        """
        if again_ms is None:
            self._sql("DELETE FROM cf_agents_jobs WHERE id = ? AND running = 1", job_id)
        else:
            self._sql(
                "UPDATE cf_agents_jobs SET time = ?, running = 0, execution_started_at = NULL"
                " WHERE id = ? AND running = 1",
                again_ms,
                job_id,
            )

    def next_alarm_ms(self, now_ms: int) -> int | None:
        """When the alarm has to ring next; None: no job is left.

        What is overdue rings at once, in the next millisecond. A single-flight job that runs is looked at again when
        its run counts as hung.
        """
        ready = self._sql(
            f"SELECT MIN(time) AS time FROM cf_agents_jobs WHERE singleflight = 0 OR running = 0 OR {_HUNG_AT} <= ?",
            now_ms,
        )[0]["time"]
        hung = self._sql(
            f"SELECT MIN({_HUNG_AT}) AS time FROM cf_agents_jobs"
            f" WHERE singleflight = 1 AND running = 1 AND {_HUNG_AT} > ?",
            now_ms,
        )[0]["time"]
        times = [] if ready is None else [max(int(ready), now_ms + 1)]
        return min([*times, *([] if hung is None else [int(hung)])], default=None)
