"""The life of an agent: it starts once for each life in memory, before any event; then requests, sockets and the alarm.

The alarm's handler: arm a later alarm in case this life ends, start, run what is due in order, tend the fibers, arm the
alarm for what is left. Source: npm agents 0.32.0, `lifecycle` (durable-object-lifecycle.ts, job-driver.ts).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dosim.agents.calling import call
from dosim.agents.current import acting
from dosim.agents.encoding import to_json
from dosim.agents.errors import is_memory_reset, is_platform_failure, is_superseded
from dosim.agents.jobs import Job, JobTable
from dosim.agents.retrying import RetryOptions, try_each
from dosim.workers import Request, Response
from dosim.workers.ffi import JsException
from dosim.workers.js import Date, WebSocketPair, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

#: An alarm this much later stands while jobs run: should this life of the object end, the next goes on with them.
DEADMAN_MS = 30_000
#: So many jobs of one kind due at once are worth a warning.
_BACKLOG = 10
#: The header that carries `props` to an agent, base64 of JSON.
PROPS_HEADER = "x-agents-lifecycle-props"

#: The agents whose start the running code is part of: what they ask of themselves does not wait for it.
_starting: ContextVar[tuple[Lifecycle, ...]] = ContextVar("dosim.agents.starting", default=())


class Lifecycle:
    """Starts an agent, and hands it its events."""

    def __init__(self, agent: Agent[Any], jobs: JobTable) -> None:
        self._agent = agent
        self._jobs = jobs
        self._storage = agent.ctx.storage
        self._startup: asyncio.Future[None] | None = None
        self._props: Any = None
        self._rearm_after_start = False
        #: "zero", "starting" or "started".
        self.status = "zero"
        #: Whether `destroy` has ended this agent: no alarm is set any more.
        self.ended = False

    # -- the start

    async def start(self, props: Any = None) -> None:
        """Start the agent, unless it has started; whoever comes meanwhile waits for the same start.

        Raises what `on_start` raises; the next event tries again.
        """
        if self.status == "started" or self in _starting.get():
            return
        if self._startup is not None:
            await asyncio.shield(self._startup)
            return
        if props is not None:
            self._props = props
        self._startup = startup = asyncio.get_running_loop().create_future()
        try:
            await self._run_start()
        except Exception as error:
            startup.set_exception(error)
            startup.exception()  # nobody else may be waiting for it
            raise
        else:
            startup.set_result(None)
        finally:
            self._startup = None

    async def _run_start(self) -> None:
        agent, failures = self._agent, list[Exception]()
        _ = agent.name

        async def begin() -> None:
            self.status = "starting"
            token = _starting.set((*_starting.get(), self))
            try:
                with acting(agent):
                    await self._begin()
                self.status = "started"
            except Exception as error:
                self.status = "zero"
                failures.append(error)
            _starting.reset(token)

        await agent.ctx.blockConcurrencyWhile(begin)
        rearm, self._rearm_after_start = self._rearm_after_start, False
        if failures:
            if rearm:
                await self._arm_fallback()
            raise failures[0]
        if rearm:
            await self.rearm()

    async def _begin(self) -> None:
        """Tables, fibers that were cut off, the application's `on_start`."""
        agent = self._agent
        await agent._cf_state.on_start()
        try:
            agent._cf_connections.send_servers()
            await agent._cf_staying.recover()
            await call(agent.on_start, self._props)
            await agent._cf_staying.sync()
        except Exception as error:
            await agent._cf_tell(None, error)
            raise

    # -- requests

    async def fetch(self, request: Any) -> Response:
        """Answer a request: an upgrade becomes a connection, anything else is for `on_request`."""
        upgrade = is_upgrade(request)
        agent = self._agent
        try:
            sent = request.headers.get(PROPS_HEADER)
            if sent is not None:
                headers = [pair for pair in request.headers.items() if pair[0].lower() != PROPS_HEADER]
                request = Request(request, headers=[list(pair) for pair in headers])
            await self.start(decoded(sent) if sent is not None else None)
            if upgrade:
                return await agent._cf_connections.upgrade(request)
            with acting(agent, request=request):
                return await self._answer(request)
        except Exception as error:
            console.error(f"Error in {type(agent).__name__}:{agent.ctx.id.name} fetch:", said(error))
            if upgrade:
                return _failed_upgrade(error)
            return Response(said(error), status=500)

    async def _answer(self, request: Any) -> Response:
        agent = self._agent
        try:
            response: Response = await call(agent.on_request, request)
        except Exception as error:
            await call(agent.on_error, None, error)
            return Response("Internal Server Error", status=500)
        return response

    # -- the alarm

    async def rearm(self) -> None:
        """Set the one physical alarm for the job that is due next; delete it when there is none."""
        if self.ended:
            return
        if self.status == "starting":
            self._rearm_after_start = True
            return
        next_ms = self._jobs.next_alarm_ms(Date.now())
        if next_ms is None:
            await self._storage.deleteAlarm()
        else:
            await self._storage.setAlarm(next_ms)

    async def _arm_fallback(self) -> None:
        """An alarm for the jobs that there are, no sooner than the deadman's: a start that fails is tried again."""
        now_ms = Date.now()
        next_ms = None if self.ended else self._jobs.next_alarm_ms(now_ms)
        if next_ms is not None:
            await self._storage.setAlarm(max(next_ms, now_ms + DEADMAN_MS))

    async def alarm(self) -> None:
        """The alarm has rung. Raises what the platform caused, so that it rings again."""
        agent = self._agent
        await self._arm_fallback()
        await self.start()
        await self._run_due()
        if self.ended:
            return
        with acting(agent):
            await call(agent.on_alarm)
            await agent._cf_staying.recover()
            await agent._cf_staying.sync()
        await self.rearm()

    async def _run_due(self) -> None:
        """Run every job that is due now, in the order of their times, one after another."""
        jobs, now_ms = self._jobs, Date.now()
        due = jobs.due(now_ms)
        if not due:
            return
        for capability, count in Counter(job.capability for job in due).items():
            if count >= _BACKLOG:
                console.warn(
                    f"Processing {count} due jobs for {capability!r} in a single alarm cycle. This usually means"
                    " one-shot jobs are pushed repeatedly without a stable id."
                )
        await self._storage.setAlarm(now_ms + DEADMAN_MS)
        for stale in due:
            job = None if self.ended else jobs.due_still(stale.id, now_ms)
            if job is None or not _may_run(job, now_ms):
                continue
            jobs.mark_running(job.id, now_ms)
            await self._run(job)

    async def _run(self, job: Job) -> None:
        """One job, with its retries; what it returns is when it is due again, None for never."""
        owner = self._agent._cf_owners.get(job.capability)
        if owner is None:
            console.error(f"No handler for job {job.id} of {job.capability!r}; dropping it")
            self._jobs.delete(job.id)
            return
        started_ms = Date.now()
        try:
            again_ms = await try_each(
                lambda attempt: owner.run_job(job, attempt),
                job.retry or RetryOptions(),
                lambda error, attempt: not is_superseded(error) and not is_memory_reset(error),
            )
        except Exception as error:
            if self.ended:
                return
            if is_platform_failure(error):
                self._jobs.clear_running(job.id)
                console.warn(f"Deferring job {job.id} to a fresh invocation after a platform failure: {said(error)}")
                raise
            again_ms = await owner.job_failed(job, error)
        if self.ended:
            return
        took_ms = Date.now() - started_ms
        if took_ms >= job.hung_ms:
            console.warn(
                f"Job {job.id} ({job.capability}/{job.fn}) took {took_ms // 1000} s. Long dispatches starve every other"
                " job on this object."
            )
        self._jobs.finish(job.id, again_ms)


