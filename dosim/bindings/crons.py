"""Cron Triggers: when a Worker's `scheduled` handler runs, and what it is given.

The syntax is Cloudflare's: five fields, UTC, days of the week from 1 (Sunday) to 7, with Quartz's L, W and #.
Sources: developers.cloudflare.com/workers/configuration/cron-triggers, and for what that page leaves open
github.com/cloudflare/saffron, the parser behind Cron Triggers. `dosim.bindings.crons_syntax` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from dosim.bindings.crons_syntax import CronFields, read_cron
from dosim.platform.facts import EPOCH_MS

if TYPE_CHECKING:
    from dosim.runtime.world import World

_EPOCH = datetime.fromtimestamp(EPOCH_MS // 1000, UTC)
#: A schedule that fires less often is taken to fire never. cronsim gives up after as many.
_YEARS = 50


class CronSchedule:
    """When one cron expression fires.

    Raises ValueError that names the text, the field and an example, also for a date that never comes (31 November).
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fields = read_cron(text)
        try:
            self.next_us(0)
        except ValueError as error:
            raise ValueError(
                f"cron {text!r} never fires: no day matches its days of the month and months (the days of February, or"
                " of a month with 30 days, may be too few). An example that does: '0 9 1 * *'."
            ) from error

    def next_us(self, after_us: int) -> int:
        """The first occurrence later than `after_us`; both in microseconds since the simulation's start.

        Raises ValueError when none comes within 50 years.
        """
        after = _EPOCH + timedelta(microseconds=after_us)
        found = [moment for moment in map(partial(_next, after), self._fields) if moment is not None]
        if not found:
            raise ValueError(f"cron {self.text!r} does not fire within {_YEARS} years of {after:%Y-%m-%d}.")
        return round((min(found) - _EPOCH) / timedelta(microseconds=1))

    def __repr__(self) -> str:
        return f"<CronSchedule {self.text!r}>"


def _next(after: datetime, fields: CronFields) -> datetime | None:
    """The first moment later than `after` that these fields allow; None: none within 50 years."""
    from cronsim import CronSim, CronSimError

    last_year = after.year + _YEARS
    while after.year <= last_year:
        try:
            moment = next(CronSim(fields.expression, after))
        except (CronSimError, StopIteration, OverflowError):
            return None
        if fields.allows(moment.date()):
            return moment
        after = _end_of(moment.date())
    return None


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


class ScheduledController:
    """What `scheduled(controller, env, ctx)` is given.

    Source: developers.cloudflare.com/workers/runtime-apis/handlers/scheduled; `type` is documented there and missing
    in workerd (api/scheduled.h).
    """

    type = "scheduled"

    def __init__(self, cron: str, scheduled_ms: int) -> None:
        self.cron = cron
        #: Milliseconds since 1970.
        self.scheduledTime = scheduled_ms
        #: Whether the handler has asked that a failed run is not repeated.
        self.no_retry_asked = False

    def noRetry(self) -> None:
        """Ask that this run is not repeated when it fails."""
        self.no_retry_asked = True

    def __repr__(self) -> str:
        return f"<ScheduledController {self.cron!r} at {self.scheduledTime}>"


class CronTrigger:
    """Calls `dispatch(controller)` at each occurrence of each schedule.

    The occurrences are background events: they keep no `sim.run()` going. Each fires at its exact minute (assumed: the
    documents name no delay); of several in one minute the one that was armed first comes first.
    """

    def __init__(
        self,
        world: World,
        schedules: Iterable[CronSchedule | str],
        dispatch: Callable[[ScheduledController], None],
    ) -> None:
        self._world = world
        self._dispatch = dispatch
        self._stopped = False
        self.schedules = [known if isinstance(known, CronSchedule) else CronSchedule(known) for known in schedules]
        for schedule in self.schedules:
            self._arm(schedule, world.loop.time_us())

    def stop(self) -> None:
        """Fire no more: the Worker was replaced or its triggers changed."""
        self._stopped = True

    def _arm(self, schedule: CronSchedule, after_us: int) -> None:
        when_us = schedule.next_us(after_us)
        self._world.loop.in_background(when_us, self._fire, (schedule, when_us))

    def _fire(self, due: tuple[CronSchedule, int]) -> None:
        schedule, when_us = due
        if self._stopped:
            return
        self._arm(schedule, when_us)
        self._dispatch(ScheduledController(schedule.text, EPOCH_MS + when_us // 1000))
