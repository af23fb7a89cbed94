"""The alarm of an object: at least once, never early, one at a time, retried with back-off.

The time is stored with the data; the firing is here. Recorded: a failed run is retried 2, 4, 8, 16, 32, 64 s after it
ended, each up to a quarter later, then the alarm is gone; while `alarm()` runs, `getAlarm()` is null until somebody
sets a new one; a new one never starts before the running handler has ended; `ctx.abort()` in it counts as a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dosim.platform.facts import (
    ALARM_BACKOFF_MAX,
    ALARM_LIMIT_US,
    ALARM_PAUSE_US,
    ALARM_RETRIES,
    ALARM_RETRY_JITTER,
    ALARM_RETRY_US,
    ALARM_TIMEOUT_TEXT,
    EPOCH_MS,
    FAILOVER_US,
)
from dosim.runtime.calls import Call
from dosim.web.errors import JsException

if TYPE_CHECKING:
    from dosim.kernel.loop import Timer
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.instance import Instance


class AlarmInfo:
    """What `alarm(info)` is given: `retryCount`, `isRetry`, `scheduledTime` (ms)."""

    def __init__(self, retry_count: int, scheduled_ms: int) -> None:
        self.retryCount = retry_count
        self.isRetry = retry_count > 0
        self.scheduledTime = scheduled_ms

    def __repr__(self) -> str:
        return f"AlarmInvocationInfo(retryCount={self.retryCount}, isRetry={self.isRetry})"


class Alarm:
    """Schedules the stored alarm time of one object and runs its handler."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host
        self._world = host.world
        #: The stored time that is scheduled, ms; None: none.
        self._scheduled_ms: int | None = None
        self._armed = 0
        self._running: Call | None = None
        #: The run whose handler has ended in the turn that is not committed yet.
        self._finishing: Call | None = None
        #: While `alarm()` runs and nobody has set or deleted the alarm: it counts as gone, and stays if the run fails.
        self.deferred_delete = False
        #: Something about the alarm changed in this turn: `sync` once the turn is committed.
        self.touched = False
        #: The finishing run has failed and nobody touched the alarm meanwhile: it is to be retried.
        self._failed = False
        self._uncounted = False
        self._limit: Timer | None = None
        #: Failures that count towards the last retry, and the exponent of the next wait.
        self._retries = 0
        self._backoff = 0
        self._retry_due_us: int | None = None
        self._runs = 0
        self._due_us = 0
        self._rang_us = -ALARM_PAUSE_US
        #: Faults to come: how much later the next one is due, how many successes are not heard of.
        self._late_us = 0
        self._repeats = 0
        #: The life of the object that the running handler belongs to; what a call's stub has.
        self.life = host.life

    #: An alarm's run starts where the object is.
    target_place = None

    @property
    def host(self) -> ObjectHost:
        return self._host

    def rings(self, armed: int) -> bool:
        """Whether the handler runs when what was armed under this number is due."""
        return armed == self._armed and self._scheduled_ms is not None and self._running is None

    @property
    def is_unused(self) -> bool:
        """True when there is nothing to remember: no alarm set, due, running or retried."""
        waits = self._scheduled_ms is not None or self._running is not None or self._retry_due_us is not None
        return not (waits or self._late_us or self._repeats)

    # -- what storage calls

    def get_ms(self) -> int | None:
        """The alarm as `getAlarm()` sees it."""
        return None if self.deferred_delete else self._host.storage.alarm_ms

    def set_ms(self, alarm_ms: int | None) -> None:
        """`setAlarm` or `deleteAlarm`, in the turn's transaction."""
        self.deferred_delete = False
        self.touched = True
        self._host.storage.set_alarm(alarm_ms)

    def restore_deferred(self, *, deferred: bool) -> None:
        """A transaction rolled back: the alarm is again as it was before it."""
        self.deferred_delete = deferred

    def cleared(self) -> None:
        """deleteAll took the alarm with it."""
        self.deferred_delete = False
        self.touched = True

    # -- scheduling

    def sync(self) -> None:
        """The turn was committed: schedule what is stored now."""
        storage = self._host.storage
        if storage.writes:
            return
        finishing, self._finishing = self._finishing, None
        if finishing is not None and self._failed:
            self._retry(finishing, counts=not self._uncounted)
        elif finishing is not None:
            self._forget_failures()
        if not self.touched or self._running is not None:
            return
        self.touched = False
        stored_ms = storage.alarm_ms
        if stored_ms is not None and stored_ms == self._scheduled_ms:
            return
        if stored_ms is None:
            if self._scheduled_ms is not None:
                self._world.emit(self._world.loop.time_us(), "alarm_cleared", self._host.label)
            self._disarm()
        elif self._retry_due_us is not None and self._us(stored_ms) < self._retry_due_us:
            self._scheduled_ms = stored_ms  # earlier than the retry: it does not cut the back-off short (recorded)
        else:
            self._forget_failures()
            self._arm(stored_ms, self._us(stored_ms))

    def _forget_failures(self) -> None:
        self._retries = self._backoff = 0
        self._retry_due_us = None

    def _us(self, alarm_ms: int) -> int:
        return max((alarm_ms - EPOCH_MS) * 1000, self._world.loop.time_us(), self._rang_us + ALARM_PAUSE_US)

    def _arm(self, alarm_ms: int, due_us: int) -> None:
        due_us += self._late_us
        self._late_us = 0
        self._due_us = due_us
        self._scheduled_ms = alarm_ms
        self._armed += 1
        self._world.emit(self._world.loop.time_us(), "alarm_set", self._host.label, 0, 0, (due_us,))
        self._world.loop.in_background(due_us, self._due, self._armed)

    def _disarm(self) -> None:
        self._scheduled_ms = None
        self._armed += 1
        self._forget_failures()

    def _due(self, armed: int) -> None:
        """The scheduled time has come, unless something newer was scheduled since."""
        host = self._host
        if not self.rings(armed):
            return
        assert self._scheduled_ms is not None
        if not host.binding.has_alarm_handler:
            return
        faults = self._world.faults
        if faults is not None and faults.is_down(host.place):
            self._world.loop.in_background(self._world.loop.now_us + FAILOVER_US, self._due, armed)
            return
        self._retry_due_us = None
        self._rang_us = self._world.loop.time_us()
        info = AlarmInfo(self._retries, self._scheduled_ms)
        call = self._world.new_alarm_call(host, info)
        self._running = call
        self._armed += 1
        call.stub = self
        self.life = host.life
        host.arrive(call)

    def begins(self, call: Call) -> bool:
        """The handler is about to run; False when the constructor moved the alarm meanwhile (recorded: run skipped)."""
        info: AlarmInfo = call.args[0]
        if self._host.storage.alarm_ms != info.scheduledTime:
            self._running = None
            self.touched = True
            self.sync()
            return False
        self._scheduled_ms = None
        self.deferred_delete = True
        self.touched = False
        self._limit = self._world.loop.timer(ALARM_LIMIT_US, self._too_long, call)
        return True

    def _too_long(self, call: Call) -> None:
        instance = self._host.instance
        if self._running is call and instance is not None:
            instance.reset(JsException(ALARM_TIMEOUT_TEXT, overloaded=True, durableObjectReset=True))

    def ended(self, call: Call, error: BaseException | None) -> None:
        """The handler has ended. Called before its turn is committed."""
        if self._running is not call:
            return
        self._running, self._finishing = None, call
        self._stop_limit()
        self.touched = True
        deferred, self.deferred_delete = self.deferred_delete, False
        unheard = error is None and self._repeats > 0
        self._repeats -= unheard
        self._failed = deferred and (error is not None or unheard)
        self._uncounted = unheard
        if deferred and not self._failed:
            self._host.storage.set_alarm(None)

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def life_ended(self, instance: Instance) -> None:
        """The instance was reset while the handler ran, or waited to: the run counts as failed."""
        call = self._running or self._finishing
        self._running = self._finishing = None
        self._stop_limit()
        if call is None:
            return
        stored_ms = self._host.storage.alarm_ms
        if self.deferred_delete or stored_ms == call.args[0].scheduledTime:
            self.deferred_delete = False
            if stored_ms is not None:
                self._retry(call, counts=not _is_internal(instance.broken))
        else:
            self.touched = True
            self.sync()

    def interrupted(self) -> None:
        """The instance was dropped while the handler ran: a failure that is not the program's, so it runs again."""
        call, self._running = self._running, None
        self._stop_limit()
        if call is not None:
            self.deferred_delete = False
            if self._host.storage.alarm_ms is not None:
                self._retry(call, counts=False)

    def put_off(self, by_us: int) -> None:
        """The scheduler is late: what is due now, or next, comes `by_us` later."""
        if self._scheduled_ms is None or self._running is not None:
            self._late_us += by_us
            return
        self._arm(self._scheduled_ms, self._due_us + by_us)

    def repeat(self) -> None:
        """The scheduler does not hear that the next run succeeded: it runs once more."""
        self._repeats += 1

    def restarted(self) -> None:
        """The process is up again: what is stored is scheduled."""
        self._running = None
        self._stop_limit()
        self.deferred_delete = False
        self._forget_failures()
        stored_ms = self._host.storage.alarm_ms
        if stored_ms is None:
            self._disarm()
        else:
            self._arm(stored_ms, self._us(stored_ms))

    def _retry(self, call: Call, *, counts: bool) -> None:
        """Run again after the back-off, or give up after the last retry: the alarm silently disappears.

        Failures that are not the program's do not count: such an alarm is retried for ever (workerd global-scope.c++).
        """
        world, host = self._world, self._host
        info: AlarmInfo = call.args[0]
        self._failed = False
        if self._retries >= ALARM_RETRIES:
            host.storage.set_alarm(None)
            host.storage.commit()
            now_us = world.loop.time_us()
            host.storage.confirms_at(now_us, now_us + world.platform.confirm_us)
            self._disarm()
            return
        if counts:
            if self._backoff > self._retries:
                self._backoff = 0
            self._retries += 1
        self._runs += 1
        late = world.alarm_jitter(host, self._runs) * ALARM_RETRY_JITTER
        wait_us = round((ALARM_RETRY_US << min(self._backoff, ALARM_BACKOFF_MAX)) * (1 + late))
        self._backoff += 1
        self._retry_due_us = world.loop.time_us() + wait_us
        self._arm(info.scheduledTime, self._retry_due_us)


def _is_internal(error: JsException | None) -> bool:
    return error is not None and error.message.startswith("internal error")