def _may_run(job: Job, now_ms: int) -> bool:
    """Whether a due job is to run: not while an earlier run of a single-flight one goes on, unless that is hung."""
    if not (job.singleflight and job.running):
        return True
    for_ms = now_ms - job.started_ms
    if for_ms < job.hung_ms:
        console.warn(f"Skipping job {job.id}: previous execution still running")
        return False
    console.warn(f"Forcing reset of hung job {job.id} (started {round(for_ms / 1000)}s ago)")
    return True


# -- what goes over the wire


def is_upgrade(request: Any) -> bool:
    """Whether a request asks for a WebSocket."""
    return (request.headers.get("Upgrade") or "").lower() == "websocket"


def said(error: BaseException) -> str:
    """An error's class and text, as a stack trace begins."""
    text = str(error)
    name = error.name if isinstance(error, JsException) else type(error).__name__
    return text if text.startswith(f"{name}:") else f"{name}: {text}"


def encoded(props: Any) -> str:
    """`props` as the header carries them."""
    return base64.b64encode(to_json(props, "props").encode()).decode()


def decoded(header: str) -> Any:
    """What the header carries: base64 of JSON, or JSON as older versions sent it."""
    plain = header.strip()
    return json.loads(plain if plain.startswith(("{", "[")) else base64.b64decode(plain))


def _failed_upgrade(error: Exception) -> Response:
    """A connection that says what went wrong, and closes."""
    client, server = WebSocketPair.new().object_values()
    server.accept()
    server.send(to_json({"error": said(error)}, "the error"))
    server.close(1011, "Uncaught exception during session setup")
    return Response(None, status=101, web_socket=client)
