"""An alarm whose handler fails: when it is tried again, and when nobody tries any more."""

from __future__ import annotations

import time
from typing import Any, Final

from dosim.notebook.explorers.bars import BarSheet
from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.simulation import Simulation
from dosim.views.svg import Entry
from dosim.workers import DurableObject

_LAST_S: Final = 160
_WORKED = Entry("o", "#009E73", "it worked")
_FAILED = Entry("D", "#D55E00", "it failed")
_WAITING = Entry("area", "#56B4E9", "waiting for the next try")
_RAISES, _SETS = "raises", "catches, and sets a new alarm in 5 s"


class _Mailer(DurableObject):
    async def later(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000))

    async def alarm(self, info: Any) -> None:
        tried = (await self.ctx.storage.get("tried") or 0) + 1
        await self.ctx.storage.put("tried", tried)
        await self.ctx.storage.sync()  # what a failed run wrote stays only if it is on disk before
        if tried > self.env.FAILURES:
            await self.ctx.storage.put("sent", True)
        elif self.env.ON_ERROR == _RAISES:
            raise RuntimeError("the mail server is down")
        else:
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 5000)


def alarm_retries() -> Any:
    """An explorer: an alarm whose handler fails some times before it works."""
    return open_lesson(LESSON)


def _run(failures: int, on_error: str, luck: int) -> Shown:
    sim = Simulation(
        durable_objects={"MAILER": _Mailer}, vars={"FAILURES": failures, "ON_ERROR": on_error}, network=None, seed=luck
    )
    sim.run(sim.env.MAILER.getByName("mailer").later())
    sim.run(for_="1h")
    runs = [record for record in sim.trace.of_kind("call") if record.detail["via"] == "alarm"]
    tries = [record.t_us / 1e6 for record in runs]
    sent = "sent" in sim.objects["mailer"].storage
    last = f"{tries[-1]:.1f} s"
    if sent:
        said = f"It was sent after {last}, at try {len(tries)}."
    else:
        said = f"It was never sent: after {len(tries)} tries in {last} nobody tries again, and the alarm is gone."
    return Shown(round(tries[-1], 1) if sent else 0.0, said, (tries, sent))


def _draw(shown: Shown, ghost: Shown | None, _: int) -> str:
    sheet = BarSheet(
        "Runs of alarm()",
        shown.said,
        rows=["this run", "pinned run"],
        x=(-3, _LAST_S),  # the first mark stands at 0, clear of the row's name
        x_ticks=[(s, f"{s} s") for s in range(0, _LAST_S + 1, 20)],
        legend=[_FAILED, _WORKED, _WAITING],
    )
    for row, one in enumerate([shown, *([ghost] if ghost is not None else [])]):
        tries, sent = one.data
        sheet.bar(row, tries[0], tries[-1], _WAITING)
        for number, at in enumerate(tries, 1):
            sheet.dot(row, at, _WORKED if sent and number == len(tries) else _FAILED)
    return str(sheet)


LESSON: Final = Lesson(
    title="Alarms are retried, for a while",
    question="alarm() fails {failures} times before the mail server is up again; on an error it {on_error}."
    " After how many seconds is the mail sent (0: never)?",
    unit="s",
    knobs={"failures": (0, 10, 3), "on_error": [_RAISES, _SETS], "luck": (1, 9, 1)},
    run=_run,
    draw=_draw,
)
